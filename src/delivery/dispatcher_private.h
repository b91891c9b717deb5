/* What drivers (SMTP, HTTP, later the declarative providers) and the dispatcher's loop know of each other.
 *
 * A job is one delivery (or one bare HTTP call) from submission to report. The loop owns the easy handle and the
 * sockets, the driver what it puts on them. Everything here runs on the dispatcher's thread, except driver_find
 * and the constructor of a job.
 */
#ifndef DELIVERY_DISPATCHER_PRIVATE_H
#define DELIVERY_DISPATCHER_PRIVATE_H

#include <curl/curl.h>
#include <sys/socket.h>

#include "delivery/dispatcher.h"
#include "delivery/reply_text.h"

struct host;
struct http_call;

struct job {
    struct dispatcher *dispatcher;
    const struct driver *driver;
    struct arena *arena;
    struct delivery *delivery;          /* or */
    struct http_call *call;
    void *state;                        /* the driver's */
    struct str host_key;                /* whom the per-host cap counts; the driver's plan sets it */
    const char *sink;
    int timeout_ms;                     /* for all of it, restarts included, from its start */
    CURL *easy;                         /* while it is under way */
    char curl_error[CURL_ERROR_SIZE];
    /* Set by a driver that restricts where it may connect: asked for every address, before connecting and again
     * when a kept connection is taken. */
    bool (*address_ok)(struct job *j, const struct sockaddr *address);
    int64_t started_ns;
    struct host *host;
    struct job *next, *prev;
};

enum verdict {
    JOB_DONE,                           /* *r is filled */
    JOB_AGAIN                           /* begin once more, in the same attempt and within its time */
};

struct driver {
    const char *provider_id;            /* of deliveries; NULL for bare calls */
    /* Checks and reads what is needed to know the host. false: err tells why it can never work. */
    bool (*plan)(struct job *j, struct error *err);
    /* Sets the options of j->easy, which is as after curl_easy_reset plus the loop's own. */
    bool (*begin)(struct job *j, struct error *err);
    /* After the transfer. j->easy still answers curl_easy_getinfo. */
    enum verdict (*end)(struct job *j, CURLcode code, struct delivery_result *r);
    /* Frees what begin made outside the arena; called once after every begin, also after one that failed. */
    void (*release)(struct job *j);
    /* Hands the result to the owner; the job's memory may be gone afterwards. NULL: to the delivery's done. */
    void (*report)(struct job *j, const struct delivery_result *r);
};

/* By provider id; NULL if there is none. */
const struct driver *driver_find(struct str provider_id);
/* Every one that driver_find can give, for metrics; ends with NULL. */
extern const struct driver *const drivers[];

struct token_cache;
/* For the dispatcher's thread. */
struct token_cache *dispatcher_tokens(struct dispatcher *d);

extern const struct driver smtp_driver, smtp_outlook_driver, smtp_emailjs_driver;

/* Queues a job whose arena, driver and delivery or call are set. As dispatcher_submit. */
bool dispatcher_enqueue(struct dispatcher *d, struct job *j, struct error *err);

/* Ends what the connections of this job would still wait to read: libcurl, which says QUIT when it closes an SMTP
 * connection and then waits for the answer with the whole thread, finds the end of the stream instead. */
void job_stop_reading(struct job *j);

/* Errors of libcurl as outcomes: what may go better next time is DELIVERY_RETRY. */
enum delivery_outcome curl_outcome(CURLcode code);
/* libcurl's own words for what happened, cleaned; never empty. */
struct str curl_sentence(struct job *j, CURLcode code);

#endif
