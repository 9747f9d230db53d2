/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation.  A guest is hostile, and one day takes over the process that emulates it.
 * What it finds then is decided here, in stages; each runs once, in this order, when the machine is
 * built and its files are open, before the first vCPU thread starts:
 *
 *   1. no_new_privs: executing a set-uid program gains nothing.  Stages 3 and 5 need it.
 *   2. memory: no core dump, no ptrace or /proc/PID/mem by the user's other processes.
 *   3. landlock: files can be read beneath library and module directories only, removed in the
 *      socket's directory only, and not written or made anywhere.  TCP is shut, where the kernel's
 *      landlock is new enough.  Descriptors that are open are what the guest was given, and stay.
 *   4. capabilities: all dropped, in every set.  As root, uid 0 is left with what root's files
 * grant.
 *   5. seccomp, main.syscalls: no new process, no program, no socket, no code but from files.
 *   6. in each vCPU thread, vcpu.syscalls on top: no files, no terminals, only the vCPU's ioctls.
 *
 * Stages 1, 3 and 4 are properties of a thread and inherited by those that it starts, hence "before
 * any other thread is started"; 2 is the process's; 5 is given to all threads that there are.
 *
 * When a guest's process dies of SIGSYS, its list lacks a call: run it with --sandbox=log and look
 * at the kernel's log ("audit: type=1326 … syscall=N"), then add the line with its reason.
 */
#include "sandbox/sandbox.h"

#include "base/error.h"
#include "sandbox/landlock.h"
#include "sandbox/privileges.h"
#include "sandbox/seccomp.h"

#include <string.h>
#include <time.h>

/* clang tells of its sanitizers in another way than gcc */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define SANITIZED TRUE
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED TRUE
#endif
#ifndef SANITIZED
#define SANITIZED FALSE
#endif

/* Written by the main thread before others start; read by all. */
static KilnSandboxMode entered = KILN_SANDBOX_OFF;

gboolean
kiln_sandbox_parse_mode(const char *text, KilnSandboxMode *mode, GError **error)
{
    static const struct {
        const char *text;
        KilnSandboxMode mode;
    } modes[] = { { "on", KILN_SANDBOX_ON },
                  { "log", KILN_SANDBOX_LOG },
                  { "off", KILN_SANDBOX_OFF } };

    for (gsize i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (strcmp(text, modes[i].text) != 0)
            continue;
        if (SANITIZED && modes[i].mode != KILN_SANDBOX_OFF)
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "sandbox mode '%s' does not work in a sanitizer build", text);
        *mode = modes[i].mode;
        return TRUE;
    }
    return kiln_error_set(error, KILN_ERROR_INVALID,
                          "sandbox mode '%s' is not 'on', 'log' or 'off'", text);
}

KilnSandboxMode
kiln_sandbox_default_mode(void)
{
    return SANITIZED ? KILN_SANDBOX_OFF : KILN_SANDBOX_ON;
}

gboolean
kiln_sandbox_enter(const KilnSandboxOptions *options, GError **error)
{
    g_assert(entered == KILN_SANDBOX_OFF);
    if (options->mode == KILN_SANDBOX_OFF)
        return TRUE;
    tzset(); /* reads a file once, at the first line of the log too, which may be a vCPU's */
    if (!kiln_privileges_freeze(error) || !kiln_privileges_hide_memory(error) ||
        !kiln_landlock_enter(options->socket_dirs, options->module_dirs, error) ||
        !kiln_privileges_drop_capabilities(error) ||
        !kiln_seccomp_load(KILN_SECCOMP_MAIN, options->mode == KILN_SANDBOX_LOG, error)) {
        g_prefix_error(error, "sandbox: ");
        return FALSE;
    }
    entered = options->mode;
    return TRUE;
}

gboolean
kiln_sandbox_enter_vcpu_thread(GError **error)
{
    if (entered == KILN_SANDBOX_OFF)
        return TRUE;
    if (!kiln_seccomp_load(KILN_SECCOMP_VCPU, entered == KILN_SANDBOX_LOG, error)) {
        g_prefix_error(error, "sandbox of a vCPU thread: ");
        return FALSE;
    }
    return TRUE;
}
