/* LISTEN and NOTIFY. */
#include "db/notify.h"

#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"

enum { RETRY_MS = 1000 };

struct listener {
    const char *channel;
    void (*fn)(void *arg, struct str payload);
    void *arg;
};

struct notify {
    struct listener listeners[NOTIFY_CHANNELS_MAX];
    int n;
    bool shared, running;
    int wake;                   /* eventfd: stop */
    pthread_t thread;
    char url[];
};

bool notify_publish(struct db *db, const char *channel, struct str payload, struct error *err)
{
    if (db_kind_of(db) != DB_POSTGRES)
        return true;
    if (payload.n > NOTIFY_PAYLOAD_MAX)
        return error_set(err, ERROR_TOO_LARGE, "A notification holds at most %d bytes", NOTIFY_PAYLOAD_MAX);
    struct db_stmt *s = db_prepare(db, "SELECT pg_notify(?1, ?2)", err);
    if (!s)
        return false;
    db_bind_text(s, 1, str_of(channel));
    db_bind_text(s, 2, payload.p ? payload : STR(""));
    enum db_step step = db_step(s, err);
    db_reset(s);
    return step != DB_FAILED;
}

struct notify *notify_create(const char *url)
{
    struct notify *n = calloc(1, sizeof *n + strlen(url) + 1);
    if (!n)
        abort();
    strcpy(n->url, url);
    n->shared = !strncmp(url, "postgres", 8);
    n->wake = -1;
    return n;
}

void notify_listen(struct notify *n, const char *channel, void (*fn)(void *arg, struct str payload), void *arg)
{
    if (n->n == NOTIFY_CHANNELS_MAX)
        abort();
    n->listeners[n->n++] = (struct listener){channel, fn, arg};
}

static void tell(struct notify *n, const char *channel, struct str payload)
{
    for (int i = 0; i < n->n; i++)
        if (!channel || !strcmp(n->listeners[i].channel, channel))
            n->listeners[i].fn(n->listeners[i].arg, payload);
}

static void drop_notice(void *arg, const PGresult *r)
{
    (void)arg, (void)r;
}

/* NULL: not now. */
static PGconn *connect_and_listen(struct notify *n)
{
    const char *const keys[] = {"fallback_application_name", "connect_timeout", "keepalives_idle", "dbname", NULL};
    const char *const values[] = {"carillon-listener", "5", "30", n->url, NULL};
    PGconn *c = PQconnectdbParams(keys, values, 1);
    bool ok = PQstatus(c) == CONNECTION_OK;
    PQsetNoticeReceiver(c, drop_notice, NULL);
    for (int i = 0; ok && i < n->n; i++) {
        char sql[80];
        snprintf(sql, sizeof sql, "LISTEN %s", n->listeners[i].channel);
        PGresult *r = PQexec(c, sql);
        ok = PQresultStatus(r) == PGRES_COMMAND_OK;
        PQclear(r);
    }
    if (ok)
        return c;
    PQfinish(c);
    return NULL;
}

/* true: asked to stop. */
static bool wait_for(struct notify *n, int socket, int ms)
{
    struct pollfd p[2] = {{.fd = n->wake, .events = POLLIN}, {.fd = socket, .events = POLLIN}};
    poll(p, socket < 0 ? 1 : 2, ms);
    return p[0].revents != 0;
}

/* Until the connection breaks (false) or we are asked to stop (true). */
static bool listen_on(struct notify *n, PGconn *c)
{
    PGnotify *word;
    tell(n, NULL, STR_NULL);
    for (;;) {
        while ((word = PQnotifies(c))) {
            tell(n, word->relname, str_of(word->extra ? word->extra : ""));
            PQfreemem(word);
        }
        if (wait_for(n, PQsocket(c), -1))
            return true;
        if (!PQconsumeInput(c) || PQstatus(c) != CONNECTION_OK)
            return false;
    }
}

static void *notify_main(void *arg)
{
    struct notify *n = arg;
    bool stop = false, warned = false;
    pthread_setname_np(pthread_self(), "listener");
    while (!stop) {
        PGconn *c = connect_and_listen(n);
        if (c) {
            warned = false;
            stop = listen_on(n, c);
            PQfinish(c);
            continue;
        }
        if (!warned)
            log_warn("cannot listen to the other nodes", NULL);
        warned = true;
        stop = wait_for(n, -1, RETRY_MS);
    }
    return NULL;
}

bool notify_start(struct notify *n, struct error *err)
{
    if (!n->shared)
        return true;
    n->wake = eventfd(0, EFD_CLOEXEC);
    if (n->wake < 0 || pthread_create(&n->thread, NULL, notify_main, n))
        return error_set(err, ERROR_IO, "Cannot start the listener");
    n->running = true;
    return true;
}

void notify_stop(struct notify *n)
{
    uint64_t one = 1;
    if (!n)
        return;
    if (n->running && write(n->wake, &one, sizeof one) == sizeof one)
        pthread_join(n->thread, NULL);
    if (n->wake >= 0)
        close(n->wake);
    free(n);
}
