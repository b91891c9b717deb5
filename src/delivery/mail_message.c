/* Builds a MIME message from a rendered e-mail (RFC 5322, 2045, 2387). */
#include "delivery/mail_message.h"

#include <time.h>

#include "base/crypto.h"
#include "delivery/mail_header.h"
#include "delivery/mail_text.h"

enum { BASE64_SOURCE = 57, BASE64_LINE = 76, TYPE_MAX = 200 };

struct composer {
    struct arena *arena;
    const struct delivery_email *email;
    struct buf text;                    /* the piece under construction */
    struct mail_piece *pieces;
    size_t pieces_n;
    size_t head_n;
    bool head_done;
    struct str boundary;                /* random: no template can contain it */
    int level;
};

static struct str date_field(struct arena *a, int64_t now_ms)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t t = (time_t)(now_ms / 1000);
    struct tm tm;
    gmtime_r(&t, &tm);
    return str_fmt(a, "%s, %02d %s %d %02d:%02d:%02d +0000", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
                   tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* The left side of a Message-ID: the key itself where it is a dot-atom, else its hash. */
static struct str id_left(struct arena *a, struct str key)
{
    bool atom = key.n && key.n <= 128 && key.p[0] != '.' && key.p[key.n - 1] != '.' && str_find(key, STR("..")) < 0;
    for (size_t i = 0; i < key.n && atom; i++) {
        char c = key.p[i];
        atom = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    }
    if (atom)
        return key;
    return key.n ? crypto_sha256_hex(a, key) : crypto_random_hex(a, 16);
}

/* Ends the header of an entity; the first one ends the header of the message. */
static void header_end(struct composer *c)
{
    if (!c->head_done) {
        c->head_done = true;
        c->head_n = c->text.n;
    }
    buf_z(&c->text, "\r\n");
}

static void text_piece_end(struct composer *c)
{
    if (c->text.n)
        c->pieces[c->pieces_n++] = (struct mail_piece){.bytes = buf_get(&c->text)};
    c->text = (struct buf){.arena = c->arena};
}

static int multipart_begin(struct composer *c, const char *kind, const char *parameter)
{
    int level = ++c->level;
    buf_fmt(&c->text, "Content-Type: multipart/%s;%s\r\n boundary=\"=_%d_%.*s\"\r\n", kind, parameter, level,
            STR_ARG(c->boundary));
    header_end(c);
    return level;
}

static void multipart_next(struct composer *c, int level)
{
    buf_fmt(&c->text, "\r\n--=_%d_%.*s\r\n", level, STR_ARG(c->boundary));
}

static void multipart_end(struct composer *c, int level)
{
    buf_fmt(&c->text, "\r\n--=_%d_%.*s--\r\n", level, STR_ARG(c->boundary));
}

static void put_text(struct composer *c, const char *type, struct str s)
{
    bool plain = mail_text_is_7bit(s);
    buf_fmt(&c->text, "Content-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n", type,
            plain ? "7bit" : "quoted-printable");
    header_end(c);
    if (plain)
        mail_text_lines(&c->text, s);
    else
        mail_text_quoted(&c->text, s);
}

static bool is_inline(const struct composer *c, const struct delivery_attachment *f)
{
    return f->cid.n && c->email->html.n;
}

static bool type_is_valid(struct str s)
{
    size_t slash = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == ';' && slash && i > slash + 1) {
            for (; i < s.n; i++)        /* parameters: printable ASCII will do, the field cannot be left */
                if (s.p[i] < ' ' || s.p[i] >= 0x7f)
                    return false;
            break;
        }
        if (s.p[i] == '/' && i && !slash)
            slash = i;
        else if (s.p[i] <= ' ' || s.p[i] >= 0x7f || strchr("()<>@,;:\\\"/[]?=", s.p[i]))
            return false;
    }
    return slash && slash + 1 < s.n && s.n <= TYPE_MAX;
}

