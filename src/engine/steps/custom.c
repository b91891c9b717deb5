/* The custom step: code of the application's own, run through its bridge (engine.md §4.4, §4.11; bridge-cli.md §2). */
#include "engine/machine_private.h"
#include "engine/render.h"

enum { BRIDGE_TIMEOUT_MS = 5000, BRIDGE_ATTEMPTS = 4 };

/* Percent-encodes what a query value may not hold. */
static void put_query(struct buf *b, const char *name, struct str value)
{
    buf_fmt(b, "%s=", name);
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("-_.~", c)))
            buf_char(b, (char)c);
        else
            buf_fmt(b, "%%%02X", c);
    }
}

static struct str action_url(struct machine *m, int job, const struct step_definition *s, struct str bridge)
{
    struct arena *a = m->run->arena;
    struct buf b = {.arena = a};
    buf_str(&b, bridge);
    buf_z(&b, memchr(bridge.p, '?', bridge.n) ? "&action=execute&" : "?action=execute&");
    put_query(&b, "workflowId", m->facts->current->workflow.identifier);
    buf_char(&b, '&');
    put_query(&b, "stepId", s->step_id);
    buf_char(&b, '&');
    put_query(&b, "jobId", id_str(a, run_derived_id(m->run->row.id, DERIVED_JOB, job)));
    return buf_finish(&b);
}

/* The earlier steps, from the nearest back to the trigger. */
static void add_state(struct machine *m, int job, yyjson_mut_doc *d, yyjson_mut_val *body)
{
    yyjson_mut_val *list = json_add_arr(d, body, "state");
    for (int i = job - 1; i >= 0; i--) {
        const struct run_job *j = &m->run->jobs[i];
        yyjson_mut_val *entry = yyjson_mut_arr_add_obj(d, list);
        json_add_str(d, entry, "stepId", i ? m->facts->version->steps[j->step].step_id : STR("trigger"));
        json_add_text(d, entry, "outputs", j->output.n ? j->output : STR("{}"));
        yyjson_mut_val *state = json_add_obj(d, entry, "state");
        json_add_str(d, state, "status", job_status_name(j->status));
        if (j->error.n)
            json_add_str(d, state, "error", j->error);
    }
}

static struct str bridge_body(struct machine *m, int job, const struct step_definition *s)
{
    struct arena *a = m->run->arena;
    struct liquid_variable variables[RENDER_VARIABLES_MAX];
    static const char *const sent[] = {"payload", "subscriber", "context", "env"};
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *body = yyjson_mut_obj(d);
    size_t n = render_variables(m, job, variables);
    for (size_t k = 0; k < sizeof sent / sizeof *sent; k++)
        for (size_t i = 0; i < n; i++)
            if (str_eqz(variables[i].name, sent[k]))
                json_add_val(d, body, sent[k], variables[i].value);
    yyjson_mut_obj_remove_key(yyjson_mut_obj_get(body, "payload"), "__source");
    if (s->values)
        json_add_val(d, body, "controls", s->values);
    else
        json_add_obj(d, body, "controls");
    add_state(m, job, d, body);
    return json_write_mut(a, body);
}

static enum outcome bridge_fail(struct machine *m, int job, struct str code, struct str message, yyjson_val *data)
{
    struct arena *a = m->run->arena;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *raw = yyjson_mut_obj(d);
    json_add_str(d, raw, "message", message);
    json_add_str(d, raw, "code", code);
    json_add_val(d, raw, "data", data);
    return machine_fail(m, job, DETAIL_BRIDGE_FAILED, call_raw(m, d, raw, "data"), message);
}

enum outcome step_custom(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs)
{
    struct arena *a = m->run->arena;
    struct str bridge = m->facts->bridge_url;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d), *headers;
    (void)outputs;
    if (!bridge.n)
        return bridge_fail(m, job, STR("InvalidBridgeUrl"), STR("Invalid bridge URL: "), NULL);
    json_add_str(d, o, "kind", STR("bridge"));
    json_add_str(d, o, "method", STR("POST"));
    json_add_str(d, o, "url", action_url(m, job, s, bridge));
    headers = json_add_arr(d, o, "headers");
    yyjson_mut_val *h = yyjson_mut_arr_add_obj(d, headers);
    json_add_str(d, h, "key", STR("bypass-tunnel-reminder"));
    json_add_str(d, h, "value", STR("true"));
    json_add_str(d, o, "body", bridge_body(m, job, s));
    json_add_int(d, o, "timeout", BRIDGE_TIMEOUT_MS);
    return call_begin(m, job, json_write_mut(a, o));
}

/* bridge-cli.md §2.2 */
static bool worth_again(const struct call_answer *answer)
{
    static const int statuses[] = {408, 429, 500, 503, 504, 521, 522, 524};
    if (answer->end != CALL_ANSWERED)
        return answer->end != CALL_REFUSED;
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (answer->status == statuses[i])
            return true;
    return false;
}

