/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-net.h.  Features, configuration space, start and stop, state. */
#include "device/virtio-net-private.h"

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "base/error.h"
#include "base/le.h"
#include "vhost/net.h"
#include "virtio/vhost.h"

#ifndef VIRTIO_NET_F_HOST_USO
#define VIRTIO_NET_F_GUEST_USO4 54 /* virtio 1.3 §5.1.3, Linux 6.2 */
#define VIRTIO_NET_F_GUEST_USO6 55
#define VIRTIO_NET_F_HOST_USO   56
#endif

enum { MIN_MTU = 68, DUPLEX_FULL = 1 };

#define BIT(feature)  (UINT64_C(1) << (feature))
#define CONFIG(field) G_STRUCT_OFFSET(struct virtio_net_config, field)

/* What each offload of a backend means to a driver. */
static const struct {
    unsigned offload;
    uint64_t host;  /* what the guest may send */
    uint64_t guest; /* what it may receive */
} offload_features[] = {
    { KILN_NETDEV_CSUM, BIT(VIRTIO_NET_F_CSUM), BIT(VIRTIO_NET_F_GUEST_CSUM) },
    { KILN_NETDEV_TSO4, BIT(VIRTIO_NET_F_HOST_TSO4), BIT(VIRTIO_NET_F_GUEST_TSO4) },
    { KILN_NETDEV_TSO6, BIT(VIRTIO_NET_F_HOST_TSO6), BIT(VIRTIO_NET_F_GUEST_TSO6) },
    { KILN_NETDEV_ECN, BIT(VIRTIO_NET_F_HOST_ECN), BIT(VIRTIO_NET_F_GUEST_ECN) },
    { KILN_NETDEV_UFO, BIT(VIRTIO_NET_F_HOST_UFO), BIT(VIRTIO_NET_F_GUEST_UFO) },
    { KILN_NETDEV_USO, BIT(VIRTIO_NET_F_HOST_USO),
      BIT(VIRTIO_NET_F_GUEST_USO4) | BIT(VIRTIO_NET_F_GUEST_USO6) },
};

/* What the ring and the headers look like: a peer that does not know these cannot do the work. */
static const uint64_t ring_features = BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_RING_F_EVENT_IDX) |
                                      BIT(VIRTIO_RING_F_INDIRECT_DESC) |
                                      BIT(VIRTIO_NET_F_MRG_RXBUF);

static uint64_t
host_bits(unsigned offloads)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(offload_features); i++)
        if ((offloads & offload_features[i].offload) != 0)
            bits |= offload_features[i].host;
    return bits;
}

static uint64_t
guest_bits(unsigned offloads)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(offload_features); i++)
        if ((offloads & offload_features[i].offload) != 0)
            bits |= offload_features[i].guest;
    return bits;
}

static uint64_t
negotiated(const VirtioNet *net)
{
    uint64_t features = 0;

    for (unsigned bit = 0; bit < 64; bit++)
        if (kiln_virtio_device_has_feature(&net->base, bit))
            features |= BIT(bit);
    return features;
}

static gboolean
has(const VirtioNet *net, unsigned feature)
{
    return kiln_virtio_device_has_feature(&net->base, feature);
}

/* ---- offloads, queues in use ---- */

uint64_t
kiln_virtio_net_offload_features(const VirtioNet *net)
{
    return negotiated(net) & guest_bits(~0U);
}

void
kiln_virtio_net_apply_offloads(VirtioNet *net)
{
    unsigned offloads = 0;

    /* of those that are two features (UDP over IPv4 and over IPv6) the driver has to take both */
    for (unsigned i = 0; i < G_N_ELEMENTS(offload_features); i++)
        if ((net->guest_offloads & offload_features[i].guest) == offload_features[i].guest)
            offloads |= offload_features[i].offload;
    kiln_netdev_set_offloads(net->netdev, offloads);
}

void
kiln_virtio_net_again(VirtioNet *net, const KilnVirtqueue *queue)
{
    KilnEvent kick = { .fd = kiln_virtio_device_kick_fd(&net->base, kiln_virtqueue_index(queue)) };

    kiln_event_set(&kick);
}

