/* Sends through a declared provider: what must be asked before, the request, and what its answer means (providers.md §1).
 *
 * Each request is one exchange of the job; JOB_AGAIN goes on with the next one. Everything of a delivery is in its arena.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "delivery/mail_message.h"
#include "delivery/provider_private.h"
#include "delivery/reply_text.h"

enum { EACH_MAX = 1000, ERROR_SHOWN = 1000, TOKEN_MARGIN_MS = 60000, TOKEN_LIFE_S = 3600 };

enum phase { PHASE_TOKEN, PHASE_STEP, PHASE_SEND, PHASE_CHECK };

struct sending {
    struct job *job;
    struct delivery *delivery;
    yyjson_val *declaration, *variant;  /* variant: where req, res and steps are */
    struct template_scope scope;
    struct secrets secrets;
    enum phase phase;
    size_t step, item;                  /* of the variant's steps, of the step's list */
    struct str token, token_key;        /* key p NULL: the provider takes none */
    bool token_renewed;
    struct http_request request;
    struct http_header headers[HTTP_HEADERS_MAX];
    struct outbound_target target;
    struct error unread;                /* of expressions about an answer: what they do not find is none */
};

/* --- the scope -------------------------------------------------------------------------------------------------------------- */

static void root(struct sending *s, const char *name, yyjson_val *v)
{
    struct template_scope *t = &s->scope;
    if (v)
        yyjson_mut_obj_add_val(t->doc, t->roots, name, yyjson_val_mut_copy(t->doc, v));
}

static void root_put(struct sending *s, const char *name, yyjson_mut_val *v)
{
    yyjson_mut_obj_remove_key(s->scope.roots, name);
    if (v)
        yyjson_mut_obj_add_val(s->scope.doc, s->scope.roots, name, v);
}

/* Members that override the body, beside "_passthrough". */
static void add_override(struct sending *s)
{
    struct template_scope *t = &s->scope;
    yyjson_val *o = s->delivery->overrides;
    yyjson_mut_val *known = o ? yyjson_val_mut_copy(t->doc, o) : yyjson_mut_obj(t->doc), *b;
    if (!yyjson_mut_is_obj(known))
        known = yyjson_mut_obj(t->doc);
    yyjson_mut_obj_remove_key(known, "_passthrough");
    b = body_cased_mut(t, known, json_get_str(s->declaration, "casing"), json_get(s->declaration, "keyCase"));
    /* Some take the step's own data for settings too; the override's go before them. */
    if (json_get_bool(s->declaration, "customDataOverrides", false) && template_get(template_get(t->roots, "m"), "customData"))
        b = body_merge(t, template_get(template_get(t->roots, "m"), "customData"), b);
    /* As SendGrid's library reads its own mail object. */
    if (str_eqz(json_get_str(s->declaration, "casing"), "sendgrid") && template_get(b, "category")) {
        yyjson_mut_val *list = yyjson_mut_arr(t->doc);
        yyjson_mut_arr_append(list, template_copy(t, template_get(b, "category")));
        yyjson_mut_obj_remove_key(b, "category");
        yyjson_mut_obj_add_val(t->doc, b, "categories", list);
    }
    if (str_eqz(json_get_str(json_get(s->declaration, "req"), "formKeys"), "pascal"))
        b = body_cased_mut(t, b, STR("pascal"), NULL);
    yyjson_val *body = json_get(json_get(o, "_passthrough"), "body");
    if (yyjson_is_obj(body))
        b = body_merge(t, b, yyjson_val_mut_copy(t->doc, body));
    root_put(s, "b", b);
}

/* The whole mail as bytes, for providers that want it so. */
static bool add_mime(struct sending *s, struct error *err)
{
    struct delivery *d = s->delivery;
    struct mail_message mail;
    struct mail_stamp stamp = {.idempotency_key = d->idempotency_key, .now_ms = clock_real_ms()};
    if (!d->email)
        return error_set(err, ERROR_BAD_INPUT, "The message is no e-mail");
    if (!mail_compose(s->job->arena, d->email, &stamp, &mail, err))
        return false;
    yyjson_mut_obj_add_val(s->scope.doc, template_get(s->scope.roots, "m"), "mime",
                           template_of_str(&s->scope, base64_encode(s->job->arena, mail_bytes(s->job->arena, &mail))));
    return true;
}

/* Cards that the provider has no form for are sent as text. */
static void card_as_text(struct sending *s)
{
    struct template_scope *t = &s->scope;
    yyjson_mut_val *m = template_get(t->roots, "m"), *card = template_get(m, "card");
    struct str text = json_write(t->arena, s->declaration);
    if (!yyjson_mut_is_obj(card) || str_find(text, STR("m.card")) >= 0 || str_find(text, STR("waMessage")) >= 0)
        return;
    yyjson_mut_val *content = template_of_str(t, card_markdown(t, card));
    yyjson_mut_obj_remove_key(m, "content");
    yyjson_mut_obj_add_val(t->doc, m, "content", content);
}

