/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Locks on an image, so that two programs do not ruin it: open file description locks on the same
 * bytes, with the same meaning, as QEMU's (block/file-posix.c, docs/system/images.rst: "disk image
 * file locking").  The file's contents are not touched; the locks are advisory and go with the
 * descriptor.
 */
#ifndef KILN_BLOCK_LOCK_H
#define KILN_BLOCK_LOCK_H

#include <glib.h>

/**
 * KilnLockPermissions:
 *
 * What somebody does with an image.  Bit n is QEMU's BLK_PERM_… and the byte 100 + n: held by who
 * does it; the byte 200 + n: held by who wants no other to do it.
 */
typedef enum {
    KILN_LOCK_CONSISTENT_READ = 1 << 0,
    KILN_LOCK_WRITE = 1 << 1,
    KILN_LOCK_WRITE_UNCHANGED = 1 << 2,
    KILN_LOCK_RESIZE = 1 << 3,
} KilnLockPermissions;

/**
 * kiln_file_lock:
 * @fd: of the image
 * @path: for messages, and to find who holds it
 * @does: KilnLockPermissions of what is to be done
 * @lets: KilnLockPermissions of what others may do meanwhile
 *
 * Returns: FALSE with @error set, naming the process that has it where that can be known, and with
 *   no new lock; TRUE also where the file system has no locks.
 */
gboolean kiln_file_lock(int fd, const char *path, unsigned does, unsigned lets, GError **error);

/* Gives all of them up at once.  Closing @fd does so later, perhaps after the process has ended:
 * when an io_uring that knows the file has let go of it. */
void kiln_file_unlock(int fd);

#endif
