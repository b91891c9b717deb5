/* The reports of providers: one table, and four ways to sign (SNS has a file of its own). */
#include "delivery/status_event.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crypto.h"

enum scheme { SIGNED_NOT, SIGNED_MAILGUN, SIGNED_SVIX, SIGNED_ANYPOST, SIGNED_SENDGRID, SIGNED_SNS };
enum { EVENTS_MAX = 10000, MAILGUN_WINDOW_S = 900, WINDOW_S = 300 };

/* Paths are dotted; alternatives stand between bars. map: "native=status;…", with "*" at its end for all others. */
struct reporter {
    const char *provider, *list, *id, *event, *date, *attempts, *response, *map;
    bool angled;                /* ids are kept in angle brackets, as Message-ID is */
    enum scheme scheme;
};

#define PUSH "delivered=delivered;opened=opened;dismissed=dismissed;clicked=clicked;failed=failed"

static const struct reporter reporters[] = {
    {"anypost", "events", "data.email_id", "type", "occurred_at", "data.attempt", "data.bounce_classification|data.smtp_code",
     "email.sent=sent;email.delivered=delivered;email.delayed=delayed;email.bounced=bounced;email.complained=complaint;"
     "email.suppressed=dropped;email.unsubscribed=unsubscribed;email.opened=opened;email.clicked=clicked", false, SIGNED_ANYPOST},
    {"sendinblue", NULL, "message-id", "event", "date", NULL, "reason",
     "opened=opened;uniqueOpened=opened;unique_opened=opened;proxy_open=opened;request=delivered;delivered=delivered;"
     "complaint=delivered;hardBounce=bounced;softBounce=bounced;hard_bounce=bounced;soft_bounce=bounced;blocked=bounced;"
     "unsubscribed=bounced;click=clicked;invalid_email=dropped;error=dropped;spam=spam;deferred=deferred", false, SIGNED_NOT},
    {"mailgun", "event-data", "message.headers.message-id|id", "event", "timestamp", "delivery-status.attempt-no",
     "delivery-status.description|reason",
     "delivered=delivered;opened=opened;clicked=clicked;unsubscribed=unsubscribed;complained=complaint;permanent_fail=bounced;"
     "failed=bounced;temporary_fail=delayed", true, SIGNED_MAILGUN},
    {"mailjet", NULL, "MessageID", "event", "time", "attempt", "response",
     "open=opened;bounce=bounced;click=clicked;sent=sent;blocked=blocked;spam=spam;unsub=unsubscribed", false, SIGNED_NOT},
    {"mandrill", NULL, "_id", "event", "ts", "attempt", "response",
     "open=opened;send=sent;deferral=deferred;hard_bounce=bounced;soft_bounce=bounced;click=clicked;spam=spam;unsub=unsubscribed;"
     "reject=rejected;delivered=delivered", false, SIGNED_NOT},
    {"postmark", NULL, "MessageID", "RecordType", "DeliveredAt|BouncedAt|ReceivedAt", "attempt", "response|Details",
     "Open=opened;Click=clicked;Delivery=delivered;Bounce=bounced;SpamComplaint=spam;SubscriptionChange=unsubscribed", false, SIGNED_NOT},
    {"sendgrid", NULL, "id", "event", "timestamp", "attempt", "reason|response",
     "open=opened;bounce=bounced;blocked=blocked;click=clicked;dropped=dropped;delivered=delivered;deferred=deferred;spamreport=spam;"
     "unsubscribe=unsubscribed", false, SIGNED_SENDGRID},
    {"ses", NULL, "mail.messageId", "eventType|notificationType", "mail.timestamp", NULL, "bounce.bounceType|complaint.complaintFeedbackType",
     "Bounce=bounced;Complaint=complaint;Delivery=delivered;Send=sent;Reject=rejected;Open=opened;Click=clicked;DeliveryDelay=delayed",
     false, SIGNED_SNS},
    {"netcore", NULL, "TRANSID", "EVENT", "TIMESTAMP", "attempt", "response",
     "open=opened;send=sent;bounce=bounced;invalid=bounced;drop=dropped;click=clicked;spam=spam;unsub=unsubscribed", false, SIGNED_NOT},
    {"resend", NULL, "data.email_id", "type", "created_at", NULL, NULL,
     "email.sent=sent;email.failed=rejected;email.delivered=delivered;email.delivery_delayed=delayed;email.bounced=bounced;"
     "email.opened=opened;email.clicked=clicked;email.complained=complaint", false, SIGNED_SVIX},
    {"plivo", NULL, "messageUuid|MessageUUID", "status|Status", NULL, "attempt", "response",
     "queued=queued;sent=sent;failed=failed;undelivered=undelivered;delivered=delivered;rejected=rejected", false, SIGNED_NOT},
    {"telnyx", NULL, "data.payload.id|data.id", "data.payload.to.0.status", "data.occurred_at", "attempt", "response",
     "queued=queued;sending=sending;sent=sent;sending_failed=failed;delivery_failed=failed;delivered=delivered;"
     "delivery_unconfirmed=undelivered", false, SIGNED_NOT},
    {"twilio", NULL, "MessageSid", "MessageStatus", NULL, "attempt", "response|ErrorCode",
     "accepted=accepted;queued=queued;sending=sending;sent=sent;failed=failed;delivered=delivered;undelivered=undelivered", false, SIGNED_NOT},
    {"termii", NULL, "message_id", "status", NULL, "attempt", "response",
     "Message sent=sent;Message failed=failed;Rejected=failed;Delivered=delivered", false, SIGNED_NOT},
    {"ring-central", NULL, "id", "messageStatus", "creationTime", "smsSendingAttemptsCount", "subject",
     "Received=accepted;Queued=queued;Sent=sent;DeliveryFailed=failed;SendingFailed=failed;Delivered=delivered", false, SIGNED_NOT},
    {"imedia", NULL, "referentId|MessageSid", "status|MessageStatus", NULL, NULL, NULL,
     "accepted=queued;queued=queued;sending=sending;sent=sent;failed=failed;error=failed;delivered=delivered;undelivered=undelivered;*=sent",
     false, SIGNED_NOT},
    {"fcm", NULL, "eventId", "eventType", NULL, NULL, NULL, PUSH, false, SIGNED_NOT},
    {"apns", NULL, "eventId", "eventType", NULL, NULL, NULL, PUSH, false, SIGNED_NOT},
    {"expo", NULL, "eventId", "eventType", NULL, NULL, NULL, PUSH, false, SIGNED_NOT},
    {"pushpad", NULL, "eventId", "eventType", NULL, NULL, NULL, PUSH, false, SIGNED_NOT},
    {"push-webhook", NULL, "eventId", "eventType", NULL, NULL, NULL, PUSH, false, SIGNED_NOT},
};

