/* Subscriber tokens, HS256. */
#include "api/token.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "model/context.h"

enum { PROFILE_MAX = 256 };     /* bytes of a name: the token travels in headers and in the socket's URL */

struct str subscriber_token_make(struct arena *a, struct str secret, const struct subscriber *s, struct id organization,
                                 struct str context)
{
    static const struct { const char *key; enum subscriber_field f; } profile[] = {
        {"firstName", SUBSCRIBER_FIRST_NAME}, {"lastName", SUBSCRIBER_LAST_NAME}, {"email", SUBSCRIBER_EMAIL}};
    int64_t now = clock_real_ms() / 1000;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *c = yyjson_mut_obj(d);
    json_add_id(d, c, "_id", s->id);
    for (size_t i = 0; i < sizeof profile / sizeof *profile; i++)
        if (s->field[profile[i].f].p)
            json_add_str(d, c, profile[i].key, str_cut(s->field[profile[i].f], PROFILE_MAX));
    json_add_id(d, c, "organizationId", organization);
    json_add_id(d, c, "environmentId", s->environment);
    json_add_str(d, c, "subscriberId", s->subscriber_id);
    context_keys_add(d, c, context);
    json_add_int(d, c, "iat", now);
    json_add_int(d, c, "exp", now + SUBSCRIBER_TOKEN_SECONDS);
    json_add_str(d, c, "iss", STR("novu_api"));
    json_add_str(d, c, "aud", STR("widget_user"));
    return jwt_sign(a, secret, json_write_mut(a, c));
}

bool subscriber_token_verify(struct arena *a, struct str secret, struct str token, struct subscriber_token *out)
{
    struct str text;
    yyjson_val *c, *k;
    if (!jwt_verify(a, secret, token, clock_real_ms() / 1000, &text) || !json_parse(a, text, &c, NULL))
        return false;
    if (!str_eq(json_get_str(c, "aud"), STR("widget_user")) || !str_eq(json_get_str(c, "iss"), STR("novu_api"))
        || !id_parse(json_get_str(c, "_id"), &out->subscriber)
        || !id_parse(json_get_str(c, "environmentId"), &out->environment)
        || !id_parse(json_get_str(c, "organizationId"), &out->organization))
        return false;
    out->subscriber_id = json_get_str(c, "subscriberId");
    out->expires_ms = json_get_int(c, "exp", 0) * 1000;
    struct buf b = {.arena = a};
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(c, "contextKeys"));
    while ((k = yyjson_arr_iter_next(&it))) {
        if (b.n)
            buf_char(&b, ',');
        buf_str(&b, json_str(k));
    }
    out->context = buf_finish(&b);
    return true;
}
