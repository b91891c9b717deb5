/* Previews: examples from schemas and templates, values made fit, rendering (content.md §3.5, §3.6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "content/json_mock.h"
#include "content/preview.h"
#include "support/data.h"

static const int64_t now = 1700000000000;       /* 2023-11-14T22:13:20.000Z */

static struct preview preview_of(struct arena *a, yyjson_mut_doc *d, const char *doc, const char *payload)
{
    struct content_workflow *w = ARENA_NEW(a, struct content_workflow);
    w->doc = data_quoted(a, doc);
    struct preview_input in = {.workflow = w, .step = yyjson_arr_size(json_get(w->doc, "steps")) - 1,
                               .payload = payload ? data_quoted(a, payload) : NULL, .workflow_id = STR("wf"), .workflow_name = STR("Flow"),
                               .environment_name = STR("Development"), .environment_type = STR("dev"), .now_ms = now};
    return preview_step(a, d, &in);
}

#define FLOW(schema, before, type, values) "{'origin':'novu-cloud','payloadSchema':" schema ",'steps':[" before \
    "{'stepId':'s','type':'" type "','controlValues':" values "}]}"
#define ANY "{'type':'object','additionalProperties':true,'properties':{}}"
#define NAMED "{'type':'object','properties':{'name':{'type':'string'},'n':{'type':'integer'}}}"
#define DIGEST "{'stepId':'d','type':'digest','controlValues':{'amount':1,'unit':'hours'}},"

