/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/disk-source.h"

const char *const kiln_disk_type_names[KILN_N_DISK_TYPE] = {
    [KILN_DISK_TYPE_FILE] = "file",     [KILN_DISK_TYPE_BLOCK] = "block",
    [KILN_DISK_TYPE_DIR] = "dir",       [KILN_DISK_TYPE_NETWORK] = "network",
    [KILN_DISK_TYPE_NVME] = "nvme",     [KILN_DISK_TYPE_VHOSTUSER] = "vhostuser",
    [KILN_DISK_TYPE_VOLUME] = "volume",
};

const char *const kiln_disk_protocol_names[KILN_N_DISK_PROTOCOL] = {
    [KILN_DISK_PROTOCOL_NBD] = "nbd",         [KILN_DISK_PROTOCOL_RBD] = "rbd",
    [KILN_DISK_PROTOCOL_ISCSI] = "iscsi",     [KILN_DISK_PROTOCOL_HTTP] = "http",
    [KILN_DISK_PROTOCOL_HTTPS] = "https",     [KILN_DISK_PROTOCOL_FTP] = "ftp",
    [KILN_DISK_PROTOCOL_FTPS] = "ftps",       [KILN_DISK_PROTOCOL_TFTP] = "tftp",
    [KILN_DISK_PROTOCOL_GLUSTER] = "gluster", [KILN_DISK_PROTOCOL_SHEEPDOG] = "sheepdog",
    [KILN_DISK_PROTOCOL_VXHS] = "vxhs",       [KILN_DISK_PROTOCOL_NFS] = "nfs",
};

const char *const kiln_disk_transport_names[KILN_N_DISK_TRANSPORT] = {
    [KILN_DISK_TRANSPORT_TCP] = "tcp",
    [KILN_DISK_TRANSPORT_RDMA] = "rdma",
    [KILN_DISK_TRANSPORT_UNIX] = "unix",
};

const char *const kiln_disk_startup_policy_names[KILN_N_DISK_STARTUP_POLICY] = {
    [KILN_DISK_STARTUP_POLICY_MANDATORY] = "mandatory",
    [KILN_DISK_STARTUP_POLICY_REQUISITE] = "requisite",
    [KILN_DISK_STARTUP_POLICY_OPTIONAL] = "optional",
};

const char *const kiln_disk_volume_mode_names[KILN_N_DISK_VOLUME_MODE] = {
    [KILN_DISK_VOLUME_MODE_HOST] = "host",
    [KILN_DISK_VOLUME_MODE_DIRECT] = "direct",
};

const char *const kiln_disk_auth_type_names[KILN_N_DISK_AUTH_TYPE] = {
    [KILN_DISK_AUTH_TYPE_CEPH] = "ceph",
    [KILN_DISK_AUTH_TYPE_ISCSI] = "iscsi",
};

const char *const kiln_disk_nvme_kind_names[KILN_N_DISK_NVME_KIND] = {
    [KILN_DISK_NVME_KIND_PCI] = "pci",
};

const char *const kiln_disk_encryption_format_names[KILN_N_DISK_ENCRYPTION_FORMAT] = {
    [KILN_DISK_ENCRYPTION_FORMAT_DEFAULT] = "default",
    [KILN_DISK_ENCRYPTION_FORMAT_QCOW] = "qcow",
    [KILN_DISK_ENCRYPTION_FORMAT_LUKS] = "luks",
    [KILN_DISK_ENCRYPTION_FORMAT_LUKS2] = "luks2",
};

const char *const kiln_disk_encryption_engine_names[KILN_N_DISK_ENCRYPTION_ENGINE] = {
    [KILN_DISK_ENCRYPTION_ENGINE_QEMU] = "qemu",
    [KILN_DISK_ENCRYPTION_ENGINE_LIBRBD] = "librbd",
};

