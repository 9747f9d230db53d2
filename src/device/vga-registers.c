/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See vga-registers.h. */
#include "device/vga-registers.h"

#include <string.h>

enum {
    /* 0x3b4, 0x3b5 and 0x3ba are these with 0x20 less, if MISC_COLOUR is clear. */
    CRTC_INDEX = 0x3d4,
    CRTC_DATA = 0x3d5,
    STATUS1 = 0x3da, /* written: feature control */
    COLOUR_MINUS_MONO = 0x20,

    ATTRIBUTE = 0x3c0,
    ATTRIBUTE_READ = 0x3c1,
    MISC_WRITE = 0x3c2, /* read: input status 0 */
    ENABLE = 0x3c3,
    SEQUENCER_INDEX = 0x3c4,
    SEQUENCER_DATA = 0x3c5,
    DAC_MASK = 0x3c6,
    DAC_READ = 0x3c7, /* read: state */
    DAC_WRITE = 0x3c8,
    DAC_DATA = 0x3c9,
    FEATURE_READ = 0x3ca,
    MISC_READ = 0x3cc,
    GRAPHICS_INDEX = 0x3ce,
    GRAPHICS_DATA = 0x3cf,

    MISC_COLOUR = 1 << 0,
    STATUS0_SENSE = 1 << 4, /* a monitor is there */
    STATUS1_BLANK = 1 << 0,
    STATUS1_RETRACE = 1 << 3,
    DAC_STATE_READ = 3,
    OVERFLOW_LINE_COMPARE = 1 << 4, /* not locked with the other bits of its register */
    N_ATTRIBUTES = 0x15,
    ATTRIBUTE_INDEX_BITS = 0x3f,
};

/* Which bits of each register there are. */
static const uint8_t sequencer_bits[8] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0, 0, 0xff };
static const uint8_t graphics_bits[16] = { 0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff };
static const uint8_t attribute_bits[N_ATTRIBUTES] = {
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0xef, 0xff, 0x3f, 0x0f, 0x0f,
};

void
kiln_vga_registers_reset(KilnVgaRegisters *vga)
{
    memset(vga, 0, sizeof *vga);
    vga->misc = MISC_COLOUR;
    vga->dac_mask = 0xff;
}

/* ---- the DAC -----------------------------------------------------------------------------------
 */

static uint8_t
dac_read(KilnVgaRegisters *vga)
{
    uint8_t value = vga->palette[vga->dac_read * 3 + vga->dac_step];

    if (++vga->dac_step == 3) {
        vga->dac_step = 0;
        vga->dac_read++;
    }
    return value;
}

/* A colour changes as one, when its blue comes. */
static void
dac_write(KilnVgaRegisters *vga, uint8_t value)
{
    uint8_t *colour = vga->palette + vga->dac_write * 3;

    if (vga->dac_step < 2) {
        vga->dac_new[vga->dac_step++] = value;
        return;
    }
    colour[0] = vga->dac_new[0];
    colour[1] = vga->dac_new[1];
    colour[2] = value;
    vga->dac_step = 0;
    vga->dac_write++;
}

/* ---- ports -------------------------------------------------------------------------------------
 */

/* The port as if the colour addresses were selected; 0: it is not decoded. */
static unsigned
decode(const KilnVgaRegisters *vga, unsigned port)
{
    gboolean mono_port = port < ATTRIBUTE;
    gboolean either = port >= ATTRIBUTE && port < ATTRIBUTE + 0x10;

    if (either)
        return port;
    if (mono_port == !!(vga->misc & MISC_COLOUR))
        return 0;
    return mono_port ? port + COLOUR_MINUS_MONO : port;
}

/* There is no beam: who waits for it to be anywhere finds it there soon. */
static uint8_t
status1(KilnVgaRegisters *vga)
{
    vga->status1 ^= STATUS1_BLANK | STATUS1_RETRACE;
    vga->attribute_data = 0;
    return vga->status1;
}

uint8_t
kiln_vga_registers_read(KilnVgaRegisters *vga, unsigned port)
{
    switch (decode(vga, port)) {
    case ATTRIBUTE: return vga->attribute_data ? 0 : vga->attribute_index;
    case ATTRIBUTE_READ: return vga->attribute[vga->attribute_index & 0x1f];
    case MISC_WRITE: return STATUS0_SENSE;
    case ENABLE: return 1;
    case SEQUENCER_INDEX: return vga->sequencer_index;
    case SEQUENCER_DATA: return vga->sequencer[vga->sequencer_index];
    case DAC_MASK: return vga->dac_mask;
    case DAC_READ: return vga->dac_state;
    case DAC_WRITE: return vga->dac_write;
    case DAC_DATA: return dac_read(vga);
    case FEATURE_READ: return vga->feature;
    case MISC_READ: return vga->misc;
    case GRAPHICS_INDEX: return vga->graphics_index;
    case GRAPHICS_DATA: return vga->graphics[vga->graphics_index];
    case CRTC_INDEX: return vga->crtc_index;
    case CRTC_DATA: return vga->crtc[vga->crtc_index];
    case STATUS1: return status1(vga);
    default: return 0xff;
    }
}

