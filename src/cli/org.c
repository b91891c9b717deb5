/* `carillon org create NAME`: another organisation in the store, with its own environments and keys. Organisations share
 * nothing; who runs the server for several teams makes each one here. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "account/bootstrap.h"
#include "base/clock.h"
#include "cli/config.h"
#include "db/migrate.h"
#include "model/environment.h"

enum { NAME_MAX_BYTES = 100 };

/* The key that the store's secrets are sealed with; never a new one, which could not open what is there. */
static bool box_open(const struct config *c, struct arena *a, struct crypto_box *box, struct error *err)
{
    struct str key = str_of(c->encryption_key);
    const char *path = str_fmt(a, "%s/encryption.secret", c->data_dir).p;
    if (!key.n && access(path, R_OK))
        return error_set(err, ERROR_IO, "Cannot read %.300s: %s (has the server run with this data directory?)", path, strerror(errno));
    if (!key.n && !bootstrap_secret(a, path, &key, err))
        return false;
    crypto_box_init(box, key);
    return true;
}

static bool create(struct db *db, struct arena *a, const struct bootstrap *b, struct id *out, struct error *err)
{
    if (!db_begin(db, true, err))
        return false;
    if (bootstrap_organization(db, a, b, out, err))
        return db_commit(db, err);
    db_rollback(db);
    return false;
}

static bool print(struct db *db, struct arena *a, const struct crypto_box *box, struct id organization, struct error *err)
{
    struct environment *list;
    size_t n;
    char hex[ID_HEX + 1];
    if (!environment_list(db, a, organization, &list, &n, err))
        return false;
    id_hex(organization, hex);
    printf("organization %s\n", hex);
    for (size_t i = 0; i < n; i++) {
        struct api_key *keys;
        size_t keys_n;
        struct str secret = STR_NULL;
        if (!api_key_list(db, a, list[i].id, &keys, &keys_n, err) || (keys_n && !crypto_open(box, a, keys[0].sealed, &secret, err)))
            return false;
        printf("%.*s\n  application identifier  %.*s\n  secret key              %.*s\n", STR_ARG(list[i].name),
               STR_ARG(list[i].application_identifier), STR_ARG(secret));
    }
    return true;
}

static bool run(const struct config *c, struct arena *a, struct str name, struct error *err)
{
    struct id_source ids;
    struct crypto_box box;
    struct id organization;
    const char *url = c->database_url ? c->database_url : str_fmt(a, "sqlite:%s/carillon.db", c->data_dir).p;
    if (!box_open(c, a, &box, err))
        return false;
    id_source_init(&ids);
    struct bootstrap b = {.box = &box, .ids = &ids, .now = clock_real_ms(), .name = name};
    struct db *db = db_open(url, false, err);
    bool ok = db && db_migrate(db, 0, err) && create(db, a, &b, &organization, err) && print(db, a, &box, organization, err);
    db_close(db);
    return ok;
}

int cli_org(int argc, char **argv)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct config c;
    struct error err = {0};
    struct str name = str_trim(str_of(argc > 1 ? argv[1] : NULL));
    if (argc < 2 || strcmp(argv[0], "create") || !name.n || name.n > NAME_MAX_BYTES || !str_is_utf8(name)) {
        cli_fail("org create NAME: the name has 1 to %d characters", NAME_MAX_BYTES);
        return 2;
    }
    if (!config_read(a, argc - 2, argv + 2, &c, &err)) {
        cli_fail("%s", err.message);
        return 2;
    }
    return run(&c, a, name, &err) ? 0 : cli_fail("%s", err.message);
}
