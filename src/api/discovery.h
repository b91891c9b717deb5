/* What the bridges that triggers name have to offer: each URL of a request is asked once, before anything is done (bridge-cli.md
 * §3.4). Nothing is stored.
 */
#ifndef API_DISCOVERY_H
#define API_DISCOVERY_H

#include "api/bridge_call.h"

struct discovery {
    struct str url;
    yyjson_val *said;               /* passed by bridge_doc_check; NULL: err says why there is none */
    struct error err;
};

enum { DISCOVERIES_MAX = 10 };      /* different bridges that one call may name: they are asked one after the other */

/* Lives in rq->arena; begin with {.rq = rq}. */
struct discoveries {
    struct request *rq;
    struct discovery list[DISCOVERIES_MAX];
    size_t n, asked;
    void (*then)(void *arg);
    void *arg;
    struct bridge_call call;
};

/* The event's bridgeUrl, empty where it names none. */
struct str event_bridge_url(yyjson_val *event);
/* Beyond DISCOVERIES_MAX it is left out. */
void discoveries_add(struct discoveries *d, yyjson_val *event);
/* Calls then on the loop's thread when all are asked; at once if there are none. */
void discoveries_begin(struct discoveries *d, void (*then)(void *arg), void *arg);
/* NULL: it was left out. */
const struct discovery *discoveries_find(const struct discoveries *d, struct str url);

/* The text of a bridge's URL: where its name leads is judged when connecting. false: 400. */
bool bridge_url_allowed(struct request *rq, struct str url, struct error *err);

#endif
