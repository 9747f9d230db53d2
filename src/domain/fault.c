/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See fault.h. */
#include "domain/fault.h"

#include "base/error.h"
#include "domain/xml.h"

struct KilnFaults {
    GPtrArray *list; /* (owned) of KilnFault */
    gboolean overflowed;
};

static void
fault_free(gpointer data)
{
    KilnFault *fault = data;

    g_free(fault->path);
    g_free(fault->message);
    g_free(fault);
}

KilnFaults *
kiln_faults_new(void)
{
    KilnFaults *faults = g_new0(KilnFaults, 1);

    faults->list = g_ptr_array_new_with_free_func(fault_free);
    return faults;
}

void
kiln_faults_free(KilnFaults *faults)
{
    if (faults == NULL)
        return;
    g_ptr_array_unref(faults->list);
    g_free(faults);
}

guint
kiln_faults_count(const KilnFaults *faults)
{
    return faults->list->len;
}

gboolean
kiln_faults_overflowed(const KilnFaults *faults)
{
    return faults->overflowed;
}

const KilnFault *
kiln_faults_get(const KilnFaults *faults, guint index)
{
    g_return_val_if_fail(index < faults->list->len, NULL);
    return g_ptr_array_index(faults->list, index);
}

/* Whether one more may be kept; asked first, since making a path walks the tree. */
static gboolean
room_for_one(KilnFaults *faults)
{
    if (faults->list->len < KILN_FAULTS_MAX)
        return TRUE;
    faults->overflowed = TRUE;
    return FALSE;
}

static void
add(KilnFaults *faults, KilnFaultKind kind, KilnXmlPlace place, char *path, char *message)
{
    KilnFault *fault = g_new0(KilnFault, 1);

    fault->kind = kind;
    fault->place = place;
    fault->path = path;
    fault->message = message;
    g_ptr_array_add(faults->list, fault);
}

void
kiln_fault_add(KilnFaults *faults, KilnFaultKind kind, const KilnXmlNode *node,
               const char *attribute, const char *format, ...)
{
    KilnXmlPlace nowhere = { 0, 0 };
    va_list args;
    char *message;

    if (!room_for_one(faults))
        return;
    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    add(faults, kind, node != NULL ? node->place : nowhere,
        node != NULL ? kiln_xml_path(node, attribute) : g_strdup(""), message);
}

void
kiln_fault_add_at(KilnFaults *faults, KilnFaultKind kind, KilnXmlPlace place, const char *path,
                  const char *format, ...)
{
    va_list args;
    char *message;

    if (!room_for_one(faults))
        return;
    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    add(faults, kind, place, g_strdup(path), message);
}

static int
compare_places(gconstpointer a, gconstpointer b)
{
    const KilnFault *one = *(KilnFault *const *)a;
    const KilnFault *other = *(KilnFault *const *)b;

    if (one->place.line != other->place.line)
        return one->place.line < other->place.line ? -1 : 1;
    if (one->place.column != other->place.column)
        return one->place.column < other->place.column ? -1 : 1;
    return 0;
}

void
kiln_faults_sort(KilnFaults *faults)
{
    g_ptr_array_sort(faults->list, compare_places); /* stable, as of GLib's documentation */
}

gboolean
kiln_faults_to_error(const KilnFaults *faults, const char *name, GError **error)
{
    KilnErrorCode code = KILN_ERROR_UNSUPPORTED;
    g_autofree char *more = NULL;
    const KilnFault *first;

    if (faults->list->len == 0)
        return TRUE;
    first = g_ptr_array_index(faults->list, 0);
    for (guint i = 0; i < faults->list->len; i++) {
        const KilnFault *fault = g_ptr_array_index(faults->list, i);

        if (fault->kind == KILN_FAULT_XML)
            code = KILN_ERROR_XML;
    }
    if (faults->list->len > 1)
        more = g_strdup_printf(" (and %u more%s)", faults->list->len - 1,
                               faults->overflowed ? ", at least" : "");
    return kiln_error_set(error, code, "%s:%u:%u: %s%s%s%s", name, first->place.line,
                          first->place.column, first->path, *first->path != '\0' ? ": " : "",
                          first->message, more != NULL ? more : "");
}
