/* The digest step (engine.md §4.7): one run collects the events of the others of its group.
 *
 * The first event's run is the primary and waits; runs that come meanwhile merge into it and end. A group is a step of a
 * workflow for one subscriber, and a value of the digest key. Who is first is decided on the group as it was read and put
 * into effect by a move, which the store refuses if the group is another by then (model/digest.h).
 */
#include "base/clock.h"
#include "engine/steps/timing.h"

struct digest_plan {
    enum { DIGEST_REGULAR, DIGEST_BACKOFF, DIGEST_TIMED } type;
    int64_t due;
    int64_t since, keep_until;      /* look-back: events since then count; this one counts until then */
    struct str key, value;          /* p NULL: none */
    bool extends;
};

static bool plan_times(struct machine *m, yyjson_val *o, struct digest_plan *p, struct error *err)
{
    int64_t now = m->facts->now;
    yyjson_val *override = json_get(m->facts->overrides, "delay"), *look_back = json_get(o, "lookBackWindow");
    if (p->type == DIGEST_TIMED)
        return cron_after(m, json_get_str(o, "cron"), &p->due, err);
    p->due = now;
    if (!(yyjson_is_obj(override) && duration_after(now, override, &p->due)) && (json_get(o, "amount") || json_get(o, "unit"))
        && !duration_after(now, o, &p->due))
        return error_set(err, ERROR_BAD_INPUT, "The digest's amount or unit is not valid");
    if (p->type == DIGEST_BACKOFF
        && (!duration_before(now, look_back, &p->since) || !duration_after(now, look_back, &p->keep_until)))
        return error_set(err, ERROR_BAD_INPUT, "The digest's lookBackWindow is not valid");
    return true;
}

/* digest of the wire's job: DigestMetadataDto. */
static struct str timing_of(struct machine *m, yyjson_val *o, const struct digest_plan *p)
{
    static const char *const names[] = {"regular", "backoff", "timed"};
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *t = yyjson_mut_obj(d);
    yyjson_val *look_back = json_get(o, "lookBackWindow");
    json_add_str(d, t, "type", str_of(names[p->type]));
    if (p->type != DIGEST_TIMED)
        timing_add(d, t, o, "amount", "unit");
    if (p->type == DIGEST_BACKOFF) {
        json_add_bool(d, t, "backoff", true);
        timing_add(d, t, look_back, "backoffAmount", "backoffUnit");
    }
    json_add_str(d, t, "digestKey", p->key.n ? p->key : STR("No-Key-Provided"));
    json_add_str(d, t, "digestValue", p->value.p ? p->value : STR("No-Value-Provided"));
    if (p->extends)
        json_add_bool(d, t, "extendToSchedule", true);
    if (p->type == DIGEST_TIMED)
        json_add_str(d, json_add_obj(d, t, "timed"), "cronExpression", json_get_str(o, "cron"));
    return json_write_mut(m->run->arena, t);
}

static struct digest_move *move(struct machine *m, int job, enum digest_move_kind kind)
{
    struct effect *e = machine_effect(m, EFFECT_DIGEST);
    e->digest = (struct digest_move){.kind = kind, .key = m->run->jobs[job].group, .environment = m->run->row.environment,
                                     .subscriber = m->run->row.subscriber, .run = m->run->row.id, .job = job,
                                     .event_at = m->facts->now};
    return &e->digest;
}

/* --- the events, as later steps see them ---------------------------------------------------------------------- */

static void put_event(struct buf *b, struct id run, int job, int64_t at, struct str payload)
{
    char iso[TIME_ISO_LEN + 1], hex[ID_HEX + 1];
    time_iso(at, iso);
    id_hex(run_derived_id(run, DERIVED_JOB, job), hex);
    buf_fmt(b, "%s{\"id\":\"%s\",\"time\":\"%s\",\"payload\":", b->p[b->n - 1] == '[' ? "" : ",", hex, iso);
    buf_str(b, payload.n ? payload : STR("{}"));
    buf_char(b, '}');
}

