/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which device of a definition is meant by a piece of one; of edit.c. */
#ifndef KILN_DOMAIN_EDIT_FIND_H
#define KILN_DOMAIN_EDIT_FIND_H

#include "domain/devices.h"
#include "domain/edit.h"

struct KilnDomainDevice {
    const KilnDeviceFamily *family;
    void *device; /* (owned) */
};

/* All of these: the place in the list; -1: there is none. */

/* @device itself. */
int kiln_find_index(GPtrArray *list, gconstpointer device);
/* By type and index. */
int kiln_find_controller(GPtrArray *list, const KilnController *like);
/* By the tag by which the guest mounts it. */
int kiln_find_filesystem(GPtrArray *list, const KilnFilesystem *like);

/* The first device that has all that @like says. */
int kiln_find_containing(GPtrArray *list, const KilnDomainDevice *like);

/* The device that @like names, or @error set. */
int kiln_find_like(KilnDomain *domain, const KilnDomainDevice *like, GError **error);

/* The device that @device is to replace, or @error set. */
int kiln_find_old(KilnDomain *domain, const KilnDomainDevice *device, GError **error);

#endif
