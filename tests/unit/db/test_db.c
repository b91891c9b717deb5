/* What db.h promises, of both drivers. */
#include "both.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char things[] = "CREATE TABLE things (id BLOB NOT NULL PRIMARY KEY, n INTEGER, t TEXT, b BLOB)";

static struct id id_of(uint8_t last)
{
    return (struct id){{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, last}};
}

static void insert_thing(struct db *db, uint8_t id, int64_t n, struct str t, struct str b)
{
    struct db_stmt *s = prepare(db, "INSERT INTO things (id, n, t, b) VALUES (?1, ?2, ?3, ?4)");
    db_bind_id(s, 1, id_of(id));
    db_bind_int(s, 2, n);
    db_bind_text(s, 3, t);
    db_bind_blob(s, 4, b);
    run(s);
    assert_int_equal(db_changes(s), 1);
}

static void every_type_comes_back(void **state)
{
    struct store *st = *state;
    exec(st->db, things);
    insert_thing(st->db, 1, INT64_MIN, STR("gr\xc3\xbc\xc3\x9f '\"\\ ?1"), (struct str){"\0\1\xff", 3});
    insert_thing(st->db, 2, 1LL << 40, (struct str){"", 0}, (struct str){"", 0});
    insert_thing(st->db, 3, 0, STR_NULL, STR_NULL);
    struct db_stmt *s = prepare(st->db, "SELECT id, n, t, b FROM things ORDER BY id");
    row(s);
    assert_true(id_eq(db_id(s, 0), id_of(1)));
    assert_true(db_int(s, 1) == INT64_MIN);
    assert_true(str_eqz(db_text(s, 2), "gr\xc3\xbc\xc3\x9f '\"\\ ?1"));
    assert_true(str_eq(db_blob(s, 3), (struct str){"\0\1\xff", 3}));
    row(s);
    assert_true(db_int(s, 1) == 1LL << 40);
    assert_false(db_is_null(s, 2) || db_is_null(s, 3));
    assert_true(db_text(s, 2).n == 0 && db_blob(s, 3).n == 0 && db_text(s, 2).p && db_blob(s, 3).p);
    row(s);
    assert_true(db_is_null(s, 2) && db_is_null(s, 3));
    assert_true(!db_text(s, 2).p && !db_blob(s, 3).p && db_int(s, 2) == 0 && id_is_zero(db_id(s, 3)));
    no_row(s);
    assert_int_equal(db_rows_written(st->db), 3);
}

static void plain_values_become_parameters(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    enum { SMALL = -7 };
    bool yes = true;
    uint8_t byte = 200;
    exec(st->db, things);
    const char *put = "INSERT INTO things (id, n, t, b) VALUES (?1, ?2, ?3, ?4)";
    assert_true(db_write(st->db, &err, put, id_of(1), INT64_MIN, STR("t"), db_as_blob((struct str){"\0\1", 2})));
    assert_true(db_write(st->db, &err, put, id_of(2), db_time_or_null(0), STR_NULL, db_null()));
    assert_true(db_write(st->db, &err, put, id_of(3), db_time_or_null(9), STR(""), db_id_or_null(id_of(9))));
    assert_false(db_write(st->db, &err, put, id_of(3), 1, STR(""), db_id_or_null((struct id){{0}})));
    assert_int_equal(err.code, ERROR_CONFLICT);
    struct db_stmt *s = db_query(st->db, &err, "SELECT n, t, b, CAST(?1 + ?2 + ?3 + ?4 + ?5 + ?6 + ?7 + ?8 + ?9 + ?10 + ?11 + ?12 + ?13 + ?14 "
                                 "+ ?15 + ?16 + ?17 + ?18 + ?19 + ?20 + ?21 + ?22 AS INTEGER) FROM things ORDER BY id",
                                 SMALL, yes, byte, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1LL << 40);
    row(s);
    assert_true(db_int(s, 0) == INT64_MIN && str_eqz(db_text(s, 1), "t") && str_eq(db_blob(s, 2), (struct str){"\0\1", 2}));
    assert_true(db_int(s, 3) == -7 + 1 + 200 + 18 + (1LL << 40));
    row(s);
    assert_true(db_is_null(s, 0) && db_is_null(s, 1) && db_is_null(s, 2));
    row(s);
    assert_true(db_int(s, 0) == 9 && !db_is_null(s, 1) && id_eq(db_id(s, 2), id_of(9)));
    no_row(s);
}

