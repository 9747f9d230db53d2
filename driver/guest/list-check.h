/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* After loading: looks at all of each definition, a few at a time, and logs which are broken. */
#ifndef KILN_GUEST_LIST_CHECK_H
#define KILN_GUEST_LIST_CHECK_H

#include "guest/list.h"

typedef struct KilnIdleCheck KilnIdleCheck;

KilnIdleCheck *kiln_list_check_begin(KilnGuestList *list);
/* (nullable) */
void kiln_list_check_end(KilnIdleCheck *check);

#endif
