/* The engine's shell: takes triggers, runs the pure machine, makes its effects true.
 *
 * Threads: `workers` plan (read the store, render, step the machine); the writer commits their plans; one thread
 * watches the queue for what is due. All triggers of one subscriber and all advances of one run go through one
 * worker, in order.
 *
 * A trigger for up to 100 single recipients is expanded and its first steps are done in the same commit that accepts
 * it. Everything else (more recipients, topics, a broadcast) follows in chunks of 100 runs, one chunk of an event at a
 * time, behind a cursor that is stored with the event (model/fanout.h): memory stays flat, a kill loses nothing and
 * repeats nothing.
 *
 * Fairness: a worker takes a chunk of a fan-out only when nothing else waits for it, or after FAIR_SHARE other items in a
 * row. So a small trigger waits for one chunk at most, however many people a broadcast goes to, and the broadcast goes
 * on under any load.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "account/directory.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "db/notify.h"
#include "db/writer.h"
#include "engine/circuits.h"
#include "engine/definition.h"
#include "engine/machine.h"
#include "engine/recipients.h"
#include "model/attachment.h"

struct engine;

struct engine_attachment {
    struct str name, mime, bytes;
    struct str cid;                         /* by which the text shows it, or empty */
};

/* One attempt to hand a message to its provider. The receiver owns it until engine_delivered. */
struct engine_delivery {
    struct arena *arena;
    enum channel channel;
    int attempt;
    struct id environment, message, integration;
    struct str idempotency_key;             /* stable over attempts */
    struct str provider_id;
    struct str credentials;                 /* sealed; empty: none */
    struct str integration_name;
    yyjson_val *doc;                        /* the stored message */
    yyjson_val *address;                    /* a device ({deviceToken}) or an endpoint; NULL: the message's own address */
    yyjson_val *connection_auth, *connection_workspace;     /* of the connection that the endpoint is reached through, or NULL */
    struct str configurations;              /* of the integration; JSON, may be empty */
    struct str subscriber_id;               /* external */
    bool counts_inbox;                      /* push, if the integration wants it as a badge: inbox_count is that of the person */
    int inbox_count;
    yyjson_val *subscriber, *payload;       /* push only: the person, and what the trigger carried; NULL when it is gone */
    yyjson_val *provider_data;              /* what the trigger's overrides say to this provider (engine.md §1.9), or NULL */
    struct delivery_policy policy;
    struct engine_attachment *attachments;
    size_t attachments_n;
    struct engine *engine;
    struct queue_item item;
    struct engine_delivery *next;
};

/* A workflow may trigger another through an HTTP step, or itself. The header counts how often that happened in a row, each
 * time within HOP_MS of the trigger; beyond HOPS_MAX it is taken for a cycle that runs away. One that waits in between (a
 * delay) goes round for as long as it likes. */
#define HOPS_HEADER "carillon-hops"
enum { HOPS_MAX = 10, HOP_MS = 60000 };

/* An HTTP request that is a step (engine.md §4.9, §4.11) or tells a webhook endpoint something (bridge-cli.md §8). The receiver
 * owns it until engine_called. */
struct engine_call {
    struct arena *arena;
    struct id environment;
    struct str environment_name, secret;    /* secret: signs the request; empty: unsigned */
    int attempt;
    bool bridge;                            /* a code-first bridge: its own rules of TLS */
    bool webhook;                           /* tells an endpoint something: no redirects, no hops, a short answer */
    int hops;                               /* for HOPS_HEADER; at least 1, or 0 for a webhook */
    int64_t started_ns;                     /* monotonic */
    bool filter;                            /* of a step\'s filters (engine.md §5.3): it has a signature of its own */
    struct str method, url, body;           /* body p NULL: none */
    yyjson_val *headers;                    /* array of {key, value} */
    int timeout_ms;
    struct engine *engine;
    struct queue_item item;
};

/* What the engine needs of the world; implemented by the server, by the simulator and by explain. */
struct engine_world {
    void *app;
    /* Must call engine_delivered exactly once, from any thread, also before it returns. */
    void (*deliver)(void *app, struct engine_delivery *d);
    /* Must call engine_called exactly once, from any thread, also before it returns. NULL: every call is refused. */
    void (*call)(void *app, struct engine_call *c);
    /* A stored in-app message became visible. json: its socket form (inbox-realtime.md §6.1). From the writer's
     * thread; must not wait. */
    void (*received)(void *app, const struct message *m, struct str json);
    /* Could anybody hear `received` now? Spares making json when not. From any thread; NULL: yes. */
    bool (*listening)(void *app);
    /* In-app messages of these people were let go by age, so their counts differ: in that transaction, for other processes,
     * and after its commit. From the writer's thread; must not wait. Either may be NULL. */
    bool (*forgetting)(void *app, struct db *db, const struct id *people, size_t n, struct error *err);
    void (*forgot)(void *app, const struct id *people, size_t n);
    /* Other processes took this one for dead, and its people for gone, until now: it must say again who is online
     * (model/presence.h). From any thread; must not wait. May be NULL. */
    void (*revived)(void *app);
    /* A message of the built-in outbox was stored. From the writer's thread; must not wait. May be NULL. */
    void (*outboxed)(void *app, const struct outbox_message *m);
};

