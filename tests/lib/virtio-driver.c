/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See virtio-driver.h.  The rings are in virtio-driver-ring.c. */
#include "tests/lib/virtio-driver.h"

#include <linux/virtio_pci.h>
#include <string.h>

#include "base/intmath.h"
#include "base/le.h"
#include "loop/call.h"
#include "tests/lib/virtio-driver-private.h"

enum {
    FIRST_SLOT = 4,
    MAX_DRIVERS = 4, /* on one board: each has its part of guest RAM */
    FIRST_GPA = 1 << 20,
    IDLE_US = 50,
};

/* -- finding the function ---------------------------------------------------------------------- */

static uint32_t
config(const KilnDriver *driver, unsigned offset, unsigned size)
{
    return kiln_board_config(driver->board, driver->slot, offset, size);
}

static void
set_config(const KilnDriver *driver, unsigned offset, uint32_t value, unsigned size)
{
    kiln_board_set_config(driver->board, driver->slot, offset, value, size);
}

/* Sizes a BAR as PCI Local Bus 3.0 §6.2.5.1 says, and places it. */
static void
place_bar(KilnDriver *driver, unsigned bar)
{
    unsigned at = PCI_BASE_ADDRESS_0 + 4 * bar;
    uint32_t low = config(driver, at, 4);
    gboolean wide = (low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;
    uint64_t mask;

    set_config(driver, at, UINT32_MAX, 4);
    mask = config(driver, at, 4) & ~UINT32_C(0xf);
    if (wide) {
        set_config(driver, at + 4, UINT32_MAX, 4);
        mask |= (uint64_t)config(driver, at + 4, 4) << 32;
    } else {
        mask |= (uint64_t)UINT32_MAX << 32;
    }
    if ((uint32_t)mask == 0)
        return;
    /* Far apart, so that any size fits and is aligned. */
    driver->bars[bar] = wide
                            ? UINT64_C(1) << 40 | (uint64_t)driver->slot << 44 | (uint64_t)bar << 36
                            : UINT64_C(0xc0000000) + driver->slot * 0x1000000 + bar * 0x100000;
    g_assert((driver->bars[bar] & ~mask) == 0);
    set_config(driver, at, (uint32_t)driver->bars[bar], 4);
    if (wide)
        set_config(driver, at + 4, (uint32_t)(driver->bars[bar] >> 32), 4);
}

static void
take_shared(KilnDriver *driver, unsigned at)
{
    DriverShared *shared = &driver->shared[driver->n_shared++];
    uint64_t offset =
        config(driver, at + VIRTIO_PCI_CAP_OFFSET, 4) | (uint64_t)config(driver, at + 16, 4) << 32;

    g_assert(driver->n_shared <= G_N_ELEMENTS(driver->shared));
    shared->id = (uint8_t)config(driver, at + VIRTIO_PCI_CAP_BAR + 1, 1);
    shared->gpa = driver->bars[config(driver, at + VIRTIO_PCI_CAP_BAR, 1)] + offset;
    shared->length =
        config(driver, at + VIRTIO_PCI_CAP_LENGTH, 4) | (uint64_t)config(driver, at + 20, 4) << 32;
}

static void
take_structure(KilnDriver *driver, unsigned at)
{
    uint8_t type = (uint8_t)config(driver, at + VIRTIO_PCI_CAP_CFG_TYPE, 1);
    uint8_t bar = (uint8_t)config(driver, at + VIRTIO_PCI_CAP_BAR, 1);

    if (type == VIRTIO_PCI_CAP_SHARED_MEMORY_CFG)
        take_shared(driver, at);
    if (type >= G_N_ELEMENTS(driver->structures) || type == VIRTIO_PCI_CAP_PCI_CFG)
        return;
    g_assert(bar < KILN_PCI_N_BARS && driver->bars[bar] != 0);
    driver->structures[type] = driver->bars[bar] + config(driver, at + VIRTIO_PCI_CAP_OFFSET, 4);
    if (type == VIRTIO_PCI_CAP_NOTIFY_CFG)
        driver->notify_multiplier = config(driver, at + VIRTIO_PCI_NOTIFY_CAP_MULT, 4);
}

static void
find_structures(KilnDriver *driver)
{
    unsigned at = config(driver, PCI_CAPABILITY_LIST, 1);

    for (unsigned i = 0; at != 0 && i < 48; i++) {
        uint8_t id = (uint8_t)config(driver, at, 1);

        if (id == PCI_CAP_ID_VNDR)
            take_structure(driver, at);
        if (id == PCI_CAP_ID_MSIX)
            driver->msix = at;
        at = config(driver, at + PCI_CAP_LIST_NEXT, 1);
    }
    g_assert(driver->structures[VIRTIO_PCI_CAP_COMMON_CFG] != 0);
    g_assert(driver->structures[VIRTIO_PCI_CAP_NOTIFY_CFG] != 0);
    g_assert(driver->structures[VIRTIO_PCI_CAP_ISR_CFG] != 0);
}

static uint32_t
message_data(const KilnDriver *driver, unsigned vector)
{
    return driver->slot << 12 | (vector + 1);
}

/* A message of its own for each vector, all unmasked. */
static void
set_up_msix(KilnDriver *driver)
{
    unsigned n = (config(driver, driver->msix + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_QSIZE) + 1;
    uint32_t table = config(driver, driver->msix + PCI_MSIX_TABLE, 4);
    uint64_t at = driver->bars[table & PCI_MSIX_TABLE_BIR] + (table & PCI_MSIX_TABLE_OFFSET);

    for (unsigned i = 0; i < n; i++, at += PCI_MSIX_ENTRY_SIZE) {
        kiln_board_write(driver->board, at + PCI_MSIX_ENTRY_LOWER_ADDR, 0xfee00000, 4);
        kiln_board_write(driver->board, at + PCI_MSIX_ENTRY_UPPER_ADDR, 0, 4);
        kiln_board_write(driver->board, at + PCI_MSIX_ENTRY_DATA, message_data(driver, i), 4);
        kiln_board_write(driver->board, at + PCI_MSIX_ENTRY_VECTOR_CTRL, 0, 4);
    }
    driver->n_vectors = n;
    set_config(driver, driver->msix + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
}

void
kiln_driver_use_intx(KilnDriver *driver)
{
    driver->intx = TRUE;
    set_config(driver, driver->msix + PCI_MSIX_FLAGS, 0, 2);
}

static void
add_function(KilnDriver *driver, KilnVirtioDevice *virtio)
{
    g_autoptr(GError) error = NULL;
    KilnPciBus *bus = kiln_pci_host_root(driver->board->host);

    driver->virtio = virtio;
    driver->pci = kiln_virtio_pci_new(virtio, &driver->options, &error);
    if (driver->pci == NULL ||
        !kiln_pci_bus_add(bus, driver->pci, KILN_PCI_DEVFN(driver->slot, 0), &error))
        g_error("%s", error->message);
}

static void
remove_function(KilnDriver *driver)
{
    kiln_virtio_device_quiesce(driver->virtio);
    kiln_pci_bus_remove(driver->pci);
    kiln_pci_host_synchronize(driver->board->host);
    kiln_device_free(&driver->pci->device);
}

KilnDriver *
kiln_driver_new_full(KilnBoard *board, KilnMemory *memory, KilnVirtioDevice *virtio,
                     const KilnVirtioPciOptions *options)
{
    KilnDriver *driver = g_new0(KilnDriver, 1);
    KilnPciBus *bus = kiln_pci_host_root(board->host);
    uint64_t share = (kiln_memory_size(memory) - FIRST_GPA) / MAX_DRIVERS;
    unsigned nth = 0;

    while (kiln_pci_bus_at(bus, KILN_PCI_DEVFN(FIRST_SLOT + nth, 0)) != NULL)
        nth++;
    g_assert(nth < MAX_DRIVERS);
    driver->board = board;
    driver->memory = memory;
    driver->slot = FIRST_SLOT + nth;
    driver->indirect = TRUE;
    driver->next_gpa = kiln_align_up(FIRST_GPA + nth * share, 4096);
    driver->end_gpa = FIRST_GPA + (nth + 1) * share;
    if (options != NULL)
        driver->options = *options;
    add_function(driver, virtio);
    for (unsigned i = 0; i < KILN_PCI_N_BARS; i++)
        if (driver->pci->bars[i].kind != KILN_PCI_BAR_NONE)
            place_bar(driver, i);
    set_config(driver, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
    find_structures(driver);
    set_up_msix(driver);
    driver->n_queues = (unsigned)kiln_driver_common(driver, VIRTIO_PCI_COMMON_NUMQ, 2);
    driver->queues = g_new0(DriverQueue, driver->n_queues);
    return driver;
}

KilnDriver *
kiln_driver_new(KilnBoard *board, KilnMemory *memory, KilnVirtioDevice *virtio)
{
    return kiln_driver_new_full(board, memory, virtio, NULL);
}

void
kiln_driver_free(KilnDriver *driver)
{
    if (driver == NULL)
        return;
    remove_function(driver);
    for (unsigned i = 0; i < driver->n_queues; i++)
        kiln_driver_queue_clear(&driver->queues[i]);
    g_free(driver->queues);
    g_free(driver);
}

KilnPciDevice *
kiln_driver_pci(KilnDriver *driver)
{
    return driver->pci;
}

KilnVirtioDevice *
kiln_driver_virtio(KilnDriver *driver)
{
    return driver->virtio;
}

unsigned
kiln_driver_n_queues(KilnDriver *driver)
{
    return driver->n_queues;
}

/* -- registers --------------------------------------------------------------------------------- */

uint64_t
kiln_driver_common(KilnDriver *driver, unsigned offset, unsigned size)
{
    return kiln_board_read(driver->board, driver->structures[VIRTIO_PCI_CAP_COMMON_CFG] + offset,
                           size);
}

void
kiln_driver_set_common(KilnDriver *driver, unsigned offset, uint64_t value, unsigned size)
{
    kiln_board_write(driver->board, driver->structures[VIRTIO_PCI_CAP_COMMON_CFG] + offset, value,
                     size);
}

uint64_t
kiln_driver_config(KilnDriver *driver, unsigned offset, unsigned size)
{
    uint64_t at = driver->structures[VIRTIO_PCI_CAP_DEVICE_CFG] + offset;

    if (size == 8)
        return kiln_board_read(driver->board, at, 4) | kiln_board_read(driver->board, at + 4, 4)
                                                           << 32;
    return kiln_board_read(driver->board, at, size);
}

void
kiln_driver_set_config(KilnDriver *driver, unsigned offset, uint64_t value, unsigned size)
{
    uint64_t at = driver->structures[VIRTIO_PCI_CAP_DEVICE_CFG] + offset;

    kiln_board_write(driver->board, at, value, MIN(size, 4));
    if (size == 8)
        kiln_board_write(driver->board, at + 4, value >> 32, 4);
}

uint8_t
kiln_driver_config_generation(KilnDriver *driver)
{
    return (uint8_t)kiln_driver_common(driver, VIRTIO_PCI_COMMON_CFGGENERATION, 1);
}

KilnGpa
kiln_driver_shared_memory(KilnDriver *driver, uint8_t id, uint64_t *length)
{
    for (unsigned i = 0; i < driver->n_shared; i++) {
        if (driver->shared[i].id != id)
            continue;
        *length = driver->shared[i].length;
        return driver->shared[i].gpa;
    }
    return 0;
}

/* -- running ----------------------------------------------------------------------------------- */

static gboolean
run_context(GMainContext *context)
{
    gboolean ran;

    if (!g_main_context_acquire(context))
        return FALSE;
    ran = g_main_context_iteration(context, FALSE);
    g_main_context_release(context);
    return ran;
}

/* Returns: whether anything was done here. */
static gboolean
run_once(KilnDriver *driver)
{
    GMainContext *context = driver->virtio->context;
    gboolean ran = run_context(g_main_context_default());

    if (context != NULL)
        ran |= run_context(context);
    return ran;
}

void
kiln_driver_run_until(KilnDriver *driver, gboolean (*condition)(gpointer data), gpointer data)
{
    gint64 deadline = g_get_monotonic_time() + KILN_DRIVER_PATIENCE_S * G_USEC_PER_SEC;

    while (!condition(data)) {
        if (run_once(driver))
            continue;
        if (g_get_monotonic_time() > deadline)
            g_error("the device '%s' does not do what the test waits for", driver->virtio->id);
        g_usleep(IDLE_US);
    }
}

static void
nothing(gpointer data)
{
}

void
kiln_driver_settle(KilnDriver *driver)
{
    GMainContext *context = driver->virtio->context;

    while (run_once(driver))
        continue;
    if (context == NULL)
        return;
    if (g_main_context_acquire(context)) {
        g_main_context_release(context);
        return;
    }
    for (unsigned i = 0; i < 3; i++) /* what a step posts, and what that does */
        kiln_call_wait(context, nothing, NULL);
}

/* -- status and set-up ------------------------------------------------------------------------- */

uint8_t
kiln_driver_status(KilnDriver *driver)
{
    return (uint8_t)kiln_driver_common(driver, VIRTIO_PCI_COMMON_STATUS, 1);
}

void
kiln_driver_set_status(KilnDriver *driver, uint8_t bits)
{
    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_STATUS, kiln_driver_status(driver) | bits, 1);
}

gboolean
kiln_driver_broken(KilnDriver *driver)
{
    kiln_driver_settle(driver);
    return (kiln_driver_status(driver) & VIRTIO_CONFIG_S_NEEDS_RESET) != 0;
}

static gboolean
is_reset(gpointer data)
{
    return kiln_driver_status(data) == 0;
}

void
kiln_driver_reset(KilnDriver *driver)
{
    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_STATUS, 0, 1);
    kiln_driver_run_until(driver, is_reset, driver);
}

uint64_t
kiln_driver_offered(KilnDriver *driver)
{
    uint64_t features = 0;

    for (unsigned i = 0; i < 2; i++) {
        kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_DFSELECT, i, 4);
        features |= kiln_driver_common(driver, VIRTIO_PCI_COMMON_DF, 4) << (32 * i);
    }
    return features;
}

uint64_t
kiln_driver_features(KilnDriver *driver)
{
    return driver->features;
}

gboolean
kiln_driver_negotiate(KilnDriver *driver, uint64_t accept)
{
    driver->features = kiln_driver_offered(driver) & accept;
    for (unsigned i = 0; i < 2; i++) {
        kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_GFSELECT, i, 4);
        kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_GF,
                               (uint32_t)(driver->features >> (32 * i)), 4);
    }
    kiln_driver_set_status(driver, VIRTIO_CONFIG_S_FEATURES_OK);
    return (kiln_driver_status(driver) & VIRTIO_CONFIG_S_FEATURES_OK) != 0;
}

