/* One attempt of a delivery: hands the stored message to the world, and brings back what became of it. */
#include "engine/engine_private.h"

#include <stdlib.h>

static const struct integration *integration_by_id(const struct environment_view *v, struct id id)
{
    for (size_t i = 0; i < v->integrations_n; i++)
        if (id_eq(v->integrations[i].id, id))
            return &v->integrations[i];
    return NULL;
}

bool attempt_leave(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    bool ok = !e->no_attempts;
    e->out += ok;
    pthread_mutex_unlock(&e->lock);
    return ok;
}

bool attempt_come_back(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->out--;
    bool ended = e->ended, last = e->left && e->out == 0;
    pthread_mutex_unlock(&e->lock);
    if (last)
        engine_free(e);
    return !ended;
}

static void fail_at_once(struct engine_delivery *d, struct str why)
{
    struct machine_input in = {.verdict = VERDICT_FAILED, .error = why};
    engine_delivered(d, &in);
}

/* What the attempt needs, copied: the provider's settings as of now. */
static void delivery_fill(struct engine_delivery *d, const struct message *m, const struct environment_view *v)
{
    struct id integration;
    d->channel = m->channel;
    d->message = m->id;
    d->idempotency_key = id_str(d->arena, m->id);
    const struct integration *i = id_parse(json_get_str(d->doc, "integrationId"), &integration)
                                  ? integration_by_id(v, integration) : NULL;
    if (!i || !i->active)
        return;
    d->provider_id = str_dup(d->arena, i->provider_id);
    d->integration_name = str_dup(d->arena, i->name);
    if (i->credentials.p)
        d->credentials = str_dup(d->arena, i->credentials);
}

enum loaded { LOADED, LOAD_FAILED, ITEM_GONE, ENVIRONMENT_GONE, MESSAGE_GONE };

static enum loaded delivery_load(struct worker *w, struct engine_delivery *d, struct error *err)
{
    struct message m;
    bool exists;
    /* The timer thread may have read the item before its last attempt was written: sending again would be wrong. */
    if (!queue_exists(w->db, d->item.due_at, d->item.id, &exists, err))
        return LOAD_FAILED;
    if (!exists)
        return ITEM_GONE;
    struct environment_view *v = directory_environment(w->engine->c.directory, w->db, d->item.environment, err);
    if (!v)
        return err->code == ERROR_NOT_FOUND ? ENVIRONMENT_GONE : LOAD_FAILED;
    enum loaded result = LOADED;
    if (!message_find(w->db, d->arena, d->item.environment, run_derived_id(d->item.ref, DERIVED_MESSAGE, d->item.job), &m, err))
        result = err->code == ERROR_NOT_FOUND ? MESSAGE_GONE : LOAD_FAILED;
    else if (!json_parse(d->arena, m.doc, &d->doc, err))
        result = LOAD_FAILED;
    else
        delivery_fill(d, &m, v);
    cached_unref(&v->head);
    return result;
}

void attempt_delivery(struct worker *w, struct work *work)
{
    struct engine *e = w->engine;
    struct arena *a = arena_create(8192);
    struct engine_delivery *d = ARENA_NEW(a, struct engine_delivery);
    struct error err = {0};
    *d = (struct engine_delivery){.arena = a, .engine = e, .item = work->item, .attempt = work->item.attempt,
                                  .environment = work->item.environment};
    enum loaded loaded = delivery_load(w, d, &err);
    if (loaded == ITEM_GONE || ((loaded == LOADED || loaded == MESSAGE_GONE) && !attempt_leave(e))) {
        arena_destroy(a);
        work_end(e, work);
        return;
    }
    if (loaded == LOAD_FAILED || loaded == ENVIRONMENT_GONE) {
        arena_destroy(a);
        if (loaded == ENVIRONMENT_GONE)
            work_discard(e, work);
        else
            work_retry(e, work, &err);
        return;
    }
    free(work);                 /* the item lives on in d; busy stays counted until its result is committed */
    if (loaded == MESSAGE_GONE) {
        fail_at_once(d, STR("The message was deleted"));
    } else if (!d->provider_id.n) {
        fail_at_once(d, detail_text(DETAIL_PROVIDER_MISSING));
    } else {
        counter_add(e->metrics.attempts, 1);
        e->c.world.deliver(e->c.world.app, d);
    }
}

void engine_delivered(struct engine_delivery *d, const struct machine_input *result)
{
    struct engine *e = d->engine;
    struct arena *a = d->arena;         /* d and, mostly, the texts of result live in it */
    if (!attempt_come_back(e)) {
        arena_destroy(a);
        return;
    }
    struct work *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    w->kind = WORK_DELIVERED;
    w->item = d->item;
    w->arena = arena_create(0);
    w->input = *result;
    w->input.kind = INPUT_DELIVERY;
    w->input.job = d->item.job;
    w->input.attempt = d->item.attempt;
    w->input.provider_message_id = str_dup(w->arena, result->provider_message_id);
    w->input.response = str_dup(w->arena, result->response);
    w->input.error = str_dup(w->arena, result->error);
    arena_destroy(a);
    work_push(e, w, w->item.ref);
}
