/* Bodies that anybody may post as a provider's report: forms, JSON, in every provider's reading. */
#include <stdlib.h>

#include "base/crypto.h"
#include "delivery/sns.h"
#include "delivery/status_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const names[] = {"anypost", "mailgun", "mailjet", "mandrill", "postmark", "resend", "telnyx", "twilio", "fcm", "sendgrid", "ses"};
    static bool ready;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct str body = {(const char *)data, n};
    struct status_event *e;
    yyjson_val *json;
    if (!ready)
        ready = crypto_init();
    if (!status_event_body(a, body, &json))
        return 0;
    struct sns_message sns;
    struct error err = {0};
    if (sns_read(a, json, STR("eu-west-1"), 1767323045000, &sns, &err) && sns_verify(&sns, body))
        abort();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t found = status_event_read(a, str_of(names[i]), json, &e);
        for (size_t k = 0; k < found; k++)
            if (!e[k].id.n || !e[k].status.n || e[k].attempts < 1 || e[k].date < 0 || !str_is_utf8(e[k].row))
                abort();
        struct status_signature s = {.id = body, .timestamp = STR("1"), .value = body, .body = body, .json = json};
        if (status_signature_good(a, str_of(names[i]), STR("c2VjcmV0"), &s, 1000))
            abort();
    }
    return 0;
}
