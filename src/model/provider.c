/* The providers that this binary can send with, and their channels. */
#include "model/integration.h"

static const struct {
    const char *id, *name;
    enum channel channel;
} providers[] = {
    {"novu", "Novu Inbox", CHANNEL_IN_APP},
    {"novu-email", "Carillon outbox (email)", CHANNEL_EMAIL},
    {"novu-sms", "Carillon outbox (SMS)", CHANNEL_SMS},
    {"nodemailer", "Custom SMTP", CHANNEL_EMAIL},
    {"outlook365", "Microsoft Outlook365", CHANNEL_EMAIL},
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
