/* What the files of this room share. All of it belongs to the hub's thread except hub_push and what says so.
 *
 * hub (thread, epoll, timers, commands) owns sessions; a session is one live connection of a client: Engine.IO
 * over polling or WebSocket, or the plain transport. A session has members: one for each namespace that it
 * connected, each in the room of its subscriber. A ws is one WebSocket on a descriptor.
 * Nothing is freed while a turn of the loop may still hold it: the dead go to the graveyard, emptied at the
 * turn's end.
 */
#ifndef REALTIME_HUB_PRIVATE_H
#define REALTIME_HUB_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <wslay/wslay.h>

#include "realtime/hub.h"

enum {
    SID_LEN = 20,
    LIMIT_SEND_BYTES = 256 * 1024,          /* waiting behind the packet being sent */
    LIMIT_RECEIVE_BYTES = 64 * 1024,        /* of a client's message or polling body: clients send next to nothing */
    LIMIT_SESSIONS = 100000,
    LIMIT_STRANGERS = 5000,                 /* connections that have not shown a good token: beyond, the oldest goes */
    LIMIT_PACKETS = 2000,                   /* frames or packets of one client in PACKETS_MS: real ones send two a minute */
    LIMIT_ROOM_MEMBERS = 200,               /* sockets of one subscriber; one browser uses one to a dozen */
    LIMIT_NAMESPACES = 8,                   /* of one connection */
    LIMIT_QUEUED_BYTES = 64 << 20,          /* of messages on their way to the hub's thread */
    LIMIT_READ_TURN = 64 * 1024,            /* bytes read of one socket in one turn of the loop */
    LIMIT_COMMANDS_TURN = 128,              /* commands performed in one turn of the loop */
    LIMIT_COUNTS_TURN = 128,                /* rooms counted in one turn of the loop */

    CONNECT_MS = 45000,                     /* no namespace: closed (§5.6) */
    PACKETS_MS = 10000,
    QUIET_MS = 60000,                       /* between two log lines about the same kind of drop */
    FAREWELL_MS = 10000,                    /* told to go (41) and still here: closed */
    UPGRADE_MS = 10000,                     /* §5.4 */
    NOOP_MS = 100,                          /* polls that start while an upgrade waits are answered after this */
    LINGER_MS = 2000,                       /* after a close frame, for the other side's */
    ANNOUNCE_MS = 10, ANNOUNCE_BUCKETS = 128,   /* so many hash chains of rooms every so many ms: they become writes */
    OFFLINE_MS = 2000,                      /* §6.3: page reloads are not an absence */
    RETRY_MS = 1000,                        /* counts could not be read */
    STOP_MS = 500                           /* hub_stop waits for the other sides' close frames */
};

struct session;
struct room;
struct ws;

/* ---- time.c: deadlines in a heap ---- */
struct timer {
    int64_t due;                            /* ms of the monotonic clock */
    int place;                              /* in the heap, from 1; 0: not set */
    void (*fire)(struct hub *h, struct timer *t);
};
struct timers {
    struct timer **v;
    int n, cap;
};
void timer_set(struct timers *ts, struct timer *t, int64_t due);
void timer_clear(struct timers *ts, struct timer *t);
static inline struct timer *timers_first(const struct timers *ts) { return ts->n ? ts->v[0] : NULL; }

/* Where the time comes from; tests hand in their own. */
struct hub_time {
    int64_t (*mono_ms)(void *arg);
    int64_t (*real_ms)(void *arg);
    void *arg;
};

/* ---- table.c: a hash table of nodes inside their owners ---- */
struct node {
    struct node *next;
    uint64_t hash;
};
struct table {
    struct node **bucket;
    size_t cap, n;
};
void table_add(struct table *t, struct node *n, uint64_t hash);
void table_remove(struct table *t, struct node *n);
static inline struct node *table_first(const struct table *t, uint64_t hash)
{
    return t->cap ? t->bucket[hash & (t->cap - 1)] : NULL;
}
uint64_t hash_bytes(const void *p, size_t n);

