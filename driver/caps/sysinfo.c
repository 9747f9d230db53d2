/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <sysinfo>: the host's SMBIOS tables, as the kernel shows them in /sys/class/dmi; see caps.h. */
#include "caps/caps.h"

#include <string.h>

#include "caps/host.h"
#include "domain/xml-writer.h"

typedef struct {
    const char *name; /* libvirt's */
    const char *file;
} Entry;

static const Entry bios[] = {
    { "vendor", "bios_vendor" },
    { "version", "bios_version" },
    { "date", "bios_date" },
    { "release", "bios_release" },
};
static const Entry of_system[] = {
    { "manufacturer", "sys_vendor" }, { "product", "product_name" },
    { "version", "product_version" }, { "serial", "product_serial" },
    { "uuid", "product_uuid" },       { "sku", "product_sku" },
    { "family", "product_family" },
};
static const Entry base_board[] = {
    { "manufacturer", "board_vendor" }, { "product", "board_name" },
    { "version", "board_version" },     { "serial", "board_serial" },
    { "asset", "board_asset_tag" },
};
static const Entry chassis[] = {
    { "manufacturer", "chassis_vendor" },
    { "version", "chassis_version" },
    { "serial", "chassis_serial" },
    { "asset", "chassis_asset_tag" },
};

/* Firmware writes what it likes: what is no text is left out. */
static char *
read_entry(const char *file)
{
    g_autofree char *text = kiln_host_read("/sys/class/dmi/id/%s", file);

    if (text == NULL || *text == '\0' || !g_utf8_validate(text, -1, NULL))
        return NULL;
    for (const char *c = text; *c != '\0'; c++)
        if ((guchar)*c < ' ')
            return NULL;
    return g_steal_pointer(&text);
}

static void
format_table(KilnXmlWriter *xml, const char *name, const Entry *entries, guint n)
{
    gboolean open = FALSE;

    for (guint i = 0; i < n; i++) {
        g_autofree char *text = read_entry(entries[i].file);

        if (text == NULL)
            continue;
        if (!open)
            kiln_xml_start(xml, name);
        open = TRUE;
        kiln_xml_start(xml, "entry");
        kiln_xml_attribute(xml, "name", entries[i].name);
        kiln_xml_text(xml, text);
        kiln_xml_end(xml);
    }
    if (open)
        kiln_xml_end(xml);
}

char *
kiln_caps_sysinfo(void)
{
    g_autoptr(KilnXmlWriter) xml = kiln_xml_writer_new();

    kiln_xml_start(xml, "sysinfo");
    kiln_xml_attribute(xml, "type", "smbios");
    format_table(xml, "bios", bios, G_N_ELEMENTS(bios));
    format_table(xml, "system", of_system, G_N_ELEMENTS(of_system));
    format_table(xml, "baseBoard", base_board, G_N_ELEMENTS(base_board));
    format_table(xml, "chassis", chassis, G_N_ELEMENTS(chassis));
    kiln_xml_end(xml);
    return kiln_xml_writer_finish(xml);
}

/* 32 digits, with or without dashes */
static gboolean
parse_uuid(const char *text, guint8 uuid[16])
{
    guint n = 0;

    for (; text != NULL && *text != '\0'; text++) {
        if (*text == '-')
            continue;
        if (!g_ascii_isxdigit(*text) || n == 32)
            return FALSE;
        uuid[n / 2] = (guint8)(uuid[n / 2] << 4 | g_ascii_xdigit_value(*text));
        n++;
    }
    return n == 32;
}

/* Boards that have none say all zeros or all ones. */
static gboolean
is_unique(const guint8 uuid[16])
{
    for (guint i = 1; i < 16; i++)
        if (uuid[i] != uuid[0])
            return TRUE;
    return FALSE;
}

gboolean
kiln_caps_host_uuid(guint8 uuid[16])
{
    g_autofree char *board = kiln_host_read("/sys/class/dmi/id/product_uuid");
    g_autofree char *machine = kiln_host_read("/etc/machine-id");

    return (parse_uuid(board, uuid) && is_unique(uuid)) ||
           (parse_uuid(machine, uuid) && is_unique(uuid));
}
