/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/filesystem.h"

const char *const kiln_filesystem_type_names[KILN_N_FILESYSTEM_TYPE] = {
    [KILN_FILESYSTEM_TYPE_MOUNT] = "mount",       [KILN_FILESYSTEM_TYPE_FILE] = "file",
    [KILN_FILESYSTEM_TYPE_BLOCK] = "block",       [KILN_FILESYSTEM_TYPE_BIND] = "bind",
    [KILN_FILESYSTEM_TYPE_TEMPLATE] = "template", [KILN_FILESYSTEM_TYPE_RAM] = "ram",
};

const char *const kiln_filesystem_accessmode_names[KILN_N_FILESYSTEM_ACCESSMODE] = {
    [KILN_FILESYSTEM_ACCESSMODE_PASSTHROUGH] = "passthrough",
    [KILN_FILESYSTEM_ACCESSMODE_MAPPED] = "mapped",
    [KILN_FILESYSTEM_ACCESSMODE_SQUASH] = "squash",
};

const char *const kiln_filesystem_multidevs_names[KILN_N_FILESYSTEM_MULTIDEVS] = {
    [KILN_FILESYSTEM_MULTIDEVS_DEFAULT] = "default",
    [KILN_FILESYSTEM_MULTIDEVS_REMAP] = "remap",
    [KILN_FILESYSTEM_MULTIDEVS_FORBID] = "forbid",
    [KILN_FILESYSTEM_MULTIDEVS_WARN] = "warn",
};

const char *const kiln_filesystem_driver_names[KILN_N_FILESYSTEM_DRIVER] = {
    [KILN_FILESYSTEM_DRIVER_PATH] = "path",   [KILN_FILESYSTEM_DRIVER_HANDLE] = "handle",
    [KILN_FILESYSTEM_DRIVER_LOOP] = "loop",   [KILN_FILESYSTEM_DRIVER_NBD] = "nbd",
    [KILN_FILESYSTEM_DRIVER_PLOOP] = "ploop", [KILN_FILESYSTEM_DRIVER_VIRTIOFS] = "virtiofs",
};

const char *const kiln_filesystem_write_policy_names[KILN_N_FILESYSTEM_WRITE_POLICY] = {
    [KILN_FILESYSTEM_WRITE_POLICY_IMMEDIATE] = "immediate",
};

const char *const kiln_filesystem_cache_names[KILN_N_FILESYSTEM_CACHE] = {
    [KILN_FILESYSTEM_CACHE_NONE] = "none",
    [KILN_FILESYSTEM_CACHE_ALWAYS] = "always",
};

const char *const kiln_filesystem_sandbox_names[KILN_N_FILESYSTEM_SANDBOX] = {
    [KILN_FILESYSTEM_SANDBOX_NAMESPACE] = "namespace",
    [KILN_FILESYSTEM_SANDBOX_CHROOT] = "chroot",
};

static const KilnField filesystem_binary_fields[] = {
    KILN_FIELD_STRING(KilnFilesystemBinary, path, "@path", .rule = &kiln_path_rule),
    KILN_FIELD_SWITCH(KilnFilesystemBinary, xattr, "@xattr", ONOFF),
    KILN_FIELD_ENUM(KilnFilesystemBinary, cache, "cache@mode", kiln_filesystem_cache_names),
    KILN_FIELD_ENUM(KilnFilesystemBinary, sandbox, "sandbox@mode", kiln_filesystem_sandbox_names),
    KILN_FIELD_SWITCH(KilnFilesystemBinary, lock_posix, "lock@posix", ONOFF),
    KILN_FIELD_SWITCH(KilnFilesystemBinary, lock_flock, "lock@flock", ONOFF),
    KILN_FIELD_INT(KilnFilesystemBinary, thread_pool_size, "thread_pool@size"),
    KILN_FIELD_END,
};

static const KilnStruct filesystem_binary_struct = {
    .size = sizeof(KilnFilesystemBinary),
    .fields = filesystem_binary_fields,
};

static void
check_filesystem(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnFilesystem *fs = object;

    if ((fs->source_dir != NULL) + (fs->source_socket != NULL) + (fs->source_file != NULL) +
            (fs->source_dev != NULL) + (fs->source_name != NULL) + (fs->usage.set != FALSE) !=
        1)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                       "needs a <source> with one place that type '%s' can have",
                       kiln_filesystem_type_names[fs->type]);
    if (fs->target == NULL)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "needs <target dir=>");
    if (fs->queue.set && fs->driver != KILN_FILESYSTEM_DRIVER_VIRTIOFS)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                       "<driver queue=> is of driver 'virtiofs' only");
    if (fs->driver == KILN_FILESYSTEM_DRIVER_VIRTIOFS &&
        (fs->format != KILN_DISK_FORMAT_ABSENT ||
         fs->write_policy != KILN_FILESYSTEM_WRITE_POLICY_ABSENT))
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                       "driver 'virtiofs' has neither 'format' nor 'wrpolicy'");
}

