/* Makes up values, the same ones each time. */
#include "content/json_mock.h"

#include <math.h>

#include "base/clock.h"

enum { DEPTH_MAX = 12, SIZE_MAX_VALUES = 2000 };

struct mocker {
    struct arena *a;
    yyjson_mut_doc *d;
    yyjson_val *root;
    int64_t now;
    int made;                       /* lists in lists end somewhere */
};

/* The first row of which the name has a word. */
struct guess { const char *words[8]; const char *text; };

static const struct guess text_guesses[] = {
    {{"email", "mail"}, "user@example.com"},
    {{"url", "uri", "link", "href", "website", "site", "domain"}, "https://example.com"},
    {{"firstname", "first_name", "givenname"}, "John"},
    {{"lastname", "last_name", "surname", "familyname"}, "Doe"},
    {{"name"}, "John Doe"},
    {{"position", "role"}, "Software Engineer"},
    {{"address", "street"}, "123 Main Street"},
    {{"city", "town"}, "New York"},
    {{"state", "province", "region", "county"}, "NY"},
    {{"country", "nation"}, "United States"},
    {{"zip", "postal", "postcode"}, "10001"},
    {{"phone", "mobile", "cell", "tel"}, "+1-555-123-4567"},
    {{"company", "organization", "org", "business", "employer"}, "Example Corp"},
    {{"department", "division", "team"}, "Engineering"},
    {{"id", "uuid", "guid", "key"}, "example-id-123456"},
    {{"description", "desc", "summary", "about"}, "This is an example description with some sample content."},
    {{"message", "text", "content", "body", "note", "comment"}, "This is an example message."},
    {{"subject", "topic", "headline", "header"}, "Example Subject"},
    {{"color", "colour"}, "#3B82F6"},
    {{"money", "price", "cost", "amount", "value", "fee"}, "99.99"},
    {{"currency"}, "$"},
    {{"status", "stage", "phase"}, "active"},
    {{"type", "kind", "category", "class"}, "standard"},
    {{"language", "lang", "locale"}, "en_US"},
    {{"version", "revision", "build"}, "1.0.0"},
    {{"file", "path"}, "example-file.txt"},
};
static const struct { const char *words[6]; double number; } number_guesses[] = {
    {{"age", "year"}, 25}, {{"count", "quantity", "qty", "num"}, 5}, {{"price", "cost", "amount", "value", "fee", "salary"}, 99.99},
    {{"percent", "rate", "ratio"}, 15}, {{"weight", "height", "length", "width", "size"}, 100.5},
};

static bool has_word(struct str name, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n && words[i]; i++)
        if (str_find(name, str_of(words[i])) >= 0)
            return true;
    return false;
}

