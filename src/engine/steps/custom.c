/* The custom step: what the application's code made of it is its result for later steps (engine.md §4.4). */
#include "engine/machine_private.h"

enum { RAW_MAX = 10240 };               /* of an execution detail */

enum outcome step_custom(struct machine *m, int job, const struct step_definition *s, yyjson_val *outputs)
{
    struct arena *a = m->run->arena;
    struct run_job *j = &m->run->jobs[job];
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *raw = yyjson_mut_obj(d);
    (void)s;
    j->output = json_write(a, outputs);
    if (j->output.n <= RAW_MAX) {
        machine_log(m, job, DETAIL_STEP_PROCESSED, DETAIL_SUCCESS, j->output);
        return OUTCOME_COMPLETED;
    }
    json_add_val(d, raw, "outputs", outputs);
    machine_log(m, job, DETAIL_STEP_PROCESSED, DETAIL_SUCCESS, call_raw(m, d, raw, "outputs"));
    return OUTCOME_COMPLETED;
}
