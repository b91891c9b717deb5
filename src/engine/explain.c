/* The engine with its effects recorded. */
#include "engine/explain.h"

#include "content/jsonlogic.h"
#include "engine/decisions.h"
#include "engine/dry.h"
#include "engine/machine_private.h"
#include "engine/plan_private.h"
#include "engine/render.h"

/* What is known of a step only while its facts are there. */
struct step_note {
    struct str condition;               /* values that a condition saw when it said no */
    struct str preference;              /* {channel, layer, row}: what switched the channel off */
    struct str integration;             /* {providerId, …} that was chosen at last */
    struct str request;                 /* the HTTP request of the step */
};

struct explained {
    struct planned_run planned;
    struct str topics;
    struct step_note *notes;            /* by job */
    int steps;                          /* inputs that it took */
    bool cut;                           /* more would follow, EXPLAIN_STEPS_MAX */
};

/* One explanation under way. The watch is first: planning knows only it. */
struct explaining {
    struct plan_watch watch;
    const struct explain_request *q;
    struct engine shadow;               /* of the engine: its settings, but a clock and ids of our own; no threads */
    struct worker worker;
    struct clock clock;
    struct id_source ids;
    struct work work;
    struct plan plan;
    struct machine_lookups store;
    struct dry dry;
    struct arena *arena;
    struct event_parts parts;           /* the event's */
    struct explained *runs;             /* room for q->people */
    size_t runs_n;
    struct planned_refusal *refusals;
    size_t refusals_n, refusals_cap;
    bool duplicate;                     /* the transactionId was used before */
    struct error err;
};

/* --- what is assumed ---------------------------------------------------------------------------------------------- */

static bool time_or_true(yyjson_val *v)
{
    int64_t ms;
    return yyjson_is_bool(v) || (yyjson_is_str(v) && time_parse_iso(json_str(v), &ms));
}

static bool read_is_valid(yyjson_val *v)
{
    yyjson_val *seen = json_get(v, "seen"), *read = json_get(v, "read");
    if (!yyjson_is_obj(v))
        return time_or_true(v);
    return (!seen || time_or_true(seen)) && (!read || time_or_true(read));
}

static bool verdict_parse(yyjson_val *v, enum delivery_verdict *out)
{
    static const struct { const char *name; enum delivery_verdict verdict; } names[] = {
        {"sent", VERDICT_SENT}, {"retry", VERDICT_RETRY}, {"failed", VERDICT_FAILED}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eqz(json_str(v), names[i].name)) {
            *out = names[i].verdict;
            return true;
        }
    return false;
}

static bool delivery_is_valid(yyjson_val *v)
{
    enum delivery_verdict x;
    yyjson_val *one;
    yyjson_arr_iter it = yyjson_arr_iter_with(v);
    if (!yyjson_is_arr(v))
        return verdict_parse(v, &x);
    while ((one = yyjson_arr_iter_next(&it)))
        if (!verdict_parse(one, &x))
            return false;
    return yyjson_arr_size(v) > 0;
}

static bool call_is_valid(yyjson_val *v)
{
    int64_t status = json_get_int(v, "status", 0);
    return str_eqz(json_str(v), "unreachable") || str_eqz(json_str(v), "timeout") || (status >= 100 && status <= 599);
}

static const struct step_definition *step_named(const struct definition *d, struct str id)
{
    for (int i = 0; i < d->steps_n; i++)
        if (str_eq(d->steps[i].step_id, id))
            return &d->steps[i];
    return NULL;
}

