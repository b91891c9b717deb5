/* Push, chat, SMS and e-mail steps: whom they reach, with what, and how they end (engine.md §1.9, §7.3). */
#include "../../sim/world.h"

static struct run read_run(struct world *w, size_t run)
{
    struct run r;
    struct error err = {0};
    assert_true(run_decode(&w->dry.runs[run], w->arena, &r, &err));
    return r;
}

/* "detail/Status" of job 1 after its first two, then the job's status and skip. */
static struct str story(struct world *w, size_t run)
{
    struct run r = read_run(w, run);
    struct buf b = {.arena = w->arena};
    int seen = 0;
    for (int i = 0; i < r.log_n; i++)
        if (r.log[i].job == 1 && ++seen > 2)
            buf_fmt(&b, "%.*s/%s\n", STR_ARG(run_log_text(&r, &r.log[i])), detail_status_name(r.log[i].status).p);
    buf_fmt(&b, "%s %s", job_status_name(r.jobs[1].status).p, skip_reason_name(r.jobs[1].skip).p);
    return buf_finish(&b);
}

static void expect(struct world *w, size_t run, const char *want)
{
    struct str got = story(w, run);
    if (!str_eqz(got, want))
        fail_msg("got:\n%.*s\nwant:\n%s", STR_ARG(got), want);
}

static struct definition *one_step(struct world *w, const char *type)
{
    return world_definition(w, str_fmt(w->arena, "[{\"stepId\":\"a\",\"type\":\"%s\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}}]",
                                       type).p);
}

static yyjson_val *json(struct world *w, const char *text)
{
    yyjson_val *v;
    assert_true(json_parse(w->arena, str_of(text), &v, NULL));
    return v;
}

static size_t start(struct world *w, const struct definition *d, const char *payload)
{
    struct run r;
    struct machine m;
    world_start(w, d, payload ? json(w, payload) : NULL, &r, &m);
    world_commit(w, &m, d, payload ? json(w, payload) : NULL, NULL);
    return w->dry.runs_n - 1;
}

static void deliver(struct world *w, size_t run, int target, enum delivery_verdict v)
{
    struct run r = read_run(w, run);
    struct machine m;
    struct machine_input in = {.kind = INPUT_DELIVERY, .job = 1, .target = target, .attempt = r.targets[target].attempt, .verdict = v,
                               .provider_message_id = v == VERDICT_SENT ? STR("p1") : STR_NULL,
                               .error = v == VERDICT_SENT ? STR_NULL : STR("no")};
    struct queue_item item = {.id = run_delivery_id(w->dry.runs[run].id, target)};
    world_advance(w, run, &in, &r, &m);
    world_commit(w, &m, w->definitions[run], w->payloads[run], &item);
}

static void done(struct world *w, struct definition *d)
{
    cached_unref(&d->head);
    arena_destroy(w->arena);
}

static yyjson_val *doc_of(struct world *w, size_t message)
{
    yyjson_val *v;
    assert_true(json_parse(w->arena, w->dry.messages[message].doc, &v, NULL));
    return v;
}

/* --- push --------------------------------------------------------------------------------------------------------- */

static void push_sends_to_every_device(void **state)
{
    (void)state;
    struct world *w = world_new(1);
    world_integration(w, CHANNEL_PUSH, "fcm");
    world_integration(w, CHANNEL_PUSH, "expo");
    w->subscriber.field[SUBSCRIBER_CHANNELS] = STR("[{\"providerId\":\"fcm\",\"credentials\":{\"deviceTokens\":[\"t1\",\"t2\",\"t1\"]}},"
                                                   "{\"providerId\":\"expo\",\"credentials\":{\"deviceTokens\":[\"x1\"]}},"
                                                   "{\"providerId\":\"apns\",\"credentials\":{\"deviceTokens\":[\"gone\"]}}]");
    struct definition *d = one_step(w, "push");
    size_t run = start(w, d, NULL);
    assert_int_equal(w->dry.messages_n, 2);
    assert_int_equal(w->dry.queue_n, 3);
    assert_true(str_eqz(json_write(w->arena, json_get(doc_of(w, 0), "deviceTokens")), "[\"t1\",\"t2\"]"));
    deliver(w, run, 0, VERDICT_FAILED);
    assert_int_equal(read_run(w, run).jobs[1].status, JOB_RUNNING);      /* the others have not been tried */
    deliver(w, run, 1, VERDICT_SENT);
    deliver(w, run, 2, VERDICT_RETRY);
    assert_int_equal(read_run(w, run).jobs[1].status, JOB_DELAYED);
    assert_int_equal(w->dry.messages[0].status, MESSAGE_SENT);
    assert_int_equal(w->dry.messages[1].status, MESSAGE_WARNING);
    deliver(w, run, 2, VERDICT_FAILED);
    assert_int_equal(w->dry.messages[1].status, MESSAGE_ERROR);
    expect(w, run, "fcm provider was selected/Pending\nMessage created/Pending\nexpo provider was selected/Pending\n"
                   "Message created/Pending\nUnexpected provider error/Failed\nMessage sent/Success\n"
                   "Delivery attempt failed, retrying/Pending\nUnexpected provider error/Failed\ncompleted ");
    assert_int_equal(w->dry.runs[run].delivery, LIFECYCLE_SENT);
    done(w, d);
}

