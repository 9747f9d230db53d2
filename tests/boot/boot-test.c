/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Direct boot on plain memory: tiny kernels of every format, and liars. */
#include "tests/lib/kiln-test.h"

#include <asm/bootparam.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/le.h"
#include "tests/lib/boot-image.h"

#define MIB     (G_GUINT64_CONSTANT(1) << 20)
#define GIB     (G_GUINT64_CONSTANT(1) << 30)
#define CMDLINE "console=ttyS0 quiet"

static const KilnBootRange acpi_tables = { 0xe0000, 0x10000, KILN_BOOT_ACPI };

typedef struct {
    KilnMemory *memory;
    KilnBootOptions options;
    KilnBootEntry entry;
    GError *error;
    gboolean loaded;
} Boot;

static void
boot_init(Boot *boot, uint64_t memory_size)
{
    *boot = (Boot){ .memory = kiln_memory_new_plain(memory_size) };
    boot->options = (KilnBootOptions){
        .kernel_fd = -1,
        .kernel_name = "/k",
        .initrd_fd = -1,
        .initrd_name = "/i",
        .cmdline = CMDLINE,
        .rsdp = 0xe0000,
        .reserved = &acpi_tables,
        .n_reserved = 1,
    };
}

static void
boot_run(Boot *boot, GByteArray *image)
{
    boot->options.kernel_fd = image_fd(image->data, image->len);
    boot->loaded = kiln_boot_load(boot->memory, &boot->options, &boot->entry, &boot->error);
    close(boot->options.kernel_fd);
    ck_assert(boot->loaded == (boot->error == NULL));
    g_byte_array_unref(image);
}

static void
boot_clear(Boot *boot)
{
    if (boot->options.initrd_fd >= 0)
        close(boot->options.initrd_fd);
    kiln_memory_free(boot->memory);
    g_clear_error(&boot->error);
}

static void
read_ram(Boot *boot, KilnGpa gpa, void *data, uint64_t length)
{
    ck_assert(kiln_memory_read(boot->memory, gpa, data, length));
}

static void
check_string(Boot *boot, KilnGpa gpa, const char *expected)
{
    char text[64] = "";

    read_ram(boot, gpa, text, sizeof text - 1);
    ck_assert_str_eq(text, expected);
}

/* ---- bzImage ---- */

static void
check_identity_map(Boot *boot, KilnGpa gpa)
{
    uint8_t entry[8];
    KilnGpa table = boot->entry.cr3;

    ck_assert_uint_eq(gpa >> 39, 0);
    read_ram(boot, table, entry, 8);
    ck_assert_uint_eq(kiln_le64_load(entry) & 0xfff, 3);
    table = kiln_le64_load(entry) & ~G_GUINT64_CONSTANT(0xfff);
    read_ram(boot, table + 8 * (gpa >> 30), entry, 8);
    ck_assert_uint_eq(kiln_le64_load(entry) & 0xfff, 3);
    table = kiln_le64_load(entry) & ~G_GUINT64_CONSTANT(0xfff);
    read_ram(boot, table + 8 * ((gpa >> 21) & 511), entry, 8);
    ck_assert_uint_eq(kiln_le64_load(entry), ((gpa >> 21) << 21) | 0x83);
}

