/* yyjson on arenas. */
#include "base/json.h"

#include "base/clock.h"

static void *alc_malloc(void *ctx, size_t n)
{
    return arena_alloc_raw(ctx, n);
}

static void *alc_realloc(void *ctx, void *p, size_t old, size_t n)
{
    return arena_grow(ctx, p, old, n);
}

static void alc_free(void *ctx, void *p)
{
    (void)ctx;
    (void)p;
}

static yyjson_alc alc_of(struct arena *a)
{
    return (yyjson_alc){alc_malloc, alc_realloc, alc_free, a};
}

typedef uint8_t lanes __attribute__((vector_size(16)));

/* '{' and '[', sixteen bytes at a time: they differ in one bit. A lane that is equal is -1. */
static size_t opening_brackets(struct str s)
{
    size_t n = 0, i = 0;
    while (i + sizeof(lanes) <= s.n) {
        lanes sum = {0}, v;
        for (int k = 0; k < 255 && i + sizeof v <= s.n; k++, i += sizeof v) {      /* no lane overflows */
            memcpy(&v, s.p + i, sizeof v);
            sum -= (lanes)((v | 0x20) == '{');
        }
        for (size_t k = 0; k < sizeof sum; k++)
            n += sum[k];
    }
    for (; i < s.n; i++)
        n += (s.p[i] | 0x20) == '{';
    return n;
}

/* Nesting of brackets outside of strings, without recursion. Most texts have too few of them to be deep. */
static bool too_deep(struct str s)
{
    int depth = 0;
    if (opening_brackets(s) <= JSON_DEPTH_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '"':
            for (i++; i < s.n && s.p[i] != '"'; i++)
                i += s.p[i] == '\\';
            break;
        case '{': case '[':
            if (++depth > JSON_DEPTH_MAX)
                return true;
            break;
        case '}': case ']':
            depth--;
            break;
        default:
            break;
        }
    }
    return false;
}

bool json_parse(struct arena *a, struct str text, yyjson_val **root, struct error *err)
{
    yyjson_alc alc = alc_of(a);
    yyjson_read_err why = {0};
    if (too_deep(text))
        return error_set(err, ERROR_BAD_INPUT, "JSON is nested deeper than %d levels", JSON_DEPTH_MAX);
    /* yyjson takes a char * but changes it only with YYJSON_READ_INSITU. */
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)text.p, text.n, YYJSON_READ_NOFLAG, &alc, &why);
    if (!doc)
        return error_set(err, ERROR_BAD_INPUT, "Unexpected token in JSON at position %zu: %s", why.pos,
                         why.msg ? why.msg : "invalid");
    *root = yyjson_doc_get_root(doc);
    return true;
}

yyjson_mut_doc *json_doc(struct arena *a)
{
    yyjson_alc alc = alc_of(a);
    return yyjson_mut_doc_new(&alc);
}

struct str json_write(struct arena *a, const yyjson_val *v)
{
    yyjson_alc alc = alc_of(a);
    size_t n = 0;
    char *p = v ? yyjson_val_write_opts(v, YYJSON_WRITE_INF_AND_NAN_AS_NULL, &alc, &n, NULL) : NULL;
    return (struct str){p, n};
}

struct str json_write_mut(struct arena *a, const yyjson_mut_val *v)
{
    yyjson_alc alc = alc_of(a);
    size_t n = 0;
    char *p = v ? yyjson_mut_val_write_opts(v, YYJSON_WRITE_INF_AND_NAN_AS_NULL, &alc, &n, NULL) : NULL;
    return (struct str){p, n};
}

yyjson_val *json_frozen(struct arena *a, const yyjson_mut_val *v)
{
    yyjson_alc alc = alc_of(a);
    return yyjson_doc_get_root(yyjson_mut_val_imut_copy((yyjson_mut_val *)(uintptr_t)v, &alc));
}

/* A read object is its own value, then key and value of each member; what a value holds stands right behind it, and containers
 * know how many bytes they are. */
