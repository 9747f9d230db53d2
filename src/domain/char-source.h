/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host side of a serial port, console or channel: <serial type='unix'><source .../>, and the
 * log of what passes.  Embedded in the device's own element.
 */
#ifndef KILN_DOMAIN_CHAR_SOURCE_H
#define KILN_DOMAIN_CHAR_SOURCE_H

#include "domain/fields.h"
#include "domain/seclabel.h"
#include "domain/unix-socket.h"

typedef enum {
    KILN_CHAR_TYPE_PTY,
    KILN_CHAR_TYPE_NULL,
    KILN_CHAR_TYPE_VC,
    KILN_CHAR_TYPE_DEV,
    KILN_CHAR_TYPE_FILE,
    KILN_CHAR_TYPE_PIPE,
    KILN_CHAR_TYPE_STDIO,
    KILN_CHAR_TYPE_UDP,
    KILN_CHAR_TYPE_TCP,
    KILN_CHAR_TYPE_UNIX,
    KILN_CHAR_TYPE_SPICEVMC,
    KILN_CHAR_TYPE_SPICEPORT,
    KILN_CHAR_TYPE_DBUS,
    KILN_CHAR_TYPE_QEMU_VDAGENT,
    KILN_N_CHAR_TYPE
} KilnCharType;

extern const char *const kiln_char_type_names[KILN_N_CHAR_TYPE];

/* bind listens; server and client are old words */
typedef enum {
    KILN_CHAR_MODE_ABSENT,
    KILN_CHAR_MODE_BIND,
    KILN_CHAR_MODE_CONNECT,
    KILN_CHAR_MODE_SERVER,
    KILN_CHAR_MODE_CLIENT,
    KILN_N_CHAR_MODE
} KilnCharMode;

extern const char *const kiln_char_mode_names[KILN_N_CHAR_MODE];

typedef enum {
    KILN_CHAR_PROTOCOL_ABSENT,
    KILN_CHAR_PROTOCOL_RAW,
    KILN_CHAR_PROTOCOL_TELNET,
    KILN_CHAR_PROTOCOL_TELNETS,
    KILN_CHAR_PROTOCOL_TLS,
    KILN_N_CHAR_PROTOCOL
} KilnCharProtocol;

extern const char *const kiln_char_protocol_names[KILN_N_CHAR_PROTOCOL];

typedef enum {
    KILN_CHAR_MOUSE_ABSENT,
    KILN_CHAR_MOUSE_SERVER,
    KILN_CHAR_MOUSE_CLIENT,
    KILN_N_CHAR_MOUSE
} KilnCharMouse;

extern const char *const kiln_char_mouse_names[KILN_N_CHAR_MOUSE];

/* One <source>; which members count depends on the type. */
typedef struct {
    KilnCharMode mode;
    char *path;    /* (owned) (nullable) of a file, device or socket */
    char *host;    /* (owned) (nullable) */
    char *service; /* (owned) (nullable) port */
    char *channel; /* (owned) (nullable) its name */
    KilnSwitch append;
    KilnSwitch tls;
    KilnReconnect reconnect; /* of mode connect */
    KilnSwitch clipboard;
    KilnCharMouse mouse;
    GPtrArray *seclabels; /* (owned) of KilnSeclabel */
} KilnCharEndpoint;

typedef struct {
    KilnCharType type; /* absent in the document is pty */
    GPtrArray *
        udp_endpoints; /* (owned) of KilnCharEndpoint at most one of mode bind and one of connect */
    KilnCharEndpoint endpoint;
    KilnCharProtocol protocol;
    char *log_file; /* (owned) (nullable) */
    KilnSwitch log_append;
} KilnCharSource;

extern const KilnStruct kiln_char_endpoint_struct;
extern const KilnStruct kiln_char_source_struct;

#endif
