/* The scale-out store: statements of PostgreSQL through libpq, with binary parameters and results.
 *
 * A statement is prepared when it is first run, because only then the kinds of its parameters are known: an
 * integer is declared as int8, a text as text, bytes as bytea. (Left to the server, `?1 > 0` would make ?1 an
 * int4.) A parameter that was only ever NULL has no type, and the server's guesses fail where it occurs twice
 * (`?1 IS NULL OR n = ?1`): until a value comes it is prepared as the word NULL.
 * A result is held whole in memory until the statement is reset: page long lists with LIMIT.
 */
#include "db/postgres_private.h"

#include <ctype.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

/* pg_type.dat; these never change. */
enum {
    OID_NONE = 0, OID_BOOL = 16, OID_BYTEA = 17, OID_NAME = 19, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23,
    OID_TEXT = 25, OID_OID = 26, OID_UNKNOWN = 705, OID_BPCHAR = 1042, OID_VARCHAR = 1043, OID_VOID = 2278,
};
enum { NAME_LEN = 16 };

struct pg_param {
    Oid declared;           /* in the server's prepared statement */
    Oid kind;               /* of what is bound now; OID_NONE for NULL */
    int64_t i;              /* big-endian */
    struct id id;
};

struct pg_stmt {
    struct db_stmt base;
    char name[NAME_LEN];
    unsigned generation;    /* of the connection that knows the name; 0: none */
    bool repeatable;        /* only reads: may be sent again after a lost connection */
    bool checked;           /* its columns have types that we can read */
    int n;
    struct pg_param *params;
    const char **values;    /* n of each, for PQexecPrepared */
    int *lengths, *formats;
    PGresult *result;
    int row, rows;
};

static struct pg_db *db_of(struct db *db) { return (struct pg_db *)db; }
static struct pg_stmt *stmt_of(struct db_stmt *s) { return (struct pg_stmt *)s; }

static void postgres_close(struct db *db)
{
    PQfinish(db_of(db)->conn);
    free(db);
}

static struct db *postgres_open(const char *url, bool read_only, struct error *err)
{
    struct pg_db *d = calloc(1, sizeof *d + strlen(url) + 1);
    if (!d)
        abort();
    strcpy(d->url, url);
    d->base.read_only = read_only;
    if (pg_connect(d, err))
        return &d->base;
    postgres_close(&d->base);
    return NULL;
}

static bool is_reading(const char *sql)
{
    while (isspace((unsigned char)*sql))
        sql++;
    return !strncmp(sql, "SELECT", 6) || !strncmp(sql, "VALUES", 6);
}

static void *array_of(int n, size_t size)
{
    void *p = calloc((size_t)n + 1, size);
    if (!p)
        abort();
    return p;
}

static struct db_stmt *postgres_stmt_create(struct db *db, const char *sql, struct error *err)
{
    (void)err;
    struct pg_stmt *s = array_of(1, sizeof *s);
    free(sql_for_postgres(sql, false, NULL, &s->n));
    s->repeatable = db->read_only || is_reading(sql);
    s->params = array_of(s->n, sizeof *s->params);
    s->values = array_of(s->n, sizeof *s->values);
    s->lengths = array_of(s->n, sizeof *s->lengths);
    s->formats = array_of(s->n, sizeof *s->formats);
    for (int i = 0; i < s->n; i++)
        s->formats[i] = 1;
    return &s->base;
}

static void postgres_stmt_destroy(struct db_stmt *base)
{
    struct pg_stmt *s = stmt_of(base);
    PQclear(s->result);
    free(s->params);
    free(s->values);
    free(s->lengths);
    free(s->formats);
    free(s);
}

static struct pg_param *bind(struct pg_stmt *s, int i, Oid kind, const char *p, size_t n)
{
    if (i < 1 || i > s->n)
        return NULL;
    s->params[i - 1].kind = kind;
    s->values[i - 1] = p;
    s->lengths[i - 1] = (int)n;
    return &s->params[i - 1];
}

static void postgres_bind_int(struct db_stmt *base, int i, int64_t v)
{
    struct pg_param *p = bind(stmt_of(base), i, OID_INT8, NULL, sizeof p->i);
    if (!p)
        return;
    p->i = (int64_t)htobe64((uint64_t)v);
    stmt_of(base)->values[i - 1] = (const char *)&p->i;
}

