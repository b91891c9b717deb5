/* Arenas kept for the next use: for work that is made on one thread and ends on another, where malloc would give
 * memory back to the system and take it again each time.
 */
#ifndef BASE_ARENA_POOL_H
#define BASE_ARENA_POOL_H

#include "base/arena.h"

struct arena_pool;

/* Arenas have a first block of first_block bytes; at most max of them are kept. */
struct arena_pool *arena_pool_create(size_t first_block, int max);
/* Arenas that are still out are not the pool's. Accepts NULL. */
void arena_pool_destroy(struct arena_pool *p);
/* An empty arena. From any thread. */
struct arena *arena_pool_take(struct arena_pool *p);
/* Resets it for the next taker, or destroys it. Accepts a NULL arena. From any thread. */
void arena_pool_give(struct arena_pool *p, struct arena *a);

#endif
