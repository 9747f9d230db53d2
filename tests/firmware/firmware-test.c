/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which build of firmware a definition gets, from descriptors such as Debian's. */
#include "base/error.h"
#include "base/module.h"
#include "firmware/choose.h"
#include "firmware/firmware.h"
#include "tests/lib/kiln-test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* @features: "\"requires-smm\", \"secure-boot\"" */
#define FLASH(code, vars, features)                                                                \
    "{ \"description\": \"x\", \"interface-types\": [ \"uefi\" ], \"mapping\": { \"device\": "     \
    "\"flash\", \"executable\": { \"filename\": \"" code "\", \"format\": \"raw\" }, "             \
    "\"nvram-template\": { \"filename\": \"" vars "\", \"format\": \"raw\" } }, \"targets\": [ { " \
    "\"architecture\": \"x86_64\", \"machines\": [ \"pc-i440fx-*\", \"pc-q35-*\" ] } ], "          \
    "\"features\": [ \"acpi-s3\", " features "\"verbose-dynamic\" ], \"tags\": [ ] }"
#define SECURE   "\"requires-smm\", \"secure-boot\", "
#define ENROLLED "\"enrolled-keys\", " SECURE

typedef struct {
    char *top; /* (owned) */
    char *directories[4];
} Host;

static void
put(const Host *host, const char *directory, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(host->top, directory, name, NULL);

    ck_assert(g_file_set_contents(path, text, -1, NULL));
}

/* Files that descriptors name as @/NAME are those of the host's folder. */
static void
describe(const Host *host, const char *directory, const char *name, const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "@", -1);
    g_autofree char *whole = g_strjoinv(host->top, parts);

    put(host, directory, name, whole);
}

static void
host_open(Host *host)
{
    static const char *const names[] = { "user", "etc", "usr", "images" };
    static const char *const images[] = { "CODE.fd",    "VARS.fd",         "CODE.sb.fd",
                                          "VARS.ms.fd", "OTHER_CODE.x.fd", "OTHER_VARS.x.fd" };

    *host = (Host){ .top = kiln_test_dir() };
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(host->top, names[i], NULL);

        ck_assert_int_eq(mkdir(path, 0700), 0);
        if (i < 3)
            host->directories[i] = g_steal_pointer(&path);
    }
    for (guint i = 0; i < G_N_ELEMENTS(images); i++)
        put(host, "images", images[i], "x");
}

/* What Debian 12's ovmf installs. */
static void
host_open_debian(Host *host)
{
    host_open(host);
    describe(host, "usr", "40-enrolled.json",
             FLASH("@/images/CODE.sb.fd", "@/images/VARS.ms.fd", ENROLLED));
    describe(host, "usr", "50-secure.json",
             FLASH("@/images/CODE.sb.fd", "@/images/VARS.fd", SECURE));
    describe(host, "usr", "60-plain.json", FLASH("@/images/CODE.fd", "@/images/VARS.fd", ""));
}

static void
host_close(Host *host)
{
    for (guint i = 0; i < G_N_ELEMENTS(host->directories); i++)
        g_free(host->directories[i]);
    g_free(host->top);
}

static GPtrArray *
builds_of(const Host *host)
{
    return kiln_firmware_builds((const char *const *)host->directories);
}

/* @os: what is in <os>, but for its type; @attributes: of <os> */
static KilnDomain *
domain_of(const Host *host, const char *attributes, const char *os)
{
    g_autofree char *text = g_strdup_printf(
        "<domain type='kvm'><name>a/b</name><memory>65536</memory><os%s><type>hvm</type>%s"
        "</os></domain>",
        attributes, os);
    g_auto(GStrv) parts = g_strsplit(text, "@", -1);
    g_autofree char *whole = g_strjoinv(host->top, parts);
    g_autoptr(KilnFaults) faults = kiln_faults_new();
    KilnDomain *domain = kiln_domain_parse(whole, strlen(whole), faults);

    ck_assert_uint_eq(kiln_faults_count(faults), 0);
    return domain;
}

