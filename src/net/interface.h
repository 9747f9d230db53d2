/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Network interfaces of the host, by their names: netdevice(7)'s ioctls, and rtnetlink(7) where
 * those do not reach.  At set-up alone: each call makes a socket.
 */
#ifndef KILN_NET_INTERFACE_H
#define KILN_NET_INTERFACE_H

#include <glib.h>
#include <stdint.h>

/* Whether @name may be an interface's: 1 to 15 bytes, no '/', no white space, not "." nor "..". */
gboolean kiln_interface_name_valid(const char *name);

/* 0 if there is none of that name. */
unsigned kiln_interface_index(const char *name);
gboolean kiln_interface_is_bridge(const char *name);

/* 0 if it cannot be known. */
uint32_t kiln_interface_mtu(const char *name);

/* FALSE with @error set: no such interface, or no permission (CAP_NET_ADMIN). */
gboolean kiln_interface_set_mtu(const char *name, uint32_t mtu, GError **error);
gboolean kiln_interface_set_mac(const char *name, const uint8_t mac[6], GError **error);
gboolean kiln_interface_get_mac(const char *name, uint8_t mac[6], GError **error);
gboolean kiln_interface_set_up(const char *name, gboolean up, GError **error);

/* Makes @name a port of @bridge. */
gboolean kiln_interface_join(const char *name, const char *bridge, GError **error);

/* A port of a bridge that may not talk to others that are isolated (<port isolated='yes'>). */
gboolean kiln_interface_isolate(const char *name, GError **error);

/* As MACVLAN_MODE_… of linux/if_link.h. */
typedef enum {
    KILN_MACVTAP_PRIVATE = 1,
    KILN_MACVTAP_VEPA = 2,
    KILN_MACVTAP_BRIDGE = 4,
    KILN_MACVTAP_PASSTHROUGH = 8,
} KilnMacvtapMode;

/* A new macvtap @name over the interface @lower, with address @mac. */
gboolean kiln_interface_add_macvtap(const char *name, const char *lower, KilnMacvtapMode mode,
                                    const uint8_t mac[6], GError **error);
gboolean kiln_interface_delete(const char *name, GError **error);

#endif
