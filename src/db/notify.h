/* Words between processes that share a store: LISTEN/NOTIFY of PostgreSQL behind a small door.
 *
 * Publishing is part of a transaction: the word is out exactly if the transaction commits, and after what it wrote can be
 * read. Listening is one connection and one thread a process, whatever the number of channels. Words may be lost while that
 * connection is: after each (re)connection every listener is called with a NULL payload, which means "look yourself". A
 * process hears its own words, too. A store that nobody shares (SQLite) has nobody to tell: both sides do nothing.
 */
#ifndef DB_NOTIFY_H
#define DB_NOTIFY_H

#include "db/db.h"

enum { NOTIFY_PAYLOAD_MAX = 7900, NOTIFY_CHANNELS_MAX = 16 };

/* channel: [a-z_]+. payload: at most NOTIFY_PAYLOAD_MAX bytes of UTF-8 (longer: ERROR_TOO_LARGE). Equal words of one
 * transaction may become one. */
bool notify_publish(struct db *db, const char *channel, struct str payload, struct error *err);

struct notify;

struct notify *notify_create(const char *url);
/* Before notify_start; fn runs on the listening thread, must be short, and may be called until notify_stop returns.
 * payload lives for the call only. channel and arg must outlive it. */
void notify_listen(struct notify *n, const char *channel, void (*fn)(void *arg, struct str payload), void *arg);
/* A server that is not there is no error: it is tried again every second. */
bool notify_start(struct notify *n, struct error *err);
void notify_stop(struct notify *n);         /* frees it; accepts NULL */

#endif
