/* The thread that owns all transfers: takes what was submitted, starts it within the caps, reports how it ended. */
#include "delivery/dispatcher.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "delivery/dispatcher_private.h"
#include "delivery/host_queue.h"
#include "delivery/provider_private.h"

enum {
    DEPTH_MAX = 65536, CONCURRENT_DEFAULT = 256, PER_HOST_DEFAULT = 16, TIMEOUT_DEFAULT_MS = 30000,
    IDLE_POLL_MS = 60000,
    CONNECTION_AGE_S = 30,              /* an idle connection older than this is not used again */
    CONNECTIONS_KEPT = 4096             /* never reached in practice: libcurl evicts with a blocking QUIT */
};

const struct driver *const drivers[] = {&smtp_driver, &smtp_outlook_driver, &smtp_emailjs_driver, &provider_driver, NULL};

/* An open socket and the job that uses it now, if any. */
struct wire {
    int fd;
    struct job *job;
};

struct dispatcher {
    pthread_t thread;
    CURLM *multi;
    char *sink;
    int concurrent_max, active;
    struct host_queue *hosts;
    struct providers *providers;
    struct token_cache *tokens;
    struct job *under_way;
    CURL **spare;
    int spare_n;
    struct wire *wires;
    size_t wires_n, wires_cap;
    struct counter *totals[sizeof drivers / sizeof *drivers][3], *unknown[3], *in_flight;
    struct histogram *seconds;

    pthread_mutex_t lock;               /* guards the rest */
    struct job *intake, **intake_last;
    bool stopping;
    int64_t stop_at_ns;
    _Atomic int depth;
};

const struct driver *driver_find(struct str provider_id)
{
    for (int i = 0; drivers[i]; i++)
        if (str_eqz(provider_id, drivers[i]->provider_id))
            return drivers[i];
    return NULL;
}

/* --- sockets --- */

static curl_socket_t socket_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct job *j = ctx;
    struct dispatcher *d = j->dispatcher;
    (void)purpose;
    if (j->address_ok && !j->address_ok(j, &address->addr))
        return CURL_SOCKET_BAD;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    if (d->wires_n == d->wires_cap) {
        d->wires_cap = d->wires_cap ? d->wires_cap * 2 : 64;
        d->wires = realloc(d->wires, d->wires_cap * sizeof *d->wires);
        if (!d->wires)
            abort();
    }
    d->wires[d->wires_n++] = (struct wire){fd, j};
    return fd;
}

static int socket_close(void *ctx, curl_socket_t fd)
{
    struct dispatcher *d = ctx;
    for (size_t i = 0; i < d->wires_n; i++)
        if (d->wires[i].fd == fd) {
            d->wires[i] = d->wires[--d->wires_n];
            break;
        }
    return close(fd);
}

void job_stop_reading(struct job *j)
{
    struct dispatcher *d = j->dispatcher;
    for (size_t i = 0; i < d->wires_n; i++)
        if (d->wires[i].job == j)
            shutdown(d->wires[i].fd, SHUT_RD);
}

static int local_port(int fd)
{
    struct sockaddr_storage s;
    socklen_t n = sizeof s;
    if (getsockname(fd, (struct sockaddr *)&s, &n) < 0)
        return 0;
    return ntohs(s.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&s)->sin6_port : ((struct sockaddr_in *)&s)->sin_port);
}

static bool address_parse(const char *ip, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    *out = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1)
        out->ss_family = AF_INET;
    else if (inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1)
        out->ss_family = AF_INET6;
    return out->ss_family != 0;
}

/* A connection is ready, new or kept: says which socket serves the job, and asks its rule about the far end. */
static int connection_taken(void *ctx, char *far, char *near, int far_port, int near_port)
{
    struct job *j = ctx;
    struct dispatcher *d = j->dispatcher;
    struct sockaddr_storage address;
    (void)near, (void)far_port;
    if (j->address_ok && (!address_parse(far, &address) || !j->address_ok(j, (struct sockaddr *)&address)))
        return CURL_PREREQFUNC_ABORT;
    for (size_t i = 0; i < d->wires_n; i++)
        if (!d->wires[i].job && local_port(d->wires[i].fd) == near_port)
            d->wires[i].job = j;
    return CURL_PREREQFUNC_OK;
}

static void sockets_release(struct dispatcher *d, const struct job *j)
{
    for (size_t i = 0; i < d->wires_n; i++)
        if (d->wires[i].job == j)
            d->wires[i].job = NULL;
}

/* --- one job --- */

static void count(struct dispatcher *d, const struct job *j, enum delivery_outcome outcome)
{
    if (!d->in_flight || !j->delivery)
        return;
    for (int i = 0; drivers[i]; i++)
        if (drivers[i] == j->driver) {
            counter_add(d->totals[i][outcome], 1);
            return;
        }
    counter_add(d->unknown[outcome], 1);
}

