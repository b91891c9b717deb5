/* Every declared provider against the facts recorded about it: tests/data/providers/<channel>/<id>.json, one for each
 * providers/<channel>/<id>.json. A declaration without facts fails here, and so do facts without a declaration.
 *
 *   {"credentials": {…}, "configurations": {…}, "target": {…},       for all cases, unless a case has its own
 *    "ownBody": {…},   what a _passthrough body must look like to reach the request, if not any member does ("own-body" in it);
 *                      false: it never does
 *    "cases": [{
 *      "name":      what it shows,
 *      "check":     true: nothing is sent, the provider is asked about the credentials (needed where a declaration can),
 *      "full":      true: the mail has all that a mail can have (full_mail below),
 *      "message":   members over those of the plain message; null takes one away,
 *      "overrides": as the trigger gives them for this provider,
 *      "asks":      the requests in their order: {"method" (POST), "url", "headers", and one of "json", "form", "multipart", "text"},
 *      "answers":   to each: {"status" (200), "headers", "body": JSON or text},
 *      "id":        what it is sent as, or
 *      "error", "outcome" (failed), "retryAfterMs" (0), "gone": the device is no longer known }]}
 *
 * Of those that report what became of messages also
 *    "reports": [{"name", "body": JSON or text, "events": [{"id", "status", and if told "date", "attempts", "response"}]}]
 *
 * Expected texts that begin with "~" are regular expressions. Headers that are not listed must not be sent (but for
 * those of every request). A case without "asks" must fail before anything is asked.
 *
 * What must hold for every provider is not written in the files but done here with their first case: the trigger's
 * _passthrough is in the request; 403 is final, 429, 500 and a line that hangs up are tried again, whichever request of
 * several they meet; and an answer that repeats our secrets gives none of them away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <regex.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "declared.h"
#include "delivery/status_event.h"
#include "fetch.h"
#include "support/data.h"
#include "../../support/sink.h"

enum { ASKS_MAX = 8 };

struct world {
    struct desk desk;
    struct dispatcher *d, *control;     /* control: past the sink, to the sink itself */
    struct sink *sink;
    struct arena *arena;                /* of the provider that is tested */
    const struct provider *provider;
    yyjson_val *facts;
    const char *about;                  /* the case, for failures */
    size_t taken;                       /* requests of earlier cases */
};

static struct provider providers[PROVIDERS_MAX];
static size_t providers_n;

/* --- the messages of the worked examples (providers.md §10) --- */

static const char plain_mail[] =
    "{'to':['ada@example.com'],'subject':'Hi','html':'<p>Hi</p>','text':'Hi','from':'hello@acme.io','senderName':'Acme',"
    "'notificationDetails':{'transactionId':'t1','workflowIdentifier':'welcome','subscriberId':'ada'},'id':'m1'}";
static const char full_mail[] =
    "{'to':['ada@example.com','bob@example.com'],'cc':['cc@example.com'],'bcc':['bcc@example.com'],'replyTo':'reply@acme.io',"
    "'headers':{'X-Campaign':'c1'},'attachments':["
    "{'name':'f.txt','mime':'text/plain','b64':'QQ==','disposition':'attachment'},"
    "{'name':'l.png','mime':'image/png','b64':'Qg==','cid':'logo','disposition':'inline'}]}";
static const char plain_sms[] = "{'to':'+15551234567','content':'Hello Ada','id':'m1'}";
static const char plain_push[] =
    "{'target':['tok-1'],'title':'Hi Ada','content':'Order 42 shipped','overrides':{},'payload':{'orderId':'42'},'messageId':'m1',"
    "'subscriber':{'subscriberId':'ada'},'step':{'digest':false,'events':[],'total_count':0}}";
static const char plain_chat[] = "{'content':'Order 42 shipped','transactionId':'t1','subscriberId':'ada','stepId':'s1','id':'m1'}";

static yyjson_val *merged(struct arena *a, yyjson_val *base, yyjson_val *over)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_val_mut_copy(d, over ? over : data_literal(a, "{}"));
    return json_of(a, json_write_mut(a, yyjson_mut_merge_patch(d, yyjson_val_mut_copy(d, base), o)));
}

