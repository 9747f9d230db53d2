/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/rng.h"

const char *const kiln_rng_backend_model_names[KILN_N_RNG_BACKEND_MODEL] = {
    [KILN_RNG_BACKEND_MODEL_RANDOM] = "random",
    [KILN_RNG_BACKEND_MODEL_EGD] = "egd",
    [KILN_RNG_BACKEND_MODEL_BUILTIN] = "builtin",
};

static const KilnField rng_backend_fields[] = {
    KILN_FIELD_ENUM(KilnRngBackend, model, "@model", kiln_rng_backend_model_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnRngBackend, path, ".", .only = KILN_ONLY(KILN_RNG_BACKEND_MODEL_RANDOM),
                      .rule = &kiln_path_rule),
    KILN_FIELD_EMBED(KilnRngBackend, egd, "", &kiln_char_source_struct,
                     .only = KILN_ONLY(KILN_RNG_BACKEND_MODEL_EGD)),
    KILN_FIELD_END,
};

static const KilnStruct rng_backend_struct = {
    .size = sizeof(KilnRngBackend),
    .fields = rng_backend_fields,
    KILN_STRUCT_VARIANT(KilnRngBackend, model),
};

static const KilnField rng_fields[] = {
    KILN_FIELD_CUSTOM(KilnRng, place, "", &kiln_place_ops),
    KILN_FIELD_ENUM(KilnRng, model, "@model", kiln_virtio_model_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_EMBED(KilnRng, backend, "backend", &rng_backend_struct,
                     .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_EMBED(KilnRng, virtio, "driver", &kiln_virtio_driver_struct),
    KILN_FIELD_UINT(KilnRng, rate_bytes, "rate@bytes", 1, G_MAXUINT32,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnRng, rate_period_ms, "rate@period", 1, G_MAXUINT32),
    KILN_FIELD_EMBED(KilnRng, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_rng_struct = {
    .size = sizeof(KilnRng),
    .fields = rng_fields,
};

KILN_FAMILY_DEFINE(KilnRng, rng, "rng")
