/* What holds a step back: preferences by source, schedules, conditions, filters; and steps that wait for an HTTP answer. */
#include "../../sim/world.h"

/* Every line after the queueing of the run's steps: "J1: text/status raw". Then the jobs' states and the run's. */
static struct str record(struct world *w, size_t run)
{
    struct run r;
    struct error err = {0};
    struct buf b = {.arena = w->arena};
    if (!run_decode(&w->dry.runs[run], w->arena, &r, &err))
        fail_msg("%s", err.message);
    for (int i = 0; i < r.log_n; i++) {
        const struct run_log *l = &r.log[i];
        if (l->detail == DETAIL_STEP_CREATED || l->detail == DETAIL_STEP_QUEUED)
            continue;
        buf_fmt(&b, "J%d: %.*s/%.*s %.*s\n", l->job, STR_ARG(detail_text(l->detail)), STR_ARG(detail_status_name(l->status)), STR_ARG(l->raw));
    }
    for (int i = 0; i < r.jobs_n; i++)
        buf_fmt(&b, "%s%s", i ? " " : "", job_status_name(r.jobs[i].status).p);
    buf_fmt(&b, " | %s %s", run_status_name(r.row.status).p, lifecycle_name(r.row.delivery).p);
    return buf_finish(&b);
}

static void assert_record(struct world *w, size_t run, const char *want)
{
    struct str got = record(w, run);
    if (!str_eqz(got, want))
        fail_msg("got:\n%.*s\nwant:\n%s", STR_ARG(got), want);
}

static void assert_has(struct world *w, size_t run, const char *part)
{
    struct str got = record(w, run);
    if (str_find(got, str_of(part)) < 0)
        fail_msg("got:\n%.*s\nwithout:\n%s", STR_ARG(got), part);
}

static size_t start(struct world *w, const char *steps, const char *payload)
{
    struct run r;
    struct machine m;
    yyjson_val *p = NULL;
    assert_true(json_parse(w->arena, str_of(payload), &p, NULL));
    const struct definition *d = world_definition(w, steps);
    world_start(w, d, p, &r, &m);
    world_commit(w, &m, d, p, NULL);
    return w->dry.runs_n - 1;
}

/* Each run had a definition of its own. */
static void end(struct world *w)
{
    for (size_t i = 0; i < w->dry.runs_n; i++)
        cached_unref((struct cached *)(uintptr_t)&w->definitions[i]->head);
    arena_destroy(w->arena);
}

static void input(struct world *w, size_t run, const struct machine_input *in)
{
    struct run r;
    struct machine m;
    struct queue_item item = {.id = run_derived_id(w->dry.runs[run].id, DERIVED_QUEUE, in->job * 64 + in->attempt)};
    world_advance(w, run, in, &r, &m);
    world_commit(w, &m, w->definitions[run], w->payloads[run], &item);
}

static void fire(struct world *w, size_t run, int job, int extension)
{
    w->now = w->dry.queue[0].due_at;
    input(w, run, &(struct machine_input){.kind = INPUT_TIMER, .job = job, .attempt = extension});
}

static void answer(struct world *w, size_t run, int attempt, enum call_end end, int status, const char *body)
{
    input(w, run, &(struct machine_input){
        .kind = INPUT_CALL, .job = 1, .attempt = attempt,
        .call = {.end = end, .status = status, .body = str_of(body), .headers = STR("{\"x\":\"y\"}"), .code = STR("ECONNREFUSED"),
                 .error = status >= 200 && status < 300 ? STR_NULL : STR("Request failed")}});
}

static int64_t at(const char *iso)
{
    int64_t ms;
    assert_true(time_parse_iso(str_of(iso), &ms));
    return ms;
}

/* --- preferences --- */

#define SMS "[{\"type\":\"sms\",\"stepId\":\"s\",\"controlValues\":{\"body\":\"b\"}}]"

static struct world *world_sms(void)
{
    struct world *w = world_new(1);
    w->outbox = true;
    w->subscriber.field[SUBSCRIBER_PHONE] = STR("+1");
    world_integration(w, CHANNEL_SMS, "novu-sms");
    w->preferences.global = w->preferences.workflow = w->preferences.subscription = preference_blank();
    return w;
}

/* Layers: which say that sms is off (0), on (1), nothing (-1); then what came of it. */
static const struct {
    const char *workflow;
    int global, own, subscription;
    bool is_final;
    const char *detail;         /* NULL: sent */
} layers[] = {
    {NULL, -1, -1, -1, false, NULL},
    {"\"preferences\":{\"default\":{\"channels\":{\"sms\":{\"enabled\":false}}}}", -1, -1, -1, false, "Step filtered by workflow preferences"},
    {"\"preferences\":{\"default\":{},\"user\":{\"channels\":{\"sms\":{\"enabled\":false}}}}", -1, -1, -1, false, "Step filtered by user preferences"},
    {NULL, 0, -1, -1, false, "Step filtered by subscriber global preferences"},
    {NULL, -1, 0, -1, false, "Step filtered by subscriber workflow preferences"},
    {NULL, 1, 0, -1, false, "Step filtered by subscriber workflow preferences"},
    {NULL, 0, 1, -1, false, NULL},
    {NULL, 1, 1, 0, false, "Step filtered by subscriber workflow preferences"},
    {"\"preferences\":{\"user\":{\"channels\":{\"sms\":{\"enabled\":false}}}}", -1, 1, -1, false, NULL},
    {"\"preferences\":{\"user\":{\"channels\":{\"sms\":{\"enabled\":false}}}}", -1, 1, -1, true, "Step filtered by subscriber workflow preferences"},
    {"\"preferences\":{\"user\":{\"all\":{\"readOnly\":true}}}", 0, 0, -1, false, NULL},
    {"\"preferences\":{\"user\":{\"all\":{\"readOnly\":true},\"channels\":{\"sms\":{\"enabled\":false}}}}", 1, 1, -1, false, "Step filtered by user preferences"},
};

