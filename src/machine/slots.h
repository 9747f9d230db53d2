/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of devices that the guest reaches without an exit: KVM's memory slots. */
#ifndef KILN_MACHINE_SLOTS_H
#define KILN_MACHINE_SLOTS_H

#include "bus/slots.h"
#include "machine/machine.h"

/* Valid while @machine lives; after its VM is there. */
KilnSlots kiln_machine_slots(KilnMachine *machine);

#endif
