/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See edit-find.h. */
#include "domain/edit-find.h"

#include "base/error.h"
#include "domain/xml-writer.h"

#include <string.h>

static char *
format_device(const KilnDeviceFamily *family, const void *device)
{
    g_autoptr(KilnXmlWriter) writer = kiln_xml_writer_new();

    family->format(device, writer, KILN_FORMAT_SECURE | KILN_FORMAT_INACTIVE);
    return kiln_xml_writer_finish(writer);
}

const char *
kiln_disk_path(const KilnDisk *disk)
{
    switch (disk->source.type) {
    case KILN_DISK_TYPE_FILE: return disk->source.file;
    case KILN_DISK_TYPE_BLOCK: return disk->source.dev;
    case KILN_DISK_TYPE_DIR: return disk->source.dir;
    default: return NULL;
    }
}

/* @ambiguous: whether one of several is good enough */
static KilnDisk *
find_disk(const KilnDomain *domain, const char *name, gboolean ambiguous)
{
    KilnDisk *found = NULL;

    for (guint i = 0; i < domain->disks->len; i++) {
        KilnDisk *disk = g_ptr_array_index(domain->disks, i);

        if (name[0] != '/' ? g_strcmp0(disk->target_dev, name) == 0
                           : g_strcmp0(kiln_disk_path(disk), name) == 0) {
            if (name[0] != '/' || ambiguous)
                return disk;
            if (found != NULL)
                return NULL;
            found = disk;
        }
    }
    return found;
}

KilnDisk *
kiln_domain_find_disk(const KilnDomain *domain, const char *name)
{
    return find_disk(domain, name, FALSE);
}

KilnNet *
kiln_domain_find_net(const KilnDomain *domain, const char *name)
{
    for (guint i = 0; i < domain->interfaces->len; i++) {
        KilnNet *net = g_ptr_array_index(domain->interfaces, i);

        if (g_strcmp0(net->target_dev, name) == 0 ||
            (net->mac != NULL && g_ascii_strcasecmp(net->mac, name) == 0))
            return net;
    }
    return NULL;
}

/* Whether @whole has every attribute, text and child that @part has. */
static gboolean
contains(const KilnXmlNode *whole, const KilnXmlNode *part)
{
    if (strcmp(whole->name, part->name) != 0 || g_strcmp0(whole->ns, part->ns) != 0)
        return FALSE;
    for (guint i = 0; i < part->attributes->len; i++) {
        const KilnXmlAttribute *wanted = g_ptr_array_index(part->attributes, i);
        gboolean found = FALSE;

        for (guint j = 0; j < whole->attributes->len && !found; j++) {
            const KilnXmlAttribute *there = g_ptr_array_index(whole->attributes, j);

            found =
                strcmp(there->name, wanted->name) == 0 && strcmp(there->value, wanted->value) == 0;
        }
        if (!found)
            return FALSE;
    }
    if (part->children->len == 0)
        return part->text[strspn(part->text, " \t\r\n")] == '\0' ||
               strcmp(part->text, whole->text) == 0;
    for (guint i = 0; i < part->children->len; i++) {
        gboolean found = FALSE;

        for (guint j = 0; j < whole->children->len && !found; j++)
            found = contains(g_ptr_array_index(whole->children, j),
                             g_ptr_array_index(part->children, i));
        if (!found)
            return FALSE;
    }
    return TRUE;
}

static KilnXmlNode *
tree_of(const KilnDeviceFamily *family, const void *device)
{
    g_autofree char *text = format_device(family, device);
    g_autoptr(KilnFaults) faults = kiln_faults_new();

    return kiln_xml_parse(text, strlen(text), faults);
}

gboolean
kiln_domain_device_is_within(const KilnDomainDevice *part, const void *device)
{
    g_autoptr(KilnXmlNode) wanted = tree_of(part->family, part->device);
    g_autoptr(KilnXmlNode) whole = tree_of(part->family, device);

    return wanted != NULL && whole != NULL && contains(whole, wanted);
}

int
kiln_find_containing(GPtrArray *list, const KilnDomainDevice *like)
{
    g_autoptr(KilnXmlNode) part = tree_of(like->family, like->device);

    for (guint i = 0; i < list->len; i++) {
        g_autoptr(KilnXmlNode) whole = tree_of(like->family, g_ptr_array_index(list, i));

        if (part != NULL && whole != NULL && contains(whole, part))
            return (int)i;
    }
    return -1;
}

static gboolean
same_pci(const KilnAddress *wanted, const KilnAddress *there)
{
    if (wanted->type != KILN_ADDRESS_PCI || !kiln_pci_address_chosen(&wanted->pci))
        return TRUE;
    return there->type == KILN_ADDRESS_PCI && there->pci.domain == wanted->pci.domain &&
           there->pci.bus == wanted->pci.bus && there->pci.slot == wanted->pci.slot &&
           there->pci.function == wanted->pci.function;
}

