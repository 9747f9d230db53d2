/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See video-memory.h. */
#include "device/video-memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"

enum { PAGE = 4096 };

uint32_t
kiln_video_memory_size(uint64_t size)
{
    uint32_t power = KILN_VIDEO_MEMORY_MIN;

    while (power < size && power < KILN_VIDEO_MEMORY_MAX)
        power *= 2;
    return power;
}

gboolean
kiln_video_memory_init(KilnVideoMemory *memory, uint32_t size, const KilnSlots *slots,
                       GError **error)
{
    void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    memory->slot = -1;
    memory->slots = *slots;
    if (bytes == MAP_FAILED)
        return kiln_error_set_errno(error, errno, "no room for %u KiB of video memory",
                                    size / 1024);
    memory->bytes = bytes;
    memory->size = size;
    return TRUE;
}

static void
remove_slot(KilnVideoMemory *memory)
{
    if (memory->slot >= 0)
        memory->slots.ops->remove(memory->slots.opaque, memory->slot);
    memory->slot = -1;
}

void
kiln_video_memory_clear(KilnVideoMemory *memory)
{
    remove_slot(memory);
    if (memory->bytes != NULL)
        munmap(memory->bytes, memory->size);
    memory->bytes = NULL;
    g_clear_pointer(&memory->line, g_free);
    g_clear_pointer(&memory->saved, g_free);
}

/* ---- the BAR -----------------------------------------------------------------------------------
 */

/* Only where the machine has no slots. */
static uint64_t
bar_read(void *opaque, uint64_t offset, unsigned size)
{
    const KilnVideoMemory *memory = opaque;
    uint64_t value = 0;

    memcpy(&value, memory->bytes + offset, size);
    return GUINT64_FROM_LE(value);
}

static void
bar_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    KilnVideoMemory *memory = opaque;

    data = GUINT64_TO_LE(data);
    memcpy(memory->bytes + offset, &data, size);
}

static void
bar_mapped(void *opaque, uint64_t base)
{
    KilnVideoMemory *memory = opaque;

    remove_slot(memory);
    if (base != KILN_SPACE_UNMAPPED && memory->slots.ops != NULL)
        memory->slot =
            memory->slots.ops->add(memory->slots.opaque, base, memory->size, memory->bytes, FALSE);
}

static const KilnRegionOps bar_ops = {
    .read = bar_read, .write = bar_write, .mapped = bar_mapped, .max_access = 8
};

void
kiln_video_memory_add_bar(KilnVideoMemory *memory, KilnPciDevice *pci, unsigned index)
{
    kiln_pci_device_add_bar(pci, index, KILN_PCI_BAR_MEMORY_32, TRUE, memory->size, &bar_ops,
                            memory);
}

static gboolean
is_zero(const uint8_t *bytes, uint32_t length)
{
    return length == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0);
}

void
kiln_video_memory_zero(KilnVideoMemory *memory, uint32_t length)
{
    for (uint32_t done = 0; done < length; done += PAGE) {
        uint32_t piece = MIN(length - done, PAGE);

        if (!is_zero(memory->bytes + done, piece))
            memset(memory->bytes + done, 0, piece);
    }
}

/* ---- the picture -------------------------------------------------------------------------------
 */

/* Pixels of the surface, of the mode's size; NULL: nothing is shown. */
static uint32_t *
fit(KilnVideoMemory *memory, const KilnVgaMode *mode, KilnSurface *surface)
{
    KilnSurfaceImage image = kiln_surface_image(surface);

    if (mode->picture == KILN_VGA_BLANK) {
        image.pixels = NULL;
        image.stride = image.width * sizeof(uint32_t);
        if (kiln_surface_image(surface).pixels != NULL)
            kiln_surface_show(surface, &image);
        return NULL;
    }
    if (image.width != mode->width || image.height != mode->height || image.pixels == NULL)
        return kiln_surface_resize(surface, mode->width, mode->height);
    return (uint32_t *)(uintptr_t)image.pixels; /* those that resize gave: it never shows others */
}

/* Lines from @first up to @end, and of these the columns that changed. */
typedef struct {
    guint first, end;
    guint left, right;
} Changed;

static void
tell(KilnSurface *surface, Changed *changed)
{
    if (changed->end > changed->first)
        kiln_surface_update(surface, changed->left, changed->first, changed->right - changed->left,
                            changed->end - changed->first);
    *changed = (Changed){ .left = UINT_MAX };
}

/* Notes what of line @y differs from what is @shown, and shows it. */
static gboolean
compare(Changed *changed, guint y, const uint32_t *line, uint32_t *shown, guint width)
{
    guint left = 0, right = width;

    if (memcmp(line, shown, width * sizeof *line) == 0)
        return FALSE;
    while (left < right && line[left] == shown[left])
        left++;
    while (right > left && line[right - 1] == shown[right - 1])
        right--;
    memcpy(shown + left, line + left, (right - left) * sizeof *line);
    if (changed->end == changed->first)
        changed->first = y;
    changed->end = y + 1;
    changed->left = MIN(changed->left, left);
    changed->right = MAX(changed->right, right);
    return TRUE;
}

void
kiln_video_memory_refresh(KilnVideoMemory *memory, const KilnVgaMode *mode, KilnSurface *surface)
{
    uint32_t *pixels = fit(memory, mode, surface);
    Changed changed = { .left = UINT_MAX };

    if (pixels == NULL)
        return;
    if (memory->width < mode->width) {
        g_free(memory->line);
        memory->line = g_new(uint32_t, mode->width);
        memory->width = mode->width;
    }
    for (guint y = 0; y < mode->height; y++) {
        kiln_vga_draw_line(mode, memory->bytes, memory->size, y, memory->line);
        if (!compare(&changed, y, memory->line, pixels + (size_t)y * mode->width, mode->width))
            tell(surface, &changed);
    }
    tell(surface, &changed);
}

/* ---- saved state -------------------------------------------------------------------------------
 */

static void
pre_save(void *object)
{
    KilnVideoMemory *memory = object;
    uint32_t used = memory->size;

    while (used > 0 && is_zero(memory->bytes + used - PAGE, PAGE))
        used -= PAGE;
    g_free(memory->saved);
    memory->saved = g_memdup2(memory->bytes, used);
    memory->n_saved = used;
}

static gboolean
post_load(void *object, GError **error)
{
    KilnVideoMemory *memory = object;

    if (memory->n_saved > memory->size)
        return kiln_error_set(error, KILN_ERROR_INVALID,
                              "%u bytes of video memory where there are %u", memory->n_saved,
                              memory->size);
    kiln_video_memory_zero(memory, memory->size);
    if (memory->n_saved > 0)
        memcpy(memory->bytes, memory->saved, memory->n_saved);
    g_clear_pointer(&memory->saved, g_free);
    memory->n_saved = 0;
    return TRUE;
}

static const KilnStateField fields[] = {
    KILN_STATE_BUFFER(KilnVideoMemory, saved, n_saved, 1, KILN_VIDEO_MEMORY_MAX),
    KILN_STATE_END,
};

const KilnStateDescription kiln_video_memory_state = { .name = "video-memory",
                                                       .version = 1,
                                                       .min_version = 1,
                                                       .fields = fields,
                                                       .pre_save = pre_save,
                                                       .post_load = post_load };
