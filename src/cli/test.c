/* `carillon test`: tests of workflows, in files (docs/testing.md). */
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/test_report.h"
#include "cli/test_world.h"

enum { EXIT_PASSED = 0, EXIT_FAILED = 1, EXIT_UNUSABLE = 2, FOLDERS_DEEP = 16 };

struct testing {
    struct arena *arena;
    struct report report;
    const char *junit, *only;           /* only: a part of the names of the tests to run; NULL: all */
    const char **files;
    size_t files_n, files_cap;
    bool unusable;                      /* something could not be read */
    char dir[WORLD_DIR_MAX];            /* of everything that the tests write */
};

static void unusable(struct testing *t, const char *text)
{
    t->unusable = true;
    cli_fail("%s", text);
}

static bool is_test_file(const char *name)
{
    static const char *const ends[] = {".test.yaml", ".test.yml", ".test.json"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (str_ends(str_of(name), str_of(ends[i])))
            return true;
    return false;
}

static void file_add(struct testing *t, const char *path)
{
    *ARENA_SLOT(t->arena, t->files, t->files_n, t->files_cap) = path;
}

static void path_add(struct testing *t, const char *path, int depth);

/* What is called *.test.yaml, *.test.yml or *.test.json, in order of name; hidden folders and node_modules are left out. */
static void folder_add(struct testing *t, const char *path, int depth)
{
    struct dirent **list;
    int n = depth > FOLDERS_DEEP ? 0 : scandir(path, &list, NULL, alphasort);
    if (n < 0) {
        unusable(t, str_fmt(t->arena, "%s: %s", path, strerror(errno)).p);
        return;
    }
    for (int i = 0; i < n; i++) {
        const char *name = list[i]->d_name, *whole = str_fmt(t->arena, "%s%s%s", path, str_ends(str_of(path), STR("/")) ? "" : "/", name).p;
        struct stat st;
        if (name[0] != '.' && strcmp(name, "node_modules") && !stat(whole, &st) && (S_ISDIR(st.st_mode) || is_test_file(name)))
            path_add(t, whole, depth + 1);
        free(list[i]);
    }
    if (n)
        free(list);
}

static void path_add(struct testing *t, const char *path, int depth)
{
    struct stat st;
    if (!stat(path, &st) && S_ISDIR(st.st_mode))
        folder_add(t, path, depth);
    else
        file_add(t, path);              /* what is named is taken, whatever its name; reading it says what is wrong */
}

static bool options_read(struct testing *t, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        bool valued = !strcmp(argv[i], "--junit") || !strcmp(argv[i], "--only");
        if (valued && i + 1 == argc)
            return !cli_fail("%s needs a value", argv[i]);
        if (!strcmp(argv[i], "--junit"))
            t->junit = argv[++i];
        else if (!strcmp(argv[i], "--only"))
            t->only = argv[++i];
        else if (!strcmp(argv[i], "--tap"))
            t->report.form = REPORT_TAP;
        else if (!strncmp(argv[i], "--", 2))
            return !cli_fail("Unknown option '%.80s'", argv[i]);
        else
            path_add(t, argv[i], 0);
    }
    if (t->unusable)
        return false;
    if (!t->files_n)
        return !cli_fail("Usage: carillon test [--tap] [--junit FILE] [--only TEXT] FILE-OR-FOLDER… (in folders, files called "
                         "*.test.yaml, *.test.yml and *.test.json)");
    return true;
}

/* A file that cannot be understood is a case that failed, so that a report without it does not look well. */
static void file_refuse(struct testing *t, const char *path, const struct error *err)
{
    struct report_case c = {.path = path, .name = STR("the file can be read"), .line = 1};
    struct test_failure *f = ARENA_NEW(t->arena, struct test_failure);
    size_t prefix = strlen(path);
    int line = 1;
    if (!strncmp(err->message, path, prefix) && err->message[prefix] == ':')
        line = (int)strtol(err->message + prefix + 1, NULL, 10);
    *f = (struct test_failure){.line = line > 0 ? line : 1, .expected = STR("a file of tests (docs/testing.md)"), .actual = str_dup(t->arena, str_of(err->message))};
    c.outcome.failures = f;
    c.outcome.failures_n = 1;
    report_case(&t->report, &c);
    t->unusable = true;
}