START_TEST(bzimage_is_put_together)
{
    Boot boot;
    struct boot_params params;
    uint8_t initrd[5000], loaded[5000], gdt[32];
    g_autoptr(GByteArray) image = image_bzimage();

    boot_init(&boot, 256 * MIB);
    memset(initrd, 0xc3, sizeof initrd);
    boot.options.initrd_fd = image_fd(initrd, sizeof initrd);
    boot_run(&boot, g_byte_array_ref(image));
    kiln_assert_no_error(boot.error);
    ck_assert_int_eq(boot.entry.format, KILN_BOOT_BZIMAGE);
    ck_assert_int_eq(boot.entry.mode, KILN_BOOT_LONG64);
    ck_assert_uint_eq(boot.entry.rip, IMAGE_BZ_PREF_ADDRESS + 0x200);
    read_ram(&boot, IMAGE_BZ_PREF_ADDRESS, loaded, IMAGE_BZ_PAYLOAD_SIZE);
    ck_assert_mem_eq(loaded, image->data + IMAGE_BZ_PAYLOAD, IMAGE_BZ_PAYLOAD_SIZE);

    read_ram(&boot, boot.entry.rsi, &params, sizeof params);
    ck_assert_uint_eq(params.hdr.header, 0x53726448);
    ck_assert_uint_eq(params.hdr.type_of_loader, 0xff);
    ck_assert_uint_eq(params.hdr.code32_start, IMAGE_BZ_PREF_ADDRESS);
    ck_assert_uint_eq(params.acpi_rsdp_addr, 0xe0000);
    ck_assert_uint_eq(params.sentinel, 0);
    check_string(&boot, params.hdr.cmd_line_ptr, CMDLINE);
    ck_assert_uint_eq(params.hdr.ramdisk_size, sizeof initrd);
    ck_assert_uint_eq(params.hdr.ramdisk_image, 256 * MIB - 0x2000); /* high, on a page */
    read_ram(&boot, params.hdr.ramdisk_image, loaded, sizeof initrd);
    ck_assert_mem_eq(loaded, initrd, sizeof initrd);

    check_identity_map(&boot, boot.entry.rip);
    check_identity_map(&boot, IMAGE_BZ_PREF_ADDRESS + IMAGE_BZ_INIT_SIZE - 1);
    check_identity_map(&boot, boot.entry.rsi);
    ck_assert_uint_eq(boot.entry.gdt_limit, 31);
    read_ram(&boot, boot.entry.gdt, gdt, sizeof gdt);
    ck_assert_uint_eq(kiln_le64_load(gdt + 16), 0x00af9b000000ffff);
    ck_assert_uint_eq(kiln_le64_load(gdt + 24), 0x00cf93000000ffff);
    boot_clear(&boot);
}
END_TEST

START_TEST(bzimage_gets_the_memory_map)
{
    static const KilnBootRange wanted[] = {
        { 0, 0x9fc00, KILN_BOOT_RAM },
        { 0x9fc00, 0xe0000 - 0x9fc00, KILN_BOOT_RESERVED },
        { 0xe0000, 0x10000, KILN_BOOT_ACPI },
        { 0xf0000, 0x10000, KILN_BOOT_RESERVED },
        { 0x100000, 2 * GIB - 0x100000, KILN_BOOT_RAM },
        { 0xe0000000, 0x10000000, KILN_BOOT_RESERVED },
        { 0xfeffc000, 0x4000, KILN_BOOT_RESERVED },
        { 4 * GIB, 2 * GIB, KILN_BOOT_RAM },
    };
    Boot boot;
    struct boot_params params;

    boot_init(&boot, 4 * GIB);
    boot_run(&boot, image_bzimage());
    kiln_assert_no_error(boot.error);
    read_ram(&boot, boot.entry.rsi, &params, sizeof params);
    ck_assert_uint_eq(params.e820_entries, G_N_ELEMENTS(wanted));
    for (guint i = 0; i < G_N_ELEMENTS(wanted); i++) {
        struct boot_e820_entry entry = params.e820_table[i];

        ck_assert_uint_eq(entry.addr, wanted[i].gpa);
        ck_assert_uint_eq(entry.size, wanted[i].size);
        ck_assert_uint_eq(entry.type, wanted[i].type);
    }
    boot_clear(&boot);
}
END_TEST

START_TEST(bzimage_seed_differs_between_boots)
{
    uint8_t seeds[2][32];

    for (guint i = 0; i < 2; i++) {
        Boot boot;
        struct boot_params params;
        struct setup_data head;

        boot_init(&boot, 64 * MIB);
        boot_run(&boot, image_bzimage());
        kiln_assert_no_error(boot.error);
        read_ram(&boot, boot.entry.rsi, &params, sizeof params);
        read_ram(&boot, params.hdr.setup_data, &head, sizeof head);
        ck_assert_uint_eq(head.next, 0);
        ck_assert_uint_eq(head.type, SETUP_RNG_SEED);
        ck_assert_uint_eq(head.len, sizeof seeds[i]);
        read_ram(&boot, params.hdr.setup_data + sizeof head, seeds[i], sizeof seeds[i]);
        boot_clear(&boot);
    }
    ck_assert_mem_ne(seeds[0], seeds[1], sizeof seeds[0]);
}
END_TEST

