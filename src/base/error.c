/* Errors as values. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

static bool fill(struct error *e, enum error_code code, int status, const char *fmt, va_list ap)
{
    if (!e)
        return false;
    *e = (struct error){.code = code, .status = status};
    int n = vsnprintf(e->message, sizeof e->message, fmt, ap);
    if (n >= (int)sizeof e->message)        /* cut, but not through a character: messages go into JSON */
        e->message[str_cut((struct str){e->message, sizeof e->message}, sizeof e->message - 4).n] = 0;
    return false;
}

bool error_set(struct error *e, enum error_code code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(e, code, 0, fmt, ap);
    va_end(ap);
    return false;
}

static enum error_code code_of_status(int status)
{
    switch (status) {
    case 401: case 403: return ERROR_AUTH;
    case 404: return ERROR_NOT_FOUND;
    case 409: return ERROR_CONFLICT;
    case 413: return ERROR_TOO_LARGE;
    case 503: return ERROR_OVERLOAD;
    default: return status < 500 ? ERROR_BAD_INPUT : ERROR_INTERNAL;
    }
}

bool error_http(struct error *e, int status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fill(e, code_of_status(status), status, fmt, ap);
    va_end(ap);
    return false;
}

bool error_field(struct error *e, const char *field)
{
    if (e)
        snprintf(e->field, sizeof e->field, "%s", field);
    return false;
}

int error_status(const struct error *e)
{
    if (e->status)
        return e->status;
    switch (e->code) {
    case ERROR_NONE: return 200;
    case ERROR_BAD_INPUT: return 400;
    case ERROR_AUTH: return 401;
    case ERROR_NOT_FOUND: return 404;
    case ERROR_CONFLICT: return 409;
    case ERROR_TOO_LARGE: return 413;
    case ERROR_OVERLOAD: case ERROR_BUSY: case ERROR_FULL: return 503;
    case ERROR_IO: case ERROR_INTERNAL: break;
    }
    return 500;
}
