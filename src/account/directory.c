/* Cached look-ups of keys and environments. */
#include "account/directory.h"

#include <stdlib.h>

#include "base/json.h"
#include "model/environment_variable.h"
#include "model/webhook.h"

enum { SHARED_MAX_AGE_MS = 1000, ENTRIES = 4096 };

struct directory {
    struct cache *keys, *environments, *applications;
    const struct crypto_box *box;
    uint8_t tag_key[CRYPTO_TAG];
};

struct directory *directory_create(bool shared_store)
{
    struct directory *d = calloc(1, sizeof *d);
    int64_t age = shared_store ? SHARED_MAX_AGE_MS : 0;
    if (!d)
        abort();
    crypto_random(d->tag_key, sizeof d->tag_key);
    d->keys = cache_create(age, ENTRIES);
    d->environments = cache_create(age, ENTRIES);
    d->applications = cache_create(age, ENTRIES);
    return d;
}

void directory_box(struct directory *d, const struct crypto_box *box)
{
    d->box = box;
}

void directory_destroy(struct directory *d)
{
    if (!d)
        return;
    cache_destroy(d->keys);
    cache_destroy(d->environments);
    cache_destroy(d->applications);
    free(d);
}

void directory_changed(struct directory *d)
{
    cache_invalidate(d->keys);
    cache_invalidate(d->environments);
    cache_invalidate(d->applications);
}

static void key_destroy(struct cached *c)
{
    free(c);
}

static void rates_read(struct arena *a, struct str settings, int rate[3])
{
    static const char *const names[] = {"trigger", "configuration", "global"};
    yyjson_val *v;
    if (str_find(settings, STR("apiRateLimits")) < 0 || !json_parse(a, settings, &v, NULL))
        return;
    for (int i = 0; i < 3; i++)
        rate[i] = (int)json_get_int(json_get(v, "apiRateLimits"), names[i], 0);
}

struct key_view *directory_key(struct directory *d, struct db *db, struct str secret, struct error *err)
{
    /* The cache is keyed by a tag: secrets themselves are not kept in memory. */
    uint8_t tag[CRYPTO_TAG];
    crypto_tag(d->tag_key, secret, tag);
    struct str key = {(char *)tag, sizeof tag};
    struct key_view *v = cache_get(d->keys, key);
    if (v)
        return v;
    struct arena *a ARENA_SCOPED = arena_create(0);
    uint64_t epoch = cache_epoch(d->keys);
    struct api_key found;
    struct environment e;
    if (!api_key_find(db, a, secret, &found, err) || !environment_find(db, a, found.environment, &e, err))
        return NULL;
    v = calloc(1, sizeof *v);
    if (!v)
        abort();
    cached_init(&v->head, key_destroy);
    v->organization = e.organization;
    v->environment = e.id;
    v->user = found.user;
    rates_read(a, e.settings, v->rate);
    cache_put(d->keys, key, &v->head, epoch);
    return v;
}

static void environment_destroy(struct cached *c)
{
    struct environment_view *v = (struct environment_view *)c;
    arena_destroy(v->arena);
}

bool directory_open(const struct directory *d, struct arena *a, struct str sealed, struct str *plain)
{
    return d->box && crypto_open(d->box, a, sealed, plain, NULL);
}

/* What is opened with the box. */
static bool secrets_load(const struct directory *d, struct db *db, struct environment_view *v, struct error *err)
{
    struct str *secrets;
    size_t n;
    if (!d->box)
        return true;
    if (!environment_variables_open(db, d->box, v->arena, v->environment.id, &v->environment_variables, err)
        || !directory_secrets(db, d->box, v->arena, v->environment.id, &secrets, &n, err))
        return false;
    v->secret = n ? secrets[0] : STR_NULL;
    return true;
}

static struct environment_view *environment_load(const struct directory *d, struct db *db, struct id id, struct str application,
                                                 struct error *err)
{
    struct arena *a = arena_create(0);
    struct environment_view *v = ARENA_NEW(a, struct environment_view);
    cached_init(&v->head, environment_destroy);
    v->arena = a;
    int64_t endpoints = 0;
    bool ok = application.n ? environment_find_by_application(db, a, application, &v->environment, err)
                            : environment_find(db, a, id, &v->environment, err);
    if (!ok || !integration_list(db, a, v->environment.id, &v->integrations, &v->integrations_n, err)
        || !json_parse(a, v->environment.settings.n ? v->environment.settings : STR("{}"), &v->settings, err)
        || !secrets_load(d, db, v, err) || !webhook_endpoint_count(db, v->environment.id, &endpoints, err)) {
        arena_destroy(a);
        return NULL;
    }
    v->webhooks = endpoints > 0;
    v->delivery = delivery_policy_stored(v->environment.settings);
    return v;
}

struct environment_view *directory_environment(struct directory *d, struct db *db, struct id id, struct error *err)
{
    struct str key = {(char *)id.b, sizeof id.b};
    struct environment_view *v = cache_get(d->environments, key);
    if (v)
        return v;
    uint64_t epoch = cache_epoch(d->environments);
    v = environment_load(d, db, id, STR_NULL, err);
    if (v)
        cache_put(d->environments, key, &v->head, epoch);
    return v;
}

struct environment_view *directory_application(struct directory *d, struct db *db, struct str identifier,
                                               struct error *err)
{
    if (identifier.n == 0 || identifier.n > 128) {
        error_set(err, ERROR_NOT_FOUND, "Environment not found");
        return NULL;
    }
    struct environment_view *v = cache_get(d->applications, identifier);
    if (v)
        return v;
    uint64_t epoch = cache_epoch(d->applications);
    v = environment_load(d, db, (struct id){{0}}, identifier, err);
    if (v)
        cache_put(d->applications, identifier, &v->head, epoch);
    return v;
}

bool directory_secrets(struct db *db, const struct crypto_box *box, struct arena *a, struct id environment,
                       struct str **secrets, size_t *n, struct error *err)
{
    struct api_key *keys;
    size_t keys_n;
    if (!api_key_list(db, a, environment, &keys, &keys_n, err))
        return false;
    *secrets = ARENA_ARRAY(a, struct str, keys_n);
    *n = 0;
    for (size_t i = 0; i < keys_n; i++)
        if (!crypto_open(box, a, keys[i].sealed, &(*secrets)[(*n)++], err))
            return false;
    return true;
}

const struct integration *environment_provider(const struct environment_view *e, struct str provider_id, struct str identifier)
{
    const struct integration *found = NULL;
    for (size_t i = 0; i < e->integrations_n; i++) {        /* oldest first: the last is the newest */
        const struct integration *x = &e->integrations[i];
        if (x->active && str_eq(x->provider_id, provider_id) && (!identifier.p || str_eq(x->identifier, identifier)))
            found = x;
    }
    return found;
}
