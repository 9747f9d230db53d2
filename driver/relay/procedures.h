/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of each relayed procedure, and of the drivers that they belong to. */
#ifndef KILN_RELAY_PROCEDURES_H
#define KILN_RELAY_PROCEDURES_H

#include "rpc/procedure.h"

typedef enum {
    KILN_RELAY_NETWORK,
    KILN_RELAY_STORAGE,
    KILN_RELAY_NODEDEV,
    KILN_RELAY_INTERFACE,
    KILN_RELAY_SECRET,
    KILN_RELAY_NWFILTER,
    KILN_RELAY_N_DRIVERS,
} KilnRelayDriverId;

/**
 * KilnAlone: the answer where no daemon has the driver
 * @KILN_ALONE_ERROR: VIR_ERR_NO_SUPPORT, upon which programs do without
 * @KILN_ALONE_ZERO: the number 0: old programs count before all else, and give up at an error
 * @KILN_ALONE_EMPTY: an empty list
 */
typedef enum {
    KILN_ALONE_ERROR,
    KILN_ALONE_ZERO,
    KILN_ALONE_EMPTY,
} KilnAlone;

typedef struct {
    KilnRelayDriverId driver;
    KilnAlone alone;
} KilnRelayInfo;

/* Numbers of procedures; 0: none. */
typedef struct {
    const char *scheme; /* of its URI: "network" of network:///system */
    const char *daemon; /* that has it alone: "virtnetworkd" */
    int registers;      /* for events: {int eventID; ...} -> {int callbackID} */
    int deregisters;    /* {int callbackID} */
    int messages[2];    /* the events; each begins with its int callbackID */
    int streams[2];     /* calls that begin a stream */
} KilnRelayDriver;

/* Returns: (nullable): NULL for what is not relayed. */
const KilnRelayInfo *kiln_relay_info(int procedure);
const KilnRelayDriver *kiln_relay_driver(KilnRelayDriverId id);

#endif
