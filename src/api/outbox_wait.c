/* GET /v1/outbox/wait: answers when a matching message of the outbox exists, or with 204 when time is over. */
#include "api/outbox_wait.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "api/app.h"
#include "api/tables.h"

enum { WAITERS_MAX = 1024, TIMEOUT_DEFAULT_S = 5, TIMEOUT_MAX_S = 60, SHARED_LOOK_MS = 500 };

struct waiter {
    struct request *rq;
    struct outbox_query q;
    int64_t deadline_ns;
    bool armed;                 /* the handler has let go: whoever unlinks it answers */
    bool hit;                   /* a match was committed before that */
    struct waiter *next, **prev;
};

struct outbox_waits {
    const char *shared_url;
    pthread_mutex_t lock;       /* of what follows */
    pthread_cond_t changed;
    struct waiter *first;
    int n;
    bool stopping, started;
    pthread_t thread;
    struct counter *waiting, *delivered;
};

struct outbox_waits *outbox_waits_create(const char *shared_url, struct metrics *m)
{
    struct outbox_waits *w = calloc(1, sizeof *w);
    pthread_condattr_t attr;
    if (!w)
        abort();
    w->shared_url = shared_url;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &attr);
    pthread_condattr_destroy(&attr);
    w->waiting = metrics_gauge(m, "carillon_outbox_waiting", "Requests that wait for a message of the outbox.", NULL);
    w->delivered = metrics_counter(m, "carillon_deliveries_total", "Delivery attempts by how they ended",
                                   "provider=\"outbox\",outcome=\"sent\"");
    return w;
}

/* --- under the lock -------------------------------------------------------------------------------------------- */

static bool link_in(struct outbox_waits *w, struct waiter *x)
{
    if (w->stopping || w->n == WAITERS_MAX)
        return false;
    x->next = w->first;
    x->prev = &w->first;
    if (x->next)
        x->next->prev = &x->next;
    w->first = x;
    gauge_set(w->waiting, ++w->n);
    return true;
}

static void unlink_from(struct outbox_waits *w, struct waiter *x)
{
    *x->prev = x->next;
    if (x->next)
        x->next->prev = x->prev;
    gauge_set(w->waiting, --w->n);
}

static bool matches(const struct waiter *x, const struct outbox_message *m)
{
    return id_eq(x->rq->principal.environment, m->environment) && (x->q.channel < 0 || x->q.channel == (int)m->channel)
        && (!x->q.to.n || str_eq(x->q.to, m->recipient))
        && (!x->q.transaction_id.n || str_eq(x->q.transaction_id, m->transaction_id));
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static void answer(struct request *rq, const struct outbox_message *m)
{
    reply_json(rq, 0, outbox_json(json_doc(rq->arena), rq->arena, m));
}

/* The answer is made from the engine's memory at once: the message need not live longer. */
void app_outboxed(void *arg, const struct outbox_message *m)
{
    struct outbox_waits *w = ((struct app *)arg)->outbox_waits;
    struct waiter *ready = NULL;
    counter_add(w->delivered, 1);
    pthread_mutex_lock(&w->lock);
    for (struct waiter *x = w->first, *next; x; x = next) {
        next = x->next;
        if (!matches(x, m))
            continue;
        if (!x->armed) {
            x->hit = true;
            continue;
        }
        unlink_from(w, x);
        x->next = ready;
        ready = x;
    }
    pthread_mutex_unlock(&w->lock);
    for (struct waiter *x = ready, *next; x; x = next) {
        next = x->next;         /* x lives in the request, which is gone once it is answered */
        answer(x->rq, m);
    }
}

/* --- the end of waiting -------------------------------------------------------------------------------------------- */

static struct waiter *take_over(struct outbox_waits *w, bool all)
{
    int64_t now = clock_mono_ns();
    struct waiter *over = NULL;
    for (struct waiter *x = w->first, *next; x; x = next) {
        next = x->next;
        if (x->armed && (all || x->deadline_ns <= now)) {
            unlink_from(w, x);
            x->next = over;
            over = x;
        }
    }
    return over;
}

static void answer_over(struct waiter *over, bool stopping)
{
    for (struct waiter *x = over, *next; x; x = next) {
        next = x->next;
        if (stopping)
            reply_fail(x->rq, 503, "The server is stopping");
        else
            reply_empty(x->rq, 204);
    }
}

static int64_t earliest(const struct outbox_waits *w)
{
    int64_t ns = INT64_MAX;
    for (const struct waiter *x = w->first; x; x = x->next)
        if (x->deadline_ns < ns)
            ns = x->deadline_ns;
    return ns;
}

/* What other nodes committed. Without the lock during the query, a waiter may be answered by somebody else, so it is
 * looked up by the address of its request only while the lock is held again. */
static void look(struct outbox_waits *w, struct db *db)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct { struct waiter *x; struct outbox_query q; struct id environment; } *list;
    int n = 0;
    pthread_mutex_lock(&w->lock);
    list = arena_alloc(a, (size_t)(w->n + 1) * sizeof *list);
    for (struct waiter *x = w->first; x; x = x->next) {
        if (!x->armed)
            continue;
        list[n].x = x;
        list[n].environment = x->rq->principal.environment;
        list[n].q = x->q;
        list[n].q.to = str_dup(a, x->q.to);
        list[n++].q.transaction_id = str_dup(a, x->q.transaction_id);
    }
    pthread_mutex_unlock(&w->lock);
    for (int i = 0; i < n; i++) {
        struct outbox_message *found;
        size_t found_n = 0;
        if (!outbox_list(db, a, list[i].environment, &list[i].q, &found, &found_n, NULL) || !found_n)
            continue;
        pthread_mutex_lock(&w->lock);
        struct waiter *x = w->first;
        while (x && (x != list[i].x || !x->armed || !matches(x, &found[0])))
            x = x->next;
        if (x)
            unlink_from(w, x);
        pthread_mutex_unlock(&w->lock);
        if (x)
            answer(x->rq, &found[0]);
    }
}

