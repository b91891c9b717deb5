/* The foundations: arenas, text, ids, time, JSON, errors, secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena_pool.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/id.h"
#include "base/json.h"
#include "base/metrics.h"

static void assert_str(struct str got, const char *want)
{
    if (!str_eqz(got, want))
        fail_msg("got '%.*s', want '%s'", STR_ARG(got), want);
}

static void arena_survives_growth(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(64);
    struct buf b = {.arena = a};
    for (int i = 0; i < 10000; i++)
        buf_fmt(&b, "%d,", i);
    struct str s = buf_finish(&b);
    assert_true(str_starts(s, STR("0,1,2,")));
    assert_true(str_ends(s, STR("9998,9999,")));
    arena_reset(a);
    assert_int_equal(arena_used(a), 0);
    char *p = arena_alloc(a, 1 << 22);
    assert_int_equal(p[(1 << 22) - 1], 0);
}

static void pools_hand_out_empty_arenas(void **state)
{
    (void)state;
    struct arena_pool *p = arena_pool_create(128, 1);
    struct arena *a = arena_pool_take(p), *b = arena_pool_take(p);
    arena_alloc(a, 1000);
    arena_pool_give(p, a);
    arena_pool_give(p, b);          /* one more than it keeps */
    arena_pool_give(p, NULL);
    struct arena *again = arena_pool_take(p);
    assert_ptr_equal(again, a);
    assert_int_equal(arena_used(again), 0);
    arena_destroy(again);
    arena_pool_destroy(p);
}

static void utf8_is_checked(void **state)
{
    (void)state;
    assert_true(str_is_utf8(STR("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x94\x94")));
    assert_false(str_is_utf8(STR("\xc0\x80")));
    assert_false(str_is_utf8(STR("\xed\xa0\x80")));
    assert_false(str_is_utf8(STR("\xf5\x80\x80\x80")));
    assert_false(str_is_utf8(STR("\xe2\x82")));
}

static void numbers_are_whole(void **state)
{
    (void)state;
    int64_t n;
    assert_true(str_to_i64(STR("-9223372036854775808"), &n) && n == INT64_MIN);
    assert_false(str_to_i64(STR("9223372036854775808"), &n));
    assert_false(str_to_i64(STR("1x"), &n));
    assert_false(str_to_i64(STR(""), &n));
}

static void ids_sort_by_time(void **state)
{
    (void)state;
    struct id_source s;
    struct arena *a ARENA_SCOPED = arena_create(0);
    id_source_init(&s);
    struct id x = id_new(&s, 1000), y = id_new(&s, 1000), z = id_new(&s, 2000), back;
    assert_true(id_cmp(x, y) < 0);
    assert_true(id_cmp(y, z) < 0);
    assert_true(id_parse(id_str(a, x), &back) && id_eq(back, x));
    assert_false(id_parse(STR("65f00000000000000000001"), &back));
    assert_false(id_parse(STR("65f00000000000000000001g"), &back));
}

