/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error/vir-error.h"

#include "base/error.h"

G_DEFINE_QUARK(kiln - vir - error, kiln_vir_error)

gboolean
kiln_vir_error_set(GError **error, int code, const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list arguments;

    va_start(arguments, format);
    message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, KILN_VIR_ERROR, code, message);
    return FALSE;
}

static int
code_of(KilnErrorCode code)
{
    switch (code) {
    case KILN_ERROR_FAILED: return VIR_ERR_OPERATION_FAILED;
    case KILN_ERROR_SYSTEM: return VIR_ERR_SYSTEM_ERROR;
    case KILN_ERROR_XML: return VIR_ERR_XML_ERROR;
    case KILN_ERROR_UNSUPPORTED: return VIR_ERR_CONFIG_UNSUPPORTED;
    case KILN_ERROR_INVALID: return VIR_ERR_INVALID_ARG;
    case KILN_ERROR_NOT_FOUND:
    case KILN_ERROR_EXISTS: return VIR_ERR_OPERATION_FAILED;
    case KILN_ERROR_PERMISSION: return VIR_ERR_SYSTEM_ERROR;
    case KILN_ERROR_STATE: return VIR_ERR_OPERATION_INVALID;
    case KILN_ERROR_KVM: return VIR_ERR_INTERNAL_ERROR;
    }
    return VIR_ERR_INTERNAL_ERROR;
}

int
kiln_vir_error_code(const GError *error)
{
    if (error->domain == KILN_VIR_ERROR)
        return error->code;
    return error->domain == KILN_ERROR ? code_of(error->code) : VIR_ERR_INTERNAL_ERROR;
}

/* What libvirt says for a code, before the particular; "*" stands for the particular within. */
static const struct {
    int code;
    const char *text;
} texts[] = {
    { VIR_ERR_INTERNAL_ERROR, "internal error" },
    { VIR_ERR_NO_MEMORY, "out of memory" },
    { VIR_ERR_NO_SUPPORT, "this function is not supported by the connection driver" },
    { VIR_ERR_NO_CONNECT, "no connection driver available for *" },
    { VIR_ERR_INVALID_CONN, "invalid connection pointer in" },
    { VIR_ERR_INVALID_DOMAIN, "invalid domain pointer in" },
    { VIR_ERR_INVALID_ARG, "invalid argument" },
    { VIR_ERR_OPERATION_FAILED, "operation failed" },
    { VIR_ERR_UNKNOWN_HOST, "unknown host" },
    { VIR_ERR_DOM_EXIST, "domain * exists already" },
    { VIR_ERR_OPERATION_DENIED, "operation forbidden" },
    { VIR_ERR_XML_ERROR, "XML error" },
    { VIR_ERR_OS_TYPE, "unknown OS type" },
    { VIR_ERR_NO_KERNEL, "missing kernel information" },
    { VIR_ERR_RPC, NULL },
    { VIR_ERR_SYSTEM_ERROR, NULL },
    { VIR_ERR_NO_DOMAIN, "Domain not found" },
    { VIR_ERR_AUTH_FAILED, "authentication failed" },
    { VIR_ERR_AUTH_CANCELLED, "authentication cancelled" },
    { VIR_ERR_AUTH_UNAVAILABLE, "authentication unavailable" },
    { VIR_ERR_OPERATION_INVALID, "Requested operation is not valid" },
    { VIR_ERR_NO_SECURITY_MODEL, "Security model not found" },
    { VIR_ERR_CONFIG_UNSUPPORTED, "unsupported configuration" },
    { VIR_ERR_OPERATION_TIMEOUT, "Timed out during operation" },
    { VIR_ERR_NO_STORAGE_POOL, "Storage pool not found" },
    { VIR_ERR_NO_STORAGE_VOL, "Storage volume not found" },
    { VIR_ERR_STORAGE_VOL_EXIST, "storage volume * exists already" },
    { VIR_ERR_NO_DOMAIN_SNAPSHOT, "Domain snapshot not found" },
    { VIR_ERR_INVALID_STREAM, "invalid stream pointer" },
    { VIR_ERR_ARGUMENT_UNSUPPORTED, "argument unsupported" },
    { VIR_ERR_NO_DOMAIN_METADATA, "metadata not found" },
    { VIR_ERR_OPERATION_ABORTED, "operation aborted" },
    { VIR_ERR_OPERATION_UNSUPPORTED, "Operation not supported" },
    { VIR_ERR_RESOURCE_BUSY, "resource busy" },
    { VIR_ERR_ACCESS_DENIED, "access denied" },
    { VIR_ERR_XML_INVALID_SCHEMA, "XML document failed to validate against schema" },
    { VIR_ERR_AGENT_UNRESPONSIVE, "Guest agent is not responding" },
    { VIR_ERR_CPU_INCOMPATIBLE, "the CPU is incompatible with host CPU" },
    { VIR_ERR_NO_DOMAIN_CHECKPOINT, "Domain checkpoint not found" },
    { VIR_ERR_NO_DOMAIN_BACKUP, "Domain backup job id not found" },
    { VIR_ERR_DEVICE_MISSING, "device not found" },
};

char *
kiln_vir_error_text(int code, const char *particular)
{
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_auto(GStrv) halves = NULL;

        if (texts[i].code != code || texts[i].text == NULL)
            continue;
        halves = g_strsplit(texts[i].text, "*", 2);
        if (g_strv_length(halves) == 2)
            return g_strconcat(halves[0], particular, halves[1], NULL);
        return *particular != '\0' ? g_strconcat(texts[i].text, ": ", particular, NULL)
                                   : g_strdup(texts[i].text);
    }
    return g_strdup(particular);
}