/* {"events":[{id, time, payload}], "eventCount":n}, this run's own among the others by time. */
static struct str output_of(const struct machine *m, int job, const struct digest_event *others, size_t n)
{
    struct buf b = {.arena = m->run->arena};
    const struct run_row *r = &m->run->row;
    struct str payload = m->facts->payload ? json_write(m->run->arena, m->facts->payload) : STR_NULL;
    bool told = false;
    buf_z(&b, "{\"events\":[");
    for (size_t i = 0; i < n; i++) {
        if (!told && r->created_at <= others[i].at) {
            put_event(&b, r->id, job, r->created_at, payload);
            told = true;
        }
        put_event(&b, others[i].run, others[i].job, others[i].at, others[i].payload);
    }
    if (!told)
        put_event(&b, r->id, job, r->created_at, payload);
    buf_fmt(&b, "],\"eventCount\":%zu}", n + 1);
    return buf_finish(&b);
}

/* --- queued ----------------------------------------------------------------------------------------------------- */

static enum outcome pass(struct machine *m, int job, const struct digest_plan *p, const struct digest_group *g)
{
    struct digest_move *v = move(m, job, DIGEST_PASS);
    v->revision = g->revision;
    v->expires_at = p->keep_until;
    m->run->jobs[job].output = output_of(m, job, NULL, 0);
    machine_log(m, job, DETAIL_DIGEST_FIRST, DETAIL_SUCCESS, STR_NULL);
    return OUTCOME_SKIPPED;
}

static enum outcome open_digest(struct machine *m, int job, const struct digest_plan *p, const struct digest_group *g)
{
    if (!defer_allowed(m, job, p->due))
        return OUTCOME_FAILED;
    struct digest_move *v = move(m, job, DIGEST_OPEN);
    v->revision = g->revision;
    v->due_at = p->due;
    v->expires_at = p->keep_until;
    if (p->due > m->facts->now)
        machine_log(m, job, DETAIL_STEP_DIGESTED, DETAIL_PENDING, defer_raw(m, p->due, p->type == DIGEST_TIMED));
    return defer_until(m, job, p->due);
}

static enum outcome join(struct machine *m, int job, const struct digest_plan *p, const struct digest_group *g)
{
    struct digest_move *v = move(m, job, DIGEST_JOIN);
    v->run = g->run;
    v->job = g->job;
    v->expires_at = p->keep_until;
    v->member = m->run->row.id;
    v->member_job = job;
    v->member_at = m->run->row.created_at;
    v->event = m->run->row.event;
    machine_log(m, job, DETAIL_DIGEST_MERGED, DETAIL_SUCCESS, STR_NULL);
    for (int i = job; i < m->run->jobs_n; i++) {
        m->run->jobs[i].merged_run = g->run;
        m->run->jobs[i].merged_job = g->job;
    }
    return OUTCOME_MERGED;
}

/* A cron that is left empty is none, unless the step says that it goes by it. */
static bool is_timed(yyjson_val *outputs)
{
    yyjson_val *cron = json_get(outputs, "cron");
    return cron && (str_trim(json_str(cron)).n || str_eqz(json_get_str(outputs, "type"), "timed"));
}

enum outcome step_digest(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs)
{
    struct digest_plan p = {
        .type = is_timed(outputs) ? DIGEST_TIMED : json_get(outputs, "lookBackWindow") ? DIGEST_BACKOFF : DIGEST_REGULAR,
        .key = control_text(m, s, "digestKey", outputs),
        .extends = control_flag(m, s, "extendToSchedule", outputs)};
    struct digest_group g;
    struct error err = {0};
    p.value = p.key.n ? key_value(m, s, "digestKey", outputs) : STR_NULL;
    m->run->jobs[job].timing = timing_of(m, outputs, &p);
    if (!plan_times(m, outputs, &p, &err)) {
        struct buf raw = {.arena = m->run->arena};
        buf_z(&raw, "{\"error\":");
        json_quote(&raw, str_of(err.message));
        buf_char(&raw, '}');
        return machine_fail(m, job, DETAIL_INVALID_DELAY, buf_finish(&raw), str_dup(m->run->arena, str_of(err.message)));
    }
    m->run->jobs[job].group = group_key(m, s, "digest", p.value);
    if (!machine_digest_group(m, m->run->jobs[job].group, &g))
        return OUTCOME_FAILED;
    if (p.type == DIGEST_BACKOFF && (!g.revision || g.event_at < p.since))
        return pass(m, job, &p, &g);
    /* One whose time is up collects no more, although its timer may be a moment late; but a schedule may yet extend it. */
    if (!id_is_zero(g.run) && (g.due_at > m->facts->now || p.extends))
        return join(m, job, &p, &g);
    return open_digest(m, job, &p, &g);
}

