/* YAML and JSON as a tree that knows where in the file everything stood.
 *
 * Of YAML this takes what libyaml takes (1.1's syntax), with the types of JSON (YAML 1.2's core schema): no tags, no
 * merge keys, keys are texts and not repeated. Anchors and aliases work; what they expand to counts against the limit.
 */
#ifndef SCENARIO_NODE_H
#define SCENARIO_NODE_H

#include "base/json.h"

enum { NODES_MAX = 200000, NODE_KEYS_MAX = 2000, NODE_DEPTH_MAX = 100 };

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    struct str key;                 /* of a mapping's member */
    struct str text;                /* of a scalar */
    bool plain;                     /* a scalar without quotes: it may be a number, true, false or null */
    const struct node *first, *next;
    int line, column;               /* from 1; of the key, where there is one */
};

/* All in a. A document each of *first and its followers; an empty file has none. is_json: the text must be JSON. The error's
 * message begins with "line:column: ". */
bool node_parse(struct arena *a, struct str text, bool is_json, const struct node **first, struct error *err);
/* Member of a mapping; NULL: n is NULL, is no mapping or has none of that name. */
const struct node *node_get(const struct node *n, const char *key);
/* A scalar's text; empty for anything else and for NULL. */
struct str node_text(const struct node *n);
size_t node_length(const struct node *n);
bool node_is_null(const struct node *n);
yyjson_mut_val *node_json(yyjson_mut_doc *d, const struct node *n);
/* JSON text of it, in a. */
struct str node_json_text(struct arena *a, const struct node *n);

#endif
