/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <serial>, <console> and <channel>: the guest side of character devices. */
#ifndef KILN_DOMAIN_CHARDEV_H
#define KILN_DOMAIN_CHARDEV_H

#include "domain/address.h"
#include "domain/char-source.h"
#include "domain/family.h"

typedef enum {
    KILN_SERIAL_TARGET_ABSENT,
    KILN_SERIAL_TARGET_ISA_SERIAL,
    KILN_SERIAL_TARGET_USB_SERIAL,
    KILN_SERIAL_TARGET_PCI_SERIAL,
    KILN_SERIAL_TARGET_ISA_DEBUG,
    KILN_N_SERIAL_TARGET
} KilnSerialTarget;

extern const char *const kiln_serial_target_names[KILN_N_SERIAL_TARGET];

typedef enum {
    KILN_SERIAL_MODEL_ABSENT,
    KILN_SERIAL_MODEL_ISA_SERIAL,
    KILN_SERIAL_MODEL_USB_SERIAL,
    KILN_SERIAL_MODEL_PCI_SERIAL,
    KILN_SERIAL_MODEL_16550A,
    KILN_SERIAL_MODEL_ISA_DEBUGCON,
    KILN_N_SERIAL_MODEL
} KilnSerialModel;

extern const char *const kiln_serial_model_names[KILN_N_SERIAL_MODEL];

/* absent is serial */
typedef enum {
    KILN_CONSOLE_TARGET_ABSENT,
    KILN_CONSOLE_TARGET_SERIAL,
    KILN_CONSOLE_TARGET_VIRTIO,
    KILN_N_CONSOLE_TARGET
} KilnConsoleTarget;

extern const char *const kiln_console_target_names[KILN_N_CONSOLE_TARGET];

typedef enum {
    KILN_CHANNEL_TARGET_ABSENT,
    KILN_CHANNEL_TARGET_GUESTFWD,
    KILN_CHANNEL_TARGET_VIRTIO,
    KILN_N_CHANNEL_TARGET
} KilnChannelTarget;

extern const char *const kiln_channel_target_names[KILN_N_CHANNEL_TARGET];

typedef enum {
    KILN_CHANNEL_STATE_ABSENT,
    KILN_CHANNEL_STATE_CONNECTED,
    KILN_CHANNEL_STATE_DISCONNECTED,
    KILN_N_CHANNEL_STATE
} KilnChannelState;

extern const char *const kiln_channel_state_names[KILN_N_CHANNEL_STATE];

typedef struct {
    KilnXmlPlace place;
    char *tty; /* (owned) (nullable) old word for the path of a pty */
    KilnCharSource source;
    KilnSerialTarget target; /* absent is isa-serial */
    KilnUint port;           /* which of the ports, from 0 */
    KilnSerialModel model;
    KilnDeviceInfo info;
} KilnSerial;

typedef struct {
    KilnXmlPlace place;
    char *tty; /* (owned) (nullable) old word for the path of a pty */
    KilnCharSource source;
    KilnConsoleTarget target;
    KilnUint port;
    KilnDeviceInfo info;
} KilnConsole;

typedef struct {
    KilnChannelTarget type;
    char *name; /* (owned) (nullable) by which the guest finds it: org.qemu.guest_agent.0 */
    KilnChannelState state; /* whether the guest has it open */
    char *address;          /* (owned) (nullable) */
    KilnUint port;
} KilnChannelEnd;

typedef struct {
    KilnXmlPlace place;
    KilnCharSource source;
    KilnChannelEnd target;
    KilnDeviceInfo info;
} KilnChannel;

KILN_FAMILY_DECLARE(KilnSerial, serial)
KILN_FAMILY_DECLARE(KilnConsole, console)
KILN_FAMILY_DECLARE(KilnChannel, channel)

#endif
