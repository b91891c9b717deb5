/* What writer.h promises: shared commits, single failures, full disks, lost connections, kill -9. */
#include "both.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db/db_private.h"
#include "db/writer.h"
#include "failing_disk.h"

/* A task that inserts its number, and does what its kind says besides. */
enum kind { PLAIN, FAILS_WITHOUT_REASON, CONFLICTS, OVERLOOKS_A_CONFLICT, WAITS, KILLS_US, DISCONNECTS, SUBMITS, BIG, OVERLOOKS_A_FULL_DISK };

struct fixture;
struct job {
    struct write_task task;
    struct fixture *f;
    enum kind kind;
    int64_t n;
    int applied;            /* times */
    int told;
    struct error error;     /* code NONE: durable */
    struct job *next_job;   /* of SUBMITS */
    sem_t *entered, *go;    /* of WAITS */
};

struct fixture {
    struct store *st;
    struct writer *w;
    struct metrics *metrics;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int told;
    bool disconnected;
};

static bool insert_number(struct db *db, int64_t n, struct error *err)
{
    struct db_stmt *s = db_prepare(db, "INSERT INTO numbers (n, filler) VALUES (?1, ?2)", err);
    if (!s)
        return false;
    db_bind_int(s, 1, n);
    db_bind_text(s, 2, STR("filler"));
    return db_run(s, err);
}

static bool insert_big(struct db *db, int64_t n, struct error *err)
{
    static const char zeros[100000];
    struct db_stmt *s = db_prepare(db, "INSERT INTO numbers (n, big) VALUES (?1, ?2)", err);
    if (!s)
        return false;
    db_bind_int(s, 1, n);
    db_bind_blob(s, 2, (struct str){zeros, sizeof zeros});
    return db_run(s, err);
}

static bool job_apply(struct write_task *t, struct db *db, struct error *err)
{
    struct job *j = (struct job *)t;
    j->applied++;
    if (j->kind == WAITS && j->applied == 1) {
        sem_post(j->entered);
        sem_wait(j->go);
    }
    if (j->kind == BIG)
        return insert_big(db, j->n, err);
    if (j->kind == OVERLOOKS_A_FULL_DISK)
        insert_big(db, j->n + 1000, NULL);
    if (!insert_number(db, j->n, err))
        return false;
    if (j->kind == CONFLICTS)
        return insert_number(db, j->n, err);
    if (j->kind == OVERLOOKS_A_CONFLICT)
        insert_number(db, j->n, NULL);
    if (j->kind == DISCONNECTS && !j->f->disconnected) {
        j->f->disconnected = true;
        support_pg_disconnect(j->f->st->url);
    }
    if (j->kind == KILLS_US)
        raise(SIGKILL);
    return j->kind != FAILS_WITHOUT_REASON;
}

static void job_done(struct write_task *t, const struct error *err)
{
    struct job *j = (struct job *)t;
    struct fixture *f = j->f;
    if (err)
        j->error = *err;
    if (j->kind == SUBMITS && !writer_submit(f->w, &j->next_job->task, NULL))
        abort();
    pthread_mutex_lock(&f->lock);
    j->told++;
    f->told++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static struct job job_of(struct fixture *f, enum kind kind, int64_t n)
{
    return (struct job){.task = {.apply = job_apply, .done = job_done}, .f = f, .kind = kind, .n = n};
}

static void submit(struct fixture *f, struct job *j)
{
    struct error err = {0};
    must(writer_submit(f->w, &j->task, &err), &err, "submit");
}

static void wait_told(struct fixture *f, int n)
{
    pthread_mutex_lock(&f->lock);
    while (f->told < n)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
}

static void fixture_start(struct fixture *f, struct store *st, int queue_max, int batch_max)
{
    struct error err = {0};
    memset(f, 0, sizeof *f);
    f->st = st;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    exec(st->db, "CREATE TABLE IF NOT EXISTS numbers (n INTEGER NOT NULL UNIQUE, filler TEXT, big BLOB)");
    f->metrics = metrics_create();
    f->w = writer_start(&(struct writer_config){st->url, queue_max, batch_max, f->metrics}, &err);
    must(f->w != NULL, &err, "writer_start");
}

static void fixture_stop(struct fixture *f)
{
    writer_stop(f->w);
    metrics_destroy(f->metrics);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->changed);
}

/* Holds the writer inside of a task, so that what is submitted meanwhile becomes one batch. */
struct gate {
    struct job job;
    sem_t entered, go;
};

