/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See boot-fuzz.h. */
#include "tests/lib/boot-fuzz.h"

#include <string.h>
#include <unistd.h>

#include "base/le.h"
#include "tests/lib/boot-image.h"

enum {
    MEMORY_SIZE = 64 << 20,
    RESERVED_AT = 32 << 20,
    RESERVED_LENGTH = 64,
};

static const KilnBootRange reserved = { RESERVED_AT, RESERVED_LENGTH, KILN_BOOT_ACPI };

/* The files do not change, so they are made once. */
static int
initrd(void)
{
    static int fd = -1;

    if (fd < 0)
        fd = image_fd("an initrd", 9);
    return fd;
}

static void
check_reserved(KilnMemory *memory)
{
    uint8_t bytes[RESERVED_LENGTH];

    g_assert(kiln_memory_read(memory, RESERVED_AT, bytes, sizeof bytes));
    for (guint i = 0; i < sizeof bytes; i++)
        g_assert(bytes[i] == 0xa5);
}

static void
load(int kernel, gboolean with_initrd)
{
    g_autoptr(KilnMemory) memory = kiln_memory_new_plain(MEMORY_SIZE);
    g_autoptr(GError) error = NULL;
    const KilnBootOptions options = {
        .kernel_fd = kernel,
        .kernel_name = "kernel",
        .initrd_fd = with_initrd ? initrd() : -1,
        .initrd_name = "initrd",
        .cmdline = "quiet",
        .reserved = &reserved,
        .n_reserved = 1,
        .memory_is_zero = TRUE,
    };
    KilnBootEntry entry;
    uint8_t mark[RESERVED_LENGTH];

    memset(mark, 0xa5, sizeof mark);
    g_assert(kiln_memory_write(memory, RESERVED_AT, mark, sizeof mark));
    if (kiln_boot_load(memory, &options, &entry, &error)) {
        g_assert(error == NULL);
        g_assert(kiln_memory_map(memory, entry.rip, 1) != NULL);
        g_assert(kiln_memory_map(memory, entry.gdt, entry.gdt_limit + 1) != NULL);
    } else {
        g_assert(error != NULL);
    }
    check_reserved(memory);
}

static void
put_magic(uint8_t *data, size_t size, BootFuzzKind kind)
{
    if (kind == BOOT_FUZZ_BZIMAGE && size >= 0x206) {
        kiln_le16_store(data + 0x1fe, 0xaa55);
        kiln_le32_store(data + 0x202, 0x53726448);
    }
    if (kind == BOOT_FUZZ_ELF && size >= 7)
        memcpy(data, "\177ELF\2\1\1", 7);
    if (kind == BOOT_FUZZ_MULTIBOOT && size >= IMAGE_MB_HEADER + 12) {
        kiln_le32_store(data + IMAGE_MB_HEADER, 0x1badb002);
        kiln_le32_store(data + IMAGE_MB_HEADER + 8,
                        -(0x1badb002 + kiln_le32_load(data + IMAGE_MB_HEADER + 4)));
    }
}

void
boot_fuzz(const uint8_t *data, size_t size, BootFuzzKind kind)
{
    g_autofree uint8_t *marked = g_malloc(size + 1);
    int plain = image_fd(data, size);
    int magic;

    memcpy(marked, data, size);
    put_magic(marked, size, kind);
    magic = image_fd(marked, size);
    load(plain, FALSE);
    load(magic, TRUE);
    close(plain);
    close(magic);
}