void
kiln_driver_set_queue_size(KilnDriver *driver, unsigned queue, uint16_t size)
{
    driver->queues[queue].wanted_size = size;
}

static void
set_address(KilnDriver *driver, unsigned offset, KilnGpa gpa)
{
    kiln_driver_set_common(driver, offset, (uint32_t)gpa, 4);
    kiln_driver_set_common(driver, offset + 4, gpa >> 32, 4);
}

void
kiln_driver_setup_queue(KilnDriver *driver, unsigned index)
{
    DriverQueue *queue = &driver->queues[index];
    uint16_t size, vector = (uint16_t)MIN(index + 1, driver->n_vectors - 1);

    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_Q_SELECT, index, 2);
    size = (uint16_t)kiln_driver_common(driver, VIRTIO_PCI_COMMON_Q_SIZE, 2);
    if (queue->wanted_size != 0)
        size = queue->wanted_size;
    kiln_driver_queue_init(driver, index, size);
    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_Q_SIZE, size, 2);
    if (!driver->intx)
        kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_Q_MSIX, vector, 2);
    set_address(driver, VIRTIO_PCI_COMMON_Q_DESCLO, queue->ring.desc.gpa);
    set_address(driver, VIRTIO_PCI_COMMON_Q_AVAILLO, queue->ring.driver.gpa);
    set_address(driver, VIRTIO_PCI_COMMON_Q_USEDLO, queue->ring.device.gpa);
    queue->doorbell =
        driver->structures[VIRTIO_PCI_CAP_NOTIFY_CFG] +
        driver->notify_multiplier * kiln_driver_common(driver, VIRTIO_PCI_COMMON_Q_NOFF, 2);
    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
}

