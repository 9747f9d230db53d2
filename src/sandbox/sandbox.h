/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Giving up privilege, in stages (sandbox.c tells what each takes away): once the machine is built
 * and all files are open, the process can do no more than run its guest, write to descriptors that
 * it has, serve its control socket, and load its own modules.
 */
#ifndef KILN_SANDBOX_SANDBOX_H
#define KILN_SANDBOX_SANDBOX_H

#include <glib.h>

/**
 * KilnSandboxMode:
 * @KILN_SANDBOX_ON: a forbidden system call kills the process (SIGSYS)
 * @KILN_SANDBOX_LOG: it is logged by the kernel (audit, or dmesg) and done: for finding out what a
 *   list lacks
 * @KILN_SANDBOX_OFF: nothing at all is given up.  The only choice in sanitizer builds, whose
 * runtimes need system calls that no list has
 */
typedef enum {
    KILN_SANDBOX_ON,
    KILN_SANDBOX_LOG,
    KILN_SANDBOX_OFF,
} KilnSandboxMode;

/**
 * KilnSandboxOptions:
 * @socket_dirs: (nullable): NULL-terminated: directories in which sockets and other files may be
 *   removed (the control socket at exit)
 * @module_dirs: (nullable): NULL-terminated: directories besides the system's library directories
 *   from which modules may be loaded
 *
 * A directory that does not exist is passed over.
 */
typedef struct {
    KilnSandboxMode mode;
    const char *const *socket_dirs;
    const char *const *module_dirs;
} KilnSandboxOptions;

/**
 * kiln_sandbox_parse_mode:
 * @text: "on", "log" or "off"
 *
 * Returns: FALSE with @error set if it is none of these, or "on" or "log" in a sanitizer build.
 */
gboolean kiln_sandbox_parse_mode(const char *text, KilnSandboxMode *mode, GError **error);

/* What to do when the user did not say: ON, but OFF in sanitizer builds. */
KilnSandboxMode kiln_sandbox_default_mode(void);

/**
 * kiln_sandbox_become:
 * @user: "UID:GID[:GID...]", in numbers
 *
 * Makes of a root process, before other threads run, one of that user, which keeps of root's
 * capabilities what opens files and makes taps, until kiln_sandbox_enter() drops it.
 */
gboolean kiln_sandbox_become(const char *user, GError **error);

/**
 * kiln_sandbox_enter:
 *
 * To be called once, by the main thread, after set-up and before any other thread is started:
 * threads started later inherit every stage, while those that exist get the filter of system calls
 * alone. What the running kernel does not have (landlock before Linux 5.13) is passed over; what it
 * has and refuses is an error, after which the process must end.
 */
gboolean kiln_sandbox_enter(const KilnSandboxOptions *options, GError **error);

/**
 * kiln_sandbox_enter_vcpu_thread:
 *
 * To be called by each vCPU thread before it runs its vCPU: narrows the calling thread further.
 * Does nothing unless kiln_sandbox_enter() was called with another mode than OFF.
 */
gboolean kiln_sandbox_enter_vcpu_thread(GError **error);

#endif
