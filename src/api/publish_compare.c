/* Reads two environments and lays their resources side by side. */
#include "api/publish_compare.h"

#include <stdlib.h>

enum { SOURCE, TARGET };

struct str resource_action_name(enum resource_action a)
{
    static const char *const names[] = {"unchanged", "added", "modified", "deleted"};
    return str_of(names[a]);
}

/* --- what counts ---------------------------------------------------------------------------------------------- */

static void add_translations(yyjson_mut_doc *d, yyjson_mut_val *o, const struct translation *list, size_t n, struct arena *a)
{
    yyjson_mut_val *all = json_add_obj(d, o, "translations");
    for (size_t i = 0; i < n; i++) {
        yyjson_val *content = NULL;
        json_parse(a, list[i].content, &content, NULL);
        yyjson_mut_obj_add(all, json_mut_str(d, list[i].locale), content ? yyjson_val_mut_copy(d, content) : yyjson_mut_obj(d));
    }
}

static yyjson_val *finished(struct arena *a, yyjson_mut_val *o)
{
    yyjson_val *v = NULL;
    json_parse(a, json_write_mut(a, o), &v, NULL);
    return v;
}

static yyjson_val *workflow_content(struct arena *a, const struct workflow *w, const struct translation *t, size_t n)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_val *doc = NULL;
    size_t i, max;
    yyjson_mut_val *step;
    json_parse(a, w->doc, &doc, NULL);
    yyjson_mut_val *o = doc ? yyjson_val_mut_copy(d, doc) : yyjson_mut_obj(d);
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(o, "steps"), i, max, step)
        yyjson_mut_obj_remove_key(step, "_id");         /* each environment has its own */
    yyjson_mut_obj_remove_key(o, "origin");
    json_add_str(d, o, "name", w->name);
    json_add_bool(d, o, "active", w->active);
    add_translations(d, o, t, n, a);
    return finished(a, o);
}

static yyjson_val *layout_content(struct arena *a, const struct layout *l, const struct translation *t, size_t n)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_val *doc = NULL;
    json_parse(a, l->doc, &doc, NULL);
    yyjson_mut_val *o = doc ? yyjson_val_mut_copy(d, doc) : yyjson_mut_obj(d);
    json_add_str(d, o, "name", l->name);
    add_translations(d, o, t, n, a);
    return finished(a, o);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

struct reader {
    struct db *db;
    struct arena *a;
    struct comparison *out;
    size_t cap;
    struct id environment;
    int side;
    struct error *err;
};

static struct resource *slot(struct reader *r, int kind, struct str identifier)
{
    for (size_t i = 0; i < r->out->n; i++)
        if (r->out->all[i].kind == kind && str_eq(r->out->all[i].identifier, identifier))
            return &r->out->all[i];
    struct resource *made = ARENA_SLOT(r->a, r->out->all, r->out->n, r->cap);
    *made = (struct resource){.kind = kind, .identifier = identifier};
    return made;
}

static bool texts_read(struct reader *r, struct resource *x)
{
    *(r->side == SOURCE ? &x->in_source : &x->in_target) = true;
    return translation_list(r->db, r->a, r->environment, (enum translated)x->kind, x->identifier, &x->translations[r->side],
                            &x->translations_n[r->side], r->err);
}

static bool layouts_read(struct reader *r)
{
    struct layout *list;
    size_t n;
    if (!layout_list(r->db, r->a, r->environment, &list, &n, r->err))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct resource *x = slot(r, TRANSLATED_LAYOUT, list[i].identifier);
        x->layout[r->side] = list[i];
        if (!x->name.p)
            x->name = list[i].name;
        if (!texts_read(r, x))
            return false;
        x->content[r->side] = layout_content(r->a, &list[i], x->translations[r->side], x->translations_n[r->side]);
    }
    return true;
}

/* Workflows of code are published by their code, not from here. */
static bool is_ours(struct arena *a, const struct workflow *w)
{
    yyjson_val *doc;
    struct str origin = json_parse(a, w->doc, &doc, NULL) ? json_get_str(doc, "origin") : STR_NULL;
    return !origin.n || str_eqz(origin, "novu-cloud");
}

