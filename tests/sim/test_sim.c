/* The simulator: seeds drive random workflows through the machine, with digests, throttles, delays, schedules and calls,
 * while people read, cancel and trigger, providers fail, circuits open, clocks leap, decisions are committed late, twice or not at all,
 * and the process dies between any two steps.
 *
 * SEEDS=n (default 300) and SEED=first choose what runs; a failing seed prints what happened and replays bit for bit.
 * Invariants: nothing committed is lost; a step that has ended stays as it is; no timer fires early; an event is in
 * exactly one digest, a canceled one in none; a throttle's window holds no more than its threshold; an in-app message
 * exists exactly once per run and step; none is stored that says nothing; at the end every step is terminal, every run closed, every group free, and the
 * stored lifecycle is what a recount gives.
 */
#include "world.h"

struct chance {
    uint64_t s;
};

/* xorshift64*: the only randomness there is. */
static uint64_t roll(struct chance *c, uint64_t below)
{
    c->s ^= c->s >> 12;
    c->s ^= c->s << 25;
    c->s ^= c->s >> 27;
    return (c->s * 2685821657736338717u >> 33) % below;
}

static bool percent(struct chance *c, unsigned p)
{
    return roll(c, 100) < p;
}

/* One step of a random workflow. */
static void random_step(struct buf *b, struct chance *c, int i)
{
    static const char *const bodies[] = {"Hi {{subscriber.firstName}}", "{{payload.n | plus: 1}}", "{% if payload.n %}a{% endif %}",
                                         "{{ payload.none }}", "{% for %}", "{{ steps.s0.read }}"};
    static const char *const crons[] = {"*/20 * * * *", "30 2 * * *", "0 9 * * MON", "15 1 31 * *"};
    static const char *const keys[] = {"", ",\"digestKey\":\"payload.k\"", ",\"digestKey\":\"{{payload.k}}\""};
    const char *body = bodies[roll(c, percent(c, 10) ? 6 : 4)], *extend = percent(c, 30) ? "true" : "false";
    const char *skip = percent(c, 20) ? ",\"skip\":{\"<\":[{\"var\":\"payload.n\"},5]}" : "";
    buf_fmt(b, "{\"stepId\":\"s%d\",", i);
    switch (roll(c, 8)) {
    case 0:
        buf_fmt(b, "\"type\":\"in_app\",\"controlValues\":{\"body\":\"%s\"}}", body);
        break;
    case 1:
        buf_fmt(b, "\"type\":\"delay\",\"controlValues\":{\"amount\":%d,\"unit\":\"%s\",\"extendToSchedule\":%s%s}}",
                (int)roll(c, 8) ? 1 + (int)roll(c, 90) : 0, roll(c, 2) ? "minutes" : "days", extend, skip);
        break;
    case 2:
        buf_fmt(b, "\"type\":\"%s\",\"controlValues\":{\"type\":\"timed\",\"cron\":\"%s\",\"extendToSchedule\":%s}}",
                roll(c, 2) ? "delay" : "digest", crons[roll(c, 4)], extend);
        break;
    case 3:
    case 4:
        buf_fmt(b, "\"type\":\"digest\",\"controlValues\":{\"amount\":%d,\"unit\":\"%s\",\"extendToSchedule\":%s%s%s%s}}",
                (int)roll(c, 40), roll(c, 2) ? "minutes" : "hours", extend, keys[roll(c, 3)], skip,
                percent(c, 30) ? ",\"lookBackWindow\":{\"amount\":30,\"unit\":\"minutes\"}" : "");
        break;
    case 5:
        buf_fmt(b, "\"type\":\"throttle\",\"controlValues\":{\"amount\":%d,\"unit\":\"%s\",\"threshold\":%d%s%s}}", 1 + (int)roll(c, 30),
                roll(c, 2) ? "minutes" : "hours", 1 + (int)roll(c, 3), roll(c, 2) ? ",\"throttleKey\":\"payload.k\"" : "", skip);
        break;
    case 6:
        buf_fmt(b, "\"type\":\"%s\",\"controlValues\":{\"url\":\"https://x.test/{{payload.n}}\",\"continueOnFailure\":%s}}",
                percent(c, 50) ? "custom" : "http_request", percent(c, 50) ? "true" : "false");
        break;
    default:
        buf_fmt(b, "\"type\":\"email\",\"shouldStopOnFail\":%s,\"controlValues\":{\"subject\":\"%s\",\"body\":\"%s\"%s}}",
                percent(c, 15) ? "true" : "false", percent(c, 10) ? "{{payload.none}}" : "s", body, skip);
    }
}