static yyjson_val *made_room(struct json_made *m, size_t values)
{
    size_t need = (m->n ? m->n : 1) + values;           /* the first is the object */
    if (need > m->cap) {
        size_t cap = need < 32 ? 32 : need * 2;
        m->v = arena_grow(m->arena, m->v, m->cap * sizeof *m->v, cap * sizeof *m->v);
        m->cap = cap;
    }
    yyjson_val *at = m->v + need - values;
    m->n = need;
    return at;
}

static yyjson_val *made_member(struct json_made *m, struct str key, size_t values)
{
    yyjson_val *at = made_room(m, values + 1);
    unsafe_yyjson_set_strn(at, key.p, key.n);
    m->members++;
    return at + 1;
}

void json_made_str(struct json_made *m, struct str key, struct str s)
{
    yyjson_val *v = made_member(m, key, 1);
    if (s.p)
        unsafe_yyjson_set_strn(v, s.p, s.n);
    else
        unsafe_yyjson_set_null(v);
}

void json_made_bool(struct json_made *m, struct str key, bool b)
{
    unsafe_yyjson_set_bool(made_member(m, key, 1), b);
}

void json_made_val(struct json_made *m, struct str key, yyjson_val *v)
{
    if (!v)
        return;
    size_t n = (size_t)(unsafe_yyjson_get_next(v) - v);
    memcpy(made_member(m, key, n), v, n * sizeof *v);
}

yyjson_val *json_made_end(struct json_made *m)
{
    if (!m->n)
        made_room(m, 0);
    m->v->tag = (uint64_t)m->members << YYJSON_TAG_BIT | YYJSON_TYPE_OBJ;
    m->v->uni.ofs = m->n * sizeof *m->v;
    return m->v;
}

yyjson_val *json_getn(yyjson_val *v, struct str key)
{
    yyjson_val *found = NULL;
    if (!yyjson_is_obj(v))
        return NULL;
    size_t n = unsafe_yyjson_get_len(v);        /* keys are texts: nothing of them needs to be asked */
    for (yyjson_val *k = unsafe_yyjson_get_first(v); n; n--, k = unsafe_yyjson_get_next(k + 1))
        if (unsafe_yyjson_get_len(k) == key.n && bytes_same(unsafe_yyjson_get_str(k), key.p, key.n))
            found = k + 1;
    return found;
}

void json_members(yyjson_val *v, const struct str *names, size_t n, yyjson_val **out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = NULL;
    if (!yyjson_is_obj(v))
        return;
    size_t left = unsafe_yyjson_get_len(v);
    for (yyjson_val *k = unsafe_yyjson_get_first(v); left; left--, k = unsafe_yyjson_get_next(k + 1))
        for (size_t i = 0; i < n; i++)
            if (unsafe_yyjson_get_len(k) == names[i].n && bytes_same(unsafe_yyjson_get_str(k), names[i].p, names[i].n))
                out[i] = k + 1;
}

yyjson_val *json_path(yyjson_val *v, struct str path)
{
    while (v && path.n) {
        ptrdiff_t dot = str_find(path, STR("."));
        struct str head = str_sub(path, 0, dot < 0 ? path.n : (size_t)dot);
        int64_t at;
        path = dot < 0 ? STR_NULL : str_sub(path, (size_t)dot + 1, path.n);
        if (yyjson_is_arr(v))
            v = str_to_i64(head, &at) && at >= 0 ? yyjson_arr_get(v, (size_t)at) : NULL;
        else
            v = json_getn(v, head);
    }
    return v;
}

bool json_get_bool(yyjson_val *v, const char *key, bool otherwise)
{
    yyjson_val *m = json_get(v, key);
    return yyjson_is_bool(m) ? yyjson_get_bool(m) : otherwise;
}

int64_t json_get_int(yyjson_val *v, const char *key, int64_t otherwise)
{
    yyjson_val *m = json_get(v, key);
    if (yyjson_is_int(m))
        return yyjson_get_sint(m);
    if (yyjson_is_real(m)) {
        double x = yyjson_get_real(m);
        if (x >= -9e15 && x <= 9e15)
            return (int64_t)x;
    }
    return otherwise;
}

