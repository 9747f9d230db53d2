/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See devices.h. */
#include "domain/devices.h"

#include "domain/kept.h"

#include <string.h>

#define FAMILY_FUNCTIONS(Type, name)                                                               \
    static void *name##_parse(KilnXmlNode *node, KilnFaults *faults)                               \
    {                                                                                              \
        return kiln_##name##_parse(node, faults);                                                  \
    }                                                                                              \
    static void name##_format(const void *device, KilnXmlWriter *writer,                           \
                              KilnDomainFormatFlags flags)                                         \
    {                                                                                              \
        kiln_##name##_format((const Type *)device, writer, flags);                                 \
    }                                                                                              \
    static void name##_free(void *device)                                                          \
    {                                                                                              \
        kiln_##name##_free((Type *)device);                                                        \
    }

FAMILY_FUNCTIONS(KilnDisk, disk)
FAMILY_FUNCTIONS(KilnController, controller)
FAMILY_FUNCTIONS(KilnFilesystem, filesystem)
FAMILY_FUNCTIONS(KilnNet, net)
FAMILY_FUNCTIONS(KilnSerial, serial)
FAMILY_FUNCTIONS(KilnConsole, console)
FAMILY_FUNCTIONS(KilnChannel, channel)
FAMILY_FUNCTIONS(KilnTpm, tpm)
FAMILY_FUNCTIONS(KilnInput, input)
FAMILY_FUNCTIONS(KilnGraphics, graphics)
FAMILY_FUNCTIONS(KilnVideo, video)
FAMILY_FUNCTIONS(KilnHostdev, hostdev)
FAMILY_FUNCTIONS(KilnWatchdog, watchdog)
FAMILY_FUNCTIONS(KilnMemballoon, memballoon)
FAMILY_FUNCTIONS(KilnRng, rng)
FAMILY_FUNCTIONS(KilnPanic, panic)
FAMILY_FUNCTIONS(KilnShmem, shmem)
FAMILY_FUNCTIONS(KilnMemoryDevice, memory_device)
FAMILY_FUNCTIONS(KilnIommu, iommu)
FAMILY_FUNCTIONS(KilnVsock, vsock)

#define FAMILY(element_, list_, Type, name, most_)                                                 \
    {                                                                                              \
        .element = (element_), .list = offsetof(KilnDomain, list_), .info = offsetof(Type, info),  \
        .most = (most_), .parse = name##_parse, .format = name##_format, .free = name##_free       \
    }

/* A family that is plugged in nowhere. */
#define FAMILY_WITHOUT_INFO(element_, list_, Type, name, most_)                                    \
    {                                                                                              \
        .element = (element_), .list = offsetof(KilnDomain, list_), .most = (most_),               \
        .parse = name##_parse, .format = name##_format, .free = name##_free                        \
    }

/* In the order in which libvirt writes them. */
static const KilnDeviceFamily families[] = {
    FAMILY("disk", disks, KilnDisk, disk, 0),
    FAMILY("controller", controllers, KilnController, controller, 0),
    FAMILY("filesystem", filesystems, KilnFilesystem, filesystem, 0),
    FAMILY("interface", interfaces, KilnNet, net, 0),
    FAMILY("serial", serials, KilnSerial, serial, 0),
    FAMILY("console", consoles, KilnConsole, console, 0),
    FAMILY("channel", channels, KilnChannel, channel, 0),
    FAMILY("tpm", tpms, KilnTpm, tpm, 0),
    FAMILY("input", inputs, KilnInput, input, 0),
    FAMILY_WITHOUT_INFO("graphics", graphics, KilnGraphics, graphics, 0),
    FAMILY("video", videos, KilnVideo, video, 0),
    FAMILY("hostdev", hostdevs, KilnHostdev, hostdev, 0),
    FAMILY("watchdog", watchdogs, KilnWatchdog, watchdog, 1),
    FAMILY("memballoon", memballoons, KilnMemballoon, memballoon, 1),
    FAMILY("rng", rngs, KilnRng, rng, 0),
    FAMILY("panic", panics, KilnPanic, panic, 0),
    FAMILY("shmem", shmems, KilnShmem, shmem, 0),
    FAMILY("memory", memories, KilnMemoryDevice, memory_device, 0),
    FAMILY("iommu", iommus, KilnIommu, iommu, 1),
    FAMILY("vsock", vsocks, KilnVsock, vsock, 1),
};