/* Removes the parameter that this program writes itself. */
static struct str file_type(const struct delivery_attachment *f)
{
    struct str type = str_trim(f->mime);
    if (!type_is_valid(type))
        return STR("application/octet-stream");
    /* RFC 2046 §5.2.1: message/rfc822 must not be encoded, and a multipart cannot be; as a file they are bytes. */
    if (str_starts(type, STR("message/")) || str_starts(type, STR("multipart/")))
        return STR("application/octet-stream");
    if (str_find(type, STR("name=")) >= 0) {
        const char *semicolon = memchr(type.p, ';', type.n);
        return str_sub(type, 0, semicolon ? (size_t)(semicolon - type.p) : type.n);
    }
    return type;
}

static void put_file(struct composer *c, const struct delivery_attachment *f)
{
    struct str type = file_type(f), name = header_clean(c->arena, str_sub(f->name, 0, MAIL_NAME_MAX));
    struct buf *b = &c->text;
    if (!name.n)
        name = STR("attachment");
    buf_fmt(b, "Content-Type: %.*s", STR_ARG(type));
    header_param(b, "name", name);
    buf_fmt(b, "\r\nContent-Disposition: %s", is_inline(c, f) ? "inline" : "attachment");
    header_param(b, "filename", name);
    buf_z(b, "\r\nContent-Transfer-Encoding: base64\r\n");
    if (f->cid.n)
        buf_fmt(b, "Content-ID: <%.*s>\r\n", STR_ARG(f->cid));
    header_end(c);
    text_piece_end(c);
    if (f->content.n)
        c->pieces[c->pieces_n++] = (struct mail_piece){.bytes = f->content, .base64 = true};
}

static void put_files(struct composer *c, int level, bool inlined)
{
    for (size_t i = 0; i < c->email->attachments_n; i++) {
        if (is_inline(c, &c->email->attachments[i]) != inlined)
            continue;
        multipart_next(c, level);
        put_file(c, &c->email->attachments[i]);
    }
}

static size_t files_count(const struct composer *c, bool inlined)
{
    size_t n = 0;
    for (size_t i = 0; i < c->email->attachments_n; i++)
        n += is_inline(c, &c->email->attachments[i]) == inlined;
    return n;
}

static void put_html(struct composer *c)
{
    if (!files_count(c, true)) {
        put_text(c, "text/html", c->email->html);
        return;
    }
    int level = multipart_begin(c, "related", " type=\"text/html\";");
    multipart_next(c, level);
    put_text(c, "text/html", c->email->html);
    put_files(c, level, true);
    multipart_end(c, level);
}

static void put_content(struct composer *c)
{
    const struct delivery_email *e = c->email;
    if (!e->html.n) {
        put_text(c, "text/plain", e->text);
    } else if (!e->text.n) {
        put_html(c);
    } else {
        int level = multipart_begin(c, "alternative", "");
        multipart_next(c, level);
        put_text(c, "text/plain", e->text);
        multipart_next(c, level);
        put_html(c);
        multipart_end(c, level);
    }
}

static void put_body(struct composer *c)
{
    if (!files_count(c, false)) {
        put_content(c);
    } else {
        int level = multipart_begin(c, "mixed", "");
        multipart_next(c, level);
        put_content(c);
        put_files(c, level, false);
        multipart_end(c, level);
    }
    text_piece_end(c);
}

static bool put_custom(struct composer *c, struct error *err)
{
    size_t i, n;
    yyjson_val *key, *v;
    if (yyjson_obj_size(c->email->headers) > MAIL_HEADERS_MAX)
        return error_set(err, ERROR_BAD_INPUT, "More than %d custom e-mail headers.", MAIL_HEADERS_MAX);
    yyjson_obj_foreach(c->email->headers, i, n, key, v) {
        struct str value = yyjson_is_str(v) ? json_str(v) : json_write(c->arena, v);
        if (yyjson_is_null(v) || json_getn(c->email->headers, json_str(key)) != v)
            continue;                   /* of equal names the last one counts */
        if (yyjson_is_ctn(v))
            return error_set(err, ERROR_BAD_INPUT, "A custom e-mail header must be a string.");
        if (!header_custom(&c->text, json_str(key), value, err))
            return false;
    }
    return true;
}

