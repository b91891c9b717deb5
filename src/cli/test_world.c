#include "cli/test_world.h"

#include <curl/curl.h>
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/serve.h"
#include "engine/run.h"

enum { ASK_TIMEOUT_S = 120, SEED = 1, CLEAR_TRIES = 50 };

#define SECRET_KEY "0123456789abcdef0123456789abcdef"

struct world {
    struct serve serve;
    struct arena *arena;
    struct engine_world outside;
    struct id environment;
    struct db *db;                          /* of the test's thread */
    CURL *curl;
    struct curl_slist *headers;
    const char *dir;

    pthread_mutex_t lock;                   /* of what follows: engine threads ask */
    struct db *outside_db;
    const struct node **assumed;
    size_t assumed_n, assumed_cap;
    struct world_call *calls;
    size_t calls_n, calls_cap;
    pthread_cond_t moved;
    bool arrived;
};

/* --- the outside --------------------------------------------------------------------------------------------------- */

/* Under the lock. NULL: nothing is assumed of that step. */
static const struct node *assumption(const struct world *w, const char *kind, struct str workflow, struct str step)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    const char *longer = str_fmt(a, "%.*s/%.*s", STR_ARG(workflow), STR_ARG(step)).p;
    const char *shorter = str_z(a, step);
    for (size_t i = w->assumed_n; i-- > 0;) {
        const struct node *list = node_get(w->assumed[i], kind), *n = node_get(list, longer);
        if (n || (n = node_get(list, shorter)))
            return n;
    }
    return NULL;
}

static const struct node *of_attempt(const struct node *n, int attempt)
{
    if (!n || n->kind != NODE_LIST)
        return n;
    n = n->first;
    while (n->next && --attempt > 0)        /* the last is for all that follow */
        n = n->next;
    return n;
}

static void deliver(void *arg, struct engine_delivery *d)
{
    struct world *w = arg;
    struct machine_input in = {.verdict = VERDICT_SENT, .provider_message_id = STR("assumed")};
    pthread_mutex_lock(&w->lock);
    const struct node *n = assumption(w, "deliveries", json_get_str(d->doc, "templateIdentifier"), json_get_str(d->doc, "stepId"));
    struct str verdict = node_text(of_attempt(n, d->attempt));
    pthread_mutex_unlock(&w->lock);
    if (str_eqz(verdict, "retry") || str_eqz(verdict, "failed"))
        in = (struct machine_input){.verdict = str_eqz(verdict, "retry") ? VERDICT_RETRY : VERDICT_FAILED, .error = STR("Assumed to fail")};
    engine_delivered(d, &in);
}

static struct str headers_text(struct arena *a, yyjson_val *list)
{
    yyjson_mut_doc *doc = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(doc);
    yyjson_val *h;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((h = yyjson_arr_iter_next(&it)))
        yyjson_mut_obj_add(o, json_mut_str(doc, json_get_str(h, "key")), json_mut_str(doc, json_get_str(h, "value")));
    return json_write_mut(a, o);
}

/* Under the lock: which step asks. */
static const struct node *call_assumption(struct world *w, struct arena *a, const struct engine_call *c)
{
    struct run_row row;
    struct run run;
    struct error err = {0};
    struct definition *v = NULL;
    const struct node *n = NULL;
    if (run_find(w->outside_db, a, c->environment, c->item.ref, &row, &err) && run_decode(&row, a, &run, &err)
        && (v = definition_version(w->serve.app.definitions, w->outside_db, c->environment, row.workflow, row.workflow_version, &err))) {
        int step = c->item.job < run.jobs_n ? run.jobs[c->item.job].step : -1;
        if (step >= 0 && step < v->steps_n)
            n = assumption(w, "calls", v->workflow.identifier, v->steps[step].step_id);
        cached_unref(&v->head);
    }
    return n;
}

static void call_keep(struct world *w, const struct engine_call *c)
{
    *ARENA_SLOT(w->arena, w->calls, w->calls_n, w->calls_cap) = (struct world_call){
        .at = world_now(w), .run = c->item.ref, .job = c->item.job, .attempt = c->attempt, .method = str_dup(w->arena, c->method),
        .url = str_dup(w->arena, c->url), .body = str_dup(w->arena, c->body), .headers = headers_text(w->arena, c->headers)};
}