/* malloc that ends the process when there is no memory, as arenas do. */
void *hub_alloc(size_t n) __attribute__((returns_nonnull));

/* ---- frame.c: packets on their way out, shared by all that receive them ---- */

/* One packet: the WebSocket frame's head, then the text. Polling sends the text alone. */
struct frame {
    uint32_t refs, head;
    size_t n;                               /* head and text */
    char bytes[];
};
struct frame *frame_text(struct hub *h, struct str text);
struct frame *frame_control(struct hub *h, uint8_t opcode, struct str payload);
struct frame *frame_raw(const void *p, size_t n);
struct frame *frame_ref(struct frame *f);
void frame_unref(struct frame *f);

/* A queue of them. Has no memory when empty. */
struct outq {
    struct frame **v;
    uint32_t head, n, cap, sent;            /* sent: bytes of the first that have left */
    size_t bytes;
};
void outq_push(struct outq *q, struct frame *f);    /* takes a reference */
void outq_pop(struct outq *q);
void outq_clear(struct outq *q);
bool outq_is_over(const struct outq *q);
static inline struct frame *outq_at(const struct outq *q, uint32_t i) { return q->v[(q->head + i) & (q->cap - 1)]; }

/* ---- ws.c: one WebSocket ---- */
enum ws_role { WS_NONE, WS_ENGINE, WS_PROBE, WS_PLAIN };
enum ws_state { WS_OPEN, WS_CLOSING, WS_SHUT, WS_DEAD };

struct ws_codec;

struct ws {
    struct hub *hub;
    struct session *session;                /* NULL once nobody is interested */
    struct ws_codec *codec;                 /* only while a message is arriving: 9 kB */
    struct timer timer;
    struct outq out;
    struct ws *prev, *next;                 /* all of the hub */
    struct ws *next_flush, *next_dead;
    int fd;
    uint8_t role, state;
    bool in_flush, wants_write, is_slow;
    bool probed;                            /* role WS_PROBE: 2probe was answered */
};
struct ws *ws_open(struct hub *h, int fd, enum ws_role role, struct session *s);
void ws_early(struct ws *w, struct str bytes);          /* what had been read before the descriptor came here */
void ws_ready(struct ws *w, uint32_t events);           /* from epoll */
void ws_send(struct ws *w, struct frame *f);            /* never destroys w: too slow ones are doomed */
void ws_flush(struct ws *w);
void ws_close(struct ws *w, uint16_t code);             /* close frame, then lingers on its own */
void ws_abort(struct ws *w);                            /* at once */
void ws_codec_free(struct ws_codec *c);
void ws_free(struct ws *w);

/* ---- session.c: one client's connection ---- */
/* Why the server ends or refuses a connection: a label of a metric, and a log line if it is somebody's fault. */
enum drop {
    DROP_NONE,                              /* the client left, or the server stops */
    DROP_SLOW, DROP_PARSE_ERROR, DROP_FLOOD, DROP_LIMIT, DROP_STRANGER, DROP_BAD_TOKEN, DROP_EXPIRED, DROP_BINARY,
    DROP_PING_TIMEOUT, DROP_CONNECT_TIMEOUT, DROPS
};

enum session_kind { SESSION_ENGINE, SESSION_PLAIN };
enum transport { TRANSPORT_WEBSOCKET, TRANSPORT_POLLING, TRANSPORT_PLAIN, TRANSPORTS };

/* Who somebody proved to be; shared by the namespaces of a connection. */
struct person {
    int refs;
    struct hub_identity id;                 /* context points behind the struct */
};

struct member {
    struct room *room;
    struct session *session;
    struct person *person;
    struct member *prev_room, *next_room, *next_session;
    unsigned dirty;                         /* counts that it is owed: HUB_UNSEEN | HUB_UNREAD */
    uint16_t ns_len;
    char ns[];
};

