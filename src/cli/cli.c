/* The table of commands. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "cli/config.h"

static const struct command commands[] = {
    {"serve", "[options]", "run the server", cli_serve},
    {"trigger", "WORKFLOW --to SUBSCRIBER [--payload JSON] [--transaction-id ID]", "trigger a workflow on a running server", cli_trigger},
    {"explain", "WORKFLOW (--to SUBSCRIBER | --broadcast) [--payload JSON] [--at TIME] [--until TIME] [--assume JSON] [--limit N] [--json]",
     "tell what a trigger would do, without doing it", cli_explain},
    {"test", "[--tap] [--junit FILE] [--only TEXT] FILE-OR-FOLDER…",
     "run tests of workflows, months in milliseconds, without a server (docs/testing.md)", cli_test},
    {"keys", "[--data-dir DIR]", "show the environments and their secret keys", cli_keys},
    {"org", "create NAME [--data-dir DIR | --database-url URL]", "make another organization, while no server uses the SQLite store", cli_org},
    {"config", "", "list every setting as a Markdown table", cli_config},
    {"routes", "[--json]", "list every route of the API", cli_routes},
    {"version", "", "print the version", cli_version},
    {"help", "", "this text", cli_help},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

int cli_fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("carillon: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return 1;
}

int cli_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    puts("carillon " CARILLON_VERSION);
    return 0;
}

int cli_config(int argc, char **argv)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    (void)argc;
    (void)argv;
    fputs(config_markdown(a).p, stdout);
    return 0;
}

int cli_help(int argc, char **argv)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    (void)argc;
    (void)argv;
    puts("carillon: notification infrastructure as one binary\n");
    for (int i = 0; i < COMMANDS; i++)
        printf("  carillon %s %s\n      %s\n", commands[i].name, commands[i].arguments, commands[i].help);
    printf("\nOptions of serve, each also an environment variable:\n%s", config_help(a).p);
    return 0;
}

int cli_main(int argc, char **argv)
{
    if (!crypto_init())
        return cli_fail("The cryptographic library could not be started");
    if (argc < 2) {
        cli_help(0, NULL);
        return 2;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h"))
        name = "help";
    if (!strcmp(name, "--version"))
        name = "version";
    for (int i = 2; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            name = "help";
    for (int i = 0; i < COMMANDS; i++)
        if (!strcmp(commands[i].name, name))
            return commands[i].run(argc - 2, argv + 2);
    cli_fail("Unknown command '%.80s'; carillon help lists them", argv[1]);
    return 2;
}
