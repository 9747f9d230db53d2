/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of the table of rules (rules.h): network interfaces. */
#include "domain/rules-tables.h"

#include <string.h>

/* ---- Conditions ------------------------------------------------------------------------------ */

/* @node is or is in an <interface>: what of its children and attributes is of other types. */
static const char *
type_of(const KilnXmlNode *node)
{
    while (node != NULL && strcmp(node->name, "interface") != 0)
        node = node->parent;
    return node != NULL ? kiln_rule_attribute(node, "type") : NULL;
}

static const char *
has_tap(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *type = type_of(node);
    static const char *const taps[] = { "bridge", "network", "ethernet", "direct", NULL };

    return type != NULL && g_strv_contains(taps, type) ? NULL
                                                       : "this type of interface has no tap device";
}

/* Those that are made here; a macvtap is not. */
static const char *
has_own_tap(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *type = type_of(node);

    return g_strcmp0(type, "bridge") == 0 || g_strcmp0(type, "ethernet") == 0
               ? NULL
               : "that is of interfaces of type 'bridge' and 'ethernet'";
}

/* @node is a <target>: two interfaces on one tap would take each other's packets. */
static const char *
target(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *name = kiln_rule_attribute(node, "dev");
    guint n = 0;

    for (guint i = 0; name != NULL && i < domain->interfaces->len; i++) {
        const KilnNet *net = g_ptr_array_index(domain->interfaces, i);

        n += g_strcmp0(net->target_dev, name) == 0 && strchr(name, '%') == NULL;
    }
    return n > 1 ? "another interface has the same <target dev=>" : has_tap(domain, node);
}

/* A passt writes a log, the others do not. */
static const char *
has_log(const KilnDomain *domain, const KilnXmlNode *node)
{
    return g_strcmp0(type_of(node), "user") == 0 ? NULL : "only type 'user' has a helper to log";
}

/* @node is a <driver>. */
static const char *
pairs(const KilnDomain *domain, const KilnXmlNode *node)
{
    enum { MAX_PAIRS = 64 };
    const char *text = kiln_rule_attribute(node, "queues");
    guint64 n = text != NULL ? g_ascii_strtoull(text, NULL, 10) : 1;

    if (n > 1 && g_strcmp0(type_of(node), "user") == 0)
        return "passt has one queue pair";
    return n <= MAX_PAIRS ? NULL : "there are 64 queue pairs at most";
}

/* Addresses of the guest can be told to a passt alone. */
static const char *
is_user(const KilnDomain *domain, const KilnXmlNode *node)
{
    return g_strcmp0(type_of(node), "user") == 0 ? NULL : "addresses are the guest's to set";
}

static const char *
queue_sizes(const KilnDomain *domain, const KilnXmlNode *node)
{
    static const char *const names[] = { "rx_queue_size", "tx_queue_size" };

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *text = kiln_rule_attribute(node, names[i]);
        guint64 size = text != NULL ? g_ascii_strtoull(text, NULL, 10) : 256;

        if (size < 256 || size > 1024 || (size & (size - 1)) != 0)
            return "queues have 256, 512 or 1024 descriptors";
    }
    return NULL;
}

/* @node is a <driver> with a name. */
static const char *
carrier(const KilnDomain *domain, const KilnXmlNode *node)
{
    return g_strcmp0(kiln_rule_attribute(node, "name"), "vhost") == 0 &&
                   kiln_rule_child(node->parent, "bandwidth") != NULL
               ? "limits of <bandwidth> are kept by kiln's own process; say name='qemu'"
               : NULL;
}

