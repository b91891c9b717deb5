/* The form of tests: which keys there may be, what they hold, and when what happens. */
#include "scenario/scenario.h"

#include <errno.h>
#include <stdio.h>

#include "scenario/match.h"

enum { ANY = -1 };

struct form {
    const char *key;
    int kind;                       /* of enum node_kind, or ANY */
    bool required;
};

struct check {
    struct arena *arena;
    struct scenario *s;
    struct error *err;
};

static bool refuse(struct check *c, const struct node *n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static bool refuse(struct check *c, const struct node *n, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str what = str_vfmt(c->arena, fmt, ap);
    va_end(ap);
    return error_set(c->err, ERROR_BAD_INPUT, "%.160s:%d:%d: %.*s", c->s->path, n->line, n->column, (int)(what.n > 280 ? 280 : what.n), what.p);
}

static bool kind_is(struct check *c, const struct node *n, int kind, const char *what)
{
    static const char *const names[] = {"a text or a number", "a list", "a mapping"};
    return kind == ANY || (int)n->kind == kind || refuse(c, n, "%s must be %s", what, names[kind]);
}

static struct str keys_of(struct check *c, const struct form *forms, size_t n)
{
    struct buf b = {.arena = c->arena};
    for (size_t i = 0; i < n; i++)
        buf_fmt(&b, "%s%s", i ? ", " : "", forms[i].key);
    return buf_finish(&b);
}

static const struct form *form_of(const struct form *forms, size_t n, struct str key)
{
    for (size_t i = 0; i < n; i++)
        if (str_eqz(key, forms[i].key))
            return &forms[i];
    return NULL;
}

static bool form_check(struct check *c, const struct node *map, const struct form *forms, size_t n, const char *what)
{
    if (!kind_is(c, map, NODE_MAP, what))
        return false;
    for (const struct node *m = map->first; m; m = m->next) {
        const struct form *f = form_of(forms, n, m->key);
        if (!f)
            return refuse(c, m, "%s has no '%.*s'; there are: %s", what, (int)(m->key.n > 60 ? 60 : m->key.n), m->key.p,
                          keys_of(c, forms, n).p);
        if (!kind_is(c, m, f->kind, f->key))
            return false;
    }
    for (size_t i = 0; i < n; i++)
        if (forms[i].required && !node_get(map, forms[i].key))
            return refuse(c, map, "%s needs '%s'", what, forms[i].key);
    return true;
}
#define FORM_CHECK(c, map, forms, what) form_check(c, map, forms, sizeof(forms) / sizeof *(forms), what)

/* --- times ---------------------------------------------------------------------------------------------------------- */

/* "1d 2h 30m", with w, d, h, m, s and ms. */
static bool short_duration(struct str s, int64_t *ms)
{
    static const struct { const char *unit; int64_t ms; } units[] = {
        {"ms", 1}, {"w", 7 * (int64_t)MS_DAY}, {"d", MS_DAY}, {"h", MS_HOUR}, {"m", MS_MINUTE}, {"s", MS_SECOND}};
    const int64_t most = 1000LL * 365 * MS_DAY;
    int64_t total = 0;
    for (s = str_trim(s); s.n; s = str_trim(s)) {
        int64_t n = 0;
        size_t i = 0, u = 0, m;
        for (; i < s.n && i < 15 && s.p[i] >= '0' && s.p[i] <= '9'; i++)
            n = n * 10 + (s.p[i] - '0');
        s = str_sub(s, i, s.n);
        while (u < sizeof units / sizeof *units && !str_starts(s, str_of(units[u].unit)))
            u++;
        if (!i || u == sizeof units / sizeof *units || n > (most - total) / units[u].ms)
            return false;
        m = strlen(units[u].unit);
        s = str_sub(s, m, s.n);
        total += n * units[u].ms;
        *ms = total;
        if (!s.n)
            return true;
    }
    return false;
}

static bool duration_parse(struct str s, int64_t *ms)
{
    return s.n && s.p[0] == 'P' ? time_parse_duration(s, ms) && *ms >= 0 : short_duration(s, ms);
}

static bool names_zone(struct str s)
{
    return s.n > 10 && (s.p[s.n - 1] == 'Z' || s.p[s.n - 1] == 'z' || memchr(s.p + 10, '+', s.n - 10) || memchr(s.p + 10, '-', s.n - 10));
}

static bool date_parse(struct str zone, struct str text, int64_t *ms)
{
    if (!time_parse_iso(text, ms))
        return false;
    if (!names_zone(text) && zone.n) {
        struct zone z ZONE_SCOPED = zone_open(zone);
        *ms = zone_utc(&z, *ms);
    }
    return true;
}

bool scenario_time(const struct scenario *s, struct str text, int64_t *ms)
{
    int64_t after;
    if (duration_parse(text, &after)) {
        *ms = s->start + after;
        return true;
    }
    return date_parse(s->zone, text, ms);
}

/* --- given ---------------------------------------------------------------------------------------------------------- */

static const struct form given_form[] = {
    {"clock", NODE_SCALAR, false}, {"timezone", NODE_SCALAR, false}, {"workflows", NODE_LIST, false},
    {"layouts", NODE_LIST, false}, {"translations", NODE_LIST, false}, {"variables", NODE_MAP, false},
    {"integrations", NODE_LIST, false}, {"contexts", NODE_LIST, false}, {"subscribers", NODE_LIST, false},
    {"topics", NODE_LIST, false}, {"preferences", NODE_LIST, false}, {"requests", NODE_LIST, false},
    {"assume", NODE_MAP, false}};
static const struct form subscriber_form[] = {
    {"subscriberId", NODE_SCALAR, true}, {"firstName", NODE_SCALAR, false}, {"lastName", NODE_SCALAR, false},
    {"email", NODE_SCALAR, false}, {"phone", NODE_SCALAR, false}, {"avatar", NODE_SCALAR, false}, {"locale", NODE_SCALAR, false},
    {"timezone", NODE_SCALAR, false}, {"data", NODE_MAP, false}, {"devices", NODE_LIST, false}};
static const struct form topic_form[] = {
    {"key", NODE_SCALAR, true}, {"name", NODE_SCALAR, false}, {"subscribers", NODE_LIST, false}, {"preferences", NODE_LIST, false}};
static const struct form preferences_form[] = {
    {"subscriberId", NODE_SCALAR, true}, {"workflowId", NODE_SCALAR, false}, {"channels", NODE_MAP, false}, {"schedule", NODE_MAP, false}};
static const struct form request_form[] = {
    {"method", NODE_SCALAR, true}, {"path", NODE_SCALAR, true}, {"body", NODE_MAP, false}, {"status", NODE_SCALAR, false},
    {"answer", ANY, false}};
static const struct form assume_form[] = {{"deliveries", NODE_MAP, false}, {"calls", NODE_MAP, false}};
static const struct form call_form[] = {{"status", NODE_SCALAR, false}, {"body", ANY, false}};

static bool status_check(struct check *c, const struct node *n)
{
    int64_t status = 0;
    return !n || (str_to_i64(node_text(n), &status) && status >= 100 && status <= 599)
        || refuse(c, n, "status must be a number from 100 to 599");
}

static bool matchable(struct check *c, const struct node *n)
{
    const struct node *at;
    struct str problem;
    return !n || match_check(c->s, n, &at, &problem, c->arena) || refuse(c, at, "%.*s", STR_ARG(problem));
}

static bool request_check(struct check *c, const struct node *n)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    size_t i = 0;
    if (!FORM_CHECK(c, n, request_form, "A request"))
        return false;
    while (i < 5 && !str_eqz(node_text(node_get(n, "method")), methods[i]))
        i++;
    if (i == 5)
        return refuse(c, node_get(n, "method"), "method must be GET, POST, PUT, PATCH or DELETE");
    if (!str_starts(node_text(node_get(n, "path")), STR("/")))
        return refuse(c, node_get(n, "path"), "path must begin with /");
    return status_check(c, node_get(n, "status")) && matchable(c, node_get(n, "answer"));
}

