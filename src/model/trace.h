/* What happened to a request that was accepted: the activity's "Requests" tab (engine.md §1.2, §8.4).
 *
 * The ordinary course (received, queued, started, all subscribers done) is not stored: it follows from the event and
 * its fan-out. Only what is worth telling beyond it is text on the event: [[type, status, ms after the event,
 * message, raw], …].
 */
#ifndef MODEL_TRACE_H
#define MODEL_TRACE_H

#include "base/json.h"
#include "db/db.h"
#include "model/event.h"
#include "model/fanout.h"

/* Stored numbers: only append. */
enum trace_type {
    TRACE_REQUEST_RECEIVED, TRACE_REQUEST_QUEUED, TRACE_REQUEST_FAILED, TRACE_REQUEST_INVALID_RECIPIENTS,
    TRACE_SUBSCRIBERS_COMPLETED, TRACE_EXECUTION_STARTED, TRACE_EXECUTION_FAILED, TRACE_TENANT_COMPLETED,
    TRACE_ACTOR_COMPLETED, TRACE_CONTEXT_COMPLETED, TRACE_SUBSCRIBER_VALIDATION_FAILED, TRACE_TOPIC_NOT_FOUND,
    TRACE_TOPIC_PREFERENCES, TRACES
};

enum trace_status { TRACE_SUCCESS, TRACE_ERROR, TRACE_PENDING, TRACE_WARNING };

struct trace {
    enum trace_type type;
    enum trace_status status;
    int64_t at;
    struct str message;         /* empty: the title says all */
    struct str raw;             /* JSON text; empty: none */
};

struct str trace_type_name(enum trace_type t);              /* "request_received" */
struct str trace_status_name(enum trace_status s);
struct str trace_title(struct arena *a, enum trace_type t); /* "Request received", "Invalid recipients" */

/* The stored form of list; empty for none. */
struct str trace_encode(struct arena *a, const struct trace *list, size_t n, int64_t event_at);
/* Everything that happened to e, in order. f: its fan-out, NULL if all was done in the accepting commit. */
bool trace_list(struct arena *a, const struct event *e, const struct fanout *f, struct trace **out, size_t *n,
                struct error *err);
/* Adds one to an accepted event unless it tells TRACES_MAX already: somebody may repeat a mistake for ever. */
enum { TRACES_MAX = 100 };
bool trace_append(struct db *db, struct arena *a, const struct event *e, const struct trace *t, struct error *err);

#endif
