/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tiny kernels of every format, made as bytes, for tests and fuzz targets of the room boot. */
#ifndef KILN_TEST_BOOT_IMAGE_H
#define KILN_TEST_BOOT_IMAGE_H

#include "boot/boot.h"

/* Where the parts of these images are, in bytes of the file. */
enum {
    IMAGE_SETUP_HEADER = 0x1f1,
    IMAGE_BZ_PAYLOAD = 1024, /* behind the boot sector and one setup sector */
    IMAGE_BZ_PAYLOAD_SIZE = 1024,
    IMAGE_BZ_INIT_SIZE = 0x100000,
    IMAGE_BZ_PREF_ADDRESS = 0x1000000,
    IMAGE_BZ_CMDLINE_SIZE = 255,
    IMAGE_ELF_HEADERS = 64, /* three of 56 bytes: text, bss, notes */
    IMAGE_ELF_NOTE = 0x100, /* 20 bytes */
    IMAGE_ELF_TEXT = 0x200, /* 0x100 bytes for IMAGE_ELF_ADDRESS */
    IMAGE_ELF_ADDRESS = 0x200000,
    IMAGE_ELF_ENTRY = IMAGE_ELF_ADDRESS + 0x10,
    IMAGE_ELF_BSS = 0x300000,    /* 0x1000 bytes, of which 16 are in the file */
    IMAGE_MB_HEADER = 0x40,      /* in a file without ELF, and in an ELF file at its text */
    IMAGE_MB_ADDRESS = 0x100000, /* of the file's first byte */
    IMAGE_MB_ENTRY = IMAGE_MB_ADDRESS + 0x80,
};

/* Each returns (transfer full) an image that boots nothing but is right in every field. */
GByteArray *image_bzimage(void);      /* protocol 2.15, 64-bit, relocatable */
GByteArray *image_elf(gboolean note); /* ELF64, with or without the PVH note */
GByteArray *image_multiboot(void);    /* by addresses in its header */
GByteArray *image_multiboot_elf(void);

/* Writes @value of @size bytes at @offset. */
void image_set(GByteArray *image, gsize offset, guint size, uint64_t value);

/* A memfd that holds @length bytes. */
int image_fd(const void *data, gsize length);

#endif
