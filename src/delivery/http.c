/* One HTTP exchange on a libcurl handle. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "delivery/http_attempt.h"

struct http_exchange {
    struct job *job;
    const struct http_request *request;
    struct curl_slist *headers;
    char *method, *url;
    struct http_header *got;
    size_t got_n, got_bytes;
    struct buf body;
    size_t body_max;
    bool truncated;
    char refused[INET6_ADDRSTRLEN];     /* the address that address_ok did not want */
};

enum delivery_outcome http_status_outcome(int status)
{
    if (status >= 200 && status < 300)
        return DELIVERY_SENT;
    if (status == 408 || status == 425 || status == 429 || (status >= 500 && status < 600))
        return DELIVERY_RETRY;
    return DELIVERY_FAILED;
}

int64_t http_retry_after(struct str value, int64_t now_ms)
{
    struct str s = str_trim(value);
    int64_t ms = 0;
    char z[64];
    if (s.n == 0 || s.n >= sizeof z)
        return 0;
    bool digits = true;
    for (size_t i = 0; i < s.n; i++) {
        digits &= s.p[i] >= '0' && s.p[i] <= '9';
        if (s.p[i] == 0)
            return 0;
    }
    if (digits) {
        int64_t seconds = 0;
        if (s.n > 9 || !str_to_i64(s, &seconds))
            seconds = HTTP_RETRY_AFTER_MAX_MS / 1000;
        ms = seconds * 1000;
    } else if ((s.p[0] >= 'A' && s.p[0] <= 'Z') || (s.p[0] >= 'a' && s.p[0] <= 'z')) {
        memcpy(z, s.p, s.n);            /* a date begins with its weekday */
        z[s.n] = 0;
        time_t t = curl_getdate(z, NULL);
        ms = t < 0 ? 0 : (int64_t)t * 1000 - now_ms;
    }
    return ms < 0 ? 0 : ms > HTTP_RETRY_AFTER_MAX_MS ? HTTP_RETRY_AFTER_MAX_MS : ms;
}

struct str http_response_header(const struct http_response *r, const char *name)
{
    for (size_t i = 0; i < r->headers_n; i++)
        if (str_eq_nocase(r->headers[i].name, str_of(name)))
            return r->headers[i].value;
    return STR_NULL;
}

/* --- the request --- */

static bool name_is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", s.p[i]))
            return false;
    return s.n && s.n <= 128;
}

static bool name_is_transports(struct str s)
{
    return str_eq_nocase(s, STR("content-length")) || str_eq_nocase(s, STR("transfer-encoding"))
        || str_eq_nocase(s, STR("connection")) || str_eq_nocase(s, STR("expect"));
}

static bool line_add(struct http_exchange *x, const char *line)
{
    struct curl_slist *list = curl_slist_append(x->headers, line);
    if (list)
        x->headers = list;
    return list != NULL;
}

static bool headers_add(struct http_exchange *x, struct error *err)
{
    const struct http_request *q = x->request;
    struct arena *a = x->job->arena;
    bool agent = false, type = false, ok = true;
    if (q->headers_n > HTTP_HEADERS_MAX)
        return error_set(err, ERROR_BAD_INPUT, "More than %d request headers.", HTTP_HEADERS_MAX);
    for (size_t i = 0; i < q->headers_n; i++) {
        struct str name = q->headers[i].name, value = str_trim(q->headers[i].value);
        if (!name_is_token(name))
            return error_set(err, ERROR_BAD_INPUT, "A request header has an invalid name.");
        for (size_t k = 0; k < value.n; k++)
            if (((unsigned char)value.p[k] < ' ' && value.p[k] != '\t') || value.p[k] == 0x7f)
                return error_set(err, ERROR_BAD_INPUT, "The request header \"%.*s\" contains a line break or control "
                                 "character.", STR_ARG(name));
        if (name_is_transports(name))
            continue;
        agent |= str_eq_nocase(name, STR("user-agent"));
        type |= str_eq_nocase(name, STR("content-type"));
        /* "Name;" is libcurl's way to write a header without a value. */
        struct str line = value.n ? str_fmt(a, "%.*s: %.*s", STR_ARG(name), STR_ARG(value))
                                  : str_fmt(a, "%.*s;", STR_ARG(name));
        ok &= line_add(x, str_z(a, line));
    }
    /* No waiting for 100 Continue, and no content type that nobody gave. */
    ok &= line_add(x, "Expect:") && (type || line_add(x, "Content-Type:"))
        && (agent || line_add(x, "User-Agent: Carillon/" CARILLON_VERSION));
    return ok ? true : error_set(err, ERROR_IO, "Out of memory for request headers.");
}

