/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See tap.h.  The descriptors' way through the kernel is in tun(4)'s ioctls, linux/if_tun.h. */
#include "net/tap.h"

#include "base/error.h"
#include "base/process.h"
#include "net/afterwards.h"
#include "net/bridge-helper.h"
#include "net/packet-fd.h"
#include "net/packet-ring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20 /* Linux 6.2 */
#define TUN_F_USO6 0x40
#endif

enum {
    SCRIPT_MS = 30000,
    /* Who was killed leaves its tap to the kernel, which closes it when it has taken its io_uring
     * apart: in 30 ms, or in 400 on a busy machine. */
    BUSY_TRIES = 60,
    BUSY_WAIT_US = 50000,
};

typedef struct {
    KilnNetdev netdev;
    KilnFd fds[KILN_NETDEV_MAX_QUEUES];            /* (owned) */
    KilnPacketRing *rings[KILN_NETDEV_MAX_QUEUES]; /* (owned) (nullable) */
    unsigned n_enabled;
    gboolean multi_queue;
    KilnAfterwards *afterwards; /* (owned) (nullable): down script, deletion */
} Tap;

/* ---- data ---- */

static int
tap_send(KilnNetdev *netdev, unsigned queue, const KilnNetPacket *packets, unsigned n)
{
    Tap *tap = (Tap *)netdev;

    if (tap->rings[queue] != NULL)
        return kiln_packet_ring_send(tap->rings[queue], packets, n);
    return kiln_packet_fd_send(tap->fds[queue], packets, n);
}

static int
tap_receive(KilnNetdev *netdev, unsigned queue, KilnNetPacket *packets, unsigned n)
{
    Tap *tap = (Tap *)netdev;

    if (tap->rings[queue] != NULL)
        return kiln_packet_ring_receive(tap->rings[queue], packets, n);
    return kiln_packet_fd_receive(tap->fds[queue], packets, n);
}

static int
tap_fd(KilnNetdev *netdev, unsigned queue)
{
    return ((Tap *)netdev)->fds[queue];
}

/* ---- offloads ---- */

static unsigned
tun_flags(unsigned offloads)
{
    static const struct {
        unsigned offload;
        unsigned flags;
    } pairs[] = {
        { KILN_NETDEV_CSUM, TUN_F_CSUM }, { KILN_NETDEV_TSO4, TUN_F_TSO4 },
        { KILN_NETDEV_TSO6, TUN_F_TSO6 }, { KILN_NETDEV_ECN, TUN_F_TSO_ECN },
        { KILN_NETDEV_UFO, TUN_F_UFO },   { KILN_NETDEV_USO, TUN_F_USO4 | TUN_F_USO6 },
    };
    unsigned flags = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(pairs); i++)
        if ((offloads & pairs[i].offload) != 0)
            flags |= pairs[i].flags;
    return flags;
}

static void
tap_set_offloads(KilnNetdev *netdev, unsigned offloads)
{
    Tap *tap = (Tap *)netdev;

    if ((offloads & KILN_NETDEV_CSUM) == 0)
        offloads = 0; /* all others stand on it */
    /* they are the interface's, whichever queue they are set by */
    (void)ioctl(tap->fds[0], TUNSETOFFLOAD, tun_flags(offloads));
}

/* Which offloads this kernel knows: it refuses those that it does not. */
static unsigned
probe_offloads(int fd)
{
    static const unsigned optional[] = { KILN_NETDEV_UFO, KILN_NETDEV_USO };
    unsigned known = KILN_NETDEV_CSUM | KILN_NETDEV_TSO4 | KILN_NETDEV_TSO6 | KILN_NETDEV_ECN;

    if (ioctl(fd, TUNSETOFFLOAD, tun_flags(known)) < 0)
        return 0;
    for (unsigned i = 0; i < G_N_ELEMENTS(optional); i++)
        if (ioctl(fd, TUNSETOFFLOAD, tun_flags(known | optional[i])) == 0)
            known |= optional[i];
    (void)ioctl(fd, TUNSETOFFLOAD, 0);
    return known;
}