static void parameters_keep_their_kinds(void **state)
{
    struct store *st = *state;
    exec(st->db, things);
    insert_thing(st->db, 1, 5, STR("x"), STR_NULL);
    /* A literal must not shrink ?1 to 32 bits; a number may be repeated and out of order. */
    struct db_stmt *s = prepare(st->db, "SELECT ?2 + 1, COUNT(*) FROM things WHERE ?1 > 0 AND n = ?2 AND t <> '?9 INTEGER'");
    db_bind_int(s, 1, 1LL << 40);
    db_bind_int(s, 2, 5);
    row(s);
    assert_int_equal(db_int(s, 0), 6);
    assert_int_equal(db_int(s, 1), 1);
    no_row(s);
    /* First NULL, then a value, then NULL again, with nothing but IS NULL to tell a type; inside a transaction. */
    const char *maybe = "SELECT COUNT(*) FROM things WHERE (?1 IS NULL OR n = ?1) AND CASE WHEN ?2 IS NULL THEN 1 ELSE 0 END = ?3";
    struct error err = {0};
    must(db_begin(st->db, true, &err), &err, "begin");
    for (int i = 0; i < 4; i++) {
        s = prepare(st->db, maybe);
        if (i == 1)
            db_bind_int(s, 1, 6);
        if (i == 2)
            db_bind_int(s, 2, 77);
        db_bind_int(s, 3, i == 2 ? 0 : 1);
        row(s);
        assert_int_equal(db_int(s, 0), i == 1 ? 0 : 1);
        no_row(s);
    }
    must(db_commit(st->db, &err), &err, "commit");
}

static void casts_and_counts_are_portable(void **state)
{
    struct store *st = *state;
    exec(st->db, things);
    insert_thing(st->db, 1, 1LL << 40, STR("a"), STR_NULL);
    insert_thing(st->db, 2, 1LL << 40, STR("b"), STR_NULL);
    assert_true(number(st->db, "SELECT CAST(SUM(n) AS INTEGER) FROM things") == 1LL << 41);
    assert_int_equal(number(st->db, "SELECT COUNT(*) FROM things"), 2);
    assert_int_equal(number(st->db, "SELECT COALESCE(MAX(n), 0) FROM things WHERE n < 0"), 0);
    struct db_stmt *s = prepare(st->db, "SELECT CAST(n AS TEXT) FROM things /* INTEGER ?7 */ -- 'quote\n LIMIT ?1");
    db_bind_int(s, 1, 1);
    row(s);
    assert_true(str_eqz(db_text(s, 0), "1099511627776"));
    db_reset(s);
}

static void unportable_columns_are_refused(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    exec(st->db, things);
    struct db_stmt *s = prepare(st->db, "SELECT SUM(n) FROM things");
    assert_int_equal(db_step(s, &err), DB_FAILED);
    assert_int_equal(err.code, ERROR_INTERNAL);
}

static void upsert_and_returning(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    exec(st->db, things);
    const char *upsert = "INSERT INTO things (id, n) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET n = things.n + excluded.n RETURNING n, t";
    for (int i = 1; i <= 3; i++) {
        struct db_stmt *s = prepare(st->db, upsert);
        db_bind_id(s, 1, id_of(1));
        db_bind_int(s, 2, i);
        row(s);
        assert_int_equal(db_int(s, 0), i * (i + 1) / 2);
        assert_true(db_is_null(s, 1));
        if (i == 2)
            db_reset(s);        /* its work is done with the first row */
        else
            no_row(s);
        assert_int_equal(db_changes(s), 1);
    }
    struct db_stmt *s = prepare(st->db, "INSERT INTO things (id, n) VALUES (?1, 9) ON CONFLICT DO NOTHING");
    db_bind_id(s, 1, id_of(1));
    must(db_run(s, &err), &err, "do nothing");
    assert_int_equal(db_changes(s), 0);
    s = prepare(st->db, "UPDATE things SET n = n");
    run(s);
    assert_int_equal(db_changes(s), 1);
    s = prepare(st->db, "DELETE FROM things WHERE n = 6");
    run(s);
    assert_int_equal(db_changes(s), 1);
    assert_int_equal(db_rows_written(st->db), 5);
}