static bool address_rule(struct job *j, const struct sockaddr *address)
{
    struct http_exchange *x = j->state;
    const void *ip = address->sa_family == AF_INET6 ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
                                                    : (const void *)&((const struct sockaddr_in *)address)->sin_addr;
    if (x->request->address_ok(address, x->request->address_ctx)) {
        x->refused[0] = 0;              /* another address of the same name is welcome */
        return true;
    }
    inet_ntop(address->sa_family, ip, x->refused, sizeof x->refused);
    return false;
}

static void pem_option(CURL *e, CURLoption option, struct str pem)
{
    struct curl_blob blob = {.data = (void *)(uintptr_t)pem.p, .len = pem.n, .flags = CURL_BLOB_COPY};
    if (pem.n)
        curl_easy_setopt(e, option, &blob);
}

static void options_tls(CURL *e, const struct http_request *q)
{
    if (q->tls_unverified) {
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    pem_option(e, CURLOPT_CAINFO_BLOB, q->ca);
    pem_option(e, CURLOPT_SSLCERT_BLOB, q->client_cert);
    pem_option(e, CURLOPT_SSLKEY_BLOB, q->client_key.n ? q->client_key : q->client_cert);
    if (q->client_cert.n) {
        curl_easy_setopt(e, CURLOPT_SSLCERTTYPE, "PEM");
        curl_easy_setopt(e, CURLOPT_SSLKEYTYPE, "PEM");
    }
}

static void options_method(CURL *e, struct http_exchange *x)
{
    const struct http_request *q = x->request;
    if (q->body.p) {
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.n);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, q->body.n ? q->body.p : "");
    } else if (!strcmp(x->method, "HEAD")) {
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    } else if (!strcmp(x->method, "POST") || !strcmp(x->method, "PUT") || !strcmp(x->method, "PATCH")) {
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, "");
    }
    curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, x->method);
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx);
static size_t on_body(char *p, size_t size, size_t n, void *ctx);

bool http_exchange_begin(struct job *j, const struct http_request *q, struct http_exchange **out, struct error *err)
{
    static const long versions[] = {CURL_HTTP_VERSION_2TLS, CURL_HTTP_VERSION_1_1, CURL_HTTP_VERSION_2TLS};
    struct http_exchange *x = ARENA_NEW(j->arena, struct http_exchange);
    struct str method = q->method.n ? q->method : q->body.p ? STR("POST") : STR("GET"), url;
    CURL *e = j->easy;
    *x = (struct http_exchange){.job = j, .request = q, .body = {.arena = j->arena}};
    *out = NULL;
    if (!name_is_token(method))
        return error_set(err, ERROR_BAD_INPUT, "Invalid request method.");
    if (!http_url(j->arena, j->sink, q->url, &url, err))
        return false;
    if (!headers_add(x, err)) {
        http_exchange_release(x);
        return false;
    }
    x->method = str_z(j->arena, method);
    x->url = str_z(j->arena, url);
    x->got = ARENA_ARRAY(j->arena, struct http_header, HTTP_HEADERS_MAX);
    x->body_max = q->response_max ? q->response_max : HTTP_RESPONSE_DEFAULT;
    curl_easy_setopt(e, CURLOPT_URL, x->url);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, x->headers);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, versions[q->version]);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(q->connect_timeout_ms ? q->connect_timeout_ms : HTTP_CONNECT_DEFAULT_MS));
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, x);
    options_tls(e, q);
    options_method(e, x);
    j->address_ok = q->address_ok && !j->sink ? address_rule : NULL;
    if (j->sink || q->address_ok)
        curl_easy_setopt(e, CURLOPT_PROXY, "");
    *out = x;
    j->state = x;
    return true;
}

