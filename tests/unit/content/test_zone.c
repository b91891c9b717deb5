/* Local time by the system's zone files: what people's clocks show, in years before and after the files' lists end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "content/tzif.h"
#include "content/zone.h"

static int64_t utc(int year, int month, int day, int hour)
{
    return civil_local(&(struct civil){.year = year, .month = month, .day = day, .hour = hour});
}

/* Offsets in minutes, noon UTC of a day in winter and in summer. Facts of the zones, as of tzdata 2024a. */
static void offsets(void **state)
{
    (void)state;
    static const struct { const char *zone; int year, january, july; } cases[] = {
        {"Africa/Cairo", 2022, 120, 120}, {"Africa/Cairo", 2024, 120, 180}, {"Africa/Cairo", 2045, 120, 180},
        {"Europe/Berlin", 2024, 60, 120}, {"Europe/Berlin", 2060, 60, 120}, {"Europe/London", 1970, 60, 60},
        {"America/New_York", 2006, -300, -240}, {"America/New_York", 2050, -300, -240}, {"America/Sao_Paulo", 2024, -180, -180},
        {"America/Sao_Paulo", 2018, -120, -180}, {"Australia/Lord_Howe", 2024, 660, 630}, {"Australia/Sydney", 2040, 660, 600},
        {"Asia/Kathmandu", 2024, 345, 345}, {"Asia/Kolkata", 2024, 330, 330}, {"Asia/Tehran", 2021, 210, 270}, {"Asia/Tehran", 2024, 210, 210},
        {"Europe/Istanbul", 2024, 180, 180}, {"Pacific/Apia", 2024, 780, 780}, {"America/Mexico_City", 2024, -360, -360},
        {"Asia/Gaza", 2024, 120, 180}, {"America/St_Johns", 2024, -210, -150}, {"Pacific/Chatham", 2039, 825, 765},
        {"Europe/Dublin", 2045, 0, 60}, {"America/Nuuk", 2030, -120, -60}, {"africa/cairo", 2024, 120, 180}, {"UTC", 2024, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct zone z ZONE_SCOPED = zone_open((struct str){cases[i].zone, strlen(cases[i].zone)});
        int64_t january = zone_offset(&z, utc(cases[i].year, 1, 10, 12)) / MS_MINUTE, july = zone_offset(&z, utc(cases[i].year, 7, 20, 12)) / MS_MINUTE;
        if (january != cases[i].january || july != cases[i].july)
            fail_msg("%s %d: %d %d", cases[i].zone, cases[i].year, (int)january, (int)july);
    }
}

/* The moments of the changes themselves, to the millisecond, also in years that only the rule at the file's end tells. */
static void changes(void **state)
{
    (void)state;
    static const struct { const char *zone; int year, month, day, hour; int before, after; } cases[] = {
        {"Africa/Cairo", 2024, 4, 25, 22, 120, 180}, {"Africa/Cairo", 2024, 10, 31, 21, 180, 120},
        {"Europe/Berlin", 2024, 3, 31, 1, 60, 120}, {"Europe/Berlin", 2050, 10, 30, 1, 120, 60},
        {"America/New_York", 2050, 3, 13, 7, -300, -240}, {"Australia/Sydney", 2050, 4, 2, 16, 660, 600},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct zone z ZONE_SCOPED = zone_open((struct str){cases[i].zone, strlen(cases[i].zone)});
        int64_t at = utc(cases[i].year, cases[i].month, cases[i].day, cases[i].hour);
        assert_int_equal(zone_offset(&z, at - 1) / MS_MINUTE, cases[i].before);
        assert_int_equal(zone_offset(&z, at) / MS_MINUTE, cases[i].after);
        assert_int_equal(zone_offset(&z, at - 1) / MS_MINUTE, cases[i].before);
    }
}

/* A file of one type, without changes, with this footer. */
static struct tzif *with_footer(const char *footer)
{
    uint8_t bytes[512] = {0};
    size_t n = 0, at;
    for (int body = 0; body < 2; body++) {
        memcpy(bytes + n, "TZif2", 5);
        bytes[n + 39] = 1;                      /* types */
        bytes[n + 43] = 4;                      /* characters of names */
        n += 44 + 6 + 4;
    }
    at = strlen(footer);
    bytes[n++] = '\n';
    memcpy(bytes + n, footer, at);
    n += at;
    bytes[n++] = '\n';
    return tzif_read(bytes, n);
}

static void footers(void **state)
{
    (void)state;
    static const struct { const char *footer; int32_t january, july; } good[] = {
        {"<+0330>-3:30", 12600, 12600}, {"EST5EDT,M3.2.0,M11.1.0", -18000, -14400}, {"XXX0", 0, 0},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", 0, 3600}, {"EET-2EEST,M4.5.5/0,M10.5.4/24", 7200, 10800}, {"AAA0BBB,J60/0,J300/0", 0, 3600},
        {"AAA0BBB,59/0,300/0", 0, 3600}, {"AAA3BBB,M3.5.0/-2,M10.5.0/-1", -10800, -7200},
    };
    static const char *const bad[] = {"X5", "EST", "EST5EDT", "EST5EDT,", "EST5EDT,M3.2.0", "EST5EDT,M13.2.0,M11.1.0", "EST5EDT,M3.6.0,M11.1.0",
                                      "EST5EDT,M3.2.7,M11.1.0", "EST5EDT,J0,J5", "EST5EDT,366,5", "EST168", "<EST5", "EST5EDT,M3.2.0,M11.1.0x", "EST5:60"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct tzif *z = with_footer(good[i].footer);
        assert_non_null(z);
        assert_int_equal(tzif_at(z, utc(2030, 1, 10, 0) / 1000).offset, good[i].january);
        assert_int_equal(tzif_at(z, utc(2030, 7, 10, 0) / 1000).offset, good[i].july);
        tzif_free(z);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (with_footer(bad[i]))
            fail_msg("%s", bad[i]);
    assert_null(tzif_read("TZif2", 5));
    assert_null(tzif_read("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(offsets), cmocka_unit_test(changes), cmocka_unit_test(footers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
