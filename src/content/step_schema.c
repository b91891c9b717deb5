/* The table of step types. Texts are JSON with ' for ", put together from parts that several types share. */
#include "content/step_schema.h"

#define DRAFT ",'$schema':'http://json-schema.org/draft-07/schema#'"
#define STRING "{'type':'string'}"
#define FILLED "{'type':'string','minLength':1}"
#define BOOL "{'type':'boolean'}"
#define POSITIVE "{'type':'number','minimum':1}"
#define FREE "{'type':'object','properties':{},'additionalProperties':{}}"
#define OPEN "{'type':'object','additionalProperties':true}"
#define ENUM(list) "{'type':'string','enum':[" list "]}"
#define OBJECT(members, required) \
    "{'type':'object','properties':{" members "},'required':[" required "],'additionalProperties':false}"
#define SKIP "'skip':" FREE
#define UNIT ENUM("'seconds','minutes','hours','days','weeks','months'")
#define UNIT_SHORT ENUM("'minutes','hours','days'")
#define TARGETS "'_self','_blank','_parent','_top','_unfencedTop'"
#define EDITOR "'editorType':{'type':'string','enum':['block','html'],'default':'block'}"
#define SENDER "{'type':'object','properties':{'email':" STRING ",'name':" STRING "},'additionalProperties':false}"

/* A variable in front, an http(s) URL, or a path. */
#define URL_PATTERN "^(?:\\\\{\\\\{[^}]*\\\\}\\\\}.*|(?!mailto:)(?:https?:\\\\/\\\\/[^\\\\s/$.?#][^\\\\s]*(?:\\\\{\\\\{[^}]*\\\\}\\\\})*" \
    "[^\\\\s]*)|\\\\/[^\\\\s]*(?:\\\\{\\\\{[^}]*\\\\}\\\\})*[^\\\\s]*)$"
#define URL "{'type':'string','pattern':'" URL_PATTERN "'}"
#define REDIRECT OBJECT("'url':" URL ",'target':" ENUM(TARGETS), "'url','target'")
#define ACTION OBJECT("'label':" STRING ",'redirect':" REDIRECT, "'label'")

#define IN_APP_BRANCH(required) OBJECT("'subject':" STRING ",'body':" STRING "," SKIP ",'disableOutputSanitization':" BOOL \
    ",'avatar':" URL ",'primaryAction':" ACTION ",'secondaryAction':" ACTION ",'data':" FREE ",'redirect':" REDIRECT, required)
#define DELAY_BRANCH(name, members, required) \
    OBJECT(SKIP ",'type':{'type':'string','const':'" name "'}," members ",'extendToSchedule':" BOOL, "'type'," required)
#define LOOK_BACK(amount) OBJECT("'amount':" amount ",'unit':" UNIT, "'amount','unit'")

/* What is shown of rendered content: a redirect is a real URL, and where it opens depends on it. */
#define URL_OUT "{'type':'string','pattern':'^(?!mailto:)(?:(https?):\\\\/\\\\/[^\\\\s/$.?#].[^\\\\s]*)|^(\\\\/[^\\\\s]*)$'}"
#define REDIRECT_OUT "{'type':'object','properties':{'url':" URL_OUT ",'target':{'type':'string','enum':[" TARGETS \
    "],'default':'_blank'}},'if':{'properties':{'url':{'type':'string','pattern':'^/'}}}," \
    "'then':{'properties':{'target':{'default':'_self'}}},'else':{'properties':{'target':{'default':'_blank'}}}," \
    "'required':['url'],'additionalProperties':false}"
#define ACTION_OUT OBJECT("'label':" STRING ",'redirect':" REDIRECT_OUT, "'label'")

/* The provider-neutral card of a chat message. */
#define TAGGED(tag, members, required) \
    "{'type':'object','properties':{'type':{'type':'string','const':'" tag "'}," members "},'required':['type'," required "]}"
#define LIST(items) "{'type':'array','items':" items "}"
#define BUTTON_STYLE ENUM("'primary','danger','default'")
#define OPTIONS LIST("{'type':'object','properties':{'label':" STRING ",'value':" STRING ",'description':" STRING \
    "},'required':['label','value']}")
