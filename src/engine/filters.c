/* Legacy filters: comparisons of payload, subscriber and tenant, and what became of earlier messages. */
#include "engine/filters.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"

static yyjson_val *variable(const struct filter_context *c, struct str name)
{
    for (size_t i = 0; i < c->variables_n; i++)
        if (str_eq(c->variables[i].name, name))
            return c->variables[i].value;
    return NULL;
}

/* --- one part -------------------------------------------------------------------------------------------------- */

enum { EQUAL, NOT_EQUAL, LARGER, SMALLER, LARGER_EQUAL, SMALLER_EQUAL, IN, NOT_IN, IS_DEFINED, OPERATORS };
static const char *const operator_names[OPERATORS] = {"EQUAL", "NOT_EQUAL", "LARGER", "SMALLER", "LARGER_EQUAL", "SMALLER_EQUAL",
                                                      "IN", "NOT_IN", "IS_DEFINED"};

static double number_of(struct str s)
{
    char text[64], *end;
    s = str_trim(s);
    if (!s.n)
        return 0;
    if (s.n >= sizeof text)
        return NAN;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    double n = strtod(text, &end);
    return *end ? NAN : n;
}

/* The filter's value is text; it is compared as what the actual value is. */
static double expected_number(yyjson_val *v)
{
    return yyjson_is_num(v) ? yyjson_get_num(v) : number_of(json_str(v));
}

static bool expected_true(yyjson_val *v)
{
    return yyjson_is_true(v) || str_eqz(json_str(v), "true");
}

static struct str text_of(struct arena *a, yyjson_val *v)
{
    return !v ? STR("undefined") : yyjson_is_str(v) ? json_str(v) : json_write(a, v);
}

static bool is_equal(struct arena *a, yyjson_val *actual, yyjson_val *expected)
{
    if (yyjson_is_num(actual))
        return yyjson_get_num(actual) == expected_number(expected);
    if (yyjson_is_bool(actual))
        return yyjson_get_bool(actual) == expected_true(expected);
    if (!yyjson_is_str(actual))
        return (actual ? yyjson_get_type(actual) : YYJSON_TYPE_NONE) == (expected ? yyjson_get_type(expected) : YYJSON_TYPE_NONE)
            && (!actual || yyjson_equals(actual, expected));
    return str_eq(json_str(actual), text_of(a, expected));
}

/* <0, 0, >0; 2: cannot be compared. */
static int order(struct arena *a, yyjson_val *actual, yyjson_val *expected)
{
    if (yyjson_is_str(actual)) {
        int c = str_cmp(json_str(actual), text_of(a, expected));
        return c < 0 ? -1 : c > 0;
    }
    if (!yyjson_is_num(actual))
        return 2;
    double x = yyjson_get_num(actual), y = expected_number(expected);
    return isnan(y) ? 2 : x < y ? -1 : x > y;
}

/* actual.includes(value) */
static bool includes(struct arena *a, yyjson_val *actual, yyjson_val *expected)
{
    yyjson_val *v;
    size_t i, n;
    if (yyjson_is_str(actual))
        return str_find(json_str(actual), text_of(a, expected)) >= 0;
    yyjson_arr_foreach(actual, i, n, v)
        if (is_equal(a, v, expected))
            return true;
    return false;
}

static bool compare(struct arena *a, struct str operator, yyjson_val *actual, yyjson_val *expected)
{
    int o = order(a, actual, expected), op = 0;
    while (op < OPERATORS && !str_eqz(operator, operator_names[op]))
        op++;
    switch (op) {
    case EQUAL: return is_equal(a, actual, expected);
    case NOT_EQUAL: return !is_equal(a, actual, expected);
    case LARGER: return o == 1;
    case SMALLER: return o == -1;
    case LARGER_EQUAL: return o == 0 || o == 1;
    case SMALLER_EQUAL: return o == 0 || o == -1;
    case IN: return includes(a, actual, expected);
    case NOT_IN: return !includes(a, actual, expected);
    case IS_DEFINED: return actual != NULL;
    default: return false;
    }
}

