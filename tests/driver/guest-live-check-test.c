/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a process says of its definition, beside what it was started with. */
#include "guest/live-check.h"
#include "tests/lib/kiln-test.h"

#include <string.h>

#define DISK(device, type, source, dev)                                                            \
    "<disk type='" type "' device='" device "'><source " source "/><target dev='" dev              \
    "' bus='virtio'/></disk>"
#define IMAGE    DISK("disk", "file", "file='/images/a.raw'", "vda")
#define SHADOW   DISK("disk", "file", "file='/etc/shadow'", "vda")
#define DEVICE   DISK("disk", "block", "dev='/dev/sda'", "vda")
#define VOLUME   DISK("disk", "volume", "pool='p' volume='v'", "vda")
#define MEDIUM_1 DISK("cdrom", "file", "file='/images/1.iso'", "vdb")
#define MEDIUM_2 DISK("cdrom", "file", "file='/images/2.iso'", "vdb")
#define AGENT(at)                                                                                  \
    "<channel type='unix'>" at "<target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
#define AT(path)     "<source mode='bind' path='" path "'/>"
#define TERMINAL(at) "<channel type='pty'>" at "<target type='virtio' name='p'/></channel>"

static KilnDomain *
document(const char *devices)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autofree char *text =
        g_strdup_printf("<domain type='kvm'><name>web</name><memory>1024</memory>"
                        "<os><type arch='x86_64' machine='q35'>hvm</type><kernel>/k</kernel></os>"
                        "<devices>%s</devices></domain>",
                        devices);
    KilnDomain *domain = kiln_domain_parse(text, strlen(text), faults);

    ck_assert_ptr_nonnull(domain);
    return domain;
}

static KilnDomain *
booting(const char *os)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autofree char *text = g_strdup_printf(
        "<domain type='kvm'><name>web</name><memory>1024</memory><os firmware='efi'>"
        "<type>hvm</type>%s</os></domain>",
        os);

    return kiln_domain_parse(text, strlen(text), faults);
}

static void
check(const char *known, const char *told, const char *reason)
{
    g_autoptr(KilnDomain) before = known != NULL ? document(known) : NULL;
    g_autoptr(KilnDomain) now = document(told);
    g_autoptr(GError) error = NULL;

    ck_assert_int_eq(kiln_live_check(before, now, "/run/kiln", &error), reason == NULL);
    if (reason != NULL)
        ck_assert_str_eq(error->message, reason);
}

START_TEST(what_was_said_before_may_be_said)
{
    check(NULL, SHADOW, NULL);
    check(IMAGE AGENT(AT("/s")), IMAGE AGENT(AT("/s")), NULL);
}
END_TEST

START_TEST(a_channel_is_where_it_was_or_where_channels_are_put)
{
    check(AGENT(""), AGENT(AT("/run/kiln/channel/web.agent")), NULL);
    check(AGENT(""), AGENT(AT("/run/kiln/channel/../x")),
          "a channel's socket '/run/kiln/channel/../x'");
    check(AGENT(""), AGENT(AT("/run/kiln/channel/..")),
          "a channel's socket '/run/kiln/channel/..'");
    check(AGENT(""), AGENT(AT("/run/other")), "a channel's socket '/run/other'");
    check(AGENT(AT("/s")), AGENT(AT("/run/kiln/channel/web.agent")),
          "a channel's socket '/run/kiln/channel/web.agent'");
    check(AGENT(""), AGENT("") AGENT(AT("/s")), "other channels");
    check(TERMINAL(""), AGENT(AT("/s")), "a channel of another type");
    check(TERMINAL(""), TERMINAL("<source path='/dev/pts/3'/>"), NULL);
}
END_TEST

START_TEST(a_disk_is_what_it_was_unless_it_is_a_drive_or_a_volume)
{
    check(IMAGE, SHADOW, "a disk's source '/etc/shadow'");
    check(IMAGE, DEVICE, "a disk of another type");
    check(IMAGE, "", "other disks");
    check(VOLUME, IMAGE, NULL);
    check(MEDIUM_1, MEDIUM_2, NULL);
}
END_TEST

START_TEST(firmware_that_was_chosen_stays)
{
    static const char chosen[] = "<loader type='pflash'>/CODE.fd</loader><nvram>/VARS.fd</nvram>";
    static const char *const others[] = {
        "<loader type='pflash'>/OTHER.fd</loader><nvram>/VARS.fd</nvram>",
        "<loader type='pflash'>/CODE.fd</loader><nvram>/etc/shadow</nvram>",
    };
    g_autoptr(KilnDomain) open = booting("");
    g_autoptr(KilnDomain) known = booting(chosen);

    ck_assert(kiln_live_check(open, known, "/run/kiln", NULL));
    for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autoptr(KilnDomain) told = booting(others[i]);

        ck_assert(!kiln_live_check(known, told, "/run/kiln", NULL));
    }
}
END_TEST

static Suite *
live_check_suite(void)
{
    Suite *suite = suite_create("guest live check");
    TCase *test_case = kiln_test_case(suite, "live check");

    tcase_add_test(test_case, what_was_said_before_may_be_said);
    tcase_add_test(test_case, a_channel_is_where_it_was_or_where_channels_are_put);
    tcase_add_test(test_case, a_disk_is_what_it_was_unless_it_is_a_drive_or_a_volume);
    tcase_add_test(test_case, firmware_that_was_chosen_stays);
    return suite;
}

KILN_TEST_MAIN(live_check_suite)