static void gate_put(struct fixture *f, struct gate *g, int64_t n)
{
    sem_init(&g->entered, 0, 0);
    sem_init(&g->go, 0, 0);
    g->job = job_of(f, WAITS, n);
    g->job.entered = &g->entered;
    g->job.go = &g->go;
    submit(f, &g->job);
}

static void gate_close(struct fixture *f, struct gate *g, int64_t n)
{
    gate_put(f, g, n);
    sem_wait(&g->entered);
}

static void gate_open(struct gate *g)
{
    sem_post(&g->go);
}

static int64_t stored(struct fixture *f)
{
    return number(f->st->db, "SELECT COUNT(*) FROM numbers");
}

static bool insert_arg(void *arg, struct db *db, struct error *err)
{
    return insert_number(db, *(int64_t *)arg, err);
}

static void waits_share_a_commit(void **state)
{
    struct fixture f;
    struct gate g;
    enum { N = 300 };
    static struct job jobs[N];
    fixture_start(&f, *state, 0, 100);
    gate_close(&f, &g, -1);
    for (int i = 0; i < N; i++) {
        jobs[i] = job_of(&f, PLAIN, i);
        submit(&f, &jobs[i]);
    }
    assert_int_equal(writer_depth(f.w), N);
    gate_open(&g);
    wait_told(&f, N + 1);
    for (int i = 0; i < N; i++)
        assert_true(jobs[i].told == 1 && jobs[i].applied == 1 && jobs[i].error.code == ERROR_NONE);
    assert_int_equal(stored(&f), N + 1);
    assert_int_equal(writer_rows_written(f.w), N + 1);
    assert_int_equal(writer_depth(f.w), 0);
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct str text = metrics_render(f.metrics, a);
    assert_true(str_find(text, STR("carillon_commits_total 4\n")) >= 0);        /* 1 + 3 × 100 */
    assert_true(str_find(text, STR("carillon_commit_batch_size_bucket{le=\"128\"} 4\n")) >= 0);
    assert_true(str_find(text, STR("carillon_commit_batch_size_bucket{le=\"64\"} 1\n")) >= 0);
    assert_true(str_find(text, STR("carillon_rows_written_total 301\n")) >= 0);
    assert_true(str_find(text, STR("carillon_commit_seconds_count 4\n")) >= 0);
    assert_true(str_find(text, STR("carillon_write_queue_depth 0\n")) >= 0);
    fixture_stop(&f);
}

static void only_the_failing_tasks_are_lost(void **state)
{
    struct store *st = *state;
    struct fixture f;
    struct gate g;
    static const enum kind kinds[] = {PLAIN, CONFLICTS, PLAIN, FAILS_WITHOUT_REASON, PLAIN, CONFLICTS, PLAIN};
    enum { N = sizeof kinds / sizeof *kinds };
    fixture_start(&f, st, 0, 0);
    for (int round = 0; round < 3; round++) {       /* the second and third begin with savepoints */
        struct job jobs[N];
        int told = f.told;
        gate_close(&f, &g, -1 - round);
        for (int i = 0; i < N; i++) {
            jobs[i] = job_of(&f, kinds[i], 100 * round + i);
            submit(&f, &jobs[i]);
        }
        gate_open(&g);
        wait_told(&f, told + N + 1);
        for (int i = 0; i < N; i++) {
            enum error_code want = kinds[i] == PLAIN ? ERROR_NONE : kinds[i] == CONFLICTS ? ERROR_CONFLICT : ERROR_INTERNAL;
            assert_int_equal(jobs[i].error.code, want);
            assert_int_equal(jobs[i].told, 1);
            assert_int_equal(jobs[i].applied, round || i > 1 ? 1 : 2);
        }
        assert_int_equal(stored(&f), (round + 1) * 5);
    }
    assert_true(writer_healthy(f.w));
    assert_int_equal(writer_rows_written(f.w), 15);
    fixture_stop(&f);
}

