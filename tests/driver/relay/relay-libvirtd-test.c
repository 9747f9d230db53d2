/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The relay with a stock libvirtd, which runs for one user on sockets of the test's own. */
#include "relay/relay.h"
#include "tests/driver/relay/wire.h"
#include "tests/lib/kiln-test.h"

#include <grp.h>
#include <libvirt/virterror.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534, START_TRIES = 1500, START_TRY_US = 10000 };

static char *program; /* of libvirtd */

/* Root's libvirtd would be the host's own. */
static void
become_nobody(gpointer data)
{
    (void)data;
    if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
        _exit(1);
}

static char *
subdirectory(const char *dir, const char *name, mode_t mode)
{
    char *path = g_build_filename(dir, name, NULL);

    ck_assert_int_eq(mkdir(path, mode), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
    return path;
}

static GPid
start_libvirtd(const char *dir, const char *runtime)
{
    g_autofree char *config = g_build_filename(dir, "libvirtd.conf", NULL);
    const char *argv[] = { program, "-f", config, NULL };
    g_auto(GStrv) environment = g_get_environ();
    g_autofree char *socket = g_build_filename(runtime, "libvirt", "libvirt-sock", NULL);
    GError *error = NULL;
    GPid pid = 0;

    ck_assert(g_file_set_contents(config, "auth_unix_rw = \"none\"\nlog_outputs = \"4:stderr\"\n",
                                  -1, NULL));
    ck_assert_int_eq(chmod(config, 0644), 0);
    environment = g_environ_setenv(environment, "HOME", runtime, TRUE);
    environment = g_environ_setenv(environment, "XDG_RUNTIME_DIR", runtime, TRUE);
    environment = g_environ_setenv(environment, "XDG_CONFIG_HOME", runtime, TRUE);
    environment = g_environ_setenv(environment, "XDG_CACHE_HOME", runtime, TRUE);
    ck_assert_msg(g_spawn_async(runtime, (char **)argv, environment,
                                G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL |
                                    G_SPAWN_STDERR_TO_DEV_NULL,
                                become_nobody, NULL, &pid, &error),
                  "libvirtd");
    for (guint i = 0; i < START_TRIES && !g_file_test(socket, G_FILE_TEST_EXISTS); i++)
        g_usleep(START_TRY_US);
    ck_assert_msg(g_file_test(socket, G_FILE_TEST_EXISTS), "libvirtd does not come up");
    return pid;
}

static void
call_text(Wire *client, int procedure, guint32 serial, const char *text)
{
    char *value = (char *)text;
    remote_storage_text_flags_args args = { value, 0 };
    KilnPacket header = { .program = KILN_PROGRAM_REMOTE,
                          .version = KILN_PROGRAM_VERSION,
                          .procedure = procedure,
                          .serial = serial };
    g_autoptr(GBytes) packet =
        kiln_frame_encode(&header, 0, (xdrproc_t)xdr_remote_storage_text_flags_args, &args);

    wire_send_bytes(client, g_bytes_get_data(packet, NULL), g_bytes_get_size(packet));
}

START_TEST(a_stock_libvirtd_answers_through_it)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *runtime = subdirectory(dir, "run", 0700);
    g_autofree char *sockets = g_build_filename(runtime, "libvirt", NULL);
    g_autofree char *xml =
        g_strdup_printf("<pool type='dir'><name>relayed</name><target><path>%s/pool</path>"
                        "</target></pool>",
                        runtime);
    KilnServer *server;
    Wire *client;
    GPid pid;

    chmod(dir, 0755);
    if (geteuid() == 0)
        ck_assert_int_eq(chown(runtime, NOBODY, NOBODY), 0);
    pid = start_libvirtd(dir, runtime);
    kiln_relay_set_directories(sockets, NULL, TRUE);
    server = relay_server(dir);
    client = relay_client(dir, FALSE);

    call_text(client, REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_NAME, 2, "relayed");
    ck_assert_uint_eq(wire_expect(client, REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_NAME, KILN_FRAME_REPLY,
                                  2, KILN_FRAME_ERROR),
                      VIR_ERR_NO_STORAGE_POOL);
    call_text(client, REMOTE_PROC_STORAGE_POOL_DEFINE_XML, 3, xml);
    wire_expect(client, REMOTE_PROC_STORAGE_POOL_DEFINE_XML, KILN_FRAME_REPLY, 3, KILN_FRAME_OK);
    call_text(client, REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_NAME, 4, "relayed");
    wire_expect(client, REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_NAME, KILN_FRAME_REPLY, 4,
                KILN_FRAME_OK);
    call_text(client, REMOTE_PROC_NODE_DEVICE_LOOKUP_BY_NAME, 5, "computer");
    wire_expect(client, REMOTE_PROC_NODE_DEVICE_LOOKUP_BY_NAME, KILN_FRAME_REPLY, 5, KILN_FRAME_OK);

    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    run_pending();
    wire_send(client, REMOTE_PROC_CONNECT_NUM_OF_STORAGE_POOLS, KILN_FRAME_CALL, 6, KILN_FRAME_OK,
              NULL, 0);
    ck_assert_uint_eq(wire_expect(client, REMOTE_PROC_CONNECT_NUM_OF_STORAGE_POOLS,
                                  KILN_FRAME_REPLY, 6, KILN_FRAME_OK),
                      0);
    wire_free(client);
    run_pending();
    kiln_server_free(server);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("relay-libvirtd");
    TCase *tcase = kiln_test_case(suite, "libvirtd");

    program = g_find_program_in_path("libvirtd");
    if (program == NULL && g_file_test("/usr/sbin/libvirtd", G_FILE_TEST_IS_EXECUTABLE))
        program = g_strdup("/usr/sbin/libvirtd");
    if (program == NULL)
        return kiln_test_skip_all("libvirtd is not installed");
    tcase_add_test(tcase, a_stock_libvirtd_answers_through_it);
    return kiln_test_main(suite);
}