void
kiln_driver_start(KilnDriver *driver, uint64_t accept)
{
    kiln_driver_reset(driver);
    kiln_driver_set_status(driver, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    kiln_driver_set_status(driver, VIRTIO_CONFIG_S_DRIVER);
    if (!kiln_driver_negotiate(driver, accept))
        g_error("the device '%s' does not take the features %#" PRIx64, driver->virtio->id,
                driver->features);
    if (!driver->intx)
        kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_MSIX, 0, 2);
    for (unsigned i = 0; i < driver->n_queues; i++)
        kiln_driver_setup_queue(driver, i);
    kiln_driver_set_status(driver, VIRTIO_CONFIG_S_DRIVER_OK);
    kiln_driver_settle(driver);
    driver->buffers_gpa = driver->next_gpa;
}

typedef struct {
    KilnDriver *driver;
    unsigned queue;
} QueueReset;

static gboolean
is_queue_reset(gpointer data)
{
    QueueReset *reset = data;

    kiln_driver_set_common(reset->driver, VIRTIO_PCI_COMMON_Q_SELECT, reset->queue, 2);
    return kiln_driver_common(reset->driver, VIRTIO_PCI_COMMON_Q_RESET, 2) == 0;
}

void
kiln_driver_reset_queue(KilnDriver *driver, unsigned queue)
{
    QueueReset reset = { driver, queue };

    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_Q_SELECT, queue, 2);
    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_Q_RESET, 1, 2);
    kiln_driver_run_until(driver, is_queue_reset, &reset);
}

