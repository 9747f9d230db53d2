/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A vhost-user disk of qemu-storage-daemon: what the driver writes is in the file. */
#include "device/vhost-user-blk.h"

#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/unix-socket.h"
#include "tests/lib/kiln-test.h"
#include "tests/lib/virtio-driver.h"

enum { RAM_BYTES = 16 << 20, SECTOR = 512, DISK_BYTES = 4 << 20, N_QUEUES = 2, N_REQUESTS = 24 };

typedef struct {
    KilnBoard *board;
    KilnMemory *ram;
    KilnDriver *driver;
    char *dir, *file;
    KilnFd fd; /* of the file */
    GPid pid;
} Disk;

/* Between fork and exec: the listening socket is descriptor 3. */
static void
hand_over(gpointer data)
{
    if (dup2(GPOINTER_TO_INT(data), 3) != 3)
        _exit(126);
}

/* Returns: connected to a storage daemon that serves the file. */
static KilnFd
start_daemon(Disk *disk)
{
    g_autofree char *path = g_build_filename(disk->dir, "blk", NULL);
    g_autofree char *blockdev =
        g_strdup_printf("driver=file,node-name=disk,filename=%s,discard=unmap", disk->file);
    const char *argv[] = { "qemu-storage-daemon",
                           "--blockdev",
                           blockdev,
                           "--export",
                           "vhost-user-blk,id=e,node-name=disk,addr.type=fd,addr.str=3,"
                           "writable=on,num-queues=2",
                           NULL };
    g_autoptr(GError) error = NULL;
    g_auto(KilnFd) listening = kiln_unix_listen(path, 1, &error);
    g_auto(KilnFd) high = fcntl(listening, F_DUPFD_CLOEXEC, 10);

    kiln_assert_no_error(error);
    g_spawn_async(NULL, (char **)argv, NULL,
                  G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_LEAVE_DESCRIPTORS_OPEN |
                      G_SPAWN_STDERR_TO_DEV_NULL,
                  hand_over, GINT_TO_POINTER(high), &disk->pid, &error);
    kiln_assert_no_error(error);
    return kiln_unix_connect(path, NULL);
}

static void
disk_open(Disk *disk)
{
    KilnMemoryOptions ram = { .size = RAM_BYTES, .backing = KILN_MEMORY_MEMFD };
    KilnVhostUserBlkOptions options = { .virtio = { .id = "virtio-disk0", .n_queues = N_QUEUES } };
    g_autoptr(GError) error = NULL;
    KilnVirtioDevice *blk;

    disk->dir = kiln_test_dir();
    disk->file = g_build_filename(disk->dir, "disk.raw", NULL);
    disk->fd = kiln_open(disk->file, O_RDWR | O_CREAT, 0600, &error);
    kiln_assert_no_error(error);
    ck_assert_int_eq(ftruncate(disk->fd, DISK_BYTES), 0);
    disk->board = kiln_board_new();
    disk->ram = kiln_memory_new(&ram, &error);
    kiln_assert_no_error(error);
    options.virtio.memory = disk->ram;
    options.socket = start_daemon(disk);
    blk = kiln_vhost_user_blk_new(&options, &error);
    kiln_assert_no_error(error);
    disk->driver = kiln_driver_new(disk->board, disk->ram, blk);
}

static void
kill_daemon(Disk *disk)
{
    kill(disk->pid, SIGKILL);
    waitpid(disk->pid, NULL, 0);
}

static void
disk_close(Disk *disk)
{
    kiln_driver_free(disk->driver);
    kiln_memory_free(disk->ram);
    kiln_board_free(disk->board);
    kiln_fd_clear(&disk->fd);
    g_free(disk->file);
    g_free(disk->dir);
}

/* Returns: the status, once it is there. */
static KilnDriverBuffer
add(Disk *disk, unsigned queue, uint32_t type, uint64_t sector, const KilnDriverBuffer *data)
{
    struct virtio_blk_outhdr header = { .type = GUINT32_TO_LE(type),
                                        .sector = GUINT64_TO_LE(sector) };
    KilnDriverBuffer out[2] = { kiln_driver_alloc_data(disk->driver, &header, sizeof header) };
    KilnDriverBuffer in[2];
    KilnDriverBuffer status = kiln_driver_alloc(disk->driver, 1);
    unsigned n_out = 1;
    unsigned n_in = 0;

    status.host[0] = 0xff;
    if (type == VIRTIO_BLK_T_IN)
        in[n_in++] = *data;
    else if (data != NULL)
        out[n_out++] = *data;
    in[n_in++] = status;
    ck_assert_int_ge(kiln_driver_add(disk->driver, queue, out, n_out, in, n_in), 0);
    return status;
}

