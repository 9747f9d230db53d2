/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One call of a client.  Its handler ends it with exactly one of the functions that say "ends the
 * call", at once or from a callback later; arguments, descriptors and the call itself are gone
 * then. A call whose client has left is still ended in the same way, and nobody hears of it. Main
 * thread.
 */
#ifndef KILN_RPC_CALL_H
#define KILN_RPC_CALL_H

#include "error/vir-error.h"
#include "rpc/procedure.h"

/* Whose call it is; lives as long as the call. */
KilnClient *kiln_call_client(const KilnCall *call);

/* The data of the server: the KilnDriver of ops/driver.h. */
gpointer kiln_call_driver(const KilnCall *call);

/* Whether the client has gone: what nobody waits for any more need not be done. */
gboolean kiln_call_abandoned(const KilnCall *call);

/**
 * kiln_call_reply:
 * @ret: (nullable): the answer, by the procedure's codec; borrowed, encoded before this returns
 *
 * Ends the call.
 */
void kiln_call_reply(KilnCall *call, gconstpointer ret);

/* As kiln_call_reply, with descriptors, which are duplicated.  Ends the call. */
void kiln_call_reply_fds(KilnCall *call, gconstpointer ret, const int *fds, guint n_fds);

/**
 * kiln_call_reply_stream:
 * @fd: taken over: made non-blocking; what it gives goes to the client, what the client sends goes
 *   to it, until either side ends.  A pipe or a file is read to its end.
 *
 * Ends the call, and begins a stream with its number.
 */
void kiln_call_reply_stream(KilnCall *call, gconstpointer ret, int fd);

/* As kiln_call_reply_stream, of bytes that are there already. */
void kiln_call_reply_bytes(KilnCall *call, gconstpointer ret, GBytes *bytes);

/**
 * kiln_call_fail:
 * @code: VIR_ERR_*
 * @format: the particular; what libvirt says before it ("invalid argument: %s") is added by @code
 *
 * Ends the call.
 */
void kiln_call_fail(KilnCall *call, int code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* By the code of KILN_ERROR (base/error.h), of KILN_VIR_ERROR, or else VIR_ERR_INTERNAL_ERROR. Ends
 * the call. */
void kiln_call_fail_error(KilnCall *call, const GError *error);

/* Takes over descriptor @i of those that came with the call; -1 if there are not so many. */
int kiln_call_steal_fd(KilnCall *call, guint i);

#endif
