/* Renders a step's control values for one person. */
#include "engine/render.h"

#include "base/clock.h"
#include "content/jsonlogic.h"
#include "content/sanitize.h"
#include "content/translate.h"
#include "engine/machine_private.h"

static const struct str subscriber_names[SUBSCRIBER_DATA] = {STR_INIT("firstName"), STR_INIT("lastName"), STR_INIT("email"),
                                                             STR_INIT("phone"), STR_INIT("avatar"), STR_INIT("locale"),
                                                             STR_INIT("timezone")};

static yyjson_val *parsed(struct arena *a, struct buf *b)
{
    yyjson_val *v = NULL;
    json_parse(a, buf_get(b), &v, NULL);
    return v;
}

yyjson_val *render_subscriber(struct arena *a, const struct subscriber *s)
{
    struct json_made m = {.arena = a};
    yyjson_val *data = NULL;
    char iso[TIME_ISO_LEN + 1];
    json_made_str(&m, STR("subscriberId"), s->subscriber_id);
    for (int f = 0; f < SUBSCRIBER_DATA; f++)
        json_made_str(&m, subscriber_names[f], s->field[f]);
    json_parse(a, s->field[SUBSCRIBER_DATA].p ? s->field[SUBSCRIBER_DATA] : STR("{}"), &data, NULL);
    json_made_val(&m, STR("data"), data);
    json_made_bool(&m, STR("isOnline"), s->is_online > 0);
    if (s->last_online_at)
        time_iso(s->last_online_at, iso);
    json_made_str(&m, STR("lastOnlineAt"), s->last_online_at ? str_dup(a, str_of(iso)) : STR_NULL);
    return json_made_end(&m);
}

static const struct message *message_of(const struct machine_facts *f, struct id message)
{
    for (size_t i = 0; i < f->messages_n; i++)
        if (id_eq(f->messages[i].id, message))
            return &f->messages[i];
    return NULL;
}

static void in_app_result(struct buf *b, const struct message *m)
{
    char iso[TIME_ISO_LEN + 1];
    buf_fmt(b, "{\"seen\":%s,\"read\":%s,\"lastSeenDate\":", m && m->seen ? "true" : "false", m && m->read ? "true" : "false");
    if (m && m->last_seen_at) {
        time_iso(m->last_seen_at, iso);
        buf_fmt(b, "\"%s\"", iso);
    } else {
        buf_z(b, "null");
    }
    buf_z(b, ",\"lastReadDate\":");
    if (m && m->last_read_at) {
        time_iso(m->last_read_at, iso);
        buf_fmt(b, "\"%s\"", iso);
    } else {
        buf_z(b, "null");
    }
    buf_char(b, '}');
}

/* Of a step that did not come to one, for instance by its condition (bridge-cli.md §1.6). */
static struct str result_without(const struct machine *m, int job)
{
    switch (m->run->jobs[job].type) {
    case STEP_DELAY: return str_fmt(m->run->arena, "{\"duration\":%lld}", (long long)(m->facts->now - m->run->row.created_at));
    case STEP_DIGEST: return digest_own_event(m, job);
    case STEP_THROTTLE: return STR("{\"throttled\":false}");
    default: return STR("{}");
    }
}

static void put_result(struct buf *b, const struct machine *m, int job)
{
    const struct run_job *j = &m->run->jobs[job];
    if (j->type == STEP_IN_APP)
        in_app_result(b, message_of(m->facts, run_message_id(m->run, job, 0)));
    else
        buf_str(b, j->output.n ? j->output : result_without(m, job));
}

struct str render_step_result(const struct machine *m, int job)
{
    struct buf b = {.arena = m->run->arena};
    put_result(&b, m, job);
    return buf_finish(&b);
}

/* Results of the earlier steps, by step id (content.md §1.5). */
static yyjson_val *steps_value(const struct machine *m, int job)
{
    const struct run *r = m->run;
    struct buf b = {.arena = r->arena};
    buf_char(&b, '{');
    for (int i = 1; i < job; i++) {
        const struct step_definition *s = &m->facts->version->steps[r->jobs[i].step];
        if (b.n > 1)
            buf_char(&b, ',');
        json_quote(&b, s->step_id);
        buf_char(&b, ':');
        put_result(&b, m, i);
    }
    buf_char(&b, '}');
    return parsed(r->arena, &b);
}