static void preferences_by_source(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        struct world *w = world_sms();
        struct { int said; unsigned bit; struct preference *row; } rows[] = {
            {layers[i].global, PREFERENCE_GLOBAL, &w->preferences.global}, {layers[i].own, PREFERENCE_WORKFLOW, &w->preferences.workflow},
            {layers[i].subscription, PREFERENCE_SUBSCRIPTION, &w->preferences.subscription}};
        for (size_t k = 0; k < 3; k++)
            if (rows[k].said >= 0) {
                w->preferences.found |= rows[k].bit;
                rows[k].row->channel[CHANNEL_SMS] = (enum choice)rows[k].said;
            }
        w->workflow_members = layers[i].workflow;
        w->workflow_off_is_final = layers[i].is_final;
        size_t run = start(w, SMS, "{}");
        const char *by = strstr(layers[i].detail ? layers[i].detail : "", "subscriber") ? "subscriber" : "template";
        if (i == 9)
            by = "template";
        if (layers[i].detail)
            assert_record(w, run, str_fmt(w->arena, "J1: %s/Success {\"enabled\":true,\"channels\":{\"sms\":false},\"overrides\":"
                          "[{\"channel\":\"sms\",\"source\":\"%s\"}]}\ncompleted canceled | completed skipped", layers[i].detail, by).p);
        else
            assert_has(w, run, "completed completed | completed sent");
        end(w);
    }
}

/* --- schedules --- */

#define WEEKDAYS "{\"isEnabled\":true,\"weeklySchedule\":{\"monday\":" DAY ",\"tuesday\":" DAY ",\"wednesday\":" DAY ",\"thursday\":" DAY \
                 ",\"friday\":" DAY "}}"
#define DAY "{\"isEnabled\":true,\"hours\":[{\"start\":\"09:00 AM\",\"end\":\"05:00 PM\"}]}"

static struct world *world_scheduled(const char *now)
{
    struct world *w = world_sms();
    w->now = at(now);
    w->preferences.found = PREFERENCE_GLOBAL;
    w->preferences.global.schedule = STR(WEEKDAYS);
    w->subscriber.field[SUBSCRIBER_TIMEZONE] = STR("America/New_York");
    world_integration(w, CHANNEL_IN_APP, "novu");
    return w;
}

#define SMS_THEN_INBOX "[{\"type\":\"sms\",\"stepId\":\"s\",\"controlValues\":{\"body\":\"b\"}}," \
                       "{\"type\":\"in_app\",\"stepId\":\"i\",\"controlValues\":{\"body\":\"b\"}}]"

static void outside_of_the_schedule_the_step_is_skipped_and_the_chain_goes_on(void **state)
{
    (void)state;
    struct world *w = world_scheduled("2026-01-05T13:59:59Z");          /* Monday, 08:59:59 in New York */
    size_t run = start(w, SMS_THEN_INBOX, "{}");
    assert_has(w, run, "J1: The step was skipped as it fell outside the subscriber's schedule/Success {\"schedule\":" WEEKDAYS
                       ",\"timezone\":\"America/New_York\"}\n");
    assert_has(w, run, "completed canceled completed | completed delivered");
    w->now = at("2026-01-05T14:00:00Z");
    run = start(w, SMS_THEN_INBOX, "{}");
    assert_has(w, run, "completed completed completed | completed delivered");
    w->now = at("2026-01-05T13:59:59Z");
    w->workflow_members = "\"preferences\":{\"user\":{\"all\":{\"readOnly\":true}}}";
    run = start(w, SMS_THEN_INBOX, "{}");
    assert_has(w, run, "completed completed completed | completed delivered");
    w->workflow_members = NULL;                             /* a throttle is held back, too, and ends as a channel step does */
    run = start(w, "[{\"type\":\"throttle\",\"stepId\":\"t\",\"controlValues\":{\"amount\":1,\"unit\":\"days\"}},"
                   "{\"type\":\"in_app\",\"stepId\":\"i\",\"controlValues\":{\"body\":\"b\"}}]", "{}");
    assert_has(w, run, "completed canceled completed | completed");
    end(w);
}

#define DELAY_THEN_INBOX "[{\"type\":\"delay\",\"stepId\":\"d\",\"controlValues\":{\"type\":\"regular\",\"amount\":1,\"unit\":\"hours\"," \
                         "\"extendToSchedule\":true}},{\"type\":\"in_app\",\"stepId\":\"i\",\"controlValues\":{\"body\":\"b\"}}]"

static void a_delay_is_extended_to_the_schedule_at_most_three_times(void **state)
{
    (void)state;
    struct world *w = world_scheduled("2026-01-09T21:30:00Z");          /* Friday, 16:30 in New York */
    size_t run = start(w, DELAY_THEN_INBOX, "{}");
    fire(w, run, 1, 0);
    assert_record(w, run, "J1: Step delayed/Pending {\"delay\":3600000}\n"
        "J1: Step was extended to the next available time in the subscriber schedule/Pending {\"delayMs\":228600000,"
        "\"nextAvailableTime\":\"2026-01-12T14:00:00.000Z\",\"timezone\":\"America/New_York\",\"schedule\":" WEEKDAYS
        ",\"scheduleExtensionsCount\":1,\"maxScheduleExtensions\":3}\n"
        "J1: Step delayed/Pending {\"delay\":228600000}\n"
        "completed delayed pending | processing pending");
    assert_int_equal(w->dry.queue_n, 1);
    assert_int_equal(w->dry.queue[0].due_at, at("2026-01-12T14:00:00Z"));
    for (int i = 1; i <= 3; i++) {      /* the subscriber moves on each time */
        w->subscriber.field[SUBSCRIBER_TIMEZONE] = i % 2 ? STR("Asia/Tokyo") : STR("America/New_York");
        fire(w, run, 1, i);
    }
    assert_has(w, run, "J1: Step was executed due to maximum number of subscriber schedule extensions reached/Success \n"
                       "J1: Delay is finished/Success \n");
    assert_has(w, run, "completed completed completed | completed delivered");
    assert_int_equal(w->dry.queue_n, 0);
    end(w);
}

/* --- conditions and filters --- */

