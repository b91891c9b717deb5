/* What runs share, through the whole engine and on both stores: digests, throttles, and cancelling. */
#include "rig.h"

#include "engine/engine_private.h"

enum { MINUTE = 60000, DAY = 86400000 };

static const char ADA[] = "{\"to\":\"ada\",\"payload\":{\"n\":1}}";
static const char DIGEST[] = "[{\"type\":\"digest\",\"controlValues\":{\"amount\":5,\"unit\":\"minutes\"}},"
                             "{\"type\":\"in_app\",\"controlValues\":{\"body\":\"{{payload.n}}:{{steps.s0.eventCount}}\"}}]";
static const char THROTTLE[] = "[{\"type\":\"throttle\",\"controlValues\":{\"amount\":1,\"unit\":\"hours\",\"threshold\":2}},"
                               "{\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}}]";
static const char DELAY[] = "[{\"type\":\"delay\",\"controlValues\":{\"amount\":1,\"unit\":\"days\"}},"
                            "{\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}}]";

static int64_t count(struct rig *r, const char *what)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", what);
    return number(r->db, sql);
}

static void assert_nothing_left(struct rig *r)
{
    rig_advance(r, 0);
    assert_int_equal(count(r, "queue"), 0);
    assert_int_equal(count(r, "digest_events"), 0);
    assert_int_equal(count(r, "digest_groups"), 0);
    assert_int_equal(count(r, "deliveries WHERE state <> 1"), 0);
    assert_int_equal(engine_busy(r->engine), 0);
    assert_null(r->engine->flights);
}

/* Messages whose content is `text`. */
static int64_t said(struct rig *r, const char *text)
{
    char sql[128];
    snprintf(sql, sizeof sql, "messages WHERE doc LIKE '%%\"content\":\"%s\"%%'", text);
    return count(r, sql);
}

/* Ada is there already: else plans made at once would meet over her and not over what they share. */
static void know_ada(struct rig *r)
{
    rig_workflow(r, "hello", IN_APP);
    rig_trigger(r, "hello", "hello", ADA);
    rig_sql(r, "DELETE FROM messages");
    rig_sql(r, "DELETE FROM runs");
}

/* n triggers whose plans are all made before the first is committed. */
static void trigger_at_once(struct rig *r, const char *workflow, int n)
{
    struct gate g;
    struct call *calls = calloc((size_t)n, sizeof *calls);
    char tx[32];
    know_ada(r);
    gate_drop(r, &g);
    for (int i = 0; i < n; i++) {
        snprintf(tx, sizeof tx, "%s-%d", workflow, i);
        call_begin(r, &calls[i], workflow, tx, ADA);
        call_go(&calls[i]);
    }
    gate_wait_depth(r, n);
    gate_lift(r);
    for (int i = 0; i < n; i++) {
        call_wait(&calls[i]);
        if (calls[i].failed)
            fail_msg("%s", calls[i].err.message);
        call_free(&calls[i]);
    }
    free(calls);
}

static void triggers_at_once_have_one_first(void **state)
{
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "digest", DIGEST);
    trigger_at_once(r, "digest", 30);
    assert_int_equal(count(r, "digest_groups WHERE run_id IS NOT NULL"), 1);
    assert_int_equal(count(r, "digest_events"), 29);
    assert_int_equal(count(r, "runs WHERE delivery = 5 AND status = 1"), 29);
    assert_int_equal(count(r, "runs WHERE status = 0"), 1);
    assert_int_equal(count(r, "queue"), 1);
    rig_advance(r, 5 * MINUTE);
    assert_int_equal(said(r, "1:30"), 1);
    assert_int_equal(count(r, "messages"), 1);
    assert_nothing_left(r);
    rig_end(r);
}

/* An event that is decided on before the digest fires, and committed before the fire is, goes with it; one that comes too
 * late opens the next one. None is lost, none is sent twice. */
