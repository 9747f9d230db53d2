/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Helpers of a guest: passt, virtiofsd, swtpm and the like, as children.  They are started before
 * the sandbox (no process begins afterwards), get the descriptors that they are given and no
 * others, are in a process group of their own (a terminal's Ctrl-C is not theirs), and end when the
 * thread that started them ends.
 *
 *   spawn -> what it writes to standard output and error is logged by line, with its name
 *         -> it ends: a pidfd becomes readable in a GMainContext -> ended()
 *
 * A helper that changes its user escapes the signal at its parent's death: it is expected to end
 * when its socket is hung up, as those above do.
 */
#ifndef KILN_BASE_PROCESS_H
#define KILN_BASE_PROCESS_H

#include <glib.h>
#include <sys/types.h>

typedef struct KilnProcess KilnProcess;

/**
 * KilnProcessFunc:
 * @status: as of waitpid(2); kiln_process_describe() puts it into words
 *
 * The process has ended.  May free @process.
 */
typedef void (*KilnProcessFunc)(KilnProcess *process, int status, gpointer data);

/* A descriptor for the child: @fd here is @number there.  Borrowed. */
typedef struct {
    int fd;
    int number;
} KilnProcessFd;

/**
 * KilnProcessOptions:
 * @name: for messages, with the device that it serves: "passt (net0)"; copied
 * @argv: NULL-terminated; the first is a path, or a name for kiln_process_find()
 * @fds: by number; 0 is /dev/null, 1 and 2 are the log unless they are among them
 * @context: (nullable): where @ended is called and output is read; NULL is the default context
 * @ended: (nullable): called once, when the process ends by itself; not after kiln_process_free()
 */
typedef struct {
    const char *name;
    const char *const *argv;
    const KilnProcessFd *fds;
    unsigned n_fds;
    GMainContext *context;
    KilnProcessFunc ended;
    gpointer data;
} KilnProcessOptions;

/**
 * kiln_process_find:
 * @name: of a program; one with a slash is a path
 *
 * Looks in PATH, then where distributions put programs that are not for users (/usr/libexec,
 * /usr/lib/qemu, /usr/sbin).
 *
 * Returns: (transfer full): the path, or NULL with KILN_ERROR_NOT_FOUND.
 */
char *kiln_process_find(const char *name, GError **error);

/**
 * kiln_process_spawn:
 *
 * The child ends when the calling thread does, so call it from the main one.
 *
 * Returns: (transfer full): a running process, or NULL with @error set: there is no such program,
 * or it cannot be executed.
 */
KilnProcess *kiln_process_spawn(const KilnProcessOptions *options, GError **error);

/**
 * kiln_process_free:
 * @process: (nullable): asked to end (SIGTERM), after half a second made to, and reaped
 */
void kiln_process_free(KilnProcess *process);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnProcess, kiln_process_free)

/**
 * kiln_process_wait:
 * @timeout_ms: -1 is for ever
 * @status: (out) (optional): as of waitpid(2)
 *
 * In the thread that runs the context, or when nobody runs it.  What it wrote is logged first.
 *
 * Returns: whether it has ended.  The callback is not called afterwards.
 */
gboolean kiln_process_wait(KilnProcess *process, int timeout_ms, int *status);

/**
 * kiln_process_wait_line:
 *
 * As kiln_process_wait, for a line in its log (or its end): of programs that say something when
 * they have begun.
 *
 * Returns: whether there is one.
 */
gboolean kiln_process_wait_line(KilnProcess *process, int timeout_ms);

pid_t kiln_process_pid(const KilnProcess *process);

/* A readable copy of the process's pidfd, for poll(2).  Borrowed. */
int kiln_process_pidfd(const KilnProcess *process);

/* The last line that it wrote to its log; "" if none.  Borrowed, until the next one. */
const char *kiln_process_last_line(const KilnProcess *process);

/**
 * kiln_process_describe:
 * Returns: (transfer full): how it ended and what it said last: "ended with status 1: 'no route'".
 */
char *kiln_process_describe(const KilnProcess *process, int status);

/**
 * kiln_process_run:
 * @argv: as in KilnProcessOptions
 * @timeout_ms: then it is killed, which is a failure
 *
 * Runs a program to its end: for set-up alone, since it waits.
 *
 * Returns: TRUE if it ended with status 0; else FALSE with @error set, which has its last line.
 */
gboolean kiln_process_run(const char *const *argv, int timeout_ms, GError **error);

#endif
