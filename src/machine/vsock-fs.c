/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <vsock> and <filesystem>: what programs of guest and host share. */
#include "machine/devices.h"

#include "base/error.h"
#include "base/unix-socket.h"
#include "device/virtio-fs.h"
#include "device/virtio-vsock-kernel.h"
#include "device/virtio-vsock.h"
#include "machine/functions.h"
#include "machine/private.h"

#include <errno.h>
#include <fcntl.h>

#define VHOST_VSOCK "/dev/vhost-vsock"

/* ---- <vsock> -----------------------------------------------------------------------------------
 */

/* By the host's kernel where that can be had; else over unix sockets, which stand beside the
 * guest's other ones. */
static KilnVirtioDevice *
make_vsock(KilnMachine *machine, const KilnVsock *vsock, GError **error)
{
    KilnVirtioOptions virtio = kiln_machine_virtio_options(machine, &vsock->info, &vsock->virtio);
    uint64_t cid = vsock->cid_auto != KILN_SWITCH_ON && vsock->cid.set ? vsock->cid.value : 0;
    g_auto(KilnFd) vhost = open(VHOST_VSOCK, O_RDWR | O_CLOEXEC | O_NONBLOCK);

    if (vhost >= 0) {
        KilnVirtioVsockKernelOptions options = { virtio, cid, kiln_fd_steal(&vhost) };

        return kiln_virtio_vsock_kernel_new(&options, error);
    }
    if (machine->options.socket_dir == NULL) {
        kiln_error_set_errno(error, errno, "cannot open '%s'", VHOST_VSOCK);
        return NULL;
    } else {
        g_autofree char *file = g_strdup_printf("%s.vsock", machine->domain->name);
        g_autofree char *path =
            g_build_filename(machine->options.socket_dir, g_strdelimit(file, "/", '_'), NULL);
        KilnVirtioVsockOptions options = { .virtio = virtio, .cid = cid, .path = path };

        return kiln_virtio_vsock_new(&options, error);
    }
}

static gboolean
build_vsock(KilnMachine *machine, KilnVsock *vsock, GError **error)
{
    KilnVirtioDevice *device = make_vsock(machine, vsock, error);

    if (device == NULL)
        return FALSE;
    /* The live definition says which it became. */
    vsock->cid = (KilnUint){ .set = TRUE, .value = kiln_virtio_vsock_cid(device) };
    return kiln_machine_add_virtio(machine, device, &vsock->info, &vsock->virtio, 0, error);
}

gboolean
kiln_machine_build_vsocks(KilnMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->domain->vsocks->len; i++) {
        KilnVsock *vsock = g_ptr_array_index(machine->domain->vsocks, i);

        if (!build_vsock(machine, vsock, error)) {
            g_prefix_error(error, "%s: ", vsock->info.alias);
            return FALSE;
        }
    }
    return TRUE;
}

/* ---- <filesystem> ------------------------------------------------------------------------------
 */

static KilnVirtiofsdSwitch
setting(KilnSwitch value)
{
    switch (value) {
    case KILN_SWITCH_ON: return KILN_VIRTIOFSD_ON;
    case KILN_SWITCH_OFF: return KILN_VIRTIOFSD_OFF;
    default: return KILN_VIRTIOFSD_DEFAULT;
    }
}

static KilnVirtioDevice *
make_filesystem(KilnMachine *machine, const KilnFilesystem *fs, GError **error)
{
    const KilnFilesystemBinary *binary = &fs->binary;
    g_autofree char *name = g_strdup_printf("virtiofsd (%s)", fs->info.alias);
    int threads = (int)binary->thread_pool_size.value;
    KilnVirtiofsdOptions daemon = {
        .name = name,
        .program = binary->path,
        .source = fs->source_dir,
        .readonly = fs->readonly,
        .xattr = setting(binary->xattr),
        .posix_lock = setting(binary->lock_posix),
        .flock = setting(binary->lock_flock),
        .cache = binary->cache != KILN_FILESYSTEM_CACHE_ABSENT
                     ? kiln_filesystem_cache_names[binary->cache]
                     : NULL,
        .sandbox = binary->sandbox != KILN_FILESYSTEM_SANDBOX_ABSENT
                       ? kiln_filesystem_sandbox_names[binary->sandbox]
                       : NULL,
        .thread_pool = binary->thread_pool_size.set ? &threads : NULL,
    };
    KilnVirtioFsOptions options = {
        .virtio = kiln_machine_virtio_options(machine, &fs->info, &fs->virtio),
        .tag = fs->target,
        .socket = -1,
    };

    options.virtio.queue_size = fs->queue.set ? (uint16_t)fs->queue.value : 0;
    if (fs->source_socket != NULL) {
        options.socket = kiln_unix_connect(fs->source_socket, error);
        if (options.socket < 0)
            return NULL;
    } else if (fs->source_dir != NULL) {
        options.daemon = &daemon;
    } else {
        kiln_error_set(error, KILN_ERROR_INVALID, "needs <source dir=> or <source socket=>");
        return NULL;
    }
    return kiln_virtio_fs_new(&options, error);
}

gboolean
kiln_machine_build_filesystems(KilnMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->domain->filesystems->len; i++) {
        const KilnFilesystem *fs = g_ptr_array_index(machine->domain->filesystems, i);

        KilnVirtioDevice *device = make_filesystem(machine, fs, error);

        if (device == NULL ||
            !kiln_machine_add_virtio(machine, device, &fs->info, &fs->virtio, 0, error)) {
            g_prefix_error(error, "filesystem '%s': ", fs->target);
            return FALSE;
        }
    }
    return TRUE;
}
