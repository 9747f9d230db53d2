/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text -> kiln_domain_define() -> the name's rules -> (`kiln validate -`, a process of its own,
 * which has libxml2) -> the caller
 */
#include "ops/document.h"

#include "firmware/choose.h"

#include <libvirt/virterror.h>
#include <string.h>

gboolean
kiln_ops_faults_error(const KilnFaults *faults, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    int code = VIR_ERR_CONFIG_UNSUPPORTED;

    if (kiln_faults_count(faults) == 0)
        return TRUE;
    for (guint i = 0; i < kiln_faults_count(faults); i++) {
        const KilnFault *fault = kiln_faults_get(faults, i);

        if (fault->kind == KILN_FAULT_XML)
            code = VIR_ERR_XML_ERROR;
        g_string_append_printf(text, "%sline %u, column %u: %s%s%s", i > 0 ? "\n" : "",
                               fault->place.line, fault->place.column, fault->path,
                               *fault->path != '\0' ? ": " : "", fault->message);
    }
    if (kiln_faults_overflowed(faults))
        g_string_append(text, "\nand more");
    return kiln_vir_error_set(error, code, "%s", text->str);
}

/* A name is a file's name too, and part of paths. */
static gboolean
check_name(const char *name, GError **error)
{
    if (strchr(name, '/') != NULL)
        return kiln_vir_error_set(error, VIR_ERR_XML_ERROR, "name %s cannot contain '/'", name);
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return kiln_vir_error_set(error, VIR_ERR_XML_ERROR, "a domain cannot be named '%s'", name);
    if (strlen(name) > NAME_MAX - strlen(".xml.new"))
        return kiln_vir_error_set(error, VIR_ERR_XML_ERROR, "name is too long: %zu bytes",
                                  strlen(name));
    return TRUE;
}

static KilnDomain *
parse(const KilnDriver *driver, const char *text, GError **error)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnDomain) domain = kiln_domain_define(text, strlen(text), faults);

    if (!kiln_ops_faults_error(faults, error) || domain == NULL || !check_name(domain->name, error))
        return NULL;
    if (domain->emulator == NULL)
        domain->emulator = g_strdup(driver->program);
    if (kiln_firmware_has_variables(&domain->os) && domain->os.nvram == NULL)
        domain->os.nvram = kiln_firmware_nvram_path(domain->name, !driver->session);
    return g_steal_pointer(&domain);
}

/* ---- libvirt's schema ---- */

guint kiln_ops_schema_ms = 30 * 1000;

typedef struct {
    KilnCall *call;
    KilnDomain *domain; /* (owned) */
    unsigned flags;
    KilnOpsParsed parsed;
    guint deadline; /* 0: it is over, and the process is being killed */
} Validation;

static gboolean
on_deadline(gpointer data)
{
    GSubprocess *process = data;
    Validation *validation = g_object_get_data(G_OBJECT(process), "validation");

    validation->deadline = 0;
    g_subprocess_force_exit(process);
    return G_SOURCE_REMOVE;
}

static void
on_validated(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree Validation *validation = data;
    g_autoptr(KilnDomain) domain = g_steal_pointer(&validation->domain);
    g_autofree char *output = NULL;
    g_autoptr(GError) error = NULL;

    if (validation->deadline == 0)
        kiln_vir_error_set(&error, VIR_ERR_OPERATION_TIMEOUT, "kiln validate took too long");
    else
        g_source_remove(validation->deadline);
    if (g_subprocess_communicate_utf8_finish(G_SUBPROCESS(source), result, &output, NULL,
                                             error == NULL ? &error : NULL) &&
        error == NULL && !g_subprocess_get_successful(G_SUBPROCESS(source)))
        kiln_vir_error_set(&error, VIR_ERR_XML_INVALID_SCHEMA, "%s",
                           output != NULL ? g_strchomp(output) : "kiln validate ended early");
    validation->parsed(validation->call, error == NULL ? g_steal_pointer(&domain) : NULL,
                       validation->flags, error);
}

static void
hold_against_schema(Validation *validation, const char *program, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) process =
        g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE |
                             G_SUBPROCESS_FLAGS_STDERR_MERGE,
                         &error, program, "validate", "-", NULL);

    if (process != NULL) {
        validation->deadline =
            g_timeout_add_full(G_PRIORITY_DEFAULT, kiln_ops_schema_ms, on_deadline,
                               g_object_ref(process), g_object_unref);
        g_object_set_data(G_OBJECT(process), "validation", validation);
        g_subprocess_communicate_utf8_async(process, text, NULL, on_validated, validation);
        return;
    }
    validation->parsed(validation->call, NULL, validation->flags, error);
    kiln_domain_free(validation->domain);
    g_free(validation);
}

void
kiln_ops_parse(KilnCall *call, const char *text, gboolean schema, unsigned flags,
               KilnOpsParsed parsed)
{
    const KilnDriver *driver = kiln_ops_driver(call);
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnDomain) domain = parse(driver, text, &error);
    Validation *validation;

    if (domain == NULL || !schema) {
        parsed(call, g_steal_pointer(&domain), flags, error);
        return;
    }
    validation = g_new(Validation, 1);
    *validation = (Validation){ call, g_steal_pointer(&domain), flags, parsed, 0 };
    hold_against_schema(validation, driver->program, text);
}
