/* Starts a server and measures what a person waits for: exec to the first 200 of its health check, then the
 * memory of the idle process, then how long SIGTERM takes. ready PORT IDLE_SECONDS program args…; prints JSON.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static bool health_check(int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = { .tv_sec = 2 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    static const char request[] = "GET /v1/health-check HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    char answer[64] = "";
    bool ok = connect(fd, (struct sockaddr *)&a, sizeof a) == 0
        && send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t)sizeof request - 1
        && recv(fd, answer, sizeof answer - 1, 0) > 12 && strncmp(answer, "HTTP/1.1 200", 12) == 0;
    close(fd);
    return ok;
}

/* Kilobytes of a line of /proc/PID/status, e.g. "VmRSS:". */
static long status_kb(pid_t pid, const char *line)
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    long kb = 0;
    while (f && fgets(text, sizeof text, f))
        if (strncmp(text, line, strlen(line)) == 0)
            kb = atol(text + strlen(line));
    if (f)
        fclose(f);
    return kb;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: ready PORT IDLE_SECONDS program args...\n");
        return 2;
    }
    int port = atoi(argv[1]), status = 0;
    double start = now_ms();
    pid_t pid = fork();
    if (pid == 0) {
        execv(argv[3], argv + 3);
        _exit(127);
    }
    while (!health_check(port)) {
        if (waitpid(pid, &status, WNOHANG) != 0 || now_ms() - start > 30000) {
            fprintf(stderr, "ready: the server did not become ready\n");
            kill(pid, SIGKILL);
            return 1;
        }
        nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
    }
    double ready = now_ms() - start;
    sleep((unsigned)atoi(argv[2]));
    long rss = status_kb(pid, "VmRSS:"), anonymous = status_kb(pid, "RssAnon:"), threads = status_kb(pid, "Threads:");
    double stop = now_ms();
    kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
    printf("{\"ready_ms\":%.2f,\"rss_mb\":%.2f,\"anonymous_mb\":%.2f,\"threads\":%ld,\"stop_ms\":%.1f,\"exit\":%d}\n", ready,
        (double)rss / 1024, (double)anonymous / 1024, threads, now_ms() - stop, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return 0;
}
