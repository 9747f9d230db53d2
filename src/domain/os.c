/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See os.h. */
#include "domain/os.h"

#include "domain/kept.h"

#include <string.h>

static const char *const firmware_names[] = { NULL, "bios", "efi" };
static const char *const loader_names[] = { NULL, "rom", "pflash" };
static const char *const boot_names[] = { NULL, "hd", "cdrom", "network", "fd" };
static const char *const smbios_names[] = { NULL, "emulate", "host", "sysinfo" };

static const KilnField feature_fields[] = {
    KILN_FIELD_SWITCH(KilnFirmwareFeature, enabled, "@enabled", YESNO,
                      .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnFirmwareFeature, name, "@name", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_END,
};
static const KilnStruct feature_struct = { sizeof(KilnFirmwareFeature), feature_fields, NULL };

static const KilnField boot_fields[] = {
    KILN_FIELD_ENUM(KilnBootDevice, kind, "@dev", boot_names, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_END,
};
static const KilnStruct boot_struct = { sizeof(KilnBootDevice), boot_fields, NULL };

static const KilnField table_fields[] = {
    KILN_FIELD_STRING(KilnAcpiTableFile, type, "@type", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_STRING(KilnAcpiTableFile, path, "."),
    KILN_FIELD_END,
};
static const KilnStruct table_struct = { sizeof(KilnAcpiTableFile), table_fields, NULL };

static const KilnField os_fields[] = {
    KILN_FIELD_ENUM(KilnOs, firmware, "@firmware", firmware_names),
    KILN_FIELD_STRING(KilnOs, arch, "type@arch"),
    KILN_FIELD_STRING(KilnOs, machine, "type@machine"),
    KILN_FIELD_STRING(KilnOs, type, "type", .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_LIST(KilnOs, firmware_features, "firmware/feature", &feature_struct),
    KILN_FIELD_SWITCH(KilnOs, loader_readonly, "loader@readonly", YESNO),
    KILN_FIELD_SWITCH(KilnOs, loader_secure, "loader@secure", YESNO),
    KILN_FIELD_ENUM(KilnOs, loader_type, "loader@type", loader_names),
    KILN_FIELD_SWITCH(KilnOs, loader_stateless, "loader@stateless", YESNO),
    KILN_FIELD_STRING(KilnOs, loader_format, "loader@format"),
    KILN_FIELD_STRING(KilnOs, loader, "loader"),
    KILN_FIELD_STRING(KilnOs, nvram_template, "nvram@template"),
    KILN_FIELD_STRING(KilnOs, nvram_format, "nvram@format"),
    KILN_FIELD_STRING(KilnOs, nvram_type, "nvram@type"),
    KILN_FIELD_STRING(KilnOs, nvram, "nvram"),
    KILN_FIELD_CUSTOM(KilnOs, nvram_source, "nvram/source", &kiln_kept_element_ops),
    KILN_FIELD_STRING(KilnOs, kernel, "kernel"),
    KILN_FIELD_STRING(KilnOs, initrd, "initrd"),
    KILN_FIELD_STRING(KilnOs, cmdline, "cmdline"),
    KILN_FIELD_STRING(KilnOs, dtb, "dtb"),
    KILN_FIELD_STRING(KilnOs, shim, "shim"),
    KILN_FIELD_LIST(KilnOs, acpi_tables, "acpi/table", &table_struct),
    KILN_FIELD_LIST(KilnOs, boot, "boot", &boot_struct),
    KILN_FIELD_SWITCH(KilnOs, bootmenu, "bootmenu@enable", YESNO, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_UINT(KilnOs, bootmenu_timeout_ms, "bootmenu@timeout", 0, 65535),
    KILN_FIELD_ENUM(KilnOs, smbios, "smbios@mode", smbios_names, .flags = KILN_FIELD_REQUIRED),
    KILN_FIELD_SWITCH(KilnOs, bios_useserial, "bios@useserial", YESNO),
    KILN_FIELD_INT(KilnOs, bios_reboot_timeout_ms, "bios@rebootTimeout"),
    KILN_FIELD_END,
};

static void
drop_empty(char **text)
{
    if (*text != NULL && **text == '\0')
        g_clear_pointer(text, g_free);
}

static void
os_check(void *object, KilnXmlNode *node, KilnFaults *faults)
{
    KilnOs *os = object;

    drop_empty(&os->loader); /* the elements hold only attributes then */
    drop_empty(&os->nvram);
    drop_empty(&os->kernel);
    drop_empty(&os->initrd);
    drop_empty(&os->cmdline);
    drop_empty(&os->dtb);
    if (os->kernel == NULL && (os->initrd != NULL || os->cmdline != NULL))
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL, "<%s> needs a <kernel>",
                       os->initrd != NULL ? "initrd" : "cmdline");
    if (os->bios_reboot_timeout_ms.value < -1 || os->bios_reboot_timeout_ms.value > 65535)
        kiln_fault_add(faults, KILN_FAULT_XML, kiln_xml_take_child(node, "bios", faults),
                       "rebootTimeout", "must be from -1 to 65535");
}

const KilnStruct kiln_os_struct = { sizeof(KilnOs), os_fields, os_check };
