/* Attachments on their way through the engine (engine.md §1.8): stored with the event, named by messages, loaded for
 * attempts, gone with the last run. */
#include "engine/plan_private.h"

#include "engine/machine_private.h"

bool attachments_hold(struct plan *p, struct error *err)
{
    const struct trigger *t = p->work->trigger;
    if (!t->attachments_n)
        return true;
    if (!attachment_store_put(p->engine->attachments, t->attachments, t->attachments_n, err))
        return false;
    p->holds_attachments = true;
    return true;
}

void attachments_let_go(struct plan *p)
{
    if (p->holds_attachments)
        attachment_store_unpin(p->engine->attachments, p->work->trigger->attachments, p->work->trigger->attachments_n);
    p->holds_attachments = false;
}

bool attachments_named(const struct event_parts *parts)
{
    return yyjson_arr_size(json_get(parts->payload, "attachments")) > 0;
}

bool attachments_apply(struct plan *p, struct db *db, struct error *err)
{
    bool ended = false;
    p->removal = (struct attachment_removal){.n = 0};
    if (p->insert_event && p->work->trigger->attachments_n
        && !attachment_insert(p->engine->attachments, db, p->event.id, p->work->trigger->attachments,
                              p->work->trigger->attachments_n, p->event.created_at, err))
        return false;
    if (!p->attached)
        return true;
    for (size_t i = 0; i < p->runs_n; i++)
        ended |= p->runs[i].run.row.status != RUN_PROCESSING;
    /* Of a fan-out's many runs each would look at all the others: housekeeping does that once a minute. */
    return !ended || p->fanout_change != FANOUT_NONE || attachment_settle(db, p->arena, p->event.id, true, &p->removal, err);
}

/* --- messages and attempts -------------------------------------------------------------------------------------- */

/* No channels: all. */
static bool is_for(yyjson_val *attachment, struct str channel)
{
    yyjson_val *channels = json_get(attachment, "channels"), *c;
    yyjson_arr_iter it = yyjson_arr_iter_with(channels);
    while ((c = yyjson_arr_iter_next(&it)))
        if (str_eq(json_str(c), channel))
            return true;
    return yyjson_arr_size(channels) == 0;
}

void machine_add_attachments(struct machine *m, yyjson_mut_doc *d, yyjson_mut_val *doc, enum channel c)
{
    yyjson_val *list = json_get(m->facts->payload, "attachments"), *a;
    yyjson_mut_val *out = NULL;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((a = yyjson_arr_iter_next(&it))) {
        if (!json_get_str(a, "storagePath").n || !is_for(a, channel_name(c)))
            continue;
        if (!out)
            out = json_add_arr(d, doc, "storedAttachments");
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, out);
        json_add_str(d, o, "name", json_get_str(a, "name"));
        json_add_str(d, o, "mime", json_get_str(a, "mime"));
        json_add_str(d, o, "storagePath", json_get_str(a, "storagePath"));
        if (json_get_str(a, "cid").n)
            json_add_str(d, o, "cid", json_get_str(a, "cid"));
    }
}

bool delivery_attachments(struct worker *w, struct engine_delivery *d, struct error *err)
{
    yyjson_val *list = json_get(d->doc, "storedAttachments"), *a;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    d->attachments = ARENA_ARRAY(d->arena, struct engine_attachment, yyjson_arr_size(list));
    while ((a = yyjson_arr_iter_next(&it))) {
        struct engine_attachment *x = &d->attachments[d->attachments_n];
        x->name = json_get_str(a, "name").n ? json_get_str(a, "name") : STR("file");
        x->mime = json_get_str(a, "mime").n ? json_get_str(a, "mime") : STR("application/octet-stream");
        x->cid = json_get_str(a, "cid");
        if (!json_get_str(a, "storagePath").n)
            continue;
        if (!attachment_read(w->engine->attachments, w->db, d->arena, json_get_str(a, "storagePath"), &x->bytes, err))
            return false;
        d->attachments_n++;
    }
    return true;
}
