/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <tpm>: a trusted platform module, the host's own or an emulated one. */
#ifndef KILN_DOMAIN_TPM_H
#define KILN_DOMAIN_TPM_H

#include "domain/address.h"
#include "domain/family.h"

typedef enum {
    KILN_TPM_MODEL_ABSENT,
    KILN_TPM_MODEL_TPM_TIS,
    KILN_TPM_MODEL_TPM_CRB,
    KILN_N_TPM_MODEL
} KilnTpmModel;

extern const char *const kiln_tpm_model_names[KILN_N_TPM_MODEL];

typedef enum {
    KILN_TPM_BACKEND_TYPE_PASSTHROUGH,
    KILN_TPM_BACKEND_TYPE_EMULATOR,
    KILN_TPM_BACKEND_TYPE_EXTERNAL,
    KILN_N_TPM_BACKEND_TYPE
} KilnTpmBackendType;

extern const char *const kiln_tpm_backend_type_names[KILN_N_TPM_BACKEND_TYPE];

typedef enum {
    KILN_TPM_VERSION_ABSENT,
    KILN_TPM_VERSION_1_2,
    KILN_TPM_VERSION_2_0,
    KILN_N_TPM_VERSION
} KilnTpmVersion;

extern const char *const kiln_tpm_version_names[KILN_N_TPM_VERSION];

typedef enum {
    KILN_TPM_SOURCE_TYPE_ABSENT,
    KILN_TPM_SOURCE_TYPE_UNIX,
    KILN_N_TPM_SOURCE_TYPE
} KilnTpmSourceType;

extern const char *const kiln_tpm_source_type_names[KILN_N_TPM_SOURCE_TYPE];

typedef enum {
    KILN_TPM_SOURCE_MODE_ABSENT,
    KILN_TPM_SOURCE_MODE_CONNECT,
    KILN_N_TPM_SOURCE_MODE
} KilnTpmSourceMode;

extern const char *const kiln_tpm_source_mode_names[KILN_N_TPM_SOURCE_MODE];

/* Which banks of platform configuration registers are active. */
typedef struct {
    gboolean sha1;
    gboolean sha256;
    gboolean sha384;
    gboolean sha512;
} KilnTpmPcrBanks;

typedef struct {
    KilnTpmBackendType type;
    KilnTpmVersion version;
    KilnSwitch persistent_state; /* kept when the guest is undefined */
    char *device_path;           /* (owned) (nullable) absent is /dev/tpm0 */
    KilnTpmSourceType source_type;
    char *source_path; /* (owned) (nullable) */
    KilnTpmSourceMode source_mode;
    char *encryption_secret;           /* (owned) (nullable) of a libvirt secret */
    KilnTpmPcrBanks *active_pcr_banks; /* (owned) (nullable) */
} KilnTpmBackend;

typedef struct {
    KilnXmlPlace place;
    KilnTpmModel model;
    KilnTpmBackend backend;
    KilnDeviceInfo info;
} KilnTpm;

KILN_FAMILY_DECLARE(KilnTpm, tpm)

#endif
