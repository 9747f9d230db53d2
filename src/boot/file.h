/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A kernel or initrd file: what is in it is read with checks, and errors name it. */
#ifndef KILN_BOOT_FILE_H
#define KILN_BOOT_FILE_H

#include "memory/memory.h"

typedef struct {
    int fd;           /* not owned */
    const char *kind; /* "kernel" or "initrd" */
    const char *name; /* not owned */
    uint64_t size;    /* bytes, when it was looked at first */
} KilnBootFile;

/**
 * kiln_boot_file_init:
 * @file: (out): borrows @fd and @name
 *
 * Returns: TRUE, or FALSE with @error set if it is no regular file.
 */
gboolean kiln_boot_file_init(KilnBootFile *file, int fd, const char *kind, const char *name,
                             GError **error);

/**
 * kiln_boot_file_error:
 * @format: what is wrong with @file; "KIND 'NAME': " is put in front
 *
 * Sets a KILN_ERROR_INVALID.  Always returns FALSE.
 */
gboolean kiln_boot_file_error(const KilnBootFile *file, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/**
 * kiln_boot_file_read:
 * @what: the part of the file that these bytes are, for the message
 *
 * Returns: TRUE, or FALSE with @error set if the file ends before @offset + @length.
 */
gboolean kiln_boot_file_read(const KilnBootFile *file, uint64_t offset, void *data, uint64_t length,
                             const char *what, GError **error);

/**
 * kiln_boot_file_load:
 * @gpa: where to; all of the @length bytes from there are RAM
 *
 * As kiln_boot_file_read, straight into guest memory.
 */
gboolean kiln_boot_file_load(const KilnBootFile *file, uint64_t offset, KilnMemory *memory,
                             KilnGpa gpa, uint64_t length, const char *what, GError **error);

#endif
