/* The http_request step: one request to a URL of the author's, whose answer later steps can use (engine.md §4.9). */
#include "engine/http_request.h"

#include "content/jsonschema.h"
#include "engine/machine_private.h"

enum { TIMEOUT_DEFAULT_MS = 5000, TIMEOUT_MAX_MS = 60000, RESPONSE_SHOWN = 1000 };

struct str http_request_method(yyjson_val *values)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    struct str given = json_get_str(values, "method");
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (str_eq_nocase(given, str_of(methods[i])))
            return str_of(methods[i]);
    return STR("POST");
}

static bool has_body(struct str method)
{
    return method.p[0] == 'P';          /* POST, PUT, PATCH (decisions.md 26) */
}

/* [{key, value}] as an object. */
static struct str pairs_body(struct arena *a, yyjson_val *pairs)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *pair;
    size_t i, n;
    yyjson_arr_foreach(pairs, i, n, pair) {
        yyjson_val *key = json_get(pair, "key"), *value = json_get(pair, "value");
        if (!yyjson_is_str(key) || !yyjson_get_len(key))
            continue;
        yyjson_mut_obj_remove_keyn(o, yyjson_get_str(key), yyjson_get_len(key));
        yyjson_mut_obj_add(o, yyjson_val_mut_copy(d, key), value ? yyjson_val_mut_copy(d, value) : yyjson_mut_null(d));
    }
    return yyjson_mut_obj_size(o) ? json_write_mut(a, o) : STR_NULL;
}

bool http_request_body(struct arena *a, yyjson_val *values, struct str *body, struct error *err)
{
    yyjson_val *v = json_get(values, "body"), *parsed;
    *body = STR_NULL;
    if (!has_body(http_request_method(values)))
        return true;
    if (yyjson_is_arr(v)) {
        *body = pairs_body(a, v);
    } else if (yyjson_is_obj(v)) {
        *body = json_write(a, v);
    } else if (str_trim(json_str(v)).n) {
        if (!json_parse(a, json_str(v), &parsed, err))
            return false;
        if (!yyjson_is_ctn(parsed))
            return error_set(err, ERROR_BAD_INPUT, "Raw body must be a JSON object or array");
        *body = json_write(a, parsed);
    }
    return true;
}

static int64_t timeout_of(yyjson_val *v)
{
    int64_t ms = 0;
    if (yyjson_is_num(v))
        ms = (int64_t)yyjson_get_num(v);
    else if (yyjson_is_str(v))
        str_to_i64(str_trim(json_str(v)), &ms);
    return ms <= 0 ? TIMEOUT_DEFAULT_MS : ms > TIMEOUT_MAX_MS ? TIMEOUT_MAX_MS : ms;
}

enum outcome step_http_request(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs)
{
    struct arena *a = m->run->arena;
    struct str url = str_trim(json_get_str(outputs, "url")), method = http_request_method(outputs), body = STR_NULL;
    struct error err = {0};
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    (void)s;
    if (!url.n)
        return call_fail(m, job, STR("HTTP request step is missing a URL. Please configure a URL in the step settings."));
    if (!http_request_body(a, outputs, &body, &err))
        return call_fail(m, job, str_fmt(a, "HTTP request step template compilation failed: %s", err.message));
    json_add_str(d, o, "kind", STR("http"));
    json_add_str(d, o, "method", method);
    json_add_str(d, o, "url", url);
    json_add_val(d, o, "headers", json_get(outputs, "headers"));
    if (body.p)
        json_add_str(d, o, "body", body);
    json_add_int(d, o, "timeout", timeout_of(json_get(outputs, "timeout")));
    return call_begin(m, job, json_write_mut(a, o));
}

static struct str problem_path(const struct jsonschema_error *e)
{
    return e->instance_path.n ? e->instance_path : STR("/");
}

