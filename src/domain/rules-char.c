/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rows of the table of rules (rules.h): serial ports, consoles, channels. */
#include "domain/rules-tables.h"

#include <string.h>

/* ---- Conditions ------------------------------------------------------------------------------ */

static const char *
isa_serial_address(const KilnDomain *domain, const KilnXmlNode *node)
{
    static const struct {
        const char *iobase;
        guint64 irq;
    } ports[] = { { "0x3f8", 4 }, { "0x2f8", 3 }, { "0x3e8", 4 }, { "0x2e8", 3 } };
    const char *iobase = kiln_rule_attribute(node, "iobase");
    const char *irq = kiln_rule_attribute(node, "irq");
    const KilnXmlNode *target = kiln_rule_child(node->parent, "target");

    if (iobase == NULL && irq == NULL)
        return NULL;
    if (target != NULL && g_strcmp0(kiln_rule_attribute(target, "type"), "isa-debug") == 0)
        return irq != NULL ? "the debug console has no irq" : NULL;
    for (guint i = 0; iobase != NULL && i < G_N_ELEMENTS(ports); i++) {
        if (g_ascii_strcasecmp(iobase, ports[i].iobase) == 0 &&
            (irq == NULL || g_ascii_strtoull(irq, NULL, 0) == ports[i].irq))
            return NULL;
    }
    return "serial ports are at 0x3f8 and 0x3e8 with irq 4, 0x2f8 and 0x2e8 with irq 3";
}

/* A channel gets a path of its own, a serial port does not. */
static const char *
socket_path(const KilnDomain *domain, const KilnXmlNode *node)
{
    if (g_strcmp0(kiln_rule_attribute(node, "type"), "unix") != 0)
        return NULL;
    for (guint i = 0; i < node->children->len; i++) {
        const KilnXmlNode *child = g_ptr_array_index(node->children, i);
        const char *path = child->ns == NULL && strcmp(child->name, "source") == 0
                               ? kiln_rule_attribute(child, "path")
                               : NULL;

        if (path != NULL && *path != '\0')
            return NULL;
    }
    return "type 'unix' needs <source path=>";
}

static const char *
serial_port(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *port = kiln_rule_attribute(node, "port");

    return port != NULL && (strlen(port) != 1 || *port < '0' || *port > '3')
               ? "there are four serial ports, 0 to 3"
               : NULL;
}

/* @node is a <source>. */
static const char *
appended_file(const KilnDomain *domain, const KilnXmlNode *node)
{
    return g_strcmp0(kiln_rule_attribute(node->parent, "type"), "file") != 0
               ? "only a file is appended to; this port's host side is none"
               : NULL;
}

/* @node is a <protocol>. */
static const char *
tcp_protocol(const KilnDomain *domain, const KilnXmlNode *node)
{
    return g_strcmp0(kiln_rule_attribute(node, "type"), "raw") != 0 &&
                   g_strcmp0(kiln_rule_attribute(node->parent, "type"), "tcp") != 0
               ? "only TCP has a protocol to choose"
               : NULL;
}

/* @node is a <console>.  The first one may stand for the first serial port. */
static const char *
serial_console(const KilnDomain *domain, const KilnXmlNode *node)
{
    for (guint i = 0; i < node->parent->children->len; i++) {
        const KilnXmlNode *other = g_ptr_array_index(node->parent->children, i);

        if (other == node)
            break;
        if (other->ns == NULL && strcmp(other->name, node->name) == 0)
            return "only the first console can stand for a serial port; say <target "
                   "type='virtio'/>";
    }
    return NULL;
}

/* @node is a <target> of type serial. */
static const char *
console_target(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *type = kiln_rule_attribute(node, "type");
    const char *port = kiln_rule_attribute(node, "port");

    if (g_strcmp0(type, "virtio") == 0)
        return NULL;
    if (port != NULL && strcmp(port, "0") != 0)
        return "a console stands for the first serial port";
    return serial_console(domain, node->parent);
}

