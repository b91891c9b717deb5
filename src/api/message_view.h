/* A message as /v1/messages and the v1 routes of subscribers answer it, with its subscriber and payload. */
#ifndef API_MESSAGE_VIEW_H
#define API_MESSAGE_VIEW_H

#include "api/app.h"
#include "model/message.h"

/* message_payload_text of the trigger that it came from; empty if that is gone. On the loop's thread. */
struct str message_payload(struct request *rq, const struct message *m);
/* On the loop's thread. */
yyjson_mut_val *message_view_json(struct request *rq, yyjson_mut_doc *d, const struct message *m);

#endif