static void an_overlooked_failure_does_not_take_others_along(void **state)
{
    struct store *st = *state;
    struct fixture f;
    struct gate g;
    fixture_start(&f, st, 0, 0);
    gate_close(&f, &g, -1);
    struct job jobs[] = {job_of(&f, PLAIN, 1), job_of(&f, OVERLOOKS_A_CONFLICT, 2), job_of(&f, PLAIN, 3)};
    for (int i = 0; i < 3; i++)
        submit(&f, &jobs[i]);
    gate_open(&g);
    wait_told(&f, 4);
    assert_int_equal(jobs[0].error.code, ERROR_NONE);
    assert_int_equal(jobs[2].error.code, ERROR_NONE);
    /* SQLite lets a transaction go on after a conflict, PostgreSQL does not; nothing half-done in either. */
    assert_int_equal(jobs[1].error.code, st->kind == DB_SQLITE ? ERROR_NONE : ERROR_INTERNAL);
    assert_int_equal(stored(&f), st->kind == DB_SQLITE ? 4 : 3);
    fixture_stop(&f);
}

static void a_full_queue_refuses(void **state)
{
    struct fixture f;
    struct gate g;
    struct error err = {0};
    fixture_start(&f, *state, 2, 0);
    gate_close(&f, &g, -1);
    struct job a = job_of(&f, PLAIN, 1), b = job_of(&f, PLAIN, 2), c = job_of(&f, PLAIN, 3);
    submit(&f, &a);
    submit(&f, &b);
    assert_false(writer_submit(f.w, &c.task, &err));
    assert_int_equal(err.code, ERROR_OVERLOAD);
    assert_int_equal(error_status(&err), 503);
    gate_open(&g);
    wait_told(&f, 3);
    assert_int_equal(c.told, 0);
    submit(&f, &c);
    wait_told(&f, 4);
    fixture_stop(&f);
}

static void done_may_submit_and_run_waits(void **state)
{
    struct fixture f;
    struct error err = {0};
    int64_t n = 10;
    fixture_start(&f, *state, 0, 0);
    struct job second = job_of(&f, PLAIN, 2), first = job_of(&f, SUBMITS, 1);
    first.next_job = &second;
    submit(&f, &first);
    wait_told(&f, 2);
    must(writer_run(f.w, insert_arg, &n, &err), &err, "writer_run");
    assert_int_equal(stored(&f), 3);
    assert_false(writer_run(f.w, insert_arg, &n, &err));
    assert_int_equal(err.code, ERROR_CONFLICT);
    fixture_stop(&f);
}

static void stopping_runs_what_is_queued(void **state)
{
    struct fixture f;
    struct gate g;
    enum { N = 50 };
    struct job jobs[N];
    struct store *st = *state;
    fixture_start(&f, st, 0, 7);
    gate_close(&f, &g, -1);
    for (int i = 0; i < N; i++) {
        jobs[i] = job_of(&f, PLAIN, i);
        submit(&f, &jobs[i]);
    }
    gate_open(&g);
    fixture_stop(&f);
    assert_int_equal(f.told, N + 1);
    assert_int_equal(number(st->db, "SELECT COUNT(*) FROM numbers"), N + 1);
}

struct producer {
    struct fixture *f;
    int base, n;
};

static void *produce(void *arg)
{
    struct producer *p = arg;
    for (int i = 0; i < p->n; i++) {
        int64_t n = p->base + i;
        struct error err = {0};
        bool ok = writer_run(p->f->w, insert_arg, &n, &err);
        if (ok != (i % 10 != 9) && !(err.code == ERROR_CONFLICT && i % 10 == 9))
            return NULL;
        if (i % 10 == 8)
            p->base--;              /* the next one conflicts */
        writer_depth(p->f->w);
        writer_healthy(p->f->w);
    }
    return p;
}

static void many_threads_write_together(void **state)
{
    struct fixture f;
    pthread_t threads[4];
    struct producer producers[4];
    fixture_start(&f, *state, 0, 0);
    for (int i = 0; i < 4; i++) {
        producers[i] = (struct producer){&f, (i + 1) * 100000, 200};
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *ok;
        pthread_join(threads[i], &ok);
        assert_non_null(ok);
    }
    assert_int_equal(stored(&f), 4 * 180);
    assert_int_equal(writer_rows_written(f.w), 4 * 180);
    fixture_stop(&f);
}

/* --- disks --- */

static void expect_all(struct job *jobs, int n, enum error_code code)
{
    for (int i = 0; i < n; i++) {
        assert_int_equal(jobs[i].error.code, code);
        assert_int_equal(jobs[i].told, 1);
    }
}

