/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connection itself: its name, what it can do, whose host it is. */
#include "base/fd.h"
#include "ops/driver.h"
#include "ops/tables.h"
#include "relay/relay.h"

#include <config.h>

#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ---- Names ---- */

gboolean
kiln_ops_open(gpointer data, const char *name, GError **error)
{
    const KilnDriver *driver = data;
    g_autofree char *scheme = NULL;
    g_autofree char *path = NULL;
    const char *mine = driver->session ? "/session" : "/system";

    if (name == NULL || *name == '\0')
        return TRUE;
    scheme = g_uri_parse_scheme(name);
    if (scheme == NULL)
        return kiln_vir_error_set(error, VIR_ERR_NO_CONNECT, "%s", name);
    if (!g_uri_split(name, G_URI_FLAGS_NONE, NULL, NULL, NULL, NULL, &path, NULL, NULL, error)) {
        g_clear_error(error);
        return kiln_vir_error_set(error, VIR_ERR_INTERNAL_ERROR, "cannot parse URI '%s'", name);
    }
    /* Root's session is the system, as libvirt's own drivers have it. */
    if (strcmp(path, mine) == 0 || (!driver->session && strcmp(path, "/session") == 0))
        return TRUE;
    return kiln_vir_error_set(error, VIR_ERR_INTERNAL_ERROR,
                              "unexpected %s URI path '%s', try %s://%s", scheme, path, scheme,
                              mine);
}

/* A client that asked for qemu:///... compares the type with QEMU's, and its version with when QEMU
 * learned what. */
static gboolean
speaks_of_qemu(const KilnCall *call)
{
    const char *name = kiln_client_uri(kiln_call_client(call));

    return name != NULL && g_ascii_strncasecmp(name, "qemu:", 5) == 0;
}

static void
on_get_type(KilnCall *call, G_GNUC_UNUSED gconstpointer data)
{
    remote_connect_get_type_ret ret = { (char *)(speaks_of_qemu(call) ? "QEMU" : "KILN") };

    kiln_call_reply(call, &ret);
}

/* "1.2.3" as libvirt's number. */
static guint64
version_number(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, ".", 3);
    guint64 number = 0;

    for (guint i = 0; i < 3; i++)
        number =
            number * 1000 + (i < g_strv_length(parts) ? g_ascii_strtoull(parts[i], NULL, 10) : 0);
    return number;
}

enum { QEMU_VERSION = 7002000 }; /* whose devices' defaults such a client may choose */

static void
on_get_version(KilnCall *call, G_GNUC_UNUSED gconstpointer data)
{
    remote_connect_get_version_ret ret = { speaks_of_qemu(call) ? QEMU_VERSION
                                                                : version_number(PACKAGE_VERSION) };

    kiln_call_reply(call, &ret);
}

static void
on_get_lib_version(KilnCall *call, G_GNUC_UNUSED gconstpointer data)
{
    remote_connect_get_lib_version_ret ret = { LIBVIR_VERSION_NUMBER };

    kiln_call_reply(call, &ret);
}

static void
on_get_uri(KilnCall *call, G_GNUC_UNUSED gconstpointer data)
{
    const char *name = kiln_client_uri(kiln_call_client(call));
    remote_connect_get_uri_ret ret;

    if (name == NULL || *name == '\0')
        name = kiln_ops_driver(call)->session ? "kiln:///session" : "kiln:///system";
    ret.uri = (char *)name;
    kiln_call_reply(call, &ret);
}

static void
on_get_hostname(KilnCall *call, G_GNUC_UNUSED gconstpointer data)
{
    char name[256] = "";
    remote_connect_get_hostname_ret ret = { name };

    if (gethostname(name, sizeof name - 1) < 0) {
        kiln_call_fail(call, VIR_ERR_SYSTEM_ERROR, "failed to determine host name");
        return;
    }
    kiln_call_reply(call, &ret);
}

/* ---- What it can do ---- */

/* Of the frame (virNetMessageType, virNetMessageStatus). */
enum { FRAME_REPLY = 1, FRAME_OK = 0 };

/* Numbers of libvirt's internal list of driver features, which are part of the protocol. */
enum {
    FEATURE_FD_PASSING = 8,
    FEATURE_TYPED_PARAM_STRING = 9,
    FEATURE_KEEPALIVE = 10,
    FEATURE_XML_MIGRATABLE = 11,
    FEATURE_EVENT_CALLBACK = 14,
    FEATURE_CLOSE_CALLBACK = 15,
    FEATURE_NETWORK_UPDATE_ORDER = 16,
};

