/* What a condition looks at, as it is by now: for the reason why a step did not run. */
#ifndef CLI_TEST_SAW_H
#define CLI_TEST_SAW_H

#include "engine/definition.h"
#include "engine/run.h"
#include "model/subscriber.h"

/* {path: value} of every variable of the condition that is of payload, subscriber or steps; NULL: none. version: of the run;
 * subscriber NULL: gone. */
yyjson_mut_val *saw_json(struct db *db, struct arena *a, yyjson_mut_doc *d, const struct run *r, const struct definition *version,
                         const struct subscriber *subscriber, yyjson_val *payload, yyjson_val *condition);

#endif
