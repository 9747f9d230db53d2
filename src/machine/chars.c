/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See chars.h. */
#include "machine/chars.h"

#include "base/error.h"
#include "machine/private.h"

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

static void
take_endpoint(KilnChardevOptions *options, const KilnCharSource *source)
{
    const KilnCharEndpoint *endpoint = &source->endpoint;

    options->path = endpoint->path;
    options->append = endpoint->append == KILN_SWITCH_ON;
    options->host = endpoint->host;
    options->service = endpoint->service;
    options->listen =
        endpoint->mode == KILN_CHAR_MODE_BIND || endpoint->mode == KILN_CHAR_MODE_SERVER;
    options->telnet = source->protocol == KILN_CHAR_PROTOCOL_TELNET;
    if (endpoint->reconnect.enabled == KILN_SWITCH_ON)
        options->reconnect_seconds =
            endpoint->reconnect.timeout_s.set ? (guint)endpoint->reconnect.timeout_s.value : 1;
}

KilnChardev *
kiln_machine_open_chardev(KilnMachine *machine, const char *alias, const KilnCharSource *source,
                          gboolean console, GError **error)
{
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    KilnMachinePort port = { .console = console };

    options.id = alias;
    options.kind = KILN_CHARDEV_STDIO;
    if (source != NULL) {
        if (!backend_kind(source->type, &options.kind)) {
            kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "type '%s' is not available",
                           kiln_char_type_names[source->type]);
            return NULL;
        }
        take_endpoint(&options, source);
        options.log_path = source->log_file;
        options.log_append = source->log_append == KILN_SWITCH_ON;
    }
    port.chardev = kiln_chardev_open(&options, NULL, error);
    if (port.chardev == NULL)
        return NULL;
    port.alias = g_strdup(alias);
    g_array_append_val(machine->ports, port);
    return port.chardev;
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
        if (name == NULL ? port->console
                         : g_strcmp0(name, port->alias) == 0 ||
                               (i == 0 && port->console && g_strcmp0(name, "console0") == 0))
            return port->chardev;
    }
    if (name == NULL)
        kiln_error_set(error, KILN_ERROR_NOT_FOUND, "the guest has no serial port or console");
    else
        kiln_error_set(error, KILN_ERROR_NOT_FOUND, "the guest has no console '%s'", name);
    return NULL;
}
