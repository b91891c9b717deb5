/* Code-first steps in the machine: what the bridge is asked, and what its answers become (engine.md §4.11, bridge-cli.md §2, §3.5). */
#include "../../sim/world.h"
#include "engine/bridge.h"

static const char URL[] = "https://app.test/api/novu";

static struct world *world_external(void)
{
    struct world *w = world_new(7);
    w->workflow_members = "\"origin\":\"external\"";
    w->bridge_url = STR("https://app.test/api/novu");
    w->outbox = true;
    w->subscriber.field[SUBSCRIBER_PHONE] = STR("+491");
    world_integration(w, CHANNEL_IN_APP, "novu");
    world_integration(w, CHANNEL_SMS, "twilio");
    return w;
}

static void end(struct world *w)
{
    for (size_t i = 0; i < w->dry.runs_n; i++) {
        bool shared = false;
        for (size_t k = 0; k < i; k++)
            shared |= w->definitions[k] == w->definitions[i];
        if (!shared)
            cached_unref((struct cached *)(uintptr_t)&w->definitions[i]->head);
    }
    arena_destroy(w->arena);
}

static size_t start(struct world *w, const char *steps, const char *payload)
{
    struct run r;
    struct machine m;
    yyjson_val *v;
    struct definition *d = world_definition(w, steps);
    assert_true(json_parse(w->arena, str_of(payload), &v, NULL));
    world_start(w, d, v, &r, &m);
    assert_true(world_commit(w, &m, d, v, NULL));
    return w->dry.runs_n - 1;
}

static struct run run_of(struct world *w, size_t at)
{
    struct run r = {0};
    struct error err = {0};
    assert_true(run_decode(&w->dry.runs[at], w->arena, &r, &err));
    return r;
}

/* The call that waits in the queue is answered. */
static void answer(struct world *w, size_t at, int status, const char *body)
{
    struct run r;
    struct machine m;
    assert_true(w->dry.queue_n > 0);
    struct queue_item q = w->dry.queue[0];
    for (size_t i = 0; i < w->dry.queue_n; i++)
        if (w->dry.queue[i].kind == QUEUE_CALL)
            q = w->dry.queue[i];
    assert_int_equal(q.kind, QUEUE_CALL);
    struct machine_input in = {.kind = INPUT_CALL, .job = q.job, .attempt = q.attempt,
                               .call = {.end = CALL_ANSWERED, .status = status, .body = str_of(body)}};
    world_advance(w, at, &in, &r, &m);
    assert_true(world_commit(w, &m, w->definitions[at], w->payloads[at], &q));
}

static yyjson_val *asked(struct world *w, size_t at, int job, struct str *url)
{
    struct run r = run_of(w, at);
    yyjson_val *call, *body;
    assert_true(json_parse(w->arena, r.jobs[job].call, &call, NULL));
    *url = json_get_str(call, "url");
    assert_true(json_parse(w->arena, json_get_str(call, "body"), &body, NULL));
    return body;
}

static bool logged(struct world *w, size_t at, int job, enum detail d)
{
    struct run r = run_of(w, at);
    for (int i = 0; i < r.log_n; i++)
        if (r.log[i].job == job && r.log[i].detail == d)
            return true;
    return false;
}

static void the_url_keeps_its_own_query(void **state)
{
    (void)state;
    static const struct { const char *url, *want; } cases[] = {
        {"http://h/p", "http://h/p?action=discover&workflowId=a%20b&environmentType=dev"},
        {"http://h/p?x=1", "http://h/p?x=1&action=discover&workflowId=a%20b&environmentType=dev"},
        {"http://h/p?action=old&x=1&", "http://h/p?x=1&action=discover&workflowId=a%20b&environmentType=dev"},
        {"http://h/p?x=1#top", "http://h/p?x=1&action=discover&workflowId=a%20b&environmentType=dev"},
    };
    struct arena *a ARENA_SCOPED = arena_create(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str made = bridge_url(a, str_of(cases[i].url), "discover", STR("a b"), STR_NULL, STR_NULL, STR("dev"));
        assert_string_equal(str_z(a, made), cases[i].want);
    }
}

