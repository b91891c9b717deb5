/* Where push and chat reach a subscriber. */
#include "model/subscriber_channels.h"

#include "model/integration.h"

static const char *const providers[] = {
    "slack", "discord", "msteams", "webex-messaging", "mattermost", "ryver", "zulip", "grafana-on-call", "getstream", "rocket-chat",
    "whatsapp-business", "line", "chat-webhook", "novu-slack", "telegram", "sendblue", "novu-web-chat", "fcm", "apns", "expo", "one-signal",
    "pushpad", "push-webhook", "pusher-beams", "appio"};

bool channel_provider_known(struct str provider_id)
{
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
        if (str_eqz(provider_id, providers[i]))
            return true;
    return false;
}

static bool all_strings(yyjson_val *list)
{
    yyjson_val *v;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it)))
        if (!yyjson_is_str(v))
            return false;
    return yyjson_is_arr(list);
}

static struct str provider_names(struct arena *a)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
        buf_fmt(&b, "%s%s", i ? ", " : "", providers[i]);
    return buf_finish(&b);
}

size_t channel_setting_read(struct arena *a, yyjson_val *v, const char *prefix, struct channel_setting *out, struct str *messages,
                            size_t max)
{
    yyjson_val *identifier = json_get(v, "integrationIdentifier"), *tokens;
    size_t bad = 0;
    *out = (struct channel_setting){.provider_id = json_get_str(v, "providerId"), .credentials = json_get(v, "credentials")};
    if (yyjson_is_str(identifier) && yyjson_get_len(identifier))
        out->integration_identifier = json_str(identifier);
    tokens = json_get(out->credentials, "deviceTokens");
    if (!channel_provider_known(out->provider_id) && bad < max)
        messages[bad++] = str_fmt(a, "%sproviderId must be one of the following values: %s", prefix, provider_names(a).p);
    if (identifier && !yyjson_is_str(identifier) && !yyjson_is_null(identifier) && bad < max)
        messages[bad++] = str_fmt(a, "%sintegrationIdentifier must be a string", prefix);
    if (!yyjson_is_obj(out->credentials)) {
        if (bad < max)
            messages[bad++] = str_fmt(a, "%scredentials must be an object", prefix);
    } else if (tokens && !yyjson_is_null(tokens) && !all_strings(tokens) && bad < max)
        messages[bad++] = str_fmt(a, "each value in %scredentials.deviceTokens must be a string", prefix);
    return bad;
}

/* --- putting ------------------------------------------------------------------------------------------------------- */

static void tokens_take(yyjson_mut_doc *d, yyjson_mut_val *list, yyjson_val *more)
{
    yyjson_val *v;
    yyjson_arr_iter it = yyjson_arr_iter_with(more);
    while ((v = yyjson_arr_iter_next(&it))) {
        bool there = false;
        yyjson_mut_val *have;
        yyjson_mut_arr_iter in = yyjson_mut_arr_iter_with(list);
        while (!there && (have = yyjson_mut_arr_iter_next(&in)))
            there = yyjson_mut_equals_strn(have, yyjson_get_str(v), yyjson_get_len(v));
        if (!there && yyjson_is_str(v) && yyjson_get_len(v))
            yyjson_mut_arr_append(list, yyjson_val_mut_copy(d, v));
    }
}

/* old: the stored credentials or NULL. */
static yyjson_mut_val *credentials_merge(yyjson_mut_doc *d, yyjson_val *old, yyjson_val *fresh, bool unite, size_t *tokens)
{
    yyjson_mut_val *o = yyjson_is_obj(old) ? yyjson_val_mut_copy(d, old) : yyjson_mut_obj(d);
    yyjson_val *key, *given = json_get(fresh, "deviceTokens"), *had = json_get(old, "deviceTokens");
    yyjson_obj_iter it = yyjson_obj_iter_with(fresh);
    while ((key = yyjson_obj_iter_next(&it)))
        if (!str_eqz(json_str(key), "deviceTokens"))
            yyjson_mut_obj_put(o, yyjson_val_mut_copy(d, key), yyjson_val_mut_copy(d, yyjson_obj_iter_get_val(key)));
    *tokens = 0;
    if (!yyjson_is_arr(given) && !yyjson_is_arr(had))
        return o;
    yyjson_mut_val *list = yyjson_mut_arr(d);
    if (!yyjson_is_arr(given) || (unite && yyjson_arr_size(given)))
        tokens_take(d, list, had);
    tokens_take(d, list, given);
    yyjson_mut_obj_put(o, yyjson_mut_str(d, "deviceTokens"), list);
    *tokens = yyjson_mut_arr_size(list);
    return o;
}

