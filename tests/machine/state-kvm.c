/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A machine is saved while it runs guest.S, loaded into another one, and goes on there: devices,
 * vCPU and clocks are all in the stream.  Guest memory is copied by the test.
 */
#include "tests/lib/kiln-test.h"

#include "base/error.h"
#include "domain/domain.h"
#include "machine/private.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static const char document[] =
    "<domain type='kvm'><name>state</name><memory unit='MiB'>32</memory>"
    "<iothreads>1</iothreads>"
    "<os><type arch='x86_64' machine='q35'>hvm</type><kernel>%s</kernel>"
    "<cmdline>%s</cmdline></os>"
    "<features><acpi/></features><devices>"
    "<serial type='file'><source path='%s' append='on'/><target port='0'/></serial>"
    "%s</devices></domain>";

static const char no_devices[] = "<memballoon model='none'/>";

/* @disk: of both disks; they are opened by two machines at once, so nobody may write. */
static char *
all_devices(const char *disk)
{
    return g_strdup_printf(
        "<disk type='file'><driver type='raw' iothread='1'/><source file='%s'/>"
        "<target dev='vda' bus='virtio'/><readonly/></disk>"
        "<disk type='file'><driver type='raw' packed='on' queues='2'/><source file='%s'/>"
        "<target dev='vdb' bus='virtio'/><readonly/></disk>"
        "<interface type='null'><model type='virtio'/></interface>"
        "<channel type='null'><target type='virtio' name='org.example.0'/></channel>"
        "<rng model='virtio'><backend model='builtin'/></rng>"
        "<memballoon model='virtio'/>"
        "<input type='tablet' bus='virtio'/>"
        "<watchdog model='i6300esb' action='none'/>",
        disk, disk);
}

static KilnMachine *
build_with(const char *devices, const char *output, const char *cmdline)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *kernel =
        g_build_filename(g_getenv("KILN_BUILDDIR"), "tests/machine/guest.elf", NULL);
    g_autofree char *text = g_strdup_printf(document, kernel, cmdline, output, devices);
    g_autoptr(KilnDomain) domain = kiln_domain_parse(text, strlen(text), faults);
    KilnMachineOptions options = { .kvm_fd = -1 };
    KilnMachine *machine;

    ck_assert_ptr_nonnull(domain);
    ck_assert(kiln_domain_validate(domain, faults) && kiln_domain_assign(domain, faults));
    machine = kiln_machine_new(g_steal_pointer(&domain), &options, &error);
    kiln_assert_no_error(error);
    return machine;
}

static KilnMachine *
build(const char *output, const char *cmdline)
{
    return build_with(no_devices, output, cmdline);
}

static gsize
size_of(const char *path)
{
    GStatBuf status;

    return g_stat(path, &status) == 0 ? (gsize)status.st_size : 0;
}

/* Runs the main loop until @path has more than @size bytes. */
static void
wait_for_output(const char *path, gsize size)
{
    while (size_of(path) <= size) {
        (void)g_main_context_iteration(NULL, FALSE);
        g_thread_yield();
    }
}

static void
copy_memory(KilnMachine *from, KilnMachine *to)
{
    guint n;
    guint m;
    const KilnMemoryRegion *source = kiln_memory_regions(from->memory, &n);
    const KilnMemoryRegion *target = kiln_memory_regions(to->memory, &m);

    ck_assert_uint_eq(n, m);
    for (guint i = 0; i < n; i++)
        memcpy(target[i].host, source[i].host, source[i].size);
}

