/* What queries over runs share. */
#ifndef MODEL_RUN_PRIVATE_H
#define MODEL_RUN_PRIVATE_H

/* The runs of an event, as a table. The only run of an event for one person has its event's id, and is in no index of its
 * own: most triggers are such. */
#define RUNS_OF_EVENT(columns, environment, event)                                                                    \
    "(SELECT " columns " FROM runs WHERE environment_id = " environment " AND id = " event " UNION ALL "               \
    "SELECT " columns " FROM runs WHERE event_id = " event " AND event_id <> id)"

#endif
