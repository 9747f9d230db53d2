/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every family of calls. */
#include "ops/tables.h"

#include "ops/driver.h"

const KilnProcedureTable *const kiln_ops_tables[] = {
    &kiln_ops_connect,
    &kiln_ops_domain_list,
    NULL,
};
