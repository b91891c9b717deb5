/* `carillon trigger`: POST /v1/events/trigger on a running server. */
#include "cli/cli.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

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

/* Development's key of the data directory, when none was given. */
static struct str key_from_data_dir(struct arena *a, const char *dir)
{
    struct str path = str_fmt(a, "%s/credentials.json", dir);
    FILE *f = fopen(path.p, "re");
    yyjson_val *root;
    if (!f)
        return STR_NULL;
    char *text = arena_alloc(a, 65536);
    size_t n = fread(text, 1, 65536, f);
    fclose(f);
    if (!json_parse(a, (struct str){text, n}, &root, NULL))
        return STR_NULL;
    return json_get_str(yyjson_arr_get_first(json_get(root, "environments")), "secretKey");
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

static int post(struct arena *a, const char *url, struct str key, struct str body)
{
    CURL *c = curl_easy_init();
    struct curl_slist *headers = NULL;
    long status = 0;
    if (!c)
        return cli_fail("libcurl could not be started");
    headers = curl_slist_append(headers, "Content-Type: application/json");
    headers = curl_slist_append(headers, str_fmt(a, "Authorization: ApiKey %.*s", STR_ARG(key)).p);
    curl_easy_setopt(c, CURLOPT_URL, str_fmt(a, "%s/v1/events/trigger", url).p);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.p);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)body.n);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, 30L);
    CURLcode code = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(c);
    putchar('\n');
    if (code != CURLE_OK)
        return cli_fail("%s: %s", url, curl_easy_strerror(code));
    return status == 201 ? 0 : cli_fail("the server answered %ld", status);
}

int cli_trigger(int argc, char **argv)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct options o = {.url = getenv("CARILLON_URL"), .key = getenv("CARILLON_SECRET_KEY"), .data_dir = "./data"};
    struct str body;
    if (!options_read(argc, argv, &o))
        return 2;
    struct str key = o.key ? str_of(o.key) : key_from_data_dir(a, o.data_dir);
    if (!key.n)
        return cli_fail("No secret key: give --secret-key, CARILLON_SECRET_KEY, or --data-dir of a server that has run");
    if (!body_make(a, &o, &body))
        return 2;
    return post(a, o.url ? o.url : "http://127.0.0.1:3000", key, body);
}
