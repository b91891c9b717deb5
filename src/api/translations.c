/* /v2/translations: texts of workflows and layouts in other languages (rest-api.md §6.10). */
#include "api/app.h"
#include "api/tables.h"
#include "http/multipart.h"
#include "model/organization.h"
#include "model/translation.h"

enum { UPLOAD_MAX = 32 << 20, CONTENT_DEPTH_MAX = 20 };

/* --- what comes in ------------------------------------------------------------------------------------------ */

static enum translated check_type(struct checks *c, struct str given)
{
    enum translated t;
    if (!translated_parse(given, &t))
        check_fail(c, "resourceType must be one of the following values: workflow, layout");
    return t;
}

static struct str check_locale(struct checks *c, struct str given)
{
    struct str locale = locale_normalise(c->rq->arena, given);
    if (!locale.p)
        check_fail(c, "locale must be a language and a region, like en_US");
    return locale;
}

/* A tree of texts: NULL, or what is wrong with it. */
static const char *content_flaw(yyjson_val *v, int depth)
{
    size_t i, n;
    yyjson_val *k, *member;
    if (!yyjson_is_obj(v))
        return "must be an object";
    if (depth > CONTENT_DEPTH_MAX)
        return "is nested too deep";
    yyjson_obj_foreach(v, i, n, k, member) {
        const char *flaw = yyjson_is_obj(member) ? content_flaw(member, depth + 1)
                         : yyjson_is_str(member) || yyjson_is_num(member) || yyjson_is_bool(member) ? NULL
                         : "may hold only texts, numbers and nested objects";
        if (flaw)
            return flaw;
    }
    return NULL;
}

/* --- answers -------------------------------------------------------------------------------------------------- */

static yyjson_mut_val *translation_json(struct arena *a, yyjson_mut_doc *d, const struct translation *t)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *content = NULL;
    json_parse(a, t->content, &content, NULL);
    json_add_str(d, o, "resourceId", t->resource);
    json_add_str(d, o, "resourceType", translated_name(t->type));
    json_add_str(d, o, "locale", t->locale);
    json_add_val(d, o, "content", content);
    json_add_time(d, o, "createdAt", t->created_at);
    json_add_time(d, o, "updatedAt", t->updated_at);
    return o;
}

/* The path's {resourceType} and {resourceId}; an unknown type or resource is answered. */
static bool path_read(struct request *rq, enum translated *type, struct str *resource)
{
    struct error err = {0};
    struct str name;
    if (!translated_parse(request_param(rq, "resourceType"), type))
        error_http(&err, 404, "Translation not found");
    else if (translation_resource(app_db(rq), rq->arena, rq->principal.environment, *type, request_param(rq, "resourceId"), resource,
                                  &name, &err))
        return true;
    reply_error(rq, &err);
    return false;
}

static struct str path_locale(struct request *rq)
{
    struct str given = request_param(rq, "locale"), locale = locale_normalise(rq->arena, given);
    return locale.p ? locale : given;
}

static void handle_get(struct request *rq)
{
    enum translated type;
    struct str resource;
    struct translation t;
    struct error err = {0};
    if (!path_read(rq, &type, &resource))
        return;
    if (translation_find(app_db(rq), rq->arena, rq->principal.environment, type, resource, path_locale(rq), &t, &err))
        reply_json(rq, 0, translation_json(rq->arena, json_doc(rq->arena), &t));
    else
        reply_error(rq, &err);
}

/* --- groups: which locales a resource has ------------------------------------------------------------------------- */

static bool has(const struct str *list, size_t n, struct str s)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i], s))
            return true;
    return false;
}

/* Outdated is what the default locale was written after, and of the target locales what is missing. Where targets are set,
 * others are nobody's concern (upstream: get-translation-group.e2e-ee.ts). */
static void add_outdated(yyjson_mut_doc *d, yyjson_mut_val *o, const struct translation_group *g, const struct organization_settings *s)
{
    yyjson_mut_val *list = yyjson_mut_arr(d);
    int64_t standard = 0;
    for (size_t i = 0; i < g->n; i++)
        if (str_eq(g->locales[i], s->default_locale))
            standard = g->written[i];
    for (size_t i = 0; i < g->n; i++)
        if (g->written[i] < standard && (!s->target_locales_n || has(s->target_locales, s->target_locales_n, g->locales[i])))
            yyjson_mut_arr_append(list, json_mut_str(d, g->locales[i]));
    for (size_t i = 0; i < s->target_locales_n; i++)
        if (!str_eq(s->target_locales[i], s->default_locale) && !has(g->locales, g->n, s->target_locales[i]))
            yyjson_mut_arr_append(list, json_mut_str(d, s->target_locales[i]));
    if (yyjson_mut_arr_size(list))
        yyjson_mut_obj_add_val(d, o, "outdatedLocales", list);
}

