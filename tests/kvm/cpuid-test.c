/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPUID on top of hosts that are made up. */
#include "tests/lib/kiln-test.h"

#include <string.h>

#include "kvm/cpu-features.h"
#include "kvm/cpu-models.h"
#include "kvm/cpuid.h"

enum { MAX_ENTRIES = 64 };

typedef struct kvm_cpuid2 Host; /* with room for MAX_ENTRIES */

static struct kvm_cpuid_entry2 *
add(Host *host, uint32_t leaf, uint32_t subleaf, gboolean indexed)
{
    struct kvm_cpuid_entry2 *entry = &host->entries[host->nent++];

    ck_assert_uint_le(host->nent, MAX_ENTRIES);
    *entry = (struct kvm_cpuid_entry2){ .function = leaf, .index = subleaf };
    entry->flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0;
    return entry;
}

static void
put(Host *host, KilnCpuFeatureId id, gboolean on)
{
    const KilnCpuFeature *feature = kiln_cpu_feature(id);
    struct kvm_cpuid_entry2 *entry;
    uint32_t *value;

    if (feature->msr != 0)
        return;
    entry = kiln_cpuid_entry(host, feature->leaf, feature->subleaf);
    ck_assert_ptr_nonnull(entry);
    value = kiln_cpuid_register(entry, feature->reg);
    *value = on ? *value | 1u << feature->bit : *value & ~(1u << feature->bit);
}

static void
set_vendor(Host *host, const char *vendor, uint32_t signature)
{
    struct kvm_cpuid_entry2 *leaf0 = kiln_cpuid_entry(host, 0, 0);

    memcpy(&leaf0->ebx, vendor, 4);
    memcpy(&leaf0->edx, vendor + 4, 4);
    memcpy(&leaf0->ecx, vendor + 8, 4);
    kiln_cpuid_entry(host, 1, 0)->eax = signature;
}

/* A host with all the features of @model. */
static Host *
host_like(const char *model, const char *vendor, uint32_t signature)
{
    static const uint32_t plain[] = { 0,          1,          2,          5,          6,
                                      0xa,        0xf,        0x12,       0x40000000, 0x40000001,
                                      0x80000000, 0x80000001, 0x80000002, 0x80000007, 0x80000008,
                                      0x8000000a, 0x80000021 };
    static const uint32_t xsave_sizes[][3] = { { 2, 256, 576 },   { 5, 64, 1088 }, { 6, 512, 1152 },
                                               { 7, 1024, 1664 }, { 9, 8, 2688 },  { 17, 64, 2752 },
                                               { 18, 8192, 2816 } };
    Host *host = g_malloc0(sizeof *host + MAX_ENTRIES * sizeof host->entries[0]);
    KilnCpuFeatureSet set;

    for (gsize i = 0; i < G_N_ELEMENTS(plain); i++)
        add(host, plain[i], 0, FALSE);
    for (uint32_t i = 0; i < 3; i++)
        add(host, 7, i, TRUE);
    for (uint32_t i = 0; i < 3; i++)
        add(host, 4, i, TRUE)->eax = i == 0 ? 0x1c004121 : i == 1 ? 0x1c03c163 : 0;
    add(host, 0xd, 0, TRUE)->eax = 0x602e7;
    add(host, 0xd, 1, TRUE)->ecx = 0x1900;
    for (gsize i = 0; i < G_N_ELEMENTS(xsave_sizes); i++) {
        struct kvm_cpuid_entry2 *entry = add(host, 0xd, xsave_sizes[i][0], TRUE);

        entry->eax = xsave_sizes[i][1];
        entry->ebx = xsave_sizes[i][2];
    }
    set_vendor(host, vendor, signature);
    kiln_cpuid_entry(host, 0x80000008, 0)->eax = 46 | 48 << 8;
    kiln_cpuid_entry(host, 0x40000001, 0)->eax = 0x0100007b;
    kiln_cpuid_entry(host, 0xa, 0)->eax = 0x08300802;
    kiln_cpu_model_features(kiln_cpu_model_find(model), &set);
    for (int i = 0; i < KILN_CPU_N_FEATURES; i++)
        if (kiln_cpu_set_has(&set, i))
            put(host, i, TRUE);
    put(host, KILN_CPU_X2APIC, TRUE);
    put(host, KILN_CPU_INVTSC, TRUE);
    return host;
}

