/* The engine's shell on both databases: what is accepted is durable, done once, in order, and survives its process. */
#include "rig.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/engine_private.h"

#define DAY 86400000LL
#define HOUR 3600000LL

static int64_t count(struct rig *r, const char *what)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", what);
    return number(r->db, sql);
}

static void assert_nothing_left(struct rig *r)
{
    if (r->clock.is_virtual)
        rig_advance(r, 0);
    assert_int_equal(count(r, "queue"), 0);
    assert_int_equal(count(r, "deliveries WHERE state <> 1"), 0);
    assert_int_equal(atomic_load(&r->engine->deliveries), 0);
    assert_int_equal(engine_busy(r->engine), 0);
    assert_null(r->engine->flights);
}

/* "to" of n new people. */
static const char *people(struct rig *r, int n)
{
    struct buf b = {.arena = r->arena};
    buf_z(&b, "{\"to\":[");
    for (int i = 0; i < n; i++)
        buf_fmt(&b, "%s{\"subscriberId\":\"p%d\",\"firstName\":\"P\",\"email\":\"p%d@example.com\"}", i ? "," : "", i, i);
    buf_z(&b, "]}");
    return buf_finish(&b).p;
}

static const char ADA[] = "{\"to\":{\"subscriberId\":\"ada\",\"firstName\":\"Ada\",\"email\":\"ada@example.com\"}}";

/* --- triggers ---------------------------------------------------------------------------------------------- */

static void a_trigger_is_one_commit(void **state)
{
    struct rig *r = rig_start(state, true);
    struct call c;
    rig_workflow(r, "hello", IN_APP);
    call_begin(r, &c, "hello", "t1", ADA);
    assert_true(call_go(&c));
    call_wait(&c);
    assert_false(c.failed);
    assert_int_equal(c.trigger.result, TRIGGER_FRESH);
    assert_int_equal(c.events_at_done, 1);
    assert_int_equal(c.runs_at_done, 1);
    assert_int_equal(c.messages_at_done, 1);
    rig_advance(r, 0);
    assert_int_equal(r->received_n, 1);
    assert_int_equal(count(r, "messages WHERE doc LIKE '%Hi Ada%'"), 1);
    assert_int_equal(count(r, "runs WHERE status = 1"), 1);
    assert_nothing_left(r);
    call_free(&c);
    rig_end(r);
}

static void begin_keyed(struct rig *r, struct call *c, const char *tx, const char *key, const char *body)
{
    call_begin(r, c, "hello", tx, ADA);
    c->trigger.idempotency_hash = key ? str_of(key) : STR_NULL;
    c->trigger.body_hash = key ? str_of(body) : STR_NULL;
    assert_true(call_go(c));
    call_wait(c);
    assert_false(c->failed);
}

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void repeated_triggers_do_nothing_new(void **state)
{
    struct rig *r = rig_start(state, true);
    static const struct { const char *tx, *key, *body; enum trigger_result result; const char *answered; } rows[] = {
        {"t1", KEY_A, KEY_A, TRIGGER_FRESH, "t1"},
        {"t1", NULL, NULL, TRIGGER_TAKEN, "t1"},
        {"t1", KEY_B, KEY_A, TRIGGER_TAKEN, "t1"},
        {"t2", KEY_A, KEY_A, TRIGGER_REPLAY, "t1"},
        {"t1", KEY_A, KEY_A, TRIGGER_REPLAY, "t1"},
        {"t2", KEY_A, KEY_B, TRIGGER_OTHER_BODY, "t1"},
    };
    rig_workflow(r, "hello", IN_APP);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct call c;
        begin_keyed(r, &c, rows[i].tx, rows[i].key, rows[i].body);
        assert_int_equal(c.trigger.result, rows[i].result);
        assert_true(str_eqz(c.trigger.transaction_id, rows[i].answered));
        call_free(&c);
    }
    assert_int_equal(count(r, "events"), 1);
    assert_int_equal(count(r, "runs"), 1);
    assert_int_equal(count(r, "messages"), 1);
    assert_int_equal(r->received_n, 1);
    assert_nothing_left(r);
    rig_end(r);
}

/* Both in one batch: the second finds the first, which is not committed yet. */
static void duplicates_in_one_batch(void **state)
{
    struct rig *r = rig_start(state, true);
    struct gate g;
    struct call c[8];
    int fresh = 0, taken = 0;
    rig_workflow(r, "hello", EMAIL);    /* first attempts: in flight before the commit, and out again if it has none */
    gate_drop(r, &g);
    for (int i = 0; i < 8; i++) {
        call_begin(r, &c[i], "hello", i % 2 ? "t1" : "t0", ADA);
        assert_true(call_go(&c[i]));
    }
    gate_wait_depth(r, 8);
    gate_lift(r);
    for (int i = 0; i < 8; i++) {
        call_wait(&c[i]);
        assert_false(c[i].failed);
        fresh += c[i].trigger.result == TRIGGER_FRESH;
        taken += c[i].trigger.result == TRIGGER_TAKEN;
        call_free(&c[i]);
    }
    assert_int_equal(fresh, 2);
    assert_int_equal(taken, 6);
    assert_int_equal(count(r, "events"), 2);
    assert_int_equal(count(r, "runs"), 2);
    assert_int_equal(count(r, "subscribers"), 1);
    assert_nothing_left(r);
    assert_int_equal(r->deliveries_n, 2);
    rig_end(r);
}

enum { THREADS = 8, EACH = 5 };

struct racer {
    struct rig *rig;
    int n;
    pthread_t thread;
    struct call calls[EACH];
};

