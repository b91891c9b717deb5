/* One request to an application's bridge on behalf of a request to us, signed with the environment's key (bridge-cli.md §2). */
#ifndef API_BRIDGE_CALL_H
#define API_BRIDGE_CALL_H

#include "api/app.h"
#include "engine/bridge.h"

enum { BRIDGE_RETRIES = 1 };        /* at once: somebody waits for the answer */

/* Fill up to `done`; lives in rq->arena, usually inside of a bigger struct. */
struct bridge_call {
    struct request *rq;
    struct str url;                 /* the bridge's */
    const char *action;
    struct str workflow, step;      /* empty: the action needs none */
    struct str body;                /* as json_write_js makes it; empty: GET */
    /* On the dispatcher's thread, perhaps before start returns: the loop's connection is not to be used. said lives in
     * rq->arena. */
    void (*done)(struct bridge_call *c, const struct bridge_answer *said);
    struct engine_call call;
    int tries;
};

void bridge_call_start(struct bridge_call *c, const struct environment_view *v);

/* The event of a preview (§1.5). example: {payload, subscriber, actor, context, steps}, NULL or without members: those are left
 * to the framework's mocks. */
struct str bridge_preview_body(struct arena *a, const struct environment_view *v, yyjson_val *controls, yyjson_val *example);

/* The failure as an error, and as an answer; status 0: its own. */
bool bridge_call_error(struct arena *a, const struct bridge_answer *said, int status, struct error *err);
void bridge_call_reply_failure(struct request *rq, const struct bridge_answer *said, int status);

#endif
