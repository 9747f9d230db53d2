/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls of libvirt's secondary drivers (network, storage, node devices, interfaces, secrets,
 * network filters), passed raw to the stock daemon that has them: one upstream connection a client
 * and driver, opened with the first call.  Main thread.
 */
#ifndef KILN_RELAY_RELAY_H
#define KILN_RELAY_RELAY_H

#include "rpc/procedure.h"

/* A row a relayed procedure, all raw: one of the server's tables. */
extern const KilnProcedureTable kiln_relay_table;

/**
 * kiln_relay_set_directories:
 * @socket_dir: where daemons listen: /run/libvirt, or libvirt/ of the user's runtime directory
 * @storage_dir: (nullable): where a daemon that is alone on its host shows files as volumes
 */
void kiln_relay_set_directories(const char *socket_dir, const char *storage_dir, gboolean session);

/* The handler of the rows. */
void kiln_relay_call(KilnClient *client, KilnPacket *packet);

/**
 * kiln_relay_forward_feature:
 *
 * CONNECT_SUPPORTS_FEATURE of VIR_DRV_FEATURE_NETWORK_UPDATE_HAS_CORRECT_ORDER, which is the
 * network driver's to answer: answers @packet's serial.
 */
void kiln_relay_forward_feature(KilnClient *client, KilnPacket *packet);

#endif
