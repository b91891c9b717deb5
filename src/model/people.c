/* Four places for each hash, and a number for each hash of a note; see people.h for why that is enough. */
#include "model/people.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "model/cache.h"
#include "model/row.h"

enum { WAYS = 4, BUCKETS = PEOPLE_KEPT / WAYS, LOCKS = 64, NOTES = 65536 };

struct kept {
    struct person person;               /* its texts follow */
    size_t text_n;
    char text[];
};

struct bucket {
    struct kept *way[WAYS];
    unsigned next;                      /* the one that gives way */
};

struct people {
    struct cached head;
    _Atomic uint64_t noted, settled;
    _Atomic uint64_t all;               /* the last note about everybody */
    _Atomic uint64_t notes[NOTES];      /* the last one of each hash */
    pthread_mutex_t locks[LOCKS];       /* of the buckets, by their number */
    struct bucket buckets[BUCKETS];
};

static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint64_t word;
    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&word, p, 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15;
        h ^= h >> 32;
    }
    word = 0;
    memcpy(&word, p, n);
    h = (h ^ word ^ (uint64_t)n << 56) * 0x9e3779b97f4a7c15;
    return h ^ h >> 32;
}

static uint64_t hash_name(struct id environment, struct str subscriber_id)
{
    return hash_bytes(hash_bytes(1, environment.b, sizeof environment.b), subscriber_id.p, subscriber_id.n);
}

static uint64_t hash_id(struct id id)
{
    return hash_bytes(2, id.b, sizeof id.b);
}

static struct bucket *bucket_lock(struct people *p, uint64_t name)
{
    pthread_mutex_lock(&p->locks[name % LOCKS]);
    return &p->buckets[name % BUCKETS];
}

static void bucket_unlock(struct people *p, uint64_t name)
{
    pthread_mutex_unlock(&p->locks[name % LOCKS]);
}

/* --- one for each writer --------------------------------------------------------------------------------- */

static void people_destroy(struct cached *c)
{
    struct people *p = (struct people *)c;
    for (size_t b = 0; b < BUCKETS; b++)
        for (size_t i = 0; i < WAYS; i++)
            free(p->buckets[b].way[i]);
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&p->locks[i]);
    free(p);
}

static void follower_left(void *follower)
{
    people_unref(follower);
}

struct people *people_of(struct db *writer)
{
    struct people *p = db_follower(writer);
    if (db_kind_of(writer) != DB_SQLITE)
        return NULL;
    if (!p) {
        p = calloc(1, sizeof *p);
        if (!p)
            abort();
        cached_init(&p->head, people_destroy);
        for (size_t i = 0; i < LOCKS; i++)
            pthread_mutex_init(&p->locks[i], NULL);
        db_follow(writer, p, follower_left);
    }
    return cached_ref(&p->head);
}

void people_unref(struct people *p)
{
    if (p)
        cached_unref(&p->head);
}

/* --- notes ------------------------------------------------------------------------------------------------ */

static void note(struct people *p, uint64_t hash)
{
    atomic_store(&p->notes[hash % NOTES], atomic_fetch_add(&p->noted, 1) + 1);
}

/* Nobody is kept in memory who has been deleted. */
static void forget(struct people *p, uint64_t name)
{
    struct bucket *b = bucket_lock(p, name);
    for (size_t i = 0; i < WAYS; i++)
        if (b->way[i] && b->way[i]->person.stamp.name == name) {
            free(b->way[i]);
            b->way[i] = NULL;
        }
    bucket_unlock(p, name);
}

void people_note_name(struct db *db, struct id environment, struct str subscriber_id)
{
    struct people *p = db_follower(db);
    uint64_t name = hash_name(environment, subscriber_id);
    if (!p)
        return;
    note(p, name);
    forget(p, name);
}

void people_note_id(struct db *db, struct id subscriber)
{
    struct people *p = db_follower(db);
    if (p)
        note(p, hash_id(subscriber));
}

void people_note_all(struct db *db)
{
    struct people *p = db_follower(db);
    if (p)
        atomic_store(&p->all, atomic_fetch_add(&p->noted, 1) + 1);
}

uint64_t people_noted(const struct people *p)
{
    return atomic_load(&p->noted);
}

void people_settled(struct people *p, uint64_t noted)
{
    if (noted > atomic_load(&p->settled))
        atomic_store(&p->settled, noted);
}

