/* From an accepted trigger to runs: who gets one, and the cursor of who is still to come. */
#include "engine/plan_private.h"

#include <stdlib.h>

/* What all runs of one plan share. */
struct expansion {
    struct worker *worker;
    struct plan *plan;
    struct definition *definition;
    const struct event_parts *parts;
    struct str context;
    enum severity severity;
    int64_t now;
    bool alone;                         /* the event is for one person */
    bool company_known;
    yyjson_val *actor, *tenant;
};

static yyjson_val *plain_object(yyjson_val *v)
{
    return yyjson_is_obj(v) ? v : NULL;
}

static enum severity severity_of(const struct definition *d, yyjson_val *overrides)
{
    enum severity s = d->severity;
    severity_parse(json_get_str(overrides, "severity"), &s);
    return s;
}

/* What the event is about, as runs and messages carry it. Its form was checked before it was accepted. */
static struct str event_context(struct arena *a, yyjson_val *context)
{
    struct context list[CONTEXTS_MAX];
    struct str messages[1];
    size_t n = 0;
    if (context)
        context_read(a, context, list, &n, messages, 1);
    return context_keys(a, list, n);
}

static struct expansion expansion_begin(struct worker *w, struct plan *p, struct definition *d, const struct event_parts *parts)
{
    return (struct expansion){.worker = w, .plan = p, .definition = d, .parts = parts,
                              .context = event_context(p->arena, parts->context),
                              .severity = severity_of(d, plain_object(parts->overrides)),
                              .now = clock_now_ms(w->engine->c.clock)};
}

/* Room for the runs of n people. A planned run is large, and most triggers have one recipient: no more than there are. */
static void runs_begin(struct plan *p, size_t n)
{
    p->runs = ARENA_ARRAY(p->arena, struct planned_run, n);
    p->runs_n = 0;
}

static bool company_once(struct expansion *x, struct facts *f, struct error *err)
{
    if (!x->company_known
        && !company_facts(x->worker, x->plan, &x->plan->event, x->parts, f->environment->environment.organization, &f->machine, err))
        return false;
    if (!x->company_known) {
        x->actor = f->machine.actor;
        x->tenant = f->machine.tenant;
        x->company_known = true;
    }
    f->machine.actor = x->actor;
    f->machine.tenant = x->tenant;
    return true;
}

/* Starts the run of r->person, who may have come through topics (as in struct run). preferences NULL: to be read. */
static bool run_start(struct expansion *x, struct planned_run *r, struct str topics, struct id subscription,
                      const struct preference_rows *preferences, struct error *err)
{
    struct engine *e = x->worker->engine;
    struct plan *p = x->plan;
    struct facts f;
    r->fresh = true;
    r->run = (struct run){.arena = p->arena, .topics = topics, .subscription = subscription};
    r->run.row = (struct run_row){
        .id = x->alone ? p->event.id : id_new(e->c.ids, x->now), .environment = p->event.environment, .event = p->event.id,
        .workflow = x->definition->workflow.id, .workflow_version = x->definition->workflow.version,
        .subscriber = r->person.row.id, .context = x->context, .severity = x->severity, .created_at = x->now,
        .updated_at = x->now};
    if (!facts_load(e, x->worker->db, p->arena, &r->run, &p->event, x->parts, x->definition, &r->person.row, preferences, &f, err))
        return false;
    bool ok = company_once(x, &f, err);
    if (ok) {
        f.machine.now = x->now;
        if (p->watch)
            f.machine.lookups = p->watch->lookups;
        machine_start(&r->machine, &r->run, &f.machine);
        if (p->watch)
            p->watch->stepped(p->watch, r, &f.machine);
        else
            effects_complete(p, r, &f);
        p->runs_n++;
    }
    facts_release(&f);
    return ok;
}

static bool singles_expand(struct expansion *x, const struct recipient *list, size_t n, struct error *err)
{
    static const struct preference_rows none;
    struct plan *p = x->plan;
    runs_begin(p, n);
    for (size_t i = 0; i < n; i++) {
        struct planned_run *r = &p->runs[p->runs_n];
        if (!person_load(x->worker, p, &list[i].patch, p->event.environment, x->now, &r->person, err)
            || !run_start(x, r, STR_NULL, (struct id){{0}}, r->person.no_preferences ? &none : p->no_preferences, err))
            return false;
    }
    return true;
}

/* --- the accepting commit ---------------------------------------------------------------------------------------- */

