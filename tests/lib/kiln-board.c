/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See kiln-board.h. */
#include "tests/lib/kiln-board.h"

#include <string.h>
#include <sys/eventfd.h>

/* Counts what has come by a wire, as the guest's interrupt controller would. */
static void
take_messages(KilnBoard *board, const KilnMsiWire *wire)
{
    gpointer data = GUINT_TO_POINTER(wire->message.data);
    eventfd_t count;

    if (eventfd_read(wire->fd, &count) == 0)
        g_hash_table_insert(
            board->messages, data,
            GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(board->messages, data)) +
                             (unsigned)count));
}

static void
msi_connect(void *opaque, KilnMsiWire *const *wires, unsigned n)
{
    KilnBoard *board = opaque;

    board->n_msi_calls++;
    for (unsigned i = 0; i < n && !board->msi_full; i++) {
        g_assert(wires[i]->route == -1 && kiln_board_message(board, wires[i]->fd) == NULL);
        wires[i]->route = wires[i]->fd;
        g_array_append_val(board->wires, *wires[i]);
    }
}

static void
msi_disconnect(void *opaque, KilnMsiWire *const *wires, unsigned n)
{
    KilnBoard *board = opaque;

    board->n_msi_calls++;
    for (unsigned i = 0; i < n; i++) {
        guint at = 0;

        while (g_array_index(board->wires, KilnMsiWire, at).fd != wires[i]->fd)
            g_assert(++at < board->wires->len);
        take_messages(board, &g_array_index(board->wires, KilnMsiWire, at));
        g_array_remove_index(board->wires, at);
    }
}

static const KilnMsiOps msi_ops = { .connect = msi_connect, .disconnect = msi_disconnect };

KilnBoard *
kiln_board_new(void)
{
    KilnBoard *board = g_new0(KilnBoard, 1);

    board->io = kiln_space_new("I/O port", 0x10000);
    board->memory = kiln_space_new("memory", 0);
    board->clock = kiln_clock_new_manual();
    board->wires = g_array_new(FALSE, FALSE, sizeof(KilnMsiWire));
    board->messages = g_hash_table_new(NULL, NULL);

    KilnPciHostOptions options = { .io = board->io,
                                   .memory = board->memory,
                                   .msi = { &msi_ops, board } };

    board->host = kiln_pci_host_new(&options, NULL);
    return board;
}

void
kiln_board_free(KilnBoard *board)
{
    if (board == NULL)
        return;
    kiln_pci_host_free(board->host);
    g_hash_table_unref(board->messages);
    g_array_unref(board->wires);
    kiln_clock_free(board->clock);
    kiln_space_free(board->memory);
    kiln_space_free(board->io);
    g_free(board);
}

KilnIrq
kiln_board_irq(KilnBoard *board, unsigned gsi)
{
    return (KilnIrq){ .set = kiln_board_gsi, .opaque = board, .n = gsi };
}

void
kiln_board_gsi(void *opaque, unsigned n, gboolean level)
{
    KilnBoard *board = opaque;

    g_assert(n < KILN_BOARD_N_GSIS);
    if (level && !board->gsi[n])
        board->rises[n]++;
    board->gsi[n] = level;
    board->n_gsi_calls++;
}

void
kiln_board_reset(void *opaque, KilnResetCause cause)
{
    KilnBoard *board = opaque;

    board->n_resets++;
    board->reset_cause = cause;
}

void
kiln_board_power_off(void *opaque)
{
    ((KilnBoard *)opaque)->n_power_offs++;
}

void
kiln_board_sleep(void *opaque)
{
    ((KilnBoard *)opaque)->n_sleeps++;
}

void
kiln_board_panic(void *opaque, unsigned events)
{
    ((KilnBoard *)opaque)->panics |= events;
}

void
kiln_board_rtc_changed(void *opaque, int64_t offset_seconds)
{
    KilnBoard *board = opaque;

    board->rtc_offset = offset_seconds;
    board->n_rtc_changes++;
}

const KilnMsiMessage *
kiln_board_message(KilnBoard *board, int fd)
{
    for (guint i = 0; i < board->wires->len; i++)
        if (g_array_index(board->wires, KilnMsiWire, i).fd == fd)
            return &g_array_index(board->wires, KilnMsiWire, i).message;
    return NULL;
}

unsigned
kiln_board_messages(KilnBoard *board, uint32_t data)
{
    unsigned count;

    for (guint i = 0; i < board->wires->len; i++)
        take_messages(board, &g_array_index(board->wires, KilnMsiWire, i));
    count = GPOINTER_TO_UINT(g_hash_table_lookup(board->messages, GUINT_TO_POINTER(data)));
    g_hash_table_remove(board->messages, GUINT_TO_POINTER(data));
    return count;
}

uint64_t
kiln_board_in(KilnBoard *board, uint16_t port, unsigned size)
{
    uint64_t value = 0;

    kiln_space_read(board->io, port, &value, size);
    return value;
}

void
kiln_board_out(KilnBoard *board, uint16_t port, uint64_t data, unsigned size)
{
    kiln_space_write(board->io, port, &data, size);
}

uint64_t
kiln_board_read(KilnBoard *board, uint64_t address, unsigned size)
{
    uint64_t value = 0;

    kiln_space_read(board->memory, address, &value, size);
    return value;
}

void
kiln_board_write(KilnBoard *board, uint64_t address, uint64_t data, unsigned size)
{
    kiln_space_write(board->memory, address, &data, size);
}

uint32_t
kiln_board_config(KilnBoard *board, unsigned slot, unsigned reg, unsigned size)
{
    return kiln_pci_host_config_read(board->host, slot << 15 | reg, size);
}

void
kiln_board_set_config(KilnBoard *board, unsigned slot, unsigned reg, uint32_t data, unsigned size)
{
    kiln_pci_host_config_write(board->host, slot << 15 | reg, data, size);
}

gboolean
kiln_board_resave(KilnDevice *from, KilnDevice *to)
{
    KilnStateEntry entry = kiln_device_state(from);
    g_autoptr(GByteArray) first = kiln_state_save(&entry, 1);
    g_autoptr(GError) error = NULL;

    entry = kiln_device_state(to);
    if (!kiln_state_load(first->data, first->len, &entry, 1, &error)) {
        g_printerr("%s\n", error->message);
        return FALSE;
    }

    g_autoptr(GByteArray) second = kiln_state_save(&entry, 1);

    return first->len == second->len && memcmp(first->data, second->data, first->len) == 0;
}