static void times_go_both_ways(void **state)
{
    (void)state;
    static const struct { const char *in; const char *out; } cases[] = {
        {"2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"},
        {"2024-02-29T23:59:59.9999Z", "2024-02-29T23:59:59.999Z"},
        {"2026-03-29T02:30:00+02:00", "2026-03-29T00:30:00.000Z"},
        {"2026-06-01", "2026-06-01T00:00:00.000Z"},
        {"1969-12-31T23:59:59.001Z", "1969-12-31T23:59:59.001Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms;
        char iso[TIME_ISO_LEN + 1];
        assert_true(time_parse_iso(str_of(cases[i].in), &ms));
        time_iso(ms, iso);
        assert_string_equal(iso, cases[i].out);
    }
    int64_t ms;
    assert_false(time_parse_iso(STR("2025-02-29"), &ms));
    assert_false(time_parse_iso(STR("2025-01-01T25:00:00Z"), &ms));
    assert_false(time_parse_iso(STR("yesterday"), &ms));
    assert_true(time_parse_duration(STR("PT5M1S"), &ms) && ms == 301000);
    assert_true(time_parse_duration(STR("P2D"), &ms) && ms == 172800000);
    assert_true(time_parse_duration(STR("PT0.5S"), &ms) && ms == 500);
    assert_false(time_parse_duration(STR("P1M"), &ms));
    assert_false(time_parse_duration(STR("PT"), &ms));
    assert_false(time_parse_duration(STR("5M"), &ms));
}

static void virtual_time_never_goes_back(void **state)
{
    (void)state;
    struct clock c;
    clock_init(&c, true);
    int64_t t = clock_now_ms(&c);
    clock_set(&c, t + 5);
    clock_set(&c, t - 5);
    assert_int_equal(clock_now_ms(&c), t + 5);
}

static void json_is_strict_and_bounded(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err;
    yyjson_val *v;
    assert_true(json_parse(a, STR("{\"a\":{\"b\":[1,{\"c\":\"x\"}]},\"k\":1,\"k\":2}"), &v, &err));
    assert_str(json_str(json_path(v, STR("a.b.1.c"))), "x");
    assert_int_equal(json_get_int(v, "k", 0), 2);
    assert_null(json_path(v, STR("a.b.9.c")));
    assert_false(json_parse(a, STR("{\"a\":}"), &v, &err));
    assert_int_equal(error_status(&err), 400);
    assert_false(json_parse(a, STR("\"\xff\""), &v, &err));
    struct buf deep = {.arena = a};
    for (int i = 0; i < 300; i++)
        buf_char(&deep, '[');
    assert_false(json_parse(a, buf_get(&deep), &v, &err));
    struct buf q = {.arena = a};
    json_quote(&q, STR("a\"b\\c\n\x01"));
    assert_str(buf_get(&q), "\"a\\\"b\\\\c\\n\\u0001\"");
}

/* At every place of the sixteen that are counted at once, among every other byte. */
/* What is quoted eight bytes at a time is read back as it was, whatever stands where. */
static void json_quotes_every_byte(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err = {0};
    for (size_t n = 0; n < 40; n++)
        for (size_t at = 0; at < n; at++)
            for (int c = 0; c < 0x80; c++) {
                char text[40];
                yyjson_val *v;
                struct buf b = {.arena = a};
                memset(text, n % 2 ? 'x' : '!', n);
                text[at] = (char)c;
                text[(at * 7 + 3) % n] = n % 3 ? '\\' : '~';
                json_quote(&b, (struct str){text, n});
                assert_true(json_parse(a, buf_get(&b), &v, &err));
                assert_true(str_eq(json_str(v), (struct str){text, n}));
                arena_reset(a);
            }
}

static void json_objects_are_made(void **state)
{
    (void)state;
    static const struct str names[] = {STR_INIT("b"), STR_INIT("missing"), STR_INIT("long name of seventeen")};
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct json_made m = {.arena = a}, none = {.arena = a};
    yyjson_val *v, *found[3];
    assert_string_equal(json_write(a, json_made_end(&none)).p, "{}");
    assert_int_equal(yyjson_obj_size(json_made_end(&none)), 0);
    assert_true(json_parse(a, STR("{\"x\":[1,{\"y\":[]},2.5],\"z\":\"\\u00e9\"}"), &v, NULL));
    json_made_val(&m, STR("first"), v);
    json_made_val(&m, STR("left out"), NULL);
    json_made_str(&m, STR("b"), STR("text"));
    json_made_str(&m, STR("null"), STR_NULL);
    json_made_str(&m, STR("empty"), STR(""));
    json_made_bool(&m, STR("b"), true);
    for (int i = 0; i < 40; i++)
        json_made_val(&m, str_fmt(a, "n%d", i), json_get(v, "x"));
    json_made_bool(&m, STR("long name of seventeen"), false);
    struct str text = json_write(a, json_made_end(&m));
    assert_true(json_parse(a, text, &v, NULL));         /* and as a document it is the same */
    assert_true(str_eq(json_write(a, v), text));
    assert_true(yyjson_equals(v, json_made_end(&m)));
    v = json_made_end(&m);
    assert_int_equal(yyjson_obj_size(v), 46);
    assert_int_equal(yyjson_get_int(json_path(v, STR("n39.0"))), 1);
    assert_int_equal(yyjson_arr_size(json_path(v, STR("n39.1.y"))), 0);
    assert_true(yyjson_is_null(json_get(v, "null")));
    json_members(v, names, 3, found);
    assert_true(yyjson_is_true(found[0]));              /* the last of equal keys */
    assert_null(found[1]);
    assert_true(yyjson_is_false(found[2]));
    json_members(NULL, names, 3, found);
    assert_null(found[0]);
}

static void json_is_as_deep_as_allowed(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err;
    yyjson_val *v;
    for (int pad = 0; pad < 16; pad++)
        for (int over = 0; over < 2; over++) {
            struct buf text = {.arena = a};
            for (int i = 0; i < pad; i++)
                buf_char(&text, ' ');
            for (int i = 0; i < JSON_DEPTH_MAX + over; i++)
                buf_z(&text, i % 3 ? "[" : "{\"k\":");
            buf_z(&text, "\"{[{[");
            for (int c = ' '; c < 127; c++)
                if (c != '"' && c != '\\')
                    buf_char(&text, (char)c);
            buf_char(&text, '"');
            for (int i = JSON_DEPTH_MAX + over; i-- > 0;)
                buf_char(&text, i % 3 ? ']' : '}');
            assert_int_equal(json_parse(a, buf_get(&text), &v, &err), !over);
        }
}

/* As many as a lane counts, and one round more. */
static void json_is_counted_to_the_end(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error err;
    yyjson_val *v;
    for (int n = 255; n <= 512; n++) {
        struct buf text = {.arena = a};
        for (int i = 0; i < 16 * n; i++)
            buf_char(&text, '[');
        for (int i = 0; i < 16 * n; i++)
            buf_char(&text, ']');
        assert_false(json_parse(a, buf_get(&text), &v, &err));
    }
}

/* Wherever they are in a text. */
static void json_quotes_what_it_must(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    for (size_t at = 0; at < 40; at++)
        for (int c = 1; c < 256; c++) {
            char text[40], escaped[8] = {(char)c}, wanted[60];
            memset(text, 'x', sizeof text);
            text[at] = (char)c;
            struct buf b = {.arena = a};
            json_quote(&b, (struct str){text, sizeof text});
            static const char in[] = "\"\\\n\r\t\b\f", out[] = "\"\\nrtbf";
            if (strchr(in, c))
                snprintf(escaped, sizeof escaped, "\\%c", out[strchr(in, c) - in]);
            else if (c < ' ')
                snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)c);
            snprintf(wanted, sizeof wanted, "\"%.*s%s%.*s\"", (int)at, text, escaped, (int)(39 - at), text + at + 1);
            assert_str(buf_get(&b), wanted);
        }
}

