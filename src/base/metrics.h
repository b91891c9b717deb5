/* Numbers for Prometheus (text exposition format 0.0.4), rendered at GET /metrics.
 *
 * A room asks the registry once for each series it writes and keeps the pointer; writing is one relaxed
 * atomic add, from any thread. Series live as long as the registry. Names begin with "carillon_".
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/str.h"

struct metrics;
struct counter { _Atomic int64_t value; };      /* counters and gauges */
struct histogram;

struct metrics *metrics_create(void);
void metrics_destroy(struct metrics *m);

/* Finds or creates the series. labels is Prometheus text without braces (`channel="email"`) or NULL; label
 * values must already be escaped. At most 4,096 series; beyond that all further ones share one hidden series. */
struct counter *metrics_counter(struct metrics *m, const char *name, const char *help, const char *labels);
struct counter *metrics_gauge(struct metrics *m, const char *name, const char *help, const char *labels);
/* Buckets: n ascending upper bounds; the array is copied. */
struct histogram *metrics_histogram(struct metrics *m, const char *name, const char *help, const char *labels,
                                    const double *bounds, int n);

static inline void counter_add(struct counter *c, int64_t n) { atomic_fetch_add_explicit(&c->value, n, memory_order_relaxed); }
static inline void gauge_set(struct counter *c, int64_t n) { atomic_store_explicit(&c->value, n, memory_order_relaxed); }
void histogram_observe(struct histogram *h, double v);

struct str metrics_render(struct metrics *m, struct arena *a);

#endif
