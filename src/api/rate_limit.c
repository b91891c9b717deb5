/* Token buckets, one atomic word each.
 *
 * Time in a bucket is counted in units of 1/limit ms. Then the time for one token, F = window / limit, is the same whole
 * number for every bucket: as many units as the window has milliseconds. So nothing is rounded, and the word holds
 *     tokens (24 bits, signed) | lastRefill in units (40 bits, modulo)
 * An idle bucket is forgotten after two windows; bounds on limit and window keep the modulo unambiguous until then.
 */
#include "api/rate_limit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "account/directory.h"
#include "api/app.h"

enum { SLOTS = 1024, TIME_BITS = 40 };
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)

static const char *const category_names[] = {"trigger", "configuration", "global"};
static const char *const cost_names[] = {"single", "bulk", "keyless"};

static const struct level {
    const char *name;
    int maximum[RATE_CATEGORIES];
} levels[] = {
    {"free", {60, 20, 30}}, {"pro", {240, 80, 120}}, {"business", {600, 200, 300}},
    {"enterprise", {6000, 2000, 3000}}, {"unlimited", {6000, 2000, 3000}},
};

struct bucket {
    struct bucket *next;
    struct id environment;
    int category;
    int64_t limit, capacity;
    char policy[RATE_COSTS][160];
    _Atomic uint64_t state;
    _Atomic int64_t used_ms;            /* when tokens were last taken */
};

struct rate_limiter {
    struct rate_settings s;
    _Atomic(struct bucket *) slot[SLOTS];       /* lists that only grow, at their heads */
};

/* --- settings ------------------------------------------------------------------------------------------------ */

static bool read_int(const char *(*get)(const char *name), const char *name, int least, int most, int *out, struct error *err)
{
    const char *text = get(name);
    int64_t n;
    if (!text || !*text)
        return true;
    if (!str_to_i64(str_of(text), &n) || n < least || n > most)
        return error_set(err, ERROR_BAD_INPUT, "%s must be a number from %d to %d, not '%.80s'", name, least, most, text);
    *out = (int)n;
    return true;
}

static const char *upper(char out[80], const char *prefix, const char *a, const char *b)
{
    snprintf(out, 80, "%s_%s%s%s", prefix, a, *b ? "_" : "", b);
    for (char *p = out; *p; p++)
        *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
    return out;
}

static bool read_burst(const char *(*get)(const char *name), double *out, struct error *err)
{
    static const char name[] = "API_RATE_LIMIT_ALGORITHM_BURST_ALLOWANCE";
    const char *text = get(name);
    char *end;
    if (!text || !*text)
        return true;
    double v = strtod(text, &end);
    if (*end || !(v >= 0 && v <= 1))
        return error_set(err, ERROR_BAD_INPUT, "%s must be a number from 0 to 1, not '%.80s'", name, text);
    *out = v;
    return true;
}

bool rate_settings_read(struct rate_settings *s, const char *level, const char *(*get)(const char *name), struct error *err)
{
    char name[80];
    const struct level *l = NULL;
    *s = (struct rate_settings){.cost = {1, 100, 1000}, .window_s = 5, .burst = 0.1};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (!strcmp(levels[i].name, level))
            l = &levels[i];
    if (!l)
        return error_set(err, ERROR_BAD_INPUT, "There is no service level '%.40s'", level);
    s->level = l->name;
    if (!read_int(get, "API_RATE_LIMIT_ALGORITHM_WINDOW_DURATION", 1, RATE_WINDOW_MAX_S, &s->window_s, err)
        || !read_burst(get, &s->burst, err))
        return false;
    for (int c = 0; c < RATE_CATEGORIES; c++) {
        s->maximum[c] = l->maximum[c];
        if (!read_int(get, upper(name, "API_RATE_LIMIT_MAXIMUM", l->name, category_names[c]), 1, RATE_LIMIT_MAX / s->window_s,
                      &s->maximum[c], err))
            return false;
    }
    for (int c = 0; c < RATE_COSTS; c++)
        if (!read_int(get, upper(name, "API_RATE_LIMIT_COST", cost_names[c], ""), 1, 100000, &s->cost[c], err))
            return false;
    return true;
}