static void
pair_update(NetPair *pair)
{
    GIOCondition condition = 0;

    if (!pair->attached)
        return;
    if (!pair->starved && !pair->broken && kiln_virtqueue_started(pair->rx))
        condition |= G_IO_IN;
    if (pair->full && !pair->broken && kiln_virtqueue_started(pair->tx))
        condition |= G_IO_OUT;
    kiln_netdev_want(pair->net->netdev, pair->index, condition);
}

static void
pair_run(NetPair *pair, GIOCondition ready)
{
    if ((ready & G_IO_OUT) != 0 && !pair->broken && kiln_virtqueue_started(pair->tx))
        kiln_virtio_net_send(pair);
    if ((ready & G_IO_IN) != 0 && !pair->broken && kiln_virtqueue_started(pair->rx))
        kiln_virtio_net_receive(pair);
    pair_update(pair);
}

static void
backend_ready(unsigned queue, GIOCondition ready, gpointer data)
{
    VirtioNet *net = data;

    pair_run(&net->pairs[queue], ready);
}

static void
pair_attach(NetPair *pair)
{
    VirtioNet *net = pair->net;

    if (pair->attached)
        return;
    pair->attached = TRUE;
    pair->starved = pair->full = pair->broken = FALSE;
    kiln_netdev_attach(net->netdev, pair->index, net->base.context, backend_ready, net);
    if (kiln_virtqueue_started(pair->rx))
        (void)kiln_virtqueue_set_notify(pair->rx, FALSE);
}

static void
pair_detach(NetPair *pair)
{
    if (!pair->attached)
        return;
    kiln_netdev_detach(pair->net->netdev, pair->index);
    kiln_virtio_net_release(pair);
    pair->attached = FALSE;
}

/* A vhost-user peer hears which pairs are used; one that does not take it will be lost. */
static void
enable_pair(KilnVhost *vhost, const NetPair *pair, gboolean enabled)
{
    if (kiln_virtqueue_started(pair->rx) && kiln_virtqueue_started(pair->tx)) {
        (void)vhost->ops->enable(vhost, 2 * pair->index, enabled, NULL);
        (void)vhost->ops->enable(vhost, 2 * pair->index + 1, enabled, NULL);
    }
}

void
kiln_virtio_net_set_active(VirtioNet *net, uint16_t n_pairs)
{
    net->n_active = n_pairs;
    kiln_netdev_enable(net->netdev, n_pairs);
    for (unsigned i = 0; i < net->n_pairs; i++) {
        NetPair *pair = &net->pairs[i];

        if (net->n_handed > 0) {
            if (net->vhost_user)
                enable_pair(net->vhosts[0], pair, i < n_pairs);
        } else if (i < n_pairs) {
            pair_attach(pair);
            pair_run(pair, G_IO_IN | G_IO_OUT);
        } else {
            pair_detach(pair);
        }
    }
}

/* ---- peers ---- */

static unsigned
usable_pairs(const VirtioNet *net)
{
    return has(net, VIRTIO_NET_F_MQ) ? net->n_pairs : 1;
}

static unsigned
peer_queues(const VirtioNet *net)
{
    return net->vhost_user ? 2 * usable_pairs(net) : 2;
}

static void
hand_back(VirtioNet *net)
{
    while (net->n_handed > 0) {
        unsigned i = --net->n_handed;

        kiln_virtio_vhost_stop(&net->base, net->vhosts[i], 2 * i, peer_queues(net));
    }
}

/* Gives the queues to the peers, or to none of them. */
static gboolean
hand_over(VirtioNet *net, GError **error)
{
    unsigned n_peers = net->vhost_user ? 1 : usable_pairs(net);
    uint64_t features;

    for (unsigned i = 0; i < n_peers; i++) {
        KilnVhost *vhost = net->vhosts[i];

        if (!vhost->ops->features(vhost, &features, error) ||
            !kiln_virtio_vhost_start(&net->base, vhost, 2 * i, peer_queues(net),
                                     features & negotiated(net), error)) {
            hand_back(net);
            return FALSE;
        }
        net->n_handed = i + 1;
    }
    return TRUE;
}

