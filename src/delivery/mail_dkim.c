/* Signs a message with DKIM: RFC 6376, rsa-sha256, relaxed header and body (providers.md §4.2). */
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/crypto.h"
#include "delivery/mail_message.h"

enum { CHUNK = 16384 };

/* Relaxed body (§3.4.4) as it streams by: runs of white space become one space, none at line ends, no empty lines
 * at the end. Lines are CRLF throughout: the composer made them. */
struct body_hash {
    EVP_MD_CTX *ctx;
    bool space, any;
    size_t lines;                       /* line ends held back */
};

static void body_feed(struct body_hash *h, const char *p, size_t n)
{
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        bool held = c == ' ' || c == '\t' || c == '\r' || c == '\n';
        h->any |= !held;
        if (!held && !h->space && !h->lines)
            continue;
        if (held) {
            EVP_DigestUpdate(h->ctx, p + from, i - from);
            from = i + 1;
            if (c == '\n') {
                h->lines++;
                h->space = false;
            } else if (c != '\r') {
                h->space = true;
            }
            continue;
        }
        for (; h->lines; h->lines--)
            EVP_DigestUpdate(h->ctx, "\r\n", 2);
        if (h->space)
            EVP_DigestUpdate(h->ctx, " ", 1);
        h->space = false;
        from = i;
    }
    EVP_DigestUpdate(h->ctx, p + from, n - from);
}

static struct str body_digest(struct arena *a, const struct mail_message *m)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    char *chunk = arena_alloc_raw(a, CHUNK);
    struct mail_cursor cursor = {.message = m, .offset = m->head_n + 2};
    struct body_hash h = {.ctx = EVP_MD_CTX_new()};
    EVP_DigestInit_ex(h.ctx, EVP_sha256(), NULL);
    for (size_t got; (got = mail_read(&cursor, chunk, CHUNK));)
        body_feed(&h, chunk, got);
    if (h.any)                          /* a body of empty lines only is the empty body */
        EVP_DigestUpdate(h.ctx, "\r\n", 2);
    EVP_DigestFinal_ex(h.ctx, digest, &n);
    EVP_MD_CTX_free(h.ctx);
    return base64_encode(a, (struct str){(const char *)digest, n});
}

/* Relaxed header (§3.4.2): name in lower case, unfolded, white space runs become one space, none at the ends. */
static void header_relaxed(struct buf *b, struct str field)
{
    const char *colon = memchr(field.p, ':', field.n);
    size_t n = colon ? (size_t)(colon - field.p) : field.n;
    bool space = false;
    size_t start;
    for (size_t i = 0; i < n; i++)
        buf_char(b, (char)(field.p[i] >= 'A' && field.p[i] <= 'Z' ? field.p[i] + 32 : field.p[i]));
    buf_char(b, ':');
    start = b->n;
    for (size_t i = n + 1; i < field.n; i++) {
        char c = field.p[i];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            space = true;
            continue;
        }
        if (space && b->n > start)
            buf_char(b, ' ');
        space = false;
        buf_char(b, c);
    }
}

static bool header_is_signed(struct str name)
{
    static const char *const names[] = {
        "from", "sender", "reply-to", "subject", "date", "message-id", "to", "cc", "mime-version", "content-type",
        "content-transfer-encoding", "content-id", "content-description", "in-reply-to", "references"
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq_nocase(name, str_of(names[i])))
            return true;
    return name.n > 5 && str_eq_nocase(str_sub(name, 0, 5), STR("list-"));
}

/* The next field of a header, with its folded lines, without its last line end. */
static struct str field_next(struct str head, size_t *at)
{
    size_t from = *at, i = from;
    while (i < head.n && !(head.p[i] == '\n' && (i + 1 == head.n || (head.p[i + 1] != ' ' && head.p[i + 1] != '\t'))))
        i++;
    *at = i + 1;
    return str_sub(head, from, i ? i - 1 : 0);
}