/* --- buckets ------------------------------------------------------------------------------------------------- */

struct rate_limiter *rate_limiter_create(const struct rate_settings *s)
{
    struct rate_limiter *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    l->s = *s;
    return l;
}

void rate_limiter_destroy(struct rate_limiter *l)
{
    for (int i = 0; l && i < SLOTS; i++) {
        for (struct bucket *b = atomic_load(&l->slot[i]), *next; b; b = next) {
            next = b->next;
            free(b);
        }
    }
    free(l);
}

static uint64_t pack(int64_t tokens, uint64_t last)
{
    return (uint64_t)tokens << TIME_BITS | (last & TIME_MASK);
}

static int64_t tokens_of(uint64_t state)
{
    return (int64_t)state >> TIME_BITS;
}

static uint64_t units(const struct bucket *b, int64_t ms)
{
    return (uint64_t)ms * (uint64_t)b->limit;
}

/* Units since the last refill. Threads read the clock at different moments, so it may be a little below 0. */
static int64_t lag(uint64_t state, uint64_t now)
{
    int64_t d = (int64_t)((now - state) & TIME_MASK);
    return d >> (TIME_BITS - 1) ? d - (int64_t)(TIME_MASK + 1) : d;
}

static struct bucket *bucket_new(const struct rate_limiter *l, struct id environment, int category, int64_t limit, bool custom,
                                 int64_t now_ms)
{
    struct bucket *b = calloc(1, sizeof *b);
    if (!b)
        abort();
    b->environment = environment;
    b->category = category;
    b->limit = limit;
    b->capacity = (int64_t)floor((double)limit * (1 + l->s.burst) + 1e-9);
    for (int c = 0; c < RATE_COSTS; c++)
        snprintf(b->policy[c], sizeof b->policy[c],
                 "%lld;w=%d;burst=%lld;comment=\"token bucket\";category=\"%s\";cost=\"%s\";serviceLevel=\"%s\"", (long long)limit,
                 l->s.window_s, (long long)b->capacity, category_names[category], cost_names[c], custom ? "custom" : l->s.level);
    atomic_init(&b->state, pack(b->capacity, units(b, now_ms)));
    atomic_init(&b->used_ms, now_ms - 2000LL * l->s.window_s - 1);      /* the first use begins it */
    return b;
}

/* A new limit is a new bucket. */
static struct bucket *bucket_get(struct rate_limiter *l, struct id environment, int category, int64_t limit, bool custom, int64_t now_ms)
{
    uint32_t h;
    memcpy(&h, environment.b + 8, sizeof h);    /* the end of an id differs most */
    _Atomic(struct bucket *) *slot = &l->slot[(h * 2654435761u >> 8 ^ (unsigned)category) % SLOTS];
    struct bucket *first = atomic_load_explicit(slot, memory_order_acquire), *seen = NULL, *fresh = NULL;
    for (;;) {
        for (struct bucket *b = first; b != seen; b = b->next) {
            if (b->category == category && b->limit == limit && id_eq(b->environment, environment)) {
                free(fresh);
                return b;
            }
        }
        if (!fresh)
            fresh = bucket_new(l, environment, category, limit, custom, now_ms);
        seen = fresh->next = first;
        if (atomic_compare_exchange_strong_explicit(slot, &first, fresh, memory_order_acq_rel, memory_order_acquire))
            return fresh;
    }
}

/* Of one try. *state: what was read, and what is there after it if tokens were taken. */
enum outcome { TAKEN, DENIED, AGAIN };

/* Two windows without use: the bucket starts anew. Only one thread wins the right to do that, by the time of use; if
 * somebody took tokens of the old state meanwhile, it stands: by then that was refilled just as far. */
static enum outcome renew(struct bucket *b, int64_t used, int64_t cost, int64_t now_ms, uint64_t *state)
{
    uint64_t after = pack(b->capacity - cost, units(b, now_ms));
    if (!atomic_compare_exchange_strong(&b->used_ms, &used, now_ms) || !atomic_compare_exchange_strong(&b->state, state, after))
        return AGAIN;
    *state = after;
    return TAKEN;
}

