/* Makes up the data of a preview: from schemas, from what templates use, and from what the caller gives. */
#include "content/preview_private.h"

#include "base/clock.h"
#include "content/json_mock.h"
#include "content/step_schema.h"
#include "content/template_check.h"

enum { DIGEST_EVENTS = 3, DEPTH_MAX = 60 };
#define DAY_MS (24 * 60 * 60 * 1000LL)

static yyjson_mut_val *get(yyjson_mut_val *o, struct str key)
{
    return yyjson_mut_is_obj(o) ? yyjson_mut_obj_getn(o, key.p ? key.p : "", key.n) : NULL;
}

static struct str key_of(yyjson_mut_val *k)
{
    return (struct str){yyjson_mut_get_str(k), yyjson_mut_get_len(k)};
}

/* lodash's merge: objects member by member, lists element by element (or as a whole), everything else replaced. */
static void merge(yyjson_mut_doc *d, yyjson_mut_val *into, yyjson_mut_val *from, bool lists, int depth)
{
    yyjson_mut_val *k;
    if (!yyjson_mut_is_obj(from) || depth > DEPTH_MAX)
        return;
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(from);
    while ((k = yyjson_mut_obj_iter_next(&it))) {
        yyjson_mut_val *v = yyjson_mut_obj_iter_get_val(k), *old = get(into, key_of(k));
        if (yyjson_mut_is_obj(old) && yyjson_mut_is_obj(v)) {
            merge(d, old, v, lists, depth + 1);
        } else if (lists && yyjson_mut_is_arr(old) && yyjson_mut_is_arr(v)) {
            for (size_t i = 0; i < yyjson_mut_arr_size(v); i++) {
                yyjson_mut_val *to = yyjson_mut_arr_get(old, i), *e = yyjson_mut_arr_get(v, i);
                if (yyjson_mut_is_obj(to) && yyjson_mut_is_obj(e))
                    merge(d, to, e, lists, depth + 1);
                else if (!to)
                    yyjson_mut_arr_append(old, yyjson_mut_val_mut_copy(d, e));
            }
        } else {
            yyjson_mut_obj_put(into, yyjson_mut_val_mut_copy(d, k), yyjson_mut_val_mut_copy(d, v));
        }
    }
}

/* The members of given that known has too; lists by their first element. */
static yyjson_mut_val *known_only(yyjson_mut_doc *d, yyjson_val *given, yyjson_mut_val *known, int depth)
{
    yyjson_val *k, *e;
    if (yyjson_is_arr(given) && yyjson_mut_is_arr(known) && yyjson_mut_is_obj(yyjson_mut_arr_get_first(known))) {
        yyjson_mut_val *list = yyjson_mut_arr(d);
        yyjson_arr_iter it = yyjson_arr_iter_with(given);
        while ((e = yyjson_arr_iter_next(&it)))
            yyjson_mut_arr_append(list, known_only(d, e, yyjson_mut_arr_get_first(known), depth + 1));
        return list;
    }
    if (!yyjson_is_obj(given) || !yyjson_mut_is_obj(known) || depth > DEPTH_MAX)
        return yyjson_val_mut_copy(d, given);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_obj_iter it = yyjson_obj_iter_with(given);
    while ((k = yyjson_obj_iter_next(&it))) {
        yyjson_mut_val *there = get(known, json_str(k));
        if (there)
            yyjson_mut_obj_add(o, yyjson_val_mut_copy(d, k), known_only(d, yyjson_obj_iter_get_val(k), there, depth + 1));
    }
    return o;
}

static yyjson_mut_val *object_of(yyjson_mut_doc *d, yyjson_mut_val *v)
{
    return yyjson_mut_is_obj(v) ? yyjson_mut_val_mut_copy(d, v) : yyjson_mut_obj(d);
}

static yyjson_mut_val *used_by(struct arena *a, yyjson_mut_doc *d, yyjson_val *values)
{
    struct template_report uses = {0};
    values_uses(a, values, &uses);
    return uses_example(a, d, &uses);
}

