/* The sentences. */
#include "engine/detail.h"

static const char *const texts[DETAILS] = {
    [DETAIL_STEP_CREATED] = "Step created",
    [DETAIL_STEP_QUEUED] = "Step queued",
    [DETAIL_STEP_DELAYED] = "Step delayed",
    [DETAIL_STEP_DIGESTED] = "Step digested",
    [DETAIL_DELAY_FINISHED] = "Delay is finished",
    [DETAIL_INVALID_DELAY] = "Invalid delay configuration",
    [DETAIL_CONDITIONS_MATCHED] = "Step conditions matched",
    [DETAIL_BRIDGE_SKIPPED] = "Bridge execution skipped",
    [DETAIL_FILTERED_WORKFLOW_RESOURCE] = "Step filtered by workflow preferences",
    [DETAIL_FILTERED_USER_WORKFLOW] = "Step filtered by user preferences",
    [DETAIL_FILTERED_SUBSCRIBER_GLOBAL] = "Step filtered by subscriber global preferences",
    [DETAIL_FILTERED_SUBSCRIBER_WORKFLOW] = "Step filtered by subscriber workflow preferences",
    [DETAIL_STEP_CANCELED] = "Step was canceled because a previous step failed",
    [DETAIL_PROVIDER_SELECTED] = " provider was selected",
    [DETAIL_MESSAGE_CREATED] = "Message created",
    [DETAIL_MESSAGE_SENT] = "Message sent",
    [DETAIL_CONTENT_FAILED] = "Message content could not be generated",
    [DETAIL_NO_INTEGRATION] = "Subscriber does not have an active integration",
    [DETAIL_NO_EMAIL] = "Subscriber missing email address",
    [DETAIL_NO_PHONE] = "Subscriber missing phone number",
    [DETAIL_NO_CHANNEL] = "Subscriber does not have a configured channel",
    [DETAIL_PROVIDER_MISSING] = "Provider is missing or not configured",
    [DETAIL_PROVIDER_ERROR] = "Unexpected provider error",
    [DETAIL_ATTEMPT_FAILED] = "Delivery attempt failed, retrying",
    [DETAIL_STEP_FAILED] = "Action step execution failed",
    [DETAIL_SEVERITY_OVERRIDDEN] = "Severity for the message was overridden",
    [DETAIL_CANCELED_BY_USER] = "Execution canceled by user",
    [DETAIL_TOPIC_EVALUATED] = "Topic subscription preference evaluated",
    [DETAIL_STEP_PROCESSED] = "Step processed",
    [DETAIL_NON_OBJECT_RESPONSE] = "HTTP request step received a non-object response",
    [DETAIL_RESPONSE_INVALID] = "Response body schema validation failed",
    [DETAIL_BRIDGE_FAILED] = "Bridge execution failed",
    [DETAIL_OUTSIDE_SCHEDULE] = "The step was skipped as it fell outside the subscriber's schedule",
    [DETAIL_SCHEDULE_EXTENDED] = "Step was extended to the next available time in the subscriber schedule",
    [DETAIL_SCHEDULE_EXHAUSTED] = "Step was executed due to maximum number of subscriber schedule extensions reached",
    [DETAIL_CONDITIONS_SKIPPED] = "Step was skipped based on steps conditions",
    [DETAIL_TENANT_SELECTED] = "Tenant context selected",
    [DETAIL_TENANT_NOT_FOUND] = "Tenant identifier not found",
    [DETAIL_LAYOUT_SELECTED] = "Layout selected",
    [DETAIL_LAYOUT_NOT_FOUND] = "Layout not found ",     /* the space is upstream's */
    [DETAIL_EMAIL_LARGE] = "E-mail is larger than 100 kB; some mail clients cut it off",
    [DETAIL_DIGEST_MERGED] = "Digest was merged with other digest",
    [DETAIL_DIGEST_FIRST] = "Digest was skipped, first backoff event",
    [DETAIL_DIGEST_TRIGGERED] = "Digest triggered events",
    [DETAIL_THROTTLED] = "Throttle limit exceeded for the given window",
    [DETAIL_THROTTLE_PAST] = "Throttle window date is in the past",
    [DETAIL_DEFER_LIMIT] = "Defer duration limit exceeded",
    [DETAIL_FAILING_OVER] = "Failing over to ",
    [DETAIL_REDRIVEN] = "Delivery is driven again",
    [DETAIL_NO_CHANNEL_IN_CONTEXT] = "Subscriber does not have a configured channel with the given context",
    [DETAIL_CHAT_WEBHOOK_MISSING] = "Webhook URL for the chat channel is missing",
    [DETAIL_CHAT_PHONE_MISSING] = "Subscriber is missing a phone number",
    [DETAIL_CHAT_ALL_FAILED] = "All chat channels failed to send the message",
    [DETAIL_CHAT_SOME_SKIPPED] = "Some chat channels skipped to send the message",
    [DETAIL_PUSH_TOKENS_MISSING] = "Subscriber credentials is missing the tokens for sending a push notification message",
    [DETAIL_PUSH_SOME_SKIPPED] = "Some push channels skipped to send the message",
    [DETAIL_PUSH_TOKEN_REMOVED] = "Invalid push device token was removed from subscriber",
    [DETAIL_PUSH_ERRORS] = "There was one or more errors when trying to execute the notification",
    [DETAIL_MESSAGE_SEEN] = "Message seen",
    [DETAIL_MESSAGE_READ] = "Message read",
    [DETAIL_MESSAGE_UNREAD] = "Message unread",
    [DETAIL_MESSAGE_ARCHIVED] = "Message archived",
    [DETAIL_MESSAGE_UNARCHIVED] = "Message unarchived",
    [DETAIL_MESSAGE_SNOOZED] = "Message snoozed",
    [DETAIL_MESSAGE_UNSNOOZED] = "Message unsnoozed",
    [DETAIL_MESSAGE_DELIVERED] = "Message delivered",
    [DETAIL_MESSAGE_OPENED] = "Message opened",
    [DETAIL_MESSAGE_CLICKED] = "Message clicked",
    [DETAIL_WEBHOOK_RETRY] = "Webhook filter failed, retry will be executed",
    [DETAIL_WEBHOOK_GIVEN_UP] = "Failed to get response from remote webhook filter on last retry",
    [DETAIL_VARIANT_CHOSEN] = "Variant was chosen by the provided condition criteria",
    [DETAIL_INTEGRATION_WITHHELD] = "Integration skipped because its conditions did not match",
    [DETAIL_MESSAGE_UNDELIVERED] = "Message was not delivered, says the provider",
};

struct str detail_text(enum detail d)
{
    return str_of(texts[d]);
}

struct str detail_status_name(enum detail_status s)
{
    static const char *const names[] = {"Pending", "Success", "Failed", "Warning", "Queued"};
    return str_of(names[s]);
}
