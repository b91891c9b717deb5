/* `carillon serve`: makes the parts, wires them, runs until SIGTERM, and takes them down in order. */
#include "cli/serve.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "account/bootstrap.h"
#include "api/gate.h"
#include "api/idempotency.h"
#include "api/openapi.h"
#include "api/outbox_wait.h"
#include "api/rate_limit.h"
#include "api/request_log.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/watchdog.h"
#include "cli/demo.h"
#include "db/migrate.h"
#include "model/presence.h"

/* In all under the ten seconds of design.md; the watchdog is for what cannot be waited for (a disk that hangs). */
enum { DRAIN_REQUESTS_MS = 3000, DRAIN_DELIVERIES_MS = 3000, DRAIN_TRANSFERS_MS = 500, EXIT_MS = 9500,
       DESCRIPTORS_MAX = 1 << 19, DESCRIPTORS_FEW = 4096, CONNECTIONS_MAX = 16384 };

/* Shells give out 1,024 descriptors and would allow many more. Live sockets get five eighths of what there is and requests
 * a quarter, so that neither can keep the store and deliveries from theirs. */
static void descriptors_share(struct serve *s)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files))
        return;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files))
        getrlimit(RLIMIT_NOFILE, &files);
    s->descriptors = files.rlim_cur > DESCRIPTORS_MAX ? DESCRIPTORS_MAX : (int)files.rlim_cur;
    if (s->descriptors < DESCRIPTORS_FEW)
        log_warn("few descriptors: live sockets are limited; raise ulimit -n", "descriptors", LOG_INT(s->descriptors),
                 "sockets", LOG_INT(s->descriptors / 8 * 5), NULL);
}

static const char *path_in(struct serve *s, const char *name)
{
    return str_fmt(s->arena, "%s/%s", s->config.data_dir, name).p;
}

/* Virtual time does not go back when the process is started again: what was to happen later still is. */
static void clock_open(struct serve *s)
{
    struct app *app = &s->app;
    if (!app->clock.is_virtual || s->start)
        return;
    app->clock_file = path_in(s, "clock");
    clock_resume(&app->clock, app->clock_file);
}

