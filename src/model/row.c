/* The helpers of row.h that are too long for a header. */
#include "model/row.h"

struct str row_contains(struct arena *a, struct str s)
{
    struct buf b = {.arena = a};
    buf_char(&b, '%');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%' || s.p[i] == '_' || s.p[i] == '\\')
            buf_char(&b, '\\');
        buf_char(&b, s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i]);
    }
    buf_char(&b, '%');
    return buf_finish(&b);
}
