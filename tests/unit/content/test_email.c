/* The order of an e-mail step: body, clean-up, layout, preheader, sanitising, translations' door. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "attacks.h"
#include "content/email.h"
#include "content/email_convert.h"
#include "support/data.h"

#define DOC(content) "{\"type\":\"doc\",\"content\":[" content "]}"
#define PARAGRAPH(text) "{\"type\":\"paragraph\",\"content\":[{\"type\":\"text\",\"text\":\"" text "\"}]}"
#define VARIABLE(id) "{\"type\":\"paragraph\",\"content\":[{\"type\":\"variable\",\"attrs\":{\"id\":\"" id "\"}}]}"

struct mail {
    struct arena *a;
    struct email_input in;
    struct liquid_variable variable;
    struct email_output out;
    struct error err;
};

static struct mail *mail(struct arena *a, const char *body)
{
    struct mail *m = ARENA_NEW(a, struct mail);
    yyjson_val *v;
    m->a = a;
    assert_true(json_parse(a, STR("{\"name\":\"A & <b>B</b>\",\"nl\":\"x\\ny\",\"list\":[1,2]}"), &v, NULL));
    m->variable = (struct liquid_variable){STR("payload"), v};
    m->in = (struct email_input){.body = email_body_compile(a, str_of(body)), .subject = STR("Subject")};
    return m;
}

static bool send(struct mail *m)
{
    struct liquid_context c = {.variables = &m->variable, .variables_n = 1, .mode = LIQUID_PLAIN};
    return email_render(&m->in, &c, m->a, &m->out, &m->err);
}

static struct str html(struct mail *m)
{
    if (!send(m))
        fail_msg("%s", m->err.message);
    return str_dup(m->a, m->out.html);
}

#define WITH(s, part) do { if (str_find((s), STR(part)) < 0) fail_msg("no '%s' in '%s'", part, (s).p); } while (0)
#define WITHOUT(s, part) do { if (str_find((s), STR(part)) >= 0) fail_msg("'%s' in '%s'", part, (s).p); } while (0)

static void bodies_are_blocks_or_html(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    static const struct { const char *body; bool block; } rows[] = {
        {DOC(""), true}, {" {\"a\":1}\n", true}, {"[]", true}, {"2025", false}, {"true", false}, {"", false},
        {"<p>x</p>", false}, {"{broken", false}, {"{{payload.name}}", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(email_body_is_block(email_body_compile(a, str_of(rows[i].body))), rows[i].block);
    assert_string_equal(html(mail(a, "2025")).p, "2025");
    assert_string_equal(html(mail(a, "")).p, "");
}

static void html_bodies_are_rendered_cleaned_and_sanitised(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct mail *m = mail(a, "<!DOCTYPE html><p>  \xc2\xa0\n</p><!-- c\n --><p onclick=\"x()\">{{payload.name}}{{ payload.list }}</p>"
                             "<script>alert(1)</script><pre>\n</pre>");
    WITH(html(m), "<p></p><p>A &amp; <b>B</b>[1,2]</p>");
    WITHOUT(m->out.html, "script");
    m->in.raw = true;
    WITH(html(m), "<script>alert(1)</script>");
    WITH(m->out.html, "onclick");
    WITHOUT(m->out.html, "<!--");
    WITHOUT(m->out.html, "DOCTYPE");
    /* Never closed: kept, and the sanitiser decides. */
    m = mail(a, "a<!-- b");
    m->in.raw = true;
    assert_string_equal(html(m).p, "a<!-- b");
    m = mail(a, "x");
    m->in.subject = STR("<script>a</script>Hi <b>x</b>");
    html(m);
    assert_true(str_eqz(m->out.subject, "Hi <b>x</b>"));
    assert_string_equal(str_z(a, email_subject_clean(a, STR("Terms & Conditions: 1 < 2 &amp;amp;"))), "Terms & Conditions: 1 < 2 &amp;");
    m->in.raw = true;
    html(m);
    assert_true(str_eqz(m->out.subject, "<script>a</script>Hi <b>x</b>"));
}

