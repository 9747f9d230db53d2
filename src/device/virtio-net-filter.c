/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-net-filter.h. */
#include "device/virtio-net-filter.h"

#include <string.h>

#include "base/error.h"

void
kiln_net_filter_reset(KilnNetFilter *filter)
{
    uint8_t mac[6];

    memcpy(mac, filter->mac, sizeof mac);
    *filter = (KilnNetFilter){ .promiscuous = true };
    memcpy(filter->mac, mac, sizeof mac);
}

static gboolean
in_table(const uint8_t *macs, unsigned n, const uint8_t *mac)
{
    for (unsigned i = 0; i < n; i++)
        if (memcmp(macs + 6 * i, mac, 6) == 0)
            return TRUE;
    return FALSE;
}

/* IEEE 802.1Q: after the addresses 0x8100, and an identifier in the low 12 bits of the next two
 * bytes. */
static gboolean
vlan_passes(const KilnNetFilter *filter, const uint8_t *frame)
{
    unsigned id;

    if (!filter->vlan_filter || frame[12] != 0x81 || frame[13] != 0x00)
        return TRUE;
    id = (frame[14] & 0x0fU) << 8 | frame[15];
    return (filter->vlans[id / 8] & 1U << id % 8) != 0;
}

gboolean
kiln_net_filter_accepts(const KilnNetFilter *filter, const uint8_t *frame)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    if (filter->promiscuous)
        return TRUE;
    if (!vlan_passes(filter, frame))
        return FALSE;
    if (memcmp(frame, broadcast, 6) == 0)
        return !filter->no_broadcast;
    if ((frame[0] & 1) != 0) {
        if (filter->no_multicast)
            return FALSE;
        return filter->all_multicast || filter->multicast_overflow ||
               in_table(filter->macs + 6 * filter->n_unicast, filter->n_multicast, frame);
    }
    if (filter->no_unicast)
        return FALSE;
    return filter->all_unicast || filter->unicast_overflow || memcmp(frame, filter->mac, 6) == 0 ||
           in_table(filter->macs, filter->n_unicast, frame);
}

void
kiln_net_filter_set_vlan(KilnNetFilter *filter, uint16_t id, gboolean pass)
{
    uint8_t bit = (uint8_t)(1U << id % 8);

    if (pass)
        filter->vlans[id / 8 % sizeof filter->vlans] |= bit;
    else
        filter->vlans[id / 8 % sizeof filter->vlans] &= (uint8_t)~bit;
}

static gboolean
filter_post_load(void *object, GError **error)
{
    const KilnNetFilter *filter = object;

    if (filter->n_unicast + filter->n_multicast > KILN_NET_FILTER_MACS)
        return kiln_error_set(error, KILN_ERROR_INVALID, "%u addresses are too many for its filter",
                              filter->n_unicast + filter->n_multicast);
    return TRUE;
}

static const KilnStateField filter_fields[] = {
    KILN_STATE_BYTES(KilnNetFilter, mac, 1),
    KILN_STATE(KilnNetFilter, promiscuous, 1),
    KILN_STATE(KilnNetFilter, all_multicast, 1),
    KILN_STATE(KilnNetFilter, all_unicast, 1),
    KILN_STATE(KilnNetFilter, no_multicast, 1),
    KILN_STATE(KilnNetFilter, no_unicast, 1),
    KILN_STATE(KilnNetFilter, no_broadcast, 1),
    KILN_STATE(KilnNetFilter, unicast_overflow, 1),
    KILN_STATE(KilnNetFilter, multicast_overflow, 1),
    KILN_STATE_RANGE(KilnNetFilter, n_unicast, 1, 0, KILN_NET_FILTER_MACS),
    KILN_STATE_RANGE(KilnNetFilter, n_multicast, 1, 0, KILN_NET_FILTER_MACS),
    KILN_STATE_BYTES(KilnNetFilter, macs, 1),
    KILN_STATE(KilnNetFilter, vlan_filter, 1),
    KILN_STATE_BYTES(KilnNetFilter, vlans, 1),
    KILN_STATE_END,
};

const KilnStateDescription kiln_net_filter_state = {
    .name = "net-filter",
    .version = 1,
    .min_version = 1,
    .fields = filter_fields,
    .post_load = filter_post_load,
};