struct session {
    struct hub *hub;
    struct node by_sid;                     /* engine only */
    struct session *prev, *next;            /* all of the hub */
    struct session *older, *newer;          /* while it is a stranger */
    struct session *next_doomed, *next_dead, *next_flush;
    struct timer timer;
    struct ws *ws, *probe;                  /* ws NULL: polling */
    struct exchange *poll;                  /* the GET that is held */
    struct outq out;                        /* polling: waits for a GET */
    struct member *members;
    char *token;                            /* of the query, until it was checked; then it is forgotten */
    struct person *person;                  /* … and this is whom it proved, or NULL */
    int64_t packets_since;
    int packets;                            /* since then, that is within PACKETS_MS */
    int64_t ping_at, pong_by, connect_by, noop_at, expires_at;      /* 0: not set */
    uint8_t kind, transport;
    uint8_t doom;                           /* enum drop: why it will be closed at the turn's end */
    bool is_dead, in_flush, is_stranger;
    char sid[SID_LEN];
};
struct session *session_open(struct hub *h, enum session_kind kind, enum transport t, struct str token);
struct session *session_find(struct hub *h, struct str sid);
/* A packet (engine) or text frame (plain) from the client. May close the session. */
void session_receive(struct session *s, struct str text);
void session_alive(struct session *s);                  /* plain: something came */
/* Counts a frame or packet. false: there were too many, and it has been doomed. */
bool session_admit(struct session *s);
void session_prove(struct session *s);                  /* it has shown a good token */
void session_send(struct session *s, struct frame *f);
void session_send_text(struct session *s, struct str text);
void session_arm(struct session *s);
void session_transport(struct session *s, enum transport t);
/* Says good-bye as the transport does (close frame with code, or the held poll is answered `1`) and forgets it. */
void session_close(struct session *s, uint16_t code, enum drop why);
void session_doom(struct session *s, enum drop why);
void session_free(struct session *s);
void session_leave(struct session *s, struct member *m);
void session_expire(struct session *s);

/* engine.c: what Engine.IO and Socket.IO packets do. */
void engine_greet(struct session *s, bool upgrades);
void engine_receive(struct session *s, struct str packet);
void engine_goodbye(struct session *s, struct member *m);       /* 41, and out of its room */
/* The upgrade's socket said something. */
void engine_probe(struct ws *w, struct str text);

/* plain.c */
bool plain_greet(struct session *s);
void plain_receive(struct session *s, struct str text);

/* Checks a token; NULL if it is good for nobody (bad, expired, "" or "null"). */
struct person *person_check(struct hub *h, struct str token);
void person_unref(struct person *p);

/* ---- room.c: subscribers, counts, presence ---- */
struct room {
    struct node by_subscriber;
    struct id subscriber;
    struct timer timer;                     /* offline, or counting again */
    struct member *members;
    struct person *last;                    /* the one who left last, while the room is empty */
    struct room *next_dirty;
    int n;
    bool in_dirty, failed;
};
/* NULL when the subscriber has too many. Takes a reference to the person. */
struct member *room_join(struct session *s, struct person *p, struct str ns);
void room_leave(struct member *m);          /* frees m */
void room_emit_message(struct hub *h, struct id subscriber, struct str context, struct str message);
/* context NULL: every context. */
void room_changed(struct hub *h, struct id subscriber, const struct str *context, unsigned what);
void rooms_changed(struct hub *h, unsigned what);
void rooms_announce(struct hub *h);
bool rooms_count(struct hub *h);            /* some of the dirty ones; true if there are more */
void rooms_free(struct hub *h);

/* ---- polling.c ---- */