/* true: the body is as its schema says, or none is enforced. */
static bool body_is_valid(struct machine *m, int job, const struct step_definition *s, yyjson_val *body)
{
    struct arena *a = m->run->arena;
    yyjson_val *text = json_get(s->values, "responseBodySchema"), *schema = text;
    yyjson_mut_doc *d = json_doc(a);
    struct jsonschema_result r = {0};
    struct error err = {0};
    if (!json_get_bool(s->values, "enforceSchemaValidation", false))
        return true;
    if (yyjson_is_str(text) && !json_parse(a, json_str(text), &schema, &err))
        schema = NULL;
    struct jsonschema *program = yyjson_is_obj(schema) ? jsonschema_compile(a, schema, NULL, &err) : NULL;
    if (!yyjson_is_obj(schema) && !err.message[0])
        return true;
    const struct jsonschema_options options = {.all_errors = true};
    if (program && jsonschema_validate(program, body, &options, a, d, &r, &err) && r.valid)
        return true;
    yyjson_mut_val *raw = yyjson_mut_obj(d), *errors = json_add_arr(d, raw, "errors");
    for (size_t i = 0; i < r.errors_n; i++) {
        yyjson_mut_val *e = yyjson_mut_arr_add_obj(d, errors);
        json_add_str(d, e, "path", problem_path(&r.errors[i]));
        json_add_str(d, e, "message", r.errors[i].message);
    }
    if (!r.errors_n) {                  /* the schema itself cannot be used */
        yyjson_mut_val *e = yyjson_mut_arr_add_obj(d, errors);
        json_add_str(d, e, "path", STR("/"));
        json_add_str(d, e, "message", str_dup(a, str_of(err.message)));
    }
    json_add_val(d, raw, "responseBody", body);
    machine_fail(m, job, DETAIL_RESPONSE_INVALID, call_raw(m, d, raw, "responseBody"), STR_NULL);
    return false;
}

static void log_processed(struct machine *m, int job, const struct call_answer *answer, yyjson_val *body)
{
    struct arena *a = m->run->arena;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *raw = yyjson_mut_obj(d);
    json_add_int(d, raw, "statusCode", answer->status);
    if (body)
        json_add_val(d, raw, "body", body);
    else
        json_add_str(d, raw, "body", answer->body.p ? answer->body : STR(""));
    json_add_text(d, raw, "headers", answer->headers.n ? answer->headers : STR("{}"));
    machine_log(m, job, DETAIL_STEP_PROCESSED, DETAIL_SUCCESS, call_raw(m, d, raw, "body"));
}

/* With the start of what the other side said, where it said something. */
static enum outcome refused(struct machine *m, int job, const struct call_answer *answer)
{
    struct arena *a = m->run->arena;
    struct str said = str_cut(answer->body, RESPONSE_SHOWN);
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *raw = yyjson_mut_obj(d);
    if (answer->end != CALL_ANSWERED || !said.n || !str_is_utf8(said))
        return call_fail(m, job, answer->error);
    json_add_str(d, raw, "error", answer->error);
    json_add_str(d, raw, "response", said);
    return machine_fail(m, job, DETAIL_STEP_FAILED, json_write_mut(a, raw), str_dup(a, answer->error));
}

enum outcome http_request_answered(struct machine *m, int job, const struct step_definition *s, const struct call_answer *answer)
{
    struct arena *a = m->run->arena;
    struct run_job *j = &m->run->jobs[job];
    yyjson_val *body = NULL;
    if (answer->end != CALL_ANSWERED || answer->status < 200 || answer->status > 299)
        return refused(m, job, answer);
    struct str text = str_is_utf8(answer->body) ? answer->body : STR_NULL;
    if (!json_parse(a, text, &body, NULL))
        body = NULL;
    if (!yyjson_is_obj(body))
        machine_log(m, job, DETAIL_NON_OBJECT_RESPONSE, DETAIL_WARNING, STR_NULL);
    if (!body) {
        yyjson_mut_doc *d = json_doc(a);
        json_parse(a, json_write_mut(a, json_mut_str(d, text.p ? text : STR(""))), &body, NULL);
    }
    if (!body_is_valid(m, job, s, body))
        return OUTCOME_FAILED;
    j->output = yyjson_is_obj(body) ? json_write(a, body) : STR_NULL;
    log_processed(m, job, answer, body);
    return OUTCOME_COMPLETED;
}
