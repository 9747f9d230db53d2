/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <filesystem>: host directories shared with the guest. */
#ifndef KILN_DOMAIN_FILESYSTEM_H
#define KILN_DOMAIN_FILESYSTEM_H

#include "domain/address.h"
#include "domain/disk.h"
#include "domain/family.h"
#include "domain/virtio-driver.h"

typedef enum {
    KILN_FILESYSTEM_TYPE_MOUNT,
    KILN_FILESYSTEM_TYPE_FILE,
    KILN_FILESYSTEM_TYPE_BLOCK,
    KILN_FILESYSTEM_TYPE_BIND,
    KILN_FILESYSTEM_TYPE_TEMPLATE,
    KILN_FILESYSTEM_TYPE_RAM,
    KILN_N_FILESYSTEM_TYPE
} KilnFilesystemType;

extern const char *const kiln_filesystem_type_names[KILN_N_FILESYSTEM_TYPE];

typedef enum {
    KILN_FILESYSTEM_ACCESSMODE_ABSENT,
    KILN_FILESYSTEM_ACCESSMODE_PASSTHROUGH,
    KILN_FILESYSTEM_ACCESSMODE_MAPPED,
    KILN_FILESYSTEM_ACCESSMODE_SQUASH,
    KILN_N_FILESYSTEM_ACCESSMODE
} KilnFilesystemAccessmode;

extern const char *const kiln_filesystem_accessmode_names[KILN_N_FILESYSTEM_ACCESSMODE];

typedef enum {
    KILN_FILESYSTEM_MULTIDEVS_ABSENT,
    KILN_FILESYSTEM_MULTIDEVS_DEFAULT,
    KILN_FILESYSTEM_MULTIDEVS_REMAP,
    KILN_FILESYSTEM_MULTIDEVS_FORBID,
    KILN_FILESYSTEM_MULTIDEVS_WARN,
    KILN_N_FILESYSTEM_MULTIDEVS
} KilnFilesystemMultidevs;

extern const char *const kiln_filesystem_multidevs_names[KILN_N_FILESYSTEM_MULTIDEVS];

typedef enum {
    KILN_FILESYSTEM_DRIVER_ABSENT,
    KILN_FILESYSTEM_DRIVER_PATH,
    KILN_FILESYSTEM_DRIVER_HANDLE,
    KILN_FILESYSTEM_DRIVER_LOOP,
    KILN_FILESYSTEM_DRIVER_NBD,
    KILN_FILESYSTEM_DRIVER_PLOOP,
    KILN_FILESYSTEM_DRIVER_VIRTIOFS,
    KILN_N_FILESYSTEM_DRIVER
} KilnFilesystemDriver;

extern const char *const kiln_filesystem_driver_names[KILN_N_FILESYSTEM_DRIVER];

typedef enum {
    KILN_FILESYSTEM_WRITE_POLICY_ABSENT,
    KILN_FILESYSTEM_WRITE_POLICY_IMMEDIATE,
    KILN_N_FILESYSTEM_WRITE_POLICY
} KilnFilesystemWritePolicy;

extern const char *const kiln_filesystem_write_policy_names[KILN_N_FILESYSTEM_WRITE_POLICY];

typedef enum {
    KILN_FILESYSTEM_CACHE_ABSENT,
    KILN_FILESYSTEM_CACHE_NONE,
    KILN_FILESYSTEM_CACHE_ALWAYS,
    KILN_N_FILESYSTEM_CACHE
} KilnFilesystemCache;

extern const char *const kiln_filesystem_cache_names[KILN_N_FILESYSTEM_CACHE];

typedef enum {
    KILN_FILESYSTEM_SANDBOX_ABSENT,
    KILN_FILESYSTEM_SANDBOX_NAMESPACE,
    KILN_FILESYSTEM_SANDBOX_CHROOT,
    KILN_N_FILESYSTEM_SANDBOX
} KilnFilesystemSandbox;

extern const char *const kiln_filesystem_sandbox_names[KILN_N_FILESYSTEM_SANDBOX];

/* The virtiofsd that serves it. */
typedef struct {
    char *path; /* (owned) (nullable) */
    KilnSwitch xattr;
    KilnFilesystemCache cache;
    KilnFilesystemSandbox sandbox;
    KilnSwitch lock_posix;
    KilnSwitch lock_flock;
    KilnInt thread_pool_size;
} KilnFilesystemBinary;

typedef struct {
    KilnXmlPlace place;
    KilnFilesystemType type;
    KilnVirtioModel model;
    KilnFilesystemAccessmode accessmode;
    KilnFilesystemMultidevs multidevs;
    KilnUint fmode; /* of files that the guest makes */
    KilnUint dmode; /* of directories */
    KilnFilesystemDriver driver;
    KilnDiskFormat format;
    KilnFilesystemWritePolicy write_policy;
    KilnUint queue; /* descriptors */
    KilnVirtioDriver virtio;
    KilnFilesystemBinary binary;
    char *source_dir;    /* (owned) (nullable) */
    char *source_socket; /* (owned) (nullable) of a virtiofsd that runs already */
    char *source_file;   /* (owned) (nullable) */
    char *source_dev;    /* (owned) (nullable) */
    char *source_name;   /* (owned) (nullable) */
    KilnUint usage;
    char *units;  /* (owned) (nullable) */
    char *target; /* (owned) (nullable) the tag by which the guest mounts it */
    gboolean readonly;
    KilnUint space_hard_limit; /* bytes */
    KilnUint space_soft_limit; /* bytes */
    KilnDeviceInfo info;
} KilnFilesystem;

KILN_FAMILY_DECLARE(KilnFilesystem, filesystem)

#endif