const char *const kiln_disk_secret_type_names[KILN_N_DISK_SECRET_TYPE] = {
    [KILN_DISK_SECRET_TYPE_PASSPHRASE] = "passphrase",
};

const char *const kiln_disk_slice_type_names[KILN_N_DISK_SLICE_TYPE] = {
    [KILN_DISK_SLICE_TYPE_STORAGE] = "storage",
};

static void
check_host(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnDiskHost *host = object;

    if (host->transport == KILN_DISK_TRANSPORT_UNIX) {
        if (host->socket == NULL || host->name != NULL || host->port.set)
            kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                           "transport 'unix' has 'socket', and neither 'name' nor 'port'");
    } else if (host->name == NULL || host->socket != NULL) {
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                       "needs 'name', and has 'socket' with transport 'unix' only");
    }
}

static const KilnField disk_host_fields[] = {
    KILN_FIELD_ENUM(KilnDiskHost, transport, "@transport", kiln_disk_transport_names),
    KILN_FIELD_STRING(KilnDiskHost, name, "@name", .rule = &kiln_host_rule),
    KILN_FIELD_UINT(KilnDiskHost, port, "@port", 0, 65535),
    KILN_FIELD_STRING(KilnDiskHost, socket, "@socket", .rule = &kiln_path_rule),
    KILN_FIELD_END,
};

static const KilnStruct disk_host_struct = {
    .size = sizeof(KilnDiskHost),
    .fields = disk_host_fields,
    .check = check_host,
};

static void
check_auth(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnDiskAuth *auth = object;

    if ((auth->secret_uuid == NULL) == (auth->secret_usage == NULL))
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                       "needs a <secret> with either 'uuid' or 'usage'");
}

static const KilnField disk_auth_fields[] = {
    KILN_FIELD_STRING(KilnDiskAuth, username, "@username", .flags = KILN_FIELD_REQUIRED,
                      .rule = &kiln_generic_rule),
    KILN_FIELD_ENUM(KilnDiskAuth, secret_type, "secret@type", kiln_disk_auth_type_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnDiskAuth, secret_uuid, "secret@uuid", .rule = &kiln_uuid_rule),
    KILN_FIELD_STRING(KilnDiskAuth, secret_usage, "secret@usage"),
    KILN_FIELD_END,
};

const KilnStruct kiln_disk_auth_struct = {
    .size = sizeof(KilnDiskAuth),
    .fields = disk_auth_fields,
    .check = check_auth,
};

static const KilnField disk_secret_fields[] = {
    KILN_FIELD_ENUM(KilnDiskSecret, type, "@type", kiln_disk_secret_type_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnDiskSecret, uuid, "@uuid", .rule = &kiln_uuid_rule),
    KILN_FIELD_STRING(KilnDiskSecret, usage, "@usage"),
    KILN_FIELD_END,
};

static const KilnStruct disk_secret_struct = {
    .size = sizeof(KilnDiskSecret),
    .fields = disk_secret_fields,
};

