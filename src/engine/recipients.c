/* Who `to` names. */
#include "engine/recipients.h"

#include <stdlib.h>

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Something, @, something, a dot, something, and no white space; the last @ and the last dot will do. */
static bool is_email(struct str s)
{
    size_t at = 0, dot = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (is_space(s.p[i]))
            return false;
        if (s.p[i] == '@' && !at)
            at = i;
        if (s.p[i] == '.' && i + 1 < s.n)
            dot = i;
    }
    return at > 0 && dot > at + 1;
}

bool recipient_id_strict(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ':'
                     || c == '.' || c == '-';
        if (!plain)
            return is_email(s);
    }
    return s.n > 0;
}

/* rest-api.md §6.1: type decides; without it a subscriberId, then a topicKey. */
static bool is_topic(yyjson_val *v)
{
    if (str_eqz(json_get_str(v, "type"), "Topic"))
        return true;
    return yyjson_is_obj(v) && !json_get(v, "subscriberId") && json_get(v, "topicKey");
}

static struct str single_id(yyjson_val *v)
{
    return str_trim(yyjson_is_str(v) ? json_str(v) : json_get_str(v, "subscriberId"));
}

static bool id_valid(struct str id, bool strict)
{
    return subscriber_id_valid(id) && (!strict || recipient_id_strict(id));
}

static bool topic_valid(yyjson_val *v)
{
    return recipient_id_strict(str_trim(json_get_str(v, "topicKey")));
}

/* *bad: how many fields are of the wrong type, with messages. They are left out; the rest counts. */
static bool read_with_fields(struct arena *a, yyjson_val *v, bool strict, struct recipient *r, struct str messages[SUBSCRIBER_FIELDS],
                             size_t *bad)
{
    *r = (struct recipient){.value = v};
    *bad = yyjson_is_obj(v) ? subscriber_patch_read(a, v, &r->patch, messages) : 0;
    if (yyjson_is_str(v))
        r->patch.subscriber_id = single_id(v);
    return id_valid(r->patch.subscriber_id, strict);
}

bool recipient_read(struct arena *a, yyjson_val *v, bool strict, struct recipient *r)
{
    struct str messages[SUBSCRIBER_FIELDS];
    size_t bad;
    return read_with_fields(a, v, strict, r, messages, &bad);
}

static bool entry_valid(yyjson_val *v, bool strict)
{
    return is_topic(v) ? topic_valid(v) : id_valid(single_id(v), strict);
}

bool recipients_any(yyjson_val *to, bool strict)
{
    yyjson_val *v;
    if (!yyjson_is_arr(to))
        return entry_valid(to, strict);
    yyjson_arr_iter it = yyjson_arr_iter_with(to);
    while ((v = yyjson_arr_iter_next(&it)))
        if (entry_valid(v, strict))
            return true;
    return false;
}

/* --- reading all ------------------------------------------------------------------------------------------- */

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

static int text_compare(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Of each id the last entry, at the place of the first. */
static size_t singles_unique(struct recipient *list, size_t n)
{
    size_t unique = 0;
    if (n > 1)
        qsort(list, n, sizeof *list, recipient_compare);
    for (size_t i = 0; i < n; i++) {
        if (unique && str_eq(list[unique - 1].patch.subscriber_id, list[i].patch.subscriber_id)) {
            list[unique - 1].patch = list[i].patch;
            list[unique - 1].value = list[i].value;
        } else {
            list[unique++] = list[i];
        }
    }
    if (unique > 1)
        qsort(list, unique, sizeof *list, position_compare);
    return unique;
}

static size_t texts_unique(struct str *list, size_t n)
{
    size_t unique = 0;
    if (n > 1)
        qsort(list, n, sizeof *list, text_compare);
    for (size_t i = 0; i < n; i++)
        if (!unique || !str_eq(list[unique - 1], list[i]))
            list[unique++] = list[i];
    return unique;
}

struct reader {
    struct arena *arena;
    struct recipients *out;
    size_t topics_cap, excluded_cap, problems_cap;
};

static void problem(struct reader *r, const char *what, yyjson_val *v)
{
    struct str text = json_write(r->arena, v);
    size_t n = text.n > 300 ? 300 : text.n;
    while (n < text.n && (text.p[n] & 0xc0) == 0x80)
        n--;
    *ARENA_SLOT(r->arena, r->out->problems, r->out->problems_n, r->problems_cap) =
        str_fmt(r->arena, "%s: %.*s", what, (int)n, text.p);
}

static void read_topic(struct reader *r, yyjson_val *v)
{
    yyjson_val *x;
    yyjson_arr_iter it = yyjson_arr_iter_with(json_get(v, "exclude"));
    if (!topic_valid(v)) {
        problem(r, "Invalid topic key", v);
        return;
    }
    *ARENA_SLOT(r->arena, r->out->topics, r->out->topics_n, r->topics_cap) = str_trim(json_get_str(v, "topicKey"));
    while ((x = yyjson_arr_iter_next(&it)))
        if (yyjson_is_str(x))
            *ARENA_SLOT(r->arena, r->out->excluded, r->out->excluded_n, r->excluded_cap) = str_trim(json_str(x));
}

static void read_single(struct reader *r, yyjson_val *v, size_t at, bool strict)
{
    struct recipient *x = &r->out->singles[r->out->singles_n];
    struct str messages[SUBSCRIBER_FIELDS];
    size_t bad;
    if (!read_with_fields(r->arena, v, strict, x, messages, &bad)) {
        problem(r, "Invalid subscriberId", v);
        return;
    }
    x->at = at;
    r->out->singles_n++;
    for (size_t i = 0; i < bad; i++)
        *ARENA_SLOT(r->arena, r->out->problems, r->out->problems_n, r->problems_cap) =
            str_fmt(r->arena, "Subscriber %.*s: %.*s", STR_ARG(x->patch.subscriber_id), STR_ARG(messages[i]));
}

void recipients_read(struct arena *a, yyjson_val *to, bool strict, struct recipients *out)
{
    struct reader r = {.arena = a, .out = out};
    yyjson_val *v;
    bool many = yyjson_is_arr(to);
    yyjson_arr_iter it = yyjson_arr_iter_with(to);
    *out = (struct recipients){.singles = ARENA_ARRAY(a, struct recipient, many ? yyjson_arr_size(to) : 1)};
    for (size_t at = 0; (v = many ? yyjson_arr_iter_next(&it) : at == 0 ? to : NULL); at++) {
        if (is_topic(v))
            read_topic(&r, v);
        else
            read_single(&r, v, at, strict);
    }
    out->singles_n = singles_unique(out->singles, out->singles_n);
    out->topics_n = texts_unique(out->topics, out->topics_n);
    out->excluded_n = texts_unique(out->excluded, out->excluded_n);
}

bool recipients_exclude(const struct recipients *r, struct str subscriber_id)
{
    return r->excluded_n && bsearch(&subscriber_id, r->excluded, r->excluded_n, sizeof *r->excluded, text_compare) != NULL;
}
