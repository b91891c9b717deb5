/* Time zone files as the system keeps them up to date (/usr/share/zoneinfo, RFC 8536, version 2 or later). Pure. */
#ifndef CONTENT_TZIF_H
#define CONTENT_TZIF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tzif;

/* NULL: the bytes are not such a file. */
struct tzif *tzif_read(const void *data, size_t n);
void tzif_free(struct tzif *z);     /* accepts NULL */

/* Seconds: in [from, until) the clocks are offset ahead of UTC. */
struct tzif_stretch {
    int64_t from, until;
    int32_t offset;
};
struct tzif_stretch tzif_at(const struct tzif *z, int64_t second);

#endif