static void failing_commit(struct fixture *f, enum disk_state state, enum error_code code, int status)
{
    struct gate g;
    int64_t before = stored(f);
    int told = f->told;
    gate_close(f, &g, 1000 + told);
    struct job jobs[] = {job_of(f, PLAIN, 1), job_of(f, PLAIN, 2), job_of(f, PLAIN, 3)};
    atomic_store(&disk_state, state);       /* the gate's own commit fails, and the batch after it */
    for (int i = 0; i < 3; i++)
        submit(f, &jobs[i]);
    gate_open(&g);
    wait_told(f, told + 4);
    assert_int_equal(g.job.error.code, code);
    expect_all(jobs, 3, code);
    assert_int_equal(error_status(&jobs[0].error), status);
    assert_false(writer_healthy(f->w));
    assert_int_equal(stored(f), before);
}

static void a_full_disk_is_survived(void **state)
{
    struct fixture f;
    fixture_start(&f, *state, 0, 0);
    failing_commit(&f, DISK_FULL, ERROR_FULL, 503);
    failing_commit(&f, DISK_FULL, ERROR_FULL, 503);     /* goes on answering */
    atomic_store(&disk_state, DISK_FINE);
    int64_t n = 7;
    struct error err = {0};
    must(writer_run(f.w, insert_arg, &n, &err), &err, "after the disk has room");
    assert_true(writer_healthy(f.w));
    assert_int_equal(stored(&f), 1);
    fixture_stop(&f);
}

static void a_broken_disk_is_survived_without_tasks(void **state)
{
    struct fixture f;
    fixture_start(&f, *state, 0, 0);
    failing_commit(&f, DISK_BROKEN, ERROR_IO, 500);
    atomic_store(&disk_state, DISK_FINE);
    while (!writer_healthy(f.w))            /* the writer's own probe finds out */
        sched_yield();
    assert_int_equal(stored(&f), 0);
    fixture_stop(&f);
}

static int told_so_far(struct fixture *f)
{
    pthread_mutex_lock(&f->lock);
    int told = f->told;
    pthread_mutex_unlock(&f->lock);
    return told;
}

static void the_next_batch_runs_while_one_is_synced(void **state)
{
    enum { N = 64 };
    struct fixture f;
    struct gate g;
    static struct job first, jobs[N];
    fixture_start(&f, *state, 0, 0);
    int64_t n = 1;
    struct error err = {0};
    must(writer_run(f.w, insert_arg, &n, &err), &err, "the log's beginning, which is synced apart");
    atomic_store(&disk_state, DISK_WAITS);
    submit(&f, (first = job_of(&f, PLAIN, 2), &first));
    sem_wait(&disk_sync_entered);
    gate_put(&f, &g, 3);
    for (int i = 0; i < N - 1; i++) {               /* enough for a batch beside the sync */
        jobs[i] = job_of(&f, PLAIN, 10 + i);
        submit(&f, &jobs[i]);
    }
    sem_wait(&g.entered);                           /* it runs */
    assert_int_equal(told_so_far(&f), 0);
    atomic_store(&disk_state, DISK_FINE);
    gate_open(&g);
    assert_int_equal(told_so_far(&f), 0);           /* … but nobody is told before the first is on the disk */
    sem_post(&disk_sync_go);
    wait_told(&f, N + 1);
    assert_int_equal(first.told, 1);
    assert_int_equal(stored(&f), N + 2);
    fixture_stop(&f);
}

static void a_log_that_cannot_be_synced_ends_all_writing(void **state)
{
    struct fixture f;
    int64_t n = 1;
    struct error err = {0};
    fixture_start(&f, *state, 0, 0);
    must(writer_run(f.w, insert_arg, &n, &err), &err, "before");
    atomic_store(&disk_state, DISK_KEEPS_NOTHING);
    n = 2;
    assert_false(writer_run(f.w, insert_arg, &n, &err));
    assert_int_equal(err.code, ERROR_IO);
    assert_false(writer_healthy(f.w));
    atomic_store(&disk_state, DISK_FINE);
    n = 3;
    assert_false(writer_run(f.w, insert_arg, &n, &err));    /* the system may say now that all is well: it is not */
    assert_int_equal(err.code, ERROR_IO);
    assert_non_null(strstr(err.message, "restart"));
    assert_false(writer_healthy(f.w));
    fixture_stop(&f);
    fixture_start(&f, *state, 0, 0);
    n = 4;
    must(writer_run(f.w, insert_arg, &n, &err), &err, "after a restart");
    assert_int_equal(number(f.st->db, "SELECT COUNT(*) FROM numbers WHERE n IN (1, 4)"), 2);
    assert_int_equal(number(f.st->db, "SELECT COUNT(*) FROM numbers WHERE n = 3"), 0);
    fixture_stop(&f);
}

