/* A shared cache of immutable, reference-counted values with one rule of staleness.
 *
 * Values are loaded from the store by whoever misses. Every committed change of configuration (workflows,
 * integrations, environments, keys) raises the epoch, which makes all older values stale; with several nodes on
 * one store a value is stale after max_age_ms too, since another node's changes are not seen here.
 * Thread-safe. Values are never changed after cache_put.
 */
#ifndef MODEL_CACHE_H
#define MODEL_CACHE_H

#include <stdatomic.h>

#include "base/str.h"

/* The head of every cached value. */
struct cached {
    _Atomic int refs;
    void (*destroy)(struct cached *c);
};

void cached_init(struct cached *c, void (*destroy)(struct cached *c));      /* with one reference */
void *cached_ref(struct cached *c);
void cached_unref(struct cached *c);                                        /* accepts NULL */

struct cache;

/* max_age_ms 0: no limit. entries_max: beyond it the cache is emptied (values in use live on). */
struct cache *cache_create(int64_t max_age_ms, int entries_max);
void cache_destroy(struct cache *c);
/* A new reference, or NULL when there is none or it is stale. */
void *cache_get(struct cache *c, struct str key);
/* The epoch to give to cache_put: taken BEFORE loading, so that a value that was loaded while something changed is
 * stale from the start. */
uint64_t cache_epoch(const struct cache *c);
/* Stores another reference to value. */
void cache_put(struct cache *c, struct str key, struct cached *value, uint64_t epoch);
void cache_invalidate(struct cache *c);

#endif
