/* Where a URL that a customer gave may lead (bridge-cli.md §2.4): not into our own network.
 *
 * A URL is judged twice: its text before anything is done, and every address that its name resolves to when connecting.
 * Immutable once filled; any thread.
 */
#ifndef DELIVERY_OUTBOUND_H
#define DELIVERY_OUTBOUND_H

#include <sys/socket.h>

#include "base/error.h"
#include "base/str.h"

struct outbound_policy {
    bool private_ok;            /* private ranges and localhost: this instance serves only its own machine */
    struct str allow;           /* comma list: addresses, CIDRs, host names, *.suffix or .suffix; empty: none */
};

/* For one URL, filled by outbound_check; it must live as long as the request. */
struct outbound_target {
    const struct outbound_policy *policy;
    struct str host;            /* lower case, without port and brackets */
    bool named;                 /* the allow list has the host by name */
    bool refused;               /* set when an address was refused */
};

/* false: err says why, without any address. */
bool outbound_check(const struct outbound_policy *p, struct arena *a, struct str url, struct outbound_target *t, struct error *err);
/* As http_request's address_ok; ctx: a struct outbound_target. */
bool outbound_address_ok(const struct sockaddr *address, void *ctx);

/* Is the text a list that `allow` can be? */
bool outbound_allow_valid(struct str list);

#endif
