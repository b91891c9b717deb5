/* One attempt of an HTTP request that is a step: hands it to the world, and brings back what was answered. */
#include "engine/engine_private.h"

#include <stdlib.h>

#include "model/event.h"

/* The request as the run keeps it. false with err empty: the job does not wait for it any more. */
static bool call_read(struct engine_call *c, const struct run *r, struct error *err)
{
    const struct queue_item *q = &c->item;
    yyjson_val *doc;
    if (q->job >= r->jobs_n || !r->jobs[q->job].call.n || r->jobs[q->job].status != JOB_RUNNING)
        return false;
    if (!json_parse(c->arena, r->jobs[q->job].call, &doc, err))
        return false;
    c->bridge = str_eqz(json_get_str(doc, "kind"), "bridge");
    c->filter = str_eqz(json_get_str(doc, "kind"), "filter");
    c->method = json_get_str(doc, "method");
    c->url = json_get_str(doc, "url");
    c->body = json_get_str(doc, "body");
    c->headers = json_get(doc, "headers");
    c->timeout_ms = (int)json_get_int(doc, "timeout", 5000);
    return true;
}

/* false: the store failed. An event that is gone counts as one without hops. */
static bool hops_read(struct worker *w, struct engine_call *c, struct id event, struct error *err)
{
    struct event e;
    struct error missing = {0};
    yyjson_val *doc = NULL;
    c->hops = 1;
    if (!event_find(w->db, c->arena, c->item.environment, event, &e, &missing))
        return missing.code == ERROR_NOT_FOUND || (*err = missing, false);
    json_parse(c->arena, e.doc, &doc, NULL);
    if (clock_now_ms(w->engine->c.clock) - e.created_at < HOP_MS)
        c->hops += (int)json_get_int(doc, "hops", 0);
    return true;
}

enum loaded { LOADED, LOAD_FAILED, ITEM_GONE, RUN_GONE, NOT_WAITING };

static enum loaded call_load(struct worker *w, struct engine_call *c, struct error *err)
{
    struct run_row row;
    struct run run;
    bool exists;
    if (!queue_exists(w->db, c->item.due_at, c->item.id, &exists, err))
        return LOAD_FAILED;
    if (!exists)
        return ITEM_GONE;
    struct environment_view *v = directory_environment(w->engine->c.directory, w->db, c->item.environment, err);
    if (v) {
        c->environment_name = str_dup(c->arena, v->environment.name);
        c->secret = str_dup(c->arena, v->secret);
        cached_unref(&v->head);
    }
    if (!v || !run_find(w->db, c->arena, c->item.environment, c->item.ref, &row, err))
        return err->code == ERROR_NOT_FOUND ? RUN_GONE : LOAD_FAILED;
    if (!run_decode(&row, c->arena, &run, err) || !hops_read(w, c, row.event, err))
        return LOAD_FAILED;
    if (call_read(c, &run, err))
        return LOADED;
    return err->code ? LOAD_FAILED : NOT_WAITING;
}

void attempt_call(struct worker *w, struct work *work)
{
    struct engine *e = w->engine;
    struct arena *a = arena_create(8192);
    struct engine_call *c = ARENA_NEW(a, struct engine_call);
    struct error err = {0};
    *c = (struct engine_call){.arena = a, .engine = e, .item = work->item, .attempt = work->item.attempt,
                              .environment = work->item.environment};
    switch (call_load(w, c, &err)) {
    case LOADED:
        if (!attempt_leave(e))
            break;
        free(work);             /* the item lives on in c; busy stays counted until its result is committed */
        c->started_ns = clock_mono_ns();
        if (e->c.world.call)
            e->c.world.call(e->c.world.app, c);
        else
            engine_called(c, &(struct call_answer){.end = CALL_REFUSED, .error = STR("HTTP requests are switched off")});
        return;
    case ITEM_GONE:
        break;
    case LOAD_FAILED:
        arena_destroy(a);
        work_retry(e, work, &err);
        return;
    case RUN_GONE:
        arena_destroy(a);
        work_discard(e, work, &err);
        return;
    case NOT_WAITING:           /* canceled meanwhile: an input that changes nothing takes the item */
        arena_destroy(a);
        work->input = (struct machine_input){.kind = INPUT_CALL, .job = work->item.job, .attempt = work->item.attempt};
        plan_delivered(w, work);
        return;
    }
    arena_destroy(a);
    work_end(e, work);
}

void engine_called(struct engine_call *c, const struct call_answer *answer)
{
    struct engine *e = c->engine;
    struct arena *a = c->arena;         /* c and, mostly, the texts of answer live in it */
    if (!attempt_come_back(e)) {
        arena_destroy(a);
        return;
    }
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->kind = WORK_DELIVERED;
    w->item = c->item;
    w->arena = arena_create(0);
    w->input = (struct machine_input){.kind = INPUT_CALL, .job = c->item.job, .attempt = c->item.attempt, .call = *answer};
    w->input.call.headers = str_dup(w->arena, answer->headers);
    w->input.call.body = str_dup(w->arena, answer->body);
    w->input.call.error = str_dup(w->arena, answer->error);
    w->input.call.code = str_dup(w->arena, answer->code);
    w->input.call.took_ms = (clock_mono_ns() - c->started_ns) / 1000000;
    arena_destroy(a);
    work_push(e, w, w->item.ref);
}
