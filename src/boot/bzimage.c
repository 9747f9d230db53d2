/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See bzimage.h.  setup header -> check -> kernel at its preferred address -> initrd -> command
 * line
 * -> boot_params ("zero page") -> 64-bit entry, or 32-bit where the kernel has no other.
 */
#include "boot/bzimage.h"

#include <asm/bootparam.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>

#include "base/error.h"
#include "base/intmath.h"
#include "memory/layout.h"

/* Linux boot protocol 2.15, "Details of Header Fields" and "64-bit Boot Protocol". */
enum {
    SECTOR = 512,
    HEADER_OFFSET = 0x1f1,
    HEADER_END_BASE = 0x202,  /* the header ends here plus the jump's second byte */
    CMDLINE_SIZE_END = 0x23c, /* of the last field that version 2.06 has */
    BOOT_FLAG = 0xaa55,
    HDRS = 0x53726448, /* "HdrS" */
    OLDEST_VERSION = 0x0206,
    DEFAULT_SETUP_SECTS = 4, /* what 0 stands for */
    PARAGRAPH = 16,          /* unit of syssize */
    ENTRY_64 = 0x200,
    LOADER_UNDEFINED = 0xff,
    VIDEO_NORMAL = 0xffff,
    LOWEST_KERNEL = 0x100000,
    RNG_SEED_BYTES = 32,
};

/* The file's header as it was read, and what follows from it. */
typedef struct {
    struct setup_header header; /* a copy, checked; fields that its version lacks are 0 */
    uint64_t payload_offset;    /* of the protected-mode kernel in the file, bytes */
    uint64_t payload_size;      /* bytes */
    uint64_t needed;            /* bytes that the kernel uses from its start on */
    gboolean long_mode;         /* has a 64-bit entry */
    KilnGpa kernel;
} Image;

gboolean
kiln_boot_bzimage_detect(const KilnBootFile *file, gboolean *found, GError **error)
{
    struct setup_header header;

    *found = FALSE;
    if (file->size < HEADER_OFFSET + sizeof header)
        return TRUE;
    if (!kiln_boot_file_read(file, HEADER_OFFSET, &header, sizeof header, "setup header", error))
        return FALSE;
    *found = header.boot_flag == BOOT_FLAG && header.header == HDRS;
    return TRUE;
}

/* Fields that came with a later version than the image's are whatever follows: make them 0. */
static void
forget_later_fields(struct setup_header *header)
{
    size_t header_length = HEADER_END_BASE + (header->jump >> 8) - HEADER_OFFSET;
    size_t known = sizeof *header;

    if (header->version < 0x0207)
        known = offsetof(struct setup_header, hardware_subarch);
    else if (header->version < 0x0208)
        known = offsetof(struct setup_header, payload_offset);
    else if (header->version < 0x0209)
        known = offsetof(struct setup_header, setup_data);
    else if (header->version < 0x020a)
        known = offsetof(struct setup_header, pref_address);
    else if (header->version < 0x020b)
        known = offsetof(struct setup_header, handover_offset);
    else if (header->version < 0x020f)
        known = offsetof(struct setup_header, kernel_info_offset);
    known = MIN(known, header_length);
    memset((uint8_t *)header + known, 0, sizeof *header - known);
    if (header->version < 0x020c)
        header->xloadflags = 0;
}

static gboolean
check_version(const KilnBootFile *file, const struct setup_header *header, GError **error)
{
    if (header->boot_flag != BOOT_FLAG || header->header != HDRS)
        return kiln_boot_file_error(file, error, "changed while it was read");
    if (header->version < OLDEST_VERSION)
        return kiln_boot_file_error(file, error, "boot protocol version %u.%02u is older than 2.06",
                                    header->version >> 8, header->version & 0xff);
    if ((header->loadflags & LOADED_HIGH) == 0)
        return kiln_boot_file_error(file, error,
                                    "loadflags 0x%02x lacks LOADED_HIGH: a zImage is not supported",
                                    header->loadflags);
    if (HEADER_END_BASE + (header->jump >> 8) < CMDLINE_SIZE_END)
        return kiln_boot_file_error(file, error,
                                    "the header ends at 0x%x by its jump, before cmdline_size",
                                    HEADER_END_BASE + (header->jump >> 8));
    return TRUE;
}

