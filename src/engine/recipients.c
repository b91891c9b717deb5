/* Who `to` names. */
#include "engine/engine.h"

#include <stdlib.h>

struct recipient {
    struct subscriber_patch patch;
    size_t at;                              /* position in `to` */
};

/* By id, then position. A sort and no hash table: whoever chooses the ids could make those of one slot. */
static int recipient_compare(const void *a, const void *b)
{
    const struct recipient *x = a, *y = b;
    int c = str_cmp(x->patch.subscriber_id, y->patch.subscriber_id);
    return c ? c : (x->at > y->at) - (x->at < y->at);
}

static int position_compare(const void *a, const void *b)
{
    const struct recipient *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

static bool recipient_read(struct arena *a, yyjson_val *v, struct recipient *r)
{
    struct str messages[SUBSCRIBER_FIELDS];
    r->patch = (struct subscriber_patch){.subscriber_id = STR_NULL};
    if (yyjson_is_str(v))
        r->patch.subscriber_id = str_trim(json_str(v));
    else if (yyjson_is_obj(v) && !json_get(v, "topicKey"))
        subscriber_patch_read(a, v, &r->patch, messages);
    return subscriber_id_valid(r->patch.subscriber_id);
}

/* Of each id the last entry, at the place of the first. */
static size_t recipients_unique(struct recipient *list, size_t n)
{
    size_t unique = 0;
    if (n > 1)
        qsort(list, n, sizeof *list, recipient_compare);
    for (size_t i = 0; i < n; i++) {
        if (unique && str_eq(list[unique - 1].patch.subscriber_id, list[i].patch.subscriber_id))
            list[unique - 1].patch = list[i].patch;
        else
            list[unique++] = list[i];
    }
    if (unique > 1)
        qsort(list, unique, sizeof *list, position_compare);
    return unique;
}

size_t trigger_recipients(struct arena *a, yyjson_val *to, struct subscriber_patch **out)
{
    size_t n = 0, max = yyjson_is_arr(to) ? yyjson_arr_size(to) : 1;
    struct recipient *list = ARENA_ARRAY(a, struct recipient, max);
    yyjson_val *v;
    yyjson_arr_iter it = yyjson_arr_iter_with(to);
    if (!yyjson_is_arr(to))
        n = recipient_read(a, to, list);
    for (size_t at = 0; (v = yyjson_arr_iter_next(&it)); at++)
        if (recipient_read(a, v, &list[n]))
            list[n++].at = at;
    n = recipients_unique(list, n);
    *out = ARENA_ARRAY(a, struct subscriber_patch, n);
    for (size_t i = 0; i < n; i++)
        (*out)[i] = list[i].patch;
    return n;
}