static yyjson_val *message_of(struct world *w, yyjson_val *c)
{
    const char *channel = w->provider->channel;
    yyjson_val *m = data_quoted(w->arena, !strcmp(channel, "email") ? plain_mail : !strcmp(channel, "sms") ? plain_sms
                                : !strcmp(channel, "push") ? plain_push : plain_chat);
    if (json_get_bool(c, "full", false))
        m = merged(w->arena, m, data_quoted(w->arena, full_mail));
    return merged(w->arena, m, json_get(c, "message"));
}

static struct delivery_address *addresses_of(struct arena *a, yyjson_val *list, size_t *n)
{
    struct delivery_address *out = ARENA_ARRAY(a, struct delivery_address, yyjson_arr_size(list) + 1);
    *n = yyjson_arr_size(list);
    for (size_t i = 0; i < *n; i++)
        out[i] = (struct delivery_address){.email = json_str(yyjson_arr_get(list, i))};
    return out;
}

/* The same mail for providers that want it whole. */
static void email_of(struct arena *a, yyjson_val *m, struct delivery_email *e)
{
    yyjson_val *files = json_get(m, "attachments");
    struct delivery_attachment *list = ARENA_ARRAY(a, struct delivery_attachment, yyjson_arr_size(files) + 1);
    struct delivery_address *reply = ARENA_NEW(a, struct delivery_address);
    *reply = (struct delivery_address){.email = json_get_str(m, "replyTo")};
    *e = (struct delivery_email){
        .from = {json_get_str(m, "senderName"), json_get_str(m, "from")}, .subject = json_get_str(m, "subject"),
        .html = json_get_str(m, "html"), .text = json_get_str(m, "text"), .headers = json_get(m, "headers"),
        .reply_to = reply, .reply_to_n = reply->email.n ? 1 : 0, .attachments = list, .attachments_n = yyjson_arr_size(files)};
    e->to = addresses_of(a, json_get(m, "to"), &e->to_n);
    e->cc = addresses_of(a, json_get(m, "cc"), &e->cc_n);
    e->bcc = addresses_of(a, json_get(m, "bcc"), &e->bcc_n);
    for (size_t i = 0; i < e->attachments_n; i++) {
        yyjson_val *f = yyjson_arr_get(files, i);
        list[i] = (struct delivery_attachment){.name = json_get_str(f, "name"), .mime = json_get_str(f, "mime"), .cid = json_get_str(f, "cid")};
        assert_true(base64_decode(a, json_get_str(f, "b64"), &list[i].content));
    }
}

/* --- comparing --- */

static void differ(struct world *w, const char *where, struct str got, struct str want)
{
    fail_msg("%s, %s: %s\n     got %.*s\n    want %.*s", w->provider->name, w->about, where, STR_ARG(got), STR_ARG(want));
}

static bool text_matches(struct arena *a, struct str want, struct str got)
{
    regex_t r;
    if (!want.n || want.p[0] != '~')
        return str_eq(want, got);
    struct str pattern = str_fmt(a, "^(%.*s)$", (int)want.n - 1, want.p + 1);
    assert_int_equal(regcomp(&r, pattern.p, REG_EXTENDED | REG_NOSUB), 0);
    bool found = !regexec(&r, str_z(a, got), 0, NULL, 0);
    regfree(&r);
    return found;
}

static bool value_matches(struct arena *a, yyjson_val *want, yyjson_val *got)
{
    size_t i, n;
    yyjson_val *k, *x;
    if (yyjson_is_str(want) && yyjson_is_str(got))
        return text_matches(a, json_str(want), json_str(got));
    if (yyjson_is_num(want) && yyjson_is_num(got))
        return yyjson_get_num(want) >= yyjson_get_num(got) && yyjson_get_num(want) <= yyjson_get_num(got);
    if (yyjson_is_obj(want) && yyjson_is_obj(got) && yyjson_obj_size(want) == yyjson_obj_size(got)) {
        yyjson_obj_foreach(want, i, n, k, x)
            if (!value_matches(a, x, json_getn(got, json_str(k))))
                return false;
        return true;
    }
    if (yyjson_is_arr(want) && yyjson_is_arr(got) && yyjson_arr_size(want) == yyjson_arr_size(got)) {
        yyjson_arr_foreach(want, i, n, x)
            if (!value_matches(a, x, yyjson_arr_get(got, i)))
                return false;
        return true;
    }
    return want && got && yyjson_equals(want, got);
}