#define ASKS "{\"on\":\"webhook\",\"webhookUrl\":\"https://y.test\",\"field\":\"outputs\",\"operator\":\"IS_DEFINED\"}"
#define BIG_N "{\"on\":\"payload\",\"field\":\"n\",\"operator\":\"LARGER\",\"value\":\"2\"}"

/* Into the step's object, which is complete: filters of older workflows, some of which ask somebody. */
static void random_filters(struct buf *b, struct chance *c)
{
    static const char *const parts[] = {ASKS, BIG_N};
    b->n--;
    buf_fmt(b, ",\"filters\":[{\"value\":\"%s\",\"children\":[%s,%s]}]}", roll(c, 2) ? "AND" : "OR", parts[0], parts[roll(c, 2)]);
}

/* The same: what is sent instead, some of it nothing. */
static void random_variants(struct buf *b, struct chance *c)
{
    static const char *const bodies[] = {"other {{payload.n}}", "{{payload.none}}", "{% for %}"};
    b->n--;
    buf_z(b, ",\"variants\":[");
    for (int i = 0, n = 1 + (int)roll(c, 2); i < n; i++)
        buf_fmt(b, "%s{\"active\":%s,\"filters\":[{\"value\":\"AND\",\"children\":[%s]}],\"controlValues\":{\"subject\":\"v\",\"body\":\"%s\"}}",
                i ? "," : "", percent(c, 80) ? "true" : "false", roll(c, 2) ? ASKS : BIG_N, bodies[roll(c, percent(c, 20) ? 3 : 1)]);
    buf_z(b, "]}");
}

static struct definition *random_definition(struct world *w, struct chance *c)
{
    struct buf b = {.arena = w->arena};
    int n = 1 + (int)roll(c, 5);
    buf_char(&b, '[');
    for (int i = 0; i < n; i++) {
        if (i)
            buf_char(&b, ',');
        random_step(&b, c, i);
        if (percent(c, 15))
            random_filters(&b, c);
        if (percent(c, 15))
            random_variants(&b, c);
    }
    buf_char(&b, ']');
    return world_definition(w, buf_finish(&b).p);
}

