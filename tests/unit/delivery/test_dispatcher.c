/* The dispatcher's promises: caps, fairness, time-outs, stopping, counting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "delivery/host_queue.h"
#include "deliver.h"
#include "../../support/sink.h"

enum { MANY = 65536, THREADS = 4, EACH = 25, PATIENT_MS = 120000 };

static struct dispatcher *start(int concurrent_max, int per_host_max, struct metrics *m)
{
    struct dispatcher_config c = {.concurrent_max = concurrent_max, .per_host_max = per_host_max, .metrics = m};
    struct error err = {0};
    struct dispatcher *d = dispatcher_start(&c, &err);
    assert_non_null(d);
    return d;
}

static struct attempt *attempt_to(struct desk *desk, const struct sink *s)
{
    char credentials[96];
    snprintf(credentials, sizeof credentials, "{\"host\":\"127.0.0.1\",\"port\":%d}", s->port);
    struct attempt *t = attempt_new(desk, "nodemailer", str_of(credentials));
    t->delivery.timeout_ms = PATIENT_MS;
    return t;
}

static int64_t gauge_of(struct metrics *m)
{
    return atomic_load(&metrics_gauge(m, "carillon_deliveries_in_flight", "", NULL)->value);
}

static void unknown_providers_fail(void **state)
{
    (void)state;
    struct desk desk = DESK_INIT;
    struct dispatcher *d = start(0, 0, NULL);
    struct attempt *t = attempt_new(&desk, "pigeon", STR("{}"));
    assert_outcome(attempt_run(d, t), DELIVERY_FAILED);
    assert_text(t->result.error, "There is no driver for the provider \"pigeon\".");
    arena_destroy(t->arena);
    dispatcher_stop(d, 0);
}

static void a_hanging_host_does_not_delay_another(void **state)
{
    (void)state;
    enum { HANGING = 6, GOOD = 5 };
    struct desk desk = DESK_INIT;
    struct metrics *m = metrics_create();
    struct sink *bad = SINK_START("smtp_sink.py", "--hang", "rcpt"), *good = SINK_START("smtp_sink.py", NULL);
    struct dispatcher *d = start(3, 2, m);
    struct attempt *hanging[HANGING], *fine[GOOD];
    for (int i = 0; i < HANGING; i++)
        attempt_submit(d, hanging[i] = attempt_to(&desk, bad));
    for (int i = 0; i < GOOD; i++)
        attempt_submit(d, fine[i] = attempt_to(&desk, good));
    for (int i = 0; i < GOOD; i++) {
        assert_outcome(attempt_wait(fine[i]), DELIVERY_SENT);
        assert_true(fine[i]->order < GOOD);
    }
    /* Two under way at the bad host, four waiting: that is the cap. */
    assert_int_equal(dispatcher_depth(d), HANGING);
    assert_int_equal(gauge_of(m), 2);
    dispatcher_stop(d, 0);
    for (int i = 0; i < HANGING; i++) {
        assert_true(hanging[i]->done);
        assert_outcome(&hanging[i]->result, DELIVERY_RETRY);
        assert_text(hanging[i]->result.error, "shutting down");
        arena_destroy(hanging[i]->arena);
    }
    assert_int_equal(gauge_of(m), 0);
    for (int i = 0; i < GOOD; i++)
        arena_destroy(fine[i]->arena);
    sink_stop(bad);
    sink_stop(good);
    metrics_destroy(m);
}

/* Three hosts and room for one at a time: they take turns, whoever came with more. */
static void hosts_take_turns(void **state)
{
    (void)state;
    static const char *const keys[] = {"a", "a", "a", "b", "c", "b"}, want[] = "abcaba";
    struct host_queue *q = host_queue_create(2);
    struct job jobs[6] = {0};
    char got[7] = "";
    for (int i = 0; i < 6; i++) {
        jobs[i].host_key = str_of(keys[i]);
        host_queue_push(q, &jobs[i]);
    }
    for (int i = 0; i < 6; i++) {
        struct job *j = host_queue_pop(q);
        assert_non_null(j);
        got[i] = j->host_key.p[0];
        host_queue_done(q, j->host);
    }
    assert_string_equal(got, want);
    assert_null(host_queue_pop(q));
    host_queue_destroy(q);
}

static void per_host_cap_holds(void **state)
{
    (void)state;
    struct host_queue *q = host_queue_create(2);
    struct job jobs[4] = {0};
    for (int i = 0; i < 4; i++)
        host_queue_push(q, &jobs[i]);
    assert_ptr_equal(host_queue_pop(q), &jobs[0]);
    assert_ptr_equal(host_queue_pop(q), &jobs[1]);
    assert_null(host_queue_pop(q));
    host_queue_done(q, jobs[0].host);
    assert_ptr_equal(host_queue_pop(q), &jobs[2]);
    assert_null(host_queue_pop(q));
    assert_ptr_equal(host_queue_drain(q), &jobs[3]);
    assert_null(host_queue_drain(q));
    host_queue_done(q, jobs[1].host);
    host_queue_done(q, jobs[2].host);
    host_queue_destroy(q);
}

