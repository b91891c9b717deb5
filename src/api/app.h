/* The application: every part of the running server, and what handlers share.
 *
 * Made by `carillon serve` (src/cli/serve.c) before the first request and destroyed after the last; handlers only
 * read the pointers. rq->app is this.
 */
#ifndef API_APP_H
#define API_APP_H

#include "account/directory.h"
#include "api/removals.h"
#include "api/sweep.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/metrics.h"
#include "db/writer.h"
#include "delivery/dispatcher.h"
#include "delivery/outbound.h"
#include "delivery/sns.h"
#include "engine/engine.h"
#include "http/server.h"
#include "realtime/hub.h"

struct demo;
struct idempotency;
struct outbox_waits;
struct rate_limiter;
struct request_log;

struct app {
    struct clock clock;
    const char *clock_file;             /* where a virtual clock is kept; NULL: nowhere */
    struct id_source ids;
    struct crypto_box box;              /* secrets at rest */
    struct str jwt_secret;
    struct str public_url;              /* without a slash at the end */
    struct str metrics_token;           /* empty: /metrics is open on loopback only */
    struct metrics *metrics;
    struct writer *writer;
    struct removals removals;
    struct sweep sweep;
    struct idempotency *idempotency;
    struct rate_limiter *rates;
    struct request_log *request_log;
    struct directory *directory;
    struct definitions *definitions;
    struct dispatcher *dispatcher;
    struct notify *notify;              /* words of other processes on the same store */
    struct id node;                     /* this process, in such words */
    struct hub *hub;
    struct outbox_waits *outbox_waits;
    struct engine *engine;
    struct server *server;
    struct db **loop_db;                /* a read connection for each HTTP loop */
    struct db *hub_db;                  /* … and one for the hub's thread */
    int loops;
    size_t recipients_max;              /* entries of `to` in one trigger (decisions.md 13); 0: any number */
    size_t workflows_max;               /* that an environment may have; 0: any number */
    bool keyless;                       /* the Inbox may be tried out without keys, from this machine (src/api/inbox_keyless.h) */
    int64_t snooze_hours_max;           /* of one snooze; 0: there is no snoozing */
    _Atomic bool stopping;
    bool listens_on_loopback_only;
    struct sns_certs sns_certs;
    struct outbound_policy outbound;    /* where customers' URLs may lead */
    struct str openapi;                 /* the document of /openapi.json */
    const struct demo *demo;            /* NULL: the demo is off (src/cli/demo.h) */
};

static inline struct app *app_of(struct request *rq) { return rq->app; }
/* The read connection of the calling loop. */
struct db *app_db(struct request *rq);
static inline int64_t app_now(struct request *rq) { return clock_now_ms(&app_of(rq)->clock); }
static inline struct id app_id(struct request *rq) { return id_new(&app_of(rq)->ids, app_now(rq)); }

/* May this be somebody of this machine alone? A proxy there would make the world look so: its requests bear a header that
 * says so, which can only take a right away (docs/proxies.md). */
bool app_is_local(struct request *rq);

/* Server callbacks (src/api/auth.c). */
bool app_authenticate(void *app, int loop, struct request *rq, struct error *err);
bool app_accepting(void *app);
/* What the hub asks (src/api/socket.c). */
bool app_socket_authenticate(void *app, struct arena *a, struct str token, struct hub_identity *id);
bool app_socket_counts(void *app, const struct hub_identity *id, struct hub_counts *out);
/* In a transaction that changes what a person's counts say: other processes have sockets, too. */
bool app_inbox_publish(struct app *app, struct db *db, struct id subscriber, struct error *err);
bool app_inbox_publish_all(struct app *app, struct db *db, const struct id *people, size_t n, struct error *err);
bool app_inbox_publish_everybody(struct app *app, struct db *db, struct error *err);
/* Listens for that. Before notify_start. */
void app_inbox_listen(struct app *app);
void app_socket_presence(void *app, const struct hub_identity *id, bool online);
/* engine_world's callbacks of these names. */
bool app_forgetting(void *app, struct db *db, const struct id *people, size_t n, struct error *err);
void app_forgot(void *app, const struct id *people, size_t n);
void app_revived(void *app);
/* What the engine needs of the world (src/api/world.c). */
void app_deliver(void *app, struct engine_delivery *d);
void app_call(void *app, struct engine_call *c);       /* src/api/call.c */
void app_received(void *app, const struct message *m, struct str json);
bool app_listening(void *app);

