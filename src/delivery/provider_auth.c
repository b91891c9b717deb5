/* How requests to providers say who we are: signatures, tokens (providers.md §4.1, §4.5, §4.6). */
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <time.h>

#include "base/crypto.h"
#include "delivery/provider_private.h"

void header_put(struct header_list *h, struct str name, struct str value)
{
    name = str_trim(name);
    value = str_trim(value);
    if (!name.n || !value.n)
        return;
    for (size_t i = 0; i < h->n; i++)
        if (str_eq_nocase(h->list[i].name, name)) {
            h->list[i].value = value;
            return;
        }
    if (h->n < HTTP_HEADERS_MAX)
        h->list[h->n++] = (struct http_header){name, value};
}

static struct str header_get(const struct header_list *h, const char *name)
{
    for (size_t i = 0; i < h->n; i++)
        if (str_eq_nocase(h->list[i].name, str_of(name)))
            return h->list[i].value;
    return STR("");
}

/* "host", "/path?query" of a URL. */
static void url_split(struct str url, struct str *host, struct str *path)
{
    ptrdiff_t scheme = str_find(url, STR("://"));
    struct str rest = scheme < 0 ? url : str_sub(url, (size_t)scheme + 3, url.n);
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
        n++;
    *host = str_sub(rest, 0, n);
    *path = n < rest.n ? str_sub(rest, n, rest.n) : STR("/");
}

static struct str at_time(struct arena *a, const char *format, int64_t ms)
{
    char s[64];
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(s, sizeof s, format, &tm);
    return str_dup(a, str_of(s));
}

/* --- AWS ------------------------------------------------------------------------------------------------------------------ */

void sign_sigv4(struct arena *a, const struct signing *s, struct str service, struct str region, struct str key, struct str secret)
{
    struct str host, path, date = at_time(a, "%Y%m%dT%H%M%SZ", s->now_ms), day = str_sub(date, 0, 8);
    uint8_t mac[32];
    url_split(s->url, &host, &path);
    struct str scope = str_fmt(a, "%.*s/%.*s/%.*s/aws4_request", STR_ARG(day), STR_ARG(region), STR_ARG(service));
    struct str canonical = str_fmt(a, "%.*s\n%.*s\n\ncontent-type:%.*s\nhost:%.*s\nx-amz-date:%.*s\n\ncontent-type;host;x-amz-date\n%.*s",
                                   STR_ARG(s->method), STR_ARG(path), STR_ARG(header_get(s->headers, "content-type")), STR_ARG(host),
                                   STR_ARG(date), STR_ARG(crypto_sha256_hex(a, s->body)));
    struct str to_sign = str_fmt(a, "AWS4-HMAC-SHA256\n%.*s\n%.*s\n%.*s", STR_ARG(date), STR_ARG(scope),
                                 STR_ARG(crypto_sha256_hex(a, canonical)));
    struct str chain[] = {day, region, service, STR("aws4_request")};
    struct str k = str_fmt(a, "AWS4%.*s", STR_ARG(secret));
    for (size_t i = 0; i < 4; i++) {
        crypto_hmac_sha256(k, chain[i], mac);
        k = str_dup(a, (struct str){(const char *)mac, sizeof mac});
    }
    header_put(s->headers, STR("X-Amz-Date"), date);
    header_put(s->headers, STR("Authorization"),
               str_fmt(a, "AWS4-HMAC-SHA256 Credential=%.*s/%.*s, SignedHeaders=content-type;host;x-amz-date, Signature=%.*s",
                       STR_ARG(key), STR_ARG(scope), STR_ARG(crypto_hmac_sha256_hex(a, k, to_sign))));
}

/* --- Azure ----------------------------------------------------------------------------------------------------------------- */

bool sign_azure(struct arena *a, const struct signing *s, struct str key)
{
    struct str host, path, plain, date = at_time(a, "%a, %d %b %Y %H:%M:%S GMT", s->now_ms);
    uint8_t hash[32], mac[32];
    url_split(s->url, &host, &path);
    if (!base64_decode(a, key, &plain) || !plain.n)
        return false;
    crypto_sha256(s->body, hash);
    struct str digest = base64_encode(a, (struct str){(const char *)hash, sizeof hash});
    crypto_hmac_sha256(plain, str_fmt(a, "%.*s\n%.*s\n%.*s;%.*s;%.*s", STR_ARG(s->method), STR_ARG(path), STR_ARG(date), STR_ARG(host),
                                      STR_ARG(digest)), mac);
    header_put(s->headers, STR("x-ms-date"), date);
    header_put(s->headers, STR("x-ms-content-sha256"), digest);
    header_put(s->headers, STR("Authorization"),
               str_fmt(a, "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=%.*s",
                       STR_ARG(base64_encode(a, (struct str){(const char *)mac, sizeof mac}))));
    return true;
}

/* --- JWT -------------------------------------------------------------------------------------------------------------------- */

