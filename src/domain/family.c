/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/family.h"

static void
place_parse(void *member, KilnXmlNode *node, KilnFaults *faults G_GNUC_UNUSED)
{
    KilnXmlPlace *place = member;

    *place = node->place;
}

static gboolean
place_present(const void *member G_GNUC_UNUSED)
{
    return FALSE;
}

static void
place_format(const void *member G_GNUC_UNUSED, KilnXmlWriter *writer G_GNUC_UNUSED,
             KilnDomainFormatFlags flags G_GNUC_UNUSED)
{
}

const KilnFieldOps kiln_place_ops = {
    .parse = place_parse,
    .present = place_present,
    .format = place_format,
};

static void
bytes_parse(void *member, KilnXmlNode *node, KilnFaults *faults)
{
    const char *unit = kiln_xml_take_attribute(node, "unit");
    const char *text = kiln_xml_take_text(node);
    KilnUint *bytes = member;

    if (kiln_size_parse(text, unit != NULL ? unit : "bytes", &bytes->value))
        bytes->set = TRUE;
    else
        kiln_fault_add(faults, KILN_FAULT_XML, node, NULL,
                       "'%s' is not a size below 16 EiB, in a unit such as 'KiB'", text);
}

static gboolean
bytes_present(const void *member)
{
    const KilnUint *bytes = member;

    return bytes->set;
}

static void
bytes_format(const void *member, KilnXmlWriter *writer, KilnDomainFormatFlags flags G_GNUC_UNUSED)
{
    const KilnUint *bytes = member;
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, bytes->value / 1024);

    kiln_xml_attribute(writer, "unit", "KiB");
    kiln_xml_text(writer, text);
}

const KilnFieldOps kiln_bytes_ops = {
    .parse = bytes_parse,
    .present = bytes_present,
    .format = bytes_format,
};