static void job_report(struct job *j, const struct delivery_result *r)
{
    struct dispatcher *d = j->dispatcher;
    count(d, j, r->outcome);
    atomic_fetch_sub(&d->depth, 1);
    if (j->driver && j->driver->report)
        j->driver->report(j, r);
    else
        j->delivery->done(j->delivery, r);
}

static void job_report_error(struct job *j, enum delivery_outcome outcome, const struct error *err)
{
    struct delivery_result r = {.outcome = outcome, .error = str_dup(j->arena, str_of(err->message))};
    job_report(j, &r);
}

static void job_report_stopping(struct job *j)
{
    struct delivery_result r = {.outcome = DELIVERY_RETRY, .error = STR("shutting down")};
    job_report(j, &r);
}

static int time_left_ms(const struct job *j)
{
    return j->timeout_ms - (int)((clock_mono_ns() - j->started_ns) / 1000000);
}

/* Options that every transfer has, whatever its driver. */
static void easy_prepare(struct job *j)
{
    CURL *e = j->easy;
    int left = time_left_ms(j);
    curl_easy_reset(e);
    curl_easy_setopt(e, CURLOPT_PRIVATE, j);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, j->curl_error);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_NOPROGRESS, 1L);
    /* A name server that hangs must not hang this thread when its lookup is given up. */
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(left > 0 ? left : 1));
    curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)CONNECTION_AGE_S);
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, socket_open);
    curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, j);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, socket_close);
    curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, j->dispatcher);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, connection_taken);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, j);
    curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

/* Gives up the handle and the place of a job that is under way; what is left is to report. */
static void job_leave(struct job *j)
{
    struct dispatcher *d = j->dispatcher;
    *(j->prev ? &j->prev->next : &d->under_way) = j->next;
    if (j->next)
        j->next->prev = j->prev;
    j->next = j->prev = NULL;
    curl_easy_reset(j->easy);
    d->spare[d->spare_n++] = j->easy;
    j->easy = NULL;
    sockets_release(d, j);
    d->active--;
    if (d->in_flight) {
        gauge_set(d->in_flight, d->active);
        histogram_observe(d->seconds, (double)(clock_mono_ns() - j->started_ns) / 1e9);
    }
    host_queue_done(d->hosts, j->host);
}

static bool job_begin(struct job *j, struct error *err)
{
    easy_prepare(j);
    j->curl_error[0] = 0;
    if (!j->driver->begin(j, err)) {
        j->driver->release(j);
        return false;
    }
    if (curl_multi_add_handle(j->dispatcher->multi, j->easy) == CURLM_OK)
        return true;
    j->driver->release(j);
    return error_set(err, ERROR_IO, "The transfer could not be started.");
}

/* A failure to begin is permanent where the request itself is wrong, else the system's. */
static enum delivery_outcome begin_outcome(const struct error *err)
{
    return err->code == ERROR_IO || err->code == ERROR_INTERNAL ? DELIVERY_RETRY : DELIVERY_FAILED;
}

static void job_start(struct dispatcher *d, struct job *j)
{
    struct error err = {0};
    j->easy = d->spare_n ? d->spare[--d->spare_n] : curl_easy_init();
    if (!j->easy)
        abort();
    j->prev = NULL;
    j->next = d->under_way;
    if (j->next)
        j->next->prev = j;
    d->under_way = j;
    d->active++;
    if (d->in_flight)
        gauge_set(d->in_flight, d->active);
    j->started_ns = clock_mono_ns();
    if (!job_begin(j, &err)) {
        job_leave(j);
        job_report_error(j, begin_outcome(&err), &err);
    }
}

static void job_finish(struct job *j, CURLcode code)
{
    struct delivery_result r = {0};
    struct error err = {0};
    enum verdict verdict = j->driver->end(j, code, &r);
    curl_multi_remove_handle(j->dispatcher->multi, j->easy);
    j->driver->release(j);
    if (verdict == JOB_AGAIN && time_left_ms(j) > 0) {
        sockets_release(j->dispatcher, j);
        if (job_begin(j, &err))
            return;
        r = (struct delivery_result){.outcome = begin_outcome(&err), .error = str_dup(j->arena, str_of(err.message))};
    } else if (verdict == JOB_AGAIN) {
        r = (struct delivery_result){.outcome = DELIVERY_RETRY, .error = STR("Timed out")};
    }
    job_leave(j);
    job_report(j, &r);
}

