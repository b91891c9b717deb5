/* Handlers of two doors: /v1/subscribers/{subscriberId} with an API key, and /v1/widgets with a subscriber's token
 * (rest-api.md §7, inbox-realtime.md §3). A token reaches its own context only. */
#ifndef API_SUBSCRIBERS_V1_H
#define API_SUBSCRIBERS_V1_H

#include "api/app.h"

/* "true" (1), "false" (0) or not there (-1). */
int check_query_maybe(struct checks *c, const char *name);

void subscriber_v1_handle_feed(struct request *rq);
void subscriber_v1_handle_mark_as(struct request *rq);
void subscriber_v1_handle_mark_as_older(struct request *rq);
void subscriber_v1_handle_action(struct request *rq);

/* subscriber_preferences.c */
void subscriber_v1_handle_preferences(struct request *rq);
void subscriber_v1_handle_preferences_level(struct request *rq);
void subscriber_v1_handle_preference_write(struct request *rq);
void subscriber_v1_handle_global_preference_write(struct request *rq);

#endif
