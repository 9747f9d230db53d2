/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See unix-socket.h. */
#include "base/unix-socket.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Fills @address for @path; @directory is set where it has to stay open while @address is used. */
static gboolean
fill_address(const char *path, struct sockaddr_un *address, KilnFd *directory, GError **error)
{
    g_autofree char *parent = NULL;
    g_autofree char *base = NULL;
    int length;

    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) < sizeof address->sun_path) {
        memcpy(address->sun_path, path, strlen(path) + 1);
        return TRUE;
    }
    parent = g_path_get_dirname(path);
    base = g_path_get_basename(path);
    *directory = kiln_open(parent, O_PATH | O_DIRECTORY, 0, error);
    if (*directory < 0)
        return FALSE;
    length = g_snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s",
                        *directory, base);
    if (length >= (int)sizeof address->sun_path)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "socket '%s': the last part of its path is too long", path);
    return TRUE;
}

/* Returns: 0 if a socket at @address answers, else -errno. */
static int
knock(const struct sockaddr_un *address)
{
    g_auto(KilnFd) fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) < 0)
        return -errno;
    return 0;
}

/* Makes way for a socket at @path, where something is. */
static gboolean
remove_stale(const char *path, const struct sockaddr_un *address, GError **error)
{
    struct stat there;
    int answer;

    if (lstat(path, &there) < 0)
        return kiln_error_set_errno(error, errno, "socket '%s'", path);
    if (!S_ISSOCK(there.st_mode))
        return kiln_error_set(error, KILN_ERROR_EXISTS,
                              "socket '%s': a file that is no socket is there; remove it or choose "
                              "another path",
                              path);
    answer = knock(address);
    if (answer == 0 || answer == -EAGAIN)
        return kiln_error_set(error, KILN_ERROR_EXISTS,
                              "socket '%s': another process listens on it", path);
    if (answer != -ECONNREFUSED)
        return kiln_error_set_errno(error, -answer, "socket '%s'", path);
    if (unlink(path) < 0)
        return kiln_error_set_errno(error, errno, "socket '%s': cannot replace it", path);
    return TRUE;
}

KilnFd
kiln_unix_listen(const char *path, int backlog, GError **error)
{
    g_auto(KilnFd) directory = -1;
    g_auto(KilnFd) fd = -1;
    struct sockaddr_un address;
    int bound;

    if (!fill_address(path, &address, &directory, error))
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        kiln_error_set_errno(error, errno, "socket '%s'", path);
        return -1;
    }
    bound = bind(fd, (const struct sockaddr *)&address, sizeof address);
    if (bound < 0 && errno == EADDRINUSE) {
        if (!remove_stale(path, &address, error))
            return -1;
        bound = bind(fd, (const struct sockaddr *)&address, sizeof address);
    }
    if (bound < 0 || listen(fd, backlog) < 0) {
        kiln_error_set_errno(error, errno, "socket '%s': cannot listen", path);
        if (bound == 0)
            (void)unlink(path);
        return -1;
    }
    return kiln_fd_steal(&fd);
}

KilnFd
kiln_unix_connect(const char *path, GError **error)
{
    g_auto(KilnFd) directory = -1;
    g_auto(KilnFd) fd = -1;
    struct sockaddr_un address;

    if (!fill_address(path, &address, &directory, error))
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        kiln_error_set_errno(error, errno, "socket '%s'", path);
        return -1;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        if (errno == ECONNREFUSED)
            kiln_error_set(error, KILN_ERROR_NOT_FOUND, "socket '%s': nobody listens on it", path);
        else if (errno == EAGAIN)
            kiln_error_set(error, KILN_ERROR_SYSTEM,
                           "socket '%s': who listens on it does not answer", path);
        else
            kiln_error_set_errno(error, errno, "socket '%s': cannot connect", path);
        return -1;
    }
    return kiln_fd_steal(&fd);
}