static const KilnCpuTopology one_cpu = { 1, 1, 1, 1 };

static KilnCpuid *
make(Host *host, KilnCpuOptions options)
{
    g_autoptr(GError) error = NULL;
    KilnCpuid *cpuid;

    if (options.topology.sockets == 0)
        options.topology = one_cpu;
    cpuid = kiln_cpuid_new(host, &options, &error);
    kiln_assert_no_error(error);
    ck_assert_ptr_nonnull(cpuid);
    return cpuid;
}

static char *
refused(Host *host, KilnCpuOptions options)
{
    GError *error = NULL;
    char *message;

    options.topology = one_cpu;
    ck_assert_ptr_null(kiln_cpuid_new(host, &options, &error));
    ck_assert_ptr_nonnull(error);
    message = g_strdup(error->message);
    g_error_free(error);
    return message;
}

static struct kvm_cpuid_entry2
leaf(KilnCpuid *cpuid, guint vcpu, uint32_t number, uint32_t subleaf)
{
    const struct kvm_cpuid2 *table = kiln_cpuid_for_vcpu(cpuid, vcpu);
    struct kvm_cpuid_entry2 *entry = kiln_cpuid_entry((struct kvm_cpuid2 *)table, number, subleaf);

    return entry != NULL ? *entry : (struct kvm_cpuid_entry2){ .function = G_MAXUINT32 };
}

#define ABSENT G_MAXUINT32

START_TEST(feature_table)
{
    ck_assert_int_eq(kiln_cpu_feature_find("sse4.1"), KILN_CPU_SSE4_1);
    ck_assert_int_eq(kiln_cpu_feature_find("sse4_1"), KILN_CPU_SSE4_1);
    ck_assert_int_eq(kiln_cpu_feature_find("sse4-1"), KILN_CPU_SSE4_1);
    ck_assert_int_eq(kiln_cpu_feature_find("xd"), KILN_CPU_NX);
    ck_assert_int_eq(kiln_cpu_feature_find("sse"), KILN_CPU_SSE);
    ck_assert_int_eq(kiln_cpu_feature_find("ss"), KILN_CPU_SS);
    ck_assert_int_eq(kiln_cpu_feature_find(""), -1);
    ck_assert_int_eq(kiln_cpu_feature_find("no-such"), -1);
    for (int i = 0; i < KILN_CPU_N_FEATURES; i++)
        ck_assert_int_eq(kiln_cpu_feature_find(kiln_cpu_feature(i)->name), i);
}
END_TEST

/* Bits that anybody may look up: SDM and APM. */
START_TEST(known_bits)
{
    static const struct {
        const char *name;
        uint32_t leaf;
        int reg, bit;
    } known[] = {
        { "fpu", 1, KILN_CPUID_EDX, 0 },
        { "sse2", 1, KILN_CPUID_EDX, 26 },
        { "aes", 1, KILN_CPUID_ECX, 25 },
        { "hypervisor", 1, KILN_CPUID_ECX, 31 },
        { "avx2", 7, KILN_CPUID_EBX, 5 },
        { "pku", 7, KILN_CPUID_ECX, 3 },
        { "spec-ctrl", 7, KILN_CPUID_EDX, 26 },
        { "lm", 0x80000001, KILN_CPUID_EDX, 29 },
        { "svm", 0x80000001, KILN_CPUID_ECX, 2 },
        { "arat", 6, KILN_CPUID_EAX, 2 },
        { "invtsc", 0x80000007, KILN_CPUID_EDX, 8 },
        { "ibpb", 0x80000008, KILN_CPUID_EBX, 12 },
        { "kvmclock", 0x40000001, KILN_CPUID_EAX, 3 },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(known); i++) {
        const KilnCpuFeature *feature = kiln_cpu_feature(kiln_cpu_feature_find(known[i].name));

        ck_assert_uint_eq(feature->leaf, known[i].leaf);
        ck_assert_int_eq(feature->reg, known[i].reg);
        ck_assert_int_eq(feature->bit, known[i].bit);
    }
}
END_TEST

