/* Fan-out to topics and to everybody, on both databases: who gets a run, exactly once, whatever stops it in between. */
#include "rig.h"

#include <unistd.h>

#include "engine/engine_private.h"
#include "model/context.h"
#include "model/fanout.h"
#include "model/preference.h"
#include "model/tenant.h"
#include "model/topic.h"
#include "model/trace.h"

static int64_t count(struct rig *r, const char *what)
{
    char sql[512];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", what);
    return number(r->db, sql);
}

static void assert_nothing_left(struct rig *r)
{
    rig_advance(r, 0);
    assert_int_equal(count(r, "queue"), 0);
    assert_int_equal(engine_busy(r->engine), 0);
    assert_null(r->engine->flights);
}

/* --- seeds ----------------------------------------------------------------------------------------------------- */

/* "key: a b c" — topic `key` with these subscribers (made if need be), in a context or none. */
struct seed {
    struct rig *rig;
    const char *topic;
    const char *subscribers;            /* separated by blanks; NULL: "p0" … */
    int people;
    struct str context;
    const char *identifier;             /* of the subscription; NULL: the default one */
    const char *condition;              /* a preference row with it; NULL: none */
    enum choice enabled;
    struct id workflow;
};

static bool member_seed(struct seed *s, struct db *db, struct id topic, struct str id, struct error *err)
{
    struct rig *r = s->rig;
    int64_t now = clock_now_ms(&r->clock);
    struct subscriber_patch patch = {.subscriber_id = id};
    struct topic_subscription sub = {.id = id_new(&r->ids, now), .environment = r->environment, .topic = topic, .context = s->context,
                                     .created_at = now, .updated_at = now};
    bool created;
    if (!subscriber_upsert(db, r->environment, &patch, id_new(&r->ids, now), now, &sub.subscriber, err))
        return false;
    if (id_is_zero(topic))
        return true;
    sub.identifier = s->identifier ? str_of(s->identifier) : topic_subscription_identifier(r->arena, str_of(s->topic), id, s->context);
    if (!topic_subscribe(db, r->arena, &sub, &created, err))
        return false;
    if (!s->condition && s->enabled == CHOICE_UNSET)
        return true;
    struct preference p = preference_blank();
    p.id = id_new(&r->ids, now);
    p.environment = r->environment;
    p.subscriber = sub.subscriber;
    p.workflow = s->workflow;
    p.subscription = sub.id;
    p.context = s->context;
    p.enabled = s->enabled;
    p.condition = str_of(s->condition);
    return preference_replace(db, &p, now, err);
}

static bool seed_apply(void *arg, struct db *db, struct error *err)
{
    struct seed *s = arg;
    struct rig *r = s->rig;
    struct id topic = {{0}};
    bool created;
    if (s->topic) {
        struct topic t = {.id = id_new(&r->ids, clock_now_ms(&r->clock)), .environment = r->environment, .key = str_of(s->topic),
                          .name = str_of(s->topic), .created_at = clock_now_ms(&r->clock), .updated_at = clock_now_ms(&r->clock)};
        if (!topic_upsert(db, r->arena, &t, &created, err))
            return false;
        topic = t.id;
    }
    for (int i = 0; i < s->people; i++)
        if (!member_seed(s, db, topic, str_fmt(r->arena, "p%d", i), err))
            return false;
    for (const char *p = s->subscribers, *end; p && *p; p = *end ? end + 1 : end) {
        for (end = p; *end && *end != ' '; end++) {}
        if (!member_seed(s, db, topic, str_dup(r->arena, (struct str){p, (size_t)(end - p)}), err))
            return false;
    }
    return true;
}

static void seed(struct rig *r, struct seed s)
{
    struct error err = {0};
    s.rig = r;
    if (!s.context.p)
        s.context = STR("");
    must(writer_run(r->writer, seed_apply, &s, &err), &err, "seed");
}

static struct id workflow_id(struct rig *r, const char *identifier)
{
    struct workflow w;
    struct error err = {0};
    must(workflow_find_by_identifier(r->db, r->arena, r->environment, str_of(identifier), &w, &err), &err, "workflow");
    return w.id;
}

static struct event event_of(struct rig *r, const char *tx)
{
    struct event e;
    struct error err = {0};
    must(event_find_by_transaction(r->db, r->arena, r->environment, str_of(tx), &e, &err), &err, tx);
    return e;
}

static struct fanout fanout_of(struct rig *r, const char *tx)
{
    struct fanout f;
    struct error err = {0};
    must(fanout_find(r->db, event_of(r, tx).id, &f, &err), &err, "fanout");
    return f;
}

/* subscriberIds that have a run of tx, sorted, joined by blanks; one with two runs would be there twice. */
static struct str reached(struct rig *r, const char *tx)
{
    struct buf b = {.arena = r->arena};
    struct db_stmt *s = prepare(r->db, "SELECT subscribers.subscriber_id FROM runs JOIN subscribers ON subscribers.id = "
                                       "runs.subscriber_id JOIN events ON events.id = runs.event_id WHERE "
                                       "events.transaction_id = ?1 ORDER BY subscribers.subscriber_id");
    struct error err = {0};
    db_bind_text(s, 1, str_of(tx));
    while (db_step(s, &err) == DB_ROW) {
        if (b.n)
            buf_char(&b, ' ');
        buf_str(&b, db_text(s, 0));
    }
    db_reset(s);
    return buf_finish(&b);
}

