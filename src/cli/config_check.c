/* Rules for values of settings. */
#include "cli/config_check.h"

#include <string.h>

#include "base/str.h"
#include "delivery/outbound.h"

enum { PATH_LONGEST = 3000, HOST_LONGEST = 255, KEY_SHORTEST = 16, KEY_LONGEST = 256 };

/* Calls fn for each part between commas; blanks around it do not count. false: none, or fn refused one. */
static bool each(const char *v, int max, bool (*fn)(struct str part))
{
    struct str rest = str_of(v);
    int n = 0;
    while (rest.n) {
        ptrdiff_t comma = str_find(rest, STR(","));
        struct str one = str_trim(str_sub(rest, 0, comma < 0 ? rest.n : (size_t)comma));
        if (one.n && (++n > max || !fn(one)))
            return false;
        rest = comma < 0 ? STR_NULL : str_sub(rest, (size_t)comma + 1, rest.n);
    }
    return n > 0;
}

static bool only(struct str s, const char *allowed)
{
    for (size_t i = 0; i < s.n; i++)
        if (!strchr(allowed, s.p[i]) || !s.p[i])
            return false;
    return true;
}

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static bool number_in(struct str s, int64_t least, int64_t most)
{
    int64_t n;
    return s.n && only(s, "0123456789") && str_to_i64(s, &n) && n >= least && n <= most;
}

static bool is_host(struct str s)
{
    if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
        return only(str_sub(s, 1, s.n - 1), "0123456789abcdefABCDEF:.%" ALNUM);
    return s.n <= HOST_LONGEST && only(s, ALNUM "-._");
}

static bool is_address(struct str s)
{
    size_t colon = s.n;
    while (colon && s.p[colon - 1] != ':')
        colon--;
    if (!colon)
        return false;
    struct str host = str_sub(s, 0, colon - 1);
    return number_in(str_sub(s, colon, s.n), 0, 65535) && (!host.n || str_eqz(host, "*") || is_host(host));
}

static bool scheme_of(struct str s, struct str *rest)
{
    size_t n = str_starts(s, STR("http://")) ? 7 : str_starts(s, STR("https://")) ? 8 : 0;
    *rest = str_sub(s, n, s.n);
    return n != 0;
}

/* host or host:port */
static bool is_authority(struct str s)
{
    return s.n && (is_host(s) || (is_address(s) && s.p[0] != ':'));
}

static bool is_origin(struct str s)
{
    struct str rest;
    if (str_eqz(s, "*"))
        return true;
    if (!scheme_of(s, &rest))
        return false;
    while (str_ends(rest, STR("/")))
        rest.n--;
    return is_authority(rest);
}

bool check_path(const char *v) { return *v && strlen(v) <= PATH_LONGEST; }
bool check_listen(const char *v) { return each(v, 8, is_address); }
bool check_port(const char *v) { return number_in(str_of(v), 0, 65535); }
bool check_origins(const char *v) { return each(v, ORIGINS_MAX, is_origin); }
bool check_workers(const char *v) { return number_in(str_of(v), 0, WORKERS_MAX); }
bool check_loops(const char *v) { return number_in(str_of(v), 0, LOOPS_MAX); }
bool check_count(const char *v) { return number_in(str_of(v), 0, COUNT_MAX); }

bool check_postgres(const char *v)
{
    return !strncmp(v, "postgres://", 11) || !strncmp(v, "postgresql://", 13);
}

bool check_url(const char *v)
{
    struct str rest;
    if (!scheme_of(str_of(v), &rest))
        return false;
    for (size_t i = 0; i < rest.n; i++)
        if ((unsigned char)rest.p[i] <= ' ' || rest.p[i] == '"' || rest.p[i] == '<' || rest.p[i] == '>')
            return false;
    ptrdiff_t slash = str_find(rest, STR("/"));
    return is_authority(str_sub(rest, 0, slash < 0 ? rest.n : (size_t)slash));
}

bool check_sink(const char *v)
{
    return strcmp(v, "*") != 0 && is_origin(str_of(v));
}

bool check_context_path(const char *v)
{
    return strlen(v) <= 200 && only(str_of(v), ALNUM "/-._~");
}

static bool printable(const char *v, size_t least, size_t most)
{
    size_t n = strlen(v);
    for (size_t i = 0; i < n; i++)
        if (v[i] <= ' ' || v[i] > '~')
            return false;
    return n >= least && n <= most;
}

bool check_key(const char *v) { return printable(v, KEY_SHORTEST, KEY_LONGEST); }
bool check_token(const char *v) { return printable(v, 1, KEY_LONGEST); }
bool check_secret(const char *v) { return strlen(v) >= KEY_SHORTEST && strlen(v) <= 4096; }

bool check_identifier(const char *v)
{
    size_t n = strlen(v);
    return n >= 4 && n <= 63 && only(str_of(v), ALNUM "_-");
}

bool check_outbound(const char *v)
{
    return outbound_allow_valid(str_of(v));
}
