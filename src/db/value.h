/* What a parameter of a statement can be, and the macro that makes a list of them from plain C values. */
#ifndef DB_VALUE_H
#define DB_VALUE_H

#include <stdint.h>

#include "base/id.h"
#include "base/str.h"

enum db_value_kind { DB_VALUE_NULL, DB_VALUE_INT, DB_VALUE_TEXT, DB_VALUE_BLOB, DB_VALUE_ID };

/* Texts and blobs are referred to, not copied: they must live until the statement has ended. */
struct db_value {
    enum db_value_kind kind;
    union {
        int64_t n;
        struct str s;
        struct id id;
    };
};

static inline struct db_value db_as_int(int64_t n) { return (struct db_value){.kind = DB_VALUE_INT, .n = n}; }
static inline struct db_value db_as_text(struct str s) { return (struct db_value){.kind = DB_VALUE_TEXT, .s = s}; }  /* p NULL: NULL */
static inline struct db_value db_as_blob(struct str s) { return (struct db_value){.kind = DB_VALUE_BLOB, .s = s}; }  /* p NULL: NULL */
static inline struct db_value db_as_id(struct id id) { return (struct db_value){.kind = DB_VALUE_ID, .id = id}; }
static inline struct db_value db_as_is(struct db_value v) { return v; }
static inline struct db_value db_null(void) { return (struct db_value){.kind = DB_VALUE_NULL}; }

/* NULL stands for "none": zero of an id, zero of a time. */
static inline struct db_value db_id_or_null(struct id id) { return id_is_zero(id) ? db_null() : db_as_id(id); }
static inline struct db_value db_time_or_null(int64_t ms) { return ms ? db_as_int(ms) : db_null(); }

#define DB_VALUE(x) \
    _Generic((x), struct id: db_as_id, struct str: db_as_text, struct db_value: db_as_is, default: db_as_int)(x)

/* DB_VALUES(a, b, …): the array and its length, of at most 40 values. */
#ifndef DB_VALUES       /* scripts/lint.sh brings one that cppcheck can read */
#define DB_VALUES(...) \
    (const struct db_value[]){DB_EACH(__VA_ARGS__)}, \
        (int)(sizeof((const struct db_value[]){DB_EACH(__VA_ARGS__)}) / sizeof(struct db_value))
#endif

/* The preprocessor's way of a loop: each pass of DB_PASS lets DB_NEXT stand for one more value. */
#define DB_EACH(...) DB_PASS4(DB_NEXT(__VA_ARGS__))
#define DB_NEXT(x, ...) DB_VALUE(x) __VA_OPT__(, DB_AGAIN DB_NOTHING()() (__VA_ARGS__))
#define DB_AGAIN() DB_NEXT
#define DB_NOTHING()
#define DB_PASS4(...) DB_PASS3(DB_PASS3(DB_PASS3(__VA_ARGS__)))
#define DB_PASS3(...) DB_PASS2(DB_PASS2(DB_PASS2(__VA_ARGS__)))
#define DB_PASS2(...) DB_PASS1(DB_PASS1(DB_PASS1(__VA_ARGS__)))
#define DB_PASS1(...) __VA_ARGS__

#endif