/* Who carries the packets: the peers, if there are any and they can, else this process, which with
 * the link down drops them. */
static void
choose_carrier(VirtioNet *net)
{
    gboolean peers = net->n_vhosts > 0 && kiln_netdev_link(net->netdev) &&
                     !kiln_netdev_needs_user_space(net->netdev);
    g_autoptr(GError) error = NULL;

    if (peers && net->n_handed == 0) {
        for (unsigned i = 0; i < net->n_pairs; i++)
            pair_detach(&net->pairs[i]);
        if (!hand_over(net, &error))
            kiln_log(KILN_LOG_WARNING, "%s: packets pass through user space: %s", net->base.id,
                     error->message);
    } else if (!peers) {
        hand_back(net);
    }
    kiln_virtio_net_set_active(net, (uint16_t)MIN(net->n_active, usable_pairs(net)));
}

static void
on_changed(gpointer data)
{
    choose_carrier(data);
}

static void
peer_failed(void *opaque, const char *why)
{
    VirtioNet *net = opaque;

    kiln_log(KILN_LOG_WARNING, "%s: its peer is lost: %s", net->base.id, why);
    hand_back(net);
    kiln_netdev_set_carrier(net->netdev, FALSE);
}

static void
peer_connected(void *opaque)
{
    VirtioNet *net = opaque;

    kiln_netdev_set_carrier(net->netdev, TRUE); /* on_link() has the queues handed over */
}

/* vhost-net found a ring broken: it is the driver's doing. */
static void
kernel_failed(void *opaque, const char *why)
{
    VirtioNet *net = opaque;

    kiln_virtio_device_broken(&net->base, "vhost-net: %s", why);
}

/* ---- the device's ops ---- */

static gboolean
net_start(KilnVirtioDevice *device, GError **error G_GNUC_UNUSED)
{
    VirtioNet *net = (VirtioNet *)device;

    net->mergeable = has(net, VIRTIO_NET_F_MRG_RXBUF);
    net->keep_flags = has(net, VIRTIO_NET_F_GUEST_CSUM);
    net->control_queue = 2 * usable_pairs(net);
    net->filter.vlan_filter = has(net, VIRTIO_NET_F_CTRL_VLAN);
    if (!net->offloads_chosen)
        net->guest_offloads = kiln_virtio_net_offload_features(net);
    kiln_virtio_net_apply_offloads(net);
    kiln_netdev_set_mac(net->netdev, net->filter.mac);
    net->changed_source = kiln_event_source_new(&net->changed, device->context, on_changed, net);
    choose_carrier(net);
    return TRUE;
}

static void
net_stop(KilnVirtioDevice *device)
{
    VirtioNet *net = (VirtioNet *)device;

    g_clear_pointer(&net->changed_source, kiln_source_free);
    hand_back(net);
    for (unsigned i = 0; i < net->n_pairs; i++)
        pair_detach(&net->pairs[i]);
    kiln_virtio_device_stopped(device);
}

static void
net_kick(KilnVirtioDevice *device, unsigned queue)
{
    VirtioNet *net = (VirtioNet *)device;
    NetPair *pair = &net->pairs[MIN(queue / 2, net->n_pairs - 1)];

    if (queue == net->control_queue && has(net, VIRTIO_NET_F_CTRL_VQ))
        kiln_virtio_net_control(net);
    else if (queue < 2 * net->n_pairs && pair->attached && (queue % 2 == 0 || !pair->full))
        pair_run(pair, queue % 2 == 0 ? G_IO_IN : G_IO_OUT);
}

static gboolean
is_data_queue(const VirtioNet *net, unsigned queue)
{
    return queue < 2 * usable_pairs(net);
}

/* A queue that is reset takes its peer's others with it for a moment. */
static void
net_queue_stop(KilnVirtioDevice *device, unsigned queue)
{
    VirtioNet *net = (VirtioNet *)device;

    if (is_data_queue(net, queue)) {
        hand_back(net);
        if (queue % 2 == 0 && net->pairs[queue / 2].attached)
            kiln_virtio_net_release(&net->pairs[queue / 2]);
    }
    kiln_virtio_device_queue_stopped(device, queue);
    if (is_data_queue(net, queue))
        choose_carrier(net);
}

