/* Routes of the live sockets, and what the hub asks of the application. */
#include <stdio.h>
#include <stdlib.h>

#include "api/app.h"
#include "api/tables.h"
#include "api/token.h"
#include "model/inbox.h"
#include "model/presence.h"

bool app_socket_authenticate(void *arg, struct arena *a, struct str token, struct hub_identity *id)
{
    struct app *app = arg;
    struct subscriber_token t;
    if (!subscriber_token_verify(a, app->jwt_secret, token, &t))
        return false;
    *id = (struct hub_identity){.environment = t.environment, .subscriber = t.subscriber, .context = t.context,
                                .expires_ms = t.expires_ms};
    return true;
}

bool app_socket_counts(void *arg, const struct hub_identity *id, struct hub_counts *out)
{
    struct app *app = arg;
    struct inbox_owner o = {.environment = id->environment, .subscriber = id->subscriber, .context = id->context};
    struct inbox_counts c;
    struct error err = {0};
    if (!inbox_counts(app->hub_db, &o, &c, &err))
        return false;
    *out = (struct hub_counts){.unseen = c.unseen, .unread = c.unread, .high = c.by_severity[SEVERITY_HIGH],
                               .medium = c.by_severity[SEVERITY_MEDIUM], .low = c.by_severity[SEVERITY_LOW],
                               .none = c.by_severity[SEVERITY_NONE]};
    return true;
}

/* --- words between processes: "<process> <subscriber>…", each of these behind a blank; none: everybody ---------------------------- */

#define NOTIFY_INBOX "inbox_changed"
enum { WORD_PEOPLE = 300, WORD_MAX = ID_HEX + WORD_PEOPLE * (1 + ID_HEX) };
_Static_assert((int)WORD_MAX < (int)NOTIFY_PAYLOAD_MAX, "a full word must be publishable");

bool app_inbox_publish_all(struct app *app, struct db *db, const struct id *people, size_t n, struct error *err)
{
    char word[WORD_MAX + 1];
    for (size_t i = 0; i < n;) {
        size_t used = ID_HEX;
        id_hex(app->node, word);
        for (int k = 0; k < WORD_PEOPLE && i < n; k++, i++) {
            word[used++] = ' ';
            id_hex(people[i], word + used);
            used += ID_HEX;
        }
        if (!notify_publish(db, NOTIFY_INBOX, (struct str){word, used}, err))
            return false;
    }
    return true;
}

bool app_inbox_publish_everybody(struct app *app, struct db *db, struct error *err)
{
    char word[ID_HEX + 1];
    id_hex(app->node, word);
    return notify_publish(db, NOTIFY_INBOX, (struct str){word, ID_HEX}, err);
}

bool app_inbox_publish(struct app *app, struct db *db, struct id subscriber, struct error *err)
{
    return app_inbox_publish_all(app, db, &subscriber, 1, err);
}

static void inbox_heard(void *arg, struct str word)
{
    struct app *app = arg;
    struct id node, subscriber;
    if (!word.p) {                      /* words may have been lost */
        hub_changed_all(app->hub, HUB_UNSEEN | HUB_UNREAD);
        return;
    }
    if (!id_parse(str_sub(word, 0, ID_HEX), &node) || id_eq(node, app->node))
        return;
    if (word.n == ID_HEX)
        hub_changed_all(app->hub, HUB_UNSEEN | HUB_UNREAD);
    for (size_t at = ID_HEX + 1; at + ID_HEX <= word.n; at += ID_HEX + 1)
        if (id_parse(str_sub(word, at, at + ID_HEX), &subscriber))
            hub_changed(app->hub, subscriber, HUB_UNSEEN | HUB_UNREAD);
}

void app_inbox_listen(struct app *app)
{
    app->node = engine_node(app->engine);
    notify_listen(app->notify, NOTIFY_INBOX, inbox_heard, app);
}

/* --- presence: who has a socket open (inbox-realtime.md §6.3) ------------------------------------------------ */