static void tags_differ(void **state)
{
    (void)state;
    const uint8_t key[CRYPTO_TAG] = {1}, other[CRYPTO_TAG] = {2};
    uint8_t one[CRYPTO_TAG], again[CRYPTO_TAG], moved[CRYPTO_TAG], keyed[CRYPTO_TAG];
    crypto_tag(key, STR("secret"), one);
    crypto_tag(key, STR("secret"), again);
    crypto_tag(key, STR("secreT"), moved);
    crypto_tag(other, STR("secret"), keyed);
    assert_memory_equal(one, again, CRYPTO_TAG);
    assert_memory_not_equal(one, moved, CRYPTO_TAG);
    assert_memory_not_equal(one, keyed, CRYPTO_TAG);
}

static void secrets_open_only_with_their_key(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct crypto_box box, other;
    struct error err;
    struct str plain;
    crypto_box_init(&box, STR("0123456789abcdef"));
    crypto_box_init(&other, STR("0123456789abcdeF"));
    struct str sealed = crypto_seal(&box, a, STR("hunter2"));
    assert_true(str_find(sealed, STR("hunter2")) < 0);
    assert_true(crypto_open(&box, a, sealed, &plain, &err));
    assert_str(plain, "hunter2");
    assert_false(crypto_open(&other, a, sealed, &plain, &err));
    char *bad = str_z(a, sealed);
    bad[sealed.n - 2] ^= 1;
    assert_false(crypto_open(&box, a, str_of(bad), &plain, &err));
}

