/* What this process knows of each integration: does it answer (a circuit breaker), and how fast may it be used (pacing).
 * In memory only: a new process finds out anew. Times are workflow time. Thread-safe.
 *
 * A circuit opens after so many failures in a row, or when so many per cent of its last 100 results (of at least 20)
 * were failures. While it is open nothing is sent. After the policy's time one attempt is let through, the probe: its
 * result closes the circuit or opens it again. A permanent failure is an answer: the provider is there.
 */
#ifndef ENGINE_CIRCUITS_H
#define ENGINE_CIRCUITS_H

#include "base/id.h"
#include "base/metrics.h"
#include "model/delivery_policy.h"

enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_HALF_OPEN };

struct circuits;

struct circuit_view {
    enum circuit_state state;
    int failures;               /* in a row */
    int results, failed;        /* of the last 100 */
    int64_t open_until;         /* 0: closed */
};

struct circuits *circuits_create(struct metrics *m);
void circuits_destroy(struct circuits *c);

/* Before an attempt. false: nothing may be sent, *until says when to ask again. A true must be followed by a note. */
bool circuit_admit(struct circuits *c, struct id integration, int64_t now, int64_t *until);
/* After it. failed: the provider did not answer, or asked to come again. true: by this the circuit opened, or closed: *turned is
 * how it is now. A probe that fails turns nothing: it was open before. */
bool circuit_note(struct circuits *c, struct id integration, const struct delivery_policy *p, bool failed, int64_t now,
                  struct circuit_view *turned);
/* An admitted attempt was not made after all. */
void circuit_release(struct circuits *c, struct id integration);
/* Open until then; 0: it may be asked. Costs nothing while all are closed. */
int64_t circuit_open_until(struct circuits *c, struct id integration, int64_t now);
struct circuit_view circuit_look(struct circuits *c, struct id integration, int64_t now);

/* Takes a place in the integration's sequence of messages: how many ms from now it is; 0: now. share: how many processes
 * divide the rate between them. */
int64_t pacing_take(struct circuits *c, struct id integration, const struct delivery_policy *p, int share, int64_t now);

#endif
