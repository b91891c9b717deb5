/* The table of step types against what was recorded (tests/data/controls), and the issues of control values
 * (content.md §2, §3.3, §3.4, §6.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "content/issues.h"
#include "content/jsonschema.h"
#include "content/step_normalise.h"
#include "content/step_schema.h"
#include "support/data.h"

static yyjson_val *recorded(struct arena *a, const char *name)
{
    yyjson_val *v = NULL;
    struct error err;
    struct str path = str_fmt(a, TESTDATA "/controls/%s", name);
    if (!json_parse(a, data_text(a, path.p), &v, &err))
        fail_msg("%s", err.message);
    return v;
}

static void assert_text(struct str got, const char *want)
{
    if (!str_eqz(got, want))
        fail_msg("\n  want %s\n  got  %.*s", want, STR_ARG(got));
}

/* ---- the table ---- */

/* Members that are newer than the recording (content.md §2). */
static void without(yyjson_mut_val *schema, const char *const *names)
{
    yyjson_mut_val *branches = yyjson_mut_obj_get(schema, "anyOf"), *b;
    size_t i, n;
    for (; *names; names++) {
        yyjson_mut_val *p = yyjson_mut_obj_get(schema, "properties");
        if (p)
            yyjson_mut_obj_remove_key(p, *names);
        yyjson_mut_arr_foreach(branches, i, n, b)
            yyjson_mut_obj_remove_key(yyjson_mut_obj_get(b, "properties"), *names);
    }
}

static bool same(struct arena *a, yyjson_mut_val *ours, yyjson_val *theirs)
{
    yyjson_val *v = NULL;
    json_parse(a, json_write_mut(a, ours), &v, NULL);
    return yyjson_equals(v, theirs);
}

static void test_data_schemas(void **state)
{
    (void)state;
    static const struct { const char *type, *newer[5]; } types[] = {
        {"in_app", {NULL}}, {"email", {"from", "replyTo", "preheader", "useProviderDefaults"}}, {"sms", {NULL}},
        {"chat", {"editorType"}}, {"push", {NULL}}, {"tool", {NULL}}, {"delay", {NULL}}, {"digest", {"type", "extendToSchedule"}},
        {"throttle", {NULL}}, {"layout", {NULL}}};
    struct arena *a ARENA_SCOPED = arena_create(0);
    yyjson_val *want = recorded(a, "control_schemas.json");
    assert_int_equal(yyjson_obj_size(want), sizeof types / sizeof *types);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        yyjson_mut_doc *d = json_doc(a);
        yyjson_val *schema = step_schema(a, str_of(types[i].type), STEP_SCHEMA_DATA);
        assert_non_null(schema);
        assert_non_null(jsonschema_compile(a, schema, NULL, NULL));
        yyjson_mut_val *ours = yyjson_val_mut_copy(d, schema);
        without(ours, types[i].newer);
        if (!same(a, ours, json_get(want, types[i].type)))
            fail_msg("%s\n%s\n%s", types[i].type, json_write_mut(a, ours).p, json_write(a, json_get(want, types[i].type)).p);
    }
}

static void test_output_and_result_schemas(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    yyjson_val *want = recorded(a, "output_result_schemas.json"), *group, *k;
    static const struct { const char *name; enum step_schema_kind kind; } kinds[] = {
        {"output", STEP_SCHEMA_OUTPUT}, {"result", STEP_SCHEMA_RESULT}};
    yyjson_obj_iter groups = yyjson_obj_iter_with(want);
    int compared = 0;
    while ((group = yyjson_obj_iter_next(&groups))) {
        yyjson_obj_iter types = yyjson_obj_iter_with(yyjson_obj_iter_get_val(group));
        while ((k = yyjson_obj_iter_next(&types)))
            for (size_t i = 0; i < 2; i++) {
                yyjson_val *ours = step_schema(a, json_str(k), kinds[i].kind);
                yyjson_val *theirs = json_get(yyjson_obj_iter_get_val(k), kinds[i].name);
                assert_non_null(ours);
                if (!yyjson_equals(ours, theirs)) {
                    struct str o = json_write(a, ours), t = json_write(a, theirs);
                    fail_msg("%s %s\n%.*s\n%.*s", yyjson_get_str(k), kinds[i].name, STR_ARG(o), STR_ARG(t));
                }
                compared++;
            }
    }
    assert_int_equal(compared, 18);
}

