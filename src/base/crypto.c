/* Cryptography comes from libsodium; OpenSSL stays with libcurl (TLS). */
#include "base/crypto.h"

#include <sodium.h>

#include "base/json.h"

bool crypto_init(void)
{
    return sodium_init() >= 0;
}

void crypto_random(void *out, size_t n)
{
    randombytes_buf(out, n);
}

struct str hex_encode(struct arena *a, const void *p, size_t n)
{
    char *out = arena_alloc_raw(a, 2 * n + 1);
    sodium_bin2hex(out, 2 * n + 1, p, n);
    return (struct str){out, 2 * n};
}

struct str crypto_random_hex(struct arena *a, size_t n)
{
    void *p = arena_alloc_raw(a, n);
    randombytes_buf(p, n);
    return hex_encode(a, p, n);
}

struct str crypto_random_word(struct arena *a, size_t n)
{
    static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    char *p = arena_alloc_raw(a, n + 1);
    for (size_t i = 0; i < n; i++)
        p[i] = alphabet[randombytes_uniform(sizeof alphabet - 1)];
    p[n] = 0;
    return (struct str){p, n};
}

void crypto_sha256(struct str s, uint8_t out[32])
{
    crypto_hash_sha256(out, (const unsigned char *)s.p, s.n);
}

void crypto_tag(const uint8_t key[CRYPTO_TAG], struct str s, uint8_t out[CRYPTO_TAG])
{
    crypto_shorthash_siphashx24(out, (const unsigned char *)s.p, s.n, key);
}

void crypto_hmac_sha256(struct str key, struct str s, uint8_t out[32])
{
    crypto_auth_hmacsha256_state st;
    if (!key.p)
        key = STR("");              /* libsodium copies from the key, even nothing */
    crypto_auth_hmacsha256_init(&st, (const unsigned char *)key.p, key.n);
    crypto_auth_hmacsha256_update(&st, (const unsigned char *)s.p, s.n);
    crypto_auth_hmacsha256_final(&st, out);
}

struct str crypto_sha256_hex(struct arena *a, struct str s)
{
    uint8_t h[32];
    crypto_sha256(s, h);
    return hex_encode(a, h, sizeof h);
}

struct str crypto_hmac_sha256_hex(struct arena *a, struct str key, struct str s)
{
    uint8_t h[32];
    crypto_hmac_sha256(key, s, h);
    return hex_encode(a, h, sizeof h);
}

struct str crypto_sign_webhook(struct arena *a, struct str secret, struct str id, struct str timestamp, struct str body)
{
    struct str key;
    uint8_t mac[32];
    if (!base64_decode(a, str_starts(secret, STR("whsec_")) ? str_sub(secret, 6, secret.n) : secret, &key))
        return STR_NULL;
    crypto_hmac_sha256(key, str_fmt(a, "%.*s.%.*s.%.*s", STR_ARG(id), STR_ARG(timestamp), STR_ARG(body)), mac);
    return str_fmt(a, "v1,%.*s", STR_ARG(base64_encode(a, (struct str){(const char *)mac, sizeof mac})));
}

bool crypto_equal(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || sodium_memcmp(a.p, b.p, a.n) == 0);
}

static struct str encode64(struct arena *a, struct str s, int variant)
{
    size_t n = sodium_base64_encoded_len(s.n, variant);
    char *p = arena_alloc_raw(a, n);
    sodium_bin2base64(p, n, (const unsigned char *)s.p, s.n, variant);
    return str_of(p);
}

struct str base64_encode(struct arena *a, struct str s)
{
    return encode64(a, s, sodium_base64_VARIANT_ORIGINAL);
}