/* ---- queues ---- */

static void
tap_enable(KilnNetdev *netdev, unsigned n_queues)
{
    Tap *tap = (Tap *)netdev;

    for (unsigned i = 1; tap->multi_queue && i < netdev->n_queues; i++) {
        struct ifreq ifr = { .ifr_flags = i < n_queues ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

        if ((i < n_queues) != (i < tap->n_enabled))
            (void)ioctl(tap->fds[i], TUNSETQUEUE, &ifr);
    }
    tap->n_enabled = n_queues;
}

static void
tap_free(KilnNetdev *netdev)
{
    Tap *tap = (Tap *)netdev;

    for (unsigned i = 0; i < netdev->n_queues; i++) {
        kiln_packet_ring_free(tap->rings[i]);
        kiln_fd_clear(&tap->fds[i]);
    }
    kiln_afterwards_free(tap->afterwards);
    g_free(tap);
}

static const KilnNetdevOps tap_ops = {
    .name = "tap",
    .send = tap_send,
    .receive = tap_receive,
    .fd = tap_fd,
    .set_offloads = tap_set_offloads,
    .enable = tap_enable,
    .free = tap_free,
};

/* ---- opening ---- */

static Tap *
tap_new(const char *id, unsigned n_queues)
{
    Tap *tap = g_new0(Tap, 1);

    for (unsigned i = 0; i < KILN_NETDEV_MAX_QUEUES; i++)
        tap->fds[i] = -1;
    kiln_netdev_init(&tap->netdev, &tap_ops, id, n_queues);
    tap->netdev.tap = TRUE;
    tap->n_enabled = n_queues;
    return tap;
}

static KilnFd
open_device(const char *device, GError **error)
{
    KilnFd fd = kiln_open(device, O_RDWR | O_NONBLOCK, 0, error);

    if (fd < 0 && access(device, F_OK) != 0)
        g_prefix_error(error, "no taps on this host ('modprobe tun' loads their driver): ");
    return fd;
}

static int
set_interface(int fd, struct ifreq *ifr)
{
    for (unsigned i = 0; ioctl(fd, TUNSETIFF, ifr) < 0; i++) {
        if (errno != EBUSY || i == BUSY_TRIES)
            return -1;
        g_usleep(BUSY_WAIT_US);
    }
    return 0;
}

/* One more queue of the tap @name, which is made by the first; it gets the name that came of it. */
static KilnFd
open_queue(const KilnTapOptions *options, short flags, char name[IFNAMSIZ], GError **error)
{
    const char *device = options->device != NULL ? options->device : "/dev/net/tun";
    g_auto(KilnFd) fd = -1;
    struct ifreq ifr = { .ifr_flags = flags };
    int errnum;

    fd = open_device(device, error);
    if (fd < 0)
        return -1;
    g_strlcpy(ifr.ifr_name, name, IFNAMSIZ);
    if (set_interface(fd, &ifr) == 0) {
        memcpy(name, ifr.ifr_name, IFNAMSIZ);
        return kiln_fd_steal(&fd);
    }
    errnum = errno;
    if (errnum == EPERM)
        kiln_error_set(error, KILN_ERROR_PERMISSION,
                       "user %u may not %s tap '%s': that takes CAP_NET_ADMIN, or a tap that was "
                       "made for the user ('ip tuntap add dev NAME mode tap user %u') and "
                       "<target dev='NAME' managed='no'/>",
                       (unsigned)geteuid(), options->existing ? "use" : "make", name,
                       (unsigned)geteuid());
    else if (errnum == EBUSY)
        kiln_error_set(error, KILN_ERROR_EXISTS, "tap '%s' is in use by another process", name);
    else if (errnum == EINVAL && options->existing)
        kiln_error_set(error, KILN_ERROR_INVALID,
                       "interface '%s' is no tap, or has another number of queues "
                       "('ip tuntap add … multi_queue')",
                       name);
    else
        kiln_error_set_errno(error, errnum, "cannot open tap '%s'", name);
    return -1;
}

/* Header size and order of bytes, which the device counts on; the socket's buffer. */
static gboolean
prepare_queue(int fd, uint32_t sndbuf, GError **error)
{
    int header = KILN_NETDEV_HEADER;
    int little_endian = 1;
    int send_buffer = sndbuf != 0 ? (int)MIN(sndbuf, (uint32_t)G_MAXINT) : G_MAXINT;
    struct ifreq ifr = { 0 };

    if (ioctl(fd, TUNGETIFF, &ifr) < 0)
        return kiln_error_set_errno(error, errno, "descriptor %d is no tap", fd);
    if ((ifr.ifr_flags & IFF_VNET_HDR) == 0)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "tap '%s' was opened without virtio-net headers", ifr.ifr_name);
    if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0 || ioctl(fd, TUNSETVNETLE, &little_endian) < 0)
        return kiln_error_set_errno(error, errno, "tap '%s': cannot set its header", ifr.ifr_name);
    (void)ioctl(fd, TUNSETSNDBUF, &send_buffer); /* macvtap's has less meaning, and may refuse */
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
        return kiln_error_set_errno(error, errno, "tap '%s'", ifr.ifr_name);
    return TRUE;
}

