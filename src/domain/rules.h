/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of libvirt's vocabulary this kiln runs: one row an element or attribute, in rules.c.  The
 * validator walks a document along it, and the table in kiln-domain(5) is made from it.
 *
 * A pattern is a path as faults have it, without numbers: "domain/os/kernel", "domain/cpu@mode".
 * A step may be "*", may select by an attribute ("timer[name=hpet]"), and the last may be "**": all
 * that is below, and the attributes.  The first row that fits decides; what no row fits is refused.
 */
#ifndef KILN_DOMAIN_RULES_H
#define KILN_DOMAIN_RULES_H

#include "domain/domain.h"

typedef enum {
    KILN_RULE_HONOURED,
    KILN_RULE_KEPT,    /* has no effect by nature; kept and written back */
    KILN_RULE_REFUSED, /* with all that is below */
} KilnVerdict;

typedef struct {
    const char *pattern;
    KilnVerdict verdict;
    const char
        *values; /* (nullable) the only ones that are taken, between spaces; "x*" is a prefix */
    const char *note; /* (nullable) what it does; why the others are refused, or it is at all */
    /* (nullable) what depends on more than the value; NULL or the reason for a refusal */
    const char *(*check)(const KilnDomain *domain, const KilnXmlNode *node);
} KilnDomainRule;

/**
 * kiln_domain_rules:
 * @n_rules: (out)
 *
 * Returns: (transfer none): the table.
 */
const KilnDomainRule *kiln_domain_rules(guint *n_rules);

/**
 * kiln_domain_rules_find:
 * @attribute: (nullable): of @node
 *
 * Returns: (nullable): the first row that fits.
 */
const KilnDomainRule *kiln_domain_rules_find(const KilnXmlNode *node, const char *attribute);

/* Whether @rule's values are not bounded, or have @value. */
gboolean kiln_domain_rule_allows(const KilnDomainRule *rule, const char *value);

/**
 * kiln_domain_rules_take:
 * @path: "domain/os/kernel", "domain/cpu@mode"; a step may have one attribute,
 *   "domain/devices/controller[type=pci]@model"
 * @value: (nullable): of the attribute, or the element's text
 *
 * What capabilities are made of.  Conditions, which need the rest of a document, are not looked at.
 *
 * Returns: whether that is honoured or kept, and all the elements that it is in.
 */
gboolean kiln_domain_rules_take(const char *path, const char *value);

#endif
