/* multipart/form-data: parts between boundary lines, each with a head of its own. */
#include "http/multipart.h"

/* The rest of s after its first n bytes. */
static struct str rest(struct str s, size_t n)
{
    return (struct str){s.p + n, s.n - n};
}

static bool skip(struct str *s, const char *z)
{
    size_t n = strlen(z);
    if (s->n < n || memcmp(s->p, z, n))
        return false;
    *s = rest(*s, n);
    return true;
}

/* One `key=value` or `key="value"` of a header's parameters; \" and \\ are unescaped. false: none is left. */
static bool parameter_next(struct arena *a, struct str *s, struct str *key, struct str *value)
{
    ptrdiff_t semicolon = str_find(*s, STR(";"));
    if (semicolon < 0)
        return false;
    *s = str_trim(rest(*s, (size_t)semicolon + 1));
    ptrdiff_t equals = str_find(*s, STR("="));
    if (equals < 0)
        return false;
    *key = str_trim((struct str){s->p, (size_t)equals});
    *s = rest(*s, (size_t)equals + 1);
    if (!skip(s, "\"")) {
        ptrdiff_t end = str_find(*s, STR(";"));
        *value = str_trim((struct str){s->p, end < 0 ? s->n : (size_t)end});
        *s = rest(*s, end < 0 ? s->n : (size_t)end);
        return true;
    }
    struct buf b = {.arena = a};
    for (; s->n && *s->p != '"'; *s = rest(*s, 1)) {
        if (*s->p == '\\' && s->n > 1 && (s->p[1] == '"' || s->p[1] == '\\'))
            *s = rest(*s, 1);
        buf_char(&b, *s->p);
    }
    skip(s, "\"");
    *value = b.n ? buf_finish(&b) : STR("");
    return true;
}

static struct str parameter(struct arena *a, struct str header, const char *name)
{
    struct str key, value;
    while (parameter_next(a, &header, &key, &value))
        if (str_eq_nocase(key, str_of(name)))
            return value;
    return STR_NULL;
}

/* The head's lines that matter: Content-Disposition and Content-Type. */
static void head_read(struct arena *a, struct str head, struct multipart_part *p)
{
    while (head.n) {
        ptrdiff_t end = str_find(head, STR("\r\n"));
        struct str line = {head.p, end < 0 ? head.n : (size_t)end};
        ptrdiff_t colon = str_find(line, STR(":"));
        head = rest(head, end < 0 ? head.n : (size_t)end + 2);
        if (colon < 0)
            continue;
        struct str key = {line.p, (size_t)colon}, value = str_trim(rest(line, (size_t)colon + 1));
        if (str_eq_nocase(key, STR("content-disposition"))) {
            p->name = parameter(a, value, "name");
            p->filename = parameter(a, value, "filename");
        } else if (str_eq_nocase(key, STR("content-type"))) {
            p->content_type = value;
        }
    }
}

/* s stands behind a boundary's line. Takes the part up to the next boundary. */
static bool part_read(struct arena *a, struct str *s, struct str delimiter, struct multipart_part *p, struct error *err)
{
    struct str window = {s->p, s->n < MULTIPART_HEAD_MAX ? s->n : MULTIPART_HEAD_MAX};
    ptrdiff_t head = str_find(window, STR("\r\n\r\n")), end;
    if (head < 0)
        return error_http(err, 400, "Multipart: a part's head does not end");
    struct str body = rest(*s, (size_t)head + 4);
    if ((end = str_find(body, delimiter)) < 0)
        return error_http(err, 400, "Multipart: Unexpected end of form");
    *p = (struct multipart_part){.body = {body.p, (size_t)end}};
    head_read(a, (struct str){s->p, (size_t)head}, p);
    if (!p->name.p)
        return error_http(err, 400, "Multipart: a part has no name");
    *s = rest(body, (size_t)end + delimiter.n);
    return true;
}

bool multipart_parse(struct arena *a, struct str content_type, struct str body, struct multipart_part **parts, size_t *n,
                     struct error *err)
{
    struct str boundary = parameter(a, content_type, "boundary"), type = str_trim(content_type);
    size_t cap = 0;
    *parts = NULL;
    *n = 0;
    if (type.n < 19 || !str_eq_nocase((struct str){type.p, 19}, STR("multipart/form-data")))
        return error_http(err, 400, "The body must be multipart/form-data");
    if (!boundary.n || boundary.n > 200)
        return error_http(err, 400, "Multipart: Boundary not found");
    struct str delimiter = str_fmt(a, "\r\n--%.*s", STR_ARG(boundary));
    struct str s = body, first = rest(delimiter, 2);
    ptrdiff_t start = str_find(s, first);
    if (start < 0)
        return error_http(err, 400, "Multipart: Unexpected end of form");
    s = rest(s, (size_t)start + first.n);
    while (!skip(&s, "--")) {
        while (skip(&s, " ") || skip(&s, "\t"))
            ;
        if (!skip(&s, "\r\n"))
            return error_http(err, 400, "Multipart: Malformed part header");
        if (*n >= MULTIPART_PARTS_MAX)
            return error_http(err, 400, "Multipart: more than %d parts", MULTIPART_PARTS_MAX);
        if (!part_read(a, &s, delimiter, ARENA_SLOT(a, *parts, *n, cap), err))
            return false;
    }
    return true;
}
