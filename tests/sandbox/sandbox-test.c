/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each test is a child that enters the sandbox and does one thing; what comes of it is its exit
 * status or the signal that ends it.
 */
#include "tests/lib/kiln-test.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "sandbox/sandbox.h"

enum { DONE = 0, FAILED = 100, NOT_ENTERED = 101 };

typedef struct {
    const char *dir; /* where files may be removed */
    int fd;          /* opened before */
    gboolean landlock;
} Scene;

/* Forks a child that enters and acts; returns its wait status. */
static int
run(KilnSandboxMode mode, Scene *scene, int (*act)(Scene *scene))
{
    const char *const socket_dirs[] = { scene->dir, "/no/such/dir", NULL };
    const KilnSandboxOptions options = { .mode = mode,
                                         .socket_dirs = scene->dir != NULL ? socket_dirs : NULL };
    pid_t child = fork();
    int status = 0;

    ck_assert_int_ne(child, -1);
    if (child == 0) {
        GError *error = NULL;

        if (!kiln_sandbox_enter(&options, &error)) {
            fprintf(stderr, "# %s\n", error->message);
            _exit(NOT_ENTERED);
        }
        _exit(act(scene));
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

static void
expect_done(int (*act)(Scene *scene))
{
    Scene scene = { .fd = -1 };
    int status = run(KILN_SANDBOX_ON, &scene, act);

    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == DONE, "wait status 0x%x", status);
}

static void
expect_killed(int (*act)(Scene *scene))
{
    Scene scene = { .fd = -1 };
    int status = run(KILN_SANDBOX_ON, &scene, act);

    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "wait status 0x%x", status);
}

/* DONE if a call failed with @wanted. */
static int
failed_with(long result, int wanted)
{
    return result == -1 && errno == wanted ? DONE : FAILED;
}

static int
no_socket(Scene *scene)
{
    int failures = failed_with(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), EACCES) +
                   failed_with(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), EACCES) +
                   failed_with(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), EACCES);

    return failures == 0 ? DONE : FAILED;
}

START_TEST(new_sockets_are_refused)
{
    expect_done(no_socket);
}
END_TEST

static int
no_writing(Scene *scene)
{
    static const int flags[] = { O_WRONLY,
                                 O_RDWR,
                                 O_WRONLY | O_APPEND,
                                 O_RDONLY | O_CREAT,
                                 O_RDWR | O_CREAT | O_TRUNC,
                                 O_TMPFILE | O_RDWR };

    for (gsize i = 0; i < G_N_ELEMENTS(flags); i++) {
        if (failed_with(open("/tmp/kiln-sandbox-test", flags[i] | O_CLOEXEC, 0600), EACCES) != DONE)
            return FAILED;
    }
    return failed_with(mkdir("/tmp/kiln-sandbox-test", 0700), EACCES);
}

START_TEST(nothing_is_opened_for_writing)
{
    expect_done(no_writing);
}
END_TEST

static int
execute(Scene *scene)
{
    char *const arguments[] = { (char *)"/bin/true", NULL };

    execv(arguments[0], arguments);
    return FAILED;
}

static int
new_process(Scene *scene)
{
    return fork() == -1 ? DONE : FAILED;
}

static int
trace(Scene *scene)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    return FAILED;
}

static int
executable_memory(Scene *scene)
{
    (void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return FAILED;
}

static int
make_executable(Scene *scene)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page != MAP_FAILED)
        (void)mprotect(page, 4096, PROT_READ | PROT_EXEC);
    return FAILED;
}

static int
push_into_terminal(Scene *scene)
{
    char byte = 'x';

    (void)ioctl(0, TIOCSTI, &byte);
    return FAILED;
}

static int
new_namespace(Scene *scene)
{
    (void)unshare(CLONE_NEWUSER);
    return FAILED;
}

static int
signal_another(Scene *scene)
{
    (void)kill(getppid(), 0);
    return FAILED;
}

static int
read_anothers_memory(Scene *scene)
{
    (void)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
    return FAILED;
}

static int (*const forbidden[])(Scene *scene) = {
    execute,           new_process,     trace,
    executable_memory, make_executable, push_into_terminal,
    new_namespace,     signal_another,  read_anothers_memory,
};

START_TEST(what_is_forbidden_kills)
{
    expect_killed(forbidden[_i]);
}
END_TEST

START_TEST(log_mode_only_logs)
{
    Scene scene = { .fd = -1 };
    int status = run(KILN_SANDBOX_LOG, &scene, new_process);

    /* The fork is done: both it and its child come to the same end. */
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == FAILED, "wait status 0x%x", status);
}
END_TEST

