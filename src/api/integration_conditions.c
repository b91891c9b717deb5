/* Reads and checks the conditions of integrations. */
#include "api/integration_conditions.h"

#include "content/jsonlogic.h"

static bool one_of(struct str s, const char *const *list)
{
    for (; *list; list++)
        if (str_eqz(s, *list))
            return true;
    return false;
}

/* By the text of its URL; where its name leads is judged when it is asked. */
static void webhook_check(struct checks *c, yyjson_val *part, size_t group, size_t k)
{
    struct str url = json_get_str(part, "webhookUrl");
    struct outbound_target t;
    struct error why = {0};
    if (!url.n)
        check_fail(c, "conditions.%zu.children.%zu.webhookUrl should not be empty", group, k);
    else if (!outbound_check(&app_of(c->rq)->outbound, c->rq->arena, url, &t, &why))
        check_fail(c, "conditions.%zu.children.%zu.webhookUrl: %s", group, k, why.message);
}

/* {on, field, operator, value}: the parts that the engine decides without a run, and those that ask a webhook. */
static void part_check(struct checks *c, yyjson_val *part, size_t group, size_t k)
{
    static const char *const places[] = {"tenant", "subscriber", "payload", "context", "webhook", NULL};
    static const char *const operators[] = {"EQUAL", "NOT_EQUAL", "LARGER", "SMALLER", "LARGER_EQUAL", "SMALLER_EQUAL", "IN", "NOT_IN",
                                            "IS_DEFINED", NULL};
    struct str operator = json_get_str(part, "operator");
    if (!yyjson_is_obj(part)) {
        check_fail(c, "conditions.%zu.children.%zu must be an object", group, k);
        return;
    }
    if (!one_of(json_get_str(part, "on"), places))
        check_fail(c, "conditions.%zu.children.%zu.on must be one of the following values: tenant, subscriber, payload, context, webhook", group, k);
    if (!json_get_str(part, "field").n)
        check_fail(c, "conditions.%zu.children.%zu.field should not be empty", group, k);
    if (!one_of(operator, operators))
        check_fail(c, "conditions.%zu.children.%zu.operator must be one of the following values: EQUAL, NOT_EQUAL, LARGER, SMALLER, "
                   "LARGER_EQUAL, SMALLER_EQUAL, IN, NOT_IN, IS_DEFINED", group, k);
    if (!yyjson_is_str(json_get(part, "value")) && !(str_eqz(operator, "IS_DEFINED") && !json_get(part, "value")))
        check_fail(c, "conditions.%zu.children.%zu.value must be a string", group, k);
    if (str_eqz(json_get_str(part, "on"), "webhook"))
        webhook_check(c, part, group, k);
}

static void group_check(struct checks *c, yyjson_val *group, size_t at)
{
    yyjson_val *children = json_get(group, "children"), *part, *negated = json_get(group, "isNegated");
    static const char *const types[] = {"BOOLEAN", "TEXT", "DATE", "NUMBER", "STATEMENT", "LIST", "MULTI_LIST", "GROUP", NULL};
    struct str how = json_get_str(group, "value");
    size_t k, n;
    if (!yyjson_is_obj(group)) {
        check_fail(c, "conditions.%zu must be an object", at);
        return;
    }
    if (children && !yyjson_is_arr(children))
        check_fail(c, "conditions.%zu.children must be an array", at);
    if (json_get(group, "type") && !one_of(json_get_str(group, "type"), types))
        check_fail(c, "conditions.%zu.type must be one of the following values: BOOLEAN, TEXT, DATE, NUMBER, STATEMENT, LIST, MULTI_LIST, "
                   "GROUP", at);
    if (negated && !yyjson_is_bool(negated))
        check_fail(c, "conditions.%zu.isNegated must be a boolean value", at);
    if ((json_get(group, "value") || yyjson_arr_size(children) > 1) && !str_eqz(how, "AND") && !str_eqz(how, "OR"))
        check_fail(c, "conditions.%zu.value must be one of the following values: AND, OR", at);
    yyjson_arr_foreach(children, k, n, part)
        part_check(c, part, at, k);
}

