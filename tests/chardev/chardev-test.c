/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each backend from its peer's side, the log, the attached console, and slow readers. */
#include "chardev/chardev.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/unix-socket.h"
#include "tests/lib/kiln-test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A guest's port that notes what it is told. */
typedef struct {
    KilnChardev *chardev;
    GString *received;
    gsize room;
    guint opened;
    guint closed;
    guint breaks;
    guint writable;
} Port;

static Port port;

static gsize
port_can_receive(void *context)
{
    return port.room;
}

static void
port_receive(void *context, const uint8_t *data, gsize length)
{
    ck_assert_uint_le(length, port.room);
    port.room -= length;
    g_string_append_len(port.received, (const char *)data, (gssize)length);
}

static void
port_event(void *context, KilnChardevEvent event)
{
    port.opened += event == KILN_CHARDEV_OPENED;
    port.closed += event == KILN_CHARDEV_CLOSED;
    port.breaks += event == KILN_CHARDEV_BREAK;
}

static void
port_writable(void *context)
{
    port.writable++;
}

static const KilnChardevFrontend port_frontend = {
    .can_receive = port_can_receive,
    .receive = port_receive,
    .event = port_event,
    .writable = port_writable,
};

static void
open_port(const KilnChardevOptions *options)
{
    g_autoptr(GError) error = NULL;

    port = (Port){ .received = g_string_new(NULL), .room = 1 << 20 };
    port.chardev = kiln_chardev_open(options, NULL, &error);
    kiln_assert_no_error(error);
    kiln_chardev_set_frontend(port.chardev, &port_frontend, NULL);
}

static void
close_port(void)
{
    kiln_chardev_free(port.chardev);
    g_string_free(port.received, TRUE);
}

static void
guest_writes(const char *text)
{
    gsize length = strlen(text);

    ck_assert_uint_eq(kiln_chardev_write(port.chardev, (const uint8_t *)text, length), length);
}

/* Runs the main loop until @condition is so; the test's deadline ends it otherwise. */
#define RUN_UNTIL(condition)                                                                       \
    while (!(condition))                                                                           \
    g_main_context_iteration(NULL, TRUE)

static void
run_what_is_ready(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

/* Reads until @text has come, running the main loop meanwhile. */
static void
expect(int fd, const char *text)
{
    g_autoptr(GString) got = g_string_new(NULL);

    while (got->len < strlen(text)) {
        struct pollfd in = { .fd = fd, .events = POLLIN };
        char byte;

        run_what_is_ready();
        if (poll(&in, 1, 10) > 0) {
            ck_assert_int_eq(read(fd, &byte, 1), 1);
            g_string_append_c(got, byte);
        }
    }
    ck_assert_str_eq(got->str, text);
}

static void
types(int fd, const char *text)
{
    ck_assert_int_eq(kiln_write_full(fd, text, strlen(text), -1), 0);
}

static void
expect_file(const char *path, const char *text)
{
    g_autofree char *content = NULL;

    ck_assert(g_file_get_contents(path, &content, NULL, NULL));
    ck_assert_str_eq(content, text);
}

START_TEST(null_takes_all_and_counts_it)
{
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    KilnChardevStats stats;

    options.kind = KILN_CHARDEV_NULL;
    open_port(&options);
    RUN_UNTIL(port.opened == 1);
    guest_writes("hello");
    kiln_chardev_get_stats(port.chardev, &stats);
    ck_assert_uint_eq(stats.written, 5);
    ck_assert_uint_eq(stats.dropped, 5);
    close_port();
}
END_TEST

START_TEST(file_is_truncated_or_appended_to)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "out", NULL);
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;

    options.kind = KILN_CHARDEV_FILE;
    options.path = path;
    ck_assert(g_file_set_contents(path, "old", -1, NULL));
    open_port(&options);
    guest_writes("one ");
    run_what_is_ready();
    guest_writes("two");
    close_port();
    expect_file(path, "one two");
    options.append = TRUE;
    open_port(&options);
    guest_writes(" three");
    close_port();
    expect_file(path, "one two three");
}
END_TEST

