/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See tcp.h. */
#include "chardev/tcp.h"

#include "base/error.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

struct KilnTcpAddress {
    char *name;             /* (owned): "host:service", for messages */
    struct addrinfo *first; /* (owned) */
    struct addrinfo *next;  /* to try; NULL: begin again */
};

void
kiln_tcp_address_free(KilnTcpAddress *address)
{
    if (address == NULL)
        return;
    if (address->first != NULL)
        freeaddrinfo(address->first);
    g_free(address->name);
    g_free(address);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnTcpAddress, kiln_tcp_address_free)

static KilnTcpAddress *
resolve(const char *host, const char *service, int flags, GError **error)
{
    struct addrinfo hints = {
        .ai_flags = flags | AI_NUMERICHOST,
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    g_autoptr(KilnTcpAddress) address = g_new0(KilnTcpAddress, 1);
    int failed;

    if (host != NULL && *host == '\0')
        host = NULL;
    address->name = g_strdup_printf("%s:%s", host != NULL ? host : "*", service);
    failed = getaddrinfo(host, service, &hints, &address->first);
    if (failed == EAI_NONAME) {
        hints.ai_flags = flags; /* not an address: a name */
        failed = getaddrinfo(host, service, &hints, &address->first);
    }
    if (failed != 0) {
        kiln_error_set(error, KILN_ERROR_NOT_FOUND, "cannot resolve '%s': %s", address->name,
                       gai_strerror(failed));
        return NULL;
    }
    return g_steal_pointer(&address);
}

KilnTcpAddress *
kiln_tcp_resolve(const char *host, const char *service, GError **error)
{
    return resolve(host, service, 0, error);
}

/* Returns: a listening descriptor, or -1 with errno. */
static KilnFd
listen_on(const struct addrinfo *info)
{
    g_auto(KilnFd) fd =
        socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, info->ai_protocol);
    int on = 1;
    int off = 0;

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (info->ai_family == AF_INET6) /* "::" is for both */
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, 1) < 0)
        return -1;
    return kiln_fd_steal(&fd);
}

KilnFd
kiln_tcp_listen(const char *host, const char *service, GError **error)
{
    g_autoptr(KilnTcpAddress) address = resolve(host, service, AI_PASSIVE, error);
    int failed = EADDRNOTAVAIL;

    if (address == NULL)
        return -1;
    for (int family = AF_INET6; family != 0; family = family == AF_INET6 ? AF_INET : 0) {
        for (const struct addrinfo *info = address->first; info != NULL; info = info->ai_next) {
            KilnFd fd = info->ai_family == family ? listen_on(info) : -1;

            if (fd >= 0)
                return fd;
            if (info->ai_family == family)
                failed = errno;
            if (failed == EADDRINUSE)
                family = AF_INET; /* somebody has the port: do not share half of it */
        }
    }
    kiln_error_set_errno(error, failed, "cannot listen on '%s'", address->name);
    return -1;
}

int
kiln_tcp_connect_result(int fd)
{
    int failed = 0;
    socklen_t size = sizeof failed;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) < 0)
        failed = errno;
    return failed;
}

KilnFd
kiln_tcp_connect_start(KilnTcpAddress *address, GError **error)
{
    const struct addrinfo *info = address->next != NULL ? address->next : address->first;
    g_auto(KilnFd) fd =
        socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, info->ai_protocol);

    address->next = info->ai_next;
    if (fd >= 0 && (connect(fd, info->ai_addr, info->ai_addrlen) == 0 || errno == EINPROGRESS))
        return kiln_fd_steal(&fd);
    kiln_error_set_errno(error, errno, "cannot connect to '%s'", address->name);
    return -1;
}

/* Returns: 0 when @fd has connected, else the errno. */
static int
wait_connected(int fd)
{
    struct pollfd out = { .fd = fd, .events = POLLOUT };
    int ready;

    do {
        ready = poll(&out, 1, KILN_TCP_CONNECT_SECONDS * 1000);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0)
        return ready < 0 ? errno : ETIMEDOUT;
    return kiln_tcp_connect_result(fd);
}

KilnFd
kiln_tcp_connect(KilnTcpAddress *address, GError **error)
{
    int failed = 0;

    address->next = NULL;
    do {
        g_auto(KilnFd) fd = -1;

        g_clear_error(error);
        fd = kiln_tcp_connect_start(address, error);
        if (fd < 0)
            continue;
        failed = wait_connected(fd);
        if (failed == 0)
            return kiln_fd_steal(&fd);
        kiln_error_set_errno(error, failed, "cannot connect to '%s'", address->name);
    } while (address->next != NULL);
    return -1;
}
