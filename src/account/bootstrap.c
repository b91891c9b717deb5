/* Makes an empty store usable, and tells the operator its keys. */
#include "account/bootstrap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "model/environment.h"
#include "model/integration.h"
#include "model/legacy_group.h"
#include "model/row.h"

enum { SECRET_SHORTEST = 16, SECRET_LONGEST = 4096 };

static bool built_in(struct db *db, struct arena *a, struct id_source *ids, const struct environment *e, const char *provider,
                     enum channel channel, const char *name, int64_t now, struct error *err)
{
    char hex[ID_HEX + 1];
    struct integration i = {.id = id_new(ids, now), .organization = e->organization, .environment = e->id,
                            .provider_id = str_of(provider), .channel = channel, .name = str_of(name), .active = true,
                            .created_at = now, .updated_at = now};
    id_hex(i.id, hex);
    i.identifier = str_fmt(a, "%s-%s", provider, hex + 16);
    i.primary = channel == CHANNEL_EMAIL || channel == CHANNEL_SMS;
    return integration_insert(db, &i, err);
}

static bool has_provider(const struct integration *list, size_t n, const char *provider)
{
    for (size_t i = 0; i < n; i++)
        if (str_eqz(list[i].provider_id, provider))
            return true;
    return false;
}

bool environment_add_demo(struct db *db, struct arena *a, struct id_source *ids, const struct environment *e, int64_t now,
                          struct error *err)
{
    static const struct { const char *provider, *name; enum channel channel; } demo[] = {
        {"novu-email", "Carillon outbox (email)", CHANNEL_EMAIL}, {"novu-sms", "Carillon outbox (SMS)", CHANNEL_SMS}};
    struct integration *list;
    size_t n;
    if (!integration_list(db, a, e->id, &list, &n, err))
        return false;
    for (size_t i = 0; i < sizeof demo / sizeof *demo; i++)
        if (!has_provider(list, n, demo[i].provider)
            && (!built_in(db, a, ids, e, demo[i].provider, demo[i].channel, demo[i].name, now, err)
                || !integration_elect_primary(db, e->id, demo[i].channel, (struct id){{0}}, err)))
            return false;
    return true;
}

/* What older clients put workflows into that say nothing of a group (rest-api.md §6.12). */
static bool default_group(struct db *db, struct id_source *ids, const struct environment *e, int64_t now, struct error *err)
{
    struct legacy_group g = {.id = id_new(ids, now), .environment = e->id, .kind = LEGACY_NOTIFICATION_GROUP, .name = STR("General"),
                             .created_at = now, .updated_at = now};
    return legacy_group_insert(db, &g, err);
}

bool environment_create(struct db *db, struct arena *a, const struct crypto_box *box, struct id_source *ids,
                        struct environment *e, struct id user, struct str secret, int64_t now, struct error *err)
{
    e->created_at = e->updated_at = now;
    return environment_insert(db, e, err)
        && api_key_insert(db, a, box, e->id, user, secret.n ? secret : crypto_random_hex(a, 16), now, err)
        && built_in(db, a, ids, e, "novu", CHANNEL_IN_APP, "Novu Inbox", now, err)
        && default_group(db, ids, e, now, err)
        && (!e->outbox || environment_add_demo(db, a, ids, e, now, err));
}

static bool has_organization(struct db *db, bool *yes, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "SELECT count(*) FROM organizations", err);
    if (!s || !row_one(s, "no count", err))
        return false;
    *yes = db_int(s, 0) > 0;
    db_reset(s);
    return true;
}

static bool owner_insert(struct db *db, struct id organization, struct str name, struct id user, int64_t now, struct error *err)
{
    return db_write(db, err, "INSERT INTO organizations (id, name, settings, created_at, updated_at) VALUES (?1, ?2, '{}', ?3, ?3)",
                    organization, name, now)
        && db_write(db, err, "INSERT INTO users (id, first_name, created_at, updated_at) VALUES (?1, 'Owner', ?2, ?2)", user, now)
        && db_write(db, err, "INSERT INTO members (organization_id, user_id, role, created_at) VALUES (?1, ?2, 'owner', ?3)",
                    organization, user, now);
}

bool bootstrap_organization(struct db *db, struct arena *a, const struct bootstrap *b, struct id *out, struct error *err)
{
    struct id organization = *out = id_new(b->ids, b->now), user = id_new(b->ids, b->now);
    struct environment dev = {.id = id_new(b->ids, b->now), .organization = organization, .name = STR("Development"),
                              .type = STR("dev"), .outbox = true,
                              .application_identifier = b->application_identifier.n ? b->application_identifier
                                                                                     : crypto_random_word(a, 12)};
    struct environment prod = {.id = id_new(b->ids, b->now), .organization = organization, .name = STR("Production"),
                               .type = STR("prod"), .application_identifier = crypto_random_word(a, 12)};
    return owner_insert(db, organization, b->name.n ? b->name : STR("Organization"), user, b->now, err)
        && environment_create(db, a, b->box, b->ids, &dev, user, b->secret_key, b->now, err)
        && environment_create(db, a, b->box, b->ids, &prod, user, STR_NULL, b->now, err);
}

