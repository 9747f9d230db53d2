/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <domainCapabilities>; see caps.h.  Its enums are the parser's words (src/domain) that the table
 * of rules takes, so that what is told here is what the validator lets through.
 */
#include "caps/caps.h"

#include "caps/host-cpu.h"
#include "caps/host.h"
#include "caps/machines.h"
#include "domain/domain.h"
#include "domain/rules.h"
#include "domain/xml-writer.h"
#include "firmware/choose.h"

/* An enum's words; @always: one that means "not said", which is always right. */
typedef struct {
    const char *name;
    const char *path;
    const char *const *words;
    guint n_words;
    const char *always;
    gboolean needs_iommu;
} Enum;

typedef struct {
    const char *name;
    const char *path; /* supported if the rules take it */
    const Enum *enums;
    guint n_enums;
} Block;

#define WORDS(table) .words = (table), .n_words = G_N_ELEMENTS(table)

static const char *const switches[] = { "yes", "no" };
static const char *const firmwares[] = { "bios", "efi" };
static const char *const loaders[] = { "rom", "pflash" };
static const char *const sources[] = { "file", "anonymous", "memfd" };
static const char *const disk_models[] = { "virtio", "virtio-transitional",
                                           "virtio-non-transitional" };

/* ---- Enums ----------------------------------------------------------------------------------- */

static void
format_value(KilnXmlWriter *xml, const char *value)
{
    kiln_xml_text_element(xml, "value", value);
}

static void
format_enum(KilnXmlWriter *xml, const Enum *what)
{
    kiln_xml_start(xml, "enum");
    kiln_xml_attribute(xml, "name", what->name);
    if (what->always != NULL)
        format_value(xml, what->always);
    for (guint i = 0; i < what->n_words; i++) {
        if (what->words[i] != NULL && (!what->needs_iommu || kiln_host_has_iommu()) &&
            kiln_domain_rules_take(what->path, what->words[i]))
            format_value(xml, what->words[i]);
    }
    kiln_xml_end(xml);
}

static void
format_block(KilnXmlWriter *xml, const Block *block)
{
    gboolean supported = kiln_domain_rules_take(block->path, NULL);

    kiln_xml_start(xml, block->name);
    kiln_xml_attribute(xml, "supported", supported ? "yes" : "no");
    for (guint i = 0; supported && i < block->n_enums; i++)
        format_enum(xml, &block->enums[i]);
    kiln_xml_end(xml);
}

static void
format_supported(KilnXmlWriter *xml, const char *name, gboolean supported)
{
    kiln_xml_start(xml, name);
    kiln_xml_attribute(xml, "supported", supported ? "yes" : "no");
    kiln_xml_end(xml);
}

/* ---- <os> ------------------------------------------------------------------------------------ */

/* What the host's packages describe and guests of this kiln can boot. */
static GPtrArray *
firmware_builds(void)
{
    g_autofree char *own = kiln_host_path("/etc/qemu/firmware");
    g_autofree char *packages = kiln_host_path("/usr/share/qemu/firmware");
    const char *const directories[] = { own, packages, NULL };

    return kiln_firmware_builds(directories);
}

static void
format_firmware_files(KilnXmlWriter *xml, const GPtrArray *builds)
{
    for (guint i = 0; i < builds->len; i++) {
        const KilnFirmwareBuild *build = g_ptr_array_index(builds, i);
        g_autofree char *path = build->code != NULL ? kiln_host_path("%s", build->code) : NULL;

        if (path != NULL && kiln_firmware_usable(build) == NULL &&
            g_file_test(path, G_FILE_TEST_EXISTS))
            format_value(xml, build->code);
    }
}

/* Only those that there is an image of; SeaBIOS is looked for when a guest starts. */
static void
format_firmwares(KilnXmlWriter *xml, const GPtrArray *builds)
{
    static const Enum bios = { "firmware", "domain/os@firmware", WORDS(firmwares) };
    Enum firmware = bios;

    firmware.n_words = kiln_firmware_any(builds) ? firmware.n_words : 1;
    format_enum(xml, &firmware);
}

static void
format_os(KilnXmlWriter *xml)
{
    g_autoptr(GPtrArray) builds = firmware_builds();
    static const Enum enums[] = {
        { "type", "domain/os/loader@type", WORDS(loaders) },
        { "readonly", "domain/os/loader@readonly", WORDS(switches) },
        { "secure", "domain/os/loader@secure", WORDS(switches) },
    };
    gboolean loader = kiln_domain_rules_take("domain/os/loader", NULL);

    kiln_xml_start(xml, "os");
    kiln_xml_attribute(xml, "supported", "yes");
    format_firmwares(xml, builds);
    kiln_xml_start(xml, "loader");
    kiln_xml_attribute(xml, "supported", loader ? "yes" : "no");
    if (loader)
        format_firmware_files(xml, builds);
    for (gsize i = 0; loader && i < G_N_ELEMENTS(enums); i++)
        format_enum(xml, &enums[i]);
    kiln_xml_end(xml);
    kiln_xml_end(xml);
}

