/* Chunks of one fan-out under way: the next is planned while those before it are written.
 *
 * What keeps this right is the queue. A chunk is planned from the cursor that the one before it leaves, before that is
 * stored; its commit takes the queue row that the commit before it inserts. If that one fails, is planned again (its rest
 * then has another id) or the fan-out is stopped, there is no such row, and of the chunk nothing is written.
 */
#include "engine/engine_private.h"

#include <stdlib.h>

/* Of the chunks that follow each other without the store in between. Under the engine's lock. */
struct relay {
    int legs;                           /* chunks that are not over, those that wait too */
    bool broken;                        /* one of them was not written: no others follow this way */
    struct work *waits;                 /* the next ones, while too many are under way: of a chunk that was planned again more
                                         * than one, of which the store knows the last */
};

struct relay_leg {
    struct relay *relay;
    struct fanout begins;
};

const struct fanout *relay_begins(const struct work *w)
{
    return w->leg ? &w->leg->begins : NULL;
}

void relay_break(struct engine *e, const struct work *w)
{
    if (!w->leg)
        return;
    pthread_mutex_lock(&e->lock);
    w->leg->relay->broken = true;
    pthread_mutex_unlock(&e->lock);
}

struct work *relay_next(struct engine *e, const struct work *before, const struct queue_item *item, const struct fanout *f)
{
    struct relay *r = before->leg ? before->leg->relay : calloc(1, sizeof *r);
    if (!r)
        abort();
    pthread_mutex_lock(&e->lock);
    bool broken = r->broken;
    r->legs += !broken;
    pthread_mutex_unlock(&e->lock);
    if (broken)
        return NULL;
    struct work *w = calloc(1, sizeof *w);
    struct relay_leg *leg = malloc(sizeof *leg);
    if (!w || !leg)
        abort();
    *leg = (struct relay_leg){.relay = r, .begins = *f};
    w->kind = WORK_DUE;
    w->item = *item;
    w->leg = leg;
    atomic_fetch_add(&e->busy, 1);
    return w;
}

void relay_push(struct engine *e, struct work *next)
{
    struct relay *r = next->leg->relay;
    pthread_mutex_lock(&e->lock);
    bool waits = r->legs > CHUNKS_AHEAD;
    if (waits) {
        next->next = r->waits;
        r->waits = next;
    }
    pthread_mutex_unlock(&e->lock);
    if (!waits)
        work_push(e, next, next->item.ref);
}

void relay_leave(struct engine *e, struct work *w)
{
    struct relay *r = w->leg ? w->leg->relay : NULL;
    struct work *next = NULL;
    free(w->leg);
    if (!r)
        return;
    pthread_mutex_lock(&e->lock);
    bool over = --r->legs == 0;
    if (r->legs <= CHUNKS_AHEAD) {
        next = r->waits;
        r->waits = NULL;
    }
    pthread_mutex_unlock(&e->lock);
    if (over)
        free(r);
    for (struct work *after; next; next = after) {
        after = next->next;
        if (atomic_load(&e->stop))
            work_end(e, next);          /* its row stays: the next start goes on from there */
        else
            work_push(e, next, next->item.ref);
    }
}
