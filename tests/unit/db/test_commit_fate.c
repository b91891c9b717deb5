/* COMMIT reached PostgreSQL, its answer did not reach us: the batch must be told as durable, and not run again. */
#include "both.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "db/writer.h"

/* A wire between us and the server that can be told to break right after a COMMIT, before or behind the server. */
enum cut { CUT_NEVER, CUT_ANSWER, CUT_COMMIT };

struct wire {
    int listener, port, server_port;
    _Atomic int cut;
    _Atomic int cuts;
    pthread_t thread;
};

static int loopback(int port, bool listening)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int bad = listening ? bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 8) : connect(fd, (struct sockaddr *)&a, sizeof a);
    if (bad)
        abort();
    return fd;
}

/* false: the connection is over. */
static bool carry(struct wire *w, int from, int to, bool to_server)
{
    char data[65536];
    ssize_t n = read(from, data, sizeof data);
    if (n <= 0)
        return false;
    int cut = to_server && memmem(data, (size_t)n, "COMMIT", 7) ? atomic_exchange(&w->cut, CUT_NEVER) : CUT_NEVER;
    if (cut != CUT_NEVER)
        atomic_fetch_add(&w->cuts, 1);
    if (cut == CUT_COMMIT || write(to, data, (size_t)n) != n)
        return false;
    if (cut == CUT_ANSWER && read(to, data, sizeof data) <= 0)
        abort();
    return cut == CUT_NEVER;
}

static void *wire_main(void *arg)
{
    struct wire *w = arg;
    int client;
    while ((client = accept(w->listener, NULL, NULL)) >= 0) {
        int server = loopback(w->server_port, false);
        struct pollfd p[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
        bool open = true;
        while (open && poll(p, 2, -1) > 0)
            open = (!p[0].revents || carry(w, client, server, true)) && (!p[1].revents || carry(w, server, client, false));
        close(client);
        close(server);
    }
    return NULL;
}

static void wire_start(struct wire *w, const char *url, char through[256])
{
    struct sockaddr_in a;
    socklen_t n = sizeof a;
    w->server_port = atoi(strrchr(url, ':') + 1);
    w->listener = loopback(0, true);
    getsockname(w->listener, (struct sockaddr *)&a, &n);
    w->port = ntohs(a.sin_port);
    snprintf(through, 256, "postgresql://carillon@127.0.0.1:%d%s?sslmode=disable&gssencmode=disable", w->port, strrchr(url, '/'));
    assert_int_equal(pthread_create(&w->thread, NULL, wire_main, w), 0);
}

static void wire_stop(struct wire *w)
{
    shutdown(w->listener, SHUT_RDWR);
    pthread_join(w->thread, NULL);
    close(w->listener);
}

struct insert {
    int applied;
};

static bool insert_once(void *arg, struct db *db, struct error *err)
{
    ((struct insert *)arg)->applied++;
    struct db_stmt *s = db_prepare(db, "INSERT INTO t (n) VALUES (1)", err);
    return s && db_run(s, err);
}

static void check(struct store *st, enum cut cut, int applied)
{
    struct wire w = {.cut = CUT_NEVER};
    struct error err = {0};
    struct insert insert = {0};
    char through[256];
    exec(st->db, "CREATE TABLE t (n INTEGER)");
    wire_start(&w, st->url, through);
    struct writer *writer = writer_start(&(struct writer_config){.url = through}, &err);
    must(writer != NULL, &err, "writer_start");
    atomic_store(&w.cut, cut);
    must(writer_run(writer, insert_once, &insert, &err), &err, "writer_run");
    assert_int_equal(atomic_load(&w.cuts), 1);
    assert_int_equal(insert.applied, applied);
    assert_int_equal(number(st->db, "SELECT COUNT(*) FROM t"), 1);
    assert_true(writer_healthy(writer));
    writer_stop(writer);
    wire_stop(&w);
}

static void a_commit_that_was_done_is_not_done_again(void **state)
{
    check(*state, CUT_ANSWER, 1);
}

static void a_commit_that_got_lost_is_done_again(void **state)
{
    check(*state, CUT_COMMIT, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_commit_that_was_done_is_not_done_again, 1), ONE(a_commit_that_got_lost_is_done_again, 1),
    };
    return cmocka_run_group_tests_name("commit_fate", tests, NULL, NULL);
}
