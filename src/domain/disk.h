/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <disk>: block devices of the guest, and how their host side is driven. */
#ifndef KILN_DOMAIN_DISK_H
#define KILN_DOMAIN_DISK_H

#include "domain/address.h"
#include "domain/disk-source.h"
#include "domain/family.h"
#include "domain/virtio-driver.h"

typedef enum {
    KILN_DISK_DEVICE_DISK,
    KILN_DISK_DEVICE_CDROM,
    KILN_DISK_DEVICE_LUN,
    KILN_DISK_DEVICE_FLOPPY,
    KILN_N_DISK_DEVICE
} KilnDiskDevice;

extern const char *const kiln_disk_device_names[KILN_N_DISK_DEVICE];

typedef enum {
    KILN_DISK_SGIO_ABSENT,
    KILN_DISK_SGIO_FILTERED,
    KILN_DISK_SGIO_UNFILTERED,
    KILN_N_DISK_SGIO
} KilnDiskSgio;

extern const char *const kiln_disk_sgio_names[KILN_N_DISK_SGIO];

typedef enum {
    KILN_DISK_SNAPSHOT_ABSENT,
    KILN_DISK_SNAPSHOT_NO,
    KILN_DISK_SNAPSHOT_INTERNAL,
    KILN_DISK_SNAPSHOT_EXTERNAL,
    KILN_DISK_SNAPSHOT_MANUAL,
    KILN_N_DISK_SNAPSHOT
} KilnDiskSnapshot;

extern const char *const kiln_disk_snapshot_names[KILN_N_DISK_SNAPSHOT];

typedef enum {
    KILN_DISK_FORMAT_ABSENT,
    KILN_DISK_FORMAT_RAW,
    KILN_DISK_FORMAT_DIR,
    KILN_DISK_FORMAT_BOCHS,
    KILN_DISK_FORMAT_CLOOP,
    KILN_DISK_FORMAT_DMG,
    KILN_DISK_FORMAT_ISO,
    KILN_DISK_FORMAT_VPC,
    KILN_DISK_FORMAT_VDI,
    KILN_DISK_FORMAT_FAT,
    KILN_DISK_FORMAT_VHD,
    KILN_DISK_FORMAT_PLOOP,
    KILN_DISK_FORMAT_LUKS,
    KILN_DISK_FORMAT_COW,
    KILN_DISK_FORMAT_QCOW,
    KILN_DISK_FORMAT_QCOW2,
    KILN_DISK_FORMAT_QED,
    KILN_DISK_FORMAT_VMDK,
    KILN_N_DISK_FORMAT
} KilnDiskFormat;

extern const char *const kiln_disk_format_names[KILN_N_DISK_FORMAT];

typedef enum {
    KILN_DISK_CACHE_ABSENT,
    KILN_DISK_CACHE_DEFAULT,
    KILN_DISK_CACHE_NONE,
    KILN_DISK_CACHE_WRITEBACK,
    KILN_DISK_CACHE_WRITETHROUGH,
    KILN_DISK_CACHE_DIRECTSYNC,
    KILN_DISK_CACHE_UNSAFE,
    KILN_N_DISK_CACHE
} KilnDiskCache;

extern const char *const kiln_disk_cache_names[KILN_N_DISK_CACHE];

typedef enum {
    KILN_DISK_ERROR_POLICY_ABSENT,
    KILN_DISK_ERROR_POLICY_STOP,
    KILN_DISK_ERROR_POLICY_REPORT,
    KILN_DISK_ERROR_POLICY_IGNORE,
    KILN_DISK_ERROR_POLICY_ENOSPACE,
    KILN_N_DISK_ERROR_POLICY
} KilnDiskErrorPolicy;

extern const char *const kiln_disk_error_policy_names[KILN_N_DISK_ERROR_POLICY];

typedef enum {
    KILN_DISK_IO_ABSENT,
    KILN_DISK_IO_THREADS,
    KILN_DISK_IO_NATIVE,
    KILN_DISK_IO_IO_URING,
    KILN_N_DISK_IO
} KilnDiskIo;

extern const char *const kiln_disk_io_names[KILN_N_DISK_IO];

typedef enum {
    KILN_DISK_DISCARD_ABSENT,
    KILN_DISK_DISCARD_UNMAP,
    KILN_DISK_DISCARD_IGNORE,
    KILN_N_DISK_DISCARD
} KilnDiskDiscard;

extern const char *const kiln_disk_discard_names[KILN_N_DISK_DISCARD];

typedef enum {
    KILN_DISK_DETECT_ZEROES_ABSENT,
    KILN_DISK_DETECT_ZEROES_OFF,
    KILN_DISK_DETECT_ZEROES_ON,
    KILN_DISK_DETECT_ZEROES_UNMAP,
    KILN_N_DISK_DETECT_ZEROES
} KilnDiskDetectZeroes;

extern const char *const kiln_disk_detect_zeroes_names[KILN_N_DISK_DETECT_ZEROES];

typedef enum {
    KILN_DISK_BUS_ABSENT,
    KILN_DISK_BUS_IDE,
    KILN_DISK_BUS_FDC,
    KILN_DISK_BUS_SCSI,
    KILN_DISK_BUS_VIRTIO,
    KILN_DISK_BUS_USB,
    KILN_DISK_BUS_SATA,
    KILN_N_DISK_BUS
} KilnDiskBus;

extern const char *const kiln_disk_bus_names[KILN_N_DISK_BUS];

typedef enum {
    KILN_DISK_TRAY_ABSENT,
    KILN_DISK_TRAY_OPEN,
    KILN_DISK_TRAY_CLOSED,
    KILN_N_DISK_TRAY
} KilnDiskTray;

extern const char *const kiln_disk_tray_names[KILN_N_DISK_TRAY];

