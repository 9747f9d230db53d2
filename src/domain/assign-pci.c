/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See assign.h.  Which devices are PCI devices is in needs_slot(); the rest is bookkeeping. */
#include "domain/assign.h"

#include "domain/devices.h"

#include <string.h>

enum {
    N_BUSES = 256,
    N_SLOTS = 32,
    FIRST_PORT_SLOT = 2,   /* 00:01 is left to a primary video adapter */
    LAST_PORT_SLOT = 0x1c, /* 00:1d to 00:1f are the chipset's */
    LPC_SLOT = 0x1f,
    IDE_FUNCTION = 1,
    SATA_FUNCTION = 2,
};

typedef struct {
    KilnDomain *domain;
    KilnFaults *faults;
    guint8 functions[N_BUSES][N_SLOTS]; /* a bit for each function that is taken */
    gboolean bus_there[N_BUSES];        /* behind a controller of that index */
} Slots;

/* ---- Controllers ----------------------------------------------------------------------------- */

static KilnController *
add_controller(KilnDomain *domain, const char *text)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnXmlNode) node = kiln_xml_parse(text, strlen(text), faults);
    KilnController *controller = kiln_controller_parse(node, faults);

    g_ptr_array_add(domain->controllers, controller);
    return controller;
}

static gboolean
index_taken(const KilnDomain *domain, KilnControllerType type, guint64 index)
{
    for (guint i = 0; i < domain->controllers->len; i++) {
        const KilnController *other = g_ptr_array_index(domain->controllers, i);

        if (other->type == type && other->index.set && other->index.value == index)
            return TRUE;
    }
    return FALSE;
}

static void
check_twins(const KilnDomain *domain, KilnFaults *faults)
{
    for (guint i = 0; i < domain->controllers->len; i++) {
        const KilnController *one = g_ptr_array_index(domain->controllers, i);

        for (guint j = 0; j < i; j++) {
            const KilnController *other = g_ptr_array_index(domain->controllers, j);

            if (one->type != other->type || one->index.value != other->index.value ||
                one->type == KILN_CONTROLLER_TYPE_USB) /* companions share their number */
                continue;
            kiln_fault_add_at(faults, KILN_FAULT_XML, one->place, "domain/devices/controller",
                              "another controller of its type has the index %" G_GUINT64_FORMAT,
                              one->index.value);
            return;
        }
    }
}

/* The root is index 0, whether it says so or not (virt-install does not). */
static void
name_root(const KilnDomain *domain, KilnFaults *faults)
{
    for (guint i = 0; i < domain->controllers->len; i++) {
        KilnController *controller = g_ptr_array_index(domain->controllers, i);

        if (controller->type != KILN_CONTROLLER_TYPE_PCI ||
            controller->pci_model != KILN_CONTROLLER_PCI_MODEL_PCIE_ROOT)
            continue;
        if (controller->index.set && controller->index.value != 0)
            kiln_fault_add_at(faults, KILN_FAULT_XML, controller->place,
                              "domain/devices/controller@index", "that of 'pcie-root' is 0");
        else
            controller->index.set = TRUE;
    }
}

void
kiln_assign_controllers(KilnDomain *domain, KilnFaults *faults)
{
    name_root(domain, faults);
    if (!index_taken(domain, KILN_CONTROLLER_TYPE_PCI, 0))
        add_controller(domain, "<controller type='pci' index='0' model='pcie-root'/>");
    for (guint i = 0; i < domain->controllers->len; i++) {
        KilnController *controller = g_ptr_array_index(domain->controllers, i);
        guint64 index = 0;

        if (controller->index.set)
            continue;
        while (index_taken(domain, controller->type, index))
            index++;
        controller->index = (KilnUint){ .set = TRUE, .value = index };
    }
    check_twins(domain, faults);
}

/* ---- Slots ----------------------------------------------------------------------------------- */