size_t explain_assume_check(struct arena *a, yyjson_val *assume, const struct definition *d, struct str *messages, size_t max)
{
    static const struct { const char *name, *says; bool (*valid)(yyjson_val *v); } kinds[] = {
        {"reads", "true, a date, or an object of seen and read", read_is_valid},
        {"deliveries", "sent, retry, failed, or a non-empty array of those", delivery_is_valid},
        {"calls", "unreachable, timeout, or an object with a status from 100 to 599", call_is_valid}};
    size_t n = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        yyjson_val *list = json_get(assume, kinds[i].name), *key;
        if (list && !yyjson_is_obj(list) && n < max)
            messages[n++] = str_fmt(a, "assume.%s must be an object", kinds[i].name);
        yyjson_obj_iter it = yyjson_obj_iter_with(list);
        while ((key = yyjson_obj_iter_next(&it)) && n < max) {
            struct str id = json_str(key);
            int shown = (int)(id.n > 128 ? 128 : id.n);
            if (!step_named(d, id))
                messages[n++] = str_fmt(a, "assume.%s.%.*s is not a step of the workflow", kinds[i].name, shown, id.p);
            else if (!kinds[i].valid(yyjson_obj_iter_get_val(key)))
                messages[n++] = str_fmt(a, "assume.%s.%.*s must be %s", kinds[i].name, shown, id.p, kinds[i].says);
        }
    }
    return n;
}

static struct str step_id_of(const struct explaining *x, const struct run *r, int job)
{
    return x->q->trigger->definition->steps[r->jobs[job].step].step_id;
}

static yyjson_val *assumed(const struct explaining *x, const char *kind, const struct run *r, int job)
{
    return json_getn(json_get(x->q->assume, kind), step_id_of(x, r, job));
}

/* 0: not yet, or never. */
static int64_t mark_at(yyjson_val *v, int64_t created, int64_t now)
{
    int64_t at = created;
    if (!v || yyjson_is_false(v) || (yyjson_is_str(v) && !time_parse_iso(json_str(v), &at)))
        return 0;
    if (at < created)
        at = created;
    return at <= now ? at : 0;
}

/* A read message is seen, too. */
static void message_mark_assumed(struct message *m, yyjson_val *v, int64_t now)
{
    bool both = yyjson_is_obj(v);
    int64_t read = mark_at(both ? json_get(v, "read") : v, m->created_at, now);
    int64_t seen = mark_at(both ? json_get(v, "seen") : v, m->created_at, now);
    if (read && (!seen || read < seen))
        seen = read;
    m->read = read > 0;
    m->seen = seen > 0;
    m->last_read_at = read;
    m->first_seen_at = m->last_seen_at = seen;
}

static void messages_load(const struct explaining *x, const struct run *r, struct machine_facts *f)
{
    struct message *list = ARENA_ARRAY(x->arena, struct message, x->dry.messages_n);
    f->messages = list;
    f->messages_n = 0;
    for (size_t i = 0; i < x->dry.messages_n; i++) {
        struct message *m = &list[f->messages_n];
        if (!id_eq(x->dry.messages[i].run, r->row.id))
            continue;
        *m = x->dry.messages[i];
        for (int job = 1; job < r->jobs_n; job++)
            if (r->jobs[job].type == STEP_IN_APP && id_eq(m->id, run_message_id(r, job, 0)))
                message_mark_assumed(m, assumed(x, "reads", r, job), f->now);
        f->messages_n++;
    }
}

/* As attempt.c decides before it calls the provider, then as assumed. */
static struct machine_input delivery_input(const struct explaining *x, const struct run *r, const struct machine_facts *f,
                                           const struct queue_item *q)
{
    struct machine_input in = {.kind = INPUT_DELIVERY, .job = q->job, .target = q->target, .attempt = q->attempt};
    const struct integration *i = integration_by_id(f, r->targets[q->target].integration);
    yyjson_val *v = assumed(x, "deliveries", r, q->job);
    if (!i || !i->active) {
        in.verdict = VERDICT_FAILED;
        in.error = detail_text(DETAIL_PROVIDER_MISSING);
        return in;
    }
    int64_t until = circuit_open_until(x->shadow.circuits, i->id, f->now);
    if (until > f->now) {
        in.verdict = VERDICT_BLOCKED;
        in.integration = i->id;
        in.retry_after_ms = until - f->now;
        in.error = STR("The circuit of the integration is open");
        return in;
    }
    if (yyjson_is_arr(v)) {
        size_t n = yyjson_arr_size(v), at = (size_t)q->attempt - 1;
        v = yyjson_arr_get(v, at < n ? at : n - 1);
    }
    if (!verdict_parse(v, &in.verdict))
        in.verdict = VERDICT_SENT;
    if (in.verdict == VERDICT_SENT)
        in.provider_message_id = STR("assumed");
    else
        in.error = STR("Assumed to fail");
    return in;
}

