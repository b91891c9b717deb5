/* Any polling body is walked within its bounds, and what it was split into makes it again. */
#include <stdlib.h>

#include "realtime/engineio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str body = {(const char *)data, n}, packet;
    struct engineio_payload p = {.rest = body};
    size_t sum = 0, packets = 0;
    while (engineio_next(&p, &packet)) {
        char type;
        struct str rest;
        if (engineio_decode(packet, &type, &rest) && rest.n + 1 != packet.n)
            abort();
        sum += packet.n;
        packets++;
    }
    if (sum + packets - 1 != n)
        abort();
    return 0;
}