#define FILTERED(parts, how) "[{\"type\":\"in_app\",\"stepId\":\"a\",\"controlValues\":{\"body\":\"b\"}},{\"type\":\"in_app\",\"stepId\":\"b\"," \
    "\"controlValues\":{\"body\":\"b\"},\"filters\":[{\"type\":\"GROUP\",\"value\":\"" how "\",\"children\":[" parts "]}]}]"
#define PART(on, field, op, value) "{\"on\":\"" on "\",\"field\":\"" field "\",\"operator\":\"" op "\",\"value\":\"" value "\"}"

static const struct {
    const char *steps;
    bool passes;
} filtered[] = {
    {FILTERED("", "AND"), true},
    {FILTERED(PART("payload", "n", "EQUAL", "3"), "AND"), true},
    {FILTERED(PART("payload", "n", "NOT_EQUAL", "3"), "AND"), false},
    {FILTERED(PART("payload", "n", "LARGER", "2") "," PART("payload", "n", "SMALLER_EQUAL", "3"), "AND"), true},
    {FILTERED(PART("payload", "n", "LARGER", "3") "," PART("payload", "deep.flag", "EQUAL", "true"), "AND"), false},
    {FILTERED(PART("payload", "n", "LARGER", "3") "," PART("payload", "deep.flag", "EQUAL", "true"), "OR"), true},
    {FILTERED(PART("payload", "n", "LARGER", "3") "," PART("payload", "deep.flag", "EQUAL", "true"), "XOR"), false},
    {FILTERED(PART("payload", "list", "IN", "b"), "AND"), true},
    {FILTERED(PART("payload", "list", "NOT_IN", "b"), "AND"), false},
    {FILTERED(PART("payload", "gone", "IS_DEFINED", ""), "AND"), false},
    {FILTERED(PART("payload", "n", "MAYBE", "3"), "AND"), false},
    {FILTERED(PART("payload", "name", "EQUAL", "{{subscriber.firstName}}"), "AND"), true},
    {FILTERED(PART("subscriber", "email", "EQUAL", "ada@example.com"), "AND"), true},
    {FILTERED(PART("webhook", "x", "EQUAL", "1"), "AND"), false},
    {FILTERED("{\"on\":\"isOnline\",\"value\":false}", "AND"), false},           /* never seen online: unknown */
    {FILTERED("{\"on\":\"isOnlineInLast\",\"timeOperator\":\"minutes\",\"value\":5}", "AND"), false},
    {FILTERED("{\"on\":\"previousStep\",\"step\":\"a\",\"stepType\":\"unread\"}", "AND"), true},
    {FILTERED("{\"on\":\"previousStep\",\"step\":\"nowhere\",\"stepType\":\"read\"}", "AND"), true},
};

static void legacy_filters(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof filtered / sizeof *filtered; i++) {
        struct world *w = world_sms();
        world_integration(w, CHANNEL_IN_APP, "novu");
        size_t run = start(w, filtered[i].steps, "{\"n\":3,\"deep\":{\"flag\":true},\"list\":[\"a\",\"b\"],\"name\":\"Ada\"}");
        struct str got = record(w, run);
        bool passed = str_find(got, STR("completed completed completed |")) >= 0;
        if (passed != filtered[i].passes)
            fail_msg("filters %zu: %.*s", i, STR_ARG(got));
        end(w);
    }
    struct world *w = world_sms();
    size_t run = start(w, "[{\"type\":\"sms\",\"stepId\":\"s\",\"controlValues\":{\"body\":\"b\"},\"filters\":[{\"value\":\"AND\",\"children\":["
                          PART("payload", "n", "EQUAL", "4") "]}]}]", "{\"n\":3}");
    assert_record(w, run, "J1: Step was skipped based on steps conditions/Failed {\"filter\":{\"conditions\":[{\"filter\":\"payload\",\"field\":\"n\","
                          "\"expected\":\"4\",\"actual\":\"3\",\"operator\":\"EQUAL\",\"passed\":false}],\"passed\":false}}\n"
                          "completed canceled | completed skipped");
    end(w);
}

static void isonline_in_last(void **state)
{
    (void)state;
    static const struct { int64_t ago_ms; bool passes; } cases[] = {{299000, true}, {360000, false}, {-1000, false}};
    for (size_t i = 0; i < 3; i++) {
        struct world *w = world_sms();
        world_integration(w, CHANNEL_IN_APP, "novu");
        w->subscriber.is_online = 0;
        w->subscriber.last_online_at = w->now - cases[i].ago_ms;
        size_t run = start(w, FILTERED("{\"on\":\"isOnlineInLast\",\"timeOperator\":\"minutes\",\"value\":5}", "AND"), "{}");
        assert_int_equal(str_find(record(w, run), STR("completed completed completed |")) >= 0, cases[i].passes);
        end(w);
    }
}

/* A rule without templates is compiled with its workflow; one with templates is another rule for every run. Both log what they
 * saw. */
