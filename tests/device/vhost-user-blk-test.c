/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A vhost-user disk whose back end is a thread of the test, which serves no request. */
#include "device/vhost-user-blk.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_pci.h>

#include "base/le.h"
#include "tests/lib/kiln-test.h"
#include "tests/lib/vhost-user-peer.h"
#include "tests/lib/virtio-driver.h"

#define BIT(n)         (UINT64_C(1) << (n))
#define CONFIG(member) offsetof(struct virtio_blk_config, member)

enum { RAM_BYTES = 16 << 20, SECTORS = 12345, N_QUEUES = 2 };

static const uint64_t all_protocol = 0x1ffff;
static const uint64_t all_features =
    BIT(VIRTIO_F_VERSION_1) | BIT(VHOST_USER_F_PROTOCOL_FEATURES) | BIT(VIRTIO_BLK_F_SEG_MAX) |
    BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_MQ) | BIT(VIRTIO_BLK_F_CONFIG_WCE) |
    BIT(VIRTIO_BLK_F_SCSI) | BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX);

typedef struct {
    KilnBoard *board;
    KilnMemory *ram;
    Peer peer;
    KilnDriver *driver; /* (nullable) */
} Disk;

static void
describe_peer(Peer *peer)
{
    *peer = (Peer){ .features = all_features, .protocol = all_protocol, .n_queues = 4 };
    kiln_le64_store(peer->config + CONFIG(capacity), SECTORS);
    kiln_le32_store(peer->config + CONFIG(seg_max), 1 << 20);
    kiln_le16_store(peer->config + CONFIG(num_queues), 99);
}

static void
disk_set_up(Disk *disk)
{
    KilnMemoryOptions ram = { .size = RAM_BYTES, .backing = KILN_MEMORY_MEMFD };
    g_autoptr(GError) error = NULL;

    disk->board = kiln_board_new();
    disk->ram = kiln_memory_new(&ram, &error);
    kiln_assert_no_error(error);
    describe_peer(&disk->peer);
}

static KilnVirtioDevice *
disk_new(Disk *disk, Peer *peer, GError **error)
{
    KilnVhostUserBlkOptions options = { .virtio = { .id = "virtio-disk0",
                                                    .memory = disk->ram,
                                                    .n_queues = N_QUEUES,
                                                    .queue_size = 64 },
                                        .socket = peer_start(peer) };

    return kiln_vhost_user_blk_new(&options, error);
}

static void
disk_open(Disk *disk)
{
    g_autoptr(GError) error = NULL;
    KilnVirtioDevice *blk;

    disk_set_up(disk);
    blk = disk_new(disk, &disk->peer, &error);
    kiln_assert_no_error(error);
    disk->driver = kiln_driver_new(disk->board, disk->ram, blk);
}

static void
disk_close(Disk *disk)
{
    kiln_driver_free(disk->driver);
    peer_join(&disk->peer);
    kiln_memory_free(disk->ram);
    kiln_board_free(disk->board);
}

