/* Request targets: splitting, normalising, decoding, and query strings, with what must hold of the results. */
#include <stdlib.h>

#include "http/url_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct str raw = str_dup(a, (struct str){(const char *)data, n}), path, query, out;
    struct query_param *p;
    struct str target = url_visible(a, raw);
    must(str_is_utf8(target));
    url_split(target, &path, &query);
    path = url_normalise(a, path, STR("/ctx"));
    must(path.n > 0 && str_find(path, STR("//")) < 0);
    if (url_decode(a, path, &out))
        must(str_is_utf8(out) && out.n <= path.n);
    (void)url_decode(a, raw, &out);
    size_t found = query_parse(a, query, &p);
    must(found <= QUERY_PARAMS_MAX);
    for (size_t i = 0; i < found; i++) {
        must(str_is_utf8(p[i].name) && str_is_utf8(p[i].value));
        (void)query_is_of(p[i].name, STR("k"));
    }
    found = query_parse(a, raw, &p);        /* bytes that url_visible did not see */
    for (size_t i = 0; i < found; i++)
        must(str_is_utf8(p[i].name) && str_is_utf8(p[i].value));
    return 0;
}
