/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Authentication, procedures 66 to 70: none, or polkit for who is neither root nor in the group. */
#ifndef KILN_RPC_AUTHENTICATE_H
#define KILN_RPC_AUTHENTICATE_H

#include "rpc/procedure.h"

extern const KilnProcedureTable kiln_auth_table;

#endif