struct people {
    struct mailbox from, *to, *cc, *bcc, *reply_to;
};

static bool people_read(struct composer *c, struct people *p, struct error *err)
{
    const struct delivery_email *e = c->email;
    if (!e->from.email.n)
        return error_set(err, ERROR_BAD_INPUT, "The sender's e-mail address is missing.");
    if (e->to_n + e->cc_n + e->bcc_n == 0)
        return error_set(err, ERROR_BAD_INPUT, "No recipients defined");
    if (e->to_n + e->cc_n + e->bcc_n > MAIL_RECIPIENTS_MAX)
        return error_set(err, ERROR_TOO_LARGE, "More than %d recipients.", MAIL_RECIPIENTS_MAX);
    return mailbox_read(c->arena, &e->from, &p->from, err) && mailboxes_read(c->arena, e->to, e->to_n, &p->to, err)
        && mailboxes_read(c->arena, e->cc, e->cc_n, &p->cc, err)
        && mailboxes_read(c->arena, e->bcc, e->bcc_n, &p->bcc, err)
        && mailboxes_read(c->arena, e->reply_to, e->reply_to_n, &p->reply_to, err);
}

static void rcpt_add(struct str *list, size_t *n, const struct mailbox *m, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < *n && !str_eq(list[k], m[i].spec))
            k++;
        if (k == *n)
            list[(*n)++] = m[i].spec;
    }
}

static bool files_check(const struct delivery_email *e, struct error *err)
{
    if (e->attachments_n > MAIL_ATTACHMENTS_MAX)
        return error_set(err, ERROR_TOO_LARGE, "More than %d attachments.", MAIL_ATTACHMENTS_MAX);
    for (size_t i = 0; i < e->attachments_n; i++)
        for (size_t k = 0; k < e->attachments[i].cid.n; k++) {
            char ch = e->attachments[i].cid.p[k];
            if (ch <= ' ' || ch >= 0x7f || ch == '<' || ch == '>' || k > 200)
                return error_set(err, ERROR_BAD_INPUT, "The cid of an attachment is not a valid Content-ID.");
        }
    return true;
}

static bool is_international(const struct mailbox *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].is_utf8)
            return true;
    return false;
}

/* Header order of the capture: From, To, Cc, Reply-To, Subject, Message-ID, (custom), Date, MIME-Version. */
static bool put_head(struct composer *c, const struct mail_stamp *stamp, struct mail_message *out, struct error *err)
{
    const struct delivery_email *e = c->email;
    struct people p;
    if (!people_read(c, &p, err))
        return false;
    struct buf *b = &c->text;
    header_mailboxes(b, "From", &p.from, 1);
    if (e->to_n)
        header_mailboxes(b, "To", p.to, e->to_n);
    else
        buf_z(b, "To: undisclosed-recipients:;\r\n");
    if (e->cc_n)
        header_mailboxes(b, "Cc", p.cc, e->cc_n);
    if (e->reply_to_n)
        header_mailboxes(b, "Reply-To", p.reply_to, e->reply_to_n);
    header_text(b, "Subject", e->subject);
    struct str left = id_left(c->arena, stamp->idempotency_key);
    out->message_id = str_fmt(c->arena, "<%.*s@%.*s>", STR_ARG(left), STR_ARG(p.from.domain));
    buf_fmt(b, "Message-ID: %.*s\r\n", STR_ARG(out->message_id));
    if (!put_custom(c, err))
        return false;
    struct str date = date_field(c->arena, stamp->now_ms);
    buf_fmt(b, "Date: %.*s\r\nMIME-Version: 1.0\r\n", STR_ARG(date));

    struct str *rcpt = ARENA_ARRAY(c->arena, struct str, e->to_n + e->cc_n + e->bcc_n);
    out->mail_from = p.from.spec;
    out->needs_utf8 = is_international(&p.from, 1) || is_international(p.to, e->to_n) || is_international(p.cc, e->cc_n)
        || is_international(p.bcc, e->bcc_n) || is_international(p.reply_to, e->reply_to_n);
    rcpt_add(rcpt, &out->rcpt_n, p.to, e->to_n);
    rcpt_add(rcpt, &out->rcpt_n, p.cc, e->cc_n);
    rcpt_add(rcpt, &out->rcpt_n, p.bcc, e->bcc_n);
    out->rcpt = rcpt;
    return true;
}