static void
assert_path(const Host *host, const char *path, const char *below)
{
    g_autofree char *wanted = below != NULL ? g_build_filename(host->top, below, NULL) : NULL;

    ck_assert_pstr_eq(path, wanted);
}

/* Which image @os gets, and which template. */
static void
assert_choice(const Host *host, const char *attributes, const char *os, const char *code,
              const char *template)
{
    g_autoptr(KilnDomain) domain = domain_of(host, attributes, os);
    g_autoptr(GPtrArray) builds = builds_of(host);
    g_autoptr(GError) error = NULL;

    ck_assert_msg(kiln_firmware_choose(domain, builds, &error), "%s: %s", os,
                  error != NULL ? error->message : "");
    assert_path(host, domain->os.loader, code);
    assert_path(host, domain->os.nvram_template, template);
    ck_assert_int_eq(domain->os.loader_type, KILN_LOADER_PFLASH);
}

static void
assert_refused(const Host *host, const char *attributes, const char *os, const char *why,
               const char *instead)
{
    g_autoptr(KilnDomain) domain = domain_of(host, attributes, os);
    g_autoptr(GPtrArray) builds = builds_of(host);
    g_autoptr(GError) error = NULL;

    ck_assert(!kiln_firmware_choose(domain, builds, &error));
    kiln_assert_error_has(error, why);
    kiln_assert_error_has(error, instead);
    ck_assert_int_eq(error->code, KILN_ERROR_UNSUPPORTED);
}

#define EFI           " firmware='efi'"
#define FEATURE(n, e) "<firmware><feature name='" n "' enabled='" e "'/></firmware>"

START_TEST(efi_is_the_first_that_can_be_booted)
{
    Host host;
    g_autoptr(KilnDomain) domain = NULL;
    g_autoptr(GPtrArray) builds = NULL;

    host_open_debian(&host);
    assert_choice(&host, EFI, "", "images/CODE.fd", "images/VARS.fd");
    assert_choice(&host, EFI, FEATURE("secure-boot", "no"), "images/CODE.fd", "images/VARS.fd");
    domain = domain_of(&host, EFI, "");
    builds = builds_of(&host);
    ck_assert(kiln_firmware_any(builds));
    ck_assert(kiln_firmware_choose(domain, builds, NULL));
    ck_assert_int_eq(domain->os.loader_readonly, KILN_SWITCH_ON);
    ck_assert(g_str_has_suffix(domain->os.nvram, "/libvirt/kiln/nvram/a_b_VARS.fd"));
    host_close(&host);
}
END_TEST

START_TEST(smm_is_refused_and_what_works_is_named)
{
    Host host;

    host_open_debian(&host);
    assert_refused(&host, EFI, FEATURE("secure-boot", "yes"), "system management mode",
                   "images/CODE.fd'");
    assert_refused(&host, EFI, FEATURE("enrolled-keys", "yes"), "CODE.sb.fd", "60-plain.json");
    assert_refused(&host, EFI, "<loader secure='yes'/>", "system management mode",
                   "images/CODE.fd'");
    assert_refused(&host, "", "<loader type='pflash'>@/images/CODE.sb.fd</loader>",
                   "system management mode", "images/CODE.fd'");
    host_close(&host);
}
END_TEST

START_TEST(secure_boot_without_smm_is_taken)
{
    Host host;

    host_open_debian(&host);
    describe(&host, "usr", "55-no-smm.json",
             FLASH("@/images/CODE.fd", "@/images/VARS.ms.fd", "\"secure-boot\", "));
    assert_choice(&host, EFI, FEATURE("secure-boot", "yes"), "images/CODE.fd", "images/VARS.ms.fd");
    assert_choice(&host, EFI, FEATURE("secure-boot", "no"), "images/CODE.fd", "images/VARS.fd");
    host_close(&host);
}
END_TEST

