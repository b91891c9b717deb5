/* Cron expressions as recorded from npm cron-parser 4.9, and local time in zones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "content/cron.h"
#include "support/data.h"

static int64_t at(const char *iso)
{
    int64_t ms;
    if (!time_parse_iso(str_of(iso), &ms))
        fail_msg("bad time in the test: %s", iso);
    return ms;
}

static void assert_fires(yyjson_val *recorded)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct zone z ZONE_SCOPED = zone_open(json_get_str(recorded, "tz"));
    struct error err = {0};
    struct cron c;
    yyjson_val *want, *fires = json_get(recorded, "next"), *error = json_get(recorded, "error");
    struct str text = json_write(a, recorded);
    int64_t now = at(yyjson_get_str(json_get(recorded, "from")));
    size_t i, n;
    int64_t never;
    bool good = cron_parse(json_get_str(recorded, "expr"), &c, &err) && (!error || cron_next(&c, &z, now, &never, &err));
    if (good != !error || (error && !str_eqz(json_str(error), err.message)))
        fail_msg("%.*s: %s", STR_ARG(text), good ? "was accepted" : err.message);
    yyjson_arr_foreach(fires, i, n, want) {
        char iso[TIME_ISO_LEN + 1];
        assert_true(cron_next(&c, &z, now, &now, &err));
        time_iso(now, iso);
        if (!str_eqz(json_str(want), iso))
            fail_msg("%.*s: fire %zu is at %s", STR_ARG(text), i, iso);
    }
}

static void recorded_cases(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    const char *const files[] = {"cases.json", "more_cases.json"};
    const size_t at_least[] = {302, 900};
    for (size_t f = 0; f < 2; f++) {
        yyjson_val *v, *cases = data_json(a, str_z(a, str_fmt(a, "%s/cron/%s", TESTDATA, files[f])));
        size_t i, n;
        assert_true(yyjson_arr_size(cases) >= at_least[f]);
        yyjson_arr_foreach(cases, i, n, v)
            assert_fires(v);
    }
}

static void assert_never(const char *expression, const char *reason)
{
    struct zone z ZONE_SCOPED = zone_open(STR_NULL);
    struct error err = {0};
    struct cron c;
    int64_t next;
    if (cron_parse(str_of(expression), &c, &err))
        assert_false(cron_next(&c, &z, at("2025-01-01"), &next, &err));
    assert_string_equal(err.message, reason);
}

static void an_expression_that_never_fires_says_so(void **state)
{
    (void)state;
    assert_never("0 0 31 2,4 *", "Invalid expression, loop limit exceeded");
    assert_never("0 0 * * L", "Invalid last weekday of the month expression: L");
}

/* Where the clocks leap at midnight or by half an hour, or a day is left out, no fire is lost; where the dialect shifts it, it
 * stays where that puts it. `from` is not before the last fire; then two fires. */
