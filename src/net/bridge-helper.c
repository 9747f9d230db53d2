/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See bridge-helper.h. */
#include "net/bridge-helper.h"

#include "base/error.h"
#include "base/process.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { CHILD_SOCKET = 3, PATIENCE_MS = 10000 };

/* The descriptor in the message that @socket holds, or -1. */
static KilnFd
take_descriptor(int socket)
{
    char byte;
    struct iovec iov = { &byte, 1 };
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    struct cmsghdr *header;
    int fd = -1;

    if (recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
        return -1;
    header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

KilnFd
kiln_bridge_helper_open(const char *helper, const char *bridge, GError **error)
{
    g_autofree char *bridge_option = g_strdup_printf("--br=%s", bridge);
    const char *argv[] = { helper != NULL ? helper : "qemu-bridge-helper", "--use-vnet",
                           bridge_option, "--fd=3", NULL };
    g_autoptr(GMainContext) context = g_main_context_new(); /* which nobody runs */
    g_auto(KilnFd) ours = -1;
    g_auto(KilnFd) theirs = -1;
    g_autoptr(KilnProcess) process = NULL;
    g_autofree char *how = NULL;
    KilnProcessFd given;
    KilnProcessOptions options;
    int pair[2];
    int status;
    KilnFd fd;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        kiln_error_set_errno(error, errno, "cannot make a socket pair");
        return -1;
    }
    ours = pair[0];
    theirs = pair[1];
    given = (KilnProcessFd){ theirs, CHILD_SOCKET };
    options = (KilnProcessOptions){
        .name = "qemu-bridge-helper", .argv = argv, .fds = &given, .n_fds = 1, .context = context
    };
    process = kiln_process_spawn(&options, error);
    if (process == NULL) {
        g_prefix_error(error,
                       "bridge '%s' takes root, or QEMU's helper (package "
                       "qemu-system-common): ",
                       bridge);
        return -1;
    }
    if (!kiln_process_wait(process, PATIENCE_MS, &status)) {
        kiln_error_set(error, KILN_ERROR_FAILED, "bridge '%s': qemu-bridge-helper does not end",
                       bridge);
        return -1;
    }
    fd = take_descriptor(ours);
    if (fd < 0) {
        how = kiln_process_describe(process, status);
        kiln_error_set(error, KILN_ERROR_PERMISSION,
                       "bridge '%s': qemu-bridge-helper gave no tap: it %s (does "
                       "/etc/qemu/bridge.conf say 'allow %s'?)",
                       bridge, how, bridge);
    }
    return fd;
}
