/* English plural and singular as npm pluralize 8.0.0 forms them: exceptions, words without a plural, endings.
 *
 * An ending rule is a list of stems and a list of ends; what is found replaces stem + end by stem + `with`. Stems and
 * ends are separated by spaces; in them [..] is one character of a set ([^..] not of it), a leading ^ means the start
 * of the text, < a word boundary, % one character that is no word character, and _ stands for nothing at all.
 * A rule is only tried on words whose last letter is in the set `last`: of what the ends, or stems without one, end in.
 */
#include "content/liquid/liquid_private.h"

#include <stdlib.h>

struct ending { const char *stems, *ends, *with; uint32_t last; };

#define IN(c) ((uint32_t)1 << ((c) & 31))
#define ANY UINT32_MAX

/* The first rule that matches decides. */
static const char same_stems[] = "pokemon pokémon [^aeiou]ese deer fish measles ois ous pox sheep";

static const char us_stems[] = "alumn syllab vir radi nucle fung cact stimul termin bacill foc uter loc strat";
static const char on_stems[] = "apheli hyperbat periheli asyndet noumen phenomen criteri organ prolegomen hedr automat";

static const struct ending plurals[] = {
    {same_stems, "_", "", IN('n') | IN('e') | IN('r') | IN('h') | IN('s') | IN('x') | IN('p')},
    {"^", "thou", "you", IN('u')},
    {"_", "man men", "men", IN('n')},
    {"eaux", "_", "", IN('x')},
    {"child", "ren _", "ren", IN('n') | IN('d')},
    {"pe", "rson ople", "ople", IN('n') | IN('e')},
    {"<m <titm <l", "ice ouse", "ice", IN('e')},
    {"matr cod mur sil vert ind append", "ix ex", "ices", IN('x')},
    {"x ch ss sh zz", "_", "es", IN('x') | IN('h') | IN('s') | IN('z')},
    {"[^ch][ieo][ln]", "ey", "ies", IN('y')},
    {"[^aeiouy] qu", "y", "ies", IN('y')},
    {"kni wi li", "fe", "ves", IN('e')},
    {"ar l ea eo oa hoo", "f", "ves", IN('f')},
    {"_", "sis", "ses", IN('s')},
    {on_stems, "a on", "a", IN('a') | IN('n')},
    {"agend addend millenni dat extrem bacteri desiderat strat candelabr errat ov symposi curricul automat quor",
     "a um", "a", IN('a') | IN('m')},
    {"her at gr", "o", "oes", IN('o')},
    {"seraph cherub", "im _", "im", IN('m') | IN('h') | IN('b')},
    {"alumn alg vertebr", "a ae", "ae", IN('a') | IN('e')},
    {us_stems, "us i", "i", IN('s') | IN('i')},
    {"[^l]ias [aeiou]las [ejzr]as [iu]am", "_", "", IN('s') | IN('m')},
    {"emu enu", "s _", "s", IN('s') | IN('u')},
    {"alias [^aou]us tlas tmas gas ris", "_", "es", IN('s')},
    {"ax test", "is", "es", IN('s')},
    {"[^aeiou]ese", "_", "", IN('e')},
    {"[!]", "_", "", ANY},
    {"_", "s _", "s", ANY},
};

static const struct ending singulars[] = {
    {same_stems, "_", "", IN('n') | IN('e') | IN('r') | IN('h') | IN('s') | IN('x') | IN('p')},
    {"_", "men", "man", IN('n')},
    {"eau", "x _", "", IN('x') | IN('u')},
    {"child", "ren", "", IN('n')},
    {"pe", "rson ople", "rson", IN('n') | IN('e')},
    {"matr append", "ices", "ix", IN('s')},
    {"cod mur sil vert ind", "ices", "ex", IN('s')},
    {"alumn alg vertebr", "ae", "a", IN('e')},
    {on_stems, "a", "on", IN('a')},
    {"agend addend millenni dat extrem bacteri desiderat strat candelabr errat ov symposi curricul quor", "a", "um", IN('a')},
    {us_stems, "us i", "us", IN('s') | IN('i')},
    {"test", "is es", "is", IN('s')},
    {"movie twelve abuse emu enu", "s", "", IN('s')},
    {"analy diagno parenthe progno synop the empha cri ne", "sis ses", "sis", IN('s')},
    {"x ch ss sh zz tto go cho alias [^aou]us tlas tmas gas hero ato gro [aeiou]ris",
     "es _", "", IN('s') | IN('x') | IN('h') | IN('z') | IN('o')},
    {"seraph cherub", "im", "", IN('m')},
    {"<m <titm <l", "ice", "ouse", IN('e')},
    {"<mon <smil", "ies", "ey", IN('s')},
    {"<p <l <zomb <t <neckt <crosst <coll <faer <food <gen <goon <group <lass <talk <goal <cut", "ies", "ie", IN('s')},
    {"_", "ies", "y", IN('s')},
    {"ar wol al el eo ea oo oa", "ves", "f", IN('s')},
    {"wi kni afterli halfli highli lowli midli nonli nightli %li ^li", "ves", "fe", IN('s')},
    {"ss", "_", "", IN('s')},
    {"_", "s", "", IN('s')},
};

