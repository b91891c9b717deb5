/* The life of a request: from its first line through the stages that server.h names to the answer. */
#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http/http_private.h"

static struct conn *conn_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* Called with the request line; what it returns comes back as *cls. */
void *exchange_begin(void *loop, const char *target, struct MHD_Connection *mhd)
{
    struct loop *l = loop;
    struct server *s = l->server;
    struct arena *a = loop_arena(l);
    struct exchange *x = ARENA_NEW(a, struct exchange);
    l->called = true;
    x->rq.arena = a;
    x->rq.app = s->c.app;
    x->loop = l;
    x->loop_index = l->index;
    x->mailbox = l->mailbox;
    x->conn = conn_of(mhd);
    x->began_ns = clock_mono_ns();
    x->last_header = &x->first_header;
    memcpy(x->rq.id, "req_", 4);
    x->rq.number = id_new(s->ids, clock_real_ms());
    id_hex(x->rq.number, x->rq.id + 4);
    x->rq.target = url_visible(a, str_dup(a, str_of(target ? target : "/")));
    x->conn->now = x;
    conn_deadline(x->conn, l->second + 1 + s->c.header_timeout_s);
    return x;
}

void exchange_free(struct exchange *x)
{
    struct loop *l = x->loop;
    struct arena *a = x->rq.arena;
    if (x->taken)
        x->taken(x->taken_arg, -1, STR_NULL);
    body_release(x);
    if (l)
        loop_arena_back(l, a);
    else
        arena_destroy(a);
}

/* Waits for a handler's answer. To suspend a connection takes it off libmicrohttpd's epoll set, and to resume it costs a
 * read in vain besides: three system calls a request, more than all of its own work there. But what is not suspended
 * is only asked, in every turn of the loop, and its answer goes out in the turn in which it comes. So it stays awake as long
 * as answers keep coming, which is what a busy server's requests do; not when there are too many, nothing happens, or it
 * takes long, as those that poll do. What is awake makes a daemon look busy for ever, so timeout_ms goes by what is seen. */
static void exchange_await(struct exchange *x)
{
    struct loop *l = x->loop;
    x->loop->handed++;
    if (l->awake < HTTP_AWAKE_MAX) {
        l->awake++;
        x->awake = true;
        x->awake_until = l->turned_ns + HTTP_AWAKE_NS;
    } else {
        x->suspended = true;
        MHD_suspend_connection(x->conn->mhd);
    }
}

static void awake_end(struct exchange *x)
{
    x->loop->awake -= x->awake;
    x->awake = false;
}

/* Asked while it waits: nothing has come. */
static void exchange_still(struct exchange *x)
{
    struct loop *l = x->loop;
    if (!x->awake || (l->quiet < HTTP_AWAKE_TICKS && l->turned_ns < x->awake_until))
        return;
    awake_end(x);
    x->suspended = true;
    MHD_suspend_connection(x->conn->mhd);
}

/* Unsettled: there is more of the body to read, or an answer to write. */
static void settle(struct exchange *x, bool settled)
{
    struct loop *l = x->loop;
    l->unsettled += !settled - (x->unsettled_turn == l->turn);
    x->unsettled_turn = settled ? 0 : l->turn;
}

/* The answer was sent, or the connection is lost. */
void exchange_end(void *loop, struct MHD_Connection *mhd, void **cls, enum MHD_RequestTerminationCode why)
{
    struct loop *l = loop;
    struct exchange *x = *cls;
    struct server_config *c = &l->server->c;
    (void)mhd;
    (void)why;
    *cls = NULL;
    l->called = true;
    if (!x)
        return;
    awake_end(x);
    settle(x, true);
    x->conn->now = NULL;
    if (x->conn->peer_done)
        conn_peer_done(x->conn);
    conn_wait(x->conn, WAITING_NEXT);
    conn_deadline(x->conn, l->second + 1 + c->idle_timeout_s);
    x->conn = NULL;
    if (x->holder == HOLDER_LOOP)
        exchange_free(x);
}

static enum MHD_Result answer_queue(struct exchange *x)
{
    struct loop *l = x->loop;
    if (l->stopping || x->conn->over_cap)
        x->close = true;
    struct MHD_Response *response = x->taken ? websocket_response(x) : answer_response(x);
    x->stage = STAGE_REPLYING;
    if (!response)
        return MHD_NO;
    enum MHD_Result ok = MHD_queue_response(x->conn->mhd, (unsigned)x->status, response);
    MHD_destroy_response(response);
    measure_answer(x);
    conn_wait(x->conn, WAITING_TRANSFER);
    conn_deadline(x->conn, l->second + 1 + l->server->c.idle_timeout_s + (int64_t)(x->answer.n / HTTP_SEND_RATE));
    return ok;
}

/* An answer while the body is still coming: libmicrohttpd takes none at this point, so it is written to the
 * socket here and the connection is given up. */
