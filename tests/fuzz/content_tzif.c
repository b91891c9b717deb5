/* A time zone file of any bytes: read or refused, and what was read tells a stretch for every moment. */
#include <stdlib.h>
#include <string.h>

#include "content/tzif.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tzif *z = tzif_read(data, size);
    static const int64_t moments[] = {-4000000000, 0, 1700000000, 4000000000, 100000000000};
    for (size_t i = 0; z && i < sizeof moments / sizeof *moments; i++) {
        struct tzif_stretch s = tzif_at(z, moments[i]);
        if (s.from > moments[i] || s.until <= moments[i])
            abort();
    }
    tzif_free(z);
    return 0;
}
