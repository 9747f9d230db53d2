/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/video.h"

const char *const kiln_video_driver_names[KILN_N_VIDEO_DRIVER] = {
    [KILN_VIDEO_DRIVER_QEMU] = "qemu",
    [KILN_VIDEO_DRIVER_VHOSTUSER] = "vhostuser",
};

const char *const kiln_video_vgaconf_names[KILN_N_VIDEO_VGACONF] = {
    [KILN_VIDEO_VGACONF_IO] = "io",
    [KILN_VIDEO_VGACONF_ON] = "on",
    [KILN_VIDEO_VGACONF_OFF] = "off",
};

const char *const kiln_video_type_names[KILN_N_VIDEO_TYPE] = {
    [KILN_VIDEO_TYPE_VGA] = "vga",       [KILN_VIDEO_TYPE_CIRRUS] = "cirrus",
    [KILN_VIDEO_TYPE_VMVGA] = "vmvga",   [KILN_VIDEO_TYPE_QXL] = "qxl",
    [KILN_VIDEO_TYPE_VIRTIO] = "virtio", [KILN_VIDEO_TYPE_BOCHS] = "bochs",
    [KILN_VIDEO_TYPE_RAMFB] = "ramfb",   [KILN_VIDEO_TYPE_NONE] = "none",
};

static const KilnField video_model_fields[] = {
    KILN_FIELD_ENUM(KilnVideoModel, type, "@type", kiln_video_type_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnVideoModel, ram_kib, "@ram", 0, G_MAXUINT32,
                    .only = KILN_ONLY(KILN_VIDEO_TYPE_QXL)),
    KILN_FIELD_UINT(KilnVideoModel, vgamem_kib, "@vgamem", 0, G_MAXUINT32,
                    .only = KILN_ONLY(KILN_VIDEO_TYPE_QXL)),
    KILN_FIELD_UINT(KilnVideoModel, vram64_kib, "@vram64", 0, G_MAXUINT32,
                    .only = KILN_ONLY(KILN_VIDEO_TYPE_QXL)),
    KILN_FIELD_UINT(KilnVideoModel, vram_kib, "@vram", 0, G_MAXUINT32),
    KILN_FIELD_UINT(KilnVideoModel, heads, "@heads", 0, G_MAXUINT32),
    KILN_FIELD_SWITCH(KilnVideoModel, primary, "@primary", YESNO),
    KILN_FIELD_SWITCH(KilnVideoModel, accel3d, "acceleration@accel3d", YESNO),
    KILN_FIELD_SWITCH(KilnVideoModel, accel2d, "acceleration@accel2d", YESNO),
    KILN_FIELD_STRING(KilnVideoModel, rendernode, "acceleration@rendernode",
                      .rule = &kiln_path_rule),
    KILN_FIELD_UINT(KilnVideoModel, resolution_x, "resolution@x", 0, G_MAXUINT32,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnVideoModel, resolution_y, "resolution@y", 0, G_MAXUINT32,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_END,
};

static const KilnStruct video_model_struct = {
    .size = sizeof(KilnVideoModel),
    .fields = video_model_fields,
    KILN_STRUCT_VARIANT(KilnVideoModel, type),
};

static const KilnField video_fields[] = {
    KILN_FIELD_CUSTOM(KilnVideo, place, "", &kiln_place_ops),
    KILN_FIELD_ENUM(KilnVideo, driver, "driver@name", kiln_video_driver_names),
    KILN_FIELD_ENUM(KilnVideo, vgaconf, "driver@vgaconf", kiln_video_vgaconf_names),
    KILN_FIELD_EMBED(KilnVideo, virtio, "driver", &kiln_virtio_driver_struct),
    KILN_FIELD_EMBED(KilnVideo, model, "model", &video_model_struct),
    KILN_FIELD_EMBED(KilnVideo, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_video_struct = {
    .size = sizeof(KilnVideo),
    .fields = video_fields,
};

KILN_FAMILY_DEFINE(KilnVideo, video, "video")