static const KilnField disk_encryption_fields[] = {
    KILN_FIELD_ENUM(KilnDiskEncryption, format, "@format", kiln_disk_encryption_format_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_ENUM(KilnDiskEncryption, engine, "@engine", kiln_disk_encryption_engine_names),
    KILN_FIELD_STRUCT(KilnDiskEncryption, secret, "secret", &disk_secret_struct,
                      .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnDiskEncryption, cipher_name, "cipher@name", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnDiskEncryption, cipher_size, "cipher@size", 0, G_MAXUINT32,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnDiskEncryption, cipher_mode, "cipher@mode"),
    KILN_FIELD_STRING(KilnDiskEncryption, cipher_hash, "cipher@hash"),
    KILN_FIELD_STRING(KilnDiskEncryption, ivgen_name, "ivgen@name", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnDiskEncryption, ivgen_hash, "ivgen@hash"),
    KILN_FIELD_END,
};

const KilnStruct kiln_disk_encryption_struct = {
    .size = sizeof(KilnDiskEncryption),
    .fields = disk_encryption_fields,
};

static const KilnField disk_slice_fields[] = {
    KILN_FIELD_ENUM(KilnDiskSlice, type, "@type", kiln_disk_slice_type_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnDiskSlice, offset, "@offset", 0, G_MAXINT64, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnDiskSlice, size, "@size", 1, G_MAXINT64, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_END,
};

static const KilnStruct disk_slice_struct = {
    .size = sizeof(KilnDiskSlice),
    .fields = disk_slice_fields,
};

static const KilnField disk_reservations_fields[] = {
    KILN_FIELD_SWITCH(KilnDiskReservations, managed, "@managed", YESNO),
    KILN_FIELD_EMBED(KilnDiskReservations, socket, "source", &kiln_unix_socket_struct),
    KILN_FIELD_END,
};

static const KilnStruct disk_reservations_struct = {
    .size = sizeof(KilnDiskReservations),
    .fields = disk_reservations_fields,
};

static const KilnField disk_cookie_fields[] = {
    KILN_FIELD_STRING(KilnDiskCookie, name, "@name", .flags = KILN_FIELD_REQUIRED,
                      .rule = &kiln_cookie_name_rule),
    KILN_FIELD_STRING(KilnDiskCookie, value, ".", .rule = &kiln_cookie_value_rule),
    KILN_FIELD_END,
};

static const KilnStruct disk_cookie_struct = {
    .size = sizeof(KilnDiskCookie),
    .fields = disk_cookie_fields,
};

static const KilnField disk_network_fields[] = {
    KILN_FIELD_ENUM(KilnDiskNetwork, protocol, "@protocol", kiln_disk_protocol_names,
                    .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(
        KilnDiskNetwork, name, "@name",
        .only = KILN_ONLY(KILN_DISK_PROTOCOL_NBD) | KILN_ONLY(KILN_DISK_PROTOCOL_RBD) |
                KILN_ONLY(KILN_DISK_PROTOCOL_ISCSI) | KILN_ONLY(KILN_DISK_PROTOCOL_HTTP) |
                KILN_ONLY(KILN_DISK_PROTOCOL_HTTPS) | KILN_ONLY(KILN_DISK_PROTOCOL_FTP) |
                KILN_ONLY(KILN_DISK_PROTOCOL_FTPS) | KILN_ONLY(KILN_DISK_PROTOCOL_TFTP) |
                KILN_ONLY(KILN_DISK_PROTOCOL_GLUSTER) | KILN_ONLY(KILN_DISK_PROTOCOL_SHEEPDOG) |
                KILN_ONLY(KILN_DISK_PROTOCOL_VXHS) | KILN_ONLY(KILN_DISK_PROTOCOL_NFS)),
    KILN_FIELD_STRING(KilnDiskNetwork, query, "@query",
                      .only =
                          KILN_ONLY(KILN_DISK_PROTOCOL_HTTP) | KILN_ONLY(KILN_DISK_PROTOCOL_HTTPS)),
    KILN_FIELD_SWITCH(KilnDiskNetwork, tls, "@tls", YESNO,
                      .only =
                          KILN_ONLY(KILN_DISK_PROTOCOL_NBD) | KILN_ONLY(KILN_DISK_PROTOCOL_VXHS)),
    KILN_FIELD_STRING(KilnDiskNetwork, tls_hostname, "@tlsHostname",
                      .only = KILN_ONLY(KILN_DISK_PROTOCOL_NBD)),
    KILN_FIELD_LIST(KilnDiskNetwork, hosts, "host", &disk_host_struct),
    KILN_FIELD_STRING(KilnDiskNetwork, snapshot, "snapshot@name",
                      .only = KILN_ONLY(KILN_DISK_PROTOCOL_RBD), .rule = &kiln_generic_rule),
    KILN_FIELD_STRING(KilnDiskNetwork, config, "config@file",
                      .only = KILN_ONLY(KILN_DISK_PROTOCOL_RBD), .rule = &kiln_path_rule),
    KILN_FIELD_STRING(KilnDiskNetwork, identity_user, "identity@user",
                      .only = KILN_ONLY(KILN_DISK_PROTOCOL_NFS), .rule = &kiln_generic_rule),
    KILN_FIELD_STRING(KilnDiskNetwork, identity_group, "identity@group",
                      .only = KILN_ONLY(KILN_DISK_PROTOCOL_NFS), .rule = &kiln_generic_rule),
    KILN_FIELD_STRING(KilnDiskNetwork, initiator_iqn, "initiator/iqn@name",
                      .only = KILN_ONLY(KILN_DISK_PROTOCOL_ISCSI)),
    KILN_FIELD_SWITCH(KilnDiskNetwork, ssl_verify, "ssl@verify", YESNO,
                      .only =
                          KILN_ONLY(KILN_DISK_PROTOCOL_HTTPS) | KILN_ONLY(KILN_DISK_PROTOCOL_FTPS)),
    KILN_FIELD_LIST(KilnDiskNetwork, cookies, "cookies/cookie", &disk_cookie_struct,
                    .only =
                        KILN_ONLY(KILN_DISK_PROTOCOL_HTTP) | KILN_ONLY(KILN_DISK_PROTOCOL_HTTPS),
                    .flags = KILN_FIELD_SECRET),
    KILN_FIELD_UINT(
        KilnDiskNetwork, readahead_bytes, "readahead@size", 1, G_MAXUINT32,
        .only = KILN_ONLY(KILN_DISK_PROTOCOL_HTTP) | KILN_ONLY(KILN_DISK_PROTOCOL_HTTPS) |
                KILN_ONLY(KILN_DISK_PROTOCOL_FTP) | KILN_ONLY(KILN_DISK_PROTOCOL_FTPS) |
                KILN_ONLY(KILN_DISK_PROTOCOL_TFTP) | KILN_ONLY(KILN_DISK_PROTOCOL_SHEEPDOG)),
    KILN_FIELD_UINT(
        KilnDiskNetwork, timeout_s, "timeout@seconds", 1, G_MAXUINT32,
        .only = KILN_ONLY(KILN_DISK_PROTOCOL_HTTP) | KILN_ONLY(KILN_DISK_PROTOCOL_HTTPS) |
                KILN_ONLY(KILN_DISK_PROTOCOL_FTP) | KILN_ONLY(KILN_DISK_PROTOCOL_FTPS) |
                KILN_ONLY(KILN_DISK_PROTOCOL_TFTP) | KILN_ONLY(KILN_DISK_PROTOCOL_SHEEPDOG)),
    KILN_FIELD_END,
};

const KilnStruct kiln_disk_network_struct = {
    .size = sizeof(KilnDiskNetwork),
    .fields = disk_network_fields,
    KILN_STRUCT_VARIANT(KilnDiskNetwork, protocol),
};

static void
check_network(const KilnDiskNetwork *network, const KilnXmlNode *node, KilnFaults *faults)
{
    guint most = network->protocol == KILN_DISK_PROTOCOL_RBD ||
                         network->protocol == KILN_DISK_PROTOCOL_GLUSTER
                     ? G_MAXUINT
                     : 1;

    if (network->name == NULL && network->protocol != KILN_DISK_PROTOCOL_NBD &&
        network->protocol != KILN_DISK_PROTOCOL_RBD)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "protocol '%s' needs <source name=>",
                       kiln_disk_protocol_names[network->protocol]);
    if (network->hosts->len > most ||
        (network->hosts->len == 0 && network->protocol != KILN_DISK_PROTOCOL_RBD))
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "protocol '%s' needs %s <host>",
                       kiln_disk_protocol_names[network->protocol],
                       most == 1 ? "exactly one" : "at least one");
}

/* An element with a <source> but no type means a file; one with neither ends a backing chain. */
static void
check_source(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    KilnDiskSource *source = object;

    if (source->type == KILN_DISK_TYPE_NETWORK &&
        source->network.protocol == KILN_DISK_PROTOCOL_ABSENT)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                       "type 'network' needs <source protocol=>");
    else if (source->type == KILN_DISK_TYPE_NETWORK)
        check_network(&source->network, node, faults);
    if (source->type == KILN_DISK_TYPE_VOLUME && (source->pool == NULL) != (source->volume == NULL))
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                       "type 'volume' needs both 'pool' and 'volume' in <source>");
    if (source->type == KILN_DISK_TYPE_VHOSTUSER && source->socket.path == NULL)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "type 'vhostuser' needs <source path=>");
    if (source->type == KILN_DISK_TYPE_NVME && source->nvme_kind != KILN_DISK_NVME_KIND_PCI)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "type 'nvme' needs <source type='pci'>");
    if (source->socket.mode != KILN_SOCKET_MODE_ABSENT)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                       "type 'vhostuser' has no <source mode=>");
    if (source->slices->len > 1)
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "has one <slice> at most");
}

