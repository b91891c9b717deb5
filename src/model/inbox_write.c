/* What people do with their messages: read, archive, complete, delete, one by one or all at once. */
#include "model/inbox.h"

#include "model/inbox_private.h"
#include "model/message_private.h"
#include "model/queue.h"
#include "model/row.h"
#include "model/webhook.h"

/* How much of a sweep is done a call. */
enum { SWEEP_ROWS = 2000, SWEEP_IDS = 500 };

static const struct id id_last = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

/* Writes the state of m. A run whose message was looked at counts as interacted (engine.md §9). */
bool inbox_state_write(struct db *db, const struct message *m, enum run_mark what, struct error *err)
{
    return db_write(
        db, err,
        "UPDATE messages SET seen = ?1, read = ?2, archived = ?3, first_seen_at = ?4, last_seen_at = ?5, last_read_at = ?6, "
        "archived_at = ?7, updated_at = ?8, snoozed_until = ?11 WHERE environment_id = ?9 AND id = ?10",
        m->seen, m->read, m->archived, db_time_or_null(m->first_seen_at), db_time_or_null(m->last_seen_at),
        db_time_or_null(m->last_read_at), db_time_or_null(m->archived_at), m->updated_at, m->environment, m->id,
        db_time_or_null(m->snoozed_until))
        && run_mark(db, m->environment, m->run, m->id, what, m->updated_at, err);
}

void inbox_see(struct message *m, int64_t now)
{
    m->seen = true;
    m->last_seen_at = now;
    if (!m->first_seen_at)
        m->first_seen_at = now;
}

static void set_read(struct message *m, int64_t now)
{
    inbox_see(m, now);
    m->read = true;
    m->last_read_at = now;
}

/* inbox-realtime.md §2.6. false: the message is in that state already, and nothing is to be written. */
static bool state_change(struct message *m, enum inbox_action action, int64_t now)
{
    switch (action) {
    case INBOX_READ:
        if (m->read && m->seen)
            return false;
        set_read(m, now);
        break;
    case INBOX_UNREAD:
        if (m->seen && !m->read && !m->archived)
            return false;
        inbox_see(m, now);
        m->read = m->archived = false;
        m->last_read_at = m->archived_at = 0;
        break;
    case INBOX_SEEN:
        if (m->seen)
            return false;
        inbox_see(m, now);
        break;
    case INBOX_READ_ARCHIVE:
        if (!m->read)
            return false;
        /* fall through */
    case INBOX_ARCHIVE:
        if (m->archived && m->read && m->seen)
            return false;
        set_read(m, now);
        m->archived = true;
        m->archived_at = now;
        break;
    case INBOX_UNARCHIVE:
        if (!m->archived && m->read && m->seen)
            return false;
        inbox_see(m, now);
        if (!m->read)
            m->last_read_at = now;
        m->read = true;
        m->archived = false;
        m->archived_at = 0;
        break;
    case INBOX_DELETE:
        return true;
    }
    m->updated_at = now;
    return true;
}

static enum run_mark mark_of(enum inbox_action action)
{
    switch (action) {
    case INBOX_UNREAD: return MARKED_UNREAD;
    case INBOX_SEEN: return MARKED_SEEN;
    case INBOX_ARCHIVE:
    case INBOX_READ_ARCHIVE: return MARKED_ARCHIVED;
    case INBOX_UNARCHIVE: return MARKED_UNARCHIVED;
    case INBOX_READ:
    case INBOX_DELETE: break;
    }
    return MARKED_READ;
}

static enum webhook_type told_as(enum inbox_action action)
{
    switch (action) {
    case INBOX_UNREAD: return WEBHOOK_MESSAGE_UNREAD;
    case INBOX_SEEN: return WEBHOOK_MESSAGE_SEEN;
    case INBOX_ARCHIVE:
    case INBOX_READ_ARCHIVE: return WEBHOOK_MESSAGE_ARCHIVED;
    case INBOX_UNARCHIVE: return WEBHOOK_MESSAGE_UNARCHIVED;
    case INBOX_DELETE: return WEBHOOK_MESSAGE_DELETED;
    case INBOX_READ: break;
    }
    return WEBHOOK_MESSAGE_READ;
}

static bool act(struct db *db, struct webhook_ears *ears, struct message *m, enum inbox_action action, int64_t now, bool *changed,
                struct error *err)
{
    *changed = state_change(m, action, now);
    if (action == INBOX_DELETE)
        return (!m->snoozed_until || queue_delete(db, m->snoozed_until, m->id, err))
            && webhook_emit_message(db, ears, told_as(action), m->id, STR_NULL, now, err)
            && message_delete(db, m->environment, m->id, changed, err);
    return !*changed || (inbox_state_write(db, m, mark_of(action), err)
                         && webhook_emit_message(db, ears, told_as(action), m->id, STR_NULL, now, err));
}