static int
no_capabilities(Scene *scene)
{
    char text[4096];
    g_auto(KilnFd) fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t length = kiln_read_full(fd, text, sizeof text - 1, -1);

    if (length <= 0)
        return FAILED;
    text[length] = '\0';
    if (strstr(text, "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n") == NULL ||
        strstr(text, "CapAmb:\t0000000000000000\n") == NULL ||
        strstr(text, "CapInh:\t0000000000000000\n") == NULL ||
        strstr(text, "NoNewPrivs:\t1\n") == NULL || strstr(text, "Seccomp:\t2\n") == NULL)
        return FAILED;
    return geteuid() != 0 || strstr(text, "CapBnd:\t0000000000000000\n") != NULL ? DONE : FAILED;
}

START_TEST(no_capability_is_left)
{
    expect_done(no_capabilities);
}
END_TEST

static int
no_core(Scene *scene)
{
    struct rlimit limit = { 1, 1 };

    if (getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_cur != 0 || limit.rlim_max != 0)
        return FAILED;
    return DONE;
}

START_TEST(no_core_dump)
{
    expect_done(no_core);
}
END_TEST

static gboolean
have_landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 1;
}

static int
read_elsewhere(Scene *scene)
{
    return failed_with(open("/etc/hostname", O_RDONLY | O_CLOEXEC), EACCES) == DONE &&
                   failed_with(open("/root", O_RDONLY | O_DIRECTORY | O_CLOEXEC), EACCES) == DONE &&
                   failed_with(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), EACCES) == DONE
               ? DONE
               : FAILED;
}

START_TEST(files_elsewhere_cannot_be_read)
{
    if (!have_landlock())
        return; /* older kernels: permissions alone decide */
    expect_done(read_elsewhere);
}
END_TEST

static int
remove_two(Scene *scene)
{
    g_autofree char *inside = g_build_filename(scene->dir, "sock", NULL);
    g_autofree char *outside = g_strconcat(scene->dir, ".other", NULL);

    if (unlink(inside) != 0)
        return FAILED;
    return scene->landlock ? failed_with(unlink(outside), EACCES) : DONE;
}

START_TEST(the_socket_can_be_removed_and_nothing_else)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *inside = g_build_filename(dir, "sock", NULL);
    g_autofree char *outside = g_strconcat(dir, ".other", NULL);
    Scene scene = { .dir = dir, .fd = -1, .landlock = have_landlock() };
    int status;

    ck_assert(g_file_set_contents(inside, "", 0, NULL));
    ck_assert(g_file_set_contents(outside, "", 0, NULL));
    status = run(KILN_SANDBOX_ON, &scene, remove_two);
    (void)unlink(outside);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == DONE, "wait status 0x%x", status);
    ck_assert(!g_file_test(inside, G_FILE_TEST_EXISTS));
}
END_TEST

static int
use_descriptors(Scene *scene)
{
    char text[8] = "";

    if (pwrite(scene->fd, "changed", 7, 0) != 7 || pread(scene->fd, text, 7, 0) != 7)
        return FAILED;
    return strcmp(text, "changed") == 0 && fdatasync(scene->fd) == 0 ? DONE : FAILED;
}

START_TEST(open_files_stay_as_they_are)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *path = g_build_filename(dir, "image", NULL);
    g_auto(KilnFd) fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    Scene scene = { .fd = fd };
    int status = run(KILN_SANDBOX_ON, &scene, use_descriptors);

    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == DONE, "wait status 0x%x", status);
}
END_TEST