static void value_check(struct world *w, const char *where, yyjson_val *want, yyjson_val *got)
{
    if (!value_matches(w->arena, want, got))
        differ(w, where, got ? json_write(w->arena, got) : STR("nothing"), json_write(w->arena, want));
}

/* A field that comes again makes a list. */
static void field_add(yyjson_mut_doc *d, yyjson_mut_val *o, struct str name, yyjson_mut_val *v)
{
    yyjson_mut_val *before = yyjson_mut_obj_getn(o, name.p, name.n), *list;
    if (!before) {
        yyjson_mut_obj_add(o, json_mut_str(d, name), v);
    } else if (yyjson_mut_is_arr(before)) {
        yyjson_mut_arr_append(before, v);
    } else {
        list = yyjson_mut_arr(d);
        yyjson_mut_arr_append(list, yyjson_mut_val_mut_copy(d, before));
        yyjson_mut_arr_append(list, v);
        yyjson_mut_obj_put(o, json_mut_str(d, name), list);
    }
}

static struct str percent_decoded(struct arena *a, struct str s)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < s.n; i++) {
        char hex[3] = {0};
        if (s.p[i] == '%' && i + 2 < s.n)
            memcpy(hex, s.p + i + 1, 2), i += 2;
        buf_char(&b, *hex ? (char)strtol(hex, NULL, 16) : s.p[i]);
    }
    return buf_finish(&b);
}

static yyjson_mut_val *form_of(struct arena *a, yyjson_mut_doc *d, struct str s)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    while (s.n) {
        ptrdiff_t end = str_find(s, STR("&")), eq;
        struct str pair = str_sub(s, 0, end < 0 ? s.n : (size_t)end);
        s = str_sub(s, end < 0 ? s.n : (size_t)end + 1, s.n);
        eq = str_find(pair, STR("="));
        assert_true(eq > 0);
        field_add(d, o, percent_decoded(a, str_sub(pair, 0, (size_t)eq)), json_mut_str(d, percent_decoded(a, str_sub(pair, (size_t)eq + 1, pair.n))));
    }
    return o;
}

static struct str between(struct str s, const char *from, const char *to)
{
    ptrdiff_t i = str_find(s, str_of(from)), end;
    if (i < 0)
        return STR_NULL;
    s = str_sub(s, (size_t)i + strlen(from), s.n);
    end = str_find(s, str_of(to));
    return end < 0 ? STR_NULL : str_sub(s, 0, (size_t)end);
}

/* Fields as their texts, files as {"filename", "type", "text"}. */
static yyjson_mut_val *multipart_of(struct arena *a, yyjson_mut_doc *d, struct str s, struct str type)
{
    yyjson_mut_val *o = yyjson_mut_obj(d), *file;
    struct str mark = str_fmt(a, "--%.*s", STR_ARG(str_sub(type, strlen("multipart/form-data; boundary="), type.n)));
    assert_true(str_starts(type, STR("multipart/form-data; boundary=")) && str_starts(s, mark));
    for (;;) {
        s = str_sub(s, mark.n, s.n);
        if (str_eqz(s, "--\r\n"))
            return o;
        ptrdiff_t end = str_find(s, mark);
        assert_true(end > 0);
        struct str part = str_sub(s, 0, (size_t)end), head = between(part, "\r\n", "\r\n\r\n"), name = between(head, "; name=\"", "\""),
                   filename = between(head, "; filename=\"", "\"");
        s = str_sub(s, (size_t)end, s.n);
        ptrdiff_t at = str_find(part, STR("\r\n\r\n"));
        assert_true(name.p && at > 0 && str_ends(part, STR("\r\n")));
        struct str value = str_sub(part, (size_t)at + 4, part.n - 2);
        if (!filename.p) {
            field_add(d, o, name, json_mut_str(d, value));
            continue;
        }
        file = yyjson_mut_obj(d);
        json_add_str(d, file, "filename", filename);
        json_add_str(d, file, "type", str_sub(head, (size_t)str_find(head, STR("Content-Type: ")) + 14, head.n));
        json_add_str(d, file, "text", value);
        field_add(d, o, name, file);
    }
}

