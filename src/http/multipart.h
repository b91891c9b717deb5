/* multipart/form-data bodies (RFC 7578): forms with files, as browsers and SDKs upload them. */
#ifndef HTTP_MULTIPART_H
#define HTTP_MULTIPART_H

#include "base/error.h"
#include "base/str.h"

enum { MULTIPART_PARTS_MAX = 1000, MULTIPART_HEAD_MAX = 8192 };

struct multipart_part {
    struct str name;
    struct str filename;        /* p NULL: not a file */
    struct str content_type;    /* empty: none given */
    struct str body;            /* points into the request's body */
};

/* content_type: the request's header, with the boundary. Errors (400): no boundary, a part without end or name, too many
 * parts, a part's head beyond MULTIPART_HEAD_MAX. What stands before the first and after the last boundary is ignored. */
bool multipart_parse(struct arena *a, struct str content_type, struct str body, struct multipart_part **parts, size_t *n,
                     struct error *err);

#endif
