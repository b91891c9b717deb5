/* Circuit breakers and pacing. */
#include "engine/circuits.h"

#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>

enum { RESULTS = 100, RESULTS_LEAST = 20, PROBE_WAIT_MS = 5000 };

struct circuit {
    struct id id;               /* first: the tree compares it */
    enum circuit_state state;
    bool probing;               /* half open: the one attempt is under way */
    int failures;
    int64_t open_until;
    unsigned char failed[RESULTS];
    int results, failed_n, at;
    int64_t next_ms_1000;       /* pacing: when the next place is, in 1/1000 ms; see pacing_take */
    struct counter *gauge;      /* made when it first opens */
};

struct circuits {
    pthread_mutex_t lock;
    void *tree;
    _Atomic int not_closed;
    struct metrics *metrics;
    struct counter *opened;
};

struct circuits *circuits_create(struct metrics *m)
{
    struct circuits *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    pthread_mutex_init(&c->lock, NULL);
    c->metrics = m;
    c->opened = metrics_counter(m, "carillon_circuits_opened_total", "How often a circuit breaker opened.", NULL);
    return c;
}

void circuits_destroy(struct circuits *c)
{
    if (!c)
        return;
    tdestroy(c->tree, free);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static int compare(const void *a, const void *b)
{
    return id_cmp(*(const struct id *)a, *(const struct id *)b);
}

/* Under the lock; makes it. */
static struct circuit *circuit_of(struct circuits *c, struct id id)
{
    struct circuit *const *slot = tfind(&id, &c->tree, compare);
    if (slot)
        return *slot;
    struct circuit *x = calloc(1, sizeof *x);
    if (!x)
        abort();
    x->id = id;
    slot = tsearch(x, &c->tree, compare);
    if (!slot)
        abort();
    return x;
}

static void set_state(struct circuits *c, struct circuit *x, enum circuit_state state)
{
    char hex[ID_HEX + 1], labels[64];
    if (x->state == state)
        return;
    atomic_fetch_add(&c->not_closed, (state != CIRCUIT_CLOSED) - (x->state != CIRCUIT_CLOSED));
    if (state == CIRCUIT_OPEN)
        counter_add(c->opened, 1);
    x->state = state;
    x->probing = false;
    if (!x->gauge) {
        id_hex(x->id, hex);
        snprintf(labels, sizeof labels, "integration=\"%s\"", hex);
        x->gauge = metrics_gauge(c->metrics, "carillon_circuit_state", "Circuit of an integration: 0 closed, 1 open, 2 half open.",
                                 labels);
    }
    gauge_set(x->gauge, state);
}

bool circuit_admit(struct circuits *c, struct id integration, int64_t now, int64_t *until)
{
    bool admitted = true;
    if (atomic_load_explicit(&c->not_closed, memory_order_relaxed) == 0)
        return true;
    pthread_mutex_lock(&c->lock);
    struct circuit *x = circuit_of(c, integration);
    if (x->state == CIRCUIT_OPEN && now >= x->open_until)
        set_state(c, x, CIRCUIT_HALF_OPEN);
    if (x->state == CIRCUIT_OPEN || x->probing) {
        admitted = false;
        *until = x->state == CIRCUIT_OPEN ? x->open_until : now + PROBE_WAIT_MS;
    } else if (x->state == CIRCUIT_HALF_OPEN) {
        x->probing = true;
    }
    pthread_mutex_unlock(&c->lock);
    return admitted;
}

void circuit_release(struct circuits *c, struct id integration)
{
    pthread_mutex_lock(&c->lock);
    circuit_of(c, integration)->probing = false;
    pthread_mutex_unlock(&c->lock);
}

static void remember(struct circuit *x, bool failed)
{
    if (x->results == RESULTS)
        x->failed_n -= x->failed[x->at];
    else
        x->results++;
    x->failed[x->at] = failed;
    x->failed_n += failed;
    x->at = (x->at + 1) % RESULTS;
    x->failures = failed ? x->failures + 1 : 0;
}

static bool opens(const struct circuit *x, const struct delivery_policy *p)
{
    return (p->breaker_failures > 0 && x->failures >= p->breaker_failures)
        || (p->breaker_percent > 0 && x->results >= RESULTS_LEAST && x->failed_n * 100 >= p->breaker_percent * x->results);
}

static void forget(struct circuit *x)
{
    x->results = x->failed_n = x->at = x->failures = 0;
    x->open_until = 0;
}

bool circuit_note(struct circuits *c, struct id integration, const struct delivery_policy *p, bool failed, int64_t now,
                  struct circuit_view *turned)
{
    pthread_mutex_lock(&c->lock);
    struct circuit *x = circuit_of(c, integration);
    enum circuit_state before = x->state;
    remember(x, failed);
    *turned = (struct circuit_view){.failures = x->failures, .results = x->results, .failed = x->failed_n};
    if (x->state == CIRCUIT_HALF_OPEN && !failed) {
        forget(x);
        set_state(c, x, CIRCUIT_CLOSED);
    } else if (failed && (x->state == CIRCUIT_HALF_OPEN || (x->state == CIRCUIT_CLOSED && opens(x, p)))) {
        x->open_until = now + p->breaker_open_ms;
        set_state(c, x, CIRCUIT_OPEN);
    }
    turned->state = x->state;
    turned->open_until = x->open_until;
    bool turns = before == CIRCUIT_CLOSED ? x->state == CIRCUIT_OPEN : x->state == CIRCUIT_CLOSED;
    pthread_mutex_unlock(&c->lock);
    return turns;
}

int64_t circuit_open_until(struct circuits *c, struct id integration, int64_t now)
{
    if (atomic_load_explicit(&c->not_closed, memory_order_relaxed) == 0)
        return 0;
    return circuit_look(c, integration, now).open_until;
}

struct circuit_view circuit_look(struct circuits *c, struct id integration, int64_t now)
{
    pthread_mutex_lock(&c->lock);
    struct circuit *const *slot = tfind(&integration, &c->tree, compare);
    struct circuit_view v = {.state = CIRCUIT_CLOSED};
    if (slot) {
        const struct circuit *x = *slot;
        v = (struct circuit_view){.state = x->state, .failures = x->failures, .results = x->results, .failed = x->failed_n};
        if (x->state == CIRCUIT_OPEN && now >= x->open_until)
            v.state = CIRCUIT_HALF_OPEN;
        if (v.state == CIRCUIT_OPEN)
            v.open_until = x->open_until;
        else if (x->probing)
            v.open_until = now + PROBE_WAIT_MS;
    }
    pthread_mutex_unlock(&c->lock);
    return v;
}

/* Generic cell rate: places are 1/rate apart; whoever comes late does not save up more than `burst` of them. */
int64_t pacing_take(struct circuits *c, struct id integration, const struct delivery_policy *p, int share, int64_t now)
{
    if (p->rate <= 0)
        return 0;
    int64_t apart = (int64_t)(1000000.0 * (share < 1 ? 1 : share) / p->rate), now_1000 = now * 1000;
    pthread_mutex_lock(&c->lock);
    struct circuit *x = circuit_of(c, integration);
    int64_t earliest = now_1000 - apart * ((p->burst < 1 ? 1 : p->burst) - 1);
    int64_t place = x->next_ms_1000 > earliest ? x->next_ms_1000 : earliest;
    x->next_ms_1000 = place + apart;
    pthread_mutex_unlock(&c->lock);
    return place <= now_1000 ? 0 : (place - now_1000 + 999) / 1000;
}
