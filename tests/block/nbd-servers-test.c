/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NBD disks of qemu-nbd and nbdkit, over Unix sockets, TCP and TLS. */
#include "block/nbd.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/unix-socket.h"
#include "tests/block/run.h"
#include "tests/lib/kiln-test.h"

/* ---- Servers by socket activation: they get a socket that listens already ---- */

typedef struct {
    char *dir;
    KilnFd listening;
    uint16_t port; /* 0: a Unix socket */
    char *path;
    GPid pid;
} Program;

/* Between fork and exec: descriptor 3 is the socket (systemd's sd_listen_fds(3)). */
static void
hand_over(gpointer data)
{
    int fd = GPOINTER_TO_INT(data);
    char pid[32];

    g_snprintf(pid, sizeof pid, "%d", (int)getpid());
    if (setenv("LISTEN_PID", pid, 1) != 0 || setenv("LISTEN_FDS", "1", 1) != 0 || dup2(fd, 3) != 3)
        _exit(126);
}

static void
program_listen(Program *program, gboolean tcp)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    g_autoptr(GError) error = NULL;

    program->dir = kiln_test_dir();
    program->path = g_build_filename(program->dir, "nbd", NULL);
    if (!tcp) {
        program->listening = kiln_unix_listen(program->path, 4, &error);
        kiln_assert_no_error(error);
        return;
    }
    program->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(program->listening, 0);
    ck_assert_int_eq(bind(program->listening, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(program->listening, 4), 0);
    ck_assert_int_eq(getsockname(program->listening, (struct sockaddr *)&address, &length), 0);
    program->port = ntohs(address.sin_port);
}

static void
program_start(Program *program, const char **argv)
{
    /* Not 3 itself, which would keep its close-on-exec flag. */
    g_auto(KilnFd) fd = fcntl(program->listening, F_DUPFD_CLOEXEC, 10);
    g_autoptr(GError) error = NULL;

    g_spawn_async(NULL, (char **)argv, NULL,
                  G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_LEAVE_DESCRIPTORS_OPEN |
                      G_SPAWN_STDERR_TO_DEV_NULL,
                  hand_over, GINT_TO_POINTER(fd), &program->pid, &error);
    kiln_assert_no_error(error);
}

static void
program_end(Program *program)
{
    if (program->pid != 0) {
        kill(program->pid, SIGKILL);
        waitpid(program->pid, NULL, 0);
    }
    kiln_fd_clear(&program->listening);
    g_free(program->path);
    g_free(program->dir);
}

static char *
make_disk(const char *dir)
{
    char *path = g_build_filename(dir, "disk.raw", NULL);
    g_autoptr(GError) error = NULL;
    g_auto(KilnFd) fd = kiln_open(path, O_RDWR | O_CREAT, 0600, &error);

    kiln_assert_no_error(error);
    ck_assert_int_eq(ftruncate(fd, RUN_DISK_BYTES), 0);
    return path;
}

START_TEST(qemu_nbd_serves)
{
    Program program = { .listening = -1 };
    g_autofree char *disk = NULL;
    g_autoptr(GError) error = NULL;

    program_listen(&program, _i == 1);
    disk = make_disk(program.dir);

    const char *argv[] = {
        "qemu-nbd", "--format=raw", "--export-name=disk", "--discard=unmap", "--persistent", disk,
        NULL
    };
    KilnBlockNbdOptions options = { .export_name = "disk" };

    program_start(&program, argv);
    options.socket = program.port == 0 ? program.path : NULL;
    options.host = "127.0.0.1";
    options.port = program.port;

    KilnBlock *block = kiln_block_nbd_open(&options, &error);

    kiln_assert_no_error(error);
    run_check(block, 512, 77);
    ck_assert_int_eq(io_do(block, KILN_BLOCK_DISCARD, 0, NULL, MIB), 0);
    run_free(block);
    options.export_name = "other";
    ck_assert_ptr_null(kiln_block_nbd_open(&options, &error));
    kiln_assert_error_has(error, "'other'");
    program_end(&program);
}
END_TEST

START_TEST(a_server_is_killed)
{
    Program program = { .listening = -1 };
    const char *argv[] = { "nbdkit", "--foreground", "memory", "16M", NULL };
    g_autoptr(GError) error = NULL;
    uint8_t bytes[512] = { 1 };

    program_listen(&program, FALSE);
    program_start(&program, argv);

    KilnBlockNbdOptions options = { .socket = program.path };
    KilnBlock *block = kiln_block_nbd_open(&options, &error);

    kiln_assert_no_error(error);
    ck_assert_int_eq(io_do(block, KILN_BLOCK_WRITE, 0, bytes, sizeof bytes), 0);
    program_end(&program);
    ck_assert_int_eq(io_do(block, KILN_BLOCK_WRITE, 0, bytes, sizeof bytes), -ENOTCONN);
    run_free(block);
}
END_TEST