/* A person in some zone, who may be reached at some hours only, and may have switched e-mail off. */
static void random_preferences(struct world *w, struct chance *c)
{
    static const char *const zones[] = {"", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Nowhere"};
    const char *day = roll(c, 2) ? "{\"isEnabled\":true,\"hours\":[{\"start\":\"09:00 AM\",\"end\":\"05:00 PM\"}]}"
                                 : "{\"isEnabled\":true,\"hours\":[{\"start\":\"10:00 PM\",\"end\":\"02:30 AM\"}]}";
    w->preferences.global = preference_blank();
    w->preferences.workflow = preference_blank();
    w->preferences.found = PREFERENCE_GLOBAL | PREFERENCE_WORKFLOW;
    w->subscriber.field[SUBSCRIBER_TIMEZONE] = str_of(zones[roll(c, 5)]);
    if (percent(c, 50))
        w->preferences.global.schedule = str_fmt(w->arena, "{\"isEnabled\":true,\"weeklySchedule\":{\"monday\":%s,\"thursday\":%s}}", day, day);
    w->preferences.workflow.channel[CHANNEL_EMAIL] = (enum choice)((int)roll(c, 3) - 1);
}

enum { DEFINITIONS = 4, PLANS = 4, RUNS_MAX = 60 };

/* What was decided and not yet committed: other things happen in between, as on other threads and nodes. */
struct plan {
    bool used, is_new;
    struct run run;
    struct machine machine;
    struct definition *definition;
    yyjson_val *payload;
    struct queue_item item;
    struct machine_input in;
};

struct sim {
    struct world *w;
    struct chance chance;
    struct definition *definitions[DEFINITIONS];
    struct plan plans[PLANS];
    uint8_t delivered[RUNS_MAX][24];    /* in how many digests the event of this run's job was given out */
    int64_t circuits[4];                /* of the world's integrations: open until */
    struct buf log;                     /* what happened, for a seed that fails */
};

static void violated(struct sim *s, const char *what)
{
    if (!s->w->violation)
        s->w->violation = what;
}

static void note(struct sim *s, const char *what, size_t run, int job)
{
    char iso[TIME_ISO_LEN + 1];
    time_iso(s->w->now, iso);
    buf_fmt(&s->log, "%s %s run %zu job %d\n", iso, what, run, job);
}

/* --- after every commit: what may have changed, and what that means ---------------------------------------------- */

static bool ended(enum job_status s)
{
    return s == JOB_COMPLETED || s == JOB_FAILED || s == JOB_CANCELED || s == JOB_SKIPPED;
}

static size_t run_of_job(const struct sim *s, struct str job_id, int *job)
{
    struct id id;
    if (!id_parse(job_id, &id))
        return s->w->dry.runs_n;
    for (size_t at = 0; at < s->w->dry.runs_n; at++)
        for (int i = 1; i < 24; i++)
            if (id_eq(run_derived_id(s->w->dry.runs[at].id, DERIVED_JOB, i), id)) {
                *job = i;
                return at;
            }
    return s->w->dry.runs_n;
}

/* A digest gave out these events. */
static void count_events(struct sim *s, struct str output)
{
    yyjson_val *root, *e;
    struct str last = STR_NULL;
    if (!json_parse(s->w->arena, output, &root, NULL))
        return;
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(root, "events"));
    while ((e = yyjson_arr_iter_next(&it))) {
        int job = 0;
        size_t at = run_of_job(s, json_get_str(e, "id"), &job);
        if (at == s->w->dry.runs_n)
            violated(s, "a digest gives out an event of a run that was never committed");
        else if (s->delivered[at][job]++)
            violated(s, "an event is in two digests");
        if (last.n && str_cmp(json_get_str(e, "time"), last) < 0)
            violated(s, "a digest's events are not in order of time");
        last = json_get_str(e, "time");
    }
    if (json_get_int(root, "eventCount", -1) != (int64_t)yyjson_arr_size(json_get(root, "events")))
        violated(s, "eventCount is not the number of events");
}

/* before: jobs_n 0 for a new run. */
static void committed(struct sim *s, size_t at, const struct run *before)
{
    struct run now;
    struct error err = {0};
    if (!run_decode(&s->w->dry.runs[at], s->w->arena, &now, &err)) {
        violated(s, "a committed run cannot be read back");
        return;
    }
    for (int i = 1; i < now.jobs_n; i++) {
        const struct run_job *y = &now.jobs[i], *x = i < before->jobs_n ? &before->jobs[i] : NULL;
        bool gives = y->type == STEP_DIGEST && (y->status == JOB_COMPLETED || (y->status == JOB_SKIPPED && y->output.n));
        if (x && ended(x->status) && x->status != y->status)
            violated(s, "a step that had ended did something else");
        if (x && x->status == JOB_DELAYED && x->due_at > s->w->now && y->status == JOB_COMPLETED && !step_is_channel(y->type))
            violated(s, "a timer fired early");
        if (gives && (!x || x->status != y->status))
            count_events(s, y->output);
    }
}

static void run_before(struct sim *s, size_t at, struct run *before)
{
    *before = (struct run){.jobs_n = 0};
    if (at < s->w->dry.runs_n)
        run_decode(&s->w->dry.runs[at], s->w->arena, before, NULL);
}

/* --- what happens ---------------------------------------------------------------------------------------------------- */

static bool is_queued(const struct world *w, struct id item)
{
    for (size_t i = 0; i < w->dry.queue_n; i++)
        if (id_eq(w->dry.queue[i].id, item))
            return true;
    return false;
}

static bool is_planned(const struct sim *s, struct id item)
{
    for (int i = 0; i < PLANS; i++)
        if (s->plans[i].used && !s->plans[i].is_new && id_eq(s->plans[i].item.id, item))
            return true;
    return false;
}

static struct plan *plan_free(struct sim *s)
{
    for (int i = 0; i < PLANS; i++)
        if (!s->plans[i].used)
            return &s->plans[i];
    return NULL;
}

static void plan_make(struct sim *s, struct plan *p)
{
    if (p->is_new)
        world_start(s->w, p->definition, p->payload, &p->run, &p->machine);
    else
        world_advance(s->w, dry_run_of(&s->w->dry, p->item.ref), &p->in, &p->run, &p->machine);
}

