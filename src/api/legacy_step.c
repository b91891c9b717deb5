/* Older steps and ours. */
#include "api/legacy_step.h"

#include "content/handlebars.h"

/* What the older form speaks of; all other values are none of its business. */
static const char *const managed[] = {"subject", "body", "editorType", "preheader", "from", "layoutId", "redirect", "primaryAction",
                                      "secondaryAction", "type", "amount", "unit", "digestKey", "lookBackWindow", "cron", "dynamicKey",
                                      "extendToSchedule", NULL};

struct reading {
    yyjson_mut_doc *d;
    struct arena *a;
    yyjson_val *template, *metadata;
    yyjson_mut_val *values;
    struct str problem;
};

static void fail(struct reading *r, const char *what)
{
    if (!r->problem.p)
        r->problem = str_of(what);
}

/* Adds a template's text under our name; absent texts are not there. */
static void text(struct reading *r, const char *from, const char *to)
{
    yyjson_val *v = json_get(r->template, from);
    if (yyjson_is_str(v))
        json_add_str(r->d, r->values, to, handlebars_to_liquid(r->a, json_str(v)));
    else if (v && !yyjson_is_null(v))
        fail(r, str_fmt(r->a, "template.%s must be a string", from).p);
}

/* --- given: in-app ------------------------------------------------------------------------------------------- */

static void link_to(struct reading *r, yyjson_mut_val *o, struct str url)
{
    yyjson_mut_val *redirect = json_add_obj(r->d, o, "redirect");
    json_add_str(r->d, redirect, "url", handlebars_to_liquid(r->a, url));
    json_add_str(r->d, redirect, "target", STR("_self"));
}

static bool actor_is_known(yyjson_val *actor)
{
    static const char *const types[] = {"none", "user", "system_icon", "system_custom"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (str_eqz(json_get_str(actor, "type"), types[i]))
            return true;
    return false;
}

static void in_app(struct reading *r)
{
    yyjson_val *cta = json_get(r->template, "cta"), *button, *actor = json_get(r->template, "actor");
    struct str url = json_get_str(json_get(cta, "data"), "url");
    size_t i, n;
    text(r, "subject", "subject");
    text(r, "content", "body");
    if (url.n)
        link_to(r, r->values, url);
    yyjson_arr_foreach(json_get(json_get(cta, "action"), "buttons"), i, n, button) {
        const char *name = str_eqz(json_get_str(button, "type"), "secondary") ? "secondaryAction" : "primaryAction";
        if (yyjson_mut_obj_get(r->values, name))
            continue;
        yyjson_mut_val *action = json_add_obj(r->d, r->values, name);
        json_add_str(r->d, action, "label", handlebars_to_liquid(r->a, json_get_str(button, "content")));
        if (json_get_str(button, "url").n)
            link_to(r, action, json_get_str(button, "url"));
    }
    if (actor && !yyjson_is_null(actor) && !actor_is_known(actor))
        fail(r, "template.actor must be an object whose type is one of none, user, system_icon, system_custom");
    if (str_eqz(json_get_str(actor, "type"), "system_custom") && json_get_str(actor, "data").n)
        json_add_str(r->d, r->values, "avatar", json_get_str(actor, "data"));
}

/* --- given: email -------------------------------------------------------------------------------------------- */

static void put_attribute(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '"')
            buf_z(b, "&quot;");
        else
            buf_char(b, s.p[i]);
}

/* A block of the older editor: a text, which is HTML, or a button. */
static void put_block(struct reading *r, struct buf *b, yyjson_val *block)
{
    struct str align = json_get_str(json_get(block, "styles"), "textAlign"), content = json_get_str(block, "content");
    content = handlebars_to_liquid(r->a, content);
    buf_z(b, "<div style=\"text-align:");
    put_attribute(b, align.n ? align : STR("left"));
    buf_z(b, "\">");
    if (str_eqz(json_get_str(block, "type"), "button")) {
        buf_z(b, "<a href=\"");
        put_attribute(b, handlebars_to_liquid(r->a, json_get_str(block, "url")));
        buf_z(b, "\" style=\"display:inline-block;padding:10px 20px;background:#222;color:#fff;border-radius:4px;text-decoration:none\">");
        buf_str(b, content);
        buf_z(b, "</a>");
    } else if (str_eqz(json_get_str(block, "type"), "text")) {
        buf_str(b, content);
    } else {
        fail(r, "template.content must be a string or an array of blocks of type text or button");
    }
    buf_z(b, "</div>");
}