static bool limit_pages(void *arg, struct db *db, struct error *err)
{
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA max_page_count=%d", *(int *)arg);
    return db_exec(db, sql, err);
}

/* The error comes in the middle of a task here, and SQLite may roll back by itself. */
static void a_store_at_its_size_limit_is_survived(void **state)
{
    struct fixture f;
    struct gate g;
    struct error err = {0};
    int pages = 10;
    fixture_start(&f, *state, 0, 0);
    must(writer_run(f.w, limit_pages, &pages, &err), &err, "limit");
    gate_close(&f, &g, -1);
    struct job jobs[] = {job_of(&f, PLAIN, 1), job_of(&f, BIG, 2), job_of(&f, PLAIN, 3)};
    for (int i = 0; i < 3; i++)
        submit(&f, &jobs[i]);
    gate_open(&g);
    wait_told(&f, 4);
    expect_all(jobs, 3, ERROR_FULL);
    assert_false(writer_healthy(f.w));
    assert_int_equal(stored(&f), 1);
    struct job careless = job_of(&f, OVERLOOKS_A_FULL_DISK, 4);
    submit(&f, &careless);
    wait_told(&f, 5);
    assert_int_equal(careless.error.code, ERROR_IO);    /* of its second statement, which must not run outside */
    assert_int_equal(stored(&f), 1);
    pages = 1000000;
    must(writer_run(f.w, limit_pages, &pages, &err), &err, "limit");
    struct job again = job_of(&f, BIG, 2);
    submit(&f, &again);
    wait_told(&f, 6);
    assert_int_equal(again.error.code, ERROR_NONE);
    assert_int_equal(stored(&f), 2);
    fixture_stop(&f);
}

static int64_t wal_bytes(const char *url)
{
    char path[512];
    FILE *file;
    snprintf(path, sizeof path, "%s-wal", url + strlen("sqlite:"));
    if (!(file = fopen(path, "r")))
        return 0;
    fseek(file, 0, SEEK_END);
    int64_t n = ftell(file);
    fclose(file);
    return n;
}

static void the_log_stays_bounded(void **state)
{
    struct fixture f;
    struct store *st = *state;
    fixture_start(&f, st, 0, 20);
    enum { N = 2000 };      /* of 100 kB: three times where it starts anew */
    struct job *jobs = calloc(N, sizeof *jobs);
    for (int i = 0; i < N; i++) {
        jobs[i] = job_of(&f, BIG, i);
        submit(&f, &jobs[i]);
    }
    wait_told(&f, N);
    assert_int_equal(stored(&f), N);
    assert_in_range(wal_bytes(st->url), 1, 112 << 20);
    free(jobs);
    fixture_stop(&f);
}

/* --- connections --- */

static void a_batch_survives_a_lost_connection(void **state)
{
    struct fixture f;
    struct gate g;
    fixture_start(&f, *state, 0, 0);
    gate_close(&f, &g, -1);
    struct job jobs[] = {job_of(&f, PLAIN, 1), job_of(&f, DISCONNECTS, 2), job_of(&f, PLAIN, 3)};
    for (int i = 0; i < 3; i++)
        submit(&f, &jobs[i]);
    gate_open(&g);
    wait_told(&f, 4);
    expect_all(jobs, 3, ERROR_NONE);
    assert_int_equal(jobs[0].applied, 2);
    assert_int_equal(stored(&f), 4);
    assert_true(writer_healthy(f.w));
    fixture_stop(&f);
}

/* The connection breaks with the last task: only COMMIT notices, and must find out that nothing was stored. */
static void a_commit_without_an_answer_is_resolved(void **state)
{
    struct fixture f;
    fixture_start(&f, *state, 0, 0);
    struct job j = job_of(&f, DISCONNECTS, 1);
    submit(&f, &j);
    wait_told(&f, 1);
    assert_int_equal(j.error.code, ERROR_NONE);
    assert_int_equal(j.applied, 2);
    assert_int_equal(stored(&f), 1);
    fixture_stop(&f);
}

struct crossing {
    struct fixture *f;
    pthread_barrier_t *met;
    int first, second, applied;
    sem_t over;                         /* its transaction is committed */
    struct crossing *other;
};

