/* Rate limits against a plain reading of rest-api.md §4.3, and under threads. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "api/rate_limit.h"
#include "base/crypto.h"

/* ---- the reference: one field for each word of the specification, fractions as exact as they come ---- */

struct reference {
    bool exists;
    long double last_refill, used;
    long tokens;
};

struct verdict {
    bool allowed;
    long remaining, reset_s;
};

static struct verdict refer(struct reference *b, long per_second, long window_s, double burst, long cost, long now)
{
    long limit = per_second * window_s, capacity = (long)floor((double)limit * (1 + burst) + 1e-9);
    long double f = (long double)window_s * 1000 / limit;       /* ms for one token */
    struct verdict v = {.allowed = true};
    if (!b->exists || now - b->used > 2 * window_s * 1000) {
        *b = (struct reference){.exists = true, .last_refill = now, .tokens = capacity - cost};
    } else if (b->tokens >= cost) {
        b->tokens -= cost;
    } else {
        long added = now > b->last_refill ? (long)floorl((now - b->last_refill) / f + 1e-9L) : 0;
        long t = (b->tokens + added < capacity ? b->tokens + added : capacity) - cost;
        v.allowed = t >= 0;
        if (v.allowed) {
            b->tokens = t;
            b->last_refill += added * f;
        }
    }
    if (v.allowed)
        b->used = now;
    long k = !v.allowed ? cost - b->tokens : b->tokens < cost ? cost - b->tokens : cost;
    long double in = (b->last_refill + k * f - now) / 1000;
    v.reset_s = in <= 0 ? 0 : (long)ceill(in - 1e-9L);
    v.remaining = b->tokens > 0 ? b->tokens : 0;
    return v;
}

/* ---- settings ---- */

static const char *(*variables)[2];

static const char *get(const char *name)
{
    for (int i = 0; variables && variables[i][0]; i++)
        if (!strcmp(variables[i][0], name))
            return variables[i][1];
    return NULL;
}

static struct rate_settings settings(const char *level)
{
    struct rate_settings s;
    struct error err = {0};
    variables = NULL;
    if (!rate_settings_read(&s, level, get, &err))
        fail_msg("%s", err.message);
    return s;
}

static void settings_come_from_variables(void **state)
{
    static const char *good[][2] = {{"API_RATE_LIMIT_MAXIMUM_PRO_TRIGGER", "7"}, {"API_RATE_LIMIT_MAXIMUM_FREE_TRIGGER", "8"},
                                    {"API_RATE_LIMIT_COST_BULK", "50"}, {"API_RATE_LIMIT_ALGORITHM_WINDOW_DURATION", "2"},
                                    {"API_RATE_LIMIT_ALGORITHM_BURST_ALLOWANCE", "0.5"}, {NULL, NULL}};
    static const char *bad[][2] = {{"API_RATE_LIMIT_COST_SINGLE", "many"}, {NULL, NULL}};
    static const char *huge[][2] = {{"API_RATE_LIMIT_MAXIMUM_PRO_GLOBAL", "400001"}, {NULL, NULL}};
    struct rate_settings s = settings("pro");
    struct error err = {0};
    (void)state;
    assert_int_equal(s.maximum[0], 240);
    assert_int_equal(s.maximum[1], 80);
    assert_int_equal(s.maximum[2], 120);
    variables = good;
    assert_true(rate_settings_read(&s, "pro", get, &err));
    assert_int_equal(s.maximum[0], 7);
    assert_int_equal(s.cost[RATE_COST_BULK], 50);
    assert_int_equal(s.window_s, 2);
    assert_true(s.burst == 0.5);
    variables = bad;
    assert_false(rate_settings_read(&s, "pro", get, &err));
    assert_non_null(strstr(err.message, "API_RATE_LIMIT_COST_SINGLE"));
    variables = huge;
    assert_false(rate_settings_read(&s, "pro", get, &err));
    assert_false(rate_settings_read(&s, "golden", get, &err));
}

/* ---- one thread: equal to the reference at every step ---- */