/* {payload, overrides, to, actor, tenant, context, bridge, controls, hops, broadcast} as text: stored once, referred to by every run. */
static struct str event_doc(struct arena *a, const struct trigger *t, struct str to)
{
    const struct { const char *key; yyjson_val *v; } members[] = {
        {"payload", t->payload}, {"overrides", t->overrides}, {"actor", t->actor}, {"tenant", t->tenant},
        {"context", t->context}, {"bridge", t->bridge}, {"controls", t->controls}};
    struct buf b = {.arena = a};
    buf_char(&b, '{');
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (!members[i].v)
            continue;
        buf_z(&b, b.n > 1 ? ",\"" : "\"");
        buf_z(&b, members[i].key);
        buf_z(&b, "\":");
        buf_str(&b, json_write(a, members[i].v));
    }
    if (to.n) {
        buf_z(&b, b.n > 1 ? ",\"to\":" : "\"to\":");
        buf_str(&b, to);
    }
    if (t->hops)
        buf_fmt(&b, "%s\"hops\":%d", b.n > 1 ? "," : "", t->hops);
    if (t->broadcast)
        buf_z(&b, b.n > 1 ? ",\"broadcast\":true" : "\"broadcast\":true");
    buf_char(&b, '}');
    return buf_finish(&b);
}

static struct str recipients_text(struct arena *a, const struct recipient *list, size_t n)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < n; i++) {
        buf_char(&b, i ? ',' : '[');
        buf_str(&b, json_write(a, list[i].value));
    }
    buf_char(&b, ']');
    return buf_finish(&b);
}

/* Only the topics of a long `to`: its single recipients are kept apart, and no chunk shall read them all. */
static struct str topics_text(struct arena *a, yyjson_val *to)
{
    struct buf b = {.arena = a};
    yyjson_val *v;
    yyjson_arr_iter it = yyjson_arr_iter_with(to);
    while ((v = yyjson_arr_iter_next(&it)))
        if (json_get(v, "topicKey")) {
            buf_char(&b, b.n ? ',' : '[');
            buf_str(&b, json_write(a, v));
        }
    if (!b.n)
        return STR_NULL;
    buf_char(&b, ']');
    return buf_finish(&b);
}

static void continue_with(struct plan *p, int64_t now)
{
    p->continues = true;
    p->rest = (struct queue_item){.due_at = now, .id = id_new(p->engine->c.ids, now), .kind = QUEUE_EVENT,
                                  .environment = p->event.environment, .ref = p->event.id};
}

/* What the first commit does not do: the other single recipients, the topics, or everybody. */
static void fanout_begin(struct plan *p, const struct trigger *t, const struct recipients *all, size_t first, int64_t now)
{
    size_t left = all->singles_n - first;
    if (!left && !all->topics_n && !t->broadcast)
        return;
    p->chunks = ARENA_ARRAY(p->arena, struct str, left / CHUNK + 1);
    for (size_t i = first; i < all->singles_n; i += CHUNK)
        p->chunks[p->chunks_n++] = recipients_text(p->arena, &all->singles[i],
                                                   all->singles_n - i < CHUNK ? all->singles_n - i : CHUNK);
    p->fanout_change = FANOUT_BEGINS;
    p->fanout = (struct fanout){
        .event = p->event.id, .environment = p->event.environment, .state = FANOUT_RUNNING,
        .part = left ? FANOUT_SINGLES : t->broadcast ? FANOUT_EVERYONE : FANOUT_TOPICS, .singles = all->singles_n > 0,
        .total = all->topics_n || t->broadcast ? -1 : (int64_t)all->singles_n, .expanded = (int64_t)first,
        .runs = (int64_t)first, .created_at = now, .updated_at = now};
    continue_with(p, now);
}

enum { PROBLEMS_TOLD = 20 };

/* Nothing is dropped silently (decisions.md 8): who was left out is told by the request's trace. */
static struct trace problems_trace(struct arena *a, const struct recipients *all, int64_t now)
{
    struct buf raw = {.arena = a};
    for (size_t i = 0; i < all->problems_n && i < PROBLEMS_TOLD; i++) {
        buf_z(&raw, i ? "," : "{\"problems\":[");
        json_quote(&raw, all->problems[i]);
    }
    buf_z(&raw, "]}");
    return (struct trace){.type = TRACE_SUBSCRIBER_VALIDATION_FAILED, .status = TRACE_WARNING, .at = now, .raw = buf_finish(&raw),
                          .message = str_fmt(a, "%zu recipient(s) or fields of them were left out", all->problems_n)};
}

enum { TOPICS_TOLD = 20 };

/* A missing topic is no error: the others go on. It is told by the request's trace. */
static bool topics_trace(struct worker *w, struct plan *p, const struct recipients *all, int64_t now, struct trace *list,
                         size_t *n, struct error *err)
{
    struct topic t;
    for (size_t i = 0, told = 0; i < all->topics_n && told < TOPICS_TOLD; i++) {
        struct error missing = {0};
        if (topic_find(w->db, p->arena, p->event.environment, all->topics[i], &t, &missing))
            continue;
        if (missing.code != ERROR_NOT_FOUND) {
            *err = missing;
            return false;
        }
        told++;
        list[(*n)++] = (struct trace){.type = TRACE_TOPIC_NOT_FOUND, .status = TRACE_WARNING, .at = now,
                                      .message = str_fmt(p->arena, "Topic with key %.*s not found", STR_ARG(all->topics[i]))};
    }
    return true;
}

