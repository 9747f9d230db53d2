/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each stage is final: there is no way back that does not need what was given up. */
#include "sandbox/privileges.h"

#include "base/error.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* #syscalls prctl */
gboolean
kiln_privileges_freeze(GError **error)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return kiln_error_set_errno(error, errno, "cannot set no_new_privs");
    return TRUE;
}

/* Whether the calling thread has @capability now. */
static gboolean
is_effective(const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3], guint capability)
{
    return (data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
}

/*
 * What execve would give back: the bounding set and the rules that favour uid 0.  Both need
 * CAP_SETPCAP; who lacks it has no_new_privs to the same end.
 */
static gboolean
drop_inheritance(GError **error)
{
    const unsigned long secure = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                                 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                                 SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

    /* The last capability is the running kernel's, not the headers': EINVAL is past it. */
    for (unsigned long capability = 0; capability < 64; capability++) {
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
            if (errno == EINVAL)
                break;
            return kiln_error_set_errno(error, errno, "cannot drop capability %lu for good",
                                        capability);
        }
    }
    if (prctl(PR_SET_SECUREBITS, secure, 0, 0, 0) != 0)
        return kiln_error_set_errno(error, errno, "cannot set secure bits");
    return TRUE;
}

/* #syscalls capget capset prctl */
gboolean
kiln_privileges_drop_capabilities(GError **error)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    memset(data, 0, sizeof data);
    if (syscall(SYS_capget, &header, data) != 0)
        return kiln_error_set_errno(error, errno, "cannot read capabilities");
    if (is_effective(data, CAP_SETPCAP) && !drop_inheritance(error))
        return FALSE;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
        return kiln_error_set_errno(error, errno, "cannot clear ambient capabilities");
    memset(data, 0, sizeof data);
    if (syscall(SYS_capset, &header, data) != 0)
        return kiln_error_set_errno(error, errno, "cannot drop capabilities");
    return TRUE;
}

/* #syscalls prctl setrlimit prlimit64 */
gboolean
kiln_privileges_hide_memory(GError **error)
{
    const struct rlimit none = { 0, 0 };

    if (setrlimit(RLIMIT_CORE, &none) != 0)
        return kiln_error_set_errno(error, errno, "cannot limit core dumps");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return kiln_error_set_errno(error, errno, "cannot hide the process's memory");
    return TRUE;
}
