/* Sends rendered messages to the outside world: one thread, one libcurl multi handle.
 *
 * It makes one attempt and reports; retries, failover and records are the engine's. It never logs or returns a
 * secret: provider answers are cut to 10,240 bytes and credential values in them are replaced by "***".
 */
#ifndef DELIVERY_DISPATCHER_H
#define DELIVERY_DISPATCHER_H

#include "base/json.h"
#include "base/metrics.h"

struct dispatcher;
struct outbound_policy;

struct delivery_attachment {
    struct str name, mime, content;     /* content: decoded bytes */
    struct str cid;                     /* inline image, or empty */
};

struct delivery_address {
    struct str name, email;
};

struct delivery_email {
    struct delivery_address from;
    const struct delivery_address *to, *cc, *bcc, *reply_to;
    size_t to_n, cc_n, bcc_n, reply_to_n;
    struct str subject, html, text;     /* text empty: made from html by the caller beforehand */
    const struct delivery_attachment *attachments;
    size_t attachments_n;
    yyjson_val *headers;                /* object of strings, or NULL */
};

enum delivery_outcome {
    DELIVERY_SENT,
    DELIVERY_RETRY,                     /* worth another attempt: 408, 425, 429, 5xx, SMTP 4yz, network, time-out */
    DELIVERY_FAILED                     /* permanent */
};

/* All but DELIVERY_SEND send nothing: email and message are NULL. */
enum delivery_purpose {
    DELIVERY_SEND,
    DELIVERY_CHECK,                     /* only whether the provider lets us in */
    DELIVERY_HOOK                       /* the provider is told where to report about messages (providers.md §8) */
};

struct delivery_result {
    enum delivery_outcome outcome;
    struct str message_id;              /* the provider's, or empty */
    struct str response;                /* text for execution details: answer body or SMTP dialogue's last line */
    struct str error;                   /* one sentence when not sent */
    int64_t retry_after_ms;             /* from Retry-After, or 0 */
    bool host_unknown;                  /* the name of the provider's host leads nowhere */
    bool address_gone;                  /* the provider no longer knows this device */
    struct str hook_key;                /* DELIVERY_HOOK: what proves that a report is the provider's */
};

struct delivery {
    struct arena *arena;                /* owns everything below and the result; handed over with the delivery */
    struct str provider_id;             /* "nodemailer" is SMTP; others are declared (providers/<channel>/<id>.json) */
    struct str channel;                 /* "email", "sms", …; ids of channels overlap */
    yyjson_val *credentials;            /* decrypted object */
    struct str idempotency_key;         /* stable over attempts; becomes Message-ID for e-mail */
    struct delivery_email *email;       /* for SMTP and providers that want the whole mail */
    /* For declared providers: the common message (providers.md §2), what the trigger says to this provider, the endpoint of
     * a chat, the integration's configurations; all but the first may be NULL. */
    yyjson_val *message, *overrides, *target, *configurations;
    const struct outbound_policy *outbound;     /* where requests may lead; NULL: anywhere */
    enum delivery_purpose purpose;
    struct str hook_url;                /* DELIVERY_HOOK: where reports are to come in */
    int timeout_ms;                     /* 0: 30,000 */
    /* On the dispatcher's thread; the delivery (and its arena) belong to the callee again. Must not wait. */
    void (*done)(struct delivery *d, const struct delivery_result *r);
    void *owner;                        /* the caller's */
    struct delivery *next;              /* the dispatcher's, */
    yyjson_val *declaration;            /* … and its driver's */
    void *driving;
};

struct dispatcher_config {
    const char *sink;                   /* CARILLON_DELIVERY_SINK: "http://host:port" or NULL (beyond.md §4) */
    int concurrent_max;                 /* transfers at once; 0: 256 */
    int per_host_max;                   /* 0: 16 */
    struct metrics *metrics;
};

struct dispatcher *dispatcher_start(const struct dispatcher_config *c, struct error *err);
/* From any thread. false: queue full (65,536) or stopping; done is not called. */
bool dispatcher_submit(struct dispatcher *d, struct delivery *delivery, struct error *err);
/* Is there a harmless question to ask this provider about its credentials (DELIVERY_CHECK)? */
bool dispatcher_can_check(const struct dispatcher *d, struct str channel, struct str provider_id);
/* Can this provider be told where to report (DELIVERY_HOOK)? by_hand: if not, what its declaration says to whoever asks;
 * p NULL: nothing. It lives as long as the dispatcher. */
bool dispatcher_can_hook(const struct dispatcher *d, struct str channel, struct str provider_id, struct str *by_hand);
int dispatcher_depth(const struct dispatcher *d);
/* Waits for at most ms for what is under way; the rest is reported as DELIVERY_RETRY "shutting down". */
void dispatcher_stop(struct dispatcher *d, int ms);

#endif
