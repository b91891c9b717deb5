/* How much of what SQLite can durably store do we pass on? The same rows, once by SQLite alone in batches, once
 * through writer_submit from several threads.
 *
 *     bench_raw_sqlite [bytes a row] [rows a batch] [seconds each] [directory]
 *
 * Rows are a 12-byte ascending id (primary key) and a text. Both sides: WAL, synchronous=FULL, the same cache.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "db/writer.h"

enum { PRODUCERS = 4, BYTES = 500, BATCH = 256, SECONDS = 4 };

struct settings {
    int bytes, batch, seconds;
    const char *dir;
    char *text;
};

struct outcome {
    double rows_per_s, cpu_us_per_row, rows_per_commit, commits_per_s;
};

static double cpu_seconds(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_raw_sqlite: %s: %s\n", what, why);
    exit(1);
}

static void remove_store(const char *path)
{
    char name[600];
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static const char schema[] = "CREATE TABLE rows (id BLOB NOT NULL PRIMARY KEY, text TEXT NOT NULL)";
static const char insert[] = "INSERT INTO rows (id, text) VALUES (?1, ?2)";

static void must(sqlite3 *h, int rc)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE)
        die("sqlite", sqlite3_errmsg(h));
}

static struct outcome run_raw(const struct settings *c, bool checkpoint)
{
    char path[512];
    sqlite3 *h;
    sqlite3_stmt *ins, *begin, *commit;
    struct id_source ids;
    snprintf(path, sizeof path, "%s/raw.db", c->dir);
    remove_store(path);
    must(NULL, sqlite3_open_v2(path, &h, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL));
    must(h, sqlite3_exec(h, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-8192", NULL, NULL, NULL));
    must(h, sqlite3_exec(h, schema, NULL, NULL, NULL));
    if (!checkpoint)
        sqlite3_wal_autocheckpoint(h, 0);
    must(h, sqlite3_prepare_v2(h, insert, -1, &ins, NULL));
    must(h, sqlite3_prepare_v2(h, "BEGIN IMMEDIATE", -1, &begin, NULL));
    must(h, sqlite3_prepare_v2(h, "COMMIT", -1, &commit, NULL));
    id_source_init(&ids);
    int64_t rows = 0, commits = 0, start = clock_mono_ns(), end = start + c->seconds * 1000000000LL;
    double cpu = cpu_seconds(RUSAGE_SELF);
    while (clock_mono_ns() < end) {
        must(h, sqlite3_step(begin));
        sqlite3_reset(begin);
        for (int i = 0; i < c->batch; i++) {
            struct id id = id_new(&ids, start / 1000000);
            sqlite3_bind_blob(ins, 1, id.b, sizeof id.b, SQLITE_STATIC);
            sqlite3_bind_text(ins, 2, c->text, c->bytes, SQLITE_STATIC);
            must(h, sqlite3_step(ins));
            sqlite3_reset(ins);
        }
        must(h, sqlite3_step(commit));
        sqlite3_reset(commit);
        rows += c->batch;
        commits++;
    }
    double s = (double)(clock_mono_ns() - start) / 1e9;
    cpu = cpu_seconds(RUSAGE_SELF) - cpu;
    sqlite3_finalize(ins);
    sqlite3_finalize(begin);
    sqlite3_finalize(commit);
    sqlite3_close(h);
    remove_store(path);
    return (struct outcome){(double)rows / s, cpu * 1e6 / (double)rows, (double)rows / (double)commits, (double)commits / s};
}

struct producer;
struct row_task {
    struct write_task task;
    struct producer *p;
    struct id id;
    struct row_task *next_free;
};

struct producer {
    const struct settings *c;
    struct writer *w;
    struct id_source *ids;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct row_task *tasks, *free;
    int outstanding;
    int64_t end;
};

static bool row_apply(struct write_task *t, struct db *db, struct error *err)
{
    struct row_task *r = (struct row_task *)t;
    struct db_stmt *s = db_prepare(db, insert, err);
    if (!s)
        return false;
    db_bind_id(s, 1, r->id);
    db_bind_text(s, 2, (struct str){r->p->c->text, (size_t)r->p->c->bytes});
    return db_run(s, err);
}

static void row_done(struct write_task *t, const struct error *err)
{
    struct row_task *r = (struct row_task *)t;
    struct producer *p = r->p;
    if (err)
        die("write", err->message);
    pthread_mutex_lock(&p->lock);
    r->next_free = p->free;
    p->free = r;
    p->outstanding--;
    if (!r->next_free)
        pthread_cond_signal(&p->freed);
    pthread_mutex_unlock(&p->lock);
}

static void *produce(void *arg)
{
    struct producer *p = arg;
    struct error err = {0};
    for (;;) {
        pthread_mutex_lock(&p->lock);
        bool over = clock_mono_ns() >= p->end;
        while (over ? p->outstanding > 0 : !p->free) {
            if (over)
                p->free = NULL;         /* so that each further task signals */
            pthread_cond_wait(&p->freed, &p->lock);
        }
        struct row_task *all = p->free;
        p->free = NULL;
        for (struct row_task *r = all; r && !over; r = r->next_free)
            p->outstanding++;
        pthread_mutex_unlock(&p->lock);
        if (over)
            return NULL;
        for (struct row_task *r = all, *next; r; r = next) {
            next = r->next_free;
            r->id = id_new(p->ids, 1);
            if (!writer_submit(p->w, &r->task, &err))
                die("submit", err.message);
        }
    }
}

