/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices attached, detached and changed one by one.
 *
 *   definition: domain/edit.h -> validated and assigned anew -> written
 *   live: what the guest's process can change: the link of an interface, the size of virtio-mem,
 *   the disc in a CD-ROM drive
 */
#include "base/error.h"
#include "base/fd.h"
#include "domain/edit.h"
#include "ops/driver.h"
#include "ops/tables.h"
#include "ops/usage.h"

#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <libvirt/libvirt.h>
#include <string.h>
#include <sys/stat.h>

enum {
    AFFECT = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG,
    KIB = 1024,
};

typedef enum { ATTACH, DETACH, DETACH_ALIAS, UPDATE } What;

static const char *const refusals[] = {
    [ATTACH] = "attaching a device",
    [DETACH] = "detaching a device",
    [DETACH_ALIAS] = "detaching a device",
    [UPDATE] = "this change of a device",
};

/* A change under way. */
typedef struct {
    KilnCall *call;
    What what;
    KilnDomainDevice *device; /* (owned) (nullable) */
    const char *alias;        /* (nullable): of the call's arguments */
    gboolean config;
    gboolean force;
} Change;

static void
change_free(Change *change)
{
    kiln_domain_device_free(change->device);
    g_free(change);
}

/* ---- The definition ---- */

static gboolean
do_edit(KilnDomain *domain, Change *change, GError **error)
{
    switch (change->what) {
    case ATTACH: return kiln_domain_attach(domain, g_steal_pointer(&change->device), error);
    case DETACH: return kiln_domain_detach(domain, change->device, error);
    case DETACH_ALIAS: return kiln_domain_detach_alias(domain, change->alias, error);
    case UPDATE: return kiln_domain_update(domain, g_steal_pointer(&change->device), error);
    }
    return FALSE;
}

/* libvirt's codes for what is wrong with a device. */
static int
code_of(const GError *error)
{
    if (g_error_matches(error, KILN_ERROR, KILN_ERROR_NOT_FOUND))
        return VIR_ERR_DEVICE_MISSING;
    if (g_error_matches(error, KILN_ERROR, KILN_ERROR_EXISTS))
        return VIR_ERR_OPERATION_INVALID;
    if (g_error_matches(error, KILN_ERROR, KILN_ERROR_UNSUPPORTED))
        return VIR_ERR_OPERATION_UNSUPPORTED;
    return kiln_vir_error_code(error);
}

static gboolean
edit(KilnDomain *domain, gpointer data, GError **error)
{
    g_autoptr(GError) reason = NULL;

    if (do_edit(domain, data, &reason))
        return TRUE;
    return kiln_vir_error_set(error, code_of(reason), "%s", reason->message);
}

static void
done(KilnGuest *guest, const GError *error, gpointer data)
{
    Change *change = data;

    kiln_ops_done(guest, error, change->call);
    change_free(change);
}

/* ---- Live ---- */

static void
done_live(KilnGuest *guest, G_GNUC_UNUSED GVariant *answer, G_GNUC_UNUSED GUnixFDList *fds,
          const GError *error, gpointer data)
{
    Change *change = data;

    if (error != NULL || !change->config)
        done(guest, error, change);
    else
        kiln_guest_edit(guest, edit, change, done, change);
}

/* The interface that runs and differs from the wanted one in nothing but its link; NULL if there is
 * none. */
static const KilnNet *
find_linked(const KilnDomain *live, const KilnDomainDevice *device)
{
    KilnNet *wanted = kiln_domain_device_get(device);
    KilnNetLinkState link = wanted->link;
    const KilnNet *net = NULL;
    gboolean same;

    if (wanted->mac != NULL)
        net = kiln_domain_find_net(live, wanted->mac);
    else if (live->interfaces->len == 1)
        net = g_ptr_array_index(live->interfaces, 0);
    if (net == NULL)
        return NULL;
    wanted->link = net->link;
    same = kiln_domain_device_is_within(device, net);
    wanted->link = link;
    return same ? net : NULL;
}

/* Likewise the memory whose requested size alone is different. */
static const KilnMemoryDevice *
find_sized(const KilnDomain *live, const KilnDomainDevice *device)
{
    KilnMemoryDevice *wanted = kiln_domain_device_get(device);
    KilnUint requested = wanted->requested;

    for (guint i = 0; i < live->memories->len; i++) {
        const KilnMemoryDevice *memory = g_ptr_array_index(live->memories, i);
        gboolean same;

        if (!memory->requested.set)
            continue;
        wanted->requested = memory->requested;
        same = kiln_domain_device_is_within(device, memory);
        wanted->requested = requested;
        if (same)
            return memory;
    }
    return NULL;
}

