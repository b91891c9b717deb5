/* Keeps requests to customers' URLs out of private networks. */
#include "delivery/outbound.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "delivery/http_attempt.h"

/* An address as 16 bytes; IPv4 as ::ffff:a.b.c.d. */
struct ip {
    uint8_t b[16];
};

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool ip_parse(struct str s, struct ip *ip)
{
    char text[INET6_ADDRSTRLEN];
    if (!s.n || s.n >= sizeof text)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    memcpy(ip->b, v4_prefix, 12);
    return inet_pton(AF_INET, text, ip->b + 12) == 1 || inet_pton(AF_INET6, text, ip->b) == 1;
}

static bool ip_of(const struct sockaddr *a, struct ip *ip)
{
    memcpy(ip->b, v4_prefix, 12);
    if (a->sa_family == AF_INET)
        memcpy(ip->b + 12, &((const struct sockaddr_in *)a)->sin_addr, 4);
    else if (a->sa_family == AF_INET6)
        memcpy(ip->b, &((const struct sockaddr_in6 *)a)->sin6_addr, 16);
    else
        return false;
    return true;
}

static bool ip_within(const struct ip *ip, const struct ip *net, int bits)
{
    for (int i = 0; i < 16 && bits > 0; i++, bits -= 8) {
        uint8_t mask = bits >= 8 ? 0xff : (uint8_t)(0xff << (8 - bits));
        if ((ip->b[i] ^ net->b[i]) & mask)
            return false;
    }
    return true;
}

static bool ip_in(const struct ip *ip, const char *net, int bits)
{
    struct ip n;
    return ip_parse(str_of(net), &n) && ip_within(ip, &n, bits);
}

/* The IPv4 address inside of an IPv6 one that translates or tunnels to it. */
static bool ip_embedded(const struct ip *ip, struct ip *inner)
{
    memcpy(inner->b, v4_prefix, 12);
    if (ip_in(ip, "2002::", 16))
        memcpy(inner->b + 12, ip->b + 2, 4);
    else if (ip_in(ip, "64:ff9b::", 96) || (ip_in(ip, "::", 96) && !ip_in(ip, "::", 127)))
        memcpy(inner->b + 12, ip->b + 12, 4);
    else
        return false;
    return true;
}

/* 96 is added to the length of IPv4 networks. */
static bool ip_is_link_local(const struct ip *ip)
{
    struct ip inner;
    return ip_in(ip, "169.254.0.0", 96 + 16) || ip_in(ip, "fe80::", 10) || (ip_embedded(ip, &inner) && ip_in(&inner, "169.254.0.0", 96 + 16));
}

static bool ip_is_private(const struct ip *ip)
{
    static const struct { const char *net; int bits; } nets[] = {
        {"0.0.0.0", 96 + 8}, {"10.0.0.0", 96 + 8}, {"127.0.0.0", 96 + 8}, {"169.254.0.0", 96 + 16}, {"172.16.0.0", 96 + 12},
        {"192.168.0.0", 96 + 16}, {"100.64.0.0", 96 + 10}, {"::", 128}, {"::1", 128}, {"fc00::", 7}, {"fe80::", 10}};
    struct ip inner;
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
        if (ip_in(ip, nets[i].net, nets[i].bits))
            return true;
    return ip_embedded(ip, &inner) && ip_is_private(&inner);
}

/* --- the allow list ---------------------------------------------------------------------------------------------- */

static bool entry_next(struct str *rest, struct str *entry)
{
    while (rest->n) {
        ptrdiff_t comma = str_find(*rest, STR(","));
        *entry = str_trim(comma < 0 ? *rest : str_sub(*rest, 0, (size_t)comma));
        *rest = comma < 0 ? STR_NULL : str_sub(*rest, (size_t)comma + 1, rest->n);
        if (entry->n)
            return true;
    }
    return false;
}

/* 10.1.0.0/16 or a single address. */
static bool entry_net(struct str entry, struct ip *net, int *bits)
{
    ptrdiff_t slash = str_find(entry, STR("/"));
    struct str address = slash < 0 ? entry : str_sub(entry, 0, (size_t)slash);
    bool v4 = str_find(address, STR(":")) < 0;
    int64_t n = v4 ? 32 : 128;
    if (!ip_parse(address, net) || (slash >= 0 && !str_to_i64(str_sub(entry, (size_t)slash + 1, entry.n), &n)))
        return false;
    if (n < 0 || n > (v4 ? 32 : 128))
        return false;
    *bits = (int)n + (v4 ? 96 : 0);
    return true;
}

