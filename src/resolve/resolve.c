/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See resolve.h.  Read-only connections: the system's daemon takes those of every user. */
#include "resolve/resolve.h"

#include "base/error.h"
#include "domain/xml.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(virConnect, virConnectClose)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virNetwork, virNetworkFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virStoragePool, virStoragePoolFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virStorageVol, virStorageVolFree)

extern const KilnResolveModule kiln_resolve_module;

/* libvirt's own reporting goes to standard error; what it says is in our errors. */
static void
say_nothing(void *data, virErrorPtr error)
{
}

static const char *
reason(void)
{
    const char *message = virGetLastErrorMessage();

    return message != NULL ? message : "libvirt does not say why";
}

/* @uri, or the first of @others that answers. */
static virConnect *
open_one(const char *uri, const char *const *others, GError **error)
{
    const char *given[] = { uri, NULL };
    const char *const *uris = uri != NULL ? given : others;

    virSetErrorFunc(NULL, say_nothing);
    for (; *uris != NULL; uris++) {
        virConnect *connection = virConnectOpenReadOnly(*uris);

        if (connection != NULL)
            return connection;
    }
    kiln_error_set(error, KILN_ERROR_NOT_FOUND, "libvirt, which knows it, cannot be asked: %s",
                   reason());
    return NULL;
}

/* ---- Networks ---------------------------------------------------------------------------------
 */

static const KilnXmlNode *
child(const KilnXmlNode *node, const char *name)
{
    for (guint i = 0; node != NULL && i < node->children->len; i++) {
        const KilnXmlNode *found = g_ptr_array_index(node->children, i);

        if (found->ns == NULL && strcmp(found->name, name) == 0)
            return found;
    }
    return NULL;
}

static char *
attribute(const KilnXmlNode *node, const char *name)
{
    for (guint i = 0; node != NULL && i < node->attributes->len; i++) {
        const KilnXmlAttribute *found = g_ptr_array_index(node->attributes, i);

        if (found->ns == NULL && strcmp(found->name, name) == 0)
            return g_strdup(found->value);
    }
    return NULL;
}

/* libvirt's network XML: a <bridge>, or the <interface>s of a <forward> below macvtaps. */
static gboolean
read_network(const char *text, KilnResolvedNetwork *resolved, GError **error)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnXmlNode) root = kiln_xml_parse(text, strlen(text), faults);
    const KilnXmlNode *forward = child(root, "forward");
    g_autofree char *mode = attribute(forward, "mode");
    char *dev = attribute(forward, "dev");

    resolved->bridge = attribute(child(root, "bridge"), "name");
    if (resolved->bridge != NULL) {
        g_free(dev);
        return TRUE;
    }
    if (dev == NULL)
        dev = attribute(child(forward, "interface"), "dev");
    if (dev == NULL || g_strcmp0(mode, "hostdev") == 0) {
        g_free(dev);
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "forward mode '%s' gives interfaces nothing to be plugged into",
                              mode != NULL ? mode : "none");
    }
    resolved->dev = dev;
    resolved->mode = g_steal_pointer(&mode);
    return TRUE;
}

static gboolean
find_network(virConnect *connection, const char *name, KilnResolvedNetwork *resolved,
             GError **error)
{
    g_autoptr(virNetwork) network = virNetworkLookupByName(connection, name);
    char *text;
    gboolean good;

    if (network == NULL)
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND, "%s", reason());
    if (virNetworkIsActive(network) != 1)
        return kiln_error_set(error, KILN_ERROR_STATE,
                              "it is not active: 'virsh net-start %s' starts it", name);
    text = virNetworkGetXMLDesc(network, 0);
    if (text == NULL)
        return kiln_error_set(error, KILN_ERROR_FAILED, "%s", reason());
    good = read_network(text, resolved, error);
    g_free(text); /* libvirt allocates by malloc(3), as GLib does since 2.46 */
    return good;
}

static gboolean
resolve_network(const char *uri, const char *name, KilnResolvedNetwork *resolved, GError **error)
{
    static const char *const uris[] = { "network:///system", "qemu:///system", NULL };
    g_autoptr(virConnect) connection = open_one(uri, uris, error);

    memset(resolved, 0, sizeof *resolved);
    if (connection != NULL && find_network(connection, name, resolved, error))
        return TRUE;
    g_prefix_error(error, "network '%s': ", name);
    return FALSE;
}

/* ---- Volumes ----------------------------------------------------------------------------------
 */

static gboolean
find_volume(virConnect *connection, const char *pool_name, const char *name,
            KilnResolvedVolume *resolved, GError **error)
{
    g_autoptr(virStoragePool) pool = virStoragePoolLookupByName(connection, pool_name);
    g_autoptr(virStorageVol) volume = NULL;
    virStorageVolInfo info;
    char *path;

    if (pool == NULL)
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND, "%s", reason());
    if (virStoragePoolIsActive(pool) != 1)
        return kiln_error_set(error, KILN_ERROR_STATE,
                              "its pool is not active: 'virsh pool-start %s' starts it", pool_name);
    volume = virStorageVolLookupByName(pool, name);
    if (volume == NULL || virStorageVolGetInfo(volume, &info) < 0)
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND, "%s", reason());
    if (info.type != VIR_STORAGE_VOL_FILE && info.type != VIR_STORAGE_VOL_BLOCK)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "it is neither a file nor a block device");
    path = virStorageVolGetPath(volume);
    if (path == NULL)
        return kiln_error_set(error, KILN_ERROR_FAILED, "%s", reason());
    resolved->path = g_strdup(path);
    resolved->block_device = info.type == VIR_STORAGE_VOL_BLOCK;
    g_free(path);
    return TRUE;
}

static gboolean
resolve_volume(const char *uri, const char *pool, const char *name, KilnResolvedVolume *resolved,
               GError **error)
{
    static const char *const uris[] = { "storage:///system", "qemu:///system", NULL };
    g_autoptr(virConnect) connection = open_one(uri, uris, error);

    memset(resolved, 0, sizeof *resolved);
    if (connection != NULL && find_volume(connection, pool, name, resolved, error))
        return TRUE;
    g_prefix_error(error, "volume '%s' of pool '%s': ", name, pool);
    return FALSE;
}

const KilnResolveModule kiln_resolve_module = {
    .network = resolve_network,
    .volume = resolve_volume,
};