START_TEST(bzimage_without_64_bit_entry_starts_in_32_bits)
{
    Boot boot;
    GByteArray *image = image_bzimage();

    image_set(image, 0x236, 2, 0);
    boot_init(&boot, 64 * MIB);
    boot_run(&boot, image);
    kiln_assert_no_error(boot.error);
    ck_assert_int_eq(boot.entry.mode, KILN_BOOT_PROTECTED32);
    ck_assert_uint_eq(boot.entry.rip, IMAGE_BZ_PREF_ADDRESS);
    ck_assert_uint_eq(boot.entry.cr3, 0);
    ck_assert_uint_ne(boot.entry.rsi, 0);
    boot_clear(&boot);
}
END_TEST

START_TEST(bzimage_2_06_ignores_what_its_version_lacks)
{
    Boot boot;
    GByteArray *image = image_bzimage();

    image_set(image, 0x206, 2, 0x0206);
    boot_init(&boot, 64 * MIB);
    boot_run(&boot, image);
    kiln_assert_no_error(boot.error);
    ck_assert_int_eq(boot.entry.mode, KILN_BOOT_PROTECTED32);
    ck_assert_uint_eq(boot.entry.rip, 0x200000); /* 1 MiB, aligned to kernel_alignment */
    boot_clear(&boot);
}
END_TEST

START_TEST(bzimage_moves_out_of_the_way_if_relocatable)
{
    static const KilnBootRange there = { IMAGE_BZ_PREF_ADDRESS + 0x80000, 4096,
                                         KILN_BOOT_RESERVED };
    Boot boot;
    GByteArray *fixed = image_bzimage();

    boot_init(&boot, 64 * MIB);
    boot.options.reserved = &there;
    boot_run(&boot, image_bzimage());
    kiln_assert_no_error(boot.error);
    ck_assert_uint_eq(boot.entry.rip, IMAGE_BZ_PREF_ADDRESS + 0x200000 + 0x200);

    image_set(fixed, 0x234, 1, 0);
    boot_run(&boot, fixed);
    kiln_assert_error_has(boot.error, "needs 1 MiB of free memory from 0x1000000");
    boot_clear(&boot);
}
END_TEST

START_TEST(bzimage_initrd_goes_above_4_gib_only_if_it_must)
{
    static const KilnBootRange low = { 32 * MIB, 4 * GIB - 32 * MIB, KILN_BOOT_RESERVED };
    Boot boot;
    struct boot_params params;
    GByteArray *cannot = image_bzimage();
    uint64_t image;

    boot_init(&boot, 4 * GIB);
    boot.options.reserved = &low;
    boot.options.initrd_fd = image_fd("x", 1);
    ck_assert_int_eq(ftruncate(boot.options.initrd_fd, 40 * MIB), 0);
    boot_run(&boot, image_bzimage());
    kiln_assert_no_error(boot.error);
    read_ram(&boot, boot.entry.rsi, &params, sizeof params);
    image = params.hdr.ramdisk_image | (uint64_t)params.ext_ramdisk_image << 32;
    ck_assert_uint_eq(image, 6 * GIB - 40 * MIB);
    ck_assert_uint_eq(params.hdr.ramdisk_size, 40 * MIB);

    image_set(cannot, 0x236, 2, XLF_KERNEL_64);
    boot_run(&boot, cannot);
    kiln_assert_error_has(boot.error, "initrd '/i': needs 40 MiB in one piece below 0x80000000");
    boot_clear(&boot);
}
END_TEST

START_TEST(bzimage_command_line_has_the_kernels_own_limit)
{
    Boot boot;
    char cmdline[IMAGE_BZ_CMDLINE_SIZE + 2];

    memset(cmdline, 'a', sizeof cmdline);
    cmdline[IMAGE_BZ_CMDLINE_SIZE] = '\0';
    boot_init(&boot, 64 * MIB);
    boot.options.cmdline = cmdline;
    boot_run(&boot, image_bzimage());
    kiln_assert_no_error(boot.error);

    cmdline[IMAGE_BZ_CMDLINE_SIZE] = 'a';
    cmdline[IMAGE_BZ_CMDLINE_SIZE + 1] = '\0';
    boot_run(&boot, image_bzimage());
    kiln_assert_error_has(boot.error, "the command line has 256 bytes, but this kernel takes at "
                                      "most 255 (cmdline_size)");
    boot_clear(&boot);
}
END_TEST