START_TEST(models_inherit)
{
    KilnCpuFeatureSet nehalem, westmere, milan;
    guint n;
    const KilnCpuModel *models = kiln_cpu_models(&n);

    kiln_cpu_model_features(kiln_cpu_model_find("Nehalem"), &nehalem);
    kiln_cpu_model_features(kiln_cpu_model_find("Westmere"), &westmere);
    kiln_cpu_model_features(kiln_cpu_model_find("EPYC-Milan"), &milan);
    ck_assert(kiln_cpu_set_has(&nehalem, KILN_CPU_SSE4_2));
    ck_assert(!kiln_cpu_set_has(&nehalem, KILN_CPU_AES));
    ck_assert(kiln_cpu_set_has(&westmere, KILN_CPU_AES));
    ck_assert(kiln_cpu_set_has(&milan, KILN_CPU_PKU));
    ck_assert(!kiln_cpu_set_has(&milan, KILN_CPU_AVX512F));
    for (guint i = 0; i < n; i++) {
        ck_assert_ptr_eq(kiln_cpu_model_find(models[i].name), &models[i]);
        if (models[i].base != NULL) /* and no loops: a base stands before what is built on it */
            ck_assert(kiln_cpu_model_find(models[i].base) < &models[i]);
    }
    ck_assert_ptr_null(kiln_cpu_model_find("Zilog"));
}
END_TEST

START_TEST(passthrough)
{
    g_autofree Host *host = host_like("Skylake-Server-IBRS", "GenuineIntel", 0x50654);
    g_autoptr(KilnCpuid) cpuid = make(host, (KilnCpuOptions){ .mode = KILN_CPU_HOST_PASSTHROUGH });

    ck_assert_uint_eq(leaf(cpuid, 0, 1, 0).eax, 0x50654);
    ck_assert(kiln_cpuid_has(cpuid, "hypervisor"));
    ck_assert(kiln_cpuid_has(cpuid, "avx512f"));
    ck_assert(!kiln_cpuid_has(cpuid, "invtsc")); /* ties to the host */
    ck_assert_uint_eq(leaf(cpuid, 0, 0x80000007, 0).edx, 0);
    ck_assert_uint_eq(leaf(cpuid, 0, 0xa, 0).function, ABSENT); /* no PMU */
    ck_assert_uint_eq(leaf(cpuid, 0, 0, 0).eax, 0x12);
    ck_assert_uint_eq(leaf(cpuid, 0, 0x80000000, 0).eax, 0x80000021);
    ck_assert_uint_eq(kiln_cpuid_phys_bits(cpuid), 46);
    ck_assert_uint_eq(leaf(cpuid, 0, 4, 0).eax & 0xfff, 0x121); /* the host's caches */
}
END_TEST

START_TEST(options_of_passthrough)
{
    g_autofree Host *host = host_like("Skylake-Server-IBRS", "GenuineIntel", 0x50654);
    g_autoptr(KilnCpuid) cpuid = make(host, (KilnCpuOptions){ .not_migratable = TRUE,
                                                              .pmu = TRUE,
                                                              .phys_bits = 40,
                                                              .tsc_khz = 2500000,
                                                              .no_kvmclock = TRUE,
                                                              .vendor_id = "KilnKilnKiln" });
    g_autoptr(KilnCpuid) hidden = make(host, (KilnCpuOptions){ .kvm_hidden = TRUE });

    ck_assert(kiln_cpuid_has(cpuid, "invtsc"));
    ck_assert_uint_eq(leaf(cpuid, 0, 0xa, 0).eax, 0x08300802);
    ck_assert_uint_eq(kiln_cpuid_phys_bits(cpuid), 40);
    ck_assert_uint_eq(leaf(cpuid, 0, 0x40000010, 0).eax, 2500000);
    ck_assert_uint_eq(leaf(cpuid, 0, 0x40000010, 0).ebx, 1000000);
    ck_assert_uint_eq(leaf(cpuid, 0, 0x40000000, 0).eax, 0x40000010);
    ck_assert_uint_eq(leaf(cpuid, 0, 0x40000001, 0).eax, 0x73);
    ck_assert_uint_eq(leaf(cpuid, 0, 0, 0).ebx, 0x6e6c694b);
    ck_assert_uint_eq(leaf(hidden, 0, 0x40000000, 0).function, ABSENT);
    ck_assert_uint_eq(leaf(hidden, 0, 0x40000001, 0).function, ABSENT);
    ck_assert(!kiln_cpuid_has(hidden, "kvmclock"));
    ck_assert(kiln_cpuid_has(hidden, "hypervisor"));
}
END_TEST

