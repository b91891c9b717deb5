/* JSON Schema: the official test suite, ajv's recorded errors, defaults, removals, limits and Novu's answer. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "content/jsonschema/fit.h"
#include "support/data.h"

static bool file_read(struct arena *a, const char *path, struct str *out)
{
    FILE *f = fopen(path, "rb");
    struct buf b = {.arena = a};
    if (!f)
        return false;
    for (size_t n = 1; n;) {
        buf_reserve(&b, 65536);
        n = fread(b.p + b.n, 1, 65536, f);
        b.n += n;
    }
    fclose(f);
    *out = buf_get(&b);
    return true;
}

/* The suite's http://localhost:1234/ is a folder here. */
static bool remote(void *user, struct arena *a, struct str uri, yyjson_val **document)
{
    struct str text, host = STR("http://localhost:1234/");
    (void)user;
    if (!str_starts(uri, host))
        return false;
    struct str path = str_fmt(a, "%s/json-schema/remotes/%.*s", TESTDATA, STR_ARG(str_sub(uri, host.n, uri.n)));
    return file_read(a, path.p, &text) && json_parse(a, text, document, NULL);
}

/* ---- the official suite ---- */

struct tally {
    size_t passed, failed;
    yyjson_val *allowed;        /* [[file, group, test, …]…]: what ajv itself answers otherwise; NULL: nothing */
};

/* Beside ajv's own differences: PCRE2 knows no lookbehind of variable length. */
static bool is_allowed(const struct tally *t, struct str file, struct str group, struct str test)
{
    yyjson_val *f;
    size_t i, n;
    yyjson_arr_foreach(t->allowed, i, n, f) {
        struct str name = json_str(yyjson_arr_get(f, 2));
        if (str_eq(json_str(yyjson_arr_get(f, 0)), file) && str_eq(json_str(yyjson_arr_get(f, 1)), group) &&
            (str_eqz(name, "*") || str_eq(name, test)))
            return true;
    }
    return t->allowed && str_ends(file, STR("ecmascript-regex.json")) && str_eqz(test, "a variable-width lookbehind (ES2018)");
}

/* The quick answer is right or there is none: yes to what is valid and stays as it is, no to the rest. Where the validation
 * proper gives up, any is. */
static bool quick_agrees(const struct jsonschema *s, yyjson_val *value, const struct jsonschema_options *o, unsigned answers[3])
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct jsonschema_result r;
    struct error err = {0};
    enum schema_fit quick = schema_fits(s, value, o, a);
    answers[quick]++;
    if (quick == FIT_UNDECIDED || !jsonschema_validate(s, value, o, a, json_doc(a), &r, &err))
        return true;
    return (r.valid && str_eq(json_write_mut(a, r.value), json_write(a, value))) == (quick == FIT_YES);
}

static bool quick_agrees_always(const struct jsonschema *s, yyjson_val *value, unsigned answers[3])
{
    struct jsonschema_options defaults = {.use_defaults = true, .all_errors = true}, removes = {.remove_additional = true};
    return quick_agrees(s, value, NULL, answers) && quick_agrees(s, value, &defaults, answers) &&
           schema_fits(s, value, &removes, NULL) == FIT_UNDECIDED;
}

static bool case_passes(const struct jsonschema *s, yyjson_val *test)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct jsonschema_result r;
    struct error err = {0};
    return s && jsonschema_validate(s, json_get(test, "data"), NULL, a, json_doc(a), &r, &err) &&
           r.valid == json_get_bool(test, "valid", false) && quick_agrees_always(s, json_get(test, "data"), (unsigned[3]){0});
}

