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

/* Whose messages, as ?1 and ?2; the same for indexes of parts (0017_inbox_parts.sql); those that are unread and awake; those
 * that sleep.
 *
 * The index of all holds only those with which something has been done (TOUCHED). Fresh ones, as a message comes, are in that
 * of the unread ones, whose part of no severity and not seen is just that, in the order of time: a new message is written to
 * one place, and a list is put together of two. */
#define INBOX_IS_OWNED "channel = 0 AND subscriber_id = ?1 AND context = ?2"
#define INBOX_IS_PART "channel < 1 AND subscriber_id = ?1 AND context = ?2"
#define INBOX_UNREAD_OF(m) m "channel < 1 AND " m "read = 0 AND " m "archived = 0 AND " m "snoozed_until IS NULL"
#define INBOX_IS_UNREAD INBOX_IS_PART " AND read = 0 AND archived = 0 AND snoozed_until IS NULL"
#define INBOX_TOUCHED_OF(m) "(" m "severity <> 0 OR " m "seen <> 0 OR " m "read <> 0 OR " m "archived <> 0 OR " m "snoozed_until > 0)"
#define INBOX_TOUCHED INBOX_TOUCHED_OF("")
#define INBOX_IS_TOUCHED INBOX_IS_OWNED " AND " INBOX_TOUCHED
#define INBOX_IS_FRESH INBOX_IS_UNREAD " AND severity = 0 AND seen = 0"
#define INBOX_FRESH_OF(m) INBOX_UNREAD_OF(m) " AND " m "severity = 0 AND " m "seen = 0"
#define INBOX_IS_ASLEEP INBOX_IS_OWNED " AND snoozed_until IS NOT NULL"
void inbox_bind_owner(struct db_stmt *s, const struct inbox_owner *o);
/* Four parameters; a severity that is not wanted is -1. */
void inbox_bind_severities(struct db_stmt *s, int first, unsigned severities);
/* ?1 to ?6: the owner, before that place, and the filter's times. */
void inbox_bind_range(struct db_stmt *s, const struct inbox_owner *o, const struct inbox_filter *f, int64_t at, struct id id);

/* Does the filter want unread messages only? They are never archived, and unseen ones are unread. */
static inline bool inbox_is_unread_only(const struct inbox_filter *f)
{
    return (f->read == 0 || (f->seen == 0 && f->read != 1)) && f->archived != 1 && f->snoozed != 1;
}
/* … also those that sleep, which the index of unread messages does not hold. */
static inline bool inbox_is_unread_asleep_too(const struct inbox_filter *f)
{
    return inbox_is_unread_only(f) && f->snoozed < 0;
}
/* Only messages of severities that most have not? */
static inline bool inbox_is_severe_only(const struct inbox_filter *f)
{
    return f->severities && !(f->severities & 1u << SEVERITY_NONE);
}
/* At most `want` messages before that place, offset passed over; and how many there are, at most cap. *done false: no index
 * of a part answers this filter. */
bool inbox_parts_list(struct db *db, struct arena *a, const struct inbox_owner *o, const struct inbox_filter *f, int64_t at,
                      struct id id, int64_t offset, int want, struct message *items, int *n, bool *done, struct error *err);
bool inbox_parts_count(struct db *db, struct arena *a, const struct inbox_owner *o, const struct inbox_filter *f, int64_t at,
                       struct id id, int cap, int *n, bool *done, struct error *err);
/* inbox_list from that place on, itself not included. */
bool inbox_list_from(struct db *db, struct arena *a, const struct inbox_owner *o, const struct inbox_filter *f, int64_t at,
                     struct id id, int64_t offset, int limit, struct inbox_page *page, struct error *err);
/* Writes the state of m after a change, and tells its run. */
bool inbox_state_write(struct db *db, const struct message *m, enum run_mark what, struct error *err);
/* A change that a person makes shows that it was seen. */
void inbox_see(struct message *m, int64_t now);

#endif
