/* `carillon explain`: POST /v1/events/explain on a running server, as a timeline to read. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/client.h"
#include "cli/options.h"

struct options {
    const char *workflow, *to, *payload, *at, *until, *assume, *limit, *transaction_id;
    bool broadcast, json;
    struct cli_server server;
};

static bool options_read(int argc, char **argv, struct options *o)
{
    const struct cli_option options[] = {
        {"--to", &o->to, NULL}, {"--payload", &o->payload, NULL}, {"--at", &o->at, NULL}, {"--until", &o->until, NULL},
        {"--assume", &o->assume, NULL}, {"--limit", &o->limit, NULL}, {"--transaction-id", &o->transaction_id, NULL},
        {"--broadcast", NULL, &o->broadcast}, {"--json", NULL, &o->json}, CLI_SERVER_OPTIONS(&o->server)};
    if (!cli_options_read(argc, argv, options, sizeof options / sizeof *options, &o->workflow))
        return false;
    if (!o->workflow || !o->to == !o->broadcast)
        return !cli_fail("Usage: carillon explain WORKFLOW (--to SUBSCRIBER | --broadcast) [--payload JSON] [--at TIME] "
                         "[--until TIME] [--assume JSON] [--limit N] [--transaction-id ID] [--json] [--url URL] "
                         "[--secret-key KEY | --data-dir DIR]");
    return true;
}

static bool put_object(struct arena *a, yyjson_mut_doc *d, yyjson_mut_val *root, const char *flag, const char *key, const char *text)
{
    struct error err = {0};
    yyjson_val *v;
    if (!text)
        return true;
    if (!json_parse(a, str_of(text), &v, &err) || !yyjson_is_obj(v))
        return !cli_fail("%s must be a JSON object%s%s", flag, err.message[0] ? ": " : "", err.message);
    json_add_val(d, root, key, v);
    return true;
}

static bool body_make(struct arena *a, const struct options *o, struct str *body)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *root = yyjson_mut_obj(d);
    const struct { const char *key, *value; } texts[] = {
        {"name", o->workflow}, {"to", o->to}, {"at", o->at}, {"until", o->until}, {"transactionId", o->transaction_id}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].value)
            json_add_str(d, root, texts[i].key, str_of(texts[i].value));
    if (!put_object(a, d, root, "--payload", "payload", o->payload ? o->payload : "{}")
        || !put_object(a, d, root, "--assume", "assume", o->assume))
        return false;
    if (o->broadcast)
        json_add_bool(d, root, "broadcast", true);
    if (o->limit)
        json_add_int(d, root, "limit", strtol(o->limit, NULL, 10));
    *body = json_write_mut(a, root);
    return true;
}

/* --- the timeline ---------------------------------------------------------------------------------------------- */

static void print_text(const char *label, struct str text)
{
    if (text.n)
        printf("                           %s: %.*s%s\n", label, (int)(text.n > 400 ? 400 : text.n), text.p, text.n > 400 ? "…" : "");
}

static void print_json(struct arena *a, const char *label, yyjson_val *v)
{
    if (v && !yyjson_is_null(v))
        print_text(label, json_write(a, v));
}

static void print_messages(yyjson_val *step)
{
    yyjson_val *m;
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(step, "messages"));
    while ((m = yyjson_arr_iter_next(&it))) {
        print_text("subject", json_get_str(json_get(m, "content"), "subject"));
        print_text("content", json_get_str(json_get(m, "content"), "content"));
    }
}

static void print_step(struct arena *a, yyjson_val *s)
{
    yyjson_val *rule = json_get(s, "rule"), *condition = json_get(rule, "condition");
    struct str at = json_get_str(s, "at"), id = json_get_str(s, "stepId"), type = json_get_str(s, "type");
    struct str decision = json_get_str(s, "decision"), kind = json_get_str(rule, "kind"), detail = json_get_str(rule, "detail");
    printf("  %-24.*s %.*s (%.*s): %.*s", STR_ARG(at), STR_ARG(id), STR_ARG(type), STR_ARG(decision));
    if (kind.n)
        printf(" by %.*s", STR_ARG(kind));
    if (detail.n)
        printf(", %.*s", STR_ARG(detail));
    putchar('\n');
    print_text("due at", json_get_str(s, "dueAt"));
    print_text("error", json_get_str(s, "error"));
    print_text("through", json_get_str(json_get(s, "integration"), "identifier"));
    print_json(a, "condition", condition);
    print_json(a, "saw", json_get(rule, "evaluatedValues"));
    print_json(a, "preference", json_get(rule, "preference"));
    print_json(a, "request", json_get(s, "request"));
    print_messages(s);
}

static void print_explanation(struct arena *a, yyjson_val *data)
{
    yyjson_val *t, *s, *r = json_get(data, "recipients"), *total = json_get(r, "total");
    struct str status = json_get_str(data, "status"), at = json_get_str(data, "at");
    printf("%.*s at %.*s\n", STR_ARG(status), STR_ARG(at));
    if (json_get_bool(data, "isDuplicate", false))
        puts("The transactionId was used before: nothing happens.");
    if (yyjson_is_int(total) && yyjson_get_sint(total) > json_get_int(r, "explained", 0))
        printf("%lld of %lld recipients:\n", (long long)json_get_int(r, "explained", 0), (long long)yyjson_get_sint(total));
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(data, "timelines"));
    while ((t = yyjson_arr_iter_next(&it))) {
        struct str who = json_get_str(t, "subscriberId"), end = json_get_str(t, "deliveryLifecycleStatus");
        printf("\n%.*s%s: %.*s\n", STR_ARG(who), json_get_bool(t, "isNew", false) ? " (new)" : "", STR_ARG(end));
        yyjson_arr_iter steps = yyjson_arr_iter_with(json_get(t, "steps"));
        while ((s = yyjson_arr_iter_next(&steps)))
            print_step(a, s);
    }
    it = yyjson_arr_iter_with(json_get(data, "filtered"));
    while ((t = yyjson_arr_iter_next(&it))) {
        struct str who = json_get_str(t, "subscriberId");
        printf("\n%.*s: not reached, all topic subscriptions say no\n", STR_ARG(who));
    }
}

int cli_explain(int argc, char **argv)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct options o = {.server = cli_server_default()};
    struct str body, answer;
    yyjson_val *root = NULL;
    long status;
    if (!options_read(argc, argv, &o))
        return 2;
    struct str key = client_key(a, o.server.key, o.server.data_dir);
    if (!key.n)
        return 1;
    if (!body_make(a, &o, &body))
        return 2;
    if (!client_post(a, o.server.url, "/v1/events/explain", key, body, &status, &answer))
        return 1;
    if (o.json || status != 200 || !json_parse(a, answer, &root, NULL))
        printf("%.*s\n", STR_ARG(answer));
    else
        print_explanation(a, json_get(root, "data"));
    return status == 200 ? 0 : cli_fail("the server answered %ld", status);
}
