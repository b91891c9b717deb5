/* Runs: the delivery lifecycle rule by rule (engine.md §9), derived ids, the stored form; and what the chain does with
 * steps that are inactive, changed, skipped or held. */
#include "../../sim/world.h"

#define CH(t, s) {.type = STEP_##t, .status = JOB_##s}
#define SKIPPED(t, why) {.type = STEP_##t, .status = JOB_CANCELED, .skip = SKIP_##why}

static void lifecycle_rules(void **state)
{
    (void)state;
    static const struct { struct run_job jobs[4]; enum delivery_status want; enum skip_reason detail; } rows[] = {
        {{CH(TRIGGER, COMPLETED), CH(DELAY, COMPLETED)}, LIFECYCLE_ERRORED, SKIP_NO_CHANNEL_STEP},                   /* 0 */
        {{CH(EMAIL, FAILED), CH(IN_APP, COMPLETED)}, LIFECYCLE_DELIVERED, SKIP_NONE},                                /* 2 */
        {{CH(EMAIL, COMPLETED), SKIPPED(SMS, NO_PHONE)}, LIFECYCLE_SENT, SKIP_NONE},                                 /* 3 */
        {{CH(EMAIL, COMPLETED), CH(SMS, DELAYED)}, LIFECYCLE_SENT, SKIP_NONE},
        {{CH(EMAIL, FAILED), SKIPPED(SMS, PREFERENCE)}, LIFECYCLE_SKIPPED, SKIP_PREFERENCE},                         /* 4 */
        {{SKIPPED(EMAIL, NO_EMAIL), SKIPPED(SMS, CONDITION), SKIPPED(PUSH, NO_PUSH_TOKEN)}, LIFECYCLE_SKIPPED, SKIP_CONDITION},
        {{SKIPPED(EMAIL, CONDITION), SKIPPED(SMS, PREFERENCE)}, LIFECYCLE_SKIPPED, SKIP_PREFERENCE},
        {{SKIPPED(EMAIL, NO_EMAIL), CH(SMS, DELAYED)}, LIFECYCLE_PENDING, SKIP_NONE},
        {{SKIPPED(EMAIL, NO_EMAIL), CH(SMS, PENDING), CH(DELAY, DELAYED)}, LIFECYCLE_PENDING, SKIP_NONE},
        {{CH(EMAIL, FAILED), CH(SMS, CANCELED)}, LIFECYCLE_CANCELED, SKIP_NONE},                                     /* 5 before 6 */
        {{CH(EMAIL, FAILED), CH(SMS, FAILED), CH(DELAY, COMPLETED)}, LIFECYCLE_ERRORED, SKIP_NONE},                  /* 6 */
        {{CH(EMAIL, MERGED), CH(SMS, MERGED)}, LIFECYCLE_MERGED, SKIP_NONE},                                         /* 7 */
        {{CH(EMAIL, FAILED), CH(SMS, RUNNING)}, LIFECYCLE_PENDING, SKIP_NONE},                                       /* 8 */
        {{CH(EMAIL, PENDING)}, LIFECYCLE_PENDING, SKIP_NONE},
        {{CH(EMAIL, MERGED), CH(SMS, FAILED)}, LIFECYCLE_ERRORED, SKIP_UNKNOWN_ERROR},                               /* 9 */
        {{CH(DIGEST, MERGED), CH(EMAIL, MERGED)}, LIFECYCLE_MERGED, SKIP_NONE},
        {{CH(THROTTLE, SKIPPED), CH(EMAIL, SKIPPED)}, LIFECYCLE_SKIPPED, SKIP_NONE},                                 /* §4.8 */
        {{CH(IN_APP, COMPLETED), CH(THROTTLE, SKIPPED), CH(EMAIL, SKIPPED)}, LIFECYCLE_DELIVERED, SKIP_NONE},
        {{CH(EMAIL, FAILED), CH(THROTTLE, SKIPPED), CH(SMS, SKIPPED)}, LIFECYCLE_SKIPPED, SKIP_NONE},
        {{CH(EMAIL, COMPLETED), CH(DIGEST, MERGED), CH(SMS, MERGED)}, LIFECYCLE_SENT, SKIP_NONE},
        {{CH(EMAIL, FAILED), {.type = STEP_SMS, .status = JOB_CANCELED, .canceled_by_user = true}}, LIFECYCLE_CANCELED,
         SKIP_CANCELED_BY_USER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct run_job jobs[4];
        struct run r = {.jobs = jobs};
        enum skip_reason detail;
        memcpy(jobs, rows[i].jobs, sizeof jobs);
        while (r.jobs_n < 4 && (jobs[r.jobs_n].status || jobs[r.jobs_n].type))
            r.jobs_n++;
        enum delivery_status got = run_lifecycle(&r, &detail);
        if (got != rows[i].want || detail != rows[i].detail)
            fail_msg("row %zu: %s, %s", i, lifecycle_name(got).p, skip_reason_name(detail).p);
    }
}

static int id_compare(const void *a, const void *b)
{
    return id_cmp(*(const struct id *)a, *(const struct id *)b);
}

static void derived_ids_are_distinct(void **state)
{
    (void)state;
    static const enum derived kinds[] = {DERIVED_JOB, DERIVED_MESSAGE, DERIVED_DETAIL, DERIVED_QUEUE};
    enum { N = 65536 };
    struct id_source ids;
    id_source_init_seeded(&ids, 1);
    struct id base[2] = {id_new(&ids, 1767225600000), id_new(&ids, 1767225600000)}, *all = malloc(sizeof *all * N * 8);
    size_t n = 0;
    for (int b = 0; b < 2; b++)
        for (int k = 0; k < 4; k++)
            for (int i = 0; i < N; i++) {
                all[n] = run_derived_id(base[b], kinds[k], i);
                assert_memory_equal(all[n].b, base[b].b, 4);        /* the same second: ids stay in order of time */
                n++;
            }
    qsort(all, n, sizeof *all, id_compare);
    for (size_t i = 1; i < n; i++)
        if (id_eq(all[i], all[i - 1]))
            fail_msg("two derived ids are the same");
    free(all);
}

static void every_field_is_stored(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct run_job jobs[] = {
        {.type = STEP_TRIGGER, .status = JOB_COMPLETED, .step = -1, .updated_at = 1000},
        {.type = STEP_EMAIL, .status = JOB_DELAYED, .step = 0, .skip = SKIP_NO_PHONE, .canceled_by_user = true, .updated_at = 900, .due_at = 7777,
         .attempts = 3, .error = STR("a \"b\"\n"), .output = STR("{\"x\":[1]}"), .provider_id = STR("0"), .extensions = 2,
         .merged_run = {{1, 2, 3}}, .merged_job = 5, .group = STR("abc"), .timing = STR("{\"amount\":1}")},
        {.type = STEP_SMS, .status = JOB_RUNNING, .step = 1, .updated_at = 1000, .attempts = 1}};
    struct run r = {.arena = a, .jobs = jobs, .jobs_n = 3, .chain_ended = true, .lifecycle_detail = SKIP_CONDITION}, back;
    r.row.created_at = 1000;
    run_log_add(&r, 1500, 1, DETAIL_MESSAGE_SENT, DETAIL_SUCCESS, true, STR("{\"id\":\"1\"}"));
    run_log_add(&r, 1000, 2, DETAIL_STEP_QUEUED, DETAIL_PENDING, false, STR_NULL);
    run_log_add(&r, 900, 0, DETAIL_STEP_CREATED, DETAIL_PENDING, false, STR("[1]"));
    r.row.state = run_encode(&r);
    assert_true(run_decode(&r.row, a, &back, &err));
    assert_int_equal(back.jobs_n, 3);
    assert_int_equal(back.log_n, 3);
    assert_true(back.chain_ended && back.lifecycle_detail == SKIP_CONDITION);
    for (int i = 0; i < 3; i++) {
        const struct run_job *x = &jobs[i], *y = &back.jobs[i];
        assert_true(x->type == y->type && x->status == y->status && x->step == y->step && x->skip == y->skip);
        assert_true(x->canceled_by_user == y->canceled_by_user && x->updated_at == y->updated_at && x->due_at == y->due_at);
        assert_true(x->attempts == y->attempts && str_eq(x->error, y->error) && str_eq(x->output, y->output) && str_eq(x->provider_id, y->provider_id));
        assert_true(x->extensions == y->extensions && id_eq(x->merged_run, y->merged_run) && x->merged_job == y->merged_job);
        assert_true(str_eq(x->group, y->group) && str_eq(x->timing, y->timing));
        const struct run_log *k = &r.log[i], *l = &back.log[i];
        assert_true(k->at == l->at && k->job == l->job && k->detail == l->detail && k->status == l->status && k->message == l->message && str_eq(k->raw, l->raw));
    }
    assert_true(str_eq(run_encode(&back), r.row.state));
}

static void damaged_runs_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "{", "{\"j\":[1]}", "{\"j\":[[99,0,0,0]]}", "{\"j\":[[0,99,0,0]]}", "{\"j\":[[-1,0,0,0]]}", "{\"j\":[[0,0,0,0,0,99]]}",
        "{\"j\":[[6,3,-1,0]],\"l\":[[0,1,0,0]]}", "{\"j\":[[6,3,-1,0]],\"l\":[[0,-1,0,0]]}", "{\"j\":[[6,3,-1,0]],\"l\":[[0,0,999,0]]}",
        "{\"j\":[[6,3,-1,0]],\"l\":[[0,0,0,99]]}", "{\"j\":[[6,3,-1,0]],\"l\":[[0,0,-1,0]]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct arena *a ARENA_SCOPED = arena_create(0);
        struct run_row row = {.state = str_of(bad[i])};
        struct run r;
        struct error err = {0};
        if (run_decode(&row, a, &r, &err))
            fail_msg("taken: %s", bad[i]);
    }
}

