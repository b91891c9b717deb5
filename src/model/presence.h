/* Who is online: subscribers with a live socket at one or more of the processes that share the store
 * (inbox-realtime.md §6.3). Each process says of a subscriber when the first socket opens and when the last one has closed;
 * subscribers.is_online is true while one process has said so and lives (its lease holds, model/delivery.h).
 * Times are workflow time, but for leases (real time).
 */
#ifndef MODEL_PRESENCE_H
#define MODEL_PRESENCE_H

#include "db/db.h"

bool presence_enter(struct db *db, struct id node, struct id environment, struct id subscriber, struct error *err);
/* Offline, unless another process has them. A process that had not said they are here changes nothing. */
bool presence_leave(struct db *db, struct id node, struct id environment, struct id subscriber, int64_t now, struct error *err);
enum { PRESENCE_LAPSE_MAX = 200 };
/* Takes out some of those who were at processes whose leases are over, and these leases. *more: there are others. A process
 * that lives all the same learns it from its next node_renew, and enters its people again. */
bool presence_lapse(struct db *db, int64_t real_now, int64_t now, bool *more, struct error *err);
/* At the start of the only process that a store has: nobody is connected to it yet. */
bool presence_clear(struct db *db, int64_t now, struct error *err);

#endif
