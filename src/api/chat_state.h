/* The state of a chat provider's OAuth dialogue: what the callback must know, signed, in the caller's hands meanwhile.
 *
 * On the wire: base64url of `<json>.<hex HMAC-SHA256 of json>`, keyed with a secret key of the environment; good for five
 * minutes (rest-api.md §6.15).
 */
#ifndef API_CHAT_STATE_H
#define API_CHAT_STATE_H

#include "base/id.h"
#include "base/json.h"

enum { CHAT_STATE_MS = 300000 };

struct chat_state {
    struct id organization, environment;
    struct str provider_id, integration_identifier;
    struct str connection_identifier;   /* to be made, or through which a person is linked; empty: none */
    struct str subscriber_id;           /* empty: none */
    yyjson_val *context;                /* as model/context.h reads it; NULL: none */
    bool links_user;                    /* the person is linked, else the workspace connected */
    bool is_shared;                     /* the connection is everybody's within the context */
    bool auto_link;                     /* connecting links the person too */
    bool is_v1;                         /* the dialogue of /v1/subscribers, which ends elsewhere */
    int64_t made_at;
};

struct str chat_state_write(struct arena *a, const struct chat_state *s, struct str secret);
/* Reads without trusting: tells whose secret to verify with. false: not a state. */
bool chat_state_read(struct arena *a, struct str text, struct chat_state *out);
/* Was it signed with this secret, not in the future and not too long ago? */
bool chat_state_verify(struct arena *a, struct str text, struct str secret, int64_t now);

#endif
