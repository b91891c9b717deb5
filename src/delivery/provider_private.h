/* What the files of the declared providers share (providers.md). */
#ifndef DELIVERY_PROVIDER_PRIVATE_H
#define DELIVERY_PROVIDER_PRIVATE_H

#include "delivery/http_attempt.h"
#include "delivery/outbound.h"
#include "delivery/template.h"

/* --- declarations (provider_list.c) --- */

struct providers;

struct providers *providers_create(void);
void providers_destroy(struct providers *p);
/* NULL: nothing is declared. channel: its name on the wire; the ids of channels overlap. */
yyjson_val *providers_find(const struct providers *p, struct str channel, struct str id);

/* --- bodies (provider_body.c) --- */

/* Keys at any depth in another casing: camel, pascal, snake, kebab, constant, none; sendgrid is snake but for what its own
 * library leaves alone. names: exceptions by the result, else by the original; true: the keys in that object are not ours. */
yyjson_mut_val *body_cased(struct template_scope *t, yyjson_val *v, struct str casing, yyjson_val *names);
yyjson_mut_val *body_cased_mut(struct template_scope *t, yyjson_mut_val *v, struct str casing, yyjson_val *names);
/* from over into: objects member by member, lists one behind the other, all else replaces (providers.md §6.1). */
yyjson_mut_val *body_merge(struct template_scope *t, yyjson_mut_val *into, yyjson_mut_val *from);
/* Senders that overrides gave as text ("Name <address>") become {email, name}. */
void body_addresses(struct template_scope *t, yyjson_mut_val *body);
/* "a=1&a=2&b=…" (RFC 3986); aws: nested members as the query APIs of AWS write them. */
struct str body_form(struct template_scope *t, yyjson_mut_val *v, bool aws);
/* false: err is set. */
bool body_multipart(struct template_scope *t, yyjson_mut_val *v, struct str boundary, struct str *out, struct error *err);
void body_percent(struct buf *b, struct str s);

/* --- who we are (provider_auth.c) --- */

struct header_list {
    struct http_header *list;
    size_t n;
    struct arena *arena;
};
/* Replaces one of that name. Names or values that are empty are left out. */
void header_put(struct header_list *h, struct str name, struct str value);

struct signing {
    struct str method, url, body;
    struct header_list *headers;
    int64_t now_ms;
};
/* AWS Signature version 4 (providers.md §4.1). */
void sign_sigv4(struct arena *a, const struct signing *s, struct str service, struct str region, struct str key, struct str secret);
/* Azure Communication Services (§4.6). false: the key is no base64. */
bool sign_azure(struct arena *a, const struct signing *s, struct str key);
/* A JWT over these claims, signed with a PEM key: RS256 or ES256. p NULL: the key is not one. */
struct str jwt_sign_key(struct arena *a, struct str alg, struct str kid, struct str claims, struct str pem);

/* Tokens that are valid for a while. The dispatcher's thread only. */
struct token_cache;
struct token_cache *token_cache_create(void);
void token_cache_destroy(struct token_cache *c);
/* The key under which it is kept: a hash of all that it depends on. p NULL: there is none that is still good. */
struct str token_cache_get(const struct token_cache *c, struct arena *a, struct str key, int64_t now_ms);
void token_cache_put(struct token_cache *c, struct str key, struct str token, int64_t until_ms);
void token_cache_drop(struct token_cache *c, struct str key);

/* --- push (provider_push.c), §4.3 and §4.4 --- */
yyjson_mut_val *push_fcm_message(struct template_scope *t, yyjson_mut_val *m, yyjson_mut_val *b);
yyjson_mut_val *push_apns_body(struct template_scope *t, yyjson_mut_val *m, yyjson_mut_val *b);

extern const struct driver provider_driver;

#endif
