/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See nvram.h. */
#include "boot/nvram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "block/lock.h"

enum { TEMPLATE_MAX = 64 << 20 /* bytes */ };

/* (transfer full): the whole template, or NULL with @error set. */
static GBytes *
read_template(const char *path, GError **error)
{
    g_auto(KilnFd) fd = -1;
    g_autofree char *data = NULL;
    struct stat info;
    ssize_t got;

    fd = kiln_open(path, O_RDONLY, 0, error);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size <= 0 ||
        info.st_size > TEMPLATE_MAX) {
        kiln_error_set(error, KILN_ERROR_INVALID, "'%s' is no template of variables", path);
        return NULL;
    }
    data = g_malloc((gsize)info.st_size);
    got = kiln_read_full(fd, data, (size_t)info.st_size, 0);
    if (got != info.st_size) {
        kiln_error_set_errno(error, got < 0 ? (int)-got : EIO, "cannot read '%s'", path);
        return NULL;
    }
    return g_bytes_new_take(g_steal_pointer(&data), (gsize)got);
}

/* A rename is on stable storage when the directory is. */
static gboolean
sync_directory(const char *path, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_auto(KilnFd) fd = kiln_open(directory, O_RDONLY | O_DIRECTORY, 0, error);

    if (fd < 0)
        return FALSE;
    return fsync(fd) == 0 || kiln_error_set_errno(error, errno, "cannot flush '%s'", directory);
}

static gboolean
write_whole(const char *path, GBytes *content, GError **error)
{
    g_autofree char *fresh = g_strconcat(path, ".new", NULL);
    g_auto(KilnFd) fd =
        kiln_open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, S_IRUSR | S_IWUSR, error);
    int failed;

    if (fd < 0)
        return FALSE;
    failed = kiln_write_full(fd, g_bytes_get_data(content, NULL), g_bytes_get_size(content), 0);
    if (failed == 0 && (fsync(fd) != 0 || rename(fresh, path) != 0))
        failed = -errno;
    if (failed == 0)
        return sync_directory(path, error);
    (void)unlink(fresh);
    return kiln_error_set_errno(error, -failed, "cannot write '%s'", fresh);
}

static gboolean
make(const char *path, const char *template, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autoptr(GBytes) content = NULL;

    if (template == NULL)
        return kiln_error_set(error, KILN_ERROR_NOT_FOUND,
                              "there is no '%s', and no template to make it of: say <nvram "
                              "template='...'>",
                              path);
    content = read_template(template, error);
    if (content == NULL)
        return FALSE;
    if (g_mkdir_with_parents(directory, S_IRWXU) != 0)
        return kiln_error_set_errno(error, errno, "cannot make the directory '%s'", directory);
    return write_whole(path, content, error);
}

/* Returns: an old store, with the lock that who uses it has; -1, with @error set unless there is
 * none. */
static KilnFd
lock_old(const char *path, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_auto(KilnFd) fd = kiln_open(path, O_RDWR, 0, &failure);

    if (fd < 0) {
        if (!g_error_matches(failure, KILN_ERROR, KILN_ERROR_NOT_FOUND))
            g_propagate_error(error, g_steal_pointer(&failure));
        return -1;
    }
    if (!kiln_file_lock(fd, path, KILN_LOCK_CONSISTENT_READ | KILN_LOCK_WRITE,
                        KILN_LOCK_CONSISTENT_READ, error))
        return -1;
    return kiln_fd_steal(&fd);
}

/* The old one stays locked until the new one has its name. */
static gboolean
make_again(const char *path, const char *template, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_auto(KilnFd) old = lock_old(path, &failure);

    if (failure != NULL) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
    return make(path, template, error);
}

KilnFd
kiln_nvram_open(const char *path, const char *template, gboolean reset, GError **error)
{
    g_autoptr(GError) failure = NULL;
    KilnFd fd;

    if (reset)
        return make_again(path, template, error) ? kiln_open(path, O_RDWR, 0, error) : -1;
    fd = kiln_open(path, O_RDWR, 0, &failure);
    if (fd >= 0)
        return fd;
    if (!g_error_matches(failure, KILN_ERROR, KILN_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return -1;
    }
    return make(path, template, error) ? kiln_open(path, O_RDWR, 0, error) : -1;
}