/* Known to libvirt, without a struct of ours. */
static const char *const other_names[] = {
    "sound", "audio", "smartcard", "parallel", "redirdev", "redirfilter",
    "hub",   "lease", "nvram",     "crypto",   "pstore",   NULL,
};

const KilnDeviceFamily *
kiln_device_family(const char *element)
{
    for (guint i = 0; i < G_N_ELEMENTS(families); i++)
        if (strcmp(families[i].element, element) == 0)
            return &families[i];
    return NULL;
}

gboolean
kiln_device_is_other(const char *element)
{
    return g_strv_contains(other_names, element);
}

static GPtrArray **
list_of(const KilnDeviceFamily *family, KilnDomain *domain)
{
    return (GPtrArray **)((char *)domain + family->list);
}

void
kiln_devices_init(KilnDomain *domain)
{
    for (guint i = 0; i < G_N_ELEMENTS(families); i++)
        *list_of(&families[i], domain) = g_ptr_array_new_with_free_func(families[i].free);
}

static void
parse_family(const KilnDeviceFamily *family, KilnDomain *domain, KilnXmlNode *node,
             KilnFaults *faults)
{
    GPtrArray *list = *list_of(family, domain);
    KilnXmlNode *child;

    while ((child = kiln_xml_take_next(node, family->element)) != NULL) {
        if (family->most > 0 && list->len == family->most) {
            kiln_xml_take_subtree(child);
            kiln_fault_add(faults, KILN_FAULT_XML, child, NULL, "may stand only once");
            continue;
        }
        g_ptr_array_add(list, family->parse(child, faults));
    }
}

static void
devices_parse(void *member, KilnXmlNode *node, KilnFaults *faults)
{
    KilnDomain *domain = member;

    domain->emulator = g_strdup(kiln_xml_take_child_text(node, "emulator", faults));
    for (guint i = 0; i < G_N_ELEMENTS(families); i++)
        parse_family(&families[i], domain, node, faults);
    kiln_kept_take(&domain->other_devices, node, other_names);
}

static gboolean
devices_present(const void *member)
{
    return TRUE; /* libvirt always writes <devices> */
}

static void
devices_format(const void *member, KilnXmlWriter *writer, KilnDomainFormatFlags flags)
{
    KilnDomain *domain = (KilnDomain *)member;

    kiln_xml_text_element(writer, "emulator", domain->emulator);
    for (guint i = 0; i < G_N_ELEMENTS(families); i++) {
        const GPtrArray *list = *list_of(&families[i], domain);

        for (guint j = 0; j < list->len; j++)
            families[i].format(g_ptr_array_index(list, j), writer, flags);
    }
    if (domain->other_devices != NULL)
        kiln_kept_format(&domain->other_devices, writer, flags);
}

static void
devices_clear(void *member)
{
    KilnDomain *domain = member;

    g_clear_pointer(&domain->emulator, g_free);
    for (guint i = 0; i < G_N_ELEMENTS(families); i++)
        g_clear_pointer(list_of(&families[i], domain), g_ptr_array_unref);
    kiln_kept_clear(&domain->other_devices);
}

const KilnFieldOps kiln_devices_ops = {
    .parse = devices_parse,
    .present = devices_present,
    .format = devices_format,
    .clear = devices_clear,
};

GPtrArray *
kiln_device_family_list(const KilnDeviceFamily *family, KilnDomain *domain)
{
    return *list_of(family, domain);
}

KilnDeviceInfo *
kiln_device_family_info(const KilnDeviceFamily *family, void *device)
{
    return family->info != 0 ? (KilnDeviceInfo *)((char *)device + family->info) : NULL;
}

void
kiln_devices_foreach(KilnDomain *domain,
                     void (*visit)(const char *element, void *device, KilnDeviceInfo *info,
                                   gpointer data),
                     gpointer data)
{
    for (guint i = 0; i < G_N_ELEMENTS(families); i++) {
        const GPtrArray *list = *list_of(&families[i], domain);

        for (guint j = 0; j < list->len; j++) {
            void *device = g_ptr_array_index(list, j);

            visit(families[i].element, device, kiln_device_family_info(&families[i], device), data);
        }
    }
}
