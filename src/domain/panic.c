/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/panic.h"

const char *const kiln_panic_model_names[KILN_N_PANIC_MODEL] = {
    [KILN_PANIC_MODEL_ISA] = "isa",
    [KILN_PANIC_MODEL_HYPERV] = "hyperv",
};

static const KilnField panic_fields[] = {
    KILN_FIELD_CUSTOM(KilnPanic, place, "", &kiln_place_ops),
    KILN_FIELD_ENUM(KilnPanic, model, "@model", kiln_panic_model_names),
    KILN_FIELD_EMBED(KilnPanic, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_panic_struct = {
    .size = sizeof(KilnPanic),
    .fields = panic_fields,
};

KILN_FAMILY_DEFINE(KilnPanic, panic, "panic")
