/* Who gets which event when: addressing, order, counts, presence, the plain transport. */
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

#define UNSEEN(n, more) "42[\"unseen_count_changed\",{\"unseenCount\":" #n ",\"hasMore\":" #more "}]"
#define UNREAD(n, h, m, l, o, more)                                                                        \
    "42[\"unread_count_changed\",{\"unreadCount\":" #n ",\"counts\":{\"total\":" #n ",\"severity\":{\"high\":" #h \
    ",\"medium\":" #m ",\"low\":" #l ",\"none\":" #o "}},\"hasMore\":" #more "}]"

static void message_to(int digit, struct str context, struct str json)
{
    hub_message(r.hub, subscriber(digit), context, json);
}

static void three_events_in_order(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1");
    r.counts = (struct hub_counts){.unseen = 4, .unread = 5, .high = 1, .medium = 2, .none = 2};
    message_to(1, STR(""), STR("{\"_id\":\"x\"}"));
    settle(&r);
    HEARS(c, "42[\"notification_received\",{\"message\":{\"_id\":\"x\"}}]");
    HEARS(c, UNSEEN(4, false));
    HEARS(c, UNREAD(5, 1, 2, 0, 2, false));
    HEARS(c, "nothing");
    assert_true(metric_is(&r, "carillon_socket_events_total{event=\"notification_received\"} 1"));
    assert_true(metric_is(&r, "carillon_socket_events_total{event=\"unread_count_changed\"} 1"));
    client_free(c);
}

static void counts_stop_at_100(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1");
    r.counts = (struct hub_counts){.unseen = 100, .unread = 101, .high = 101, .low = 100};
    hub_changed(r.hub, subscriber(1), HUB_UNSEEN | HUB_UNREAD);
    settle(&r);
    HEARS(c, UNSEEN(100, false));
    HEARS(c, UNREAD(100, 100, 0, 100, 0, true));
    client_free(c);
}

static void only_what_changed_is_said(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1");
    hub_changed(r.hub, subscriber(1), HUB_UNREAD);
    settle(&r);
    HEARS(c, UNREAD(0, 0, 0, 0, 0, false));
    HEARS(c, "nothing");
    hub_changed(r.hub, subscriber(1), HUB_UNSEEN);
    settle(&r);
    HEARS(c, UNSEEN(0, false));
    HEARS(c, "nothing");
    hub_changed(r.hub, subscriber(1), 0);
    hub_changed(r.hub, subscriber(2), HUB_UNREAD);
    settle(&r);
    HEARS(c, "nothing");
    assert_int_equal(r.counted, 2);
    client_free(c);
}

static void all_sockets_of_one_subscriber_and_context(void **state)
{
    (void)state;
    struct client *a = client_connected(&r, "1"), *b = client_connected(&r, "1"), *other = client_connected(&r, "2");
    struct client *eu = client_connected(&r, "1:region:eu"), *both = client_connected(&r, "1:region:eu,tenant:acme");
    char sid[SID_LEN + 1];
    polling_connected(&r, "1", sid);
    struct poller *p = request(&r, EXCHANGE_GET, sid, NULL, NULL);
    message_to(1, STR(""), STR("1"));
    settle(&r);
    HEARS(a, "42[\"notification_received\",{\"message\":1}]");
    HEARS(b, "42[\"notification_received\",{\"message\":1}]");
    assert_memory_equal(p->body, "42[\"notification_received\",{\"message\":1}]", 41);
    free(p);
    HEARS(eu, "nothing");       /* counts neither: assertion 39 */
    HEARS(both, "nothing");
    HEARS(other, "nothing");
    assert_int_equal(r.counted, 1);
    message_to(1, STR("region:eu"), STR("2"));
    settle(&r);
    HEARS(eu, "42[\"notification_received\",{\"message\":2}]");
    HEARS_START(eu, "42[\"unseen");
    HEARS_START(eu, "42[\"unread");
    HEARS(both, "nothing");
    assert_string_equal(r.counted_context, "region:eu");
    while (strcmp(client_hear(a), "nothing"))
        ;
    /* a change without a context reaches each, with counts of its own */
    r.counted = 0;
    hub_changed(r.hub, subscriber(1), HUB_UNREAD);
    settle(&r);
    assert_int_equal(r.counted, 3);
    HEARS_START(a, "42[\"unread");
    HEARS_START(eu, "42[\"unread");
    HEARS_START(both, "42[\"unread");
    HEARS(other, "nothing");
    client_free(a);
    client_free(b);
    client_free(other);
    client_free(eu);
    client_free(both);
}

static void changes_that_wait_are_counted_once(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1");
    for (int i = 0; i < 50; i++) {
        message_to(1, STR(""), STR("1"));
        hub_changed(r.hub, subscriber(1), HUB_UNREAD);
    }
    settle(&r);
    assert_int_equal(r.counted, 1);
    for (int i = 0; i < 50; i++)
        HEARS(c, "42[\"notification_received\",{\"message\":1}]");
    HEARS(c, UNSEEN(0, false));
    HEARS(c, UNREAD(0, 0, 0, 0, 0, false));
    HEARS(c, "nothing");
    /* one that comes after the counting is counted again: never stale at last */
    r.counts.unread = 7;
    hub_changed(r.hub, subscriber(1), HUB_UNREAD);
    settle(&r);
    HEARS(c, UNREAD(7, 0, 0, 0, 0, false));
    client_free(c);
}