/* ---- ELF and PVH ---- */

START_TEST(pvh_is_put_together)
{
    Boot boot;
    uint8_t info[56], module[32], map[24], text[0x100], bss[0x1000], gdt[32];
    static const uint8_t zeroes[0x1000];

    boot_init(&boot, 64 * MIB);
    memset(bss, 0xee, sizeof bss);
    ck_assert(kiln_memory_write(boot.memory, IMAGE_ELF_BSS, bss, sizeof bss));
    boot.options.initrd_fd = image_fd("initrd", 6);
    boot_run(&boot, image_elf(TRUE));
    kiln_assert_no_error(boot.error);
    ck_assert_int_eq(boot.entry.format, KILN_BOOT_PVH);
    ck_assert_int_eq(boot.entry.mode, KILN_BOOT_PROTECTED32);
    ck_assert_uint_eq(boot.entry.rip, IMAGE_ELF_ENTRY);
    read_ram(&boot, IMAGE_ELF_ADDRESS, text, sizeof text);
    ck_assert_uint_eq(text[0xff], 0x90);
    read_ram(&boot, IMAGE_ELF_BSS, bss, sizeof bss);
    ck_assert_uint_eq(bss[15], 0x90);
    ck_assert_mem_eq(bss + 16, zeroes, sizeof bss - 16);

    read_ram(&boot, boot.entry.rbx, info, sizeof info);
    ck_assert_uint_eq(kiln_le32_load(info), 0x336ec578);
    ck_assert_uint_eq(kiln_le32_load(info + 4), 1);
    ck_assert_uint_eq(kiln_le32_load(info + 12), 1);
    check_string(&boot, kiln_le64_load(info + 24), CMDLINE);
    ck_assert_uint_eq(kiln_le64_load(info + 32), 0xe0000);
    read_ram(&boot, kiln_le64_load(info + 16), module, sizeof module);
    ck_assert_uint_eq(kiln_le64_load(module + 8), 6);
    check_string(&boot, kiln_le64_load(module), "initrd");
    ck_assert_uint_ge(kiln_le32_load(info + 48), 5);
    read_ram(&boot, kiln_le64_load(info + 40), map, sizeof map);
    ck_assert_uint_eq(kiln_le64_load(map + 8), 0x9fc00);
    ck_assert_uint_eq(kiln_le32_load(map + 16), KILN_BOOT_RAM);
    read_ram(&boot, boot.entry.gdt, gdt, sizeof gdt);
    ck_assert_uint_eq(kiln_le64_load(gdt + 16), 0x00cf9b000000ffff);
    boot_clear(&boot);
}
END_TEST

START_TEST(pvh_leaves_zero_memory_alone_if_told_so)
{
    Boot boot;
    uint8_t mark = 0xee;

    boot_init(&boot, 64 * MIB);
    boot.options.memory_is_zero = TRUE;
    ck_assert(kiln_memory_write(boot.memory, IMAGE_ELF_BSS + 0x800, &mark, 1));
    boot_run(&boot, image_elf(TRUE));
    kiln_assert_no_error(boot.error);
    mark = 0;
    read_ram(&boot, IMAGE_ELF_BSS + 0x800, &mark, 1);
    ck_assert_uint_eq(mark, 0xee);
    boot_clear(&boot);
}
END_TEST

/* ---- multiboot ---- */