static struct str state_of(struct rig *r, const char *tx, const char *subscriber)
{
    struct db_stmt *s = prepare(r->db, "SELECT runs.state FROM runs JOIN subscribers ON subscribers.id = runs.subscriber_id "
                                       "JOIN events ON events.id = runs.event_id WHERE events.transaction_id = ?1 "
                                       "AND subscribers.subscriber_id = ?2");
    db_bind_text(s, 1, str_of(tx));
    db_bind_text(s, 2, str_of(subscriber));
    row(s);
    struct str text = str_dup(r->arena, db_text(s, 0));
    db_reset(s);
    return text;
}

/* The names of what is told about a request, joined by blanks. */
static struct str traces(struct rig *r, const char *tx)
{
    struct event e = event_of(r, tx);
    struct fanout f;
    struct trace *list;
    struct error err = {0}, missing = {0};
    size_t n;
    struct buf b = {.arena = r->arena};
    bool has = fanout_find(r->db, e.id, &f, &missing);
    must(trace_list(r->arena, &e, has ? &f : NULL, &list, &n, &err), &err, "traces");
    for (size_t i = 0; i < n; i++) {
        if (b.n)
            buf_char(&b, ' ');
        buf_str(&b, trace_type_name(list[i].type));
    }
    return buf_finish(&b);
}

#define assert_str(a, z) assert_string_equal(str_z(r->arena, (a)), (z))

/* --- topics ------------------------------------------------------------------------------------------------------ */

/* engine.md §1.5 4: who is in several topics, or addressed singly too, is notified once; exclusions are united. */
static void topics_reach_each_member_once(void **state)
{
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "hello", IN_APP);
    seed(r, (struct seed){.topic = "k1", .subscribers = "a b c d e"});
    seed(r, (struct seed){.topic = "k2", .subscribers = "c d e f g h"});
    rig_trigger(r, "hello", "t1",
                "{\"to\":[{\"type\":\"Topic\",\"topicKey\":\"k1\",\"exclude\":[\"g\"]},\"d\",{\"topicKey\":\"k2\",\"exclude\":[\"b\"]},"
                "{\"type\":\"Topic\",\"topicKey\":\"gone\"},{\"subscriberId\":\"x\",\"firstName\":\"X\"}],\"actor\":\"a\"}");
    rig_advance(r, 0);
    assert_str(reached(r, "t1"), "c d e f h x");
    struct fanout f = fanout_of(r, "t1");
    assert_int_equal(f.state, FANOUT_COMPLETED);
    assert_int_equal(f.runs, 6);
    assert_int_equal(f.expanded, 2 + 8);
    assert_int_equal(f.total, 10);
    assert_non_null(strstr(traces(r, "t1").p, "topic_not_found"));
    /* An actor that is named explicitly still gets it. */
    rig_trigger(r, "hello", "t2", "{\"to\":[\"a\",{\"topicKey\":\"k1\"}],\"actor\":{\"subscriberId\":\"a\"}}");
    rig_advance(r, 0);
    assert_str(reached(r, "t2"), "a b c d e");
    assert_nothing_left(r);
    rig_end(r);
}

/* engine.md §12.E */
static void a_run_names_its_topics(void **state)
{
    struct rig *r = rig_start(state, true);
    struct run_row row;
    struct run run;
    struct error err = {0};
    rig_workflow(r, "hello", IN_APP);
    seed(r, (struct seed){.topic = "k", .subscribers = "a b c"});
    rig_trigger(r, "hello", "t", "{\"to\":{\"type\":\"Topic\",\"topicKey\":\"k\"},\"actor\":\"a\"}");
    rig_advance(r, 0);
    assert_str(reached(r, "t"), "b c");
    struct db_stmt *s = prepare(r->db, "SELECT id FROM runs LIMIT 1");
    assert_int_equal(db_step(s, &err), DB_ROW);
    struct id id = db_id(s, 0);
    db_reset(s);
    must(run_find(r->db, r->arena, r->environment, id, &row, &err), &err, "run");
    must(run_decode(&row, r->arena, &run, &err), &err, "decode");
    assert_false(id_is_zero(run.subscription));
    yyjson_val *topics;
    must(json_parse(r->arena, run.topics, &topics, &err), &err, "topics");
    assert_int_equal(yyjson_arr_size(topics), 1);
    assert_str(json_get_str(yyjson_arr_get_first(topics), "topicKey"), "k");
    assert_true(json_get_bool(json_get(yyjson_arr_get_first(topics), "preferenceEvaluation"), "result", false));
    int told = 0;
    for (int i = 0; i < run.log_n; i++)
        if (run.log[i].job == 0 && (run.log[i].detail == DETAIL_STEP_QUEUED || run.log[i].detail == DETAIL_TOPIC_EVALUATED)) {
            assert_str(run.log[i].raw, "{\"topics\":[{\"topic\":\"k\"}]}");
            assert_int_equal(run.log[i].status, DETAIL_PENDING);
            told++;
        }
    assert_int_equal(told, 2);
    /* An empty topic: only the request is there. */
    seed(r, (struct seed){.topic = "empty"});
    rig_trigger(r, "hello", "t2", "{\"to\":{\"topicKey\":\"empty\"}}");
    rig_advance(r, 0);
    assert_str(reached(r, "t2"), "");
    assert_int_equal(fanout_of(r, "t2").state, FANOUT_COMPLETED);
    assert_nothing_left(r);
    rig_end(r);
}

static const char OPEN[] = "{\"==\":[{\"var\":\"payload.status\"},\"open\"]}";

