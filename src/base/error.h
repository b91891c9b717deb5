/* Why something failed, as a value.
 *
 * A function that can fail returns bool (or NULL) and fills the struct error it was given. The caller
 * passes it up or answers with it; nobody prints it on the way. It owns nothing: texts are copied into it,
 * `details` points to JSON text in the arena of whoever made it.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

#include "base/str.h"

enum error_code {
    ERROR_NONE = 0,
    ERROR_BAD_INPUT,    /* 400, 422: the caller's mistake */
    ERROR_AUTH,         /* 401, 403 */
    ERROR_NOT_FOUND,    /* 404 */
    ERROR_CONFLICT,     /* 409: also a broken unique constraint of the store */
    ERROR_TOO_LARGE,    /* 413 */
    ERROR_OVERLOAD,     /* 503: a queue is full, try later */
    ERROR_BUSY,         /* the store is locked or used by another process */
    ERROR_FULL,         /* disk full */
    ERROR_IO,           /* the world failed: disk, network, a library */
    ERROR_INTERNAL,     /* a broken invariant of ours */
};

struct error {
    enum error_code code;
    int status;               /* HTTP status to answer with; 0: by code */
    char message[480];        /* one sentence, no secrets: it reaches clients */
    char field[96];           /* dotted path of the offending member, or "" */
    struct str details;       /* JSON object merged into the error body and repeated as `ctx`, or empty */
};

/* Fills e and returns false, so that callers can `return error_set(…)`. e may be NULL. */
bool error_set(struct error *e, enum error_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool error_http(struct error *e, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Sets the field of an error that is already filled; returns false. */
bool error_field(struct error *e, const char *field);
/* The HTTP status to answer with. */
int error_status(const struct error *e);

#endif
