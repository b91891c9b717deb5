/* What FCM and APNs take (providers.md §4.3, §4.4), from the message and the trigger's override. */
#include "delivery/provider_private.h"

static void add(struct template_scope *t, yyjson_mut_val *o, const char *key, yyjson_mut_val *v)
{
    if (v)
        yyjson_mut_obj_add_val(t->doc, o, key, template_copy(t, v));
}

static void add_text(struct template_scope *t, yyjson_mut_val *o, const char *key, struct str s)
{
    yyjson_mut_obj_add_val(t->doc, o, key, template_of_str(t, s));
}

static struct str key_of(yyjson_mut_val *k)
{
    return (struct str){yyjson_mut_get_str(k), yyjson_mut_get_len(k)};
}

static bool is_among(struct str key, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eqz(key, names[i]))
            return true;
    return false;
}

/* Members of from, without these names, into o. */
static void add_rest(struct template_scope *t, yyjson_mut_val *o, yyjson_mut_val *from, const char *const *names, size_t n)
{
    yyjson_mut_val *k;
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(from);
    while (yyjson_mut_is_obj(from) && (k = yyjson_mut_obj_iter_next(&it)))
        if (!is_among(key_of(k), names, n)) {
            yyjson_mut_obj_remove_keyn(o, yyjson_mut_get_str(k), yyjson_mut_get_len(k));
            yyjson_mut_obj_add(o, template_copy(t, k), template_copy(t, yyjson_mut_obj_iter_get_val(k)));
        }
}

/* --- FCM ------------------------------------------------------------------------------------------------------------------ */

/* Values of data are texts. */
static yyjson_mut_val *data_clean(struct template_scope *t, yyjson_mut_val *from)
{
    yyjson_mut_val *o = yyjson_mut_obj(t->doc), *k;
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(from);
    while (yyjson_mut_is_obj(from) && (k = yyjson_mut_obj_iter_next(&it)))
        yyjson_mut_obj_add(o, template_copy(t, k), template_of_str(t, template_str(t, yyjson_mut_obj_iter_get_val(k))));
    return o;
}

static void rename_key(struct template_scope *t, yyjson_mut_val *o, const char *from, const char *to)
{
    yyjson_mut_val *v = template_get(o, from);
    if (!v)
        return;
    v = template_copy(t, v);
    yyjson_mut_obj_remove_key(o, from);
    yyjson_mut_obj_remove_key(o, to);
    yyjson_mut_obj_add_val(t->doc, o, to, v);
}

static void put(struct template_scope *t, yyjson_mut_val *o, const char *key, yyjson_mut_val *v)
{
    yyjson_mut_obj_remove_key(o, key);
    add(t, o, key, v);
}

static struct str upper(struct template_scope *t, struct str s, const char *prefix)
{
    struct buf b = {.arena = t->arena};
    buf_z(&b, str_starts(s, str_of(prefix)) ? "" : prefix);
    for (size_t i = 0; i < s.n; i++)
        buf_char(&b, s.p[i] >= 'a' && s.p[i] <= 'z' ? (char)(s.p[i] - 32) : s.p[i]);
    return buf_finish(&b);
}

/* As the admin SDK writes them on the wire. */
static void android_rename(struct template_scope *t, yyjson_mut_val *android)
{
    yyjson_mut_val *n = template_get(android, "notification"), *ttl = template_get(android, "ttl");
    yyjson_val *exceptions;
    rename_key(t, android, "collapseKey", "collapse_key");
    rename_key(t, android, "restrictedPackageName", "restricted_package_name");
    rename_key(t, android, "fcmOptions", "fcm_options");
    rename_key(t, template_get(android, "fcm_options"), "analyticsLabel", "analytics_label");
    if (yyjson_mut_is_num(ttl))
        put(t, android, "ttl", template_of_str(t, str_fmt(t->arena, "%.10gs", yyjson_mut_get_num(ttl) / 1000)));
    if (!yyjson_mut_is_obj(n))
        return;
    json_parse(t->arena, STR("{\"imageUrl\":\"image\",\"eventTimestamp\":\"event_time\",\"priority\":\"notification_priority\","
             "\"vibrateTimingsMillis\":\"vibrate_timings\"}"), &exceptions, NULL);
    n = body_cased_mut(t, n, STR("snake"), exceptions);
    struct str priority = template_get_str(n, "notification_priority"), visibility = template_get_str(n, "visibility");
    if (priority.n)
        put(t, n, "notification_priority", template_of_str(t, upper(t, priority, "PRIORITY_")));
    if (visibility.n)
        put(t, n, "visibility", template_of_str(t, upper(t, visibility, "")));
    put(t, android, "notification", n);
}

