/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/frame.h"

#include "base/be.h"
#include "base/fd.h"

#include <libvirt/virterror.h>

gsize
kiln_frame_length(const guint8 word[KILN_FRAME_LENGTH_SIZE], gsize max)
{
    guint32 length = kiln_be32_load(word);

    return length >= KILN_FRAME_HEADER_SIZE && length <= max ? length : 0;
}

KilnPacket *
kiln_frame_parse(GBytes *bytes)
{
    gsize length = 0;
    const guint8 *data = g_bytes_get_data(bytes, &length);
    KilnPacket *packet = NULL;

    if (length < KILN_FRAME_HEADER_SIZE || kiln_frame_length(data, KILN_FRAME_MAX) != length) {
        g_bytes_unref(bytes);
        return NULL;
    }
    packet = g_new0(KilnPacket, 1);
    packet->program = kiln_be32_load(data + 4);
    packet->version = kiln_be32_load(data + 8);
    packet->procedure = (gint32)kiln_be32_load(data + 12);
    packet->type = kiln_be32_load(data + 16);
    packet->serial = kiln_be32_load(data + 20);
    packet->status = kiln_be32_load(data + 24);
    packet->bytes = bytes;
    return packet;
}

void
kiln_packet_free(KilnPacket *packet)
{
    if (packet == NULL)
        return;
    for (guint i = 0; i < packet->n_fds; i++)
        kiln_fd_clear(&packet->fds[i]);
    g_free(packet->fds);
    g_bytes_unref(packet->bytes);
    g_free(packet);
}

static gboolean
has_fds(const KilnPacket *packet)
{
    return packet->type == KILN_FRAME_CALL_WITH_FDS || packet->type == KILN_FRAME_REPLY_WITH_FDS;
}

int
kiln_frame_n_fds(const KilnPacket *packet)
{
    gsize length = 0;
    const guint8 *data = g_bytes_get_data(packet->bytes, &length);
    guint32 n = 0;

    if (!has_fds(packet))
        return 0;
    if (length < KILN_FRAME_HEADER_SIZE + sizeof n)
        return -1;
    n = kiln_be32_load(data + KILN_FRAME_HEADER_SIZE);
    return n <= KILN_FRAME_FDS_MAX ? (int)n : -1;
}

const guint8 *
kiln_frame_payload(const KilnPacket *packet, gsize *length)
{
    gsize size = 0;
    const guint8 *data = g_bytes_get_data(packet->bytes, &size);
    gsize begin = KILN_FRAME_HEADER_SIZE + (has_fds(packet) ? sizeof(guint32) : 0);

    begin = MIN(begin, size);
    *length = size - begin;
    return data + begin;
}

gboolean
kiln_frame_decode(const KilnPacket *packet, xdrproc_t codec, gpointer value)
{
    gsize length = 0;
    const guint8 *payload = kiln_frame_payload(packet, &length);
    XDR xdr = { 0 };
    gboolean done = FALSE;

    if (codec == NULL)
        return TRUE;
    /* Decoding only reads. */
    xdrmem_create(&xdr, (char *)payload, length, XDR_DECODE);
    done = codec(&xdr, value);
    xdr_destroy(&xdr);
    return done;
}

static void
put_header(guint8 *to, const KilnPacket *header, gsize length)
{
    kiln_be32_store(to, length);
    kiln_be32_store(to + 4, header->program);
    kiln_be32_store(to + 8, header->version);
    kiln_be32_store(to + 12, (guint32)header->procedure);
    kiln_be32_store(to + 16, header->type);
    kiln_be32_store(to + 20, header->serial);
    kiln_be32_store(to + 24, header->status);
}

GBytes *
kiln_frame_encode_raw(const KilnPacket *header, gconstpointer payload, gsize length)
{
    guint8 *data = NULL;

    if (length > KILN_FRAME_MAX - KILN_FRAME_HEADER_SIZE)
        return NULL;
    data = g_malloc(KILN_FRAME_HEADER_SIZE + length);
    put_header(data, header, KILN_FRAME_HEADER_SIZE + length);
    if (length > 0)
        memcpy(data + KILN_FRAME_HEADER_SIZE, payload, length);
    return g_bytes_new_take(data, KILN_FRAME_HEADER_SIZE + length);
}

GBytes *
kiln_frame_encode(const KilnPacket *header, guint n_fds, xdrproc_t codec, gconstpointer value)
{
    gsize begin = KILN_FRAME_HEADER_SIZE + (has_fds(header) ? sizeof(guint32) : 0);
    gsize room = codec != NULL ? xdr_sizeof(codec, (gpointer)value) : 0;
    g_autofree guint8 *data = NULL;
    XDR xdr = { 0 };
    gboolean done = FALSE;

    /* Of what it cannot encode xdr_sizeof() says 0. */
    if (room > KILN_FRAME_MAX - begin)
        return NULL;
    data = g_malloc(begin + room);
    if (has_fds(header))
        kiln_be32_store(data + KILN_FRAME_HEADER_SIZE, n_fds);
    if (codec != NULL) {
        xdrmem_create(&xdr, (char *)data + begin, room, XDR_ENCODE);
        done = codec(&xdr, (gpointer)value);
        room = xdr_getpos(&xdr);
        xdr_destroy(&xdr);
        if (!done)
            return NULL;
    }
    put_header(data, header, begin + room);
    return g_bytes_new_take(g_steal_pointer(&data), begin + room);
}

GBytes *
kiln_frame_encode_error(const KilnPacket *header, int code, int domain, const char *message)
{
    KilnPacket failed = *header;
    g_autofree char *text = g_strdup(message);
    g_autofree char *valid = NULL;
    remote_error error = { .code = code, .domain = domain, .level = VIR_ERR_ERROR };

    /* A message may quote a stranger's bytes, or a whole document. */
    if (strlen(text) > REMOTE_STRING_MAX / 4)
        text[REMOTE_STRING_MAX / 4] = '\0';
    valid = g_utf8_make_valid(text, -1);
    error.message = &valid;
    error.str1 = &valid;
    failed.status = KILN_FRAME_ERROR;
    return kiln_frame_encode(&failed, 0, (xdrproc_t)xdr_remote_error, &error);
}

int
kiln_frame_error_domain(int code)
{
    switch (code) {
    case VIR_ERR_RPC: return VIR_FROM_RPC;
    /* By these virsh decides whether to start an agent that asks for a password. */
    case VIR_ERR_AUTH_FAILED:
    case VIR_ERR_AUTH_CANCELLED:
    case VIR_ERR_AUTH_UNAVAILABLE: return VIR_FROM_POLKIT;
    case VIR_ERR_XML_ERROR:
    case VIR_ERR_XML_DETAIL: return VIR_FROM_XML;
    default: return VIR_FROM_DOM;
    }
}
