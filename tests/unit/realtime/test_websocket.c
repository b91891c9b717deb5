/* Socket.IO over a WebSocket: greeting, namespaces, tokens, heartbeat, every way to be closed. */
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

static void greets_and_connects(void **state)
{
    (void)state;
    struct client *c = client_attach(&r, false, NULL, "1");
    const char *open = client_hear(c);
    assert_memory_equal(open, "0{\"sid\":\"", 9);
    assert_string_equal(open + 9 + SID_LEN,
                        "\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}");
    assert_int_equal(r.checked, 0);
    client_say(&r, c, "40");
    const char *hello = client_hear(c);
    assert_memory_equal(hello, "40{\"sid\":\"", 10);
    assert_string_equal(hello + 10 + SID_LEN, "\"}");
    assert_int_equal(r.online, 1);
    assert_true(metric_is(&r, "carillon_sockets{transport=\"websocket\"} 1"));
    assert_int_equal(hub_sockets(r.hub), 1);
    client_free(c);
    settle(&r);
    assert_int_equal(hub_sockets(r.hub), 0);
    assert_true(metric_is(&r, "carillon_sockets{transport=\"websocket\"} 0"));
}

static void early_bytes_are_read_first(void **state)
{
    (void)state;
    uint8_t b[64];
    int fd[2];
    size_t n = frame_make(b, 0x81, "40", 2);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    struct client *c = calloc(1, sizeof *c);
    c->fd = fd[1];
    /* half the frame came with the handshake */
    hub_attach(r.hub, fd[0], false, STR_NULL, STR("1"), (struct str){(char *)b, 3});
    settle(&r);
    HEARS_START(c, "0{");
    HEARS(c, "nothing");
    client_bytes(&r, c, b + 3, n - 3);
    HEARS_START(c, "40{\"sid\"");
    client_free(c);
}

static void the_auth_payload_comes_before_the_query(void **state)
{
    (void)state;
    struct client *c = client_attach(&r, false, NULL, "bad");
    HEARS_START(c, "0{");
    client_say(&r, c, "40{\"token\":\"1\"}");
    HEARS_START(c, "40{\"sid\"");
    HEARS(c, "nothing");
    hub_message(r.hub, subscriber(1), STR(""), STR("{}"));
    settle(&r);
    HEARS(c, "42[\"notification_received\",{\"message\":{}}]");
    client_free(c);
    c = client_attach(&r, false, NULL, "1");
    HEARS_START(c, "0{");
    client_say(&r, c, "40{\"token\":\"bad\"}");
    HEARS_START(c, "40{\"sid\"");
    HEARS(c, "41");
    client_free(c);
    /* not a token: the query counts */
    c = client_attach(&r, false, NULL, "1");
    HEARS_START(c, "0{");
    client_say(&r, c, "40{\"token\":\"\"}");
    HEARS_START(c, "40{\"sid\"");
    HEARS(c, "nothing");
    client_free(c);
}

static void bad_tokens_are_connected_and_told_to_go(void **state)
{
    (void)state;
    static const char *const tokens[] = {"bad", "", "null", NULL, "1@0", "1@-5"};
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        struct client *c = client_attach(&r, false, NULL, tokens[i]);
        HEARS_START(c, "0{");
        client_say(&r, c, "40");
        HEARS_START(c, "40{\"sid\"");
        HEARS(c, "41");
        HEARS(c, "nothing");        /* the client closes; a client that does not is closed */
        advance(&r, FAREWELL_MS - 1);
        HEARS(c, "nothing");
        advance(&r, 1);
        HEARS(c, "close 1000");
        client_free(c);
    }
    assert_int_equal(r.online, 0);
    assert_true(metric_is(&r, "carillon_sockets_dropped_total{reason=\"bad_token\"} 6"));
}

static void any_namespace_is_echoed(void **state)
{
    (void)state;
    struct client *c = client_attach(&r, false, NULL, "1");
    HEARS_START(c, "0{");
    client_say(&r, c, "40/rt,");
    HEARS_START(c, "40/rt,{\"sid\":\"");
    client_say(&r, c, "40");
    HEARS_START(c, "40{\"sid\":\"");
    assert_int_equal(r.checked, 1);     /* the query's token is checked once */
    hub_message(r.hub, subscriber(1), STR(""), STR("{}"));
    settle(&r);
    HEARS(c, "42[\"notification_received\",{\"message\":{}}]");
    HEARS(c, "42/rt,[\"notification_received\",{\"message\":{}}]");
    client_hear(c);
    client_hear(c);
    client_hear(c);
    client_hear(c);
    HEARS(c, "nothing");
    client_say(&r, c, "42/rt,7[\"x\"]");
    HEARS(c, "43/rt,7[]");
    client_say(&r, c, "41/rt,");
    hub_message(r.hub, subscriber(1), STR(""), STR("{}"));
    settle(&r);
    HEARS(c, "42[\"notification_received\",{\"message\":{}}]");
    HEARS_START(c, "42[\"unseen");
    client_free(c);
}

