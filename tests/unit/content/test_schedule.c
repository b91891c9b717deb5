/* Weekly delivery windows, through changes of the clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/clock.h"
#include "content/schedule.h"

static int64_t at(const char *iso)
{
    int64_t ms;
    if (!time_parse_iso(str_of(iso), &ms))
        fail_msg("bad time in the test: %s", iso);
    return ms;
}

static struct schedule read_schedule(struct arena *a, const char *text)
{
    yyjson_val *v = NULL;
    if (!json_parse(a, str_of(text), &v, NULL))
        fail_msg("bad JSON in the test: %s", text);
    return schedule_read(a, v);
}

#define HOURS(from, to) "{\"isEnabled\":true,\"hours\":[{\"start\":\"" from "\",\"end\":\"" to "\"}]}"
#define WEEK(days) "{\"isEnabled\":true,\"weeklySchedule\":{" days "}}"
#define EVERY_DAY(h) WEEK("\"monday\":" h ",\"tuesday\":" h ",\"wednesday\":" h ",\"thursday\":" h ",\"friday\":" h \
                          ",\"saturday\":" h ",\"sunday\":" h)

#define OFFICE WEEK("\"monday\":" HOURS("09:00 AM", "05:00 PM") ",\"friday\":" HOURS("09:00 AM", "05:00 PM"))
#define NIGHT WEEK("\"friday\":" HOURS("10:00 PM", "06:00 AM") ",\"saturday\":{\"isEnabled\":false,\"hours\":[]}")
#define TWICE WEEK("\"monday\":{\"isEnabled\":true,\"hours\":[{\"start\":\"08:00 AM\",\"end\":\"10:00 AM\"}," \
                   "{\"start\":\"12:00 PM\",\"end\":\"12:30 PM\"}]}")

/* 2025-06-06 is a Friday. */
static const struct {
    const char *schedule, *zone, *now;
    bool open;
    const char *next;           /* NULL: open, or never */
} cases[] = {
    {"null", "UTC", "2025-06-06T03:00:00Z", true, NULL},
    {"{\"isEnabled\":false,\"weeklySchedule\":{}}", "UTC", "2025-06-06T03:00:00Z", true, NULL},
    {"{\"isEnabled\":true}", "UTC", "2025-06-06T03:00:00Z", true, NULL},
    {WEEK(""), "UTC", "2025-06-06T03:00:00Z", false, NULL},
    {WEEK("\"monday\":{\"isEnabled\":true,\"hours\":[]}"), "UTC", "2025-06-06T03:00:00Z", false, NULL},
    {OFFICE, "", "2025-06-06T09:00:00Z", true, NULL},
    {OFFICE, "", "2025-06-06T08:59:59.999Z", false, "2025-06-06T09:00:00Z"},
    {OFFICE, "", "2025-06-06T17:00:59.999Z", true, NULL},
    {OFFICE, "", "2025-06-06T17:01:00Z", false, "2025-06-09T09:00:00Z"},
    {OFFICE, "", "2025-06-09T18:00:00Z", false, "2025-06-13T09:00:00Z"},
    {OFFICE, "Nowhere/City", "2025-06-06T09:00:00Z", true, NULL},
    {OFFICE, "America/New_York", "2025-06-06T09:00:00Z", false, "2025-06-06T13:00:00Z"},
    {OFFICE, "Asia/Kolkata", "2025-06-06T03:29:59Z", false, "2025-06-06T03:30:00Z"},
    {OFFICE, "Asia/Kolkata", "2025-06-06T03:30:00Z", true, NULL},
    {OFFICE, "Asia/Kathmandu", "2025-06-06T03:15:00Z", true, NULL},
    {OFFICE, "Pacific/Auckland", "2025-06-08T20:00:00Z", false, "2025-06-08T21:00:00Z"},
    {OFFICE, "Pacific/Kiritimati", "2025-06-05T19:00:00Z", true, NULL},
    {OFFICE, "America/St_Johns", "2025-06-06T11:29:00Z", false, "2025-06-06T11:30:00Z"},
    {TWICE, "UTC", "2025-06-09T11:00:00Z", false, "2025-06-09T12:00:00Z"},
    {TWICE, "UTC", "2025-06-09T12:31:00Z", false, "2025-06-16T08:00:00Z"},
    {NIGHT, "UTC", "2025-06-06T21:59:00Z", false, "2025-06-06T22:00:00Z"},
    {NIGHT, "UTC", "2025-06-06T23:00:00Z", true, NULL},
    {NIGHT, "UTC", "2025-06-07T06:00:30Z", true, NULL},                 /* into a day that has none */
    {NIGHT, "UTC", "2025-06-07T06:01:00Z", false, "2025-06-13T22:00:00Z"},
    {NIGHT, "UTC", "2025-06-06T05:00:00Z", false, "2025-06-06T22:00:00Z"},      /* not the night before */
    {EVERY_DAY(HOURS("12:00 AM", "12:00 AM")), "UTC", "2025-06-06T00:01:00Z", false, "2025-06-07T00:00:00Z"},
    /* the clocks leap over the window's start: it opens after the leap */
    {EVERY_DAY(HOURS("02:30 AM", "04:00 AM")), "America/New_York", "2025-03-09T06:00:00Z", false, "2025-03-09T07:00:00Z"},
    {EVERY_DAY(HOURS("02:30 AM", "04:00 AM")), "Australia/Sydney", "2025-10-04T15:00:00Z", false, "2025-10-04T16:00:00Z"},
    {EVERY_DAY(HOURS("02:10 AM", "03:00 AM")), "Australia/Lord_Howe", "2025-10-04T15:00:00Z", false, "2025-10-04T15:30:00Z"},
    {EVERY_DAY(HOURS("12:10 AM", "02:00 AM")), "America/Santiago", "2025-09-07T03:30:00Z", false, "2025-09-07T04:00:00Z"},
    /* over all of it: there is none that day */
    {EVERY_DAY(HOURS("02:15 AM", "02:45 AM")), "Europe/Berlin", "2025-03-30T00:00:00Z", false, "2025-03-31T00:15:00Z"},
    /* an hour that happens twice has the window twice */
    {EVERY_DAY(HOURS("01:15 AM", "01:30 AM")), "America/New_York", "2025-11-02T05:40:00Z", false, "2025-11-02T06:15:00Z"},
    {EVERY_DAY(HOURS("02:15 AM", "02:30 AM")), "Europe/Berlin", "2025-10-26T00:40:00Z", false, "2025-10-26T01:15:00Z"},
    {EVERY_DAY(HOURS("09:00 AM", "05:00 PM")), "Europe/Berlin", "2025-10-25T20:00:00Z", false, "2025-10-26T08:00:00Z"},
    /* month ends and leap days */
    {EVERY_DAY(HOURS("09:00 AM", "05:00 PM")), "Asia/Tokyo", "2024-02-28T20:00:00Z", false, "2024-02-29T00:00:00Z"},
    {EVERY_DAY(HOURS("09:00 AM", "05:00 PM")), "America/Sao_Paulo", "2025-02-28T21:00:00Z", false, "2025-03-01T12:00:00Z"},
    {EVERY_DAY(HOURS("09:00 AM", "05:00 PM")), "Pacific/Chatham", "2024-12-31T19:00:00Z", false, "2024-12-31T19:15:00Z"},
};