const char *
kiln_rule_rom(const KilnDomain *domain, const KilnXmlNode *node)
{
    return kiln_rule_attribute(node, "file") != NULL && strcmp(node->parent->name, "interface") != 0
               ? "only interfaces have expansion ROMs of one's own in this version"
               : NULL;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

#define NET "domain/devices/interface"

static const KilnDomainRule rules[] = {
    YES(NET),
    YES(NET "@type", .values = "bridge network ethernet user vhostuser direct null",
        .note = "the others are sockets between QEMUs and devices of the host"),
    NO(NET "@managed", "devices of the host are not interfaces in this version"),
    YES(NET "@trustGuestRxFilters", .values = "no",
        .note = "what the guest asks its adapter for stays in the guest"),
    YES(NET "/mac"),
    YES(NET "/mac@address"),
    KEPT(NET "/mac@type", "says who chose the address"),
    KEPT(NET "/mac@check", "says who may have chosen the address"),
    YES(NET "/source"),
    YES(NET "/source@network", .note = "libvirt is asked what it is"),
    NO(NET "/source@portgroup", "port groups are not available in this version"),
    NO(NET "/source@portid", "said of a running guest"),
    YES(NET "/source@bridge"),
    YES(NET "/source@macTableManager", .values = "kernel",
        .note = "the kernel learns addresses of a bridge"),
    YES(NET "/source@dev"),
    YES(NET "/source@mode"),
    YES(NET "/source@type", .values = "unix", .note = "vhost-user is spoken over unix sockets"),
    YES(NET "/source@path"),
    NO(NET "/source/reconnect", "a back end that went away is not waited for in this version"),
    NO(NET "/source/ip", "addresses of the host's side are the host's to set"),
    NO(NET "/source/route", "routes of the host's side are the host's to set"),
    NO(NET "/virtualport",
       "switches that have to be told of ports are not available in this version"),
    YES(NET "/ip", .check = is_user, .note = "what passt gives the guest by DHCP"),
    NO(NET "/ip@peer", "that is of containers"),
    YES(NET "/ip@*"),
    NO(NET "/route", "routes are the guest's to set"),
    YES(NET "/portForward", .check = is_user),
    YES(NET "/portForward@*"),
    YES(NET "/portForward/range"),
    YES(NET "/portForward/range@*"),
    YES(NET "/script", .check = has_own_tap),
    YES(NET "/script@path"),
    YES(NET "/downscript", .check = has_own_tap),
    YES(NET "/downscript@path"),
    YES(NET "/target", .check = target),
    YES(NET "/target@dev"),
    YES(NET "/target@managed"),
    NO(NET "/guest", "names in the guest are of containers"),
    YES(NET "/model"),
    YES(NET "/model@type", .values = "virtio virtio-non-transitional",
        .note = "other adapters than virtio-net are not available in this version"),
    YES(NET "/backend"),
    YES(NET "/backend@type", .values = "passt", .note = "type 'user' is always done by passt"),
    YES(NET "/backend@tap", .check = has_own_tap),
    YES(NET "/backend@vhost", .check = has_tap),
    YES(NET "/backend@logFile", .check = has_log),
    YES(NET "/driver", .check = queue_sizes),
    YES(NET "/driver@name", .values = "qemu vhost", .check = carrier,
        .note = "qemu is this process, vhost the host's kernel"),
    YES(NET "/driver@queues", .check = pairs),
    YES(NET "/driver@rx_queue_size"),
    YES(NET "/driver@tx_queue_size"),
    KEPT(NET "/driver@txmode", "packets are sent as they come"),
    YES(NET "/driver@ioeventfd", .values = "on", .note = "doorbells are always eventfds"),
    YES(NET "/driver@event_idx"),
    YES(NET "/driver@rss", .values = "off",
        .note = "receive-side scaling by hash is not available in this version"),
    YES(NET "/driver@rss_hash_report", .values = "off",
        .note = "receive-side scaling by hash is not available in this version"),
    VIRTIO_DRIVER(NET "/driver"),
    YES(NET "/driver/host"),
    YES(NET "/driver/host@*"),
    YES(NET "/driver/guest"),
    YES(NET "/driver/guest@*"),
    NO(NET "/filterref", "network filters are libvirt's, through virtkilnd, which is not available "
                         "in this version"),
    YES(NET "/tune"),
    YES(NET "/tune/sndbuf", .check = has_own_tap),
    YES(NET "/link"),
    YES(NET "/link@state"),
    YES(NET "/mtu"),
    YES(NET "/mtu@size"),
    YES(NET "/bandwidth"),
    YES(NET "/bandwidth/inbound"),
    NO(NET "/bandwidth/inbound@floor", "a guaranteed share is of libvirt's networks"),
    YES(NET "/bandwidth/inbound@*"),
    YES(NET "/bandwidth/outbound"),
    YES(NET "/bandwidth/outbound@*"),
    NO(NET "/vlan", "VLAN tags are of switches that have to be told of ports, and not available in "
                    "this version"),
    NO(NET "/coalesce", "coalescing on the host's side is not available in this version"),
    YES(NET "/port"),
    YES(NET "/port@isolated", .values = "no",
        .note = "isolated ports are not available in this version"),
    NO(NET "/teaming", "teaming is not available in this version"),
    PCI_DEVICE(NET),
};

const KilnRuleTable kiln_rules_net = KILN_RULE_TABLE(rules);