enum delivery_outcome curl_outcome(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return DELIVERY_SENT;
    case CURLE_UNSUPPORTED_PROTOCOL: case CURLE_URL_MALFORMAT: case CURLE_NOT_BUILT_IN: case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION: case CURLE_SSL_CERTPROBLEM: case CURLE_SSL_CIPHER: case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE: case CURLE_USE_SSL_FAILED:
        return DELIVERY_FAILED;
    default:
        return DELIVERY_RETRY;
    }
}

struct str curl_sentence(struct job *j, CURLcode code)
{
    const char *text = j->curl_error[0] ? j->curl_error : curl_easy_strerror(code);
    return reply_text_clean(j->arena, str_of(text), CURL_ERROR_SIZE);
}

/* --- the loop --- */

static void intake_take(struct dispatcher *d, bool *stopping)
{
    pthread_mutex_lock(&d->lock);
    struct job *j = d->intake;
    d->intake = NULL;
    d->intake_last = &d->intake;
    *stopping = d->stopping;
    pthread_mutex_unlock(&d->lock);
    for (struct job *next; j; j = next) {
        struct error err = {0};
        next = j->next;
        j->next = NULL;
        j->sink = d->sink;
        if (!j->driver) {
            error_set(&err, ERROR_BAD_INPUT, "There is no driver for the provider \"%.*s\".",
                      (int)(j->delivery->provider_id.n < 64 ? j->delivery->provider_id.n : 64), j->delivery->provider_id.p);
            job_report_error(j, DELIVERY_FAILED, &err);
        } else if (j->driver->plan(j, &err)) {
            host_queue_push(d->hosts, j);
        } else {
            job_report_error(j, DELIVERY_FAILED, &err);
        }
    }
}

static void jobs_launch(struct dispatcher *d)
{
    struct job *j;
    while (d->active < d->concurrent_max && (j = host_queue_pop(d->hosts)))
        job_start(d, j);
}

static bool jobs_collect(struct dispatcher *d)
{
    int left = 0;
    bool any = false;
    CURLMsg *m;
    while ((m = curl_multi_info_read(d->multi, &left))) {
        struct job *j = NULL;
        CURLcode code = m->data.result;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&j);
        job_finish(j, code);
        any = true;
    }
    return any;
}

static void jobs_abandon(struct dispatcher *d)
{
    for (struct job *j; (j = d->under_way);) {
        job_stop_reading(j);
        curl_multi_remove_handle(d->multi, j->easy);
        j->driver->release(j);
        job_leave(j);
        job_report_stopping(j);
    }
}

/* Milliseconds to wait for sockets, or -1 when the loop is over. */
static int loop_wait_ms(struct dispatcher *d, bool stopping)
{
    if (!stopping)
        return IDLE_POLL_MS;
    for (struct job *j; (j = host_queue_drain(d->hosts));)
        job_report_stopping(j);
    int64_t left = (d->stop_at_ns - clock_mono_ns()) / 1000000;
    return d->active && left > 0 ? (int)(left < IDLE_POLL_MS ? left + 1 : IDLE_POLL_MS) : -1;
}

static void *loop(void *ctx)
{
    struct dispatcher *d = ctx;
    for (bool stopping = false;;) {
        int running = 0;
        intake_take(d, &stopping);
        if (!stopping)
            jobs_launch(d);
        curl_multi_perform(d->multi, &running);
        if (jobs_collect(d))
            continue;
        int wait = loop_wait_ms(d, stopping);
        if (wait < 0)
            break;
        curl_multi_poll(d->multi, NULL, 0, wait, NULL);
    }
    jobs_abandon(d);
    return NULL;
}

/* --- from outside --- */

static void metrics_open(struct dispatcher *d, struct metrics *m)
{
    static const char *const outcomes[] = {"sent", "retry", "failed"};
    static const double bounds[] = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
    static const char help[] = "Delivery attempts by how they ended";
    char labels[96];
    if (!m)
        return;
    for (int o = 0; o < 3; o++) {
        for (int i = 0; drivers[i]; i++) {
            snprintf(labels, sizeof labels, "provider=\"%s\",outcome=\"%s\"", drivers[i]->provider_id, outcomes[o]);
            d->totals[i][o] = metrics_counter(m, "carillon_deliveries_total", help, labels);
        }
        snprintf(labels, sizeof labels, "provider=\"unknown\",outcome=\"%s\"", outcomes[o]);
        d->unknown[o] = metrics_counter(m, "carillon_deliveries_total", help, labels);
    }
    d->in_flight = metrics_gauge(m, "carillon_deliveries_in_flight", "Delivery attempts under way", NULL);
    d->seconds = metrics_histogram(m, "carillon_delivery_seconds", "Duration of delivery attempts", NULL, bounds,
                                   sizeof bounds / sizeof *bounds);
}

