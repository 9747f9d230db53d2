/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every device family: golden-devices/NAME.in.xml parses without a fault, is written as
 * NAME.out.xml, and that parses to what is written the same again.  With KILN_TEST_REGENERATE=1 the
 * .out.xml files are written anew.
 */
#include "tests/lib/kiln-test.h"

#include "domain/chardev.h"
#include "domain/controller.h"
#include "domain/disk.h"
#include "domain/filesystem.h"
#include "domain/graphics.h"
#include "domain/hostdev.h"
#include "domain/input.h"
#include "domain/iommu.h"
#include "domain/memballoon.h"
#include "domain/memory-device.h"
#include "domain/net.h"
#include "domain/panic.h"
#include "domain/rng.h"
#include "domain/shmem.h"
#include "domain/tpm.h"
#include "domain/video.h"
#include "domain/vsock.h"
#include "domain/watchdog.h"

#include <string.h>

static const struct {
    const char *element;
    const KilnStruct *type;
} families[] = {
    { "channel", &kiln_channel_struct },
    { "console", &kiln_console_struct },
    { "controller", &kiln_controller_struct },
    { "disk", &kiln_disk_struct },
    { "filesystem", &kiln_filesystem_struct },
    { "graphics", &kiln_graphics_struct },
    { "hostdev", &kiln_hostdev_struct },
    { "input", &kiln_input_struct },
    { "interface", &kiln_net_struct },
    { "iommu", &kiln_iommu_struct },
    { "memballoon", &kiln_memballoon_struct },
    { "memory", &kiln_memory_device_struct },
    { "panic", &kiln_panic_struct },
    { "rng", &kiln_rng_struct },
    { "serial", &kiln_serial_struct },
    { "shmem", &kiln_shmem_struct },
    { "tpm", &kiln_tpm_struct },
    { "video", &kiln_video_struct },
    { "vsock", &kiln_vsock_struct },
    { "watchdog", &kiln_watchdog_struct },
};

static const char *const goldens[] = { "chardev",    "controller", "disk",
                                       "filesystem", "graphics",   "hostdev",
                                       "interface",  "memory",     "virtio-and-small" };

/* Reads all devices in @text and writes them again; NULL if it is not a document at all. */
static char *
rewrite(const char *text, KilnDomainFormatFlags flags, KilnFaults *faults)
{
    g_autoptr(KilnXmlNode) root = kiln_xml_parse(text, strlen(text), faults);
    g_autoptr(KilnXmlWriter) writer = kiln_xml_writer_new();

    if (root == NULL)
        return NULL;
    root->taken = TRUE;
    kiln_xml_start(writer, root->name);
    for (guint f = 0; f < G_N_ELEMENTS(families); f++) {
        KilnXmlNode *node;

        while ((node = kiln_xml_take_next(root, families[f].element)) != NULL) {
            void *device = kiln_struct_parse(families[f].type, node, faults);

            kiln_xml_start(writer, node->name);
            kiln_struct_format(families[f].type, device, writer, flags);
            kiln_xml_end(writer);
            kiln_struct_free(families[f].type, device);
        }
    }
    kiln_xml_end(writer);
    kiln_xml_report_leftovers(root, faults);
    return kiln_xml_writer_finish(writer);
}

static void
assert_no_faults(const KilnFaults *faults, const char *name)
{
    g_autoptr(GError) error = NULL;

    kiln_faults_to_error(faults, name, &error);
    kiln_assert_no_error(error);
}

static char *
golden_path(const char *name, const char *suffix)
{
    g_autofree char *relative = g_strdup_printf("tests/domain/golden-devices/%s%s", name, suffix);

    return kiln_test_source(relative);
}

static char *
read_golden(const char *name, const char *suffix)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = golden_path(name, suffix);
    char *text = NULL;

    g_file_get_contents(path, &text, NULL, &error);
    kiln_assert_no_error(error);
    return text;
}

