/* HTTP exchanges against a real server on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>

#include "delivery/http_attempt.h"
#include "deliver.h"
#include "fetch.h"
#include "../../support/sink.h"

struct world {
    struct desk desk;
    struct dispatcher *d;
    struct sink *sink;
    struct arena *arena;                /* the test's own */
};

static void world_dispatch(struct world *w, const char *sink)
{
    struct dispatcher_config c = {.sink = sink};
    struct error err = {0};
    w->d = dispatcher_start(&c, &err);
    assert_non_null(w->d);
}

static int world_open(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->desk = (struct desk)DESK_INIT;
    w->arena = arena_create(0);
    *state = w;
    return 0;
}

static int world_close(void **state)
{
    struct world *w = *state;
    dispatcher_stop(w->d, 0);
    sink_stop(w->sink);
    arena_destroy(w->arena);
    free(w);
    return 0;
}

static struct fetch *fetch_new(struct world *w, const char *path)
{
    return fetch_make(&w->desk, w->sink ? w->sink->port : 0, path);
}

static const struct http_response *fetch_run(struct world *w, struct fetch *f)
{
    return fetch_answer(w->d, f);
}

/* Status of a plain GET, for tests that look elsewhere. */
static int get(struct world *w, const char *path)
{
    struct fetch *f = fetch_new(w, path);
    int status = fetch_run(w, f)->status;
    arena_destroy(f->arena);
    return status;
}

static struct str sent_header(yyjson_val *line, const char *name)
{
    size_t i, n;
    yyjson_val *pair;
    yyjson_arr_foreach(json_get(line, "headers"), i, n, pair)
        if (str_eq_nocase(json_str(yyjson_arr_get(pair, 0)), str_of(name)))
            return json_str(yyjson_arr_get(pair, 1));
    return STR_NULL;
}

static void the_request_arrives_as_given(void **state)
{
    struct world *w = *state;
    const struct http_header headers[] = {
        {STR("Authorization"), STR("Bearer abc")}, {STR("Content-Type"), STR("application/json")},
        {STR("X-Empty"), STR_NULL}, {STR("content-length"), STR("999")}, {STR("Expect"), STR("100-continue")}
    };
    w->sink = SINK_START("http_sink.py", "--status", "202", "--header", "X-Message-Id: m-7", "--body", "{\"id\":\"m-7\"}");
    world_dispatch(w, NULL);
    struct fetch *f = fetch_new(w, "/v3/../mail%2Fsend?a=1&b=%20#part");
    f->call.request.headers = headers;
    f->call.request.headers_n = 5;
    f->call.request.body = STR("{\"to\":\"ada\0\"}");
    const struct http_response *r = fetch_run(w, f);
    assert_int_equal(r->status, 202);
    assert_int_equal(r->outcome, DELIVERY_SENT);
    assert_int_equal(r->version, 11);
    assert_text(r->body, "{\"id\":\"m-7\"}");
    assert_text(http_response_header(r, "x-message-id"), "m-7");
    yyjson_val *line = sink_next(w->sink, w->arena);
    assert_text(json_get_str(line, "method"), "POST");
    assert_text(json_get_str(line, "path"), "/v3/../mail%2Fsend?a=1&b=%20");
    assert_text(sent_header(line, "authorization"), "Bearer abc");
    assert_text(sent_header(line, "content-length"), "13");
    assert_non_null(sent_header(line, "x-empty").p);
    assert_null(sent_header(line, "expect").p);
    assert_has(sent_header(line, "user-agent"), "Carillon/");
    assert_text(json_get_str(line, "body"), "eyJ0byI6ImFkYQAifQ==");
    arena_destroy(f->arena);
}

static void methods_and_bodies(void **state)
{
    static const struct { const char *method, *body, *length; } cases[] = {
        {"", NULL, NULL}, {"GET", NULL, NULL}, {"DELETE", NULL, NULL}, {"POST", NULL, "0"}, {"PUT", "x", "1"}, {"DELETE", "xy", "2"},
        {"PATCH", "", "0"}, {"HEAD", NULL, NULL},
    };
    struct world *w = *state;
    w->sink = SINK_START("http_sink.py", "--body", "hello");
    world_dispatch(w, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fetch *f = fetch_new(w, "/");
        f->call.request.method = str_of(cases[i].method);
        f->call.request.body = cases[i].body ? str_of(cases[i].body) : STR_NULL;
        const struct http_response *r = fetch_run(w, f);
        assert_int_equal(r->status, 200);
        assert_text(r->body, !strcmp(cases[i].method, "HEAD") ? "" : "hello");
        yyjson_val *line = sink_next(w->sink, w->arena);
        assert_text(json_get_str(line, "method"), *cases[i].method ? cases[i].method : "GET");
        assert_text(json_get_str(line, "text"), cases[i].body ? cases[i].body : "");
        assert_text(sent_header(line, "content-length"), cases[i].length ? cases[i].length : "");
        assert_null(sent_header(line, "content-type").p);
        assert_int_equal(json_get_int(line, "connection", 0), 1);       /* the same one throughout */
        arena_destroy(f->arena);
    }
}

