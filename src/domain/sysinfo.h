/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <sysinfo>: what the firmware tells the guest about its machine. */
#ifndef KILN_DOMAIN_SYSINFO_H
#define KILN_DOMAIN_SYSINFO_H

#include "domain/fields.h"

typedef enum {
    KILN_SYSINFO_ABSENT,
    KILN_SYSINFO_SMBIOS,
    KILN_SYSINFO_FWCFG,
} KilnSysinfoType;

/* <entry name='serial'>123</entry>; an OEM string has no name, a fw_cfg blob may have a file. */
typedef struct {
    char *name;  /* (owned) (nullable) */
    char *file;  /* (owned) (nullable) */
    char *value; /* (owned) (nullable) */
} KilnSysinfoEntry;

typedef struct {
    GPtrArray *entries; /* (owned) of KilnSysinfoEntry */
} KilnSysinfoBoard;

typedef struct {
    KilnSysinfoType type;
    GPtrArray *bios;        /* (owned) of KilnSysinfoEntry: vendor, version, date, release */
    GPtrArray *system;      /* (owned) of KilnSysinfoEntry: manufacturer, product, version, ... */
    GPtrArray *boards;      /* (owned) of KilnSysinfoBoard */
    GPtrArray *chassis;     /* (owned) of KilnSysinfoEntry */
    GPtrArray *oem_strings; /* (owned) of KilnSysinfoEntry */
    GPtrArray *fwcfg;       /* (owned) of KilnSysinfoEntry */
} KilnSysinfo;

extern const KilnStruct kiln_sysinfo_struct;

/**
 * kiln_sysinfo_value:
 * @entries: of KilnSysinfoEntry
 *
 * Returns: (nullable): the value of the first entry called @name, owned by @entries.
 */
const char *kiln_sysinfo_value(const GPtrArray *entries, const char *name);

#endif
