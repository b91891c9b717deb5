/* Deliveries under pressure, and several processes (here: engines) on one PostgreSQL. */
#include "rig.h"

#include "db/notify.h"
#include "engine/engine_private.h"
#include "model/delivery.h"

static const char ADA[] = "{\"to\":{\"subscriberId\":\"ada\",\"firstName\":\"Ada\",\"email\":\"ada@example.com\"}}";

static int64_t count(struct rig *r, const char *what)
{
    return number(r->db, str_fmt(r->arena, "SELECT count(*) FROM %s", what).p);
}

static const char *people(struct rig *r, const char *prefix, int n)
{
    struct buf b = {.arena = r->arena};
    buf_z(&b, "{\"to\":[");
    for (int i = 0; i < n; i++)
        buf_fmt(&b, "%s{\"subscriberId\":\"%s%d\",\"email\":\"p%d@example.com\"}", i ? "," : "", prefix, i, i);
    buf_z(&b, "]}");
    return buf_finish(&b).p;
}

static void configure(struct rig *r, const char *delivery)
{
    rig_sql(r, str_fmt(r->arena, "UPDATE integrations SET configurations = '{\"delivery\":%s}' WHERE channel = 1", delivery).p);
    directory_changed(r->directory);
}

/* --- pressure ---------------------------------------------------------------------------------------------------------- */

/* More than one process has room for: they wait in the store, and a timer behind them still fires. */
static void a_backlog_holds_up_no_timer(void **state)
{
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "mail", EMAIL);
    rig_workflow(r, "later", "[{\"type\":\"delay\",\"controlValues\":{\"amount\":1,\"unit\":\"minutes\"}},"
                             "{\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}}]");
    rig_hold(r, true);
    rig_trigger(r, "mail", "t1", people(r, "a", 1500));
    rig_trigger(r, "mail", "t2", people(r, "b", 1500));
    while (number(r->db, "SELECT count(*) FROM runs") < 3000)
        sched_yield();
    rig_wait_deliveries(r, DELIVERIES_AT_ONCE);
    assert_in_range(atomic_load(&r->engine->deliveries), DELIVERIES_AT_ONCE, DELIVERIES_AT_ONCE + 400);
    rig_trigger(r, "later", "t3", ADA);
    clock_set(&r->clock, clock_now_ms(&r->clock) + 60000);
    engine_deliveries_changed(r->engine);       /* the clock was moved behind the engine's back */
    rig_wait_received(r, 1);
    rig_hold(r, false);
    rig_advance(r, 0);
    assert_int_equal(r->deliveries_n, 3000);
    assert_int_equal(count(r, "deliveries"), 0);
    assert_int_equal(count(r, "messages WHERE doc LIKE '%p-1%'"), 3000);
    rig_end(r);
}

/* beyond.md §1: two a second, three at once. */
static void a_paced_integration_spreads_its_messages(void **state)
{
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "mail", EMAIL);
    configure(r, "{\"messagesPerSecond\":2,\"burst\":3}");
    int64_t start = clock_now_ms(&r->clock);
    rig_trigger(r, "mail", "t1", people(r, "a", 9));
    rig_advance(r, 0);
    assert_int_equal(r->deliveries_n, 3);
    for (int i = 1; i <= 6; i++) {
        rig_advance(r, start + 500 * i - 1 - clock_now_ms(&r->clock));
        assert_int_equal(r->deliveries_n, 2 + i);
        rig_advance(r, 1);
        assert_int_equal(r->deliveries_n, 3 + i);
    }
    assert_int_equal(count(r, "runs WHERE status = 1"), 9);
    rig_end(r);
}

/* A new process finds the places of the old one void, and keeps the pace all the same. */
static void the_pace_survives_a_restart(void **state)
{
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "mail", EMAIL);
    configure(r, "{\"messagesPerSecond\":1}");
    rig_trigger(r, "mail", "t1", people(r, "a", 4));
    rig_advance(r, 0);
    assert_int_equal(r->deliveries_n, 1);
    engine_stop(r->engine, 1000);
    clock_set(&r->clock, clock_now_ms(&r->clock) + 60000);      /* it was down: all places have passed */
    rig_engine_start(r);
    for (int n = 2; n <= 4; n++) {
        rig_advance(r, n == 2 ? 0 : 1000);
        assert_int_equal(r->deliveries_n, n);
    }
    rig_end(r);
}

