/* Provider answers are cleaned, masked and cut before anybody sees them. */
#include "delivery/reply_text.h"

#include "base/crypto.h"

enum { SECRET_LEN_MIN = 4, SECRETS_MAX = 64, SECRET_DEPTH_MAX = 4 };

size_t utf8_char_len(const char *p, size_t n)
{
    unsigned char c = n ? (unsigned char)p[0] : 0xff;
    size_t len = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    return len && len <= n && str_is_utf8((struct str){p, len}) ? len : 0;
}

struct str reply_text_clean(struct arena *a, struct str s, size_t max)
{
    struct buf b = {.arena = a};
    buf_reserve(&b, (s.n < max ? s.n : max) + 4);
    for (size_t i = 0; i < s.n;) {
        size_t len = utf8_char_len(s.p + i, s.n - i);
        bool good = len && s.p[i];
        struct str c = good ? (struct str){s.p + i, len} : STR("\xef\xbf\xbd");
        if (b.n + c.n > max)
            break;
        buf_str(&b, c);
        i += len ? len : 1;
    }
    return buf_finish(&b);
}

static bool name_is_secret(struct str name)
{
    static const char *const words[] = {"key", "secret", "token", "pass", "serviceaccount", "signature"};
    char low[64];
    size_t n = name.n < sizeof low ? name.n : sizeof low;
    for (size_t i = 0; i < n; i++)
        low[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (str_find((struct str){low, n}, str_of(words[i])) >= 0)
            return true;
    /* "headers" are custom header values, Authorization among them (providers.json meta.secretKeys). */
    return str_eq((struct str){low, n}, STR("headers"));
}

static void secret_add(struct secrets *s, struct str text)
{
    if (text.n >= SECRET_LEN_MIN && s->n < SECRETS_MAX)
        s->item[s->n++] = text;
}

static struct str percent_encode(struct arena *a, struct str s)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c);
        if (plain && c)
            buf_char(&b, (char)c);
        else
            buf_fmt(&b, "%%%02X", c);
    }
    return buf_finish(&b);
}

void secrets_add_text(struct arena *a, struct secrets *s, struct str text)
{
    struct str encoded = percent_encode(a, text);
    secret_add(s, text);
    secret_add(s, base64_encode(a, text));
    if (!str_eq(text, encoded))
        secret_add(s, encoded);
}

static void secrets_walk(struct arena *a, struct secrets *s, yyjson_val *v, bool inside, int depth)
{
    size_t i, n;
    yyjson_val *key, *member;
    if (depth > SECRET_DEPTH_MAX)
        return;
    if (inside && yyjson_is_str(v))
        secrets_add_text(a, s, json_str(v));
    yyjson_obj_foreach(v, i, n, key, member)
        secrets_walk(a, s, member, inside || name_is_secret(json_str(key)), depth + 1);
    yyjson_arr_foreach(v, i, n, member)
        secrets_walk(a, s, member, inside, depth + 1);
}

struct secrets secrets_of(struct arena *a, yyjson_val *credentials)
{
    struct secrets s = {.item = ARENA_ARRAY(a, struct str, SECRETS_MAX)};
    struct str user = json_get_str(credentials, "user"), from = json_get_str(credentials, "from");
    struct str password = json_get_str(credentials, "password");
    if (password.n) {
        struct buf plain = {.arena = a}, office = {.arena = a};
        buf_char(&plain, 0), buf_str(&plain, user), buf_char(&plain, 0), buf_str(&plain, password);
        buf_char(&office, 0), buf_str(&office, from), buf_char(&office, 0), buf_str(&office, password);
        secret_add(&s, base64_encode(a, buf_get(&plain)));
        secret_add(&s, base64_encode(a, buf_get(&office)));
    }
    secrets_walk(a, &s, credentials, false, 0);
    return s;
}

void secrets_add(struct arena *a, struct secrets *s, yyjson_val *v)
{
    secrets_walk(a, s, v, false, 0);
}

/* The longest secret that begins here, so that one which is the beginning of another leaves no rest. */
static size_t secret_at(const struct secrets *secrets, struct str rest)
{
    size_t longest = 0;
    for (size_t i = 0; i < secrets->n; i++)
        if (secrets->item[i].n > longest && str_starts(rest, secrets->item[i]))
            longest = secrets->item[i].n;
    return longest;
}

struct str reply_text_safe(struct arena *a, const struct secrets *secrets, struct str s)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < s.n && b.n < REPLY_TEXT_MAX;) {
        size_t n = secrets ? secret_at(secrets, str_sub(s, i, s.n)) : 0;
        if (n)
            buf_z(&b, "***");
        else
            buf_char(&b, s.p[i]);
        i += n ? n : 1;
    }
    return reply_text_clean(a, buf_get(&b), REPLY_TEXT_MAX);
}
