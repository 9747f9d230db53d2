/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state of a paused machine as one stream, and back: clock, devices, vCPUs, interrupt
 * controllers; guest memory is not in it.
 *
 *   save: KVM -> structs -> kiln_state_save()
 *   load: kiln_state_load() checks the whole stream first -> structs -> KVM
 */
#include "machine/private.h"

#include "base/error.h"
#include "kvm/vcpu-state.h"
#include "kvm/vm-state.h"
#include "machine/functions.h"
#include "state/state.h"

/* KVM's part of a machine, outside of KVM. */
typedef struct {
    GPtrArray *vcpus; /* (owned) of KilnVcpuState */
    KilnVmState vm;
} KvmPart;

static void
free_vcpu_state(gpointer state)
{
    kiln_vcpu_state_free(state);
}

static void
kvm_part_clear(KvmPart *part)
{
    g_clear_pointer(&part->vcpus, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KvmPart, kvm_part_clear)

static void
kvm_part_init(KvmPart *part, const KilnMachine *machine)
{
    part->vcpus = g_ptr_array_new_with_free_func(free_vcpu_state);
    for (guint i = 0; i < kiln_vcpu_group_count(machine->vcpus); i++)
        g_ptr_array_add(part->vcpus, kiln_vcpu_state_new());
}

/* (element-type KilnStateEntry) (transfer full): in the order of loading. */
static GArray *
state_entries(KilnMachine *machine, KvmPart *part)
{
    GArray *entries = g_array_new(FALSE, FALSE, sizeof(KilnStateEntry));
    KilnStateEntry entry = kiln_clock_state(machine->clock);

    g_array_append_val(entries, entry);
    entry = kiln_device_state(kiln_pci_host_device(machine->pci));
    g_array_append_val(entries, entry);
    for (guint i = 0; i < machine->devices->len; i++) {
        entry = kiln_device_state(g_ptr_array_index(machine->devices, i));
        if (entry.description != NULL)
            g_array_append_val(entries, entry);
    }
    for (guint i = 0; i < part->vcpus->len; i++) {
        entry = (KilnStateEntry){ &kiln_vcpu_state, i, g_ptr_array_index(part->vcpus, i) };
        g_array_append_val(entries, entry);
    }
    entry = (KilnStateEntry){ &kiln_vm_state, 0, &part->vm };
    g_array_append_val(entries, entry);
    return entries;
}

static gboolean
check_saveable(const KilnMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->devices->len; i++) {
        const KilnDevice *device = g_ptr_array_index(machine->devices, i);

        if (device->ops->unsaved != NULL)
            return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                                  "a guest with '%s' cannot be saved: %s", device->id,
                                  device->ops->unsaved);
    }
    return TRUE;
}

gboolean
kiln_machine_save(KilnMachine *machine, GByteArray *stream, GError **error)
{
    g_auto(KvmPart) part = { 0 };
    g_autoptr(GArray) entries = NULL;
    g_autoptr(GByteArray) saved = NULL;
    const char *unquiet;

    if (machine->state != KILN_MACHINE_PAUSED)
        return kiln_error_set(error, KILN_ERROR_STATE, "cannot save a guest that is %s",
                              kiln_machine_state_name(machine->state));
    if (!check_saveable(machine, error))
        return FALSE;
    unquiet = kiln_machine_quiesce(machine); /* paused by an error, it may still be under way */
    if (unquiet != NULL)
        return kiln_error_set(error, KILN_ERROR_FAILED,
                              "cannot save the guest: the host does not answer to what '%s' has "
                              "asked it",
                              unquiet);
    kvm_part_init(&part, machine);
    for (guint i = 0; i < part.vcpus->len; i++) {
        if (!kiln_vcpu_save(kiln_vcpu_group_get(machine->vcpus, i),
                            g_ptr_array_index(part.vcpus, i), error))
            return FALSE;
    }
    if (!kiln_vm_save(machine->vm, &part.vm, error))
        return FALSE;
    part.vm.clock = machine->kvm_clock_ns; /* it went on in KVM while the guest stood still */
    entries = state_entries(machine, &part);
    saved = kiln_state_save((const KilnStateEntry *)(const void *)entries->data, entries->len);
    g_byte_array_append(stream, saved->data, saved->len);
    return TRUE;
}

gboolean
kiln_machine_load(KilnMachine *machine, const guint8 *stream, gsize length, GError **error)
{
    g_auto(KvmPart) part = { 0 };
    g_autoptr(GArray) entries = NULL;

    if (machine->state != KILN_MACHINE_BUILT)
        return kiln_error_set(error, KILN_ERROR_STATE, "cannot load into a guest that is %s",
                              kiln_machine_state_name(machine->state));
    kvm_part_init(&part, machine);
    entries = state_entries(machine, &part);
    if (!kiln_state_load(stream, length, (const KilnStateEntry *)(const void *)entries->data,
                         entries->len, error))
        return FALSE;
    for (guint i = 0; i < part.vcpus->len; i++) {
        if (!kiln_vcpu_load(kiln_vcpu_group_get(machine->vcpus, i),
                            g_ptr_array_index(part.vcpus, i), error))
            return FALSE;
    }
    if (!kiln_vm_load(machine->vm, &part.vm, error))
        return FALSE;
    machine->kvm_clock_ns = part.vm.clock;
    machine->running_before = TRUE; /* run sets the clock to what it was */
    return TRUE;
}