/* A byte at a time is how a UART sends; the main loop is not to run once for each. */
START_TEST(the_main_loop_is_not_woken_for_each_byte)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "output", NULL);
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    gint64 start = g_get_monotonic_time();
    guint rounds = 0;

    options.kind = KILN_CHARDEV_FILE;
    options.path = path;
    open_port(&options);
    for (guint i = 0; i < 20000; i++) {
        guest_writes("x");
        while (g_main_context_iteration(NULL, FALSE))
            rounds++;
    }
    ck_assert_uint_le(rounds, 100 + (guint)((g_get_monotonic_time() - start) / 1000));
    close_port();
}
END_TEST

START_TEST(log_gets_what_nobody_listens_to)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "log", NULL);
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;

    options.kind = KILN_CHARDEV_PTY;
    options.log_path = path;
    open_port(&options);
    for (int i = 0; i < 3; i++) {
        guest_writes("line\n");
        run_what_is_ready();
    }
    close_port();
    expect_file(path, "line\nline\nline\n");
}
END_TEST

START_TEST(pty_drops_output_until_it_is_opened)
{
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    KilnChardevStats stats;

    options.kind = KILN_CHARDEV_PTY;
    open_port(&options);
    ck_assert(g_str_has_prefix(kiln_chardev_path(port.chardev), "/dev/pts/"));
    guest_writes("nobody hears this");
    run_what_is_ready();
    ck_assert_uint_eq(port.opened, 0);
    for (guint round = 1; round <= 2; round++) { /* closing it and opening it again is as good */
        g_auto(KilnFd) terminal = open(kiln_chardev_path(port.chardev), O_RDWR | O_NOCTTY);

        ck_assert_int_ge(terminal, 0);
        g_usleep(11000); /* the guest's writes look no more often than that */
        guest_writes("login: ");
        expect(terminal, "login: ");
        ck_assert_uint_eq(port.opened, round);
        types(terminal, "root\n");
        RUN_UNTIL(port.received->len == 5 * round);
        kiln_fd_clear(&terminal);
        RUN_UNTIL(port.closed == round);
    }
    ck_assert_str_eq(port.received->str, "root\nroot\n");
    kiln_chardev_get_stats(port.chardev, &stats);
    ck_assert_uint_eq(stats.dropped, strlen("nobody hears this"));
    close_port();
}
END_TEST

START_TEST(pty_hears_who_types_first)
{
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    g_auto(KilnFd) terminal = -1;

    options.kind = KILN_CHARDEV_PTY;
    open_port(&options);
    run_what_is_ready();
    terminal = open(kiln_chardev_path(port.chardev), O_RDWR | O_NOCTTY);
    types(terminal, "x");
    RUN_UNTIL(port.received->len == 1);
    close_port();
}
END_TEST

START_TEST(a_closed_pty_does_not_keep_the_loop_busy)
{
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    guint turns = 0;

    options.kind = KILN_CHARDEV_PTY;
    open_port(&options);
    kiln_fd_clear(&(int){ open(kiln_chardev_path(port.chardev), O_RDWR | O_NOCTTY) });
    while (g_main_context_iteration(NULL, FALSE))
        ck_assert_uint_lt(turns++, 20);
    close_port();
}
END_TEST

START_TEST(unix_server_serves_one_client_after_the_other)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "socket", NULL);
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    g_autoptr(GError) error = NULL;
    g_auto(KilnFd) first = -1;
    g_auto(KilnFd) second = -1;

    options.kind = KILN_CHARDEV_UNIX;
    options.path = path;
    options.listen = TRUE;
    open_port(&options);
    first = kiln_unix_connect(path, &error);
    RUN_UNTIL(port.opened == 1);
    second = kiln_unix_connect(path, &error);
    kiln_assert_no_error(error);
    types(first, "1");
    RUN_UNTIL(port.received->len == 1);
    guest_writes("to first");
    expect(first, "to first");
    types(second, "2");
    kiln_fd_clear(&first);
    RUN_UNTIL(port.received->len == 2);
    guest_writes("to second");
    expect(second, "to second");
    ck_assert_str_eq(port.received->str, "12");
    close_port();
    ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
}
END_TEST