static gboolean
check_sizes(const KilnBootFile *file, Image *image, GError **error)
{
    const struct setup_header *header = &image->header;
    guint setup_sects = header->setup_sects != 0 ? header->setup_sects : DEFAULT_SETUP_SECTS;
    guint entry = image->long_mode ? ENTRY_64 : 0;

    image->payload_offset = (setup_sects + 1) * (uint64_t)SECTOR;
    image->payload_size = header->syssize * (uint64_t)PARAGRAPH;
    if (image->payload_offset >= file->size)
        return kiln_boot_file_error(file, error, "setup_sects %u reaches past the end of the file",
                                    setup_sects);
    if (image->payload_size <= entry)
        return kiln_boot_file_error(file, error, "syssize %u leaves no room for the entry point",
                                    header->syssize);
    if (!kiln_range_inside(image->payload_offset, image->payload_size, file->size))
        return kiln_boot_file_error(file, error,
                                    "syssize says that %" G_GUINT64_FORMAT
                                    " bytes follow the setup code, but the file has only "
                                    "%" G_GUINT64_FORMAT,
                                    image->payload_size, file->size - image->payload_offset);
    return TRUE;
}

static gboolean
check_placement(const KilnBootFile *file, Image *image, GError **error)
{
    struct setup_header *header = &image->header;

    image->needed = image->payload_size;
    if (header->version < 0x020a) {
        header->pref_address = LOWEST_KERNEL;
    } else {
        if (header->init_size < image->payload_size)
            return kiln_boot_file_error(file, error,
                                        "init_size %u is less than the %" G_GUINT64_FORMAT
                                        " bytes of the kernel",
                                        header->init_size, image->payload_size);
        image->needed = header->init_size;
    }
    if (header->relocatable_kernel == 0) {
        header->kernel_alignment = 1;
    } else if (!kiln_is_power_of_2(header->kernel_alignment)) {
        return kiln_boot_file_error(file, error, "kernel_alignment 0x%x is not a power of 2",
                                    header->kernel_alignment);
    }
    return TRUE;
}

static gboolean
read_image(const KilnBootFile *file, Image *image, GError **error)
{
    if (!kiln_boot_file_read(file, HEADER_OFFSET, &image->header, sizeof image->header,
                             "setup header", error) ||
        !check_version(file, &image->header, error))
        return FALSE;
    forget_later_fields(&image->header);
    image->long_mode = (image->header.xloadflags & XLF_KERNEL_64) != 0;
    return check_sizes(file, image, error) && check_placement(file, image, error);
}

/* A relocatable kernel moves itself up to pref_address at the least, so lower places gain nothing.
 */
static gboolean
place_kernel(KilnBootLoad *load, Image *image, GError **error)
{
    const struct setup_header *header = &image->header;
    KilnGpa from = MAX(header->pref_address, LOWEST_KERNEL);
    gboolean placed;

    if (header->relocatable_kernel != 0) {
        placed = kiln_boot_places_lowest(load->places, image->needed, header->kernel_alignment,
                                         from, KILN_LAYOUT_4G, &image->kernel);
    } else {
        image->kernel = from;
        placed = kiln_range_inside(from, image->needed, KILN_LAYOUT_4G) &&
                 kiln_boot_places_take(load->places, from, image->needed) == KILN_BOOT_PLACE_TAKEN;
    }
    if (!placed)
        return kiln_boot_file_error(&load->kernel, error,
                                    "needs %" G_GUINT64_FORMAT
                                    " MiB of free memory from 0x%" G_GINT64_MODIFIER
                                    "x (init_size, pref_address) and below 4 GiB; the guest has "
                                    "%" G_GUINT64_FORMAT " MiB in all",
                                    (image->needed - 1) / 1048576 + 1, (uint64_t)from,
                                    kiln_memory_size(load->memory) / 1048576);
    return kiln_boot_file_load(&load->kernel, image->payload_offset, load->memory, image->kernel,
                               image->payload_size, "the kernel after the setup code", error);
}

/* Below what the kernel says it can reach; above 4 GiB only if it must and the kernel can. */
static gboolean
place_initrd(KilnBootLoad *load, const Image *image, struct boot_params *params, GError **error)
{
    gboolean anywhere = (image->header.xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G) != 0;
    KilnGpa below = MIN((uint64_t)image->header.initrd_addr_max + 1, KILN_LAYOUT_4G);
    g_autoptr(GError) low_error = NULL;
    KilnGpa gpa;

    if (!kiln_boot_load_initrd(load, below, &gpa, &low_error) &&
        (!anywhere || !g_error_matches(low_error, KILN_ERROR, KILN_ERROR_INVALID) ||
         !kiln_boot_load_initrd(load, UINT64_MAX, &gpa, NULL))) {
        g_propagate_error(error, g_steal_pointer(&low_error));
        return FALSE;
    }
    params->hdr.ramdisk_image = (uint32_t)gpa;
    params->ext_ramdisk_image = (uint32_t)(gpa >> 32);
    params->hdr.ramdisk_size = (uint32_t)load->initrd.size;
    params->ext_ramdisk_size = (uint32_t)(load->initrd.size >> 32);
    return TRUE;
}

