/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/driver/fake-host.h"

#include <string.h>

#include "caps/host-cpu.h"
#include "caps/host.h"
#include "tests/lib/kiln-test.h"

#define CPU  "/sys/devices/system/cpu"
#define NODE "/sys/devices/system/node"

static char *root; /* (owned) of this process's test */

void
kiln_fake_host_write(const char *path, const char *text)
{
    g_autofree char *whole = g_strconcat(root, path, NULL);
    g_autofree char *folder = g_path_get_dirname(whole);

    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    g_assert_true(g_file_set_contents(whole, text, -1, NULL));
}

static void G_GNUC_PRINTF(2, 3) put(const char *text, const char *format, ...)
{
    g_autofree char *path = NULL;
    va_list arguments;

    va_start(arguments, format);
    path = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    kiln_fake_host_write(path, text);
}

/* ---- CPUs ------------------------------------------------------------------------------------ */

static void
put_feature(struct kvm_cpuid2 *table, const KilnCpuFeature *feature)
{
    struct kvm_cpuid_entry2 *entry;

    if (feature->msr != 0)
        return;
    entry = kiln_cpuid_entry(table, feature->leaf, feature->subleaf);
    if (entry == NULL) {
        entry = &table->entries[table->nent++];
        *entry = (struct kvm_cpuid_entry2){ .function = feature->leaf,
                                            .index = feature->subleaf,
                                            .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX };
    }
    *kiln_cpuid_register(entry, feature->reg) |= 1u << feature->bit;
}

static void
add_leaf(struct kvm_cpuid2 *table, uint32_t leaf, uint32_t eax)
{
    table->entries[table->nent++] = (struct kvm_cpuid_entry2){
        .function = leaf, .eax = eax, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX
    };
}

void
kiln_fake_cpu(const char *name, gboolean kvm)
{
    enum { MAX_VCPUS = 255 };
    const KilnCpuModel *model = kiln_cpu_model_find(name);
    g_autofree struct kvm_cpuid2 *table =
        g_malloc0(sizeof *table + 64 * sizeof(struct kvm_cpuid_entry2));
    KilnCpuFeatureSet features;
    uint32_t family = model->family, eax;

    eax = family > 15 ? 15u << 8 | (family - 15) << 20 : family << 8;
    eax |= (model->model & 15u) << 4 | (uint32_t)(model->model >> 4) << 16 | model->stepping;
    add_leaf(table, 0, 0xd);
    memcpy(&table->entries[0].ebx, model->vendor, 4);
    memcpy(&table->entries[0].edx, model->vendor + 4, 4);
    memcpy(&table->entries[0].ecx, model->vendor + 8, 4);
    add_leaf(table, 1, eax);
    add_leaf(table, 0x80000008, 48);
    kiln_cpu_model_features(model, &features);
    kiln_cpu_set_put(&features, KILN_CPU_HYPERVISOR, TRUE);
    kiln_cpu_set_put(&features, KILN_CPU_INVTSC, TRUE);
    for (int i = 0; i < KILN_CPU_N_FEATURES; i++)
        if (kiln_cpu_set_has(&features, i))
            put_feature(table, kiln_cpu_feature(i));
    kiln_host_cpu_set(table, kvm ? table : NULL, MAX_VCPUS);
}

/* ---- Hosts ----------------------------------------------------------------------------------- */

static void
put_cpu(guint id, guint socket, guint core, const char *siblings)
{
    put("0\n", CPU "/cpu%u/topology/die_id", id);
    put(siblings, CPU "/cpu%u/topology/thread_siblings_list", id);
    {
        g_autofree char *text = g_strdup_printf("%u\n", socket);

        put(text, CPU "/cpu%u/topology/physical_package_id", id);
    }
    {
        g_autofree char *text = g_strdup_printf("%u\n", core);

        put(text, CPU "/cpu%u/topology/core_id", id);
    }
}

static void
put_cache(guint cpu, guint id, const char *cpus)
{
    g_autofree char *number = g_strdup_printf("%u\n", id);

    put("1\n", CPU "/cpu%u/cache/index0/level", cpu);
    put("Data\n", CPU "/cpu%u/cache/index0/type", cpu);
    put("32K\n", CPU "/cpu%u/cache/index0/size", cpu);
    put(cpus, CPU "/cpu%u/cache/index0/shared_cpu_list", cpu);
    put("3\n", CPU "/cpu%u/cache/index1/level", cpu);
    put("Unified\n", CPU "/cpu%u/cache/index1/type", cpu);
    put("32768K\n", CPU "/cpu%u/cache/index1/size", cpu);
    put(cpus, CPU "/cpu%u/cache/index1/shared_cpu_list", cpu);
    put(number, CPU "/cpu%u/cache/index1/id", cpu);
}