/* libcurl says QUIT when it closes a session after a refusal and waits for the answer with the whole thread. */
static void a_server_that_ignores_quit_stalls_nobody(void **state)
{
    (void)state;
    struct desk desk = DESK_INIT;
    struct sink *bad = SINK_START("smtp_sink.py", "--hang", "quit", "--reply-rcpt", "550 no"), *good = SINK_START("smtp_sink.py", NULL);
    struct sink *kept = SINK_START("smtp_sink.py", "--hang", "quit");
    struct dispatcher *d = start(0, 0, NULL);
    struct attempt *first = attempt_to(&desk, kept), *rude = attempt_to(&desk, bad), *fine = attempt_to(&desk, good);
    assert_outcome(attempt_run(d, first), DELIVERY_SENT);
    fine->delivery.timeout_ms = 20000;
    attempt_submit(d, rude);
    attempt_submit(d, fine);
    assert_outcome(attempt_wait(rude), DELIVERY_FAILED);
    assert_outcome(attempt_wait(fine), DELIVERY_SENT);
    /* A refusal on a kept connection closes that one too. */
    int64_t before = clock_mono_ns();
    dispatcher_stop(d, 0);
    assert_true(clock_mono_ns() - before < 60000000000);        /* libcurl's patience is 120 s per connection */
    arena_destroy(first->arena);
    arena_destroy(rude->arena);
    arena_destroy(fine->arena);
    sink_stop(bad);
    sink_stop(good);
    sink_stop(kept);
}

/* The same on a connection that was used before: the second recipient is refused. */
static void quit_is_ignored_on_a_kept_connection(void **state)
{
    (void)state;
    static const struct delivery_address nobody = {.email = {"nobody@example.com", 18}};
    struct desk desk = DESK_INIT;
    struct sink *bad = SINK_START("smtp_sink.py", "--hang", "quit", "--reply-rcpt", "nobody@example.com=550 no");
    struct sink *good = SINK_START("smtp_sink.py", NULL);
    struct dispatcher *d = start(0, 0, NULL);
    struct attempt *first = attempt_to(&desk, bad), *second = attempt_to(&desk, bad), *fine = attempt_to(&desk, good);
    second->email.to = &nobody;
    fine->delivery.timeout_ms = 20000;
    assert_outcome(attempt_run(d, first), DELIVERY_SENT);
    attempt_submit(d, second);
    attempt_submit(d, fine);
    assert_outcome(attempt_wait(second), DELIVERY_FAILED);
    assert_outcome(attempt_wait(fine), DELIVERY_SENT);
    dispatcher_stop(d, 0);
    arena_destroy(first->arena);
    arena_destroy(second->arena);
    arena_destroy(fine->arena);
    sink_stop(bad);
    sink_stop(good);
}

static void stopping_waits_for_what_is_under_way(void **state)
{
    (void)state;
    struct desk desk = DESK_INIT;
    struct sink *slow = SINK_START("smtp_sink.py", "--delay", "0.3");
    struct metrics *m = metrics_create();
    struct dispatcher *d = start(1, 1, m);
    struct attempt *first = attempt_to(&desk, slow), *second = attempt_to(&desk, slow);
    attempt_submit(d, first);
    attempt_submit(d, second);
    while (gauge_of(m) == 0)
        sched_yield();
    dispatcher_stop(d, PATIENT_MS);
    assert_outcome(&first->result, DELIVERY_SENT);
    assert_outcome(&second->result, DELIVERY_RETRY);
    assert_text(second->result.error, "shutting down");
    arena_destroy(first->arena);
    arena_destroy(second->arena);
    sink_stop(slow);
    metrics_destroy(m);
}

static void outcomes_are_counted(void **state)
{
    (void)state;
    struct desk desk = DESK_INIT;
    struct metrics *m = metrics_create();
    struct sink *s = SINK_START("smtp_sink.py", "--fail-first", "2", "--reply-data", "451 later");
    struct dispatcher *d = start(0, 0, m);
    for (int i = 0; i < 3; i++) {
        struct attempt *t = attempt_to(&desk, s);
        assert_outcome(attempt_run(d, t), i < 2 ? DELIVERY_RETRY : DELIVERY_SENT);
        arena_destroy(t->arena);
    }
    struct attempt *t = attempt_new(&desk, "outlook365", STR("{\"password\":\"x\\n\"}"));
    assert_outcome(attempt_run(d, t), DELIVERY_FAILED);
    struct str text = metrics_render(m, t->arena);
    assert_has(text, "carillon_deliveries_total{provider=\"nodemailer\",outcome=\"sent\"} 1\n");
    assert_has(text, "carillon_deliveries_total{provider=\"nodemailer\",outcome=\"retry\"} 2\n");
    assert_has(text, "carillon_deliveries_total{provider=\"outlook365\",outcome=\"failed\"} 1\n");
    assert_has(text, "carillon_deliveries_in_flight 0\n");
    assert_has(text, "carillon_delivery_seconds_count 3\n");
    arena_destroy(t->arena);
    dispatcher_stop(d, 0);
    sink_stop(s);
    metrics_destroy(m);
}

