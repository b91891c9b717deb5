/* `context` in bodies and `contextKeys` in queries (rest-api.md §6.11, engine.md §6.5). */
#ifndef API_CONTEXT_MEMBER_H
#define API_CONTEXT_MEMBER_H

#include "api/app.h"
#include "model/context.h"

struct context_member {
    struct context all[CONTEXTS_MAX];
    size_t n;
    struct str keys;                    /* sorted, joined by ","; "" without any */
};

/* Mistakes are added to c. v may be NULL. */
void context_member_read(struct checks *c, yyjson_val *v, struct context_member *out);
/* Makes those that are missing. For api_write.apply: may run more than once, m stays as it is. */
bool context_member_ensure(struct request *rq, struct db *db, const struct context_member *m, struct error *err);

/* contextKeys=type:id, repeated or joined by ",". false: not given, so no filter; one empty value: those without a context. */
bool context_query_read(struct request *rq, struct str *keys);

#endif
