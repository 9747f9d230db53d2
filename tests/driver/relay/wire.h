/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Both ends of the relay for its tests, in one thread: a client's raw connection to a real server,
 * and a daemon upstream of which each step is the test's.  Waiting runs the default main context.
 */
#ifndef RELAY_WIRE_H
#define RELAY_WIRE_H

#include "rpc/client.h"
#include "rpc/frame.h"
#include "rpc/server.h"

typedef struct {
    int fd;
    GByteArray *input;
} Wire;

Wire *wire_new(int fd);
void wire_free(Wire *wire);

/* Sends a packet with that payload; or bytes as they are. */
void wire_send(Wire *wire, int procedure, KilnFrameType type, guint32 serial,
               KilnFrameStatus status, const void *payload, gsize length);
void wire_send_bytes(Wire *wire, const void *bytes, gsize length);
/* As wire_send, of what is one number and no more. */
void wire_send_number(Wire *wire, int procedure, KilnFrameType type, guint32 serial,
                      guint32 number);

/* The next packet that comes; NULL: the other end has closed. */
KilnPacket *wire_wait(Wire *wire);
/* That packet, checked: its procedure, type, serial and status.  Frees it; its payload's first
 * number (0 if there is none). */
guint32 wire_expect(Wire *wire, int procedure, KilnFrameType type, guint32 serial,
                    KilnFrameStatus status);
/* Whether something is there within some turns of the loop. */
gboolean wire_is_quiet(Wire *wire);

/* A socket that listens as if another process had made it. */
int upstream_listen(const char *path);
Wire *upstream_accept(int listener);
/* Answers the boot as a libvirtd does; checks that it opens @uri, with these flags. */
void upstream_boot(Wire *upstream, const char *uri, guint32 flags);

/* A server with the relay's table on a socket in @dir; a client that has opened. */
KilnServer *relay_server(const char *dir);
Wire *relay_client(const char *dir, gboolean read_only);

/* Frees those that a test leaves. */
void run_pending(void);

#endif