static void a_leap_loses_no_fire(void **state)
{
    static const struct {
        const char *expression, *zone, *from, *first, *second;
    } cases[] = {
        {"0 0 * * *", "America/Santiago", "2025-09-06T12:00:00Z", "2025-09-07T04:00:00.000Z", "2025-09-08T03:00:00.000Z"},
        {"30 0 * * *", "America/Santiago", "2025-09-06T12:00:00Z", "2025-09-07T04:30:00.000Z", "2025-09-08T03:30:00.000Z"},
        {"*/20 0 * * *", "America/Santiago", "2025-09-06T12:00:00Z", "2025-09-07T04:00:00.000Z", "2025-09-08T03:00:00.000Z"},
        {"0 */6 * * *", "America/Santiago", "2025-09-06T22:00:00Z", "2025-09-07T04:00:00.000Z", "2025-09-07T09:00:00.000Z"},
        {"0 0 * * 5", "Africa/Cairo", "2025-04-20T00:00:00Z", "2025-04-24T22:00:00.000Z", "2025-05-01T21:00:00.000Z"},
        {"0 0 * * 0", "Asia/Beirut", "2025-03-28T00:00:00Z", "2025-03-29T22:00:00.000Z", "2025-04-05T21:00:00.000Z"},
        {"0 0 1 * *", "America/Santiago", "2025-08-20T00:00:00Z", "2025-09-01T04:00:00.000Z", "2025-10-01T03:00:00.000Z"},
        {"15 2 * * *", "Australia/Lord_Howe", "2025-10-04T00:00:00Z", "2025-10-04T15:45:00.000Z", "2025-10-05T15:15:00.000Z"},
        {"30 15 2 * * 0", "Australia/Lord_Howe", "2025-10-01T00:00:00Z", "2025-10-04T15:45:30.000Z", "2025-10-11T15:15:30.000Z"},
        {"30 2 * * *", "America/New_York", "2025-03-08T12:00:00Z", "2025-03-09T07:30:00.000Z", "2025-03-10T06:30:00.000Z"},
        {"30 2,5 * * *", "America/New_York", "2025-03-08T12:00:00Z", "2025-03-09T07:30:00.000Z", "2025-03-09T09:30:00.000Z"},
        {"0 2 * * *", "Europe/Berlin", "2025-03-29T12:00:00Z", "2025-03-30T01:00:00.000Z", "2025-03-31T00:00:00.000Z"},
        {"15 * * * *", "Australia/Lord_Howe", "2025-10-04T15:00:00Z", "2025-10-04T16:15:00.000Z", "2025-10-04T17:15:00.000Z"},
        {"0 9 * * *", "Pacific/Apia", "2011-12-29T20:00:00Z", "2011-12-30T19:00:00.000Z", "2011-12-31T19:00:00.000Z"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct zone z ZONE_SCOPED = zone_open(str_of(cases[i].zone));
        struct error err = {0};
        struct cron c;
        int64_t now = at(cases[i].from);
        const char *const want[] = {cases[i].first, cases[i].second};
        assert_true(cron_parse(str_of(cases[i].expression), &c, &err));
        for (int k = 0; k < 2; k++) {
            char iso[TIME_ISO_LEN + 1];
            assert_true(cron_next(&c, &z, now, &now, &err));
            time_iso(now, iso);
            if (strcmp(iso, want[k]) != 0)
                fail_msg("%s in %s: fire %d is at %s", cases[i].expression, cases[i].zone, k + 1, iso);
        }
    }
}

static void unknown_zones_are_utc(void **state)
{
    (void)state;
    const char *const names[] = {"", "UTC", "Mars/Olympus", "GMT+05:30x", "Europe/Berlin/Europe/Berlin/Europe/Berlin/Europe/Berlin/Europe/Berlin"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct zone z ZONE_SCOPED = zone_open(str_of(names[i]));
        assert_int_equal(zone_offset(&z, at("2025-07-01")), 0);
    }
    assert_false(zone_known(STR("Mars/Olympus")));
    assert_true(zone_known(STR("europe/BERLIN")));
    struct zone berlin ZONE_SCOPED = zone_open(STR("europe/BERLIN"));
    assert_int_equal(zone_offset(&berlin, at("2025-07-01")), 2 * MS_HOUR);
}

/* Northern and southern zones, half and quarter hours, half-hour changes, changes at midnight, a day left out. */
static const struct {
    const char *zone, *local, *utc;
} readings[] = {
    {"America/New_York", "2025-03-09T01:59:59", "2025-03-09T06:59:59Z"},
    {"America/New_York", "2025-03-09T02:30:00", "2025-03-09T07:30:00Z"},    /* gap */
    {"America/New_York", "2025-03-09T03:00:00", "2025-03-09T07:00:00Z"},
    {"America/New_York", "2025-11-02T01:30:00", "2025-11-02T05:30:00Z"},    /* the first of two */
    {"America/New_York", "2025-11-02T02:00:00", "2025-11-02T07:00:00Z"},
    {"Europe/Berlin", "2025-03-30T02:00:00", "2025-03-30T01:00:00Z"},
    {"Europe/Berlin", "2025-10-26T02:59:59", "2025-10-26T00:59:59Z"},
    {"Europe/London", "2025-03-30T01:15:00", "2025-03-30T01:15:00Z"},
    {"Europe/Lisbon", "2025-10-26T01:00:00", "2025-10-26T00:00:00Z"},
    {"Asia/Kolkata", "2024-02-29T00:00:00", "2024-02-28T18:30:00Z"},
    {"Asia/Kathmandu", "2024-12-31T23:59:59", "2024-12-31T18:14:59Z"},
    {"Asia/Tokyo", "2025-02-28T24:00:00", "2025-02-28T15:00:00Z"},
    {"Australia/Sydney", "2025-10-05T02:30:00", "2025-10-04T16:30:00Z"},    /* gap */
    {"Australia/Sydney", "2025-04-06T02:30:00", "2025-04-05T15:30:00Z"},    /* twice */
    {"Australia/Lord_Howe", "2025-10-05T02:15:00", "2025-10-04T15:45:00Z"}, /* gap of half an hour */
    {"Australia/Lord_Howe", "2025-04-06T01:45:00", "2025-04-05T14:45:00Z"}, /* half an hour twice */
    {"Australia/Adelaide", "2025-07-31T23:30:00", "2025-07-31T14:00:00Z"},
    {"Pacific/Auckland", "2025-09-28T02:30:00", "2025-09-27T14:30:00Z"},
    {"Pacific/Chatham", "2025-09-28T03:00:00", "2025-09-27T14:15:00Z"},
    {"America/St_Johns", "2025-03-09T02:10:00", "2025-03-09T05:40:00Z"},
    {"America/Santiago", "2025-09-07T00:30:00", "2025-09-07T04:30:00Z"},    /* gap at midnight */
    {"America/Sao_Paulo", "2018-11-04T00:00:00", "2018-11-04T03:00:00Z"},
    {"Asia/Jerusalem", "2025-03-28T02:30:00", "2025-03-28T00:30:00Z"},
    {"Asia/Beirut", "2025-10-25T23:30:00", "2025-10-25T20:30:00Z"},
    {"Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T22:00:00Z"},        /* a day that never was */
    {"Pacific/Kiritimati", "2025-01-01T00:00:00", "2024-12-31T10:00:00Z"},
};

static void local_times_in_zones(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof readings / sizeof *readings; i++) {
        struct zone z ZONE_SCOPED = zone_open(str_of(readings[i].zone));
        bool next_day = strstr(readings[i].local, "T24") != NULL;
        char local[32];
        snprintf(local, sizeof local, "%s", readings[i].local);
        if (next_day)
            memcpy(strstr(local, "T24"), "T00", 3);
        int64_t utc = zone_utc(&z, at(local) + (next_day ? MS_DAY : 0));
        char iso[TIME_ISO_LEN + 1];
        time_iso(utc, iso);
        if (utc != at(readings[i].utc))
            fail_msg("%s in %s is %s, not %s", readings[i].local, readings[i].zone, iso, readings[i].utc);
    }
}

