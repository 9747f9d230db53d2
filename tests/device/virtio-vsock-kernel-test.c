/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The socket device by the host's kernel, and so vhost/kernel.c, with the kernel's part played
 * here: this program's ioctl() is the one that is called.
 */
#include "device/virtio-vsock-kernel.h"

#include "base/error.h"
#include "device/virtio-vsock-event.h"
#include "tests/lib/kiln-test.h"
#include "tests/lib/virtio-driver.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <linux/virtio_vsock.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define BIT(n) (1ull << (n))

enum { N_VQS = 2, FIRST_FREE_CID = 5 };

typedef struct {
    unsigned size;
    unsigned base;
    struct vhost_vring_addr addr;
    int kick;
    int call;
    int err;
} Vq;

static struct {
    ino_t device; /* what is /dev/vhost-vsock here */
    gboolean owned;
    uint64_t features; /* acknowledged */
    uint64_t cid;
    unsigned n_regions;
    int running;
    unsigned n_starts;
    Vq vqs[N_VQS];
    unsigned long fail_at; /* this request fails */
} kernel;

static KilnBoard *board;
static KilnMemory *memory;
static KilnDriver *driver;

static int
failed(int errnum)
{
    errno = errnum;
    return -1;
}

static int
set_file(const struct vhost_vring_file *file, int *slot)
{
    *slot = file->fd;
    return 0;
}

/* As the kernel's own: nothing is set up while it runs, and it runs when all is set up. */
static int
vring_request(unsigned long request, void *argument)
{
    Vq *vq = &kernel.vqs[*(unsigned *)argument];
    struct vhost_vring_state *state = argument;

    if (*(unsigned *)argument >= N_VQS)
        return failed(ENOBUFS);
    if (kernel.running && (request == VHOST_SET_VRING_NUM || request == VHOST_SET_VRING_BASE))
        return failed(EBUSY);
    if (request == VHOST_SET_VRING_NUM)
        vq->size = state->num;
    else if (request == VHOST_SET_VRING_BASE)
        vq->base = state->num;
    else if (request == VHOST_GET_VRING_BASE)
        state->num = vq->base;
    else if (request == VHOST_SET_VRING_ADDR)
        vq->addr = *(struct vhost_vring_addr *)argument;
    else if (request == VHOST_SET_VRING_KICK)
        return set_file(argument, &vq->kick);
    else if (request == VHOST_SET_VRING_CALL)
        return set_file(argument, &vq->call);
    else if (request == VHOST_SET_VRING_ERR)
        return set_file(argument, &vq->err);
    return 0;
}

static int
set_running(int running)
{
    for (unsigned i = 0; running && i < N_VQS; i++)
        if (kernel.vqs[i].size == 0 || kernel.vqs[i].kick < 0 || kernel.n_regions == 0)
            return failed(EFAULT);
    kernel.running = running;
    kernel.n_starts += running ? 1 : 0;
    return 0;
}

static int
vhost_request(unsigned long request, void *argument)
{
    if (request == kernel.fail_at)
        return failed(EIO);
    if (request == VHOST_SET_OWNER) {
        kernel.owned = TRUE;
        return 0;
    }
    if (!kernel.owned)
        return failed(EPERM);
    switch (request) {
    case VHOST_GET_FEATURES:
        *(uint64_t *)argument = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
                                BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VHOST_F_LOG_ALL) |
                                BIT(VIRTIO_VSOCK_F_SEQPACKET);
        return 0;
    case VHOST_SET_FEATURES: kernel.features = *(uint64_t *)argument; return 0;
    case VHOST_SET_MEM_TABLE:
        kernel.n_regions = ((struct vhost_memory *)argument)->nregions;
        return 0;
    case VHOST_VSOCK_SET_GUEST_CID:
        if (*(uint64_t *)argument < FIRST_FREE_CID)
            return failed(EADDRINUSE);
        kernel.cid = *(uint64_t *)argument;
        return 0;
    case VHOST_VSOCK_SET_RUNNING: return set_running(*(int *)argument);
    default: return vring_request(request, argument);
    }
}

