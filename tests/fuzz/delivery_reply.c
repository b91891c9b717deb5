/* URLs and provider answers of any bytes: a rewritten URL stays one line on the sink, an answer becomes UTF-8 without
 * the secret. */
#include <stdlib.h>

#include "base/crypto.h"
#include "delivery/http_attempt.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct str s = {(const char *)p, n}, out;
    yyjson_val *credentials;
    if (!crypto_init() || !json_parse(a, STR("{\"apiKey\":\"hunter2-hunter2\"}"), &credentials, NULL))
        abort();
    if (http_url(a, "http://127.0.0.1:9", s, &out, NULL)) {
        if (!str_starts(out, STR("http://")) || memchr(out.p, '\n', out.n) || memchr(out.p, ' ', out.n))
            abort();
        http_origin(a, s, &out, NULL);
    }
    struct secrets secrets = secrets_of(a, credentials);
    struct str text = reply_text_safe(a, &secrets, s);
    if (!str_is_utf8(text) || text.n > REPLY_TEXT_MAX || str_find(text, STR("hunter2-hunter2")) >= 0)
        abort();
    return 0;
}
