/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/vm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "base/lock.h"
#include "memory/layout.h"

struct KilnVm {
    KilnKvm *kvm;
    KilnFd fd; /* (owned) */
    KilnMutex slots_lock;
    GByteArray *slots; /* (slots_lock) (owned) one byte a slot: whether it is in use */
};

/* #syscalls ioctl */
static gboolean
create(KilnVm *vm, GError **error)
{
    do {
        vm->fd = ioctl(kiln_kvm_fd(vm->kvm), KVM_CREATE_VM, 0);
    } while (vm->fd < 0 && errno == EINTR);
    if (vm->fd < 0)
        return kiln_error_set(error, KILN_ERROR_KVM, "KVM: cannot create a VM: %s",
                              g_strerror(errno));
    return TRUE;
}

static gboolean
check_vcpus(const KilnKvm *kvm, const KilnVmOptions *options, GError **error)
{
    guint max_vcpus = kiln_kvm_max_vcpus(kvm);
    guint max_id;

    if (options->n_vcpus > max_vcpus)
        return kiln_error_set(error, KILN_ERROR_KVM,
                              "%u vCPUs are asked for and this host's KVM allows %u in a guest",
                              options->n_vcpus, max_vcpus);
    if (options->max_apic_id == 0)
        return TRUE;
    max_id = kiln_kvm_max_vcpu_id(kvm);
    if (options->max_apic_id >= max_id)
        return kiln_error_set(
            error, KILN_ERROR_KVM,
            "the CPU topology needs APIC id %u and this host's KVM allows ids below %u",
            options->max_apic_id, max_id);
    return TRUE;
}

/* APIC ids above 254 need the 32-bit form of KVM's x2APIC interface. */
static gboolean
enable_x2apic(KilnVm *vm, GError **error)
{
    struct kvm_enable_cap cap = {
        .cap = KVM_CAP_X2APIC_API,
        .args = { KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK },
    };

    if (ioctl(vm->fd, KVM_ENABLE_CAP, &cap) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM,
                              "KVM: cannot have APIC ids above 254 (KVM_CAP_X2APIC_API): %s",
                              g_strerror(errno));
    return TRUE;
}

/* Pages of KVM's own, which Intel CPUs without "unrestricted guest" use for real mode. */
static gboolean
set_own_pages(KilnVm *vm, GError **error)
{
    uint64_t identity = KILN_LAYOUT_KVM_IDENTITY;

    if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM, "KVM: cannot set its identity map: %s",
                              g_strerror(errno));
    if (ioctl(vm->fd, KVM_SET_TSS_ADDR, (unsigned long)KILN_LAYOUT_KVM_TSS) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM, "KVM: cannot set its TSS: %s",
                              g_strerror(errno));
    return TRUE;
}

static gboolean
create_irqchip(KilnVm *vm, GError **error)
{
    struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

    if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM,
                              "KVM: cannot create the interrupt controllers: %s",
                              g_strerror(errno));
    if (ioctl(vm->fd, KVM_CREATE_PIT2, &pit) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM, "KVM: cannot create the interval timer: %s",
                              g_strerror(errno));
    return TRUE;
}

/* [@start, @end) of @region, which may be empty. */
static gboolean
add_part(KilnVm *vm, const KilnMemoryRegion *region, KilnGpa start, KilnGpa end, GError **error)
{
    return start >= end ||
           kiln_vm_add_slot(vm, start, end - start, (uint8_t *)region->host + (start - region->gpa),
                            0, error) >= 0;
}

/* All RAM but what is in the hole. */
static gboolean
add_ram(KilnVm *vm, KilnMemory *memory, const KilnVmOptions *options, GError **error)
{
    guint n = 0;
    const KilnMemoryRegion *regions = memory != NULL ? kiln_memory_regions(memory, &n) : NULL;
    KilnGpa hole_end = options->hole + options->hole_size;

    for (guint i = 0; i < n; i++) {
        KilnGpa end = regions[i].gpa + regions[i].size;

        if (!add_part(vm, &regions[i], regions[i].gpa,
                      options->hole_size > 0 ? MIN(end, options->hole) : end, error) ||
            (options->hole_size > 0 &&
             !add_part(vm, &regions[i], MAX(regions[i].gpa, hole_end), end, error)))
            return FALSE;
    }
    return TRUE;
}

KilnVm *
kiln_vm_new(KilnKvm *kvm, KilnMemory *memory, const KilnVmOptions *options, GError **error)
{
    g_autoptr(KilnVm) vm = NULL;

    if (!check_vcpus(kvm, options, error))
        return NULL;
    vm = g_new0(KilnVm, 1);
    vm->kvm = kvm;
    vm->fd = -1;
    kiln_mutex_init(&vm->slots_lock);
    vm->slots = g_byte_array_new();
    if (!create(vm, error) || !add_ram(vm, memory, options, error) || !set_own_pages(vm, error) ||
        !create_irqchip(vm, error))
        return NULL;
    if (options->max_apic_id > 254 && !enable_x2apic(vm, error))
        return NULL;
    return g_steal_pointer(&vm);
}

void
kiln_vm_free(KilnVm *vm)
{
    if (vm == NULL)
        return;
    kiln_fd_clear(&vm->fd);
    g_byte_array_unref(vm->slots);
    kiln_mutex_clear(&vm->slots_lock);
    g_free(vm);
}

int
kiln_vm_fd(const KilnVm *vm)
{
    return vm->fd;
}

KilnKvm *
kiln_vm_kvm(const KilnVm *vm)
{
    return vm->kvm;
}

