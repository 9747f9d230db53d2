/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See cgroup.h. */
#include "guest/cgroup.h"

#include "base/log.h"
#include "guest/guest-private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define ROOT     "/sys/fs/cgroup"
#define OWN_LEAF "virtkilnd" /* the daemon itself: a group with groups in it has no processes */
#define SUBTREE  "kiln"

enum { NAME_LETTERS = 64, RETRY_MS = 500, RETRIES = 10, SYSTEMD_MS = 25000 };

struct KilnCgroups {
    gboolean systemd;
    char *base; /* (nullable): below ROOT, of SUBTREE */
    KilnFd fd;  /* of it; -1 */
};

/* ---- Names ---- */

char *
kiln_cgroup_name(const char *name, int id)
{
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, "kiln-%d-", id);
    for (guint i = 0; name[i] != '\0' && i < NAME_LETTERS; i++)
        if (g_ascii_isalnum(name[i]) || name[i] == '_' || name[i] == '.' || name[i] == '-')
            g_string_append_c(text, name[i]);
        else
            g_string_append_printf(text, "\\x%02x", (guchar)name[i]);
    return g_string_free(text, FALSE);
}

/* Returns: (transfer full) (nullable): the group of a process, "self" or its id. */
static char *
group_of_process(const char *process)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/cgroup", process);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return NULL;
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i] != NULL; i++)
        if (g_str_has_prefix(lines[i], "0::/"))
            return g_strdup(lines[i] + strlen("0::"));
    return NULL;
}

char *
kiln_cgroup_of(const KilnRun *run)
{
    g_autofree char *pid = g_strdup_printf("%d", (int)run->pid);
    g_autofree char *group = group_of_process(pid);
    g_autofree char *beginning = g_strdup_printf("/kiln-%d-", run->id);

    return group != NULL && strstr(group, beginning) != NULL ? g_steal_pointer(&group) : NULL;
}

/* ---- Below the daemon's own group ---- */

