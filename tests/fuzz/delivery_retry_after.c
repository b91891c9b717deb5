/* Retry-After of any bytes: never negative, never more than a day. */
#include <stdlib.h>

#include "delivery/http_attempt.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    int64_t ms = http_retry_after((struct str){(const char *)p, n}, 1767323045000);
    if (ms < 0 || ms > HTTP_RETRY_AFTER_MAX_MS)
        abort();
    return 0;
}