static void row_values_page_in_byte_order(void **state)
{
    struct store *st = *state;
    static const char *const words[] = {"Zebra", "a", "b", "\xc3\xa9", NULL};
    exec(st->db, "CREATE TABLE words (w TEXT NOT NULL, id BLOB NOT NULL, PRIMARY KEY (w, id))");
    exec(st->db, "CREATE UNIQUE INDEX words_a ON words (w) WHERE w = 'a'");
    for (int i = 0; words[i]; i++) {
        struct db_stmt *s = prepare(st->db, "INSERT INTO words VALUES (?1, ?2)");
        db_bind_text(s, 1, str_of(words[i]));
        db_bind_id(s, 2, id_of((uint8_t)i));
        run(s);
    }
    struct db_stmt *s = prepare(st->db, "SELECT w FROM words WHERE (w, id) > (?1, ?2) ORDER BY w, id LIMIT ?3");
    db_bind_text(s, 1, STR("Zebra"));
    db_bind_id(s, 2, id_of(0));
    db_bind_int(s, 3, 10);
    for (int i = 1; words[i]; i++) {
        row(s);
        assert_true(str_eqz(db_text(s, 0), words[i]));
    }
    no_row(s);
    assert_int_equal(number(st->db, "SELECT COUNT(*) FROM words WHERE w LIKE 'z%'"), 0);
    assert_int_equal(number(st->db, "SELECT COUNT(*) FROM words WHERE w LIKE 'Z%'"), 1);
}

static void row_locks_are_for_those_who_have_them(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    exec(st->db, things);
    insert_thing(st->db, 1, 5, STR("FOR UPDATE"), STR_NULL);
    must(db_begin(st->db, true, &err), &err, "begin");
    struct db_stmt *s = prepare(st->db, "SELECT n FROM things WHERE t = 'FOR UPDATE' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED");
    row(s);
    assert_int_equal(db_int(s, 0), 5);
    must(db_commit(st->db, &err), &err, "commit");
}

static void broken_constraints_are_conflicts(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    exec(st->db, "CREATE TABLE u (a INTEGER NOT NULL UNIQUE)");
    exec(st->db, "INSERT INTO u VALUES (1)");
    struct db_stmt *s = prepare(st->db, "INSERT INTO u VALUES (?1)");
    db_bind_int(s, 1, 1);
    assert_false(db_run(s, &err));
    assert_int_equal(err.code, ERROR_CONFLICT);
    assert_int_equal(error_status(&err), 409);
    s = prepare(st->db, "INSERT INTO u VALUES (?1)");
    db_bind_int(s, 1, 2);
    run(s);
}

static void bad_sql_is_our_fault(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    struct db_stmt *s = db_prepare(st->db, "SELECT nothing FROM nowhere", &err);
    if (s)      /* PostgreSQL sees it when it is run */
        assert_int_equal(db_step(s, &err), DB_FAILED);
    assert_int_equal(err.code, ERROR_INTERNAL);
    assert_false(db_exec(st->db, "SELEKT", &err));
    assert_int_equal(number(st->db, "SELECT 1"), 1);
}

/* A statement that is used again has the values of this use and no others, in whatever order and kind they were said before. */
static void each_use_has_its_own_values(void **state)
{
    static const char *const kinds[] = {"null", "integer", "text", "blob", "blob"};
    struct db *db = ((struct store *)*state)->db;
    uint64_t random = 7;
    for (int use = 0; use < 5000; use++) {
        int kind[4] = {0};
        int64_t number[4];
        struct id id[4] = {{{0}}};
        char text[4][24];
        struct db_stmt *s = prepare(db, "SELECT typeof(?1), ?1, typeof(?2), ?2, typeof(?3), ?3, typeof(?4), ?4");
        for (int i = 0; i < 4; i++) {
            random = random * 6364136223846793005 + 1442695040888963407;
            bool said = random >> 40 & 3;               /* else it stays NULL */
            kind[i] = said ? (int)(random >> 33 & 0xff) % 5 : 0;
            number[i] = (int64_t)(random >> 62);        /* often the one of before */
            id[i].b[11] = (uint8_t)(random >> 50 & 1);
            snprintf(text[i], sizeof text[i], "%d", use * (int)(random >> 51 & 1));
            switch (said ? kind[i] : -1) {
            case 0: db_bind_null(s, i + 1); break;
            case 1: db_bind_int(s, i + 1, number[i]); break;
            case 2: db_bind_text(s, i + 1, str_of(text[i])); break;
            case 3: db_bind_blob(s, i + 1, str_of(text[i])); break;
            case 4: db_bind_id(s, i + 1, id[i]); break;
            default: break;
            }
        }
        row(s);
        for (int i = 0; i < 4; i++) {
            assert_true(str_eqz(db_text(s, i * 2), kinds[kind[i]]));
            if (kind[i] == 1)
                assert_int_equal(db_int(s, i * 2 + 1), number[i]);
            else if (kind[i] == 4)
                assert_true(id_eq(db_id(s, i * 2 + 1), id[i]));
            else if (kind[i])
                assert_true(str_eqz(kind[i] == 2 ? db_text(s, i * 2 + 1) : db_blob(s, i * 2 + 1), text[i]));
        }
        db_reset(s);
    }
}