static struct id mail_integration(struct rig *r)
{
    struct error err = {0};
    struct db_stmt *s = db_prepare(r->db, "SELECT id FROM integrations WHERE channel = 1", &err);
    assert_int_equal(db_step(s, &err), DB_ROW);
    struct id id = db_id(s, 0);
    db_reset(s);
    return id;
}

/* An endpoint that is told nothing, for which it is written all the same. */
static void listen_without_hearing(struct rig *r)
{
    char hex[ID_HEX + 1];
    id_hex(r->environment, hex);
    const char *open = r->kind == DB_POSTGRES ? "decode('" : "x'", *close = r->kind == DB_POSTGRES ? "', 'hex')" : "'";
    rig_sql(r, str_fmt(r->arena, "INSERT INTO webhook_endpoints (id, environment_id, url, description, events, disabled, rate_limit, secret, "
                                 "created_at, updated_at) VALUES (%s%s%s, %s%s%s, 'http://x.test', '', 0, 1, 0, 's', 1, 1)",
                       open, hex, close, open, hex, close).p);
    directory_changed(r->directory);
}

/* While it is open nothing is sent; then one attempt, the probe, decides. Endpoints are told once of each turn. */
static void a_circuit_opens_and_closes(void **state)
{
    static const enum delivery_verdict script[] = {VERDICT_RETRY, VERDICT_SENT, VERDICT_SENT, VERDICT_SENT};
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "mail", EMAIL);
    configure(r, "{\"failover\":false,\"windowSeconds\":86400,\"breaker\":{\"failures\":3,\"openSeconds\":600}}");
    listen_without_hearing(r);
    struct id mail = mail_integration(r);
    r->script = script;
    rig_trigger(r, "mail", "t1", people(r, "a", 3));
    rig_advance(r, 0);
    assert_int_equal(r->deliveries_n, 3);
    assert_int_equal(engine_circuit(r->engine, mail).state, CIRCUIT_OPEN);
    assert_int_equal(count(r, "webhook_messages WHERE body LIKE '%\"circuit.opened\"%\"state\":\"open\",\"consecutiveFailures\":3,%\"openUntil\":%'"), 1);
    r->script = NULL;
    rig_trigger(r, "mail", "t2", ADA);
    rig_advance(r, 599000);
    assert_int_equal(r->deliveries_n, 3);
    rig_hold(r, true);
    clock_set(&r->clock, clock_now_ms(&r->clock) + 1000);
    assert_int_equal(engine_circuit(r->engine, mail).state, CIRCUIT_HALF_OPEN);
    engine_deliveries_changed(r->engine);
    rig_wait_deliveries(r, 4);
    while (count(r, "deliveries WHERE started_at IS NULL") < 3)         /* the others were sent away */
        sched_yield();
    assert_int_equal(r->deliveries_n, 4);
    rig_hold(r, false);
    rig_advance(r, 3600000);
    assert_int_equal(engine_circuit(r->engine, mail).state, CIRCUIT_CLOSED);
    assert_int_equal(count(r, "webhook_messages WHERE body LIKE '%\"type\":\"circuit.%'"), 2);
    assert_int_equal(count(r, "webhook_messages WHERE body LIKE '%\"circuit.closed\"%\"state\":\"closed\"%'"), 1);
    assert_int_equal(count(r, "messages WHERE status = 0 AND doc LIKE '%p-1%'"), 4);
    assert_int_equal(r->deliveries_n, 7);
    rig_end(r);
}

