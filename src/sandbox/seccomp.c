/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handing a generated filter to the kernel; in log mode, with its verdict replaced. */
#include "sandbox/seccomp.h"

#include "base/error.h"
#include "sandbox/filters.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

/* #syscalls seccomp */
gboolean
kiln_seccomp_load(KilnSeccompFilter filter, gboolean log, GError **error)
{
    const struct sock_filter *code = main_filter;
    gsize length = G_N_ELEMENTS(main_filter);
    unsigned flags = SECCOMP_FILTER_FLAG_TSYNC;
    g_autofree struct sock_filter *copy = NULL;
    struct sock_fprog program;

    if (filter == KILN_SECCOMP_VCPU) {
        code = vcpu_filter;
        length = G_N_ELEMENTS(vcpu_filter);
        flags = 0;
    }
    copy = g_memdup2(code, length * sizeof *code);
    for (gsize i = 0; log && i < length; i++) {
        if (BPF_CLASS(copy[i].code) == BPF_RET && copy[i].k == SECCOMP_RET_KILL_PROCESS)
            copy[i].k = SECCOMP_RET_LOG;
    }
    program = (struct sock_fprog){ .len = (unsigned short)length, .filter = copy };
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) != 0)
        return kiln_error_set_errno(error, errno, "cannot restrict system calls");
    return TRUE;
}
