/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See pin.h. */
#include "machine/pin.h"

#include "base/error.h"

#include <sched.h>

gboolean
kiln_pin_thread(pthread_t thread, const KilnBitmap *cpus, const char *whose, GError **error)
{
    cpu_set_t *set = CPU_ALLOC(KILN_BITMAP_MAX_BITS);
    size_t bytes = CPU_ALLOC_SIZE(KILN_BITMAP_MAX_BITS);
    int failed;

    CPU_ZERO_S(bytes, set);
    for (int cpu = kiln_bitmap_next(cpus, 0); cpu >= 0;
         cpu = kiln_bitmap_next(cpus, (guint)cpu + 1))
        CPU_SET_S((size_t)cpu, bytes, set);
    failed = pthread_setaffinity_np(thread, bytes, set);
    CPU_FREE(set);
    if (failed != 0) {
        g_autofree char *text = kiln_bitmap_format(cpus);

        return kiln_error_set_errno(error, failed, "cannot pin %s to host CPUs '%s'", whose, text);
    }
    return TRUE;
}