/* A client that cannot be let in must not keep the main loop busy; it is let in later. */
START_TEST(unix_server_without_descriptors_rests)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "socket", NULL);
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    g_auto(KilnFd) client = -1;
    struct rlimit before, none;
    gint64 end;
    guint rounds = 0;
    int next;

    options.kind = KILN_CHARDEV_UNIX;
    options.path = path;
    options.listen = TRUE;
    open_port(&options);
    client = kiln_unix_connect(path, NULL);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    next = dup(client);
    close(next);
    none = (struct rlimit){ .rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max };
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (end = g_get_monotonic_time() + 100000; g_get_monotonic_time() < end; g_usleep(1000))
        rounds += g_main_context_iteration(NULL, FALSE) ? 1 : 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_uint_le(rounds, 10);
    RUN_UNTIL(port.opened == 1);
    close_port();
}
END_TEST

/* A guest that does not read must not keep the port from whoever comes next. */
START_TEST(unix_server_replaces_a_client_that_left_input_behind)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "socket", NULL);
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    g_auto(KilnFd) first = -1;
    g_auto(KilnFd) second = -1;

    options.kind = KILN_CHARDEV_UNIX;
    options.path = path;
    options.listen = TRUE;
    open_port(&options);
    port.room = 0;
    first = kiln_unix_connect(path, NULL);
    types(first, "nobody reads this");
    RUN_UNTIL(port.opened == 1);
    run_what_is_ready();
    kiln_fd_clear(&first);
    second = kiln_unix_connect(path, NULL);
    while (kiln_chardev_write(port.chardev, (const uint8_t *)"x", 1) == 1) {
        struct pollfd in = { .fd = second, .events = POLLIN };

        run_what_is_ready();
        if (poll(&in, 1, 10) > 0)
            break;
    }
    port.room = 10;
    kiln_chardev_resume_input(port.chardev);
    types(second, "2");
    RUN_UNTIL(port.received->len == 1);
    ck_assert_str_eq(port.received->str, "2");
    close_port();
}
END_TEST

START_TEST(unix_server_replaces_only_what_nobody_uses)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *deep = g_strnfill(120, 'd');
    g_autofree char *parent = g_build_filename(dir, deep, NULL);
    g_autofree char *path = g_build_filename(parent, "socket", NULL); /* longer than an address */
    g_autofree char *file = g_build_filename(dir, "file", NULL);
    g_auto(KilnFd) other = -1;
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    g_autoptr(GError) error = NULL;

    ck_assert_int_eq(mkdir(parent, 0700), 0);
    other = kiln_unix_listen(path, 1, &error);
    kiln_assert_no_error(error);
    options.kind = KILN_CHARDEV_UNIX;
    options.path = path;
    options.listen = TRUE;
    ck_assert_ptr_null(kiln_chardev_open(&options, NULL, &error));
    kiln_assert_error_has(error, "another process listens on it");
    ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_EXISTS));
    g_clear_error(&error);

    kiln_fd_clear(&other); /* as a process that was killed leaves it */
    open_port(&options);
    close_port();

    ck_assert(g_file_set_contents(file, "precious", -1, NULL));
    options.path = file;
    ck_assert_ptr_null(kiln_chardev_open(&options, NULL, &error));
    kiln_assert_error_has(error, "no socket is there");
    expect_file(file, "precious");
}
END_TEST

START_TEST(unix_client_connects_again)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "socket", NULL);
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    g_autoptr(GError) error = NULL;
    g_auto(KilnFd) server = -1;

    options.kind = KILN_CHARDEV_UNIX;
    options.path = path;
    ck_assert_ptr_null(kiln_chardev_open(&options, NULL, &error));
    kiln_assert_error_has(error, path);
    options.reconnect_seconds = 1;
    open_port(&options);
    server = kiln_unix_listen(path, 1, NULL);
    RUN_UNTIL(port.opened == 1);
    kiln_fd_clear(&(int){ accept(server, NULL, NULL) });
    RUN_UNTIL(port.closed == 1);
    RUN_UNTIL(port.opened == 2);
    close_port();
}
END_TEST

