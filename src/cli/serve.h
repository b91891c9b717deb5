/* A whole server inside this process: what `carillon serve` runs until a signal comes, and `carillon test` for each test. */
#ifndef CLI_SERVE_H
#define CLI_SERVE_H

#include "api/app.h"
#include "cli/config.h"
#include "cli/succession.h"
#include "cli/config_check.h"

struct serve {
    /* Set before serve_open: */
    struct arena *arena;                    /* outlives it */
    struct config config;
    const struct engine_world *world;       /* takes deliveries and requests of steps; NULL: they go out */
    int64_t start;                          /* where a virtual clock starts; 0: now */
    uint64_t seed;                          /* of ids, and so of everything that is drawn from them; 0: random */
    int descriptors;                        /* to be shared by sockets and requests; 0: no bound */
    /* Then: */
    struct app app;
    const char *url;                        /* of the store */
    struct succession succession;
    const struct route **tables;
    size_t *counts;
    const char *origins[ORIGINS_MAX + 1];
};

/* On failure, too, serve_close is to be called. */
bool serve_open(struct serve *s, struct error *err);
void serve_close(struct serve *s);

#endif
