#include "cli/test_run.h"

#include <libgen.h>
#include <stdlib.h>

#include "cli/test_facts.h"
#include "cli/test_why.h"
#include "scenario/match.h"

enum { FAILURES_MAX = 20 };

struct running {
    struct arena *arena;
    const struct scenario *scenario;
    struct world *world;
    struct test_outcome *out;
    struct facts facts;             /* as of the last look */
    bool fresh;                     /* nothing has happened since */
    struct buf issues;              /* of workflows, lines */
};

static bool fail(struct running *r, const struct node *at, struct str expected, struct str actual, struct str why)
{
    struct test_outcome *o = r->out;
    if (o->failures_n < FAILURES_MAX)
        *ARENA_SLOT(r->arena, o->failures, o->failures_n, o->failures_cap) =
            (struct test_failure){at ? at->line : r->scenario->line, expected, actual, why};
    return false;
}

static bool broken(struct running *r, const struct node *at, const struct error *err)
{
    return fail(r, at, STR("the test to run"), str_dup(r->arena, str_of(err->message)), STR_NULL);
}

/* --- the API --------------------------------------------------------------------------------------------------------- */

struct asked {
    int status;
    struct str answer;
    yyjson_val *json, *data;        /* data: what the envelope holds, or all of it */
};

static bool ask(struct running *r, const struct node *at, const char *method, struct str path, struct str body, struct asked *q)
{
    struct error err = {0};
    r->fresh = false;
    if (!world_ask(r->world, r->arena, method, path, body, &q->status, &q->answer, &q->json, &err))
        return broken(r, at, &err);
    q->data = json_get(q->json, "data") ? json_get(q->json, "data") : q->json;
    return true;
}

static struct str answer_text(struct running *r, const struct asked *q)
{
    return str_fmt(r->arena, "%d %.*s", q->status, (int)str_cut(q->answer, 1000).n, q->answer.p ? q->answer.p : "");
}

/* Something of `given`: it must be taken. */
static bool put(struct running *r, const struct node *at, const char *method, const char *path, struct str body, struct asked *q)
{
    if (!ask(r, at, method, str_of(path), body, q))
        return false;
    return (q->status >= 200 && q->status <= 299)
        || fail(r, at, str_fmt(r->arena, "%s %s to be taken", method, path), answer_text(r, q), STR_NULL);
}

/* A path's segment. */
static const char *segment(struct arena *a, struct str s)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_.~", c))
            buf_char(&b, (char)c);
        else
            buf_fmt(&b, "%%%02X", c);
    }
    return buf_finish(&b).p;
}

/* --- given -------------------------------------------------------------------------------------------------------------- */

/* A workflow with issues is taken, and runs: what is amiss is told beside what fails then. */
static void issues_keep(struct running *r, yyjson_val *workflow)
{
    yyjson_val *step, *key, *one;
    struct str name = json_get_str(workflow, "workflowId");
    yyjson_arr_iter steps = yyjson_arr_iter_with(json_get(workflow, "steps"));
    while ((step = yyjson_arr_iter_next(&steps))) {
        struct str id = json_get_str(step, "stepId");
        yyjson_obj_iter controls = yyjson_obj_iter_with(json_get(json_get(step, "issues"), "controls"));
        while ((key = yyjson_obj_iter_next(&controls))) {
            yyjson_arr_iter list = yyjson_arr_iter_with(yyjson_obj_iter_get_val(key));
            while ((one = yyjson_arr_iter_next(&list))) {
                struct str message = json_get_str(one, "message");
                buf_fmt(&r->issues, "The workflow %.*s has an issue in step %.*s, %s: %.*s\n", STR_ARG(name), STR_ARG(id),
                        yyjson_get_str(key), STR_ARG(message));
            }
        }
    }
}

static bool workflow_unusable(struct running *r, const struct node *n, const char *path, struct str why)
{
    r->out->unusable = true;
    return fail(r, n, str_fmt(r->arena, "a workflow in %s", path), why, STR_NULL);
}