static void
check_multiboot_info(Boot *boot)
{
    uint8_t info[116], module[16], map[24];

    ck_assert_int_eq(boot->entry.format, KILN_BOOT_MULTIBOOT);
    ck_assert_int_eq(boot->entry.mode, KILN_BOOT_PROTECTED32);
    ck_assert_uint_eq(boot->entry.rax, 0x2badb002);
    read_ram(boot, boot->entry.rbx, info, sizeof info);
    ck_assert_uint_eq(kiln_le32_load(info), 0x24d);
    ck_assert_uint_eq(kiln_le32_load(info + 4), 639);
    ck_assert_uint_eq(kiln_le32_load(info + 8), 63 * 1024);
    check_string(boot, kiln_le32_load(info + 16), "/k " CMDLINE);
    ck_assert_uint_eq(kiln_le32_load(info + 20), 1);
    read_ram(boot, kiln_le32_load(info + 24), module, sizeof module);
    check_string(boot, kiln_le32_load(module), "module");
    ck_assert_uint_eq(kiln_le32_load(module + 4) - kiln_le32_load(module), 6);
    check_string(boot, kiln_le32_load(module + 8), "/i");
    ck_assert_uint_eq(kiln_le32_load(info + 44) % 24, 0);
    read_ram(boot, kiln_le32_load(info + 48), map, sizeof map);
    ck_assert_uint_eq(kiln_le32_load(map), 20);
    ck_assert_uint_eq(kiln_le64_load(map + 12), 0x9fc00);
    check_string(boot, kiln_le32_load(info + 64), "kiln");
}

START_TEST(multiboot_by_addresses)
{
    Boot boot;
    uint8_t byte[2];

    boot_init(&boot, 64 * MIB);
    boot.options.initrd_fd = image_fd("module", 6);
    boot_run(&boot, image_multiboot());
    kiln_assert_no_error(boot.error);
    ck_assert_uint_eq(boot.entry.rip, IMAGE_MB_ENTRY);
    read_ram(&boot, IMAGE_MB_ADDRESS + 0x1ff, byte, 2);
    ck_assert_uint_eq(byte[0], 0x90);
    ck_assert_uint_eq(byte[1], 0);
    check_multiboot_info(&boot);
    boot_clear(&boot);
}
END_TEST

START_TEST(multiboot_in_elf)
{
    Boot boot;

    boot_init(&boot, 64 * MIB);
    boot.options.initrd_fd = image_fd("module", 6);
    boot_run(&boot, image_multiboot_elf());
    kiln_assert_no_error(boot.error);
    ck_assert_uint_eq(boot.entry.rip, IMAGE_ELF_ENTRY); /* e_entry is virtual */
    check_multiboot_info(&boot);
    boot_clear(&boot);
}
END_TEST

/* ---- liars ---- */

enum { BZ, ELF, MB, MB_ELF };
enum {
    PH0 = IMAGE_ELF_HEADERS,
    PH1 = IMAGE_ELF_HEADERS + 56,
    PH2 = IMAGE_ELF_HEADERS + 112,
    FILESZ = 32,
    MEMSZ = 40,
    OFFSET = 8,
    PADDR = 24,
};

