/* What commands that speak to a running server share. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "base/str.h"

/* The secret key that was given, or Development's of the data directory; complains and is empty if there is none. */
struct str client_key(struct arena *a, const char *key, const char *data_dir);
/* POSTs JSON to url + path. The answer is in a. Complains and returns false if none came. */
bool client_post(struct arena *a, const char *url, const char *path, struct str key, struct str body, long *status,
                 struct str *answer);

#endif
