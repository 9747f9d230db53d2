/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU's bridge helper: a set-uid program that makes a tap, puts it on a bridge that the host's
 * administrator allows in /etc/qemu/bridge.conf, and sends its descriptor over a socket.
 */
#ifndef KILN_NET_BRIDGE_HELPER_H
#define KILN_NET_BRIDGE_HELPER_H

#include <glib.h>

#include "base/fd.h"

/**
 * kiln_bridge_helper_open:
 * @helper: (nullable): path; NULL looks where distributions have it
 *
 * Returns: an owned tap with virtio-net headers, or -1 with @error set, which says what the helper
 *   said.
 */
KilnFd kiln_bridge_helper_open(const char *helper, const char *bridge, GError **error);

#endif
