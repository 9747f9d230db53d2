/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/vm-state.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/error.h"

#define PIC(member) KILN_STATE(struct kvm_pic_state, member, 1)
static const KilnStateField pic_fields[] = {
    PIC(last_irr),
    PIC(irr),
    PIC(imr),
    PIC(isr),
    KILN_STATE_RANGE(struct kvm_pic_state, priority_add, 1, 0, 7),
    PIC(irq_base),
    PIC(read_reg_select),
    PIC(poll),
    PIC(special_mask),
    KILN_STATE_RANGE(struct kvm_pic_state, init_state, 1, 0, 3),
    PIC(auto_eoi),
    PIC(rotate_on_auto_eoi),
    PIC(special_fully_nested_mode),
    PIC(init4),
    PIC(elcr),
    PIC(elcr_mask),
    KILN_STATE_END,
};
static const KilnStateDescription pic_state = {
    .name = "pic",
    .version = 1,
    .min_version = 1,
    .fields = pic_fields,
};

#define CHANNEL(member) KILN_STATE(struct kvm_pit_channel_state, member, 1)
static const KilnStateField channel_fields[] = {
    KILN_STATE_RANGE(struct kvm_pit_channel_state, count, 1, 0, 0x10000),
    CHANNEL(latched_count),
    CHANNEL(count_latched),
    CHANNEL(status_latched),
    CHANNEL(status),
    CHANNEL(read_state),
    CHANNEL(write_state),
    CHANNEL(write_latch),
    CHANNEL(rw_mode),
    CHANNEL(mode),
    CHANNEL(bcd),
    CHANNEL(gate),
    CHANNEL(count_load_time),
    KILN_STATE_END,
};
static const KilnStateDescription channel_state = {
    .name = "pit-channel",
    .version = 1,
    .min_version = 1,
    .fields = channel_fields,
};

static const KilnStateField vm_fields[] = {
    KILN_STATE_STRUCT_ARRAY(KilnVmState, pic, 1, &pic_state),
    KILN_STATE(KilnVmState, ioapic_base, 1),
    KILN_STATE(KilnVmState, ioapic_select, 1),
    KILN_STATE(KilnVmState, ioapic_id, 1),
    KILN_STATE(KilnVmState, ioapic_irr, 1),
    KILN_STATE_ARRAY(KilnVmState, ioapic_redirection, 1),
    KILN_STATE_STRUCT_ARRAY(KilnVmState, pit.channels, 1, &channel_state),
    KILN_STATE(KilnVmState, pit.flags, 1),
    KILN_STATE(KilnVmState, clock, 1),
    KILN_STATE_END,
};
const KilnStateDescription kiln_vm_state = {
    .name = "kvm",
    .version = 1,
    .min_version = 1,
    .fields = vm_fields,
};

static gboolean
call(KilnVm *vm, unsigned long request, void *argument, const char *what, GError **error)
{
    if (ioctl(kiln_vm_fd(vm), request, argument) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM, "KVM refuses %s: %s", what, g_strerror(errno));
    return TRUE;
}

gboolean
kiln_vm_save(KilnVm *vm, KilnVmState *state, GError **error)
{
    struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_PIC_MASTER };

    memset(state, 0, sizeof *state);
    for (guint i = 0; i < G_N_ELEMENTS(state->pic); i++) {
        chip.chip_id = i == 0 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
        if (!call(vm, KVM_GET_IRQCHIP, &chip, "to read a PIC", error))
            return FALSE;
        state->pic[i] = chip.chip.pic;
    }
    chip.chip_id = KVM_IRQCHIP_IOAPIC;
    if (!call(vm, KVM_GET_IRQCHIP, &chip, "to read the IOAPIC", error) ||
        !call(vm, KVM_GET_PIT2, &state->pit, "to read the PIT", error))
        return FALSE;
    state->ioapic_base = chip.chip.ioapic.base_address;
    state->ioapic_select = chip.chip.ioapic.ioregsel;
    state->ioapic_id = chip.chip.ioapic.id;
    state->ioapic_irr = chip.chip.ioapic.irr;
    for (guint i = 0; i < KVM_IOAPIC_NUM_PINS; i++)
        state->ioapic_redirection[i] = chip.chip.ioapic.redirtbl[i].bits;
    return kiln_vm_get_clock(vm, &state->clock, error);
}

gboolean
kiln_vm_load(KilnVm *vm, const KilnVmState *state, GError **error)
{
    struct kvm_irqchip chip;
    struct kvm_pit_state2 pit = state->pit;

    for (guint i = 0; i < G_N_ELEMENTS(state->pic); i++) {
        memset(&chip, 0, sizeof chip);
        chip.chip_id = i == 0 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
        chip.chip.pic = state->pic[i];
        if (!call(vm, KVM_SET_IRQCHIP, &chip, "a PIC's state", error))
            return FALSE;
    }
    memset(&chip, 0, sizeof chip);
    chip.chip_id = KVM_IRQCHIP_IOAPIC;
    chip.chip.ioapic.base_address = state->ioapic_base;
    chip.chip.ioapic.ioregsel = state->ioapic_select;
    chip.chip.ioapic.id = state->ioapic_id;
    chip.chip.ioapic.irr = state->ioapic_irr;
    for (guint i = 0; i < KVM_IOAPIC_NUM_PINS; i++)
        chip.chip.ioapic.redirtbl[i].bits = state->ioapic_redirection[i];
    return call(vm, KVM_SET_IRQCHIP, &chip, "the IOAPIC's state", error) &&
           call(vm, KVM_SET_PIT2, &pit, "the PIT's state", error) &&
           kiln_vm_set_clock(vm, state->clock, error);
}
