/* Starts a PostgreSQL for the length of a test program, and hands out empty databases. */
#include "support/pg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATH_LEN = 512, URLS_MAX = 4096, START_TRIES = 5 };

/* One instance a test program: its life is the program's, so it may be static (atexit takes no argument). */
static struct {
    pid_t owner;                    /* forked children inherit atexit, but must not tear down */
    char dir[256];                  /* short: a unix socket's path has 107 bytes */
    int guard_pipe;
    pid_t guard, server;
    int port;
    char *urls[URLS_MAX];
    int n;
} support;

static void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
static void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("tests/support: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void tear_down(void)
{
    if (getpid() != support.owner)
        return;
    if (support.server > 0) {
        kill(support.server, SIGQUIT);
        waitpid(support.server, NULL, 0);
    }
    for (int i = 0; i < support.n; i++)
        free(support.urls[i]);
    if (support.guard > 0) {
        if (write(support.guard_pipe, "\n", 1) != 1)
            close(support.guard_pipe);
        waitpid(support.guard, NULL, 0);
    }
}

/* A process that outlives us: when we end in any way (its pipe says so) it stops the server if we could not,
 * and removes the directory. */
static void start_guard(void)
{
    static const char script[] =
        "trap '' INT TERM HUP QUIT\n"
        "read line\n"
        "if [ -f \"$1/pg/postmaster.pid\" ]; then\n"
        "  read pid < \"$1/pg/postmaster.pid\"; kill -QUIT \"$pid\" 2>/dev/null\n"
        "  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do\n"
        "    [ -f \"$1/pg/postmaster.pid\" ] || break; sleep 0.1; done\n"
        "fi\n"
        "rm -rf -- \"$1\"\n";
    int fds[2];
    if (pipe2(fds, O_CLOEXEC))
        die("pipe: %s", strerror(errno));
    support.guard_pipe = fds[1];
    support.guard = fork();
    if (support.guard < 0)
        die("fork: %s", strerror(errno));
    if (support.guard == 0) {
        setsid();
        dup2(fds[0], 0);
        /* Whoever reads our output to its end must not wait for the guard. */
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        dup2(null, 2);
        execl("/bin/sh", "sh", "-c", script, "sh", support.dir, (char *)NULL);
        _exit(127);
    }
    close(fds[0]);
}

const char *support_scratch_dir(void)
{
    if (support.owner)
        return support.dir;
    const char *tmp = getenv("TMPDIR");
    snprintf(support.dir, sizeof support.dir, "%s/carillon-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    support.owner = getpid();
    if (!mkdtemp(support.dir))
        die("cannot make %s: %s", support.dir, strerror(errno));
    chmod(support.dir, 0755);       /* the server may run as another user */
    atexit(tear_down);
    start_guard();
    return support.dir;
}

/* The directory of initdb and postgres with the highest version. */
static void find_binaries(char out[PATH_LEN])
{
    glob_t g;
    double best = 0;
    if (glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &g) == 0) {
        for (size_t i = 0; i < g.gl_pathc; i++) {
            double version = atof(g.gl_pathv[i] + strlen("/usr/lib/postgresql/"));
            if (version > best) {
                best = version;
                snprintf(out, PATH_LEN, "%.*s", (int)(strlen(g.gl_pathv[i]) - strlen("/postgres")), g.gl_pathv[i]);
            }
        }
        globfree(&g);
    }
    if (best == 0)
        die("PostgreSQL is not installed (no /usr/lib/postgresql/*/bin/postgres): apt-get install postgresql");
}

static const struct passwd *server_user(void)
{
    const struct passwd *pw = getpwnam("postgres");
    return pw ? pw : getpwnam("nobody");
}

/* Runs argv as the server's user, its output in the log file; dies with us. */
static pid_t spawn(char *const argv[], const char *log)
{
    const struct passwd *pw = geteuid() == 0 ? server_user() : NULL;
    if (geteuid() == 0 && !pw)
        die("neither user postgres nor nobody exists: postgres does not run as root");
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid)
        return pid;
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644), in = open("/dev/null", O_RDONLY);
    dup2(in, 0);
    dup2(out, 1);
    dup2(out, 2);
    setsid();                                   /* a Ctrl-C is for the test, the guard stops the server */
    if (pw && (setgroups(0, NULL) || setgid(pw->pw_gid) || setuid(pw->pw_uid)))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);           /* after setuid, which clears it */
    if (getppid() != parent)
        _exit(126);
    unsetenv("LD_PRELOAD");
    execv(argv[0], argv);
    _exit(127);
}

static void print_log(const char *log)
{
    char text[4096];
    FILE *f = fopen(log, "r");
    while (f && fgets(text, sizeof text, f))
        fprintf(stderr, "  %s", text);
    if (f)
        fclose(f);
}

static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) || getsockname(fd, (struct sockaddr *)&a, &n))
        die("no free port: %s", strerror(errno));
    close(fd);
    return ntohs(a.sin_port);
}