static void dispatcher_free(struct dispatcher *d)
{
    for (int i = 0; i < d->spare_n; i++)
        curl_easy_cleanup(d->spare[i]);
    /* Else the QUIT to every kept SMTP connection would wait for an answer. */
    for (size_t i = 0; i < d->wires_n; i++)
        shutdown(d->wires[i].fd, SHUT_RD);
    if (d->multi)
        curl_multi_cleanup(d->multi);
    curl_global_cleanup();
    host_queue_destroy(d->hosts);
    providers_destroy(d->providers);
    token_cache_destroy(d->tokens);
    pthread_mutex_destroy(&d->lock);
    free(d->wires);
    free(d->spare);
    free(d->sink);
    free(d);
}

/* Signals are other threads' business, and a closed connection is a return value, not a SIGPIPE. */
static int thread_start(struct dispatcher *d)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int rc = pthread_create(&d->thread, NULL, loop, d);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

struct dispatcher *dispatcher_start(const struct dispatcher_config *c, struct error *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !crypto_init()) {
        error_set(err, ERROR_IO, "libcurl or libsodium could not be initialised.");
        return NULL;
    }
    struct dispatcher *d = calloc(1, sizeof *d);
    if (!d)
        abort();
    pthread_mutex_init(&d->lock, NULL);
    d->intake_last = &d->intake;
    d->concurrent_max = c->concurrent_max > 0 ? c->concurrent_max : CONCURRENT_DEFAULT;
    d->hosts = host_queue_create(c->per_host_max > 0 ? c->per_host_max : PER_HOST_DEFAULT);
    d->providers = providers_create();
    d->tokens = token_cache_create();
    d->spare = calloc((size_t)d->concurrent_max, sizeof *d->spare);
    d->sink = c->sink && *c->sink ? strdup(c->sink) : NULL;
    d->multi = curl_multi_init();
    if (!d->spare || !d->multi)
        abort();
    curl_multi_setopt(d->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    metrics_open(d, c->metrics);
    int rc = thread_start(d);
    if (rc == 0)
        return d;
    error_set(err, ERROR_IO, "The delivery thread could not be started: %s", strerror(rc));
    dispatcher_free(d);
    return NULL;
}

bool dispatcher_enqueue(struct dispatcher *d, struct job *j, struct error *err)
{
    j->dispatcher = d;
    j->next = NULL;
    j->timeout_ms = j->timeout_ms > 0 ? j->timeout_ms : TIMEOUT_DEFAULT_MS;
    pthread_mutex_lock(&d->lock);
    bool stopping = d->stopping, full = atomic_load(&d->depth) >= DEPTH_MAX, first = !d->intake;
    if (!stopping && !full) {
        atomic_fetch_add(&d->depth, 1);
        *d->intake_last = j;
        d->intake_last = &j->next;
        /* Under the lock: once it is released a stop may take the multi handle away. */
        if (first)
            curl_multi_wakeup(d->multi);
    }
    pthread_mutex_unlock(&d->lock);
    if (stopping)
        return error_set(err, ERROR_OVERLOAD, "Deliveries are shutting down.");
    return full ? error_set(err, ERROR_OVERLOAD, "The delivery queue is full.") : true;
}

bool dispatcher_submit(struct dispatcher *d, struct delivery *delivery, struct error *err)
{
    struct job *j = ARENA_NEW(delivery->arena, struct job);
    j->arena = delivery->arena;
    j->delivery = delivery;
    delivery->declaration = providers_find(d->providers, delivery->channel, delivery->provider_id);
    j->driver = delivery->declaration ? &provider_driver : driver_find(delivery->provider_id);
    j->timeout_ms = delivery->timeout_ms;
    return dispatcher_enqueue(d, j, err);
}

bool dispatcher_can_check(const struct dispatcher *d, struct str channel, struct str provider_id)
{
    yyjson_val *declaration = providers_find(d->providers, channel, provider_id);
    return declaration ? json_get(declaration, "check") != NULL : driver_find(provider_id) != NULL;
}

bool dispatcher_can_hook(const struct dispatcher *d, struct str channel, struct str provider_id, struct str *by_hand)
{
    yyjson_val *hook = json_get(providers_find(d->providers, channel, provider_id), "hook");
    *by_hand = json_get_str(hook, "byHand");
    return json_get(hook, "steps") != NULL;
}

struct token_cache *dispatcher_tokens(struct dispatcher *d)
{
    return d->tokens;
}

int dispatcher_depth(const struct dispatcher *d)
{
    return atomic_load(&((struct dispatcher *)(uintptr_t)d)->depth);
}

void dispatcher_stop(struct dispatcher *d, int ms)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->stop_at_ns = clock_mono_ns() + (int64_t)ms * 1000000;
    d->stopping = true;
    curl_multi_wakeup(d->multi);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    dispatcher_free(d);
}
