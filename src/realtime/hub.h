/* Live sockets of the Inbox: Engine.IO 4 / Socket.IO 5 over WebSocket and long polling, and the plain
 * WebSocket transport (inbox-realtime.md §4–6), with one thread that owns them all.
 *
 * A socket belongs to one subscriber and one set of contexts (those of its token). Emitting is from any thread
 * and never waits; a client that does not read has a bounded buffer (then it is disconnected). Nothing is
 * queued for people who are not connected.
 */
#ifndef REALTIME_HUB_H
#define REALTIME_HUB_H

#include "base/metrics.h"
#include "http/request.h"

struct hub;

struct hub_identity {
    struct id environment, subscriber;
    struct str context;             /* sorted context keys joined by ",", "" for none */
    int64_t expires_ms;             /* of the token, real time */
};

struct hub_counts {
    int unseen, unread;             /* capped at 101: more than 100 */
    int high, medium, low, none;    /* unread by severity, same cap */
};

struct hub_config {
    void *app;
    /* Checks a subscriber token. On the hub's thread. id->context is allocated in a. */
    bool (*authenticate)(void *app, struct arena *a, struct str token, struct hub_identity *id);
    /* Reads the counts of one subscriber in one context, after whatever was committed. On the hub's thread. */
    bool (*counts)(void *app, const struct hub_identity *id, struct hub_counts *out);
    /* First socket of a subscriber opened (true), last one closed for 2 s (false); not called for those closed
     * by hub_stop. On the hub's thread, must not wait. May be NULL. */
    void (*presence)(void *app, const struct hub_identity *id, bool online);
    struct metrics *metrics;
    int ping_interval_ms, ping_timeout_ms;   /* 0: 25,000 and 20,000 */
    int sockets_max;                         /* WebSockets at a time, 0: any number */
};

struct hub *hub_start(const struct hub_config *c, struct error *err);
/* Emits `notification_received` {"message": message} to the subscriber's sockets of exactly this context, then
 * both count events (coalesced with others that are due). message is JSON text; it is copied. */
void hub_message(struct hub *h, struct id subscriber, struct str context, struct str message);
enum { HUB_UNSEEN = 1, HUB_UNREAD = 2 };
/* Says that counts may have changed: each socket of the subscriber gets fresh ones, computed after this call. */
void hub_changed(struct hub *h, struct id subscriber, unsigned what);
/* … of everybody: it is not known whose did. A part of them each turn. */
void hub_changed_all(struct hub *h, unsigned what);
/* Calls presence(true) once more for everybody who is here, a part of them at a time. */
void hub_announce(struct hub *h);
int hub_sockets(const struct hub *h);
/* Closes all connections as hub_stop does and refuses new ones (503) from now on, so that a server that is
 * stopping has no held polls to wait for. From then on no callback but authenticate is called. Any thread;
 * returns at once. Then server_stop, then hub_stop. */
void hub_drain(struct hub *h);
/* Closes the transports (1001, without a Socket.IO disconnect, so that clients come back) and ends the thread. */
void hub_stop(struct hub *h);

/* Route handlers: GET and POST /socket.io/ (polling, upgrade), and GET of the plain transport with an upgrade.
 * rq->app must hold the hub; hub_of tells where. */
void hub_handle_engineio(struct hub *h, struct request *rq);
void hub_handle_plain(struct hub *h, struct request *rq);

#endif
