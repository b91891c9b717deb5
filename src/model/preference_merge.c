/* Merging the layers of preferences, and what a schedule may look like: pure. */
#include "model/preference.h"
#include "base/clock.h"

static enum choice enabled_of(yyjson_val *v)
{
    v = json_get(v, "enabled");
    return yyjson_is_bool(v) ? (enum choice)yyjson_get_bool(v) : CHOICE_UNSET;
}

struct workflow_preferences workflow_preferences_read(yyjson_val *preferences)
{
    yyjson_val *layers[2] = {json_get(preferences, "default"), json_get(preferences, "user")};
    struct workflow_preferences w = {.has_resource = yyjson_is_obj(layers[0]), .has_user = yyjson_is_obj(layers[1])};
    for (int i = 0; i < 2; i++) {
        yyjson_val *channels = json_get(layers[i], "channels");
        w.read_only |= json_get_bool(json_get(layers[i], "all"), "readOnly", false);
        w.enabled[i] = enabled_of(json_get(layers[i], "all"));
        for (int c = 0; c < CHANNELS; c++)
            w.channel[i][c] = enabled_of(json_getn(channels, channel_name((enum channel)c)));
    }
    return w;
}

void workflow_preferences_override(struct workflow_preferences *w, yyjson_val *channels)
{
    w->has_tenant = yyjson_is_obj(channels);
    for (int c = 0; c < CHANNELS; c++) {
        yyjson_val *v = json_getn(channels, channel_name((enum channel)c));
        w->tenant[c] = yyjson_is_bool(v) ? (enum choice)yyjson_get_bool(v) : CHOICE_UNSET;
    }
}

/* A later layer's word. */
static void say(struct preference_result *r, int c, enum choice choice, enum preference_source by)
{
    if (choice == CHOICE_UNSET)
        return;
    r->channel[c] = choice == CHOICE_ON;
    r->by[c] = by;
}

/* A workflow's layer is complete: a channel that it does not name is as its `all` says (engine.md §6.3). */
static void workflow_layer(struct preference_result *r, const struct workflow_preferences *w, int i, enum preference_source by)
{
    for (int c = 0; c < CHANNELS; c++)
        say(r, c, w->channel[i][c] == CHOICE_UNSET ? w->enabled[i] : w->channel[i][c], by);
    r->source = by;
}

/* A subscriber's layer overrides only the channels that it names. */
static void subscriber_layer(struct preference_result *r, const struct preference *p, bool final[CHANNELS], enum preference_source by)
{
    bool names_any = false;
    for (int c = 0; c < CHANNELS; c++) {
        names_any |= p->channel[c] != CHOICE_UNSET;
        if (!final[c])
            say(r, c, p->channel[c], by);
    }
    /* A subscription's row is mostly a gate (engine.md §6.6) and no layer. */
    if (by != SOURCE_SUBSCRIPTION || names_any)
        r->source = by;
}

struct preference_result preference_merge(const struct workflow_preferences *w, const struct preference_rows *rows,
                                          bool workflow_off_is_final)
{
    struct preference_result r = {.source = SOURCE_WORKFLOW_RESOURCE, .read_only = w->read_only};
    bool final[CHANNELS] = {false};
    for (int c = 0; c < CHANNELS; c++)
        r.channel[c] = true;
    if (w->has_resource)
        workflow_layer(&r, w, 0, SOURCE_WORKFLOW_RESOURCE);
    if (w->has_user)
        workflow_layer(&r, w, 1, SOURCE_USER_WORKFLOW);
    /* An override names every channel; it decides those that it changes. */
    for (int c = 0; w->has_tenant && c < CHANNELS; c++)
        if (w->tenant[c] != (r.channel[c] ? CHOICE_ON : CHOICE_OFF))
            say(&r, c, w->tenant[c], SOURCE_TENANT);
    if (w->read_only || !rows)
        return r;
    for (int c = 0; c < CHANNELS; c++)
        final[c] = workflow_off_is_final && !r.channel[c];
    if (rows->found & PREFERENCE_GLOBAL)
        subscriber_layer(&r, &rows->global, final, SOURCE_SUBSCRIBER_GLOBAL);
    if (rows->found & PREFERENCE_WORKFLOW)
        subscriber_layer(&r, &rows->workflow, final, SOURCE_SUBSCRIBER_WORKFLOW);
    if (rows->found & PREFERENCE_SUBSCRIPTION)
        subscriber_layer(&r, &rows->subscription, final, SOURCE_SUBSCRIPTION);
    return r;
}

