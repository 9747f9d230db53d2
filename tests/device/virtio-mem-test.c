/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that is plugged block by block, and memory that is a file, driven as a guest does. */
#include "device/virtio-mem.h"

#include <fcntl.h>
#include <linux/virtio_mem.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/le.h"
#include "device/virtio-pmem.h"
#include "tests/lib/kiln-test.h"
#include "tests/lib/virtio-driver.h"

#define GPA   UINT64_C(0x240000000)
#define BLOCK KILN_VIRTIO_MEM_BLOCK_SIZE

enum { N_BLOCKS = 20, PLUGGED = 40, REQUESTED = 48, USABLE = 32 };

typedef struct {
    KilnBoard *board;
    KilnMemory *memory;
    KilnDriver *driver;
    KilnVirtioDevice *device;
    uint8_t *host;
    uint64_t plugged; /* as told */
} Mem;

static void
changed(void *opaque, uint64_t bytes)
{
    ((Mem *)opaque)->plugged = bytes;
}

static KilnVirtioDevice *
new_device(Mem *mem)
{
    KilnVirtioMemOptions options = { .virtio = { .id = "mem0", .memory = mem->memory },
                                     .gpa = GPA,
                                     .host = mem->host,
                                     .fd = -1,
                                     .size = N_BLOCKS * BLOCK,
                                     .requested = 4 * BLOCK,
                                     .node = 1,
                                     .changed = changed,
                                     .opaque = mem };
    g_autoptr(GError) error = NULL;
    KilnVirtioDevice *device = kiln_virtio_mem_new(&options, &error);

    kiln_assert_no_error(error);
    return device;
}