static void an_event_that_meets_the_fire_is_in_one_digest(void **state)
{
    struct rig *r = rig_start(state, true);
    struct gate g;
    struct call c;
    rig_workflow(r, "digest", DIGEST);
    rig_trigger(r, "digest", "t1", ADA);
    clock_set(&r->clock, clock_now_ms(&r->clock) + 5 * MINUTE - 1);
    gate_drop(r, &g);
    call_begin(r, &c, "digest", "t2", ADA);
    call_go(&c);
    gate_wait_depth(r, 1);                  /* it joins */
    struct advanced d = {.rig = r};
    struct error err = {0};
    must(engine_advance_clock(r->engine, clock_now_ms(&r->clock) + 1, advance_done, &d, &err), &err, "advance");
    clock_set(&r->clock, clock_now_ms(&r->clock) + 1);
    gate_lift(r);
    call_wait(&c);
    call_free(&c);
    rig_advance_wait(&d);
    rig_advance(r, 10 * MINUTE);
    assert_int_equal(count(r, "messages"), said(r, "1:2") + said(r, "1:1"));
    assert_int_equal(said(r, "1:2") * 2 + said(r, "1:1"), 2);
    assert_nothing_left(r);
    rig_end(r);
}

static void a_throttle_counts_what_comes_at_once(void **state)
{
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "calm", THROTTLE);
    trigger_at_once(r, "calm", 12);
    assert_int_equal(count(r, "messages"), 2);
    assert_int_equal(count(r, "runs WHERE status = 1 AND delivery = 3"), 10);
    assert_int_equal(number(r->db, "SELECT granted FROM throttle_windows"), 2);
    rig_advance(r, 60 * MINUTE);
    rig_trigger(r, "calm", "later", ADA);
    assert_int_equal(count(r, "messages"), 3);
    assert_nothing_left(r);
    rig_end(r);
}

/* Windows and look-backs that are over do not pile up. */
static void what_is_over_is_forgotten(void **state)
{
    static const char look_back[] = "[{\"type\":\"digest\",\"controlValues\":{\"amount\":5,\"unit\":\"minutes\",\"lookBackWindow\":"
                                    "{\"amount\":10,\"unit\":\"minutes\"}}},{\"type\":\"throttle\",\"controlValues\":{\"amount\":5,"
                                    "\"unit\":\"minutes\"}}]";
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "w", look_back);
    for (int i = 0; i < 20; i++) {
        char tx[16], body[32];
        snprintf(tx, sizeof tx, "t%d", i);
        snprintf(body, sizeof body, "{\"to\":\"p%d\"}", i);
        rig_trigger(r, "w", tx, body);
        rig_advance(r, 15 * MINUTE);
    }
    assert_true(count(r, "digest_groups") <= 2);
    assert_true(count(r, "throttle_windows") <= 2);
    assert_int_equal(count(r, "queue"), 0);
    rig_end(r);
}

/* Two processes on one PostgreSQL, each with its own writer. */
static void two_nodes_make_one_digest(void **state)
{
    enum { N = 20 };
    struct rig *r = rig_start(state, true);
    struct rig *other = rig_new(r->kind, r->url, true, 0);
    struct call calls[2 * N];
    char tx[32];
    rig_engine_start(other);
    rig_workflow(r, "digest", DIGEST);
    know_ada(r);
    clock_set(&other->clock, clock_now_ms(&r->clock));
    rig_trigger(r, "digest", "first", "{\"to\":\"bob\"}");      /* so that both know the workflow */
    for (int i = 0; i < 2 * N; i++) {
        snprintf(tx, sizeof tx, "t%d", i);
        call_begin(i % 2 ? other : r, &calls[i], "digest", tx, ADA);
        call_go(&calls[i]);
    }
    for (int i = 0; i < 2 * N; i++) {
        call_wait(&calls[i]);
        if (calls[i].failed)
            fail_msg("%s", calls[i].err.message);
        call_free(&calls[i]);
    }
    assert_int_equal(count(r, "digest_groups WHERE run_id IS NOT NULL"), 2);
    assert_int_equal(count(r, "digest_events"), 2 * N - 1);
    engine_stop(other->engine, 0);
    other->engine = NULL;
    rig_advance(r, 5 * MINUTE);
    assert_int_equal(said(r, "1:40"), 1);
    assert_int_equal(count(r, "messages"), 2);
    assert_nothing_left(r);
    rig_end(other);
    rig_end(r);
}

/* --- cancelling ------------------------------------------------------------------------------------------------- */

struct stop {
    struct rig *rig;
    struct cancellation c;
    struct error err;
    bool ended, failed;
};