static void scope_make(struct sending *s)
{
    struct delivery *d = s->delivery;
    struct template_scope *t = &s->scope;
    yyjson_val *account = NULL;
    struct str text = json_get_str(d->credentials, "serviceAccount");
    *t = (struct template_scope){.arena = s->job->arena, .doc = json_doc(s->job->arena), .declaration = s->declaration, .now_ms = clock_real_ms()};
    t->roots = yyjson_mut_obj(t->doc);
    root(s, "m", d->message);
    root(s, "c", d->credentials);
    root(s, "cfg", d->configurations);
    root(s, "cd", d->target);
    root(s, "ep", json_get(d->target, "endpoint"));
    text = text.n ? text : json_get_str(d->credentials, "user");
    if (text.n && text.p[0] == '{' && json_parse(t->arena, text, &account, NULL))
        root(s, "sa", account);
    root_put(s, "s", yyjson_mut_obj(t->doc));
    card_as_text(s);
}

/* --- before anything is sent ---------------------------------------------------------------------------------------------------- */

static bool variant_find(struct sending *s, struct error *err)
{
    yyjson_val *variants = json_get(s->declaration, "variants"), *v;
    s->variant = s->declaration;
    if (!variants)
        return true;
    yyjson_arr_iter it = yyjson_arr_iter_with(variants);
    while ((v = yyjson_arr_iter_next(&it)))
        if (template_truthy(template_value(&s->scope, json_get_str(v, "when")))) {
            s->variant = v;
            return true;
        }
    struct str type = json_get_str(s->delivery->target, "type");
    return error_set(err, ERROR_BAD_INPUT, "The provider sends to no endpoint of type \"%.*s\".", (int)(type.n > 64 ? 64 : type.n), type.p);
}

static bool credentials_check(struct sending *s, struct error *err)
{
    yyjson_val *must = json_get(s->declaration, "must"), *k;
    yyjson_arr_iter it = yyjson_arr_iter_with(must);
    struct str why = json_get_str(s->declaration, "mustErr");
    while (must && (k = yyjson_arr_iter_next(&it))) {
        yyjson_val *v = json_getn(s->delivery->credentials, json_str(k));
        if (!v || yyjson_is_null(v) || (yyjson_is_str(v) && !yyjson_get_len(v)))
            return error_set(err, ERROR_BAD_INPUT, "%.*s", STR_ARG(why));
    }
    return true;
}

static bool endpoint_check(struct sending *s, struct error *err)
{
    yyjson_val *types = json_get(s->declaration, "endpoints"), *k;
    struct str type = json_get_str(s->delivery->target, "type");
    yyjson_arr_iter it = yyjson_arr_iter_with(types);
    if (!types)
        return true;
    while ((k = yyjson_arr_iter_next(&it)))
        if (str_eq(json_str(k), type) || (!type.n && yyjson_equals_str(k, "none")))
            return true;
    return error_set(err, ERROR_BAD_INPUT, "The provider sends to no endpoint of type \"%.*s\".", (int)(type.n > 64 ? 64 : type.n), type.p);
}

/* The declaration's own rules about what it is given, with its own words. */
static bool refusals_check(struct sending *s, struct error *err)
{
    yyjson_val *list = json_get(s->declaration, "refuse"), *x;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while (list && (x = yyjson_arr_iter_next(&it)))
        if (template_truthy(template_value(&s->scope, json_get_str(x, "when")))) {
            struct str why = template_text(&s->scope, json_get_str(x, "text"), false);
            return error_set(err, ERROR_BAD_INPUT, "%.*s", (int)(why.n > 200 ? 200 : why.n), why.p);
        }
    return err->code == ERROR_NONE;
}

/* What a trigger may hand over itself. */
static void secrets_of_override(struct sending *s)
{
    yyjson_val *o = s->delivery->overrides, *headers = json_get(json_get(o, "_passthrough"), "headers"), *k;
    yyjson_obj_iter it = yyjson_obj_iter_with(headers);
    secrets_add_text(s->job->arena, &s->secrets, json_get_str(o, "apiKey"));
    while (yyjson_is_obj(headers) && (k = yyjson_obj_iter_next(&it)))
        secrets_add_text(s->job->arena, &s->secrets, json_str(yyjson_obj_iter_get_val(k)));
}

static yyjson_val *part(const struct sending *s, const char *name)
{
    yyjson_val *own = json_get(s->variant, name);
    return own ? own : json_get(s->declaration, name);
}

static yyjson_val *step_of(const struct sending *s)
{
    return yyjson_arr_get(json_get(s->variant, "steps"), s->step);
}