static void suite_file(const char *folder, const char *name, enum jsonschema_dialect dialect, bool formats, struct tally *tally)
{
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    struct str path = str_fmt(a, "%s/json-schema/tests/%s/%s", TESTDATA, folder, name);
    yyjson_val *groups = data_json(a, path.p), *group, *test;
    size_t i, n, k, m;
    struct jsonschema_compile_options o = {.dialect = dialect, .ignore_formats = !formats, .resolve = remote};
    yyjson_arr_foreach(groups, i, n, group) {
        struct error err = {0};
        struct jsonschema *s = jsonschema_compile(a, json_get(group, "schema"), &o, &err);
        yyjson_arr_foreach(json_get(group, "tests"), k, m, test) {
            if (case_passes(s, test)) {
                tally->passed++;
                continue;
            }
            struct str file = str_fmt(a, "%s/%s", folder, name);
            if (is_allowed(tally, file, json_get_str(group, "description"), json_get_str(test, "description")))
                continue;
            tally->failed++;
            printf("%s/%s: %s: %s %s\n", folder, name, yyjson_get_str(json_get(group, "description")),
                   yyjson_get_str(json_get(test, "description")), err.message);
        }
    }
}

static struct tally suite_folder(const char *folder, enum jsonschema_dialect dialect, bool formats, yyjson_val *allowed)
{
    char path[512];
    struct tally tally = {.allowed = allowed};
    struct dirent *entry;
    snprintf(path, sizeof path, "%s/json-schema/tests/%s", TESTDATA, folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)))
        if (str_ends(str_of(entry->d_name), STR(".json")))
            suite_file(folder, entry->d_name, dialect, formats, &tally);
    closedir(dir);
    return tally;
}

static void required_tests_of_draft7(void **state)
{
    (void)state;
    struct tally t = suite_folder("draft7", JSONSCHEMA_DRAFT7, false, NULL);
    assert_int_equal(t.failed, 0);
    assert_true(t.passed > 900);
}

static void required_tests_of_2020_12(void **state)
{
    (void)state;
    struct tally t = suite_folder("draft2020-12", JSONSCHEMA_2020_12, false, NULL);
    assert_int_equal(t.failed, 0);
    assert_true(t.passed > 1200);
}

/* Where the optional tests and ajv disagree (formats, mostly), Novu's users have ajv's answer; all others must pass. */
static void optional_tests_as_ajv(void **state)
{
    (void)state;
    static const struct {
        const char *folder;
        enum jsonschema_dialect dialect;
    } folders[] = {
        {"draft7/optional", JSONSCHEMA_DRAFT7}, {"draft2020-12/optional", JSONSCHEMA_2020_12},
        {"draft7/optional/format", JSONSCHEMA_DRAFT7}, {"draft2020-12/optional/format", JSONSCHEMA_2020_12},
    };
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    yyjson_val *allowed = json_get(data_json(a, TESTDATA "/json-schema/ajv_differences.json"), "failures");
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        struct tally t = suite_folder(folders[i].folder, folders[i].dialect, true, allowed);
        assert_int_equal(t.failed, 0);
        assert_true(t.passed > 100);
    }
}

/* ---- ajv's errors ---- */

static void errors_are_ajvs(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    yyjson_val *cases = data_json(a, TESTDATA "/json-schema/ajv_messages.json"), *c;
    struct jsonschema_options o = {.all_errors = true};
    size_t i, n;
    yyjson_arr_foreach(cases, i, n, c) {
        struct error err = {0};
        struct jsonschema_result r;
        yyjson_mut_doc *d = json_doc(a);
        struct jsonschema *s = jsonschema_compile(a, json_get(c, "schema"), NULL, &err);
        if (!s || !jsonschema_validate(s, json_get(c, "value"), &o, a, d, &r, &err))
            fail_msg("case %zu: %s", i, err.message);
        yyjson_val *got = data_literal(a, str_z(a, json_write_mut(a, jsonschema_errors_json(&r, d))));
        if (!yyjson_equals(got, json_get(c, "errors")))
            fail_msg("got %.*s\nwant %.*s", STR_ARG(json_write(a, got)), STR_ARG(json_write(a, json_get(c, "errors"))));
    }
}

