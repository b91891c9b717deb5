/* Weekly delivery windows on the wall clock of a zone. */
#include "content/schedule.h"
#include "base/clock.h"

struct schedule schedule_read(struct arena *a, yyjson_val *v)
{
    static const char *const names[] = {"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};
    yyjson_val *week = json_get(v, "weeklySchedule");
    struct schedule s = {.limits = json_get_bool(v, "isEnabled", false) && yyjson_is_obj(week)};
    for (int day = 0; s.limits && day < 7; day++) {
        yyjson_val *d = json_get(week, names[day]), *hours = json_get(d, "hours"), *w;
        size_t i, n;
        if (!json_get_bool(d, "isEnabled", false))
            continue;
        s.day[day].windows = ARENA_ARRAY(a, struct schedule_window, yyjson_arr_size(hours));
        yyjson_arr_foreach(hours, i, n, w) {
            struct schedule_window *out = &s.day[day].windows[s.day[day].n];
            s.day[day].n += time_parse_12h(json_get_str(w, "start"), &out->start) && time_parse_12h(json_get_str(w, "end"), &out->end);
        }
    }
    return s;
}

static bool is_overnight(const struct schedule_window *w)
{
    return w->end < w->start;
}

bool schedule_is_open(const struct schedule *s, struct zone *z, int64_t utc)
{
    if (!s->limits)
        return true;
    struct civil c = civil_of(zone_local(z, utc));
    int now = c.hour * 60 + c.minute, yesterday = (c.weekday + 6) % 7;
    for (size_t i = 0; i < s->day[c.weekday].n; i++) {
        const struct schedule_window *w = &s->day[c.weekday].windows[i];
        if (now >= w->start && (is_overnight(w) || now <= w->end))
            return true;
    }
    for (size_t i = 0; i < s->day[yesterday].n; i++) {
        const struct schedule_window *w = &s->day[yesterday].windows[i];
        if (is_overnight(w) && now <= w->end)
            return true;
    }
    return false;
}

struct search {
    const struct schedule *schedule;
    struct zone *zone;
    int64_t after, found;       /* found: INT64_MAX until something is */
};

static void consider(struct search *x, int64_t utc)
{
    if (utc > x->after && utc < x->found && schedule_is_open(x->schedule, x->zone, utc))
        x->found = utc;
}

/* A wall clock reading at which a window begins; the clocks may show it twice, or leap over it. */
static void consider_local(struct search *x, int64_t local)
{
    int64_t first = zone_utc(x->zone, local);
    consider(x, first);
    consider(x, zone_utc_at(x->zone, local, zone_offset(x->zone, first + MS_DAY)));
}

/* Clocks that leap forward, or back, may come out inside of a window. */
static void consider_change(struct search *x, int64_t from, int64_t to)
{
    zone_offset(x->zone, from);
    if (x->zone->until <= to)
        consider(x, x->zone->until);
}

bool schedule_next_opening(const struct schedule *s, struct zone *z, int64_t utc, int64_t *opening)
{
    struct search x = {.schedule = s, .zone = z, .after = utc, .found = INT64_MAX};
    struct civil c = civil_of(zone_local(z, utc));
    c = (struct civil){.year = c.year, .month = c.month, .day = c.day, .weekday = c.weekday};
    int64_t midnight = civil_local(&c);
    for (int day = -1; day <= 8; day++) {
        int64_t start = midnight + day * (int64_t)MS_DAY;
        int weekday = (c.weekday + day + 14) % 7;
        consider_change(&x, utc + day * (int64_t)MS_DAY, utc + (day + 1) * (int64_t)MS_DAY);
        for (size_t i = 0; i < s->day[weekday].n; i++)
            consider_local(&x, start + s->day[weekday].windows[i].start * (int64_t)MS_MINUTE);
    }
    *opening = x.found;
    return x.found != INT64_MAX;
}
