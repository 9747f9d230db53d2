/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/disk.h"

const char *const kiln_disk_device_names[KILN_N_DISK_DEVICE] = {
    [KILN_DISK_DEVICE_DISK] = "disk",
    [KILN_DISK_DEVICE_CDROM] = "cdrom",
    [KILN_DISK_DEVICE_LUN] = "lun",
    [KILN_DISK_DEVICE_FLOPPY] = "floppy",
};

const char *const kiln_disk_sgio_names[KILN_N_DISK_SGIO] = {
    [KILN_DISK_SGIO_FILTERED] = "filtered",
    [KILN_DISK_SGIO_UNFILTERED] = "unfiltered",
};

const char *const kiln_disk_snapshot_names[KILN_N_DISK_SNAPSHOT] = {
    [KILN_DISK_SNAPSHOT_NO] = "no",
    [KILN_DISK_SNAPSHOT_INTERNAL] = "internal",
    [KILN_DISK_SNAPSHOT_EXTERNAL] = "external",
    [KILN_DISK_SNAPSHOT_MANUAL] = "manual",
};

const char *const kiln_disk_format_names[KILN_N_DISK_FORMAT] = {
    [KILN_DISK_FORMAT_RAW] = "raw",     [KILN_DISK_FORMAT_DIR] = "dir",
    [KILN_DISK_FORMAT_BOCHS] = "bochs", [KILN_DISK_FORMAT_CLOOP] = "cloop",
    [KILN_DISK_FORMAT_DMG] = "dmg",     [KILN_DISK_FORMAT_ISO] = "iso",
    [KILN_DISK_FORMAT_VPC] = "vpc",     [KILN_DISK_FORMAT_VDI] = "vdi",
    [KILN_DISK_FORMAT_FAT] = "fat",     [KILN_DISK_FORMAT_VHD] = "vhd",
    [KILN_DISK_FORMAT_PLOOP] = "ploop", [KILN_DISK_FORMAT_LUKS] = "luks",
    [KILN_DISK_FORMAT_COW] = "cow",     [KILN_DISK_FORMAT_QCOW] = "qcow",
    [KILN_DISK_FORMAT_QCOW2] = "qcow2", [KILN_DISK_FORMAT_QED] = "qed",
    [KILN_DISK_FORMAT_VMDK] = "vmdk",
};

const char *const kiln_disk_cache_names[KILN_N_DISK_CACHE] = {
    [KILN_DISK_CACHE_DEFAULT] = "default",       [KILN_DISK_CACHE_NONE] = "none",
    [KILN_DISK_CACHE_WRITEBACK] = "writeback",   [KILN_DISK_CACHE_WRITETHROUGH] = "writethrough",
    [KILN_DISK_CACHE_DIRECTSYNC] = "directsync", [KILN_DISK_CACHE_UNSAFE] = "unsafe",
};

const char *const kiln_disk_error_policy_names[KILN_N_DISK_ERROR_POLICY] = {
    [KILN_DISK_ERROR_POLICY_STOP] = "stop",
    [KILN_DISK_ERROR_POLICY_REPORT] = "report",
    [KILN_DISK_ERROR_POLICY_IGNORE] = "ignore",
    [KILN_DISK_ERROR_POLICY_ENOSPACE] = "enospace",
};

const char *const kiln_disk_io_names[KILN_N_DISK_IO] = {
    [KILN_DISK_IO_THREADS] = "threads",
    [KILN_DISK_IO_NATIVE] = "native",
    [KILN_DISK_IO_IO_URING] = "io_uring",
};

const char *const kiln_disk_discard_names[KILN_N_DISK_DISCARD] = {
    [KILN_DISK_DISCARD_UNMAP] = "unmap",
    [KILN_DISK_DISCARD_IGNORE] = "ignore",
};

const char *const kiln_disk_detect_zeroes_names[KILN_N_DISK_DETECT_ZEROES] = {
    [KILN_DISK_DETECT_ZEROES_OFF] = "off",
    [KILN_DISK_DETECT_ZEROES_ON] = "on",
    [KILN_DISK_DETECT_ZEROES_UNMAP] = "unmap",
};