/* -- interrupts -------------------------------------------------------------------------------- */

static void
read_isr(KilnDriver *driver)
{
    uint64_t isr = kiln_board_read(driver->board, driver->structures[VIRTIO_PCI_CAP_ISR_CFG], 1);

    driver->isr_queue += isr & 1;
    driver->isr_config += isr >> 1 & 1;
}

unsigned
kiln_driver_interrupts(KilnDriver *driver, unsigned queue)
{
    unsigned n;

    if (!driver->intx)
        return kiln_board_messages(driver->board,
                                   message_data(driver, MIN(queue + 1, driver->n_vectors - 1)));
    read_isr(driver);
    n = driver->isr_queue;
    driver->isr_queue = 0;
    return n;
}

unsigned
kiln_driver_config_interrupts(KilnDriver *driver)
{
    unsigned n;

    if (!driver->intx)
        return kiln_board_messages(driver->board, message_data(driver, 0));
    read_isr(driver);
    n = driver->isr_config;
    driver->isr_config = 0;
    return n;
}

/* -- memory ------------------------------------------------------------------------------------ */

KilnDriverBuffer
kiln_driver_alloc(KilnDriver *driver, uint32_t length)
{
    KilnGpa gpa = kiln_align_up(driver->next_gpa, length >= 4096 ? 4096 : 64);
    KilnDriverBuffer buffer = { .gpa = gpa, .length = length };

    g_assert(length > 0);
    if (gpa + length > driver->end_gpa)
        g_error("the test needs more guest memory than %" PRIu64 " MiB",
                kiln_memory_size(driver->memory) >> 20);
    driver->next_gpa = gpa + length;
    buffer.host = kiln_memory_map(driver->memory, gpa, length);
    memset(buffer.host, 0, length);
    return buffer;
}