struct sender {
    struct dispatcher *d;
    const struct sink *sink;
    int sent;
};

static void *send_many(void *ctx)
{
    struct sender *s = ctx;
    struct desk desk = DESK_INIT;
    struct attempt *t[EACH];
    for (int i = 0; i < EACH; i++)
        attempt_submit(s->d, t[i] = attempt_to(&desk, s->sink));
    for (int i = 0; i < EACH; i++) {
        s->sent += attempt_wait(t[i])->outcome == DELIVERY_SENT;
        /* The waiter may see `done` before attempt_done has left its lock. */
        pthread_mutex_lock(&desk.lock);
        pthread_mutex_unlock(&desk.lock);
        arena_destroy(t[i]->arena);
    }
    return NULL;
}

static void many_threads_may_submit(void **state)
{
    (void)state;
    struct sink *s = SINK_START("smtp_sink.py", NULL);
    struct dispatcher *d = start(0, 0, NULL);
    pthread_t threads[THREADS];
    struct sender senders[THREADS];
    for (int i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){d, s, 0};
        pthread_create(&threads[i], NULL, send_many, &senders[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(senders[i].sent, EACH);
    }
    assert_int_equal(dispatcher_depth(d), 0);
    dispatcher_stop(d, 0);
    sink_stop(s);
}

/* --- the limit of the queue --- */

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool entered, open;
    _Atomic int reported;
};

static void gate_wait(struct delivery *d, const struct delivery_result *r)
{
    struct gate *g = d->owner;
    (void)r;
    pthread_mutex_lock(&g->lock);
    g->entered = true;
    pthread_cond_broadcast(&g->changed);
    while (!g->open)
        pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
    arena_destroy(d->arena);
}

static void gate_count(struct delivery *d, const struct delivery_result *r)
{
    struct gate *g = d->owner;
    (void)r;
    atomic_fetch_add(&g->reported, 1);
    arena_destroy(d->arena);
}

static struct delivery *small_delivery(struct gate *g, void (*done)(struct delivery *, const struct delivery_result *))
{
    struct arena *a = arena_create(1024);
    struct delivery *d = ARENA_NEW(a, struct delivery);
    *d = (struct delivery){.arena = a, .provider_id = STR("pigeon"), .done = done, .owner = g};
    return d;
}

static void the_queue_has_an_end(void **state)
{
    (void)state;
    struct gate g = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct dispatcher *d = start(0, 0, NULL);
    struct error err = {0};
    int accepted = 0;
    assert_true(dispatcher_submit(d, small_delivery(&g, gate_wait), &err));
    pthread_mutex_lock(&g.lock);
    while (!g.entered)                  /* the thread is now held, nothing is taken */
        pthread_cond_wait(&g.changed, &g.lock);
    pthread_mutex_unlock(&g.lock);
    struct delivery *next;
    while (dispatcher_submit(d, next = small_delivery(&g, gate_count), &err))
        accepted++;
    arena_destroy(next->arena);
    assert_int_equal(accepted, MANY);
    assert_int_equal(error_status(&err), 503);
    assert_string_equal(err.message, "The delivery queue is full.");
    pthread_mutex_lock(&g.lock);
    g.open = true;
    pthread_cond_broadcast(&g.changed);
    pthread_mutex_unlock(&g.lock);
    dispatcher_stop(d, PATIENT_MS);
    assert_int_equal(atomic_load(&g.reported), MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_providers_fail), cmocka_unit_test(a_hanging_host_does_not_delay_another),
        cmocka_unit_test(hosts_take_turns), cmocka_unit_test(per_host_cap_holds),
        cmocka_unit_test(a_server_that_ignores_quit_stalls_nobody), cmocka_unit_test(quit_is_ignored_on_a_kept_connection),
        cmocka_unit_test(stopping_waits_for_what_is_under_way), cmocka_unit_test(outcomes_are_counted),
        cmocka_unit_test(many_threads_may_submit), cmocka_unit_test(the_queue_has_an_end),
    };
    return cmocka_run_group_tests_name("dispatcher", tests, NULL, NULL);
}