static bool verdict_check(struct check *c, const struct node *n)
{
    struct str s = node_text(n);
    return str_eqz(s, "sent") || str_eqz(s, "retry") || str_eqz(s, "failed")
        || refuse(c, n, "What becomes of a delivery is sent, retry or failed");
}

static bool delivery_check(struct check *c, const struct node *n)
{
    if (n->kind != NODE_LIST)
        return verdict_check(c, n);
    for (const struct node *m = n->first; m; m = m->next)
        if (!verdict_check(c, m))
            return false;
    return n->first || refuse(c, n, "What becomes of a delivery is sent, retry or failed, or a list of these: one an attempt");
}

static bool call_check(struct check *c, const struct node *n)
{
    if (str_eqz(node_text(n), "unreachable") || str_eqz(node_text(n), "timeout"))
        return true;
    if (n->kind != NODE_MAP)
        return refuse(c, n, "What is answered to a call is unreachable, timeout, or a mapping of status and body");
    return FORM_CHECK(c, n, call_form, "An answer") && status_check(c, node_get(n, "status"));
}

static bool assume_check(struct check *c, const struct node *n)
{
    const struct node *m;
    if (!FORM_CHECK(c, n, assume_form, "assume"))
        return false;
    for (m = node_get(n, "deliveries") ? node_get(n, "deliveries")->first : NULL; m; m = m->next)
        if (!delivery_check(c, m))
            return false;
    for (m = node_get(n, "calls") ? node_get(n, "calls")->first : NULL; m; m = m->next)
        if (!call_check(c, m))
            return false;
    return true;
}

