/* /v2/workflows/{workflowId}/versions (decisions.md 16): each change of content is an immutable version. */
#include "api/workflow_private.h"
#include "api/workflow_view.h"

enum { PAGE = 50, PAGE_MAX = 100, CHANGES_MAX = 1000 };

static yyjson_mut_val *version_json(yyjson_mut_doc *d, const struct workflow_version *v, int64_t current)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_int(d, o, "version", v->number);
    json_add_str(d, o, "name", v->name);
    json_add_str(d, o, "hash", v->hash_hex);
    if (!id_is_zero(v->user))
        json_add_id(d, o, "_createdBy", v->user);
    json_add_time(d, o, "createdAt", v->created_at);
    json_add_bool(d, o, "current", v->number == current);
    return o;
}

void workflow_handle_versions(struct request *rq)
{
    struct checks checks = checks_begin(rq);
    struct workflow w;
    struct workflow_version *list;
    struct error err = {0};
    size_t n;
    int64_t total, limit = check_query_int(&checks, "limit", PAGE, 1, PAGE_MAX), offset = check_query_int(&checks, "offset", 0, 0, INT64_MAX);
    if (!checks_done(&checks) || !workflow_load(rq, &w))
        return;
    if (!workflow_version_list(app_db(rq), rq->arena, w.id, offset, limit, &list, &n, &total, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *arr = json_add_arr(d, o, "versions");
    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_append(arr, version_json(d, &list[i], w.version));
    json_add_int(d, o, "totalCount", total);
    reply_json(rq, 0, o);
}

/* The version with this number of the path's workflow; false: answered. */
static bool version_load(struct request *rq, const struct workflow *w, struct str number, struct workflow_version *v)
{
    struct error err = {0};
    int64_t n;
    if (!str_to_i64(number, &n))
        error_http(&err, 404, "Workflow version not found");
    else if (workflow_version_find(app_db(rq), rq->arena, w->id, n, v, &err))
        return true;
    reply_error(rq, &err);
    return false;
}

/* The workflow as it was then; whether it is active is no matter of versions. */
static struct workflow as_of(const struct workflow *w, const struct workflow_version *v)
{
    struct workflow row = *w;
    row.name = v->name;
    row.doc = v->doc;
    row.version = v->number;
    return row;
}

void workflow_handle_version(struct request *rq)
{
    struct workflow w;
    struct workflow_version v;
    struct workflow_content content;
    struct error err = {0};
    yyjson_mut_doc *d = json_doc(rq->arena);
    if (!workflow_load(rq, &w) || !version_load(rq, &w, request_param(rq, "version"), &v))
        return;
    if (!workflow_content_load(rq, &content, &err)) {
        reply_error(rq, &err);
        return;
    }
    struct workflow row = as_of(&w, &v);
    yyjson_mut_val *o = version_json(d, &v, w.version);
    yyjson_mut_obj_add_val(d, o, "workflow", workflow_json(d, rq->arena, &content, &row));
    reply_json(rq, 0, o);
}

/* --- differences -------------------------------------------------------------------------------------------------- */

struct differ {
    struct arena *a;
    yyjson_mut_doc *d;
    yyjson_mut_val *changes;
};

/* NULL: there was or is nothing. */
static void change_add(struct differ *x, struct str path, yyjson_mut_val *before, yyjson_mut_val *after)
{
    if (yyjson_mut_arr_size(x->changes) >= CHANGES_MAX)
        return;
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(x->d, x->changes);
    json_add_str(x->d, o, "path", path);
    json_add_str(x->d, o, "action", !before ? STR("added") : !after ? STR("deleted") : STR("modified"));
    if (before)
        yyjson_mut_obj_add_val(x->d, o, "before", before);
    if (after)
        yyjson_mut_obj_add_val(x->d, o, "after", after);
}

static yyjson_mut_val *copy(struct differ *x, yyjson_val *v)
{
    return v ? yyjson_val_mut_copy(x->d, v) : NULL;
}

static struct str path_to(struct differ *x, struct str path, struct str key)
{
    return str_fmt(x->a, "%.*s%s%.*s", STR_ARG(path), path.n ? "." : "", STR_ARG(key));
}

/* Objects member by member, everything else as a whole. */
static void diff(struct differ *x, struct str path, yyjson_val *before, yyjson_val *after)
{
    yyjson_val *k;
    if (!yyjson_is_obj(before) || !yyjson_is_obj(after)) {
        if (!before || !after || !yyjson_equals(before, after))
            change_add(x, path, copy(x, before), copy(x, after));
        return;
    }
    yyjson_obj_iter it = yyjson_obj_iter_with(before);
    while ((k = yyjson_obj_iter_next(&it)))
        diff(x, path_to(x, path, json_str(k)), yyjson_obj_iter_get_val(k), json_getn(after, json_str(k)));
    it = yyjson_obj_iter_with(after);
    while ((k = yyjson_obj_iter_next(&it)))
        if (!json_getn(before, json_str(k)))
            change_add(x, path_to(x, path, json_str(k)), NULL, copy(x, yyjson_obj_iter_get_val(k)));
}

static yyjson_val *step_with(yyjson_val *steps, struct str id, size_t *at)
{
    size_t i, n;
    yyjson_val *step;
    yyjson_arr_foreach(steps, i, n, step)
        if (str_eq(json_get_str(step, "_id"), id)) {
            *at = i;
            return step;
        }
    return NULL;
}

/* Steps are the same by their _id; one that only moved says so. */
static void diff_steps(struct differ *x, yyjson_val *before, yyjson_val *after)
{
    size_t i, n, at;
    yyjson_val *step, *other;
    yyjson_arr_foreach(before, i, n, step) {
        struct str path = path_to(x, STR("steps"), json_get_str(step, "stepId"));
        if (!(other = step_with(after, json_get_str(step, "_id"), &at))) {
            change_add(x, path, copy(x, step), NULL);
            continue;
        }
        diff(x, path, step, other);
        if (at != i)
            change_add(x, path_to(x, path, STR("position")), yyjson_mut_uint(x->d, i), yyjson_mut_uint(x->d, at));
    }
    yyjson_arr_foreach(after, i, n, step)
        if (!step_with(before, json_get_str(step, "_id"), &at))
            change_add(x, path_to(x, STR("steps"), json_get_str(step, "stepId")), NULL, copy(x, step));
}

/* Everything but what follows from the rest: the issues of steps. */
static bool content_of(struct request *rq, const struct workflow_version *v, yyjson_val **members, yyjson_val **steps, struct error *err)
{
    yyjson_val *doc;
    yyjson_mut_doc *d = json_doc(rq->arena);
    size_t i, n;
    yyjson_mut_val *step;
    if (!json_parse(rq->arena, v->doc, &doc, err))
        return false;
    yyjson_mut_val *root = yyjson_val_mut_copy(d, doc), *list = yyjson_mut_obj_remove_key(root, "steps");
    yyjson_mut_obj_put(root, yyjson_mut_str(d, "name"), json_mut_str(d, v->name));
    yyjson_mut_arr_foreach(list, i, n, step)
        yyjson_mut_obj_remove_key(step, "issues");
    return json_parse(rq->arena, json_write_mut(rq->arena, root), members, err)
        && json_parse(rq->arena, json_write_mut(rq->arena, list), steps, err);
}

/* From the version of the path to `with`, or to the current one. */
void workflow_handle_diff(struct request *rq)
{
    struct workflow w;
    struct workflow_version from, to;
    struct error err = {0};
    struct str with = request_query(rq, "with");
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *before, *after, *steps_before, *steps_after;
    if (!workflow_load(rq, &w) || !version_load(rq, &w, request_param(rq, "version"), &from)
        || !version_load(rq, &w, with.n ? with : str_fmt(rq->arena, "%lld", (long long)w.version), &to))
        return;
    if (!content_of(rq, &from, &before, &steps_before, &err) || !content_of(rq, &to, &after, &steps_after, &err)) {
        reply_error(rq, &err);
        return;
    }
    json_add_int(d, o, "from", from.number);
    json_add_int(d, o, "to", to.number);
    struct differ x = {.a = rq->arena, .d = d, .changes = json_add_arr(d, o, "changes")};
    diff(&x, STR_NULL, before, after);
    diff_steps(&x, steps_before, steps_after);
    reply_json(rq, 0, o);
}

/* The old content becomes a new version; runs under way keep theirs. */
void workflow_handle_rollback(struct request *rq)
{
    struct workflow w;
    struct workflow_version v;
    struct workflow_content content;
    if (!workflow_load_writable(rq, &w, &content) || !version_load(rq, &w, request_param(rq, "version"), &v))
        return;
    w.name = v.name;
    w.doc = v.doc;
    workflow_submit_update(rq, &w, &content);
}
