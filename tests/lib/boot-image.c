/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See boot-image.h. */
#include "tests/lib/boot-image.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/le.h"

enum {
    MULTIBOOT_MAGIC = 0x1badb002,
    MULTIBOOT_ADDRESSES = 1 << 16,
    ELF_LENGTH = 0x310,
    MB_LENGTH = 0x200,
};

void
image_set(GByteArray *image, gsize offset, guint size, uint64_t value)
{
    g_assert(offset + size <= image->len);
    for (guint i = 0; i < size; i++)
        image->data[offset + i] = (uint8_t)(value >> (8 * i));
}

int
image_fd(const void *data, gsize length)
{
    int fd = memfd_create("image", MFD_CLOEXEC);

    g_assert(fd >= 0);
    g_assert(kiln_write_full(fd, data, length, 0) == 0);
    return fd;
}

static GByteArray *
zeroes(guint length)
{
    GByteArray *image = g_byte_array_new();

    g_byte_array_set_size(image, length);
    memset(image->data, 0, length);
    return image;
}

GByteArray *
image_bzimage(void)
{
    GByteArray *image = zeroes(IMAGE_BZ_PAYLOAD + IMAGE_BZ_PAYLOAD_SIZE);
    const struct setup_header header = {
        .setup_sects = 1,
        .syssize = IMAGE_BZ_PAYLOAD_SIZE / 16,
        .boot_flag = 0xaa55,
        .jump = 0x6aeb,
        .header = 0x53726448,
        .version = 0x020f,
        .loadflags = LOADED_HIGH,
        .initrd_addr_max = 0x7fffffff,
        .kernel_alignment = 0x200000,
        .relocatable_kernel = 1,
        .min_alignment = 21,
        .xloadflags = XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G,
        .cmdline_size = IMAGE_BZ_CMDLINE_SIZE,
        .pref_address = IMAGE_BZ_PREF_ADDRESS,
        .init_size = IMAGE_BZ_INIT_SIZE,
    };

    memcpy(image->data + IMAGE_SETUP_HEADER, &header, sizeof header);
    for (guint i = 0; i < IMAGE_BZ_PAYLOAD_SIZE; i++)
        image->data[IMAGE_BZ_PAYLOAD + i] = (uint8_t)(i * 7 + 1);
    return image;
}

static void
set_segment(GByteArray *image, guint index, const Elf64_Phdr *segment)
{
    memcpy(image->data + IMAGE_ELF_HEADERS + index * sizeof *segment, segment, sizeof *segment);
}

GByteArray *
image_elf(gboolean note)
{
    GByteArray *image = zeroes(ELF_LENGTH);
    const Elf64_Ehdr header = {
        .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_entry = 0xffffffff80000010, /* virtual */
        .e_phoff = IMAGE_ELF_HEADERS,
        .e_ehsize = sizeof header,
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 3,
    };
    const Elf64_Phdr text = {
        .p_type = PT_LOAD,
        .p_offset = IMAGE_ELF_TEXT,
        .p_vaddr = 0xffffffff80000000,
        .p_paddr = IMAGE_ELF_ADDRESS,
        .p_filesz = 0x100,
        .p_memsz = 0x100,
    };
    const Elf64_Phdr bss = {
        .p_type = PT_LOAD,
        .p_offset = 0x300,
        .p_vaddr = 0xffffffff80100000,
        .p_paddr = IMAGE_ELF_BSS,
        .p_filesz = 16,
        .p_memsz = 0x1000,
    };
    const Elf64_Phdr notes = {
        .p_type = PT_NOTE,
        .p_offset = IMAGE_ELF_NOTE,
        .p_filesz = 20,
        .p_memsz = 20,
        .p_align = 4,
    };

    memcpy(image->data, &header, sizeof header);
    set_segment(image, 0, &text);
    set_segment(image, 1, &bss);
    set_segment(image, 2, &notes);
    image_set(image, IMAGE_ELF_NOTE, 4, 4);
    image_set(image, IMAGE_ELF_NOTE + 4, 4, 4);
    image_set(image, IMAGE_ELF_NOTE + 8, 4, note ? 18 : 6);
    memcpy(image->data + IMAGE_ELF_NOTE + 12, "Xen", 4);
    image_set(image, IMAGE_ELF_NOTE + 16, 4, IMAGE_ELF_ENTRY);
    memset(image->data + IMAGE_ELF_TEXT, 0x90, 0x110);
    return image;
}

static void
set_multiboot(GByteArray *image, gsize at, uint32_t flags)
{
    image_set(image, at, 4, MULTIBOOT_MAGIC);
    image_set(image, at + 4, 4, flags);
    image_set(image, at + 8, 4, (uint32_t) - (MULTIBOOT_MAGIC + flags));
}

GByteArray *
image_multiboot(void)
{
    GByteArray *image = zeroes(MB_LENGTH);

    memset(image->data, 0x90, MB_LENGTH);
    set_multiboot(image, IMAGE_MB_HEADER, MULTIBOOT_ADDRESSES | 3);
    image_set(image, IMAGE_MB_HEADER + 12, 4, IMAGE_MB_ADDRESS + IMAGE_MB_HEADER);
    image_set(image, IMAGE_MB_HEADER + 16, 4, IMAGE_MB_ADDRESS);
    image_set(image, IMAGE_MB_HEADER + 20, 4, 0);
    image_set(image, IMAGE_MB_HEADER + 24, 4, IMAGE_MB_ADDRESS + 0x1000);
    image_set(image, IMAGE_MB_HEADER + 28, 4, IMAGE_MB_ENTRY);
    return image;
}

GByteArray *
image_multiboot_elf(void)
{
    GByteArray *image = image_elf(FALSE);

    set_multiboot(image, IMAGE_ELF_TEXT + IMAGE_MB_HEADER, 3);
    return image;
}