static void say(struct filter_context *c, yyjson_val *part, struct str field, struct str expected, struct str actual, struct str operator,
                bool passed)
{
    if (!c->conditions)
        return;
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(c->doc, c->conditions);
    json_add_val(c->doc, o, "filter", json_get(part, "on"));
    json_add_str(c->doc, o, "field", field);
    json_add_str(c->doc, o, "expected", expected);
    json_add_str(c->doc, o, "actual", actual);
    json_add_str(c->doc, o, "operator", operator);
    json_add_bool(c->doc, o, "passed", passed);
}

/* A template in the value is rendered first. */
static yyjson_val *rendered(struct filter_context *c, yyjson_val *v)
{
    struct liquid_context ctx = {.variables = c->variables, .variables_n = c->variables_n, .mode = LIQUID_PLAIN, .now_ms = c->now};
    yyjson_val *out = v;
    if (!yyjson_is_str(v) || str_find(json_str(v), STR("{{")) < 0)
        return v;
    yyjson_mut_doc *d = json_doc(c->arena);
    yyjson_mut_val *text;
    if (!controls_render(controls_compile(c->arena, v), &ctx, c->arena, d, &text, NULL))
        return v;
    json_parse(c->arena, json_write_mut(c->arena, text), &out, NULL);
    return out;
}

static bool field_compare(struct filter_context *c, yyjson_val *part, yyjson_val *actual)
{
    struct str field = json_get_str(part, "field"), operator = json_get_str(part, "operator");
    yyjson_val *expected = rendered(c, json_get(part, "value"));
    bool passed = compare(c->arena, operator, actual, expected);
    say(c, part, field, text_of(c->arena, expected), text_of(c->arena, actual), operator, passed);
    return passed;
}

static bool field_part(struct filter_context *c, yyjson_val *part)
{
    return field_compare(c, part, json_path(variable(c, json_get_str(part, "on")), json_get_str(part, "field")));
}

/* engine.md §5.3: nothing is known of somebody who never was online. */
static bool online_part(struct filter_context *c, yyjson_val *part)
{
    yyjson_val *subscriber = variable(c, STR("subscriber"));
    bool wanted = expected_true(json_get(part, "value")), is = json_get_bool(subscriber, "isOnline", false);
    bool known = is || yyjson_is_str(json_get(subscriber, "lastOnlineAt")), passed = known && is == wanted;
    say(c, part, STR("isOnline"), wanted ? STR("true") : STR("false"), is ? STR("true") : STR("false"), STR("EQUAL"), passed);
    return passed;
}

static bool online_lately_part(struct filter_context *c, yyjson_val *part)
{
    yyjson_val *subscriber = variable(c, STR("subscriber"));
    struct str unit = json_get_str(part, "timeOperator");
    int64_t at, each = str_eqz(unit, "days") ? 86400000 : str_eqz(unit, "hours") ? 3600000 : 60000;
    double most = expected_number(json_get(part, "value"));
    bool is = json_get_bool(subscriber, "isOnline", false), passed = is;
    if (!is && time_parse_iso(json_get_str(subscriber, "lastOnlineAt"), &at)) {
        double past = floor((double)(c->now - at) / (double)each);
        passed = c->now >= at && past <= most;
    }
    say(c, part, STR("isOnline"), text_of(c->arena, json_get(part, "value")), is ? STR("true") : STR("false"), unit, passed);
    return passed;
}