/* What is asked of the descriptors, when all of them are there. */
static gboolean
finish(Tap *tap, uint32_t sndbuf, gboolean no_ring, GError **error)
{
    struct ifreq ifr = { 0 };

    for (unsigned i = 0; i < tap->netdev.n_queues; i++) {
        if (!prepare_queue(tap->fds[i], sndbuf, error))
            return FALSE;
        if (sndbuf == 0 && !no_ring) /* with a limit packets wait for room, in their order */
            tap->rings[i] = kiln_packet_ring_new(tap->fds[i]);
    }
    tap->netdev.offloads = probe_offloads(tap->fds[0]);
    if (ioctl(tap->fds[0], TUNGETIFF, &ifr) == 0) {
        tap->netdev.host_name = g_strndup(ifr.ifr_name, IFNAMSIZ);
        tap->multi_queue = (ifr.ifr_flags & IFF_MULTI_QUEUE) != 0;
    }
    tap->netdev.mtu = kiln_interface_mtu(tap->netdev.host_name);
    return TRUE;
}

static gboolean
host_side(const KilnTapOptions *options, const char *name, GError **error)
{
    uint32_t mtu = options->mtu;

    if (mtu == 0 && options->bridge != NULL)
        mtu = kiln_interface_mtu(options->bridge);
    if (options->mac != NULL) {
        uint8_t mac[6];

        memcpy(mac, options->mac, sizeof mac);
        mac[0] = 0xfe; /* so that a bridge does not take it for its own: it takes the lowest */
        if (!kiln_interface_set_mac(name, mac, error))
            return FALSE;
    }
    if (mtu != 0 && !kiln_interface_set_mtu(name, mtu, error))
        return FALSE;
    if (options->bridge != NULL && !kiln_interface_join(name, options->bridge, error))
        return FALSE;
    if (options->isolated && !kiln_interface_isolate(name, error))
        return FALSE;
    return options->link_down || kiln_interface_set_up(name, TRUE, error);
}

static gboolean
run_scripts(Tap *tap, const KilnTapOptions *options, const char *name, GError **error)
{
    const char *up[] = { options->script, name, NULL };
    const char *down[] = { options->down_script, name, NULL };

    if (options->script != NULL && *options->script != '\0' &&
        !kiln_process_run(up, SCRIPT_MS, error))
        return FALSE;
    if (options->down_script != NULL && *options->down_script != '\0') {
        tap->afterwards = kiln_afterwards_new(down, error);
        if (tap->afterwards == NULL)
            return FALSE;
    }
    return TRUE;
}

