/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <interface> becomes a backend (net room) and a virtio-net device.  Where the host has vhost-net
 * and the backend is a tap, the kernel carries the packets; else this process does.
 */
#include "machine/devices.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/unix-socket.h"
#include "device/virtio-net.h"
#include "machine/functions.h"
#include "machine/private.h"
#include "net/null.h"
#include "net/passt.h"
#include "net/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { MAC_BYTES = 6, DEFAULT_MTU = 1500 };

#define VHOST_NET "/dev/vhost-net"

/* @text has the form of one: the document was checked. */
static gboolean
parse_mac(const char *text, uint8_t mac[MAC_BYTES])
{
    for (guint i = 0; i < MAC_BYTES; i++, text += 3) {
        int high = g_ascii_xdigit_value(text[0]);
        int low = high >= 0 ? g_ascii_xdigit_value(text[1]) : -1;

        if (low < 0 || text[2] != (i + 1 < MAC_BYTES ? ':' : '\0'))
            return FALSE;
        mac[i] = (uint8_t)(high << 4 | low);
    }
    return TRUE;
}

static unsigned
n_pairs(const KilnNet *net)
{
    return net->driver.queues.set ? (unsigned)MIN(net->driver.queues.value, G_MAXUINT) : 1;
}

/* ---- Backends ----------------------------------------------------------------------------------
 */

static KilnNetdev *
open_tap(const KilnNet *net, const uint8_t mac[MAC_BYTES], GError **error)
{
    KilnTapOptions options = {
        .id = net->info.alias,
        .name = net->target_dev,
        .existing = net->target_managed == KILN_SWITCH_OFF,
        .device = net->backend_tap,
        .n_queues = n_pairs(net),
        .bridge = net->type != KILN_NET_TYPE_ETHERNET ? net->source.bridge : NULL,
        .mac = mac,
        .mtu = net->mtu.set ? (uint32_t)net->mtu.value : 0,
        .sndbuf = net->sndbuf.set ? (uint32_t)net->sndbuf.value : 0,
        .script = net->script,
        .down_script = net->downscript,
        .link_down = net->link == KILN_NET_LINK_STATE_DOWN,
    };

    if (net->type == KILN_NET_TYPE_BRIDGE && options.bridge == NULL) {
        kiln_error_set(error, KILN_ERROR_INVALID, "type 'bridge' needs <source bridge=>");
        return NULL;
    }
    return kiln_tap_open(&options, error);
}

static KilnNetdev *
open_macvtap(const KilnNet *net, const uint8_t mac[MAC_BYTES], GError **error)
{
    static const KilnMacvtapMode modes[KILN_N_NET_DIRECT_MODE] = {
        [KILN_NET_DIRECT_MODE_ABSENT] = KILN_MACVTAP_VEPA,
        [KILN_NET_DIRECT_MODE_VEPA] = KILN_MACVTAP_VEPA,
        [KILN_NET_DIRECT_MODE_BRIDGE] = KILN_MACVTAP_BRIDGE,
        [KILN_NET_DIRECT_MODE_PRIVATE] = KILN_MACVTAP_PRIVATE,
        [KILN_NET_DIRECT_MODE_PASSTHROUGH] = KILN_MACVTAP_PASSTHROUGH,
    };
    KilnMacvtapOptions options = {
        .id = net->info.alias,
        .lower = net->source.dev,
        .mode = modes[net->source.direct_mode],
        .name = net->target_dev,
        .existing = net->target_managed == KILN_SWITCH_OFF,
        .n_queues = n_pairs(net),
        .mac = mac,
        .mtu = net->mtu.set ? (uint32_t)net->mtu.value : 0,
    };

    if (options.lower == NULL && !options.existing) {
        kiln_error_set(error, KILN_ERROR_INVALID, "type 'direct' needs <source dev=>");
        return NULL;
    }
    return kiln_macvtap_open(&options, error);
}