uint64_t people_mark(const struct people *p)
{
    return atomic_load(&p->settled);
}

static bool is_fresh(const struct people *p, const struct people_stamp *s)
{
    return atomic_load(&p->notes[s->name % NOTES]) <= s->mark && atomic_load(&p->notes[s->id % NOTES]) <= s->mark
        && atomic_load(&p->all) <= s->mark;
}

bool people_unchanged(const struct people *p, const struct people_stamp *s)
{
    return s->name && is_fresh(p, s);
}

/* --- keeping ------------------------------------------------------------------------------------------------ */

/* The texts of a person, one after the other: from where they are to `to`. */
static void texts_move(struct subscriber *s, char *to)
{
    struct str *texts[SUBSCRIBER_FIELDS + 1] = {&s->subscriber_id};
    for (int f = 0; f < SUBSCRIBER_FIELDS; f++)
        texts[f + 1] = &s->field[f];
    for (size_t i = 0; i < SUBSCRIBER_FIELDS + 1; i++) {
        if (!texts[i]->p)
            continue;
        memcpy(to, texts[i]->p, texts[i]->n);
        texts[i]->p = to;
        to += texts[i]->n;
        *to++ = 0;
    }
}

static size_t texts_size(const struct subscriber *s)
{
    size_t n = s->subscriber_id.n + 1;
    for (int f = 0; f < SUBSCRIBER_FIELDS; f++)
        if (s->field[f].p)
            n += s->field[f].n + 1;
    return n;
}

bool people_find(struct people *p, struct arena *a, struct id environment, struct str subscriber_id, struct person *out)
{
    uint64_t name = hash_name(environment, subscriber_id);
    struct bucket *b = bucket_lock(p, name);
    struct kept *k = NULL;
    for (size_t i = 0; i < WAYS && !k; i++)
        if (b->way[i] && b->way[i]->person.stamp.name == name && id_eq(b->way[i]->person.row.environment, environment)
            && str_eq(b->way[i]->person.row.subscriber_id, subscriber_id))
            k = b->way[i];
    if (k && !is_fresh(p, &k->person.stamp))
        k = NULL;
    if (k) {
        *out = k->person;
        texts_move(&out->row, arena_alloc_raw(a, k->text_n));
    }
    bucket_unlock(p, name);
    return k != NULL;
}

static void keep(struct people *p, const struct person *person)
{
    size_t n = texts_size(&person->row);
    if (n > PERSON_TEXT_MAX)
        return;
    struct kept *k = malloc(sizeof *k + n), *old;
    if (!k)
        abort();
    uint64_t name = person->stamp.name;
    *k = (struct kept){.person = *person, .text_n = n};
    texts_move(&k->person.row, k->text);
    struct bucket *b = bucket_lock(p, name);
    size_t at = b->next % WAYS;
    for (size_t i = 0; i < WAYS; i++)
        if (b->way[i] && b->way[i]->person.stamp.name == name)
            at = i;
    b->next += at == b->next % WAYS;
    old = is_fresh(p, &k->person.stamp) ? b->way[at] : k;
    if (old != k)
        b->way[at] = k;
    bucket_unlock(p, name);
    free(old);
}

static struct people_stamp stamp_of(const struct subscriber *row, uint64_t mark)
{
    return (struct people_stamp){hash_name(row->environment, row->subscriber_id), hash_id(row->id), mark};
}

void people_keep_new(struct people *p, uint64_t noted, const struct subscriber *row)
{
    keep(p, &(struct person){.stamp = stamp_of(row, noted), .row = *row, .no_preferences = true});
}

static bool preferences_none(struct db *db, struct id subscriber, bool *none, struct error *err)
{
    bool any;
    if (!row_exists(db_query(db, err, "SELECT 1 FROM preferences WHERE subscriber_id = ?1 LIMIT 1", subscriber), &any, err))
        return false;
    *none = !any;
    return true;
}

bool people_load(struct people *p, struct db *db, uint64_t mark, struct arena *a, struct id environment, struct str subscriber_id,
                 struct person *out, struct error *err)
{
    if (!subscriber_find(db, a, environment, subscriber_id, &out->row, err)
        || !preferences_none(db, out->row.id, &out->no_preferences, err))
        return false;
    out->stamp = stamp_of(&out->row, mark);
    keep(p, out);
    return true;
}