static bool apply(void *arg, struct db *db, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct id organization;
    bool exists;
    return has_organization(db, &exists, err) && (exists || bootstrap_organization(db, a, arg, &organization, err));
}

bool bootstrap_store(struct writer *w, const struct bootstrap *b, struct error *err)
{
    return writer_run(w, apply, (void *)(uintptr_t)b, err);
}

/* A secret that the store is sealed with must not be forgotten by a power failure: its name is made durable too. */
static void sync_directory_of(const char *path)
{
    char dir[4096];
    const char *slash = strrchr(path, '/');
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

static bool write_whole(int fd, struct str text)
{
    ssize_t n = write(fd, text.p, text.n);
    if (n >= 0 && (size_t)n < text.n)
        errno = ENOSPC;         /* what is short on a file is short of room */
    return n == (ssize_t)text.n && fsync(fd) == 0;
}

static bool write_private(const char *path, struct str text, struct error *err)
{
    char tmp[4096];
    if (snprintf(tmp, sizeof tmp, "%s.new", path) >= (int)sizeof tmp)
        return error_set(err, ERROR_IO, "The path %.300s is too long", path);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(err, ERROR_IO, "Cannot write %.300s: %s", tmp, strerror(errno));
    bool ok = fchmod(fd, 0600) == 0 && write_whole(fd, text);   /* the mode also where an earlier file was left behind */
    int why = errno;
    if (close(fd) || !ok || rename(tmp, path)) {
        why = ok ? errno : why;
        unlink(tmp);
        return error_set(err, ERROR_IO, "Cannot write %.300s: %s", path, strerror(why));
    }
    sync_directory_of(path);
    return true;
}

/* Is this what the file holds, for its owner only? */
static bool file_is(const char *path, struct str text)
{
    struct stat st;
    bool same = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    if (!fstat(fd, &st) && S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0600 && (size_t)st.st_size == text.n) {
        char *have = malloc(text.n + 1);
        same = have && read(fd, have, text.n) == (ssize_t)text.n && !memcmp(have, text.p, text.n);
        free(have);
    }
    close(fd);
    return same;
}

bool bootstrap_write_credentials(struct db *db, const struct crypto_box *box, const char *path, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct environment *list;
    size_t n;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *root = yyjson_mut_obj(d), *arr = json_add_arr(d, root, "environments");
    if (!environment_list(db, a, (struct id){{0}}, &list, &n, err))
        return false;
    bool several = false;               /* organisations: then each says whose it is */
    for (size_t i = 1; i < n; i++)
        several |= !id_eq(list[i].organization, list[0].organization);
    for (size_t i = 0; i < n; i++) {
        struct api_key *keys;
        size_t keys_n;
        struct str secret = STR_NULL;
        if (!api_key_list(db, a, list[i].id, &keys, &keys_n, err))
            return false;
        if (keys_n && !crypto_open(box, a, keys[0].sealed, &secret, err))
            return error_set(err, ERROR_IO, "The encryption key is not the one that this store was sealed with: restore "
                                            "encryption.secret in the data directory, or give the right --encryption-key");
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, arr);
        json_add_str(d, o, "name", list[i].name);
        json_add_id(d, o, "_id", list[i].id);
        if (several)
            json_add_id(d, o, "_organizationId", list[i].organization);
        json_add_str(d, o, "applicationIdentifier", list[i].application_identifier);
        json_add_str(d, o, "secretKey", secret);
    }
    struct str text = json_write_mut(a, root);
    return file_is(path, text) || write_private(path, text, err);
}

/* Whole, however the file came to be: a secret that is silently cut would sign and seal with something else. */
static bool secret_read(int fd, struct arena *a, const char *path, struct str *secret, struct error *err)
{
    char text[SECRET_LONGEST + 2];
    struct stat st;
    ssize_t n = read(fd, text, sizeof text);
    if (n < 0)
        return error_set(err, ERROR_IO, "Cannot read %.300s: %s", path, strerror(errno));
    *secret = str_trim((struct str){text, (size_t)n});
    if (secret->n < SECRET_SHORTEST)
        return error_set(err, ERROR_IO, "The secret in %.300s is too short; restore it, or delete the file to make a new one", path);
    if (secret->n > SECRET_LONGEST)
        return error_set(err, ERROR_IO, "The secret in %.300s is longer than %d bytes", path, SECRET_LONGEST);
    *secret = str_dup(a, *secret);
    if (!fstat(fd, &st) && st.st_mode & 077)
        log_warn("a secret can be read by other users", "file", path, NULL);
    return true;
}

bool bootstrap_secret(struct arena *a, const char *path, struct str *secret, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        bool ok = secret_read(fd, a, path, secret, err);
        close(fd);
        return ok;
    }
    if (errno != ENOENT)
        return error_set(err, ERROR_IO, "Cannot read %.300s: %s", path, strerror(errno));
    *secret = crypto_random_hex(a, 32);
    return write_private(path, *secret, err);
}
