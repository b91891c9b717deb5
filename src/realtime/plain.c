/* The plain WebSocket transport (inbox-realtime.md §5.7): JSON text frames, and "ping" answered with "pong". */
#include <stdlib.h>

#include "realtime/hub_private.h"

/* Joins the room at once: the token came with the handshake. false: closed 4401. */
bool plain_greet(struct session *s)
{
    struct hub *h = s->hub;
    struct person *p = person_check(h, str_of(s->token));
    free(s->token);
    s->token = NULL;
    if (!p) {
        session_close(s, 4401, DROP_BAD_TOKEN);
        return false;
    }
    struct member *m = room_join(s, p, STR_NULL);
    person_unref(p);
    if (!m) {
        session_close(s, WSLAY_CODE_POLICY_VIOLATION, DROP_LIMIT);
        return false;
    }
    return true;
}

void plain_receive(struct session *s, struct str text)
{
    if (str_eqz(text, "ping"))
        session_send_text(s, STR("pong"));
}