typedef enum {
    KILN_DISK_TRANSLATION_ABSENT,
    KILN_DISK_TRANSLATION_AUTO,
    KILN_DISK_TRANSLATION_NONE,
    KILN_DISK_TRANSLATION_LBA,
    KILN_N_DISK_TRANSLATION
} KilnDiskTranslation;

extern const char *const kiln_disk_translation_names[KILN_N_DISK_TRANSLATION];

typedef enum {
    KILN_DISK_JOB_ABSENT,
    KILN_DISK_JOB_COPY,
    KILN_DISK_JOB_ACTIVE_COMMIT,
    KILN_N_DISK_JOB
} KilnDiskJob;

extern const char *const kiln_disk_job_names[KILN_N_DISK_JOB];

typedef enum {
    KILN_DISK_MIRROR_READY_ABSENT,
    KILN_DISK_MIRROR_READY_YES,
    KILN_DISK_MIRROR_READY_ABORT,
    KILN_DISK_MIRROR_READY_PIVOT,
    KILN_N_DISK_MIRROR_READY
} KilnDiskMirrorReady;

extern const char *const kiln_disk_mirror_ready_names[KILN_N_DISK_MIRROR_READY];

typedef struct {
    char *name; /* (owned) (nullable) */
    KilnDiskFormat type;
    KilnDiskCache cache;
    KilnDiskErrorPolicy error_policy;
    KilnDiskErrorPolicy rerror_policy; /* of reads; never enospace */
    KilnDiskIo io;
    KilnSwitch ioeventfd;
    KilnSwitch event_idx;
    KilnSwitch copy_on_read;
    KilnDiskDiscard discard;
    KilnUint iothread; /* number of the <iothread> */
    KilnDiskDetectZeroes detect_zeroes;
    KilnUint queues;
    KilnUint queue_size; /* descriptors */
    KilnVirtioDriver virtio;
    KilnUint metadata_cache_max; /* bytes */
} KilnDiskDriver;

/* Limits; 0 is none.  The _max are bursts, their _length in seconds. */
typedef struct {
    KilnUint total_bytes_sec;
    KilnUint read_bytes_sec;
    KilnUint write_bytes_sec;
    KilnUint total_iops_sec;
    KilnUint read_iops_sec;
    KilnUint write_iops_sec;
    KilnUint total_bytes_sec_max;
    KilnUint read_bytes_sec_max;
    KilnUint write_bytes_sec_max;
    KilnUint total_iops_sec_max;
    KilnUint read_iops_sec_max;
    KilnUint write_iops_sec_max;
    KilnUint size_iops_sec; /* bytes that count as one operation */
    char *group_name;       /* (owned) (nullable) disks of one name share the limits */
    KilnUint total_bytes_sec_max_length;
    KilnUint read_bytes_sec_max_length;
    KilnUint write_bytes_sec_max_length;
    KilnUint total_iops_sec_max_length;
    KilnUint read_iops_sec_max_length;
    KilnUint write_iops_sec_max_length;
} KilnDiskIotune;

/* What an image lies on; one that says nothing at all ends the chain. */
typedef struct KilnDiskBacking KilnDiskBacking;

struct KilnDiskBacking {
    KilnUint index;
    KilnDiskSource source;
    KilnDiskFormat format;
    KilnUint metadata_cache_max; /* bytes */
    KilnDiskBacking *backing;    /* (owned) (nullable) */
};

/* A running copy or commit; a status, not a wish. */
typedef struct {
    KilnDiskJob job;
    KilnDiskMirrorReady ready;
    char *file;                 /* (owned) (nullable) old word for the source's */
    KilnDiskFormat file_format; /* old word for @format */
    KilnDiskSource source;
    KilnDiskFormat format;
    KilnUint metadata_cache_max; /* bytes */
    KilnDiskBacking *backing;    /* (owned) (nullable) */
} KilnDiskMirror;

/* What the guest writes is forgotten when it stops. */
typedef struct {
    KilnSwitch share_backing;
} KilnDiskTransient;

typedef struct {
    KilnUint cylinders;
    KilnUint heads;
    KilnUint sectors;
    KilnDiskTranslation translation;
} KilnDiskGeometry;

typedef struct {
    KilnXmlPlace place;
    KilnDiskDevice device;
    KilnVirtioModel model;
    KilnSwitch rawio;
    KilnDiskSgio sgio;
    KilnDiskSnapshot snapshot;
    KilnDiskSource source;
    KilnDiskDriver driver;
    KilnDiskAuth *auth;       /* (owned) (nullable) as source.auth, at its older place */
    KilnDiskBacking *backing; /* (owned) (nullable) NULL: to be found out from the image */
    KilnDiskMirror *mirror;   /* (owned) (nullable) */
    char *target_dev;         /* (owned) (nullable) a name, unique in the guest */
    KilnDiskBus bus;
    KilnDiskTray tray;
    KilnSwitch removable;
    KilnUint rotation_rate; /* turns a minute; 1 is a solid state disk */
    KilnDiskIotune iotune;
    gboolean readonly;
    gboolean shareable;
    KilnDiskTransient *transient; /* (owned) (nullable) */
    char *serial;                 /* (owned) (nullable) */
    char *wwn;                    /* (owned) (nullable) */
    char *vendor;                 /* (owned) (nullable) */
    char *product;                /* (owned) (nullable) */
    KilnDiskEncryption
        *encryption;              /* (owned) (nullable) as source.encryption, at its older place */
    KilnDiskGeometry *geometry;   /* (owned) (nullable) */
    KilnUint logical_block_size;  /* bytes */
    KilnUint physical_block_size; /* bytes */
    KilnDeviceInfo info;
} KilnDisk;

KILN_FAMILY_DECLARE(KilnDisk, disk)

#endif