const char *const kiln_disk_bus_names[KILN_N_DISK_BUS] = {
    [KILN_DISK_BUS_IDE] = "ide",       [KILN_DISK_BUS_FDC] = "fdc", [KILN_DISK_BUS_SCSI] = "scsi",
    [KILN_DISK_BUS_VIRTIO] = "virtio", [KILN_DISK_BUS_USB] = "usb", [KILN_DISK_BUS_SATA] = "sata",
};

const char *const kiln_disk_tray_names[KILN_N_DISK_TRAY] = {
    [KILN_DISK_TRAY_OPEN] = "open",
    [KILN_DISK_TRAY_CLOSED] = "closed",
};

const char *const kiln_disk_translation_names[KILN_N_DISK_TRANSLATION] = {
    [KILN_DISK_TRANSLATION_AUTO] = "auto",
    [KILN_DISK_TRANSLATION_NONE] = "none",
    [KILN_DISK_TRANSLATION_LBA] = "lba",
};

const char *const kiln_disk_job_names[KILN_N_DISK_JOB] = {
    [KILN_DISK_JOB_COPY] = "copy",
    [KILN_DISK_JOB_ACTIVE_COMMIT] = "active-commit",
};

const char *const kiln_disk_mirror_ready_names[KILN_N_DISK_MIRROR_READY] = {
    [KILN_DISK_MIRROR_READY_YES] = "yes",
    [KILN_DISK_MIRROR_READY_ABORT] = "abort",
    [KILN_DISK_MIRROR_READY_PIVOT] = "pivot",
};

static const KilnField disk_driver_fields[] = {
    KILN_FIELD_STRING(KilnDiskDriver, name, "@name", .rule = &kiln_generic_rule),
    KILN_FIELD_ENUM(KilnDiskDriver, type, "@type", kiln_disk_format_names),
    KILN_FIELD_ENUM(KilnDiskDriver, cache, "@cache", kiln_disk_cache_names),
    KILN_FIELD_ENUM(KilnDiskDriver, error_policy, "@error_policy", kiln_disk_error_policy_names),
    KILN_FIELD_ENUM(KilnDiskDriver, rerror_policy, "@rerror_policy", kiln_disk_error_policy_names),
    KILN_FIELD_ENUM(KilnDiskDriver, io, "@io", kiln_disk_io_names),
    KILN_FIELD_SWITCH(KilnDiskDriver, ioeventfd, "@ioeventfd", ONOFF),
    KILN_FIELD_SWITCH(KilnDiskDriver, event_idx, "@event_idx", ONOFF),
    KILN_FIELD_SWITCH(KilnDiskDriver, copy_on_read, "@copy_on_read", ONOFF),
    KILN_FIELD_ENUM(KilnDiskDriver, discard, "@discard", kiln_disk_discard_names),
    KILN_FIELD_UINT(KilnDiskDriver, iothread, "@iothread", 1, G_MAXUINT32),
    KILN_FIELD_ENUM(KilnDiskDriver, detect_zeroes, "@detect_zeroes", kiln_disk_detect_zeroes_names),
    KILN_FIELD_UINT(KilnDiskDriver, queues, "@queues", 1, G_MAXUINT32),
    KILN_FIELD_UINT(KilnDiskDriver, queue_size, "@queue_size", 1, G_MAXUINT32),
    KILN_FIELD_EMBED(KilnDiskDriver, virtio, "", &kiln_virtio_driver_struct),
    KILN_FIELD_CUSTOM(KilnDiskDriver, metadata_cache_max, "metadata_cache/max_size",
                      &kiln_bytes_ops),
    KILN_FIELD_END,
};

static const KilnStruct disk_driver_struct = {
    .size = sizeof(KilnDiskDriver),
    .fields = disk_driver_fields,
};

static void
total_or_each(const KilnUint *total, const KilnUint *read, const KilnUint *write, const char *what,
              const KilnXmlNode *node, KilnFaults *faults)
{
    if (total->set && (read->set || write->set))
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                       "'total_%s' is set together with 'read_%s' or 'write_%s'", what, what, what);
}

