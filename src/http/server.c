/* Starting and stopping: listening sockets, and a loop for each thread. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http_private.h"

static bool split_address(const char *text, char host[256], char port[16], struct error *err)
{
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    if (!colon || n >= 256 || !colon[1] || strlen(colon + 1) >= 16 || colon[1 + strspn(colon + 1, "0123456789")])
        return error_set(err, ERROR_BAD_INPUT, "not an address to listen on (host:port): %s", text);
    bool brackets = n >= 2 && text[0] == '[' && text[n - 1] == ']';
    snprintf(host, 256, "%.*s", (int)(brackets ? n - 2 : n), brackets ? text + 1 : text);
    snprintf(port, 16, "%s", colon + 1);
    return true;
}

static int port_of(int fd)
{
    struct sockaddr_storage a = {0};
    socklen_t n = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &n))
        return 0;
    return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port : ((struct sockaddr_in *)&a)->sin_port);
}

static void port_set(struct sockaddr *a, int port)
{
    if (a->sa_family == AF_INET6)
        ((struct sockaddr_in6 *)a)->sin6_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in *)a)->sin_port = htons((uint16_t)port);
}

static int bound(const struct addrinfo *ai, bool shared)
{
    int yes = 1;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen)) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

/* One socket for each loop. SO_REUSEPORT would let a second server share the port unnoticed, so the port is
 * first bound without it. */
static bool listen_all(struct server *s, int i, const struct addrinfo *ai, int *fd, struct error *err)
{
    int probe = bound(ai, false);
    if (probe < 0)
        return error_set(err, ERROR_IO, "Cannot listen on %s: %s", s->c.listen[i], strerrordesc_np(errno));
    s->port[i] = port_of(probe);
    close(probe);
    port_set(ai->ai_addr, s->port[i]);
    for (int k = 0; k < s->loops; k++) {
        int *slot = &fd[k * HTTP_LISTEN_MAX + i];
        *slot = bound(ai, true);
        if (*slot < 0 || listen(*slot, 4096))
            return error_set(err, ERROR_IO, "Cannot listen on %s: %s", s->c.listen[i], strerrordesc_np(errno));
    }
    return true;
}

static bool listen_one(struct server *s, int i, int *fd, struct error *err)
{
    char host[256], port[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *ai;
    if (!split_address(s->c.listen[i], host, port, err))
        return false;
    int bad = getaddrinfo(host[0] && strcmp(host, "*") ? host : NULL, port, &hints, &ai);
    if (bad)
        return error_set(err, ERROR_BAD_INPUT, "Cannot listen on %s: %s", s->c.listen[i], gai_strerror(bad));
    bool ok = listen_all(s, i, ai, fd, err);
    freeaddrinfo(ai);
    return ok;
}

static int default_of(int given, int otherwise)
{
    return given > 0 ? given : otherwise;
}

/* What is read after server_start is copied; the caller's texts need not live. */
static void configure(struct server *s, const struct server_config *c)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct str prefix = str_of(c->context_path);
    s->c = *c;
    s->c.connections_max = default_of(c->connections_max, 16384);
    s->c.idle_timeout_s = default_of(c->idle_timeout_s, 61);
    s->c.header_timeout_s = default_of(c->header_timeout_s, 30);
    s->loops = default_of(c->loops, cores > 0 ? (int)cores : 1);
    if (s->loops > HTTP_LOOPS_MAX)
        s->loops = HTTP_LOOPS_MAX;
    while (prefix.n && prefix.p[prefix.n - 1] == '/')
        prefix.n--;
    if (prefix.n)
        s->prefix = str_fmt(s->arena, "%s%.*s", prefix.p[0] == '/' ? "" : "/", STR_ARG(prefix));
    while (c->origins && c->origins[s->origins])
        s->origins++;
    s->origin = ARENA_ARRAY(s->arena, struct str, s->origins);
    for (size_t i = 0; i < s->origins; i++) {
        struct str o = str_dup(s->arena, str_of(c->origins[i]));
        while (o.n > 1 && o.p[o.n - 1] == '/')
            o.n--;
        s->origin[i] = o;
    }
    while (c->listen[s->listen_n])
        s->listen_n++;
}

static void server_free(struct server *s)
{
    router_destroy(s->router);
    metrics_destroy(s->own_metrics);
    arena_destroy(s->arena);
    free(s->routes);
    free(s);
}

static bool start(struct server *s, struct error *err)
{
    int fd[HTTP_LOOPS_MAX * HTTP_LISTEN_MAX];
    bool ok = true;
    for (size_t i = 0; i < sizeof fd / sizeof *fd; i++)
        fd[i] = -1;
    for (int i = 0; ok && i < s->listen_n; i++)
        ok = listen_one(s, i, fd, err);
    for (int k = 0; k < s->loops; k++) {
        s->loop[k].server = s;
        s->loop[k].index = k;
        if (ok) {
            ok = loop_start(&s->loop[k], &fd[k * HTTP_LISTEN_MAX], err);
            continue;
        }
        for (int i = 0; i < s->listen_n; i++)
            if (fd[k * HTTP_LISTEN_MAX + i] >= 0)
                close(fd[k * HTTP_LISTEN_MAX + i]);
    }
    return ok;
}

struct server *server_start(const struct server_config *c, struct error *err)
{
    struct server *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->arena = arena_create(0);
    id_source_init(&s->own_ids);
    configure(s, c);
    s->ids = c->ids ? c->ids : &s->own_ids;
    if (s->listen_n < 1 || s->listen_n > HTTP_LISTEN_MAX) {
        error_set(err, ERROR_BAD_INPUT, "between 1 and %d addresses to listen on", HTTP_LISTEN_MAX);
        server_free(s);
        return NULL;
    }
    s->router = router_create(c->tables, c->table_sizes, err);
    if (!s->router || !measure_create(s)) {
        server_free(s);
        return NULL;
    }
    if (!start(s, err)) {
        server_stop(s, 0);
        return NULL;
    }
    s->c.listen = NULL;
    s->c.origins = NULL;
    return s;
}

int server_port(const struct server *s, int i)
{
    return i >= 0 && i < s->listen_n ? s->port[i] : 0;
}

void server_stop(struct server *s, int ms)
{
    if (!s)
        return;
    for (int k = 0; k < s->loops; k++)
        atomic_store_explicit(&s->loop[k].stop_ms, ms > 0 ? ms : 0, memory_order_release);
    for (int k = 0; k < s->loops; k++)
        loop_wake(&s->loop[k]);
    for (int k = 0; k < s->loops; k++)
        loop_stop(&s->loop[k]);
    server_free(s);
}
