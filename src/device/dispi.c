/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See dispi.h. */
#include "device/dispi.h"

#include <string.h>

enum {
    ID_FIRST = 0xb0c0,
    ID_LAST = 0xb0c5, /* the version that says how much memory there is */
    MAX_WIDTH = 8192, /* as much as a surface may have */
    MAX_HEIGHT = 8192,
    MAX_BPP = 32,
};

void
kiln_dispi_reset(KilnDispi *dispi)
{
    memset(dispi, 0, sizeof *dispi);
    dispi->registers[KILN_DISPI_ID] = ID_LAST;
}

gboolean
kiln_dispi_enabled(const KilnDispi *dispi)
{
    return (dispi->registers[KILN_DISPI_ENABLE] & KILN_DISPI_ENABLED) != 0;
}

uint16_t
kiln_dispi_read(const KilnDispi *dispi, uint32_t memory)
{
    gboolean most = (dispi->registers[KILN_DISPI_ENABLE] & KILN_DISPI_CAPABILITIES) != 0;

    switch (dispi->index) {
    case KILN_DISPI_WIDTH: return most ? MAX_WIDTH : dispi->registers[KILN_DISPI_WIDTH];
    case KILN_DISPI_HEIGHT: return most ? MAX_HEIGHT : dispi->registers[KILN_DISPI_HEIGHT];
    case KILN_DISPI_BPP: return most ? MAX_BPP : dispi->registers[KILN_DISPI_BPP];
    case KILN_DISPI_VIRTUAL_WIDTH:
        return MAX(dispi->registers[KILN_DISPI_VIRTUAL_WIDTH], dispi->registers[KILN_DISPI_WIDTH]);
    case KILN_DISPI_VIRTUAL_HEIGHT: {
        KilnDispiMode mode = kiln_dispi_mode(dispi, memory);

        return mode.stride == 0 ? 0 : (uint16_t)MIN(memory / mode.stride, UINT16_MAX);
    }
    case KILN_DISPI_MEMORY: return (uint16_t)MIN(memory / KILN_DISPI_BANK_BYTES, UINT16_MAX);
    default: return dispi->index < KILN_DISPI_N_REGISTERS ? dispi->registers[dispi->index] : 0;
    }
}

static gboolean
enable(KilnDispi *dispi, uint16_t value)
{
    gboolean on = (value & KILN_DISPI_ENABLED) && !kiln_dispi_enabled(dispi);

    dispi->registers[KILN_DISPI_ENABLE] = value;
    if (on) {
        dispi->registers[KILN_DISPI_VIRTUAL_WIDTH] = 0;
        dispi->registers[KILN_DISPI_X_OFFSET] = 0;
        dispi->registers[KILN_DISPI_Y_OFFSET] = 0;
    }
    if (!(value & KILN_DISPI_ENABLED))
        dispi->registers[KILN_DISPI_BANK] = 0;
    return on && !(value & KILN_DISPI_NO_CLEAR);
}

gboolean
kiln_dispi_write(KilnDispi *dispi, uint16_t value)
{
    switch (dispi->index) {
    case KILN_DISPI_ID:
        if (value >= ID_FIRST && value <= ID_LAST)
            dispi->registers[KILN_DISPI_ID] = value;
        return FALSE;
    case KILN_DISPI_ENABLE: return enable(dispi, value);
    case KILN_DISPI_MEMORY:
    case KILN_DISPI_VIRTUAL_HEIGHT: return FALSE;
    default:
        if (dispi->index < KILN_DISPI_N_REGISTERS)
            dispi->registers[dispi->index] = value;
        return FALSE;
    }
}

uint32_t
kiln_dispi_bank(const KilnDispi *dispi, uint32_t memory)
{
    return dispi->registers[KILN_DISPI_BANK] * (uint32_t)KILN_DISPI_BANK_BYTES & (memory - 1);
}

static guint
known_bpp(guint bpp)
{
    switch (bpp) {
    case 4:
    case 8:
    case 15:
    case 16:
    case 24:
    case 32: return bpp;
    default: return 8;
    }
}

KilnDispiMode
kiln_dispi_mode(const KilnDispi *dispi, uint32_t memory)
{
    const uint16_t *registers = dispi->registers;
    KilnDispiMode mode = { .bpp = known_bpp(registers[KILN_DISPI_BPP]) };
    guint width = MIN(registers[KILN_DISPI_WIDTH], MAX_WIDTH) & ~7u;
    guint pitch = MAX(registers[KILN_DISPI_VIRTUAL_WIDTH] & ~7u, width);
    /* Four planes with an eighth of a byte each are half a byte. */
    uint32_t bytes_of_8 = mode.bpp == 4 ? 4 : (mode.bpp + 7) / 8 * 8;
    uint64_t start;

    mode.stride = pitch / 8 * bytes_of_8;
    if (mode.stride == 0 || mode.stride > memory)
        return (KilnDispiMode){ .bpp = mode.bpp };
    start = (uint64_t)registers[KILN_DISPI_Y_OFFSET] * mode.stride +
            registers[KILN_DISPI_X_OFFSET] * (uint64_t)bytes_of_8 / 8;
    mode.start = start < memory ? (uint32_t)start & ~(mode.bpp == 4 ? 3u : 0u) : 0;
    mode.width = width;
    /* The last line needs no more than its own pixels. */
    if (memory - mode.start >= width / 8 * bytes_of_8)
        mode.height = (memory - mode.start - width / 8 * bytes_of_8) / mode.stride + 1;
    mode.height = MIN(mode.height, MIN(registers[KILN_DISPI_HEIGHT], MAX_HEIGHT));
    return mode;
}

uint32_t
kiln_dispi_clear_bytes(const KilnDispi *dispi, uint32_t memory)
{
    KilnDispiMode mode = kiln_dispi_mode(dispi, memory);

    return (uint32_t)MIN((uint64_t)mode.height * mode.stride, memory);
}

static const KilnStateField fields[] = {
    KILN_STATE(KilnDispi, index, 1),
    KILN_STATE_ARRAY(KilnDispi, registers, 1),
    KILN_STATE_END,
};

const KilnStateDescription kiln_dispi_state = {
    .name = "dispi", .version = 1, .min_version = 1, .fields = fields
};
