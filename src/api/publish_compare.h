/* What differs between two environments: workflows and layouts, each with its translations, and agents, by identifier
 * (rest-api.md §6.12, decisions.md 33, 34).
 *
 * Pure but for reading the rows: the diff route shows a comparison, publishing carries it out.
 */
#ifndef API_PUBLISH_COMPARE_H
#define API_PUBLISH_COMPARE_H

#include "model/agent.h"
#include "model/layout.h"
#include "model/translation.h"
#include "model/workflow.h"

enum resource_action { RESOURCE_UNCHANGED, RESOURCE_ADDED, RESOURCE_MODIFIED, RESOURCE_DELETED };

/* What is published: TRANSLATED_WORKFLOW, TRANSLATED_LAYOUT, or this. */
enum { RESOURCE_AGENT = TRANSLATED_LAYOUT + 1 };

/* One workflow, layout or agent in either environment, or in both. */
struct resource {
    int kind;
    struct str identifier, name;            /* the source's name, or the target's */
    enum resource_action action;
    bool in_source, in_target;
    struct workflow workflow[2];            /* source, target: where kind is a workflow */
    struct layout layout[2];
    struct agent agent[2];
    struct translation *translations[2];
    size_t translations_n[2];
    yyjson_val *content[2];                 /* what counts: without ids and times; NULL: not there */
};

struct comparison {
    struct resource *all;                   /* layouts first, so that workflows find theirs; agents last; each kind by identifier */
    size_t n;
};

/* Reads both environments; everything is in a. */
bool comparison_read(struct db *db, struct arena *a, struct id source, struct id target, struct comparison *out,
                     struct error *err);
/* The resource of this kind and identifier; kind 0: a workflow, else a layout, else an agent (decisions.md 34: the SDK's REGULAR says
 * neither). NULL: none. */
struct resource *comparison_find(const struct comparison *c, int kind, struct str identifier);
struct str resource_action_name(enum resource_action a);

#endif
