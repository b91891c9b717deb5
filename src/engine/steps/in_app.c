/* The in-app step: a message in the Inbox (engine.md §4.1, §7.3, §7.5). */
#include "engine/machine_private.h"

#include "base/clock.h"

/* An http(s) URL or a path (content.md §2, output schema): nothing that a browser would run. */
static bool url_is_link(struct str url)
{
    bool path = url.p[0] == '/';
    struct str rest = str_starts(url, STR("https://")) ? str_sub(url, 8, url.n) : str_starts(url, STR("http://")) ? str_sub(url, 7, url.n) : STR_NULL;
    if (path)
        rest = url;
    for (size_t i = 0; i < rest.n; i++)
        if (strchr(" \t\r\n\f\v", rest.p[i]))
            return false;
    return path || (rest.n > 1 && !strchr("/$.?#", rest.p[0]));
}

/* javascript:…, mailto:…: older workflows may have links without any. */
static bool has_scheme(struct str url)
{
    ptrdiff_t colon = str_find(url, STR(":"));
    for (ptrdiff_t i = 0; i < colon; i++)
        if (strchr("/?#", url.p[i]))
            return false;
    return colon >= 0;
}

/* What the step's content says, by name; NULL what it does not. */
struct outputs {
    yyjson_val *subject, *body, *avatar, *data, *redirect, *primary, *secondary;
};

static struct outputs outputs_read(yyjson_val *outputs)
{
    static const struct str names[] = {STR_INIT("subject"), STR_INIT("body"), STR_INIT("avatar"), STR_INIT("data"), STR_INIT("redirect"),
                                       STR_INIT("primaryAction"), STR_INIT("secondaryAction")};
    yyjson_val *v[sizeof names / sizeof *names];
    json_members(outputs, names, sizeof names / sizeof *names, v);
    return (struct outputs){v[0], v[1], v[2], v[3], v[4], v[5], v[6]};
}

/* The first link that is none; NULL: all are good, or there is none. */
static const char *bad_link(const struct step_definition *s, const struct outputs *o)
{
    const struct { const char *name; yyjson_val *redirect; } links[] = {
        {"redirect.url", o->redirect}, {"primaryAction.redirect.url", json_get(o->primary, "redirect")},
        {"secondaryAction.redirect.url", json_get(o->secondary, "redirect")}};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        struct str url = json_get_str(links[i].redirect, "url");
        if (url.n && !url_is_link(url) && (!s->older || has_scheme(url)))
            return links[i].name;
    }
    return NULL;
}

static bool target_is_known(struct str target)
{
    static const char *const targets[] = {"_self", "_blank", "_parent", "_top", "_unfencedTop"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (str_eqz(target, targets[i]))
            return true;
    return false;
}

/* {"url":…,"target":…} of a redirect; false: no usable url. */
static bool redirect_data(yyjson_mut_doc *d, yyjson_val *redirect, yyjson_mut_val *into)
{
    struct str url = json_get_str(redirect, "url"), target = json_get_str(redirect, "target");
    if (!url.n)
        return false;
    json_add_str(d, into, "url", url);
    /* content.md §2: the default target is _self for paths, _blank for other addresses. */
    json_add_str(d, into, "target", target_is_known(target) ? target : url.p[0] == '/' ? STR("_self") : STR("_blank"));
    return true;
}

static void add_button(yyjson_mut_doc *d, yyjson_mut_val *buttons, yyjson_val *action, const char *type)
{
    struct str label = json_get_str(action, "label");
    if (!label.n)
        return;
    yyjson_mut_val *b = yyjson_mut_arr_add_obj(d, buttons);
    json_add_str(d, b, "type", str_of(type));
    json_add_str(d, b, "content", label);
    redirect_data(d, json_get(action, "redirect"), b);
}

static struct str cta_text(struct machine *m, const struct outputs *o)
{
    if (!o->redirect && !o->primary && !o->secondary)
        return STR("{}");
    yyjson_mut_doc *d = json_doc(m->run->arena);
    yyjson_mut_val *cta = yyjson_mut_obj(d), *data = yyjson_mut_obj(d), *buttons = yyjson_mut_arr(d);
    if (redirect_data(d, o->redirect, data)) {
        json_add_str(d, cta, "type", STR("redirect"));
        yyjson_mut_obj_add_val(d, cta, "data", data);
    }
    add_button(d, buttons, o->primary, "primary");
    add_button(d, buttons, o->secondary, "secondary");
    if (yyjson_mut_arr_size(buttons)) {
        yyjson_mut_val *action = json_add_obj(d, cta, "action");
        json_add_str(d, action, "status", STR("pending"));
        yyjson_mut_obj_add_val(d, action, "buttons", buttons);
        json_add_obj(d, action, "result");
    }
    return json_write_mut(m->run->arena, cta);
}

/* Written as a text at once: this is the hottest of all messages. */
static struct str message_doc(struct machine *m, int job, const struct step_definition *s, const struct outputs *o)
{
    struct buf b = {.arena = m->run->arena};
    struct str body = json_str(o->body), avatar = json_str(o->avatar);
    buf_reserve(&b, 512 + body.n);
    machine_put_message(&b, m, job, s);
    json_put(&b, "content", body.p ? body : STR(""));
    if (json_str(o->subject).n)
        json_put(&b, "subject", json_str(o->subject));
    if (!avatar.n)
        avatar = json_get_str(m->facts->actor, "avatar");       /* decisions.md 18 */
    if (avatar.n)
        json_put(&b, "avatar", avatar);
    if (s->actor) {
        buf_z(&b, ",\"actor\":{\"type\":");
        json_quote(&b, json_get_str(s->actor, "type"));
        json_put(&b, "data", json_get_str(s->actor, "data"));
        buf_char(&b, '}');
    }
    if (yyjson_is_obj(o->data)) {
        buf_z(&b, ",\"data\":");
        buf_str(&b, json_write(b.arena, o->data));
    }
    buf_z(&b, ",\"cta\":");
    buf_str(&b, cta_text(m, o));
    buf_z(&b, ",\"deliveredAt\":[");
    buf_int(&b, m->facts->now);
    buf_z(&b, "]}");
    return buf_finish(&b);
}

enum outcome step_in_app(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs)
{
    const struct outputs o = outputs_read(outputs);
    const char *bad = bad_link(s, &o);
    if (bad)
        return content_fails(m, job, str_fmt(m->run->arena, "%s must be an http(s) URL or a path that starts with /", bad));
    if (!machine_select_integration(m, job, CHANNEL_IN_APP))
        return machine_unsent(m, job);
    struct effect *e = machine_effect(m, EFFECT_MESSAGE);
    e->message = machine_message(m, job, s, CHANNEL_IN_APP);
    e->message.doc = message_doc(m, job, s, &o);
    machine_log_message(m, job, DETAIL_MESSAGE_CREATED, DETAIL_PENDING, STR_NULL);
    struct effect *received = machine_effect(m, EFFECT_RECEIVED);
    received->message = e->message;
    machine_log_message(m, job, DETAIL_MESSAGE_SENT, DETAIL_SUCCESS, STR_NULL);
    return OUTCOME_COMPLETED;
}
