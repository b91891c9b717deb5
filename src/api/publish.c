/* POST /v2/environments/{target}/diff and /publish: what is different there, and making it the same (rest-api.md §6.12). */
#include "api/app.h"
#include "api/publish_compare.h"
#include "api/tables.h"
#include "api/workflow_write.h"
#include "model/environment.h"

enum { SOURCE, TARGET, SAVEPOINT = 2, CHOSEN_MAX = 1000 };

/* --- who may, from where to where -------------------------------------------------------------------------------- */

static bool environment_of(struct request *rq, struct str given, const char *missing, struct environment *out, struct error *err)
{
    struct error why = {0};
    struct id id;
    if (!id_parse(given, &id) && !slug_parse(given, "env_", &id))
        return error_http(err, 400, "Invalid environment ID format");
    if (environment_find(app_db(rq), rq->arena, id, out, &why) && id_eq(out->organization, rq->principal.organization))
        return true;
    if (why.code && why.code != ERROR_NOT_FOUND)
        return *err = why, false;
    return error_http(err, 400, "%s", missing);
}

/* The environment that is published from when none is named: Development. */
static bool development_of(struct request *rq, struct environment *out, struct error *err)
{
    struct environment *list;
    size_t n;
    if (!environment_list(app_db(rq), rq->arena, rq->principal.organization, &list, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (str_eqz(list[i].name, "Development")) {
            *out = list[i];
            return true;
        }
    return error_http(err, 400, "Source environment not found");
}

/* decisions.md 33: a key publishes out of its own environment, into those that accept it. */
static bool key_may(struct request *rq, const struct environment *source, const struct environment *target, struct error *err)
{
    yyjson_val *settings = NULL;
    if (rq->principal.kind != PRINCIPAL_API_KEY)
        return true;
    if (!id_eq(source->id, rq->principal.environment))
        return error_http(err, 403, "This authentication scheme is scoped to a single environment and cannot target a different "
                                    "`_environmentId`.");
    json_parse(rq->arena, target->settings, &settings, NULL);
    return json_get_bool(settings, "acceptsPublishByApiKey", true)
        || error_http(err, 403, "Environment %.*s does not accept publishing by API key", STR_ARG(str_sub(target->name, 0, 100)));
}

/* false: the request was answered. */
static bool sides_read(struct request *rq, struct environment *source, struct environment *target)
{
    struct checks c = checks_begin(rq);
    struct str given = check_string(&c, rq->json, "sourceEnvironmentId", false);
    struct error err = {0};
    if (!checks_done(&c))
        return false;
    bool ok = environment_of(rq, request_param(rq, "targetEnvironmentId"), "Target environment not found", target, &err)
           && (given.n ? environment_of(rq, given, "Source environment not found", source, &err) : development_of(rq, source, &err));
    if (ok && id_eq(source->id, target->id))
        ok = error_http(&err, 400, "Source and target environments cannot be the same");
    if (ok && key_may(rq, source, target, &err))
        return true;
    reply_error(rq, &err);
    return false;
}

/* --- the diff ------------------------------------------------------------------------------------------------------- */

static void add_kind(yyjson_mut_doc *d, yyjson_mut_val *o, const char *kind)
{
    json_add_str(d, o, "resourceType", STR("REGULAR"));     /* all that the SDK takes (decisions.md 34) */
    json_add_str(d, o, "kind", str_of(kind));
}

static const char *kind_name(int kind)
{
    return kind == TRANSLATED_LAYOUT ? "layout" : kind == RESOURCE_AGENT ? "agent" : "workflow";
}

static void add_side(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, const struct resource *r, int side)
{
    if (!(side == SOURCE ? r->in_source : r->in_target)) {
        json_add_str(d, o, key, STR_NULL);
        return;
    }
    yyjson_mut_val *x = json_add_obj(d, o, key);
    bool layout = r->kind == TRANSLATED_LAYOUT, agent = r->kind == RESOURCE_AGENT;
    json_add_str(d, x, "id", r->identifier);
    json_add_str(d, x, "name", layout ? r->layout[side].name : agent ? r->agent[side].name : r->workflow[side].name);
    json_add_str(d, x, "updatedBy", STR_NULL);
    json_add_time(d, x, "updatedAt", layout ? r->layout[side].updated_at : agent ? r->agent[side].updated_at : r->workflow[side].updated_at);
}

/* Members that differ, on either side; null where there is nothing. Steps and translations are changes of their own. */
static yyjson_mut_val *members(yyjson_mut_doc *d, yyjson_val *from, yyjson_val *than)
{
    size_t i, n;
    yyjson_val *k, *v;
    if (!from)
        return yyjson_mut_null(d);
    yyjson_mut_val *out = yyjson_mut_obj(d);
    yyjson_obj_foreach(from, i, n, k, v)
        if (!yyjson_equals_str(k, "steps") && !yyjson_equals_str(k, "translations") && !yyjson_equals(v, json_getn(than, json_str(k))))
            yyjson_mut_obj_add(out, yyjson_val_mut_copy(d, k), yyjson_val_mut_copy(d, v));
    return out;
}

static bool add_diffs(yyjson_mut_doc *d, yyjson_mut_val *change, yyjson_val *before, yyjson_val *after)
{
    yyjson_mut_val *previous = members(d, before, after), *fresh = members(d, after, before);
    if (!yyjson_mut_obj_size(previous) && !yyjson_mut_obj_size(fresh))
        return false;
    yyjson_mut_val *diffs = json_add_obj(d, change, "diffs");
    yyjson_mut_obj_add_val(d, diffs, "previous", previous);
    yyjson_mut_obj_add_val(d, diffs, "new", fresh);
    return true;
}

struct tally {
    int64_t added, modified, deleted, unchanged;
};

static void count(struct tally *t, enum resource_action a)
{
    ++*(a == RESOURCE_ADDED ? &t->added : a == RESOURCE_MODIFIED ? &t->modified : a == RESOURCE_DELETED ? &t->deleted : &t->unchanged);
}

static yyjson_val *step_find(yyjson_val *steps, struct str step_id, size_t *at)
{
    size_t i, n;
    yyjson_val *s;
    yyjson_arr_foreach(steps, i, n, s)
        if (str_eq(json_get_str(s, "stepId"), step_id)) {
            *at = i;
            return s;
        }
    return NULL;
}

static void add_step_side(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, yyjson_val *step)
{
    if (!step) {
        json_add_str(d, o, key, STR_NULL);
        return;
    }
    yyjson_mut_val *x = json_add_obj(d, o, key);
    json_add_val(d, x, "id", json_get(step, "stepId"));
    json_add_val(d, x, "name", json_get(step, "name"));
}

/* One step: source NULL: deleted, target NULL: added. */
static void add_step(yyjson_mut_doc *d, yyjson_mut_val *changes, struct tally *t, yyjson_val *source, size_t source_at, yyjson_val *target,
                     size_t target_at)
{
    bool same = source && target && yyjson_equals(source, target), moved = same && source_at != target_at;
    enum resource_action action = !target ? RESOURCE_ADDED : !source ? RESOURCE_DELETED : same ? RESOURCE_UNCHANGED : RESOURCE_MODIFIED;
    if (same && !moved) {
        t->unchanged++;
        return;
    }
    yyjson_mut_val *change = yyjson_mut_arr_add_obj(d, changes);
    count(t, moved ? RESOURCE_MODIFIED : action);
    add_kind(d, change, "step");
    json_add_str(d, change, "action", moved ? STR("moved") : resource_action_name(action));
    json_add_val(d, change, "stepType", json_get(source ? source : target, "type"));
    add_step_side(d, change, "sourceResource", source);
    add_step_side(d, change, "targetResource", target);
    if (target)
        json_add_int(d, change, "previousIndex", (int64_t)target_at);
    if (source)
        json_add_int(d, change, "newIndex", (int64_t)source_at);
    if (!moved)
        add_diffs(d, change, target, source);
}

static void add_steps(yyjson_mut_doc *d, yyjson_mut_val *changes, struct tally *t, const struct resource *r)
{
    yyjson_val *source = json_get(r->content[SOURCE], "steps"), *target = json_get(r->content[TARGET], "steps"), *s, *other;
    size_t i, n, at = 0;
    yyjson_arr_foreach(source, i, n, s) {
        other = step_find(target, json_get_str(s, "stepId"), &at);
        add_step(d, changes, t, s, i, other, at);
    }
    yyjson_arr_foreach(target, i, n, s)
        if (!step_find(source, json_get_str(s, "stepId"), &at))
            add_step(d, changes, t, NULL, 0, s, i);
}

static void add_texts(yyjson_mut_doc *d, yyjson_mut_val *diffs, const char *key, yyjson_val *texts)
{
    size_t i, n;
    yyjson_val *locale, *content;
    if (!yyjson_obj_size(texts)) {
        json_add_str(d, diffs, key, STR_NULL);
        return;
    }
    yyjson_mut_val *o = json_add_obj(d, diffs, key), *locales = json_add_arr(d, o, "locales");
    yyjson_obj_foreach(texts, i, n, locale, content)
        yyjson_mut_arr_append(locales, yyjson_val_mut_copy(d, locale));
    yyjson_mut_obj_add_val(d, o, "translations", yyjson_val_mut_copy(d, texts));
}

/* The translations of a workflow or layout that is in both environments, as one group. */
static void add_localization(yyjson_mut_doc *d, yyjson_mut_val *changes, struct tally *t, const struct resource *r)
{
    yyjson_val *after = json_get(r->content[SOURCE], "translations"), *before = json_get(r->content[TARGET], "translations");
    if (yyjson_equals(after, before))
        return;
    enum resource_action action = !yyjson_obj_size(before) ? RESOURCE_ADDED : !yyjson_obj_size(after) ? RESOURCE_DELETED : RESOURCE_MODIFIED;
    yyjson_mut_val *change = yyjson_mut_arr_add_obj(d, changes), *diffs;
    count(t, action);
    add_kind(d, change, "localization_group");
    json_add_str(d, change, "action", resource_action_name(action));
    add_side(d, change, "sourceResource", r, SOURCE);
    add_side(d, change, "targetResource", r, TARGET);
    diffs = json_add_obj(d, change, "diffs");
    add_texts(d, diffs, "previous", before);
    add_texts(d, diffs, "new", after);
}

/* --- what needs what ------------------------------------------------------------------------------------------------ */

static void add_dependency(yyjson_mut_doc *d, yyjson_mut_val *o, const char *kind, struct str identifier, struct str name, bool blocking)
{
    yyjson_mut_val *list = yyjson_mut_obj_get(o, "dependencies"), *x;
    if (!list)
        list = json_add_arr(d, o, "dependencies");
    x = yyjson_mut_arr_add_obj(d, list);
    add_kind(d, x, kind);
    json_add_str(d, x, "resourceId", identifier);
    json_add_str(d, x, "resourceName", name);
    json_add_bool(d, x, "isBlocking", blocking);
    json_add_str(d, x, "reason", blocking ? STR("LAYOUT_REQUIRED_FOR_WORKFLOW") : STR("LAYOUT_EXISTS_IN_TARGET"));
}

/* The first of the steps whose e-mail is framed by this layout; NULL: none. */
static yyjson_val *step_of_layout(yyjson_val *steps, struct str layout)
{
    size_t i, n;
    yyjson_val *s;
    yyjson_arr_foreach(steps, i, n, s)
        if (str_eq(json_get_str(json_get(s, "controlValues"), "layoutId"), layout))
            return s;
    return NULL;
}

/* Layouts that the workflow's e-mails name, once each: the target needs them. One that is about to be deleted there does
 * not hold up the workflow: its e-mails go without. */
static void add_layouts_needed(yyjson_mut_doc *d, yyjson_mut_val *o, const struct comparison *all, const struct resource *r)
{
    size_t i, n;
    yyjson_val *s, *steps = json_get(r->content[SOURCE], "steps");
    yyjson_arr_foreach(steps, i, n, s) {
        struct str wanted = json_get_str(json_get(s, "controlValues"), "layoutId");
        const struct resource *layout = wanted.n ? comparison_find(all, TRANSLATED_LAYOUT, wanted) : NULL;
        if (!wanted.n || step_of_layout(steps, wanted) != s || (layout && !layout->in_source))
            continue;
        add_dependency(d, o, "layout", wanted, layout ? layout->name : wanted, !layout || !layout->in_target);
    }
}

/* Workflows of the target whose e-mails a layout still frames that is about to be deleted there. */
static void add_workflows_framed(yyjson_mut_doc *d, yyjson_mut_val *o, const struct comparison *all, const struct resource *layout)
{
    for (size_t i = 0; i < all->n; i++) {
        const struct resource *r = &all->all[i];
        if (r->kind == TRANSLATED_WORKFLOW && step_of_layout(json_get(r->content[TARGET], "steps"), layout->identifier))
            add_dependency(d, o, "workflow", r->identifier, r->workflow[TARGET].name, true);
    }
}

static void add_resource(yyjson_mut_doc *d, yyjson_mut_val *list, const struct comparison *all, const struct resource *r, int64_t *changed)
{
    struct tally t = {0};
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list), *changes, *own;
    add_kind(d, o, kind_name(r->kind));
    add_side(d, o, "sourceResource", r, SOURCE);
    add_side(d, o, "targetResource", r, TARGET);
    changes = json_add_arr(d, o, "changes");
    own = yyjson_mut_obj(d);
    add_kind(d, own, kind_name(r->kind));
    json_add_str(d, own, "action", resource_action_name(r->action));
    add_side(d, own, "sourceResource", r, SOURCE);
    add_side(d, own, "targetResource", r, TARGET);
    if (add_diffs(d, own, r->content[TARGET], r->content[SOURCE])) {
        yyjson_mut_arr_append(changes, own);
        count(&t, r->action);
    }
    if (r->kind == TRANSLATED_WORKFLOW && r->in_source)     /* the steps of a deleted workflow go without saying */
        add_steps(d, changes, &t, r);
    if (r->in_source && r->in_target && r->kind != RESOURCE_AGENT)
        add_localization(d, changes, &t, r);
    yyjson_mut_val *summary = json_add_obj(d, o, "summary");
    json_add_int(d, summary, "added", t.added);
    json_add_int(d, summary, "modified", t.modified);
    json_add_int(d, summary, "deleted", t.deleted);
    json_add_int(d, summary, "unchanged", t.unchanged);
    if (r->kind == TRANSLATED_WORKFLOW && r->in_source)
        add_layouts_needed(d, o, all, r);
    else if (r->kind == TRANSLATED_LAYOUT && !r->in_source)
        add_workflows_framed(d, o, all, r);
    *changed += t.added + t.modified + t.deleted;
}

static void handle_diff(struct request *rq)
{
    struct environment source, target;
    struct comparison c;
    struct error err = {0};
    int64_t entities = 0, changes = 0;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    if (!sides_read(rq, &source, &target))
        return;
    if (!comparison_read(app_db(rq), rq->arena, source.id, target.id, &c, &err)) {
        reply_error(rq, &err);
        return;
    }
    json_add_id(d, o, "sourceEnvironmentId", source.id);
    json_add_id(d, o, "targetEnvironmentId", target.id);
    yyjson_mut_val *resources = json_add_arr(d, o, "resources");
    for (size_t i = 0; i < c.n; i++) {
        if (c.all[i].action == RESOURCE_UNCHANGED)
            continue;
        add_resource(d, resources, &c, &c.all[i], &changes);
        entities++;
    }
    yyjson_mut_val *summary = json_add_obj(d, o, "summary");
    json_add_int(d, summary, "totalEntities", entities);
    json_add_int(d, summary, "totalChanges", changes);
    json_add_bool(d, summary, "hasChanges", changes > 0);
    reply_json(rq, 0, o);
}

/* --- publishing ---------------------------------------------------------------------------------------------------------- */

struct chosen {
    int kind;                           /* as of a resource; 0: not said */
    struct str identifier;
};

struct publish {
    struct api_write w;
    struct environment source, target;
    bool dry;
    struct chosen *chosen;              /* NULL: all */
    size_t chosen_n;
    struct comparison all;              /* as of the transaction */
    struct error *failures;             /* of all.all[i]; code 0: none */
};

static bool is_chosen(const struct publish *p, const struct resource *r)
{
    for (size_t i = 0; i < p->chosen_n; i++)
        if (str_eq(p->chosen[i].identifier, r->identifier)
            && (p->chosen[i].kind ? p->chosen[i].kind == r->kind
                                  : comparison_find(&p->all, 0, r->identifier) == r))
            return true;
    return !p->chosen;
}

static bool resource_publish(struct db *db, const struct publish *p, const struct resource *r, struct error *err)
{
    struct request *rq = p->w.rq;
    struct workflow out;
    int64_t gone;
    if (r->kind == RESOURCE_AGENT)
        return r->action == RESOURCE_DELETED
            ? agent_delete(db, &r->agent[TARGET], err)
            : agent_copy(db, rq->arena, &r->agent[SOURCE], rq->principal.organization, p->target.id, &app_of(rq)->ids, app_now(rq), err);
    if (r->action == RESOURCE_DELETED && r->kind == TRANSLATED_WORKFLOW)
        return workflow_write_delete(rq, db, &r->workflow[TARGET], err);
    if (r->action == RESOURCE_DELETED)
        return translation_delete(db, p->target.id, (enum translated)r->kind, r->identifier, STR_NULL, &gone, err)
            && layout_delete(db, p->target.id, r->layout[TARGET].id, err);
    if (r->kind == TRANSLATED_LAYOUT)
        return layout_copy(db, rq->arena, &r->layout[SOURCE], p->target.id, &app_of(rq)->ids, app_now(rq), err);
    return workflow_write_copy(rq, db, p->target.id, &r->workflow[SOURCE], &out, err)
        && translation_copy(db, rq->arena, p->source.id, p->target.id, (enum translated)r->kind, r->identifier, app_now(rq), err);
}

/* What the store itself cannot do is a failure of the whole; what is wrong with one resource is that resource's. */
static bool is_own_failure(const struct error *e)
{
    return e->code == ERROR_BAD_INPUT || e->code == ERROR_CONFLICT || e->code == ERROR_NOT_FOUND || e->code == ERROR_TOO_LARGE
        || (e->status >= 400 && e->status < 500);
}

static bool publish_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct publish *p = (struct publish *)w;
    if (!comparison_read(db, w->rq->arena, p->source.id, p->target.id, &p->all, err))
        return false;
    p->failures = ARENA_ARRAY(w->rq->arena, struct error, p->all.n);
    for (size_t i = 0; i < p->all.n; i++) {
        const struct resource *r = &p->all.all[i];
        if (r->action == RESOURCE_UNCHANGED || !is_chosen(p, r))
            continue;
        if (!db_savepoint(db, SAVEPOINT, err))
            return false;
        if (resource_publish(db, p, r, &p->failures[i])) {
            if (!db_release(db, SAVEPOINT, err))
                return false;
            continue;
        }
        db_rollback_to(db, SAVEPOINT);
        if (!is_own_failure(&p->failures[i])) {
            *err = p->failures[i];
            return false;
        }
    }
    return true;
}

