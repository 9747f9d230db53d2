/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/watchdog.h"

const char *const kiln_watchdog_model_names[KILN_N_WATCHDOG_MODEL] = {
    [KILN_WATCHDOG_MODEL_I6300ESB] = "i6300esb",
    [KILN_WATCHDOG_MODEL_IB700] = "ib700",
};

const char *const kiln_watchdog_action_names[KILN_N_WATCHDOG_ACTION] = {
    [KILN_WATCHDOG_ACTION_RESET] = "reset",
    [KILN_WATCHDOG_ACTION_SHUTDOWN] = "shutdown",
    [KILN_WATCHDOG_ACTION_POWEROFF] = "poweroff",
    [KILN_WATCHDOG_ACTION_PAUSE] = "pause",
    [KILN_WATCHDOG_ACTION_NONE] = "none",
    [KILN_WATCHDOG_ACTION_DUMP] = "dump",
    [KILN_WATCHDOG_ACTION_INJECT_NMI] = "inject-nmi",
};

static const KilnField watchdog_fields[] = {
    KILN_FIELD_CUSTOM(KilnWatchdog, place, "", &kiln_place_ops),
    KILN_FIELD_ENUM(KilnWatchdog, model, "@model", kiln_watchdog_model_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnWatchdog, action, "@action", kiln_watchdog_action_names),
    KILN_FIELD_EMBED(KilnWatchdog, info, "", &kiln_device_info_struct),
    KILN_FIELD_END,
};

const KilnStruct kiln_watchdog_struct = {
    .size = sizeof(KilnWatchdog),
    .fields = watchdog_fields,
};

KILN_FAMILY_DEFINE(KilnWatchdog, watchdog, "watchdog")