static const struct {
    int format;
    guint offset;
    guint size;
    uint64_t value;
    const char *message;
} liars[] = {
    { BZ, 0x1f1, 1, 200, "kernel '/k': setup_sects 200 reaches past the end of the file" },
    { BZ, 0x1f1, 1, 0, "setup_sects 4 reaches past" },
    { BZ, 0x1f4, 4, 65,
      "syssize says that 1040 bytes follow the setup code, but the file has only" },
    { BZ, 0x1f4, 4, 0xffffffff, "syssize says that 68719476720 bytes" },
    { BZ, 0x1f4, 4, 0, "syssize 0 leaves no room" },
    { BZ, 0x1f4, 4, 32, "syssize 32 leaves no room" },
    { BZ, 0x201, 1, 0x39, "the header ends at 0x23b by its jump, before cmdline_size" },
    { BZ, 0x202, 4, 0, "neither a Linux bzImage nor an ELF file" },
    { BZ, 0x206, 2, 0x0205, "boot protocol version 2.05 is older than 2.06" },
    { BZ, 0x211, 1, 0, "loadflags 0x00 lacks LOADED_HIGH" },
    { BZ, 0x230, 4, 3, "kernel_alignment 0x3 is not a power of 2" },
    { BZ, 0x230, 4, 0, "kernel_alignment 0x0 is not a power of 2" },
    { BZ, 0x230, 4, 0x80000000, "needs 1 MiB of free memory from 0x1000000" },
    { BZ, 0x238, 4, 3, "the command line has 19 bytes, but this kernel takes at most 3" },
    { BZ, 0x258, 8, 1 * GIB, "needs 1 MiB of free memory from 0x40000000" },
    { BZ, 0x258, 8, UINT64_MAX, "needs 1 MiB of free memory from 0xffffffffffffffff" },
    { BZ, 0x260, 4, 1023, "init_size 1023 is less than the 1024 bytes of the kernel" },
    { BZ, 0x260, 4, 0xffffffff, "needs 4096 MiB of free memory" },
    { ELF, 4, 1, 3, "class 3 is neither 32 nor 64 bits" },
    { ELF, 4, 1, 1, "e_phentsize" },
    { ELF, 5, 1, 2, "byte order 2" },
    { ELF, 16, 2, 1, "e_type 1 is not an executable" },
    { ELF, 18, 2, 183, "e_machine 183 is not x86" },
    { ELF, 32, 8, 0x10000, "the program header table (e_phoff, e_phnum)" },
    { ELF, 32, 8, UINT64_MAX, "reaches past the end of the file" },
    { ELF, 54, 2, 57, "e_phentsize 57 is not 56" },
    { ELF, 56, 2, 0, "e_phnum 0 is not between 1 and 128" },
    { ELF, 56, 2, 0xffff, "e_phnum 65535 is not between" },
    { ELF, 56, 2, 128, "the program header table (e_phoff, e_phnum)" },
    { ELF, PH0, 4, 0, "which is in no segment below 4 GiB" },
    { ELF, PH0 + FILESZ, 8, 0x101, "program header 0: p_filesz 257 is more than p_memsz 256" },
    { ELF, PH0 + FILESZ, 8, 0x1000,
      "program header 0: p_filesz 4096 at p_offset 512 reaches past" },
    { ELF, PH0 + OFFSET, 8, UINT64_MAX, "program header 0: p_filesz 256 at p_offset" },
    { ELF, PH0 + MEMSZ, 8, UINT64_MAX, "program header 0: p_memsz 18446744073709551615 wraps" },
    { ELF, PH0 + MEMSZ, 8, 64 * MIB, "program header 0: needs 65536 KiB of memory at 0x200000" },
    { ELF, PH0 + MEMSZ, 8, 2 * MIB, "program header 1: 4096 bytes at 0x300000 overlap" },
    { ELF, PH1 + PADDR, 8, 0x9f800, "program header 1: 4096 bytes at 0x9f800 overlap" },
    { ELF, PH1 + PADDR, 8, 0xe0000000, "program header 1: needs 4 KiB of memory at 0xe0000000" },
    { ELF, PH2 + FILESZ, 8, 19, "a note's n_namesz 4 and n_descsz 4 reach past the segment" },
    { ELF, PH2 + FILESZ, 8, 1 * MIB, "program header 2: p_filesz 1048576" },
    { ELF, IMAGE_ELF_NOTE, 4, 0xffffffff, "a note's n_namesz 4294967295" },
    { ELF, IMAGE_ELF_NOTE + 4, 4, 0xffffffff, "n_descsz 4294967295 reach past" },
    { ELF, IMAGE_ELF_NOTE + 4, 4, 2, "the PVH note (XEN_ELFNOTE_PHYS32_ENTRY) has 2 bytes" },
    { ELF, IMAGE_ELF_NOTE + 8, 4, 6, "neither a PVH note" },
    { ELF, IMAGE_ELF_NOTE + 12, 1, 'x', "neither a PVH note" },
    { ELF, IMAGE_ELF_NOTE + 16, 4, 0x200100, "names the entry 0x200100, which is in no segment" },
    { MB, IMAGE_MB_HEADER, 4, 0, "neither a Linux bzImage nor an ELF file nor a multiboot 1" },
    { MB, IMAGE_MB_HEADER + 8, 4, 0, "neither a Linux bzImage nor an ELF file nor a multiboot 1" },
    { MB, IMAGE_MB_HEADER + 12, 4, 0xfffff, "multiboot load_addr 0x100000 is not what stands" },
    { MB, IMAGE_MB_HEADER + 16, 4, 0xfff00, "multiboot load_addr 0xfff00 is not what stands" },
    { MB, IMAGE_MB_HEADER + 16, 4, 0xfffffff0, "multiboot load_addr 0xfffffff0 is not" },
    { MB, IMAGE_MB_HEADER + 20, 4, 0x100000, "multiboot load_end_addr 0x100000 is not above" },
    { MB, IMAGE_MB_HEADER + 20, 4, 0x100300, "what multiboot load_addr and load_end_addr say" },
    { MB, IMAGE_MB_HEADER + 24, 4, 0x100100, "multiboot bss_end_addr 0x100100 is below the end" },
    { MB, IMAGE_MB_HEADER + 24, 4, 0xf0000000, "needs 3931136 KiB of memory at 0x100000" },
    { MB, IMAGE_MB_HEADER + 28, 4, 0x100200, "multiboot entry_addr 0x100200 is not in what is" },
    { MB, IMAGE_MB_HEADER + 28, 4, 0xfffff, "multiboot entry_addr 0xfffff is not in what is" },
    { MB_ELF, 24, 8, 0x123, "e_entry 0x123 is in no segment" },
    { MB_ELF, 24, 8, 0xffffffff80100010, "e_entry 0xffffffff80100010 is in no segment" },
};