static void counts_that_fail_are_tried_again(void **state)
{
    (void)state;
    struct client *c = client_connected(&r, "1"), *eu = client_connected(&r, "1:eu");
    r.counts_fail = true;
    hub_changed(r.hub, subscriber(1), HUB_UNREAD);
    settle(&r);
    advance(&r, RETRY_MS);
    assert_int_equal(r.counted, 2);
    HEARS(c, "nothing");
    r.counts_fail = false;
    r.counts.unread = 3;
    advance(&r, RETRY_MS);
    HEARS(c, UNREAD(3, 0, 0, 0, 0, false));
    HEARS(eu, UNREAD(3, 0, 0, 0, 0, false));
    assert_int_equal(r.counted, 4);
    advance(&r, RETRY_MS);
    assert_int_equal(r.counted, 4);
    client_free(c);
    client_free(eu);
}

static void many_rooms_are_counted_over_several_turns(void **state)
{
    (void)state;
    enum { N = LIMIT_COUNTS_TURN + 20 };
    struct client *c[N];
    for (int i = 0; i < N; i++) {
        char token[16];
        struct id id = {.b[10] = 1, .b[11] = (uint8_t)(i + 1)};
        snprintf(token, sizeof token, "#%d", i + 1);
        c[i] = client_connected(&r, token);
        hub_changed(r.hub, id, HUB_UNREAD);
        settle(&r);
    }
    r.counted = 0;
    for (int i = 0; i < N; i++)
        hub_changed(r.hub, (struct id){.b[10] = 1, .b[11] = (uint8_t)(i + 1)}, HUB_UNSEEN);
    hub_turn(r.hub, 0);
    assert_int_equal(r.counted, LIMIT_COUNTS_TURN);     /* sockets get their turn in between */
    settle(&r);
    assert_int_equal(r.counted, N);
    for (int i = 0; i < N; i++) {
        HEARS_START(c[i], "42[\"unread");
        HEARS_START(c[i], "42[\"unseen");
        HEARS(c[i], "nothing");
        client_free(c[i]);
    }
}

static void one_packet_for_all_sockets(void **state)
{
    (void)state;
    struct client *a = client_connected(&r, "1"), *b = client_connected(&r, "1"), *p = client_attach(&r, true, NULL, "1");
    char sid[SID_LEN + 1];
    polling_connected(&r, "1", sid);
    struct session *polling = session_find(r.hub, str_of(sid));
    message_to(1, STR(""), STR("1"));
    settle(&r);
    /* the frame that waits for the poll was the one that the sockets have sent */
    struct frame *f = outq_at(&polling->out, 0);
    assert_memory_equal(f->bytes + f->head, "42[\"notification_received\"", 24);
    assert_int_equal(f->head, 2);
    HEARS(a, "42[\"notification_received\",{\"message\":1}]");
    HEARS(b, "42[\"notification_received\",{\"message\":1}]");
    HEARS(p, "{\"event\":\"notification_received\",\"data\":{\"message\":1}}");
    client_free(a);
    client_free(b);
    client_free(p);
}

static void many_namespaces_get_each_their_own(void **state)
{
    (void)state;
    struct client *c[3];
    char text[32];
    for (int i = 0; i < 3; i++) {
        c[i] = client_attach(&r, false, NULL, "1");
        HEARS_START(c[i], "0{");
        for (int k = 0; k < 7; k++) {
            snprintf(text, sizeof text, "40/c%dn%d,", i, k);
            client_say(&r, c[i], text);
            HEARS_START(c[i], "40/");
        }
    }
    message_to(1, STR(""), STR("1"));
    settle(&r);
    for (int i = 0; i < 3; i++) {
        for (int k = 6; k >= 0; k--) {
            char want[80];
            snprintf(want, sizeof want, "42/c%dn%d,[\"notification_received\",{\"message\":1}]", i, k);
            HEARS(c[i], want);
        }
        client_free(c[i]);
    }
}

static void nobody_is_here(void **state)
{
    (void)state;
    message_to(1, STR(""), STR("1"));
    hub_changed(r.hub, subscriber(1), HUB_UNREAD);
    assert_null(r.hub->first);      /* costs nothing */
    settle(&r);
    assert_int_equal(r.counted, 0);
}

/* ---- presence ---- */

