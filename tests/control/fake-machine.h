/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A machine with states and nothing behind them, in the place of src/machine. */
#ifndef KILN_TESTS_FAKE_MACHINE_H
#define KILN_TESTS_FAKE_MACHINE_H

#include "machine/machine.h"

/* @console: borrowed */
KilnMachine *fake_machine_new(KilnChardev *console);
void fake_machine_event(KilnMachine *machine, KilnMachineEvent event);

#endif
