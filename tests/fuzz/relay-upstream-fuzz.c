/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a daemon upstream may send: a connection on which calls of every kind wait, a boot that is
 * answered or not (the first byte), then the bytes.  The client is a stand-in that counts.
 */
#include "base/fd.h"
#include "relay/session-private.h"
#include "rpc/frame.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const KilnIdentity nobody;

void
kiln_client_send_packet(KilnClient *client, GBytes *packet)
{
    KilnPacket *parsed = kiln_frame_parse(g_bytes_ref(packet));

    (void)client;
    g_assert_nonnull(parsed); /* what a client gets is a packet */
    kiln_packet_free(parsed);
}

void
kiln_client_fail_packet(KilnClient *client, const KilnPacket *packet, int code, const char *message)
{
    (void)client;
    (void)packet;
    (void)code;
    g_assert_nonnull(message);
}

void
kiln_client_claim_serial(KilnClient *client, guint32 serial,
                         void (*packet)(KilnClient *client, KilnPacket *packet, gpointer data),
                         gpointer data)
{
    (void)client;
    (void)serial;
    (void)packet;
    (void)data;
}

gboolean
kiln_client_is_congested(KilnClient *client, void (*drained)(KilnClient *client, gpointer data),
                         gpointer data)
{
    (void)client;
    (void)drained;
    (void)data;
    return FALSE;
}

void
kiln_client_not_drained(KilnClient *client, gpointer data)
{
    (void)client;
    (void)data;
}

void
kiln_client_hold(KilnClient *client)
{
    (void)client;
}

void
kiln_client_release(KilnClient *client)
{
    (void)client;
}

guint
kiln_client_on_close(KilnClient *client, void (*closed)(KilnClient *client, gpointer data),
                     gpointer data)
{
    (void)client;
    (void)closed;
    (void)data;
    return 1;
}

KilnClient *
kiln_client_ref(KilnClient *client)
{
    return client;
}

void
kiln_client_unref(KilnClient *client)
{
    (void)client;
}

gboolean
kiln_client_is_read_only(const KilnClient *client)
{
    (void)client;
    return FALSE;
}

const KilnIdentity *
kiln_client_identity(const KilnClient *client)
{
    (void)client;
    return &nobody;
}

static void
alone(KilnClient *client, const KilnPacket *packet)
{
    (void)client;
    (void)packet;
}

static void
call(KilnSession *session, int procedure, guint32 serial)
{
    KilnPacket header = { .program = KILN_PROGRAM_REMOTE,
                          .version = KILN_PROGRAM_VERSION,
                          .procedure = procedure,
                          .serial = serial };
    KilnPacket *packet = kiln_frame_parse(kiln_frame_encode_raw(&header, "\0\0\0\3", 4));

    kiln_session_call(session, packet);
    kiln_packet_free(packet);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const nowhere[] = { NULL };
    KilnSessionOptions options = { nowhere, "storage:///system", TRUE, alone };
    KilnSession *session;
    int fds[2];

    if (size < 1 || size > 65536 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return 0;
    session = kiln_session_new(NULL, kiln_relay_driver(KILN_RELAY_STORAGE), &options);
    kiln_session_attach(session, fds[0]);
    if ((data[0] & 1) != 0)
        kiln_session_booted(session);
    call(session, REMOTE_PROC_CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY, 1);
    call(session, REMOTE_PROC_STORAGE_VOL_DOWNLOAD, 2);
    call(session, REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_NAME, 3);
    call(session, REMOTE_PROC_CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY, 4);
    if (write(fds[1], data + 1, size - 1) >= 0)
        shutdown(fds[1], SHUT_WR);
    for (guint i = 0; i < 64 && g_main_context_iteration(NULL, FALSE); i++)
        ;
    kiln_session_free(session);
    kiln_fd_clear(&fds[1]);
    return 0;
}