static gboolean
place_cmdline(KilnBootLoad *load, const Image *image, struct boot_params *params, GError **error)
{
    const char *cmdline = load->options->cmdline != NULL ? load->options->cmdline : "";
    size_t length = strlen(cmdline);
    KilnGpa gpa;

    if (length > image->header.cmdline_size)
        return kiln_boot_file_error(&load->kernel, error,
                                    "the command line has %zu bytes, but this kernel takes at most "
                                    "%u (cmdline_size)",
                                    length, image->header.cmdline_size);
    if (!kiln_boot_load_table(load, cmdline, length + 1, "command line", &gpa, error))
        return FALSE;
    params->hdr.cmd_line_ptr = (uint32_t)gpa;
    return TRUE;
}

/* Randomness for the guest's first moments, which it wipes once it has taken it. */
static gboolean
place_seed(KilnBootLoad *load, const Image *image, struct boot_params *params, GError **error)
{
    union {
        struct setup_data data;
        uint8_t bytes[sizeof(struct setup_data) + RNG_SEED_BYTES];
    } seed = { .data = { .type = SETUP_RNG_SEED, .len = RNG_SEED_BYTES } };
    KilnGpa gpa;

    if (image->header.version < 0x0209)
        return TRUE;
    if (getrandom(seed.bytes + sizeof(struct setup_data), RNG_SEED_BYTES, 0) != RNG_SEED_BYTES)
        return kiln_error_set_errno(error, errno, "cannot get random bytes for the guest");
    if (!kiln_boot_load_table(load, &seed, sizeof seed, "random seed", &gpa, error))
        return FALSE;
    params->hdr.setup_data = gpa;
    return TRUE;
}

static gboolean
fill_e820(KilnBootLoad *load, struct boot_params *params, GError **error)
{
    g_autoptr(GArray) map =
        kiln_boot_memory_map(load->memory, load->options->reserved, load->options->n_reserved);

    if (map->len > E820_MAX_ENTRIES_ZEROPAGE)
        return kiln_boot_file_error(&load->kernel, error,
                                    "the memory map has %u entries, boot_params holds %d", map->len,
                                    E820_MAX_ENTRIES_ZEROPAGE);
    for (guint i = 0; i < map->len; i++) {
        const KilnBootRange *range = &g_array_index(map, KilnBootRange, i);

        params->e820_table[i] = (struct boot_e820_entry){
            .addr = range->gpa,
            .size = range->size,
            .type = range->type,
        };
    }
    params->e820_entries = (uint8_t)map->len;
    return TRUE;
}

static gboolean
fill_params(KilnBootLoad *load, const Image *image, struct boot_params *params, GError **error)
{
    params->hdr = image->header;
    params->hdr.type_of_loader = LOADER_UNDEFINED;
    params->hdr.ext_loader_type = 0;
    params->hdr.ext_loader_ver = 0;
    params->hdr.vid_mode = VIDEO_NORMAL;
    params->hdr.loadflags &= (uint8_t) ~(CAN_USE_HEAP | KEEP_SEGMENTS | QUIET_FLAG);
    params->hdr.code32_start = (uint32_t)image->kernel;
    params->hdr.setup_data = 0;
    params->acpi_rsdp_addr = load->options->rsdp;
    return place_initrd(load, image, params, error) && place_cmdline(load, image, params, error) &&
           place_seed(load, image, params, error) && fill_e820(load, params, error);
}

gboolean
kiln_boot_bzimage_load(KilnBootLoad *load, GError **error)
{
    g_autofree struct boot_params *params = g_new0(struct boot_params, 1);
    Image image = { 0 };
    KilnGpa zero_page, mapped;

    if (!read_image(&load->kernel, &image, error) || !place_kernel(load, &image, error) ||
        !fill_params(load, &image, params, error) ||
        !kiln_boot_load_table(load, params, sizeof *params, "boot_params", &zero_page, error))
        return FALSE;
    load->entry.format = KILN_BOOT_BZIMAGE;
    load->entry.mode = image.long_mode ? KILN_BOOT_LONG64 : KILN_BOOT_PROTECTED32;
    load->entry.rip = image.kernel + (image.long_mode ? ENTRY_64 : 0);
    load->entry.rsi = zero_page;
    mapped = MAX(image.kernel + image.needed, load->tables_end);
    return kiln_boot_load_gdt(load, error) &&
           (!image.long_mode || kiln_boot_load_page_tables(load, mapped, error));
}
