/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rows: which procedure belongs to which driver, who may call it (libvirt refuses the same ones
 * on a read-only connection), and what it is answered where no daemon has that driver.  Numbers
 * after DOMAIN_FD_ASSOCIATE are those of libvirt 9.7.0.
 */
#include "relay/procedures.h"

#include "relay/relay.h"
#include "relay/session.h"

#define RELAYED(X)                                                                                 \
    X(CONNECT_LIST_DEFINED_NETWORKS, NETWORK, READ, EMPTY)                                         \
    X(CONNECT_LIST_NETWORKS, NETWORK, READ, EMPTY)                                                 \
    X(NETWORK_CREATE, NETWORK, WRITE, ERROR)                                                       \
    X(NETWORK_CREATE_XML, NETWORK, WRITE, ERROR)                                                   \
    X(NETWORK_DEFINE_XML, NETWORK, WRITE, ERROR)                                                   \
    X(NETWORK_DESTROY, NETWORK, WRITE, ERROR)                                                      \
    X(NETWORK_GET_XML_DESC, NETWORK, READ, ERROR)                                                  \
    X(NETWORK_GET_AUTOSTART, NETWORK, READ, ERROR)                                                 \
    X(NETWORK_GET_BRIDGE_NAME, NETWORK, READ, ERROR)                                               \
    X(NETWORK_LOOKUP_BY_NAME, NETWORK, READ, ERROR)                                                \
    X(NETWORK_LOOKUP_BY_UUID, NETWORK, READ, ERROR)                                                \
    X(NETWORK_SET_AUTOSTART, NETWORK, WRITE, ERROR)                                                \
    X(NETWORK_UNDEFINE, NETWORK, WRITE, ERROR)                                                     \
    X(CONNECT_NUM_OF_DEFINED_NETWORKS, NETWORK, READ, ZERO)                                        \
    X(CONNECT_NUM_OF_NETWORKS, NETWORK, READ, ZERO)                                                \
    X(NETWORK_IS_ACTIVE, NETWORK, READ, ERROR)                                                     \
    X(NETWORK_IS_PERSISTENT, NETWORK, READ, ERROR)                                                 \
    X(CONNECT_LIST_ALL_NETWORKS, NETWORK, READ, ERROR)                                             \
    X(NETWORK_UPDATE, NETWORK, WRITE, ERROR)                                                       \
    X(CONNECT_NETWORK_EVENT_REGISTER_ANY, NETWORK, READ, ERROR)                                    \
    X(CONNECT_NETWORK_EVENT_DEREGISTER_ANY, NETWORK, READ, ERROR)                                  \
    X(NETWORK_GET_DHCP_LEASES, NETWORK, READ, ERROR)                                               \
    X(NETWORK_LIST_ALL_PORTS, NETWORK, READ, ERROR)                                                \
    X(NETWORK_PORT_LOOKUP_BY_UUID, NETWORK, READ, ERROR)                                           \
    X(NETWORK_PORT_CREATE_XML, NETWORK, WRITE, ERROR)                                              \
    X(NETWORK_PORT_GET_PARAMETERS, NETWORK, READ, ERROR)                                           \
    X(NETWORK_PORT_SET_PARAMETERS, NETWORK, WRITE, ERROR)                                          \
    X(NETWORK_PORT_GET_XML_DESC, NETWORK, READ, ERROR)                                             \
    X(NETWORK_PORT_DELETE, NETWORK, WRITE, ERROR)                                                  \
    X(NETWORK_DEFINE_XML_FLAGS, NETWORK, WRITE, ERROR)                                             \
    X(NETWORK_CREATE_XML_FLAGS, NETWORK, WRITE, ERROR)                                             \
    X(NETWORK_SET_METADATA, NETWORK, WRITE, ERROR)                                                 \
    X(NETWORK_GET_METADATA, NETWORK, READ, ERROR)                                                  \
    X(CONNECT_NUM_OF_STORAGE_POOLS, STORAGE, READ, ZERO)                                           \
    X(CONNECT_LIST_STORAGE_POOLS, STORAGE, READ, EMPTY)                                            \
    X(CONNECT_NUM_OF_DEFINED_STORAGE_POOLS, STORAGE, READ, ZERO)                                   \
    X(CONNECT_LIST_DEFINED_STORAGE_POOLS, STORAGE, READ, EMPTY)                                    \
    X(CONNECT_FIND_STORAGE_POOL_SOURCES, STORAGE, WRITE, ERROR)                                    \
    X(STORAGE_POOL_CREATE_XML, STORAGE, WRITE, ERROR)                                              \
    X(STORAGE_POOL_DEFINE_XML, STORAGE, WRITE, ERROR)                                              \
    X(STORAGE_POOL_CREATE, STORAGE, WRITE, ERROR)                                                  \
    X(STORAGE_POOL_BUILD, STORAGE, WRITE, ERROR)                                                   \
    X(STORAGE_POOL_DESTROY, STORAGE, WRITE, ERROR)                                                 \
    X(STORAGE_POOL_DELETE, STORAGE, WRITE, ERROR)                                                  \
    X(STORAGE_POOL_UNDEFINE, STORAGE, WRITE, ERROR)                                                \
    X(STORAGE_POOL_REFRESH, STORAGE, WRITE, ERROR)                                                 \
    X(STORAGE_POOL_LOOKUP_BY_NAME, STORAGE, READ, ERROR)                                           \
    X(STORAGE_POOL_LOOKUP_BY_UUID, STORAGE, READ, ERROR)                                           \
    X(STORAGE_POOL_LOOKUP_BY_VOLUME, STORAGE, READ, ERROR)                                         \
    X(STORAGE_POOL_GET_INFO, STORAGE, READ, ERROR)                                                 \
    X(STORAGE_POOL_GET_XML_DESC, STORAGE, READ, ERROR)                                             \
    X(STORAGE_POOL_GET_AUTOSTART, STORAGE, READ, ERROR)                                            \
    X(STORAGE_POOL_SET_AUTOSTART, STORAGE, WRITE, ERROR)                                           \
    X(STORAGE_POOL_NUM_OF_VOLUMES, STORAGE, READ, ERROR)                                           \
    X(STORAGE_POOL_LIST_VOLUMES, STORAGE, READ, ERROR)                                             \
    X(STORAGE_VOL_CREATE_XML, STORAGE, WRITE, ERROR)                                               \
    X(STORAGE_VOL_DELETE, STORAGE, WRITE, ERROR)                                                   \
    X(STORAGE_VOL_LOOKUP_BY_NAME, STORAGE, READ, ERROR)                                            \
    X(STORAGE_VOL_LOOKUP_BY_KEY, STORAGE, READ, ERROR)                                             \
    X(STORAGE_VOL_LOOKUP_BY_PATH, STORAGE, READ, ERROR)                                            \
    X(STORAGE_VOL_GET_INFO, STORAGE, READ, ERROR)                                                  \
    X(STORAGE_VOL_GET_XML_DESC, STORAGE, READ, ERROR)                                              \
    X(STORAGE_VOL_GET_PATH, STORAGE, READ, ERROR)                                                  \
    X(STORAGE_VOL_CREATE_XML_FROM, STORAGE, WRITE, ERROR)                                          \
    X(STORAGE_POOL_IS_ACTIVE, STORAGE, READ, ERROR)                                                \
    X(STORAGE_POOL_IS_PERSISTENT, STORAGE, READ, ERROR)                                            \
    X(STORAGE_VOL_WIPE, STORAGE, WRITE, ERROR)                                                     \
    X(STORAGE_VOL_UPLOAD, STORAGE, WRITE, ERROR)                                                   \
    X(STORAGE_VOL_DOWNLOAD, STORAGE, WRITE, ERROR)                                                 \
    X(STORAGE_VOL_WIPE_PATTERN, STORAGE, WRITE, ERROR)                                             \
    X(STORAGE_VOL_RESIZE, STORAGE, WRITE, ERROR)                                                   \
    X(CONNECT_LIST_ALL_STORAGE_POOLS, STORAGE, READ, ERROR)                                        \
    X(STORAGE_POOL_LIST_ALL_VOLUMES, STORAGE, READ, ERROR)                                         \
    X(CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY, STORAGE, READ, ERROR)                               \
    X(CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY, STORAGE, READ, ERROR)                             \
    X(STORAGE_VOL_GET_INFO_FLAGS, STORAGE, READ, ERROR)                                            \
    X(STORAGE_POOL_LOOKUP_BY_TARGET_PATH, STORAGE, READ, ERROR)                                    \
    X(CONNECT_GET_STORAGE_POOL_CAPABILITIES, STORAGE, READ, ERROR)                                 \
    X(NODE_NUM_OF_DEVICES, NODEDEV, READ, ZERO)                                                    \
    X(NODE_LIST_DEVICES, NODEDEV, READ, EMPTY)                                                     \
    X(NODE_DEVICE_LOOKUP_BY_NAME, NODEDEV, READ, ERROR)                                            \
    X(NODE_DEVICE_GET_XML_DESC, NODEDEV, READ, ERROR)                                              \
    X(NODE_DEVICE_GET_PARENT, NODEDEV, READ, ERROR)                                                \
    X(NODE_DEVICE_NUM_OF_CAPS, NODEDEV, READ, ERROR)                                               \
    X(NODE_DEVICE_LIST_CAPS, NODEDEV, READ, ERROR)                                                 \
    X(NODE_DEVICE_CREATE_XML, NODEDEV, WRITE, ERROR)                                               \
    X(NODE_DEVICE_DESTROY, NODEDEV, WRITE, ERROR)                                                  \
    X(CONNECT_LIST_ALL_NODE_DEVICES, NODEDEV, READ, ERROR)                                         \
    X(NODE_DEVICE_LOOKUP_SCSI_HOST_BY_WWN, NODEDEV, READ, ERROR)                                   \
    X(CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY, NODEDEV, READ, ERROR)                                \
    X(CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY, NODEDEV, READ, ERROR)                              \
    X(NODE_DEVICE_DEFINE_XML, NODEDEV, WRITE, ERROR)                                               \
    X(NODE_DEVICE_UNDEFINE, NODEDEV, WRITE, ERROR)                                                 \
    X(NODE_DEVICE_CREATE, NODEDEV, WRITE, ERROR)                                                   \
    X(NODE_DEVICE_GET_AUTOSTART, NODEDEV, WRITE, ERROR)                                            \
    X(NODE_DEVICE_SET_AUTOSTART, NODEDEV, WRITE, ERROR)                                            \
    X(NODE_DEVICE_IS_PERSISTENT, NODEDEV, READ, ERROR)                                             \
    X(NODE_DEVICE_IS_ACTIVE, NODEDEV, READ, ERROR)                                                 \
    X(NODE_DEVICE_UPDATE, NODEDEV, WRITE, ERROR)                                                   \
    X(CONNECT_NUM_OF_INTERFACES, INTERFACE, READ, ZERO)                                            \
    X(CONNECT_LIST_INTERFACES, INTERFACE, READ, EMPTY)                                             \
    X(INTERFACE_LOOKUP_BY_NAME, INTERFACE, READ, ERROR)                                            \
    X(INTERFACE_LOOKUP_BY_MAC_STRING, INTERFACE, READ, ERROR)                                      \
    X(INTERFACE_GET_XML_DESC, INTERFACE, READ, ERROR)                                              \
    X(INTERFACE_DEFINE_XML, INTERFACE, WRITE, ERROR)                                               \
    X(INTERFACE_UNDEFINE, INTERFACE, WRITE, ERROR)                                                 \
    X(INTERFACE_CREATE, INTERFACE, WRITE, ERROR)                                                   \
    X(INTERFACE_DESTROY, INTERFACE, WRITE, ERROR)                                                  \
    X(CONNECT_NUM_OF_DEFINED_INTERFACES, INTERFACE, READ, ZERO)                                    \
    X(CONNECT_LIST_DEFINED_INTERFACES, INTERFACE, READ, EMPTY)                                     \
    X(INTERFACE_IS_ACTIVE, INTERFACE, READ, ERROR)                                                 \
    X(INTERFACE_CHANGE_BEGIN, INTERFACE, WRITE, ERROR)                                             \
    X(INTERFACE_CHANGE_COMMIT, INTERFACE, WRITE, ERROR)                                            \
    X(INTERFACE_CHANGE_ROLLBACK, INTERFACE, WRITE, ERROR)                                          \
    X(CONNECT_LIST_ALL_INTERFACES, INTERFACE, READ, ERROR)                                         \
    X(CONNECT_NUM_OF_SECRETS, SECRET, READ, ZERO)                                                  \
    X(CONNECT_LIST_SECRETS, SECRET, READ, EMPTY)                                                   \
    X(SECRET_LOOKUP_BY_UUID, SECRET, READ, ERROR)                                                  \
    X(SECRET_DEFINE_XML, SECRET, WRITE, ERROR)                                                     \
    X(SECRET_GET_XML_DESC, SECRET, READ, ERROR)                                                    \
    X(SECRET_SET_VALUE, SECRET, WRITE, ERROR)                                                      \
    X(SECRET_GET_VALUE, SECRET, WRITE, ERROR)                                                      \
    X(SECRET_UNDEFINE, SECRET, WRITE, ERROR)                                                       \
    X(SECRET_LOOKUP_BY_USAGE, SECRET, READ, ERROR)                                                 \
    X(CONNECT_LIST_ALL_SECRETS, SECRET, READ, ERROR)                                               \
    X(CONNECT_SECRET_EVENT_REGISTER_ANY, SECRET, READ, ERROR)                                      \
    X(CONNECT_SECRET_EVENT_DEREGISTER_ANY, SECRET, READ, ERROR)                                    \
    X(NWFILTER_LOOKUP_BY_NAME, NWFILTER, READ, ERROR)                                              \
    X(NWFILTER_LOOKUP_BY_UUID, NWFILTER, READ, ERROR)                                              \
    X(NWFILTER_GET_XML_DESC, NWFILTER, READ, ERROR)                                                \
    X(CONNECT_NUM_OF_NWFILTERS, NWFILTER, READ, ZERO)                                              \
    X(CONNECT_LIST_NWFILTERS, NWFILTER, READ, EMPTY)                                               \
    X(NWFILTER_DEFINE_XML, NWFILTER, WRITE, ERROR)                                                 \
    X(NWFILTER_UNDEFINE, NWFILTER, WRITE, ERROR)                                                   \
    X(CONNECT_LIST_ALL_NWFILTERS, NWFILTER, READ, ERROR)                                           \
    X(NWFILTER_BINDING_LOOKUP_BY_PORT_DEV, NWFILTER, READ, ERROR)                                  \
    X(NWFILTER_BINDING_GET_XML_DESC, NWFILTER, READ, ERROR)                                        \
    X(NWFILTER_BINDING_CREATE_XML, NWFILTER, WRITE, ERROR)                                         \
    X(NWFILTER_BINDING_DELETE, NWFILTER, WRITE, ERROR)                                             \
    X(CONNECT_LIST_ALL_NWFILTER_BINDINGS, NWFILTER, READ, ERROR)                                   \
    X(NWFILTER_DEFINE_XML_FLAGS, NWFILTER, WRITE, ERROR)