static void errors_fail_the_email(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    static const struct { const char *body, *message; } rows[] = {
        {"a {{ b", "output \"{{ b\" not closed, line:1, col:3"},
        {"{% nope %}", "tag \"nope\" not found, line:1, col:1"},
        {DOC("{\"type\":\"mystery\"}"), "Node type \"mystery\" is not supported."},
        {DOC("{}"), "Node type \"\" is not supported."},
        {DOC("{\"type\":\"repeat\",\"attrs\":{\"each\":\"payload.name\"},\"content\":[]}"),
         "Failed to parse iterable value for \"{{ payload.name }}\": Unexpected token 'A', \"A & <b>B</b>\" is not valid JSON"},
        {DOC("{\"type\":\"repeat\",\"attrs\":{\"each\":\"\"},\"content\":[]}"),
         "Failed to parse iterable value for \"\": Unexpected end of JSON input"},
        {DOC(PARAGRAPH("{{ x")), "output \"{{ x\\\"}]}]}]}\" not closed, line:1, col:80"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mail *m = mail(a, rows[i].body);
        assert_false(send(m));
        if (i == 6) /* only the place depends on our JSON text */
            assert_non_null(strstr(m->err.message, "not closed, line:1"));
        else
            assert_string_equal(m->err.message, rows[i].message);
    }
}

static void layouts_hold_the_content(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct email_layout layout = {.name = STR("L"), .body = email_body_compile(a, STR("<div>{{ content }}|{{payload.name}}</div>"))};
    struct mail *m = mail(a, DOC(PARAGRAPH("hi {{payload.nl}}")));
    m->in.layout = &layout;
    struct str s = html(m);
    WITH(s, "<div><p style=");
    WITH(s, ">hi xy</p>|A &amp; <b>B</b></div>");       /* the content loses its newlines */
    WITHOUT(s, "<html");
    layout.body = email_body_compile(a, STR(DOC(PARAGRAPH("top") "," VARIABLE("content") "," VARIABLE("payload.name"))));
    s = html(m);
    WITH(s, "<html dir=\"ltr\"");
    WITH(s, "<span><p style=");
    WITH(s, ">hi xy</p></span>");
    WITH(s, ">A &amp; &lt;b&gt;B&lt;/b&gt;</p>");
    WITH(s, ">top</p>");
    WITHOUT(s, "&lt;p");
    /* An HTML step in a block layout, marks around the content included. */
    m->in.body = email_body_compile(a, STR("<!DOCTYPE html><i>\nraw</i><!--x-->"));
    layout.body = email_body_compile(a, STR(DOC("{\"type\":\"paragraph\",\"content\":[{\"type\":\"variable\",\"attrs\":"
                                                "{\"id\":\"content\"},\"marks\":[{\"type\":\"bold\"}]}]}")));
    s = html(m);
    WITH(s, "<strong><span><i>raw</i></span></strong>");
    /* A layout that fails, fails the e-mail. */
    layout.body = email_body_compile(a, STR("{% if %}"));
    assert_false(send(m));
    /* Without a layout, `content` is nobody's. */
    m->in.layout = NULL;
    m->in.body = email_body_compile(a, STR("[{{content}}]"));
    assert_string_equal(html(m).p, "[]");
}

static void preheaders_stand_first_and_unseen(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct mail *m = mail(a, "<html><body class=\"x\"><p>b</p></body></html>");
    m->in.preheader = STR("Look <here>");
    WITH(html(m), "<body class=\"x\"><div style=\"display:none;");
    WITH(m->out.html, "id=\"__react-email-preview\">Look &lt;here&gt;<div>");
    m->in.body = email_body_compile(a, STR("<p>b</p>"));
    assert_true(str_starts(html(m), STR("<div style=\"display:none;")));
    m->in.body = email_body_compile(a, STR(DOC(PARAGRAPH("b"))));
    WITH(html(m), "<td style=\"margin:0\"><div style=\"display:none;");
    struct email_layout layout = {.body = email_body_compile(a, STR("<body>{{content}}</body>"))};
    m->in.layout = &layout;
    WITH(html(m), "<body><div style=\"display:none;");
    assert_true(str_find(str_sub(m->out.html, 40, m->out.html.n), STR("<body>")) < 0);
    /* 150 units at most, filled up to as many. */
    struct buf b = {.arena = a};
    for (int i = 0; i < 100; i++)
        buf_z(&b, "\xf0\x9f\x8e\x89");
    m = mail(a, "");
    m->in.preheader = buf_get(&b);
    assert_int_equal(html(m).n, html(mail(a, "")).n + 75 * 4 +
        strlen("<div style=\"display:none;overflow:hidden;line-height:1px;opacity:0;max-height:0;max-width:0\" "
               "data-skip-in-text=\"true\" id=\"__react-email-preview\"></div>"));
    m->in.preheader = STR("  ");
    assert_string_equal(html(m).p, "");
}

static void large_emails_are_said_to_be(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct mail *m = mail(a, "{% for i in (1..9999) %}0123456789{% endfor %}0123456789");
    assert_int_equal(html(m).n, 100000);
    assert_false(m->out.large);
    m = mail(a, "{% for i in (1..10000) %}0123456789{% endfor %}!");
    html(m);
    assert_true(m->out.large);
}

static void translations_come_before_liquid(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct reader_texts texts = {.chosen = data_quoted(a, "{'hi':'~{{payload.list[0]}}','one':'apple','few':'apples {{payload.list[0]}}'}")};
    struct mail *m = mail(a, DOC(PARAGRAPH("a {{t.hi}} b")));
    WITH(html(m), ">a {{t.hi}} b</p>");                 /* nobody translates */
    m->in.texts = &texts;
    WITH(html(m), ">a ~1 b</p>");
    m->in.body = email_body_compile(a, STR("<p>{{t.hi}}</p>"));
    m->in.subject = STR("{{t.hi}}");
    WITH(html(m), "<p>~1</p>");
    assert_true(str_eqz(m->out.subject, "~1"));
    /* As arguments of filters, in both kinds of bodies. */
    m->in.body = email_body_compile(a, STR("<p>{{payload.list.size | pluralize: 't.one', 't.few', 'false'}}</p>"));
    WITH(html(m), "<p>apples 1</p>");
    m->in.body = email_body_compile(a, STR(DOC(PARAGRAPH("{{payload.list[0] | pluralize: 't.one', 't.few'}}"))));
    WITH(html(m), ">1 apple</p>");
    m->in.texts = NULL;
    WITH(html(m), ">1 {{t.one}}</p>");
    m->in.texts = &texts;
    m->in.body = email_body_compile(a, STR("<p>plain</p>"));
    struct email_layout layout = {.body = email_body_compile(a, STR("{{ t.hi }}{{content}}"))};
    m->in.layout = &layout;
    WITH(html(m), "{{t.hi}}<p>plain</p>");              /* the layout's own are not switched on */
    m->in.layout_texts = &texts;
    WITH(html(m), "~1<p>plain</p>");
    texts.chosen = data_quoted(a, "{'hi':'{% if %}'}");
    assert_false(send(m));
}

/* Through every door: as body, as HTML block, as payload in texts and addresses, as content of a layout, as preheader. */
static void attacks_are_inert(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    static const char doc[] = DOC(
        VARIABLE("payload.x") ",{\"type\":\"htmlCodeBlock\",\"content\":[{\"type\":\"text\",\"text\":\"<p>\"},"
        "{\"type\":\"variable\",\"attrs\":{\"id\":\"payload.x\"}}]},"
        "{\"type\":\"button\",\"attrs\":{\"url\":\"payload.x\",\"isUrlVariable\":true,\"text\":\"{{payload.x}}\",\"buttonColor\":\"{{payload.x}}\"}},"
        "{\"type\":\"image\",\"attrs\":{\"src\":\"payload.x\",\"isSrcVariable\":true,\"externalLink\":\"{{payload.x}}\",\"alt\":\"{{payload.x}}\"}},"
        "{\"type\":\"paragraph\",\"attrs\":{\"textAlign\":\"{{payload.x}}\"},\"content\":[{\"type\":\"text\",\"text\":\"l\",\"marks\":[{\"type\":\"link\","
        "\"attrs\":{\"href\":\"{{payload.x}}\"}}]}]},{\"type\":\"linkCard\",\"attrs\":{\"link\":\"{{payload.x}}\",\"image\":\"{{payload.x}}\"}}");
    struct email_layout layout = {.body = email_body_compile(a, STR("<div title='{{payload.x}}'>{{content}}</div>"))};
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++)
        for (int way = 0; way < 3; way++) {
            struct mail *m = mail(a, way == 1 ? "<p>{{payload.x}}</p><a href=\"{{payload.x}}\">x</a>" : doc);
            yyjson_mut_doc *d = json_doc(a);
            yyjson_mut_val *o = yyjson_mut_obj(d);
            if (!str_is_utf8(str_of(attacks[i])))
                continue;       /* no JSON can hold it */
            json_add_str(d, o, "x", str_of(attacks[i]));
            assert_true(json_parse(a, json_write_mut(a, o), &m->variable.value, NULL));
            m->in.preheader = str_of(attacks[i]);
            m->in.layout = way == 2 ? &layout : NULL;
            html(m);
            const char *danger = html_danger(a, m->out.html);
            if (danger)
                fail_msg("'%s' (%d) became '%.*s', which holds %s", attacks[i], way, STR_ARG(m->out.html), danger);
        }
}

