/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asking polkit, over the system's D-Bus, whether a process may do something
 * (org.freedesktop.PolicyKit1.Authority.CheckAuthorization; polkit 0.105 reference manual).  Never
 * waits: the answer may take as long as a person needs to type a password.
 */
#ifndef KILN_RPC_POLKIT_H
#define KILN_RPC_POLKIT_H

#include "rpc/client.h"

#include <gio/gio.h>

/**
 * KilnPolkitResult:
 * @KILN_POLKIT_NO: and why is in the error
 * @KILN_POLKIT_ABSENT: there is no polkit on this host; the error says that
 */
typedef enum {
    KILN_POLKIT_YES,
    KILN_POLKIT_NO,
    KILN_POLKIT_ABSENT,
} KilnPolkitResult;

/**
 * KilnPolkitFunc:
 * @error: (nullable): a KILN_VIR_ERROR unless it is yes
 */
typedef void (*KilnPolkitFunc)(KilnPolkitResult result, const GError *error, gpointer data);

/**
 * kiln_polkit_check:
 * @action: such as "org.libvirt.unix.manage"
 * @identity: of the process: its pid, its start, its uid
 * @cancellable: (nullable): cancelled, the answer is no
 * @done: called once, from the main loop
 */
void kiln_polkit_check(const char *action, const KilnIdentity *identity, GCancellable *cancellable,
                       KilnPolkitFunc done, gpointer data);

/* For tests: another bus than the system's, whose connection is borrowed; NULL is the system's. */
void kiln_polkit_set_bus(GDBusConnection *bus);

#endif