#define CARD_ACTIONS TAGGED("actions", "'children':" LIST("{'anyOf':[" \
    TAGGED("link-button", "'label':" STRING ",'url':" STRING ",'style':" BUTTON_STYLE ",'id':" STRING, "'label','url'") "," \
    TAGGED("button", "'id':" STRING ",'label':" STRING ",'style':" BUTTON_STYLE ",'actionType':" ENUM("'action','modal'") \
        ",'callbackUrl':" STRING ",'value':" STRING ",'disabled':" BOOL, "'id','label'") "," \
    TAGGED("select", "'id':" STRING ",'label':" STRING ",'options':" OPTIONS ",'initialOption':" STRING ",'optional':" BOOL \
        ",'placeholder':" STRING, "'id','label','options'") "," \
    TAGGED("radio_select", "'id':" STRING ",'label':" STRING ",'options':" OPTIONS ",'initialOption':" STRING \
        ",'optional':" BOOL, "'id','label','options'") "]}"), "'children'")
#define CARD_PARTS \
    TAGGED("text", "'content':" STRING ",'style':" ENUM("'plain','bold','muted'"), "'content'") "," \
    TAGGED("image", "'url':" STRING ",'alt':" STRING, "'url'") "," \
    "{'type':'object','properties':{'type':{'type':'string','const':'divider'}},'required':['type']}," \
    TAGGED("link", "'label':" STRING ",'url':" STRING, "'label','url'") "," \
    CARD_ACTIONS "," \
    TAGGED("fields", "'children':" LIST("{'type':'object','properties':{'type':{'type':'string','const':'field'},'label':" \
        STRING ",'value':" STRING "},'required':['type','label','value']}"), "'children'") "," \
    TAGGED("table", "'headers':" LIST(STRING) ",'rows':" LIST(LIST(STRING)) ",'align':" \
        LIST(ENUM("'left','center','right'")), "'headers','rows'")
#define CARD_SECTION(children) TAGGED("section", "'children':" LIST(children), "'children'")
#define CARD "{'type':'object','properties':{'type':{'type':'string','const':'card'},'title':" STRING ",'subtitle':" STRING \
    ",'imageUrl':" STRING ",'children':" LIST("{'anyOf':[" CARD_PARTS "," \
    CARD_SECTION("{'anyOf':[" CARD_PARTS "," CARD_SECTION("{'type':'object'}") "]}") "]}") \
    "},'required':['type','children'],'additionalProperties':false}"

#define NOTHING "{'type':'object','properties':{},'required':[],'additionalProperties':false}"
#define MOMENT "{'type':'string','format':'date-time','nullable':true}"
#define BODY_OUT OBJECT("'body':" STRING, "'body'")
#define KIND(name) "'type':{'enum':['" name "']},"
#define ONE_OF(branches) "{'oneOf':[" branches "]}"
#define BRANCH_OUT(kind, members, required) OBJECT(KIND(kind) members ",'extendToSchedule':" BOOL, required)

/* For answers: wrong types in what somebody stored are left out, nothing else. */
#define WIRE(members) "{'type':'object','properties':{" members "}}"
#define WIRE_REDIRECT "{'type':'object','properties':{'url':" STRING ",'target':" ENUM(TARGETS) "},'required':['url']}"
#define WIRE_ACTION WIRE("'label':" STRING ",'redirect':" WIRE_REDIRECT)
#define WIRE_SKIP "'skip':{'type':'object'}"
#define WIRE_PAIRS "{'type':'array','items':{'type':'object','properties':{'key':" STRING ",'value':" STRING \
    "},'required':['key','value']}}"

#define UI(group, members) "{'group':'" group "','properties':{" members ",'skip':{'component':'QUERY_EDITOR'}}}"
#define COMPONENT(field, name, placeholder) "'" field "':{'component':'" name "','placeholder':" placeholder "}"
#define PLAIN(field, name) "'" field "':{'component':'" name "'}"