static bool put_workflow(struct running *r, const struct node *n)
{
    struct asked q;
    const struct node *root = n;
    if (n->kind == NODE_SCALAR) {
        struct error err = {0};
        struct str text;
        char *dir = dirname(str_z(r->arena, str_of(r->scenario->path)));
        const char *path = n->text.n && n->text.p[0] == '/' ? str_z(r->arena, n->text) : str_fmt(r->arena, "%s/%.*s", dir, STR_ARG(n->text)).p;
        if (!scenario_file_text(r->arena, path, &text, &err)
            || !node_parse(r->arena, text, str_ends(str_of(path), STR(".json")), &root, &err))
            return workflow_unusable(r, n, path, str_dup(r->arena, str_of(err.message)));
        if (!root)
            return workflow_unusable(r, n, path, STR("it is empty"));
    }
    if (!put(r, n, "POST", "/v2/workflows", node_json_text(r->arena, root), &q))
        return false;
    issues_keep(r, q.data);
    return true;
}

static bool put_layout(struct running *r, const struct node *n)
{
    struct asked q;
    return put(r, n, "POST", "/v2/layouts", node_json_text(r->arena, n), &q);
}

static bool put_translation(struct running *r, const struct node *n)
{
    struct asked q;
    return put(r, n, "POST", "/v2/translations", node_json_text(r->arena, n), &q);
}

static bool put_integration(struct running *r, const struct node *n)
{
    struct asked q;
    return put(r, n, "POST", "/v1/integrations", node_json_text(r->arena, n), &q);
}

static bool put_context(struct running *r, const struct node *n)
{
    struct asked q;
    return put(r, n, "POST", "/v2/contexts", node_json_text(r->arena, n), &q);
}