static void namespaces_are_limited(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1");
    for (int i = 1; i < LIMIT_NAMESPACES; i++) {
        char text[40];
        snprintf(text, sizeof text, "40/n%d,", i);
        client_say(&r, c, text);
        HEARS_START(c, "40/n");
    }
    client_say(&r, c, "40/more,");
    HEARS(c, "44/more,{\"message\":\"Too many namespaces\"}");
    HEARS(c, "nothing");
    client_free(c);
}

static void events_are_acknowledged_with_nothing(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1");
    client_say(&r, c, "42[\"hello\",1]");
    HEARS(c, "nothing");
    client_say(&r, c, "421[\"hello\",1]");
    HEARS(c, "431[]");
    client_say(&r, c, "431[]");
    HEARS(c, "nothing");
    client_free(c);
}

static void broken_packets_close(void **state)
{
    (void)state;
    static const char *const texts[] = {"2", "0", "5", "6", "7", "", "4", "4x", "47", "40", "42{}", "42", "45-1[]",
                                        "44{}", "42/other,[\"x\"]", "41/other,", "42[\"connect\"]", "bAAAA"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct client *c = client_connected(&r, "1");
        client_say(&r, c, texts[i]);
        HEARS(c, "close 1002");
        HEARS(c, "eof");
        client_free(c);
    }
    settle(&r);
    assert_int_equal(hub_sockets(r.hub), 0);
}

static void an_event_before_connect_closes(void **state)
{
    (void)state;
    struct client *c = client_attach(&r, false, NULL, "1");
    HEARS_START(c, "0{");
    client_say(&r, c, "42[\"x\"]");
    HEARS(c, "close 1002");
    client_free(c);
}

static void an_engine_close_packet_closes(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1");
    client_say(&r, c, "1");
    HEARS(c, "close 1000");
    client_free(c);
}

static void connect_must_come_within_45_s(void **state)
{
    (void)state;
    struct client *c = client_attach(&r, false, NULL, "1");
    HEARS_START(c, "0{");
    advance(&r, 25000);
    HEARS(c, "2");
    client_say(&r, c, "3");
    advance(&r, 19999);
    HEARS(c, "nothing");
    advance(&r, 1);
    HEARS(c, "close 1000");
    assert_true(metric_is(&r, "carillon_sockets_dropped_total{reason=\"connect_timeout\"} 1"));
    client_free(c);
}

static void after_disconnect_the_connection_stays_a_while(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1");
    client_say(&r, c, "41");
    HEARS(c, "nothing");
    advance(&r, 24000);
    client_say(&r, c, "40");
    HEARS_START(c, "40{\"sid\"");
    advance(&r, 1000);
    HEARS(c, "2");
    client_free(c);
}

static void heartbeats(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1");
    for (int i = 0; i < 4; i++) {
        advance(&r, 24999);
        HEARS(c, "nothing");
        advance(&r, 1);
        HEARS(c, "2");
        advance(&r, 19999);
        client_say(&r, c, "3");
    }
    advance(&r, 25000);
    HEARS(c, "2");
    advance(&r, 19999);
    HEARS(c, "nothing");
    advance(&r, 1);
    HEARS(c, "close 1000");
    assert_true(metric_is(&r, "carillon_sockets_dropped_total{reason=\"ping_timeout\"} 1"));
    client_free(c);
}

static void tokens_expire(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1@20000");
    client_say(&r, c, "40/long,{\"token\":\"1@60000\"}");
    HEARS_START(c, "40/long,");
    advance(&r, 19999);
    HEARS(c, "nothing");
    advance(&r, 1);
    HEARS(c, "41");
    HEARS(c, "nothing");
    /* the query's token is no good any more */
    client_say(&r, c, "40");
    HEARS_START(c, "40{");
    HEARS(c, "41");
    advance(&r, 20000);
    HEARS(c, "2");
    client_say(&r, c, "3");
    advance(&r, 20000);
    HEARS(c, "41/long,");
    advance(&r, FAREWELL_MS);
    HEARS(c, "close 1000");
    client_free(c);
}