/* ---- <cpu> ----------------------------------------------------------------------------------- */

static void
format_policy(KilnXmlWriter *xml, int feature, const char *policy)
{
    kiln_xml_start(xml, "feature");
    kiln_xml_attribute(xml, "policy", policy);
    kiln_xml_attribute(xml, "name", kiln_cpu_feature(feature)->name);
    kiln_xml_end(xml);
}

/* What host-model comes down to, as the features of a named model and those that differ. */
static void
format_host_model(KilnXmlWriter *xml, const KilnHostKvm *kvm)
{
    KilnCpuOptions options = { .mode = KILN_CPU_HOST_MODEL,
                               .arch_capabilities = kvm->arch_capabilities,
                               .topology = { 1, 1, 1, 1 } };
    g_autoptr(KilnCpuid) host = kiln_cpuid_new(kvm->supported, &options, NULL);
    g_autoptr(KilnCpuid) named = NULL;
    KilnCpuFeatureSet features;

    if (host == NULL || kiln_cpuid_model(host) == NULL)
        return;
    options.mode = KILN_CPU_CUSTOM;
    options.model = kiln_cpuid_model(host);
    options.check = KILN_CPU_CHECK_NONE;
    named = kiln_cpuid_new(kvm->supported, &options, NULL);
    kiln_cpu_model_features(kiln_cpu_model_find(options.model), &features);
    kiln_xml_start(xml, "model");
    kiln_xml_attribute(xml, "fallback", "forbid");
    kiln_xml_text(xml, options.model);
    kiln_xml_end(xml);
    kiln_xml_text_element(xml, "vendor", kvm->identity.vendor);
    for (int i = 0; named != NULL && i < KILN_CPU_N_FEATURES; i++) {
        const char *name = kiln_cpu_feature(i)->name;

        if (kiln_cpuid_has(host, name) && !kiln_cpuid_has(named, name))
            format_policy(xml, i, "require");
        else if (kiln_cpu_set_has(&features, i) && !kiln_cpuid_has(host, name))
            format_policy(xml, i, "disable");
    }
}

/* Without KVM nobody can tell what it would give. */
static void
format_models(KilnXmlWriter *xml, const KilnHostKvm *kvm)
{
    guint n;
    const KilnCpuModel *models = kiln_cpu_models(&n);

    for (guint i = 0; i < n; i++) {
        const char *vendor =
            models[i].vendor != NULL ? kiln_cpu_vendor_name(models[i].vendor) : NULL;
        const char *usable = "unknown";

        if (kvm != NULL)
            usable = kvm->usable[i] ? "yes" : "no";
        kiln_xml_start(xml, "model");
        kiln_xml_attribute(xml, "usable", usable);
        kiln_xml_attribute(xml, "vendor", vendor != NULL ? vendor : "unknown");
        kiln_xml_text(xml, models[i].name);
        kiln_xml_end(xml);
    }
}

static void
format_cpu(KilnXmlWriter *xml)
{
    static const char *const migratable[] = { "on", "off" };
    static const struct {
        const char *mode;
        Enum what; /* without a name: none */
    } modes[] = {
        { "host-passthrough",
          { "hostPassthroughMigratable", "domain/cpu@migratable", WORDS(migratable) } },
        { "maximum", { "maximumMigratable", "domain/cpu@migratable", WORDS(migratable) } },
        { "host-model", { .name = NULL } },
        { "custom", { .name = NULL } },
    };
    const KilnHostKvm *kvm = kiln_host_kvm(NULL);

    kiln_xml_start(xml, "cpu");
    for (gsize i = 0; i < G_N_ELEMENTS(modes); i++) {
        gboolean supported = kiln_domain_rules_take("domain/cpu@mode", modes[i].mode);
        gboolean host_model = g_str_equal(modes[i].mode, "host-model");

        kiln_xml_start(xml, "mode");
        kiln_xml_attribute(xml, "name", modes[i].mode);
        kiln_xml_attribute(xml, "supported", supported ? "yes" : "no");
        if (supported && modes[i].what.name != NULL)
            format_enum(xml, &modes[i].what);
        if (supported && host_model && kvm != NULL)
            format_host_model(xml, kvm);
        if (supported && g_str_equal(modes[i].mode, "custom"))
            format_models(xml, kvm);
        kiln_xml_end(xml);
    }
    kiln_xml_end(xml);
}

/* ---- <devices> ------------------------------------------------------------------------------- */

#define DEVICES "domain/devices/"
#define BLOCK(name_, enums_)                                                                       \
    {                                                                                              \
        .name = (name_), .path = DEVICES name_, .enums = (enums_), .n_enums = G_N_ELEMENTS(enums_) \
    }

