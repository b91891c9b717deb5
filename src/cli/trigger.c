/* `carillon trigger`: POST /v1/events/trigger on a running server. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/client.h"

struct options {
    const char *workflow, *to, *payload, *transaction_id, *url, *key, *data_dir;
};

static bool options_read(int argc, char **argv, struct options *o)
{
    const struct { const char *flag; const char **value; } flags[] = {
        {"--to", &o->to}, {"--payload", &o->payload}, {"--transaction-id", &o->transaction_id},
        {"--url", &o->url}, {"--secret-key", &o->key}, {"--data-dir", &o->data_dir}};
    for (int i = 0; i < argc; i++) {
        size_t k = 0;
        if (strncmp(argv[i], "--", 2)) {
            if (o->workflow)
                return !cli_fail("Unexpected argument '%s'", argv[i]);
            o->workflow = argv[i];
            continue;
        }
        while (k < sizeof flags / sizeof *flags && strcmp(flags[k].flag, argv[i]))
            k++;
        if (k == sizeof flags / sizeof *flags)
            return !cli_fail("Unknown option '%s'", argv[i]);
        if (i + 1 == argc)
            return !cli_fail("%s needs a value", argv[i]);
        *flags[k].value = argv[++i];
    }
    if (!o->workflow || !o->to)
        return !cli_fail("Usage: carillon trigger WORKFLOW --to SUBSCRIBER [--payload JSON] [--transaction-id ID] "
                         "[--url URL] [--secret-key KEY | --data-dir DIR]");
    return true;
}

static bool body_make(struct arena *a, const struct options *o, struct str *body)
{
    struct error err = {0};
    yyjson_val *payload = NULL;
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    if (o->payload && (!json_parse(a, str_of(o->payload), &payload, &err) || !yyjson_is_obj(payload)))
        return !cli_fail("--payload must be a JSON object%s%s", err.message[0] ? ": " : "", err.message);
    json_add_str(d, root, "name", str_of(o->workflow));
    json_add_str(d, root, "to", str_of(o->to));
    if (payload)
        json_add_val(d, root, "payload", payload);
    if (o->transaction_id)
        json_add_str(d, root, "transactionId", str_of(o->transaction_id));
    *body = json_write_mut(a, root);
    return true;
}

int cli_trigger(int argc, char **argv)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct options o = {.url = getenv("CARILLON_URL"), .key = getenv("CARILLON_SECRET_KEY"), .data_dir = "./data"};
    struct str body, answer;
    long status;
    if (!options_read(argc, argv, &o))
        return 2;
    struct str key = client_key(a, o.key, o.data_dir);
    if (!key.n)
        return 1;
    if (!body_make(a, &o, &body))
        return 2;
    if (!client_post(a, o.url ? o.url : "http://127.0.0.1:3000", "/v1/events/trigger", key, body, &status, &answer))
        return 1;
    printf("%.*s\n", STR_ARG(answer));
    return status == 201 ? 0 : cli_fail("the server answered %ld", status);
}
