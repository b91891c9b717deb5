/* Runs each test of a program against both databases, on an empty store of its own (or on what BOTH_URL gives). */
#ifndef TESTS_DB_BOTH_H
#define TESTS_DB_BOTH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "db/db.h"
#include "support/pg.h"

#ifndef BOTH_URL
#define BOTH_URL support_db_url
#endif

struct store {
    enum db_kind kind;
    const char *url;
    struct db *db;
};

static const enum db_kind both_kinds[] = {DB_SQLITE, DB_POSTGRES};

static inline int store_setup(void **state)
{
    struct error err = {0};
    struct store *st = calloc(1, sizeof *st);
    st->kind = *(const enum db_kind *)*state;
    st->url = BOTH_URL(st->kind);
    st->db = db_open(st->url, false, &err);
    if (!st->db)
        fail_msg("db_open: %s", err.message);
    *state = st;
    return 0;
}

static inline int store_teardown(void **state)
{
    struct store *st = *state;
    db_close(st->db);
    free(st);
    return 0;
}

#define ONE(f, k) {#f, f, store_setup, store_teardown, (void *)(uintptr_t)&both_kinds[k]}
#define BOTH(f) {#f " (sqlite)", f, store_setup, store_teardown, (void *)(uintptr_t)&both_kinds[0]}, \
                {#f " (postgres)", f, store_setup, store_teardown, (void *)(uintptr_t)&both_kinds[1]}

static inline void must(bool ok, const struct error *err, const char *what)
{
    if (!ok)
        fail_msg("%s: %s", what, err->message);
}

static inline void exec(struct db *db, const char *sql)
{
    struct error err = {0};
    must(db_exec(db, sql, &err), &err, sql);
}

static inline struct db_stmt *prepare(struct db *db, const char *sql)
{
    struct error err = {0};
    struct db_stmt *s = db_prepare(db, sql, &err);
    must(s != NULL, &err, sql);
    return s;
}

static inline void run(struct db_stmt *s)
{
    struct error err = {0};
    must(db_run(s, &err), &err, "db_run");
}

static inline void row(struct db_stmt *s)
{
    struct error err = {0};
    enum db_step r = db_step(s, &err);
    must(r != DB_FAILED, &err, "db_step");
    assert_int_equal(r, DB_ROW);
}

static inline void no_row(struct db_stmt *s)
{
    struct error err = {0};
    enum db_step r = db_step(s, &err);
    must(r != DB_FAILED, &err, "db_step");
    assert_int_equal(r, DB_DONE);
}

/* The one number that a query gives. */
static inline int64_t number(struct db *db, const char *sql)
{
    struct db_stmt *s = prepare(db, sql);
    row(s);
    int64_t n = db_int(s, 0);
    db_reset(s);
    return n;
}

#endif
