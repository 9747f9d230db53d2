/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a process gives up of itself: capabilities, set-uid programs, dumps. */
#ifndef KILN_SANDBOX_PRIVILEGES_H
#define KILN_SANDBOX_PRIVILEGES_H

#include <glib.h>

/* PR_SET_NO_NEW_PRIVS: no program that is executed gains anything; landlock and seccomp need it. */
gboolean kiln_privileges_freeze(GError **error);

/* All capabilities, in every set, of the calling thread: uid 0 becomes a user like others. */
gboolean kiln_privileges_drop_capabilities(GError **error);

/* Guest memory is in no core dump, and no other process of the same user can read it. */
gboolean kiln_privileges_hide_memory(GError **error);

#endif
