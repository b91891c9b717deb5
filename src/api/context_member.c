/* Contexts named by requests. */
#include "api/context_member.h"

enum { MESSAGES_MAX = 8 };

void context_member_read(struct checks *c, yyjson_val *v, struct context_member *out)
{
    struct str messages[MESSAGES_MAX];
    size_t bad = context_read(c->rq->arena, v, out->all, &out->n, messages, MESSAGES_MAX);
    for (size_t i = 0; i < bad; i++)
        check_fail(c, "%.*s", STR_ARG(messages[i]));
    out->keys = context_keys(c->rq->arena, out->all, out->n);
}

bool context_member_ensure(struct request *rq, struct db *db, const struct context_member *m, struct error *err)
{
    struct context_member scratch = *m;
    return context_ensure(db, rq->arena, rq->principal.environment, scratch.all, scratch.n, &app_of(rq)->ids, app_now(rq), err);
}

bool context_query_read(struct request *rq, struct str *keys)
{
    struct str *given, *parts = NULL;
    size_t n = request_query_all(rq, "contextKeys", &given), parts_n = 0, cap = 0;
    for (size_t i = 0; i < n; i++)
        for (struct str rest = given[i]; rest.n;) {
            ptrdiff_t comma = str_find(rest, STR(","));
            struct str part = str_sub(rest, 0, comma < 0 ? rest.n : (size_t)comma);
            rest = str_sub(rest, part.n + 1, rest.n);
            *ARENA_SLOT(rq->arena, parts, parts_n, cap) = part;
        }
    *keys = context_keys_join(rq->arena, parts, parts_n);
    return n > 0;
}