static void postgres_bind_text(struct db_stmt *s, int i, struct str v) { bind(stmt_of(s), i, v.p ? OID_TEXT : OID_NONE, v.p, v.n); }
static void postgres_bind_blob(struct db_stmt *s, int i, struct str v) { bind(stmt_of(s), i, v.p ? OID_BYTEA : OID_NONE, v.p, v.n); }
static void postgres_bind_null(struct db_stmt *s, int i) { bind(stmt_of(s), i, OID_NONE, NULL, 0); }

static void postgres_bind_id(struct db_stmt *base, int i, struct id v)
{
    struct pg_param *p = bind(stmt_of(base), i, OID_BYTEA, NULL, sizeof v.b);
    if (!p)
        return;
    p->id = v;
    stmt_of(base)->values[i - 1] = (const char *)p->id.b;
}

static void postgres_stmt_clear(struct db_stmt *base)
{
    struct pg_stmt *s = stmt_of(base);
    for (int i = 1; i <= s->n; i++)
        bind(s, i, OID_NONE, NULL, 0);
}

static void postgres_reset(struct db_stmt *base)
{
    struct pg_stmt *s = stmt_of(base);
    PQclear(s->result);
    s->result = NULL;
    db_stmt_set_stepping(base, false);
}

/* Takes over the kinds of what is bound; true if the server's statement, if any, must be prepared anew. */
static bool declare_kinds(struct pg_stmt *s)
{
    bool changed = false;
    for (int i = 0; i < s->n; i++)
        if (s->params[i].kind != OID_NONE && s->params[i].kind != s->params[i].declared) {
            s->params[i].declared = s->params[i].kind;
            changed = true;
        }
    return changed;
}

/* A parameter without a type is written as the word NULL (see above); the server wants a type for the gap. */
static PGresult *send_prepare(struct pg_db *d, struct pg_stmt *s)
{
    Oid *types = array_of(s->n, sizeof *types);
    bool *declared = array_of(s->n, sizeof *declared);
    for (int i = 0; i < s->n; i++) {
        declared[i] = s->params[i].declared != OID_NONE;
        types[i] = declared[i] ? s->params[i].declared : OID_TEXT;
    }
    char *sql = sql_for_postgres(s->base.sql, false, declared, NULL);
    PGresult *r = PQprepare(d->conn, s->name, sql, s->n, types);
    free(sql);
    free(types);
    free(declared);
    return r;
}

static bool ensure_prepared(struct pg_db *d, struct pg_stmt *s, struct error *err)
{
    bool changed = declare_kinds(s), known = s->generation == d->generation;
    if (known && !changed)
        return true;
    if (known) {
        char sql[NAME_LEN + 16];
        snprintf(sql, sizeof sql, "DEALLOCATE %s", s->name);
        if (!d->base.driver->command(&d->base, sql, err))
            return false;
    }
    s->generation = 0;
    s->checked = false;
    snprintf(s->name, sizeof s->name, "s%u", ++d->names);
    PGresult *r = send_prepare(d, s);
    bool ok = PQresultStatus(r) == PGRES_COMMAND_OK;
    if (ok)
        s->generation = d->generation;
    else
        pg_fail(d, r, err);
    PQclear(r);
    return ok;
}

static bool is_readable(Oid type)
{
    switch (type) {
    case OID_BOOL: case OID_BYTEA: case OID_NAME: case OID_INT8: case OID_INT2: case OID_INT4: case OID_TEXT:
    case OID_OID: case OID_UNKNOWN: case OID_BPCHAR: case OID_VARCHAR: case OID_VOID:
        return true;
    }
    return false;
}

/* A SUM without its cast is a numeric here: better an error than a wrong number. */
static bool check_columns(struct pg_stmt *s, struct error *err)
{
    for (int i = 0; !s->checked && i < PQnfields(s->result); i++)
        if (!is_readable(PQftype(s->result, i)))
            return error_set(err, ERROR_INTERNAL, "Column %d has a type that is not portable; cast it to INTEGER or TEXT: %.200s",
                             i, s->base.sql);
    s->checked = true;
    return true;
}

static bool send_once(struct pg_db *d, struct pg_stmt *s, struct error *err)
{
    if (!ensure_prepared(d, s, err))
        return false;
    PGresult *r = PQexecPrepared(d->conn, s->name, s->n, s->values, s->lengths, s->formats, 1);
    ExecStatusType status = PQresultStatus(r);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        pg_fail(d, r, err);
        PQclear(r);
        return false;
    }
    s->result = r;
    s->row = -1;
    s->rows = PQntuples(r);
    pg_count_changes(d, r, &s->base.changes);
    return check_columns(s, err);
}