static struct str lowered(struct arena *a, struct str s)
{
    char *p = str_z(a, s);
    for (size_t i = 0; i < s.n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (char)(p[i] + 32);
    return (struct str){p, s.n};
}

static struct str iso_of(struct mocker *m, size_t from, size_t to)
{
    char iso[TIME_ISO_LEN + 1];
    time_iso(m->now, iso);
    return str_dup(m->a, str_sub(str_of(iso), from, to));
}

static struct str mock_text(struct mocker *m, struct str name, struct str format)
{
    static const struct { const char *format, *text; } formats[] = {
        {"email", "user@example.com"}, {"uri", "https://example.com"}, {"url", "https://example.com"},
        {"uuid", "123e4567-e89b-12d3-a456-426614174000"}, {"hostname", "example.com"}, {"ipv4", "192.0.2.1"}, {"ipv6", "2001:db8::1"}};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (str_eqz(format, formats[i].format))
            return str_of(formats[i].text);
    if (str_eqz(format, "date-time"))
        return iso_of(m, 0, TIME_ISO_LEN);
    if (str_eqz(format, "date"))
        return iso_of(m, 0, 10);
    if (str_eqz(format, "time"))
        return iso_of(m, 11, 19);
    for (size_t i = 0; i < sizeof text_guesses / sizeof *text_guesses; i++)
        if (has_word(name, text_guesses[i].words, 8))
            return str_of(text_guesses[i].text);
    static const char *const dates[] = {"date", "created", "updated", "modified", "timestamp", "time"};
    return has_word(name, dates, 6) ? iso_of(m, 0, TIME_ISO_LEN) : STR("example text");
}

static yyjson_mut_val *mock_number(struct mocker *m, yyjson_val *schema, struct str name, bool integer)
{
    yyjson_val *low = json_get(schema, "minimum"), *high = json_get(schema, "maximum");
    double n = integer ? 42 : 42.5;
    if (yyjson_is_num(low) && yyjson_is_num(high)) {
        n = floor((yyjson_get_num(low) + yyjson_get_num(high)) / 2);
    } else if (yyjson_is_num(low)) {
        n = fmax(yyjson_get_num(low), 42);
    } else if (yyjson_is_num(high)) {
        n = fmin(yyjson_get_num(high), 42);
    } else {
        for (size_t i = 0; i < sizeof number_guesses / sizeof *number_guesses; i++)
            if (has_word(name, number_guesses[i].words, 6)) {
                n = number_guesses[i].number;
                break;
            }
    }
    if (integer)
        n = floor(n);
    return n == floor(n) && fabs(n) < 9e15 ? yyjson_mut_sint(m->d, (int64_t)n) : yyjson_mut_real(m->d, n);
}

static yyjson_mut_val *mock_boolean(struct mocker *m, struct str name)
{
    static const char *const off[] = {"disabled", "deleted", "archived", "hidden"};
    return yyjson_mut_bool(m->d, !has_word(name, off, 4));
}

static yyjson_mut_val *mock(struct mocker *m, yyjson_val *schema, struct str name, int depth);

static yyjson_mut_val *mock_object(struct mocker *m, yyjson_val *schema, int depth)
{
    yyjson_mut_val *o = yyjson_mut_obj(m->d);
    yyjson_val *k;
    yyjson_obj_iter it = yyjson_obj_iter_with(json_get(schema, "properties"));
    while (depth < DEPTH_MAX && (k = yyjson_obj_iter_next(&it)))
        yyjson_mut_obj_add(o, yyjson_val_mut_copy(m->d, k), mock(m, yyjson_obj_iter_get_val(k), lowered(m->a, json_str(k)), depth + 1));
    return o;
}

static yyjson_mut_val *mock_array(struct mocker *m, yyjson_val *schema, struct str name, int depth)
{
    yyjson_mut_val *list = yyjson_mut_arr(m->d);
    yyjson_val *items = json_get(schema, "items");
    int64_t least = json_get_int(schema, "minItems", 1), most = json_get_int(schema, "maxItems", 3);
    int64_t n = least > most ? least : most;
    n = n < 3 ? n : least < 3 ? 3 : least < 10 ? least : 10;
    for (int64_t i = 0; i < n && depth < DEPTH_MAX && items; i++)
        yyjson_mut_arr_append(list, mock(m, yyjson_is_arr(items) ? yyjson_arr_get(items, (size_t)i) : items, name, depth + 1));
    return list;
}

/* What the author gave; NULL: nothing. */
static yyjson_val *given(yyjson_val *schema)
{
    yyjson_val *v = json_get(schema, "default");
    if (!v)
        v = json_get(schema, "const");
    if (!v)
        v = yyjson_arr_get_first(json_get(schema, "examples"));
    if (!v)
        v = json_get(schema, "example");
    return v ? v : yyjson_arr_get_first(json_get(schema, "enum"));
}

/* The first type that is not null. */
static struct str type_of(yyjson_val *schema)
{
    yyjson_val *type = json_get(schema, "type"), *e;
    yyjson_arr_iter it = yyjson_arr_iter_with(type);
    while ((e = yyjson_arr_iter_next(&it)))
        if (!str_eqz(json_str(e), "null"))
            return json_str(e);
    if (!type && json_get(schema, "properties"))
        return STR("object");
    return json_str(type);
}

static yyjson_val *referred(struct mocker *m, yyjson_val *schema)
{
    struct str ref = json_get_str(schema, "$ref");
    if (str_starts(ref, STR("#/")))
        return yyjson_ptr_getn(m->root, ref.p + 1, ref.n - 1);
    static const char *const choices[] = {"anyOf", "oneOf", "allOf"};
    for (size_t i = 0; i < 3; i++)
        if (!type_of(schema).n && json_get(schema, choices[i]))
            return yyjson_arr_get_first(json_get(schema, choices[i]));
    return NULL;
}

static yyjson_mut_val *mock(struct mocker *m, yyjson_val *schema, struct str name, int depth)
{
    yyjson_val *v = given(schema), *other = v ? NULL : referred(m, schema);
    struct str type = type_of(schema);
    if (++m->made > SIZE_MAX_VALUES || depth > DEPTH_MAX)
        return yyjson_mut_null(m->d);
    if (v)
        return yyjson_val_mut_copy(m->d, v);
    if (other)
        return mock(m, other, name, depth + 1);
    if (str_eqz(type, "object"))
        return mock_object(m, schema, depth);
    if (str_eqz(type, "array"))
        return mock_array(m, schema, name, depth);
    if (str_eqz(type, "number") || str_eqz(type, "integer"))
        return mock_number(m, schema, name, str_eqz(type, "integer"));
    if (str_eqz(type, "boolean"))
        return mock_boolean(m, name);
    if (str_eqz(type, "string"))
        return json_mut_str(m->d, mock_text(m, name, json_get_str(schema, "format")));
    return yyjson_mut_null(m->d);
}

yyjson_mut_val *json_mock(struct arena *a, yyjson_mut_doc *d, yyjson_val *schema, int64_t now_ms)
{
    struct mocker m = {.a = a, .d = d, .root = schema, .now = now_ms};
    return mock(&m, schema, STR_NULL, 0);
}