START_TEST(golden)
{
    const char *name = goldens[_i];
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autofree char *in = read_golden(name, ".in.xml");
    g_autofree char *out = rewrite(in, 0, faults);
    g_autofree char *again = NULL;
    g_autofree char *wanted = NULL;

    assert_no_faults(faults, name);
    if (g_strcmp0(g_getenv("KILN_TEST_REGENERATE"), "1") == 0) {
        g_autofree char *path = golden_path(name, ".out.xml");

        g_file_set_contents(path, out, -1, NULL);
    }
    wanted = read_golden(name, ".out.xml");
    ck_assert_str_eq(out, wanted);
    again = rewrite(out, 0, faults);
    assert_no_faults(faults, name);
    ck_assert_str_eq(again, out);
}
END_TEST

/* With every secret and all that is live: nothing that was read is lost on the way. */
START_TEST(round_trip)
{
    const char *name = goldens[_i];
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autofree char *in = read_golden(name, ".in.xml");
    g_autofree char *out = rewrite(in, KILN_FORMAT_SECURE, faults);
    g_autofree char *again = rewrite(out, KILN_FORMAT_SECURE, faults);

    assert_no_faults(faults, name);
    ck_assert_str_eq(again, out);
}
END_TEST

START_TEST(secrets_and_live_parts_on_request_only)
{
    static const char text[] =
        "<devices><graphics type='vnc' passwd='geheim'/>"
        "<disk type='network'><source protocol='http' name='a'><host name='h'/>"
        "<cookies><cookie name='c'>geheim</cookie></cookies></source><target dev='vda'/></disk>"
        "<channel type='unix'><target type='virtio' name='a' state='connected'/></channel>"
        "</devices>";
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autofree char *plain = rewrite(text, 0, faults);
    g_autofree char *secure = rewrite(text, KILN_FORMAT_SECURE, faults);
    g_autofree char *inactive = rewrite(text, KILN_FORMAT_INACTIVE, faults);

    assert_no_faults(faults, "secrets");
    ck_assert_ptr_null(strstr(plain, "geheim"));
    ck_assert_ptr_nonnull(strstr(secure, "passwd='geheim'"));
    ck_assert_ptr_nonnull(strstr(secure, ">geheim</cookie>"));
    ck_assert_ptr_nonnull(strstr(plain, "state='connected'"));
    ck_assert_ptr_null(strstr(inactive, "state="));
}
END_TEST

