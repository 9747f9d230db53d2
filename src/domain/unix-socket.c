/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/unix-socket.h"

const char *const kiln_socket_kind_names[KILN_N_SOCKET_KIND] = {
    [KILN_SOCKET_KIND_UNIX] = "unix",
};

const char *const kiln_socket_mode_names[KILN_N_SOCKET_MODE] = {
    [KILN_SOCKET_MODE_SERVER] = "server",
    [KILN_SOCKET_MODE_CLIENT] = "client",
};

static const KilnField reconnect_fields[] = {
    KILN_FIELD_SWITCH(KilnReconnect, enabled, "@enabled", YESNO, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnReconnect, timeout_s, "@timeout", 0, G_MAXUINT32),
    KILN_FIELD_END,
};

const KilnStruct kiln_reconnect_struct = {
    .size = sizeof(KilnReconnect),
    .fields = reconnect_fields,
};

static const KilnField unix_socket_fields[] = {
    KILN_FIELD_ENUM(KilnUnixSocket, kind, "@type", kiln_socket_kind_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnUnixSocket, path, "@path", .flags = KILN_FIELD_REQUIRED,
                      .rule = &kiln_path_rule),
    KILN_FIELD_ENUM(KilnUnixSocket, mode, "@mode", kiln_socket_mode_names),
    KILN_FIELD_EMBED(KilnUnixSocket, reconnect, "reconnect", &kiln_reconnect_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_unix_socket_struct = {
    .size = sizeof(KilnUnixSocket),
    .fields = unix_socket_fields,
};
