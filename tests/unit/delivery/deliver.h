/* Sends through a real dispatcher and waits for the answer. */
#ifndef TEST_DELIVER_H
#define TEST_DELIVER_H

#include <pthread.h>

#include "delivery/dispatcher.h"

/* Several may be under way at once; each keeps a copy of its result in its arena. */
struct attempt {
    struct delivery delivery;
    struct delivery_email email;
    struct delivery_result result;
    struct arena *arena;
    bool done;
    int order;                          /* how many had ended before */
    struct desk *desk;
};

/* Where attempts come back. */
struct desk {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int ended;
};

#define DESK_INIT {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0}

static inline void attempt_done(struct delivery *d, const struct delivery_result *r)
{
    struct attempt *t = d->owner;
    pthread_mutex_lock(&t->desk->lock);
    t->result = *r;
    t->done = true;
    t->order = t->desk->ended++;
    pthread_cond_broadcast(&t->desk->changed);
    pthread_mutex_unlock(&t->desk->lock);
}

static inline yyjson_val *json_of(struct arena *a, struct str text)
{
    yyjson_val *v = NULL;
    struct error err = {0};
    if (!json_parse(a, text, &v, &err))
        fail_msg("%.*s: %s", STR_ARG(text), err.message);
    return v;
}

/* An attempt with a plain mail from hello@acme.io to ada@example.com; the caller changes what it tests. */
static inline struct attempt *attempt_new(struct desk *desk, const char *provider, struct str credentials)
{
    static const struct delivery_address ada = {.email = {"ada@example.com", 15}};
    struct arena *a = arena_create(0);
    struct attempt *t = ARENA_NEW(a, struct attempt);
    *t = (struct attempt){.arena = a, .desk = desk};
    t->email = (struct delivery_email){.from = {STR("Acme"), STR("hello@acme.io")}, .to = &ada, .to_n = 1,
                                       .subject = STR("Hi"), .html = STR("<p>Hi</p>"), .text = STR("Hi")};
    t->delivery = (struct delivery){.arena = a, .provider_id = str_of(provider), .idempotency_key = STR("key-1"),
                                    .credentials = json_of(a, credentials), .email = &t->email,
                                    .done = attempt_done, .owner = t};
    return t;
}

static inline void attempt_submit(struct dispatcher *d, struct attempt *t)
{
    struct error err = {0};
    if (!dispatcher_submit(d, &t->delivery, &err))
        fail_msg("submit: %s", err.message);
}

static inline const struct delivery_result *attempt_wait(struct attempt *t)
{
    pthread_mutex_lock(&t->desk->lock);
    while (!t->done)
        pthread_cond_wait(&t->desk->changed, &t->desk->lock);
    pthread_mutex_unlock(&t->desk->lock);
    return &t->result;
}

static inline const struct delivery_result *attempt_run(struct dispatcher *d, struct attempt *t)
{
    attempt_submit(d, t);
    return attempt_wait(t);
}

static inline void assert_text(struct str got, const char *want)
{
    if (!str_eqz(got, want))
        fail_msg("got '%.*s', want '%s'", STR_ARG(got), want);
}

static inline void assert_has(struct str got, const char *part)
{
    if (str_find(got, str_of(part)) < 0)
        fail_msg("'%.*s' lacks '%s'", STR_ARG(got), part);
}

static inline void assert_lacks(struct str got, const char *part)
{
    if (str_find(got, str_of(part)) >= 0)
        fail_msg("'%.*s' has '%s'", STR_ARG(got), part);
}

static inline void assert_outcome(const struct delivery_result *r, enum delivery_outcome want)
{
    static const char *const names[] = {"sent", "retry", "failed"};
    if (r->outcome != want)
        fail_msg("%s instead of %s: %.*s [%.*s]", names[r->outcome], names[want], STR_ARG(r->error), STR_ARG(r->response));
}

#endif