static const struct {
    const char *device;
    const char *path;   /* of the first fault */
    const char *reason; /* part of its message */
} wrong[] = {
    { "<disk><target dev='vda' bus='nvme'/></disk>", "devices/disk/target@bus",
      "not one of 'ide', 'fdc', 'scsi', 'virtio', 'usb', 'sata'" },
    { "<disk/>", "devices/disk", "<target dev=>" },
    { "<disk><source dev='/dev/sda'/><target dev='vda'/></disk>", "devices/disk/source@dev",
      "not known" },
    { "<disk><source file='relative'/><target dev='vda'/></disk>", "devices/disk/source@file",
      "not an absolute path" },
    { "<disk device='lun'><target dev='sda'/></disk>", "devices/disk@device", "'block'" },
    { "<disk rawio='yes'><target dev='sda'/></disk>", "devices/disk@rawio", "not known" },
    { "<disk type='network'><target dev='vda'/></disk>", "devices/disk", "protocol" },
    { "<disk type='network'><source protocol='nbd'/><target dev='vda'/></disk>", "devices/disk",
      "exactly one <host>" },
    { "<disk type='network'><source protocol='gluster' name='a'/><target dev='vda'/></disk>",
      "devices/disk", "at least one <host>" },
    { "<disk type='network'><source protocol='nbd'><host transport='unix' name='a'/></source>"
      "<target dev='vda'/></disk>",
      "devices/disk/source/host", "'socket'" },
    { "<disk type='vhostuser'><source type='unix' path='/s' mode='client'/><target "
      "dev='vda'/></disk>",
      "devices/disk", "mode" },
    { "<disk type='nvme'><source type='unix' namespace='1'/><target dev='vda'/></disk>",
      "devices/disk/source@type", "'pci'" },
    { "<disk><driver queues='0'/><target dev='vda'/></disk>", "devices/disk/driver@queues", "1" },
    { "<disk><driver iothread='-1'/><target dev='vda'/></disk>", "devices/disk/driver@iothread",
      "'-1'" },
    { "<disk><target dev='vda'/><iotune><total_iops_sec>1</total_iops_sec>"
      "<read_iops_sec>1</read_iops_sec></iotune></disk>",
      "devices/disk/iotune", "'total_iops_sec' is set together" },
    { "<disk><target dev='vda'/><wwn>12</wwn></disk>", "devices/disk/wwn", "16 hexadecimal" },
    { "<disk><target dev='vda'/><vendor>more than 8</vendor></disk>", "devices/disk/vendor",
      "at most 8" },
    { "<disk><target dev='vda'/><backingStore><source file='/a'/></backingStore></disk>",
      "devices/disk/backingStore", "<format type=>" },
    { "<interface type='bridge'/>", "devices/interface", "<source bridge=>" },
    { "<interface type='network'><source network='a' macTableManager='kernel'/></interface>",
      "devices/interface", "'bridge'" },
    { "<input type='tablet'><address type='usb' bus='0' port='1..2'/></input>",
      "devices/input/address@port", "not a port" },
    { "<input type='tablet'><alias name='ua-a b'/></input>", "devices/input/alias@name",
      "not an alias" },
    { "<interface type='user'><rom file='relative'/></interface>", "devices/interface/rom@file",
      "not an absolute path" },
    { "<tpm><backend type='external'><source type='unix' path='/s'/></backend></tpm>",
      "devices/tpm/backend/source@mode", "missing" },
    { "<interface type='magic'/>", "devices/interface@type", "not one of 'bridge', 'network'" },
    { "<interface/>", "devices/interface@type", "missing" },
    { "<interface type='user'><mac address='01:00:5e:00:00:01'/></interface>",
      "devices/interface/mac@address", "unicast" },
    { "<interface type='ethernet'><source bridge='br0'/></interface>",
      "devices/interface/source@bridge", "not known" },
    { "<interface type='user'><vlan/></interface>", "devices/interface/vlan", "<tag>" },
    { "<interface type='user'><driver name='vfio'/></interface>", "devices/interface",
      "type 'hostdev' only" },
    { "<interface type='vhostuser'><source type='unix' path='/s'/></interface>",
      "devices/interface", "<source mode=>" },
    { "<interface type='user'><ip address='10.0.0.300'/></interface>",
      "devices/interface/ip@address", "not an IPv4 or IPv6" },
    { "<interface type='user'><teaming type='transient'/></interface>",
      "devices/interface/teaming@persistent", "other adapter" },
    { "<serial type='tcp'><source host='a'/></serial>", "devices/serial", "<source service=>" },
    { "<serial type='file'/>", "devices/serial", "<source path=>" },
    { "<serial type='udp'/>", "devices/serial", "one or two" },
    { "<serial type='pty'><source host='a'/></serial>", "devices/serial/source@host", "not known" },
    { "<serial type='pty'><target port='x'/></serial>", "devices/serial/target@port", "'x'" },
    { "<channel type='pty'/>", "devices/channel", "<target>" },
    { "<channel type='pty'><target type='guestfwd'/></channel>", "devices/channel/target",
      "'address' and 'port'" },
    { "<controller type='pci'/>", "devices/controller@model", "missing" },
    { "<controller type='usb' model='lsilogic'/>", "devices/controller@model", "'qemu-xhci'" },
    { "<controller type='pci' model='pci-bridge'><pcihole64>1</pcihole64></controller>",
      "devices/controller", "<pcihole64>" },
    { "<filesystem type='mount'><source file='/a'/><target dir='a'/></filesystem>",
      "devices/filesystem", "<source>" },
    { "<filesystem fmode='888'><source dir='/a'/><target dir='a'/></filesystem>",
      "devices/filesystem@fmode", "octal" },
    { "<filesystem><driver queue='8'/><source dir='/a'/><target dir='a'/></filesystem>",
      "devices/filesystem", "virtiofs" },
    { "<graphics type='vnc' port='70000'/>", "devices/graphics@port", "-1 to 65535" },
    { "<graphics type='vnc' port='1' socket='/s'/>", "devices/graphics@socket", "neither" },
    { "<graphics type='vnc' tlsPort='1'/>", "devices/graphics@tlsPort", "not known" },
    { "<graphics type='vnc' connected='fail'/>", "devices/graphics@connected", "'keep'" },
    { "<hostdev type='pci'/>", "devices/hostdev", "names a device of type 'pci'" },
    { "<hostdev mode='capabilities' type='misc'/>", "devices/hostdev@mode", "'subsystem'" },
    { "<hostdev type='mdev' model='virtio'><source>"
      "<address uuid='53764d0e-85a0-42b4-af5c-2046b460b1dc'/></source></hostdev>",
      "devices/hostdev@model", "vfio-pci" },
    { "<input type='passthrough' bus='usb'><source evdev='/e'/></input>", "devices/input@bus",
      "'virtio'" },
    { "<memory model='dimm'/>", "devices/memory", "<size>" },
    { "<memory model='dimm'><target><size unit='X'>1</size></target></memory>",
      "devices/memory/target/size", "size" },
    { "<memory model='virtio-mem'><target><size>1</size></target></memory>", "devices/memory",
      "<requested>" },
    { "<rng model='virtio'/>", "devices/rng", "<backend>" },
    { "<rng model='virtio'><backend model='builtin'>/dev/x</backend></rng>", "devices/rng/backend",
      "" },
    { "<vsock><cid auto='no'/></vsock>", "devices/vsock", "'address'" },
    { "<vsock><cid address='2'/></vsock>", "devices/vsock/cid@address", "from 3" },
    { "<tpm><backend type='passthrough'><encryption secret='x'/></backend></tpm>",
      "devices/tpm/backend/encryption", "not known" },
    { "<video><model type='vga' ram='1'/></video>", "devices/video/model@ram", "not known" },
    { "<watchdog model='i6300esb' action='explode'/>", "devices/watchdog@action",
      "'reset', 'shutdown', 'poweroff', 'pause', 'none', 'dump', 'inject-nmi'" },
    { "<shmem name='a/b'/>", "devices/shmem@name", "without '/'" },
};

