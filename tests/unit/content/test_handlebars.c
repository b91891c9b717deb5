/* Handlebars of older workflows as Liquid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "content/handlebars.h"

static void is_translated(void **state)
{
    static const char *const cases[][2] = {
        {"plain", "plain"},
        {"Hi {{name}}", "Hi {{ payload.name }}"},
        {"{{{html.body}}} {{& raw}}", "{{ payload.html.body }} {{ payload.raw }}"},
        {"{{subscriber.firstName}} {{ payload.x }} {{step.total_count}}", "{{ subscriber.firstName }} {{ payload.x }} {{ step.total_count }}"},
        {"{{items.[0].name}} {{items.0}} {{a/b}} {{list.length}}",
         "{{ payload.items[0].name }} {{ payload.items[0] }} {{ payload.a.b }} {{ payload.list.size }}"},
        {"{{[first name]}}", "{{ payload[\"first name\"] }}"},
        {"{{#if paid}}yes{{else}}no{{/if}}", "{% if payload.paid %}yes{% else %}no{% endif %}"},
        {"{{#if a}}1{{else if b}}2{{/if}}", "{% if payload.a %}1{% elsif payload.b %}2{% endif %}"},
        {"{{#unless a}}1{{/unless}}", "{% unless payload.a %}1{% endunless %}"},
        {"{{#equals a 'x y'}}1{{/equals}}", "{% if payload.a == 'x y' %}1{% endif %}"},
        {"{{#each step.events}}{{@index}} {{name}} {{this.age}} {{this}} {{../total}} {{@root.top}}{{/each}}{{after}}",
         "{% for item in step.events %}{{ forloop.index0 }} {{ item.name }} {{ item.age }} {{ item }} {{ payload.total }} "
         "{{ payload.top }}{% endfor %}{{ payload.after }}"},
        {"{{#each a}}{{#each b}}{{c}}{{../d}}{{/each}}{{/each}}",
         "{% for item in payload.a %}{% for item2 in item.b %}{{ item2.c }}{{ item.d }}{% endfor %}{% endfor %}"},
        {"a {{~b~}} c", "a {{- payload.b -}} c"},
        {"{{! gone }}x{{!-- {{gone}} too --}}", "x"},
        {"{{uppercase name}} {{lowercase 'A'}}", "{{ payload.name | upcase }} {{ 'A' | downcase }}"},
        /* Not understood, and so left alone. */
        {"{{dateFormat at 'yyyy'}} {{ payload.x | upcase }} {{#with a}}{{/with}} {{}} {{x", NULL},
        {"{{/if}}{{else}}{{#if}}{{@index}}{{a\"b}}{{a..b}}", NULL},
    };
    struct arena *a = arena_create(1024);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(str_z(a, handlebars_to_liquid(a, str_of(cases[i][0]))), cases[i][1] ? cases[i][1] : cases[i][0]);
    arena_destroy(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(is_translated)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
