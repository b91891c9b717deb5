/* Opens and closes what integrations keep secret. */
#include "api/integration_secrets.h"

bool integration_secrets_open(struct request *rq, const struct integration *i, yyjson_val **out, struct error *err)
{
    struct str plain = STR("{}");
    return (!i->credentials.n || crypto_open(&app_of(rq)->box, rq->arena, i->credentials, &plain, err))
        && json_parse(rq->arena, plain, out, err);
}

bool integration_secrets_merge(struct request *rq, struct integration *i, yyjson_val *given, struct error *err)
{
    yyjson_val *old, *k;
    yyjson_mut_doc *d = json_doc(rq->arena);
    if (!integration_secrets_open(rq, i, &old, err))
        return false;
    yyjson_mut_val *merged = yyjson_val_mut_copy(d, old);
    yyjson_obj_iter it = yyjson_obj_iter_with(given);
    while ((k = yyjson_obj_iter_next(&it))) {
        yyjson_mut_obj_remove_keyn(merged, yyjson_get_str(k), yyjson_get_len(k));
        yyjson_mut_obj_add(merged, yyjson_val_mut_copy(d, k), yyjson_val_mut_copy(d, yyjson_obj_iter_get_val(k)));
    }
    i->credentials = crypto_seal(&app_of(rq)->box, rq->arena, json_write_mut(rq->arena, merged));
    return true;
}
