/* The polling transport: held requests, what answers them, and the upgrade to a WebSocket. */
#include "rig.h"

static struct rig r;

static int setup(void **state)
{
    (void)state;
    rig_open(&r);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_close(&r);
    return 0;
}

#define UNKNOWN "{\"code\":1,\"message\":\"Session ID unknown\"}"
#define BAD "{\"code\":3,\"message\":\"Bad request\"}"

static void post(const char *sid, const char *body)
{
    answered(request(&r, EXCHANGE_POST, sid, NULL, body), 200, "ok");
}

static void opens_with_the_packet_alone(void **state)
{
    (void)state;
    struct poller *p = request(&r, EXCHANGE_OPEN, NULL, "1", NULL);
    assert_int_equal(p->status, 200);
    assert_memory_equal(p->body, "0{\"sid\":\"", 9);
    assert_string_equal(p->body + 9 + SID_LEN, "\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,"
                                               "\"pingTimeout\":20000,\"maxPayload\":1000000}");
    free(p);
    assert_true(metric_is(&r, "carillon_sockets{transport=\"polling\"} 1"));
}

static void a_get_is_held_until_there_is_something(void **state)
{
    (void)state;
    char sid[SID_LEN + 1];
    polling_connected(&r, "1", sid);
    struct poller *p = request(&r, EXCHANGE_GET, sid, NULL, NULL);
    assert_int_equal(p->status, 0);
    hub_message(r.hub, subscriber(1), STR(""), STR("{\"_id\":1}"));
    settle(&r);
    answered(p, 200,
             "42[\"notification_received\",{\"message\":{\"_id\":1}}]\x1e"
             "42[\"unseen_count_changed\",{\"unseenCount\":0,\"hasMore\":false}]\x1e"
             "42[\"unread_count_changed\",{\"unreadCount\":0,\"counts\":{\"total\":0,\"severity\":"
             "{\"high\":0,\"medium\":0,\"low\":0,\"none\":0}},\"hasMore\":false}]");
    /* what comes between two polls waits */
    hub_message(r.hub, subscriber(1), STR(""), STR("2"));
    settle(&r);
    p = request(&r, EXCHANGE_GET, sid, NULL, NULL);
    assert_memory_equal(p->body, "42[\"notification_received\",{\"message\":2}]\x1e", 42);
    free(p);
}

static void several_packets_in_one_body(void **state)
{
    (void)state;
    char sid[SID_LEN + 1];
    polling_connected(&r, "1", sid);
    post(sid, "421[\"a\"]\x1e""422[\"b\"]\x1e""3");
    answered(request(&r, EXCHANGE_GET, sid, NULL, NULL), 200, "431[]\x1e""432[]");
}

static void a_broken_packet_is_acknowledged_and_ends_the_session(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "x", "2", "40\x1e", "bAAAA", "42[\"a\"]\x1e""2", "\xff"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char sid[SID_LEN + 1];
        polling_connected(&r, "1", sid);
        struct poller *p = request(&r, EXCHANGE_GET, sid, NULL, NULL);
        post(sid, bodies[i]);
        answered(p, 200, "1");
        answered(request(&r, EXCHANGE_GET, sid, NULL, NULL), 400, UNKNOWN);
        answered(request(&r, EXCHANGE_POST, sid, NULL, "3"), 400, UNKNOWN);
    }
}

static void too_long_a_body(void **state)
{
    (void)state;
    char sid[SID_LEN + 1];
    polling_connected(&r, "1", sid);
    char *body = malloc(LIMIT_RECEIVE_BYTES + 2);
    memset(body, '3', LIMIT_RECEIVE_BYTES + 1);
    body[LIMIT_RECEIVE_BYTES + 1] = 0;
    answered(request(&r, EXCHANGE_POST, sid, NULL, body), 413, "");
    free(body);
    post(sid, "3");
}

static void two_gets_at_once(void **state)
{
    (void)state;
    char sid[SID_LEN + 1];
    polling_connected(&r, "1", sid);
    struct poller *first = request(&r, EXCHANGE_GET, sid, NULL, NULL);
    struct poller *second = request(&r, EXCHANGE_GET, sid, NULL, NULL);
    answered(second, 400, "");
    answered(first, 200, "1");
    answered(request(&r, EXCHANGE_GET, sid, NULL, NULL), 400, UNKNOWN);
}