/* The drive that runs and whose disc alone may be another one. */
static const KilnDisk *
find_drive(const KilnDomain *live, const KilnDisk *wanted)
{
    const KilnDisk *drive =
        wanted->target_dev != NULL ? kiln_domain_find_disk(live, wanted->target_dev) : NULL;

    return drive != NULL && drive->device == KILN_DISK_DEVICE_CDROM &&
                   wanted->device == KILN_DISK_DEVICE_CDROM &&
                   wanted->source.type == KILN_DISK_TYPE_FILE &&
                   (wanted->driver.type == KILN_DISK_FORMAT_ABSENT ||
                    wanted->driver.type == KILN_DISK_FORMAT_RAW)
               ? drive
               : NULL;
}

/* The guest's process opens nothing any more: it is given a descriptor.  Of a regular file: opening
 * another one might have an effect, or wait. */
static GUnixFDList *
open_disc(const char *path, GError **error)
{
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
    g_auto(KilnFd) fd = kiln_open(path, O_RDONLY | O_NONBLOCK, 0, error);
    struct stat about;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        kiln_error_set(error, KILN_ERROR_INVALID, "'%s' is no regular file", path);
        return NULL;
    }
    return g_unix_fd_list_append(fds, fd, error) >= 0 ? g_steal_pointer(&fds) : NULL;
}

static void
change_disc(KilnGuest *guest, Change *change, const KilnDisk *drive)
{
    const char *path = ((const KilnDisk *)kiln_domain_device_get(change->device))->source.file;
    g_autoptr(GUnixFDList) fds = NULL;
    g_autoptr(GError) error = NULL;
    GVariantBuilder handles;

    if (path != NULL) {
        fds = open_disc(path, &error);
        if (fds == NULL) {
            kiln_call_fail(change->call, VIR_ERR_OPERATION_FAILED, "%s", error->message);
            change_free(change);
            return;
        }
    }
    g_variant_builder_init(&handles, G_VARIANT_TYPE("ah"));
    if (path != NULL)
        g_variant_builder_add(&handles, "h", 0);
    kiln_guest_call(guest, "ChangeMedium",
                    g_variant_new("(sssuah)", drive->target_dev, path != NULL ? path : "", "",
                                  change->force ? 1u : 0u, &handles),
                    fds, KILN_GUEST_CALL_MS, done_live, change);
}

/* The VNC server that runs and differs from the wanted one in nothing but its password, and what
 * the run gave it (a port, say). */
static const KilnGraphics *
find_graphics(const KilnDomain *live, const KilnDomainDevice *device)
{
    const KilnGraphics *wanted = kiln_domain_device_get(device);

    for (guint i = 0; i < live->graphics->len; i++) {
        const KilnGraphics *graphics = g_ptr_array_index(live->graphics, i);

        if (graphics->type == wanted->type && graphics->type == KILN_GRAPHICS_TYPE_VNC &&
            g_strcmp0(graphics->keymap, wanted->keymap) == 0 &&
            (!wanted->port.set || wanted->port.value <= 0 ||
             wanted->port.value == graphics->port.value) &&
            (wanted->listen == NULL || g_strcmp0(wanted->listen, graphics->listen) == 0) &&
            (wanted->socket == NULL || g_strcmp0(wanted->socket, graphics->socket) == 0))
            return graphics;
    }
    return NULL;
}

/* Asks the process; FALSE if it can't do that. */
static gboolean
change_live(KilnGuest *guest, Change *change)
{
    const KilnDomain *live = kiln_guest_live(guest);
    const char *element = change->what == UPDATE ? kiln_domain_device_element(change->device) : "";

    if (live != NULL && strcmp(element, "interface") == 0) {
        const KilnNet *wanted = kiln_domain_device_get(change->device);
        const KilnNet *net = find_linked(live, change->device);
        const char *name;

        if (net == NULL)
            return FALSE;
        name = net->info.alias != NULL ? net->info.alias : net->mac;
        kiln_guest_call(guest, "SetLink",
                        g_variant_new("(sb)", name, wanted->link != KILN_NET_LINK_STATE_DOWN), NULL,
                        KILN_GUEST_CALL_MS, done_live, change);
        return TRUE;
    }
    if (live != NULL && strcmp(element, "disk") == 0) {
        const KilnDisk *drive = find_drive(live, kiln_domain_device_get(change->device));

        if (drive != NULL)
            change_disc(guest, change, drive);
        return drive != NULL;
    }
    if (live != NULL && strcmp(element, "graphics") == 0) {
        const KilnGraphics *wanted = kiln_domain_device_get(change->device);

        if (find_graphics(live, change->device) == NULL)
            return FALSE;
        kiln_guest_call(
            guest, "SetGraphicsPassword",
            g_variant_new("(bss)", wanted->password != NULL,
                          wanted->password != NULL ? wanted->password : "",
                          wanted->password_valid_to != NULL ? wanted->password_valid_to : ""),
            NULL, KILN_GUEST_CALL_MS, done_live, change);
        return TRUE;
    }
    if (live != NULL && strcmp(element, "memory") == 0) {
        const KilnMemoryDevice *wanted = kiln_domain_device_get(change->device);
        const KilnMemoryDevice *memory = find_sized(live, change->device);

        if (memory == NULL || memory->info.alias == NULL)
            return FALSE;
        kiln_guest_call(
            guest, "SetMemoryDevice",
            g_variant_new("(st)", memory->info.alias, (guint64)(wanted->requested.value / KIB)),
            NULL, KILN_GUEST_CALL_MS, done_live, change);
        return TRUE;
    }
    return FALSE;
}

