/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of a definition attached, detached and replaced one by one, found as libvirt finds them.
 */
#include "domain/edit.h"

#include "base/error.h"
#include "tests/lib/kiln-test.h"

#include <string.h>

static const char document[] =
    "<domain type='kvm'><name>g</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
    "<os><type arch='x86_64' machine='q35'>hvm</type><kernel>/k</kernel></os><devices>"
    "<disk type='file' device='disk'><source file='/a.img'/><target dev='vda' bus='virtio'/></disk>"
    "<disk type='file' device='disk'><source file='/b.img'/><target dev='vdb' bus='virtio'/></disk>"
    "<disk type='file' device='disk'><source file='/b.img'/><target dev='vdc' bus='virtio'/></disk>"
    "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"
    "<interface type='user'><mac address='52:54:00:00:00:02'/><model type='virtio'/></interface>"
    "<graphics type='vnc' port='5900'/>"
    "<rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-rng'/></rng>"
    "</devices></domain>";

static KilnDomain *
domain_new(void)
{
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    KilnDomain *domain = kiln_domain_parse(document, strlen(document), faults);

    ck_assert(domain != NULL);
    return domain;
}

static KilnDomainDevice *
device_of(const char *text)
{
    g_autoptr(GError) error = NULL;
    KilnDomainDevice *device = kiln_domain_device_parse(text, strlen(text), &error);

    kiln_assert_no_error(error);
    return device;
}

/* The copy is what its text says: no list holds what cannot be written. */
static void
assert_sound(const KilnDomain *domain)
{
    g_autoptr(KilnDomain) copy = kiln_domain_copy(domain);

    ck_assert(kiln_domain_equal(domain, copy));
}

START_TEST(attach_adds_one)
{
    g_autoptr(KilnDomain) domain = domain_new();
    g_autoptr(GError) error = NULL;

    ck_assert(kiln_domain_attach(
        domain, device_of("<disk type='file'><source file='/d.img'/><target dev='vdd'/></disk>"),
        &error));
    kiln_assert_no_error(error);
    ck_assert_uint_eq(domain->disks->len, 4);
    ck_assert_str_eq(kiln_disk_path(kiln_domain_find_disk(domain, "vdd")), "/d.img");
    ck_assert(domain->document == NULL);
    assert_sound(domain);
}
END_TEST

START_TEST(attach_of_a_target_that_is_there)
{
    g_autoptr(KilnDomain) domain = domain_new();
    g_autoptr(GError) error = NULL;

    ck_assert(!kiln_domain_attach(
        domain, device_of("<disk type='file'><source file='/d.img'/><target dev='vda'/></disk>"),
        &error));
    ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_EXISTS));
    kiln_assert_error_has(error, "target vda already exists");
    ck_assert_uint_eq(domain->disks->len, 3);
}
END_TEST

START_TEST(graphics_are_not_attached)
{
    g_autoptr(KilnDomain) domain = domain_new();
    g_autoptr(GError) error = NULL;

    ck_assert(!kiln_domain_attach(domain, device_of("<graphics type='vnc'/>"), &error));
    ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_UNSUPPORTED));
}
END_TEST

START_TEST(a_memory_module_counts)
{
    g_autoptr(KilnDomain) domain = domain_new();
    g_autoptr(GError) error = NULL;
    static const char module[] = "<memory model='dimm'><target><size unit='MiB'>128</size><node>0"
                                 "</node></target></memory>";
    g_autoptr(KilnDomainDevice) like = device_of(module);

    ck_assert(kiln_domain_attach(domain, device_of(module), &error));
    ck_assert_uint_eq(domain->memory.size.value, 192 << 20);
    ck_assert(kiln_domain_detach(domain, like, &error));
    kiln_assert_no_error(error);
    ck_assert_uint_eq(domain->memory.size.value, 64 << 20);
    ck_assert_uint_eq(domain->memories->len, 0);
}
END_TEST

START_TEST(detach_by_target_mac_alias_or_content)
{
    g_autoptr(KilnDomain) domain = domain_new();
    g_autoptr(KilnDomainDevice) disk =
        device_of("<disk><source file='/x'/><target dev='vdb'/></disk>");
    g_autoptr(KilnDomainDevice) net =
        device_of("<interface type='user'><mac address='52:54:00:00:00:02'/></interface>");
    g_autoptr(KilnDomainDevice) rng =
        device_of("<rng model='virtio'><backend model='random'/></rng>");
    g_autoptr(GError) error = NULL;

    ck_assert(kiln_domain_detach(domain, disk, &error));
    ck_assert(kiln_domain_find_disk(domain, "vdb") == NULL);
    ck_assert(kiln_domain_detach(domain, net, &error));
    ck_assert_uint_eq(domain->interfaces->len, 1);
    ck_assert(kiln_domain_find_net(domain, "52:54:00:00:00:01") != NULL);
    ck_assert(kiln_domain_detach(domain, rng, &error));
    ck_assert_uint_eq(domain->rngs->len, 0);
    kiln_assert_no_error(error);
    assert_sound(domain);
    ck_assert(!kiln_domain_detach(domain, disk, &error));
    ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_NOT_FOUND));
}
END_TEST