static enum MHD_Result answer_now(struct exchange *x)
{
    struct buf b = {.arena = x->rq.arena};
    buf_fmt(&b, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: %zu\r\nx-request-id: %s\r\n", x->status,
            MHD_get_reason_phrase_for((unsigned)x->status), x->answer.n, x->rq.id);
    if (x->content_type)
        buf_fmt(&b, "Content-Type: %s\r\n", x->content_type);
    for (struct answer_header *h = x->first_header; h; h = h->next)
        buf_fmt(&b, "%s: %s\r\n", h->name, h->value);
    buf_z(&b, "\r\n");
    buf_str(&b, x->answer);
    ssize_t n = send(x->conn->fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)n;                /* a client that does not read gets nothing */
    x->conn->linger = true;
    x->stage = STAGE_REPLYING;
    measure_answer(x);
    return MHD_NO;
}

/* Refused (or answered) from its head alone. A small body is read and dropped, to keep the connection usable. */
static enum MHD_Result head_answer(struct exchange *x)
{
    bool small = !x->chunked && x->length <= HTTP_SWALLOW_MAX && (!x->length || !x->expects_continue);
    if (small && !x->close) {
        x->stage = STAGE_SWALLOW;
        return MHD_YES;
    }
    x->close = true;
    x->conn->linger = true;
    return answer_queue(x);
}

static enum MHD_Result step_head(struct exchange *x, struct MHD_Connection *mhd, const char *method, const char *version)
{
    struct error err = {0};
    if (head_read(x, mhd, method, version, &err) && head_check(x, &err)) {
        if (!x->ready) {
            x->stage = STAGE_BODY;
            conn_wait(x->conn, WAITING_TRANSFER);
            return MHD_YES;
        }
    } else {
        answer_refuse(x, &err);
    }
    return head_answer(x);
}

static enum MHD_Result step_body(struct exchange *x, const char *p, size_t *n)
{
    struct error err;
    size_t got = *n;
    *n = 0;
    if (x->stage == STAGE_SWALLOW || body_add(x, p, got))
        return MHD_YES;
    if (x->body_n + got > x->body_max) {
        error_http(&err, 413, "Payload Too Large");
    } else {
        counter_add(x->loop->server->overload, 1);
        error_http(&err, 503, "Too many requests are being received");
    }
    answer_refuse(x, &err);
    return answer_now(x);
}

static void run(struct exchange *x)
{
    struct server_config *c = &x->loop->server->c;
    struct error err = {0};
    if (c->before && !c->before(c->app, x->loop->index, &x->rq))
        return;
    if (body_parse(x, &err))
        x->rq.route->handle(&x->rq);
    else
        reply_error(&x->rq, &err);
}

/* The whole request is here. */
static enum MHD_Result step_complete(struct exchange *x)
{
    x->stage = STAGE_COMPLETE;
    conn_deadline(x->conn, 0);
    conn_wait(x->conn, WAITING_SERVER);
    x->rq.body = (struct str){x->body, x->body_n};
    x->holder = HOLDER_HANDLER;
    x->in_handler = true;
    run(x);
    /* From here on x may have been answered by another thread; that answer waits in the mailbox. */
    x->in_handler = false;
    if (x->ready) {
        x->holder = HOLDER_LOOP;
        return answer_queue(x);
    }
    exchange_await(x);
    return MHD_YES;
}

void exchange_answered(struct exchange *x)
{
    x->holder = HOLDER_LOOP;
    if (!x->conn) {
        exchange_free(x);
        return;
    }
    x->ready = true;
    if (x->awake) {
        awake_end(x);
        answer_queue(x);        /* if it fails, exchange_step says so when it is asked */
    } else if (x->suspended) {
        x->suspended = false;
        MHD_resume_connection(x->conn->mhd);
    }
}

void exchange_continued(struct exchange *x)
{
    void (*more)(void *arg) = x->more;
    x->more = NULL;
    if (!x->conn) {
        exchange_answered(x);
        return;
    }
    x->in_handler = true;
    more(x->more_arg);
    x->in_handler = false;
    if (x->ready)
        exchange_answered(x);
    else
        x->loop->handed++;
}

void request_continue(struct request *rq, void (*fn)(void *arg), void *arg)
{
    struct exchange *x = exchange_of(rq);
    x->more = fn;
    x->more_arg = arg;
    mailbox_put(x);
}

static enum MHD_Result step(struct exchange *x, struct MHD_Connection *mhd, const char *method, const char *version,
                            const char *upload, size_t *upload_n)
{
    switch (x->stage) {
    case STAGE_HEAD:
        return step_head(x, mhd, method, version);
    case STAGE_BODY:
        return *upload_n ? step_body(x, upload, upload_n) : step_complete(x);
    case STAGE_SWALLOW:
        return *upload_n ? step_body(x, upload, upload_n) : answer_queue(x);
    case STAGE_COMPLETE:
        return answer_queue(x);
    case STAGE_REPLYING:
        break;
    }
    return MHD_NO;
}

enum MHD_Result exchange_step(void *loop, struct MHD_Connection *mhd, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_n, void **cls)
{
    struct exchange *x = *cls;
    struct loop *l = loop;
    (void)url;
    if (!x || x->drop)
        return MHD_NO;
    if (x->stage == STAGE_COMPLETE && !x->ready) {
        exchange_still(x);
        return MHD_YES;
    }
    enum MHD_Result ok = step(x, mhd, method, version, upload, upload_n);
    l->called = true;
    settle(x, x->stage == STAGE_COMPLETE);
    return ok;
}
