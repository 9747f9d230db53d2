/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See edit.h. */
#include "domain/edit.h"

#include "base/error.h"
#include "domain/edit-find.h"

#include <string.h>

/* Those that libvirt does not change singly in a definition either. */
static const char *const whole_only[] = { "video", "graphics", "memballoon", "tpm",
                                          "panic", "iommu",    NULL };

/* Without what a run made: an alias that is not the user's own. */
static void
forget_run(KilnDomainDevice *device)
{
    KilnDeviceInfo *info = kiln_device_family_info(device->family, device->device);

    if (info != NULL && info->alias != NULL && !g_str_has_prefix(info->alias, "ua-"))
        g_clear_pointer(&info->alias, g_free);
}

static KilnDomainDevice *
read_device(const char *text, gsize length, KilnFaults *faults)
{
    g_autoptr(KilnXmlNode) node = kiln_xml_parse(text, length, faults);
    KilnDomainDevice *device;

    if (node == NULL)
        return NULL;
    device = g_new0(KilnDomainDevice, 1);
    node->taken = TRUE;
    device->family = kiln_device_family(node->name);
    if (device->family == NULL) {
        kiln_fault_add(faults,
                       kiln_device_is_other(node->name) ? KILN_FAULT_UNSUPPORTED : KILN_FAULT_XML,
                       node, NULL, "is not a device that this kiln has");
        return device;
    }
    device->device = device->family->parse(node, faults);
    kiln_xml_report_leftovers(node, faults);
    return device;
}

KilnDomainDevice *
kiln_domain_device_parse(const char *text, gsize length, GError **error)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnDomainDevice) device = read_device(text, length, faults);

    if (!kiln_faults_to_error(faults, "device", error))
        return NULL;
    forget_run(device);
    return g_steal_pointer(&device);
}

void
kiln_domain_device_free(KilnDomainDevice *device)
{
    if (device == NULL)
        return;
    if (device->device != NULL)
        device->family->free(device->device);
    g_free(device);
}

const char *
kiln_domain_device_element(const KilnDomainDevice *device)
{
    return device->family->element;
}

void *
kiln_domain_device_get(const KilnDomainDevice *device)
{
    return device->device;
}

void
kiln_domain_changed(KilnDomain *domain)
{
    g_clear_pointer(&domain->document, kiln_xml_node_free);
}

static gboolean
may_change(const KilnDomainDevice *device, const char *what, GError **error)
{
    if (!g_strv_contains(whole_only, device->family->element))
        return TRUE;
    return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                          "persistent %s of device '%s' is not supported", what,
                          device->family->element);
}

/* <memory> counts memory modules too. */
static void
add_memory(KilnDomain *domain, const KilnDomainDevice *device, gboolean more)
{
    const KilnMemoryDevice *module = device->device;
    guint64 bytes = module->size.value;

    if (strcmp(device->family->element, "memory") != 0)
        return;
    if (!more) {
        domain->memory.size.value -= MIN(bytes, domain->memory.size.value);
        domain->memory.current.value -= MIN(bytes, domain->memory.current.value);
        return;
    }
    domain->memory.size.value += MIN(bytes, G_MAXINT64 - domain->memory.size.value);
    if (domain->memory.current.set)
        domain->memory.current.value += MIN(bytes, G_MAXINT64 - domain->memory.current.value);
}

/* Whether what identifies @device is taken. */
static gboolean
is_free(KilnDomain *domain, const KilnDomainDevice *device, GError **error)
{
    GPtrArray *list = kiln_device_family_list(device->family, domain);
    const char *element = device->family->element;

    if (device->family->most > 0 && list->len >= device->family->most)
        return kiln_error_set(error, KILN_ERROR_EXISTS, "domain already has a %s device", element);
    if (strcmp(element, "disk") == 0) {
        const KilnDisk *disk = device->device;

        if (disk->target_dev != NULL && kiln_domain_find_disk(domain, disk->target_dev) != NULL)
            return kiln_error_set(error, KILN_ERROR_EXISTS, "target %s already exists",
                                  disk->target_dev);
    } else if (strcmp(element, "controller") == 0) {
        const KilnController *controller = device->device;

        if (controller->index.set && kiln_find_controller(list, controller) >= 0)
            return kiln_error_set(error, KILN_ERROR_EXISTS,
                                  "controller index='%" G_GUINT64_FORMAT "' already exists",
                                  controller->index.value);
    } else if (strcmp(element, "filesystem") == 0) {
        if (kiln_find_filesystem(list, device->device) >= 0)
            return kiln_error_set(error, KILN_ERROR_EXISTS, "Target already exists");
    } else if (strcmp(element, "hostdev") == 0 || strcmp(element, "shmem") == 0) {
        if (kiln_find_containing(list, device) >= 0)
            return kiln_error_set(error, KILN_ERROR_EXISTS,
                                  "device is already in the domain configuration");
    }
    return TRUE;
}