static bool data_dir_open(struct serve *s, struct error *err)
{
    const char *dir = s->config.data_dir;
    struct stat st;
    if (mkdir(dir, 0700) && errno != EEXIST)
        return error_set(err, ERROR_IO, "Cannot create the data directory %.300s: %s", dir, strerror(errno));
    if (stat(dir, &st))
        return error_set(err, ERROR_IO, "Cannot use the data directory %.300s: %s", dir, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return error_set(err, ERROR_IO, "The data directory %.300s is not a directory", dir);
    if (access(dir, R_OK | W_OK | X_OK))
        return error_set(err, ERROR_IO, "The data directory %.300s is not writable: %s", dir, strerror(errno));
    clock_open(s);
    return true;
}

/* Has this store been started before? Asked before anything is changed; a store without tables says no. */
static bool store_is_known(struct db *db)
{
    struct db_stmt *q = db_prepare(db, "SELECT count(*) FROM organizations", NULL);
    bool known = q && db_step(q, NULL) == DB_ROW && db_int(q, 0) > 0;
    if (q)
        db_reset(q);
    return known;
}

/* A new key would not open what the lost one has sealed: better no start than one that looks well. */
static bool sealing_open(struct serve *s, bool known, struct str *sealing, struct error *err)
{
    const char *path = path_in(s, "encryption.secret");
    if (known && access(path, F_OK) && errno == ENOENT)
        return error_set(err, ERROR_IO, "%.300s is missing, and without it the credentials in the store cannot be read: restore it "
                                        "(with several nodes: copy it from another one), or give --encryption-key", path);
    return bootstrap_secret(s->arena, path, sealing, err);
}

static bool secrets_open(struct serve *s, bool known, struct error *err)
{
    struct str sealing = str_of(s->config.encryption_key);
    s->app.jwt_secret = str_of(s->config.jwt_secret);
    s->app.metrics_token = str_of(s->config.metrics_token);
    if (!sealing.n && !sealing_open(s, known, &sealing, err))
        return false;
    crypto_box_init(&s->app.box, sealing);
    return s->app.jwt_secret.n || bootstrap_secret(s->arena, path_in(s, "jwt.secret"), &s->app.jwt_secret, err);
}

static bool after_migration(void *arg, struct db *db, struct error *err)
{
    struct serve *s = arg;
    return db_kind_of(db) != DB_SQLITE || presence_clear(db, clock_now_ms(&s->app.clock), err);
}

/* The secrets come second: the store's lock keeps another process away from them, too. */
static bool store_prepare(struct serve *s, struct error *err)
{
    struct db *db = db_open(s->url, false, err);
    bool ok = db && secrets_open(s, store_is_known(db), err) && db_migrate(db, 0, err);
    db_close(db);
    return ok;
}

static bool store_open(struct serve *s, struct error *err)
{
    struct app *app = &s->app;
    s->url = s->config.database_url ? s->config.database_url : str_fmt(s->arena, "sqlite:%s", path_in(s, "carillon.db")).p;
    if (!store_prepare(s, err))
        return false;
    struct writer_config wc = {.url = s->url, .metrics = app->metrics};
    app->writer = writer_start(&wc, err);
    struct bootstrap b = {.box = &app->box, .ids = &app->ids, .now = clock_now_ms(&app->clock),
                          .secret_key = str_of(s->config.secret_key),
                          .application_identifier = str_of(s->config.application_identifier)};
    return app->writer && bootstrap_store(app->writer, &b, err) && writer_run(app->writer, after_migration, s, err);
}

static bool connections_open(struct serve *s, struct error *err)
{
    struct app *app = &s->app;
    int64_t loops = 0;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    str_to_i64(str_of(s->config.loops), &loops);
    app->loops = loops > 0 ? (int)loops : cores > 8 ? 8 : cores < 1 ? 1 : (int)cores;
    app->loop_db = ARENA_ARRAY(s->arena, struct db *, app->loops);
    for (int i = 0; i < app->loops; i++)
        if (!(app->loop_db[i] = db_open(s->url, true, err)))
            return false;
    app->hub_db = db_open(s->url, true, err);
    return app->hub_db && bootstrap_write_credentials(app->hub_db, &app->box, path_in(s, "credentials.json"), err);
}

static bool is_loopback(const char *listen)
{
    return !strncmp(listen, "127.", 4) || !strncmp(listen, "[::1]", 5) || !strncmp(listen, "localhost", 9);
}

/* Before the engine may call anybody's URL. */
static void outbound_open(struct serve *s)
{
    struct app *app = &s->app;
    app->listens_on_loopback_only = true;
    for (int i = 0; s->config.listen[i]; i++)
        app->listens_on_loopback_only &= is_loopback(s->config.listen[i]);
    app->outbound = (struct outbound_policy){.private_ok = app->listens_on_loopback_only, .allow = str_of(s->config.outbound_allow)};
}

static size_t limit_of(const char *setting)
{
    int64_t n = 0;
    str_to_i64(str_of(setting), &n);
    return (size_t)n;
}

static bool engine_open(struct serve *s, struct error *err)
{
    struct app *app = &s->app;
    app->recipients_max = limit_of(s->config.recipients_max);
    app->workflows_max = limit_of(s->config.workflows_max);
    bool shared = s->config.database_url != NULL;
    app->keyless = !strcmp(s->config.keyless, "local");
    app->snooze_hours_max = (int64_t)limit_of(s->config.snooze_hours_max);
    int64_t workers = 0, days = 0, in_app_days = 0;
    str_to_i64(str_of(s->config.retention_days), &days);
    str_to_i64(str_of(s->config.retention_in_app_days), &in_app_days);
    str_to_i64(str_of(s->config.workers), &workers);
    app->directory = directory_create(shared);
    directory_box(app->directory, &app->box);
    outbound_open(s);
    app->definitions = definitions_create(shared);
    struct dispatcher_config dc = {.sink = s->config.delivery_sink, .metrics = app->metrics};
    struct hub_config hc = {.app = app, .authenticate = app_socket_authenticate, .counts = app_socket_counts,
                            .presence = app_socket_presence, .metrics = app->metrics,
                            .sockets_max = s->descriptors / 8 * 5};
    struct id boot = id_new(&app->ids, clock_real_ms());
    if (shared)
        s->succession = succession_begin(path_in(s, "node"), boot);
    struct engine_config ec = {.database_url = s->url, .boot = boot, .predecessor = s->succession.predecessor,
                               .writer = app->writer, .clock = &app->clock, .ids = &app->ids,
                               .directory = app->directory, .definitions = app->definitions,
                               .world = {.app = app, .deliver = app_deliver, .call = app_call, .received = app_received, .listening = app_listening, .outboxed = app_outboxed,
                                         .forgetting = app_forgetting, .forgot = app_forgot, .revived = app_revived},
                               .metrics = app->metrics, .workers = (int)workers,
                               .retention_days = (int)days, .retention_in_app_days = (int)in_app_days,
                               .defer_max_ms = (int64_t)limit_of(s->config.defer_hours_max) * 3600000,
                               .capture = !strcmp(s->config.capture_deliveries, "on")};
    if (s->world)
        ec.world = *s->world;
    app->notify = notify_create(s->url);
    ec.notify = app->notify;
    app->outbox_waits = outbox_waits_create(shared ? s->url : NULL, app->metrics);
    app->dispatcher = dispatcher_start(&dc, err);
    app->hub = app->dispatcher ? hub_start(&hc, err) : NULL;
    app->engine = app->hub ? engine_start(&ec, err) : NULL;
    if (app->engine)
        removals_start(&app->removals, app->writer);
    if (app->engine)
        app_inbox_listen(app);
    return app->engine && notify_start(app->notify, err);
}

static const char *variable(const char *name)
{
    return getenv(name);
}

static bool gate_open(struct serve *s, struct error *err)
{
    struct app *app = &s->app;
    struct rate_settings rates;
    if (!rate_settings_read(&rates, s->config.service_level, variable, err))
        return false;
    rates.enforced = !strcmp(s->config.rate_limit, "on");
    app->rates = rate_limiter_create(&rates);
    app->idempotency = idempotency_create();
    app->request_log = request_log_create(app->writer, &app->clock, app->metrics);
    sweep_init(&app->sweep, app->writer, &app->clock, app->directory, &app->removals);
    return openapi_make(s->arena, s->config.context_path, &app->openapi, err);
}

static void tables_collect(struct serve *s)
{
    int n = 0;
    while (app_tables[n].routes)
        n++;
    s->tables = ARENA_ARRAY(s->arena, const struct route *, n + 2);     /* the demo's, and the end */
    s->counts = ARENA_ARRAY(s->arena, size_t, n + 2);
    for (n = 0; app_tables[n].routes; n++) {
        s->tables[n] = app_tables[n].routes;
        s->counts[n] = *app_tables[n].n;
    }
    s->tables[n] = demo_routes;
    s->counts[n] = demo_routes_n;
}

static void origins_collect(struct serve *s)
{
    struct str rest = str_of(s->config.origins);
    for (int n = 0; rest.n && n < ORIGINS_MAX;) {
        ptrdiff_t comma = str_find(rest, STR(","));
        struct str one = str_trim(str_sub(rest, 0, comma < 0 ? rest.n : (size_t)comma));
        if (one.n)
            s->origins[n++] = str_z(s->arena, one);
        rest = comma < 0 ? STR_NULL : str_sub(rest, (size_t)comma + 1, rest.n);
    }
}

static bool server_open(struct serve *s, struct error *err)
{
    struct app *app = &s->app;
    tables_collect(s);
    origins_collect(s);
    int connections = s->descriptors / 4 / app->loops;
    struct server_config sc = {.connections_max = connections < CONNECTIONS_MAX ? connections : CONNECTIONS_MAX,
                               .tables = s->tables, .table_sizes = s->counts, .app = app, .listen = s->config.listen,
                               .loops = app->loops, .origins = s->origins, .context_path = s->config.context_path,
                               .metrics = app->metrics, .ids = &app->ids, .authenticate = app_authenticate, .before = app_before,
                               .answering = app_answering, .accepting = app_accepting};
    app->server = server_start(&sc, err);
    return app->server != NULL;
}

/* How a person on this machine reaches it: the first address, with the port that was really bound. */
static void public_url_set(struct serve *s)
{
    const char *address = s->config.listen[0];
    const char *colon = strrchr(address, ':');
    struct str host = {address, colon ? (size_t)(colon - address) : strlen(address)};
    if (str_eqz(host, "0.0.0.0") || str_eqz(host, "[::]") || !host.n)
        host = STR("127.0.0.1");
    if (s->config.public_url) {
        s->app.public_url = str_of(s->config.public_url);
        while (str_ends(s->app.public_url, STR("/")))
            s->app.public_url.n--;
    } else {
        s->app.public_url = str_fmt(s->arena, "http://%.*s:%d", STR_ARG(host), server_port(s->app.server, 0));
    }
}

static bool nothing(void *arg, struct db *db, struct error *err)
{
    (void)arg;
    (void)db;
    (void)err;
    return true;
}

/* From the outside inwards, so that each part outlives those that call it: requests that wait for something that may
 * not come are let go, the others are answered, deliveries under way get some seconds, and what the writer has is
 * committed. What is not finished then is in the queue of the store, for the next start. */
void serve_close(struct serve *s)
{
    struct app *app = &s->app;
    atomic_store(&app->stopping, true);
    if (app->hub)
        hub_drain(app->hub);
    outbox_waits_drain(app->outbox_waits);
    server_stop(app->server, DRAIN_REQUESTS_MS);
    notify_stop(app->notify);
    engine_stop(app->engine, DRAIN_DELIVERIES_MS);
    succession_end(&s->succession);
    dispatcher_stop(app->dispatcher, DRAIN_TRANSFERS_MS);
    /* Both may call the other: the hub says who is online, a write that is done emits. Once the writer has done all
     * that requests left behind, only the first is possible. */
    if (app->writer)
        writer_run(app->writer, nothing, NULL, NULL);
    hub_stop(app->hub);
    writer_stop(app->writer);
    outbox_waits_destroy(app->outbox_waits);
    request_log_destroy(app->request_log);
    idempotency_destroy(app->idempotency);
    rate_limiter_destroy(app->rates);
    for (int i = 0; i < app->loops; i++)
        db_close(app->loop_db ? app->loop_db[i] : NULL);
    db_close(app->hub_db);
    definitions_destroy(app->definitions);
    directory_destroy(app->directory);
    demo_release(app);
    sns_certs_free(&app->sns_certs);
    metrics_destroy(app->metrics);
}

static enum log_level level_of(const char *name)
{
    static const char *const names[] = {"debug", "info", "warn", "error", "none"};
    for (int i = 0; i < 5; i++)
        if (!strcmp(name, names[i]))
            return (enum log_level)i;
    return LOG_INFO;
}

static void determine(struct serve *s)
{
    sns_certs_init(&s->app.sns_certs);
    clock_init(&s->app.clock, !strcmp(s->config.clock, "virtual"));
    if (s->start)
        atomic_store(&s->app.clock.virtual_ms, s->start);
    if (s->seed)
        id_source_init_seeded(&s->app.ids, s->seed);
    else
        id_source_init(&s->app.ids);
}

bool serve_open(struct serve *s, struct error *err)
{
    struct app *app = &s->app;
    s->succession.fd = -1;
    determine(s);
    app->metrics = metrics_create();
    if (!data_dir_open(s, err) || !store_open(s, err) || !connections_open(s, err) || !engine_open(s, err) || (!strcmp(s->config.demo, "on") && !demo_prepare(app, err)) || !gate_open(s, err) || !server_open(s, err))
        return false;
    public_url_set(s);
    return true;
}

int cli_serve(int argc, char **argv)
{
    struct arena *arena ARENA_SCOPED = arena_create(0);
    struct serve *s = ARENA_NEW(arena, struct serve);
    struct error err = {0};
    sigset_t stop;
    int sig;
    /* Few heaps: a process of a dozen threads must not keep a dozen of them warm. */
    mallopt(M_ARENA_MAX, 4);
    s->arena = arena;
    if (!config_read(arena, argc, argv, &s->config, &err)) {
        cli_fail("%s", err.message);
        return 2;
    }
    log_setup(level_of(s->config.log_level), !strcmp(s->config.log, "json"));
    config_log_ignored();
    descriptors_share(s);
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);       /* a limit on file sizes is an error of the write, not the end */
    if (!serve_open(s, &err)) {
        serve_close(s);
        return cli_fail("%s", err.message);
    }
    log_info("listening", "url", s->app.public_url.p, "version", CARILLON_VERSION, "clock", s->config.clock, NULL);
    sigwait(&stop, &sig);
    log_info("stopping", "signal", sig == SIGTERM ? "SIGTERM" : "SIGINT", NULL);
    watchdog_start(EXIT_MS);        /* further signals change nothing: they stay blocked */
    serve_close(s);
    log_info("stopped", NULL);
    return 0;
}
