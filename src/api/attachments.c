/* payload.attachments of a trigger: base64 or {type: "Buffer", data} to bytes (engine.md §1.8, rest-api.md §6.1). */
#include "api/trigger.h"

#include "base/crypto.h"

static bool buffer_decode(struct arena *a, yyjson_val *data, struct str *out)
{
    size_t n = yyjson_arr_size(data), at = 0;
    char *p = arena_alloc_raw(a, n + 1);
    yyjson_val *v;
    yyjson_arr_iter it = yyjson_arr_iter_with(data);
    while ((v = yyjson_arr_iter_next(&it))) {
        if (!yyjson_is_int(v) || yyjson_get_sint(v) < 0 || yyjson_get_sint(v) > 255)
            return false;
        p[at++] = (char)yyjson_get_sint(v);
    }
    *out = (struct str){p, at};
    return yyjson_is_arr(data);
}

static bool file_decode(struct arena *a, yyjson_val *file, struct str *out)
{
    if (yyjson_is_str(file))
        return base64_decode(a, json_str(file), out) && out->n > 0;
    return str_eqz(json_get_str(file, "type"), "Buffer") && buffer_decode(a, json_get(file, "data"), out) && out->n > 0;
}

static bool refuse(struct arena *a, size_t i, struct error *err)
{
    static const char text[] = "Each attachment must include file content as a base64-encoded string or Buffer";
    yyjson_mut_doc *d = json_doc(a);
    yyjson_mut_val *details = yyjson_mut_obj(d), *errors;
    json_add_str(d, details, "type", STR("PAYLOAD_VALIDATION_ERROR"));
    errors = json_add_arr(d, details, "errors");
    yyjson_mut_val *o = yyjson_mut_arr_add_obj(d, errors);
    json_add_str(d, o, "field", str_fmt(a, "attachments.%zu.file", i));
    json_add_str(d, o, "message", str_of(text));
    error_http(err, 400, "Payload validation failed: attachments.%zu.file: %s", i, text);
    err->details = json_write_mut(a, details);
    return false;
}

/* Without what ends a path; the file's name for its reader stays as it was given. */
static struct str path_name(struct arena *a, struct str name)
{
    char *p = str_z(a, name.n ? name : STR("file"));
    for (char *c = p; *c; c++)
        if (*c == '/' || (unsigned char)*c < 0x20)
            *c = '_';
    return str_of(p);
}

/* The attachment as it stays in the payload. */
static yyjson_mut_val *kept(struct request *rq, yyjson_mut_doc *d, yyjson_val *v, const struct attachment *x)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    yyjson_val *k;
    yyjson_obj_iter it = yyjson_obj_iter_with(v);
    while ((k = yyjson_obj_iter_next(&it)))
        if (!str_eqz(json_str(k), "file") && !str_eqz(json_str(k), "storagePath"))
            yyjson_mut_obj_add(o, yyjson_val_mut_copy(d, k), yyjson_val_mut_copy(d, yyjson_obj_iter_get_val(k)));
    json_add_str(d, o, "storagePath", attachment_path(rq->arena, rq->principal.organization, rq->principal.environment, x,
                                                      path_name(rq->arena, json_get_str(v, "name"))));
    return o;
}

bool attachments_take(struct request *rq, yyjson_val **payload, struct attachment **out, size_t *n, struct error *err)
{
    yyjson_val *list = json_get(*payload, "attachments"), *v;
    size_t sum = 0;
    *n = 0;
    *out = NULL;
    if (!yyjson_is_arr(list) || !yyjson_arr_size(list))
        return true;
    *out = ARENA_ARRAY(rq->arena, struct attachment, yyjson_arr_size(list));
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *files = yyjson_mut_arr(d), *whole = yyjson_mut_obj(d);
    yyjson_arr_iter it = yyjson_arr_iter_with(list);
    while ((v = yyjson_arr_iter_next(&it))) {
        struct attachment *x = &(*out)[*n];
        if (!file_decode(rq->arena, json_get(v, "file"), &x->bytes))
            return refuse(rq->arena, *n, err);
        sum += x->bytes.n;
        crypto_sha256(x->bytes, x->hash);
        yyjson_mut_arr_append(files, kept(rq, d, v, x));
        ++*n;
    }
    if (sum > ATTACHMENTS_BYTES_MAX)
        return error_http(err, 413, "Attachments size (%zu bytes) exceeds maximum allowed size of %d bytes (20MB).", sum,
                          ATTACHMENTS_BYTES_MAX);
    yyjson_obj_iter members = yyjson_obj_iter_with(*payload);
    while ((v = yyjson_obj_iter_next(&members)))
        if (!str_eqz(json_str(v), "attachments"))
            yyjson_mut_obj_add(whole, yyjson_val_mut_copy(d, v), yyjson_val_mut_copy(d, yyjson_obj_iter_get_val(v)));
    yyjson_mut_obj_add_val(d, whole, "attachments", files);
    return json_parse(rq->arena, json_write_mut(rq->arena, whole), payload, err);
}