static void a_client_leaves(void **state)
{
    (void)state;
    char sid[SID_LEN + 1];
    polling_connected(&r, "1", sid);
    struct poller *p = request(&r, EXCHANGE_GET, sid, NULL, NULL);
    post(sid, "41");
    assert_int_equal(p->status, 0);
    post(sid, "1");
    answered(p, 200, "6");
    answered(request(&r, EXCHANGE_GET, sid, NULL, NULL), 400, UNKNOWN);
    assert_int_equal(hub_sockets(r.hub), 0);
}

static void sids_must_be_right(void **state)
{
    (void)state;
    answered(request(&r, EXCHANGE_GET, "abcdefghijklmnopqrst", NULL, NULL), 400, UNKNOWN);
    answered(request(&r, EXCHANGE_GET, "short", NULL, NULL), 400, UNKNOWN);
    answered(request(&r, EXCHANGE_UPGRADE, "abcdefghijklmnopqrst", NULL, NULL), 400, UNKNOWN);
}

static void heartbeat_by_polling(void **state)
{
    (void)state;
    char sid[SID_LEN + 1];
    polling_connected(&r, "1", sid);
    struct poller *p = request(&r, EXCHANGE_GET, sid, NULL, NULL);
    advance(&r, 25000);
    answered(p, 200, "2");
    post(sid, "3");
    advance(&r, 25000);
    answered(request(&r, EXCHANGE_GET, sid, NULL, NULL), 200, "2");
    p = request(&r, EXCHANGE_GET, sid, NULL, NULL);
    advance(&r, 20000);
    answered(p, 200, "1");
    answered(request(&r, EXCHANGE_GET, sid, NULL, NULL), 400, UNKNOWN);
}

static void bad_tokens(void **state)
{
    (void)state;
    struct poller *p = request(&r, EXCHANGE_OPEN, NULL, "bad", NULL);
    char sid[SID_LEN + 1] = "";
    memcpy(sid, p->body + 9, SID_LEN);
    free(p);
    post(sid, "40");
    p = request(&r, EXCHANGE_GET, sid, NULL, NULL);
    assert_memory_equal(p->body, "40{\"sid\":\"", 10);
    assert_string_equal(p->body + 10 + SID_LEN, "\"}\x1e""41");
    free(p);
    p = request(&r, EXCHANGE_GET, sid, NULL, NULL);
    advance(&r, FAREWELL_MS);
    answered(p, 200, "1");
}

static void no_connect_in_time(void **state)
{
    (void)state;
    struct poller *p = request(&r, EXCHANGE_OPEN, NULL, "1", NULL);
    free(p);
    assert_int_equal(hub_sockets(r.hub), 1);
    advance(&r, 45000);
    assert_int_equal(hub_sockets(r.hub), 0);
}

static void those_who_do_not_poll_are_dropped(void **state)
{
    (void)state;
    char sid[SID_LEN + 1], *message = malloc(100001);
    polling_connected(&r, "1", sid);
    memset(message, '7', 100000);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(hub_sockets(r.hub), 1);
        hub_message(r.hub, subscriber(1), STR(""), (struct str){message, 100000});
        settle(&r);
    }
    assert_int_equal(hub_sockets(r.hub), 0);
    assert_true(metric_is(&r, "carillon_sockets_dropped_total{reason=\"slow\"} 1"));
    free(message);
}

/* ---- upgrade ---- */

static struct client *probe(const char *sid)
{
    answered(request(&r, EXCHANGE_UPGRADE, sid, NULL, NULL), 101, "");
    return client_attach(&r, false, sid, NULL);
}

static void upgrades(void **state)
{
    (void)state;
    char sid[SID_LEN + 1];
    polling_connected(&r, "1", sid);
    struct poller *p = request(&r, EXCHANGE_GET, sid, NULL, NULL);
    struct client *c = probe(sid);
    HEARS(c, "nothing");
    assert_int_equal(p->status, 0);
    client_say(&r, c, "2probe");
    HEARS(c, "3probe");
    answered(p, 200, "6");
    hub_message(r.hub, subscriber(1), STR(""), STR("{}"));      /* between: goes the new way */
    settle(&r);
    HEARS(c, "nothing");
    client_say(&r, c, "5");
    HEARS(c, "42[\"notification_received\",{\"message\":{}}]");
    HEARS_START(c, "42[\"unseen_count_changed\"");
    HEARS_START(c, "42[\"unread_count_changed\"");
    answered(request(&r, EXCHANGE_GET, sid, NULL, NULL), 400, BAD);
    answered(request(&r, EXCHANGE_POST, sid, NULL, "3"), 400, BAD);
    answered(request(&r, EXCHANGE_UPGRADE, sid, NULL, NULL), 400, BAD);
    assert_true(metric_is(&r, "carillon_sockets{transport=\"polling\"} 0"));
    assert_true(metric_is(&r, "carillon_sockets{transport=\"websocket\"} 1"));
    advance(&r, UPGRADE_MS);
    HEARS(c, "nothing");
    advance(&r, 25000 - UPGRADE_MS);
    HEARS(c, "2");
    assert_int_equal(r.online, 1);
    client_free(c);
    settle(&r);
    assert_int_equal(hub_sockets(r.hub), 0);
}

