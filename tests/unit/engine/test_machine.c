/* The machine against the worked timelines of engine.md §12: record for record, in order of writing. */
#include "../../sim/world.h"

/* "J1 in_app completed", then "J1: Message sent/Success" lines as they were written. */
static struct str timeline(struct world *w, const struct run_row *row)
{
    struct run r;
    struct error err = {0};
    struct buf b = {.arena = w->arena};
    assert_true(run_decode(row, w->arena, &r, &err));
    for (int i = 0; i < r.log_n; i++) {
        const struct run_log *l = &r.log[i];
        struct str text = run_log_text(&r, l), status = detail_status_name(l->status);
        buf_fmt(&b, "J%d: %.*s/%.*s%s%.*s\n", l->job, STR_ARG(text), STR_ARG(status),
                l->raw.n && l->detail == DETAIL_STEP_DELAYED ? " " : "", l->detail == DETAIL_STEP_DELAYED ? (int)l->raw.n : 0, l->raw.p);
    }
    for (int i = 0; i < r.jobs_n; i++)
        buf_fmt(&b, "%s%s", i ? " " : "", job_status_name(r.jobs[i].status).p);
    buf_fmt(&b, " | %s %s", run_status_name(r.row.status).p, lifecycle_name(r.row.delivery).p);
    return buf_finish(&b);
}

static void expect(struct world *w, size_t run, const char *want)
{
    struct str got = timeline(w, &w->runs[run]);
    if (!str_eqz(got, want))
        fail_msg("got:\n%.*s\nwant:\n%s", STR_ARG(got), want);
}

static size_t start(struct world *w, const struct definition *d, yyjson_val *payload)
{
    struct run r;
    struct machine m;
    world_start(w, d, payload, &r, &m);
    world_commit(w, &m, d, payload, NULL);
    return w->runs_n - 1;
}

static void deliver(struct world *w, size_t run, int job, int attempt, enum delivery_verdict v)
{
    struct run r;
    struct machine m;
    struct machine_input in = {.kind = INPUT_DELIVERY, .job = job, .attempt = attempt, .verdict = v,
                               .provider_message_id = v == VERDICT_SENT ? STR("p1") : STR_NULL,
                               .error = v == VERDICT_SENT ? STR_NULL : STR("500 from provider")};
    assert_true(run_decode(&w->runs[run], w->arena, &r, NULL));
    for (size_t i = 0; i < r.targets_n; i++)
        if (r.targets[i].job == job)
            in.target = (int)i;
    struct queue_item item = {.id = run_delivery_id(w->runs[run].id, in.target)};
    world_advance(w, run, &in, &r, &m);
    world_commit(w, &m, w->definitions[run], w->payloads[run], &item);
}

static void fire(struct world *w, size_t run, int job)
{
    struct run r;
    struct machine m;
    struct machine_input in = {.kind = INPUT_TIMER, .job = job};
    struct queue_item item = {.id = run_derived_id(w->runs[run].id, DERIVED_QUEUE, job * 64)};
    world_advance(w, run, &in, &r, &m);
    world_commit(w, &m, w->definitions[run], w->payloads[run], &item);
}

static void done(struct world *w, struct definition *d)
{
    cached_unref(&d->head);
    arena_destroy(w->arena);
}

/* engine.md §12.A */
static void timeline_a_single_in_app(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    world_integration(w, CHANNEL_IN_APP, "novu");
    struct definition *d = world_definition(w, "[{\"stepId\":\"inapp\",\"type\":\"in_app\",\"controlValues\":{\"body\":\"Hi {{subscriber.firstName}}\"}}]");
    size_t run = start(w, d, NULL);
    expect(w, run,
           "J0: Step created/Pending\nJ1: Step created/Pending\nJ0: Step queued/Pending\nJ1: Step queued/Pending\n"
           "J1: Message created/Pending\nJ1: Message sent/Success\ncompleted completed | completed delivered");
    assert_int_equal(w->messages_n, 1);
    assert_int_equal(w->received_n, 1);
    assert_true(str_find(w->messages[0].doc, STR("\"content\":\"Hi Ada\"")) >= 0);
    done(w, d);
}

