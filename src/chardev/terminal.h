/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The user's terminal in raw mode, given back as it was in every case that a process can see: by
 * kiln_terminal_restore(), at exit, by a deadly signal, and while the process is stopped.
 * One terminal a process.
 */
#ifndef KILN_CHARDEV_TERMINAL_H
#define KILN_CHARDEV_TERMINAL_H

#include <glib.h>

enum { KILN_TERMINAL_LEAVE_KEY = 0x1d }; /* Ctrl-], as in telnet and virsh */

/**
 * kiln_terminal_raw:
 * @fd: a terminal, which stays open until it is restored
 *
 * Turns off echo, line editing and signal keys; output processing stays, so that lines of messages
 * begin at the margin.  Signals of default disposition that would end or stop the process restore
 * the terminal first, and a continued process takes it again.
 *
 * Returns: TRUE, or FALSE with @error set.  KILN_ERROR_EXISTS if a terminal is raw already.
 */
gboolean kiln_terminal_raw(int fd, GError **error);

/**
 * kiln_terminal_restore:
 *
 * Gives the terminal back.  Async-signal-safe; any thread; does nothing when there is nothing to
 * do.
 */
void kiln_terminal_restore(void);

/**
 * kiln_terminal_is_foreground:
 * Returns: whether @fd is a terminal of which this process is in the foreground: where it is not,
 *   reading or changing modes would stop the process.
 */
gboolean kiln_terminal_is_foreground(int fd);

/**
 * kiln_terminal_set_leave_callback:
 * @callback: (nullable): called on the main thread when the user typed Ctrl-] into a stdio chardev,
 *   which has let the terminal go by then
 */
void kiln_terminal_set_leave_callback(void (*callback)(void *data), void *data);

/* Calls the callback, if there is one. */
void kiln_terminal_left(void);

#endif
