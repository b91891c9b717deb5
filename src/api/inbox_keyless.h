/* The try-out mode of the Inbox: a page that names no application gets a demo environment of its own, with one person and
 * one workflow, for a day (inbox-realtime.md §1.5). Offered to pages of this machine alone (the setting `keyless`).
 *
 * The identifier that the browser keeps is all that leads there: nobody has a secret key of such an environment.
 */
#ifndef API_INBOX_KEYLESS_H
#define API_INBOX_KEYLESS_H

#include "api/app.h"

#define KEYLESS_SUBSCRIBER "keyless-subscriber-id"

bool keyless_offered(struct request *rq);
/* Is this the identifier of a demo environment? It may be long gone. */
bool keyless_identifier(struct str identifier);
/* A demo environment, its in-app integration and its workflow. 429 when there are too many. In a transaction. */
bool keyless_create(struct request *rq, struct db *db, struct environment *e, struct error *err);
/* `Authorization: Keyless <identifier>`, which may do one thing: trigger. db: of the calling loop. */
bool keyless_authenticate(struct request *rq, struct db *db, struct str identifier, struct error *err);

#endif