struct outcome_lists {
    yyjson_mut_val *successful, *failed, *skipped;
};

static void add_outcome(yyjson_mut_doc *d, const struct publish *p, size_t i, struct outcome_lists *lists)
{
    static const char *const done[] = {"skipped", "created", "updated", "deleted"};
    const struct resource *r = &p->all.all[i];
    bool failed = p->failures && p->failures[i].code, skipped = r->action == RESOURCE_UNCHANGED || p->dry;
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, skipped ? lists->skipped : failed ? lists->failed : lists->successful);
    add_kind(d, o, kind_name(r->kind));
    json_add_str(d, o, "resourceId", r->identifier);
    json_add_str(d, o, "resourceName", r->name);
    if (skipped)
        json_add_str(d, o, "reason", r->action == RESOURCE_UNCHANGED ? STR("No changes detected") : STR("Dry run"));
    else if (failed)
        json_add_str(d, o, "error", str_of(p->failures[i].message));
    if (!failed || skipped)
        json_add_str(d, o, "action", str_of(done[r->action]));      /* of a dry run: what would be done */
}

static bool any_agent(const struct publish *p)
{
    return p->all.n && p->all.all[p->all.n - 1].kind == RESOURCE_AGENT;     /* they are last */
}

static void publish_reply(struct api_write *w)
{
    struct publish *p = (struct publish *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *results = json_add_arr(d, o, "results");
    int64_t totals[4] = {0};
    for (int kind = TRANSLATED_WORKFLOW; kind <= (any_agent(p) ? RESOURCE_AGENT : TRANSLATED_LAYOUT); kind++) {
        yyjson_mut_val *x = yyjson_mut_arr_add_obj(d, results);
        struct outcome_lists lists;
        add_kind(d, x, kind_name(kind));
        lists.successful = json_add_arr(d, x, "successful");
        lists.failed = json_add_arr(d, x, "failed");
        lists.skipped = json_add_arr(d, x, "skipped");
        for (size_t i = 0; i < p->all.n; i++)
            if (p->all.all[i].kind == kind && is_chosen(p, &p->all.all[i]))
                add_outcome(d, p, i, &lists);
        int64_t n[3] = {(int64_t)yyjson_mut_arr_size(lists.successful), (int64_t)yyjson_mut_arr_size(lists.failed),
                        (int64_t)yyjson_mut_arr_size(lists.skipped)};
        json_add_int(d, x, "totalProcessed", n[0] + n[1] + n[2]);
        for (int k = 0; k < 3; k++) {
            totals[k + 1] += n[k];
            totals[0] += n[k];
        }
    }
    yyjson_mut_val *summary = json_add_obj(d, o, "summary");
    json_add_int(d, summary, "resources", totals[0]);
    json_add_int(d, summary, "successful", totals[1]);
    json_add_int(d, summary, "failed", totals[2]);
    json_add_int(d, summary, "skipped", totals[3]);
    reply_json(w->rq, 0, o);
}

/* resources: [{resourceType, resourceId, kind?}]; "workflow", "layout" and "agent" are understood as types, too. None: all. */
static void chosen_read(struct checks *c, struct publish *p)
{
    yyjson_val *list = check_array(c, c->rq->json, "resources", false), *v;
    size_t i, n;
    if (!yyjson_arr_size(list))
        return;
    if (yyjson_arr_size(list) > CHOSEN_MAX) {
        check_fail(c, "resources must contain no more than %d elements", CHOSEN_MAX);
        return;
    }
    p->chosen = ARENA_ARRAY(c->rq->arena, struct chosen, yyjson_arr_size(list) + 1);
    yyjson_arr_foreach(list, i, n, v) {
        struct chosen *x = &p->chosen[p->chosen_n++];
        struct str type = json_get_str(v, "kind").n ? json_get_str(v, "kind") : json_get_str(v, "resourceType");
        enum translated kind;
        x->identifier = json_get_str(v, "resourceId");
        x->kind = translated_parse(type, &kind) ? (int)kind : str_eqz(type, "agent") ? RESOURCE_AGENT : 0;
        if (!x->identifier.n)
            check_fail(c, "resources.%zu.resourceId must be a string", i);
        if (!x->kind && !str_eqz(type, "REGULAR"))
            check_fail(c, "resources.%zu.resourceType must be one of the following values: REGULAR, workflow, layout, agent", i);
    }
}

static void handle_publish(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct publish *p = ARENA_NEW(rq->arena, struct publish);
    struct error err = {0};
    p->w = (struct api_write){.rq = rq, .flags = WRITE_DEFINITIONS | WRITE_DIRECTORY | WRITE_REMOVAL, .apply = publish_apply, .reply = publish_reply};
    p->dry = check_bool(&c, rq->json, "dryRun", false);
    chosen_read(&c, p);
    if (!checks_done(&c) || !sides_read(rq, &p->source, &p->target))
        return;
    if (!p->dry)
        api_write(rq, &p->w);
    else if (comparison_read(app_db(rq), rq->arena, p->source.id, p->target.id, &p->all, &err))
        publish_reply(&p->w);
    else
        reply_error(rq, &err);
}

#define PUBLISH(path, operation, summary, handler)                                                                          \
    {HTTP_POST, "/v2/environments/{targetEnvironmentId}" path, operation, "Environments", summary, AUTH_ENVIRONMENT,         \
     "ENVIRONMENT_WRITE", RATE_GLOBAL, 1, 200, ENVELOPE_DATA, 0, 0, handler}

const struct route publish_routes[] = {
    PUBLISH("/diff", "environmentsDiff", "Compare two environments", handle_diff),
    PUBLISH("/publish", "environmentsPublish", "Publish workflows, layouts and agents to another environment", handle_publish),
};
const size_t publish_routes_n = sizeof publish_routes / sizeof *publish_routes;
