/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting the process of a guest:
 *
 *   what it runs -> NAME.xml in the runtime directory (a file system in memory: not synced)
 *   -> its log is opened -> clone, exec: kiln run --ready-fd 3 [--user ...] [--paused] NAME.xml
 *
 * The file comes first: a daemon that dies in between finds a file without a process and removes
 * it, and never a process that it cannot tell the domain of.
 *
 * The process is the leader of a session, has descriptors 0 to 3 and no others (nothing to read,
 * the log twice, the pipe in which it says that it is ready), and no signal blocked or ignored.
 */
#ifndef KILN_GUEST_SPAWN_H
#define KILN_GUEST_SPAWN_H

#include "base/fd.h"

/**
 * KilnSpawn:
 * @program: path of kiln
 * @document: where the file is to be
 * @text: what is to be in it
 * @log: path of its log, which is appended to
 * @runtime_dir: its KILN_RUNTIME_DIR
 * @paused: not a step of the guest is made
 * @reset_nvram: its firmware's variables are made anew
 * @user: "UID:GID[:GROUP...]", NULL is the daemon's own
 * @cgroup: descriptor of the folder of the cgroup that it begins in, -1 is the daemon's
 * @pid, @pidfd, @ready: what came of it; @ready is the pipe's end to be read, and not blocking
 */
typedef struct {
    char *program;
    char *document;
    char *text;
    char *log;
    char *runtime_dir;
    char *user;
    gboolean paused;
    gboolean reset_nvram;
    KilnFd cgroup;
    pid_t pid;
    KilnFd pidfd;
    KilnFd ready;
} KilnSpawn;

/* Frees what its strings are and closes its descriptors. */
void kiln_spawn_clear(KilnSpawn *spawn);

/**
 * kiln_spawn:
 *
 * Any thread; it waits until the program is executed.
 *
 * Returns: TRUE with the last three fields set; or FALSE with @error set and no process.  If the
 *   program cannot be executed the process says so by KILN_SPAWN_EXEC in the pipe.
 */
gboolean kiln_spawn(KilnSpawn *spawn, GError **error);

/* Writes @text into a file of a file system in memory: as a whole, and not synced. */
gboolean kiln_spawn_write_document(const char *path, const char *text, GError **error);

/* What stands in the pipe, with an errno behind it, if there is no such program. */
#define KILN_SPAWN_EXEC "exec "

#endif
