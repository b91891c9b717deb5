/* Chooses the layout of an e-mail and renders its body into it (engine.md §1.9, content.md §4.6); bodies of chats, too. */
#include "engine/machine_private.h"

/* The first of: the step's override, the channel's, the deprecated one, the control value. null means no layout, and a
 * member that is absent passes the decision on. */
static yyjson_val *layout_wanted(const struct machine *m, const struct step_definition *s, yyjson_val *control)
{
    yyjson_val *overrides = m->facts->overrides, *steps = json_get(overrides, "steps");
    char hex[ID_HEX + 1];
    id_hex(s->id, hex);
    yyjson_val *step = json_get(steps, hex) ? json_get(steps, hex) : json_getn(steps, s->step_id);
    yyjson_val *v = json_get(step, "layoutId");
    if (!v)
        v = json_get(json_get(json_get(overrides, "channels"), "email"), "layoutId");
    if (!v && json_get_str(overrides, "layoutIdentifier").n)
        v = json_get(overrides, "layoutIdentifier");
    return v ? v : control;
}

static const struct email_layout *layout_find(const struct machine *m, struct str wanted)
{
    for (size_t i = 0; i < m->facts->layouts_n; i++)
        if (str_eq(m->facts->layouts[i].identifier, wanted) || str_eq(m->facts->layouts[i].id, wanted))
            return &m->facts->layouts[i];
    return NULL;
}

static void log_layout(struct machine *m, int job, const struct email_layout *layout, struct str wanted)
{
    struct buf raw = {.arena = m->run->arena};
    buf_z(&raw, layout ? "{\"name\":" : "{\"error\":\"Layout not found\"");
    if (layout)
        json_quote(&raw, layout->name);
    buf_z(&raw, ",\"layoutId\":");
    json_quote(&raw, layout ? layout->identifier : wanted);
    buf_char(&raw, '}');
    machine_log(m, job, layout ? DETAIL_LAYOUT_SELECTED : DETAIL_LAYOUT_NOT_FOUND, layout ? DETAIL_PENDING : DETAIL_FAILED,
                buf_finish(&raw));
}

static bool layout_choose(struct machine *m, int job, const struct step_definition *s, const struct email_layout **layout,
                          struct error *err)
{
    yyjson_val *chosen = layout_wanted(m, s, json_get(s->values, "layoutId"));
    struct str wanted = json_str(chosen);
    *layout = chosen ? NULL : m->facts->layout_default;     /* null is "none", silence is the environment's default */
    if (wanted.n)
        *layout = layout_find(m, wanted);
    else if (!*layout)
        return true;
    log_layout(m, job, *layout, wanted);
    return *layout || error_set(err, ERROR_NOT_FOUND, "Layout not found: %.*s", STR_ARG(str_cut(wanted, 200)));
}

static struct str member(yyjson_mut_val *o, const char *key)
{
    yyjson_mut_val *v = yyjson_mut_obj_get(o, key);
    return yyjson_mut_is_str(v) ? (struct str){yyjson_mut_get_str(v), yyjson_mut_get_len(v)} : STR_NULL;
}

static void member_put(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, struct str s)
{
    yyjson_mut_obj_put(o, yyjson_mut_str(d, key), yyjson_mut_strn(d, s.p, s.n));
}

/* NULL: translations are not switched on. */
static const struct reader_texts *texts_for_reader(const struct machine *m, const struct resource_texts *t, struct reader_texts *out)
{
    if (!t->on)
        return NULL;
    *out = resource_texts_for(t, m->facts->subscriber->field[SUBSCRIBER_LOCALE]);
    return out;
}

bool email_output(struct machine *m, int job, const struct step_definition *s, const struct liquid_context *ctx,
                  yyjson_mut_doc *d, yyjson_mut_val *outputs, struct error *err)
{
    struct str locale = m->facts->subscriber->field[SUBSCRIBER_LOCALE];
    struct email_input in = {.body = body_texts_for(&s->body, &m->facts->current->texts, locale),
                             .subject = member(outputs, "subject"), .preheader = member(outputs, "preheader"),
                             .raw = json_get_bool(s->values, "disableOutputSanitization", false)};
    struct email_output out;
    struct reader_texts step_texts, layout_texts;
    struct email_layout layout;
    if (!layout_choose(m, job, s, &in.layout, err))
        return false;
    in.texts = texts_for_reader(m, &m->facts->current->texts, &step_texts);
    if (in.layout && m->facts->layout_texts) {
        size_t i = (size_t)(in.layout - m->facts->layouts);
        in.layout_texts = texts_for_reader(m, &m->facts->layout_texts[i], &layout_texts);
        layout = *in.layout;
        layout.body = body_texts_for(&m->facts->layout_bodies[i], &m->facts->layout_texts[i], locale);
        in.layout = &layout;
    }
    if (!email_render(&in, ctx, m->run->arena, &out, err))
        return false;
    if (in.subject.p)
        member_put(d, outputs, "subject", out.subject);
    member_put(d, outputs, "body", out.html);
    return true;
}

bool chat_output(struct machine *m, const struct step_definition *s, const struct liquid_context *ctx, yyjson_mut_doc *d,
                 yyjson_mut_val *outputs, struct error *err)
{
    const struct resource_texts *all = &m->facts->current->texts;
    struct reader_texts texts;
    struct chat_content chat;
    if (!email_body_chat(body_texts_for(&s->body, all, m->facts->subscriber->field[SUBSCRIBER_LOCALE]),
                         texts_for_reader(m, all, &texts), ctx, m->run->arena, &chat, err))
        return false;
    member_put(d, outputs, "body", chat.text);
    yyjson_mut_obj_put(outputs, yyjson_mut_str(d, "card"), yyjson_val_mut_copy(d, chat.card));
    return true;
}
