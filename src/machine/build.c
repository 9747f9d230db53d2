/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A definition becomes a machine, in the order that kiln_machine_new() shows.  Together with the
 * files that it calls (cpu.c, ram.c, ports.c, board.c, boot.c, tables.c) it is the one place that
 * knows both the definition and the devices.
 */
#include "machine/private.h"

#include "base/error.h"
#include "domain/assign.h"
#include "domain/domain.h"
#include "machine/devices.h"
#include "machine/functions.h"
#include "memory/layout.h"

#include <errno.h>
#include <fcntl.h>

/* ---- Time of day -------------------------------------------------------------------------------
 */

static gint64
now_seconds(void)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

/* Seconds that @tz is ahead of UTC now. */
static gint64
zone_offset(GTimeZone *tz, gint64 now)
{
    return g_time_zone_get_offset(tz, g_time_zone_find_interval(tz, G_TIME_TYPE_UNIVERSAL, now));
}

static gint64
local_offset(gint64 now)
{
    g_autoptr(GTimeZone) local = g_time_zone_new_local();

    return zone_offset(local, now);
}

static gboolean
named_offset(const char *zone, gint64 now, gint64 *offset, GError **error)
{
    g_autoptr(GTimeZone) tz = g_time_zone_new_identifier(zone);

    if (tz == NULL)
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND,
                              "clock: the host does not know the time zone '%s'", zone);
    *offset = zone_offset(tz, now);
    return TRUE;
}

/* By how much the guest's clock is ahead of UTC: <clock>, read once, when the guest is built. */
static gboolean
read_clock(const KilnDomainClock *clock, gint64 *offset, GError **error)
{
    gint64 now = now_seconds();

    *offset = clock->adjustment_s.set ? clock->adjustment_s.value : 0;
    switch (clock->offset) {
    case KILN_CLOCK_LOCALTIME: *offset += local_offset(now); break;
    case KILN_CLOCK_TIMEZONE: return named_offset(clock->timezone, now, offset, error);
    case KILN_CLOCK_VARIABLE:
        if (clock->basis == KILN_CLOCK_BASIS_LOCALTIME)
            *offset += local_offset(now);
        break;
    case KILN_CLOCK_ABSOLUTE: *offset = (gint64)clock->start_s.value - now; break;
    case KILN_CLOCK_ABSENT:
    case KILN_CLOCK_UTC: break;
    }
    return TRUE;
}

gint64
kiln_machine_time_of_day(const KilnMachine *machine)
{
    return now_seconds() + machine->clock_offset;
}

/* ---- Building ----------------------------------------------------------------------------------
 */

