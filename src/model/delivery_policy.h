/* How hard deliveries are tried: settings of an environment and of an integration (beyond.md §1).
 *
 * Written as JSON in an environment's settings and in an integration's configurations, under "delivery":
 *   {"attempts": 8, "windowSeconds": 1800, "failover": true, "messagesPerSecond": 10, "burst": 20,
 *    "breaker": {"failures": 10, "errorPercent": 50, "openSeconds": 60}}
 * What an integration does not say is said by its environment, and what that does not say by the defaults.
 */
#ifndef MODEL_DELIVERY_POLICY_H
#define MODEL_DELIVERY_POLICY_H

#include "base/json.h"

/* 0 everywhere: not said. */
struct delivery_policy {
    int attempts;               /* with one integration, 1–100 */
    int64_t window_ms;          /* from the first to the last attempt with one integration, at most 7 days */
    int failover;               /* 1 yes, -1 no */
    double rate;                /* messages a second, at most 100,000; 0: not paced */
    int burst;                  /* messages that may go at once, 1–100,000 */
    int breaker_failures;       /* in a row, that open the circuit; -1: never */
    int breaker_percent;        /* failures among the last 100 results, that open it; -1: never */
    int64_t breaker_open_ms;    /* until a probe, 1 s – 1 day */
};

/* The member "delivery" of settings or configurations. NULL or null: nothing is said. false: ERROR_BAD_INPUT names the
 * member and what it may be. */
bool delivery_policy_read(yyjson_val *v, struct delivery_policy *p, struct error *err);
/* The same of a stored text, in which everything was checked before: what is wrong there is as if not said. */
struct delivery_policy delivery_policy_stored(struct str json);
/* p, completed by what `outer` says; then by the defaults if there is no outer. */
struct delivery_policy delivery_policy_resolve(struct delivery_policy p, const struct delivery_policy *outer);

#endif
