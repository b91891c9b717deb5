/* The load generator: N keep-alive connections on loopback send triggers and every answer is timed; prints JSON.
 *
 * Closed loop (--rate 0): each connection sends its next request when the last one is answered: the peak.
 * Open loop (--rate R): request i is due at i/R and its latency counts from then, also while it waits for a
 * free connection, so a stall of the server is not hidden by the requests that were not sent during it.
 * With --counter the run ends when that counter has grown by the number of accepted requests: end to end.
 * Bounded: --requests, --seconds, and loopback only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { OUT_MAX = 4096, IN_MAX = 32768, CONNECTIONS_MAX = 4096, REQUESTS_MAX = 5000000, STATUS_MAX = 600 };

struct options {
    int port, counter_port;
    int connections, requests, subscribers;
    double rate, seconds, drain_seconds;
    const char *method, *path, *key, *workflow, *prefix;
    const char *counter, *label;        /* series whose line begins with counter and contains label */
};

struct connection {
    int fd;
    bool busy;
    int64_t started_ns;
    int out_len, out_sent;
    int in_len;
    int64_t body_left;                  /* -1 while the head is incomplete */
    int status;
    char out[OUT_MAX];
    char in[IN_MAX];
};

struct load {
    struct options o;
    int epoll_fd;
    struct connection *connections;
    int *idle, idle_count;
    int sent, answered, accepted;           /* lost: sent but never answered */
    int statuses[STATUS_MAX];
    int64_t *latencies_ns;
    int64_t start_ns, last_ns;
    int64_t give_up_ns;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int loopback_connect(int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
        die("connect");
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* -- the counter that tells how much is stored -- */

/* The whole answer to GET path, NUL-terminated; to be freed. */
static char *http_get(const struct options *o, int port, const char *path)
{
    int fd = loopback_connect(port);
    struct timeval limit = { .tv_sec = 5 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    char request[1024];
    int n = snprintf(request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: ApiKey %s\r\nConnection: close\r\n\r\n", path, o->key);
    if (write(fd, request, (size_t)n) != n)
        die("write");
    size_t len = 0, cap = 1 << 16;
    char *text = malloc(cap);
    for (;;) {
        if (!text)
            die("malloc");
        ssize_t r = read(fd, text + len, cap - len - 1);
        if (r <= 0)
            break;
        len += (size_t)r;
        if (len + 1 == cap)
            text = realloc(text, cap *= 2);
    }
    close(fd);
    text[len] = 0;
    return text;
}

/* The sum of the series asked for; 0 when there is none yet. */
static double counter_read(const struct options *o)
{
    char *text = http_get(o, o->counter_port, "/metrics");
    double sum = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        size_t n = strlen(o->counter);
        if (strncmp(line, o->counter, n) != 0 || (line[n] != '{' && line[n] != ' ') || !strstr(line, o->label))
            continue;
        char *value = strrchr(line, ' ');
        if (value)
            sum += atof(value);
    }
    free(text);
    return sum;
}

/* Waits until the counter has grown by accepted since base; returns by how much it has. */
static double counter_wait(struct load *l, double base, int accepted)
{
    int64_t until = now_ns() + (int64_t)(l->o.drain_seconds * 1e9);
    double grown = 0;
    for (;;) {
        grown = counter_read(&l->o) - base;
        l->last_ns = now_ns();
        if (grown >= accepted || l->last_ns > until)
            return grown;
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    }
}

/* -- requests -- */

/* About 570 bytes of JSON: what an application sends when somebody comments on something. */
static int body_print(const struct options *o, int i, char *out, size_t cap)
{
    /* Scattered: neighbours in time are not neighbours in the store's indexes. */
    int s = (int)((uint32_t)i * 2654435761u % (uint32_t)o->subscribers);
    return snprintf(out, cap,
        "{\"name\":\"%s\",\"to\":{\"subscriberId\":\"user-%07d\",\"firstName\":\"Ada\",\"lastName\":\"Lovelace\","
        "\"email\":\"user-%07d@example.com\"},\"payload\":{\"actor\":\"Charles Babbage\",\"postId\":%d,"
        "\"postTitle\":\"On the economy of machinery and manufactures\",\"comment\":\"The engine weaves algebraical "
        "patterns just as the loom weaves flowers and leaves; have you had time to look at the notes that I sent "
        "you on the third of March?\",\"url\":\"https://app.example.com/posts/%d#comment\",\"likes\":17,"
        "\"tags\":[\"engines\",\"analysis\"]},\"transactionId\":\"%s-%d\"}",
        o->workflow, s, s, i, i, o->prefix, i);
}

static int request_print(const struct options *o, int i, char *out, size_t cap)
{
    char body[OUT_MAX];
    int body_len = strcmp(o->method, "GET") == 0 ? 0 : body_print(o, i, body, sizeof body);
    int n = snprintf(out, cap, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: ApiKey %s\r\n", o->method, o->path, o->port, o->key);
    if (body_len > 0)
        n += snprintf(out + n, cap - (size_t)n, "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", body_len, body);
    else
        n += snprintf(out + n, cap - (size_t)n, "\r\n");
    if ((size_t)n >= cap) {
        fprintf(stderr, "load: request too long\n");
        exit(1);
    }
    return n;
}

static void connection_open(struct load *l, struct connection *c)
{
    c->fd = loopback_connect(l->o.port);
    /* Edge-triggered for both directions: one epoll_ctl in a connection's life. */
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c };
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, c->fd, &e) < 0)
        die("epoll_ctl");
}

static void request_lost(struct load *l, struct connection *c)
{
    c->busy = false;
    close(c->fd);
    connection_open(l, c);
    l->idle[l->idle_count++] = (int)(c - l->connections);
}

static void connection_write(struct load *l, struct connection *c)
{
    while (c->out_sent < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_sent, (size_t)(c->out_len - c->out_sent), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0) {
            request_lost(l, c);
            return;
        }
        c->out_sent += (int)n;
    }
}

