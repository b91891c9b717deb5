/* Reads the Inbox's filters from queries and bodies (inbox-realtime.md §2.2–2.5, §2.7). */
#include "api/inbox_private.h"

enum { TAG_GROUPS_MAX = 30, TAGS_GROUP_MAX = 100, TAGS_MAX = 200, DATA_TEXT_MAX = 256, DATA_DEPTH_MAX = 2, IDS_MAX = 10000 };

/* --- tags: AND of OR groups ------------------------------------------------------------------------------------ */

struct tag_list {
    struct checks *checks;
    struct str *values;             /* TAGS_MAX of them */
    size_t *groups;                 /* TAG_GROUPS_MAX of them */
    size_t n, groups_n;
    bool failed;                    /* the first mistake is told */
};

static struct tag_list tags_begin(struct checks *c)
{
    return (struct tag_list){.checks = c, .values = ARENA_ARRAY(c->rq->arena, struct str, TAGS_MAX),
                             .groups = ARENA_ARRAY(c->rq->arena, size_t, TAG_GROUPS_MAX)};
}

static void tags_fail(struct tag_list *t, const char *message)
{
    if (!t->failed)
        check_fail(t->checks, "%s", message);
    t->failed = true;
}

static void tags_open_group(struct tag_list *t)
{
    if (t->groups_n == TAG_GROUPS_MAX)
        tags_fail(t, "At most 30 tag groups are allowed");
    else
        t->groups[t->groups_n++] = 0;
}

static void tags_add(struct tag_list *t, struct str tag)
{
    if (t->failed)
        return;
    if (t->groups[t->groups_n - 1] == TAGS_GROUP_MAX)
        tags_fail(t, "At most 100 tags are allowed in a single OR-group");
    else if (t->n == TAGS_MAX)
        tags_fail(t, "At most 200 total tag values are allowed");
    else {
        t->values[t->n++] = tag;
        t->groups[t->groups_n - 1]++;
    }
}

static void tags_end(struct tag_list *t, struct inbox_filter *f)
{
    f->tags = t->values;
    f->tag_groups = t->groups;
    f->tag_groups_n = t->failed ? 0 : t->groups_n;
}

static void group_read(struct tag_list *t, yyjson_val *group)
{
    yyjson_val *tag;
    yyjson_arr_iter it = yyjson_arr_iter_with(group);
    if (!yyjson_arr_size(group))
        return;
    if (yyjson_is_arr(yyjson_arr_get_first(group))) {
        tags_fail(t, "Nested tag arrays are not supported; use { and: [{ or: string[] }, ...] } for multiple OR-groups");
        return;
    }
    tags_open_group(t);
    while ((tag = yyjson_arr_iter_next(&it)) && !t->failed) {
        if (yyjson_is_str(tag))
            tags_add(t, json_str(tag));
        else
            tags_fail(t, "Tags must be strings");
    }
}

static void and_read(struct tag_list *t, yyjson_val *groups)
{
    yyjson_val *group;
    yyjson_arr_iter it = yyjson_arr_iter_with(groups);
    while ((group = yyjson_arr_iter_next(&it)) && !t->failed) {
        yyjson_val *alternatives = json_get(group, "or");
        if (!yyjson_is_obj(group))
            tags_fail(t, "Each \"and\" entry must be an object { or: string[] }");
        else if (yyjson_obj_size(group) != 1 || !alternatives)
            tags_fail(t, "Each \"and\" entry must be { or: string[] }");
        else if (!yyjson_is_arr(alternatives))
            tags_fail(t, "\"or\" must be an array of strings");
        else if (!yyjson_arr_size(alternatives))
            tags_fail(t, "Each tag group must be a non-empty array of strings");
        else
            group_read(t, alternatives);
    }
}

static void tags_read(struct checks *c, yyjson_val *v, struct inbox_filter *f)
{
    struct tag_list t = tags_begin(c);
    yyjson_val *either = json_get(v, "or"), *all = json_get(v, "and");
    if (!v || yyjson_is_null(v))
        return;
    if (yyjson_is_arr(v))
        group_read(&t, v);
    else if (!yyjson_is_obj(v))
        tags_fail(&t, "Tags must be an array or object");
    else if (either && all)
        tags_fail(&t, "Tags filter cannot have both \"or\" and \"and\"");
    else if (!either && !all)
        tags_fail(&t, "Tags filter object must have \"or\" or \"and\"");
    else if (yyjson_obj_size(v) != 1)
        tags_fail(&t, "Invalid tags filter object");
    else if (!yyjson_is_arr(either ? either : all))
        tags_fail(&t, either ? "\"or\" must be an array of strings" : "\"and\" must be an array");
    else if (either)
        group_read(&t, either);
    else
        and_read(&t, all);
    tags_end(&t, f);
}

