/* The first start on an empty store (decisions.md 21; design.md "Interfaces that must hold from the first day"). */
#ifndef ACCOUNT_BOOTSTRAP_H
#define ACCOUNT_BOOTSTRAP_H

#include "base/crypto.h"
#include "db/writer.h"

struct bootstrap {
    const struct crypto_box *box;
    struct id_source *ids;
    int64_t now;
    struct str secret_key;                  /* Development's, or empty: random */
    struct str application_identifier;      /* Development's, or empty: random */
    struct str name;                        /* of the organisation, or empty: "Organization" */
};

/* Creates the organisation, a bootstrap owner without password, Development and Production with their keys and built-in
 * integrations, unless the store has an organisation already. In one commit. */
bool bootstrap_store(struct writer *w, const struct bootstrap *b, struct error *err);

/* The same beside those that the store has, in the caller's transaction. *out is its id. */
bool bootstrap_organization(struct db *db, struct arena *a, const struct bootstrap *b, struct id *out, struct error *err);

/* Writes DIR/credentials.json (0600, atomically) from what the store holds. */
bool bootstrap_write_credentials(struct db *db, const struct crypto_box *box, const char *path, struct error *err);

/* Reads a secret from DIR/name, or makes one of 64 hex characters there (0600). */
bool bootstrap_secret(struct arena *a, const char *path, struct str *secret, struct error *err);

/* A new environment with key, in-app integration, the notification group "General" and, where it has the outbox, the demo
 * integrations. */
struct environment;
bool environment_create(struct db *db, struct arena *a, const struct crypto_box *box, struct id_source *ids,
                        struct environment *e, struct id user, struct str secret, int64_t now, struct error *err);
/* The demo integrations of an environment whose outbox was switched on; nothing if it has them (decisions.md 5). */
bool environment_add_demo(struct db *db, struct arena *a, struct id_source *ids, const struct environment *e, int64_t now,
                          struct error *err);

#endif
