/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine and its names; what calls may say of emulator, architecture, machine and type. */
#ifndef KILN_CAPS_MACHINES_H
#define KILN_CAPS_MACHINES_H

#include <glib.h>

#define KILN_CAPS_ARCH "x86_64"
#define KILN_CAPS_TYPE "kvm"

typedef struct {
    const char *name;
    const char *canonical; /* (nullable): what an alias stands for */
} KilnCapsMachine;

/* The machine's names, the canonical one first. */
const KilnCapsMachine *kiln_caps_machines(guint *n_machines);

/* The most vCPUs that a guest can have here. */
guint kiln_caps_max_vcpus(void);

/**
 * kiln_caps_check_target:
 * @emulator, @arch, @machine, @virttype: (nullable): what was asked for
 * @canonical: (out) (optional) (transfer none): the machine's name
 *
 * Returns: FALSE with @error a KILN_VIR_ERROR, with libvirt's code, if there is no such thing here.
 */
gboolean kiln_caps_check_target(const char *program, const char *emulator, const char *arch,
                                const char *machine, const char *virttype, const char **canonical,
                                GError **error);

#endif