/* The groups with all their members: clients' types have them all. */
static struct str completed(struct arena *a, yyjson_val *conditions)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    yyjson_val *group;
    size_t k, n;
    yyjson_arr_foreach(conditions, k, n, group) {
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
        struct str type = json_get_str(group, "type"), how = json_get_str(group, "value");
        json_add_bool(d, o, "isNegated", json_get_bool(group, "isNegated", false));
        json_add_str(d, o, "type", type.n ? type : STR("GROUP"));
        json_add_str(d, o, "value", how.n ? how : STR("AND"));
        if (json_get(group, "children"))
            json_add_val(d, o, "children", json_get(group, "children"));
        else
            json_add_arr(d, o, "children");
    }
    return json_write_mut(a, list);
}

static bool has_rules(const struct integration *i)
{
    return i->conditions.n && i->conditions.p[0] == '{';
}

static yyjson_val *rules_check(struct checks *c, yyjson_val *body)
{
    yyjson_val *rules = check_object(c, body, "rules", false);
    struct str unknown = rules ? jsonlogic_unknown(rules) : STR_NULL;
    if (rules && yyjson_obj_size(rules) > 1)
        check_fail(c, "rules must be one operation of JSON logic");
    else if (unknown.p)
        check_fail(c, "rules has an unrecognized operation: %.*s", (int)(unknown.n > 64 ? 64 : unknown.n), unknown.p);
    return rules;
}

bool integration_conditions_read(struct checks *c, yyjson_val *body, struct integration *i)
{
    struct arena *a = c->rq->arena;
    yyjson_val *conditions = check_array(c, body, "conditions", false), *rules = rules_check(c, body), *group;
    bool takes_rules = json_get(body, "rules") != NULL;
    size_t k, n;
    yyjson_arr_foreach(conditions, k, n, group)
        group_check(c, group, k);
    if (yyjson_arr_size(conditions) && yyjson_obj_size(rules))
        check_fail(c, "conditions and rules exclude each other");
    if (yyjson_obj_size(rules))
        i->conditions = json_write(a, rules);
    else if (yyjson_arr_size(conditions))
        i->conditions = completed(a, conditions);
    else if ((takes_rules && has_rules(i)) || (conditions && !has_rules(i)))
        i->conditions = STR_NULL;
    return conditions || takes_rules;
}

static bool part_is_known(yyjson_mut_val *part)
{
    yyjson_mut_val *on = yyjson_mut_obj_get(part, "on");
    return (yyjson_mut_equals_str(on, "subscriber") || yyjson_mut_equals_str(on, "payload"))
        && !yyjson_mut_equals_str(yyjson_mut_obj_get(part, "operator"), "IS_DEFINED");
}

void integration_conditions_close(struct request *rq, yyjson_mut_doc *d, const struct integration *i, yyjson_mut_val *wire)
{
    yyjson_mut_val *group, *part;
    yyjson_val *stored;
    if (!i->conditions.n || has_rules(i) || !str_starts(request_header(rq, "user-agent"), STR("speakeasy-sdk/"))
        || !json_parse(rq->arena, i->conditions, &stored, NULL))
        return;
    yyjson_mut_val *list = yyjson_val_mut_copy(d, stored);
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(list);
    while ((group = yyjson_mut_arr_iter_next(&it))) {
        yyjson_mut_arr_iter parts = yyjson_mut_arr_iter_with(yyjson_mut_obj_get(group, "children"));
        while ((part = yyjson_mut_arr_iter_next(&parts)))
            if (!part_is_known(part))
                yyjson_mut_arr_iter_remove(&parts);
    }
    yyjson_mut_obj_put(wire, yyjson_mut_str(d, "conditions"), list);
}
