/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See addresses.h. */
#include "ops/addresses.h"

#include <gio/gio.h>
#include <ifaddrs.h>
#include <json-glib/json-glib.h>
#include <libvirt/libvirt.h>
#include <netinet/in.h>
#include <string.h>

#define LEASES "/var/lib/libvirt/dnsmasq"

enum { ARP_COMPLETE = 2 /* ATF_COM, linux/if_arp.h */, MAX_STATUS_BYTES = 1024 * 1024 };

typedef struct {
    char *name;        /* (owned) */
    char *mac;         /* (owned) */
    GArray *addresses; /* (owned) of remote_domain_ip_addr, whose texts are owned */
} Interface;

static void
clear_address(gpointer address)
{
    g_free(((remote_domain_ip_addr *)address)->addr);
}

static void
interface_free(gpointer data)
{
    Interface *interface = data;

    g_free(interface->name);
    g_free(interface->mac);
    g_array_unref(interface->addresses);
    g_free(interface);
}

GPtrArray *
kiln_addresses_of_new(void)
{
    return g_ptr_array_new_with_free_func(interface_free);
}

void
kiln_addresses_add(GPtrArray *interfaces, const char *name, const char *mac)
{
    Interface *interface = g_new(Interface, 1);

    interface->name = g_strdup(name != NULL ? name : mac);
    interface->mac = g_strdup(mac);
    interface->addresses = g_array_new(FALSE, FALSE, sizeof(remote_domain_ip_addr));
    g_array_set_clear_func(interface->addresses, clear_address);
    g_ptr_array_add(interfaces, interface);
}

void
kiln_addresses_found(GPtrArray *interfaces, const char *mac, const char *address, guint prefix)
{
    for (guint i = 0; i < interfaces->len; i++) {
        Interface *interface = g_ptr_array_index(interfaces, i);
        remote_domain_ip_addr found = {
            .type = strchr(address, ':') != NULL ? VIR_IP_ADDR_TYPE_IPV6 : VIR_IP_ADDR_TYPE_IPV4,
            .prefix = prefix,
        };

        if (g_ascii_strcasecmp(interface->mac, mac) != 0 ||
            interface->addresses->len >= REMOTE_DOMAIN_IP_ADDR_MAX)
            continue;
        found.addr = g_strdup(address);
        g_array_append_val(interface->addresses, found);
    }
}

guint
kiln_addresses_count(GPtrArray *interfaces, guint i)
{
    return ((const Interface *)g_ptr_array_index(interfaces, i))->addresses->len;
}

/* Lines of: address, hardware type, flags, hardware address, mask, device (proc(5)). */
void
kiln_addresses_read_arp(GPtrArray *interfaces, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (char **line = lines; *line != NULL && line[1] != NULL; line++) {
        g_autoptr(GPtrArray) words = g_ptr_array_new();
        char *rest = line[1];
        char *word;

        while ((word = strsep(&rest, " \t")) != NULL)
            if (word[0] != '\0')
                g_ptr_array_add(words, word);
        if (words->len >= 6 && (g_ascii_strtoull(words->pdata[2], NULL, 16) & ARP_COMPLETE) != 0)
            kiln_addresses_found(interfaces, words->pdata[3], words->pdata[0], 0);
    }
}

static const char *
text_member(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);

    return node != NULL && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_string(node) : NULL;
}

static gint64
number_member(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);

    return node != NULL && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_int(node) : 0;
}

void
kiln_addresses_read_leases(GPtrArray *interfaces, const char *text, gint64 now)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonNode *root;
    JsonArray *leases;

    if (!json_parser_load_from_data(parser, text, -1, NULL))
        return;
    root = json_parser_get_root(parser);
    if (root == NULL || !JSON_NODE_HOLDS_ARRAY(root))
        return;
    leases = json_node_get_array(root);
    for (guint i = 0; i < json_array_get_length(leases); i++) {
        JsonNode *node = json_array_get_element(leases, i);
        JsonObject *lease = JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
        const char *mac = lease != NULL ? text_member(lease, "mac-address") : NULL;
        const char *address = lease != NULL ? text_member(lease, "ip-address") : NULL;
        gint64 until = lease != NULL ? number_member(lease, "expiry-time") : 0;

        if (mac != NULL && address != NULL && (until == 0 || until > now))
            kiln_addresses_found(interfaces, mac, address, 0);
    }
}

