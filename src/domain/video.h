/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <video>: display adapters. */
#ifndef KILN_DOMAIN_VIDEO_H
#define KILN_DOMAIN_VIDEO_H

#include "domain/address.h"
#include "domain/family.h"
#include "domain/virtio-driver.h"

typedef enum {
    KILN_VIDEO_DRIVER_ABSENT,
    KILN_VIDEO_DRIVER_QEMU,
    KILN_VIDEO_DRIVER_VHOSTUSER,
    KILN_N_VIDEO_DRIVER
} KilnVideoDriver;

extern const char *const kiln_video_driver_names[KILN_N_VIDEO_DRIVER];

typedef enum {
    KILN_VIDEO_VGACONF_ABSENT,
    KILN_VIDEO_VGACONF_IO,
    KILN_VIDEO_VGACONF_ON,
    KILN_VIDEO_VGACONF_OFF,
    KILN_N_VIDEO_VGACONF
} KilnVideoVgaconf;

extern const char *const kiln_video_vgaconf_names[KILN_N_VIDEO_VGACONF];

typedef enum {
    KILN_VIDEO_TYPE_ABSENT,
    KILN_VIDEO_TYPE_VGA,
    KILN_VIDEO_TYPE_CIRRUS,
    KILN_VIDEO_TYPE_VMVGA,
    KILN_VIDEO_TYPE_QXL,
    KILN_VIDEO_TYPE_VIRTIO,
    KILN_VIDEO_TYPE_BOCHS,
    KILN_VIDEO_TYPE_RAMFB,
    KILN_VIDEO_TYPE_NONE,
    KILN_N_VIDEO_TYPE
} KilnVideoType;

extern const char *const kiln_video_type_names[KILN_N_VIDEO_TYPE];

typedef struct {
    KilnVideoType type;
    KilnUint ram_kib;
    KilnUint vgamem_kib;
    KilnUint vram64_kib;
    KilnUint vram_kib;
    KilnUint heads;     /* outputs */
    KilnSwitch primary; /* the adapter that firmware uses */
    KilnSwitch accel3d;
    KilnSwitch accel2d;
    char *rendernode;      /* (owned) (nullable) */
    KilnUint resolution_x; /* pixels */
    KilnUint resolution_y; /* pixels */
} KilnVideoModel;

typedef struct {
    KilnXmlPlace place;
    KilnVideoDriver driver;
    KilnVideoVgaconf vgaconf;
    KilnVirtioDriver virtio;
    KilnVideoModel model;
    KilnDeviceInfo info;
} KilnVideo;

KILN_FAMILY_DECLARE(KilnVideo, video)

#endif
