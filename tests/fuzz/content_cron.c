/* Cron expressions of whatever text: refused with a reason, or fire later than asked. The first byte chooses the zone. */
#include <stdlib.h>

#include "content/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const zones[] = {"UTC", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu"};
    struct error err = {0};
    struct cron c;
    int64_t now = 1741470000000, next;
    if (!n)
        return 0;
    if (!cron_parse((struct str){(const char *)data + 1, n - 1}, &c, &err)) {
        if (!err.message[0])
            abort();
        return 0;
    }
    struct zone z ZONE_SCOPED = zone_open(str_of(zones[data[0] % 5]));
    for (int i = 0; i < 3; i++, now = next) {
        if (!cron_next(&c, &z, now, &next, &err))
            return 0;
        if (next <= now || next % 1000)
            abort();
    }
    return 0;
}
