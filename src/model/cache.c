/* The cache: a balanced tree (tsearch) under a read-write lock. */
#include "model/cache.h"

#include <pthread.h>
#include <search.h>
#include <stdlib.h>

#include "base/clock.h"

struct cache_entry {
    struct str key;
    struct cached *value;
    uint64_t epoch;
    int64_t loaded_ns;
};

struct cache {
    pthread_rwlock_t lock;
    void *root;
    int n, entries_max;
    int64_t max_age_ns;
    _Atomic uint64_t epoch;
};

void cached_init(struct cached *c, void (*destroy)(struct cached *c))
{
    atomic_init(&c->refs, 1);
    c->destroy = destroy;
}

void *cached_ref(struct cached *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void cached_unref(struct cached *c)
{
    if (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
        c->destroy(c);
}

static int compare(const void *a, const void *b)
{
    return str_cmp(((const struct cache_entry *)a)->key, ((const struct cache_entry *)b)->key);
}

static void entry_free(void *p)
{
    struct cache_entry *e = p;
    cached_unref(e->value);
    free(e);
}

struct cache *cache_create(int64_t max_age_ms, int entries_max)
{
    struct cache *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    pthread_rwlock_init(&c->lock, NULL);
    c->max_age_ns = max_age_ms * 1000000;
    c->entries_max = entries_max;
    return c;
}

void cache_destroy(struct cache *c)
{
    if (!c)
        return;
    tdestroy(c->root, entry_free);
    pthread_rwlock_destroy(&c->lock);
    free(c);
}

void *cache_get(struct cache *c, struct str key)
{
    struct cache_entry probe = {.key = key};
    void *value = NULL;
    pthread_rwlock_rdlock(&c->lock);
    struct cache_entry *const *hit = tfind(&probe, &c->root, compare);
    if (hit && (*hit)->epoch == atomic_load(&c->epoch)
        && (!c->max_age_ns || clock_mono_ns() - (*hit)->loaded_ns < c->max_age_ns))
        value = cached_ref((*hit)->value);
    pthread_rwlock_unlock(&c->lock);
    return value;
}

uint64_t cache_epoch(const struct cache *c)
{
    return atomic_load(&c->epoch);
}

void cache_put(struct cache *c, struct str key, struct cached *value, uint64_t epoch)
{
    struct cache_entry *e = malloc(sizeof *e + key.n);
    if (!e)
        abort();
    memcpy(e + 1, key.p, key.n);
    *e = (struct cache_entry){.key = {(char *)(e + 1), key.n}, .value = cached_ref(value), .epoch = epoch,
                        .loaded_ns = clock_mono_ns()};
    pthread_rwlock_wrlock(&c->lock);
    if (c->n >= c->entries_max) {
        tdestroy(c->root, entry_free);
        c->root = NULL;
        c->n = 0;
    }
    struct cache_entry **slot = tsearch(e, &c->root, compare);
    if (!slot)
        abort();
    if (*slot == e) {
        c->n++;
    } else {
        struct cache_entry *old = *slot;
        *slot = e;              /* equal key: the tree's order is unchanged */
        entry_free(old);
    }
    pthread_rwlock_unlock(&c->lock);
}

void cache_invalidate(struct cache *c)
{
    atomic_fetch_add(&c->epoch, 1);
}
