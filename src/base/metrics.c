/* A registry of series; families keep the order of their creation. */
#include "base/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { SERIES_MAX = 4096, BOUNDS_MAX = 24 };
enum kind { COUNTER, GAUGE, HISTOGRAM };

struct histogram {
    int n;
    double bound[BOUNDS_MAX];
    _Atomic int64_t bucket[BOUNDS_MAX + 1];
    _Atomic int64_t sum_micro;          /* sum in millionths: an atomic double would need a loop */
};

struct series {
    enum kind kind;
    char *name, *help, *labels;
    struct counter counter;
    struct histogram *histogram;
    struct series *next;
};

struct metrics {
    pthread_mutex_t lock;
    struct series *first, **last;
    int n;
    struct counter overflow;
    struct histogram overflow_histogram;
};

struct metrics *metrics_create(void)
{
    struct metrics *m = calloc(1, sizeof *m);
    if (!m)
        abort();
    pthread_mutex_init(&m->lock, NULL);
    m->last = &m->first;
    return m;
}

void metrics_destroy(struct metrics *m)
{
    if (!m)
        return;
    for (struct series *s = m->first, *next; s; s = next) {
        next = s->next;
        free(s->name);
        free(s->help);
        free(s->labels);
        free(s->histogram);
        free(s);
    }
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static struct series *series_get(struct metrics *m, enum kind kind, const char *name, const char *help,
                                 const char *labels, const double *bounds, int n)
{
    struct series *s;
    if (!labels)
        labels = "";
    pthread_mutex_lock(&m->lock);
    for (s = m->first; s; s = s->next)
        if (!strcmp(s->name, name) && !strcmp(s->labels, labels))
            break;
    if (!s && m->n < SERIES_MAX) {
        s = calloc(1, sizeof *s);
        if (!s)
            abort();
        s->kind = kind;
        s->name = strdup(name);
        s->help = strdup(help);
        s->labels = strdup(labels);
        if (kind == HISTOGRAM) {
            s->histogram = calloc(1, sizeof *s->histogram);
            if (!s->histogram)
                abort();
            s->histogram->n = n < BOUNDS_MAX ? n : BOUNDS_MAX;
            memcpy(s->histogram->bound, bounds, sizeof *bounds * (size_t)s->histogram->n);
        }
        *m->last = s;
        m->last = &s->next;
        m->n++;
    }
    pthread_mutex_unlock(&m->lock);
    return s;
}

struct counter *metrics_counter(struct metrics *m, const char *name, const char *help, const char *labels)
{
    struct series *s = series_get(m, COUNTER, name, help, labels, NULL, 0);
    return s ? &s->counter : &m->overflow;
}

struct counter *metrics_gauge(struct metrics *m, const char *name, const char *help, const char *labels)
{
    struct series *s = series_get(m, GAUGE, name, help, labels, NULL, 0);
    return s ? &s->counter : &m->overflow;
}

struct histogram *metrics_histogram(struct metrics *m, const char *name, const char *help, const char *labels,
                                    const double *bounds, int n)
{
    struct series *s = series_get(m, HISTOGRAM, name, help, labels, bounds, n);
    return s && s->histogram ? s->histogram : &m->overflow_histogram;
}

void histogram_observe(struct histogram *h, double v)
{
    int i = 0;
    while (i < h->n && v > h->bound[i])
        i++;
    atomic_fetch_add_explicit(&h->bucket[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_micro, (int64_t)(v * 1e6), memory_order_relaxed);
}

static void render_histogram(struct buf *b, const struct series *s)
{
    const struct histogram *h = s->histogram;
    const char *comma = *s->labels ? "," : "";
    int64_t total = 0;
    for (int i = 0; i <= h->n; i++) {
        total += atomic_load(&h->bucket[i]);
        if (i < h->n)
            buf_fmt(b, "%s_bucket{%s%sle=\"%g\"} %lld\n", s->name, s->labels, comma, h->bound[i], (long long)total);
        else
            buf_fmt(b, "%s_bucket{%s%sle=\"+Inf\"} %lld\n", s->name, s->labels, comma, (long long)total);
    }
    const char *open = *s->labels ? "{" : "", *close = *s->labels ? "}" : "";
    buf_fmt(b, "%s_sum%s%s%s %.6f\n", s->name, open, s->labels, close, (double)atomic_load(&h->sum_micro) / 1e6);
    buf_fmt(b, "%s_count%s%s%s %lld\n", s->name, open, s->labels, close, (long long)total);
}

static void render_series(struct buf *b, const struct series *s)
{
    if (s->kind == HISTOGRAM)
        render_histogram(b, s);
    else if (*s->labels)
        buf_fmt(b, "%s{%s} %lld\n", s->name, s->labels, (long long)atomic_load(&s->counter.value));
    else
        buf_fmt(b, "%s %lld\n", s->name, (long long)atomic_load(&s->counter.value));
}

static bool is_first_of_family(const struct series *first, const struct series *s)
{
    for (; first != s; first = first->next)
        if (!strcmp(first->name, s->name))
            return false;
    return true;
}

struct str metrics_render(struct metrics *m, struct arena *a)
{
    static const char *const type[] = {"counter", "gauge", "histogram"};
    struct buf b = {.arena = a};
    pthread_mutex_lock(&m->lock);
    for (struct series *s = m->first; s; s = s->next) {
        if (!is_first_of_family(m->first, s))
            continue;
        buf_fmt(&b, "# HELP %s %s\n# TYPE %s %s\n", s->name, s->help, s->name, type[s->kind]);
        for (struct series *o = s; o; o = o->next)
            if (!strcmp(o->name, s->name))
                render_series(&b, o);
    }
    pthread_mutex_unlock(&m->lock);
    return buf_finish(&b);
}
