/* A call to a running server. */
#include "cli/client.h"

#include <curl/curl.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/cli.h"

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

struct str client_key(struct arena *a, const char *key, const char *data_dir)
{
    struct str found = key ? str_of(key) : key_from_data_dir(a, data_dir);
    if (!found.n)
        cli_fail("No secret key: give --secret-key, CARILLON_SECRET_KEY, or --data-dir of a server that has run");
    return found;
}

static size_t keep(char *p, size_t size, size_t n, void *arg)
{
    buf_str(arg, (struct str){p, size * n});
    return size * n;
}

bool client_post(struct arena *a, const char *url, const char *path, struct str key, struct str body, long *status,
                 struct str *answer)
{
    CURL *c = curl_easy_init();
    struct curl_slist *headers = NULL;
    struct buf b = {.arena = a};
    if (!c)
        return !cli_fail("libcurl could not be started");
    headers = curl_slist_append(headers, "Content-Type: application/json");
    headers = curl_slist_append(headers, str_fmt(a, "Authorization: ApiKey %.*s", STR_ARG(key)).p);
    curl_easy_setopt(c, CURLOPT_URL, str_fmt(a, "%s%s", url, path).p);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.p);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)body.n);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &b);
    CURLcode code = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(c);
    *answer = buf_finish(&b);
    return code == CURLE_OK || !cli_fail("%s: %s", url, curl_easy_strerror(code));
}
