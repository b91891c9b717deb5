/* HTTP requests as part of a step: the chain waits for the answer (engine.md §4.9, §4.11). */
#include "engine/machine_private.h"

enum { RAW_MAX = 10240 };               /* of an execution detail (engine.md §4.9) */

enum outcome call_begin(struct machine *m, int job, struct str doc)
{
    m->run->jobs[job].call = doc;           /* attempts count on: an answer that comes twice is none to the next request */
    return call_again(m, job, 0);
}

enum outcome call_again(struct machine *m, int job, int64_t delay_ms)
{
    struct effect *e = machine_effect(m, EFFECT_CALL);
    e->queue = (struct queue_item){.due_at = m->facts->now + delay_ms, .job = job, .attempt = ++m->run->jobs[job].attempts};
    return OUTCOME_WAITING;
}

void call_result(struct machine *m, const struct machine_input *in)
{
    struct run_job *j = &m->run->jobs[in->job];
    const struct step_executor *x = &step_executors[j->type];
    const struct step_definition *s = machine_step(m, in->job);
    bool bridged = bridge_computes(m, j->type), filters = filter_waits(m, in->job);
    if (j->status != JOB_RUNNING || !j->call.n || in->attempt != j->attempts || !s || (!bridged && !filters && !x->answered))
        return;
    enum outcome o = filters ? filter_answered(m, in->job, s, &in->call)
        : bridged ? bridge_answered(m, in->job, s, &in->call) : x->answered(m, in->job, s, &in->call);
    if (o != OUTCOME_WAITING)
        j->call = STR_NULL;
    if (machine_settle(m, in->job, o) && !m->run->chain_ended)      /* canceled meanwhile: nothing follows */
        machine_continue(m, in->job);
}

enum outcome call_fail(struct machine *m, int job, struct str error)
{
    struct buf raw = {.arena = m->run->arena};
    buf_z(&raw, "{\"error\":");
    json_quote(&raw, error);
    buf_char(&raw, '}');
    return machine_fail(m, job, DETAIL_STEP_FAILED, buf_finish(&raw), str_dup(m->run->arena, error));
}

struct str call_raw(struct machine *m, yyjson_mut_doc *d, yyjson_mut_val *o, const char *cut)
{
    struct arena *a = m->run->arena;
    struct str whole = json_write_mut(a, o);
    yyjson_mut_val *v = yyjson_mut_obj_get(o, cut);
    if (whole.n <= RAW_MAX || !v)
        return whole;
    struct str text = yyjson_mut_is_str(v) ? (struct str){yyjson_mut_get_str(v), yyjson_mut_get_len(v)} : json_write_mut(a, v);
    yyjson_mut_obj_remove_key(o, cut);
    size_t rest = json_write_mut(a, o).n + 64, keep = rest < RAW_MAX ? (RAW_MAX - rest) / 2 : 0;
    if (keep > text.n)
        keep = text.n;
    while (keep && keep < text.n && ((unsigned char)text.p[keep] & 0xc0) == 0x80)
        keep--;                         /* not inside of a character */
    json_add_str(d, o, cut, str_fmt(a, "%.*s... [truncated]", (int)keep, text.p));
    return json_write_mut(a, o);
}
