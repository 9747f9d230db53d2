/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The PCI transport: virtio 1.2 §4.1. */
#include <linux/virtio_pci.h>
#include <string.h>

#include "tests/lib/kiln-test.h"
#include "tests/lib/virtio-driver-private.h"
#include "tests/virtio/echo.h"
#include "virtio/pci-private.h"

typedef struct {
    uint64_t address;
    int fd;
} Bell;

typedef struct {
    KilnBoard *board;
    KilnMemory *memory;
    Echo *echo;
    KilnDriver *driver;
    Bell bells[16];
    unsigned n_bells, n_bell_calls;
    uint64_t window; /* where shared memory is, 0: nowhere */
    uint8_t shared[0x4000];
} Bench;

static gboolean
add_bell(void *opaque, uint64_t address, int fd)
{
    Bench *bench = opaque;

    bench->n_bell_calls++;
    bench->bells[bench->n_bells++] = (Bell){ address, fd };
    return TRUE;
}

static void
remove_bell(void *opaque, uint64_t address, int fd)
{
    Bench *bench = opaque;
    unsigned i = 0;

    bench->n_bell_calls++;
    while (bench->bells[i].address != address || bench->bells[i].fd != fd)
        ck_assert_uint_lt(++i, bench->n_bells);
    bench->bells[i] = bench->bells[--bench->n_bells];
}

static const KilnDoorbellOps bell_ops = { .add = add_bell, .remove = remove_bell };

static gboolean
add_window(void *opaque, uint64_t address, uint64_t length, void *host)
{
    Bench *bench = opaque;

    ck_assert_uint_eq(bench->window, 0);
    ck_assert_uint_eq(length, sizeof bench->shared);
    ck_assert_ptr_eq(host, bench->shared);
    bench->window = address;
    return TRUE;
}

static void
remove_window(void *opaque, uint64_t address, uint64_t length)
{
    Bench *bench = opaque;

    ck_assert_uint_eq(bench->window, address);
    bench->window = 0;
}

static const KilnVirtioWindowOps window_ops = { .add = add_window, .remove = remove_window };

static void
bench_init(Bench *bench, const KilnVirtioPciOptions *options)
{
    KilnVirtioOptions virtio = { .packed = TRUE };

    bench->board = kiln_board_new();
    bench->memory = kiln_memory_new_plain(16 << 20);
    virtio.memory = bench->memory;
    bench->echo = echo_new(&virtio);
    kiln_virtio_device_add_shared_memory(
        &bench->echo->virtio, &(KilnVirtioSharedMemory){
                                  .id = 7, .length = sizeof bench->shared, .host = bench->shared });
    bench->driver =
        kiln_driver_new_full(bench->board, bench->memory, &bench->echo->virtio, options);
}

static void
bench_clear(Bench *bench)
{
    kiln_driver_free(bench->driver);
    ck_assert_uint_eq(bench->n_bells, 0);
    ck_assert_uint_eq(bench->window, 0);
    kiln_memory_free(bench->memory);
    kiln_board_free(bench->board);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Bench, bench_clear)

static uint32_t
config(Bench *bench, unsigned offset, unsigned size)
{
    return kiln_board_config(bench->board, bench->driver->slot, offset, size);
}

static void
set_config(Bench *bench, unsigned offset, uint32_t value, unsigned size)
{
    kiln_board_set_config(bench->board, bench->driver->slot, offset, value, size);
}

/* Where the @nth capability of @type is: a vendor one if @type is one of virtio's. */
static unsigned
find(Bench *bench, uint8_t id, int type)
{
    unsigned at = config(bench, PCI_CAPABILITY_LIST, 1);

    for (; at != 0; at = config(bench, at + PCI_CAP_LIST_NEXT, 1))
        if (config(bench, at, 1) == id &&
            (type < 0 || config(bench, at + VIRTIO_PCI_CAP_CFG_TYPE, 1) == (uint32_t)type))
            return at;
    return 0;
}

