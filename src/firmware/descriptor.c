/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See descriptor.h. */
#include "firmware/descriptor.h"

#include "base/error.h"
#include "base/log.h"
#include "domain/domain.h"

#include <fnmatch.h>
#include <json-glib/json-glib.h>
#include <string.h>
#include <unistd.h>

enum { DESCRIPTOR_MAX = 1 << 20 }; /* bytes */

/* ---- JSON, whose members may be of any type
 * ------------------------------------------------------
 */

static JsonObject *
object_of(JsonNode *node)
{
    return node != NULL && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static const char *
text_of(JsonNode *node)
{
    return node != NULL && json_node_get_value_type(node) == G_TYPE_STRING
               ? json_node_get_string(node)
               : NULL;
}

static JsonNode *
member(JsonObject *object, const char *name)
{
    return object != NULL ? json_object_get_member(object, name) : NULL;
}

/* (transfer full): the texts in it; empty if it is no list. */
static char **
texts_of(JsonNode *node)
{
    JsonArray *array =
        node != NULL && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
    GPtrArray *texts = g_ptr_array_new();

    for (guint i = 0; array != NULL && i < json_array_get_length(array); i++) {
        const char *text = text_of(json_array_get_element(array, i));

        if (text != NULL)
            g_ptr_array_add(texts, g_strdup(text));
    }
    g_ptr_array_add(texts, NULL);
    return (char **)g_ptr_array_free(texts, FALSE);
}

/* ---- One descriptor
 * ------------------------------------------------------------------------------
 */

gboolean
kiln_firmware_build_has(const KilnFirmwareBuild *build, const char *name)
{
    return g_strv_contains((const char *const *)build->features, name);
}

void
kiln_firmware_build_free(KilnFirmwareBuild *build)
{
    if (build == NULL)
        return;
    g_free(build->path);
    g_free(build->code);
    g_free(build->code_format);
    g_free(build->template);
    g_free(build->template_format);
    g_strfreev(build->features);
    g_free(build);
}

static void
read_interfaces(KilnFirmwareBuild *build, JsonObject *root)
{
    g_auto(GStrv) names = texts_of(member(root, "interface-types"));

    if (g_strv_contains((const char *const *)names, "bios"))
        build->interfaces |= KILN_FIRMWARE_INTERFACE_BIOS;
    if (g_strv_contains((const char *const *)names, "uefi"))
        build->interfaces |= KILN_FIRMWARE_INTERFACE_UEFI;
}

/* A file of the mapping: its name and format. */
static void
read_file(JsonNode *node, char **file, char **format)
{
    JsonObject *object = object_of(node);
    const char *text = text_of(member(object, "format"));

    *file = g_strdup(text_of(member(object, "filename")));
    *format = g_strdup(text != NULL ? text : "raw");
}

static void
read_flash(KilnFirmwareBuild *build, JsonObject *mapping)
{
    const char *mode = text_of(member(mapping, "mode")); /* newer than the rest: absent is split */

    read_file(member(mapping, "executable"), &build->code, &build->code_format);
    if (mode == NULL || strcmp(mode, "split") == 0) {
        read_file(member(mapping, "nvram-template"), &build->template, &build->template_format);
        build->mapping = build->template != NULL ? KILN_FIRMWARE_SPLIT : KILN_FIRMWARE_OTHER;
    } else if (strcmp(mode, "combined") == 0) {
        build->mapping = KILN_FIRMWARE_COMBINED;
    } else if (strcmp(mode, "stateless") == 0) {
        build->mapping = KILN_FIRMWARE_STATELESS;
    }
}

static void
read_mapping(KilnFirmwareBuild *build, JsonObject *root)
{
    JsonObject *mapping = object_of(member(root, "mapping"));
    const char *device = text_of(member(mapping, "device"));

    if (device != NULL && strcmp(device, "flash") == 0) {
        read_flash(build, mapping);
    } else if (device != NULL && strcmp(device, "memory") == 0) {
        build->code = g_strdup(text_of(member(mapping, "filename")));
        build->code_format = g_strdup("raw");
        build->mapping = KILN_FIRMWARE_MEMORY;
    }
    if (build->code == NULL)
        build->mapping = KILN_FIRMWARE_OTHER;
}

/* Of "targets", whether one is x86_64 and has a pattern that fits our machine's name. */
static gboolean
has_machine(JsonNode *node)
{
    JsonArray *targets =
        node != NULL && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;

    for (guint i = 0; targets != NULL && i < json_array_get_length(targets); i++) {
        JsonObject *target = object_of(json_array_get_element(targets, i));
        const char *architecture = text_of(member(target, "architecture"));
        g_auto(GStrv) machines = texts_of(member(target, "machines"));

        if (architecture == NULL || strcmp(architecture, "x86_64") != 0)
            continue;
        for (guint j = 0; machines[j] != NULL; j++) {
            if (fnmatch(machines[j], KILN_MACHINE_TYPE, 0) == 0)
                return TRUE;
        }
    }
    return FALSE;
}

KilnFirmwareBuild *
kiln_firmware_build_parse(const char *path, const char *text, gssize length, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(KilnFirmwareBuild) build = NULL;
    JsonObject *root;

    if (!json_parser_load_from_data(parser, text, length, error)) {
        g_prefix_error(error, "'%s': ", path);
        return NULL;
    }
    root = object_of(json_parser_get_root(parser));
    if (root == NULL || member(root, "mapping") == NULL) {
        kiln_error_set(error, KILN_ERROR_INVALID, "'%s' describes no firmware", path);
        return NULL;
    }
    build = g_new0(KilnFirmwareBuild, 1);
    build->path = g_strdup(path);
    read_interfaces(build, root);
    read_mapping(build, root);
    build->machine = has_machine(member(root, "targets"));
    build->features = texts_of(member(root, "features"));
    return g_steal_pointer(&build);
}

/* ---- All of the host's
 * ---------------------------------------------------------------------------
 */

/* Those of @directory whose names are not in @files yet, which it adds. */
static void
add_files(GHashTable *files, const char *directory)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        if (name[0] != '.' && g_str_has_suffix(name, ".json") &&
            !g_hash_table_contains(files, name))
            g_hash_table_insert(files, g_strdup(name), g_build_filename(directory, name, NULL));
    }
}