static yyjson_mut_val *group_json(yyjson_mut_doc *d, const struct translation_group *g, const struct organization_settings *s)
{
    yyjson_mut_val *o = yyjson_mut_obj(d), *locales;
    json_add_str(d, o, "resourceId", g->resource);
    json_add_str(d, o, "resourceType", translated_name(g->type));
    json_add_str(d, o, "resourceName", g->name);
    locales = json_add_arr(d, o, "locales");
    for (size_t i = 0; i < g->n; i++)
        yyjson_mut_arr_append(locales, json_mut_str(d, g->locales[i]));
    add_outdated(d, o, g, s);
    json_add_time(d, o, "createdAt", g->created_at);
    json_add_time(d, o, "updatedAt", g->updated_at);
    return o;
}

static bool groups_read(struct request *rq, enum translated type, struct str resource, struct translation_group **groups, size_t *n,
                        struct organization_settings *settings, struct error *err)
{
    return translation_groups(app_db(rq), rq->arena, rq->principal.environment, type, resource, groups, n, err)
        && organization_settings_find(app_db(rq), rq->arena, rq->principal.organization, settings, err);
}

static void handle_group(struct request *rq)
{
    enum translated type;
    struct str resource;
    struct translation_group *groups;
    struct organization_settings settings;
    struct error err = {0};
    size_t n;
    if (!path_read(rq, &type, &resource))
        return;
    if (groups_read(rq, type, resource, &groups, &n, &settings, &err)
        && (n || error_http(&err, 404, "Translation group not found")))
        reply_json(rq, 0, group_json(json_doc(rq->arena), groups, &settings));
    else
        reply_error(rq, &err);
}

/* {data, total, limit, offset} of a list of which the page is in data already. */
static void reply_offset_page(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *data, int64_t total, int64_t limit, int64_t offset)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_mut_obj_add_val(d, o, "data", data);
    json_add_int(d, o, "total", total);
    json_add_int(d, o, "limit", limit);
    json_add_int(d, o, "offset", offset);
    reply_json(rq, 0, o);
}

static int newest_group(const void *x, const void *y)
{
    const struct translation_group *a = x, *b = y;
    return a->updated_at != b->updated_at ? a->updated_at < b->updated_at ? 1 : -1 : str_cmp(a->resource, b->resource);
}

