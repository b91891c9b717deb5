/* Loads what the machine may know of the world. */
#include "engine/engine_private.h"

#include "model/context.h"

static bool lookup_digest_group(void *world, struct str key, struct digest_group *out, struct error *err)
{
    return digest_group_find(world, key, out, err);
}

static bool lookup_digest_events(void *world, struct arena *a, struct id run, int job, struct digest_event **out, size_t *n,
                                 struct error *err)
{
    return digest_event_list(world, a, run, job, out, n, err);
}

static bool lookup_throttle_window(void *world, struct str key, struct throttle_window *out, struct error *err)
{
    return throttle_window_find(world, key, out, err);
}

struct machine_lookups lookups_of(struct db *db)
{
    return (struct machine_lookups){.world = db, .digest_group = lookup_digest_group, .digest_events = lookup_digest_events,
                                    .throttle_window = lookup_throttle_window};
}

struct event_parts event_parts_of(yyjson_val *doc)
{
    static const struct str names[] = {STR_INIT("payload"), STR_INIT("overrides"), STR_INIT("to"), STR_INIT("actor"),
                                       STR_INIT("tenant"), STR_INIT("context"), STR_INIT("bridge"), STR_INIT("controls")};
    yyjson_val *v[sizeof names / sizeof *names];
    json_members(doc, names, sizeof names / sizeof *names, v);
    return (struct event_parts){v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]};
}

/* What a trigger brought along stays as it was. */
static bool definitions_load(struct engine *e, struct db *db, const struct run_row *row, struct definition *given,
                             yyjson_val *bridge, struct facts *f, struct error *err)
{
    struct error missing = {0};
    if (given || bridge) {
        f->version = given ? cached_ref(&given->head)
                           : definition_brought(e->c.definitions, row->environment, row->workflow, bridge, err);
        f->current = f->version ? cached_ref(&f->version->head) : NULL;
        return f->version != NULL;
    }
    f->current = definition_by_id(e->c.definitions, db, row->environment, row->workflow, &missing);
    if (!f->current && missing.code != ERROR_NOT_FOUND) {
        *err = missing;
        return false;
    }
    if (f->current && f->current->workflow.version == row->workflow_version) {
        f->version = cached_ref(&f->current->head);
        return true;
    }
    f->version = definition_version(e->c.definitions, db, row->environment, row->workflow, row->workflow_version, err);
    f->workflow_gone = !f->current;
    if (f->version && !f->current)
        f->current = cached_ref(&f->version->head);
    return f->version != NULL;
}

/* When each integration may be asked again; NULL while all may. */
static const int64_t *circuits_of(struct engine *e, struct arena *a, const struct environment_view *v)
{
    int64_t now = clock_now_ms(e->c.clock), *list = NULL;
    for (size_t i = 0; i < v->integrations_n; i++) {
        int64_t until = circuit_open_until(e->circuits, v->integrations[i].id, now);
        if (until && !list)
            list = ARENA_ARRAY(a, int64_t, v->integrations_n);
        if (until)
            list[i] = until;
    }
    return list;
}

/* The contexts as they are now; given: one that this very trigger is about to make is as it was given (engine.md §1.6). Later
 * one that is missing was deleted. */
static bool context_load(struct db *db, struct arena *a, const struct run_row *row, yyjson_val *given, yyjson_val **out,
                         struct error *err)
{
    yyjson_val *stored, *type;
    *out = NULL;
    if (!row->context.n)
        return true;
    if (!context_resolve(db, a, row->environment, row->context, &stored, err))
        return false;
    *out = stored;
    if (!given || yyjson_obj_size(stored) == yyjson_obj_size(given))
        return true;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *all = yyjson_val_mut_copy(d, stored);
    yyjson_obj_iter it = yyjson_obj_iter_with(given);
    while ((type = yyjson_obj_iter_next(&it))) {
        yyjson_val *v = yyjson_obj_iter_get_val(type);
        if (json_getn(stored, json_str(type)))
            continue;
        yyjson_mut_val *one = yyjson_mut_obj(d);
        json_add_val(d, one, "id", yyjson_is_str(v) ? v : json_get(v, "id"));
        if (yyjson_is_obj(json_get(v, "data")))
            json_add_val(d, one, "data", json_get(v, "data"));
        else
            json_add_obj(d, one, "data");
        yyjson_mut_obj_put(all, yyjson_val_mut_copy(d, type), one);
    }
    return json_parse(a, json_write_mut(a, all), out, err);
}

static bool uses_endpoints(const struct definition *d)
{
    for (int i = 0; i < d->steps_n; i++)
        if (d->steps[i].type == STEP_CHAT || d->steps[i].type == STEP_TOOL)
            return true;
    return false;
}

