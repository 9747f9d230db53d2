/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of the families of calls, each at the end of its file. */
#ifndef KILN_OPS_TABLES_H
#define KILN_OPS_TABLES_H

#include "rpc/procedure.h"

extern const KilnProcedureTable kiln_ops_agent;
extern const KilnProcedureTable kiln_ops_agent_info;
extern const KilnProcedureTable kiln_ops_connect;
extern const KilnProcedureTable kiln_ops_domain_list;
extern const KilnProcedureTable kiln_ops_domain_config;
extern const KilnProcedureTable kiln_ops_domain_define;
extern const KilnProcedureTable kiln_ops_domain_info;
extern const KilnProcedureTable kiln_ops_domain_xml;
extern const KilnProcedureTable kiln_ops_lifecycle;
extern const KilnProcedureTable kiln_ops_metadata;
extern const KilnProcedureTable kiln_ops_refused;
extern const KilnProcedureTable kiln_ops_saved;
extern const KilnProcedureTable kiln_ops_host;
extern const KilnProcedureTable kiln_ops_host_statistics;
extern const KilnProcedureTable kiln_ops_host_cpu;
extern const KilnProcedureTable kiln_ops_host_devices;
extern const KilnProcedureTable kiln_ops_block;
extern const KilnProcedureTable kiln_ops_console;
extern const KilnProcedureTable kiln_ops_graphics;
extern const KilnProcedureTable kiln_ops_device;
extern const KilnProcedureTable kiln_ops_interface;
extern const KilnProcedureTable kiln_ops_iothread;
extern const KilnProcedureTable kiln_ops_keys;
extern const KilnProcedureTable kiln_ops_memory_calls;
extern const KilnProcedureTable kiln_ops_pin;
extern const KilnProcedureTable kiln_ops_stats;
extern const KilnProcedureTable kiln_ops_tune_cpu;
extern const KilnProcedureTable kiln_ops_tune_disk;
extern const KilnProcedureTable kiln_ops_tune_memory;
extern const KilnProcedureTable kiln_ops_vcpu;

#endif