static void every_step_is_asked_for_in_turn(void **state)
{
    (void)state;
    struct world *w = world_external();
    size_t run = start(w, "[{\"type\":\"in_app\",\"stepId\":\"bell\",\"controlValues\":{\"s\":\"{{payload.x}}\"}},"
                          "{\"type\":\"sms\",\"stepId\":\"text\",\"controlValues\":{}}]", "{\"b\":1.0,\"10\":1,\"9\":2,\"__source\":\"x\"}");
    struct str url;
    yyjson_val *body = asked(w, run, 1, &url);
    assert_true(str_starts(url, STR("https://app.test/api/novu?action=execute&workflowId=wf&stepId=bell&jobId=")));
    assert_true(str_ends(url, STR("&environmentType=dev")));
    assert_string_equal(str_z(w->arena, json_write(w->arena, json_get(body, "payload"))), "{\"9\":2,\"10\":1,\"b\":1}");
    assert_string_equal(str_z(w->arena, json_write(w->arena, json_get(body, "controls"))), "{\"s\":\"{{payload.x}}\"}");
    assert_int_equal(w->dry.messages_n, 0);
    answer(w, run, 200, "{\"outputs\":{\"body\":\"Hi <b>x</b>\"},\"providers\":{},\"options\":{}}");
    assert_int_equal(w->dry.messages_n, 1);
    assert_true(str_find(w->dry.messages[0].doc, STR("Hi <b>x</b>")) >= 0);
    body = asked(w, run, 2, &url);
    assert_string_equal(str_z(w->arena, json_write(w->arena, json_get(body, "state"))),
        "[{\"stepId\":\"bell\",\"outputs\":{\"seen\":false,\"read\":false,\"lastSeenDate\":null,\"lastReadDate\":null},"
        "\"state\":{\"status\":\"completed\"}},{\"stepId\":\"\",\"outputs\":{},\"state\":{\"status\":\"completed\"}}]");
    end(w);
}

static void providers_of_the_code_come_below_the_triggers(void **state)
{
    (void)state;
    struct world *w = world_external();
    assert_true(json_parse(w->arena, STR("{\"providers\":{\"twilio\":{\"b\":2,\"c\":{\"d\":1}}},\"steps\":{\"text\":{\"providers\":{\"twilio\":{\"e\":3}}}}}"),
                           &w->overrides, NULL));
    size_t run = start(w, "[{\"type\":\"sms\",\"stepId\":\"text\",\"controlValues\":{}}]", "{}");
    answer(w, run, 200, "{\"outputs\":{\"body\":\"x\"},\"providers\":{\"twilio\":{\"a\":1,\"b\":1,\"c\":{\"f\":1}}},\"options\":{}}");
    assert_int_equal(w->dry.messages_n, 1);
    assert_true(str_find(w->dry.messages[0].doc, STR("\"providers\":{\"twilio\":{\"a\":1,\"c\":{\"f\":1,\"d\":1},\"b\":2,\"e\":3}}")) >= 0
                || str_find(w->dry.messages[0].doc, STR("\"providers\":{\"twilio\":{\"a\":1,\"b\":2,\"c\":{\"f\":1,\"d\":1},\"e\":3}}")) >= 0);
    end(w);
}