static void a_clock_set_back_keeps_the_socket(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1@20000");
    r.wall -= 5000;
    advance(&r, 20000);
    HEARS(c, "nothing");
    advance(&r, 5000);
    HEARS(c, "2");
    HEARS(c, "41");
    client_free(c);
}

/* ---- frames ---- */

static void control_frames_are_answered(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1");
    client_frame(&r, c, 0x89, "abc", 3);
    HEARS(c, "pong:abc");
    client_frame(&r, c, 0x8a, "", 0);
    HEARS(c, "nothing");
    client_frame(&r, c, 0x88, "\x03\xe8", 2);
    HEARS(c, "close 1000");
    HEARS(c, "eof");
    client_free(c);
    settle(&r);
    assert_int_equal(hub_sockets(r.hub), 0);
    assert_null(r.hub->sockets);
}

static void fragments_and_single_bytes_make_messages(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1");
    client_frame(&r, c, 0x01, "421[\"a", 6);
    assert_non_null(c);
    assert_non_null(r.hub->sockets->codec);      /* kept: a message is arriving */
    client_frame(&r, c, 0x89, "p", 1);
    HEARS(c, "pong:p");
    client_frame(&r, c, 0x80, "\"]", 2);
    HEARS(c, "431[]");
    assert_null(r.hub->sockets->codec);          /* idle: given back */
    uint8_t b[64];
    size_t n = frame_make(b, 0x81, "422[\"a\"]", 8);
    for (size_t i = 0; i < n; i++) {
        HEARS(c, "nothing");
        client_bytes(&r, c, b + i, 1);
    }
    HEARS(c, "432[]");
    assert_null(r.hub->sockets->codec);
    /* two messages and a half in one write */
    uint8_t many[200];
    size_t k = frame_make(many, 0x81, "423[\"a\"]", 8);
    k += frame_make(many + k, 0x81, "424[\"a\"]", 8);
    size_t whole = k;
    k += frame_make(many + k, 0x81, "425[\"a\"]", 8);
    client_bytes(&r, c, many, whole + 1);
    HEARS(c, "433[]");
    HEARS(c, "434[]");
    assert_non_null(r.hub->sockets->codec);
    client_bytes(&r, c, many + whole + 1, k - whole - 1);
    HEARS(c, "435[]");
    assert_null(r.hub->sockets->codec);
    client_free(c);
}

static void large_messages_up_to_the_limit(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1");
    size_t n = LIMIT_RECEIVE_BYTES;
    char *text = malloc(n + 1);
    memset(text, 'a', n + 1);
    memcpy(text, "429[\"", 5);
    memcpy(text + n - 2, "\"]", 2);
    client_frame(&r, c, 0x81, text, n);
    HEARS(c, "439[]");
    assert_null(r.hub->sockets->codec);
    memset(text + n - 2, 'a', 2);
    memcpy(text + n - 1, "\"]", 2);
    client_frame(&r, c, 0x81, text, n + 1);
    HEARS(c, "close 1009");
    free(text);
    client_free(c);
}

static void broken_frames_close(void **state)
{
    (void)state;
    static const struct { const char *bytes; size_t n; const char *answer; } t[] = {
        {"\x81\x02""40", 4, "close 1002"},                          /* not masked */
        {"\xc1\x82\x00\x00\x00\x00""40", 8, "close 1002"},          /* reserved bit: no extension was agreed on */
        {"\x83\x80\x00\x00\x00\x00", 6, "close 1002"},              /* reserved opcode */
        {"\x80\x80\x00\x00\x00\x00", 6, "close 1002"},              /* continues nothing */
        {"\x09\x80\x00\x00\x00\x00", 6, "close 1002"},              /* fragmented ping */
        {"\x81\xfe\x00\x02\x00\x00\x00\x00""40", 10, "close 1002"}, /* length not minimal */
        {"\x81\x82\x00\x00\x00\x00\xc3\x28", 8, "close 1007"},      /* not UTF-8 */
        {"\x82\x82\x00\x00\x00\x00""40", 8, "close 1003"},          /* binary */
        {"\x88\x81\x00\x00\x00\x00\x03", 7, "close"},          /* half a status */
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct client *c = client_connected(&r, "1");
        client_bytes(&r, c, t[i].bytes, t[i].n);
        const char *got = client_hear(c);
        if (strcmp(got, t[i].answer))
            fail_msg("%zu: got '%s', want '%s'", i, got, t[i].answer);
        HEARS(c, "eof");
        assert_int_equal(hub_sockets(r.hub), 0);
        client_free(c);
    }
}