static struct call_answer answer_of(struct arena *a, const struct node *n)
{
    const struct node *body = node_get(n, "body");
    int64_t status = 200;
    str_to_i64(node_text(node_get(n, "status")), &status);
    if (str_eqz(node_text(n), "unreachable"))
        return (struct call_answer){.end = CALL_UNREACHABLE, .error = STR("Assumed to be unreachable"), .code = STR("ECONNREFUSED")};
    if (str_eqz(node_text(n), "timeout"))
        return (struct call_answer){.end = CALL_TIMED_OUT, .error = STR("Assumed to time out"), .code = STR("ETIMEDOUT")};
    return (struct call_answer){
        .end = CALL_ANSWERED, .status = (int)status, .headers = STR("{\"content-type\":\"application/json\"}"),
        .body = body ? node_json_text(a, body) : STR("{}"),
        .error = status >= 200 && status <= 299 ? STR_NULL : str_fmt(a, "Response code %d", (int)status)};
}

static void call(void *arg, struct engine_call *c)
{
    struct world *w = arg;
    struct arena *a ARENA_SCOPED = arena_create(0);
    pthread_mutex_lock(&w->lock);
    call_keep(w, c);
    struct call_answer answer = answer_of(a, call_assumption(w, a, c));
    pthread_mutex_unlock(&w->lock);
    engine_called(c, &answer);
}

static void received(void *arg, const struct message *m, struct str json)
{
    (void)arg;
    (void)m;
    (void)json;
}

static bool listening(void *arg)
{
    (void)arg;
    return false;
}

void world_assume(struct world *w, const struct node *assume)
{
    pthread_mutex_lock(&w->lock);
    *ARENA_SLOT(w->arena, w->assumed, w->assumed_n, w->assumed_cap) = assume;
    pthread_mutex_unlock(&w->lock);
}

/* --- time ------------------------------------------------------------------------------------------------------------ */

static void clock_arrived(void *arg)
{
    struct world *w = arg;
    pthread_mutex_lock(&w->lock);
    w->arrived = true;
    pthread_cond_broadcast(&w->moved);
    pthread_mutex_unlock(&w->lock);
}

bool world_advance(struct world *w, int64_t to, struct error *err)
{
    w->arrived = false;
    if (!engine_advance_clock(w->serve.app.engine, to, clock_arrived, w, err))
        return false;
    pthread_mutex_lock(&w->lock);
    while (!w->arrived)
        pthread_cond_wait(&w->moved, &w->lock);
    pthread_mutex_unlock(&w->lock);
    return true;
}

int64_t world_now(const struct world *w)
{
    return clock_now_ms(&w->serve.app.clock);
}

/* --- the API ---------------------------------------------------------------------------------------------------------- */

static size_t keep(char *p, size_t size, size_t n, void *arg)
{
    buf_str(arg, (struct str){p, size * n});
    return size * n;
}