/* Whether a device without an address goes on PCI. */
static gboolean
needs_slot(const char *element, const void *device)
{
    static const char *const always[] = { "filesystem", "vsock", "shmem", NULL };

    if (g_strv_contains(always, element))
        return TRUE;
    if (strcmp(element, "disk") == 0)
        return ((const KilnDisk *)device)->bus == KILN_DISK_BUS_VIRTIO;
    if (strcmp(element, "interface") == 0)
        return TRUE;
    if (strcmp(element, "rng") == 0)
        return TRUE;
    if (strcmp(element, "memballoon") == 0)
        return ((const KilnMemballoon *)device)->model != KILN_MEMBALLOON_MODEL_NONE;
    if (strcmp(element, "watchdog") == 0)
        return ((const KilnWatchdog *)device)->model == KILN_WATCHDOG_MODEL_I6300ESB;
    if (strcmp(element, "input") == 0)
        return ((const KilnInput *)device)->bus == KILN_INPUT_BUS_VIRTIO;
    if (strcmp(element, "video") == 0)
        return ((const KilnVideo *)device)->model.type != KILN_VIDEO_TYPE_NONE;
    if (strcmp(element, "hostdev") == 0)
        return ((const KilnHostdev *)device)->type == KILN_HOSTDEV_TYPE_PCI;
    if (strcmp(element, "memory") == 0) {
        const KilnMemoryDevice *memory = device;

        return memory->model == KILN_MEMORY_DEVICE_MODEL_VIRTIO_MEM ||
               memory->model == KILN_MEMORY_DEVICE_MODEL_VIRTIO_PMEM;
    }
    if (strcmp(element, "controller") == 0) {
        const KilnController *controller = device;

        return controller->type == KILN_CONTROLLER_TYPE_VIRTIO_SERIAL ||
               controller->type == KILN_CONTROLLER_TYPE_SCSI ||
               controller->type == KILN_CONTROLLER_TYPE_SATA ||
               (controller->type == KILN_CONTROLLER_TYPE_USB &&
                controller->usb_model != KILN_CONTROLLER_USB_MODEL_NONE);
    }
    return FALSE;
}

static void
note_taken(const char *element, void *device, KilnDeviceInfo *info, gpointer data)
{
    Slots *slots = data;
    const KilnPciAddress *at;
    guint8 bit;

    if (info == NULL || info->address.type != KILN_ADDRESS_PCI ||
        !kiln_pci_address_chosen(&info->address.pci))
        return;
    at = &info->address.pci;
    bit = (guint8)(1u << at->function);
    if (at->domain != 0)
        kiln_fault_add(slots->faults, KILN_FAULT_XML, NULL, NULL,
                       "<%s>: there is only the PCI domain 0", element);
    else if ((slots->functions[at->bus][at->slot] & bit) != 0)
        kiln_fault_add(slots->faults, KILN_FAULT_XML, NULL, NULL,
                       "<%s>: another device is at the PCI address %02x:%02x.%x", element, at->bus,
                       at->slot, at->function);
    else
        slots->functions[at->bus][at->slot] |= bit;
}

static void
note_buses(Slots *slots)
{
    for (guint i = 0; i < slots->domain->controllers->len; i++) {
        const KilnController *controller = g_ptr_array_index(slots->domain->controllers, i);

        if (controller->type == KILN_CONTROLLER_TYPE_PCI && controller->index.value < N_BUSES)
            slots->bus_there[controller->index.value] = TRUE;
    }
    for (guint slot = 0x1d; slot < N_SLOTS; slot++)
        slots->functions[0][slot] = 0xff;
    slots->functions[0][LPC_SLOT] = (guint8) ~(1u << SATA_FUNCTION | 1u << IDE_FUNCTION);
    slots->functions[0][0] = 0xff; /* the host bridge */
}

/* As on QEMU's q35 under libvirt: 00:01.0 is the primary adapter's, and nobody else's. */
static void
place_primary_video(Slots *slots)
{
    enum { SLOT = 1 };
    KilnVideo *video =
        slots->domain->videos->len > 0 ? g_ptr_array_index(slots->domain->videos, 0) : NULL;

    if (video != NULL && video->model.type != KILN_VIDEO_TYPE_NONE &&
        slots->functions[0][SLOT] == 0 &&
        (video->info.address.type == KILN_ADDRESS_ABSENT ||
         (video->info.address.type == KILN_ADDRESS_PCI &&
          !kiln_pci_address_chosen(&video->info.address.pci)))) {
        video->info.address.type = KILN_ADDRESS_PCI;
        video->info.address.pci = (KilnPciAddress){ .slot = SLOT };
    }
    slots->functions[0][SLOT] = 0xff;
}

/* The first of the chipset's own controllers is where it is on an ICH9: their places are left free
 * by note_buses(). */
static void
place_chipset(KilnDomain *domain)
{
    for (guint i = 0; i < domain->controllers->len; i++) {
        KilnController *controller = g_ptr_array_index(domain->controllers, i);
        KilnAddress *address = &controller->info.address;
        guint function = controller->type == KILN_CONTROLLER_TYPE_SATA  ? SATA_FUNCTION
                         : controller->type == KILN_CONTROLLER_TYPE_IDE ? IDE_FUNCTION
                                                                        : 0;

        if (function == 0 || controller->index.value != 0 ||
            (address->type != KILN_ADDRESS_ABSENT &&
             (address->type != KILN_ADDRESS_PCI || kiln_pci_address_chosen(&address->pci))))
            continue;
        address->type = KILN_ADDRESS_PCI;
        address->pci = (KilnPciAddress){ .slot = LPC_SLOT, .function = function };
    }
}

