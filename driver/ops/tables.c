/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every family of calls. */
#include "ops/tables.h"

#include "ops/driver.h"

const KilnProcedureTable *const kiln_ops_tables[] = {
    &kiln_ops_connect,       &kiln_ops_domain_list,  &kiln_ops_domain_config,
    &kiln_ops_domain_define, &kiln_ops_domain_info,  &kiln_ops_domain_xml,
    &kiln_ops_lifecycle,     &kiln_ops_metadata,     &kiln_ops_refused,
    &kiln_ops_saved,         &kiln_ops_host,         &kiln_ops_host_statistics,
    &kiln_ops_host_cpu,      &kiln_ops_host_devices, NULL,
};