/* The payload that may be given: translations use some of their own, for which nothing is made up. */
static yyjson_mut_val *payload_known(struct arena *a, yyjson_mut_doc *d, const struct preview_input *in, yyjson_val *values,
                                     yyjson_mut_val *payload)
{
    yyjson_val *translated = in->texts ? translate_sources(in->texts, a, values) : values;
    if (translated == values)
        return payload;
    yyjson_mut_val *known = object_of(d, payload), *own = get(used_by(a, d, translated), STR("payload"));
    if (own)
        merge(d, known, own, false, 0);
    return known;
}

/* What templates use, what the schema says, and what the caller gives for any of that. */
static yyjson_mut_val *payload_of(struct arena *a, yyjson_mut_doc *d, const struct preview_input *in, yyjson_val *values,
                                  yyjson_mut_val *used)
{
    yyjson_val *schema = json_get(in->workflow->doc, "payloadSchema"), *given = json_get(in->payload, "payload");
    yyjson_mut_val *payload = object_of(d, get(used, STR("payload")));
    if (yyjson_obj_size(json_get(schema, "properties")))
        merge(d, payload, json_mock(a, d, schema, in->now_ms), false, 0);
    if (yyjson_is_obj(given))
        merge(d, payload, known_only(d, given, payload_known(a, d, in, values, payload), 0), false, 0);
    return payload;
}

enum person { SUBSCRIBER, ACTOR };

/* Members of the wrong type are left out: clients' types are closed. */
static yyjson_mut_val *person_of(yyjson_mut_doc *d, yyjson_mut_val *used, yyjson_val *given, enum person who)
{
    static const char *const members[][3] = {
        {"subscriberId", "123456", "actor-123"}, {"firstName", "John", "Jane"}, {"lastName", "Doe", "Actor"},
        {"email", "user@example.com", "actor@example.com"}, {"phone", "+1234567890", "+1234567890"},
        {"avatar", "https://example.com/avatar.png", "https://example.com/avatar.png"}, {"locale", "en_US", "en_US"},
        {"timezone", "America/New_York", "America/New_York"}};
    yyjson_mut_val *o = yyjson_mut_obj(d), *data = object_of(d, get(used, STR("data")));
    yyjson_val *k;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        json_add_str(d, o, members[i][0], str_of(members[i][1 + who]));
    yyjson_obj_iter it = yyjson_obj_iter_with(given);
    while ((k = yyjson_obj_iter_next(&it))) {
        yyjson_val *v = yyjson_obj_iter_get_val(k);
        if (yyjson_is_str(v) || yyjson_is_null(v) || (yyjson_is_bool(v) && yyjson_equals_str(k, "isOnline")))
            yyjson_mut_obj_put(o, yyjson_val_mut_copy(d, k), yyjson_val_mut_copy(d, v));
    }
    yyjson_val *own = json_get(given, "data");
    if (yyjson_is_obj(own))
        merge(d, data, yyjson_val_mut_copy(d, own), false, 0);
    yyjson_mut_obj_put(o, yyjson_mut_str(d, "data"), data);
    return o;
}

/* Yesterday at noon, and five minutes earlier each. */
static struct str event_time(struct arena *a, int64_t now, int i)
{
    char iso[TIME_ISO_LEN + 1];
    time_iso(now - now % DAY_MS - DAY_MS / 2 - i * 5 * 60000LL, iso);
    return str_dup(a, str_of(iso));
}

static yyjson_mut_val *digest_mock(struct arena *a, yyjson_mut_doc *d, const struct preview_input *in)
{
    yyjson_val *schema = json_get(in->workflow->doc, "payloadSchema");
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_int(d, o, "eventCount", DIGEST_EVENTS);
    yyjson_mut_val *events = json_add_arr(d, o, "events");
    for (int i = 0; i < DIGEST_EVENTS; i++) {
        yyjson_mut_val *e = yyjson_mut_arr_add_obj(d, events);
        yyjson_mut_val *payload = yyjson_obj_size(json_get(schema, "properties")) ? json_mock(a, d, schema, in->now_ms) : NULL;
        json_add_str(d, e, "id", str_fmt(a, "example-id-%d", i + 1));
        json_add_str(d, e, "time", event_time(a, in->now_ms, i));
        yyjson_mut_obj_add_val(d, e, "payload", object_of(d, payload));
    }
    return o;
}

