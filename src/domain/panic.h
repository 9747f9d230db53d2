/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <panic>: how a guest tells that it has crashed. */
#ifndef KILN_DOMAIN_PANIC_H
#define KILN_DOMAIN_PANIC_H

#include "domain/address.h"
#include "domain/family.h"

/* absent is isa, the pvpanic port */
typedef enum {
    KILN_PANIC_MODEL_ABSENT,
    KILN_PANIC_MODEL_ISA,
    KILN_PANIC_MODEL_HYPERV,
    KILN_N_PANIC_MODEL
} KilnPanicModel;

extern const char *const kiln_panic_model_names[KILN_N_PANIC_MODEL];

typedef struct {
    KilnXmlPlace place;
    KilnPanicModel model;
    KilnDeviceInfo info;
} KilnPanic;

KILN_FAMILY_DECLARE(KilnPanic, panic)

#endif