/* Twice a batch is under way: one on its way to the disk, one that gathers behind it. */
static void producer_start(struct producer *p)
{
    int n = p->c->batch * 2 / PRODUCERS;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->freed, NULL);
    p->tasks = calloc((size_t)n, sizeof *p->tasks);
    for (int i = 0; i < n; i++) {
        p->tasks[i] = (struct row_task){.task = {.apply = row_apply, .done = row_done}, .p = p, .next_free = p->free};
        p->free = &p->tasks[i];
    }
    pthread_create(&p->thread, NULL, produce, p);
}

static struct outcome run_writer(const struct settings *c)
{
    char path[512], url[600];
    struct error err = {0};
    struct id_source ids;
    struct producer producers[PRODUCERS];
    snprintf(path, sizeof path, "%s/writer.db", c->dir);
    snprintf(url, sizeof url, "sqlite:%s", path);
    remove_store(path);
    struct db *db = db_open(url, false, &err);
    if (!db || !db_exec(db, schema, &err))
        die("open", err.message);
    struct metrics *m = metrics_create();
    struct counter *commits = metrics_counter(m, "carillon_commits_total", "Commits", NULL);
    struct writer *w = writer_start(&(struct writer_config){.url = url, .metrics = m}, &err);
    if (!w)
        die("writer_start", err.message);
    id_source_init(&ids);
    int64_t start = clock_mono_ns();
    double cpu = cpu_seconds(RUSAGE_SELF);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){.c = c, .w = w, .ids = &ids, .end = start + c->seconds * 1000000000LL};
        producer_start(&producers[i]);
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i].thread, NULL);
    double s = (double)(clock_mono_ns() - start) / 1e9, rows = (double)writer_rows_written(w), n = (double)commits->value;
    cpu = cpu_seconds(RUSAGE_SELF) - cpu;
    writer_stop(w);
    metrics_destroy(m);
    db_close(db);
    for (int i = 0; i < PRODUCERS; i++)
        free(producers[i].tasks);
    remove_store(path);
    return (struct outcome){rows / s, cpu * 1e6 / rows, rows / n, n / s};
}

static void print(const char *name, struct outcome o, double ratio)
{
    printf("%-34s %9.0f rows/s  %6.2f cpu us/row  %7.1f rows/commit  %7.0f commits/s  ratio %.2f\n", name, o.rows_per_s,
           o.cpu_us_per_row, o.rows_per_commit, o.commits_per_s, ratio);
}

int main(int argc, char **argv)
{
    struct settings c = {
        .bytes = argc > 1 ? atoi(argv[1]) : BYTES, .batch = argc > 2 ? atoi(argv[2]) : BATCH,
        .seconds = argc > 3 ? atoi(argv[3]) : SECONDS, .dir = argc > 4 ? argv[4] : ".",
    };
    if (c.bytes < 1 || c.batch < PRODUCERS || c.seconds < 1 || !crypto_init())
        die("usage", "bench_raw_sqlite [bytes a row] [rows a batch] [seconds each] [directory]");
    c.text = malloc((size_t)c.bytes);
    memset(c.text, 'x', (size_t)c.bytes);
    printf("%d bytes a row, batches of %d, %d threads, %d s each\n", c.bytes, c.batch, PRODUCERS, c.seconds);
    struct outcome raw = run_raw(&c, true), endless = run_raw(&c, false), ours = run_writer(&c);
    print("sqlite, automatic checkpoints", raw, 1);
    print("sqlite, log never copied", endless, endless.rows_per_s / raw.rows_per_s);
    print("writer_submit from 4 threads", ours, ours.rows_per_s / raw.rows_per_s);
    free(c.text);
    return 0;
}