static yyjson_mut_val *items_of(struct sending *s, yyjson_val *step)
{
    return template_value(&s->scope, json_get_str(step, "each"));
}

/* The first that is to be made from here on, else the send itself. Of a step with a list, "if" is asked of each item. */
static void phase_settle(struct sending *s)
{
    yyjson_val *step;
    for (; (step = step_of(s)); s->step++, s->item = 0) {
        yyjson_mut_val *items = json_get(step, "each") ? items_of(s, step) : NULL;
        size_t n = json_get(step, "each") ? yyjson_mut_arr_size(items) : 1;
        for (; s->item < n; s->item++) {
            if (items)
                root_put(s, "item", template_copy(&s->scope, yyjson_mut_arr_get(items, s->item)));
            if (!json_get(step, "if") || template_truthy(template_value(&s->scope, json_get_str(step, "if")))) {
                s->phase = PHASE_STEP;
                return;
            }
        }
    }
    s->phase = PHASE_SEND;
}

/* What the steps of "hook" know beside the credentials. */
static void hook_add(struct sending *s)
{
    struct template_scope *t = &s->scope;
    yyjson_mut_val *hook = yyjson_mut_obj(t->doc);
    yyjson_mut_obj_add_val(t->doc, hook, "url", template_of_str(t, s->delivery->hook_url));
    root_put(s, "hook", hook);
}

/* --- requests ----------------------------------------------------------------------------------------------------------------- */

static struct str filled(struct sending *s, yyjson_val *o, const char *key)
{
    struct str text = template_text(&s->scope, json_get_str(o, key), false);
    return text.p ? text : STR("");
}

static void headers_add(struct sending *s, struct header_list *h, yyjson_mut_val *v)
{
    yyjson_mut_val *k;
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(v);
    while (yyjson_mut_is_obj(v) && (k = yyjson_mut_obj_iter_next(&it)))
        header_put(h, (struct str){yyjson_mut_get_str(k), yyjson_mut_get_len(k)}, template_str(&s->scope, yyjson_mut_obj_iter_get_val(k)));
}

/* A place "$body" stands for the merged body. */
static yyjson_mut_val *wrapped(struct sending *s, yyjson_val *v, yyjson_mut_val *body)
{
    struct template_scope *t = &s->scope;
    yyjson_val *k;
    if (yyjson_equals_str(v, "$body"))
        return template_copy(t, body);
    if (!yyjson_is_obj(v) && !yyjson_is_arr(v))
        return template_fill(t, v);
    yyjson_mut_val *out = yyjson_is_arr(v) ? yyjson_mut_arr(t->doc) : yyjson_mut_obj(t->doc), *x;
    if (yyjson_is_arr(v)) {
        yyjson_arr_iter it = yyjson_arr_iter_with(v);
        while ((k = yyjson_arr_iter_next(&it)))
            if ((x = wrapped(s, k, body)))
                yyjson_mut_arr_append(out, x);
        return out;
    }
    yyjson_obj_iter it = yyjson_obj_iter_with(v);
    while ((k = yyjson_obj_iter_next(&it)))
        if ((x = wrapped(s, yyjson_obj_iter_get_val(k), body)))
            yyjson_mut_obj_add(out, template_of_str(t, json_str(k)), template_copy(t, x));
    return out;
}

static bool overrides_apply(const struct sending *s)
{
    yyjson_val *how = part(s, "overrides");
    return s->phase == PHASE_SEND && !how;          /* false: none; "build": the declaration reads b itself */
}

/* The members of the body, with what the trigger overrides. */
static yyjson_mut_val *members(struct sending *s, yyjson_val *req, const char *kind, struct error *err)
{
    struct template_scope *t = &s->scope;
    yyjson_mut_val *body = template_fill(t, json_get(req, kind)), *b = template_get(t->roots, "b");
    yyjson_val *k;
    if (!body)
        body = yyjson_mut_obj(t->doc);
    if (overrides_apply(s) && yyjson_mut_obj_size(b)) {
        yyjson_arr_iter locked = yyjson_arr_iter_with(json_get(req, "locked"));
        while (json_get(req, "locked") && (k = yyjson_arr_iter_next(&locked)))
            if (yyjson_mut_obj_getn(b, yyjson_get_str(k), yyjson_get_len(k))) {
                struct str why = json_get_str(req, "lockedErr");
                error_set(err, ERROR_BAD_INPUT, "%.*s", STR_ARG(why));
                return NULL;
            }
        body = body_merge(t, body, b);
        if (str_eqz(json_get_str(s->declaration, "casing"), "sendgrid"))
            body_addresses(t, body);
    }
    yyjson_arr_iter strip = yyjson_arr_iter_with(json_get(req, "strip"));
    while (json_get(req, "strip") && (k = yyjson_arr_iter_next(&strip)))
        yyjson_mut_obj_remove_keyn(body, yyjson_get_str(k), yyjson_get_len(k));
    return json_get(req, "wrap") ? wrapped(s, json_get(req, "wrap"), body) : body;
}

