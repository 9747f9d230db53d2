/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/seclabel.h"

static const KilnField seclabel_fields[] = {
    KILN_FIELD_STRING(KilnSeclabel, model, "@model"),
    KILN_FIELD_SWITCH(KilnSeclabel, relabel, "@relabel", YESNO),
    KILN_FIELD_SWITCH(KilnSeclabel, labelskip, "@labelskip", YESNO),
    KILN_FIELD_STRING(KilnSeclabel, label, "label"),
    KILN_FIELD_END,
};

const KilnStruct kiln_seclabel_struct = {
    .size = sizeof(KilnSeclabel),
    .fields = seclabel_fields,
};