static const char *const exceptions[][2] = {
    {"i", "we"}, {"me", "us"}, {"he", "they"}, {"she", "they"}, {"them", "them"}, {"myself", "ourselves"},
    {"yourself", "yourselves"}, {"itself", "themselves"}, {"herself", "themselves"}, {"himself", "themselves"},
    {"themself", "themselves"}, {"is", "are"}, {"was", "were"}, {"has", "have"}, {"this", "these"}, {"that", "those"},
    {"echo", "echoes"}, {"dingo", "dingoes"}, {"volcano", "volcanoes"}, {"tornado", "tornadoes"},
    {"torpedo", "torpedoes"}, {"genus", "genera"}, {"viscus", "viscera"}, {"stigma", "stigmata"}, {"stoma", "stomata"},
    {"dogma", "dogmata"}, {"lemma", "lemmata"}, {"schema", "schemata"}, {"anathema", "anathemata"}, {"ox", "oxen"},
    {"axe", "axes"}, {"die", "dice"}, {"yes", "yeses"}, {"foot", "feet"}, {"eave", "eaves"}, {"goose", "geese"},
    {"tooth", "teeth"}, {"quiz", "quizzes"}, {"human", "humans"}, {"proof", "proofs"}, {"carve", "carves"},
    {"valve", "valves"}, {"looey", "looies"}, {"thief", "thieves"}, {"groove", "grooves"}, {"pickaxe", "pickaxes"},
    {"passerby", "passersby"},
};

/* Sorted. */
static const char *const uncountable[] = {
    "adulthood", "advice", "agenda", "aid", "aircraft", "alcohol", "ammo", "analytics", "anime", "athletics", "audio", "bison",
    "blood", "bream", "buffalo", "butter", "carp", "cash", "chassis", "chess", "clothing", "cod", "commerce", "cooperation",
    "corps", "debris", "diabetes", "digestion", "elk", "energy", "equipment", "excretion", "expertise", "firmware", "flounder",
    "fun", "gallows", "garbage", "graffiti", "hardware", "headquarters", "health", "herpes", "highjinks", "homework",
    "housework", "information", "jeans", "justice", "kudos", "labour", "literature", "machinery", "mackerel", "mail", "manga",
    "media", "mews", "moose", "mud", "music", "news", "only", "personnel", "pike", "plankton", "pliers", "police", "pollution",
    "premises", "rain", "research", "rice", "salmon", "scissors", "series", "sewage", "shambles", "shrimp", "software",
    "species", "staff", "swine", "tennis", "traffic", "transportation", "trout", "tuna", "wealth", "welfare", "whiting",
    "wildebeest", "wildlife", "you",
};

static bool word_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool set_has(struct str set, struct str character)
{
    if (set.n && set.p[0] == '!')
        return (unsigned char)character.p[0] >= 0x80;       /* anything outside of ASCII */
    bool negated = set.n && set.p[0] == '^', found = false;
    for (size_t i = negated; i < set.n && character.n == 1; i++)
        found |= set.p[i] == lower(character.p[0]);
    return found != negated;
}

/* Does the pattern end at `end` of word? The start of what it covers, or -1. */
static ptrdiff_t match_before(struct str word, size_t end, struct str pattern)
{
    size_t at = end;
    if (pattern.n == 1 && pattern.p[0] == '_')
        return (ptrdiff_t)end;
    for (size_t i = pattern.n; i-- > 0;) {
        char c = pattern.p[i];
        if (c == '^' && i == 0)
            return at == 0 ? 0 : -1;
        if (c == '<')
            return at < word.n && word_char(word.p[at]) != (at > 0 && word_char(word.p[at - 1])) ? (ptrdiff_t)at : -1;
        if (at == 0)
            return -1;
        size_t from = at - 1;
        while (from > 0 && (c == ']' || c == '%') && ((unsigned char)word.p[from] & 0xc0) == 0x80)
            from--;
        if (c == ']') {
            size_t open = i;
            while (pattern.p[open] != '[')
                open--;
            if (!set_has(str_sub(pattern, open + 1, i), str_sub(word, from, at)))
                return -1;
            i = open;
        } else if (c == '%' ? word_char(word.p[from]) : lower(word.p[from]) != c) {
            return -1;
        }
        at = from;
    }
    return (ptrdiff_t)at;
}