static void query_add(struct sending *s, struct str query)
{
    struct str url = s->request.url;
    if (query.n)
        s->request.url = str_fmt(s->job->arena, "%.*s%s%.*s", STR_ARG(url), str_find(url, STR("?")) < 0 ? "?" : "&", STR_ARG(query));
}

static bool body_make(struct sending *s, yyjson_val *req, struct header_list *h, struct error *err)
{
    struct template_scope *t = &s->scope;
    struct arena *a = s->job->arena;
    const char *kind = json_get(req, "json") ? "json" : json_get(req, "form") ? "form" : json_get(req, "multipart") ? "multipart"
                     : json_get(req, "query") ? "query" : NULL;
    yyjson_mut_val *body = kind ? members(s, req, kind, err) : NULL;
    if (!kind || !body)
        return err->code == ERROR_NONE;
    if (!strcmp(kind, "query")) {
        query_add(s, body_form(t, body, false));
        return true;
    }
    if (!strcmp(kind, "json")) {
        header_put(h, STR("Content-Type"), STR("application/json"));
        s->request.body = json_write_mut(a, body);
    } else if (!strcmp(kind, "form")) {
        header_put(h, STR("Content-Type"), STR("application/x-www-form-urlencoded"));
        s->request.body = body_form(t, body, str_eqz(json_get_str(req, "flatten"), "aws-query"));
    } else {
        struct str boundary = crypto_random_hex(a, 16);
        header_put(h, STR("Content-Type"), str_fmt(a, "multipart/form-data; boundary=%.*s", STR_ARG(boundary)));
        if (!body_multipart(t, body, boundary, &s->request.body, err))
            return false;
    }
    return true;
}

static bool auth_add(struct sending *s, yyjson_val *auth, struct header_list *h, struct error *err)
{
    struct arena *a = s->job->arena;
    struct str kind = json_get_str(auth, "kind");
    struct signing sign = {.method = s->request.method, .url = s->request.url, .body = s->request.body, .headers = h, .now_ms = s->scope.now_ms};
    if (str_eqz(kind, "basic"))
        header_put(h, STR("Authorization"), str_fmt(a, "Basic %.*s", STR_ARG(base64_encode(a,
                   str_fmt(a, "%.*s:%.*s", STR_ARG(filled(s, auth, "user")), STR_ARG(filled(s, auth, "pass")))))));
    else if (str_eqz(kind, "bearer"))
        header_put(h, STR("Authorization"), str_fmt(a, "Bearer %.*s", STR_ARG(filled(s, auth, "token"))));
    else if (str_eqz(kind, "header"))
        header_put(h, json_get_str(auth, "name"), filled(s, auth, "value"));
    else if (str_eqz(kind, "sigv4"))
        sign_sigv4(a, &sign, json_get_str(auth, "service"), filled(s, auth, "region"), filled(s, auth, "key"), filled(s, auth, "secret"));
    else if (str_eqz(kind, "azure-hmac") && !sign_azure(a, &sign, filled(s, auth, "key")))
        return error_set(err, ERROR_BAD_INPUT, "The access key is not base64");
    else if (s->token.n)
        header_put(h, STR("Authorization"), str_fmt(a, "Bearer %.*s", STR_ARG(s->token)));
    return true;
}

static void passthrough_add(struct sending *s, struct header_list *h)
{
    yyjson_val *given = json_get(s->delivery->overrides, "_passthrough"), *headers = json_get(given, "headers"), *query = json_get(given, "query");
    if (yyjson_is_obj(headers))
        headers_add(s, h, yyjson_val_mut_copy(s->scope.doc, headers));
    if (yyjson_is_obj(query))
        query_add(s, body_form(&s->scope, yyjson_val_mut_copy(s->scope.doc, query), false));
}

/* Customers' URLs and their providers' may lead only where the policy lets them; a sink takes everything. */
static bool target_check(struct sending *s, yyjson_val *req, struct error *err)
{
    struct str url = s->request.url;
    if (str_find(url, STR("://")) < 0)
        s->request.url = url = str_fmt(s->job->arena, "https://%.*s", STR_ARG(url));
    if (s->job->sink || !s->delivery->outbound || (json_get(req, "ssrf") && !json_get_bool(req, "ssrf", true)))
        return true;
    s->request.address_ok = outbound_address_ok;
    s->request.address_ctx = &s->target;
    return outbound_check(s->delivery->outbound, s->job->arena, url, &s->target, err);
}

static bool token_request(struct sending *s, yyjson_val *auth, struct header_list *h, struct error *err);