START_TEST(goes_on_in_another_machine)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *first_output = g_build_filename(dir, "first", NULL);
    g_autofree char *second_output = g_build_filename(dir, "second", NULL);
    g_autoptr(KilnMachine) first = build(first_output, "l");
    /* Its own kernel would power off at once: it goes on as the other one, or not at all. */
    g_autoptr(KilnMachine) second = build(second_output, "p");
    g_autoptr(GByteArray) stream = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    ck_assert(kiln_machine_start(first, FALSE, &error));
    wait_for_output(first_output, 3);
    ck_assert(!kiln_machine_save(first, stream, &error)); /* it runs */
    ck_assert_int_eq(error->code, KILN_ERROR_STATE);
    g_clear_error(&error);
    ck_assert(kiln_machine_pause(first, &error));
    ck_assert(kiln_machine_save(first, stream, &error));
    copy_memory(first, second);
    kiln_machine_quit(first, KILN_REASON_DESTROYED);

    ck_assert_msg(kiln_machine_load(second, stream->data, stream->len, &error), "%s",
                  error != NULL ? error->message : "");
    ck_assert(kiln_machine_start(second, FALSE, &error));
    wait_for_output(second_output, 10);
    ck_assert_int_eq(kiln_machine_state(second), KILN_MACHINE_RUNNING);
    kiln_machine_quit(second, KILN_REASON_DESTROYED);
}
END_TEST

START_TEST(a_damaged_stream_is_refused)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *output = g_build_filename(dir, "output", NULL);
    g_autoptr(KilnMachine) machine = build(output, "l");
    g_autoptr(GByteArray) stream = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    ck_assert(kiln_machine_start(machine, TRUE, &error));
    ck_assert_int_eq(kiln_machine_state(machine), KILN_MACHINE_PAUSED);
    ck_assert(kiln_machine_save(machine, stream, &error));
    kiln_machine_quit(machine, KILN_REASON_DESTROYED);
    for (guint cut = 0; cut < stream->len; cut += stream->len / 16 + 1) {
        g_autoptr(KilnMachine) other = build(output, "l");

        ck_assert(!kiln_machine_load(other, stream->data, cut, &error));
        ck_assert_ptr_nonnull(error);
        g_clear_error(&error);
    }
}
END_TEST

/* A machine with every device is saved; one of the same devices takes it and saves the same of
 * them; one that lacks some says which. */
START_TEST(devices_are_in_the_stream)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *output = g_build_filename(dir, "output", NULL);
    g_autofree char *disk = g_build_filename(dir, "disk", NULL);
    g_autofree char *devices = all_devices(disk);
    g_autofree char *contents = g_malloc0(1 << 20);
    g_autoptr(GByteArray) stream = g_byte_array_new();
    g_autoptr(GByteArray) again = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnMachine) first = NULL;
    g_autoptr(KilnMachine) second = NULL;
    g_autoptr(KilnMachine) bare = NULL;

    ck_assert(g_file_set_contents(disk, contents, 1 << 20, NULL));
    first = build_with(devices, output, "l");
    ck_assert(kiln_machine_start(first, FALSE, &error));
    wait_for_output(output, 3);
    ck_assert(kiln_machine_pause(first, &error));
    ck_assert_msg(kiln_machine_save(first, stream, &error), "%s", error ? error->message : "");
    kiln_machine_quit(first, KILN_REASON_DESTROYED);

    second = build_with(devices, output, "l");
    ck_assert_msg(kiln_machine_load(second, stream->data, stream->len, &error), "%s",
                  error != NULL ? error->message : "");
    ck_assert(kiln_machine_start(second, TRUE, &error));
    ck_assert(kiln_machine_save(second, again, &error));
    ck_assert_uint_eq(again->len, stream->len);
    kiln_machine_quit(second, KILN_REASON_DESTROYED);

    bare = build(output, "l");
    ck_assert(!kiln_machine_load(bare, stream->data, stream->len, &error));
    ck_assert_msg(strstr(error->message, "virtio") != NULL ||
                      strstr(error->message, "port") != NULL,
                  "%s", error->message);
}
END_TEST

static Suite *
state_suite(void)
{
    Suite *suite = suite_create("machine/state");
    TCase *tcase = kiln_test_case(suite, "state");

    tcase_add_test(tcase, goes_on_in_another_machine);
    tcase_add_test(tcase, a_damaged_stream_is_refused);
    tcase_add_test(tcase, devices_are_in_the_stream);
    return suite;
}

int
main(void)
{
    if (access("/dev/kvm", R_OK | W_OK) != 0)
        return kiln_test_skip_all("/dev/kvm cannot be opened here");
    return kiln_test_main(state_suite());
}