static void email(struct reading *r)
{
    yyjson_val *content = json_get(r->template, "content"), *block, *layout = json_get(r->template, "layoutId");
    struct buf b = {.arena = r->a};
    size_t i, n;
    if (!layout)
        layout = json_get(r->template, "_layoutId");
    text(r, "subject", "subject");
    text(r, "preheader", "preheader");
    if (yyjson_is_arr(content)) {
        yyjson_arr_foreach(content, i, n, block)
            put_block(r, &b, block);
        json_add_str(r->d, r->values, "body", buf_finish(&b));
    } else {
        text(r, "content", "body");
    }
    json_add_str(r->d, r->values, "editorType", STR("html"));
    if (json_get_str(r->template, "senderName").n)
        json_add_str(r->d, json_add_obj(r->d, r->values, "from"), "name",
                     handlebars_to_liquid(r->a, json_get_str(r->template, "senderName")));
    if (layout && !yyjson_is_null(layout) && !yyjson_is_str(layout))
        fail(r, "template.layoutId must be a string");
    json_add_val(r->d, r->values, "layoutId", layout);
}

static void plain(struct reading *r)
{
    text(r, "content", "body");
}

static void push(struct reading *r)
{
    text(r, "title", "subject");
    text(r, "content", "body");
}

/* --- given: waiting ------------------------------------------------------------------------------------------ */

static void span(struct reading *r, yyjson_mut_val *o, const char *amount, const char *unit)
{
    static const char *const units[] = {"seconds", "minutes", "hours", "days", "weeks", "months"};
    yyjson_val *n = json_get(r->metadata, amount);
    struct str text_of_n = json_str(n), u = json_get_str(r->metadata, unit);
    int64_t number = yyjson_get_sint(n);
    if (text_of_n.n ? !str_to_i64(text_of_n, &number) : !yyjson_is_int(n))
        number = 0;
    if (number < 1)
        fail(r, str_fmt(r->a, "metadata.%s must be a positive integer", amount).p);
    json_add_int(r->d, o, "amount", number);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (str_eqz(u, units[i])) {
            json_add_str(r->d, o, "unit", u);
            return;
        }
    fail(r, str_fmt(r->a, "metadata.%s must be one of the following values: seconds, minutes, hours, days, weeks, months", unit).p);
}

/* "monday" … as cron's 1–7, days of the month as they are: "1,3"; "*" for none. */
static struct str cron_list(struct reading *r, yyjson_val *list)
{
    static const char *const days[] = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};
    struct buf b = {.arena = r->a};
    yyjson_val *v;
    size_t i, n;
    yyjson_arr_foreach(list, i, n, v) {
        int64_t day = yyjson_get_sint(v);
        for (int k = 0; k < 7; k++)
            if (str_eqz(json_str(v), days[k]))
                day = k + 1;
        if (day < 1 || day > 31)
            fail(r, "metadata.timed names a day that there is not");
        buf_fmt(&b, "%s%d", b.n ? "," : "", (int)day);
    }
    return b.n ? buf_finish(&b) : STR("*");
}

/* "The second day", "the last friday" of a month: the third and the fifth field of a cron expression. Which of the working days, or
 * of the weekend, none can say. */
