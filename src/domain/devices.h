/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <devices>: one table of the families, and what holds for each device of any of them. */
#ifndef KILN_DOMAIN_DEVICES_H
#define KILN_DOMAIN_DEVICES_H

#include "domain/domain.h"

/* Of the KilnDomain itself, at path "devices". */
extern const KilnFieldOps kiln_devices_ops;

/* Makes the lists of @domain. */
void kiln_devices_init(KilnDomain *domain);

/* A family's trio with its types forgotten. */
typedef struct {
    const char *element;
    gsize list; /* of its GPtrArray * in KilnDomain */
    gsize info; /* of the KilnDeviceInfo in its struct; 0 if it has none */
    guint most; /* how many a guest may have, 0 for any number */
    void *(*parse)(KilnXmlNode *node, KilnFaults *faults);
    void (*format)(const void *device, KilnXmlWriter *writer, KilnDomainFormatFlags flags);
    void (*free)(void *device);
} KilnDeviceFamily;

/* Returns: (nullable): the family of that element. */
const KilnDeviceFamily *kiln_device_family(const char *element);

/* Whether libvirt knows such a device, and there is no family of it here. */
gboolean kiln_device_is_other(const char *element);

/* Returns: (transfer none): the devices of that family. */
GPtrArray *kiln_device_family_list(const KilnDeviceFamily *family, KilnDomain *domain);

/* Returns: (nullable): what @device, of that family, has as every device has it. */
KilnDeviceInfo *kiln_device_family_info(const KilnDeviceFamily *family, void *device);

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