/* A query's tags, in order: those of one group have one number. */
struct query_tags {
    struct { int64_t group; struct str tag; } items[TAGS_MAX + 1];
    size_t n;
    bool either, all;               /* tags[or], tags[and] */
    struct str plain;               /* the first tags=… */
};

enum { FLAT_GROUP = -1, GROUP_NUMBER_MAX = 1000000 };

/* The text in the brackets that s begins with; *rest is what follows them. */
static bool bracket_read(struct str s, struct str *inner, struct str *rest)
{
    ptrdiff_t close = str_find(s, STR("]"));
    if (!s.n || s.p[0] != '[' || close < 1)
        return false;
    *inner = str_sub(s, 1, (size_t)close);
    *rest = str_sub(s, (size_t)close + 1, s.n);
    return true;
}

/* tags, tags[], tags[0], tags[or][]: one group; tags[i][], tags[i][j], tags[and][i][], tags[and][i][or][]: group i. A name
 * that is no number is one group, too, as upstream has it (parse-tags-query.ts). */
static int64_t group_of(struct query_tags *q, struct str name)
{
    struct str inner, rest;
    int64_t i = 0;
    if (!bracket_read(name, &inner, &rest))
        return FLAT_GROUP;
    if (str_eqz(inner, "or")) {
        q->either = true;
        return FLAT_GROUP;
    }
    if (str_eqz(inner, "and")) {
        q->all = true;
        if (!bracket_read(rest, &inner, &rest))
            return FLAT_GROUP;
    }
    return rest.n && str_to_i64(inner, &i) && i >= 0 && i <= GROUP_NUMBER_MAX ? i : FLAT_GROUP;
}

static void query_tag(void *arg, struct str name, struct str value)
{
    struct query_tags *q = arg;
    size_t at = q->n;
    if (!str_starts(name, STR("tags")) || (name.n > 4 && name.p[4] != '['))
        return;
    int64_t group = group_of(q, str_sub(name, 4, name.n));
    if (q->n > TAGS_MAX)
        return;
    if (name.n == 4 && !q->plain.n)
        q->plain = value;
    for (; at > 0 && q->items[at - 1].group > group; at--)
        q->items[at] = q->items[at - 1];
    q->items[at].group = group;
    q->items[at].tag = value;
    q->n++;
}

/* tags={"or":[…]} and tags={"and":[…]}, when that is all there is about tags; other text is a tag. */
static yyjson_val *query_tags_object(struct arena *a, const struct query_tags *q)
{
    yyjson_val *v = NULL;
    struct error err;
    if (q->n != 1 || !str_starts(q->plain, STR("{")) || !json_parse(a, q->plain, &v, &err))
        return NULL;
    return yyjson_is_obj(v) ? v : NULL;
}

static void tags_from_query(struct checks *c, struct inbox_filter *f)
{
    struct tag_list t = tags_begin(c);
    struct query_tags *q = ARENA_NEW(c->rq->arena, struct query_tags);
    request_query_each(c->rq, query_tag, q);
    yyjson_val *object = query_tags_object(c->rq->arena, q);
    if (object) {
        tags_read(c, object, f);
        return;
    }
    if (q->either && q->all)
        tags_fail(&t, "Tags filter cannot have both \"or\" and \"and\"");
    for (size_t i = 0; i < q->n && !t.failed; i++) {
        if (!i || q->items[i].group != q->items[i - 1].group)
            tags_open_group(&t);
        tags_add(&t, q->items[i].tag);
    }
    tags_end(&t, f);
}

static yyjson_mut_val *group_json(yyjson_mut_doc *d, const struct str *values, size_t n)
{
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_append(list, json_mut_str(d, values[i]));
    return list;
}

static void tags_echo(yyjson_mut_doc *d, yyjson_mut_val *echo, const struct inbox_filter *f)
{
    const struct str *values = f->tags;
    if (!f->tag_groups_n)
        return;
    if (f->tag_groups_n == 1) {
        yyjson_mut_obj_add_val(d, echo, "tags", group_json(d, values, f->tag_groups[0]));
        return;
    }
    yyjson_mut_val *groups = json_add_arr(d, json_add_obj(d, echo, "tags"), "and");
    for (size_t i = 0; i < f->tag_groups_n; values += f->tag_groups[i++])
        yyjson_mut_obj_add_val(d, yyjson_mut_arr_add_obj(d, groups), "or", group_json(d, values, f->tag_groups[i]));
}

