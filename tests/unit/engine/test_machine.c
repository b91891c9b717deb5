/* The machine against the worked timelines of engine.md §12: record for record, in order of writing. */
#include "../../sim/world.h"

/* Of these the raw belongs to the timeline. */
static bool told(enum detail d)
{
    return d == DETAIL_STEP_DELAYED || d == DETAIL_STEP_DIGESTED || d == DETAIL_DIGEST_TRIGGERED || d == DETAIL_THROTTLED
        || d == DETAIL_INVALID_DELAY || d == DETAIL_DEFER_LIMIT;
}

/* "J1 in_app completed", then "J1: Message sent/Success" lines as they were written. */
static struct str timeline(struct world *w, const struct run_row *row)
{
    struct run r;
    struct error err = {0};
    struct buf b = {.arena = w->arena};
    assert_true(run_decode(row, w->arena, &r, &err));
    for (int i = 0; i < r.log_n; i++) {
        const struct run_log *l = &r.log[i];
        struct str text = run_log_text(&r, l), status = detail_status_name(l->status), raw = told(l->detail) ? run_log_raw(&r, i) : STR_NULL;
        buf_fmt(&b, "J%d: %.*s/%.*s%s%.*s\n", l->job, STR_ARG(text), STR_ARG(status), raw.n ? " " : "", STR_ARG(raw));
    }
    for (int i = 0; i < r.jobs_n; i++)
        buf_fmt(&b, "%s%s", i ? " " : "", job_status_name(r.jobs[i].status).p);
    buf_fmt(&b, " | %s %s", run_status_name(r.row.status).p, lifecycle_name(r.row.delivery).p);
    return buf_finish(&b);
}

static void expect(struct world *w, size_t run, const char *want)
{
    struct str got = timeline(w, &w->dry.runs[run]);
    if (!str_eqz(got, want))
        fail_msg("got:\n%.*s\nwant:\n%s", STR_ARG(got), want);
}

static size_t start(struct world *w, const struct definition *d, yyjson_val *payload)
{
    struct run r;
    struct machine m;
    world_start(w, d, payload, &r, &m);
    world_commit(w, &m, d, payload, NULL);
    return w->dry.runs_n - 1;
}

static void deliver(struct world *w, size_t run, int job, int attempt, enum delivery_verdict v)
{
    struct run r;
    struct machine m;
    struct machine_input in = {.kind = INPUT_DELIVERY, .job = job, .attempt = attempt, .verdict = v,
                               .provider_message_id = v == VERDICT_SENT ? STR("p1") : STR_NULL,
                               .error = v == VERDICT_SENT ? STR_NULL : STR("500 from provider")};
    assert_true(run_decode(&w->dry.runs[run], w->arena, &r, NULL));
    for (size_t i = 0; i < r.targets_n; i++)
        if (r.targets[i].job == job)
            in.target = (int)i;
    in.integration = r.targets[in.target].integration;
    struct queue_item item = {.id = run_delivery_id(w->dry.runs[run].id, in.target)};
    world_advance(w, run, &in, &r, &m);
    world_commit(w, &m, w->definitions[run], w->payloads[run], &item);
}