/* engine.md §12.B, steps 1–3: the delay, and a rule over what was read meanwhile. */
static void timeline_b(bool read_meanwhile)
{
    struct world *w = world_new(2);
    world_integration(w, CHANNEL_IN_APP, "novu");
    world_integration(w, CHANNEL_EMAIL, "nodemailer");
    struct definition *d = world_definition(
        w, "[{\"stepId\":\"inapp\",\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}},"
           "{\"stepId\":\"wait\",\"type\":\"delay\",\"controlValues\":{\"amount\":1,\"unit\":\"hours\"}},"
           "{\"stepId\":\"mail\",\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\","
           "\"skip\":{\"==\":[{\"var\":\"steps.inapp.read\"},false]}}}]");
    size_t run = start(w, d, NULL);
    expect(w, run,
           "J0: Step created/Pending\nJ1: Step created/Pending\nJ2: Step created/Pending\nJ3: Step created/Pending\n"
           "J0: Step queued/Pending\nJ1: Step queued/Pending\nJ1: Message created/Pending\nJ1: Message sent/Success\n"
           "J2: Step queued/Pending\nJ2: Step delayed/Pending {\"delay\":3600000}\n"
           "completed completed delayed pending | processing delivered");
    assert_int_equal(w->queue_n, 1);
    assert_int_equal(w->queue[0].due_at, w->now + 3600000);
    w->messages[0].read = w->messages[0].seen = read_meanwhile;
    w->now += 3600000;
    fire(w, run, 2);
    if (read_meanwhile) {
        assert_true(str_find(timeline(w, &w->runs[run]), STR("J3: Bridge execution skipped/Failed\ncompleted completed completed "
                                                             "canceled | completed delivered")) >= 0);
        assert_int_equal(w->messages_n, 1);
    } else {
        deliver(w, run, 3, 1, VERDICT_SENT);
        assert_true(str_find(timeline(w, &w->runs[run]),
                             STR("J2: Delay is finished/Success\nJ3: Step queued/Pending\nJ3: Step conditions matched/Success\n"
                                 "J3: nodemailer provider was selected/Pending\nJ3: Message created/Pending\n"
                                 "J3: Message sent/Success\ncompleted completed completed completed | completed delivered")) >= 0);
    }
    done(w, d);
}

static void timeline_b_unread(void **state)
{
    (void)state;
    timeline_b(false);
}

static void timeline_b_read(void **state)
{
    (void)state;
    timeline_b(true);
}