static yyjson_val *settled(struct arena *a, yyjson_mut_val *o)
{
    return json_of(a, json_write_mut(a, o));
}

static struct str header_of(yyjson_val *got, const char *name)
{
    size_t i, n;
    yyjson_val *pair;
    yyjson_arr_foreach(json_get(got, "headers"), i, n, pair)
        if (str_eq_nocase(json_str(yyjson_arr_get(pair, 0)), str_of(name)))
            return json_str(yyjson_arr_get(pair, 1));
    return STR_NULL;
}

/* Those that every request has, and the body's type, are not in the files. */
static bool header_is_common(struct str name, struct str value)
{
    static const char *const names[] = {"host", "user-agent", "content-length", "connection", "accept-encoding", "content-type"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq_nocase(name, str_of(names[i])))
            return true;
    return str_eq_nocase(name, STR("accept")) && str_eqz(value, "*/*");
}

static void headers_check(struct world *w, yyjson_val *want, yyjson_val *got)
{
    size_t i, n;
    yyjson_val *pair, *k, *x;
    yyjson_arr_foreach(json_get(got, "headers"), i, n, pair) {
        struct str name = json_str(yyjson_arr_get(pair, 0)), value = json_str(yyjson_arr_get(pair, 1));
        bool listed = false;
        size_t j, m;
        yyjson_obj_foreach(want, j, m, k, x)
            listed |= str_eq_nocase(json_str(k), name);
        if (!listed && !header_is_common(name, value))
            differ(w, "a header that is not expected", str_fmt(w->arena, "%.*s: %.*s", STR_ARG(name), STR_ARG(value)), STR("none"));
    }
    yyjson_obj_foreach(want, i, n, k, x) {
        struct str value = header_of(got, str_z(w->arena, json_str(k)));
        if (!text_matches(w->arena, json_str(x), value))
            differ(w, str_z(w->arena, json_str(k)), value, json_str(x));
    }
}

static void type_check(struct world *w, yyjson_val *want, yyjson_val *got, const char *type)
{
    if (json_get(json_get(want, "headers"), "Content-Type"))
        return;                         /* among the headers */
    if (!str_eqz(header_of(got, "content-type"), type))
        differ(w, "Content-Type", header_of(got, "content-type"), str_of(type));
}

static void request_check(struct world *w, yyjson_val *want, yyjson_val *got)
{
    struct arena *a = w->arena;
    yyjson_mut_doc *d = json_doc(a);
    struct str method = json_get_str(want, "method"), url = json_get_str(want, "url"), text = json_get_str(got, "text");
    ptrdiff_t scheme = str_find(url, STR("://"));
    assert_true(scheme > 0);
    url = str_sub(url, (size_t)scheme + 2, url.n);
    if (!str_eq(json_get_str(got, "method"), method.n ? method : STR("POST")))
        differ(w, "method", json_get_str(got, "method"), method);
    if (!str_eq(json_get_str(got, "path"), url))
        differ(w, "url", json_get_str(got, "path"), url);
    headers_check(w, json_get(want, "headers"), got);
    if (json_get(want, "json")) {
        type_check(w, want, got, "application/json");
        value_check(w, "body", json_get(want, "json"), json_of(a, text));
    } else if (json_get(want, "form")) {
        type_check(w, want, got, "application/x-www-form-urlencoded");
        value_check(w, "body", json_get(want, "form"), settled(a, form_of(a, d, text)));
    } else if (json_get(want, "multipart")) {
        value_check(w, "body", json_get(want, "multipart"), settled(a, multipart_of(a, d, text, header_of(got, "content-type"))));
    } else if (!text_matches(a, json_get_str(want, "text"), text)) {
        differ(w, "body", text, json_get_str(want, "text"));
    }
}

/* --- the sink --- */

static struct str sink_call(struct world *w, const char *path, struct str body)
{
    struct fetch *f = fetch_make(&w->desk, w->sink->port, path);
    f->call.request.body = body;
    f->call.request.response_max = 16 << 20;
    const struct http_response *r = fetch_answer(w->control, f);
    assert_int_equal(r->outcome, DELIVERY_SENT);
    struct str reply = str_dup(w->arena, r->body);
    arena_destroy(f->arena);
    return reply;
}

