/* {{t.key}} belongs to the translation stage, not to Liquid: it is kept as [T:key] while templates render
 * (content.md §1.4 steps 3 and 5).
 */
#ifndef CONTENT_TRANSLATION_KEYS_H
#define CONTENT_TRANSLATION_KEYS_H

#include "base/str.h"

/* s with [T:key] for {{ t.key }} and '[T:key]' for the filter argument 't.key'; s itself where there is none. */
struct str translation_keys_protect(struct arena *a, struct str s);
/* s with {{t.key}} for [T:key]. */
struct str translation_keys_restore(struct arena *a, struct str s);

#endif