/* ---- TLS ---- */

static void
write_file(const char *dir, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_autoptr(GError) error = NULL;

    g_file_set_contents(path, text, -1, &error);
    kiln_assert_no_error(error);
}

START_TEST(tls_by_pre_shared_key)
{
    Program program = { .listening = -1 };
    g_autoptr(GError) error = NULL;

    program_listen(&program, FALSE);
    write_file(program.dir, "keys", "alice:a3c1f2d4e5b60718293a4b5c6d7e8f90\n");
    write_file(program.dir, "wrong", "alice:b3c1f2d4e5b60718293a4b5c6d7e8f90\n");

    g_autofree char *keys = g_build_filename(program.dir, "keys", NULL);
    g_autofree char *wrong = g_build_filename(program.dir, "wrong", NULL);
    g_autofree char *option = g_strdup_printf("--tls-psk=%s", keys);
    const char *argv[] = {
        "nbdkit", "--foreground", "--tls=require", option, "memory", "16M", NULL
    };
    KilnBlockNbdOptions options = { .socket = program.path, .tls = TRUE, .tls_user = "alice" };
    KilnBlock *block;

    program_start(&program, argv);
    options.tls_psk_file = keys;
    block = kiln_block_nbd_open(&options, &error);
    kiln_assert_no_error(error);
    run_check(block, 512, 5);
    run_free(block);
    options.tls_psk_file = wrong;
    ck_assert_ptr_null(kiln_block_nbd_open(&options, &error));
    kiln_assert_error_has(error, "NBD export");
    g_clear_error(&error);
    options.tls = FALSE;
    ck_assert_ptr_null(kiln_block_nbd_open(&options, &error));
    kiln_assert_error_has(error, "NBD export");
    program_end(&program);
}
END_TEST

/* An authority, and a certificate of it for 127.0.0.1 and one for the client. */
static const char make_certificates[] =
    "cd \"$0\" && exec 2>/dev/null && key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes' && "
    "openssl req -x509 $key -keyout ca-key.pem -out ca-cert.pem -days 3650 -subj /CN=authority && "
    "for who in server client; do"
    "  openssl req $key -keyout $who-key.pem -out $who.csr -subj /CN=$who &&"
    "  echo 'subjectAltName=IP:127.0.0.1' > $who.ext &&"
    "  openssl x509 -req -in $who.csr -CA ca-cert.pem -CAkey ca-key.pem -CAcreateserial"
    "    -days 3650 -extfile $who.ext -out $who-cert.pem || exit 1; "
    "done";

static void
certify(const char *dir)
{
    const char *argv[] = { "sh", "-c", make_certificates, dir, NULL };
    int status = -1;

    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status,
                 NULL);
    ck_assert_int_eq(status, 0);
}

START_TEST(tls_by_certificate)
{
    Program program = { .listening = -1 };
    g_autoptr(GError) error = NULL;
    g_autofree char *other = kiln_test_dir();

    program_listen(&program, TRUE);
    certify(program.dir);
    certify(other);

    g_autofree char *option = g_strdup_printf("--tls-certificates=%s", program.dir);
    const char *argv[] = { "nbdkit", "--foreground", "--tls=require", "--tls-verify-peer",
                           option,   "memory",       "16M",           NULL };
    KilnBlockNbdOptions options = { .host = "127.0.0.1", .port = program.port, .tls = TRUE };
    KilnBlock *block;

    program_start(&program, argv);
    options.tls_dir = program.dir;
    block = kiln_block_nbd_open(&options, &error);
    kiln_assert_no_error(error);
    run_check(block, 512, 6);
    run_free(block);
    options.tls_dir = other;
    ck_assert_ptr_null(kiln_block_nbd_open(&options, &error));
    kiln_assert_error_has(error, "NBD export");
    program_end(&program);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("nbd-servers");
    TCase *tcase = kiln_test_case(suite, "nbd-servers");

    tcase_add_loop_test(tcase, qemu_nbd_serves, 0, 2);
    tcase_add_test(tcase, a_server_is_killed);
    tcase_add_test(tcase, tls_by_pre_shared_key);
    tcase_add_test(tcase, tls_by_certificate);
    return suite;
}

int
main(void)
{
    static const char *const programs[] = { "qemu-nbd", "nbdkit", "openssl" };

    for (unsigned i = 0; i < G_N_ELEMENTS(programs); i++) {
        g_autofree char *there = g_find_program_in_path(programs[i]);
        g_autofree char *reason = g_strdup_printf("%s is not installed", programs[i]);

        if (there == NULL)
            return kiln_test_skip_all(reason);
    }
    /* The module is beside the program, which the tests are not. */
    g_setenv("KILN_MODULE_DIR", g_getenv("KILN_BUILDDIR") != NULL ? g_getenv("KILN_BUILDDIR") : ".",
             TRUE);
    return kiln_test_main(make_suite());
}
