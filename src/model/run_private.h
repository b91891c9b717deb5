/* What queries over runs share. */
#ifndef MODEL_RUN_PRIVATE_H
#define MODEL_RUN_PRIVATE_H

#include "model/inbox_private.h"

/* The runs of an event, as a table. The only run of an event for one person has its event's id, and is in no index of its
 * own: most triggers are such. */
#define RUNS_OF_EVENT(columns, environment, event)                                                                    \
    "(SELECT " columns " FROM runs WHERE environment_id = " environment " AND id = " event " UNION ALL "               \
    "SELECT " columns " FROM runs WHERE event_id = " event " AND event_id <> id)"

/* The messages of a run, as a table, and the ids of those of several (a table of ids). One of them may have its run's id
 * (struct run, own_message), and is in no index by run. */
#define MESSAGES_OF_RUN(columns, environment, run)                                                                    \
    "(SELECT " columns " FROM messages WHERE environment_id = " environment " AND id = " run " AND run_id = id "       \
    "UNION ALL SELECT " columns " FROM messages WHERE run_id = " run " AND run_id <> id)"
#define IDS_OF_MESSAGES_OF(runs) "(SELECT id FROM messages WHERE run_id <> id AND run_id IN " runs " UNION ALL SELECT id FROM " runs " AS own)"

/* The runs of a person, newest first, are put together of three lists in that order:
 *  - those of the index by person (listed = 1);
 *  - those that have a message with their id and moment, in no context, which is found as the Inbox finds it, in one of two
 *    indexes (inbox_private.h). Nearly all triggers are such, and an index by person costs a page for each of its entries.
 * Each is what follows FROM … WHERE. `whose` is what a subscriber_id is compared with; m is the prefix of that message's columns. */
#define RUNS_LISTED(whose) "runs.listed = 1 AND runs.subscriber_id " whose
#define RUNS_OF_MESSAGE(m, which, whose)                                                                              \
    m "subscriber_id " whose " AND " m "context = '' AND " which " AND " m "run_id = " m "id AND runs.environment_id = " m \
    "environment_id AND runs.id = " m "id AND runs.listed = 0"
#define RUNS_OF_FRESH_MESSAGE(m, whose) RUNS_OF_MESSAGE(m, INBOX_FRESH_OF(m), whose)
#define RUNS_OF_TOUCHED_MESSAGE(m, whose) RUNS_OF_MESSAGE(m, m "channel = 0 AND " INBOX_TOUCHED_OF(m), whose)

#endif