static void test_results(void **state)
{
    (void)state;
    static const struct { const char *doc, *payload, *want; } cases[] = {
        {FLOW(ANY, "", "sms", "{'body':'{{payload.a}} {{workflow.name}}'}"), NULL, "{'type':'sms','preview':{'body':'a Flow'}}"},
        {FLOW(ANY, "", "sms", "{'body':'{{payload.a}}','skip':{'==':[1,2]}}"), "{'payload':{'a':'x'}}", "{'type':'sms','preview':{'body':'x'}}"},
        {FLOW(ANY, "", "sms", "{'body':'{% for i in payload.l %}{{i.x}},{% endfor %}'}"), NULL, "{'type':'sms','preview':{'body':'x,x,x,'}}"},
        {FLOW(ANY, "", "sms", "{'body':'{% for i in payload.l %}{{i}}{% endfor %}'}"), "{'payload':{'l':[1,2]}}", "{'type':'sms','preview':{'body':'12'}}"},
        {FLOW(NAMED, DIGEST, "sms", "{'body':'{{steps.d.eventCount}} {{steps.d.events[0].payload.name}} {{steps.d.events[2].id}}'}"), NULL,
         "{'type':'sms','preview':{'body':'3 John Doe example-id-3'}}"},
        {FLOW(NAMED, DIGEST, "sms", "{'body':'{{steps.d.eventCount}}'}"), "{'steps':{'d':{'events':[{'id':'1'}],'eventCount':9}}}",
         "{'type':'sms','preview':{'body':'1'}}"},
        {FLOW(ANY, "", "tool", "{'body':'b'}"), NULL, "{'type':'tool','preview':{'body':'b'}}"},
        {FLOW(ANY, "", "chat", "{}"), NULL, "{'type':'chat','preview':{'body':' '}}"},
        {FLOW(ANY, "", "digest", "{'cron':'0 9 * * *'}"), NULL, "{'type':'digest','preview':{'cron':'0 9 * * *'}}"},
        {FLOW(ANY, "", "throttle", "{'type':'fixed','amount':2,'unit':'hours'}"), NULL,
         "{'type':'throttle','preview':{'type':'fixed','amount':2,'unit':'hours'}}"},
        {FLOW(ANY, "", "http_request", "{'method':'GET','url':'https://x.test/{{payload.id}}'}"), NULL,
         "{'type':'http_request','preview':{'method':'GET','url':'https://x.test/id'}}"},
        {FLOW(ANY, "", "custom", "{'a':{'b':'{{payload.c}}'}}"), NULL, "{'type':'custom','preview':{'a':{'b':'c'}}}"},
        {FLOW(ANY, "", "in_app", "{'body':'b','primaryAction':{'label':'Go','redirect':{'url':'{{payload.u}}','target':'_self'}},'data':{'k':'{{payload.k}}'}}"),
         NULL, "{'type':'in_app','preview':{'body':'b','primaryAction':{'label':'Go','redirect':{'url':'u','target':'_self'}},'data':{'k':'k'}}}"},
        {FLOW(ANY, "", "email", "{'subject':'S {{payload.a}}','body':'<p>{{context.tenant.id}} {{env.name}}</p>','editorType':'html'}"),
         "{'context':{'tenant':'acme'}}", "{'type':'email','preview':{'subject':'S a','body':'<p>acme Development</p>'}}"},
        {FLOW(ANY, "", "pigeon", "{'x':1}"), NULL, "{'type':'pigeon','preview':{'x':1}}"},
    };
    struct arena *a ARENA_SCOPED = arena_create(0);
    int wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct preview p = preview_of(a, json_doc(a), cases[i].doc, cases[i].payload);
        struct str got = json_write_mut(a, p.result), want = json_write(a, data_quoted(a, cases[i].want));
        if (!str_eq(got, want)) {
            fprintf(stderr, "%s\n  want %.*s\n  got  %.*s\n", cases[i].doc, STR_ARG(want), STR_ARG(got));
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void test_failure_says_why(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct preview p = preview_of(a, json_doc(a), FLOW(ANY, "", "delay", "{'type':'regular'}"), NULL);
    assert_int_equal(yyjson_mut_obj_size(yyjson_mut_obj_get(p.result, "preview")), 0);
    yyjson_mut_val *error = yyjson_mut_obj_get(p.result, "error");
    assert_true(yyjson_mut_is_str(yyjson_mut_obj_get(error, "title")));
    assert_true(yyjson_mut_is_str(yyjson_mut_obj_get(error, "message")));
    assert_true(yyjson_mut_is_str(yyjson_mut_obj_get(error, "hint")));
}

static void test_example(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct preview p = preview_of(a, json_doc(a), FLOW(NAMED, DIGEST, "sms", "{'body':'{{payload.more}} {{subscriber.data.plan}} {{actor.email}} {{context.app.data.x}}'}"),
                                  "{'payload':{'name':'N','junk':1},'subscriber':{'firstName':'Eve','email':7},'actor':{'firstName':'Act'}}");
    struct str want = json_write(a, data_quoted(a,
        "{'payload':{'more':'more','name':'N','n':42},"
        "'subscriber':{'subscriberId':'123456','firstName':'Eve','lastName':'Doe','email':'user@example.com','phone':'+1234567890',"
        "'avatar':'https://example.com/avatar.png','locale':'en_US','timezone':'America/New_York','data':{'plan':'plan'}},"
        "'actor':{'subscriberId':'actor-123','firstName':'Act','lastName':'Actor','email':'actor@example.com','phone':'+1234567890',"
        "'avatar':'https://example.com/avatar.png','locale':'en_US','timezone':'America/New_York','data':{}},"
        "'steps':{'d':{'eventCount':3,'events':["
        "{'id':'example-id-1','time':'2023-11-13T12:00:00.000Z','payload':{'name':'John Doe','n':42}},"
        "{'id':'example-id-2','time':'2023-11-13T11:55:00.000Z','payload':{'name':'John Doe','n':42}},"
        "{'id':'example-id-3','time':'2023-11-13T11:50:00.000Z','payload':{'name':'John Doe','n':42}}]}},"
        "'context':{'app':{'id':'example-app-id','data':{'x':'x'}}}}"));
    struct str got = json_write_mut(a, p.example);
    if (!str_eq(got, want))
        fail_msg("\n  want %.*s\n  got  %.*s", STR_ARG(want), STR_ARG(got));
}

static void test_variable_schema(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    yyjson_mut_doc *d = json_doc(a);
    struct content_workflow w = {.doc = data_quoted(a, "{'origin':'novu-cloud','steps':[{'stepId':'a','type':'in_app','controlValues':"
        "{'body':'{{payload.user.name}}','data':{'x':'{{payload.items[0].sku}}'},'skip':{'==':[{'var':'payload.flag'},1]}}},"
        "{'stepId':'b','type':'http_request','controlValues':{'responseBodySchema':{'type':'object','properties':{'ok':{'type':'boolean'}}}}}]}")};
    yyjson_val *v = NULL;
    json_parse(a, json_write_mut(a, variable_schema(a, d, &w, 2)), &v, NULL);
    yyjson_val *properties = json_get(v, "properties");
    struct str payload = json_write(a, json_get(properties, "payload"));
    struct str want = json_write(a, data_quoted(a, "{'type':'object','properties':{'user':{'type':'object','properties':{'name':{'type':'string',"
        "'default':'name'}},'required':['name']},'items':{'type':'array','items':{'type':'object','properties':{'sku':{'type':'string',"
        "'default':'sku'}},'required':['sku']}},'flag':{'type':'string','default':'flag'}},'required':['user','items','flag'],"
        "'additionalProperties':true}"));
    if (!str_eq(payload, want))
        fail_msg("\n  want %.*s\n  got  %.*s", STR_ARG(want), STR_ARG(payload));
    assert_true(schema_allows(v, STR("steps.a.seen")));
    assert_true(schema_allows(v, STR("steps.b.ok")));
    assert_false(schema_allows(v, STR("steps.b.other")));
    json_parse(a, json_write_mut(a, variable_schema(a, d, &w, 1)), &v, NULL);
    assert_false(schema_allows(v, STR("steps.b.ok")));
    assert_string_equal(json_get_str(json_get(json_get(v, "properties"), "steps"), "description").p, "Previous Steps Results");
}

static void test_mock(void **state)
{
    (void)state;
    static const struct { const char *schema, *want; } cases[] = {
        {"{'type':'string','default':'d'}", "'d'"}, {"{'type':'string','examples':['e']}", "'e'"}, {"{'enum':['x','y']}", "'x'"},
        {"{'type':'object','properties':{'firstName':{'type':'string'},'email':{'type':['null','string']},'age':{'type':'integer'},"
         "'price':{'type':'number'},'score':{'type':'number','minimum':10,'maximum':20},'isDeleted':{'type':'boolean'},'on':{'type':'boolean'},"
         "'when':{'type':'string','format':'date'},'what':{'type':'string'}}}",
         "{'firstName':'John','email':'user@example.com','age':25,'price':99.99,'score':15,'isDeleted':false,'on':true,'when':'2023-11-14',"
         "'what':'example text'}"},
        {"{'type':'array','items':{'type':'boolean'}}", "[true,true,true]"}, {"{'type':'array','maxItems':2,'items':{'type':'boolean'}}", "[true,true]"},
        {"{'type':'array','minItems':4,'items':{'type':'boolean'}}", "[true,true,true,true]"}, {"{'$ref':'#/definitions/x','definitions':{'x':{'type':'integer'}}}", "42"},
        {"{'$ref':'#'}", "null"}, {"{'anyOf':[{'type':'boolean'},{'type':'string'}]}", "true"}, {"{}", "null"}, {"true", "null"},
    };
    struct arena *a ARENA_SCOPED = arena_create(0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str got = json_write_mut(a, json_mock(a, json_doc(a), data_quoted(a, cases[i].schema), now));
        struct str want = json_write(a, data_quoted(a, cases[i].want));
        if (!str_eq(got, want))
            fail_msg("%s\n  want %.*s\n  got  %.*s", cases[i].schema, STR_ARG(want), STR_ARG(got));
    }
}

/* Schemas and templates that would make the data explode. */
static void test_hostile(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct str got = json_write_mut(a, json_mock(a, json_doc(a), data_quoted(a,
        "{'$ref':'#/definitions/n','definitions':{'n':{'type':'object','properties':{'a':{'$ref':'#/definitions/n'},'b':{'type':'array',"
        "'minItems':10,'items':{'$ref':'#/definitions/n'}}}}}}"), now));
    assert_true(got.n < 200000);
    struct buf b = {.arena = a};
    buf_z(&b, "{'origin':'novu-cloud','steps':[{'stepId':'s','type':'sms','controlValues':{'body':'{{payload");
    for (int i = 0; i < 60; i++)
        buf_fmt(&b, ".a%d[0]", i);
    buf_z(&b, "}}'}}]}");
    struct preview p = preview_of(a, json_doc(a), buf_finish(&b).p, NULL);
    assert_true(json_write_mut(a, p.example).n < 200000);
}

static void test_layout(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct content_workflow w = {.doc = data_quoted(a, "{'origin':'novu-cloud'}")};
    struct preview_input in = {.workflow = &w, .now_ms = now, .environment_name = STR("Development"), .environment_type = STR("dev")};
    struct preview p = preview_layout(a, json_doc(a), data_quoted(a, "{'email':{'body':'<div>{{content}} {{subscriber.firstName}}</div>'}}"), &in);
    struct str got = json_write_mut(a, p.result);
    assert_true(str_find(got, STR("Dynamic placeholder content")) > 0);
    assert_true(str_find(got, STR("John")) > 0);
    assert_true(str_find(got, STR("subject")) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results), cmocka_unit_test(test_failure_says_why), cmocka_unit_test(test_example),
        cmocka_unit_test(test_variable_schema), cmocka_unit_test(test_mock), cmocka_unit_test(test_hostile), cmocka_unit_test(test_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
