/* Socket.IO 5 packets inside Engine.IO messages (inbox-realtime.md §5.6), pure.
 *
 * Grammar: <type>[/namespace,][ack id][JSON]. The default namespace "/" is written as nothing and is the empty
 * string here. Binary packets (5, 6) and what only servers send (4) are malformed from a client.
 */
#ifndef REALTIME_SOCKETIO_H
#define REALTIME_SOCKETIO_H

#include "base/json.h"
#include "base/str.h"

enum socketio_type {
    SOCKETIO_CONNECT = '0',
    SOCKETIO_DISCONNECT = '1',
    SOCKETIO_EVENT = '2',
    SOCKETIO_ACK = '3',
    SOCKETIO_CONNECT_ERROR = '4'
};

enum { SOCKETIO_NAMESPACE_MAX = 256, SOCKETIO_ID_MAX = 15 };

struct socketio_packet {
    char type;
    struct str ns;          /* "" or "/name" */
    struct str id;          /* digits, or empty */
    yyjson_val *data;       /* CONNECT: object or NULL; EVENT, ACK: array; DISCONNECT: NULL. In the arena */
};

/* Reads what a client sent. false: malformed. */
bool socketio_decode(struct arena *a, struct str text, struct socketio_packet *out);

/* Appends "4<type>[ns,][id]", the head of an Engine.IO message that carries a packet. */
void socketio_head(struct buf *b, enum socketio_type type, struct str ns, struct str id);

#endif
