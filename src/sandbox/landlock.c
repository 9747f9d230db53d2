/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One ruleset, with the rights that the running kernel's landlock ABI knows:
 *
 *   ABI version -> handled rights -> a rule a path that exists -> restrict_self
 *
 * The constants are written out, since older headers lack the newer ones: linux/landlock.h of 6.12.
 */
#include "sandbox/landlock.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    CREATE_RULESET_VERSION = 1 << 0,
    RULE_PATH_BENEATH = 1,
};

enum {
    FS_EXECUTE = 1 << 0,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_FILE = 1 << 5,
    FS_ALL_ABI_1 = (1 << 13) - 1,
    FS_REFER = 1 << 13,     /* ABI 2 */
    FS_TRUNCATE = 1 << 14,  /* ABI 3 */
    FS_IOCTL_DEV = 1 << 15, /* ABI 5 */
    NET_BIND_TCP = 1 << 0,  /* ABI 4 */
    NET_CONNECT_TCP = 1 << 1,
    SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0, /* ABI 6 */
    SCOPE_SIGNAL = 1 << 1,

    READABLE = FS_READ_FILE | FS_READ_DIR,
    LOADABLE = FS_READ_FILE | FS_READ_DIR | FS_EXECUTE,
    OF_A_FILE = FS_EXECUTE | FS_READ_FILE, /* the others make sense for directories alone */
};

typedef struct {
    uint64_t handled_fs;
    uint64_t handled_net; /* ABI 4 */
    uint64_t scoped;      /* ABI 6 */
} RulesetAttributes;

typedef struct {
    uint64_t allowed;
    int32_t parent_fd;
} __attribute__((packed)) PathBeneath;

static const struct {
    const char *path;
    guint rights;
} system_paths[] = {
    { "/lib", LOADABLE },
    { "/lib64", LOADABLE },
    { "/usr/lib", LOADABLE },
    { "/usr/lib64", LOADABLE },
    { "/usr/local/lib", LOADABLE },
    { "/etc/ld.so.cache", READABLE },
    { "/etc/ld.so.preload", READABLE },
    { "/etc/localtime", READABLE }, /* D-Bus and log lines tell the time */
    { "/usr/share/zoneinfo", READABLE },
    { "/etc/nsswitch.conf", READABLE }, /* who a client is, by name */
    { "/etc/passwd", READABLE },
    { "/etc/group", READABLE },
    { "/etc/machine-id", READABLE }, /* D-Bus */
    { "/var/lib/dbus/machine-id", READABLE },
    { "/dev/null", READABLE },
    { "/dev/urandom", READABLE }, /* GLib seeds its random numbers from it */
    { "/proc/self", READABLE },   /* statistics about itself */
};

/* The rights of the running kernel's ABI; its structure's size goes to @size. */
static RulesetAttributes
attributes_for(int abi, gsize *size)
{
    RulesetAttributes attributes = { .handled_fs = FS_ALL_ABI_1 };

    *size = sizeof attributes.handled_fs;
    if (abi >= 2)
        attributes.handled_fs |= FS_REFER;
    if (abi >= 3)
        attributes.handled_fs |= FS_TRUNCATE;
    if (abi >= 4) {
        attributes.handled_net = NET_BIND_TCP | NET_CONNECT_TCP;
        *size = G_STRUCT_OFFSET(RulesetAttributes, scoped);
    }
    if (abi >= 5)
        attributes.handled_fs |= FS_IOCTL_DEV;
    if (abi >= 6) {
        attributes.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
        *size = sizeof attributes;
    }
    return attributes;
}

/* Allows @rights beneath @path, or on it if it is a file; one that cannot be opened is passed over.
 */
static gboolean
add_path(int ruleset, const char *path, guint rights, GError **error)
{
    g_auto(KilnFd) fd = open(path, O_PATH | O_CLOEXEC);
    PathBeneath rule = { .allowed = rights, .parent_fd = fd };
    struct stat info;

    if (fd == -1 || fstat(fd, &info) != 0)
        return TRUE;
    if (!S_ISDIR(info.st_mode))
        rule.allowed &= OF_A_FILE;
    if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) != 0)
        return kiln_error_set_errno(error, errno, "landlock: cannot allow '%s'", path);
    return TRUE;
}

static gboolean
add_paths(int ruleset, const char *const *paths, guint rights, GError **error)
{
    for (gsize i = 0; paths != NULL && paths[i] != NULL; i++) {
        if (!add_path(ruleset, paths[i], rights, error))
            return FALSE;
    }
    return TRUE;
}

/* #syscalls landlock_create_ruleset landlock_add_rule landlock_restrict_self */
gboolean
kiln_landlock_enter(const char *const *socket_dirs, const char *const *module_dirs, GError **error)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    RulesetAttributes attributes;
    g_auto(KilnFd) ruleset = -1;
    gsize size;

    if (abi < 1) /* ENOSYS: not built in; EOPNOTSUPP: not switched on */
        return TRUE;
    attributes = attributes_for(abi, &size);
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (ruleset == -1)
        return kiln_error_set_errno(error, errno, "landlock: cannot make a ruleset");
    for (gsize i = 0; i < G_N_ELEMENTS(system_paths); i++) {
        if (!add_path(ruleset, system_paths[i].path, system_paths[i].rights, error))
            return FALSE;
    }
    if (!add_paths(ruleset, module_dirs, LOADABLE, error) ||
        !add_paths(ruleset, socket_dirs, FS_REMOVE_FILE, error))
        return FALSE;
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        return kiln_error_set_errno(error, errno, "landlock: cannot restrict the process");
    return TRUE;
}