static void *race(void *arg)
{
    struct racer *x = arg;
    for (int i = 0; i < EACH; i++) {
        char tx[32], body[128];
        snprintf(tx, sizeof tx, "t-%d-%d", x->n, i);
        snprintf(body, sizeof body, "{\"to\":[\"own-%d\",{\"subscriberId\":\"new\",\"firstName\":\"N%d\"}]}", x->n, x->n);
        call_begin(x->rig, &x->calls[i], "hello", tx, body);
        call_go(&x->calls[i]);
    }
    for (int i = 0; i < EACH; i++)
        call_wait(&x->calls[i]);
    return NULL;
}

static void one_new_subscriber_from_many_threads(void **state)
{
    const enum db_kind kind = *(const enum db_kind *)*state;
    struct rig *r = rig_new(kind, support_store_url(kind), true, 0);
    struct racer x[THREADS];
    struct gate g;
    r->workers = 4;
    rig_engine_start(r);
    rig_workflow(r, "hello", IN_APP);
    gate_drop(r, &g);                   /* all are planned while nobody has the subscriber */
    for (int i = 0; i < THREADS; i++) {
        x[i].rig = r;
        x[i].n = i;
        pthread_create(&x[i].thread, NULL, race, &x[i]);
    }
    gate_wait_depth(r, THREADS * EACH);
    gate_lift(r);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(x[i].thread, NULL);
        for (int k = 0; k < EACH; k++) {
            assert_false(x[i].calls[k].failed);
            assert_int_equal(x[i].calls[k].trigger.result, TRIGGER_FRESH);
            call_free(&x[i].calls[k]);
        }
    }
    rig_advance(r, 0);
    assert_int_equal(count(r, "subscribers WHERE subscriber_id = 'new'"), 1);
    assert_int_equal(count(r, "runs"), THREADS * EACH * 2);
    assert_int_equal(count(r, "runs JOIN subscribers ON subscribers.id = runs.subscriber_id WHERE subscribers.subscriber_id = 'new'"),
                     THREADS * EACH);
    assert_int_equal(count(r, "messages"), THREADS * EACH * 2);
    assert_int_equal(r->received_n, THREADS * EACH * 2);
    assert_nothing_left(r);
    rig_end(r);
}

/* A person who is deleted between plan and commit must not get a run without a person. */
static bool delete_ada(struct write_task *t, struct db *db, struct error *err)
{
    (void)t;
    return subscriber_delete(db, ((struct gate *)t)->rig->environment, STR("ada"), 0, err);
}

static void a_subscriber_deleted_meanwhile_is_made_anew(void **state)
{
    struct rig *r = rig_start(state, true);
    struct gate g, deletion = {.task = {.apply = delete_ada, .done = gate_done}, .rig = r};
    struct call c;
    struct error err = {0};
    rig_workflow(r, "hello", IN_APP);
    rig_trigger(r, "hello", "t1", ADA);
    gate_drop(r, &g);
    must(writer_submit(r->writer, &deletion.task, &err), &err, "deletion");
    call_begin(r, &c, "hello", "t2", ADA);
    assert_true(call_go(&c));
    gate_wait_depth(r, 2);
    gate_lift(r);
    call_wait(&c);
    assert_false(c.failed);
    call_free(&c);
    rig_advance(r, 0);
    assert_int_equal(count(r, "runs"), 1);
    assert_int_equal(count(r, "runs JOIN subscribers ON subscribers.id = runs.subscriber_id"), 1);
    assert_nothing_left(r);
    rig_end(r);
}

/* --- fan-out ------------------------------------------------------------------------------------------------- */

static void assert_each_once(struct rig *r, int n)
{
    assert_int_equal(count(r, "subscribers"), n);
    assert_int_equal(count(r, "runs"), n);
    assert_int_equal(number(r->db, "SELECT count(DISTINCT subscriber_id) FROM runs"), n);
    assert_int_equal(count(r, "messages"), n);
    assert_int_equal(count(r, "runs WHERE status <> 1"), 0);
    assert_nothing_left(r);
}

/* Without moving the clock: the cursor is due at once, at each of its places. */
static void many_recipients_in_chunks(void **state)
{
    struct rig *r = rig_start(state, true);
    struct call c;
    rig_workflow(r, "hello", IN_APP);
    call_begin(r, &c, "hello", "t1", people(r, 450));
    assert_true(call_go(&c));
    call_wait(&c);
    assert_int_equal(c.runs_at_done, 100);
    call_free(&c);
    rig_advance(r, 0);
    assert_each_once(r, 450);
    assert_int_equal(r->received_n, 450);
    rig_end(r);
}

static void exact_chunks(void **state)
{
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "hello", IN_APP);
    rig_trigger(r, "hello", "t1", people(r, 100));
    assert_int_equal(count(r, "queue"), 0);
    assert_each_once(r, 100);
    rig_trigger(r, "hello", "t2", people(r, 200));
    rig_advance(r, 0);
    assert_int_equal(count(r, "runs"), 300);
    rig_trigger(r, "hello", "t3", "{\"to\":[]}");
    assert_int_equal(count(r, "runs"), 300);
    assert_nothing_left(r);
    rig_end(r);
}

static void a_fan_out_survives_a_restart(void **state)
{
    struct rig *r = rig_start(state, true);
    struct gate g;
    struct call c;
    rig_workflow(r, "hello", IN_APP);
    call_begin(r, &c, "hello", "t1", people(r, 250));
    gate_drop(r, &g);
    assert_true(call_go(&c));
    gate_wait_depth(r, 1);
    gate_lift(r);
    call_wait(&c);
    assert_int_equal(c.runs_at_done, 100);
    engine_stop(r->engine, 0);
    call_free(&c);
    int64_t before = count(r, "runs");
    assert_true(before < 250 ? count(r, "queue") == 1 : count(r, "queue") == 0);
    rig_engine_start(r);
    rig_advance(r, 0);
    assert_each_once(r, 250);
    rig_end(r);
}

