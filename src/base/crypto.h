/* Hashes, signatures, randomness and secrets at rest, on libsodium and OpenSSL.
 * crypto_init must run once before any other call (id_source_init included).
 */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include "base/error.h"
#include "base/str.h"

bool crypto_init(void);

void crypto_random(void *out, size_t n);
/* n random bytes as 2n lower-case hex digits. */
struct str crypto_random_hex(struct arena *a, size_t n);
/* n characters of [0-9A-Za-z] (used like upstream's nanoid). */
struct str crypto_random_word(struct arena *a, size_t n);

void crypto_sha256(struct str s, uint8_t out[32]);
void crypto_hmac_sha256(struct str key, struct str s, uint8_t out[32]);
struct str crypto_sha256_hex(struct arena *a, struct str s);
struct str crypto_hmac_sha256_hex(struct arena *a, struct str key, struct str s);
/* "v1,<base64>", as Standard Webhooks (Svix) sign "<id>.<timestamp>.<body>"; secret: base64, with or without "whsec_" in
 * front. p NULL: it is no base64. */
struct str crypto_sign_webhook(struct arena *a, struct str secret, struct str id, struct str timestamp, struct str body);
/* A name in this process's memory for what must not be kept there itself, many times cheaper than a hash: SipHash-2-4 of 128
 * bits. Who does not know the key can neither tell anything from it nor find two texts with the same one. */
enum { CRYPTO_TAG = 16 };
void crypto_tag(const uint8_t key[CRYPTO_TAG], struct str s, uint8_t out[CRYPTO_TAG]);
/* Constant time for equal lengths. */
bool crypto_equal(struct str a, struct str b);

struct str hex_encode(struct arena *a, const void *p, size_t n);
struct str base64_encode(struct arena *a, struct str s);
struct str base64url_encode(struct arena *a, struct str s);            /* no padding */
bool base64_decode(struct arena *a, struct str s, struct str *out);    /* either alphabet, padding optional */

/* Secrets at rest: XChaCha20-Poly1305 (decisions.md 24). The sealed form is text: "v1.<key id>.<base64url>". */
struct crypto_box {
    uint8_t key[32];
    char key_id[9];                                                     /* first 8 hex digits of the key's hash */
};
void crypto_box_init(struct crypto_box *box, struct str secret);        /* any length >= 16; derived */
struct str crypto_seal(const struct crypto_box *box, struct arena *a, struct str plain);
bool crypto_open(const struct crypto_box *box, struct arena *a, struct str sealed, struct str *plain, struct error *err);

/* HS256 JSON Web Tokens (RFC 7519). claims is a JSON object; exp is checked against now_s. */
struct str jwt_sign(struct arena *a, struct str secret, struct str claims);
bool jwt_verify(struct arena *a, struct str secret, struct str token, int64_t now_s, struct str *claims);

#endif
