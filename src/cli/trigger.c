/* `carillon trigger`: POST /v1/events/trigger on a running server. */
#include "cli/cli.h"

#include <stdio.h>

#include "base/json.h"
#include "cli/client.h"
#include "cli/options.h"

struct options {
    const char *workflow, *to, *payload, *transaction_id;
    struct cli_server server;
};

static bool options_read(int argc, char **argv, struct options *o)
{
    const struct cli_option options[] = {{"--to", &o->to, NULL}, {"--payload", &o->payload, NULL},
                                         {"--transaction-id", &o->transaction_id, NULL}, CLI_SERVER_OPTIONS(&o->server)};
    if (!cli_options_read(argc, argv, options, sizeof options / sizeof *options, &o->workflow))
        return false;
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
    struct options o = {.server = cli_server_default()};
    struct str body, answer;
    long status;
    if (!options_read(argc, argv, &o))
        return 2;
    struct str key = client_key(a, o.server.key, o.server.data_dir);
    if (!key.n)
        return 1;
    if (!body_make(a, &o, &body))
        return 2;
    if (!client_post(a, o.server.url, "/v1/events/trigger", key, body, &status, &answer))
        return 1;
    printf("%.*s\n", STR_ARG(answer));
    return status == 201 ? 0 : cli_fail("the server answered %ld", status);
}
