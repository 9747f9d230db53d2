/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The end of a chain that is an export of an NBD server (the NBD project's doc/proto.md), through
 * libnbd, which is in a module: whoever has no such disk does not load it.
 *
 *   submit -> pieces of at most 1 MiB -> nbd_aio_… -> socket, watched in the chain's context ->
 * done
 *
 * The connection is made when the chain is opened, before the guest's process gives up the right to
 * make sockets.  For that reason it is not made again once it is lost: what is under way then, and
 * what comes later, fails with ENOTCONN, and the disk's error policy decides.
 */
#ifndef KILN_BLOCK_NBD_H
#define KILN_BLOCK_NBD_H

#include "block/block.h"

/**
 * KilnBlockNbdOptions:
 * @host, @port: of a server on TCP; @port 0 is 10809
 * @socket: (nullable): path of a Unix socket, instead of those
 * @export_name: (nullable): NULL is the server's default export
 * @tls: required; a server that does not offer it is an error
 * @tls_dir: (nullable): directory with ca-cert.pem, and client-cert.pem and client-key.pem if the
 *   server asks for them; NULL is the system's authorities
 * @tls_psk_file: (nullable): pre-shared keys (gnutls's psktool) instead of certificates
 * @tls_user: (nullable): whose key of those; NULL is the user's name
 * @read_only: else an export that is read-only is an error
 * @no_flush: flushes do nothing (cache unsafe)
 * @connect_ms: how long connecting may take in all; 0 is 30 seconds
 * @silence_ms: a server from which nothing comes for this long while it owes an answer is lost; 0
 *   is 60 seconds
 */
typedef struct {
    const char *host;
    uint16_t port;
    const char *socket;
    const char *export_name;
    gboolean tls;
    const char *tls_dir;
    const char *tls_psk_file;
    const char *tls_user;
    gboolean read_only;
    gboolean no_flush;
    unsigned connect_ms;
    unsigned silence_ms;
    GMainContext *context;
} KilnBlockNbdOptions;

/**
 * kiln_block_nbd_open:
 *
 * Connects and negotiates; waits for that.  Main thread.
 *
 * Returns: (transfer full): NULL with @error set: the module or the server is not there, no such
 *   export, TLS failed, read-only, or the server says about sizes what cannot be.
 */
KilnBlock *kiln_block_nbd_open(const KilnBlockNbdOptions *options, GError **error);

#endif
