/* The parts of an Inbox filter that look inside a message: its tags and its data (inbox-realtime.md §2.3, §2.4). */
#include "model/inbox_private.h"

void inbox_filter_init(struct inbox_filter *f)
{
    *f = (struct inbox_filter){.read = -1, .seen = -1, .archived = -1, .snoozed = -1};
}

static bool has_tag(yyjson_val *tags, const struct str *group, size_t n)
{
    yyjson_val *tag;
    yyjson_arr_iter it = yyjson_arr_iter_with(tags);
    while ((tag = yyjson_arr_iter_next(&it)))
        for (size_t i = 0; i < n; i++)
            if (yyjson_is_str(tag) && str_eq(json_str(tag), group[i]))
                return true;
    return false;
}

bool inbox_tags_match(const struct inbox_filter *f, yyjson_val *tags)
{
    const struct str *group = f->tags;
    for (size_t i = 0; i < f->tag_groups_n; i++) {
        if (!has_tag(tags, group, f->tag_groups[i]))
            return false;
        group += f->tag_groups[i];
    }
    return true;
}

static bool same_scalar(yyjson_val *wanted, yyjson_val *v)
{
    if (!v || yyjson_is_null(v))            /* a member that is missing counts as null, as in the original's store */
        return yyjson_is_null(wanted);
    if (yyjson_is_num(wanted))
        return yyjson_is_num(v) && yyjson_get_num(wanted) == yyjson_get_num(v);
    if (yyjson_is_str(wanted))
        return yyjson_is_str(v) && str_eq(json_str(wanted), json_str(v));
    return yyjson_is_bool(wanted) && yyjson_is_bool(v) && yyjson_get_bool(wanted) == yyjson_get_bool(v);
}

/* An array in the message matches if one of its elements does. */
static bool scalar_matches(yyjson_val *wanted, yyjson_val *v)
{
    yyjson_val *e;
    yyjson_arr_iter it = yyjson_arr_iter_with(v);
    if (!yyjson_is_arr(v))
        return same_scalar(wanted, v);
    while ((e = yyjson_arr_iter_next(&it)))
        if (same_scalar(wanted, e))
            return true;
    return false;
}

static bool any_matches(yyjson_val *group, yyjson_val *v)
{
    yyjson_val *wanted;
    yyjson_arr_iter it = yyjson_arr_iter_with(group);
    while ((wanted = yyjson_arr_iter_next(&it)))
        if (scalar_matches(wanted, v))
            return true;
    return false;
}

static bool all_match(yyjson_val *groups, yyjson_val *v)
{
    yyjson_val *group;
    yyjson_arr_iter it = yyjson_arr_iter_with(groups);
    while ((group = yyjson_arr_iter_next(&it)))
        if (!any_matches(json_get(group, "or"), v))
            return false;
    return true;
}

static bool members_match(yyjson_val *wanted, yyjson_val *v);

/* No alternatives at all are no condition. */
static bool one_matches(yyjson_val *group, yyjson_val *v)
{
    return !yyjson_arr_size(group) || any_matches(group, v);
}

static bool value_matches(yyjson_val *wanted, yyjson_val *v)
{
    if (yyjson_is_arr(wanted))
        return one_matches(wanted, v);
    if (!yyjson_is_obj(wanted))
        return scalar_matches(wanted, v);
    if (inbox_data_is_group(wanted, "or"))
        return one_matches(json_get(wanted, "or"), v);
    if (inbox_data_is_group(wanted, "and"))
        return all_match(json_get(wanted, "and"), v);
    return members_match(wanted, v);
}

static bool members_match(yyjson_val *wanted, yyjson_val *v)
{
    yyjson_val *k;
    yyjson_obj_iter it = yyjson_obj_iter_with(wanted);
    while ((k = yyjson_obj_iter_next(&it)))
        if (!value_matches(yyjson_obj_iter_get_val(k), json_getn(v, json_str(k))))
            return false;
    return true;
}

bool inbox_data_is_group(yyjson_val *v, const char *kind)
{
    return yyjson_obj_size(v) == 1 && yyjson_is_arr(json_get(v, kind));
}

static bool is_named(const struct inbox_filter *f, struct id id)
{
    for (size_t i = 0; i < f->ids_n; i++)
        if (id_eq(f->ids[i], id))
            return true;
    return false;
}

bool inbox_filter_matches(const struct inbox_filter *f, struct id id, yyjson_val *doc)
{
    return (!f->ids || is_named(f, id)) && inbox_tags_match(f, json_get(doc, "tags"))
        && (!f->data || members_match(f->data, json_get(doc, "data")));
}
