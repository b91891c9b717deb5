/* The metaschemas that schemas may refer to, as texts. */
#include "content/jsonschema/schema.h"

static const struct {
    const char *uri, *text;
} metaschemas[] = {
#include "content/jsonschema/metaschemas.inc"
};

struct str metaschema_text(struct str uri)
{
    for (size_t i = 0; i < sizeof metaschemas / sizeof *metaschemas; i++)
        if (str_eqz(uri, metaschemas[i].uri))
            return str_of(metaschemas[i].text);
    return STR_NULL;
}
