/* Block documents: the recorded pairs of upstream's renderer and pipeline, compared as trees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "content/blocks.h"
#include "content/blocks/blocks_private.h"
#include "content/email.h"
#include "content/html/tokens.h"
#include "content/sanitize.h"
#include "content/text_part.h"

static yyjson_val *data_read(struct arena *a, const char *path)
{
    FILE *f = fopen(path, "rb");
    struct buf b = {.arena = a};
    yyjson_val *v;
    if (!f)
        fail_msg("cannot open %s", path);
    for (size_t n = 1; n;) {
        buf_reserve(&b, 65536);
        n = fread(b.p + b.n, 1, 65536, f);
        b.n += n;
    }
    fclose(f);
    assert_true(json_parse(a, buf_get(&b), &v, NULL));
    return v;
}

static yyjson_val *json(struct arena *a, const char *text)
{
    yyjson_val *v = NULL;
    struct error err;
    if (!json_parse(a, str_of(text), &v, &err))
        fail_msg("%s: %s", text, err.message);
    return v;
}

/* HTML as its tokens, without what carries no meaning: comments, doctype, preload links, data-id (SOURCE.txt). */
static struct str normal(struct arena *a, struct str html)
{
    struct html_tokens *t = html_tokens_open(a, html);
    struct html_token k;
    struct buf b = {.arena = a};
    bool in_text = false, dropped = false;
    while (html_tokens_next(t, &k) != HTML_END) {
        if (k.event == HTML_TEXT) {
            if (!in_text)
                buf_z(&b, "\n");
            buf_str(&b, k.text);
            in_text = true;
            continue;
        }
        if (str_eqz(k.name, "link") && k.event == HTML_OPEN)
            dropped = str_eqz(html_attribute_get(&k, "rel"), "preload");
        if (str_eqz(k.name, "link") && dropped)
            continue;
        in_text = false;
        buf_fmt(&b, "\n<%s%.*s", k.event == HTML_CLOSE ? "/" : "", STR_ARG(k.name));
        for (size_t i = 0; k.event == HTML_OPEN && i < k.attributes_n; i++)
            if (!str_eqz(k.attributes[i].name, "data-id"))
                buf_fmt(&b, "\n  %.*s=%.*s", STR_ARG(k.attributes[i].name), STR_ARG(k.attributes[i].value));
    }
    return buf_finish(&b);
}

static void same_html(struct arena *a, const char *name, const char *what, struct str got, struct str want)
{
    struct str x = normal(a, got), y = normal(a, want);
    if (!str_eq(x, y))
        fail_msg("%s, %s:\n%.*s\n---- want ----\n%.*s", name, what, STR_ARG(x), STR_ARG(y));
}

static struct str render(struct arena *a, yyjson_val *doc, const struct liquid_context *c, const struct blocks_options *o)
{
    static const struct liquid_context none = {.mode = LIQUID_PLAIN};
    static const struct blocks_options fragment = {.document = false};
    struct buf b = {.arena = a};
    struct error err = {0};
    if (!blocks_render(blocks_compile(a, doc), c ? c : &none, o ? o : &fragment, a, &b, &err))
        return str_fmt(a, "ERROR %s", err.message);
    return str_solid(buf_get(&b));
}

static struct str finished(struct arena *a, struct str html)
{
    return sanitize_html(a, email_clean(a, html));
}

static void fragments_are_as_recorded(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 20);
    yyjson_val *cases = data_read(a, TESTDATA "/email-blocks/render.json"), *c;
    size_t i, n;
    assert_int_equal(yyjson_arr_size(cases), 72);
    yyjson_arr_foreach(cases, i, n, c) {
        const char *name = yyjson_get_str(json_get(c, "name"));
        struct str got = render(a, json_get(c, "doc"), NULL, NULL), error = json_get_str(c, "error");
        if (error.n) {
            if (!str_eq(got, str_fmt(a, "ERROR %.*s", STR_ARG(error))))
                fail_msg("%s: %.*s", name, STR_ARG(got));
            continue;
        }
        same_html(a, name, "fragment", got, json_get_str(c, "fragment"));
        same_html(a, name, "final", finished(a, got), json_get_str(c, "final"));
        struct str text = text_part_from_html(a, render(a, json_get(c, "doc"), NULL, &(struct blocks_options){.document = true}));
        if (!str_eq(text, json_get_str(c, "text")))
            fail_msg("%s, text: '%.*s', want '%.*s'", name, STR_ARG(text), STR_ARG(json_get_str(c, "text")));
    }
}

static void documents_are_as_recorded(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 20);
    yyjson_val *documents = data_read(a, TESTDATA "/email-blocks/documents.json"), *k, *v, *c;
    yyjson_val *cases = data_read(a, TESTDATA "/email-blocks/render.json");
    size_t i, n, j, m;
    yyjson_obj_foreach(documents, i, n, k, v) {
        bool preview = str_eqz(json_str(k), "paragraph-with-preview"), found = false;
        struct blocks_options o = {.document = true, .preheader = preview ? STR("Preview text") : STR_NULL};
        yyjson_arr_foreach(cases, j, m, c) {
            if (!str_eq(json_get_str(c, "name"), preview ? STR("paragraph") : json_str(k)))
                continue;
            struct str got = render(a, json_get(c, "doc"), NULL, &o);
            same_html(a, json_str(k).p, "document", got, json_get_str(v, "html"));
            same_html(a, json_str(k).p, "final", finished(a, got), json_get_str(v, "final"));
            found = true;
        }
        assert_true(found);
    }
}

static size_t variables_of(yyjson_val *o, struct liquid_variable *out)
{
    size_t i, n;
    yyjson_val *k, *v;
    yyjson_obj_foreach(o, i, n, k, v)
        out[i] = (struct liquid_variable){json_str(k), v};
    return n;
}

static void pipeline_is_as_recorded(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 20);
    yyjson_val *data = data_read(a, TESTDATA "/email-blocks/pipeline.json"), *c;
    struct liquid_variable variables[8];
    struct liquid_context ctx = {.variables = variables, .mode = LIQUID_PLAIN};
    size_t i, n;
    ctx.variables_n = variables_of(json_get(data, "variables"), variables);
    yyjson_arr_foreach(json_get(data, "cases"), i, n, c) {
        const char *name = yyjson_get_str(json_get(c, "name"));
        struct str got = render(a, json_get(c, "doc"), &ctx, NULL), error = json_get_str(c, "error");
        if (error.n) {
            if (!str_eq(got, str_fmt(a, "ERROR %.*s", STR_ARG(error))))
                fail_msg("%s: %.*s, want %.*s", name, STR_ARG(got), STR_ARG(error));
            continue;
        }
        same_html(a, name, "final", finished(a, got), json_get_str(c, "final"));
        /* The long way of whole.c gives the same. */
        yyjson_val *tree;
        struct error err = {0};
        struct buf b = {.arena = a};
        if (!blocks_tree(blocks_compile(a, json_get(c, "doc")), &ctx, a, &tree, &err))
            fail_msg("%s: %s", name, err.message);
        assert_true(blocks_render(blocks_compile_literal(a, tree), &ctx, &(struct blocks_options){0}, a, &b, &err));
        same_html(a, name, "tree", finished(a, buf_get(&b)), json_get_str(c, "final"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fragments_are_as_recorded),
        cmocka_unit_test(documents_are_as_recorded),
        cmocka_unit_test(pipeline_is_as_recorded),
    };
    (void)json;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