static const struct reporter *reporter_find(struct str provider_id)
{
    for (size_t i = 0; i < sizeof reporters / sizeof *reporters; i++)
        if (str_eqz(provider_id, reporters[i].provider))
            return &reporters[i];
    return NULL;
}

bool status_event_by_sns(struct str provider_id)
{
    const struct reporter *r = reporter_find(provider_id);
    return r && r->scheme == SIGNED_SNS;
}

bool status_event_known(struct str provider_id)
{
    return reporter_find(provider_id) != NULL;
}

/* --- bodies ----------------------------------------------------------------------------------------------------- */

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct str form_decode(struct arena *a, struct str s)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%' && i + 2 < s.n && hex_of(s.p[i + 1]) >= 0 && hex_of(s.p[i + 2]) >= 0) {
            buf_char(&b, (char)(hex_of(s.p[i + 1]) * 16 + hex_of(s.p[i + 2])));
            i += 2;
        } else {
            buf_char(&b, s.p[i] == '+' ? ' ' : s.p[i]);
        }
    }
    return buf_finish(&b);
}

static bool form_read(struct arena *a, struct str rest, yyjson_val **out)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    while (rest.n) {
        ptrdiff_t end = str_find(rest, STR("&"));
        struct str pair = str_sub(rest, 0, end < 0 ? rest.n : (size_t)end);
        ptrdiff_t eq = str_find(pair, STR("="));
        rest = str_sub(rest, pair.n + 1, rest.n);
        if (eq <= 0)
            return false;
        struct str name = form_decode(a, str_sub(pair, 0, (size_t)eq)), value = form_decode(a, str_sub(pair, (size_t)eq + 1, pair.n));
        if (!str_is_utf8(name) || !str_is_utf8(value))
            return false;
        yyjson_mut_obj_add(o, json_mut_str(d, name), json_mut_str(d, value));
    }
    return yyjson_mut_obj_size(o) && json_parse(a, json_write_mut(a, o), out, NULL);
}

bool status_event_body(struct arena *a, struct str body, yyjson_val **out)
{
    struct str text = str_trim(body);
    if (text.n && (text.p[0] == '{' || text.p[0] == '['))
        return json_parse(a, text, out, NULL);
    if (!form_read(a, text, out))
        return false;
    struct str inner = json_get_str(*out, "mandrill_events");
    return !inner.p || (json_parse(a, inner, out, NULL) && (yyjson_is_arr(*out) || yyjson_is_obj(*out)));
}

/* --- events ------------------------------------------------------------------------------------------------------ */