static struct str cron_ordinal(struct reading *r, yyjson_val *timed, int minute, int hour)
{
    static const char *const days[] = {"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};
    struct str ordinal = json_get_str(timed, "ordinal"), of = json_get_str(timed, "ordinalValue");
    bool last = str_eqz(ordinal, "last");
    int64_t n = 0;
    if (!last && (!str_to_i64(ordinal, &n) || n < 1 || n > 5))
        fail(r, "metadata.timed.ordinal must be one of the following values: 1, 2, 3, 4, 5, last");
    if (str_eqz(of, "day"))
        return last ? str_fmt(r->a, "%d %d L * *", minute, hour) : str_fmt(r->a, "%d %d %d * *", minute, hour, (int)n);
    for (int k = 0; k < 7; k++)
        if (str_eqz(of, days[k]))
            return last ? str_fmt(r->a, "%d %d * * %dL", minute, hour, k) : str_fmt(r->a, "%d %d * * %d#%d", minute, hour, k, (int)n);
    fail(r, "metadata.timed.ordinalValue must be one of the following values: day, sunday, monday, tuesday, wednesday, thursday, friday, "
            "saturday");
    return STR("");
}

/* The times of a timed digest as a cron expression; those that none can say are refused. */
static struct str cron_of(struct reading *r)
{
    yyjson_val *timed = json_get(r->metadata, "timed");
    struct str unit = json_get_str(r->metadata, "unit"), at = json_get_str(timed, "atTime"), given = json_get_str(timed, "cronExpression");
    int64_t every = json_get_int(r->metadata, "amount", 1), hour = 0, minute = 0;
    ptrdiff_t colon = str_find(at, STR(":"));
    if (given.n)
        return given;
    if (at.n && (colon < 0 || !str_to_i64(str_sub(at, 0, (size_t)colon), &hour)
                 || !str_to_i64(str_sub(at, (size_t)colon + 1, (size_t)colon + 3), &minute) || hour < 0 || hour > 23 || minute < 0 || minute > 59))
        fail(r, "metadata.timed.atTime must be a time of the form HH:MM");
    if (json_get_str(timed, "monthlyType").n && !str_eqz(json_get_str(timed, "monthlyType"), "each")
        && !str_eqz(json_get_str(timed, "monthlyType"), "on"))
        fail(r, "metadata.timed.monthlyType must be one of the following values: each, on");
    if (str_eqz(unit, "minutes") && every >= 1 && every <= 59)
        return str_fmt(r->a, "*/%d * * * *", (int)every);
    if (str_eqz(unit, "hours") && every >= 1 && every <= 23)
        return str_fmt(r->a, "0 */%d * * *", (int)every);
    if (every != 1)
        fail(r, "metadata.amount must be 1 for days, weeks and months");
    if (str_eqz(unit, "days"))
        return str_fmt(r->a, "%d %d * * *", (int)minute, (int)hour);
    if (str_eqz(unit, "weeks"))
        return str_fmt(r->a, "%d %d * * %s", (int)minute, (int)hour, cron_list(r, json_get(timed, "weekDays")).p);
    if (!str_eqz(unit, "months"))
        fail(r, "metadata.unit must be one of the following values: minutes, hours, days, weeks, months");
    if (str_eqz(json_get_str(timed, "monthlyType"), "on"))
        return cron_ordinal(r, timed, (int)minute, (int)hour);
    struct str days = yyjson_arr_size(json_get(timed, "monthDays")) ? cron_list(r, json_get(timed, "monthDays")) : STR("1");
    return str_fmt(r->a, "%d %d %.*s * *", (int)minute, (int)hour, STR_ARG(days));
}

static void digest(struct reading *r)
{
    struct str type = json_get_str(r->metadata, "type"), key = json_get_str(r->metadata, "digestKey");
    if (!yyjson_is_obj(r->metadata)) {
        fail(r, "metadata must be an object");
        return;
    }
    if (str_eqz(type, "timed")) {
        json_add_str(r->d, r->values, "type", type);
        json_add_str(r->d, r->values, "cron", cron_of(r));
    } else {
        json_add_str(r->d, r->values, "type", STR("regular"));
        span(r, r->values, "amount", "unit");
        if (str_eqz(type, "backoff") || json_get_bool(r->metadata, "backoff", false))
            span(r, json_add_obj(r->d, r->values, "lookBackWindow"), "backoffAmount", "backoffUnit");
    }
    if (key.n)
        json_add_str(r->d, r->values, "digestKey", str_starts(key, STR("payload.")) ? key : str_fmt(r->a, "payload.%.*s", STR_ARG(key)));
}

static void delay(struct reading *r)
{
    struct str path = json_get_str(r->metadata, "delayPath");
    if (!yyjson_is_obj(r->metadata)) {
        fail(r, "metadata must be an object");
    } else if (!str_eqz(json_get_str(r->metadata, "type"), "scheduled")) {
        json_add_str(r->d, r->values, "type", STR("regular"));
        span(r, r->values, "amount", "unit");
    } else if (!path.n) {
        fail(r, "metadata.delayPath must be a string");
    } else {
        json_add_str(r->d, r->values, "type", STR("dynamic"));
        json_add_str(r->d, r->values, "dynamicKey", str_starts(path, STR("payload.")) ? path : str_fmt(r->a, "payload.%.*s", STR_ARG(path)));
    }
}

static const struct {
    const char *type;
    void (*read)(struct reading *r);
} readers[] = {{"in_app", in_app}, {"email", email}, {"sms", plain}, {"chat", plain}, {"push", push}, {"digest", digest}, {"delay", delay}};

/* The values that the older form alone says; NULL: its type is not one of it, or there is a problem. */
static yyjson_mut_val *translate(yyjson_mut_doc *d, struct arena *a, yyjson_val *step, struct str *problem)
{
    struct reading r = {.d = d, .a = a, .template = json_get(step, "template"), .metadata = json_get(step, "metadata"),
                        .values = yyjson_mut_obj(d)};
    struct str type = json_get_str(r.template, "type");
    *problem = STR_NULL;
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (str_eqz(type, readers[i].type)) {
            readers[i].read(&r);
            *problem = r.problem;
            return r.problem.p ? NULL : r.values;
        }
    *problem = STR("template.type must be one of the following values: in_app, email, sms, chat, push, digest, delay");
    return NULL;
}

static yyjson_val *settled(struct arena *a, yyjson_mut_val *v)
{
    yyjson_val *out = NULL;
    if (v)
        json_parse(a, json_write_mut(a, v), &out, NULL);
    return out;
}

static bool same_managed(yyjson_val *a, yyjson_val *b)
{
    for (const char *const *name = managed; *name; name++) {
        yyjson_val *x = json_get(a, *name), *y = json_get(b, *name);
        if (x && y ? !yyjson_equals(x, y) : x != y)
            return false;
    }
    return true;
}

/* --- shown --------------------------------------------------------------------------------------------------- */

static void show_cta(yyjson_mut_doc *d, yyjson_mut_val *o, yyjson_val *values)
{
    static const char *const buttons[][2] = {{"primaryAction", "primary"}, {"secondaryAction", "secondary"}};
    yyjson_mut_val *cta = json_add_obj(d, o, "cta"), *data = json_add_obj(d, cta, "data");
    json_add_str(d, cta, "type", STR("redirect"));
    struct str url = json_get_str(json_get(values, "redirect"), "url");
    json_add_str(d, data, "url", url.p ? url : STR(""));
    yyjson_mut_val *list = json_add_arr(d, json_add_obj(d, cta, "action"), "buttons");
    for (size_t i = 0; i < 2; i++) {
        yyjson_val *action = json_get(values, buttons[i][0]);
        if (!yyjson_is_obj(action))
            continue;
        yyjson_mut_val *button = yyjson_mut_arr_add_obj(d, list);
        json_add_str(d, button, "type", str_of(buttons[i][1]));
        json_add_val(d, button, "content", json_get(action, "label"));
        json_add_val(d, button, "url", json_get(json_get(action, "redirect"), "url"));
    }
}

/* template of a stored step's values. */
static yyjson_mut_val *template_of(yyjson_mut_doc *d, struct str type, yyjson_val *values)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    struct str body = json_get_str(values, "body");
    json_add_str(d, o, "type", type);
    json_add_str(d, o, "content", body.p ? body : STR(""));
    json_add_val(d, o, str_eqz(type, "push") ? "title" : "subject", json_get(values, "subject"));
    if (str_eqz(type, "in_app"))
        show_cta(d, o, values);
    if (!str_eqz(type, "email"))
        return o;
    json_add_str(d, o, "contentType", STR("customHtml"));
    json_add_val(d, o, "preheader", json_get(values, "preheader"));
    json_add_val(d, o, "senderName", json_get(json_get(values, "from"), "name"));
    json_add_val(d, o, "layoutId", json_get(values, "layoutId"));
    return o;
}

