/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For programs that have a GIO thread, or one in which GLib allocates.  GLib and GIO are not
 * instrumented: ThreadSanitizer sees what they hand from thread to thread through its interceptors
 * of memcpy(), free() and the like, but not the locks that order it.  With this option it looks at
 * accesses of instrumented code only; it still sees every synchronisation.
 */
const char *__tsan_default_options(void);

const char *
__tsan_default_options(void)
{
    return "ignore_noninstrumented_modules=1";
}