/* It is open already when a probe fails; and it is told also when the delivery's person is gone meanwhile. */
static void a_probe_that_fails_is_not_told(void **state)
{
    static const enum delivery_verdict script[] = {VERDICT_RETRY, VERDICT_RETRY, VERDICT_RETRY, VERDICT_RETRY, VERDICT_RETRY, VERDICT_RETRY};
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "mail", EMAIL);
    configure(r, "{\"attempts\":6,\"failover\":false,\"windowSeconds\":86400,\"breaker\":{\"failures\":1,\"openSeconds\":60}}");
    listen_without_hearing(r);
    r->script = script;
    rig_hold(r, true);
    rig_trigger(r, "mail", "t1", ADA);
    rig_wait_deliveries(r, 1);
    rig_sql(r, "DELETE FROM messages");
    rig_sql(r, "DELETE FROM runs");
    rig_hold(r, false);
    rig_advance(r, 0);
    assert_int_equal(count(r, "webhook_messages WHERE body LIKE '%circuit.opened%'"), 1);
    rig_trigger(r, "mail", "t2", ADA);
    for (int i = 0; i < 20; i++)
        rig_advance(r, 600000);
    assert_in_range(r->deliveries_n, 4, 7);
    assert_int_equal(count(r, "webhook_messages WHERE body LIKE '%\"type\":\"circuit.%'"), 1);
    rig_end(r);
}

struct redriving {
    struct rig *rig;
    int64_t n;
};

static bool redrive_apply(void *arg, struct db *db, struct error *err)
{
    struct redriving *x = arg;
    struct delivery_query q = {.channel = -1, .under_way = -1, .limit = 100};
    return deliveries_redrive(db, x->rig->environment, &q, clock_now_ms(&x->rig->clock), &x->n, err);
}

static void dead_letters_live_again_once(void **state)
{
    static const enum delivery_verdict script[] = {VERDICT_FAILED, VERDICT_SENT};
    struct rig *r = rig_start(state, true);
    struct error err = {0};
    rig_workflow(r, "mail", EMAIL);
    r->script = script;
    rig_trigger(r, "mail", "t1", people(r, "a", 40));
    rig_advance(r, 0);
    assert_int_equal(count(r, "deliveries WHERE state = 1"), 40);
    assert_int_equal(count(r, "runs WHERE status = 1 AND delivery = 2"), 40);
    struct redriving first = {.rig = r}, second = {.rig = r};
    must(writer_run(r->writer, redrive_apply, &first, &err), &err, "redrive");
    must(writer_run(r->writer, redrive_apply, &second, &err), &err, "redrive");
    assert_int_equal(first.n, 40);
    assert_int_equal(second.n, 0);
    engine_deliveries_changed(r->engine);
    rig_advance(r, 0);
    assert_int_equal(r->deliveries_n, 80);
    assert_int_equal(count(r, "deliveries"), 0);
    assert_int_equal(count(r, "runs WHERE status = 1 AND delivery = 1"), 40);
    rig_end(r);
}

/* engine.md §7.3: a device that the provider no longer knows is not asked for again. */
static void a_device_that_is_gone_is_forgotten(void **state)
{
    static const enum delivery_verdict script[] = {VERDICT_FAILED};
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "push", "[{\"type\":\"push\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}}]");
    rig_sql(r, "UPDATE integrations SET channel = 3, provider_id = 'fcm' WHERE channel = 1");
    directory_changed(r->directory);
    r->script = script;
    r->address_gone = true;
    rig_trigger(r, "push", "t1", "{\"to\":{\"subscriberId\":\"ada\",\"channels\":[{\"providerId\":\"fcm\",\"credentials\":"
                                 "{\"deviceTokens\":[\"old\"]}}]}}");
    rig_advance(r, 0);
    assert_int_equal(r->deliveries_n, 1);
    assert_int_equal(count(r, "subscribers WHERE channels LIKE '%\"deviceTokens\":[]%'"), 1);
    rig_trigger(r, "push", "t2", "{\"to\":\"ada\"}");
    rig_advance(r, 0);
    assert_int_equal(r->deliveries_n, 1);
    rig_end(r);
}

/* --- two engines --------------------------------------------------------------------------------------------------------- */

