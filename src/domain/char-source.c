/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/char-source.h"

const char *const kiln_char_type_names[KILN_N_CHAR_TYPE] = {
    [KILN_CHAR_TYPE_PTY] = "pty",
    [KILN_CHAR_TYPE_NULL] = "null",
    [KILN_CHAR_TYPE_VC] = "vc",
    [KILN_CHAR_TYPE_DEV] = "dev",
    [KILN_CHAR_TYPE_FILE] = "file",
    [KILN_CHAR_TYPE_PIPE] = "pipe",
    [KILN_CHAR_TYPE_STDIO] = "stdio",
    [KILN_CHAR_TYPE_UDP] = "udp",
    [KILN_CHAR_TYPE_TCP] = "tcp",
    [KILN_CHAR_TYPE_UNIX] = "unix",
    [KILN_CHAR_TYPE_SPICEVMC] = "spicevmc",
    [KILN_CHAR_TYPE_SPICEPORT] = "spiceport",
    [KILN_CHAR_TYPE_DBUS] = "dbus",
    [KILN_CHAR_TYPE_QEMU_VDAGENT] = "qemu-vdagent",
};

const char *const kiln_char_mode_names[KILN_N_CHAR_MODE] = {
    [KILN_CHAR_MODE_BIND] = "bind",
    [KILN_CHAR_MODE_CONNECT] = "connect",
    [KILN_CHAR_MODE_SERVER] = "server",
    [KILN_CHAR_MODE_CLIENT] = "client",
};

const char *const kiln_char_protocol_names[KILN_N_CHAR_PROTOCOL] = {
    [KILN_CHAR_PROTOCOL_RAW] = "raw",
    [KILN_CHAR_PROTOCOL_TELNET] = "telnet",
    [KILN_CHAR_PROTOCOL_TELNETS] = "telnets",
    [KILN_CHAR_PROTOCOL_TLS] = "tls",
};

const char *const kiln_char_mouse_names[KILN_N_CHAR_MOUSE] = {
    [KILN_CHAR_MOUSE_SERVER] = "server",
    [KILN_CHAR_MOUSE_CLIENT] = "client",
};

static const KilnField char_endpoint_fields[] = {
    KILN_FIELD_ENUM(KilnCharEndpoint, mode, "@mode", kiln_char_mode_names,
                    .only = KILN_ONLY(KILN_CHAR_TYPE_TCP) | KILN_ONLY(KILN_CHAR_TYPE_UNIX) |
                            KILN_ONLY(KILN_CHAR_TYPE_UDP)),
    KILN_FIELD_STRING(KilnCharEndpoint, path, "@path",
                      .only = KILN_ONLY(KILN_CHAR_TYPE_PTY) | KILN_ONLY(KILN_CHAR_TYPE_NULL) |
                              KILN_ONLY(KILN_CHAR_TYPE_VC) | KILN_ONLY(KILN_CHAR_TYPE_STDIO) |
                              KILN_ONLY(KILN_CHAR_TYPE_DEV) | KILN_ONLY(KILN_CHAR_TYPE_FILE) |
                              KILN_ONLY(KILN_CHAR_TYPE_PIPE) | KILN_ONLY(KILN_CHAR_TYPE_UNIX)),
    KILN_FIELD_STRING(KilnCharEndpoint, host, "@host",
                      .only = KILN_ONLY(KILN_CHAR_TYPE_TCP) | KILN_ONLY(KILN_CHAR_TYPE_UDP)),
    KILN_FIELD_STRING(KilnCharEndpoint, service, "@service",
                      .only = KILN_ONLY(KILN_CHAR_TYPE_TCP) | KILN_ONLY(KILN_CHAR_TYPE_UDP)),
    KILN_FIELD_STRING(KilnCharEndpoint, channel, "@channel",
                      .only = KILN_ONLY(KILN_CHAR_TYPE_SPICEPORT) | KILN_ONLY(KILN_CHAR_TYPE_DBUS)),
    KILN_FIELD_SWITCH(KilnCharEndpoint, append, "@append", ONOFF,
                      .only = KILN_ONLY(KILN_CHAR_TYPE_FILE) | KILN_ONLY(KILN_CHAR_TYPE_DEV) |
                              KILN_ONLY(KILN_CHAR_TYPE_PIPE) | KILN_ONLY(KILN_CHAR_TYPE_UNIX)),
    KILN_FIELD_SWITCH(KilnCharEndpoint, tls, "@tls", YESNO, .only = KILN_ONLY(KILN_CHAR_TYPE_TCP)),
    KILN_FIELD_EMBED(KilnCharEndpoint, reconnect, "reconnect", &kiln_reconnect_struct,
                     .only = KILN_ONLY(KILN_CHAR_TYPE_TCP) | KILN_ONLY(KILN_CHAR_TYPE_UNIX)),
    KILN_FIELD_SWITCH(KilnCharEndpoint, clipboard, "clipboard@copypaste", YESNO,
                      .only = KILN_ONLY(KILN_CHAR_TYPE_QEMU_VDAGENT)),
    KILN_FIELD_ENUM(KilnCharEndpoint, mouse, "mouse@mode", kiln_char_mouse_names,
                    .only = KILN_ONLY(KILN_CHAR_TYPE_QEMU_VDAGENT)),
    KILN_FIELD_LIST(KilnCharEndpoint, seclabels, "seclabel", &kiln_seclabel_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_char_endpoint_struct = {
    .size = sizeof(KilnCharEndpoint),
    .fields = char_endpoint_fields,
};

static void
need(const char *value, const char *what, const KilnCharSource *source, const KilnXmlNode *node,
     KilnFaults *faults)
{
    if (value == NULL || *value == '\0')
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "type '%s' needs <source %s=>",
                       kiln_char_type_names[source->type], what);
}

static void
check_source(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    KilnCharSource *source = object;

    switch (source->type) {
    case KILN_CHAR_TYPE_DEV:
    case KILN_CHAR_TYPE_FILE:
    case KILN_CHAR_TYPE_PIPE: need(source->endpoint.path, "path", source, node, faults); break;
    case KILN_CHAR_TYPE_TCP:
        need(source->endpoint.host, "host", source, node, faults);
        need(source->endpoint.service, "service", source, node, faults);
        break;
    case KILN_CHAR_TYPE_SPICEPORT:
        need(source->endpoint.channel, "channel", source, node, faults);
        break;
    case KILN_CHAR_TYPE_UDP:
        if (source->udp_endpoints->len == 0 || source->udp_endpoints->len > 2)
            kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                           "type 'udp' has one or two <source>, one to bind and one to connect");
        break;
    case KILN_CHAR_TYPE_PTY:
    case KILN_CHAR_TYPE_NULL:
    case KILN_CHAR_TYPE_VC:
    case KILN_CHAR_TYPE_STDIO:
    case KILN_CHAR_TYPE_UNIX:
    case KILN_CHAR_TYPE_SPICEVMC:
    case KILN_CHAR_TYPE_DBUS:
    case KILN_CHAR_TYPE_QEMU_VDAGENT:
    case KILN_N_CHAR_TYPE: break;
    }
}

