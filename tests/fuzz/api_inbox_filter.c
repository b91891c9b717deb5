/* Filters of the Inbox, as bodies and counts carry them, matched against documents; and canonical JSON. */
#include <stdlib.h>

#include "api/inbox_private.h"
#include "model/inbox_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* Whatever passes the checks keeps the limits of inbox-realtime.md §2.3. */
static void check(const struct inbox_filter *f)
{
    size_t total = 0;
    must(f->tag_groups_n <= 30);
    for (size_t i = 0; i < f->tag_groups_n; i++) {
        must(f->tag_groups[i] >= 1 && f->tag_groups[i] <= 100);
        total += f->tag_groups[i];
    }
    must(total <= 200 && (!f->data || yyjson_is_obj(f->data)));
}

/* The first line is the filter, the rest the document. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a ARENA_SCOPED = arena_create(0);
    struct request *rq = ARENA_NEW(a, struct request);
    struct str input = {(const char *)data, n};
    ptrdiff_t line = str_find(input, STR("\n"));
    yyjson_val *filter = NULL, *doc = NULL, *again = NULL;
    struct id id = {{1}};
    rq->arena = a;
    if (!json_parse(a, line < 0 ? input : str_sub(input, 0, (size_t)line), &filter, NULL))
        return 0;
    if (line >= 0)
        json_parse(a, str_sub(input, (size_t)line + 1, n), &doc, NULL);
    for (int body = 0; body < 2; body++) {
        struct checks c = checks_begin(rq);
        struct inbox_filter f;
        struct error err = {0};
        bool ok = body ? inbox_filter_from_body(&c, filter, &f, &err) : inbox_filter_from_json(&c, 0, filter, &f, &err);
        must(ok == (err.code == ERROR_NONE));
        if (!ok || c.n)
            continue;
        check(&f);
        (void)inbox_filter_matches(&f, id, doc);
    }
    struct str text = canonical_json(a, filter, true);
    must(json_parse(a, text, &again, NULL) && str_eq(canonical_json(a, again, true), text));
    (void)canonical_json(a, filter, false);
    return 0;
}
