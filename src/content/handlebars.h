/* Templates of older workflows, which are Handlebars, as Liquid.
 *
 * {{name}} is payload.name there; {{{html}}} is not escaped; {{#if}}, {{#unless}}, {{#equals}} and {{#each}} (with this, ../,
 * @index, @first, @last, @root) are blocks; uppercase and lowercase are helpers. What else stands in double braces (another
 * helper, a Liquid filter) is left as it is: the step's issues name it.
 */
#ifndef CONTENT_HANDLEBARS_H
#define CONTENT_HANDLEBARS_H

#include "base/str.h"

/* Never fails; what is not closed is text. The answer is in a, or source itself. */
struct str handlebars_to_liquid(struct arena *a, struct str source);

#endif