gboolean
kiln_domain_attach(KilnDomain *domain, KilnDomainDevice *device, GError **error)
{
    g_autoptr(KilnDomainDevice) owned = device;

    if (!may_change(device, "attach", error) || !is_free(domain, device, error))
        return FALSE;
    add_memory(domain, device, TRUE);
    g_ptr_array_add(kiln_device_family_list(device->family, domain),
                    g_steal_pointer(&device->device));
    kiln_domain_changed(domain);
    return TRUE;
}

static void
remove_at(KilnDomain *domain, const KilnDeviceFamily *family, guint at)
{
    GPtrArray *list = kiln_device_family_list(family, domain);
    KilnDomainDevice device = { .family = family, .device = g_ptr_array_index(list, at) };

    add_memory(domain, &device, FALSE);
    g_ptr_array_remove_index(list, at);
    kiln_domain_changed(domain);
}

gboolean
kiln_domain_detach(KilnDomain *domain, const KilnDomainDevice *like, GError **error)
{
    int at;

    if (!may_change(like, "detach", error))
        return FALSE;
    at = kiln_find_like(domain, like, error);
    if (at < 0)
        return FALSE;
    remove_at(domain, like->family, (guint)at);
    return TRUE;
}

typedef struct {
    const char *alias;
    KilnDomainDevice found; /* borrows */
} AliasSearch;

static void
look_at_alias(const char *element, void *device, KilnDeviceInfo *info, gpointer data)
{
    AliasSearch *search = data;

    if (info == NULL || g_strcmp0(info->alias, search->alias) != 0)
        return;
    search->found.family = kiln_device_family(element);
    search->found.device = device;
}

gboolean
kiln_domain_detach_alias(KilnDomain *domain, const char *alias, GError **error)
{
    AliasSearch search = { .alias = alias };
    GPtrArray *list;

    kiln_devices_foreach(domain, look_at_alias, &search);
    if (search.found.device == NULL)
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND, "no device found with alias '%s'",
                              alias);
    if (!may_change(&search.found, "detach", error))
        return FALSE;
    list = kiln_device_family_list(search.found.family, domain);
    remove_at(domain, search.found.family, (guint)kiln_find_index(list, search.found.device));
    return TRUE;
}

/* What @device leaves open of its place in the guest is as it was. */
static void
inherit(const KilnDomainDevice *device, void *old)
{
    KilnDeviceInfo *now = kiln_device_family_info(device->family, device->device);
    KilnDeviceInfo *before = kiln_device_family_info(device->family, old);

    if (now == NULL)
        return;
    if (now->address.type == KILN_ADDRESS_ABSENT ||
        (now->address.type == KILN_ADDRESS_PCI && !kiln_pci_address_chosen(&now->address.pci))) {
        now->address = before->address;
        before->address = (KilnAddress){ .type = KILN_ADDRESS_ABSENT };
    }
    if (now->alias == NULL)
        now->alias = g_steal_pointer(&before->alias);
}

gboolean
kiln_domain_update(KilnDomain *domain, KilnDomainDevice *device, GError **error)
{
    g_autoptr(KilnDomainDevice) owned = device;
    GPtrArray *list = kiln_device_family_list(device->family, domain);
    int at = kiln_find_old(domain, device, error);
    KilnDomainDevice old = { .family = device->family };

    if (at < 0)
        return FALSE;
    old.device = list->pdata[at];
    add_memory(domain, &old, FALSE);
    add_memory(domain, device, TRUE);
    inherit(device, old.device);
    if (strcmp(device->family->element, "interface") == 0) {
        KilnNet *net = device->device;

        if (net->mac == NULL)
            net->mac = g_strdup(((const KilnNet *)old.device)->mac);
    }
    list->pdata[at] = g_steal_pointer(&device->device);
    old.family->free(old.device);
    kiln_domain_changed(domain);
    return TRUE;
}