START_TEST(named_model)
{
    g_autofree Host *host = host_like("Icelake-Server", "GenuineIntel", 0x606a6);
    g_autoptr(KilnCpuid) cpuid =
        make(host, (KilnCpuOptions){ .mode = KILN_CPU_CUSTOM, .model = "Westmere" });
    struct kvm_cpuid_entry2 leaf1 = leaf(cpuid, 0, 1, 0);

    ck_assert_uint_eq(leaf1.eax, 0x206c0); /* family 6, model 44 */
    ck_assert(kiln_cpuid_has(cpuid, "aes"));
    ck_assert(!kiln_cpuid_has(cpuid, "avx"));
    ck_assert_uint_eq(leaf1.ecx >> 28 & 1, 0);
    ck_assert_uint_eq(leaf1.ecx >> 31 & 1, 1);
    ck_assert_uint_eq(leaf(cpuid, 0, 7, 0).ebx, 0);
    ck_assert_uint_eq(leaf(cpuid, 0, 0xd, 0).function, ABSENT); /* no XSAVE, no leaf of it */
    ck_assert(kiln_cpuid_has(cpuid, "kvmclock"));
    ck_assert(kiln_cpuid_has(cpuid, "x2apic"));
    ck_assert_str_eq(kiln_cpuid_model(cpuid), "Westmere");
}
END_TEST

START_TEST(lacking_features_are_named)
{
    g_autofree Host *host = host_like("Westmere", "GenuineIntel", 0x206c2);
    KilnCpuFeatureChoice avx[] = { { "avx", KILN_CPU_REQUIRE } };
    KilnCpuFeatureChoice without[] = { { "xsave", KILN_CPU_DISABLE },
                                       { "avx", KILN_CPU_OPTIONAL } };
    KilnCpuFeatureChoice forced[] = { { "avx", KILN_CPU_FORCE } };
    KilnCpuFeatureChoice forbid[] = { { "aes", KILN_CPU_FORBID } };
    KilnCpuFeatureChoice unknown[] = { { "warp", KILN_CPU_OPTIONAL } };
    KilnCpuOptions custom = { .mode = KILN_CPU_CUSTOM, .model = "SandyBridge" };
    g_autofree char *text = refused(host, custom);
    g_autofree char *required = refused(host, (KilnCpuOptions){ .features = avx, .n_features = 1 });
    g_autofree char *forbidden =
        refused(host, (KilnCpuOptions){ .features = forbid, .n_features = 1 });
    g_autofree char *nonsense =
        refused(host, (KilnCpuOptions){ .features = unknown, .n_features = 1 });

    ck_assert_str_eq(text, "CPU model 'SandyBridge': the host's CPU or KVM does not provide: "
                           "pclmuldq, tsc-deadline, xsave, avx, rdtscp");
    ck_assert_ptr_nonnull(strstr(required, ": avx"));
    ck_assert_ptr_nonnull(strstr(forbidden, "'aes' is forbidden"));
    ck_assert_ptr_nonnull(strstr(nonsense, "'warp' is not known"));

    custom.features = without;
    custom.n_features = 2;
    g_free(text);
    text = refused(host, custom);
    ck_assert_ptr_nonnull(strstr(text, "provide: pclmuldq, tsc-deadline, rdtscp"));
    ck_assert_ptr_null(strstr(text, "avx"));
    custom.check = KILN_CPU_CHECK_NONE;
    g_autoptr(KilnCpuid) less = make(host, custom);
    ck_assert(!kiln_cpuid_has(less, "avx"));
    ck_assert(kiln_cpuid_has(less, "aes"));
    custom.features = forced;
    custom.n_features = 1;
    g_autoptr(KilnCpuid) more = make(host, custom);
    ck_assert(kiln_cpuid_has(more, "avx"));
}
END_TEST

