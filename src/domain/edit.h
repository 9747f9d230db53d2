/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of a definition by a piece of one: a device that is attached, detached or replaced, found
 * by what libvirt finds it by.
 *
 *   text of one device -> kiln_domain_device_parse -> kiln_domain_attach / _detach / _update
 *        -> kiln_domain_validate -> kiln_domain_assign
 *
 * Errors that callers tell apart: KILN_ERROR_NOT_FOUND (no such device), _EXISTS (there is one
 * already), _UNSUPPORTED (devices of that family come and go with the whole definition only).
 */
#ifndef KILN_DOMAIN_EDIT_H
#define KILN_DOMAIN_EDIT_H

#include "domain/domain.h"

/* One device, in no definition. */
typedef struct KilnDomainDevice KilnDomainDevice;

/**
 * kiln_domain_device_parse:
 * @text: one element, such as "<disk ...>"
 *
 * What exists only while a guest runs (an alias that is not the user's) is left out.
 *
 * Returns: (transfer full): the device, or NULL with @error set: KILN_ERROR_XML, or
 *   KILN_ERROR_UNSUPPORTED for a device that kiln does not have.
 */
KilnDomainDevice *kiln_domain_device_parse(const char *text, gsize length, GError **error);
void kiln_domain_device_free(KilnDomainDevice *device);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnDomainDevice, kiln_domain_device_free)

/* Its element: "disk", "interface" ... */
const char *kiln_domain_device_element(const KilnDomainDevice *device);

/* The KilnDisk, KilnNet ... of its element; borrowed. */
void *kiln_domain_device_get(const KilnDomainDevice *device);

/**
 * kiln_domain_device_is_within:
 * @device: of the same family
 *
 * Returns: whether all that @part says is so of @device, which may say more.
 */
gboolean kiln_domain_device_is_within(const KilnDomainDevice *part, const void *device);

/**
 * kiln_domain_attach:
 * @device: (transfer full)
 *
 * Returns: TRUE, or FALSE with @error set.
 */
gboolean kiln_domain_attach(KilnDomain *domain, KilnDomainDevice *device, GError **error);

/* Removes the one device that is like @like: the disk of that target, the interface of that MAC
 * address, and for most others the first one that has all that @like says. */
gboolean kiln_domain_detach(KilnDomain *domain, const KilnDomainDevice *like, GError **error);

/* Removes the device of that alias. */
gboolean kiln_domain_detach_alias(KilnDomain *domain, const char *alias, GError **error);

/**
 * kiln_domain_update:
 * @device: (transfer full): a disk, interface, graphics or memory: takes the place of the one that
 *   has its target, MAC address, type or address; an address that it does not say stays
 *
 * Returns: TRUE, or FALSE with @error set: KILN_ERROR_INVALID if there is none.
 */
gboolean kiln_domain_update(KilnDomain *domain, KilnDomainDevice *device, GError **error);

/**
 * kiln_domain_find_disk:
 * @name: target ("vda"), or the path of its source if it begins with '/' and only one disk has it
 *
 * Returns: (transfer none) (nullable)
 */
KilnDisk *kiln_domain_find_disk(const KilnDomain *domain, const char *name);

/* Returns: (nullable): the host's file or device behind @disk. */
const char *kiln_disk_path(const KilnDisk *disk);

/* Returns: (nullable): the interface whose host side has that name, or that has that MAC address.
 */
KilnNet *kiln_domain_find_net(const KilnDomain *domain, const char *name);

/**
 * kiln_domain_changed:
 *
 * Forgets the document that @domain was read from, which does not hold any more: validation looks
 * at what is there now.  The functions above do that.
 */
void kiln_domain_changed(KilnDomain *domain);

#endif