static void script_add(struct world *w, struct buf *script, yyjson_val *answer)
{
    struct arena *a = w->arena;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = answer ? yyjson_val_mut_copy(d, answer) : yyjson_mut_obj(d);
    yyjson_val *body = json_get(answer, "body");
    if (body && !yyjson_is_str(body)) {
        yyjson_mut_obj_remove_key(o, "body");
        json_add_str(d, o, "body", json_write(a, body));
    }
    buf_z(script, script->n > 1 ? "," : "");
    buf_str(script, json_write_mut(a, o));
}

/* What has been asked since the last time. */
static size_t requests_take(struct world *w, yyjson_val *out[ASKS_MAX])
{
    yyjson_val *lines = json_of(w->arena, sink_call(w, "/__sink/requests", STR_NULL));
    size_t n = yyjson_arr_size(lines) - w->taken;
    for (size_t i = 0; i < n && i < ASKS_MAX; i++)
        out[i] = yyjson_arr_get(lines, w->taken + i);
    w->taken += n;
    return n;
}

/* --- one attempt --- */

/* instead: answers the request of that number in place of the file's answer. */
struct variation {
    yyjson_val *overrides, *instead;
    size_t at;
};

static yyjson_val *of_case(struct world *w, yyjson_val *c, const char *key)
{
    return json_get(c, key) ? json_get(c, key) : json_get(w->facts, key);
}

static struct attempt *attempt_of(struct world *w, yyjson_val *c, yyjson_val *overrides)
{
    struct str credentials = json_write(w->arena, of_case(w, c, "credentials"));
    struct attempt *t = attempt_new(&w->desk, w->provider->id, credentials);
    struct arena *a = t->arena;
    struct delivery *d = &t->delivery;
    d->channel = str_of(w->provider->channel);
    d->purpose = json_get_bool(c, "check", false) ? DELIVERY_CHECK : DELIVERY_SEND;
    d->message = d->purpose == DELIVERY_SEND ? json_of(a, json_write(a, message_of(w, c))) : NULL;
    d->configurations = of_case(w, c, "configurations") ? json_of(a, json_write(a, of_case(w, c, "configurations"))) : NULL;
    d->target = of_case(w, c, "target") ? json_of(a, json_write(a, of_case(w, c, "target"))) : NULL;
    d->overrides = overrides ? json_of(a, json_write(a, overrides)) : NULL;
    if (strcmp(w->provider->channel, "email") || d->purpose == DELIVERY_CHECK)
        d->email = NULL;
    else
        email_of(a, d->message, d->email);
    return t;
}

static void dispatcher_anew(struct world *w)
{
    struct error err = {0};
    char sink[64];
    dispatcher_stop(w->d, 0);
    snprintf(sink, sizeof sink, "http://127.0.0.1:%d", w->sink->port);
    w->d = dispatcher_start(&(struct dispatcher_config){.sink = sink}, &err);
    assert_non_null(w->d);
}

/* Of the delivery in t; the caller destroys its arena. A variation knows no token of earlier attempts. */
static const struct delivery_result *run(struct world *w, yyjson_val *c, const struct variation *v, struct attempt **t)
{
    struct buf script = {.arena = w->arena};
    yyjson_val *answers = json_get(c, "answers");
    size_t n = yyjson_arr_size(answers);
    if (v->overrides || v->instead)
        dispatcher_anew(w);
    buf_z(&script, "[");
    for (size_t i = 0; i < n && !(v->instead && i >= v->at); i++)
        script_add(w, &script, yyjson_arr_get(answers, i));
    /* Twice: libcurl itself asks again where a kept connection turns out to be closed. */
    for (int i = 0; v->instead && i < 2; i++)
        script_add(w, &script, v->instead);
    buf_z(&script, "]");
    sink_call(w, "/__sink/script", buf_finish(&script));
    *t = attempt_of(w, c, v->overrides ? v->overrides : json_get(c, "overrides"));
    return attempt_run(w->d, *t);
}

/* --- the cases of the file --- */

