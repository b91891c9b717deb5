/* Who is remembered from one trigger to the next is never older than what was committed. */
#include "../unit/db/both.h"

#include "db/migrate.h"
#include "model/people.h"
#include "model/preference.h"
#include "model/presence.h"
#include "model/removal.h"

static const struct id ENV = {{1}}, PERSON = {{2}}, OTHER = {{3}}, NODE = {{4}}, NOTE = {{5}}, WORKFLOW = {{6}};

struct kept {
    struct store *store;
    struct db *reader;
    struct people *people;
    struct arena *arena;
};

static void write_person(struct db *db, struct id id, const char *subscriber_id, const char *name)
{
    struct error err = {0};
    struct id stored;
    struct subscriber_patch p = {.subscriber_id = str_of(subscriber_id), .present = 1u << SUBSCRIBER_FIRST_NAME,
                                 .field = {[SUBSCRIBER_FIRST_NAME] = str_of(name)}};
    must(subscriber_upsert(db, ENV, &p, id, 1, &stored, &err), &err, "upsert");
}

static struct kept begin(void **state)
{
    struct kept k = {.store = *state, .arena = arena_create(0)};
    struct error err = {0};
    must(db_migrate(k.store->db, 0, &err), &err, "migrate");
    k.people = people_of(k.store->db);
    k.reader = db_open(k.store->url, true, &err);
    must(k.reader != NULL, &err, "reader");
    write_person(k.store->db, PERSON, "ada", "Ada");
    write_person(k.store->db, OTHER, "bob", "Bob");
    people_settled(k.people, people_noted(k.people));
    return k;
}

static void end(struct kept *k)
{
    people_unref(k->people);
    db_close(k->reader);
    arena_destroy(k->arena);
}

static bool known(struct kept *k, const char *subscriber_id, struct person *out)
{
    return people_find(k->people, k->arena, ENV, str_of(subscriber_id), out);
}

/* Reads them as a planner does that looked at the store at `mark`. */
static void load(struct kept *k, uint64_t mark, const char *subscriber_id, struct person *out)
{
    struct error err = {0};
    must(people_load(k->people, k->reader, mark, k->arena, ENV, str_of(subscriber_id), out, &err), &err, "load");
}

static void remember(struct kept *k)
{
    struct person p;
    people_settled(k->people, people_noted(k->people));
    load(k, people_mark(k->people), "ada", &p);
    load(k, people_mark(k->people), "bob", &p);
    assert_true(known(k, "ada", &p));
    assert_true(known(k, "bob", &p));
}

static void is_as_stored(void **state)
{
    struct kept k = begin(state);
    struct error err = {0};
    struct person p;
    struct subscriber_patch all = {.subscriber_id = STR("ada"), .present = (1u << SUBSCRIBER_FIELDS) - 1};
    for (int f = 0; f < SUBSCRIBER_FIELDS; f++)
        all.field[f] = f == SUBSCRIBER_PHONE ? STR_NULL : str_fmt(k.arena, "%.*s", f, "12345678");
    must(subscriber_update(k.store->db, ENV, &all, 77, &err), &err, "update");
    assert_false(known(&k, "ada", &p));
    remember(&k);
    assert_true(known(&k, "ada", &p));
    assert_true(p.no_preferences);
    assert_true(id_eq(p.row.id, PERSON) && id_eq(p.row.environment, ENV));
    assert_int_equal(p.row.updated_at, 77);
    for (int f = 0; f < SUBSCRIBER_FIELDS; f++) {
        assert_true(str_eq(p.row.field[f], all.field[f]));
        assert_int_equal(!p.row.field[f].p, f == SUBSCRIBER_PHONE);
    }
    /* Of another environment nobody is known, nor what begins alike. */
    assert_false(people_find(k.people, k.arena, OTHER, STR("ada"), &p));
    assert_false(known(&k, "ad", &p));
    all.field[SUBSCRIBER_DATA] = (struct str){memset(arena_alloc(k.arena, PERSON_TEXT_MAX), 'x', PERSON_TEXT_MAX), PERSON_TEXT_MAX};
    must(subscriber_update(k.store->db, ENV, &all, 78, &err), &err, "update");
    people_settled(k.people, people_noted(k.people));
    load(&k, people_mark(k.people), "ada", &p);
    assert_int_equal(p.row.updated_at, 78);
    assert_false(known(&k, "ada", &p));                 /* too large to be kept */
    end(&k);
}

static bool set_online(struct db *db, struct error *err) { return subscriber_set_online(db, ENV, PERSON, true, 5, err); }
static bool set_channels(struct db *db, struct error *err) { return subscriber_set_channels(db, ENV, PERSON, STR("[]"), 5, err); }
static bool enter(struct db *db, struct error *err) { return presence_enter(db, NODE, ENV, PERSON, err); }
static bool leave(struct db *db, struct error *err) { return presence_leave(db, NODE, ENV, PERSON, 6, err); }
static bool clear(struct db *db, struct error *err) { return presence_clear(db, 7, err); }

