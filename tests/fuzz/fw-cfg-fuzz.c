/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fw_cfg under any sequence of port accesses and DMA commands, resets, saving and loading.  The
 * input is a list of 16-byte steps: byte 0 says what to do, and the rest is a DMA command's or the
 * data of the access.
 */
#include "device/fw-cfg.h"

#include "base/le.h"
#include "tests/lib/kiln-board.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP_BYTES = 16, MAX_STEPS = 1024, RAM_BYTES = 64 << 10, COMMAND = 0x1000, MADE = 6000 };

static GBytes *
make(void *opaque)
{
    const unsigned *length = opaque;

    return *length == 0 ? NULL : g_bytes_new_take(g_malloc0(*length), *length);
}

static KilnFwCfg *
make_device(KilnBoard *board, KilnMemory *ram, unsigned *length)
{
    KilnFwCfgOptions options = { .io = board->io, .memory = ram };
    KilnFwCfg *fw_cfg = kiln_fw_cfg_new(&options, NULL);

    kiln_fw_cfg_add_16(fw_cfg, KILN_FW_CFG_NB_CPUS, 1);
    kiln_fw_cfg_add_made(fw_cfg, KILN_FW_CFG_KERNEL_DATA, MADE, make, length);
    kiln_fw_cfg_add_file(fw_cfg, "etc/a", g_bytes_new_static("abc", 3), NULL);
    kiln_fw_cfg_add_made_file(fw_cfg, "etc/b", MADE, make, length, NULL);
    return fw_cfg;
}

static void
resave(KilnDevice *device)
{
    KilnStateEntry entry = kiln_device_state(device);
    g_autoptr(GByteArray) saved = kiln_state_save(&entry, 1);

    kiln_device_reset(device);
    if (!kiln_state_load(saved->data, saved->len, &entry, 1, NULL))
        g_error("fw-cfg does not load what it has saved");
}

static void
dma(KilnBoard *board, KilnMemory *ram, const uint8_t *bytes)
{
    uint8_t command[16] = { 0 };

    memcpy(command, bytes + 1, 2); /* key */
    command[3] = bytes[3];         /* what to do */
    memcpy(command + 4, bytes + 4, 12);
    kiln_memory_write(ram, COMMAND, command, sizeof command);
    kiln_board_out(board, KILN_FW_CFG_DMA_PORT + 4, GUINT32_SWAP_LE_BE(COMMAND), 4);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KilnBoard *board = kiln_board_new();
    KilnMemory *ram = kiln_memory_new_plain(RAM_BYTES);
    unsigned length = size > 0 ? data[0] * 40u : 0; /* also 0, and more than MADE */
    KilnFwCfg *fw_cfg = make_device(board, ram, &length);
    KilnDevice *device = kiln_fw_cfg_device(fw_cfg);

    for (size_t i = 0; i + STEP_BYTES <= size && i < MAX_STEPS * STEP_BYTES; i += STEP_BYTES) {
        const uint8_t *bytes = data + i;
        uint64_t value = kiln_le64_load(bytes + 8);
        unsigned width = 1u << (bytes[2] & 3);
        uint16_t port = (uint16_t)(KILN_FW_CFG_PORT + bytes[1] % 16);

        switch (bytes[0] % 8) {
        case 0: kiln_device_reset(device); break;
        case 1: resave(device); break;
        case 2: kiln_space_write(board->io, port, &value, width); break;
        case 3: kiln_space_read(board->io, port, &value, width); break;
        default: dma(board, ram, bytes); break;
        }
    }
    kiln_device_free(device);
    kiln_memory_free(ram);
    kiln_board_free(board);
    return 0;
}
