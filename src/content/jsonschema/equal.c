/* Equality of JSON values as JSON Schema has it: 1 and 1.0 are the same, members have no order. */
#include "content/jsonschema/schema.h"

/* 64 bits of mantissa hold every integer that JSON text gives us exactly. */
long double json_number(yyjson_mut_val *v)
{
    return yyjson_mut_is_uint(v) ? (long double)yyjson_mut_get_uint(v) :
           yyjson_mut_is_sint(v) ? (long double)yyjson_mut_get_sint(v) : (long double)yyjson_mut_get_real(v);
}

static yyjson_mut_val *member(yyjson_mut_val *obj, yyjson_mut_val *key)
{
    return yyjson_mut_obj_getn(obj, yyjson_mut_get_str(key), yyjson_mut_get_len(key));
}

/* Recursion is bounded by JSON_DEPTH_MAX, the nesting of any parsed value. */
bool json_same(struct run *r, yyjson_mut_val *a, yyjson_mut_val *b)
{
    size_t i, n;
    yyjson_mut_val *key, *v;
    if (!schema_work(r, 1) || yyjson_mut_get_type(a) != yyjson_mut_get_type(b))
        return false;
    switch (yyjson_mut_get_type(a)) {
    case YYJSON_TYPE_NULL: return true;
    case YYJSON_TYPE_BOOL: return yyjson_mut_get_bool(a) == yyjson_mut_get_bool(b);
    case YYJSON_TYPE_NUM: return json_number(a) == json_number(b);
    case YYJSON_TYPE_STR:
        return yyjson_mut_get_len(a) == yyjson_mut_get_len(b) &&
               !memcmp(yyjson_mut_get_str(a), yyjson_mut_get_str(b), yyjson_mut_get_len(a));
    case YYJSON_TYPE_ARR: {
        if (yyjson_mut_arr_size(a) != yyjson_mut_arr_size(b))
            return false;
        yyjson_mut_arr_iter other = yyjson_mut_arr_iter_with(b);
        yyjson_mut_arr_foreach(a, i, n, v)
            if (!json_same(r, v, yyjson_mut_arr_iter_next(&other)))
                return false;
        return true;
    }
    case YYJSON_TYPE_OBJ:
        if (yyjson_mut_obj_size(a) != yyjson_mut_obj_size(b) || !schema_work(r, (int64_t)yyjson_mut_obj_size(a)))
            return false;
        yyjson_mut_obj_foreach(a, i, n, key, v) {
            yyjson_mut_val *other = member(b, key);
            if (!other || !schema_work(r, (int64_t)(n / 4)) || !json_same(r, v, other))
                return false;
        }
        return true;
    default: return false;
    }
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static uint64_t bytes_hash(const char *p, size_t n)
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * 1099511628211u;
    return h;
}

/* Same values, same hash. */
uint64_t json_hash(struct run *r, yyjson_mut_val *v)
{
    size_t i, n;
    yyjson_mut_val *key, *m;
    uint64_t h = yyjson_mut_get_type(v), sum = 0;
    schema_work(r, 1);
    switch (yyjson_mut_get_type(v)) {
    case YYJSON_TYPE_BOOL: return mix(h, yyjson_mut_get_bool(v));
    case YYJSON_TYPE_NUM: {
        double d = (double)json_number(v) + 0.0;        /* -0 is 0 */
        uint64_t bits = 0;
        memcpy(&bits, &d, sizeof bits);
        return mix(h, d == 0 ? 0 : bits);
    }
    case YYJSON_TYPE_STR: return mix(h, bytes_hash(yyjson_mut_get_str(v), yyjson_mut_get_len(v)));
    case YYJSON_TYPE_ARR:
        yyjson_mut_arr_foreach(v, i, n, m)
            h = mix(h, json_hash(r, m));
        return h;
    case YYJSON_TYPE_OBJ:
        yyjson_mut_obj_foreach(v, i, n, key, m)
            sum += mix(bytes_hash(yyjson_mut_get_str(key), yyjson_mut_get_len(key)), json_hash(r, m));
        return mix(h, sum);
    default: return h;
    }
}