static gboolean
open_kvm(KilnMachine *machine, GError **error)
{
    g_auto(KilnFd) fd = -1;

    if (machine->options.kvm_fd < 0) {
        machine->kvm = kiln_kvm_open(error);
        return machine->kvm != NULL;
    }
    fd = fcntl(machine->options.kvm_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return kiln_error_set_errno(error, errno, "cannot use the given /dev/kvm");
    machine->kvm = kiln_kvm_new(kiln_fd_steal(&fd), error);
    return machine->kvm != NULL;
}

static gboolean
build_vm(KilnMachine *machine, GError **error)
{
    guint n_vcpus = kiln_machine_n_vcpus(machine);
    KilnVmOptions options = { .n_vcpus = n_vcpus };

    if (kiln_machine_has_firmware(machine) || kiln_machine_has_vga(machine)) {
        options.hole = KILN_LAYOUT_VGA_HOLE;
        options.hole_size = KILN_LAYOUT_VGA_HOLE_END - KILN_LAYOUT_VGA_HOLE;
    }
    kiln_machine_choose_topology(machine);
    options.max_apic_id = kiln_topology_apic_id(&machine->topology, n_vcpus - 1);
    machine->vm = kiln_vm_new(machine->kvm, machine->memory, &options, error);
    return machine->vm != NULL;
}

KilnMachine *
kiln_machine_new(KilnDomain *domain, const KilnMachineOptions *options, GError **error)
{
    g_autoptr(KilnMachine) machine = g_new0(KilnMachine, 1);

    machine->domain = domain;
    machine->options = *options;
    machine->kernel_fd = -1;
    machine->initrd_fd = -1;
    machine->devices = g_ptr_array_new();
    machine->virtios = g_ptr_array_new();
    machine->lights = g_ptr_array_new_with_free_func(g_free);
    machine->surfaces = g_ptr_array_new();
    machine->ahcis = g_ptr_array_new();
    machine->root_ports = g_hash_table_new(NULL, NULL);
    kiln_machine_init_disks(machine);
    machine->memory_devices = g_ptr_array_new_with_free_func(g_free);
    machine->ports = g_array_new(FALSE, FALSE, sizeof(KilnMachinePort));
    machine->threads = kiln_io_threads_new(domain);
    kiln_assign_aliases(domain);
    if (!kiln_machine_init_lifecycle(machine, error) ||
        !read_clock(&domain->clock, &machine->clock_offset, error) ||
        !kiln_machine_open_boot(machine, error) || !open_kvm(machine, error) ||
        !kiln_machine_build_memory(machine, error) || !build_vm(machine, error) ||
        !kiln_machine_build_cpuid(machine, error) || !kiln_machine_build_board(machine, error) ||
        !kiln_machine_build_ports(machine, error) || !kiln_machine_build_devices(machine, error) ||
        !kiln_machine_build_vcpus(machine, error) || !kiln_machine_build_firmware(machine, error) ||
        !kiln_machine_load_boot(machine, error))
        return NULL;
    return g_steal_pointer(&machine);
}

void
kiln_machine_free(KilnMachine *machine)
{
    if (machine == NULL)
        return;
    if (machine->held.source != 0)
        g_source_remove(machine->held.source);
    if (machine->state != KILN_MACHINE_SHUTOFF) { /* else it was stopped then */
        if (machine->vcpus != NULL)
            kiln_vcpu_group_stop(machine->vcpus);
        machine->stuck = kiln_machine_quiesce(machine) != NULL;
    }
    if (machine->stuck) /* what its threads still use goes with the process */
        return;
    kiln_vcpu_group_free(machine->vcpus);
    kiln_io_threads_stop(machine->threads);
    /* Nobody is inside a device any more.  What stands on others goes first. */
    kiln_machine_close_vnc(machine);
    for (guint i = machine->devices->len; i > 0; i--)
        kiln_device_free(g_ptr_array_index(machine->devices, i - 1));
    g_ptr_array_unref(machine->devices);
    g_ptr_array_unref(machine->virtios);
    kiln_inputs_free(machine->inputs);
    g_ptr_array_unref(machine->lights);
    g_ptr_array_unref(machine->surfaces);
    g_ptr_array_unref(machine->ahcis);
    g_hash_table_unref(machine->root_ports);
    kiln_machine_free_disks(machine);
    g_ptr_array_unref(machine->memory_devices);
    kiln_io_threads_free(machine->threads);
    kiln_machine_free_tpm(machine);
    kiln_machine_free_ports(machine);
    kiln_pci_host_free(machine->pci);
    kiln_machine_msi_free(machine->msi);
    if (machine->io != NULL) {
        for (guint irq = 0; irq < KILN_MACHINE_N_ISA_IRQS; irq++)
            kiln_irq_or_clear(&machine->isa_irqs[irq]);
    }
    kiln_space_free(machine->mmio);
    kiln_space_free(machine->io);
    kiln_clock_free(machine->clock);
    kiln_cpuid_free(machine->cpuid);
    kiln_vm_free(machine->vm);
    kiln_memory_free(machine->memory);
    kiln_machine_free_firmware(machine);
    kiln_kvm_free(machine->kvm);
    kiln_fd_clear(&machine->kernel_fd);
    kiln_fd_clear(&machine->initrd_fd);
    kiln_machine_clear_lifecycle(machine);
    kiln_domain_free(machine->domain);
    g_free(machine);
}

const KilnDomain *
kiln_machine_domain(const KilnMachine *machine)
{
    return machine->domain;
}
