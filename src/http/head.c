/* What a request's head says, and every refusal that needs no more than the head.
 *
 * Headers are copied into the arena: a handler may still hold the request when the connection is gone.
 */
#include "http/http_private.h"

struct reading {
    struct exchange *x;
    size_t cap;
    int lengths, encodings;
    bool bad;
};

static const bool token_char[256] = {   /* RFC 9110 §5.6.2 */
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true,
    ['&'] = true, ['\''] = true, ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true, ['^'] = true, ['_'] = true,
    ['`'] = true, ['|'] = true, ['~'] = true,
};

static const bool control_char[256] = {[0 ... 0x08] = true, [0x0a ... 0x1f] = true, [0x7f] = true};

static bool name_is_token(struct str s)
{
    bool ok = s.n > 0;
    for (size_t i = 0; i < s.n; i++)
        ok &= token_char[(unsigned char)s.p[i]];
    return ok;
}

static bool value_is_clean(struct str s)
{
    bool bad = false;
    for (size_t i = 0; i < s.n; i++)
        bad |= control_char[(unsigned char)s.p[i]];
    return !bad;
}

static enum MHD_Result read_header(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_n, const char *value,
                                   size_t value_n)
{
    struct reading *r = cls;
    struct exchange *x = r->x;
    struct arena *a = x->rq.arena;
    (void)kind;
    if (x->headers == r->cap) {
        x->header = arena_grow(a, x->header, r->cap * sizeof *x->header, 2 * r->cap * sizeof *x->header);
        r->cap *= 2;
    }
    struct header *h = &x->header[x->headers++];
    h->name = (struct str){arena_copy(a, key, key_n), key_n};
    h->value = str_trim((struct str){arena_copy(a, value ? value : "", value_n), value_n});
    if (!name_is_token(h->name) || !value_is_clean(h->value))
        r->bad = true;
    r->lengths += str_eq_nocase(h->name, STR("content-length"));
    r->encodings += str_eq_nocase(h->name, STR("transfer-encoding"));
    return MHD_YES;
}

struct header *head_find_str(const struct exchange *x, struct str wanted)
{
    for (size_t i = 0; i < x->headers; i++)
        if (str_eq_nocase(x->header[i].name, wanted))
            return &x->header[i];
    return NULL;
}

/* Whether a comma-separated header (which may repeat) holds the token. */
bool head_has_token(const struct exchange *x, const char *name, const char *token)
{
    for (size_t i = 0; i < x->headers; i++) {
        struct str left = x->header[i].value;
        if (!str_eq_nocase(x->header[i].name, str_of(name)))
            continue;
        while (left.n) {
            ptrdiff_t comma = str_find(left, STR(","));
            size_t end = comma < 0 ? left.n : (size_t)comma;
            if (str_eq_nocase(str_trim(str_sub(left, 0, end)), str_of(token)))
                return true;
            left = str_sub(left, end + 1, left.n);
        }
    }
    return false;
}

static void read_method(struct exchange *x, const char *method)
{
    static const struct { struct str name; int slot; } known[] = {
        {{"GET", 3}, HTTP_GET}, {{"POST", 4}, HTTP_POST}, {{"PUT", 3}, HTTP_PUT}, {{"PATCH", 5}, HTTP_PATCH},
        {{"DELETE", 6}, HTTP_DELETE}, {{"HEAD", 4}, HTTP_GET}, {{"OPTIONS", 7}, -1},
    };
    struct str given = str_of(method);
    x->slot = -1;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!str_eq(known[i].name, given))
            continue;
        x->rq.method = known[i].name;
        x->slot = known[i].slot;
        x->head = i == 5;
        return;
    }
    x->rq.method = url_visible(x->rq.arena, str_dup(x->rq.arena, given));
}