KilnDriverBuffer
kiln_driver_alloc_data(KilnDriver *driver, const void *data, uint32_t length)
{
    KilnDriverBuffer buffer = kiln_driver_alloc(driver, length);

    memcpy(buffer.host, data, length);
    return buffer;
}

void
kiln_driver_free_buffers(KilnDriver *driver)
{
    driver->next_gpa = driver->buffers_gpa;
    for (unsigned i = 0; i < driver->n_queues; i++)
        kiln_driver_queue_forget_tables(&driver->queues[i]);
}

/* -- another device in its place --------------------------------------------------------------- */

void
kiln_driver_migrate(KilnDriver *driver, KilnVirtioDevice *virtio)
{
    g_autoptr(GByteArray) first = NULL;
    g_autoptr(GByteArray) second = NULL;
    g_autoptr(GError) error = NULL;
    KilnStateEntry entry;

    kiln_virtio_device_quiesce(driver->virtio);
    entry = kiln_device_state(&driver->pci->device);
    first = kiln_state_save(&entry, 1);
    remove_function(driver);
    add_function(driver, virtio);
    kiln_virtio_device_quiesce(virtio);
    entry = kiln_device_state(&driver->pci->device);
    kiln_mutex_lock(&driver->pci->device.lock);
    if (!kiln_state_load(first->data, first->len, &entry, 1, &error))
        g_error("%s", error->message);
    second = kiln_state_save(&entry, 1);
    kiln_mutex_unlock(&driver->pci->device.lock);
    if (first->len != second->len || memcmp(first->data, second->data, first->len) != 0)
        g_error("the device '%s' saves something else than it loaded", virtio->id);
    kiln_virtio_device_resume(virtio);
    kiln_driver_settle(driver);
}
