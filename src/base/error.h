/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errors of the host and the user: GError in one domain, with codes that the command line and the
 * libvirt driver can tell apart.  A message is a sentence fragment that names its object, values in
 * single quotes, with no full stop: "disk '/a.img': cannot open: Permission denied".
 */
#ifndef KILN_BASE_ERROR_H
#define KILN_BASE_ERROR_H

#include <glib.h>

#define KILN_ERROR (kiln_error_quark())
GQuark kiln_error_quark(void);

/**
 * KilnErrorCode:
 * @KILN_ERROR_FAILED: an operation failed for a reason that its message gives
 * @KILN_ERROR_SYSTEM: a system call failed; the message ends in the text of errno
 * @KILN_ERROR_XML: the document is not well-formed or not a domain definition
 * @KILN_ERROR_UNSUPPORTED: the document asks for what this kiln cannot do
 * @KILN_ERROR_INVALID: an argument or a file's content is not acceptable
 * @KILN_ERROR_NOT_FOUND: there is no such guest, file or object
 * @KILN_ERROR_EXISTS: a guest or object of that name is there already
 * @KILN_ERROR_PERMISSION: the user may not
 * @KILN_ERROR_STATE: the guest is not in a state in which this can be done
 * @KILN_ERROR_KVM: /dev/kvm is missing, forbidden, or lacks what is needed
 */
typedef enum {
    KILN_ERROR_FAILED,
    KILN_ERROR_SYSTEM,
    KILN_ERROR_XML,
    KILN_ERROR_UNSUPPORTED,
    KILN_ERROR_INVALID,
    KILN_ERROR_NOT_FOUND,
    KILN_ERROR_EXISTS,
    KILN_ERROR_PERMISSION,
    KILN_ERROR_STATE,
    KILN_ERROR_KVM,
} KilnErrorCode;

/**
 * kiln_error_set:
 * @error: (nullable) (out): where the error goes
 * @code: what kind of failure
 * @format: printf format of the message
 *
 * Always returns FALSE, so that a function can end in `return kiln_error_set(...)`.
 */
gboolean kiln_error_set(GError **error, KilnErrorCode code, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/**
 * kiln_error_set_errno:
 * @error: (nullable) (out): where the error goes
 * @errnum: the errno of the failed call, saved by the caller before any other call
 * @format: printf format of what was tried; ": " and the errno's text are appended
 *
 * The code is @KILN_ERROR_PERMISSION for EACCES and EPERM, @KILN_ERROR_NOT_FOUND for ENOENT,
 * @KILN_ERROR_EXISTS for EEXIST and EADDRINUSE, else @KILN_ERROR_SYSTEM.
 *
 * Always returns FALSE.
 */
gboolean kiln_error_set_errno(GError **error, int errnum, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

#endif
