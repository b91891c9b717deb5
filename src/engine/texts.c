/* Loads layouts and translations. */
#include "engine/texts.h"

#include "model/layout.h"
#include "model/organization.h"

bool resource_texts_load(struct db *db, struct arena *a, struct id environment, enum translated type, struct str resource,
                         struct resource_texts *texts, struct error *err)
{
    struct translation *list;
    size_t n;
    if (!texts->on)
        return true;
    if (!translation_list(db, a, environment, type, resource, &list, &n, err)
        || !organization_locale(db, a, environment, &texts->standard, err))
        return false;
    texts->locales = ARENA_ARRAY(a, struct str, n);
    texts->contents = ARENA_ARRAY(a, yyjson_val *, n);
    for (; texts->n < n; texts->n++) {
        texts->locales[texts->n] = list[texts->n].locale;
        if (!json_parse(a, list[texts->n].content, &texts->contents[texts->n], err))
            return false;
    }
    return true;
}

static yyjson_val *content_in(const struct resource_texts *t, struct str locale)
{
    int i = translate_choose(t->locales, t->n, locale);
    return i < 0 ? NULL : t->contents[i];
}

struct reader_texts resource_texts_for(const struct resource_texts *t, struct str reader_locale)
{
    return (struct reader_texts){content_in(t, reader_locale), content_in(t, t->standard)};
}

void body_texts_compile(struct arena *a, const struct resource_texts *t, const struct email_body *body, struct body_texts *out)
{
    struct reader_texts of_default = {NULL, content_in(t, t->standard)};
    *out = (struct body_texts){.plain = body, .texts = t};
    if (!t->on || !body || t->n > BODIES_MAX || email_body_translate(a, body, &of_default) == body)
        return;
    out->translated = ARENA_ARRAY(a, const struct email_body *, t->n + 1);
    out->translated[0] = email_body_translate(a, body, &of_default);
    for (size_t i = 0; i < t->n; i++)
        out->translated[1 + i] = email_body_translate(a, body, &(struct reader_texts){t->contents[i], of_default.standard});
}

const struct email_body *body_texts_for(const struct body_texts *b, const struct resource_texts *t, struct str reader_locale)
{
    /* A step that is no longer part of the workflow has the texts of its time, or none. */
    return b->translated && b->texts == t ? b->translated[1 + translate_choose(t->locales, t->n, reader_locale)] : b->plain;
}

static void layouts_destroy(struct cached *c)
{
    arena_destroy(((struct environment_layouts *)c)->arena);
}

static bool layout_compile(struct db *db, struct arena *a, const struct layout *l, struct email_layout *out,
                           struct resource_texts *texts, struct body_texts *bodies, struct error *err)
{
    yyjson_val *doc;
    char hex[ID_HEX + 1];
    if (!json_parse(a, l->doc, &doc, err))
        return false;
    id_hex(l->id, hex);
    struct str body = json_get_str(json_get(json_get(doc, "values"), "email"), "body");
    *out = (struct email_layout){.name = l->name, .identifier = l->identifier, .id = str_dup(a, str_of(hex)),
                                 .body = email_body_compile(a, body.p ? body : STR(EMAIL_LAYOUT_NONE))};
    texts->on = json_get_bool(doc, "isTranslationEnabled", false);
    if (!resource_texts_load(db, a, l->environment, TRANSLATED_LAYOUT, l->identifier, texts, err))
        return false;
    body_texts_compile(a, texts, out->body, bodies);
    return true;
}

struct environment_layouts *environment_layouts_load(struct db *db, struct id environment, struct error *err)
{
    struct arena *a = arena_create(0);
    struct environment_layouts *e = ARENA_NEW(a, struct environment_layouts);
    struct layout *list;
    size_t n;
    cached_init(&e->head, layouts_destroy);
    e->arena = a;
    bool ok = layout_list(db, a, environment, &list, &n, err);
    e->layouts = ARENA_ARRAY(a, struct email_layout, ok ? n : 0);
    e->texts = ARENA_ARRAY(a, struct resource_texts, ok ? n : 0);
    e->bodies = ARENA_ARRAY(a, struct body_texts, ok ? n : 0);
    for (; ok && e->n < n; e->n++) {
        ok = layout_compile(db, a, &list[e->n], &e->layouts[e->n], &e->texts[e->n], &e->bodies[e->n], err);
        if (list[e->n].is_default)
            e->standard = &e->layouts[e->n];
    }
    if (ok)
        return e;
    arena_destroy(a);
    return NULL;
}
