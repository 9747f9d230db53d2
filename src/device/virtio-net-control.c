/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control queue (virtio 1.2 §5.1.6.5): class and command, what they need, and an answer of one
 * byte.  All of it is the driver's word: it is copied before it is looked at.
 */
#include <linux/virtio_net.h>
#include <string.h>

#include "base/le.h"
#include "device/virtio-net-private.h"

enum { CONTROL_HEADER = 2, CONTROL_IOV = 64, COMMANDS = 64 /* at a time */ };

/* Reads @length bytes of the command's data at @offset. */
static gboolean
read_data(const KilnVirtqElement *element, size_t offset, void *data, size_t length)
{
    return kiln_virtqueue_copy_out(element, CONTROL_HEADER + offset, data, length) == length;
}

static gboolean
has(const VirtioNet *net, unsigned feature)
{
    return kiln_virtio_device_has_feature(&net->base, feature);
}

/* virtio 1.2 §5.1.6.5.1 */
static gboolean
control_rx(VirtioNet *net, uint8_t command, const KilnVirtqElement *element)
{
    bool *const flags[] = {
        [VIRTIO_NET_CTRL_RX_PROMISC] = &net->filter.promiscuous,
        [VIRTIO_NET_CTRL_RX_ALLMULTI] = &net->filter.all_multicast,
        [VIRTIO_NET_CTRL_RX_ALLUNI] = &net->filter.all_unicast,
        [VIRTIO_NET_CTRL_RX_NOMULTI] = &net->filter.no_multicast,
        [VIRTIO_NET_CTRL_RX_NOUNI] = &net->filter.no_unicast,
        [VIRTIO_NET_CTRL_RX_NOBCAST] = &net->filter.no_broadcast,
    };
    uint8_t on;

    if (!has(net, VIRTIO_NET_F_CTRL_RX) || command >= G_N_ELEMENTS(flags) ||
        (command > VIRTIO_NET_CTRL_RX_ALLMULTI && !has(net, VIRTIO_NET_F_CTRL_RX_EXTRA)) ||
        !read_data(element, 0, &on, sizeof on))
        return FALSE;
    *flags[command] = on != 0;
    return TRUE;
}

/* One of the two tables: a number and as many addresses.  Moves @offset behind it. */
static gboolean
read_table(KilnNetFilter *filter, const KilnVirtqElement *element, uint64_t *offset, unsigned from,
           uint8_t *n, bool *overflow)
{
    uint8_t number[4];
    uint32_t entries;

    if (!read_data(element, *offset, number, sizeof number))
        return FALSE;
    entries = kiln_le32_load(number);
    *offset += sizeof number;
    if (*offset + 6 * (uint64_t)entries + CONTROL_HEADER > element->out_bytes)
        return FALSE;
    *overflow = entries > KILN_NET_FILTER_MACS - from;
    *n = *overflow ? 0 : (uint8_t)entries;
    if (*n > 0 && !read_data(element, *offset, filter->macs + 6 * from, 6 * (size_t)*n))
        return FALSE;
    *offset += 6 * (uint64_t)entries;
    return TRUE;
}

/* virtio 1.2 §5.1.6.5.2 */
static gboolean
control_mac(VirtioNet *net, uint8_t command, const KilnVirtqElement *element)
{
    KilnNetFilter filter = net->filter;
    uint64_t offset = 0;

    if (command == VIRTIO_NET_CTRL_MAC_ADDR_SET) {
        if (!has(net, VIRTIO_NET_F_CTRL_MAC_ADDR) || element->out_bytes != CONTROL_HEADER + 6 ||
            !read_data(element, 0, filter.mac, sizeof filter.mac))
            return FALSE;
        net->filter = filter;
        kiln_virtio_device_lock(&net->base);
        memcpy(net->base.config + G_STRUCT_OFFSET(struct virtio_net_config, mac), filter.mac,
               sizeof filter.mac);
        kiln_virtio_device_unlock(&net->base);
        kiln_netdev_set_mac(net->netdev, filter.mac);
        return TRUE;
    }
    if (command != VIRTIO_NET_CTRL_MAC_TABLE_SET || !has(net, VIRTIO_NET_F_CTRL_RX))
        return FALSE;
    memset(filter.macs, 0, sizeof filter.macs);
    if (!read_table(&filter, element, &offset, 0, &filter.n_unicast, &filter.unicast_overflow) ||
        !read_table(&filter, element, &offset, filter.n_unicast, &filter.n_multicast,
                    &filter.multicast_overflow))
        return FALSE;
    net->filter = filter;
    return TRUE;
}

