/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/tpm.h"

const char *const kiln_tpm_model_names[KILN_N_TPM_MODEL] = {
    [KILN_TPM_MODEL_TPM_TIS] = "tpm-tis",
    [KILN_TPM_MODEL_TPM_CRB] = "tpm-crb",
};

const char *const kiln_tpm_backend_type_names[KILN_N_TPM_BACKEND_TYPE] = {
    [KILN_TPM_BACKEND_TYPE_PASSTHROUGH] = "passthrough",
    [KILN_TPM_BACKEND_TYPE_EMULATOR] = "emulator",
    [KILN_TPM_BACKEND_TYPE_EXTERNAL] = "external",
};

const char *const kiln_tpm_version_names[KILN_N_TPM_VERSION] = {
    [KILN_TPM_VERSION_1_2] = "1.2",
    [KILN_TPM_VERSION_2_0] = "2.0",
};

const char *const kiln_tpm_source_type_names[KILN_N_TPM_SOURCE_TYPE] = {
    [KILN_TPM_SOURCE_TYPE_UNIX] = "unix",
};

const char *const kiln_tpm_source_mode_names[KILN_N_TPM_SOURCE_MODE] = {
    [KILN_TPM_SOURCE_MODE_CONNECT] = "connect",
};

static const KilnField tpm_pcr_banks_fields[] = {
    KILN_FIELD_PRESENT(KilnTpmPcrBanks, sha1, "sha1"),
    KILN_FIELD_PRESENT(KilnTpmPcrBanks, sha256, "sha256"),
    KILN_FIELD_PRESENT(KilnTpmPcrBanks, sha384, "sha384"),
    KILN_FIELD_PRESENT(KilnTpmPcrBanks, sha512, "sha512"),
    KILN_FIELD_END,
};

static const KilnStruct tpm_pcr_banks_struct = {
    .size = sizeof(KilnTpmPcrBanks),
    .fields = tpm_pcr_banks_fields,
};

static const KilnField tpm_backend_fields[] = {
    KILN_FIELD_ENUM(KilnTpmBackend, type, "@type", kiln_tpm_backend_type_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnTpmBackend, version, "@version", kiln_tpm_version_names),
    KILN_FIELD_SWITCH(KilnTpmBackend, persistent_state, "@persistent_state", YESNO,
                      .only = KILN_ONLY(KILN_TPM_BACKEND_TYPE_EMULATOR)),
    KILN_FIELD_STRING(KilnTpmBackend, device_path, "device@path",
                      .only = KILN_ONLY(KILN_TPM_BACKEND_TYPE_PASSTHROUGH)),
    KILN_FIELD_ENUM(KilnTpmBackend, source_type, "source@type", kiln_tpm_source_type_names,
                    .only = KILN_ONLY(KILN_TPM_BACKEND_TYPE_EXTERNAL),
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnTpmBackend, source_path, "source@path",
                      .only = KILN_ONLY(KILN_TPM_BACKEND_TYPE_EXTERNAL),
                      .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnTpmBackend, source_mode, "source@mode", kiln_tpm_source_mode_names,
                    .only = KILN_ONLY(KILN_TPM_BACKEND_TYPE_EXTERNAL),
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnTpmBackend, encryption_secret, "encryption@secret",
                      .only = KILN_ONLY(KILN_TPM_BACKEND_TYPE_EMULATOR), .rule = &kiln_uuid_rule),
    KILN_FIELD_STRUCT(KilnTpmBackend, active_pcr_banks, "active_pcr_banks", &tpm_pcr_banks_struct,
                      .only = KILN_ONLY(KILN_TPM_BACKEND_TYPE_EMULATOR)),
    KILN_FIELD_END,
};

static const KilnStruct tpm_backend_struct = {
    .size = sizeof(KilnTpmBackend),
    .fields = tpm_backend_fields,
    KILN_STRUCT_VARIANT(KilnTpmBackend, type),
};

static const KilnField tpm_fields[] = {
    KILN_FIELD_CUSTOM(KilnTpm, place, "", &kiln_place_ops),
    KILN_FIELD_ENUM(KilnTpm, model, "@model", kiln_tpm_model_names),
    KILN_FIELD_EMBED(KilnTpm, backend, "backend", &tpm_backend_struct,
                     .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_EMBED(KilnTpm, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_tpm_struct = {
    .size = sizeof(KilnTpm),
    .fields = tpm_fields,
};

KILN_FAMILY_DEFINE(KilnTpm, tpm, "tpm")