static void case_check(struct world *w, yyjson_val *c)
{
    static const char *const outcomes[] = {"sent", "retry", "failed"};
    yyjson_val *got[ASKS_MAX], *asks = json_get(c, "asks");
    struct variation as_it_is = {0};
    struct attempt *t;
    struct str want = json_get_str(c, "outcome");
    w->about = str_z(w->arena, json_get_str(c, "name"));
    const struct delivery_result *r = run(w, c, &as_it_is, &t);
    size_t n = requests_take(w, got);
    for (size_t i = 0; i < n && i < yyjson_arr_size(asks); i++)
        request_check(w, yyjson_arr_get(asks, i), got[i]);
    if (n != yyjson_arr_size(asks))
        differ(w, "number of requests", str_fmt(w->arena, "%zu (%.*s)", n, STR_ARG(r->error)), str_fmt(w->arena, "%zu", yyjson_arr_size(asks)));
    want = want.n ? want : json_get(c, "error") ? STR("failed") : STR("sent");
    if (!str_eqz(want, outcomes[r->outcome]))
        differ(w, "outcome", str_fmt(w->arena, "%s: %.*s", outcomes[r->outcome], STR_ARG(r->error)), want);
    if (json_get(c, "error") && !text_matches(w->arena, json_get_str(c, "error"), r->error))
        differ(w, "error", r->error, json_get_str(c, "error"));
    if (!json_get(c, "error") && !text_matches(w->arena, json_get_str(c, "id"), r->message_id))
        differ(w, "id", r->message_id, json_get_str(c, "id"));
    assert_int_equal(r->address_gone, json_get_bool(c, "gone", false));
    assert_int_equal(r->retry_after_ms, json_get_int(c, "retryAfterMs", 0));
    arena_destroy(t->arena);
}

/* --- what holds for all --- */

static void passthrough_check(struct world *w, yyjson_val *c)
{
    static const char usual[] = "{'ownMember':'own-body'}";
    struct str body = json_write(w->arena, json_get(w->facts, "ownBody") ? json_get(w->facts, "ownBody") : data_quoted(w->arena, usual));
    struct str over = str_fmt(w->arena, "{\"_passthrough\":{\"headers\":{\"X-Own\":\"own-header\"},\"query\":{\"ownQuery\":\"a b\"},"
                                        "\"body\":%.*s}}", STR_ARG(body));
    bool taken = !yyjson_is_false(json_get(w->facts, "ownBody"));
    yyjson_val *got[ASKS_MAX];
    struct variation v = {.overrides = merged(w->arena, json_get(c, "overrides") ? json_get(c, "overrides") : data_literal(w->arena, "{}"),
                                              json_of(w->arena, over))};
    struct attempt *t;
    w->about = "_passthrough";
    const struct delivery_result *r = run(w, c, &v, &t);
    size_t n = requests_take(w, got);
    if (r->outcome != DELIVERY_SENT || n != yyjson_arr_size(json_get(c, "asks")))
        differ(w, "outcome", r->error, STR("sent"));
    struct str path = json_get_str(got[n - 1], "path"), text = json_get_str(got[n - 1], "text");
    if (str_find(path, STR("ownQuery=a%20b")) < 0)
        differ(w, "query", path, STR("ownQuery=a%20b"));
    if (!str_eqz(header_of(got[n - 1], "x-own"), "own-header"))
        differ(w, "header", header_of(got[n - 1], "x-own"), STR("own-header"));
    if (taken != (str_find(text.n ? text : path, STR("own-body")) >= 0))
        differ(w, "body", text, taken ? STR("own-body") : STR("no own-body"));
    arena_destroy(t->arena);
}

/* Texts under the names of secrets, at any depth (providers.json meta.secretKeys, and what endpoints hold). */
static void secrets_find(yyjson_val *v, bool inside, struct arena *a, yyjson_mut_doc *d, yyjson_mut_val *out)
{
    static const char *const names[] = {"apiKey", "apiToken", "headers", "secretKey", "token", "password", "serviceAccount",
                                        "accessKey", "routingKey"};
    size_t i, n;
    yyjson_val *k, *x;
    if (inside && yyjson_is_str(v) && yyjson_get_len(v) >= 4)
        yyjson_mut_arr_append(out, json_mut_str(d, json_str(v)));
    yyjson_obj_foreach(v, i, n, k, x) {
        bool secret = inside;
        for (size_t j = 0; j < sizeof names / sizeof *names; j++)
            secret |= yyjson_equals_str(k, names[j]);
        secrets_find(x, secret, a, d, out);
    }
}

