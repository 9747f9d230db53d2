/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See usage.h. */
#include "ops/usage.h"

#include "base/fd.h"

#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <string.h>
#include <unistd.h>

guint
kiln_ops_max_vcpus(const KilnDomain *domain)
{
    return domain->vcpus.count.set ? (guint)domain->vcpus.count.value : 1;
}

guint
kiln_ops_vcpus(const KilnDomain *domain)
{
    return domain->vcpus.current.set ? (guint)domain->vcpus.current.value
                                     : kiln_ops_max_vcpus(domain);
}

guint64
kiln_ops_memory(const KilnDomain *domain)
{
    return domain->memory.current.set ? domain->memory.current.value : domain->memory.size.value;
}

guint64
kiln_ops_rss(pid_t pid)
{
    char path[64];
    char text[128];
    guint64 pages = 0;
    const char *second;
    gssize n;
    int fd;

    g_snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    n = read(fd, text, sizeof text - 1);
    kiln_fd_clear(&fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    second = strchr(text, ' ');
    if (second != NULL)
        pages = g_ascii_strtoull(second + 1, NULL, 10);
    return pages * (guint64)sysconf(_SC_PAGESIZE) / 1024;
}

const KilnStatistic *
kiln_ops_statistic(GArray *entries, const char *name)
{
    for (guint i = 0; entries != NULL && i < entries->len; i++) {
        const KilnStatistic *entry = &g_array_index(entries, KilnStatistic, i);

        if (strcmp(entry->name, name) == 0)
            return entry;
    }
    return NULL;
}

guint64
kiln_ops_count(GArray *entries, const char *name)
{
    const KilnStatistic *entry = kiln_ops_statistic(entries, name);

    if (entry == NULL)
        return 0;
    return entry->type == KILN_STATISTIC_UINT || entry->type == KILN_STATISTIC_ULLONG
               ? entry->value.count
               : 0;
}

guint
kiln_ops_how_many(GArray *entries, const char *name)
{
    return (guint)MIN(kiln_ops_count(entries, name), entries != NULL ? entries->len : 0);
}

gboolean
kiln_ops_view(KilnCall *call, KilnGuest *guest, unsigned flags, KilnOpsView *view)
{
    g_autoptr(GError) error = NULL;
    gboolean config;

    *view = (KilnOpsView){ .domain = NULL };
    if (!kiln_ops_exclusive_flags(call, flags, VIR_DOMAIN_AFFECT_LIVE, "VIR_DOMAIN_AFFECT_LIVE",
                                  VIR_DOMAIN_AFFECT_CONFIG, "VIR_DOMAIN_AFFECT_CONFIG") ||
        !kiln_ops_affects(call, guest, flags, &view->live, &config))
        return FALSE;
    if (view->live)
        view->domain = kiln_guest_live(guest);
    if (view->domain == NULL)
        view->domain = view->owned = kiln_guest_definition(guest, &error);
    if (view->domain != NULL)
        return TRUE;
    kiln_call_fail_error(call, error);
    return FALSE;
}

void
kiln_ops_view_clear(KilnOpsView *view)
{
    g_clear_pointer(&view->owned, kiln_domain_free);
}

void
kiln_ops_edit(KilnCall *call, KilnGuest *guest, KilnGuestEdit edit, gconstpointer data)
{
    kiln_guest_edit(guest, edit, (gpointer)data, kiln_ops_done, call);
}

void
kiln_ops_edit_if(gboolean config, KilnCall *call, KilnGuest *guest, KilnGuestEdit edit,
                 gconstpointer data)
{
    if (config)
        kiln_ops_edit(call, guest, edit, data);
    else
        kiln_call_reply(call, NULL);
}

void
kiln_ops_refuse_live(KilnCall *call, const char *what)
{
    kiln_call_fail(call, VIR_ERR_OPERATION_UNSUPPORTED,
                   "%s of a guest that runs: not available in "
                   "this version of kiln",
                   what);
}
