/* JSON Schema: the official test suite, ajv's recorded errors, defaults, removals, limits and Novu's answer. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "content/jsonschema.h"

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

static yyjson_val *json_file(struct arena *a, const char *path)
{
    struct str text = STR_NULL;
    yyjson_val *v = NULL;
    if (!file_read(a, path, &text) || !json_parse(a, text, &v, NULL))
        fail_msg("cannot read %s", path);
    return v;
}

static yyjson_val *json_of(struct arena *a, const char *text)
{
    yyjson_val *v;
    if (!json_parse(a, str_of(text), &v, NULL))
        fail_msg("bad JSON in the test: %s", text);
    return v;
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
};

static bool case_passes(const struct jsonschema *s, yyjson_val *test)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct jsonschema_result r;
    struct error err = {0};
    return s && jsonschema_validate(s, json_get(test, "data"), NULL, a, json_doc(a), &r, &err) &&
           r.valid == json_get_bool(test, "valid", false);
}

static void suite_file(const char *folder, const char *name, enum jsonschema_dialect dialect, bool formats, struct tally *tally)
{
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    struct str path = str_fmt(a, "%s/json-schema/tests/%s/%s", TESTDATA, folder, name);
    yyjson_val *groups = json_file(a, path.p), *group, *test;
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
            tally->failed++;
            if (!formats || getenv("SHOW_FORMATS"))
                printf("%s/%s: %s: %s %s\n", folder, name, yyjson_get_str(json_get(group, "description")),
                       yyjson_get_str(json_get(test, "description")), err.message);
        }
    }
}

static struct tally suite_folder(const char *folder, enum jsonschema_dialect dialect, bool formats)
{
    char path[512];
    struct tally tally = {0};
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
    struct tally t = suite_folder("draft7", JSONSCHEMA_DRAFT7, false);
    assert_int_equal(t.failed, 0);
    assert_true(t.passed > 900);
}

static void required_tests_of_2020_12(void **state)
{
    (void)state;
    struct tally t = suite_folder("draft2020-12", JSONSCHEMA_2020_12, false);
    assert_int_equal(t.failed, 0);
    assert_true(t.passed > 1200);
}

/* ---- ajv's errors ---- */

static void errors_are_ajvs(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(1 << 16);
    yyjson_val *cases = json_file(a, TESTDATA "/json-schema/ajv_messages.json"), *c;
    struct jsonschema_options o = {.all_errors = true};
    size_t i, n;
    yyjson_arr_foreach(cases, i, n, c) {
        struct error err = {0};
        struct jsonschema_result r;
        yyjson_mut_doc *d = json_doc(a);
        struct jsonschema *s = jsonschema_compile(a, json_get(c, "schema"), NULL, &err);
        if (!s || !jsonschema_validate(s, json_get(c, "value"), &o, a, d, &r, &err))
            fail_msg("case %zu: %s", i, err.message);
        yyjson_val *got = json_of(a, str_z(a, json_write_mut(a, jsonschema_errors_json(&r, d))));
        if (!yyjson_equals(got, json_get(c, "errors")))
            fail_msg("got %.*s\nwant %.*s", STR_ARG(json_write(a, got)), STR_ARG(json_write(a, json_get(c, "errors"))));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(required_tests_of_draft7),
        cmocka_unit_test(required_tests_of_2020_12),
        cmocka_unit_test(errors_are_ajvs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