/* libvirt's and QEMU's rules: names order them all, directories say which of one name counts. */
START_TEST(directories_have_precedence)
{
    Host host;

    host_open_debian(&host);
    describe(&host, "etc", "70-late.json", FLASH("@/images/CODE.sb.fd", "@/images/VARS.fd", ""));
    assert_choice(&host, EFI, "", "images/CODE.fd", "images/VARS.fd");
    describe(&host, "etc", "10-early.json", FLASH("@/images/CODE.sb.fd", "@/images/VARS.fd", ""));
    assert_choice(&host, EFI, "", "images/CODE.sb.fd", "images/VARS.fd");
    put(&host, "user", "10-early.json", ""); /* hides it */
    assert_choice(&host, EFI, "", "images/CODE.fd", "images/VARS.fd");
    describe(&host, "etc", "60-plain.json", FLASH("@/images/CODE.fd", "@/images/VARS.ms.fd", ""));
    assert_choice(&host, EFI, "", "images/CODE.fd", "images/VARS.ms.fd");
    put(&host, "user", "60-plain.json", "");
    put(&host, "user", "70-late.json", "");
    assert_refused(&host, EFI, "", "system management mode", "package ovmf");
    host_close(&host);
}
END_TEST

START_TEST(what_is_broken_or_of_others_is_passed_by)
{
    static const char *const texts[] = {
        "{",
        "[]",
        "null",
        "{ \"mapping\": 3 }",
        "{ \"mapping\": { \"device\": \"flash\", \"executable\": 7 } }",
        "{ \"mapping\": { \"device\": [ ], \"mode\": { } }, \"interface-types\": \"uefi\" }",
        "{ \"mapping\": { \"device\": \"memory\" }, \"interface-types\": [ \"uefi\", 5, null ], "
        "\"targets\": [ 4, { \"machines\": { } }, { \"architecture\": \"x86_64\" } ] }",
        "\xff\xfe",
    };
    Host host;

    host_open_debian(&host);
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *name = g_strdup_printf("0%u.json", i);

        put(&host, "etc", name, texts[i]);
    }
    describe(&host, "etc", "10-gone.json", FLASH("@/images/GONE.fd", "@/images/VARS.fd", ""));
    put(&host, "etc", "README", FLASH("/x", "/y", ""));
    put(&host, "etc", ".hidden.json", FLASH("/x", "/y", ""));
    assert_choice(&host, EFI, "", "images/CODE.fd", "images/VARS.fd");
    host_close(&host);
}
END_TEST

START_TEST(a_loader_gets_its_template)
{
    Host host;
    g_autofree char *link = NULL;

    host_open_debian(&host);
    assert_choice(&host, "", "<loader readonly='yes' type='pflash'>@/images/CODE.fd</loader>",
                  "images/CODE.fd", "images/VARS.fd");
    assert_choice(&host, EFI,
                  "<loader type='pflash'>@/images/CODE.fd</loader>"
                  "<nvram template='@/images/VARS.ms.fd'>@/own</nvram>",
                  "images/CODE.fd", "images/VARS.ms.fd");
    assert_choice(&host, "", "<loader type='pflash'>@/images/OTHER_CODE.x.fd</loader>",
                  "images/OTHER_CODE.x.fd", "images/OTHER_VARS.x.fd");
    assert_choice(&host, "", "<loader type='pflash'>@/images/unknown.fd</loader>",
                  "images/unknown.fd", NULL);
    assert_choice(&host, "", "<loader type='pflash' stateless='yes'>@/images/CODE.fd</loader>",
                  "images/CODE.fd", NULL);
    assert_choice(&host, "", "<loader type='pflash' readonly='no'>@/images/CODE.fd</loader>",
                  "images/CODE.fd", NULL);
    link = g_build_filename(host.top, "link.fd", NULL);
    ck_assert_int_eq(symlink("images/CODE.sb.fd", link), 0);
    assert_refused(&host, "", "<loader type='pflash'>@/link.fd</loader>", "system management mode",
                   "images/CODE.fd'");
    host_close(&host);
}
END_TEST

