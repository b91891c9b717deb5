/* The route table: a route is declared once (design.md, idea 4).
 *
 * Routing, authentication, body limits, rate category, envelope and status come from its entry; the OpenAPI
 * document and MCP tools are made from the same table.
 */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include <stddef.h>

struct request;

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_METHODS };

enum route_auth {
    AUTH_PUBLIC,            /* no Authorization looked at */
    AUTH_ENVIRONMENT,       /* ApiKey secret, or a dashboard session */
    AUTH_SESSION,           /* dashboard session only: a secret key gets 401 "API endpoint not accessible" */
    AUTH_SUBSCRIBER         /* subscriber token of the Inbox */
};

enum rate_category { RATE_NONE, RATE_TRIGGER, RATE_CONFIGURATION, RATE_GLOBAL };

enum envelope { ENVELOPE_DATA, ENVELOPE_NONE };    /* {"data": R} or R (rest-api.md §3.1) */

enum route_flag {
    ROUTE_CORS_ANY = 1,         /* browser-facing: Access-Control-Allow-Origin: * */
    ROUTE_RAW_BODY = 2,         /* the body is not parsed as JSON */
    ROUTE_NOT_IDEMPOTENT = 4,   /* Idempotency-Key is ignored */
    ROUTE_ANY_UPGRADE = 8,      /* takes WebSocket upgrades; may share its path with an ordinary GET route */
    ROUTE_ALWAYS = 16,          /* served under overload too: health, metrics */
    ROUTE_READ_ONLY = 32        /* changes nothing although it is no GET: not logged as a change, Idempotency-Key is ignored */
};

struct route {
    enum http_method method;
    const char *path;           /* "/v1/topics/{topicKey}": {name} matches one segment, a last {name*} the rest */
    const char *operation;      /* operationId, camelCase, unique */
    const char *tag, *summary;
    enum route_auth auth;
    const char *permission;     /* what a session must hold, or NULL */
    enum rate_category rate;
    int cost;                   /* tokens; 0 means 1 */
    int status;                 /* of success */
    enum envelope envelope;
    size_t body_max;            /* bytes; 0: 8 MiB */
    unsigned flags;
    void (*handle)(struct request *rq);
};

#endif
