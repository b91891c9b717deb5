#include "cli/options.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

struct cli_server cli_server_default(void)
{
    const char *url = getenv("CARILLON_URL");
    return (struct cli_server){.url = url ? url : "http://127.0.0.1:3000", .key = getenv("CARILLON_SECRET_KEY"), .data_dir = "./data"};
}

bool cli_options_read(int argc, char **argv, const struct cli_option *options, size_t n, const char **argument)
{
    *argument = NULL;
    for (int i = 0; i < argc; i++) {
        size_t k = 0;
        if (strncmp(argv[i], "--", 2)) {
            if (*argument)
                return !cli_fail("Unexpected argument '%s'", argv[i]);
            *argument = argv[i];
            continue;
        }
        while (k < n && strcmp(options[k].flag, argv[i]))
            k++;
        if (k == n)
            return !cli_fail("Unknown option '%s'", argv[i]);
        if (options[k].set)
            *options[k].set = true;
        else if (i + 1 == argc)
            return !cli_fail("%s needs a value", argv[i]);
        else
            *options[k].value = argv[++i];
    }
    return true;
}
