/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <serial> of the definition becomes 16550 ports and their host sides. */
#include "machine/private.h"

#include "base/error.h"
#include "device/serial.h"
#include "domain/domain.h"

enum { N_COMS = 4 };

/* Where a PC has its serial ports. */
static const struct {
    uint16_t base;
    guint irq;
} coms[N_COMS] = { { 0x3f8, 4 }, { 0x2f8, 3 }, { 0x3e8, 4 }, { 0x2e8, 3 } };

/* By its <address iobase=...>, else by <target port=...>, else by its place. */
static guint
port_number(const KilnSerial *serial, guint index)
{
    const KilnAddress *address = &serial->info.address;

    if (address->type == KILN_ADDRESS_ISA && address->isa.iobase.set) {
        for (guint i = 0; i < N_COMS; i++) {
            if (coms[i].base == address->isa.iobase.value)
                return i;
        }
        return N_COMS;
    }
    return serial->port.set ? (guint)serial->port.value : index;
}

guint
kiln_machine_com_ports(const KilnMachine *machine)
{
    guint ports = 0;

    for (guint i = 0; i < machine->domain->serials->len; i++)
        ports |= 1u << port_number(g_ptr_array_index(machine->domain->serials, i), i);
    return ports & ((1u << N_COMS) - 1);
}

static gboolean
backend_kind(KilnCharType type, KilnChardevKind *kind)
{
    switch (type) {
    case KILN_CHAR_TYPE_PTY: *kind = KILN_CHARDEV_PTY; return TRUE;
    case KILN_CHAR_TYPE_NULL: *kind = KILN_CHARDEV_NULL; return TRUE;
    case KILN_CHAR_TYPE_FILE: *kind = KILN_CHARDEV_FILE; return TRUE;
    case KILN_CHAR_TYPE_PIPE: *kind = KILN_CHARDEV_PIPE; return TRUE;
    case KILN_CHAR_TYPE_STDIO: *kind = KILN_CHARDEV_STDIO; return TRUE;
    case KILN_CHAR_TYPE_TCP: *kind = KILN_CHARDEV_TCP; return TRUE;
    case KILN_CHAR_TYPE_UNIX: *kind = KILN_CHARDEV_UNIX; return TRUE;
    default: return FALSE;
    }
}

static KilnChardev *
open_host_side(const KilnSerial *serial, const char *alias, gboolean console, GError **error)
{
    const KilnCharSource *source = &serial->source;
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;

    options.id = alias;
    if (console) {
        options.kind = KILN_CHARDEV_STDIO;
    } else if (!backend_kind(source->type, &options.kind)) {
        kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "type '%s' is not available",
                       kiln_char_type_names[source->type]);
        return NULL;
    }
    if (!console) {
        options.path = source->endpoint.path;
        options.append = source->endpoint.append == KILN_SWITCH_ON;
        options.host = source->endpoint.host;
        options.service = source->endpoint.service;
        options.listen = source->endpoint.mode == KILN_CHAR_MODE_BIND ||
                         source->endpoint.mode == KILN_CHAR_MODE_SERVER;
        options.telnet = source->protocol == KILN_CHAR_PROTOCOL_TELNET;
        if (source->endpoint.reconnect.enabled == KILN_SWITCH_ON)
            options.reconnect_seconds = source->endpoint.reconnect.timeout_s.set
                                            ? (guint)source->endpoint.reconnect.timeout_s.value
                                            : 1;
    }
    options.log_path = source->log_file;
    options.log_append = source->log_append == KILN_SWITCH_ON;
    return kiln_chardev_open(&options, NULL, error);
}

/* The live definition says which pty it became, on the port and on the console that stands for it.
 */
static void
record_path(KilnMachine *machine, KilnSerial *serial, guint index, const char *path)
{
    KilnConsole *console =
        machine->domain->consoles->len > 0 ? g_ptr_array_index(machine->domain->consoles, 0) : NULL;

    if (path == NULL)
        return;
    g_free(serial->source.endpoint.path);
    serial->source.endpoint.path = g_strdup(path);
    if (index > 0 || console == NULL || console->source.type != KILN_CHAR_TYPE_PTY)
        return;
    g_free(console->source.endpoint.path);
    console->source.endpoint.path = g_strdup(path);
    g_free(console->tty);
    console->tty = g_strdup(path);
}

static gboolean
build_port(KilnMachine *machine, KilnSerial *serial, guint index, GError **error)
{
    guint number = port_number(serial, index);
    KilnMachinePort port = { 0 };
    KilnSerialOptions options = { .io = machine->io, .index = number };
    KilnDevice *device;

    if (number >= N_COMS)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "there are only ports 0 to %d",
                              N_COMS - 1);
    if (serial->info.alias == NULL)
        serial->info.alias = g_strdup_printf("serial%u", index);
    port.chardev =
        open_host_side(serial, serial->info.alias, machine->options.console && index == 0, error);
    if (port.chardev == NULL)
        return FALSE;
    port.alias = g_strdup(serial->info.alias);
    g_array_append_val(machine->ports, port);
    record_path(machine, serial, index, kiln_chardev_path(port.chardev));
    options.base = coms[number].base;
    options.irq = kiln_machine_isa_irq(machine, coms[number].irq);
    options.chardev = port.chardev;
    device = kiln_serial_new(&options, error);
    return device != NULL && kiln_machine_add_device(machine, device) != NULL;
}

gboolean
kiln_machine_build_ports(KilnMachine *machine, GError **error)
{
    GPtrArray *serials = machine->domain->serials;

    machine->ports = g_array_new(FALSE, FALSE, sizeof(KilnMachinePort));
    if (machine->options.console && serials->len == 0)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "no console: the definition has no <serial> element; add "
                              "<serial type='pty'/> to its <devices>");
    for (guint i = 0; i < serials->len; i++) {
        if (!build_port(machine, g_ptr_array_index(serials, i), i, error)) {
            g_prefix_error(error, "serial port %u: ", i);
            return FALSE;
        }
    }
    return TRUE;
}

void
kiln_machine_free_ports(KilnMachine *machine)
{
    for (guint i = 0; machine->ports != NULL && i < machine->ports->len; i++) {
        KilnMachinePort *port = &g_array_index(machine->ports, KilnMachinePort, i);

        g_free(port->alias);
        kiln_chardev_free(port->chardev);
    }
    g_clear_pointer(&machine->ports, g_array_unref);
}

KilnChardev *
kiln_machine_console(KilnMachine *machine, const char *name, GError **error)
{
    for (guint i = 0; i < machine->ports->len; i++) {
        const KilnMachinePort *port = &g_array_index(machine->ports, KilnMachinePort, i);

        /* console0 is the first serial port by another name, as in libvirt. */
        if (name == NULL || g_strcmp0(name, port->alias) == 0 ||
            (i == 0 && g_strcmp0(name, "console0") == 0))
            return port->chardev;
    }
    if (name == NULL)
        kiln_error_set(error, KILN_ERROR_NOT_FOUND, "the guest has no serial port");
    else
        kiln_error_set(error, KILN_ERROR_NOT_FOUND, "the guest has no console '%s'", name);
    return NULL;
}
