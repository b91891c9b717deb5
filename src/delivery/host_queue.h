/* Who waits for which host: first come first served within a host, hosts in turn. */
#ifndef DELIVERY_HOST_QUEUE_H
#define DELIVERY_HOST_QUEUE_H

#include "delivery/dispatcher_private.h"

struct host_queue;

struct host_queue *host_queue_create(int per_host_max);
void host_queue_destroy(struct host_queue *q);

/* Appends to the jobs of j->host_key and sets j->host. */
void host_queue_push(struct host_queue *q, struct job *j);

/* The next job of the next host that is below its cap; it counts as under way until host_queue_done.
 * NULL: nothing may start. */
struct job *host_queue_pop(struct host_queue *q);

/* A popped job has ended. */
void host_queue_done(struct host_queue *q, struct host *h);

/* A waiting job whatever the caps, for shutting down; does not count as under way. NULL: none waits. */
struct job *host_queue_drain(struct host_queue *q);

#endif
