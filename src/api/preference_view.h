/* What a subscriber is sent, as every door shows it: v2, v1 and the Inbox (rest-api.md §6.4, inbox-realtime.md §2.8). */
#ifndef API_PREFERENCE_VIEW_H
#define API_PREFERENCE_VIEW_H

#include "api/app.h"
#include "engine/definition.h"
#include "model/preference.h"
#include "model/webhook.h"

/* The workflows of the caller's environment, oldest first. */
struct workflow_set {
    struct definition **all;
    size_t n;
};
bool workflow_set_read(struct request *rq, bool active_only, struct workflow_set *out, struct error *err);
void workflow_set_release(struct workflow_set *w);
/* By id, identifier or slug; NULL: not among them. */
struct definition *workflow_set_find(const struct workflow_set *w, struct str key);
/* The channels of its active steps. */
void workflow_channels(const struct definition *w, bool out[CHANNELS]);
/* {id, identifier, name, critical, tags, severity}, as preferences show a workflow. */
yyjson_mut_val *workflow_brief_json(yyjson_mut_doc *d, const struct definition *w);

struct preference_view {
    struct workflow_set workflows;      /* the active ones */
    struct preference *rows;            /* the subscriber's, subscription rows included */
    size_t rows_n;
    struct str context;                 /* which rows count: exactly these keys, else none (engine.md §6.5) */
    bool any_context;                   /* … or: no context asked for, rows of any count where there is none without */
    bool off_is_final;                  /* decisions.md 15 */
};
/* context NULL: not asked for. To be released, also after false. */
bool preference_view_read(struct request *rq, struct id subscriber, const struct str *context, struct preference_view *out,
                          struct error *err);
void preference_view_release(struct preference_view *v);

/* In api_write.apply: the rows as they are after what was just written. */
bool preference_view_refresh(struct request *rq, struct db *db, struct id subscriber, struct preference_view *v, struct error *err);

/* The row that counts for a workflow (zero: the global one); NULL: none. */
const struct preference *preference_view_row(const struct preference_view *v, struct id workflow);
struct preference_result preference_view_merge(const struct preference_view *v, const struct definition *w);

/* Adds "channels" (only those of present) and, with overrides, "overrides". */
void preference_channels_add(yyjson_mut_doc *d, yyjson_mut_val *o, const struct preference_result *r, const bool present[CHANNELS],
                             bool overrides);
/* The same for the global level: the channels of active workflows. */
void preference_global_channels_add(const struct preference_view *v, yyjson_mut_doc *d, yyjson_mut_val *o);

/* --- as people see them: the Inbox, and webhooks (inbox-realtime.md §2.8) --- */

/* {level, enabled} */
yyjson_mut_val *preference_level_json(yyjson_mut_doc *d, const char *level, bool enabled);
yyjson_mut_val *preference_global_json(yyjson_mut_doc *d, const struct preference_view *v);
/* Its texts are w's. */
yyjson_mut_val *preference_template_json(yyjson_mut_doc *d, const struct preference_view *v, const struct definition *w);
/* The channels of the workflow's active steps; `tool` is not shown to people. */
void preference_shown_channels(const struct definition *w, bool out[CHANNELS]);
/* In the transaction of a change: "preference.updated" (bridge-cli.md §8.2). */
bool preference_tell(struct request *rq, struct db *db, const struct webhook_ears *ears, struct id subscriber, yyjson_mut_val *shown,
                     struct error *err);

/* A row to be written by preference_write: of the subscriber, everything unset. */
struct preference preference_row_new(struct request *rq, struct id subscriber, struct id workflow, struct str context);

#endif