/* engine.md §6.6: the condition sees the payload only and must be exactly true; one passing subscription is enough. */
static void subscriptions_decide(void **state)
{
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "hello", IN_APP);
    struct id w = workflow_id(r, "hello");
    struct seed on = {.topic = "k", .enabled = CHOICE_UNSET, .workflow = w};
    struct seed s = on;
    s.subscribers = "plain", seed(r, s);
    s = on, s.subscribers = "open", s.condition = OPEN, seed(r, s);
    s = on, s.subscribers = "closed", s.condition = "{\"==\":[{\"var\":\"payload.status\"},\"closed\"]}", seed(r, s);
    s = on, s.subscribers = "both", s.identifier = "both-1", s.condition = "{\"==\":[1,2]}", seed(r, s);
    s = on, s.subscribers = "both", s.identifier = "both-2", s.condition = OPEN, seed(r, s);
    s = on, s.subscribers = "off", s.enabled = CHOICE_OFF, seed(r, s);
    s = on, s.subscribers = "on", s.enabled = CHOICE_ON, seed(r, s);
    s = on, s.subscribers = "truthy", s.condition = "{\"var\":\"payload.status\"}", seed(r, s);
    s = on, s.subscribers = "broken", s.condition = "{\"nosuch\":[1]}", seed(r, s);
    s = on, s.subscribers = "nosy", s.condition = "{\"==\":[{\"var\":\"subscriber.subscriberId\"},\"nosy\"]}", seed(r, s);
    rig_trigger(r, "hello", "t", "{\"to\":[{\"topicKey\":\"k\"}],\"payload\":{\"status\":\"open\"}}");
    rig_advance(r, 0);
    assert_str(reached(r, "t"), "both on open plain");
    struct fanout f = fanout_of(r, "t");
    assert_int_equal(f.filtered, 5);
    assert_int_equal(f.subscriptions_evaluated, 10);
    assert_int_equal(f.subscriptions_filtered, 6);
    assert_int_equal(f.expanded, 9);
    assert_int_equal(count(r, "fanout_refusals"), 5);
    assert_non_null(strstr(traces(r, "t").p, "topic_subscription_preference_evaluation"));
    /* Only what passed is in the run. */
    assert_non_null(strstr(state_of(r, "t", "both").p, "both-2"));
    assert_null(strstr(state_of(r, "t", "both").p, "both-1"));
    /* Addressed singly nobody is filtered. */
    rig_trigger(r, "hello", "t2", "{\"to\":[\"off\",{\"topicKey\":\"k\"}],\"payload\":{\"status\":\"closed\"}}");
    rig_advance(r, 0);
    assert_str(reached(r, "t2"), "closed off on plain");
    assert_nothing_left(r);
    rig_end(r);
}

/* engine.md §1.5: only subscriptions of exactly the trigger's contexts. */
static void contexts_choose_subscriptions(void **state)
{
    struct rig *r = rig_start(state, true);
    struct context c;
    struct error err = {0};
    rig_workflow(r, "hello", "[{\"type\":\"in_app\",\"controlValues\":{\"body\":\"{{context.tenant.data.name}}\"}}]");
    seed(r, (struct seed){.topic = "k", .subscribers = "a b", .context = STR("tenant:acme")});
    seed(r, (struct seed){.topic = "k", .subscribers = "c"});
    rig_trigger(r, "hello", "t1", "{\"to\":{\"topicKey\":\"k\"},\"context\":{\"tenant\":{\"id\":\"acme\",\"data\":{\"name\":\"Acme\"}}}}");
    rig_advance(r, 0);
    assert_str(reached(r, "t1"), "a b");
    assert_int_equal(count(r, "runs WHERE context = 'tenant:acme'"), 2);
    assert_int_equal(count(r, "messages WHERE context = 'tenant:acme' AND doc LIKE '%\"content\":\"Acme\"%'"), 2);
    must(context_find(r->db, r->arena, r->environment, STR("tenant"), STR("acme"), &c, &err), &err, "context");
    rig_trigger(r, "hello", "t2", "{\"to\":{\"topicKey\":\"k\"}}");
    rig_advance(r, 0);
    assert_str(reached(r, "t2"), "c");
    /* In the accepting commit as well; what is there keeps its data (decisions.md 12). */
    rig_trigger(r, "hello", "t3", "{\"to\":\"a\",\"context\":{\"tenant\":{\"id\":\"acme\",\"data\":{\"name\":\"Other\"}},\"app\":\"web\"}}");
    assert_int_equal(count(r, "runs WHERE context = 'app:web,tenant:acme'"), 1);
    assert_int_equal(count(r, "messages WHERE doc LIKE '%\"content\":\"Acme\"%'"), 3);
    assert_int_equal(count(r, "contexts"), 2);
    rig_trigger(r, "hello", "t4", "{\"to\":\"a\",\"context\":{\"tenant\":{\"id\":\"new\",\"data\":{\"name\":\"Brand\"}}}}");
    assert_int_equal(count(r, "messages WHERE doc LIKE '%\"content\":\"Brand\"%'"), 1);
    assert_nothing_left(r);
    rig_end(r);
}

/* --- many --------------------------------------------------------------------------------------------------------- */

static void a_long_to_and_topics(void **state)
{
    struct rig *r = rig_start(state, true);
    struct buf b = {.arena = r->arena};
    rig_workflow(r, "hello", IN_APP);
    seed(r, (struct seed){.topic = "k", .people = 330});
    buf_z(&b, "{\"to\":[{\"topicKey\":\"k\"}");
    for (int i = 100; i < 350; i++)
        buf_fmt(&b, ",{\"subscriberId\":\"p%d\",\"firstName\":\"F%d\"}", i, i);
    buf_z(&b, "]}");
    rig_trigger(r, "hello", "t", buf_finish(&b).p);
    rig_advance(r, 0);
    assert_int_equal(count(r, "runs"), 350);
    assert_int_equal(number(r->db, "SELECT count(DISTINCT subscriber_id) FROM runs"), 350);
    assert_int_equal(count(r, "messages WHERE doc LIKE '%\"content\":\"Hi F349\"%'"), 1);
    assert_int_equal(count(r, "fanout_chunks"), 0);
    assert_null(strstr(event_of(r, "t").doc.p, "p349"));       /* no chunk, and no later step, reads the long list */
    struct fanout f = fanout_of(r, "t");
    assert_int_equal(f.runs, 350);
    assert_int_equal(f.expanded, 250 + 330);
    assert_nothing_left(r);
    rig_end(r);
}