static void rules_compiled_and_rendered(void **state)
{
    (void)state;
    static const struct { const char *rule; bool compiled, runs; const char *seen; } cases[] = {
        {"{\"==\":[{\"var\":\"payload.n\"},3]}", true, true, "{\"payload.n\":3}"},
        {"{\"==\":[{\"var\":\"payload.n\"},4]}", true, false, NULL},
        {"{\"==\":[{\"var\":\"payload.n\"},\"{{payload.n}}\"]}", false, true, "{\"payload.n\":3}"},
        {"{\"==\":[{\"var\":\"payload.n\"},\"{{payload.name}}\"]}", false, false, NULL},
        {"{\"==\":[\"[1 ]\",\"[1]\"]}", true, true, "{}"},     /* texts that hold JSON are written anew */
        {"{\"nosuch\":[1]}", true, false, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_sms();
        struct str steps = str_fmt(w->arena, "[{\"type\":\"sms\",\"stepId\":\"s\",\"controlValues\":{\"body\":\"b\",\"skip\":%s}}]",
                                   cases[i].rule);
        struct definition *d = world_definition(w, steps.p);
        assert_int_equal(d->steps[0].rule != NULL, cases[i].compiled);
        struct str got = record(w, start(w, steps.p, "{\"n\":3,\"name\":\"Ada\"}"));
        struct str seen = str_fmt(w->arena, "\"evaluatedValues\":%s}\n", cases[i].seen ? cases[i].seen : "");
        bool ran = str_find(got, STR("completed completed | completed sent")) >= 0;
        if (ran != cases[i].runs || (cases[i].seen && str_find(got, seen) < 0))
            fail_msg("rule %zu: %.*s", i, STR_ARG(got));
        cached_unref(&d->head);
        end(w);
    }
}

/* Depth 200 is evaluated or refused with a reason; it never holds up the run. */
static void a_deep_rule_is_contained(void **state)
{
    (void)state;
    struct world *w = world_sms();
    struct buf b = {.arena = w->arena};
    buf_z(&b, "[{\"type\":\"sms\",\"stepId\":\"s\",\"controlValues\":{\"body\":\"b\",\"skip\":");
    for (int i = 0; i < 190; i++)
        buf_z(&b, "{\"!\":");
    buf_z(&b, "{\"var\":\"payload.n\"}");
    for (int i = 0; i < 190; i++)
        buf_char(&b, '}');
    buf_z(&b, "}}]");
    size_t run = start(w, buf_finish(&b).p, "{\"n\":3}");
    struct run r;
    assert_true(run_decode(&w->dry.runs[run], w->arena, &r, NULL));
    assert_true(r.row.status == RUN_COMPLETED);
    run = start(w, "[{\"type\":\"sms\",\"stepId\":\"s\",\"controlValues\":{\"body\":\"b\",\"skip\":{\"nonsense\":[1]}}}]", "{}");
    assert_record(w, run, "J1: Message content could not be generated/Failed {\"error\":\"Failed to evaluate rule: Unrecognized operation nonsense\"}\n"
                          "completed failed | completed errored");
    end(w);
}

/* --- HTTP requests --- */

#define CALL(values) "[{\"type\":\"http_request\",\"stepId\":\"h\",\"controlValues\":{" values "}}," \
                     "{\"type\":\"sms\",\"stepId\":\"s\",\"controlValues\":{\"body\":\"{{steps.h.name}}\"}}]"
#define TO_URL "\"url\":\"https://x.test/{{payload.id}}\",\"method\":\"POST\",\"headers\":[{\"key\":\"a\",\"value\":\"{{payload.id}}\"}]"

static struct str call_of(struct world *w, size_t run)
{
    struct run r;
    assert_true(run_decode(&w->dry.runs[run], w->arena, &r, NULL));
    return r.jobs[1].call;
}

static void a_request_waits_and_its_answer_is_used(void **state)
{
    (void)state;
    struct world *w = world_sms();
    size_t run = start(w, CALL(TO_URL ",\"body\":\"{ \\\"id\\\": \\\"{{payload.id}}\\\" }\",\"timeout\":900"), "{\"id\":\"7\"}");
    assert_record(w, run, "completed running pending | processing pending");
    assert_true(str_eqz(call_of(w, run), "{\"kind\":\"http\",\"method\":\"POST\",\"url\":\"https://x.test/7\",\"headers\":[{\"key\":\"a\",\"value\":\"7\"}],"
                                         "\"body\":\"{\\\"id\\\":\\\"7\\\"}\",\"timeout\":900}"));
    assert_int_equal(w->dry.queue_n, 1);
    assert_int_equal(w->dry.queue[0].kind, QUEUE_CALL);
    answer(w, run, 1, CALL_ANSWERED, 200, "{\"name\":\"Ada\"}");
    assert_has(w, run, "J1: Step processed/Success {\"statusCode\":200,\"body\":{\"name\":\"Ada\"},\"headers\":{\"x\":\"y\"}}\n");
    assert_has(w, run, "completed completed completed | completed sent");
    assert_int_equal(call_of(w, run).n, 0);
    struct str before = w->dry.runs[run].state;
    answer(w, run, 1, CALL_ANSWERED, 200, "{\"name\":\"Bob\"}");                 /* repeated: changes nothing */
    assert_true(str_eq(before, w->dry.runs[run].state));
    end(w);
}

/* What an answer leads to, by control values. */
static const struct {
    const char *values;
    enum call_end end;
    int status;
    const char *body, *want;
} answers[] = {
    {TO_URL, CALL_ANSWERED, 500, "", "J1: Action step execution failed/Failed {\"error\":\"Request failed\"}\n"
     "J2: Step was canceled because a previous step failed/Failed \ncompleted failed canceled | completed canceled"},
    {TO_URL ",\"continueOnFailure\":true", CALL_TIMED_OUT, 0, "", "completed failed completed | completed sent"},
    {TO_URL, CALL_ANSWERED, 200, "[1]", "J1: HTTP request step received a non-object response/Warning \n"
     "J1: Step processed/Success {\"statusCode\":200,\"body\":[1],\"headers\":{\"x\":\"y\"}}\n"},
    {TO_URL, CALL_ANSWERED, 204, "", "J1: HTTP request step received a non-object response/Warning \n"
     "J1: Step processed/Success {\"statusCode\":204,\"body\":\"\",\"headers\":{\"x\":\"y\"}}\n"},
    {TO_URL ",\"enforceSchemaValidation\":true,\"responseBodySchema\":{\"type\":\"object\",\"required\":[\"name\"]}", CALL_ANSWERED, 200, "{\"n\":1}",
     "J1: Response body schema validation failed/Failed {\"errors\":[{\"path\":\"/\",\"message\":\"must have required property 'name'\"}],"
     "\"responseBody\":{\"n\":1}}\n"},
    {TO_URL ",\"enforceSchemaValidation\":false,\"responseBodySchema\":{\"type\":\"object\",\"required\":[\"name\"]}", CALL_ANSWERED, 200, "{\"n\":1}",
     "completed completed completed | completed sent"},
};

static void answers_by_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct world *w = world_sms();
        size_t run = start(w, str_fmt(w->arena, "[{\"type\":\"http_request\",\"stepId\":\"h\",\"controlValues\":{%s}},"
                                      "{\"type\":\"sms\",\"stepId\":\"s\",\"controlValues\":{\"body\":\"b\"}}]", answers[i].values).p, "{\"id\":\"7\"}");
        answer(w, run, 1, answers[i].end, answers[i].status, answers[i].body);
        assert_has(w, run, answers[i].want);
        end(w);
    }
}

