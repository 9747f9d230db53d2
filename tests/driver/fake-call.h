/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls without a socket: stands in for driver/rpc in tests of handlers.  An answer goes through
 * its codec and back, so what is kept is what a client would have.
 */
#ifndef KILN_FAKE_CALL_H
#define KILN_FAKE_CALL_H

#include "ops/driver.h"

/* What a call ended with. */
typedef struct {
    gboolean ended;
    int code;     /* VIR_ERR_*; 0: it went well */
    char *text;   /* (owned) (nullable) of the error */
    gpointer ret; /* (nullable): kept to the end of the test */
} FakeEnd;

KilnClient *fake_client_new(gpointer driver, const char *uri, gboolean read_only);
/* The other end goes. */
void fake_client_leave(KilnClient *client);

/* Returns: @what, which the test owns as long as it runs. */
gpointer fake_keep(gpointer what);

/**
 * fake_call:
 * @tables: NULL-terminated
 * @number: REMOTE_PROC_*
 *
 * Returns: (transfer full): its end, which may come later; freed with fake_end_free().
 */
FakeEnd *fake_call(KilnClient *client, const KilnProcedureTable *const *tables, int number,
                   gconstpointer args);
void fake_end_free(FakeEnd *end);

/* CONNECT_SUPPORTS_FEATURE, which is raw: the answer, or -1 if it was passed to the relay. */
int fake_feature(KilnClient *client, const KilnProcedureTable *const *tables, guint32 feature);

/* The last event: its id (-1: none since the last look), and its message, decoded again. */
int fake_event(gpointer message, gsize size);

#endif
