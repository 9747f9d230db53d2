/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of the families of calls, each at the end of its file. */
#ifndef KILN_OPS_TABLES_H
#define KILN_OPS_TABLES_H

#include "rpc/procedure.h"

extern const KilnProcedureTable kiln_ops_connect;
extern const KilnProcedureTable kiln_ops_domain_list;

#endif