/* All members but those that are named. */
static struct str body_without(struct running *r, const struct node *n, const char *one, const char *other)
{
    yyjson_mut_doc *d = json_doc(r->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    for (const struct node *m = n->first; m; m = m->next)
        if (!str_eqz(m->key, one) && !str_eqz(m->key, other))
            yyjson_mut_obj_add(o, json_mut_str(d, m->key), node_json(d, m));
    return json_write_mut(r->arena, o);
}

static bool put_devices(struct running *r, const struct node *subscriber, const struct node *devices)
{
    struct asked q;
    const char *path = str_fmt(r->arena, "/v1/subscribers/%s/credentials", segment(r->arena, node_text(node_get(subscriber, "subscriberId")))).p;
    for (const struct node *n = devices ? devices->first : NULL; n; n = n->next)
        if (!put(r, n, "PUT", path, node_json_text(r->arena, n), &q))
            return false;
    return true;
}

static bool put_subscriber(struct running *r, const struct node *n)
{
    struct asked q;
    return put(r, n, "POST", "/v2/subscribers", body_without(r, n, "devices", ""), &q) && put_devices(r, n, node_get(n, "devices"));
}

static bool put_topic(struct running *r, const struct node *n)
{
    struct asked q;
    struct str key = node_text(node_get(n, "key"));
    const struct node *people = node_get(n, "subscribers"), *preferences = node_get(n, "preferences");
    yyjson_mut_doc *d = json_doc(r->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    if (!put(r, n, "POST", "/v2/topics", body_without(r, n, "subscribers", "preferences"), &q))
        return false;
    if (!node_length(people))
        return true;
    yyjson_mut_obj_add_val(d, o, "subscriptions", node_json(d, people));
    if (preferences)
        yyjson_mut_obj_add_val(d, o, "preferences", node_json(d, preferences));
    return put(r, people, "POST", str_fmt(r->arena, "/v2/topics/%s/subscriptions", segment(r->arena, key)).p, json_write_mut(r->arena, o), &q);
}

static bool put_preferences(struct running *r, const struct node *n)
{
    struct asked q;
    const char *path = str_fmt(r->arena, "/v2/subscribers/%s/preferences", segment(r->arena, node_text(node_get(n, "subscriberId")))).p;
    return put(r, n, "PATCH", path, body_without(r, n, "subscriberId", ""), &q);
}

static bool put_variables(struct running *r, const struct node *list)
{
    struct asked q;
    for (const struct node *n = list ? list->first : NULL; n; n = n->next) {
        yyjson_mut_doc *d = json_doc(r->arena);
        yyjson_mut_val *o = yyjson_mut_obj(d);
        json_add_str(d, o, "key", n->key);
        yyjson_mut_val *value = yyjson_mut_arr_add_obj(d, json_add_arr(d, o, "values"));
        json_add_id(d, value, "_environmentId", world_environment(r->world));
        json_add_str(d, value, "value", n->text);
        if (!put(r, n, "POST", "/v1/environment-variables", json_write_mut(r->arena, o), &q))
            return false;
    }
    return true;
}

/* What was answered to something of `when` or to a request: as the test says, or as all goes well. */
static bool answer_check(struct running *r, const struct node *said, const struct node *at, const struct asked *q, bool well)
{
    const struct node *status = node_get(said, "status"), *answer = node_get(said, "answer");
    int64_t want;
    if (status && str_to_i64(node_text(status), &want) && want != q->status)
        return fail(r, status, str_fmt(r->arena, "status %d", (int)want), answer_text(r, q), STR_NULL);
    if (answer && !match_value(r->arena, r->scenario, answer, q->data) && !match_value(r->arena, r->scenario, answer, q->json))
        return fail(r, answer, str_fmt(r->arena, "answer %.*s", STR_ARG(node_json_text(r->arena, answer))), answer_text(r, q), STR_NULL);
    return status || answer || well
        || fail(r, at, str_fmt(r->arena, "%.*s to be taken", STR_ARG(at->key)), answer_text(r, q), STR_NULL);
}

static bool put_request(struct running *r, const struct node *n)
{
    struct asked q;
    const struct node *body = node_get(n, "body");
    if (!ask(r, n, str_z(r->arena, node_text(node_get(n, "method"))), node_text(node_get(n, "path")),
             body ? node_json_text(r->arena, body) : STR_NULL, &q))
        return false;
    return answer_check(r, n, n, &q, q.status >= 200 && q.status <= 299);
}

/* What others need comes first. */
static bool given_put(struct running *r)
{
    static const struct { const char *key; bool (*put)(struct running *r, const struct node *n); } lists[] = {
        {"integrations", put_integration}, {"layouts", put_layout}, {"workflows", put_workflow}, {"translations", put_translation},
        {"contexts", put_context}, {"subscribers", put_subscriber}, {"topics", put_topic}, {"preferences", put_preferences},
        {"requests", put_request}};
    const struct node *given = r->scenario->given, *n;
    if (!put_variables(r, node_get(given, "variables")))
        return false;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (n = node_get(given, lists[i].key) ? node_get(given, lists[i].key)->first : NULL; n; n = n->next)
            if (!lists[i].put(r, n))
                return false;
    if (node_get(given, "assume"))
        world_assume(r->world, node_get(given, "assume"));
    return true;
}

/* --- when ---------------------------------------------------------------------------------------------------------------- */

static bool look(struct running *r, const struct node *at)
{
    struct error err = {0};
    if (r->fresh)
        return true;
    r->fresh = facts_read(r->world, r->arena, &r->facts, &err);
    return r->fresh || broken(r, at, &err);
}

static bool do_trigger(struct running *r, const struct scenario_event *e)
{
    struct asked q;
    const char *path = e->kind == DO_BROADCAST ? "/v1/events/trigger/broadcast" : "/v1/events/trigger";
    if (!ask(r, e->what, "POST", str_of(path), node_json_text(r->arena, e->what), &q))
        return false;
    return answer_check(r, e->node, e->what, &q, q.status == 201 && str_eqz(json_get_str(q.data, "status"), "processed"));
}

static bool do_cancel(struct running *r, const struct scenario_event *e)
{
    struct asked q;
    if (!ask(r, e->what, "DELETE", str_fmt(r->arena, "/v1/events/trigger/%s", segment(r->arena, e->what->text)), STR_NULL, &q))
        return false;
    return answer_check(r, e->node, e->what, &q, q.status == 200 && yyjson_is_true(q.data));
}

static bool mark_one(struct running *r, const struct scenario_event *e, yyjson_val *message)
{
    struct asked q;
    struct str id = json_get_str(message, "_id"), verb = e->what->key, body = STR_NULL;
    const char *person = segment(r->arena, json_get_str(message, "to")), *method = "PATCH";
    struct str path = str_fmt(r->arena, "/v2/subscribers/%s/notifications/%.*s/%.*s", person, STR_ARG(id), STR_ARG(verb));
    if (str_eqz(verb, "seen")) {
        method = "POST";
        path = str_fmt(r->arena, "/v2/subscribers/%s/notifications/seen", person);
        body = str_fmt(r->arena, "{\"notificationIds\":[\"%.*s\"]}", STR_ARG(id));
    }
    return ask(r, e->what, method, path, body, &q) && answer_check(r, e->node, e->what, &q, q.status >= 200 && q.status <= 299);
}

static bool do_mark(struct running *r, const struct scenario_event *e)
{
    const struct node *worst;
    bool any = false;
    if (!look(r, e->what))
        return false;
    for (size_t i = 0; i < r->facts.n[FACT_MESSAGE]; i++) {
        yyjson_val *m = r->facts.list[FACT_MESSAGE][i].v;
        match_object(r->arena, r->scenario, e->what, m, &worst);
        if (worst || !str_eqz(json_get_str(m, "channel"), "in_app"))
            continue;
        any = true;
        if (!mark_one(r, e, m))
            return false;
    }
    return any || fail(r, e->what, str_fmt(r->arena, "an in-app message to mark: %.*s", STR_ARG(node_json_text(r->arena, e->what))),
                       STR("there is none"), why_missing(r->arena, r->scenario, FACT_MESSAGE, e->what, &r->facts));
}

static bool do_subscriber(struct running *r, const struct node *n)
{
    struct asked q;
    const char *path = str_fmt(r->arena, "/v2/subscribers/%s", segment(r->arena, node_text(node_get(n, "subscriberId")))).p;
    return put(r, n, "PATCH", path, body_without(r, n, "subscriberId", "devices"), &q) && put_devices(r, n, node_get(n, "devices"));
}

static bool event_do(struct running *r, const struct scenario_event *e)
{
    switch (e->kind) {
    case DO_TRIGGER:
    case DO_BROADCAST: return do_trigger(r, e);
    case DO_CANCEL: return do_cancel(r, e);
    case DO_MARK: return do_mark(r, e);
    case DO_PREFERENCES: return put_preferences(r, e->what);
    case DO_SUBSCRIBER: return do_subscriber(r, e->what);
    case DO_REQUEST: return put_request(r, e->what);
    case DO_ASSUME: world_assume(r->world, e->what); return true;
    default: return true;
    }
}

/* --- then ---------------------------------------------------------------------------------------------------------------- */

static const char *const kind_names[FACT_KINDS] = {"message", "step", "run", "request"};

static enum fact_kind fact_of(enum scenario_kind k)
{
    return k == EXPECT_STEP ? FACT_STEP : k == EXPECT_RUN ? FACT_RUN : k == EXPECT_CALL ? FACT_CALL : FACT_MESSAGE;
}

static struct str how_many(struct arena *a, const struct scenario_event *e)
{
    if (!e->most)
        return STR("no");
    if (e->least == e->most)
        return str_fmt(a, "exactly %lld", (long long)e->least);
    if (e->most == INT64_MAX)
        return str_fmt(a, "at least %lld", (long long)e->least);
    return e->least ? str_fmt(a, "%lld to %lld", (long long)e->least, (long long)e->most) : str_fmt(a, "at most %lld", (long long)e->most);
}

static struct str listed(struct running *r, enum fact_kind k, const struct scenario_event *e, size_t n)
{
    const struct node *worst;
    struct buf b = {.arena = r->arena};
    buf_fmt(&b, "%zu", n);
    for (size_t i = 0, shown = 0; i < r->facts.n[k] && shown < 10; i++) {
        match_object(r->arena, r->scenario, e->what, r->facts.list[k][i].v, &worst);
        if (!worst && ++shown)
            buf_fmt(&b, "\n%.*s", STR_ARG(fact_text(r->arena, k, r->facts.list[k][i].v)));
    }
    return buf_finish(&b);
}

/* What is most like what was expected, and where it differs. */
static struct str nearest(struct running *r, enum fact_kind k, const struct scenario_event *e, size_t n)
{
    const struct node *worst, *differs = NULL;
    size_t best = 0;
    yyjson_val *like = NULL;
    for (size_t i = 0; i < r->facts.n[k]; i++) {
        size_t score = match_object(r->arena, r->scenario, e->what, r->facts.list[k][i].v, &worst);
        if (worst && score && score >= best) {
            best = score;
            like = r->facts.list[k][i].v;
            differs = worst;
        }
    }
    if (!like)
        return str_fmt(r->arena, "%zu, of %zu %ss in all", n, r->facts.n[k], kind_names[k]);
    yyjson_val *is = json_getn(like, differs->key);
    struct str text = is ? json_write(r->arena, is) : STR("not there");
    return str_fmt(r->arena, "%zu; the nearest differs in '%.*s' (line %d): it is %.*s%s\n%.*s", n, STR_ARG(differs->key), differs->line,
                   (int)str_cut(text, 400).n, text.p, text.n > 400 ? "…" : "", STR_ARG(fact_text(r->arena, k, like)));
}

static bool nothing_else(struct running *r, const struct scenario_event *e)
{
    struct buf b = {.arena = r->arena};
    size_t n = 0;
    for (size_t i = 0; i < r->facts.n[FACT_MESSAGE]; i++) {
        const struct fact *f = &r->facts.list[FACT_MESSAGE][i];
        if (!f->expected && n++ < 10)
            buf_fmt(&b, "\n%.*s", STR_ARG(fact_text(r->arena, FACT_MESSAGE, f->v)));
    }
    return !n || fail(r, e->node, STR("no message that is not expected above"), str_fmt(r->arena, "%zu%.*s", n, STR_ARG(buf_get(&b))), STR_NULL);
}

/* Messages that an expectation names, by id: they are found again at each look. */
static void remember(struct running *r, const struct scenario_event *upto)
{
    const struct node *worst;
    for (const struct scenario_event *e = r->scenario->events; e < upto; e++)
        for (size_t i = 0; e->kind == EXPECT_MESSAGE && i < r->facts.n[FACT_MESSAGE]; i++) {
            struct fact *f = &r->facts.list[FACT_MESSAGE][i];
            match_object(r->arena, r->scenario, e->what, f->v, &worst);
            f->expected |= !worst && e->most > 0;
        }
}

static bool expectation_check(struct running *r, const struct scenario_event *e)
{
    enum fact_kind k = fact_of(e->kind);
    const struct node *worst;
    size_t n = 0;
    if (!look(r, e->node))
        return false;
    if (e->kind == EXPECT_NOTHING_ELSE) {
        remember(r, e);
        return nothing_else(r, e);
    }
    for (size_t i = 0; i < r->facts.n[k]; i++) {
        match_object(r->arena, r->scenario, e->what, r->facts.list[k][i].v, &worst);
        n += !worst;
    }
    if ((int64_t)n >= e->least && (int64_t)n <= e->most)
        return true;
    bool few = (int64_t)n < e->least;
    struct str expected = str_fmt(r->arena, "%.*s %s at %.*s: %.*s", STR_ARG(how_many(r->arena, e)), kind_names[k],
                                  STR_ARG(time_iso_str(r->arena, e->at)), STR_ARG(node_json_text(r->arena, e->what)));
    return fail(r, e->node, expected, few ? nearest(r, k, e, n) : listed(r, k, e, n),
                few ? why_missing(r->arena, r->scenario, k, e->what, &r->facts) : STR_NULL);
}

/* --- all of it ------------------------------------------------------------------------------------------------------------ */

static bool advance(struct running *r, const struct scenario_event *e, int64_t to)
{
    struct error err = {0};
    r->fresh = r->fresh && to == world_now(r->world);
    return world_advance(r->world, to, &err) || broken(r, e->node, &err);
}

/* After something that could not be done the rest means nothing; expectations fail one by one. */
static void events_run(struct running *r)
{
    for (size_t i = 0; i < r->scenario->events_n; i++) {
        const struct scenario_event *e = &r->scenario->events[i];
        if (!advance(r, e, e->at))
            return;
        if (scenario_is_expectation(e->kind))
            expectation_check(r, e);
        else if (!event_do(r, e) || !advance(r, e, e->at))
            return;
    }
}

void test_run(struct arena *a, const char *dir, const struct scenario *s, struct test_outcome *out)
{
    struct running r = {.arena = a, .scenario = s, .out = out, .issues = {.arena = a}};
    struct error err = {0};
    int64_t began = clock_mono_ns();
    *out = (struct test_outcome){.failures = NULL};
    r.world = world_open(a, dir, s->start, &err);
    if (!r.world) {
        broken(&r, NULL, &err);
        return;
    }
    if (given_put(&r))
        events_run(&r);
    out->passed_ms = world_now(r.world) - s->start;
    if (out->failures_n && look(&r, NULL))
        out->timeline = str_fmt(a, "%.*s%.*s", STR_ARG(buf_get(&r.issues)), STR_ARG(why_timeline(a, s, &r.facts)));
    world_close(r.world);
    out->real_us = (clock_mono_ns() - began) / 1000;
}
