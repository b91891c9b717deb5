/* What handlers ask of a request. */
#include "http/http_private.h"

struct str request_param(struct request *rq, const char *name)
{
    struct exchange *x = exchange_of(rq);
    for (int i = 0; i < x->match.n; i++)
        if (str_eqz(x->match.name[i], name))
            return x->param[i];
    return STR_NULL;
}

static void queries(struct exchange *x)
{
    if (!x->queries)
        x->n_queries = query_parse(x->rq.arena, x->query, &x->queries);
}

struct str request_query(struct request *rq, const char *name)
{
    struct exchange *x = exchange_of(rq);
    queries(x);
    for (size_t i = x->n_queries; i-- > 0;)
        if (str_eqz(x->queries[i].name, name))
            return x->queries[i].value;
    return STR_NULL;
}

size_t request_query_all(struct request *rq, const char *name, struct str **values)
{
    struct exchange *x = exchange_of(rq);
    size_t n = 0;
    queries(x);
    *values = ARENA_ARRAY(rq->arena, struct str, x->n_queries);
    for (size_t i = 0; i < x->n_queries; i++)
        if (query_is_of(x->queries[i].name, str_of(name)))
            (*values)[n++] = x->queries[i].value;
    return n;
}

void request_query_each(struct request *rq, void (*fn)(void *arg, struct str name, struct str value), void *arg)
{
    struct exchange *x = exchange_of(rq);
    queries(x);
    for (size_t i = 0; i < x->n_queries; i++)
        fn(arg, x->queries[i].name, x->queries[i].value);
}

struct str request_header(struct request *rq, const char *name)
{
    const struct header *h = head_find(exchange_of(rq), name);
    return h ? h->value : STR_NULL;
}

bool request_is_upgrade(struct request *rq)
{
    struct exchange *x = exchange_of(rq);
    return x->asks_upgrade && websocket_accept(x);
}

int server_loop_of(const struct request *rq)
{
    return ((const struct exchange *)rq)->loop_index;
}