struct presence {
    struct write_task task;
    struct id node, environment, subscriber;
    bool online;
    int64_t now;
};

static bool presence_apply(struct write_task *t, struct db *db, struct error *err)
{
    struct presence *p = (struct presence *)t;
    return p->online ? presence_enter(db, p->node, p->environment, p->subscriber, err)
                     : presence_leave(db, p->node, p->environment, p->subscriber, p->now, err);
}

static void presence_done(struct write_task *t, const struct error *err)
{
    (void)err;          /* the next connection or disconnection says it again */
    free(t);
}

void app_socket_presence(void *arg, const struct hub_identity *id, bool online)
{
    struct app *app = arg;
    struct presence *p = calloc(1, sizeof *p);
    struct error err = {0};
    if (!p)
        return;
    *p = (struct presence){.task = {.apply = presence_apply, .done = presence_done}, .node = app->node, .environment = id->environment,
                           .subscriber = id->subscriber, .online = online, .now = clock_now_ms(&app->clock)};
    if (!writer_submit(app->writer, &p->task, &err))
        free(p);
}

bool app_forgetting(void *app, struct db *db, const struct id *people, size_t n, struct error *err)
{
    return app_inbox_publish_all(app, db, people, n, err);
}

void app_forgot(void *arg, const struct id *people, size_t n)
{
    struct app *app = arg;
    for (size_t i = 0; i < n; i++)
        hub_changed(app->hub, people[i], HUB_UNSEEN | HUB_UNREAD);
}

void app_revived(void *arg)
{
    hub_announce(((struct app *)arg)->hub);
}

static void handle_engineio(struct request *rq)
{
    hub_handle_engineio(app_of(rq)->hub, rq);
}

static void handle_plain(struct request *rq)
{
    /* The route matches every path: for a plain GET nothing is there. */
    if (request_is_upgrade(rq))
        hub_handle_plain(app_of(rq)->hub, rq);
    else
        reply_fail(rq, 404, "Cannot %.*s %.*s", STR_ARG(rq->method), (int)(rq->path.n > 200 ? 200 : rq->path.n), rq->path.p);
}

static void handle_root(struct request *rq)
{
    reply_header(rq, "Location", STR("/demo"));
    reply_text(rq, 302, "text/plain; charset=utf-8", STR("The dashboard is not part of this version; see /demo\n"));
}

const struct route socket_routes[] = {
    {HTTP_GET, "/socket.io/", "socketPoll", "Realtime", "Engine.IO polling and WebSocket", AUTH_PUBLIC, NULL, RATE_NONE, 0, 200,
     ENVELOPE_NONE, 65536, ROUTE_CORS_ANY | ROUTE_RAW_BODY | ROUTE_NOT_IDEMPOTENT | ROUTE_ANY_UPGRADE, handle_engineio},
    {HTTP_POST, "/socket.io/", "socketSend", "Realtime", "Engine.IO polling, client to server", AUTH_PUBLIC, NULL, RATE_NONE, 0,
     200, ENVELOPE_NONE, 65536, ROUTE_CORS_ANY | ROUTE_RAW_BODY | ROUTE_NOT_IDEMPOTENT, handle_engineio},
    /* inbox-realtime.md §8: the plain transport is any upgrade that is not /socket.io/. */
    {HTTP_GET, "/{path*}", "socketPlain", "Realtime", "Plain WebSocket transport", AUTH_PUBLIC, NULL, RATE_NONE, 0, 200,
     ENVELOPE_NONE, 65536, ROUTE_CORS_ANY | ROUTE_RAW_BODY | ROUTE_ANY_UPGRADE, handle_plain},
    {HTTP_GET, "/", "root", "System", "Leads browsers to the demo", AUTH_PUBLIC, NULL, RATE_NONE, 0, 302, ENVELOPE_NONE, 65536,
     ROUTE_RAW_BODY, handle_root},
};
const size_t socket_routes_n = sizeof socket_routes / sizeof *socket_routes;
