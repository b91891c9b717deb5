/* What the files of this room share: the server, its loops, connections, and requests under way.
 *
 * Who owns what. A loop thread owns its daemons, connections and arenas; nothing of libmicrohttpd is touched by
 * another thread. A struct exchange is one request with its answer; it lives in its own arena. It belongs to the
 * loop, but for the time between a handler's (or the before hook's) return without an answer and that answer:
 * then to whoever holds the request. An answer from elsewhere comes back through the loop's mailbox. A mailbox
 * outlives its loop when handlers still hold requests at the end of server_stop.
 */
#ifndef HTTP_PRIVATE_H
#define HTTP_PRIVATE_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/log.h"
#include "http/router_private.h"
#include "http/server.h"
#include "http/url_private.h"

enum {
    HTTP_POOL = 16 * 1024,              /* bytes a connection: request line and head, then the answer's head */
    HTTP_BODY_MAX = 8 << 20,            /* decisions.md 7; a route may say otherwise */
    HTTP_BODY_SMALL = 16 * 1024,        /* bodies up to this live in the arena */
    HTTP_SWALLOW_MAX = 64 * 1024,       /* a refused body up to this is read, so that the connection stays usable */
    HTTP_BODIES_MAX = 256 << 20,        /* bytes of bodies being received by one loop */
    HTTP_ARENA = 16 * 1024, HTTP_ARENAS_KEPT = 256,
    HTTP_OVER_CAP = 64,                 /* connections above the cap that are told 503 instead of left waiting */
    HTTP_QUIET_S = 60,                  /* between two log lines about that, as long as it goes on */
    HTTP_TRANSFER_S = 5,                /* a body or an answer under way so long may lose its slot to a newcomer */
    HTTP_LISTEN_MAX = 8, HTTP_LOOPS_MAX = 8,
    HTTP_LINGER_MAX = 128, HTTP_LINGER_S = 5, HTTP_LINGER_BYTES = 64 << 20,
    HTTP_WHEEL = 64,                    /* slots of one second */
    HTTP_AWAKE_MAX = 256, HTTP_AWAKE_NS = 100000000, HTTP_AWAKE_TICK_MS = 2, HTTP_AWAKE_TICKS = 10,      /* see exchange_await */
    HTTP_AWAKE_MANY = 32, HTTP_PACE_NS = 100000,        /* see turn_pace */
    HTTP_SEND_RATE = 8 * 1024,          /* bytes a second that a reader must manage, beyond the idle time */
    HTTP_STATUSES = 32
};

#define SECOND_NS INT64_C(1000000000)

struct server;
struct loop;
struct exchange;

struct header {
    struct str name, value;
};

struct answer_header {
    struct answer_header *next;
    const char *name, *value;
};

enum watched { WATCHED_CONN, WATCHED_LINGERER };     /* first member of what a loop's epoll set points to */

/* Whom a connection waits for. The first three wait for the client, and give their slot up when there is no other:
 * see conn_wait. */
enum waiting { WAITING_FIRST, WAITING_NEXT, WAITING_TRANSFER, WAITING_GROUPS, WAITING_SERVER = WAITING_GROUPS };

/* A TCP connection. */
struct conn {
    enum watched kind;
    enum waiting waiting;
    int64_t waiting_since;              /* monotonic second */
    struct conn *wait_next, **wait_prev;        /* in the group of those that wait for the same */
    struct loop *loop;
    struct MHD_Connection *mhd;
    struct exchange *now;               /* the request under way */
    int fd;
    int64_t deadline;                   /* monotonic second at which it is cut off; 0: none */
    struct conn *next, **prev;          /* in a slot of the wheel */
    int slot;
    bool over_cap, linger, is_cut;
    bool peer_done;                     /* the client has ended its stream (perhaps with bytes still unread) */
    bool listed;
    struct conn *next_done;             /* in the loop's list, when listed */
};

enum stage { STAGE_HEAD, STAGE_BODY, STAGE_SWALLOW, STAGE_COMPLETE, STAGE_REPLYING };
enum holder { HOLDER_LOOP, HOLDER_HANDLER };

