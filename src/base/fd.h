/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* File descriptors that close themselves, and reads and writes that finish. */
#ifndef KILN_BASE_FD_H
#define KILN_BASE_FD_H

#include <glib.h>
#include <stdint.h>
#include <sys/types.h>

/* An owned descriptor, -1 for none: `g_auto(KilnFd) fd = -1;` closes at the end of its scope. */
typedef int KilnFd;

/**
 * kiln_fd_clear:
 * @fd: (inout): closed unless it is -1, then set to -1; errno is kept
 */
void kiln_fd_clear(KilnFd *fd);

/**
 * kiln_fd_steal:
 * @fd: (inout): set to -1
 *
 * Returns: what @fd was; the caller owns it now.
 */
KilnFd kiln_fd_steal(KilnFd *fd);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(KilnFd, kiln_fd_clear)

/**
 * kiln_open:
 * @path: a file
 * @flags: open(2) flags; O_CLOEXEC is added
 * @mode: for O_CREAT
 *
 * Returns: an owned descriptor, or -1 with @error set.  When permission is lacking, the message
 *   names the directory of @path that forbids it, where one does.
 */
KilnFd kiln_open(const char *path, int flags, mode_t mode, GError **error);

/**
 * kiln_read_full:
 * @fd: to read from
 * @offset: where, in bytes; -1 reads from the current position
 *
 * Reads until @length bytes are there or the file ends; EINTR is retried.
 *
 * Returns: bytes read, or -errno.
 */
ssize_t kiln_read_full(int fd, void *data, size_t length, off_t offset);

/**
 * kiln_write_full:
 *
 * Writes all of @data at @offset (-1: the current position); EINTR is retried.
 *
 * Returns: 0 or -errno.
 */
int kiln_write_full(int fd, const void *data, size_t length, off_t offset);

#endif
