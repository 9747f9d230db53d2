/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See file-probe.h.  fstat -> statx (Linux 6.1) or ioctls or trying */
#include "block/file-probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/intmath.h"

enum {
    SECTOR = 512,
    PAGE = 4096,
};

/* What the kernel knows itself.  0: it does not say. */
static void
ask_alignment(int fd, KilnFileProbe *probe)
{
    probe->offset_align = 0;
#ifdef STATX_DIOALIGN
    struct statx info;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &info) == 0 &&
        (info.stx_mask & STATX_DIOALIGN) != 0) {
        probe->offset_align = info.stx_dio_offset_align;
        probe->memory_align = info.stx_dio_mem_align;
    }
#endif
}

/* Reads of ever larger blocks, until one is taken. */
static uint32_t
try_alignment(int fd, uint64_t length)
{
    char data[2 * PAGE];
    char *aligned = (char *)kiln_align_up((uintptr_t)data, PAGE);

    if (length < PAGE)
        return PAGE; /* the end of the file hides the answer */
    for (uint32_t size = SECTOR; size <= PAGE; size *= 2)
        if (pread(fd, aligned, size, 0) >= 0 || errno != EINVAL)
            return size;
    return 0;
}

static gboolean
probe_alignment(int fd, const char *path, KilnFileProbe *probe, GError **error)
{
    int sector;

    ask_alignment(fd, probe);
    if (probe->offset_align == 0) {
        if (probe->is_device && ioctl(fd, BLKSSZGET, &sector) == 0)
            probe->offset_align = (uint32_t)sector;
        else
            probe->offset_align = try_alignment(fd, probe->length);
        probe->memory_align = probe->offset_align;
    }
    if (!kiln_is_power_of_2(probe->offset_align) || !kiln_is_power_of_2(probe->memory_align) ||
        probe->offset_align > 64 * 1024 || probe->memory_align > PAGE)
        return kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                              "cannot use '%s' without the host's cache: its file system has no "
                              "O_DIRECT",
                              path);
    probe->offset_align = MAX(probe->offset_align, SECTOR);
    return TRUE;
}

static gboolean
probe_device(int fd, const char *path, KilnFileProbe *probe, GError **error)
{
    unsigned short rotational = 0;
    unsigned physical = SECTOR, least = SECTOR;

    if (ioctl(fd, BLKGETSIZE64, &probe->length) < 0)
        return kiln_error_set_errno(error, errno, "cannot get the size of '%s'", path);
    (void)ioctl(fd, BLKROTATIONAL, &rotational); /* else the value above */
    (void)ioctl(fd, BLKPBSZGET, &physical);
    (void)ioctl(fd, BLKIOMIN, &least);
    probe->rotational = rotational != 0;
    probe->physical_size = physical;
    probe->discard_size = MAX(physical, least);
    return TRUE;
}

gboolean
kiln_file_probe(int fd, const char *path, gboolean direct, KilnFileProbe *probe, GError **error)
{
    struct stat info;

    *probe = (KilnFileProbe){ .offset_align = 1, .memory_align = 1, .physical_size = SECTOR };
    if (fstat(fd, &info) < 0)
        return kiln_error_set_errno(error, errno, "cannot look at '%s'", path);
    if (S_ISDIR(info.st_mode))
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "cannot use '%s' as a disk: it is a directory", path);
    if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode))
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "cannot use '%s' as a disk: it is neither a file nor a block device",
                              path);
    probe->is_device = S_ISBLK(info.st_mode);
    if (probe->is_device) {
        if (!probe_device(fd, path, probe, error))
            return FALSE;
    } else {
        probe->length = (uint64_t)info.st_size;
        probe->discard_size = info.st_blksize >= SECTOR && info.st_blksize <= 1024 * 1024
                                  ? (uint32_t)info.st_blksize
                                  : PAGE;
    }
    if (direct && !probe_alignment(fd, path, probe, error))
        return FALSE;
    probe->physical_size = MAX(probe->physical_size, probe->offset_align);
    return TRUE;
}