START_TEST(faults_name_place_and_reason)
{
    g_autofree char *text = g_strdup_printf("<devices>\n%s\n</devices>", wrong[_i].device);
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    g_autofree char *out = rewrite(text, 0, faults);
    const KilnFault *fault;

    ck_assert_msg(kiln_faults_count(faults) > 0, "no fault in %s", text);
    fault = kiln_faults_get(faults, 0);
    ck_assert_int_eq(fault->kind, KILN_FAULT_XML);
    ck_assert_uint_eq(fault->place.line, 2);
    ck_assert_str_eq(fault->path, wrong[_i].path);
    ck_assert_msg(strstr(fault->message, wrong[_i].reason) != NULL, "'%s' lacks '%s' in %s",
                  fault->message, wrong[_i].reason, text);
    ck_assert_ptr_nonnull(out);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("devices");
    TCase *good = kiln_test_case(suite, "golden");
    TCase *bad = kiln_test_case(suite, "faults");

    tcase_add_loop_test(good, golden, 0, G_N_ELEMENTS(goldens));
    tcase_add_loop_test(good, round_trip, 0, G_N_ELEMENTS(goldens));
    tcase_add_test(good, secrets_and_live_parts_on_request_only);
    tcase_add_loop_test(bad, faults_name_place_and_reason, 0, G_N_ELEMENTS(wrong));
    return suite;
}

KILN_TEST_MAIN(make_suite)
