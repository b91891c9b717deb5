/* The regular expressions that need no engine: anchored rows of ASCII classes with counts in which every byte decides by
 * itself how to go on, such as ^[A-Z]{2}-[0-9]{6}$. */
#include "content/jsonschema/plain_pattern.h"

enum { STEPS_MAX = 64, COUNT_MAX = 60000 };

struct plain_step {
    uint64_t set[2];            /* of bytes below 128 */
    uint32_t least, most;
};

struct plain_pattern {
    bool to_end;                /* $ */
    size_t n;
    struct plain_step steps[];
};

static void set_add(struct plain_step *step, unsigned from, unsigned to)
{
    for (unsigned c = from; c <= to; c++)
        step->set[c >> 6] |= (uint64_t)1 << (c & 63);
}

static bool set_has(const struct plain_step *step, unsigned char c)
{
    return c < 128 && step->set[c >> 6] >> (c & 63) & 1;
}

/* Behind a backslash; c is the character itself, or -1 for a class, which is added. */
static bool escape_read(struct str s, size_t *at, struct plain_step *step, int *c)
{
    if (*at == s.n)
        return false;
    *c = (unsigned char)s.p[(*at)++];
    if (*c == 'd' || *c == 'w') {
        set_add(step, '0', '9');
        if (*c == 'w') {
            set_add(step, 'a', 'z');
            set_add(step, 'A', 'Z');
            set_add(step, '_', '_');
        }
        *c = -1;
        return true;
    }
    return *c && strchr("^$\\.*+?()[]{}|/-", *c);
}

static bool member_read(struct str s, size_t *at, struct plain_step *step, int *c)
{
    *c = (unsigned char)s.p[(*at)++];
    return *c == '\\' ? escape_read(s, at, step, c) : *c && *c < 128;
}

static bool class_read(struct str s, size_t *at, struct plain_step *step)
{
    size_t start = *at;
    if (*at < s.n && s.p[*at] == '^')
        return false;
    while (*at < s.n && s.p[*at] != ']') {
        int from, to;
        if (!member_read(s, at, step, &from))
            return false;
        to = from;
        if (*at + 1 < s.n && s.p[*at] == '-' && s.p[*at + 1] != ']') {
            ++*at;
            if (from < 0 || !member_read(s, at, step, &to) || to < from)
                return false;
        }
        if (from >= 0)
            set_add(step, (unsigned)from, (unsigned)to);
    }
    return *at > start && (*at)++ < s.n;
}

static bool atom_read(struct str s, size_t *at, struct plain_step *step)
{
    int c = (unsigned char)s.p[(*at)++];
    if (c == '[')
        return class_read(s, at, step);
    if (c == '\\' ? !escape_read(s, at, step, &c) : !c || c >= 128 || strchr("^$.*+?(){}]|", c))
        return false;
    if (c >= 0)
        set_add(step, (unsigned)c, (unsigned)c);
    return true;
}

static bool number_read(struct str s, size_t *at, uint32_t *out)
{
    size_t start = *at;
    for (*out = 0; *at < s.n && s.p[*at] >= '0' && s.p[*at] <= '9' && *out < COUNT_MAX; ++*at)
        *out = *out * 10 + (uint32_t)(s.p[*at] - '0');
    return *at > start && *out < COUNT_MAX;
}

static bool count_read(struct str s, size_t *at, struct plain_step *step)
{
    char c = *at < s.n ? s.p[*at] : 0;
    step->least = step->most = 1;
    if (!c || !strchr("?*+{", c))
        return true;
    ++*at;
    step->least = c == '+';
    step->most = c == '?' ? 1 : UINT32_MAX;
    if (c == '{') {
        if (!number_read(s, at, &step->least))
            return false;
        step->most = step->least;
        if (*at < s.n && s.p[*at] == ',') {
            step->most = UINT32_MAX;
            if (++*at < s.n && s.p[*at] != '}' && !number_read(s, at, &step->most))
                return false;
        }
        if (*at == s.n || s.p[(*at)++] != '}' || step->most < step->least)
            return false;
    }
    return *at == s.n || !strchr("?*+{", s.p[*at]);
}

/* No byte may both go on with a step and begin what comes after it. */
static bool is_decided(const struct plain_step *steps, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n && steps[i].least < steps[i].most; k++) {
            if ((steps[i].set[0] & steps[k].set[0]) || (steps[i].set[1] & steps[k].set[1]))
                return false;
            if (steps[k].least)
                break;
        }
    return true;
}

const struct plain_pattern *plain_pattern_make(struct arena *a, struct str s)
{
    struct plain_step steps[STEPS_MAX] = {0};
    size_t at = 1, n = 0;
    bool to_end = false;
    if (!s.n || s.p[0] != '^')
        return NULL;
    while (at < s.n) {
        if (s.p[at] == '$' && at + 1 == s.n) {
            to_end = true;
            break;
        }
        if (n == STEPS_MAX || !atom_read(s, &at, &steps[n]) || !count_read(s, &at, &steps[n]))
            return NULL;
        n++;
    }
    if (!is_decided(steps, n))
        return NULL;
    struct plain_pattern *p = arena_alloc(a, sizeof *p + n * sizeof *steps);
    p->to_end = to_end;
    p->n = n;
    memcpy(p->steps, steps, n * sizeof *steps);
    return p;
}

bool plain_pattern_matches(const struct plain_pattern *p, struct str s)
{
    size_t i = 0;
    for (const struct plain_step *step = p->steps; step < p->steps + p->n; step++) {
        size_t end = step->most < s.n - i ? i + step->most : s.n, from = i;
        while (i < end && set_has(step, (unsigned char)s.p[i]))
            i++;
        if (i - from < step->least)
            return false;
    }
    return i == s.n || !p->to_end;
}