static GByteArray *
image_of(int format)
{
    switch (format) {
    case BZ: return image_bzimage();
    case ELF: return image_elf(TRUE);
    case MB: return image_multiboot();
    default: return image_multiboot_elf();
    }
}

START_TEST(liar_is_named)
{
    Boot boot;
    KilnBootEntry untouched;
    GByteArray *image = image_of(liars[_i].format);

    boot_init(&boot, 64 * MIB);
    memset(&boot.entry, 0x5a, sizeof boot.entry);
    memcpy(&untouched, &boot.entry, sizeof untouched);
    boot.options.initrd_fd = image_fd("module", 6);
    image_set(image, liars[_i].offset, liars[_i].size, liars[_i].value);
    if (liars[_i].format == MB && liars[_i].offset == IMAGE_MB_HEADER + 20 &&
        liars[_i].value == 0x100300)
        image_set(image, IMAGE_MB_HEADER + 24, 4, 0);
    boot_run(&boot, image);
    kiln_assert_error_has(boot.error, liars[_i].message);
    ck_assert_mem_eq(&boot.entry, &untouched, sizeof untouched);
    boot_clear(&boot);
}
END_TEST

START_TEST(multiboot_flags_that_must_be_known)
{
    Boot boot;
    GByteArray *image = image_multiboot();

    image_set(image, IMAGE_MB_HEADER + 4, 4, 0x10007);
    image_set(image, IMAGE_MB_HEADER + 8, 4, (uint32_t) - (0x1badb002 + 0x10007));
    boot_init(&boot, 64 * MIB);
    boot_run(&boot, image);
    kiln_assert_error_has(boot.error, "multiboot flags 0x10007 ask for 0x4");
    boot_clear(&boot);
}
END_TEST

/* Cut after every byte, a kernel is refused; or, where only its tail is gone, nothing bad happens.
 */
START_TEST(truncated_kernel_is_refused)
{
    GByteArray *image = image_of(_i);
    guint refused = 0;

    for (guint length = 0; length < image->len; length += length < 0x280 ? 1 : 7) {
        GByteArray *cut = g_byte_array_new();
        Boot boot;

        boot_init(&boot, 64 * MIB);
        g_byte_array_append(cut, image->data, length);
        boot_run(&boot, cut);
        refused += !boot.loaded;
        if (_i != MB) /* a multiboot file without load_end_addr ends where it ends */
            ck_assert(!boot.loaded);
        boot_clear(&boot);
    }
    ck_assert_uint_ge(refused, IMAGE_MB_HEADER + 32);
    g_byte_array_unref(image);
}
END_TEST

START_TEST(files_that_are_none)
{
    Boot boot;

    boot_init(&boot, 64 * MIB);
    boot.options.kernel_fd = kiln_open("/", O_RDONLY, 0, NULL);
    ck_assert(!kiln_boot_load(boot.memory, &boot.options, &boot.entry, &boot.error));
    kiln_assert_error_has(boot.error, "kernel '/k': is not a regular file");
    g_clear_error(&boot.error);
    close(boot.options.kernel_fd);

    boot.options.initrd_fd = kiln_open("/dev/null", O_RDONLY, 0, NULL);
    boot_run(&boot, image_bzimage());
    kiln_assert_error_has(boot.error, "initrd '/i': is not a regular file");
    boot_clear(&boot);
}
END_TEST