/* The message of an earlier step; NULL: there is none. */
static const struct message *earlier_message(const struct filter_context *c, struct str step)
{
    const struct machine *m = c->machine;
    for (int i = 1; m && i < m->run->jobs_n; i++) {
        const struct step_definition *s = &m->facts->version->steps[m->run->jobs[i].step];
        char hex[ID_HEX + 1];
        id_hex(s->id, hex);
        if (!str_eq(s->step_id, step) && !str_eqz(step, hex) && !str_eq(s->uuid, step))
            continue;
        struct id message = run_message_id(m->run, i, 0);
        for (size_t k = 0; k < m->facts->messages_n; k++)
            if (id_eq(m->facts->messages[k].id, message))
                return &m->facts->messages[k];
    }
    return NULL;
}

static bool previous_step_part(struct filter_context *c, yyjson_val *part)
{
    struct str wanted = json_get_str(part, "stepType");
    const struct message *m = earlier_message(c, json_get_str(part, "step"));
    bool passed = !m || (str_eqz(wanted, "read") ? m->read : str_eqz(wanted, "unread") ? !m->read : str_eqz(wanted, "seen") ? m->seen
                         : str_eqz(wanted, "unseen") && !m->seen);
    say(c, part, wanted, STR("true"), passed ? STR("true") : STR("false"), STR("EQUAL"), passed);
    return passed;
}

static bool part_passes(struct filter_context *c, yyjson_val *part)
{
    struct str on = json_get_str(part, "on");
    if (str_eqz(on, "payload") || str_eqz(on, "subscriber") || str_eqz(on, "tenant") || str_eqz(on, "context"))
        return field_part(c, part);
    if (str_eqz(on, "isOnline"))
        return online_part(c, part);
    if (str_eqz(on, "isOnlineInLast"))
        return online_lately_part(c, part);
    return str_eqz(on, "previousStep") && previous_step_part(c, part);
}

/* --- groups ---------------------------------------------------------------------------------------------------- */

static bool is_webhook(yyjson_val *part)
{
    return str_eqz(json_get_str(part, "on"), "webhook");
}

static enum filters_verdict webhook_part(struct filter_context *c, yyjson_val *part, size_t group, size_t at)
{
    struct str key = str_fmt(c->arena, "%.*s%zu.%zu", STR_ARG(c->prefix), group, at);
    yyjson_val *answer = json_getn(c->answers, key);
    if (!c->answers)
        return FILTERS_FAIL;
    if (!answer && json_get_str(part, "webhookUrl").n) {
        c->asks = part;
        c->asks_key = key;
        return FILTERS_ASK;
    }
    if (json_get(answer, "failed"))
        return FILTERS_FAIL;
    return field_compare(c, part, json_get(answer, "value")) ? FILTERS_PASS : FILTERS_FAIL;
}

static enum filters_verdict group_judge(struct filter_context *c, yyjson_val *group, size_t number)
{
    yyjson_val *children = json_get(group, "children"), *part;
    struct str how = json_get_str(group, "value");
    size_t i, n = yyjson_arr_size(children), max;
    bool all = n == 1 || str_eqz(how, "AND"), passed = all;
    if (n == 0)
        return FILTERS_PASS;
    if (!all && !str_eqz(how, "OR"))
        return FILTERS_FAIL;
    yyjson_arr_foreach(children, i, max, part)
        if (!is_webhook(part)) {
            bool one = part_passes(c, part);
            passed = all ? passed && one : passed || one;
        }
    yyjson_arr_foreach(children, i, max, part)
        if (is_webhook(part) && passed == all) {
            enum filters_verdict v = webhook_part(c, part, number, i);
            if (v == FILTERS_ASK)
                return v;
            passed = v == FILTERS_PASS;
        }
    return passed ? FILTERS_PASS : FILTERS_FAIL;
}

enum filters_verdict filters_judge(struct filter_context *c, yyjson_val *filters)
{
    yyjson_val *group;
    size_t i, n;
    yyjson_arr_foreach(filters, i, n, group) {
        enum filters_verdict v = group_judge(c, group, i);
        if (v != FILTERS_FAIL)
            return v;
    }
    return yyjson_arr_size(filters) == 0 ? FILTERS_PASS : FILTERS_FAIL;
}
