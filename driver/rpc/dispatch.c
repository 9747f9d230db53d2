/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/dispatch.h"

#include "rpc/call-private.h"
#include "rpc/client-private.h"
#include "rpc/frame.h"
#include "rpc/keepalive.h"

/* How the API spells the words of procedures' names; others have one capital. */
static const struct {
    const char *word;
    const char *spelling;
} words[] = {
    { "CPU", "CPU" },
    { "FD", "FD" },
    { "FSFREEZE", "FSFreeze" },
    { "FSINFO", "FSInfo" },
    { "FSTHAW", "FSThaw" },
    { "FSTRIM", "FSTrim" },
    { "ID", "ID" },
    { "IOTHREAD", "IOThread" },
    { "NMI", "NMI" },
    { "NWFILTER", "NWFilter" },
    { "NWFILTERS", "NWFilters" },
    { "OS", "OS" },
    { "PM", "PM" },
    { "SCSI", "SCSI" },
    { "SEV", "SEV" },
    { "SSH", "SSH" },
    { "URI", "URI" },
    { "UUID", "UUID" },
    { "WWN", "WWN" },
    { "XML", "XML" },
    { "CAPABILITIES", "Capabilities" },
};

static void
append_word(GString *to, const char *word)
{
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        if (strcmp(words[i].word, word) == 0) {
            g_string_append(to, words[i].spelling);
            return;
        }
    }
    for (const char *at = word; *at != '\0'; at++)
        g_string_append_c(to, at == word ? *at : g_ascii_tolower(*at));
}

char *
kiln_dispatch_function(const char *name)
{
    g_auto(GStrv) parts = g_strsplit(name, "_", -1);
    GString *function = g_string_new("vir");

    for (guint i = 0; parts[i] != NULL; i++)
        append_word(function, parts[i]);
    return g_string_free(function, FALSE);
}

G_GNUC_PRINTF(4, 5)
static void
refuse(KilnClient *client, const KilnPacket *packet, int code, const char *format, ...)
{
    g_autofree char *particular = NULL;
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    particular = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    text = kiln_vir_error_text(code, particular);
    kiln_client_fail_packet(client, packet, code, text);
}

/* Whether the client may make that call, as things are with it. */
static gboolean
check_access(KilnClient *client, const KilnPacket *packet, const KilnProcedure *row)
{
    g_autofree char *function = NULL;

    if (row->access == KILN_ACCESS_ANYBODY)
        return TRUE;
    if (!client->authenticated) {
        refuse(client, packet, VIR_ERR_RPC, "authentication required");
        return FALSE;
    }
    if (row->access == KILN_ACCESS_CONNECT)
        return TRUE;
    if (!client->opened) {
        refuse(client, packet, VIR_ERR_INTERNAL_ERROR, "connection not open");
        return FALSE;
    }
    if (row->access == KILN_ACCESS_READ || !kiln_client_is_read_only(client))
        return TRUE;
    function = kiln_dispatch_function(row->name);
    refuse(client, packet, VIR_ERR_OPERATION_DENIED, "read only access prevents %s", function);
    return FALSE;
}

/* Takes @packet. */
static void
run_row(KilnClient *client, KilnPacket *packet, const KilnProcedure *row)
{
    if (!check_access(client, packet, row)) {
        kiln_packet_free(packet);
    } else if (row->reason != NULL) {
        refuse(client, packet, VIR_ERR_OPERATION_UNSUPPORTED, "%s", row->reason);
        kiln_packet_free(packet);
    } else if (row->raw != NULL) {
        kiln_client_expect_raw(client, packet->serial);
        row->raw(client, packet);
        kiln_packet_free(packet);
    } else {
        kiln_call_start(client, row, packet);
    }
}

/* What has no row: the protocol's numbers are known to be missing, others are not known at all,
 * which newer clients understand too. */
static void
refuse_unknown(KilnClient *client, const KilnPacket *packet, gint32 n_known)
{
    static const KilnProcedure any = { .name = "CONNECT", .access = KILN_ACCESS_READ };

    if (!client->authenticated)
        check_access(client, packet, &any);
    else if (packet->procedure <= 0 || packet->procedure >= n_known)
        refuse(client, packet, VIR_ERR_RPC, "unknown procedure: %d", packet->procedure);
    else
        refuse(client, packet, VIR_ERR_NO_SUPPORT, "procedure %d of program 0x%x",
               packet->procedure, packet->program);
}

static void
dispatch_remote(KilnClient *client, KilnPacket *packet)
{
    const KilnProcedure *row = NULL;

    if (packet->procedure > 0 && packet->procedure < KILN_REMOTE_PROCEDURES)
        row = client->server->remote[packet->procedure];
    if (row != NULL) {
        run_row(client, packet, row);
        return;
    }
    refuse_unknown(client, packet, KILN_REMOTE_PROCEDURES);
    kiln_packet_free(packet);
}

/* All of these are refused on a read-only connection, by libvirt too. */
static void
dispatch_other(KilnClient *client, KilnPacket *packet)
{
    const KilnProcedure none = { .name = "CONNECT", .access = KILN_ACCESS_WRITE };
    const KilnProcedure *row = NULL;
    gboolean qemu = packet->program == KILN_PROGRAM_QEMU;

    if (qemu && packet->procedure > 0 && packet->procedure < KILN_QEMU_PROCEDURES)
        row = client->server->qemu[packet->procedure];
    if (row != NULL) {
        run_row(client, packet, row);
        return;
    }
    if (check_access(client, packet, &none))
        refuse(client, packet, VIR_ERR_NO_SUPPORT,
               "kiln guests have nothing of the %s driver's own", qemu ? "QEMU" : "LXC");
    kiln_packet_free(packet);
}

static void
dispatch_call(KilnClient *client, KilnPacket *packet)
{
    /* The answer of one would be taken for the other's, and any number of them count as one. */
    if (kiln_client_expects_raw(client, packet->serial)) {
        kiln_packet_free(packet);
        kiln_client_abort(client);
        return;
    }
    if (packet->version == KILN_PROGRAM_VERSION && packet->status == KILN_FRAME_OK) {
        switch (packet->program) {
        case KILN_PROGRAM_REMOTE: dispatch_remote(client, packet); return;
        case KILN_PROGRAM_QEMU:
        case KILN_PROGRAM_LXC: dispatch_other(client, packet); return;
        default: break;
        }
    }
    if (packet->status != KILN_FRAME_OK)
        refuse(client, packet, VIR_ERR_RPC, "Unexpected message status %u", packet->status);
    else
        refuse(client, packet, VIR_ERR_RPC, "Cannot find program %u version %u", packet->program,
               packet->version);
    kiln_packet_free(packet);
}

void
kiln_dispatch_packet(KilnClient *client, KilnPacket *packet)
{
    if (packet->program == KILN_PROGRAM_KEEPALIVE) {
        kiln_keepalive_packet(client, packet);
        kiln_packet_free(packet);
        return;
    }
    switch (packet->type) {
    case KILN_FRAME_CALL:
    case KILN_FRAME_CALL_WITH_FDS: dispatch_call(client, packet); return;
    case KILN_FRAME_STREAM:
    case KILN_FRAME_STREAM_HOLE:
        /* Of a stream that has ended here the client may not know it yet. */
        kiln_client_to_claim(client, packet);
        break;
    default: break;
    }
    kiln_packet_free(packet);
}