static yyjson_val *stored_read(struct arena *a, struct str stored)
{
    yyjson_val *list = NULL;
    if (stored.n)
        json_parse(a, stored, &list, NULL);
    return list;
}

struct str channels_put(struct arena *a, struct str stored, const struct channel_setting *s, bool unite, size_t *tokens)
{
    yyjson_val *v, *old = NULL;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *list = yyjson_mut_arr(d), *entry = yyjson_mut_obj(d);
    char hex[ID_HEX + 1];
    id_hex(s->integration, hex);
    yyjson_mut_arr_append(list, entry);
    yyjson_arr_iter it = yyjson_arr_iter_with(stored_read(a, stored));
    while ((v = yyjson_arr_iter_next(&it))) {
        if (str_eqz(json_get_str(v, "_integrationId"), hex))
            old = v;
        else
            yyjson_mut_arr_append(list, yyjson_val_mut_copy(d, v));
    }
    json_add_str(d, entry, "providerId", s->provider_id);
    if (s->integration_identifier.p)
        json_add_str(d, entry, "integrationIdentifier", s->integration_identifier);
    yyjson_mut_obj_add_strncpy(d, entry, "_integrationId", hex, ID_HEX);
    yyjson_mut_obj_add_val(d, entry, "credentials", credentials_merge(d, json_get(old, "credentials"), s->credentials, unite, tokens));
    return json_write_mut(a, list);
}

struct str channels_remove(struct arena *a, struct str stored, struct str provider_id)
{
    yyjson_val *v;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *list = yyjson_mut_arr(d);
    yyjson_arr_iter it = yyjson_arr_iter_with(stored_read(a, stored));
    while ((v = yyjson_arr_iter_next(&it)))
        if (!str_eq(json_get_str(v, "providerId"), provider_id))
            yyjson_mut_arr_append(list, yyjson_val_mut_copy(d, v));
    return json_write_mut(a, list);
}

/* --- the wire form --------------------------------------------------------------------------------------------------- */

/* Members that clients parse must be of the type that they expect. */
static yyjson_mut_val *credentials_json(yyjson_mut_doc *d, yyjson_val *v)
{
    static const char *const texts[] = {"webhookUrl", "channel", "alertUid", "title", "imageUrl", "state", "externalUrl"};
    yyjson_mut_val *o = yyjson_is_obj(v) ? yyjson_val_mut_copy(d, v) : yyjson_mut_obj(d);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (yyjson_mut_obj_get(o, texts[i]) && !yyjson_mut_is_str(yyjson_mut_obj_get(o, texts[i])))
            yyjson_mut_obj_remove_key(o, texts[i]);
    if (json_get(v, "deviceTokens") && !all_strings(json_get(v, "deviceTokens")))
        yyjson_mut_obj_remove_key(o, "deviceTokens");
    return o;
}

/* An operator's own provider shows as its channel's generic webhook (decisions.md 34). */
static void provider_add(yyjson_mut_doc *d, yyjson_mut_val *o, struct str provider_id)
{
    enum channel c;
    struct str name;
    if (channel_provider_known(provider_id)) {
        yyjson_mut_obj_add_strncpy(d, o, "providerId", provider_id.p, provider_id.n);
        return;
    }
    bool push = provider_channel(provider_id, &c, &name) && c == CHANNEL_PUSH;
    json_add_str(d, o, "providerId", push ? STR("push-webhook") : STR("chat-webhook"));
    if (provider_id.n)
        yyjson_mut_obj_add_strncpy(d, o, "customProviderId", provider_id.p, provider_id.n);
}

void channels_add(yyjson_mut_doc *d, yyjson_mut_val *o, struct str stored)
{
    yyjson_mut_val *list = json_add_arr(d, o, "channels");
    if (stored.n <= 2)
        return;
    yyjson_doc *doc = yyjson_read(stored.p, stored.n, 0);
    yyjson_val *v;
    yyjson_arr_iter it = yyjson_arr_iter_with(yyjson_doc_get_root(doc));
    while ((v = yyjson_arr_iter_next(&it))) {
        struct str integration = json_get_str(v, "_integrationId"), identifier = json_get_str(v, "integrationIdentifier");
        if (!yyjson_is_obj(v))
            continue;
        yyjson_mut_val *entry = yyjson_mut_arr_add_obj(d, list);
        provider_add(d, entry, json_get_str(v, "providerId"));
        if (identifier.p)
            yyjson_mut_obj_add_strncpy(d, entry, "integrationIdentifier", identifier.p, identifier.n);
        yyjson_mut_obj_add_strncpy(d, entry, "_integrationId", integration.p ? integration.p : "", integration.n);
        yyjson_mut_obj_add_val(d, entry, "credentials", credentials_json(d, json_get(v, "credentials")));
    }
    yyjson_doc_free(doc);
}