/* The second one has its own writer and caches on the same store. */
static struct rig *join(struct rig *first)
{
    struct rig *r = rig_new(first->kind, first->url, false, 0);
    rig_engine_start(r);
    return r;
}

static void two_engines_share_the_work(void **state)
{
    if (*(const enum db_kind *)*state != DB_POSTGRES)
        skip();
    struct rig *a = rig_start(state, false), *b = join(a);
    rig_workflow(a, "mail", EMAIL);
    rig_workflow(a, "later", "[{\"type\":\"delay\",\"controlValues\":{\"amount\":1,\"unit\":\"seconds\"}},"
                             "{\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}}]");
    assert_int_equal(count(a, "nodes"), 2);
    rig_trigger(a, "later", "t1", people(a, "a", 100));
    rig_trigger(a, "mail", "t2", people(a, "b", 100));
    while (number(a->db, "SELECT count(*) FROM runs WHERE status = 1") < 200)
        sched_yield();
    assert_int_equal(a->deliveries_n + b->deliveries_n, 200);
    for (int i = 0; i < a->deliveries_n; i++)
        for (int k = 0; k < b->deliveries_n; k++)
            assert_string_not_equal(a->deliveries[i].key, b->deliveries[k].key);
    assert_int_equal(count(a, "deliveries"), 0);
    assert_int_equal(count(a, "queue"), 0);
    rig_end(b);
    rig_end(a);
}

/* What a dead process had begun is taken over after its lease, and not before. */
static void a_dead_engines_work_is_taken_over(void **state)
{
    if (*(const enum db_kind *)*state != DB_POSTGRES)
        skip();
    struct rig *a = rig_start(state, false);
    rig_workflow(a, "mail", EMAIL);
    rig_hold(a, true);
    rig_trigger(a, "mail", "t1", ADA);
    rig_wait_deliveries(a, 1);
    struct rig *b = join(a);
    assert_int_equal(count(a, "deliveries WHERE started_at IS NOT NULL"), 1);
    assert_int_equal(b->deliveries_n, 0);
    engine_stop(b->engine, 0);
    claims_lapse(a->engine);
    rig_sql(a, str_fmt(a->arena, "UPDATE nodes SET lease_until = %lld", (long long)clock_real_ms() - 1).p);
    rig_engine_start(b);
    rig_wait_deliveries(b, 1);
    assert_int_equal(b->deliveries[0].attempt, 2);
    assert_string_equal(a->deliveries[0].key, b->deliveries[0].key);
    while (number(a->db, "SELECT count(*) FROM deliveries") > 0)
        sched_yield();
    rig_hold(a, false);                 /* the late result of the first one changes nothing */
    rig_end(a);
    assert_int_equal(count(b, "runs WHERE status = 1"), 1);
    assert_int_equal(count(b, "messages WHERE doc LIKE '%p-1%'"), 1);
    rig_end(b);
}

static int64_t owned_by(struct rig *r, struct id boot)
{
    struct error err = {0};
    struct db_stmt *s = db_query(r->db, &err, "SELECT count(*) FROM deliveries WHERE owner = ?1", boot);
    assert_int_equal(db_step(s, &err), DB_ROW);
    int64_t n = db_int(s, 0);
    db_reset(s);
    return n;
}

/* The lease thread may still find work between the last look at `stop` and the end: who begins to stop takes nothing more. */
static void who_stops_takes_nothing_over(void **state)
{
    if (*(const enum db_kind *)*state != DB_POSTGRES)
        skip();
    struct rig *a = rig_start(state, false), *b = join(a);
    struct error err = {0};
    rig_workflow(a, "mail", EMAIL);
    rig_hold(a, true);
    rig_hold(b, true);
    rig_trigger(a, "mail", "t1", ADA);
    while (a->deliveries_n + b->deliveries_n < 1)
        sched_yield();
    struct rig *dead = a->deliveries_n ? a : b, *other = dead == a ? b : a;
    claims_lapse(dead->engine);
    rig_sql(a, "UPDATE nodes SET lease_until = 1");
    atomic_store(&other->engine->stop, true);
    must(claims_adopt(other->engine, &err), &err, "adopt");
    assert_int_equal(owned_by(a, dead->engine->boot), 1);
    assert_int_equal(other->deliveries_n, 0);
    atomic_store(&other->engine->stop, false);
    must(claims_adopt(other->engine, &err), &err, "adopt");
    rig_wait_deliveries(other, 1);
    assert_int_equal(other->deliveries[0].attempt, 2);
    rig_hold(a, false);
    rig_hold(b, false);
    rig_end(other);
    rig_end(dead);
}

