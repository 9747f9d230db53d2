/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls about the host that wait for its kernel: done by a thread of GLib's pool. */
#ifndef KILN_OPS_HOST_WORK_H
#define KILN_OPS_HOST_WORK_H

#include "rpc/call.h"

/**
 * kiln_ops_host_work:
 * @data: (transfer full) (destroy @free_data)
 * @work: on another thread, FALSE with its error set if it fails
 * @done: (nullable): main thread, after @work has succeeded: answers the call; NULL answers without
 *   content
 */
void kiln_ops_host_work(KilnCall *call, gpointer data, GDestroyNotify free_data,
                        gboolean (*work)(gpointer data, GError **error),
                        void (*done)(KilnCall *call, gpointer data));

#endif