static void request_start(struct load *l, int64_t due_ns)
{
    struct connection *c = &l->connections[l->idle[--l->idle_count]];
    c->out_len = request_print(&l->o, l->sent++, c->out, sizeof c->out);
    c->out_sent = 0;
    c->in_len = 0;
    c->body_left = -1;
    c->busy = true;
    c->started_ns = due_ns;
    connection_write(l, c);
}

static void request_done(struct load *l, struct connection *c)
{
    l->last_ns = now_ns();
    l->latencies_ns[l->answered++] = l->last_ns - c->started_ns;
    l->statuses[c->status]++;
    if (c->status >= 200 && c->status < 300)
        l->accepted++;
    c->busy = false;
    l->idle[l->idle_count++] = (int)(c - l->connections);
}

/* Reads the status and the length of the body out of a complete head; false if it is not HTTP with a length. */
static bool head_parse(struct connection *c)
{
    char *end = memmem(c->in, (size_t)c->in_len, "\r\n\r\n", 4);
    if (!end)
        return c->in_len < IN_MAX;
    *end = 0;
    char *length = strcasestr(c->in, "\r\ncontent-length:");
    if (strncmp(c->in, "HTTP/1.1 ", 9) != 0 || !length)
        return false;
    c->status = atoi(c->in + 9);
    if (c->status < 100 || c->status >= STATUS_MAX)
        return false;
    c->body_left = atoll(length + 17) - (c->in_len - (end + 4 - c->in));
    return c->body_left >= 0;
}

static void connection_read(struct load *l, struct connection *c)
{
    while (c->busy) {
        bool in_head = c->body_left < 0;
        char *to = in_head ? c->in + c->in_len : c->in;
        size_t room = in_head ? (size_t)(IN_MAX - c->in_len) : IN_MAX;
        ssize_t n = recv(c->fd, to, room, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        bool ok = n > 0;
        if (ok && in_head) {
            c->in_len += (int)n;
            ok = head_parse(c);
        } else if (ok) {
            c->body_left -= n;
        }
        if (!ok) {
            request_lost(l, c);
            return;
        }
        if (c->body_left == 0)
            request_done(l, c);
    }
}

/* -- the run -- */

/* Starts what is due; returns the nanoseconds until the next request is, or -1 if only answers are waited for. */
static int64_t requests_start(struct load *l)
{
    for (;;) {
        int64_t now = now_ns();
        if (l->sent == l->o.requests || l->idle_count == 0 || now > l->give_up_ns)
            return -1;
        int64_t due = now;
        if (l->o.rate > 0) {
            due = l->start_ns + (int64_t)(l->sent * (1e9 / l->o.rate));
            if (due > now)
                return due - now;
        }
        request_start(l, due);
    }
}

static void load_run(struct load *l)
{
    struct epoll_event events[256];
    l->start_ns = now_ns();
    l->give_up_ns = l->start_ns + (int64_t)(l->o.seconds * 1e9);
    int64_t grace_ns = 5000000000LL;
    for (;;) {
        int64_t wait = requests_start(l);
        bool over = l->sent == l->o.requests || now_ns() > l->give_up_ns;
        if (over && (l->idle_count == l->o.connections || now_ns() > l->give_up_ns + grace_ns))
            return;
        if (wait < 0)
            wait = 100000000;
        struct timespec t = { .tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000 };
        int n = epoll_pwait2(l->epoll_fd, events, 256, &t, NULL);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->busy && (events[i].events & EPOLLOUT))
                connection_write(l, c);
            if (c->busy && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
                connection_read(l, c);
        }
    }
}