/* --- data ------------------------------------------------------------------------------------------------------ */

static bool scalar_check(yyjson_val *v, struct str path, struct error *err)
{
    size_t characters = 0;
    struct str s = json_str(v);
    if (yyjson_is_ctn(v))
        return error_http(err, 400, "Value for %.*s must be a scalar (string, number, boolean, or null)", STR_ARG(path));
    for (size_t i = 0; i < s.n; i++)        /* as JavaScript counts */
        characters += (size_t)((s.p[i] & 0xc0) != 0x80) + ((s.p[i] & 0xf8) == 0xf0);
    if (characters > DATA_TEXT_MAX)
        return error_http(err, 400, "String value for %.*s exceeds 256 characters", STR_ARG(path));
    return true;
}

static bool alternatives_check(yyjson_val *list, struct str path, size_t *total, struct error *err)
{
    yyjson_val *v;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    *total += yyjson_arr_size(list);
    if (yyjson_arr_size(list) > TAGS_GROUP_MAX)
        return error_http(err, 400, "At most 100 values are allowed in a single OR-group for %.*s", STR_ARG(path));
    if (*total > TAGS_MAX)
        return error_http(err, 400, "At most 200 total values are allowed for %.*s", STR_ARG(path));
    while ((v = yyjson_arr_iter_next(&it)))
        if (yyjson_is_arr(v))
            return error_http(err, 400, "Nested arrays are not supported for %.*s; use { and: [{ or: Scalar[] }, ...] } for multiple "
                              "OR-groups", STR_ARG(path));
        else if (!scalar_check(v, path, err))
            return false;
    return true;
}

static bool groups_check(yyjson_val *list, struct str path, struct error *err)
{
    yyjson_val *group;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    size_t total = 0;
    if (yyjson_arr_size(list) > TAG_GROUPS_MAX)
        return error_http(err, 400, "At most 30 groups are allowed for %.*s", STR_ARG(path));
    while ((group = yyjson_arr_iter_next(&it))) {
        if (yyjson_obj_size(group) != 1 || !json_get(group, "or"))
            return error_http(err, 400, "Each \"and\" entry for %.*s must be { or: Scalar[] }", STR_ARG(path));
        if (!yyjson_is_arr(json_get(group, "or")))
            return error_http(err, 400, "\"or\" for %.*s must be an array of scalars", STR_ARG(path));
        if (!yyjson_arr_size(json_get(group, "or")))
            return error_http(err, 400, "Each group for %.*s must be a non-empty array", STR_ARG(path));
        if (!alternatives_check(json_get(group, "or"), path, &total, err))
            return false;
    }
    return true;
}

static bool members_check(struct arena *a, yyjson_val *v, struct str path, int depth, struct error *err);

static bool value_check(struct arena *a, yyjson_val *v, struct str path, int depth, struct error *err)
{
    size_t total = 0;
    yyjson_val *either = json_get(v, "or"), *all = json_get(v, "and");
    if (yyjson_is_arr(v))
        return alternatives_check(v, path, &total, err);
    if (!yyjson_is_obj(v))
        return scalar_check(v, path, err);
    if (either && all)
        return error_http(err, 400, "Filter for %.*s cannot have both \"or\" and \"and\"", STR_ARG(path));
    if ((either || all) && yyjson_obj_size(v) != 1)
        return error_http(err, 400, "Invalid filter object for %.*s", STR_ARG(path));
    if (either)
        return yyjson_is_arr(either) ? alternatives_check(either, path, &total, err)
                                     : error_http(err, 400, "\"or\" for %.*s must be an array of scalars", STR_ARG(path));
    if (all)
        return yyjson_is_arr(all) ? groups_check(all, path, err)
                                  : error_http(err, 400, "\"and\" for %.*s must be an array", STR_ARG(path));
    if (depth == DATA_DEPTH_MAX)
        return error_http(err, 400, "Maximum nesting level exceeded (2 levels max) at %.*s", STR_ARG(path));
    return members_check(a, v, path, depth + 1, err);
}

static bool key_check(struct str key, struct str path, struct error *err)
{
    struct str shown = str_sub(key, 0, 64);
    if (!path.n)
        path = STR("data");
    if (!key.n)
        return error_http(err, 400, "Empty keys are not allowed under %.*s", STR_ARG(path));
    if (key.p[0] == '$' || key.p[0] == '.')
        return error_http(err, 400, "Key \"%.*s\" under %.*s cannot start with \"$\" or \".\"", STR_ARG(shown), STR_ARG(path));
    if (str_eqz(key, "__proto__") || str_eqz(key, "constructor") || str_eqz(key, "prototype"))
        return error_http(err, 400, "Key \"%.*s\" under %.*s is not allowed", STR_ARG(shown), STR_ARG(path));
    return true;
}

