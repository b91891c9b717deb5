/* Messages of Amazon SNS, as SES reports through it (providers.md §8).
 *
 * Who signed one is known by a certificate that its URL names: the URL must be Amazon's own. Pure but for time, which is
 * handed in; the certificate is fetched by the caller.
 */
#ifndef DELIVERY_SNS_H
#define DELIVERY_SNS_H

#include <pthread.h>

#include "base/json.h"

struct sns_message {
    bool confirms;              /* asks to confirm the subscription: by a GET of subscribe_url */
    struct str subscribe_url, cert_url, message;
    struct str signed_text, signature;
    bool sha256;                /* signature version 2 */
};

enum { SNS_AGE_MAX_S = 900, SNS_CERT_MAX = 65536, SNS_CERTS_MAX = 8 };

/* Reads a body and checks all that can be checked without the certificate. region: of the integration; empty: any. false: err
 * (401) says what is wrong. */
bool sns_read(struct arena *a, yyjson_val *body, struct str region, int64_t now_ms, struct sns_message *out, struct error *err);
/* cert: PEM. */
bool sns_verify(const struct sns_message *m, struct str cert);

/* Certificates that have verified a message; thread-safe. Zero-initialise but for the lock. */
struct sns_certs {
    pthread_mutex_t lock;
    struct { char *url, *pem; } list[SNS_CERTS_MAX];
    size_t next;
};
void sns_certs_init(struct sns_certs *c);
void sns_certs_free(struct sns_certs *c);
/* p NULL: it is not known. */
struct str sns_certs_get(struct sns_certs *c, struct arena *a, struct str url);
void sns_certs_put(struct sns_certs *c, struct str url, struct str pem);

#endif