static void a_broadcast_reaches_who_was_there(void **state)
{
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "hello", IN_APP);
    seed(r, (struct seed){.people = 300});
    rig_trigger(r, "hello", "t", "{\"broadcast\":true,\"payload\":{},\"actor\":\"p5\"}");
    rig_advance(r, 0);
    struct fanout f = fanout_of(r, "t");
    assert_int_equal(f.state, FANOUT_COMPLETED);
    assert_int_equal(f.runs, 300);
    assert_int_equal(f.total, 300);
    assert_int_equal(number(r->db, "SELECT count(DISTINCT subscriber_id) FROM runs"), 300);
    assert_str(traces(r, "t"), "request_received request_queued workflow_execution_started workflow_actor_processing_completed "
                               "request_subscriber_processing_completed");
    assert_nothing_left(r);
    rig_end(r);
}

/* --- steering ------------------------------------------------------------------------------------------------------ */

struct steering {
    struct rig *rig;
    struct id event;
    enum { PAUSE, RESUME, CANCEL } what;
    bool changed;
};

static bool steering_apply(void *arg, struct db *db, struct error *err)
{
    struct steering *s = arg;
    int64_t now = clock_now_ms(&s->rig->clock);
    switch (s->what) {
    case PAUSE: return fanout_pause(db, s->event, now, &s->changed, err);
    case RESUME: return fanout_resume(db, s->event, id_new(&s->rig->ids, now), now, &s->changed, err);
    case CANCEL: return fanout_cancel(db, s->event, now, &s->changed, err);
    }
    return false;
}

static bool steer(struct rig *r, const char *tx, int what)
{
    struct steering s = {.rig = r, .event = event_of(r, tx).id, .what = what};
    struct error err = {0};
    must(writer_run(r->writer, steering_apply, &s, &err), &err, "steer");
    if (what == RESUME)
        engine_due(r->engine, clock_now_ms(&r->clock));
    return s.changed;
}

struct early_pause {
    struct write_task task;
    struct rig *rig;
    const char *tx;
    bool paused, over;
};

static bool early_pause_apply(struct write_task *t, struct db *db, struct error *err)
{
    struct early_pause *p = (struct early_pause *)t;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct event e;
    struct error missing = {0};
    p->paused = false;
    return !event_find_by_transaction(db, a, p->rig->environment, str_of(p->tx), &e, &missing)
        || fanout_pause(db, e.id, clock_now_ms(&p->rig->clock), &p->paused, err);
}

/* Comes again until there is something to pause: so it always stands before the first chunk, which is only planned after
 * the commit that accepts the event. */
static void early_pause_done(struct write_task *t, const struct error *err)
{
    struct early_pause *p = (struct early_pause *)t;
    struct error refused = {0};
    if (!err && !p->paused && writer_submit(p->rig->writer, t, &refused))
        return;
    pthread_mutex_lock(&p->rig->lock);
    p->over = true;
    pthread_cond_broadcast(&p->rig->changed);
    pthread_mutex_unlock(&p->rig->lock);
}

/* Accepted and paused before its first chunk: nobody but the first 100 single recipients has a run. */
static void begin_paused(struct rig *r, const char *tx, const char *body)
{
    struct call c;
    struct early_pause p = {.task = {.apply = early_pause_apply, .done = early_pause_done}, .rig = r, .tx = tx};
    struct error err = {0};
    must(writer_submit(r->writer, &p.task, &err), &err, "pause");
    call_begin(r, &c, "hello", tx, body);
    assert_true(call_go(&c));
    call_wait(&c);
    call_free(&c);
    pthread_mutex_lock(&r->lock);
    while (!p.over)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
    assert_int_equal(fanout_of(r, tx).state, FANOUT_PAUSED);
}

static void a_pause_holds_over_a_restart(void **state)
{
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "hello", IN_APP);
    seed(r, (struct seed){.people = 500});
    begin_paused(r, "t", "{\"broadcast\":true,\"payload\":{}}");
    rig_advance(r, 3600000);
    struct fanout f = fanout_of(r, "t");
    assert_int_equal(f.runs, 0);
    assert_int_equal(count(r, "runs"), 0);
    assert_int_equal(count(r, "queue"), 0);
    assert_false(steer(r, "t", PAUSE));
    engine_stop(r->engine, 0);
    rig_engine_start(r);
    rig_advance(r, 3600000);
    assert_int_equal(count(r, "runs"), f.runs);
    assert_true(steer(r, "t", RESUME));
    assert_false(steer(r, "t", RESUME));
    rig_advance(r, 0);
    assert_int_equal(fanout_of(r, "t").state, FANOUT_COMPLETED);
    assert_int_equal(fanout_of(r, "t").runs, 500);
    assert_int_equal(number(r->db, "SELECT count(DISTINCT subscriber_id) FROM runs"), 500);
    assert_int_equal(count(r, "runs"), 500);
    assert_false(steer(r, "t", CANCEL));
    assert_nothing_left(r);
    rig_end(r);
}

