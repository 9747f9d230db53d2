/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <interface type='user'>: the program passt(1), a child of this process, gives the guest the
 * host's network without privileges: it translates frames to the host's sockets.
 *
 * When passt ends the link goes down, and the log says why.
 */
#ifndef KILN_NET_PASST_H
#define KILN_NET_PASST_H

#include "net/netdev.h"

/* Ports of the host, @end 0 for one alone; in the guest they begin with @to, or are the same. */
typedef struct {
    unsigned start;
    unsigned end;
    unsigned to;      /* 0: @start */
    gboolean exclude; /* these are not forwarded */
} KilnPasstRange;

/* <portForward>; without ranges all ports are meant. */
typedef struct {
    gboolean udp;
    const char *address; /* (nullable): of the host, where it listens */
    const char *dev;     /* (nullable): of the host */
    const KilnPasstRange *ranges;
    unsigned n_ranges;
} KilnPasstForward;

/**
 * KilnPasstOptions:
 * @id: alias, for messages
 * @dev: (nullable): the host's interface whose addresses and routes the guest gets (<source dev=>)
 * @addresses: (nullable): NULL-terminated: one for IPv4, one for IPv6 at most (<ip>)
 * @prefix: of the IPv4 address, in bits; 0: the host's
 * @mtu: bytes, told by DHCP; 0: passt's own, 65520
 * @log_file: (nullable): <backend logFile=>
 * @program: (nullable): NULL is passt in PATH
 */
typedef struct {
    const char *id;
    const char *dev;
    const char *const *addresses;
    unsigned prefix;
    unsigned mtu;
    const char *log_file;
    const KilnPasstForward *forwards;
    unsigned n_forwards;
    const char *program;
} KilnPasstOptions;

/**
 * kiln_passt_open:
 *
 * Main thread, before the sandbox.
 *
 * Returns: (transfer full): NULL with @error set: passt is not installed, or ends at once (a port
 *   that is taken, no route), in its own words.
 */
KilnNetdev *kiln_passt_open(const KilnPasstOptions *options, GError **error);

/**
 * kiln_passt_arguments:
 * @fd: the socket's number for passt
 *
 * Returns: (transfer full): its command line, for tests.
 */
char **kiln_passt_arguments(const KilnPasstOptions *options, int fd);

#endif
