/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every call may use: one of these for the life of the daemon. */
#ifndef KILN_OPS_DRIVER_H
#define KILN_OPS_DRIVER_H

#include "guest/list.h"
#include "rpc/call.h"
#include "rpc/client.h"
#include "rpc/server.h"

typedef struct {
    KilnGuestList *guests;
    KilnServer *server;
    gboolean session; /* kiln:///session */
    char *program;    /* path of kiln: <emulator> */
} KilnDriver;

/* The tables of driver/ops, NULL-terminated. */
extern const KilnProcedureTable *const kiln_ops_tables[];

/**
 * kiln_ops_open:
 * @driver: the KilnDriver
 * @name: (nullable): of CONNECT_OPEN
 *
 * For KilnServerOptions.open.  kiln:///system or kiln:///session, whichever this daemon is; the
 * same of any other scheme, since such a client named our socket itself; nothing at all.
 *
 * Returns: TRUE if there is such a connection; else FALSE with VIR_ERR_NO_CONNECT or
 *   VIR_ERR_INTERNAL_ERROR.
 */
gboolean kiln_ops_open(gpointer driver, const char *name, GError **error);

/* From now on, what happens to domains goes to the clients that asked (ops/events.c). */
void kiln_ops_watch(KilnDriver *driver);

/* ---- For the handlers (ops/common.c) ---- */

KilnDriver *kiln_ops_driver(const KilnCall *call);

/**
 * kiln_ops_guest:
 * @about: of the arguments
 *
 * Returns: (transfer none) (nullable): the domain with that uuid; NULL after ending the call with
 *   VIR_ERR_NO_DOMAIN.
 */
KilnGuest *kiln_ops_guest(KilnCall *call, const remote_nonnull_domain *about);

/* As kiln_ops_guest; VIR_ERR_OPERATION_INVALID if it does not run. */
KilnGuest *kiln_ops_active_guest(KilnCall *call, const remote_nonnull_domain *about);

/* Fills @about; its name is the guest's own string: not to be freed. */
void kiln_ops_fill_domain(remote_nonnull_domain *about, const KilnGuest *guest);

/* Whether @guest passes the filters of @flags (VIR_CONNECT_LIST_DOMAINS_*). */
gboolean kiln_ops_is_listed(const KilnGuest *guest, unsigned flags);

/* FALSE after ending the call with VIR_ERR_INVALID_ARG, if @flags has any but those of @known. */
gboolean kiln_ops_check_flags(KilnCall *call, unsigned flags, unsigned known);

/**
 * kiln_ops_document:
 * @config: the definition on disk, even of a running domain
 * @owned: (out): to be freed with kiln_domain_free(); often NULL
 *
 * Returns: (nullable): what is to be looked at: what runs, else the definition; NULL after ending
 *   the call with the reason why it cannot be read.
 */
const KilnDomain *kiln_ops_document(KilnCall *call, KilnGuest *guest, gboolean config,
                                    KilnDomain **owned);

/* kiln_guest_affects() of those bits of @flags, which ends the call where it says no. */
gboolean kiln_ops_affects(KilnCall *call, KilnGuest *guest, unsigned flags, gboolean *live,
                          gboolean *config);

/* FALSE after ending the call with VIR_ERR_INVALID_ARG, if @flags has both @one and @other. */
gboolean kiln_ops_exclusive_flags(KilnCall *call, unsigned flags, unsigned one,
                                  const char *one_name, unsigned other, const char *other_name);

/* A KilnGuestDone whose data is a KilnCall: ends it, without an answer's content or as failed. */
void kiln_ops_done(KilnGuest *guest, const GError *error, gpointer call);

/* A KilnGuestAnswer whose data is a KilnCall: the same, whatever the answer is. */
void kiln_ops_answered(KilnGuest *guest, GVariant *answer, GUnixFDList *fds, const GError *error,
                       gpointer call);

#endif