/* As templates of older workflows, and providers of push, ask for it (engine.md §3 step 1, §4.7): of the events only the payloads. */
yyjson_val *render_step(const struct machine *m, int job)
{
    struct arena *a = m->run->arena;
    yyjson_val *output = NULL, *event, *out = NULL;
    int at = job - 1;
    size_t i, n;
    if (job > m->run->jobs_n)
        return NULL;
    while (at > 0 && m->run->jobs[at].type != STEP_DIGEST)
        at--;
    if (at <= 0)
        return NULL;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    if (m->run->jobs[at].output.n && m->run->jobs[at].status != JOB_SKIPPED)     /* a skipped one digested nothing */
        json_parse(a, m->run->jobs[at].output, &output, NULL);
    yyjson_val *events = json_get(output, "events");
    json_add_bool(d, o, "digest", yyjson_arr_size(events) > 0);
    yyjson_mut_val *list = json_add_arr(d, o, "events");
    yyjson_arr_foreach(events, i, n, event)
        yyjson_mut_arr_append(list, yyjson_val_mut_copy(d, json_get(event, "payload")));
    json_add_int(d, o, "total_count", (int64_t)yyjson_arr_size(events));
    json_parse(a, json_write_mut(a, o), &out, NULL);
    return out;
}

/* Environment variables, and the environment's name and type where no variable is called so. */
static yyjson_val *env_value(struct arena *a, const struct machine_facts *f)
{
    const struct { struct str name, value; } own[] = {{STR("name"), f->environment_name}, {STR("type"), f->environment_type}};
    struct json_made env = {.arena = a};
    yyjson_val *k;
    yyjson_obj_iter it = yyjson_obj_iter_with(f->environment_variables);
    while ((k = yyjson_obj_iter_next(&it)))
        json_made_val(&env, json_str(k), yyjson_obj_iter_get_val(k));
    for (size_t i = 0; i < 2; i++)
        if (!json_getn(f->environment_variables, own[i].name))
            json_made_str(&env, own[i].name, own[i].value);
    return json_made_end(&env);
}

size_t render_variables(const struct machine *m, int job, struct liquid_variable out[RENDER_VARIABLES_MAX])
{
    struct arena *a = m->run->arena;
    const struct machine_facts *f = m->facts;
    yyjson_val *empty = json_made_end(&(struct json_made){.arena = a});
    size_t n = 0;
    out[n++] = (struct liquid_variable){STR("payload"), f->payload ? f->payload : empty};
    out[n++] = (struct liquid_variable){STR("subscriber"), render_subscriber(a, f->subscriber)};
    out[n++] = (struct liquid_variable){STR("steps"), job > 1 ? steps_value(m, job) : empty};
    out[n++] = (struct liquid_variable){STR("workflow"), definition_value(a, f->current, m->run->row.severity)};
    out[n++] = (struct liquid_variable){STR("env"), env_value(a, f)};
    out[n++] = (struct liquid_variable){STR("context"), f->context ? f->context : empty};
    yyjson_val *step = render_step(m, job);
    if (step)
        out[n++] = (struct liquid_variable){STR("step"), step};
    if (f->actor)
        out[n++] = (struct liquid_variable){STR("actor"), f->actor};
    if (f->tenant && !f->tenant_missing)
        out[n++] = (struct liquid_variable){STR("tenant"), f->tenant};
    return n;
}

/* {{t.key}} in the reader's language, in all texts (content.md §5). */
static bool values_translate(const struct machine *m, const struct liquid_context *ctx, yyjson_val *in, yyjson_val **out,
                             struct error *err)
{
    const struct machine_facts *f = m->facts;
    struct translator t = {resource_texts_for(&f->current->texts, f->subscriber->field[SUBSCRIBER_LOCALE]), ctx};
    return translate_values(&t, m->run->arena, in, out, err);
}

/* The same in all outputs; a workflow without translations keeps it as it is. */
static bool outputs_translate(const struct machine *m, const struct liquid_context *ctx, yyjson_mut_doc *d, yyjson_mut_val **out,
                              struct error *err)
{
    struct arena *a = m->run->arena;
    yyjson_val *in, *translated;
    if (!m->facts->current->texts.on)
        return true;
    if (!json_parse(a, json_write_mut(a, *out), &in, err) || !values_translate(m, ctx, in, &translated, err))
        return false;
    if (translated != in)
        *out = yyjson_val_mut_copy(d, translated);
    return true;
}

bool render_translate(const struct machine *m, int job, yyjson_val *in, yyjson_val **out, struct error *err)
{
    struct liquid_variable variables[RENDER_VARIABLES_MAX];
    struct liquid_context ctx = {.variables = variables, .mode = LIQUID_PLAIN, .now_ms = m->facts->now};
    *out = in;
    if (!m->facts->current->texts.on)
        return true;
    ctx.variables_n = render_variables(m, job, variables);
    return values_translate(m, &ctx, in, out, err);
}

/* Are all texts UTF-8? A filter can make something else, which is told as the failure that it is when it is written. */
static bool is_writable(yyjson_mut_val *v)
{
    size_t i, n;
    yyjson_mut_val *key, *member;
    if (yyjson_mut_is_str(v))
        return str_is_utf8((struct str){yyjson_mut_get_str(v), yyjson_mut_get_len(v)});
    yyjson_mut_arr_foreach(v, i, n, member)
        if (!is_writable(member))
            return false;
    yyjson_mut_obj_foreach(v, i, n, key, member)
        if (!is_writable(key) || !is_writable(member))
            return false;
    return true;
}