void json_add_str(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key, struct str s)
{
    yyjson_mut_obj_add(obj, yyjson_mut_str(d, key), json_mut_str(d, s));
}

void json_add_id(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key, struct id id)
{
    char hex[ID_HEX + 1];
    id_hex(id, hex);
    yyjson_mut_obj_add_strncpy(d, obj, key, hex, ID_HEX);
}

void json_add_time(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key, int64_t ms)
{
    char iso[TIME_ISO_LEN + 1];
    time_iso(ms, iso);
    yyjson_mut_obj_add_strncpy(d, obj, key, iso, TIME_ISO_LEN);
}

void json_add_time_if(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key, int64_t ms)
{
    if (ms)
        json_add_time(d, obj, key, ms);
}

void json_add_time_or_null(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key, int64_t ms)
{
    if (ms)
        json_add_time(d, obj, key, ms);
    else
        json_add_str(d, obj, key, STR_NULL);
}

void json_add_times(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key, yyjson_val *list)
{
    yyjson_mut_val *out = json_add_arr(d, obj, key);
    yyjson_val *at;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((at = yyjson_arr_iter_next(&it))) {
        char iso[TIME_ISO_LEN + 1];
        time_iso(yyjson_get_sint(at), iso);
        yyjson_mut_arr_add_strncpy(d, out, iso, TIME_ISO_LEN);
    }
}

void json_add_text(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key, struct str json)
{
    if (json.n)
        yyjson_mut_obj_add(obj, yyjson_mut_str(d, key), yyjson_mut_rawn(d, json.p, json.n));
}

void json_add_val(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key, yyjson_val *v)
{
    if (v)
        yyjson_mut_obj_add(obj, yyjson_mut_str(d, key), yyjson_val_mut_copy(d, v));
}

/* A byte of the word is marked if it is 0; what is marked above the first one may be wrong. */
static uint64_t zero_bytes(uint64_t word)
{
    return (word - 0x0101010101010101) & ~word & 0x8080808080808080;
}

/* The first byte from i on that a JSON string escapes, or the end. */
static size_t plain_until(struct str s, size_t i)
{
    for (uint64_t word; i + 8 <= s.n; i += 8) {
        memcpy(&word, s.p + i, 8);
        uint64_t control = (word - 0x2020202020202020) & ~word & 0x8080808080808080;
        if (control | zero_bytes(word ^ 0x2222222222222222) | zero_bytes(word ^ 0x5c5c5c5c5c5c5c5c))
            break;
    }
    while (i < s.n && (unsigned char)s.p[i] >= 0x20 && s.p[i] != '"' && s.p[i] != '\\')
        i++;
    return i;
}

void json_quote(struct buf *b, struct str s)
{
    static const char hex[] = "0123456789abcdef";
    size_t from = 0;
    buf_char(b, '"');
    for (size_t i = 0; (i = plain_until(s, i)) < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        buf_add(b, s.p + from, i - from);
        from = i + 1;
        switch (c) {
        case '"': buf_z(b, "\\\""); break;
        case '\\': buf_z(b, "\\\\"); break;
        case '\n': buf_z(b, "\\n"); break;
        case '\r': buf_z(b, "\\r"); break;
        case '\t': buf_z(b, "\\t"); break;
        case '\b': buf_z(b, "\\b"); break;
        case '\f': buf_z(b, "\\f"); break;
        default: buf_z(b, "\\u00"); buf_char(b, hex[c >> 4]); buf_char(b, hex[c & 15]);
        }
    }
    buf_add(b, s.p + from, s.n - from);
    buf_char(b, '"');
}

void json_put(struct buf *b, const char *key, struct str s)
{
    buf_add(b, ",\"", 2);
    buf_z(b, key);
    buf_add(b, "\":", 2);
    if (s.p)
        json_quote(b, s);
    else
        buf_add(b, "null", 4);
}
