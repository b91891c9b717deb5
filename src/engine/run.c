/* Runs to text and back, derived ids, and the delivery lifecycle. */
#include "engine/run.h"

struct id run_derived_id(struct id run, enum derived kind, int n)
{
    struct id id = run;
    id.b[4] ^= (uint8_t)kind;
    id.b[5] ^= (uint8_t)(n >> 8);
    id.b[6] ^= (uint8_t)n;
    return id;
}

uint64_t run_jitter(struct id of, int attempt)
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < sizeof of.b; i++)
        h = (h ^ of.b[i]) * 1099511628211u;
    h = (h ^ (uint64_t)attempt) * 1099511628211u;
    return h ^ h >> 29;
}

void run_log_add(struct run *r, int64_t now, int job, enum detail detail, enum detail_status status, int message,
                 struct str raw)
{
    if (r->log_n == r->log_cap) {
        int cap = r->log_cap ? r->log_cap * 2 : 16;
        r->log = arena_grow(r->arena, r->log, sizeof *r->log * (size_t)r->log_cap, sizeof *r->log * (size_t)cap);
        r->log_cap = cap;
    }
    r->log[r->log_n++] = (struct run_log){.at = now, .job = job, .detail = detail, .status = status, .message = message,
                                          .raw = raw};
}

struct str skip_reason_name(enum skip_reason s)
{
    static const char *const names[SKIP_REASONS] = {"", "preference", "step_condition", "missing_email", "missing_phone",
                                                    "missing_push_token", "missing_webhook_url",
                                                    "some_channels_missing_credentials",
                                                    "workflow_missing_channel_step", "unknown_error", "execution_stopped",
                                                    "execution_canceled_by_user"};
    return str_of(names[s]);
}

static void put_text(struct buf *b, struct str s)
{
    buf_char(b, ',');
    if (s.n)
        json_quote(b, s);
    else
        buf_char(b, '0');
}

static void put_number(struct buf *b, int64_t v)
{
    buf_char(b, ',');
    buf_int(b, v);
}

static void put_json(struct buf *b, struct str json)
{
    buf_char(b, ',');
    if (json.n)
        buf_str(b, json);
    else
        buf_char(b, '0');
}

static bool job_is_gathered(const struct run_job *j)
{
    return j->extensions || j->group.n || j->timing.n || !id_is_zero(j->merged_run);
}

static void put_gathered(struct buf *b, const struct run_job *j)
{
    char hex[ID_HEX + 1] = "";
    if (!id_is_zero(j->merged_run))
        id_hex(j->merged_run, hex);
    put_number(b, j->extensions);
    put_text(b, str_of(hex));
    put_number(b, j->merged_job);
    put_text(b, j->group);
    put_json(b, j->timing);
}

/* A job is [type, status, step, updated - created, …], trailing zeros left out. */
static void put_job(struct buf *b, const struct run *r, const struct run_job *j)
{
    bool gathered = job_is_gathered(j);
    buf_char(b, '[');
    buf_int(b, j->type);
    put_number(b, j->status);
    put_number(b, j->step);
    put_number(b, j->updated_at - r->row.created_at);
    if (gathered || j->call.n || j->skip || j->due_at || j->attempts || j->error.n || j->output.n || j->provider_id.n
        || j->canceled_by_user) {
        put_text(b, j->provider_id);
        put_number(b, j->skip);
        put_number(b, j->attempts);
        put_number(b, j->due_at);
        put_number(b, j->canceled_by_user);
        put_text(b, j->error);
        if (j->output.n || j->call.n || gathered)
            put_json(b, j->output);
        if (j->call.n || gathered)
            put_json(b, j->call);
        if (gathered)
            put_gathered(b, j);
    }
    buf_char(b, ']');
}

/* A log entry is [at - created, job, detail, status, message, raw]. */
static void put_log(struct buf *b, const struct run *r, const struct run_log *l)
{
    buf_char(b, '[');
    buf_int(b, l->at - r->row.created_at);
    put_number(b, l->job);
    put_number(b, l->detail);
    put_number(b, l->status);
    if (l->message || l->raw.n) {
        put_number(b, l->message);
        if (l->raw.n) {
            buf_char(b, ',');
            buf_str(b, l->raw);
        }
    }
    buf_char(b, ']');
}