static bool request_make(struct sending *s, struct error *err)
{
    struct template_scope *t = &s->scope;
    struct header_list h = {.list = s->headers, .arena = s->job->arena};
    yyjson_val *req = s->phase == PHASE_STEP ? json_get(step_of(s), "req") : part(s, s->phase == PHASE_CHECK ? "check" : "req");
    struct str method = filled(s, req, "method");
    t->err = err;
    t->response = NULL;
    t->answer = NULL;
    s->request = (struct http_request){.method = method.n ? method : STR("POST")};
    if (str_eqz(json_get_str(req, "http"), "2"))
        s->request.version = HTTP_2_ONLY;
    s->request.url = template_text(t, json_get_str(req, "url"), true);
    if (s->phase == PHASE_TOKEN) {
        if (!token_request(s, json_get(req, "auth"), &h, err))
            return false;
    } else {
        if (!body_make(s, req, &h, err))
            return false;
        t->body = s->request.body;
        headers_add(s, &h, json_get(req, "headers") ? template_fill(t, json_get(req, "headers")) : NULL);
        if (s->phase == PHASE_SEND)
            passthrough_add(s, &h);
        struct str own = STR_NULL;      /* the override's wins over ours */
        for (size_t i = 0; i < h.n; i++)
            if (str_eq_nocase(h.list[i].name, STR("authorization")))
                own = h.list[i].value;
        yyjson_val *auth = json_get(s->delivery->purpose == DELIVERY_SEND || json_get(req, "auth") ? req : part(s, "req"), "auth");
        if (!target_check(s, req, err) || (!own.p && !auth_add(s, auth, &h, err)))
            return false;
    }
    s->request.headers = h.list;
    s->request.headers_n = h.n;
    return err->code == ERROR_NONE;
}

/* --- tokens --------------------------------------------------------------------------------------------------------------------- */

static struct str claims_of(struct sending *s, yyjson_val *jwt, bool whole)
{
    struct template_scope *t = &s->scope;
    yyjson_mut_val *o = yyjson_mut_obj(t->doc);
    int64_t now = t->now_ms / 1000, ttl = json_get_int(jwt, "ttl", TOKEN_LIFE_S);
    yyjson_mut_obj_add_val(t->doc, o, "iss", template_of_str(t, filled(s, jwt, "iss")));
    if (whole) {
        yyjson_mut_obj_add_val(t->doc, o, "aud", template_of_str(t, filled(s, jwt, "aud")));
        yyjson_mut_obj_add_val(t->doc, o, "scope", template_of_str(t, filled(s, jwt, "scope")));
        yyjson_mut_obj_add_int(t->doc, o, "exp", now + ttl);
    }
    yyjson_mut_obj_add_int(t->doc, o, "iat", now);
    return json_write_mut(t->arena, o);
}

static struct str jwt_make(struct sending *s, yyjson_val *jwt, bool whole, struct error *err)
{
    struct str token = jwt_sign_key(s->job->arena, json_get_str(jwt, "alg"), filled(s, jwt, "kid"), claims_of(s, jwt, whole), filled(s, jwt, "key"));
    if (!token.p)
        error_set(err, ERROR_BAD_INPUT, "The private key of the credentials cannot be read");
    return token;
}

static bool token_request(struct sending *s, yyjson_val *auth, struct header_list *h, struct error *err)
{
    struct template_scope *t = &s->scope;
    struct arena *a = s->job->arena;
    struct str origin = STR("");
    yyjson_mut_val *form;
    http_origin(a, s->request.url, &origin, NULL);
    /* As it is written, without the port that an origin spells out. */
    if (str_ends(origin, STR(":443")))
        origin.n -= 4;
    root_put(s, "origin", template_of_str(t, origin));
    s->request.url = template_text(t, json_get_str(auth, "tokenUrl"), true);
    form = json_get(auth, "form") ? template_fill(t, json_get(auth, "form")) : yyjson_mut_obj(t->doc);
    yyjson_mut_obj_add_val(t->doc, form, "grant_type", template_of_str(t, json_get_str(auth, "grant")));
    if (json_get(auth, "jwt")) {
        struct str assertion = jwt_make(s, json_get(auth, "jwt"), true, err);
        if (!assertion.p)
            return false;
        yyjson_mut_obj_add_val(t->doc, form, "assertion", template_of_str(t, assertion));
    }
    s->request.body = body_form(t, form, false);
    header_put(h, STR("Content-Type"), STR("application/x-www-form-urlencoded"));
    header_put(h, STR("Accept"), STR("application/json"));
    if (str_eqz(json_get_str(auth, "client"), "basic"))
        header_put(h, STR("Authorization"), str_fmt(a, "Basic %.*s", STR_ARG(base64_encode(a,
                   str_fmt(a, "%.*s:%.*s", STR_ARG(filled(s, auth, "clientId")), STR_ARG(filled(s, auth, "clientSecret")))))));
    return target_check(s, NULL, err);
}