/* The first alternative that is there. */
static yyjson_val *pick(yyjson_val *v, const char *paths)
{
    struct str rest = str_of(paths);
    while (rest.n) {
        ptrdiff_t bar = str_find(rest, STR("|"));
        struct str path = str_sub(rest, 0, bar < 0 ? rest.n : (size_t)bar);
        yyjson_val *found = json_path(v, path);
        if (found && !yyjson_is_null(found))
            return found;
        rest = str_sub(rest, path.n + 1, rest.n);
    }
    return NULL;
}

static struct str text_of(struct arena *a, yyjson_val *v)
{
    return yyjson_is_str(v) ? json_str(v) : yyjson_is_num(v) ? json_write(a, v) : STR_NULL;
}

static int64_t whole_of(yyjson_val *v, int64_t otherwise)
{
    int64_t n;
    if (yyjson_is_int(v))
        return yyjson_is_uint(v) && yyjson_get_uint(v) > INT64_MAX ? otherwise : yyjson_get_sint(v);
    return yyjson_is_str(v) && str_to_i64(json_str(v), &n) ? n : otherwise;
}

/* ISO 8601, or seconds since 1970; what is neither, or beyond the year 9999, is not told. */
static int64_t date_of(yyjson_val *v)
{
    double s = yyjson_is_num(v) ? yyjson_get_num(v) : (double)whole_of(v, 0);
    int64_t ms;
    if (yyjson_is_str(v) && time_parse_iso(json_str(v), &ms))
        return ms > 0 ? ms : 0;
    return s > 0 && s < 253402300800.0 ? (int64_t)(s * 1000) : 0;
}

static struct str status_of(const struct reporter *r, struct str native)
{
    struct str rest = str_of(r->map);
    while (native.n && rest.n) {
        ptrdiff_t end = str_find(rest, STR(";"));
        struct str pair = str_sub(rest, 0, end < 0 ? rest.n : (size_t)end);
        ptrdiff_t eq = str_find(pair, STR("="));
        if (str_eq_nocase(str_sub(pair, 0, (size_t)eq), native) || pair.p[0] == '*')
            return str_sub(pair, (size_t)eq + 1, pair.n);
        rest = str_sub(rest, pair.n + 1, rest.n);
    }
    return STR_NULL;
}

/* As the message was stored: "<id@region.amazonses.com>", where the first region is called "email". */
static struct str ses_id(struct arena *a, struct str id, struct str arn)
{
    struct str rest = arn;
    for (int i = 0; i < 3; i++) {
        ptrdiff_t at = str_find(rest, STR(":"));
        rest = at < 0 ? STR("") : str_sub(rest, (size_t)at + 1, rest.n);
    }
    ptrdiff_t end = str_find(rest, STR(":"));
    struct str region = end < 0 ? rest : str_sub(rest, 0, (size_t)end);
    return str_fmt(a, "<%.*s@%.*s.amazonses.com>", STR_ARG(id), STR_ARG(str_eqz(region, "us-east-1") ? STR("email") : region));
}

static bool event_read(struct arena *a, const struct reporter *r, yyjson_val *v, struct status_event *e)
{
    struct str id = text_of(a, pick(v, r->id));
    *e = (struct status_event){.status = status_of(r, text_of(a, pick(v, r->event))),
                               .date = r->date ? date_of(pick(v, r->date)) : 0,
                               .attempts = r->attempts ? whole_of(pick(v, r->attempts), 1) : 1,
                               .response = r->response ? text_of(a, pick(v, r->response)) : STR_NULL};
    if (e->attempts < 1)
        e->attempts = 1;
    if (!id.n || !e->status.n)
        return false;
    if (r->scheme == SIGNED_SNS)
        id = ses_id(a, id, json_get_str(json_get(v, "mail"), "sourceArn"));
    e->id = r->angled && id.p[0] != '<' ? str_fmt(a, "<%.*s>", STR_ARG(id)) : id;
    e->row = json_write(a, v);
    return true;
}

size_t status_event_read(struct arena *a, struct str provider_id, yyjson_val *body, struct status_event **out)
{
    const struct reporter *r = reporter_find(provider_id);
    yyjson_val *list = r && r->list && json_get(body, r->list) ? json_get(body, r->list) : body, *v;
    size_t n = 0, cap = yyjson_is_arr(list) ? yyjson_arr_size(list) : 1;
    *out = NULL;
    if (!r || cap > EVENTS_MAX)
        return 0;
    *out = ARENA_ARRAY(a, struct status_event, cap + 1);
    if (!yyjson_is_arr(list))
        return yyjson_is_obj(list) && event_read(a, r, list, *out);
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it)))
        n += yyjson_is_obj(v) && event_read(a, r, v, *out + n);
    return n;
}

/* --- signatures ---------------------------------------------------------------------------------------------------- */