/* Random schemas and values: errors, defaults and removals as ajv 8.20.0 gave them. */
static void random_cases_as_ajv(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    yyjson_val *cases = data_json(a, TESTDATA "/json-schema/ajv_recorded.json"), *c;
    size_t i, n;
    assert_true(yyjson_arr_size(cases) >= 490);
    yyjson_arr_foreach(cases, i, n, c) {
        struct error err = {0};
        struct jsonschema_result r;
        struct jsonschema_compile_options co = {.dialect = json_get_bool(c, "d2020", false) ? JSONSCHEMA_2020_12 : JSONSCHEMA_DRAFT7};
        struct jsonschema_options o = {json_get_bool(c, "all", false), json_get_bool(c, "defaults", false),
                                       json_get_bool(c, "remove", false)};
        yyjson_mut_doc *d = json_doc(a);
        yyjson_val *want = json_get(c, "want");
        struct jsonschema *s = jsonschema_compile(a, json_get(c, "schema"), &co, &err);
        if (!s || !jsonschema_validate(s, json_get(c, "value"), &o, a, d, &r, &err))
            fail_msg("case %zu: %s", i, err.message);
        assert_true(quick_agrees_always(s, json_get(c, "value"), (unsigned[3]){0}));
        yyjson_val *errors = data_literal(a, str_z(a, json_write_mut(a, jsonschema_errors_json(&r, d))));
        yyjson_val *value = data_literal(a, str_z(a, json_write_mut(a, r.value)));
        if (r.valid != json_get_bool(want, "valid", false) || !yyjson_equals(errors, json_get(want, "errors")) ||
            !yyjson_equals(value, json_get(want, "value")))
            fail_msg("case %zu: got %.*s %.*s\nwant %.*s", i, STR_ARG(json_write(a, errors)), STR_ARG(json_write(a, value)),
                     STR_ARG(json_write(a, want)));
    }
}

/* ---- what the options do ---- */

struct outcome {
    struct str value, errors;
    bool valid;
};

static struct outcome outcome_of(struct arena *a, const char *schema, const char *value, struct jsonschema_options o)
{
    struct error err = {0};
    struct jsonschema_result r;
    yyjson_mut_doc *d = json_doc(a);
    struct jsonschema *s = jsonschema_compile(a, data_literal(a, schema), NULL, &err);
    if (!s || !jsonschema_validate(s, data_literal(a, value), &o, a, d, &r, &err))
        fail_msg("%s: %s", schema, err.message);
    return (struct outcome){json_write_mut(a, r.value), json_write_mut(a, jsonschema_errors_short(&r, d)), r.valid};
}

static void assert_same(struct str got, const char *want)
{
    if (!str_eqz(got, want))
        fail_msg("got %.*s\nwant %s", STR_ARG(got), want);
}

static void defaults_are_written_into_a_copy(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct jsonschema_options o = {.use_defaults = true, .all_errors = true};
    struct outcome r = outcome_of(a, "{\"properties\":{\"a\":{\"default\":1},\"o\":{\"default\":{},\"properties\":{\"x\":"
        "{\"default\":[2]}}},\"n\":{\"default\":3}},\"required\":[\"a\"]}", "{\"n\":null}", o);
    assert_true(r.valid);
    assert_same(r.value, "{\"n\":null,\"a\":1,\"o\":{\"x\":[2]}}");
    r = outcome_of(a, "{\"anyOf\":[{\"properties\":{\"a\":{\"default\":1}}}]}", "{}", o);
    assert_same(r.value, "{}");
    r = outcome_of(a, "{\"allOf\":[{\"properties\":{\"a\":{\"default\":1}}}],\"items\":[{\"default\":7}]}", "{}", o);
    assert_same(r.value, "{\"a\":1}");
    r = outcome_of(a, "{\"properties\":{\"a\":{\"default\":1}},\"required\":[\"a\"]}", "{}", (struct jsonschema_options){0});
    assert_false(r.valid);
    assert_same(r.value, "{}");
}