static void a_cancel_ends_it(void **state)
{
    struct rig *r = rig_start(state, true);
    struct buf b = {.arena = r->arena};
    rig_workflow(r, "hello", IN_APP);
    buf_z(&b, "{\"to\":[\"x\"");
    for (int i = 0; i < 300; i++)
        buf_fmt(&b, ",\"p%d\"", i);
    buf_z(&b, "]}");
    begin_paused(r, "t", buf_finish(&b).p);
    assert_true(steer(r, "t", CANCEL));
    assert_false(steer(r, "t", RESUME));
    int64_t runs = count(r, "runs");
    assert_int_equal(runs, 100);
    assert_int_equal(count(r, "fanout_chunks"), 0);
    rig_advance(r, 3600000);
    assert_int_equal(count(r, "runs"), runs);
    assert_int_equal(fanout_of(r, "t").state, FANOUT_CANCELED);
    assert_nothing_left(r);
    rig_end(r);
}

/* A workflow that is deleted meanwhile takes its fan-out with it; nothing comes again for ever. */
static void a_deleted_workflow_ends_it(void **state)
{
    struct rig *r = rig_start(state, true);
    rig_workflow(r, "hello", IN_APP);
    seed(r, (struct seed){.people = 150});
    begin_paused(r, "t", "{\"broadcast\":true,\"payload\":{}}");
    struct db *db = db_open(r->url, false, &(struct error){0});
    exec(db, "DELETE FROM workflows");
    db_close(db);
    definitions_changed(r->definitions);
    steer(r, "t", RESUME);
    rig_advance(r, 0);
    assert_int_equal(fanout_of(r, "t").state, FANOUT_CANCELED);
    assert_nothing_left(r);
    rig_end(r);
}

/* --- fairness ------------------------------------------------------------------------------------------------------- */

/* Asked by the worker while it plans: there it is held. */
static bool held_listening(void *app)
{
    struct rig *r = app;
    pthread_mutex_lock(&r->lock);
    r->gate_reached = true;
    pthread_cond_broadcast(&r->changed);
    while (!r->gate_open)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
    return true;
}

/* The one worker is planning a chunk; behind it wait ten more fan-outs, and then a small trigger. It is next. */
static void a_small_trigger_does_not_wait_behind_fan_outs(void **state)
{
    const enum db_kind kind = *(const enum db_kind *)*state;
    struct rig *r = rig_new(kind, support_store_url(kind), true, 0);
    struct call c;
    char tx[16];
    r->workers = 1;
    r->gate_open = true;
    r->listening = held_listening;
    rig_engine_start(r);
    rig_workflow(r, "hello", IN_APP);
    seed(r, (struct seed){.people = 200});
    for (int i = 0; i < 11; i++) {
        snprintf(tx, sizeof tx, "b%d", i);
        begin_paused(r, tx, "{\"broadcast\":true,\"payload\":{}}");
    }
    rig_advance(r, 0);
    pthread_mutex_lock(&r->lock);
    r->gate_open = r->gate_reached = false;
    pthread_mutex_unlock(&r->lock);
    for (int i = 0; i < 11; i++) {
        snprintf(tx, sizeof tx, "b%d", i);
        assert_true(steer(r, tx, RESUME));
    }
    pthread_mutex_lock(&r->lock);
    while (!r->gate_reached)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
    while (engine_busy(r->engine) < 11)
        sched_yield();
    call_begin(r, &c, "hello", "small", "{\"to\":\"p0\"}");
    assert_true(call_go(&c));
    gate_lift(r);
    call_wait(&c);
    assert_false(c.failed);
    rig_advance(r, 0);
    /* Ids are given when a run is planned: only the chunk that was being planned stands before it. */
    assert_int_equal(number(r->db, "SELECT count(*) FROM runs WHERE id < (SELECT runs.id FROM runs JOIN events ON events.id = "
                                   "runs.event_id WHERE events.transaction_id = 'small')"), CHUNK);
    assert_int_equal(count(r, "runs"), 11 * 200 + 1);
    call_free(&c);
    assert_nothing_left(r);
    rig_end(r);
}

/* --- chunks that are planned ahead ------------------------------------------------------------------------------- */

struct removal_between {
    struct write_task task;
    struct rig *rig;
    _Atomic bool begun;
    bool over;
};

/* Once three chunks have been planned and wait behind it, somebody of the second is gone. */
static bool removal_between_apply(struct write_task *t, struct db *db, struct error *err)
{
    struct removal_between *x = (struct removal_between *)t;
    atomic_store(&x->begun, true);
    while (writer_depth(x->rig->writer) < 3)
        sched_yield();
    people_note_all(db);
    return db_exec(db, "DELETE FROM subscribers WHERE subscriber_id = 'p150'", err);
}

static void removal_between_done(struct write_task *t, const struct error *err)
{
    struct removal_between *x = (struct removal_between *)t;
    assert_null(err);
    pthread_mutex_lock(&x->rig->lock);
    x->over = true;
    pthread_cond_broadcast(&x->rig->changed);
    pthread_mutex_unlock(&x->rig->lock);
}

/* The second chunk cannot be written and is planned again; of the third, planned from where the second would have ended,
 * nothing is written. */
