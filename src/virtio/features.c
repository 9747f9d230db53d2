/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which feature bits a driver may have together: virtio 1.2 §2.2, and what features depend on. */
#include "virtio/device-private.h"

#include <linux/virtio_net.h>

#define BIT(feature) (UINT64_C(1) << (feature))

/* @feature is nothing without one of @needs. */
typedef struct {
    uint16_t id; /* VIRTIO_ID_… */
    uint8_t feature;
    uint64_t needs; /* bits */
    const char *fault;
} Dependency;

/* virtio 1.2 §5.1.3.1. */
static const Dependency dependencies[] = {
    { VIRTIO_ID_NET, VIRTIO_NET_F_GUEST_TSO4, BIT(VIRTIO_NET_F_GUEST_CSUM), "GUEST_TSO4" },
    { VIRTIO_ID_NET, VIRTIO_NET_F_GUEST_TSO6, BIT(VIRTIO_NET_F_GUEST_CSUM), "GUEST_TSO6" },
    { VIRTIO_ID_NET, VIRTIO_NET_F_GUEST_ECN,
      BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6), "GUEST_ECN" },
    { VIRTIO_ID_NET, VIRTIO_NET_F_GUEST_UFO, BIT(VIRTIO_NET_F_GUEST_CSUM), "GUEST_UFO" },
    { VIRTIO_ID_NET, VIRTIO_NET_F_HOST_TSO4, BIT(VIRTIO_NET_F_CSUM), "HOST_TSO4" },
    { VIRTIO_ID_NET, VIRTIO_NET_F_HOST_TSO6, BIT(VIRTIO_NET_F_CSUM), "HOST_TSO6" },
    { VIRTIO_ID_NET, VIRTIO_NET_F_HOST_ECN,
      BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6), "HOST_ECN" },
    { VIRTIO_ID_NET, VIRTIO_NET_F_HOST_UFO, BIT(VIRTIO_NET_F_CSUM), "HOST_UFO" },
    { VIRTIO_ID_NET, VIRTIO_NET_F_CTRL_RX, BIT(VIRTIO_NET_F_CTRL_VQ), "CTRL_RX" },
    { VIRTIO_ID_NET, VIRTIO_NET_F_CTRL_VLAN, BIT(VIRTIO_NET_F_CTRL_VQ), "CTRL_VLAN" },
    { VIRTIO_ID_NET, VIRTIO_NET_F_GUEST_ANNOUNCE, BIT(VIRTIO_NET_F_CTRL_VQ), "GUEST_ANNOUNCE" },
    { VIRTIO_ID_NET, VIRTIO_NET_F_MQ, BIT(VIRTIO_NET_F_CTRL_VQ), "MQ" },
    { VIRTIO_ID_NET, VIRTIO_NET_F_CTRL_MAC_ADDR, BIT(VIRTIO_NET_F_CTRL_VQ), "CTRL_MAC_ADDR" },
    { VIRTIO_ID_NET, VIRTIO_NET_F_RSC_EXT,
      BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6), "RSC_EXT" },
    { VIRTIO_ID_NET, VIRTIO_NET_F_RSS, BIT(VIRTIO_NET_F_CTRL_VQ), "RSS" },
};

const char *
kiln_virtio_features_fault(unsigned id, uint64_t offered, uint64_t accepted)
{
    if (accepted & ~offered)
        return "features that were not offered";
    if (!(accepted & BIT(VIRTIO_F_VERSION_1)))
        return "no VERSION_1"; /* virtio 1.2 §6.1: a legacy driver */
    for (unsigned i = 0; i < G_N_ELEMENTS(dependencies); i++) {
        const Dependency *dependency = &dependencies[i];

        if (dependency->id == id && (accepted & BIT(dependency->feature)) &&
            !(accepted & dependency->needs))
            return dependency->fault;
    }
    return NULL;
}
