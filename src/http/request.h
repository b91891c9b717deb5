/* A request as handlers see it, and the ways to answer it.
 *
 * A handler answers exactly once with one of the reply_ functions: before it returns, or later from any
 * thread (the connection waits meanwhile and costs no thread). Everything the request owns lives in
 * rq->arena and dies after the answer was sent; after a reply_ call made from another thread rq must not be
 * touched. Until then the arena belongs to whoever holds the request.
 *
 * An answer may be held: between reply_hold and reply_send the reply_ functions only put it together, so that it can
 * be stored in the commit of the work that it is about (rest-api.md §5).
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "base/error.h"
#include "base/id.h"
#include "base/json.h"
#include "http/route.h"

enum principal_kind { PRINCIPAL_NONE, PRINCIPAL_API_KEY, PRINCIPAL_SESSION, PRINCIPAL_SUBSCRIBER };

/* Who calls, bound to one environment. Filled by the server's authenticate callback. */
struct principal {
    enum principal_kind kind;
    struct id organization, environment, user;
    struct id subscriber;                    /* PRINCIPAL_SUBSCRIBER: internal id */
    struct str subscriber_id;                /* … and the external one */
    struct str context;                      /* … sorted context keys joined by ",", "" for none */
    int rate[3];                             /* requests a second by rate category, from RATE_TRIGGER; 0: the default */
};

struct request {
    struct arena *arena;
    void *app;                               /* from the server's configuration */
    const struct route *route;
    struct principal principal;
    struct str method, target, path;         /* target: as sent, with query; path: percent-encoded, normalised */
    struct str body;                         /* complete, within the limit */
    yyjson_val *json;                        /* parsed body, NULL when empty; an object or array */
    char id[32];                             /* "req_<24 hex>" … */
    struct id number;                        /* … of this */
    void *note;                              /* from the before hook to the answering hook */
};

struct str request_param(struct request *rq, const char *name);        /* path parameter, percent-decoded */
struct str request_query(struct request *rq, const char *name);        /* decoded ('+' is a space); last wins; p NULL if absent */
/* All values of name, name[], name[0], name[x] in order; returns how many. */
size_t request_query_all(struct request *rq, const char *name, struct str **values);
/* Calls each decoded query parameter in order, for handlers with a grammar of their own. */
void request_query_each(struct request *rq, void (*fn)(void *arg, struct str name, struct str value), void *arg);
struct str request_header(struct request *rq, const char *name);       /* p NULL if absent */
bool request_is_upgrade(struct request *rq);                           /* a WebSocket handshake (RFC 6455 §4.2.1) */

/* Adds a header to the coming answer. The value is copied; the name is not (a literal), and neither is a value that is kept:
 * printable text that outlives the server. */
void reply_header(struct request *rq, const char *name, struct str value);
void reply_header_kept(struct request *rq, const char *name, const char *value);
void reply_header_count(struct request *rq, const char *name, int64_t n);      /* n >= 0 */
/* status 0: the route's. v is wrapped as the route's envelope says. */
void reply_json(struct request *rq, int status, yyjson_mut_val *v);
/* The same for JSON text that is already made (not copied; must live in rq->arena or be static). */
void reply_json_text(struct request *rq, int status, struct str json);
void reply_text(struct request *rq, int status, const char *content_type, struct str body);
void reply_empty(struct request *rq, int status);
/* The contract's error body (rest-api.md §3.2). 500s are logged with an errorId and tell nothing else. */
void reply_error(struct request *rq, const struct error *err);
/* 422 with the messages of failed field checks ("name must be a string"). */
void reply_validation(struct request *rq, const struct str *messages, size_t n);
/* 422 of a command whose one field is wrong (rest-api.md §3.2): errors are by its name. The texts are not kept. */
void reply_invalid_field(struct request *rq, const char *command, const char *field, const char *message);
/* From here on an answer is kept. One that was kept before is forgotten with its headers, so that work which runs again
 * can answer again. */
void reply_hold(struct request *rq);
/* The answer that is kept; false: there is none. *content_type is NULL without a body. */
bool reply_held(const struct request *rq, int *status, const char **content_type, struct str *body);
bool reply_is_held(const struct request *rq);                          /* between reply_hold and reply_send or reply_drop */
/* Forgets what is kept; the next answer is sent. */
void reply_drop(struct request *rq);
/* Sends what is kept, or what the answering hook has taken. The hook is not called (again). */
void reply_send(struct request *rq);

/* For work that has waited elsewhere: calls fn on the request's loop thread, as if it were still the handler. From any thread,
 * also while the handler runs; rq must not be touched afterwards. A client that is gone by then has nobody to answer: fn is
 * not called, so what waits may hold nothing that does not live in rq->arena. */
void request_continue(struct request *rq, void (*fn)(void *arg), void *arg);

/* Completes the WebSocket handshake; then calls taken on the server's loop thread with a socket of its own
 * (non-blocking, the callee closes it) and the bytes that had already been read, or with fd -1 when the client
 * was gone first, so that arg can be released. Never for non-upgrades. */
void reply_websocket(struct request *rq, void (*taken)(void *arg, int fd, struct str early), void *arg);

#endif