bool world_ask(struct world *w, struct arena *a, const char *method, struct str path, struct str body, int *status,
               struct str *answer, yyjson_val **json, struct error *err)
{
    struct buf b = {.arena = a};
    long code = 0;
    *json = NULL;
    curl_easy_setopt(w->curl, CURLOPT_URL, str_fmt(a, "%.*s%.*s", STR_ARG(w->serve.app.public_url), STR_ARG(path)).p);
    curl_easy_setopt(w->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(w->curl, CURLOPT_POSTFIELDS, body.p ? body.p : "");
    curl_easy_setopt(w->curl, CURLOPT_POSTFIELDSIZE, (long)body.n);
    curl_easy_setopt(w->curl, CURLOPT_WRITEDATA, &b);
    CURLcode sent = curl_easy_perform(w->curl);
    curl_easy_getinfo(w->curl, CURLINFO_RESPONSE_CODE, &code);
    *status = (int)code;
    *answer = buf_finish(&b);
    if (sent != CURLE_OK)
        return error_set(err, ERROR_IO, "The test's server did not answer: %s", curl_easy_strerror(sent));
    if (answer->n)
        json_parse(a, *answer, json, NULL);
    return true;
}

/* --- opening and closing ----------------------------------------------------------------------------------------------- */

bool world_place(char dir[WORLD_DIR_MAX], struct error *err)
{
    const char *tmp = getenv("TMPDIR"), *base = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
    if (tmp && *tmp && strlen(tmp) < WORLD_DIR_MAX - 32)
        base = tmp;
    snprintf(dir, WORLD_DIR_MAX, "%s/carillon-test-XXXXXX", base);
    if (mkdtemp(dir))
        return true;
    int why = errno;
    dir[0] = 0;
    return error_set(err, ERROR_IO, "Cannot make a directory in %.300s: %s", base, strerrordesc_np(why));
}

static int file_remove(const char *path, const struct stat *st, int kind, struct FTW *f)
{
    (void)st;
    (void)kind;
    (void)f;
    remove(path);
    return 0;
}

/* Threads of a world that was interrupted may still put files there: they get no more once the folders are gone. */
void world_clear(const char *dir)
{
    const struct timespec soon = {.tv_nsec = 2000000};
    for (int i = 0; dir[0] && i < CLEAR_TRIES && !access(dir, F_OK); i++) {
        if (i)
            nanosleep(&soon, NULL);
        nftw(dir, file_remove, 16, FTW_DEPTH | FTW_PHYS);
    }
}

static bool connection_open(struct world *w, struct error *err)
{
    w->db = db_open(w->serve.url, true, err);
    w->outside_db = w->db ? db_open(w->serve.url, true, err) : NULL;
    if (!w->outside_db)
        return false;
    if (!(w->curl = curl_easy_init()))
        return error_set(err, ERROR_INTERNAL, "libcurl could not be started");
    w->headers = curl_slist_append(NULL, "Content-Type: application/json");
    w->headers = curl_slist_append(w->headers, "Authorization: ApiKey " SECRET_KEY);
    w->headers = curl_slist_append(w->headers, "Expect:");
    curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, w->headers);
    curl_easy_setopt(w->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(w->curl, CURLOPT_TIMEOUT, (long)ASK_TIMEOUT_S);
    curl_easy_setopt(w->curl, CURLOPT_WRITEFUNCTION, keep);
    return true;
}

static bool own_environment(struct world *w, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct str answer;
    yyjson_val *json;
    int status;
    if (!world_ask(w, a, "GET", STR("/v1/environments/me"), STR_NULL, &status, &answer, &json, err))
        return false;
    return id_parse(json_get_str(json_get(json, "data"), "_id"), &w->environment)
        || error_set(err, ERROR_INTERNAL, "The test's server answered %d when it was asked for its environment", status);
}

/* Nothing of the surroundings counts: no setting is read from the environment, and what is drawn is drawn alike each time. */
static void configure(struct world *w, int64_t start)
{
    struct config *c = &w->serve.config;
    config_default(c);
    c->data_dir = w->dir;
    c->listen[0] = "127.0.0.1:0";
    c->clock = "virtual";
    c->secret_key = SECRET_KEY;
    c->workers = "1";
    c->loops = "1";
    c->retention_days = "0";
    c->retention_in_app_days = "0";
    c->workflows_max = "0";
    w->serve.arena = w->arena;
    w->serve.start = start;
    w->serve.seed = SEED;
    w->outside = (struct engine_world){.app = w, .deliver = deliver, .call = call, .received = received, .listening = listening};
    w->serve.world = &w->outside;
}

struct world *world_open(struct arena *a, const char *dir, int64_t start, struct error *err)
{
    struct world *w = ARENA_NEW(a, struct world);
    w->arena = a;
    w->dir = str_fmt(a, "%s/world", dir).p;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->moved, NULL);
    configure(w, start);
    if (serve_open(&w->serve, err) && connection_open(w, err) && own_environment(w, err))
        return w;
    world_close(w);
    return NULL;
}

void world_close(struct world *w)
{
    if (!w)
        return;
    curl_easy_cleanup(w->curl);
    curl_slist_free_all(w->headers);
    serve_close(&w->serve);
    db_close(w->db);
    db_close(w->outside_db);
    world_clear(w->dir);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->moved);
}

struct db *world_db(struct world *w)
{
    return w->db;
}

struct app *world_app(struct world *w)
{
    return &w->serve.app;
}

struct id world_environment(const struct world *w)
{
    return w->environment;
}

const struct world_call *world_calls(const struct world *w, size_t *n)
{
    *n = w->calls_n;
    return w->calls;
}
