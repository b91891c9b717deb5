/* Checks messages of Amazon SNS. */
#include "delivery/sns.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"

/* "https://sns.<region>.amazonaws.com[.cn]/…", nothing else. */
static bool is_amazons(struct str url)
{
    struct str host = STR_NULL;
    if (!str_starts(url, STR("https://")))
        return false;
    host = str_sub(url, 8, url.n);
    for (size_t i = 0; i < host.n; i++)
        if (host.p[i] == '/')
            host.n = i;
    struct str region = str_sub(host, 4, host.n);
    if (!str_starts(host, STR("sns.")))
        return false;
    if (str_ends(region, STR(".amazonaws.com.cn")))
        region.n -= 17;
    else if (str_ends(region, STR(".amazonaws.com")))
        region.n -= 14;
    else
        return false;
    for (size_t i = 0; i < region.n; i++)
        if (!((region.p[i] >= 'a' && region.p[i] <= 'z') || (region.p[i] >= '0' && region.p[i] <= '9') || region.p[i] == '-'))
            return false;
    return region.n > 0;
}

/* "arn:aws:sns:<region>:…" */
static struct str region_of(struct str arn)
{
    for (int i = 0; i < 3; i++) {
        ptrdiff_t at = str_find(arn, STR(":"));
        arn = at < 0 ? STR("") : str_sub(arn, (size_t)at + 1, arn.n);
    }
    ptrdiff_t end = str_find(arn, STR(":"));
    return end < 0 ? STR("") : str_sub(arn, 0, (size_t)end);
}

/* Name and value of each of these that is there, a line each. */
static struct str text_signed(struct arena *a, yyjson_val *body, const char *const *names, size_t n)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < n; i++) {
        struct str v = json_get_str(body, names[i]);
        if (v.p)
            buf_fmt(&b, "%s\n%.*s\n", names[i], STR_ARG(v));
    }
    return buf_finish(&b);
}

static bool wrong(struct error *err, const char *what)
{
    return error_http(err, 401, "The message of SNS is not valid: %s", what);
}

bool sns_read(struct arena *a, yyjson_val *body, struct str region, int64_t now_ms, struct sns_message *out, struct error *err)
{
    static const char *const needed[] = {"Type", "MessageId", "TopicArn", "Timestamp", "SignatureVersion", "Signature", "SigningCertURL", "Message"};
    static const char *const notification[] = {"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"};
    static const char *const subscription[] = {"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"};
    struct str version = json_get_str(body, "SignatureVersion"), type = json_get_str(body, "Type");
    int64_t at;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!json_get_str(body, needed[i]).p)
            return wrong(err, "a member is missing");
    *out = (struct sns_message){.confirms = str_eqz(type, "SubscriptionConfirmation"), .cert_url = json_get_str(body, "SigningCertURL"),
                                .subscribe_url = json_get_str(body, "SubscribeURL"), .message = json_get_str(body, "Message"),
                                .sha256 = str_eqz(version, "2")};
    if (!out->confirms && !str_eqz(type, "Notification"))
        return wrong(err, "its type is not known");
    if (!out->sha256 && !str_eqz(version, "1"))
        return wrong(err, "its signature version is not known");
    if (!time_parse_iso(json_get_str(body, "Timestamp"), &at) || at < now_ms - SNS_AGE_MAX_S * 1000LL || at > now_ms + SNS_AGE_MAX_S * 1000LL)
        return wrong(err, "it is too old");
    if (region.n && !str_eq(region_of(json_get_str(body, "TopicArn")), region))
        return wrong(err, "the topic is of another region");
    if (!is_amazons(out->cert_url) || !str_ends(out->cert_url, STR(".pem")))
        return wrong(err, "the certificate is not Amazon's");
    if (out->confirms && !is_amazons(out->subscribe_url))
        return wrong(err, "the subscription is not Amazon's");
    if (!base64_decode(a, json_get_str(body, "Signature"), &out->signature))
        return wrong(err, "the signature is no base64");
    out->signed_text = out->confirms ? text_signed(a, body, subscription, sizeof subscription / sizeof *subscription)
                                     : text_signed(a, body, notification, sizeof notification / sizeof *notification);
    return true;
}

bool sns_verify(const struct sns_message *m, struct str cert)
{
    BIO *bio = BIO_new_mem_buf(cert.p ? cert.p : "", (int)cert.n);
    X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    EVP_PKEY *key = x ? X509_get0_pubkey(x) : NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx && key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA
             && EVP_DigestVerifyInit(ctx, NULL, m->sha256 ? EVP_sha256() : EVP_sha1(), NULL, key) == 1
             && EVP_DigestVerify(ctx, (const unsigned char *)m->signature.p, m->signature.n, (const unsigned char *)m->signed_text.p,
                                 m->signed_text.n) == 1;
    EVP_MD_CTX_free(ctx);
    X509_free(x);
    BIO_free(bio);
    return good;
}

/* --- certificates ------------------------------------------------------------------------------------------------------- */

void sns_certs_init(struct sns_certs *c)
{
    memset(c, 0, sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
}

void sns_certs_free(struct sns_certs *c)
{
    for (size_t i = 0; i < SNS_CERTS_MAX; i++) {
        free(c->list[i].url);
        free(c->list[i].pem);
    }
    pthread_mutex_destroy(&c->lock);
}

struct str sns_certs_get(struct sns_certs *c, struct arena *a, struct str url)
{
    struct str found = STR_NULL;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < SNS_CERTS_MAX; i++)
        if (c->list[i].url && str_eqz(url, c->list[i].url))
            found = str_dup(a, str_of(c->list[i].pem));
    pthread_mutex_unlock(&c->lock);
    return found;
}

void sns_certs_put(struct sns_certs *c, struct str url, struct str pem)
{
    char *key = strndup(url.p, url.n), *text = strndup(pem.p, pem.n);
    if (!key || !text)
        abort();
    pthread_mutex_lock(&c->lock);
    size_t i = c->next++ % SNS_CERTS_MAX;
    free(c->list[i].url);
    free(c->list[i].pem);
    c->list[i].url = key;
    c->list[i].pem = text;
    pthread_mutex_unlock(&c->lock);
}