/* --- words ----------------------------------------------------------------------------------------------------------------- */

struct ear {
    pthread_mutex_t lock;
    pthread_cond_t heard;
    int connected;
    char words[256];
};

static void hear(void *arg, struct str payload)
{
    struct ear *e = arg;
    pthread_mutex_lock(&e->lock);
    e->connected += !payload.p;
    if (payload.p)
        snprintf(e->words + strlen(e->words), sizeof e->words - strlen(e->words), "%.*s;", STR_ARG(payload));
    pthread_cond_broadcast(&e->heard);
    pthread_mutex_unlock(&e->lock);
}

static bool say(void *arg, struct db *db, struct error *err)
{
    return notify_publish(db, "carillon_test", str_of(arg), err);
}

static bool say_and_fail(void *arg, struct db *db, struct error *err)
{
    return say(arg, db, err) && error_set(err, ERROR_BAD_INPUT, "no");
}

static void wait_for_words(struct ear *e, const char *words)
{
    pthread_mutex_lock(&e->lock);
    while (words ? !strstr(e->words, words) : !e->connected)
        pthread_cond_wait(&e->heard, &e->lock);
    pthread_mutex_unlock(&e->lock);
}

static void words_are_heard_after_their_commit(void **state)
{
    struct rig *r = rig_start(state, false);
    struct ear e = {.lock = PTHREAD_MUTEX_INITIALIZER, .heard = PTHREAD_COND_INITIALIZER};
    struct error err = {0};
    struct notify *n = notify_create(r->url);
    bool shared = r->kind == DB_POSTGRES;
    char one[] = "one", two[] = "two", never[] = "never", *large = memset(calloc(1, NOTIFY_PAYLOAD_MAX + 2), 'x', NOTIFY_PAYLOAD_MAX + 1);
    notify_listen(n, "carillon_test", hear, &e);
    must(notify_start(n, &err), &err, "notify_start");
    if (shared)
        wait_for_words(&e, NULL);
    must(writer_run(r->writer, say, one, &err), &err, "say");
    assert_false(writer_run(r->writer, say_and_fail, never, &err));
    assert_int_equal(writer_run(r->writer, say, large, &err), !shared);
    must(writer_run(r->writer, say, two, &err), &err, "say");
    if (shared) {
        wait_for_words(&e, "two;");
        assert_string_equal(e.words, "one;two;");
    }
    notify_stop(n);
    free(large);
    rig_end(r);
}

#define EACH_DB(f) {#f " (sqlite)", f, NULL, NULL, (void *)(uintptr_t)&both_kinds[0]}, \
                   {#f " (postgres)", f, NULL, NULL, (void *)(uintptr_t)&both_kinds[1]}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        EACH_DB(a_backlog_holds_up_no_timer),
        EACH_DB(a_paced_integration_spreads_its_messages),
        EACH_DB(the_pace_survives_a_restart),
        EACH_DB(a_circuit_opens_and_closes),
        EACH_DB(a_probe_that_fails_is_not_told),
        EACH_DB(dead_letters_live_again_once),
        EACH_DB(a_device_that_is_gone_is_forgotten),
        EACH_DB(two_engines_share_the_work),
        EACH_DB(a_dead_engines_work_is_taken_over),
        EACH_DB(who_stops_takes_nothing_over),
        EACH_DB(words_are_heard_after_their_commit),
    };
    if (!crypto_init())
        return 1;
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