/* Fills in @forward from what the definition says; its ranges are to be freed. */
static void
take_forward(const KilnNetForward *from, KilnPasstForward *forward)
{
    KilnPasstRange *ranges = g_new0(KilnPasstRange, from->ranges->len);

    for (guint i = 0; i < from->ranges->len; i++) {
        const KilnNetForwardRange *range = g_ptr_array_index(from->ranges, i);

        ranges[i] = (KilnPasstRange){
            .start = (unsigned)range->start.value,
            .end = (unsigned)(range->end.set ? range->end.value : range->start.value),
            .to = range->to.set ? (unsigned)range->to.value : 0,
            .exclude = range->exclude == KILN_SWITCH_ON,
        };
    }
    *forward = (KilnPasstForward){
        .udp = from->proto == KILN_NET_FORWARD_PROTOCOL_UDP,
        .address = from->address,
        .dev = from->dev,
        .ranges = ranges,
        .n_ranges = from->ranges->len,
    };
}

static KilnNetdev *
open_passt(const KilnNet *net, GError **error)
{
    g_autofree KilnPasstForward *forwards = g_new0(KilnPasstForward, net->forwards->len);
    g_autofree const char **addresses = g_new0(const char *, net->ips->len + 1);
    KilnPasstOptions options = {
        .id = net->info.alias,
        .dev = net->source.dev,
        .mtu = net->mtu.set ? (unsigned)net->mtu.value : 0,
        .log_file = net->backend_log,
        .forwards = forwards,
        .n_forwards = net->forwards->len,
    };
    KilnNetdev *netdev;

    for (guint i = 0; i < net->ips->len; i++) {
        const KilnNetIp *ip = g_ptr_array_index(net->ips, i);

        addresses[i] = ip->address;
        if (ip->prefix.set && strchr(ip->address, ':') == NULL)
            options.prefix = (unsigned)ip->prefix.value;
    }
    options.addresses = net->ips->len > 0 ? addresses : NULL;
    for (guint i = 0; i < net->forwards->len; i++)
        take_forward(g_ptr_array_index(net->forwards, i), &forwards[i]);
    netdev = kiln_passt_open(&options, error);
    for (guint i = 0; i < net->forwards->len; i++)
        g_free((KilnPasstRange *)forwards[i].ranges);
    return netdev;
}

static KilnNetdev *
open_backend(const KilnNet *net, const uint8_t mac[MAC_BYTES], GError **error)
{
    switch (net->type) {
    case KILN_NET_TYPE_BRIDGE:
    case KILN_NET_TYPE_ETHERNET: return open_tap(net, mac, error);
    case KILN_NET_TYPE_NETWORK: /* resolved before */
        return net->source.bridge != NULL ? open_tap(net, mac, error)
                                          : open_macvtap(net, mac, error);
    case KILN_NET_TYPE_DIRECT: return open_macvtap(net, mac, error);
    case KILN_NET_TYPE_USER: return open_passt(net, error);
    case KILN_NET_TYPE_VHOSTUSER:
    case KILN_NET_TYPE_NULL: return kiln_null_netdev_new(net->info.alias, n_pairs(net));
    default:
        kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "type '%s' is not available",
                       kiln_net_type_names[net->type]);
        return NULL;
    }
}

static KilnNetdevLimit
limit(const KilnNetLimit *from)
{
    if (from == NULL)
        return (KilnNetdevLimit){ 0 };
    return (KilnNetdevLimit){
        .average = from->average.value,
        .peak = from->peak.set ? from->peak.value : 0,
        .burst = from->burst.set ? from->burst.value : 0,
    };
}

static void
set_limits(const KilnNet *net, KilnNetdev *netdev)
{
    KilnNetdevLimit in, out;

    if (net->bandwidth == NULL)
        return;
    in = limit(net->bandwidth->inbound);
    out = limit(net->bandwidth->outbound);
    kiln_netdev_set_limits(netdev, &in, &out);
}

/* ---- The device --------------------------------------------------------------------------------
 */

static unsigned
refused(KilnSwitch value, unsigned offloads)
{
    return value == KILN_SWITCH_OFF ? offloads : 0;
}

