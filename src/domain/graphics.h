/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <graphics>: how people see the guest's screen. */
#ifndef KILN_DOMAIN_GRAPHICS_H
#define KILN_DOMAIN_GRAPHICS_H

#include "domain/family.h"
#include "domain/fields.h"

typedef enum {
    KILN_GRAPHICS_TYPE_ABSENT,
    KILN_GRAPHICS_TYPE_SDL,
    KILN_GRAPHICS_TYPE_VNC,
    KILN_GRAPHICS_TYPE_SPICE,
    KILN_GRAPHICS_TYPE_RDP,
    KILN_GRAPHICS_TYPE_DBUS,
    KILN_GRAPHICS_TYPE_EGL_HEADLESS,
    KILN_N_GRAPHICS_TYPE
} KilnGraphicsType;

extern const char *const kiln_graphics_type_names[KILN_N_GRAPHICS_TYPE];

typedef enum {
    KILN_GRAPHICS_SHARE_POLICY_ABSENT,
    KILN_GRAPHICS_SHARE_POLICY_ALLOW_EXCLUSIVE,
    KILN_GRAPHICS_SHARE_POLICY_FORCE_SHARED,
    KILN_GRAPHICS_SHARE_POLICY_IGNORE,
    KILN_N_GRAPHICS_SHARE_POLICY
} KilnGraphicsSharePolicy;

extern const char *const kiln_graphics_share_policy_names[KILN_N_GRAPHICS_SHARE_POLICY];

/* what a new password does to who is connected */
typedef enum {
    KILN_GRAPHICS_CONNECTED_ABSENT,
    KILN_GRAPHICS_CONNECTED_FAIL,
    KILN_GRAPHICS_CONNECTED_DISCONNECT,
    KILN_GRAPHICS_CONNECTED_KEEP,
    KILN_N_GRAPHICS_CONNECTED
} KilnGraphicsConnected;

extern const char *const kiln_graphics_connected_names[KILN_N_GRAPHICS_CONNECTED];

typedef enum {
    KILN_GRAPHICS_MODE_ABSENT,
    KILN_GRAPHICS_MODE_ANY,
    KILN_GRAPHICS_MODE_SECURE,
    KILN_GRAPHICS_MODE_INSECURE,
    KILN_N_GRAPHICS_MODE
} KilnGraphicsMode;

extern const char *const kiln_graphics_mode_names[KILN_N_GRAPHICS_MODE];

typedef enum {
    KILN_GRAPHICS_CHANNEL_NAME_ABSENT,
    KILN_GRAPHICS_CHANNEL_NAME_MAIN,
    KILN_GRAPHICS_CHANNEL_NAME_DISPLAY,
    KILN_GRAPHICS_CHANNEL_NAME_INPUTS,
    KILN_GRAPHICS_CHANNEL_NAME_CURSOR,
    KILN_GRAPHICS_CHANNEL_NAME_PLAYBACK,
    KILN_GRAPHICS_CHANNEL_NAME_RECORD,
    KILN_GRAPHICS_CHANNEL_NAME_SMARTCARD,
    KILN_GRAPHICS_CHANNEL_NAME_USBREDIR,
    KILN_N_GRAPHICS_CHANNEL_NAME
} KilnGraphicsChannelName;

extern const char *const kiln_graphics_channel_name_names[KILN_N_GRAPHICS_CHANNEL_NAME];

typedef enum {
    KILN_GRAPHICS_IMAGE_ABSENT,
    KILN_GRAPHICS_IMAGE_AUTO_GLZ,
    KILN_GRAPHICS_IMAGE_AUTO_LZ,
    KILN_GRAPHICS_IMAGE_QUIC,
    KILN_GRAPHICS_IMAGE_GLZ,
    KILN_GRAPHICS_IMAGE_LZ,
    KILN_GRAPHICS_IMAGE_OFF,
    KILN_N_GRAPHICS_IMAGE
} KilnGraphicsImage;

extern const char *const kiln_graphics_image_names[KILN_N_GRAPHICS_IMAGE];