static bool workflow_check(struct check *c, const struct node *n)
{
    return n->kind != NODE_LIST || refuse(c, n, "A workflow is a mapping, or the path of a file that has one");
}

static bool object_check(struct check *c, const struct node *n)
{
    return kind_is(c, n, NODE_MAP, "This");
}

static bool subscriber_check(struct check *c, const struct node *n)
{
    return FORM_CHECK(c, n, subscriber_form, "A subscriber");
}

static bool topic_check(struct check *c, const struct node *n)
{
    return FORM_CHECK(c, n, topic_form, "A topic");
}

static bool preferences_check(struct check *c, const struct node *n)
{
    return FORM_CHECK(c, n, preferences_form, "preferences");
}

static bool list_check(struct check *c, const struct node *list, bool (*check)(struct check *c, const struct node *n))
{
    for (const struct node *n = list ? list->first : NULL; n; n = n->next)
        if (!check(c, n))
            return false;
    return true;
}

static bool clock_check(struct check *c, const struct node *g)
{
    const struct node *clock = node_get(g, "clock"), *zone = node_get(g, "timezone");
    struct scenario *s = c->s;
    if (zone && !zone_known(zone->text))
        return refuse(c, zone, "There is no time zone '%.*s'", (int)(zone->text.n > 64 ? 64 : zone->text.n), zone->text.p);
    s->zone = node_text(zone);
    return date_parse(s->zone, clock ? clock->text : STR("2026-01-01T00:00:00"), &s->start)
        || refuse(c, clock, "clock must be a date such as 2026-03-01T09:00:00Z");
}

