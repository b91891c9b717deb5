/* default, JSON, Base64 and digests. */
#include "content/liquid/liquid_private.h"

#include "base/crypto.h"

#include <math.h>

#define FILTER(name) static struct value name(struct render *r, struct value in, const struct filter_args *args)

/* new Map(args): every argument must be a pair; the last of equal names counts. */
static bool allow_false(struct render *r, const struct filter_args *args)
{
    bool allowed = false;
    for (size_t i = 1; i < args->n; i++) {
        struct value pair = args->v[i];
        if (!value_is_object(pair)) {
            struct str s = value_to_js(r, pair);
            return render_fail(r, "Iterator value %.*s is not an entry object", STR_ARG(s));
        }
        struct value name = eval_property(r, pair, value_number(0));
        if (name.kind == V_STRING && str_eq(name.s, STR("allow_false")))
            allowed = value_js_truthy(eval_property(r, pair, value_number(1)));
    }
    return allowed;
}

FILTER(default_value)
{
    struct value v = value_plain(r, in), otherwise = filter_arg(args, 0);
    if (v.kind == V_STRING)
        return v.s.n ? v : otherwise;
    if (value_is_array(v))
        return array_length(v) ? v : otherwise;
    if (v.kind == V_BOOL && !v.b && allow_false(r, args))
        return v;
    return value_is_truthy(v) ? v : otherwise;
}

/* ---- JSON ---- */
/* JSON.stringify's third argument: up to ten blanks, or ten characters of a text. */
static struct str indent_of(struct value v)
{
    if (v.kind == V_NUMBER) {
        double n = isnan(v.number) || v.number < 1 ? 0 : v.number > 10 ? 10 : v.number;
        return (struct str){"          ", (size_t)n};
    }
    if (v.kind != V_STRING)
        return STR("");
    size_t i = 0, units = 0, n;
    for (; i < v.s.n && units < 10 && v.s.p[i]; i += n)     /* V8 takes a NUL for its end */
        units += text_decode(v.s, i, &n) < 0x10000 ? 1 : 2;
    return str_sub(v.s, 0, i);
}

static struct value print(struct render *r, struct value in, struct value indent, enum json_print how)
{
    struct buf b = {.arena = r->arena};
    if (!json_print(r, &b, in, indent_of(indent), how))
        return VALUE_UNDEFINED;
    return value_str(buf_get(&b));
}

FILTER(jsonify)
{
    return print(r, in, filter_arg(args, 0), JSON_PRINT_REAL);
}

/* Novu's `json` prints objects with ' for "; other values as text. */
FILTER(json)
{
    if (r->how == RENDER_STOCK)
        return print(r, in, filter_arg(args, 0), JSON_PRINT_REAL);
    if (value_is_object(in))
        return print(r, in, filter_arg(args, 0), r->json_text ? JSON_PRINT_REAL : JSON_PRINT_QUOTES);
    return value_str(value_is_nil(in) ? STR("") : value_to_js(r, in));
}

/* ---- Base64 ---- */
static struct str text_of(struct render *r, struct value v)
{
    struct str s = value_to_str(r, v);
    render_memory(r, (double)s.n * 2);
    render_scan(r, s.n);
    if (!s.n)
        return STR("");
    return r->halves ? text_join_halves(r->arena, s) : s;
}

FILTER(encode)
{
    (void)args;
    return value_str(base64_encode(r->arena, text_of(r, in)));
}

static int base64_digit(unsigned char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Bytes that are no UTF-8 become U+FFFD, one for each maximal part of a character (WHATWG Encoding). */
static struct str utf8_heal(struct arena *a, struct str s)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t need = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0, k = 1;
        for (; need > 1 && k < need && i + k < s.n; k++) {
            unsigned char x = (unsigned char)s.p[i + k], low = 0x80, high = 0xbf;
            if (k == 1) {
                low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : low;
                high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : high;
            }
            if (x < low || x > high)
                break;
        }
        if (need && k == need)
            buf_add(&b, s.p + i, k);
        else
            buf_z(&b, "\xef\xbf\xbd");
        i += k;
    }
    return str_solid(buf_get(&b));
}

FILTER(decode)
{
    struct str s = text_of(r, in);
    struct buf b = {.arena = r->arena};
    size_t digits = 0, length = 0, padding = 0;
    uint32_t bits = 0;
    bool valid = true;
    (void)args;
    for (size_t i = 0; i < s.n; i++) {
        int d = base64_digit((unsigned char)s.p[i]);
        if (s.p[i] && strchr("\t\n\f\r ", s.p[i]))
            continue;
        length++;
        padding += s.p[i] == '=';
        valid &= s.p[i] == '=' ? padding <= 2 : d >= 0 && !padding;
        if (d < 0)
            continue;
        bits = bits << 6 | (uint32_t)d;
        switch (++digits % 4) {
        case 2: buf_char(&b, (char)(bits >> 4)); break;
        case 3: buf_char(&b, (char)(bits >> 2)); break;
        case 0: buf_char(&b, (char)bits); break;
        default: break;
        }
    }
    if (!valid || (padding && length % 4) || digits % 4 == 1) {
        render_fail(r, "invalid base64 provided to base64_decode");
        return VALUE_UNDEFINED;
    }
    render_memory(r, (double)b.cap);
    return value_str(utf8_heal(r->arena, buf_get(&b)));
}

/* ---- digests ---- */
FILTER(sha256)
{
    (void)args;
    return value_str(crypto_sha256_hex(r->arena, text_of(r, in)));
}

FILTER(hmac_sha256)
{
    struct str key = text_of(r, filter_arg(args, 0));
    return value_str(crypto_hmac_sha256_hex(r->arena, key, text_of(r, in)));
}

const struct liquid_filter liquid_filters_misc[] = {
    {"default", default_value}, {"jsonify", jsonify}, {"inspect", jsonify}, {"json", json},
    {"base64_encode", encode}, {"base64_decode", decode}, {"sha256", sha256}, {"hmac_sha256", hmac_sha256}, {NULL, NULL},
};