static void no_secret_in(struct world *w, yyjson_val *secrets, struct str text)
{
    size_t i, n;
    yyjson_val *x;
    yyjson_arr_foreach(secrets, i, n, x)
        if (str_find(text, json_str(x)) >= 0)
            differ(w, "a secret is given away", text, json_str(x));
}

static void failure_check(struct world *w, yyjson_val *c, size_t at, int status, yyjson_val *secrets)
{
    yyjson_val *got[ASKS_MAX];
    struct attempt *t;
    struct str all = json_write(w->arena, secrets);
    struct buf answer = {.arena = w->arena};
    if (status) {
        buf_fmt(&answer, "{\"status\":%d,\"headers\":{\"Retry-After\":\"7\"},\"body\":", status);
        json_quote(&answer, str_fmt(w->arena, "{\"message\":%.*s,\"error\":%.*s}", STR_ARG(all), STR_ARG(all)));
        buf_z(&answer, "}");
    } else {
        buf_z(&answer, "{\"close\":true}");
    }
    struct variation v = {.instead = json_of(w->arena, buf_finish(&answer)), .at = at};
    w->about = str_fmt(w->arena, "request %zu meets %d", at + 1, status).p;
    const struct delivery_result *r = run(w, c, &v, &t);
    requests_take(w, got);
    if (r->outcome != (status == 403 ? DELIVERY_FAILED : DELIVERY_RETRY))
        differ(w, "outcome", r->error, status == 403 ? STR("failed") : STR("retry"));
    assert_int_equal(r->retry_after_ms, status == 429 || status == 500 ? 7000 : 0);
    if (!r->error.n)
        differ(w, "error", r->error, STR("a sentence"));
    no_secret_in(w, secrets, r->error);
    no_secret_in(w, secrets, r->response);
    arena_destroy(t->arena);
}

static void failures_check(struct world *w, yyjson_val *c)
{
    static const int statuses[] = {403, 429, 500, 0};
    yyjson_mut_doc *d = json_doc(w->arena);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    secrets_find(of_case(w, c, "credentials"), false, w->arena, d, list);
    secrets_find(of_case(w, c, "target"), false, w->arena, d, list);
    yyjson_val *secrets = settled(w->arena, list);
    for (size_t at = 0; at < yyjson_arr_size(json_get(c, "asks")); at++)
        for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
            failure_check(w, c, at, statuses[i], secrets);
}

/* A success, a refusal in the provider's words, and of mails one with everything: less is no test. */
static yyjson_val *first_of(struct world *w, yyjson_val *cases)
{
    size_t i, n;
    bool refused = false, full = strcmp(w->provider->channel, "email"), let_in = false, turned_away = false;
    yyjson_val *c, *sent = NULL;
    yyjson_val *declaration = data_json(w->arena, str_fmt(w->arena, SOURCE_DIR "/providers/%s.json", w->provider->name).p);
    yyjson_arr_foreach(cases, i, n, c) {
        if (json_get_bool(c, "check", false)) {
            let_in |= !json_get(c, "error");
            turned_away |= json_get(c, "error") != NULL;
            continue;
        }
        sent = !sent && json_get(c, "id") && yyjson_arr_size(json_get(c, "asks")) ? c : sent;
        refused |= json_get(c, "error") && yyjson_arr_size(json_get(c, "asks"));
        full |= json_get_bool(c, "full", false);
    }
    if (!sent || !refused || !full)
        fail_msg("%s: its facts lack %s", w->provider->name, !sent ? "a success" : !refused ? "a refusal" : "a full mail");
    if (json_get(declaration, "check") && !(let_in && turned_away))
        fail_msg("%s: its facts lack credentials that are good, or such that are not", w->provider->name);
    return sent;
}