static struct machine_input call_input(const struct explaining *x, const struct run *r, const struct queue_item *q)
{
    struct machine_input in = {.kind = INPUT_CALL, .job = q->job, .attempt = q->attempt};
    yyjson_val *v = assumed(x, "calls", r, q->job), *body = json_get(v, "body");
    if (!x->shadow.c.world.call) {
        in.call = (struct call_answer){.end = CALL_REFUSED, .error = STR("HTTP requests are switched off")};
        return in;
    }
    in.call = (struct call_answer){.end = CALL_ANSWERED, .status = (int)json_get_int(v, "status", 200),
                                   .headers = STR("{\"content-type\":\"application/json\"}"),
                                   .body = body ? json_write(x->arena, body) : STR("{}")};
    if (str_eqz(json_str(v), "unreachable"))
        in.call = (struct call_answer){.end = CALL_UNREACHABLE, .error = STR("Assumed to be unreachable"), .code = STR("ECONNREFUSED")};
    else if (str_eqz(json_str(v), "timeout"))
        in.call = (struct call_answer){.end = CALL_TIMED_OUT, .error = STR("Assumed to time out"), .code = STR("ETIMEDOUT")};
    else if (in.call.status < 200 || in.call.status > 299)
        in.call.error = str_fmt(x->arena, "Response code %d", in.call.status);
    return in;
}

/* --- while the facts are there ------------------------------------------------------------------------------------- */

static void put_choices(yyjson_mut_doc *d, yyjson_mut_val *o, const struct preference *p)
{
    yyjson_mut_val *row = json_add_obj(d, o, "row");
    if (p->enabled != CHOICE_UNSET)
        json_add_bool(d, row, "enabled", p->enabled == CHOICE_ON);
    yyjson_mut_val *channels = json_add_obj(d, row, "channels");
    for (int c = 0; c < CHANNELS; c++)
        if (p->channel[c] != CHOICE_UNSET)
            json_add_bool(d, channels, channel_name((enum channel)c).p, p->channel[c] == CHOICE_ON);
    if (p->context.n)
        json_add_str(d, row, "context", p->context);
    if (p->updated_at)
        json_add_time(d, row, "updatedAt", p->updated_at);
}

/* Which layer, and which of its rows, had the last word about the channel. */
static struct str preference_note(const struct machine *m, int job)
{
    static const char *const layers[] = {"workflow", "workflowUser", "tenant", "subscriberGlobal", "subscriberWorkflow", "subscription"};
    const struct machine_facts *f = m->facts;
    enum channel c = (enum channel)m->run->jobs[job].type;
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    struct preference_result p = machine_preferences(m);
    json_add_str(d, o, "channel", channel_name(c));
    json_add_str(d, o, "layer", str_of(layers[p.by[c]]));
    if (p.by[c] == SOURCE_SUBSCRIBER_GLOBAL)
        put_choices(d, o, &f->preferences->global);
    else if (p.by[c] == SOURCE_SUBSCRIBER_WORKFLOW)
        put_choices(d, o, &f->preferences->workflow);
    else if (p.by[c] == SOURCE_SUBSCRIPTION)
        put_choices(d, o, &f->preferences->subscription);
    return json_write_mut(m->run->arena, o);
}