static bool given_check(struct check *c, const struct node *g)
{
    static const struct { const char *key; bool (*check)(struct check *c, const struct node *n); } lists[] = {
        {"workflows", workflow_check}, {"layouts", object_check}, {"translations", object_check}, {"integrations", object_check},
        {"contexts", object_check}, {"subscribers", subscriber_check}, {"topics", topic_check},
        {"preferences", preferences_check}, {"requests", request_check}};
    if (!FORM_CHECK(c, g, given_form, "given") || !clock_check(c, g))
        return false;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (!list_check(c, node_get(g, lists[i].key), lists[i].check))
            return false;
    for (const struct node *n = node_get(g, "variables") ? node_get(g, "variables")->first : NULL; n; n = n->next)
        if (!kind_is(c, n, NODE_SCALAR, "A variable"))
            return false;
    return !node_get(g, "assume") || assume_check(c, node_get(g, "assume"));
}

/* --- when and then -------------------------------------------------------------------------------------------------- */

static const struct form when_form[] = {
    {"at", NODE_SCALAR, false}, {"after", NODE_SCALAR, false}, {"trigger", NODE_MAP, false}, {"broadcast", NODE_MAP, false},
    {"cancel", NODE_SCALAR, false}, {"read", NODE_MAP, false}, {"unread", NODE_MAP, false}, {"seen", NODE_MAP, false},
    {"archive", NODE_MAP, false}, {"unarchive", NODE_MAP, false}, {"preferences", NODE_MAP, false},
    {"subscriber", NODE_MAP, false}, {"assume", NODE_MAP, false}, {"request", NODE_MAP, false}, {"status", NODE_SCALAR, false},
    {"answer", ANY, false}};
static const enum scenario_kind when_kinds[] = {
    DO_WAIT, DO_WAIT, DO_TRIGGER, DO_BROADCAST, DO_CANCEL, DO_MARK, DO_MARK, DO_MARK, DO_MARK, DO_MARK, DO_PREFERENCES,
    DO_SUBSCRIBER, DO_ASSUME, DO_REQUEST, DO_WAIT, DO_WAIT};
static const struct form then_form[] = {
    {"at", NODE_SCALAR, false}, {"after", NODE_SCALAR, false}, {"message", NODE_MAP, false}, {"step", NODE_MAP, false},
    {"run", NODE_MAP, false}, {"call", NODE_MAP, false}, {"nothingElse", NODE_SCALAR, false}, {"count", ANY, false}};
static const enum scenario_kind then_kinds[] = {
    DO_WAIT, DO_WAIT, EXPECT_MESSAGE, EXPECT_STEP, EXPECT_RUN, EXPECT_CALL, EXPECT_NOTHING_ELSE, DO_WAIT};
static const struct form trigger_form[] = {
    {"name", NODE_SCALAR, true}, {"to", ANY, true}, {"payload", NODE_MAP, false}, {"overrides", NODE_MAP, false},
    {"transactionId", NODE_SCALAR, false}, {"actor", ANY, false}, {"tenant", ANY, false}, {"context", NODE_MAP, false}};
static const struct form broadcast_form[] = {
    {"name", NODE_SCALAR, true}, {"payload", NODE_MAP, false}, {"overrides", NODE_MAP, false}, {"transactionId", NODE_SCALAR, false},
    {"actor", ANY, false}, {"tenant", ANY, false}, {"context", NODE_MAP, false}};
static const struct form mark_form[] = {
    {"to", NODE_SCALAR, true}, {"workflow", NODE_SCALAR, false}, {"step", NODE_SCALAR, false}, {"transactionId", NODE_SCALAR, false},
    {"subject", ANY, false}, {"content", ANY, false}};
static const struct form count_form[] = {{"atLeast", NODE_SCALAR, false}, {"atMost", NODE_SCALAR, false}};