/* virtio 1.2 §5.1.6.5.3 */
static gboolean
control_vlan(VirtioNet *net, uint8_t command, const KilnVirtqElement *element)
{
    uint8_t bytes[2];
    uint16_t id;

    if (!has(net, VIRTIO_NET_F_CTRL_VLAN) || command > VIRTIO_NET_CTRL_VLAN_DEL ||
        !read_data(element, 0, bytes, sizeof bytes))
        return FALSE;
    id = kiln_le16_load(bytes);
    if (id >= 4096)
        return FALSE;
    kiln_net_filter_set_vlan(&net->filter, id, command == VIRTIO_NET_CTRL_VLAN_ADD);
    return TRUE;
}

/* virtio 1.2 §5.1.6.5.4 */
static gboolean
control_announce(VirtioNet *net, uint8_t command)
{
    uint8_t *status = net->base.config + G_STRUCT_OFFSET(struct virtio_net_config, status);
    gboolean asked;

    if (!has(net, VIRTIO_NET_F_GUEST_ANNOUNCE) || command != VIRTIO_NET_CTRL_ANNOUNCE_ACK)
        return FALSE;
    kiln_virtio_device_lock(&net->base);
    asked = net->announce;
    net->announce = false;
    *status &= (uint8_t)~VIRTIO_NET_S_ANNOUNCE;
    kiln_virtio_device_unlock(&net->base);
    return asked;
}

/* virtio 1.2 §5.1.6.5.5 */
static gboolean
control_mq(VirtioNet *net, uint8_t command, const KilnVirtqElement *element)
{
    uint8_t bytes[2];
    uint16_t n;

    if (!has(net, VIRTIO_NET_F_MQ) || command != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET ||
        !read_data(element, 0, bytes, sizeof bytes))
        return FALSE;
    n = kiln_le16_load(bytes);
    if (n < VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MIN || n > net->n_pairs)
        return FALSE;
    kiln_virtio_net_set_active(net, n);
    return TRUE;
}

/* virtio 1.2 §5.1.6.5.8 */
static gboolean
control_offloads(VirtioNet *net, uint8_t command, const KilnVirtqElement *element)
{
    uint8_t bytes[8];
    uint64_t offloads;

    if (!has(net, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) ||
        command != VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET ||
        !read_data(element, 0, bytes, sizeof bytes))
        return FALSE;
    offloads = kiln_le64_load(bytes);
    if ((offloads & ~kiln_virtio_net_offload_features(net)) != 0)
        return FALSE; /* what was not negotiated cannot be switched on */
    net->guest_offloads = offloads;
    net->offloads_chosen = true;
    kiln_virtio_net_apply_offloads(net);
    return TRUE;
}

static gboolean
execute(VirtioNet *net, const KilnVirtqElement *element)
{
    uint8_t header[CONTROL_HEADER];

    if (kiln_virtqueue_copy_out(element, 0, header, sizeof header) != sizeof header)
        return FALSE;
    switch (header[0]) {
    case VIRTIO_NET_CTRL_RX: return control_rx(net, header[1], element);
    case VIRTIO_NET_CTRL_MAC: return control_mac(net, header[1], element);
    case VIRTIO_NET_CTRL_VLAN: return control_vlan(net, header[1], element);
    case VIRTIO_NET_CTRL_ANNOUNCE: return control_announce(net, header[1]);
    case VIRTIO_NET_CTRL_MQ: return control_mq(net, header[1], element);
    case VIRTIO_NET_CTRL_GUEST_OFFLOADS: return control_offloads(net, header[1], element);
    default: return FALSE;
    }
}

void
kiln_virtio_net_control(VirtioNet *net)
{
    KilnVirtqueue *queue = kiln_virtio_device_queue(&net->base, net->control_queue);
    struct iovec iov[CONTROL_IOV];
    KilnVirtqElement element = { .iov = iov, .max_iov = CONTROL_IOV };
    int popped = 0;

    for (unsigned i = 0; i < COMMANDS; i++) {
        uint8_t answer;

        popped = kiln_virtqueue_pop(queue, &element);
        if (popped <= 0)
            break;
        if (element.out_bytes < CONTROL_HEADER || element.in_bytes < sizeof answer) {
            popped = -1;
            break;
        }
        answer = execute(net, &element) ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
        kiln_virtqueue_copy_in(&element, 0, &answer, sizeof answer);
        kiln_virtqueue_push(queue, &element, sizeof answer);
    }
    kiln_virtqueue_flush(queue);
    if (popped > 0)
        kiln_virtio_net_again(net, queue);
    if (popped < 0)
        kiln_virtio_device_broken(&net->base, "control queue: a bad chain");
}