static guint16
port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;

    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(((struct sockaddr_in *)&address)->sin_port); /* the same place for IPv6 */
}

START_TEST(tcp_server_speaks_telnet)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    g_auto(KilnFd) client = socket(AF_INET, SOCK_STREAM, 0);
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    address.sin_port = htons(port_of(listener));
    options.kind = KILN_CHARDEV_TCP;
    options.listen = options.telnet = TRUE;
    options.fd = listener;
    open_port(&options);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    RUN_UNTIL(port.opened == 1);
    guest_writes("\xff$");
    types(client, "a\xff\xf3z");
    RUN_UNTIL(port.received->len == 2);
    ck_assert_str_eq(port.received->str, "az");
    ck_assert_uint_eq(port.breaks, 1);
    {
        char got[15];

        run_what_is_ready();
        ck_assert_int_eq(recv(client, got, sizeof got, MSG_WAITALL), sizeof got);
        ck_assert_mem_eq(got + 12, "\xff\xff$", 3); /* after the greeting */
    }
    close_port();
}
END_TEST

START_TEST(tcp_client_and_server_by_name)
{
    g_autoptr(KilnChardev) server = NULL;
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    g_autoptr(GError) error = NULL;
    g_autofree char *service = NULL;
    int probe = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    ck_assert_int_eq(bind(probe, (struct sockaddr *)&any, sizeof any), 0); /* a port that is free */
    service = g_strdup_printf("%u", port_of(probe));
    close(probe);
    options.kind = KILN_CHARDEV_TCP;
    options.host = "127.0.0.1";
    options.service = service;
    ck_assert_ptr_null(kiln_chardev_open(&options, NULL, &error));
    kiln_assert_error_has(error, "cannot connect to '127.0.0.1:");
    g_clear_error(&error);
    options.listen = TRUE;
    server = kiln_chardev_open(&options, NULL, &error);
    kiln_assert_no_error(error);
    ck_assert_ptr_null(kiln_chardev_open(&options, NULL, &error));
    ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_EXISTS));
    options.listen = FALSE;
    open_port(&options);
    RUN_UNTIL(port.opened == 1);
    run_what_is_ready();
    ck_assert_uint_eq(kiln_chardev_write(server, (const uint8_t *)"hi", 2), 2);
    RUN_UNTIL(port.received->len == 2);
    close_port();
}
END_TEST

START_TEST(input_waits_until_the_guest_has_room)
{
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    options.kind = KILN_CHARDEV_UNIX;
    options.fd = pair[0];
    open_port(&options);
    port.room = 3;
    types(pair[1], "abcdef");
    close(pair[1]); /* what it sent is kept for the guest */
    RUN_UNTIL(port.received->len == 3);
    run_what_is_ready();
    ck_assert_uint_eq(port.closed, 0);
    port.room = 10;
    kiln_chardev_resume_input(port.chardev);
    RUN_UNTIL(port.closed == 1);
    ck_assert_str_eq(port.received->str, "abcdef");
    close_port();
}
END_TEST

START_TEST(stdio_of_no_terminal_is_plain)
{
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    int in[2];
    int out[2];

    ck_assert_int_eq(pipe(in), 0);
    ck_assert_int_eq(pipe(out), 0);
    options.kind = KILN_CHARDEV_STDIO;
    options.fd = in[0];
    options.fd_out = out[1];
    open_port(&options);
    types(in[1], "a\x1d"
                 "b"); /* Ctrl-] is for terminals */
    RUN_UNTIL(port.received->len == 3);
    close(in[1]); /* the end of input is not the end of output */
    run_what_is_ready();
    guest_writes("still here");
    expect(out[0], "still here");
    close_port();
}
END_TEST