bool trigger_expand(struct worker *w, struct plan *p, const struct trigger *t, int64_t now, struct error *err)
{
    struct recipients all = {.singles = NULL};
    struct trace traces[4 + TOPICS_TOLD];
    size_t traces_n = 0;
    const struct event_parts parts = {t->payload, t->overrides, t->to, t->actor, t->tenant, t->context, t->bridge, t->controls};
    if (!t->broadcast)
        recipients_read(p->arena, t->to, t->strict, &all);
    size_t first = all.singles_n < CHUNK ? all.singles_n : CHUNK;
    struct str to = !t->to || t->broadcast ? STR_NULL
                    : all.singles_n > CHUNK ? topics_text(p->arena, t->to) : json_write(p->arena, t->to);
    p->event.doc = event_doc(p->arena, t, to);
    if (!company_plan(w, p, t, now, err))
        return false;
    if (p->tenant)
        traces[traces_n++] = (struct trace){.type = TRACE_TENANT_COMPLETED, .at = now};
    if (p->actor)
        traces[traces_n++] = (struct trace){.type = TRACE_ACTOR_COMPLETED, .at = now};
    if (all.problems_n)
        traces[traces_n++] = problems_trace(p->arena, &all, now);
    if (p->contexts_n)
        traces[traces_n++] = (struct trace){.type = TRACE_CONTEXT_COMPLETED, .at = now};
    if (!topics_trace(w, p, &all, now, traces, &traces_n, err))
        return false;
    p->event.trace = trace_encode(p->arena, traces, traces_n, now);
    struct expansion x = expansion_begin(w, p, t->definition, &parts);
    fanout_begin(p, t, &all, first, now);
    x.alone = all.singles_n == 1 && p->fanout_change == FANOUT_NONE;
    return singles_expand(&x, all.singles, first, err);
}

enum { REQUEST_AGE_MAX = 2 };           /* seconds; less than SLACK_S of model/run.c */

/* The request's own, if that is of the engine's time: what is old is known by its id. */
static struct id event_id(struct engine *e, const struct trigger *t, int64_t now)
{
    struct id id = id_new(e->c.ids, now);
    int64_t age = id_seconds(id) - id_seconds(t->request);
    return age >= 0 && age <= REQUEST_AGE_MAX ? t->request : id;
}

void plan_trigger(struct worker *w, struct work *work)
{
    struct engine *e = w->engine;
    struct trigger *t = work->trigger;
    struct plan *p = plan_new(e, work);
    struct error err = {0};
    int64_t now = clock_now_ms(e->c.clock);
    p->insert_event = true;
    p->event = (struct event){
        .id = event_id(e, t, now),
        .environment = t->environment,
        .workflow = t->definition->workflow.id,
        .transaction_id = t->transaction_id,
        .request_id = t->request_id,
        .logged = t->logged,
        .idempotency_hash = t->idempotency_hash,
        .body_hash = t->body_hash,
        .created_at = now,
    };
    p->attached = t->attachments_n > 0;
    p->touches = !t->bridge && workflow_touch_due(e, p->event.workflow, now);
    if (trigger_expand(w, p, t, now, &err) && attachments_hold(p, &err))
        plan_submit(p);
    else
        work_fail(e, work, p->arena, &err);
}

/* --- later chunks ------------------------------------------------------------------------------------------------- */

/* The next of the single recipients. *ended: there are no more. */
static bool singles_next(struct expansion *x, bool *ended, struct error *err)
{
    struct plan *p = x->plan;
    struct fanout *f = &p->fanout;
    struct recipients chunk;
    struct error missing = {0};
    struct str text;
    yyjson_val *list;
    if (!fanout_chunk_find(x->worker->db, p->arena, f->event, f->chunk, &text, &missing)) {
        *ended = true;
        return missing.code == ERROR_NOT_FOUND || (*err = missing, false);
    }
    if (!json_parse(p->arena, text, &list, err))
        return false;
    recipients_read(p->arena, list, false, &chunk);
    if (!singles_expand(x, chunk.singles, chunk.singles_n, err))
        return false;
    p->chunk_done = f->chunk++;
    f->expanded += (int64_t)chunk.singles_n;
    *ended = chunk.singles_n < CHUNK || f->expanded == f->total;
    return true;
}