static void a_poll_that_starts_late_ends_too(void **state)
{
    (void)state;
    char sid[SID_LEN + 1];
    polling_connected(&r, "1", sid);
    struct client *c = probe(sid);
    client_say(&r, c, "2probe");
    HEARS(c, "3probe");
    struct poller *p = request(&r, EXCHANGE_GET, sid, NULL, NULL);
    assert_int_equal(p->status, 0);
    advance(&r, NOOP_MS);
    answered(p, 200, "6");
    p = request(&r, EXCHANGE_GET, sid, NULL, NULL);
    client_say(&r, c, "5");
    answered(p, 200, "6");
    client_free(c);
}

static void an_upgrade_that_is_not_finished_leaves_polling(void **state)
{
    (void)state;
    char sid[SID_LEN + 1];
    polling_connected(&r, "1", sid);
    struct client *c = probe(sid);
    client_say(&r, c, "2probe");
    HEARS(c, "3probe");
    advance(&r, UPGRADE_MS);
    HEARS(c, "close 1000");
    client_free(c);
    /* wrong words */
    static const char *const words[] = {"5", "2", "40", "2probe2"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        c = probe(sid);
        client_say(&r, c, words[i]);
        HEARS(c, "close 1002");
        client_free(c);
        settle(&r);
    }
    /* the socket goes away */
    c = probe(sid);
    client_say(&r, c, "2probe");
    HEARS(c, "3probe");
    client_free(c);
    settle(&r);
    hub_message(r.hub, subscriber(1), STR(""), STR("{}"));
    settle(&r);
    struct poller *p = request(&r, EXCHANGE_GET, sid, NULL, NULL);
    assert_memory_equal(p->body, "42[\"notification_received\"", 24);
    free(p);
}

static void one_upgrade_at_a_time(void **state)
{
    (void)state;
    char sid[SID_LEN + 1];
    polling_connected(&r, "1", sid);
    struct client *c = probe(sid);
    answered(request(&r, EXCHANGE_UPGRADE, sid, NULL, NULL), 400, BAD);
    struct client *other = client_attach(&r, false, sid, NULL);     /* allowed before the first arrived */
    HEARS(other, "eof");
    client_free(other);
    client_say(&r, c, "2probe");
    HEARS(c, "3probe");
    post(sid, "1");                     /* the session ends meanwhile */
    HEARS(c, "close 1001");
    client_free(c);
    other = client_attach(&r, false, sid, NULL);
    HEARS(other, "eof");
    client_free(other);
}

static void stopping_answers_polls(void **state)
{
    (void)state;
    char sid[SID_LEN + 1];
    polling_connected(&r, "1", sid);
    struct poller *p = request(&r, EXCHANGE_GET, sid, NULL, NULL);
    hub_drain(r.hub);
    settle(&r);
    answered(p, 200, "1");
    answered(request(&r, EXCHANGE_OPEN, NULL, "1", NULL), 503, "");
    answered(request(&r, EXCHANGE_GET, sid, NULL, NULL), 503, "");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(opens_with_the_packet_alone), T(a_get_is_held_until_there_is_something), T(several_packets_in_one_body),
        T(a_broken_packet_is_acknowledged_and_ends_the_session), T(too_long_a_body), T(two_gets_at_once),
        T(a_client_leaves), T(sids_must_be_right), T(heartbeat_by_polling), T(bad_tokens), T(no_connect_in_time),
        T(those_who_do_not_poll_are_dropped), T(upgrades), T(a_poll_that_starts_late_ends_too),
        T(an_upgrade_that_is_not_finished_leaves_polling), T(one_upgrade_at_a_time), T(stopping_answers_polls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