/* --- the chain -------------------------------------------------------------------------------------------- */

static void finish(struct world *w, struct definition *d)
{
    cached_unref(&d->head);
    arena_destroy(w->arena);
}

static struct world *world_with_channels(void)
{
    struct world *w = world_new(1);
    world_integration(w, CHANNEL_IN_APP, "novu");
    world_integration(w, CHANNEL_EMAIL, "nodemailer");
    return w;
}

static void inactive_steps_make_no_jobs(void **state)
{
    (void)state;
    struct world *w = world_with_channels();
    struct run r;
    struct machine m;
    struct definition *d = world_definition(w, "[{\"stepId\":\"a\",\"type\":\"email\",\"active\":false,\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}},"
                                               "{\"stepId\":\"b\",\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}}]");
    world_start(w, d, NULL, &r, &m);
    assert_int_equal(r.jobs_n, 2);
    assert_int_equal(r.jobs[1].type, STEP_IN_APP);
    assert_int_equal(r.jobs[1].step, 1);
    assert_int_equal(r.row.channels, 1u << STEP_IN_APP);
    finish(w, d);
}

static void a_skipped_delay_is_skipped_and_a_skipped_mail_canceled(void **state)
{
    (void)state;
    struct world *w = world_with_channels();
    struct run r;
    struct machine m;
    struct definition *d = world_definition(
        w, "[{\"stepId\":\"a\",\"type\":\"delay\",\"controlValues\":{\"amount\":1,\"unit\":\"hours\",\"skip\":{\"==\":[1,2]}}},"
           "{\"stepId\":\"b\",\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\",\"skip\":{\"==\":[1,2]}}},"
           "{\"stepId\":\"c\",\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}}]");
    world_start(w, d, NULL, &r, &m);
    assert_int_equal(r.jobs[1].status, JOB_SKIPPED);
    assert_int_equal(r.jobs[2].status, JOB_CANCELED);
    assert_int_equal(r.jobs[3].status, JOB_COMPLETED);
    assert_int_equal(r.row.status, RUN_COMPLETED);
    finish(w, d);
}

