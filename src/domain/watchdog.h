/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <watchdog>: the timer that acts when a guest no longer feeds it. */
#ifndef KILN_DOMAIN_WATCHDOG_H
#define KILN_DOMAIN_WATCHDOG_H

#include "domain/address.h"
#include "domain/family.h"

typedef enum {
    KILN_WATCHDOG_MODEL_ABSENT,
    KILN_WATCHDOG_MODEL_I6300ESB,
    KILN_WATCHDOG_MODEL_IB700,
    KILN_N_WATCHDOG_MODEL
} KilnWatchdogModel;

extern const char *const kiln_watchdog_model_names[KILN_N_WATCHDOG_MODEL];

/* absent is reset */
typedef enum {
    KILN_WATCHDOG_ACTION_ABSENT,
    KILN_WATCHDOG_ACTION_RESET,
    KILN_WATCHDOG_ACTION_SHUTDOWN,
    KILN_WATCHDOG_ACTION_POWEROFF,
    KILN_WATCHDOG_ACTION_PAUSE,
    KILN_WATCHDOG_ACTION_NONE,
    KILN_WATCHDOG_ACTION_DUMP,
    KILN_WATCHDOG_ACTION_INJECT_NMI,
    KILN_N_WATCHDOG_ACTION
} KilnWatchdogAction;

extern const char *const kiln_watchdog_action_names[KILN_N_WATCHDOG_ACTION];

typedef struct {
    KilnXmlPlace place;
    KilnWatchdogModel model;
    KilnWatchdogAction action;
    KilnDeviceInfo info;
} KilnWatchdog;

KILN_FAMILY_DECLARE(KilnWatchdog, watchdog)

#endif