static void refused_additions_are_removed(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct jsonschema_options o = {.remove_additional = true};
    struct outcome r = outcome_of(a, "{\"properties\":{\"a\":{\"additionalProperties\":{\"type\":\"string\"}}},"
        "\"patternProperties\":{\"^x\":{}},\"additionalProperties\":false}",
        "{\"b\":1,\"a\":{\"s\":\"t\",\"n\":5},\"c\":2,\"xy\":3,\"d\":4}", o);
    assert_true(r.valid);
    assert_same(r.value, "{\"a\":{\"s\":\"t\"},\"xy\":3}");
    r = outcome_of(a, "{\"additionalProperties\":false}", "{\"b\":1,\"c\":2}", (struct jsonschema_options){.all_errors = true});
    assert_same(r.errors, "[{\"path\":\"\",\"message\":\"must NOT have additional properties\"},"
                          "{\"path\":\"\",\"message\":\"must NOT have additional properties\"}]");
    r = outcome_of(a, "{\"additionalProperties\":false}", "{\"b\":1,\"c\":2}", (struct jsonschema_options){0});
    assert_same(r.errors, "[{\"path\":\"\",\"message\":\"must NOT have additional properties\"}]");
}

static void novus_answer_to_a_payload(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct jsonschema_result r;
    struct jsonschema_options o = {.all_errors = true, .use_defaults = true};
    yyjson_val *schema = data_literal(a, "{\"type\":\"object\",\"required\":[\"name\"],\"properties\":{\"user\":{\"type\":"
        "\"object\",\"required\":[\"id\"],\"properties\":{\"tags\":{\"items\":{\"type\":\"string\"}}}}}}");
    struct jsonschema *s = jsonschema_compile(a, schema, NULL, &err);
    assert_true(jsonschema_validate(s, data_literal(a, "{\"user\":{\"tags\":[\"a\",1]}}"), &o, a, json_doc(a), &r, &err));
    assert_false(r.valid);
    assert_false(jsonschema_payload_error(&r, schema, a, &err));
    assert_int_equal(error_status(&err), 400);
    assert_string_equal(err.message, "Payload validation failed: root.name: must have required property 'name'; "
                                     "user.id: must have required property 'id'; user.tags.1: must be string");
    yyjson_val *details = data_literal(a, str_z(a, err.details)), *errors = json_get(details, "errors");
    assert_same(json_get_str(details, "type"), "PAYLOAD_VALIDATION_ERROR");
    assert_true(yyjson_equals(json_get(details, "schema"), schema));
    assert_same(json_write(a, yyjson_arr_get(errors, 2)), "{\"field\":\"user.tags.1\",\"message\":\"must be string\","
        "\"value\":1,\"schemaPath\":\"#/properties/user/properties/tags/items/type\"}");
    assert_same(json_write(a, json_get(yyjson_arr_get(errors, 0), "value")), "{\"user\":{\"tags\":[\"a\",1]}}");
}

/* ---- what is refused ---- */

static void broken_schemas_do_not_compile(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *message;
    } cases[] = {
        {"{\"type\":\"text\"}", "schema is invalid: type must be JSONType or JSONType[]"},
        {"{\"minLength\":-1}", "schema is invalid: minLength must be a non-negative integer"},
        {"{\"properties\":{\"a\":5}}", "schema is invalid: schema must be object or boolean"},
        {"{\"required\":\"a\"}", "schema is invalid: required must be array"},
        {"{\"pattern\":\"(\"}", "invalid regular expression: ("},
        {"{\"pattern\":\"a++\"}", "invalid regular expression: a++"},
        {"{\"pattern\":\"(?i)a\"}", "invalid regular expression: (?i)a"},
        {"{\"pattern\":\"(*LIMIT_MATCH=9)a\"}", "invalid regular expression: (*LIMIT_MATCH=9)a"},
        {"{\"$ref\":\"#/definitions/gone\"}", "can't resolve reference #/definitions/gone from id #"},
        {"{\"$ref\":\"file:///etc/passwd\"}", "can't resolve reference file:///etc/passwd from id #"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena *a = arena_create(0);
        struct error err = {0};
        assert_null(jsonschema_compile(a, data_literal(a, cases[i].schema), NULL, &err));
        assert_string_equal(err.message, cases[i].message);
        arena_destroy(a);
    }
}

static void assert_too_much(const char *schema, struct str value, const char *message)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    struct jsonschema_result r;
    struct jsonschema_options o = {.all_errors = true};
    struct jsonschema *s = jsonschema_compile(a, data_literal(a, schema), NULL, &err);
    assert_non_null(s);
    assert_false(jsonschema_validate(s, data_literal(a, str_z(a, value)), &o, a, json_doc(a), &r, &err));
    assert_string_equal(err.message, message);
}