static void a_long_answer_is_cut_in_the_log(void **state)
{
    (void)state;
    struct world *w = world_sms();
    size_t run = start(w, CALL(TO_URL), "{\"id\":\"7\"}");
    struct buf b = {.arena = w->arena};
    buf_z(&b, "{\"name\":\"");
    for (int i = 0; i < 9000; i++)
        buf_z(&b, "é");
    buf_z(&b, "\"}");
    answer(w, run, 1, CALL_ANSWERED, 200, buf_finish(&b).p);
    struct run r;
    assert_true(run_decode(&w->dry.runs[run], w->arena, &r, NULL));
    assert_true(r.jobs[1].output.n > 18000);
    for (int i = 0; i < r.log_n; i++)
        assert_true(r.log[i].raw.n <= 10240);
    assert_has(w, run, "... [truncated]\"");
    end(w);
}

static const struct { const char *values, *error; } refused[] = {
    {"\"url\":\" \"", "HTTP request step is missing a URL. Please configure a URL in the step settings."},
    {"\"method\":\"GET\"", "HTTP request step is missing a URL. Please configure a URL in the step settings."},
    {TO_URL ",\"body\":\"{oops\"", "HTTP request step template compilation failed: "},
    {"\"url\":\"https://x.test/{{payload.id\"", "HTTP request step template compilation failed: "},
};

static void what_cannot_be_sent_fails_the_step(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct world *w = world_sms();
        size_t run = start(w, str_fmt(w->arena, "[{\"type\":\"http_request\",\"stepId\":\"h\",\"controlValues\":{%s}}]", refused[i].values).p, "{}");
        assert_has(w, run, str_fmt(w->arena, "J1: Action step execution failed/Failed {\"error\":\"%s", refused[i].error).p);
        assert_has(w, run, "completed failed | completed");
        assert_int_equal(w->dry.queue_n, 0);
        end(w);
    }
    struct world *w = world_sms();      /* the condition comes first: nothing is rendered for who is left out */
    size_t run = start(w, "[{\"type\":\"http_request\",\"stepId\":\"h\",\"controlValues\":{\"url\":\"{{oops\",\"skip\":{\"==\":[1,2]}}}]", "{}");
    assert_has(w, run, "J1: Bridge execution skipped/Failed {\"skip\":true}\n");
    end(w);
}

#define CUSTOM "[{\"type\":\"custom\",\"stepId\":\"h\",\"controlValues\":{\"k\":1}},{\"type\":\"sms\",\"stepId\":\"s\",\"controlValues\":{\"body\":\"got {{steps.h.x}}\"}}]"

static void a_bridge_is_tried_four_times(void **state)
{
    (void)state;
    struct world *w = world_sms();
    w->bridge_url = STR("https://app.test/api/novu");
    size_t run = start(w, CUSTOM, "{\"id\":7,\"__source\":\"x\"}");
    yyjson_val *call, *body;
    assert_true(json_parse(w->arena, call_of(w, run), &call, NULL));
    assert_true(str_starts(json_get_str(call, "url"), STR("https://app.test/api/novu?action=execute&workflowId=wf&stepId=h&jobId=")));
    assert_true(json_parse(w->arena, json_get_str(call, "body"), &body, NULL));
    assert_true(str_eqz(json_write(w->arena, json_get(body, "payload")), "{\"id\":7}"));
    assert_true(str_eqz(json_write(w->arena, json_get(body, "state")), "[{\"stepId\":\"\",\"outputs\":{},\"state\":{\"status\":\"completed\"}}]"));
    int64_t start_at = w->now, waits[] = {1000, 3000, 7000};
    for (int i = 1; i <= 3; i++) {
        answer(w, run, i, i == 2 ? CALL_UNREACHABLE : CALL_ANSWERED, i == 2 ? 0 : 503, "");
        assert_int_equal(w->dry.queue_n, 1);
        assert_int_equal(w->dry.queue[0].attempt, i + 1);
        assert_int_equal(w->dry.queue[0].due_at - start_at, waits[i - 1]);
        w->now = w->dry.queue[0].due_at;
    }
    answer(w, run, 4, CALL_UNREACHABLE, 0, "");
    assert_has(w, run, "J1: Bridge execution failed/Failed {\"message\":\"Unable to reach Bridge Endpoint at `https://app.test/api/novu`. Run npx "
                       "novu@latest dev in Local mode, or ensure your Bridge app deployment is available.\",\"code\":\"ECONNREFUSED\"}\n");
    assert_has(w, run, "completed failed canceled | completed canceled");
    end(w);
}

static void after_a_cancel_a_call_ends_and_nothing_follows(void **state)
{
    (void)state;
    static const int statuses[] = {200, 503};
    for (int i = 0; i < 2; i++) {
        struct world *w = world_sms();
        w->bridge_url = STR("https://app.test/api/novu");
        size_t run = start(w, CUSTOM, "{}");
        input(w, run, &(struct machine_input){.kind = INPUT_CANCEL});
        answer(w, run, 1, CALL_ANSWERED, statuses[i], "{\"outputs\":{}}");
        assert_has(w, run, i ? "completed failed canceled | completed" : "completed completed canceled | completed");
        assert_int_equal(w->dry.outbox_n, 0);
        end(w);
    }
}