static void step_notes(struct machine *m, int job, struct step_note *note)
{
    const struct run_job *j = &m->run->jobs[job];
    const struct step_definition *s = machine_step(m, job);
    struct error err = {0};
    bool run_it;
    if (j->skip == SKIP_PREFERENCE && !note->preference.n)
        note->preference = preference_note(m, job);
    if (j->skip == SKIP_CONDITION && !note->condition.n && s && !jsonlogic_is_empty(s->skip))
        render_condition_seen(m, job, s, &run_it, &note->condition, &err);
    if (j->call.n)
        note->request = j->call;
    for (int i = 0; i < m->run->log_n; i++) {
        const struct run_log *l = &m->run->log[i];
        if (l->job == job && (l->detail == DETAIL_PROVIDER_SELECTED || l->detail == DETAIL_FAILING_OVER))
            note->integration = l->raw;
    }
}

/* After each step of the machine: notes, and the commit. */
static void run_stepped(struct explaining *x, struct explained *r, struct machine *m, const struct queue_item *consumed)
{
    struct str payload = m->facts->payload ? json_write(x->arena, m->facts->payload) : STR_NULL;
    for (int job = 1; job < m->run->jobs_n; job++)
        step_notes(m, job, &r->notes[job]);
    if (m->err.code != ERROR_NONE)
        x->err = m->err;
    else if (!dry_commit(&x->dry, m, payload, consumed))
        error_set(&x->err, ERROR_INTERNAL, "A step was refused although nobody else was there");
}

static bool is_known(const struct explaining *x, struct id subscriber)
{
    for (size_t i = 0; i < x->runs_n; i++)
        if (id_eq(x->runs[i].planned.run.row.subscriber, subscriber))
            return true;
    return false;
}

/* A run has started. Those beyond the limit, and topic members that were addressed singly before, are left as they are. */
static void run_started(struct plan_watch *w, struct planned_run *p, const struct machine_facts *f)
{
    struct explaining *x = (struct explaining *)w;
    (void)f;
    if (x->runs_n == (size_t)x->q->people || x->err.code != ERROR_NONE || is_known(x, p->run.row.subscriber))
        return;
    struct explained *r = &x->runs[x->runs_n++];
    *r = (struct explained){.planned = *p, .topics = p->run.topics,
                            .notes = ARENA_ARRAY(x->arena, struct step_note, p->run.jobs_n)};
    r->planned.machine.run = &r->planned.run;
    run_stepped(x, r, &r->planned.machine, NULL);
}

/* --- time passes ----------------------------------------------------------------------------------------------------- */

static bool run_advance(struct explaining *x, const struct queue_item *q, struct error *err)
{
    struct explained *r = &x->runs[dry_run_of(&x->dry, q->ref)];
    struct plan *p = &x->plan;
    struct run *run = &r->planned.run;
    struct facts f;
    const struct run_row row = x->dry.runs[dry_run_of(&x->dry, q->ref)];
    if (!run_decode(&row, x->arena, run, err)
        || !facts_load(&x->shadow, x->worker.db, x->arena, run, &p->event, &x->parts, x->q->trigger->definition,
                       &r->planned.person.row, NULL, &f, err))
        return false;
    bool ok = company_facts(&x->worker, p, &p->event, &x->parts, f.environment->environment.organization, &f.machine, err);
    if (ok) {
        f.machine.lookups = &x->dry.shares.lookups;
        messages_load(x, run, &f.machine);
        struct machine_input in = {.kind = INPUT_TIMER, .job = q->job, .attempt = q->attempt};
        if (q->kind == QUEUE_DELIVERY)
            in = delivery_input(x, run, &f.machine, q);
        else if (q->kind == QUEUE_CALL)
            in = call_input(x, run, q);
        machine_advance(&r->planned.machine, run, &f.machine, &in);
        run_stepped(x, r, &r->planned.machine, q);
        if (x->err.code != ERROR_NONE) {
            *err = x->err;
            ok = false;
        }
    }
    facts_release(&f);
    return ok;
}

