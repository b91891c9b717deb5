/* What a provider answered, made fit to be kept and shown. */
#ifndef DELIVERY_REPLY_TEXT_H
#define DELIVERY_REPLY_TEXT_H

#include "base/json.h"

enum { REPLY_TEXT_MAX = 10240 };

/* Bytes of the UTF-8 character at p (1 to 4), or 0 where the n bytes do not begin with a valid one. */
size_t utf8_char_len(const char *p, size_t n);

/* Valid UTF-8 without NUL: wrong bytes become U+FFFD; cut to at most max bytes between characters. */
struct str reply_text_clean(struct arena *a, struct str s, size_t max);

/* Texts that must not leave the process, with what they are turned into on the wire. */
struct secrets {
    struct str *item;
    size_t n;
};

/* The secret members of a credentials object: those of providers.json meta.secretKeys and every other whose name
 * speaks of a key, token, secret or password; in the forms plain, percent-encoded, base64, and the base64 of an
 * SMTP "\0user\0password". Shorter than 4 bytes: not masked, since masking a single letter garbles the text and
 * thereby tells the letter. */
struct secrets secrets_of(struct arena *a, yyjson_val *credentials);
/* The same of what else a request is made of: an endpoint with its connection's token. NULL: nothing. */
void secrets_add(struct arena *a, struct secrets *s, yyjson_val *v);
/* One that came from outside, as an access token. */
void secrets_add_text(struct arena *a, struct secrets *s, struct str text);

/* Cleaned as above, secrets replaced by "***", then cut. */
struct str reply_text_safe(struct arena *a, const struct secrets *secrets, struct str s);

#endif