static void
check_iotune(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnDiskIotune *tune = object;

    total_or_each(&tune->total_bytes_sec, &tune->read_bytes_sec, &tune->write_bytes_sec,
                  "bytes_sec", node, faults);
    total_or_each(&tune->total_iops_sec, &tune->read_iops_sec, &tune->write_iops_sec, "iops_sec",
                  node, faults);
    total_or_each(&tune->total_bytes_sec_max, &tune->read_bytes_sec_max, &tune->write_bytes_sec_max,
                  "bytes_sec_max", node, faults);
    total_or_each(&tune->total_iops_sec_max, &tune->read_iops_sec_max, &tune->write_iops_sec_max,
                  "iops_sec_max", node, faults);
    total_or_each(&tune->total_bytes_sec_max_length, &tune->read_bytes_sec_max_length,
                  &tune->write_bytes_sec_max_length, "bytes_sec_max_length", node, faults);
    total_or_each(&tune->total_iops_sec_max_length, &tune->read_iops_sec_max_length,
                  &tune->write_iops_sec_max_length, "iops_sec_max_length", node, faults);
}

static const KilnField disk_iotune_fields[] = {
    KILN_FIELD_UINT(KilnDiskIotune, total_bytes_sec, "total_bytes_sec", 0, G_MAXINT64),
    KILN_FIELD_UINT(KilnDiskIotune, read_bytes_sec, "read_bytes_sec", 0, G_MAXINT64),
    KILN_FIELD_UINT(KilnDiskIotune, write_bytes_sec, "write_bytes_sec", 0, G_MAXINT64),
    KILN_FIELD_UINT(KilnDiskIotune, total_iops_sec, "total_iops_sec", 0, G_MAXINT64),
    KILN_FIELD_UINT(KilnDiskIotune, read_iops_sec, "read_iops_sec", 0, G_MAXINT64),
    KILN_FIELD_UINT(KilnDiskIotune, write_iops_sec, "write_iops_sec", 0, G_MAXINT64),
    KILN_FIELD_UINT(KilnDiskIotune, total_bytes_sec_max, "total_bytes_sec_max", 0, G_MAXINT64),
    KILN_FIELD_UINT(KilnDiskIotune, read_bytes_sec_max, "read_bytes_sec_max", 0, G_MAXINT64),
    KILN_FIELD_UINT(KilnDiskIotune, write_bytes_sec_max, "write_bytes_sec_max", 0, G_MAXINT64),
    KILN_FIELD_UINT(KilnDiskIotune, total_iops_sec_max, "total_iops_sec_max", 0, G_MAXINT64),
    KILN_FIELD_UINT(KilnDiskIotune, read_iops_sec_max, "read_iops_sec_max", 0, G_MAXINT64),
    KILN_FIELD_UINT(KilnDiskIotune, write_iops_sec_max, "write_iops_sec_max", 0, G_MAXINT64),
    KILN_FIELD_UINT(KilnDiskIotune, size_iops_sec, "size_iops_sec", 0, G_MAXINT64),
    KILN_FIELD_STRING(KilnDiskIotune, group_name, "group_name"),
    KILN_FIELD_UINT(KilnDiskIotune, total_bytes_sec_max_length, "total_bytes_sec_max_length", 0,
                    G_MAXINT64),
    KILN_FIELD_UINT(KilnDiskIotune, read_bytes_sec_max_length, "read_bytes_sec_max_length", 0,
                    G_MAXINT64),
    KILN_FIELD_UINT(KilnDiskIotune, write_bytes_sec_max_length, "write_bytes_sec_max_length", 0,
                    G_MAXINT64),
    KILN_FIELD_UINT(KilnDiskIotune, total_iops_sec_max_length, "total_iops_sec_max_length", 0,
                    G_MAXINT64),
    KILN_FIELD_UINT(KilnDiskIotune, read_iops_sec_max_length, "read_iops_sec_max_length", 0,
                    G_MAXINT64),
    KILN_FIELD_UINT(KilnDiskIotune, write_iops_sec_max_length, "write_iops_sec_max_length", 0,
                    G_MAXINT64),
    KILN_FIELD_END,
};

static const KilnStruct disk_iotune_struct = {
    .size = sizeof(KilnDiskIotune),
    .fields = disk_iotune_fields,
    .check = check_iotune,
};