static KilnFirmwareBuild *
read_descriptor(const char *path)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    KilnFirmwareBuild *build = NULL;
    gsize length;

    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR))
        return NULL;
    if (g_file_get_contents(path, &text, &length, &error)) {
        if (length == 0) /* it is there to hide others */
            return NULL;
        if (length > DESCRIPTOR_MAX)
            kiln_error_set(&error, KILN_ERROR_INVALID, "'%s' is too long", path);
        else
            build = kiln_firmware_build_parse(path, text, (gssize)length, &error);
    }
    if (error != NULL)
        kiln_log(KILN_LOG_WARNING, "firmware: %s", error->message);
    return build;
}

static void
add_host_files(GHashTable *files)
{
    g_autofree char *own = g_build_filename(g_get_user_config_dir(), "qemu", "firmware", NULL);

    if (geteuid() != 0)
        add_files(files, own);
    add_files(files, "/etc/qemu/firmware");
    add_files(files, "/usr/share/qemu/firmware");
}

static gint
by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(a, b);
}

GPtrArray *
kiln_firmware_builds(const char *const *directories)
{
    g_autoptr(GHashTable) files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GPtrArray *builds = g_ptr_array_new_with_free_func((GDestroyNotify)kiln_firmware_build_free);
    g_autoptr(GList) names = NULL;

    if (directories == NULL)
        add_host_files(files);
    for (guint i = 0; directories != NULL && directories[i] != NULL; i++)
        add_files(files, directories[i]);
    names = g_list_sort(g_hash_table_get_keys(files), by_name);
    for (const GList *name = names; name != NULL; name = name->next) {
        KilnFirmwareBuild *build = read_descriptor(g_hash_table_lookup(files, name->data));

        if (build != NULL)
            g_ptr_array_add(builds, build);
    }
    return builds;
}
