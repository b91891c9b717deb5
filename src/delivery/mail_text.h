/* Text bodies as lines: CRLF only, never longer than a mail line may be. */
#ifndef DELIVERY_MAIL_TEXT_H
#define DELIVERY_MAIL_TEXT_H

#include "base/str.h"

/* ASCII without controls and with lines of at most 76 characters: goes as it is. */
bool mail_text_is_7bit(struct str s);

/* Appends the text with every line end (CRLF, LF, CR) as CRLF, ending in one. */
void mail_text_lines(struct buf *b, struct str s);

/* The same as quoted-printable (RFC 2045 §6.7). */
void mail_text_quoted(struct buf *b, struct str s);

#endif
