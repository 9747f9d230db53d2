/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See interface.h. */
#include "net/interface.h"

#include "base/error.h"
#include "base/fd.h"

#include <net/if.h> /* before the kernel's headers, which then leave out the same */

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 1024 };

/* A netlink message that is being written; too long a one is our mistake. */
typedef struct {
    union {
        struct nlmsghdr header;
        uint8_t bytes[MESSAGE_BYTES];
    };
} Message;

gboolean
kiln_interface_name_valid(const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length >= IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return FALSE;
    for (; *name != '\0'; name++)
        if (*name == '/' || *name == ':' || g_ascii_isspace(*name))
            return FALSE;
    return TRUE;
}

unsigned
kiln_interface_index(const char *name)
{
    return if_nametoindex(name);
}

gboolean
kiln_interface_is_bridge(const char *name)
{
    g_autofree char *path = g_strdup_printf("/sys/class/net/%s/bridge", name);

    return kiln_interface_name_valid(name) && access(path, F_OK) == 0;
}

/* One ioctl of netdevice(7) on @name.  Returns 0 or an errno. */
static int
control(const char *name, unsigned long request, struct ifreq *ifr)
{
    g_auto(KilnFd) fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* any will do */
    if (fd < 0)
        return errno;
    g_strlcpy(ifr->ifr_name, name, IFNAMSIZ);
    return ioctl(fd, request, ifr) < 0 ? errno : 0;
}

static gboolean
failed(int errnum, const char *what, const char *name, GError **error)
{
    if (errnum == 0)
        return TRUE;
    if (errnum == EPERM || errnum == EACCES)
        return kiln_error_set(error, KILN_ERROR_PERMISSION,
                              "cannot %s of interface '%s': that takes CAP_NET_ADMIN", what, name);
    return kiln_error_set_errno(error, errnum, "cannot %s of interface '%s'", what, name);
}

uint32_t
kiln_interface_mtu(const char *name)
{
    struct ifreq ifr = { 0 };

    return control(name, SIOCGIFMTU, &ifr) == 0 && ifr.ifr_mtu > 0 ? (uint32_t)ifr.ifr_mtu : 0;
}

gboolean
kiln_interface_set_mtu(const char *name, uint32_t mtu, GError **error)
{
    struct ifreq ifr = { .ifr_mtu = (int)MIN(mtu, (uint32_t)G_MAXINT) };

    return failed(control(name, SIOCSIFMTU, &ifr), "set the MTU", name, error);
}

gboolean
kiln_interface_set_mac(const char *name, const uint8_t mac[6], GError **error)
{
    struct ifreq ifr = { .ifr_hwaddr.sa_family = ARPHRD_ETHER };

    memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
    return failed(control(name, SIOCSIFHWADDR, &ifr), "set the address", name, error);
}

gboolean
kiln_interface_get_mac(const char *name, uint8_t mac[6], GError **error)
{
    struct ifreq ifr = { 0 };

    if (!failed(control(name, SIOCGIFHWADDR, &ifr), "read the address", name, error))
        return FALSE;
    memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
    return TRUE;
}

gboolean
kiln_interface_set_up(const char *name, gboolean up, GError **error)
{
    struct ifreq ifr = { 0 };
    int errnum = control(name, SIOCGIFFLAGS, &ifr);

    if (errnum == 0 && ((ifr.ifr_flags & IFF_UP) != 0) == up)
        return TRUE; /* which needs no privilege */
    if (errnum == 0) {
        ifr.ifr_flags = (short)(up ? ifr.ifr_flags | IFF_UP : ifr.ifr_flags & ~IFF_UP);
        errnum = control(name, SIOCSIFFLAGS, &ifr);
    }
    return failed(errnum, "change the state", name, error);
}

gboolean
kiln_interface_join(const char *name, const char *bridge, GError **error)
{
    struct ifreq ifr = { .ifr_ifindex = (int)if_nametoindex(name) };
    int errnum;

    if (if_nametoindex(bridge) == 0)
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND,
                              "bridge '%s' does not exist ('ip link add %s type bridge' makes one)",
                              bridge, bridge);
    if (!kiln_interface_is_bridge(bridge))
        return kiln_error_set(error, KILN_ERROR_INVALID, "interface '%s' is not a bridge", bridge);
    errnum = control(bridge, SIOCBRADDIF, &ifr);
    if (errnum == EPERM || errnum == EACCES)
        return kiln_error_set(error, KILN_ERROR_PERMISSION,
                              "cannot add '%s' to bridge '%s': that takes CAP_NET_ADMIN", name,
                              bridge);
    if (errnum != 0)
        return kiln_error_set_errno(error, errnum, "cannot add '%s' to bridge '%s'", name, bridge);
    return TRUE;
}