static gboolean
open_own(Tap *tap, const KilnTapOptions *options, GError **error)
{
    short flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    char name[IFNAMSIZ] = "vnet%d";

    if (options->name != NULL)
        g_strlcpy(name, options->name, sizeof name);
    if (tap->netdev.n_queues > 1)
        flags |= IFF_MULTI_QUEUE;
    for (unsigned i = 0; i < tap->netdev.n_queues; i++) {
        tap->fds[i] = open_queue(options, flags, name, error);
        if (tap->fds[i] < 0)
            return FALSE;
    }
    if (!options->existing && !host_side(options, name, error))
        return FALSE;
    return run_scripts(tap, options, name, error);
}

static gboolean
open_by_helper(Tap *tap, const KilnTapOptions *options, GError **error)
{
    if (tap->netdev.n_queues > 1)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "several queues take CAP_NET_ADMIN: the helper that attaches taps to "
                              "bridges for users makes taps of one");
    tap->fds[0] = kiln_bridge_helper_open(options->helper, options->bridge, error);
    return tap->fds[0] >= 0;
}

static gboolean
open_descriptors(Tap *tap, const KilnTapOptions *options, GError **error)
{
    g_autoptr(GError) own = NULL;

    if (options->bridge != NULL && !kiln_interface_is_bridge(options->bridge))
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND,
                              kiln_interface_index(options->bridge) != 0
                                  ? "interface '%s' is not a bridge"
                                  : "bridge '%s' does not exist",
                              options->bridge);
    if (options->bridge == NULL || options->existing)
        return open_own(tap, options, error);
    if (open_own(tap, options, &own))
        return TRUE;
    if (!g_error_matches(own, KILN_ERROR, KILN_ERROR_PERMISSION) || geteuid() == 0) {
        g_propagate_error(error, g_steal_pointer(&own));
        return FALSE;
    }
    kiln_fd_clear(&tap->fds[0]);
    return open_by_helper(tap, options, error);
}

KilnNetdev *
kiln_tap_open(const KilnTapOptions *options, GError **error)
{
    unsigned n_queues = MAX(options->n_queues, 1);
    g_autoptr(KilnNetdev) netdev = NULL;
    Tap *tap;

    if (n_queues > KILN_NETDEV_MAX_QUEUES ||
        (options->name != NULL && !kiln_interface_name_valid(options->name))) {
        kiln_error_set(error, KILN_ERROR_INVALID, "interface '%s': tap '%s' of %u queues cannot be",
                       options->id, options->name, n_queues);
        return NULL;
    }
    tap = tap_new(options->id, n_queues);
    netdev = &tap->netdev;
    if (options->fds != NULL)
        memcpy(tap->fds, options->fds, n_queues * sizeof *options->fds);
    if ((options->fds == NULL && !open_descriptors(tap, options, error)) ||
        !finish(tap, options->sndbuf, options->no_ring, error)) {
        g_prefix_error(error, "interface '%s': ", options->id);
        return NULL;
    }
    return g_steal_pointer(&netdev);
}

/* ---- macvtap ---- */

/* Makes @options' macvtap, or the first free macvtapN; writes the name. */
static gboolean
macvtap_make(const KilnMacvtapOptions *options, char name[IFNAMSIZ], GError **error)
{
    static const uint8_t none[6] = { 0x52, 0x54, 0x00, 0, 0, 1 };
    const uint8_t *mac = options->mac != NULL ? options->mac : none;

    if (options->name != NULL) {
        g_strlcpy(name, options->name, IFNAMSIZ);
        return kiln_interface_add_macvtap(name, options->lower, options->mode, mac, error);
    }
    for (unsigned i = 0; i < 8192; i++) {
        g_autoptr(GError) local = NULL;

        g_snprintf(name, IFNAMSIZ, "macvtap%u", i);
        if (kiln_interface_index(name) != 0)
            continue;
        if (kiln_interface_add_macvtap(name, options->lower, options->mode, mac, &local))
            return TRUE;
        if (!g_error_matches(local, KILN_ERROR, KILN_ERROR_EXISTS)) {
            g_propagate_error(error, g_steal_pointer(&local));
            return FALSE;
        }
    }
    return kiln_error_set(error, KILN_ERROR_FAILED, "no name macvtapN is free");
}

