/* One line, one write. The level and format are the only process-wide state: set once before threads start. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static enum log_level log_least = LOG_INFO;
static bool log_json;

void log_setup(enum log_level least, bool json)
{
    log_least = least;
    log_json = json;
}

struct log_int log_int_of(int64_t n)
{
    struct log_int v;
    snprintf(v.text, sizeof v.text, "%lld", (long long)n);
    return v;
}

struct line {
    char p[4096];
    size_t n;
};

static void put(struct line *l, const char *s, size_t n)
{
    size_t room = sizeof l->p - 2 - l->n;       /* a longer line is cut; the newline stays */
    if (n > room)
        n = room;
    memcpy(l->p + l->n, s, n);
    l->n += n;
}

static void put_escaped(struct line *l, const char *s)
{
    for (; *s; s++) {
        char u[8];
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') {
            put(l, "\\", 1);
            put(l, s, 1);
        } else if (c < 0x20) {
            snprintf(u, sizeof u, "\\u%04x", c);
            put(l, u, 6);
        } else {
            put(l, s, 1);
        }
    }
}

static void put_value(struct line *l, const char *v)
{
    bool bare = !log_json && *v && !v[strcspn(v, " \"\\=\t\r\n")];
    if (!bare)
        put(l, "\"", 1);
    put_escaped(l, v);
    if (!bare)
        put(l, "\"", 1);
}

void log_write(enum log_level level, const char *event, ...)
{
    static const char *const name[] = {"debug", "info", "warn", "error"};
    if (level < log_least || level >= LOG_NONE)
        return;
    struct line l = {.n = 0};
    char iso[TIME_ISO_LEN + 1];
    va_list ap;
    time_iso(clock_real_ms(), iso);
    if (log_json) {
        put(&l, "{\"time\":\"", 9);
        put(&l, iso, TIME_ISO_LEN);
        put(&l, "\",\"level\":\"", 11);
        put(&l, name[level], strlen(name[level]));
        put(&l, "\",\"event\":", 10);
    } else {
        put(&l, iso, TIME_ISO_LEN);
        put(&l, " ", 1);
        put(&l, name[level], strlen(name[level]));
        put(&l, " ", 1);
    }
    if (log_json)
        put_value(&l, event);
    else
        put_escaped(&l, event);
    va_start(ap, event);
    for (const char *k; (k = va_arg(ap, const char *));) {
        const char *v = va_arg(ap, const char *);
        put(&l, log_json ? ",\"" : " ", log_json ? 2 : 1);
        put(&l, k, strlen(k));
        put(&l, log_json ? "\":" : "=", log_json ? 2 : 1);
        put_value(&l, v ? v : "");
    }
    va_end(ap);
    if (log_json)
        put(&l, "}", 1);
    l.p[l.n++] = '\n';
    ssize_t wrote = write(STDERR_FILENO, l.p, l.n);
    (void)wrote;          /* nowhere left to complain */
}