static void an_invalid_delay_ends_the_run_with_an_error(void **state)
{
    (void)state;
    struct world *w = world_with_channels();
    struct run r;
    struct machine m;
    struct definition *d = world_definition(w, "[{\"stepId\":\"a\",\"type\":\"delay\",\"controlValues\":{\"amount\":0,\"unit\":\"hours\"}},"
                                               "{\"stepId\":\"b\",\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}}]");
    world_start(w, d, NULL, &r, &m);
    assert_int_equal(r.jobs[1].status, JOB_FAILED);
    assert_int_equal(r.jobs[2].status, JOB_CANCELED);
    assert_int_equal(r.row.status, RUN_ERROR);
    finish(w, d);
}

static void result(struct world *w, struct run *r, struct machine *m, int job, int attempt, enum delivery_verdict v, int64_t retry_after)
{
    struct machine_input in = {.kind = INPUT_DELIVERY, .job = job, .attempt = attempt, .verdict = v, .error = STR("e"), .retry_after_ms = retry_after};
    world_advance(w, 0, &in, r, m);
    world_commit(w, m, w->definitions[0], w->payloads[0], NULL);
}

/* decisions.md 1: a step that must stop the run on failure holds the chain until its delivery is terminal. */
static void a_held_chain_goes_on_when_it_is_sent(void **state)
{
    (void)state;
    static const char steps[] = "[{\"stepId\":\"a\",\"type\":\"email\",\"shouldStopOnFail\":true,\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}},"
                                "{\"stepId\":\"b\",\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}}]";
    for (int end = 0; end < 3; end++) {
        struct world *w = world_with_channels();
        struct run r;
        struct machine m;
        struct definition *d = world_definition(w, steps);
        world_start(w, d, NULL, &r, &m);
        world_commit(w, &m, d, NULL, NULL);
        assert_int_equal(r.jobs[2].status, JOB_PENDING);
        if (end == 0) {
            result(w, &r, &m, 1, 1, VERDICT_SENT, 0);
        } else {
            result(w, &r, &m, 1, 1, VERDICT_RETRY, 0);
            assert_int_equal(r.jobs[2].status, JOB_PENDING);
            assert_int_equal(r.row.status, RUN_PROCESSING);
            result(w, &r, &m, 1, 2, end == 1 ? VERDICT_SENT : VERDICT_FAILED, 0);
        }
        assert_int_equal(r.jobs[1].status, end == 2 ? JOB_FAILED : JOB_COMPLETED);
        assert_int_equal(r.jobs[2].status, end == 2 ? JOB_CANCELED : JOB_COMPLETED);
        assert_int_equal(r.row.status, RUN_COMPLETED);
        finish(w, d);
    }
}

