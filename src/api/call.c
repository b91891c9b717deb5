/* HTTP requests that are steps of workflows: signed, kept out of private networks, redirected at most three times. */
#include "api/call.h"
#include "api/bridge_call.h"

#include "delivery/http_attempt.h"
#include "delivery/reply_text.h"
#include "model/webhook.h"

enum { REDIRECTS_MAX = 3, HEADERS_GIVEN_MAX = 64, BRIDGE_ANSWER_MAX = 25 << 20 };

struct flight {
    struct http_call call;
    struct engine_call *step;
    struct app *app;
    void (*ended)(void *user, const struct call_answer *answer);    /* may free the arena that this lives in */
    void *user;
    struct outbound_target target;
    struct str method, url, body;       /* of the request under way */
    struct str origin;
    int redirects;
    bool bare;                          /* sent to another origin: without what was meant for the first */
};

static void finish(struct flight *f, const struct call_answer *answer)
{
    f->ended(f->user, answer);
}

static void refuse(struct flight *f, struct str why)
{
    finish(f, &(struct call_answer){.end = CALL_REFUSED, .error = why});
}

static void refuse_as(struct flight *f, const char *code, struct str why)
{
    finish(f, &(struct call_answer){.end = CALL_REFUSED, .code = str_of(code), .error = why});
}

/* novu-signature: t=<ms>,v1=<hmac of "<ms>.<body or {}>"> (engine.md §4.9); fresh for every attempt. */
struct str call_signature(struct arena *a, struct str secret, struct str body)
{
    int64_t t = clock_real_ms();
    struct str signed_text = str_fmt(a, "%lld.%.*s", (long long)t, STR_ARG(body.n ? body : STR("{}")));
    return str_fmt(a, "t=%lld,v1=%.*s", (long long)t, STR_ARG(crypto_hmac_sha256_hex(a, secret, signed_text)));
}

static void add_header(struct http_request *q, struct http_header *list, struct str name, struct str value)
{
    for (size_t i = 0; i < q->headers_n; i++)
        if (str_eq_nocase(list[i].name, name)) {
            list[i] = (struct http_header){name, value};
            return;
        }
    list[q->headers_n++] = (struct http_header){name, value};
}

/* What the step says, and the signature: not for another origin. */
static void given_headers(struct flight *f, struct http_header *list)
{
    struct engine_call *s = f->step;
    struct http_request *q = &f->call.request;
    yyjson_val *h;
    size_t i, n;
    yyjson_arr_foreach(s->headers, i, n, h)
        if (i < HEADERS_GIVEN_MAX && json_get_str(h, "key").n)
            add_header(q, list, str_trim(json_get_str(h, "key")), json_get_str(h, "value"));
    if (s->secret.n && s->filter)              /* over the environment's id (engine.md §5.3) */
        add_header(q, list, STR("nv-hmac-256"), crypto_hmac_sha256_hex(s->arena, s->secret, id_str(s->arena, s->environment)));
    else if (s->secret.n)
        add_header(q, list, STR("novu-signature"), call_signature(s->arena, s->secret, f->body));
}

static void fill_headers(struct flight *f)
{
    struct engine_call *s = f->step;
    struct http_request *q = &f->call.request;
    struct http_header *list = ARENA_ARRAY(s->arena, struct http_header, HEADERS_GIVEN_MAX + 3);
    q->headers = list;
    q->headers_n = 0;
    if (f->body.n)
        add_header(q, list, STR("content-type"), STR("application/json"));
    if (!f->bare)
        given_headers(f, list);
    if (s->hops)
        add_header(q, list, STR(HOPS_HEADER), str_fmt(s->arena, "%d", s->hops));
}

static struct str headers_json(struct arena *a, const struct http_response *r)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    for (size_t i = 0; i < r->headers_n; i++) {
        char *name = str_z(a, r->headers[i].name);
        if (!str_is_utf8(r->headers[i].name) || !str_is_utf8(r->headers[i].value))
            continue;
        for (char *p = name; *p; p++)
            if (*p >= 'A' && *p <= 'Z')
                *p = (char)(*p + 32);
        yyjson_mut_obj_remove_key(o, name);
        json_add_str(d, o, name, r->headers[i].value);
    }
    return json_write_mut(a, o);
}