START_TEST(bad_requests)
{
    g_autofree Host *host = host_like("Westmere", "GenuineIntel", 0x206c2);
    KilnCpuOptions options = { .mode = KILN_CPU_CUSTOM };
    g_autofree char *no_model = refused(host, options);
    g_autofree char *model =
        refused(host, (KilnCpuOptions){ .mode = KILN_CPU_CUSTOM, .model = "Zilog" });
    g_autofree char *vendor = refused(host, (KilnCpuOptions){ .vendor = "AMD" });
    g_autofree char *id = refused(host, (KilnCpuOptions){ .vendor_id = "short" });
    g_autofree char *bits = refused(host, (KilnCpuOptions){ .phys_bits = 52 });
    g_autofree char *strict = refused(host, (KilnCpuOptions){ .mode = KILN_CPU_CUSTOM,
                                                              .model = "Nehalem",
                                                              .match = KILN_CPU_MATCH_STRICT });
    g_autoptr(KilnCpuid) minimum = make(host, (KilnCpuOptions){ .mode = KILN_CPU_CUSTOM,
                                                                .model = "Nehalem",
                                                                .match = KILN_CPU_MATCH_MINIMUM });

    ck_assert_ptr_nonnull(strstr(no_model, "no model is named"));
    ck_assert_ptr_nonnull(strstr(model, "'Zilog' is not known"));
    ck_assert_ptr_nonnull(strstr(vendor, "vendor 'AMD'"));
    ck_assert_ptr_nonnull(strstr(id, "'short' does not have 12"));
    ck_assert_ptr_nonnull(strstr(bits, "allows 32 to 46"));
    ck_assert_ptr_nonnull(strstr(strict, "aes"));
    ck_assert(kiln_cpuid_has(minimum, "aes"));
}
END_TEST

START_TEST(host_model)
{
    g_autofree Host *host = host_like("Cascadelake-Server", "GenuineIntel", 0x50657);
    g_autofree Host *amd = host_like("EPYC-Milan", "AuthenticAMD", 0xa00f11);
    g_autofree Host *odd = host_like("EPYC-Rome", "AuthenticAMD", 0x660f51);
    g_autoptr(KilnCpuid) a = make(host, (KilnCpuOptions){ .mode = KILN_CPU_HOST_MODEL });
    g_autoptr(KilnCpuid) b = make(amd, (KilnCpuOptions){ .mode = KILN_CPU_HOST_MODEL });
    g_autoptr(KilnCpuid) c = make(odd, (KilnCpuOptions){ .mode = KILN_CPU_HOST_MODEL });
    g_autofree char *none =
        refused(odd, (KilnCpuOptions){ .mode = KILN_CPU_HOST_MODEL, .no_fallback = TRUE });

    ck_assert_str_eq(kiln_cpuid_model(a), "Cascadelake-Server");
    ck_assert_str_eq(kiln_cpuid_model(b), "EPYC-Milan");
    ck_assert_str_eq(kiln_cpuid_model(c), "EPYC-Rome"); /* by its features alone */
    ck_assert(kiln_cpuid_has(b, "svm"));                /* host-model has what the host has */
    ck_assert_ptr_nonnull(strstr(none, "fallback is forbidden"));
    ck_assert_uint_eq(leaf(b, 0, 0x80000001, 0).edx & 1, 1); /* AMD's copy of fpu */
    ck_assert_uint_eq(leaf(a, 0, 0x80000001, 0).edx & 1, 0);
}
END_TEST

START_TEST(named_model_drops_nested)
{
    g_autofree Host *amd = host_like("EPYC-Milan", "AuthenticAMD", 0xa00f11);
    KilnCpuFeatureChoice svm[] = { { "svm", KILN_CPU_REQUIRE } };
    g_autoptr(KilnCpuid) plain =
        make(amd, (KilnCpuOptions){ .mode = KILN_CPU_CUSTOM, .model = "EPYC" });
    g_autoptr(KilnCpuid) nested =
        make(amd, (KilnCpuOptions){
                      .mode = KILN_CPU_CUSTOM, .model = "EPYC", .features = svm, .n_features = 1 });

    ck_assert(!kiln_cpuid_has(plain, "svm"));
    ck_assert_uint_eq(leaf(plain, 0, 0x8000000a, 0).function, ABSENT);
    ck_assert(kiln_cpuid_has(nested, "svm"));
    ck_assert_uint_ne(leaf(nested, 0, 0x8000000a, 0).function, ABSENT);
}
END_TEST

