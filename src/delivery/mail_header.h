/* Header fields of a message: RFC 5322 lines of at most 76 characters where they can be folded, UTF-8 as RFC 2047
 * words, parameters after RFC 2231. Whatever the value, a field never ends before its own line end: line breaks and
 * controls cannot pass through here.
 */
#ifndef DELIVERY_MAIL_HEADER_H
#define DELIVERY_MAIL_HEADER_H

#include "delivery/mail_address.h"

/* Value for a header: valid UTF-8, line breaks and controls turned into single spaces, trimmed. */
struct str header_clean(struct arena *a, struct str value);

/* Name: value CRLF. The value is cleaned; not ASCII or not foldable: RFC 2047 words. */
void header_text(struct buf *b, const char *name, struct str value);

/* Name: mailbox, mailbox… CRLF. */
void header_mailboxes(struct buf *b, const char *name, const struct mailbox *list, size_t n);

/* A header field of the customer's. Refused with error 400: a name that is no token or that the message itself
 * owns ("structural", providers.md §4.2), a value with CR, LF or NUL, a word longer than a line may be. */
bool header_custom(struct buf *b, struct str name, struct str value, struct error *err);

/* "; name=value" appended to the field under construction. */
void header_param(struct buf *b, const char *name, struct str value);

#endif