/* Results of the steps before: the caller's, or what templates use of them, with made-up values of the right type for what
 * the step's kind is known to leave. */
static yyjson_mut_val *steps_of(struct arena *a, yyjson_mut_doc *d, const struct preview_input *in, yyjson_mut_val *used)
{
    yyjson_mut_val *o = yyjson_mut_obj(d), *result;
    yyjson_val *given = json_get(in->payload, "steps"), *step;
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(in->workflow->doc, "steps"));
    for (size_t i = 0; i < in->step && (step = yyjson_arr_iter_next(&it)); i++) {
        struct str id = json_get_str(step, "stepId"), type = json_get_str(step, "type");
        yyjson_val *own = json_getn(given, id), *schema = NULL;
        if (yyjson_is_obj(own)) {
            result = yyjson_val_mut_copy(d, own);
        } else if (str_eqz(type, "digest")) {
            result = digest_mock(a, d, in);
        } else {
            schema = json_get(step, "resultSchema");        /* of its code */
            if (!yyjson_is_obj(schema))
                json_parse(a, json_write_mut(a, step_result_schema(d, a, type, NULL, json_get(step, "controlValues"))), &schema, NULL);
            result = object_of(d, json_mock(a, d, schema, in->now_ms));
        }
        if (!yyjson_is_obj(own)) {
            yyjson_mut_val *all = object_of(d, get(get(used, STR("steps")), id));
            if (!yyjson_mut_is_obj(yyjson_mut_arr_get_first(get(all, STR("events")))))
                yyjson_mut_obj_remove_key(all, "events");       /* of which only the number was asked for */
            merge(d, all, result, true, 0);
            result = all;
        }
        yyjson_mut_val *events = get(result, STR("events"));
        if (yyjson_mut_is_arr(events))
            yyjson_mut_obj_put(result, yyjson_mut_str(d, "eventCount"), yyjson_mut_uint(d, yyjson_mut_arr_size(events)));
        yyjson_mut_obj_put(o, json_mut_str(d, id), result);
    }
    return o;
}

/* {type: {id, data}} of what templates use, and whatever the caller gives; a text is an id. */
static yyjson_mut_val *context_of(struct arena *a, yyjson_mut_doc *d, const struct preview_input *in, yyjson_mut_val *used)
{
    yyjson_mut_val *o = yyjson_mut_obj(d), *k;
    yyjson_val *given = json_get(in->payload, "context"), *g;
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(get(used, STR("context")));
    while ((k = yyjson_mut_obj_iter_next(&it))) {
        yyjson_mut_val *v = yyjson_mut_obj_iter_get_val(k), *one = yyjson_mut_obj(d);
        struct str type = key_of(k);
        json_add_str(d, one, "id", str_fmt(a, "example-%.*s-id", (int)type.n, type.p ? type.p : ""));
        yyjson_mut_obj_add_val(d, one, "data", object_of(d, get(v, STR("data"))));
        yyjson_mut_obj_put(o, yyjson_mut_val_mut_copy(d, k), one);
    }
    yyjson_obj_iter gi = yyjson_obj_iter_with(given);
    while ((g = yyjson_obj_iter_next(&gi))) {
        yyjson_val *v = yyjson_obj_iter_get_val(g);
        yyjson_mut_val *one = yyjson_mut_obj(d);
        struct str id = yyjson_is_str(v) ? json_str(v) : json_get_str(v, "id");
        if (!id.p)
            continue;
        json_add_str(d, one, "id", id);
        yyjson_mut_val *data = object_of(d, get(get(o, json_str(g)), STR("data")));
        if (yyjson_is_obj(json_get(v, "data")))
            merge(d, data, yyjson_val_mut_copy(d, json_get(v, "data")), false, 0);
        yyjson_mut_obj_add_val(d, one, "data", data);
        yyjson_mut_obj_put(o, yyjson_val_mut_copy(d, g), one);
    }
    return o;
}

