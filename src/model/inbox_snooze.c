/* Messages that are put away until later (inbox-realtime.md §2.6, engine.md §7.6). */
#include "base/clock.h"
#include "model/inbox_private.h"
#include "model/message_private.h"
#include "model/queue.h"
#include "model/row.h"
#include "model/webhook.h"

bool inbox_snooze(struct db *db, struct arena *a, const struct inbox_owner *o, struct id id, int64_t until, int64_t now,
                  struct message *out, struct error *err)
{
    char hex[ID_HEX + 1];
    id_hex(id, hex);
    if (!inbox_find_locked(db, a, o, id, out, err))
        return err->code == ERROR_NOT_FOUND ? error_set(err, ERROR_NOT_FOUND, "Notification id: '%s' not found", hex) : false;
    if (out->snoozed_until && !queue_delete(db, out->snoozed_until, id, err))
        return false;
    struct queue_item wake = {.due_at = until, .id = id, .environment = o->environment, .ref = out->run, .kind = QUEUE_SNOOZE};
    inbox_see(out, now);
    out->snoozed_until = until;
    out->archived = false;
    out->archived_at = 0;
    out->updated_at = now;
    return inbox_state_write(db, out, MARKED_SNOOZED, err) && queue_insert(db, &wake, err)
        && webhook_tell_message(db, o->environment, WEBHOOK_MESSAGE_SNOOZED, id, now, err);
}

bool inbox_unsnooze(struct db *db, struct arena *a, const struct inbox_owner *o, struct id id, int64_t now, struct message *out,
                    struct error *err)
{
    char hex[ID_HEX + 1];
    bool found = inbox_find_locked(db, a, o, id, out, err);
    if (!found && err->code != ERROR_NOT_FOUND)
        return false;
    if (!found || !out->snoozed_until) {
        id_hex(id, hex);
        return error_set(err, ERROR_NOT_FOUND, "Could not find a snoozed notification with id '%s'. The notification may not exist "
                                               "or may not be in a snoozed state.", hex);
    }
    if (!queue_delete(db, out->snoozed_until, id, err))
        return false;
    inbox_see(out, now);
    out->snoozed_until = 0;
    out->archived = false;
    out->archived_at = 0;
    out->updated_at = now;
    return inbox_state_write(db, out, MARKED_UNSNOOZED, err)
        && webhook_tell_message(db, o->environment, WEBHOOK_MESSAGE_UNSNOOZED, id, now, err);
}

/* One that was stored without the list was delivered when it was created. */
static struct str doc_delivered_again(struct arena *a, const struct message *m, int64_t now, struct error *err)
{
    yyjson_val *doc;
    if (!json_parse(a, m->doc, &doc, err))
        return STR_NULL;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *root = yyjson_val_mut_copy(d, doc), *list = yyjson_mut_obj_get(root, "deliveredAt");
    if (!yyjson_mut_is_arr(list)) {
        yyjson_mut_obj_remove_key(root, "deliveredAt");
        list = json_add_arr(d, root, "deliveredAt");
        yyjson_mut_arr_add_int(d, list, m->created_at);
    }
    yyjson_mut_arr_add_int(d, list, now);
    return json_write_mut(a, root);
}

/* As if it came now: the run that was listed by it, in the order of its time, is so no more. */
static bool renew(struct db *db, struct arena *a, struct message *m, int64_t now, struct error *err)
{
    if (!run_list_itself(db, m->environment, m->id, err))
        return false;
    m->doc = doc_delivered_again(a, m, now, err);
    if (!m->doc.p)
        return false;
    struct db_stmt *s = db_query(db, err,
                                 "UPDATE messages SET doc = ?1, created_at = ?2 WHERE environment_id = ?3 AND id = ?4",
                                 m->doc, now, m->environment, m->id);
    if (!s)
        return false;
    m->created_at = now;
    m->seen = m->read = false;
    m->last_read_at = 0;
    return db_run(s, err);
}

static bool find_for_wake(struct db *db, struct arena *a, struct id environment, struct id id, struct message *out, struct error *err)
{
    if (!message_find(db, a, environment, id, out, err))
        return false;
    struct inbox_owner o = {.environment = environment, .subscriber = out->subscriber, .context = out->context};
    return inbox_find_locked(db, a, &o, id, out, err);
}

bool inbox_wake(struct db *db, struct arena *a, struct id environment, struct id id, int64_t due_at, int64_t now,
                struct message *out, bool *woke, struct error *err)
{
    struct error missing = {0};
    *woke = false;
    if (!find_for_wake(db, a, environment, id, out, &missing))
        return missing.code == ERROR_NOT_FOUND || (*err = missing, false);
    if (out->snoozed_until != due_at)
        return true;
    out->snoozed_until = 0;
    out->updated_at = now;
    *woke = !out->archived;
    return (!*woke || renew(db, a, out, now, err)) && inbox_state_write(db, out, MARKED_UNSNOOZED, err)
        && webhook_tell_message(db, environment, WEBHOOK_MESSAGE_UNSNOOZED, id, now, err);
}