/* What is known of each thing; src/cli/test_facts.c makes them. */
static const struct form message_form[] = {
    {"to", ANY, false}, {"channel", ANY, false}, {"workflow", ANY, false}, {"step", ANY, false}, {"transactionId", ANY, false},
    {"at", ANY, false}, {"status", ANY, false}, {"subject", ANY, false}, {"content", ANY, false}, {"text", ANY, false},
    {"title", ANY, false}, {"email", ANY, false}, {"phone", ANY, false}, {"provider", ANY, false}, {"seen", ANY, false},
    {"read", ANY, false}, {"archived", ANY, false}, {"snoozedUntil", ANY, false}, {"severity", ANY, false}, {"avatar", ANY, false},
    {"data", ANY, false}, {"tags", ANY, false}, {"cta", ANY, false}, {"error", ANY, false}, {"context", ANY, false}};
static const struct form step_form[] = {
    {"to", ANY, false}, {"workflow", ANY, false}, {"step", ANY, false}, {"type", ANY, false}, {"transactionId", ANY, false},
    {"status", ANY, false}, {"decision", ANY, false}, {"rule", ANY, false}, {"detail", ANY, false}, {"details", ANY, false},
    {"layer", ANY, false}, {"values", ANY, false}, {"condition", ANY, false}, {"saw", ANY, false}, {"at", ANY, false}, {"dueAt", ANY, false},
    {"error", ANY, false}, {"output", ANY, false}};
static const struct form run_form[] = {
    {"to", ANY, false}, {"workflow", ANY, false}, {"transactionId", ANY, false}, {"status", ANY, false}, {"delivery", ANY, false},
    {"deliveryDetail", ANY, false}, {"at", ANY, false}, {"severity", ANY, false}, {"topics", ANY, false}};
static const struct form call_fields[] = {
    {"workflow", ANY, false}, {"step", ANY, false}, {"to", ANY, false}, {"method", ANY, false}, {"url", ANY, false},
    {"body", ANY, false}, {"headers", ANY, false}, {"at", ANY, false}, {"attempt", ANY, false}};

static bool expectation_check(struct check *c, const struct scenario_event *e)
{
    bool ok = e->kind == EXPECT_MESSAGE ? FORM_CHECK(c, e->what, message_form, "A message")
            : e->kind == EXPECT_STEP ? FORM_CHECK(c, e->what, step_form, "A step")
            : e->kind == EXPECT_RUN ? FORM_CHECK(c, e->what, run_form, "A run")
                                    : FORM_CHECK(c, e->what, call_fields, "A call");
    return ok && matchable(c, e->what);
}

static bool event_check(struct check *c, const struct scenario_event *e)
{
    switch (e->kind) {
    case DO_TRIGGER: return FORM_CHECK(c, e->what, trigger_form, "A trigger");
    case DO_BROADCAST: return FORM_CHECK(c, e->what, broadcast_form, "A broadcast");
    case DO_MARK: return FORM_CHECK(c, e->what, mark_form, "A choice of messages") && matchable(c, e->what);
    case DO_PREFERENCES: return preferences_check(c, e->what);
    case DO_SUBSCRIBER: return subscriber_check(c, e->what);
    case DO_ASSUME: return assume_check(c, e->what);
    case DO_REQUEST: return request_check(c, e->what);
    case EXPECT_NOTHING_ELSE:
        return str_eqz(e->what->text, "message") || refuse(c, e->what, "nothingElse must be message: no message that is not expected above");
    case DO_WAIT:
    case DO_CANCEL: return true;
    default: return expectation_check(c, e);
    }
}

static bool number_read(struct check *c, const struct node *n, int64_t *out)
{
    return (str_to_i64(node_text(n), out) && *out >= 0) || refuse(c, n, "count must be a number that is not negative");
}

static bool count_read(struct check *c, const struct node *n, struct scenario_event *e)
{
    const struct node *least = node_get(n, "atLeast"), *most = node_get(n, "atMost");
    e->least = 1;
    e->most = INT64_MAX;
    if (!n)
        return true;
    if (n->kind != NODE_MAP) {
        if (!number_read(c, n, &e->least))
            return false;
        e->most = e->least;
        return true;
    }
    if (!FORM_CHECK(c, n, count_form, "count") || (least && !number_read(c, least, &e->least)) || (most && !number_read(c, most, &e->most)))
        return false;
    if (!least)
        e->least = 0;
    if (e->least > e->most)
        return refuse(c, n, "count can never be: atLeast is %lld, atMost %lld", (long long)e->least, (long long)e->most);
    return (least || most) || refuse(c, n, "count needs atLeast or atMost");
}

