/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The room caps on hosts of files: what is read of them, and what XML says of it.  That the XML is
 * legal is caps-schema-test.sh's. */
#include "caps/caps.h"

#include <string.h>

#include "caps/host-cpu.h"
#include "caps/host.h"
#include "caps/machines.h"
#include "domain/domain.h"
#include "domain/rules.h"
#include "error/vir-error.h"
#include "tests/driver/fake-host.h"
#include "tests/lib/kiln-test.h"

#define PROGRAM "/usr/bin/kiln"

static void
assert_has(const char *xml, const char *part)
{
    ck_assert_msg(strstr(xml, part) != NULL, "'%s' is not in:\n%s", part, xml);
}

static void
assert_lacks(const char *xml, const char *part)
{
    ck_assert_msg(strstr(xml, part) == NULL, "'%s' is in:\n%s", part, xml);
}

/* ---- The host -------------------------------------------------------------------------------- */

START_TEST(two_cells_with_threads)
{
    const KilnHostTopology *topology;
    const KilnHostCell *cell;
    const KilnHostPages *huge;
    g_autoptr(GArray) caches = NULL;

    kiln_fake_host("large");
    topology = kiln_host_topology();
    ck_assert_uint_eq(topology->nodes, 2);
    ck_assert_uint_eq(topology->sockets, 1);
    ck_assert_uint_eq(topology->cores, 2);
    ck_assert_uint_eq(topology->threads, 2);
    ck_assert_uint_eq(topology->max_cpus, 16);
    cell = kiln_host_cell(topology, 1);
    ck_assert_uint_eq(cell->memory_kib, 16777216);
    ck_assert_uint_eq(cell->cpus->len, 4);
    ck_assert_uint_eq(g_array_index(cell->distances, guint, 0), 21);
    ck_assert_uint_eq(cell->pages->len, 3);
    huge = &g_array_index(cell->pages, KilnHostPages, 1);
    ck_assert_uint_eq(huge->kib, 2048);
    ck_assert_uint_eq(huge->total, 16);
    caches = kiln_host_caches();
    ck_assert_uint_eq(caches->len, 2);
    ck_assert_str_eq(g_array_index(caches, KilnHostCache, 1).cpus, "2-3,6-7");
    ck_assert(kiln_host_has_iommu());
    ck_assert_uint_eq(kiln_host_mhz(), 3100);
}
END_TEST

START_TEST(a_cpu_that_is_offline)
{
    const KilnHostTopology *topology;
    const KilnHostCell *cell;

    kiln_fake_host("small");
    topology = kiln_host_topology();
    cell = kiln_host_cell(topology, 0);
    ck_assert_uint_eq(cell->cpus->len, 4);
    ck_assert(!g_array_index(cell->cpus, KilnHostCpu, 3).online);
    ck_assert_uint_eq(kiln_bitmap_count(topology->online), 3);
    /* 1 * 1 * 3 * 1 is not 4: libvirt says one socket of as many cores as there are CPUs. */
    ck_assert_uint_eq(topology->cores, 4);
    ck_assert_ptr_null(kiln_host_cell(topology, 1));

    /* It comes back: what is known is read anew. */
    kiln_fake_host_write("/sys/devices/system/cpu/online", "0-3\n");
    cell = kiln_host_cell(kiln_host_topology(), 0);
    ck_assert(g_array_index(cell->cpus, KilnHostCpu, 3).online);
}
END_TEST

START_TEST(a_kernel_without_numa)
{
    const KilnHostTopology *topology;

    kiln_fake_host("bare");
    topology = kiln_host_topology();
    ck_assert_uint_eq(topology->cells->len, 1);
    ck_assert_uint_eq(topology->nodes * topology->sockets * topology->cores * topology->threads, 1);
    ck_assert_uint_eq(kiln_host_cell(topology, 0)->memory_kib, 1000000);
    ck_assert_uint_eq(kiln_host_mhz(), 0);
    ck_assert_uint_eq(kiln_caps_max_vcpus(), 0);
}
END_TEST

START_TEST(no_files_at_all)
{
    g_autofree char *dir = kiln_test_dir();
    g_autofree char *xml = NULL;

    kiln_fake_cpu("Skylake-Client", FALSE);
    kiln_host_set_root(dir);
    xml = kiln_caps_format(PROGRAM, NULL);
    assert_has(xml, "<cells num='1'>");
}
END_TEST