START_TEST(spec_4_1_2_identity)
{
    g_auto(Bench) bench = { 0 };

    bench_init(&bench, &(KilnVirtioPciOptions){ .express = _i });
    ck_assert_uint_eq(config(&bench, PCI_VENDOR_ID, 2), 0x1af4);
    ck_assert_uint_eq(config(&bench, PCI_DEVICE_ID, 2), 0x1040 + ECHO_ID);
    ck_assert_uint_eq(config(&bench, PCI_REVISION_ID, 1), 1);
    ck_assert_uint_eq(config(&bench, PCI_CLASS_REVISION, 4) >> 8, 0x00ff00);
    ck_assert_uint_eq(config(&bench, PCI_SUBSYSTEM_VENDOR_ID, 4), 0x11001af4);
    ck_assert_uint_eq(config(&bench, PCI_INTERRUPT_PIN, 1), 1);
    ck_assert_uint_ne(find(&bench, PCI_CAP_ID_PM, -1), 0);
    ck_assert_uint_ne(find(&bench, PCI_CAP_ID_MSIX, -1), 0);
    ck_assert_uint_eq(config(&bench, find(&bench, PCI_CAP_ID_EXP, -1) + PCI_EXP_FLAGS, 2) >> 4,
                      _i ? PCI_EXP_TYPE_ENDPOINT : PCI_EXP_TYPE_RC_END);
}
END_TEST

START_TEST(spec_4_1_4_structures)
{
    static const struct {
        uint8_t type, length;
    } wanted[] = {
        { VIRTIO_PCI_CAP_COMMON_CFG, 16 }, { VIRTIO_PCI_CAP_NOTIFY_CFG, 20 },
        { VIRTIO_PCI_CAP_ISR_CFG, 16 },    { VIRTIO_PCI_CAP_DEVICE_CFG, 16 },
        { VIRTIO_PCI_CAP_PCI_CFG, 20 },    { VIRTIO_PCI_CAP_SHARED_MEMORY_CFG, 24 },
    };
    g_auto(Bench) bench = { 0 };

    bench_init(&bench, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++) {
        unsigned at = find(&bench, PCI_CAP_ID_VNDR, wanted[i].type);

        ck_assert_uint_ne(at, 0);
        ck_assert_uint_eq(at % 4, 0);
        ck_assert_uint_eq(config(&bench, at + VIRTIO_PCI_CAP_LEN, 1), wanted[i].length);
    }
    /* The end of each lies within its BAR. */
    for (unsigned i = 0; i + 2 < G_N_ELEMENTS(wanted); i++) {
        unsigned at = find(&bench, PCI_CAP_ID_VNDR, wanted[i].type);
        unsigned bar = config(&bench, at + VIRTIO_PCI_CAP_BAR, 1);

        ck_assert_uint_le(config(&bench, at + VIRTIO_PCI_CAP_OFFSET, 4) +
                              config(&bench, at + VIRTIO_PCI_CAP_LENGTH, 4),
                          bench.driver->pci->bars[bar].region.length);
    }
}
END_TEST