START_TEST(console_is_attached_beside_the_backend)
{
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    g_autoptr(GError) error = NULL;
    int first[2];
    int second[2];
    char byte;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, first), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, second), 0);
    options.kind = KILN_CHARDEV_PTY;
    open_port(&options);
    ck_assert(kiln_chardev_attach(port.chardev, first[0], FALSE, &error));
    ck_assert_uint_eq(port.opened, 1);
    guest_writes("out");
    expect(first[1], "out");
    types(first[1], "in");
    RUN_UNTIL(port.received->len == 2);

    ck_assert(!kiln_chardev_attach(port.chardev, second[0], FALSE, &error));
    ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_EXISTS));
    ck_assert_int_eq(read(second[1], &byte, 1), 0); /* closed */
    close(second[1]);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, second), 0);
    ck_assert(kiln_chardev_attach(port.chardev, second[0], TRUE, NULL));
    ck_assert_int_eq(read(first[1], &byte, 1), 0); /* sent away */
    guest_writes("again");
    expect(second[1], "again");
    close(second[1]);
    RUN_UNTIL(port.closed == 1);
    close_port();
}
END_TEST

START_TEST(a_stuck_reader_does_not_hold_the_guest)
{
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    static uint8_t block[4096];
    gsize written = 0;
    gint64 start = g_get_monotonic_time();
    KilnChardevStats stats;
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    options.kind = KILN_CHARDEV_UNIX;
    options.fd = pair[0];
    open_port(&options);
    while (written < 4u << 20) { /* far more than socket and ring hold */
        gsize taken = kiln_chardev_write(port.chardev, block, sizeof block);
        guint before = port.writable;

        written += taken;
        if (taken < sizeof block)
            RUN_UNTIL(port.writable > before);
        else
            run_what_is_ready();
    }
    ck_assert_int_lt(g_get_monotonic_time() - start, 20 * G_USEC_PER_SEC);
    for (guint got = 0;
         got < 4u << 20;) { /* it wakes up: it gets the newest, and all is accounted */
        static uint8_t drain[65536];
        ssize_t some = recv(pair[1], drain, sizeof drain, MSG_DONTWAIT);

        if (some > 0)
            got += (guint)some;
        run_what_is_ready();
        kiln_chardev_get_stats(port.chardev, &stats);
        if (some < 0 && got + stats.dropped == written)
            break;
    }
    ck_assert_uint_eq(stats.written, written);
    ck_assert_uint_gt(stats.dropped, 0);
    close_port();
    close(pair[1]);
}
END_TEST

static const KilnChardevFrontend patient = { .writable = port_writable, .patient = TRUE };

START_TEST(a_patient_front_end_loses_nothing)
{
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    static uint8_t block[4096];
    gsize written = 0, got = 0;
    gint64 start = g_get_monotonic_time();
    KilnChardevStats stats;
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    options.kind = KILN_CHARDEV_UNIX;
    options.fd = pair[0];
    open_port(&options);
    kiln_chardev_set_frontend(port.chardev, &patient, NULL);
    while (got < 4u << 20) {
        static uint8_t drain[65536];
        guint before = port.writable;
        gsize taken = kiln_chardev_write(port.chardev, block, sizeof block);

        written += taken;
        if (taken == sizeof block)
            continue;
        while (port.writable == before) {
            ssize_t some = recv(pair[1], drain, sizeof drain, MSG_DONTWAIT);

            got += some > 0 ? (gsize)some : 0;
            run_what_is_ready();
        }
    }
    /* Progress comes with the reader's, not with a timer. */
    ck_assert_int_lt(g_get_monotonic_time() - start, 5 * G_USEC_PER_SEC);
    kiln_chardev_get_stats(port.chardev, &stats);
    ck_assert_uint_eq(stats.written, written);
    ck_assert_uint_eq(stats.dropped, 0);
    close(pair[1]);
    close_port();
}
END_TEST

