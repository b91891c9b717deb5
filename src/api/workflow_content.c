/* Looks up what the content of workflows is judged by. */
#include "api/workflow_content.h"

#include "content/issues.h"
#include "engine/definition.h"
#include "model/environment_variable.h"
#include "model/layout.h"

/* Email and SMS are sent by the primary integration, others by any active one; the outbox stands in (decisions.md 5). */
static bool channel_is_served(const struct environment_view *e, enum channel c)
{
    if (e->environment.outbox && (c == CHANNEL_PUSH || c == CHANNEL_CHAT))
        return true;
    for (size_t i = 0; i < e->integrations_n; i++) {
        const struct integration *x = &e->integrations[i];
        if (x->channel == c && x->active && (e->environment.outbox || !integration_is_demo(x))
            && (x->primary || (c != CHANNEL_EMAIL && c != CHANNEL_SMS)))
            return true;
    }
    return false;
}

static void chats_read(struct arena *a, const struct environment_view *e, struct workflow_content *c)
{
    c->chats = ARENA_ARRAY(a, struct chat_provider, e->integrations_n + 1);
    for (size_t i = 0; i < e->integrations_n; i++) {
        const struct integration *x = &e->integrations[i];
        struct str name = x->provider_id;
        enum channel channel;
        bool known = x->channel != CHANNEL_CHAT || !x->active;
        for (size_t k = 0; k < c->chats_n && !known; k++)
            known = str_eq(c->chats[k].id, x->provider_id);
        if (!known) {
            provider_channel(x->provider_id, &channel, &name);
            c->chats[c->chats_n++] = (struct chat_provider){str_dup(a, x->provider_id), str_dup(a, name)};
        }
    }
}

static void environment_read(struct arena *a, const struct environment_view *e, struct workflow_content *c)
{
    static const enum channel checked[] = {CHANNEL_EMAIL, CHANNEL_SMS, CHANNEL_IN_APP, CHANNEL_PUSH, CHANNEL_CHAT};
    yyjson_val *settings = NULL;
    json_parse(a, e->environment.settings, &settings, NULL);
    c->read_only = json_get_bool(settings, "readOnly", false);
    c->environment_name = str_dup(a, e->environment.name);
    c->environment_type = str_dup(a, e->environment.type);
    for (size_t i = 0; i < sizeof checked / sizeof *checked; i++)
        c->missing[checked[i]] = !channel_is_served(e, checked[i]);
    chats_read(a, e, c);
}

/* "speakeasy-sdk/go 3.11.0 2.755.9 …": the third word is the version of the generator, which made enums open in 2.879
 * (novu-go 3.11, @novu/api 3.11 to 3.13 and 1.8 have closed ones; @novu/api 3.14.4 and novu-py 3.15 open ones). */
static bool client_is_early(struct request *rq)
{
    struct str agent = request_header(rq, "user-agent");
    int minor;
    return str_starts(agent, STR("speakeasy-sdk/"))
           && sscanf(str_fmt(rq->arena, "%.*s", (int)(agent.n > 200 ? 200 : agent.n), agent.p).p, "%*s %*s 2.%6d", &minor) == 1 && minor < 879;
}

static bool variables_read(struct db *db, struct arena *a, struct id organization, struct workflow_content *c, struct error *err)
{
    struct environment_variable *list;
    size_t n;
    if (!environment_variable_list(db, a, organization, STR_NULL, &list, &n, err))
        return false;
    c->env = ARENA_ARRAY(a, struct str, n);
    for (size_t i = 0; i < n; i++)
        c->env[c->env_n++] = list[i].key;
    return true;
}

static void layout_note(struct arena *a, struct workflow_content *c, struct str identifier, struct id id)
{
    c->layouts[c->layouts_n++] = (struct layout_key){str_dup(a, identifier), id};
}

static bool layouts_read(struct request *rq, struct id environment, struct workflow_content *c, struct error *err)
{
    struct environment_layouts *all = definition_layouts(app_of(rq)->definitions, app_db(rq), environment, err);
    struct id id;
    if (!all)
        return false;
    c->layouts = ARENA_ARRAY(rq->arena, struct layout_key, all->n);
    for (size_t i = 0; i < all->n; i++)
        if (id_parse(all->layouts[i].id, &id))
            layout_note(rq->arena, c, all->layouts[i].identifier, id);
    cached_unref(&all->head);
    return true;
}

static bool layouts_read_in(struct db *db, struct arena *a, struct id environment, struct workflow_content *c, struct error *err)
{
    struct layout *list;
    size_t n;
    if (!layout_list(db, a, environment, &list, &n, err))
        return false;
    c->layouts = ARENA_ARRAY(a, struct layout_key, n);
    for (size_t i = 0; i < n; i++)
        layout_note(a, c, list[i].identifier, list[i].id);
    return true;
}

bool workflow_content_load(struct request *rq, struct workflow_content *c, struct error *err)
{
    return workflow_content_load_of(rq, rq->principal.environment, c, err);
}

bool workflow_content_load_of(struct request *rq, struct id environment, struct workflow_content *c, struct error *err)
{
    *c = (struct workflow_content){.closed = rq->principal.kind == PRINCIPAL_API_KEY, .early = client_is_early(rq)};
    struct environment_view *e = directory_environment(app_of(rq)->directory, app_db(rq), environment, err);
    if (!e)
        return false;
    environment_read(rq->arena, e, c);
    cached_unref(&e->head);
    return layouts_read(rq, environment, c, err) && variables_read(app_db(rq), rq->arena, rq->principal.organization, c, err);
}

