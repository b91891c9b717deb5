/* An e-mail as the bytes that go over the wire, made once and read as often as needed.
 *
 * A message is a list of pieces: finished text, and attachments that are turned into base64 lines while they are
 * read, so that a 20 MB attachment is never copied. The same reader serves SMTP, the DKIM body hash and providers
 * that take a raw message (SES). libcurl's own MIME writer cannot be read before it is sent, hence cannot be
 * signed, and writes UTF-8 file names as they are: that is why this is ours.
 *
 * Everything lives in the arena given to mail_compose and points into the delivery_email, which must outlive it.
 */
#ifndef DELIVERY_MAIL_MESSAGE_H
#define DELIVERY_MAIL_MESSAGE_H

#include "delivery/mail_address.h"

enum {
    MAIL_HEADERS_MAX = 100,             /* custom header fields */
    MAIL_ATTACHMENTS_MAX = 200,
    MAIL_NAME_MAX = 500                 /* bytes of a file name; longer ones are cut */
};

struct mail_piece {
    struct str bytes;
    bool base64;                        /* written as lines of 76 characters */
};

struct mail_message {
    struct mail_piece *pieces;
    size_t pieces_n;
    size_t head_n;                      /* bytes of the first piece that are header fields, without the empty line */
    struct str message_id;              /* with its angle brackets */
    struct str mail_from;               /* envelope, addr-spec */
    const struct str *rcpt;             /* to + cc + bcc, each once */
    size_t rcpt_n;
    bool needs_utf8;                    /* an address has letters beyond ASCII before its @ (RFC 6531) */
};

struct mail_dkim {
    struct str domain, selector, key;   /* key: PEM, RSA */
};

/* What does not come from the e-mail itself. */
struct mail_stamp {
    struct str idempotency_key;         /* empty: a random Message-ID */
    int64_t now_ms;
    const struct mail_dkim *dkim;       /* NULL: unsigned */
};

/* Structure: mixed(alternative(text, related(html, inline…)), attachments…), levels left out when not needed
 * (providers.md §4.2). false: error 400/413 that names what is wrong: an address, a header, no recipients. */
bool mail_compose(struct arena *a, const struct delivery_email *e, const struct mail_stamp *stamp,
                  struct mail_message *out, struct error *err);

/* Bytes of the whole message, as read by mail_read. */
int64_t mail_size(const struct mail_message *m);

struct mail_cursor {
    const struct mail_message *message;
    size_t piece, offset;               /* next piece, next byte of its source */
    char line[80];                      /* the base64 line that did not fit */
    size_t line_n, line_at;
};

/* Up to n further bytes, fewer only at the end; 0 at the end. Begin with {.message = m}. */
size_t mail_read(struct mail_cursor *c, char *p, size_t n);

/* The whole of it in one string. */
struct str mail_bytes(struct arena *a, const struct mail_message *m);

/* The DKIM-Signature field with its line end (RFC 6376, rsa-sha256, relaxed/relaxed). false: error 400 (the key,
 * domain or selector is unusable). */
bool mail_dkim_sign(struct arena *a, const struct mail_message *m, const struct mail_dkim *dkim, struct str *field,
                    struct error *err);

#endif
