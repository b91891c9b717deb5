/* Who a token belongs to: asked once a connection, then remembered instead of the token. */
#include <stdlib.h>

#include "realtime/hub_private.h"

struct person *person_check(struct hub *h, struct str token)
{
    /* §4: what clients send when they have none. */
    if (!token.n || str_eqz(token, "null"))
        return NULL;
    struct hub_identity id = {0};
    if (!h->config.authenticate(h->config.app, h->scratch, token, &id))
        return NULL;
    if (id.expires_ms <= h->time.real_ms(h->time.arg))
        return NULL;
    struct person *p = hub_alloc(sizeof *p + id.context.n);
    char *context = (char *)(p + 1);
    if (id.context.n)
        memcpy(context, id.context.p, id.context.n);
    *p = (struct person){.refs = 1, .id = id};
    p->id.context = (struct str){context, id.context.n};
    return p;
}

void person_unref(struct person *p)
{
    if (p && !--p->refs)
        free(p);
}
