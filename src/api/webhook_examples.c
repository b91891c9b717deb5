/* Examples of webhooks. They have the form of what is really sent: tests/compat/webhooks.test.mjs compares the members. */
#include "api/webhook_examples.h"

#define ENVIRONMENT "\"_environmentId\":\"65f0c2a1b3d4e5f600000002\",\"_organizationId\":\"65f0c2a1b3d4e5f600000001\""
#define TIMES "\"createdAt\":\"2026-01-01T09:00:00.000Z\",\"updatedAt\":\"2026-01-01T09:00:05.000Z\""

static const char workflow[] =
    "{\"_id\":\"65f0c2a1b3d4e5f601000001\",\"workflowId\":\"order-shipped\",\"slug\":\"order-shipped_wf_1CMd0XkQzWmHFaC9\","
    "\"name\":\"Order shipped\",\"active\":true,\"description\":\"\",\"tags\":[\"orders\"],\"validatePayload\":false,"
    "\"isTranslationEnabled\":false,\"severity\":\"none\",\"preferences\":{\"user\":null,\"default\":{\"all\":{\"enabled\":true,"
    "\"readOnly\":false},\"channels\":{\"email\":{\"enabled\":true},\"sms\":{\"enabled\":true},\"in_app\":{\"enabled\":true},"
    "\"push\":{\"enabled\":true},\"chat\":{\"enabled\":true}}}},\"origin\":\"novu-cloud\",\"status\":\"ACTIVE\",\"issues\":{},"
    "\"version\":1,\"steps\":[]," TIMES "}";

/* %s: the channel, seen, read, archived, when it was archived, until when it is snoozed, status, the error's id and text. */
static const char message[] =
    "{\"_id\":\"65f0c2a1b3d4e5f602000001\",\"_templateId\":\"65f0c2a1b3d4e5f601000001\"," ENVIRONMENT ","
    "\"_notificationId\":\"65f0c2a1b3d4e5f603000001\",\"_subscriberId\":\"65f0c2a1b3d4e5f604000001\","
    "\"subscriber\":{\"_id\":\"65f0c2a1b3d4e5f604000001\",\"subscriberId\":\"user-123\",\"firstName\":\"Ada\",\"lastName\":\"Lovelace\","
    "\"email\":\"ada@example.com\"," ENVIRONMENT ",\"deleted\":false," TIMES "},\"actorSubscriber\":null,"
    "\"templateIdentifier\":\"order-shipped\"," TIMES ",\"archivedAt\":%s,\"archived\":%s,\"transactionId\":\"order-42\","
    "\"channel\":\"%s\",\"seen\":%s,\"read\":%s,\"snoozedUntil\":%s,\"deliveredAt\":[\"2026-01-01T09:00:00.000Z\"],"
    "\"providerId\":\"%s\",\"lastSeenDate\":%s,\"firstSeenDate\":%s,\"lastReadDate\":%s,\"status\":\"%s\",\"errorId\":%s,"
    "\"errorText\":%s,\"providerResponseId\":%s}";

static const char preference[] =
    "{\"level\":\"template\",\"enabled\":true,\"channels\":{\"email\":false,\"in_app\":true},\"overrides\":[{\"channel\":\"email\","
    "\"source\":\"subscriber\"},{\"channel\":\"in_app\",\"source\":\"template\"}],\"workflow\":{\"id\":\"65f0c2a1b3d4e5f601000001\","
    "\"identifier\":\"order-shipped\",\"name\":\"Order shipped\",\"critical\":false,\"tags\":[\"orders\"],\"severity\":\"none\"}}";

static const char email[] =
    "{\"domain\":{\"id\":\"65f0c2a1b3d4e5f605000001\",\"name\":\"example.com\",\"data\":{}},\"route\":{\"address\":\"support\",\"data\":{}},"
    "\"mail\":{\"from\":[{\"address\":\"ada@example.org\",\"name\":\"Ada\"}],\"to\":[{\"address\":\"support@example.com\",\"name\":\"\"}],"
    "\"subject\":\"Where is my order?\",\"html\":\"<p>Where is it?</p>\",\"text\":\"Where is it?\","
    "\"messageId\":\"<1@example.org>\",\"headers\":{},\"date\":\"2026-01-01T09:00:00.000Z\",\"attachments\":[]}}";

static const char circuit[] =
    "{\"object\":{\"_integrationId\":\"65f0c2a1b3d4e5f607000001\",\"_environmentId\":\"65f0c2a1b3d4e5f608000001\","
    "\"identifier\":\"sendgrid-main\",\"name\":\"SendGrid\",\"providerId\":\"sendgrid\",\"channel\":\"email\",\"state\":\"%s\","
    "\"consecutiveFailures\":%d,\"results\":%d,\"failures\":%d%s}%s}";

