/* Layouts and translations as the engine uses them: compiled and parsed once, cached with the definitions
 * (content.md §4.6, §5).
 */
#ifndef ENGINE_TEXTS_H
#define ENGINE_TEXTS_H

#include "content/email.h"
#include "model/cache.h"
#include "model/translation.h"

/* The translations of one workflow or layout; n 0: none, or not switched on. */
struct resource_texts {
    bool on;                            /* isTranslationEnabled */
    struct str standard;                /* the organisation's default locale */
    struct str *locales;
    yyjson_val **contents;
    size_t n;
};

/* An e-mail's body in every language of its resource, so that no render compiles it again. */
struct body_texts {
    const struct email_body *plain;
    const struct resource_texts *texts;     /* which translated[] belongs to */
    const struct email_body **translated;   /* [0]: for readers of the default locale alone; [1 + i]: of locales[i]; NULL: it
                                             * has no keys, or there are more than BODIES_MAX locales */
};
enum { BODIES_MAX = 64 };

/* The layouts of an environment. Immutable; release with cached_unref(&l->head). */
struct environment_layouts {
    struct cached head;
    struct arena *arena;
    struct email_layout *layouts;
    struct resource_texts *texts;       /* of layouts[i] */
    struct body_texts *bodies;          /* of layouts[i] */
    size_t n;
    const struct email_layout *standard;    /* the environment's default one; NULL: there is none */
};

/* Reads a resource's translations into a; texts->on must be set. */
bool resource_texts_load(struct db *db, struct arena *a, struct id environment, enum translated type, struct str resource,
                         struct resource_texts *texts, struct error *err);
/* Uncached; with one reference. */
struct environment_layouts *environment_layouts_load(struct db *db, struct id environment, struct error *err);
struct reader_texts resource_texts_for(const struct resource_texts *t, struct str reader_locale);

void body_texts_compile(struct arena *a, const struct resource_texts *t, const struct email_body *body, struct body_texts *out);
/* The body for this reader: translated if translations are switched on and it was compiled so. */
const struct email_body *body_texts_for(const struct body_texts *b, const struct resource_texts *t, struct str reader_locale);

#endif
