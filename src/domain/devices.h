/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <devices>: one table of the families, and what holds for each device of any of them. */
#ifndef KILN_DOMAIN_DEVICES_H
#define KILN_DOMAIN_DEVICES_H

#include "domain/domain.h"

/* Of the KilnDomain itself, at path "devices". */
extern const KilnFieldOps kiln_devices_ops;

/* Makes the lists of @domain. */
void kiln_devices_init(KilnDomain *domain);

/**
 * kiln_devices_foreach:
 * @visit: called for each device of every family, in the order in which they are written; @info is
 *   NULL for one that is plugged in nowhere
 */
void kiln_devices_foreach(KilnDomain *domain,
                          void (*visit)(const char *element, void *device, KilnDeviceInfo *info,
                                        gpointer data),
                          gpointer data);

#endif
