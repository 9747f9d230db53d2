/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client -> its sessions, one a driver -> upstream; or an answer where there is no daemon. */
#include "relay/relay.h"

#include "base/be.h"
#include "error/vir-error.h"
#include "relay/session.h"
#include "relay/storage.h"
#include "rpc/frame.h"

#include <libvirt/virterror.h>
#include <string.h>

/* Where daemons listen, for the life of this one. */
typedef struct {
    char *paths[KILN_RELAY_N_DRIVERS][3]; /* (owned), NULL-terminated */
    char *uris[KILN_RELAY_N_DRIVERS];     /* (owned) */
    gboolean session;
} Upstreams;

/* Of one client, until it closes. */
typedef struct {
    KilnSession *sessions[KILN_RELAY_N_DRIVERS]; /* (owned) (nullable) */
} Relays;

static Upstreams upstreams;
static GHashTable *relays; /* KilnClient -> Relays (owned) */

void
kiln_relay_set_directories(const char *socket_dir, const char *storage_dir, gboolean session)
{
    if (storage_dir != NULL)
        kiln_storage_start(storage_dir);
    for (guint i = 0; i < KILN_RELAY_N_DRIVERS; i++) {
        const KilnRelayDriver *driver = kiln_relay_driver(i);

        g_free(upstreams.paths[i][0]);
        g_free(upstreams.paths[i][1]);
        g_free(upstreams.uris[i]);
        upstreams.paths[i][0] = g_strdup_printf("%s/%s-sock", socket_dir, driver->daemon);
        upstreams.paths[i][1] = g_strdup_printf("%s/libvirt-sock", socket_dir);
        upstreams.uris[i] =
            g_strdup_printf("%s:///%s", driver->scheme, session ? "session" : "system");
    }
    upstreams.session = session;
}

/* ---- Where there is no daemon ---- */

static void
answer_word(KilnClient *client, const KilnPacket *packet, guint32 word)
{
    KilnPacket header = *packet;
    guint8 payload[4];
    g_autoptr(GBytes) answer = NULL;

    header.type = KILN_FRAME_REPLY;
    kiln_be32_store(payload, word);
    answer = kiln_frame_encode_raw(&header, payload, sizeof payload);
    kiln_client_send_packet(client, answer);
}

static void
answer_alone(KilnClient *client, const KilnPacket *packet)
{
    const KilnRelayInfo *info = kiln_relay_info(packet->procedure);
    g_autofree char *particular = NULL;
    g_autofree char *text = NULL;

    if (packet->procedure == REMOTE_PROC_CONNECT_SUPPORTS_FEATURE) {
        answer_word(client, packet, 1); /* as every daemon since libvirt 7.1 */
        return;
    }
    if (info != NULL && info->driver == KILN_RELAY_STORAGE && kiln_storage_call(client, packet))
        return;
    if (info != NULL && info->alone != KILN_ALONE_ERROR) {
        answer_word(client, packet, 0); /* the number, and the length of the list */
        return;
    }
    particular =
        g_strdup_printf("no daemon with the %s driver runs on this host",
                        info != NULL ? kiln_relay_driver(info->driver)->scheme : "network");
    text = kiln_vir_error_text(VIR_ERR_NO_SUPPORT, particular);
    kiln_client_fail_packet(client, packet, VIR_ERR_NO_SUPPORT, text);
}

/* ---- Clients ---- */

static void
on_closed(KilnClient *client, gpointer data)
{
    (void)data;
    g_hash_table_remove(relays, client);
}

static void
relays_free(gpointer data)
{
    Relays *of = data;

    for (guint i = 0; i < KILN_RELAY_N_DRIVERS; i++)
        kiln_session_free(of->sessions[i]);
    g_free(of);
}

static KilnSession *
session_of(KilnClient *client, KilnRelayDriverId id)
{
    KilnSessionOptions options = {
        .paths = (const char *const *)upstreams.paths[id],
        .uri = upstreams.uris[id],
        .identify = !upstreams.session,
        .alone = answer_alone,
    };
    Relays *of;

    if (relays == NULL)
        relays = g_hash_table_new_full(NULL, NULL, NULL, relays_free);
    of = g_hash_table_lookup(relays, client);
    if (of == NULL) {
        of = g_new0(Relays, 1);
        g_hash_table_insert(relays, client, of);
        kiln_client_on_close(client, on_closed, NULL);
    }
    if (of->sessions[id] == NULL)
        of->sessions[id] = kiln_session_new(client, kiln_relay_driver(id), &options);
    return of->sessions[id];
}

void
kiln_relay_call(KilnClient *client, KilnPacket *packet)
{
    const KilnRelayInfo *info = kiln_relay_info(packet->procedure);

    if (info == NULL || upstreams.uris[0] == NULL)
        answer_alone(client, packet);
    else
        kiln_session_call(session_of(client, info->driver), packet);
}

void
kiln_relay_forward_feature(KilnClient *client, KilnPacket *packet)
{
    if (upstreams.uris[0] == NULL)
        answer_alone(client, packet);
    else
        kiln_session_call(session_of(client, KILN_RELAY_NETWORK), packet);
}
