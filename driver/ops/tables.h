/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of the families of calls, each at the end of its file. */
#ifndef KILN_OPS_TABLES_H
#define KILN_OPS_TABLES_H

#include "rpc/procedure.h"

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

#endif
