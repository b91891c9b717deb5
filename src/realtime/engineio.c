/* Reads and writes Engine.IO packets; knows nothing of sockets or time. */
#include "realtime/engineio.h"

bool engineio_decode(struct str packet, char *type, struct str *data)
{
    if (!packet.n)
        return false;
    char c = packet.p[0];
    if (!(c >= '0' && c <= '6') && c != ENGINEIO_BINARY)
        return false;
    *type = c;
    *data = str_sub(packet, 1, packet.n);
    return true;
}

bool engineio_next(struct engineio_payload *p, struct str *packet)
{
    if (p->ended)
        return false;
    const char *end = p->rest.n ? memchr(p->rest.p, ENGINEIO_SEPARATOR, p->rest.n) : NULL;
    if (!end) {
        *packet = p->rest;
        p->ended = true;
        return true;
    }
    size_t n = (size_t)(end - p->rest.p);
    *packet = str_sub(p->rest, 0, n);
    p->rest = str_sub(p->rest, n + 1, p->rest.n);
    return true;
}

void engineio_open(struct buf *b, struct str sid, bool upgrades, int ping_interval_ms, int ping_timeout_ms)
{
    buf_fmt(b, "0{\"sid\":\"%.*s\",\"upgrades\":[%s],\"pingInterval\":%d,\"pingTimeout\":%d,\"maxPayload\":%d}",
            STR_ARG(sid), upgrades ? "\"websocket\"" : "", ping_interval_ms, ping_timeout_ms, ENGINEIO_MAX_PAYLOAD);
}

struct str engineio_refusal(enum engineio_refusal code, int *status)
{
    static const struct str bodies[] = {
        [ENGINEIO_TRANSPORT_UNKNOWN] = STR("{\"code\":0,\"message\":\"Transport unknown\"}"),
        [ENGINEIO_SESSION_UNKNOWN] = STR("{\"code\":1,\"message\":\"Session ID unknown\"}"),
        [ENGINEIO_BAD_METHOD] = STR("{\"code\":2,\"message\":\"Bad handshake method\"}"),
        [ENGINEIO_BAD_REQUEST] = STR("{\"code\":3,\"message\":\"Bad request\"}"),
        [ENGINEIO_FORBIDDEN] = STR("{\"code\":4,\"message\":\"Forbidden\"}"),
        [ENGINEIO_BAD_VERSION] = STR("{\"code\":5,\"message\":\"Unsupported protocol version\"}"),
    };
    *status = code == ENGINEIO_FORBIDDEN ? 403 : 400;
    return bodies[code];
}