static void trigger(struct sim *s)
{
    struct plan *p = plan_free(s);
    struct chance *c = &s->chance;
    size_t planned = 0;
    for (int i = 0; i < PLANS; i++)
        planned += s->plans[i].used && s->plans[i].is_new;
    if (!p || s->w->dry.runs_n + planned >= RUNS_MAX)
        return;
    *p = (struct plan){.used = true, .is_new = true, .definition = s->definitions[roll(c, DEFINITIONS)]};
    struct str text = str_fmt(s->w->arena, "{\"n\":%d,\"k\":\"%c\"}", (int)roll(c, 10), 'a' + (int)roll(c, 2));
    json_parse(s->w->arena, text, &p->payload, NULL);
    plan_make(s, p);
    note(s, "trigger planned for", s->w->dry.runs_n, 0);
}

/* What a bridge may say: outputs that fit some step, none, a skip, or nothing that is understood. */
static struct str bridge_body(struct chance *c)
{
    static const char *const bodies[] = {
        "{\"outputs\":{\"a\":1}}", "{\"outputs\":{},\"options\":{\"skip\":true}}", "{\"outputs\":{\"subject\":\"s\",\"body\":\"b\"},\"options\":{}}",
        "{\"outputs\":{\"body\":\"b\",\"subject\":\"s\"},\"providers\":{\"sendgrid\":{\"x\":1}},\"options\":{\"skip\":false}}",
        "{\"outputs\":{\"amount\":5,\"unit\":\"minutes\",\"extendToSchedule\":true}}", "{\"outputs\":{\"amount\":0,\"unit\":\"hours\"}}",
        "{\"outputs\":{\"amount\":20,\"unit\":\"minutes\",\"digestKey\":\"k\",\"threshold\":2,\"type\":\"fixed\"}}",
        "{\"outputs\":{\"cron\":\"0 9 * * *\"}}", "{\"outputs\":[]}", "x"};
    return str_of(bodies[roll(c, sizeof bodies / sizeof *bodies)]);
}

static struct machine_input result_of(struct chance *c, const struct queue_item *q)
{
    enum machine_input_kind kind = q->kind == QUEUE_TIMER ? INPUT_TIMER : q->kind == QUEUE_CALL ? INPUT_CALL : INPUT_DELIVERY;
    struct machine_input in = {.kind = kind, .job = q->job, .target = q->target, .attempt = q->attempt};
    unsigned x = (unsigned)roll(c, 100);
    in.verdict = x < 60 ? VERDICT_SENT : x < 80 ? VERDICT_RETRY : x < 85 ? VERDICT_BLOCKED : x < 90 ? VERDICT_UNKNOWN : VERDICT_FAILED;
    if (in.verdict == VERDICT_SENT)
        in.provider_message_id = STR("p");
    else
        in.error = STR("fault");
    in.retry_after_ms = percent(c, 10) || in.verdict == VERDICT_BLOCKED ? 1000000 : 0;
    in.call = (struct call_answer){.end = x < 80 ? CALL_ANSWERED : x < 90 ? CALL_TIMED_OUT : CALL_REFUSED,
                                   .status = x < 60 ? 200 : x < 80 ? 503 : 0, .body = x < 50 ? bridge_body(c) : STR("x"),
                                   .error = x < 60 ? STR_NULL : STR("fault")};
    return in;
}

/* Through which a delivery goes just now. */
static struct id integration_of(struct sim *s, const struct queue_item *q)
{
    struct run r;
    const struct run_row *row = &s->w->dry.runs[dry_run_of(&s->w->dry, q->ref)];
    if (!run_decode(row, s->w->arena, &r, NULL) || q->target < 0 || (size_t)q->target >= r.targets_n)
        return (struct id){{0}};
    return r.targets[q->target].integration;
}

/* Takes up one due item; what comes of it is committed later, or never. */
static void take_due(struct sim *s)
{
    struct plan *p = plan_free(s);
    struct world *w = s->w;
    size_t due[64], n = 0;
    for (size_t i = 0; i < w->dry.queue_n && n < 64; i++)
        if (w->dry.queue[i].due_at <= w->now && !is_planned(s, w->dry.queue[i].id))
            due[n++] = i;
    if (!n || !p)
        return;
    struct queue_item q = w->dry.queue[due[roll(&s->chance, n)]];
    if (dry_run_of(&w->dry, q.ref) == w->dry.runs_n) {
        violated(s, "a queue item refers to a run that was never committed");
        return;
    }
    *p = (struct plan){.used = true, .item = q, .in = result_of(&s->chance, &q)};
    if (p->in.kind == INPUT_DELIVERY)
        p->in.integration = integration_of(s, &q);
    plan_make(s, p);
}