static void bridge_answers(void **state)
{
    (void)state;
    static const struct { int status; const char *body, *want; } cases[] = {
        {200, "{\"outputs\":{\"x\":\"y\"},\"options\":{}}", "J1: Step processed/Success {\"x\":\"y\"}\n"},
        {200, "{\"outputs\":{},\"options\":{\"skip\":true}}", "completed canceled completed | completed sent"},
        {200, "<html>", "\"code\":\"ResponseParseError\""},
        {401, "", "\"code\":\"BridgeAuthenticationFailed\""},
        {404, "", "\"code\":\"BridgeEndpointUnavailable\""},
        {502, "", "\"code\":\"BridgeEndpointNotFound\""},
        {400, "{\"code\":\"StepNotFoundError\",\"message\":\"no such step\",\"data\":{\"a\":1}}",
         "{\"message\":\"no such step\",\"code\":\"StepNotFoundError\",\"data\":{\"a\":1}}"},
        {418, "", "\"code\":\"UnknownBridgeRequestError\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_sms();
        w->bridge_url = STR("https://app.test/api/novu");
        size_t run = start(w, CUSTOM, "{}");
        answer(w, run, 1, CALL_ANSWERED, cases[i].status, cases[i].body);
        assert_has(w, run, cases[i].want);
        end(w);
    }
    struct world *w = world_sms();
    size_t run = start(w, CUSTOM, "{}");
    assert_has(w, run, "J1: Bridge execution failed/Failed {\"message\":\"Bridge URL is not set for environment id: 000000000000000000000000\",\"code\":\"InvalidBridgeUrl\"}\n");
    end(w);
}

/* --- content that renders to nothing --- */

static const struct {
    const char *type, *values, *overrides, *error;      /* NULL: no overrides; the step does its work */
} empties[] = {
    {"in_app", "{\"body\":\"{{payload.none}}\"}", NULL, "Subject or body is required"},
    {"in_app", "{\"subject\":\"{{payload.none}}\",\"body\":\"{{payload.none}}\"}", NULL, "Subject or body is required"},
    {"in_app", "{\"subject\":\"s\",\"body\":\"{{payload.none}}\"}", NULL, NULL},
    {"in_app", "{\"subject\":\"{{payload.none}}\",\"body\":\"b\"}", NULL, NULL},
    {"in_app", "{}", NULL, "Subject or body is required"},
    {"email", "{\"subject\":\"{{payload.none}}\",\"body\":\"b\"}", NULL, "Subject is required"},
    {"email", "{\"subject\":\"s\",\"body\":\"{{payload.none}}\"}", NULL, NULL},
    {"email", "{\"subject\":\"{{payload.none}}\",\"body\":\"b\"}", "{\"email\":{\"subject\":\"o\"}}", NULL},
    {"email", "{\"subject\":\"{{payload.none}}\",\"body\":\"b\"}", "{\"email\":{\"from\":\"o@x.test\"}}", "Subject is required"},
    {"email", "{\"subject\":\"{{payload.none}}\",\"body\":\"b\"}", "{\"providers\":{\"novu-email\":{\"templateId\":\"t\"}}}", NULL},
    {"sms", "{\"body\":\"{{payload.none}}\"}", NULL, "Body is required"},
    {"sms", "{\"body\":\"{{payload.none}} \"}", NULL, NULL},
    {"sms", "{\"body\":\"\"}", "{\"sms\":{\"content\":\"o\"}}", NULL},
    {"sms", "{\"body\":\"\"}", "{\"novu-sms\":{\"content\":\"o\"}}", NULL},
    {"push", "{\"subject\":\"{{payload.none}}\",\"body\":\"{{payload.none}}\"}", NULL, "Subject or body is required"},
    {"push", "{\"subject\":\"{{payload.none}}\",\"body\":\"b\"}", NULL, NULL},
    {"push", "{}", "{\"push\":{\"type\":\"data\"}}", NULL},
    {"chat", "{\"body\":\"{{payload.none}}\"}", NULL, "Body is required"},
    {"chat", "{\"body\":\"{{payload.none}}\",\"providerOverrides\":{\"slack\":{\"blocks\":[1]}}}", NULL, NULL},
};

static void content_that_renders_to_nothing_is_not_sent(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof empties / sizeof *empties; i++)
        for (int off = 0; off < 2; off++) {         /* also for those who would not get it (engine.md §3) */
            struct world *w = world_sms();
            world_integration(w, CHANNEL_EMAIL, "novu-email");
            world_integration(w, CHANNEL_IN_APP, "novu");
            if (empties[i].overrides)
                assert_true(json_parse(w->arena, str_of(empties[i].overrides), &w->overrides, NULL));
            for (int c = 0; c < CHANNELS; c++)
                w->preferences.global.channel[c] = off ? CHOICE_OFF : CHOICE_ON;
            w->preferences.found = PREFERENCE_GLOBAL;
            size_t run = start(w, str_fmt(w->arena, "[{\"type\":\"%s\",\"stepId\":\"s\",\"controlValues\":%s}]", empties[i].type,
                                          empties[i].values).p, "{}");
            struct str want = str_fmt(w->arena, "J1: Message content could not be generated/Failed {\"error\":\"%s\"}\ncompleted failed",
                                      empties[i].error ? empties[i].error : "");
            if ((str_find(record(w, run), want) >= 0) != (empties[i].error != NULL))
                fail_msg("%s %s: %s", empties[i].type, empties[i].values, record(w, run).p);
            if (w->dry.messages_n != (size_t)(!empties[i].error && !off))
                fail_msg("%s %s, %s: %zu messages, %s", empties[i].type, empties[i].values, off ? "off" : "on", w->dry.messages_n, record(w, run).p);
            end(w);
        }
}

/* A step that its condition skips needs no content, and older workflows stand by what is empty, but for an SMS. */
static void content_is_asked_for_where_it_counts(void **state)
{
    (void)state;
    struct world *w = world_sms();
    size_t run = start(w, "[{\"type\":\"sms\",\"stepId\":\"s\",\"controlValues\":{\"body\":\"{{payload.none}}\","
                          "\"skip\":{\"==\":[1,2]}}}]", "{}");
    assert_record(w, run, "J1: Bridge execution skipped/Failed {\"skip\":true}\ncompleted canceled | completed skipped");
    end(w);
    w = world_sms();
    world_integration(w, CHANNEL_EMAIL, "novu-email");
    run = start(w, "[{\"type\":\"email\",\"legacy\":{},\"stepId\":\"e\",\"controlValues\":{\"body\":\"b\"}},"
                   "{\"type\":\"sms\",\"legacy\":{},\"stepId\":\"s\",\"controlValues\":{}}]", "{}");
    assert_has(w, run, "J2: Message content could not be generated/Failed {\"error\":\"Unexpected error: SMS content is missing\"}\n"
                       "completed completed failed");
    assert_int_equal(w->dry.messages_n, 1);
    end(w);
}