/* Past the directory, which is to keep nothing that might be undone. */
bool workflow_content_load_in(struct db *db, struct arena *a, struct id environment, struct workflow_content *c, struct error *err)
{
    struct environment_view v = {.arena = a};
    *c = (struct workflow_content){.closed = false};
    if (!environment_find(db, a, environment, &v.environment, err)
        || !integration_list(db, a, environment, &v.integrations, &v.integrations_n, err))
        return false;
    environment_read(a, &v, c);
    return layouts_read_in(db, a, environment, c, err) && variables_read(db, a, v.environment.organization, c, err);
}

bool workflow_content_writable(const struct workflow_content *c, struct error *err)
{
    return !c->read_only || error_http(err, 403, "Environment %.*s is read-only: changes reach it by publishing",
                                       (int)(c->environment_name.n > 100 ? 100 : c->environment_name.n), c->environment_name.p);
}

static bool layout_is_there(const struct workflow_content *c, struct str wanted)
{
    struct id id;
    bool by_id = id_parse(wanted, &id) || slug_parse(wanted, "lt_", &id);
    for (size_t i = 0; i < c->layouts_n; i++)
        if (str_eq(c->layouts[i].identifier, wanted) || (by_id && id_eq(c->layouts[i].id, id)))
            return true;
    return false;
}

/* An e-mail whose layout is not there fails when its turn comes (content.md §4.6): publishing may leave it behind. */
static void layout_judge(struct arena *a, yyjson_mut_doc *d, const struct workflow_content *c, yyjson_mut_val *step)
{
    yyjson_mut_val *wanted = yyjson_mut_obj_get(yyjson_mut_obj_get(step, "controlValues"), "layoutId");
    yyjson_mut_val *issues = yyjson_mut_obj_get(step, "issues");
    struct str key = {yyjson_mut_get_str(wanted), yyjson_mut_get_len(wanted)};
    if (!key.n || str_find(key, STR("{{")) >= 0 || !yyjson_mut_equals_str(yyjson_mut_obj_get(step, "type"), "email"))
        return;
    yyjson_mut_obj_remove_key(issues, "layoutId");
    if (!layout_is_there(c, key)) {
        issues = issues ? issues : json_add_obj(d, step, "issues");
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, json_add_arr(d, issues, "layoutId"));
        json_add_str(d, o, "issueType", STR("MISSING_VALUE"));
        json_add_str(d, o, "variableName", STR("layoutId"));
        json_add_str(d, o, "message", str_fmt(a, "Layout not found: %.*s", STR_ARG(str_cut(key, 200))));
    } else if (!yyjson_mut_obj_size(issues)) {
        yyjson_mut_obj_remove_key(step, "issues");
    }
}

/* Behind what the step's own content says of its body. */
static void chat_judge(struct arena *a, yyjson_mut_doc *d, const struct workflow_content *c, yyjson_val *step, yyjson_mut_val *issues)
{
    yyjson_mut_val *of_card = chat_issues(a, d, step, c->chats, c->chats_n), *body = yyjson_mut_obj_get(issues, "body"), *e;
    size_t i, n;
    if (!yyjson_mut_arr_size(of_card))
        return;
    body = body ? body : json_add_arr(d, issues, "body");
    yyjson_mut_arr_foreach(of_card, i, n, e)
        yyjson_mut_arr_append(body, yyjson_mut_val_mut_copy(d, e));
}

bool workflow_issues_make(struct arena *a, const struct workflow_content *c, struct str doc, struct str *out, struct error *err)
{
    yyjson_mut_doc *d = json_doc(a);
    struct template_report uses = {0};
    struct content_workflow w = {.env = c->env, .env_n = c->env_n, .uses = &uses};
    if (!json_parse(a, doc, &w.doc, err))
        return false;
    workflow_uses(a, &w, &uses);
    yyjson_mut_val *root = yyjson_val_mut_copy(d, w.doc), *step;
    size_t i, n;
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(root, "steps"), i, n, step) {
        yyjson_mut_val *issues = step_issues(a, d, &w, i);
        yyjson_mut_obj_remove_key(step, "issues");
        if (!str_eqz(json_get_str(w.doc, "origin"), "external"))
            chat_judge(a, d, c, yyjson_arr_get(json_get(w.doc, "steps"), i), issues);
        if (yyjson_mut_obj_size(issues))
            yyjson_mut_obj_add_val(d, step, "issues", issues);
        layout_judge(a, d, c, step);
    }
    *out = json_write_mut(a, root);
    return true;
}

static yyjson_val *layouts_judged(struct arena *a, const struct workflow_content *c, yyjson_val *doc)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *root = yyjson_val_mut_copy(d, doc), *step;
    yyjson_val *out = doc;
    size_t i, n;
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(root, "steps"), i, n, step)
        layout_judge(a, d, c, step);
    json_parse(a, json_write_mut(a, root), &out, NULL);
    return out;
}

yyjson_val *workflow_doc_now(struct arena *a, const struct workflow_content *c, const struct workflow *w)
{
    struct str text = w->doc;
    struct error ignored = {0};
    yyjson_val *doc = NULL;
    if (str_find(text, STR("env")) >= 0 && !workflow_issues_make(a, c, w->doc, &text, &ignored))
        return NULL;
    json_parse(a, text, &doc, NULL);
    return text.p == w->doc.p && str_find(text, STR("\"layoutId\":\"")) >= 0 ? layouts_judged(a, c, doc) : doc;
}

struct str workflow_status(bool active, yyjson_val *doc)
{
    yyjson_val *step;
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(doc, "steps"));
    if (!active)
        return STR("INACTIVE");
    if (yyjson_obj_size(json_get(doc, "issues")))
        return STR("ERROR");
    while ((step = yyjson_arr_iter_next(&it)))
        if (issues_are_errors(json_get(step, "issues")))
            return STR("ERROR");
    return STR("ACTIVE");
}
