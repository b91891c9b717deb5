/* Rate limits: a token bucket for each (environment, category), as rest-api.md §4.3 defines it.
 *
 * Headers are sent on every limited answer; whether anybody is refused is a setting (decisions.md 9). The bucket is one
 * atomic word and the time of its last use: taking tokens is a compare-and-swap, without a lock and without waiting, and
 * exact: no interleaving grants more than one thread could have got. Real time, whatever the application's clock says.
 * Each process counts for itself.
 */
#ifndef API_RATE_LIMIT_H
#define API_RATE_LIMIT_H

#include "http/request.h"

enum { RATE_CATEGORIES = 3 };           /* trigger, configuration, global */
enum rate_cost { RATE_COST_SINGLE, RATE_COST_BULK, RATE_COST_KEYLESS, RATE_COSTS };

/* Requests a second of an environment by category; 0: as the service level has it. */
struct rate_override {
    int per_second[RATE_CATEGORIES];
};

struct rate_settings {
    bool enforced;
    const char *level;                  /* of organisations: free, pro, business, enterprise, unlimited */
    int maximum[RATE_CATEGORIES];       /* requests a second at that level */
    int cost[RATE_COSTS];
    int window_s;
    double burst;                       /* capacity = floor(limit * (1 + burst)) */
};

enum { RATE_LIMIT_MAX = 2000000, RATE_WINDOW_MAX_S = 60 };     /* tokens a window; bounds of the atomic word */

/* The defaults, then the variables API_RATE_LIMIT_*, which get returns (NULL: not set). false names the bad one. */
bool rate_settings_read(struct rate_settings *s, const char *level, const char *(*get)(const char *name), struct error *err);

struct rate_limiter;
struct rate_limiter *rate_limiter_create(const struct rate_settings *s);
void rate_limiter_destroy(struct rate_limiter *l);      /* accepts NULL */

struct rate_result {
    bool allowed;
    int64_t limit, capacity;            /* tokens */
    int64_t remaining;                  /* not negative */
    int64_t reset_s;                    /* until `cost` more tokens are there; not negative */
    const char *policy;                 /* of RateLimit-Policy; lives as long as the limiter */
};
/* From any thread. now_ms: any clock that does not go backwards by much. */
struct rate_result rate_limit_take(struct rate_limiter *l, struct id environment, enum rate_category category,
                                   enum rate_cost cost, const struct rate_override *override, int64_t now_ms);

/* In the before hook: adds the headers; false: answered with 429. */
bool rate_limit_pass(struct rate_limiter *l, struct request *rq);

#endif
