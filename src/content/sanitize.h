/* Makes HTML from users safe to show, exactly as Novu does (content.md §4.8; npm sanitize-html 2.17.5 with Novu's
 * options, recorded in testdata/sanitize/cases.json).
 *
 * Never fails and never recurses: broken markup is repaired or dropped, time is linear in the input, and the result
 * holds only allow-listed elements, no event handlers and no URL with a scheme other than http, https, ftp, mailto, tel.
 * Where ours differs from the recordings: images may have cid: sources (parts of the same e-mail), the text of <style>
 * cannot hold `</style`, tags nest at most 256 deep (deeper ones become siblings), a tag keeps its first 128 attributes.
 */
#ifndef CONTENT_SANITIZE_H
#define CONTENT_SANITIZE_H

#include "base/json.h"

/* The sanitised text, in a; html itself when it is empty. */
struct str sanitize_html(struct arena *a, struct str html);

/* A copy of v in d in which every string value (not the keys) is sanitised: the in_app output (content.md §3.7). */
yyjson_mut_val *sanitize_json(struct arena *a, yyjson_mut_doc *d, yyjson_val *v);
/* The same in place, for a tree under construction. */
void sanitize_json_mut(struct arena *a, yyjson_mut_val *v);

#endif