static void text_with_nul_is_bad_input(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    struct db_stmt *s = prepare(st->db, "SELECT CAST(?1 AS TEXT)");
    db_bind_text(s, 1, (struct str){"a\0b", 3});
    assert_int_equal(db_step(s, &err), DB_FAILED);
    assert_int_equal(err.code, ERROR_BAD_INPUT);
    s = prepare(st->db, "SELECT CAST(?1 AS TEXT)");
    db_bind_text(s, 1, STR("ab"));
    row(s);
    db_reset(s);
}

static void statements_are_kept_and_guarded(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    char sql[64];
    struct db_stmt *first = NULL;
    exec(st->db, things);
    for (int i = 0; i < 300; i++) {     /* more than the first table of the cache holds */
        snprintf(sql, sizeof sql, "SELECT %d FROM things", i);
        struct db_stmt *s = prepare(st->db, sql);
        first = first ? first : s;
    }
    assert_ptr_equal(prepare(st->db, "SELECT 0 FROM things"), first);
    insert_thing(st->db, 1, 1, STR_NULL, STR_NULL);
    row(first);
    assert_null(db_prepare(st->db, "SELECT 0 FROM things", &err));
    assert_int_equal(err.code, ERROR_INTERNAL);
    assert_int_equal(number(st->db, "SELECT 7 FROM things"), 7);    /* others may be used between its rows */
    db_reset(first);
    assert_non_null(db_prepare(st->db, "SELECT 0 FROM things", &err));
    /* Bindings do not survive a new use. */
    struct db_stmt *s = prepare(st->db, "SELECT CAST(?1 AS TEXT)");
    db_bind_text(s, 1, STR("once"));
    row(s);
    no_row(s);
    s = prepare(st->db, "SELECT CAST(?1 AS TEXT)");
    row(s);
    assert_true(db_is_null(s, 0));
    db_reset(s);
}

static void a_rolled_back_transaction_leaves_nothing(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    exec(st->db, things);
    must(db_begin(st->db, true, &err), &err, "begin");
    assert_false(db_begin(st->db, true, &err));
    insert_thing(st->db, 1, 1, STR_NULL, STR_NULL);
    struct db_stmt *open = prepare(st->db, "SELECT id FROM things");
    row(open);                          /* left open on purpose, as a failing task would */
    db_rollback(st->db);
    db_rollback(st->db);                /* without effect */
    assert_int_equal(number(st->db, "SELECT COUNT(*) FROM things"), 0);
    assert_non_null(db_prepare(st->db, "SELECT id FROM things", &err));
    assert_false(db_commit(st->db, &err));
}

static void savepoints_undo_a_part(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    exec(st->db, things);
    must(db_begin(st->db, true, &err), &err, "begin");
    for (uint8_t i = 1; i <= 4; i++) {
        must(db_savepoint(st->db, 1, &err), &err, "savepoint");
        insert_thing(st->db, i, i, STR_NULL, STR_NULL);
        must(db_savepoint(st->db, 2, &err), &err, "savepoint");
        insert_thing(st->db, i + 10, i, STR_NULL, STR_NULL);
        if (i % 2) {
            struct db_stmt *s = prepare(st->db, "INSERT INTO things (id) VALUES (?1)");
            db_bind_id(s, 1, id_of(i));
            assert_false(db_run(s, &err));          /* spoils a PostgreSQL transaction, but for the savepoint */
            db_rollback_to(st->db, 2);
        } else
            must(db_release(st->db, 2, &err), &err, "release");
        must(db_release(st->db, 1, &err), &err, "release");
    }
    must(db_commit(st->db, &err), &err, "commit");
    assert_int_equal(number(st->db, "SELECT COUNT(*) FROM things"), 6);
}

