/* Decodes one character reference of HTML (HTML standard §13.2.5.72–80). */
#ifndef CONTENT_HTML_ENTITIES_H
#define CONTENT_HTML_ENTITIES_H

#include "base/str.h"

enum { HTML_ENTITY_MAX = 8 };       /* UTF-8 bytes of the longest decoded reference */

/* The reference that starts with the & at s.p[at]. Gives the bytes consumed (0: none, the & is a plain character)
 * and writes the decoded text to out. In attributes a name without ; is left alone before = and letters or digits. */
size_t html_entity_decode(struct str s, size_t at, bool in_attribute, char out[HTML_ENTITY_MAX], size_t *out_n);

/* Writes one code point as UTF-8; returns its length. */
size_t html_utf8(uint32_t c, char out[4]);

#endif
