/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VNC server for one head of the guest: the module vnc.so, with libvncserver and GnuTLS, is
 * loaded by the guests that have <graphics type='vnc'/>.
 *
 *   client -> stream (TLS) -> handshake (version, security, password)
 *          -> messages, whole ones -> keys and pointer -> KilnInputs
 *                                  -> encodings, requests -> libvncserver
 *   KilnSurface -> tiles that differ from the copy -> libvncserver's encoders -> stream
 *
 * All on the main loop.  A client that takes nothing gets no more updates until it does, and is
 * sent away when it has stood still for KILN_VNC_STUCK_SECONDS or owes more than two pictures.
 */
#ifndef KILN_DISPLAY_VNC_H
#define KILN_DISPLAY_VNC_H

#include "display/input.h"
#include "display/surface.h"

#define KILN_VNC_MODULE_FILE   "vnc.so"
#define KILN_VNC_MODULE_SYMBOL "kiln_vnc_module"

enum {
    KILN_VNC_FIRST_PORT = 5900,
    KILN_VNC_LAST_PORT = 65535,
    KILN_VNC_MAX_CLIENTS = 32,
    KILN_VNC_LOGIN_SECONDS = 30, /* for version to ClientInit */
    KILN_VNC_STUCK_SECONDS = 60,
};

/* What becomes of others when a client asks to be alone (RFC 6143 §7.3.1). */
typedef enum {
    KILN_VNC_ALLOW_EXCLUSIVE, /* they are sent away; and nobody joins one that is alone */
    KILN_VNC_FORCE_SHARED,    /* it is sent away */
    KILN_VNC_IGNORE,          /* nothing */
} KilnVncSharing;

typedef enum {
    KILN_VNC_CONNECTED,    /* somebody is there, who is not let in yet */
    KILN_VNC_INITIALIZED,  /* let in */
    KILN_VNC_DISCONNECTED, /* gone again */
} KilnVncEvent;

/**
 * KilnVncPeer: who it is
 * @family: "ipv4", "ipv6" or "unix"
 * @node, @service, @local_node, @local_service: addresses and ports, or a path and ""
 * @scheme: how it authenticated: "none", "vnc", "x509", "x509+vnc"
 * @x509_name: (nullable): of its certificate
 *
 * Text is valid UTF-8, whatever the peer calls itself.
 */
typedef struct {
    const char *family;
    char *node, *service;
    char *local_node, *local_service;
    const char *scheme;
    char *x509_name;
} KilnVncPeer;

/**
 * KilnVncOptions:
 * @name: what the client's window is called
 * @surface: (nullable): NULL: a guest without a display, whose picture is black
 * @inputs: where keys and pointer go
 * @password: (nullable): NULL asks for none; "" lets nobody in.  Its first 8 bytes count.
 * @valid_to: seconds since 1970 after which @password lets nobody in; 0 is for ever
 * @tls_dir: (nullable): with server-cert.pem and server-key.pem, and ca-cert.pem if @tls_verify:
 *   nobody comes in without TLS (VeNCrypt, X.509)
 * @tls_verify: clients must have a certificate too
 * @keymap: (nullable): layout by which a client's keysyms become keys; clients that send scan codes
 *   need none
 * @event: (nullable): who came and went; @peer is valid during the call
 * @power: (nullable): a client asks for 's'hutdown, re'b'oot, 'r'eset (xvp)
 *
 * Copied.
 */
typedef struct {
    const char *name;
    KilnSurface *surface;
    KilnInputs *inputs;
    KilnVncSharing sharing;
    const char *password;
    gint64 valid_to;
    const char *tls_dir;
    gboolean tls_verify;
    const char *keymap;
    void (*event)(void *data, KilnVncEvent event, const KilnVncPeer *peer);
    void (*power)(void *data, char what);
    void *data;
} KilnVncOptions;

typedef struct KilnVnc KilnVnc;

/**
 * KilnVncModule:
 * @open: Returns: (transfer full): a server that nobody reaches yet, or NULL with @error set
 * @listen_tcp: at @address (nullable: every one), at the first free port from @first to @last.
 *   Returns: the port, or 0 with @error set
 * @listen_unix: at @path.  Returns: FALSE with @error set
 * @add_client: @fd (transfer full): a connected socket, such as one end of a socketpair;
 *   @let_in: neither TLS nor password is asked for
 * @set_password: as in the options; who is in stays, who is about to come in
 *   is sent away
 * @set_surface: (nullable) looks at another one
 * @n_clients: how many are let in
 * @close: (nullable) sends everybody away
 *
 * All on the main thread, and none waits.
 */
typedef struct {
    KilnVnc *(*open)(const KilnVncOptions *options, GError **error);
    guint (*listen_tcp)(KilnVnc *vnc, const char *address, guint first, guint last, GError **error);
    gboolean (*listen_unix)(KilnVnc *vnc, const char *path, GError **error);
    void (*add_client)(KilnVnc *vnc, int fd, gboolean let_in);
    void (*set_password)(KilnVnc *vnc, const char *password, gint64 valid_to);
    void (*set_surface)(KilnVnc *vnc, KilnSurface *surface);
    guint (*n_clients)(const KilnVnc *vnc);
    void (*close)(KilnVnc *vnc);
} KilnVncModule;

extern const KilnVncModule kiln_vnc_module;

#endif