static void
check_backing(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    KilnDiskBacking *backing = object;

    if (backing->source.type == KILN_DISK_TYPE_ABSENT && node->children->len > 0)
        backing->source.type = KILN_DISK_TYPE_FILE;
    if (backing->source.type != KILN_DISK_TYPE_ABSENT && backing->format == KILN_DISK_FORMAT_ABSENT)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "needs <format type=>");
}

/* Until libvirt 1.2.6 a mirror's file was an attribute; both are written for old readers. */
static void
check_mirror(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    KilnDiskMirror *mirror = object;

    if (mirror->file == NULL && mirror->job == KILN_DISK_JOB_ABSENT)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "needs 'job'");
    if (mirror->source.type == KILN_DISK_TYPE_ABSENT)
        mirror->source.type = KILN_DISK_TYPE_FILE;
}

static const KilnStruct disk_backing_struct;

static const KilnField disk_backing_fields[] = {
    KILN_FIELD_UINT(KilnDiskBacking, index, "@index", 1, G_MAXUINT32),
    KILN_FIELD_EMBED(KilnDiskBacking, source, "", &kiln_disk_source_struct),
    KILN_FIELD_ENUM(KilnDiskBacking, format, "format@type", kiln_disk_format_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_CUSTOM(KilnDiskBacking, metadata_cache_max, "format/metadata_cache/max_size",
                      &kiln_bytes_ops),
    KILN_FIELD_STRUCT(KilnDiskBacking, backing, "backingStore", &disk_backing_struct),
    KILN_FIELD_END,
};

static const KilnStruct disk_backing_struct = {
    .size = sizeof(KilnDiskBacking),
    .fields = disk_backing_fields,
    .check = check_backing,
};

static const KilnField disk_mirror_fields[] = {
    KILN_FIELD_ENUM(KilnDiskMirror, job, "@job", kiln_disk_job_names),
    KILN_FIELD_ENUM(KilnDiskMirror, ready, "@ready", kiln_disk_mirror_ready_names),
    KILN_FIELD_STRING(KilnDiskMirror, file, "@file", .rule = &kiln_path_rule),
    KILN_FIELD_ENUM(KilnDiskMirror, file_format, "@format", kiln_disk_format_names),
    KILN_FIELD_EMBED(KilnDiskMirror, source, "", &kiln_disk_source_struct),
    KILN_FIELD_ENUM(KilnDiskMirror, format, "format@type", kiln_disk_format_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_CUSTOM(KilnDiskMirror, metadata_cache_max, "format/metadata_cache/max_size",
                      &kiln_bytes_ops),
    KILN_FIELD_STRUCT(KilnDiskMirror, backing, "backingStore", &disk_backing_struct),
    KILN_FIELD_END,
};

static const KilnStruct disk_mirror_struct = {
    .size = sizeof(KilnDiskMirror),
    .fields = disk_mirror_fields,
    .check = check_mirror,
};

static const KilnField disk_transient_fields[] = {
    KILN_FIELD_SWITCH(KilnDiskTransient, share_backing, "@shareBacking", YESNO),
    KILN_FIELD_END,
};

static const KilnStruct disk_transient_struct = {
    .size = sizeof(KilnDiskTransient),
    .fields = disk_transient_fields,
};

static const KilnField disk_geometry_fields[] = {
    KILN_FIELD_UINT(KilnDiskGeometry, cylinders, "@cyls", 0, G_MAXUINT32,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnDiskGeometry, heads, "@heads", 0, G_MAXUINT32,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnDiskGeometry, sectors, "@secs", 0, G_MAXUINT32,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnDiskGeometry, translation, "@trans", kiln_disk_translation_names),
    KILN_FIELD_END,
};

static const KilnStruct disk_geometry_struct = {
    .size = sizeof(KilnDiskGeometry),
    .fields = disk_geometry_fields,
};

static void
check_disk(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    KilnDisk *disk = object;

    if (disk->source.type == KILN_DISK_TYPE_ABSENT)
        disk->source.type = KILN_DISK_TYPE_FILE;
    if (disk->target_dev == NULL)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "needs <target dev=>");
    if (disk->device == KILN_DISK_DEVICE_LUN && disk->source.type != KILN_DISK_TYPE_BLOCK &&
        disk->source.type != KILN_DISK_TYPE_NETWORK && disk->source.type != KILN_DISK_TYPE_VOLUME)
        kiln_fault_add(faults, KILN_FAULT_XML, node, "device",
                       "a 'lun' is of type 'block', 'network' or 'volume'");
    if (disk->driver.rerror_policy == KILN_DISK_ERROR_POLICY_ENOSPACE)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                       "'rerror_policy' is 'stop', 'report' or 'ignore'");
}

