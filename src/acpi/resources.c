/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resource descriptors: each packed as its table in ACPI 6.5 §6.4 says. */
#include "acpi/resources.h"

#include "base/le.h"

/* ACPI 6.5 table 6.27 (small items, with their length in the low 3 bits) and table 6.36 (large). */
enum {
    SMALL_IRQ = 0x22,
    SMALL_IO = 0x47,
    LARGE_MEMORY32_FIXED = 0x86,
    LARGE_DWORD_SPACE = 0x87,
    LARGE_WORD_SPACE = 0x88,
    LARGE_INTERRUPT = 0x89,
    LARGE_QWORD_SPACE = 0x8a,
};

/* ACPI 6.5 §6.4.3.5: resource types and flags of address spaces. */
enum {
    SPACE_MEMORY = 0,
    SPACE_IO = 1,
    SPACE_BUS = 2,
    SPACE_CONSUMER = 1 << 0,
    SPACE_MIN_FIXED = 1 << 2,
    SPACE_MAX_FIXED = 1 << 3,
    SPACE_FIXED = SPACE_MIN_FIXED | SPACE_MAX_FIXED, /* decoded positively: bit 1 is 0 */
    MEMORY_READ_WRITE = 1 << 0,
    MEMORY_CACHEABLE = 1 << 1,
    IO_ENTIRE_RANGE = 3,
};

/* ACPI 6.5 §6.4.3.6, interrupt vector flags. */
enum {
    INTERRUPT_CONSUMER = 1 << 0,
    INTERRUPT_EDGE = 1 << 1,
    INTERRUPT_ACTIVE_LOW = 1 << 2,
    INTERRUPT_SHARED = 1 << 3,
};

static void
put(KilnAml *aml, const guint8 *data, gsize length)
{
    g_byte_array_append(aml->bytes, data, (guint)length);
}

void
kiln_aml_res_io(KilnAml *aml, uint16_t base, uint8_t length)
{
    guint8 item[8] = { SMALL_IO, 1 /* decodes 16 bits */ };

    g_assert(length > 0);
    kiln_le16_store(item + 2, base);
    kiln_le16_store(item + 4, base);
    item[6] = 1; /* alignment */
    item[7] = length;
    put(aml, item, sizeof item);
}

void
kiln_aml_res_irq(KilnAml *aml, guint irq)
{
    guint8 item[3] = { SMALL_IRQ };

    g_assert(irq < 16);
    kiln_le16_store(item + 1, (uint16_t)(1u << irq));
    put(aml, item, sizeof item);
}

void
kiln_aml_res_interrupt(KilnAml *aml, uint32_t gsi, gboolean level, gboolean active_low,
                       gboolean shared)
{
    guint8 item[9] = { LARGE_INTERRUPT, sizeof item - 3, 0 };

    item[3] = (guint8)(INTERRUPT_CONSUMER | (level ? 0 : INTERRUPT_EDGE) |
                       (active_low ? INTERRUPT_ACTIVE_LOW : 0) | (shared ? INTERRUPT_SHARED : 0));
    item[4] = 1; /* one interrupt */
    kiln_le32_store(item + 5, gsi);
    put(aml, item, sizeof item);
}

void
kiln_aml_res_memory32_fixed(KilnAml *aml, gboolean writable, uint32_t base, uint32_t length)
{
    guint8 item[12] = { LARGE_MEMORY32_FIXED, sizeof item - 3, 0, writable ? 1 : 0 };

    g_assert(length > 0);
    kiln_le32_store(item + 4, base);
    kiln_le32_store(item + 8, length);
    put(aml, item, sizeof item);
}

typedef struct {
    guint8 type;
    guint8 flags;
    guint8 specific;
    uint64_t first;
    uint64_t last;
} Window;

static void
word_space(KilnAml *aml, const Window *window)
{
    guint8 item[16] = { LARGE_WORD_SPACE, sizeof item - 3, 0,
                        window->type,     window->flags,   window->specific };

    kiln_le16_store(item + 8, (uint16_t)window->first);
    kiln_le16_store(item + 10, (uint16_t)window->last);
    kiln_le16_store(item + 14, (uint16_t)(window->last - window->first + 1));
    put(aml, item, sizeof item);
}

static void
dword_space(KilnAml *aml, const Window *window)
{
    guint8 item[26] = { LARGE_DWORD_SPACE, sizeof item - 3, 0,
                        window->type,      window->flags,   window->specific };

    kiln_le32_store(item + 10, (uint32_t)window->first);
    kiln_le32_store(item + 14, (uint32_t)window->last);
    kiln_le32_store(item + 22, (uint32_t)(window->last - window->first + 1));
    put(aml, item, sizeof item);
}

static void
qword_space(KilnAml *aml, const Window *window)
{
    guint8 item[46] = { LARGE_QWORD_SPACE, sizeof item - 3, 0,
                        window->type,      window->flags,   window->specific };

    kiln_le64_store(item + 14, window->first);
    kiln_le64_store(item + 22, window->last);
    kiln_le64_store(item + 38, window->last - window->first + 1);
    put(aml, item, sizeof item);
}

void
kiln_aml_res_bus_window(KilnAml *aml, uint16_t first, uint16_t last)
{
    const Window window = { .type = SPACE_BUS, .flags = SPACE_FIXED, .first = first, .last = last };

    word_space(aml, &window);
}

void
kiln_aml_res_io_window(KilnAml *aml, uint16_t base, uint32_t length)
{
    const Window window = { .type = SPACE_IO,
                            .flags = SPACE_FIXED,
                            .specific = IO_ENTIRE_RANGE,
                            .first = base,
                            .last = (uint64_t)base + length - 1 };

    g_assert(length > 0 && length < 0x10000 && window.last <= UINT16_MAX);
    word_space(aml, &window);
}

void
kiln_aml_res_memory_window(KilnAml *aml, uint64_t base, uint64_t length, gboolean cacheable)
{
    const Window window = { .type = SPACE_MEMORY,
                            .flags = SPACE_FIXED,
                            .specific =
                                (guint8)(MEMORY_READ_WRITE | (cacheable ? MEMORY_CACHEABLE : 0)),
                            .first = base,
                            .last = base + length - 1 };

    g_assert(length > 0 && window.last >= base);
    if (window.last <= UINT32_MAX)
        dword_space(aml, &window);
    else
        qword_space(aml, &window);
}

void
kiln_aml_res_memory_reserved(KilnAml *aml, uint64_t base, uint64_t length)
{
    const Window window = { .type = SPACE_MEMORY,
                            .flags = SPACE_FIXED | SPACE_CONSUMER,
                            .specific = MEMORY_READ_WRITE,
                            .first = base,
                            .last = base + length - 1 };

    g_assert(length > 0 && window.last >= base);
    qword_space(aml, &window);
}