/* The length of @mask, if @host is an address in the same network as @address; else 0. */
static guint
prefix_in(const GInetAddress *address, const struct ifaddrs *host)
{
    gsize size = g_inet_address_get_native_size((GInetAddress *)address);
    const guint8 *bytes = g_inet_address_to_bytes((GInetAddress *)address);
    int family = g_inet_address_get_family((GInetAddress *)address) == G_SOCKET_FAMILY_IPV4
                     ? AF_INET
                     : AF_INET6;
    const guint8 *own, *mask;
    guint prefix = 0;

    if (host->ifa_addr == NULL || host->ifa_netmask == NULL || host->ifa_addr->sa_family != family)
        return 0;
    own = family == AF_INET ? (void *)&((struct sockaddr_in *)host->ifa_addr)->sin_addr
                            : (void *)&((struct sockaddr_in6 *)host->ifa_addr)->sin6_addr;
    mask = family == AF_INET ? (void *)&((struct sockaddr_in *)host->ifa_netmask)->sin_addr
                             : (void *)&((struct sockaddr_in6 *)host->ifa_netmask)->sin6_addr;
    for (gsize i = 0; i < size; i++) {
        if (((bytes[i] ^ own[i]) & mask[i]) != 0)
            return 0;
        prefix += (guint)__builtin_popcount(mask[i]);
    }
    return prefix;
}

void
kiln_addresses_measure(GPtrArray *interfaces, const struct ifaddrs *hosts)
{
    for (guint i = 0; i < interfaces->len; i++) {
        GArray *addresses = ((Interface *)g_ptr_array_index(interfaces, i))->addresses;

        for (guint j = 0; j < addresses->len; j++) {
            remote_domain_ip_addr *found = &g_array_index(addresses, remote_domain_ip_addr, j);
            g_autoptr(GInetAddress) address = g_inet_address_new_from_string(found->addr);

            for (const struct ifaddrs *host = hosts; address != NULL && host != NULL;
                 host = host->ifa_next)
                found->prefix = MAX(found->prefix, prefix_in(address, host));
        }
    }
}

guint
kiln_addresses_prefix(GPtrArray *interfaces, guint i, guint j)
{
    const Interface *interface = g_ptr_array_index(interfaces, i);

    return g_array_index(interface->addresses, remote_domain_ip_addr, j).prefix;
}

/* ---- The worker ---- */

typedef struct {
    GPtrArray *interfaces; /* (owned) */
    gboolean arp;
} Search;

static void
search_free(gpointer data)
{
    Search *search = data;

    g_ptr_array_unref(search->interfaces);
    g_free(search);
}

static void
read_all_leases(GPtrArray *interfaces)
{
    g_autoptr(GDir) dir = g_dir_open(LEASES, 0, NULL);
    struct ifaddrs *hosts = NULL;
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(LEASES, name, NULL);
        g_autofree char *text = NULL;
        gsize length = 0;

        if (g_str_has_suffix(name, ".status") && g_file_get_contents(path, &text, &length, NULL) &&
            length > 0 && length <= MAX_STATUS_BYTES)
            kiln_addresses_read_leases(interfaces, text, g_get_real_time() / G_USEC_PER_SEC);
    }
    if (getifaddrs(&hosts) == 0)
        kiln_addresses_measure(interfaces, hosts);
    freeifaddrs(hosts);
}

/* Worker. */
static void
search_files(GTask *task, G_GNUC_UNUSED gpointer source, gpointer data,
             G_GNUC_UNUSED GCancellable *cancellable)
{
    Search *search = data;
    g_autofree char *text = NULL;

    if (!search->arp)
        read_all_leases(search->interfaces);
    else if (g_file_get_contents("/proc/net/arp", &text, NULL, NULL))
        kiln_addresses_read_arp(search->interfaces, text);
    g_task_return_boolean(task, TRUE);
}

/* As libvirt, what has no address is left out. */
static void
searched(G_GNUC_UNUSED GObject *source, GAsyncResult *result, gpointer call)
{
    const Search *search = g_task_get_task_data(G_TASK(result));
    remote_domain_interface_addresses_ret ret = { 0 };
    g_autofree remote_domain_interface *found =
        g_new0(remote_domain_interface, search->interfaces->len + 1);
    g_autofree char **macs = g_new0(char *, search->interfaces->len + 1);
    guint n = 0;

    for (guint i = 0; i < search->interfaces->len && n < REMOTE_DOMAIN_INTERFACE_MAX; i++) {
        const Interface *interface = g_ptr_array_index(search->interfaces, i);

        if (interface->addresses->len == 0)
            continue;
        macs[n] = interface->mac;
        found[n].name = interface->name;
        found[n].hwaddr = &macs[n];
        found[n].addrs.addrs_val = (remote_domain_ip_addr *)(gpointer)interface->addresses->data;
        found[n++].addrs.addrs_len = interface->addresses->len;
    }
    ret.ifaces.ifaces_val = found;
    ret.ifaces.ifaces_len = n;
    kiln_call_reply(call, &ret);
}

void
kiln_addresses_find(KilnCall *call, GPtrArray *interfaces, gboolean arp)
{
    Search *search = g_new(Search, 1);
    g_autoptr(GTask) task = g_task_new(NULL, NULL, searched, call);

    *search = (Search){ interfaces, arp };
    g_task_set_task_data(task, search, search_free);
    g_task_run_in_thread(task, search_files);
}