/* *at: before, the time of what stood above; after, this one's. */
static bool time_read(struct check *c, const struct node *item, int64_t *at)
{
    const struct node *when = node_get(item, "at"), *after = node_get(item, "after");
    int64_t ms;
    if (when && after)
        return refuse(c, after, "'at' is here already: a time is either at or after");
    if (when && !scenario_time(c->s, when->text, at))
        return refuse(c, when, "at must be a date, or a duration from the start, such as 2d or PT30M");
    if (after && !duration_parse(after->text, &ms))
        return refuse(c, after, "after must be a duration, such as 2d or PT30M");
    if (after)
        *at += ms;
    return *at <= 253402300799999 || refuse(c, when ? when : after, "That is after the year 9999");
}

static bool event_read(struct check *c, const struct node *item, const struct form *forms, const enum scenario_kind *kinds, size_t n,
                       const char *name, int64_t *at)
{
    struct scenario_event *e = &c->s->events[c->s->events_n];
    int64_t before = *at;
    if (!form_check(c, item, forms, n, name))
        return false;
    *e = (struct scenario_event){.node = item, .what = item};
    for (const struct node *m = item->first; m; m = m->next) {
        enum scenario_kind k = kinds[form_of(forms, n, m->key) - forms];
        if (k == DO_WAIT)
            continue;
        if (e->what != item)
            return refuse(c, m, "One item does or expects one thing: '%.*s' is here already", STR_ARG(e->what->key));
        e->what = m;
        e->kind = k;
    }
    if (!time_read(c, item, at) || !count_read(c, node_get(item, "count"), e))
        return false;
    if (*at < (forms == when_form ? before : c->s->start))
        return refuse(c, node_get(item, "at"), "Time does not go back: this is before the %s", forms == when_form ? "item above" : "start");
    if ((forms == then_form && e->kind == DO_WAIT) || !item->first)
        return refuse(c, item, "This says nothing to do or to expect");
    e->at = *at;
    c->s->events_n++;
    return status_check(c, node_get(item, "status")) && matchable(c, node_get(item, "answer")) && event_check(c, e);
}

/* What is expected without a time is expected at the end. */
static bool events_read(struct check *c, const struct node *when, const struct node *then)
{
    struct scenario *s = c->s;
    int64_t at = s->start;
    s->events = ARENA_ARRAY(c->arena, struct scenario_event, node_length(when) + node_length(then) + 1);
    for (const struct node *n = when->first; n; n = n->next)
        if (!event_read(c, n, when_form, when_kinds, sizeof when_form / sizeof *when_form, "An item of when", &at))
            return false;
    int64_t last = at, end = at;
    for (const struct node *n = then->first; n; n = n->next) {
        at = last;
        if (!event_read(c, n, then_form, then_kinds, sizeof then_form / sizeof *then_form, "An item of then", &at))
            return false;
        end = at > end ? at : end;
    }
    for (size_t i = 0; i < s->events_n; i++)
        if (scenario_is_expectation(s->events[i].kind) && !node_get(s->events[i].node, "at") && !node_get(s->events[i].node, "after"))
            s->events[i].at = end;
    return true;
}

