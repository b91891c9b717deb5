/* `carillon keys`: what credentials.json says, for reading. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/config.h"

int cli_keys(int argc, char **argv)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct config c;
    struct error err = {0};
    yyjson_val *root, *e;
    if (!config_read(a, argc, argv, &c, &err)) {
        cli_fail("%s", err.message);
        return 2;
    }
    struct str path = str_fmt(a, "%s/credentials.json", c.data_dir);
    FILE *f = fopen(path.p, "re");
    if (!f)
        return cli_fail("Cannot read %s: %s (has the server run with this data directory?)", path.p, strerror(errno));
    char *text = arena_alloc(a, 65536);
    size_t n = fread(text, 1, 65536, f);
    int why = ferror(f) ? errno : 0;
    fclose(f);
    if (why)
        return cli_fail("Cannot read %s: %s", path.p, strerror(why));
    if (!json_parse(a, (struct str){text, n}, &root, &err))
        return cli_fail("%s: %s", path.p, err.message);
    if (!yyjson_is_arr(json_get(root, "environments")))
        return cli_fail("%s does not list environments; a start of the server writes it again", path.p);
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(root, "environments"));
    while ((e = yyjson_arr_iter_next(&it))) {
        struct str name = json_get_str(e, "name"), app = json_get_str(e, "applicationIdentifier"), key = json_get_str(e, "secretKey");
        printf("%.*s\n  application identifier  %.*s\n  secret key              %.*s\n", STR_ARG(name), STR_ARG(app), STR_ARG(key));
    }
    return 0;
}