static void report_check(struct world *w, yyjson_val *report)
{
    struct arena *a = w->arena;
    struct status_event *got;
    yyjson_val *body = json_get(report, "body"), *events = json_get(report, "events"), *json;
    w->about = str_z(a, json_get_str(report, "name"));
    assert_true(status_event_body(a, yyjson_is_str(body) ? json_str(body) : json_write(a, body), &json));
    size_t n = status_event_read(a, str_of(w->provider->id), json, &got);
    if (n != yyjson_arr_size(events))
        differ(w, "number of events", str_fmt(a, "%zu", n), str_fmt(a, "%zu", yyjson_arr_size(events)));
    for (size_t i = 0; i < n; i++) {
        yyjson_val *want = yyjson_arr_get(events, i);
        struct str date = got[i].date ? time_iso_str(a, got[i].date) : STR_NULL;
        if (!str_eq(got[i].id, json_get_str(want, "id")) || !str_eq(got[i].status, json_get_str(want, "status")))
            differ(w, "event", str_fmt(a, "%.*s %.*s", STR_ARG(got[i].id), STR_ARG(got[i].status)), json_write(a, want));
        if (!str_eq(date, json_get_str(want, "date")) || got[i].attempts != json_get_int(want, "attempts", 1)
            || !str_eq(got[i].response, json_get_str(want, "response")))
            differ(w, "event", str_fmt(a, "%.*s, attempt %d, \"%.*s\"", STR_ARG(date), (int)got[i].attempts, STR_ARG(got[i].response)),
                   json_write(a, want));
    }
}

static void reports_check(struct world *w)
{
    size_t i, n;
    yyjson_val *list = json_get(w->facts, "reports"), *x;
    if (status_event_known(str_of(w->provider->id)) != (yyjson_arr_size(list) > 0))
        fail_msg("%s: its facts say %s of reports", w->provider->name, list ? "something" : "nothing");
    yyjson_arr_foreach(list, i, n, x)
        report_check(w, x);
}

static void provider_keeps_to_its_facts(void **state)
{
    struct world *w = *state;
    size_t i, n;
    yyjson_val *cases = json_get(w->facts, "cases"), *c;
    yyjson_val *sent = first_of(w, cases);
    yyjson_arr_foreach(cases, i, n, c)
        case_check(w, c);
    passthrough_check(w, sent);
    failures_check(w, sent);
    reports_check(w);
}

static int world_open(void **state)
{
    const struct provider *p = *state;
    struct world *w = calloc(1, sizeof *w);
    struct error err = {0};
    char path[256];
    w->desk = (struct desk)DESK_INIT;
    w->arena = arena_create(0);
    w->provider = p;
    snprintf(path, sizeof path, TESTDATA "/providers/%s.json", p->name);
    if (access(path, R_OK)) {
        print_error("%s has no facts: write %s (the head of test_declarations.c says how)\n", p->name, path);
        arena_destroy(w->arena);
        free(w);
        return -1;
    }
    w->facts = data_json(w->arena, path);
    w->sink = SINK_START("http_sink.py", "--out", "/dev/null");
    dispatcher_anew(w);
    w->control = dispatcher_start(&(struct dispatcher_config){0}, &err);
    *state = w;
    return w->control ? 0 : -1;
}

static int world_close(void **state)
{
    struct world *w = *state;
    dispatcher_stop(w->d, 0);
    dispatcher_stop(w->control, 0);
    sink_stop(w->sink);
    arena_destroy(w->arena);
    free(w);
    return 0;
}

/* --- which there are --- */

static void facts_are_about_declared_providers(void **state)
{
    static struct provider facts[PROVIDERS_MAX];
    (void)state;
    size_t n = providers_list(TESTDATA "/providers", facts);
    for (size_t i = 0; i < n; i++)
        if (!bsearch(&facts[i], providers, providers_n, sizeof *providers, provider_by_name))
            fail_msg("%s is not declared", facts[i].name);
    assert_int_equal(n, providers_n);
}

/* argv[1]: which, with * and ?. */
int main(int argc, char **argv)
{
    static struct CMUnitTest tests[PROVIDERS_MAX + 1];
    providers_n = providers_list(SOURCE_DIR "/providers", providers);
    if (!providers_n || !crypto_init())
        return 1;
    for (size_t i = 0; i < providers_n; i++)
        tests[i] = (struct CMUnitTest){providers[i].name, provider_keeps_to_its_facts, world_open, world_close, &providers[i]};
    tests[providers_n] = (struct CMUnitTest)cmocka_unit_test(facts_are_about_declared_providers);
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return _cmocka_run_group_tests("declarations", tests, providers_n + 1, NULL, NULL);
}
