/* What the engine tidies up once a minute: attachments that no run needs any more, and what is older than it may get. */
#include "engine/engine_private.h"

#include <stdlib.h>

#include "base/log.h"
#include "model/retention.h"

enum { EVERY_MS = 60000, PURGE_EVERY_MS = 3600000, EVENTS = 50 };
#define DAY_MS 86400000LL

struct housekeeping {
    struct write_task task;
    struct engine *engine;
    struct arena *arena;
    bool purges;
    struct retention retention;
    /* Where it is, and where it is after the commit of this chunk. */
    struct id event, event_after;
    bool attachments_over, attachments_over_after;
    struct retention_cursor cursor, cursor_after;
    struct attachment_removal removal;
    struct retention_people people;
};

static bool settle_chunk(struct housekeeping *h, struct db *db, struct error *err)
{
    struct id events[EVENTS];
    size_t n;
    if (!attachment_events(db, h->event, events, EVENTS, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!attachment_settle(db, h->arena, events[i], false, &h->removal, err))
            return false;
    h->event_after = n ? events[n - 1] : h->event;
    h->attachments_over_after = n < EVENTS;
    return true;
}

static bool housekeeping_apply(struct write_task *t, struct db *db, struct error *err)
{
    struct housekeeping *h = (struct housekeeping *)t;
    h->removal = (struct attachment_removal){.n = 0};
    h->people.n = 0;
    h->event_after = h->event;
    h->attachments_over_after = h->attachments_over;
    h->cursor_after = h->cursor;
    if (!h->attachments_over)
        return settle_chunk(h, db, err);
    const struct engine_world *w = &h->engine->c.world;
    return retention_purge(db, &h->retention, &h->cursor_after, &h->people, err)
        && (!h->people.n || !w->forgetting || w->forgetting(w->app, db, h->people.ids, h->people.n, err));
}

static void end(struct housekeeping *h)
{
    struct engine *e = h->engine;
    arena_destroy(h->arena);
    free(h);
    work_done(e);
}

/* A chunk at a time, behind whatever else waits to be written. */
static void housekeeping_done(struct write_task *t, const struct error *err)
{
    struct housekeeping *h = (struct housekeeping *)t;
    struct engine *e = h->engine;
    struct error refused = {0};
    if (err) {
        log_warn("housekeeping postponed", "reason", err->message, NULL);
        end(h);
        return;
    }
    if (h->removal.n)
        attachment_store_remove(e->attachments, &h->removal);
    if (h->people.n && e->c.world.forgot)
        e->c.world.forgot(e->c.world.app, h->people.ids, h->people.n);
    h->event = h->event_after;
    h->attachments_over = h->attachments_over_after;
    h->cursor = h->cursor_after;
    bool over = h->attachments_over && (!h->purges || h->cursor.phase == RETENTION_OVER);
    if (over || atomic_load(&e->stop) || !writer_submit(e->c.writer, t, &refused))
        end(h);
}

static int64_t before(int64_t now, int days)
{
    return days > 0 ? now - days * DAY_MS : 0;
}

void housekeeping_due(struct engine *e, int64_t now)
{
    struct error refused = {0};
    if (!e->tidy_at)
        e->tidy_at = e->purge_at = now + EVERY_MS;
    if (now < e->tidy_at)
        return;
    struct housekeeping *h = calloc(1, sizeof *h);
    if (!h)
        abort();
    *h = (struct housekeeping){
        .task = {.apply = housekeeping_apply, .done = housekeeping_done}, .engine = e, .arena = arena_create(0),
        .purges = now >= e->purge_at,
        .retention = {.runs_before = before(now, e->c.retention_days), .in_app_before = before(now, e->c.retention_in_app_days)}};
    e->tidy_at = now + EVERY_MS;
    if (h->purges)
        e->purge_at = now + PURGE_EVERY_MS;
    atomic_fetch_add(&e->busy, 1);
    if (!writer_submit(e->c.writer, &h->task, &refused))
        end(h);
}

/* --- when a workflow was last triggered ------------------------------------------------------------------------- */

enum { TOUCH_EVERY_MS = 60000 };

bool workflow_touch_due(struct engine *e, struct id workflow, int64_t now)
{
    pthread_mutex_lock(&e->lock);
    /* Two workflows in one place only cost a write more. */
    struct touch *t = &e->touches[workflow.b[11] % TOUCHES];
    bool due = !id_eq(t->workflow, workflow) || now - t->at >= TOUCH_EVERY_MS || now < t->at;
    if (due)
        *t = (struct touch){.workflow = workflow, .at = now};
    pthread_mutex_unlock(&e->lock);
    return due;
}