START_TEST(xsave_follows_features)
{
    g_autofree Host *host = host_like("SapphireRapids", "GenuineIntel", 0x806f4);
    KilnCpuFeatureChoice no_amx[] = { { "amx-tile", KILN_CPU_DISABLE } };
    g_autoptr(KilnCpuid) full = make(host, (KilnCpuOptions){ .mode = KILN_CPU_HOST_MODEL });
    g_autoptr(KilnCpuid) less = make(host, (KilnCpuOptions){ .features = no_amx, .n_features = 1 });
    g_autoptr(KilnCpuid) haswell =
        make(host, (KilnCpuOptions){ .mode = KILN_CPU_CUSTOM, .model = "Haswell-noTSX" });

    ck_assert_uint_eq(leaf(full, 0, 0xd, 0).eax, 0x602e7);
    ck_assert_uint_eq(leaf(full, 0, 0xd, 0).ecx, 2816 + 8192);
    ck_assert_uint_eq(leaf(less, 0, 0xd, 0).eax, 0x2e7);
    ck_assert_uint_eq(leaf(less, 0, 0xd, 0).ecx, 2696);
    ck_assert_uint_eq(leaf(less, 0, 0xd, 18).function, ABSENT);
    ck_assert_uint_eq(leaf(haswell, 0, 0xd, 0).eax, 7);
    ck_assert_uint_eq(leaf(haswell, 0, 0xd, 0).ecx, 832);
    ck_assert_uint_eq(leaf(haswell, 0, 0xd, 1).ecx, 0); /* no XSAVES */
}
END_TEST

START_TEST(topology_leaves)
{
    static const KilnCpuTopology topology = { .sockets = 2, .dies = 2, .cores = 3, .threads = 2 };
    g_autofree Host *host = host_like("Icelake-Server", "GenuineIntel", 0x606a6);
    g_autoptr(KilnCpuid) cpuid = make(host, (KilnCpuOptions){ .topology = topology });
    struct kvm_cpuid_entry2 leaf1 = leaf(cpuid, 12, 1, 0);

    ck_assert_uint_eq(leaf1.ebx >> 24, 16); /* the second socket */
    ck_assert_uint_eq(leaf1.ebx >> 16 & 255, 16);
    ck_assert_uint_eq(leaf1.edx >> 28 & 1, 1);
    ck_assert_uint_eq(leaf(cpuid, 0, 1, 0).ebx >> 24, 0);
    ck_assert_uint_eq(leaf(cpuid, 0, 0xb, 0).eax, 1);
    ck_assert_uint_eq(leaf(cpuid, 0, 0xb, 0).ebx, 2);
    ck_assert_uint_eq(leaf(cpuid, 0, 0xb, 0).ecx, 0x100);
    ck_assert_uint_eq(leaf(cpuid, 0, 0xb, 1).eax, 4);
    ck_assert_uint_eq(leaf(cpuid, 0, 0xb, 1).ebx, 12);
    ck_assert_uint_eq(leaf(cpuid, 0, 0xb, 1).ecx, 0x201);
    ck_assert_uint_eq(leaf(cpuid, 13, 0xb, 0).edx, 17);
    ck_assert_uint_eq(leaf(cpuid, 13, 0xb, 1).edx, 17);
    ck_assert_uint_eq(leaf(cpuid, 13, 0x1f, 1).eax, 3);
    ck_assert_uint_eq(leaf(cpuid, 13, 0x1f, 2).ecx, 0x502);
    ck_assert_uint_eq(leaf(cpuid, 13, 0x1f, 2).edx, 17);
    ck_assert_uint_eq(leaf(cpuid, 0, 4, 0).eax >> 14, (8 - 1) << 12 | (2 - 1)); /* L1: a core's */
    ck_assert_uint_eq(leaf(cpuid, 0, 4, 1).eax >> 14 & 0xfff, 8 - 1);           /* L3: a die's */
}
END_TEST