static void a_chunk_planned_ahead_of_one_that_fails(void **state)
{
    const enum db_kind kind = *(const enum db_kind *)*state;
    struct rig *r = rig_new(kind, support_store_url(kind), true, 0);
    struct removal_between x = {.task = {.apply = removal_between_apply, .done = removal_between_done}, .rig = r};
    struct error err = {0};
    r->gate_open = true;
    r->listening = held_listening;
    rig_engine_start(r);
    rig_workflow(r, "hello", IN_APP);
    seed(r, (struct seed){.people = 500});
    begin_paused(r, "t", "{\"broadcast\":true,\"payload\":{}}");
    rig_advance(r, 0);
    pthread_mutex_lock(&r->lock);
    r->gate_open = r->gate_reached = false;
    pthread_mutex_unlock(&r->lock);
    assert_true(steer(r, "t", RESUME));
    pthread_mutex_lock(&r->lock);
    while (!r->gate_reached)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
    must(writer_submit(r->writer, &x.task, &err), &err, "removal");
    while (!atomic_load(&x.begun))      /* else a chunk may come into the same batch, and never wait behind it */
        sched_yield();
    gate_lift(r);
    pthread_mutex_lock(&r->lock);
    while (!x.over)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
    rig_advance(r, 0);
    assert_int_equal(fanout_of(r, "t").state, FANOUT_COMPLETED);
    assert_int_equal(fanout_of(r, "t").runs, 499);
    assert_int_equal(count(r, "runs"), 499);
    assert_int_equal(number(r->db, "SELECT count(DISTINCT subscriber_id) FROM runs"), 499);
    assert_nothing_left(r);
    rig_end(r);
}

/* Under a stream of other work a chunk still gets its turn. */
static void a_chunk_is_not_starved(void **state)
{
    (void)state;
    /* worker.c takes by this rule alone; the lanes are looked at from outside by counting turns. */
    const enum db_kind kind = DB_SQLITE;
    struct rig *r = rig_new(kind, support_store_url(kind), true, 0);
    struct call c[3 * FAIR_SHARE];
    int last = 0;
    r->workers = 1;
    r->gate_open = true;
    r->listening = held_listening;
    rig_engine_start(r);
    rig_workflow(r, "hello", IN_APP);
    seed(r, (struct seed){.people = 150});
    begin_paused(r, "b", "{\"broadcast\":true,\"payload\":{}}");
    rig_advance(r, 0);
    pthread_mutex_lock(&r->lock);
    r->gate_open = r->gate_reached = false;
    pthread_mutex_unlock(&r->lock);
    for (int i = 0; i < 3 * FAIR_SHARE; i++) {
        char tx[16];
        snprintf(tx, sizeof tx, "s%d", i);
        call_begin(r, &c[i], "hello", tx, "{\"to\":\"p0\"}");
        assert_true(call_go(&c[i]));
    }
    int64_t busy = engine_busy(r->engine);
    assert_true(steer(r, "b", RESUME));
    while (engine_busy(r->engine) <= busy)
        sched_yield();
    gate_lift(r);
    for (int i = 0; i < 3 * FAIR_SHARE; i++)
        call_wait(&c[i]);
    rig_advance(r, 0);
    /* Ids are given when a run is planned: between the first and the last small one stand those of the chunk. */
    last = (int)number(r->db, "SELECT count(*) FROM runs WHERE id < (SELECT max(runs.id) FROM runs JOIN events ON events.id = "
                              "runs.event_id WHERE events.transaction_id = 's47') AND event_id = (SELECT id FROM events WHERE "
                              "transaction_id = 'b')");
    assert_true(last >= 50);
    for (int i = 0; i < 3 * FAIR_SHARE; i++)
        call_free(&c[i]);
    assert_nothing_left(r);
    rig_end(r);
}

/* --- the request ------------------------------------------------------------------------------------------------------ */

static void a_repeated_transaction_is_told(void **state)
{
    struct rig *r = rig_start(state, true);
    struct call c;
    rig_workflow(r, "hello", IN_APP);
    rig_trigger(r, "hello", "t", "{\"to\":\"a\"}");
    assert_str(traces(r, "t"), "request_received request_queued workflow_execution_started request_subscriber_processing_completed");
    assert_true(!event_of(r, "t").trace.n);
    for (int i = 0; i < 2; i++) {
        call_begin(r, &c, "hello", "t", "{\"to\":\"b\"}");
        assert_true(call_go(&c));
        call_wait(&c);
        assert_int_equal(c.trigger.result, TRIGGER_TAKEN);
        call_free(&c);
    }
    assert_str(traces(r, "t"), "request_received request_queued workflow_execution_started request_failed request_failed "
                               "request_subscriber_processing_completed");
    assert_str(reached(r, "t"), "a");
    rig_end(r);
}

static void who_is_left_out_is_told(void **state)
{
    struct rig *r = rig_start(state, true);
    struct event e;
    rig_workflow(r, "hello", IN_APP);
    rig_trigger(r, "hello", "t", "{\"to\":[\"a\",\"\\u0007\",{\"subscriberId\":\"b\",\"email\":5},{\"topicKey\":\"no key\"}]}");
    e = event_of(r, "t");
    rig_advance(r, 0);
    assert_str(reached(r, "t"), "a b");
    assert_non_null(strstr(e.trace.p, "3 recipient(s)"));
    assert_non_null(strstr(e.trace.p, "email must be a string"));
    assert_non_null(strstr(e.trace.p, "no key"));
    assert_str(trace_title(r->arena, TRACE_REQUEST_RECEIVED), "Request received");
    assert_str(trace_title(r->arena, TRACE_REQUEST_INVALID_RECIPIENTS), "Invalid recipients");
    rig_end(r);
}