static void
take_offloads(const KilnNetDriverOptions *driver, KilnVirtioNetOptions *options)
{
    const KilnNetOffloads *host = &driver->host;
    const KilnNetGuestOffloads *guest = &driver->guest;
    const unsigned gso = KILN_NETDEV_TSO4 | KILN_NETDEV_TSO6 | KILN_NETDEV_UFO | KILN_NETDEV_USO;

    options->no_mrg_rxbuf = host->mrg_rxbuf == KILN_SWITCH_OFF;
    options->no_host = refused(host->csum, KILN_NETDEV_CSUM) | refused(host->gso, gso) |
                       refused(host->tso4, KILN_NETDEV_TSO4) |
                       refused(host->tso6, KILN_NETDEV_TSO6) | refused(host->ecn, KILN_NETDEV_ECN) |
                       refused(host->ufo, KILN_NETDEV_UFO | KILN_NETDEV_USO);
    options->no_guest =
        refused(guest->csum, KILN_NETDEV_CSUM) | refused(guest->tso4, KILN_NETDEV_TSO4) |
        refused(guest->tso6, KILN_NETDEV_TSO6) | refused(guest->ecn, KILN_NETDEV_ECN) |
        refused(guest->ufo, KILN_NETDEV_UFO | KILN_NETDEV_USO);
}

/* Whether packets have to pass this process: what only it can do was asked for. */
static gboolean
needs_user_space(const KilnNet *net)
{
    return net->driver.name == KILN_NET_DRIVER_QEMU || net->bandwidth != NULL;
}

/* The kernel's vhost-net, a descriptor a queue pair.  Returns: FALSE with @error set if it was
 * asked for and cannot be had; TRUE with @fds NULL if it cannot be had. */
static gboolean
open_vhost(const KilnNet *net, const KilnNetdev *netdev, int **fds, GError **error)
{
    const char *path = net->backend_vhost != NULL ? net->backend_vhost : VHOST_NET;
    gboolean wanted = net->driver.name == KILN_NET_DRIVER_VHOST || net->backend_vhost != NULL;
    unsigned n = n_pairs(net);
    g_autofree int *opened = g_new(int, n);

    *fds = NULL;
    if (!netdev->tap || needs_user_space(net))
        return !wanted || needs_user_space(net) ||
               kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "vhost carries packets of tap devices only");
    for (unsigned i = 0; i < n; i++) {
        opened[i] = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
        if (opened[i] >= 0)
            continue;
        if (wanted)
            (void)kiln_error_set_errno(error, errno, "cannot open '%s'", path);
        while (i > 0)
            kiln_fd_clear(&opened[--i]);
        return !wanted;
    }
    *fds = g_steal_pointer(&opened);
    return TRUE;
}

static gboolean
open_vhost_user(const KilnNet *net, KilnVhostUserOptions *user, GError **error)
{
    const KilnUnixSocket *socket = &net->source.socket;

    *user = (KilnVhostUserOptions){ .id = net->info.alias, .socket = -1, .listener = -1 };
    if (socket->path == NULL)
        return kiln_error_set(error, KILN_ERROR_INVALID, "type 'vhostuser' needs <source path=>");
    if (socket->mode == KILN_SOCKET_MODE_SERVER)
        user->listener = kiln_unix_listen(socket->path, 1, error);
    else
        user->socket = kiln_unix_connect(socket->path, error);
    return user->listener >= 0 || user->socket >= 0;
}

static KilnVirtioDevice *
make_device(KilnMachine *machine, const KilnNet *net, KilnVirtioNetOptions *options, GError **error)
{
    KilnVhostUserOptions user;
    g_autofree int *vhost = NULL;
    KilnUring *uring;

    if (!kiln_io_threads_get(machine->threads, KILN_IO_SHARED, KILN_URING_AUTO, &options->context,
                             &uring, error) ||
        !open_vhost(net, options->netdev, &vhost, error) ||
        (net->type == KILN_NET_TYPE_VHOSTUSER && !open_vhost_user(net, &user, error))) {
        kiln_netdev_free(options->netdev);
        return NULL;
    }
    options->vhost_fds = vhost;
    options->vhost_user = net->type == KILN_NET_TYPE_VHOSTUSER ? &user : NULL;
    return kiln_virtio_net_new(options, error);
}

