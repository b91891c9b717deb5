/* What a step says, for one person: variables, control values, run condition (engine.md §3, content.md §1.5). */
#ifndef ENGINE_RENDER_H
#define ENGINE_RENDER_H

#include "content/liquid.h"
#include "engine/machine.h"

enum { RENDER_VARIABLES_MAX = 9 };

/* The subscriber as templates, conditions and webhooks see it. */
yyjson_val *render_subscriber(struct arena *a, const struct subscriber *s);
/* What templates and conditions of this job see (content.md §1.5); returns how many. */
size_t render_variables(const struct machine *m, int job, struct liquid_variable out[RENDER_VARIABLES_MAX]);
/* {digest, events, total_count}: what the digest before this job gave. NULL: there is no digest before it. */
yyjson_val *render_step(const struct machine *m, int job);
/* Rendered control values (an object). */
bool render_controls(struct machine *m, int job, const struct step_definition *s, yyjson_val **outputs, struct error *err);
/* {{t.key}} of what a bridge answered, in the reader's language. */
bool render_translate(const struct machine *m, int job, yyjson_val *in, yyjson_val **out, struct error *err);
/* What an earlier job came to, as later steps see it (JSON). */
struct str render_step_result(const struct machine *m, int job);
/* The run condition; logs that it matched. */
bool render_condition(struct machine *m, int job, const struct step_definition *s, bool *run_it, struct error *err);
/* What it comes to and the values that it saw ({path: value}, of the environment masked), for explain; logs nothing. */
bool render_condition_seen(const struct machine *m, int job, const struct step_definition *s, bool *run_it, struct str *seen,
                           struct error *err);

#endif