/* A macvtap's node, by its number: udev has made it, or we make one for as long as it is opened. */
static char *
macvtap_node(const char *name, gboolean *made, GError **error)
{
    unsigned index = kiln_interface_index(name);
    g_autofree char *node = g_strdup_printf("/dev/tap%u", index);
    g_autofree char *path = g_strdup_printf("/sys/class/net/%s/tap%u/dev", name, index);
    g_autofree char *numbers = NULL;
    unsigned numbers_of[2] = { 0, 0 };
    char *rest;

    *made = FALSE;
    if (access(node, F_OK) == 0)
        return g_steal_pointer(&node);
    if (!g_file_get_contents(path, &numbers, NULL, error)) {
        g_prefix_error(error, "interface '%s' is no macvtap: ", name);
        return NULL;
    }
    numbers_of[0] = (unsigned)g_ascii_strtoull(numbers, &rest, 10);
    if (*rest == ':')
        numbers_of[1] = (unsigned)g_ascii_strtoull(rest + 1, NULL, 10);
    if (mknod(node, S_IFCHR | 0600, makedev(numbers_of[0], numbers_of[1])) < 0) {
        kiln_error_set_errno(error, errno, "cannot make '%s'", node);
        return NULL;
    }
    *made = TRUE;
    return g_steal_pointer(&node);
}

static gboolean
macvtap_queues(Tap *tap, const char *name, const char *node, GError **error)
{
    short flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;

    if (tap->netdev.n_queues > 1)
        flags |= IFF_MULTI_QUEUE;
    for (unsigned i = 0; i < tap->netdev.n_queues; i++) {
        struct ifreq ifr = { .ifr_flags = flags };

        tap->fds[i] = kiln_open(node, O_RDWR | O_NONBLOCK, 0, error);
        if (tap->fds[i] < 0)
            return FALSE;
        if (ioctl(tap->fds[i], TUNSETIFF, &ifr) < 0)
            return kiln_error_set_errno(error, errno, "macvtap '%s': cannot set it up", name);
    }
    return finish(tap, 0, FALSE, error);
}

static gboolean
macvtap_attach(Tap *tap, const char *name, GError **error)
{
    gboolean made;
    gboolean good;
    g_autofree char *node = macvtap_node(name, &made, error);

    if (node == NULL)
        return FALSE;
    good = macvtap_queues(tap, name, node, error);
    if (made)
        (void)unlink(node);
    return good;
}

static gboolean
macvtap_open(Tap *tap, const KilnMacvtapOptions *options, GError **error)
{
    char name[IFNAMSIZ] = "";
    const char *delete[] = { "ip", "link", "delete", "dev", name, NULL };

    if (options->existing) {
        g_strlcpy(name, options->name, sizeof name);
        return macvtap_attach(tap, name, error);
    }
    if (!macvtap_make(options, name, error))
        return FALSE;
    tap->afterwards = kiln_afterwards_new(delete, error);
    if (tap->afterwards == NULL) {
        (void)kiln_interface_delete(name, NULL);
        return FALSE;
    }
    if (options->mtu != 0 && !kiln_interface_set_mtu(name, options->mtu, error))
        return FALSE;
    return kiln_interface_set_up(name, TRUE, error) && macvtap_attach(tap, name, error);
}

KilnNetdev *
kiln_macvtap_open(const KilnMacvtapOptions *options, GError **error)
{
    unsigned n_queues = MAX(options->n_queues, 1);
    g_autoptr(KilnNetdev) netdev = NULL;
    Tap *tap;

    if (n_queues > KILN_NETDEV_MAX_QUEUES ||
        (options->name != NULL && !kiln_interface_name_valid(options->name))) {
        kiln_error_set(error, KILN_ERROR_INVALID,
                       "interface '%s': macvtap '%s' of %u queues cannot be", options->id,
                       options->name, n_queues);
        return NULL;
    }
    tap = tap_new(options->id, n_queues);
    netdev = &tap->netdev;
    if (!macvtap_open(tap, options, error)) {
        g_prefix_error(error, "interface '%s': ", options->id);
        return NULL;
    }
    return g_steal_pointer(&netdev);
}