static void
write_attribute(KilnVgaRegisters *vga, uint8_t value)
{
    unsigned index = vga->attribute_index & 0x1f;

    if (!vga->attribute_data)
        vga->attribute_index = value & ATTRIBUTE_INDEX_BITS;
    else if (index < N_ATTRIBUTES)
        vga->attribute[index] = value & attribute_bits[index];
    vga->attribute_data ^= 1;
}

static void
write_crtc(KilnVgaRegisters *vga, uint8_t value)
{
    uint8_t *overflow = &vga->crtc[KILN_VGA_OVERFLOW];

    if (vga->crtc_index > KILN_VGA_OVERFLOW ||
        !(vga->crtc[KILN_VGA_RETRACE_END] & KILN_VGA_RETRACE_LOCK))
        vga->crtc[vga->crtc_index] = value;
    else if (vga->crtc_index == KILN_VGA_OVERFLOW)
        *overflow =
            (uint8_t)((*overflow & ~OVERFLOW_LINE_COMPARE) | (value & OVERFLOW_LINE_COMPARE));
}

static void
start_dac(KilnVgaRegisters *vga, uint8_t *index, uint8_t value, uint8_t state)
{
    *index = value;
    vga->dac_step = 0;
    vga->dac_state = state;
}

void
kiln_vga_registers_write(KilnVgaRegisters *vga, unsigned port, uint8_t value)
{
    switch (decode(vga, port)) {
    case ATTRIBUTE: write_attribute(vga, value); break;
    case MISC_WRITE: vga->misc = value & 0xef; break;
    case SEQUENCER_INDEX: vga->sequencer_index = value & 0x07; break;
    case SEQUENCER_DATA:
        vga->sequencer[vga->sequencer_index] = value & sequencer_bits[vga->sequencer_index];
        break;
    case DAC_MASK: vga->dac_mask = value; break;
    case DAC_READ: start_dac(vga, &vga->dac_read, value, DAC_STATE_READ); break;
    case DAC_WRITE: start_dac(vga, &vga->dac_write, value, 0); break;
    case DAC_DATA: dac_write(vga, value); break;
    case GRAPHICS_INDEX: vga->graphics_index = value & 0x0f; break;
    case GRAPHICS_DATA:
        vga->graphics[vga->graphics_index] = value & graphics_bits[vga->graphics_index];
        break;
    case CRTC_INDEX: vga->crtc_index = value & 0x1f; break;
    case CRTC_DATA: write_crtc(vga, value); break;
    case STATUS1: vga->feature = value & 0x10; break;
    default: break;
    }
}

/* ---- saved state -------------------------------------------------------------------------------
 */

static const KilnStateField fields[] = {
    KILN_STATE(KilnVgaRegisters, misc, 1),
    KILN_STATE(KilnVgaRegisters, feature, 1),
    KILN_STATE(KilnVgaRegisters, status1, 1),
    KILN_STATE_RANGE(KilnVgaRegisters, sequencer_index, 1, 0, 7),
    KILN_STATE_BYTES(KilnVgaRegisters, sequencer, 1),
    KILN_STATE_RANGE(KilnVgaRegisters, graphics_index, 1, 0, 15),
    KILN_STATE_BYTES(KilnVgaRegisters, graphics, 1),
    KILN_STATE_RANGE(KilnVgaRegisters, crtc_index, 1, 0, 31),
    KILN_STATE_BYTES(KilnVgaRegisters, crtc, 1),
    KILN_STATE_RANGE(KilnVgaRegisters, attribute_index, 1, 0, ATTRIBUTE_INDEX_BITS),
    KILN_STATE_BYTES(KilnVgaRegisters, attribute, 1),
    KILN_STATE_RANGE(KilnVgaRegisters, attribute_data, 1, 0, 1),
    KILN_STATE(KilnVgaRegisters, dac_mask, 1),
    KILN_STATE(KilnVgaRegisters, dac_read, 1),
    KILN_STATE(KilnVgaRegisters, dac_write, 1),
    KILN_STATE_RANGE(KilnVgaRegisters, dac_step, 1, 0, 2),
    KILN_STATE_RANGE(KilnVgaRegisters, dac_state, 1, 0, DAC_STATE_READ),
    KILN_STATE_BYTES(KilnVgaRegisters, dac_new, 1),
    KILN_STATE_BYTES(KilnVgaRegisters, palette, 1),
    KILN_STATE(KilnVgaRegisters, latch, 1),
    KILN_STATE_END,
};

/* A stream has no bits that a guest could not have written: others shift and index by them. */
static gboolean
post_load(void *object, GError **error)
{
    KilnVgaRegisters *vga = object;

    (void)error;
    for (gsize i = 0; i < G_N_ELEMENTS(vga->sequencer); i++)
        vga->sequencer[i] &= sequencer_bits[i];
    for (gsize i = 0; i < G_N_ELEMENTS(vga->graphics); i++)
        vga->graphics[i] &= graphics_bits[i];
    for (gsize i = 0; i < G_N_ELEMENTS(vga->attribute); i++)
        vga->attribute[i] &= i < N_ATTRIBUTES ? attribute_bits[i] : 0;
    return TRUE;
}

const KilnStateDescription kiln_vga_registers_state = { .name = "vga-registers",
                                                        .version = 1,
                                                        .min_version = 1,
                                                        .fields = fields,
                                                        .post_load = post_load };
