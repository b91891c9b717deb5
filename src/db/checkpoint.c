/* Moves SQLite's write-ahead log into the file beside the writer, so that no commit waits for it.
 *
 * SQLite's automatic checkpoint runs inside of a commit, and writes and syncs thousands of pages there. A passive
 * checkpoint on another connection runs while the writer appends. What it cannot do is let the log start anew:
 * there is always a commit behind it. The writer does that itself, now and then (wal_tend in writer.c).
 */
#include "db/db_private.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct checkpointer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool wanted, stopping;
    _Atomic bool busy;          /* copies, or was asked to */
    _Atomic int copied;         /* pages of the log that the last copy has brought into the file */
    struct db *db;
};

static void *checkpointer_main(void *arg)
{
    struct checkpointer *c = arg;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        atomic_store(&c->busy, c->wanted);
        while (!c->wanted && !c->stopping)
            pthread_cond_wait(&c->wake, &c->lock);
        if (c->stopping)
            break;
        c->wanted = false;
        pthread_mutex_unlock(&c->lock);
        atomic_store(&c->copied, db_wal_copy(c->db));
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static void checkpointer_free(struct checkpointer *c)
{
    db_close(c->db);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->wake);
    free(c);
}

bool checkpointer_start(const char *url, struct checkpointer **out, struct error *err)
{
    struct checkpointer *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, NULL);
    c->db = db_open(url, false, err);
    int e = c->db ? pthread_create(&c->thread, NULL, checkpointer_main, c) : 0;
    if (!c->db || e) {
        if (e)
            error_set(err, ERROR_INTERNAL, "Cannot start a thread: %s.", strerror(e));
        checkpointer_free(c);
        return false;
    }
    *out = c;
    return true;
}

void checkpointer_poke(struct checkpointer *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->wanted = true;
    atomic_store(&c->busy, true);
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

bool checkpointer_busy(const struct checkpointer *c)
{
    return c && atomic_load(&c->busy);
}

int checkpointer_copied(const struct checkpointer *c)
{
    return c ? atomic_load(&c->copied) : 0;
}

void checkpointer_stop(struct checkpointer *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    checkpointer_free(c);
}
