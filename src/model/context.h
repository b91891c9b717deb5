/* Contexts: what a notification is about (tenant, app, region …), beside the person (rest-api.md §6.11, engine.md §1.6). */
#ifndef MODEL_CONTEXT_H
#define MODEL_CONTEXT_H

#include "base/json.h"
#include "db/db.h"
#include "model/page.h"

enum { CONTEXTS_MAX = 5, CONTEXT_DATA_MAX = 65536 };

struct context {
    struct id id, environment;
    struct str type, identifier;
    struct str data;                    /* JSON object text */
    struct str bridge_url;              /* p NULL: none */
    int64_t created_at, updated_at;
};

/* A type or id: 1–100 characters of [a-zA-Z0-9_-]. */
bool context_name_valid(struct str s);

/* `context` of a request: {type: id | {id, data?}}. Adds messages (class-validator style, "context …") for at most
 * CONTEXTS_MAX entries, types and ids of 1–100 characters [a-zA-Z0-9_-], data an object ≤ CONTEXT_DATA_MAX bytes.
 * Entries come sorted by key. data p NULL: not given. Returns how many messages (of at most max). */
size_t context_read(struct arena *a, yyjson_val *v, struct context out[CONTEXTS_MAX], size_t *n, struct str *messages,
                    size_t max);
/* "region:eu,tenant:acme": what runs, messages, tokens and preferences are bound to; "" for none. */
struct str context_keys(struct arena *a, const struct context *c, size_t n);
/* The same of keys as a client lists them ("type:id"), in any order, an empty one left out. */
struct str context_keys_join(struct arena *a, const struct str *keys, size_t n);
/* contextKeys: [...] of joined keys. */
void context_keys_add(yyjson_mut_doc *d, yyjson_mut_val *o, struct str keys);

/* Makes each missing one (with its data or {}) with a fresh id from ids; an existing one keeps its data (decisions.md 12).
 * c is what is stored afterwards. */
bool context_ensure(struct db *db, struct arena *a, struct id environment, struct context *c, size_t n, struct id_source *ids,
                    int64_t now, struct error *err);
/* ERROR_CONFLICT if it exists. */
bool context_insert(struct db *db, const struct context *c, struct error *err);
/* locked: for a write of what is worked out from what is stored, see subscriber_find_locked. */
bool context_find_locked(struct db *db, struct arena *a, struct id environment, struct str type, struct str identifier,
                         struct context *out, struct error *err);
bool context_find(struct db *db, struct arena *a, struct id environment, struct str type, struct str identifier,
                  struct context *out, struct error *err);
/* Those of "type:id,type:id" that exist, as {type: {id, data}} for templates (engine.md §1.6: resolved when a step runs). */
bool context_resolve(struct db *db, struct arena *a, struct id environment, struct str keys, yyjson_val **out,
                     struct error *err);
/* Data, bridge URL and time. ERROR_NOT_FOUND if it is not there. */
bool context_update(struct db *db, const struct context *c, struct error *err);
/* ERROR_NOT_FOUND if it is not there. */
bool context_delete(struct db *db, struct id environment, struct str type, struct str identifier, struct error *err);

struct context_query {
    struct str type, identifier;        /* exact; empty: any */
    struct str search;                  /* case-insensitive substring of "type:id" */
    struct page_query page;             /* ordered by createdAt, or updatedAt */
};
/* Items: struct context. */
bool context_list(struct db *db, struct arena *a, struct id environment, const struct context_query *q, struct page *page,
                  struct error *err);
yyjson_mut_val *context_json(yyjson_mut_doc *d, const struct context *c);

#endif