static void those_who_do_not_leave_are_left(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1");
    client_say(&r, c, "2");
    HEARS(c, "close 1002");
    assert_non_null(r.hub->sockets);
    client_say(&r, c, "40");            /* nobody listens */
    advance(&r, LINGER_MS);
    assert_null(r.hub->sockets);
    client_free(c);
}

/* The HTTP server has a duplicate of the descriptor for a moment longer. */
static void a_duplicate_elsewhere_does_no_harm(void **state)
{
    (void)state;
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    int half = dup(fd[0]);
    hub_attach(r.hub, fd[0], false, STR_NULL, STR("1"), STR_NULL);
    settle(&r);
    close(fd[1]);
    settle(&r);
    assert_int_equal(hub_sockets(r.hub), 0);
    assert_false(hub_turn(r.hub, 0));
    close(half);
}

/* ---- limits ---- */

static void those_who_send_without_end_are_dropped(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1"), *other = client_connected(&r, "2");
    for (int i = 1; i < LIMIT_PACKETS; i++)     /* CONNECT was the first */
        client_say(&r, c, "42[\"x\"]");
    client_say(&r, other, "421[\"x\"]");
    HEARS(other, "431[]");
    assert_int_equal(hub_sockets(r.hub), 2);
    advance(&r, PACKETS_MS);                    /* that is over: many more are allowed again */
    for (int i = 0; i < LIMIT_PACKETS; i++)
        client_say(&r, c, "42[\"x\"]");
    assert_int_equal(hub_sockets(r.hub), 2);
    client_say(&r, c, "42[\"x\"]");
    assert_int_equal(hub_sockets(r.hub), 1);
    assert_true(metric_is(&r, "carillon_sockets_dropped_total{reason=\"flood\"} 1"));
    client_free(c);
    client_free(other);
}

static void the_oldest_stranger_gives_way(void **state)
{
    (void)state;
    struct client *friend = client_connected(&r, "1"), *early = client_attach(&r, false, NULL, "1");
    HEARS_START(early, "0{");
    for (int i = 1; i < LIMIT_STRANGERS; i++)
        assert_non_null(session_open(r.hub, SESSION_ENGINE, TRANSPORT_POLLING, STR_NULL));
    settle(&r);
    assert_int_equal(hub_sockets(r.hub), LIMIT_STRANGERS + 1);
    client_say(&r, early, "40");                /* shows a token: no stranger any more */
    HEARS_START(early, "40{");
    assert_non_null(session_open(r.hub, SESSION_ENGINE, TRANSPORT_POLLING, STR_NULL));
    settle(&r);
    assert_int_equal(hub_sockets(r.hub), LIMIT_STRANGERS + 2);
    assert_non_null(session_open(r.hub, SESSION_ENGINE, TRANSPORT_POLLING, STR_NULL));
    settle(&r);
    assert_int_equal(hub_sockets(r.hub), LIMIT_STRANGERS + 2);
    assert_true(metric_is(&r, "carillon_sockets_dropped_total{reason=\"stranger\"} 1"));
    hub_message(r.hub, subscriber(1), STR(""), STR("1"));
    settle(&r);
    HEARS_START(friend, "42[\"notification_received\"");
    HEARS_START(early, "42[\"notification_received\"");
    client_free(friend);
    client_free(early);
}

static void no_more_sockets_than_there_are_descriptors(void **state)
{
    (void)state;
    r.hub->config.sockets_max = 2;
    struct client *a = client_connected(&r, "1"), *b = client_connected(&r, "1"), *c = client_attach(&r, false, NULL, "1");
    HEARS(c, "eof");
    assert_true(metric_is(&r, "carillon_sockets_dropped_total{reason=\"limit\"} 1"));
    client_free(a);
    settle(&r);
    struct client *d = client_connected(&r, "1");
    client_free(b);
    client_free(c);
    client_free(d);
}