static void touch(struct bucket *b, int64_t used, int64_t now_ms)
{
    while (used < now_ms && !atomic_compare_exchange_weak(&b->used_ms, &used, now_ms))
        ;
}

static enum outcome take(struct bucket *b, int64_t cost, int64_t now_ms, int64_t window_ms, uint64_t *state)
{
    uint64_t s = *state, now = units(b, now_ms), last = s & TIME_MASK;
    int64_t tokens = tokens_of(s), behind = lag(s, now);
    if (tokens < cost) {
        int64_t added = behind > 0 ? behind / window_ms : 0;
        tokens = tokens + added < b->capacity ? tokens + added : b->capacity;
        last += (uint64_t)(added * window_ms);
        if (tokens < cost)
            return DENIED;
    } else if (behind >> (TIME_BITS - 2)) {     /* brought forward by whole tokens, before the modulo could deceive */
        last += (uint64_t)(behind / 2 / window_ms * window_ms);
    }
    touch(b, atomic_load(&b->used_ms), now_ms);
    uint64_t after = pack(tokens - cost, last);
    if (!atomic_compare_exchange_strong(&b->state, state, after))
        return AGAIN;
    *state = after;
    return TAKEN;
}

static int64_t reset_in_s(const struct bucket *b, uint64_t state, int64_t k, int64_t now_ms, int64_t window_ms)
{
    int64_t in = k * window_ms - lag(state, units(b, now_ms));      /* in units of 1/limit ms */
    int64_t second = 1000 * b->limit;
    return in <= 0 ? 0 : (in + second - 1) / second;
}

struct rate_result rate_limit_take(struct rate_limiter *l, struct id environment, enum rate_category category,
                                   enum rate_cost cost_kind, const struct rate_override *override, int64_t now_ms)
{
    int c = (int)category - RATE_TRIGGER;
    int64_t window_ms = l->s.window_s * 1000LL, cost = l->s.cost[cost_kind];
    bool custom = override && override->per_second[c] > 0;
    int64_t limit = (int64_t)(custom ? override->per_second[c] : l->s.maximum[c]) * l->s.window_s;
    struct bucket *b = bucket_get(l, environment, c, limit, custom, now_ms);
    uint64_t state;
    enum outcome o;
    do {
        int64_t used = atomic_load(&b->used_ms);
        state = atomic_load(&b->state);
        o = now_ms - used > 2 * window_ms ? renew(b, used, cost, now_ms, &state) : take(b, cost, now_ms, window_ms, &state);
    } while (o == AGAIN);
    int64_t tokens = tokens_of(state), k = o == DENIED || tokens < cost ? cost - tokens : cost;
    return (struct rate_result){.allowed = o == TAKEN, .limit = limit, .capacity = b->capacity,
                                .remaining = tokens > 0 ? tokens : 0, .policy = b->policy[cost_kind],
                                .reset_s = reset_in_s(b, state, k, now_ms, window_ms)};
}

/* --- requests ------------------------------------------------------------------------------------------------ */

bool rate_limit_pass(struct rate_limiter *l, struct request *rq)
{
    const struct route *route = rq->route;
    if (route->rate == RATE_NONE)
        return true;
    struct rate_override override = {{rq->principal.rate[0], rq->principal.rate[1], rq->principal.rate[2]}};
    enum rate_cost cost = route->cost > 1 ? RATE_COST_BULK : RATE_COST_SINGLE;
    struct rate_result r = rate_limit_take(l, rq->principal.environment, route->rate, cost, &override, clock_mono_ns() / 1000000);
    reply_header_count(rq, "RateLimit-Remaining", r.remaining);
    reply_header_count(rq, "RateLimit-Limit", r.limit);
    reply_header_count(rq, "RateLimit-Reset", r.reset_s);
    reply_header_kept(rq, "RateLimit-Policy", r.policy);
    if (r.allowed || !l->s.enforced)
        return true;
    reply_header_count(rq, "Retry-After", r.reset_s);
    reply_fail(rq, 429, "API rate limit exceeded");
    return false;
}
