/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/shmem.h"

const char *const kiln_shmem_model_names[KILN_N_SHMEM_MODEL] = {
    [KILN_SHMEM_MODEL_IVSHMEM] = "ivshmem",
    [KILN_SHMEM_MODEL_IVSHMEM_PLAIN] = "ivshmem-plain",
    [KILN_SHMEM_MODEL_IVSHMEM_DOORBELL] = "ivshmem-doorbell",
};

const char *const kiln_shmem_role_names[KILN_N_SHMEM_ROLE] = {
    [KILN_SHMEM_ROLE_MASTER] = "master",
    [KILN_SHMEM_ROLE_PEER] = "peer",
};

static const KilnField shmem_msi_fields[] = {
    KILN_FIELD_SWITCH(KilnShmemMsi, ioeventfd, "@ioeventfd", ONOFF),
    KILN_FIELD_UINT(KilnShmemMsi, vectors, "@vectors", 0, G_MAXUINT32),
    KILN_FIELD_END,
};

static const KilnStruct shmem_msi_struct = {
    .size = sizeof(KilnShmemMsi),
    .fields = shmem_msi_fields,
};

static const KilnField shmem_fields[] = {
    KILN_FIELD_CUSTOM(KilnShmem, place, "", &kiln_place_ops),
    KILN_FIELD_STRING(KilnShmem, name, "@name", .flags = KILN_FIELD_REQUIRED,
                      .rule = &kiln_no_slash_rule),
    KILN_FIELD_ENUM(KilnShmem, role, "@role", kiln_shmem_role_names),
    KILN_FIELD_ENUM(KilnShmem, model, "model@type", kiln_shmem_model_names),
    KILN_FIELD_CUSTOM(KilnShmem, size, "size", &kiln_bytes_ops),
    KILN_FIELD_STRING(KilnShmem, server_path, "server@path", .rule = &kiln_path_rule),
    KILN_FIELD_STRUCT(KilnShmem, msi, "msi", &shmem_msi_struct),
    KILN_FIELD_EMBED(KilnShmem, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_shmem_struct = {
    .size = sizeof(KilnShmem),
    .fields = shmem_fields,
};

KILN_FAMILY_DEFINE(KilnShmem, shmem, "shmem")
