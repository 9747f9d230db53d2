/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest on a real /dev/kvm whose process and vCPU thread are in the sandbox. */
#include "tests/kvm/guest.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine/msi.h"
#include "sandbox/sandbox.h"

enum { DONE = 0, FAILED = 100, NOT_ENTERED = 101 };

GUEST_ASM(hello, "lea text(%rip), %rsi\n mov $6, %ecx\n mov $0xe9, %dx\n rep outsb\n"
                 "mov $0xf5, %dx\n out %eax, %dx\n"
                 "mov $0x77, %eax\n" GUEST_DONE "text: .ascii \"Hello!\"\n");

static KilnMachineMsi *msi;
static KilnMsiWire wire = { .message = { 0xfee00000, 0x41 } };

/* What a guest's writes to MSI-X tables and BARs lead to. */
static void
use_wires(Guest *guest, uint32_t value)
{
    KilnMsi wires = kiln_machine_msi_wires(msi);
    KilnDoorbells bells = kiln_machine_msi_doorbells(msi);
    KilnMsiWire *list[] = { &wire };

    wire.route = -1;
    eventfd_write(wire.fd, 1);
    wires.ops->connect(wires.opaque, list, 1);
    g_assert(wire.route >= 0);
    wires.ops->disconnect(wires.opaque, list, 1);
    g_assert(bells.ops->add(bells.opaque, GUEST_MMIO, wire.fd));
    bells.ops->remove(bells.opaque, GUEST_MMIO, wire.fd);
}

static gpointer
run_vcpu(gpointer data)
{
    Guest *guest = data;

    if (!kiln_sandbox_enter_vcpu_thread(NULL))
        return GINT_TO_POINTER(NOT_ENTERED);
    guest_run(guest);
    return GINT_TO_POINTER(guest->done && guest->result == 0x77 ? DONE : FAILED);
}

/* The guest runs, then is reset and runs again, and is taken down: all of it inside. */
static int
live(void)
{
    static const KilnSandboxOptions options = { .mode = KILN_SANDBOX_ON };
    g_autoptr(Guest) guest = guest_new(1, 16 << 20, NULL);
    g_autoptr(GError) error = NULL;

    guest->call = use_wires;
    msi = kiln_machine_msi_new(guest->vm);
    wire.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    guest_load(guest, hello_start, hello_end);
    guest_start(guest, KILN_VCPU_START_LONG64);
    if (!kiln_sandbox_enter(&options, &error)) {
        g_printerr("# %s\n", error->message);
        return NOT_ENTERED;
    }
    for (guint i = 0; i < 2; i++) {
        GThread *thread = g_thread_new("vcpu 0", run_vcpu, guest);
        int outcome = GPOINTER_TO_INT(g_thread_join(thread));

        if (outcome != DONE)
            return outcome;
        guest->done = FALSE;
        guest_start(guest, KILN_VCPU_START_LONG64);
    }
    return strcmp(guest->out->str, "Hello!Hello!") == 0 ? DONE : FAILED;
}

START_TEST(a_guest_lives_and_ends_in_the_sandbox)
{
    pid_t child = fork();
    int status = 0;

    ck_assert_int_ne(child, -1);
    if (child == 0)
        _exit(live());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == DONE, "wait status 0x%x", status);
}
END_TEST

static Suite *
vcpu_suite(void)
{
    Suite *suite = suite_create("sandbox/vcpu");
    TCase *tcase = kiln_test_case(suite, "vcpu");

    if (kiln_sandbox_default_mode() == KILN_SANDBOX_OFF)
        g_printerr("# left out: sanitizer builds have no sandbox\n");
    else
        tcase_add_test(tcase, a_guest_lives_and_ends_in_the_sandbox);
    return suite;
}

GUEST_TEST_MAIN(vcpu_suite)
