/* Keeps a second process away from a data directory: an flock on <file>.lock, shared by all connections of one. */
#include "db/db_private.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct data_lock {
    struct data_lock *next;
    dev_t dev;
    ino_t ino;
    pid_t pid;              /* a forked child inherits the list, but not the right */
    int fd, refs;
};

/* Whether this process holds a lock is a fact of the process, so it cannot live in a connection (SQLite's own
 * unixInodeInfo list exists for the same reason). */
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct data_lock *list;

static int open_file(const char *file, struct error *err)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s.lock", file) >= (int)sizeof path) {
        error_set(err, ERROR_IO, "The path of the database is too long.");
        return -1;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        error_set(err, errno == ENOSPC || errno == EDQUOT ? ERROR_FULL : ERROR_IO,
                  "Cannot write to the data directory (%.300s): %s.", path, strerror(errno));
    return fd;
}

static void refuse(int fd, struct error *err)
{
    char text[24];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    long pid = strtol(text, NULL, 10);
    if (pid > 0)
        error_set(err, ERROR_BUSY, "The data directory is in use by another process (pid %ld).", pid);
    else
        error_set(err, ERROR_BUSY, "The data directory is in use by another process.");
}

static void write_pid(int fd)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* Only for the other process's message: on a full disk it does without. */
    if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)n, 0) != n)
        return;
}

static struct data_lock *take(int fd, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st)) {
        error_set(err, ERROR_IO, "Cannot lock the data directory: %s.", strerror(errno));
        return NULL;
    }
    for (struct data_lock *l = list; l; l = l->next)
        if (l->dev == st.st_dev && l->ino == st.st_ino && l->pid == getpid()) {
            close(fd);
            l->refs++;
            return l;
        }
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        if (errno == EWOULDBLOCK)
            refuse(fd, err);
        else
            error_set(err, ERROR_IO, "Cannot lock the data directory: %s.", strerror(errno));
        return NULL;
    }
    struct data_lock *l = malloc(sizeof *l);
    if (!l)
        abort();
    write_pid(fd);
    *l = (struct data_lock){.next = list, .dev = st.st_dev, .ino = st.st_ino, .pid = getpid(), .fd = fd, .refs = 1};
    list = l;
    return l;
}

struct data_lock *data_lock_take(const char *file, struct error *err)
{
    int fd = open_file(file, err);
    if (fd < 0)
        return NULL;
    pthread_mutex_lock(&list_lock);
    struct data_lock *l = take(fd, err);
    pthread_mutex_unlock(&list_lock);
    if (!l)
        close(fd);
    return l;
}

void data_lock_release(struct data_lock *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&list_lock);
    if (--l->refs == 0) {
        struct data_lock **at = &list;
        while (*at != l)
            at = &(*at)->next;
        *at = l->next;
        close(l->fd);       /* and with it the flock; the file stays: removing it would race with a newcomer */
        free(l);
    }
    pthread_mutex_unlock(&list_lock);
}