/* By MAC address, PCI address and alias, as far as @like has them. */
static int
find_net(GPtrArray *list, const KilnNet *like, GError **error)
{
    int found = -1;

    for (guint i = 0; i < list->len; i++) {
        const KilnNet *net = g_ptr_array_index(list, i);

        if (like->mac != NULL && (net->mac == NULL || g_ascii_strcasecmp(net->mac, like->mac) != 0))
            continue;
        if (!same_pci(&like->info.address, &net->info.address))
            continue;
        if (like->info.alias != NULL && net->info.alias != NULL &&
            strcmp(like->info.alias, net->info.alias) != 0)
            continue;
        if (found >= 0) {
            kiln_error_set(error, KILN_ERROR_FAILED,
                           like->mac != NULL ? "multiple devices matching MAC address %s found"
                                             : "multiple matching devices found%s",
                           like->mac != NULL ? like->mac : "");
            return -1;
        }
        found = (int)i;
    }
    if (found < 0)
        kiln_error_set(error, KILN_ERROR_NOT_FOUND,
                       "no device found matching MAC address '%s' and alias '%s'",
                       like->mac != NULL ? like->mac : "(null)",
                       like->info.alias != NULL ? like->info.alias : "(null)");
    return found;
}

int
kiln_find_index(GPtrArray *list, gconstpointer device)
{
    guint at;

    return device != NULL && g_ptr_array_find(list, device, &at) ? (int)at : -1;
}

int
kiln_find_controller(GPtrArray *list, const KilnController *like)
{
    for (guint i = 0; i < list->len; i++) {
        const KilnController *there = g_ptr_array_index(list, i);

        if (there->type == like->type && there->index.value == like->index.value)
            return (int)i;
    }
    return -1;
}

int
kiln_find_filesystem(GPtrArray *list, const KilnFilesystem *like)
{
    for (guint i = 0; i < list->len; i++) {
        const KilnFilesystem *there = g_ptr_array_index(list, i);

        if (g_strcmp0(there->target, like->target) == 0)
            return (int)i;
    }
    return -1;
}

int
kiln_find_like(KilnDomain *domain, const KilnDomainDevice *like, GError **error)
{
    GPtrArray *list = kiln_device_family_list(like->family, domain);
    const char *element = like->family->element;
    int at;

    if (strcmp(element, "interface") == 0)
        return find_net(list, like->device, error);
    if (strcmp(element, "disk") == 0) {
        const KilnDisk *disk = like->device;
        const char *target = disk->target_dev != NULL ? disk->target_dev : "";

        at = kiln_find_index(list, find_disk(domain, target, TRUE));
        if (at < 0)
            kiln_error_set(error, KILN_ERROR_NOT_FOUND, "no target device %s", target);
        return at;
    }
    if (strcmp(element, "controller") == 0)
        at = kiln_find_controller(list, like->device);
    else if (strcmp(element, "filesystem") == 0)
        at = kiln_find_filesystem(list, like->device);
    else
        at = kiln_find_containing(list, like);
    if (at < 0)
        kiln_error_set(error, KILN_ERROR_NOT_FOUND, "no matching %s device was found", element);
    return at;
}

static int
find_graphics(GPtrArray *list, const KilnGraphics *like)
{
    for (guint i = 0; i < list->len; i++)
        if (((const KilnGraphics *)g_ptr_array_index(list, i))->type == like->type)
            return (int)i;
    return -1;
}

static int
find_memory(GPtrArray *list, const KilnMemoryDevice *like)
{
    const KilnDeviceInfo *wanted = &like->info;

    for (guint i = 0; i < list->len; i++) {
        const KilnDeviceInfo *info = &((const KilnMemoryDevice *)g_ptr_array_index(list, i))->info;

        if (wanted->alias != NULL && g_strcmp0(wanted->alias, info->alias) == 0)
            return (int)i;
        if (wanted->address.type == KILN_ADDRESS_DIMM && info->address.type == KILN_ADDRESS_DIMM &&
            wanted->address.dimm.slot.value == info->address.dimm.slot.value)
            return (int)i;
        if (wanted->address.type == KILN_ADDRESS_PCI && same_pci(&wanted->address, &info->address))
            return (int)i;
    }
    return -1;
}

int
kiln_find_old(KilnDomain *domain, const KilnDomainDevice *device, GError **error)
{
    GPtrArray *list = kiln_device_family_list(device->family, domain);
    const char *element = device->family->element;
    int at = -1;

    if (strcmp(element, "interface") == 0)
        return find_net(list, device->device, error);
    if (strcmp(element, "disk") == 0) {
        const KilnDisk *disk = device->device;

        if (disk->target_dev != NULL)
            at = kiln_find_index(list, kiln_domain_find_disk(domain, disk->target_dev));
        if (at < 0)
            kiln_error_set(error, KILN_ERROR_INVALID, "target %s doesn't exist",
                           disk->target_dev != NULL ? disk->target_dev : "");
        return at;
    }
    if (strcmp(element, "graphics") == 0)
        at = find_graphics(list, device->device);
    else if (strcmp(element, "memory") == 0)
        at = find_memory(list, device->device);
    else {
        kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                       "persistent update of device '%s' is not supported", element);
        return -1;
    }
    if (at < 0)
        kiln_error_set(error, KILN_ERROR_INVALID, "cannot find existing %s device to modify",
                       element);
    return at;
}
