/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <os>: the machine, and what the guest boots. */
#ifndef KILN_DOMAIN_OS_H
#define KILN_DOMAIN_OS_H

#include "domain/fields.h"

typedef enum {
    KILN_FIRMWARE_ABSENT,
    KILN_FIRMWARE_BIOS,
    KILN_FIRMWARE_EFI,
} KilnFirmware;

typedef enum {
    KILN_LOADER_ABSENT, /* rom, or what the firmware needs */
    KILN_LOADER_ROM,
    KILN_LOADER_PFLASH,
} KilnLoaderType;

typedef enum {
    KILN_BOOT_DEVICE_ABSENT,
    KILN_BOOT_DEVICE_HD,
    KILN_BOOT_DEVICE_CDROM,
    KILN_BOOT_DEVICE_NETWORK,
    KILN_BOOT_DEVICE_FD,
} KilnBootDeviceKind;

typedef enum {
    KILN_SMBIOS_ABSENT,  /* emulate */
    KILN_SMBIOS_EMULATE, /* kiln's own values */
    KILN_SMBIOS_HOST,
    KILN_SMBIOS_SYSINFO, /* those of <sysinfo type='smbios'> */
} KilnSmbiosMode;

typedef struct {
    KilnBootDeviceKind kind;
} KilnBootDevice;

typedef struct {
    char *name; /* (owned) "secure-boot", "enrolled-keys" */
    KilnSwitch enabled;
} KilnFirmwareFeature;

typedef struct {
    char *type; /* (owned) "slic" */
    char *path; /* (owned) */
} KilnAcpiTableFile;

typedef struct {
    KilnFirmware firmware;
    char *type;                   /* (owned) "hvm" */
    char *arch;                   /* (owned) (nullable) "x86_64" */
    char *machine;                /* (owned) (nullable) "q35", "pc-q35-..." */
    GPtrArray *firmware_features; /* (owned) of KilnFirmwareFeature */

    char *loader; /* (owned) (nullable) path */
    KilnLoaderType loader_type;
    KilnSwitch loader_readonly;
    KilnSwitch loader_secure;
    KilnSwitch loader_stateless;
    char *loader_format;  /* (owned) (nullable) */
    char *nvram;          /* (owned) (nullable) path of the variable store */
    char *nvram_template; /* (owned) (nullable) */
    char *nvram_format;   /* (owned) (nullable) */
    char *nvram_type; /* (owned) (nullable) of the <source> that stands there instead of a path */
    KilnXmlNode *nvram_source; /* (owned) (nullable) that <source>, as it was */

    char *kernel;    /* (owned) (nullable) path: direct boot */
    char *initrd;    /* (owned) (nullable) path */
    char *cmdline;   /* (owned) (nullable) */
    char *dtb;       /* (owned) (nullable) */
    char *shim;      /* (owned) (nullable) */
    GPtrArray *boot; /* (owned) of KilnBootDevice, first choice first */
    KilnSwitch bootmenu;
    KilnUint bootmenu_timeout_ms;
    KilnSwitch bios_useserial;
    KilnInt bios_reboot_timeout_ms; /* -1 never */
    KilnSmbiosMode smbios;
    GPtrArray *acpi_tables; /* (owned) of KilnAcpiTableFile */
} KilnOs;

extern const KilnStruct kiln_os_struct;

#endif