static bool cross(void *arg, struct db *db, struct error *err)
{
    struct crossing *c = arg;
    /* Else the one that is run again may take its first row back before the other has woken up: they would meet once more. */
    if (c->applied > 0)
        sem_wait(&c->other->over);
    struct db_stmt *s = db_prepare(db, "UPDATE numbers SET filler = 'x' WHERE n = ?1", err);
    db_bind_int(s, 1, c->first);
    if (!db_run(s, err))
        return false;
    if (c->applied++ == 0)
        pthread_barrier_wait(c->met);
    db_bind_int(s, 1, c->second);
    return db_run(s, err);
}

static void *cross_in_thread(void *arg)
{
    struct crossing *c = arg;
    struct error err = {0};
    bool ok = writer_run(c->f->w, cross, c, &err);
    sem_post(&c->over);
    return ok ? arg : NULL;
}

static void a_deadlock_between_nodes_is_run_again(void **state)
{
    struct store *st = *state;
    struct fixture f[2];
    pthread_barrier_t met;
    pthread_t threads[2];
    fixture_start(&f[0], st, 0, 0);
    fixture_start(&f[1], st, 0, 0);
    exec(st->db, "INSERT INTO numbers (n) VALUES (1), (2)");
    pthread_barrier_init(&met, NULL, 2);
    struct crossing c[2] = {{.f = &f[0], .met = &met, .first = 1, .second = 2, .other = &c[1]},
                            {.f = &f[1], .met = &met, .first = 2, .second = 1, .other = &c[0]}};
    for (int i = 0; i < 2; i++)
        sem_init(&c[i].over, 0, 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, cross_in_thread, &c[i]), 0);
    for (int i = 0; i < 2; i++) {
        void *ok;
        pthread_join(threads[i], &ok);
        assert_non_null(ok);
    }
    assert_int_equal(c[0].applied + c[1].applied, 3);
    for (int i = 0; i < 2; i++)
        sem_destroy(&c[i].over);
    pthread_barrier_destroy(&met);
    fixture_stop(&f[0]);
    fixture_stop(&f[1]);
}

/* --- kill -9 --- */

/* In a forked child: commits number 1, then dies inside of the batch {2, 3, 4}. */
static void die_between_apply_and_commit(struct store *st)
{
    struct fixture f;
    struct gate g;
    int64_t one = 1;
    fixture_start(&f, st, 0, 0);
    writer_run(f.w, insert_arg, &one, NULL);
    gate_close(&f, &g, 2);
    struct job jobs[] = {job_of(&f, PLAIN, 3), job_of(&f, KILLS_US, 4)};
    submit(&f, &jobs[0]);
    submit(&f, &jobs[1]);
    gate_open(&g);
    wait_told(&f, 3);
    _exit(1);
}

static void kill_9_keeps_what_was_committed(void **state)
{
    struct store *st = *state;
    struct error err = {0};
    int status;
    db_close(st->db);               /* the child is the process that holds the directory */
    st->db = NULL;
    pid_t pid = fork();
    if (pid == 0) {
        st->db = db_open(st->url, false, NULL);
        die_between_apply_and_commit(st);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    st->db = db_open(st->url, false, &err);
    must(st->db != NULL, &err, "reopen");
    /* 1 was told; 2 was committed before the batch that died; 3 and 4 were not committed. */
    assert_int_equal(number(st->db, "SELECT COUNT(*) FROM numbers WHERE n IN (1, 2)"), 2);
    assert_int_equal(number(st->db, "SELECT COUNT(*) FROM numbers"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(kill_9_keeps_what_was_committed),      /* first: it forks, and later tests leave threads of libraries */
        BOTH(waits_share_a_commit), BOTH(only_the_failing_tasks_are_lost),
        BOTH(an_overlooked_failure_does_not_take_others_along), BOTH(a_full_queue_refuses),
        BOTH(done_may_submit_and_run_waits), BOTH(stopping_runs_what_is_queued), BOTH(many_threads_write_together),
        ONE(a_full_disk_is_survived, 0), ONE(a_broken_disk_is_survived_without_tasks, 0),
        ONE(a_store_at_its_size_limit_is_survived, 0), ONE(the_log_stays_bounded, 0),
        ONE(the_next_batch_runs_while_one_is_synced, 0), ONE(a_log_that_cannot_be_synced_ends_all_writing, 0),
        ONE(a_batch_survives_a_lost_connection, 1), ONE(a_commit_without_an_answer_is_resolved, 1),
        ONE(a_deadlock_between_nodes_is_run_again, 1),
    };
    disk_install();
    return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