START_TEST(stateless_is_stateless)
{
    Host host;

    host_open_debian(&host);
    assert_refused(&host, EFI, "<loader stateless='yes'/>", "has the features", "images/CODE.fd'");
    describe(&host, "usr", "90-stateless.json",
             "{ \"interface-types\": [ \"uefi\" ], \"mapping\": { \"device\": \"flash\", \"mode\": "
             "\"stateless\", \"executable\": { \"filename\": \"@/images/CODE.fd\", \"format\": "
             "\"raw\" } }, \"targets\": [ { \"architecture\": \"x86_64\", \"machines\": [ "
             "\"pc-q35-*\" ] } ], \"features\": [ ] }");
    assert_choice(&host, EFI, "<loader stateless='yes'/>", "images/CODE.fd", NULL);
    host_close(&host);
}
END_TEST

START_TEST(qcow2_flash_is_refused)
{
    Host host;

    host_open(&host);
    describe(&host, "usr", "50-qcow2.json",
             "{ \"interface-types\": [ \"uefi\" ], \"mapping\": { \"device\": \"flash\", "
             "\"executable\": { \"filename\": \"@/images/CODE.fd\", \"format\": \"qcow2\" }, "
             "\"nvram-template\": { \"filename\": \"@/images/VARS.fd\", \"format\": \"qcow2\" } }, "
             "\"targets\": [ { \"architecture\": \"x86_64\", \"machines\": [ \"pc-q35-*\" ] } ], "
             "\"features\": [ ] }");
    assert_refused(&host, EFI, "", "not raw", "package ovmf");
    host_close(&host);
}
END_TEST

START_TEST(other_guests_are_left_alone)
{
    Host host;
    g_autoptr(KilnDomain) domain = NULL;
    g_autoptr(GPtrArray) builds = NULL;

    host_open(&host);
    builds = builds_of(&host);
    domain = domain_of(&host, " firmware='bios'", "");
    ck_assert(kiln_firmware_choose(domain, builds, NULL));
    ck_assert_ptr_null(domain->os.loader);
    ck_assert(!kiln_firmware_has_variables(&domain->os));
    ck_assert(!kiln_firmware_any(builds));
    host_close(&host);
}
END_TEST

START_TEST(the_module_does_the_same)
{
    Host host;
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnDomain) domain = NULL;
    const KilnFirmwareModule *module;

    g_setenv("KILN_MODULE_DIR", g_getenv("KILN_BUILDDIR"), TRUE);
    module = kiln_module_load(KILN_FIRMWARE_MODULE, KILN_FIRMWARE_SYMBOL, &error);
    kiln_assert_no_error(error);
    host_open_debian(&host);
    domain = domain_of(&host, EFI, "");
    ck_assert(module->resolve(domain, (const char *const *)host.directories, &error));
    assert_path(&host, domain->os.loader, "images/CODE.fd");
    host_close(&host);
}
END_TEST

static Suite *
firmware_suite(void)
{
    Suite *suite = suite_create("firmware");
    TCase *choice = kiln_test_case(suite, "choice");

    tcase_add_test(choice, efi_is_the_first_that_can_be_booted);
    tcase_add_test(choice, smm_is_refused_and_what_works_is_named);
    tcase_add_test(choice, secure_boot_without_smm_is_taken);
    tcase_add_test(choice, directories_have_precedence);
    tcase_add_test(choice, what_is_broken_or_of_others_is_passed_by);
    tcase_add_test(choice, a_loader_gets_its_template);
    tcase_add_test(choice, stateless_is_stateless);
    tcase_add_test(choice, qcow2_flash_is_refused);
    tcase_add_test(choice, other_guests_are_left_alone);
    tcase_add_test(choice, the_module_does_the_same);
    return suite;
}

KILN_TEST_MAIN(firmware_suite)