static void windows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *a ARENA_SCOPED = arena_create(0);
        struct schedule s = read_schedule(a, cases[i].schedule);
        struct zone z ZONE_SCOPED = zone_open(str_of(cases[i].zone));
        int64_t now = at(cases[i].now), next = 0;
        char iso[TIME_ISO_LEN + 1];
        if (schedule_is_open(&s, &z, now) != cases[i].open)
            fail_msg("case %zu: %s in %s is wrong about being open", i, cases[i].now, cases[i].zone);
        if (cases[i].open)
            continue;
        bool found = schedule_next_opening(&s, &z, now, &next);
        time_iso(found ? next : 0, iso);
        if (found != (cases[i].next != NULL) || (found && next != at(cases[i].next)))
            fail_msg("case %zu: %s in %s opens at %s, not %s", i, cases[i].now, cases[i].zone, iso, cases[i].next);
    }
}

/* The next opening is what trying every minute finds, in every kind of zone, around every change of the clocks. */
static void next_opening_is_the_first_open_minute(void **state)
{
    (void)state;
    static const char *const zones[] = {"UTC", "America/New_York", "Europe/London", "Europe/Berlin", "Asia/Kolkata",
                                        "Asia/Kathmandu", "Australia/Sydney", "Australia/Lord_Howe", "Australia/Adelaide",
                                        "Pacific/Auckland", "Pacific/Chatham", "America/St_Johns", "America/Santiago",
                                        "Asia/Jerusalem", "Atlantic/Azores"};
    static const char *const days[] = {"2025-03-08T00:00:00Z", "2025-03-29T00:00:00Z", "2025-04-05T00:00:00Z",
                                       "2025-09-06T00:00:00Z", "2025-10-04T00:00:00Z", "2025-10-25T00:00:00Z",
                                       "2025-11-01T00:00:00Z", "2024-02-28T00:00:00Z"};
    static const char *const schedules[] = {EVERY_DAY(HOURS("02:10 AM", "02:40 AM")), EVERY_DAY(HOURS("11:30 PM", "01:20 AM")),
                                            NIGHT, OFFICE, EVERY_DAY(HOURS("12:00 AM", "12:05 AM"))};
    struct arena *a ARENA_SCOPED = arena_create(0);
    for (size_t zi = 0; zi < sizeof zones / sizeof *zones; zi++)
        for (size_t si = 0; si < sizeof schedules / sizeof *schedules; si++) {
            struct zone z ZONE_SCOPED = zone_open(str_of(zones[zi]));
            struct schedule s = read_schedule(a, schedules[si]);
            for (size_t d = 0; d < sizeof days / sizeof *days; d++) {
                int64_t begin = at(days[d]), want = INT64_MAX, got;
                for (int64_t t = begin + 3 * (int64_t)MS_DAY; t >= begin; t -= MS_MINUTE) {
                    if (schedule_is_open(&s, &z, t)) {
                        want = t;
                        continue;
                    }
                    if (want == INT64_MAX || t % (17 * MS_MINUTE))
                        continue;
                    assert_true(schedule_next_opening(&s, &z, t, &got));
                    if (got != want)
                        fail_msg("%s %s from %lld: %lld, not %lld", zones[zi], schedules[si], (long long)t, (long long)got,
                                 (long long)want);
                }
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows),
        cmocka_unit_test(next_opening_is_the_first_open_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