/* One HTTP request on its way through the hub: whoever holds it answers exactly once, which consumes it. */
enum exchange_kind { EXCHANGE_OPEN, EXCHANGE_GET, EXCHANGE_POST, EXCHANGE_UPGRADE };
struct exchange {
    enum exchange_kind kind;
    struct str sid, token, body;
    void (*answer)(struct exchange *x, int status, const char *content_type, struct str body);
    void (*upgrade)(struct exchange *x);    /* EXCHANGE_UPGRADE: go on with the handshake */
};
void polling_exchange(struct hub *h, struct exchange *x);
void polling_flush(struct session *s);      /* answers the held GET with what waits */
void polling_noop(struct session *s);       /* answers it with 6 */
void polling_end(struct session *s, const char *packet);
void exchange_refuse(struct exchange *x, int engineio_refusal_code);

/* ---- hub.c ---- */
enum command_kind { COMMAND_MESSAGE, COMMAND_CHANGED, COMMAND_ATTACH, COMMAND_ANNOUNCE, COMMAND_EXCHANGE, COMMAND_DRAIN };

struct command {
    struct command *next;
    enum command_kind kind;
    struct id subscriber;
    size_t counted_bytes;                   /* of queued_bytes */
    unsigned what;
    int fd;
    bool plain;
    struct exchange *exchange;
    struct str a, b, c;                     /* message: context, text; attach: sid, token, early. In data */
    char data[];
};

enum { PRESENT_SLOTS = 4096 };

struct hub_metrics {
    struct counter *sockets[TRANSPORTS];
    struct counter *received, *unseen, *unread, *lost;
    struct counter *drops[DROPS];
};

/* What was dropped for one reason since that was last logged; the timer runs while the next line has to wait. */
struct complaint {
    struct timer timer;
    int64_t n;
};

struct hub {
    struct hub_config config;
    struct hub_time time;
    struct metrics *own_metrics;
    struct hub_metrics metrics;
    int64_t now;                            /* of this turn */
    int epoll, event;
    struct arena *scratch;                  /* emptied after each event and command */
    wslay_frame_context_ptr framer;         /* writes to frame_out */
    struct buf *frame_out;
    struct ws_codec *spare_codec;

    struct timers timers;
    struct table sids, rooms;
    struct timer announcing;                /* while it runs: rooms from bucket `announced` on are still to be told of */
    size_t announced;
    struct command *taken;                  /* still to be performed, before those that come */
    struct session *oldest_stranger, *newest_stranger;
    int strangers, n_sockets;
    struct complaint complaints[DROPS];
    struct session *sessions, *doomed, *dead_sessions, *flush_sessions;
    struct ws *sockets, *flush_sockets, *dead_sockets;
    struct room *dirty_first, *dirty_last;
    bool draining;

    pthread_t thread;
    pthread_mutex_t lock;                   /* the next four */
    struct command *first, **last;
    size_t queued_bytes;
    bool stopping;

    _Atomic int open;
    /* How many members the subscribers of each hash have: emitting to people who are not here must cost the
     * emitting thread nothing. */
    _Atomic uint32_t present[PRESENT_SLOTS];
};

/* A hub without a thread: the caller turns it. */
struct hub *hub_create(const struct hub_config *c, const struct hub_time *t, struct error *err);
/* One turn of the loop: events, commands, deadlines, counts, output. Waits at most wait_ms for something to do
 * (-1: until there is). Returns false when there was nothing. */
bool hub_turn(struct hub *h, int wait_ms);
void hub_destroy(struct hub *h);
/* From any thread: hands a WebSocket over. Takes fd. sid empty: a new session. */
void hub_attach(struct hub *h, int fd, bool plain, struct str sid, struct str token, struct str early);
/* From any thread. */
void hub_exchange(struct hub *h, struct exchange *x);
void hub_count_drop(struct hub *h, enum drop why);
static inline _Atomic uint32_t *hub_present(struct hub *h, struct id subscriber)
{
    return &h->present[hash_bytes(subscriber.b, sizeof subscriber.b) % PRESENT_SLOTS];
}

#endif