/* Channel endpoints, opened; one that cannot be opened is left out. */
static bool endpoints_load(struct engine *e, struct db *db, struct arena *a, const struct run_row *row, struct facts *f, struct error *err)
{
    struct channel_endpoint *all;
    size_t n, kept = 0;
    if (!uses_endpoints(f->version) && !uses_endpoints(f->current))
        return true;
    if (!channel_endpoints_of(db, a, row->environment, f->subscriber.subscriber_id, row->context, &all, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (directory_open(e->c.directory, a, all[i].endpoint, &all[i].endpoint))
            all[kept++] = all[i];
    f->endpoints = all;
    f->endpoints_n = kept;
    return true;
}

bool facts_load(struct engine *e, struct db *db, struct arena *a, const struct run *run, const struct event *event,
                const struct event_parts *parts, struct definition *definition, const struct subscriber *subscriber,
                const struct preference_rows *preferences, struct facts *f, struct error *err)
{
    const struct run_row *row = &run->row;
    yyjson_val *context;
    *f = (struct facts){.environment = directory_environment(e->c.directory, db, row->environment, err)};
    if (!f->environment || !definitions_load(e, db, row, definition, parts->bridge, f, err)
        || !(f->layouts = definition_layouts(e->c.definitions, db, row->environment, err)))
        goto fail;
    if (subscriber)
        f->subscriber = *subscriber;
    else if (!subscriber_find_by_id(db, a, row->environment, row->subscriber, &f->subscriber, err))
        goto fail;
    if (preferences)
        f->preferences = *preferences;
    if (!endpoints_load(e, db, a, row, f, err)
        || !context_load(db, a, row, definition ? parts->context : NULL, &context, err))
        goto fail;
    if (!preferences && !preference_for_run(db, a, row->subscriber, row->workflow, run->subscription, row->context, &f->preferences, err))
        goto fail;
    f->machine = (struct machine_facts){
        .now = clock_now_ms(e->c.clock),
        .version = f->version,
        .current = f->current,
        .subscriber = &f->subscriber,
        .integrations = f->environment->integrations,
        .integrations_n = f->environment->integrations_n,
        .outbox = f->environment->environment.outbox,
        .capture = e->c.capture,
        .environment_name = f->environment->environment.name,
        .environment_type = f->environment->environment.type,
        .transaction_id = event->transaction_id,
        .payload = parts->payload,
        .overrides = parts->overrides,
        .actor = parts->actor,
        .tenant = parts->tenant,
        .context = context,
        .preferences = &f->preferences,
        .workflow_off_is_final = json_get_bool(f->environment->settings, "workflowChannelOffIsFinal", false),
        .bridge_url = json_get_str(parts->bridge ? parts->bridge : json_get(f->environment->settings, "bridge"), "url"),
        .stateless = parts->bridge != NULL,
        .controls = parts->controls,
        .environment_variables = f->environment->environment_variables,
        .layouts = f->layouts->layouts,
        .layout_texts = f->layouts->texts,
        .layout_bodies = f->layouts->bodies,
        .layouts_n = f->layouts->n,
        .layout_default = f->layouts->standard,
        .endpoints = f->endpoints,
        .endpoints_n = f->endpoints_n,
        .attempts_max = e->c.attempts_max,
        .workflow_gone = f->workflow_gone,
        .defer_max_ms = e->c.defer_max_ms,
        .lookups = &f->lookups,
        .policy = f->environment->delivery,
        .circuits = circuits_of(e, a, f->environment),
    };
    f->lookups = lookups_of(db);
    return true;
fail:
    facts_release(f);
    return false;
}

bool facts_opened(struct db *db, struct arena *a, const struct facts *f, const struct run_row *row, struct message *messages, size_t n,
                  struct error *err)
{
    struct run_marked *marks;
    size_t marks_n, mails = 0;
    for (size_t i = 0; i < n; i++)
        mails += messages[i].channel == CHANNEL_EMAIL;
    if (!mails || !(f->current->looks_back || f->version->looks_back))
        return true;
    if (!run_marks(db, a, row->environment, row->id, &marks, &marks_n, err))
        return false;
    for (size_t k = 0; k < marks_n; k++)
        for (size_t i = 0; i < n; i++)
            if (marks[k].what == MARKED_OPENED && messages[i].channel == CHANNEL_EMAIL && id_eq(messages[i].id, marks[k].message))
                messages[i].seen = messages[i].read = true;
    return true;
}

void facts_release(struct facts *f)
{
    if (f->environment)
        cached_unref(&f->environment->head);
    if (f->version)
        cached_unref(&f->version->head);
    if (f->current)
        cached_unref(&f->current->head);
    if (f->layouts)
        cached_unref(&f->layouts->head);
    *f = (struct facts){.environment = NULL};
}
