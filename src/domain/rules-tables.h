/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files with the rows of the table of rules share; see rules.h. */
#ifndef KILN_DOMAIN_RULES_TABLES_H
#define KILN_DOMAIN_RULES_TABLES_H

#include "domain/rules.h"

typedef struct {
    const KilnDomainRule *rules;
    guint n;
} KilnRuleTable;

/* In the order in which they are looked through. */
extern const KilnRuleTable kiln_rules_guest;   /* all but <devices> */
extern const KilnRuleTable kiln_rules_disk;    /* <disk> */
extern const KilnRuleTable kiln_rules_net;     /* <interface> */
extern const KilnRuleTable kiln_rules_char;    /* <serial>, <console>, <channel> */
extern const KilnRuleTable kiln_rules_devices; /* the other devices, and those that are not there */

/* The value of @node's attribute @name, or NULL. */
const char *kiln_rule_attribute(const KilnXmlNode *node, const char *name);

/* The child @name of @node, or NULL. */
const KilnXmlNode *kiln_rule_child(const KilnXmlNode *node, const char *name);

/* Conditions of PCI_DEVICE's. */
const char *kiln_rule_rom(const KilnDomain *domain, const KilnXmlNode *node);

#define KILN_RULE_TABLE(rows)                                                                      \
    {                                                                                              \
        .rules = (rows), .n = G_N_ELEMENTS(rows)                                                   \
    }

#define YES(pattern_, ...)                                                                         \
    {                                                                                              \
        .pattern = (pattern_), .verdict = KILN_RULE_HONOURED, __VA_ARGS__                          \
    }
#define KEPT(pattern_, note_, ...)                                                                 \
    {                                                                                              \
        .pattern = (pattern_), .verdict = KILN_RULE_KEPT, .note = (note_), __VA_ARGS__             \
    }
#define NO(pattern_, note_)                                                                        \
    {                                                                                              \
        .pattern = (pattern_), .verdict = KILN_RULE_REFUSED, .note = (note_)                       \
    }

#define ALIASES "names of the user's own (ua-) are kept, others are made anew"
#define LABELS  "labels are set by the daemon, not by kiln run"

/* Attributes of <driver> that every virtio device has, at @path. */
#define VIRTIO_DRIVER(path)                                                                        \
    YES(path "@iommu", .values = "off",                                                            \
        .note = "an IOMMU for the guest is not available in this version"),                        \
        YES(path "@ats", .values = "off",                                                          \
            .note = "an IOMMU for the guest is not available in this version"),                    \
        YES(path "@packed"), YES(path "@page_per_vq")

/* Where a virtio device is plugged in, and what all PCI devices have besides. */
#define PCI_DEVICE(path)                                                                           \
    YES(path "/address"),                                                                          \
        YES(path "/address@type", .values = "pci",                                                 \
            .note = "it is a PCI device, and nothing else"),                                       \
        YES(path "/address@*"), DEVICE(path)

/* What all devices have besides, wherever they are plugged in. */
#define DEVICE(path)                                                                               \
    KEPT(path "/alias/**", ALIASES),                                                               \
        YES(path "/boot", .note = "without effect on a guest that boots its <kernel>"),            \
        YES(path "/boot@order"), KEPT(path "/boot@loadparm", "belongs to s390"),                   \
        YES(path "/rom",                                                                           \
            .note = "only interfaces that a guest without <kernel> boots from have one"),          \
        YES(path "/rom@enabled"), YES(path "/rom@bar"),                                            \
        YES(path "/rom@file", .check = kiln_rule_rom),                                             \
        NO(path "/acpi", "ACPI indexes of devices are not available in this version")

#define VIRTIO_MODEL                                                                               \
    .values = "virtio virtio-non-transitional",                                                    \
    .note = "the legacy interface of before virtio 1.0 is not there"

#endif
