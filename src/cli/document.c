/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See document.h. */
#include "cli/document.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/module.h"
#include "schema/schema.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 16 << 20, CHUNK_BYTES = 65536 }; /* the parser takes no more */

/* Returns: (transfer full): what is in @path, or NULL with @error set. */
static GString *
read_text(const char *path, GError **error)
{
    g_auto(KilnFd) file = -1;
    g_autoptr(GString) text = g_string_new(NULL);
    int fd = STDIN_FILENO;
    ssize_t length;

    if (strcmp(path, "-") != 0) {
        file = kiln_open(path, O_RDONLY, 0, error);
        if (file < 0)
            return NULL;
        fd = file;
    }
    do {
        gsize before = text->len;

        g_string_set_size(text, before + CHUNK_BYTES);
        length = kiln_read_full(fd, text->str + before, CHUNK_BYTES, -1);
        g_string_set_size(text, before + (length > 0 ? (gsize)length : 0));
    } while (length > 0 && text->len <= TEXT_BYTES);
    if (length < 0) {
        kiln_error_set_errno(error, (int)-length, "cannot read '%s'", path);
        return NULL;
    }
    return g_steal_pointer(&text);
}

/* By the module schema.so, which has libxml2. */
static gboolean
hold_against_schema(const GString *text, KilnFaults *faults, GError **error)
{
    const KilnSchemaModule *module =
        kiln_module_load(KILN_SCHEMA_MODULE, KILN_SCHEMA_SYMBOL, error);
    g_autofree char *schema = kiln_schema_path(KILN_SCHEMA_FILE);

    return module != NULL && module->validate(text->str, text->len, schema, faults, error);
}

KilnDomain *
kiln_cli_load(const char *path, gboolean with_schema, KilnFaults *faults, GError **error)
{
    g_autoptr(GString) text = read_text(path, error);
    g_autoptr(KilnDomain) domain = NULL;

    if (text == NULL)
        return NULL;
    domain = kiln_domain_define(text->str, text->len, faults);
    if (domain == NULL || !with_schema)
        return g_steal_pointer(&domain);
    if (!hold_against_schema(text, faults, error) || kiln_faults_count(faults) > 0)
        return NULL;
    return g_steal_pointer(&domain);
}

void
kiln_cli_print_faults(const char *path, const KilnFaults *faults)
{
    const char *name = strcmp(path, "-") == 0 ? "standard input" : path;

    for (guint i = 0; i < kiln_faults_count(faults); i++) {
        const KilnFault *fault = kiln_faults_get(faults, i);
        const char *colon = *fault->path != '\0' ? ": " : ""; /* text that is no XML has no path */

        fprintf(stderr, "%s:%u:%u: %s%s%s\n", name, fault->place.line, fault->place.column,
                fault->path, colon, fault->message);
    }
    if (kiln_faults_overflowed(faults))
        fprintf(stderr, "%s: there are more faults than these %u\n", name,
                kiln_faults_count(faults));
}