static const struct step_row {
    const char *type;
    const char *text[STEP_SCHEMA_KINDS];
} rows[] = {
    {"in_app", {
        [STEP_SCHEMA_DATA] = "{'anyOf':[" IN_APP_BRANCH("'subject'") "," IN_APP_BRANCH("'body'") "]" DRAFT "}",
        [STEP_SCHEMA_UI] = UI("IN_APP", COMPONENT("body", "IN_APP_BODY", "''") ","
            COMPONENT("avatar", "IN_APP_AVATAR", "'/images/info.svg'") "," COMPONENT("subject", "IN_APP_PRIMARY_SUBJECT", "''") ","
            COMPONENT("primaryAction", "IN_APP_BUTTON_DROPDOWN", "null") ","
            COMPONENT("secondaryAction", "IN_APP_BUTTON_DROPDOWN", "null") ","
            COMPONENT("redirect", "URL_TEXT_BOX", "{'url':{'placeholder':''},'target':{'placeholder':'_self'}}") ","
            COMPONENT("disableOutputSanitization", "IN_APP_DISABLE_SANITIZATION_SWITCH", "false") ","
            COMPONENT("data", "DATA", "null")),
        [STEP_SCHEMA_OUTPUT] = "{'type':'object','properties':{'subject':" FILLED ",'body':" FILLED
            ",'avatar':{'type':'string','format':'uri'},'primaryAction':" ACTION_OUT ",'secondaryAction':" ACTION_OUT
            ",'data':" OPEN ",'redirect':" REDIRECT_OUT
            "},'anyOf':[{'required':['subject']},{'required':['body']}],'additionalProperties':false}",
        [STEP_SCHEMA_RESULT] = OBJECT("'seen':" BOOL ",'read':" BOOL ",'lastSeenDate':" MOMENT ",'lastReadDate':" MOMENT,
            "'seen','read','lastSeenDate','lastReadDate'"),
        [STEP_SCHEMA_WIRE] = WIRE(WIRE_SKIP ",'body':" STRING ",'subject':" STRING ",'avatar':" STRING ",'primaryAction':"
            WIRE_ACTION ",'secondaryAction':" WIRE_ACTION ",'redirect':" WIRE_REDIRECT ",'disableOutputSanitization':" BOOL
            ",'data':{'type':'object'}")}},
    {"email", {
        [STEP_SCHEMA_DATA] = "{'type':'object','properties':{" SKIP ",'body':{'type':'string','default':''}," EDITOR
            ",'subject':" FILLED ",'disableOutputSanitization':" BOOL ",'layoutId':{'type':['string','null']},'from':" SENDER
            ",'replyTo':" STRING ",'preheader':" STRING ",'useProviderDefaults':" BOOL
            "},'required':['subject'],'additionalProperties':false" DRAFT "}",
        [STEP_SCHEMA_UI] = UI("EMAIL", PLAIN("body", "EMAIL_BODY") "," PLAIN("subject", "TEXT_INLINE_LABEL") ","
            COMPONENT("editorType", "EMAIL_EDITOR_SELECT", "'block'") ","
            COMPONENT("disableOutputSanitization", "DISABLE_SANITIZATION_SWITCH", "false") "," PLAIN("layoutId", "LAYOUT_SELECT")),
        [STEP_SCHEMA_OUTPUT] = OBJECT("'subject':" FILLED ",'body':" STRING ",'from':" SENDER ",'replyTo':" STRING
            ",'preheader':" STRING ",'useProviderDefaults':" BOOL, "'subject','body'"),
        [STEP_SCHEMA_RESULT] = NOTHING,
        [STEP_SCHEMA_WIRE] = WIRE(WIRE_SKIP ",'subject':" STRING ",'body':" STRING ",'editorType':" ENUM("'block','html'")
            ",'disableOutputSanitization':" BOOL ",'layoutId':{'type':['string','null']},'from':" WIRE("'email':" STRING
            ",'name':" STRING) ",'useProviderDefaults':" BOOL ",'replyTo':" STRING ",'preheader':" STRING)}},
    {"sms", {
        [STEP_SCHEMA_DATA] = "{'type':'object','properties':{" SKIP ",'body':" STRING
            "},'required':['body'],'additionalProperties':false" DRAFT "}",
        [STEP_SCHEMA_UI] = UI("SMS", PLAIN("body", "SMS_BODY")),
        [STEP_SCHEMA_OUTPUT] = BODY_OUT, [STEP_SCHEMA_RESULT] = NOTHING,
        [STEP_SCHEMA_WIRE] = WIRE(WIRE_SKIP ",'body':" STRING)}},
    {"push", {
        [STEP_SCHEMA_DATA] = "{'type':'object','properties':{" SKIP ",'subject':" STRING ",'body':" STRING
            "},'required':['subject','body'],'additionalProperties':false" DRAFT "}",
        [STEP_SCHEMA_UI] = UI("PUSH", PLAIN("subject", "PUSH_SUBJECT") "," PLAIN("body", "PUSH_BODY")),
        [STEP_SCHEMA_OUTPUT] = OBJECT("'subject':" STRING ",'body':" STRING, "'subject','body'"), [STEP_SCHEMA_RESULT] = NOTHING,
        [STEP_SCHEMA_WIRE] = WIRE(WIRE_SKIP ",'subject':" STRING ",'body':" STRING)}},
    {"chat", {
        [STEP_SCHEMA_DATA] = "{'type':'object','properties':{" SKIP ",'body':" STRING ",'editorType':" ENUM("'block','text'")
            "},'required':['body'],'additionalProperties':false" DRAFT "}",
        [STEP_SCHEMA_UI] = UI("CHAT", PLAIN("body", "CHAT_BODY") "," PLAIN("editorType", "CHAT_EDITOR_SELECT")),
        [STEP_SCHEMA_OUTPUT] = "{'type':'object','properties':{'body':" STRING ",'card':" CARD
            "},'anyOf':[{'required':['body']},{'required':['card']}],'additionalProperties':false}",
        [STEP_SCHEMA_RESULT] = NOTHING,
        [STEP_SCHEMA_WIRE] = WIRE(WIRE_SKIP ",'body':" STRING ",'editorType':" ENUM("'block','text'"))}},
    {"tool", {
        [STEP_SCHEMA_DATA] = "{'type':'object','properties':{" SKIP ",'body':" STRING
            "},'required':['body'],'additionalProperties':false" DRAFT "}",
        [STEP_SCHEMA_UI] = UI("TOOL", PLAIN("body", "TOOL_BODY")),
        [STEP_SCHEMA_OUTPUT] = BODY_OUT, [STEP_SCHEMA_RESULT] = NOTHING,
        [STEP_SCHEMA_WIRE] = WIRE(WIRE_SKIP ",'body':" STRING)}},
    {"delay", {
        [STEP_SCHEMA_DATA] = "{'anyOf':[" DELAY_BRANCH("regular", "'amount':" POSITIVE ",'unit':" UNIT, "'amount','unit'") ","
            DELAY_BRANCH("timed", "'cron':" FILLED, "'cron'") "," DELAY_BRANCH("dynamic", "'dynamicKey':" FILLED, "'dynamicKey'")
            "]" DRAFT "}",
        [STEP_SCHEMA_UI] = UI("DELAY", COMPONENT("amount", "DELAY_AMOUNT", "null") "," COMPONENT("unit", "DELAY_UNIT", "'seconds'")
            "," COMPONENT("cron", "DELAY_CRON", "''") "," COMPONENT("dynamicKey", "DELAY_DYNAMIC_KEY", "''") ","
            COMPONENT("type", "DELAY_TYPE", "'regular'") "," COMPONENT("extendToSchedule", "EXTEND_TO_SCHEDULE", "false")),
        [STEP_SCHEMA_OUTPUT] = ONE_OF(BRANCH_OUT("regular", "'amount':{'type':'number'},'unit':" UNIT, "'amount','unit'") ","
            BRANCH_OUT("timed", "'cron':" STRING, "'cron'") "," BRANCH_OUT("dynamic", "'dynamicKey':" STRING, "'dynamicKey'")),
        [STEP_SCHEMA_RESULT] = OBJECT("'duration':{'type':'number'}", "'duration'"),
        [STEP_SCHEMA_WIRE] = WIRE(WIRE_SKIP ",'type':" ENUM("'regular','timed'") ",'amount':{'type':'number'},'unit':" UNIT
            ",'cron':" STRING)}},
    {"digest", {
        [STEP_SCHEMA_DATA] = "{'anyOf':[" OBJECT(SKIP ",'amount':" POSITIVE ",'unit':" UNIT ",'digestKey':" STRING
            ",'lookBackWindow':" LOOK_BACK(POSITIVE) ",'type':{'type':'string','const':'regular'},'extendToSchedule':" BOOL,
            "'amount','unit'") ","
            OBJECT(SKIP ",'cron':" FILLED ",'digestKey':" STRING ",'type':{'type':'string','const':'timed'},'extendToSchedule':"
            BOOL, "'cron'") "]" DRAFT "}",
        [STEP_SCHEMA_UI] = UI("DIGEST", COMPONENT("amount", "DIGEST_AMOUNT", "''") ","
            COMPONENT("unit", "DIGEST_UNIT", "'seconds'") "," COMPONENT("digestKey", "DIGEST_KEY", "''") ","
            COMPONENT("cron", "DIGEST_CRON", "''") "," PLAIN("type", "DIGEST_TYPE") ","
            COMPONENT("extendToSchedule", "EXTEND_TO_SCHEDULE", "false")),
        [STEP_SCHEMA_OUTPUT] = ONE_OF(BRANCH_OUT("regular", "'amount':{'type':'number'},'unit':" UNIT ",'digestKey':" STRING
            ",'lookBackWindow':" LOOK_BACK("{'type':'number'}"), "'amount','unit'") ","
            BRANCH_OUT("timed", "'cron':" STRING ",'digestKey':" STRING, "'cron'")),
        [STEP_SCHEMA_RESULT] = OBJECT("'eventCount':{'type':'number'},'events':" LIST(OBJECT("'id':" STRING ",'time':" STRING
            ",'payload':{'type':'object'}", "'id','time','payload'")), "'events'"),
        [STEP_SCHEMA_WIRE] = WIRE(WIRE_SKIP ",'type':" ENUM("'regular','timed'") ",'amount':{'type':'number'},'unit':" UNIT
            ",'lookBackWindow':{'type':'object','properties':{'amount':{'type':'number'},'unit':" UNIT
            "},'required':['amount','unit']},'cron':" STRING ",'digestKey':" STRING)}},
    {"throttle", {
        [STEP_SCHEMA_DATA] = "{'type':'object','properties':{" SKIP
            ",'type':{'type':'string','enum':['fixed','dynamic'],'default':'fixed'},'amount':" POSITIVE ",'unit':" UNIT_SHORT
            ",'dynamicKey':" FILLED ",'threshold':" POSITIVE ",'throttleKey':" STRING "},'additionalProperties':false" DRAFT "}",
        [STEP_SCHEMA_UI] = UI("THROTTLE", COMPONENT("type", "THROTTLE_TYPE", "'fixed'") ","
            COMPONENT("amount", "THROTTLE_WINDOW", "null") "," COMPONENT("unit", "THROTTLE_UNIT", "'minutes'") ","
            COMPONENT("dynamicKey", "THROTTLE_DYNAMIC_KEY", "'payload.timestamp'") ","
            COMPONENT("threshold", "THROTTLE_THRESHOLD", "1") "," COMPONENT("throttleKey", "THROTTLE_KEY", "''")),
        [STEP_SCHEMA_OUTPUT] = OBJECT("'type':" ENUM("'fixed','dynamic'") ",'amount':{'type':'number'},'unit':" UNIT_SHORT
            ",'dynamicKey':" STRING ",'threshold':{'type':'number'},'throttleKey':" STRING, "'type'"),
        [STEP_SCHEMA_RESULT] = OBJECT("'throttled':{'type':'boolean','description':'Whether the workflow execution was throttled'},"
            "'executionCount':{'type':'number','description':'Number of executions within the throttle window'},"
            "'threshold':{'type':'number','description':'The throttle threshold that was applied'},"
            "'windowStart':{'type':'string','format':'date-time','description':'Start time of the throttle window'}",
            "'throttled'"),
        [STEP_SCHEMA_WIRE] = WIRE(WIRE_SKIP ",'type':" ENUM("'fixed','dynamic'") ",'amount':{'type':'number'},'unit':" UNIT_SHORT
            ",'dynamicKey':" STRING ",'threshold':{'type':'number'},'throttleKey':" STRING)}},
    {"http_request", {
        [STEP_SCHEMA_DATA] = "{'type':'object','properties':{" SKIP ",'method':" ENUM("'GET','POST','PUT','DELETE','PATCH'")
            ",'url':{'type':'string','pattern':'^(?:https?:\\\\/\\\\/[^\\\\s]+|\\\\{\\\\{.*)$'},'headers':"
            LIST(OBJECT("'key':" STRING ",'value':" STRING, "'key','value'")) ",'body':{'anyOf':[" STRING ","
            LIST(OBJECT("'key':" STRING ",'value':" STRING, "'key','value'")) "]},'responseBodySchema':" FREE
            ",'enforceSchemaValidation':" BOOL ",'continueOnFailure':" BOOL ",'timeout':{'type':'number','minimum':1}"
            "},'required':['method','url'],'additionalProperties':false" DRAFT "}",
        [STEP_SCHEMA_UI] = UI("HTTP_REQUEST", PLAIN("method", "DESTINATION_METHOD") "," PLAIN("url", "DESTINATION_URL") ","
            PLAIN("headers", "DESTINATION_HEADERS") "," PLAIN("body", "DESTINATION_BODY") ","
            PLAIN("responseBodySchema", "DESTINATION_RESPONSE_BODY_SCHEMA") ","
            PLAIN("enforceSchemaValidation", "DESTINATION_ENFORCE_SCHEMA_VALIDATION") ","
            PLAIN("continueOnFailure", "DESTINATION_CONTINUE_ON_FAILURE") "," PLAIN("timeout", "DESTINATION_TIMEOUT")),
        [STEP_SCHEMA_RESULT] = "{'type':'object','properties':{},'additionalProperties':true}",
        [STEP_SCHEMA_WIRE] = WIRE(WIRE_SKIP ",'method':" ENUM("'GET','POST','PUT','DELETE','PATCH'") ",'url':" STRING ",'headers':"
            WIRE_PAIRS ",'body':{'anyOf':[" STRING "," WIRE_PAIRS "]},'responseBodySchema':{'type':'object'}"
            ",'enforceSchemaValidation':" BOOL ",'continueOnFailure':" BOOL)}},
    {"custom", {
        [STEP_SCHEMA_DATA] = "{'type':'object','properties':{},'additionalProperties':true" DRAFT "}",
        [STEP_SCHEMA_RESULT] = "{'type':'object','properties':{},'additionalProperties':true}",
        [STEP_SCHEMA_WIRE] = WIRE("'custom':{'type':'object'}")}},
    {"layout", {
        [STEP_SCHEMA_DATA] = "{'type':'object','properties':{'email':" OBJECT("'body':" FILLED "," EDITOR, "'body'")
            "},'additionalProperties':false" DRAFT "}",
        [STEP_SCHEMA_UI] = "{'group':'LAYOUT','properties':{'email':{'component':'LAYOUT_EMAIL','properties':{"
            COMPONENT("body", "EMAIL_BODY", "''") "," COMPONENT("editorType", "EMAIL_EDITOR_SELECT", "'block'") "}}}}"}},
};

