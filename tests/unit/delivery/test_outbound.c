/* Where customers' URLs may lead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <cmocka.h>

#include "delivery/outbound.h"

static const struct {
    const char *url, *why;      /* why NULL: fine */
} texts[] = {
    {"https://example.com/x?y", NULL}, {"HTTP://Example.com", NULL}, {"https://8.8.8.8/", NULL}, {"https://[2606:4700::1]:8443/", NULL},
    {"example.com", "Invalid URL format."}, {"", "Invalid URL format."}, {"://x", "Invalid URL format."}, {"https://", "Invalid URL format."},
    {"ftp://example.com", "URL scheme \"ftp:\" is not allowed. Only http and https are permitted."},
    {"https://a:b@example.com/", "URLs with embedded credentials are not allowed."},
    {"https://example.com/?mail=a@b.c", NULL},
    {"http://localhost:3000/", "Requests to \"localhost\" are not allowed."},
    {"http://LOCALHOST./", "Requests to \"localhost\" are not allowed."},
    {"http://a.localhost/", "Requests to \"a.localhost\" are not allowed."},
    {"http://metadata.google.internal/", "Requests to \"metadata.google.internal\" are not allowed."},
    {"http://127.0.0.1/", "The request was blocked by the outbound SSRF policy."},
    {"http://[::1]/", "The request was blocked by the outbound SSRF policy."},
    {"http://169.254.169.254/latest", "The request was blocked by the outbound SSRF policy."},
    {"http://[::ffff:10.0.0.1]/", "The request was blocked by the outbound SSRF policy."},
};

static void urls_by_their_text(void **state)
{
    (void)state;
    const struct outbound_policy p = {.allow = STR("")};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct arena *a ARENA_SCOPED = arena_create(0);
        struct outbound_target t;
        struct error err = {0};
        bool ok = outbound_check(&p, a, str_of(texts[i].url), &t, &err);
        if (ok != !texts[i].why || (!ok && strcmp(err.message, texts[i].why)))
            fail_msg("%s: %s", texts[i].url, err.message);
    }
}

static bool address_ok(const struct outbound_policy *p, const char *text, bool named)
{
    struct sockaddr_storage s = {0};
    struct outbound_target t = {.policy = p, .named = named};
    if (strchr(text, ':')) {
        s.ss_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&s)->sin6_addr), 1);
    } else {
        s.ss_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, text, &((struct sockaddr_in *)&s)->sin_addr), 1);
    }
    bool ok = outbound_address_ok((struct sockaddr *)&s, &t);
    assert_int_equal(t.refused, !ok);
    return ok;
}

static const char *const far_away[] = {"8.8.8.8", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "11.0.0.1", "2606:4700::1111",
                                       "2002:808:808::1", "64:ff9b::808:808", "::ffff:8.8.8.8"};
static const char *const near_by[] = {"0.0.0.0", "10.1.2.3", "127.8.8.8", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "::", "::1",
                                      "fc00::1", "fdff::1", "::ffff:192.168.1.1", "::7f00:1", "64:ff9b::a00:1", "2002:a00:1::1"};
static const char *const never[] = {"169.254.169.254", "fe80::1", "::ffff:169.254.1.1", "2002:a9fe:a9fe::1", "64:ff9b::a9fe:a9fe"};

#define EACH(list, s) for (size_t i_ = 0; i_ < sizeof(list) / sizeof *(list) && ((s) = (list)[i_]); i_++)

static void addresses_by_policy(void **state)
{
    (void)state;
    const struct outbound_policy strict = {.allow = STR("")}, dev = {.private_ok = true},
                                 listed = {.allow = STR("10.1.0.0/16, 192.168.0.1,::1 ,fd00::/8")};
    const char *s;
    EACH(far_away, s)
        if (!address_ok(&strict, s, false))
            fail_msg("%s is refused", s);
    EACH(near_by, s) {
        if (address_ok(&strict, s, false))
            fail_msg("%s is let through", s);
        if (!address_ok(&dev, s, false) || !address_ok(&strict, s, true))
            fail_msg("%s is refused where private is fine", s);
    }
    EACH(never, s)
        if (address_ok(&dev, s, true) || address_ok(&strict, s, true))
            fail_msg("%s is let through", s);
    assert_true(address_ok(&listed, "10.1.255.1", false));
    assert_true(address_ok(&listed, "::ffff:10.1.255.1", false));
    assert_false(address_ok(&listed, "10.2.0.1", false));
    assert_true(address_ok(&listed, "192.168.0.1", false));
    assert_false(address_ok(&listed, "192.168.0.2", false));
    assert_true(address_ok(&listed, "::1", false));
    assert_true(address_ok(&listed, "fdaa::1", false));
    assert_false(address_ok(&listed, "fc00::1", false));
}

static void names_may_be_allowed(void **state)
{
    (void)state;
    const struct outbound_policy p = {.allow = STR("hooks.internal,*.corp.example,.dev")};
    static const struct { const char *url; bool named; } cases[] = {
        {"http://hooks.internal/", true}, {"http://HOOKS.internal:80/", true}, {"http://x.hooks.internal/", false}, {"http://a.corp.example/", true},
        {"http://corp.example/", false}, {"http://evilcorp.example/", false}, {"http://a.b.dev/", true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *a ARENA_SCOPED = arena_create(0);
        struct outbound_target t;
        assert_true(outbound_check(&p, a, str_of(cases[i].url), &t, NULL));
        assert_int_equal(t.named, cases[i].named);
    }
    assert_true(outbound_allow_valid(p.allow));
    assert_true(outbound_allow_valid(STR("")));
    assert_true(outbound_allow_valid(STR("10.0.0.0/8,::1,*.x.y")));
    assert_false(outbound_allow_valid(STR("10.0.0.0/33")));
    assert_false(outbound_allow_valid(STR("http://x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_by_their_text),
        cmocka_unit_test(addresses_by_policy),
        cmocka_unit_test(names_may_be_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