int
ioctl(int fd, unsigned long request, ...)
{
    struct stat there;
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    if (fstat(fd, &there) < 0)
        return -1;
    return there.st_ino == kernel.device ? vhost_request(request, argument) : failed(ENOTTY);
}

/* Returns: (transfer full): the device, which is an empty file here. */
static KilnFd
open_vhost(void)
{
    g_autofree char *folder = kiln_test_dir();
    g_autofree char *path = g_build_filename(folder, "vhost-vsock", NULL);
    KilnFd fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat there;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &there), 0);
    kernel.device = there.st_ino;
    kernel.owned = FALSE;
    for (unsigned i = 0; i < N_VQS; i++)
        kernel.vqs[i] = (Vq){ .kick = -1, .call = -1, .err = -1 };
    return fd;
}

static KilnVirtioDevice *
new_device(uint64_t cid, GError **error)
{
    KilnVirtioVsockKernelOptions options = {
        .virtio = { .id = "vsock0", .memory = memory, .packed = TRUE },
        .cid = cid,
        .vhost = open_vhost(),
    };

    return kiln_virtio_vsock_kernel_new(&options, error);
}

static void
setup(void)
{
    board = kiln_board_new();
    memory = kiln_memory_new_plain(16 << 20);
}

static void
start(void)
{
    g_autoptr(GError) error = NULL;
    KilnVirtioDevice *device = new_device(0, &error);

    kiln_assert_no_error(error);
    driver = kiln_driver_new(board, memory, device);
    kiln_driver_start(driver, KILN_DRIVER_PACKED);
}

static void
teardown(void)
{
    kiln_driver_free(driver);
    kiln_memory_free(memory);
    kiln_board_free(board);
}

static void
set(int fd)
{
    uint64_t one = 1;

    ck_assert_int_eq(write(fd, &one, sizeof one), sizeof one);
}

START_TEST(the_first_free_cid)
{
    g_autoptr(GError) error = NULL;

    setup();
    start();
    ck_assert_uint_eq(kiln_driver_config(driver, 0, 4), FIRST_FREE_CID);
    ck_assert_uint_eq(kiln_virtio_vsock_cid(kiln_driver_virtio(driver)), FIRST_FREE_CID);
    ck_assert(new_device(4, &error) == NULL);
    kiln_assert_error_has(error, "another guest has the CID 4");
    ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_EXISTS));
}
END_TEST

