/* HTML as a stream of balanced tags and text, read forgivingly.
 *
 * This is the reading that Novu's sanitiser and text converter use (npm htmlparser2 10 in HTML mode), not the tree
 * building of the HTML standard: nothing is moved, html/head/body are not made up, and unknown markup is dropped where
 * that parser drops it. A stream also has no depth to blow the stack with. gumbo is used in tests as the judge of what
 * a browser would make of the result.
 *
 * Every HTML_OPEN is followed by exactly one HTML_CLOSE of the same name, properly nested; void elements included.
 * Time is linear in the input; at most HTML_DEPTH_MAX elements are open at once.
 */
#ifndef CONTENT_HTML_TOKENS_H
#define CONTENT_HTML_TOKENS_H

#include "base/str.h"

enum html_event { HTML_END, HTML_OPEN, HTML_CLOSE, HTML_TEXT };

enum {
    HTML_ATTRIBUTES_MAX = 128,  /* more attributes of one tag are dropped: bounds the search for duplicates */
    HTML_DEPTH_MAX = 256,       /* an element that would open deeper ends the innermost one first */
};

struct html_attribute {
    struct str name;        /* lower case */
    struct str value;       /* references decoded */
};

struct html_token {
    enum html_event event;
    struct str name;        /* OPEN, CLOSE: lower case */
    struct str text;        /* TEXT: references decoded; pieces of one run may come apart */
    bool raw;               /* TEXT: content of script, style or xmp as written */
    const struct html_attribute *attributes;
    size_t attributes_n;
};

struct html_tokens;

/* Reads html, which must outlive the stream; everything is allocated in a. */
struct html_tokens *html_tokens_open(struct arena *a, struct str html);
/* The next token, valid until the next call. After HTML_END always HTML_END. */
enum html_event html_tokens_next(struct html_tokens *t, struct html_token *out);

/* Value of an attribute; p == NULL if absent. */
struct str html_attribute_get(const struct html_token *t, const char *name);

/* Is s one of the names in the NULL-terminated list? */
bool html_name_in(struct str s, const char *const *list);

/* Remembers what was found out about the few names that a document uses over and over. Zeroed: empty. Holds on to the
 * names it is asked for; an answer depends on nothing but the name. */
struct html_names {
    struct { struct str name; unsigned facts; } slots[128];
};
unsigned html_name_facts(struct html_names *known, struct str name, unsigned (*look_up)(struct str name));

#endif