bool inbox_act(struct db *db, struct arena *a, const struct inbox_owner *o, struct id id, enum inbox_action action, int64_t now,
               struct message *out, struct error *err)
{
    struct webhook_ears ears;
    bool changed;
    return inbox_find_locked(db, a, o, id, out, err) && webhook_listen(db, a, o->environment, &ears, err)
        && act(db, &ears, out, action, now, &changed, err);
}

/* --- all that match ------------------------------------------------------------------------------------------ */

/* Unknown ids are ignored. */
static bool sweep_ids(struct db *db, struct arena *a, const struct inbox_owner *o, const struct inbox_filter *f,
                      struct webhook_ears *ears, enum inbox_action action, int64_t now, struct inbox_sweep *w, struct error *err)
{
    struct message m;
    for (int i = 0; i < SWEEP_IDS && w->ids_done < f->ids_n; i++, w->ids_done++) {
        struct error missing = {0};
        bool changed = false, found = inbox_find_locked(db, a, o, f->ids[w->ids_done], &m, &missing);
        if (!found && missing.code != ERROR_NOT_FOUND) {
            *err = missing;
            return false;
        }
        if (found && !act(db, ears, &m, action, now, &changed, err))
            return false;
        w->changed += changed;
    }
    w->done = w->ids_done == f->ids_n;
    return true;
}

/* The oldest entry of the part that this call looks at; *last: it is the end of the Inbox. */
static bool window_end(struct db *db, const struct inbox_owner *o, const struct inbox_sweep *w, int64_t *at, struct id *id,
                       bool *last, struct error *err)
{
    struct db_stmt *s = db_query(
            db, err, "SELECT created_at, id FROM messages WHERE " INBOX_IS_TOUCHED " AND (created_at, id) < (?3, ?4) UNION ALL "
            "SELECT created_at, id FROM messages WHERE " INBOX_IS_FRESH " AND (created_at, id) < (?3, ?4) "
            "ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET ?5",
            o->subscriber, o->context.p ? o->context : STR(""), w->from_at, w->from, SWEEP_ROWS - 1);
    if (!s)
        return false;
    enum db_step step = db_step(s, err);
    *last = step != DB_ROW;
    *at = *last ? INT64_MIN : db_int(s, 0);
    *id = *last ? (struct id){{0}} : db_id(s, 1);
    db_reset(s);
    return step != DB_FAILED;
}

static bool in_time(const struct inbox_filter *f, const struct message *m)
{
    return (!f->created_gte || m->created_at >= f->created_gte) && (!f->created_lte || m->created_at <= f->created_lte);
}

static bool flag_matches(int wanted, bool is)
{
    return wanted < 0 || wanted == is;
}

static bool matches(struct arena *a, const struct inbox_filter *f, const struct message *m)
{
    yyjson_val *doc = NULL;
    if (!flag_matches(f->read, m->read) || !flag_matches(f->seen, m->seen) || !flag_matches(f->archived, m->archived)
        || !flag_matches(f->snoozed, m->snoozed_until != 0) || !in_time(f, m)
        || (f->severities && !(f->severities & 1u << m->severity)))
        return false;
    if (!inbox_filter_looks_inside(f))
        return true;
    json_parse(a, m->doc, &doc, NULL);
    return inbox_filter_matches(f, m->id, doc);
}

#define WINDOW(which)                                                                                                  \
    "SELECT " MESSAGE_COLUMNS " FROM messages WHERE " which " AND (created_at, id) < (?3, ?4) AND (created_at, id) >= (?5, ?6) " \
    "ORDER BY created_at DESC, id DESC LIMIT ?7 FOR UPDATE"

/* Those of the window that match and would change, after the *n that there are. Their texts are not kept. */
static bool window_read(struct db *db, const struct inbox_owner *o, const struct inbox_filter *f, enum inbox_action action,
                        const struct inbox_sweep *w, const char *which, int64_t end_at, struct id end, struct message *out, size_t *n,
                        struct error *err)
{
    struct arena *row ARENA_SCOPED = arena_create(8192);
    enum db_step step;
    struct db_stmt *s = db_query(db, err, which, o->subscriber, o->context.p ? o->context : STR(""), w->from_at, w->from, end_at, end,
                                 SWEEP_ROWS - (int64_t)*n);
    if (!s)
        return false;
    while ((step = db_step(s, err)) == DB_ROW) {
        struct message m, after;
        arena_reset(row);
        message_read(s, row, &m);
        after = m;
        if (!matches(row, f, &m) || !state_change(&after, action, 1))
            continue;
        m.doc = m.context = STR_NULL;
        out[(*n)++] = m;
    }
    db_reset(s);
    return step == DB_DONE;
}