static void hostile_schemas_end(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct buf b = {.arena = a};
    assert_too_much("{\"$ref\":\"#\"}", STR("1"), "schema recurses deeper than 700 levels");
    assert_too_much("{\"definitions\":{\"a\":{\"allOf\":[{\"$ref\":\"#/definitions/b\"}]},\"b\":{\"$ref\":\"#/definitions/a\"}},"
                    "\"$ref\":\"#/definitions/a\"}", STR("{}"), "schema recurses deeper than 700 levels");
    /* Two branches at each of 40 levels. */
    buf_z(&b, "{\"definitions\":{\"d0\":{\"type\":\"string\"}");
    for (int i = 1; i <= 40; i++)
        buf_fmt(&b, ",\"d%d\":{\"anyOf\":[{\"$ref\":\"#/definitions/d%d\"},{\"$ref\":\"#/definitions/d%d\"}]}", i, i - 1, i - 1);
    buf_z(&b, "},\"$ref\":\"#/definitions/d40\"}");
    assert_too_much(buf_finish(&b).p, STR("1"), "schema validation needs too much work");
    /* A regular expression that backtracks for ever counts as no match. */
    struct outcome r = outcome_of(a, "{\"pattern\":\"^(a+)+$\"}", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"",
                                  (struct jsonschema_options){0});
    assert_false(r.valid);
    /* Many of them end the validation. */
    b.n = 0;
    for (int i = 0; i < 5000; i++)
        buf_z(&b, i ? ",\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\"" : "[\"a\"");
    buf_z(&b, "]");
    assert_too_much("{\"items\":{\"pattern\":\"^(a+)+$\"}}", buf_get(&b), "schema validation needs too much work");
    /* Many equal items are found without comparing all pairs, many different ones too. */
    b.n = 0;
    buf_z(&b, "[0");
    for (int i = 1; i < 100000; i++)
        buf_fmt(&b, ",%d", i);
    size_t unique = b.n;
    buf_z(&b, "]");
    assert_true(outcome_of(a, "{\"uniqueItems\":true}", buf_finish(&b).p, (struct jsonschema_options){0}).valid);
    b.n = unique;
    buf_z(&b, ",17]");
    r = outcome_of(a, "{\"uniqueItems\":true}", buf_finish(&b).p, (struct jsonschema_options){0});
    assert_same(r.errors, "[{\"path\":\"\",\"message\":\"must NOT have duplicate items (items ## 17 and 100000 are identical)\"}]");
    /* The list of errors is cut. */
    b.n = 0;
    buf_z(&b, "[1");
    for (int i = 0; i < 1000; i++)
        buf_z(&b, ",1");
    buf_z(&b, "]");
    struct jsonschema_result result;
    struct jsonschema_options o = {.all_errors = true};
    struct jsonschema *s = jsonschema_compile(a, data_literal(a, "{\"items\":{\"type\":\"string\"}}"), NULL, NULL);
    assert_true(jsonschema_validate(s, data_literal(a, buf_finish(&b).p), &o, a, json_doc(a), &result, NULL));
    assert_int_equal(result.errors_n, 100);
}