static const KilnField filesystem_fields[] = {
    KILN_FIELD_CUSTOM(KilnFilesystem, place, "", &kiln_place_ops),
    KILN_FIELD_ENUM(KilnFilesystem, type, "@type", kiln_filesystem_type_names),
    KILN_FIELD_ENUM(KilnFilesystem, model, "@model", kiln_virtio_model_names),
    KILN_FIELD_ENUM(KilnFilesystem, accessmode, "@accessmode", kiln_filesystem_accessmode_names),
    KILN_FIELD_ENUM(KilnFilesystem, multidevs, "@multidevs", kiln_filesystem_multidevs_names),
    KILN_FIELD_OCTAL(KilnFilesystem, fmode, "@fmode", 07777, 4),
    KILN_FIELD_OCTAL(KilnFilesystem, dmode, "@dmode", 07777, 4),
    KILN_FIELD_ENUM(KilnFilesystem, driver, "driver@type", kiln_filesystem_driver_names),
    KILN_FIELD_ENUM(KilnFilesystem, format, "driver@format", kiln_disk_format_names),
    KILN_FIELD_ENUM(KilnFilesystem, write_policy, "driver@wrpolicy",
                    kiln_filesystem_write_policy_names),
    KILN_FIELD_UINT(KilnFilesystem, queue, "driver@queue", 0, G_MAXUINT32),
    KILN_FIELD_EMBED(KilnFilesystem, virtio, "driver", &kiln_virtio_driver_struct),
    KILN_FIELD_EMBED(KilnFilesystem, binary, "binary", &filesystem_binary_struct,
                     .only = KILN_ONLY(KILN_FILESYSTEM_TYPE_MOUNT)),
    KILN_FIELD_STRING(KilnFilesystem, source_dir, "source@dir",
                      .only = KILN_ONLY(KILN_FILESYSTEM_TYPE_MOUNT) |
                              KILN_ONLY(KILN_FILESYSTEM_TYPE_BIND),
                      .rule = &kiln_path_rule),
    KILN_FIELD_STRING(KilnFilesystem, source_socket, "source@socket",
                      .only = KILN_ONLY(KILN_FILESYSTEM_TYPE_MOUNT), .rule = &kiln_path_rule),
    KILN_FIELD_STRING(KilnFilesystem, source_file, "source@file",
                      .only = KILN_ONLY(KILN_FILESYSTEM_TYPE_FILE), .flags = KILN_FIELD_REQUIRED,
                      .rule = &kiln_path_rule),
    KILN_FIELD_STRING(KilnFilesystem, source_dev, "source@dev",
                      .only = KILN_ONLY(KILN_FILESYSTEM_TYPE_BLOCK), .flags = KILN_FIELD_REQUIRED,
                      .rule = &kiln_path_rule),
    KILN_FIELD_STRING(KilnFilesystem, source_name, "source@name",
                      .only = KILN_ONLY(KILN_FILESYSTEM_TYPE_TEMPLATE),
                      .flags = KILN_FIELD_REQUIRED, .rule = &kiln_generic_rule),
    KILN_FIELD_UINT(KilnFilesystem, usage, "source@usage", 0, G_MAXINT64,
                    .only = KILN_ONLY(KILN_FILESYSTEM_TYPE_RAM), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnFilesystem, units, "source@units",
                      .only = KILN_ONLY(KILN_FILESYSTEM_TYPE_RAM), .rule = &kiln_unit_rule),
    KILN_FIELD_STRING(KilnFilesystem, target, "target@dir", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_PRESENT(KilnFilesystem, readonly, "readonly"),
    KILN_FIELD_CUSTOM(KilnFilesystem, space_hard_limit, "space_hard_limit", &kiln_bytes_ops),
    KILN_FIELD_CUSTOM(KilnFilesystem, space_soft_limit, "space_soft_limit", &kiln_bytes_ops),
    KILN_FIELD_EMBED(KilnFilesystem, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_filesystem_struct = {
    .size = sizeof(KilnFilesystem),
    .fields = filesystem_fields,
    .check = check_filesystem,
    KILN_STRUCT_VARIANT(KilnFilesystem, type),
};

KILN_FAMILY_DEFINE(KilnFilesystem, filesystem, "filesystem")
