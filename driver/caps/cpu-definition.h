/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <cpu> documents that clients send to have them compared or reduced to what they have in common:
 * of a host, as in <capabilities>, or of a guest.  A stranger's text.
 */
#ifndef KILN_CAPS_CPU_DEFINITION_H
#define KILN_CAPS_CPU_DEFINITION_H

#include <glib.h>

#include "kvm/cpu-features.h"
#include "kvm/cpu-models.h"
#include "kvm/cpuid.h"

typedef struct {
    KilnCpuMode mode; /* of a host: KILN_CPU_CUSTOM */
    KilnCpuMatch match;
    const KilnCpuModel *model; /* (nullable) */
    char *vendor;              /* (owned) (nullable) */
    GArray *features;          /* (owned) of KilnCpuFeatureChoice; names are the table's */
} KilnCpuDefinition;

/**
 * kiln_cpu_definition_parse:
 * @strict: unknown elements are errors too
 *
 * Returns: (transfer full): NULL with @error, a KILN_VIR_ERROR, set.
 */
KilnCpuDefinition *kiln_cpu_definition_parse(const char *xml, gboolean strict, GError **error);
void kiln_cpu_definition_free(KilnCpuDefinition *cpu);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnCpuDefinition, kiln_cpu_definition_free)

/**
 * kiln_cpu_compare:
 * @hypervisor: with what KVM gives guests, else with the host's own CPU
 * @message: (out): why it is incompatible
 *
 * Returns: VIR_CPU_COMPARE_INCOMPATIBLE with @message set, _IDENTICAL or _SUPERSET; -1
 *   (VIR_CPU_COMPARE_ERROR) with @error set.
 */
int kiln_cpu_compare(const KilnCpuDefinition *cpu, gboolean hypervisor, char **message,
                     GError **error);

/**
 * kiln_cpu_baseline:
 * @hypervisor: of models and features that KVM gives guests here
 * @flags: VIR_CONNECT_BASELINE_CPU_*
 *
 * Returns: (transfer full): <cpu> of a guest that runs on each of @documents; NULL with @error set.
 */
char *kiln_cpu_baseline(char *const *documents, guint n, gboolean hypervisor, guint flags,
                        GError **error);

#endif
