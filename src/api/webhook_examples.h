/* What each type of webhook says, and what one looks like: the event catalogue, and what a test sends (bridge-cli.md §8). */
#ifndef API_WEBHOOK_EXAMPLES_H
#define API_WEBHOOK_EXAMPLES_H

#include "base/str.h"
#include "model/webhook.h"

struct str webhook_type_description(enum webhook_type t);
/* A whole body, as JSON text. */
struct str webhook_example(struct arena *a, enum webhook_type t);

#endif
