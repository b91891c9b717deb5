/* Any text is refused, or is a packet whose head says the same when written again. */
#include <stdlib.h>

#include "realtime/socketio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct socketio_packet p, q;
    if (!socketio_decode(a, (struct str){(const char *)data, n}, &p))
        return 0;
    struct buf b = {.arena = a};
    socketio_head(&b, (enum socketio_type)p.type, p.ns, p.id);
    if (p.data)
        buf_str(&b, json_write(a, p.data));
    if (!socketio_decode(a, str_sub(buf_get(&b), 1, b.n), &q))
        abort();
    if (q.type != p.type || !str_eq(q.ns, p.ns) || !str_eq(q.id, p.id) || !q.data != !p.data)
        abort();
    return 0;
}
