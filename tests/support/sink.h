/* Starts the loopback servers of this folder as child processes and reads what they recorded.
 *
 * A sink ends with the test: its standard input closes. Waiting for a line is bounded by a watchdog, which only a
 * broken test meets; nothing here sleeps.
 */
#ifndef SUPPORT_SINK_H
#define SUPPORT_SINK_H

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"

enum { SINK_WATCHDOG_MS = 60000, SINK_ARGS_MAX = 40 };

struct sink {
    pid_t pid;
    int in, out;                        /* its standard input and output */
    int port;
    char *rest;                         /* read, not yet taken */
    size_t rest_n;
};

/* Next line without its end, malloc'd; NULL at the end of the stream or when the watchdog bites. */
static inline char *sink_line(struct sink *s)
{
    for (;;) {
        char *end = s->rest_n ? memchr(s->rest, '\n', s->rest_n) : NULL;
        if (end) {
            size_t n = (size_t)(end - s->rest);
            char *line = strndup(s->rest, n);
            s->rest_n -= n + 1;
            memmove(s->rest, end + 1, s->rest_n);
            return line;
        }
        struct pollfd p = {.fd = s->out, .events = POLLIN};
        s->rest = realloc(s->rest, s->rest_n + 65536);
        if (!s->rest || poll(&p, 1, SINK_WATCHDOG_MS) != 1)
            return NULL;
        ssize_t n = read(s->out, s->rest + s->rest_n, 65536);
        if (n <= 0)
            return NULL;
        s->rest_n += (size_t)n;
    }
}

/* The next recorded JSON line, parsed into the arena. */
static inline yyjson_val *sink_next(struct sink *s, struct arena *a)
{
    yyjson_val *v = NULL;
    struct error err = {0};
    char *line = sink_line(s);
    if (line && !json_parse(a, str_of(line), &v, &err))
        v = NULL;
    free(line);
    return v;
}

/* script: "smtp_sink.py" or "http_sink.py"; args: its flags, ending with NULL. */
static inline struct sink *sink_start(const char *script, const char *const *args)
{
    int in[2], out[2];
    char path[512];
    char *argv[SINK_ARGS_MAX] = {(char *)(uintptr_t)"/usr/bin/python3", path};
    snprintf(path, sizeof path, SOURCE_DIR "/tests/support/%s", script);
    for (int i = 0; args && args[i] && i + 3 < SINK_ARGS_MAX; i++)
        argv[i + 2] = (char *)(uintptr_t)args[i];
    if (pipe(in) || pipe(out))
        abort();
    struct sink *s = calloc(1, sizeof *s);
    s->pid = fork();
    if (s->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]), close(in[1]), close(out[0]), close(out[1]);
        execv(argv[0], argv);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    s->in = in[1];
    s->out = out[0];
    char *line = sink_line(s);
    s->port = line ? atoi(line) : 0;
    free(line);
    return s;
}

#define SINK_START(script, ...) sink_start(script, (const char *const[]){__VA_ARGS__ __VA_OPT__(,) NULL})

static inline void sink_stop(struct sink *s)
{
    if (!s)
        return;
    close(s->in);
    close(s->out);
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    free(s->rest);
    free(s);
}

#endif
