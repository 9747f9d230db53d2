/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ports of virtio-serial controllers.  A controller has 31 ports unless it says otherwise
 * (libvirt's and QEMU's number), of which 0 is the console's.
 */
#include "domain/assign.h"

#include "domain/devices.h"

#include <string.h>

enum {
    DEFAULT_PORTS = 31,
    MAX_CONTROLLERS = 32,
};

typedef struct {
    KilnDomain *domain;
    KilnFaults *faults;
    guint64 taken[MAX_CONTROLLERS]; /* a bit a port */
} Ports;

/* Whether @device is to have a port, and the place that faults name. */
static gboolean
wants_port(const char *element, const void *device, const char **name)
{
    *name = element;
    if (strcmp(element, "channel") == 0)
        return ((const KilnChannel *)device)->target.type == KILN_CHANNEL_TARGET_VIRTIO;
    return strcmp(element, "console") == 0 &&
           ((const KilnConsole *)device)->target == KILN_CONSOLE_TARGET_VIRTIO;
}

static const KilnController *
find_controller(const KilnDomain *domain, guint index)
{
    for (guint i = 0; i < domain->controllers->len; i++) {
        const KilnController *controller = g_ptr_array_index(domain->controllers, i);

        if (controller->type == KILN_CONTROLLER_TYPE_VIRTIO_SERIAL &&
            (controller->index.set ? controller->index.value : 0) == index)
            return controller;
    }
    return NULL;
}

static guint
n_ports(const KilnController *controller)
{
    return controller != NULL && controller->ports.set && controller->ports.value > 0
               ? (guint)MIN(controller->ports.value, DEFAULT_PORTS)
               : DEFAULT_PORTS;
}

static void
note_port(const char *element, void *device, KilnDeviceInfo *info, gpointer data)
{
    Ports *ports = data;
    const KilnVirtioSerialAddress *at;
    const char *name;

    if (info == NULL || info->address.type != KILN_ADDRESS_VIRTIO_SERIAL ||
        !wants_port(element, device, &name))
        return;
    at = &info->address.virtio_serial;
    if (at->controller >= MAX_CONTROLLERS || at->bus != 0 ||
        at->port >= n_ports(find_controller(ports->domain, at->controller)))
        kiln_fault_add(ports->faults, KILN_FAULT_XML, NULL, NULL,
                       "<%s>: there is no port %u of virtio-serial controller %u", name, at->port,
                       at->controller);
    else if (at->port == 0 && strcmp(element, "console") != 0)
        kiln_fault_add(ports->faults, KILN_FAULT_XML, NULL, NULL,
                       "<%s>: port 0 of a virtio-serial controller is for a console", name);
    else if ((ports->taken[at->controller] & 1ull << at->port) != 0)
        kiln_fault_add(ports->faults, KILN_FAULT_XML, NULL, NULL,
                       "<%s>: another device has port %u of virtio-serial controller %u", name,
                       at->port, at->controller);
    else
        ports->taken[at->controller] |= 1ull << at->port;
}

static gboolean
find_port(const Ports *ports, gboolean console, KilnVirtioSerialAddress *at)
{
    for (guint i = 0; i < MAX_CONTROLLERS; i++) {
        guint n = n_ports(find_controller(ports->domain, i));

        for (guint port = console ? 0 : 1; port < n; port++) {
            if ((ports->taken[i] & 1ull << port) == 0) {
                *at = (KilnVirtioSerialAddress){ .controller = i, .port = port };
                return TRUE;
            }
        }
    }
    return FALSE;
}

static void
give_port(const char *element, void *device, KilnDeviceInfo *info, gpointer data)
{
    Ports *ports = data;
    const char *name;

    if (info == NULL || info->address.type != KILN_ADDRESS_ABSENT ||
        !wants_port(element, device, &name))
        return;
    if (!find_port(ports, strcmp(element, "console") == 0, &info->address.virtio_serial)) {
        kiln_fault_add(ports->faults, KILN_FAULT_XML, NULL, NULL,
                       "<%s>: there is no virtio-serial port left for it", name);
        return;
    }
    info->address.type = KILN_ADDRESS_VIRTIO_SERIAL;
    ports->taken[info->address.virtio_serial.controller] |= 1ull
                                                            << info->address.virtio_serial.port;
}

/* A controller for each whose ports are used. */
static void
add_controllers(Ports *ports)
{
    for (guint i = 0; i < MAX_CONTROLLERS; i++) {
        g_autofree char *text = NULL;
        g_autoptr(KilnXmlNode) node = NULL;
        g_autoptr(KilnFaults) faults = kiln_faults_new();

        if (ports->taken[i] == 0 || find_controller(ports->domain, i) != NULL)
            continue;
        text = g_strdup_printf("<controller type='virtio-serial' index='%u'/>", i);
        node = kiln_xml_parse(text, strlen(text), faults);
        g_ptr_array_add(ports->domain->controllers, kiln_controller_parse(node, faults));
    }
}

void
kiln_assign_virtio_serial(KilnDomain *domain, KilnFaults *faults)
{
    Ports ports = { .domain = domain, .faults = faults };

    kiln_devices_foreach(domain, note_port, &ports);
    kiln_devices_foreach(domain, give_port, &ports);
    add_controllers(&ports);
}