static void
put_small(void)
{
    put("0-3\n", CPU "/present");
    put("0-3\n", CPU "/possible");
    put("0-2\n", CPU "/online");
    put("0\n", NODE "/online");
    put("0-2\n", NODE "/node0/cpulist");
    put("10\n", NODE "/node0/distance");
    put("Node 0 MemTotal:        4000000 kB\nNode 0 MemFree:         1000000 kB\n",
        NODE "/node0/meminfo");
    for (guint i = 0; i < 3; i++) {
        g_autofree char *own = g_strdup_printf("%u\n", i);

        put_cpu(i, 0, i, own);
    }
    for (guint i = 0; i < 4; i++)
        put("", NODE "/node0/cpu%u/online", i);
    put("processor\t: 0\ncpu MHz\t\t: 2394.374\n", "/proc/cpuinfo");
    put("MemTotal:        4000000 kB\nMemFree:         1000000 kB\nMemAvailable:    3000000 kB\n"
        "Buffers:           20000 kB\nCached:           500000 kB\nSwapCached:            0 kB\n",
        "/proc/meminfo");
    put("cpu  400 10 200 3000 50 6 4 0 0 0\ncpu0 100 1 50 700 10 2 1 0 0 0\n"
        "cpu1 100 1 50 700 10 2 1 0 0 0\ncpu2 200 8 100 1600 30 2 2 0 0 0\nintr 5\n",
        "/proc/stat");
    put("freeze mem disk\n", "/sys/power/state");
    put("0x2b000590\n", CPU "/cpu0/microcode/version");
    kiln_fake_cpu("Skylake-Server", TRUE);
}

static void
put_large(void)
{
    static const char *const siblings[] = { "0,4\n", "1,5\n", "2,6\n", "3,7\n" };

    put("0-7\n", CPU "/present");
    put("0-15\n", CPU "/possible");
    put("0-7\n", CPU "/online");
    put("0-1\n", NODE "/online");
    for (guint i = 0; i < 2; i++) {
        put(i == 0 ? "0-1,4-5\n" : "2-3,6-7\n", NODE "/node%u/cpulist", i);
        put(i == 0 ? "10 21\n" : "21 10\n", NODE "/node%u/distance", i);
        put(i == 0 ? "Node 0 MemTotal:       16777216 kB\nNode 0 MemFree:         8388608 kB\n"
                   : "Node 1 MemTotal:       16777216 kB\nNode 1 MemFree:        16000000 kB\n",
            NODE "/node%u/meminfo", i);
        put(i == 0 ? "8\n" : "16\n", NODE "/node%u/hugepages/hugepages-2048kB/nr_hugepages", i);
        put(i == 0 ? "3\n" : "16\n", NODE "/node%u/hugepages/hugepages-2048kB/free_hugepages", i);
        put("0\n", NODE "/node%u/hugepages/hugepages-1048576kB/nr_hugepages", i);
        put("0\n", NODE "/node%u/hugepages/hugepages-1048576kB/free_hugepages", i);
    }
    for (guint i = 0; i < 8; i++) {
        put_cpu(i, i % 4 / 2, i % 2, siblings[i % 4]);
        put_cache(i, i % 4 / 2, i % 4 < 2 ? "0-1,4-5\n" : "2-3,6-7\n");
    }
    put("processor\t: 0\ncpu MHz\t\t: 3100.000\n", "/proc/cpuinfo");
    put("MemTotal:       33554432 kB\nMemFree:        24388608 kB\n", "/proc/meminfo");
    put("pci\n", "/sys/kernel/iommu_groups/0/type");
    put("0\n", "/sys/kernel/mm/ksm/run");
    put("100\n", "/sys/kernel/mm/ksm/pages_to_scan");
    put("20\n", "/sys/kernel/mm/ksm/sleep_millisecs");
    put("1\n", "/sys/kernel/mm/ksm/merge_across_nodes");
    put("7\n", "/sys/kernel/mm/ksm/pages_shared");
    put("70\n", "/sys/kernel/mm/ksm/pages_sharing");
    put("2\n", "/sys/kernel/mm/ksm/full_scans");
    put("Kiln Works\n", "/sys/class/dmi/id/sys_vendor");
    put("Furnace & Co <1>\n", "/sys/class/dmi/id/product_name");
    put("4c4c4544-0042-3510-8050-b9c04f4d3532\n", "/sys/class/dmi/id/product_uuid");
    put("SeaBIOS\n", "/sys/class/dmi/id/bios_vendor");
    put("04/01/2024\n", "/sys/class/dmi/id/bios_date");
    kiln_fake_cpu("EPYC-Rome", TRUE);
}

static void
put_bare(void)
{
    put("0\n", CPU "/present");
    put("0\n", CPU "/possible");
    put("0\n", CPU "/online");
    put("MemTotal:        1000000 kB\nMemFree:          500000 kB\n", "/proc/meminfo");
    kiln_fake_cpu("Skylake-Client", FALSE);
}

void
kiln_fake_host(const char *name)
{
    g_autofree char *folder = kiln_test_dir();

    kiln_fake_host_at(name, folder);
}

void
kiln_fake_host_at(const char *name, const char *folder)
{
    g_free(root);
    root = g_strdup(folder);
    if (strcmp(name, "small") == 0)
        put_small();
    else if (strcmp(name, "large") == 0)
        put_large();
    else
        put_bare();
    kiln_host_set_root(root);
}
