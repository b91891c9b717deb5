/* Who was here before: known only where it is sure to be dead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/succession.h"

static struct id numbered(unsigned char n)
{
    return (struct id){{n}};
}

static void copy_file(const char *from, const char *to)
{
    char text[512];
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    assert_non_null(in);
    assert_non_null(out);
    size_t n = fread(text, 1, sizeof text, in);
    assert_int_equal(fwrite(text, 1, n, out), n);
    fclose(in);
    fclose(out);
}

static void only_the_dead_have_a_successor(void **state)
{
    char dir[] = "/tmp/carillon-succession-XXXXXX", path[64], copy[64];
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/node", dir);
    snprintf(copy, sizeof copy, "%s/copy", dir);
    struct succession first = succession_begin(path, numbered(1));
    assert_true(first.fd >= 0);
    assert_true(id_is_zero(first.predecessor));
    /* It lives: who shares the directory waits for its lease, and so does who was started in a copy of it. */
    struct succession beside = succession_begin(path, numbered(2));
    assert_int_equal(beside.fd, -1);
    assert_true(id_is_zero(beside.predecessor));
    copy_file(path, copy);
    struct succession copied = succession_begin(copy, numbered(3));
    assert_true(id_is_zero(copied.predecessor));
    succession_end(&copied);
    succession_end(&first);
    struct succession second = succession_begin(path, numbered(4));
    assert_true(id_eq(second.predecessor, numbered(1)));
    succession_end(&second);
    /* What cannot be read names nobody. */
    assert_int_equal(truncate(path, 10), 0);
    struct succession third = succession_begin(path, numbered(5));
    assert_true(third.fd >= 0);
    assert_true(id_is_zero(third.predecessor));
    succession_end(&third);
    unlink(path);
    unlink(copy);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_the_dead_have_a_successor)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