/* With the store's own view of a half-done fan-out: whatever the timing, the cursor is what counts. */
static void a_cursor_is_expanded_once(void **state)
{
    struct rig *r = rig_start(state, true);
    struct work *w = calloc(1, sizeof *w);
    rig_workflow(r, "hello", IN_APP);
    rig_trigger(r, "hello", "t1", people(r, 250));
    struct db_stmt *s = prepare(r->db, "SELECT id, environment_id, created_at FROM events");
    row(s);
    *w = (struct work){.kind = WORK_DUE, .item = {.due_at = db_int(s, 2), .kind = QUEUE_EVENT, .environment = db_id(s, 1),
                                                  .ref = db_id(s, 0), .job = 100}};
    w->item.id = run_derived_id(w->item.ref, DERIVED_QUEUE, 1);
    db_reset(s);
    rig_advance(r, 0);
    assert_each_once(r, 250);
    /* The timer thread had read the row before its plan was committed, and starts it only now. */
    assert_true(flight_begin(r->engine, w->item.id));
    atomic_fetch_add(&r->engine->busy, 1);
    work_push(r->engine, w, w->item.ref);
    rig_advance(r, 0);
    assert_each_once(r, 250);
    rig_end(r);
}

static void a_bad_recipient_does_not_spoil_the_others(void **state)
{
    struct rig *r = rig_start(state, true);
    struct buf b = {.arena = r->arena};
    rig_workflow(r, "hello", IN_APP);
    buf_z(&b, "{\"to\":[");
    for (int i = 0; i < 250; i++)
        buf_fmt(&b, "%s{\"subscriberId\":\"p%d\",\"firstName\":\"%s\"}", i ? "," : "", i, i == 150 ? "a\\u0000b" : "P");
    buf_z(&b, ",\"\",{\"subscriberId\":7},[],null,{\"topicKey\":\"x\"}]}");
    rig_trigger(r, "hello", "t1", buf_finish(&b).p);
    rig_advance(r, 0);
    assert_each_once(r, 250);
    rig_end(r);
}

/* --- deliveries ------------------------------------------------------------------------------------------------ */

static void a_delivery_is_sent_after_its_commit(void **state)
{
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "mail", EMAIL);
    rig_trigger(r, "mail", "t1", ADA);
    rig_advance(r, 0);
    assert_int_equal(r->deliveries_n, 1);
    assert_true(r->deliveries[0].stored);
    assert_int_equal(r->deliveries[0].attempt, 1);
    assert_string_equal(r->deliveries[0].provider, "nodemailer");
    assert_int_equal(count(r, "messages WHERE status = 0 AND doc LIKE '%\"identifier\":\"p-1\"%'"), 1);
    assert_int_equal(count(r, "runs WHERE status = 1 AND delivery = 1"), 1);
    assert_nothing_left(r);
    rig_end(r);
}

static void a_delivery_is_tried_again(void **state)
{
    static const enum delivery_verdict script[] = {VERDICT_RETRY, VERDICT_RETRY, VERDICT_SENT};
    struct rig *r = rig_start(state, true);
    r->script = script;
    rig_workflow(r, "mail", EMAIL);
    rig_trigger(r, "mail", "t1", ADA);
    rig_advance(r, 0);
    assert_int_equal(r->deliveries_n, 1);
    assert_int_equal(count(r, "messages WHERE status = 2 AND doc LIKE '%\"errorId\":\"delivery_retrying\"%'"), 1);
    assert_int_equal(count(r, "runs WHERE status = 0"), 1);
    assert_int_equal(count(r, "deliveries WHERE attempt = 2 AND started_at IS NULL"), 1);
    assert_in_range(number(r->db, "SELECT due_at FROM deliveries") - clock_now_ms(&r->clock), 1000, 30000);
    rig_advance(r, HOUR);
    assert_int_equal(r->deliveries_n, 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(r->deliveries[i].key, r->deliveries[0].key);
        assert_int_equal(r->deliveries[i].attempt, i + 1);
        assert_true(r->deliveries[i].stored);
    }
    assert_int_equal(count(r, "messages WHERE status = 0 AND doc NOT LIKE '%errorId%' AND doc LIKE '%p-1%'"), 1);
    assert_int_equal(count(r, "runs WHERE status = 1 AND delivery = 1"), 1);
    assert_nothing_left(r);
    rig_end(r);
}

static void a_delivery_fails_for_good(void **state)
{
    static const enum delivery_verdict script[] = {VERDICT_RETRY, VERDICT_FAILED};
    struct rig *r = rig_start(state, true);
    r->script = script;
    rig_workflow(r, "mail", EMAIL);
    rig_trigger(r, "mail", "t1", ADA);
    rig_advance(r, HOUR);
    assert_int_equal(r->deliveries_n, 2);
    assert_int_equal(count(r, "messages WHERE status = 1 AND doc LIKE '%mail_unexpected_error%'"), 1);
    assert_int_equal(count(r, "runs WHERE status = 1 AND delivery = 2"), 1);
    assert_nothing_left(r);
    rig_end(r);
}

static void attempts_end(void **state)
{
    static const enum delivery_verdict script[] = {VERDICT_RETRY, VERDICT_RETRY, VERDICT_RETRY, VERDICT_SENT};
    const enum db_kind kind = *(const enum db_kind *)*state;
    struct rig *r = rig_new(kind, support_store_url(kind), true, 0);
    r->attempts_max = 3;
    r->script = script;
    rig_engine_start(r);
    rig_workflow(r, "mail", EMAIL);
    rig_trigger(r, "mail", "t1", ADA);
    rig_advance(r, DAY);
    assert_int_equal(r->deliveries_n, 3);
    assert_int_equal(count(r, "messages WHERE status = 1"), 1);
    assert_nothing_left(r);
    rig_end(r);
}

