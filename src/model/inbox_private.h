/* What the files of the Inbox share. */
#ifndef MODEL_INBOX_PRIVATE_H
#define MODEL_INBOX_PRIVATE_H

#include "model/inbox.h"
#include "model/run.h"

/* Does the filter ask for what only the document tells (tags, data) or name ids? */
static inline bool inbox_filter_looks_inside(const struct inbox_filter *f)
{
    return f->tag_groups_n > 0 || f->data != NULL || f->ids != NULL;
}
/* Those parts of the filter; doc is the message's document. */
bool inbox_filter_matches(const struct inbox_filter *f, struct id id, yyjson_val *doc);
/* inbox_find for a change: other nodes wait for the row. */
bool inbox_find_locked(struct db *db, struct arena *a, const struct inbox_owner *o, struct id id, struct message *out,
                       struct error *err);
/* inbox_list from that place on, itself not included. */
bool inbox_list_from(struct db *db, struct arena *a, const struct inbox_owner *o, const struct inbox_filter *f, int64_t at,
                     struct id id, int64_t offset, int limit, struct inbox_page *page, struct error *err);
/* Writes the state of m after a change, and tells its run. */
bool inbox_state_write(struct db *db, const struct message *m, enum run_mark what, struct error *err);
/* A change that a person makes shows that it was seen. */
void inbox_see(struct message *m, int64_t now);

#endif
