/* Stores of the newest schema. The migrations run once for a program and kind; each store is a copy of what they made, which
 * costs a twentieth of running them. Of the room db, which tests/support itself knows nothing of. */
#ifndef SUPPORT_STORE_H
#define SUPPORT_STORE_H

#include <stdio.h>
#include <stdlib.h>

#include "db/db.h"
#include "db/migrate.h"
#include "support/pg.h"

/* URL of a fresh store that is migrated and has no rows else; lives as long as the program. */
static inline const char *support_store_url(enum db_kind kind)
{
    static const char *made[2];
    struct error err = {0};
    if (!made[kind]) {
        const char *url = support_db_url(kind);
        struct db *db = db_open(url, false, &err);
        if (!db || !db_migrate(db, 0, &err)) {
            fprintf(stderr, "tests/support: no migrated store: %s\n", err.message);
            exit(1);
        }
        db_close(db);
        made[kind] = url;
    }
    return support_db_copy(kind, made[kind]);
}

#endif