static void presence_follows_the_first_and_the_last_socket(void **state)
{
    (void)state;
    struct client *a = client_connected(&r, "1"), *b = client_attach(&r, true, NULL, "1");
    assert_int_equal(r.online, 1);
    client_free(a);
    settle(&r);
    advance(&r, OFFLINE_MS);
    assert_int_equal(r.offline, 0);
    client_free(b);
    settle(&r);
    advance(&r, OFFLINE_MS - 1);
    assert_int_equal(r.offline, 0);
    /* a page reload is no absence */
    a = client_connected(&r, "1");
    advance(&r, OFFLINE_MS);
    assert_int_equal(r.online, 1);
    assert_int_equal(r.offline, 0);
    client_free(a);
    settle(&r);
    advance(&r, OFFLINE_MS);
    assert_int_equal(r.offline, 1);
    assert_int_equal(r.hub->rooms.n, 0);
    a = client_connected(&r, "1");
    assert_int_equal(r.online, 2);
    client_say(&r, a, "41");            /* leaves the namespace: gone too */
    advance(&r, OFFLINE_MS);
    assert_int_equal(r.offline, 2);
    client_free(a);
}

static void everybody_is_announced_again(void **state)
{
    (void)state;
    enum { N = 300 };                   /* more than one part */
    struct client *c[N];
    for (int i = 0; i < N; i++) {
        char token[16];
        snprintf(token, sizeof token, "#%d", i % 250 + 1);
        c[i] = client_connected(&r, token);
    }
    assert_int_equal(r.online, 250);
    client_free(c[0]);                  /* 250 is left, and will be gone in 2 s */
    client_free(c[250]);
    settle(&r);
    hub_announce(r.hub);
    for (int i = 0; i < 10; i++)
        advance(&r, ANNOUNCE_MS);
    assert_int_equal(r.online, 250 + 249);
    assert_int_equal(r.offline, 0);
    advance(&r, OFFLINE_MS);
    assert_int_equal(r.online, 250 + 249);
    for (int i = 1; i < N; i++)
        if (i != 250)
            client_free(c[i]);
}

static void stopping_is_no_absence(void **state)
{
    (void)state;
    struct client *a = client_connected(&r, "1"), *b = client_connected(&r, "2");
    client_free(b);
    settle(&r);
    hub_drain(r.hub);
    advance(&r, 2 * OFFLINE_MS);
    assert_int_equal(r.offline, 0);
    client_free(a);
}

/* ---- plain transport ---- */

static void plain_events(void **state)
{
    (void)state;
    struct client *c = client_attach(&r, true, NULL, "1:eu");
    HEARS(c, "nothing");
    assert_int_equal(r.online, 1);
    r.counts = (struct hub_counts){.unseen = 1, .unread = 2, .low = 2};
    message_to(1, STR("eu"), STR("{\"_id\":\"x\"}"));
    settle(&r);
    HEARS(c, "{\"event\":\"notification_received\",\"data\":{\"message\":{\"_id\":\"x\"}}}");
    HEARS(c, "{\"event\":\"unseen_count_changed\",\"data\":{\"unseenCount\":1,\"hasMore\":false}}");
    HEARS(c, "{\"event\":\"unread_count_changed\",\"data\":{\"unreadCount\":2,\"counts\":{\"total\":2,\"severity\":"
             "{\"high\":0,\"medium\":0,\"low\":2,\"none\":0}},\"hasMore\":false}}");
    client_say(&r, c, "ping");
    HEARS(c, "pong");
    client_say(&r, c, "pong");
    client_say(&r, c, "{\"event\":\"x\"}");
    client_say(&r, c, "40");
    client_frame(&r, c, 0x82, "\x00", 1);
    HEARS(c, "nothing");
    assert_true(metric_is(&r, "carillon_sockets{transport=\"plain\"} 1"));
    client_free(c);
}

static void plain_bad_tokens(void **state)
{
    (void)state;
    static const char *const tokens[] = {"bad", NULL, "null", "1@0"};
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        struct client *c = client_attach(&r, true, NULL, tokens[i]);
        HEARS(c, "close 4401");
        HEARS(c, "eof");
        client_free(c);
    }
    struct client *c = client_attach(&r, true, NULL, "1@5000");
    advance(&r, 4999);
    HEARS(c, "nothing");
    advance(&r, 1);
    HEARS(c, "close 4401");
    client_free(c);
}

static void plain_clients_that_are_gone_are_found_out(void **state)
{
    (void)state;
    struct client *c = client_attach(&r, true, NULL, "1"), *pongs = client_attach(&r, true, NULL, "1");
    advance(&r, 20000);
    client_say(&r, c, "ping");
    HEARS(c, "pong");
    advance(&r, 5000);
    HEARS(c, "nothing");
    HEARS(pongs, "ping");
    client_frame(&r, pongs, 0x8a, "", 0);
    advance(&r, 20000);
    HEARS(c, "ping");
    advance(&r, 20000);
    HEARS(c, "close 1000");
    HEARS(pongs, "ping");
    client_free(c);
    client_free(pongs);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(three_events_in_order), T(counts_stop_at_100), T(only_what_changed_is_said),
        T(all_sockets_of_one_subscriber_and_context), T(changes_that_wait_are_counted_once),
        T(counts_that_fail_are_tried_again), T(many_rooms_are_counted_over_several_turns),
        T(one_packet_for_all_sockets), T(many_namespaces_get_each_their_own), T(nobody_is_here),
        T(presence_follows_the_first_and_the_last_socket), T(everybody_is_announced_again), T(stopping_is_no_absence), T(plain_events),
        T(plain_bad_tokens), T(plain_clients_that_are_gone_are_found_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
