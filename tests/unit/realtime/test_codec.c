/* The packet codecs, as tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "realtime/engineio.h"
#include "realtime/socketio.h"

static void engineio_packets(void **state)
{
    (void)state;
    static const struct { const char *text; bool ok; char type; const char *data; } t[] = {
        {"", false, 0, ""},           {"0", true, '0', ""},   {"1", true, '1', ""},     {"2probe", true, '2', "probe"},
        {"3", true, '3', ""},         {"40", true, '4', "0"}, {"42[\"a\"]", true, '4', "2[\"a\"]"},
        {"5", true, '5', ""},         {"6", true, '6', ""},   {"bAAEC", true, 'b', "AAEC"},
        {"7", false, 0, ""},          {"x", false, 0, ""},    {" 4", false, 0, ""},     {"\xff", false, 0, ""},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char type = 0;
        struct str data = STR("");
        bool ok = engineio_decode(str_of(t[i].text), &type, &data);
        if (ok != t[i].ok || type != t[i].type || !str_eqz(data, t[i].data))
            fail_msg("packet '%s'", t[i].text);
    }
}

static void engineio_payloads(void **state)
{
    (void)state;
    static const struct { const char *body, *packets; } t[] = {
        {"", "()"}, {"40", "(40)"}, {"3\x1e""40", "(3)(40)"}, {"3\x1e", "(3)()"}, {"\x1e", "()()"},
        {"a\x1e\x1e""b", "(a)()(b)"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char got[64] = "";
        struct engineio_payload p = {.rest = str_of(t[i].body)};
        struct str packet;
        while (engineio_next(&p, &packet))
            snprintf(got + strlen(got), sizeof got - strlen(got), "(%.*s)", STR_ARG(packet));
        assert_string_equal(got, t[i].packets);
    }
}

static void engineio_open_packet(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct buf b = {.arena = a};
    engineio_open(&b, STR("abc"), true, 25000, 20000);
    assert_string_equal(buf_finish(&b).p, "0{\"sid\":\"abc\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,"
                                          "\"pingTimeout\":20000,\"maxPayload\":1000000}");
    b.n = 0;
    engineio_open(&b, STR("abc"), false, 25000, 20000);
    assert_true(str_find(buf_get(&b), STR("\"upgrades\":[],")) > 0);
}

static void engineio_refusals(void **state)
{
    (void)state;
    static const char *const want[] = {
        "400 {\"code\":0,\"message\":\"Transport unknown\"}", "400 {\"code\":1,\"message\":\"Session ID unknown\"}",
        "400 {\"code\":2,\"message\":\"Bad handshake method\"}", "400 {\"code\":3,\"message\":\"Bad request\"}",
        "403 {\"code\":4,\"message\":\"Forbidden\"}", "400 {\"code\":5,\"message\":\"Unsupported protocol version\"}"};
    for (int i = 0; i <= ENGINEIO_BAD_VERSION; i++) {
        int status;
        char got[128];
        struct str body = engineio_refusal((enum engineio_refusal)i, &status);
        snprintf(got, sizeof got, "%d %.*s", status, STR_ARG(body));
        assert_string_equal(got, want[i]);
    }
}

static void socketio_packets(void **state)
{
    (void)state;
    /* what: type namespace|id|JSON, or NULL when malformed */
    static const struct { const char *text, *what; } t[] = {
        {"0", "0||"},
        {"0{\"token\":\"x\"}", "0||{\"token\":\"x\"}"},
        {"0/admin,", "0/admin||"},
        {"0/admin", "0/admin||"},
        {"0/admin,{\"a\":1}", "0/admin||{\"a\":1}"},
        {"0/,", "0||"},
        {"0/a/b?c=d,{}", "0/a/b?c=d||{}"},
        {"1", "1||"},
        {"1/rt,", "1/rt||"},
        {"2[\"hello\"]", "2||[\"hello\"]"},
        {"2[1,2]", "2||[1,2]"},
        {"21[\"hello\",{\"a\":[]}]", "2|1|[\"hello\",{\"a\":[]}]"},
        {"2/rt,12[\"x\"]", "2/rt|12|[\"x\"]"},
        {"31[]", "3|1|[]"},
        {"3/rt,7[\"y\"]", "3/rt|7|[\"y\"]"},
        {"", NULL}, {"4{\"message\":\"x\"}", NULL}, {"51-[\"x\"]", NULL}, {"61-1[]", NULL}, {"7", NULL}, {"9", NULL},
        {"0null", NULL}, {"0[]", NULL}, {"0\"x\"", NULL}, {"0{", NULL}, {"0{}x", NULL},
        {"1[]", NULL}, {"1{}", NULL},
        {"2", NULL}, {"2[]", NULL}, {"2{}", NULL}, {"2[{}]", NULL}, {"2[null]", NULL}, {"2[\"a\"", NULL},
        {"2[\"connect\"]", NULL}, {"2[\"disconnecting\"]", NULL}, {"2[\"newListener\"]", NULL},
        {"21234567890123456[\"a\"]", NULL},
        {"3[]", NULL}, {"31{}", NULL}, {"31", NULL},
        {"0/a\x1e""b,", NULL}, {"0/a\x01,", NULL},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct arena *a ARENA_SCOPED = arena_create(0);
        struct socketio_packet p;
        bool ok = socketio_decode(a, str_of(t[i].text), &p);
        if (ok != (t[i].what != NULL))
            fail_msg("packet '%s' is %s", t[i].text, ok ? "taken" : "refused");
        if (!ok)
            continue;
        struct str got = str_fmt(a, "%c%.*s|%.*s|%.*s", p.type, STR_ARG(p.ns), STR_ARG(p.id),
                                 STR_ARG(json_write(a, p.data)));
        assert_string_equal(got.p, t[i].what);
    }
}

static void socketio_namespace_is_bounded(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    char text[SOCKETIO_NAMESPACE_MAX + 8];
    struct socketio_packet p;
    memset(text, 'n', sizeof text);
    memcpy(text, "0/", 2);
    assert_true(socketio_decode(a, (struct str){text, 1 + SOCKETIO_NAMESPACE_MAX}, &p));
    assert_false(socketio_decode(a, (struct str){text, 2 + SOCKETIO_NAMESPACE_MAX}, &p));
}

static void socketio_heads(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct buf b = {.arena = a};
    socketio_head(&b, SOCKETIO_EVENT, STR_NULL, STR_NULL);
    buf_char(&b, ' ');
    socketio_head(&b, SOCKETIO_ACK, STR("/rt"), STR("12"));
    buf_char(&b, ' ');
    socketio_head(&b, SOCKETIO_DISCONNECT, STR("/rt"), STR_NULL);
    assert_string_equal(buf_finish(&b).p, "42 43/rt,12 41/rt,");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engineio_packets), cmocka_unit_test(engineio_payloads),
        cmocka_unit_test(engineio_open_packet), cmocka_unit_test(engineio_refusals),
        cmocka_unit_test(socketio_packets), cmocka_unit_test(socketio_namespace_is_bounded),
        cmocka_unit_test(socketio_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