static bool members_check(struct arena *a, yyjson_val *v, struct str path, int depth, struct error *err)
{
    yyjson_val *k;
    yyjson_obj_iter it = yyjson_obj_iter_with(v);
    while ((k = yyjson_obj_iter_next(&it))) {
        struct str key = str_sub(json_str(k), 0, 64), below = path.n ? str_fmt(a, "%.*s.%.*s", STR_ARG(path), STR_ARG(key)) : key;
        if (!key_check(json_str(k), path, err) || !value_check(a, yyjson_obj_iter_get_val(k), below, depth, err))
            return false;
    }
    return true;
}

static bool data_read(struct arena *a, yyjson_val *v, struct inbox_filter *f, struct error *err)
{
    if (!yyjson_is_obj(v))
        return error_http(err, 400, "Data filter must be an object");
    if (yyjson_obj_size(v) > TAGS_MAX)
        return error_http(err, 400, "At most 200 keys are allowed in a data filter");
    if (!members_check(a, v, STR(""), 1, err))
        return false;
    f->data = yyjson_obj_size(v) ? v : NULL;
    return true;
}

static bool data_from_text(struct arena *a, struct str text, yyjson_val **v, struct inbox_filter *f, struct error *err)
{
    struct error syntax = {0};
    if (!json_parse(a, text, v, &syntax))
        return error_http(err, 400, "Invalid JSON format for data parameter");
    return data_read(a, *v, f, err);
}

/* --- severities, times, flags ------------------------------------------------------------------------------------ */

static void severity_add(struct checks *c, struct str name, struct inbox_filter *f)
{
    enum severity s;
    if (severity_parse(name, &s))
        f->severities |= 1u << s;
    else
        check_fail(c, "severity must be one of the following values: high, medium, low, none");
}

static void severities_from_query(struct checks *c, struct inbox_filter *f)
{
    struct str *names;
    size_t n = request_query_all(c->rq, "severity", &names);
    for (size_t i = 0; i < n && !c->n; i++)
        severity_add(c, names[i], f);
}

static bool unread_and_archived(const struct inbox_filter *f, struct error *err)
{
    if (f->read != 0 || f->archived != 1)
        return true;
    return error_http(err, 400, "Filtering for unread and archived notifications is not supported.");
}

static const struct flag {
    const char *name;
    size_t place;
} flags[] = {
    {"read", offsetof(struct inbox_filter, read)},
    {"archived", offsetof(struct inbox_filter, archived)},
    {"snoozed", offsetof(struct inbox_filter, snoozed)},
    {"seen", offsetof(struct inbox_filter, seen)},
};
enum { FLAGS = sizeof flags / sizeof *flags };

static int *flag_of(struct inbox_filter *f, const struct flag *flag)
{
    return (int *)((char *)f + flag->place);
}

/* In the filter 0 stands for no bound. Nothing was created before 1970. */
static int64_t bound_of(int64_t ms, bool upper)
{
    return ms > 0 ? ms : upper ? -1 : 0;
}

/* --- the three forms --------------------------------------------------------------------------------------------- */

void inbox_filter_labels(struct checks *c, struct inbox_filter *f)
{
    inbox_filter_init(f);
    tags_from_query(c, f);
    severities_from_query(c, f);
}

static void times_from_query(struct checks *c, struct inbox_filter *f, yyjson_mut_doc *d, yyjson_mut_val *echo)
{
    static const char *const names[] = {"createdGte", "createdLte"};
    for (int i = 0; i < 2; i++) {
        if (!request_query(c->rq, names[i]).n)
            continue;
        int64_t ms = check_query_int(c, names[i], 0, INT64_MIN, INT64_MAX);
        *(i ? &f->created_lte : &f->created_gte) = bound_of(ms, i == 1);
        json_add_int(d, echo, names[i], ms);
    }
}

static void query_list(void *arg, struct str name, struct str value)
{
    (void)value;
    *(bool *)arg |= str_starts(name, STR("severity["));
}

/* One that was not sent as a list is not one. */
static void severities_echo(yyjson_mut_doc *d, yyjson_mut_val *echo, struct request *rq)
{
    struct str *names;
    size_t n = request_query_all(rq, "severity", &names);
    bool list = n > 1;
    request_query_each(rq, query_list, &list);
    if (list)
        yyjson_mut_obj_add_val(d, echo, "severity", group_json(d, names, n));
    else if (n)
        json_add_str(d, echo, "severity", names[0]);
}