static void flight_go(struct flight *f);

/* Where an answer sends us. false: it does not. */
static bool location_of(struct flight *f, const struct http_response *r, struct str *to)
{
    struct str location = http_response_header(r, "location");
    if ((r->status != 301 && r->status != 302 && r->status != 303 && r->status != 307 && r->status != 308) || !location.n)
        return false;
    if (str_find(location, STR("://")) > 0)
        *to = location;
    else if (str_starts(location, STR("//")))
        *to = str_fmt(f->step->arena, "%.*s:%.*s", (int)str_find(f->origin, STR("://")), f->origin.p, STR_ARG(location));
    else
        *to = str_fmt(f->step->arena, "%.*s%s%.*s", STR_ARG(f->origin), location.p[0] == '/' ? "" : "/", STR_ARG(location));
    return true;
}

static void redirect(struct flight *f, const struct http_response *r, struct str to)
{
    struct arena *a = f->step->arena;
    struct str origin = STR_NULL;
    struct error err = {0};
    if (++f->redirects > REDIRECTS_MAX) {
        refuse_as(f, "MaximumRedirectsExceeded", str_fmt(a, "Maximum redirects exceeded for `%.*s`", STR_ARG(f->step->url)));
        return;
    }
    if (!http_origin(a, to, &origin, &err)) {
        refuse(f, str_dup(a, str_of(err.message)));
        return;
    }
    bool away = !str_eq(origin, f->origin), keeps = r->status == 307 || r->status == 308;
    if (away && keeps) {
        refuse(f, STR("The redirect to another origin was blocked by the outbound SSRF policy."));
        return;
    }
    if (r->status == 303 || (!keeps && str_eqz(f->method, "POST")))
        f->method = STR("GET");
    if (away || str_eqz(f->method, "GET"))
        f->body = STR_NULL;
    f->bare |= away;
    f->url = str_dup(a, to);
    flight_go(f);
}

/* What the network said, as node's errors are called. */
static struct str network_code(struct str error)
{
    static const struct { const char *words, *code; } codes[] = {
        {"Could not resolve", "ENOTFOUND"}, {"Connection refused", "ECONNREFUSED"}, {"Failed to connect", "ECONNREFUSED"},
        {"Couldn't connect", "ECONNREFUSED"}, {"self-signed", "SelfSignedCertificate"}, {"self signed", "SelfSignedCertificate"}, {"No route to host", "EHOSTUNREACH"}, {"unreachable", "ENETUNREACH"}};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (str_find(error, str_of(codes[i].words)) >= 0)
            return str_of(codes[i].code);
    return STR("ECONNRESET");
}

static bool is_timeout(struct str error)
{
    return str_find(error, STR("timed out")) >= 0 || str_find(error, STR("Timeout")) >= 0;
}

static void flight_done(struct http_call *c, const struct http_response *r)
{
    struct flight *f = (struct flight *)c;
    struct str to;
    if (f->target.refused && !r->status) {
        refuse(f, str_fmt(f->step->arena, "The request to `%.*s` was blocked by the outbound SSRF policy.", STR_ARG(f->target.host)));
    } else if (!r->status) {
        finish(f, &(struct call_answer){.end = is_timeout(r->error) ? CALL_TIMED_OUT : CALL_UNREACHABLE, .error = r->error,
                                        .code = network_code(r->error)});
    } else if (f->step->webhook) {      /* a redirect is an answer that is no success, and of a long one the start is enough */
        finish(f, &(struct call_answer){.end = CALL_ANSWERED, .status = r->status, .error = r->error,
                                        .body = reply_text_clean(f->step->arena, r->body, WEBHOOK_ANSWER_MAX)});
    } else if (location_of(f, r, &to)) {
        redirect(f, r, to);
    } else if (r->truncated) {
        refuse(f, str_fmt(f->step->arena, "The response body is larger than %d MiB", f->step->bridge ? BRIDGE_ANSWER_MAX >> 20 : 1));
    } else {
        finish(f, &(struct call_answer){.end = CALL_ANSWERED, .status = r->status, .headers = headers_json(f->step->arena, r),
                                        .body = r->body, .error = r->error});
    }
}