bool render_controls(struct machine *m, int job, const struct step_definition *s, yyjson_val **outputs, struct error *err)
{
    struct arena *a = m->run->arena;
    struct liquid_variable variables[RENDER_VARIABLES_MAX];
    struct liquid_context ctx = {.variables = variables, .mode = LIQUID_PLAIN, .now_ms = m->facts->now};
    yyjson_mut_doc *d;
    yyjson_mut_val *out;
    *outputs = NULL;
    if (!s->controls)
        return json_parse(a, STR("{}"), outputs, err);
    d = json_doc(a);
    ctx.variables_n = render_variables(m, job, variables);
    if (!controls_render(s->controls, &ctx, a, d, &out, err) || !outputs_translate(m, &ctx, d, &out, err))
        return false;
    if (s->body.plain && !(s->type == STEP_CHAT ? chat_output(m, s, &ctx, d, out, err) : email_output(m, job, s, &ctx, d, out, err)))
        return false;
    /* engine.md §7.5: everything that the Inbox will show is made harmless. */
    if (s->type == STEP_IN_APP && !json_get_bool(s->values, "disableOutputSanitization", false))
        sanitize_json_mut(a, out);
    if (!s->body.plain && is_writable(out)) {       /* bodies bring texts of JSON with them */
        *outputs = json_frozen(a, out);
        return true;
    }
    return json_parse(a, json_write_mut(a, out), outputs, err);
}

/* Values of environment variables may be secrets: the log says only that they were looked at. */
static void mask_env(yyjson_mut_val *lookups)
{
    size_t i, n;
    yyjson_mut_val *path, *value;
    yyjson_mut_obj_foreach(lookups, i, n, path, value) {
        struct str p = {yyjson_mut_get_str(path), yyjson_mut_get_len(path)};
        if (str_eqz(p, "env") || str_starts(p, STR("env.")))
            yyjson_mut_set_str(value, "***");
    }
}

/* Says which rule let the step run, with the values that it saw (engine.md §3 step 6). A step that asked something has said it. */
static void log_matched(struct machine *m, int job, yyjson_val *rule, struct str seen)
{
    if (machine_has_logged(m, job, DETAIL_CONDITIONS_MATCHED))
        return;
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *raw = yyjson_mut_obj(d);
    json_add_val(d, raw, "conditions", rule);
    json_add_text(d, raw, "evaluatedValues", seen);
    machine_log(m, job, DETAIL_CONDITIONS_MATCHED, DETAIL_SUCCESS, json_write_mut(m->run->arena, raw));
}

/* Values of the rule may hold {{path}}: they are rendered like the other controls (engine.md §5.1). */
static bool condition_run(const struct step_definition *s, const struct liquid_context *ctx, struct arena *a, yyjson_mut_doc *d,
                          yyjson_mut_val *lookups, bool *run_it, struct error *err)
{
    struct jsonlogic_context logic = {.variables = ctx->variables, .variables_n = ctx->variables_n, .now_ms = ctx->now_ms,
                                      .lookups = lookups};
    struct error why = {0};
    yyjson_mut_val *rule, *result;
    bool done;
    if (s->rule) {
        done = jsonlogic_test(s->rule, &logic, a, d, run_it, &why);
    } else {
        if (!controls_render(s->condition, ctx, a, d, &rule, err))
            return false;
        done = jsonlogic_apply_mut(rule, &logic, a, d, &result, &why);
        *run_it = done && jsonlogic_truthy(result);
    }
    return done || error_set(err, ERROR_BAD_INPUT, "Failed to evaluate rule: %s", why.message);
}

bool render_condition_seen(const struct machine *m, int job, const struct step_definition *s, bool *run_it, struct str *seen,
                           struct error *err)
{
    struct arena *a = m->run->arena;
    struct liquid_variable variables[RENDER_VARIABLES_MAX];
    struct liquid_context ctx = {.variables = variables, .mode = LIQUID_PLAIN, .now_ms = m->facts->now};
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *lookups = yyjson_mut_obj(d);
    ctx.variables_n = render_variables(m, job, variables);
    if (!condition_run(s, &ctx, a, d, lookups, run_it, err))
        return false;
    mask_env(lookups);
    *seen = json_write_mut(a, lookups);
    return true;
}

bool render_condition(struct machine *m, int job, const struct step_definition *s, bool *run_it, struct error *err)
{
    struct str seen;
    *run_it = true;
    if (jsonlogic_is_empty(s->skip))
        return true;
    if (!render_condition_seen(m, job, s, run_it, &seen, err))
        return false;
    if (*run_it)
        log_matched(m, job, s->skip, seen);
    return true;
}