/* beyond.md §1: full jitter below 30 s doubling, at least a second; the provider's Retry-After is obeyed; no
 * attempt after the window. */
static void retries_back_off(void **state)
{
    (void)state;
    static const int64_t top[] = {30000, 60000, 120000, 240000, 480000};
    bool spread = false;
    int64_t first = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct world *w = world_new(seed);
        struct run r;
        struct machine m;
        w->attempts_max = 10;
        world_integration(w, CHANNEL_EMAIL, "nodemailer");
        w->integrations[0].policy.window_ms = 7200000;
        struct definition *d = world_definition(w, "[{\"stepId\":\"a\",\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}}]");
        world_start(w, d, NULL, &r, &m);
        world_commit(w, &m, d, NULL, NULL);
        for (int attempt = 1; attempt <= 8; attempt++) {
            result(w, &r, &m, 1, attempt, VERDICT_RETRY, 0);
            int64_t wait = r.jobs[1].due_at - w->now;
            assert_in_range(wait, 1000, attempt < 6 ? top[attempt - 1] : 1440000);  /* ten in two hours: the cap is 24 min */
            if (attempt == 1 && seed == 0)
                first = wait;
            spread |= attempt == 1 && wait != first;
        }
        result(w, &r, &m, 1, 9, VERDICT_RETRY, 3600000);
        assert_int_equal(r.jobs[1].due_at - w->now, 3600000);
        result(w, &r, &m, 1, 9, VERDICT_SENT, 0);               /* an old result: nothing */
        assert_int_equal(r.jobs[1].status, JOB_DELAYED);
        result(w, &r, &m, 1, 10, VERDICT_RETRY, 0);
        assert_int_equal(r.jobs[1].status, JOB_FAILED);
        finish(w, d);
    }
    assert_true(spread);
}

