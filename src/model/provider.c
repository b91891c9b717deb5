/* The providers that an integration may name, and their channels (providers.md §3).
 *
 * What it takes to send with one is the business of src/delivery: an integration of a provider without a driver there is
 * kept, and a delivery through it fails with a reason.
 */
#include "model/integration.h"

static const struct {
    const char *id, *name;
    enum channel channel;
} providers[] = {
    {"novu", "Novu Inbox", CHANNEL_IN_APP},
    {"anypost", "Anypost", CHANNEL_EMAIL},
    {"braze", "Braze", CHANNEL_EMAIL},
    {"email-webhook", "Email Webhook", CHANNEL_EMAIL},
    {"infobip-email", "Infobip", CHANNEL_EMAIL},
    {"mailersend", "MailerSend", CHANNEL_EMAIL},
    {"mailgun", "Mailgun", CHANNEL_EMAIL},
    {"mailjet", "Mailjet", CHANNEL_EMAIL},
    {"mailtrap", "Mailtrap", CHANNEL_EMAIL},
    {"mandrill", "Mandrill", CHANNEL_EMAIL},
    {"netcore", "Netcore", CHANNEL_EMAIL},
    {"nodemailer", "Custom SMTP", CHANNEL_EMAIL},
    {"novu-email", "Carillon outbox (email)", CHANNEL_EMAIL},
    {"novu-email-agent", "Novu Email", CHANNEL_EMAIL},
    {"outlook365", "Microsoft Outlook365", CHANNEL_EMAIL},
    {"plunk", "Plunk", CHANNEL_EMAIL},
    {"postmark", "Postmark", CHANNEL_EMAIL},
    {"resend", "Resend", CHANNEL_EMAIL},
    {"sendgrid", "SendGrid", CHANNEL_EMAIL},
    {"sendinblue", "Brevo (formerly Sendinblue)", CHANNEL_EMAIL},
    {"ses", "SES", CHANNEL_EMAIL},
    {"sparkpost", "SparkPost", CHANNEL_EMAIL},
    {"africas-talking", "Africa's Talking", CHANNEL_SMS},
    {"afro-message", "Afro Message", CHANNEL_SMS},
    {"azure-sms", "Azure Sms", CHANNEL_SMS},
    {"bandwidth", "Bandwidth", CHANNEL_SMS},
    {"brevo-sms", "Brevo", CHANNEL_SMS},
    {"bulk-sms", "BulkSMS", CHANNEL_SMS},
    {"burst-sms", "Kudosity (formerly BurstSMS)", CHANNEL_SMS},
    {"clickatell", "clickatell", CHANNEL_SMS},
    {"clicksend", "Clicksend", CHANNEL_SMS},
    {"cm-telecom", "CM.com", CHANNEL_SMS},
    {"eazy-sms", "Eazy", CHANNEL_SMS},
    {"firetext", "Firetext", CHANNEL_SMS},
    {"forty-six-elks", "46elks", CHANNEL_SMS},
    {"generic-sms", "SMS Webhook", CHANNEL_SMS},
    {"gupshup", "Gupshup", CHANNEL_SMS},
    {"imedia", "iMedia", CHANNEL_SMS},
    {"infobip-sms", "Infobip", CHANNEL_SMS},
    {"isend-sms", "iSend SMS", CHANNEL_SMS},
    {"isendpro-sms", "iSendPro", CHANNEL_SMS},
    {"kannel", "Kannel SMS", CHANNEL_SMS},
    {"maqsam", "Maqsam", CHANNEL_SMS},
    {"messagebird", "MessageBird", CHANNEL_SMS},
    {"mobishastra", "Mobishastra", CHANNEL_SMS},
    {"nexmo", "Nexmo", CHANNEL_SMS},
    {"novu-sms", "Carillon outbox (SMS)", CHANNEL_SMS},
    {"plivo", "Plivo", CHANNEL_SMS},
    {"ring-central", "RingCentral", CHANNEL_SMS},
    {"sendchamp", "Sendchamp", CHANNEL_SMS},
    {"simpletexting", "SimpleTexting", CHANNEL_SMS},
    {"sinch", "Sinch", CHANNEL_SMS},
    {"sms-central", "SMS Central", CHANNEL_SMS},
    {"sms77", "sms77", CHANNEL_SMS},
    {"smsmode", "smsmode", CHANNEL_SMS},
    {"sns", "SNS", CHANNEL_SMS},
    {"telnyx", "Telnyx", CHANNEL_SMS},
    {"termii", "Termii", CHANNEL_SMS},
    {"twilio", "Twilio", CHANNEL_SMS},
    {"unifonic", "Unifonic", CHANNEL_SMS},
    {"apns", "APNs", CHANNEL_PUSH},
    {"appio", "AppIO", CHANNEL_PUSH},
    {"expo", "Expo Push", CHANNEL_PUSH},
    {"fcm", "Firebase Cloud Messaging", CHANNEL_PUSH},
    {"one-signal", "OneSignal", CHANNEL_PUSH},
    {"push-webhook", "Push Webhook", CHANNEL_PUSH},
    {"pusher-beams", "Pusher Beams", CHANNEL_PUSH},
    {"pushpad", "Pushpad", CHANNEL_PUSH},
    {"chat-webhook", "Chat Webhook", CHANNEL_CHAT},
    {"discord", "Discord", CHANNEL_CHAT},
    {"getstream", "GetStream", CHANNEL_CHAT},
    {"grafana-on-call", "Grafana On Call Webhook", CHANNEL_CHAT},
    {"line", "LINE", CHANNEL_CHAT},
    {"mattermost", "Mattermost", CHANNEL_CHAT},
    {"msteams", "MSTeams", CHANNEL_CHAT},
    {"novu-slack", "Novu Slack", CHANNEL_CHAT},
    {"rocket-chat", "Rocket.Chat", CHANNEL_CHAT},
    {"ryver", "Ryver", CHANNEL_CHAT},
    {"sendblue", "Sendblue", CHANNEL_CHAT},
    {"slack", "Slack", CHANNEL_CHAT},
    {"telegram", "Telegram", CHANNEL_CHAT},
    {"webex-messaging", "Webex Messaging", CHANNEL_CHAT},
    {"whatsapp-business", "WhatsApp Business", CHANNEL_CHAT},
    {"zulip", "Zulip", CHANNEL_CHAT},
    {"opsgenie", "Opsgenie", CHANNEL_TOOL},
    {"pagerduty", "PagerDuty", CHANNEL_TOOL},
    {"tool-webhook", "Tool webhook", CHANNEL_TOOL},
};

bool provider_channel(struct str provider_id, enum channel *c, struct str *display_name)
{
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
        if (str_eqz(provider_id, providers[i].id)) {
            *c = providers[i].channel;
            *display_name = str_of(providers[i].name);
            return true;
        }
    return false;
}
