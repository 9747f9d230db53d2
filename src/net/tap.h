/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taps (Documentation/networking/tuntap.rst): <interface type='ethernet'>, 'bridge' and 'network',
 * and macvtap's for 'direct'.  Each queue pair is a descriptor on which a read or a write is a
 * packet with its header, so that guest memory is read and written by the kernel and not copied.
 *
 * As a user who may not make taps, a bridge is reached by QEMU's set-uid helper, as libvirt's
 * session mode does (package qemu-system-common, /etc/qemu/bridge.conf).
 */
#ifndef KILN_NET_TAP_H
#define KILN_NET_TAP_H

#include "net/interface.h"
#include "net/netdev.h"

/**
 * KilnTapOptions:
 * @id: alias, for messages
 * @name: (nullable): of the host's interface; may hold "%d" for a number; NULL is "vnet%d"
 * @existing: there is one of that name, made and cared for by somebody else (<target managed='no'>)
 * @fds: (nullable): open taps, one a queue pair, in place of all else; taken over
 * @device: (nullable): NULL is /dev/net/tun (<backend tap=>)
 * @n_queues: pairs; 0 is 1
 * @bridge: (nullable): that it becomes a port of
 * @isolated: from the bridge's other isolated ports
 * @mac: (nullable): the guest's; the host's side gets the same with fe in front, as libvirt does
 * @mtu: bytes; 0: the bridge's, or as it is
 * @sndbuf: bytes; 0: no limit
 * @script, @down_script: (nullable): run with the interface's name when it is there, and when it is
 *   gone (<script path=>, <downscript path=>)
 * @link_down: the host's side is left down
 * @no_ring: a system call for each packet: for vhost-net, which leaves none to us, and to compare
 * @helper: (nullable): NULL is qemu-bridge-helper, where distributions have it
 */
typedef struct {
    const char *id;
    const char *name;
    gboolean existing;
    const int *fds;
    const char *device;
    unsigned n_queues;
    const char *bridge;
    gboolean isolated;
    const uint8_t *mac;
    uint32_t mtu;
    uint32_t sndbuf;
    const char *script;
    const char *down_script;
    gboolean link_down;
    gboolean no_ring;
    const char *helper;
} KilnTapOptions;

/**
 * kiln_tap_open:
 *
 * Main thread, before the sandbox.
 *
 * Returns: (transfer full): NULL with @error set, which says what is missing: the bridge, the right
 *   to make taps, the driver, the helper.
 */
KilnNetdev *kiln_tap_open(const KilnTapOptions *options, GError **error);

/**
 * KilnMacvtapOptions:
 * @lower: the host's interface (<source dev=>)
 * @mode: <source mode=>; passthrough gives the lower interface the guest's address
 * @name: (nullable): NULL is the first free of macvtap0, macvtap1, …
 * @existing: @name is a macvtap that somebody else made; @lower and @mode are not looked at
 *
 * The others as above.
 */
typedef struct {
    const char *id;
    const char *lower;
    KilnMacvtapMode mode;
    const char *name;
    gboolean existing;
    unsigned n_queues;
    const uint8_t *mac;
    uint32_t mtu;
} KilnMacvtapOptions;

/* As kiln_tap_open; a macvtap that was made is deleted when it is freed, or the process dies. */
KilnNetdev *kiln_macvtap_open(const KilnMacvtapOptions *options, GError **error);

#endif
