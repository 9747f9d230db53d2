/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See fd.h. */
#include "base/fd.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void
kiln_fd_clear(KilnFd *fd)
{
    int saved = errno;

    if (*fd >= 0)
        (void)close(*fd); /* nothing of ours is written back at close */
    *fd = -1;
    errno = saved;
}

KilnFd
kiln_fd_steal(KilnFd *fd)
{
    KilnFd stolen = *fd;

    *fd = -1;
    return stolen;
}

/* The first directory on the way to @path that this process may not search, or NULL. */
static char *
forbidden_directory(const char *path)
{
    for (const char *slash = path; (slash = strchr(slash + 1, '/')) != NULL;) {
        g_autofree char *directory = g_strndup(path, (gsize)(slash - path));

        if (faccessat(AT_FDCWD, directory, X_OK, AT_EACCESS) < 0 && errno == EACCES)
            return g_steal_pointer(&directory);
    }
    return NULL;
}

KilnFd
kiln_open(const char *path, int flags, mode_t mode, GError **error)
{
    int fd = open(path, flags | O_CLOEXEC, mode);
    int errnum = errno;

    if (fd < 0) {
        g_autofree char *directory = errnum == EACCES ? forbidden_directory(path) : NULL;

        if (directory != NULL)
            kiln_error_set(error, KILN_ERROR_PERMISSION,
                           "cannot open '%s': user %u may not search the directory '%s'", path,
                           (unsigned)geteuid(), directory);
        else if (errnum == EACCES)
            kiln_error_set(error, KILN_ERROR_PERMISSION,
                           "cannot open '%s': user %u may not %s it: Permission denied", path,
                           (unsigned)geteuid(), (flags & O_ACCMODE) == O_RDONLY ? "read" : "write");
        else
            kiln_error_set_errno(error, errnum, "cannot open '%s'", path);
    }
    return fd;
}

ssize_t
kiln_read_full(int fd, void *data, size_t length, off_t offset)
{
    size_t done = 0;

    while (done < length) {
        char *to = (char *)data + done;
        ssize_t n = offset < 0 ? read(fd, to, length - done)
                               : pread(fd, to, length - done, offset + (off_t)done);

        if (n == 0)
            break;
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return -errno;
    }
    return (ssize_t)done;
}

int
kiln_write_full(int fd, const void *data, size_t length, off_t offset)
{
    size_t done = 0;

    while (done < length) {
        const char *from = (const char *)data + done;
        ssize_t n = offset < 0 ? write(fd, from, length - done)
                               : pwrite(fd, from, length - done, offset + (off_t)done);

        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return -errno;
    }
    return 0;
}