/* Merge sort, bottom up: what is equal stays in its order. */
static void events_sort(struct arena *a, struct scenario *s)
{
    struct scenario_event *from = s->events, *to = ARENA_ARRAY(a, struct scenario_event, s->events_n + 1);
    for (size_t width = 1; width < s->events_n; width *= 2) {
        for (size_t i = 0; i < s->events_n; i += 2 * width) {
            size_t l = i, middle = i + width < s->events_n ? i + width : s->events_n;
            size_t r = middle, end = i + 2 * width < s->events_n ? i + 2 * width : s->events_n;
            for (size_t k = i; k < end; k++)
                to[k] = r == end || (l < middle && from[l].at <= from[r].at) ? from[l++] : from[r++];
        }
        struct scenario_event *other = from;
        from = to;
        to = other;
    }
    s->events = from;
}

bool scenario_is_expectation(enum scenario_kind k)
{
    return k >= EXPECT_MESSAGE;
}

static bool scenario_check(struct check *c, const struct node *root)
{
    static const struct form forms[] = {
        {"name", NODE_SCALAR, true}, {"given", NODE_MAP, false}, {"when", NODE_LIST, true}, {"then", NODE_LIST, true}};
    static const struct node nothing = {.kind = NODE_MAP, .line = 1, .column = 1};
    struct scenario *s = c->s;
    if (!FORM_CHECK(c, root, forms, "A test"))
        return false;
    s->name = node_text(node_get(root, "name"));
    s->line = root->line;
    s->given = node_get(root, "given") ? node_get(root, "given") : &nothing;
    if (!s->name.n)
        return refuse(c, node_get(root, "name"), "name must not be empty");
    if (!node_get(root, "then")->first)
        return refuse(c, node_get(root, "then"), "then expects nothing: the test could not fail");
    if (!given_check(c, s->given) || !events_read(c, node_get(root, "when"), node_get(root, "then")))
        return false;
    events_sort(c->arena, s);
    return true;
}

bool scenario_parse(struct arena *a, const char *path, struct str text, struct scenario_file *out, struct error *err)
{
    const struct node *first, *n;
    struct error e = {0};
    size_t most = 0;
    *out = (struct scenario_file){.path = path};
    if (!node_parse(a, text, str_ends(str_of(path), STR(".json")), &first, &e))
        return error_set(err, ERROR_BAD_INPUT, "%.160s:%.300s", path, e.message);
    for (n = first; n; n = n->next)
        most += n->kind == NODE_LIST ? node_length(n) : 1;
    if (!most)
        return error_set(err, ERROR_BAD_INPUT, "%.160s:1:1: There is no test in it", path);
    out->list = ARENA_ARRAY(a, struct scenario, most);
    for (n = first; n; n = n->next)
        for (const struct node *root = n->kind == NODE_LIST ? n->first : n; root; root = n->kind == NODE_LIST ? root->next : NULL) {
            struct check c = {.arena = a, .s = &out->list[out->n++], .err = err};
            *c.s = (struct scenario){.path = path};
            if (!scenario_check(&c, root))
                return false;
        }
    return true;
}

bool scenario_file_text(struct arena *a, const char *path, struct str *text, struct error *err)
{
    FILE *f = fopen(path, "re");
    struct buf b = {.arena = a};
    char block[16384];
    size_t n;
    if (!f)
        return error_set(err, ERROR_IO, "%.300s: %s", path, strerror(errno));
    while ((n = fread(block, 1, sizeof block, f)) > 0 && b.n <= SCENARIO_BYTES_MAX)
        buf_add(&b, block, n);
    bool failed = ferror(f) != 0;
    fclose(f);
    *text = buf_finish(&b);
    if (failed)
        return error_set(err, ERROR_IO, "%.300s cannot be read", path);
    return b.n <= SCENARIO_BYTES_MAX || error_set(err, ERROR_TOO_LARGE, "%.300s has more than %d MiB", path, SCENARIO_BYTES_MAX >> 20);
}

bool scenario_read(struct arena *a, const char *path, struct scenario_file *out, struct error *err)
{
    struct str text;
    return scenario_file_text(a, path, &text, err) && scenario_parse(a, path, text, out, err);
}