/* A run that never ends is cut: what it still waits for is forgotten. */
static void run_cut(struct explaining *x, struct explained *r)
{
    r->cut = true;
    for (size_t i = x->dry.queue_n; i-- > 0;)
        if (id_eq(x->dry.queue[i].ref, r->planned.run.row.id))
            dry_unqueue(&x->dry, x->dry.queue[i].id);
}

static bool time_pass(struct explaining *x, struct error *err)
{
    const int64_t give_up = clock_mono_ns() + EXPLAIN_MS_MAX * INT64_C(1000000);
    const struct queue_item *next;
    while ((next = dry_next(&x->dry, x->q->until))) {
        struct queue_item q = *next;
        struct explained *r = &x->runs[dry_run_of(&x->dry, q.ref)];
        if (r->steps++ == EXPLAIN_STEPS_MAX || clock_mono_ns() > give_up) {
            run_cut(x, r);
            continue;
        }
        clock_set(&x->clock, q.due_at);
        if (!run_advance(x, &q, err))
            return false;
    }
    return true;
}

/* --- who ----------------------------------------------------------------------------------------------------------- */

static bool nobody_listens(void *app)
{
    (void)app;
    return false;
}

static void explaining_begin(struct explaining *x, struct engine *e, struct db *db, struct arena *a, const struct explain_request *q)
{
    struct trigger *t = q->trigger;
    *x = (struct explaining){.q = q, .arena = a, .clock = {.is_virtual = true}, .worker = {.db = db},
                             .work = {.kind = WORK_TRIGGER, .trigger = t}, .store = lookups_of(db)};
    clock_set(&x->clock, q->at);
    id_source_init(&x->ids);
    x->shadow.c = e->c;
    x->shadow.c.clock = &x->clock;
    x->shadow.c.ids = &x->ids;
    x->shadow.c.world = (struct engine_world){.listening = nobody_listens, .call = e->c.world.call};
    x->shadow.circuits = e->circuits;
    x->worker.engine = &x->shadow;
    dry_init(&x->dry, a, &x->store, q->at);
    x->watch = (struct plan_watch){.lookups = &x->dry.shares.lookups, .stepped = run_started};
    x->runs = ARENA_ARRAY(a, struct explained, q->people);
    x->plan = (struct plan){
        .engine = &x->shadow, .arena = a, .work = &x->work, .watch = &x->watch, .insert_event = true, .chunk_done = -1,
        .event = {.id = id_new(&x->ids, q->at), .environment = t->environment, .workflow = t->definition->workflow.id,
                  .transaction_id = t->transaction_id, .request_id = t->request_id, .created_at = q->at}};
}

static void refusals_keep(struct explaining *x)
{
    for (size_t i = 0; i < x->plan.refusals_n && x->refusals_n < (size_t)x->q->people; i++)
        *ARENA_SLOT(x->arena, x->refusals, x->refusals_n, x->refusals_cap) = x->plan.refusals[i];
}

/* Topics and everybody: chunk by chunk, as behind the accepting commit, until there are people enough. */
static bool people_expand(struct explaining *x, struct error *err)
{
    struct plan *p = &x->plan;
    yyjson_val *doc;
    if (!trigger_expand(&x->worker, p, x->q->trigger, x->q->at, err) || !json_parse(x->arena, p->event.doc, &doc, err))
        return false;
    x->parts = event_parts_of(doc);
    for (int chunk = 0; chunk < EXPLAIN_CHUNKS_MAX && p->fanout_change != FANOUT_NONE && p->fanout.part != FANOUT_SINGLES
         && p->fanout.state == FANOUT_RUNNING && x->runs_n < (size_t)x->q->people; chunk++) {
        p->runs_n = p->refusals_n = 0;
        if (!chunk_expand(&x->worker, p, x->q->trigger->definition, &x->parts, err))
            return false;
        refusals_keep(x);
    }
    if (x->err.code != ERROR_NONE)
        *err = x->err;
    return x->err.code == ERROR_NONE;
}

/* --- telling --------------------------------------------------------------------------------------------------------- */

