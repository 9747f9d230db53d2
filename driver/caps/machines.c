/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "caps/machines.h"

#include "caps/host-cpu.h"
#include "domain/domain.h"
#include "domain/rules.h"
#include "error/vir-error.h"

const KilnCapsMachine *
kiln_caps_machines(guint *n_machines)
{
    static const KilnCapsMachine machines[] = {
        { .name = KILN_MACHINE_TYPE },
        { .name = "q35", .canonical = KILN_MACHINE_TYPE },
    };

    *n_machines = G_N_ELEMENTS(machines);
    return machines;
}

guint
kiln_caps_max_vcpus(void)
{
    const KilnHostKvm *kvm = kiln_host_kvm(NULL);

    return kvm != NULL ? MIN(kvm->max_vcpus, KILN_MAX_VCPUS) : 0;
}

gboolean
kiln_caps_check_target(const char *program, const char *emulator, const char *arch,
                       const char *machine, const char *virttype, const char **canonical,
                       GError **error)
{
    /* Whatever program a document names as its emulator, the guest runs in kiln. */
    if (emulator != NULL && !kiln_domain_rules_take("domain/devices/emulator", emulator))
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG, "the emulator is '%s', not '%s'",
                                  program, emulator);
    if (arch != NULL && !kiln_domain_rules_take("domain/os/type@arch", arch))
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                  "architecture from emulator '%s' doesn't match given "
                                  "architecture '%s'",
                                  program, arch);
    if (virttype != NULL && !kiln_domain_rules_take("domain@type", virttype))
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                  "the accel '%s' is not supported by '%s' on this host", virttype,
                                  program);
    if (machine != NULL && !kiln_domain_rules_take("domain/os/type@machine", machine))
        return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                  "the machine '%s' is not supported by emulator '%s'", machine,
                                  program);
    if (canonical != NULL)
        *canonical = KILN_MACHINE_TYPE;
    return TRUE;
}
