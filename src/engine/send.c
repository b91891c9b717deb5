/* Choosing an integration, and making and handing over messages (engine.md §7.1, §7.2). */
#include "engine/machine_private.h"

/* Push and chat have no demo integration: the outbox stands in for it (decisions.md 5). */
static const struct integration push_outbox = {.provider_id = {"push-webhook", 12}, .name = {"Outbox", 6},
                                               .identifier = {"outbox-push", 11}, .channel = CHANNEL_PUSH, .active = true};
static const struct integration chat_outbox = {.provider_id = {"chat-webhook", 12}, .name = {"Outbox", 6},
                                               .identifier = {"outbox-chat", 11}, .channel = CHANNEL_CHAT, .active = true};

static bool is_outbox(const struct integration *i)
{
    return integration_is_demo(i) || i == &push_outbox || i == &chat_outbox;
}

static struct str override_identifier(const struct machine *m, enum channel c)
{
    return json_get_str(json_getn(m->facts->overrides, channel_name(c)), "integrationIdentifier");
}

const struct integration *machine_select_integration(struct machine *m, int job, enum channel c)
{
    const struct machine_facts *f = m->facts;
    const struct integration *i = integration_select(f->integrations, f->integrations_n, c, override_identifier(m, c));
    if (i && integration_is_demo(i) && !f->outbox)
        i = NULL;                       /* the environment's switch is off */
    if (!i && f->outbox && (c == CHANNEL_PUSH || c == CHANNEL_CHAT))
        i = c == CHANNEL_PUSH ? &push_outbox : &chat_outbox;
    if (!i) {
        machine_fail(m, job, DETAIL_NO_INTEGRATION, STR_NULL, STR_NULL);
        return NULL;
    }
    m->run->jobs[job].provider_id = i->provider_id;
    if (c == CHANNEL_IN_APP)            /* engine.md §12.A: not logged for the Inbox */
        return i;
    struct buf raw = {.arena = m->run->arena};
    char hex[ID_HEX + 1];
    id_hex(i->id, hex);
    buf_z(&raw, "{\"providerId\":");
    json_quote(&raw, i->provider_id);
    buf_z(&raw, ",\"identifier\":");
    json_quote(&raw, i->identifier);
    buf_z(&raw, ",\"name\":");
    json_quote(&raw, i->name);
    buf_fmt(&raw, ",\"_id\":\"%s\"}", hex);
    machine_log(m, job, DETAIL_PROVIDER_SELECTED, DETAIL_PENDING, buf_finish(&raw));
    return i;
}

struct message machine_message(struct machine *m, int job, const struct step_definition *s, enum channel c)
{
    const struct run_row *r = &m->run->row;
    (void)s;
    return (struct message){
        .id = run_derived_id(r->id, DERIVED_MESSAGE, job),
        .environment = r->environment,
        .subscriber = r->subscriber,
        .run = r->id,
        .job = run_derived_id(r->id, DERIVED_JOB, job),
        .workflow = r->workflow,
        .channel = c,
        .context = r->context,
        .severity = r->severity,
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
    if (w->tags)
        json_add_val(d, doc, "tags", w->tags);
    yyjson_mut_val *workflow = json_add_obj(d, doc, "workflow");
    json_add_id(d, workflow, "id", w->workflow.id);
    json_add_str(d, workflow, "identifier", w->workflow.identifier);
    json_add_str(d, workflow, "name", w->workflow.name);
    json_add_bool(d, workflow, "critical", w->critical);
    if (w->tags)
        json_add_val(d, workflow, "tags", w->tags);
    json_add_str(d, workflow, "severity", severity_name(w->severity));
    return doc;
}

enum outcome machine_send(struct machine *m, int job, const struct message *message, struct str recipient,
                          struct str outbox_doc, const struct integration *i)
{
    if (!is_outbox(i) && !m->facts->capture) {
        struct effect *e = machine_effect(m, EFFECT_DELIVERY);
        e->queue = (struct queue_item){.due_at = m->facts->now, .job = job, .attempt = 1};
        return OUTCOME_WAITING;
    }
    struct effect *e = machine_effect(m, EFFECT_OUTBOX);
    char hex[ID_HEX + 1];
    id_hex(message->id, hex);
    e->outbox = (struct outbox_message){
        .id = message->id,
        .environment = message->environment,
        .message = message->id,
        .channel = message->channel,
        .recipient = recipient,
        .transaction_id = m->facts->transaction_id,
        .doc = outbox_doc,
        .created_at = m->facts->now,
    };
    m->run->jobs[job].attempts = 1;
    machine_log_message(m, job, DETAIL_MESSAGE_SENT, DETAIL_SUCCESS, str_fmt(m->run->arena, "{\"id\":\"%s\"}", hex));
    return OUTCOME_COMPLETED;
}
