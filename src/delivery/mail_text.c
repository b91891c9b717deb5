/* Text bodies: line ends and quoted-printable. */
#include "delivery/mail_text.h"

enum { LINE_MAX_7BIT = 76, LINE_MAX_QP = 75 };      /* QP: one column kept for the soft break's "=" */

bool mail_text_is_7bit(struct str s)
{
    size_t line = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '\n' || c == '\r') {
            line = 0;
            continue;
        }
        if ((c < ' ' && c != '\t') || c >= 0x7f || ++line > LINE_MAX_7BIT)
            return false;
    }
    return true;
}

/* Length of the line end at i: 2, 1, or 0 where there is none. */
static size_t line_end(struct str s, size_t i)
{
    if (s.p[i] == '\r')
        return i + 1 < s.n && s.p[i + 1] == '\n' ? 2 : 1;
    return s.p[i] == '\n';
}

void mail_text_lines(struct buf *b, struct str s)
{
    bool open = false;
    buf_reserve(b, s.n + s.n / 16 + 2);
    for (size_t i = 0; i < s.n;) {
        size_t end = line_end(s, i);
        if (end)
            buf_z(b, "\r\n");
        else
            buf_char(b, s.p[i]);
        open = !end;
        i += end ? end : 1;
    }
    if (open)
        buf_z(b, "\r\n");
}

void mail_text_quoted(struct buf *b, struct str s)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t line = 0;
    bool open = false;
    buf_reserve(b, s.n + s.n / 4 + 2);
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t end = line_end(s, i);
        if (end) {
            buf_z(b, "\r\n");
            line = 0;
            open = false;
            i += end;
            continue;
        }
        bool last = i + 1 == s.n || line_end(s, i + 1);
        bool literal = (c > ' ' && c < 0x7f && c != '=') || ((c == ' ' || c == '\t') && !last);
        if (line + (literal ? 1 : 3) > LINE_MAX_QP) {
            buf_z(b, "=\r\n");
            line = 0;
        }
        if (literal) {
            buf_char(b, (char)c);
        } else {
            buf_char(b, '=');
            buf_char(b, hex[c >> 4]);
            buf_char(b, hex[c & 15]);
        }
        line += literal ? 1 : 3;
        open = true;
        i++;
    }
    if (open)
        buf_z(b, "\r\n");
}
