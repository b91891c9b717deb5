/* The commands of the binary. Each takes what follows its name and returns the exit code. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "http/route.h"

struct command {
    const char *name, *arguments, *help;
    int (*run)(int argc, char **argv);
};

int cli_serve(int argc, char **argv);
int cli_trigger(int argc, char **argv);
int cli_explain(int argc, char **argv);
int cli_test(int argc, char **argv);
int cli_keys(int argc, char **argv);
int cli_org(int argc, char **argv);
int cli_version(int argc, char **argv);
int cli_help(int argc, char **argv);
int cli_config(int argc, char **argv);
int cli_routes(int argc, char **argv);

/* Finds the command in argv[1] and runs it. */
int cli_main(int argc, char **argv);

/* Prints "carillon: <message>" on stderr; returns 1. */
int cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Routes of /demo (src/cli/demo.c). */
extern const struct route demo_routes[];
extern const size_t demo_routes_n;

#endif
