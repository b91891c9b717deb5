/* Whom a trigger names in `to` (engine.md §1.4, §1.5, decisions.md 8). */
#ifndef ENGINE_RECIPIENTS_H
#define ENGINE_RECIPIENTS_H

#include "base/json.h"
#include "model/subscriber.h"

struct recipient {
    struct subscriber_patch patch;
    yyjson_val *value;                  /* as it was given */
    size_t at;                          /* position in `to` */
};

struct recipients {
    struct recipient *singles;          /* each subscriberId once: the last entry, at the place of the first */
    size_t singles_n;
    struct str *topics;                 /* keys, each once, in order of their texts */
    size_t topics_n;
    struct str *excluded;               /* subscriberIds that no topic reaches, sorted, each once */
    size_t excluded_n;
    struct str *problems;               /* one sentence for each entry, or field of one, that is left out */
    size_t problems_n;
};

/* strict: a subscriberId must match upstream's expression (decisions.md 8), not only be storable. */
void recipients_read(struct arena *a, yyjson_val *to, bool strict, struct recipients *out);
/* Is anybody left? */
bool recipients_any(yyjson_val *to, bool strict);
/* One subscriber: an id or an object. */
bool recipient_read(struct arena *a, yyjson_val *v, bool strict, struct recipient *r);
bool recipients_exclude(const struct recipients *r, struct str subscriber_id);

/* ^[a-zA-Z0-9_:.-]+$ or ^\S+@\S+\.\S+$: topic keys always, subscriberIds with the strict switch. */
bool recipient_id_strict(struct str s);

#endif
