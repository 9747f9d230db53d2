/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TCP sockets by host and service. */
#ifndef KILN_CHARDEV_TCP_H
#define KILN_CHARDEV_TCP_H

#include "base/fd.h"

enum { KILN_TCP_CONNECT_SECONDS = 10 };

/* What a name was resolved to. */
typedef struct KilnTcpAddress KilnTcpAddress;

/**
 * kiln_tcp_listen:
 * @host: (nullable): name or address; NULL and "" are every address
 * @service: port number or name; "0" takes any free port
 *
 * Waits for the resolver, unless @host is an address.
 *
 * Returns: an owned, non-blocking descriptor, or -1 with @error set.
 */
KilnFd kiln_tcp_listen(const char *host, const char *service, GError **error);

/**
 * kiln_tcp_resolve:
 *
 * Waits for the resolver, unless @host is an address.
 *
 * Returns: (transfer full): the addresses of @host, or NULL with @error set.
 */
KilnTcpAddress *kiln_tcp_resolve(const char *host, const char *service, GError **error);
void kiln_tcp_address_free(KilnTcpAddress *address);

/**
 * kiln_tcp_connect:
 *
 * Tries each address, at most KILN_TCP_CONNECT_SECONDS each.
 *
 * Returns: an owned, non-blocking descriptor, or -1 with @error set.
 */
KilnFd kiln_tcp_connect(KilnTcpAddress *address, GError **error);

/**
 * kiln_tcp_connect_start:
 *
 * Begins to connect to the next of the addresses, in turns.
 *
 * Returns: a descriptor that gets writable when kiln_tcp_connect_result() can be asked, or -1.
 */
KilnFd kiln_tcp_connect_start(KilnTcpAddress *address, GError **error);

/* Returns: 0 if @fd is connected, else the errno of the failure. */
int kiln_tcp_connect_result(int fd);

#endif