static void statuses_map_to_outcomes(void **state)
{
    static const struct { int status; enum delivery_outcome outcome; } cases[] = {
        {200, DELIVERY_SENT}, {201, DELIVERY_SENT}, {202, DELIVERY_SENT}, {204, DELIVERY_SENT}, {299, DELIVERY_SENT},
        {301, DELIVERY_FAILED}, {302, DELIVERY_FAILED}, {307, DELIVERY_FAILED}, {400, DELIVERY_FAILED}, {401, DELIVERY_FAILED},
        {403, DELIVERY_FAILED}, {404, DELIVERY_FAILED}, {408, DELIVERY_RETRY}, {410, DELIVERY_FAILED}, {413, DELIVERY_FAILED},
        {422, DELIVERY_FAILED}, {425, DELIVERY_RETRY}, {429, DELIVERY_RETRY}, {500, DELIVERY_RETRY}, {502, DELIVERY_RETRY},
        {503, DELIVERY_RETRY}, {504, DELIVERY_RETRY}, {599, DELIVERY_RETRY}, {600, DELIVERY_FAILED},
    };
    struct world *w = *state;
    struct buf script = {.arena = w->arena};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        buf_fmt(&script, "%s{\"status\":%d,\"headers\":{\"Retry-After\":\"7\",\"Location\":\"/elsewhere\"}}", i ? "," : "[", cases[i].status);
    buf_z(&script, "]");
    w->sink = SINK_START("http_sink.py", "--script", buf_finish(&script).p);
    world_dispatch(w, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fetch *f = fetch_new(w, "/once");
        const struct http_response *r = fetch_run(w, f);
        assert_int_equal(r->status, cases[i].status);
        assert_int_equal(r->outcome, cases[i].outcome);
        assert_int_equal(r->retry_after_ms, cases[i].outcome == DELIVERY_RETRY ? 7000 : 0);
        if (cases[i].outcome != DELIVERY_SENT)
            assert_text(r->error, str_fmt(w->arena, "Request failed with status code %d", cases[i].status).p);
        /* One request each, and never "/elsewhere": redirects are not followed. */
        assert_text(json_get_str(sink_next(w->sink, w->arena), "path"), "/once");
        arena_destroy(f->arena);
    }
}

static void long_answers_are_cut(void **state)
{
    struct world *w = *state;
    w->sink = SINK_START("http_sink.py", "--body-size", "5000000");
    world_dispatch(w, NULL);
    struct fetch *f = fetch_new(w, "/");
    f->call.request.response_max = 1000;
    const struct http_response *r = fetch_run(w, f);
    assert_int_equal(r->status, 200);
    assert_int_equal(r->outcome, DELIVERY_SENT);
    assert_int_equal(r->body.n, 1000);
    assert_true(r->truncated);
    arena_destroy(f->arena);
    assert_int_equal(get(w, "/"), 200);
}

static void network_failures_are_retried(void **state)
{
    struct world *w = *state;
    w->sink = SINK_START("http_sink.py", "--script", "[{\"close\":true},{\"delay\":600},{\"status\":200}]");
    world_dispatch(w, NULL);
    struct fetch *f = fetch_new(w, "/");
    const struct http_response *r = fetch_run(w, f);
    assert_int_equal(r->outcome, DELIVERY_RETRY);
    assert_int_equal(r->status, 0);
    assert_true(r->error.n > 0);
    arena_destroy(f->arena);
    f = fetch_new(w, "/");
    f->call.timeout_ms = 200;
    r = fetch_run(w, f);
    assert_int_equal(r->outcome, DELIVERY_RETRY);
    assert_has(r->error, "timed out");
    arena_destroy(f->arena);
    assert_int_equal(get(w, "/"), 200);
    f = fetch_new(w, "/");
    sink_stop(w->sink);
    w->sink = NULL;
    assert_int_equal(fetch_run(w, f)->outcome, DELIVERY_RETRY);
    arena_destroy(f->arena);
}

