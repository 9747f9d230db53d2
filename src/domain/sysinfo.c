/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See sysinfo.h. */
#include "domain/sysinfo.h"

#include <string.h>

static const char *const type_names[] = { NULL, "smbios", "fwcfg" };

static const char *const bios_names[] = { "vendor", "version", "date", "release", NULL };
static const char *const system_names[] = { "manufacturer", "product", "version", "serial",
                                            "uuid",         "sku",     "family",  NULL };
static const char *const board_names[] = { "manufacturer", "product",  "version", "serial",
                                           "asset",        "location", NULL };
static const char *const chassis_names[] = { "manufacturer", "version", "serial",
                                             "asset",        "sku",     NULL };

static const KilnField entry_fields[] = {
    KILN_FIELD_STRING(KilnSysinfoEntry, name, "@name"),
    KILN_FIELD_STRING(KilnSysinfoEntry, file, "@file"),
    KILN_FIELD_STRING(KilnSysinfoEntry, value, "."),
    KILN_FIELD_END,
};

static void
entry_check(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    KilnSysinfoEntry *entry = object;

    if (entry->file != NULL && entry->value != NULL && *entry->value == '\0')
        g_clear_pointer(&entry->value, g_free);
}

static const KilnStruct entry_struct = { sizeof(KilnSysinfoEntry), entry_fields, entry_check };

static const KilnField board_fields[] = {
    KILN_FIELD_LIST(KilnSysinfoBoard, entries, "entry", &entry_struct),
    KILN_FIELD_END,
};
static const KilnStruct board_struct = { sizeof(KilnSysinfoBoard), board_fields, NULL };

static const KilnField sysinfo_fields[] = {
    KILN_FIELD_ENUM(KilnSysinfo, type, "@type", type_names, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_LIST(KilnSysinfo, bios, "bios/entry", &entry_struct),
    KILN_FIELD_LIST(KilnSysinfo, system, "system/entry", &entry_struct),
    KILN_FIELD_LIST(KilnSysinfo, boards, "baseBoard", &board_struct),
    KILN_FIELD_LIST(KilnSysinfo, chassis, "chassis/entry", &entry_struct),
    KILN_FIELD_LIST(KilnSysinfo, oem_strings, "oemStrings/entry", &entry_struct),
    KILN_FIELD_LIST(KilnSysinfo, fwcfg, "entry", &entry_struct),
    KILN_FIELD_END,
};

static void
check_names(const GPtrArray *entries, const char *const *names, const char *element,
            KilnXmlNode *node, KilnFaults *faults)
{
    for (guint i = 0; i < entries->len; i++) {
        const KilnSysinfoEntry *entry = g_ptr_array_index(entries, i);

        if (entry->name == NULL)
            kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "an <entry> of <%s> has no name",
                           element);
        else if (!g_strv_contains(names, entry->name))
            kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "<%s> has no entry '%s'", element,
                           entry->name);
    }
}

static void
sysinfo_check(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    const KilnSysinfo *info = object;

    check_names(info->bios, bios_names, "bios", node, faults);
    check_names(info->system, system_names, "system", node, faults);
    check_names(info->chassis, chassis_names, "chassis", node, faults);
    for (guint i = 0; i < info->boards->len; i++) {
        const KilnSysinfoBoard *board = g_ptr_array_index(info->boards, i);

        check_names(board->entries, board_names, "baseBoard", node, faults);
    }
}

const KilnStruct kiln_sysinfo_struct = { sizeof(KilnSysinfo), sysinfo_fields, sysinfo_check };

const char *
kiln_sysinfo_value(const GPtrArray *entries, const char *name)
{
    for (guint i = 0; i < entries->len; i++) {
        const KilnSysinfoEntry *entry = g_ptr_array_index(entries, i);

        if (entry->name != NULL && strcmp(entry->name, name) == 0)
            return entry->value;
    }
    return NULL;
}
