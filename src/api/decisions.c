/* GET /v1/subscribers/{subscriberId}/decisions: why, and why not (beyond.md §3). */
#include "api/app.h"
#include "api/tables.h"
#include "engine/decisions.h"
#include "model/decision.h"
#include "model/event.h"
#include "model/subscriber.h"

enum { LIMIT = 20, LIMIT_MAX = 100 };

static const char *const kinds[] = {"run", "filtered", "duplicate"};

static void time_check(struct checks *c, const char *name, int64_t *ms)
{
    struct str s = request_query(c->rq, name);
    if (s.n && !time_parse_iso(s, ms))
        check_fail(c, "%s must be a valid ISO 8601 date string", name);
}

static bool query_read(struct request *rq, struct decision_query *q)
{
    struct checks c = checks_begin(rq);
    struct str after = request_query(rq, "after");
    q->limit = (int)check_query_int(&c, "limit", LIMIT, 1, LIMIT_MAX);
    time_check(&c, "from", &q->from);
    time_check(&c, "to", &q->to);
    if (q->from && q->to && q->from > q->to)
        check_fail(&c, "from must not be after to");
    if (after.n && !id_parse(after, &q->after))
        check_fail(&c, "after must be the cursor of a page");
    return checks_done(&c);
}

static bool names_read(struct request *rq, struct decision_query *q, struct error *err)
{
    struct str workflow = request_query(rq, "workflow");
    struct subscriber s;
    struct workflow w;
    if (!subscriber_find(app_db(rq), rq->arena, rq->principal.environment, request_param(rq, "subscriberId"), &s, err))
        return false;
    q->subscriber = s.id;
    if (!workflow.n || id_parse(workflow, &q->workflow))
        return true;
    if (!workflow_find_by_identifier(app_db(rq), rq->arena, rq->principal.environment, workflow, &w, err))
        return false;
    q->workflow = w.id;
    return true;
}

static void put_workflow(yyjson_mut_doc *d, yyjson_mut_val *o, const struct decision_row *r, const struct definition *v)
{
    yyjson_mut_val *w = json_add_obj(d, o, "workflow");
    json_add_id(d, w, "_id", r->workflow);
    if (v) {
        json_add_str(d, w, "workflowId", v->workflow.identifier);
        json_add_str(d, w, "name", v->workflow.name);
    }
    if (r->workflow_version)
        json_add_int(d, w, "version", r->workflow_version);
}

static bool put_run(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *o, const struct decision_row *x,
                    const struct definition *v, struct error *err)
{
    struct run_row row;
    struct run run;
    if (!run_find(app_db(rq), rq->arena, rq->principal.environment, x->id, &row, err) || !run_decode(&row, rq->arena, &run, err))
        return false;
    json_add_str(d, o, "status", run_status_name(row.status));
    json_add_str(d, o, "deliveryLifecycleStatus", lifecycle_name(row.delivery));
    if (run.lifecycle_detail)
        json_add_str(d, o, "deliveryLifecycleDetail", skip_reason_name(run.lifecycle_detail));
    yyjson_mut_val *list = json_add_arr(d, o, "decisions");
    for (int job = 1; job < run.jobs_n; job++) {
        int i = run.jobs[job].step;
        const struct step_definition *s = v && i >= 0 && i < v->steps_n ? &v->steps[i] : NULL;
        const struct decided decided = run_decided(&run, job);
        yyjson_mut_val *one = yyjson_mut_arr_add_obj(d, list);
        if (s) {
            json_add_str(d, one, "stepId", s->step_id);
            json_add_str(d, one, "name", s->name);
        }
        json_add_str(d, one, "type", step_type_name(run.jobs[job].type));
        decided_put(d, one, &run, &decided, s);
    }
    if (run.topics.n)
        json_add_text(d, o, "topics", run.topics);
    return true;
}

static void put_rule(yyjson_mut_doc *d, yyjson_mut_val *o, const struct decision_row *x)
{
    yyjson_mut_val *rule = json_add_obj(d, o, "rule");
    json_add_str(d, rule, "kind", x->kind == DECISION_FILTERED ? STR("subscription") : STR("transactionId"));
    if (x->kind == DECISION_FILTERED)
        json_add_text(d, rule, "topics", x->evaluations);
    else
        json_add_int(d, rule, "times", x->times);
}

/* As text: what it points to in the workflow's version may be gone before the answer is written. */
static bool decision_text(struct request *rq, const struct decision_row *x, struct str *out, struct error *err)
{
    struct db *db = app_db(rq);
    struct event event;
    struct error missing = {0};
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *doc = NULL;
    bool found = event_find(db, rq->arena, rq->principal.environment, x->event, &event, &missing);
    if (found)
        json_parse(rq->arena, event.doc, &doc, NULL);
    struct definition *v = definition_of_run(app_of(rq)->definitions, db, rq->principal.environment, x->workflow, x->workflow_version,
                                             doc, &missing);
    json_add_id(d, o, "_id", x->id);
    json_add_str(d, o, "kind", str_of(kinds[x->kind]));
    json_add_time(d, o, "at", x->at);
    put_workflow(d, o, x, v);
    if (found)
        json_add_str(d, o, "transactionId", event.transaction_id);
    bool ok = true;
    if (x->kind == DECISION_RUN)
        ok = put_run(rq, d, o, x, v, err);
    else
        put_rule(d, o, x);
    *out = json_write_mut(rq->arena, o);
    if (v)
        cached_unref(&v->head);
    return ok;
}

static void handle_list(struct request *rq)
{
    struct decision_query q = {.limit = 0};
    struct decision_row *rows;
    struct error err = {0};
    size_t n;
    if (!query_read(rq, &q))
        return;
    int limit = q.limit++;              /* one more tells whether there is a next page */
    if (!names_read(rq, &q, &err)
        || !decision_list(app_db(rq), rq->arena, rq->principal.environment, &q, &rows, &n, &err)) {
        reply_error(rq, &err);
        return;
    }
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d), *list = json_add_arr(d, o, "data");
    for (size_t i = 0; i < n && i < (size_t)limit; i++) {
        struct str text;
        if (!decision_text(rq, &rows[i], &text, &err)) {
            reply_error(rq, &err);
            return;
        }
        yyjson_mut_arr_append(list, yyjson_mut_rawn(d, text.p, text.n));
    }
    json_add_str(d, o, "next", n > (size_t)limit ? id_str(rq->arena, rows[limit - 1].id) : STR_NULL);
    reply_json(rq, 0, o);
}

const struct route decision_routes[] = {
    {HTTP_GET, "/v1/subscribers/{subscriberId}/decisions", "subscriberDecisions", "Subscribers",
     "Tell what was decided about a subscriber, and by which rule", AUTH_ENVIRONMENT, "SUBSCRIBER_READ", RATE_GLOBAL, 1, 200,
     ENVELOPE_NONE, 0, 0, handle_list},
};
const size_t decision_routes_n = sizeof decision_routes / sizeof *decision_routes;
