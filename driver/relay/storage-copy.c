/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file and its copy: shared extents where the file system has them, else its data without its
 * holes. */
#include "base/fd.h"
#include "error/vir-error.h"
#include "relay/storage-private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_BYTES = 1 << 20 };

/* Returns: 0 or an errno. */
static int
copy_range(int from, int to, off_t begin, off_t end)
{
    g_autofree guint8 *bytes = g_malloc(COPY_BYTES);

    while (begin < end) {
        ssize_t n = kiln_read_full(from, bytes, (gsize)MIN(end - begin, COPY_BYTES), begin);
        int failed = n > 0 ? kiln_write_full(to, bytes, (gsize)n, begin) : 0;

        if (n <= 0 || failed != 0)
            return n == 0 ? EIO : n < 0 ? (int)-n : -failed;
        begin += n;
    }
    return 0;
}

static int
copy_data(int from, int to, off_t length)
{
    off_t end = 0;
    int failed = 0;

    while (failed == 0 && end < length) {
        off_t begin = lseek(from, end, SEEK_DATA);

        if (begin < 0)
            return errno == ENXIO ? 0 : errno; /* nothing but a hole follows */
        end = lseek(from, begin, SEEK_HOLE);
        if (end < 0)
            return errno;
        failed = copy_range(from, to, begin, MIN(end, length));
    }
    return failed;
}

gboolean
kiln_volume_copy(int from, const char *path, GError **error)
{
    g_auto(KilnFd) to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct stat is;
    int failed = 0;

    if (to < 0)
        return kiln_vir_error_set(error, VIR_ERR_SYSTEM_ERROR, "cannot create path '%s': %s", path,
                                  g_strerror(errno));
    if (fstat(from, &is) != 0)
        failed = errno;
    else if (ioctl(to, FICLONE, from) == 0)
        return TRUE;
    else if (ftruncate(to, is.st_size) != 0)
        failed = errno;
    else
        failed = copy_data(from, to, is.st_size);
    if (failed == 0 && fsync(to) == 0)
        return TRUE;
    unlink(path);
    return kiln_vir_error_set(error, VIR_ERR_SYSTEM_ERROR, "cannot copy into '%s': %s", path,
                              g_strerror(failed != 0 ? failed : errno));
}