static void many_deliveries_at_once(void **state)
{
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "mail", EMAIL);
    rig_trigger(r, "mail", "t1", people(r, 350));
    rig_advance(r, 0);
    assert_int_equal(r->deliveries_n, 350);
    assert_each_once(r, 350);
    rig_end(r);
}

/* A message or an integration that went away between two attempts ends the delivery, and so the run. */
static void what_is_gone_ends_the_delivery(void **state)
{
    static const enum delivery_verdict script[] = {VERDICT_RETRY, VERDICT_SENT};
    struct rig *r = rig_start(state, true);
    r->script = script;
    rig_workflow(r, "mail", EMAIL);
    rig_trigger(r, "mail", "t1", ADA);
    rig_advance(r, 0);
    rig_sql(r, "DELETE FROM messages");
    rig_advance(r, HOUR);
    assert_int_equal(r->deliveries_n, 1);
    assert_int_equal(count(r, "runs WHERE status = 1 AND delivery = 2"), 1);
    assert_nothing_left(r);
    rig_trigger(r, "mail", "t2", ADA);
    rig_advance(r, 0);
    rig_sql(r, "UPDATE integrations SET active = 0 WHERE channel = 1");
    directory_changed(r->directory);
    rig_advance(r, HOUR);
    assert_int_equal(r->deliveries_n, 2);
    assert_int_equal(count(r, "messages WHERE status = 1"), 1);
    assert_int_equal(count(r, "runs WHERE status = 1 AND delivery = 2"), 2);
    assert_nothing_left(r);
    rig_end(r);
}

/* The timer thread read the item before its result was written: it must not be sent again. */
static void a_sent_delivery_is_not_sent_again(void **state)
{
    struct rig *r = rig_start(state, true);
    struct work *w = calloc(1, sizeof *w);
    rig_workflow(r, "mail", EMAIL);
    rig_hold(r, true);
    rig_trigger(r, "mail", "t1", ADA);
    rig_wait_deliveries(r, 1);
    *w = (struct work){.kind = WORK_DUE, .item = r->first->item};
    rig_hold(r, false);
    rig_advance(r, 0);
    assert_nothing_left(r);
    atomic_fetch_add(&r->engine->deliveries, 1);
    atomic_fetch_add(&r->engine->busy, 1);
    work_push(r->engine, w, w->item.ref);
    rig_advance(r, 0);
    assert_int_equal(r->deliveries_n, 1);
    assert_nothing_left(r);
    rig_end(r);
}

/* A result that cannot be written at once is kept, not asked for again. */
static void a_result_survives_a_full_writer(void **state)
{
    const enum db_kind kind = *(const enum db_kind *)*state;
    struct rig *r = rig_new(kind, support_store_url(kind), true, 1);
    struct gate g, filler = {.task = {.apply = gate_apply, .done = gate_done}, .rig = r};
    struct error err = {0};
    rig_engine_start(r);
    rig_workflow(r, "mail", EMAIL);
    rig_hold(r, true);
    rig_trigger(r, "mail", "t1", ADA);
    rig_wait_deliveries(r, 1);
    gate_drop(r, &g);
    must(writer_submit(r->writer, &filler.task, &err), &err, "filler");
    rig_hold(r, false);
    pthread_mutex_lock(&r->engine->lock);
    while (!r->engine->parked)
        pthread_cond_wait(&r->engine->changed, &r->engine->lock);
    pthread_mutex_unlock(&r->engine->lock);
    gate_lift(r);
    rig_advance(r, 0);
    assert_int_equal(r->deliveries_n, 1);
    assert_int_equal(count(r, "messages WHERE doc LIKE '%p-1%'"), 1);
    assert_nothing_left(r);
    rig_end(r);
}

/* --- stopping and dying ------------------------------------------------------------------------------------------ */

static void a_delivery_in_flight_survives_a_stop(void **state)
{
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "mail", EMAIL);
    rig_hold(r, true);
    rig_trigger(r, "mail", "t1", ADA);
    rig_wait_deliveries(r, 1);
    engine_stop(r->engine, 20);
    assert_int_equal(count(r, "deliveries WHERE started_at IS NOT NULL"), 1);
    rig_answer_rest(r);                 /* after the engine: a dispatcher that is shut down later */
    assert_int_equal(count(r, "deliveries WHERE attempt = 1"), 1);
    rig_hold(r, false);
    rig_engine_start(r);
    rig_advance(r, 0);
    assert_int_equal(r->deliveries_n, 2);
    assert_string_equal(r->deliveries[0].key, r->deliveries[1].key);
    assert_int_equal(r->deliveries[1].attempt, 2);      /* how the first one ended nobody knows: it counts */
    assert_int_equal(count(r, "messages"), 1);
    assert_int_equal(count(r, "runs WHERE status = 1"), 1);
    assert_nothing_left(r);
    rig_end(r);
}

/* The child's life: accepts a trigger, has its delivery under way, tells so, and waits to be killed. */
static void live_until_killed(enum db_kind kind, const char *url, int out)
{
    struct rig *r = rig_new(kind, url, true, 0);
    rig_engine_start(r);
    rig_workflow(r, "mail", EMAIL);
    rig_hold(r, true);
    rig_trigger(r, "mail", "t1", ADA);
    rig_trigger(r, "mail", "t2", people(r, 150));
    rig_wait_deliveries(r, 1);
    if (write(out, r->deliveries[0].key, ID_HEX) != ID_HEX)
        _exit(1);
    for (;;)
        pause();
}