static const struct step_row *row_find(struct str type)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_eqz(type, rows[i].type))
            return &rows[i];
    return NULL;
}

bool step_schema_is_type(struct str type)
{
    return row_find(type) != NULL;
}

yyjson_val *step_schema(struct arena *a, struct str type, enum step_schema_kind kind)
{
    const struct step_row *row = row_find(type);
    yyjson_val *v = NULL;
    if (!row || !row->text[kind])
        return NULL;
    char *text = str_z(a, str_of(row->text[kind]));
    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_parse(a, str_of(text), &v, NULL);
    return v;
}

yyjson_mut_val *step_result_schema(yyjson_mut_doc *d, struct arena *a, struct str type, yyjson_val *payload_schema,
                                   yyjson_val *values)
{
    yyjson_val *own = str_eqz(type, "http_request") ? json_get(values, "responseBodySchema") : NULL;
    if (yyjson_is_obj(own) && yyjson_obj_size(own))
        return yyjson_val_mut_copy(d, own);
    yyjson_val *fixed = step_schema(a, type, STEP_SCHEMA_RESULT);
    if (!fixed)
        return yyjson_mut_obj(d);
    yyjson_mut_val *schema = yyjson_val_mut_copy(d, fixed);
    if (str_eqz(type, "digest") && yyjson_is_obj(payload_schema)) {
        yyjson_mut_val *events = yyjson_mut_obj_get(yyjson_mut_obj_get(schema, "properties"), "events");
        yyjson_mut_val *event = yyjson_mut_obj_get(yyjson_mut_obj_get(events, "items"), "properties");
        yyjson_mut_obj_put(event, yyjson_mut_str(d, "payload"), yyjson_val_mut_copy(d, payload_schema));
    }
    if (str_eqz(type, "digest"))                /* every list of JavaScript's has it; templates may count the events so */
        json_add_text(d, yyjson_mut_obj_get(yyjson_mut_obj_get(schema, "properties"), "events"), "properties",
                      STR("{\"length\":{\"type\":\"number\"}}"));
    return schema;
}
