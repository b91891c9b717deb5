/* What a workflow's answers and issues need to know of its environment, read before anything is written: replies are made on
 * the writer's thread, where nothing may be looked up.
 */
#ifndef API_WORKFLOW_CONTENT_H
#define API_WORKFLOW_CONTENT_H

#include "api/app.h"
#include "content/chat_issues.h"
#include "content/variable_schema.h"
#include "model/types.h"
#include "model/workflow.h"

struct workflow_content {
    struct str *env;                /* names of environment variables */
    size_t env_n;
    struct layout_key { struct str identifier; struct id id; } *layouts;
    size_t layouts_n;
    struct chat_provider *chats;    /* those of active integrations, each once */
    size_t chats_n;
    bool missing[CHANNELS];         /* nothing would send steps of this channel (content.md §3.4) */
    bool read_only;                 /* decisions.md 16 */
    bool closed;                    /* the caller's types are closed: values that do not fit are left out */
    bool early;                     /* the caller's SDK refuses enum values that came after it */
    struct str environment_name, environment_type;
};

/* Of the caller's environment, or of another of the organisation. */
bool workflow_content_load(struct request *rq, struct workflow_content *c, struct error *err);
bool workflow_content_load_of(struct request *rq, struct id environment, struct workflow_content *c, struct error *err);
/* In a transaction, as it is there; for no caller in particular. */
bool workflow_content_load_in(struct db *db, struct arena *a, struct id environment, struct workflow_content *c, struct error *err);
/* 403 where the environment is read-only; publish, sync and code-first do not ask. */
bool workflow_content_writable(const struct workflow_content *c, struct error *err);

/* doc with the issues of each step's control values; they replace those in it. */
bool workflow_issues_make(struct arena *a, const struct workflow_content *c, struct str doc, struct str *out, struct error *err);
/* The row's document with its issues as they are now. What was written with it stands, except where the environment has a say: a
 * workflow that mentions its variables is looked at anew, and so are layouts that steps name. NULL: damaged. */
yyjson_val *workflow_doc_now(struct arena *a, const struct workflow_content *c, const struct workflow *w);
/* ACTIVE, INACTIVE or ERROR (content.md §3.2). */
struct str workflow_status(bool active, yyjson_val *doc);

#endif