static void put_content(const struct explaining *x, yyjson_mut_doc *d, yyjson_mut_val *o, const struct run *r, int job)
{
    yyjson_mut_val *list = NULL;
    for (int n = 0; n < RUN_MESSAGES_MAX; n++)
        for (size_t i = 0; i < x->dry.messages_n; i++) {
            const struct message *m = &x->dry.messages[i];
            if (!id_eq(m->id, run_message_id(r, job, n)))
                continue;
            if (!list)
                list = json_add_arr(d, o, "messages");
            yyjson_mut_val *one = yyjson_mut_arr_add_obj(d, list);
            json_add_str(d, one, "channel", channel_name(m->channel));
            json_add_str(d, one, "status", message_status_name(m->status));
            json_add_time(d, one, "createdAt", m->created_at);
            json_add_text(d, one, "content", m->doc);
        }
}

static void put_details(yyjson_mut_doc *d, yyjson_mut_val *o, struct run *r, int job)
{
    yyjson_mut_val *list = json_add_arr(d, o, "details");
    for (int i = 0; i < r->log_n; i++) {
        const struct run_log *l = &r->log[i];
        if (l->job != job)
            continue;
        yyjson_mut_val *one = yyjson_mut_arr_add_obj(d, list);
        json_add_time(d, one, "at", l->at);
        json_add_str(d, one, "status", detail_status_name(l->status));
        json_add_str(d, one, "detail", run_log_text(r, l));
        json_add_text(d, one, "raw", run_log_raw(r, i));
    }
}

static void put_step(const struct explaining *x, yyjson_mut_doc *d, yyjson_mut_val *list, struct explained *e, int job)
{
    struct run *r = &e->planned.run;
    const struct run_job *j = &r->jobs[job];
    const struct step_definition *s = &x->q->trigger->definition->steps[j->step];
    const struct step_note *note = &e->notes[job];
    const struct decided decided = run_decided(r, job);
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list), *rule;
    json_add_str(d, o, "stepId", s->step_id);
    json_add_str(d, o, "name", s->name);
    json_add_str(d, o, "type", step_type_name(j->type));
    json_add_str(d, o, "status", job_status_name(j->status));
    decided_put(d, o, r, &decided, s);
    if ((rule = yyjson_mut_obj_get(o, "rule"))) {
        if (note->condition.n)
            json_add_text(d, rule, "evaluatedValues", note->condition);
        if (note->preference.n)
            json_add_text(d, rule, "preference", note->preference);
    }
    if (j->due_at)
        json_add_time(d, o, "dueAt", j->due_at);
    if (j->error.n)
        json_add_str(d, o, "error", j->error);
    if (!id_is_zero(j->merged_run))
        json_add_id(d, o, "mergedInto", j->merged_run);
    json_add_text(d, o, "integration", note->integration);
    json_add_text(d, o, "request", note->request);
    json_add_text(d, o, "output", j->output);
    put_content(x, d, o, r, job);
    put_details(d, o, r, job);
}

static void put_run(const struct explaining *x, yyjson_mut_doc *d, yyjson_mut_val *list, struct explained *e)
{
    struct run *r = &e->planned.run;
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
    json_add_str(d, o, "subscriberId", e->planned.person.row.subscriber_id);
    json_add_bool(d, o, "isNew", e->planned.person.upsert && e->planned.person.row.created_at == x->q->at);
    json_add_text(d, o, "topics", e->topics);
    json_add_str(d, o, "status", run_status_name(r->row.status));
    json_add_str(d, o, "deliveryLifecycleStatus", lifecycle_name(r->row.delivery));
    if (r->lifecycle_detail)
        json_add_str(d, o, "deliveryLifecycleDetail", skip_reason_name(r->lifecycle_detail));
    if (e->cut)
        json_add_bool(d, o, "isCut", true);
    yyjson_mut_val *steps = json_add_arr(d, o, "steps");
    for (int job = 1; job < r->jobs_n; job++)
        put_step(x, d, steps, e, job);
}