/* A key that was pasted on one line has its line breaks as "\n". */
static struct str with_lines(struct arena *a, struct str pem)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < pem.n; i++) {
        bool escaped = pem.p[i] == '\\' && i + 1 < pem.n && pem.p[i + 1] == 'n';
        buf_char(&b, escaped ? '\n' : pem.p[i]);
        i += escaped;
    }
    return buf_finish(&b);
}

/* ECDSA signatures are DER; JWS wants r and s, 32 bytes each. */
static bool ecdsa_raw(const unsigned char *der, size_t n, unsigned char out[64])
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
    bool ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32) == 32 && BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32) == 32;
    ECDSA_SIG_free(sig);
    return ok;
}

static struct str signed_with(struct arena *a, EVP_PKEY *key, bool ec, struct str text)
{
    unsigned char sig[1024], raw[64];
    size_t n = sizeof sig;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1
           && EVP_DigestSign(ctx, sig, &n, (const unsigned char *)text.p, text.n) == 1 && (!ec || ecdsa_raw(sig, n, raw));
    EVP_MD_CTX_free(ctx);
    if (!ok)
        return STR_NULL;
    return base64url_encode(a, ec ? (struct str){(const char *)raw, sizeof raw} : (struct str){(const char *)sig, n});
}

struct str jwt_sign_key(struct arena *a, struct str alg, struct str kid, struct str claims, struct str pem)
{
    bool ec = str_eqz(alg, "ES256");
    struct buf head = {.arena = a};
    struct str key_text = with_lines(a, pem), sig = STR_NULL;
    buf_fmt(&head, "{\"alg\":\"%s\",\"typ\":\"JWT\"", ec ? "ES256" : "RS256");
    if (kid.n) {
        buf_z(&head, ",\"kid\":");
        json_quote(&head, kid);
    }
    buf_char(&head, '}');
    struct str signed_part = str_fmt(a, "%.*s.%.*s", STR_ARG(base64url_encode(a, buf_finish(&head))), STR_ARG(base64url_encode(a, claims)));
    BIO *bio = BIO_new_mem_buf(key_text.p ? key_text.p : "", (int)key_text.n);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)(uintptr_t)"") : NULL;
    if (key && EVP_PKEY_get_base_id(key) == (ec ? EVP_PKEY_EC : EVP_PKEY_RSA))
        sig = signed_with(a, key, ec, signed_part);
    EVP_PKEY_free(key);
    BIO_free(bio);
    return sig.p ? str_fmt(a, "%.*s.%.*s", STR_ARG(signed_part), STR_ARG(sig)) : STR_NULL;
}

/* --- tokens ----------------------------------------------------------------------------------------------------------------- */

enum { TOKENS_MAX = 256 };

struct token_cache {
    struct kept {
        char key[65];
        char *token;
        size_t n;
        int64_t until_ms;
    } list[TOKENS_MAX];
    size_t n;
};

struct token_cache *token_cache_create(void)
{
    struct token_cache *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    return c;
}

static void kept_free(struct kept *k)
{
    if (k->token)
        OPENSSL_cleanse(k->token, k->n);
    free(k->token);
    *k = (struct kept){.n = 0};
}

void token_cache_destroy(struct token_cache *c)
{
    for (size_t i = 0; c && i < c->n; i++)
        kept_free(&c->list[i]);
    free(c);
}

static struct kept *kept_find(const struct token_cache *c, struct str key)
{
    for (size_t i = 0; i < c->n; i++)
        if (str_eqz(key, c->list[i].key))
            return (struct kept *)(uintptr_t)&c->list[i];
    return NULL;
}

struct str token_cache_get(const struct token_cache *c, struct arena *a, struct str key, int64_t now_ms)
{
    struct kept *k = kept_find(c, key);
    return k && k->token && now_ms < k->until_ms ? str_dup(a, (struct str){k->token, k->n}) : STR_NULL;
}

void token_cache_put(struct token_cache *c, struct str key, struct str token, int64_t until_ms)
{
    struct kept *k = kept_find(c, key);
    if (!k && c->n < TOKENS_MAX)
        k = &c->list[c->n++];
    for (size_t i = 0; !k; i++)         /* full: the one that ends first */
        if (i + 1 == c->n) {
            k = &c->list[0];
            for (size_t j = 1; j < c->n; j++)
                k = c->list[j].until_ms < k->until_ms ? &c->list[j] : k;
        }
    kept_free(k);
    if (key.n >= sizeof k->key)
        return;
    memcpy(k->key, key.p, key.n);
    k->token = malloc(token.n + 1);
    if (!k->token)
        abort();
    memcpy(k->token, token.p, token.n);
    k->n = token.n;
    k->until_ms = until_ms;
}

void token_cache_drop(struct token_cache *c, struct str key)
{
    struct kept *k = kept_find(c, key);
    if (k)
        kept_free(k);
}