static uint32_t seed;
static uint32_t rnd(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static void equals_the_reference(void **state)
{
    static const int rates[] = {1, 3, 7, 20, 60, 333, 6000, 400000};
    static const double bursts[] = {0, 0.1, 0.37, 1};
    (void)state;
    for (uint32_t run = 0; run < 600; run++) {
        struct rate_settings s = settings("free");
        struct reference ref = {0};
        struct id e = {{0}};
        seed = run * 7919 + 1;
        s.window_s = 1 + (int)rnd(9);
        s.maximum[1] = rates[rnd(8)];
        if (s.maximum[1] > RATE_LIMIT_MAX / s.window_s)
            s.maximum[1] = RATE_LIMIT_MAX / s.window_s;
        s.burst = bursts[rnd(4)];
        s.cost[0] = 1 + (int)rnd(3);
        s.cost[1] = 1 + (int)rnd((uint32_t)s.maximum[1] * (uint32_t)s.window_s);
        struct rate_limiter *l = rate_limiter_create(&s);
        long now = 1000000 + rnd(100000);
        for (int i = 0; i < 500; i++) {
            enum rate_cost c = rnd(4) ? RATE_COST_SINGLE : RATE_COST_BULK;
            struct verdict v = refer(&ref, s.maximum[1], s.window_s, s.burst, s.cost[c], now);
            struct rate_result r = rate_limit_take(l, e, RATE_CONFIGURATION, c, NULL, now);
            if (r.allowed != v.allowed || r.remaining != v.remaining || r.reset_s != v.reset_s)
                fail_msg("run %u step %d: allowed %d, %ld left, reset %ld; expected %d, %ld, %ld", run, i, r.allowed,
                         (long)r.remaining, (long)r.reset_s, v.allowed, v.remaining, v.reset_s);
            switch (rnd(6)) {
            case 0: now += rnd(50); break;
            case 1: now += rnd((uint32_t)s.window_s * 1000); break;
            case 2: now += rnd(20) ? 1 : rnd(5 * (uint32_t)s.window_s * 1000); break;
            default: break;
            }
        }
        rate_limiter_destroy(l);
    }
}

/* A bucket that is never empty is never refilled: its last refill lies ever further back. */
static void long_use_does_not_confuse_the_clock(void **state)
{
    struct rate_settings s = settings("free");
    struct reference ref = {0};
    struct id e = {{1}};
    (void)state;
    s.maximum[2] = 400000;
    struct rate_limiter *l = rate_limiter_create(&s);
    long now = 5;
    for (int i = 0; i < 400000; i++, now += 9000) {
        struct verdict v = refer(&ref, 400000, 5, 0.1, 1, now);
        struct rate_result r = rate_limit_take(l, e, RATE_GLOBAL, RATE_COST_SINGLE, NULL, now);
        assert_true(r.allowed && v.allowed);
        assert_int_equal(r.remaining, v.remaining);
    }
    rate_limiter_destroy(l);
}

static void policies_and_overrides(void **state)
{
    struct rate_settings s = settings("business");
    struct rate_limiter *l = rate_limiter_create(&s);
    struct id a = {{1}}, b = {{2}};
    struct rate_override o = {.per_second = {0, 2, 0}};
    (void)state;
    struct rate_result r = rate_limit_take(l, a, RATE_TRIGGER, RATE_COST_BULK, NULL, 0);
    assert_string_equal(r.policy, "3000;w=5;burst=3300;comment=\"token bucket\";category=\"trigger\";cost=\"bulk\";"
                                  "serviceLevel=\"business\"");
    assert_int_equal(r.remaining, 3200);
    r = rate_limit_take(l, a, RATE_CONFIGURATION, RATE_COST_SINGLE, &o, 0);
    assert_string_equal(r.policy, "10;w=5;burst=11;comment=\"token bucket\";category=\"configuration\";cost=\"single\";"
                                  "serviceLevel=\"custom\"");
    for (int i = 0; i < 10; i++)
        assert_true(rate_limit_take(l, a, RATE_CONFIGURATION, RATE_COST_SINGLE, &o, 0).allowed);
    r = rate_limit_take(l, a, RATE_CONFIGURATION, RATE_COST_SINGLE, &o, 0);
    assert_false(r.allowed);
    assert_int_equal(r.reset_s, 1);
    /* others have buckets of their own */
    assert_true(rate_limit_take(l, b, RATE_CONFIGURATION, RATE_COST_SINGLE, &o, 0).allowed);
    assert_true(rate_limit_take(l, a, RATE_GLOBAL, RATE_COST_SINGLE, &o, 0).allowed);
    rate_limiter_destroy(l);
}

/* ---- threads: exactly as many as there are tokens ---- */

enum { THREADS = 8, TRIES = 20000 };

struct load {
    struct rate_limiter *l;
    long now;
    _Atomic long granted;
    pthread_barrier_t start;
};

static void *load_run(void *arg)
{
    struct load *x = arg;
    struct id e = {{7}};
    long mine = 0;
    pthread_barrier_wait(&x->start);
    for (int i = 0; i < TRIES; i++)
        mine += rate_limit_take(x->l, e, RATE_TRIGGER, RATE_COST_SINGLE, NULL, x->now).allowed;
    x->granted += mine;
    return NULL;
}

static long grant(struct load *x, long now)
{
    pthread_t thread[THREADS];
    x->now = now;
    x->granted = 0;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, load_run, x);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    return x->granted;
}

static void threads_never_get_more_than_there_is(void **state)
{
    struct rate_settings s = settings("free");          /* 300 a window, 330 at most */
    struct load x = {.l = rate_limiter_create(&s)};
    (void)state;
    pthread_barrier_init(&x.start, NULL, THREADS);
    long now = 12345;
    assert_int_equal(grant(&x, now), 330);              /* made by one of them */
    for (int i = 0; i < 5; i++) {
        assert_int_equal(grant(&x, now), 0);
        assert_int_equal(grant(&x, now += 1000), 60);
        assert_int_equal(grant(&x, now += 10001), 330); /* forgotten, made anew by one of them */
        assert_int_equal(grant(&x, now += 9999), 330);  /* refilled to the brim */
    }
    pthread_barrier_destroy(&x.start);
    rate_limiter_destroy(x.l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_come_from_variables),
        cmocka_unit_test(equals_the_reference),
        cmocka_unit_test(long_use_does_not_confuse_the_clock),
        cmocka_unit_test(policies_and_overrides),
        cmocka_unit_test(threads_never_get_more_than_there_is),
    };
    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
