/* The world of one test: a server of its own in this process, with a clock that stands still, and an outside that answers
 * as the test assumes. What the test says goes through the API; nothing ever leaves the process. */
#ifndef CLI_TEST_WORLD_H
#define CLI_TEST_WORLD_H

#include "base/id.h"
#include "scenario/scenario.h"

enum { WORLD_DIR_MAX = 512 };

struct app;
struct db;
struct world;

/* A request of a step, as it was asked for. */
struct world_call {
    int64_t at;
    struct id run;
    int job, attempt;
    struct str method, url, body;
    struct str headers;                     /* JSON object */
};

/* A temporary directory for worlds, in memory unless $TMPDIR says where; its path in dir. */
bool world_place(char dir[WORLD_DIR_MAX], struct error *err);
/* Removes it with everything in it. From any thread; what is still going on in it fails. */
void world_clear(const char *dir);
/* NULL: it could not be started. Everything is in a directory below dir that world_close removes. */
struct world *world_open(struct arena *a, const char *dir, int64_t start, struct error *err);
void world_close(struct world *w);          /* NULL: nothing */

/* One request to the API as Development's owner. body.p NULL: none. The answer is in a; *json is NULL when it is none. */
bool world_ask(struct world *w, struct arena *a, const char *method, struct str path, struct str body, int *status,
               struct str *answer, yyjson_val **json, struct error *err);
/* Runs what falls due until then, in order, and waits until everything has come to rest. */
bool world_advance(struct world *w, int64_t to, struct error *err);
int64_t world_now(const struct world *w);
/* From now on: {deliveries: {step: …}, calls: {step: …}}, where a step is its id or workflow/step. Later ones win. */
void world_assume(struct world *w, const struct node *assume);

/* To read the store while everything rests. */
struct db *world_db(struct world *w);
struct app *world_app(struct world *w);
struct id world_environment(const struct world *w);
/* Until now; in the world's arena. */
const struct world_call *world_calls(const struct world *w, size_t *n);

#endif
