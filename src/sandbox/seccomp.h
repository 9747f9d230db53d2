/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The filters of system calls that gen-filters made of main.syscalls and vcpu.syscalls. */
#ifndef KILN_SANDBOX_SECCOMP_H
#define KILN_SANDBOX_SECCOMP_H

#include <glib.h>

typedef enum { KILN_SECCOMP_MAIN, KILN_SECCOMP_VCPU } KilnSeccompFilter;

/**
 * kiln_seccomp_load:
 * @log: what is forbidden is logged and done, instead of killing the process
 *
 * The main filter goes to all threads that there are, the other to the calling one.
 * PR_SET_NO_NEW_PRIVS must have been set.
 */
gboolean kiln_seccomp_load(KilnSeccompFilter filter, gboolean log, GError **error);

#endif
