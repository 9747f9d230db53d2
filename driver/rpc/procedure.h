/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A procedure of libvirt's remote protocol, as one row of a table.  Each family of calls
 * (driver/ops, rpc itself, relay) has a table of its own; the server makes one of them all, by
 * number.
 *
 *   static const KilnProcedure rows[] = {
 *       KILN_PROC(DOMAIN_LOOKUP_BY_NAME, domain_lookup_by_name, KILN_ACCESS_READ,
 * on_lookup_by_name), KILN_PROC_REFUSED(DOMAIN_MIGRATE_PREPARE, KILN_ACCESS_WRITE, "guests cannot
 * be migrated yet"),
 *   };
 *   const KilnProcedureTable kiln_ops_lookup = { rows, G_N_ELEMENTS(rows) };
 */
#ifndef KILN_RPC_PROCEDURE_H
#define KILN_RPC_PROCEDURE_H

#include "rpc/protocol.h" /* generated from protocol.x */

#include <glib.h>

typedef struct KilnCall KilnCall;
typedef struct KilnClient KilnClient;
typedef struct KilnPacket KilnPacket;

/**
 * KilnAccess:
 * @KILN_ACCESS_WRITE: refused on a read-only connection
 * @KILN_ACCESS_READ: for everybody who has opened a connection
 * @KILN_ACCESS_CONNECT: also before CONNECT_OPEN, and after authentication
 * @KILN_ACCESS_ANYBODY: also before authentication
 */
typedef enum {
    KILN_ACCESS_WRITE,
    KILN_ACCESS_READ,
    KILN_ACCESS_CONNECT,
    KILN_ACCESS_ANYBODY,
} KilnAccess;

/**
 * KilnProcedure:
 * @number: REMOTE_PROC_*
 * @name: as in the protocol, such as "DOMAIN_CREATE_XML"
 * @args, @args_size: (nullable): codec and size of the arguments
 * @ret, @ret_size: (nullable): of the answer
 * @handle: (nullable): main thread.  Answers the call, now or later, once (rpc/call.h).  @args is
 *   valid until then.
 * @raw: (nullable): instead of @handle: gets the packet as it came (rpc/client.h), borrowed: its
 *   bytes may be referenced.  Answers with kiln_client_send_packet() or kiln_client_fail_packet().
 * @reason: (nullable): instead of both: why this is refused, VIR_ERR_OPERATION_UNSUPPORTED
 *
 * A number without a row is VIR_ERR_NO_SUPPORT if the protocol has it, else an unknown procedure.
 */
typedef struct {
    int number;
    const char *name;
    KilnAccess access;
    xdrproc_t args;
    gsize args_size;
    xdrproc_t ret;
    gsize ret_size;
    void (*handle)(KilnCall *call, gconstpointer args);
    void (*raw)(KilnClient *client, KilnPacket *packet);
    const char *reason;
} KilnProcedure;

typedef struct {
    const KilnProcedure *rows;
    guint n_rows;
} KilnProcedureTable;

#define KILN_PROC_ARGS_OF(lower)                                                                   \
    .args = (xdrproc_t)xdr_remote_##lower##_args, .args_size = sizeof(remote_##lower##_args)
#define KILN_PROC_RET_OF(lower)                                                                    \
    .ret = (xdrproc_t)xdr_remote_##lower##_ret, .ret_size = sizeof(remote_##lower##_ret)
#define KILN_PROC_ROW(UPPER, allowed)                                                              \
    .number = REMOTE_PROC_##UPPER, .name = #UPPER, .access = allowed

/* With arguments and an answer; with arguments alone; with an answer alone; with neither. */
#define KILN_PROC(UPPER, lower, allowed, handler)                                                  \
    {                                                                                              \
        KILN_PROC_ROW(UPPER, allowed), KILN_PROC_ARGS_OF(lower), KILN_PROC_RET_OF(lower),          \
            .handle = handler                                                                      \
    }
#define KILN_PROC_ARGS(UPPER, lower, allowed, handler)                                             \
    {                                                                                              \
        KILN_PROC_ROW(UPPER, allowed), KILN_PROC_ARGS_OF(lower), .handle = handler                 \
    }
#define KILN_PROC_RET(UPPER, lower, allowed, handler)                                              \
    {                                                                                              \
        KILN_PROC_ROW(UPPER, allowed), KILN_PROC_RET_OF(lower), .handle = handler                  \
    }
#define KILN_PROC_PLAIN(UPPER, allowed, handler)                                                   \
    {                                                                                              \
        KILN_PROC_ROW(UPPER, allowed), .handle = handler                                           \
    }
#define KILN_PROC_REFUSED(UPPER, allowed, why)                                                     \
    {                                                                                              \
        KILN_PROC_ROW(UPPER, allowed), .reason = why                                               \
    }
/* Of the program for QEMU's own calls: a table of its own (rpc/server.h). */
#define KILN_PROC_QEMU(UPPER, lower, allowed, handler)                                             \
    {                                                                                              \
        .number = QEMU_PROC_##UPPER, .name = #UPPER, .access = allowed,                            \
        .args = (xdrproc_t)xdr_qemu_##lower##_args, .args_size = sizeof(qemu_##lower##_args),      \
        .ret = (xdrproc_t)xdr_qemu_##lower##_ret, .ret_size = sizeof(qemu_##lower##_ret),          \
        .handle = handler                                                                          \
    }
#define KILN_PROC_RAW(UPPER, allowed, handler)                                                     \
    {                                                                                              \
        KILN_PROC_ROW(UPPER, allowed), .raw = handler                                              \
    }

#endif