/* Every component of the editors, and every schema of the table, can be used. */
static void test_table_is_whole(void **state)
{
    (void)state;
    static const char *const types[] = {"in_app", "email", "sms", "push", "chat", "tool", "delay", "digest", "throttle",
                                        "http_request", "custom", "layout"};
    struct arena *a ARENA_SCOPED = arena_create(0);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        yyjson_val *ui = step_schema(a, str_of(types[i]), STEP_SCHEMA_UI), *k;
        assert_true(step_schema_is_type(str_of(types[i])));
        for (int kind = 0; kind < STEP_SCHEMA_KINDS; kind++)
            if (kind != STEP_SCHEMA_UI && step_schema(a, str_of(types[i]), kind))
                assert_non_null(jsonschema_compile(a, step_schema(a, str_of(types[i]), kind), NULL, NULL));
        yyjson_obj_iter it = yyjson_obj_iter_with(json_get(ui, "properties"));
        while ((k = yyjson_obj_iter_next(&it)))
            assert_true(json_get_str(yyjson_obj_iter_get_val(k), "component").n > 0);
        if (ui && strcmp(types[i], "layout"))
            assert_string_equal(json_get_str(json_get(json_get(ui, "properties"), "skip"), "component").p, "QUERY_EDITOR");
    }
    assert_false(step_schema_is_type(STR("trigger")));
}

static void test_recorded_errors(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    yyjson_val *cases = recorded(a, "ajv_control_errors.json"), *schemas = recorded(a, "control_schemas.json"), *c;
    struct jsonschema_options o = {.all_errors = true};
    yyjson_arr_iter it = yyjson_arr_iter_with(cases);
    while ((c = yyjson_arr_iter_next(&it))) {
        yyjson_mut_doc *d = json_doc(a);
        struct jsonschema_result r;
        struct jsonschema *s = jsonschema_compile(a, json_getn(schemas, json_get_str(c, "schema")), NULL, NULL);
        assert_non_null(s);
        assert_true(jsonschema_validate(s, json_get(c, "value"), &o, a, d, &r, NULL));
        assert_int_equal(r.valid, yyjson_is_true(json_get(c, "valid")));
        struct str got = r.valid ? STR("[]") : json_write_mut(a, jsonschema_errors_json(&r, d));
        yyjson_val *v = NULL;
        json_parse(a, got, &v, NULL);
        if (!yyjson_equals(v, json_get(c, "errors")))
            fail_msg("%s\n%.*s", json_write(a, c).p, STR_ARG(got));
    }
}

/* ---- normalising ---- */

