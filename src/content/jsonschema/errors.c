/* What is told about a refused value: ajv's messages and paths, and Novu's answer made of them. */
#include "content/jsonschema/schema.h"

#include <stdio.h>

static void step_add(struct buf *b, const struct place *p, bool is_schema)
{
    static const char hex[] = "0123456789ABCDEF";
    if (p->kind == PLACE_INDEX) {
        buf_fmt(b, "/%zu", p->index);
        return;
    }
    buf_char(b, '/');
    if (p->kind == PLACE_KEYWORD)       /* "false schema" is written with its space */
        buf_str(b, p->name);
    for (size_t i = 0; p->kind == PLACE_NAME && i < p->name.n; i++) {
        unsigned char c = (unsigned char)p->name.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_.!~*'()", c);
        if (c == '~')
            buf_z(b, "~0");
        else if (c == '/')
            buf_z(b, "~1");
        else if (is_schema && !plain) {      /* a fragment of a URI: encodeURIComponent */
            buf_char(b, '%');
            buf_char(b, hex[c >> 4]);
            buf_char(b, hex[c & 15]);
        } else {
            buf_char(b, (char)c);
        }
    }
}

struct str place_text(struct arena *a, const struct place *p, bool is_schema)
{
    const struct place *steps[SCHEMA_DEPTH_MAX * 3];
    size_t n = 0;
    struct buf b = {.arena = a};
    for (; p && p->kind != PLACE_START && n < sizeof steps / sizeof *steps; p = p->up)
        steps[n++] = p;
    if (p && p->kind == PLACE_START)
        buf_str(&b, p->name);
    while (n)
        step_add(&b, steps[--n], is_schema);
    return b.p ? buf_get(&b) : STR("");
}

/* Notes one error at the keyword of c; always false, as what fails. */
bool schema_error(struct check *c, yyjson_mut_val *params, struct str missing, const char *fmt, ...)
{
    struct run *r = c->run;
    va_list ap;
    if (r->errors_n == SCHEMA_ERRORS_MAX || r->failed)
        return false;
    if (r->errors_n == r->errors_cap) {
        size_t cap = r->errors_cap ? r->errors_cap * 2 : 8;
        r->errors = arena_grow(r->arena, r->errors, r->errors_cap * sizeof *r->errors, cap * sizeof *r->errors);
        r->errors_cap = cap;
    }
    struct str name = c->keyword ? str_of(c->keyword->type->name) : STR("false schema");
    struct place here = {.up = c->schema, .name = name, .kind = PLACE_KEYWORD};
    va_start(ap, fmt);
    r->errors[r->errors_n++] = (struct jsonschema_error){
        .instance_path = place_text(r->arena, c->instance, false),
        .schema_path = place_text(r->arena, &here, true),
        .keyword = name,
        .message = str_vfmt(r->arena, fmt, ap),
        .missing = missing,
        .params = params ? params : yyjson_mut_obj(r->doc),
        .value = c->value,
    };
    va_end(ap);
    return false;
}

static yyjson_mut_val *text(yyjson_mut_doc *d, struct str s)
{
    return yyjson_mut_strn(d, s.p ? s.p : "", s.n);
}

yyjson_mut_val *jsonschema_errors_json(const struct jsonschema_result *r, yyjson_mut_doc *d)
{
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < r->errors_n; i++) {
        const struct jsonschema_error *e = &r->errors[i];
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
        yyjson_mut_obj_add_val(d, o, "instancePath", text(d, e->instance_path));
        yyjson_mut_obj_add_val(d, o, "schemaPath", text(d, e->schema_path));
        yyjson_mut_obj_add_val(d, o, "keyword", text(d, e->keyword));
        yyjson_mut_obj_add_val(d, o, "params", yyjson_mut_val_mut_copy(d, e->params));
        yyjson_mut_obj_add_val(d, o, "message", text(d, e->message));
    }
    return list;
}

yyjson_mut_val *jsonschema_errors_short(const struct jsonschema_result *r, yyjson_mut_doc *d)
{
    yyjson_mut_val *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < r->errors_n; i++) {
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, list);
        yyjson_mut_obj_add_val(d, o, "path", text(d, r->errors[i].instance_path));
        yyjson_mut_obj_add_val(d, o, "message", text(d, r->errors[i].message));
    }
    return list;
}

struct str jsonschema_error_field(struct arena *a, const struct jsonschema_error *e)
{
    struct buf b = {.arena = a};
    buf_str(&b, e->instance_path.n ? str_sub(e->instance_path, 1, e->instance_path.n) : STR("root"));
    for (size_t i = 0; i < b.n; i++)
        b.p[i] = b.p[i] == '/' ? '.' : b.p[i];
    if (e->missing.n) {
        buf_char(&b, '.');
        buf_str(&b, e->missing);
    }
    return buf_get(&b);
}

/* Values are repeated to the caller, who sent them; a large one is not. */
static yyjson_mut_val *value_shown(struct arena *a, yyjson_mut_doc *d, yyjson_mut_val *v)
{
    struct str s = json_write_mut(a, v);
    return s.n > 16384 ? yyjson_mut_null(d) : yyjson_mut_rawn(d, s.p, s.n);
}

bool jsonschema_payload_error(const struct jsonschema_result *r, yyjson_val *schema, struct arena *a, struct error *err)
{
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *details = yyjson_mut_obj(d);
    struct buf message = {.arena = a};
    json_add_str(d, details, "type", STR("PAYLOAD_VALIDATION_ERROR"));
    yyjson_mut_val *errors = json_add_arr(d, details, "errors");
    buf_z(&message, "Payload validation failed: ");
    for (size_t i = 0; i < r->errors_n; i++) {
        const struct jsonschema_error *e = &r->errors[i];
        struct str field = jsonschema_error_field(a, e);
        yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, errors);
        buf_fmt(&message, "%s%.*s: %.*s", i ? "; " : "", STR_ARG(field), STR_ARG(e->message));
        json_add_str(d, o, "field", field);
        json_add_str(d, o, "message", e->message);
        yyjson_mut_obj_add_val(d, o, "value", value_shown(a, d, e->value));
        json_add_str(d, o, "schemaPath", e->schema_path);
    }
    json_add_val(d, details, "schema", schema);
    struct str whole = buf_get(&message);
    if (whole.n >= sizeof err->message) {   /* the errors list has them all */
        whole.n = sizeof err->message - 4;
        while (whole.n && ((unsigned char)whole.p[whole.n] & 0xc0) == 0x80)
            whole.n--;
        error_http(err, 400, "%.*s...", STR_ARG(whole));
    } else {
        error_http(err, 400, "%.*s", STR_ARG(whole));
    }
    if (err)
        err->details = json_write_mut(a, details);
    return false;
}