static bool verifies_tls(const struct engine_call *s)
{
    return !s->bridge || str_eq_nocase(s->environment_name, STR("production"));      /* bridge-cli.md §2.2 */
}

static void flight_go(struct flight *f)
{
    struct engine_call *s = f->step;
    struct error err = {0};
    if (!outbound_check(&f->app->outbound, s->arena, f->url, &f->target, &err) || !http_origin(s->arena, f->url, &f->origin, &err)) {
        refuse(f, str_dup(s->arena, str_of(err.message)));
        return;
    }
    f->call = (struct http_call){
        .arena = s->arena, .timeout_ms = s->timeout_ms, .done = flight_done,
        .request = {.method = f->method, .url = f->url, .body = f->body.n ? f->body : STR_NULL, .tls_unverified = !verifies_tls(s), .response_max = s->bridge ? BRIDGE_ANSWER_MAX : 0,
                    .address_ok = outbound_address_ok, .address_ctx = &f->target}};
    fill_headers(f);
    if (!http_call_submit(f->app->dispatcher, &f->call, &err))
        finish(f, &(struct call_answer){.end = CALL_UNREACHABLE, .error = str_dup(s->arena, str_of(err.message))});
}

void call_start(struct app *app, struct engine_call *c, void (*ended)(void *user, const struct call_answer *answer), void *user)
{
    struct flight *f = ARENA_NEW(c->arena, struct flight);
    f->app = app;
    f->ended = ended;
    f->user = user;
    f->step = c;
    f->method = c->method;
    f->url = c->url;
    f->body = c->body;
    flight_go(f);
}

static void step_ended(void *user, const struct call_answer *answer)
{
    engine_called(user, answer);
}

void app_call(void *arg, struct engine_call *s)
{
    call_start(arg, s, step_ended, s);
}

/* --- for requests ---------------------------------------------------------------------------------------------------- */

static void bridge_go(struct bridge_call *c);

static void bridge_ended(void *user, const struct call_answer *answer)
{
    struct bridge_call *c = user;
    if (bridge_worth_again(answer) && c->tries++ < BRIDGE_RETRIES) {
        bridge_go(c);
        return;
    }
    struct bridge_answer said = bridge_read(c->rq->arena, c->url, answer);
    c->done(c, &said);
}

static void bridge_go(struct bridge_call *c)
{
    call_start(app_of(c->rq), &c->call, bridge_ended, c);
}

void bridge_call_start(struct bridge_call *c, const struct environment_view *v)
{
    struct arena *a = c->rq->arena;
    c->call = (struct engine_call){
        .arena = a, .environment = v->environment.id, .environment_name = str_dup(a, v->environment.name), .secret = str_dup(a, v->secret),
        .bridge = true, .method = c->body.n ? STR("POST") : STR("GET"), .body = c->body, .timeout_ms = BRIDGE_TIMEOUT_MS,
        .url = bridge_url(a, c->url, c->action, c->workflow, c->step, STR_NULL, v->environment.type)};
    json_parse(a, STR("[{\"key\":\"bypass-tunnel-reminder\",\"value\":\"true\"}]"), &c->call.headers, NULL);
    bridge_go(c);
}

bool bridge_call_error(struct arena *a, const struct bridge_answer *said, int status, struct error *err)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    error_http(err, status ? status : said->status, "%.*s", STR_ARG(str_cut(said->message, sizeof err->message - 1)));
    json_add_str(d, o, "code", said->code);
    if (!json_get(said->data, "stack"))         /* paths of the customer's files: for execution details only (§1.9) */
        json_add_val(d, o, "data", said->data);
    err->details = json_write_mut(a, o);
    return false;
}

void bridge_call_reply_failure(struct request *rq, const struct bridge_answer *said, int status)
{
    struct error err = {0};
    bridge_call_error(rq->arena, said, status, &err);
    reply_error(rq, &err);
}