/* The last block of all that are shown has no margin below; a template cannot know which one that will be. */
static struct str without_styles(struct arena *a, struct str html)
{
    struct buf b = {.arena = a};
    for (ptrdiff_t at; (at = str_find(html, STR(" style=\""))) >= 0;) {
        buf_add(&b, html.p, (size_t)at);
        html = str_sub(html, (size_t)at + 8, html.n);
        html = str_sub(html, (size_t)str_find(html, STR("\"")) + 1, html.n);
    }
    buf_str(&b, html);
    return buf_finish(&b);
}

/* A converted e-mail says what its blocks said, whatever the data: both are rendered and compared. */
static struct str rendered(struct arena *a, struct str body, const char *payload)
{
    struct email_input in = {.body = email_body_compile(a, body), .subject = STR("s")};
    struct liquid_variable v = {.name = STR("payload")};
    struct liquid_context c = {.variables = &v, .variables_n = 1, .mode = LIQUID_PLAIN};
    struct email_output out;
    struct error err = {0};
    yyjson_val *data;
    assert_true(json_parse(a, str_of(payload), &data, NULL));
    v.value = data;
    if (!email_render(&in, &c, a, &out, &err))
        fail_msg("%s: %.*s", err.message, STR_ARG(body));
    return without_styles(a, out.html);
}

