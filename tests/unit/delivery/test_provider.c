/* The language of provider declarations, the signatures, and cards within the limits of each chat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/crypto.h"
#include "declared.h"
#include "delivery/provider_private.h"

static struct template_scope scope_of(struct arena *a, const char *roots, struct error *err)
{
    yyjson_val *v;
    struct template_scope t = {.arena = a, .doc = json_doc(a), .now_ms = 1767323045000, .err = err};
    assert_true(json_parse(a, str_of(roots), &v, err));
    t.roots = yyjson_val_mut_copy(t.doc, v);
    return t;
}

static const char *show(struct template_scope *t, yyjson_mut_val *v)
{
    return v ? json_write_mut(t->arena, v).p : "none";
}

static void expressions(void **state)
{
    static const struct { const char *expression, *value; } cases[] = {
        {"m.from || c.from", "\"c@x\""}, {"m.none ?? null", "null"}, {"m.none", "none"}, {"m.list[1]", "\"b\""}, {"m.list[last]", "\"c\""},
        {"m.o['a-b']", "1"}, {"m.users[*].id", "[1,2]"}, {"c.region == 'eu' ? 'yes' : 'no'", "\"yes\""}, {"!m.from", "true"},
        {"'a' + 1 + m.none + 'b'", "\"a1b\""}, {"c.region in ['us','eu']", "true"}, {"c.region in ['us']", "false"},
        {"m.card ? {text: 'x'} : {text: m.text, none: m.none}", "{\"text\":\"t\"}"}, {"[m.text, m.none]", "[\"t\",null]"},
        {"(m.from || c.from) == 'c@x' and m.text", "\"t\""}, {"join(m.list,', ')", "\"a, b, c\""}, {"objs(m.list,'email')[0]", "{\"email\":\"a\"}"},
        {"objs(m.none,'email')", "none"}, {"concat(objs(m.list,'e','type','to'))[0]", "{\"e\":\"a\",\"type\":\"to\"}"},
        {"sender('Acme','a@b')", "\"Acme <a@b>\""}, {"sender('A, \"B\"','a@b')", "\"\\\"A, \\\\\\\"B\\\\\\\"\\\" <a@b>\""}, {"sender(m.none,'a@b')", "\"a@b\""},
        {"trunc('äöüx',3)", "\"äö…\""}, {"trunc('äöü',3)", "\"äöü\""}, {"stripPlus00('+49')", "\"49\""}, {"e164to00('+49')", "\"0049\""},
        {"conn('endpoint=https://x/;accesskey=a==').accesskey", "\"a==\""}, {"split('a | b',' | ')[1]", "\"b\""}, {"int(' 25 ')", "25"},
        {"setQuery('https://x/y?a=1','wait','true')", "\"https://x/y?a=1&wait=true\""}, {"setQuery('https://x?wait=false','wait','true')", "\"https://x?wait=false\""},
        {"host('https://a.b:1/c')", "\"a.b:1\""}, {"rtrim('a///','/')", "\"a\""}, {"enumOr('x',P1,P2)", "\"P1\""}, {"enumOnly('x',P1)", "none"},
        {"hmac('sha256','',m.text,'hex')", "none"}, {"omit(m.o,b)", "{\"a-b\":1}"}, {"nonempty([])", "none"}, {"b64('A')", "\"QQ==\""},
        {"httpdate()", "\"Fri, 02 Jan 2026 03:04:05 GMT\""}, {"parseObject('{\"a\":1}').a", "1"}, {"parseObject('[]')", "none"}, {"upper('aé')", "\"Aé\""},
    };
    struct arena *a = arena_create(0);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        struct template_scope t = scope_of(a, "{\"m\":{\"text\":\"t\",\"list\":[\"a\",\"b\",\"c\"],\"o\":{\"a-b\":1,\"b\":2},\"users\":[{\"id\":1},{},{\"id\":2}]},"
                                              "\"c\":{\"from\":\"c@x\",\"region\":\"eu\"}}", &err);
        assert_string_equal(show(&t, template_value(&t, str_of(cases[i].expression))), cases[i].value);
        assert_int_equal(err.code, ERROR_NONE);
    }
    arena_destroy(a);
}

static void damaged_declarations_are_refused(void **state)
{
    static const char *const cases[] = {"", "m.", "m.[", "'x", "f(", "unknown()", "m ? 1", "[1", "{a 1}", "a b", "((((", "enum('x',y)"};
    struct arena *a = arena_create(0);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        struct template_scope t = scope_of(a, "{\"m\":{}}", &err);
        template_value(&t, str_of(cases[i]));
        if (i != 1)                     /* "m." is none */
            assert_int_equal(err.code, ERROR_BAD_INPUT);
    }
    arena_destroy(a);
}