static yyjson_mut_val *metadata_of(yyjson_mut_doc *d, struct str type, yyjson_val *values)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *look_back = json_get(values, "lookBackWindow");
    bool timed = json_get_str(values, "cron").n, dynamic = json_get_str(values, "dynamicKey").n;
    json_add_str(d, o, "type", timed ? STR("timed") : look_back ? STR("backoff") : dynamic ? STR("scheduled") : STR("regular"));
    json_add_val(d, o, "amount", json_get(values, "amount"));
    json_add_val(d, o, "unit", json_get(values, "unit"));
    json_add_val(d, o, "digestKey", json_get(values, "digestKey"));
    json_add_val(d, o, "delayPath", json_get(values, "dynamicKey"));
    if (timed)
        json_add_val(d, json_add_obj(d, o, "timed"), "cronExpression", json_get(values, "cron"));
    if (look_back && str_eqz(type, "digest")) {
        json_add_bool(d, o, "backoff", true);
        json_add_val(d, o, "backoffAmount", json_get(look_back, "amount"));
        json_add_val(d, o, "backoffUnit", json_get(look_back, "unit"));
    }
    return o;
}

void legacy_step_show(yyjson_mut_doc *d, struct arena *a, yyjson_mut_val *o, yyjson_val *stored)
{
    yyjson_val *values = json_get(stored, "controlValues"), *kept = json_get(stored, "legacy");
    struct str type = json_get_str(stored, "type"), problem;
    if (kept && same_managed(settled(a, translate(d, a, kept, &problem)), values)) {
        json_add_val(d, o, "template", json_get(kept, "template"));
        json_add_val(d, o, "metadata", json_get(kept, "metadata"));
        return;
    }
    yyjson_mut_obj_add_val(d, o, "template", template_of(d, type, values));
    if (str_eqz(type, "digest") || str_eqz(type, "delay"))
        yyjson_mut_obj_add_val(d, o, "metadata", metadata_of(d, type, values));
}