static int
listen_and_accept(Scene *scene)
{
    struct ucred peer = { 0 };
    socklen_t length = sizeof peer;
    g_auto(KilnFd) client = accept4(scene->fd, NULL, NULL, SOCK_CLOEXEC);
    char byte = 0;

    if (client == -1 || getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
        return FAILED;
    return recv(client, &byte, 1, 0) == 1 && byte == '!' && peer.pid == getppid() ? DONE : FAILED;
}

START_TEST(clients_are_served)
{
    g_autofree char *dir = kiln_test_dir();
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    g_auto(KilnFd) server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_auto(KilnFd) client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    Scene scene = { .fd = server };
    int status;

    g_snprintf(address.sun_path, sizeof address.sun_path, "%s/s", dir);
    ck_assert_int_eq(bind(server, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(server, 1), 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(send(client, "!", 1, 0), 1);
    status = run(KILN_SANDBOX_ON, &scene, listen_and_accept);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == DONE, "wait status 0x%x", status);
}
END_TEST

/* What the control module does at its first client: a large library with its own, and GObject. */
static int
load_library(Scene *scene)
{
    void *gio = dlopen("libgio-2.0.so.0", RTLD_NOW | RTLD_LOCAL);
    gpointer (*new_object)(void);

    if (gio == NULL) {
        fprintf(stderr, "# %s\n", dlerror());
        return FAILED;
    }
    *(void **)&new_object = dlsym(gio, "g_cancellable_new");
    return new_object != NULL && new_object() != NULL ? DONE : FAILED;
}

START_TEST(libraries_can_be_loaded)
{
    expect_done(load_library);
}
END_TEST

static gpointer
wake(gpointer data)
{
    uint64_t one = 1;

    prctl(PR_SET_NAME, "waker", 0, 0, 0);
    (void)g_malloc(1 << 20); /* an arena of its own */
    return GINT_TO_POINTER(kiln_write_full(GPOINTER_TO_INT(data), &one, sizeof one, -1) == 0);
}

static gboolean
stop(gpointer loop)
{
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static int
threads_and_loop(Scene *scene)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    GThread *thread = g_thread_new("waker", wake, GINT_TO_POINTER(fd));
    GMainLoop *loop = g_main_loop_new(NULL, FALSE);
    uint64_t count = 0;
    gboolean woken = GPOINTER_TO_INT(g_thread_join(thread));

    g_timeout_add(1, stop, loop);
    g_main_loop_run(loop);
    return woken && kiln_read_full(fd, &count, sizeof count, -1) == sizeof count && count == 1
               ? DONE
               : FAILED;
}

START_TEST(threads_and_main_loops_run)
{
    expect_done(threads_and_loop);
}
END_TEST

static int
abort_as_usual(Scene *scene)
{
    abort();
}

START_TEST(an_assertion_still_aborts)
{
    Scene scene = { .fd = -1 };
    int status = run(KILN_SANDBOX_ON, &scene, abort_as_usual);

    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "wait status 0x%x", status);
}
END_TEST

/* In a thread of a sandboxed process that has narrowed itself as vCPU threads do. */
static int
in_vcpu_thread(gpointer (*act)(gpointer data))
{
    GThread *thread = g_thread_new("vcpu", act, NULL);

    return GPOINTER_TO_INT(g_thread_join(thread));
}

static gpointer
vcpu_may(gpointer data)
{
    static KilnRatelimit limit;
    int fd = eventfd(0, EFD_CLOEXEC);
    uint64_t value = 1;
    void *memory;

    if (!kiln_sandbox_enter_vcpu_thread(NULL))
        return GINT_TO_POINTER(NOT_ENTERED);
    memory = g_malloc(4 << 20);
    if (kiln_write_full(fd, &value, sizeof value, -1) != 0 ||
        failed_with(ioctl(fd, KVM_RUN, 0), ENOTTY) != DONE ||
        failed_with(ioctl(fd, KVM_IRQ_LINE, memory), ENOTTY) != DONE ||
        failed_with(ioctl(fd, TCSETS, memory), ENOTTY) != DONE)
        return GINT_TO_POINTER(FAILED);
    g_free(memory);
    pthread_kill(pthread_self(), 0);
    kiln_log_guest(&limit, "a guest's mistake"); /* the first line of this process */
    g_usleep(1);
    return GINT_TO_POINTER(DONE);
}

static int
vcpu_thread_runs(Scene *scene)
{
    int outcome = in_vcpu_thread(vcpu_may);

    /* The main thread is as it was. */
    return outcome == DONE && ioctl(0, KVM_CREATE_VM, 0) == -1 ? DONE : FAILED;
}

START_TEST(a_vcpu_thread_can_run_its_vcpu)
{
    expect_done(vcpu_thread_runs);
}
END_TEST

static gpointer
vcpu_opens(gpointer data)
{
    if (!kiln_sandbox_enter_vcpu_thread(NULL))
        return GINT_TO_POINTER(NOT_ENTERED);
    return GINT_TO_POINTER(open("/dev/null", O_RDONLY | O_CLOEXEC) == -1 ? DONE : FAILED);
}

static gpointer
vcpu_creates(gpointer data)
{
    if (!kiln_sandbox_enter_vcpu_thread(NULL))
        return GINT_TO_POINTER(NOT_ENTERED);
    (void)ioctl(0, KVM_CREATE_VM, 0);
    return GINT_TO_POINTER(FAILED);
}

static gpointer
vcpu_starts_thread(gpointer data)
{
    if (!kiln_sandbox_enter_vcpu_thread(NULL))
        return GINT_TO_POINTER(NOT_ENTERED);
    g_thread_unref(g_thread_new("x", vcpu_opens, NULL));
    return GINT_TO_POINTER(FAILED);
}

static int
run_vcpu_opens(Scene *scene)
{
    return in_vcpu_thread(vcpu_opens);
}

static int
run_vcpu_creates(Scene *scene)
{
    return in_vcpu_thread(vcpu_creates);
}

static int
run_vcpu_starts_thread(Scene *scene)
{
    return in_vcpu_thread(vcpu_starts_thread);
}

static int (*const forbidden_to_vcpus[])(Scene *scene) = { run_vcpu_opens, run_vcpu_creates,
                                                           run_vcpu_starts_thread };

START_TEST(a_vcpu_thread_may_less_than_the_main_thread)
{
    expect_killed(forbidden_to_vcpus[_i]);
}
END_TEST

START_TEST(modes)
{
    KilnSandboxMode mode = KILN_SANDBOX_ON;
    g_autoptr(GError) error = NULL;

    ck_assert(kiln_sandbox_parse_mode("off", &mode, NULL));
    ck_assert_int_eq(mode, KILN_SANDBOX_OFF);
    ck_assert(!kiln_sandbox_parse_mode("maybe", &mode, &error));
    kiln_assert_error_has(error, "'maybe'");
    ck_assert_int_eq(mode, KILN_SANDBOX_OFF);
}
END_TEST

enum { NOBODY = 65534 };

/* Opens what is root's alone, enters the sandbox, and tries again. */
static int
become_and_open(const char *path)
{
    const KilnSandboxOptions options = { .mode = kiln_sandbox_default_mode() };
    uid_t real, effective, saved;

    if (!kiln_sandbox_become("65534:65534:1000", NULL) ||
        getresuid(&real, &effective, &saved) != 0 || real != NOBODY || effective != NOBODY ||
        saved != NOBODY || getgid() != NOBODY || setuid(0) == 0)
        return FAILED;
    if (open(path, O_RDWR | O_CLOEXEC) < 0)
        return FAILED + 1;
    if (!kiln_sandbox_enter(&options, NULL))
        return NOT_ENTERED;
    return options.mode == KILN_SANDBOX_ON && open(path, O_RDWR | O_CLOEXEC) >= 0 ? FAILED + 2
                                                                                  : DONE;
}

START_TEST(root_becomes_another_that_opens_files_until_the_sandbox)
{
    g_autofree char *dir = NULL;
    g_autofree char *path = NULL;
    g_autoptr(GError) error = NULL;
    int status = 0;
    pid_t child;

    ck_assert(!kiln_sandbox_become("1000", &error));
    g_clear_error(&error);
    ck_assert(!kiln_sandbox_become("1000:x", &error));
    kiln_assert_error_has(error, "'x' is no number");
    g_clear_error(&error);
    if (geteuid() != 0) {
        ck_assert(!kiln_sandbox_become("1000:1000", &error));
        kiln_assert_error_has(error, "only root");
        return;
    }
    dir = kiln_test_dir();
    path = g_build_filename(dir, "roots", NULL);
    ck_assert(g_file_set_contents_full(path, "x", 1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    child = fork();
    if (child == 0)
        _exit(become_and_open(path));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), DONE);
}
END_TEST

static Suite *
sandbox_suite(void)
{
    Suite *suite = suite_create("sandbox/sandbox");
    TCase *tcase = kiln_test_case(suite, "sandbox");

    tcase_add_test(tcase, modes);
    tcase_add_test(tcase, root_becomes_another_that_opens_files_until_the_sandbox);
    if (kiln_sandbox_default_mode() == KILN_SANDBOX_OFF) {
        g_printerr("# the rest is left out: sanitizer builds have no sandbox\n");
        return suite;
    }
    tcase_add_test(tcase, new_sockets_are_refused);
    tcase_add_test(tcase, nothing_is_opened_for_writing);
    tcase_add_loop_test(tcase, what_is_forbidden_kills, 0, G_N_ELEMENTS(forbidden));
    tcase_add_test(tcase, log_mode_only_logs);
    tcase_add_test(tcase, no_capability_is_left);
    tcase_add_test(tcase, no_core_dump);
    tcase_add_test(tcase, files_elsewhere_cannot_be_read);
    tcase_add_test(tcase, the_socket_can_be_removed_and_nothing_else);
    tcase_add_test(tcase, open_files_stay_as_they_are);
    tcase_add_test(tcase, clients_are_served);
    tcase_add_test(tcase, libraries_can_be_loaded);
    tcase_add_test(tcase, threads_and_main_loops_run);
    tcase_add_test(tcase, an_assertion_still_aborts);
    tcase_add_test(tcase, a_vcpu_thread_can_run_its_vcpu);
    tcase_add_loop_test(tcase, a_vcpu_thread_may_less_than_the_main_thread, 0,
                        G_N_ELEMENTS(forbidden_to_vcpus));
    return suite;
}

KILN_TEST_MAIN(sandbox_suite)