static void test_normalise(void **state)
{
    (void)state;
    static const struct { const char *type, *values, *want; } cases[] = {
        {"in_app", "{'subject':'','body':'b','avatar':'','x':1,'data':{'a':1},'skip':null}", "{'body':'b','data':{'a':1}}"},
        {"in_app", "{'body':'b','primaryAction':{'label':''},'secondaryAction':{'label':'L','redirect':{'url':'/x'}}}",
         "{'body':'b','secondaryAction':{'label':'L'}}"},
        {"in_app", "{'body':'b','redirect':{'url':'/x','target':'_self','more':1}}", "{'body':'b','redirect':{'url':'/x','target':'_self'}}"},
        {"email", "{}", "{'subject':' ','body':'{\\\"type\\\":\\\"doc\\\",\\\"content\\\":[{\\\"type\\\":\\\"paragraph\\\"}]}'}"},
        {"email", "{'subject':'s','body':'b','layoutId':null,'editorType':'html','extra':1,'replyTo':null}",
         "{'subject':'s','body':'b','layoutId':null,'editorType':'html'}"},
        {"sms", "{'body':'','skip':{'==':[1,1]}}", "{'skip':{'==':[1,1]}}"},
        {"push", "{'subject':'s','body':5}", "{'subject':'s'}"},
        {"digest", "{'amount':'12 x','unit':'hours','cron':'','digestKey':'k'}", "{'amount':12,'unit':'hours','digestKey':'k'}"},
        {"digest", "{'amount':'x','unit':'hours','lookBackWindow':{'amount':'3','unit':'days'}}",
         "{'unit':'hours','lookBackWindow':{'amount':3,'unit':'days'}}"},
        {"digest", "{'amount':5,'unit':'hours','cron':'0 9 * * *','type':'timed'}", "{'cron':'0 9 * * *','type':'timed'}"},
        {"delay", "{'amount':'5','unit':'days','type':'regular','cron':'','junk':1}", "{'type':'regular','amount':5,'unit':'days'}"},
        {"delay", "{'dynamicKey':'payload.at'}", "{'type':'dynamic','dynamicKey':'payload.at'}"},
        {"delay", "{'cron':'0 9 * * *'}", "{'type':'timed','cron':'0 9 * * *'}"},
        {"throttle", "{'type':'fixed','amount':1,'unit':null}", "{'type':'fixed','amount':1}"},
        {"sms", "[]", "{}"},
        {"sms", "{'body':null}", "{}"},
    };
    struct arena *a ARENA_SCOPED = arena_create(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        yyjson_mut_doc *d = json_doc(a);
        yyjson_mut_val *got = step_normalise(d, STR("novu-cloud"), str_of(cases[i].type), data_quoted(a, cases[i].values));
        assert_text(json_write_mut(a, got), json_write(a, data_quoted(a, cases[i].want)).p);
    }
    yyjson_mut_val *got = step_normalise(json_doc(a), STR("external"), STR("sms"), data_quoted(a, "{'a':' ','b':['',{'c':'x','d':''}],'e':1}"));
    assert_text(json_write_mut(a, got), json_write(a, data_quoted(a, "{'a':null,'b':[null,{'c':'x','d':null}],'e':1}")).p);
}

/* ---- issues ---- */

/* The issues of the last step as "path: type variable | message" lines. */
static struct str issues_of(struct arena *a, const char *doc)
{
    yyjson_mut_doc *d = json_doc(a);
    struct str env[] = {STR("REGION")};
    struct content_workflow w = {.doc = data_quoted(a, doc), .env = env, .env_n = 1};
    size_t steps = yyjson_arr_size(json_get(w.doc, "steps"));
    yyjson_val *v = NULL, *k, *e;
    struct buf b = {.arena = a};
    json_parse(a, json_write_mut(a, step_issues(a, d, &w, steps - 1)), &v, NULL);
    yyjson_obj_iter it = yyjson_obj_iter_with(v);
    while ((k = yyjson_obj_iter_next(&it))) {
        yyjson_arr_iter list = yyjson_arr_iter_with(yyjson_obj_iter_get_val(k));
        while ((e = yyjson_arr_iter_next(&list))) {
            struct str type = json_get_str(e, "issueType"), name = json_get_str(e, "variableName"), message = json_get_str(e, "message");
            buf_fmt(&b, "%s%.*s: %.*s %.*s | %.*s", b.n ? "\n" : "", STR_ARG(json_str(k)), STR_ARG(type), STR_ARG(name), STR_ARG(message));
        }
    }
    return buf_finish(&b);
}

#define WORKFLOW(steps) "{'origin':'novu-cloud','payloadSchema':{'type':'object','additionalProperties':true,'properties':{}},'steps':[" steps "]}"
#define STEP(type, values) "{'stepId':'s','type':'" type "','controlValues':" values "}"
#define STRICT(values) "{'origin':'novu-cloud','payloadSchema':{'type':'object','properties':{'name':{'type':'string'}," \
    "'items':{'type':'array','items':{'type':'object','properties':{'sku':{'type':'string'}}}}}},'steps':[" \
    "{'stepId':'bell','type':'in_app'},{'stepId':'d','type':'digest'}," STEP("sms", values) "]}"
#define MISSING "MISSING_VALUE "
#define ILLEGAL "ILLEGAL_VARIABLE_IN_CONTROL_VALUE "
#define FILTER "INVALID_FILTER_ARG_IN_VARIABLE "

