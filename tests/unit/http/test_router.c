/* The route tree: precedence, parameters, and paths as they arrive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "http/router_private.h"
#include "http/url_private.h"

static const struct route table[] = {
    {HTTP_GET, "/", .operation = "root"},
    {HTTP_GET, "/v1/integrations/active", .operation = "integrationsActive"},
    {HTTP_GET, "/v1/integrations/{integrationId}", .operation = "integrationGet"},
    {HTTP_DELETE, "/v1/integrations/{integrationId}", .operation = "integrationDelete"},
    {HTTP_PATCH, "/inbox/preferences/{id}", .operation = "preference"},
    {HTTP_PATCH, "/inbox/preferences/bulk", .operation = "preferenceBulk"},
    {HTTP_GET, "/a/{x}/c", .operation = "axc"},
    {HTTP_GET, "/a/b/{y}/d", .operation = "abyd"},
    {HTTP_GET, "/assets/{path*}", .operation = "assets"},
    {HTTP_GET, "/{path*}", .operation = "spa"},
    {HTTP_GET, "/{path*}", .operation = "socket", .flags = ROUTE_ANY_UPGRADE},
    {HTTP_GET, "/socket.io/", .operation = "engineio", .flags = ROUTE_ANY_UPGRADE},
    {HTTP_POST, "/v2/topics/{topicKey}/subscriptions/{identifier}", .operation = "subscription"},
};
static const struct route *const tables[] = {table, NULL};
static const size_t sizes[] = {sizeof table / sizeof *table};

static struct router *router;

static int setup(void **state)
{
    struct error err = {0};
    (void)state;
    router = router_create(tables, sizes, &err);
    return router ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    router_destroy(router);
    return 0;
}

static const char *route_at(int slot, const char *path)
{
    struct router_match m;
    return router_find(router, slot, str_of(path), &m) ? m.route->operation : "none";
}

static void literals_beat_parameters(void **state)
{
    (void)state;
    assert_string_equal(route_at(HTTP_GET, "/v1/integrations/active"), "integrationsActive");
    assert_string_equal(route_at(HTTP_GET, "/v1/integrations/actives"), "integrationGet");
    assert_string_equal(route_at(HTTP_PATCH, "/inbox/preferences/bulk"), "preferenceBulk");
    assert_string_equal(route_at(HTTP_PATCH, "/inbox/preferences/bulk2"), "preference");
}

static void a_literal_without_the_method_is_left_again(void **state)
{
    (void)state;
    assert_string_equal(route_at(HTTP_DELETE, "/v1/integrations/active"), "integrationDelete");
    assert_string_equal(route_at(HTTP_POST, "/v1/integrations/active"), "none");
    assert_string_equal(route_at(HTTP_GET, "/a/b/c"), "axc");
    assert_string_equal(route_at(HTTP_GET, "/a/b/c/d"), "abyd");
    assert_string_equal(route_at(HTTP_GET, "/a/b/c/e"), "spa");
}

static void rests_and_ends(void **state)
{
    struct router_match m;
    (void)state;
    assert_string_equal(route_at(HTTP_GET, "/"), "root");
    assert_string_equal(route_at(HTTP_GET, "/v1/integrations/active/"), "integrationsActive");
    assert_string_equal(route_at(HTTP_GET, "/deep/er"), "spa");
    assert_true(router_find(router, HTTP_GET, STR("/assets/js/app.js"), &m));
    assert_string_equal(m.route->operation, "assets");
    assert_true(str_eqz(m.name[0], "path") && str_eqz(m.value[0], "js/app.js"));
    assert_true(router_find(router, HTTP_GET, STR("/assets"), &m));
    assert_int_equal(m.value[0].n, 0);
}

static void parameters_are_captured(void **state)
{
    struct router_match m;
    (void)state;
    assert_true(router_find(router, HTTP_POST, STR("/v2/topics/a%2Fb/subscriptions/x:y"), &m));
    assert_int_equal(m.n, 2);
    assert_true(str_eqz(m.name[0], "topicKey") && str_eqz(m.value[0], "a%2Fb"));
    assert_true(str_eqz(m.name[1], "identifier") && str_eqz(m.value[1], "x:y"));
    assert_false(router_find(router, HTTP_POST, STR("/v2/topics//subscriptions/x/y"), &m));
}

static void upgrades_have_routes_of_their_own(void **state)
{
    (void)state;
    assert_string_equal(route_at(HTTP_GET, "/socket.io/"), "engineio");
    assert_string_equal(route_at(ROUTER_UPGRADE, "/socket.io/"), "engineio");
    assert_string_equal(route_at(HTTP_GET, "/ws"), "spa");
    assert_string_equal(route_at(ROUTER_UPGRADE, "/ws"), "socket");
    assert_string_equal(route_at(ROUTER_UPGRADE, "/"), "socket");
}

static void wrong_tables_are_refused(void **state)
{
    static const struct route twice[] = {{HTTP_GET, "/x/{a}", .operation = "one"}, {HTTP_GET, "/x/{b}", .operation = "two"}};
    static const struct route odd[] = {{HTTP_GET, "/x/{a*}/y", .operation = "one"}};
    static const struct route *const t1[] = {twice, NULL}, *const t2[] = {odd, NULL};
    struct error err;
    (void)state;
    assert_null(router_create(t1, (size_t[]){2}, &err));
    assert_non_null(strstr(err.message, "two routes"));
    assert_null(router_create(t2, (size_t[]){1}, &err));
}

static void targets_are_normalised(void **state)
{
    static const struct { const char *target, *path, *query; } cases[] = {
        {"/v1/v1/x", "/v1/x", ""}, {"/v1/v1/v1/x", "/v1/v1/x", ""}, {"//v1///v1//x//", "/v1/x/", ""},
        {"/v1/x?a=//b", "/v1/x", "a=//b"}, {"http://h:1/x?y=1", "/x", "y=1"}, {"https://h", "/", ""},
        {"", "/", ""}, {"?a", "/", "a"}, {"/app/v1/x", "/v1/x", ""}, {"/app", "/", ""}, {"/apple/x", "/apple/x", ""},
        {"/x#frag?no", "/x", ""}, {"*", "*", ""}, {"/v1/v1", "/v1/v1", ""}, {"/app/v1/v1/x", "/v1/x", ""},
    };
    struct arena *a ARENA_SCOPED = arena_create(0);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str path, query;
        url_split(str_of(cases[i].target), &path, &query);
        path = url_normalise(a, path, STR("/app"));
        if (!str_eqz(path, cases[i].path) || !str_eqz(query, cases[i].query))
            fail_msg("%s: got '%.*s' ? '%.*s'", cases[i].target, STR_ARG(path), STR_ARG(query));
    }
}

static void segments_are_decoded(void **state)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct str out;
    (void)state;
    assert_true(url_decode(a, STR("a%2Fb%40c%20d+e"), &out) && str_eqz(out, "a/b@c d+e"));
    assert_true(url_decode(a, STR("gr%C3%BC%c3%9f"), &out) && str_eqz(out, "gr\xc3\xbc\xc3\x9f"));
    assert_false(url_decode(a, STR("%zz"), &out));
    assert_false(url_decode(a, STR("a%2"), &out));
    assert_false(url_decode(a, STR("%"), &out));
    assert_false(url_decode(a, STR("%ff"), &out));
    assert_false(url_decode(a, STR("a%00b"), &out));
    assert_true(url_decode(a, STR(""), &out) && out.n == 0);
    assert_true(str_eqz(url_visible(a, STR("/a\xff")), "/a%FF"));
}

static void queries_are_decoded(void **state)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct query_param *p;
    (void)state;
    assert_int_equal(query_parse(a, STR("a=1+2&&b&c=%C3%BC&k[]=x&k%5B1%5D=y&bad=100%&e=a=b&u=%ff+x"), &p), 8);
    assert_true(str_eqz(p[0].value, "1 2"));
    assert_true(str_eqz(p[1].name, "b") && p[1].value.n == 0 && p[1].value.p);
    assert_true(str_eqz(p[2].value, "\xc3\xbc"));
    assert_true(str_eqz(p[4].name, "k[1]"));
    assert_true(str_eqz(p[5].value, "100%"));
    assert_true(str_eqz(p[6].value, "a=b"));
    assert_true(str_eqz(p[7].value, "%ff x"));
    assert_int_equal(query_parse(a, STR(""), &p), 0);
    assert_true(query_is_of(STR("k"), STR("k")) && query_is_of(STR("k[]"), STR("k")) && query_is_of(STR("k[x]"), STR("k")));
    assert_false(query_is_of(STR("kk"), STR("k")) || query_is_of(STR("k[x][y]"), STR("k")) || query_is_of(STR("k["), STR("k")));
}

static void many_parameters_are_bounded(void **state)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct buf b = {.arena = a};
    struct query_param *p;
    (void)state;
    for (int i = 0; i < 5000; i++)
        buf_fmt(&b, "a=%d&", i);
    assert_int_equal(query_parse(a, buf_get(&b), &p), QUERY_PARAMS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_beat_parameters),
        cmocka_unit_test(a_literal_without_the_method_is_left_again),
        cmocka_unit_test(rests_and_ends),
        cmocka_unit_test(parameters_are_captured),
        cmocka_unit_test(upgrades_have_routes_of_their_own),
        cmocka_unit_test(wrong_tables_are_refused),
        cmocka_unit_test(targets_are_normalised),
        cmocka_unit_test(segments_are_decoded),
        cmocka_unit_test(queries_are_decoded),
        cmocka_unit_test(many_parameters_are_bounded),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
