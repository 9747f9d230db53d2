/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <cpu> documents of clients: each is compared, and what is made of it is one again. */
#include "caps/cpu-definition.h"

#include "caps/host-cpu.h"

#include <libvirt/libvirt.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_baseline(char *text, guint flags)
{
    char *const documents[] = { text, text };
    g_autofree char *made = kiln_cpu_baseline(documents, 2, FALSE, flags, NULL);
    g_autoptr(KilnCpuDefinition) again =
        made != NULL ? kiln_cpu_definition_parse(made, TRUE, NULL) : NULL;

    if (made != NULL && again == NULL)
        g_error("a baseline is no <cpu>:\n%s", made);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autoptr(KilnCpuDefinition) cpu = kiln_cpu_definition_parse(text, FALSE, NULL);
    g_autofree char *message = NULL;

    if (cpu == NULL)
        return 0;
    (void)kiln_cpu_compare(cpu, FALSE, &message, NULL);
    check_baseline(text, 0);
    check_baseline(text,
                   VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES | VIR_CONNECT_BASELINE_CPU_MIGRATABLE);
    return 0;
}