static void fire(struct world *w, size_t run, int job)
{
    struct run r;
    struct machine m;
    struct machine_input in = {.kind = INPUT_TIMER, .job = job};
    struct queue_item item = {.id = run_derived_id(w->dry.runs[run].id, DERIVED_QUEUE, job * 64)};
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
    assert_int_equal(w->dry.messages_n, 1);
    assert_int_equal(w->dry.received_n, 1);
    assert_true(str_find(w->dry.messages[0].doc, STR("\"content\":\"Hi Ada\"")) >= 0);
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
    assert_int_equal(w->dry.queue_n, 1);
    assert_int_equal(w->dry.queue[0].due_at, w->now + 3600000);
    w->dry.messages[0].read = w->dry.messages[0].seen = read_meanwhile;
    w->now += 3600000;
    fire(w, run, 2);
    if (read_meanwhile) {
        assert_true(str_find(timeline(w, &w->dry.runs[run]), STR("J3: Bridge execution skipped/Failed\ncompleted completed completed "
                                                             "canceled | completed delivered")) >= 0);
        assert_int_equal(w->dry.messages_n, 1);
    } else {
        deliver(w, run, 3, 1, VERDICT_SENT);
        assert_true(str_find(timeline(w, &w->dry.runs[run]),
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
        struct str lines = timeline(w, &w->dry.runs[run]);
        if (rows[i].content) {
            assert_true(str_find(w->dry.messages[0].doc, str_fmt(w->arena, "\"content\":\"%s\"", rows[i].content)) >= 0);
            assert_int_equal(str_find(lines, STR("J1: Layout selected/Pending\n")) >= 0, rows[i].content[0] != 's');
        } else {
            assert_int_equal(w->dry.messages_n, 0);
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
    assert_true(str_find(w->dry.messages[0].doc, STR(">Ada</p>")) >= 0);
    assert_true(str_find(w->dry.messages[0].doc, STR("\"subject\":\"s Ada\"")) >= 0);
    assert_true(str_find(timeline(w, &w->dry.runs[run]), STR("J2: E-mail is larger than 100 kB; some mail clients cut it off/Warning\n")) >= 0);
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
    assert_int_equal(w->dry.messages[0].status, MESSAGE_ERROR);
    assert_int_equal(w->dry.queue_n, 0);
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
        assert_int_equal(w->dry.queue_n, 1);
        assert_int_equal(w->dry.queue[0].attempt, attempt + 1);
        assert_int_equal(w->dry.messages[0].status, MESSAGE_WARNING);
        assert_int_equal(w->dry.runs[run].status, RUN_PROCESSING);
        assert_true(attempt < 3 ? w->dry.queue[0].due_at > w->now : w->dry.queue[0].due_at == w->now);
        w->now = w->dry.queue[0].due_at;
    }
    deliver(w, run, 1, 4, VERDICT_SENT);
    expect(w, run,
           "J0: Step created/Pending\nJ1: Step created/Pending\nJ2: Step created/Pending\nJ0: Step queued/Pending\n"
           "J1: Step queued/Pending\nJ1: nodemailer provider was selected/Pending\nJ1: Message created/Pending\n"
           "J1: Delivery attempt failed, retrying/Pending\nJ2: Step queued/Pending\nJ2: Message created/Pending\n"
           "J2: Message sent/Success\nJ1: Delivery attempt failed, retrying/Pending\nJ1: Failing over to sendgrid/Pending\n"
           "J1: Message sent/Success\ncompleted completed completed | completed delivered");
    struct run r;
    assert_true(run_decode(&w->dry.runs[run], w->arena, &r, NULL));
    assert_true(str_eqz(r.jobs[1].provider_id, "sendgrid"));
    assert_int_equal(r.jobs[1].attempts, 4);
    assert_int_equal(w->dry.messages[0].status, MESSAGE_SENT);
    assert_true(str_find(w->dry.messages[0].doc, STR("\"providerId\":\"sendgrid\"")) >= 0);
    assert_true(str_find(w->dry.messages[0].doc, STR("errorId")) < 0);
    assert_int_equal(w->dry.queue_n, 0);
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
        assert_true(str_find(timeline(w, &w->dry.runs[run]), STR("J1: Unexpected provider error/Failed\ncompleted failed | completed errored")) >= 0);
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
    assert_true(str_find(timeline(w, &w->dry.runs[run]),
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
        assert_int_equal(w->dry.queue[0].due_at, w->now + (others ? 0 : 60000));
        assert_int_equal(str_find(timeline(w, &w->dry.runs[run]), STR("Failing over to sendgrid")) >= 0, others);
        if (!others) {
            deliver(w, run, 1, 1, VERDICT_BLOCKED);
            assert_int_equal(w->dry.queue[0].attempt, 1);
            assert_true(str_find(timeline(w, &w->dry.runs[run]), STR("completed delayed | processing pending")) >= 0);
        }
        deliver(w, run, 1, 1, VERDICT_SENT);
        assert_true(str_find(timeline(w, &w->dry.runs[run]), STR("J1: Message sent/Success\ncompleted completed | completed sent")) >= 0);
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
    assert_true(str_find(timeline(w, &w->dry.runs[run]), STR("completed failed | completed errored")) >= 0);
    assert_int_equal(w->dry.messages[0].status, MESSAGE_ERROR);
    assert_int_equal(w->dry.queue_n, 0);
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
    assert_true(str_find(timeline(w, &w->dry.runs[run]), STR("J1: Delivery is driven again/Pending\ncompleted delayed | processing pending")) >= 0);
    assert_int_equal(w->dry.messages[0].status, MESSAGE_WARNING);
    assert_int_equal(w->dry.queue[0].attempt, 2);
    struct str before = timeline(w, &w->dry.runs[run]);
    redrive(w, run, 0);                 /* twice is once */
    assert_true(str_eq(before, timeline(w, &w->dry.runs[run])));
    deliver(w, run, 1, 2, VERDICT_SENT);
    assert_true(str_find(timeline(w, &w->dry.runs[run]), STR("J1: Message sent/Success\ncompleted completed | completed sent")) >= 0);
    assert_int_equal(w->dry.messages[0].status, MESSAGE_SENT);
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
    assert_int_equal(w->dry.queue[0].due_at, w->now);
    assert_int_equal(w->dry.queue[0].attempt, 2);
    deliver(w, run, 1, 2, VERDICT_UNKNOWN);
    assert_true(str_find(timeline(w, &w->dry.runs[run]), STR("completed failed | completed errored")) >= 0);
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
    assert_true(str_find(timeline(w, &w->dry.runs[run]), STR("completed delayed completed | processing delivered")) >= 0);
    assert_int_equal(w->dry.messages[0].status, MESSAGE_WARNING);
    assert_int_equal(w->dry.queue_n, 1);
    assert_int_equal(w->dry.queue[0].attempt, 2);
    assert_true(w->dry.queue[0].due_at > w->now);
    deliver(w, run, 1, 2, VERDICT_SENT);
    assert_true(str_find(timeline(w, &w->dry.runs[run]), STR("J1: Message sent/Success\ncompleted completed completed | completed "
                                                         "delivered")) >= 0);
    assert_int_equal(w->dry.messages[0].status, MESSAGE_SENT);
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
    struct str before = timeline(w, &w->dry.runs[run]);
    deliver(w, run, 1, 1, VERDICT_FAILED);
    deliver(w, run, 1, 2, VERDICT_FAILED);
    deliver(w, run, 99, 1, VERDICT_SENT);
    fire(w, run, 1);
    assert_true(str_eq(before, timeline(w, &w->dry.runs[run])));
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
    assert_true(str_find(timeline(w, &w->dry.runs[run]), STR("J1: Subscriber missing email address/Failed\ncompleted canceled | completed "
                                                         "skipped")) >= 0);
    assert_int_equal(w->dry.messages[0].status, MESSAGE_WARNING);
    assert_int_equal(w->dry.runs[run].delivery, LIFECYCLE_SKIPPED);
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
    assert_true(str_find(timeline(w, &w->dry.runs[run]), STR("J1: Message content could not be generated/Failed\n")) >= 0);
    assert_true(str_find(timeline(w, &w->dry.runs[run]), STR("completed failed completed | completed delivered")) >= 0);
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
    assert_true(str_find(timeline(w, &w->dry.runs[run]),
                         STR("J1: Invalid delay configuration/Failed {\"error\":\"delay must be in the future\"}\n"
                             "J1: Invalid delay configuration/Failed {\"error\":\"Dynamic delay must be in the future. "
                             "durationMs: -189388800000\"}\n"
                             "J2: Step was canceled because a previous step failed/Failed\ncompleted failed canceled | error errored")) >= 0);
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
    assert_int_equal(w->dry.queue[0].due_at, want);
    done(w, d);
}

/* engine.md §12.E: of the recipients of a topic; who they are is decided before (members.c). */
static void timeline_e_through_a_topic(void **state)
{
    (void)state;
    struct world *w = world_new(19);
    world_integration(w, CHANNEL_IN_APP, "novu");
    struct definition *d = world_definition(w, "[{\"stepId\":\"a\",\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}}]");
    struct machine_facts f = world_facts(w, d, NULL);
    struct run r = {.arena = w->arena, .topics = STR("[{\"_topicId\":\"000000000000000000000001\",\"topicKey\":\"k\"}]")};
    struct machine m;
    r.row = (struct run_row){.id = id_new(&w->ids, w->now), .workflow = d->workflow.id, .workflow_version = 1,
                             .subscriber = w->subscriber.id, .created_at = w->now, .updated_at = w->now};
    machine_start(&m, &r, &f);
    assert_true(world_commit(w, &m, d, NULL, NULL));
    expect(w, 0, "J0: Step created/Pending\nJ1: Step created/Pending\nJ0: Step queued/Pending\n"
                 "J0: Topic subscription preference evaluated/Pending\nJ1: Step queued/Pending\nJ1: Message created/Pending\n"
                 "J1: Message sent/Success\ncompleted completed | completed delivered");
    assert_true(str_eqz(r.log[2].raw, "{\"topics\":[{\"topic\":\"k\"}]}"));
    done(w, d);
}

/* --- digests: engine.md §12.C and §4.7 ------------------------------------------------------------------------- */

static yyjson_val *payload_of(struct world *w, const char *text)
{
    yyjson_val *v;
    assert_true(json_parse(w->arena, str_of(text), &v, NULL));
    return v;
}

/* An event with payload {"n":n}. */
static size_t event(struct world *w, const struct definition *d, int n)
{
    return start(w, d, payload_of(w, str_fmt(w->arena, "{\"n\":%d}", n).p));
}

static const char *body_of(struct world *w, size_t message)
{
    yyjson_val *doc;
    assert_true(json_parse(w->arena, w->dry.messages[message].doc, &doc, NULL));
    return str_z(w->arena, json_get_str(doc, "content"));
}

static void ends(struct world *w, size_t run, const char *want)
{
    struct str got = timeline(w, &w->dry.runs[run]);
    if (!str_ends(got, str_of(want)))
        fail_msg("run %zu:\n%.*s\nwant the end:\n%s", run, STR_ARG(got), want);
}

#define CREATED3 "J0: Step created/Pending\nJ1: Step created/Pending\nJ2: Step created/Pending\nJ0: Step queued/Pending\n" \
                 "J1: Step queued/Pending\n"
#define MAIL_SENT "J2: Step queued/Pending\nJ2: nodemailer provider was selected/Pending\nJ2: Message created/Pending\n" \
                  "J2: Message sent/Success\n"
#define MERGED_INTO CREATED3 "J1: Digest was merged with other digest/Success\ncompleted merged merged | completed merged"

static const char digest_mail[] = "{\"stepId\":\"m\",\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":"
                                  "\"{{payload.n}}:{{steps.d.eventCount}}:{% for e in steps.d.events %}{{e.payload.n}},{% endfor %}\"}}]";

static struct definition *digest_workflow(struct world *w, const char *controls)
{
    return world_definition(w, str_fmt(w->arena, "[{\"stepId\":\"d\",\"type\":\"digest\",\"controlValues\":%s},%s", controls, digest_mail).p);
}

/* engine.md §12.C */
static void timeline_c_digest_with_look_back(void **state)
{
    (void)state;
    struct world *w = world_new(20);
    world_integration(w, CHANNEL_EMAIL, "nodemailer");
    struct definition *d = digest_workflow(w, "{\"amount\":5,\"unit\":\"minutes\",\"lookBackWindow\":{\"amount\":10,\"unit\":\"minutes\"}}");
    size_t t[6];
    for (int i = 1; i <= 5; i++) {
        t[i] = event(w, d, i);
        w->now += 10000;
    }
    deliver(w, t[1], 2, 1, VERDICT_SENT);
    expect(w, t[1], CREATED3 "J1: Digest was skipped, first backoff event/Success\n" MAIL_SENT "completed skipped completed | completed sent");
    assert_non_null(strstr(body_of(w, 0), "1:1:1,"));
    expect(w, t[2], CREATED3 "J1: Step digested/Pending {\"delay\":300000}\ncompleted delayed pending | processing pending");
    for (int i = 3; i <= 5; i++) {
        struct run r;
        struct error err = {0};
        expect(w, t[i], MERGED_INTO);
        assert_true(run_decode(&w->dry.runs[t[i]], w->arena, &r, &err));
        for (int j = 1; j <= 2; j++)
            assert_true(id_eq(r.jobs[j].merged_run, w->dry.runs[t[2]].id) && r.jobs[j].merged_job == 1);
    }
    assert_int_equal(w->dry.queue_n, 1);
    assert_int_equal(w->dry.queue[0].due_at, w->dry.runs[t[2]].created_at + 300000);
    w->now = w->dry.queue[0].due_at;
    fire(w, t[2], 1);
    deliver(w, t[2], 2, 1, VERDICT_SENT);
    expect(w, t[2], CREATED3 "J1: Step digested/Pending {\"delay\":300000}\n"
           "J1: Digest triggered events/Success [{\"n\":2},{\"n\":3},{\"n\":4},{\"n\":5}]\n" MAIL_SENT
           "completed completed completed | completed sent");
    assert_non_null(strstr(body_of(w, 1), "2:4:2,3,4,5,"));
    assert_int_equal(w->dry.shares.members_n, 0);
    /* Ten minutes after the last event there is silence again. */
    w->now = w->dry.runs[t[5]].created_at + 600000;
    size_t within = event(w, d, 6);
    ends(w, within, "completed delayed pending | processing pending");
    w->now += 600001;
    ends(w, event(w, d, 7), "completed skipped running | processing pending");
    done(w, d);
}

static void a_regular_digest_takes_the_first_too(void **state)
{
    (void)state;
    struct world *w = world_new(21);
    world_integration(w, CHANNEL_EMAIL, "nodemailer");
    struct definition *d = digest_workflow(w, "{\"amount\":5,\"unit\":\"minutes\"}");
    size_t first = event(w, d, 1);
    int64_t due = w->now + 300000;
    for (int i = 2; i <= 5; i++) {
        w->now += 60000;
        expect(w, event(w, d, i), MERGED_INTO);
    }
    assert_int_equal(w->dry.queue[0].due_at, due);              /* from the first event, not sliding */
    w->now = due;
    size_t next = event(w, d, 6);                           /* its time is up: it collects no more */
    fire(w, first, 1);
    assert_non_null(strstr(body_of(w, 0), "1:5:1,2,3,4,5,"));
    ends(w, next, "completed delayed pending | processing pending");
    w->now = due + 300000;
    fire(w, next, 1);
    assert_non_null(strstr(body_of(w, 1), "6:1:6,"));
    done(w, d);
}

/* Templates of older workflows ask for `step` (engine.md §4.7). */
static void older_templates_see_the_digest(void **state)
{
    (void)state;
    static const char mail[] = "{\"stepId\":\"m\",\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":"
                               "\"{{step.digest}}:{{step.total_count}}:{% for e in step.events %}{{e.n}},{% endfor %}\"}}";
    struct world *w = world_new(22);
    world_integration(w, CHANNEL_EMAIL, "nodemailer");
    struct definition *d = world_definition(w, str_fmt(w->arena, "[{\"stepId\":\"d\",\"type\":\"digest\",\"controlValues\":{\"amount\":5,\"unit\":"
                                                                 "\"minutes\"}},%s]", mail).p);
    size_t first = event(w, d, 1);
    w->now += 1000;
    expect(w, event(w, d, 2), MERGED_INTO);
    w->now += 299000;
    fire(w, first, 1);
    assert_non_null(strstr(body_of(w, 0), "true:2:1,2,"));
    done(w, d);
}

/* A value of the key is a group of its own, whether a path or Liquid names it; no value is one too. */
static void digest_keys_divide(void **state)
{
    static const char *const keys[] = {"payload.post.id", "post.id", "{{payload.post.id}}"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct world *w = world_new(22);
        world_integration(w, CHANNEL_EMAIL, "nodemailer");
        struct definition *d = digest_workflow(w, str_fmt(w->arena, "{\"amount\":5,\"unit\":\"minutes\",\"digestKey\":\"%s\"}", keys[i]).p);
        static const char open[] = "completed delayed pending | processing pending";
        ends(w, start(w, d, payload_of(w, "{\"post\":{\"id\":\"a\"}}")), open);
        ends(w, start(w, d, payload_of(w, "{\"post\":{\"id\":\"b\"}}")), open);
        ends(w, start(w, d, payload_of(w, "{}")), open);
        expect(w, start(w, d, payload_of(w, "{\"post\":{\"id\":\"a\"}}")), MERGED_INTO);
        expect(w, start(w, d, payload_of(w, "{\"other\":1}")), MERGED_INTO);
        assert_int_equal(w->dry.queue_n, 3);
        done(w, d);
    }
}

/* Two decisions on one state of the group: the second is refused, and made again it is another one. */
static void only_one_of_two_becomes_the_first(void **state)
{
    (void)state;
    struct world *w = world_new(23);
    struct definition *d = digest_workflow(w, "{\"amount\":5,\"unit\":\"minutes\"}");
    yyjson_val *p = payload_of(w, "{\"n\":1}");
    struct run a, b;
    struct machine ma, mb;
    world_start(w, d, p, &a, &ma);
    world_start(w, d, p, &b, &mb);
    assert_true(world_commit(w, &ma, d, p, NULL));
    assert_false(world_commit(w, &mb, d, p, NULL));
    assert_int_equal(w->dry.runs_n, 1);
    expect(w, event(w, d, 1), MERGED_INTO);
    /* One that joins between the plan of the fire and its commit is not lost. */
    w->now += 299999;
    world_start(w, d, p, &b, &mb);
    w->now++;
    struct machine_input in = {.kind = INPUT_TIMER, .job = 1};
    world_advance(w, 0, &in, &a, &ma);
    assert_true(world_commit(w, &mb, d, p, NULL));
    assert_false(world_commit(w, &ma, d, p, &w->dry.queue[0]));
    fire(w, 0, 1);
    struct run r;
    assert_true(run_decode(&w->dry.runs[0], w->arena, &r, NULL));
    assert_true(str_find(r.jobs[1].output, STR("\"eventCount\":3}")) > 0);
    done(w, d);
}

/* engine.md §4.6, §10: cron on the subscriber's wall clock, through changes of the clocks. */
static void cron_fires_on_the_subscribers_wall_clock(void **state)
{
    static const struct { const char *zone, *now, *due, *until; } rows[] = {
        {NULL, "2026-03-28T10:00:00Z", "2026-03-29T09:00:00Z", "2026-03-29T09:00:00.000Z"},
        {"Europe/Berlin", "2026-03-28T10:00:00Z", "2026-03-29T07:00:00Z", "2026-03-29 09:00:00 GMT+2"},
        {"Europe/Berlin", "2026-10-24T10:00:00Z", "2026-10-25T08:00:00Z", "2026-10-25 09:00:00 GMT+1"},
        {"America/New_York", "2026-03-07T20:00:00Z", "2026-03-08T13:00:00Z", "2026-03-08 09:00:00 EDT"},
        {"Asia/Kolkata", "2026-03-28T10:00:00Z", "2026-03-29T03:30:00Z", "2026-03-29 09:00:00 GMT+5:30"},
        {"Not/AZone", "2026-03-28T10:00:00Z", "2026-03-29T09:00:00Z",
         "2026-03-29T09:00:00.000Z\",\"warning\":\"There is no time zone Not/AZone: UTC is used"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int digest = 0; digest < 2; digest++) {
            struct world *w = world_new(24);
            int64_t due;
            assert_true(time_parse_iso(str_of(rows[i].now), &w->now) && time_parse_iso(str_of(rows[i].due), &due));
            w->subscriber.field[SUBSCRIBER_TIMEZONE] = str_of(rows[i].zone);
            struct definition *d = world_definition(
                w, str_fmt(w->arena, "[{\"stepId\":\"d\",\"type\":\"%s\",\"controlValues\":{\"type\":\"timed\",\"cron\":\"0 9 * * *\"}}]",
                           digest ? "digest" : "delay").p);
            size_t run = start(w, d, NULL);
            assert_int_equal(w->dry.queue[0].due_at, due);
            struct str want = str_fmt(w->arena, "J1: Step %s/Pending {\"delay\":%lld,\"untilDate\":\"%s\"}\n",
                                      digest ? "digested" : "delayed", (long long)(due - w->now), rows[i].until);
            if (str_find(timeline(w, &w->dry.runs[run]), want) < 0)
                fail_msg("%s, want %s", timeline(w, &w->dry.runs[run]).p, want.p);
            done(w, d);
        }
}

/* --- throttles: engine.md §4.8 --------------------------------------------------------------------------------- */

static void a_throttle_lets_so_many_through(void **state)
{
    (void)state;
    struct world *w = world_new(25);
    world_integration(w, CHANNEL_IN_APP, "novu");
    struct definition *d = world_definition(
        w, "[{\"stepId\":\"t\",\"type\":\"throttle\",\"controlValues\":{\"type\":\"fixed\",\"amount\":1,\"unit\":\"hours\",\"threshold\":2,"
           "\"throttleKey\":\"payload.k\"}},{\"stepId\":\"a\",\"type\":\"in_app\",\"controlValues\":{\"body\":\"{{steps.t.throttled}}\"}}]");
    yyjson_val *k = payload_of(w, "{\"k\":\"x\"}");
    static const char through[] = CREATED3 "J2: Step queued/Pending\nJ2: Message created/Pending\nJ2: Message sent/Success\n"
                                  "completed completed completed | completed delivered";
    expect(w, start(w, d, k), through);
    w->now += 1800000;
    expect(w, start(w, d, k), through);
    assert_string_equal(body_of(w, 0), "false");
    size_t over = start(w, d, k);
    expect(w, over, CREATED3 "J1: Throttle limit exceeded for the given window/Success {\"shouldSkip\":true,\"executionCount\":2,"
           "\"threshold\":2,\"throttledUntil\":\"2026-01-01T01:00:00.000Z\"}\ncompleted skipped skipped | completed skipped");
    struct run r;
    assert_true(run_decode(&w->dry.runs[over], w->arena, &r, NULL));
    assert_true(str_eqz(r.jobs[1].output, "{\"throttled\":true,\"executionCount\":2,\"threshold\":2,\"throttledUntil\":"
                                          "\"2026-01-01T01:00:00.000Z\"}"));
    assert_true(id_eq(r.jobs[2].merged_run, r.row.id) && r.jobs[2].merged_job == 1);
    expect(w, start(w, d, payload_of(w, "{\"k\":\"y\"}")), through);        /* another value, another window */
    expect(w, start(w, d, payload_of(w, "{}")), through);                       /* key not found: not throttled */
    w->now += 1800000;                                                          /* the window is over */
    expect(w, start(w, d, k), through);
    done(w, d);
}

static void throttles_that_say_nothing_let_all_through(void **state)
{
    static const char *const controls[] = {
        "{}", "{\"amount\":1}", "{\"amount\":1,\"unit\":\"weeks\"}", "{\"type\":\"odd\",\"amount\":1,\"unit\":\"hours\"}",
        "{\"type\":\"dynamic\",\"dynamicKey\":\"payload.nowhere\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof controls / sizeof *controls; i++) {
        struct world *w = world_new(26);
        struct definition *d = world_definition(w, str_fmt(w->arena, "[{\"stepId\":\"t\",\"type\":\"throttle\",\"controlValues\":%s}]", controls[i]).p);
        for (int n = 0; n < 3; n++)
            ends(w, start(w, d, payload_of(w, "{}")), "completed completed | completed errored");
        assert_int_equal(w->dry.shares.windows_n, 0);
        done(w, d);
    }
}

static void a_dynamic_window_in_the_past_stops_the_run(void **state)
{
    (void)state;
    struct world *w = world_new(27);
    world_integration(w, CHANNEL_IN_APP, "novu");
    struct definition *d = world_definition(
        w, "[{\"stepId\":\"t\",\"type\":\"throttle\",\"controlValues\":{\"type\":\"dynamic\",\"dynamicKey\":\"payload.until\"}},"
           "{\"stepId\":\"a\",\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}}]");
    ends(w, start(w, d, payload_of(w, "{\"until\":\"2020-01-01T00:00:00Z\"}")),
         "J1: Throttle window date is in the past/Failed\nJ2: Step was canceled because a previous step failed/Failed\n"
         "completed failed canceled | error errored");
    ends(w, start(w, d, payload_of(w, "{\"until\":\"2026-01-01T00:10:00Z\"}")), "completed completed completed | completed delivered");
    ends(w, start(w, d, payload_of(w, "{\"until\":\"2026-01-01T00:20:00Z\"}")), "completed skipped skipped | completed skipped");
    w->now += 600000;
    ends(w, start(w, d, payload_of(w, "{\"until\":{\"amount\":1,\"unit\":\"hours\"}}")), "completed completed completed | completed delivered");
    done(w, d);
}

/* --- cancellation: engine.md §12.D, §2.9 ------------------------------------------------------------------------ */

static void timeline_d_a_canceled_delay(void **state)
{
    (void)state;
    struct world *w = world_new(28);
    world_integration(w, CHANNEL_EMAIL, "nodemailer");
    struct definition *d = world_definition(w, "[{\"stepId\":\"w\",\"type\":\"delay\",\"controlValues\":{\"amount\":1,\"unit\":\"days\"}},"
                                               "{\"stepId\":\"m\",\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}}]");
    size_t run = start(w, d, NULL);
    w->now += 3600000;
    assert_true(world_cancel(w, run, 0));
    expect(w, run, CREATED3 "J1: Step delayed/Pending {\"delay\":86400000}\nJ1: Execution canceled by user/Success\n"
           "J2: Execution canceled by user/Success\ncompleted canceled canceled | completed canceled");
    struct run r;
    assert_true(run_decode(&w->dry.runs[run], w->arena, &r, NULL));
    assert_int_equal(r.lifecycle_detail, SKIP_CANCELED_BY_USER);
    assert_int_equal(w->dry.queue_n, 0);
    assert_int_equal(w->dry.messages_n, 0);
    assert_false(world_cancel(w, run, 0));
    fire(w, run, 1);                                        /* a timer that was late */
    assert_int_equal(w->dry.messages_n, 0);
    done(w, d);
}

static void a_canceled_digest_goes_on_as_its_follower(void **state)
{
    (void)state;
    struct world *w = world_new(29);
    world_integration(w, CHANNEL_EMAIL, "nodemailer");
    struct definition *d = digest_workflow(w, "{\"amount\":5,\"unit\":\"minutes\"}");
    size_t t[5];
    for (int i = 1; i <= 4; i++) {
        t[i] = event(w, d, i);
        w->now += 10000;
    }
    int64_t due = w->dry.queue[0].due_at;
    assert_true(world_cancel(w, t[1], 0));
    ends(w, t[1], "completed canceled canceled | completed canceled");
    ends(w, t[2], "J1: Step digested/Pending {\"delay\":260000}\ncompleted delayed pending | processing pending");
    assert_int_equal(w->dry.queue_n, 1);
    assert_int_equal(w->dry.queue[0].due_at, due);              /* the window is not restarted */
    assert_true(id_eq(w->dry.queue[0].ref, w->dry.runs[t[2]].id));
    assert_true(world_cancel(w, t[3], 0));                  /* a follower leaves */
    ends(w, t[3], "completed canceled canceled | completed canceled");
    struct run r;
    assert_true(run_decode(&w->dry.runs[t[4]], w->arena, &r, NULL));
    assert_true(id_eq(r.jobs[1].merged_run, w->dry.runs[t[2]].id) && id_eq(r.jobs[2].merged_run, w->dry.runs[t[2]].id));
    size_t later = event(w, d, 5);
    expect(w, later, MERGED_INTO);
    w->now = due;
    fire(w, t[2], 1);
    assert_non_null(strstr(body_of(w, 0), "2:3:2,4,5,"));
    assert_false(world_cancel(w, later, 0));                /* sent with the others: nothing is left to stop */
    assert_int_equal(w->dry.shares.members_n, 0);
    /* Without a follower the group is free again. */
    size_t alone = event(w, d, 6);
    assert_true(world_cancel(w, alone, 0));
    ends(w, event(w, d, 7), "completed delayed pending | processing pending");
    done(w, d);
}

static void a_cancel_stops_retries_but_not_what_is_in_flight(void **state)
{
    (void)state;
    for (int flying = 0; flying < 2; flying++) {
        struct world *w = world_new(30);
        world_integration(w, CHANNEL_EMAIL, "nodemailer");
        struct definition *d = world_definition(w, "[{\"stepId\":\"m\",\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}},"
                                                   "{\"stepId\":\"w\",\"type\":\"delay\",\"controlValues\":{\"amount\":1,\"unit\":\"days\"}}]");
        size_t run = start(w, d, NULL);
        deliver(w, run, 1, 1, VERDICT_RETRY);
        assert_int_equal(w->dry.queue_n, 2);
        assert_true(world_cancel(w, run, flying ? 1u << 1 : 0));
        if (flying) {
            assert_int_equal(w->dry.queue_n, 1);
            ends(w, run, "completed delayed canceled | processing pending");
            deliver(w, run, 1, 2, VERDICT_SENT);
            ends(w, run, "J1: Message sent/Success\ncompleted completed canceled | completed sent");
        } else {
            assert_int_equal(w->dry.queue_n, 0);
            assert_int_equal(w->dry.messages[0].status, MESSAGE_ERROR);
            ends(w, run, "completed canceled canceled | completed canceled");
        }
        done(w, d);
    }
}

/* What is being sent when the cancellation comes ends as it will; nothing follows it. */
static void nothing_follows_a_canceled_step(void **state)
{
    (void)state;
    struct world *w = world_new(31);
    world_integration(w, CHANNEL_EMAIL, "nodemailer");
    world_integration(w, CHANNEL_IN_APP, "novu");
    struct definition *d = world_definition(w, mail_then_inbox);
    size_t run = start(w, d, NULL);
    assert_true(world_cancel(w, run, 1u << 1));
    ends(w, run, "completed running canceled | processing canceled");
    deliver(w, run, 1, 1, VERDICT_SENT);
    ends(w, run, "J1: Message sent/Success\ncompleted completed canceled | completed sent");
    done(w, d);
}

/* --- delays: §4.6, §2.4 ------------------------------------------------------------------------------------------- */

static void delays_of_every_kind(void **state)
{
    static const struct { const char *controls, *payload, *overrides, *due; } rows[] = {
        {"{\"amount\":2,\"unit\":\"weeks\"}", "{}", NULL, "2026-01-15T00:00:00Z"},
        {"{\"amount\":\"90\",\"unit\":\"seconds\"}", "{}", NULL, "2026-01-01T00:01:30Z"},
        {"{\"amount\":\"{{payload.n}}\",\"unit\":\"hours\"}", "{\"n\":3}", NULL, "2026-01-01T03:00:00Z"},
        {"{\"type\":\"dynamic\",\"dynamicKey\":\"payload.a.at\"}", "{\"a\":{\"at\":\"2026-01-02T00:00:00+02:00\"}}", NULL, "2026-01-01T22:00:00Z"},
        {"{\"type\":\"dynamic\",\"dynamicKey\":\"at\"}", "{\"at\":{\"amount\":1,\"unit\":\"months\"}}", NULL, "2026-02-01T00:00:00Z"},
        {"{\"type\":\"scheduled\",\"delayPath\":\"at\"}", "{\"at\":\"2026-06-01T00:00:00Z\"}", NULL, "2026-06-01T00:00:00Z"},
        {"{\"amount\":2,\"unit\":\"weeks\"}", "{}", "{\"delay\":{\"amount\":5,\"unit\":\"minutes\"}}", "2026-01-01T00:05:00Z"},
        {"{\"amount\":2,\"unit\":\"weeks\"}", "{}", "{\"delay\":{\"amount\":5,\"unit\":\"eons\"}}", "2026-01-15T00:00:00Z"},
        /* None of these can be. */
        {"{\"amount\":0,\"unit\":\"hours\"}", "{}", NULL, NULL},
        {"{\"amount\":-1,\"unit\":\"hours\"}", "{}", NULL, NULL},
        {"{\"amount\":9223372036854775807,\"unit\":\"weeks\"}", "{}", NULL, NULL},
        {"{}", "{}", NULL, NULL},
        {"{\"type\":\"dynamic\",\"dynamicKey\":\"payload.at\"}", "{}", NULL, NULL},
        {"{\"type\":\"dynamic\",\"dynamicKey\":\"payload.at\"}", "{\"at\":\"soon\"}", NULL, NULL},
        {"{\"type\":\"dynamic\",\"dynamicKey\":\"payload.at\"}", "{\"at\":\"2026-01-01T00:00:00Z\"}", NULL, NULL},
        {"{\"type\":\"scheduled\",\"delayPath\":\"at\"}", "{\"at\":\"2025-06-01T00:00:00Z\"}", NULL, NULL},
        {"{\"type\":\"timed\",\"cron\":\"61 * * * *\"}", "{}", NULL, NULL},
        {"{\"type\":\"timed\",\"cron\":\"0 0 31 2 *\"}", "{}", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = world_new(32);
        int64_t due;
        struct definition *d = world_definition(w, str_fmt(w->arena, "[{\"stepId\":\"w\",\"type\":\"delay\",\"controlValues\":%s}]", rows[i].controls).p);
        w->overrides = rows[i].overrides ? payload_of(w, rows[i].overrides) : NULL;
        size_t run = start(w, d, payload_of(w, rows[i].payload));
        if (rows[i].due) {
            assert_true(time_parse_iso(str_of(rows[i].due), &due));
            if (w->dry.queue_n != 1 || w->dry.queue[0].due_at != due)
                fail_msg("row %zu: %s", i, timeline(w, &w->dry.runs[run]).p);
        } else {
            assert_int_equal(w->dry.queue_n, 0);
            ends(w, run, "completed failed | error errored");
            assert_true(str_find(timeline(w, &w->dry.runs[run]), STR("J1: Invalid delay configuration/Failed {\"error\":\"delay ")) > 0);
        }
        done(w, d);
    }
}

static void waits_beyond_the_limit_fail(void **state)
{
    (void)state;
    for (int digest = 0; digest < 2; digest++) {
        struct world *w = world_new(33);
        w->defer_max_ms = 86400000;
        const char *type = digest ? "digest" : "delay";
        struct definition *d = world_definition(w, str_fmt(w->arena, "[{\"stepId\":\"w\",\"type\":\"%s\",\"controlValues\":{\"amount\":1,\"unit\":\"days\"}}]", type).p);
        struct definition *longer = world_definition(w, str_fmt(w->arena, "[{\"stepId\":\"w\",\"type\":\"%s\",\"controlValues\":{\"amount\":25,\"unit\":\"hours\"}}]", type).p);
        ends(w, start(w, d, NULL), "completed delayed | processing errored");
        ends(w, start(w, longer, NULL),
             "J1: Defer duration limit exceeded/Failed {\"errors\":[\"The wait of 90000000 ms is longer than the 86400000 ms that are "
             "allowed\"]}\ncompleted failed | error errored");
        cached_unref(&longer->head);
        done(w, d);
    }
}

/* engine.md §2.3: a deferred step whose conditions say no is skipped, and the chain goes on. */
static void deferred_steps_have_conditions(void **state)
{
    static const char *const types[] = {"delay", "digest", "throttle"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct world *w = world_new(34);
        world_integration(w, CHANNEL_IN_APP, "novu");
        struct definition *d = world_definition(
            w, str_fmt(w->arena, "[{\"stepId\":\"w\",\"type\":\"%s\",\"controlValues\":{\"amount\":1,\"unit\":\"hours\",\"skip\":{\"==\":[1,2]}}},"
                                 "{\"stepId\":\"a\",\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}}]", types[i]).p);
        ends(w, start(w, d, NULL),
             "J1: Step was skipped based on steps conditions/Success\nJ2: Step queued/Pending\nJ2: Message created/Pending\n"
             "J2: Message sent/Success\ncompleted skipped completed | completed delivered");
        done(w, d);
    }
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
        cmocka_unit_test(timeline_c_digest_with_look_back),
        cmocka_unit_test(timeline_e_through_a_topic),
        cmocka_unit_test(a_regular_digest_takes_the_first_too),
        cmocka_unit_test(older_templates_see_the_digest),
        cmocka_unit_test(digest_keys_divide),
        cmocka_unit_test(only_one_of_two_becomes_the_first),
        cmocka_unit_test(cron_fires_on_the_subscribers_wall_clock),
        cmocka_unit_test(a_throttle_lets_so_many_through),
        cmocka_unit_test(throttles_that_say_nothing_let_all_through),
        cmocka_unit_test(a_dynamic_window_in_the_past_stops_the_run),
        cmocka_unit_test(timeline_d_a_canceled_delay),
        cmocka_unit_test(a_canceled_digest_goes_on_as_its_follower),
        cmocka_unit_test(a_cancel_stops_retries_but_not_what_is_in_flight),
        cmocka_unit_test(nothing_follows_a_canceled_step),
        cmocka_unit_test(delays_of_every_kind),
        cmocka_unit_test(waits_beyond_the_limit_fail),
        cmocka_unit_test(deferred_steps_have_conditions),
    };
    if (!crypto_init())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
