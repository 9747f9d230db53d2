/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads on chosen host CPUs. */
#ifndef KILN_MACHINE_PIN_H
#define KILN_MACHINE_PIN_H

#include "base/bitmap.h"

#include <pthread.h>

#define KILN_PIN_EMULATOR G_MAXUINT

/**
 * kiln_pin_thread:
 * @cpus: host CPUs, at least one of which must be there
 * @vcpu: whose thread it is, for the error; KILN_PIN_EMULATOR: the main one
 */
gboolean kiln_pin_thread(pthread_t thread, const KilnBitmap *cpus, guint vcpu, GError **error);

#endif
