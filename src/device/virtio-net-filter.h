/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which frames a network driver wants to receive (virtio 1.2 §5.1.6.5.1 to .3). */
#ifndef KILN_DEVICE_VIRTIO_NET_FILTER_H
#define KILN_DEVICE_VIRTIO_NET_FILTER_H

#include "state/state.h"

enum {
    KILN_NET_FILTER_MACS = 64,   /* addresses in a table; a longer one lets all of its kind pass */
    KILN_NET_FILTER_HEADER = 18, /* bytes of a frame that are looked at: with a VLAN tag */
};

/* The driver's wishes; after a reset all frames pass, as drivers without a control queue need. */
typedef struct {
    uint8_t mac[6]; /* the device's own address */
    bool promiscuous;
    bool all_multicast;
    bool all_unicast;
    bool no_multicast;
    bool no_unicast;
    bool no_broadcast;
    bool unicast_overflow; /* the table had too many */
    bool multicast_overflow;
    uint8_t n_unicast;   /* of @macs */
    uint8_t n_multicast; /* after those */
    uint8_t macs[6 * KILN_NET_FILTER_MACS];
    bool vlan_filter;        /* the driver has the feature */
    uint8_t vlans[4096 / 8]; /* a bit each that may pass */
} KilnNetFilter;

extern const KilnStateDescription kiln_net_filter_state;

/* As after a reset; @mac stays. */
void kiln_net_filter_reset(KilnNetFilter *filter);

/* @frame: KILN_NET_FILTER_HEADER bytes, a copy; shorter frames are filled up with zeroes. */
gboolean kiln_net_filter_accepts(const KilnNetFilter *filter, const uint8_t *frame);

/* Whether frames of VLAN @id (below 4096) pass; after a reset none do. */
void kiln_net_filter_set_vlan(KilnNetFilter *filter, uint16_t id, gboolean pass);

#endif
