/* URLs of providers: completed, checked, and led to the sink. */
#include "delivery/http_attempt.h"

/* The parts of an absolute URL, as written. */
struct parts {
    struct str scheme, userinfo, host, rest;    /* userinfo with its "@"; host with its port; rest from the path on */
};

static bool parts_read(struct arena *a, struct str url, struct parts *out, struct error *err)
{
    struct str s = str_trim(url);
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return error_set(err, ERROR_BAD_INPUT, "Invalid URL format.");
    if (s.n == 0 || s.n > HTTP_URL_MAX)
        return error_set(err, ERROR_BAD_INPUT, "Invalid URL format.");
    ptrdiff_t at = str_find(s, STR("://"));
    size_t stop = 0;
    while (stop < s.n && !strchr("/?#", s.p[stop]))
        stop++;
    if (at < 0 || (size_t)at > stop) {      /* "host/path?to=https://…" has no scheme of its own */
        s = str_fmt(a, "https://%.*s", STR_ARG(s));
        at = 5;
    }
    struct str scheme = str_sub(s, 0, (size_t)at), after = str_sub(s, (size_t)at + 3, s.n);
    if (!str_eq_nocase(scheme, STR("http")) && !str_eq_nocase(scheme, STR("https")))
        return error_set(err, ERROR_BAD_INPUT, "URL scheme \"%.*s:\" is not allowed. Only http and https are permitted.",
                         (int)(scheme.n < 32 ? scheme.n : 32), scheme.p);
    size_t end = 0, host = 0;
    while (end < after.n && !strchr("/?#", after.p[end]))
        end++;
    for (size_t i = 0; i < end; i++)
        if (after.p[i] == '@')
            host = i + 1;
    *out = (struct parts){scheme, str_sub(after, 0, host), str_sub(after, host, end), str_sub(after, end, after.n)};
    return out->host.n ? true : error_set(err, ERROR_BAD_INPUT, "Invalid URL format.");
}

bool http_url(struct arena *a, const char *sink, struct str url, struct str *out, struct error *err)
{
    struct parts p, s;
    if (!parts_read(a, url, &p, err))
        return false;
    if (!sink) {
        *out = str_fmt(a, "%.*s://%.*s%.*s%.*s", STR_ARG(p.scheme), STR_ARG(p.userinfo), STR_ARG(p.host), STR_ARG(p.rest));
        return true;
    }
    if (!parts_read(a, str_of(sink), &s, err))
        return false;
    struct str base = s.rest;
    while (base.n && base.p[base.n - 1] == '/')
        base.n--;
    *out = str_fmt(a, "%.*s://%.*s%.*s%.*s/%.*s%s%.*s", STR_ARG(s.scheme), STR_ARG(p.userinfo), STR_ARG(s.host),
                   STR_ARG(base), STR_ARG(p.host), p.rest.n && p.rest.p[0] == '/' ? "" : "/", STR_ARG(p.rest));
    return true;
}

bool http_origin(struct arena *a, struct str url, struct str *out, struct error *err)
{
    struct parts p;
    if (!parts_read(a, url, &p, err))
        return false;
    bool tls = p.scheme.n == 5, port = false;
    for (size_t i = p.host.n; i && p.host.p[i - 1] != ']'; i--)
        port |= p.host.p[i - 1] == ':';
    struct str s = str_fmt(a, "%.*s://%.*s%s", STR_ARG(p.scheme), STR_ARG(p.host), port ? "" : tls ? ":443" : ":80");
    char *z = str_z(a, s);
    for (size_t i = 0; i < s.n; i++)
        z[i] = (char)(z[i] >= 'A' && z[i] <= 'Z' ? z[i] + 32 : z[i]);
    *out = (struct str){z, s.n};
    return true;
}
