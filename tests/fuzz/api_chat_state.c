/* States of OAuth dialogues as a browser brings them back: nothing verifies but what was signed, and that reads the same. */
#include <stdlib.h>
#include <string.h>

#include "api/chat_state.h"
#include "base/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static bool ready;
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct str raw = {(const char *)data, n}, secret = STR("secret");
    struct chat_state s = {0};
    if (!ready)
        ready = crypto_init();
    must(!chat_state_verify(a, raw, secret, 1000));
    if (n && memchr(data, 0, n))
        return 0;               /* what follows a NUL would not be in the text that is signed here */
    /* As it is, and signed: the reader of payloads is reached in either case. */
    struct str hex = crypto_hmac_sha256_hex(a, secret, raw);
    struct str text = base64url_encode(a, str_fmt(a, "%.*s.%.*s", STR_ARG(raw), STR_ARG(hex)));
    if (!chat_state_read(a, text, &s)) {
        must(!chat_state_verify(a, text, secret, 1000));
        return 0;
    }
    must(chat_state_verify(a, text, secret, s.made_at) == (s.made_at > 0));
    must(!chat_state_verify(a, text, STR("other"), s.made_at));
    struct chat_state again;
    must(chat_state_read(a, chat_state_write(a, &s, secret), &again));
    must(str_eq(again.subscriber_id, s.subscriber_id) && str_eq(again.integration_identifier, s.integration_identifier)
         && again.links_user == s.links_user && again.is_v1 == s.is_v1 && again.made_at == s.made_at && id_eq(again.environment, s.environment));
    return 0;
}