static void stop_done(struct cancellation *c, const struct error *err)
{
    struct stop *s = c->owner;
    pthread_mutex_lock(&s->rig->lock);
    s->failed = err != NULL;
    if (err)
        s->err = *err;
    s->ended = true;
    pthread_cond_broadcast(&s->rig->changed);
    pthread_mutex_unlock(&s->rig->lock);
}

static bool cancel(struct rig *r, const char *tx)
{
    struct stop s = {.rig = r, .c = {.environment = r->environment, .transaction_id = str_of(tx), .done = stop_done}};
    struct error err = {0};
    s.c.owner = &s;
    must(engine_cancel(r->engine, &s.c, &err), &err, "cancel");
    pthread_mutex_lock(&r->lock);
    while (!s.ended)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
    must(!s.failed, &s.err, "cancelled");
    return s.c.stopped;
}

static void a_cancel_reaches_every_run_of_its_event(void **state)
{
    struct rig *r = rig_start(state, true);
    struct buf b = {.arena = r->arena};
    rig_workflow(r, "late", DELAY);
    buf_z(&b, "{\"to\":[");
    for (int i = 0; i < 250; i++)
        buf_fmt(&b, "%s\"p%d\"", i ? "," : "", i);
    buf_z(&b, "]}");
    rig_trigger(r, "late", "many", buf_finish(&b).p);
    rig_trigger(r, "late", "other", ADA);
    rig_advance(r, 0);
    assert_int_equal(count(r, "runs WHERE status = 0"), 251);
    assert_true(cancel(r, "many"));
    assert_int_equal(count(r, "runs WHERE status = 1 AND delivery = 4"), 250);
    assert_int_equal(count(r, "queue"), 1);
    assert_false(cancel(r, "many"));
    assert_false(cancel(r, "nobody"));
    rig_advance(r, DAY);
    assert_int_equal(count(r, "messages"), 1);
    assert_nothing_left(r);
    rig_end(r);
}

/* A fan-out that has not got far yet makes no further runs. */
static void a_cancel_stops_a_fan_out(void **state)
{
    struct rig *r = rig_start(state, true);
    struct buf b = {.arena = r->arena};
    struct gate g;
    struct call c;
    struct stop s = {.rig = r, .c = {.environment = r->environment, .transaction_id = STR("many"), .done = stop_done}};
    struct error err = {0};
    rig_workflow(r, "late", DELAY);
    buf_z(&b, "{\"to\":[");
    for (int i = 0; i < 1000; i++)
        buf_fmt(&b, "%s\"p%d\"", i ? "," : "", i);
    buf_z(&b, "]}");
    call_begin(r, &c, "late", "many", buf_finish(&b).p);
    call_go(&c);
    call_wait(&c);
    call_free(&c);
    gate_drop(r, &g);
    s.c.owner = &s;
    must(engine_cancel(r->engine, &s.c, &err), &err, "cancel");
    gate_wait_depth(r, 1);
    gate_lift(r);
    pthread_mutex_lock(&r->lock);
    while (!s.ended)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
    assert_true(s.c.stopped);
    rig_advance(r, 0);
    assert_int_equal(count(r, "runs WHERE status = 0"), 0);
    assert_int_equal(count(r, "fanouts WHERE state = 4") + count(r, "fanouts WHERE state = 3"), 1);
    rig_advance(r, DAY);
    assert_int_equal(count(r, "messages"), 0);
    assert_nothing_left(r);
    rig_end(r);
}

static void a_canceled_digest_is_handed_over(void **state)
{
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "digest", DIGEST);
    for (int i = 1; i <= 4; i++) {
        char tx[16], body[64];
        snprintf(tx, sizeof tx, "t%d", i);
        snprintf(body, sizeof body, "{\"to\":\"ada\",\"payload\":{\"n\":%d}}", i);
        rig_trigger(r, "digest", tx, body);
        rig_advance(r, MINUTE / 2);
    }
    assert_true(cancel(r, "t1"));
    assert_true(cancel(r, "t3"));
    assert_false(cancel(r, "t3"));
    assert_int_equal(count(r, "digest_events"), 1);
    assert_int_equal(count(r, "queue"), 1);
    rig_advance(r, 3 * MINUTE - 1);
    assert_int_equal(count(r, "messages"), 0);
    rig_advance(r, 1);                      /* five minutes after t1: the window was not restarted */
    assert_int_equal(said(r, "2:2"), 1);
    assert_false(cancel(r, "t4"));          /* sent with t2 */
    assert_int_equal(count(r, "messages"), 1);
    assert_nothing_left(r);
    rig_end(r);
}