struct mailbox {
    pthread_mutex_t lock;
    struct exchange *first, **last;
    int wake;                           /* eventfd */
    bool closed;                        /* the loop is gone */
    int held;                           /* once closed: requests that are still with handlers */
    bool (*answering)(void *app, struct request *rq, int status, const char *content_type, struct str body);
    pthread_t thread;
};

struct exchange {
    struct request rq;                  /* first: handlers get a pointer to it */
    struct loop *loop;
    struct mailbox *mailbox;
    struct conn *conn;                  /* NULL when the client is gone */
    struct exchange *next;              /* in the mailbox */
    void (*more)(void *arg);            /* to be called there, instead of answered; NULL: it is answered */
    void *more_arg;
    int64_t began_ns;
    enum stage stage;                   /* these eight: loop thread only */
    enum holder holder;
    bool in_handler, ready;
    bool suspended, awake;              /* one of them while a handler has it, see exchange_await */
    int64_t awake_until;                /* monotonic ns */
    uint64_t unsettled_turn;            /* in which it was counted among the unsettled */
    bool hold, held;                    /* an answer is to be kept; is kept */
    struct answer_header **before_hold; /* where the headers of a kept answer begin */
    bool no_store, head, close, has_length, chunked, expects_continue, drop, asks_upgrade;
    int slot;                           /* of the router; -1: a method without routes */
    int loop_index;
    uint64_t length;                    /* Content-Length */
    struct router_match match;          /* match.route NULL: none */
    struct header *header;
    size_t headers;
    struct str raw_path, query;
    struct str *param;
    struct query_param *queries;        /* NULL until asked for */
    size_t n_queries;
    char *body;
    size_t body_n, body_cap, body_max;
    bool body_heap;
    atomic_flag answered;
    int status;                         /* the answer */
    struct str answer;
    char *content_type;
    struct answer_header *first_header, **last_header;
    char accept[32];                    /* Sec-WebSocket-Accept */
    void (*taken)(void *arg, int fd, struct str early);
    void *taken_arg;
    char error_id[40];                  /* "" unless a 5xx is to be logged */
    char why[256];
};

struct lingerer {
    enum watched kind;
    struct lingerer *next, **prev;
    int fd;
    int64_t until;
    size_t bytes;
};

struct daemon {
    struct MHD_Daemon *mhd;
    int fd;                             /* its epoll descriptor */
};

/* Connections in the order in which they began to wait. */
struct wait_group {
    struct conn *first, **last;
    int n;
};

struct loop {
    struct server *server;
    struct mailbox *mailbox;
    int index, epoll;
    pthread_t thread;
    bool started;
    struct daemon daemon[HTTP_LISTEN_MAX];
    int daemons;
    int conns, handed;                  /* connections; requests held by handlers */
    int awake;                          /* of those, the ones whose connections are not suspended */
    int quiet;                          /* turns in a row in which nothing happened while some were awake */
    uint64_t turn;                      /* they are counted from 1 */
    int64_t turned_ns;                  /* when it began */
    bool called;                        /* in this turn a daemon has called */
    int unsettled;                      /* requests that it may go on with in the next turn without an event */
    int cut;                            /* of the connections, those cut off that the library has still to close */
    struct wait_group group[WAITING_GROUPS];
    struct conn *wheel[HTTP_WHEEL], *free_conn;
    struct conn *done;                  /* connections to look at: their clients have ended the stream */
    int64_t second;                     /* up to which the wheel has turned */
    int64_t refused_second;             /* when a 503 was last logged */
    int64_t evicted_second;             /* … and a connection that lost its slot */
    struct lingerer *lingering;
    int lingerers;
    struct arena *arena[HTTP_ARENAS_KEPT];
    int arenas;
    size_t body_bytes;
    bool stopping, quiesced;
    int64_t stop_at_ms;
    _Atomic int64_t stop_ms;            /* -1: run on; else how long answers under way may take */
};

