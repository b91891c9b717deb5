/* Block documents and HTML bodies: any text must render or fail with a sentence, balanced, and fit for the sanitiser. */
#include <stdint.h>
#include <stdlib.h>

#include "content/blocks.h"
#include "content/chat_issues.h"
#include "content/email.h"
#include "content/email_convert.h"
#include "content/sanitize.h"

/* What is said of the document as the card of a chat step. */
static void judge_as_chat(struct arena *a, struct str body)
{
    static const struct chat_provider providers[] = {{{"slack", 5}, {"Slack", 5}}, {{"telegram", 8}, {"Telegram", 8}}};
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *step = NULL;
    json_add_str(d, o, "type", STR("chat"));
    json_add_str(d, json_add_obj(d, o, "controlValues"), "body", body);
    if (json_parse(a, json_write_mut(a, o), &step, NULL))
        chat_issues(a, d, step, providers, 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(struct str s, struct str what)
{
    size_t n = 0;
    for (ptrdiff_t at; (at = str_find(s, what)) >= 0; s = str_sub(s, (size_t)at + what.n, s.n))
        n++;
    return n;
}

/* What the renderer writes itself is balanced, before anything mends it. */
static void check_balance(struct str html)
{
    static const struct { const char *open, *close; } pairs[] = {{"<table", "</table>"}, {"<td", "</td>"}, {"<a ", "</a>"},
                                                               {"<p ", "</p>"}, {"<span", "</span>"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (count(html, str_of(pairs[i].open)) != count(html, str_of(pairs[i].close)))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_create(1 << 14);
    struct str body = {(const char *)data, size};
    struct liquid_variable v[1] = {{.name = STR("payload")}};
    struct liquid_context ctx = {.variables = v, .variables_n = 1, .mode = LIQUID_PLAIN, .output_max = 1 << 18,
                                 .loops_max = 1000, .steps_max = 20000};
    struct email_layout layout = {.body = email_body_compile(a, STR("<table><tr><td><table>{{content}}</table></td></tr></table>"))};
    struct email_input in = {.body = email_body_compile(a, body), .subject = STR("s"), .preheader = STR("p")};
    struct email_output out;
    struct error err;
    json_parse(a, STR("{\"n\":1,\"t\":\"<i>'x\",\"l\":[{\"x\":1},{\"x\":2,\"l\":[3]}],\"f\":false,\"e\":\"\"}"), &v[0].value, NULL);
    email_render(&in, &ctx, a, &out, &err);
    in.raw = true;
    bool own_markup = str_find(body, STR("<")) >= 0 || str_find(body, STR("\\u")) >= 0 || str_find(body, STR("append")) >= 0 ||
                      str_find(body, STR("{%")) >= 0;
    if (email_render(&in, &ctx, a, &out, &err) && email_body_is_block(in.body) && !own_markup)
        check_balance(out.html);
    struct chat_content chat;
    if (email_body_is_block(in.body))
        email_body_chat(in.body, NULL, &ctx, a, &chat, &err);
    judge_as_chat(a, body);
    /* No mark of the conversion is left behind, whatever the document says. */
    struct str html;
    if (email_html_of_blocks(a, body, true, true, &html, &err) && str_find(body, STR("zqv")) < 0 && str_find(body, STR("\\")) < 0
        && str_find(html, STR("zqv")) >= 0)
        abort();
    in.layout = &layout;
    email_render(&in, &ctx, a, &out, &err);
    arena_destroy(a);
    return 0;
}
