/* What the files of the forgiving JSON reader share: where it stands in the text, and what it wrote. */
#ifndef CONTENT_JSON_REPAIR_PRIVATE_H
#define CONTENT_JSON_REPAIR_PRIVATE_H

#include "content/json_repair.h"

struct repair {
    struct str text;
    size_t i;
    struct buf out;
    struct error *err;
    bool failed;
    int depth;
    int64_t work;           /* left: counting brackets and starting strings anew is quadratic */
};

enum quote { NO_QUOTE, DOUBLE, DOUBLE_LIKE, SINGLE, SINGLE_LIKE };

/* -1 behind the end. */
static inline int repair_at(const struct repair *r, size_t i)
{
    return i < r->text.n ? (unsigned char)r->text.p[i] : -1;
}

static inline int repair_here(const struct repair *r)
{
    return repair_at(r, r->i);
}

static inline bool is_space(int c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static inline bool is_delimiter(int c)
{
    return c > 0 && strchr(",:[]/{}()\n+", c);
}

static inline bool ends_unquoted(int c)
{
    return c > 0 && strchr(",[]/{}\n+", c);
}

static inline bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static inline bool starts_name(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

static inline bool in_name(int c)
{
    return starts_name(c) || is_digit(c);
}

/* ---- json_repair_text.c: characters, what was written, space and comments ---- */
/* false, always. The first failure counts; `what` is told with the position. */
bool repair_fail(struct repair *r, const char *what);
bool repair_fail_character(struct repair *r, const char *what);
/* Pays for work that is not bounded by the text's length; false: nothing is left. */
bool repair_spend(struct repair *r, size_t n);
/* The quote at i, and how many bytes it has. */
enum quote repair_quote_at(const struct repair *r, size_t i, size_t *bytes);
bool repair_is_quote(const struct repair *r, size_t i);
/* A text is closed by what opened it; typographic quotes by any of their sort. */
bool repair_closes(enum quote open, enum quote q);
bool repair_starts_value(const struct repair *r, size_t i);
/* In what was written so far. */
void repair_insert_at(struct repair *r, size_t where, const char *what);
void repair_insert_before_space(struct repair *r, const char *what);
/* Takes the last `what` out of what was written, or also everything behind it. */
void repair_strip_last(struct repair *r, char what, bool with_rest);
bool repair_ends_with_comma_or_newline(const struct repair *r);
/* The next n bytes, as they are. */
void repair_copy(struct repair *r, size_t n);
void repair_skip_blank(struct repair *r, bool newlines);
/* If c is next: written, or left out. */
bool repair_take(struct repair *r, char c);
bool repair_skip(struct repair *r, char c);
void repair_skip_ellipsis(struct repair *r);
void repair_skip_fence(struct repair *r, const char *const fences[3]);

/* ---- json_repair_string.c ---- */
bool repair_url_start(const struct repair *r, size_t from, size_t to);
bool repair_url_character(int c);
/* false: none begins here. stop_at_delimiter, stop_at: where it ends if no quote does. */
bool repair_string(struct repair *r, bool stop_at_delimiter, size_t stop_at);

#endif