static struct str next_pattern(const char **p)
{
    const char *from = *p, *end = from;
    while (*end && *end != ' ')
        end++;
    *p = *end ? end + 1 : end;
    return (struct str){from, (size_t)(end - from)};
}

struct found { size_t start, stem_end; bool hit; };

/* Of several matches the one that starts first, as a regular expression finds it. */
static struct found ending_find(const struct ending *e, struct str word)
{
    struct found best = {0};
    for (const char *ends = e->ends; *ends;) {
        struct str end = next_pattern(&ends);
        ptrdiff_t cut = match_before(word, word.n, end);
        for (const char *stems = e->stems; cut >= 0 && *stems;) {
            struct str stem = next_pattern(&stems);
            ptrdiff_t start = match_before(word, (size_t)cut, stem);
            if (start >= 0 && (!best.hit || (size_t)start < best.start))
                best = (struct found){(size_t)start, (size_t)cut, true};
        }
    }
    return best;
}

/* Gives `text` the case of `model`: lower, UPPER or Title. */
static struct str like(struct render *r, struct str model, struct str text)
{
    if (str_eq(model, text))
        return text;
    if (str_eq(model, text_case(r, model, TEXT_LOWER)))
        return text_case(r, text, TEXT_LOWER);
    if (str_eq(model, text_case(r, model, TEXT_UPPER)))
        return text_case(r, text, TEXT_UPPER);
    size_t n = 0, m = 0;
    if (model.n && text.n) {
        text_decode(model, 0, &n);
        text_decode(text, 0, &m);
        struct str first = str_sub(model, 0, n);
        if (str_eq(first, text_case(r, first, TEXT_UPPER)))
            return filter_concat(r, text_case(r, str_sub(text, 0, m), TEXT_UPPER), text_case(r, str_sub(text, m, text.n), TEXT_LOWER));
    }
    return text_case(r, text, TEXT_LOWER);
}

static struct str apply(struct render *r, const struct ending *e, const struct found *f, struct str word)
{
    struct str match = str_sub(word, f->start, word.n);
    struct str result = filter_concat(r, str_sub(word, f->start, f->stem_end), str_of(e->with));
    struct str model = match;
    if (!match.n) {
        size_t k = word.n - 1;
        while (k > 0 && ((unsigned char)word.p[k] & 0xc0) == 0x80)
            k--;
        model = str_sub(word, k, word.n);
    }
    return filter_concat(r, str_sub(word, 0, f->start), like(r, model, result));
}

static int word_order(const void *key, const void *item)
{
    const struct str *word = key, other = str_of(*(const char *const *)item);
    int order = memcmp(word->p, other.p, word->n < other.n ? word->n : other.n);
    return order ? order : word->n < other.n ? -1 : word->n > other.n;
}

static bool is_uncountable(struct str token)
{
    return bsearch(&token, uncountable, sizeof uncountable / sizeof *uncountable, sizeof *uncountable, word_order);
}

/* The word in the other form, if it is an exception: already in the wanted one, or of the last of those that share a form. */
static const char *exception_find(struct str token, bool one)
{
    enum { LONGEST = 10 };
    if (token.n > LONGEST)
        return NULL;
    for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++)
        if (exceptions[i][!one][0] == token.p[0] && str_eqz(token, exceptions[i][!one]))
            return exceptions[i][!one];
    for (size_t i = sizeof exceptions / sizeof *exceptions; i-- > 0;)
        if (exceptions[i][one][0] == token.p[0] && str_eqz(token, exceptions[i][one]))
            return exceptions[i][!one];
    return NULL;
}

struct str plural_word(struct render *r, struct str word, double count)
{
    bool one = count == 1;
    const struct ending *rules = one ? singulars : plurals;
    size_t n = one ? sizeof singulars / sizeof *singulars : sizeof plurals / sizeof *plurals;
    if (!word.n || !render_work(r, 40))
        return word;
    struct str token = text_case(r, word, TEXT_LOWER);
    const char *exception = exception_find(token, one);
    if (exception)
        return like(r, word, str_of(exception));
    if (is_uncountable(token))
        return word;
    uint32_t last = (unsigned char)word.p[word.n - 1] < 0x80 ? IN(word.p[word.n - 1]) : ANY;
    for (size_t i = 0; i < n; i++) {
        if (!(rules[i].last & last))
            continue;
        struct found f = ending_find(&rules[i], word);
        if (f.hit)
            return apply(r, &rules[i], &f, word);
    }
    return word;
}
