#include "cli/test_facts.h"

#include <stdlib.h>

#include "api/app.h"
#include "cli/test_saw.h"
#include "content/text_part.h"
#include "engine/decisions.h"
#include "model/event.h"

enum { PAGE = 500 };

struct reading {
    struct world *world;
    struct arena *arena;
    struct db *db;
    struct id environment;
    struct facts *facts;
    struct error *err;
};

static yyjson_val *frozen(struct arena *a, yyjson_mut_val *v)
{
    yyjson_val *out = NULL;
    json_parse(a, json_write_mut(a, v), &out, NULL);
    return out;
}

static void add(struct reading *r, enum fact_kind k, int64_t at, yyjson_mut_val *v)
{
    struct facts *f = r->facts;
    *ARENA_SLOT(r->arena, f->list[k], f->n[k], f->cap[k]) = (struct fact){.v = frozen(r->arena, v), .at = at};
}

static void line(struct reading *r, int64_t at, struct str to, struct str text)
{
    struct facts *f = r->facts;
    size_t order = f->lines_n;
    *ARENA_SLOT(r->arena, f->lines, f->lines_n, f->lines_cap) = (struct fact_line){at, order, to, text};
}

static bool is_gone(const struct error *e)
{
    return e->code == ERROR_NOT_FOUND;
}

/* The person's own id; of one who was deleted, empty. */
static bool name_of(struct reading *r, struct id subscriber, struct str *name)
{
    struct subscriber s;
    struct error e = {0};
    *name = STR_NULL;
    if (subscriber_find_by_id(r->db, r->arena, r->environment, subscriber, &s, &e))
        *name = s.subscriber_id;
    else if (!is_gone(&e))
        return *r->err = e, false;
    return true;
}

/* --- runs and their steps --------------------------------------------------------------------------------------------- */

struct told {
    struct run run;
    struct str to, workflow, transaction;
    struct definition *version;             /* NULL: gone */
    const struct subscriber *subscriber;    /* NULL: gone */
    yyjson_val *payload;
};

static const struct step_definition *step_of(const struct told *t, int job)
{
    int i = t->run.jobs[job].step;
    return t->version && i >= 0 && i < t->version->steps_n ? &t->version->steps[i] : NULL;
}

static void put_named(yyjson_mut_doc *d, yyjson_mut_val *o, const struct told *t)
{
    json_add_str(d, o, "to", t->to);
    json_add_str(d, o, "workflow", t->workflow);
    json_add_str(d, o, "transactionId", t->transaction);
}

/* Members of the rule beside the decision's: a test says `rule: preference`. */
static void put_decision(struct reading *r, yyjson_mut_doc *d, yyjson_mut_val *o, struct told *t, int job)
{
    static const char *const members[][2] = {
        {"kind", "rule"}, {"detail", "detail"}, {"layer", "layer"}, {"values", "values"}, {"condition", "condition"}};
    yyjson_mut_val *nested = yyjson_mut_obj(d);
    const struct decided x = run_decided(&t->run, job);
    decided_put(d, nested, &t->run, &x, step_of(t, job));
    yyjson_val *rule = json_get(frozen(r->arena, nested), "rule");
    json_add_str(d, o, "decision", decision_name(x.decision));
    json_add_time(d, o, "at", x.at);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        json_add_val(d, o, members[i][1], json_get(rule, members[i][0]));
    yyjson_val *condition = json_get(rule, "condition");
    yyjson_mut_val *saw = condition ? saw_json(r->db, r->arena, d, &t->run, t->version, t->subscriber, t->payload, condition) : NULL;
    if (saw)
        yyjson_mut_obj_add_val(d, o, "saw", saw);
}

static void put_details(yyjson_mut_doc *d, yyjson_mut_val *o, const struct told *t, int job)
{
    yyjson_mut_val *list = json_add_arr(d, o, "details");
    for (int i = 0; i < t->run.log_n; i++)
        if (t->run.log[i].job == job)
            yyjson_mut_arr_append(list, json_mut_str(d, run_log_text(&t->run, &t->run.log[i])));
}

