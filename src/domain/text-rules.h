/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the text of certain attributes and elements must look like, after libvirt's basictypes.rng
 * and domaincommon.rng (libvirt 9.0).  A field's table names the rule: `.rule = &kiln_uuid_rule`.
 */
#ifndef KILN_DOMAIN_TEXT_RULES_H
#define KILN_DOMAIN_TEXT_RULES_H

#include <glib.h>

typedef struct KilnTextRule KilnTextRule;

struct KilnTextRule {
    const char *wants; /* for people: "an absolute path" */
    const char *extra; /* (nullable) characters allowed besides letters and digits */
    gsize max;         /* bytes at most; 0 is no limit */
    gboolean (*check)(const char *text); /* (nullable) instead of @extra */
};

/**
 * kiln_text_rule_allows:
 * Returns: whether @text, which is not NULL, follows @rule.  An empty text never does, except where
 *   the rule's @wants says so.
 */
gboolean kiln_text_rule_allows(const KilnTextRule *rule, const char *text);

extern const KilnTextRule kiln_path_rule;        /* absolute */
extern const KilnTextRule kiln_alias_rule;       /* of a device */
extern const KilnTextRule kiln_usb_port_rule;    /* "2.1": a port, or ports of hubs down to it */
extern const KilnTextRule kiln_block_rule;       /* absolute path or device name */
extern const KilnTextRule kiln_device_rule;      /* name of a network device */
extern const KilnTextRule kiln_device_path_rule; /* the same, which may be a path */
extern const KilnTextRule kiln_generic_rule;     /* a plain name */
extern const KilnTextRule kiln_host_rule;        /* DNS name or IP address */
extern const KilnTextRule kiln_ip_rule;          /* IPv4 or IPv6 address */
extern const KilnTextRule kiln_ipv4_rule;
extern const KilnTextRule kiln_mac_rule; /* unicast */
extern const KilnTextRule kiln_uuid_rule;
extern const KilnTextRule kiln_no_slash_rule;
extern const KilnTextRule kiln_disk_target_rule;
extern const KilnTextRule kiln_disk_serial_rule;
extern const KilnTextRule kiln_wwn_rule;          /* 16 hexadecimal digits */
extern const KilnTextRule kiln_wwpn_rule;         /* "naa." and 16 hexadecimal digits */
extern const KilnTextRule kiln_scsi_vendor_rule;  /* may be empty */
extern const KilnTextRule kiln_scsi_product_rule; /* may be empty */
extern const KilnTextRule kiln_cookie_name_rule;  /* RFC 6265 */
extern const KilnTextRule kiln_cookie_value_rule; /* RFC 6265 */
extern const KilnTextRule kiln_profile_id_rule;   /* of IEEE 802.1Qbh; may be empty */
extern const KilnTextRule kiln_model_rule;        /* of a network adapter */
extern const KilnTextRule kiln_unit_rule;         /* "KiB" ... */
extern const KilnTextRule kiln_datetime_rule;     /* XML Schema dateTime */

#endif