static bool allows_name(struct str list, struct str host)
{
    struct str entry;
    while (entry_next(&list, &entry)) {
        if (str_starts(entry, STR("*.")))
            entry = str_sub(entry, 1, entry.n);
        if (entry.p[0] == '.' ? host.n > entry.n && str_eq_nocase(str_sub(host, host.n - entry.n, host.n), entry) : str_eq_nocase(host, entry))
            return true;
    }
    return false;
}

static bool allows_ip(struct str list, const struct ip *ip)
{
    struct str entry;
    struct ip net;
    int bits;
    while (entry_next(&list, &entry))
        if (entry_net(entry, &net, &bits) && ip_within(ip, &net, bits))
            return true;
    return false;
}

bool outbound_allow_valid(struct str list)
{
    struct str entry;
    struct ip net;
    int bits;
    while (entry_next(&list, &entry)) {
        if (entry_net(entry, &net, &bits))
            continue;
        if (str_starts(entry, STR("*.")))
            entry = str_sub(entry, 1, entry.n);
        if (!entry.n || entry.n > 253)
            return false;
        for (size_t i = 0; i < entry.n; i++) {
            char c = entry.p[i];
            if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.'))
                return false;
        }
    }
    return true;
}

/* --- judging ----------------------------------------------------------------------------------------------------- */

/* The host of "scheme://host:port". */
static struct str host_of(struct str origin)
{
    struct str host = str_sub(origin, (size_t)str_find(origin, STR("://")) + 3, origin.n);
    size_t end = host.n;
    while (end && host.p[end - 1] != ':')
        end--;
    host = str_sub(host, 0, end ? end - 1 : 0);
    if (host.n > 1 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = str_sub(host, 1, host.n - 1);
    while (host.n && host.p[host.n - 1] == '.')     /* "localhost." is localhost */
        host.n--;
    return host;
}

static bool has_credentials(struct str url)
{
    struct str after = str_sub(url, (size_t)str_find(url, STR("://")) + 3, url.n);
    for (size_t i = 0; i < after.n && !strchr("/?#", after.p[i]); i++)
        if (after.p[i] == '@')
            return true;
    return false;
}

bool outbound_check(const struct outbound_policy *p, struct arena *a, struct str url, struct outbound_target *t, struct error *err)
{
    struct str origin;
    struct ip ip;
    url = str_trim(url);
    *t = (struct outbound_target){.policy = p};
    if (str_find(url, STR("://")) < 1)
        return error_set(err, ERROR_BAD_INPUT, "Invalid URL format.");
    if (!http_origin(a, url, &origin, err))
        return false;
    if (has_credentials(url))
        return error_set(err, ERROR_BAD_INPUT, "URLs with embedded credentials are not allowed.");
    t->host = host_of(origin);
    t->named = allows_name(p->allow, t->host);
    if (!t->host.n)
        return error_set(err, ERROR_BAD_INPUT, "Invalid URL format.");
    if (str_eqz(t->host, "metadata.google.internal")
        || (!p->private_ok && (str_eqz(t->host, "localhost") || str_ends(t->host, STR(".localhost")))))
        return error_set(err, ERROR_BAD_INPUT, "Requests to \"%.*s\" are not allowed.", STR_ARG(t->host));
    struct sockaddr_storage far = {0};
    if (!ip_parse(t->host, &ip))
        return true;
    far.ss_family = AF_INET6;
    memcpy(&((struct sockaddr_in6 *)&far)->sin6_addr, ip.b, 16);
    if (!outbound_address_ok((struct sockaddr *)&far, t))
        return error_set(err, ERROR_BAD_INPUT, "The request was blocked by the outbound SSRF policy.");
    return true;
}

bool outbound_address_ok(const struct sockaddr *address, void *ctx)
{
    struct outbound_target *t = ctx;
    struct ip ip;
    bool ok = ip_of(address, &ip) && !ip_is_link_local(&ip)
        && (!ip_is_private(&ip) || t->policy->private_ok || t->named || allows_ip(t->policy->allow, &ip));
    t->refused |= !ok;
    return ok;
}