/* A result that comes once more changes nothing. */
static void repeat(struct sim *s, const struct plan *p, size_t at)
{
    struct run r;
    struct machine m;
    struct str before = s->w->dry.runs[at].state;
    world_advance(s->w, at, &p->in, &r, &m);
    if (m.effects || !str_eq(before, run_encode(&r)))
        violated(s, "a repeated result changed the run");
}

/* Commits one plan; refused, it is made again on what is there by now, as the engine does. */
static void commit(struct sim *s)
{
    struct plan *p = &s->plans[roll(&s->chance, PLANS)];
    struct run before;
    if (!p->used)
        return;
    if (!p->is_new && !is_queued(s->w, p->item.id)) {
        p->used = false;                /* somebody took the item away: nothing is written */
        return;
    }
    size_t at = p->is_new ? s->w->dry.runs_n : dry_run_of(&s->w->dry, p->item.ref);
    run_before(s, at, &before);
    bool done = p->is_new ? world_commit(s->w, &p->machine, p->definition, p->payload, NULL)
                          : world_commit(s->w, &p->machine, s->w->definitions[at], s->w->payloads[at], &p->item);
    note(s, done ? p->is_new ? "committed new" : "committed" : "refused", at, p->item.job);
    if (!done) {
        plan_make(s, p);
        return;
    }
    p->used = false;
    committed(s, at, &before);
    /* What an open circuit sent away has made no attempt: without another integration it has no number to know it again by. */
    bool known = p->in.kind != INPUT_DELIVERY || p->in.verdict != VERDICT_BLOCKED || !id_eq(integration_of(s, &p->item), p->in.integration);
    if (!p->is_new && known && percent(&s->chance, 15))
        repeat(s, p, at);
}

/* The process dies: what was not committed has not happened. */
static void crash(struct sim *s)
{
    for (int i = 0; i < PLANS; i++)
        s->plans[i].used = false;
    note(s, "killed", 0, 0);
}

static void move_time(struct sim *s)
{
    struct world *w = s->w;
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < w->dry.queue_n; i++)
        if (w->dry.queue[i].due_at < next)
            next = w->dry.queue[i].due_at;
    if (next == INT64_MAX || next <= w->now)
        return;
    w->now = next + (percent(&s->chance, 20) ? (int64_t)roll(&s->chance, 90000000) : 0);     /* now and then it was down */
}

/* Circuits open, and close again when their time has come. */
static void turn_circuit(struct sim *s)
{
    size_t k = roll(&s->chance, s->w->integrations_n);
    s->circuits[k] = s->circuits[k] > s->w->now ? 0 : s->w->now + (int64_t)roll(&s->chance, 7200000);
}

static void read_message(struct sim *s)
{
    if (!s->w->dry.messages_n)
        return;
    struct message *m = &s->w->dry.messages[roll(&s->chance, s->w->dry.messages_n)];
    m->seen = true;
    m->read = roll(&s->chance, 2);
}

/* What is planned for a delivery is in flight. */
static void cancel(struct sim *s)
{
    struct run before[RUNS_MAX];
    uint64_t flying = 0;
    if (!s->w->dry.runs_n)
        return;
    size_t at = roll(&s->chance, s->w->dry.runs_n);
    for (int i = 0; i < PLANS; i++)
        if (s->plans[i].used && !s->plans[i].is_new && s->plans[i].item.kind == QUEUE_DELIVERY
            && id_eq(s->plans[i].item.ref, s->w->dry.runs[at].id))
            flying |= (uint64_t)1 << s->plans[i].item.job;
    for (size_t i = 0; i < s->w->dry.runs_n; i++)
        run_before(s, i, &before[i]);
    if (world_cancel(s->w, at, flying))
        note(s, "canceled", at, 0);
    for (size_t i = 0; i < s->w->dry.runs_n; i++)
        committed(s, i, &before[i]);
}

/* --- at the end -------------------------------------------------------------------------------------------------------- */

