/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A command that is run when this process is through with something, also if it is killed, and with
 * the rights that it had when it asked for it: a shell that waits at a pipe.
 */
#ifndef KILN_NET_AFTERWARDS_H
#define KILN_NET_AFTERWARDS_H

#include <glib.h>

typedef struct KilnAfterwards KilnAfterwards;

/**
 * kiln_afterwards_new:
 * @argv: NULL-terminated; the first is a path or a name in PATH
 *
 * Main thread, before the sandbox.
 *
 * Returns: (transfer full): or NULL with @error set.
 */
KilnAfterwards *kiln_afterwards_new(const char *const *argv, GError **error);

/* (nullable): runs the command, and waits for it for half a second. */
void kiln_afterwards_free(KilnAfterwards *afterwards);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnAfterwards, kiln_afterwards_free)

#endif
