/* Mailboxes of a message: checked, and written the way the wire wants them. */
#ifndef DELIVERY_MAIL_ADDRESS_H
#define DELIVERY_MAIL_ADDRESS_H

#include "delivery/dispatcher.h"

enum { MAIL_RECIPIENTS_MAX = 1000 };

/* A checked mailbox. spec is "local@domain" with the domain in ASCII (IDNA); only the local part may be UTF-8
 * (RFC 6531), which is_utf8 tells. */
struct mailbox {
    struct str name, spec, domain;
    bool is_utf8;
};

/* Host name in ASCII: unchanged if it is ASCII, else by UTS 46. false: error 400. */
bool domain_to_ascii(struct arena *a, struct str domain, struct str *out, struct error *err);

/* The addr-spec of RFC 5321 without comments, source routes or line breaks: a dot-atom or quoted local part of at
 * most 64 bytes, a domain of at most 255 or an address literal. false: error 400 that names the address. */
bool mailbox_read(struct arena *a, const struct delivery_address *from, struct mailbox *out, struct error *err);

/* All of a list. Refuses a list with more than 100 colons in it with upstream's text (providers.md §4.2). */
bool mailboxes_read(struct arena *a, const struct delivery_address *list, size_t n, struct mailbox **out,
                    struct error *err);

#endif
