/* Puts SQLite's log on the disk while the writer runs the next transaction: the writer would do nothing but wait there,
 * as long as a hundred triggers take it. */
#include "db/db_private.h"

#include <pthread.h>
#include <stdlib.h>

struct log_sync {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool wanted, stopping;
    struct db *db;              /* the writer's */
    void (*done)(void *arg, const struct error *err);
    void *arg;
};

static void *log_sync_main(void *arg)
{
    struct log_sync *s = arg;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->wanted && !s->stopping)
            pthread_cond_wait(&s->wake, &s->lock);
        if (!s->wanted)
            break;
        s->wanted = false;
        pthread_mutex_unlock(&s->lock);
        struct error why = {0};
        bool ok = db_log_sync(s->db, &why);
        s->done(s->arg, ok ? NULL : &why);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

bool log_sync_start(struct db *db, void (*done)(void *arg, const struct error *err), void *arg, struct log_sync **out, struct error *err)
{
    struct log_sync *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    s->db = db;
    s->done = done;
    s->arg = arg;
    int e = pthread_create(&s->thread, NULL, log_sync_main, s);
    if (!e) {
        *out = s;
        return true;
    }
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->wake);
    free(s);
    return error_set(err, ERROR_INTERNAL, "Cannot start a thread: %s.", strerror(e));
}

void log_sync_begin(struct log_sync *s)
{
    pthread_mutex_lock(&s->lock);
    s->wanted = true;
    pthread_mutex_unlock(&s->lock);
    pthread_cond_signal(&s->wake);
}

void log_sync_stop(struct log_sync *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->wake);
    free(s);
}