/* The last one leaves and the first is canceled, at once: whatever is first, nothing stays behind. */
static void cancels_of_one_group_at_once(void **state)
{
    enum { N = 12 };
    struct rig *r = rig_start(state, true);
    struct stop stops[N];
    char tx[N][16];
    rig_workflow(r, "digest", DIGEST);
    for (int i = 0; i < N; i++) {
        snprintf(tx[i], sizeof tx[i], "t%d", i);
        rig_trigger(r, "digest", tx[i], ADA);
    }
    for (int i = 0; i < N; i++) {
        struct error err = {0};
        stops[i] = (struct stop){.rig = r, .c = {.environment = r->environment, .transaction_id = str_of(tx[i]), .done = stop_done}};
        stops[i].c.owner = &stops[i];
        must(engine_cancel(r->engine, &stops[i].c, &err), &err, "cancel");
    }
    pthread_mutex_lock(&r->lock);
    for (int i = 0; i < N; i++) {
        while (!stops[i].ended)
            pthread_cond_wait(&r->changed, &r->lock);
        assert_false(stops[i].failed);
        assert_true(stops[i].c.stopped);
    }
    pthread_mutex_unlock(&r->lock);
    assert_int_equal(count(r, "runs WHERE delivery = 4"), N);
    assert_nothing_left(r);
    rig_advance(r, DAY);
    assert_int_equal(count(r, "messages"), 0);
    rig_end(r);
}

static void a_cancel_stops_retries(void **state)
{
    static const enum delivery_verdict retry[] = {VERDICT_RETRY, VERDICT_RETRY, VERDICT_RETRY, VERDICT_RETRY};
    struct rig *r = rig_start(state, true);
    r->script = retry;
    rig_workflow(r, "mail", EMAIL);
    rig_trigger(r, "mail", "t1", "{\"to\":{\"subscriberId\":\"ada\",\"email\":\"ada@example.com\"}}");
    rig_advance(r, 0);
    assert_int_equal(r->deliveries_n, 1);
    assert_true(cancel(r, "t1"));
    assert_int_equal(count(r, "messages WHERE status = 1"), 1);
    assert_int_equal(count(r, "runs WHERE status = 1 AND delivery = 4"), 1);
    rig_advance(r, DAY);
    assert_int_equal(r->deliveries_n, 1);
    assert_nothing_left(r);
    /* One that is being attempted ends as it will. */
    r->script = NULL;
    rig_hold(r, true);
    rig_trigger(r, "mail", "t2", "{\"to\":{\"subscriberId\":\"ada\"}}");
    rig_wait_deliveries(r, 2);
    assert_false(cancel(r, "t2"));
    rig_hold(r, false);
    rig_advance(r, 0);
    assert_int_equal(count(r, "runs WHERE status = 1 AND delivery = 1"), 1);
    assert_nothing_left(r);
    rig_end(r);
}

#define EACH_DB(f) {#f " (sqlite)", f, NULL, NULL, (void *)(uintptr_t)&both_kinds[0]}, \
                   {#f " (postgres)", f, NULL, NULL, (void *)(uintptr_t)&both_kinds[1]}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        EACH_DB(triggers_at_once_have_one_first),
        EACH_DB(an_event_that_meets_the_fire_is_in_one_digest),
        EACH_DB(a_throttle_counts_what_comes_at_once),
        EACH_DB(what_is_over_is_forgotten),
        {"two_nodes_make_one_digest (postgres)", two_nodes_make_one_digest, NULL, NULL, (void *)(uintptr_t)&both_kinds[1]},
        EACH_DB(a_cancel_reaches_every_run_of_its_event),
        EACH_DB(a_cancel_stops_a_fan_out),
        EACH_DB(a_canceled_digest_is_handed_over),
        EACH_DB(cancels_of_one_group_at_once),
        EACH_DB(a_cancel_stops_retries),
    };
    if (!crypto_init())
        return 1;
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
