/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errors as libvirt's clients know them: a code (VIR_ERR_*), which programs compare, and a text,
 * which begins with what libvirt says for that code.
 */
#ifndef KILN_ERROR_VIR_ERROR_H
#define KILN_ERROR_VIR_ERROR_H

#include <glib.h>
#include <libvirt/virterror.h>

/**
 * KILN_VIR_ERROR:
 *
 * A GError whose code is a VIR_ERR_*: for failures that have a code of libvirt's which KILN_ERROR
 * has not.  Its message is the particular alone.
 */
#define KILN_VIR_ERROR (kiln_vir_error_quark())
GQuark kiln_vir_error_quark(void);

/* Always returns FALSE. */
gboolean kiln_vir_error_set(GError **error, int code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/**
 * kiln_vir_error_code:
 * Returns: the VIR_ERR_* for @error: its own, or the one that is nearest to its KILN_ERROR;
 *   VIR_ERR_INTERNAL_ERROR for any other.
 */
int kiln_vir_error_code(const GError *error);

/**
 * kiln_vir_error_text:
 * @code: VIR_ERR_*
 * @particular: what happened, such as "no domain with matching name 'web'"
 *
 * Returns: (transfer full): the whole text: "Domain not found: no domain with matching name 'web'".
 */
char *kiln_vir_error_text(int code, const char *particular);

#endif