START_TEST(topology_leaves_amd)
{
    static const KilnCpuTopology threads = { .sockets = 1, .dies = 1, .cores = 4, .threads = 2 };
    static const KilnCpuTopology cores = { .sockets = 1, .dies = 1, .cores = 8, .threads = 1 };
    g_autofree Host *host = host_like("EPYC-Milan", "AuthenticAMD", 0xa00f11);
    KilnCpuFeatureChoice off[] = { { "topoext", KILN_CPU_DISABLE } };
    KilnCpuOptions options = { .mode = KILN_CPU_CUSTOM, .model = "EPYC", .topology = cores };
    g_autoptr(KilnCpuid) plain = NULL;
    g_autoptr(KilnCpuid) extended = NULL;
    g_autoptr(KilnCpuid) disabled = NULL;

    put(host, KILN_CPU_TOPOEXT, TRUE);
    plain = make(host, options);
    options.topology = threads;
    extended = make(host, options);
    options.features = off;
    options.n_features = 1;
    disabled = make(host, options);
    ck_assert_uint_eq(leaf(plain, 0, 0x80000008, 0).ecx, 7 | 3 << 12);
    ck_assert_uint_eq(leaf(plain, 0, 0x80000001, 0).ecx >> 1 & 1, 1);
    ck_assert_uint_eq(leaf(plain, 0, 0x8000001e, 0).function, ABSENT);
    ck_assert_uint_eq(leaf(extended, 0, 0x80000001, 0).ecx >> 22 & 1, 1);
    ck_assert_uint_eq(leaf(extended, 5, 0x8000001e, 0).eax, 5);
    ck_assert_uint_eq(leaf(extended, 5, 0x8000001e, 0).ebx, 2 | 1 << 8);
    ck_assert_uint_eq(leaf(extended, 0, 0x8000001d, 3).eax >> 14 & 0xfff, 7);
    ck_assert_uint_eq(leaf(disabled, 0, 0x80000001, 0).ecx >> 22 & 1, 0);
    ck_assert_uint_eq(leaf(disabled, 5, 0x8000001e, 0).function, ABSENT);
}
END_TEST

/* Leaf 0xb stands before the extended ones, as KVM has it, and is made anew. */
START_TEST(a_replaced_leaf_moves_no_bits)
{
    static const KilnCpuTopology cores = { .sockets = 1, .dies = 1, .cores = 4, .threads = 1 };
    g_autofree Host *host = host_like("EPYC-Milan", "AuthenticAMD", 0xa00f11);
    KilnCpuOptions options = { .mode = KILN_CPU_CUSTOM, .model = "EPYC", .topology = cores };
    g_autoptr(KilnCpuid) cpuid = NULL;
    struct kvm_cpuid_entry2 name;

    ck_assert_uint_lt(host->nent, MAX_ENTRIES);
    memmove(&host->entries[3], &host->entries[2], (host->nent - 2) * sizeof host->entries[0]);
    host->entries[2] =
        (struct kvm_cpuid_entry2){ .function = 0xb, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX };
    host->nent++;
    cpuid = make(host, options);
    ck_assert_uint_eq(leaf(cpuid, 0, 0x80000001, 0).ecx >> 1 & 1, 1);
    name = leaf(cpuid, 0, 0x80000002, 0);
    ck_assert(memcmp(&name.eax, "Kiln", 4) == 0 && memcmp(&name.ebx, " vir", 4) == 0 &&
              memcmp(&name.ecx, "tual", 4) == 0 && memcmp(&name.edx, " CPU", 4) == 0);
}
END_TEST

/* A host whose CPU has no threads of its own, and so neither TOPOEXT nor its leaves. */
START_TEST(threads_on_a_host_without)
{
    static const KilnCpuTopology threads = { .sockets = 2, .dies = 1, .cores = 2, .threads = 2 };
    g_autofree Host *amd = host_like("EPYC-Milan", "AuthenticAMD", 0x000663);
    g_autofree Host *intel = host_like("Westmere", "GenuineIntel", 0x206c2);
    g_autoptr(KilnCpuid) cpuid = NULL;
    g_autoptr(KilnCpuid) other = NULL;

    put(amd, KILN_CPU_TOPOEXT, FALSE);
    cpuid = make(amd, (KilnCpuOptions){ .topology = threads });
    other = make(intel, (KilnCpuOptions){ .topology = threads });
    ck_assert(kiln_cpuid_has(cpuid, "topoext"));
    ck_assert_uint_eq(leaf(cpuid, 7, 0x80000001, 0).ecx >> 22 & 1, 1);
    ck_assert_uint_eq(leaf(cpuid, 7, 0x8000001e, 0).eax, 7);
    ck_assert_uint_eq(leaf(cpuid, 7, 0x8000001e, 0).ebx, 1 | 1 << 8);
    ck_assert_uint_eq(leaf(cpuid, 7, 0x8000001d, 0).eax & 0x1f, 1); /* caches, for it to find */
    ck_assert_uint_eq(leaf(cpuid, 7, 0x80000000, 0).eax, 0x80000021);
    ck_assert(!kiln_cpuid_has(other, "topoext"));
    ck_assert_uint_eq(leaf(other, 7, 0x8000001e, 0).function, ABSENT);
}
END_TEST

