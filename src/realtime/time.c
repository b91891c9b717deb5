/* Deadlines: a binary heap of timers that live inside what they belong to. */
#include <stdlib.h>

#include "realtime/hub_private.h"

static void put(struct timers *ts, int i, struct timer *t)
{
    ts->v[i] = t;
    t->place = i + 1;
}

static void sift(struct timers *ts, int i)
{
    struct timer *t = ts->v[i];
    while (i > 0 && ts->v[(i - 1) / 2]->due > t->due) {
        put(ts, i, ts->v[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        int c = 2 * i + 1;
        if (c >= ts->n)
            break;
        if (c + 1 < ts->n && ts->v[c + 1]->due < ts->v[c]->due)
            c++;
        if (ts->v[c]->due >= t->due)
            break;
        put(ts, i, ts->v[c]);
        i = c;
    }
    put(ts, i, t);
}

void timer_set(struct timers *ts, struct timer *t, int64_t due)
{
    t->due = due;
    if (!t->place) {
        if (ts->n == ts->cap) {
            int cap = ts->cap ? ts->cap * 2 : 64;
            struct timer **v = hub_alloc(sizeof *v * (size_t)cap);
            if (ts->n)
                memcpy(v, ts->v, sizeof *v * (size_t)ts->n);
            free(ts->v);
            ts->v = v;
            ts->cap = cap;
        }
        put(ts, ts->n++, t);
    }
    sift(ts, t->place - 1);
}

void timer_clear(struct timers *ts, struct timer *t)
{
    if (!t->place)
        return;
    int i = t->place - 1;
    t->place = 0;
    struct timer *moved = ts->v[--ts->n];
    if (moved != t) {
        put(ts, i, moved);
        sift(ts, i);
    }
}