/* bridge-cli.md §2.3: what a failure is called. {url} stands for the bridge's URL. */
static const struct failure {
    int status;                 /* 0: none, see end */
    enum call_end end;
    const char *code, *message;
} failures[] = {
    {0, CALL_TIMED_OUT, "BridgeRequestTimeout", "Bridge request timeout for `{url}`"},
    {0, CALL_UNREACHABLE, "", "Unable to reach Bridge Endpoint at `{url}`. Run npx novu@latest dev in Local mode, or ensure your "
                              "Bridge app deployment is available."},
    {401, CALL_ANSWERED, "BridgeAuthenticationFailed",
     "Bridge authentication failed for `{url}`. Please check your NOVU_SECRET_KEY environment variable."},
    {404, CALL_ANSWERED, "BridgeEndpointUnavailable",
     "Unable to reach Bridge Endpoint at `{url}`. Run npx novu@latest dev in Local mode, or ensure your Bridge app deployment is "
     "available."},
    {405, CALL_ANSWERED, "BridgeMethodNotConfigured",
     "Bridge Endpoint at `{url}` is not correctly configured. Ensure your `@novu/framework` integration exposes the `POST`, `GET`, "
     "and `OPTIONS` methods."},
    {413, CALL_ANSWERED, "PayloadTooLarge", "Payload too large for `{url}`"},
    {502, CALL_ANSWERED, "BridgeEndpointNotFound",
     "Could not connect to Bridge Endpoint at `{url}`. Make sure you are running your local app server."},
};

static struct str with_url(struct arena *a, const char *message, struct str url)
{
    const char *at = strstr(message, "{url}");
    return at ? str_fmt(a, "%.*s%.*s%s", (int)(at - message), message, STR_ARG(url), at + 5) : str_of(message);
}

static enum outcome fail_by_answer(struct machine *m, int job, const struct call_answer *answer, yyjson_val *body)
{
    struct arena *a = m->run->arena;
    struct str url = m->facts->bridge_url, code = json_get_str(body, "code"), message = json_get_str(body, "message");
    if (str_eqz(code, "TUNNEL_ERROR"))
        return bridge_fail(m, job, STR("TunnelNotFound"),
                           with_url(a, "Unable to establish tunnel connection to `{url}`. Run npx novu@latest dev in Local mode, or "
                                       "ensure your Tunnel app deployment is available.", url), NULL);
    if (code.n && message.n)            /* the framework's own words */
        return bridge_fail(m, job, code, message, json_get(body, "data"));
    if (answer->end == CALL_REFUSED)
        return bridge_fail(m, job, STR("InvalidBridgeUrl"), answer->error, NULL);
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
        if (failures[i].end == answer->end && failures[i].status == answer->status)
            return bridge_fail(m, job, failures[i].code[0] ? str_of(failures[i].code)
                                       : answer->code.n ? answer->code : STR("ECONNRESET"),
                               with_url(a, failures[i].message, url), NULL);
    return bridge_fail(m, job, STR("UnknownBridgeRequestError"),
                       with_url(a, "Unknown bridge request error calling `{url}`", url), NULL);
}

enum outcome custom_answered(struct machine *m, int job, const struct step_definition *s, const struct call_answer *answer)
{
    struct arena *a = m->run->arena;
    struct run_job *j = &m->run->jobs[job];
    yyjson_val *body = NULL, *outputs;
    (void)s;
    if (worth_again(answer) && j->attempts < BRIDGE_ATTEMPTS && !m->run->chain_ended)
        return call_again(m, job, 500ll << j->attempts);        /* 1, 2, 4 s */
    bool good = answer->end == CALL_ANSWERED && answer->status >= 200 && answer->status <= 299;
    if (!str_is_utf8(answer->body) || !json_parse(a, answer->body, &body, NULL))
        body = NULL;
    if (!good)
        return fail_by_answer(m, job, answer, body);
    if (!yyjson_is_obj(body))
        return bridge_fail(m, job, STR("ResponseParseError"),
                           with_url(a, "Bridge URL response code is 2xx, but parsing body failed for `{url}`", m->facts->bridge_url), NULL);
    if (json_get_bool(json_get(body, "options"), "skip", false)) {
        machine_log(m, job, DETAIL_BRIDGE_SKIPPED, DETAIL_FAILED, STR("{\"skip\":true}"));
        j->skip = SKIP_CONDITION;
        return OUTCOME_SKIPPED;
    }
    outputs = json_get(body, "outputs");
    j->output = yyjson_is_obj(outputs) ? json_write(a, outputs) : STR_NULL;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *raw = yyjson_mut_obj(d);
    if (j->output.n <= 10240)
        machine_log(m, job, DETAIL_STEP_PROCESSED, DETAIL_SUCCESS, j->output.n ? j->output : STR("{}"));
    else {
        json_add_val(d, raw, "outputs", outputs);
        machine_log(m, job, DETAIL_STEP_PROCESSED, DETAIL_SUCCESS, call_raw(m, d, raw, "outputs"));
    }
    return OUTCOME_COMPLETED;
}