/* --- schedules ------------------------------------------------------------------------------------------------- */

static const char *const days[] = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};

struct complaints {
    struct arena *a;
    struct str *messages;
    size_t n, max;
};

static void complain(struct complaints *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct complaints *c, const char *fmt, ...)
{
    va_list ap;
    if (c->n == c->max)
        return;
    va_start(ap, fmt);
    c->messages[c->n++] = str_vfmt(c->a, fmt, ap);
    va_end(ap);
}

static void hours_check(struct complaints *c, const char *day, yyjson_val *hours)
{
    yyjson_val *range;
    size_t i = 0;
    static const char *const ends[] = {"start", "end"};
    yyjson_arr_iter it = yyjson_arr_iter_with(hours);
    while ((range = yyjson_arr_iter_next(&it))) {
        for (int k = 0; k < 2; k++) {
            int minutes;
            if (!time_parse_12h(json_get_str(range, ends[k]), &minutes))
                complain(c, "schedule.weeklySchedule.%s.hours.%zu.%s must be in 12-hour format (e.g., \"09:00 AM\" or \"05:00 PM\")",
                         day, i, ends[k]);
        }
        i++;
    }
}

static void day_check(struct complaints *c, const char *day, yyjson_val *v)
{
    yyjson_val *hours = json_get(v, "hours");
    if (!yyjson_is_obj(v)) {
        complain(c, "schedule.weeklySchedule.%s must be an object", day);
        return;
    }
    if (!yyjson_is_bool(json_get(v, "isEnabled")))
        complain(c, "schedule.weeklySchedule.%s.isEnabled must be a boolean value", day);
    if (!hours)
        return;
    if (yyjson_is_arr(hours))
        hours_check(c, day, hours);
    else
        complain(c, "schedule.weeklySchedule.%s.hours must be an array", day);
}

static bool is_day(yyjson_val *key)
{
    for (size_t i = 0; i < sizeof days / sizeof *days; i++)
        if (yyjson_equals_str(key, days[i]))
            return true;
    return false;
}

/* Upstream (update-preferences.e2e.ts) also refuses a week beside isEnabled false; the client that switches a schedule off
 * sends both, so we do not. */
static void week_check(struct complaints *c, yyjson_val *week, bool enabled)
{
    size_t i, n;
    yyjson_val *key, *day;
    if (enabled && !yyjson_obj_size(week))
        complain(c, "schedule.weeklySchedule must contain at least one day configuration when isEnabled is true");
    yyjson_obj_foreach(week, i, n, key, day) {
        if (is_day(key))
            day_check(c, yyjson_get_str(key), day);
        else
            complain(c, "schedule.weeklySchedule contains invalid day names: %.64s", yyjson_get_str(key));
    }
}

size_t schedule_check(struct arena *a, yyjson_val *schedule, struct str *messages, size_t max)
{
    struct complaints c = {.a = a, .messages = messages, .max = max};
    yyjson_val *week = json_get(schedule, "weeklySchedule");
    if (!yyjson_is_obj(schedule)) {
        complain(&c, "schedule must be an object");
        return c.n;
    }
    if (!yyjson_is_bool(json_get(schedule, "isEnabled")))
        complain(&c, "schedule.isEnabled must be a boolean value");
    if (yyjson_is_obj(week))
        week_check(&c, week, yyjson_is_true(json_get(schedule, "isEnabled")));
    else if (week)
        complain(&c, "schedule.weeklySchedule must be an object");
    return c.n;
}
