/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <shmem>: memory shared between guests (ivshmem). */
#ifndef KILN_DOMAIN_SHMEM_H
#define KILN_DOMAIN_SHMEM_H

#include "domain/address.h"
#include "domain/family.h"

typedef enum {
    KILN_SHMEM_MODEL_ABSENT,
    KILN_SHMEM_MODEL_IVSHMEM,
    KILN_SHMEM_MODEL_IVSHMEM_PLAIN,
    KILN_SHMEM_MODEL_IVSHMEM_DOORBELL,
    KILN_N_SHMEM_MODEL
} KilnShmemModel;

extern const char *const kiln_shmem_model_names[KILN_N_SHMEM_MODEL];

typedef enum {
    KILN_SHMEM_ROLE_ABSENT,
    KILN_SHMEM_ROLE_MASTER,
    KILN_SHMEM_ROLE_PEER,
    KILN_N_SHMEM_ROLE
} KilnShmemRole;

extern const char *const kiln_shmem_role_names[KILN_N_SHMEM_ROLE];

/* Interrupts between the sharers; only with a server. */
typedef struct {
    KilnSwitch ioeventfd;
    KilnUint vectors;
} KilnShmemMsi;

typedef struct {
    KilnXmlPlace place;
    char *name; /* (owned) (nullable) */
    KilnShmemRole role;
    KilnShmemModel model;
    KilnUint size;     /* bytes */
    char *server_path; /* (owned) (nullable) socket of ivshmem-server */
    KilnShmemMsi *msi; /* (owned) (nullable) */
    KilnDeviceInfo info;
} KilnShmem;

KILN_FAMILY_DECLARE(KilnShmem, shmem)

#endif