enum { HEADER_BYTES = 28 }; /* of a packet, with its length word; all of it is big-endian */

static void
answer_feature(KilnClient *client, const KilnPacket *packet, guint32 supported)
{
    const guint32 words[] = {
        HEADER_BYTES + sizeof supported,
        packet->program,
        packet->version,
        (guint32)packet->procedure,
        FRAME_REPLY,
        packet->serial,
        FRAME_OK,
        supported,
    };
    guint32 wire[G_N_ELEMENTS(words)];
    g_autoptr(GBytes) answer = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        wire[i] = GUINT32_TO_BE(words[i]);
    answer = g_bytes_new(wire, sizeof wire);
    kiln_client_send_packet(client, answer);
}

/* Raw, since the one that is the network driver's to answer goes on as it came. */
static void
on_supports_feature(KilnClient *client, KilnPacket *packet)
{
    static const guint32 supported = 1u << FEATURE_FD_PASSING | 1u << FEATURE_TYPED_PARAM_STRING |
                                     1u << FEATURE_KEEPALIVE | 1u << FEATURE_XML_MIGRATABLE |
                                     1u << FEATURE_EVENT_CALLBACK | 1u << FEATURE_CLOSE_CALLBACK;
    gsize size;
    const guint8 *bytes = g_bytes_get_data(packet->bytes, &size);
    guint32 feature;

    if (size < HEADER_BYTES + sizeof feature) {
        kiln_client_fail_packet(client, packet, VIR_ERR_RPC, "Unable to decode message payload");
        return;
    }
    memcpy(&feature, bytes + HEADER_BYTES, sizeof feature);
    feature = GUINT32_FROM_BE(feature);
    if (feature == FEATURE_KEEPALIVE)
        kiln_client_start_keepalive(client);
    if (feature == FEATURE_NETWORK_UPDATE_ORDER)
        kiln_relay_forward_feature(client, packet);
    else
        answer_feature(client, packet, feature < 32 ? supported >> feature & 1 : 0);
}

static void
on_is_secure(KilnCall *call, G_GNUC_UNUSED gconstpointer data)
{
    remote_connect_is_secure_ret ret = { TRUE }; /* it never leaves this host */

    kiln_call_reply(call, &ret);
}

/* ---- How many vCPUs a guest may have ---- */

enum { FALLBACK_VCPUS = 8 }; /* KVM API 4.7: what there is where the host does not say */

static int
max_vcpus(void)
{
    g_auto(KilnFd) kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    int n = kvm >= 0 ? ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS) : 0;

    if (n <= 0)
        n = FALLBACK_VCPUS;
    return MIN(n, (int)KILN_MAX_VCPUS);
}

static void
on_get_max_vcpus(KilnCall *call, gconstpointer data)
{
    const remote_connect_get_max_vcpus_args *args = data;
    remote_connect_get_max_vcpus_ret ret = { 0 };
    const char *type = args->type != NULL ? *args->type : NULL;

    if (type != NULL && g_ascii_strcasecmp(type, "kvm") != 0 &&
        g_ascii_strcasecmp(type, "qemu") != 0) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "unknown type '%s'", type);
        return;
    }
    ret.max_vcpus = max_vcpus();
    kiln_call_reply(call, &ret);
}

static const KilnProcedure rows[] = {
    KILN_PROC_RET(CONNECT_GET_TYPE, connect_get_type, KILN_ACCESS_READ, on_get_type),
    KILN_PROC_RET(CONNECT_GET_VERSION, connect_get_version, KILN_ACCESS_READ, on_get_version),
    KILN_PROC_RET(CONNECT_GET_LIB_VERSION, connect_get_lib_version, KILN_ACCESS_READ,
                  on_get_lib_version),
    KILN_PROC_RET(CONNECT_GET_URI, connect_get_uri, KILN_ACCESS_READ, on_get_uri),
    KILN_PROC_RET(CONNECT_GET_HOSTNAME, connect_get_hostname, KILN_ACCESS_READ, on_get_hostname),
    KILN_PROC_RAW(CONNECT_SUPPORTS_FEATURE, KILN_ACCESS_CONNECT, on_supports_feature),
    KILN_PROC_RET(CONNECT_IS_SECURE, connect_is_secure, KILN_ACCESS_READ, on_is_secure),
    KILN_PROC(CONNECT_GET_MAX_VCPUS, connect_get_max_vcpus, KILN_ACCESS_READ, on_get_max_vcpus),
};

const KilnProcedureTable kiln_ops_connect = { rows, G_N_ELEMENTS(rows) };
