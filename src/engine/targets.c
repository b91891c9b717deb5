/* The deliveries of a run: their ids and their compact form beside the jobs. */
#include "engine/run.h"

struct id run_message_id(const struct run *r, int job, int message)
{
    if (r->own_message && job == 1 && !message)
        return r->row.id;
    return run_derived_id(r->row.id, DERIVED_MESSAGE, job + (message << 10));
}

struct id run_delivery_id(struct id run, int target)
{
    return run_derived_id(run, DERIVED_DELIVERY, target);
}

struct run_target *run_target_add(struct run *r, int job)
{
    struct run_target *t = ARENA_SLOT(r->arena, r->targets, r->targets_n, r->targets_cap);
    *t = (struct run_target){.job = job};
    return t;
}

static void put_text(struct buf *b, struct str s)
{
    buf_char(b, ',');
    if (s.n)
        json_quote(b, s);
    else
        buf_char(b, '0');
}

/* ,"v":[[job, status, message, attempt, waits, tries, first - created, integration, tried, address], …] */
void run_targets_encode(const struct run *r, struct buf *b)
{
    char hex[ID_HEX + 1];
    if (!r->targets_n)
        return;
    buf_z(b, ",\"v\":[");
    for (size_t i = 0; i < r->targets_n; i++) {
        const struct run_target *t = &r->targets[i];
        id_hex(t->integration, hex);
        buf_fmt(b, "%s[%d,%d,%d,%d,%d,%d,%lld,\"%s\"", i ? "," : "", t->job, t->status, t->message, t->attempt, t->waits, t->tries,
                (long long)(t->first_at - r->row.created_at), hex);
        put_text(b, t->tried);
        put_text(b, t->address);
        buf_char(b, ']');
    }
    buf_char(b, ']');
}

static int64_t at_int(yyjson_val *arr, size_t i)
{
    yyjson_val *v = yyjson_arr_get(arr, i);
    return yyjson_is_int(v) ? yyjson_get_sint(v) : 0;
}

bool run_targets_decode(struct run *r, yyjson_val *list)
{
    yyjson_val *v;
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it))) {
        int64_t job = at_int(v, 0), status = at_int(v, 1), message = at_int(v, 2);
        if (!yyjson_is_arr(v) || job < 0 || job >= r->jobs_n || status < 0 || status >= TARGET_STATUSES || message < 0
            || message >= RUN_MESSAGES_MAX)
            return false;
        struct run_target *t = run_target_add(r, (int)job);
        t->status = (enum target_status)status;
        t->message = (int)message;
        t->attempt = (int)at_int(v, 3);
        t->waits = at_int(v, 4) != 0;
        t->tries = (int)at_int(v, 5);
        t->first_at = r->row.created_at + at_int(v, 6);
        if (!id_parse(json_str(yyjson_arr_get(v, 7)), &t->integration))
            return false;
        t->tried = json_str(yyjson_arr_get(v, 8));
        t->address = json_str(yyjson_arr_get(v, 9));
    }
    return true;
}

static struct str raw_member(const struct run *r, const struct run_log *l, const char *key)
{
    yyjson_val *v;
    return l->raw.n && json_parse(r->arena, l->raw, &v, NULL) ? json_get_str(v, key) : STR_NULL;
}

struct str run_log_text(const struct run *r, const struct run_log *l)
{
    struct str text = detail_text(l->detail), name;
    switch (l->detail) {
    case DETAIL_PROVIDER_SELECTED:
        name = raw_member(r, l, "providerId");
        return str_fmt(r->arena, "%.*s%.*s", STR_ARG(name), STR_ARG(text));
    case DETAIL_FAILING_OVER:
        name = raw_member(r, l, "identifier");
        return str_fmt(r->arena, "%.*s%.*s", STR_ARG(text), STR_ARG(name));
    default:
        return text;
    }
}
