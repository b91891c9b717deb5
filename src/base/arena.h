/* Memory that dies together.
 *
 * An arena hands out memory that is released all at once. A request, a render, an engine plan: each has
 * one and owns everything it allocates from it. There is no free for a single object.
 *
 * Allocation never returns NULL: when the system has no memory left the process aborts with a line in the
 * log. That is safe here because nothing is acknowledged before it is on disk, and bounded because every
 * input that can make an arena grow has a limit of its own at the door (body, output, depth limits).
 *
 * Threads: an arena belongs to one thread at a time. It may be handed over (with what it holds) to another.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>
#include <string.h>

struct arena;

/* A new arena. first_block is the size in bytes of its first block (0: 4 KiB). */
struct arena *arena_create(size_t first_block);

/* Releases everything; accepts NULL. */
void arena_destroy(struct arena *a);

/* Forgets everything allocated, keeping the first block for re-use. */
void arena_reset(struct arena *a);

/* n zeroed bytes, aligned for any type. n = 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t n) __attribute__((returns_nonnull, alloc_size(2)));

/* Like arena_alloc, contents undefined. */
void *arena_alloc_raw(struct arena *a, size_t n) __attribute__((returns_nonnull, alloc_size(2)));

/* Grows the block p of old bytes to n bytes; in place where p was the last allocation. */
void *arena_grow(struct arena *a, void *p, size_t old, size_t n) __attribute__((returns_nonnull));

/* Copies n bytes and adds a NUL after them. */
char *arena_copy(struct arena *a, const void *p, size_t n) __attribute__((returns_nonnull));

/* Bytes handed out since creation or the last reset. */
size_t arena_used(const struct arena *a);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (size_t)(n)))

/* The next free slot of a growing array in the arena; list, n and cap are lvalues, and cap starts at 0. */
#define ARENA_SLOT(a, list, n, cap)                                                                                   \
    ((n) == (cap) ? ((list) = arena_grow((a), (list), (cap) * sizeof *(list), ((cap) ? 2 * (cap) : 8) * sizeof *(list)), \
                     (cap) = (cap) ? 2 * (cap) : 8, &(list)[(n)++])                                                     \
                  : &(list)[(n)++])

static inline void arena_cleanup_(struct arena **a) { arena_destroy(*a); }
/* struct arena *a ARENA_SCOPED = arena_create(0); is destroyed at the end of its scope. */
#define ARENA_SCOPED __attribute__((cleanup(arena_cleanup_)))

#endif