static void tenants_and_actors_come_along(void **state)
{
    struct rig *r = rig_start(state, true);
    struct tenant t;
    struct error err = {0};
    rig_workflow(r, "hello", "[{\"type\":\"in_app\",\"controlValues\":{\"body\":\"{{tenant.data.plan}} {{actor.firstName}}\"}}]");
    rig_trigger(r, "hello", "t1", "{\"to\":\"a\",\"tenant\":{\"identifier\":\"acme\",\"name\":\"Acme\",\"data\":{\"plan\":\"pro\"}},"
                                  "\"actor\":{\"subscriberId\":\"boss\",\"firstName\":\"Bo\",\"avatar\":\"https://e.x/b.png\"}}");
    assert_int_equal(count(r, "messages WHERE doc LIKE '%\"content\":\"pro Bo\"%'"), 1);
    assert_int_equal(count(r, "messages WHERE doc LIKE '%b.png%'"), 1);
    must(tenant_find(r->db, r->arena, r->environment, STR("acme"), &t, &err), &err, "tenant");
    /* What is given is updated, what is not stays; ids alone are enough later. */
    rig_trigger(r, "hello", "t2", "{\"to\":\"a\",\"tenant\":{\"identifier\":\"acme\",\"data\":{\"plan\":\"max\"}},\"actor\":\"boss\"}");
    must(tenant_find(r->db, r->arena, r->environment, STR("acme"), &t, &err), &err, "tenant");
    assert_str(t.name, "Acme");
    assert_int_equal(count(r, "messages WHERE doc LIKE '%\"content\":\"max Bo\"%'"), 1);
    rig_trigger(r, "hello", "t3", "{\"to\":\"boss\",\"tenant\":\"acme\",\"actor\":\"boss\"}");
    assert_int_equal(count(r, "messages WHERE doc LIKE '%\"content\":\"max Bo\"%'"), 2);
    assert_int_equal(count(r, "subscribers"), 2);
    rig_end(r);
}

/* --- attachments ------------------------------------------------------------------------------------------------------ */

static void trigger_attached(struct rig *r, const char *workflow, const char *tx, const char *to, const char *content)
{
    struct call c;
    struct attachment *x = ARENA_NEW(r->arena, struct attachment);
    x->bytes = str_of(content);
    crypto_sha256(x->bytes, x->hash);
    struct str path = attachment_path(r->arena, r->organization, r->environment, x, STR("a.txt"));
    call_begin(r, &c, workflow, tx,
               str_fmt(r->arena, "{\"to\":%s,\"payload\":{\"attachments\":[{\"name\":\"a.txt\",\"mime\":\"text/plain\","
                                 "\"storagePath\":\"%.*s\"}]}}", to, STR_ARG(path)).p);
    c.trigger.attachments = x;
    c.trigger.attachments_n = 1;
    assert_true(call_go(&c));
    call_wait(&c);
    if (c.failed)
        fail_msg("%s", c.err.message);
    call_free(&c);
}

/* The bytes are there until the last run of the last event that needs them is over, whichever comes first. */
static void attachments_last_as_long_as_runs(void **state)
{
    struct rig *r = rig_start(state, true);
    char file[4200], path[4096];
    uint8_t hash[32];
    const char *slash = strrchr(r->url, '/');
    rig_workflow(r, "mail", EMAIL);
    rig_workflow(r, "later", "[{\"type\":\"delay\",\"controlValues\":{\"amount\":1,\"unit\":\"hours\"}},"
                             "{\"type\":\"email\",\"controlValues\":{\"subject\":\"s\",\"body\":\"b\"}}]");
    seed(r, (struct seed){.topic = "k", .subscribers = "x y"});
    trigger_attached(r, "mail", "t1", "{\"subscriberId\":\"a\",\"email\":\"a@e.x\"}", "hello file");
    trigger_attached(r, "later", "t2", "{\"subscriberId\":\"a\",\"email\":\"a@e.x\"}", "hello file");
    trigger_attached(r, "later", "t3", "{\"topicKey\":\"k\"}", "hello file");
    rig_advance(r, 0);
    assert_string_equal(r->attached, "hello file");
    assert_int_equal(count(r, "attachments"), 1);
    assert_int_equal(count(r, "attachment_refs"), 2);           /* t1 is over */
    assert_int_equal(count(r, "attachment_chunks"), r->kind == DB_POSTGRES ? 1 : 0);
    crypto_sha256(STR("hello file"), hash);
    struct str hex = hex_encode(r->arena, hash, 32);
    snprintf(path, sizeof path, "%.*s", (int)(slash - r->url - 7), r->url + 7);
    snprintf(file, sizeof file, "%s/attachments/%.*s", path, STR_ARG(hex));
    if (r->kind == DB_SQLITE)
        assert_int_equal(access(file, F_OK), 0);
    engine_stop(r->engine, 0);                                  /* and over a restart, with its sweep */
    rig_engine_start(r);
    r->attached[0] = 0;
    rig_advance(r, 3600000 + 120000);
    assert_string_equal(r->attached, "hello file");
    assert_int_equal(count(r, "attachment_refs"), 0);
    assert_int_equal(count(r, "attachments"), 0);
    assert_int_equal(count(r, "attachment_chunks"), 0);
    if (r->kind == DB_SQLITE)
        assert_int_not_equal(access(file, F_OK), 0);
    assert_nothing_left(r);
    rig_end(r);
}

/* --- retention --------------------------------------------------------------------------------------------------------- */

#define DAY 86400000LL

