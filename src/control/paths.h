/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where running guests are found: one control socket a guest in the user's runtime directory. */
#ifndef KILN_CONTROL_PATHS_H
#define KILN_CONTROL_PATHS_H

#include <glib.h>

/**
 * kiln_control_directory:
 *
 * Returns: (transfer none): /run/libvirt/kiln for root, else libvirt/kiln in the user's runtime
 *   directory; the environment variable KILN_RUNTIME_DIR stands above both.
 */
const char *kiln_control_directory(void);

/**
 * kiln_control_make_directory:
 *
 * Makes the directory, for this user alone, unless it is there; then it may be root's as well.
 *
 * Returns: TRUE, or FALSE with @error set; also if somebody else could write to it.
 */
gboolean kiln_control_make_directory(GError **error);

/**
 * kiln_control_path:
 * @name: of a guest
 * @suffix: ".sock" or ".pid"
 *
 * A '/', a '%', a control character and a '.' at the beginning are written as '%' and two digits.
 *
 * Returns: (transfer full): the path of that file of the guest, or NULL with @error set if @name is
 *   too long or empty.
 */
char *kiln_control_path(const char *name, const char *suffix, GError **error);

/**
 * kiln_control_guest_of:
 * @file: name of a file in the directory
 *
 * Returns: (transfer full) (nullable): the guest whose control socket it is; NULL if it is none.
 */
char *kiln_control_guest_of(const char *file);

#endif