/* The next of everybody who was there when the event was accepted. */
static bool everyone_next(struct expansion *x, bool *ended, struct error *err)
{
    struct plan *p = x->plan;
    struct fanout *f = &p->fanout;
    struct subscriber *list;
    size_t n;
    if (f->total < 0 && !subscriber_count(x->worker->db, f->environment, p->event.created_at, &f->total, err))
        return false;
    if (!subscriber_next(x->worker->db, p->arena, f->environment, f->reached, p->event.created_at, CHUNK, &list, &n, err))
        return false;
    runs_begin(p, n);
    for (size_t i = 0; i < n; i++) {
        struct planned_run *r = &p->runs[p->runs_n];
        r->person = (struct planned_person){.row = list[i]};
        if (!run_start(x, r, STR_NULL, (struct id){{0}}, p->no_preferences, err))
            return false;
        f->reached = list[i].id;
    }
    f->expanded += (int64_t)n;
    *ended = n < CHUNK;
    return true;
}

/* The next of the topics' members. */
static bool topics_next(struct expansion *x, bool *ended, struct error *err)
{
    struct plan *p = x->plan;
    struct member *list;
    size_t n;
    if (!members_next(x->worker, p, x->parts, x->definition->workflow.id, x->context, x->now, &list, &n, ended, err))
        return false;
    runs_begin(p, n);
    p->refusals = ARENA_ARRAY(p->arena, struct planned_refusal, n);
    for (size_t i = 0; i < n; i++) {
        struct planned_run *r = &p->runs[p->runs_n];
        if (!list[i].passes) {
            p->refusals[p->refusals_n++] = (struct planned_refusal){
                .subscriber = list[i].row.id, .evaluations = list[i].topics,
                .workflow_version = x->definition->workflow.version};
            continue;
        }
        r->person = (struct planned_person){.row = list[i].row};
        if (!run_start(x, r, list[i].topics, list[i].subscription, list[i].preferences, err))
            return false;
    }
    return true;
}

static bool part_next(struct expansion *x, bool *ended, struct error *err)
{
    switch (x->plan->fanout.part) {
    case FANOUT_SINGLES: return singles_next(x, ended, err);
    case FANOUT_TOPICS: return topics_next(x, ended, err);
    case FANOUT_EVERYONE: return everyone_next(x, ended, err);
    }
    return error_set(err, ERROR_INTERNAL, "A stored fan-out is damaged");
}

/* Plans one chunk and moves the cursor behind it. */
bool chunk_expand(struct worker *w, struct plan *p, struct definition *d, const struct event_parts *parts, struct error *err)
{
    struct expansion x = expansion_begin(w, p, d, parts);
    struct fanout *f = &p->fanout;
    bool ended = false, last = false, chosen;
    if (!preference_any(w->db, d->workflow.id, &chosen, err))
        return false;
    p->no_preferences = chosen ? NULL : ARENA_NEW(p->arena, struct preference_rows);
    p->part_before = f->part;
    do {
        if (!part_next(&x, &ended, err))
            return false;
        last = ended && (f->part != FANOUT_SINGLES || !parts->to);    /* the topics behind them */
        if (ended && !last)
            f->part = FANOUT_TOPICS;
    } while (ended && !last && !p->runs_n);
    f->runs += (int64_t)p->runs_n;
    f->filtered += (int64_t)p->refusals_n;
    f->updated_at = x.now;
    p->fanout_change = FANOUT_MOVES;
    if (last) {
        f->state = FANOUT_COMPLETED;
        f->total = f->expanded;
    } else {
        continue_with(p, x.now);
    }
    return true;
}

static bool event_expand(struct worker *w, struct plan *p, struct error *err)
{
    const struct queue_item *q = &p->work->item;
    yyjson_val *doc;
    const struct fanout *begins = relay_begins(p->work);
    p->consumes = true;
    if (begins)
        p->fanout = *begins;
    if (!event_find(w->db, p->arena, q->environment, q->ref, &p->event, err)
        || (!begins && !fanout_find(w->db, q->ref, &p->fanout, err)))
        return false;
    if (p->fanout.state != FANOUT_RUNNING)
        return true;                    /* stopped since the item was read: it is not in the store any more */
    if (!json_parse(p->arena, p->event.doc, &doc, err))
        return false;
    const struct event_parts parts = event_parts_of(doc);
    struct definition *d = parts.bridge ? definition_brought(w->engine->c.definitions, q->environment, p->event.workflow, parts.bridge, err)
                                  : definition_by_id(w->engine->c.definitions, w->db, q->environment, p->event.workflow, err);
    if (!d)
        return false;
    p->attached = attachments_named(&parts);
    bool ok = chunk_expand(w, p, d, &parts, err);
    cached_unref(&d->head);
    return ok;
}

void plan_expand(struct worker *w, struct work *work)
{
    struct plan *p = plan_new(w->engine, work);
    struct error err = {0};
    if (event_expand(w, p, &err))
        plan_submit(p);
    else
        due_fail(w->engine, work, p->arena, &err);
}
