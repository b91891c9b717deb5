/* The little language of provider declarations (providers.md §1): JSON whose texts may hold {{expressions}}, filled from the
 * message, the credentials and what the provider answered.
 *
 * Values are yyjson_mut_val of the scope's document; NULL is "none": a member that is none is left out, an element becomes
 * null. A text that is one lone expression gives the value itself, else values are written as text and joined. Evaluating
 * changes nothing outside; everything lives in the scope's arena. One thread at a time.
 *
 *   expression := or ['?' expression ':' expression]      or := and {('||' | '??') and}     and := equal {'and' equal}
 *   equal := sum [('==' | '!=' | 'in') sum]               sum := unary {'+' unary}          unary := ['!'] primary
 *   primary := literal | path | function '(' arguments ')' | '(' expression ')' | list | object
 */
#ifndef DELIVERY_TEMPLATE_H
#define DELIVERY_TEMPLATE_H

#include "base/json.h"

struct http_response;

struct template_scope {
    struct arena *arena;
    yyjson_mut_doc *doc;
    yyjson_mut_val *roots;              /* m, c, cfg, cd, ep, s, b, item, hook, a, http: what names begin with */
    const yyjson_val *declaration;      /* for extras() */
    /* Of an answer; NULL while a request is made. Names that are no root are members of answer, then its elements in XML,
     * then body and status. */
    const struct http_response *response;
    yyjson_mut_val *answer;
    struct str body;                    /* of the request, for $body */
    int64_t now_ms;
    struct error *err;                  /* set by the first function that refuses; the value is none */
    int depth;
};

enum { TEMPLATE_DEPTH_MAX = 64 };

yyjson_mut_val *template_value(struct template_scope *t, struct str expression);
/* A declaration's JSON, filled. */
yyjson_mut_val *template_fill(struct template_scope *t, yyjson_val *v);
/* A text with expressions; none gives p NULL only if the text is one lone expression. url: what is put in is percent-encoded,
 * unless it stands first or is made by raw(). */
struct str template_text(struct template_scope *t, struct str s, bool url);
/* Alternatives "a | b | 'c'" of an answer; "header:name" is one. The first that is neither none nor empty. */
yyjson_mut_val *template_path(struct template_scope *t, struct str alternatives);

bool template_truthy(const yyjson_mut_val *v);
bool template_equal(const yyjson_mut_val *a, const yyjson_mut_val *b);
/* As text: "" for none and null, JSON for lists and objects. */
struct str template_str(struct template_scope *t, const yyjson_mut_val *v);
yyjson_mut_val *template_of_str(struct template_scope *t, struct str s);
/* A copy that can be put into something else. */
yyjson_mut_val *template_copy(struct template_scope *t, const yyjson_mut_val *v);
static inline yyjson_mut_val *template_get(const yyjson_mut_val *o, const char *key)
{
    return yyjson_mut_obj_get((yyjson_mut_val *)(uintptr_t)o, key);
}
struct str template_get_str(const yyjson_mut_val *o, const char *key);

/* --- functions (template_functions.c) --- */

enum { TEMPLATE_ARGS_MAX = 12 };
/* A call as written: arguments may be names, "a=b" or "!a" and are evaluated by the function itself. */
struct template_call {
    struct template_scope *scope;
    struct str name;
    struct str args[TEMPLATE_ARGS_MAX];
    size_t n;
};
yyjson_mut_val *template_call(struct template_call *c);
/* false: err is set. */
bool template_refuse(struct template_scope *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- cards (provider_cards.c), providers.md §5.3 to §5.9 --- */

yyjson_mut_val *card_slack_blocks(struct template_scope *t, yyjson_mut_val *card);
yyjson_mut_val *card_adaptive(struct template_scope *t, yyjson_mut_val *card);
yyjson_mut_val *card_telegram(struct template_scope *t, yyjson_mut_val *card);
yyjson_mut_val *card_whatsapp(struct template_scope *t, yyjson_mut_val *m);
/* For all others. */
struct str card_markdown(struct template_scope *t, yyjson_mut_val *card);

#endif
