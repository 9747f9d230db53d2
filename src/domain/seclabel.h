/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <seclabel> of one source file: exceptions from how a guest's resources are labelled. */
#ifndef KILN_DOMAIN_SECLABEL_H
#define KILN_DOMAIN_SECLABEL_H

#include "domain/fields.h"

typedef struct {
    char *model; /* (owned) (nullable) the security driver it is for; NULL is every one */
    KilnSwitch relabel;
    KilnSwitch labelskip;
    char *label; /* (owned) (nullable) */
} KilnSeclabel;

extern const KilnStruct kiln_seclabel_struct;

#endif