static void apns_rename(struct template_scope *t, yyjson_mut_val *apns)
{
    static const char *const kebab[][2] = {{"contentAvailable", "content-available"}, {"mutableContent", "mutable-content"}, {"threadId", "thread-id"}};
    static const char *const alerts[] = {"locKey", "locArgs", "titleLocKey", "titleLocArgs", "subtitleLocKey", "subtitleLocArgs",
                                         "actionLocKey", "launchImage"};
    static const char *const alerts_to[] = {"loc-key", "loc-args", "title-loc-key", "title-loc-args", "subtitle-loc-key",
                                            "subtitle-loc-args", "action-loc-key", "launch-image"};
    yyjson_mut_val *aps = template_get(template_get(apns, "payload"), "aps");
    rename_key(t, apns, "fcmOptions", "fcm_options");
    rename_key(t, template_get(apns, "fcm_options"), "analyticsLabel", "analytics_label");
    rename_key(t, template_get(apns, "fcm_options"), "imageUrl", "image");
    for (size_t i = 0; i < 3; i++) {
        rename_key(t, aps, kebab[i][0], kebab[i][1]);
        if (i < 2 && yyjson_mut_is_bool(template_get(aps, kebab[i][1])))
            put(t, aps, kebab[i][1], yyjson_mut_int(t->doc, yyjson_mut_is_true(template_get(aps, kebab[i][1]))));
    }
    for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++)
        rename_key(t, template_get(aps, "alert"), alerts[i], alerts_to[i]);
}

static void destination(struct template_scope *t, yyjson_mut_val *out, yyjson_mut_val *m, yyjson_mut_val *b)
{
    static const char *const one[] = {"token", "topic", "condition"};
    struct str target = template_str(t, yyjson_mut_arr_get_first(template_get(m, "target")));
    for (size_t i = 0; i < 3; i++)
        if (template_get_str(b, one[i]).n) {
            add_text(t, out, one[i], template_get_str(b, one[i]));
            return;
        }
    add_text(t, out, "token", target);
}

yyjson_mut_val *push_fcm_message(struct template_scope *t, yyjson_mut_val *m, yyjson_mut_val *b)
{
    static const char *const kept[] = {"type", "android", "apns", "fcmOptions", "webPush", "data", "deviceTokens"};
    static const char *const routing[] = {"token", "topic", "condition", "tokens", "deviceTokens"};
    yyjson_mut_val *o = template_get(m, "overrides"), *out = yyjson_mut_obj(t->doc), *data, *n, *rest = yyjson_mut_obj(t->doc);
    struct str title = template_str(t, template_get(m, "title")), content = template_str(t, template_get(m, "content"));
    destination(t, out, m, b);
    if (str_eqz(template_get_str(o, "type"), "data")) {
        data = data_clean(t, template_get(m, "payload"));
        put(t, data, "title", template_of_str(t, title));
        put(t, data, "body", template_of_str(t, content));
        put(t, data, "message", template_of_str(t, content));
    } else {
        n = yyjson_mut_obj_add_obj(t->doc, out, "notification");
        add_text(t, n, "title", title);
        add_text(t, n, "body", content);
        add_rest(t, n, o, kept, sizeof kept / sizeof *kept);
        rename_key(t, n, "imageUrl", "image");
        data = data_clean(t, template_get(o, "data"));
        add(t, data, "__nvMessageId", template_get(template_get(m, "payload"), "__nvMessageId"));
    }
    if (yyjson_mut_obj_size(data))
        add(t, out, "data", data);
    add(t, out, "android", template_get(o, "android"));
    add(t, out, "apns", template_get(o, "apns"));
    add(t, out, "fcm_options", template_get(o, "fcmOptions"));
    add(t, out, "webpush", template_get(o, "webPush"));
    add_rest(t, rest, b, routing, sizeof routing / sizeof *routing);
    rename_key(t, rest, "fcmOptions", "fcm_options");
    rename_key(t, rest, "webPush", "webpush");
    out = body_merge(t, out, rest);
    rename_key(t, template_get(out, "fcm_options"), "analyticsLabel", "analytics_label");
    if (template_get(out, "data"))
        put(t, out, "data", data_clean(t, template_get(out, "data")));
    android_rename(t, template_get(out, "android"));
    apns_rename(t, template_get(out, "apns"));
    return out;
}