static void blocks_become_html_that_says_the_same(void **state)
{
    (void)state;
    static const char *const docs[] = {
        DOC(PARAGRAPH("Hi {{payload.name}}, {{ payload.name | upcase }} & {% if payload.shown %}x{% endif %}")),
        DOC("{\"type\":\"paragraph\",\"content\":[{\"type\":\"variable\",\"attrs\":{\"id\":\"payload.none\",\"fallback\":\"it's me\"}},"
            "{\"type\":\"text\",\"text\":\"x\",\"marks\":[{\"type\":\"bold\"},{\"type\":\"link\",\"attrs\":{\"href\":\"payload.url\",\"isUrlVariable\":true}}]}]}"),
        DOC("{\"type\":\"button\",\"attrs\":{\"text\":\"payload.name\",\"isTextVariable\":true,\"url\":\"payload.url\",\"isUrlVariable\":true}},"
            "{\"type\":\"image\",\"attrs\":{\"src\":\"payload.url\",\"isSrcVariable\":true}}"),
        DOC("{\"type\":\"heading\",\"attrs\":{\"level\":1,\"showIfKey\":\"payload.shown\"},\"content\":[{\"type\":\"text\",\"text\":\"zqv0 zqv\"}]}," PARAGRAPH("end")),
        DOC("{\"type\":\"paragraph\",\"attrs\":{\"showIfKey\":\"\"},\"content\":[{\"type\":\"text\",\"text\":\"never\"}]}," PARAGRAPH("end")),
        DOC("{\"type\":\"section\",\"content\":[{\"type\":\"repeat\",\"attrs\":{\"each\":\"payload.items\",\"iterations\":2},\"content\":["
            VARIABLE("payload.items.name") "," PARAGRAPH("{{payload.items.name | upcase}} of {{payload.name}}") ","
            "{\"type\":\"paragraph\",\"attrs\":{\"showIfKey\":\"payload.items.on\"},\"content\":[{\"type\":\"text\",\"text\":\"on\"}]},"
            "{\"type\":\"repeat\",\"attrs\":{\"each\":\"payload.items.parts\"},\"content\":[" VARIABLE("payload.items.parts.id") "]}]}]}"),
        DOC("{\"type\":\"bulletList\",\"content\":[{\"type\":\"listItem\",\"content\":[" VARIABLE("payload.name") "]}]}"),
    };
    static const char *const payloads[] = {
        "{\"name\":\"Ada\",\"shown\":true,\"url\":\"https://x.example/a\",\"items\":[{\"name\":\"a\",\"on\":true,\"parts\":[{\"id\":1},{\"id\":2}]},"
        "{\"name\":\"b\",\"on\":\"false\",\"parts\":[]},{\"name\":\"c\",\"parts\":[]}]}",
        "{\"name\":\"Bob\",\"shown\":\"false\",\"url\":\"/b\",\"items\":[{\"name\":\"z\",\"on\":0,\"parts\":[{\"id\":3}]}]}",
        "{\"name\":\"\",\"shown\":0,\"url\":\"https://y.example\",\"items\":[]}"};
    for (size_t i = 0; i < sizeof docs / sizeof *docs; i++) {
        struct arena *a ARENA_SCOPED = arena_create(0);
        struct error err = {0};
        struct str html;
        if (!email_html_of_blocks(a, str_of(docs[i]), true, false, &html, &err))
            fail_msg("%s", err.message);
        assert_true(str_find(html, STR("<html")) >= 0 && !email_body_is_block(email_body_compile(a, html)));
        for (size_t k = 0; k < sizeof payloads / sizeof *payloads; k++) {
            struct str of_blocks = rendered(a, str_of(docs[i]), payloads[k]), of_html = rendered(a, html, payloads[k]);
            size_t same = 0;
            while (same < of_html.n && same < of_blocks.n && of_html.p[same] == of_blocks.p[same])
                same++;
            if (same < of_html.n || same < of_blocks.n)
                fail_msg("document %zu, payload %zu: '%.200s', not '%.200s'", i, k, str_z(a, str_sub(of_html, same, of_html.n)),
                         str_z(a, str_sub(of_blocks, same, of_blocks.n)));
        }
        assert_true(email_html_of_blocks(a, str_of(docs[i]), false, false, &html, &err));
        WITHOUT(html, "<html");
    }
}

static void what_is_no_document_is_not_converted(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct str html;
    assert_false(email_html_of_blocks(a, STR("<p>x</p>"), true, false, &html, &err));
    assert_false(email_html_of_blocks(a, STR(DOC("{\"type\":\"nonsense\"}")), true, false, &html, &err));
    assert_string_equal(err.message, "Node type \"nonsense\" is not supported.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_blocks_or_html),
        cmocka_unit_test(html_bodies_are_rendered_cleaned_and_sanitised),
        cmocka_unit_test(errors_fail_the_email),
        cmocka_unit_test(layouts_hold_the_content),
        cmocka_unit_test(preheaders_stand_first_and_unseen),
        cmocka_unit_test(large_emails_are_said_to_be),
        cmocka_unit_test(attacks_are_inert),
        cmocka_unit_test(translations_come_before_liquid),
        cmocka_unit_test(blocks_become_html_that_says_the_same),
        cmocka_unit_test(what_is_no_document_is_not_converted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