static gboolean
write_file(int directory, const char *file, const char *text)
{
    g_auto(KilnFd) fd = openat(directory, file, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && kiln_write_full(fd, text, strlen(text), -1) == 0;
}

/* What the host does not have is left out. */
static void
enable_controllers(int directory)
{
    static const char *const controllers[] = { "+cpu", "+cpuset", "+memory", "+io", "+pids" };

    for (guint i = 0; i < G_N_ELEMENTS(controllers); i++)
        (void)write_file(directory, "cgroup.subtree_control", controllers[i]);
}

static KilnFd
make_group(int parent, const char *name)
{
    if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
        return -1;
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static gboolean
open_subtree(KilnCgroups *groups)
{
    g_autofree char *own = group_of_process("self");
    g_autofree char *path = NULL;
    g_auto(KilnFd) parent = -1;
    g_auto(KilnFd) leaf = -1;

    if (own == NULL)
        return FALSE;
    if (g_str_has_suffix(own, "/" OWN_LEAF)) /* of an earlier run */
        own[strlen(own) - strlen("/" OWN_LEAF)] = '\0';
    path = g_strconcat(ROOT, own, NULL);
    parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    leaf = parent < 0 ? -1 : make_group(parent, OWN_LEAF);
    if (leaf < 0 || !write_file(leaf, "cgroup.procs", "0"))
        return FALSE;
    enable_controllers(parent);
    groups->fd = make_group(parent, SUBTREE);
    if (groups->fd < 0)
        return FALSE;
    enable_controllers(groups->fd);
    groups->base = g_strconcat(strcmp(own, "/") == 0 ? "" : own, "/" SUBTREE, NULL);
    return TRUE;
}

KilnCgroups *
kiln_cgroups_open(void)
{
    KilnCgroups *groups = g_new0(KilnCgroups, 1);
    struct statfs status;

    groups->fd = -1;
    groups->systemd = access("/run/systemd/system", F_OK) == 0;
    if (groups->systemd || (statfs(ROOT, &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC &&
                            open_subtree(groups)))
        return groups;
    kiln_log(KILN_LOG_WARNING, "guests have no control groups: '" ROOT
                               "' is not a cgroup v2 in which this daemon may make some");
    kiln_cgroups_close(groups);
    return NULL;
}

void
kiln_cgroups_close(KilnCgroups *groups)
{
    if (groups == NULL)
        return;
    kiln_fd_clear(&groups->fd);
    g_free(groups->base);
    g_free(groups);
}

KilnFd
kiln_cgroup_make(KilnCgroups *groups, const char *name, int id, char **path)
{
    g_autofree char *group = NULL;
    KilnFd fd;

    if (groups == NULL || groups->systemd)
        return -1;
    group = kiln_cgroup_name(name, id);
    fd = make_group(groups->fd, group);
    if (fd >= 0)
        *path = g_build_filename(groups->base, group, NULL);
    return fd;
}

typedef struct {
    char *path;
    guint tries;
} Removal;

/* Helpers end a moment later than their guest. */
static gboolean
on_retry(gpointer data)
{
    Removal *removal = data;

    if (rmdir(removal->path) < 0 && errno == EBUSY && ++removal->tries < RETRIES)
        return G_SOURCE_CONTINUE;
    g_free(removal->path);
    g_free(removal);
    return G_SOURCE_REMOVE;
}

void
kiln_cgroup_end(KilnCgroups *groups, const KilnRun *run)
{
    Removal *removal;

    if (groups == NULL || groups->base == NULL || run->cgroup == NULL ||
        !g_str_has_prefix(run->cgroup, groups->base))
        return;
    removal = g_new0(Removal, 1);
    removal->path = g_strconcat(ROOT, run->cgroup, NULL);
    if (on_retry(removal) == G_SOURCE_CONTINUE)
        (void)g_timeout_add(RETRY_MS, on_retry, removal);
}

/* ---- systemd ---- */

typedef struct {
    char *unit;
    char *description;
    pid_t pid;
} Scope;

static void
scope_free(Scope *scope)
{
    g_free(scope->unit);
    g_free(scope->description);
    g_free(scope);
}

static void
on_unit(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree char *unit = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) answer =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);

    if (answer == NULL)
        kiln_log(KILN_LOG_WARNING, "systemd made no '%s': %s", unit, error->message);
}

/* org.freedesktop.systemd1(5): StartTransientUnit */
static GVariant *
arguments_of(const Scope *scope)
{
    const guint32 pids[] = { (guint32)scope->pid };
    GVariantBuilder properties;
    GVariantBuilder auxiliary;

    g_variant_builder_init(&properties, G_VARIANT_TYPE("a(sv)"));
    g_variant_builder_add(&properties, "(sv)", "Description",
                          g_variant_new_string(scope->description));
    g_variant_builder_add(&properties, "(sv)", "Slice", g_variant_new_string("machine.slice"));
    g_variant_builder_add(&properties, "(sv)", "PIDs",
                          g_variant_new_fixed_array(G_VARIANT_TYPE_UINT32, pids, 1, sizeof *pids));
    g_variant_builder_add(&properties, "(sv)", "Delegate", g_variant_new_boolean(TRUE));
    g_variant_builder_add(&properties, "(sv)", "CollectMode",
                          g_variant_new_string("inactive-or-failed"));
    g_variant_builder_init(&auxiliary, G_VARIANT_TYPE("a(sa(sv))"));
    return g_variant_new("(ssa(sv)a(sa(sv)))", scope->unit, "fail", &properties, &auxiliary);
}

static void
on_bus(GObject *source, GAsyncResult *result, gpointer data)
{
    Scope *scope = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GDBusConnection) bus = g_bus_get_finish(result, &error);

    if (bus == NULL) {
        kiln_log(KILN_LOG_WARNING, "the system bus, for '%s': %s", scope->unit, error->message);
    } else {
        g_dbus_connection_set_exit_on_close(bus, FALSE);
        g_dbus_connection_call(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                               "org.freedesktop.systemd1.Manager", "StartTransientUnit",
                               arguments_of(scope), NULL, G_DBUS_CALL_FLAGS_NONE, SYSTEMD_MS, NULL,
                               on_unit, g_strdup(scope->unit));
    }
    scope_free(scope);
}

void
kiln_cgroup_begin(KilnCgroups *groups, const KilnRun *run)
{
    g_autofree char *group = NULL;
    Scope *scope;

    if (groups == NULL || !groups->systemd)
        return;
    group = kiln_cgroup_name(run->guest->name, run->id);
    scope = g_new0(Scope, 1);
    scope->unit = g_strconcat(group, ".scope", NULL);
    scope->description = g_strdup_printf("Kiln guest %s", run->guest->name);
    scope->pid = run->pid;
    g_bus_get(G_BUS_TYPE_SYSTEM, NULL, on_bus, scope);
}