static void those_who_do_not_read_are_dropped(void **state)
{
    (void)state;
    struct client *slow = client_connected(&r, "1"), *good = client_connected(&r, "1");
    size_t n = 100 * 1024;
    char *message = malloc(n);
    memset(message, 'm', n);
    message[0] = message[n - 1] = '"';
    int sent = 0;
    while (hub_sockets(r.hub) == 2 && sent++ < 100) {
        hub_message(r.hub, subscriber(1), STR(""), (struct str){message, n});
        settle(&r);
        while (strcmp(client_hear(good), "nothing"))
            ;
    }
    assert_in_range(sent, 3, 20);       /* the kernel's buffer, then ours: 256 KiB and one */
    assert_true(metric_is(&r, "carillon_sockets_dropped_total{reason=\"slow\"} 1"));
    assert_int_equal(r.hub->sockets->out.n, 0);
    client_say(&r, good, "421[\"x\"]");
    HEARS(good, "431[]");
    free(message);
    client_free(slow);
    client_free(good);
}

static void one_message_beyond_the_limit_arrives(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1");
    size_t n = 3 * LIMIT_SEND_BYTES;
    char *message = malloc(n);
    memset(message, 'm', n);
    message[0] = message[n - 1] = '"';
    hub_message(r.hub, subscriber(1), STR(""), (struct str){message, n});
    settle(&r);
    char *whole = malloc(n + 4096);
    size_t got = 0;
    for (ssize_t k; (k = recv(c->fd, whole + got, n + 4096 - got, MSG_DONTWAIT)) > 0; got += (size_t)k)
        settle(&r);
    assert_true(got > n + 40);
    assert_int_equal(hub_sockets(r.hub), 1);
    free(whole);
    free(message);
    client_free(c);
}

static void pings_without_end_are_bounded(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1");
    char payload[125];
    memset(payload, 'p', sizeof payload);
    uint8_t b[256];
    size_t n = frame_make(b, 0x89, payload, sizeof payload);
    for (int i = 0; i < 20000 && hub_sockets(r.hub); i++)
        client_bytes(&r, c, b, n);
    assert_int_equal(hub_sockets(r.hub), 0);
    client_free(c);
}

static void sockets_of_one_subscriber_are_limited(void **state)
{
    (void)state;
    struct client *c[LIMIT_ROOM_MEMBERS / LIMIT_NAMESPACES + 1];
    int connected = 0;
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        c[i] = client_attach(&r, false, NULL, "1");
        HEARS_START(c[i], "0{");
        for (int k = 0; k < LIMIT_NAMESPACES; k++) {
            char text[40];
            snprintf(text, sizeof text, "40/n%d,", k);
            client_say(&r, c[i], text);
            const char *got = client_hear(c[i]);
            if (!strncmp(got, "40/", 3))
                connected++;
            else
                assert_non_null(strstr(got, "{\"message\":\"Too many connections\"}"));
        }
    }
    assert_int_equal(connected, LIMIT_ROOM_MEMBERS);
    for (size_t i = 0; i < sizeof c / sizeof *c; i++)
        client_free(c[i]);
}

static void stopping_closes_without_disconnect(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1"), *late;
    hub_drain(r.hub);
    settle(&r);
    HEARS(c, "close 1001");
    late = client_attach(&r, false, NULL, "1");
    HEARS(late, "eof");
    advance(&r, 60000);
    assert_int_equal(r.offline, 0);
    client_free(c);
    client_free(late);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(greets_and_connects), T(early_bytes_are_read_first), T(the_auth_payload_comes_before_the_query),
        T(bad_tokens_are_connected_and_told_to_go), T(any_namespace_is_echoed), T(namespaces_are_limited),
        T(events_are_acknowledged_with_nothing), T(broken_packets_close), T(an_event_before_connect_closes),
        T(an_engine_close_packet_closes), T(connect_must_come_within_45_s),
        T(after_disconnect_the_connection_stays_a_while), T(heartbeats), T(tokens_expire),
        T(a_clock_set_back_keeps_the_socket), T(control_frames_are_answered),
        T(fragments_and_single_bytes_make_messages), T(large_messages_up_to_the_limit), T(broken_frames_close),
        T(those_who_do_not_leave_are_left), T(a_duplicate_elsewhere_does_no_harm), T(those_who_do_not_read_are_dropped), T(those_who_send_without_end_are_dropped),
        T(the_oldest_stranger_gives_way), T(no_more_sockets_than_there_are_descriptors),
        T(one_message_beyond_the_limit_arrives), T(pings_without_end_are_bounded),
        T(sockets_of_one_subscriber_are_limited), T(stopping_closes_without_disconnect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
