/* Control values of a step: compiled once per workflow version, rendered for each job (content.md §1.4).
 *
 * Structural: every string leaf (and key) is a Liquid template of its own, rendered without escaping; the result
 * equals what upstream gets by rendering the whole JSON text, recorded in testdata/liquid-novu/controls_client.json.
 */
#ifndef CONTENT_CONTROLS_H
#define CONTENT_CONTROLS_H

#include "content/liquid.h"

struct controls;

/* Compiles a JSON object of control values. Template errors do not fail here: they are kept and reported by
 * controls_render, as upstream does at run time. Lives in a; values must live as long. */
struct controls *controls_compile(struct arena *a, yyjson_val *values);
/* Of an http_request: its `body`, if it would be JSON but for templates that stand for values, is structural, too: what comes
 * into one of its strings cannot end it, and a template for a value gives one. */
struct controls *controls_compile_request(struct arena *a, yyjson_val *values);
/* Is nothing in them a template? Then each render gives the same, whatever the context. */
bool controls_are_static(const struct controls *c);
/* Rendered values as a JSON tree in d. false: err is the Liquid error text. */
bool controls_render(const struct controls *c, const struct liquid_context *ctx, struct arena *a, yyjson_mut_doc *d,
                     yyjson_mut_val **out, struct error *err);

#endif