/* ---- Capabilities ---------------------------------------------------------------------------- */

START_TEST(capabilities_of_two_cells)
{
    static const guint8 uuid[16] = { 0x4c, 0x4c, 0x45, 0x44, 0,    0x42, 0x35, 0x10,
                                     0x80, 0x50, 0xb9, 0xc0, 0x4f, 0x4d, 0x35, 0x32 };
    g_autofree char *xml = NULL;

    kiln_fake_host("large");
    xml = kiln_caps_format(PROGRAM, uuid);
    assert_has(xml, "<uuid>4c4c4544-0042-3510-8050-b9c04f4d3532</uuid>");
    assert_has(xml, "<model>EPYC-Rome</model>");
    assert_has(xml, "<vendor>AMD</vendor>");
    assert_has(xml, "<signature family='23' model='49' stepping='0'/>");
    assert_has(xml, "<feature name='invtsc'/>");
    assert_lacks(xml, "<feature name='aes'/>"); /* the model's */
    assert_has(xml, "<maxphysaddr mode='emulate' bits='48'/>");
    assert_has(xml, "<topology sockets='1' dies='1' cores='2' threads='2'/>");
    assert_has(xml, "<iommu support='yes'/>");
    assert_has(xml, "<cells num='2'>");
    assert_has(xml, "<pages unit='KiB' size='2048'>16</pages>");
    assert_has(xml, "<sibling id='1' value='21'/>");
    assert_has(xml, "<cpu id='6' socket_id='1' die_id='0' core_id='0' siblings='2,6'/>");
    assert_has(xml, "<bank id='0' level='3' type='both' size='32' unit='MiB' cpus='0-1,4-5'/>");
    assert_has(xml, "<emulator>/usr/bin/kiln</emulator>");
    assert_has(xml, "<machine maxCpus='255'>pc-q35-kiln-1.0</machine>");
    assert_has(xml, "<machine canonical='pc-q35-kiln-1.0' maxCpus='255'>q35</machine>");
    assert_has(xml, "<domain type='kvm'>\n");
}
END_TEST

START_TEST(capabilities_of_an_offline_cpu)
{
    g_autofree char *xml = NULL;

    kiln_fake_host("small");
    xml = kiln_caps_format(PROGRAM, NULL);
    assert_has(xml, "<cpus num='4'>");
    assert_has(xml, "<cpu id='3'/>");
    assert_has(xml, "<microcode version='721421712'/>");
    assert_has(xml, "<suspend_hybrid/>");
    assert_has(xml, "<iommu support='no'/>");
}
END_TEST

/* ---- Domain capabilities --------------------------------------------------------------------- */

static char *
domain_capabilities(void)
{
    g_autoptr(GError) error = NULL;
    char *xml = kiln_caps_domain(PROGRAM, NULL, NULL, NULL, NULL, &error);

    kiln_assert_no_error(error);
    return xml;
}

START_TEST(domain_capabilities_of_a_host)
{
    g_autofree char *xml = NULL;

    kiln_fake_host("large");
    xml = domain_capabilities();
    assert_has(xml, "<machine>pc-q35-kiln-1.0</machine>");
    assert_has(xml, "<vcpu max='255'/>");
    assert_has(xml, "<value>vfio</value>");
    assert_has(xml, "<value>vnc</value>");
    assert_has(xml, "<value>virtiofs</value>");
    assert_has(xml, "<model usable='yes' vendor='AMD'>EPYC-Rome</model>");
    assert_has(xml, "<model usable='no' vendor='Intel'>SapphireRapids</model>");
    assert_has(xml, "<model fallback='forbid'>EPYC-Rome</model>");
}
END_TEST

START_TEST(domain_capabilities_without_kvm)
{
    g_autofree char *xml = NULL;

    kiln_fake_host("bare");
    xml = domain_capabilities();
    assert_lacks(xml, "<vcpu");
    assert_lacks(xml, "usable='yes'");
    assert_lacks(xml, "<value>vfio</value>");
}
END_TEST