START_TEST(spec_4_1_4_3_common_registers)
{
    g_auto(Bench) bench = { 0 };
    KilnDriver *driver;

    bench_init(&bench, NULL);
    driver = bench.driver;
    ck_assert_uint_eq(kiln_driver_common(driver, VIRTIO_PCI_COMMON_NUMQ, 2), 2);
    ck_assert_uint_eq(kiln_driver_common(driver, VIRTIO_PCI_COMMON_MSIX, 2), 0xffff);
    ck_assert_uint_eq(kiln_driver_common(driver, VIRTIO_PCI_COMMON_Q_SIZE, 2), 256);
    ck_assert_uint_eq(kiln_driver_common(driver, VIRTIO_PCI_COMMON_Q_MSIX, 2), 0xffff);
    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_Q_SELECT, 1, 2);
    ck_assert_uint_eq(kiln_driver_common(driver, VIRTIO_PCI_COMMON_Q_NOFF, 2), 1);
    ck_assert_uint_eq(kiln_driver_common(driver, VIRTIO_PCI_COMMON_Q_NDATA, 2), 1);
    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_Q_DESCLO, 0x12345670, 4);
    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_Q_DESCHI, 0x9a, 4);
    ck_assert_uint_eq(kiln_driver_common(driver, VIRTIO_PCI_COMMON_Q_DESCLO, 4), 0x12345670);
    ck_assert_uint_eq(kiln_driver_common(driver, VIRTIO_PCI_COMMON_Q_DESCHI, 4), 0x9a);
    /* A queue that is not there: size 0, nothing sticks. */
    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_Q_SELECT, 2, 2);
    ck_assert_uint_eq(kiln_driver_common(driver, VIRTIO_PCI_COMMON_Q_SIZE, 2), 0);
    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_Q_RESET, 1, 2);
    ck_assert_uint_eq(kiln_driver_common(driver, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
    /* Feature words beyond the second are empty. */
    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_DFSELECT, 2, 4);
    ck_assert_uint_eq(kiln_driver_common(driver, VIRTIO_PCI_COMMON_DF, 4), 0);
    /* Fields are accessed with their own width. */
    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_Q_SELECT, 0, 1);
    ck_assert_uint_eq(kiln_driver_common(driver, VIRTIO_PCI_COMMON_Q_SELECT, 2), 2);
    /* 4.1.5.1.2: a vector that is not there reads back as none. */
    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_MSIX, 3, 2);
    ck_assert_uint_eq(kiln_driver_common(driver, VIRTIO_PCI_COMMON_MSIX, 2), 0xffff);
    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_MSIX, 2, 2);
    ck_assert_uint_eq(kiln_driver_common(driver, VIRTIO_PCI_COMMON_MSIX, 2), 2);
    kiln_driver_reset(driver);
    ck_assert_uint_eq(kiln_driver_common(driver, VIRTIO_PCI_COMMON_MSIX, 2), 0xffff);
    kiln_driver_set_common(driver, VIRTIO_PCI_COMMON_Q_SELECT, 1, 2);
    ck_assert_uint_eq(kiln_driver_common(driver, VIRTIO_PCI_COMMON_Q_DESCLO, 4), 0);
}
END_TEST

static void
request(Bench *bench, unsigned queue)
{
    KilnDriverBuffer out = kiln_driver_alloc_data(bench->driver, "xyz", 3);
    KilnDriverBuffer in = kiln_driver_alloc(bench->driver, 3);

    ck_assert_uint_eq(kiln_driver_request(bench->driver, queue, &out, 1, &in, 1), 3);
    ck_assert_mem_eq(in.host, "xyz", 3);
}

