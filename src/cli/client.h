/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Talking to a guest that runs.  Of the module client.so. */
#ifndef KILN_CLI_CLIENT_H
#define KILN_CLI_CLIENT_H

#include "control/vm1-glue.h"

#include <gio/gunixfdlist.h>

enum {
    KILN_CLIENT_CONNECT_MS = 5000, /* for a guest's process to answer at all */
    KILN_CLIENT_CALL_MS = 15000,
};

/**
 * kiln_client_connect:
 * @name: of a guest
 * @timeout_ms: how long its process may take to answer
 *
 * Returns: (transfer full): its object, with its properties; or NULL with @error set:
 *   KILN_ERROR_NOT_FOUND if no guest of that name runs.
 */
KilnDbusVM1 *kiln_client_connect(const char *name, guint timeout_ms, GError **error);

/**
 * kiln_client_call:
 * @method: of org.kiln.VM1
 * @arguments: (nullable): a tuple; a floating reference is taken
 * @fds: (nullable) (inout): descriptors that go with the call, or NULL, then those that came with
 *   the answer
 *
 * Returns: (transfer full): the answer's tuple, or NULL with @error set to what the guest's process
 *   said.
 */
GVariant *kiln_client_call(KilnDbusVM1 *guest, const char *method, GVariant *arguments,
                           GUnixFDList **fds, GError **error);

/* The commands: their own name and arguments.  Returns: the exit status. */
int kiln_client_list(int argc, char **argv);
int kiln_client_console(int argc, char **argv);
int kiln_client_ctl(int argc, char **argv);

#endif