static bool workflows_read(struct reader *r)
{
    struct workflow_query all = {.limit = INT64_MAX, .ascending = true};
    struct workflow *list;
    size_t n;
    if (!workflow_list(r->db, r->a, r->environment, &all, &list, &n, r->err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_ours(r->a, &list[i]))
            continue;
        struct resource *x = slot(r, TRANSLATED_WORKFLOW, list[i].identifier);
        x->workflow[r->side] = list[i];
        if (!x->name.p)
            x->name = list[i].name;
        if (!texts_read(r, x))
            return false;
        x->content[r->side] = workflow_content(r->a, &list[i], x->translations[r->side], x->translations_n[r->side]);
    }
    return true;
}

/* Whether it is active, where it is reached and through which integration of a provider is each environment's own. */
static yyjson_val *agent_content(struct arena *a, const struct agent *x, const struct agent_link *links, size_t n)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d), *list;
    json_add_str(d, o, "name", x->name);
    json_add_str(d, o, "description", x->description);
    json_add_text(d, o, "behavior", x->behavior);
    list = json_add_arr(d, o, "integrations");
    for (size_t i = 0; i < n; i++)
        if (!i || !str_eq(links[i].integration.provider_id, links[i - 1].integration.provider_id))
            yyjson_mut_arr_append(list, json_mut_str(d, links[i].integration.provider_id));
    return finished(a, o);
}

static bool agents_read(struct reader *r)
{
    struct agent *list;
    struct agent_link *links;
    size_t n, links_n;
    if (!agent_all(r->db, r->a, r->environment, &list, &n, r->err))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct resource *x = slot(r, RESOURCE_AGENT, list[i].identifier);
        *(r->side == SOURCE ? &x->in_source : &x->in_target) = true;
        x->agent[r->side] = list[i];
        if (!x->name.p)
            x->name = list[i].name;
        if (!agent_link_all(r->db, r->a, &list[i], &links, &links_n, r->err))
            return false;
        x->content[r->side] = agent_content(r->a, &list[i], links, links_n);
    }
    return true;
}

static int place_of(int kind)
{
    return kind == TRANSLATED_LAYOUT ? 0 : kind == TRANSLATED_WORKFLOW ? 1 : 2;
}

static int by_kind_and_identifier(const void *p, const void *q)
{
    const struct resource *x = p, *y = q;
    return x->kind != y->kind ? place_of(x->kind) - place_of(y->kind) : str_cmp(x->identifier, y->identifier);
}

bool comparison_read(struct db *db, struct arena *a, struct id source, struct id target, struct comparison *out, struct error *err)
{
    struct reader r = {.db = db, .a = a, .out = out, .err = err};
    *out = (struct comparison){0};
    for (r.side = SOURCE; r.side <= TARGET; r.side++) {
        r.environment = r.side == SOURCE ? source : target;
        if (!layouts_read(&r) || !workflows_read(&r) || !agents_read(&r))
            return false;
    }
    for (size_t i = 0; i < out->n; i++) {
        struct resource *x = &out->all[i];
        x->action = !x->in_target ? RESOURCE_ADDED : !x->in_source ? RESOURCE_DELETED
                  : yyjson_equals(x->content[SOURCE], x->content[TARGET]) ? RESOURCE_UNCHANGED : RESOURCE_MODIFIED;
    }
    if (out->n)
        qsort(out->all, out->n, sizeof *out->all, by_kind_and_identifier);
    return true;
}

struct resource *comparison_find(const struct comparison *c, int kind, struct str identifier)
{
    for (int k = TRANSLATED_WORKFLOW; k <= RESOURCE_AGENT; k++)
        for (size_t i = 0; (!kind || kind == k) && i < c->n; i++)
            if (c->all[i].kind == k && str_eq(c->all[i].identifier, identifier))
                return &c->all[i];
    return NULL;
}
