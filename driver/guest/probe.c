/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See probe.h. */
#include "guest/probe.h"

#include "base/log.h"
#include "domain/domain.h"
#include "guest/proxy.h"
#include "guest/spawn.h"
#include "guest/store.h"
#include "loop/fd-source.h"

#include <string.h>

struct KilnProbe {
    char *runtime_dir;
    char *name;
    pid_t pid;
    KilnFd pidfd;
    GSource *end;
    KilnProxy *proxy;
    int *next_id;
    KilnProbed probed;
    gpointer data;
};

void
kiln_probe_free(KilnProbe *probe)
{
    if (probe == NULL)
        return;
    probe->probed = NULL;
    kiln_source_free(probe->end);
    kiln_proxy_free(g_steal_pointer(&probe->proxy));
    kiln_fd_clear(&probe->pidfd);
    g_free(probe->runtime_dir);
    g_free(probe->name);
    g_free(probe);
}

const char *
kiln_probe_name(const KilnProbe *probe)
{
    return probe->name;
}

pid_t
kiln_probe_steal(KilnProbe *probe, KilnFd *pidfd)
{
    kiln_source_free(g_steal_pointer(&probe->end));
    *pidfd = kiln_fd_steal(&probe->pidfd);
    return probe->pid;
}

static gboolean
on_end(int fd, GIOCondition ready, gpointer data)
{
    KilnProbe *probe = data;

    probe->probed(probe, NULL, probe->data);
    return G_SOURCE_REMOVE;
}

static void
keep_document(KilnProbe *probe, KilnDomain *domain, int id)
{
    g_autofree char *file = kiln_store_file_name(probe->name, ".xml", NULL);
    g_autofree char *path = g_build_filename(probe->runtime_dir, file, NULL);
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;

    domain->id = (KilnInt){ TRUE, id };
    text = kiln_domain_format(domain, KILN_FORMAT_SECURE);
    if (!kiln_spawn_write_document(path, text, &error))
        kiln_log(KILN_LOG_WARNING, "%s", error->message);
}

static void
on_xml(GVariant *answer, GUnixFDList *fds, const GError *error, gpointer data)
{
    KilnProbe *probe = data;
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnDomain) domain = NULL;
    g_auto(KilnHead) head = { 0 };
    const char *text;

    if (probe->probed == NULL || answer == NULL ||
        !g_variant_is_of_type(answer, G_VARIANT_TYPE("(s)")))
        return;
    g_variant_get(answer, "(&s)", &text);
    domain = kiln_domain_parse(text, strlen(text), faults);
    if (domain == NULL || domain->uuid == NULL || strcmp(domain->name, probe->name) != 0 ||
        !kiln_uuid_parse(domain->uuid, strlen(domain->uuid), head.uuid)) {
        kiln_log(KILN_LOG_WARNING, "process %d, a guest named '%s', does not tell who it is",
                 (int)probe->pid, probe->name);
        return;
    }
    head.name = g_strdup(probe->name);
    head.id = (*probe->next_id)++;
    keep_document(probe, domain, head.id);
    probe->probed(probe, &head, probe->data);
}

static void
on_connected(gpointer data)
{
    KilnProbe *probe = data;

    kiln_proxy_call(probe->proxy, NULL, "GetXml", g_variant_new("(u)", KILN_FORMAT_SECURE), NULL,
                    -1, on_xml, probe);
}

KilnProbe *
kiln_probe_new(const char *runtime_dir, const char *name, pid_t pid, KilnFd pidfd, int *next_id,
               KilnProbed probed, gpointer data)
{
    static const KilnProxyOps ops = { .connected = on_connected };
    KilnProbe *probe = g_new0(KilnProbe, 1);
    g_autofree char *file = kiln_store_file_name(name, ".sock", NULL);
    g_autofree char *path = g_build_filename(runtime_dir, file, NULL);

    probe->runtime_dir = g_strdup(runtime_dir);
    probe->name = g_strdup(name);
    probe->pid = pid;
    probe->pidfd = pidfd;
    probe->next_id = next_id;
    probe->probed = probed;
    probe->data = data;
    probe->end = kiln_fd_source_new(NULL, pidfd, G_IO_IN, on_end, probe);
    probe->proxy = kiln_proxy_new(path, name, &ops, probe);
    return probe;
}