/* From the cache, made here, or to be asked for. */
static bool token_settle(struct sending *s, struct error *err)
{
    struct arena *a = s->job->arena;
    yyjson_val *auth = json_get(part(s, "req"), "auth");
    struct str kind = json_get_str(auth, "kind");
    bool made_here = str_eqz(kind, "jwt");
    if (s->phase == PHASE_TOKEN || s->token.n || (!made_here && !str_eqz(kind, "oauth2")))
        return true;
    s->token_key = crypto_sha256_hex(a, str_fmt(a, "%.*s %.*s", STR_ARG(s->delivery->provider_id), STR_ARG(json_write(a, s->delivery->credentials))));
    s->token = token_cache_get(dispatcher_tokens(s->job->dispatcher), a, s->token_key, s->scope.now_ms);
    if (s->token.p) {
        secrets_add_text(a, &s->secrets, s->token);
        return true;
    }
    if (!made_here) {
        s->phase = PHASE_TOKEN;
        return true;
    }
    s->token = jwt_make(s, auth, false, err);
    if (!s->token.p)
        return false;
    secrets_add_text(a, &s->secrets, s->token);
    token_cache_put(dispatcher_tokens(s->job->dispatcher), s->token_key, s->token, s->scope.now_ms + json_get_int(auth, "ttl", TOKEN_LIFE_S) * 1000);
    return true;
}

/* --- the driver's calls ------------------------------------------------------------------------------------------------------------ */

static bool provider_plan(struct job *j, struct error *err)
{
    struct sending *s = ARENA_NEW(j->arena, struct sending);
    struct delivery *d = j->delivery;
    s->job = j;
    s->delivery = d;
    s->declaration = d->declaration;
    s->secrets = secrets_of(j->arena, d->credentials);
    secrets_add(j->arena, &s->secrets, d->target);
    d->driving = s;
    scope_make(s);
    s->scope.err = err;
    if (d->purpose == DELIVERY_CHECK) {
        s->phase = PHASE_CHECK;
        s->variant = s->declaration;
        return credentials_check(s, err) && request_make(s, err) && http_origin(j->arena, s->request.url, &j->host_key, err);
    }
    if (d->purpose == DELIVERY_HOOK) {
        s->variant = json_get(s->declaration, "hook");
        if (!step_of(s))
            return error_set(err, ERROR_BAD_INPUT, "The provider cannot be told where to report.");
        hook_add(s);
        phase_settle(s);
        return credentials_check(s, err) && request_make(s, err) && http_origin(j->arena, s->request.url, &j->host_key, err);
    }
    secrets_of_override(s);
    add_override(s);
    if (!credentials_check(s, err) || !refusals_check(s, err) || !endpoint_check(s, err) || !variant_find(s, err))
        return false;
    if (str_eqz(json_get_str(s->declaration, "engine"), "http+mime") && !add_mime(s, err))
        return false;
    phase_settle(s);
    if (!token_settle(s, err) || !request_make(s, err))
        return false;
    return http_origin(j->arena, s->request.url, &j->host_key, err);
}

static bool provider_begin(struct job *j, struct error *err)
{
    struct sending *s = j->delivery->driving;
    struct http_exchange *x;
    return http_exchange_begin(j, &s->request, &x, err);
}

static void provider_release(struct job *j)
{
    http_exchange_release(j->state);
    j->state = NULL;
}

/* --- answers ---------------------------------------------------------------------------------------------------------------------- */

static void answer_read(struct sending *s, const struct http_response *r, struct str format)
{
    struct template_scope *t = &s->scope;
    yyjson_val *v = NULL;
    t->response = r;
    t->answer = NULL;
    s->unread = (struct error){0};
    t->err = &s->unread;
    if (!str_eqz(format, "text") && !str_eqz(format, "xml") && json_parse(t->arena, r->body, &v, NULL))
        t->answer = yyjson_val_mut_copy(t->doc, v);
    yyjson_mut_val *http = yyjson_mut_obj(t->doc);
    yyjson_mut_obj_add_int(t->doc, http, "status", r->status);
    if (r->retry_after_ms)
        yyjson_mut_obj_add_int(t->doc, http, "retryAfter", r->retry_after_ms / 1000);
    root_put(s, "http", http);
}

static bool status_is_good(yyjson_val *res, int status)
{
    yyjson_val *list = json_get(res, "status"), *x;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while (list && (x = yyjson_arr_iter_next(&it)))
        if (yyjson_get_int(x) == status)
            return true;
    return !list && status >= 200 && status < 300;
}