static void a_delivery_in_flight_survives_a_kill(void **state)
{
    const enum db_kind kind = *(const enum db_kind *)*state;
    const char *url = support_store_url(kind);
    char key[ID_HEX + 1] = "";
    int fd[2], status;
    assert_int_equal(pipe(fd), 0);
    pid_t child = fork();
    if (child == 0) {
        live_until_killed(kind, url, fd[1]);
        _exit(0);
    }
    close(fd[1]);
    assert_int_equal(read(fd[0], key, ID_HEX), ID_HEX);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    close(fd[0]);
    struct rig *r = rig_new(kind, url, true, 0);
    rig_sql(r, "UPDATE nodes SET lease_until = 1");     /* a shared store waits for that */
    rig_engine_start(r);
    rig_advance(r, 0);
    bool again = false;
    for (int i = 0; i < r->deliveries_n; i++)
        again |= !strcmp(r->deliveries[i].key, key) && r->deliveries[i].attempt == 2;
    assert_true(again);
    assert_int_equal(count(r, "runs"), 151);
    assert_int_equal(count(r, "messages"), 151);
    assert_int_equal(count(r, "runs WHERE status <> 1"), 0);
    assert_nothing_left(r);
    rig_end(r);
}

static void stopping_finishes_what_was_taken(void **state)
{
    struct rig *r = rig_start(state, true);
    struct gate g;
    struct call c[20];
    rig_workflow(r, "mail", "[{\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}},"
                            "{\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}}]");
    gate_drop(r, &g);
    for (int i = 0; i < 20; i++) {
        char tx[16];
        snprintf(tx, sizeof tx, "t%d", i);
        call_begin(r, &c[i], "mail", tx, ADA);
        assert_true(call_go(&c[i]));
    }
    gate_wait_depth(r, 20);
    pthread_mutex_lock(&r->lock);
    r->gate_open = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    engine_stop(r->engine, 0);
    for (int i = 0; i < 20; i++) {
        assert_true(c[i].ended);
        assert_false(c[i].failed);
        call_free(&c[i]);
    }
    assert_int_equal(count(r, "runs"), 20);
    rig_engine_start(r);
    rig_advance(r, 0);
    assert_int_equal(count(r, "runs WHERE status = 1"), 20);
    assert_nothing_left(r);
    rig_end(r);
}

static void *stop_engine(void *arg)
{
    engine_stop(arg, 0);
    return NULL;
}

/* Nothing new leaves once the time for deliveries is over: its row waits for the next start. */
static void no_attempt_leaves_while_stopping(void **state)
{
    struct rig *r = rig_start(state, true);
    struct engine *e = r->engine;
    struct gate g;
    struct call c;
    pthread_t stopper;
    bool closing = false;
    rig_workflow(r, "mail", EMAIL);
    gate_drop(r, &g);
    call_begin(r, &c, "mail", "t1", ADA);
    assert_true(call_go(&c));
    gate_wait_depth(r, 1);
    pthread_create(&stopper, NULL, stop_engine, e);
    while (!closing) {                  /* it waits for the plan, so it is still there */
        pthread_mutex_lock(&e->lock);
        closing = e->no_attempts;
        pthread_mutex_unlock(&e->lock);
        sched_yield();
    }
    gate_lift(r);
    pthread_join(stopper, NULL);
    assert_true(c.ended && !c.failed);
    call_free(&c);
    assert_int_equal(r->deliveries_n, 0);
    assert_int_equal(count(r, "deliveries WHERE started_at IS NULL AND attempt = 1"), 1);   /* it never left: given back */
    rig_engine_start(r);
    rig_advance(r, 0);
    assert_int_equal(r->deliveries_n, 1);
    assert_int_equal(r->deliveries[0].attempt, 1);
    assert_nothing_left(r);
    rig_end(r);
}

static void a_full_writer_refuses(void **state)
{
    const enum db_kind kind = *(const enum db_kind *)*state;
    struct rig *r = rig_new(kind, support_store_url(kind), true, 1);
    struct gate g, filler = {.task = {.apply = gate_apply, .done = gate_done}, .rig = r};
    struct error err = {0};
    struct call c;
    rig_engine_start(r);
    rig_workflow(r, "mail", EMAIL);
    gate_drop(r, &g);
    must(writer_submit(r->writer, &filler.task, &err), &err, "filler");
    call_begin(r, &c, "mail", "t1", ADA);
    assert_true(call_go(&c));
    call_wait(&c);
    assert_true(c.failed);
    assert_int_equal(c.err.code, ERROR_OVERLOAD);
    call_free(&c);
    gate_lift(r);
    gate_wait_room(r);
    rig_advance(r, 0);
    assert_int_equal(count(r, "events"), 0);
    assert_int_equal(r->deliveries_n, 0);
    assert_null(r->engine->flights);
    assert_nothing_left(r);
    rig_trigger(r, "mail", "t1", ADA);
    rig_advance(r, 0);
    assert_int_equal(r->deliveries_n, 1);
    rig_end(r);
}

static void *stop_writer(void *arg)
{
    writer_stop(arg);
    return NULL;
}

struct probe {
    struct write_task task;
};

static bool probe_apply(struct write_task *t, struct db *db, struct error *err)
{
    (void)t;
    (void)db;
    (void)err;
    return true;
}

static void probe_done(struct write_task *t, const struct error *err)
{
    (void)err;
    free(t);
}

static void a_stopping_writer_refuses(void **state)
{
    struct rig *r = rig_start(state, true);
    struct gate g;
    struct call c;
    pthread_t stopper;
    struct error err = {0};
    bool accepted = true;
    rig_workflow(r, "mail", EMAIL);
    gate_drop(r, &g);
    pthread_create(&stopper, NULL, stop_writer, r->writer);
    while (accepted) {
        struct probe *p = calloc(1, sizeof *p);
        *p = (struct probe){.task = {.apply = probe_apply, .done = probe_done}};
        accepted = writer_submit(r->writer, &p->task, &err);
        if (!accepted)
            free(p);
        sched_yield();
    }
    call_begin(r, &c, "mail", "t1", ADA);
    assert_true(call_go(&c));
    call_wait(&c);
    assert_true(c.failed);
    call_free(&c);
    rig_advance(r, 0);
    assert_int_equal(engine_busy(r->engine), 0);
    engine_stop(r->engine, 0);
    gate_lift(r);
    pthread_join(stopper, NULL);
    rig_writer_start(r);
    rig_engine_start(r);
    assert_int_equal(count(r, "events"), 0);
    rig_end(r);
}

