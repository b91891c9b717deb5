/* Edits the subscriber's channels. */
#include "model/device_token.h"

/* true: it was there. */
static bool take_out(yyjson_mut_val *tokens, struct str token)
{
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(tokens);
    yyjson_mut_val *v;
    bool found = false;
    while ((v = yyjson_mut_arr_iter_next(&it)))
        if (yyjson_mut_equals_strn(v, token.p, token.n)) {
            yyjson_mut_arr_iter_remove(&it);
            found = true;
        }
    return found;
}

bool device_token_remove(struct db *db, struct id environment, struct id subscriber, struct str provider_id, struct str token,
                         int64_t now, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error missing = {0};
    struct subscriber s;
    yyjson_val *v;
    yyjson_mut_doc *d = json_doc(a);
    if (!subscriber_find_by_id_locked(db, a, environment, subscriber, &s, &missing))
        return missing.code == ERROR_NOT_FOUND || (*err = missing, false);
    if (!s.field[SUBSCRIBER_CHANNELS].n || !json_parse(a, s.field[SUBSCRIBER_CHANNELS], &v, NULL))
        return true;
    yyjson_mut_val *channels = yyjson_val_mut_copy(d, v), *c;
    bool found = false;
    yyjson_mut_arr_iter it = yyjson_mut_arr_iter_with(channels);
    while ((c = yyjson_mut_arr_iter_next(&it)))
        if (yyjson_mut_equals_strn(yyjson_mut_obj_get(c, "providerId"), provider_id.p, provider_id.n))
            found |= take_out(yyjson_mut_obj_get(yyjson_mut_obj_get(c, "credentials"), "deviceTokens"), token);
    if (!found)
        return true;
    struct subscriber_patch p = {.subscriber_id = s.subscriber_id, .present = 1u << SUBSCRIBER_CHANNELS};
    p.field[SUBSCRIBER_CHANNELS] = json_write_mut(a, channels);
    return subscriber_update(db, environment, &p, now, err);
}
