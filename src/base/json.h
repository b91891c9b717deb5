/* JSON in and out, on yyjson, with the memory of an arena.
 *
 * Documents made here die with their arena; never call yyjson_doc_free on them.
 * Reading: yyjson_val. Writing: yyjson_mut_val. Keys and strings are not NUL-terminated by contract: use the
 * struct str helpers.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <yyjson.h>

#include "base/error.h"
#include "base/id.h"
#include "base/str.h"

enum { JSON_DEPTH_MAX = 200 };      /* deeper input is refused: our walkers recurse */

/* Parses text (copied into the arena). false: error 400 with the position. Duplicate keys: last wins on
 * reading with json_get. NaN, comments, trailing commas and invalid UTF-8 are errors. */
bool json_parse(struct arena *a, struct str text, yyjson_val **root, struct error *err);

/* A new document for writing. */
yyjson_mut_doc *json_doc(struct arena *a);

/* Compact text of a value, in the arena. */
struct str json_write(struct arena *a, const yyjson_val *v);
struct str json_write_mut(struct arena *a, const yyjson_mut_val *v);
/* What json_parse would read of json_write_mut's text. NULL: out of memory. */
yyjson_val *json_frozen(struct arena *a, const yyjson_mut_val *v);

/* An object to be read, put together from its members without a text between: json_made_… for each, then json_made_end. Keys and
 * texts are not copied; values are. Zero-initialise with its arena. */
struct json_made {
    struct arena *arena;
    yyjson_val *v;
    size_t n, cap, members;
};
void json_made_str(struct json_made *m, struct str key, struct str s);      /* p NULL: null */
void json_made_bool(struct json_made *m, struct str key, bool b);
void json_made_val(struct json_made *m, struct str key, yyjson_val *v);     /* NULL: left out */
yyjson_val *json_made_end(struct json_made *m);

/* json_js.c: as JavaScript's JSON.stringify writes what it parsed: numbers in their shortest form, keys that are array indexes
 * first, of equal keys the last. */
struct str json_write_js(struct arena *a, yyjson_val *v);
/* Number::toString of ECMAScript of a finite number (-0 is 0): the shortest digits that read back as the same number. */
void json_number_js(struct buf *b, double n);

/* Member of an object; NULL if v is not an object or has no such key. The last of equal keys. */
yyjson_val *json_getn(yyjson_val *v, struct str key);
static inline yyjson_val *json_get(yyjson_val *v, const char *key) { return json_getn(v, str_of(key)); }
/* The members with these names, NULL where there is none, in one pass; of equal keys the last. */
void json_members(yyjson_val *v, const struct str *names, size_t n, yyjson_val **out);
/* Dotted path through objects and arrays (decimal index). NULL if anything is missing. */
yyjson_val *json_path(yyjson_val *v, struct str path);

static inline struct str json_str(yyjson_val *v)          /* empty (p NULL) if not a string */
{
    return yyjson_is_str(v) ? (struct str){yyjson_get_str(v), yyjson_get_len(v)} : STR_NULL;
}
static inline struct str json_get_str(yyjson_val *v, const char *key) { return json_str(json_get(v, key)); }
bool json_get_bool(yyjson_val *v, const char *key, bool otherwise);
int64_t json_get_int(yyjson_val *v, const char *key, int64_t otherwise);

/* Members of an object under construction. Keys must be literals (they are not copied); texts are copied
 * into the document's arena only by the _copy forms, else they must outlive the document. */
void json_add_str(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key, struct str s);   /* p NULL: null */
void json_add_id(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key, struct id id);    /* copied */
void json_add_time(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key, int64_t ms);    /* ISO; copied */
void json_add_time_if(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key, int64_t ms);         /* 0: left out */
void json_add_time_or_null(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key, int64_t ms);    /* 0: null */
void json_add_times(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key, yyjson_val *list);     /* a list of ms; NULL: empty */
void json_add_text(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key, struct str json); /* raw JSON text; empty: left out */
void json_add_val(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key, yyjson_val *v);  /* deep copy; NULL: left out */
static inline void json_add_bool(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key, bool b)
{
    yyjson_mut_obj_add_bool(d, obj, key, b);
}
static inline void json_add_int(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key, int64_t n)
{
    yyjson_mut_obj_add_int(d, obj, key, n);
}
static inline yyjson_mut_val *json_add_obj(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key)
{
    return yyjson_mut_obj_add_obj(d, obj, key);
}
static inline yyjson_mut_val *json_add_arr(yyjson_mut_doc *d, yyjson_mut_val *obj, const char *key)
{
    return yyjson_mut_obj_add_arr(d, obj, key);
}
static inline yyjson_mut_val *json_mut_str(yyjson_mut_doc *d, struct str s)
{
    return s.p ? yyjson_mut_strn(d, s.p, s.n) : yyjson_mut_null(d);
}

/* Appends s as a JSON string with its quotes. */
void json_quote(struct buf *b, struct str s);
/* Appends a further member of an object: a comma, the key (plain ASCII), the text (p NULL: null). */
void json_put(struct buf *b, const char *key, struct str s);

#endif
