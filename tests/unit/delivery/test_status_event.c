/* Reports of providers: the events of each, and who may send them. */
#include "delivery/status_event.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/crypto.h"

static const struct { const char *provider, *body, *id, *status; int64_t date, attempts; const char *response; } cases[] = {
    {"mailjet", "[{\"event\":\"bounce\",\"MessageID\":19421777835146490,\"time\":1767323045,\"attempt\":2,\"response\":\"no\"}]",
     "19421777835146490", "bounced", 1767323045000, 2, "no"},
    {"mailgun", "{\"event-data\":{\"event\":\"delivered\",\"timestamp\":1767323045.5,\"message\":{\"headers\":{\"message-id\":\"a@b\"}},"
                "\"delivery-status\":{\"attempt-no\":3,\"description\":\"ok\"}}}", "<a@b>", "delivered", 1767323045500, 3, "ok"},
    {"postmark", "{\"RecordType\":\"Open\",\"MessageID\":\"m-1\",\"ReceivedAt\":\"2026-01-02T03:04:05Z\"}", "m-1", "opened", 1767323045000, 1, ""},
    {"resend", "{\"type\":\"email.failed\",\"data\":{\"email_id\":\"r\"}}", "r", "rejected", 0, 1, ""},
    {"anypost", "{\"events\":[{\"type\":\"email.bounced\",\"data\":{\"email_id\":\"x\",\"smtp_code\":550}}]}", "x", "bounced", 0, 1, "550"},
    {"twilio", "MessageSid=SM1&MessageStatus=delivered&To=%2B1", "SM1", "delivered", 0, 1, ""},
    {"mandrill", "mandrill_events=%5B%7B%22event%22%3A%22spam%22%2C%22_id%22%3A%22md%22%7D%5D", "md", "spam", 0, 1, ""},
    {"telnyx", "{\"data\":{\"id\":\"event\",\"payload\":{\"id\":\"msg\",\"to\":[{\"status\":\"delivery_failed\"}]}}}", "msg", "failed", 0, 1, ""},
    {"termii", "{\"message_id\":\"t\",\"status\":\"Message sent\"}", "t", "sent", 0, 1, ""},
    {"push-webhook", "{\"eventId\":\"e\",\"eventType\":\"dismissed\"}", "e", "dismissed", 0, 1, ""},
};

static void test_each_provider(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *a ARENA_SCOPED = arena_create(0);
        struct status_event *e;
        yyjson_val *body;
        assert_true(status_event_body(a, str_of(cases[i].body), &body));
        assert_int_equal(status_event_read(a, str_of(cases[i].provider), body, &e), 1);
        assert_true(str_eqz(e->id, cases[i].id));
        assert_true(str_eqz(e->status, cases[i].status));
        assert_int_equal(e->date, cases[i].date);
        assert_int_equal(e->attempts, cases[i].attempts);
        assert_true(str_eqz(e->response, cases[i].response));
        assert_true(e->row.n > 2);
    }
}

static void test_what_means_nothing_is_passed_over(void **state)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct status_event *e;
    yyjson_val *body;
    (void)state;
    assert_true(status_event_body(a, STR("[{\"event\":\"hm\",\"MessageID\":1},7,{\"event\":\"open\"},{\"event\":\"open\",\"MessageID\":2},"
                                         "{\"event\":\"click\",\"MessageID\":2}]"), &body));
    assert_int_equal(status_event_read(a, STR("mailjet"), body, &e), 2);
    assert_true(str_eqz(e[0].status, "opened") && str_eqz(e[1].status, "clicked"));
    assert_int_equal(status_event_read(a, STR("nodemailer"), body, &e), 0);
    assert_false(status_event_known(STR("nodemailer")));
    assert_false(status_event_body(a, STR("hello"), &body));
    assert_false(status_event_body(a, STR("{"), &body));
    assert_false(status_event_body(a, STR(""), &body));
}

/* The vectors of providers.md §8. */
static void test_signatures(void **state)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    int64_t now = 1767323045000;
    yyjson_val *json;
    (void)state;
    assert_true(json_parse(a, STR("{\"signature\":{\"timestamp\":1767323045,\"token\":\"tok123\",\"signature\":"
                                  "\"84d612c5ea3bf580705f770ecb5866378b79ccd807a83c76b2f728f87893a81a\"}}"), &json, NULL));
    struct status_signature mailgun = {.json = json};
    assert_true(status_signature_good(a, STR("mailgun"), STR("key-x"), &mailgun, now));
    assert_false(status_signature_good(a, STR("mailgun"), STR("key-y"), &mailgun, now));
    assert_false(status_signature_good(a, STR("mailgun"), STR("key-x"), &mailgun, now + 901000));
    struct status_signature svix = {.id = STR("msg_1"), .timestamp = STR("1767323045"), .body = STR("{\"type\":\"email.sent\"}"),
                                    .value = STR("v1,old v1,cW4fi+Wz3mjnV0fUYqCJMaI8FMzqYbW/WJq7v1/uwzI=")};
    assert_true(status_signature_good(a, STR("resend"), STR("whsec_c2VjcmV0"), &svix, now));
    assert_false(status_signature_good(a, STR("resend"), STR("whsec_c2VjcmV0"), &svix, now - 301000));
    svix.body = STR("{}");
    assert_false(status_signature_good(a, STR("resend"), STR("whsec_c2VjcmV0"), &svix, now));
    struct str hex = crypto_hmac_sha256_hex(a, STR("k"), STR("1767323045.{}"));
    struct status_signature anypost = {.body = STR("{}"), .value = str_fmt(a, "t=1767323045,v1=00,v1=%.*s", STR_ARG(hex))};
    assert_true(status_signature_good(a, STR("anypost"), STR("k"), &anypost, now));
    assert_false(status_signature_good(a, STR("anypost"), STR("k"), &anypost, now + 301000));
    anypost.value = STR("");
    assert_false(status_signature_good(a, STR("anypost"), STR("k"), &anypost, now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_provider), cmocka_unit_test(test_what_means_nothing_is_passed_over),
                                       cmocka_unit_test(test_signatures)};
    crypto_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
