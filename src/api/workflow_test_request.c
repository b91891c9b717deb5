/* POST /v2/workflows/steps/test-http-request: an HTTP step's request as it is being edited, made once, and its answer
 * (upstream: workflows-v2/usecases/test-http-endpoint). */
#include "api/call.h"
#include "api/workflow_private.h"
#include "content/controls.h"
#include "engine/http_request.h"

enum { TEST_TIMEOUT_MS = 30000, VARIABLES = 5 };

struct test_request {
    struct request *rq;
    struct engine_call call;
    yyjson_mut_doc *d;
    yyjson_mut_val *resolved;           /* resolvedRequest of the answer */
    int64_t begun_ms;
};

/* The answer to our caller; body: of the other side, or {error}. */
static void reply_test(struct test_request *x, int status, yyjson_mut_val *body, struct str headers)
{
    yyjson_mut_val *o = yyjson_mut_obj(x->d);
    json_add_int(x->d, o, "statusCode", status);
    yyjson_mut_obj_add_val(x->d, o, "body", body);
    json_add_text(x->d, o, "headers", headers.n ? headers : STR("{}"));
    json_add_int(x->d, o, "durationMs", clock_real_ms() - x->begun_ms);
    yyjson_mut_obj_add_val(x->d, o, "resolvedRequest", x->resolved);
    reply_json(x->rq, 0, o);
}

static void reply_error_test(struct test_request *x, int status, struct str error, struct str code)
{
    yyjson_mut_val *body = yyjson_mut_obj(x->d);
    json_add_str(x->d, body, "error", str_is_utf8(error) ? error : STR("The request failed"));
    if (code.n)
        json_add_str(x->d, body, "networkCode", code);
    reply_test(x, status, body, STR_NULL);
}

static void test_ended(void *user, const struct call_answer *answer)
{
    struct test_request *x = user;
    yyjson_val *body = NULL;
    if (answer->end != CALL_ANSWERED) {
        reply_error_test(x, answer->end == CALL_REFUSED ? 400 : answer->end == CALL_TIMED_OUT ? 408 : 502, answer->error, answer->code);
        return;
    }
    struct str text = str_is_utf8(answer->body) ? answer->body : STR_NULL;
    if (!json_parse(x->rq->arena, text, &body, NULL))
        body = NULL;
    reply_test(x, answer->status, body ? yyjson_val_mut_copy(x->d, body) : json_mut_str(x->d, text.p ? text : STR("")), answer->headers);
}

/* The control values with their templates filled in from what the caller says stands for a run. */
static bool values_render(struct request *rq, yyjson_val *values, yyjson_val *example, yyjson_val **out, struct error *err)
{
    static const char *const names[VARIABLES] = {"subscriber", "payload", "steps", "env", "context"};
    struct liquid_variable variables[VARIABLES];
    struct liquid_context ctx = {.variables = variables, .now_ms = app_now(rq)};
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *rendered;
    for (int i = 0; i < VARIABLES; i++)
        if (json_get(example, names[i]))
            variables[ctx.variables_n++] = (struct liquid_variable){str_of(names[i]), json_get(example, names[i])};
    return controls_render(controls_compile_request(rq->arena, values), &ctx, rq->arena, d, &rendered, err)
        && json_parse(rq->arena, json_write_mut(rq->arena, rendered), out, err);
}

static void add_header(yyjson_mut_doc *d, yyjson_mut_val *list, yyjson_mut_val *shown, struct str name, struct str value)
{
    yyjson_mut_val *pair = yyjson_mut_arr_add_obj(d, list);
    json_add_str(d, pair, "key", name);
    json_add_str(d, pair, "value", value);
    yyjson_mut_obj_put(shown, json_mut_str(d, name), json_mut_str(d, value));
}

/* The step's headers and, over this body, the signature: for the request, and as they are shown. */
static void headers_make(struct test_request *x, yyjson_val *given, struct str secret)
{
    struct arena *a = x->rq->arena;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *list = yyjson_mut_arr(d), *shown = yyjson_mut_obj(d);
    yyjson_val *h, *made;
    size_t i, n;
    yyjson_arr_foreach(given, i, n, h)
        if (json_get_str(h, "key").n && !str_eq_nocase(str_trim(json_get_str(h, "key")), STR("novu-signature")))
            add_header(d, list, shown, str_trim(json_get_str(h, "key")), json_get_str(h, "value"));
    add_header(d, list, shown, STR("novu-signature"), call_signature(a, secret, x->call.body));
    if (json_parse(a, json_write_mut(a, list), &x->call.headers, NULL) && json_parse(a, json_write_mut(a, shown), &made, NULL))
        json_add_val(x->d, x->resolved, "headers", made);
}

static void test_begin(struct test_request *x, yyjson_val *values, const struct environment_view *v)
{
    struct arena *a = x->rq->arena;
    struct error err = {0};
    x->d = json_doc(a);
    x->resolved = yyjson_mut_obj(x->d);
    x->begun_ms = clock_real_ms();
    x->call = (struct engine_call){.arena = a, .environment = v->environment.id, .method = http_request_method(values),
                                   .url = str_trim(json_get_str(values, "url")), .timeout_ms = TEST_TIMEOUT_MS, .hops = 1};
    json_add_str(x->d, x->resolved, "url", x->call.url.p ? x->call.url : STR(""));
    json_add_str(x->d, x->resolved, "method", x->call.method);
    if (!http_request_body(a, values, &x->call.body, &err)) {
        json_add_obj(x->d, x->resolved, "headers");
        reply_error_test(x, 400, str_fmt(a, "Invalid raw JSON body: %s", err.message), STR_NULL);
        return;
    }
    headers_make(x, json_get(values, "headers"), v->secret);
    if (x->call.body.p)
        json_add_text(x->d, x->resolved, "body", x->call.body);
    call_start(app_of(x->rq), &x->call, test_ended, x);
}

void workflow_handle_test_request(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct test_request *x = ARENA_NEW(rq->arena, struct test_request);
    yyjson_val *values = check_object(&checks, rq->json, "controlValues", false);
    yyjson_val *example = check_object(&checks, rq->json, "previewPayload", false), *rendered = NULL;
    struct error err = {0};
    if (!checks_done(&checks))
        return;
    x->rq = rq;
    if (values && !values_render(rq, values, example, &rendered, &err)) {
        reply_fail(rq, 400, "HTTP request step template compilation failed: %s", err.message);
        return;
    }
    struct environment_view *v = directory_environment(app_of(rq)->directory, app_db(rq), rq->principal.environment, &err);
    if (!v) {
        reply_error(rq, &err);
        return;
    }
    test_begin(x, rendered, v);
    cached_unref(&v->head);
}
