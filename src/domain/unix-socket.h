/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <source type='unix' path=>: the socket of another program, and whether to try again when it goes
 * away.
 */
#ifndef KILN_DOMAIN_UNIX_SOCKET_H
#define KILN_DOMAIN_UNIX_SOCKET_H

#include "domain/fields.h"

typedef enum { KILN_SOCKET_KIND_ABSENT, KILN_SOCKET_KIND_UNIX, KILN_N_SOCKET_KIND } KilnSocketKind;

extern const char *const kiln_socket_kind_names[KILN_N_SOCKET_KIND];

typedef enum {
    KILN_SOCKET_MODE_ABSENT,
    KILN_SOCKET_MODE_SERVER,
    KILN_SOCKET_MODE_CLIENT,
    KILN_N_SOCKET_MODE
} KilnSocketMode;

extern const char *const kiln_socket_mode_names[KILN_N_SOCKET_MODE];

typedef struct {
    KilnSwitch enabled;
    KilnUint timeout_s;
} KilnReconnect;

typedef struct {
    KilnSocketKind kind;
    char *path;          /* (owned) (nullable) */
    KilnSocketMode mode; /* whether the host's side listens or connects */
    KilnReconnect reconnect;
} KilnUnixSocket;

extern const KilnStruct kiln_reconnect_struct;
extern const KilnStruct kiln_unix_socket_struct;

#endif
