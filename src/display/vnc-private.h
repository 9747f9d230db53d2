/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the module vnc.so share. */
#ifndef KILN_DISPLAY_VNC_PRIVATE_H
#define KILN_DISPLAY_VNC_PRIVATE_H

#include "base/fd.h"
#include "base/log.h"
#include "display/vnc-handshake.h"
#include "display/vnc-stream.h"
#include "display/vnc.h"

#include <linux/input-event-codes.h>
#include <rfb/rfb.h>
#include <rfb/rfbregion.h>

typedef struct KilnVncClient KilnVncClient;

/* A listening socket. */
typedef struct {
    KilnVnc *vnc;
    KilnFd fd;       /* (owned) */
    GSource *source; /* (owned) */
    char *path;      /* (owned) (nullable): removed at the end */
} KilnVncListener;

struct KilnVnc {
    char *name; /* (owned) */
    KilnInputs *inputs;
    KilnVncSharing sharing;
    char *password; /* (owned) (nullable) */
    gint64 valid_to;
    gnutls_certificate_credentials_t credentials; /* (owned) (nullable) */
    gboolean tls_verify;
    void (*event)(void *data, KilnVncEvent event, const KilnVncPeer *peer);
    void (*power)(void *data, char what);
    void *data;

    GPtrArray *listeners; /* (owned) of KilnVncListener */
    GPtrArray *clients;   /* (owned) of KilnVncClient */
    guint reaper;         /* source that frees those that are doomed */
    guint timer;          /* of the refresh */
    guint interval_ms;
    KilnRatelimit limit;

    /* vnc-screen.c: while somebody is in */
    KilnSurface *surface;          /* (nullable) */
    KilnSurfaceListener *listener; /* (owned) (nullable) */
    rfbScreenInfoPtr screen;       /* (owned) (nullable) */
    uint32_t *copy;                /* (owned) what the clients have been told of, or will be */
    guint width, height;
    guint8 *dirty; /* (owned) a tile each */
    guint tiles_x, tiles_y;
    gboolean is_dirty;
    gboolean resized;
    gboolean refreshing;
};

typedef enum {
    KILN_VNC_CLIENT_HANDSHAKE,
    KILN_VNC_CLIENT_INIT, /* ClientInit comes next */
    KILN_VNC_CLIENT_NORMAL,
} KilnVncClientState;

struct KilnVncClient {
    KilnVnc *vnc;
    KilnVncStream *stream; /* (owned) */
    KilnVncClientState state;
    KilnVncHandshake handshake;
    KilnVncPeer peer;
    gint64 deadline_us; /* of the handshake and ClientInit */
    gboolean let_in;    /* without TLS and password */
    gboolean doomed;
    gboolean shared;
    rfbClientPtr rfb; /* (owned) (nullable) from KILN_VNC_CLIENT_NORMAL on */

    /* The message that the library reads. */
    const uint8_t *message;
    gsize message_length;

    gint64 costly_us; /* when all that it was let do is paid for */

    /* vnc-input.c */
    gboolean extended_key, pointer_change, led_state;
    int told_absolute; /* -1: not told */
    int told_lights;
    uint8_t buttons;
    uint8_t keys[KEY_CNT / 8]; /* that are down */
};

/* ---- vnc-server.c */
/* Sends @client away soon; it gets nothing more.  @reason: (nullable) for the log. */
void kiln_vnc_client_doom(KilnVncClient *client, const char *reason);
/* Somebody types or points: look at the picture more often. */
void kiln_vnc_hurry(KilnVnc *vnc);
void kiln_vnc_tell(KilnVncClient *client, KilnVncEvent event);

/* ---- vnc-client.c */
KilnVncClient *kiln_vnc_client_new(KilnVnc *vnc, int fd, gboolean let_in);
void kiln_vnc_client_free(KilnVncClient *client);
/* Returns: whether the library has DES, which a crypto library may come without. */
gboolean kiln_vnc_can_check_password(void);
/* Sends an update if it has asked for one, and takes it. */
void kiln_vnc_client_update(KilnVncClient *client);
/* Has the library read one message. */
void kiln_vnc_client_feed(KilnVncClient *client, const uint8_t *message, gsize length);

/* ---- vnc-screen.c */
gboolean kiln_vnc_screen_begin(KilnVnc *vnc);
void kiln_vnc_screen_end(KilnVnc *vnc);
/* Brings the copy up to date.  Returns: whether anything has changed. */
gboolean kiln_vnc_screen_refresh(KilnVnc *vnc);
/* @message: cut text of the extended clipboard, 12 bytes or more: passes its text to the others */
void kiln_vnc_screen_provide(KilnVncClient *client, const uint8_t *message, gsize length);

/* ---- vnc-input.c: each takes a whole message */
void kiln_vnc_input_encodings(KilnVncClient *client, const uint8_t *message, gsize length);
void kiln_vnc_input_key(KilnVncClient *client, const uint8_t *message);
void kiln_vnc_input_qemu(KilnVncClient *client, const uint8_t *message);
void kiln_vnc_input_pointer(KilnVncClient *client, const uint8_t *message);
/* Tells the client of lights and kind of pointer, if they have changed. */
void kiln_vnc_input_tell(KilnVncClient *client);
/* What the client holds down is released. */
void kiln_vnc_input_release(KilnVncClient *client);

/* ---- vnc-tls.c */
gnutls_certificate_credentials_t kiln_vnc_tls_load(const char *dir, gboolean verify,
                                                   GError **error);

#endif
