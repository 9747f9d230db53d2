/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads on chosen host CPUs. */
#ifndef KILN_MACHINE_PIN_H
#define KILN_MACHINE_PIN_H

#include "base/bitmap.h"

#include <pthread.h>

/**
 * kiln_pin_thread:
 * @cpus: host CPUs, at least one of which must be there
 * @whose: thread it is, for the error: "vCPU 3", "kiln"
 */
gboolean kiln_pin_thread(pthread_t thread, const KilnBitmap *cpus, const char *whose,
                         GError **error);

#endif
