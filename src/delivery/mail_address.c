/* Checks e-mail addresses (RFC 5321 §4.1.2, RFC 6531) and turns their domains into ASCII. */
#include "delivery/mail_address.h"

#include <unicode/uidna.h>

#include "delivery/mail_header.h"
#include "delivery/reply_text.h"

enum { LOCAL_MAX = 64, DOMAIN_MAX = 255, LABEL_MAX = 63, COLONS_MAX = 100 };

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool domain_to_ascii(struct arena *a, struct str domain, struct str *out, struct error *err)
{
    if (is_ascii(domain)) {
        *out = domain;
        return true;
    }
    char ascii[DOMAIN_MAX + 1];
    UErrorCode code = U_ZERO_ERROR;
    UIDNAInfo info = UIDNA_INFO_INITIALIZER;
    UIDNA *idna = uidna_openUTS46(UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_CHECK_BIDI, &code);
    int32_t n = U_SUCCESS(code) && domain.n <= DOMAIN_MAX * 4
        ? uidna_nameToASCII_UTF8(idna, domain.p, (int32_t)domain.n, ascii, sizeof ascii, &info, &code) : 0;
    uidna_close(idna);
    if (U_FAILURE(code) || info.errors || n <= 0 || n > DOMAIN_MAX)
        return error_set(err, ERROR_BAD_INPUT, "\"%.*s\" is not a valid domain name.",
                         (int)(domain.n < 200 ? domain.n : 200), domain.p);
    *out = str_dup(a, (struct str){ascii, (size_t)n});
    return true;
}

static bool local_is_dot_atom(struct str s)
{
    bool dot = true;                    /* no dot at the beginning, none after another */
    for (size_t i = 0; i < s.n;) {
        size_t len = utf8_char_len(s.p + i, s.n - i);
        char c = s.p[i];
        if (len == 0 || (c == '.' && dot))
            return false;
        if (len == 1 && !is_alnum(c) && (c == 0 || !strchr(".!#$%&'*+-/=?^_`{|}~", c)))
            return false;
        dot = c == '.';
        i += len;
    }
    return s.n && !dot;
}

static bool local_is_quoted(struct str s)
{
    if (s.n < 3 || s.p[0] != '"' || s.p[s.n - 1] != '"')
        return false;
    for (size_t i = 1; i + 1 < s.n; i++) {
        if (s.p[i] == '\\' && i + 2 < s.n)
            i++;
        else if (s.p[i] == '"' || s.p[i] == '\\')
            return false;
        /* Angle brackets are legal here but would confuse the reader of the envelope command. */
        if (s.p[i] < ' ' || s.p[i] == 0x7f || s.p[i] == '<' || s.p[i] == '>')
            return false;
    }
    return is_ascii(s);
}

static bool domain_is_literal(struct str s)
{
    if (s.n < 4 || s.p[0] != '[' || s.p[s.n - 1] != ']')
        return false;
    for (size_t i = 1; i + 1 < s.n; i++)
        if (!is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != ':' && s.p[i] != '-')
            return false;
    return true;
}

static bool domain_is_name(struct str s)
{
    size_t label = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '.') {
            if (label == 0 || s.p[i - 1] == '-')
                return false;
            label = 0;
            continue;
        }
        if ((!is_alnum(s.p[i]) && s.p[i] != '_' && (s.p[i] != '-' || label == 0)) || ++label > LABEL_MAX)
            return false;
    }
    return label && s.p[s.n - 1] != '-' && s.n <= DOMAIN_MAX;
}

bool mailbox_read(struct arena *a, const struct delivery_address *from, struct mailbox *out, struct error *err)
{
    struct str email = str_trim(from->email), domain = STR_NULL, why = reply_text_clean(a, email, 120);
    size_t at = email.n;
    while (at && email.p[at - 1] != '@')
        at--;
    struct str local = str_sub(email, 0, at ? at - 1 : 0);
    if (at && domain_to_ascii(a, str_sub(email, at, email.n), &domain, NULL) && local.n <= LOCAL_MAX
        && (local_is_dot_atom(local) || local_is_quoted(local)) && (domain_is_name(domain) || domain_is_literal(domain))) {
        *out = (struct mailbox){.name = header_clean(a, from->name), .domain = domain, .is_utf8 = !is_ascii(local),
                                .spec = str_fmt(a, "%.*s@%.*s", STR_ARG(local), STR_ARG(domain))};
        return true;
    }
    why = header_clean(a, why);
    return error_set(err, ERROR_BAD_INPUT, "\"%.*s\" is not a valid e-mail address.", STR_ARG(why));
}

bool mailboxes_read(struct arena *a, const struct delivery_address *list, size_t n, struct mailbox **out,
                    struct error *err)
{
    size_t colons = 0;
    if (n > MAIL_RECIPIENTS_MAX)
        return error_set(err, ERROR_BAD_INPUT, "More than %d addresses in one header.", MAIL_RECIPIENTS_MAX);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < list[i].name.n; k++)
            colons += list[i].name.p[k] == ':';
        for (size_t k = 0; k < list[i].email.n; k++)
            colons += list[i].email.p[k] == ':';
    }
    if (colons > COLONS_MAX)
        return error_set(err, ERROR_BAD_INPUT, "Email address header rejected: exceeds safe complexity for parsing "
                         "(nodemailer address-parser mitigation)");
    *out = ARENA_ARRAY(a, struct mailbox, n);
    for (size_t i = 0; i < n; i++)
        if (!mailbox_read(a, &list[i], &(*out)[i], err))
            return false;
    return true;
}
