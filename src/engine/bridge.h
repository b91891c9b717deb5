/* What is said to and by the bridge of an application, its code-first workflows' one URL (bridge-cli.md §1, §2). Pure. */
#ifndef ENGINE_BRIDGE_H
#define ENGINE_BRIDGE_H

#include "engine/machine.h"

enum { BRIDGE_TIMEOUT_MS = 5000, BRIDGE_ATTEMPTS = 4 };

/* url with action and, where they are not empty, the other parameters set; what its own query says besides stays. */
struct str bridge_url(struct arena *a, struct str url, const char *action, struct str workflow, struct str step, struct str job,
                      struct str environment_type);

/* Is it worth asking again (§2.2)? */
bool bridge_worth_again(const struct call_answer *answer);
/* Milliseconds before attempt n + 1 when n have failed: 1, 2, 4 s. */
int64_t bridge_pause(int n);

/* What the bridge said: a JSON object, or what went wrong (§2.3). */
struct bridge_answer {
    yyjson_val *body;           /* NULL: it failed, and this is how that is told */
    int status;
    struct str code, message;
    yyjson_val *data;           /* of the framework's own errors; NULL: none */
};
/* url: the bridge's, as configured. */
struct bridge_answer bridge_read(struct arena *a, struct str url, const struct call_answer *answer);

#endif
