#include "api/preview_texts.h"

#include "engine/texts.h"

const struct reader_texts *preview_texts(struct request *rq, enum translated type, struct str resource, yyjson_val *doc)
{
    struct resource_texts all = {.on = json_get_bool(doc, "isTranslationEnabled", false)};
    struct str locale = json_get_str(json_get(json_get(rq->json, "previewPayload"), "subscriber"), "locale");
    struct error err = {0};
    if (!all.on || !resource_texts_load(app_db(rq), rq->arena, rq->principal.environment, type, resource, &all, &err))
        return NULL;
    struct reader_texts *out = ARENA_NEW(rq->arena, struct reader_texts);
    *out = resource_texts_for(&all, locale);
    return out;
}