/* @node is a <console>. */
static const char *
console(const KilnDomain *domain, const KilnXmlNode *node)
{
    const char *reason = socket_path(domain, node);

    if (reason != NULL)
        return reason;
    for (guint i = 0; i < node->children->len; i++) {
        const KilnXmlNode *child = g_ptr_array_index(node->children, i);

        if (child->ns == NULL && strcmp(child->name, "target") == 0)
            return NULL; /* console_target() looks at it */
    }
    return serial_console(domain, node);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static const KilnDomainRule rules[] = {
    YES("domain/devices/serial"),
    KEPT("domain/devices/serial/alias/**", ALIASES),
    YES("domain/devices/serial@type", .check = socket_path,
        .values = "null stdio pty file pipe unix tcp",
        .note = "this kind of host side is not available in this version"),
    YES("domain/devices/serial/source"),
    KEPT("domain/devices/serial/source/seclabel/**", LABELS),
    YES("domain/devices/serial/source@tls", .values = "no",
        .note = "TLS is not available in this version"),
    YES("domain/devices/serial/source@append", .check = appended_file),
    YES("domain/devices/serial/source@*"),
    NO("domain/devices/serial/source/reconnect", "reconnecting is not available in this version"),
    YES("domain/devices/serial/protocol"),
    YES("domain/devices/serial/protocol@type", .values = "raw telnet", .check = tcp_protocol,
        .note = "TLS is not available in this version"),
    YES("domain/devices/serial/log"),
    YES("domain/devices/serial/log@*"),
    YES("domain/devices/serial/target", .check = serial_port),
    YES("domain/devices/serial/target@type", .values = "isa-serial isa-debug",
        .note = "serial ports on PCI and USB are not available in this version"),
    YES("domain/devices/serial/target@port"),
    YES("domain/devices/serial/target/model"),
    YES("domain/devices/serial/target/model@name", .values = "isa-serial isa-debugcon",
        .note =
            "the serial ports are 16550A of ISA; a debug console is at 0x402 unless its address "
            "says otherwise"),
    YES("domain/devices/serial/address", .check = isa_serial_address),
    YES("domain/devices/serial/address@type", .values = "isa", .note = "serial ports are on ISA"),
    YES("domain/devices/serial/address@*"),
    KEPT("domain/devices/serial@tty", "a pty is made anew for each run"),

    YES("domain/devices/console"),
    YES("domain/devices/console@type", .check = console,
        .values = "null stdio pty file pipe unix tcp",
        .note = "this kind of host side is not available in this version"),
    KEPT("domain/devices/console@tty", "a pty is made anew for each run"),
    YES("domain/devices/console/target", .check = console_target),
    YES("domain/devices/console/target@type", .values = "serial virtio",
        .note = "consoles are serial ports or ports of a virtio console"),
    YES("domain/devices/console/target@port"),
    YES("domain/devices/console/source"),
    KEPT("domain/devices/console/source/seclabel/**", LABELS),
    YES("domain/devices/console/source@tls", .values = "no",
        .note = "TLS is not available in this version"),
    YES("domain/devices/console/source@append", .check = appended_file),
    YES("domain/devices/console/source@*"),
    NO("domain/devices/console/source/reconnect", "reconnecting is not available in this version"),
    YES("domain/devices/console/protocol"),
    YES("domain/devices/console/protocol@type", .values = "raw telnet", .check = tcp_protocol,
        .note = "TLS is not available in this version"),
    YES("domain/devices/console/log"),
    YES("domain/devices/console/log@*"),
    YES("domain/devices/console/address"),
    YES("domain/devices/console/address@*"),
    KEPT("domain/devices/console/alias/**", ALIASES),

    YES("domain/devices/channel"),
    YES("domain/devices/channel@type", .values = "null stdio pty file pipe unix tcp",
        .note = "this kind of host side is not available in this version; SPICE is not offered"),
    YES("domain/devices/channel/source"),
    KEPT("domain/devices/channel/source/seclabel/**", LABELS),
    YES("domain/devices/channel/source@tls", .values = "no",
        .note = "TLS is not available in this version"),
    YES("domain/devices/channel/source@append", .check = appended_file),
    YES("domain/devices/channel/source@*"),
    NO("domain/devices/channel/source/reconnect", "reconnecting is not available in this version"),
    YES("domain/devices/channel/protocol"),
    YES("domain/devices/channel/protocol@type", .values = "raw telnet", .check = tcp_protocol,
        .note = "TLS is not available in this version"),
    YES("domain/devices/channel/log"),
    YES("domain/devices/channel/log@*"),
    YES("domain/devices/channel/target"),
    YES("domain/devices/channel/target@type", .values = "virtio",
        .note = "guestfwd needs a network stack in the VMM; use virtio"),
    YES("domain/devices/channel/target@name"),
    KEPT("domain/devices/channel/target@state", "said of a running guest"),
    YES("domain/devices/channel/address"),
    YES("domain/devices/channel/address@type", .values = "virtio-serial",
        .note = "channels are ports of a virtio console"),
    YES("domain/devices/channel/address@*"),
    KEPT("domain/devices/channel/alias/**", ALIASES),
};

const KilnRuleTable kiln_rules_char = KILN_RULE_TABLE(rules);