/* --- filters that ask --- */

#define ASKS "{\"on\":\"webhook\",\"webhookUrl\":\"https://y.test\",\"field\":\"ok\",\"operator\":\"EQUAL\",\"value\":\"true\"}"
#define ASKING "[{\"type\":\"http_request\",\"stepId\":\"h\",\"controlValues\":{\"url\":\"https://x.test\"},\"filters\":[{\"value\":\"AND\"," \
    "\"children\":[" ASKS "," ASKS "]}]},{\"type\":\"sms\",\"stepId\":\"s\",\"controlValues\":{\"body\":\"b\"}}]"

/* Two questions and the step's own request: three, numbered on, so that no answer counts for another. */
static void each_answer_is_to_its_own_question(void **state)
{
    (void)state;
    struct world *w = world_sms();
    size_t run = start(w, ASKING, "{}");
    answer(w, run, 1, CALL_ANSWERED, 200, "{\"ok\":true}");
    answer(w, run, 1, CALL_ANSWERED, 200, "{\"ok\":true}");
    assert_has(w, run, "completed running pending |");
    answer(w, run, 2, CALL_TIMED_OUT, 0, "");
    assert_has(w, run, "J1: Webhook filter failed, retry will be executed/Pending {\"message\":\"Request failed\",\"attempt\":1}\n");
    answer(w, run, 3, CALL_ANSWERED, 200, "{\"ok\":true}");
    answer(w, run, 3, CALL_ANSWERED, 200, "{\"ok\":true}");
    assert_has(w, run, "completed running pending |");
    answer(w, run, 4, CALL_ANSWERED, 200, "{\"x\":1}");
    assert_has(w, run, "completed completed completed |");
    end(w);
}

static void a_cancel_finds_a_step_that_asks(void **state)
{
    (void)state;
    struct world *w = world_sms();
    size_t run = start(w, ASKING, "{}");
    input(w, run, &(struct machine_input){.kind = INPUT_CANCEL});
    answer(w, run, 1, CALL_ANSWERED, 200, "{\"ok\":true}");
    assert_has(w, run, "completed canceled canceled | completed");
    end(w);
}

/* --- variants --- */

#define VARIANT(filters, body) "{\"filters\":[{\"children\":[" filters "]}],\"controlValues\":{\"body\":\"" body "\"}}"
#define N_IS(n) "{\"on\":\"payload\",\"field\":\"n\",\"operator\":\"EQUAL\",\"value\":\"" n "\"}"