/* --- time ---------------------------------------------------------------------------------------------------- */

static void delays_fire_in_order_at_their_times(void **state)
{
    struct rig *r = rig_start(state, true);
    int64_t start = clock_now_ms(&r->clock);
    static const int64_t due[] = {60000, DAY, DAY + 60000, 3 * DAY, 3 * DAY + 60000};
    rig_workflow(r, "late", "[{\"type\":\"delay\",\"controlValues\":{\"amount\":3,\"unit\":\"days\"}},"
                            "{\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}},"
                            "{\"type\":\"delay\",\"controlValues\":{\"amount\":1,\"unit\":\"minutes\"}},"
                            "{\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}}]");
    rig_workflow(r, "early", "[{\"type\":\"delay\",\"controlValues\":{\"amount\":1,\"unit\":\"minutes\"}},"
                             "{\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}},"
                             "{\"type\":\"delay\",\"controlValues\":{\"amount\":1439,\"unit\":\"minutes\"}},"
                             "{\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}},"
                             "{\"type\":\"delay\",\"controlValues\":{\"amount\":60,\"unit\":\"seconds\"}},"
                             "{\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}}]");
    rig_trigger(r, "late", "t1", ADA);
    rig_trigger(r, "early", "t2", ADA);
    rig_advance(r, 0);
    assert_int_equal(r->received_n, 0);
    assert_int_equal(count(r, "queue"), 2);
    rig_advance(r, 59999);
    assert_int_equal(r->received_n, 0);
    rig_advance(r, 1);
    assert_int_equal(r->received_n, 1);
    rig_advance(r, 5 * DAY - 60000);
    assert_int_equal(r->received_n, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(r->received[i].at, start + due[i]);
        assert_int_equal(r->received[i].now, start + due[i]);
    }
    assert_int_equal(clock_now_ms(&r->clock), start + 5 * DAY);
    assert_int_equal(count(r, "runs WHERE status = 1"), 2);
    assert_nothing_left(r);
    rig_end(r);
}

static void an_advance_waits_for_deliveries(void **state)
{
    static const enum delivery_verdict script[] = {VERDICT_RETRY, VERDICT_SENT};
    struct rig *r = rig_start(state, true);
    struct error err = {0};
    int64_t start = clock_now_ms(&r->clock);
    r->script = script;
    rig_workflow(r, "mail", "[{\"type\":\"delay\",\"controlValues\":{\"amount\":1,\"unit\":\"hours\"}},"
                            "{\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}}]");
    rig_trigger(r, "mail", "t1", ADA);
    rig_hold(r, true);
    struct advanced first = {.rig = r}, second = {.rig = r};
    must(engine_advance_clock(r->engine, start + 2 * HOUR, advance_done, &first, &err), &err, "advance");
    must(engine_advance_clock(r->engine, start + HOUR + 1, advance_done, &second, &err), &err, "advance");
    rig_wait_deliveries(r, 1);
    assert_false(first.done);
    assert_int_equal(clock_now_ms(&r->clock), start + HOUR);
    rig_hold(r, false);
    rig_advance_wait(&first);
    assert_int_equal(first.at, start + 2 * HOUR);
    assert_int_equal(r->deliveries_n, 2);
    rig_advance_wait(&second);          /* was asked for later, and is over at once: time does not go back */
    assert_int_equal(second.at, start + 2 * HOUR);
    assert_nothing_left(r);
    assert_false(engine_advance_clock(r->engine, start + HOUR, advance_done, &first, &err));
    assert_int_equal(err.code, ERROR_BAD_INPUT);
    assert_string_equal(err.field, "now");
    assert_int_equal(clock_now_ms(&r->clock), start + 2 * HOUR);
    rig_end(r);
}

static void stopping_ends_advances(void **state)
{
    struct rig *r = rig_start(state, true);
    struct advanced a = {.rig = r}, b = {.rig = r};
    struct error err = {0};
    rig_workflow(r, "mail", EMAIL);
    rig_hold(r, true);
    rig_trigger(r, "mail", "t1", ADA);
    rig_wait_deliveries(r, 1);
    must(engine_advance_clock(r->engine, clock_now_ms(&r->clock) + DAY, advance_done, &a, &err), &err, "advance");
    must(engine_advance_clock(r->engine, clock_now_ms(&r->clock) + DAY, advance_done, &b, &err), &err, "advance");
    engine_stop(r->engine, 0);
    assert_true(a.done && b.done);
    rig_engine_start(r);
    rig_end(r);
}