static const KilnField disk_fields[] = {
    KILN_FIELD_CUSTOM(KilnDisk, place, "", &kiln_place_ops),
    KILN_FIELD_ENUM(KilnDisk, device, "@device", kiln_disk_device_names),
    KILN_FIELD_ENUM(KilnDisk, model, "@model", kiln_virtio_model_names),
    KILN_FIELD_SWITCH(KilnDisk, rawio, "@rawio", YESNO, .only = KILN_ONLY(KILN_DISK_DEVICE_LUN)),
    KILN_FIELD_ENUM(KilnDisk, sgio, "@sgio", kiln_disk_sgio_names,
                    .only = KILN_ONLY(KILN_DISK_DEVICE_LUN)),
    KILN_FIELD_ENUM(KilnDisk, snapshot, "@snapshot", kiln_disk_snapshot_names),
    KILN_FIELD_EMBED(KilnDisk, source, "", &kiln_disk_source_struct),
    KILN_FIELD_EMBED(KilnDisk, driver, "driver", &disk_driver_struct),
    KILN_FIELD_STRUCT(KilnDisk, auth, "auth", &kiln_disk_auth_struct),
    KILN_FIELD_STRUCT(KilnDisk, backing, "backingStore", &disk_backing_struct),
    KILN_FIELD_STRUCT(KilnDisk, mirror, "mirror", &disk_mirror_struct, .flags = KILN_FIELD_LIVE),
    KILN_FIELD_STRING(KilnDisk, target_dev, "target@dev", .flags = KILN_FIELD_REQUIRED,
                      .rule = &kiln_disk_target_rule),
    KILN_FIELD_ENUM(KilnDisk, bus, "target@bus", kiln_disk_bus_names),
    KILN_FIELD_ENUM(KilnDisk, tray, "target@tray", kiln_disk_tray_names),
    KILN_FIELD_SWITCH(KilnDisk, removable, "target@removable", ONOFF),
    KILN_FIELD_UINT(KilnDisk, rotation_rate, "target@rotation_rate", 1, 65535),
    KILN_FIELD_EMBED(KilnDisk, iotune, "iotune", &disk_iotune_struct),
    KILN_FIELD_PRESENT(KilnDisk, readonly, "readonly"),
    KILN_FIELD_PRESENT(KilnDisk, shareable, "shareable"),
    KILN_FIELD_STRUCT(KilnDisk, transient, "transient", &disk_transient_struct),
    KILN_FIELD_STRING(KilnDisk, serial, "serial", .rule = &kiln_disk_serial_rule),
    KILN_FIELD_STRING(KilnDisk, wwn, "wwn", .rule = &kiln_wwn_rule),
    KILN_FIELD_STRING(KilnDisk, vendor, "vendor", .rule = &kiln_scsi_vendor_rule),
    KILN_FIELD_STRING(KilnDisk, product, "product", .rule = &kiln_scsi_product_rule),
    KILN_FIELD_STRUCT(KilnDisk, encryption, "encryption", &kiln_disk_encryption_struct),
    KILN_FIELD_STRUCT(KilnDisk, geometry, "geometry", &disk_geometry_struct),
    KILN_FIELD_UINT(KilnDisk, logical_block_size, "blockio@logical_block_size", 0, G_MAXUINT32),
    KILN_FIELD_UINT(KilnDisk, physical_block_size, "blockio@physical_block_size", 0, G_MAXUINT32),
    KILN_FIELD_EMBED(KilnDisk, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_disk_struct = {
    .size = sizeof(KilnDisk),
    .fields = disk_fields,
    .check = check_disk,
    KILN_STRUCT_VARIANT(KilnDisk, device),
};

KILN_FAMILY_DEFINE(KilnDisk, disk, "disk")