static void tokens_are_signed(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct str claims, token = jwt_sign(a, STR("secret"), STR("{\"sub\":\"x\",\"exp\":100}"));
    assert_true(jwt_verify(a, STR("secret"), token, 99, &claims));
    assert_false(jwt_verify(a, STR("secret"), token, 100, &claims));
    assert_false(jwt_verify(a, STR("Secret"), token, 99, &claims));
    assert_false(jwt_verify(a, STR("secret"), STR("eyJhbGciOiJub25lIn0.e30."), 99, &claims));
    assert_false(jwt_verify(a, STR("secret"), STR(""), 99, &claims));
    assert_str(crypto_hmac_sha256_hex(a, STR("key"), STR("The quick brown fox jumps over the lazy dog")),
               "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8");
    /* The vector of bridge-cli.md §8.3. */
    assert_str(crypto_sign_webhook(a, STR("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), STR("msg_p5jXN8AQM9LWM0D4loKWxJek"),
                                   STR("1614265330"), STR("{\"test\": 2432232314}")),
               "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert_null(crypto_sign_webhook(a, STR("whsec_!"), STR("x"), STR("1"), STR("{}")).p);
    assert_str(crypto_hmac_sha256_hex(a, STR_NULL, STR_NULL),
               "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void metrics_are_exposition_text(void **state)
{
    (void)state;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct metrics *m = metrics_create();
    static const double bounds[] = {1, 5};
    counter_add(metrics_counter(m, "carillon_x_total", "x.", "channel=\"email\""), 2);
    histogram_observe(metrics_histogram(m, "carillon_h", "h.", NULL, bounds, 2), 3);
    struct str s = metrics_render(m, a);
    assert_true(str_find(s, STR("# TYPE carillon_x_total counter\ncarillon_x_total{channel=\"email\"} 2\n")) >= 0);
    assert_true(str_find(s, STR("carillon_h_bucket{le=\"5\"} 1\ncarillon_h_bucket{le=\"+Inf\"} 1\n")) >= 0);
    assert_true(str_find(s, STR("carillon_h_count 1\n")) >= 0);
    metrics_destroy(m);
}

static void texts_are_cut_between_characters(void **state)
{
    (void)state;
    static const char euro[] = "a\xe2\x82\xac";
    assert_int_equal(str_cut(str_of(euro), 4).n, 4);
    assert_int_equal(str_cut(str_of(euro), 3).n, 1);
    assert_int_equal(str_cut(str_of(euro), 2).n, 1);
    assert_int_equal(str_cut(str_of(euro), 1).n, 1);
    assert_int_equal(str_cut(STR_NULL, 1).n, 0);
    struct error err;
    char text[600] = "";
    for (size_t i = 0; i + 4 < sizeof text; i += 3)
        memcpy(text + i, euro + 1, 3);
    for (const char *pad = "xxx"; *pad; pad++) {
        error_set(&err, ERROR_BAD_INPUT, "%s%s", pad, text);
        assert_true(strlen(err.message) > 460 && str_is_utf8(str_of(err.message)));
    }
}

static void numbers_are_written_as_printf_does(void **state)
{
    static const int64_t numbers[] = {0, 9, 10, 99, 100, -1, -9, -10, 1234567890123, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    struct arena *a ARENA_SCOPED = arena_create(0);
    char want[32], text[STR_DIGITS];
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct buf b = {.arena = a};
        buf_int(&b, numbers[i]);
        snprintf(want, sizeof want, "%lld", (long long)numbers[i]);
        assert_string_equal(buf_finish(&b).p, want);
    }
    assert_string_equal(str_digits(UINT64_MAX, text), "18446744073709551615");
    assert_string_equal(str_digits(0, text), "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_written_as_printf_does),
        cmocka_unit_test(texts_are_cut_between_characters),
        cmocka_unit_test(pools_hand_out_empty_arenas),
        cmocka_unit_test(arena_survives_growth),   cmocka_unit_test(utf8_is_checked),
        cmocka_unit_test(numbers_are_whole),       cmocka_unit_test(ids_sort_by_time),
        cmocka_unit_test(times_go_both_ways),      cmocka_unit_test(virtual_time_never_goes_back),
        cmocka_unit_test(json_is_strict_and_bounded), cmocka_unit_test(json_quotes_every_byte),
        cmocka_unit_test(json_objects_are_made),
        cmocka_unit_test(json_is_as_deep_as_allowed), cmocka_unit_test(json_is_counted_to_the_end),
        cmocka_unit_test(json_quotes_what_it_must), cmocka_unit_test(tags_differ), cmocka_unit_test(secrets_open_only_with_their_key),
        cmocka_unit_test(tokens_are_signed),       cmocka_unit_test(metrics_are_exposition_text),
    };
    if (!crypto_init())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