/* engine.md §2.2: what a step says is read live, which steps there are is frozen. */
static void content_is_live_and_steps_are_frozen(void **state)
{
    (void)state;
    struct world *w = world_with_channels();
    struct run r;
    struct machine m;
    struct error err = {0};
    struct definition *d = world_definition(w, "[{\"stepId\":\"a\",\"type\":\"delay\",\"controlValues\":{\"amount\":1,\"unit\":\"hours\"}},"
                                               "{\"stepId\":\"b\",\"type\":\"in_app\",\"controlValues\":{\"body\":\"old\"}},"
                                               "{\"stepId\":\"c\",\"type\":\"in_app\",\"controlValues\":{\"body\":\"kept\"}}]");
    world_start(w, d, NULL, &r, &m);
    world_commit(w, &m, d, NULL, NULL);
    /* b says something new; c was replaced by an e-mail under the same id. */
    char b[ID_HEX + 1], c[ID_HEX + 1];
    id_hex(d->steps[1].id, b);
    id_hex(d->steps[2].id, c);
    struct workflow row = d->workflow;
    row.version = 2;
    row.doc = str_fmt(w->arena, "{\"workflowId\":\"wf\",\"steps\":[{\"_id\":\"%s\",\"stepId\":\"b\",\"type\":\"in_app\",\"controlValues\":{\"body\":\"new\"}},"
                                "{\"_id\":\"%s\",\"stepId\":\"c\",\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"mail\"}}]}", b, c);
    struct definition *live = definition_compile(&row, &err);
    assert_non_null(live);
    struct machine_facts f = world_facts(w, d, NULL);
    struct machine_input in = {.kind = INPUT_TIMER, .job = 1};
    f.current = live;
    assert_true(run_decode(&w->dry.runs[0], w->arena, &r, &err));
    machine_advance(&m, &r, &f, &in);
    world_commit(w, &m, d, NULL, NULL);
    assert_int_equal(r.row.status, RUN_COMPLETED);
    assert_int_equal(w->dry.messages_n, 2);
    assert_true(str_find(w->dry.messages[0].doc, STR("\"content\":\"new\"")) >= 0);
    assert_true(str_find(w->dry.messages[1].doc, STR("\"content\":\"kept\"")) >= 0);
    assert_int_equal(w->dry.messages[1].channel, CHANNEL_IN_APP);
    cached_unref(&live->head);
    finish(w, d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lifecycle_rules),
        cmocka_unit_test(derived_ids_are_distinct),
        cmocka_unit_test(every_field_is_stored),
        cmocka_unit_test(damaged_runs_are_refused),
        cmocka_unit_test(inactive_steps_make_no_jobs),
        cmocka_unit_test(a_skipped_delay_is_skipped_and_a_skipped_mail_canceled),
        cmocka_unit_test(an_invalid_delay_ends_the_run_with_an_error),
        cmocka_unit_test(a_held_chain_goes_on_when_it_is_sent),
        cmocka_unit_test(retries_back_off),
        cmocka_unit_test(content_is_live_and_steps_are_frozen),
    };
    if (!crypto_init())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
