/* From the body of a trigger call to a struct trigger: the synchronous checks of engine.md §1.2. */
#ifndef API_TRIGGER_H
#define API_TRIGGER_H

#include "api/discovery.h"

enum { EVENT_BYTES_MAX = 524288 };      /* the event without attachments (decisions.md 7) */

/* What a trigger call came to. status TRIGGER_PROCESSED: `trigger` was handed to the engine. */
struct trigger_call {
    struct request *rq;
    enum trigger_status status;
    struct str transaction_id;
    struct trigger trigger;
    void (*done)(struct trigger_call *c, const struct error *err);   /* on any thread, once */
    void *owner;
    size_t index;                       /* in a bulk call */
    struct arena *arena;                /* for the engine's answer; NULL: the request's */
    bool bulk, broadcast;
    bool repeats;                       /* an earlier event of the call has its transactionId: it is checked, and nothing starts */
    struct discoveries *discoveries;    /* what the bridges say that the events name; NULL: trigger_begin asks the event's */
    yyjson_val *event;
    bool explains;                      /* `trigger` is made, but not handed to the engine: its definition is done's to release */
};

/* Adds the messages of class-validator for one event (422). broadcast: without `to`, and with a payload. */
void trigger_check(struct checks *c, yyjson_val *event, bool broadcast);
/* Runs the checks behind the form and starts the trigger. On false, err says why (done is not called); otherwise done
 * is called, at once when the status is not TRIGGER_PROCESSED. A bridge that the event names is asked before: what is wrong then
 * is told by done. The event carries the request's Idempotency-Key. */
bool trigger_begin(struct trigger_call *c, yyjson_val *event, struct error *err);
/* Takes the files out of payload.attachments: *payload is then as it is stored, with a storagePath for each
 * (src/api/attachments.c). false: 400 or 413. */
bool attachments_take(struct request *rq, yyjson_val **payload, struct attachment **out, size_t *n, struct error *err);
/* {acknowledged, status, transactionId, activityFeedLink} */
yyjson_mut_val *trigger_json(yyjson_mut_doc *d, const struct trigger_call *c);
/* The same as text, in the request's arena: every trigger is answered with it. */
struct str trigger_text(const struct trigger_call *c);
/* The same of an event that was accepted with request_id. */
yyjson_mut_val *trigger_answer(struct request *rq, yyjson_mut_doc *d, enum trigger_status status, struct str transaction_id,
                               struct str request_id);

#endif
