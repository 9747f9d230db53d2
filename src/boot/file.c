/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See file.h. */
#include "boot/file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/intmath.h"
#include "boot/places.h"

gboolean
kiln_boot_file_init(KilnBootFile *file, int fd, const char *kind, const char *name, GError **error)
{
    struct stat status;

    *file = (KilnBootFile){ .fd = fd, .kind = kind, .name = name };
    if (fstat(fd, &status) < 0)
        return kiln_error_set_errno(error, errno, "%s '%s': cannot get its size", kind, name);
    if (!S_ISREG(status.st_mode))
        return kiln_boot_file_error(file, error, "is not a regular file");
    file->size = (uint64_t)status.st_size;
    return TRUE;
}

gboolean
kiln_boot_file_error(const KilnBootFile *file, GError **error, const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    return kiln_error_set(error, KILN_ERROR_INVALID, "%s '%s': %s", file->kind, file->name,
                          message);
}

static gboolean
check_inside(const KilnBootFile *file, uint64_t offset, uint64_t length, const char *what,
             GError **error)
{
    if (!kiln_range_inside(offset, length, file->size))
        return kiln_boot_file_error(file, error,
                                    "%s (%" G_GUINT64_FORMAT " bytes at %" G_GUINT64_FORMAT
                                    ") reaches past the end of the file (%" G_GUINT64_FORMAT
                                    " bytes)",
                                    what, length, offset, file->size);
    return TRUE;
}

static gboolean
read_all(const KilnBootFile *file, uint64_t offset, void *data, uint64_t length, GError **error)
{
    ssize_t got = kiln_read_full(file->fd, data, length, (off_t)offset);

    if (got < 0)
        return kiln_error_set_errno(error, (int)-got, "%s '%s': cannot read", file->kind,
                                    file->name);
    if ((uint64_t)got < length)
        return kiln_boot_file_error(file, error, "became shorter while it was read");
    return TRUE;
}

gboolean
kiln_boot_file_read(const KilnBootFile *file, uint64_t offset, void *data, uint64_t length,
                    const char *what, GError **error)
{
    return check_inside(file, offset, length, what, error) &&
           read_all(file, offset, data, length, error);
}

gboolean
kiln_boot_file_load(const KilnBootFile *file, uint64_t offset, KilnMemory *memory, KilnGpa gpa,
                    uint64_t length, const char *what, GError **error)
{
    if (!check_inside(file, offset, length, what, error))
        return FALSE;
    while (length > 0) {
        void *host;
        uint64_t chunk = kiln_boot_ram_chunk(memory, gpa, length, &host);

        g_assert(chunk > 0); /* the caller took this place from the RAM that there is */
        if (!read_all(file, offset, host, chunk, error))
            return FALSE;
        gpa += chunk;
        offset += chunk;
        length -= chunk;
    }
    return TRUE;
}