static void a_reader_sees_one_state_and_cannot_write(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    exec(st->db, things);
    insert_thing(st->db, 1, 1, STR_NULL, STR_NULL);
    struct db *reader = db_open(st->url, true, &err);
    must(reader != NULL, &err, "reader");
    must(db_begin(reader, false, &err), &err, "begin");
    assert_int_equal(number(reader, "SELECT COUNT(*) FROM things"), 1);
    insert_thing(st->db, 2, 2, STR_NULL, STR_NULL);
    assert_int_equal(number(reader, "SELECT COUNT(*) FROM things"), 1);
    must(db_commit(reader, &err), &err, "commit");
    assert_int_equal(number(reader, "SELECT COUNT(*) FROM things"), 2);
    assert_false(db_begin(reader, true, &err));
    assert_false(db_exec(reader, "DELETE FROM things", &err));
    db_close(reader);
    assert_int_equal(number(st->db, "SELECT COUNT(*) FROM things"), 2);
}

static void urls_are_checked_without_echo(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "mysql://root:hunter2@localhost/x", "postgres://u:hunter2@127.0.0.1:1/x", "postgres://u:hunter2@127.0.0.1:99x/x",
        "postgresql://u:hunter2@[::1/x", "postgres://u:hunter2@127.0.0.1:1/x?hunter2=1",
        "postgres://hunter2:hunter2@127.0.0.1:1/hunter2?sslmode=hunter2", "sqlite:", NULL,
    };
    for (int i = 0; bad[i]; i++) {
        struct error err = {0};
        assert_null(db_open(bad[i], false, &err));
        assert_int_not_equal(err.code, ERROR_NONE);
        assert_true(err.message[0]);
        assert_null(strstr(err.message, "hunter2"));
    }
}

/* --- SQLite's file and directory --- */

static void sqlite_is_durable_and_private(void **state)
{
    struct store *st = *state;
    struct stat file;
    assert_int_equal(number(st->db, "PRAGMA synchronous"), 2);
    struct db_stmt *s = prepare(st->db, "PRAGMA journal_mode");
    row(s);
    assert_true(str_eqz(db_text(s, 0), "wal"));
    db_reset(s);
    exec(st->db, things);
    char path[512];
    snprintf(path, sizeof path, "%s-wal", st->url + strlen("sqlite:"));
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
}

static int exit_status_of(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* In a forked child: 0 if the store opens for writing, else 1 + the error's code; the message goes to fd. */
static pid_t child_opens(const char *url, uid_t uid, int fd)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    struct error err = {0};
    if (uid && setuid(uid))
        _exit(99);
    struct db *db = db_open(url, false, &err);
    if (!db && write(fd, err.message, strlen(err.message)) < 0)
        _exit(98);
    _exit(db ? 0 : 1 + (int)err.code);
}

static void one_process_holds_the_directory(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    int fds[2];
    char text[512] = "", want[32];
    assert_int_equal(pipe(fds), 0);
    struct db *second = db_open(st->url, false, &err);      /* of the same process */
    must(second != NULL, &err, "second connection");
    db_close(second);
    assert_int_equal(exit_status_of(child_opens(st->url, 0, fds[1])), 1 + ERROR_BUSY);
    assert_true(read(fds[0], text, sizeof text - 1) > 0);
    snprintf(want, sizeof want, "(pid %d)", (int)getpid());
    assert_non_null(strstr(text, want));
    db_close(st->db);
    st->db = NULL;
    assert_int_equal(exit_status_of(child_opens(st->url, 0, fds[1])), 0);
    st->db = db_open(st->url, false, &err);
    must(st->db != NULL, &err, "again");
    close(fds[0]);
    close(fds[1]);
}

