/* Many people with an open Inbox: crowd PORT TOKENS connects one Engine.IO WebSocket to loopback for each line of the
 * file TOKENS, keeps them alive, and does what lines on its standard input say, each answered by one line of JSON:
 *
 *   fire PORT COUNT all|news FILE    sends FILE (a whole HTTP request) and waits for COUNT events of any kind, or of
 *                                    notification_received
 *   pace PORT RATE SECONDS FILE      sends FILE RATE times a second, %1 replaced by the number of a person (1…),
 *                                    %2 by that of the request and %3 by that of the command, and times each until the
 *                                    event that holds "bench-%2"; request i is due at i/RATE and counts from then
 *
 * The end of the input ends it. Everything is bounded by half a minute.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { AT_ONCE = 128, HTTP_CONNECTIONS = 64, READ_MAX = 1 << 18, PACED_MAX = 1000000, PATIENCE_S = 30, EVENTS_MAX = 256 };

enum kind { HANDSHAKE, OPENING, LIVE, HTTP };

struct link {
    int fd;
    enum kind kind;
    bool busy;                  /* HTTP: a request is under way */
    uint8_t *rest;              /* bytes of a frame or answer that is not complete */
    size_t rest_n;
};

struct crowd {
    int epoll, people, connected, opening;
    struct link *person, http[HTTP_CONNECTIONS];
    char **token;
    int port;
    uint64_t received;          /* events since the command */
    bool all;                   /* of any kind; else notification_received */
    int64_t last_ns;
    int64_t *due, *took;        /* of paced requests, by number; took 0: not yet */
    int paced, arrived, answered, refused, paces;
    uint8_t bytes[READ_MAX];
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *need(void *p)
{
    if (!p)
        die("memory");
    return p;
}

static void dial(struct crowd *c, struct link *l, int port, enum kind kind)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    *l = (struct link){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .kind = kind};
    if (l->fd < 0 || connect(l->fd, (struct sockaddr *)&a, sizeof a) < 0)
        die("connect");
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = l};
    if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, l->fd, &e))
        die("epoll");
}

/* Requests and packets of clients are far smaller than a socket's buffer. */
static void put(struct link *l, const void *p, size_t n)
{
    if (send(l->fd, p, n, MSG_NOSIGNAL) != (ssize_t)n)
        die("send");
}

static void put_packet(struct link *l, const char *text)
{
    uint8_t frame[64] = {0x81, (uint8_t)(0x80 | strlen(text))};     /* masked with zeros */
    memcpy(frame + 6, text, strlen(text));
    put(l, frame, 6 + strlen(text));
}

