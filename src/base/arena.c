/* A bump allocator over a list of blocks; the newest block serves. */
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_ALIGN = 16, ARENA_FIRST = 4096, ARENA_BLOCK_MAX = 1 << 20 };

struct arena_block {
    struct arena_block *prev;
    size_t size, used;
    _Alignas(ARENA_ALIGN) unsigned char data[];
};

struct arena {
    struct arena_block *top;
    size_t used;
    void *last;        /* the latest allocation, for growing in place */
};

static void out_of_memory(size_t n)
{
    fprintf(stderr, "carillon: out of memory (%zu bytes)\n", n);
    abort();
}

static struct arena_block *block_new(struct arena_block *prev, size_t size)
{
    struct arena_block *b = malloc(sizeof *b + size);
    if (!b)
        out_of_memory(size);
    b->prev = prev;
    b->size = size;
    b->used = 0;
    return b;
}

struct arena *arena_create(size_t first_block)
{
    size_t size = first_block ? first_block : ARENA_FIRST;
    struct arena_block *b = block_new(NULL, size + sizeof(struct arena) + ARENA_ALIGN);
    struct arena *a = (struct arena *)b->data;
    b->used = (sizeof *a + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    *a = (struct arena){.top = b};
    return a;
}

static struct arena_block *arena_first(struct arena *a)
{
    struct arena_block *b = a->top;
    while (b->prev) {
        struct arena_block *prev = b->prev;
        free(b);
        b = prev;
    }
    return b;
}

void arena_destroy(struct arena *a)
{
    if (a)
        free(arena_first(a));
}

void arena_reset(struct arena *a)
{
    struct arena_block *b = arena_first(a);
    b->used = (sizeof *a + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    *a = (struct arena){.top = b};
}

void *arena_alloc_raw(struct arena *a, size_t n)
{
    if (n > SIZE_MAX / 2)
        out_of_memory(n);
    size_t need = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    struct arena_block *b = a->top;
    if (b->size - b->used < need) {
        size_t size = b->size * 2;
        if (size > ARENA_BLOCK_MAX)
            size = ARENA_BLOCK_MAX;
        if (size < need)
            size = need;
        b = a->top = block_new(b, size);
    }
    void *p = b->data + b->used;
    b->used += need;
    a->used += need;
    a->last = p;
    return p;
}

void *arena_alloc(struct arena *a, size_t n)
{
    return memset(arena_alloc_raw(a, n), 0, n);
}

void *arena_grow(struct arena *a, void *p, size_t old, size_t n)
{
    if (p && n <= old)
        return p;
    struct arena_block *b = a->top;
    if (p && p == a->last) {
        size_t at = (size_t)((unsigned char *)p - b->data);
        size_t need = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
        if (n <= SIZE_MAX / 2 && need <= b->size - at) {
            a->used += at + need - b->used;
            b->used = at + need;
            return p;
        }
    }
    void *q = arena_alloc_raw(a, n);
    if (old)
        memcpy(q, p, old);
    return q;
}

char *arena_copy(struct arena *a, const void *p, size_t n)
{
    char *q = arena_alloc_raw(a, n + 1);
    if (n)
        memcpy(q, p, n);
    q[n] = 0;
    return q;
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}
