/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See bochs-display.h. */
#include "device/bochs-display.h"

#include "device/bochs.h"

enum { CLASS_DISPLAY_OTHER = 0x038000 };

static void
refresh(void *device)
{
    KilnBochs *bochs = device;
    KilnVgaMode mode = { 0 };
    KilnDispi dispi;

    kiln_mutex_lock(&bochs->pci.device.lock);
    dispi = bochs->dispi;
    kiln_mutex_unlock(&bochs->pci.device.lock);
    kiln_vga_mode_linear(&dispi, bochs->memory.size, &mode);
    /* There is no DAC to give colours to anything else. */
    if (mode.picture != KILN_VGA_LINEAR)
        mode.picture = KILN_VGA_BLANK;
    kiln_video_memory_refresh(&bochs->memory, &mode, bochs->surface);
}

static const KilnSurfaceDevice surface_ops = { .refresh = refresh, .hint = kiln_bochs_hint };

static void
display_reset(KilnDevice *device)
{
    kiln_bochs_reset((KilnBochs *)device);
}

static void
display_free(KilnDevice *device)
{
    kiln_bochs_clear((KilnBochs *)device);
    g_free(device);
}

static const KilnStateField fields[] = {
    KILN_STATE_STRUCT(KilnBochs, pci, 1, &kiln_pci_state),
    KILN_STATE_STRUCT(KilnBochs, dispi, 1, &kiln_dispi_state),
    KILN_STATE_STRUCT(KilnBochs, memory, 1, &kiln_video_memory_state),
    KILN_STATE_END,
};

static const KilnStateDescription state = {
    .name = "bochs-display", .version = 1, .min_version = 1, .fields = fields
};

static const KilnDeviceOps ops = {
    .name = "bochs-display", .reset = display_reset, .free = display_free, .state = &state
};

KilnPciDevice *
kiln_bochs_display_new(const KilnBochsDisplayOptions *options, GError **error)
{
    KilnBochs *bochs = g_new0(KilnBochs, 1);
    KilnBochsOptions base = {
        .id = options->id,
        .slots = options->slots,
        .memory = options->memory,
        .prefers = options->prefers,
        .class_code = CLASS_DISPLAY_OTHER,
    };

    if (!kiln_bochs_init(bochs, &ops, &surface_ops, &base, error)) {
        display_free(&bochs->pci.device);
        return NULL;
    }
    return &bochs->pci;
}

KilnSurface *
kiln_bochs_display_surface(KilnPciDevice *pci)
{
    return ((KilnBochs *)pci)->surface;
}
