#include "cli/test_why.h"

#include "scenario/match.h"

enum { WHY_MAX = 10, LINES_MAX = 100 };

/* A message expects of its step only who, what and where. */
static bool could_have(struct arena *a, const struct scenario *s, enum fact_kind kind, const struct node *want, yyjson_val *step)
{
    static const char *const shared[] = {"to", "workflow", "step", "transactionId"};
    const struct node *channel = node_get(want, "channel");
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++) {
        const struct node *n = node_get(want, shared[i]);
        if (n && !match_value(a, s, n, json_get(step, shared[i])))
            return false;
    }
    if (kind == FACT_MESSAGE && channel)
        return match_value(a, s, channel, json_get(step, "type"));
    return true;
}

static void put_step(struct arena *a, struct buf *b, yyjson_val *v)
{
    struct str workflow = json_get_str(v, "workflow"), step = json_get_str(v, "step"), to = json_get_str(v, "to");
    struct str decision = json_get_str(v, "decision"), rule = json_get_str(v, "rule"), detail = json_get_str(v, "detail");
    buf_fmt(b, "%s%.*s/%.*s (%.*s) for %.*s: %.*s", b->n ? "\n" : "", STR_ARG(workflow), STR_ARG(step),
            STR_ARG(json_get_str(v, "type")), STR_ARG(to), STR_ARG(decision));
    if (rule.n)
        buf_fmt(b, " by %.*s", STR_ARG(rule));
    if (json_get_str(v, "layer").n)
        buf_fmt(b, " (%.*s)", STR_ARG(json_get_str(v, "layer")));
    if (detail.n)
        buf_fmt(b, ", %.*s", STR_ARG(detail));
    if (str_eqz(decision, "waiting") && json_get_str(v, "dueAt").n)
        buf_fmt(b, ", until %.*s: does the test let that time pass?", STR_ARG(json_get_str(v, "dueAt")));
    static const char *const more[] = {"condition", "saw", "values", "error"};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        yyjson_val *x = json_get(v, more[i]);
        struct str text = x && !yyjson_is_null(x) ? json_write(a, x) : STR_NULL;
        if (text.n)
            buf_fmt(b, "\n  %s: %.*s", more[i], (int)str_cut(text, 400).n, text.p);
    }
}

static size_t runs_of(struct arena *a, const struct scenario *s, const struct node *want, const struct facts *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n[FACT_RUN]; i++)
        n += could_have(a, s, FACT_RUN, want, f->list[FACT_RUN][i].v);
    return n;
}

struct str why_missing(struct arena *a, const struct scenario *s, enum fact_kind kind, const struct node *want, const struct facts *f)
{
    struct buf b = {.arena = a};
    size_t found = 0;
    for (size_t i = 0; i < f->n[FACT_STEP]; i++)
        if (could_have(a, s, kind, want, f->list[FACT_STEP][i].v) && found++ < WHY_MAX)
            put_step(a, &b, f->list[FACT_STEP][i].v);
    if (found > WHY_MAX)
        buf_fmt(&b, "\n(and %zu more steps)", found - WHY_MAX);
    if (!found && !node_get(want, "step") && runs_of(a, s, want, f))
        buf_z(&b, "There are runs, but no step of this kind in them");
    else if (!found)
        buf_z(&b, f->n[FACT_RUN] ? "No step of any run is for this person, workflow, step and transaction" : "No workflow has run at all");
    return buf_finish(&b);
}

static struct str local_time(struct arena *a, struct zone *z, int64_t ms)
{
    struct civil c = civil_of(zone_local(z, ms));
    return str_fmt(a, "%04d-%02d-%02d %02d:%02d:%02d.%03d", c.year, c.month, c.day, c.hour, c.minute, c.second, c.milli);
}

static struct str done_text(struct arena *a, const struct scenario_event *e)
{
    struct str json = e->kind == DO_WAIT ? STR_NULL : node_json_text(a, e->what);
    return str_fmt(a, "%.*s %.*s", STR_ARG(e->what->key), (int)str_cut(json, 200).n, json.p ? json.p : "");
}

struct str why_timeline(struct arena *a, const struct scenario *s, const struct facts *f)
{
    struct zone z ZONE_SCOPED = zone_open(s->zone);
    struct buf b = {.arena = a};
    size_t e = 0, lines = 0;
    for (size_t i = 0; i <= f->lines_n && lines < LINES_MAX; i++) {
        int64_t until = i < f->lines_n ? f->lines[i].at : INT64_MAX;
        for (; e < s->events_n && s->events[e].at <= until; e++)
            if (!scenario_is_expectation(s->events[e].kind) && s->events[e].kind != DO_WAIT && lines++ < LINES_MAX)
                buf_fmt(&b, "%.*s  > %.*s\n", STR_ARG(local_time(a, &z, s->events[e].at)), STR_ARG(done_text(a, &s->events[e])));
        if (i < f->lines_n && lines++ < LINES_MAX)
            buf_fmt(&b, "%.*s    %.*s\n", STR_ARG(local_time(a, &z, f->lines[i].at)), STR_ARG(f->lines[i].text));
    }
    if (lines >= LINES_MAX)
        buf_z(&b, "…\n");
    return buf_finish(&b);
}