struct str base64url_encode(struct arena *a, struct str s)
{
    return encode64(a, s, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

bool base64_decode(struct arena *a, struct str s, struct str *out)
{
    char *text = arena_copy(a, s.p, s.n);
    size_t n = s.n;
    while (n && text[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++)
        text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    unsigned char *bin = arena_alloc_raw(a, n + 1);
    size_t len = 0;
    if (sodium_base642bin(bin, n + 1, text, n, NULL, &len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING))
        return false;
    bin[len] = 0;
    *out = (struct str){(char *)bin, len};
    return true;
}

void crypto_box_init(struct crypto_box *box, struct str secret)
{
    uint8_t h[32];
    char hex[65];
    static const char context[] = "carillon credentials v1";
    crypto_generichash(box->key, sizeof box->key, (const unsigned char *)secret.p, secret.n,
                       (const unsigned char *)context, sizeof context - 1);
    crypto_hash_sha256(h, box->key, sizeof box->key);
    sodium_bin2hex(hex, sizeof hex, h, sizeof h);
    memcpy(box->key_id, hex, 8);
    box->key_id[8] = 0;
}

enum { NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES };

struct str crypto_seal(const struct crypto_box *box, struct arena *a, struct str plain)
{
    uint8_t *raw = arena_alloc_raw(a, NONCE + plain.n + TAG);
    unsigned long long n = 0;
    randombytes_buf(raw, NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(raw + NONCE, &n, (const unsigned char *)plain.p, plain.n,
                                               (const unsigned char *)box->key_id, 8, NULL, raw, box->key);
    struct str text = base64url_encode(a, (struct str){(char *)raw, NONCE + (size_t)n});
    return str_fmt(a, "v1.%s.%.*s", box->key_id, STR_ARG(text));
}

bool crypto_open(const struct crypto_box *box, struct arena *a, struct str sealed, struct str *plain, struct error *err)
{
    struct str raw;
    if (sealed.n < 12 || !str_starts(sealed, STR("v1.")) || sealed.p[11] != '.')
        return error_set(err, ERROR_INTERNAL, "A stored secret has an unknown form");
    if (memcmp(sealed.p + 3, box->key_id, 8))
        return error_set(err, ERROR_INTERNAL, "A stored secret was sealed with another key (%.8s)", sealed.p + 3);
    if (!base64_decode(a, str_sub(sealed, 12, sealed.n), &raw) || raw.n < NONCE + TAG)
        return error_set(err, ERROR_INTERNAL, "A stored secret is damaged");
    unsigned char *out = arena_alloc_raw(a, raw.n - NONCE);
    unsigned long long n = 0;
    const unsigned char *in = (const unsigned char *)raw.p;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, &n, NULL, in + NONCE, raw.n - NONCE,
                                                   (const unsigned char *)box->key_id, 8, in, box->key))
        return error_set(err, ERROR_INTERNAL, "A stored secret is damaged");
    *plain = (struct str){arena_copy(a, out, (size_t)n), (size_t)n};
    return true;
}

/* {"alg":"HS256","typ":"JWT"} */
static const char jwt_header[] = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

static struct str jwt_signature(struct arena *a, struct str secret, struct str signed_part)
{
    uint8_t mac[32];
    crypto_hmac_sha256(secret, signed_part, mac);
    return base64url_encode(a, (struct str){(char *)mac, sizeof mac});
}

struct str jwt_sign(struct arena *a, struct str secret, struct str claims)
{
    struct str body = base64url_encode(a, claims);
    struct str part = str_fmt(a, "%s.%.*s", jwt_header, STR_ARG(body));
    struct str sig = jwt_signature(a, secret, part);
    return str_fmt(a, "%.*s.%.*s", STR_ARG(part), STR_ARG(sig));
}

bool jwt_verify(struct arena *a, struct str secret, struct str token, int64_t now_s, struct str *claims)
{
    const char *dot1 = token.n ? memchr(token.p, '.', token.n) : NULL;
    const char *dot2 = dot1 ? memrchr(token.p, '.', token.n) : NULL;
    struct str head, sig;
    yyjson_val *h, *c;
    if (!dot1 || dot2 == dot1 || token.n > 8192)
        return false;
    struct str part = {token.p, (size_t)(dot2 - token.p)};
    sig = str_sub(token, part.n + 1, token.n);
    if (!base64_decode(a, (struct str){token.p, (size_t)(dot1 - token.p)}, &head) || !json_parse(a, head, &h, NULL)
        || !str_eq(json_get_str(h, "alg"), STR("HS256")))
        return false;
    if (!crypto_equal(sig, jwt_signature(a, secret, part)))
        return false;
    if (!base64_decode(a, (struct str){dot1 + 1, (size_t)(dot2 - dot1 - 1)}, claims) || !json_parse(a, *claims, &c, NULL))
        return false;
    int64_t exp = json_get_int(c, "exp", -1), nbf = json_get_int(c, "nbf", 0);
    return yyjson_is_obj(c) && exp > now_s && nbf <= now_s;
}