/* What the step itself says need not even render where a variant is sent; each may ask. */
static void the_first_variant_that_fits_is_sent(void **state)
{
    (void)state;
    static const struct { const char *payload, *answers[2], *want; } cases[] = {
        {"{\"n\":1}", {NULL}, "first"}, {"{\"n\":2}", {"{\"ok\":true}"}, "asked"}, {"{\"n\":3}", {"{\"ok\":false}"}, "third 3"},
        {"{\"n\":4}", {"{\"ok\":false}"}, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_sms();
        size_t run = start(w, "[{\"type\":\"sms\",\"stepId\":\"s\",\"legacy\":{},\"controlValues\":{\"body\":\"{% nothing %}\"},\"variants\":["
                              VARIANT(N_IS("1"), "first") "," VARIANT(ASKS, "asked") "," VARIANT(N_IS("3"), "third {{payload.n}}") "]}]", cases[i].payload);
        if (cases[i].answers[0])
            answer(w, run, 1, CALL_ANSWERED, 200, cases[i].answers[0]);
        assert_int_equal(w->dry.messages_n, cases[i].want != NULL);
        if (cases[i].want)
            assert_true(str_find(w->dry.messages[0].doc, str_fmt(w->arena, "\"content\":\"%s\"", cases[i].want)) >= 0);
        else
            assert_has(w, run, "J1: Message content could not be generated/Failed");
        assert_int_equal(str_find(record(w, run), STR("J1: Variant was chosen by the provided condition criteria/Success {\"conditions\":[{")) >= 0,
                         cases[i].want != NULL);
        end(w);
    }
}

/* --- integrations that ask --- */

#define IF_OK "[{\"value\":\"AND\",\"children\":[" ASKS ",{\"on\":\"payload\",\"field\":\"n\",\"operator\":\"EQUAL\",\"value\":\"1\"}]}]"

static struct world *world_asking(const char *conditions)
{
    struct world *w = world_new(1);
    w->subscriber.field[SUBSCRIBER_PHONE] = STR("+1");
    world_integration(w, CHANNEL_SMS, "twilio");
    world_integration(w, CHANNEL_SMS, "sns");
    w->integrations[1].primary = false;
    w->integrations[1].conditions = str_of(conditions);
    w->preferences.global = w->preferences.workflow = w->preferences.subscription = preference_blank();
    return w;
}

/* It is asked before the step looks for an integration, once, and what it said counts also when another takes over. */
static void an_integration_is_used_when_its_webhook_says_so(void **state)
{
    (void)state;
    static const struct { const char *conditions, *payload; int asked; enum call_end end; int status; const char *body, *provider; } cases[] = {
        {IF_OK, "{\"n\":1}", 1, CALL_ANSWERED, 200, "{\"ok\":true}", "sns"},
        {IF_OK, "{\"n\":1}", 1, CALL_ANSWERED, 200, "{\"ok\":false}", "twilio"},
        {IF_OK, "{\"n\":1}", 1, CALL_ANSWERED, 204, "", "twilio"},
        {IF_OK, "{\"n\":2}", 0, CALL_ANSWERED, 0, "", "twilio"},
        {IF_OK, "{\"n\":1}", 1, CALL_REFUSED, 0, "", "twilio"},
        {IF_OK, "{\"n\":1}", 3, CALL_ANSWERED, 503, "{\"ok\":true}", "twilio"},
        {"[{\"children\":[{\"on\":\"webhook\",\"webhookUrl\":\"https://y.test\",\"field\":\"ok\",\"operator\":\"NOT_EQUAL\",\"value\":\"x\"}]}]",
         "{}", 3, CALL_TIMED_OUT, 0, "", "twilio"},
        {"[{\"value\":\"AND\",\"children\":[" ASKS "," ASKS "]}]", "{}", 2, CALL_ANSWERED, 200, "{\"ok\":true}", "sns"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_asking(cases[i].conditions);
        size_t run = start(w, "[{\"type\":\"sms\",\"stepId\":\"s\",\"controlValues\":{\"body\":\"b\",\"skip\":{\"==\":[1,1]}}}]", cases[i].payload);
        for (int n = 1; n <= cases[i].asked; n++) {
            assert_int_equal(w->dry.messages_n, 0);
            answer(w, run, n, cases[i].end, cases[i].status, cases[i].body);
            answer(w, run, n, cases[i].end, cases[i].status, cases[i].body);
        }
        assert_int_equal(w->dry.messages_n, 1);
        if (str_find(w->dry.messages[0].doc, str_fmt(w->arena, "\"providerId\":\"%s\"", cases[i].provider)) < 0)
            fail_msg("case %zu: %s", i, w->dry.messages[0].doc.p);
        struct str said = record(w, run);
        ptrdiff_t matched = str_find(said, STR("Step conditions matched"));
        assert_true(matched >= 0 && str_find(str_sub(said, (size_t)matched + 5, said.n), STR("Step conditions matched")) < 0);
        end(w);
    }
}

/* The only one there is: the step is skipped, and says why. */
static void who_is_withheld_by_conditions_is_named(void **state)
{
    (void)state;
    static const char *const conditions[] = {"[{\"children\":[" N_IS("2") "]}]", "{\"==\":[1,2]}", "[{\"children\":[" ASKS "]}]"};
    for (int k = 0; k < 3; k++)
        for (int named = 0; named < 2; named++) {
            struct world *w = world_asking(conditions[k]);
            if (named)
                assert_true(json_parse(w->arena, STR("{\"sms\":{\"integrationIdentifier\":\"sns\"}}"), &w->overrides, NULL));
            else
                w->integrations[0].active = false;
            size_t run = start(w, SMS, "{\"n\":1}");
            if (k == 2)
                answer(w, run, 1, CALL_ANSWERED, 200, "{\"ok\":false}");
            assert_has(w, run, "J1: Integration skipped because its conditions did not match/Warning {\"providerId\":\"sns\",");
            assert_has(w, run, "completed canceled | completed skipped");
            end(w);
        }
}

static void who_takes_over_is_who_was_asked(void **state)
{
    (void)state;
    static const char *const bodies[] = {"{\"ok\":false}", "{\"ok\":true}"};
    for (int ok = 0; ok < 2; ok++) {
        struct world *w = world_asking("[{\"children\":[" ASKS "]}]");
        w->integrations[0].conditions = STR("[{\"children\":[{\"on\":\"payload\",\"field\":\"n\",\"operator\":\"EQUAL\",\"value\":\"1\"}]}]");
        w->integrations[0].priority = 2;
        size_t run = start(w, "[{\"type\":\"sms\",\"stepId\":\"s\",\"controlValues\":{\"body\":\"b\"}}]", "{\"n\":1}");
        answer(w, run, 1, CALL_ANSWERED, 200, bodies[ok]);
        input(w, run, &(struct machine_input){.kind = INPUT_DELIVERY, .job = 1, .attempt = 1, .verdict = VERDICT_UNUSABLE, .error = STR("no")});
        if ((str_find(record(w, run), STR("Failing over to ")) >= 0) != ok)
            fail_msg("%s", record(w, run).p);
        end(w);
    }
}

/* The questions come before the application's, which has its own four tries. */
static void the_applications_step_asks_too(void **state)
{
    (void)state;
    struct world *w = world_asking(IF_OK);
    w->bridge_url = STR("https://app.test/api/novu");
    w->workflow_members = "\"origin\":\"external\"";
    size_t run = start(w, "[{\"type\":\"sms\",\"stepId\":\"s\",\"controlValues\":{}}]", "{\"n\":1}");
    answer(w, run, 1, CALL_ANSWERED, 200, "{\"ok\":true}");
    for (int n = 2; n < 5; n++)
        answer(w, run, n, CALL_TIMED_OUT, 0, "");
    assert_has(w, run, "completed running |");
    answer(w, run, 5, CALL_ANSWERED, 200, "{\"outputs\":{\"body\":\"b\"}}");
    assert_int_equal(w->dry.messages_n, 1);
    assert_true(str_find(w->dry.messages[0].doc, STR("\"providerId\":\"sns\"")) >= 0);
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preferences_by_source),
        cmocka_unit_test(outside_of_the_schedule_the_step_is_skipped_and_the_chain_goes_on),
        cmocka_unit_test(a_delay_is_extended_to_the_schedule_at_most_three_times),
        cmocka_unit_test(legacy_filters),
        cmocka_unit_test(isonline_in_last),
        cmocka_unit_test(rules_compiled_and_rendered),
        cmocka_unit_test(a_deep_rule_is_contained),
        cmocka_unit_test(a_request_waits_and_its_answer_is_used),
        cmocka_unit_test(answers_by_kind),
        cmocka_unit_test(a_long_answer_is_cut_in_the_log),
        cmocka_unit_test(what_cannot_be_sent_fails_the_step),
        cmocka_unit_test(a_bridge_is_tried_four_times),
        cmocka_unit_test(after_a_cancel_a_call_ends_and_nothing_follows),
        cmocka_unit_test(bridge_answers),
        cmocka_unit_test(content_that_renders_to_nothing_is_not_sent),
        cmocka_unit_test(content_is_asked_for_where_it_counts),
        cmocka_unit_test(each_answer_is_to_its_own_question),
        cmocka_unit_test(a_cancel_finds_a_step_that_asks),
        cmocka_unit_test(the_first_variant_that_fits_is_sent),
        cmocka_unit_test(an_integration_is_used_when_its_webhook_says_so),
        cmocka_unit_test(who_is_withheld_by_conditions_is_named),
        cmocka_unit_test(who_takes_over_is_who_was_asked),
        cmocka_unit_test(the_applications_step_asks_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