/* The declaration's own words for failures (providers.md §5.6, §5.7). */
static struct str named_error(struct sending *s, const struct http_response *r)
{
    yyjson_val *list = json_get(s->declaration, "errors"), *x;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while (list && r->status && (x = yyjson_arr_iter_next(&it))) {
        struct str part_of = json_get_str(x, "contains");
        if ((json_get(x, "status") && json_get_int(x, "status", 0) != r->status) || (part_of.n && str_find(r->body, part_of) < 0))
            continue;
        return template_text(&s->scope, json_get_str(x, "text"), false);
    }
    return STR_NULL;
}

/* What the declaration finds; else what stands there as plain text (some tell only their refusals so). */
static struct str error_text(struct sending *s, const struct http_response *r, yyjson_val *res)
{
    struct str paths = s->phase == PHASE_TOKEN ? STR("error_description | error.message | error | message") : json_get_str(res, "err");
    struct str text = named_error(s, r);
    if (!text.n)
        text = template_str(&s->scope, template_path(&s->scope, paths));
    if (!text.n && str_starts(http_response_header(r, "content-type"), STR("text/plain")))
        text = str_trim(r->body);
    return text;
}

static bool holds(struct sending *s, yyjson_val *res, const char *rule)
{
    struct str when = json_get_str(res, rule);
    return when.n && template_truthy(template_value(&s->scope, when));
}

/* Of those that tell the wait in the body: seconds. */
static int64_t wait_told(struct sending *s, const struct http_response *r, yyjson_val *res)
{
    struct str told = template_str(&s->scope, template_path(&s->scope, json_get_str(res, "retryAfter")));
    double seconds = told.n && !r->retry_after_ms ? strtod(str_z(s->job->arena, told), NULL) : 0;
    if (!(seconds > 0))
        return r->retry_after_ms;
    return seconds * 1000 < HTTP_RETRY_AFTER_MAX_MS ? (int64_t)(seconds * 1000) : HTTP_RETRY_AFTER_MAX_MS;
}

/* Some tell in a good answer, or with a status that would be final, that another attempt is worth it ("retry"), or with
 * one that would not that it is not ("final"). */
static enum delivery_outcome failed_as(struct sending *s, const struct http_response *r, yyjson_val *res)
{
    if (r->status && holds(s, res, "retry"))
        return DELIVERY_RETRY;
    return r->outcome == DELIVERY_SENT || (r->status && holds(s, res, "final")) ? DELIVERY_FAILED : r->outcome;
}

static void fail(struct sending *s, const struct http_response *r, yyjson_val *res, struct delivery_result *out)
{
    struct arena *a = s->job->arena;
    yyjson_val *gone = json_get(s->declaration, "invalidToken"), *x;
    struct str text = r->status ? error_text(s, r, res) : STR_NULL;
    if (!text.n)
        text = r->error.n ? r->error : str_fmt(a, "Request failed with status code %d", r->status);
    out->outcome = failed_as(s, r, res);
    out->retry_after_ms = out->outcome == DELIVERY_RETRY ? wait_told(s, r, res) : 0;
    out->error = str_cut(reply_text_safe(a, &s->secrets, text), ERROR_SHOWN);
    out->response = reply_text_safe(a, &s->secrets, r->body);
    yyjson_arr_iter it = yyjson_arr_iter_with(gone);
    while (gone && r->status && (x = yyjson_arr_iter_next(&it)))
        out->address_gone |= str_find(r->body, json_str(x)) >= 0;
}

static bool is_ok(struct sending *s, const struct http_response *r, yyjson_val *res)
{
    return r->status && status_is_good(res, r->status)
        && (!json_get(res, "ok") || template_truthy(template_value(&s->scope, json_get_str(res, "ok"))));
}

/* Of credentials that were asked about. Some may do what is needed but not what was asked: "ok" knows such answers. */
static bool is_let_in(struct sending *s, const struct http_response *r)
{
    return r->outcome == DELIVERY_SENT || (r->status && holds(s, part(s, "check"), "ok"));
}

static enum verdict go_on(struct sending *s, struct delivery_result *out)
{
    struct error err = {0};
    s->scope.response = NULL;
    s->scope.answer = NULL;
    s->scope.now_ms = clock_real_ms();
    if (token_settle(s, &err) && request_make(s, &err))
        return JOB_AGAIN;
    *out = (struct delivery_result){.outcome = DELIVERY_FAILED, .error = str_dup(s->job->arena, str_of(err.message))};
    return JOB_DONE;
}

static enum verdict token_came(struct sending *s, const struct http_response *r, struct delivery_result *out)
{
    struct template_scope *t = &s->scope;
    int64_t life;
    answer_read(s, r, STR(""));
    s->token = str_dup(t->arena, template_get_str(t->answer, "access_token"));
    if (r->outcome != DELIVERY_SENT || !s->token.n) {
        fail(s, r, NULL, out);
        return JOB_DONE;
    }
    secrets_add_text(t->arena, &s->secrets, s->token);
    life = yyjson_mut_is_num(template_get(t->answer, "expires_in")) ? (int64_t)yyjson_mut_get_num(template_get(t->answer, "expires_in")) : TOKEN_LIFE_S;
    token_cache_put(dispatcher_tokens(s->job->dispatcher), s->token_key, s->token, t->now_ms + life * 1000 - TOKEN_MARGIN_MS);
    s->scope.response = NULL;
    s->scope.answer = NULL;
    phase_settle(s);
    return go_on(s, out);
}