/* Two readings of where a body ends are how requests are smuggled past a proxy (RFC 9112 §6.1–6.3). */
static bool read_framing(struct exchange *x, const struct reading *r, bool http11, struct error *err)
{
    const struct header *encoding = head_find(x, "transfer-encoding"), *length = head_find(x, "content-length");
    int64_t n = 0;
    if (r->encodings > 1 || r->lengths > 1 || (encoding && length) || (encoding && !http11))
        return error_http(err, 400, "The length of the body is ambiguous");
    if (encoding && !str_eq_nocase(encoding->value, STR("chunked")))
        return error_http(err, 400, "Unsupported transfer encoding");
    if (length && (!str_to_i64(length->value, &n) || n < 0))
        return error_http(err, 400, "Invalid Content-Length");
    x->chunked = encoding != NULL;
    x->has_length = length != NULL;
    x->length = (uint64_t)n;
    x->expects_continue = head_has_token(x, "expect", "100-continue");
    return true;
}

bool head_read(struct exchange *x, struct MHD_Connection *mhd, const char *method, const char *version, struct error *err)
{
    struct reading r = {.x = x, .cap = 16};
    x->header = arena_alloc_raw(x->rq.arena, r.cap * sizeof *x->header);
    read_method(x, method);
    url_split(x->rq.target, &x->raw_path, &x->query);
    x->rq.path = url_normalise(x->rq.arena, x->raw_path, x->loop->server->prefix);
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, read_header, &r);
    if (r.bad || !read_framing(x, &r, strcmp(version, "HTTP/1.0") != 0, err)) {
        x->close = true;    /* what follows on this connection cannot be trusted to be a request */
        return r.bad ? error_http(err, 400, "Malformed header") : false;
    }
    x->asks_upgrade = x->slot == HTTP_GET && !x->head && head_has_token(x, "upgrade", "websocket");
    return true;
}

static bool find_route(struct exchange *x, struct error *err)
{
    const struct router *router = x->loop->server->router;
    int slot = x->asks_upgrade ? ROUTER_UPGRADE : x->slot;
    if (slot < 0 || !router_find(router, slot, x->rq.path, &x->match)) {
        x->match.route = NULL;
        return error_http(err, 404, "Cannot %.*s %.*s", STR_ARG(x->rq.method), STR_ARG(x->raw_path));
    }
    x->rq.route = x->match.route;
    return true;
}

static bool read_params(struct exchange *x, struct error *err)
{
    struct arena *a = x->rq.arena;
    x->param = ARENA_ARRAY(a, struct str, x->match.n);
    for (int i = 0; i < x->match.n; i++)
        if (!url_decode(a, x->match.value[i], &x->param[i]))
            return error_http(err, 400, "Failed to decode param '%.*s'", STR_ARG(x->match.value[i]));
    return true;
}

static bool check_load(struct exchange *x, struct error *err)
{
    struct server *s = x->loop->server;
    bool full = x->conn->over_cap || x->loop->body_bytes + x->length > HTTP_BODIES_MAX;
    if (x->rq.route->flags & ROUTE_ALWAYS)
        return true;
    if (!full && (!s->c.accepting || s->c.accepting(s->c.app)))
        return true;
    counter_add(s->overload, 1);
    return error_http(err, 503, "The server is overloaded, try again later");
}

static bool check_body(struct exchange *x, struct error *err)
{
    const struct header *encoding = head_find(x, "content-encoding");
    x->body_max = x->rq.route->body_max ? x->rq.route->body_max : HTTP_BODY_MAX;
    if (x->length > x->body_max)
        return error_http(err, 413, "Payload Too Large");
    if (encoding && encoding->value.n && (x->length || x->chunked) && !str_eq_nocase(encoding->value, STR("identity")))
        return error_http(err, 415, "unsupported content encoding \"%.*s\"", STR_ARG(encoding->value));
    return true;
}

/* The stages before the body. x->ready: already answered (a preflight). */
bool head_check(struct exchange *x, struct error *err)
{
    struct server_config *c = &x->loop->server->c;
    bool routed = find_route(x, err);
    cors_begin(x);
    if (str_eq(x->rq.method, STR("OPTIONS"))) {
        cors_preflight(x);
        return true;
    }
    if (!routed || !read_params(x, err) || !check_body(x, err) || !check_load(x, err))
        return false;
    return !c->authenticate || c->authenticate(c->app, x->loop->index, &x->rq, err);
}