static void an_unwritable_directory_is_named(void **state)
{
    (void)state;
    char url[512], text[512] = "";
    struct error err = {0};
    int fds[2];
    snprintf(url, sizeof url, "sqlite:%s/missing/x.db", support_scratch_dir());
    assert_null(db_open(url, false, &err));
    assert_int_equal(err.code, ERROR_IO);
    assert_non_null(strstr(err.message, "/missing/x.db"));
    assert_non_null(strstr(err.message, "No such file or directory"));
    assert_null(db_open(url, true, &err));
    assert_int_equal(err.code, ERROR_IO);

    snprintf(url, sizeof url, "%s/closed", support_scratch_dir());
    assert_int_equal(mkdir(url, 0555), 0);
    snprintf(url, sizeof url, "sqlite:%s/closed/x.db", support_scratch_dir());
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(exit_status_of(child_opens(url, geteuid() == 0 ? 65534 : 0, fds[1])), 1 + ERROR_IO);
    assert_true(read(fds[0], text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "/closed/x.db"));
    assert_non_null(strstr(text, "Permission denied"));
    close(fds[0]);
    close(fds[1]);
}

static void a_damaged_file_is_named(void **state)
{
    (void)state;
    char url[512];
    struct error err = {0};
    snprintf(url, sizeof url, "sqlite:%s/damaged.db", support_scratch_dir());
    FILE *f = fopen(url + 7, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is not a database ", f);
    fclose(f);
    assert_null(db_open(url, false, &err));
    assert_int_equal(err.code, ERROR_IO);
    assert_non_null(strstr(err.message, "damaged.db is damaged"));
}

/* --- PostgreSQL's connection --- */

static void a_lost_connection_comes_back(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    exec(st->db, things);
    insert_thing(st->db, 1, 1, STR_NULL, STR_NULL);
    support_pg_disconnect(st->url);
    insert_thing(st->db, 2, 2, STR_NULL, STR_NULL);     /* noticed before anything was sent */
    support_pg_disconnect(st->url);
    assert_int_equal(number(st->db, "SELECT COUNT(*) FROM things"), 2);
    support_pg_disconnect(st->url);
    must(db_begin(st->db, true, &err), &err, "begin");
    insert_thing(st->db, 3, 3, STR_NULL, STR_NULL);
    support_pg_disconnect(st->url);
    struct db_stmt *s = prepare(st->db, "SELECT COUNT(*) FROM things");
    assert_int_equal(db_step(s, &err), DB_FAILED);      /* never half a transaction */
    assert_int_equal(err.code, ERROR_IO);
    assert_int_equal(error_status(&err), 503);
    db_rollback(st->db);
    assert_int_equal(number(st->db, "SELECT COUNT(*) FROM things"), 2);
}

static void a_failed_transaction_does_not_commit(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    exec(st->db, things);
    must(db_begin(st->db, true, &err), &err, "begin");
    insert_thing(st->db, 1, 1, STR_NULL, STR_NULL);
    assert_false(db_exec(st->db, "INSERT INTO things (id) VALUES (NULL)", &err));
    assert_false(db_commit(st->db, &err));
    assert_int_equal(number(st->db, "SELECT COUNT(*) FROM things"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(every_type_comes_back), BOTH(parameters_keep_their_kinds), BOTH(casts_and_counts_are_portable),
        BOTH(plain_values_become_parameters), BOTH(parameters_keep_their_kinds), BOTH(casts_and_counts_are_portable),
        ONE(unportable_columns_are_refused, 1), BOTH(upsert_and_returning), BOTH(row_values_page_in_byte_order),
        BOTH(row_locks_are_for_those_who_have_them), BOTH(broken_constraints_are_conflicts), BOTH(bad_sql_is_our_fault),
        ONE(each_use_has_its_own_values, 0), BOTH(text_with_nul_is_bad_input), BOTH(statements_are_kept_and_guarded),
        BOTH(a_rolled_back_transaction_leaves_nothing), BOTH(savepoints_undo_a_part),
        BOTH(a_reader_sees_one_state_and_cannot_write), cmocka_unit_test(urls_are_checked_without_echo),
        ONE(sqlite_is_durable_and_private, 0), ONE(one_process_holds_the_directory, 0),
        cmocka_unit_test(an_unwritable_directory_is_named), cmocka_unit_test(a_damaged_file_is_named),
        ONE(a_lost_connection_comes_back, 1), ONE(a_failed_transaction_does_not_commit, 1),
    };
    return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