static void urls_are_encoded_where_a_value_is_put_in(void **state)
{
    struct arena *a = arena_create(0);
    struct error err = {0};
    (void)state;
    struct template_scope t = scope_of(a, "{\"c\":{\"base\":\"https://h/x\",\"id\":\"19:a@b/../c\"}}", &err);
    assert_string_equal(template_text(&t, STR("{{c.base}}/v3/{{c.id}}/{{raw(c.id)}}"), true).p, "https://h/x/v3/19%3Aa%40b%2F..%2Fc/19:a@b/../c");
    arena_destroy(a);
}

static void answers(void **state)
{
    struct arena *a = arena_create(0);
    struct error err = {0};
    yyjson_val *v;
    struct http_header h[] = {{STR("X-Id"), STR("h-1")}};
    struct http_response r = {.status = 202, .headers = h, .headers_n = 1, .body = STR("<R><S attr='1'><Id>x&amp;</Id></S></R>")};
    (void)state;
    struct template_scope t = scope_of(a, "{\"m\":{\"id\":\"m1\"}}", &err);
    t.response = &r;
    assert_string_equal(show(&t, template_path(&t, STR("header:x-id | 'b'"))), "\"h-1\"");
    assert_string_equal(show(&t, template_path(&t, STR("header:no | m.id"))), "\"m1\"");
    assert_string_equal(show(&t, template_path(&t, STR("R.S.Id"))), "\"x&amp;\"");
    assert_string_equal(show(&t, template_path(&t, STR("R.T.Id | 'a|b'"))), "\"a|b\"");
    assert_string_equal(show(&t, template_value(&t, STR("status"))), "202");
    assert_true(json_parse(a, STR("[{\"status\":\"sent\",\"_id\":\"x\"}]"), &v, &err));
    t.answer = yyjson_val_mut_copy(t.doc, v);
    assert_string_equal(show(&t, template_value(&t, STR("[0].status in ['sent','queued']"))), "true");
    assert_string_equal(show(&t, template_path(&t, STR("message | [0]._id"))), "\"x\"");
    arena_destroy(a);
}

static void casing(void **state)
{
    static const struct { const char *casing, *from, *to; } cases[] = {
        {"snake", "mediaUrl", "media_url"}, {"constant", "messageText", "MESSAGE_TEXT"}, {"camel", "template_id", "templateId"},
        {"pascal", "HTMLPart", "HtmlPart"}, {"kebab", "contentAvailable", "content-available"}, {"none", "a_B", "a_B"}, {"camel", "o:tag", "oTag"},
        {"snake", "user2Id", "user2_id"}};
    struct arena *a = arena_create(0);
    struct error err = {0};
    yyjson_val *v;
    (void)state;
    struct template_scope t = scope_of(a, "{}", &err);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(json_parse(a, str_fmt(a, "{\"%s\":[{\"%s\":1}]}", cases[i].from, cases[i].from), &v, &err));
        assert_string_equal(show(&t, body_cased(&t, v, str_of(cases[i].casing), NULL)), str_fmt(a, "{\"%s\":[{\"%s\":1}]}", cases[i].to, cases[i].to).p);
    }
    arena_destroy(a);
}

static void overrides_merge_lists_one_behind_the_other(void **state)
{
    struct arena *a = arena_create(0);
    struct error err = {0};
    (void)state;
    struct template_scope t = scope_of(a, "{\"x\":{\"to\":[1],\"o\":{\"a\":1},\"s\":1},\"y\":{\"to\":[2],\"o\":{\"b\":2},\"s\":null,\"__proto__\":{\"p\":1}}}", &err);
    assert_string_equal(show(&t, body_merge(&t, template_get(t.roots, "x"), template_get(t.roots, "y"))), "{\"to\":[1,2],\"o\":{\"a\":1,\"b\":2},\"s\":null}");
    arena_destroy(a);
}

