/* Writes header fields: folding, encoded words, parameters. */
#include "delivery/mail_header.h"

#include "delivery/reply_text.h"

enum { LINE_SOFT = 76, WORD_MAX = 75, TOKEN_MAX = 900, PARAM_PLAIN_MAX = 60, PARAM_CHUNK = 58 };

/* Characters on the line that is being written. */
static size_t column(const struct buf *b)
{
    size_t i = b->n;
    while (i && b->p[i - 1] != '\n')
        i--;
    return b->n - i;
}

struct str header_clean(struct arena *a, struct str value)
{
    struct buf b = {.arena = a};
    struct str s = reply_text_clean(a, value, value.n * 3);
    for (size_t i = 0; i < s.n; i++) {
        bool control = (unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f;
        if (!control)
            buf_char(&b, s.p[i]);
        else if (b.n && b.p[b.n - 1] != ' ')
            buf_char(&b, ' ');
    }
    return str_trim(buf_finish(&b));
}

/* Can stand as it is: printable ASCII, no word too long for a line, nothing that looks like an encoded word. */
static bool is_plain(struct str s)
{
    size_t word = 0;
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] >= 0x7f || (unsigned char)s.p[i] < ' ')
            return false;
        word = s.p[i] == ' ' ? 0 : word + 1;
        if (word > TOKEN_MAX)
            return false;
    }
    return str_find(s, STR("=?")) < 0;
}

/* RFC 2047 Q words. Each holds whole characters (§5) and at most 75 (§2). */
static void words_encoded(struct buf *b, struct str s)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t room = 0;
    for (size_t i = 0; i < s.n;) {
        size_t len = utf8_char_len(s.p + i, s.n - i), cost = 0;
        len = len ? len : 1;
        char out[12];
        for (size_t k = 0; k < len; k++) {
            unsigned char c = (unsigned char)s.p[i + k];
            bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '/';
            if (safe || c == ' ') {
                out[cost++] = c == ' ' ? '_' : (char)c;
            } else {
                out[cost++] = '=';
                out[cost++] = hex[c >> 4];
                out[cost++] = hex[c & 15];
            }
        }
        if (room < cost) {
            size_t at = column(b);
            if (i)
                buf_z(b, "?=");
            if (i || at + 24 > LINE_SOFT) {
                buf_z(b, "\r\n ");
                at = 1;
            }
            buf_z(b, "=?UTF-8?Q?");
            room = (LINE_SOFT - at < WORD_MAX ? LINE_SOFT - at : WORD_MAX) - 12;
        }
        buf_add(b, out, cost);
        room -= cost;
        i += len;
    }
    if (s.n)
        buf_z(b, "?=");
}

/* Plain words, folded in front of the white space that was there, so that unfolding gives the value back. */
static void words_plain(struct buf *b, struct str s)
{
    size_t line = column(b), start = b->n;
    for (size_t i = 0; i < s.n;) {
        size_t end = i;
        while (end < s.n && s.p[end] == ' ')
            end++;
        while (end < s.n && s.p[end] != ' ')
            end++;
        if (line + (end - i) > LINE_SOFT && b->n > start && s.p[i] == ' ') {
            buf_z(b, "\r\n");
            line = 0;
        }
        buf_add(b, s.p + i, end - i);
        line += end - i;
        i = end;
    }
}

void header_text(struct buf *b, const char *name, struct str value)
{
    struct str s = header_clean(b->arena, value);
    buf_z(b, name);
    buf_z(b, s.n ? ": " : ":");
    if (is_plain(s))
        words_plain(b, s);
    else
        words_encoded(b, s);
    buf_z(b, "\r\n");
}

/* The display name: a phrase of atoms, else a quoted string, else encoded words (RFC 5322 §3.2.5, RFC 2047 §5). */
static void phrase(struct buf *b, struct str s)
{
    bool atoms = true;
    if (!is_plain(s) || s.n > WORD_MAX) {
        words_encoded(b, s);
        return;
    }
    for (size_t i = 0; i < s.n; i++)
        atoms &= !strchr("()<>[]:;@\\,.\"", s.p[i]);
    if (atoms) {
        buf_str(b, s);
        return;
    }
    buf_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_char(b, '\\');
        buf_char(b, s.p[i]);
    }
    buf_char(b, '"');
}