static bool name_is_safe(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= '0' && s.p[i] <= '9')
              || s.p[i] == '-' || s.p[i] == '_' || s.p[i] == '.'))
            return false;
    return s.n && s.n <= 255;
}

static int no_password(char *out, int size, int writing, void *ctx)
{
    (void)out, (void)size, (void)writing, (void)ctx;
    return -1;                          /* an encrypted key must not make OpenSSL ask on the terminal */
}

/* A PEM that was entered on one line has "\n" as two characters. */
static EVP_PKEY *key_read(struct arena *a, struct str pem)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < pem.n; i++) {
        bool escaped = pem.p[i] == '\\' && i + 1 < pem.n && (pem.p[i + 1] == 'n' || pem.p[i + 1] == 'r');
        buf_char(&b, escaped ? '\n' : pem.p[i]);
        i += escaped;
    }
    BIO *bio = BIO_new_mem_buf(b.n ? b.p : "", (int)b.n);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    if (key && EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

static bool rsa_sign(struct arena *a, EVP_PKEY *key, struct str text, struct str *base64)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = 0;
    unsigned char *signature = NULL;
    bool ok = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1
        && EVP_DigestSign(ctx, NULL, &n, (const unsigned char *)text.p, text.n) == 1;
    if (ok) {
        signature = arena_alloc(a, n);
        ok = EVP_DigestSign(ctx, signature, &n, (const unsigned char *)text.p, text.n) == 1;
    }
    EVP_MD_CTX_free(ctx);
    if (ok)
        *base64 = base64_encode(a, (struct str){(const char *)signature, n});
    return ok;
}

bool mail_dkim_sign(struct arena *a, const struct mail_message *m, const struct mail_dkim *dkim, struct str *field,
                    struct error *err)
{
    struct str head = str_sub(m->pieces[0].bytes, 0, m->head_n), domain, signature = STR_NULL;
    if (!domain_to_ascii(a, str_trim(dkim->domain), &domain, err))
        return false;
    struct str selector = str_trim(dkim->selector);
    if (!name_is_safe(domain) || !name_is_safe(selector))
        return error_set(err, ERROR_BAD_INPUT, "DKIM domain name or key selector is not valid.");
    EVP_PKEY *key = key_read(a, dkim->key);
    if (!key)
        return error_set(err, ERROR_BAD_INPUT, "DKIM private key is not an unencrypted RSA key in PEM format.");
    struct buf text = {.arena = a}, names = {.arena = a}, out = {.arena = a};
    size_t column = 0;
    for (size_t at = 0; at < head.n;) {
        struct str line = field_next(head, &at);
        const char *colon = memchr(line.p, ':', line.n);
        struct str name = str_sub(line, 0, colon ? (size_t)(colon - line.p) : 0);
        if (!header_is_signed(name))
            continue;
        header_relaxed(&text, line);
        buf_z(&text, "\r\n");
        if (names.n) {
            buf_z(&names, column > 55 ? ":\r\n " : ":");
            column = column > 55 ? 0 : column;
        }
        buf_str(&names, name);
        column += name.n + 1;
    }
    struct str hash = body_digest(a, m);
    buf_fmt(&out, "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n d=%.*s; q=dns/txt;\r\n s=%.*s;\r\n bh=%.*s;\r\n"
            " h=%.*s;\r\n b=", STR_ARG(domain), STR_ARG(selector), STR_ARG(hash), (int)names.n, names.p);
    header_relaxed(&text, buf_get(&out));
    bool ok = rsa_sign(a, key, buf_get(&text), &signature);
    EVP_PKEY_free(key);
    if (!ok)
        return error_set(err, ERROR_BAD_INPUT, "DKIM signing failed: the private key cannot be used with rsa-sha256.");
    for (size_t i = 0; i < signature.n; i += 72)
        buf_fmt(&out, "%s%.*s", i ? "\r\n " : "", STR_ARG(str_sub(signature, i, i + 72)));
    buf_z(&out, "\r\n");
    *field = buf_finish(&out);
    return true;
}