/* engine.md §1.9: step override > channel override > the deprecated one > control value; null means none. */
static void layouts_are_chosen_by_precedence(void **state)
{
    (void)state;
    static const struct { const char *overrides, *control, *content; } rows[] = {
        {"{}", "", "step"},
        {"{}", "\"layoutId\":\"a\",", "A step"},
        {"{}", "\"layoutId\":null,", "step"},
        {"{\"layoutIdentifier\":\"b\"}", "\"layoutId\":\"a\",", "B step"},
        {"{\"layoutIdentifier\":\"a\",\"channels\":{\"email\":{\"layoutId\":\"bbbbbbbbbbbbbbbbbbbbbbbb\"}}}", "", "B step"},
        {"{\"channels\":{\"email\":{\"layoutId\":\"b\"}},\"steps\":{\"mail\":{\"layoutId\":\"a\"}}}", "", "A step"},
        {"{\"channels\":{\"email\":{\"layoutId\":\"b\"}},\"steps\":{\"mail\":{\"layoutId\":null}}}", "\"layoutId\":\"a\",", "step"},
        {"{\"steps\":{\"other\":{\"layoutId\":\"b\"}}}", "\"layoutId\":\"a\",", "A step"},
        {"{}", "\"layoutId\":\"nope\",", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = world_new(10 + i);
        struct email_layout layouts[] = {
            {STR("Lay A"), STR("a"), STR("aaaaaaaaaaaaaaaaaaaaaaaa"), email_body_compile(w->arena, STR("A {{content}}"))},
            {STR("Lay B"), STR("b"), STR("bbbbbbbbbbbbbbbbbbbbbbbb"), email_body_compile(w->arena, STR("B {{content}}"))}};
        world_integration(w, CHANNEL_EMAIL, "nodemailer");
        w->layouts = layouts;
        w->layouts_n = 2;
        assert_true(json_parse(w->arena, str_of(rows[i].overrides), &w->overrides, NULL));
        struct definition *d = world_definition(w, str_fmt(w->arena, "[{\"stepId\":\"mail\",\"type\":\"email\",\"controlValues\":"
                                                "{%s\"subject\":\"s\",\"body\":\"step\"}}]", rows[i].control).p);
        size_t run = start(w, d, NULL);
        struct str lines = timeline(w, &w->runs[run]);
        if (rows[i].content) {
            assert_true(str_find(w->messages[0].doc, str_fmt(w->arena, "\"content\":\"%s\"", rows[i].content)) >= 0);
            assert_int_equal(str_find(lines, STR("J1: Layout selected/Pending\n")) >= 0, rows[i].content[0] != 's');
        } else {
            assert_int_equal(w->messages_n, 0);
            assert_true(str_find(lines, STR("J1: Layout not found /Failed\nJ1: Message content could not be generated/Failed")) >= 0);
        }
        done(w, d);
    }
}

static void block_bodies_are_rendered_and_large_ones_noted(void **state)
{
    (void)state;
    struct world *w = world_new(30);
    world_integration(w, CHANNEL_EMAIL, "nodemailer");
    struct definition *d = world_definition(
        w, "[{\"stepId\":\"a\",\"type\":\"email\",\"controlValues\":{\"subject\":\"s {{subscriber.firstName}}\",\"body\":"
           "\"{\\\"type\\\":\\\"doc\\\",\\\"content\\\":[{\\\"type\\\":\\\"paragraph\\\",\\\"content\\\":[{\\\"type\\\":"
           "\\\"variable\\\",\\\"attrs\\\":{\\\"id\\\":\\\"subscriber.firstName\\\"}}]}]}\"}},"
           "{\"stepId\":\"b\",\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"{% for i in (1..50001) %}ab{% endfor %}\"}}]");
    size_t run = start(w, d, NULL);
    deliver(w, run, 1, 1, VERDICT_SENT);
    assert_true(str_find(w->messages[0].doc, STR(">Ada</p>")) >= 0);
    assert_true(str_find(w->messages[0].doc, STR("\"subject\":\"s Ada\"")) >= 0);
    assert_true(str_find(timeline(w, &w->runs[run]), STR("J2: E-mail is larger than 100 kB; some mail clients cut it off/Warning\n")) >= 0);
    done(w, d);
}

static const char mail_then_inbox[] =
    "[{\"stepId\":\"mail\",\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}},"
    "{\"stepId\":\"inapp\",\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}}]";

/* engine.md §12.F: attempts = 1 (decisions.md 1). */
static void timeline_f_provider_fails_once(void **state)
{
    (void)state;
    struct world *w = world_new(3);
    w->attempts_max = 1;
    w->policy.failover = -1;
    world_integration(w, CHANNEL_IN_APP, "novu");
    world_integration(w, CHANNEL_EMAIL, "nodemailer");
    struct definition *d = world_definition(w, mail_then_inbox);
    size_t run = start(w, d, NULL);
    deliver(w, run, 1, 1, VERDICT_RETRY);
    expect(w, run,
           "J0: Step created/Pending\nJ1: Step created/Pending\nJ2: Step created/Pending\nJ0: Step queued/Pending\n"
           "J1: Step queued/Pending\nJ1: nodemailer provider was selected/Pending\nJ1: Message created/Pending\n"
           "J1: Unexpected provider error/Failed\nJ2: Step queued/Pending\nJ2: Message created/Pending\n"
           "J2: Message sent/Success\ncompleted failed completed | completed delivered");
    assert_int_equal(w->messages[0].status, MESSAGE_ERROR);
    assert_int_equal(w->queue_n, 0);
    done(w, d);
}

/* engine.md §12.G (decisions.md 1, 2): three attempts with the first integration, then another one; the step behind runs
 * after the first attempt. */
static void timeline_g_three_attempts_then_failover(void **state)
{
    (void)state;
    struct world *w = world_new(10);
    world_integration(w, CHANNEL_IN_APP, "novu");
    world_integration(w, CHANNEL_EMAIL, "nodemailer");
    world_integration(w, CHANNEL_EMAIL, "sendgrid");
    w->integrations[2].primary = false;
    struct definition *d = world_definition(w, mail_then_inbox);
    size_t run = start(w, d, NULL);
    for (int attempt = 1; attempt <= 3; attempt++) {
        deliver(w, run, 1, attempt, VERDICT_RETRY);
        assert_int_equal(w->queue_n, 1);
        assert_int_equal(w->queue[0].attempt, attempt + 1);
        assert_int_equal(w->messages[0].status, MESSAGE_WARNING);
        assert_int_equal(w->runs[run].status, RUN_PROCESSING);
        assert_true(attempt < 3 ? w->queue[0].due_at > w->now : w->queue[0].due_at == w->now);
        w->now = w->queue[0].due_at;
    }
    deliver(w, run, 1, 4, VERDICT_SENT);
    expect(w, run,
           "J0: Step created/Pending\nJ1: Step created/Pending\nJ2: Step created/Pending\nJ0: Step queued/Pending\n"
           "J1: Step queued/Pending\nJ1: nodemailer provider was selected/Pending\nJ1: Message created/Pending\n"
           "J1: Delivery attempt failed, retrying/Pending\nJ2: Step queued/Pending\nJ2: Message created/Pending\n"
           "J2: Message sent/Success\nJ1: Delivery attempt failed, retrying/Pending\nJ1: Failing over to sendgrid/Pending\n"
           "J1: Message sent/Success\ncompleted completed completed | completed delivered");
    struct run r;
    assert_true(run_decode(&w->runs[run], w->arena, &r, NULL));
    assert_true(str_eqz(r.jobs[1].provider_id, "sendgrid"));
    assert_int_equal(r.jobs[1].attempts, 4);
    assert_int_equal(w->messages[0].status, MESSAGE_SENT);
    assert_true(str_find(w->messages[0].doc, STR("\"providerId\":\"sendgrid\"")) >= 0);
    assert_true(str_find(w->messages[0].doc, STR("errorId")) < 0);
    assert_int_equal(w->queue_n, 0);
    done(w, d);
}

static void no_failover_where_it_is_not_wanted(void **state)
{
    (void)state;
    for (int why = 0; why < 4; why++) {
        struct world *w = world_new(11);
        yyjson_val *overrides = NULL;
        w->attempts_max = 1;
        world_integration(w, CHANNEL_EMAIL, "nodemailer");
        world_integration(w, CHANNEL_EMAIL, "sendgrid");
        w->integrations[1].primary = false;
        if (why == 0)
            w->policy.failover = -1;
        else if (why == 1)
            w->integrations[1].active = false;
        else if (why == 2)
            w->integrations[1].conditions = STR("[{\"value\":\"AND\",\"children\":[{\"on\":\"subscriber\",\"field\":\"firstName\","
                                                "\"operator\":\"EQUAL\",\"value\":\"Bob\"}]}]");
        else
            assert_true(json_parse(w->arena, STR("{\"email\":{\"integrationIdentifier\":\"nodemailer\"}}"), &overrides, NULL));
        w->overrides = overrides;
        struct definition *d = world_definition(w, "[{\"stepId\":\"m\",\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}}]");
        size_t run = start(w, d, NULL);
        deliver(w, run, 1, 1, VERDICT_RETRY);
        assert_true(str_find(timeline(w, &w->runs[run]), STR("J1: Unexpected provider error/Failed\ncompleted failed | completed errored")) >= 0);
        done(w, d);
    }
}

/* Priority first, then the newer; conditions that hold are as good as none; each is tried once. */
static void failover_goes_by_priority(void **state)
{
    (void)state;
    struct world *w = world_new(12);
    w->attempts_max = 1;
    static const char *const providers[] = {"nodemailer", "ses", "sendgrid", "mailgun"};
    for (int i = 0; i < 4; i++) {
        world_integration(w, CHANNEL_EMAIL, providers[i]);
        w->integrations[i].primary = i == 0;
        w->integrations[i].created_at = i;
    }
    w->integrations[1].priority = 2;
    w->integrations[1].conditions = STR("{\"==\":[{\"var\":\"subscriber.firstName\"},\"Nobody\"]}");
    w->integrations[2].priority = 1;
    struct definition *d = world_definition(w, "[{\"stepId\":\"m\",\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}}]");
    size_t run = start(w, d, NULL);
    deliver(w, run, 1, 1, VERDICT_RETRY);
    w->integrations[1].conditions = STR("{\"==\":[{\"var\":\"subscriber.firstName\"},\"Ada\"]}");
    deliver(w, run, 1, 2, VERDICT_RETRY);
    deliver(w, run, 1, 3, VERDICT_RETRY);
    deliver(w, run, 1, 4, VERDICT_RETRY);
    assert_true(str_find(timeline(w, &w->runs[run]),
                         STR("J1: Failing over to sendgrid/Pending\nJ1: Failing over to ses/Pending\nJ1: Failing over to "
                             "mailgun/Pending\nJ1: Unexpected provider error/Failed\ncompleted failed | completed errored")) >= 0);
    done(w, d);
}

/* beyond.md §1: at once when the circuit is open; with nobody else it waits for the probe, and that is no attempt. */
static void an_open_circuit_is_gone_round(void **state)
{
    (void)state;
    for (int others = 0; others < 2; others++) {
        struct world *w = world_new(13);
        int64_t circuits[4] = {w->now + 60000};
        w->circuits = circuits;
        world_integration(w, CHANNEL_EMAIL, "nodemailer");
        if (others) {
            world_integration(w, CHANNEL_EMAIL, "sendgrid");
            w->integrations[1].primary = false;
        }
        struct definition *d = world_definition(w, "[{\"stepId\":\"m\",\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}}]");
        size_t run = start(w, d, NULL);
        assert_int_equal(w->queue[0].due_at, w->now + (others ? 0 : 60000));
        assert_int_equal(str_find(timeline(w, &w->runs[run]), STR("Failing over to sendgrid")) >= 0, others);
        if (!others) {
            deliver(w, run, 1, 1, VERDICT_BLOCKED);
            assert_int_equal(w->queue[0].attempt, 1);
            assert_true(str_find(timeline(w, &w->runs[run]), STR("completed delayed | processing pending")) >= 0);
        }
        deliver(w, run, 1, 1, VERDICT_SENT);
        assert_true(str_find(timeline(w, &w->runs[run]), STR("J1: Message sent/Success\ncompleted completed | completed sent")) >= 0);
        done(w, d);
    }
}

/* A permanent answer ends it: another attempt would be answered alike. */
static void a_permanent_failure_is_final(void **state)
{
    (void)state;
    struct world *w = world_new(14);
    world_integration(w, CHANNEL_EMAIL, "nodemailer");
    world_integration(w, CHANNEL_EMAIL, "sendgrid");
    w->integrations[1].primary = false;
    struct definition *d = world_definition(w, "[{\"stepId\":\"m\",\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}}]");
    size_t run = start(w, d, NULL);
    deliver(w, run, 1, 1, VERDICT_FAILED);
    assert_true(str_find(timeline(w, &w->runs[run]), STR("completed failed | completed errored")) >= 0);
    assert_int_equal(w->messages[0].status, MESSAGE_ERROR);
    assert_int_equal(w->queue_n, 0);
    done(w, d);
}

static void redrive(struct world *w, size_t run, int target)
{
    struct run r;
    struct machine m;
    struct machine_input in = {.kind = INPUT_REDRIVE, .job = 1, .target = target};
    world_advance(w, run, &in, &r, &m);
    world_commit(w, &m, w->definitions[run], w->payloads[run], NULL);
}

/* beyond.md §1, dead letters: everything is open again and ends again. */
static void a_dead_letter_is_driven_again(void **state)
{
    (void)state;
    struct world *w = world_new(15);
    w->attempts_max = 1;
    world_integration(w, CHANNEL_EMAIL, "nodemailer");
    struct definition *d = world_definition(w, "[{\"stepId\":\"m\",\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}}]");
    size_t run = start(w, d, NULL);
    deliver(w, run, 1, 1, VERDICT_RETRY);
    redrive(w, run, 0);
    assert_true(str_find(timeline(w, &w->runs[run]), STR("J1: Delivery is driven again/Pending\ncompleted delayed | processing pending")) >= 0);
    assert_int_equal(w->messages[0].status, MESSAGE_WARNING);
    assert_int_equal(w->queue[0].attempt, 2);
    struct str before = timeline(w, &w->runs[run]);
    redrive(w, run, 0);                 /* twice is once */
    assert_true(str_eq(before, timeline(w, &w->runs[run])));
    deliver(w, run, 1, 2, VERDICT_SENT);
    assert_true(str_find(timeline(w, &w->runs[run]), STR("J1: Message sent/Success\ncompleted completed | completed sent")) >= 0);
    assert_int_equal(w->messages[0].status, MESSAGE_SENT);
    done(w, d);
}

/* What was begun when the process died counts, and is made again at once. */
static void an_interrupted_attempt_counts(void **state)
{
    (void)state;
    struct world *w = world_new(16);
    w->attempts_max = 2;
    world_integration(w, CHANNEL_EMAIL, "nodemailer");
    struct definition *d = world_definition(w, "[{\"stepId\":\"m\",\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}}]");
    size_t run = start(w, d, NULL);
    deliver(w, run, 1, 1, VERDICT_UNKNOWN);
    assert_int_equal(w->queue[0].due_at, w->now);
    assert_int_equal(w->queue[0].attempt, 2);
    deliver(w, run, 1, 2, VERDICT_UNKNOWN);
    assert_true(str_find(timeline(w, &w->runs[run]), STR("completed failed | completed errored")) >= 0);
    done(w, d);
}

/* decisions.md 1: a retry does not hold the chain, but the run stays open until it is decided. */
static void retries_do_not_hold_the_chain(void **state)
{
    (void)state;
    struct world *w = world_new(4);
    world_integration(w, CHANNEL_IN_APP, "novu");
    world_integration(w, CHANNEL_EMAIL, "nodemailer");
    struct definition *d = world_definition(w, mail_then_inbox);
    size_t run = start(w, d, NULL);
    deliver(w, run, 1, 1, VERDICT_RETRY);
    assert_true(str_find(timeline(w, &w->runs[run]), STR("completed delayed completed | processing delivered")) >= 0);
    assert_int_equal(w->messages[0].status, MESSAGE_WARNING);
    assert_int_equal(w->queue_n, 1);
    assert_int_equal(w->queue[0].attempt, 2);
    assert_true(w->queue[0].due_at > w->now);
    deliver(w, run, 1, 2, VERDICT_SENT);
    assert_true(str_find(timeline(w, &w->runs[run]), STR("J1: Message sent/Success\ncompleted completed completed | completed "
                                                         "delivered")) >= 0);
    assert_int_equal(w->messages[0].status, MESSAGE_SENT);
    done(w, d);
}

/* A result that comes again, or late, changes nothing. */
static void late_results_change_nothing(void **state)
{
    (void)state;
    struct world *w = world_new(5);
    world_integration(w, CHANNEL_IN_APP, "novu");
    world_integration(w, CHANNEL_EMAIL, "nodemailer");
    struct definition *d = world_definition(w, mail_then_inbox);
    size_t run = start(w, d, NULL);
    deliver(w, run, 1, 1, VERDICT_SENT);
    struct str before = timeline(w, &w->runs[run]);
    deliver(w, run, 1, 1, VERDICT_FAILED);
    deliver(w, run, 1, 2, VERDICT_FAILED);
    deliver(w, run, 99, 1, VERDICT_SENT);
    fire(w, run, 1);
    assert_true(str_eq(before, timeline(w, &w->runs[run])));
    done(w, d);
}

static void no_address_is_a_skip(void **state)
{
    (void)state;
    struct world *w = world_new(6);
    world_integration(w, CHANNEL_EMAIL, "nodemailer");
    w->subscriber.field[SUBSCRIBER_EMAIL] = STR_NULL;
    struct definition *d = world_definition(w, "[{\"stepId\":\"m\",\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}}]");
    size_t run = start(w, d, NULL);
    assert_true(str_find(timeline(w, &w->runs[run]), STR("J1: Subscriber missing email address/Failed\ncompleted canceled | completed "
                                                         "skipped")) >= 0);
    assert_int_equal(w->messages[0].status, MESSAGE_WARNING);
    assert_int_equal(w->runs[run].delivery, LIFECYCLE_SKIPPED);
    done(w, d);
}

static void bad_templates_fail_their_step_only(void **state)
{
    (void)state;
    struct world *w = world_new(7);
    world_integration(w, CHANNEL_IN_APP, "novu");
    struct definition *d = world_definition(w, "[{\"stepId\":\"a\",\"type\":\"in_app\",\"controlValues\":{\"body\":\"{% if x %}\"}},"
                                               "{\"stepId\":\"b\",\"type\":\"in_app\",\"controlValues\":{\"body\":\"ok\"}}]");
    size_t run = start(w, d, NULL);
    assert_true(str_find(timeline(w, &w->runs[run]), STR("J1: Message content could not be generated/Failed\n")) >= 0);
    assert_true(str_find(timeline(w, &w->runs[run]), STR("completed failed completed | completed delivered")) >= 0);
    done(w, d);
}

static void an_invalid_delay_stops_the_run(void **state)
{
    (void)state;
    struct world *w = world_new(8);
    world_integration(w, CHANNEL_IN_APP, "novu");
    yyjson_val *payload;
    assert_true(json_parse(w->arena, STR("{\"at\":\"2020-01-01T00:00:00Z\"}"), &payload, NULL));
    struct definition *d = world_definition(
        w, "[{\"stepId\":\"wait\",\"type\":\"delay\",\"controlValues\":{\"type\":\"dynamic\",\"dynamicKey\":\"payload.at\"}},"
           "{\"stepId\":\"b\",\"type\":\"in_app\",\"controlValues\":{\"body\":\"ok\"}}]");
    size_t run = start(w, d, payload);
    assert_true(str_find(timeline(w, &w->runs[run]),
                         STR("J1: Invalid delay configuration/Failed\nJ1: Invalid delay configuration/Failed\n"
                             "J2: Step was canceled because a previous step failed/Failed\ncompleted failed canceled | error")) >= 0);
    done(w, d);
}

static void months_are_calendar_months(void **state)
{
    (void)state;
    struct world *w = world_new(9);
    assert_true(time_parse_iso(STR("2026-01-31T10:00:00Z"), &w->now));
    struct definition *d = world_definition(w, "[{\"stepId\":\"wait\",\"type\":\"delay\",\"controlValues\":{\"amount\":1,\"unit\":\"months\"}}]");
    int64_t want;
    start(w, d, NULL);
    assert_true(time_parse_iso(STR("2026-02-28T10:00:00Z"), &want));
    assert_int_equal(w->queue[0].due_at, want);
    done(w, d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timeline_a_single_in_app),
        cmocka_unit_test(timeline_b_unread),
        cmocka_unit_test(timeline_b_read),
        cmocka_unit_test(layouts_are_chosen_by_precedence),
        cmocka_unit_test(block_bodies_are_rendered_and_large_ones_noted),
        cmocka_unit_test(timeline_f_provider_fails_once),
        cmocka_unit_test(timeline_g_three_attempts_then_failover),
        cmocka_unit_test(no_failover_where_it_is_not_wanted),
        cmocka_unit_test(failover_goes_by_priority),
        cmocka_unit_test(an_open_circuit_is_gone_round),
        cmocka_unit_test(a_permanent_failure_is_final),
        cmocka_unit_test(a_dead_letter_is_driven_again),
        cmocka_unit_test(an_interrupted_attempt_counts),
        cmocka_unit_test(retries_do_not_hold_the_chain),
        cmocka_unit_test(late_results_change_nothing),
        cmocka_unit_test(no_address_is_a_skip),
        cmocka_unit_test(bad_templates_fail_their_step_only),
        cmocka_unit_test(an_invalid_delay_stops_the_run),
        cmocka_unit_test(months_are_calendar_months),
    };
    if (!crypto_init())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
