/* One connection to PostgreSQL: opening it, noticing that it broke, and saying why something failed. */
#include "db/postgres_private.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* A statement that takes longer is a bug of ours, and holds up a thread. Migrations lift it for themselves. */
static const char session_sql[] =
    "SET client_min_messages = error; SET statement_timeout = '30s'; SET lock_timeout = '10s';"
    "SET idle_in_transaction_session_timeout = '60s'; SET standard_conforming_strings = on;"
    /* Acknowledged means durable, whatever the server's default says (design.md, idea 2). */
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

static void drop_notice(void *arg, const PGresult *r)
{
    (void)arg, (void)r;
}

/* The first line of a text of libpq, without its newline; nothing of it if it holds the password. */
static void clean_message(PGconn *c, const char *text, char out[256])
{
    const char *password = c ? PQpass(c) : NULL;
    if (password && *password && strstr(text, password))
        text = "(reason withheld: it names the password)";
    snprintf(out, 256, "%.*s", (int)strcspn(text, "\n"), text);
}

/* libpq quotes the URL when it cannot parse it, so its words are not used then. */
static bool check_url(const char *url, struct error *err)
{
    char *text = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &text);
    PQfreemem(text);
    if (!options)
        return error_set(err, ERROR_BAD_INPUT, "The database URL is not a valid PostgreSQL connection URI.");
    PQconninfoFree(options);
    return true;
}

bool pg_connect(struct pg_db *d, struct error *err)
{
    /* What the URL says comes later and wins. */
    const char *const keys[] = {"fallback_application_name", "connect_timeout", "tcp_user_timeout", "client_encoding", "dbname", NULL};
    const char *const values[] = {"carillon", "5", "10000", "UTF8", d->url, NULL};
    char why[256];
    if (!check_url(d->url, err))
        return false;
    PQfinish(d->conn);
    d->conn = PQconnectdbParams(keys, values, 1);
    d->generation++;
    if (!d->conn)
        abort();
    if (PQstatus(d->conn) != CONNECTION_OK) {
        d->base.trouble = DB_LOST;
        clean_message(d->conn, PQerrorMessage(d->conn), why);
        error_set(err, ERROR_IO, "Cannot connect to PostgreSQL: %s", why);
        if (err)
            err->status = 503;
        return false;
    }
    PQsetNoticeReceiver(d->conn, drop_notice, NULL);
    PGresult *r = pg_query(d, session_sql, err);
    if (r && d->base.read_only) {
        PQclear(r);
        r = pg_query(d, "SET default_transaction_read_only = on", err);
    }
    PQclear(r);
    return r != NULL;
}

bool pg_reconnect(struct pg_db *d, struct error *err)
{
    return pg_connect(d, err);
}

/* An idle connection has nothing to say: if it is readable, that is the server's farewell. */
bool pg_ensure_alive(struct pg_db *d, struct error *err)
{
    struct pollfd p = {.fd = PQsocket(d->conn), .events = POLLIN};
    if (PQstatus(d->conn) == CONNECTION_OK && p.fd >= 0 && poll(&p, 1, 0) == 0)
        return true;
    /* One read for the words, one for the end behind them (which notices of other kinds do not have). */
    if (PQstatus(d->conn) == CONNECTION_OK && PQconsumeInput(d->conn) && PQconsumeInput(d->conn) &&
        PQstatus(d->conn) == CONNECTION_OK)
        return true;
    return pg_reconnect(d, err);
}

static bool state_is(const char *state, const char *prefix)
{
    return !strncmp(state, prefix, strlen(prefix));
}

static bool fail_as(struct pg_db *d, enum db_trouble trouble, struct error *err, enum error_code code, const char *text)
{
    db_set_trouble(&d->base, trouble);
    error_set(err, code, "%s", text);
    if (err && trouble == DB_LOST)
        err->status = 503;
    return false;
}

/* https://www.postgresql.org/docs/current/errcodes-appendix.html */
bool pg_fail(struct pg_db *d, const PGresult *r, struct error *err)
{
    const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
    const char *text = r ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    char why[256];
    state = state ? state : "";
    clean_message(d->conn, text ? text : PQerrorMessage(d->conn), why);
    /* 57P0x: the server shuts down; 25006: it became a standby, the next connection may find the primary. */
    if (PQstatus(d->conn) != CONNECTION_OK || state_is(state, "08") || state_is(state, "57P0") || state_is(state, "25006"))
        return fail_as(d, DB_LOST, err, ERROR_IO, "The connection to PostgreSQL was lost.");
    if (state_is(state, "23"))
        return fail_as(d, DB_FINE, err, ERROR_CONFLICT, why);
    if (state_is(state, "40"))
        return fail_as(d, DB_RETRY, err, ERROR_BUSY, why);
    if (state_is(state, "55P03") || state_is(state, "57014"))
        return fail_as(d, DB_FINE, err, ERROR_BUSY, why);
    if (state_is(state, "53100"))
        return fail_as(d, DB_DISK, err, ERROR_FULL, "The disk of the PostgreSQL server is full.");
    if (state_is(state, "53") || state_is(state, "58") || state_is(state, "XX001") || state_is(state, "XX002"))
        return fail_as(d, DB_DISK, err, ERROR_IO, why);
    if (state_is(state, "22021"))
        return fail_as(d, DB_FINE, err, ERROR_BAD_INPUT, "A text is not valid UTF-8.");
    return fail_as(d, DB_FINE, err, ERROR_INTERNAL, why);
}

PGresult *pg_query(struct pg_db *d, const char *sql, struct error *err)
{
    PGresult *r = PQexec(d->conn, sql);
    ExecStatusType status = PQresultStatus(r);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return r;
    pg_fail(d, r, err);
    PQclear(r);
    return NULL;
}

void pg_count_changes(struct pg_db *d, PGresult *r, int64_t *changes)
{
    const char *tag = PQcmdStatus(r);
    *changes = 0;
    if (!strncmp(tag, "INSERT", 6) || !strncmp(tag, "UPDATE", 6) || !strncmp(tag, "DELETE", 6))
        *changes = strtoll(PQcmdTuples(r), NULL, 10);
    d->base.rows_written += *changes;
}
