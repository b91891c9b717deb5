/* What happened, as webhooks tell it: written where it happens, in the same transaction. */
#include "model/webhook.h"

#include "base/clock.h"
#include "model/environment.h"
#include "model/message.h"
#include "model/row.h"

bool webhook_listen(struct db *db, struct arena *a, struct id environment, struct webhook_ears *out, struct error *err)
{
    struct webhook_endpoint *endpoints;
    struct environment e;
    *out = (struct webhook_ears){.environment = environment, .arena = a};
    if (!webhook_endpoint_list(db, a, environment, &endpoints, &out->n, err))
        return false;
    out->endpoints = endpoints;
    if (!out->n)
        return true;
    if (!environment_find(db, a, environment, &e, err))
        return false;
    out->organization = e.organization;
    out->identifier = e.application_identifier;
    return true;
}

struct str webhook_body(struct arena *a, struct id id, enum webhook_type type, struct str data, struct str environment, int64_t now)
{
    struct buf b = {.arena = a};
    struct str name = webhook_type_name(type);
    char hex[ID_HEX + 1], iso[TIME_ISO_LEN + 1];
    bool inbound = type == WEBHOOK_EMAIL_RECEIVED;
    id_hex(id, hex);
    time_iso(now, iso);
    buf_fmt(&b, "{\"id\":\"evt_%s\",\"type\":\"%.*s\",\"object\":\"%.*s\",\"data\":%.*s,\"timestamp\":\"%s\",\"environmentId\":", hex,
            STR_ARG(name), inbound ? 13 : (int)str_find(name, STR(".")), inbound ? "email_inbound" : name.p, STR_ARG(data), iso);
    json_quote(&b, environment);
    buf_char(&b, '}');
    return buf_finish(&b);
}

static bool message_put(struct db *db, const struct webhook_ears *ears, struct id id, enum webhook_type type, bool test,
                        struct id person, struct str data, int64_t now, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct str body = webhook_body(a, id, type, data, ears->identifier, now);
    return db_write(db, err, "INSERT INTO webhook_messages (id, environment_id, subscriber_id, type, test, body, created_at) "
                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    id, ears->environment, db_id_or_null(person), type, test, body, now);
}

static bool delivery_put(struct db *db, const struct webhook_endpoint *e, struct id message, int64_t now, struct error *err)
{
    db_due_note(db, now);
    return db_write(db, err, "INSERT INTO webhook_deliveries (id, environment_id, endpoint_id, message_id, state, attempt, due_at, "
                    "owner, updated_at) VALUES (?1, ?2, ?3, ?4, 0, 1, ?5, NULL, ?5)",
                    webhook_id(now), e->environment, e->id, message, now);
}

bool webhook_emit(struct db *db, const struct webhook_ears *ears, enum webhook_type type, struct id person, struct str data,
                  int64_t now, struct error *err)
{
    struct id id = webhook_id(now);
    if (!ears->n)
        return true;
    if (!message_put(db, ears, id, type, false, person, data, now, err))
        return false;
    for (size_t i = 0; i < ears->n; i++) {
        const struct webhook_endpoint *e = &ears->endpoints[i];
        if (e->disabled || !webhook_wants(e, type))
            continue;
        if (!delivery_put(db, e, id, now, err))
            return false;
    }
    return true;
}

bool webhook_emit_test(struct db *db, const struct webhook_ears *ears, const struct webhook_endpoint *e, enum webhook_type type,
                       struct str data, int64_t now, struct id *message, struct error *err)
{
    *message = webhook_id(now);
    return message_put(db, ears, *message, type, true, (struct id){{0}}, data, now, err) && delivery_put(db, e, *message, now, err);
}

struct str webhook_data(struct arena *a, struct str object, struct str previous)
{
    if (!previous.n)
        return str_fmt(a, "{\"object\":%.*s}", STR_ARG(object));
    return str_fmt(a, "{\"object\":%.*s,\"previousObject\":%.*s}", STR_ARG(object), STR_ARG(previous));
}

/* --- about a message --------------------------------------------------------------------------------------------- */

