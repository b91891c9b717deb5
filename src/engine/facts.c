/* Loads what the machine may know of the world. */
#include "engine/engine_private.h"

static bool definitions_load(struct engine *e, struct db *db, const struct run_row *row, struct definition *given,
                             struct facts *f, struct error *err)
{
    struct error missing = {0};
    if (given) {
        f->version = cached_ref(&given->head);
        f->current = cached_ref(&given->head);
        return true;
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
    if (f->version && !f->current)          /* the workflow was deleted: what it said last */
        f->current = cached_ref(&f->version->head);
    return f->version != NULL;
}

bool facts_load(struct engine *e, struct db *db, struct arena *a, const struct run_row *row, const struct event *event,
                yyjson_val *doc, struct definition *definition, const struct subscriber *subscriber, struct facts *f,
                struct error *err)
{
    *f = (struct facts){.environment = directory_environment(e->c.directory, db, row->environment, err)};
    if (!f->environment || !definitions_load(e, db, row, definition, f, err))
        goto fail;
    if (subscriber)
        f->subscriber = *subscriber;
    else if (!subscriber_find_by_id(db, a, row->environment, row->subscriber, &f->subscriber, err))
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
        .payload = json_get(doc, "payload"),
        .overrides = json_get(doc, "overrides"),
        .actor = json_get(doc, "actor"),
        .tenant = json_get(doc, "tenant"),
        .context = json_get(doc, "context"),
        .attempts_max = e->c.attempts_max,
    };
    return true;
fail:
    facts_release(f);
    return false;
}

void facts_release(struct facts *f)
{
    if (f->environment)
        cached_unref(&f->environment->head);
    if (f->version)
        cached_unref(&f->version->head);
    if (f->current)
        cached_unref(&f->current->head);
    *f = (struct facts){.environment = NULL};
}
