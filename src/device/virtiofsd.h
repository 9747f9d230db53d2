/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting virtiofsd, which serves a folder of the host to a guest by vhost-user: Debian 12's, of
 * QEMU (in qemu-system-common), or the one in Rust (package virtiofsd).
 *
 * virtiofsd works as root of its own sandbox.  Who is not root gets a user namespace, by
 * util-linux's unshare(1): there it is root, and files of the guest's root are the user's own. With
 * newuidmap and a range of the user in /etc/subuid the guest's other users are from that range;
 * without, they cannot own files.
 */
#ifndef KILN_DEVICE_VIRTIOFSD_H
#define KILN_DEVICE_VIRTIOFSD_H

#include "base/fd.h"
#include "base/process.h"

/* A setting that is left to virtiofsd unless it is made. */
typedef enum {
    KILN_VIRTIOFSD_DEFAULT,
    KILN_VIRTIOFSD_OFF,
    KILN_VIRTIOFSD_ON,
} KilnVirtiofsdSwitch;

/**
 * KilnVirtiofsdOptions:
 * @name: of the process, for messages: "virtiofsd (fs0)"
 * @program: (nullable): its path; NULL: "virtiofsd" is looked for
 * @source: the folder, an absolute path
 * @readonly: the guest cannot change anything below @source: it is mounted read-only for virtiofsd
 * @cache, @sandbox: (nullable): values of virtiofsd's options: "none", "always"; "namespace",
 *   "chroot"
 * @thread_pool: (nullable): threads; NULL is virtiofsd's choice
 * @context, @ended, @data: as of KilnProcessOptions
 */
typedef struct {
    const char *name;
    const char *program;
    const char *source;
    gboolean readonly;
    KilnVirtiofsdSwitch xattr;
    KilnVirtiofsdSwitch posix_lock;
    KilnVirtiofsdSwitch flock;
    const char *cache;
    const char *sandbox;
    const int *thread_pool;
    GMainContext *context;
    KilnProcessFunc ended;
    gpointer data;
} KilnVirtiofsdOptions;

/**
 * kiln_virtiofsd_argv:
 * @unprivileged: in a user namespace of its own
 * @ranges: which has the user's ranges of subordinate ids
 *
 * Returns: (transfer full): what is executed; the listening socket is its descriptor 3.
 */
char **kiln_virtiofsd_argv(const KilnVirtiofsdOptions *options, const char *program,
                           gboolean unprivileged, gboolean ranges);

/**
 * kiln_virtiofsd_spawn:
 * @socket: (out) (transfer full): connected to it
 *
 * Before the sandbox.
 *
 * Returns: (transfer full): a process that has been started, whose first answer shows whether it
 *   serves; or NULL with @error set.
 */
KilnProcess *kiln_virtiofsd_spawn(const KilnVirtiofsdOptions *options, KilnFd *socket,
                                  GError **error);

#endif