static void knock(struct crowd *c, int i)
{
    char head[4096];
    dial(c, &c->person[i], c->port, HANDSHAKE);
    int n = snprintf(head, sizeof head, "GET /socket.io/?token=%s&EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        c->token[i]);
    put(&c->person[i], head, (size_t)n);
    c->opening++;
}

static void event(struct crowd *c, const char *p, size_t n)
{
    static const char news[] = "42[\"notification_received\"", mark[] = "\"bench-";
    bool is_news = n > sizeof news && !memcmp(p, news, sizeof news - 1);
    if (!is_news && !c->all)
        return;
    c->last_ns = now_ns();
    c->received++;
    const char *at = c->paced && is_news ? memmem(p, n, mark, sizeof mark - 1) : NULL;
    int i = at ? atoi(at + sizeof mark - 1) : -1;
    if (i < 0 || i >= c->paced || c->took[i])
        return;
    c->took[i] = c->last_ns - c->due[i];
    c->arrived++;
}

static void packet(struct crowd *c, struct link *l, const char *p, size_t n)
{
    if (n > 2 && p[0] == '4' && p[1] == '2') {
        event(c, p, n);
    } else if (n && p[0] == '0') {
        put_packet(l, "40");
    } else if (n > 1 && p[0] == '4' && p[1] == '0' && l->kind == OPENING) {
        l->kind = LIVE;
        c->connected++;
        c->opening--;
    } else if (n == 1 && p[0] == '2') {
        put_packet(l, "3");
    } else if (n > 1 && p[0] == '4' && p[1] == '1') {
        errno = EACCES;
        die("a token was refused");
    }
}

/* How many of the bytes were whole frames. */
static size_t frames(struct crowd *c, struct link *l, const uint8_t *p, size_t n)
{
    size_t used = 0;
    while (n - used >= 2) {
        const uint8_t *f = p + used;
        size_t head = 2, len = f[1] & 127;
        if (len == 126 && n - used >= 4)
            head = 4, len = (size_t)f[2] << 8 | f[3];
        else if (len == 127 && n - used >= 10)
            head = 10, len = (size_t)f[6] << 24 | (size_t)f[7] << 16 | (size_t)f[8] << 8 | f[9];
        else if (len >= 126)
            break;
        if (n - used < head + len)
            break;
        if ((f[0] & 15) == 1)
            packet(c, l, (const char *)f + head, len);
        used += head + len;
    }
    return used;
}

static size_t answers(struct crowd *c, struct link *l, const uint8_t *p, size_t n)
{
    const uint8_t *end = memmem(p, n, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = (size_t)(end + 4 - p), body = 0;
    const char *length = memmem(p, head, "Content-Length: ", 16);
    if (length)
        body = (size_t)atol(length + 16);
    if (n < head + body)
        return 0;
    if (l->kind == HANDSHAKE) {
        if (memcmp(p, "HTTP/1.1 101", 12)) {
            errno = EPROTO;
            die("a handshake was refused");
        }
        l->kind = OPENING;
        return head + frames(c, l, p + head, n - head);
    }
    c->answered++;
    c->refused += memcmp(p, "HTTP/1.1 2", 10) != 0;
    l->busy = false;
    return head + body;
}

static void hear(struct crowd *c, struct link *l)
{
    if (l->rest_n)
        memcpy(c->bytes, l->rest, l->rest_n);
    ssize_t got = recv(l->fd, c->bytes + l->rest_n, READ_MAX - l->rest_n, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0)
        die("a connection was lost");
    size_t n = l->rest_n + (size_t)got;
    size_t used = l->kind == HANDSHAKE || l->kind == HTTP ? answers(c, l, c->bytes, n) : frames(c, l, c->bytes, n);
    free(l->rest);
    l->rest = NULL;
    l->rest_n = n - used;
    if (l->rest_n)
        l->rest = memcpy(need(malloc(l->rest_n)), c->bytes + used, l->rest_n);
}

static int turn(struct crowd *c, int wait_ms)
{
    struct epoll_event e[EVENTS_MAX];
    int n = epoll_wait(c->epoll, e, EVENTS_MAX, wait_ms);
    for (int i = 0; i < n; i++)
        hear(c, e[i].data.ptr);
    return n;
}

static char *whole_file(const char *name)
{
    FILE *f = fopen(name, "r");
    char *text = need(calloc(1, 1 << 24));
    if (!f)
        die(name);
    size_t n = fread(text, 1, (1 << 24) - 1, f);
    text[n] = 0;
    fclose(f);
    return text;
}

static void tokens_read(struct crowd *c, const char *file)
{
    char *text = whole_file(file);
    c->token = need(calloc(1 << 20, sizeof *c->token));
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        c->token[c->people++] = line;
    c->person = need(calloc((size_t)c->people, sizeof *c->person));
}

static void assemble(struct crowd *c)
{
    int64_t start = now_ns();
    for (int i = 0; c->connected < c->people;) {
        while (i < c->people && c->opening < AT_ONCE)
            knock(c, i++);
        turn(c, 100);
        if (now_ns() - start > 4LL * PATIENCE_S * 1000000000)
            die("not everybody got in");
    }
    printf("{\"connected\":%d,\"seconds\":%.3f}\n", c->connected, (double)(now_ns() - start) / 1e9);
    fflush(stdout);
}

static void hang_up(struct crowd *c, struct link *l)
{
    epoll_ctl(c->epoll, EPOLL_CTL_DEL, l->fd, NULL);
    close(l->fd);
    free(l->rest);
}

/* Clients are elsewhere: here each of them that is woken is woken inside of the server's send, which the one who measures
 * would have it pay for. So this end sleeps whether something comes or not, and hears a thousandth of a second's at once. */
static void doze(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void fire(struct crowd *c, int port, uint64_t count, bool all, const char *file)
{
    char *request = whole_file(file);
    dial(c, &c->http[0], port, HTTP);
    c->all = all;
    c->received = 0;
    c->refused = 0;
    int64_t start = now_ns();
    put(&c->http[0], request, strlen(request));
    while (c->received < count && now_ns() - start < PATIENCE_S * 1000000000LL)
        if (turn(c, 0) < EVENTS_MAX)
            doze();
    printf("{\"received\":%llu,\"refused\":%d,\"ms\":%.3f}\n", (unsigned long long)c->received, c->refused, (double)(c->last_ns - start) / 1e6);
    for (int quiet = 0; quiet < 5; quiet++)        /* what comes behind the events must not disturb the next command */
        turn(c, 20);
    hang_up(c, &c->http[0]);
    free(request);
}

/* The file with %1 to %3 filled in; Content-Length is the driver's: numbers are padded to nine digits. */
static void send_paced(struct crowd *c, struct link *l, const char *request, int i)
{
    char out[8192];
    size_t n = 0;
    for (const char *p = request; *p && n + 16 < sizeof out; p++) {
        if (*p == '%' && p[1] >= '1' && p[1] <= '3') {
            n += (size_t)snprintf(out + n, sizeof out - n, "%09d", p[1] == '1' ? 1 + i % c->people : p[1] == '2' ? i : c->paces);
            p++;
        } else {
            out[n++] = *p;
        }
    }
    l->busy = true;
    put(l, out, n);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void pace_report(struct crowd *c, int n)
{
    int arrived = 0;
    for (int i = 0; i < n; i++)
        if (c->took[i])
            c->took[arrived++] = c->took[i];
    qsort(c->took, (size_t)arrived, sizeof *c->took, by_size);
    printf("{\"sent\":%d,\"refused\":%d,\"arrived\":%d,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n", n, c->refused, arrived,
        arrived ? (double)c->took[arrived / 2] / 1e6 : 0, arrived ? (double)c->took[(int64_t)arrived * 99 / 100] / 1e6 : 0,
        arrived ? (double)c->took[arrived - 1] / 1e6 : 0);
}

static void pace(struct crowd *c, int port, double rate, double seconds, const char *file)
{
    char *request = whole_file(file);
    int n = (int)(rate * seconds), sent = 0;
    if (n > PACED_MAX)
        n = PACED_MAX;
    c->due = need(calloc((size_t)n + 1, sizeof *c->due));
    c->took = need(calloc((size_t)n + 1, sizeof *c->took));
    for (int i = 0; i < HTTP_CONNECTIONS; i++)
        dial(c, &c->http[i], port, HTTP);
    int64_t start = now_ns(), end = start + (int64_t)((seconds + 5) * 1e9);
    for (int i = 0; i < n; i++)
        c->due[i] = start + (int64_t)((double)i / rate * 1e9);
    c->paced = n;
    c->paces++;
    c->all = false;
    c->arrived = c->answered = c->refused = 0;
    for (int next = 0; (c->arrived < n || c->answered < n) && now_ns() < end;) {
        int free_ones = HTTP_CONNECTIONS;
        while (sent < n && c->due[sent] <= now_ns() && free_ones--) {
            struct link *l = &c->http[next++ % HTTP_CONNECTIONS];
            if (!l->busy)
                send_paced(c, l, request, sent++), free_ones = HTTP_CONNECTIONS;
        }
        int64_t left = sent < n ? c->due[sent] - now_ns() : 20000000;
        turn(c, left > 1000000 ? (int)(left / 1000000) : 0);
    }
    pace_report(c, n);
    c->paced = 0;
    free(c->due);
    free(c->took);
    free(request);
    for (int i = 0; i < HTTP_CONNECTIONS; i++)
        hang_up(c, &c->http[i]);
}

static bool command(struct crowd *c, const char *line)
{
    char file[512], kind[8];
    int port;
    unsigned long long count;
    double rate, seconds;
    if (sscanf(line, "fire %d %llu %7s %511s", &port, &count, kind, file) == 4)
        fire(c, port, count, !strcmp(kind, "all"), file);
    else if (sscanf(line, "pace %d %lf %lf %511s", &port, &rate, &seconds, file) == 4)
        pace(c, port, rate, seconds, file);
    else
        return false;
    fflush(stdout);
    return true;
}

int main(int argc, char **argv)
{
    static struct crowd c;
    char line[1024];
    struct rlimit files;
    if (argc != 3) {
        fprintf(stderr, "usage: crowd PORT TOKENS\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    c.port = atoi(argv[1]);
    c.epoll = epoll_create1(EPOLL_CLOEXEC);
    tokens_read(&c, argv[2]);
    assemble(&c);
    for (struct pollfd in = {.fd = 0, .events = POLLIN};;) {
        turn(&c, 20);
        if (poll(&in, 1, 0) <= 0)
            continue;
        ssize_t n = read(0, line, sizeof line - 1);
        if (n <= 0)
            return 0;
        line[n] = 0;
        if (!command(&c, line)) {
            fprintf(stderr, "crowd: bad command %s", line);
            return 2;
        }
    }
}