static void an_overlap_can_be_read_on_either_side(void **state)
{
    (void)state;
    struct zone z ZONE_SCOPED = zone_open(STR("America/New_York"));
    int64_t local = at("2025-11-02T01:30:00");
    assert_int_equal(zone_utc_at(&z, local, -4 * MS_HOUR), at("2025-11-02T05:30:00Z"));
    assert_int_equal(zone_utc_at(&z, local, -5 * MS_HOUR), at("2025-11-02T06:30:00Z"));
    assert_int_equal(zone_utc_at(&z, local, 9 * MS_HOUR), at("2025-11-02T05:30:00Z"));
}

static void months_end_on_their_last_day(void **state)
{
    (void)state;
    static const struct { const char *from; int months; const char *to; } cases[] = {
        {"2025-01-31T10:00:00", 1, "2025-02-28T10:00:00"}, {"2024-01-31T10:00:00", 1, "2024-02-29T10:00:00"},
        {"2024-02-29T23:59:59", 12, "2025-02-28T23:59:59"}, {"2024-02-29T00:00:00", 48, "2028-02-29T00:00:00"},
        {"2025-12-31T00:00:00", 2, "2026-02-28T00:00:00"}, {"2025-03-31T00:00:00", -1, "2025-02-28T00:00:00"},
        {"2099-12-31T00:00:00", 2, "2100-02-28T00:00:00"}, {"2000-01-30T00:00:00", 1, "2000-02-29T00:00:00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(civil_add_months(at(cases[i].from), cases[i].months), at(cases[i].to));
}

static void civil_dates_there_and_back(void **state)
{
    (void)state;
    for (int64_t local = -40 * 365 * (int64_t)MS_DAY; local < 400 * 365 * (int64_t)MS_DAY; local += 7 * (int64_t)MS_DAY + 12345678) {
        struct civil c = civil_of(local);
        char iso[TIME_ISO_LEN + 1];
        assert_int_equal(civil_local(&c), local);
        time_iso(local, iso);
        if (c.year >= 1970)
            assert_int_equal(c.day, atoi(iso + 8));
        assert_int_equal(c.weekday, ((local / MS_DAY - (local % MS_DAY < 0) + 4) % 7 + 7) % 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_cases),
        cmocka_unit_test(an_expression_that_never_fires_says_so),
        cmocka_unit_test(a_leap_loses_no_fire),
        cmocka_unit_test(unknown_zones_are_utc),
        cmocka_unit_test(local_times_in_zones),
        cmocka_unit_test(an_overlap_can_be_read_on_either_side),
        cmocka_unit_test(months_end_on_their_last_day),
        cmocka_unit_test(civil_dates_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
