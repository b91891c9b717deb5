/* Internal identifiers: 12 bytes, ordered by time, written as 24 lower-case hex digits
 * (rest-api.md §3.3: 4 bytes seconds, 5 random, 3 counter; clients only compare and sort them).
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct id {
    uint8_t b[12];
};

enum { ID_HEX = 24 };

/* Where ids come from. Thread-safe once initialised. The simulator seeds it for replay. */
struct id_source {
    uint8_t random[5];
    _Atomic uint32_t counter;
};

void id_source_init(struct id_source *s);                       /* from the system's randomness */
void id_source_init_seeded(struct id_source *s, uint64_t seed); /* deterministic */
struct id id_new(struct id_source *s, int64_t now_ms);

static inline bool id_eq(struct id a, struct id b) { return !memcmp(a.b, b.b, sizeof a.b); }
static inline int id_cmp(struct id a, struct id b) { return memcmp(a.b, b.b, sizeof a.b); }
bool id_is_zero(struct id id);
struct id id_floor(int64_t seconds);                            /* the least one of that second since 1970 */
static inline int64_t id_seconds(struct id id)      /* of its making, since 1970 */
{
    return (int64_t)id.b[0] << 24 | id.b[1] << 16 | id.b[2] << 8 | id.b[3];
}

void id_hex(struct id id, char out[ID_HEX + 1]);                /* with NUL */
struct str id_str(struct arena *a, struct id id);
bool id_parse(struct str s, struct id *out);                    /* exactly 24 hex digits, either case */

#endif