typedef enum {
    KILN_GRAPHICS_WAN_ABSENT,
    KILN_GRAPHICS_WAN_AUTO,
    KILN_GRAPHICS_WAN_NEVER,
    KILN_GRAPHICS_WAN_ALWAYS,
    KILN_N_GRAPHICS_WAN
} KilnGraphicsWan;

extern const char *const kiln_graphics_wan_names[KILN_N_GRAPHICS_WAN];

typedef enum {
    KILN_GRAPHICS_STREAMING_ABSENT,
    KILN_GRAPHICS_STREAMING_FILTER,
    KILN_GRAPHICS_STREAMING_ALL,
    KILN_GRAPHICS_STREAMING_OFF,
    KILN_N_GRAPHICS_STREAMING
} KilnGraphicsStreaming;

extern const char *const kiln_graphics_streaming_names[KILN_N_GRAPHICS_STREAMING];

typedef enum {
    KILN_GRAPHICS_MOUSE_ABSENT,
    KILN_GRAPHICS_MOUSE_SERVER,
    KILN_GRAPHICS_MOUSE_CLIENT,
    KILN_N_GRAPHICS_MOUSE
} KilnGraphicsMouse;

extern const char *const kiln_graphics_mouse_names[KILN_N_GRAPHICS_MOUSE];

typedef enum {
    KILN_GRAPHICS_LISTEN_TYPE_ABSENT,
    KILN_GRAPHICS_LISTEN_TYPE_ADDRESS,
    KILN_GRAPHICS_LISTEN_TYPE_NETWORK,
    KILN_GRAPHICS_LISTEN_TYPE_SOCKET,
    KILN_GRAPHICS_LISTEN_TYPE_NONE,
    KILN_N_GRAPHICS_LISTEN_TYPE
} KilnGraphicsListenType;

extern const char *const kiln_graphics_listen_type_names[KILN_N_GRAPHICS_LISTEN_TYPE];

typedef struct {
    KilnGraphicsListenType type;
    char *address; /* (owned) (nullable) */
    char *network; /* (owned) (nullable) */
    char *socket;  /* (owned) (nullable) */
} KilnGraphicsListen;

/* Whether a spice channel must be encrypted. */
typedef struct {
    KilnGraphicsChannelName name;
    KilnGraphicsMode mode;
} KilnGraphicsChannel;

typedef struct {
    KilnXmlPlace place;
    KilnGraphicsType type;
    char *display; /* (owned) (nullable) */
    char *xauth;   /* (owned) (nullable) */
    KilnSwitch fullscreen;
    KilnInt port; /* TCP; -1 is any */
    KilnInt tls_port;
    KilnSwitch autoport;
    KilnInt websocket;
    char *listen; /* (owned) (nullable) the first listen's address, as older readers look for it */
    char *socket; /* (owned) (nullable) */
    char *keymap; /* (owned) (nullable) */
    char *password;          /* (owned) (nullable) */
    char *password_valid_to; /* (owned) (nullable) */
    KilnGraphicsConnected connected;
    KilnGraphicsSharePolicy share_policy;
    KilnSwitch power_control;
    KilnGraphicsMode default_mode;
    KilnSwitch replace_user;
    KilnSwitch multi_user;
    char *dbus_address; /* (owned) (nullable) */
    KilnSwitch p2p;
    GPtrArray *listens;  /* (owned) of KilnGraphicsListen */
    GPtrArray *channels; /* (owned) of KilnGraphicsChannel */
    KilnGraphicsImage image;
    KilnGraphicsWan jpeg;
    KilnGraphicsWan zlib;
    KilnSwitch playback;
    KilnGraphicsStreaming streaming;
    KilnSwitch clipboard;
    KilnGraphicsMouse mouse;
    KilnSwitch filetransfer;
    KilnSwitch gl;
    char *rendernode; /* (owned) (nullable) */
    KilnUint audio_id;
} KilnGraphics;

KILN_FAMILY_DECLARE(KilnGraphics, graphics)

#endif
