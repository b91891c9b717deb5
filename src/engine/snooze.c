/* The time of a snoozed message has come (inbox-realtime.md §2.6): it is written as new, and sockets hear of it. */
#include "engine/plan_private.h"
#include "model/inbox.h"
#include "model/run.h"

struct wake {
    struct message message;             /* afterwards */
    bool woke;                          /* result of apply */
    struct planned_run run;             /* what the socket form is made of */
};

/* Whatever of it is gone is left out of the socket form. */
static bool wake_load(struct worker *w, struct plan *p, struct wake *x, struct error *err)
{
    const struct queue_item *q = &p->work->item;
    struct run_row run;
    struct event event;
    struct message m;
    yyjson_val *doc = NULL;
    if (!message_find(w->db, p->arena, q->environment, q->id, &m, err))
        return false;
    struct environment_view *v = directory_environment(w->engine->c.directory, w->db, q->environment, err);
    if (!v)
        return false;
    x->run.organization = v->environment.organization;
    cached_unref(&v->head);
    if (!subscriber_find_by_id(w->db, p->arena, q->environment, m.subscriber, &x->run.person.row, err))
        return false;
    if (run_find(w->db, p->arena, q->environment, q->ref, &run, err)
        && event_find(w->db, p->arena, q->environment, run.event, &event, err)
        && json_parse(p->arena, event.doc, &doc, err))
        x->run.payload = json_get(doc, "payload");
    else if (err->code != ERROR_NOT_FOUND)
        return false;
    *err = (struct error){0};
    return true;
}

void plan_wake(struct worker *w, struct work *work)
{
    struct plan *p = plan_new(w->engine, work);
    struct error err = {0};
    p->wake = ARENA_NEW(p->arena, struct wake);
    if (!wake_load(w, p, p->wake, &err)) {
        due_fail(w->engine, work, p->arena, &err);
        return;
    }
    p->consumes = true;
    plan_submit(p);
}

bool wake_apply(struct plan *p, struct db *db, struct error *err)
{
    const struct queue_item *q = &p->work->item;
    struct wake *x = p->wake;
    return inbox_wake(db, p->arena, q->environment, q->id, q->due_at, clock_now_ms(p->engine->c.clock), &x->message, &x->woke, err);
}

void wake_announce(struct plan *p)
{
    if (p->wake->woke)
        announce_received(p, &p->wake->run, &p->wake->message, STR_NULL);
}
