/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Firmware that the host has, as its packages describe it: JSON files of QEMU's schema
 * (docs/interop/firmware.json), which libvirt reads too.
 */
#ifndef KILN_FIRMWARE_DESCRIPTOR_H
#define KILN_FIRMWARE_DESCRIPTOR_H

#include <glib.h>

typedef enum {
    KILN_FIRMWARE_INTERFACE_BIOS = 1 << 0,
    KILN_FIRMWARE_INTERFACE_UEFI = 1 << 1,
} KilnFirmwareInterfaces;

/**
 * KilnFirmwareMapping:
 * @KILN_FIRMWARE_OTHER: none of those below; not for this machine
 * @KILN_FIRMWARE_SPLIT: read-only flash for code, and a template of a guest's own variables
 * @KILN_FIRMWARE_COMBINED: one flash for both, of which each guest needs a copy
 * @KILN_FIRMWARE_STATELESS: read-only flash, and variables are lost at power-off
 * @KILN_FIRMWARE_MEMORY: a ROM
 */
typedef enum {
    KILN_FIRMWARE_OTHER,
    KILN_FIRMWARE_SPLIT,
    KILN_FIRMWARE_COMBINED,
    KILN_FIRMWARE_STATELESS,
    KILN_FIRMWARE_MEMORY,
} KilnFirmwareMapping;

typedef struct {
    char *path;       /* (owned) of the descriptor */
    guint interfaces; /* KilnFirmwareInterfaces */
    gboolean machine; /* it is for this machine type */
    KilnFirmwareMapping mapping;
    char *code;            /* (owned) the image */
    char *code_format;     /* (owned) "raw", "qcow2" */
    char *template;        /* (owned) (nullable): of the variable store */
    char *template_format; /* (owned) (nullable) */
    char **features;       /* (owned) NULL-terminated: "secure-boot", "requires-smm" */
} KilnFirmwareBuild;

/* Whether @build has the feature @name. */
gboolean kiln_firmware_build_has(const KilnFirmwareBuild *build, const char *name);

/**
 * kiln_firmware_build_parse:
 * @path: of the descriptor, for messages and to be kept
 * @text: what is in it
 *
 * Returns: (transfer full): NULL with @error set if it is no descriptor of firmware.
 */
KilnFirmwareBuild *kiln_firmware_build_parse(const char *path, const char *text, gssize length,
                                             GError **error);
void kiln_firmware_build_free(KilnFirmwareBuild *build);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnFirmwareBuild, kiln_firmware_build_free)

/**
 * kiln_firmware_builds:
 * @directories: (nullable): NULL-terminated, the most important first; NULL: those of the host:
 *   $XDG_CONFIG_HOME/qemu/firmware (not of root), /etc/qemu/firmware, /usr/share/qemu/firmware
 *
 * In the order of the descriptors' names, in whichever directory they are.  One hides those of the
 * same name in less important directories, and an empty one does nothing else.  What cannot be read
 * is logged and left out.
 *
 * Returns: (transfer full): (element-type KilnFirmwareBuild)
 */
GPtrArray *kiln_firmware_builds(const char *const *directories);

#endif
