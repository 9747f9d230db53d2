/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/keepalive.h"

#include "rpc/client-private.h"
#include "rpc/frame.h"

#include <sys/epoll.h>

static void
say(KilnClient *client, gint32 procedure)
{
    const KilnPacket header = {
        .program = KILN_PROGRAM_KEEPALIVE,
        .version = KILN_PROGRAM_VERSION,
        .procedure = procedure,
        .type = KILN_FRAME_MESSAGE,
    };
    g_autoptr(GBytes) packet = kiln_frame_encode_raw(&header, NULL, 0);

    kiln_client_queue(client, packet, NULL, 0);
}

void
kiln_keepalive_packet(KilnClient *client, const KilnPacket *packet)
{
    if (packet->type == KILN_FRAME_MESSAGE && packet->version == KILN_PROGRAM_VERSION &&
        packet->procedure == KILN_KEEPALIVE_PING)
        say(client, KILN_KEEPALIVE_PONG);
}

static void
check(KilnClient *client, guint count)
{
    /* While nothing is read of it, nothing can be heard. */
    if (client->heard || (kiln_client_io_events(client) & EPOLLIN) == 0) {
        client->heard = FALSE;
        client->pings_left = count;
    } else if (client->pings_left == 0) {
        kiln_client_close(client);
    } else {
        client->pings_left--;
        say(client, KILN_KEEPALIVE_PING);
    }
}

void
kiln_keepalive_tick(KilnServer *server)
{
    GList *next = NULL;

    for (GList *at = server->clients.head; at != NULL; at = next) {
        KilnClient *client = at->data;

        next = at->next;
        if (client->keepalive && !client->broken)
            check(client, server->limits.keepalive_count);
    }
}

void
kiln_client_start_keepalive(KilnClient *client)
{
    if (client->server == NULL || client->keepalive)
        return;
    client->keepalive = TRUE;
    client->heard = TRUE;
    client->pings_left = client->server->limits.keepalive_count;
}
