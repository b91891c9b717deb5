/* The ways to change a workflow in the store. */
#include "api/workflow_write.h"

#include "model/translation.h"

enum { TRIES = 8 };

/* An identifier that is taken gets "-<random short id>", without an error (rest-api.md §6.8). */
static bool identifier_settle(struct db *db, struct arena *a, struct workflow *w, struct error *err)
{
    struct workflow other;
    struct str wanted = w->identifier;
    for (int tries = 0; tries < TRIES; tries++) {
        struct error missing = {0};
        if (!workflow_find_by_identifier(db, a, w->environment, w->identifier, &other, &missing)) {
            if (missing.code == ERROR_NOT_FOUND)
                return true;
            *err = missing;
            return false;
        }
        struct str word = crypto_random_word(a, 4);
        w->identifier = str_fmt(a, "%.*s-%.*s", STR_ARG(wanted), STR_ARG(word));
    }
    return error_set(err, ERROR_CONFLICT, "Workflow with identifier %.*s already exists", STR_ARG(wanted));
}

/* The document repeats the identifier, for versions. */
static bool identifier_write(struct arena *a, struct workflow *w, struct error *err)
{
    yyjson_val *doc;
    yyjson_mut_doc *d = json_doc(a);
    if (!json_parse(a, w->doc, &doc, err))
        return false;
    if (str_eq(json_get_str(doc, "workflowId"), w->identifier))
        return true;
    yyjson_mut_val *copy = yyjson_val_mut_copy(d, doc);
    yyjson_mut_obj_put(copy, yyjson_mut_str(d, "workflowId"), json_mut_str(d, w->identifier));
    w->doc = json_write_mut(a, copy);
    return true;
}

static bool limit_check(struct db *db, struct id environment, int64_t limit, struct error *err)
{
    int64_t n;
    if (!limit)
        return true;
    if (!workflow_count(db, environment, &n, err))
        return false;
    return n < limit || error_http(err, 400, "Workflow limit exceeded. Please contact us to support more workflows.");
}

bool workflow_write_create(struct db *db, struct arena *a, struct workflow *w, int64_t limit, struct id user, struct error *err)
{
    return limit_check(db, w->environment, limit, err) && identifier_settle(db, a, w, err) && identifier_write(a, w, err)
        && workflow_insert(db, w, user, err);
}

bool workflow_write_delete(struct db *db, const struct workflow *w, int64_t now, struct error *err)
{
    int64_t n;
    return workflow_delete(db, w->environment, w->id, now, err)
        && translation_delete(db, w->environment, TRANSLATED_WORKFLOW, w->identifier, STR_NULL, &n, err);
}

/* ---- copying ---- */

static yyjson_val *step_of(yyjson_val *doc, struct str step_id)
{
    size_t i, n;
    yyjson_val *step;
    yyjson_arr_foreach(json_get(doc, "steps"), i, n, step)
        if (str_eq(json_get_str(step, "stepId"), step_id))
            return step;
    return NULL;
}

/* The source's document with ids of the target. before: the target's, or NULL. */
static bool doc_copy(struct arena *a, const struct workflow_copy *c, struct str source, yyjson_val *before, struct str *out,
                     struct error *err)
{
    yyjson_val *doc;
    yyjson_mut_doc *d = json_doc(a);
    size_t i, n;
    yyjson_mut_val *step;
    if (!json_parse(a, source, &doc, err))
        return false;
    yyjson_mut_val *copy = yyjson_val_mut_copy(d, doc);
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(copy, "steps"), i, n, step) {
        yyjson_val *original = yyjson_arr_get(json_get(doc, "steps"), i);
        yyjson_val *old = step_of(before, json_get_str(original, "stepId"));
        bool same = old && str_eq(json_get_str(old, "type"), json_get_str(original, "type"));
        struct id id;
        if (!same || !id_parse(json_get_str(old, "_id"), &id))
            id = id_new(c->ids, c->now);
        yyjson_mut_obj_put(step, yyjson_mut_str(d, "_id"), json_mut_str(d, id_str(a, id)));
    }
    *out = json_write_mut(a, copy);
    return true;
}

bool workflow_write_copy(struct db *db, struct arena *a, const struct workflow_copy *c, const struct workflow *source,
                         struct workflow *out, struct error *err)
{
    struct error missing = {0};
    yyjson_val *before = NULL;
    bool exists = workflow_find_by_identifier(db, a, c->environment, source->identifier, out, &missing);
    if (!exists && missing.code != ERROR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    if (exists && !json_parse(a, out->doc, &before, err))
        return false;
    if (!exists)
        *out = (struct workflow){.id = id_new(c->ids, c->now), .environment = c->environment, .identifier = source->identifier,
                                 .version = 1, .created_at = c->now};
    out->name = source->name;
    out->active = source->active;
    out->updated_at = c->now;
    if (!doc_copy(a, c, source->doc, before, &out->doc, err))
        return false;
    return exists ? workflow_update(db, out, c->user, err) : workflow_write_create(db, a, out, c->limit, c->user, err);
}