static void handle_list_groups(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct str query = request_query(rq, "query");
    int64_t limit = check_query_int(&c, "limit", 50, 1, 1000), offset = check_query_int(&c, "offset", 0, 0, INT64_MAX), total = 0;
    struct translation_group *groups;
    struct organization_settings settings;
    struct error err = {0};
    size_t n;
    if (!checks_done(&c))
        return;
    if (!groups_read(rq, TRANSLATED_WORKFLOW, STR_NULL, &groups, &n, &settings, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *data = yyjson_mut_arr(d);
    qsort(groups, n, sizeof *groups, newest_group);
    for (size_t i = 0; i < n; i++) {
        if (query.n && str_find_nocase(groups[i].name, query) < 0 && str_find_nocase(groups[i].resource, query) < 0)
            continue;
        if (total >= offset && total - offset < limit)
            yyjson_mut_arr_append(data, group_json(d, &groups[i], &settings));
        total++;
    }
    reply_offset_page(rq, d, data, total, limit, offset);
}

/* The translations of one resource. */
static void handle_list(struct request *rq)
{
    struct checks c = checks_begin(rq);
    int64_t limit = check_query_int(&c, "limit", 50, 1, 1000), offset = check_query_int(&c, "offset", 0, 0, INT64_MAX);
    enum translated type = check_type(&c, request_query(rq, "resourceType"));
    struct str resource = request_query(rq, "resourceId"), name;
    struct translation *list;
    struct error err = {0};
    size_t n;
    if (!resource.n)
        check_fail(&c, "resourceId should not be empty");
    if (!checks_done(&c))
        return;
    if (!translation_resource(app_db(rq), rq->arena, rq->principal.environment, type, resource, &resource, &name, &err)
        || !translation_list(app_db(rq), rq->arena, rq->principal.environment, type, resource, &list, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *data = yyjson_mut_arr(d);
    for (size_t i = 0; i < n; i++)
        if ((int64_t)i >= offset && (int64_t)i - offset < limit)
            yyjson_mut_arr_append(data, translation_json(rq->arena, d, &list[i]));
    reply_offset_page(rq, d, data, (int64_t)n, limit, offset);
}

/* --- writing one, and deleting ---------------------------------------------------------------------------------- */

struct translation_write {
    struct api_write w;
    struct translation row;
};

static bool write_apply(struct api_write *w, struct db *db, struct error *err)
{
    return translation_write(db, &((struct translation_write *)w)->row, err);
}

static void write_reply(struct api_write *w)
{
    struct translation_write *x = (struct translation_write *)w;
    reply_json(w->rq, 0, translation_json(w->rq->arena, json_doc(w->rq->arena), &x->row));
}

static bool delete_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct translation_write *x = (struct translation_write *)w;
    int64_t n;
    return translation_delete(db, x->row.environment, x->row.type, x->row.resource, x->row.locale, &n, err)
        && (n || error_http(err, 404, x->row.locale.n ? "Translation not found" : "Translation group not found"));
}

static void delete_reply(struct api_write *w)
{
    reply_empty(w->rq, 204);
}

static struct translation_write *write_new(struct request *rq, bool (*apply)(struct api_write *w, struct db *db, struct error *err),
                                           void (*reply)(struct api_write *w))
{
    struct translation_write *x = ARENA_NEW(rq->arena, struct translation_write);
    x->w.flags = WRITE_DEFINITIONS;
    x->w.apply = apply;
    x->w.reply = reply;
    x->row = (struct translation){.environment = rq->principal.environment, .created_at = app_now(rq), .updated_at = app_now(rq)};
    return x;
}

static void handle_create(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct translation_write *x = write_new(rq, write_apply, write_reply);
    struct str resource = check_string(&c, rq->json, "resourceId", true), type = check_string(&c, rq->json, "resourceType", true),
               locale = check_string(&c, rq->json, "locale", true), name;
    yyjson_val *content = json_get(rq->json, "content");
    const char *flaw = content_flaw(content, 1);
    struct error err = {0};
    if (type.n)
        x->row.type = check_type(&c, type);
    if (locale.n)
        x->row.locale = check_locale(&c, locale);
    if (flaw)
        check_fail(&c, "content %s", flaw);
    if (!checks_done(&c))
        return;
    x->row.content = json_write(rq->arena, content);
    if (translation_resource(app_db(rq), rq->arena, rq->principal.environment, x->row.type, resource, &x->row.resource, &name, &err))
        api_write(rq, &x->w);
    else
        reply_error(rq, &err);
}

static void handle_delete(struct request *rq)
{
    struct translation_write *x = write_new(rq, delete_apply, delete_reply);
    if (!path_read(rq, &x->row.type, &x->row.resource))
        return;
    x->row.locale = path_locale(rq);
    api_write(rq, &x->w);
}

static void handle_delete_group(struct request *rq)
{
    struct translation_write *x = write_new(rq, delete_apply, delete_reply);
    if (path_read(rq, &x->row.type, &x->row.resource))
        api_write(rq, &x->w);
}

/* --- many at once -------------------------------------------------------------------------------------------------- */

/* Uploads and imports write what is right and say what is wrong, each by its name. */
struct import {
    struct api_write w;
    struct translation *rows;
    size_t rows_n, rows_cap;
    struct str *successful, *failed, *reasons;
    size_t successful_n, successful_cap, failed_n, failed_cap, reasons_n, reasons_cap;
    size_t files;
};

static bool import_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct import *x = (struct import *)w;
    for (size_t i = 0; i < x->rows_n; i++)
        if (!translation_write(db, &x->rows[i], err))
            return false;
    return true;
}

static struct import *import_new(struct request *rq, void (*reply)(struct api_write *w))
{
    struct import *x = ARENA_NEW(rq->arena, struct import);
    x->w.flags = WRITE_DEFINITIONS;
    x->w.apply = import_apply;
    x->w.reply = reply;
    x->w.rq = rq;
    return x;
}

static void import_fail(struct import *x, struct str name, const char *why)
{
    struct arena *a = x->w.rq->arena;
    *ARENA_SLOT(a, x->failed, x->failed_n, x->failed_cap) = name;
    *ARENA_SLOT(a, x->reasons, x->reasons_n, x->reasons_cap) =
        str_fmt(a, "Failed to process file '%.*s': %s", (int)(name.n > 200 ? 200 : name.n), name.p, why);
}

/* One resource's content; name: what it is called in the answer. */
static void import_add(struct import *x, struct str name, enum translated type, struct str resource, struct str locale,
                       yyjson_val *content)
{
    struct request *rq = x->w.rq;
    struct str identifier, title;
    struct error err = {0};
    const char *flaw = content_flaw(content, 1);
    if (flaw)
        import_fail(x, name, str_z(rq->arena, str_fmt(rq->arena, "the content %s", flaw)));
    else if (!translation_resource(app_db(rq), rq->arena, rq->principal.environment, type, resource, &identifier, &title, &err))
        import_fail(x, name, str_z(rq->arena, str_of(err.message)));
    else {
        *ARENA_SLOT(rq->arena, x->rows, x->rows_n, x->rows_cap) =
            (struct translation){.environment = rq->principal.environment, .type = type, .resource = identifier, .locale = locale,
                                 .content = json_write(rq->arena, content), .created_at = app_now(rq), .updated_at = app_now(rq)};
        *ARENA_SLOT(rq->arena, x->successful, x->successful_n, x->successful_cap) = name;
    }
}

static void import_go(struct import *x)
{
    if (x->rows_n)
        api_write(x->w.rq, &x->w);
    else
        x->w.reply(&x->w);
}

static void add_texts(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, const struct str *texts, size_t n)
{
    yyjson_mut_val *arr = json_add_arr(d, o, key);
    for (size_t i = 0; i < n; i++)
        yyjson_mut_arr_append(arr, json_mut_str(d, texts[i]));
}

static struct str master_message(struct arena *a, size_t imported, size_t failed)
{
    if (!imported)
        return failed ? STR("Failed to import any resources") : STR("No supported resources found in the file");
    return failed ? str_fmt(a, "Partial import completed: %zu resource(s) imported, %zu failed", imported, failed)
                  : str_fmt(a, "%zu resource(s) imported", imported);
}

/* Something was imported: a success, with what failed named (upstream: import-master-json.e2e-ee.ts). */
static void master_reply(struct api_write *w)
{
    struct import *x = (struct import *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_bool(d, o, "success", x->successful_n > 0);
    json_add_str(d, o, "message", master_message(w->rq->arena, x->successful_n, x->failed_n));
    if (x->successful_n)
        add_texts(d, o, "successful", x->successful, x->successful_n);
    if (x->failed_n)
        add_texts(d, o, "failed", x->failed, x->failed_n);
    reply_json(w->rq, 0, o);
}

static void master_import(struct request *rq, struct str locale, yyjson_val *master)
{
    static const struct { const char *key; enum translated type; } parts[] = {{"workflows", TRANSLATED_WORKFLOW},
                                                                            {"layouts", TRANSLATED_LAYOUT}};
    struct import *x = import_new(rq, master_reply);
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        yyjson_val *all = json_get(master, parts[p].key), *k;
        yyjson_obj_iter it = yyjson_obj_iter_with(yyjson_is_obj(all) ? all : NULL);
        while ((k = yyjson_obj_iter_next(&it)))
            import_add(x, json_str(k), parts[p].type, json_str(k), locale, yyjson_obj_iter_get_val(k));
    }
    import_go(x);
}

static void handle_master_import(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct str locale = check_string(&c, rq->json, "locale", true);
    yyjson_val *master = check_object(&c, rq->json, "masterJson", true);
    if (locale.n)
        locale = check_locale(&c, locale);
    if (checks_done(&c))
        master_import(rq, locale, master);
}

static bool add_master(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, enum translated type,
                       struct str locale, struct error *err)
{
    struct translation *list;
    size_t n;
    yyjson_mut_val *all = json_add_obj(d, o, key);
    if (!translation_list_by_locale(app_db(rq), rq->arena, rq->principal.environment, type, locale, &list, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        yyjson_val *content;
        if (!json_parse(rq->arena, list[i].content, &content, err))
            return false;
        yyjson_mut_obj_add(all, json_mut_str(d, list[i].resource), yyjson_val_mut_copy(d, content));
    }
    return true;
}

static void handle_master(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct str given = request_query(rq, "locale"), locale = given.n ? check_locale(&c, given) : STR_NULL;
    struct organization_settings settings;
    struct error err = {0};
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    if (!checks_done(&c))
        return;
    if (!given.n && organization_settings_find(app_db(rq), rq->arena, rq->principal.organization, &settings, &err))
        locale = settings.default_locale;
    if (locale.n && add_master(rq, d, o, "workflows", TRANSLATED_WORKFLOW, locale, &err)
        && add_master(rq, d, o, "layouts", TRANSLATED_LAYOUT, locale, &err))
        reply_json(rq, 0, o);
    else
        reply_error(rq, &err);
}

/* --- uploads --------------------------------------------------------------------------------------------------------- */

/* "en_US.json" -> "en_US"; p NULL: the name says no locale. */
static struct str file_locale(struct arena *a, struct str filename)
{
    for (size_t i = filename.n; i > 0; i--)
        if (filename.p[i - 1] == '/' || filename.p[i - 1] == '\\') {
            filename = (struct str){filename.p + i, filename.n - i};
            break;
        }
    if (filename.n < 6 || !str_eq_nocase((struct str){filename.p + filename.n - 5, 5}, STR(".json")))
        return STR_NULL;
    return locale_normalise(a, (struct str){filename.p, filename.n - 5});
}

static void upload_reply(struct api_write *w)
{
    struct import *x = (struct import *)w;
    yyjson_mut_doc *d = json_doc(w->rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_int(d, o, "totalFiles", (int64_t)x->files);
    json_add_int(d, o, "successfulUploads", (int64_t)x->successful_n);
    json_add_int(d, o, "failedUploads", (int64_t)x->failed_n);
    add_texts(d, o, "errors", x->reasons, x->reasons_n);
    reply_json(w->rq, 0, o);
}

static bool is_file_part(const struct multipart_part *p)
{
    return p->filename.p && (str_eqz(p->name, "files") || str_eqz(p->name, "files[]") || str_eqz(p->name, "file"));
}

static bool form_read(struct request *rq, struct multipart_part **parts, size_t *n)
{
    struct error err = {0};
    if (multipart_parse(rq->arena, request_header(rq, "content-type"), rq->body, parts, n, &err))
        return true;
    reply_error(rq, &err);
    return false;
}

static void upload_add(struct import *x, const struct multipart_part *p, enum translated type, struct str resource)
{
    struct arena *a = x->w.rq->arena;
    yyjson_val *content;
    struct error err = {0};
    x->files++;
    if (!json_parse(a, p->body, &content, &err))
        import_fail(x, p->filename, str_z(a, str_fmt(a, "Invalid JSON: %s", err.message)));
    else
        import_add(x, p->filename, type, resource, file_locale(a, p->filename), content);
}

static void reply_refused(struct request *rq, const char *message, const struct str *why, size_t n)
{
    struct error err = {0};
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    add_texts(d, o, "errors", why, n);
    error_http(&err, 400, "%s", message);
    err.details = json_write_mut(rq->arena, o);
    reply_error(rq, &err);
}

/* A name that says no locale refuses the upload as a whole. */
static bool names_ok(struct request *rq, const struct multipart_part *parts, size_t n)
{
    struct str *wrong = ARENA_ARRAY(rq->arena, struct str, n + 1);
    size_t wrong_n = 0;
    for (size_t i = 0; i < n; i++)
        if (is_file_part(&parts[i]) && !file_locale(rq->arena, parts[i].filename).p)
            wrong[wrong_n++] = str_fmt(rq->arena, "%.*s must be a valid locale filename, like en_US.json",
                                       (int)(parts[i].filename.n > 200 ? 200 : parts[i].filename.n), parts[i].filename.p);
    if (wrong_n)
        reply_refused(rq, "Some files have invalid names or formats", wrong, wrong_n);
    return !wrong_n;
}

static void handle_upload(struct request *rq)
{
    struct multipart_part *parts;
    struct checks c = checks_begin(rq);
    struct str resource = STR_NULL, type_name = STR_NULL;
    size_t n;
    if (!form_read(rq, &parts, &n))
        return;
    for (size_t i = 0; i < n; i++)
        if (str_eqz(parts[i].name, "resourceId"))
            resource = parts[i].body;
        else if (str_eqz(parts[i].name, "resourceType"))
            type_name = parts[i].body;
    if (!resource.n)
        check_fail(&c, "resourceId should not be empty");
    enum translated type = check_type(&c, type_name);
    if (!checks_done(&c) || !names_ok(rq, parts, n))
        return;
    struct import *x = import_new(rq, upload_reply);
    for (size_t i = 0; i < n; i++)
        if (is_file_part(&parts[i]))
            upload_add(x, &parts[i], type, resource);
    if (x->rows_n)
        import_go(x);
    else if (x->files)
        reply_refused(rq, "No valid translation files were found", x->reasons, x->reasons_n);
    else
        reply_fail(rq, 400, "No files were uploaded");
}

static void handle_master_upload(struct request *rq)
{
    struct multipart_part *parts;
    struct error err = {0};
    size_t n, files = 0, file = 0;
    yyjson_val *master;
    if (!form_read(rq, &parts, &n))
        return;
    for (size_t i = 0; i < n; i++)
        if (is_file_part(&parts[i]) && !files++)
            file = i;
    if (files != 1) {
        reply_fail(rq, 400, files ? "Only one file can be uploaded" : "No files were uploaded");
        return;
    }
    struct str locale = file_locale(rq->arena, parts[file].filename);
    if (!locale.p)
        reply_fail(rq, 400, "The file must be named by its locale, like en_US.json");
    else if (!json_parse(rq->arena, parts[file].body, &master, &err) || !yyjson_is_obj(master))
        reply_fail(rq, 400, "The file is not a JSON object");
    else
        master_import(rq, locale, master);
}

#define TRANSLATION(method, path, operation, summary, permission, status, body_max, flags, handler)                             \
    {method, path, operation, "Translations", summary, AUTH_ENVIRONMENT, permission, RATE_GLOBAL, 1, status, ENVELOPE_DATA, \
     body_max, flags, handler}
#define TRANSLATION_LIST(path, operation, summary, handler)                                                                     \
    {HTTP_GET, path, operation, "Translations", summary, AUTH_ENVIRONMENT, "WORKFLOW_READ", RATE_GLOBAL, 1, 200, ENVELOPE_NONE, \
     0, 0, handler}

const struct route translation_routes[] = {
    TRANSLATION(HTTP_POST, "/v2/translations", "translationsCreate", "Create or replace a translation", "WORKFLOW_WRITE", 200, UPLOAD_MAX, 0,
                handle_create),
    TRANSLATION_LIST("/v2/translations", "translationsList", "The translations of a workflow or layout", handle_list),
    TRANSLATION_LIST("/v2/translations/list", "translationsGroupsList", "All workflows and layouts with translations", handle_list_groups),
    TRANSLATION(HTTP_POST, "/v2/translations/upload", "translationsUpload", "Upload translation files", "WORKFLOW_WRITE", 200, UPLOAD_MAX,
                ROUTE_RAW_BODY, handle_upload),
    TRANSLATION(HTTP_GET, "/v2/translations/master-json", "translationsMasterRetrieve", "All translations of a locale", "WORKFLOW_READ",
                200, 0, 0, handle_master),
    TRANSLATION(HTTP_POST, "/v2/translations/master-json", "translationsMasterImport", "Import all translations of a locale",
                "WORKFLOW_WRITE", 200, UPLOAD_MAX, 0, handle_master_import),
    TRANSLATION(HTTP_POST, "/v2/translations/master-json/upload", "translationsMasterUpload", "Upload all translations of a locale",
                "WORKFLOW_WRITE", 200, UPLOAD_MAX, ROUTE_RAW_BODY, handle_master_upload),
    TRANSLATION(HTTP_GET, "/v2/translations/group/{resourceType}/{resourceId}", "translationsGroupsRetrieve",
                "The locales of a workflow or layout", "WORKFLOW_READ", 200, 0, 0, handle_group),
    TRANSLATION(HTTP_DELETE, "/v2/translations/{resourceType}/{resourceId}", "translationsGroupsDelete",
                "Delete all translations of a workflow or layout", "WORKFLOW_WRITE", 204, 0, 0, handle_delete_group),
    TRANSLATION(HTTP_GET, "/v2/translations/{resourceType}/{resourceId}/{locale}", "translationsRetrieve", "Retrieve a translation",
                "WORKFLOW_READ", 200, 0, 0, handle_get),
    TRANSLATION(HTTP_DELETE, "/v2/translations/{resourceType}/{resourceId}/{locale}", "translationsDelete", "Delete a translation",
                "WORKFLOW_WRITE", 204, 0, 0, handle_delete),
};
const size_t translation_routes_n = sizeof translation_routes / sizeof *translation_routes;
