/* Engine.IO 4 packets (inbox-realtime.md §5.1–5.3), pure.
 *
 * A packet is one type character and its data. A WebSocket text frame holds one; a polling body holds several
 * joined by 0x1E. Texts returned point into what was given.
 */
#ifndef REALTIME_ENGINEIO_H
#define REALTIME_ENGINEIO_H

#include "base/str.h"

enum engineio_type {
    ENGINEIO_OPEN = '0',
    ENGINEIO_CLOSE = '1',
    ENGINEIO_PING = '2',
    ENGINEIO_PONG = '3',
    ENGINEIO_MESSAGE = '4',
    ENGINEIO_UPGRADE = '5',
    ENGINEIO_NOOP = '6',
    ENGINEIO_BINARY = 'b'           /* polling only: base64 follows; our clients never send it */
};

enum engineio_refusal {
    ENGINEIO_TRANSPORT_UNKNOWN,
    ENGINEIO_SESSION_UNKNOWN,
    ENGINEIO_BAD_METHOD,
    ENGINEIO_BAD_REQUEST,
    ENGINEIO_FORBIDDEN,
    ENGINEIO_BAD_VERSION
};

enum { ENGINEIO_SEPARATOR = 0x1e, ENGINEIO_MAX_PAYLOAD = 1000000 };

/* false: empty or of no known type. */
bool engineio_decode(struct str packet, char *type, struct str *data);

/* Walks a polling body: for (struct engineio_payload p = {body}; engineio_next(&p, &packet);). An empty body
 * is one empty packet (which is invalid). */
struct engineio_payload {
    struct str rest;
    bool ended;
};
bool engineio_next(struct engineio_payload *p, struct str *packet);

/* Appends the open packet. sid must need no JSON escape (ours is letters and digits). */
void engineio_open(struct buf *b, struct str sid, bool upgrades, int ping_interval_ms, int ping_timeout_ms);

/* The JSON body of a refused request and its status. Static. */
struct str engineio_refusal(enum engineio_refusal code, int *status);

#endif
