/* Writes the request log (model/request_log.h) beside the work: entries gather in memory and go into the store together,
 * with whatever commit comes next. Nobody waits for them; a crash may lose those of the last commit, a store that cannot
 * be written loses what does not fit into memory.
 */
#ifndef API_REQUEST_LOG_H
#define API_REQUEST_LOG_H

#include "base/clock.h"
#include "base/metrics.h"
#include "db/writer.h"
#include "http/request.h"

struct request_log;

struct request_log *request_log_create(struct writer *w, const struct clock *clock, struct metrics *m);
/* After the writer has stopped. Accepts NULL. */
void request_log_destroy(struct request_log *l);
/* From any thread. */
void request_log_add(struct request_log *l, struct request *rq, int status, int64_t duration_ms);

#endif