static void
net_queue_start(KilnVirtioDevice *device, unsigned queue)
{
    VirtioNet *net = (VirtioNet *)device;

    if (!is_data_queue(net, queue))
        return;
    hand_back(net);
    if (net->pairs[queue / 2].attached && queue % 2 == 0)
        (void)kiln_virtqueue_set_notify(net->pairs[queue / 2].rx, FALSE);
    net->pairs[queue / 2].starved = net->pairs[queue / 2].full = FALSE;
    choose_carrier(net);
}

static void
net_call_changed(KilnVirtioDevice *device, unsigned queue)
{
    VirtioNet *net = (VirtioNet *)device;

    for (unsigned i = 0; i < net->n_handed; i++)
        kiln_virtio_vhost_call_changed(device, net->vhosts[i], queue);
}

static void
update_config(VirtioNet *net)
{
    uint16_t status = (uint16_t)((kiln_netdev_link(net->netdev) ? VIRTIO_NET_S_LINK_UP : 0) |
                                 (net->announce ? VIRTIO_NET_S_ANNOUNCE : 0));

    memcpy(net->base.config + CONFIG(mac), net->filter.mac, 6);
    kiln_le16_store(net->base.config + CONFIG(status), status);
}

static void
net_reset(KilnVirtioDevice *device)
{
    VirtioNet *net = (VirtioNet *)device;

    kiln_net_filter_reset(&net->filter);
    net->n_active = 1;
    net->guest_offloads = 0;
    net->offloads_chosen = false;
    net->announce = false;
    update_config(net);
}

static void
net_free(KilnVirtioDevice *device)
{
    VirtioNet *net = (VirtioNet *)device;

    if (net->netdev != NULL)
        kiln_netdev_set_link_func(net->netdev, NULL, NULL);
    for (unsigned i = 0; i < net->n_vhosts; i++)
        kiln_vhost_free(net->vhosts[i]);
    for (unsigned i = 0; i < net->n_pairs; i++)
        kiln_virtio_net_pair_clear(&net->pairs[i]);
    kiln_netdev_free(net->netdev);
    kiln_event_clear(&net->changed);
    g_free(net->vhosts);
    g_free(net->pairs);
    kiln_virtio_device_clear(device);
    g_free(net);
}

static gboolean
net_post_load(void *object, GError **error)
{
    VirtioNet *net = object;

    if (net->n_active < 1 || net->n_active > net->n_pairs)
        return kiln_error_set(error, KILN_ERROR_INVALID, "%u queue pairs in use of %u",
                              net->n_active, net->n_pairs);
    update_config(net);
    return TRUE;
}

static const KilnStateField net_fields[] = {
    KILN_STATE_STRUCT(VirtioNet, filter, 1, &kiln_net_filter_state),
    KILN_STATE(VirtioNet, n_active, 1),
    KILN_STATE(VirtioNet, guest_offloads, 1),
    KILN_STATE(VirtioNet, offloads_chosen, 1),
    KILN_STATE(VirtioNet, announce, 1),
    KILN_STATE_END,
};

static const KilnStateDescription net_state = {
    .name = "virtio-net",
    .version = 1,
    .min_version = 1,
    .fields = net_fields,
    .post_load = net_post_load,
};

static const KilnVirtioOps net_ops = {
    .name = "virtio-net",
    .id = VIRTIO_ID_NET,
    .start = net_start,
    .stop = net_stop,
    .kick = net_kick,
    .queue_stop = net_queue_stop,
    .queue_start = net_queue_start,
    .call_changed = net_call_changed,
    .reset = net_reset,
    .free = net_free,
    .state = &net_state,
};

/* ---- making it ---- */

