/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See error.h. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>

G_DEFINE_QUARK(kiln-error-quark, kiln_error)

gboolean
kiln_error_set(GError **error, KilnErrorCode code, const char *format, ...)
{
    va_list args;

    if (error != NULL) {
        va_start(args, format);
        *error = g_error_new_valist(KILN_ERROR, (int)code, format, args);
        va_end(args);
    }
    return FALSE;
}

static KilnErrorCode
code_of_errno(int errnum)
{
    switch (errnum) {
    case EACCES:
    case EPERM: return KILN_ERROR_PERMISSION;
    case ENOENT: return KILN_ERROR_NOT_FOUND;
    case EEXIST:
    case EADDRINUSE: return KILN_ERROR_EXISTS;
    default: return KILN_ERROR_SYSTEM;
    }
}

gboolean
kiln_error_set_errno(GError **error, int errnum, const char *format, ...)
{
    g_autofree char *what = NULL;
    va_list args;

    if (error == NULL)
        return FALSE;
    va_start(args, format);
    what = g_strdup_vprintf(format, args);
    va_end(args);
    return kiln_error_set(error, code_of_errno(errnum), "%s: %s", what, g_strerror(errnum));
}