static void
mem_open(Mem *mem)
{
    *mem = (Mem){ .board = kiln_board_new(), .memory = kiln_memory_new_plain(8 << 20) };
    mem->host = mmap(NULL, N_BLOCKS * BLOCK, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ck_assert_ptr_ne(mem->host, MAP_FAILED);
    mem->device = new_device(mem);
    mem->driver = kiln_driver_new(mem->board, mem->memory, mem->device);
    kiln_driver_start(mem->driver, KILN_DRIVER_SPLIT);
}

static void
mem_close(Mem *mem)
{
    kiln_driver_free(mem->driver);
    kiln_memory_free(mem->memory);
    kiln_board_free(mem->board);
    munmap(mem->host, N_BLOCKS * BLOCK);
}

/* Returns: the response's type, and its state in the upper half. */
static uint32_t
request(Mem *mem, uint16_t type, uint64_t address, uint16_t n)
{
    KilnDriverBuffer out = kiln_driver_alloc(mem->driver, 24);
    KilnDriverBuffer in = kiln_driver_alloc(mem->driver, 10);

    kiln_le16_store(out.host, type);
    kiln_le64_store(out.host + 8, address);
    kiln_le16_store(out.host + 16, n);
    ck_assert_uint_eq(kiln_driver_request(mem->driver, 0, &out, 1, &in, 1), 10);
    return kiln_le16_load(in.host) | (uint32_t)kiln_le16_load(in.host + 8) << 16;
}

static gboolean
resident(const Mem *mem, uint64_t offset)
{
    unsigned char page = 0;

    ck_assert_int_eq(mincore(mem->host + offset, 4096, &page), 0);
    return page & 1;
}

START_TEST(plug_and_unplug)
{
    Mem mem;

    mem_open(&mem);
    ck_assert_uint_eq(kiln_driver_config(mem.driver, 0, 8), BLOCK);
    ck_assert_uint_eq(kiln_driver_config(mem.driver, 8, 2), 1);
    ck_assert_uint_eq(kiln_driver_config(mem.driver, 16, 8), GPA);
    ck_assert_uint_eq(kiln_driver_config(mem.driver, USABLE, 8), N_BLOCKS * BLOCK);
    ck_assert_uint_eq(kiln_driver_config(mem.driver, REQUESTED, 8), 4 * BLOCK);
    ck_assert_uint_eq(request(&mem, VIRTIO_MEM_REQ_PLUG, GPA + BLOCK, 3), VIRTIO_MEM_RESP_ACK);
    ck_assert_uint_eq(kiln_driver_config(mem.driver, PLUGGED, 8), 3 * BLOCK);
    ck_assert_uint_eq(mem.plugged, 3 * BLOCK);
    ck_assert_uint_eq(kiln_virtio_mem_plugged(mem.device), 3 * BLOCK);
    ck_assert(!kiln_virtio_mem_is_plugged(mem.device, 0));
    ck_assert(kiln_virtio_mem_is_plugged(mem.device, BLOCK));
    /* No more than was requested, and nothing twice. */
    ck_assert_uint_eq(request(&mem, VIRTIO_MEM_REQ_PLUG, GPA + 8 * BLOCK, 2), VIRTIO_MEM_RESP_NACK);
    ck_assert_uint_eq(request(&mem, VIRTIO_MEM_REQ_PLUG, GPA + BLOCK, 1), VIRTIO_MEM_RESP_ERROR);

    ck_assert_uint_eq(request(&mem, VIRTIO_MEM_REQ_STATE, GPA, 1),
                      VIRTIO_MEM_STATE_UNPLUGGED << 16 | VIRTIO_MEM_RESP_ACK);
    ck_assert_uint_eq(request(&mem, VIRTIO_MEM_REQ_STATE, GPA, 2),
                      VIRTIO_MEM_STATE_MIXED << 16 | VIRTIO_MEM_RESP_ACK);
    ck_assert_uint_eq(request(&mem, VIRTIO_MEM_REQ_STATE, GPA + BLOCK, 3),
                      VIRTIO_MEM_STATE_PLUGGED << 16 | VIRTIO_MEM_RESP_ACK);

    memset(mem.host, 0x5a, 5 * BLOCK);
    ck_assert_uint_eq(request(&mem, VIRTIO_MEM_REQ_UNPLUG, GPA, 2), VIRTIO_MEM_RESP_ERROR);
    ck_assert_uint_eq(request(&mem, VIRTIO_MEM_REQ_UNPLUG, GPA + 2 * BLOCK, 1),
                      VIRTIO_MEM_RESP_ACK);
    ck_assert(resident(&mem, BLOCK) && resident(&mem, 3 * BLOCK));
    ck_assert(!resident(&mem, 2 * BLOCK) && !resident(&mem, 3 * BLOCK - 4096));
    ck_assert_uint_eq(mem.plugged, 2 * BLOCK);
    ck_assert_uint_eq(request(&mem, VIRTIO_MEM_REQ_UNPLUG_ALL, 0, 0), VIRTIO_MEM_RESP_ACK);
    ck_assert(!resident(&mem, BLOCK));
    ck_assert_uint_eq(mem.plugged, 0);
    mem_close(&mem);
}
END_TEST

START_TEST(requests_that_are_wrong)
{
    static const struct {
        uint64_t address;
        uint16_t n;
    } wrong[] = {
        { GPA, 0 },
        { GPA + 4096, 1 },
        { GPA - BLOCK, 1 },
        { GPA + N_BLOCKS * BLOCK, 1 },
        { GPA + (N_BLOCKS - 1) * BLOCK, 2 },
        { GPA, UINT16_MAX },
        { 0, 1 },
        { UINT64_MAX & ~(BLOCK - 1), UINT16_MAX },
    };
    Mem mem;

    mem_open(&mem);
    for (uint16_t type = 0; type < 6; type++)
        for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++)
            if (type != VIRTIO_MEM_REQ_UNPLUG_ALL)
                ck_assert_uint_eq(request(&mem, type, wrong[i].address, wrong[i].n),
                                  VIRTIO_MEM_RESP_ERROR);
    ck_assert_uint_eq(request(&mem, 99, GPA, 1), VIRTIO_MEM_RESP_ERROR);
    ck_assert(!kiln_driver_broken(mem.driver));

    KilnDriverBuffer small = kiln_driver_alloc(mem.driver, 8);

    kiln_driver_add(mem.driver, 0, &small, 1, &small, 1);
    kiln_driver_kick(mem.driver, 0);
    ck_assert(kiln_driver_broken(mem.driver));
    mem_close(&mem);
}
END_TEST

