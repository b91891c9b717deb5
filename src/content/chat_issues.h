/* What is wrong with the card of a chat step, and what the environment's chats would make of it (content.md §3.4). */
#ifndef CONTENT_CHAT_ISSUES_H
#define CONTENT_CHAT_ISSUES_H

#include "base/json.h"

struct chat_provider {
    struct str id, name;
};

/* [{issueType, severity, message}] of a step whose body is a block document, else NULL: buttons without a label or a good link;
 * cards larger than a provider takes ("error": it would refuse them) or shows ("warning"). providers: those with an active
 * integration; the ones whose content the step overrides are not asked. In d. */
yyjson_mut_val *chat_issues(struct arena *a, yyjson_mut_doc *d, yyjson_val *step, const struct chat_provider *providers, size_t n);

#endif
