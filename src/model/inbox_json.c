/* A message as the Inbox's clients see it (inbox-realtime.md §2.1). */
#include "model/inbox.h"

static bool is_space(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7f;
}

/* An absolute http(s) address or a path of this site: never another scheme, never "//host". */
static bool url_is_safe(struct str url)
{
    struct str rest = STR_NULL;
    for (size_t i = 0; i < url.n; i++)
        if (is_space(url.p[i]))
            return false;
    if (url.n && url.p[0] == '/')
        return url.n == 1 || (url.p[1] != '/' && url.p[1] != '\\');
    if (str_starts(url, STR("https://")))
        rest = str_sub(url, 8, url.n);
    else if (str_starts(url, STR("http://")))
        rest = str_sub(url, 7, url.n);
    return rest.n >= 2 && !strchr("/$.?#", rest.p[0]);
}

static bool target_is_known(struct str target)
{
    static const char *const names[] = {"_self", "_blank", "_parent", "_top", "_unfencedTop"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_eqz(target, names[i]))
            return true;
    return false;
}

static void add_redirect(yyjson_mut_doc *d, yyjson_mut_val *o, yyjson_val *from)
{
    struct str url = json_get_str(from, "url"), target = json_get_str(from, "target");
    if (!url_is_safe(url))
        return;
    yyjson_mut_val *redirect = json_add_obj(d, o, "redirect");
    json_add_str(d, redirect, "url", url);
    if (target_is_known(target))
        json_add_str(d, redirect, "target", target);
}

static void add_actions(yyjson_mut_doc *d, yyjson_mut_val *o, yyjson_val *action)
{
    struct str result = json_get_str(json_get(action, "result"), "type");
    bool done = str_eq(json_get_str(action, "status"), STR("done"));
    yyjson_val *b;
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(action, "buttons"));
    while ((b = yyjson_arr_iter_next(&it))) {
        struct str type = json_get_str(b, "type");
        bool primary = str_eq(type, STR("primary"));
        if (!primary && !str_eq(type, STR("secondary")))
            continue;
        yyjson_mut_val *x = json_add_obj(d, o, primary ? "primaryAction" : "secondaryAction");
        json_add_str(d, x, "label", json_get_str(b, "content").p ? json_get_str(b, "content") : STR(""));
        json_add_bool(d, x, "isCompleted", done && str_eq(result, type));
        add_redirect(d, x, b);
    }
}

static void add_to(yyjson_mut_doc *d, yyjson_mut_val *o, const struct subscriber *s)
{
    static const struct { const char *key; enum subscriber_field f; } shown[] = {
        {"firstName", SUBSCRIBER_FIRST_NAME}, {"lastName", SUBSCRIBER_LAST_NAME}, {"avatar", SUBSCRIBER_AVATAR}};
    yyjson_mut_val *to = json_add_obj(d, o, "to");
    json_add_id(d, to, "id", s->id);
    json_add_str(d, to, "subscriberId", s->subscriber_id);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        if (s->field[shown[i].f].p)
            json_add_str(d, to, shown[i].key, s->field[shown[i].f]);
}

static void add_text(yyjson_mut_doc *d, yyjson_mut_val *o, const char *key, yyjson_val *doc, const char *from)
{
    struct str s = json_get_str(doc, from);
    if (s.n)
        json_add_str(d, o, key, s);
}

yyjson_mut_val *inbox_message_json(yyjson_mut_doc *d, struct arena *a, const struct message *m, const struct subscriber *s)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *doc = NULL;
    json_parse(a, m->doc, &doc, NULL);
    yyjson_val *data = json_get(doc, "data"), *body = json_get(doc, "content");
    json_add_id(d, o, "id", m->id);
    json_add_str(d, o, "transactionId", json_get_str(doc, "transactionId"));
    add_text(d, o, "subject", doc, "subject");
    json_add_str(d, o, "body", yyjson_is_str(body) ? json_str(body) : STR(""));
    add_to(d, o, s);
    json_add_bool(d, o, "isRead", m->read);
    json_add_bool(d, o, "isSeen", m->seen);
    json_add_bool(d, o, "isArchived", m->archived);
    json_add_bool(d, o, "isSnoozed", m->snoozed_until != 0);
    json_add_time_if(d, o, "snoozedUntil", m->snoozed_until);
    json_add_times(d, o, "deliveredAt", json_get(doc, "deliveredAt"));
    json_add_time(d, o, "createdAt", m->created_at);
    json_add_time_if(d, o, "readAt", m->last_read_at);
    json_add_time_if(d, o, "firstSeenAt", m->first_seen_at);
    json_add_time_if(d, o, "archivedAt", m->archived_at);
    add_text(d, o, "avatar", doc, "avatar");
    json_add_str(d, o, "channelType", channel_name(m->channel));
    json_add_str(d, o, "severity", severity_name(m->severity));
    add_actions(d, o, json_path(doc, STR("cta.action")));
    add_redirect(d, o, json_path(doc, STR("cta.data")));
    json_add_val(d, o, "tags", json_get(doc, "tags"));
    if (yyjson_is_obj(data))
        json_add_val(d, o, "data", data);
    json_add_val(d, o, "workflow", json_get(doc, "workflow"));
    return o;
}