static const struct {
    int number;
    KilnRelayInfo info;
} infos[] = {
#define INFO(UPPER, driver, allowed, alone)                                                        \
    { REMOTE_PROC_##UPPER, { KILN_RELAY_##driver, KILN_ALONE_##alone } },
    RELAYED(INFO)
};

static const KilnProcedure rows[] = {
#define ROW(UPPER, driver, allowed, alone)                                                         \
    KILN_PROC_RAW(UPPER, KILN_ACCESS_##allowed, kiln_relay_call),
    RELAYED(ROW)
};

const KilnProcedureTable kiln_relay_table = { rows, G_N_ELEMENTS(rows) };

static const KilnRelayDriver drivers[KILN_RELAY_N_DRIVERS] = {
    [KILN_RELAY_NETWORK] = {
        .scheme = "network", .daemon = "virtnetworkd",
        .registers = REMOTE_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY,
        .deregisters = REMOTE_PROC_CONNECT_NETWORK_EVENT_DEREGISTER_ANY,
        .messages = { REMOTE_PROC_NETWORK_EVENT_LIFECYCLE,
                      REMOTE_PROC_NETWORK_EVENT_CALLBACK_METADATA_CHANGE },
    },
    [KILN_RELAY_STORAGE] = {
        .scheme = "storage", .daemon = "virtstoraged",
        .registers = REMOTE_PROC_CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY,
        .deregisters = REMOTE_PROC_CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY,
        .messages = { REMOTE_PROC_STORAGE_POOL_EVENT_LIFECYCLE,
                      REMOTE_PROC_STORAGE_POOL_EVENT_REFRESH },
        .streams = { REMOTE_PROC_STORAGE_VOL_UPLOAD, REMOTE_PROC_STORAGE_VOL_DOWNLOAD },
    },
    [KILN_RELAY_NODEDEV] = {
        .scheme = "nodedev", .daemon = "virtnodedevd",
        .registers = REMOTE_PROC_CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY,
        .deregisters = REMOTE_PROC_CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY,
        .messages = { REMOTE_PROC_NODE_DEVICE_EVENT_LIFECYCLE,
                      REMOTE_PROC_NODE_DEVICE_EVENT_UPDATE },
    },
    [KILN_RELAY_INTERFACE] = { .scheme = "interface", .daemon = "virtinterfaced" },
    [KILN_RELAY_SECRET] = {
        .scheme = "secret", .daemon = "virtsecretd",
        .registers = REMOTE_PROC_CONNECT_SECRET_EVENT_REGISTER_ANY,
        .deregisters = REMOTE_PROC_CONNECT_SECRET_EVENT_DEREGISTER_ANY,
        .messages = { REMOTE_PROC_SECRET_EVENT_LIFECYCLE,
                      REMOTE_PROC_SECRET_EVENT_VALUE_CHANGED },
    },
    [KILN_RELAY_NWFILTER] = { .scheme = "nwfilter", .daemon = "virtnwfilterd" },
};

const KilnRelayInfo *
kiln_relay_info(int procedure)
{
    for (guint i = 0; i < G_N_ELEMENTS(infos); i++) {
        if (infos[i].number == procedure)
            return &infos[i].info;
    }
    return NULL;
}

const KilnRelayDriver *
kiln_relay_driver(KilnRelayDriverId id)
{
    return &drivers[id];
}