/* --- APNs ------------------------------------------------------------------------------------------------------------------ */

static const struct { const char *name, *other, *wire; bool alert; } aps_keys[] = {
    {"title", "title", "title", true}, {"subtitle", "subtitle", "subtitle", true},
    {"titleLocKey", "title-loc-key", "title-loc-key", true}, {"titleLocArgs", "title-loc-args", "title-loc-args", true},
    {"locKey", "loc-key", "loc-key", true}, {"locArgs", "loc-args", "loc-args", true}, {"action", "action", "action", true},
    {"actionLocKey", "action-loc-key", "action-loc-key", true}, {"launchImage", "launch-image", "launch-image", true},
    {"badge", "badge", "badge", false}, {"sound", "sound", "sound", false},
    {"contentAvailable", "content-available", "content-available", false}, {"mutableContent", "mutable-content", "mutable-content", false},
    {"category", "category", "category", false}, {"threadId", "thread-id", "thread-id", false},
    {"interruptionLevel", "interruption-level", "interruption-level", false},
    {"targetContentIdentifier", "target-content-id", "target-content-id", false},
    {"relevanceScore", "relevance-score", "relevance-score", false}, {"urlArgs", "url-args", "url-args", false},
    {"timestamp", "timestamp", "timestamp", false}, {"staleDate", "stale-date", "stale-date", false}, {"events", "events", "events", false},
    {"contentState", "content-state", "content-state", false}};

static yyjson_mut_val *setting(yyjson_mut_val *input, size_t i)
{
    yyjson_mut_val *v = template_get(input, aps_keys[i].name);
    return v ? v : template_get(input, aps_keys[i].other);
}

yyjson_mut_val *push_apns_body(struct template_scope *t, yyjson_mut_val *m, yyjson_mut_val *b)
{
    yyjson_mut_val *input = yyjson_mut_obj(t->doc), *out, *aps = yyjson_mut_obj(t->doc), *alert = yyjson_mut_obj(t->doc);
    add(t, input, "body", template_get(m, "content"));
    add(t, input, "title", template_get(m, "title"));
    add(t, input, "payload", template_get(m, "payload"));
    input = body_merge(t, body_merge(t, input, template_get(m, "overrides")), b);
    if (yyjson_mut_is_obj(template_get(input, "rawPayload")))
        return template_get(input, "rawPayload");
    add(t, alert, "body", template_get(input, "body"));
    for (size_t i = 0; i < sizeof aps_keys / sizeof *aps_keys; i++) {
        yyjson_mut_val *v = setting(input, i);
        bool flag = str_eqz(str_of(aps_keys[i].wire), "content-available") || str_eqz(str_of(aps_keys[i].wire), "mutable-content");
        if (v && !(flag && !template_truthy(v)))
            add(t, aps_keys[i].alert ? alert : aps, aps_keys[i].wire, flag ? yyjson_mut_int(t->doc, 1) : v);
    }
    out = yyjson_mut_is_obj(template_get(input, "payload")) ? template_copy(t, template_get(input, "payload")) : yyjson_mut_obj(t->doc);
    /* A text alone is the alert; with anything beside it an object. */
    if (yyjson_mut_obj_size(alert) == 1 && template_get(alert, "body"))
        put(t, aps, "alert", template_get(alert, "body"));
    else if (yyjson_mut_obj_size(alert))
        put(t, aps, "alert", alert);
    put(t, out, "aps", aps);
    return out;
}
