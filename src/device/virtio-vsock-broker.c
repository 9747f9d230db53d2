/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-vsock-broker.h. */
#include "device/virtio-vsock-broker.h"

#include "base/error.h"
#include "base/log.h"
#include "base/unix-socket.h"
#include "loop/fd-source.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_AT_ONCE = 16 }; /* answers before others of the loop have their turn */

/* Both ways; an answer has a descriptor beside it if it is a good one. */
typedef struct {
    uint32_t port;
    uint32_t tag;
} Message;

typedef union {
    struct cmsghdr align;
    char space[CMSG_SPACE(sizeof(int))];
} Control;

struct KilnVsockBroker {
    KilnVsockBrokerFunc answer;
    void *opaque;
    KilnFd socket;
    GSource *source; /* (owned) (nullable) */
    pid_t child;
};

/* -- the child --------------------------------------------------------------------------------- */

static void
answer(int socket, const Message *message, int fd)
{
    Control control = { .align = { .cmsg_level = SOL_SOCKET,
                                   .cmsg_type = SCM_RIGHTS,
                                   .cmsg_len = CMSG_LEN(sizeof fd) } };
    struct iovec iov = { .iov_base = (void *)message, .iov_len = sizeof *message };
    struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (fd >= 0) {
        header.msg_control = &control;
        header.msg_controllen = sizeof control;
        memcpy(CMSG_DATA(&control.align), &fd, sizeof fd);
    }
    while (sendmsg(socket, &header, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

static void
serve(int socket, const char *path)
{
    Message message;
    ssize_t n;

    while ((n = recv(socket, &message, sizeof message, 0)) > 0 || (n < 0 && errno == EINTR)) {
        g_autofree char *target = NULL;
        g_auto(KilnFd) fd = -1;

        if (n != sizeof message)
            continue;
        target = g_strdup_printf("%s_%u", path, message.port);
        fd = kiln_unix_connect(target, NULL);
        if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
            kiln_fd_clear(&fd);
        answer(socket, &message, fd);
    }
}

static void
reset_signals(void)
{
    static const int defaults[] = { SIGHUP, SIGINT, SIGTERM, SIGQUIT };
    sigset_t none;

    for (unsigned i = 0; i < G_N_ELEMENTS(defaults); i++)
        signal(defaults[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* It has its socket and standard error, and nothing else of what it was forked from. */
static void G_GNUC_NORETURN
child_main(int socket, const char *path)
{
    int moved = fcntl(socket, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

    (void)setpgid(0, 0); /* a terminal's Ctrl-C is not for it: it ends with its parent's socket */
    reset_signals();
    (void)prctl(PR_SET_NAME, "kiln-vsock");
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (moved >= 0 &&
        (moved == STDERR_FILENO + 1 || dup3(moved, STDERR_FILENO + 1, O_CLOEXEC) >= 0)) {
        (void)close_range(STDERR_FILENO + 2, ~0U, 0);
        (void)close_range(STDIN_FILENO, STDOUT_FILENO, 0);
        serve(STDERR_FILENO + 1, path);
    }
    _exit(0);
}

/* -- the parent -------------------------------------------------------------------------------- */

static KilnFd
descriptor_of(struct msghdr *header)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(header);
    KilnFd fd = -1;

    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

static gboolean
readable(int socket, GIOCondition ready, gpointer data)
{
    KilnVsockBroker *broker = data;

    for (unsigned i = 0; i < MAX_AT_ONCE; i++) {
        Control control;
        Message message = { 0 };
        struct iovec iov = { .iov_base = &message, .iov_len = sizeof message };
        struct msghdr header = {
            .msg_iov = &iov,
            .msg_iovlen = 1,
            .msg_control = &control,
            .msg_controllen = sizeof control,
        };
        ssize_t n = recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        g_auto(KilnFd) fd = n >= 0 ? descriptor_of(&header) : -1;

        if (n < 0 && errno == EAGAIN)
            return G_SOURCE_CONTINUE;
        if (n == 0 || (n < 0 && errno != EINTR)) {
            kiln_log(KILN_LOG_ERROR, "vsock: who connects to the host's sockets is gone");
            kiln_fd_clear(&broker->socket);
            return G_SOURCE_REMOVE;
        }
        if (n == sizeof message)
            broker->answer(broker->opaque, message.port, message.tag, kiln_fd_steal(&fd));
    }
    return G_SOURCE_CONTINUE;
}

/* Whether a child inherits guest memory: page tables would be copied, and each page be written to
 * anew. */
static void
inherit_memory(KilnMemory *memory, gboolean inherited)
{
    guint n = 0;
    const KilnMemoryRegion *regions = memory != NULL ? kiln_memory_regions(memory, &n) : NULL;

    for (guint i = 0; i < n; i++)
        (void)madvise(regions[i].host, regions[i].size, inherited ? MADV_DOFORK : MADV_DONTFORK);
}

KilnVsockBroker *
kiln_vsock_broker_new(const char *path, KilnMemory *memory, GMainContext *context,
                      KilnVsockBrokerFunc func, void *opaque, GError **error)
{
    KilnVsockBroker *broker;
    int pair[2];
    pid_t child;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        kiln_error_set_errno(error, errno, "vsock: socketpair");
        return NULL;
    }
    inherit_memory(memory, FALSE);
    child = fork();
    if (child == 0)
        child_main(pair[1], path);
    inherit_memory(memory, TRUE);
    kiln_fd_clear(&pair[1]);
    if (child < 0) {
        kiln_error_set_errno(error, errno, "vsock: fork");
        kiln_fd_clear(&pair[0]);
        return NULL;
    }
    broker = g_new0(KilnVsockBroker, 1);
    broker->answer = func;
    broker->opaque = opaque;
    broker->socket = pair[0];
    broker->child = child;
    broker->source = kiln_fd_source_new(context, broker->socket, G_IO_IN, readable, broker);
    return broker;
}

void
kiln_vsock_broker_free(KilnVsockBroker *broker)
{
    if (broker == NULL)
        return;
    kiln_source_free(broker->source);
    kiln_fd_clear(&broker->socket);
    while (waitid(P_PID, (id_t)broker->child, NULL, WEXITED) < 0 && errno == EINTR)
        ;
    g_free(broker);
}

gboolean
kiln_vsock_broker_connect(KilnVsockBroker *broker, uint32_t port, uint32_t tag)
{
    Message message = { .port = port, .tag = tag };

    return broker->socket >= 0 && send(broker->socket, &message, sizeof message,
                                       MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof message;
}
