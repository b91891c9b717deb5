/* JSON Schema draft-07 and 2020-12, answering like npm ajv 8 does (content.md §7).
 *
 * A schema is compiled once into an immutable program that threads may share; a validation allocates only from the arena
 * it is given. Errors carry ajv's English messages, paths and parameters, in ajv's order. Validation always ends:
 * recursion, work and the regular expressions are limited.
 */
#ifndef CONTENT_JSONSCHEMA_H
#define CONTENT_JSONSCHEMA_H

#include "base/json.h"

struct jsonschema;

enum jsonschema_dialect { JSONSCHEMA_DRAFT7, JSONSCHEMA_2020_12 };

struct jsonschema_compile_options {
    enum jsonschema_dialect dialect;    /* where the schema names none in $schema */
    bool ignore_formats;                /* `format` is only a note; otherwise it is checked (unknown formats never are) */
    /* Gives the document at an absolute URI without fragment; NULL or false: unknown, compiling fails if a $ref needs it.
     * The metaschemas of both dialects are built in. */
    bool (*resolve)(void *user, struct arena *a, struct str uri, yyjson_val **document);
    void *user;
};

/* Compiles schema, which must live as long as the program; both in a. o may be NULL: draft-07, formats checked, nothing
 * resolved. NULL: err->message says what is wrong (`schema is invalid: …`, `can't resolve reference … from id …`,
 * `invalid regular expression: …`). */
struct jsonschema *jsonschema_compile(struct arena *a, yyjson_val *schema, const struct jsonschema_compile_options *o,
                                      struct error *err);

struct jsonschema_options {
    bool all_errors;            /* else the first error ends the validation */
    bool use_defaults;          /* missing properties get their `default`; not inside of anyOf, oneOf, not, if */
    bool remove_additional;     /* ajv's "failing": what additionalProperties refuses is removed, and is no error */
};

struct jsonschema_error {
    struct str instance_path;   /* JSON pointer */
    struct str schema_path;     /* #/properties/age/type */
    struct str keyword;
    struct str message;         /* must be string */
    struct str missing;         /* params.missingProperty, or empty */
    yyjson_mut_val *params;
    yyjson_mut_val *value;      /* what was refused */
};

struct jsonschema_result {
    bool valid;
    yyjson_mut_val *value;      /* the instance, with defaults and without removed properties */
    const struct jsonschema_error *errors;
    size_t errors_n;            /* at most 100 */
};

/* The quick way to yes: value is valid and stays as it is (no default to be filled in, nothing to be removed). Looks at it
 * in place and builds nothing; a only holds the workings of regular expressions. false says nothing: validate. Always false
 * with remove_additional. */
bool jsonschema_fits(const struct jsonschema *s, yyjson_val *value, const struct jsonschema_options *o, struct arena *a);

/* Validates a copy of value made in d. false only when the schema asks for too much work: err is set. */
bool jsonschema_validate(const struct jsonschema *s, yyjson_val *value, const struct jsonschema_options *o, struct arena *a,
                         yyjson_mut_doc *d, struct jsonschema_result *out, struct error *err);
/* The same on a tree of d, in place. */
bool jsonschema_validate_mut(const struct jsonschema *s, yyjson_mut_val *value, const struct jsonschema_options *o,
                             struct arena *a, yyjson_mut_doc *d, struct jsonschema_result *out, struct error *err);

/* The errors as ajv's objects: [{instancePath, schemaPath, keyword, params, message}]. */
yyjson_mut_val *jsonschema_errors_json(const struct jsonschema_result *r, yyjson_mut_doc *d);
/* The errors as the framework's: [{path, message}]. */
yyjson_mut_val *jsonschema_errors_short(const struct jsonschema_result *r, yyjson_mut_doc *d);
/* The name Novu gives to the place of an error: the pointer with dots, `root` when empty, and the missing property behind
 * (a missing property a at the top is `root.a`). */
struct str jsonschema_error_field(struct arena *a, const struct jsonschema_error *e);
/* Fills err with Novu's answer to a payload that does not fit: 400, type PAYLOAD_VALIDATION_ERROR, errors
 * [{field, message, value, schemaPath}] and the schema in its details (engine.md §1.2). Returns false. */
bool jsonschema_payload_error(const struct jsonschema_result *r, yyjson_val *schema, struct arena *a, struct error *err);

#endif
