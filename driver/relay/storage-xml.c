/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Documents of pools and volumes (libvirt's formatstorage), the part of them that directories have.
 */
#include "relay/storage-private.h"

#include "error/vir-error.h"

#include <libvirt/libvirt.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 8, TEXT_MAX = 4096 };

typedef struct {
    KilnStorageXml *xml;
    const char *root;
    GString *path; /* of the element that is open: "/pool/target/path" */
    guint depth;
    char **text; /* (nullable): where the text of this element goes */
} Parse;

void
kiln_storage_xml_clear(KilnStorageXml *xml)
{
    g_free(xml->type);
    g_free(xml->name);
    g_free(xml->uuid);
    g_free(xml->path);
    g_free(xml->format);
    g_free(xml->backing);
    g_free(xml->capacity);
    g_free(xml->capacity_unit);
    g_free(xml->allocation);
    g_free(xml->allocation_unit);
    memset(xml, 0, sizeof *xml);
}

static const char *
attribute(const char **names, const char **values, const char *wanted)
{
    for (guint i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], wanted) == 0)
            return values[i];
    }
    return NULL;
}

static void
keep(char **where, const char *value)
{
    g_free(*where);
    *where = g_strdup(value);
}

static char **
text_of(KilnStorageXml *xml, const char *path)
{
    const struct {
        const char *path;
        char **text;
    } texts[] = {
        { "/name", &xml->name },
        { "/uuid", &xml->uuid },
        { "/target/path", &xml->path },
        { "/capacity", &xml->capacity },
        { "/allocation", &xml->allocation },
        { "/backingStore/path", &xml->backing },
    };

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        if (strcmp(texts[i].path, path) == 0)
            return texts[i].text;
    }
    return NULL;
}

static void
on_start(GMarkupParseContext *context, const char *element, const char **names, const char **values,
         gpointer data, GError **error)
{
    Parse *parse = data;
    const char *within;

    (void)context;
    if (parse->depth == 0 && strcmp(element, parse->root) != 0) {
        kiln_vir_error_set(error, VIR_ERR_XML_ERROR,
                           "unexpected root element <%.64s>, expecting <%s>", element, parse->root);
        return;
    }
    if (++parse->depth > DEPTH_MAX) {
        kiln_vir_error_set(error, VIR_ERR_XML_ERROR, "elements are too deep within each other");
        return;
    }
    if (parse->depth == 1) {
        keep(&parse->xml->type, attribute(names, values, "type"));
        return;
    }
    g_string_append_printf(parse->path, "/%s", element);
    within = parse->path->str;
    parse->text = text_of(parse->xml, within);
    if (strcmp(within, "/target/format") == 0)
        keep(&parse->xml->format, attribute(names, values, "type"));
    else if (strcmp(within, "/capacity") == 0)
        keep(&parse->xml->capacity_unit, attribute(names, values, "unit"));
    else if (strcmp(within, "/allocation") == 0)
        keep(&parse->xml->allocation_unit, attribute(names, values, "unit"));
}

static void
on_end(GMarkupParseContext *context, const char *element, gpointer data, GError **error)
{
    Parse *parse = data;

    (void)context;
    (void)error;
    parse->text = NULL;
    if (parse->depth-- > 1)
        g_string_truncate(parse->path, parse->path->len - strlen(element) - 1);
}

static void
on_text(GMarkupParseContext *context, const char *text, gsize length, gpointer data, GError **error)
{
    Parse *parse = data;

    (void)context;
    if (parse->text == NULL)
        return;
    if (length > TEXT_MAX) {
        kiln_vir_error_set(error, VIR_ERR_XML_ERROR, "a text is too long");
        return;
    }
    g_free(*parse->text);
    *parse->text = g_strstrip(g_strndup(text, length));
}

gboolean
kiln_storage_xml_parse(const char *text, const char *root, KilnStorageXml *xml, GError **error)
{
    static const GMarkupParser parser = { on_start, on_end, on_text, NULL, NULL };
    g_autoptr(GString) path = g_string_new(NULL);
    Parse parse = { .xml = xml, .root = root, .path = path };
    g_autoptr(GMarkupParseContext) context =
        g_markup_parse_context_new(&parser, G_MARKUP_TREAT_CDATA_AS_TEXT, &parse, NULL);
    g_autoptr(GError) wrong = NULL;

    if (g_markup_parse_context_parse(context, text, (gssize)strlen(text), &wrong) &&
        g_markup_parse_context_end_parse(context, &wrong))
        return TRUE;
    if (wrong->domain == KILN_VIR_ERROR)
        g_propagate_error(error, g_steal_pointer(&wrong));
    else
        kiln_vir_error_set(error, VIR_ERR_XML_ERROR, "%s", wrong->message);
    return FALSE;
}