static int latency_compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double percentile_ms(const struct load *l, double p)
{
    return l->answered == 0 ? 0 : (double)l->latencies_ns[(int)(p * (l->answered - 1))] / 1e6;
}

static void report_print(struct load *l, double base)
{
    double seconds = (double)(l->last_ns - l->start_ns) / 1e9;
    qsort(l->latencies_ns, (size_t)l->answered, sizeof *l->latencies_ns, latency_compare);
    printf("{\"mode\":\"%s\",\"connections\":%d,\"sent\":%d,\"accepted\":%d,\"lost\":%d,\"seconds\":%.4f,\"rate\":%.1f,"
        "\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f,\"statuses\":{",
        l->o.rate > 0 ? "open" : "closed", l->o.connections, l->sent, l->accepted, l->sent - l->answered, seconds,
        seconds > 0 ? l->accepted / seconds : 0, percentile_ms(l, 0.5), percentile_ms(l, 0.9), percentile_ms(l, 0.99),
        percentile_ms(l, 0.999), percentile_ms(l, 1));
    for (int i = 0, n = 0; i < STATUS_MAX; i++)
        if (l->statuses[i] > 0)
            printf("%s\"%d\":%d", n++ ? "," : "", i, l->statuses[i]);
    printf("}");
    if (l->o.counter) {
        double stored = counter_wait(l, base, l->accepted);
        seconds = (double)(l->last_ns - l->start_ns) / 1e9;
        printf(",\"stored\":%.0f,\"stored_seconds\":%.4f,\"stored_rate\":%.1f", stored, seconds, stored / seconds);
    }
    printf("}\n");
}

static void options_parse(int argc, char **argv, struct options *o)
{
    static const struct option table[] = {
        { "port", 1, 0, 'p' }, { "path", 1, 0, 'u' }, { "method", 1, 0, 'm' }, { "key", 1, 0, 'k' }, { "workflow", 1, 0, 'w' },
        { "connections", 1, 0, 'c' }, { "requests", 1, 0, 'n' }, { "subscribers", 1, 0, 's' }, { "rate", 1, 0, 'r' },
        { "seconds", 1, 0, 't' }, { "drain-seconds", 1, 0, 'd' }, { "prefix", 1, 0, 'x' }, { "counter", 1, 0, 'C' },
        { "label", 1, 0, 'L' }, { "counter-port", 1, 0, 'P' }, { 0 },
    };
    *o = (struct options){ .port = 3000, .connections = 64, .requests = 10000, .subscribers = 10000, .seconds = 30, .drain_seconds = 30,
        .method = "POST", .path = "/v1/events/trigger", .key = "", .workflow = "bench", .prefix = "tx", .label = "" };
    for (int c; (c = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        switch (c) {
        case 'p': o->port = atoi(optarg); break;
        case 'u': o->path = optarg; break;
        case 'm': o->method = optarg; break;
        case 'k': o->key = optarg; break;
        case 'w': o->workflow = optarg; break;
        case 'c': o->connections = atoi(optarg); break;
        case 'n': o->requests = atoi(optarg); break;
        case 's': o->subscribers = atoi(optarg); break;
        case 'r': o->rate = atof(optarg); break;
        case 't': o->seconds = atof(optarg); break;
        case 'd': o->drain_seconds = atof(optarg); break;
        case 'x': o->prefix = optarg; break;
        case 'C': o->counter = optarg; break;
        case 'L': o->label = optarg; break;
        case 'P': o->counter_port = atoi(optarg); break;
        default: exit(2);
        }
    }
    if (o->counter_port == 0)
        o->counter_port = o->port;
    if (o->connections < 1 || o->connections > CONNECTIONS_MAX || o->requests < 1 || o->requests > REQUESTS_MAX || o->subscribers < 1) {
        fprintf(stderr, "load: connections 1-%d, requests 1-%d, subscribers from 1\n", CONNECTIONS_MAX, REQUESTS_MAX);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct load l = { .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
    options_parse(argc, argv, &l.o);
    l.connections = calloc((size_t)l.o.connections, sizeof *l.connections);
    l.idle = calloc((size_t)l.o.connections, sizeof *l.idle);
    l.latencies_ns = calloc((size_t)l.o.requests, sizeof *l.latencies_ns);
    if (l.epoll_fd < 0 || !l.connections || !l.idle || !l.latencies_ns)
        die("start");
    double base = l.o.counter ? counter_read(&l.o) : 0;
    for (int i = 0; i < l.o.connections; i++) {
        connection_open(&l, &l.connections[i]);
        l.idle[l.idle_count++] = i;
    }
    load_run(&l);
    report_print(&l, base);
    return l.accepted == l.sent ? 0 : 1;
}