static bool prefer(struct db *db, struct error *err)
{
    struct preference p = preference_blank();
    p.id = NOTE;
    p.environment = ENV;
    p.subscriber = PERSON;
    p.workflow = WORKFLOW;
    p.enabled = CHOICE_OFF;
    return preference_write(db, &p, 8, err);
}

static bool update(struct db *db, struct error *err)
{
    struct subscriber_patch p = {.subscriber_id = STR("ada"), .present = 1u << SUBSCRIBER_EMAIL, .field = {[SUBSCRIBER_EMAIL] = STR("a@b.c")}};
    return subscriber_update(db, ENV, &p, 9, err);
}

static bool environment_remove(struct db *db, struct error *err)
{
    struct removal r = {.ref = ENV, .environment = ENV, .kind = REMOVAL_ENVIRONMENT};
    return removal_begin(db, &r, 9, err);
}

static bool erase(struct db *db, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    return subscriber_erase(db, a, ENV, STR("ada"), NOTE, NOTE, 9, err);
}

static bool delete(struct db *db, struct error *err) { return subscriber_delete(db, ENV, STR("bob"), 9, err); }

/* Each statement that changes a person is noted, whether they are named by their subscriberId or their id. */
static void every_change_is_noted(void **state)
{
    static const struct {
        bool (*change)(struct db *db, struct error *err);
        bool ada, bob;                  /* still known after it */
    } changes[] = {{set_online, false, true}, {set_channels, false, true}, {enter, false, true}, {leave, false, true},
                   {clear, false, false}, {update, false, true}, {prefer, false, true}, {erase, false, true}};
    struct kept k = begin(state);
    struct error err = {0};
    struct person p;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        remember(&k);
        must(changes[i].change(k.store->db, &err), &err, "change");
        assert_int_equal(known(&k, "ada", &p), changes[i].ada);
        assert_int_equal(known(&k, "bob", &p), changes[i].bob);
        if (changes[i].change == prefer) {
            remember(&k);
            assert_true(known(&k, "ada", &p));
            assert_false(p.no_preferences);
        }
    }
    people_settled(k.people, people_noted(k.people));
    assert_false(people_load(k.people, k.reader, people_mark(k.people), k.arena, ENV, STR("ada"), &p, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    must(delete(k.store->db, &err), &err, "delete");
    assert_false(known(&k, "bob", &p));
    write_person(k.store->db, PERSON, "ada", "Ada");
    write_person(k.store->db, OTHER, "bob", "Bob");
    remember(&k);
    must(environment_remove(k.store->db, &err), &err, "environment");
    assert_false(known(&k, "ada", &p));
    assert_false(known(&k, "bob", &p));
    end(&k);
}

/* Who has just been made is known before anybody has read them, and not as they were before something else happened. */
static void who_is_new_is_known(void **state)
{
    struct kept k = begin(state);
    struct person p;
    struct error err = {0};
    struct subscriber eve = {.id = NOTE, .environment = ENV, .subscriber_id = STR("eve"), .is_online = -1, .created_at = 1, .updated_at = 1,
                             .field = {[SUBSCRIBER_FIRST_NAME] = STR("Eve")}};
    for (int changed = 0; changed < 2; changed++) {
        must(db_begin(k.store->db, true, &err), &err, "begin");
        write_person(k.store->db, NOTE, "eve", "Eve");
        uint64_t noted = people_noted(k.people);
        if (changed)
            must(subscriber_set_online(k.store->db, ENV, NOTE, true, 5, &err), &err, "online");
        must(db_commit(k.store->db, &err), &err, "commit");
        people_settled(k.people, noted);
        people_keep_new(k.people, noted, &eve);
        assert_int_equal(known(&k, "eve", &p), !changed);
        struct person read;
        load(&k, people_mark(k.people), "eve", &read);
        assert_int_equal(read.row.is_online, changed ? 1 : -1);
        if (changed)
            continue;
        assert_true(id_eq(p.row.id, read.row.id) && p.row.is_online == read.row.is_online && p.row.last_online_at == read.row.last_online_at
                    && p.row.created_at == read.row.created_at && p.row.updated_at == read.row.updated_at);
        for (int f = 0; f < SUBSCRIBER_FIELDS; f++)
            assert_true(!p.row.field[f].p == !read.row.field[f].p && str_eq(p.row.field[f], read.row.field[f]));
        must(subscriber_delete(k.store->db, ENV, STR("eve"), 2, &err), &err, "delete");
    }
    end(&k);
}

/* The writer knows that somebody is still there without asking. */
static void who_is_unchanged_is_there(void **state)
{
    struct kept k = begin(state);
    struct error err = {0};
    struct person p;
    const struct people_stamp nobody = {.name = 0};
    remember(&k);
    assert_true(known(&k, "bob", &p));
    assert_true(people_unchanged(k.people, &p.stamp));
    assert_false(people_unchanged(k.people, &nobody));
    must(db_begin(k.store->db, true, &err), &err, "begin");
    must(update(k.store->db, &err), &err, "update");
    assert_true(people_unchanged(k.people, &p.stamp));              /* that was ada */
    must(delete(k.store->db, &err), &err, "delete");
    assert_false(people_unchanged(k.people, &p.stamp));
    db_rollback(k.store->db);
    load(&k, people_mark(k.people), "bob", &p);
    assert_false(people_unchanged(k.people, &p.stamp));             /* nor is it, until that is settled */
    people_settled(k.people, people_noted(k.people));
    load(&k, people_mark(k.people), "bob", &p);
    assert_true(people_unchanged(k.people, &p.stamp));
    end(&k);
}

/* What was read before a commit is not kept beyond it, however late it comes. */
static void old_views_are_not_kept(void **state)
{
    struct kept k = begin(state);
    struct error err = {0};
    struct person p;
    must(db_begin(k.store->db, true, &err), &err, "begin");
    write_person(k.store->db, PERSON, "ada", "Eva");
    load(&k, people_mark(k.people), "ada", &p);         /* not committed: the old one, and not to be kept */
    assert_true(str_eqz(p.row.field[SUBSCRIBER_FIRST_NAME], "Ada"));
    assert_false(known(&k, "ada", &p));
    uint64_t early = people_mark(k.people), noted = people_noted(k.people);
    must(db_begin(k.reader, false, &err), &err, "view");
    load(&k, early, "bob", &p);                         /* the view is there now */
    must(db_commit(k.store->db, &err), &err, "commit");
    people_settled(k.people, noted);
    load(&k, early, "ada", &p);
    assert_true(str_eqz(p.row.field[SUBSCRIBER_FIRST_NAME], "Ada"));
    assert_false(known(&k, "ada", &p));
    db_rollback(k.reader);
    load(&k, people_mark(k.people), "ada", &p);
    assert_true(known(&k, "ada", &p));
    assert_true(str_eqz(p.row.field[SUBSCRIBER_FIRST_NAME], "Eva"));
    assert_true(known(&k, "bob", &p));
    end(&k);
}

enum { WALK = 20000, WALK_PEOPLE = 12 };

/* A random walk: whoever is known is as committed. */
static void a_long_walk(void **state)
{
    struct kept k = begin(state);
    struct error err = {0};
    int committed[WALK_PEOPLE] = {0}, pending[WALK_PEOPLE] = {0}, hits = 0, n = 0;
    uint64_t random = 42, mark = 0, noted = 0;
    bool writing = false, viewing = false;
    for (int i = 0; i < WALK_PEOPLE; i++)
        write_person(k.store->db, (struct id){{9, (uint8_t)i}}, str_fmt(k.arena, "p%d", i).p, "0");
    people_settled(k.people, people_noted(k.people));
    for (int step = 0; step < WALK; step++) {
        random = random * 6364136223846793005 + 1442695040888963407;
        int who = (int)(random >> 40) % WALK_PEOPLE;
        char name[16], value[16];
        struct person p;
        snprintf(name, sizeof name, "p%d", who);
        arena_reset(k.arena);
        switch (random >> 33 & 7) {
        case 0:
            if (!writing) {
                must(db_begin(k.store->db, true, &err), &err, "begin");
                writing = true;
                memcpy(pending, committed, sizeof pending);
            }
            snprintf(value, sizeof value, "%d", pending[who] = ++n);
            write_person(k.store->db, (struct id){{9, (uint8_t)who}}, name, value);
            break;
        case 1:
            if (!writing)
                break;
            writing = false;
            if (random >> 60 < 4) {
                db_rollback(k.store->db);
                break;
            }
            noted = people_noted(k.people);
            must(db_commit(k.store->db, &err), &err, "commit");
            memcpy(committed, pending, sizeof committed);
            if (random >> 60 < 12)
                people_settled(k.people, noted);
            break;
        case 2:
            if (viewing)
                db_rollback(k.reader);
            else
                mark = people_mark(k.people), must(db_begin(k.reader, false, &err), &err, "view");
            viewing = !viewing;
            break;
        default:
            if (people_find(k.people, k.arena, ENV, str_of(name), &p)) {
                hits++;
                assert_int_equal(atoi(p.row.field[SUBSCRIBER_FIRST_NAME].p), committed[who]);
            } else {
                load(&k, viewing ? mark : people_mark(k.people), name, &p);
            }
        }
    }
    assert_true(hits > WALK / 20);
    if (writing)
        db_rollback(k.store->db);
    if (viewing)
        db_rollback(k.reader);
    end(&k);
}

static void postgres_has_none(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    must(db_migrate(st->db, 0, &err), &err, "migrate");
    assert_null(people_of(st->db));
    write_person(st->db, PERSON, "ada", "Ada");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(is_as_stored, 0), ONE(every_change_is_noted, 0), ONE(who_is_new_is_known, 0), ONE(who_is_unchanged_is_there, 0), ONE(old_views_are_not_kept, 0), ONE(a_long_walk, 0),
        ONE(postgres_has_none, 1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