static void step_add(struct reading *r, struct told *t, int job)
{
    const struct run_job *j = &t->run.jobs[job];
    const struct step_definition *s = step_of(t, job);
    yyjson_mut_doc *d = json_doc(r->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    put_named(d, o, t);
    json_add_str(d, o, "step", s ? s->step_id : STR_NULL);
    json_add_str(d, o, "type", step_type_name(j->type));
    json_add_str(d, o, "status", job_status_name(j->status));
    put_decision(r, d, o, t, job);
    if (j->due_at)
        json_add_time(d, o, "dueAt", j->due_at);
    if (j->error.n)
        json_add_str(d, o, "error", j->error);
    json_add_text(d, o, "output", j->output);
    put_details(d, o, t, job);
    add(r, FACT_STEP, j->updated_at, o);
}

static void run_add(struct reading *r, struct told *t)
{
    yyjson_mut_doc *d = json_doc(r->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *topics = NULL, *one;
    put_named(d, o, t);
    json_add_str(d, o, "status", run_status_name(t->run.row.status));
    json_add_str(d, o, "delivery", lifecycle_name(t->run.row.delivery));
    if (t->run.lifecycle_detail)
        json_add_str(d, o, "deliveryDetail", skip_reason_name(t->run.lifecycle_detail));
    json_add_str(d, o, "severity", severity_name(t->run.row.severity));
    json_add_time(d, o, "at", t->run.row.created_at);
    yyjson_mut_val *keys = json_add_arr(d, o, "topics");
    if (t->run.topics.n)
        json_parse(r->arena, t->run.topics, &topics, NULL);
    yyjson_arr_iter it = yyjson_arr_iter_with(topics);
    while ((one = yyjson_arr_iter_next(&it)))
        yyjson_mut_arr_append(keys, json_mut_str(d, json_get_str(one, "topicKey")));
    add(r, FACT_RUN, t->run.row.created_at, o);
}

static void lines_add(struct reading *r, struct told *t)
{
    for (int i = 0; i < t->run.log_n; i++) {
        const struct run_log *l = &t->run.log[i];
        const struct step_definition *s = l->job > 0 && l->job < t->run.jobs_n ? step_of(t, l->job) : NULL;
        struct str text = run_log_text(&t->run, l);
        if (l->detail == DETAIL_STEP_CREATED || l->detail == DETAIL_STEP_QUEUED)
            continue;
        line(r, l->at, t->to, str_fmt(r->arena, "%.*s/%.*s %.*s: %.*s", STR_ARG(t->workflow), s ? (int)s->step_id.n : 7,
                                      s ? s->step_id.p : "trigger", STR_ARG(t->to), STR_ARG(text)));
    }
}

static bool run_tell(struct reading *r, const struct run_row *row)
{
    struct told t = {.version = NULL};
    struct subscriber person;
    struct event event;
    struct error e = {0}, gone = {0};
    yyjson_val *doc = NULL;
    if (!run_decode(row, r->arena, &t.run, r->err))
        return false;
    if (subscriber_find_by_id(r->db, r->arena, r->environment, row->subscriber, &person, &gone)) {
        t.subscriber = &person;
        t.to = person.subscriber_id;
    } else if (!is_gone(&gone)) {
        *r->err = gone;
        return false;
    }
    if (event_find(r->db, r->arena, r->environment, row->event, &event, &e)) {
        t.transaction = event.transaction_id;
        json_parse(r->arena, event.doc, &doc, NULL);
        t.payload = json_get(doc, "payload");
    }
    t.version = definition_version(world_app(r->world)->definitions, r->db, r->environment, row->workflow, row->workflow_version, &e);
    if (t.version)
        t.workflow = str_dup(r->arena, t.version->workflow.identifier);
    run_add(r, &t);
    for (int job = 1; job < t.run.jobs_n; job++)
        step_add(r, &t, job);
    lines_add(r, &t);
    if (t.version)
        cached_unref(&t.version->head);
    return true;
}

static bool runs_read(struct reading *r)
{
    struct run_query q = {.limit = PAGE};
    struct run_row *rows;
    size_t n;
    do {
        if (!run_list(r->db, r->arena, r->environment, &q, &rows, &n, r->err))
            return false;
        for (size_t i = 0; i < n; i++)
            if (!run_tell(r, &rows[i]))
                return false;
        q.offset += (int64_t)n;
    } while (n == PAGE);
    return true;
}

/* --- messages ----------------------------------------------------------------------------------------------------------- */

static bool message_tell(struct reading *r, const struct message *m)
{
    static const char *const copied[][2] = {
        {"transactionId", "transactionId"}, {"templateIdentifier", "workflow"}, {"stepId", "step"}, {"providerId", "provider"},
        {"subject", "subject"}, {"content", "content"}, {"title", "title"}, {"email", "email"}, {"phone", "phone"}, {"data", "data"},
        {"tags", "tags"}, {"avatar", "avatar"}, {"cta", "cta"}, {"errorText", "error"}};
    yyjson_mut_doc *d = json_doc(r->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *doc = NULL;
    struct str to;
    if (!name_of(r, m->subscriber, &to) || !json_parse(r->arena, m->doc, &doc, r->err))
        return false;
    json_add_id(d, o, "_id", m->id);
    json_add_str(d, o, "to", to);
    json_add_str(d, o, "channel", channel_name(m->channel));
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        json_add_val(d, o, copied[i][1], json_get(doc, copied[i][0]));
    struct str content = json_get_str(doc, "content");
    json_add_str(d, o, "text", m->channel == CHANNEL_EMAIL ? text_part_from_html(r->arena, content) : content);
    json_add_str(d, o, "status", message_status_name(m->status));
    json_add_str(d, o, "severity", severity_name(m->severity));
    json_add_str(d, o, "context", m->context);
    json_add_time(d, o, "at", m->created_at);
    json_add_bool(d, o, "seen", m->seen);
    json_add_bool(d, o, "read", m->read);
    json_add_bool(d, o, "archived", m->archived);
    if (m->snoozed_until)
        json_add_time(d, o, "snoozedUntil", m->snoozed_until);
    add(r, FACT_MESSAGE, m->created_at, o);
    return true;
}

static bool messages_read(struct reading *r)
{
    struct message_query q = {.channel = -1, .seen = -1, .read = -1, .limit = PAGE};
    struct message *list;
    size_t n;
    do {
        if (!message_list(r->db, r->arena, r->environment, &q, &list, &n, r->err))
            return false;
        for (size_t i = 0; i < n; i++)
            if (!message_tell(r, &list[i]))
                return false;
        q.offset += (int64_t)n;
    } while (n == PAGE);
    return true;
}

/* --- requests ----------------------------------------------------------------------------------------------------------- */

static bool call_tell(struct reading *r, const struct world_call *c)
{
    struct told t = {.version = NULL};
    struct run_row row;
    struct error e = {0};
    yyjson_mut_doc *d = json_doc(r->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *body = NULL;
    if (run_find(r->db, r->arena, r->environment, c->run, &row, &e)) {
        if (!run_decode(&row, r->arena, &t.run, r->err) || !name_of(r, row.subscriber, &t.to))
            return false;
        t.version = definition_version(world_app(r->world)->definitions, r->db, r->environment, row.workflow, row.workflow_version, &e);
    }
    json_add_str(d, o, "to", t.to);
    if (t.version) {
        const struct step_definition *s = step_of(&t, c->job);
        json_add_str(d, o, "workflow", str_dup(r->arena, t.version->workflow.identifier));
        json_add_str(d, o, "step", s ? str_dup(r->arena, s->step_id) : STR_NULL);
        cached_unref(&t.version->head);
    }
    json_add_str(d, o, "method", c->method);
    json_add_str(d, o, "url", c->url);
    if (c->body.n && json_parse(r->arena, c->body, &body, NULL))
        json_add_val(d, o, "body", body);
    else
        json_add_str(d, o, "body", c->body);
    json_add_text(d, o, "headers", c->headers);
    json_add_int(d, o, "attempt", c->attempt);
    json_add_time(d, o, "at", c->at);
    add(r, FACT_CALL, c->at, o);
    return true;
}

static int by_time(const void *a, const void *b)
{
    const struct fact *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

static int by_line(const void *a, const void *b)
{
    const struct fact_line *x = a, *y = b;
    return x->at != y->at ? (x->at < y->at ? -1 : 1) : x->order < y->order ? -1 : x->order > y->order;
}

bool facts_read(struct world *w, struct arena *a, struct facts *out, struct error *err)
{
    struct reading r = {.world = w, .arena = a, .db = world_db(w), .environment = world_environment(w), .facts = out, .err = err};
    size_t calls;
    const struct world_call *list = world_calls(w, &calls);
    *out = (struct facts){.lines = NULL};
    if (!runs_read(&r) || !messages_read(&r))
        return false;
    for (size_t i = 0; i < calls; i++)
        if (!call_tell(&r, &list[i]))
            return false;
    for (int k = 0; k < FACT_KINDS; k++)
        if (out->n[k])
            qsort(out->list[k], out->n[k], sizeof *out->list[k], by_time);
    if (out->lines_n)
        qsort(out->lines, out->lines_n, sizeof *out->lines, by_line);
    return true;
}

struct str fact_text(struct arena *a, enum fact_kind kind, yyjson_val *v)
{
    static const char *const members[FACT_KINDS][11] = {
        {"at", "to", "channel", "workflow", "step", "subject", "text", "status", "read", NULL},
        {"at", "to", "workflow", "step", "type", "status", "decision", "rule", "detail", "dueAt", NULL},
        {"at", "to", "workflow", "transactionId", "status", "delivery", "deliveryDetail", NULL},
        {"at", "workflow", "step", "method", "url", "body", NULL}};
    struct buf b = {.arena = a};
    for (const char *const *m = members[kind]; *m; m++) {
        yyjson_val *x = json_get(v, *m);
        struct str text = x && !yyjson_is_null(x) ? json_write(a, x) : STR_NULL;
        if (text.n)
            buf_fmt(&b, "%s%s: %.*s%s", b.n ? ", " : "", *m, (int)str_cut(text, 160).n, text.p, text.n > 160 ? "…" : "");
    }
    return buf_finish(&b);
}
