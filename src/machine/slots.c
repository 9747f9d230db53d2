/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See slots.h. */
#include "machine/slots.h"

#include "base/log.h"
#include "machine/private.h"

static int
add_slot(void *opaque, uint64_t address, uint64_t length, void *host, gboolean read_only)
{
    static KilnRatelimit limit;
    const KilnMachine *machine = opaque;
    g_autoptr(GError) error = NULL;
    int slot = kiln_vm_add_slot(machine->vm, address, length, host,
                                read_only ? KVM_MEM_READONLY : 0, &error);

    if (slot < 0)
        kiln_log_guest(&limit, "memory of a device: %s", error->message);
    return slot;
}

static void
remove_slot(void *opaque, int slot)
{
    static KilnRatelimit limit;
    const KilnMachine *machine = opaque;
    g_autoptr(GError) error = NULL;

    if (!kiln_vm_remove_slot(machine->vm, slot, &error))
        kiln_log_guest(&limit, "memory of a device: %s", error->message);
}

KilnSlots
kiln_machine_slots(KilnMachine *machine)
{
    static const KilnSlotOps ops = { .add = add_slot, .remove = remove_slot };

    return (KilnSlots){ &ops, machine };
}