START_TEST(what_may_be_asked_for)
{
    static const struct {
        const char *emulator, *arch, *machine, *type;
        gboolean right;
    } rows[] = {
        { PROGRAM, "x86_64", "q35", "kvm", TRUE },
        { "/usr/bin/qemu-system-x86_64", NULL, "pc-q35-7.2", NULL, TRUE },
        { NULL, "aarch64", NULL, NULL, FALSE },
        { NULL, NULL, "pc-i440fx-7.2", NULL, FALSE },
        { NULL, NULL, NULL, "qemu", FALSE },
    };

    kiln_fake_host("small");
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *xml = kiln_caps_domain(PROGRAM, rows[i].emulator, rows[i].arch,
                                                rows[i].machine, rows[i].type, &error);

        ck_assert_int_eq(xml != NULL, rows[i].right);
        ck_assert(rows[i].right || g_error_matches(error, KILN_VIR_ERROR, VIR_ERR_INVALID_ARG));
    }
}
END_TEST

/* What is said to be usable is what a guest of that model starts with, and host-model's features
 * make the same guest as a custom model. */
START_TEST(usable_models_are_those_that_start)
{
    guint n, n_usable = 0;
    const KilnCpuModel *models = kiln_cpu_models(&n);
    const KilnHostKvm *kvm;

    kiln_fake_host("small");
    kvm = kiln_host_kvm(NULL);
    for (guint i = 0; i < n; i++) {
        KilnCpuFeatureSet set;
        gboolean fits = TRUE;

        kiln_cpu_model_features(&models[i], &set);
        for (gsize w = 0; w < G_N_ELEMENTS(set.words); w++)
            fits &= (set.words[w] & ~kvm->identity.features.words[w]) == 0;
        ck_assert_msg(!fits || kvm->usable[i], "%s", models[i].name);
        n_usable += kvm->usable[i];
    }
    ck_assert_uint_gt(n_usable, 10);
    ck_assert_uint_lt(n_usable, n);
}
END_TEST

/* ---- Enums against the validator ------------------------------------------------------------- */

/* A document with the element or attribute that an enum is about, with %s for the value. */
static const struct {
    const char *block, *name, *document;
} probes[] = {
    { "disk", "diskDevice",
      "<disk type='file' device='%s'><source file='/a'/><target dev='vda' bus='virtio'/></disk>" },
    { "disk", "bus", "<disk type='file'><source file='/a'/><target dev='vda' bus='%s'/></disk>" },
    { "disk", "model",
      "<disk type='file' model='%s'><source file='/a'/><target dev='vda' bus='virtio'/></disk>" },
    { "graphics", "type", "<graphics type='%s'/>" },
    { "video", "modelType", "<video><model type='%s'/></video>" },
    { "rng", "model", "<rng model='%s'><backend model='builtin'/></rng>" },
    { "tpm", "model", "<tpm model='%s'><backend type='emulator' version='2.0'/></tpm>" },
    { "tpm", "backendVersion", "<tpm><backend type='emulator' version='%s'/></tpm>" },
    { "hostdev", "pciBackend",
      "<hostdev mode='subsystem' type='pci'><driver name='%s'/><source><address domain='0' bus='3' "
      "slot='0' function='0'/></source></hostdev>" },
    { "channel", "type", "<channel type='%s'><target type='virtio' name='n'/></channel>" },
    { "filesystem", "driverType",
      "<filesystem type='mount'><driver type='%s'/><source dir='/a'/><target dir='t'/>"
      "</filesystem>" },
};

static gboolean
validates(const char *device, const char *value)
{
    g_auto(GStrv) parts = g_strsplit(device, "%s", 2);
    g_autofree char *text = g_strconcat(
        "<domain type='kvm'><name>g</name><memory unit='MiB'>64</memory><memoryBacking>"
        "<source type='memfd'/><access mode='shared'/></memoryBacking><os><type>hvm</type><kernel>"
        "/k</kernel></os><devices>",
        parts[0], value, parts[1], "</devices></domain>", NULL);
    KilnFaults *faults = kiln_faults_new();
    g_autoptr(KilnDomain) domain = kiln_domain_parse(text, strlen(text), faults);
    gboolean good = domain != NULL && kiln_domain_validate(domain, faults);

    kiln_faults_free(faults);
    return good;
}

