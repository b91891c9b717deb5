/* What a channel cannot send without: content that renders to nothing fails its step, and says so (content.md §2, output schemas). */
#include "engine/machine_private.h"

enum outcome content_fails(struct machine *m, int job, struct str why)
{
    struct buf raw = {.arena = m->run->arena};
    buf_z(&raw, "{\"error\":");
    json_quote(&raw, why);
    buf_char(&raw, '}');
    return machine_fail(m, job, DETAIL_CONTENT_FAILED, buf_finish(&raw), why);
}

/* What an application answers is measured by the output schema as it stands. */
static const char *output_missing(enum step_type type, yyjson_val *outputs)
{
    bool subject = yyjson_is_str(json_get(outputs, "subject")), body = yyjson_is_str(json_get(outputs, "body"));
    bool title = json_get_str(outputs, "subject").n > 0;
    switch (type) {
    case STEP_IN_APP: return title || json_get_str(outputs, "body").n ? NULL : "subject or body";
    case STEP_EMAIL: return !title ? "subject" : body ? NULL : "body";
    case STEP_PUSH: return !subject ? "subject" : body ? NULL : "body";
    case STEP_SMS:
    case STEP_TOOL: return body ? NULL : "body";
    case STEP_CHAT: return body || yyjson_is_obj(json_get(outputs, "card")) ? NULL : "body";
    default: return NULL;
    }
}

/* Here an e-mail without a body has its layout, and a push needs no title; but nothing is sent that is empty. */
static const char *text_missing(enum step_type type, yyjson_val *outputs)
{
    bool subject = json_get_str(outputs, "subject").n > 0, body = json_get_str(outputs, "body").n > 0;
    switch (type) {
    case STEP_IN_APP:
    case STEP_PUSH: return subject || body ? NULL : "subject or body";
    case STEP_EMAIL: return subject ? NULL : "subject";
    case STEP_SMS:
    case STEP_TOOL: return body ? NULL : "body";
    case STEP_CHAT: return body || yyjson_is_obj(json_get(outputs, "card")) ? NULL : "body";
    default: return NULL;
    }
}

const char *content_missing(const struct machine *m, const struct step_definition *s, yyjson_val *outputs)
{
    const char *missing = m->facts->current->external ? output_missing(s->type, outputs) : text_missing(s->type, outputs);
    return missing && !overrides_say(m, s, outputs) ? missing : NULL;
}

/* Older workflows stand by empty texts, except of an SMS (send-message-sms.usecase.ts). */
bool content_stands(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs)
{
    struct arena *a = m->run->arena;
    if (s->older && s->type != STEP_SMS)
        return true;
    const char *missing = content_missing(m, s, outputs);
    if (missing)
        content_fails(m, job, s->older ? STR("Unexpected error: SMS content is missing")
                                       : str_fmt(a, "%c%s is required", missing[0] - 'a' + 'A', missing + 1));
    return !missing;
}
