/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <video>: display adapters.  The first is the one that firmware shows its text on. */
#include "machine/devices.h"

#include "base/error.h"
#include "base/log.h"
#include "device/bochs-display.h"
#include "device/vga.h"
#include "device/virtio-gpu.h"
#include "domain/domain.h"
#include "machine/functions.h"
#include "machine/private.h"
#include "machine/slots.h"

enum {
    DEFAULT_VRAM_KIB = 16384, /* as libvirt writes it */
    KIB = 1024,
};

static const char vga_bios[] = "/usr/share/seabios/vgabios-stdvga.bin";

gboolean
kiln_machine_has_vga(const KilnMachine *machine)
{
    for (guint i = 0; i < machine->domain->videos->len; i++) {
        const KilnVideo *video = g_ptr_array_index(machine->domain->videos, i);

        if (video->model.type == KILN_VIDEO_TYPE_VGA)
            return TRUE;
    }
    return FALSE;
}

static KilnEdidOptions
prefers(const KilnVideo *video)
{
    return (KilnEdidOptions){
        .width = (guint)MIN(video->model.resolution_x.value, KILN_SURFACE_MAX_SIDE),
        .height = (guint)MIN(video->model.resolution_y.value, KILN_SURFACE_MAX_SIDE),
    };
}

static uint64_t
vram(const KilnVideo *video)
{
    return (video->model.vram_kib.set ? video->model.vram_kib.value : DEFAULT_VRAM_KIB) * KIB;
}

/* @pci: (transfer full) (nullable) */
static gboolean
add(KilnMachine *machine, KilnPciDevice *pci, KilnSurface *(*surface)(KilnPciDevice *pci),
    const KilnVideo *video, GError **error)
{
    if (pci == NULL || !kiln_machine_add_function(machine, pci, &video->info, error))
        return FALSE;
    g_ptr_array_add(machine->surfaces, surface(pci));
    return TRUE;
}

/* A guest that boots its kernel runs no BIOS, and one with UEFI can do without: so it may lack. */
static void
read_bios(const KilnMachine *machine, const KilnVideo *video, char **bios, gsize *length)
{
    g_autoptr(GError) error = NULL;

    if (!kiln_machine_has_firmware(machine))
        return;
    if (!g_file_get_contents(vga_bios, bios, length, &error))
        kiln_log(KILN_LOG_WARNING, "%s: no VGA BIOS, so SeaBIOS shows nothing: %s",
                 video->info.alias, error->message);
}

static gboolean
build_vga(KilnMachine *machine, const KilnVideo *video, GError **error)
{
    KilnEdidOptions size = prefers(video);
    g_autofree char *bios = NULL;
    gsize length = 0;
    KilnVgaOptions options = {
        .id = video->info.alias,
        .io = machine->io,
        .space = machine->mmio,
        .slots = kiln_machine_slots(machine),
        .memory = vram(video),
        .prefers = &size,
    };

    read_bios(machine, video, &bios, &length);
    options.rom = (const uint8_t *)bios;
    options.rom_bytes = length;
    return add(machine, kiln_vga_new(&options, error), kiln_vga_surface, video, error);
}

static gboolean
build_bochs(KilnMachine *machine, const KilnVideo *video, GError **error)
{
    KilnEdidOptions size = prefers(video);
    KilnBochsDisplayOptions options = {
        .id = video->info.alias,
        .slots = kiln_machine_slots(machine),
        .memory = vram(video),
        .prefers = &size,
    };

    return add(machine, kiln_bochs_display_new(&options, error), kiln_bochs_display_surface, video,
               error);
}

static gboolean
build_gpu(KilnMachine *machine, const KilnVideo *video, GError **error)
{
    KilnEdidOptions size = prefers(video);
    guint heads = video->model.heads.set ? (guint)video->model.heads.value : 1;
    KilnVirtioGpuOptions options = {
        .virtio = kiln_machine_virtio_options(machine, &video->info, &video->virtio),
        .n_heads = heads,
        .prefers = &size,
    };
    KilnVirtioDevice *device = kiln_virtio_gpu_new(&options);

    if (!kiln_machine_add_virtio(machine, device, &video->info, &video->virtio, 0, error))
        return FALSE;
    for (guint i = 0; i < heads; i++)
        g_ptr_array_add(machine->surfaces, kiln_virtio_gpu_surface(device, i));
    return TRUE;
}

static gboolean
build_video(KilnMachine *machine, const KilnVideo *video, GError **error)
{
    switch (video->model.type) {
    case KILN_VIDEO_TYPE_VGA: return build_vga(machine, video, error);
    case KILN_VIDEO_TYPE_BOCHS: return build_bochs(machine, video, error);
    case KILN_VIDEO_TYPE_VIRTIO: return build_gpu(machine, video, error);
    default: return TRUE; /* none */
    }
}

gboolean
kiln_machine_build_videos(KilnMachine *machine, GError **error)
{
    for (guint i = 0; i < machine->domain->videos->len; i++) {
        const KilnVideo *video = g_ptr_array_index(machine->domain->videos, i);

        if (!build_video(machine, video, error)) {
            g_prefix_error(error, "%s: ", video->info.alias);
            return FALSE;
        }
    }
    return TRUE;
}