/* providers.md §10, example 3. */
static void the_signature_of_aws(void **state)
{
    struct arena *a = arena_create(0);
    struct http_header list[HTTP_HEADERS_MAX];
    struct header_list h = {.list = list, .arena = a};
    (void)state;
    header_put(&h, STR("Content-Type"), STR("application/x-www-form-urlencoded"));
    sign_sigv4(a, &(struct signing){.method = STR("POST"), .url = STR("https://sns.eu-west-1.amazonaws.com/"), .headers = &h, .now_ms = 1767323045000,
                                    .body = STR("Action=Publish&Version=2010-03-31&PhoneNumber=%2B15551234567&Message=Hello%20Ada")},
               STR("sns"), STR("eu-west-1"), STR("AKIDEXAMPLE"), STR("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"));
    assert_string_equal(h.list[2].value.p, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/eu-west-1/sns/aws4_request, SignedHeaders=content-type;host;x-amz-date, "
                                           "Signature=2282074c69c6a2264ef20a12de90f867bbdb7eb008c57537f82d1b6659671735");
    arena_destroy(a);
}

static yyjson_mut_val *card_of(struct template_scope *t, const char *children)
{
    yyjson_val *v;
    struct str s = str_fmt(t->arena, "{\"type\":\"card\",\"title\":\"T <1>\",\"subtitle\":\"**b** *i* ~~s~~ [l](https://u)\",\"imageUrl\":\"https://i\",\"children\":[%s]}", children);
    assert_true(json_parse(t->arena, s, &v, NULL));
    return yyjson_val_mut_copy(t->doc, v);
}

static void slack_cards(void **state)
{
    struct arena *a = arena_create(0);
    struct error err = {0};
    (void)state;
    struct template_scope t = scope_of(a, "{}", &err);
    assert_string_equal(show(&t, card_slack_blocks(&t, card_of(&t, "{\"type\":\"divider\"},{\"type\":\"actions\",\"children\":[{\"type\":\"link-button\",\"label\":\"Go\",\"url\":\"https://g\","
                                                                     "\"style\":\"primary\"},{\"type\":\"link-button\",\"label\":\"None\",\"url\":\" \"}]}"))),
        "[{\"type\":\"header\",\"text\":{\"type\":\"plain_text\",\"text\":\"T <1>\",\"emoji\":true}},"
        "{\"type\":\"section\",\"text\":{\"type\":\"mrkdwn\",\"text\":\"*b* _i_ ~s~ <https://u|l>\"}},"
        "{\"type\":\"image\",\"image_url\":\"https://i\",\"alt_text\":\"T <1>\"},{\"type\":\"divider\"},"
        "{\"type\":\"actions\",\"elements\":[{\"type\":\"button\",\"text\":{\"type\":\"plain_text\",\"text\":\"Go\",\"emoji\":true},\"url\":\"https://g\",\"style\":\"primary\"}]}]");
    arena_destroy(a);
}

/* Slack's limits: 50 blocks, 25 buttons a block, 3000 characters a text, 75 a button; Telegram's: 4096, 8 buttons a row. */
static void cards_keep_the_limits(void **state)
{
    struct arena *a = arena_create(0);
    struct error err = {0};
    struct buf buttons = {.arena = a}, texts = {.arena = a};
    (void)state;
    struct template_scope t = scope_of(a, "{}", &err);
    for (int i = 0; i < 30; i++)
        buf_fmt(&buttons, "%s{\"type\":\"link-button\",\"label\":\"%0100d\",\"url\":\"https://g\"}", i ? "," : "", i);
    struct str actions = str_fmt(a, "{\"type\":\"actions\",\"children\":[%s]}", buf_finish(&buttons).p);
    yyjson_mut_val *blocks = card_slack_blocks(&t, card_of(&t, actions.p));
    assert_int_equal(yyjson_mut_arr_size(blocks), 5);
    assert_int_equal(yyjson_mut_arr_size(template_get(yyjson_mut_arr_get(blocks, 3), "elements")), 25);
    assert_int_equal(template_get_str(template_get(yyjson_mut_arr_get_first(template_get(yyjson_mut_arr_get(blocks, 4), "elements")), "text"), "text").n, 75);
    yyjson_mut_val *rows = template_get(template_get(card_telegram(&t, card_of(&t, actions.p)), "reply_markup"), "inline_keyboard");
    assert_int_equal(yyjson_mut_arr_size(rows), 4);
    assert_int_equal(yyjson_mut_arr_size(yyjson_mut_arr_get_first(rows)), 8);
    for (int i = 0; i < 80; i++)
        buf_fmt(&texts, "%s{\"type\":\"text\",\"content\":\"%0*d\"}", i ? "," : "", i ? 100 : 4000, i);
    blocks = card_slack_blocks(&t, card_of(&t, buf_finish(&texts).p));
    assert_int_equal(yyjson_mut_arr_size(blocks), 50);
    assert_int_equal(template_get_str(template_get(yyjson_mut_arr_get(blocks, 3), "text"), "text").n, 3000);
    struct str text = template_get_str(card_telegram(&t, card_of(&t, buf_finish(&texts).p)), "text");
    assert_true(text.n <= 4096 && str_starts(text, STR("<b>T &lt;1&gt;</b>\n\n<b>b</b> <i>i</i> <s>s</s> <a href=\"https://u\">l</a>")));
    arena_destroy(a);
}