gboolean
kiln_interface_isolate(const char *name, GError **error)
{
    g_autofree char *path = g_strdup_printf("/sys/class/net/%s/brport/isolated", name);
    g_auto(KilnFd) fd = kiln_open(path, O_WRONLY, 0, error);
    int result;

    if (fd < 0)
        return FALSE;
    result = kiln_write_full(fd, "1", 1, -1);
    return failed(-result, "isolate the port", name, error);
}

/* ---- rtnetlink ---- */

static void
message_init(Message *message, uint16_t type, uint16_t flags, const struct ifinfomsg *info)
{
    memset(message, 0, sizeof *message);
    message->header.nlmsg_type = type;
    message->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    message->header.nlmsg_len = NLMSG_LENGTH(sizeof *info);
    memcpy(NLMSG_DATA(&message->header), info, sizeof *info);
}

/* Returns where the attribute begins, for message_end(). */
static uint32_t
message_add(Message *message, uint16_t type, const void *data, size_t length)
{
    uint32_t at = NLMSG_ALIGN(message->header.nlmsg_len);
    struct rtattr attribute = { .rta_type = type, .rta_len = (uint16_t)RTA_LENGTH(length) };

    g_assert(at + RTA_SPACE(length) <= MESSAGE_BYTES);
    memcpy(message->bytes + at, &attribute, sizeof attribute);
    if (length > 0)
        memcpy(message->bytes + at + RTA_LENGTH(0), data, length);
    message->header.nlmsg_len = at + (uint32_t)RTA_SPACE(length);
    return at;
}

/* What was added since @at is inside of the attribute there. */
static void
message_end(Message *message, uint32_t at)
{
    uint16_t length = (uint16_t)(message->header.nlmsg_len - at);

    memcpy(message->bytes + at + G_STRUCT_OFFSET(struct rtattr, rta_len), &length, sizeof length);
}

/* Sends it and waits for the kernel's answer.  Returns 0 or an errno. */
static int
message_send(Message *message)
{
    g_auto(KilnFd) fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    union {
        struct nlmsghdr header;
        uint8_t bytes[4096];
    } answer;
    struct nlmsgerr result;
    ssize_t n;

    if (fd < 0 || sendto(fd, message->bytes, message->header.nlmsg_len, 0,
                         (struct sockaddr *)&kernel, sizeof kernel) < 0)
        return errno;
    n = recv(fd, answer.bytes, sizeof answer.bytes, 0);
    if (n < 0)
        return errno;
    if (n < (ssize_t)NLMSG_LENGTH(sizeof result) || answer.header.nlmsg_type != NLMSG_ERROR)
        return EPROTO;
    memcpy(&result, NLMSG_DATA(&answer.header), sizeof result);
    return -result.error;
}

gboolean
kiln_interface_add_macvtap(const char *name, const char *lower, KilnMacvtapMode mode,
                           const uint8_t mac[6], GError **error)
{
    struct ifinfomsg info = { 0 };
    uint32_t lower_index = if_nametoindex(lower);
    uint32_t mode_value = mode;
    Message message;
    uint32_t link_info;
    uint32_t data;
    int errnum;

    if (lower_index == 0)
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND, "host interface '%s' does not exist",
                              lower);
    message_init(&message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info);
    message_add(&message, IFLA_IFNAME, name, strlen(name) + 1);
    message_add(&message, IFLA_LINK, &lower_index, sizeof lower_index);
    message_add(&message, IFLA_ADDRESS, mac, 6);
    link_info = message_add(&message, IFLA_LINKINFO, NULL, 0);
    message_add(&message, IFLA_INFO_KIND, "macvtap", strlen("macvtap"));
    data = message_add(&message, IFLA_INFO_DATA, NULL, 0);
    message_add(&message, IFLA_MACVLAN_MODE, &mode_value, sizeof mode_value);
    message_end(&message, data);
    message_end(&message, link_info);
    errnum = message_send(&message);
    if (errnum == EPERM)
        return kiln_error_set(error, KILN_ERROR_PERMISSION,
                              "cannot make a macvtap over '%s': that takes CAP_NET_ADMIN", lower);
    if (errnum == EOPNOTSUPP)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "cannot make a macvtap over '%s': the host's kernel has no macvtap",
                              lower);
    if (errnum != 0)
        return kiln_error_set_errno(error, errnum, "cannot make macvtap '%s' over '%s'", name,
                                    lower);
    return TRUE;
}

gboolean
kiln_interface_delete(const char *name, GError **error)
{
    struct ifinfomsg info = { .ifi_index = (int)if_nametoindex(name) };
    Message message;

    if (info.ifi_index == 0)
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND, "interface '%s' does not exist", name);
    message_init(&message, RTM_DELLINK, 0, &info);
    return failed(message_send(&message), "delete the device", name, error);
}