static uint64_t
own_features(const KilnVirtioNetOptions *options, unsigned n_pairs)
{
    unsigned offloads = options->netdev->offloads;
    uint64_t features = BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS) |
                        BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) |
                        BIT(VIRTIO_NET_F_CTRL_RX_EXTRA) | BIT(VIRTIO_NET_F_CTRL_VLAN) |
                        BIT(VIRTIO_NET_F_CTRL_MAC_ADDR) | BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) |
                        BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);

    if (options->vhost_user != NULL)
        offloads = ~0U; /* the peer says which */
    features |= host_bits(offloads & ~options->no_host);
    features |= guest_bits(offloads & ~options->no_guest);
    if ((options->no_host & KILN_NETDEV_CSUM) != 0)
        features &= ~host_bits(~0U); /* all others stand on it, virtio 1.2 §5.1.3.1 */
    if ((options->no_guest & KILN_NETDEV_CSUM) != 0)
        features &= ~guest_bits(~0U);
    if (!options->no_mrg_rxbuf)
        features |= BIT(VIRTIO_NET_F_MRG_RXBUF);
    if (options->mtu != 0)
        features |= BIT(VIRTIO_NET_F_MTU);
    if (options->speed != 0)
        features |= BIT(VIRTIO_NET_F_SPEED_DUPLEX);
    if (n_pairs > 1)
        features |= BIT(VIRTIO_NET_F_MQ);
    return features;
}

static VirtioNet *
net_new(const KilnVirtioNetOptions *options)
{
    unsigned n_pairs = MAX(options->n_pairs, 1);
    KilnVirtioOptions base = {
        .id = options->id,
        .memory = options->memory,
        .context = options->context,
        .n_queues = 2 * n_pairs + 1,
        .features = own_features(options, n_pairs),
        .packed = options->packed,
        .no_event_idx = options->no_event_idx,
        .no_indirect = options->no_indirect,
        .config_size = CONFIG(duplex) + 1,
    };
    VirtioNet *net = g_new0(VirtioNet, 1);

    kiln_virtio_device_init(&net->base, &net_ops, &base);
    net->changed.fd = -1;
    net->netdev = options->netdev;
    net->n_pairs = n_pairs;
    net->n_active = 1;
    net->pairs = g_new0(NetPair, n_pairs);
    for (unsigned i = 0; i < n_pairs; i++) {
        if (options->rx_queue_size != 0)
            kiln_virtio_device_set_queue_size(&net->base, 2 * i, options->rx_queue_size);
        if (options->tx_queue_size != 0)
            kiln_virtio_device_set_queue_size(&net->base, 2 * i + 1, options->tx_queue_size);
        net->pairs[i] = (NetPair){ .net = net,
                                   .index = i,
                                   .rx = kiln_virtio_device_queue(&net->base, 2 * i),
                                   .tx = kiln_virtio_device_queue(&net->base, 2 * i + 1) };
    }
    memcpy(net->filter.mac, options->mac, 6);
    kiln_net_filter_reset(&net->filter);
    kiln_le16_store(net->base.config + CONFIG(max_virtqueue_pairs), (uint16_t)n_pairs);
    kiln_le16_store(net->base.config + CONFIG(mtu), options->mtu);
    kiln_le32_store(net->base.config + CONFIG(speed), options->speed);
    net->base.config[CONFIG(duplex)] = DUPLEX_FULL;
    update_config(net);
    return net;
}

static gboolean
open_kernel_peers(VirtioNet *net, int *fds, GError **error)
{
    net->vhosts = g_new0(KilnVhost *, net->n_pairs);
    for (unsigned i = 0; i < net->n_pairs; i++) {
        KilnVhostNet *kernel = &net->pairs[i].kernel;

        *kernel = (KilnVhostNet){ net->netdev->ops->fd(net->netdev, i), kernel_failed, net };
        net->vhosts[i] =
            kiln_vhost_net_new(kiln_fd_steal(&fds[i]), kernel, net->base.context, error);
        if (net->vhosts[i] == NULL)
            return FALSE;
        net->n_vhosts = i + 1;
    }
    /* what passes in the kernel is counted there */
    return net->netdev->host_name == NULL || kiln_netdev_count_outside(net->netdev, error);
}

