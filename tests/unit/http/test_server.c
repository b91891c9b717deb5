/* What requests get for answers: shapes, limits, order of work. */
#include "server_fixture.h"

static void answers_are_wrapped_and_named(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    char v[512];
    (void)state;
    ask(c, "GET /hello/a%2Fb%20c HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 200);
    assert_body(&r, "{\"data\":{\"hello\":\"a/b c\"}}");
    assert_string_equal(header(&r, "Content-Type", v), "application/json; charset=utf-8");
    assert_true(header(&r, "x-request-id", v) && !strncmp(v, "req_", 4) && strlen(v) == 28);
    assert_string_equal(header(&r, "RateLimit-Limit", v), "5");
    ask(c, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_body(&r, "{}");
    ask(c, "DELETE /gone HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 204);
    assert_null(header(&r, "Content-Type", v));
    ask(c, "GET //ctx//hello///z/ HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_body(&r, "{\"data\":{\"hello\":\"z\"}}");
    client_close(c);
}

static void head_is_get_without_a_body(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    char v[512];
    (void)state;
    ask(c, "HEAD /hello/you HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 200);
    assert_string_equal(header(&r, "Content-Length", v), "24");
    ask(c, "GET /hello/you HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_body(&r, "{\"data\":{\"hello\":\"you\"}}");
    client_close(c);
}

static void unknown_paths_and_methods_are_404(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    (void)state;
    ask(c, "GET /no//where?a=1 HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 404);
    assert_has(&r, "\"message\":\"Cannot GET /no//where\"");
    assert_has(&r, "\"path\":\"/no//where?a=1\"");
    assert_has(&r, "\"error\":\"Not Found\",\"statusCode\":404,\"timestamp\":\"2");
    assert_has(&r, "\"ctx\":{\"error\":\"Not Found\",\"statusCode\":404}}");
    ask(c, "PATCH /query HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 404);
    assert_has(&r, "Cannot PATCH /query");
    ask(c, "BREW /query HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_has(&r, "Cannot BREW /query");
    post(c, "/nowhere", "application/json", "{\"small\":1}", &r);    /* a refused body leaves the connection usable */
    assert_int_equal(r.status, 404);
    ask(c, "GET /hello/%zz HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 400);
    ask(c, "GET /hello/%ff HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 400);
    ask(c, "GET /hel\xfflo HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_has(&r, "/hel%FFlo");
    client_close(c);
}

static void json_bodies_are_checked(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    char deep[1024];
    (void)state;
    post(c, "/echo", "application/json", "{\"a\":[1,\"\xc3\xbc\"]}", &r);
    assert_int_equal(r.status, 201);
    assert_body(&r, "{\"a\":[1,\"\xc3\xbc\"]}");
    post(c, "/echo", "application/json; charset=utf-8", "\xef\xbb\xbf[]", &r);
    assert_body(&r, "[]");
    post(c, "/echo", NULL, " {\"b\":2}", &r);
    assert_body(&r, "{\"b\":2}");
    post(c, "/echo", "text/plain", "{\"b\":2}", &r);
    assert_body(&r, "null");
    post(c, "/echo", "application/json", "", &r);
    assert_int_equal(r.status, 201);
    assert_body(&r, "null");
    post(c, "/echo", "application/json", "{\"a\":", &r);
    assert_int_equal(r.status, 400);
    assert_has(&r, "in JSON at position");
    post(c, "/echo", "application/json", "\"text\"", &r);
    assert_int_equal(r.status, 400);
    post(c, "/echo", "application/json", "   ", &r);
    assert_int_equal(r.status, 400);
    post(c, "/echo", "application/json", "{\"a\":\"\xff\"}", &r);
    assert_int_equal(r.status, 400);
    memset(deep, '[', 201);
    memset(deep + 201, ']', 201);
    deep[402] = 0;
    post(c, "/echo", "application/json", deep, &r);
    assert_int_equal(r.status, 400);
    assert_has(&r, "deeper than 200");
    post(c, "/raw", "application/json", "{not json", &r);
    assert_body(&r, "9");
    ask(c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", &r);
    assert_int_equal(r.status, 415);
    client_close(c);
}

static void trigger_errors_have_what_the_sdk_wants(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    (void)state;
    post(c, "/v1/v1/events/trigger", "application/json", "{", &r);
    assert_int_equal(r.status, 400);
    assert_has(&r, "\"type\":\"BAD_REQUEST\",\"errors\":[]");
    assert_has(&r, "\"path\":\"/v1/v1/events/trigger\"");
    client_close(c);
}

static void errors_have_the_contract_s_shape(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    char v[512];
    (void)state;
    ask(c, "GET /fail/conflict HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 409);
    assert_has(&r, "{\"subscriberId\":\"s1\",\"error\":\"Conflict\",\"statusCode\":409,");
    assert_has(&r, "\"message\":\"Subscriber with id \\\"s1\\\" already exists\"");
    assert_has(&r, "\"ctx\":{\"subscriberId\":\"s1\",\"statusCode\":1}}");
    ask(c, "GET /fail/unprocessable HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 422);
    assert_has(&r, "\"errors\":{}");
    ask(c, "GET /fail/field HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_has(&r, "\"errors\":{\"steps.0.name\":{\"messages\":[\"Validation failed\"],\"value\":\"No Value Recorded\"}}");
    ask(c, "GET /fail/limited HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 429);
    assert_has(&r, "\"message\":\"API rate limit exceeded\",\"ctx\":{}}");
    assert_no(&r, "\"error\"");
    ask(c, "GET /fail/overload HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 503);
    assert_string_equal(header(&r, "Retry-After", v), "1");
    assert_has(&r, "\"error\":\"Service Unavailable\"");
    ask(c, "GET /fail/crash HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_int_equal(r.status, 500);
    assert_has(&r, "\"message\":\"Internal server error, contact support and provide them with the errorId\",\"errorId\":\"");
    assert_no(&r, "secret");
    assert_no(&r, "ctx");
    ask(c, "GET /fail/long HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_true(str_is_utf8((struct str){r.body, r.body_n}));
    post(c, "/validation", NULL, "", &r);
    assert_int_equal(r.status, 422);
    assert_has(&r, "\"message\":\"Validation Error\",\"ctx\":{}");
    assert_has(&r, "\"errors\":{\"general\":{\"messages\":[\"name must be a string\",\"\\\"x\\\" should not be empty\"],"
                   "\"value\":\"No Value Recorded\"}}");
    client_close(c);
}

static void queries_reach_the_handler(void **state)
{
    struct reply r;
    (void)state;
    ask_once("GET /query?k=a&k[]=b+c&x=1&k%5B0%5D=%2B&k[x]=d&q=1&q=%7B%22%7D HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_body(&r, "a;b c;+;d;q={\"}");
    ask_once("GET /query?k HTTP/1.1\r\nHost: x\r\n\r\n", &r);
    assert_body(&r, ";q=none");
}

static void cross_origin_rules(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    char v[512];
    (void)state;
    ask(c, "OPTIONS /v1/inbox/session HTTP/1.1\r\nHost: x\r\nOrigin: https://a\r\nAccess-Control-Request-Method: POST\r\n"
           "Access-Control-Request-Headers: novu-api-version, x-y\r\n\r\n", &r);
    assert_int_equal(r.status, 204);
    assert_string_equal(header(&r, "Access-Control-Allow-Origin", v), "*");
    assert_string_equal(header(&r, "Access-Control-Allow-Headers", v), "novu-api-version, x-y");
    assert_string_equal(header(&r, "Access-Control-Max-Age", v), "86400");
    assert_non_null(strstr(header(&r, "Access-Control-Allow-Methods", v), "PATCH"));
    ask(c, "GET /v1/inbox/me HTTP/1.1\r\nHost: x\r\nOrigin: https://a\r\n\r\n", &r);
    assert_int_equal(r.status, 401);
    assert_string_equal(header(&r, "Access-Control-Allow-Origin", v), "*");
    assert_string_equal(header(&r, "Cache-Control", v), "no-store");
    assert_non_null(strstr(header(&r, "Access-Control-Expose-Headers", v), "Retry-After"));
    ask(c, "GET /v1/inbox/none HTTP/1.1\r\nHost: x\r\nOrigin: https://a\r\n\r\n", &r);
    assert_int_equal(r.status, 404);
    assert_string_equal(header(&r, "Access-Control-Allow-Origin", v), "*");
    ask(c, "GET /query HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example\r\n\r\n", &r);
    assert_null(header(&r, "Access-Control-Allow-Origin", v));
    assert_string_equal(header(&r, "Vary", v), "Origin");
    ask(c, "GET /query HTTP/1.1\r\nHost: x\r\nOrigin: https://app.example\r\n\r\n", &r);
    assert_string_equal(header(&r, "Access-Control-Allow-Origin", v), "https://app.example");
    ask(c, "GET /v1/inboxes HTTP/1.1\r\nHost: x\r\nOrigin: https://a\r\n\r\n", &r);
    assert_null(header(&r, "Access-Control-Allow-Origin", v));
    client_close(c);
}

static void authentication_comes_before_the_body(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    char v[512];
    (void)state;
    ask(c, "GET /v1/inbox/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n\r\n", &r);
    assert_int_equal(r.status, 200);
    ask(c, "POST /echo HTTP/1.1\r\nHost: x\r\nX-Deny: 1\r\nContent-Length: 1\r\n\r\n{", &r);
    assert_int_equal(r.status, 401);
    assert_null(header(&r, "Connection", v));
    /* a body that is announced but not sent */
    ask(c, "POST /raw HTTP/1.1\r\nHost: x\r\nX-Deny: 1\r\nExpect: 100-continue\r\nContent-Length: 7000000\r\n\r\n", &r);
    assert_int_equal(r.status, 401);
    assert_string_equal(header(&r, "Connection", v), "close");
    assert_ended(c);
    client_close(c);
}

static void before_may_answer(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    (void)state;
    ask(c, "POST /echo HTTP/1.1\r\nHost: x\r\nX-Replay: 1\r\nContent-Length: 1\r\n\r\n{", &r);
    assert_int_equal(r.status, 208);
    assert_body(&r, "replayed");
    client_close(c);
}

static void answers_can_be_held_and_taken(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    char v[512];
    (void)state;
    int hooks = f.answered;
    post(c, "/held", NULL, "", &r);
    assert_int_equal(r.status, 202);
    assert_body(&r, "{\"data\":{\"try\":2}}");
    assert_string_equal(header(&r, "X-Try", v), "2");
    assert_null(strstr(r.head, "X-Try: 1"));
    assert_int_equal(f.answered, hooks);            /* who holds an answer knows of it */
    post(c, "/held?drop=1", NULL, "", &r);
    assert_int_equal(r.status, 204);
    assert_null(header(&r, "X-Try", v));
    assert_int_equal(f.answered, hooks + 1);
    for (int i = 0; i < 50; i++) {
        ask(c, "GET /hello/you HTTP/1.1\r\nHost: x\r\nX-Take: 1\r\n\r\n", &r);
        assert_body(&r, "{\"data\":{\"hello\":\"you\"}}");
    }
    client_close(c);
}

static void large_bodies_are_refused_early(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    char v[512];
    (void)state;
    ask(c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n", &r);
    assert_int_equal(r.status, 413);
    assert_has(&r, "\"message\":\"Payload Too Large\",\"ctx\":{\"statusCode\":413}}");
    assert_no(&r, "\"error\"");
    assert_string_equal(header(&r, "Connection", v), "close");
    client_close(c);
    /* a client that sends all of it before it reads is not reset */
    const size_t n = 20000000;
    char *body = calloc(1, n);
    c = client_to(f.server);
    say(c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n");
    assert_true(send_bytes(c, body, n));
    assert_true(read_reply(c, &r, false));
    assert_int_equal(r.status, 413);
    free(body);
    client_close(c);
    ask_once("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", &r);
    assert_int_equal(r.status, 413);
}

static void chunked_bodies_stop_at_the_limit(void **state)
{
    static char piece[10000];
    struct client *c = client_to(f.server);
    struct reply r;
    (void)state;
    memset(piece, 'x', sizeof piece);
    say(c, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 60; i++) {
        say(c, "2710\r\n");
        send_bytes(c, piece, sizeof piece);
        say(c, "\r\n");
    }
    assert_true(read_reply(c, &r, false));
    assert_int_equal(r.status, 413);
    assert_has(&r, "Payload Too Large");
    assert_ended(c);
    client_close(c);
    c = client_to(f.server);
    ask(c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
           "4\r\n{\"a\"\r\n3;ext=1\r\n:1}\r\n0\r\nTrailer: x\r\n\r\n", &r);
    assert_body(&r, "{\"a\":1}");
    client_close(c);
}

static void large_bodies_within_the_limit_arrive(void **state)
{
    const size_t n = 3000000;
    char *body = malloc(n), head[200];
    struct client *c = client_to(f.server);
    struct reply r;
    (void)state;
    memset(body, 'y', n);
    snprintf(head, sizeof head, "POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", n);
    for (int i = 0; i < 2; i++) {
        say(c, head);
        send_bytes(c, body, n);
        assert_true(read_reply(c, &r, false));
        assert_body(&r, "3000000");
    }
    say(c, "POST /raw HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2DC6C0\r\n");
    send_bytes(c, body, n);
    say(c, "\r\n0\r\n\r\n");
    assert_true(read_reply(c, &r, false));
    assert_body(&r, "3000000");
    free(body);
    client_close(c);
}

static void ambiguous_framing_is_refused(void **state)
{
    static const char *const bad[] = {
        "POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST /raw HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /raw HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "POST /raw HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length : 1\r\n\r\na",
        "POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\na",
        "POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 1x\r\n\r\na",
        "POST /raw HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET /raw HTTP/1.1\r\n\r\n",
        "GET /raw HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
    };
    struct reply r;
    char v[512];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct client *c = client_to(f.server);
        say(c, bad[i]);
        if (!read_reply(c, &r, false))
            fail_msg("no answer to %s", bad[i]);
        if (r.status != 400 || !header(&r, "Connection", v) || strcmp(v, "close"))
            fail_msg("%s: %d", bad[i], r.status);
        assert_ended(c);
        client_close(c);
    }
}

static void long_heads(void **state)
{
    struct client *c = client_to(f.server);
    struct reply r;
    static char text[40000];
    (void)state;
    int n = snprintf(text, sizeof text, "GET /query?q=");
    memset(text + n, 'j', 9000);
    snprintf(text + n + 9000, 500, " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %0400d\r\nAccept: */*\r\n\r\n", 7);
    ask(c, text, &r);
    assert_int_equal(r.status, 200);
    assert_int_equal(r.body_n, 9002);
    memset(text + n, 'j', 30000);
    text[n + 30000] = 0;
    ask(c, text, &r);
    assert_int_equal(r.status, 414);
    client_close(c);
    c = client_to(f.server);
    n = snprintf(text, sizeof text, "GET /query HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 1500; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "X-%d: flood, flood\r\n", i);
    ask(c, text, &r);
    assert_int_equal(r.status, 431);
    client_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_wrapped_and_named),
        cmocka_unit_test(head_is_get_without_a_body),
        cmocka_unit_test(unknown_paths_and_methods_are_404),
        cmocka_unit_test(json_bodies_are_checked),
        cmocka_unit_test(trigger_errors_have_what_the_sdk_wants),
        cmocka_unit_test(errors_have_the_contract_s_shape),
        cmocka_unit_test(queries_reach_the_handler),
        cmocka_unit_test(cross_origin_rules),
        cmocka_unit_test(authentication_comes_before_the_body),
        cmocka_unit_test(before_may_answer),
        cmocka_unit_test(answers_can_be_held_and_taken),
        cmocka_unit_test(large_bodies_are_refused_early),
        cmocka_unit_test(chunked_bodies_stop_at_the_limit),
        cmocka_unit_test(large_bodies_within_the_limit_arrive),
        cmocka_unit_test(ambiguous_framing_is_refused),
        cmocka_unit_test(long_heads),
    };
    crypto_init();
    log_setup(LOG_NONE, false);
    return cmocka_run_group_tests(tests, setup, teardown);
}
