/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest's process as somebody to talk with: D-Bus, peer to peer, on its control socket
 * (control/paths.h, schemas/org.kiln.VM1.xml).
 *
 *   connect -> authenticate -> connected() -> signals ... -> closed() -> connect again
 *
 * The process may be stopped or stuck at any point: what was asked ends in its time, and nothing
 * else is delayed.  Main thread.
 */
#ifndef KILN_GUEST_PROXY_H
#define KILN_GUEST_PROXY_H

#include <gio/gio.h>
#include <gio/gunixfdlist.h>

typedef struct KilnProxy KilnProxy;

/* Each may be NULL; none is called after kiln_proxy_free(). */
typedef struct {
    void (*connected)(gpointer data);
    void (*signal)(const char *name, GVariant *arguments, gpointer data);
    void (*closed)(gpointer data);
} KilnProxyOps;

/**
 * KilnProxyAnswer:
 * @answer: (nullable): borrowed, as the others
 * @error: (nullable): KILN_ERROR of the process; VIR_ERR_OPERATION_TIMEOUT;
 *   VIR_ERR_OPERATION_INVALID if the proxy was freed; VIR_ERR_OPERATION_FAILED if it hung up
 */
typedef void (*KilnProxyAnswer)(GVariant *answer, GUnixFDList *fds, const GError *error,
                                gpointer data);

/**
 * kiln_proxy_new:
 * @path: of the socket, which may not be there yet
 * @name: of the guest, for messages
 */
KilnProxy *kiln_proxy_new(const char *path, const char *name, const KilnProxyOps *ops,
                          gpointer data);

/* (nullable): what is under way ends with an error, before this returns. */
void kiln_proxy_free(KilnProxy *proxy);

/**
 * kiln_proxy_call:
 * @interface: NULL is org.kiln.VM1
 * @arguments: (nullable) (transfer floating)
 * @timeout_ms: also for connecting; -1: as long as the connection lasts
 */
void kiln_proxy_call(KilnProxy *proxy, const char *interface, const char *method,
                     GVariant *arguments, GUnixFDList *fds, int timeout_ms,
                     KilnProxyAnswer answered, gpointer data);

#endif