START_TEST(too_little_memory_says_how_much)
{
    Boot boot;

    boot_init(&boot, 8 * MIB);
    boot_run(&boot, image_bzimage());
    kiln_assert_error_has(boot.error, "needs 1 MiB of free memory from 0x1000000");
    kiln_assert_error_has(boot.error, "the guest has 8 MiB in all");
    boot_clear(&boot);

    boot_init(&boot, 32 * MIB);
    boot.options.initrd_fd = image_fd("x", 1);
    ck_assert_int_eq(ftruncate(boot.options.initrd_fd, 33 * MIB + 1), 0);
    boot_run(&boot, image_bzimage());
    kiln_assert_error_has(boot.error, "initrd '/i': needs 34 MiB in one piece");
    boot_clear(&boot);
}
END_TEST

START_TEST(memory_map_of_overlapping_ranges)
{
    static const KilnBootRange reserved[] = {
        { 0x200000, 0x2000, KILN_BOOT_RESERVED },    { 0x201000, 0x2000, KILN_BOOT_NVS },
        { 0x300000, 0, KILN_BOOT_RESERVED },         { 0x203000, 0x1000, KILN_BOOT_NVS },
        { UINT64_MAX - 1, 100, KILN_BOOT_RESERVED },
    };
    static const KilnBootRange wanted[] = {
        { 0, 0x9fc00, KILN_BOOT_RAM },         { 0x9fc00, 0x60400, KILN_BOOT_RESERVED },
        { 0x100000, 0x100000, KILN_BOOT_RAM }, { 0x200000, 0x1000, KILN_BOOT_RESERVED },
        { 0x201000, 0x3000, KILN_BOOT_NVS },   { 0x204000, 64 * MIB - 0x204000, KILN_BOOT_RAM },
    };
    KilnMemory *memory = kiln_memory_new_plain(64 * MIB);
    g_autoptr(GArray) map = kiln_boot_memory_map(memory, reserved, G_N_ELEMENTS(reserved));

    ck_assert_uint_ge(map->len, G_N_ELEMENTS(wanted));
    for (guint i = 0; i < G_N_ELEMENTS(wanted); i++) {
        const KilnBootRange *range = &g_array_index(map, KilnBootRange, i);

        ck_assert_uint_eq(range->gpa, wanted[i].gpa);
        ck_assert_uint_eq(range->size, wanted[i].size);
        ck_assert_uint_eq(range->type, wanted[i].type);
    }
    kiln_memory_free(memory);
}
END_TEST

static Suite *
boot_suite(void)
{
    Suite *suite = suite_create("boot");
    TCase *tcase = kiln_test_case(suite, "boot");

    tcase_add_test(tcase, bzimage_is_put_together);
    tcase_add_test(tcase, bzimage_gets_the_memory_map);
    tcase_add_test(tcase, bzimage_seed_differs_between_boots);
    tcase_add_test(tcase, bzimage_without_64_bit_entry_starts_in_32_bits);
    tcase_add_test(tcase, bzimage_2_06_ignores_what_its_version_lacks);
    tcase_add_test(tcase, bzimage_moves_out_of_the_way_if_relocatable);
    tcase_add_test(tcase, bzimage_initrd_goes_above_4_gib_only_if_it_must);
    tcase_add_test(tcase, bzimage_command_line_has_the_kernels_own_limit);
    tcase_add_test(tcase, pvh_is_put_together);
    tcase_add_test(tcase, pvh_leaves_zero_memory_alone_if_told_so);
    tcase_add_test(tcase, multiboot_by_addresses);
    tcase_add_test(tcase, multiboot_in_elf);
    tcase_add_loop_test(tcase, liar_is_named, 0, G_N_ELEMENTS(liars));
    tcase_add_test(tcase, multiboot_flags_that_must_be_known);
    tcase_add_loop_test(tcase, truncated_kernel_is_refused, BZ, MB_ELF + 1);
    tcase_add_test(tcase, files_that_are_none);
    tcase_add_test(tcase, too_little_memory_says_how_much);
    tcase_add_test(tcase, memory_map_of_overlapping_ranges);
    return suite;
}

KILN_TEST_MAIN(boot_suite)