gboolean
kiln_storage_xml_size(const char *number, const char *unit, guint64 *bytes, GError **error)
{
    static const char letters[] = "kmgtpe";
    guint64 value = 0;
    guint64 scale = 1;

    if (number == NULL || !g_ascii_string_to_unsigned(number, 10, 0, G_MAXINT64, &value, NULL))
        return kiln_vir_error_set(error, VIR_ERR_XML_ERROR, "malformed size '%.64s'",
                                  number != NULL ? number : "");
    if (unit != NULL && g_ascii_strcasecmp(unit, "bytes") != 0 &&
        g_ascii_strcasecmp(unit, "b") != 0) {
        const char *letter = unit[0] != '\0' ? strchr(letters, g_ascii_tolower(unit[0])) : NULL;
        gboolean decimal = letter != NULL && g_ascii_strcasecmp(unit + 1, "b") == 0;

        if (letter == NULL ||
            (!decimal && unit[1] != '\0' && g_ascii_strcasecmp(unit + 1, "ib") != 0))
            return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG, "unknown suffix '%.64s'", unit);
        for (gssize i = 0; i <= letter - letters; i++)
            scale *= decimal ? 1000 : 1024;
    }
    if (value > G_MAXINT64 / scale)
        return kiln_vir_error_set(error, VIR_ERR_OVERFLOW, "value too large: %s%s", number,
                                  unit != NULL ? unit : "");
    *bytes = value * scale;
    return TRUE;
}

static void
add_size(GString *xml, const char *name, guint64 bytes)
{
    g_string_append_printf(xml, "  <%s unit='bytes'>%" G_GUINT64_FORMAT "</%s>\n", name, bytes,
                           name);
}

static void
add_text(GString *xml, const char *indent, const char *name, const char *text)
{
    g_autofree char *line = g_markup_printf_escaped("%s<%s>%s</%s>\n", indent, name, text, name);

    g_string_append(xml, line);
}

static void
add_permissions(GString *xml, guint32 mode, guint32 uid, guint32 gid)
{
    g_string_append_printf(xml,
                           "    <permissions>\n"
                           "      <mode>0%03o</mode>\n"
                           "      <owner>%u</owner>\n"
                           "      <group>%u</group>\n"
                           "    </permissions>\n",
                           mode & 07777, uid, gid);
}

char *
kiln_pool_xml(const KilnPool *pool)
{
    GString *xml = g_string_new("<pool type='dir'>\n");
    char uuid[VIR_UUID_STRING_BUFLEN];
    const guint8 *u = pool->uuid;
    guint64 capacity = 0;
    guint64 allocation = 0;
    guint64 available = 0;
    struct stat is;

    g_snprintf(uuid, sizeof uuid,
               "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0], u[1],
               u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14],
               u[15]);
    if (pool->active)
        kiln_pool_info(pool, &capacity, &allocation, &available, NULL);
    add_text(xml, "  ", "name", pool->name);
    add_text(xml, "  ", "uuid", uuid);
    add_size(xml, "capacity", capacity);
    add_size(xml, "allocation", allocation);
    add_size(xml, "available", available);
    g_string_append(xml, "  <source>\n  </source>\n  <target>\n");
    add_text(xml, "    ", "path", pool->path);
    if (stat(pool->path, &is) == 0)
        add_permissions(xml, is.st_mode, is.st_uid, is.st_gid);
    g_string_append(xml, "  </target>\n</pool>\n");
    return g_string_free(xml, FALSE);
}

char *
kiln_volume_xml(const KilnPool *pool, const char *name, const KilnVolumeInfo *info)
{
    GString *xml = g_string_new("<volume type='file'>\n");
    g_autofree char *path = g_build_filename(pool->path, name, NULL);

    add_text(xml, "  ", "name", name);
    add_text(xml, "  ", "key", path);
    add_size(xml, "capacity", info->capacity);
    add_size(xml, "allocation", info->allocation);
    add_size(xml, "physical", info->physical);
    g_string_append(xml, "  <target>\n");
    add_text(xml, "    ", "path", path);
    if (info->format != KILN_VOLUME_UNKNOWN)
        g_string_append_printf(xml, "    <format type='%s'/>\n",
                               info->format == KILN_VOLUME_QCOW2 ? "qcow2" : "raw");
    add_permissions(xml, info->mode, info->uid, info->gid);
    g_string_append(xml, "  </target>\n</volume>\n");
    return g_string_free(xml, FALSE);
}