START_TEST(detach_by_alias)
{
    g_autoptr(KilnDomain) domain = domain_new();
    g_autoptr(GError) error = NULL;

    ck_assert(kiln_domain_detach_alias(domain, "ua-rng", &error));
    ck_assert_uint_eq(domain->rngs->len, 0);
    ck_assert(!kiln_domain_detach_alias(domain, "ua-rng", &error));
    ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_NOT_FOUND));
}
END_TEST

START_TEST(two_interfaces_are_not_told_apart)
{
    g_autoptr(KilnDomain) domain = domain_new();
    g_autoptr(KilnDomainDevice) net = device_of("<interface type='user'/>");
    g_autoptr(GError) error = NULL;

    ck_assert(!kiln_domain_detach(domain, net, &error));
    kiln_assert_error_has(error, "multiple matching devices found");
    ck_assert_uint_eq(domain->interfaces->len, 2);
}
END_TEST

START_TEST(update_keeps_the_address)
{
    g_autoptr(KilnDomain) domain = domain_new();
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(GError) error = NULL;
    guint slot;
    guint bus;

    ck_assert(kiln_domain_assign(domain, faults));
    bus = kiln_domain_find_disk(domain, "vda")->info.address.pci.bus;
    slot = kiln_domain_find_disk(domain, "vda")->info.address.pci.slot;
    ck_assert(kiln_domain_update(
        domain,
        device_of("<disk type='file'><source file='/n.img'/><target dev='vda' bus='virtio'/>"
                  "</disk>"),
        &error));
    kiln_assert_no_error(error);
    ck_assert_str_eq(kiln_disk_path(kiln_domain_find_disk(domain, "vda")), "/n.img");
    ck_assert_uint_eq(kiln_domain_find_disk(domain, "vda")->info.address.pci.bus, bus);
    ck_assert_uint_eq(kiln_domain_find_disk(domain, "vda")->info.address.pci.slot, slot);
    ck_assert(
        kiln_domain_update(domain,
                           device_of("<interface type='user'><mac address='52:54:00:00:00:01'/>"
                                     "<link state='down'/></interface>"),
                           &error));
    ck_assert_int_eq(kiln_domain_find_net(domain, "52:54:00:00:00:01")->link,
                     KILN_NET_LINK_STATE_DOWN);
    assert_sound(domain);
    ck_assert(!kiln_domain_update(
        domain, device_of("<disk><source file='/n'/><target dev='vdz'/></disk>"), &error));
    ck_assert(g_error_matches(error, KILN_ERROR, KILN_ERROR_INVALID));
}
END_TEST

START_TEST(disk_by_path_if_only_one_has_it)
{
    g_autoptr(KilnDomain) domain = domain_new();

    ck_assert_str_eq(kiln_domain_find_disk(domain, "/a.img")->target_dev, "vda");
    ck_assert(kiln_domain_find_disk(domain, "/b.img") == NULL);
    ck_assert(kiln_domain_find_disk(domain, "vdz") == NULL);
}
END_TEST

START_TEST(what_is_not_one_device)
{
    static const char *const texts[] = {
        "",
        "<disk",
        "<floppy/>",
        "<disk/><disk/>",
        "<disk bogus='1'><target dev='vda'/></disk>",
        "<sound model='ich6'/>",
    };

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;

        ck_assert(kiln_domain_device_parse(texts[i], strlen(texts[i]), &error) == NULL);
        ck_assert(error != NULL);
    }
}
END_TEST

START_TEST(alias_of_a_run_is_forgotten)
{
    g_autoptr(KilnDomainDevice) made =
        device_of("<rng model='virtio'><backend model='random'/><alias name='rng0'/></rng>");
    g_autoptr(KilnDomainDevice) own =
        device_of("<rng model='virtio'><backend model='random'/><alias name='ua-1'/></rng>");

    ck_assert(((KilnRng *)kiln_domain_device_get(made))->info.alias == NULL);
    ck_assert_str_eq(((KilnRng *)kiln_domain_device_get(own))->info.alias, "ua-1");
    ck_assert_str_eq(kiln_domain_device_element(own), "rng");
}
END_TEST

static Suite *
edit_suite(void)
{
    Suite *suite = suite_create("domain/edit");
    TCase *tests = kiln_test_case(suite, "edit");

    tcase_add_test(tests, attach_adds_one);
    tcase_add_test(tests, attach_of_a_target_that_is_there);
    tcase_add_test(tests, graphics_are_not_attached);
    tcase_add_test(tests, a_memory_module_counts);
    tcase_add_test(tests, detach_by_target_mac_alias_or_content);
    tcase_add_test(tests, detach_by_alias);
    tcase_add_test(tests, two_interfaces_are_not_told_apart);
    tcase_add_test(tests, update_keeps_the_address);
    tcase_add_test(tests, disk_by_path_if_only_one_has_it);
    tcase_add_test(tests, what_is_not_one_device);
    tcase_add_test(tests, alias_of_a_run_is_forgotten);
    return suite;
}

KILN_TEST_MAIN(edit_suite)