static void wrong_requests_fail_before_they_are_sent(void **state)
{
    static const struct { const char *url, *method, *name, *value, *error; } cases[] = {
        {"ftp://a/", "", NULL, NULL, "URL scheme \"ftp:\" is not allowed. Only http and https are permitted."},
        {"file:///etc/passwd", "", NULL, NULL, "URL scheme \"file:\" is not allowed. Only http and https are permitted."},
        {"", "", NULL, NULL, "Invalid URL format."},
        {"http://", "", NULL, NULL, "Invalid URL format."},
        {"http://a/b c", "", NULL, NULL, "Invalid URL format."},
        {"http://a/\r\nX: y", "", NULL, NULL, "Invalid URL format."},
        {"http://127.0.0.1:1/", "GET /x HTTP/1.1\r\nX:", NULL, NULL, "Invalid request method."},
        {"http://127.0.0.1:1/", "", "X-A", "1\r\nX-B: 2", "The request header \"X-A\" contains a line break or control character."},
        {"http://127.0.0.1:1/", "", "X-A: 1\r\nX-B", "2", "A request header has an invalid name."},
    };
    struct world *w = *state;
    world_dispatch(w, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fetch *f = fetch_new(w, cases[i].url);
        struct http_header h = {str_of(cases[i].name), str_of(cases[i].value)};
        f->call.request.method = str_of(cases[i].method);
        f->call.request.headers = &h;
        f->call.request.headers_n = cases[i].name != NULL;
        const struct http_response *r = fetch_run(w, f);
        assert_int_equal(r->outcome, DELIVERY_FAILED);
        assert_text(r->error, cases[i].error);
        arena_destroy(f->arena);
    }
}

static void the_sink_gets_everything(void **state)
{
    struct world *w = *state;
    char sink[64];
    w->sink = SINK_START("http_sink.py", "--status", "201");
    snprintf(sink, sizeof sink, "http://127.0.0.1:%d", w->sink->port);
    world_dispatch(w, sink);
    struct fetch *f = fetch_new(w, "/");
    const struct http_header h = {STR("Authorization"), STR("Bearer SG.k")};
    f->call.request.url = STR("https://api.sendgrid.com/v3/mail/send?x=1");
    f->call.request.version = HTTP_2_ONLY;
    f->call.request.headers = &h;
    f->call.request.headers_n = 1;
    f->call.request.body = STR("{}");
    const struct http_response *r = fetch_run(w, f);
    assert_int_equal(r->status, 201);
    assert_int_equal(r->outcome, DELIVERY_SENT);
    yyjson_val *line = sink_next(w->sink, w->arena);
    assert_text(json_get_str(line, "path"), "/api.sendgrid.com/v3/mail/send?x=1");
    assert_text(sent_header(line, "authorization"), "Bearer SG.k");
    assert_text(json_get_str(line, "text"), "{}");
    arena_destroy(f->arena);
}

