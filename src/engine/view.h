/* A run as the activity feed shows it (ActivityNotificationResponseDto; rest-api.md §6.7): jobs and executionDetails
 * are views made from the step log. */
#ifndef ENGINE_VIEW_H
#define ENGINE_VIEW_H

#include "engine/definition.h"
#include "engine/run.h"
#include "model/event.h"
#include "model/subscriber.h"

struct run_view {
    struct run *run;
    const struct definition *version;       /* NULL: the version is gone */
    const struct event *event;
    const struct subscriber *subscriber;    /* NULL: deleted */
    struct id organization;
};
/* Adds what people did with the run's messages to its log: only for showing, such a run must not be stored. */
void run_view_add_marks(struct run *r, const struct run_marked *marks, size_t n);
yyjson_mut_val *run_view_json(yyjson_mut_doc *d, struct arena *a, const struct run_view *v);

#endif