/* --- given --------------------------------------------------------------------------------------------------- */

/* Does the given step say what the stored one already says? */
static bool says_the_same(struct arena *a, yyjson_val *given, yyjson_val *before)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    struct str problem;
    legacy_step_show(d, a, o, before);
    yyjson_val *shown = settled(a, o);
    yyjson_val *x = settled(a, translate(d, a, given, &problem)), *y = settled(a, translate(d, a, shown, &problem));
    return x && y ? same_managed(x, y)
                  : !x && !y && yyjson_equals(json_get(json_get(given, "template"), "content"), json_get(json_get(shown, "template"), "content"));
}

yyjson_mut_val *legacy_step_values(yyjson_mut_doc *d, struct arena *a, yyjson_val *given, yyjson_val *before, struct str *problem)
{
    yyjson_val *old = json_get(before, "controlValues");
    *problem = STR_NULL;
    if (before && says_the_same(a, given, before))
        return yyjson_is_obj(old) ? yyjson_val_mut_copy(d, old) : yyjson_mut_obj(d);
    yyjson_mut_val *said = translate(d, a, given, problem), *k;
    if (!said || !yyjson_is_obj(old))
        return said;
    yyjson_mut_val *all = yyjson_val_mut_copy(d, old);
    for (const char *const *name = managed; *name; name++)
        yyjson_mut_obj_remove_key(all, *name);
    yyjson_mut_obj_iter it = yyjson_mut_obj_iter_with(said);
    while ((k = yyjson_mut_obj_iter_next(&it)))
        yyjson_mut_obj_put(all, yyjson_mut_val_mut_copy(d, k), yyjson_mut_val_mut_copy(d, yyjson_mut_obj_iter_get_val(k)));
    return all;
}

void legacy_step_keep(yyjson_mut_doc *d, yyjson_mut_val *o, yyjson_val *given)
{
    /* The rest of a template that was read from here is made anew each time. */
    static const char *const members[] = {"type", "name", "title", "subject", "content", "contentType", "preheader", "senderName", "variables",
                                          "cta", "actor", "feedId", "layoutId"};
    yyjson_mut_val *kept = json_add_obj(d, o, "legacy"), *template = json_add_obj(d, kept, "template");
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        json_add_val(d, template, members[i], json_get(json_get(given, "template"), members[i]));
    json_add_val(d, kept, "metadata", json_get(given, "metadata"));
    json_add_val(d, o, "filters", json_get(given, "filters"));
    json_add_val(d, o, "uuid", json_get(given, "uuid"));
    json_add_val(d, o, "replyCallback", json_get(given, "replyCallback"));
}