/* --- later -------------------------------------------------------------------------------------------------------- */

/* The group as this digest leaves it; false: it could not be read. */
static bool leave_group(struct machine *m, int job, struct digest_move *v)
{
    struct digest_group g;
    if (!machine_digest_group(m, m->run->jobs[job].group, &g))
        return false;
    if (!id_eq(g.run, m->run->row.id) || g.job != job)
        return true;
    v->revision = g.revision;
    v->looks_back = str_find(m->run->jobs[job].timing, STR("\"type\":\"backoff\"")) >= 0;
    return true;
}

/* The group is read before the events: one that joins between the two has changed the group's revision. */
bool digest_fired(struct machine *m, int job)
{
    struct digest_event *events;
    size_t n;
    struct digest_move *v = move(m, job, DIGEST_CLOSE);
    if (!leave_group(m, job, v) || !machine_digest_events(m, m->run->row.id, job, &events, &n))
        return false;
    v->members = (int64_t)n;
    m->run->jobs[job].output = output_of(m, job, events, n);
    machine_log(m, job, DETAIL_DIGEST_TRIGGERED, DETAIL_SUCCESS, STR_NULL);
    return true;
}

void digest_extended(struct machine *m, int job, int64_t due)
{
    move(m, job, DIGEST_EXTEND)->due_at = due;
}

void digest_dropped(struct machine *m, int job)
{
    struct digest_event *events;
    size_t n;
    struct digest_move *v = move(m, job, DIGEST_CLOSE);
    if (leave_group(m, job, v) && machine_digest_events(m, m->run->row.id, job, &events, &n))
        v->members = (int64_t)n;
}

/* engine.md §2.9 step 4: the oldest follower goes on in the place of a canceled primary. */
void digest_canceled(struct machine *m, int job)
{
    struct digest_event *events;
    size_t n;
    struct digest_move *v = move(m, job, DIGEST_CLOSE);
    if (!leave_group(m, job, v) || !machine_digest_events(m, m->run->row.id, job, &events, &n) || !n)
        return;
    v->kind = DIGEST_HAND_OVER;
    v->members = (int64_t)n;
    v->member = events[0].run;
    v->member_job = events[0].job;
    v->member_at = events[0].at;
    v->due_at = m->run->jobs[job].due_at;
}

struct str digest_own_event(const struct machine *m, int job)
{
    return output_of(m, job, NULL, 0);
}

/* Is the event of this merged job still waiting? */
bool digest_waits(struct machine *m, int job)
{
    const struct run_job *j = &m->run->jobs[job];
    struct digest_event *events;
    size_t n;
    if (!machine_digest_events(m, j->merged_run, j->merged_job, &events, &n))
        return false;
    for (size_t i = 0; i < n; i++)
        if (id_eq(events[i].run, m->run->row.id) && events[i].job == job)
            return true;
    return false;
}

void digest_left(struct machine *m, int job)
{
    const struct run_job *j = &m->run->jobs[job];
    struct digest_move *v = move(m, job, DIGEST_LEAVE);
    v->run = j->merged_run;
    v->job = j->merged_job;
    v->member = m->run->row.id;
    v->member_job = job;
    v->member_at = m->run->row.created_at;
}