static void a_real_clock_fires(void **state)
{
    struct rig *r = rig_start(state, false);
    struct error err = {0};
    struct buf b = {.arena = r->arena};
    char iso[TIME_ISO_LEN + 1];
    rig_workflow(r, "soon", "[{\"type\":\"delay\",\"controlValues\":{\"type\":\"dynamic\",\"dynamicKey\":\"payload.at\"}},"
                            "{\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}}]");
    int64_t at = clock_real_ms() + 150;
    time_iso(at, iso);
    buf_fmt(&b, "{\"to\":\"ada\",\"payload\":{\"at\":\"%s\"}}", iso);
    rig_trigger(r, "soon", "t1", buf_finish(&b).p);
    rig_wait_received(r, 1);
    assert_true(r->received[0].now >= at);
    assert_int_equal(count(r, "runs WHERE status = 1"), 1);
    assert_int_equal(count(r, "queue"), 0);
    assert_false(engine_advance_clock(r->engine, at + DAY, advance_done, NULL, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    rig_end(r);
}

/* More people than one chunk, with the real clock: the cursor must not wait for the next look at the queue. */
static void a_real_clock_fans_out(void **state)
{
    struct rig *r = rig_start(state, false);
    rig_workflow(r, "hello", IN_APP);
    rig_trigger(r, "hello", "t1", people(r, 950));
    rig_wait_received(r, 950);
    assert_int_equal(count(r, "runs"), 950);
    assert_int_equal(count(r, "queue"), 0);
    rig_end(r);
}

static void what_is_overdue_at_the_start_runs_in_order(void **state)
{
    struct rig *r = rig_start(state, true);
    struct { const char *workflow, *steps; } w[] = {
        {"d3", "[{\"type\":\"delay\",\"controlValues\":{\"amount\":3,\"unit\":\"hours\"}},{\"type\":\"in_app\",\"controlValues\":{\"body\":\"3\"}}]"},
        {"d1", "[{\"type\":\"delay\",\"controlValues\":{\"amount\":1,\"unit\":\"hours\"}},{\"type\":\"in_app\",\"controlValues\":{\"body\":\"1\"}}]"},
        {"d2", "[{\"type\":\"delay\",\"controlValues\":{\"amount\":2,\"unit\":\"hours\"}},{\"type\":\"in_app\",\"controlValues\":{\"body\":\"2\"}}]"}};
    for (int i = 0; i < 3; i++) {
        rig_workflow(r, w[i].workflow, w[i].steps);
        rig_trigger(r, w[i].workflow, w[i].workflow, ADA);
    }
    engine_stop(r->engine, 0);
    clock_set(&r->clock, clock_now_ms(&r->clock) + DAY);    /* it was down */
    r->workers = 1;
    rig_engine_start(r);
    rig_advance(r, 0);
    assert_int_equal(r->received_n, 3);
    assert_int_equal(number(r->db, "SELECT count(*) FROM messages AS a JOIN messages AS b ON a.id <> b.id WHERE "
                                   "a.doc LIKE '%\"content\":\"1\"%' AND b.doc LIKE '%\"content\":\"3\"%'"), 1);
    for (int i = 0; i < 3; i++) {
        char sql[160], hex[ID_HEX + 1];
        static const char *const order[] = {"d1", "d2", "d3"};
        id_hex(r->received[i].run, hex);
        snprintf(sql, sizeof sql, "events WHERE transaction_id = '%s' AND id IN (SELECT event_id FROM runs WHERE id = %s%s')",
                 order[i], r->kind == DB_SQLITE ? "x'" : "'\\x", hex);
        assert_int_equal(count(r, sql), 1);
    }
    assert_nothing_left(r);
    rig_end(r);
}

static void timers_of_what_was_deleted_go(void **state)
{
    static const char steps[] = "[{\"type\":\"delay\",\"controlValues\":{\"amount\":1,\"unit\":\"hours\"}},"
                                "{\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}}]";
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "late", steps);
    rig_trigger(r, "late", "t1", ADA);
    rig_sql(r, "DELETE FROM runs");
    rig_advance(r, DAY);
    assert_int_equal(r->received_n, 0);
    assert_nothing_left(r);
    /* The person, but not the run (nothing of ours does this): the run must not stay open for ever. */
    rig_trigger(r, "late", "t2", ADA);
    rig_sql(r, "DELETE FROM subscribers");
    rig_advance(r, DAY);
    assert_int_equal(r->received_n, 0);
    assert_int_equal(count(r, "runs WHERE status = 2 AND delivery = 2"), 1);
    assert_nothing_left(r);
    /* The workflow: the run ends, and says why (engine.md §2.5 step 3). */
    rig_trigger(r, "late", "t3", ADA);
    rig_sql(r, "DELETE FROM workflows");
    definitions_changed(r->definitions);
    rig_advance(r, DAY);
    assert_int_equal(r->received_n, 0);
    assert_int_equal(count(r, "runs WHERE status = 2 AND delivery = 2 AND state LIKE '%Workflow % not found%'"), 1);
    assert_nothing_left(r);
    rig_end(r);
}

/* --- hostile input ------------------------------------------------------------------------------------------- */

static void a_hostile_template_hurts_only_itself(void **state)
{
    struct rig *r = rig_start(state, true);
    struct call c;
    rig_workflow(r, "hello", IN_APP);
    rig_workflow(r, "loop", "[{\"type\":\"in_app\",\"controlValues\":{\"body\":\"{% for i in (1..1000000) %}"
                            "{% for j in (1..1000000) %}{% assign x = i | times: j %}{% endfor %}{% endfor %}\"}}]");
    rig_workflow(r, "huge", "[{\"type\":\"in_app\",\"controlValues\":{\"body\":\"{% assign s = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' %}"
                            "{% for i in (1..900000) %}{{s}}{{s}}{% endfor %}\"}}]");
    call_begin(r, &c, "loop", "t1", "{\"to\":\"eve\"}");
    assert_true(call_go(&c));
    for (int i = 0; i < 20; i++) {
        char tx[16], to[64];
        snprintf(tx, sizeof tx, "h%d", i);
        snprintf(to, sizeof to, "{\"to\":\"victim-%d\"}", i);
        rig_trigger(r, "hello", tx, to);
    }
    call_wait(&c);
    assert_false(c.failed);
    call_free(&c);
    rig_trigger(r, "huge", "t2", "{\"to\":\"eve\"}");
    rig_trigger(r, "hello", "t3", "{\"to\":\"eve\"}");
    rig_advance(r, 0);
    assert_int_equal(count(r, "messages"), 21);
    assert_int_equal(r->received_n, 21);
    assert_int_equal(count(r, "runs WHERE status = 1 AND delivery = 2"), 2);
    assert_nothing_left(r);
    rig_end(r);
}

/* What the store will never take (a NUL in a recipient) ends its run instead of coming back for ever. */
static void what_cannot_be_stored_ends_its_run(void **state)
{
    const enum db_kind kind = *(const enum db_kind *)*state;
    struct rig *r = rig_new(kind, support_store_url(kind), true, 0);
    r->capture = true;
    rig_engine_start(r);
    rig_workflow(r, "mail", "[{\"type\":\"delay\",\"controlValues\":{\"amount\":1,\"unit\":\"hours\"}},"
                            "{\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}}]");
    rig_trigger(r, "mail", "t1", "{\"to\":\"ada\",\"overrides\":{\"email\":{\"toRecipient\":\"a\\u0000b\"}}}");
    rig_trigger(r, "mail", "t2", ADA);
    rig_advance(r, DAY);
    assert_int_equal(count(r, "runs WHERE status = 2 AND delivery = 2"), 1);
    assert_int_equal(count(r, "runs WHERE status = 1 AND delivery = 1"), 1);
    assert_int_equal(count(r, "outbox"), 1);
    assert_nothing_left(r);
    rig_end(r);
}

struct opening {
    struct rig *rig;
    struct id run, message;
};

static bool opening_apply(void *arg, struct db *db, struct error *err)
{
    struct opening *x = arg;
    return run_mark_reported(db, x->rig->environment, x->run, x->message, MARKED_OPENED, clock_now_ms(&x->rig->clock), err);
}

/* A mail has no reader of its own: that its provider reports it as opened is what a filter of a later step asks about. */
static void an_opened_mail_is_read_to_filters(void **state)
{
#define IF_EARLIER(what) "{\"type\":\"in_app\",\"controlValues\":{\"body\":\"" what "\"},\"filters\":[{\"value\":\"AND\"," \
    "\"children\":[{\"on\":\"previousStep\",\"step\":\"mail-uuid\",\"stepType\":\"" what "\"}]}]}"
    struct rig *r = rig_start(state, true);
    struct error err = {0};
    rig_workflow(r, "later", "[{\"type\":\"email\",\"uuid\":\"mail-uuid\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}},"
                             "{\"type\":\"delay\",\"controlValues\":{\"amount\":1,\"unit\":\"hours\"}},"
                             IF_EARLIER("read") "," IF_EARLIER("seen") "," IF_EARLIER("unread") "," IF_EARLIER("unseen") "]");
    for (int opened = 0; opened < 2; opened++) {
        rig_trigger(r, "later", opened ? "t2" : "t1", ADA);
        rig_advance(r, 0);
        struct db_stmt *s = db_prepare(r->db, "SELECT run_id, id FROM messages WHERE channel = 1 ORDER BY id DESC", &err);
        assert_int_equal(db_step(s, &err), DB_ROW);
        struct id run = db_id(s, 0), message = db_id(s, 1);
        db_reset(s);
        if (opened)
            assert_true(writer_run(r->writer, opening_apply, &(struct opening){r, run, message}, &err));
        rig_advance(r, 3600000);
        assert_int_equal(count(r, "messages WHERE channel = 0 AND doc LIKE '%\"content\":\"read\"%'"), opened);
        assert_int_equal(count(r, "messages WHERE channel = 0 AND doc LIKE '%\"content\":\"seen\"%'"), opened);
        assert_int_equal(count(r, "messages WHERE channel = 0 AND doc LIKE '%\"content\":\"un%'"), 2);
    }
    rig_end(r);
}

#define EACH_DB(f) {#f " (sqlite)", f, NULL, NULL, (void *)(uintptr_t)&both_kinds[0]}, \
                   {#f " (postgres)", f, NULL, NULL, (void *)(uintptr_t)&both_kinds[1]}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        EACH_DB(a_trigger_is_one_commit),
        EACH_DB(an_opened_mail_is_read_to_filters),
        EACH_DB(repeated_triggers_do_nothing_new),
        EACH_DB(duplicates_in_one_batch),
        EACH_DB(one_new_subscriber_from_many_threads),
        EACH_DB(a_subscriber_deleted_meanwhile_is_made_anew),
        EACH_DB(many_recipients_in_chunks),
        EACH_DB(exact_chunks),
        EACH_DB(a_fan_out_survives_a_restart),
        EACH_DB(a_cursor_is_expanded_once),
        EACH_DB(a_bad_recipient_does_not_spoil_the_others),
        EACH_DB(a_delivery_is_sent_after_its_commit),
        EACH_DB(a_delivery_is_tried_again),
        EACH_DB(a_delivery_fails_for_good),
        EACH_DB(attempts_end),
        EACH_DB(many_deliveries_at_once),
        EACH_DB(what_is_gone_ends_the_delivery),
        EACH_DB(a_sent_delivery_is_not_sent_again),
        EACH_DB(a_result_survives_a_full_writer),
        EACH_DB(a_delivery_in_flight_survives_a_stop),
        EACH_DB(a_delivery_in_flight_survives_a_kill),
        EACH_DB(stopping_finishes_what_was_taken),
        EACH_DB(no_attempt_leaves_while_stopping),
        EACH_DB(a_full_writer_refuses),
        EACH_DB(a_stopping_writer_refuses),
        EACH_DB(delays_fire_in_order_at_their_times),
        EACH_DB(an_advance_waits_for_deliveries),
        EACH_DB(stopping_ends_advances),
        EACH_DB(a_real_clock_fires),
        EACH_DB(a_real_clock_fans_out),
        EACH_DB(what_is_overdue_at_the_start_runs_in_order),
        EACH_DB(timers_of_what_was_deleted_go),
        EACH_DB(a_hostile_template_hurts_only_itself),
        EACH_DB(what_cannot_be_stored_ends_its_run),
    };
    if (!crypto_init())
        return 1;
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