/* The first function of the root bus that a further root port may have. */
static gboolean
find_port_place(const Slots *slots, KilnPciAddress *at)
{
    for (guint slot = FIRST_PORT_SLOT; slot <= LAST_PORT_SLOT; slot++) {
        for (guint function = 0; function < 8; function++) {
            if ((slots->functions[0][slot] & 1u << function) == 0) {
                *at = (KilnPciAddress){ .slot = slot, .function = function };
                return TRUE;
            }
        }
    }
    return FALSE;
}

/* Plugs @port into the root bus, unless it is plugged in already, and fills in its settings. */
static gboolean
place_port(Slots *slots, KilnController *port)
{
    KilnPciAddress *at = &port->info.address.pci;

    if (port->info.address.type != KILN_ADDRESS_PCI || !kiln_pci_address_chosen(at)) {
        if (!find_port_place(slots, at))
            return FALSE;
        at->multifunction = at->function == 0 ? KILN_SWITCH_ON : KILN_SWITCH_ABSENT;
        port->info.address.type = KILN_ADDRESS_PCI;
        slots->functions[0][at->slot] |= (guint8)(1u << at->function);
    }
    if (port->pci_name == KILN_CONTROLLER_PCI_NAME_ABSENT)
        port->pci_name = KILN_CONTROLLER_PCI_NAME_PCIE_ROOT_PORT;
    if (!port->pci_target.chassis.set)
        port->pci_target.chassis = (KilnUint){ .set = TRUE, .value = port->index.value };
    if (!port->pci_target.port.set)
        port->pci_target.port = (KilnUint){ .set = TRUE, .value = at->slot << 3 | at->function };
    return TRUE;
}

static gboolean
is_root_port(const KilnController *controller)
{
    return controller->type == KILN_CONTROLLER_TYPE_PCI &&
           controller->pci_model == KILN_CONTROLLER_PCI_MODEL_PCIE_ROOT_PORT &&
           controller->index.value < N_BUSES;
}

static void
place_ports(Slots *slots)
{
    for (guint i = 0; i < slots->domain->controllers->len; i++) {
        KilnController *controller = g_ptr_array_index(slots->domain->controllers, i);

        if (is_root_port(controller) && !place_port(slots, controller))
            kiln_fault_add_at(slots->faults, KILN_FAULT_XML, controller->place,
                              "domain/devices/controller", "the root bus has no place left for it");
    }
}

/* A new root port; its bus has the number of its index. */
static gboolean
add_port(Slots *slots, guint *bus)
{
    KilnPciAddress at;
    KilnController *port;

    for (*bus = 1; *bus < N_BUSES && slots->bus_there[*bus]; (*bus)++)
        continue;
    if (*bus == N_BUSES || !find_port_place(slots, &at))
        return FALSE;
    port = add_controller(slots->domain, "<controller type='pci' model='pcie-root-port'/>");
    port->index = (KilnUint){ .set = TRUE, .value = *bus };
    slots->bus_there[*bus] = TRUE;
    return place_port(slots, port);
}

/* Slot 0 of the first bus behind a root port where nothing is yet. */
static gboolean
find_bus(Slots *slots, guint *bus)
{
    for (guint i = 0; i < slots->domain->controllers->len; i++) {
        const KilnController *controller = g_ptr_array_index(slots->domain->controllers, i);

        if (is_root_port(controller) && slots->functions[controller->index.value][0] == 0) {
            *bus = (guint)controller->index.value;
            return TRUE;
        }
    }
    return add_port(slots, bus);
}

static void
give_slot(const char *element, void *device, KilnDeviceInfo *info, gpointer data)
{
    Slots *slots = data;
    guint bus;

    if (info == NULL ||
        (info->address.type == KILN_ADDRESS_PCI
             ? kiln_pci_address_chosen(&info->address.pci)
             : info->address.type != KILN_ADDRESS_ABSENT || !needs_slot(element, device)))
        return;
    if (!find_bus(slots, &bus)) {
        kiln_fault_add(slots->faults, KILN_FAULT_XML, NULL, NULL,
                       "<%s>: there is no PCI slot left for it", element);
        return;
    }
    info->address.type = KILN_ADDRESS_PCI;
    info->address.pci = (KilnPciAddress){ .bus = bus };
    slots->functions[bus][0] |= 1;
}

void
kiln_assign_pci(KilnDomain *domain, KilnFaults *faults)
{
    g_autofree Slots *slots = g_new0(Slots, 1);

    slots->domain = domain;
    slots->faults = faults;
    place_chipset(domain);
    note_buses(slots);
    kiln_devices_foreach(domain, note_taken, slots);
    place_primary_video(slots);
    place_ports(slots);
    kiln_devices_foreach(domain, give_slot, slots);
}
