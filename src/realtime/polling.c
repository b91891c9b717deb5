/* The polling transport (inbox-realtime.md §5.2, §5.3): requests that wait for packets, and ones that bring them. */
#include "realtime/engineio.h"
#include "realtime/hub_private.h"

static const char PACKETS[] = "text/plain; charset=UTF-8";

void exchange_refuse(struct exchange *x, int code)
{
    int status;
    struct str body = engineio_refusal((enum engineio_refusal)code, &status);
    x->answer(x, status, "application/json", body);
}

/* Answers the held GET with all that waits, and then last (a packet, or ""). */
static void answer_poll(struct session *s, struct str last)
{
    struct exchange *x = s->poll;
    struct buf b = {.arena = s->hub->scratch};
    while (s->out.n) {
        struct frame *f = outq_at(&s->out, 0);
        if (b.n)
            buf_char(&b, ENGINEIO_SEPARATOR);
        buf_add(&b, f->bytes + f->head, f->n - f->head);
        outq_pop(&s->out);
    }
    if (last.n && b.n)
        buf_char(&b, ENGINEIO_SEPARATOR);
    buf_str(&b, last);
    s->poll = NULL;
    x->answer(x, 200, PACKETS, buf_get(&b));
}

void polling_flush(struct session *s)
{
    if (s->poll && s->out.n)
        answer_poll(s, STR_NULL);
}

void polling_noop(struct session *s)
{
    s->noop_at = 0;
    if (s->poll)
        answer_poll(s, s->out.n ? STR_NULL : STR("6"));
}

/* `1`: the session ends, so what waits goes along; `6`: what waits goes another way. */
void polling_end(struct session *s, const char *packet)
{
    if (!s->poll)
        return;
    if (*packet == ENGINEIO_CLOSE) {
        answer_poll(s, str_of(packet));
        return;
    }
    struct exchange *x = s->poll;
    s->poll = NULL;
    x->answer(x, 200, PACKETS, str_of(packet));
}

static void open_session(struct hub *h, struct exchange *x)
{
    struct session *s = session_open(h, SESSION_ENGINE, TRANSPORT_POLLING, x->token);
    if (!s) {
        x->answer(x, 503, NULL, STR_NULL);
        return;
    }
    engine_greet(s, true);
    s->poll = x;
    answer_poll(s, STR_NULL);
}

static void hold(struct session *s, struct exchange *x)
{
    if (s->poll) {
        x->answer(x, 400, NULL, STR_NULL);
        session_close(s, 0, DROP_PARSE_ERROR);
        return;
    }
    s->poll = x;
    polling_flush(s);
    /* While an upgrade waits for its `5`, a poll that started late must end too (§5.4). */
    if (s->poll && s->probe && s->probe->probed) {
        s->noop_at = s->hub->now + NOOP_MS;
        session_arm(s);
    }
}

static void take_packets(struct session *s, struct exchange *x)
{
    if (x->body.n > LIMIT_RECEIVE_BYTES) {
        x->answer(x, 413, NULL, STR_NULL);
        return;
    }
    if (!str_is_utf8(x->body)) {
        session_close(s, 0, DROP_PARSE_ERROR);
    } else {
        struct engineio_payload p = {.rest = x->body};
        struct str packet;
        while (!s->is_dead && engineio_next(&p, &packet) && session_admit(s))
            engine_receive(s, packet);
    }
    /* A broken packet is acknowledged all the same; the next request learns that the session is gone. */
    x->answer(x, 200, "text/html", STR("ok"));
}

void polling_exchange(struct hub *h, struct exchange *x)
{
    if (h->draining) {
        x->answer(x, 503, NULL, STR_NULL);
        return;
    }
    if (x->kind == EXCHANGE_OPEN) {
        open_session(h, x);
        return;
    }
    struct session *s = session_find(h, x->sid);
    if (!s)
        exchange_refuse(x, ENGINEIO_SESSION_UNKNOWN);
    else if (s->transport != TRANSPORT_POLLING || (x->kind == EXCHANGE_UPGRADE && s->probe))
        exchange_refuse(x, ENGINEIO_BAD_REQUEST);
    else if (x->kind == EXCHANGE_UPGRADE)
        x->upgrade(x);
    else if (x->kind == EXCHANGE_GET)
        hold(s, x);
    else
        take_packets(s, x);
}