START_TEST(requested_changes_while_the_guest_runs)
{
    Mem mem;
    g_autoptr(GError) error = NULL;

    mem_open(&mem);
    kiln_driver_config_interrupts(mem.driver);
    ck_assert(kiln_virtio_mem_set_requested(mem.device, 10 * BLOCK, NULL));
    ck_assert_uint_eq(kiln_driver_config_interrupts(mem.driver), 1);
    ck_assert_uint_eq(kiln_driver_config(mem.driver, REQUESTED, 8), 10 * BLOCK);
    ck_assert_uint_eq(request(&mem, VIRTIO_MEM_REQ_PLUG, GPA, 10), VIRTIO_MEM_RESP_ACK);
    ck_assert(kiln_virtio_mem_set_requested(mem.device, 0, NULL));
    ck_assert_uint_eq(request(&mem, VIRTIO_MEM_REQ_PLUG, GPA + 10 * BLOCK, 1),
                      VIRTIO_MEM_RESP_NACK);
    ck_assert(!kiln_virtio_mem_set_requested(mem.device, (N_BLOCKS + 1) * BLOCK, &error));
    kiln_assert_error_has(error, "mem0: a requested size");
    ck_assert(!kiln_virtio_mem_set_requested(mem.device, BLOCK / 2, NULL));

    /* A driver that begins anew, and another host, find what was plugged. */
    kiln_driver_reset(mem.driver);
    kiln_driver_start(mem.driver, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(kiln_driver_config(mem.driver, PLUGGED, 8), 10 * BLOCK);
    mem.device = new_device(&mem);
    kiln_driver_migrate(mem.driver, mem.device);
    ck_assert_uint_eq(kiln_virtio_mem_plugged(mem.device), 10 * BLOCK);
    ck_assert_uint_eq(request(&mem, VIRTIO_MEM_REQ_STATE, GPA + 9 * BLOCK, 1),
                      VIRTIO_MEM_STATE_PLUGGED << 16 | VIRTIO_MEM_RESP_ACK);
    kiln_virtio_mem_system_reset(mem.device);
    ck_assert_uint_eq(kiln_driver_config(mem.driver, PLUGGED, 8), 0);
    mem_close(&mem);
}
END_TEST

/* ---- Persistent memory ---- */

typedef struct {
    KilnBoard *board;
    KilnMemory *memory;
    KilnDriver *driver;
} Pmem;

static KilnVirtioDevice *
new_pmem(Pmem *pmem, int fd)
{
    KilnVirtioPmemOptions options = {
        .virtio = { .id = "pmem0", .memory = pmem->memory }, .gpa = GPA, .size = 1 << 20, .fd = fd
    };
    g_autoptr(GError) error = NULL;
    KilnVirtioDevice *device = kiln_virtio_pmem_new(&options, &error);

    kiln_assert_no_error(error);
    return device;
}

static void
pmem_open(Pmem *pmem, int fd)
{
    pmem->board = kiln_board_new();
    pmem->memory = kiln_memory_new_plain(8 << 20);
    pmem->driver = kiln_driver_new(pmem->board, pmem->memory, new_pmem(pmem, fd));
    kiln_driver_start(pmem->driver, KILN_DRIVER_SPLIT);
}

static void
pmem_close(Pmem *pmem)
{
    kiln_driver_free(pmem->driver);
    kiln_memory_free(pmem->memory);
    kiln_board_free(pmem->board);
}

static int
some_file(void)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "pmem", NULL);

    return open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static uint32_t
flush(Pmem *pmem, uint32_t type)
{
    KilnDriverBuffer out = kiln_driver_alloc(pmem->driver, 4);
    KilnDriverBuffer in = kiln_driver_alloc(pmem->driver, 4);

    kiln_le32_store(out.host, type);
    kiln_le32_store(in.host, 0x5a5a5a5a);
    ck_assert_uint_eq(kiln_driver_request(pmem->driver, 0, &out, 1, &in, 1), 4);
    return kiln_le32_load(in.host);
}

START_TEST(pmem_is_flushed)
{
    Pmem pmem;
    int pipe_fds[2];

    pmem_open(&pmem, some_file());
    ck_assert_uint_eq(kiln_driver_config(pmem.driver, 0, 8), GPA);
    ck_assert_uint_eq(kiln_driver_config(pmem.driver, 8, 8), 1 << 20);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_uint_eq(flush(&pmem, 0), 0);
    ck_assert_uint_ne(flush(&pmem, 1), 0); /* what is that? */
    pmem_close(&pmem);

    pmem_open(&pmem, -1); /* nothing is to be kept */
    ck_assert_uint_eq(flush(&pmem, 0), 0);
    pmem_close(&pmem);

    ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
    pmem_open(&pmem, pipe_fds[0]); /* fsync fails */
    ck_assert_uint_ne(flush(&pmem, 0), 0);
    pmem_close(&pmem);
    close(pipe_fds[1]);
}
END_TEST

START_TEST(many_flushes_and_a_migration)
{
    Pmem pmem;

    pmem_open(&pmem, some_file());
    for (unsigned round = 0; round < 3; round++) {
        KilnDriverBuffer out = kiln_driver_alloc(pmem.driver, 4);
        KilnDriverBuffer in = kiln_driver_alloc(pmem.driver, 4);
        unsigned n = 0;

        while (kiln_driver_add(pmem.driver, 0, &out, 1, &in, 1) >= 0)
            n++;
        kiln_driver_kick(pmem.driver, 0);
        kiln_driver_migrate(pmem.driver, new_pmem(&pmem, some_file()));
        for (unsigned i = 0; i < n; i++)
            kiln_driver_wait_used(pmem.driver, 0, NULL, NULL);
    }
    kiln_driver_reset(pmem.driver);
    pmem_close(&pmem);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("virtio-mem");
    TCase *tcase = kiln_test_case(suite, "mem");

    tcase_add_test(tcase, plug_and_unplug);
    tcase_add_test(tcase, requests_that_are_wrong);
    tcase_add_test(tcase, requested_changes_while_the_guest_runs);
    tcase_add_test(tcase, pmem_is_flushed);
    tcase_add_test(tcase, many_flushes_and_a_migration);
    return suite;
}

KILN_TEST_MAIN(make_suite)
