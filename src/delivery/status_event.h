/* What providers report about messages that they took, each in its own form (providers.md §8).
 *
 * A provider is one row of a table: where the list of events is, where in an event its id and its name, and which of the
 * contract's statuses that name means. Pure: no I/O, no clock but the time that is handed in.
 */
#ifndef DELIVERY_STATUS_EVENT_H
#define DELIVERY_STATUS_EVENT_H

#include "base/json.h"

struct status_event {
    struct str id;              /* of the message, as the provider named it; for push: our message's id */
    struct str status;          /* of the contract's list: "delivered", "bounced", … */
    int64_t date;               /* ms; 0: not told */
    int64_t attempts;           /* at least 1 */
    struct str response;        /* the other side's words, or empty */
    struct str row;             /* JSON text of the event as it came */
};

/* Does this provider report at all? */
bool status_event_known(struct str provider_id);
/* Are its reports wrapped in messages of SNS, which always are signed (delivery/sns.h)? */
bool status_event_by_sns(struct str provider_id);

/* The body as JSON: it is that, or a form ("a=b&c=d", Mandrill's with JSON in it). false: neither. */
bool status_event_body(struct arena *a, struct str body, yyjson_val **out);

/* The events whose names mean something, in order; others are passed over. */
size_t status_event_read(struct arena *a, struct str provider_id, yyjson_val *body, struct status_event **out);

/* What came with the request, for checking who sent it. */
struct status_signature {
    struct str id, timestamp, value;    /* headers of the scheme; empty: not there */
    struct str body;                    /* as it came */
    yyjson_val *json;
};
/* Names of the headers that hold id, timestamp and value; NULL for those that the scheme does not have. false: the provider
 * does not sign. */
bool status_signature_headers(struct str provider_id, const char **id, const char **timestamp, const char **value);
/* With the integration's signing key. Not older (nor, where the scheme says so, newer) than its tolerance. */
bool status_signature_good(struct arena *a, struct str provider_id, struct str key, const struct status_signature *s, int64_t now_ms);

#endif