static void *
guest_thread(void *data)
{
    for (int i = 0; i < 20000; i++) {
        uint8_t byte = (uint8_t)('a' + i % 26);

        while (kiln_chardev_write(port.chardev, &byte, 1) == 0)
            sched_yield();
        if (i % 64 == 0)
            kiln_chardev_resume_input(port.chardev);
    }
    return NULL;
}

START_TEST(bytes_of_a_vcpu_thread_arrive_in_order)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "log", NULL);
    g_autofree char *content = NULL;
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    pthread_t thread;
    KilnChardevStats stats;
    gsize got = 0;
    gsize length;
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    options.kind = KILN_CHARDEV_UNIX;
    options.fd = pair[0];
    options.log_path = path;
    open_port(&options);
    ck_assert_int_eq(pthread_create(&thread, NULL, guest_thread, NULL), 0);
    while (got < 20000) {
        char buffer[512];
        ssize_t some = read(pair[1], buffer, sizeof buffer);

        for (ssize_t i = 0; i < some; i++)
            ck_assert_int_eq(buffer[i], (char)('a' + (got + (gsize)i) % 26));
        got += some > 0 ? (gsize)some : 0;
        g_main_context_iteration(NULL, FALSE);
    }
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    kiln_chardev_get_stats(port.chardev, &stats);
    close_port();
    close(pair[1]);
    ck_assert(g_file_get_contents(path, &content, &length, NULL));
    /* On a machine so busy that the log's thread stood still for long, the log was left behind. */
    ck_assert_uint_eq(length + stats.dropped, 20000);
    if (stats.dropped > 0)
        return;
    for (gsize i = 0; i < length; i++)
        ck_assert_int_eq(content[i], (char)('a' + i % 26));
}
END_TEST

START_TEST(what_is_in_the_ring_goes_out_at_the_end)
{
    KilnChardevOptions options = KILN_CHARDEV_OPTIONS_INIT;
    char got[64] = "";
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    options.kind = KILN_CHARDEV_UNIX;
    options.fd = pair[0];
    open_port(&options);
    guest_writes("reboot: ");
    guest_writes("Power down\n"); /* no turn of the loop after that */
    close_port();
    ck_assert_int_eq(recv(pair[1], got, sizeof got - 1, MSG_WAITALL), 19);
    ck_assert_str_eq(got, "reboot: Power down\n");
    close(pair[1]);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("chardev");
    TCase *tcase = kiln_test_case(suite, "chardev");

    tcase_add_test(tcase, null_takes_all_and_counts_it);
    tcase_add_test(tcase, file_is_truncated_or_appended_to);
    tcase_add_test(tcase, the_main_loop_is_not_woken_for_each_byte);
    tcase_add_test(tcase, log_gets_what_nobody_listens_to);
    tcase_add_test(tcase, pty_drops_output_until_it_is_opened);
    tcase_add_test(tcase, pty_hears_who_types_first);
    tcase_add_test(tcase, a_closed_pty_does_not_keep_the_loop_busy);
    tcase_add_test(tcase, unix_server_serves_one_client_after_the_other);
    tcase_add_test(tcase, unix_server_without_descriptors_rests);
    tcase_add_test(tcase, unix_server_replaces_a_client_that_left_input_behind);
    tcase_add_test(tcase, unix_server_replaces_only_what_nobody_uses);
    tcase_add_test(tcase, unix_client_connects_again);
    tcase_add_test(tcase, tcp_server_speaks_telnet);
    tcase_add_test(tcase, tcp_client_and_server_by_name);
    tcase_add_test(tcase, input_waits_until_the_guest_has_room);
    tcase_add_test(tcase, stdio_of_no_terminal_is_plain);
    tcase_add_test(tcase, console_is_attached_beside_the_backend);
    tcase_add_test(tcase, a_stuck_reader_does_not_hold_the_guest);
    tcase_add_test(tcase, a_patient_front_end_loses_nothing);
    tcase_add_test(tcase, bytes_of_a_vcpu_thread_arrive_in_order);
    tcase_add_test(tcase, what_is_in_the_ring_goes_out_at_the_end);
    return suite;
}

KILN_TEST_MAIN(make_suite)