struct engine_config {
    const char *database_url;
    struct id boot;                         /* of this process, as owner of what it has begun; zero: made */
    struct id predecessor;                  /* a process that is known to be dead: its lease is not waited for. Zero: none */
    struct writer *writer;
    struct clock *clock;
    struct id_source *ids;
    struct directory *directory;
    struct definitions *definitions;
    struct engine_world world;
    struct metrics *metrics;
    struct notify *notify;                  /* not started yet; to be stopped before the engine. NULL: nobody to hear */
    int workers;                            /* 0: one a core, at most 8 */
    int attempts_max;                       /* deliveries; 0: 8 (beyond.md §1) */
    int64_t defer_max_ms;                   /* the longest delay or digest; 0: any (engine.md §11) */
    int retention_days;                     /* runs, events, messages, outbox (engine.md §11); 0: for ever */
    int retention_in_app_days;              /* in-app messages; 0: for ever */
    bool capture;                           /* provider calls of all environments go to the outbox (beyond.md §4) */
};

struct engine *engine_start(const struct engine_config *c, struct error *err);
/* Takes no more; finishes what is planned, waits at most ms for deliveries. Deliveries that the world still has may be
 * answered later (engine_delivered stays callable for them): they are attempted again at the next start. Writer and
 * directory must outlive this call. */
void engine_stop(struct engine *e, int ms);

/* A validated trigger. It and its arena belong to the engine until done. */
struct trigger {
    struct arena *arena;
    struct id environment, organization;
    struct definition *definition;          /* a reference, released by the engine */
    struct id request;                      /* request_id as an id, when its event is the request's only one; else zero */
    struct str request_id, transaction_id;
    struct str idempotency_hash, body_hash; /* 32 bytes or empty */
    yyjson_val *to, *payload, *overrides, *actor, *tenant, *context;    /* NULL where absent */
    yyjson_val *bridge, *controls;          /* the definition was brought along (definition_brought); NULL: it is stored */
    const struct attachment *attachments;   /* what payload.attachments carried (their storagePath is in the payload) */
    size_t attachments_n;
    bool broadcast;                         /* to everybody of the environment; `to` is not read */
    bool logged;                            /* as struct event has it */
    bool strict;                            /* subscriberIds: decisions.md 8 */
    int hops;                               /* what HOPS_HEADER said; 0: no workflow asked for it */
    /* Set for done: */
    enum trigger_result {
        TRIGGER_FRESH,
        TRIGGER_TAKEN,                      /* the transactionId was used before: nothing was done (decisions.md 11) */
        TRIGGER_REPLAY,                     /* the same idempotency key and body: transaction_id and request_id are those of then */
        TRIGGER_OTHER_BODY                  /* the key was used with another body: nothing was done */
    } result;
    /* On the writer's thread (or the caller's, if it fails at once): durable when err is NULL. */
    void (*done)(struct trigger *t, const struct error *err);
    void *owner;
};

/* false: overloaded or stopping (ERROR_OVERLOAD); done is not called. */
bool engine_trigger(struct engine *e, struct trigger *t, struct error *err);

/* Stops what a transactionId started: a fan-out under way, timers, digests (whose followers go on), retries that are not
 * in flight, and steps that have not begun (engine.md §2.9, decisions.md 3). */
struct cancellation {
    struct id environment;
    struct str transaction_id;              /* must live until done */
    bool stopped;                           /* for done: there was something to stop; false for an unknown transactionId */
    /* On the writer's or a worker's thread: all of it is durable when err is NULL, some of it may be otherwise. */
    void (*done)(struct cancellation *c, const struct error *err);
    void *owner;
};
/* false: overloaded or stopping; done is not called. */
bool engine_cancel(struct engine *e, struct cancellation *c, struct error *err);

/* Results: kind, job and attempt of the input are filled by the engine. Frees d. */
void engine_delivered(struct engine_delivery *d, const struct machine_input *result);

/* The answer's texts are copied. Frees c. */
void engine_called(struct engine_call *c, const struct call_answer *answer);

/* Virtual clock: moves time to `to`, running everything that falls due on the way, in order; then calls done on the
 * timer thread. ERROR_BAD_INPUT if `to` is in the past; one advance at a time waits for the other. */
bool engine_advance_clock(struct engine *e, int64_t to, void (*done)(void *arg), void *arg, struct error *err);

/* Somebody else has put an item into the queue that is due then. */
void engine_due(struct engine *e, int64_t due_at);
/* Deliveries were changed in the store by others (driven again): looks for what is due now. */
void engine_deliveries_changed(struct engine *e);
/* How the integration answers, as far as this process knows. */
struct circuit_view engine_circuit(struct engine *e, struct id integration);

/* Triggers and due items taken but not finished. */
int64_t engine_busy(const struct engine *e);
/* Can it take another trigger now? */
bool engine_accepting(const struct engine *e);
/* This process among those that share the store: its lease is renewed while it runs (model/delivery.h). */
struct id engine_node(const struct engine *e);

#endif