struct str run_encode(struct run *r)
{
    struct buf b = {.arena = r->arena};
    buf_reserve(&b, 512);
    buf_z(&b, "{\"j\":[");
    for (int i = 0; i < r->jobs_n; i++) {
        if (i)
            buf_char(&b, ',');
        put_job(&b, r, &r->jobs[i]);
    }
    buf_z(&b, "],\"l\":[");
    for (int i = 0; i < r->log_n; i++) {
        if (i)
            buf_char(&b, ',');
        put_log(&b, r, &r->log[i]);
    }
    buf_z(&b, r->chain_ended ? "],\"e\":1,\"d\":" : "],\"e\":0,\"d\":");
    buf_int(&b, r->lifecycle_detail);
    if (r->critical)
        buf_z(&b, ",\"c\":1");
    if (r->own_message)
        buf_z(&b, ",\"m\":1");
    run_targets_encode(r, &b);
    if (r->judged.n) {
        buf_z(&b, ",\"i\":");
        buf_str(&b, r->judged);
    }
    if (r->topics.n) {
        char hex[ID_HEX + 1];
        id_hex(r->subscription, hex);
        buf_fmt(&b, ",\"s\":\"%s\",\"t\":", hex);
        buf_str(&b, r->topics);
    }
    buf_char(&b, '}');
    return buf_finish(&b);
}

struct str run_topics_raw(struct run *r)
{
    struct buf b = {.arena = r->arena};
    yyjson_val *list, *v;
    if (!r->topics.n || !json_parse(r->arena, r->topics, &list, NULL))
        return STR_NULL;
    buf_z(&b, "{\"topics\":[");
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it))) {
        buf_z(&b, b.p[b.n - 1] == '[' ? "{\"topic\":" : ",{\"topic\":");
        json_quote(&b, json_get_str(v, "topicKey"));
        buf_char(&b, '}');
    }
    buf_z(&b, "]}");
    return buf_finish(&b);
}

/* The payloads of a digest's events (engine.md §4.7 "On fire"). */
static struct str digest_raw(struct run *r, struct str output)
{
    struct buf b = {.arena = r->arena};
    yyjson_val *root = NULL, *v;
    json_parse(r->arena, output, &root, NULL);
    buf_char(&b, '[');
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(root, "events"));
    while ((v = yyjson_arr_iter_next(&it))) {
        if (b.n > 1)
            buf_char(&b, ',');
        buf_str(&b, json_write(r->arena, json_get(v, "payload")));
    }
    buf_char(&b, ']');
    return buf_finish(&b);
}

struct str run_log_raw(struct run *r, int n)
{
    const struct run_log *l = &r->log[n];
    return l->detail == DETAIL_DIGEST_TRIGGERED && !l->raw.n ? digest_raw(r, r->jobs[l->job].output) : l->raw;
}

static int64_t at_int(yyjson_val *arr, size_t i)
{
    yyjson_val *v = yyjson_arr_get(arr, i);
    return yyjson_is_int(v) ? yyjson_get_sint(v) : 0;
}

static struct str at_json(struct arena *a, yyjson_val *arr, size_t i)
{
    yyjson_val *v = yyjson_arr_get(arr, i);
    return v ? json_write(a, v) : STR_NULL;
}

static struct str at_object(struct arena *a, yyjson_val *arr, size_t i)
{
    return yyjson_is_obj(yyjson_arr_get(arr, i)) ? at_json(a, arr, i) : STR_NULL;
}

static bool job_decode(struct run *r, yyjson_val *v, struct run_job *j)
{
    int64_t type = at_int(v, 0), status = at_int(v, 1), skip = at_int(v, 5);
    if (!yyjson_is_arr(v) || type < 0 || type >= STEP_TYPES || status < 0 || status >= JOB_STATUSES || skip < 0
        || skip >= SKIP_REASONS)
        return false;
    *j = (struct run_job){
        .type = (enum step_type)type,
        .status = (enum job_status)status,
        .step = (int)at_int(v, 2),
        .updated_at = r->row.created_at + at_int(v, 3),
        .provider_id = json_str(yyjson_arr_get(v, 4)),
        .skip = (enum skip_reason)skip,
        .attempts = (int)at_int(v, 6),
        .due_at = at_int(v, 7),
        .canceled_by_user = at_int(v, 8) != 0,
        .error = json_str(yyjson_arr_get(v, 9)),
        .output = at_object(r->arena, v, 10),
        .call = at_object(r->arena, v, 11),
        .extensions = (int)at_int(v, 12),
        .merged_job = (int)at_int(v, 14),
        .group = json_str(yyjson_arr_get(v, 15)),
        .timing = at_object(r->arena, v, 16),
    };
    id_parse(json_str(yyjson_arr_get(v, 13)), &j->merged_run);
    return true;
}