/* Whom it reaches, and how many of them are told about. */
static void put_recipients(const struct explaining *x, yyjson_mut_doc *d, yyjson_mut_val *o)
{
    const struct trigger *t = x->q->trigger;
    const struct fanout *f = &x->plan.fanout;
    struct recipients all = {.singles = NULL};
    yyjson_mut_val *r = json_add_obj(d, o, "recipients");
    if (!t->broadcast)
        recipients_read(x->arena, t->to, t->strict, &all);
    bool fans_out = x->plan.fanout_change != FANOUT_NONE;
    if (!fans_out || f->total >= 0)
        json_add_int(d, r, "total", fans_out ? f->total : (int64_t)all.singles_n);
    else
        yyjson_mut_obj_add_null(d, r, "total");
    json_add_int(d, r, "examined", fans_out ? f->expanded : (int64_t)all.singles_n);
    json_add_int(d, r, "explained", (int64_t)x->runs_n);
    json_add_int(d, r, "limit", x->q->people);
    yyjson_mut_val *problems = json_add_arr(d, r, "problems");
    for (size_t i = 0; i < all.problems_n && i < EXPLAIN_PEOPLE_MAX; i++)
        yyjson_mut_arr_append(problems, json_mut_str(d, all.problems[i]));
}

static bool put_refusals(const struct explaining *x, yyjson_mut_doc *d, yyjson_mut_val *o, struct error *err)
{
    yyjson_mut_val *list = json_add_arr(d, o, "filtered");
    for (size_t i = 0; i < x->refusals_n; i++) {
        struct subscriber s;
        if (!subscriber_find_by_id(x->worker.db, x->arena, x->q->trigger->environment, x->refusals[i].subscriber, &s, err))
            return false;
        yyjson_mut_val *one = yyjson_mut_arr_add_obj(d, list);
        json_add_str(d, one, "subscriberId", s.subscriber_id);
        json_add_text(d, one, "topics", x->refusals[i].evaluations);
    }
    return true;
}

static bool explanation_put(struct explaining *x, yyjson_mut_doc *d, yyjson_mut_val *o, struct error *err)
{
    const struct definition *w = x->q->trigger->definition;
    json_add_time(d, o, "at", x->q->at);
    yyjson_mut_val *workflow = json_add_obj(d, o, "workflow");
    json_add_id(d, workflow, "_id", w->workflow.id);
    json_add_str(d, workflow, "workflowId", w->workflow.identifier);
    json_add_int(d, workflow, "version", w->workflow.version);
    json_add_bool(d, o, "isDuplicate", x->duplicate);
    put_recipients(x, d, o);
    yyjson_mut_val *list = json_add_arr(d, o, "timelines");
    for (size_t i = 0; i < x->runs_n; i++)
        put_run(x, d, list, &x->runs[i]);
    return put_refusals(x, d, o, err);
}

/* A transactionId that was used before starts nothing (decisions.md 11). */
static bool duplicate_find(struct explaining *x, struct error *err)
{
    struct event first;
    struct error missing = {0};
    x->duplicate = event_find_by_transaction(x->worker.db, x->arena, x->q->trigger->environment, x->q->trigger->transaction_id,
                                             &first, &missing);
    return x->duplicate || missing.code == ERROR_NOT_FOUND || (*err = missing, false);
}

bool engine_explain(struct engine *e, struct db *db, struct arena *a, const struct explain_request *q, yyjson_mut_doc *d,
                    yyjson_mut_val **out, struct error *err)
{
    struct explaining *x = ARENA_NEW(a, struct explaining);
    explaining_begin(x, e, db, a, q);
    if (!duplicate_find(x, err))
        return false;
    if (!x->duplicate && (!people_expand(x, err) || !time_pass(x, err)))
        return false;
    *out = yyjson_mut_obj(d);
    return explanation_put(x, d, *out, err);
}
