/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list, ctl and console against a guest whose machine is a fake, in a process of its own. */
#include "tests/cli/program.h"

#include "base/fd.h"
#include "chardev/chardev.h"
#include "control/listener.h"
#include "tests/control/fake-machine.h"
#include "tests/lib/kiln-test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static pid_t guest_pid;

static gsize
can_receive(void *context)
{
    return 16;
}

/* The guest answers in capitals. */
static void
receive(void *context, const uint8_t *data, gsize length)
{
    KilnChardev *console = context;

    for (gsize i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)g_ascii_toupper((char)data[i]);

        (void)kiln_chardev_write(console, &byte, 1);
    }
}

static const KilnChardevFrontend frontend = { .can_receive = can_receive, .receive = receive };

static void
run_guest(int ready)
{
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    KilnChardev *console = kiln_chardev_open(&options, NULL, NULL);
    KilnListener *listener = kiln_listener_open("my guest", NULL);
    KilnControlGuest guest = { fake_machine_new(console), "my guest",
                               "c0ffee00-0000-4000-8000-000000000002" };

    kiln_chardev_set_frontend(console, &frontend, console);
    kiln_listener_serve(listener, &guest);
    if (write(ready, "", 1) != 1)
        _exit(1);
    while (kiln_machine_state(guest.machine) != KILN_MACHINE_SHUTOFF)
        g_main_context_iteration(NULL, TRUE);
    kiln_listener_free(listener);
    kiln_chardev_free(console);
    _exit(0);
}

