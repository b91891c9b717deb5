/* Reads and writes Socket.IO packets; knows nothing of sockets or rooms. */
#include "realtime/socketio.h"

#include "realtime/engineio.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "/name," or, when nothing follows, "/name". */
static bool take_namespace(struct str *rest, struct str *ns)
{
    if (!rest->n || rest->p[0] != '/')
        return true;
    const char *comma = memchr(rest->p, ',', rest->n);
    size_t n = comma ? (size_t)(comma - rest->p) : rest->n;
    if (n > SOCKETIO_NAMESPACE_MAX)
        return false;
    /* A control character could not be echoed: 0x1E separates packets in polling bodies. */
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)rest->p[i] < 0x20 || rest->p[i] == 0x7f)
            return false;
    *ns = n == 1 ? STR_NULL : str_sub(*rest, 0, n);
    *rest = str_sub(*rest, comma ? n + 1 : n, rest->n);
    return true;
}

static bool take_id(struct str *rest, struct str *id)
{
    size_t n = 0;
    while (n < rest->n && is_digit(rest->p[n]))
        n++;
    if (n > SOCKETIO_ID_MAX)
        return false;
    *id = str_sub(*rest, 0, n);
    *rest = str_sub(*rest, n, rest->n);
    return true;
}

/* Names that the client library keeps for itself must not arrive as events (protocol revision 5). */
static bool is_reserved(struct str name)
{
    static const char *const names[] = {"connect", "connect_error", "disconnect", "disconnecting",
                                        "newListener", "removeListener"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eqz(name, names[i]))
            return true;
    return false;
}

static bool is_valid(const struct socketio_packet *p)
{
    yyjson_val *name = yyjson_arr_get_first(p->data);
    switch (p->type) {
    case SOCKETIO_CONNECT:
        return !p->data || yyjson_is_obj(p->data);
    case SOCKETIO_DISCONNECT:
        return !p->data;
    case SOCKETIO_EVENT:
        return yyjson_is_num(name) || (yyjson_is_str(name) && !is_reserved(json_str(name)));
    case SOCKETIO_ACK:
        return yyjson_is_arr(p->data) && p->id.n;
    default:
        return false;
    }
}

bool socketio_decode(struct arena *a, struct str text, struct socketio_packet *out)
{
    *out = (struct socketio_packet){0};
    if (!text.n || text.p[0] < SOCKETIO_CONNECT || text.p[0] > SOCKETIO_ACK)
        return false;
    out->type = text.p[0];
    struct str rest = str_sub(text, 1, text.n);
    if (!take_namespace(&rest, &out->ns) || !take_id(&rest, &out->id))
        return false;
    if (rest.n && !json_parse(a, rest, &out->data, NULL))
        return false;
    return is_valid(out);
}

void socketio_head(struct buf *b, enum socketio_type type, struct str ns, struct str id)
{
    buf_char(b, ENGINEIO_MESSAGE);
    buf_char(b, (char)type);
    if (ns.n) {
        buf_str(b, ns);
        buf_char(b, ',');
    }
    buf_str(b, id);
}