static const KilnField char_source_fields[] = {
    KILN_FIELD_ENUM(KilnCharSource, type, "@type", kiln_char_type_names),
    KILN_FIELD_LIST(KilnCharSource, udp_endpoints, "source", &kiln_char_endpoint_struct,
                    .only = KILN_ONLY(KILN_CHAR_TYPE_UDP)),
    KILN_FIELD_EMBED(KilnCharSource, endpoint, "source", &kiln_char_endpoint_struct,
                     .only = KILN_ONLY(KILN_CHAR_TYPE_PTY) | KILN_ONLY(KILN_CHAR_TYPE_NULL) |
                             KILN_ONLY(KILN_CHAR_TYPE_VC) | KILN_ONLY(KILN_CHAR_TYPE_DEV) |
                             KILN_ONLY(KILN_CHAR_TYPE_FILE) | KILN_ONLY(KILN_CHAR_TYPE_PIPE) |
                             KILN_ONLY(KILN_CHAR_TYPE_STDIO) | KILN_ONLY(KILN_CHAR_TYPE_TCP) |
                             KILN_ONLY(KILN_CHAR_TYPE_UNIX) | KILN_ONLY(KILN_CHAR_TYPE_SPICEVMC) |
                             KILN_ONLY(KILN_CHAR_TYPE_SPICEPORT) | KILN_ONLY(KILN_CHAR_TYPE_DBUS) |
                             KILN_ONLY(KILN_CHAR_TYPE_QEMU_VDAGENT)),
    KILN_FIELD_ENUM(KilnCharSource, protocol, "protocol@type", kiln_char_protocol_names),
    KILN_FIELD_STRING(KilnCharSource, log_file, "log@file", .flags = KILN_FIELD_REQUIRED,
                      .rule = &kiln_path_rule),
    KILN_FIELD_SWITCH(KilnCharSource, log_append, "log@append", ONOFF),
    KILN_FIELD_END,
};

const KilnStruct kiln_char_source_struct = {
    .size = sizeof(KilnCharSource),
    .fields = char_source_fields,
    .check = check_source,
    KILN_STRUCT_VARIANT(KilnCharSource, type),
};
