/* Addresses, names, headers, subject, bodies and files of any bytes into the message builder: it refuses or makes a
 * message whose header has exactly the fields that were asked for, in lines that no relay splits. */
#include <stdlib.h>

#include "base/crypto.h"
#include "delivery/mail_message.h"

struct input {
    const uint8_t *p;
    size_t n;
};

/* Fields are separated by 0xff, which no UTF-8 text has; two of them are one byte of data. */
static struct str take(struct input *in)
{
    size_t i = 0;
    while (i < in->n && in->p[i] != 0xff)
        i++;
    struct str s = {(const char *)in->p, i};
    in->p += i < in->n ? i + 1 : i;
    in->n -= i < in->n ? i + 1 : i;
    return s;
}

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* Every line of the head is a known field or the rest of one, no line end is bare, none is longer than 998. */
static void check_head(struct str head, bool has_header, struct str custom)
{
    static const char *const own[] = {"From:", "To:", "Cc:", "Reply-To:", "Subject:", "Message-ID:", "Date:", "MIME-Version:",
                                      "Content-Type:", "Content-Transfer-Encoding:"};
    int count[sizeof own / sizeof *own] = {0};
    for (size_t i = 0; i < head.n;) {
        size_t end = i;
        while (end < head.n && head.p[end] != '\n')
            end++;
        must(end > i && end < head.n && head.p[end - 1] == '\r' && end - i <= 999);
        must(!memchr(head.p + i, '\r', end - 1 - i) && !memchr(head.p + i, 0, end - i));
        struct str line = str_sub(head, i, end);
        bool known = line.p[0] == ' ' || (has_header && str_starts(line, custom));
        for (size_t k = 0; k < sizeof own / sizeof *own && !known; k++)
            if (str_starts(line, str_of(own[k])))
                known = ++count[k] == 1;
        must(known);
        i = end + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct input in = {p, n};
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct mail_message m;
    must(crypto_init());
    struct delivery_address from = {take(&in), take(&in)}, to = {take(&in), take(&in)}, cc = {take(&in), take(&in)};
    struct str key = take(&in), value = take(&in), id = take(&in);
    struct delivery_attachment file = {take(&in), take(&in), take(&in), take(&in)};
    yyjson_mut_doc *doc = json_doc(a);
    yyjson_mut_val *object = yyjson_mut_obj(doc);
    yyjson_mut_obj_add(object, yyjson_mut_strn(doc, key.p, key.n), yyjson_mut_strn(doc, value.p, value.n));
    yyjson_mut_doc_set_root(doc, object);
    yyjson_doc *headers = yyjson_mut_doc_imut_copy(doc, NULL);
    struct delivery_email e = {.from = from, .to = &to, .to_n = 1, .cc = &cc, .cc_n = cc.email.n > 0, .bcc = &to, .bcc_n = 1,
                               .reply_to = &from, .reply_to_n = 1, .subject = take(&in), .html = take(&in), .text = take(&in),
                               .attachments = &file, .attachments_n = file.name.n > 0,
                               .headers = key.n ? yyjson_doc_get_root(headers) : NULL};
    struct mail_stamp stamp = {.idempotency_key = id, .now_ms = 1767323045000};
    if (mail_compose(a, &e, &stamp, &m, &err)) {
        struct str custom = str_fmt(a, "%.*s:", STR_ARG(key));
        check_head(str_sub(m.pieces[0].bytes, 0, m.head_n), key.n > 0, custom);
        for (size_t i = 0; i < m.rcpt_n; i++)
            for (size_t k = 0; k < m.rcpt[i].n; k++)
                must((unsigned char)m.rcpt[i].p[k] >= ' ' && !strchr("<>", m.rcpt[i].p[k]));
        struct str all = mail_bytes(a, &m);
        must((int64_t)all.n == mail_size(&m));
        for (size_t i = 0, start = 0; i < all.n; i++)
            if (all.p[i] == '\n') {
                must(i && all.p[i - 1] == '\r' && i - start <= 999);
                start = i + 1;
            }
    }
    yyjson_doc_free(headers);
    return 0;
}
