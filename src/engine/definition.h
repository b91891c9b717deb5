/* A workflow ready to run: parsed once per version, its templates compiled, shared by all threads.
 *
 * Immutable; release with cached_unref(&d->head).
 */
#ifndef ENGINE_DEFINITION_H
#define ENGINE_DEFINITION_H

#include "base/json.h"
#include "content/controls.h"
#include "content/email.h"
#include "content/jsonlogic.h"
#include "content/jsonschema.h"
#include "db/db.h"
#include "model/cache.h"
#include "model/preference.h"
#include "engine/texts.h"
#include "model/types.h"
#include "model/workflow.h"

struct step_definition {
    struct id id;
    struct str step_id, name;
    struct str uuid;                /* by which legacy filters name it; empty: none */
    enum step_type type;
    bool active, stop_on_fail;
    yyjson_val *values;             /* control values, normalised (content.md §3.3) */
    bool older;                     /* made by a client of older days: what such could say is let pass */
    yyjson_val *filters;            /* legacy step filters (engine.md §5.3); NULL: none */
    struct step_definition *variants;   /* of older workflows: the first active one whose filters pass is sent in the step's place */
    int variants_n;
    yyjson_val *variables;          /* of an older template: what the payload must have, and defaults; NULL: none */
    yyjson_val *actor;              /* of an older in-app template: {type, data} for the message, as it came; NULL: none */
    struct str delay_path;          /* of an older delay until a date: where that is in the payload; empty: none */
    yyjson_val *skip;               /* JSON-logic run condition, NULL: always (engine.md §5.1) */
    struct controls *condition;     /* the same, compiled: its values may be templates… */
    const struct jsonlogic *rule;   /* …and if none is, the program. Else NULL: each run has a rule of its own */
    struct controls *controls;      /* compiled, without skip and what is in body */
    struct body_texts body;         /* of an email step, or of a chat step made of blocks, compiled; plain NULL: none */
};

struct definition {
    struct cached head;
    struct arena *arena;
    struct workflow workflow;       /* its row */
    yyjson_val *doc;
    struct step_definition *steps;
    int steps_n;
    enum severity severity;
    bool critical, validate_payload;
    bool looks_back;                /* a filter asks whether an earlier message was read */
    bool external;                  /* code-first: its steps are computed by the application's bridge (bridge-cli.md §3.5) */
    yyjson_val *tags, *payload_schema;          /* NULL: none */
    struct str summary;                         /* JSON text: as messages carry it */
    yyjson_val *value;                          /* what templates see as `workflow`, of its own severity */
    struct jsonschema *payload_program;         /* NULL: every payload passes */
    bool channel_enabled[CHANNELS];             /* workflow preferences, default and user merged */
    struct workflow_preferences preferences;    /* the same by layers, to merge with a subscriber's */
    struct resource_texts texts;                /* translations; of the current definition only */
};

struct definitions;

struct definitions *definitions_create(bool shared_store);
void definitions_destroy(struct definitions *d);
/* After every committed change of a workflow, a layout or a translation. */
void definitions_changed(struct definitions *d);

/* What templates see as `workflow`. */
yyjson_val *definition_value(struct arena *a, const struct definition *d, enum severity severity);

/* The current definition. NULL: ERROR_NOT_FOUND "workflow_not_found", or a failure of the store. */
struct definition *definition_current(struct definitions *d, struct db *db, struct id environment, struct str identifier,
                                      struct error *err);
struct definition *definition_by_id(struct definitions *d, struct db *db, struct id environment, struct id workflow,
                                    struct error *err);
/* The environment's layouts, as they are now. NULL: a failure of the store. */
struct environment_layouts *definition_layouts(struct definitions *d, struct db *db, struct id environment, struct error *err);
/* The immutable version that a run was started with. */
struct definition *definition_version(struct definitions *d, struct db *db, struct id environment, struct id workflow,
                                      int64_t version, struct error *err);
/* What a trigger brought along instead of naming a stored workflow (bridge-cli.md §3.4). bridge: {url, version, name, workflow:
 * as a stored document} as its event keeps it; the version stands for the document's text, and workflow for the URL and name. */
struct definition *definition_brought(struct definitions *d, struct id environment, struct id workflow, yyjson_val *bridge,
                                      struct error *err);
/* What a run was started with: of its event's document (NULL: not known any more) if that has it, else a stored version. */
struct definition *definition_of_run(struct definitions *d, struct db *db, struct id environment, struct id workflow, int64_t version,
                                     yyjson_val *event, struct error *err);
/* Without a cache: for tests, the simulator and explain. Copies row's texts. */
struct definition *definition_compile(const struct workflow *row, struct error *err);

/* The step of this id, or NULL. */
const struct step_definition *definition_step(const struct definition *d, struct id step);

#endif