static void wait_until(struct outbox_waits *w, int64_t ns)
{
    if (w->shared_url && w->first) {
        int64_t soon = clock_mono_ns() + SHARED_LOOK_MS * 1000000LL;
        ns = soon < ns ? soon : ns;
    }
    if (ns == INT64_MAX)
        pthread_cond_wait(&w->changed, &w->lock);
    else
        pthread_cond_timedwait(&w->changed, &w->lock,
                               &(struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000});
}

static void *waits_main(void *arg)
{
    struct outbox_waits *w = arg;
    struct db *db = w->shared_url ? db_open(w->shared_url, true, NULL) : NULL;
    pthread_setname_np(pthread_self(), "outbox-wait");
    pthread_mutex_lock(&w->lock);
    while (!w->stopping) {
        struct waiter *over = take_over(w, false);
        if (!over)
            wait_until(w, earliest(w));
        pthread_mutex_unlock(&w->lock);
        answer_over(over, false);
        if (db)
            look(w, db);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    db_close(db);
    return NULL;
}

void outbox_waits_drain(struct outbox_waits *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    struct waiter *over = take_over(w, true);
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    answer_over(over, true);
}

void outbox_waits_destroy(struct outbox_waits *w)
{
    if (!w)
        return;
    outbox_waits_drain(w);
    if (w->started)
        pthread_join(w->thread, NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
    free(w);
}

/* --- the request ---------------------------------------------------------------------------------------------------- */

static bool read_query(struct request *rq, struct waiter *x)
{
    struct checks c = checks_begin(rq);
    struct str channel = request_query(rq, "channel");
    enum channel parsed;
    *x = (struct waiter){.rq = rq, .q = {.channel = -1, .to = request_query(rq, "to"), .limit = 1,
                                         .transaction_id = request_query(rq, "transactionId")}};
    if (channel.n && !channel_parse(channel, &parsed))
        check_fail(&c, "channel must be one of the following values: email, sms, push, chat");
    else if (channel.n)
        x->q.channel = (int)parsed;
    x->deadline_ns = clock_mono_ns() + check_query_int(&c, "timeout", TIMEOUT_DEFAULT_S, 0, TIMEOUT_MAX_S) * 1000000000;
    return checks_done(&c);
}

/* true: the request is answered. */
static bool answer_if_there(struct request *rq, const struct outbox_query *q)
{
    struct outbox_message *found;
    struct error err = {0};
    size_t n;
    if (!outbox_list(app_db(rq), rq->arena, rq->principal.environment, q, &found, &n, &err))
        reply_error(rq, &err);
    else if (n)
        answer(rq, &found[0]);
    else
        return false;
    return true;
}

static bool thread_start(struct outbox_waits *w)
{
    return w->started || (w->started = pthread_create(&w->thread, NULL, waits_main, w) == 0);
}

/* First into the list, then to the store: a message that is committed between the two is noted by `hit`. Until it is
 * armed nobody else touches the request. */
static void handle_wait(struct request *rq)
{
    struct outbox_waits *w = app_of(rq)->outbox_waits;
    struct waiter *x = ARENA_NEW(rq->arena, struct waiter);
    if (!read_query(rq, x))
        return;
    struct outbox_query q = x->q;
    pthread_mutex_lock(&w->lock);
    bool in = thread_start(w) && link_in(w, x);
    pthread_mutex_unlock(&w->lock);
    if (!in) {
        reply_fail(rq, 503, "Too many requests wait for the outbox");
        return;
    }
    /* The answer may let the memory of x go: out of the list before. */
    struct outbox_message *found = NULL;
    struct error err = {0};
    size_t n = 0;
    bool ok = outbox_list(app_db(rq), rq->arena, rq->principal.environment, &q, &found, &n, &err);
    pthread_mutex_lock(&w->lock);
    bool hit = x->hit, stopping = w->stopping;
    x->armed = ok && !n && !hit && !stopping;
    if (x->armed)
        pthread_cond_signal(&w->changed);
    else
        unlink_from(w, x);
    bool armed = x->armed;
    pthread_mutex_unlock(&w->lock);
    if (armed)
        return;
    if (!ok)
        reply_error(rq, &err);
    else if (n)
        answer(rq, &found[0]);
    else if (stopping)
        reply_fail(rq, 503, "The server is stopping");
    else if (!answer_if_there(rq, &q))
        reply_empty(rq, 204);       /* it was deleted at once */
}

const struct route outbox_wait_routes[] = {
    {HTTP_GET, "/v1/outbox/wait", "outboxWait", "Outbox", "Wait for a message of the outbox", AUTH_ENVIRONMENT, "MESSAGE_READ",
     RATE_NONE, 0, 200, ENVELOPE_DATA, 0, 0, handle_wait},
};
const size_t outbox_wait_routes_n = sizeof outbox_wait_routes / sizeof *outbox_wait_routes;