static void cards_as_text(void **state)
{
    struct arena *a = arena_create(0);
    struct error err = {0};
    (void)state;
    struct template_scope t = scope_of(a, "{}", &err);
    struct str s = card_markdown(&t, card_of(&t, "{\"type\":\"text\",\"content\":\"x\",\"style\":\"bold\"},{\"type\":\"fields\",\"children\":[{\"label\":\"A\",\"value\":1}]},"
                                                 "{\"type\":\"table\",\"headers\":[\"h\",\"i\"],\"rows\":[[1,2]]},{\"type\":\"actions\",\"children\":["
                                                 "{\"type\":\"link-button\",\"label\":\"a]\",\"url\":\"https://g/)\"},{\"type\":\"button\",\"label\":\"B\"}]}"));
    assert_string_equal(s.p, "**T <1>**\n\n**b** *i* ~~s~~ [l](https://u)\n\n![](https://i)\n\n**x**\n\n**A:** 1\n\n**h** | **i**\n1 | 2\n\n[a\\]](https://g/\\)) · B");
    arena_destroy(a);
}

/* Every declaration can be filled without a complaint about itself, whatever little there is to fill it with. */
static void all_declarations_can_be_read(void **state)
{
    static struct provider list[PROVIDERS_MAX];
    size_t n = providers_list(SOURCE_DIR "/providers", list);
    struct providers *p = providers_create();
    struct arena *a = arena_create(0);
    (void)state;
    for (size_t i = 0; i < n; i++) {
        yyjson_val *d = providers_find(p, str_of(list[i].channel), str_of(list[i].id)), *v = d, *req;
        struct error err = {0};
        if (!d)
            fail_msg("%s is not in the program", list[i].name);
        struct template_scope t = scope_of(a, "{\"m\":{\"to\":[\"a\"],\"target\":[\"t\"],\"content\":\"x\"},\"c\":{\"region\":\"eu\"},\"cfg\":{},\"cd\":{},\"ep\":{},\"s\":{},\"b\":{}}", &err);
        t.declaration = d;
        for (size_t k = 0; k <= yyjson_arr_size(json_get(d, "variants")); k++) {
            v = k ? yyjson_arr_get(json_get(d, "variants"), k - 1) : d;
            req = json_get(v, "req");
            template_fill(&t, req);
            template_text(&t, json_get_str(req, "url"), true);
            struct http_response r = {.status = 200, .body = STR("{}")};
            t.response = &r;
            t.answer = yyjson_mut_obj(t.doc);
            yyjson_val *res = json_get(v, "res");
            static const char *const rules[] = {"ok", "retry", "final"};
            for (size_t x = 0; x < sizeof rules / sizeof *rules; x++)
                if (json_get(res, rules[x]))
                    template_value(&t, json_get_str(res, rules[x]));
            if (json_get(res, "id"))
                template_path(&t, json_get_str(res, "id"));
            if (json_get(res, "err"))
                template_path(&t, json_get_str(res, "err"));
            t.response = NULL;
            t.answer = NULL;
        }
        if (err.code)
            fail_msg("%s: %s", list[i].name, err.message);
    }
    assert_true(n > 0);
    providers_destroy(p);
    arena_destroy(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions), cmocka_unit_test(damaged_declarations_are_refused), cmocka_unit_test(urls_are_encoded_where_a_value_is_put_in),
        cmocka_unit_test(answers), cmocka_unit_test(casing), cmocka_unit_test(overrides_merge_lists_one_behind_the_other),
        cmocka_unit_test(the_signature_of_aws), cmocka_unit_test(slack_cards), cmocka_unit_test(cards_keep_the_limits), cmocka_unit_test(cards_as_text),
        cmocka_unit_test(all_declarations_can_be_read)};
    return crypto_init() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