static void
set_up(void)
{
    int ready[2];
    char byte;

    program_use_own_directory();
    ck_assert_int_eq(pipe(ready), 0);
    guest_pid = fork();
    if (guest_pid == 0)
        run_guest(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
}

static void
tear_down(void)
{
    if (guest_pid > 0) {
        kill(guest_pid, SIGKILL);
        waitpid(guest_pid, NULL, 0);
    }
}

/* Runs "kiln ctl" on the guest, whose name has a blank. */
static int
ctl(const char *action, const char **out, const char **err)
{
    static char *printed_out;
    static char *printed_err;
    g_autofree char *program = program_path();
    char *argv[] = { program, (char[]){ "ctl" }, (char[]){ "my guest" }, (char *)action, NULL };
    int status;

    g_clear_pointer(&printed_out, g_free);
    g_clear_pointer(&printed_err, g_free);
    ck_assert(g_spawn_sync(NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &printed_out,
                           &printed_err, &status, NULL));
    *out = printed_out;
    *err = printed_err;
    return WEXITSTATUS(status);
}

/* Words that follow an action; the fake machine refuses all, and says what it understood. */
START_TEST(ctl_takes_arguments)
{
    static const struct {
        const char *words;
        int status;
        const char *err;
    } steps[] = {
        { "resize vda 3G", 1, "resize vda 3221225472\n" },
        { "resize vda 2048", 1, "resize vda 2097152\n" },
        { "resize vda much", 2, "'much' is no size\n" },
        { "resize vda", 2, "'resize' takes DISK SIZE\n" },
        { "pause now", 2, "'pause' takes no argument\n" },
        { "memory 512MiB", 1, "memory balloon 536870912\n" },
        { "memory-period 5", 1, "memory-period balloon 5\n" },
        { "memory-period often", 2, "'often' is no number of seconds\n" },
        { "memory-device virtiomem0 1G", 1, "memory-device virtiomem0 1073741824\n" },
        { "eject sdc", 1, "medium none raw sdc 0\n" },
        { "insert sdc /proc/version", 1, "medium /proc/version raw sdc 76\n" },
        { "insert sdc /nonexistent", 1, "No such file or directory\n" },
        { "link net1 up", 1, "link net1 1\n" },
        { "link net0 sideways", 2, "a link is up or down, not 'sideways'\n" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_auto(GStrv) words = g_strsplit(steps[i].words, " ", -1);
        g_autofree char *program = program_path();
        char *argv[] = { program,  (char[]){ "ctl" }, (char[]){ "my guest" },
                         words[0], words[1],          words[1] != NULL ? words[2] : NULL,
                         NULL };
        g_autofree char *err = NULL;
        int status;

        ck_assert(
            g_spawn_sync(NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, &err, &status, NULL));
        ck_assert_msg(g_str_has_suffix(err, steps[i].err), "%s: %s", steps[i].words, err);
        ck_assert_int_eq(WEXITSTATUS(status), steps[i].status);
    }
}
END_TEST

START_TEST(ctl_does_what_it_says)
{
    static const struct {
        const char *action;
        int status;
        const char *out;
        const char *err;
    } steps[] = {
        { "status", 0, "running (booted)\n", "" },
        { "resume", 1, "", "kiln: guest 'my guest': the guest is running\n" },
        { "pause", 0, "", "" },
        { "status", 0, "paused (user)\n", "" },
        { "resume", 0, "", "" },
        { "xml", 0, "<domain type='kvm'/>\n", "" },
        { "stats", 0, "balloon.maximum=131072\nvcpu.current=2\n", "" },
        { "reset", 0, "", "" },
        { "shutdown", 0, "", "" },
        { "status", 0, "shutdown (user)\n", "" },
        { "kill", 0, "", "" },
    };
    const char *out;
    const char *err;
    int status;

    for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
        int exited = ctl(steps[i].action, &out, &err);

        ck_assert_str_eq(err, steps[i].err);
        ck_assert_str_eq(out, steps[i].out);
        ck_assert_int_eq(exited, steps[i].status);
    }
    ck_assert_int_eq(waitpid(guest_pid, &status, 0), guest_pid);
    guest_pid = 0;
    ck_assert_int_eq(program_run("list -n", &out, &err), 0);
    ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(list_tells_state_cpus_and_memory)
{
    g_autofree char *pid = g_strdup_printf("%d", (int)guest_pid);
    g_auto(GStrv) lines = NULL;
    const char *out;

    ck_assert_int_eq(program_run("list", &out, NULL), 0);
    lines = g_strsplit(out, "\n", -1);
    ck_assert(g_str_has_prefix(lines[1], "my guest "));
    ck_assert_ptr_nonnull(strstr(lines[1], pid));
    ck_assert_ptr_nonnull(strstr(lines[1], "running        2       128 MiB"));
    ck_assert_str_eq(lines[2], "");
}
END_TEST

static gboolean
is_raw(int terminal)
{
    struct termios modes;

    ck_assert_int_eq(tcgetattr(terminal, &modes), 0);
    return (modes.c_lflag & (ICANON | ECHO)) == 0;
}

/* Starts "kiln console" as a foreground job on a new terminal.  Returns: its process. */
static pid_t
start_console(int *master, int *terminal)
{
    g_autofree char *program = program_path();
    char path[64];
    pid_t pid;

    *master = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert_int_eq(grantpt(*master), 0);
    ck_assert_int_eq(unlockpt(*master), 0);
    ck_assert_int_eq(ptsname_r(*master, path, sizeof path), 0);
    *terminal = open(path, O_RDWR | O_NOCTTY);
    pid = fork();
    if (pid == 0) {
        int fd;

        setsid();
        signal(SIGTERM, SIG_DFL);
        fd = open(path, O_RDWR);
        ioctl(fd, TIOCSCTTY, 0);
        dup2(fd, 0);
        dup2(fd, 1);
        dup2(fd, 2);
        execl(program, program, "console", "my guest", NULL);
        _exit(127);
    }
    return pid;
}

/* Reads from the terminal's other side until @text was shown. */
static void
expect(int master, const char *text)
{
    g_autoptr(GString) shown = g_string_new(NULL);
    char byte;

    while (strstr(shown->str, text) == NULL) {
        ck_assert_int_eq(read(master, &byte, 1), 1);
        g_string_append_c(shown, byte);
    }
}

START_TEST(console_talks_and_leaves)
{
    int master;
    int terminal;
    int status;
    pid_t pid = start_console(&master, &terminal);

    expect(master, "Connected to guest 'my guest'");
    ck_assert(is_raw(terminal));
    ck_assert_int_eq(kiln_write_full(master, "hello\x03", 6, -1), 0);
    expect(master, "HELLO\x03"); /* Ctrl-C is for the guest */
    ck_assert_int_eq(kiln_write_full(master, "\x1d", 1, -1), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert(!is_raw(terminal));
}
END_TEST

START_TEST(console_ends_with_the_guest)
{
    int master;
    int terminal;
    int status;
    pid_t pid = start_console(&master, &terminal);

    expect(master, "Connected");
    kill(guest_pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert(!is_raw(terminal));
}
END_TEST

START_TEST(console_gives_the_terminal_back_when_it_is_killed)
{
    int master;
    int terminal;
    int status;
    pid_t pid = start_console(&master, &terminal);

    expect(master, "Connected");
    kill(pid, SIGTERM);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
    ck_assert(!is_raw(terminal));
}
END_TEST

START_TEST(a_second_console_is_told_about_force)
{
    g_autofree char *program = program_path();
    char *argv[] = { program, (char[]){ "console" }, (char[]){ "my guest" }, NULL };
    g_autofree char *err = NULL;
    int master;
    int terminal;
    int status;
    pid_t pid = start_console(&master, &terminal);

    expect(master, "Connected");
    ck_assert(
        g_spawn_sync(NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, &err, &status, NULL));
    ck_assert_int_eq(WEXITSTATUS(status), 1);
    ck_assert_ptr_nonnull(strstr(err, "--force"));
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("client");
    TCase *tcase = kiln_test_case(suite, "client");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, ctl_takes_arguments);
    tcase_add_test(tcase, ctl_does_what_it_says);
    tcase_add_test(tcase, list_tells_state_cpus_and_memory);
    tcase_add_test(tcase, console_talks_and_leaves);
    tcase_add_test(tcase, console_ends_with_the_guest);
    tcase_add_test(tcase, console_gives_the_terminal_back_when_it_is_killed);
    tcase_add_test(tcase, a_second_console_is_told_about_force);
    return suite;
}

KILN_TEST_MAIN(make_suite)