static gboolean
open_user_peer(VirtioNet *net, const KilnVirtioNetOptions *options, GError **error)
{
    KilnVhostUserOptions user = *options->vhost_user;

    user.id = net->base.id;
    user.n_queues = 2 * net->n_pairs;
    user.context = net->base.context;
    user.failed = peer_failed;
    user.connected = peer_connected;
    user.opaque = net;
    net->vhost_user = TRUE;
    net->vhosts = g_new0(KilnVhost *, 1);
    net->vhosts[0] = kiln_vhost_user_new(&user, error);
    if (net->vhosts[0] == NULL)
        return FALSE;
    net->n_vhosts = 1;
    return options->mtu == 0 || kiln_vhost_user_set_mtu(net->vhosts[0], options->mtu, error);
}

/* What a peer does not know is not offered. */
static gboolean
mask_features(VirtioNet *net, GError **error)
{
    uint64_t needed = ring_features;
    uint64_t features;

    if (net->vhost_user)
        needed |= host_bits(~0U) | guest_bits(~0U);
    for (unsigned i = 0; i < net->n_vhosts; i++) {
        if (!net->vhosts[i]->ops->features(net->vhosts[i], &features, error))
            return FALSE;
        kiln_virtio_device_remove_features(&net->base, needed & ~features);
    }
    if (net->vhost_user) /* the offloads are the peer's: ours to switch while it runs they are not
                          */
        kiln_virtio_device_remove_features(&net->base, BIT(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS));
    return TRUE;
}

/* Main thread. */
static void
on_link(gboolean up G_GNUC_UNUSED, gpointer data)
{
    VirtioNet *net = data;

    kiln_virtio_device_lock(&net->base);
    update_config(net);
    kiln_virtio_device_unlock(&net->base);
    kiln_virtio_device_config_changed(&net->base);
    kiln_event_set(&net->changed);
}

/* Those that no peer has taken over. */
static void
close_fds(const KilnVirtioNetOptions *options)
{
    for (unsigned i = 0; options->vhost_fds != NULL && i < MAX(options->n_pairs, 1); i++)
        kiln_fd_clear(&options->vhost_fds[i]);
}

KilnVirtioDevice *
kiln_virtio_net_new(const KilnVirtioNetOptions *options, GError **error)
{
    gboolean good;
    VirtioNet *net;

    if (options->n_pairs > options->netdev->n_queues ||
        (options->mtu != 0 && options->mtu < MIN_MTU)) {
        kiln_error_set(error, KILN_ERROR_INVALID,
                       "interface '%s': %u queue pairs on a backend of %u, MTU %u", options->id,
                       options->n_pairs, options->netdev->n_queues, options->mtu);
        close_fds(options);
        kiln_netdev_free(options->netdev);
        return NULL;
    }
    net = net_new(options);
    good = kiln_event_open(&net->changed, error) &&
           (options->vhost_fds == NULL || open_kernel_peers(net, options->vhost_fds, error)) &&
           (options->vhost_user == NULL || open_user_peer(net, options, error)) &&
           mask_features(net, error);
    if (!good) {
        g_prefix_error(error, "interface '%s': ", options->id);
        close_fds(options);
        net_free(&net->base);
        return NULL;
    }
    kiln_netdev_set_link_func(net->netdev, on_link, net);
    return &net->base;
}

KilnNetdev *
kiln_virtio_net_netdev(KilnVirtioDevice *device)
{
    return ((VirtioNet *)device)->netdev;
}

void
kiln_virtio_net_set_link(KilnVirtioDevice *device, gboolean up)
{
    kiln_netdev_set_link(((VirtioNet *)device)->netdev, up);
}

void
kiln_virtio_net_announce(KilnVirtioDevice *device)
{
    VirtioNet *net = (VirtioNet *)device;

    kiln_virtio_device_lock(device);
    net->announce = has(net, VIRTIO_NET_F_GUEST_ANNOUNCE);
    update_config(net);
    kiln_virtio_device_unlock(device);
    if (net->announce)
        kiln_virtio_device_config_changed(device);
}

void
kiln_virtio_net_mac(KilnVirtioDevice *device, uint8_t mac[6])
{
    kiln_virtio_device_lock(device);
    memcpy(mac, device->config + CONFIG(mac), 6);
    kiln_virtio_device_unlock(device);
}
