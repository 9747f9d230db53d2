/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/graphics.h"

const char *const kiln_graphics_type_names[KILN_N_GRAPHICS_TYPE] = {
    [KILN_GRAPHICS_TYPE_SDL] = "sdl",     [KILN_GRAPHICS_TYPE_VNC] = "vnc",
    [KILN_GRAPHICS_TYPE_SPICE] = "spice", [KILN_GRAPHICS_TYPE_RDP] = "rdp",
    [KILN_GRAPHICS_TYPE_DBUS] = "dbus",   [KILN_GRAPHICS_TYPE_EGL_HEADLESS] = "egl-headless",
};

const char *const kiln_graphics_share_policy_names[KILN_N_GRAPHICS_SHARE_POLICY] = {
    [KILN_GRAPHICS_SHARE_POLICY_ALLOW_EXCLUSIVE] = "allow-exclusive",
    [KILN_GRAPHICS_SHARE_POLICY_FORCE_SHARED] = "force-shared",
    [KILN_GRAPHICS_SHARE_POLICY_IGNORE] = "ignore",
};

const char *const kiln_graphics_connected_names[KILN_N_GRAPHICS_CONNECTED] = {
    [KILN_GRAPHICS_CONNECTED_FAIL] = "fail",
    [KILN_GRAPHICS_CONNECTED_DISCONNECT] = "disconnect",
    [KILN_GRAPHICS_CONNECTED_KEEP] = "keep",
};

const char *const kiln_graphics_mode_names[KILN_N_GRAPHICS_MODE] = {
    [KILN_GRAPHICS_MODE_ANY] = "any",
    [KILN_GRAPHICS_MODE_SECURE] = "secure",
    [KILN_GRAPHICS_MODE_INSECURE] = "insecure",
};

const char *const kiln_graphics_channel_name_names[KILN_N_GRAPHICS_CHANNEL_NAME] = {
    [KILN_GRAPHICS_CHANNEL_NAME_MAIN] = "main",
    [KILN_GRAPHICS_CHANNEL_NAME_DISPLAY] = "display",
    [KILN_GRAPHICS_CHANNEL_NAME_INPUTS] = "inputs",
    [KILN_GRAPHICS_CHANNEL_NAME_CURSOR] = "cursor",
    [KILN_GRAPHICS_CHANNEL_NAME_PLAYBACK] = "playback",
    [KILN_GRAPHICS_CHANNEL_NAME_RECORD] = "record",
    [KILN_GRAPHICS_CHANNEL_NAME_SMARTCARD] = "smartcard",
    [KILN_GRAPHICS_CHANNEL_NAME_USBREDIR] = "usbredir",
};

const char *const kiln_graphics_image_names[KILN_N_GRAPHICS_IMAGE] = {
    [KILN_GRAPHICS_IMAGE_AUTO_GLZ] = "auto_glz",
    [KILN_GRAPHICS_IMAGE_AUTO_LZ] = "auto_lz",
    [KILN_GRAPHICS_IMAGE_QUIC] = "quic",
    [KILN_GRAPHICS_IMAGE_GLZ] = "glz",
    [KILN_GRAPHICS_IMAGE_LZ] = "lz",
    [KILN_GRAPHICS_IMAGE_OFF] = "off",
};

const char *const kiln_graphics_wan_names[KILN_N_GRAPHICS_WAN] = {
    [KILN_GRAPHICS_WAN_AUTO] = "auto",
    [KILN_GRAPHICS_WAN_NEVER] = "never",
    [KILN_GRAPHICS_WAN_ALWAYS] = "always",
};

const char *const kiln_graphics_streaming_names[KILN_N_GRAPHICS_STREAMING] = {
    [KILN_GRAPHICS_STREAMING_FILTER] = "filter",
    [KILN_GRAPHICS_STREAMING_ALL] = "all",
    [KILN_GRAPHICS_STREAMING_OFF] = "off",
};

const char *const kiln_graphics_mouse_names[KILN_N_GRAPHICS_MOUSE] = {
    [KILN_GRAPHICS_MOUSE_SERVER] = "server",
    [KILN_GRAPHICS_MOUSE_CLIENT] = "client",
};

const char *const kiln_graphics_listen_type_names[KILN_N_GRAPHICS_LISTEN_TYPE] = {
    [KILN_GRAPHICS_LISTEN_TYPE_ADDRESS] = "address",
    [KILN_GRAPHICS_LISTEN_TYPE_NETWORK] = "network",
    [KILN_GRAPHICS_LISTEN_TYPE_SOCKET] = "socket",
    [KILN_GRAPHICS_LISTEN_TYPE_NONE] = "none",
};