/* The route tables, ended by an entry without routes. */
struct route_table {
    const struct route *routes;
    const size_t *n;
};
extern const struct route_table app_tables[];

/* --- writing ----------------------------------------------------------------------------------------- */

enum write_flag {
    WRITE_DIRECTORY = 1,        /* environments, keys or integrations change */
    WRITE_DEFINITIONS = 2,      /* workflows change */
    WRITE_REMOVAL = 4,          /* something large may have been deleted */
    WRITE_HOLDS = 16,           /* holds the organization, as writes of directory and definitions do (organization_hold) */
    WRITE_CHAIN = 8             /* reply may go on with another api_write: it always runs after the commit, and the last
                                   answer is stored for the key by itself */
};

/* A write on behalf of a request, allocated in rq->arena (usually inside a bigger struct). */
struct api_write {
    struct write_task task;
    struct request *rq;
    unsigned flags;
    /* As write_task.apply: only SQL, may run more than once. */
    bool (*apply)(struct api_write *w, struct db *db, struct error *err);
    /* Answers the request. On the writer's thread: the loop's connection is not to be used. When the answer is kept for an
     * Idempotency-Key this runs inside of the transaction, as apply does and perhaps as often; else after the commit. So
     * it must only answer, from what apply left. */
    void (*reply)(struct api_write *w);
    /* After the commit, before the answer leaves: what others are to hear of it. May be NULL. */
    void (*committed)(struct api_write *w);
    /* At the end, made or not: gives back what the arena does not own. May be NULL; not with WRITE_CHAIN. */
    void (*release)(struct api_write *w);
    int64_t seen;                       /* see write_follows */
    bool applying, stale;               /* api_write's own */
    int64_t due_at;
};
/* Queues it; the request is answered when it is durable, or with the error. */
void api_write(struct request *rq, struct api_write *w);
/* For an apply that writes whole what its handler worked out from a row. w->seen is the row's updated_at as the handler read it,
 * stored what it is now, under organization_hold. They differ if another has written it meanwhile: then this fails, and the
 * request is handled again from its beginning. *next, the updated_at to write, becomes later than stored, so that others see it. */
bool write_follows(struct api_write *w, int64_t stored, int64_t *next, struct error *err);
/* The same for what is worked out in the apply itself: only the time. */
void write_later(int64_t stored, int64_t *next);

/* --- reading input ------------------------------------------------------------------------------------- */

/* Collects class-validator style messages; checks_done answers 422 and returns false if there are any. */
struct checks {
    struct request *rq;
    struct str *messages;
    size_t n, cap;
};
struct checks checks_begin(struct request *rq);
void check_fail(struct checks *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Members of the body (an object): missing or of the wrong type adds the contract's message. */
struct str check_string(struct checks *c, yyjson_val *obj, const char *key, bool required);
yyjson_val *check_object(struct checks *c, yyjson_val *obj, const char *key, bool required);
yyjson_val *check_array(struct checks *c, yyjson_val *obj, const char *key, bool required);
bool check_bool(struct checks *c, yyjson_val *obj, const char *key, bool otherwise);
/* Query parameters. */
int64_t check_query_int(struct checks *c, const char *name, int64_t otherwise, int64_t least, int64_t most);
bool check_query_bool(struct checks *c, const char *name, bool otherwise);
/* The member "delivery" of an integration's configurations or an environment's settings (model/delivery_policy.h). */
void check_delivery_policy(struct checks *c, yyjson_val *parent);
/* That url is a picture's, by its name, over https. */
void check_picture(struct checks *c, struct str url);
bool checks_done(struct checks *c);

/* Answers with an error of this status. */
void reply_fail(struct request *rq, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
