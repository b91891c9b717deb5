/* The demo of /demo: a workflow and a subscriber in Development, and a page that shows the real Inbox. */
#ifndef CLI_DEMO_H
#define CLI_DEMO_H

#include "api/app.h"

/* Creates the demo workflow and subscriber in the first environment of type dev, if they are missing. */
bool demo_prepare(struct app *app, struct error *err);
void demo_release(struct app *app);

#endif
