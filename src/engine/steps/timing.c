/* Durations, points in time and groups of the deferred steps. */
#include "engine/steps/timing.h"

#include <math.h>
#include <stdlib.h>
#include <unicode/udat.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "content/cron.h"

static const int64_t last_moment = 253402300799999;     /* of the year 9999: what ISO 8601 can say */

static bool unit_ms(struct str unit, int64_t *ms)
{
    static const struct { const char *name; int64_t ms; } units[] = {
        {"seconds", MS_SECOND}, {"minutes", MS_MINUTE}, {"hours", MS_HOUR}, {"days", MS_DAY}, {"weeks", 7 * (int64_t)MS_DAY}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (str_eqz(unit, units[i].name)) {
            *ms = units[i].ms;
            return true;
        }
    return false;
}

static bool unit_is_known(struct str unit)
{
    int64_t ms;
    return str_eqz(unit, "months") || unit_ms(unit, &ms);
}

bool number_of(yyjson_val *v, int64_t *n)
{
    if (yyjson_is_int(v)) {
        *n = yyjson_get_sint(v);
        return true;
    }
    return yyjson_is_str(v) && str_to_i64(str_trim(json_str(v)), n);
}

/* JavaScript's number of it; a fraction counts. */
static bool amount_of(yyjson_val *v, double *n)
{
    char text[32], *end;
    struct str t = str_trim(json_str(v));
    if (yyjson_is_num(v)) {
        *n = yyjson_get_num(v);
        return true;
    }
    if (!t.n || t.n >= sizeof text || (!(t.p[0] >= '0' && t.p[0] <= '9') && t.p[0] != '-' && t.p[0] != '.'))
        return false;
    memcpy(text, t.p, t.n);
    text[t.n] = 0;
    *n = strtod(text, &end);
    return !*end && isfinite(*n);
}

void timing_add(yyjson_mut_doc *d, yyjson_mut_val *o, yyjson_val *duration, const char *amount_key, const char *unit_key)
{
    double amount;
    struct str unit = json_get_str(duration, "unit");
    if (!amount_of(json_get(duration, "amount"), &amount))
        return;
    if (amount == floor(amount) && fabs(amount) < 9e15)
        json_add_int(d, o, amount_key, (int64_t)amount);
    else
        yyjson_mut_obj_add_real(d, o, amount_key, amount);
    if (unit_is_known(unit))
        json_add_str(d, o, unit_key, unit);
}

static bool moved(int64_t now, yyjson_val *duration, int sign, int64_t *at)
{
    double amount;
    int64_t ms = 30 * (int64_t)MS_DAY, whole = 0;       /* of a part of a month */
    struct str unit = json_get_str(duration, "unit");
    bool months = str_eqz(unit, "months");
    if (!amount_of(json_get(duration, "amount"), &amount) || amount < 0 || (!months && !unit_ms(unit, &ms))
        || amount * (double)ms > (double)last_moment)
        return false;
    if (months)
        whole = (int64_t)amount;
    *at = (whole ? civil_add_months(now, sign * whole) : now) + sign * llround((amount - (double)whole) * (double)ms);
    return *at <= last_moment;
}

bool duration_after(int64_t now, yyjson_val *duration, int64_t *at)
{
    return moved(now, duration, 1, at);
}

bool duration_before(int64_t now, yyjson_val *duration, int64_t *at)
{
    return moved(now, duration, -1, at);
}

yyjson_val *payload_at(const struct machine *m, struct str key)
{
    if (str_starts(key, STR("payload.")))
        key = str_sub(key, 8, key.n);
    return key.n ? json_path(m->facts->payload, key) : NULL;
}

bool moment_of(const struct machine *m, yyjson_val *v, int64_t *at)
{
    if (yyjson_is_str(v))
        return time_parse_iso(json_str(v), at);
    return yyjson_is_obj(v) && duration_after(m->facts->now, v, at);
}

static struct str zone_of(const struct machine *m)
{
    return m->facts->subscriber->field[SUBSCRIBER_TIMEZONE];
}

bool cron_after(const struct machine *m, struct str expression, int64_t *at, struct error *err)
{
    struct cron c;
    struct zone z ZONE_SCOPED = zone_open(zone_of(m));
    if (!str_trim(expression).n)
        return error_set(err, ERROR_BAD_INPUT, "The cron expression is empty");
    return cron_parse(expression, &c, err) && cron_next(&c, &z, m->facts->now, at, err);
}

bool defer_allowed(struct machine *m, int job, int64_t due)
{
    int64_t max = m->facts->defer_max_ms, delay = due - m->facts->now;
    if (!max || delay <= max)
        return true;
    machine_fail(m, job, DETAIL_DEFER_LIMIT,
                 str_fmt(m->run->arena, "{\"errors\":[\"The wait of %lld ms is longer than the %lld ms that are allowed\"]}",
                         (long long)delay, (long long)max), STR_NULL);
    return false;
}

/* yyyy-MM-dd HH:mm:ss zzz on the subscriber's wall clock (engine.md §2.4); ISO without a zone. The zone's name is ICU's if its
 * clock shows the same: its rules are older than the system's. */
static struct str until_date(const struct machine *m, int64_t due)
{
    static const UChar pattern[] = u"yyyy-MM-dd HH:mm:ss zzz";
    uint16_t name[ZONE_NAME_MAX];
    UChar text[64];
    UErrorCode status = U_ZERO_ERROR;
    struct arena *a = m->run->arena;
    if (!zone_of(m).n || !zone_name(zone_of(m), name))
        return time_iso_str(a, due);
    struct zone z ZONE_SCOPED = zone_open(zone_of(m));
    struct civil c = civil_of(zone_local(&z, due));
    long long minutes = zone_offset(&z, due) / MS_MINUTE, off = minutes < 0 ? -minutes : minutes;
    struct str own = str_fmt(a, "%04d-%02d-%02d %02d:%02d:%02d ", c.year, c.month, c.day, c.hour, c.minute, c.second);
    UDateFormat *f = udat_open(UDAT_PATTERN, UDAT_PATTERN, "en_US", (const UChar *)name, -1, pattern, -1, &status);
    int32_t n = udat_format(f, (double)due, text, 63, NULL, &status);
    udat_close(f);
    char *out = arena_alloc(a, 64);
    for (int32_t i = 0; U_SUCCESS(status) && i < n && i < 63; i++)
        out[i] = (char)text[i];
    if (U_SUCCESS(status) && str_starts(str_of(out), own))
        return str_of(out);
    if (off % 60)
        return str_fmt(a, "%sGMT%c%lld:%02lld", own.p, minutes < 0 ? '-' : '+', off / 60, off % 60);
    return str_fmt(a, "%sGMT%c%lld", own.p, minutes < 0 ? '-' : '+', off / 60);
}

struct str defer_raw(const struct machine *m, int64_t due, bool cron)
{
    long long delay = due - m->facts->now;
    if (!cron)
        return str_fmt(m->run->arena, "{\"delay\":%lld}", delay);
    struct buf b = {.arena = m->run->arena};
    buf_fmt(&b, "{\"delay\":%lld,\"untilDate\":\"%s\"", delay, until_date(m, due).p);
    zone_warn(m, &b);
    buf_char(&b, '}');
    return buf_finish(&b);
}

enum outcome defer_until(struct machine *m, int job, int64_t due)
{
    m->run->jobs[job].due_at = due;
    struct effect *e = machine_effect(m, EFFECT_TIMER);
    e->queue = (struct queue_item){.due_at = due, .job = job};
    return OUTCOME_DELAYED;
}

struct str group_key(const struct machine *m, const struct step_definition *s, const char *tag, struct str value)
{
    struct buf b = {.arena = m->run->arena};
    uint8_t hash[32];
    buf_add(&b, m->run->row.subscriber.b, sizeof m->run->row.subscriber.b);
    buf_add(&b, m->run->row.workflow.b, sizeof m->run->row.workflow.b);
    buf_add(&b, s->id.b, sizeof s->id.b);
    buf_z(&b, tag);
    buf_char(&b, value.p ? '=' : 0);
    buf_str(&b, value);
    crypto_sha256(buf_get(&b), hash);
    return hex_encode(m->run->arena, hash, 16);
}

static yyjson_val *says(const struct machine *m, const struct step_definition *s, yyjson_val *outputs)
{
    return m->facts->current->external ? outputs : s->values;
}

struct str control_text(const struct machine *m, const struct step_definition *s, const char *control, yyjson_val *outputs)
{
    return json_get_str(says(m, s, outputs), control);
}

bool control_flag(const struct machine *m, const struct step_definition *s, const char *control, yyjson_val *outputs)
{
    return json_get_bool(says(m, s, outputs), control, false);
}

struct str key_value(const struct machine *m, const struct step_definition *s, const char *control, yyjson_val *outputs)
{
    struct str written = control_text(m, s, control, outputs);
    if (m->facts->current->external && !str_starts(written, STR("payload.")))
        return written.n ? written : STR_NULL;      /* code has computed it already (bridge-cli.md §1.8) */
    if (str_find(written, STR("{{")) >= 0) {
        struct str made = str_trim(json_get_str(outputs, control));
        return made.n ? made : STR_NULL;
    }
    yyjson_val *v = payload_at(m, str_trim(written));
    if (!v || yyjson_is_null(v))
        return STR_NULL;
    return yyjson_is_str(v) ? json_str(v) : json_write(m->run->arena, v);
}