/* --- the response --- */

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
    struct http_exchange *x = ctx;
    struct str line = {p, size * n};
    const char *colon = memchr(line.p, ':', line.n);
    if (str_starts(line, STR("HTTP/"))) {
        x->got_n = x->got_bytes = 0;    /* an interim answer (1xx) came before */
    } else if (colon && x->got_n < HTTP_HEADERS_MAX && x->got_bytes + line.n <= HTTP_HEADER_BYTES_MAX) {
        struct str name = str_sub(line, 0, (size_t)(colon - line.p));
        struct str value = str_trim(str_sub(line, name.n + 1, line.n));
        x->got[x->got_n++] = (struct http_header){str_dup(x->job->arena, name), str_dup(x->job->arena, value)};
        x->got_bytes += line.n;
    }
    return size * n;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    struct http_exchange *x = ctx;
    size_t room = x->body_max - x->body.n, take = n < room ? n : room;
    (void)size;                         /* always 1 */
    buf_add(&x->body, p, take);
    x->truncated |= take < n;
    return take;                        /* fewer than offered ends the transfer with CURLE_WRITE_ERROR */
}

void http_exchange_end(struct http_exchange *x, CURLcode code, struct http_response *out)
{
    long status = 0, version = 0;
    struct arena *a = x->job->arena;
    curl_easy_getinfo(x->job->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(x->job->easy, CURLINFO_HTTP_VERSION, &version);
    bool cut = code == CURLE_WRITE_ERROR && x->truncated, answered = code == CURLE_OK || cut;
    *out = (struct http_response){
        .status = answered ? (int)status : 0,
        .version = version == CURL_HTTP_VERSION_2_0 ? 20 : version == CURL_HTTP_VERSION_1_0 ? 10 : 11,
        .headers = x->got, .headers_n = answered ? x->got_n : 0,
        .body = answered ? buf_finish(&x->body) : STR_NULL, .truncated = x->truncated,
        .outcome = answered ? http_status_outcome((int)status) : curl_outcome(code)
    };
    if (!answered && x->refused[0]) {
        out->outcome = DELIVERY_FAILED;
        out->error = str_fmt(a, "Requests to private or reserved IP addresses are not allowed (resolved: %s).", x->refused);
    } else if (!answered) {
        out->error = curl_sentence(x->job, code);
    } else if (out->outcome == DELIVERY_SENT && x->request->version == HTTP_2_ONLY && !x->job->sink && out->version != 20) {
        out->outcome = DELIVERY_FAILED;
        out->error = STR("The server does not speak HTTP/2.");
    } else if (out->outcome != DELIVERY_SENT) {
        out->error = str_fmt(a, "Request failed with status code %ld", status);
    }
    if (out->outcome == DELIVERY_RETRY)
        out->retry_after_ms = http_retry_after(http_response_header(out, "retry-after"), clock_real_ms());
}

void http_exchange_release(struct http_exchange *x)
{
    if (!x)
        return;
    curl_slist_free_all(x->headers);
    x->headers = NULL;
}

/* --- a call by itself --- */

static bool call_plan(struct job *j, struct error *err)
{
    return http_origin(j->arena, j->call->request.url, &j->host_key, err);
}

static bool call_begin(struct job *j, struct error *err)
{
    struct http_exchange *x;
    return http_exchange_begin(j, &j->call->request, &x, err);
}

static enum verdict call_end(struct job *j, CURLcode code, struct delivery_result *r)
{
    http_exchange_end(j->state, code, &j->call->response);
    r->outcome = j->call->response.outcome;
    r->error = j->call->response.error;
    return JOB_DONE;
}

static void call_release(struct job *j)
{
    http_exchange_release(j->state);
    j->state = NULL;
}

static void call_report(struct job *j, const struct delivery_result *r)
{
    /* The loop's own results (refused before it began, shutting down) win over what the response says. */
    j->call->response.outcome = r->outcome;
    j->call->response.error = r->error;
    j->call->done(j->call, &j->call->response);
}

static const struct driver call_driver = {
    .plan = call_plan, .begin = call_begin, .end = call_end, .release = call_release, .report = call_report
};

bool http_call_submit(struct dispatcher *d, struct http_call *c, struct error *err)
{
    struct job *j = ARENA_NEW(c->arena, struct job);
    j->arena = c->arena;
    j->call = c;
    j->driver = &call_driver;
    j->timeout_ms = c->timeout_ms;
    return dispatcher_enqueue(d, j, err);
}
