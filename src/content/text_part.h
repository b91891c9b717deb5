/* The plain-text alternative of an HTML e-mail (content.md §4.5; npm html-to-text 9 as @react-email/render 1.2.1 calls it).
 *
 * Headings in capitals, links as `label url`, list items behind ` * ` or ` 1. `, quotes behind `> `, rules as 80 dashes,
 * lines wrapped at 80 UTF-16 units, images and elements with data-skip-in-text="true" left out. Only the content of
 * <body> counts, where there is one. Never fails and never recurses; blocks nested deeper than 24 run together, and the
 * text is cut at 1 MiB.
 */
#ifndef CONTENT_TEXT_PART_H
#define CONTENT_TEXT_PART_H

#include "base/str.h"

struct str text_part_from_html(struct arena *a, struct str html);

#endif