static bool sweep_window(struct db *db, struct arena *a, const struct inbox_owner *o, const struct inbox_filter *f,
                         struct webhook_ears *ears, enum inbox_action action, int64_t now, struct inbox_sweep *w, struct error *err)
{
    struct message *found = arena_alloc_raw(a, SWEEP_ROWS * sizeof *found);
    int64_t end_at;
    struct id end;
    bool last;
    size_t n = 0;
    if (!window_end(db, o, w, &end_at, &end, &last, err)
        || !window_read(db, o, f, action, w, WINDOW(INBOX_IS_TOUCHED), end_at, end, found, &n, err)
        || !window_read(db, o, f, action, w, WINDOW(INBOX_IS_FRESH), end_at, end, found, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool changed = false;
        if (!act(db, ears, &found[i], action, now, &changed, err))
            return false;
        w->changed += changed;
    }
    w->from_at = end_at;
    w->from = end;
    w->done = last;
    return true;
}

bool inbox_act_next(struct db *db, const struct inbox_owner *o, const struct inbox_filter *f, enum inbox_action action,
                    int64_t now, struct inbox_sweep *w, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct webhook_ears ears;
    if (!webhook_listen(db, a, o->environment, &ears, err))
        return false;
    if (!w->started) {
        w->started = true;
        w->from_at = INT64_MAX;
        w->from = id_last;
    }
    if (f->ids)
        return sweep_ids(db, a, o, f, &ears, action, now, w, err);
    return sweep_window(db, a, o, f, &ears, action, now, w, err);
}

bool inbox_act_all(struct db *db, struct arena *a, const struct inbox_owner *o, const struct inbox_filter *f,
                   enum inbox_action action, int64_t now, int64_t *changed, struct error *err)
{
    struct inbox_sweep w = {0};
    (void)a;
    while (!w.done)
        if (!inbox_act_next(db, o, f, action, now, &w, err))
            return false;
    *changed = w.changed;
    return true;
}

/* --- buttons ------------------------------------------------------------------------------------------------- */

static yyjson_val *button_find(yyjson_val *action, struct str type)
{
    yyjson_val *b;
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(action, "buttons"));
    while ((b = yyjson_arr_iter_next(&it)))
        if (str_eq(json_get_str(b, "type"), type))
            return b;
    return NULL;
}

/* cta.action of the document with its new status and result (inbox-realtime.md §2.6). */
static struct str doc_with_result(struct arena *a, yyjson_val *doc, const struct inbox_press *p, struct str status)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *root = yyjson_val_mut_copy(d, doc);
    yyjson_mut_val *action = yyjson_mut_obj_get(yyjson_mut_obj_get(root, "cta"), "action");
    yyjson_mut_val *result = yyjson_mut_obj(d);
    json_add_str(d, result, "type", p->button);
    if (p->payload)
        json_add_val(d, result, "payload", p->payload);
    yyjson_mut_obj_put(action, yyjson_mut_str(d, "status"), json_mut_str(d, status));
    yyjson_mut_obj_put(action, yyjson_mut_str(d, "result"), result);
    return json_write_mut(a, root);
}

static bool doc_write(struct db *db, const struct message *m, struct error *err)
{
    return db_write(db, err, "UPDATE messages SET doc = ?1 WHERE environment_id = ?2 AND id = ?3", m->doc, m->environment,
                    m->id);
}

bool inbox_complete(struct db *db, struct arena *a, const struct inbox_owner *o, struct id id, const struct inbox_press *p,
                    int64_t now, struct message *out, struct error *err)
{
    yyjson_val *doc;
    if (!inbox_find_locked(db, a, o, id, out, err) || !json_parse(a, out->doc, &doc, err))
        return false;
    yyjson_val *action = json_path(doc, STR("cta.action"));
    struct str status = p->done ? STR("done") : STR("pending");
    if (!button_find(action, p->button))
        return error_set(err, ERROR_BAD_INPUT, "Could not perform action on the %.*s button because it does not exist.",
                         STR_ARG(p->button));
    bool same = !p->payload && str_eq(json_get_str(action, "status"), status)
             && str_eq(json_get_str(json_get(action, "result"), "type"), p->button);
    if (same && out->read)
        return true;
    bool was_read = out->read;
    if (!same)
        out->doc = doc_with_result(a, doc, p, status);
    if (!was_read)
        set_read(out, now);
    out->updated_at = now;
    return (same || doc_write(db, out, err)) && inbox_state_write(db, out, MARKED_READ, err)
        && (was_read || webhook_tell_message(db, out->environment, WEBHOOK_MESSAGE_READ, out->id, now, err));
}
