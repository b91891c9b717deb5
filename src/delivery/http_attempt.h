/* One HTTP request to a provider and what came back. Redirects are not followed, nothing is retried here.
 *
 * Two ways in: http_call_submit runs a request of its own on the dispatcher's thread (token fetches, checks);
 * http_exchange_begin/_end put one on a job that a driver runs (deliveries through HTTP providers, as many
 * exchanges in a row as it needs). Both obey the dispatcher's caps and its sink.
 */
#ifndef DELIVERY_HTTP_ATTEMPT_H
#define DELIVERY_HTTP_ATTEMPT_H

#include <sys/socket.h>

#include "delivery/dispatcher_private.h"

enum {
    HTTP_RESPONSE_DEFAULT = 1 << 20,    /* bytes of a body that are kept */
    HTTP_HEADERS_MAX = 100,             /* of a request, and kept of a response */
    HTTP_HEADER_BYTES_MAX = 32768,      /* kept of a response */
    HTTP_URL_MAX = 16384,
    HTTP_CONNECT_DEFAULT_MS = 10000,    /* providers.md §9 */
    HTTP_RETRY_AFTER_MAX_MS = 86400000
};

struct http_header {
    struct str name, value;
};

enum http_version {
    HTTP_ANY,                           /* 2 when the server offers it by ALPN, else 1.1 */
    HTTP_1_ONLY,
    HTTP_2_ONLY                         /* APNs; over the plain-text sink it becomes 1.1 */
};

/* Everything is the caller's and must outlive the exchange (the body is not copied). */
struct http_request {
    struct str method;                  /* a token; empty: POST with a body, GET without */
    struct str url;                     /* http or https; without a scheme: https */
    const struct http_header *headers;  /* written as given. Content-Length, Transfer-Encoding, Connection, Expect are
                                           dropped: the transport's own. User-Agent is Carillon's unless given */
    size_t headers_n;
    struct str body;                    /* p NULL: none */
    enum http_version version;
    struct str client_cert, client_key; /* PEM, for servers that ask who we are; empty: none */
    struct str ca;                      /* PEM; empty: the system's store */
    bool tls_unverified;                /* any certificate will do */
    int connect_timeout_ms;             /* 0: HTTP_CONNECT_DEFAULT_MS */
    size_t response_max;                /* 0: HTTP_RESPONSE_DEFAULT; more is cut off and the connection closed */
    /* May we connect there? Asked for every address that the name resolves to and for kept connections; not with a
     * sink. A refusal fails the request for good. NULL: anywhere. Environment proxies are not used with it. */
    bool (*address_ok)(const struct sockaddr *address, void *ctx);
    void *address_ctx;
};

/* In the arena of the exchange; raw bytes of the other side, not masked. */
struct http_response {
    int status;                         /* 0: there was no answer */
    int version;                        /* 10, 11, 20 */
    const struct http_header *headers;
    size_t headers_n;
    struct str body;
    bool truncated;
    int64_t retry_after_ms;             /* from Retry-After, when outcome is DELIVERY_RETRY */
    enum delivery_outcome outcome;      /* 2xx; 408, 425, 429, 5xx, network, time-out; all else (beyond.md §1) */
    struct str error;                   /* when not sent: "Request failed with status code N" or the network's words */
};

/* First header of that name, or empty. */
struct str http_response_header(const struct http_response *r, const char *name);

enum delivery_outcome http_status_outcome(int status);

/* Seconds or an HTTP date (RFC 9110 §10.2.3) as milliseconds from now: 0 if it is neither or past, at most a day. */
int64_t http_retry_after(struct str value, int64_t now_ms);

/* The URL to call. sink NULL: the URL itself, https:// put in front of one without scheme; else its origin becomes
 * the sink's and its host the first segment of the path (beyond.md §4); user and password stay. false: error 400. */
bool http_url(struct arena *a, const char *sink, struct str url, struct str *out, struct error *err);

/* "scheme://host:port" in lower case, for the per-host cap. */
bool http_origin(struct arena *a, struct str url, struct str *out, struct error *err);

/* A request by itself. Fill all but the last two members; done runs on the dispatcher's thread, must not wait, and
 * may free the arena. */
struct http_call {
    struct arena *arena;
    struct http_request request;
    int timeout_ms;                     /* 0: 30,000 */
    void (*done)(struct http_call *c, const struct http_response *r);
    void *owner;
    struct http_response response;
};

/* As dispatcher_submit: false when the queue is full or closing; done is not called then. */
bool http_call_submit(struct dispatcher *d, struct http_call *c, struct error *err);

/* --- for drivers --- */

struct http_exchange;

/* Puts the request on j->easy. false: error 400, and nothing to release. */
bool http_exchange_begin(struct job *j, const struct http_request *request, struct http_exchange **out,
                         struct error *err);
/* What came back; after the transfer. */
void http_exchange_end(struct http_exchange *x, CURLcode code, struct http_response *out);
/* Frees what libcurl was lent; after the handle has left the multi handle. Accepts NULL. */
void http_exchange_release(struct http_exchange *x);

#endif
