/* A chained hash table whose nodes live inside their owners; it doubles when full and never shrinks. */
#include <stdlib.h>

#include "base/log.h"
#include "realtime/hub_private.h"

void *hub_alloc(size_t n)
{
    void *p = calloc(1, n);
    if (!p) {
        log_error("out of memory", "room", "realtime", NULL);
        abort();
    }
    return p;
}

/* FNV-1a with a final mix. Keys are made by this server (ids, sids), so nobody can choose them to collide. */
uint64_t hash_bytes(const void *p, size_t n)
{
    const unsigned char *b = p;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 0x100000001b3u;
    return h ^ (h >> 29);
}

static void grow(struct table *t)
{
    size_t cap = t->cap ? t->cap * 2 : 64;
    struct node **bucket = hub_alloc(sizeof *bucket * cap);
    for (size_t i = 0; i < t->cap; i++)
        for (struct node *n = t->bucket[i], *next; n; n = next) {
            next = n->next;
            n->next = bucket[n->hash & (cap - 1)];
            bucket[n->hash & (cap - 1)] = n;
        }
    free(t->bucket);
    t->bucket = bucket;
    t->cap = cap;
}

void table_add(struct table *t, struct node *n, uint64_t hash)
{
    if (t->n >= t->cap)
        grow(t);
    n->hash = hash;
    n->next = t->bucket[hash & (t->cap - 1)];
    t->bucket[hash & (t->cap - 1)] = n;
    t->n++;
}

void table_remove(struct table *t, struct node *n)
{
    for (struct node **at = &t->bucket[n->hash & (t->cap - 1)]; *at; at = &(*at)->next)
        if (*at == n) {
            *at = n->next;
            t->n--;
            return;
        }
}