static void what_is_old_goes_but_nothing_pending(void **state)
{
    const enum db_kind kind = *(const enum db_kind *)*state;
    struct rig *r = rig_new(kind, support_store_url(kind), true, 0);
    struct buf b = {.arena = r->arena};
    r->retention_days = 30;
    rig_engine_start(r);
    rig_workflow(r, "hello", "[{\"type\":\"in_app\",\"controlValues\":{\"body\":\"b\"}},{\"type\":\"email\",\"controlValues\":"
                             "{\"subject\":\"s\",\"body\":\"b\"}}]");
    rig_workflow(r, "slow", "[{\"type\":\"delay\",\"controlValues\":{\"amount\":40,\"unit\":\"days\"}},"
                            "{\"type\":\"in_app\",\"controlValues\":{\"body\":\"late\"}}]");
    buf_z(&b, "{\"to\":[\"x\"");
    for (int i = 0; i < 449; i++)
        buf_fmt(&b, ",{\"subscriberId\":\"p%d\",\"email\":\"p@e.x\"}", i);
    buf_z(&b, "]}");
    rig_trigger(r, "hello", "old", buf_finish(&b).p);
    rig_trigger(r, "slow", "pending", "{\"to\":\"x\"}");
    rig_advance(r, 20 * DAY);
    rig_trigger(r, "hello", "young", "{\"to\":{\"subscriberId\":\"x\",\"email\":\"x@e.x\"}}");
    /* One dead letter a run. */
    rig_sql(r, "INSERT INTO deliveries (id, environment_id, run_id, job, target, message_id, channel, integration_id, provider_id, state, "
               "attempt, due_at, created_at, updated_at) SELECT id, environment_id, id, 2, 0, id, 1, id, 'x', 1, 3, 0, 0, 0 FROM runs");
    rig_advance(r, 9 * DAY);
    assert_int_equal(count(r, "runs"), 452);
    assert_int_equal(count(r, "deliveries"), 452);
    rig_advance(r, 2 * DAY);
    assert_int_equal(count(r, "runs"), 2);                      /* pending, young */
    assert_int_equal(count(r, "events"), 2);
    assert_int_equal(count(r, "deliveries"), 2);
    assert_int_equal(count(r, "fanouts"), 0);
    assert_int_equal(count(r, "messages WHERE channel <> 0"), 1);
    assert_int_equal(count(r, "messages WHERE channel = 0"), 451);
    rig_advance(r, 9 * DAY + 2 * 3600000);
    assert_int_equal(count(r, "messages WHERE channel = 0"), 452);      /* the delay fired, its run is only over now … */
    assert_int_equal(count(r, "events WHERE transaction_id = 'pending'"), 1);   /* … and is kept 30 days from then */
    rig_advance(r, 29 * DAY);
    assert_int_equal(count(r, "events WHERE transaction_id = 'pending'"), 1);
    rig_advance(r, 2 * DAY);
    assert_int_equal(count(r, "events WHERE transaction_id = 'pending'"), 0);
    rig_sql(r, "UPDATE messages SET read = 1, seen = 1 WHERE subscriber_id IN (SELECT id FROM subscribers WHERE subscriber_id LIKE 'p1%')");
    assert_int_equal(r->forgot, 0);
    rig_advance(r, 314 * DAY);
    assert_int_equal(count(r, "messages"), 1);                  /* the late one is not a year old yet */
    assert_int_equal(r->forgot, 338 + 2);                       /* those who had not read theirs, x twice */
    assert_int_equal(r->forgetting, r->forgot);
    rig_advance(r, 20 * DAY);
    assert_int_equal(count(r, "messages"), 0);
    assert_int_equal(count(r, "runs"), 0);
    assert_int_equal(count(r, "events"), 0);
    assert_int_equal(count(r, "deliveries"), 0);
    assert_nothing_left(r);
    rig_end(r);
}

static void a_workflow_knows_when_it_was_triggered(void **state)
{
    struct rig *r = rig_start(state, true);
    int64_t first = clock_now_ms(&r->clock);
    rig_workflow(r, "hello", IN_APP);
    rig_trigger(r, "hello", "t1", "{\"to\":\"a\"}");
    assert_int_equal(number(r->db, "SELECT last_triggered_at FROM workflows"), first);
    rig_advance(r, 59000);
    rig_trigger(r, "hello", "t2", "{\"to\":\"a\"}");
    assert_int_equal(number(r->db, "SELECT last_triggered_at FROM workflows"), first);
    rig_advance(r, 1000);
    rig_trigger(r, "hello", "t3", "{\"to\":\"a\"}");
    assert_int_equal(number(r->db, "SELECT last_triggered_at FROM workflows"), first + 60000);
    rig_end(r);
}

#define EACH_DB(f) {#f " (sqlite)", f, NULL, NULL, (void *)(uintptr_t)&both_kinds[0]}, \
                   {#f " (postgres)", f, NULL, NULL, (void *)(uintptr_t)&both_kinds[1]}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        EACH_DB(topics_reach_each_member_once),
        EACH_DB(a_run_names_its_topics),
        EACH_DB(subscriptions_decide),
        EACH_DB(contexts_choose_subscriptions),
        EACH_DB(a_long_to_and_topics),
        EACH_DB(a_broadcast_reaches_who_was_there),
        EACH_DB(a_pause_holds_over_a_restart),
        EACH_DB(a_cancel_ends_it),
        EACH_DB(a_deleted_workflow_ends_it),
        EACH_DB(a_small_trigger_does_not_wait_behind_fan_outs),
        EACH_DB(a_chunk_planned_ahead_of_one_that_fails),
        cmocka_unit_test(a_chunk_is_not_starved),
        EACH_DB(a_repeated_transaction_is_told),
        EACH_DB(who_is_left_out_is_told),
        EACH_DB(tenants_and_actors_come_along),
        EACH_DB(attachments_last_as_long_as_runs),
        EACH_DB(what_is_old_goes_but_nothing_pending),
        EACH_DB(a_workflow_knows_when_it_was_triggered),
    };
    if (!crypto_init())
        return 1;
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