void header_mailboxes(struct buf *b, const char *name, const struct mailbox *list, size_t n)
{
    buf_z(b, name);
    buf_z(b, ":");
    for (size_t i = 0; i < n; i++) {
        const struct mailbox *m = &list[i];
        size_t width = m->name.n ? m->name.n + 1 : m->spec.n;
        if (i)
            buf_char(b, ',');
        buf_z(b, i && column(b) + width + 2 > LINE_SOFT ? "\r\n " : " ");
        if (!m->name.n) {
            buf_str(b, m->spec);
            continue;
        }
        phrase(b, m->name);
        buf_z(b, column(b) + m->spec.n + 4 > LINE_SOFT ? "\r\n " : " ");
        buf_fmt(b, "<%.*s>", STR_ARG(m->spec));
    }
    buf_z(b, "\r\n");
}

/* What the message builder writes itself, or what is a relay's or a signer's to write. */
static bool name_is_structural(struct str name)
{
    static const char *const names[] = {
        "from", "to", "cc", "bcc", "reply-to", "subject", "message-id", "date", "mime-version", "content-type",
        "content-transfer-encoding", "content-disposition", "content-id", "content-description", "return-path",
        "received", "dkim-signature"
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eq_nocase(name, str_of(names[i])))
            return true;
    return name.n >= 7 && str_eq_nocase(str_sub(name, 0, 7), STR("resent-"));
}

static bool name_is_token(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] >= 0x7f || name.p[i] == ':')
            return false;
    return name.n && name.n <= 70;
}

bool header_custom(struct buf *b, struct str name, struct str value, struct error *err)
{
    if (!name_is_token(name))
        return error_set(err, ERROR_BAD_INPUT, "A custom e-mail header has an invalid name.");
    if (name_is_structural(name))
        return error_set(err, ERROR_BAD_INPUT, "The e-mail header \"%.*s\" cannot be set as a custom header.",
                         STR_ARG(name));
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] == '\r' || value.p[i] == '\n' || value.p[i] == 0)
            return error_set(err, ERROR_BAD_INPUT, "The e-mail header \"%.*s\" contains a line break or NUL.",
                             STR_ARG(name));
    size_t word = 0;
    for (size_t i = 0; i < value.n; i++) {
        word = value.p[i] == ' ' ? 0 : word + 1;
        if (word > TOKEN_MAX)
            return error_set(err, ERROR_TOO_LARGE, "The e-mail header \"%.*s\" has a word longer than %d bytes.",
                             STR_ARG(name), TOKEN_MAX);
    }
    header_text(b, str_z(b->arena, name), value);
    return true;
}

/* RFC 2231: charset, percent-encoding, continuations; each part on a line of its own. */
static void param_extended(struct buf *b, const char *name, struct str value)
{
    size_t room = 0;
    int part = 0;
    for (size_t i = 0; i < value.n;) {
        size_t len = utf8_char_len(value.p + i, value.n - i);
        struct buf c = {.arena = b->arena};
        len = len ? len : 1;
        for (size_t k = 0; k < len; k++) {
            unsigned char x = (unsigned char)value.p[i + k];
            bool attr = (x >= 'a' && x <= 'z') || (x >= 'A' && x <= 'Z') || (x >= '0' && x <= '9') || x == '.' || x == '-'
                || x == '_';
            if (attr)
                buf_char(&c, (char)x);
            else
                buf_fmt(&c, "%%%02X", x);
        }
        if (room < c.n) {
            buf_fmt(b, ";\r\n %s*%d*=%s", name, part, part ? "" : "utf-8''");
            part++;
            room = PARAM_CHUNK - 7;
        }
        buf_str(b, buf_get(&c));
        room -= c.n;
        i += len;
    }
}

void header_param(struct buf *b, const char *name, struct str value)
{
    struct str s = header_clean(b->arena, value);
    if (!is_plain(s) || s.n > PARAM_PLAIN_MAX) {
        param_extended(b, name, s);
        return;
    }
    buf_fmt(b, "%s%s=\"", column(b) + strlen(name) + s.n + 5 > LINE_SOFT ? ";\r\n " : "; ", name);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_char(b, '\\');
        buf_char(b, s.p[i]);
    }
    buf_char(b, '"');
}