bool inbox_filter_from_query(struct checks *c, struct inbox_filter *f, yyjson_mut_doc *d, yyjson_mut_val *echo,
                             struct error *err)
{
    struct str data = request_query(c->rq, "data");
    yyjson_val *v;
    inbox_filter_labels(c, f);
    tags_echo(d, echo, f);
    for (int i = 0; i < FLAGS; i++) {
        struct str value = request_query(c->rq, flags[i].name);
        if (!value.p)
            continue;
        *flag_of(f, &flags[i]) = str_eqz(value, "true");
        json_add_bool(d, echo, flags[i].name, str_eqz(value, "true"));
    }
    severities_echo(d, echo, c->rq);
    times_from_query(c, f, d, echo);
    if (data.n) {
        if (!data_from_text(c->rq->arena, data, &v, f, err))
            return false;
        json_add_val(d, echo, "data", v);
    }
    return unread_and_archived(f, err);
}

static void severities_from_json(struct checks *c, yyjson_val *v, struct inbox_filter *f)
{
    yyjson_val *e;
    yyjson_arr_iter it = yyjson_arr_iter_with(v);
    if (!v || yyjson_is_null(v))
        return;
    if (!yyjson_is_arr(v))
        severity_add(c, json_str(v), f);
    while ((e = yyjson_arr_iter_next(&it)) && !c->n)
        severity_add(c, json_str(e), f);
}

static int64_t bound_from_json(struct checks *c, size_t index, yyjson_val *obj, const char *key)
{
    yyjson_val *v = json_get(obj, key);
    if (!v || yyjson_is_null(v))
        return 0;
    if (!yyjson_is_num(v))
        check_fail(c, "filters.%zu.%s must be a number", index, key);
    double ms = yyjson_get_num(v);
    /* Beyond what dates reach (8.64e15 ms) every bound is the same. */
    return bound_of(ms > 8.64e15 ? (int64_t)8.64e15 : ms < 0 ? -1 : (int64_t)ms, str_eqz(str_of(key), "createdLte"));
}

bool inbox_filter_from_json(struct checks *c, size_t index, yyjson_val *v, struct inbox_filter *f, struct error *err)
{
    yyjson_val *data = json_get(v, "data");
    inbox_filter_init(f);
    if (!yyjson_is_obj(v)) {
        check_fail(c, "filters.%zu must be an object", index);
        return true;
    }
    tags_read(c, json_get(v, "tags"), f);
    for (int i = 0; i < FLAGS; i++) {
        yyjson_val *flag = json_get(v, flags[i].name);
        if (yyjson_is_bool(flag))
            *flag_of(f, &flags[i]) = yyjson_get_bool(flag);
        else if (flag && !yyjson_is_null(flag))
            check_fail(c, "filters.%zu.%s must be a boolean value", index, flags[i].name);
    }
    severities_from_json(c, json_get(v, "severity"), f);
    f->created_gte = bound_from_json(c, index, v, "createdGte");
    f->created_lte = bound_from_json(c, index, v, "createdLte");
    if (data && !yyjson_is_null(data) && !data_read(c->rq->arena, data, f, err))
        return false;
    return unread_and_archived(f, err);
}

static void ids_read(struct checks *c, yyjson_val *list, struct inbox_filter *f)
{
    yyjson_val *v;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    size_t n = yyjson_arr_size(list);
    if (n > IDS_MAX) {
        check_fail(c, "notificationIds must contain no more than %d elements", IDS_MAX);
        return;
    }
    f->ids = ARENA_ARRAY(c->rq->arena, struct id, n + 1);
    while ((v = yyjson_arr_iter_next(&it)))
        if (!id_parse(json_str(v), &f->ids[f->ids_n++])) {
            check_fail(c, "each value in notificationIds must be a mongodb id");
            return;
        }
}

bool inbox_filter_from_body(struct checks *c, yyjson_val *body, struct inbox_filter *f, struct error *err)
{
    struct str data = check_string(c, body, "data", false);
    yyjson_val *ids = check_array(c, body, "notificationIds", false), *v;
    inbox_filter_init(f);
    if (body && !yyjson_is_obj(body))
        check_fail(c, "body must be an object");
    if (ids) {                          /* ids win over filters */
        ids_read(c, ids, f);
        return true;
    }
    tags_read(c, json_get(body, "tags"), f);
    return !data.n || data_from_text(c->rq->arena, data, &v, f, err);
}
