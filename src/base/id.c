/* Time-ordered identifiers. */
#include "base/id.h"

#include <sodium.h>

void id_source_init(struct id_source *s)
{
    uint32_t start;
    randombytes_buf(s->random, sizeof s->random);
    randombytes_buf(&start, sizeof start);
    atomic_init(&s->counter, start & 0x7fffff);
}

void id_source_init_seeded(struct id_source *s, uint64_t seed)
{
    for (size_t i = 0; i < sizeof s->random; i++)
        s->random[i] = (uint8_t)(seed >> (8 * i));
    atomic_init(&s->counter, 0);
}

struct id id_new(struct id_source *s, int64_t now_ms)
{
    uint32_t secs = (uint32_t)(now_ms / 1000);
    uint32_t n = atomic_fetch_add_explicit(&s->counter, 1, memory_order_relaxed);
    struct id id;
    for (int i = 0; i < 4; i++)
        id.b[i] = (uint8_t)(secs >> (24 - 8 * i));
    memcpy(id.b + 4, s->random, 5);
    for (int i = 0; i < 3; i++)
        id.b[9 + i] = (uint8_t)(n >> (16 - 8 * i));
    return id;
}

bool id_is_zero(struct id id)
{
    static const struct id zero;
    return id_eq(id, zero);
}

void id_hex(struct id id, char out[ID_HEX + 1])
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof id.b; i++) {
        out[2 * i] = digit[id.b[i] >> 4];
        out[2 * i + 1] = digit[id.b[i] & 15];
    }
    out[ID_HEX] = 0;
}

struct str id_str(struct arena *a, struct id id)
{
    char *p = arena_alloc_raw(a, ID_HEX + 1);
    id_hex(id, p);
    return (struct str){p, ID_HEX};
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool id_parse(struct str s, struct id *out)
{
    if (s.n != ID_HEX)
        return false;
    for (size_t i = 0; i < sizeof out->b; i++) {
        int hi = nibble(s.p[2 * i]), lo = nibble(s.p[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out->b[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

struct id id_floor(int64_t seconds)
{
    struct id id = {{0}};
    uint32_t s = seconds < 0 ? 0 : seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
    for (int i = 0; i < 4; i++)
        id.b[i] = (uint8_t)(s >> (24 - 8 * i));
    return id;
}
