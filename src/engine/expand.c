/* From an accepted trigger to runs: who gets one, and the cursor of who is still to come. */
#include "engine/plan_private.h"

#include <stdlib.h>

static yyjson_val *plain_object(yyjson_val *v)
{
    return yyjson_is_obj(v) ? v : NULL;
}

/* {payload, overrides, to, actor, tenant, context} as text: stored once, referred to by every run. */
static struct str event_doc(struct arena *a, const struct trigger *t)
{
    const struct { const char *key; yyjson_val *v; } members[] = {
        {"payload", t->payload}, {"overrides", t->overrides}, {"to", t->to},
        {"actor", t->actor}, {"tenant", t->tenant}, {"context", t->context}};
    struct buf b = {.arena = a};
    buf_char(&b, '{');
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (!members[i].v)
            continue;
        buf_fmt(&b, "%s\"%s\":", b.n > 1 ? "," : "", members[i].key);
        buf_str(&b, json_write(a, members[i].v));
    }
    buf_char(&b, '}');
    return buf_finish(&b);
}

static enum severity severity_of(const struct definition *d, yyjson_val *overrides)
{
    enum severity s = d->severity;
    severity_parse(json_get_str(overrides, "severity"), &s);
    return s;
}

static int compare_str(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Sorted "type:id" keys (engine.md §1.6). */
static struct str context_keys(struct arena *a, yyjson_val *context)
{
    struct str keys[5];
    size_t n = 0;
    struct buf b = {.arena = a};
    yyjson_val *k;
    yyjson_obj_iter it = yyjson_obj_iter_with(plain_object(context));
    while (n < 5 && (k = yyjson_obj_iter_next(&it))) {
        yyjson_val *v = yyjson_obj_iter_get_val(k);
        struct str id = yyjson_is_str(v) ? json_str(v) : json_get_str(v, "id"), type = json_str(k);
        keys[n++] = str_fmt(a, "%.*s:%.*s", STR_ARG(type), STR_ARG(id));
    }
    qsort(keys, n, sizeof *keys, compare_str);
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_char(&b, ',');
        buf_str(&b, keys[i]);
    }
    return buf_finish(&b);
}

/* Finds the recipient, or says how they will be stored. */
static bool recipient_load(struct worker *w, struct plan *p, struct planned_run *r, const struct subscriber_patch *patch,
                           int64_t now, struct error *err)
{
    struct error missing = {0};
    struct id environment = p->event.environment;
    r->patch = *patch;
    if (subscriber_find(w->db, p->arena, environment, patch->subscriber_id, &r->subscriber, &missing)) {
        r->upsert = subscriber_patch_changes(patch, &r->subscriber);
    } else if (missing.code == ERROR_NOT_FOUND) {
        r->upsert = true;
        r->subscriber = (struct subscriber){.id = id_new(w->engine->c.ids, now), .environment = environment,
                                            .subscriber_id = patch->subscriber_id, .is_online = -1, .created_at = now};
    } else {
        *err = missing;
        return false;
    }
    if (r->upsert) {
        subscriber_patch_apply(patch, &r->subscriber);
        r->subscriber.updated_at = now;
    }
    return true;
}

/* Plans the runs of recipients [from, from + CHUNK) of the plan's event; what is left becomes a queue item. */
static bool expand(struct worker *w, struct plan *p, struct definition *d, yyjson_val *doc, size_t from, struct error *err)
{
    struct engine *e = w->engine;
    struct subscriber_patch *recipients;
    size_t n = trigger_recipients(p->arena, json_get(doc, "to"), &recipients);
    from = from < n ? from : n;
    size_t until = n - from > CHUNK ? from + CHUNK : n;
    int64_t now = clock_now_ms(e->c.clock);
    yyjson_val *overrides = plain_object(json_get(doc, "overrides"));
    struct str context = context_keys(p->arena, json_get(doc, "context"));
    p->runs = ARENA_ARRAY(p->arena, struct planned_run, until > from ? until - from : 0);
    for (size_t i = from; i < until; i++) {
        struct planned_run *r = &p->runs[p->runs_n];
        struct facts f;
        if (!recipient_load(w, p, r, &recipients[i], now, err))
            return false;
        r->fresh = true;
        r->run = (struct run){.arena = p->arena};
        r->run.row = (struct run_row){
            .id = id_new(e->c.ids, now), .environment = p->event.environment, .event = p->event.id,
            .workflow = d->workflow.id, .workflow_version = d->workflow.version, .subscriber = r->subscriber.id,
            .context = context, .severity = severity_of(d, overrides), .created_at = now, .updated_at = now};
        if (!facts_load(e, w->db, p->arena, &r->run.row, &p->event, doc, d, &r->subscriber, &f, err))
            return false;
        f.machine.now = now;
        machine_start(&r->machine, &r->run, &f.machine);
        effects_complete(p, r, &f);
        facts_release(&f);
        p->runs_n++;
    }
    if (until < n) {
        p->continues = true;
        /* Each chunk has an id of its own: the flight of the one before may not be over when this one is seen. */
        p->rest = (struct queue_item){.due_at = now, .id = run_derived_id(p->event.id, DERIVED_QUEUE, (int)(until / CHUNK)),
                                      .kind = QUEUE_EVENT, .environment = p->event.environment, .ref = p->event.id,
                                      .job = (int)until};
    }
    return true;
}

void plan_trigger(struct worker *w, struct work *work)
{
    struct engine *e = w->engine;
    struct trigger *t = work->trigger;
    struct plan *p = plan_new(e, work);
    struct error err = {0};
    yyjson_val *doc;
    p->insert_event = true;
    p->event = (struct event){
        .id = id_new(e->c.ids, clock_now_ms(e->c.clock)),
        .environment = t->environment,
        .workflow = t->definition->workflow.id,
        .transaction_id = t->transaction_id,
        .request_id = t->request_id,
        .idempotency_hash = t->idempotency_hash,
        .body_hash = t->body_hash,
        .doc = event_doc(p->arena, t),
        .created_at = clock_now_ms(e->c.clock),
    };
    if (!json_parse(p->arena, p->event.doc, &doc, &err) || !expand(w, p, t->definition, doc, 0, &err)) {
        work_fail(e, work, p->arena, &err);
        return;
    }
    plan_submit(p);
}

static bool event_expand(struct worker *w, struct plan *p, struct error *err)
{
    const struct queue_item *q = &p->work->item;
    yyjson_val *doc;
    if (!event_find(w->db, p->arena, q->environment, q->ref, &p->event, err))
        return false;
    struct definition *d = definition_by_id(w->engine->c.definitions, w->db, q->environment, p->event.workflow, err);
    if (!d)
        return false;
    bool ok = json_parse(p->arena, p->event.doc, &doc, err) && expand(w, p, d, doc, (size_t)q->job, err);
    cached_unref(&d->head);
    p->consumes = true;
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