/* Whether @capture, "net0=FILE", is of @net; its file. */
static const char *
capture_file(const char *capture, const KilnNet *net)
{
    const char *equals = strchr(capture, '=');
    gsize length = equals != NULL ? (gsize)(equals - capture) : 0;

    if ((strlen(net->info.alias) == length && strncmp(capture, net->info.alias, length) == 0) ||
        (strlen(net->mac) == length && g_ascii_strncasecmp(capture, net->mac, length) == 0))
        return equals + 1;
    return NULL;
}

static gboolean
start_capture(const KilnMachine *machine, const KilnNet *net, KilnNetdev *netdev, GError **error)
{
    const char *const *captures = machine->options.captures;

    for (; captures != NULL && *captures != NULL; captures++) {
        const char *file = capture_file(*captures, net);

        if (file != NULL && !kiln_netdev_capture(netdev, file, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
build_net(KilnMachine *machine, KilnNet *net, GError **error)
{
    const KilnNetDriverOptions *driver = &net->driver;
    KilnVirtioNetOptions options = {
        .id = net->info.alias,
        .memory = machine->memory,
        .n_pairs = n_pairs(net),
        .rx_queue_size = driver->rx_queue_size.set ? (uint16_t)driver->rx_queue_size.value : 0,
        .tx_queue_size = driver->tx_queue_size.set ? (uint16_t)driver->tx_queue_size.value : 0,
        .packed = driver->virtio.packed == KILN_SWITCH_ON,
        .no_event_idx = driver->event_idx == KILN_SWITCH_OFF,
        .mtu = net->mtu.set ? (uint16_t)net->mtu.value : 0,
    };
    KilnMachineNet entry = { .net = net };

    if (options.n_pairs > KILN_VIRTIO_NET_MAX_PAIRS)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "there are at most %d queue pairs",
                              KILN_VIRTIO_NET_MAX_PAIRS);
    if (!parse_mac(net->mac, options.mac))
        return kiln_error_set(error, KILN_ERROR_INVALID, "'%s' is no MAC address", net->mac);
    take_offloads(driver, &options);
    options.netdev = open_backend(net, options.mac, error);
    if (options.netdev == NULL)
        return FALSE;
    if (net->target_dev == NULL)
        net->target_dev = g_strdup(options.netdev->host_name);
    set_limits(net, options.netdev);
    if (options.mtu == 0 && options.netdev->mtu != DEFAULT_MTU &&
        options.netdev->mtu <= G_MAXUINT16)
        options.mtu = (uint16_t)options.netdev->mtu; /* a bridge of jumbo frames */
    if (!start_capture(machine, net, options.netdev, error)) {
        kiln_netdev_free(options.netdev);
        return FALSE;
    }
    entry.device = make_device(machine, net, &options, error);
    if (entry.device == NULL ||
        !kiln_machine_add_virtio(machine, entry.device, &net->info, &driver->virtio, 0, error))
        return FALSE;
    g_array_append_val(machine->nets, entry);
    if (net->link == KILN_NET_LINK_STATE_DOWN)
        kiln_virtio_net_set_link(entry.device, FALSE);
    return TRUE;
}

static gboolean
check_captures(const KilnMachine *machine, GError **error)
{
    const char *const *captures = machine->options.captures;

    for (; captures != NULL && *captures != NULL; captures++) {
        gboolean found = FALSE;

        for (guint i = 0; i < machine->domain->interfaces->len && !found; i++)
            found =
                capture_file(*captures, g_ptr_array_index(machine->domain->interfaces, i)) != NULL;
        if (!found)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "capture '%s': it begins with no interface of the guest, as in "
                                  "net0=FILE",
                                  *captures);
    }
    return TRUE;
}

gboolean
kiln_machine_build_nets(KilnMachine *machine, GError **error)
{
    if (!check_captures(machine, error))
        return FALSE;
    for (guint i = 0; i < machine->domain->interfaces->len; i++) {
        KilnNet *net = g_ptr_array_index(machine->domain->interfaces, i);
        GError *reason = NULL;

        if (!build_net(machine, net, &reason)) {
            /* Backends name it themselves. */
            if (strstr(reason->message, net->info.alias) == NULL)
                g_prefix_error(&reason, "interface '%s': ", net->info.alias);
            g_propagate_error(error, reason);
            return FALSE;
        }
    }
    return TRUE;
}
