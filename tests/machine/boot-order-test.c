/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What firmware is told to boot from, held against what libvirt and QEMU tell it for the same
 * documents. */
#include "domain/assign.h"
#include "domain/domain.h"
#include "machine/fw-cfg.h"
#include "tests/lib/kiln-test.h"

#define DISK(bus, dev, address, more)                                                              \
    "<disk type='file' device='disk'><source file='/x'/><target dev='" dev "' bus='" bus "'/>"     \
    "<address " address "/>" more "</disk>"
#define CDROM(dev, address)                                                                        \
    "<disk type='file' device='cdrom'><source file='/x'/><target dev='" dev "' bus='sata'/>"       \
    "<address " address "/></disk>"
#define NET(address, more)                                                                         \
    "<interface type='user'><model type='virtio'/><address " address "/>" more "</interface>"
#define PCI(bus, slot) "type='pci' domain='0' bus='" bus "' slot='" slot "' function='0'"
#define DRIVE(unit)    "type='drive' controller='0' bus='0' target='1' unit='" unit "'"
#define ORDER(n)       "<boot order='" n "'/>"
#define ROOT_PORT                                                                                  \
    "<controller type='pci' index='1' model='pcie-root-port'><address type='pci' "                 \
    "domain='0' bus='0' slot='2' function='1'/></controller>"
#define CONTROLLERS                                                                                \
    "<controller type='sata' index='0'><address type='pci' domain='0' bus='0' slot='0x1f' "        \
    "function='2'/></controller><controller type='scsi' index='0' model='virtio-scsi'><address "   \
    "type='pci' domain='0' bus='0' slot='5' function='0'/></controller>"

static char *
order_of(const char *os, const char *devices)
{
    g_autofree char *xml = g_strdup_printf(
        "<domain type='kvm'><name>x</name><memory>65536</memory><vcpu>1</vcpu><os>"
        "<type arch='x86_64' machine='q35'>hvm</type>%s</os><devices>%s</devices></domain>",
        os, devices);
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autoptr(KilnDomain) domain = kiln_domain_parse(xml, strlen(xml), faults);

    ck_assert_ptr_nonnull(domain);
    return g_string_free(kiln_machine_boot_order(domain), FALSE);
}

static void
check(const char *os, const char *devices, const char *expected)
{
    g_autofree char *order = order_of(os, devices);

    ck_assert_str_eq(order, expected);
}

START_TEST(nothing_to_boot_from)
{
    check("", "", "");
    check("<boot dev='network'/>", DISK("virtio", "vda", PCI("0", "4"), ""), "");
}
END_TEST

START_TEST(hard_disk_by_default)
{
    check("", NET(PCI("0", "3"), "") DISK("virtio", "vda", PCI("0", "4"), ""),
          "/pci@i0cf8/scsi@4/disk@0,0\nHALT");
}
END_TEST

START_TEST(behind_a_root_port)
{
    check("", ROOT_PORT DISK("virtio", "vda", PCI("1", "0"), ""),
          "/pci@i0cf8/pci-bridge@2,1/scsi@0/disk@0,0\nHALT");
}
END_TEST

START_TEST(kernel_ahead_of_all)
{
    check("<kernel>/k</kernel>", DISK("virtio", "vda", PCI("0", "4"), ""),
          "/rom@genroms/linuxboot_dma.bin\n/pci@i0cf8/scsi@4/disk@0,0\nHALT");
}
END_TEST

START_TEST(kinds_in_their_order)
{
    check("<boot dev='network'/><boot dev='cdrom'/><boot dev='hd'/>",
          CONTROLLERS CDROM("sda", DRIVE("3")) NET(PCI("0", "3"), "")
              DISK("virtio", "vda", PCI("0", "4"), "") DISK("virtio", "vdb", PCI("0", "6"), ""),
          "/pci@i0cf8/ethernet@3/ethernet-phy@0\n"
          "/pci@i0cf8/pci8086,2922@1f,2/drive@3/disk@0\n"
          "/pci@i0cf8/scsi@4/disk@0,0\nHALT");
}
END_TEST

START_TEST(devices_in_their_order)
{
    check("",
          CONTROLLERS NET(PCI("0", "3"), ORDER("20"))
              DISK("virtio", "vda", PCI("0", "4"), ORDER("3"))
                  DISK("scsi", "sdb", DRIVE("2"), ORDER("1")),
          "/pci@i0cf8/scsi@5/channel@0/disk@1,2\n"
          "/pci@i0cf8/scsi@4/disk@0,0\n"
          "/pci@i0cf8/ethernet@3/ethernet-phy@0\nHALT");
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("boot-order");
    TCase *tcase = kiln_test_case(suite, "boot-order");

    tcase_add_test(tcase, nothing_to_boot_from);
    tcase_add_test(tcase, hard_disk_by_default);
    tcase_add_test(tcase, behind_a_root_port);
    tcase_add_test(tcase, kernel_ahead_of_all);
    tcase_add_test(tcase, kinds_in_their_order);
    tcase_add_test(tcase, devices_in_their_order);
    return suite;
}

KILN_TEST_MAIN(make_suite)