struct route_metrics {
    _Atomic(struct counter *) status[HTTP_STATUSES];
};

struct server {
    struct server_config c;
    struct arena *arena;                /* copies of the configuration's texts */
    struct router *router;
    struct route_metrics *routes;       /* by route index; the last is for unmatched paths */
    struct histogram *seconds;
    struct counter *connections, *overload, *evicted;
    struct metrics *own_metrics;        /* when the configuration has none */
    struct id_source *ids, own_ids;
    struct str prefix;
    struct str *origin;
    size_t origins;
    int listen_n, port[HTTP_LISTEN_MAX];
    int loops;
    struct loop loop[HTTP_LOOPS_MAX];
};

static inline struct exchange *exchange_of(struct request *rq) { return (struct exchange *)rq; }

/* exchange.c: the life of a request */
void *exchange_begin(void *loop, const char *target, struct MHD_Connection *mhd);
enum MHD_Result exchange_step(void *loop, struct MHD_Connection *mhd, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_n, void **cls);
void exchange_end(void *loop, struct MHD_Connection *mhd, void **cls, enum MHD_RequestTerminationCode why);
void exchange_free(struct exchange *x);         /* on the loop's thread, or after it has gone */
void exchange_answered(struct exchange *x);     /* back from a handler: loop thread */
void exchange_continued(struct exchange *x);    /* the same, but it goes on as x->more says */

/* head.c: what the request's head says, and whether it is refused */
bool head_read(struct exchange *x, struct MHD_Connection *mhd, const char *method, const char *version, struct error *err);
bool head_check(struct exchange *x, struct error *err);
struct header *head_find_str(const struct exchange *x, struct str name);
static inline struct header *head_find(const struct exchange *x, const char *name) { return head_find_str(x, str_of(name)); }
bool head_has_token(const struct exchange *x, const char *name, const char *token);

/* body.c */
bool body_add(struct exchange *x, const char *p, size_t n);     /* false: over the limit */
void body_release(struct exchange *x);
bool body_parse(struct exchange *x, struct error *err);

/* reply.c */
void answer_header(struct exchange *x, const char *name, struct str value);     /* copies the value, but not the name */
void answer_header_kept(struct exchange *x, const char *name, const char *value);       /* copies neither; value is clean */
bool answer_has_header(const struct exchange *x, const char *name);
void answer_error(struct exchange *x, int status, struct str message, struct str details, struct str field);
void answer_refuse(struct exchange *x, const struct error *err);        /* the server's own refusal: no hook, no log line */
struct MHD_Response *answer_response(struct exchange *x);
struct str error_body(struct exchange *x, int status, struct str message, struct str details, struct str field);

/* cors.c */
void cors_begin(struct exchange *x);            /* adds the headers that every answer of this request carries */
void cors_preflight(struct exchange *x);

/* websocket.c */
bool websocket_accept(struct exchange *x);      /* checks the handshake, fills x->accept */
struct MHD_Response *websocket_response(struct exchange *x);

/* measure.c */
bool measure_create(struct server *s);
void measure_answer(struct exchange *x);

/* loop.c */
bool loop_start(struct loop *l, const int *listen_fd, struct error *err);
void loop_wake(struct loop *l);
void loop_stop(struct loop *l);                 /* joins its thread; loop->stop_ms says how long it may take */
struct arena *loop_arena(struct loop *l);
void loop_arena_back(struct loop *l, struct arena *a);
void mailbox_put(struct exchange *x);

/* conn.c */
void conn_notify(void *loop, struct MHD_Connection *mhd, void **ctx, enum MHD_ConnectionNotificationCode what);
void conn_deadline(struct conn *c, int64_t deadline);
void conn_wait(struct conn *c, enum waiting w);
void conn_linger(struct conn *c);
void conn_peer_done(struct conn *c);
void conn_check_done(struct loop *l);
void linger_read(struct loop *l, struct lingerer *g);
void linger_free(struct loop *l, struct lingerer *g);
void wheel_turn(struct loop *l, int64_t second);
int64_t second_now(void);

#endif
