/* The credentials of an SMTP integration as what to do (providers.md §4.2, providers.json). */
#ifndef DELIVERY_SMTP_SETTINGS_H
#define DELIVERY_SMTP_SETTINGS_H

#include "delivery/mail_message.h"

enum smtp_provider { SMTP_NODEMAILER, SMTP_OUTLOOK365, SMTP_EMAILJS };

enum smtp_security {
    SMTP_OPPORTUNISTIC,                 /* STARTTLS when the server offers it */
    SMTP_STARTTLS,                      /* requireTls: not without */
    SMTP_TLS,                           /* secure: from the first byte */
    SMTP_PLAIN                          /* ignoreTls */
};

struct smtp_settings {
    struct str host;                    /* ASCII */
    int port;
    enum smtp_security security;
    struct str user, password;          /* both or neither */
    struct str from, from_name;         /* defaults for the message */
    bool verify;                        /* tlsOptions.rejectUnauthorized */
    struct str servername, ca, cert, key;
    long tls_min, tls_max;              /* CURL_SSLVERSION_…, 0: default */
    bool has_dkim;
    struct mail_dkim dkim;
    int connect_timeout_ms;
};

/* false: error 400 with upstream's text for host and port.
 *
 * tlsOptions: upstream reads them only with `secure`. Here they also hold for STARTTLS, since an operator who names
 * a CA or switches the check off means the connection, however it comes to be encrypted; only a text that is not
 * JSON is an error with `secure` and ignored without, as upstream never looks at it there. */
bool smtp_settings_read(struct arena *a, enum smtp_provider provider, yyjson_val *credentials,
                        struct smtp_settings *out, struct error *err);

#endif
