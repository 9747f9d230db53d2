/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The module libvirt.so: asks libvirt what the networks and storage volumes are that a definition
 * names (<interface type='network'>, <disk type='volume'>).  It is loaded by
 * kiln_module_load(KILN_RESOLVE_MODULE, KILN_RESOLVE_SYMBOL, …) when a definition names one: only
 * such guests need libvirt, and only while they start.
 */
#ifndef KILN_RESOLVE_RESOLVE_H
#define KILN_RESOLVE_RESOLVE_H

#include <glib.h>

#define KILN_RESOLVE_MODULE "libvirt.so"
#define KILN_RESOLVE_SYMBOL "kiln_resolve_module"

/**
 * KilnResolvedNetwork:
 * @bridge: (owned) (nullable): of the host, that interfaces become ports of
 * @dev: (owned) (nullable): else the host's interface below a macvtap
 * @mode: (owned) (nullable): the macvtap's: "vepa", "bridge", "private", "passthrough"
 */
typedef struct {
    char *bridge;
    char *dev;
    char *mode;
} KilnResolvedNetwork;

/* @block_device: else it is a file. */
typedef struct {
    char *path; /* (owned) */
    gboolean block_device;
} KilnResolvedVolume;

/* What the module exports under KILN_RESOLVE_SYMBOL.  Main thread, before the sandbox: it connects.
 */
typedef struct {
    /**
     * network:
     * @uri: (nullable): of libvirt; NULL is the system's daemon for networks
     *
     * Returns: FALSE with @error set: libvirt cannot be reached, no such network, it is not active,
     *   or it is of a kind that interfaces cannot be plugged into.
     */
    gboolean (*network)(const char *uri, const char *name, KilnResolvedNetwork *resolved,
                        GError **error);
    /* The same for volume @name of storage pool @pool. */
    gboolean (*volume)(const char *uri, const char *pool, const char *name,
                       KilnResolvedVolume *resolved, GError **error);
} KilnResolveModule;

#endif