START_TEST(queues_are_the_kernels)
{
    const KilnDriverRing *ring;

    setup();
    start();
    ck_assert(!kiln_driver_broken(driver));
    ck_assert_int_eq(kernel.running, 1);
    ck_assert_uint_eq(kernel.n_regions, 1);
    /* the kernel has neither packed rings nor what else the core offers */
    ck_assert_uint_eq(kernel.features, BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
                                           BIT(VIRTIO_RING_F_EVENT_IDX) |
                                           BIT(VIRTIO_VSOCK_F_SEQPACKET));
    for (unsigned i = 0; i < N_VQS; i++) {
        ring = kiln_driver_ring(driver, i);
        ck_assert_uint_eq(kernel.vqs[i].size, ring->size);
        ck_assert_uint_eq(kernel.vqs[i].addr.desc_user_addr, (uintptr_t)ring->desc.host);
        ck_assert_uint_eq(kernel.vqs[i].addr.avail_user_addr, (uintptr_t)ring->driver.host);
        ck_assert_uint_eq(kernel.vqs[i].addr.used_user_addr, (uintptr_t)ring->device.host);
    }
    (void)kiln_driver_interrupts(driver, KILN_VSOCK_QUEUE_RX);
    set(kernel.vqs[0].call);
    ck_assert_uint_eq(kiln_driver_interrupts(driver, KILN_VSOCK_QUEUE_RX), 1);
    kiln_driver_reset(driver);
    ck_assert_int_eq(kernel.running, 0);
    ck_assert_int_eq(kernel.vqs[0].kick, -1);
    kiln_driver_start(driver, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(kernel.n_starts, 2);
    teardown();
}
END_TEST

START_TEST(where_queues_stand)
{
    setup();
    start();
    kernel.vqs[1].base = 9; /* it has worked */
    kiln_virtio_device_quiesce(kiln_driver_virtio(driver));
    ck_assert_int_eq(kernel.running, 0);
    kernel.vqs[1].base = 0;
    kiln_virtio_device_resume(kiln_driver_virtio(driver));
    kiln_driver_settle(driver);
    ck_assert_int_eq(kernel.running, 1);
    ck_assert_uint_eq(kernel.vqs[0].base, 0);
    ck_assert_uint_eq(kernel.vqs[1].base, 9);
    teardown();
}
END_TEST

START_TEST(another_process_goes_on)
{
    g_autoptr(GError) error = NULL;
    KilnVirtioDevice *other;
    KilnDriverBuffer event;
    uint32_t length = 0;

    setup();
    start();
    event = kiln_driver_alloc(driver, 4);
    ck_assert_int_ge(kiln_driver_add(driver, KILN_VSOCK_QUEUE_EVENT, NULL, 0, &event, 1), 0);
    kiln_driver_kick(driver, KILN_VSOCK_QUEUE_EVENT);
    kiln_driver_settle(driver);
    ck_assert(!kiln_driver_take_used(driver, KILN_VSOCK_QUEUE_EVENT, NULL, NULL));
    kiln_virtio_device_quiesce(kiln_driver_virtio(driver));
    other = new_device(0, &error);
    kiln_assert_no_error(error);
    kiln_driver_migrate(driver, other);
    kiln_driver_wait_used(driver, KILN_VSOCK_QUEUE_EVENT, NULL, &length);
    ck_assert_uint_eq(length, 4);
    ck_assert_int_eq(kernel.running, 1);
    teardown();
}
END_TEST

START_TEST(a_ring_that_the_kernel_finds_broken)
{
    setup();
    start();
    set(kernel.vqs[1].err);
    ck_assert(kiln_driver_broken(driver));
    teardown();
}
END_TEST

START_TEST(a_kernel_that_refuses)
{
    static const struct {
        unsigned long request;
        const char *name; /* in the message, of those at set-up */
    } cases[] = {
        { VHOST_SET_OWNER, "vhost-vsock: VHOST_SET_OWNER" },
        { VHOST_GET_FEATURES, "vhost-vsock: VHOST_GET_FEATURES" },
        { VHOST_VSOCK_SET_GUEST_CID, "cannot set the guest's CID" },
        { VHOST_SET_FEATURES, NULL },
        { VHOST_SET_MEM_TABLE, NULL },
        { VHOST_SET_VRING_NUM, NULL },
        { VHOST_SET_VRING_BASE, NULL },
        { VHOST_SET_VRING_ADDR, NULL },
        { VHOST_SET_VRING_ERR, NULL },
        { VHOST_SET_VRING_KICK, NULL },
        { VHOST_SET_VRING_CALL, NULL },
        { VHOST_VSOCK_SET_RUNNING, NULL },
    };

    setup();
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        KilnVirtioDevice *device;

        kernel.fail_at = cases[i].request;
        device = new_device(0, &error);
        if (cases[i].name != NULL) {
            ck_assert_ptr_null(device);
            kiln_assert_error_has(error, cases[i].name);
            continue;
        }
        kiln_assert_no_error(error);
        driver = kiln_driver_new(board, memory, device);
        kiln_driver_start(driver, KILN_DRIVER_SPLIT);
        ck_assert(kiln_driver_broken(driver));
        kernel.fail_at = 0;
        kiln_driver_reset(driver);
        kiln_driver_start(driver, KILN_DRIVER_SPLIT);
        ck_assert(!kiln_driver_broken(driver));
        kiln_driver_free(driver);
    }
    kiln_memory_free(memory);
    kiln_board_free(board);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("virtio-vsock-kernel");
    TCase *tests = kiln_test_case(suite, "device");

    tcase_add_test(tests, the_first_free_cid);
    tcase_add_test(tests, queues_are_the_kernels);
    tcase_add_test(tests, where_queues_stand);
    tcase_add_test(tests, another_process_goes_on);
    tcase_add_test(tests, a_ring_that_the_kernel_finds_broken);
    tcase_add_test(tests, a_kernel_that_refuses);
    return suite;
}

KILN_TEST_MAIN(make_suite)