static void check_run(struct sim *s, size_t at)
{
    struct world *w = s->w;
    const struct run_row *row = &w->dry.runs[at];
    struct run r;
    enum skip_reason detail;
    if (!run_decode(row, w->arena, &r, NULL)) {
        violated(s, "a committed run cannot be read back");
        return;
    }
    if (!str_eq(run_encode(&r), row->state))
        violated(s, "a run changes by being read");
    if (row->status == RUN_PROCESSING)
        violated(s, "a run never ended");
    if (run_lifecycle(&r, &detail) != row->delivery)
        violated(s, "the stored lifecycle is not what a recount gives");
    for (int i = 0; i < r.jobs_n; i++) {
        const struct run_job *j = &r.jobs[i];
        size_t stored = 0;
        if (!ended(j->status) && j->status != JOB_MERGED)
            violated(s, "a step did not reach a terminal state");
        for (size_t k = 0; k < w->dry.messages_n; k++)
            stored += id_eq(w->dry.messages[k].id, run_message_id(&r, i, 0));
        if (j->type == STEP_IN_APP && stored != (j->status == JOB_COMPLETED))
            violated(s, "an in-app step has not exactly the message that it says");
        bool given = j->type == STEP_DIGEST
            && (j->status == JOB_COMPLETED || j->status == JOB_MERGED || (j->status == JOB_SKIPPED && j->output.n));
        if (j->type == STEP_DIGEST && j->status == JOB_CANCELED && s->delivered[at][i])
            violated(s, "a canceled event was given out");
        /* The first digest job that merged is the one whose event waits; those behind it merged along. */
        bool along = i > 1 && j->status == JOB_MERGED && r.jobs[i - 1].status == JOB_MERGED;
        if (given && !along && s->delivered[at][i] != 1)
            violated(s, "an event of a digest was lost");
    }
    for (int i = 1; i < r.log_n; i++)
        if (r.log[i].at < r.log[i - 1].at)
            violated(s, "the step log goes back in time");
}

/* Of one window of one group no more went through than its threshold says. */
static void check_throttles(struct sim *s)
{
    struct world *w = s->w;
    for (size_t at = 0; at < w->dry.runs_n; at++) {
        struct run r, o;
        run_decode(&w->dry.runs[at], w->arena, &r, NULL);
        for (int i = 1; i < r.jobs_n; i++) {
            yyjson_val *out;
            int64_t n = 0;
            if (r.jobs[i].type != STEP_THROTTLE || r.jobs[i].status != JOB_COMPLETED
                || !json_parse(w->arena, r.jobs[i].output, &out, NULL) || !json_get(out, "windowStart"))
                continue;
            bool keyed = !w->definitions[at]->external     /* the bridge of these tests names no key */
                && json_get_str(w->definitions[at]->steps[r.jobs[i].step].values, "throttleKey").n > 0;
            for (size_t k = 0; k < w->dry.runs_n; k++) {
                run_decode(&w->dry.runs[k], w->arena, &o, NULL);
                n += w->definitions[k] == w->definitions[at] && o.jobs[i].status == JOB_COMPLETED
                    && str_eq(o.jobs[i].output, r.jobs[i].output)
                    && (!keyed || str_eq(json_get_str(w->payloads[k], "k"), json_get_str(w->payloads[at], "k")));
            }
            if (n > json_get_int(out, "threshold", 0))
                violated(s, "a throttle let too many through");
        }
    }
}

/* Nobody gets a message that says nothing. */
static void check_contents(struct sim *s)
{
    struct world *w = s->w;
    for (size_t i = 0; i < w->dry.messages_n; i++) {
        const struct message *m = &w->dry.messages[i];
        yyjson_val *doc = NULL;
        json_parse(w->arena, m->doc, &doc, NULL);
        bool subject = json_get_str(doc, "subject").n > 0, content = json_get_str(doc, "content").n > 0;
        if (!(subject || (content && m->channel == CHANNEL_IN_APP)))
            violated(s, "a message without content was stored");
    }
}

