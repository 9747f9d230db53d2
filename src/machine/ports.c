/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <serial> of the definition becomes 16550 ports, or a debug console, and their host sides. */
#include "machine/chars.h"
#include "machine/private.h"

#include "base/error.h"
#include "device/debugcon.h"
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

static gboolean
is_debugcon(const KilnSerial *serial)
{
    return serial->target == KILN_SERIAL_TARGET_ISA_DEBUG;
}

guint
kiln_machine_com_ports(const KilnMachine *machine)
{
    guint ports = 0;

    for (guint i = 0; i < machine->domain->serials->len; i++) {
        const KilnSerial *serial = g_ptr_array_index(machine->domain->serials, i);

        if (!is_debugcon(serial))
            ports |= 1u << port_number(serial, i);
    }
    return ports & ((1u << N_COMS) - 1);
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
build_debugcon(KilnMachine *machine, const KilnSerial *serial, GError **error)
{
    const KilnAddress *address = &serial->info.address;
    KilnDebugconOptions options = { .io = machine->io };
    KilnDevice *device;

    if (address->type == KILN_ADDRESS_ISA && address->isa.iobase.set)
        options.port = (uint16_t)address->isa.iobase.value;
    options.chardev =
        kiln_machine_open_chardev(machine, serial->info.alias, &serial->source, TRUE, error);
    if (options.chardev == NULL)
        return FALSE;
    device = kiln_debugcon_new(&options, error);
    return device != NULL && kiln_machine_add_device(machine, device) != NULL;
}

static gboolean
build_port(KilnMachine *machine, KilnSerial *serial, guint index, GError **error)
{
    guint number = port_number(serial, index);
    gboolean terminal = machine->options.console && index == 0;
    KilnSerialOptions options = { .io = machine->io, .index = number };
    KilnDevice *device;

    if (number >= N_COMS)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "there are only ports 0 to %d",
                              N_COMS - 1);
    options.chardev = kiln_machine_open_chardev(machine, serial->info.alias,
                                                terminal ? NULL : &serial->source, TRUE, error);
    if (options.chardev == NULL)
        return FALSE;
    record_path(machine, serial, index, kiln_chardev_path(options.chardev));
    options.base = coms[number].base;
    options.irq = kiln_machine_isa_irq(machine, coms[number].irq);
    device = kiln_serial_new(&options, error);
    return device != NULL && kiln_machine_add_device(machine, device) != NULL;
}

gboolean
kiln_machine_build_ports(KilnMachine *machine, GError **error)
{
    GPtrArray *serials = machine->domain->serials;

    if (machine->options.console && serials->len == 0)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "no console: the definition has no <serial> element; add "
                              "<serial type='pty'/> to its <devices>");
    for (guint i = 0; i < serials->len; i++) {
        KilnSerial *serial = g_ptr_array_index(serials, i);

        if (is_debugcon(serial) ? !build_debugcon(machine, serial, error)
                                : !build_port(machine, serial, i, error)) {
            g_prefix_error(error, "serial port %u: ", i);
            return FALSE;
        }
    }
    return TRUE;
}
