/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See namespace.h. */
#include "tests/net/namespace.h"

#include "base/fd.h"

#include <fcntl.h>
#include <glib.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static gboolean
write_file(const char *path, const char *text)
{
    g_auto(KilnFd) fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && kiln_write_full(fd, text, strlen(text), -1) == 0;
}

const char *
kiln_test_enter_namespace(void)
{
    unsigned uid = geteuid();
    unsigned gid = getegid();
    g_autofree char *uids = g_strdup_printf("0 %u 1", uid);
    g_autofree char *gids = g_strdup_printf("0 %u 1", gid);

    if (uid != 0 && unshare(CLONE_NEWUSER) < 0)
        return "no user namespaces";
    if (uid != 0 &&
        (!write_file("/proc/self/setgroups", "deny") || !write_file("/proc/self/uid_map", uids) ||
         !write_file("/proc/self/gid_map", gids)))
        return "user namespaces cannot be set up";
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
        return "no network namespaces";
    /* the namespace's own /sys/class/net */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("sysfs", "/sys", "sysfs", 0, NULL) < 0)
        return "sysfs cannot be mounted";
    if (access("/dev/net/tun", R_OK | W_OK) != 0)
        return "/dev/net/tun cannot be opened";
    return NULL;
}