static const KilnField graphics_listen_fields[] = {
    KILN_FIELD_ENUM(KilnGraphicsListen, type, "@type", kiln_graphics_listen_type_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnGraphicsListen, address, "@address",
                      .only = KILN_ONLY(KILN_GRAPHICS_LISTEN_TYPE_ADDRESS) |
                              KILN_ONLY(KILN_GRAPHICS_LISTEN_TYPE_NETWORK),
                      .rule = &kiln_host_rule),
    KILN_FIELD_STRING(KilnGraphicsListen, network, "@network",
                      .only = KILN_ONLY(KILN_GRAPHICS_LISTEN_TYPE_NETWORK),
                      .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnGraphicsListen, socket, "@socket",
                      .only = KILN_ONLY(KILN_GRAPHICS_LISTEN_TYPE_SOCKET), .rule = &kiln_path_rule),
    KILN_FIELD_END,
};

static const KilnStruct graphics_listen_struct = {
    .size = sizeof(KilnGraphicsListen),
    .fields = graphics_listen_fields,
    KILN_STRUCT_VARIANT(KilnGraphicsListen, type),
};

static const KilnField graphics_channel_fields[] = {
    KILN_FIELD_ENUM(KilnGraphicsChannel, name, "@name", kiln_graphics_channel_name_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnGraphicsChannel, mode, "@mode", kiln_graphics_mode_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_END,
};

static const KilnStruct graphics_channel_struct = {
    .size = sizeof(KilnGraphicsChannel),
    .fields = graphics_channel_fields,
};

static void
check_graphics(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnGraphics *graphics = object;

    if (graphics->socket != NULL && (graphics->port.set || graphics->autoport ||
                                     graphics->websocket.set || graphics->listen != NULL))
        kiln_fault_add(faults, KILN_FAULT_XML, node, "socket",
                       "a socket has neither port nor address");
    if (graphics->type == KILN_GRAPHICS_TYPE_VNC && graphics->connected != 0 &&
        graphics->connected != KILN_GRAPHICS_CONNECTED_KEEP)
        kiln_fault_add(faults, KILN_FAULT_XML, node, "connected", "is 'keep' for type 'vnc'");
    if (graphics->dbus_address != NULL && graphics->p2p != KILN_SWITCH_ABSENT)
        kiln_fault_add(faults, KILN_FAULT_XML, node, "address", "is not used together with 'p2p'");
}

static const KilnField graphics_fields[] = {
    KILN_FIELD_CUSTOM(KilnGraphics, place, "", &kiln_place_ops),
    KILN_FIELD_ENUM(KilnGraphics, type, "@type", kiln_graphics_type_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnGraphics, display, "@display", .only = KILN_ONLY(KILN_GRAPHICS_TYPE_SDL)),
    KILN_FIELD_STRING(KilnGraphics, xauth, "@xauth", .only = KILN_ONLY(KILN_GRAPHICS_TYPE_SDL)),
    KILN_FIELD_SWITCH(KilnGraphics, fullscreen, "@fullscreen", YESNO,
                      .only = KILN_ONLY(KILN_GRAPHICS_TYPE_SDL)),
    KILN_FIELD_INT(KilnGraphics, port, "@port", .min = (guint64)-1, .max = 65535,
                   .only = KILN_ONLY(KILN_GRAPHICS_TYPE_VNC) | KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE) |
                           KILN_ONLY(KILN_GRAPHICS_TYPE_RDP)),
    KILN_FIELD_INT(KilnGraphics, tls_port, "@tlsPort", .min = (guint64)-1, .max = 65535,
                   .only = KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE)),
    KILN_FIELD_SWITCH(KilnGraphics, autoport, "@autoport", YESNO,
                      .only = KILN_ONLY(KILN_GRAPHICS_TYPE_VNC) |
                              KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE) |
                              KILN_ONLY(KILN_GRAPHICS_TYPE_RDP)),
    KILN_FIELD_INT(KilnGraphics, websocket, "@websocket", .min = (guint64)-1, .max = 65535,
                   .only = KILN_ONLY(KILN_GRAPHICS_TYPE_VNC)),
    KILN_FIELD_STRING(KilnGraphics, listen, "@listen",
                      .only = KILN_ONLY(KILN_GRAPHICS_TYPE_VNC) |
                              KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE) |
                              KILN_ONLY(KILN_GRAPHICS_TYPE_RDP),
                      .rule = &kiln_host_rule),
    KILN_FIELD_STRING(KilnGraphics, socket, "@socket", .only = KILN_ONLY(KILN_GRAPHICS_TYPE_VNC),
                      .rule = &kiln_path_rule),
    KILN_FIELD_STRING(KilnGraphics, keymap, "@keymap",
                      .only =
                          KILN_ONLY(KILN_GRAPHICS_TYPE_VNC) | KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE)),
    KILN_FIELD_STRING(KilnGraphics, password, "@passwd",
                      .only =
                          KILN_ONLY(KILN_GRAPHICS_TYPE_VNC) | KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE),
                      .flags = KILN_FIELD_SECRET),
    KILN_FIELD_STRING(KilnGraphics, password_valid_to, "@passwdValidTo",
                      .only =
                          KILN_ONLY(KILN_GRAPHICS_TYPE_VNC) | KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE),
                      .flags = KILN_FIELD_SECRET, .rule = &kiln_datetime_rule),
    KILN_FIELD_ENUM(KilnGraphics, connected, "@connected", kiln_graphics_connected_names,
                    .only =
                        KILN_ONLY(KILN_GRAPHICS_TYPE_VNC) | KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE)),
    KILN_FIELD_ENUM(KilnGraphics, share_policy, "@sharePolicy", kiln_graphics_share_policy_names,
                    .only = KILN_ONLY(KILN_GRAPHICS_TYPE_VNC)),
    KILN_FIELD_SWITCH(KilnGraphics, power_control, "@powerControl", YESNO,
                      .only = KILN_ONLY(KILN_GRAPHICS_TYPE_VNC)),
    KILN_FIELD_ENUM(KilnGraphics, default_mode, "@defaultMode", kiln_graphics_mode_names,
                    .only = KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE)),
    KILN_FIELD_SWITCH(KilnGraphics, replace_user, "@replaceUser", YESNO,
                      .only = KILN_ONLY(KILN_GRAPHICS_TYPE_RDP)),
    KILN_FIELD_SWITCH(KilnGraphics, multi_user, "@multiUser", YESNO,
                      .only = KILN_ONLY(KILN_GRAPHICS_TYPE_RDP)),
    KILN_FIELD_STRING(KilnGraphics, dbus_address, "@address",
                      .only = KILN_ONLY(KILN_GRAPHICS_TYPE_DBUS)),
    KILN_FIELD_SWITCH(KilnGraphics, p2p, "@p2p", YESNO, .only = KILN_ONLY(KILN_GRAPHICS_TYPE_DBUS)),
    KILN_FIELD_LIST(KilnGraphics, listens, "listen", &graphics_listen_struct,
                    .only = KILN_ONLY(KILN_GRAPHICS_TYPE_VNC) |
                            KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE) |
                            KILN_ONLY(KILN_GRAPHICS_TYPE_RDP)),
    KILN_FIELD_LIST(KilnGraphics, channels, "channel", &graphics_channel_struct,
                    .only = KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE)),
    KILN_FIELD_ENUM(KilnGraphics, image, "image@compression", kiln_graphics_image_names,
                    .only = KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnGraphics, jpeg, "jpeg@compression", kiln_graphics_wan_names,
                    .only = KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnGraphics, zlib, "zlib@compression", kiln_graphics_wan_names,
                    .only = KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_SWITCH(KilnGraphics, playback, "playback@compression", ONOFF,
                      .only = KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnGraphics, streaming, "streaming@mode", kiln_graphics_streaming_names,
                    .only = KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_SWITCH(KilnGraphics, clipboard, "clipboard@copypaste", YESNO,
                      .only = KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnGraphics, mouse, "mouse@mode", kiln_graphics_mouse_names,
                    .only = KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_SWITCH(KilnGraphics, filetransfer, "filetransfer@enable", YESNO,
                      .only = KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_SWITCH(KilnGraphics, gl, "gl@enable", YESNO,
                      .only = KILN_ONLY(KILN_GRAPHICS_TYPE_SDL) |
                              KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE) |
                              KILN_ONLY(KILN_GRAPHICS_TYPE_DBUS),
                      .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnGraphics, rendernode, "gl@rendernode",
                      .only = KILN_ONLY(KILN_GRAPHICS_TYPE_SPICE) |
                              KILN_ONLY(KILN_GRAPHICS_TYPE_DBUS) |
                              KILN_ONLY(KILN_GRAPHICS_TYPE_EGL_HEADLESS),
                      .rule = &kiln_path_rule),
    KILN_FIELD_UINT(KilnGraphics, audio_id, "audio@id", 0, 255,
                    .only = KILN_ONLY(KILN_GRAPHICS_TYPE_VNC) | KILN_ONLY(KILN_GRAPHICS_TYPE_DBUS)),
    KILN_FIELD_END,
};

const KilnStruct kiln_graphics_struct = {
    .size = sizeof(KilnGraphics),
    .fields = graphics_fields,
    .check = check_graphics,
    KILN_STRUCT_VARIANT(KilnGraphics, type),
};

KILN_FAMILY_DEFINE(KilnGraphics, graphics, "graphics")
