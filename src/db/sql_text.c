/* Rewrites the common SQL into the words of a driver, outside of quotes and comments. */
#include "db/db_private.h"

#include <ctype.h>
#include <stdlib.h>

/* Words are matched in capitals only: a column may be called `text` or `blob`. */
struct scan {
    const char *p;              /* what is left */
    char *out;
    size_t n;
};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static void put(struct scan *s, const char *p, size_t n)
{
    memcpy(s->out + s->n, p, n);
    s->n += n;
}

/* Copies a quoted text, quoted name or comment at s->p; false if there is none. A doubled quote reads as two
 * quoted parts, which comes to the same. */
static bool copy_opaque(struct scan *s)
{
    const char *p = s->p, *end;
    if (*p == '\'' || *p == '"')
        end = strchr(p + 1, *p);
    else if (p[0] == '-' && p[1] == '-')
        end = strchr(p, '\n');
    else if (p[0] == '/' && p[1] == '*') {
        end = strstr(p + 2, "*/");
        end = end ? end + 1 : NULL;
    } else
        return false;
    size_t n = end ? (size_t)(end - p) + 1 : strlen(p);
    put(s, p, n);
    s->p += n;
    return true;
}

static struct str next_word(const char *p)
{
    size_t n = 0;
    while (is_word(p[n]))
        n++;
    return (struct str){p, n};
}

/* The length of `words` (separated by single spaces) at p, any white space between them; 0 if not there. */
static size_t phrase_at(const char *p, const char *words)
{
    const char *at = p;
    while (*words) {
        struct str want = next_word(words), got = next_word(at);
        if (!str_eq(want, got))
            return 0;
        at += got.n;
        words += want.n;
        if (*words) {
            words++;
            while (isspace((unsigned char)*at))
                at++;
        }
    }
    return (size_t)(at - p);
}

/* SQLite has one writer and no row locks: the clause says nothing there. */
char *sql_for_sqlite(const char *sql)
{
    struct scan s = {.p = sql, .out = malloc(strlen(sql) + 1)};
    if (!s.out)
        abort();
    while (*s.p) {
        size_t skip;
        if (copy_opaque(&s))
            continue;
        if ((skip = phrase_at(s.p, "FOR UPDATE SKIP LOCKED")) || (skip = phrase_at(s.p, "FOR UPDATE"))) {
            s.p += skip;
            continue;
        }
        size_t n = is_word(*s.p) ? next_word(s.p).n : 1;
        put(&s, s.p, n);
        s.p += n;
    }
    s.out[s.n] = 0;
    return s.out;
}

/* Texts compare by their bytes in SQLite; under PostgreSQL the collation of a column says so. That also keeps
 * indexes right when the system's locales change. A cast takes no collation. */
static void put_type(struct scan *s, struct str word, struct str before, bool schema)
{
    static const char bytewise[] = "TEXT COLLATE \"C\"";
    if (str_eqz(word, "INTEGER"))
        put(s, "BIGINT", 6);
    else if (str_eqz(word, "BLOB"))
        put(s, "BYTEA", 5);
    else if (schema && str_eqz(word, "TEXT") && !str_eqz(before, "AS"))
        put(s, bytewise, sizeof bytewise - 1);
    else
        put(s, word.p, word.n);
}

static void put_param(struct scan *s, const bool *declared, int *most)
{
    int n = atoi(++s->p);
    *most = n > *most ? n : *most;
    if (declared && n > 0 && !declared[n - 1]) {
        put(s, "NULL", 4);
        s->p += next_word(s->p).n;
    } else
        put(s, "$", 1);
}

char *sql_for_postgres(const char *sql, bool schema, const bool *declared, int *params)
{
    /* The worst growth is TEXT with its collation: 16 bytes for 4. */
    struct scan s = {.p = sql, .out = malloc(strlen(sql) * 4 + 1)};
    struct str before = STR_NULL;
    int most = 0;
    if (!s.out)
        abort();
    while (*s.p) {
        size_t skip = schema ? phrase_at(s.p, "WITHOUT ROWID") : 0;
        if (skip) {
            s.p += skip;
        } else if (is_word(*s.p)) {
            struct str word = next_word(s.p);
            put_type(&s, word, before, schema);
            before = word;
            s.p += word.n;
        } else if (*s.p == '?' && isdigit((unsigned char)s.p[1])) {
            put_param(&s, declared, &most);
        } else if (!copy_opaque(&s)) {
            put(&s, s.p++, 1);
        }
    }
    s.out[s.n] = 0;
    if (params)
        *params = most;
    return s.out;
}