/* What a step finds; of several rounds, all of it. */
static void collect(struct sending *s, yyjson_val *step)
{
    struct template_scope *t = &s->scope;
    yyjson_mut_val *found = template_get(t->roots, "s");
    yyjson_val *k;
    yyjson_obj_iter it = yyjson_obj_iter_with(json_get(step, "collect"));
    while ((k = yyjson_obj_iter_next(&it))) {
        yyjson_mut_val *v = template_path(t, json_str(yyjson_obj_iter_get_val(k))), *before = yyjson_mut_obj_get(found, yyjson_get_str(k));
        if (!v)
            continue;
        v = before && json_get(step, "each") ? body_merge(t, before, v) : template_copy(t, v);
        yyjson_mut_obj_remove_key(found, yyjson_get_str(k));
        yyjson_mut_obj_add(found, template_of_str(t, json_str(k)), v);
    }
}

/* All has been asked: what the steps found is the key. */
static enum verdict hook_end(struct sending *s, struct delivery_result *out)
{
    struct template_scope *t = &s->scope;
    struct error err = {0};
    t->err = &err;
    out->hook_key = template_str(t, template_value(t, json_get_str(s->variant, "key")));
    out->outcome = out->hook_key.n ? DELIVERY_SENT : DELIVERY_FAILED;
    if (!out->hook_key.n)
        out->error = STR("The provider did not tell the key that it signs its reports with");
    return JOB_DONE;
}

static enum verdict step_came(struct sending *s, const struct http_response *r, struct delivery_result *out)
{
    yyjson_val *step = step_of(s);
    struct str why = json_get_str(step, "fail");
    answer_read(s, r, STR(""));
    bool ok = is_ok(s, r, NULL) && (!json_get(step, "ok") || template_truthy(template_value(&s->scope, json_get_str(step, "ok"))));
    if (!ok) {
        fail(s, r, part(s, "res"), out);
        if (why.n && r->status)
            out->error = str_ends(why, STR(" N")) ? str_fmt(s->job->arena, "%.*s%d", (int)(why.n - 1), why.p, r->status) : why;
        if (s->delivery->purpose == DELIVERY_HOOK && (r->status == 401 || r->status == 403))
            out->error = str_fmt(s->job->arena, "The provider refused the credentials: %.*s", STR_ARG(out->error));
        return JOB_DONE;
    }
    collect(s, step);
    s->item++;
    if (!json_get(step, "each"))
        s->step++, s->item = 0;
    s->scope.response = NULL;
    s->scope.answer = NULL;
    phase_settle(s);
    return s->delivery->purpose == DELIVERY_HOOK && s->phase == PHASE_SEND ? hook_end(s, out) : go_on(s, out);
}

static enum verdict provider_end(struct job *j, CURLcode code, struct delivery_result *out)
{
    struct sending *s = j->delivery->driving;
    struct http_response *r = ARENA_NEW(j->arena, struct http_response);
    yyjson_val *res = part(s, "res");
    http_exchange_end(j->state, code, r);
    if (s->phase == PHASE_TOKEN)
        return token_came(s, r, out);
    if (s->phase == PHASE_STEP)
        return step_came(s, r, out);
    answer_read(s, r, json_get_str(res, "format"));
    /* A token that ended before its time is fetched once more. */
    if ((r->status == 401 || (r->status == 403 && str_find(r->body, STR("ExpiredProviderToken")) >= 0)) && s->token_key.p && !s->token_renewed) {
        token_cache_drop(dispatcher_tokens(j->dispatcher), s->token_key);
        s->token = STR_NULL;
        s->token_renewed = true;
        return go_on(s, out);
    }
    if (s->phase == PHASE_CHECK ? !is_let_in(s, r) : !is_ok(s, r, res)) {
        out->host_unknown = code == CURLE_COULDNT_RESOLVE_HOST;
        fail(s, r, res, out);
        return JOB_DONE;
    }
    out->outcome = DELIVERY_SENT;
    if (s->phase == PHASE_CHECK)
        return JOB_DONE;
    out->message_id = template_str(&s->scope, template_path(&s->scope, json_get_str(res, "id")));
    out->response = reply_text_safe(j->arena, &s->secrets, r->body);
    return JOB_DONE;
}

const struct driver provider_driver = {
    .provider_id = "http", .plan = provider_plan, .begin = provider_begin, .end = provider_end, .release = provider_release
};