static uint8_t
request(Disk *disk, uint32_t type, uint64_t sector, const KilnDriverBuffer *data)
{
    KilnDriverBuffer status = add(disk, 0, type, sector, data);

    kiln_driver_kick(disk->driver, 0);
    kiln_driver_wait_used(disk->driver, 0, NULL, NULL);
    return status.host[0];
}

/* Writes on both queues, all under way together. */
static void
write_many(Disk *disk, uint8_t seed)
{
    KilnDriverBuffer status[N_REQUESTS];

    for (unsigned i = 0; i < N_REQUESTS; i++) {
        KilnDriverBuffer data = kiln_driver_alloc(disk->driver, 4096);

        memset(data.host, seed + (int)i, data.length);
        status[i] = add(disk, i % N_QUEUES, VIRTIO_BLK_T_OUT, i * 8, &data);
    }
    for (unsigned i = 0; i < N_QUEUES; i++)
        kiln_driver_kick(disk->driver, i);
    for (unsigned i = 0; i < N_REQUESTS; i++)
        kiln_driver_wait_used(disk->driver, i % N_QUEUES, NULL, NULL);
    for (unsigned i = 0; i < N_REQUESTS; i++)
        ck_assert_uint_eq(status[i].host[0], VIRTIO_BLK_S_OK);
}

static void
check_file(Disk *disk, uint8_t seed)
{
    uint8_t bytes[4096];

    for (unsigned i = 0; i < N_REQUESTS; i++) {
        ck_assert_int_eq(pread(disk->fd, bytes, sizeof bytes, (off_t)i * 4096), sizeof bytes);
        ck_assert_uint_eq(bytes[0], (uint8_t)(seed + i));
        ck_assert_uint_eq(bytes[4095], (uint8_t)(seed + i));
    }
}

/* Before and after a pause, which takes the queues back and hands them over again. */
START_TEST(what_is_written_is_in_the_file)
{
    Disk disk;
    KilnDriverBuffer data;

    disk_open(&disk);
    kiln_driver_start(disk.driver, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(kiln_driver_config(disk.driver, 0, 8), DISK_BYTES / SECTOR);
    write_many(&disk, 1);
    ck_assert_uint_eq(request(&disk, VIRTIO_BLK_T_FLUSH, 0, NULL), VIRTIO_BLK_S_OK);
    check_file(&disk, 1);
    kiln_virtio_device_quiesce(kiln_driver_virtio(disk.driver));
    kiln_virtio_device_resume(kiln_driver_virtio(disk.driver));
    kiln_driver_settle(disk.driver);
    write_many(&disk, 100);
    check_file(&disk, 100);
    data = kiln_driver_alloc(disk.driver, 4096);
    ck_assert_uint_eq(request(&disk, VIRTIO_BLK_T_IN, 8, &data), VIRTIO_BLK_S_OK);
    ck_assert_uint_eq(data.host[0], 101);
    ck_assert_uint_eq(request(&disk, VIRTIO_BLK_T_IN, DISK_BYTES / SECTOR, &data),
                      VIRTIO_BLK_S_IOERR);
    /* A driver that starts anew. */
    kiln_driver_start(disk.driver, KILN_DRIVER_SPLIT);
    write_many(&disk, 7);
    check_file(&disk, 7);
    ck_assert(!kiln_driver_broken(disk.driver));
    disk_close(&disk);
    kill_daemon(&disk);
}
END_TEST

static gboolean
is_broken(gpointer data)
{
    return (kiln_driver_status(data) & VIRTIO_CONFIG_S_NEEDS_RESET) != 0;
}

START_TEST(a_daemon_that_is_killed_breaks_the_device)
{
    Disk disk;

    disk_open(&disk);
    kiln_driver_start(disk.driver, KILN_DRIVER_SPLIT);
    write_many(&disk, 1);
    kill_daemon(&disk);
    kiln_driver_run_until(disk.driver, is_broken, disk.driver);
    disk_close(&disk);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("vhost-user-blk-daemon");
    TCase *tcase = kiln_test_case(suite, "vhost-user-blk-daemon");

    tcase_add_test(tcase, what_is_written_is_in_the_file);
    tcase_add_test(tcase, a_daemon_that_is_killed_breaks_the_device);
    return suite;
}

int
main(void)
{
    g_autofree char *daemon = g_find_program_in_path("qemu-storage-daemon");

    if (daemon == NULL)
        return kiln_test_skip_all("qemu-storage-daemon is not installed");
    return kiln_test_main(make_suite());
}
