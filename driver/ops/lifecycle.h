/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting a domain, as its own call and as part of creating one. */
#ifndef KILN_OPS_LIFECYCLE_H
#define KILN_OPS_LIFECYCLE_H

#include "ops/driver.h"

/* A start that is under way. */
typedef struct {
    KilnCall *call;
    unsigned flags; /* VIR_DOMAIN_START_* */
} KilnOpsStart;

/**
 * kiln_ops_check_start_flags:
 * @also: those that this call takes besides
 *
 * Returns: FALSE after ending the call, for what is unknown or cannot be done.
 */
gboolean kiln_ops_check_start_flags(KilnCall *call, unsigned flags, unsigned also);

/* Those of @flags that the guest's room is told of. */
unsigned kiln_ops_start_flags(unsigned flags);

KilnOpsStart *kiln_ops_start_new(KilnCall *call, unsigned flags);

/* It runs: from now on, if so asked, no longer than its client stays. */
void kiln_ops_started(const KilnOpsStart *start, KilnGuest *guest);

/* It does not run any more, whoever stopped it. */
void kiln_ops_stopped(KilnGuest *guest);

#endif