static const KilnField disk_source_fields[] = {
    KILN_FIELD_ENUM(KilnDiskSource, type, "@type", kiln_disk_type_names),
    KILN_FIELD_ENUM(KilnDiskSource, nvme_kind, "source@type", kiln_disk_nvme_kind_names,
                    .only = KILN_ONLY(KILN_DISK_TYPE_NVME), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnDiskSource, file, "source@file",
                      .only = KILN_ONLY(KILN_DISK_TYPE_ABSENT) | KILN_ONLY(KILN_DISK_TYPE_FILE),
                      .rule = &kiln_path_rule),
    KILN_FIELD_STRING(KilnDiskSource, fdgroup, "source@fdgroup",
                      .only = KILN_ONLY(KILN_DISK_TYPE_ABSENT) | KILN_ONLY(KILN_DISK_TYPE_FILE)),
    KILN_FIELD_STRING(KilnDiskSource, dev, "source@dev", .only = KILN_ONLY(KILN_DISK_TYPE_BLOCK),
                      .rule = &kiln_block_rule),
    KILN_FIELD_STRING(KilnDiskSource, dir, "source@dir", .only = KILN_ONLY(KILN_DISK_TYPE_DIR),
                      .rule = &kiln_path_rule),
    KILN_FIELD_STRING(KilnDiskSource, pool, "source@pool",
                      .only = KILN_ONLY(KILN_DISK_TYPE_VOLUME)),
    KILN_FIELD_STRING(KilnDiskSource, volume, "source@volume",
                      .only = KILN_ONLY(KILN_DISK_TYPE_VOLUME), .rule = &kiln_no_slash_rule),
    KILN_FIELD_ENUM(KilnDiskSource, volume_mode, "source@mode", kiln_disk_volume_mode_names,
                    .only = KILN_ONLY(KILN_DISK_TYPE_VOLUME)),
    KILN_FIELD_UINT(KilnDiskSource, nvme_namespace, "source@namespace", 0, G_MAXUINT32,
                    .only = KILN_ONLY(KILN_DISK_TYPE_NVME), .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_SWITCH(KilnDiskSource, nvme_managed, "source@managed", YESNO,
                      .only = KILN_ONLY(KILN_DISK_TYPE_NVME)),
    KILN_FIELD_EMBED(KilnDiskSource, socket, "source", &kiln_unix_socket_struct,
                     .only = KILN_ONLY(KILN_DISK_TYPE_VHOSTUSER)),
    KILN_FIELD_ENUM(KilnDiskSource, startup_policy, "source@startupPolicy",
                    kiln_disk_startup_policy_names,
                    .only = KILN_ONLY(KILN_DISK_TYPE_ABSENT) | KILN_ONLY(KILN_DISK_TYPE_FILE) |
                            KILN_ONLY(KILN_DISK_TYPE_BLOCK) | KILN_ONLY(KILN_DISK_TYPE_DIR) |
                            KILN_ONLY(KILN_DISK_TYPE_VOLUME) | KILN_ONLY(KILN_DISK_TYPE_NVME)),
    KILN_FIELD_UINT(KilnDiskSource, index, "source@index", 1, G_MAXUINT32,
                    .only = KILN_ONLY(KILN_DISK_TYPE_ABSENT) | KILN_ONLY(KILN_DISK_TYPE_FILE) |
                            KILN_ONLY(KILN_DISK_TYPE_BLOCK) | KILN_ONLY(KILN_DISK_TYPE_DIR) |
                            KILN_ONLY(KILN_DISK_TYPE_NETWORK) | KILN_ONLY(KILN_DISK_TYPE_NVME) |
                            KILN_ONLY(KILN_DISK_TYPE_VOLUME)),
    KILN_FIELD_EMBED(KilnDiskSource, network, "source", &kiln_disk_network_struct,
                     .only = KILN_ONLY(KILN_DISK_TYPE_NETWORK)),
    KILN_FIELD_EMBED(KilnDiskSource, nvme_address, "source/address", &kiln_pci_address_struct,
                     .only = KILN_ONLY(KILN_DISK_TYPE_NVME)),
    KILN_FIELD_LIST(KilnDiskSource, slices, "source/slices/slice", &disk_slice_struct,
                    .only = KILN_ONLY(KILN_DISK_TYPE_ABSENT) | KILN_ONLY(KILN_DISK_TYPE_FILE) |
                            KILN_ONLY(KILN_DISK_TYPE_BLOCK) | KILN_ONLY(KILN_DISK_TYPE_DIR) |
                            KILN_ONLY(KILN_DISK_TYPE_NETWORK) | KILN_ONLY(KILN_DISK_TYPE_VOLUME) |
                            KILN_ONLY(KILN_DISK_TYPE_NVME)),
    KILN_FIELD_STRUCT(KilnDiskSource, auth, "source/auth", &kiln_disk_auth_struct,
                      .only = KILN_ONLY(KILN_DISK_TYPE_NETWORK)),
    KILN_FIELD_STRUCT(KilnDiskSource, encryption, "source/encryption", &kiln_disk_encryption_struct,
                      .only = KILN_ONLY(KILN_DISK_TYPE_ABSENT) | KILN_ONLY(KILN_DISK_TYPE_FILE) |
                              KILN_ONLY(KILN_DISK_TYPE_BLOCK) | KILN_ONLY(KILN_DISK_TYPE_DIR) |
                              KILN_ONLY(KILN_DISK_TYPE_NETWORK) | KILN_ONLY(KILN_DISK_TYPE_VOLUME) |
                              KILN_ONLY(KILN_DISK_TYPE_NVME)),
    KILN_FIELD_STRUCT(KilnDiskSource, reservations, "source/reservations",
                      &disk_reservations_struct, .only = KILN_ONLY(KILN_DISK_TYPE_BLOCK)),
    KILN_FIELD_LIST(KilnDiskSource, seclabels, "source/seclabel", &kiln_seclabel_struct,
                    .only = KILN_ONLY(KILN_DISK_TYPE_ABSENT) | KILN_ONLY(KILN_DISK_TYPE_FILE) |
                            KILN_ONLY(KILN_DISK_TYPE_BLOCK) | KILN_ONLY(KILN_DISK_TYPE_VOLUME)),
    KILN_FIELD_END,
};

const KilnStruct kiln_disk_source_struct = {
    .size = sizeof(KilnDiskSource),
    .fields = disk_source_fields,
    .check = check_source,
    KILN_STRUCT_VARIANT(KilnDiskSource, type),
};
