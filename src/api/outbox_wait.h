/* Requests that wait for a message of the outbox: GET /v1/outbox/wait (decisions.md 6), for tests.
 *
 * A waiting request costs no thread: it is suspended and hangs in a list, which the engine's word of a commit
 * walks. One thread, started by the first request that has to wait, ends those whose time is over. Where other
 * nodes write to the store too (PostgreSQL) it also looks there twice a second, since their commits are not heard.
 */
#ifndef API_OUTBOX_WAIT_H
#define API_OUTBOX_WAIT_H

#include "base/metrics.h"
#include "model/outbox.h"

struct app;
struct outbox_waits;

/* shared_url: the store's, when other nodes write to it, else NULL; must live as long as the waits. */
struct outbox_waits *outbox_waits_create(const char *shared_url, struct metrics *m);
/* engine_world.outboxed: a message of the outbox is on disk. app is a struct app. */
void app_outboxed(void *app, const struct outbox_message *m);
/* Answers all that wait with 503 and refuses more, so that a server that is stopping has none to wait for. */
void outbox_waits_drain(struct outbox_waits *w);
/* After the last request and the last app_outboxed. Accepts NULL. */
void outbox_waits_destroy(struct outbox_waits *w);

#endif
