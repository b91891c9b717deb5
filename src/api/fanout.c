/* How far a big send is, and holding it up: /v1/events/trigger/{transactionId} (beyond.md §9, decisions.md 3). */
#include "api/tables.h"

#include "api/app.h"
#include "model/event.h"
#include "model/fanout.h"
#include "model/run.h"

/* Read-only: the fan-out, or what it amounts to where the accepting commit did it all. */
static bool progress_read(struct db *db, const struct event *e, struct fanout *f, struct error *err)
{
    struct error missing = {0};
    if (fanout_find(db, e->id, f, &missing))
        return true;
    if (missing.code != ERROR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    *f = (struct fanout){.event = e->id, .state = FANOUT_COMPLETED, .created_at = e->created_at, .updated_at = e->created_at};
    if (!run_count_by_event(db, e->environment, e->id, &f->runs, err))
        return false;
    f->total = f->expanded = f->runs;
    return true;
}

/* {transactionId, state, total, expanded, runs, filtered, createdAt, updatedAt}; total null while it is not known. */
static yyjson_mut_val *progress_json(yyjson_mut_doc *d, struct str transaction_id, const struct fanout *f)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_str(d, o, "transactionId", transaction_id);
    json_add_str(d, o, "state", fanout_state_name(f->state));
    if (f->total < 0)
        yyjson_mut_obj_add_null(d, o, "total");
    else
        json_add_int(d, o, "total", f->total);
    json_add_int(d, o, "expanded", f->expanded);
    json_add_int(d, o, "runs", f->runs);
    json_add_int(d, o, "filtered", f->filtered);
    json_add_time(d, o, "createdAt", f->created_at);
    json_add_time(d, o, "updatedAt", f->updated_at);
    return o;
}

static bool event_of(struct request *rq, struct db *db, struct arena *a, struct event *e, struct error *err)
{
    struct str tx = request_param(rq, "transactionId");
    if (event_find_by_transaction(db, a, rq->principal.environment, tx, e, err))
        return true;
    return err->code != ERROR_NOT_FOUND ? false
        : error_set(err, ERROR_NOT_FOUND, "Trigger with transactionId %.*s not found", (int)(tx.n > 256 ? 256 : tx.n), tx.p);
}

static void handle_progress(struct request *rq)
{
    struct event e;
    struct fanout f;
    struct error err = {0};
    if (event_of(rq, app_db(rq), rq->arena, &e, &err) && progress_read(app_db(rq), &e, &f, &err))
        reply_json(rq, 0, progress_json(json_doc(rq->arena), e.transaction_id, &f));
    else
        reply_error(rq, &err);
}

/* --- pause and resume ------------------------------------------------------------------------------------------ */

struct steering {
    struct api_write w;
    bool resume;
    struct id item;                     /* the queue row that a resume makes */
    int64_t now;
    struct fanout fanout;               /* as it is then */
};

static bool steering_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct steering *s = (struct steering *)w;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct event e;
    bool changed;
    if (!event_of(w->rq, db, a, &e, err))
        return false;
    if (s->resume ? !fanout_resume(db, e.id, s->item, s->now, &changed, err) : !fanout_pause(db, e.id, s->now, &changed, err))
        return false;
    if (!progress_read(db, &e, &s->fanout, err))
        return false;
    /* To pause what is paused is fine; what has ended cannot be steered any more. */
    if (s->fanout.state == FANOUT_COMPLETED || s->fanout.state == FANOUT_CANCELED)
        return error_set(err, ERROR_CONFLICT, "The trigger is %s already", fanout_state_name(s->fanout.state).p);
    return true;
}

static void steering_committed(struct api_write *w)
{
    struct steering *s = (struct steering *)w;
    if (s->resume)
        engine_due(app_of(w->rq)->engine, s->now);
}

static void steering_reply(struct api_write *w)
{
    struct steering *s = (struct steering *)w;
    reply_json(w->rq, 0, progress_json(json_doc(w->rq->arena), request_param(w->rq, "transactionId"), &s->fanout));
}

static void steer(struct request *rq, bool resume)
{
    struct steering *s = ARENA_NEW(rq->arena, struct steering);
    s->w.apply = steering_apply;
    s->w.reply = steering_reply;
    s->w.committed = steering_committed;
    s->resume = resume;
    s->item = app_id(rq);
    s->now = app_now(rq);
    api_write(rq, &s->w);
}

static void handle_pause(struct request *rq)
{
    steer(rq, false);
}

static void handle_resume(struct request *rq)
{
    steer(rq, true);
}

const struct route fanout_routes[] = {
    {HTTP_GET, "/v1/events/trigger/{transactionId}", "triggerProgress", "Events", "How far a trigger is", AUTH_ENVIRONMENT,
     "EVENT_WRITE", RATE_TRIGGER, 1, 200, ENVELOPE_DATA, 0, 0, handle_progress},
    {HTTP_POST, "/v1/events/trigger/{transactionId}/pause", "triggerPause", "Events", "Pause the fan-out of a trigger",
     AUTH_ENVIRONMENT, "EVENT_WRITE", RATE_TRIGGER, 1, 200, ENVELOPE_DATA, 0, 0, handle_pause},
    {HTTP_POST, "/v1/events/trigger/{transactionId}/resume", "triggerResume", "Events", "Resume the fan-out of a trigger",
     AUTH_ENVIRONMENT, "EVENT_WRITE", RATE_TRIGGER, 1, 200, ENVELOPE_DATA, 0, 0, handle_resume},
};
const size_t fanout_routes_n = sizeof fanout_routes / sizeof *fanout_routes;
