/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Of root into the user that the guest runs as.  Files of the guest may be root's alone (libvirt's
 * pools make them so), and kiln changes nobody's files: until the sandbox drops everything the
 * process keeps what opens files and makes taps.  Programs that it starts get none of it.
 */
#include "sandbox/sandbox.h"

#include "base/error.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_GROUPS = 32 };

typedef struct {
    uid_t user;
    gid_t groups[MAX_GROUPS]; /* the first is the main one */
    gsize n_groups;
} Identity;

static const guint kept[] = {
    CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, /* images, kernels, /dev/kvm */
    CAP_NET_ADMIN,                         /* taps and bridges */
    CAP_IPC_LOCK,     CAP_SYS_RESOURCE,    /* locked memory, limits */
    CAP_SETPCAP,                           /* to give up the bounding set with the rest */
};

static gboolean
parse(const char *text, Identity *identity, GError **error)
{
    g_auto(GStrv) words = g_strsplit(text, ":", -1);
    gsize n = g_strv_length(words);

    if (n < 2 || n > MAX_GROUPS)
        return kiln_error_set(error, KILN_ERROR_INVALID, "user '%s' is not UID:GID[:GID...]", text);
    for (gsize i = 0; i < n; i++) {
        guint64 number;

        if (!g_ascii_string_to_unsigned(words[i], 10, 0, G_MAXINT32, &number, NULL))
            return kiln_error_set(error, KILN_ERROR_INVALID,
                                  "user '%s' is not UID:GID[:GID...]: '%s' is no number", text,
                                  words[i]);
        if (i == 0)
            identity->user = (uid_t)number;
        else
            identity->groups[identity->n_groups++] = (gid_t)number;
    }
    return TRUE;
}

static gboolean
keep_capabilities(GError **error)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct had[_LINUX_CAPABILITY_U32S_3];
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    memset(had, 0, sizeof had);
    memset(data, 0, sizeof data);
    if (syscall(SYS_capget, &header, had) != 0)
        return kiln_error_set_errno(error, errno, "cannot read capabilities");
    for (gsize i = 0; i < G_N_ELEMENTS(kept); i++) {
        guint32 bit = CAP_TO_MASK(kept[i]) & had[CAP_TO_INDEX(kept[i])].permitted;

        data[CAP_TO_INDEX(kept[i])].permitted |= bit; /* a container's root has not all of them */
        data[CAP_TO_INDEX(kept[i])].effective |= bit;
    }
    if (syscall(SYS_capset, &header, data) != 0)
        return kiln_error_set_errno(error, errno, "cannot set capabilities");
    return TRUE;
}

gboolean
kiln_sandbox_become(const char *text, GError **error)
{
    Identity identity = { 0 };

    if (!parse(text, &identity, error))
        return FALSE;
    if (geteuid() != 0)
        return kiln_error_set(error, KILN_ERROR_PERMISSION, "only root can become user %u",
                              identity.user);
    if (setgroups(identity.n_groups, identity.groups) != 0 ||
        setresgid(identity.groups[0], identity.groups[0], identity.groups[0]) != 0 ||
        prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 ||
        setresuid(identity.user, identity.user, identity.user) != 0)
        return kiln_error_set_errno(error, errno, "cannot become user '%s'", text);
    (void)prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    return identity.user == 0 || keep_capabilities(error);
}