static void outputs_that_are_not_enough_fail_the_step_alone(void **state)
{
    (void)state;
    static const struct { const char *type, *outputs; bool good; } cases[] = {
        {"in_app", "{}", false}, {"in_app", "{\"subject\":\"s\"}", true}, {"in_app", "{\"body\":\"\"}", false},
        {"sms", "{\"body\":5}", false}, {"sms", "{\"body\":\"\"}", true}, {"sms", "[]", false}, {"sms", "null", false},
        {"email", "{\"body\":\"b\"}", false}, {"email", "{\"subject\":\"s\"}", false}, {"email", "{\"subject\":\"s\",\"body\":\"b\"}", true},
        {"push", "{\"subject\":\"s\"}", false}, {"chat", "{}", false}, {"chat", "{\"card\":{}}", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_external();
        size_t run = start(w, str_fmt(w->arena, "[{\"type\":\"%s\",\"stepId\":\"a\",\"controlValues\":{}},{\"type\":\"custom\",\"stepId\":\"b\","
                                                "\"controlValues\":{}}]", cases[i].type).p, "{}");
        answer(w, run, 200, str_fmt(w->arena, "{\"outputs\":%s}", cases[i].outputs).p);
        if (logged(w, run, 1, DETAIL_CONTENT_FAILED) == cases[i].good)
            fail_msg("%s %s", cases[i].type, cases[i].outputs);
        if (!cases[i].good)             /* what is good may wait for its delivery */
            assert_true(run_of(w, run).jobs[2].call.n > 0);
        end(w);
    }
}

static void a_cancel_while_the_bridge_is_asked_ends_the_step(void **state)
{
    (void)state;
    static const char *const types[] = {"sms", "in_app", "delay", "digest", "throttle"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct world *w = world_external();
        size_t run = start(w, str_fmt(w->arena, "[{\"type\":\"%s\",\"stepId\":\"a\",\"controlValues\":{}},{\"type\":\"sms\",\"stepId\":\"b\","
                                                "\"controlValues\":{}}]", types[i]).p, "{}");
        assert_true(world_cancel(w, run, 0));
        answer(w, run, 200, "{\"outputs\":{\"body\":\"x\",\"amount\":1,\"unit\":\"hours\"}}");
        assert_int_equal(run_of(w, run).jobs[1].status, JOB_CANCELED);
        assert_int_equal(run_of(w, run).jobs[2].status, JOB_CANCELED);
        assert_int_equal(w->dry.messages_n, 0);
        assert_int_equal(w->dry.queue_n, 0);
        end(w);
    }
}

static void a_code_first_delay_waits_as_the_code_says(void **state)
{
    (void)state;
    struct world *w = world_external();
    size_t run = start(w, "[{\"type\":\"delay\",\"stepId\":\"a\",\"controlValues\":{\"amount\":9,\"unit\":\"days\"}}]", "{}");
    answer(w, run, 200, "{\"outputs\":{\"type\":\"regular\",\"amount\":2,\"unit\":\"hours\",\"extendToSchedule\":true}}");
    struct run r = run_of(w, run);
    assert_int_equal(r.jobs[1].status, JOB_DELAYED);
    assert_int_equal(r.jobs[1].due_at - w->now, 2 * 3600000);
    assert_true(str_find(r.jobs[1].timing, STR("\"extendToSchedule\":true")) >= 0);
    end(w);
}

static void javascript_json(void **state)
{
    (void)state;
    static const struct { const char *in, *want; } cases[] = {
        {"{\"title\":1,\"2\":1,\"1\":2}", "{\"1\":2,\"2\":1,\"title\":1}"},
        {"{\"b\":1,\"a\":2,\"b\":3}", "{\"b\":3,\"a\":2}"},
        {"{\"01\":1,\"4294967295\":1,\"4294967294\":2,\"0\":3}", "{\"0\":3,\"4294967294\":2,\"01\":1,\"4294967295\":1}"},
        {"[1.0,1E2,1e21,-0,-0.0,0.10,12345678901234567890,1152921504606846976,1e-7,5e-324]",
         "[1,100,1e+21,0,0,0.1,12345678901234567000,1152921504606847000,1e-7,5e-324]"},
        {"[\"a\\/b\",\"\\u00e9\\u2028\\u007f\",\"\\b\\f\\n\\r\\t\\u001f\"]", "[\"a/b\",\"\u00e9\u2028\x7f\",\"\\b\\f\\n\\r\\t\\u001f\"]"},
        {"{\"x\":[{},[],null,true,false,\"\"]}", "{\"x\":[{},[],null,true,false,\"\"]}"},
    };
    struct arena *a ARENA_SCOPED = arena_create(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        yyjson_val *v;
        assert_true(json_parse(a, str_of(cases[i].in), &v, NULL));
        assert_string_equal(str_z(a, json_write_js(a, v)), cases[i].want);
    }
}

static void a_failure_is_called_as_upstream_calls_it(void **state)
{
    (void)state;
    static const struct { struct call_answer answer; int status; const char *code; } cases[] = {
        {{.end = CALL_TIMED_OUT}, 408, "BridgeRequestTimeout"},
        {{.end = CALL_UNREACHABLE, .code = {"ECONNREFUSED", 12}}, 400, "ECONNREFUSED"},
        {{.end = CALL_UNREACHABLE, .code = {"SelfSignedCertificate", 21}}, 400, "SelfSignedCertificate"},
        {{.end = CALL_REFUSED, .code = {"MaximumRedirectsExceeded", 24}}, 400, "MaximumRedirectsExceeded"},
        {{.status = 405}, 400, "BridgeMethodNotConfigured"}, {{.status = 413, .body = {"<html>", 6}}, 413, "PayloadTooLarge"},
        {{.status = 502, .body = {"<html>", 6}}, 404, "BridgeEndpointNotFound"},
        {{.status = 502, .body = {"{\"code\":\"StepExecutionFailedError\",\"message\":\"m\"}", 49}}, 502, "StepExecutionFailedError"},
        {{.status = 404, .body = {"{\"code\":\"TUNNEL_ERROR\"}", 23}}, 404, "TunnelNotFound"},
        {{.status = 200, .body = {"[]", 2}}, 502, "ResponseParseError"}, {{.status = 418}, 500, "UnknownBridgeRequestError"},
    };
    struct arena *a ARENA_SCOPED = arena_create(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bridge_answer said = bridge_read(a, str_of(URL), &cases[i].answer);
        assert_null(said.body);
        assert_string_equal(str_z(a, said.code), cases[i].code);
        assert_int_equal(said.status, cases[i].status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_url_keeps_its_own_query),
        cmocka_unit_test(every_step_is_asked_for_in_turn),
        cmocka_unit_test(providers_of_the_code_come_below_the_triggers),
        cmocka_unit_test(outputs_that_are_not_enough_fail_the_step_alone),
        cmocka_unit_test(a_cancel_while_the_bridge_is_asked_ends_the_step),
        cmocka_unit_test(a_code_first_delay_waits_as_the_code_says),
        cmocka_unit_test(javascript_json),
        cmocka_unit_test(a_failure_is_called_as_upstream_calls_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
