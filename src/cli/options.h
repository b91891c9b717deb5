/* The arguments of commands that speak to a running server: options with and without a value, and one plain argument. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct cli_option {
    const char *flag;           /* "--to" */
    const char **value;         /* takes the argument behind it, or */
    bool *set;                  /* is true once it is given */
};

/* The server, and the key to it: every such command has them. */
struct cli_server {
    const char *url, *key, *data_dir;
};

/* From CARILLON_URL, CARILLON_SECRET_KEY, else the defaults. */
struct cli_server cli_server_default(void);
#define CLI_SERVER_OPTIONS(s) {"--url", &(s)->url, NULL}, {"--secret-key", &(s)->key, NULL}, {"--data-dir", &(s)->data_dir, NULL}

/* *argument: the one without a flag, NULL if none is given. Complains and returns false at the first that is not known,
 * lacks its value or is one too many. Values point into argv. */
bool cli_options_read(int argc, char **argv, const struct cli_option *options, size_t n, const char **argument);

#endif