/* What outlives a test is its outcome: the rest is given back. */
static void outcome_keep(struct arena *a, struct test_outcome *o)
{
    struct test_failure *list = ARENA_ARRAY(a, struct test_failure, o->failures_n);
    for (size_t i = 0; i < o->failures_n; i++) {
        const struct test_failure *f = &o->failures[i];
        list[i] = (struct test_failure){f->line, str_dup(a, f->expected), str_dup(a, f->actual), str_dup(a, f->why)};
    }
    o->failures = list;
    o->timeline = str_dup(a, o->timeline);
}

static void file_run(struct testing *t, const char *path)
{
    struct arena *file ARENA_SCOPED = arena_create(0);
    struct scenario_file tests;
    struct error err = {0};
    if (!scenario_read(file, path, &tests, &err)) {
        file_refuse(t, path, &err);
        return;
    }
    for (size_t i = 0; i < tests.n; i++) {
        struct arena *a ARENA_SCOPED = arena_create(0);
        const struct scenario *s = &tests.list[i];
        struct report_case c = {.path = path, .name = str_dup(t->arena, s->name), .line = s->line};
        if (t->only && str_find(s->name, str_of(t->only)) < 0)
            continue;
        test_run(a, t->dir, s, &c.outcome);
        t->unusable |= c.outcome.unusable;
        outcome_keep(t->arena, &c.outcome);
        report_case(&t->report, &c);
    }
}

static void signals_of_end(sigset_t *s)
{
    sigemptyset(s);
    sigaddset(s, SIGINT);
    sigaddset(s, SIGTERM);
    sigaddset(s, SIGHUP);
}

/* Ended early, it leaves nothing behind either. */
static void *interrupted(void *arg)
{
    const struct testing *t = arg;
    sigset_t ends;
    int sig;
    signals_of_end(&ends);
    sigwait(&ends, &sig);
    world_clear(t->dir);
    _exit(128 + sig);
}

/* Makes the directory, and a thread that clears it should an end come early. Before any other thread: they all leave these
 * signals to that one. */
static bool place_open(struct testing *t, struct error *err)
{
    sigset_t ends;
    pthread_t thread;
    signals_of_end(&ends);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    if (!world_place(t->dir, err))
        return false;
    if (!pthread_create(&thread, NULL, interrupted, t))
        pthread_detach(thread);
    return true;
}

int cli_test(int argc, char **argv)
{
    struct arena *arena ARENA_SCOPED = arena_create(0);
    struct testing t = {.arena = arena, .report = {.arena = arena, .form = REPORT_TEXT, .out = stdout}};
    struct error err = {0};
    if (!options_read(&t, argc, argv))
        return EXIT_UNUSABLE;
    log_setup(LOG_ERROR, false);
    signal(SIGPIPE, SIG_IGN);
    if (!place_open(&t, &err)) {
        cli_fail("%s", err.message);
        return EXIT_UNUSABLE;
    }
    for (size_t i = 0; i < t.files_n; i++)
        file_run(&t, t.files[i]);
    world_clear(t.dir);
    if (!t.report.cases_n) {
        cli_fail("No test is called like '%s'", t.only);
        return EXIT_UNUSABLE;
    }
    report_end(&t.report);
    if (t.junit && !report_junit(&t.report, t.junit, &err)) {
        cli_fail("%s", err.message);
        return EXIT_UNUSABLE;
    }
    return t.unusable ? EXIT_UNUSABLE : t.report.failed ? EXIT_FAILED : EXIT_PASSED;
}