bool run_decode(const struct run_row *row, struct arena *arena, struct run *r, struct error *err)
{
    yyjson_val *root, *v;
    *r = (struct run){.row = *row, .arena = arena};
    if (!json_parse(arena, row->state, &root, err))
        return false;
    yyjson_val *jobs = json_get(root, "j"), *log = json_get(root, "l");
    r->jobs = ARENA_ARRAY(arena, struct run_job, yyjson_arr_size(jobs) + 1);
    yyjson_arr_iter it = yyjson_arr_iter_with(jobs);
    while ((v = yyjson_arr_iter_next(&it)))
        if (!job_decode(r, v, &r->jobs[r->jobs_n++]))
            return error_set(err, ERROR_INTERNAL, "A stored run is damaged");
    it = yyjson_arr_iter_with(log);
    while ((v = yyjson_arr_iter_next(&it))) {
        int64_t job = at_int(v, 1), detail = at_int(v, 2), status = at_int(v, 3);
        if (job < 0 || job >= r->jobs_n || detail < 0 || detail >= DETAILS || status < 0 || status > DETAIL_QUEUED)
            return error_set(err, ERROR_INTERNAL, "A stored run is damaged");
        run_log_add(r, row->created_at + at_int(v, 0), (int)job, (enum detail)detail, (enum detail_status)status,
                    (int)at_int(v, 4), at_json(arena, v, 5));
    }
    if (!run_targets_decode(r, json_get(root, "v")))
        return error_set(err, ERROR_INTERNAL, "A stored run is damaged");
    r->chain_ended = json_get_int(root, "e", 0) != 0;
    int64_t d = json_get_int(root, "d", 0);
    r->lifecycle_detail = d > 0 && d < SKIP_REASONS ? (enum skip_reason)d : SKIP_NONE;
    r->critical = json_get_int(root, "c", 0) != 0;
    r->own_message = json_get_int(root, "m", 0) != 0;
    if ((v = json_get(root, "i")))
        r->judged = json_write(arena, v);
    if ((v = json_get(root, "t"))) {
        r->topics = json_write(arena, v);
        id_parse(json_get_str(root, "s"), &r->subscription);
    }
    return true;
}

/* --- delivery lifecycle, engine.md §9: the first rule that matches ----------------------------------- */

static bool job_is_terminal(const struct run_job *j)
{
    return j->status == JOB_COMPLETED || j->status == JOB_FAILED || j->status == JOB_CANCELED || j->status == JOB_MERGED
        || j->status == JOB_SKIPPED;
}

static bool canceled_by_user(const struct run *r)
{
    for (int i = 0; i < r->jobs_n; i++)
        if (r->jobs[i].canceled_by_user)
            return true;
    return false;
}

/* What the channel jobs came to. */
struct tally {
    int channels, open, failed, canceled, merged, throttled, sent;
    bool stored;                    /* an in-app message is there */
    enum skip_reason first_skip;
};

static struct tally tally_of(const struct run *r)
{
    struct tally t = {.channels = 0};
    for (int i = 0; i < r->jobs_n; i++) {
        const struct run_job *j = &r->jobs[i];
        if (!step_is_channel(j->type))
            continue;
        t.channels++;
        t.stored |= j->type == STEP_IN_APP && j->status == JOB_COMPLETED;
        t.open += !job_is_terminal(j);
        t.sent += j->status == JOB_COMPLETED;
        t.failed += j->status == JOB_FAILED;
        t.merged += j->status == JOB_MERGED;
        t.throttled += j->status == JOB_SKIPPED;
        t.canceled += j->status == JOB_CANCELED && !j->skip;
        if (j->skip && (!t.first_skip || j->skip < t.first_skip))
            t.first_skip = j->skip;                             /* the numbers are in order of priority */
    }
    return t;
}

enum delivery_status run_lifecycle(const struct run *r, enum skip_reason *detail)
{
    struct tally t = tally_of(r);
    *detail = SKIP_NONE;
    if (!t.channels) {                                          /* rule 0 */
        *detail = SKIP_NO_CHANNEL_STEP;
        return LIFECYCLE_ERRORED;
    }
    if (t.stored)
        return LIFECYCLE_DELIVERED;                             /* rule 2: stored is delivered */
    if (t.sent)
        return LIFECYCLE_SENT;                                  /* rule 3 */
    if (r->row.status == RUN_ERROR)
        return LIFECYCLE_ERRORED;                               /* engine.md §4.6 */
    if (!t.open && (t.first_skip || t.throttled)) {
        *detail = t.first_skip;
        return LIFECYCLE_SKIPPED;                               /* rule 4, and §4.8 of a throttled run */
    }
    if (t.canceled) {
        *detail = canceled_by_user(r) ? SKIP_CANCELED_BY_USER : SKIP_NONE;
        return LIFECYCLE_CANCELED;                              /* rule 5 */
    }
    if (t.failed == t.channels)
        return LIFECYCLE_ERRORED;                               /* rule 6 */
    if (t.merged == t.channels)
        return LIFECYCLE_MERGED;                                /* rule 7 */
    if (t.open)
        return LIFECYCLE_PENDING;                               /* rule 8 */
    *detail = SKIP_UNKNOWN_ERROR;
    return LIFECYCLE_ERRORED;                                   /* rule 9 */
}