static void make_cluster(const char *bin, const char *log)
{
    char initdb[PATH_LEN + 16], data[PATH_LEN];
    snprintf(initdb, sizeof initdb, "%s/initdb", bin);
    snprintf(data, sizeof data, "%s/pg", support.dir);
    if (mkdir(data, 0700))
        die("cannot make %s: %s", data, strerror(errno));
    if (geteuid() == 0 && chown(data, server_user()->pw_uid, server_user()->pw_gid))
        die("chown %s: %s", data, strerror(errno));
    char *argv[] = {initdb, "-D", data, "-U", "carillon", "-A", "trust", "-E", "UTF8", "--locale=C",
                    "--locale-provider=icu", "--icu-locale=en-US", "--no-sync", "--no-instructions", NULL};
    int status;
    waitpid(spawn(argv, log), &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        print_log(log);
        die("initdb failed (status %d)", status);
    }
}

static PGconn *admin_connect(void)
{
    char uri[PATH_LEN * 2];
    snprintf(uri, sizeof uri, "host=%s/pg port=%d user=carillon dbname=postgres connect_timeout=5", support.dir, support.port);
    return PQconnectdb(uri);
}

/* true once it answers; false if it ended (its port may have been taken meanwhile). */
static bool wait_until_ready(void)
{
    for (int i = 0; i < 3000; i++) {
        PGconn *c = admin_connect();
        bool ok = PQstatus(c) == CONNECTION_OK;
        PQfinish(c);
        if (ok)
            return true;
        if (waitpid(support.server, NULL, WNOHANG) == support.server) {
            support.server = 0;
            return false;
        }
        pause_ms(10);
    }
    return false;
}

static void start_server(void)
{
    char bin[PATH_LEN], log[PATH_LEN], postgres[PATH_LEN + 16], data[PATH_LEN], port[16], socket_dir[PATH_LEN + 32];
    support_scratch_dir();
    find_binaries(bin);
    snprintf(log, sizeof log, "%s/pg.log", support.dir);
    snprintf(postgres, sizeof postgres, "%s/postgres", bin);
    snprintf(data, sizeof data, "%s/pg", support.dir);
    if (strlen(data) > 90)
        die("TMPDIR is too long for a unix socket: %s", support.dir);
    snprintf(socket_dir, sizeof socket_dir, "unix_socket_directories=%s", data);
    int made = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (made >= 0)
        close(made);
    make_cluster(bin, log);
    for (int i = 0; i < START_TRIES; i++) {
        support.port = free_port();
        snprintf(port, sizeof port, "%d", support.port);
        char *argv[] = {postgres, "-D", data, "-p", port, "-c", socket_dir, "-c", "listen_addresses=127.0.0.1",
                        "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=16MB",
                        "-c", "max_connections=60", "-c", "autovacuum=off", "-c", "jit=off",
                        "-c", "logging_collector=off", NULL};
        support.server = spawn(argv, log);
        if (wait_until_ready())
            return;
    }
    print_log(log);
    die("postgres does not start");
}

static void admin_exec(const char *sql)
{
    PGconn *c = admin_connect();
    PGresult *r = PQexec(c, sql);
    if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK)
        die("%s: %s", sql, PQerrorMessage(c));
    PQclear(r);
    PQfinish(c);
}

/* The name of the store that the URL tells: its file or its database. */
static const char *name_of(enum db_kind kind, const char *url)
{
    return kind == DB_SQLITE ? url + strlen("sqlite:") : strrchr(url, '/') + 1;
}

static void copy_file(const char *from, const char *to)
{
    struct stat st;
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (in < 0 || out < 0 || fstat(in, &st) || sendfile(out, in, NULL, (size_t)st.st_size) != st.st_size)
        die("cannot copy %s: %s", from, strerror(errno));
    close(in);
    close(out);
}

/* from: a store of the same kind that nobody has open, or NULL. */
static const char *make_store(enum db_kind kind, const char *from)
{
    char url[PATH_LEN * 2], sql[128];
    if (kind == DB_POSTGRES && !support.port)
        start_server();
    if (support.n == URLS_MAX)
        die("more than %d stores in one test program", URLS_MAX);
    if (kind == DB_SQLITE) {
        snprintf(url, sizeof url, "sqlite:%s/t%d.db", support_scratch_dir(), support.n);
        if (from)
            copy_file(name_of(kind, from), name_of(kind, url));
    } else {
        snprintf(sql, sizeof sql, "CREATE DATABASE t%d TEMPLATE %.63s", support.n, from ? name_of(kind, from) : "template0");
        admin_exec(sql);
        snprintf(url, sizeof url, "postgresql://carillon@127.0.0.1:%d/t%d", support.port, support.n);
    }
    char *copy = strdup(url);
    if (!copy)
        die("out of memory");
    return support.urls[support.n++] = copy;
}

const char *support_db_url(enum db_kind kind)
{
    return make_store(kind, NULL);
}

const char *support_db_copy(enum db_kind kind, const char *url)
{
    char wal[PATH_LEN * 2];
    if (kind == DB_POSTGRES)
        support_pg_disconnect(url);     /* a closed connection's process may be there a moment longer */
    snprintf(wal, sizeof wal, "%s-wal", name_of(kind, url));
    if (kind == DB_SQLITE && access(wal, F_OK) == 0)
        die("%s is open", url);
    return make_store(kind, url);
}

const char *support_db_name(enum db_kind kind)
{
    return kind == DB_SQLITE ? "sqlite" : "postgres";
}

void support_pg_disconnect(const char *url)
{
    char sql[256];
    const char *name = strrchr(url, '/');
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '%.63s'",
             name ? name + 1 : url);
    admin_exec(sql);
}