START_TEST(the_back_end_describes_the_disk)
{
    Disk disk;
    uint64_t offered;

    disk_open(&disk);
    offered = kiln_driver_offered(disk.driver);
    ck_assert(offered & BIT(VIRTIO_BLK_F_MQ));
    ck_assert(offered & BIT(VIRTIO_BLK_F_FLUSH));
    ck_assert(!(offered & BIT(VIRTIO_BLK_F_CONFIG_WCE)));
    ck_assert(!(offered & BIT(VIRTIO_BLK_F_SCSI)));
    ck_assert(!(offered & BIT(VIRTIO_BLK_F_DISCARD)));
    kiln_driver_start(disk.driver, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(kiln_driver_config(disk.driver, CONFIG(capacity), 8), SECTORS);
    ck_assert_uint_eq(kiln_driver_config(disk.driver, CONFIG(seg_max), 4), 62);
    ck_assert_uint_eq(kiln_driver_config(disk.driver, CONFIG(num_queues), 2), N_QUEUES);
    disk_close(&disk);
}
END_TEST

START_TEST(the_back_end_gets_the_queues)
{
    Disk disk;
    const KilnDriverRing *ring;

    disk_open(&disk);
    kiln_driver_start(disk.driver, KILN_DRIVER_SPLIT);
    ring = kiln_driver_ring(disk.driver, 1);
    ck_assert_uint_eq(disk.peer.queues[1].size, ring->size);
    ck_assert(disk.peer.queues[0].enabled && disk.peer.queues[1].enabled);
    ck_assert_int_ge(disk.peer.queues[1].kick, 0);
    ck_assert(disk.peer.acked & BIT(VIRTIO_BLK_F_FLUSH));
    ck_assert(!(disk.peer.acked & BIT(VIRTIO_BLK_F_SCSI)));
    kiln_virtio_device_quiesce(kiln_driver_virtio(disk.driver));
    ck_assert(!disk.peer.queues[0].enabled && !disk.peer.queues[1].enabled);
    kiln_virtio_device_resume(kiln_driver_virtio(disk.driver));
    kiln_driver_settle(disk.driver);
    ck_assert(disk.peer.queues[0].enabled && disk.peer.queues[1].enabled);
    ck_assert(!kiln_driver_broken(disk.driver));
    disk_close(&disk);
}
END_TEST

static gboolean
is_broken(gpointer data)
{
    return (kiln_driver_status(data) & VIRTIO_CONFIG_S_NEEDS_RESET) != 0;
}

START_TEST(a_lost_back_end_breaks_the_device)
{
    Disk disk;

    disk_open(&disk);
    kiln_driver_start(disk.driver, KILN_DRIVER_SPLIT);
    peer_leave(&disk.peer);
    kiln_driver_run_until(disk.driver, is_broken, disk.driver);
    kiln_driver_reset(disk.driver);
    ck_assert_uint_eq(kiln_driver_status(disk.driver), 0);
    disk_close(&disk);
}
END_TEST

static const struct {
    uint64_t without;          /* features that it lacks */
    uint64_t without_protocol; /* the same */
    unsigned n_queues;
    const char *message;
} unfit[] = {
    { BIT(VIRTIO_F_VERSION_1), 0, 4, "knows no virtio 1" },
    { BIT(VIRTIO_BLK_F_MQ), 0, 4, "has one queue" },
    { 0, BIT(9), 4, "virtio-disk0" }, /* KILN_VHOST_USER_PROTOCOL_CONFIG */
    { 0, 0, 1, "queue" },
};

START_TEST(an_unfit_back_end_is_an_error)
{
    Disk disk;
    g_autoptr(GError) error = NULL;

    disk_set_up(&disk);
    disk.driver = NULL;
    disk.peer.features &= ~unfit[_i].without;
    disk.peer.protocol &= ~unfit[_i].without_protocol;
    disk.peer.n_queues = unfit[_i].n_queues;
    ck_assert_ptr_null(disk_new(&disk, &disk.peer, &error));
    kiln_assert_error_has(error, unfit[_i].message);
    disk_close(&disk);
}
END_TEST

START_TEST(memory_that_is_not_shared_is_an_error)
{
    g_autoptr(KilnMemory) ram = kiln_memory_new_plain(RAM_BYTES);
    Peer peer = { .features = all_features, .protocol = all_protocol, .n_queues = 4 };
    KilnVhostUserBlkOptions options = { .virtio = { .id = "d", .memory = ram },
                                        .socket = peer_start(&peer) };
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(kiln_vhost_user_blk_new(&options, &error));
    kiln_assert_error_has(error, "shared");
    peer_join(&peer);
}
END_TEST

/* Another process's connection to the same disk: loaded, and saved alike. */
START_TEST(state_survives)
{
    Disk disk;
    Peer next;
    g_autoptr(GError) error = NULL;
    KilnVirtioDevice *blk;

    disk_open(&disk);
    kiln_driver_start(disk.driver, KILN_DRIVER_SPLIT);
    describe_peer(&next);
    blk = disk_new(&disk, &next, &error);
    kiln_assert_no_error(error);
    kiln_driver_migrate(disk.driver, blk);
    ck_assert(!disk.peer.queues[0].enabled);
    ck_assert(next.queues[0].enabled && next.queues[1].enabled);
    ck_assert(!kiln_driver_broken(disk.driver));
    disk_close(&disk);
    peer_join(&next);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("vhost-user-blk");
    TCase *tcase = kiln_test_case(suite, "vhost-user-blk");

    tcase_add_test(tcase, the_back_end_describes_the_disk);
    tcase_add_test(tcase, the_back_end_gets_the_queues);
    tcase_add_test(tcase, a_lost_back_end_breaks_the_device);
    tcase_add_loop_test(tcase, an_unfit_back_end_is_an_error, 0, G_N_ELEMENTS(unfit));
    tcase_add_test(tcase, memory_that_is_not_shared_is_an_error);
    tcase_add_test(tcase, state_survives);
    return suite;
}

KILN_TEST_MAIN(make_suite)
