/* Where push and chat reach a subscriber, as requests give it. */
#include "api/channel_settings.h"

enum { MESSAGES_MAX = 4 };

void channel_settings_read(struct checks *c, yyjson_val *v, struct channel_settings *out)
{
    struct str messages[MESSAGES_MAX];
    yyjson_val *one;
    size_t i = 0;
    *out = (struct channel_settings){.all = ARENA_ARRAY(c->rq->arena, struct channel_setting, yyjson_arr_size(v) + 1), .unite = true};
    yyjson_arr_iter it = yyjson_arr_iter_with(v);
    while ((one = yyjson_arr_iter_next(&it))) {
        size_t bad = channel_setting_read(c->rq->arena, one, str_fmt(c->rq->arena, "channels.%zu.", i++).p, &out->all[out->n++], messages,
                                          MESSAGES_MAX);
        for (size_t k = 0; k < bad; k++)
            check_fail(c, "%.*s", STR_ARG(messages[k]));
    }
}

bool channel_settings_resolve(struct request *rq, struct channel_settings *s, struct error *err)
{
    if (!s->n)
        return true;
    struct environment_view *e = directory_environment(app_of(rq)->directory, app_db(rq), rq->principal.environment, err);
    bool ok = e != NULL;
    for (size_t i = 0; i < s->n && ok; i++) {
        const struct integration *x = environment_provider(e, s->all[i].provider_id, s->all[i].integration_identifier);
        ok = x || error_http(err, 400, "Subscribers environment (%s) do not have active %.*s integration.",
                             id_str(rq->arena, rq->principal.environment).p, STR_ARG(s->all[i].provider_id));
        if (!ok)
            break;
        s->all[i].integration = x->id;
        s->all[i].integration_identifier = str_dup(rq->arena, x->identifier);
    }
    if (e)
        cached_unref(&e->head);
    return ok;
}

bool channel_settings_store(struct request *rq, struct db *db, const struct channel_settings *s, struct subscriber *subscriber,
                            struct error *err)
{
    struct str channels = subscriber->field[SUBSCRIBER_CHANNELS];
    for (size_t i = 0; i < s->n; i++) {
        size_t tokens;
        channels = channels_put(rq->arena, channels, &s->all[i], s->unite, &tokens);
        if (tokens <= DEVICE_TOKENS_MAX)
            continue;
        error_http(err, 400, "Device tokens limit exceeded. Maximum allowed tokens per subscriber channel is %d, but got %zu tokens.",
                   DEVICE_TOKENS_MAX, tokens);
        err->details = str_fmt(rq->arena, "{\"currentCount\":%zu,\"limit\":%d}", tokens, DEVICE_TOKENS_MAX);
        return false;
    }
    subscriber->field[SUBSCRIBER_CHANNELS] = channels;
    if (!s->n)
        return true;
    subscriber->updated_at = app_now(rq);
    return subscriber_set_channels(db, rq->principal.environment, subscriber->id, channels, app_now(rq), err);
}