/* ---- The calls ---- */

/* @text: (nullable): of the device; @alias: (nullable): instead of it */
static void
begin(KilnCall *call, What what, const remote_nonnull_domain *dom, const char *text,
      const char *alias, unsigned flags)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnDomainDevice) device = NULL;
    KilnGuest *guest = kiln_ops_guest(call, dom);
    gboolean config;
    gboolean live;
    Change *change;

    if (guest == NULL)
        return;
    if (text != NULL) {
        device = kiln_domain_device_parse(text, strlen(text), &error);
        if (device == NULL) {
            kiln_call_fail_error(call, error);
            return;
        }
    }
    if (!kiln_ops_affects(call, guest, flags, &live, &config))
        return;
    change = g_new(Change, 1);
    *change = (Change){ call,  what,   g_steal_pointer(&device),
                        alias, config, (flags & VIR_DOMAIN_DEVICE_MODIFY_FORCE) != 0 };
    if (!live)
        kiln_guest_edit(guest, edit, change, done, change);
    else if (!change_live(guest, change)) {
        change_free(change);
        kiln_ops_refuse_live(call, refusals[what]);
    }
}

static void
on_attach_device(KilnCall *call, gconstpointer data)
{
    const remote_domain_attach_device_args *args = data;

    begin(call, ATTACH, &args->dom, args->xml, NULL, VIR_DOMAIN_AFFECT_LIVE);
}

static void
on_attach_device_flags(KilnCall *call, gconstpointer data)
{
    const remote_domain_attach_device_flags_args *args = data;

    if (kiln_ops_check_flags(call, args->flags, AFFECT))
        begin(call, ATTACH, &args->dom, args->xml, NULL, args->flags);
}

static void
on_detach_device(KilnCall *call, gconstpointer data)
{
    const remote_domain_detach_device_args *args = data;

    begin(call, DETACH, &args->dom, args->xml, NULL, VIR_DOMAIN_AFFECT_LIVE);
}

static void
on_detach_device_flags(KilnCall *call, gconstpointer data)
{
    const remote_domain_detach_device_flags_args *args = data;

    if (kiln_ops_check_flags(call, args->flags, AFFECT))
        begin(call, DETACH, &args->dom, args->xml, NULL, args->flags);
}

static void
on_detach_device_alias(KilnCall *call, gconstpointer data)
{
    const remote_domain_detach_device_alias_args *args = data;

    if (kiln_ops_check_flags(call, args->flags, AFFECT))
        begin(call, DETACH_ALIAS, &args->dom, NULL, args->alias, args->flags);
}

static void
on_update_device_flags(KilnCall *call, gconstpointer data)
{
    const remote_domain_update_device_flags_args *args = data;

    if (kiln_ops_check_flags(call, args->flags, AFFECT | VIR_DOMAIN_DEVICE_MODIFY_FORCE))
        begin(call, UPDATE, &args->dom, args->xml, NULL, args->flags);
}

static const KilnProcedure rows[] = {
    KILN_PROC_ARGS(DOMAIN_ATTACH_DEVICE, domain_attach_device, KILN_ACCESS_WRITE, on_attach_device),
    KILN_PROC_ARGS(DOMAIN_ATTACH_DEVICE_FLAGS, domain_attach_device_flags, KILN_ACCESS_WRITE,
                   on_attach_device_flags),
    KILN_PROC_ARGS(DOMAIN_DETACH_DEVICE, domain_detach_device, KILN_ACCESS_WRITE, on_detach_device),
    KILN_PROC_ARGS(DOMAIN_DETACH_DEVICE_FLAGS, domain_detach_device_flags, KILN_ACCESS_WRITE,
                   on_detach_device_flags),
    KILN_PROC_ARGS(DOMAIN_DETACH_DEVICE_ALIAS, domain_detach_device_alias, KILN_ACCESS_WRITE,
                   on_detach_device_alias),
    KILN_PROC_ARGS(DOMAIN_UPDATE_DEVICE_FLAGS, domain_update_device_flags, KILN_ACCESS_WRITE,
                   on_update_device_flags),
};
const KilnProcedureTable kiln_ops_device = { rows, G_N_ELEMENTS(rows) };
