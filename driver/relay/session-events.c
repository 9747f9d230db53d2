/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Registrations for events outlive the daemon that they were made with: they are made again with
 * the next one, whose numbers are others.  The client goes on with the number that it was given.
 */
#include "relay/session-private.h"

#include "base/be.h"
#include "rpc/frame.h"

#include <libvirt/virterror.h>
#include <string.h>

enum { NUMBER_AT = KILN_FRAME_HEADER_SIZE }; /* the payload's first word: a callbackID */

void
kiln_registration_free(KilnRegistration *registration)
{
    g_bytes_unref(registration->call);
    g_free(registration);
}

static gboolean
read_number(const KilnPacket *packet, gint32 *number)
{
    gsize length = 0;
    const guint8 *bytes = g_bytes_get_data(packet->bytes, &length);

    if (length < NUMBER_AT + sizeof *number)
        return FALSE;
    *number = (gint32)kiln_be32_load(bytes + NUMBER_AT);
    return TRUE;
}

/* Returns: (transfer full): @packet with another number. */
static GBytes *
with_number(const KilnPacket *packet, gint32 number)
{
    gsize length = 0;
    const guint8 *bytes = g_bytes_get_data(packet->bytes, &length);
    guint8 *copy = g_memdup2(bytes, length);

    kiln_be32_store(copy + NUMBER_AT, (guint32)number);
    return g_bytes_new_take(copy, length);
}

static KilnRegistration *
find(KilnSession *session, gint32 number, gboolean of_client)
{
    for (guint i = 0; i < session->registrations->len; i++) {
        KilnRegistration *registration = g_ptr_array_index(session->registrations, i);

        if (of_client ? registration->client_id == number
                      : registration->live && registration->upstream_id == number)
            return registration;
    }
    return NULL;
}

/* The daemon's own number if the client does not know another registration by it. */
static gint32
free_number(KilnSession *session, gint32 wanted)
{
    while (find(session, wanted, TRUE) != NULL)
        wanted = wanted < G_MAXINT32 ? wanted + 1 : 0;
    return wanted;
}

static GBytes *
add(KilnSession *session, const KilnPacket *call, const KilnPacket *answer)
{
    KilnRegistration *registration;
    gint32 number = 0;

    if (!read_number(answer, &number) ||
        session->registrations->len >= KILN_SESSION_REGISTRATIONS_MAX)
        return g_bytes_ref(answer->bytes); /* its events will be nobody's */
    registration = g_new0(KilnRegistration, 1);
    registration->upstream_id = number;
    registration->client_id = free_number(session, number);
    registration->live = TRUE;
    registration->call = g_bytes_ref(call->bytes);
    g_ptr_array_add(session->registrations, registration);
    return with_number(answer, registration->client_id);
}

GBytes *
kiln_session_registered(KilnSession *session, const KilnPacket *call, const KilnPacket *answer)
{
    gint32 number = 0;

    if (call->procedure == session->driver->registers)
        return add(session, call, answer);
    if (read_number(call, &number)) { /* of the client: it is kept as that came */
        KilnRegistration *registration = find(session, number, TRUE);

        if (registration != NULL)
            g_ptr_array_remove(session->registrations, registration);
    }
    return g_bytes_ref(answer->bytes);
}

GBytes *
kiln_session_deregister(KilnSession *session, const KilnPacket *packet)
{
    KilnRegistration *registration;
    KilnPacket header = *packet;
    g_autoptr(GBytes) answer = NULL;
    gint32 number = 0;

    if (!read_number(packet, &number))
        return g_bytes_ref(packet->bytes); /* the daemon says what is wrong */
    registration = find(session, number, TRUE);
    if (registration == NULL)
        return with_number(packet, -1); /* likewise, whatever other's number that is there */
    if (registration->live)
        return with_number(packet, registration->upstream_id);
    /* It died with the daemon.  If it is being made again, its events will be nobody's. */
    g_ptr_array_remove(session->registrations, registration);
    header.type = KILN_FRAME_REPLY;
    answer = kiln_frame_encode(&header, 0, NULL, NULL);
    kiln_client_send_packet(session->client, answer);
    return NULL;
}

GBytes *
kiln_session_event(KilnSession *session, const KilnPacket *message)
{
    const int *known = session->driver->messages;
    const KilnRegistration *registration = NULL;
    gint32 number = 0;

    if (message->procedure == 0 ||
        (message->procedure != known[0] && message->procedure != known[1]) ||
        !read_number(message, &number))
        return NULL;
    registration = find(session, number, FALSE);
    return registration != NULL ? with_number(message, registration->client_id) : NULL;
}

void
kiln_session_replay(KilnSession *session)
{
    for (guint i = 0; i < session->registrations->len; i++) {
        KilnRegistration *registration = g_ptr_array_index(session->registrations, i);
        gsize length = 0;
        const guint8 *bytes = g_bytes_get_data(registration->call, &length);
        guint8 *copy = g_memdup2(bytes, length);
        g_autoptr(GBytes) call = g_bytes_new_take(copy, length);

        registration->serial = ++session->serial;
        kiln_be32_store(copy + 20, registration->serial); /* the header's word for it */
        kiln_link_send(session->link, call);
    }
}

gboolean
kiln_session_replayed(KilnSession *session, const KilnPacket *answer)
{
    for (guint i = 0; i < session->registrations->len; i++) {
        KilnRegistration *registration = g_ptr_array_index(session->registrations, i);

        if (registration->serial == 0 || registration->serial != answer->serial)
            continue;
        registration->serial = 0;
        registration->live =
            answer->status == KILN_FRAME_OK && read_number(answer, &registration->upstream_id);
        return TRUE;
    }
    return FALSE;
}

void
kiln_session_forget_live(KilnSession *session)
{
    for (guint i = 0; i < session->registrations->len; i++) {
        KilnRegistration *registration = g_ptr_array_index(session->registrations, i);

        registration->live = FALSE;
        registration->serial = 0;
    }
}
