/* Requests to the URLs of customers, by the rules of workflow steps: kept out of private networks, redirected at most three
 * times within what they may tell (engine.md §4.9). */
#ifndef API_CALL_H
#define API_CALL_H

#include "api/app.h"

/* c and what it points to live in c->arena until ended, which runs on the dispatcher's thread, perhaps before this returns. */
void call_start(struct app *app, struct engine_call *c, void (*ended)(void *user, const struct call_answer *answer), void *user);

/* The value of novu-signature over this body; p NULL: none. Of now, so each attempt has its own. */
struct str call_signature(struct arena *a, struct str secret, struct str body);

#endif
