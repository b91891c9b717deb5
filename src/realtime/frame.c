/* Packets on their way out: made once, shared by every socket that receives them, queued by reference. */
#include <stdlib.h>

#include "realtime/hub_private.h"

enum { HEAD_MAX = 10 };         /* of a server's frame (RFC 6455 §5.2): 2 + 8, no mask */

struct frame *frame_raw(const void *p, size_t n)
{
    struct frame *f = hub_alloc(sizeof *f + n);
    f->refs = 1;
    f->n = n;
    memcpy(f->bytes, p, n);
    return f;
}

/* wslay writes the frame into memory: the callback of the hub's framer, whose user data is the hub. */
struct frame *frame_control(struct hub *h, uint8_t opcode, struct str payload)
{
    struct buf out = {.arena = h->scratch};
    buf_reserve(&out, payload.n + HEAD_MAX);
    struct wslay_frame_iocb io = {.fin = 1, .opcode = opcode, .payload_length = payload.n,
                                  .data = (const uint8_t *)payload.p, .data_length = payload.n};
    wslay_frame_context_ptr framer = h->framer;
    h->frame_out = &out;
    ssize_t n = wslay_frame_send(framer, &io);
    h->frame_out = NULL;
    if (n != (ssize_t)payload.n)
        abort();                /* the callback takes everything: only a broken library gets here */
    struct frame *f = frame_raw(out.p, out.n);
    f->head = (uint32_t)(out.n - payload.n);
    return f;
}

struct frame *frame_text(struct hub *h, struct str text)
{
    return frame_control(h, WSLAY_TEXT_FRAME, text);
}

struct frame *frame_ref(struct frame *f)
{
    f->refs++;
    return f;
}

void frame_unref(struct frame *f)
{
    if (f && !--f->refs)
        free(f);
}

/* What it costs to keep: many empty packets must count too. */
static size_t weight(const struct frame *f)
{
    return f->n + sizeof *f + sizeof f;
}

void outq_push(struct outq *q, struct frame *f)
{
    if (q->n == q->cap) {
        uint32_t cap = q->cap ? q->cap * 2 : 4;
        struct frame **v = hub_alloc(sizeof *v * cap);
        for (uint32_t i = 0; i < q->n; i++)
            v[i] = outq_at(q, i);
        free(q->v);
        q->v = v;
        q->cap = cap;
        q->head = 0;
    }
    q->v[(q->head + q->n++) & (q->cap - 1)] = frame_ref(f);
    q->bytes += weight(f);
}

void outq_pop(struct outq *q)
{
    struct frame *f = outq_at(q, 0);
    q->bytes -= weight(f);
    q->head = (q->head + 1) & (q->cap - 1);
    q->sent = 0;
    frame_unref(f);
    if (!--q->n) {
        free(q->v);
        *q = (struct outq){0};
    }
}

void outq_clear(struct outq *q)
{
    while (q->n)
        outq_pop(q);
}

/* The packet being sent does not count: it may be larger than the limit by itself. */
bool outq_is_over(const struct outq *q)
{
    return q->n > 1 && q->bytes - weight(outq_at(q, 0)) > LIMIT_SEND_BYTES;
}
