/* HTTP requests of steps in the engine's shell: durable, made again after a stop, repeated in workflow time. */
#include "rig.h"

#include <unistd.h>

#define EACH_DB(f) {#f " (sqlite)", f, NULL, NULL, (void *)(uintptr_t)&both_kinds[0]}, \
                   {#f " (postgres)", f, NULL, NULL, (void *)(uintptr_t)&both_kinds[1]}

static int64_t count(struct rig *r, const char *what)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", what);
    return number(r->db, sql);
}

enum { CALLS_MAX = 8 };

static struct {
    struct { int64_t at; int attempt; bool queued; } seen[CALLS_MAX];
    _Atomic int n;
    struct engine_call *_Atomic held;
    bool hold;
    const int *statuses;                /* by attempt; NULL: 200 */
} calls;

static void answer(struct engine_call *c, int status)
{
    engine_called(c, &(struct call_answer){.end = CALL_ANSWERED, .status = status, .headers = STR("{}"),
                                           .body = STR("{\"name\":\"Ada\",\"outputs\":{\"name\":\"Ada\"}}"),
                                           .error = status == 200 ? STR_NULL : STR("Request failed")});
}

static void on_call(void *app, struct engine_call *c)
{
    struct rig *r = app;
    struct error err = {0};
    int i = atomic_load(&calls.n) % CALLS_MAX;
    calls.seen[i].at = clock_now_ms(&r->clock);
    calls.seen[i].attempt = c->attempt;
    pthread_mutex_lock(&r->lock);
    calls.seen[i].queued = queue_exists(r->world_db, c->item.due_at, c->item.id, &calls.seen[i].queued, &err) && calls.seen[i].queued;
    pthread_mutex_unlock(&r->lock);
    int status = calls.statuses ? calls.statuses[c->attempt - 1] : 200;
    if (calls.hold)
        atomic_store(&calls.held, c);
    atomic_fetch_add(&calls.n, 1);
    if (!calls.hold)
        answer(c, status);
}

static struct rig *start(void **state)
{
    const enum db_kind kind = *(const enum db_kind *)*state;
    struct rig *r = rig_new(kind, support_store_url(kind), true, 0);
    memset(&calls, 0, sizeof calls);
    r->call = on_call;
    rig_sql(r, "UPDATE environments SET settings = '{\"bridge\":{\"url\":\"https://app.test/novu\"}}'");
    rig_engine_start(r);
    return r;
}

#define THEN_INBOX ",{\"type\":\"in_app\",\"controlValues\":{\"body\":\"Hi {{steps.s0.name}}\"}}]"
static const char REQUEST[] = "[{\"type\":\"http_request\",\"controlValues\":{\"url\":\"https://x.test/\"}}" THEN_INBOX;
static const char CUSTOM[] = "[{\"type\":\"custom\",\"controlValues\":{}}" THEN_INBOX;
static const char ADA[] = "{\"to\":[{\"subscriberId\":\"ada\"}]}";

static void a_request_leaves_after_its_commit_and_the_chain_goes_on(void **state)
{
    struct rig *r = start(state);
    rig_workflow(r, "call", REQUEST);
    rig_trigger(r, "call", "t1", ADA);
    rig_advance(r, 0);
    assert_int_equal(calls.n, 1);
    assert_true(calls.seen[0].queued);
    assert_int_equal(count(r, "messages WHERE doc LIKE '%Hi Ada%'"), 1);
    assert_int_equal(count(r, "runs WHERE status = 1"), 1);
    assert_int_equal(count(r, "queue"), 0);
    rig_end(r);
}

static void a_request_under_way_survives_a_stop(void **state)
{
    struct rig *r = start(state);
    calls.hold = true;
    rig_workflow(r, "call", REQUEST);
    rig_trigger(r, "call", "t1", ADA);
    while (!atomic_load(&calls.held))
        usleep(1000);
    engine_stop(r->engine, 20);
    answer(atomic_load(&calls.held), 200);      /* too late: nobody hears it */
    assert_int_equal(count(r, "queue"), 1);
    assert_int_equal(count(r, "messages"), 0);
    calls.hold = false;
    rig_engine_start(r);
    rig_advance(r, 0);
    assert_int_equal(calls.n, 2);
    assert_int_equal(calls.seen[1].attempt, 1);
    assert_int_equal(count(r, "messages"), 1);
    assert_int_equal(count(r, "runs WHERE status = 1"), 1);
    assert_int_equal(count(r, "queue"), 0);
    rig_end(r);
}

static void a_bridge_is_asked_again_in_workflow_time(void **state)
{
    static const int statuses[] = {503, 500, 429, 200};
    struct rig *r = start(state);
    calls.statuses = statuses;
    rig_workflow(r, "custom", CUSTOM);
    rig_trigger(r, "custom", "t1", ADA);
    rig_advance(r, 0);
    assert_int_equal(calls.n, 1);
    rig_advance(r, 999);
    assert_int_equal(calls.n, 1);
    rig_advance(r, 10000);
    assert_int_equal(calls.n, 4);
    static const int64_t waits[] = {0, 1000, 3000, 7000};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(calls.seen[i].at - calls.seen[0].at, waits[i]);
        assert_int_equal(calls.seen[i].attempt, i + 1);
    }
    assert_int_equal(count(r, "messages WHERE doc LIKE '%Hi Ada%'"), 1);
    assert_int_equal(count(r, "queue"), 0);
    rig_end(r);
}

static void without_a_way_out_the_step_fails(void **state)
{
    struct rig *r = start(state);
    engine_stop(r->engine, 0);
    r->call = NULL;
    rig_engine_start(r);
    rig_workflow(r, "call", REQUEST);
    rig_trigger(r, "call", "t1", ADA);
    rig_advance(r, 0);
    assert_int_equal(count(r, "runs WHERE status = 1"), 1);
    assert_int_equal(count(r, "messages"), 0);
    assert_int_equal(count(r, "queue"), 0);
    rig_end(r);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        EACH_DB(a_request_leaves_after_its_commit_and_the_chain_goes_on),
        EACH_DB(a_request_under_way_survives_a_stop),
        EACH_DB(a_bridge_is_asked_again_in_workflow_time),
        EACH_DB(without_a_way_out_the_step_fails),
    };
    if (!crypto_init())
        return 1;
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