bool mail_compose(struct arena *a, const struct delivery_email *e, const struct mail_stamp *stamp,
                  struct mail_message *out, struct error *err)
{
    struct composer c = {.arena = a, .email = e, .text = {.arena = a}};
    *out = (struct mail_message){0};
    if (!files_check(e, err))
        return false;
    /* A text and a base64 piece a file, the last text, and the signature in front. */
    struct mail_piece *pieces = ARENA_ARRAY(a, struct mail_piece, 2 * e->attachments_n + 2);
    c.pieces = pieces + 1;
    c.boundary = crypto_random_hex(a, 16);
    if (!put_head(&c, stamp, out, err))
        return false;
    put_body(&c);
    out->pieces = c.pieces;
    out->pieces_n = c.pieces_n;
    out->head_n = c.head_n;
    if (stamp->dkim) {
        if (!mail_dkim_sign(a, out, stamp->dkim, &pieces[0].bytes, err))
            return false;
        out->pieces = pieces;
        out->pieces_n++;
        out->head_n = pieces[0].bytes.n;
    }
    return true;
}

int64_t mail_size(const struct mail_message *m)
{
    int64_t n = 0;
    for (size_t i = 0; i < m->pieces_n; i++) {
        int64_t raw = (int64_t)m->pieces[i].bytes.n;
        n += m->pieces[i].base64 ? (raw + 2) / 3 * 4 + (raw + BASE64_SOURCE - 1) / BASE64_SOURCE * 2 : raw;
    }
    return n;
}

/* One line of base64 with its CRLF. */
static size_t base64_line(const unsigned char *s, size_t n, char out[BASE64_LINE + 2])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t at = 0;
    for (size_t i = 0; i < n; i += 3) {
        unsigned v = (unsigned)s[i] << 16 | (i + 1 < n ? (unsigned)s[i + 1] << 8 : 0) | (i + 2 < n ? s[i + 2] : 0);
        out[at++] = alphabet[v >> 18];
        out[at++] = alphabet[v >> 12 & 63];
        out[at++] = i + 1 < n ? alphabet[v >> 6 & 63] : '=';
        out[at++] = i + 2 < n ? alphabet[v & 63] : '=';
    }
    out[at++] = '\r';
    out[at++] = '\n';
    return at;
}

size_t mail_read(struct mail_cursor *c, char *p, size_t n)
{
    size_t done = 0;
    while (done < n) {
        if (c->line_at < c->line_n) {
            size_t k = c->line_n - c->line_at < n - done ? c->line_n - c->line_at : n - done;
            memcpy(p + done, c->line + c->line_at, k);
            c->line_at += k;
            done += k;
            continue;
        }
        if (c->piece == c->message->pieces_n)
            break;
        const struct mail_piece *piece = &c->message->pieces[c->piece];
        size_t rest = piece->bytes.n - c->offset;
        if (!rest) {
            c->piece++;
            c->offset = 0;
        } else if (piece->base64) {
            size_t k = rest < BASE64_SOURCE ? rest : BASE64_SOURCE;
            c->line_n = base64_line((const unsigned char *)piece->bytes.p + c->offset, k, c->line);
            c->line_at = 0;
            c->offset += k;
        } else {
            size_t k = rest < n - done ? rest : n - done;
            memcpy(p + done, piece->bytes.p + c->offset, k);
            c->offset += k;
            done += k;
        }
    }
    return done;
}

struct str mail_bytes(struct arena *a, const struct mail_message *m)
{
    size_t size = (size_t)mail_size(m);
    char *p = arena_alloc_raw(a, size + 1);
    struct mail_cursor c = {.message = m};
    size_t n = mail_read(&c, p, size);
    p[n] = 0;
    return (struct str){p, n};
}
