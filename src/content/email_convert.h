/* From one e-mail editor to the other: a block document as an HTML template that says the same.
 *
 * Upstream renders a preview with made-up data, which freezes examples into the mail. Here variables stay variables,
 * conditional blocks become {% if %}, repetitions {% for %}. What differs: conditions on inline pictures and plain text are
 * left out (they are shown), and in HTML nobody escapes what variables say.
 */
#ifndef CONTENT_EMAIL_CONVERT_H
#define CONTENT_EMAIL_CONVERT_H

#include "base/json.h"

/* The HTML in the arena; document: with <html> and head around it, else to be put into a layout. raw: not sanitised.
 * false: the document cannot be rendered, err says why. */
bool email_html_of_blocks(struct arena *a, struct str blocks, bool document, bool raw, struct str *out, struct error *err);

#endif