static void urls_are_rewritten(void **state)
{
    static const struct { const char *sink, *url, *want; } cases[] = {
        {NULL, "https://a.b/c?d#e", "https://a.b/c?d#e"},
        {NULL, "a.b/c", "https://a.b/c"},
        {NULL, "a.b/c?to=http://x", "https://a.b/c?to=http://x"},
        {NULL, " HTTPS://A.b ", "HTTPS://A.b"},
        {"http://127.0.0.1:9", "https://api.x.com/p?q=1", "http://127.0.0.1:9/api.x.com/p?q=1"},
        {"http://127.0.0.1:9/", "https://api.x.com", "http://127.0.0.1:9/api.x.com/"},
        {"http://127.0.0.1:9/base/", "http://api.x.com:8080/p", "http://127.0.0.1:9/base/api.x.com:8080/p"},
        {"http://127.0.0.1:9", "https://u:p@api.x.com/p", "http://u:p@127.0.0.1:9/api.x.com/p"},
        {"http://127.0.0.1:9", "https://api.x.com?q=a@b/c", "http://127.0.0.1:9/api.x.com/?q=a@b/c"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str got;
        struct error err = {0};
        assert_true(http_url(w->arena, cases[i].sink, str_of(cases[i].url), &got, &err));
        assert_text(got, cases[i].want);
    }
    struct str origin;
    assert_true(http_origin(w->arena, STR("HTTPS://u:p@API.x.com/P"), &origin, NULL));
    assert_text(origin, "https://api.x.com:443");
    assert_true(http_origin(w->arena, STR("http://[::1]/"), &origin, NULL));
    assert_text(origin, "http://[::1]:80");
    assert_true(http_origin(w->arena, STR("http://[::1]:8/"), &origin, NULL));
    assert_text(origin, "http://[::1]:8");
}

static void retry_after_is_read(void **state)
{
    static const int64_t now = 1767323045000;       /* Fri, 02 Jan 2026 03:04:05 GMT */
    static const struct { const char *text; int64_t ms; } cases[] = {
        {"0", 0}, {"120", 120000}, {" 5 ", 5000}, {"86400", 86400000}, {"86401", 86400000}, {"99999999999999999999", 86400000},
        {"-1", 0}, {"1.5", 0}, {"", 0}, {"soon", 0}, {"5s", 0},
        {"Fri, 02 Jan 2026 03:04:35 GMT", 30000}, {"Friday, 02-Jan-26 03:05:05 GMT", 60000}, {"Fri Jan  2 03:04:06 2026", 1000},
        {"Fri, 02 Jan 2026 03:00:00 GMT", 0}, {"Sat, 03 Jan 2027 03:00:00 GMT", 86400000},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (http_retry_after(str_of(cases[i].text), now) != cases[i].ms)
            fail_msg("Retry-After: %s is %lld", cases[i].text, (long long)http_retry_after(str_of(cases[i].text), now));
}

static bool not_loopback(const struct sockaddr *address, void *ctx)
{
    _Atomic int *asked = ctx;
    atomic_fetch_add(asked, 1);
    return !(address->sa_family == AF_INET && ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127);
}

static void addresses_can_be_refused(void **state)
{
    struct world *w = *state;
    w->sink = SINK_START("http_sink.py", NULL);
    world_dispatch(w, NULL);
    for (int kept = 0; kept < 2; kept++) {
        _Atomic int asked = 0;
        struct fetch *f = fetch_new(w, "/guarded");
        f->call.request.address_ok = not_loopback;
        f->call.request.address_ctx = &asked;
        const struct http_response *r = fetch_run(w, f);
        assert_int_equal(r->outcome, DELIVERY_FAILED);
        assert_text(r->error, "Requests to private or reserved IP addresses are not allowed (resolved: 127.0.0.1).");
        assert_true(atomic_load(&asked) > 0);
        arena_destroy(f->arena);
        /* An unguarded request leaves a connection behind, which the second round must not take either. */
        assert_int_equal(get(w, "/open"), 200);
        assert_text(json_get_str(sink_next(w->sink, w->arena), "path"), "/open");
    }
}

static void tls_is_checked_against_the_authority(void **state)
{
    struct world *w = *state;
    char dir[] = "/tmp/carillon-https-XXXXXX", pem[64], text[8192];
    assert_non_null(mkdtemp(dir));
    struct str make = str_fmt(w->arena, "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext "
                              "subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem 2>/dev/null && cat key.pem cert.pem > all.pem", dir);
    assert_int_equal(system(make.p), 0);
    snprintf(pem, sizeof pem, "%s/cert.pem", dir);
    FILE *f = fopen(pem, "r");
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    snprintf(pem, sizeof pem, "%s/all.pem", dir);
    w->sink = SINK_START("http_sink.py", "--cert", pem);
    world_dispatch(w, NULL);
    for (int trusted = 0; trusted < 2; trusted++) {
        struct fetch *q = fetch_new(w, "/");
        q->call.request.url = str_fmt(q->arena, "https://127.0.0.1:%d/", w->sink->port);
        q->call.request.ca = (struct str){text, trusted ? n : 0};
        const struct http_response *r = fetch_run(w, q);
        assert_int_equal(r->outcome, trusted ? DELIVERY_SENT : DELIVERY_RETRY);
        if (!trusted)
            assert_has(r->error, "certificate");
        arena_destroy(q->arena);
    }
    struct fetch *q = fetch_new(w, "/");
    q->call.request.url = str_fmt(q->arena, "https://127.0.0.1:%d/", w->sink->port);
    q->call.request.ca = (struct str){text, n};
    q->call.request.version = HTTP_2_ONLY;
    assert_text(fetch_run(w, q)->error, "The server does not speak HTTP/2.");
    arena_destroy(q->arena);
    assert_int_equal(system(str_fmt(w->arena, "rm -r %s", dir).p), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_request_arrives_as_given), T(methods_and_bodies), T(statuses_map_to_outcomes), T(long_answers_are_cut),
        T(network_failures_are_retried), T(wrong_requests_fail_before_they_are_sent), T(the_sink_gets_everything),
        T(urls_are_rewritten), T(retry_after_is_read), T(addresses_can_be_refused), T(tls_is_checked_against_the_authority),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