static void quick_yes(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct jsonschema_options o = {.all_errors = true, .use_defaults = true}, none = {0};
    struct jsonschema *s = jsonschema_compile(a, data_literal(a,
        "{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":{\"type\":\"string\",\"maxLength\":3},\"b\":{\"default\":1,"
        "\"maximum\":5,\"exclusiveMinimum\":0},\"c\":{\"items\":{\"enum\":[\"x\",null]},\"minItems\":1}},\"additionalProperties\":false}"),
        NULL, NULL);
    static const struct { const char *value; bool fits, fits_without_defaults; } rows[] = {
        {"{\"a\":\"abc\",\"b\":5}", true, true}, {"{\"a\":\"abc\"}", false, true}, {"{\"a\":\"abcd\",\"b\":5}", false, false},
        {"{\"b\":5}", false, false}, {"{\"a\":\"\",\"b\":0}", false, false}, {"{\"a\":\"\",\"b\":6}", false, false},
        {"{\"c\":[\"x\",null],\"b\":1,\"a\":\"\"}", true, true}, {"{\"c\":[\"y\"],\"b\":1,\"a\":\"\"}", false, false},
        {"{\"c\":[],\"b\":1,\"a\":\"\"}", false, false}, {"{\"a\":\"\",\"b\":1,\"d\":1}", false, false},
        {"{\"a\":1,\"a\":\"\",\"b\":1}", false, false}, {"[]", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(jsonschema_fits(s, data_literal(a, rows[i].value), &o, a), rows[i].fits);
        assert_int_equal(jsonschema_fits(s, data_literal(a, rows[i].value), &none, a), rows[i].fits_without_defaults);
    }
}

/* ---- the quick answer and the validation proper, on schemas and values drawn at random ---- */

static unsigned draw(uint64_t *seed, unsigned n)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (unsigned)(*seed >> 33) % n;
}

static const char *const scalars[] = {
    "null", "true", "false", "0", "1", "-1", "2", "3", "1.0", "1.5", "-0.0", "2147483648", "9007199254740993", "-9223372036854775808",
    "18446744073709551615", "1e300", "0.1", "0.3", "\"\"", "\"a\"", "\"ab\"", "\"ä\"", "\"AB-123456\"", "\"ada@example.com\"",
    "\"2024-02-29\"", "\"seventeen letters\"", "\"seventeen_letters\"",
};
static const char *const names[] = {"a", "b", "ab", "", "long enough", "seventeen letters", "seventeen_letters", "ä"};
#define PICK(list) (list)[draw(seed, sizeof(list) / sizeof *(list))]

static void value_draw(struct buf *b, uint64_t *seed, int depth)
{
    unsigned kind = draw(seed, depth ? 5 : 3), n = draw(seed, 4);
    if (kind < 3) {
        buf_z(b, PICK(scalars));
        return;
    }
    buf_z(b, kind == 3 ? "[" : "{");
    for (unsigned i = 0; i < n; i++) {
        buf_z(b, i ? "," : "");
        if (kind == 4)
            buf_fmt(b, "\"%s\":", PICK(names));
        value_draw(b, seed, depth - 1);
    }
    buf_z(b, kind == 3 ? "]" : "}");
}

static void schema_draw(struct buf *b, uint64_t *seed, int depth);

static void schemas_draw(struct buf *b, uint64_t *seed, int depth, bool named, const char *const *of, size_t of_n)
{
    buf_z(b, named ? "{" : "[");
    for (unsigned i = 0, n = 1 + draw(seed, 3); i < n; i++) {
        buf_z(b, i ? "," : "");
        if (named)
            buf_fmt(b, "\"%s\":", of[draw(seed, (unsigned)of_n)]);
        schema_draw(b, seed, depth - 1);
    }
    buf_z(b, named ? "}" : "]");
}

static void keyword_draw(struct buf *b, uint64_t *seed, int depth)
{
    static const char *const types[] = {"null", "boolean", "integer", "number", "string", "array", "object"};
    static const char *const patterns[] = {"^a", "b$", "^[A-Z]{2}-[0-9]{6}$", "^a?b*$", "^(a|b)+$", "^\\\\w{1,3}$", ""};
    static const char *const formats[] = {"email", "date", "int32", "int64", "float", "unknown", "uri"};
    static const char *const limits[] = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"};
    static const char *const counts[] = {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"};
    static const char *const numbers[] = {"0", "1", "1.5", "-1", "2", "9007199254740993", "1e300", "2147483647"};
    static const char *const multiples[] = {"1", "2", "0.1", "0.5", "1e-7", "9007199254740993"};
    static const char *const ones[] = {"additionalProperties", "propertyNames", "not", "if", "then", "else", "contains", "items",
                                       "additionalItems", "unevaluatedProperties"};
    static const char *const lists[] = {"anyOf", "allOf", "oneOf", "items", "prefixItems"};
    static const char *const others[] = {
        "\"uniqueItems\":true", "\"$ref\":\"#\"", "\"$ref\":\"#/$defs/a\"", "\"dependentRequired\":{\"a\":[\"b\"]}", "\"default\":1",
        "\"default\":{}", "\"additionalProperties\":false", "\"minContains\":2", "\"maxContains\":1", "\"default\":\"a\"",
    };
    switch (draw(seed, depth ? 12 : 8)) {
    case 0: buf_fmt(b, "\"type\":\"%s\"", PICK(types)); break;
    case 1: buf_fmt(b, "\"type\":[\"%s\",\"object\"]", types[draw(seed, 6)]); break;
    case 2: buf_fmt(b, "\"%s\":%s", PICK(limits), PICK(numbers)); break;
    case 3: buf_fmt(b, "\"%s\":%u", PICK(counts), draw(seed, 4)); break;
    case 4: buf_fmt(b, "\"%s\":\"%s\"", draw(seed, 2) ? "pattern" : "format", draw(seed, 2) ? PICK(patterns) : PICK(formats)); break;
    case 5: buf_fmt(b, "\"required\":[\"%s\"]", PICK(names)); break;
    case 6:
        if (draw(seed, 2)) {
            buf_fmt(b, "\"multipleOf\":%s", PICK(multiples));
        } else {
            buf_fmt(b, "\"enum\":[%s,", PICK(scalars));
            value_draw(b, seed, 1);
            buf_z(b, "]");
        }
        break;
    case 7: buf_z(b, PICK(others)); break;
    case 8:
        buf_fmt(b, "\"%s\":", PICK(ones));
        schema_draw(b, seed, depth - 1);
        break;
    case 9:
        buf_fmt(b, "\"%s\":", PICK(lists));
        schemas_draw(b, seed, depth, false, NULL, 0);
        break;
    case 10:
        buf_z(b, "\"properties\":");
        schemas_draw(b, seed, depth, true, names, sizeof names / sizeof *names);
        break;
    default:
        buf_z(b, "\"patternProperties\":");
        schemas_draw(b, seed, depth, true, patterns, sizeof patterns / sizeof *patterns);
    }
}

static void schema_draw(struct buf *b, uint64_t *seed, int depth)
{
    unsigned n = draw(seed, 5);
    if (!draw(seed, 12)) {
        buf_z(b, draw(seed, 2) ? "true" : "false");
        return;
    }
    buf_z(b, "{");
    for (unsigned i = 0; i < n; i++) {
        buf_z(b, i ? "," : "");
        keyword_draw(b, seed, depth);
    }
    buf_z(b, "}");
}

static void quick_answers_are_right(void **state)
{
    (void)state;
    enum { SCHEMAS = 4000, VALUES = 12 };
    uint64_t seed = 20240229;
    unsigned answers[3] = {0};
    for (int i = 0; i < SCHEMAS; i++) {
        struct arena *a ARENA_SCOPED = arena_create(1 << 15);
        struct buf b = {.arena = a};
        struct jsonschema_compile_options o = {.dialect = i % 2 ? JSONSCHEMA_2020_12 : JSONSCHEMA_DRAFT7};
        buf_z(&b, "{\"$defs\":{\"a\":");
        schema_draw(&b, &seed, 2);
        buf_z(&b, "},\"allOf\":[");
        schema_draw(&b, &seed, 3);
        buf_z(&b, "]}");
        const char *text = str_z(a, buf_get(&b));
        yyjson_val *whole = data_literal(a, text), *inner = yyjson_arr_get_first(json_get(whole, "allOf"));
        struct jsonschema *s = jsonschema_compile(a, draw(&seed, 2) ? whole : inner, &o, NULL);
        for (int k = 0; s && k < VALUES; k++) {
            struct buf v = {.arena = a};
            value_draw(&v, &seed, 3);
            if (!quick_agrees_always(s, data_literal(a, str_z(a, buf_get(&v))), answers)) {
                printf("%s\n%.*s\n", text, STR_ARG(buf_get(&v)));     /* longer than fail_msg's buffer */
                fail();
            }
        }
    }
    assert_true(answers[FIT_YES] > 5000 && answers[FIT_NO] > 5000);
    assert_true(answers[FIT_UNDECIDED] * 4 < answers[FIT_YES] + answers[FIT_NO]);
}

/* Expressions that need no engine, and some that look so; what they match is what V8 says. */
static void plain_patterns(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    static const struct { const char *pattern, *yes, *no; } plain[] = {
        {"^[A-Z]{2}-[0-9]{6}$", "AB-123456", "AB-1234567"}, {"^ab", "abc", "xab"}, {"^$", "", "\n"}, {"^", "anything", NULL},
        {"^a?b*$", "abb", "aab"}, {"^[a-c_-]+x$", "a-_x", "x"}, {"^\\d{2,3}\\.\\w*$", "12.x_9", "1234."}, {"^[.\\]\\\\]{1,}$", ".]\\", ""},
        {"^a{0}b$", "b", "ab"}, {"^[+]?1$", "+1", "++1"}, {"^x{2,}$", "xxx", "x"}, {"^a$", "a", "a\n"}, {"^a$", "a", "é"},
    };
    static const char *const others[] = {"a", "^a|b$", "^(a)$", "^.$", "^[^a]$", "^a*a$", "^a*b?a$", "^a+?$", "^\\s$", "^é$", "^\\bx$", "^a$b"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        const struct plain_pattern *p = plain_pattern_make(a, str_of(plain[i].pattern));
        assert_non_null(p);
        assert_true(plain_pattern_matches(p, str_of(plain[i].yes)));
        assert_false(plain[i].no && plain_pattern_matches(p, str_of(plain[i].no)));
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_null(plain_pattern_make(a, str_of(others[i])));
}

/* The quick look ends, too: two ways at each of 25 levels, both of which must be gone. */
static void quick_look_is_limited(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct buf b = {.arena = a};
    struct jsonschema_compile_options o = {.dialect = JSONSCHEMA_2020_12};
    buf_z(&b, "{\"$defs\":{\"d0\":{\"type\":\"string\"}");
    for (int i = 1; i <= 25; i++)
        buf_fmt(&b, ",\"d%d\":{\"$ref\":\"#/$defs/d%d\",\"not\":{\"not\":{\"$ref\":\"#/$defs/d%d\"}}}", i, i - 1, i - 1);
    buf_z(&b, "},\"$ref\":\"#/$defs/d25\"}");
    struct jsonschema *s = jsonschema_compile(a, data_literal(a, str_z(a, buf_get(&b))), &o, NULL);
    assert_int_equal(schema_fits(s, data_literal(a, "\"x\""), NULL, a), FIT_UNDECIDED);
    /* A list of numbers is gone through for each item. */
    b.n = 0;
    buf_z(&b, "{\"items\":{\"enum\":[0.5");
    for (int i = 0; i < 5000; i++)
        buf_fmt(&b, ",%d", i);
    buf_z(&b, "]}}");
    s = jsonschema_compile(a, data_literal(a, str_z(a, buf_get(&b))), &o, NULL);
    assert_int_equal(schema_fits(s, data_literal(a, "[4999]"), NULL, a), FIT_YES);
    b.n = 0;
    for (int i = 0; i < 1000; i++)
        buf_z(&b, i ? ",4999" : "[4999");
    buf_z(&b, "]");
    assert_int_equal(schema_fits(s, data_literal(a, str_z(a, buf_get(&b))), NULL, a), FIT_UNDECIDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quick_yes),
        cmocka_unit_test(quick_answers_are_right),
        cmocka_unit_test(quick_look_is_limited),
        cmocka_unit_test(plain_patterns),
        cmocka_unit_test(required_tests_of_draft7),
        cmocka_unit_test(required_tests_of_2020_12),
        cmocka_unit_test(optional_tests_as_ajv),
        cmocka_unit_test(errors_are_ajvs),
        cmocka_unit_test(random_cases_as_ajv),
        cmocka_unit_test(defaults_are_written_into_a_copy),
        cmocka_unit_test(refused_additions_are_removed),
        cmocka_unit_test(novus_answer_to_a_payload),
        cmocka_unit_test(broken_schemas_do_not_compile),
        cmocka_unit_test(hostile_schemas_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
