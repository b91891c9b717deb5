/* Jobs waiting per host, and the round of hosts that may start one. */
#include "delivery/host_queue.h"

#include <stdlib.h>

enum { BUCKETS = 1024 };

/* Exists while a job of it waits or is under way. In the round exactly if a job waits and the cap allows one. */
struct host {
    struct host *chain;                 /* same bucket */
    struct host *before, *after;        /* the round */
    bool in_round;
    struct job *first, *last;
    int active;
    size_t bucket, key_n;
    char key[];
};

struct host_queue {
    int per_host_max;
    struct host *first, *last;          /* the round */
    struct host *bucket[BUCKETS];
};

struct host_queue *host_queue_create(int per_host_max)
{
    struct host_queue *q = calloc(1, sizeof *q);
    if (!q)
        abort();
    q->per_host_max = per_host_max;
    return q;
}

void host_queue_destroy(struct host_queue *q)
{
    if (!q)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct host *h = q->bucket[i], *next; h; h = next) {
            next = h->chain;
            free(h);
        }
    free(q);
}

static size_t bucket_of(struct str key)
{
    uint32_t x = 2166136261u;           /* FNV-1a: keys are checked host names of configured integrations */
    for (size_t i = 0; i < key.n; i++)
        x = (x ^ (unsigned char)key.p[i]) * 16777619u;
    return x % BUCKETS;
}

static struct host *host_get(struct host_queue *q, struct str key)
{
    size_t at = bucket_of(key);
    struct host *h = q->bucket[at];
    while (h && !str_eq((struct str){h->key, h->key_n}, key))
        h = h->chain;
    if (h)
        return h;
    h = calloc(1, sizeof *h + key.n);
    if (!h)
        abort();
    if (key.n)
        memcpy(h->key, key.p, key.n);
    h->key_n = key.n;
    h->bucket = at;
    h->chain = q->bucket[at];
    return q->bucket[at] = h;
}

static void host_free(struct host_queue *q, struct host *h)
{
    struct host **p = &q->bucket[h->bucket];
    while (*p != h)
        p = &(*p)->chain;
    *p = h->chain;
    free(h);
}

static void round_remove(struct host_queue *q, struct host *h)
{
    *(h->before ? &h->before->after : &q->first) = h->after;
    *(h->after ? &h->after->before : &q->last) = h->before;
    h->before = h->after = NULL;
    h->in_round = false;
}

/* Puts the host where it belongs after a change; at the end of the round, so that hosts take turns. */
static void host_update(struct host_queue *q, struct host *h)
{
    bool may = h->first && h->active < q->per_host_max;
    if (h->in_round && !may)
        round_remove(q, h);
    if (!h->in_round && may) {
        h->before = q->last;
        *(q->last ? &q->last->after : &q->first) = h;
        q->last = h;
        h->in_round = true;
    }
    if (!h->first && !h->active)
        host_free(q, h);
}

void host_queue_push(struct host_queue *q, struct job *j)
{
    struct host *h = host_get(q, j->host_key);
    j->host = h;
    j->next = NULL;
    *(h->last ? &h->last->next : &h->first) = j;
    h->last = j;
    host_update(q, h);
}

static struct job *host_shift(struct host *h)
{
    struct job *j = h->first;
    h->first = j->next;
    if (!h->first)
        h->last = NULL;
    j->next = NULL;
    return j;
}

struct job *host_queue_pop(struct host_queue *q)
{
    struct host *h = q->first;
    if (!h)
        return NULL;
    struct job *j = host_shift(h);
    h->active++;
    round_remove(q, h);
    host_update(q, h);
    return j;
}

void host_queue_done(struct host_queue *q, struct host *h)
{
    h->active--;
    host_update(q, h);
}

struct job *host_queue_drain(struct host_queue *q)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct host *h = q->bucket[i]; h; h = h->chain)
            if (h->first) {
                struct job *j = host_shift(h);
                host_update(q, h);
                return j;
            }
    return NULL;
}