/* Values may be secret, so variables show their names; the caller may say what to show. */
static yyjson_mut_val *env_of(yyjson_mut_doc *d, const struct preview_input *in, yyjson_mut_val *used)
{
    yyjson_mut_val *o = object_of(d, get(used, STR("env")));
    if (get(o, STR("name")))
        yyjson_mut_obj_put(o, yyjson_mut_str(d, "name"), json_mut_str(d, in->environment_name));
    if (get(o, STR("type")))
        yyjson_mut_obj_put(o, yyjson_mut_str(d, "type"), json_mut_str(d, in->environment_type));
    yyjson_val *given = json_get(in->payload, "env");
    if (yyjson_is_obj(given))
        merge(d, o, yyjson_val_mut_copy(d, given), false, 0);
    return o;
}

static bool is_white(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* As encodeURI writes it, with a - for white space. */
static struct str url_part(struct arena *a, struct str s)
{
    struct buf b = {.arena = a};
    s = str_trim(s);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (is_white(s.p[i])) {
            if (!is_white(s.p[i + 1]))
                buf_char(&b, '-');
        } else if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
                   || (c && c < 0x80 && strchr(";,/?:@&=+$-_.!~*'()#", c))) {
            buf_char(&b, (char)c);
        } else {
            buf_fmt(&b, "%%%02X", c);
        }
    }
    return b.n ? buf_finish(&b) : STR("");
}

/* Makes the value at path one that may stand in a URL; what is no text becomes the name of its variable. */
static void url_make(struct arena *a, yyjson_mut_doc *d, yyjson_mut_val *payload, struct str path)
{
    yyjson_mut_val *at = payload, *v;
    struct str part;
    bool index;
    path_next(&path, &part, &index);        /* payload */
    while (path_next(&path, &part, &index)) {
        if (!yyjson_mut_is_obj(at) || index)
            return;
        v = get(at, part);
        if (!path.n)
            yyjson_mut_obj_put(at, json_mut_str(d, part),
                               json_mut_str(d, yyjson_mut_is_str(v) ? url_part(a, key_of(v)) : part));
        at = v;
    }
}

/* Where an Inbox message leads must be a link, in a preview, too. */
static void urls_make(struct arena *a, yyjson_mut_doc *d, const struct preview_input *in, yyjson_val *values, yyjson_mut_val *payload)
{
    yyjson_val *step = yyjson_arr_get(json_get(in->workflow->doc, "steps"), in->step);
    yyjson_val *redirects[] = {json_get(values, "redirect"), json_get(json_get(values, "primaryAction"), "redirect"),
                               json_get(json_get(values, "secondaryAction"), "redirect")};
    if (!str_eqz(json_get_str(step, "type"), "in_app"))
        return;
    for (size_t i = 0; i < sizeof redirects / sizeof *redirects; i++) {
        struct template_report uses = {0};
        template_check(a, json_get_str(redirects[i], "url"), NULL, &uses);
        for (size_t k = 0; k < uses.uses_n; k++)
            if (str_starts(uses.uses[k].path, STR("payload.")))
                url_make(a, d, payload, uses.uses[k].path);
    }
}

yyjson_mut_val *preview_example(struct arena *a, yyjson_mut_doc *d, const struct preview_input *in, yyjson_val *values)
{
    yyjson_mut_val *o = yyjson_mut_obj(d), *part;
    yyjson_mut_val *used = used_by(a, d, values), *actor = get(used, STR("actor"));
    yyjson_mut_obj_add_val(d, o, "payload", part = payload_of(a, d, in, values, used));
    urls_make(a, d, in, values, part);
    yyjson_mut_obj_add_val(d, o, "subscriber", person_of(d, get(used, STR("subscriber")), json_get(in->payload, "subscriber"), SUBSCRIBER));
    if (actor || yyjson_is_obj(json_get(in->payload, "actor")))
        yyjson_mut_obj_add_val(d, o, "actor", person_of(d, actor, json_get(in->payload, "actor"), ACTOR));
    yyjson_mut_obj_add_val(d, o, "steps", steps_of(a, d, in, used));
    if (yyjson_mut_obj_size(part = context_of(a, d, in, used)))
        yyjson_mut_obj_add_val(d, o, "context", part);
    if (yyjson_mut_obj_size(part = env_of(d, in, used)))
        yyjson_mut_obj_add_val(d, o, "env", part);
    return o;
}
