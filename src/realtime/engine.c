/* What the packets of Engine.IO and Socket.IO do (inbox-realtime.md §5.1, §5.4, §5.6). */
#include <stdlib.h>

#include "base/crypto.h"
#include "realtime/engineio.h"
#include "realtime/hub_private.h"
#include "realtime/socketio.h"

void engine_greet(struct session *s, bool upgrades)
{
    struct buf b = {.arena = s->hub->scratch};
    engineio_open(&b, (struct str){s->sid, SID_LEN}, upgrades, s->hub->config.ping_interval_ms,
                  s->hub->config.ping_timeout_ms);
    session_send_text(s, buf_get(&b));
}

static void malformed(struct session *s)
{
    session_close(s, WSLAY_CODE_PROTOCOL_ERROR, DROP_PARSE_ERROR);
}

static struct member *member_of(struct session *s, struct str ns)
{
    for (struct member *m = s->members; m; m = m->next_session)
        if (str_eq(ns, (struct str){m->ns, m->ns_len}))
            return m;
    return NULL;
}

static int member_count(const struct session *s)
{
    int n = 0;
    for (struct member *m = s->members; m; m = m->next_session)
        n++;
    return n;
}

/* The token of the CONNECT packet comes first, then the one of the query (§4). That one is checked once. */
static struct person *identify(struct session *s, yyjson_val *auth)
{
    struct str token = json_get_str(auth, "token");
    if (token.n)
        return person_check(s->hub, token);
    if (s->token) {
        s->person = person_check(s->hub, str_of(s->token));
        free(s->token);
        s->token = NULL;
    }
    struct person *p = s->person;
    if (!p || p->id.expires_ms <= s->hub->time.real_ms(s->hub->time.arg))
        return NULL;
    p->refs++;
    return p;
}

static void send_head(struct session *s, enum socketio_type type, struct str ns, struct str id, const char *rest)
{
    struct buf b = {.arena = s->hub->scratch};
    socketio_head(&b, type, ns, id);
    buf_z(&b, rest);
    session_send_text(s, buf_get(&b));
}

static void connect_to(struct session *s, const struct socketio_packet *p)
{
    struct hub *h = s->hub;
    if (member_of(s, p->ns)) {
        malformed(s);
        return;
    }
    if (member_count(s) >= LIMIT_NAMESPACES) {
        send_head(s, SOCKETIO_CONNECT_ERROR, p->ns, STR_NULL, "{\"message\":\"Too many namespaces\"}");
        return;
    }
    struct person *person = identify(s, p->data);
    struct member *m = person ? room_join(s, person, p->ns) : NULL;
    if (person && !m) {
        person_unref(person);
        hub_count_drop(h, DROP_LIMIT);
        send_head(s, SOCKETIO_CONNECT_ERROR, p->ns, STR_NULL, "{\"message\":\"Too many connections\"}");
        return;
    }
    struct str word = crypto_random_word(h->scratch, SID_LEN);
    send_head(s, SOCKETIO_CONNECT, p->ns, STR_NULL, str_fmt(h->scratch, "{\"sid\":\"%.*s\"}", STR_ARG(word)).p);
    if (!person) {
        /* §4: a bad token is connected, then told to go, which keeps the client from coming back. */
        hub_count_drop(h, DROP_BAD_TOKEN);
        send_head(s, SOCKETIO_DISCONNECT, p->ns, STR_NULL, "");
        if (!s->members)
            s->connect_by = h->now + FAREWELL_MS;
    } else {
        s->connect_by = 0;
        int64_t expires = h->now + (person->id.expires_ms - h->time.real_ms(h->time.arg));
        if (!s->expires_at || expires < s->expires_at)
            s->expires_at = expires;
    }
    person_unref(person);
    session_arm(s);
}

void engine_goodbye(struct session *s, struct member *m)
{
    send_head(s, SOCKETIO_DISCONNECT, (struct str){m->ns, m->ns_len}, STR_NULL, "");
    session_leave(s, m);
    if (!s->members)
        s->connect_by = s->hub->now + FAREWELL_MS;
}

static void receive_message(struct session *s, struct str text)
{
    struct socketio_packet p;
    if (!socketio_decode(s->hub->scratch, text, &p)) {
        malformed(s);
        return;
    }
    if (p.type == SOCKETIO_CONNECT) {
        connect_to(s, &p);
        return;
    }
    struct member *m = member_of(s, p.ns);
    if (!m) {
        malformed(s);       /* before CONNECT, or after DISCONNECT */
    } else if (p.type == SOCKETIO_DISCONNECT) {
        session_leave(s, m);
        /* The client closes the connection; if it does not, it has as long as one that never connected. */
        if (!s->members)
            s->connect_by = s->hub->now + CONNECT_MS;
        session_arm(s);
    } else if (p.type == SOCKETIO_EVENT && p.id.n) {
        send_head(s, SOCKETIO_ACK, p.ns, p.id, "[]");
    }
}

void engine_receive(struct session *s, struct str packet)
{
    char type;
    struct str data;
    if (!engineio_decode(packet, &type, &data)) {
        malformed(s);
        return;
    }
    switch (type) {
    case ENGINEIO_PONG:
        session_alive(s);
        break;
    case ENGINEIO_MESSAGE:
        receive_message(s, data);
        break;
    case ENGINEIO_CLOSE:
        polling_end(s, "6");
        session_close(s, WSLAY_CODE_NORMAL_CLOSURE, DROP_NONE);
        break;
    default:
        malformed(s);
    }
}

/* Takes the new socket over; what waited for a poll leaves through it. */
static void upgrade(struct session *s, struct ws *w)
{
    polling_end(s, "6");
    s->probe = NULL;
    s->ws = w;
    s->noop_at = 0;
    w->role = WS_ENGINE;
    timer_clear(&s->hub->timers, &w->timer);
    session_transport(s, TRANSPORT_WEBSOCKET);
    while (s->out.n) {
        struct frame *f = frame_ref(outq_at(&s->out, 0));
        outq_pop(&s->out);
        ws_send(w, f);
        frame_unref(f);
    }
    session_arm(s);
}

void engine_probe(struct ws *w, struct str text)
{
    struct session *s = w->session;
    if (!w->probed && str_eqz(text, "2probe")) {
        w->probed = true;
        struct frame *f = frame_text(s->hub, STR("3probe"));
        ws_send(w, f);
        frame_unref(f);
        polling_noop(s);
    } else if (w->probed && str_eqz(text, "5")) {
        upgrade(s, w);
    } else {
        s->probe = NULL;
        ws_close(w, WSLAY_CODE_PROTOCOL_ERROR);
    }
}