static void push_ends_as_the_contract_says(void **state)
{
    (void)state;
    static const struct { const char *channels; bool fails; const char *want; } cases[] = {
        {NULL, false, "Subscriber does not have a configured channel/Warning\ncanceled missing_push_token"},
        {"[{\"providerId\":\"fcm\",\"credentials\":{\"deviceTokens\":[]}}]", false,
         "Subscriber credentials is missing the tokens for sending a push notification message/Failed\n"
         "Some push channels skipped to send the message/Failed\ncanceled missing_push_token"},
        {"[{\"providerId\":\"fcm\",\"credentials\":{\"deviceTokens\":[\"a\"]}}]", true,
         "fcm provider was selected/Pending\nMessage created/Pending\nUnexpected provider error/Failed\n"
         "There was one or more errors when trying to execute the notification/Failed\nfailed "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_new(2);
        world_integration(w, CHANNEL_PUSH, "fcm");
        w->subscriber.field[SUBSCRIBER_CHANNELS] = str_of(cases[i].channels);
        struct definition *d = one_step(w, "push");
        size_t run = start(w, d, NULL);
        if (cases[i].fails)
            deliver(w, run, 0, VERDICT_FAILED);
        expect(w, run, cases[i].want);
        assert_int_equal(w->dry.runs[run].status, RUN_COMPLETED);
        done(w, d);
    }
}

static void push_tokens_of_the_trigger_replace(void **state)
{
    (void)state;
    static const char *const overrides[] = {"{\"fcm\":{\"deviceTokens\":[\"o1\",\"o2\"]}}",
                                            "{\"providers\":{\"fcm\":{\"tokens\":[\"o1\",\"o2\"]}}}",
                                            "{\"providers\":{\"fcm\":{\"tokens\":[\"x\"]}},\"steps\":{\"a\":{\"providers\":{\"fcm\":{\"tokens\":[\"o1\",\"o2\"]}}}}}"};
    for (size_t i = 0; i < 3; i++)
        for (int has = 0; has < 2; has++) {
            struct world *w = world_new(3);
            world_integration(w, CHANNEL_PUSH, "fcm");
            if (has)
                w->subscriber.field[SUBSCRIBER_CHANNELS] = STR("[{\"providerId\":\"fcm\",\"credentials\":{\"deviceTokens\":[\"a\"]}}]");
            w->overrides = json(w, overrides[i]);
            struct definition *d = one_step(w, "push");
            start(w, d, NULL);
            assert_true(str_eqz(json_write(w->arena, json_get(doc_of(w, 0), "deviceTokens")), "[\"o1\",\"o2\"]"));
            assert_int_equal(w->dry.queue_n, 2);
            done(w, d);
        }
}

/* --- chat --------------------------------------------------------------------------------------------------------- */

static void chat_goes_to_every_webhook(void **state)
{
    (void)state;
    struct world *w = world_new(4);
    world_integration(w, CHANNEL_CHAT, "slack");
    world_integration(w, CHANNEL_CHAT, "discord");
    w->subscriber.field[SUBSCRIBER_CHANNELS] = STR("[{\"providerId\":\"slack\",\"credentials\":{\"webhookUrl\":\"https://hooks.example/1234\"}},"
                                                   "{\"providerId\":\"discord\",\"credentials\":{}}]");
    struct definition *d = one_step(w, "chat");
    size_t run = start(w, d, NULL);
    assert_int_equal(w->dry.messages_n, 2);
    assert_true(str_eqz(json_get_str(doc_of(w, 0), "chatWebhookUrl"), "https://..."));      /* not the secret */
    assert_true(str_find(read_run(w, run).targets[0].address, STR("https://hooks.example/1234")) >= 0);
    assert_int_equal(w->dry.messages[1].status, MESSAGE_WARNING);
    assert_true(str_eqz(json_get_str(doc_of(w, 1), "errorId"), "no_subscriber_chat_channel_id"));
    deliver(w, run, 0, VERDICT_SENT);
    expect(w, run, "slack provider was selected/Pending\nMessage created/Pending\ndiscord provider was selected/Pending\n"
                   "Message created/Pending\nWebhook URL for the chat channel is missing/Failed\nMessage sent/Success\ncompleted ");
    done(w, d);
}

static void chat_ends_as_the_contract_says(void **state)
{
    (void)state;
    static const struct { const char *provider, *channels; bool fails; const char *want; } cases[] = {
        {"slack", NULL, false, "Subscriber does not have a configured channel/Warning\ncanceled some_channels_missing_credentials"},
        {"slack", "[{\"providerId\":\"slack\",\"credentials\":{}}]", false,
         "slack provider was selected/Pending\nMessage created/Pending\nWebhook URL for the chat channel is missing/Failed\n"
         "Some chat channels skipped to send the message/Warning\ncanceled missing_webhook_url"},
        {"slack", "[{\"providerId\":\"slack\",\"credentials\":{\"webhookUrl\":\"https://x\"}}]", true,
         "slack provider was selected/Pending\nMessage created/Pending\nUnexpected provider error/Failed\n"
         "All chat channels failed to send the message/Failed\nfailed "},
        {"whatsapp-business", NULL, false,
         "whatsapp-business provider was selected/Pending\nMessage created/Pending\nSubscriber is missing a phone number/Failed\n"
         "Some chat channels skipped to send the message/Warning\ncanceled missing_phone"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_new(5);
        world_integration(w, CHANNEL_CHAT, cases[i].provider);
        w->subscriber.field[SUBSCRIBER_CHANNELS] = str_of(cases[i].channels);
        struct definition *d = one_step(w, "chat");
        size_t run = start(w, d, NULL);
        if (cases[i].fails)
            deliver(w, run, 0, VERDICT_FAILED);
        expect(w, run, cases[i].want);
        done(w, d);
    }
}

static void a_push_goes_where_the_trigger_says(void **state)
{
    (void)state;
    static const struct { const char *provider, *overrides, *tokens; } cases[] = {
        {"fcm", "{}", "[\"own\"]"}, {"fcm", "{\"fcm\":{\"deviceTokens\":[]}}", "[\"own\"]"},
        {"fcm", "{\"providers\":{\"fcm\":{\"topic\":\"news\"}}}", "[\"news\"]"},
        {"fcm", "{\"providers\":{\"fcm\":{\"condition\":\"'news' in topics\"}}}", "[\"'news' in topics\"]"},
        {"fcm", "{\"providers\":{\"fcm\":{\"token\":\"t\",\"tokens\":[\"a\",\"b\"]}}}", "[\"t\"]"},
        {"fcm", "{\"providers\":{\"fcm\":{\"tokens\":[{\"$exists\":true},\"safe\",null,1]}}}", "[\"safe\"]"},
        {"fcm", "{\"providers\":{\"fcm\":{\"tokens\":[{\"$exists\":true}]}}}", "[\"own\"]"},
        {"apns", "{\"providers\":{\"apns\":{\"topic\":\"io.acme.app\"}}}", "[\"own\"]"},      /* there it is the app's name */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_new(2);
        world_integration(w, CHANNEL_PUSH, cases[i].provider);
        w->subscriber.field[SUBSCRIBER_CHANNELS] = str_fmt(w->arena, "[{\"providerId\":\"%s\",\"credentials\":{\"deviceTokens\":[\"own\"]}}]",
                                                           cases[i].provider);
        assert_true(json_parse(w->arena, str_of(cases[i].overrides), &w->overrides, NULL));
        struct definition *d = one_step(w, "push");
        start(w, d, NULL);
        assert_int_equal(w->dry.messages_n, 1);
        if (!str_eqz(json_write(w->arena, json_get(doc_of(w, 0), "deviceTokens")), cases[i].tokens))
            fail_msg("%s: %s", cases[i].overrides, w->dry.messages[0].doc.p);
        done(w, d);
    }
}

static void phones_need_no_chat_channel(void **state)
{
    (void)state;
    struct world *w = world_new(6);
    world_integration(w, CHANNEL_CHAT, "whatsapp-business");
    w->subscriber.field[SUBSCRIBER_PHONE] = STR("+15550001");
    struct definition *d = one_step(w, "chat");
    size_t run = start(w, d, NULL);
    assert_true(str_find(read_run(w, run).targets[0].address, STR("+15550001")) >= 0);
    assert_true(str_eqz(json_get_str(doc_of(w, 0), "phone"), "+15550001"));
    deliver(w, run, 0, VERDICT_SENT);
    assert_int_equal(read_run(w, run).jobs[1].status, JOB_COMPLETED);
    done(w, d);
}

/* --- SMS ---------------------------------------------------------------------------------------------------------- */

static void phone_rules(void **state)
{
    (void)state;
    static const struct { const char *subscriber, *payload, *overrides, *want; } cases[] = {
        {"+1", NULL, NULL, "+1"}, {"+1", "{\"phone\":\"+2\"}", NULL, "+2"},
        {"+1", "{\"phone\":\"+2\"}", "{\"sms\":{\"to\":\"+3\",\"content\":\"c\",\"from\":\"me\"}}", "+3"},
        {"+1", NULL, "{\"sms\":{\"to\":\"+3\"},\"twilio\":{\"to\":\"+4\"}}", "+4"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world *w = world_new(7);
        world_integration(w, CHANNEL_SMS, "twilio");
        w->subscriber.field[SUBSCRIBER_PHONE] = str_of(cases[i].subscriber);
        w->overrides = cases[i].overrides ? json(w, cases[i].overrides) : NULL;
        struct definition *d = one_step(w, "sms");
        start(w, d, cases[i].payload);
        assert_true(str_eqz(json_get_str(doc_of(w, 0), "phone"), cases[i].want));
        if (i == 2) {
            assert_true(str_eqz(json_get_str(doc_of(w, 0), "content"), "c"));
            assert_true(str_eqz(json_get_str(doc_of(w, 0), "from"), "me"));
        }
        done(w, d);
    }
    struct world *w = world_new(8);
    world_integration(w, CHANNEL_SMS, "twilio");
    struct definition *d = one_step(w, "sms");
    size_t run = start(w, d, NULL);
    expect(w, run, "twilio provider was selected/Pending\nMessage created/Pending\nSubscriber missing phone number/Failed\n"
                   "canceled missing_phone");
    assert_int_equal(w->dry.messages[0].status, MESSAGE_WARNING);
    done(w, d);
}

static void an_sms_integration_without_sender(void **state)
{
    (void)state;
    struct world *w = world_new(9);
    world_integration(w, CHANNEL_SMS, "twilio");
    w->subscriber.field[SUBSCRIBER_PHONE] = STR("+1");
    struct definition *d = one_step(w, "sms");
    size_t run = start(w, d, NULL);
    deliver(w, run, 0, VERDICT_UNUSABLE);
    expect(w, run, "twilio provider was selected/Pending\nMessage created/Pending\nSubscriber does not have a configured channel/Failed\n"
                   "failed ");
    assert_int_equal(w->dry.messages[0].status, MESSAGE_WARNING);
    assert_true(str_eqz(json_get_str(doc_of(w, 0), "errorId"), "no_integration_from_phone"));
    done(w, d);
}

/* --- e-mail -------------------------------------------------------------------------------------------------------- */

static yyjson_val *mail(struct world *w, const char *overrides, struct definition **d)
{
    world_integration(w, CHANNEL_EMAIL, "nodemailer");
    w->overrides = json(w, overrides);
    *d = one_step(w, "email");
    start(w, *d, NULL);
    return doc_of(w, 0);
}

static void mail_overrides(void **state)
{
    (void)state;
    struct definition *d;
    struct world *w = world_new(10);
    yyjson_val *doc = mail(w, "{\"email\":{\"to\":[\"b@x\"],\"cc\":[\"c@x\"],\"bcc\":[\"d@x\"],\"replyTo\":\"r@x\",\"from\":\"f@x\","
                              "\"senderName\":\"F\",\"subject\":\"S\",\"text\":\"T\",\"html\":\"<i>H</i>\",\"headers\":{\"X-A\":\"1\"},"
                              "\"ipPoolName\":\"pool\",\"customData\":{\"k\":1}},\"nodemailer\":{\"senderName\":\"G\"}}", &d);
    static const struct { const char *path, *want; } texts[] = {
        {"email", "ada@example.com"}, {"to.0", "b@x"}, {"cc.0", "c@x"}, {"bcc.0", "d@x"}, {"replyTo", "r@x"}, {"from.email", "f@x"},
        {"from.name", "G"}, {"subject", "S"}, {"text", "T"}, {"content", "<i>H</i>"}, {"headers.X-A", "1"}, {"ipPoolName", "pool"}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!str_eqz(json_str(json_path(doc, str_of(texts[i].path))), texts[i].want))
            fail_msg("%s: %.*s", texts[i].path, STR_ARG(json_write(w->arena, doc)));
    assert_int_equal(json_get_int(json_get(doc, "customData"), "k", 0), 1);
    done(w, d);
}

static void mail_recipients(void **state)
{
    (void)state;
    static const struct { const char *email, *overrides, *want; int queued; } cases[] = {
        {"ada@example.com", "{\"email\":{\"toRecipient\":\"z@x\"}}", "z@x", 1},
        {"ada@example.com", "{\"email\":{\"replaceToRecipient\":true,\"to\":[\"z@x\"]}}", "z@x", 1},
        {"ada@example.com", "{\"email\":{\"replaceToRecipient\":true,\"bcc\":[\"z@x\"]}}", "", 1},
        {"ada@example.com", "{\"email\":{\"replaceToRecipient\":true}}", "", 0},
        {NULL, "{\"email\":{\"to\":[\"z@x\",\"y@x\"]}}", "z@x", 1},
        {NULL, "{}", "", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct definition *d;
        struct world *w = world_new(11);
        w->subscriber.field[SUBSCRIBER_EMAIL] = str_of(cases[i].email);
        yyjson_val *doc = mail(w, cases[i].overrides, &d);
        assert_true(str_eqz(json_get_str(doc, "email"), cases[i].want));
        assert_int_equal(w->dry.queue_n, cases[i].queued);
        if (i == 4)
            assert_int_equal(yyjson_arr_size(json_get(doc, "to")), 2);
        done(w, d);
    }
}

/* engine.md §1.9: the trigger's word for a provider, the step's last; objects merge, arrays are replaced. */
static void provider_data_merges(void **state)
{
    (void)state;
    struct definition *d;
    struct world *w = world_new(12);
    yyjson_val *doc = mail(w, "{\"providers\":{\"nodemailer\":{\"a\":{\"x\":1,\"y\":1},\"l\":[1,2],\"_passthrough\":{\"headers\":{\"A\":\"1\"}}}},"
                              "\"steps\":{\"a\":{\"providers\":{\"nodemailer\":{\"a\":{\"y\":2},\"l\":[3]}}}}}", &d);
    assert_true(str_eqz(json_write(w->arena, json_path(doc, STR("providers.nodemailer.a"))), "{\"x\":1,\"y\":2}"));
    assert_true(str_eqz(json_write(w->arena, json_path(doc, STR("providers.nodemailer.l"))), "[3]"));
    assert_true(str_eqz(json_str(json_path(doc, STR("providers.nodemailer._passthrough.headers.A"))), "1"));
    done(w, d);
}

/* --- random faults --------------------------------------------------------------------------------------------------- */

static uint64_t roll(uint64_t *s, uint64_t below)
{
    *s ^= *s >> 12;
    *s ^= *s << 25;
    *s ^= *s >> 27;
    return (*s * 2685821657736338717u >> 33) % below;
}

struct tried {
    int attempts[8][4];         /* by target and integration */
};

static void check_end(struct world *w, size_t run, const struct tried *t, uint64_t seed)
{
    struct run r = read_run(w, run);
    if (w->dry.queue_n || w->dry.runs[run].status != RUN_COMPLETED)
        fail_msg("seed %llu: did not end", (unsigned long long)seed);
    for (size_t i = 0; i < r.targets_n; i++) {
        assert_true(r.targets[i].status == TARGET_SENT || r.targets[i].status == TARGET_DEAD);
        for (size_t k = 0; k < w->integrations_n; k++)
            if (t->attempts[i][k] > w->attempts_max)
                fail_msg("seed %llu: %d attempts with one integration", (unsigned long long)seed, t->attempts[i][k]);
    }
}

/* Every delivery ends in one terminal state; never two attempts at once; no integration is asked more than so often. Results
 * come twice, late and after a crash. */
static void deliveries_end_once(void **state)
{
    (void)state;
    static const char *const types[] = {"email", "sms", "push"};
    for (uint64_t seed = 1; seed <= 400; seed++) {
        uint64_t s = seed * 0x9e3779b97f4a7c15u;
        struct world *w = world_new(seed);
        struct tried t = {0};
        const char *type = types[roll(&s, 3)];
        enum channel c = CHANNEL_IN_APP;
        channel_parse(str_of(type), &c);
        w->attempts_max = 1 + (int)roll(&s, 4);
        w->policy.failover = roll(&s, 2) ? 1 : -1;
        int integrations = 1 + (int)roll(&s, 3);
        static const char *const providers[] = {"p0", "p1", "p2"};
        for (int i = 0; i < integrations; i++) {
            world_integration(w, c, providers[i]);
            w->integrations[i].primary = i == 0;
        }
        w->subscriber.field[SUBSCRIBER_PHONE] = STR("+1");
        w->subscriber.field[SUBSCRIBER_CHANNELS] = STR("[{\"providerId\":\"p0\",\"credentials\":{\"deviceTokens\":[\"a\",\"b\",\"c\"]}}]");
        struct definition *d = one_step(w, type);
        size_t run = start(w, d, NULL);
        for (int step = 0; w->dry.queue_n && step < 500; step++) {
            struct queue_item q = w->dry.queue[roll(&s, w->dry.queue_n)];
            struct run r = read_run(w, run), again;
            struct machine m;
            if (q.due_at > w->now)
                w->now = q.due_at;
            const struct run_target *target = &r.targets[q.target];
            assert_int_equal(target->status, TARGET_OPEN);
            assert_int_equal(target->attempt, q.attempt);
            int used = 0;
            for (size_t k = 0; k < w->dry.queue_n; k++)
                used += w->dry.queue[k].target == q.target;
            assert_int_equal(used, 1);              /* one attempt is due or under way, never two */
            static const enum delivery_verdict verdicts[] = {VERDICT_SENT, VERDICT_RETRY, VERDICT_RETRY, VERDICT_RETRY, VERDICT_FAILED,
                                                             VERDICT_UNKNOWN, VERDICT_BLOCKED};
            struct machine_input in = {.kind = INPUT_DELIVERY, .job = 1, .target = q.target, .attempt = q.attempt,
                                       .verdict = verdicts[roll(&s, 7)], .error = STR("e"), .retry_after_ms = roll(&s, 4) ? 0 : 60000};
            if (in.verdict == VERDICT_BLOCKED) {
                in.retry_after_ms = 30000;
                in.integration = target->integration;
            }
            if (roll(&s, 10) == 0)
                continue;                           /* the process died before it knew: the row is still there */
            for (size_t k = 0; k < w->integrations_n; k++)
                if (in.verdict != VERDICT_BLOCKED && id_eq(w->integrations[k].id, target->integration))
                    t.attempts[q.target][k]++;
            world_advance(w, run, &in, &again, &m);
            world_commit(w, &m, d, NULL, &q);
            struct run now = read_run(w, run);      /* a circuit that made no difference has no number to know it again by */
            bool told = in.verdict != VERDICT_BLOCKED || !id_eq(now.targets[q.target].integration, in.integration);
            if (told && roll(&s, 4) == 0) {         /* the same result comes again */
                struct str before = w->dry.runs[run].state;
                world_advance(w, run, &in, &again, &m);
                assert_null(m.effects);
                assert_true(str_eq(before, run_encode(&again)));
            }
        }
        check_end(w, run, &t, seed);
        done(w, d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(push_sends_to_every_device),
        cmocka_unit_test(push_ends_as_the_contract_says),
        cmocka_unit_test(push_tokens_of_the_trigger_replace),
        cmocka_unit_test(chat_goes_to_every_webhook),
        cmocka_unit_test(chat_ends_as_the_contract_says),
        cmocka_unit_test(a_push_goes_where_the_trigger_says),
        cmocka_unit_test(phones_need_no_chat_channel),
        cmocka_unit_test(phone_rules),
        cmocka_unit_test(an_sms_integration_without_sender),
        cmocka_unit_test(mail_overrides),
        cmocka_unit_test(mail_recipients),
        cmocka_unit_test(provider_data_merges),
        cmocka_unit_test(deliveries_end_once),
    };
    if (!crypto_init())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
