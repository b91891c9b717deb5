/* Makes a request of its own through a real dispatcher and waits for the answer. */
#ifndef TEST_FETCH_H
#define TEST_FETCH_H

#include "delivery/http_attempt.h"
#include "deliver.h"

/* A call in its own arena, which the dispatcher's thread uses while it is under way. */
struct fetch {
    struct http_call call;
    struct arena *arena;
    struct desk *desk;
    bool done;
};

static inline void fetch_done(struct http_call *c, const struct http_response *r)
{
    struct fetch *f = c->owner;
    assert_ptr_equal(r, &c->response);
    pthread_mutex_lock(&f->desk->lock);
    f->done = true;
    pthread_cond_broadcast(&f->desk->changed);
    pthread_mutex_unlock(&f->desk->lock);
}

/* Of a path on that port of this machine; port 0: the path is the URL. */
static inline struct fetch *fetch_make(struct desk *desk, int port, const char *path)
{
    struct arena *a = arena_create(0);
    struct fetch *f = ARENA_NEW(a, struct fetch);
    *f = (struct fetch){.arena = a, .desk = desk};
    f->call = (struct http_call){.arena = a, .done = fetch_done, .owner = f};
    f->call.request.url = port ? str_fmt(a, "http://127.0.0.1:%d%s", port, path) : str_of(path);
    return f;
}

static inline const struct http_response *fetch_answer(struct dispatcher *d, struct fetch *f)
{
    struct error err = {0};
    assert_true(http_call_submit(d, &f->call, &err));
    pthread_mutex_lock(&f->desk->lock);
    while (!f->done)
        pthread_cond_wait(&f->desk->changed, &f->desk->lock);
    pthread_mutex_unlock(&f->desk->lock);
    return &f->call.response;
}

#endif