START_TEST(caches)
{
    g_autofree Host *host = host_like("Icelake-Server", "GenuineIntel", 0x606a6);
    g_autoptr(KilnCpuid) none = make(host, (KilnCpuOptions){ .cache = KILN_CPU_CACHE_DISABLE });
    g_autoptr(KilnCpuid) emulated = make(host, (KilnCpuOptions){ .cache = KILN_CPU_CACHE_EMULATE });

    ck_assert_uint_eq(leaf(none, 0, 4, 0).function, ABSENT);
    ck_assert_uint_eq(leaf(emulated, 0, 4, 3).ecx, 16383);
    ck_assert_uint_eq(leaf(emulated, 0, 4, 4).eax, 0);
    ck_assert_uint_eq(leaf(emulated, 0, 2, 0).eax, 0xff01);
}
END_TEST

START_TEST(arch_capabilities)
{
    g_autofree Host *host = host_like("Icelake-Server", "GenuineIntel", 0x606a6);
    KilnCpuFeatureChoice plain[] = { { "arch-capabilities", KILN_CPU_REQUIRE },
                                     { "rdctl-no", KILN_CPU_REQUIRE } };
    KilnCpuOptions options = { .arch_capabilities = 0x2b };
    uint64_t value;
    g_autoptr(KilnCpuid) same = NULL;
    g_autoptr(KilnCpuid) less = NULL;

    put(host, KILN_CPU_ARCH_CAPABILITIES, TRUE);
    same = make(host, options);
    ck_assert(!kiln_cpuid_arch_capabilities(same, &value));
    options.mode = KILN_CPU_CUSTOM;
    options.model = "Haswell";
    options.features = plain;
    options.n_features = 2;
    less = make(host, options);
    ck_assert(kiln_cpuid_arch_capabilities(less, &value));
    ck_assert_uint_eq(value, 1);
}
END_TEST

/* A host with more entries than anybody has, and one with none: nothing is indexed past its end. */
START_TEST(absurd_hosts)
{
    struct kvm_cpuid2 empty = { .nent = 0 };
    KilnCpuOptions options = { .topology = { 1, 1, 64, 2 } };
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnCpuid) cpuid = kiln_cpuid_new(&empty, &options, &error);
    g_autofree struct kvm_cpuid2 *many =
        g_malloc0(sizeof *many + 1000 * sizeof(struct kvm_cpuid_entry2));
    g_autoptr(KilnCpuid) full = NULL;

    ck_assert_ptr_nonnull(cpuid);
    ck_assert_uint_eq(kiln_cpuid_phys_bits(cpuid), 36);
    many->nent = 1000;
    for (guint i = 0; i < 1000; i++)
        many->entries[i].function = i;
    full = kiln_cpuid_new(many, &options, &error);
    ck_assert_ptr_nonnull(full);
    ck_assert_uint_le(kiln_cpuid_for_vcpu(full, 3)->nent, 256);
}
END_TEST

static Suite *
cpuid_suite(void)
{
    Suite *suite = suite_create("kvm/cpuid");
    TCase *tcase = kiln_test_case(suite, "cpuid");

    tcase_add_test(tcase, feature_table);
    tcase_add_test(tcase, known_bits);
    tcase_add_test(tcase, models_inherit);
    tcase_add_test(tcase, passthrough);
    tcase_add_test(tcase, options_of_passthrough);
    tcase_add_test(tcase, named_model);
    tcase_add_test(tcase, lacking_features_are_named);
    tcase_add_test(tcase, bad_requests);
    tcase_add_test(tcase, host_model);
    tcase_add_test(tcase, named_model_drops_nested);
    tcase_add_test(tcase, xsave_follows_features);
    tcase_add_test(tcase, topology_leaves);
    tcase_add_test(tcase, topology_leaves_amd);
    tcase_add_test(tcase, a_replaced_leaf_moves_no_bits);
    tcase_add_test(tcase, threads_on_a_host_without);
    tcase_add_test(tcase, caches);
    tcase_add_test(tcase, arch_capabilities);
    tcase_add_test(tcase, absurd_hosts);
    return suite;
}

KILN_TEST_MAIN(cpuid_suite)
