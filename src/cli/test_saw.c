#include "cli/test_saw.h"

#include "model/message.h"

/* What later steps know of an in-app message. */
static void put_mark(yyjson_mut_doc *d, yyjson_mut_val *steps, struct arena *a, const struct message *m)
{
    yyjson_val *doc = NULL;
    json_parse(a, m->doc, &doc, NULL);
    struct str step = json_get_str(doc, "stepId");
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_bool(d, o, "seen", m->seen);
    json_add_bool(d, o, "read", m->read);
    if (m->channel == CHANNEL_IN_APP && step.n)
        yyjson_mut_obj_put(steps, json_mut_str(d, step), o);
}

static void put_steps(struct db *db, struct arena *a, yyjson_mut_doc *d, yyjson_mut_val *o, const struct run *r,
                      const struct definition *version)
{
    yyjson_mut_val *steps = json_add_obj(d, o, "steps");
    struct message *list;
    struct error err = {0};
    size_t n = 0;
    for (int job = 1; version && job < r->jobs_n; job++) {
        int i = r->jobs[job].step;
        if (i >= 0 && i < version->steps_n && r->jobs[job].output.n)
            yyjson_mut_obj_put(steps, json_mut_str(d, version->steps[i].step_id),
                               yyjson_mut_rawn(d, r->jobs[job].output.p, r->jobs[job].output.n));
    }
    if (message_list_by_run(db, a, r->row.environment, r->row.id, &list, &n, &err))
        for (size_t i = 0; i < n; i++)
            put_mark(d, steps, a, &list[i]);
}

static yyjson_val *known(struct db *db, struct arena *a, const struct run *r, const struct definition *version,
                         const struct subscriber *subscriber, yyjson_val *payload)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *out = NULL;
    json_add_val(d, o, "payload", payload);
    if (subscriber)
        yyjson_mut_obj_add_val(d, o, "subscriber", subscriber_json(d, subscriber, (struct id){{0}}));
    put_steps(db, a, d, o, r, version);
    json_parse(a, json_write_mut(a, o), &out, NULL);
    return out;
}

static void collect(yyjson_mut_doc *d, yyjson_mut_val *out, yyjson_val *data, yyjson_val *rule)
{
    yyjson_val *key, *one;
    yyjson_obj_iter members = yyjson_obj_iter_with(rule);
    while ((key = yyjson_obj_iter_next(&members))) {
        yyjson_val *v = yyjson_obj_iter_get_val(key);
        struct str path = json_str(yyjson_is_arr(v) ? yyjson_arr_get_first(v) : v);
        if (!str_eqz(json_str(key), "var") || !path.n) {
            collect(d, out, data, v);
            continue;
        }
        yyjson_val *is = json_path(data, path);
        if (str_starts(path, STR("payload.")) || str_starts(path, STR("subscriber.")) || str_starts(path, STR("steps.")))
            yyjson_mut_obj_put(out, json_mut_str(d, path), is ? yyjson_val_mut_copy(d, is) : yyjson_mut_null(d));
    }
    yyjson_arr_iter items = yyjson_arr_iter_with(rule);
    while ((one = yyjson_arr_iter_next(&items)))
        collect(d, out, data, one);
}

yyjson_mut_val *saw_json(struct db *db, struct arena *a, yyjson_mut_doc *d, const struct run *r, const struct definition *version,
                         const struct subscriber *subscriber, yyjson_val *payload, yyjson_val *condition)
{
    yyjson_mut_val *out = yyjson_mut_obj(d);
    collect(d, out, known(db, a, r, version, subscriber, payload), condition);
    return yyjson_mut_obj_size(out) ? out : NULL;
}
