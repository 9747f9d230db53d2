/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every family of calls. */
#include "ops/tables.h"

#include "ops/driver.h"

const KilnProcedureTable *const kiln_ops_tables[] = {
    /* clang-format off */
    &kiln_ops_agent,
    &kiln_ops_agent_info,
    &kiln_ops_connect,
    &kiln_ops_domain_list,
    &kiln_ops_domain_config,
    &kiln_ops_domain_define,
    &kiln_ops_domain_info,
    &kiln_ops_domain_xml,
    &kiln_ops_lifecycle,
    &kiln_ops_metadata,
    &kiln_ops_refused,
    &kiln_ops_saved,
    &kiln_ops_host,
    &kiln_ops_host_statistics,
    &kiln_ops_host_cpu,
    &kiln_ops_host_devices,
    &kiln_ops_block,
    &kiln_ops_console,
    &kiln_ops_graphics,
    &kiln_ops_device,
    &kiln_ops_interface,
    &kiln_ops_iothread,
    &kiln_ops_keys,
    &kiln_ops_memory_calls,
    &kiln_ops_pin,
    &kiln_ops_stats,
    &kiln_ops_tune_cpu,
    &kiln_ops_tune_disk,
    &kiln_ops_tune_memory,
    &kiln_ops_vcpu,
    NULL,
    /* clang-format on */
};