/* Outside of a transaction a lost connection is replaced once; what was sent is sent again only if it reads. */
static bool execute(struct pg_db *d, struct pg_stmt *s, struct error *err)
{
    if (d->base.in_tx)
        return send_once(d, s, err);
    d->base.trouble = DB_FINE;
    if (!pg_ensure_alive(d, err))
        return false;
    if (send_once(d, s, err))
        return true;
    if (d->base.trouble != DB_LOST || !pg_reconnect(d, err))
        return false;
    d->base.trouble = DB_FINE;
    return s->repeatable && send_once(d, s, err);
}

static enum db_step postgres_step(struct db_stmt *base, struct error *err)
{
    struct pg_stmt *s = stmt_of(base);
    if (!s->result && !execute(db_of(base->db), s, err)) {
        postgres_reset(base);
        return DB_FAILED;
    }
    if (++s->row < s->rows) {
        db_stmt_set_stepping(base, true);
        return DB_ROW;
    }
    postgres_reset(base);
    return DB_DONE;
}

static bool postgres_is_null(struct db_stmt *base, int col)
{
    struct pg_stmt *s = stmt_of(base);
    return !s->result || PQgetisnull(s->result, s->row, col);
}

static int64_t postgres_int(struct db_stmt *base, int col)
{
    struct pg_stmt *s = stmt_of(base);
    if (postgres_is_null(base, col))
        return 0;
    const char *p = PQgetvalue(s->result, s->row, col);
    uint64_t u64;
    uint32_t u32;
    uint16_t u16;
    switch (PQftype(s->result, col)) {
    case OID_INT8: memcpy(&u64, p, 8); return (int64_t)be64toh(u64);
    case OID_INT4: memcpy(&u32, p, 4); return (int32_t)be32toh(u32);
    case OID_OID: memcpy(&u32, p, 4); return be32toh(u32);
    case OID_INT2: memcpy(&u16, p, 2); return (int16_t)be16toh(u16);
    case OID_BOOL: return *p != 0;
    }
    return 0;
}

static struct str postgres_blob(struct db_stmt *base, int col)
{
    struct pg_stmt *s = stmt_of(base);
    if (postgres_is_null(base, col))
        return STR_NULL;
    switch (PQftype(s->result, col)) {
    case OID_INT8: case OID_INT4: case OID_INT2: case OID_OID: case OID_BOOL:
        return STR_NULL;
    }
    return (struct str){PQgetvalue(s->result, s->row, col), (size_t)PQgetlength(s->result, s->row, col)};
}

static bool postgres_command(struct db *db, const char *sql, struct error *err)
{
    PGresult *r = pg_query(db_of(db), sql, err);
    PQclear(r);
    return r != NULL;
}

/* CREATE TABLE and its like come through here, so the schema's rules hold too. */
static bool postgres_exec(struct db *db, const char *sql, struct error *err)
{
    struct pg_db *d = db_of(db);
    int64_t changes;
    if (!db->in_tx) {
        db->trouble = DB_FINE;
        if (!pg_ensure_alive(d, err))
            return false;
    }
    char *own = sql_for_postgres(sql, true, NULL, NULL);
    PGresult *r = pg_query(d, own, err);
    free(own);
    if (r)
        pg_count_changes(d, r, &changes);
    PQclear(r);
    return r != NULL;
}

const struct db_driver db_postgres_driver = {
    .open = postgres_open, .close = postgres_close, .stmt_create = postgres_stmt_create,
    .stmt_destroy = postgres_stmt_destroy, .stmt_clear = postgres_stmt_clear, .bind_int = postgres_bind_int,
    .bind_text = postgres_bind_text, .bind_blob = postgres_bind_blob, .bind_id = postgres_bind_id,
    .bind_null = postgres_bind_null, .step = postgres_step, .reset = postgres_reset, .is_null = postgres_is_null,
    .get_int = postgres_int, .get_text = postgres_blob, .get_blob = postgres_blob, .exec = postgres_exec,
    .command = postgres_command, .begin = pg_begin, .commit = pg_commit, .rollback = pg_rollback, .probe = pg_probe,
};
