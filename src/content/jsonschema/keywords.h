/* The keyword compilers and checks that keywords.c lists: assertions on one value, and applicators of other schemas. */
#ifndef CONTENT_JSONSCHEMA_KEYWORDS_H
#define CONTENT_JSONSCHEMA_KEYWORDS_H

#include "content/jsonschema/schema.h"

#define KEYWORD(name)                                                                   \
    bool name##_compile(struct compiler *c, struct node *node, struct keyword *k);      \
    bool name##_check(struct check *c)

/* assertions.c */
KEYWORD(type);
KEYWORD(limit);
KEYWORD(multiple_of);
KEYWORD(length);
KEYWORD(pattern);
KEYWORD(format);
KEYWORD(constant);
KEYWORD(items_count);
KEYWORD(unique_items);
KEYWORD(properties_count);
KEYWORD(required);
KEYWORD(dependencies);

/* applicators.c */
KEYWORD(ref);
KEYWORD(not);
KEYWORD(any_of);
KEYWORD(one_of);
KEYWORD(all_of);
KEYWORD(if);
KEYWORD(prefix_items);
KEYWORD(items);
KEYWORD(additional_items);
KEYWORD(contains);
KEYWORD(property_names);
KEYWORD(additional_properties);
KEYWORD(properties);
KEYWORD(pattern_properties);
KEYWORD(unevaluated_items);
KEYWORD(unevaluated_properties);

#endif