bool status_signature_headers(struct str provider_id, const char **id, const char **timestamp, const char **value)
{
    const struct reporter *r = reporter_find(provider_id);
    enum scheme s = r ? r->scheme : SIGNED_NOT;
    *id = s == SIGNED_SVIX ? "svix-id" : NULL;
    *timestamp = s == SIGNED_SVIX ? "svix-timestamp" : s == SIGNED_SENDGRID ? "x-twilio-email-event-webhook-timestamp" : NULL;
    *value = s == SIGNED_SVIX ? "svix-signature" : s == SIGNED_ANYPOST ? "anypost-signature"
           : s == SIGNED_SENDGRID ? "x-twilio-email-event-webhook-signature" : NULL;
    return s != SIGNED_NOT && s != SIGNED_SNS;
}

static bool is_recent(struct str seconds, int64_t now_ms, int64_t window_s)
{
    int64_t t, now = now_ms / 1000;
    return str_to_i64(seconds, &t) && t > 0 && t <= now + window_s && t >= now - window_s;
}

static bool mailgun_good(struct arena *a, struct str key, const struct status_signature *s, int64_t now_ms)
{
    yyjson_val *v = json_get(s->json, "signature");
    struct str t = text_of(a, json_get(v, "timestamp")), token = json_get_str(v, "token");
    struct str text = str_fmt(a, "%.*s%.*s", STR_ARG(t), STR_ARG(token));
    return is_recent(t, now_ms, MAILGUN_WINDOW_S) && crypto_equal(crypto_hmac_sha256_hex(a, key, text), json_get_str(v, "signature"));
}

/* Several, between blanks, while a key is replaced. */
static bool svix_good(struct arena *a, struct str key, const struct status_signature *s, int64_t now_ms)
{
    struct str rest = s->value, wanted = crypto_sign_webhook(a, key, s->id, s->timestamp, s->body);
    if (!wanted.p || !is_recent(s->timestamp, now_ms, WINDOW_S))
        return false;
    while (rest.n) {
        ptrdiff_t blank = str_find(rest, STR(" "));
        struct str one = str_sub(rest, 0, blank < 0 ? rest.n : (size_t)blank);
        if (crypto_equal(one, wanted))
            return true;
        rest = str_sub(rest, one.n + 1, rest.n);
    }
    return false;
}

/* t=<seconds>,v1=<hex>[,v1=<hex>]; the time comes first. */
static bool anypost_good(struct arena *a, struct str key, const struct status_signature *s, int64_t now_ms)
{
    struct str rest = s->value, t = STR_NULL, wanted = STR_NULL;
    while (rest.n) {
        ptrdiff_t comma = str_find(rest, STR(","));
        struct str part = str_sub(rest, 0, comma < 0 ? rest.n : (size_t)comma);
        rest = str_sub(rest, part.n + 1, rest.n);
        if (str_starts(part, STR("t=")) && !t.p) {
            t = str_sub(part, 2, part.n);
            wanted = str_fmt(a, "v1=%.*s", STR_ARG(crypto_hmac_sha256_hex(a, key, str_fmt(a, "%.*s.%.*s", STR_ARG(t), STR_ARG(s->body)))));
        } else if (wanted.p && crypto_equal(part, wanted)) {
            return is_recent(t, now_ms, WINDOW_S);
        }
    }
    return false;
}

/* ECDSA over the time and the body; the key is a public one, in base64. A report is the same however often it comes, so an old
 * one does no harm: SendGrid repeats for a day what it could not hand over. */
static bool sendgrid_good(struct arena *a, struct str key, const struct status_signature *s)
{
    struct str der, sig, text = str_fmt(a, "%.*s%.*s", STR_ARG(s->timestamp), STR_ARG(s->body));
    if (!s->timestamp.n || !base64_decode(a, str_trim(key), &der) || !base64_decode(a, str_trim(s->value), &sig) || !sig.n)
        return false;
    const unsigned char *p = (const unsigned char *)der.p;
    EVP_PKEY *public_key = d2i_PUBKEY(NULL, &p, (long)der.n);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx && public_key && EVP_PKEY_get_base_id(public_key) == EVP_PKEY_EC
             && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, public_key) == 1
             && EVP_DigestVerify(ctx, (const unsigned char *)sig.p, sig.n, (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(public_key);
    return good;
}

bool status_signature_good(struct arena *a, struct str provider_id, struct str key, const struct status_signature *s, int64_t now_ms)
{
    const struct reporter *r = reporter_find(provider_id);
    switch (r ? r->scheme : SIGNED_NOT) {
    case SIGNED_MAILGUN: return mailgun_good(a, key, s, now_ms);
    case SIGNED_SVIX: return svix_good(a, key, s, now_ms);
    case SIGNED_ANYPOST: return anypost_good(a, key, s, now_ms);
    case SIGNED_SENDGRID: return sendgrid_good(a, key, s);
    case SIGNED_SNS:
    case SIGNED_NOT: break;
    }
    return false;
}
