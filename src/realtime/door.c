/* The routes: what an HTTP request asks of the hub (inbox-realtime.md §5.2, §5.7, §8). */
#include <stdlib.h>

#include "realtime/engineio.h"
#include "realtime/hub_private.h"

static void refuse(struct request *rq, enum engineio_refusal code)
{
    int status;
    struct str body = engineio_refusal(code, &status);
    reply_text(rq, status, "application/json", body);
}

/* ---- polling: the exchange lives in the request's arena until it is answered ---- */

struct http_exchange {
    struct exchange x;
    struct request *rq;
    struct hub *hub;
};

static void answer(struct exchange *x, int status, const char *content_type, struct str body)
{
    struct request *rq = ((struct http_exchange *)x)->rq;
    reply_header(rq, "Cache-Control", STR("no-store"));
    if (status == 503)
        reply_header(rq, "Retry-After", STR("1"));
    if (content_type)
        reply_text(rq, status, content_type, str_dup(rq->arena, body));
    else
        reply_empty(rq, status);
}

/* ---- handing a socket over ---- */

struct handover {
    struct hub *hub;
    bool plain;
    struct str sid, token;      /* behind it */
};

static void taken(void *arg, int fd, struct str early)
{
    struct handover *o = arg;
    if (fd >= 0)                /* else the client was gone before its handshake was answered */
        hub_attach(o->hub, fd, o->plain, o->sid, o->token, early);
    free(o);
}

static void hand_over(struct hub *h, struct request *rq, bool plain, struct str sid, struct str token)
{
    struct handover *o = hub_alloc(sizeof *o + sid.n + token.n);
    char *p = (char *)(o + 1);
    if (sid.n)
        memcpy(p, sid.p, sid.n);
    if (token.n)
        memcpy(p + sid.n, token.p, token.n);
    *o = (struct handover){h, plain, {p, sid.n}, {p + sid.n, token.n}};
    reply_websocket(rq, taken, o);
}

static void upgrade(struct exchange *x)
{
    struct http_exchange *hx = (struct http_exchange *)x;
    hand_over(hx->hub, hx->rq, false, x->sid, STR_NULL);
}

static void send_exchange(struct hub *h, struct request *rq, enum exchange_kind kind, struct str sid, struct str token)
{
    struct http_exchange *hx = ARENA_NEW(rq->arena, struct http_exchange);
    *hx = (struct http_exchange){.x = {.kind = kind, .sid = sid, .token = token, .body = rq->body,
                                       .answer = answer, .upgrade = upgrade},
                                 .rq = rq, .hub = h};
    hub_exchange(h, &hx->x);
}

static void open_connection(struct hub *h, struct request *rq, bool websocket)
{
    struct str token = request_query(rq, "token");
    if (!str_eqz(rq->method, "GET"))
        refuse(rq, ENGINEIO_BAD_METHOD);
    else if (websocket != request_is_upgrade(rq))
        refuse(rq, ENGINEIO_BAD_REQUEST);
    else if (!str_eqz(request_query(rq, "EIO"), "4"))
        refuse(rq, ENGINEIO_BAD_VERSION);
    else if (websocket)
        hand_over(h, rq, false, STR_NULL, token);
    else
        send_exchange(h, rq, EXCHANGE_OPEN, STR_NULL, token);
}

void hub_handle_engineio(struct hub *h, struct request *rq)
{
    struct str transport = request_query(rq, "transport"), sid = request_query(rq, "sid");
    bool websocket = str_eqz(transport, "websocket");
    if (!websocket && !str_eqz(transport, "polling"))
        refuse(rq, ENGINEIO_TRANSPORT_UNKNOWN);
    else if (!sid.n)
        open_connection(h, rq, websocket);
    else if (websocket && !request_is_upgrade(rq))
        refuse(rq, ENGINEIO_BAD_REQUEST);
    else if (websocket)
        send_exchange(h, rq, EXCHANGE_UPGRADE, sid, STR_NULL);
    else if (str_eqz(rq->method, "GET"))
        send_exchange(h, rq, EXCHANGE_GET, sid, STR_NULL);
    else if (str_eqz(rq->method, "POST"))
        send_exchange(h, rq, EXCHANGE_POST, sid, STR_NULL);
    else
        reply_empty(rq, 405);
}

void hub_handle_plain(struct hub *h, struct request *rq)
{
    if (request_is_upgrade(rq)) {
        hand_over(h, rq, true, STR_NULL, request_query(rq, "token"));
        return;
    }
    /* Its route is every path that has no other: what a path without a route gets (http/server.h). */
    struct error err = {0};
    error_http(&err, 404, "Cannot %.*s %.*s", STR_ARG(rq->method), STR_ARG(rq->path));
    reply_error(rq, &err);
}