static const Enum disk[] = {
    { "diskDevice", DEVICES "disk@device", WORDS(kiln_disk_device_names) },
    { "bus", DEVICES "disk/target@bus", WORDS(kiln_disk_bus_names) },
    { "model", DEVICES "disk@model", WORDS(disk_models) },
};
static const Enum graphics[] = {
    { "type", DEVICES "graphics@type", WORDS(kiln_graphics_type_names) },
};
static const Enum video[] = {
    { "modelType", DEVICES "video/model@type", WORDS(kiln_video_type_names) },
};
static const Enum hostdev[] = {
    { "mode", DEVICES "hostdev@mode", WORDS(kiln_hostdev_mode_names) },
    { "startupPolicy", DEVICES "hostdev/source@startupPolicy",
      WORDS(kiln_disk_startup_policy_names), .always = "default" },
    { "subsysType", DEVICES "hostdev@type", WORDS(kiln_hostdev_type_names) },
    { .name = "capsType" },
    { "pciBackend", DEVICES "hostdev/driver@name", WORDS(kiln_hostdev_driver_names),
      .needs_iommu = TRUE },
};
static const Enum rng[] = {
    { "model", DEVICES "rng@model", WORDS(kiln_virtio_model_names) },
    { "backendModel", DEVICES "rng/backend@model", WORDS(kiln_rng_backend_model_names) },
};
static const Enum filesystem[] = {
    { "driverType", DEVICES "filesystem/driver@type", WORDS(kiln_filesystem_driver_names) },
};
static const Enum tpm[] = {
    { "model", DEVICES "tpm@model", WORDS(kiln_tpm_model_names) },
    { "backendModel", DEVICES "tpm/backend@type", WORDS(kiln_tpm_backend_type_names) },
    { "backendVersion", DEVICES "tpm/backend@version", WORDS(kiln_tpm_version_names) },
};
static const char *const redirections[] = { "usb" };
static const Enum redirdev[] = {
    { "bus", DEVICES "redirdev@bus", WORDS(redirections) },
};
static const Enum channel[] = {
    { "type", DEVICES "channel@type", WORDS(kiln_char_type_names) },
};

static void
format_devices(KilnXmlWriter *xml)
{
    const Block blocks[] = {
        BLOCK("disk", disk),       BLOCK("graphics", graphics), BLOCK("video", video),
        BLOCK("hostdev", hostdev), BLOCK("rng", rng),           BLOCK("filesystem", filesystem),
        BLOCK("tpm", tpm),         BLOCK("redirdev", redirdev), BLOCK("channel", channel),
    };

    kiln_xml_start(xml, "devices");
    for (gsize i = 0; i < G_N_ELEMENTS(blocks); i++)
        format_block(xml, &blocks[i]);
    kiln_xml_end(xml);
}

static void
format_features(KilnXmlWriter *xml)
{
    kiln_xml_start(xml, "features");
    format_supported(xml, "gic", kiln_domain_rules_take("domain/features/gic", NULL));
    format_supported(xml, "vmcoreinfo",
                     kiln_domain_rules_take("domain/features/vmcoreinfo@state", "on"));
    format_supported(xml, "genid", kiln_domain_rules_take("domain/genid", NULL));
    format_supported(xml, "backingStoreInput",
                     kiln_domain_rules_take(DEVICES "disk/backingStore", NULL));
    format_supported(xml, "backup", FALSE); /* DOMAIN_BACKUP_BEGIN is refused */
    format_supported(xml, "sev", kiln_domain_rules_take("domain/launchSecurity[type=sev]", NULL));
    format_supported(xml, "sgx", kiln_domain_rules_take(DEVICES "memory@model", "sgx-epc"));
    format_supported(xml, "hyperv", kiln_domain_rules_take("domain/features/hyperv", NULL));
    kiln_xml_end(xml);
}

/* ---- The whole ------------------------------------------------------------------------------- */

char *
kiln_caps_domain(const char *program, const char *emulator, const char *arch, const char *machine,
                 const char *virttype, GError **error)
{
    static const Enum memory[] = {
        { "sourceType", "domain/memoryBacking/source@type", WORDS(sources) },
    };
    static const Block backing = { "memoryBacking", "domain/memoryBacking/source", memory,
                                   G_N_ELEMENTS(memory) };
    g_autoptr(KilnXmlWriter) xml = NULL;
    const char *canonical;
    guint max = kiln_caps_max_vcpus();

    if (!kiln_caps_check_target(program, emulator, arch, machine, virttype, &canonical, error))
        return NULL;
    xml = kiln_xml_writer_new();
    kiln_xml_start(xml, "domainCapabilities");
    kiln_xml_text_element(xml, "path", program);
    kiln_xml_text_element(xml, "domain", KILN_CAPS_TYPE);
    kiln_xml_text_element(xml, "machine", canonical);
    kiln_xml_text_element(xml, "arch", KILN_CAPS_ARCH);
    if (max != 0) {
        kiln_xml_start(xml, "vcpu");
        kiln_xml_attribute_printf(xml, "max", "%u", max);
        kiln_xml_end(xml);
    }
    format_supported(xml, "iothreads", kiln_domain_rules_take("domain/iothreads", NULL));
    format_os(xml);
    format_cpu(xml);
    format_block(xml, &backing);
    format_devices(xml);
    format_features(xml);
    kiln_xml_end(xml);
    return kiln_xml_writer_finish(xml);
}
