/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A TPM between two strangers.  The first byte says which of them the other bytes are:
 *
 *   0       swtpm: what it sends on its control socket, and after the byte 0xff 0xff on its data
 *           socket; every request is made once
 *   1, 2    the guest: TIS, CRB: register accesses as 8 bytes each: operation and size, page,
 * offset, data (see device-registers-fuzz.c)
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/le.h"
#include "device/tpm-crb.h"
#include "device/tpm-tis.h"
#include "device/tpm-wire.h"
#include "tests/lib/fake-swtpm.h"
#include "tests/lib/kiln-board.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP_BYTES = 8, MAX_STEPS = 2048, MAX_SENT = 64 * 1024 };

/* Returns: a socket from which @data can be read, and then the end. */
static int
stranger(const uint8_t *data, size_t size, int *other)
{
    int pair[2];

    g_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    if (size > 0)
        g_assert(send(pair[1], data, MIN(size, (size_t)MAX_SENT), MSG_DONTWAIT) > 0);
    shutdown(pair[1], SHUT_WR);
    *other = pair[1];
    return pair[0];
}

static void
from_swtpm(const uint8_t *data, size_t size)
{
    static const uint8_t split[] = { 0xff, 0xff };
    const uint8_t *second = memmem(data, size, split, sizeof split);
    size_t first_size = second != NULL ? (size_t)(second - data) : size;
    size_t rest = second != NULL ? size - first_size - sizeof split : 0;
    uint8_t buffer[KILN_TPM_BUFFER] = { 0x80, 1, 0, 0, 0, 10 };
    KilnTpmWire wire = { .control = -1, .data = -1 };
    int theirs[2];
    gboolean established;
    uint8_t *blob = NULL;
    uint32_t length, flags;

    if (kiln_tpm_wire_open(&wire, stranger(data, first_size, &theirs[0]), NULL)) {
        kiln_fd_clear(&wire.data);
        wire.data = stranger(second != NULL ? second + sizeof split : NULL, rest, &theirs[1]);
        kiln_tpm_wire_init(&wire, 0, NULL);
        kiln_tpm_wire_established(&wire, &established, NULL);
        kiln_tpm_wire_set_locality(&wire, 3, NULL);
        if (kiln_tpm_wire_get_blob(&wire, 1, &blob, &length, &flags, NULL))
            kiln_tpm_wire_set_blob(&wire, 1, blob, length, flags, NULL);
        g_free(blob);
        for (unsigned i = 0; i < 4; i++) {
            length = kiln_tpm_wire_command(&wire, buffer, 10, sizeof buffer, -1, NULL);
            if (length > sizeof buffer)
                g_error("a response of %u bytes", length);
        }
        close(theirs[1]);
    }
    kiln_tpm_wire_close(&wire);
    close(theirs[0]);
}

static void
step(KilnBoard *board, KilnDevice *device, KilnTpmEmulator *emulator, const uint8_t *bytes)
{
    uint64_t address =
        KILN_TPM_BASE + (bytes[1] % 5) * 0x1000u + kiln_le16_load(bytes + 2) % 0x1000;
    uint64_t data = kiln_le32_load(bytes + 4) * UINT64_C(0x100000001);
    unsigned size = 1u << (bytes[0] >> 6);

    switch (bytes[0] & 0x3f) {
    case 0: kiln_device_reset(device); break;
    case 1: kiln_tpm_emulator_settle(emulator); break;
    case 2:
        if (!kiln_board_resave(device, device))
            g_error("the TPM does not save what it has loaded");
        break;
    default:
        if (bytes[0] & 1)
            kiln_space_write(board->memory, address, &data, size);
        else
            kiln_space_read(board->memory, address, &data, size);
        break;
    }
}

static void
from_guest(gboolean crb, const uint8_t *data, size_t size)
{
    KilnTpmEmulatorOptions options = { .id = "tpm0", .tpm2 = TRUE };
    KilnFakeSwtpm *fake = kiln_fake_swtpm_new(KILN_FAKE_SWTPM_GOOD, &options.control_fd);
    KilnTpmEmulator *emulator = kiln_tpm_emulator_open(&options, NULL);
    KilnBoard *board = kiln_board_new();
    KilnTpmTisOptions tis = { .memory = board->memory, .emulator = emulator };
    KilnTpmCrbOptions crb_options = { .memory = board->memory, .emulator = emulator };
    KilnDevice *device = crb ? kiln_tpm_crb_new(&crb_options, NULL) : kiln_tpm_tis_new(&tis, NULL);

    for (size_t i = 0; i + STEP_BYTES <= size && i < MAX_STEPS * STEP_BYTES; i += STEP_BYTES)
        step(board, device, emulator, data + i);
    kiln_device_free(device);
    kiln_tpm_emulator_free(emulator);
    kiln_fake_swtpm_free(fake);
    kiln_board_free(board);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 3 == 0)
        from_swtpm(data + 1, size - 1);
    else
        from_guest(data[0] % 3 == 2, data + 1, size - 1);
    return 0;
}
