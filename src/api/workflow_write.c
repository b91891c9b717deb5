/* The ways to change a workflow in the store. */
#include "api/workflow_write.h"

#include "api/workflow_doc.h"
#include "api/workflow_view.h"
#include "model/translation.h"
#include "model/webhook.h"

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

/* --- telling --------------------------------------------------------------------------------------------------- */

/* previous NULL: there was none. */
static bool tell(struct request *rq, struct db *db, const struct webhook_ears *ears, enum webhook_type type, const struct workflow *w,
                 const struct workflow *previous, struct error *err)
{
    struct arena *a = ears->arena;
    struct workflow_content content;
    if (!ears->n)
        return true;
    if (!workflow_content_load_in(db, a, w->environment, &content, err))
        return false;
    yyjson_mut_doc *d = json_doc(a);
    struct str object = json_write_mut(a, workflow_json(d, a, &content, w)), before = STR_NULL;
    if (previous)
        before = json_write_mut(a, workflow_json(d, a, &content, previous));
    return webhook_emit(db, ears, type, (struct id){{0}}, webhook_data(a, object, before), app_now(rq), err);
}

/* --- writing --------------------------------------------------------------------------------------------------- */

static bool create(struct request *rq, struct db *db, struct workflow *w, struct error *err)
{
    return limit_check(db, w->environment, (int64_t)app_of(rq)->workflows_max, err) && identifier_settle(db, rq->arena, w, err)
        && identifier_write(rq->arena, w, err) && workflow_insert(db, w, rq->principal.user, err);
}

bool workflow_write_create(struct request *rq, struct db *db, struct workflow *w, struct error *err)
{
    struct webhook_ears ears;
    return create(rq, db, w, err) && webhook_listen(db, rq->arena, w->environment, &ears, err)
        && tell(rq, db, &ears, WEBHOOK_WORKFLOW_CREATED, w, NULL, err);
}

static bool is_same(const struct workflow *a, const struct workflow *b)
{
    return a->active == b->active && str_eq(a->name, b->name) && str_eq(a->doc, b->doc);
}

bool workflow_write_update(struct request *rq, struct db *db, struct workflow *w, struct error *err)
{
    struct webhook_ears ears;
    struct workflow before;
    if (!webhook_listen(db, rq->arena, w->environment, &ears, err)
        || !workflow_find_by_id(db, rq->arena, w->environment, w->id, &before, err))
        return false;
    write_later(before.updated_at, &w->updated_at);
    return workflow_update(db, w, rq->principal.user, err)
        && (is_same(&before, w) || tell(rq, db, &ears, WEBHOOK_WORKFLOW_UPDATED, w, &before, err));
}

bool workflow_write_update_seen(struct api_write *write, struct db *db, struct workflow *w, struct error *err)
{
    struct workflow now;
    return workflow_find_by_id(db, write->rq->arena, w->environment, w->id, &now, err)
        && write_follows(write, now.updated_at, &w->updated_at, err)
        && workflow_write_update(write->rq, db, w, err);
}

bool workflow_write_delete(struct request *rq, struct db *db, const struct workflow *w, struct error *err)
{
    struct webhook_ears ears;
    int64_t n;
    return webhook_listen(db, rq->arena, w->environment, &ears, err)
        && workflow_delete(db, w->environment, w->id, app_now(rq), err)
        && translation_delete(db, w->environment, TRANSLATED_WORKFLOW, w->identifier, STR_NULL, &n, err)
        && tell(rq, db, &ears, WEBHOOK_WORKFLOW_DELETED, w, NULL, err);
}

/* ---- copying ---- */

/* The source's document with ids of the target. before: the target's, or NULL. */
static bool doc_copy(struct request *rq, struct str source, yyjson_val *before, struct str *out, struct error *err)
{
    struct arena *a = rq->arena;
    yyjson_val *doc;
    yyjson_mut_doc *d = json_doc(a);
    size_t i, n;
    yyjson_mut_val *step;
    if (!json_parse(a, source, &doc, err))
        return false;
    yyjson_mut_val *copy = yyjson_val_mut_copy(d, doc);
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(copy, "steps"), i, n, step) {
        yyjson_val *original = yyjson_arr_get(json_get(doc, "steps"), i);
        yyjson_val *old = workflow_doc_step(before, json_get_str(original, "stepId"));
        bool same = old && str_eq(json_get_str(old, "type"), json_get_str(original, "type"));
        struct id id;
        if (!same || !id_parse(json_get_str(old, "_id"), &id))
            id = app_id(rq);
        yyjson_mut_obj_put(step, yyjson_mut_str(d, "_id"), json_mut_str(d, id_str(a, id)));
    }
    *out = json_write_mut(a, copy);
    return true;
}

bool workflow_write_copy(struct request *rq, struct db *db, struct id target, const struct workflow *source, struct workflow *out,
                         struct error *err)
{
    struct arena *a = rq->arena;
    struct error missing = {0};
    struct webhook_ears ears;
    struct workflow previous;
    yyjson_val *before = NULL;
    bool exists = workflow_find_by_identifier(db, a, target, source->identifier, out, &missing);
    if (!exists && missing.code != ERROR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    if (exists && !json_parse(a, out->doc, &before, err))
        return false;
    if (!exists)
        *out = (struct workflow){.id = app_id(rq), .environment = target, .identifier = source->identifier, .version = 1,
                                 .created_at = app_now(rq)};
    previous = *out;
    out->name = source->name;
    out->active = source->active;
    out->updated_at = app_now(rq);
    write_later(previous.updated_at, &out->updated_at);
    return webhook_listen(db, a, target, &ears, err) && doc_copy(rq, source->doc, before, &out->doc, err)
        && (exists ? workflow_update(db, out, rq->principal.user, err) : create(rq, db, out, err))
        && tell(rq, db, &ears, WEBHOOK_WORKFLOW_PUBLISHED, out, exists ? &previous : NULL, err);
}
