/* Making messages and handing them over (engine.md §7.2). */
#include "engine/machine_private.h"

struct message machine_message(struct machine *m, int job, const struct step_definition *s, enum channel c)
{
    const struct run_row *r = &m->run->row;
    (void)s;
    return (struct message){
        .id = run_message_id(m->run, job, 0),
        .environment = r->environment,
        .subscriber = r->subscriber,
        .run = r->id,
        .job = run_derived_id(r->id, DERIVED_JOB, job),
        .workflow = r->workflow,
        .channel = c,
        .context = r->context,
        .severity = r->severity,
        .untagged = !yyjson_arr_size(m->facts->version->tags),
        .status = MESSAGE_SENT,
        .created_at = m->facts->now,
        .updated_at = m->facts->now,
    };
}

yyjson_mut_val *machine_message_doc(struct machine *m, yyjson_mut_doc *d, int job, const struct step_definition *s)
{
    const struct definition *w = m->facts->current;
    yyjson_mut_val *doc = yyjson_mut_obj(d);
    json_add_str(d, doc, "transactionId", m->facts->transaction_id);
    json_add_str(d, doc, "templateIdentifier", w->workflow.identifier);
    json_add_str(d, doc, "stepId", s->step_id);
    json_add_str(d, doc, "providerId", m->run->jobs[job].provider_id);
    if (m->facts->version->tags)        /* as they were at the trigger (engine.md §7.5) */
        json_add_val(d, doc, "tags", m->facts->version->tags);
    json_add_text(d, doc, "workflow", w->summary);
    return doc;
}

/* The same members, as text. */
void machine_put_message(struct buf *b, const struct machine *m, int job, const struct step_definition *s)
{
    const struct definition *w = m->facts->current;
    buf_z(b, "{\"transactionId\":");
    json_quote(b, m->facts->transaction_id);
    json_put(b, "templateIdentifier", w->workflow.identifier);
    json_put(b, "stepId", s->step_id);
    json_put(b, "providerId", m->run->jobs[job].provider_id);
    if (m->facts->version->tags) {
        buf_z(b, ",\"tags\":");
        buf_str(b, json_write(m->run->arena, m->facts->version->tags));
    }
    buf_z(b, ",\"workflow\":");
    buf_str(b, w->summary);
}

/* The outbox has one entry a message, or one a device of it. */
static void send_to_outbox(struct machine *m, int job, int number, const struct message *message, struct str recipient,
                           struct str outbox_doc, int device)
{
    struct effect *e = machine_effect(m, EFFECT_OUTBOX);
    char hex[ID_HEX + 1];
    e->outbox = (struct outbox_message){
        .id = device ? run_derived_id(message->id, DERIVED_DELIVERY, device) : message->id,
        .environment = message->environment,
        .message = message->id,
        .channel = message->channel,
        .recipient = recipient,
        .transaction_id = m->facts->transaction_id,
        .doc = outbox_doc,
        .created_at = m->facts->now,
    };
    id_hex(e->outbox.id, hex);
    m->run->jobs[job].attempts++;
    machine_log_of(m, job, number, DETAIL_MESSAGE_SENT, DETAIL_SUCCESS, str_fmt(m->run->arena, "{\"id\":\"%s\"}", hex));
}

struct message message_store(struct machine *m, int job, const struct step_definition *s, enum channel c, int number,
                             enum message_status status, struct str doc)
{
    struct message message = machine_message(m, job, s, c);
    message.id = run_message_id(m->run, job, number);
    message.status = status;
    message.doc = doc;
    machine_effect(m, EFFECT_MESSAGE)->message = message;
    machine_log_of(m, job, number, DETAIL_MESSAGE_CREATED, DETAIL_PENDING, STR_NULL);
    return message;
}

void machine_log_of(struct machine *m, int job, int number, enum detail d, enum detail_status st, struct str raw)
{
    run_log_add(m->run, m->facts->now, job, d, st, number + 1, raw);
}

bool machine_captures(const struct machine *m, const struct integration *i)
{
    return integration_is_outbox(i) || m->facts->capture;
}

enum outcome machine_send(struct machine *m, int job, const struct message *message, struct str recipient,
                          struct str outbox_doc, const struct integration *i)
{
    if (machine_captures(m, i)) {
        send_to_outbox(m, job, 0, message, recipient, outbox_doc, 0);
        return OUTCOME_COMPLETED;
    }
    delivery_begin(m, job, 0, i, STR_NULL);
    return OUTCOME_WAITING;
}

void machine_send_to(struct machine *m, int job, int number, const struct message *message, const struct integration *i,
                     struct str address, struct str recipient, struct str outbox_doc, int device)
{
    if (!machine_captures(m, i)) {
        delivery_begin(m, job, number, i, address);
        return;
    }
    struct run_target *t = run_target_add(m->run, job);
    t->status = TARGET_SENT;
    t->message = number;
    t->integration = i->id;
    send_to_outbox(m, job, number, message, recipient, outbox_doc, device);
}

void machine_skip_address(struct machine *m, int job, struct str address)
{
    struct run_target *t = run_target_add(m->run, job);
    t->status = TARGET_SKIPPED;
    t->address = address;
}
