/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See lock.h.  lock what we do and forbid -> look whether others forbid it, or do it */
#include "block/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

enum {
    PERMISSION_BASE = 100, /* RAW_LOCK_PERM_BASE */
    SHARED_BASE = 200,     /* RAW_LOCK_SHARED_BASE */
    N_PERMISSIONS = 4,
    /* Ours: a lock of the process, which excludes nobody and tells who it is. */
    HOLDER_BYTE = 300,
};

static const char *const permission_names[N_PERMISSIONS] = {
    "read it undisturbed",
    "write to it",
    "write to it",
    "change its size",
};

static int
set_lock(int fd, int command, short type, off_t byte)
{
    struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
    int result;

    do
        result = fcntl(fd, command, &lock);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

/* Whether anybody else has a lock of any kind on @byte. */
static gboolean
is_held(int fd, off_t byte)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static gboolean
lacks_locks(int errnum)
{
    return errnum == ENOLCK || errnum == EINVAL || errnum == ENOTSUP || errnum == ENOSYS;
}

/* How many descriptors of the process are of this file. */
static unsigned
count_open(const char *pid, const struct stat *wanted)
{
    unsigned n = 0;
    g_autofree char *folder = g_strdup_printf("/proc/%s/fd", pid);
    g_autoptr(GDir) fds = g_dir_open(folder, 0, NULL);
    const char *name;

    while (fds != NULL && (name = g_dir_read_name(fds)) != NULL) {
        g_autofree char *link = g_build_filename(folder, name, NULL);
        struct stat info;

        if (stat(link, &info) == 0 && info.st_dev == wanted->st_dev &&
            info.st_ino == wanted->st_ino)
            n++;
    }
    return n;
}

static char *
name_process(const char *pid)
{
    g_autofree char *comm = g_strdup_printf("/proc/%s/comm", pid);
    g_autofree char *name = NULL;

    if (g_file_get_contents(comm, &name, NULL, NULL))
        return g_strdup_printf("process %s (%s)", pid, g_strchomp(name));
    return g_strdup_printf("process %s", pid);
}

/* A kiln cannot be looked into, but says who it is. */
static char *
describe_kiln(int fd)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = HOLDER_BYTE, .l_len = 1
    };
    g_autofree char *pid = NULL;

    if (fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK || lock.l_pid <= 0)
        return NULL;
    pid = g_strdup_printf("%d", (int)lock.l_pid);
    return name_process(pid);
}

/* A lock of this kind has no process; those that have the file open are all that can be told.
 * Other users' processes cannot be looked into. */
static char *
describe_holder(int fd)
{
    g_autoptr(GDir) processes = g_dir_open("/proc", 0, NULL);
    g_autofree char *self = g_strdup_printf("%d", (int)getpid());
    struct stat wanted;
    const char *pid;

    if (processes == NULL || fstat(fd, &wanted) < 0)
        return NULL;
    if (count_open("self", &wanted) > 1)
        return g_strdup("this guest itself, which");
    while ((pid = g_dir_read_name(processes)) != NULL) {
        if (g_ascii_isdigit(pid[0]) && !g_str_equal(pid, self) && count_open(pid, &wanted) > 0)
            return name_process(pid);
    }
    return NULL;
}

void
kiln_file_unlock(int fd)
{
    struct flock lock = {
        .l_type = F_UNLCK,
        .l_whence = SEEK_SET,
        .l_start = PERMISSION_BASE,
        .l_len = SHARED_BASE - PERMISSION_BASE + N_PERMISSIONS,
    };

    (void)fcntl(fd, F_OFD_SETLK, &lock); /* they end with the descriptor at the latest */
    (void)set_lock(fd, F_SETLK, F_UNLCK, HOLDER_BYTE);
}

static gboolean
in_use(int fd, const char *path, const char *how, GError **error)
{
    g_autofree char *holder = describe_kiln(fd);

    if (holder == NULL)
        holder = describe_holder(fd);
    kiln_file_unlock(fd);
    return kiln_error_set(error, KILN_ERROR_STATE, "'%s' is in use: %s %s", path,
                          holder != NULL ? holder : "another program", how);
}

/* Shared locks, which exclude nobody; the check comes when they are all there, so that of two that
 * try at a time at least one sees the other. */
static int
take(int fd, unsigned does, unsigned lets)
{
    for (unsigned i = 0; i < N_PERMISSIONS; i++) {
        int result = 0;

        if ((does & (1U << i)) != 0)
            result = set_lock(fd, F_OFD_SETLK, F_RDLCK, PERMISSION_BASE + i);
        if (result == 0 && (lets & (1U << i)) == 0)
            result = set_lock(fd, F_OFD_SETLK, F_RDLCK, SHARED_BASE + i);
        if (result < 0)
            return result;
    }
    return 0;
}

gboolean
kiln_file_lock(int fd, const char *path, unsigned does, unsigned lets, GError **error)
{
    int result = take(fd, does, lets);

    if (result < 0 && lacks_locks(-result))
        return TRUE;
    if (result == -EAGAIN || result == -EACCES)
        return in_use(fd, path, "has locked it", error);
    if (result < 0)
        return kiln_error_set_errno(error, -result, "cannot lock '%s'", path);
    for (unsigned i = 0; i < N_PERMISSIONS; i++) {
        g_autofree char *how = NULL;

        if ((does & (1U << i)) != 0 && is_held(fd, SHARED_BASE + i))
            how = g_strdup_printf("lets nobody else %s", permission_names[i]);
        else if ((lets & (1U << i)) == 0 && is_held(fd, PERMISSION_BASE + i))
            how = g_strdup_printf("may %s", permission_names[i]);
        if (how != NULL)
            return in_use(fd, path, how, error);
    }
    (void)set_lock(fd, F_SETLK, F_RDLCK, HOLDER_BYTE);
    return TRUE;
}