static const char *const descriptions[WEBHOOK_TYPES] = {
    [WEBHOOK_WORKFLOW_CREATED] = "A workflow was created",
    [WEBHOOK_WORKFLOW_UPDATED] = "A workflow was changed",
    [WEBHOOK_WORKFLOW_DELETED] = "A workflow was deleted",
    [WEBHOOK_WORKFLOW_PUBLISHED] = "A workflow was published into this environment",
    [WEBHOOK_MESSAGE_SENT] = "A message was handed to its provider, or stored in the Inbox",
    [WEBHOOK_MESSAGE_FAILED] = "A message could not be sent, after all attempts, or its provider reports that it did not arrive",
    [WEBHOOK_MESSAGE_DELIVERED] = "A message reached the Inbox, or its provider reports that it arrived",
    [WEBHOOK_MESSAGE_SEEN] = "A message was seen in the Inbox",
    [WEBHOOK_MESSAGE_READ] = "A message was read in the Inbox",
    [WEBHOOK_MESSAGE_UNREAD] = "A message was marked as unread",
    [WEBHOOK_MESSAGE_ARCHIVED] = "A message was archived",
    [WEBHOOK_MESSAGE_UNARCHIVED] = "A message was taken out of the archive",
    [WEBHOOK_MESSAGE_SNOOZED] = "A message was snoozed",
    [WEBHOOK_MESSAGE_UNSNOOZED] = "A snoozed message came back",
    [WEBHOOK_MESSAGE_DELETED] = "A message was deleted",
    [WEBHOOK_PREFERENCE_UPDATED] = "A subscriber's preferences were changed",
    [WEBHOOK_CIRCUIT_OPENED] = "An integration's provider does not answer: nothing is sent through it for now",
    [WEBHOOK_CIRCUIT_CLOSED] = "An integration's provider answers again",
    [WEBHOOK_EMAIL_RECEIVED] = "A mail came in (never sent: this server takes no mail in)",
};

struct str webhook_type_description(enum webhook_type t)
{
    return str_of(descriptions[t]);
}

static bool is_message(enum webhook_type t)
{
    return t >= WEBHOOK_MESSAGE_SENT && t <= WEBHOOK_MESSAGE_DELETED;
}

static struct str message_example(struct arena *a, enum webhook_type t)
{
    static const char at[] = "\"2026-01-01T09:00:05.000Z\"", tomorrow[] = "\"2026-01-02T09:00:00.000Z\"";
    bool mail = t == WEBHOOK_MESSAGE_SENT || t == WEBHOOK_MESSAGE_FAILED || t == WEBHOOK_MESSAGE_DELIVERED;
    bool failed = t == WEBHOOK_MESSAGE_FAILED, archived = t == WEBHOOK_MESSAGE_ARCHIVED;
    bool read = t == WEBHOOK_MESSAGE_READ || archived || t == WEBHOOK_MESSAGE_UNARCHIVED;
    return str_fmt(a, message, archived ? at : "null", archived ? "true" : "false", mail ? "email" : "in_app", mail ? "false" : "true",
                   read ? "true" : "false", t == WEBHOOK_MESSAGE_SNOOZED ? tomorrow : "null", mail ? "sendgrid" : "novu",
                   mail ? "null" : at, mail ? "null" : at, read ? at : "null", failed ? "error" : "sent",
                   failed ? "\"provider_error\"" : "null", failed ? "\"550 no such user\"" : "null", mail && !failed ? "\"<1@sendgrid>\"" : "null");
}

/* What it says in place of one thing. */
static struct str data_of(struct arena *a, enum webhook_type t)
{
    struct str w = str_of(workflow);
    if (is_message(t) && t == WEBHOOK_MESSAGE_FAILED)
        return str_fmt(a, "{\"object\":%.*s,\"error\":{\"message\":\"550 no such user\"}}", STR_ARG(message_example(a, t)));
    if (is_message(t))
        return webhook_data(a, message_example(a, t), STR_NULL);
    if (t == WEBHOOK_PREFERENCE_UPDATED)
        return webhook_data(a, str_of(preference), STR_NULL);
    if (t == WEBHOOK_CIRCUIT_OPENED)
        return str_fmt(a, circuit, "open", 10, 12, 10, ",\"openUntil\":\"2026-01-01T09:00:35.000Z\"", ",\"error\":{\"message\":\"503\"}");
    if (t == WEBHOOK_CIRCUIT_CLOSED)
        return str_fmt(a, circuit, "closed", 0, 13, 10, "", "");
    if (t == WEBHOOK_EMAIL_RECEIVED)
        return webhook_data(a, str_of(email), STR_NULL);
    return webhook_data(a, w, t == WEBHOOK_WORKFLOW_UPDATED || t == WEBHOOK_WORKFLOW_PUBLISHED ? w : STR_NULL);
}

struct str webhook_example(struct arena *a, enum webhook_type t)
{
    return webhook_body(a, (struct id){{0x65, 0xf0, 0xc2, 0xa1, 0xb3, 0xd4, 0xe5, 0xf6, 0x06, 0, 0, 1}}, t, data_of(a, t), STR("dev"),
                        1767258005000);
}
