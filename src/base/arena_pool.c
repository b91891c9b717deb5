/* A bounded stack of empty arenas under a lock. */
#include "base/arena_pool.h"

#include <pthread.h>
#include <stdlib.h>

struct arena_pool {
    pthread_mutex_t lock;
    size_t first_block;
    int n, max;
    struct arena *kept[];
};

struct arena_pool *arena_pool_create(size_t first_block, int max)
{
    struct arena_pool *p = calloc(1, sizeof *p + sizeof(struct arena *) * (size_t)max);
    if (!p)
        abort();
    pthread_mutex_init(&p->lock, NULL);
    p->first_block = first_block;
    p->max = max;
    return p;
}

void arena_pool_destroy(struct arena_pool *p)
{
    if (!p)
        return;
    while (p->n)
        arena_destroy(p->kept[--p->n]);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

struct arena *arena_pool_take(struct arena_pool *p)
{
    struct arena *a = NULL;
    pthread_mutex_lock(&p->lock);
    if (p->n)
        a = p->kept[--p->n];
    pthread_mutex_unlock(&p->lock);
    return a ? a : arena_create(p->first_block);
}

void arena_pool_give(struct arena_pool *p, struct arena *a)
{
    if (!a)
        return;
    arena_reset(a);
    pthread_mutex_lock(&p->lock);
    if (p->n < p->max) {
        p->kept[p->n++] = a;
        a = NULL;
    }
    pthread_mutex_unlock(&p->lock);
    arena_destroy(a);
}
