/* Raw bytes at a live server: whatever they are, it goes on answering others, and hangs up or answers in the end. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/log.h"
#include "http/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void handle_echo(struct request *rq)
{
    struct str *values;
    size_t n = request_query_all(rq, "k", &values);
    struct str id = request_param(rq, "id");
    if (rq->json)
        reply_json_text(rq, 0, json_write(rq->arena, rq->json));
    else
        reply_text(rq, 200, "text/plain", str_fmt(rq->arena, "%.*s %zu %zu", STR_ARG(id), n, rq->body.n));
}

static void taken(void *arg, int fd, struct str early)
{
    (void)arg;
    (void)early;
    if (fd >= 0)
        close(fd);
}

static void handle_socket(struct request *rq)
{
    struct error err;
    error_http(&err, 400, "no");
    if (request_is_upgrade(rq))
        reply_websocket(rq, taken, NULL);
    else
        reply_error(rq, &err);
}

static const struct route routes[] = {
    {HTTP_GET, "/g/{id}", .operation = "get", .status = 200, .handle = handle_echo},
    {HTTP_POST, "/p", .operation = "post", .status = 201, .body_max = 2000, .handle = handle_echo},
    {HTTP_GET, "/s", .operation = "socket", .status = 200, .flags = ROUTE_ANY_UPGRADE, .handle = handle_socket},
};

static int server(void)
{
    static struct server *s;
    static const struct route *const tables[] = {routes, NULL};
    static const size_t sizes[] = {sizeof routes / sizeof *routes};
    static const char *const listen[] = {"127.0.0.1:0", NULL};
    struct server_config c = {.tables = tables, .table_sizes = sizes, .listen = listen, .loops = 1};
    struct error err;
    if (!s) {
        crypto_init();
        log_setup(LOG_NONE, false);
        s = server_start(&c, &err);
        if (!s)
            abort();
    }
    return server_port(s, 0);
}

/* From another address of the loopback net each time: the server hangs up first, so that each connection keeps a pair
 * of ports in TIME_WAIT, and of one address alone they run out. */
static int connected(void)
{
    static uint32_t round;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002u + round++ % 60000)};
    int late = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server())};
    struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, sizeof late);
    if (bind(fd, (struct sockaddr *)&from, sizeof from))
        abort();
    if (connect(fd, (struct sockaddr *)&a, sizeof a))
        abort();
    return fd;
}

static void read_to_end(int fd)
{
    char waste[4096];
    ssize_t n;
    while ((n = recv(fd, waste, sizeof waste, 0)) > 0)
        ;
    if (n < 0 && errno == EAGAIN)
        abort();        /* neither answered nor hung up */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    int fd = connected();
    /* a first byte of 0xfe splits what follows into two writes at the second byte */
    size_t cut = n > 2 && data[0] == 0xfe ? 2 + data[1] % (n - 1) : n;
    size_t from = cut < n ? 2 : 0;
    if (cut < from)
        cut = from;
    (void)!send(fd, data + from, cut - from, MSG_NOSIGNAL);
    if (cut < n)
        (void)!send(fd, data + cut, n - cut, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    read_to_end(fd);
    struct linger reset = {.l_onoff = 1};       /* no TIME_WAIT: ports are few */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    return 0;
}