START_TEST(spec_4_1_4_5_isr_and_pin)
{
    g_auto(Bench) bench = { 0 };
    uint64_t isr;

    bench_init(&bench, NULL);
    kiln_driver_use_intx(bench.driver);
    kiln_driver_start(bench.driver, KILN_DRIVER_SPLIT);
    isr = bench.driver->structures[VIRTIO_PCI_CAP_ISR_CFG];
    ck_assert_int_eq(kiln_virtio_device_call_fd(&bench.echo->virtio, 0), -1);
    request(&bench, 1);
    ck_assert(config(&bench, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
    ck_assert_uint_eq(kiln_board_read(bench.board, isr, 1), 1);
    ck_assert(!(config(&bench, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT));
    ck_assert_uint_eq(kiln_board_read(bench.board, isr, 1), 0);
    kiln_virtio_device_config_changed(&bench.echo->virtio);
    kiln_virtio_device_interrupt(&bench.echo->virtio, 0);
    ck_assert_uint_eq(kiln_board_read(bench.board, isr, 1), 3);
    /* The pin does not stay up when the driver goes over to MSI-X, or resets. */
    kiln_virtio_device_config_changed(&bench.echo->virtio);
    set_config(&bench, bench.driver->msix + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
    ck_assert(!(config(&bench, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT));
    set_config(&bench, bench.driver->msix + PCI_MSIX_FLAGS, 0, 2);
    kiln_virtio_device_config_changed(&bench.echo->virtio);
    kiln_driver_reset(bench.driver);
    ck_assert(!(config(&bench, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT));
}
END_TEST

START_TEST(spec_4_1_5_1_2_vectors)
{
    g_auto(Bench) bench = { 0 };

    /* Two vectors for two queues and the configuration: the last is shared. */
    bench_init(&bench, &(KilnVirtioPciOptions){ .n_vectors = 2 });
    kiln_driver_start(bench.driver, KILN_DRIVER_SPLIT);
    request(&bench, 0);
    request(&bench, 1);
    ck_assert_uint_eq(kiln_driver_interrupts(bench.driver, 0), 2);
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
    kiln_driver_set_common(bench.driver, VIRTIO_PCI_COMMON_Q_MSIX, KILN_MSIX_NO_VECTOR, 2);
    request(&bench, 0);
    ck_assert_uint_eq(kiln_driver_interrupts(bench.driver, 0), 0);
    ck_assert_uint_eq(
        kiln_board_read(bench.board, bench.driver->structures[VIRTIO_PCI_CAP_ISR_CFG], 1), 0);
}
END_TEST

/* Through configuration space alone, with no BAR decoded: as firmware does it. */
START_TEST(spec_4_1_4_9_configuration_access)
{
    g_auto(Bench) bench = { 0 };
    unsigned at;

    bench_init(&bench, NULL);
    set_config(&bench, PCI_COMMAND, 0, 2);
    at = find(&bench, PCI_CAP_ID_VNDR, VIRTIO_PCI_CAP_PCI_CFG);
    set_config(&bench, at + VIRTIO_PCI_CAP_BAR, 4, 1);
    set_config(&bench, at + VIRTIO_PCI_CAP_OFFSET, VIRTIO_PCI_COMMON_NUMQ, 4);
    set_config(&bench, at + VIRTIO_PCI_CAP_LENGTH, 2, 4);
    ck_assert_uint_eq(config(&bench, at + 16, 2), 2);
    set_config(&bench, at + VIRTIO_PCI_CAP_OFFSET, VIRTIO_PCI_COMMON_STATUS, 4);
    set_config(&bench, at + VIRTIO_PCI_CAP_LENGTH, 1, 4);
    set_config(&bench, at + 16, VIRTIO_CONFIG_S_ACKNOWLEDGE, 1);
    ck_assert_uint_eq(kiln_virtio_device_status(&bench.echo->virtio), VIRTIO_CONFIG_S_ACKNOWLEDGE);
    ck_assert_uint_eq(config(&bench, at + 16, 1), VIRTIO_CONFIG_S_ACKNOWLEDGE);
    /* What leads nowhere does nothing. */
    for (unsigned bar = 0; bar < 256; bar++) {
        set_config(&bench, at + VIRTIO_PCI_CAP_BAR, bar, 1);
        for (unsigned length = 0; length < 9; length++) {
            set_config(&bench, at + VIRTIO_PCI_CAP_LENGTH, length, 4);
            set_config(&bench, at + VIRTIO_PCI_CAP_OFFSET, 0xfffffffc, 4);
            set_config(&bench, at + 16, UINT32_MAX, 4);
            (void)config(&bench, at + 16, 4);
            set_config(&bench, at + VIRTIO_PCI_CAP_OFFSET, 1, 4);
            (void)config(&bench, at + 16, 4);
        }
    }
}
END_TEST

/* -- doorbells --------------------------------------------------------------------------------- */

START_TEST(doorbells_follow_driver_and_bar)
{
    g_auto(Bench) bench = { 0 };
    KilnVirtioPciOptions options = { .doorbells = { &bell_ops, &bench }, .page_per_vq = _i };
    uint64_t notify, multiplier = _i ? 4096 : 4;

    bench_init(&bench, &options);
    ck_assert_uint_eq(bench.n_bell_calls, 0); /* a BAR that moves before is nobody's business */
    kiln_driver_start(bench.driver, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(bench.n_bells, 2);
    notify = bench.driver->structures[VIRTIO_PCI_CAP_NOTIFY_CFG];
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_uint_eq(bench.bells[i].address, notify + i * multiplier);
        ck_assert_int_eq(bench.bells[i].fd, kiln_virtio_device_kick_fd(&bench.echo->virtio, i));
    }
    set_config(&bench, PCI_COMMAND, 0, 2);
    ck_assert_uint_eq(bench.n_bells, 0);
    set_config(&bench, PCI_BASE_ADDRESS_0 + 16 + 4, 0x7000, 4);
    set_config(&bench, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
    ck_assert_uint_eq(bench.n_bells, 2);
    ck_assert_uint_eq(bench.bells[0].address >> 32, 0x7000);
    set_config(&bench, PCI_BASE_ADDRESS_0 + 16 + 4, (uint32_t)(notify >> 32), 4);
    ck_assert_uint_eq(bench.bells[0].address, notify);
    request(&bench, 0); /* without KVM a kick is a register write */
    kiln_driver_reset(bench.driver);
    ck_assert_uint_eq(bench.n_bells, 0);
    kiln_driver_start(bench.driver, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(bench.n_bells, 2);
}
END_TEST

/* -- shared memory ----------------------------------------------------------------------------- */

START_TEST(spec_2_10_shared_memory)
{
    g_auto(Bench) bench = { 0 };
    KilnVirtioPciOptions options = { .window = &window_ops, .window_opaque = &bench };
    uint64_t length, gpa;

    bench_init(&bench, &options);
    ck_assert_uint_eq(kiln_driver_shared_memory(bench.driver, 1, &length), 0);
    gpa = kiln_driver_shared_memory(bench.driver, 7, &length);
    ck_assert_uint_eq(length, sizeof bench.shared);
    ck_assert_uint_eq(bench.window, gpa);
    /* Where the machine cannot map it, accesses come here. */
    bench.shared[8] = 0x55;
    ck_assert_uint_eq(kiln_board_read(bench.board, gpa + 8, 1), 0x55);
    kiln_board_write(bench.board, gpa + 16, UINT64_C(0x1122334455667788), 8);
    ck_assert_uint_eq(bench.shared[16], 0x88);
    ck_assert_uint_eq(bench.shared[23], 0x11);
    set_config(&bench, PCI_COMMAND, 0, 2);
    ck_assert_uint_eq(bench.window, 0);
}
END_TEST

/* -- reset of the function --------------------------------------------------------------------- */

START_TEST(machine_reset)
{
    g_auto(Bench) bench = { 0 };
    KilnVirtioPciOptions options = { .doorbells = { &bell_ops, &bench } };

    bench_init(&bench, &options);
    kiln_driver_start(bench.driver, KILN_DRIVER_SPLIT);
    request(&bench, 0);
    kiln_virtio_device_quiesce(&bench.echo->virtio);
    kiln_device_reset(&kiln_driver_pci(bench.driver)->device);
    kiln_virtio_device_resume(&bench.echo->virtio);
    ck_assert_uint_eq(bench.n_bells, 0);
    ck_assert_uint_eq(kiln_virtio_device_status(&bench.echo->virtio), 0);
    ck_assert_uint_eq(config(&bench, PCI_COMMAND, 2), 0);
    ck_assert_uint_eq(config(&bench, bench.driver->msix + PCI_MSIX_FLAGS, 2), 2);
}
END_TEST

static Suite *
pci_suite(void)
{
    Suite *suite = suite_create("virtio-pci");
    TCase *tcase = kiln_test_case(suite, "function");

    tcase_add_loop_test(tcase, spec_4_1_2_identity, 0, 2);
    tcase_add_test(tcase, spec_4_1_4_structures);
    tcase_add_test(tcase, spec_4_1_4_3_common_registers);
    tcase_add_test(tcase, spec_4_1_4_5_isr_and_pin);
    tcase_add_test(tcase, spec_4_1_5_1_2_vectors);
    tcase_add_test(tcase, spec_4_1_4_9_configuration_access);
    tcase_add_loop_test(tcase, doorbells_follow_driver_and_bar, 0, 2);
    tcase_add_test(tcase, spec_2_10_shared_memory);
    tcase_add_test(tcase, machine_reset);
    return suite;
}

KILN_TEST_MAIN(pci_suite)