/* Whether <@block>'s enum @name in @xml has @value. */
static gboolean
is_told(const char *xml, const char *block, const char *name, const char *value)
{
    g_autofree char *open = g_strdup_printf("<%s supported='yes'>", block);
    g_autofree char *start = g_strdup_printf("<enum name='%s'>", name);
    g_autofree char *wanted = g_strdup_printf("<value>%s</value>", value);
    const char *from = strstr(xml, open);
    const char *end;
    g_autofree char *part = NULL;

    from = from != NULL ? strstr(from, start) : NULL;
    end = from != NULL ? strstr(from, "</enum>") : NULL;
    part = end != NULL ? g_strndup(from, (gsize)(end - from)) : NULL;
    return part != NULL && strstr(part, wanted) != NULL;
}

START_TEST(enums_are_what_the_validator_takes)
{
    static const char *const words[] = {
        "disk",
        "cdrom",
        "floppy",
        "lun",
        "virtio",
        "virtio-transitional",
        "virtio-non-transitional",
        "ide",
        "scsi",
        "sata",
        "usb",
        "fdc",
        "vnc",
        "spice",
        "sdl",
        "none",
        "vga",
        "qxl",
        "cirrus",
        "bochs",
        "tpm-tis",
        "tpm-crb",
        "tpm-spapr",
        "1.2",
        "2.0",
        "vfio",
        "xen",
        "path",
        "handle",
        "virtiofs",
        "mtp",
        /* of <channel>; those that need more than a path are not asked here */
        "unix",
        "pty",
        "null",
        "spicevmc",
        "dbus",
    };
    g_autofree char *xml = NULL;
    guint n_told = 0;

    kiln_fake_host("large");
    xml = domain_capabilities();
    for (gsize p = 0; p < G_N_ELEMENTS(probes); p++) {
        for (gsize w = 0; w < G_N_ELEMENTS(words); w++) {
            gboolean told = is_told(xml, probes[p].block, probes[p].name, words[w]);
            gboolean taken = validates(probes[p].document, words[w]);

            ck_assert_msg(told == taken, "%s %s '%s': told %d, taken %d", probes[p].block,
                          probes[p].name, words[w], told, taken);
            n_told += told;
        }
    }
    ck_assert_uint_gt(n_told, 10);
}
END_TEST

START_TEST(rules_are_asked_by_path)
{
    ck_assert(kiln_domain_rules_take("domain/os/kernel", NULL));
    ck_assert(kiln_domain_rules_take("domain/os/type@machine", "pc-q35-9.0"));
    ck_assert(!kiln_domain_rules_take("domain/os/type@machine", "pc"));
    ck_assert(kiln_domain_rules_take("domain/devices/controller[type=pci]@model", "pcie-root"));
    ck_assert(!kiln_domain_rules_take("domain/devices/controller[type=scsi]@model", "lsilogic"));
    ck_assert(!kiln_domain_rules_take("domain/devices/sound@model", "ich9"));
    ck_assert(!kiln_domain_rules_take("domain/devices/sound/codec@type", "duplex"));
    ck_assert(kiln_domain_rules_take("domain/devices/emulator", "/any"));
    ck_assert(!kiln_domain_rules_take("domain/nonsense", NULL));
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("driver/caps");
    TCase *host = kiln_test_case(suite, "host");
    TCase *xml = kiln_test_case(suite, "xml");

    tcase_add_test(host, two_cells_with_threads);
    tcase_add_test(host, a_cpu_that_is_offline);
    tcase_add_test(host, a_kernel_without_numa);
    tcase_add_test(host, no_files_at_all);
    tcase_add_test(xml, capabilities_of_two_cells);
    tcase_add_test(xml, capabilities_of_an_offline_cpu);
    tcase_add_test(xml, domain_capabilities_of_a_host);
    tcase_add_test(xml, domain_capabilities_without_kvm);
    tcase_add_test(xml, what_may_be_asked_for);
    tcase_add_test(xml, usable_models_are_those_that_start);
    tcase_add_test(xml, enums_are_what_the_validator_takes);
    tcase_add_test(xml, rules_are_asked_by_path);
    return suite;
}

KILN_TEST_MAIN(make_suite)
