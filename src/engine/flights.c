/* The set of queue items that this process is working on, so that none is started twice. */
#include "engine/engine_private.h"

#include <search.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    return id_cmp(*(const struct id *)a, *(const struct id *)b);
}

bool flight_begin(struct engine *e, struct id item)
{
    struct id *copy = malloc(sizeof *copy);
    if (!copy)
        abort();
    *copy = item;
    pthread_mutex_lock(&e->lock);
    struct id *const *slot = tsearch(copy, (void **)&e->flights, compare);
    bool fresh = slot && *slot == copy;
    pthread_mutex_unlock(&e->lock);
    if (!fresh)
        free(copy);
    return fresh;
}

void flight_end(struct engine *e, struct id item)
{
    struct id *found = NULL;
    pthread_mutex_lock(&e->lock);
    struct id *const *slot = tfind(&item, (void **)&e->flights, compare);
    if (slot) {
        found = *slot;
        tdelete(&item, (void **)&e->flights, compare);
    }
    pthread_mutex_unlock(&e->lock);
    free(found);
}

void flights_free(struct engine *e)
{
    tdestroy(e->flights, free);
    e->flights = NULL;
}