/* Exactly these members: neither the content nor the payload leaves this way (bridge-cli.md §8.2). */
static yyjson_mut_val *object_of(yyjson_mut_doc *d, const struct webhook_ears *ears, const struct message *m, yyjson_val *doc)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", m->id);
    json_add_id(d, o, "_templateId", m->workflow);
    json_add_id(d, o, "_environmentId", m->environment);
    json_add_id(d, o, "_organizationId", ears->organization);
    json_add_id(d, o, "_notificationId", m->run);
    json_add_id(d, o, "_subscriberId", m->subscriber);
    if (id_is_zero(ears->person.id))
        json_add_str(d, o, "subscriber", STR_NULL);
    else
        yyjson_mut_obj_add_val(d, o, "subscriber", subscriber_json(d, &ears->person, ears->organization));
    json_add_str(d, o, "actorSubscriber", STR_NULL);
    json_add_str(d, o, "templateIdentifier", json_get_str(doc, "templateIdentifier"));
    json_add_time(d, o, "createdAt", m->created_at);
    json_add_time(d, o, "updatedAt", m->updated_at);
    json_add_time_or_null(d, o, "archivedAt", m->archived_at);
    json_add_bool(d, o, "archived", m->archived);
    json_add_str(d, o, "transactionId", json_get_str(doc, "transactionId"));
    json_add_str(d, o, "channel", channel_name(m->channel));
    json_add_bool(d, o, "seen", m->seen);
    json_add_bool(d, o, "read", m->read);
    json_add_time_or_null(d, o, "snoozedUntil", m->snoozed_until);
    json_add_times(d, o, "deliveredAt", json_get(doc, "deliveredAt"));
    json_add_str(d, o, "providerId", json_get_str(doc, "providerId"));
    json_add_time_or_null(d, o, "lastSeenDate", m->last_seen_at);
    json_add_time_or_null(d, o, "firstSeenDate", m->first_seen_at);
    json_add_time_or_null(d, o, "lastReadDate", m->last_read_at);
    json_add_str(d, o, "status", message_status_name(m->status));
    json_add_str(d, o, "errorId", json_get_str(doc, "errorId"));
    json_add_str(d, o, "errorText", json_get_str(doc, "errorText"));
    json_add_str(d, o, "providerResponseId", json_get_str(doc, "identifier"));
    return o;
}

/* A person who was deleted is nobody; so is none whom the last message was about. */
static bool person_load(struct db *db, struct webhook_ears *ears, const struct message *m, struct error *err)
{
    struct error missing = {0};
    if (id_eq(ears->person.id, m->subscriber))
        return true;
    ears->person = (struct subscriber){.id = {{0}}};
    return subscriber_find_by_id(db, ears->arena, m->environment, m->subscriber, &ears->person, &missing)
        || missing.code == ERROR_NOT_FOUND || (*err = missing, false);
}

bool webhook_emit_message(struct db *db, struct webhook_ears *ears, enum webhook_type type, struct id message, struct str error,
                          int64_t now, struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct error missing = {0};
    struct message m;
    yyjson_val *doc;
    if (!ears->n)
        return true;
    if (!message_find(db, a, ears->environment, message, &m, &missing))
        return missing.code == ERROR_NOT_FOUND || (*err = missing, false);
    if (!json_parse(a, m.doc, &doc, err) || !person_load(db, ears, &m, err))
        return false;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *data = yyjson_mut_obj(d);
    yyjson_mut_obj_add_val(d, data, "object", object_of(d, ears, &m, doc));
    if (error.n)
        json_add_str(d, json_add_obj(d, data, "error"), "message", error);
    return webhook_emit(db, ears, type, m.subscriber, json_write_mut(a, data), now, err);
}

bool webhook_tell_message(struct db *db, struct id environment, enum webhook_type type, struct id message, int64_t now,
                          struct error *err)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct webhook_ears ears;
    return webhook_listen(db, a, environment, &ears, err)
        && webhook_emit_message(db, &ears, type, message, STR_NULL, now, err);
}
