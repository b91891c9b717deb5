/* In-app messages that sockets hear of without a run that steps: a snoozed one whose time has come (inbox-realtime.md §2.6),
 * which is written as new, and one that another process has stored. */
#include "engine/plan_private.h"

#include <stdlib.h>

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
    yyjson_val *doc = NULL;
    if (!message_find(w->db, p->arena, q->environment, q->id, &x->message, err))
        return false;
    struct environment_view *v = directory_environment(w->engine->c.directory, w->db, q->environment, err);
    if (!v)
        return false;
    x->run.organization = v->environment.organization;
    cached_unref(&v->head);
    if (!subscriber_find_by_id(w->db, p->arena, q->environment, x->message.subscriber, &x->run.person.row, err))
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
    return inbox_wake(db, p->arena, q->environment, q->id, q->due_at, clock_now_ms(p->engine->c.clock), &x->message, &x->woke, err)
        && (!x->woke || received_publish(p->engine, db, &x->message, err));
}

void wake_announce(struct plan *p)
{
    if (p->wake->woke)
        announce_received(p, &p->wake->run, &p->wake->message, STR_NULL);
}

/* --- words between processes ---------------------------------------------------------------------------------------- */

/* "<process> <environment> <message> <run>" */
bool received_publish(struct engine *e, struct db *db, const struct message *m, struct error *err)
{
    const struct id ids[] = {e->boot, m->environment, m->id, m->run};
    char word[4 * (ID_HEX + 1) + 1];
    if (db_kind_of(db) != DB_POSTGRES)
        return true;
    for (size_t i = 0; i < 4; i++) {
        id_hex(ids[i], word + i * (ID_HEX + 1));
        word[(i + 1) * (ID_HEX + 1) - 1] = ' ';
    }
    return notify_publish(db, NOTIFY_RECEIVED, (struct str){word, 4 * (ID_HEX + 1) - 1}, err);
}

/* What was said while nobody listened is gone, as it is for sockets that were not connected then. */
void received_heard(void *engine, struct str word)
{
    struct engine *e = engine;
    struct id ids[4];
    if (word.n != 4 * (ID_HEX + 1) - 1)
        return;
    for (size_t i = 0; i < 4; i++)
        if (!id_parse(str_sub(word, i * (ID_HEX + 1), i * (ID_HEX + 1) + ID_HEX), &ids[i]))
            return;
    if (id_eq(ids[0], e->boot) || !somebody_listens(e) || atomic_load(&e->stop))
        return;
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->kind = WORK_HEARD;
    w->item = (struct queue_item){.environment = ids[1], .id = ids[2], .ref = ids[3]};
    atomic_fetch_add(&e->busy, 1);
    work_push(e, w, ids[3]);
}

void plan_heard(struct worker *w, struct work *work)
{
    struct plan *p = plan_new(w->engine, work);
    struct wake *x = ARENA_NEW(p->arena, struct wake);
    struct error err = {0};
    if (wake_load(w, p, x, &err))           /* else it is gone already, or the store is: clients ask again themselves */
        announce_received(p, &x->run, &x->message, STR_NULL);
    arena_pool_give(w->engine->plan_arenas, p->arena);
    work_end(w->engine, work);
}