int
kiln_vm_add_slot(KilnVm *vm, KilnGpa gpa, uint64_t size, void *host, uint32_t flags, GError **error)
{
    guint slot = 0;
    struct kvm_userspace_memory_region region;
    KILN_LOCK_SCOPE(&vm->slots_lock);

    while (slot < vm->slots->len && vm->slots->data[slot] != 0)
        slot++;
    region = (struct kvm_userspace_memory_region){
        .slot = slot,
        .flags = flags,
        .guest_phys_addr = gpa,
        .memory_size = size,
        .userspace_addr = (uintptr_t)host,
    };
    if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0) {
        kiln_error_set(error, KILN_ERROR_KVM,
                       "KVM: cannot put %" G_GUINT64_FORMAT
                       " KiB of memory at 0x%" G_GINT64_MODIFIER "x: %s",
                       size / 1024, gpa, g_strerror(errno));
        return -1;
    }
    if (slot == vm->slots->len)
        g_byte_array_set_size(vm->slots, slot + 1);
    vm->slots->data[slot] = 1;
    return (int)slot;
}

gboolean
kiln_vm_remove_slot(KilnVm *vm, int slot, GError **error)
{
    struct kvm_userspace_memory_region region = { .slot = (uint32_t)slot };
    KILN_LOCK_SCOPE(&vm->slots_lock);

    g_return_val_if_fail(slot >= 0 && (guint)slot < vm->slots->len, FALSE);
    if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM, "KVM: cannot remove memory slot %d: %s", slot,
                              g_strerror(errno));
    vm->slots->data[slot] = 0;
    return TRUE;
}

static gboolean
reset_pic(KilnVm *vm, uint32_t chip_id, uint8_t elcr_mask, GError **error)
{
    struct kvm_irqchip chip = { .chip_id = chip_id };

    chip.chip.pic.elcr_mask = elcr_mask; /* which pins may be level-triggered at all */
    if (ioctl(vm->fd, KVM_SET_IRQCHIP, &chip) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM, "KVM: cannot reset a PIC: %s",
                              g_strerror(errno));
    return TRUE;
}

gboolean
kiln_vm_reset(KilnVm *vm, GError **error)
{
    struct kvm_irqchip ioapic = { .chip_id = KVM_IRQCHIP_IOAPIC };
    struct kvm_pit_state2 pit = { .flags = 0 };

    /* Pins 0-2 of the first and 8, 13 of the second are always edges: ICH9 §13.5 "ELCR1, ELCR2". */
    if (!reset_pic(vm, KVM_IRQCHIP_PIC_MASTER, 0xf8, error) ||
        !reset_pic(vm, KVM_IRQCHIP_PIC_SLAVE, 0xde, error))
        return FALSE;
    ioapic.chip.ioapic.base_address = KILN_LAYOUT_IOAPIC;
    for (guint i = 0; i < KVM_IOAPIC_NUM_PINS; i++)
        ioapic.chip.ioapic.redirtbl[i].fields.mask = 1;
    if (ioctl(vm->fd, KVM_SET_IRQCHIP, &ioapic) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM, "KVM: cannot reset the IOAPIC: %s",
                              g_strerror(errno));
    for (guint i = 0; i < G_N_ELEMENTS(pit.channels); i++) {
        pit.channels[i].mode = 0xff; /* KVM: not programmed yet */
        pit.channels[i].gate = i != 2;
    }
    if (ioctl(vm->fd, KVM_SET_PIT2, &pit) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM, "KVM: cannot reset the interval timer: %s",
                              g_strerror(errno));
    return TRUE;
}

void
kiln_vm_set_hpet_legacy(KilnVm *vm, gboolean on)
{
    struct kvm_pit_state2 pit;
    int failed = ioctl(vm->fd, KVM_GET_PIT2, &pit);

    if (failed == 0) {
        pit.flags = on ? pit.flags | KVM_PIT_FLAGS_HPET_LEGACY
                       : pit.flags & ~(uint32_t)KVM_PIT_FLAGS_HPET_LEGACY;
        failed = ioctl(vm->fd, KVM_SET_PIT2, &pit);
    }
    /* It fails only for want of a timer, which every VM here has. */
    g_return_if_fail(failed == 0);
}

void
kiln_vm_set_irq_line(KilnVm *vm, guint gsi, gboolean level)
{
    struct kvm_irq_level line = { .irq = gsi, .level = level != FALSE };
    int failed = ioctl(vm->fd, KVM_IRQ_LINE, &line);

    /* It fails only for want of an interrupt controller, which every VM here has. */
    g_return_if_fail(failed == 0);
}

gboolean
kiln_vm_signal_msi(KilnVm *vm, uint64_t address, uint32_t data)
{
    struct kvm_msi msi = {
        .address_lo = (uint32_t)address,
        .address_hi = (uint32_t)(address >> 32),
        .data = data,
    };

    return ioctl(vm->fd, KVM_SIGNAL_MSI, &msi) > 0;
}

gboolean
kiln_vm_get_clock(KilnVm *vm, uint64_t *nanoseconds, GError **error)
{
    struct kvm_clock_data data = { .clock = 0 };

    if (ioctl(vm->fd, KVM_GET_CLOCK, &data) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM, "KVM: cannot read the clock: %s",
                              g_strerror(errno));
    *nanoseconds = data.clock;
    return TRUE;
}

gboolean
kiln_vm_set_clock(KilnVm *vm, uint64_t nanoseconds, GError **error)
{
    struct kvm_clock_data data = { .clock = nanoseconds };

    if (ioctl(vm->fd, KVM_SET_CLOCK, &data) < 0)
        return kiln_error_set(error, KILN_ERROR_KVM, "KVM: cannot set the clock: %s",
                              g_strerror(errno));
    return TRUE;
}