static void test_issues(void **state)
{
    (void)state;
    static const struct { const char *doc, *want; } cases[] = {
        {WORKFLOW(STEP("sms", "{'body':'hi {{payload.x}}'}")), ""},
        {WORKFLOW(STEP("sms", "{}")), "body: " MISSING "body | Body is required"},
        {WORKFLOW(STEP("sms", "null")), "body: " MISSING "body | Body is required"},
        {WORKFLOW(STEP("in_app", "{}")),
         "subject: " MISSING "subject | Subject or body is required\nbody: " MISSING "body | Subject or body is required"},
        {WORKFLOW(STEP("in_app", "{'subject':'s','body':'b','avatar':'nope'}")),
         "avatar: " ILLEGAL "avatar | Invalid URL. Must be a valid full URL, path starting with /, or {{variable}}"},
        {WORKFLOW(STEP("in_app", "{'subject':'s','body':'b','redirect':{'url':'mailto:x@y','target':'_self'}}")),
         "redirect.url: " ILLEGAL "redirect.url | Invalid URL. Must be a valid full URL, path starting with /, or {{variable}}"},
        {WORKFLOW(STEP("email", "{'subject':'','body':''}")), ""},
        {WORKFLOW(STEP("http_request", "{'method':'GET','url':'example.com'}")),
         "url: " ILLEGAL "url | Invalid URL. Must be a valid absolute URL (https://...) or {{variable}}"},
        {WORKFLOW(STEP("http_request", "{}")), "url: " MISSING "url | Url is required\nmethod: " MISSING "method | Method is required"},
        {WORKFLOW(STEP("digest", "{}")),
         "amount: " MISSING "amount | Amount is required\nunit: " MISSING "unit | Unit is required\ncron: " MISSING "cron | Cron is required"},
        {WORKFLOW(STEP("digest", "{'cron':'61 * * * *'}")),
         "cron: " MISSING "cron | Invalid cron expression: Constraint error, got value 61 expected range 0-59"},
        {WORKFLOW(STEP("digest", "{'amount':1,'unit':'hours','type':'regular'}")), ""},
        {WORKFLOW(STEP("throttle", "{'type':'fixed','amount':-1,'unit':'hours'}")), "amount: " MISSING "amount | must be >= 1"},
        {WORKFLOW(STEP("throttle", "{'type':'dynamic'}")),
         "dynamicKey: " MISSING "dynamicKey | Fixed throttle requires 'amount' and 'unit', dynamic throttle requires 'dynamicKey'"},
        {WORKFLOW(STEP("delay", "{'type':'timed','cron':'0 9 * * 1'}")), ""},
        {WORKFLOW(STEP("delay", "{'dynamicKey':'payload.at'}")), ""},
        {WORKFLOW(STEP("custom", "{'anything':['{{payload.a}}']}")), ""},
        /* Templates. */
        {WORKFLOW(STEP("sms", "{'body':'{{name}}'}")), "body: " ILLEGAL "name | Variable \"name\" missing namespace"},
        {WORKFLOW(STEP("sms", "{'body':'{{payload.first name}}'}")),
         "body: " ILLEGAL "{{payload.first name}} | Variable \"{{payload.first name}}\" contains whitespaces"},
        {WORKFLOW(STEP("sms", "{'body':'{{subscriber.nick}} {{subscriber.data.x}} {{subscriber.email}}'}")),
         "body: " ILLEGAL "subscriber.nick | Variable \"subscriber.nick\" is not supported"},
        {WORKFLOW(STEP("sms", "{'body':'{{nick.name}}{{nick.name}}'}")), "body: " ILLEGAL "nick.name | Variable \"nick.name\" is not supported"},
        {WORKFLOW(STEP("sms", "{'body':'{{ payload.x'}")), "body: " ILLEGAL "payload.x | Variable \"payload.x\" output \"{{ payload.x\" not closed"},
        {WORKFLOW(STEP("sms", "{'body':'{% if payload.x %}'}")), "body: " ILLEGAL "{{}} | Variable \"{{}}\" tag {% if payload.x %} not closed"},
        {WORKFLOW(STEP("sms", "{'body':'{{ payload.x | nope }}'}")), "body: " ILLEGAL "payload.x | Variable \"payload.x\" undefined filter: nope"},
        {WORKFLOW(STEP("sms", "{'body':'{{t.hello}} {{env.REGION}} {{env.name}} {{workflow.name}} {{context.app.id}}'}")), ""},
        {WORKFLOW(STEP("sms", "{'body':'{{env.OTHER}}'}")), "body: " ILLEGAL "env.OTHER | Variable \"env.OTHER\" is not supported"},
        {WORKFLOW(STEP("sms", "{'body':'{{context.app}}'}")), "body: " ILLEGAL "context.app | Variable \"context.app\" is not supported"},
        {WORKFLOW(STEP("sms", "{'body':'{% for i in payload.items %}{{i.a}}{{forloop.index}}{% endfor %}{{i}}'}")),
         "body: " ILLEGAL "i | Variable \"i\" missing namespace"},
        {WORKFLOW(STEP("sms", "{'body':'{% assign z = payload.a | upcase %}{{z}}{% capture y %}{{who}}{% endcapture %}{{y}}'}")),
         "body: " ILLEGAL "who | Variable \"who\" missing namespace"},
        {WORKFLOW(STEP("sms", "{'body':'{% case kind %}{% when 1 %}{{a.b}}{% else %}{{c.d}}{% endcase %}{% if e == 1 and payload.f %}{% elsif g %}{% endif %}'}")),
         "body: " ILLEGAL "kind | Variable \"kind\" missing namespace\nbody: " ILLEGAL "a.b | Variable \"a.b\" is not supported\nbody: "
         ILLEGAL "c.d | Variable \"c.d\" is not supported\nbody: " ILLEGAL "e | Variable \"e\" missing namespace\nbody: " ILLEGAL
         "g | Variable \"g\" missing namespace"},
        {STRICT("{'body':'{{payload.name}}{{payload.items[0].sku}}{{steps.bell.seen}}{{steps.d.events[1].payload.name}}{{steps.d.eventCount}}{{steps.d.events.length}}'}"), ""},
        {STRICT("{'body':'{{payload.other}}{{payload.items[0].color}}{{steps.bell.x}}{{steps.s.body}}{{steps.d.events[1].payload.z}}'}"),
         "body: " ILLEGAL "payload.other | Variable \"payload.other\" is not supported\nbody: " ILLEGAL
         "payload.items[0].color | Variable \"payload.items[0].color\" is not supported\nbody: " ILLEGAL
         "steps.bell.x | Variable \"steps.bell.x\" is not supported\nbody: " ILLEGAL "steps.s.body | Variable \"steps.s.body\" is not supported\nbody: "
         ILLEGAL "steps.d.events[1].payload.z | Variable \"steps.d.events[1].payload.z\" is not supported"},
        {STRICT("{'body':'{{ steps.d.events | toSentence: \\'payload.name\\', 2, \\'other\\' }}'}"), ""},
        {STRICT("{'body':'{{ steps.d.events | toSentence }}'}"), "body: " FILTER "steps.d.events | Filter \"Expected at least 1 argument\" in \"steps.d.events\""},
        {STRICT("{'body':'{{ payload.items | toSentence: \\'sku\\', -1 }}'}"), "body: " FILTER
         "payload.items | Filter \"\"toSentence\" expects a string that must be greater than or equal to 0 for argument \"limit\"\" in \"payload.items\""},
        /* Liquid replaces what the schema said at the same place. */
        {WORKFLOW(STEP("in_app", "{'subject':'s','body':'b','avatar':'x{{y}}'}")), "avatar: " ILLEGAL "y | Variable \"y\" missing namespace"},
        {WORKFLOW(STEP("in_app", "{'body':'b','data':{'list':['{{a}}',1],'n':{'x':'{{b}}'}}}")),
         "data.list.0: " ILLEGAL "a | Variable \"a\" missing namespace\ndata.n.x: " ILLEGAL "b | Variable \"b\" missing namespace"},
        /* Block documents. */
        {WORKFLOW(STEP("email", "{'subject':'s','body':'{\\\"type\\\":\\\"doc\\\",\\\"content\\\":[{\\\"type\\\":\\\"paragraph\\\",\\\"content\\\":["
                       "{\\\"type\\\":\\\"variable\\\",\\\"attrs\\\":{\\\"id\\\":\\\"who\\\"}},{\\\"type\\\":\\\"text\\\",\\\"text\\\":\\\"{{payload.ok}}\\\"}]}]}'}")),
         "body: " ILLEGAL "who | Variable \"who\" missing namespace"},
        /* Conditions. */
        {WORKFLOW(STEP("sms", "{'body':'b','skip':{'and':[{'==':[{'var':'payload.a'},'x']},{'==':[{'var':'subscriber.email'},null]}]}}")), ""},
        {WORKFLOW(STEP("sms", "{'body':'b','skip':{'and':5}}")), "skip: " ILLEGAL " | Invalid logical operator \"and\" structure"},
        {WORKFLOW(STEP("sms", "{'body':'b','skip':{'or':[{'==':['x','y']},{'==':[{'var':'nope'},1]},{'!=':[{'var':'payload.a'}]},{'<':[{'var':'payload.a'},'']},7,{'var':''}]}}")),
         "skip: " ILLEGAL "0 | Invalid field reference in comparison\nskip: " ILLEGAL "1 | Value is not valid\nskip: " ILLEGAL
         "2 | Invalid operation structure for operator \"!=\"\nskip: " MISSING "3 | Value is required\nskip: " ILLEGAL
         "4 | Invalid node structure\nskip: " MISSING "5 | Field variable is required"},
        {WORKFLOW(STEP("sms", "{'body':'b','skip':{'!':{'in':['',{'var':'payload.a'}]}}}")), "skip: " MISSING " | Value is required"},
    };
    struct arena *a ARENA_SCOPED = arena_create(0);
    int wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str got = issues_of(a, cases[i].doc);
        if (!str_eqz(got, cases[i].want)) {
            fprintf(stderr, "%s\n  want %s\n  got  %.*s\n", cases[i].doc, cases[i].want, STR_ARG(got));
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void test_layout_needs_content(void **state)
{
    (void)state;
    static const struct { const char *body; bool wrong; } cases[] = {
        {"<p>x</p>", true}, {"<p>{{content}}</p>", false}, {"{{ x }}{{  content }}", false}, {"{{contents}}", true},
        {"{\\\"type\\\":\\\"doc\\\",\\\"content\\\":[{\\\"type\\\":\\\"variable\\\",\\\"attrs\\\":{\\\"id\\\":\\\"content\\\"}}]}", false},
        {"{\\\"type\\\":\\\"doc\\\",\\\"content\\\":[{\\\"type\\\":\\\"paragraph\\\"}]}", true}};
    struct arena *a ARENA_SCOPED = arena_create(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct issue_input in = {.origin = STR("novu-cloud"), .type = STR("layout"),
                                 .values = data_quoted(a, str_fmt(a, "{'email':{'body':'%s'}}", cases[i].body).p),
                                 .variables = data_quoted(a, "{'properties':{'content':{'type':'string'},'x':{'type':'string'},'contents':{'type':'string'}}}")};
        struct str got = json_write_mut(a, control_issues(a, json_doc(a), &in));
        if ((got.n > 2) != cases[i].wrong)
            fail_msg("%s: %.*s", cases[i].body, STR_ARG(got));
    }
}

/* Neither many names nor deep nesting costs more than a moment. */
static void test_hostile_values(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct buf b = {.arena = a};
    buf_z(&b, "{'origin':'novu-cloud','steps':[{'stepId':'s','type':'sms','controlValues':{'body':'");
    for (int i = 0; i < 40000; i++)
        buf_fmt(&b, "{{a%d}}", i);
    buf_z(&b, "','skip':");
    for (int i = 0; i < 90; i++)
        buf_z(&b, "{'and':[");
    buf_z(&b, "1");
    for (int i = 0; i < 90; i++)
        buf_z(&b, "]}");
    buf_z(&b, "}}]}");
    struct str got = issues_of(a, buf_finish(&b).p);
    assert_true(str_find(got, STR("a999 ")) > 0);
    assert_true(str_find(got, STR("a1001 ")) < 0);
    assert_true(str_find(got, STR("Invalid node structure")) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_schemas), cmocka_unit_test(test_output_and_result_schemas), cmocka_unit_test(test_table_is_whole),
        cmocka_unit_test(test_recorded_errors), cmocka_unit_test(test_normalise), cmocka_unit_test(test_issues),
        cmocka_unit_test(test_layout_needs_content), cmocka_unit_test(test_hostile_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