static void check_end(struct sim *s)
{
    struct world *w = s->w;
    if (w->dry.queue_n)
        violated(s, "work is left that nothing will end");
    if (w->dry.shares.members_n)
        violated(s, "an event waits in a digest that will never fire");
    for (size_t i = 0; i < w->dry.shares.groups_n; i++)
        if (!id_is_zero(w->dry.shares.groups[i].row.run))
            violated(s, "a group is held by a digest that is over");
    for (size_t i = 0; i < w->dry.messages_n; i++)
        for (size_t k = i + 1; k < w->dry.messages_n; k++)
            if (id_eq(w->dry.messages[i].run, w->dry.messages[k].run) && id_eq(w->dry.messages[i].job, w->dry.messages[k].job))
                violated(s, "a message exists twice for one run and step");
    for (size_t i = 0; i < w->dry.runs_n && !w->violation; i++)
        check_run(s, i);
    check_throttles(s);
    check_contents(s);
}

static void step(struct sim *s)
{
    uint64_t x = roll(&s->chance, 100);
    if (percent(&s->chance, 5))
        turn_circuit(s);
    if (x < 22)
        trigger(s);
    else if (x < 36)
        move_time(s);
    else if (x < 62)
        take_due(s);
    else if (x < 92)
        commit(s);
    else if (x < 95)
        read_message(s);
    else if (x < 98)
        cancel(s);
    else
        crash(s);
}

static void world_random(struct sim *s)
{
    struct world *w = s->w;
    struct chance *c = &s->chance;
    w->now += (int64_t)roll(c, 365) * 86400000 + (int64_t)roll(c, 86400) * 1000;     /* any day of a year: the clocks change */
    w->attempts_max = 1 + (int)roll(c, 4);
    w->outbox = percent(c, 20);
    w->bridge_url = percent(c, 70) ? STR("https://app.test/api/novu") : STR_NULL;
    random_preferences(w, c);
    world_integration(w, CHANNEL_IN_APP, "novu");
    if (percent(c, 90))
        world_integration(w, CHANNEL_EMAIL, percent(c, 20) ? "novu-email" : "nodemailer");
    if (percent(c, 40))
        world_integration(w, CHANNEL_EMAIL, "sendgrid");
    if (w->integrations_n > 1 && percent(c, 30))
        w->integrations[1 + roll(c, w->integrations_n - 1)].conditions =
            STR("[{\"value\":\"AND\",\"children\":[" ASKS "," ASKS "]},{\"children\":[" BIG_N "]}]");
    if (percent(c, 10))
        w->subscriber.field[SUBSCRIBER_EMAIL] = STR_NULL;
    for (int i = 0; i < DEFINITIONS; i++) {
        w->workflow_members = percent(c, 30) ? "\"origin\":\"external\"" : NULL;
        s->definitions[i] = random_definition(w, c);
    }
}

/* NULL: all invariants held. tell: print what happened when one did not. */
static const char *simulate(uint64_t seed, bool tell)
{
    struct world *w = world_new(seed);
    struct sim *s = ARENA_NEW(w->arena, struct sim);
    s->w = w;
    w->circuits = s->circuits;
    s->chance.s = seed * 0x9e3779b97f4a7c15u + 1;
    s->log.arena = w->arena;
    world_random(s);
    for (int i = 0; i < 600 && !w->violation; i++)
        step(s);
    for (int i = 0; !w->violation && i < 40000; i++) {
        bool planned = false;
        for (int k = 0; k < PLANS; k++)
            planned |= s->plans[k].used;
        if (!planned && !w->dry.queue_n)
            break;
        move_time(s);
        take_due(s);
        commit(s);
    }
    if (!w->violation)
        check_end(s);
    const char *violation = w->violation;
    if (violation && tell)
        fprintf(stderr, "%s", buf_finish(&s->log).p);
    for (int i = 0; i < DEFINITIONS; i++)
        cached_unref(&s->definitions[i]->head);
    arena_destroy(w->arena);
    return violation;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *v = getenv(name);
    return v && *v ? strtoull(v, NULL, 10) : otherwise;
}

static void seeds_keep_the_invariants(void **state)
{
    (void)state;
    uint64_t first = setting("SEED", 1), n = setting("SEEDS", 300);
    for (uint64_t seed = first; seed < first + n; seed++) {
        const char *violation = simulate(seed, true);
        if (violation)
            fail_msg("seed %llu: %s (replay: SEED=%llu SEEDS=1)", (unsigned long long)seed, violation, (unsigned long long)seed);
    }
}

static void a_seed_replays(void **state)
{
    (void)state;
    assert_ptr_equal(simulate(42, false), simulate(42, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(seeds_keep_the_invariants), cmocka_unit_test(a_seed_replays)};
    if (!crypto_init())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
