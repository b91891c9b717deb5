/* Signed states of OAuth dialogues. */
#include "api/chat_state.h"

#include "base/crypto.h"

enum { SIGNATURE_HEX = 64, STATE_MAX = 16384 };

struct str chat_state_write(struct arena *a, const struct chat_state *s, struct str secret)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "organizationId", s->organization);
    json_add_id(d, o, "environmentId", s->environment);
    json_add_str(d, o, "providerId", s->provider_id);
    json_add_str(d, o, "integrationIdentifier", s->integration_identifier);
    if (s->connection_identifier.n)
        json_add_str(d, o, "identifier", s->connection_identifier);
    if (s->subscriber_id.n)
        json_add_str(d, o, "subscriberId", s->subscriber_id);
    json_add_val(d, o, "context", s->context);
    json_add_str(d, o, "mode", s->is_v1 ? STR("v1") : s->links_user ? STR("link_user") : STR("connect"));
    json_add_str(d, o, "connectionMode", s->is_shared ? STR("shared") : STR("subscriber"));
    json_add_bool(d, o, "autoLinkUser", s->auto_link);
    json_add_int(d, o, "timestamp", s->made_at);
    struct str payload = json_write_mut(a, o);
    return base64url_encode(a, str_fmt(a, "%.*s.%.*s", STR_ARG(payload), STR_ARG(crypto_hmac_sha256_hex(a, secret, payload))));
}

/* The payload may have dots of its own: the signature is what has a fixed length. */
static bool state_split(struct arena *a, struct str text, struct str *payload, struct str *signature)
{
    struct str plain;
    if (!text.n || text.n > STATE_MAX || !base64_decode(a, text, &plain) || plain.n < SIGNATURE_HEX + 2
        || plain.p[plain.n - SIGNATURE_HEX - 1] != '.')
        return false;
    *payload = str_sub(plain, 0, plain.n - SIGNATURE_HEX - 1);
    *signature = str_sub(plain, plain.n - SIGNATURE_HEX, plain.n);
    return true;
}

bool chat_state_read(struct arena *a, struct str text, struct chat_state *out)
{
    struct str payload, signature;
    yyjson_val *v;
    if (!state_split(a, text, &payload, &signature) || !json_parse(a, payload, &v, NULL) || !yyjson_is_obj(v))
        return false;
    *out = (struct chat_state){
        .provider_id = json_get_str(v, "providerId"), .integration_identifier = json_get_str(v, "integrationIdentifier"),
        .connection_identifier = json_get_str(v, "identifier"), .subscriber_id = json_get_str(v, "subscriberId"),
        .context = json_get(v, "context"), .links_user = str_eqz(json_get_str(v, "mode"), "link_user"),
        .is_v1 = str_eqz(json_get_str(v, "mode"), "v1"), .is_shared = str_eqz(json_get_str(v, "connectionMode"), "shared"), .auto_link = json_get_bool(v, "autoLinkUser", false),
        .made_at = json_get_int(v, "timestamp", 0)};
    return id_parse(json_get_str(v, "environmentId"), &out->environment) && id_parse(json_get_str(v, "organizationId"), &out->organization);
}

bool chat_state_verify(struct arena *a, struct str text, struct str secret, int64_t now)
{
    struct str payload, signature;
    struct chat_state s;
    if (!state_split(a, text, &payload, &signature) || !crypto_equal(crypto_hmac_sha256_hex(a, secret, payload), signature))
        return false;
    return chat_state_read(a, text, &s) && s.made_at > 0 && s.made_at <= now && now - s.made_at <= CHAT_STATE_MS;
}
