/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions, groups and containers against a host of plain files: sysfs and /dev/vfio in a
 * directory, a device whose regions are a file, and ioctl() that answers as the kernel would.
 */
#include "vfio/device.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/le.h"
#include "tests/lib/kiln-test.h"

#define NAME "0000:03:00.0"

enum { GROUP = 7, BAR_BYTES = 0x4000, CONFIG_AT = 0x10000, MAX_MAPS = 8, MIB = 1024 * 1024 };

static struct {
    char *root;
    gboolean not_viable;
    int map_errno;
    int iommu_errno;
    struct vfio_iommu_type1_dma_map maps[MAX_MAPS];
    unsigned n_maps;
    unsigned n_containers_set;
    gboolean iommu_set;
    struct vfio_irq_set last_irqs;
    int first_fd;
    unsigned n_resets;
} fake;

static int
failed(int errnum)
{
    errno = errnum;
    return -1;
}

/* BAR 0 may be mapped but for its third page, which the kernel says as some drivers do. */
static int
region_info(struct vfio_region_info *info)
{
    struct vfio_region_info_cap_sparse_mmap sparse = {
        .header = { .id = VFIO_REGION_INFO_CAP_SPARSE_MMAP }, .nr_areas = 2
    };
    struct vfio_region_sparse_mmap_area areas[2] = { { 0, 0x2000 }, { 0x3000, 0x1000 } };
    uint32_t need = sizeof *info + sizeof sparse + sizeof areas;

    info->flags = 0;
    info->size = 0;
    info->cap_offset = 0;
    switch (info->index) {
    case VFIO_PCI_BAR0_REGION_INDEX:
        info->size = BAR_BYTES;
        info->flags = VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS;
        if (info->argsz >= need) {
            info->cap_offset = sizeof *info;
            memcpy((char *)info + sizeof *info, &sparse, sizeof sparse);
            memcpy((char *)info + sizeof *info + sizeof sparse, areas, sizeof areas);
        }
        info->argsz = need;
        return 0;
    case VFIO_PCI_BAR2_REGION_INDEX:
        info->size = BAR_BYTES;
        info->offset = BAR_BYTES;
        info->flags = VFIO_REGION_INFO_FLAG_MMAP;
        return 0;
    case VFIO_PCI_CONFIG_REGION_INDEX:
        info->size = 256;
        info->offset = CONFIG_AT;
        return 0;
    case VFIO_PCI_ROM_REGION_INDEX: return failed(EINVAL);
    default: return 0;
    }
}

static int
device_ioctl(unsigned long request, void *argument)
{
    struct vfio_device_info *info = argument;
    struct vfio_irq_info *irq = argument;
    const struct vfio_irq_set *set = argument;

    switch (request) {
    case VFIO_DEVICE_GET_INFO:
        info->flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
        info->num_regions = VFIO_PCI_NUM_REGIONS;
        info->num_irqs = VFIO_PCI_NUM_IRQS;
        return 0;
    case VFIO_DEVICE_GET_REGION_INFO: return region_info(argument);
    case VFIO_DEVICE_GET_IRQ_INFO:
        irq->flags = VFIO_IRQ_INFO_EVENTFD;
        irq->count = irq->index == VFIO_PCI_MSIX_IRQ_INDEX ? 16 : 1;
        return 0;
    case VFIO_DEVICE_SET_IRQS:
        fake.last_irqs = *set;
        if (set->count > 0)
            memcpy(&fake.first_fd, set->data, sizeof fake.first_fd);
        return 0;
    case VFIO_DEVICE_RESET: fake.n_resets++; return 0;
    default: return failed(ENOTTY);
    }
}

static int
fake_ioctl(int fd, unsigned long request, void *argument)
{
    g_autofree char *path = NULL;
    struct vfio_group_status *status = argument;

    switch (request) {
    case VFIO_GET_API_VERSION: return VFIO_API_VERSION;
    case VFIO_CHECK_EXTENSION: return argument == GUINT_TO_POINTER(VFIO_TYPE1v2_IOMMU);
    case VFIO_SET_IOMMU:
        if (fake.iommu_errno != 0)
            return failed(fake.iommu_errno);
        ck_assert_uint_gt(fake.n_containers_set, 0);
        fake.iommu_set = TRUE;
        return 0;
    case VFIO_IOMMU_MAP_DMA:
        ck_assert(fake.iommu_set && fake.n_maps < MAX_MAPS);
        if (fake.map_errno != 0)
            return failed(fake.map_errno);
        fake.maps[fake.n_maps++] = *(const struct vfio_iommu_type1_dma_map *)argument;
        return 0;
    case VFIO_GROUP_GET_STATUS:
        status->flags = fake.not_viable ? 0 : VFIO_GROUP_FLAGS_VIABLE;
        return 0;
    case VFIO_GROUP_SET_CONTAINER: fake.n_containers_set++; return 0;
    case VFIO_GROUP_GET_DEVICE_FD:
        ck_assert_str_eq(argument, NAME);
        path = g_strdup_printf("%s/device", fake.root);
        return open(path, O_RDWR | O_CLOEXEC);
    default: return device_ioctl(request, argument);
    }
}

static KilnVfioHost host = { .ioctl = fake_ioctl };

/* ---- a host ------------------------------------------------------------------------------------
 */

static void
put_file(const char *path, const char *text)
{
    g_autofree char *full = g_strdup_printf("%s/%s", fake.root, path);
    g_autofree char *directory = g_path_get_dirname(full);

    ck_assert_int_eq(g_mkdir_with_parents(directory, 0755), 0);
    ck_assert(g_file_set_contents(full, text, -1, NULL));
}

static char *
get_file(const char *path)
{
    g_autofree char *full = g_strdup_printf("%s/%s", fake.root, path);
    char *text = NULL;

    ck_assert(g_file_get_contents(full, &text, NULL, NULL));
    return text;
}

static void
put_link(const char *path, const char *to)
{
    g_autofree char *full = g_strdup_printf("%s/%s", fake.root, path);

    unlink(full);
    ck_assert_int_eq(symlink(to, full), 0);
}

static void
make_host(const char *driver)
{
    g_autofree char *device = NULL;

    g_free(fake.root); /* of the host before */
    memset(&fake, 0, sizeof fake);
    fake.root = kiln_test_dir();
    host.root = fake.root;
    put_file("sys/bus/pci/devices/" NAME "/driver_override", "(null)\n");
    put_link("sys/bus/pci/devices/" NAME "/iommu_group", "../../../../kernel/iommu_groups/7");
    put_file("sys/bus/pci/drivers_probe", "");
    put_file("sys/bus/pci/drivers/vfio-pci/unbind", "");
    put_file("sys/bus/pci/drivers/nvme/unbind", "");
    put_file("sys/kernel/iommu_groups/7/devices/" NAME, "");
    if (driver != NULL) {
        g_autofree char *to = g_strdup_printf("../../drivers/%s", driver);

        put_link("sys/bus/pci/devices/" NAME "/driver", to);
    }
    put_file("dev/vfio/vfio", "");
    put_file("dev/vfio/7", "");
    put_file("device", "registers");
    device = g_strdup_printf("%s/device", fake.root);
    ck_assert_int_eq(truncate(device, CONFIG_AT + 256), 0);
}

static KilnVfioDevice *
open_device(KilnMemory *memory, GError **error)
{
    g_autoptr(KilnVfioContainer) container = kiln_vfio_container_new(&host, memory, error);
    KilnVfioBinding *binding;

    ck_assert_ptr_nonnull(container);
    binding = kiln_vfio_binding_new(&host, NAME, FALSE, error);
    return binding != NULL ? kiln_vfio_device_open(container, binding, NAME, error) : NULL;
}

static void
expect_error(const char *text)
{
    g_autoptr(KilnMemory) memory = kiln_memory_new_plain(2 * MIB);
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(open_device(memory, &error));
    kiln_assert_error_has(error, text);
}

/* ---- tests -------------------------------------------------------------------------------------
 */

START_TEST(all_of_guest_ram_is_mapped_where_the_guest_has_it)
{
    g_autoptr(KilnMemory) memory = kiln_memory_new_plain(8 * MIB);
    g_autoptr(GError) error = NULL;
    g_autoptr(KilnVfioDevice) device = NULL;
    guint n;
    const KilnMemoryRegion *regions = kiln_memory_regions(memory, &n);

    make_host("vfio-pci");
    device = open_device(memory, &error);
    kiln_assert_no_error(error);
    ck_assert_uint_eq(fake.n_maps, n);
    for (guint i = 0; i < n; i++) {
        ck_assert_uint_eq(fake.maps[i].iova, regions[i].gpa);
        ck_assert_uint_eq(fake.maps[i].size, regions[i].size);
        ck_assert_uint_eq(fake.maps[i].vaddr, (uintptr_t)regions[i].host);
        ck_assert_uint_eq(fake.maps[i].flags, VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE);
    }
}
END_TEST

START_TEST(functions_of_one_group_share_it)
{
    g_autoptr(KilnMemory) memory = kiln_memory_new_plain(2 * MIB);
    g_autoptr(KilnVfioContainer) container = NULL;
    int fd;

    make_host("vfio-pci");
    container = kiln_vfio_container_new(&host, memory, NULL);
    fd = kiln_vfio_container_group(container, GROUP, NULL);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(kiln_vfio_container_group(container, GROUP, NULL), fd);
    ck_assert_uint_eq(fake.n_containers_set, 1);
    put_file("dev/vfio/8", "");
    ck_assert_int_ge(kiln_vfio_container_group(container, 8, NULL), 0);
    ck_assert_uint_eq(fake.n_containers_set, 2);
    ck_assert_uint_eq(fake.n_maps, 1); /* once for all */
}
END_TEST

START_TEST(regions_are_mapped_where_the_kernel_allows_it)
{
    g_autoptr(KilnMemory) memory = kiln_memory_new_plain(2 * MIB);
    g_autoptr(KilnVfioDevice) device = NULL;
    const KilnVfioArea *areas;
    uint8_t data[4] = { 1, 2, 3, 4 };

    make_host("vfio-pci");
    device = open_device(memory, NULL);
    ck_assert_ptr_nonnull(device);
    ck_assert_uint_eq(device->regions[0].areas->len, 2);
    areas = (const KilnVfioArea *)(const void *)device->regions[0].areas->data;
    ck_assert_uint_eq(areas[0].length, 0x2000);
    ck_assert_uint_eq(areas[1].offset, 0x3000);
    ck_assert_uint_eq(areas[1].length, 0x1000);
    ck_assert_int_eq(memcmp(areas[0].host, "registers", 9), 0);
    ck_assert_uint_eq(device->regions[2].areas->len, 1); /* all of it */
    ck_assert_int_eq(device->ops->write(device, 2, 8, data, sizeof data), 0);
    areas = (const KilnVfioArea *)(const void *)device->regions[2].areas->data;
    ck_assert_int_eq(memcmp((uint8_t *)areas[0].host + 8, data, sizeof data), 0);
    memset(data, 0, sizeof data);
    ck_assert_int_eq(device->ops->read(device, 0, 0, data, sizeof data), 0);
    ck_assert_int_eq(memcmp(data, "regi", sizeof data), 0);
    ck_assert_int_lt(device->ops->read(device, 0, BAR_BYTES - 2, data, 4), 0);
    ck_assert_int_lt(device->ops->read(device, 1, 0, data, 1), 0);
}
END_TEST

START_TEST(interrupts_and_resets_reach_the_kernel)
{
    g_autoptr(KilnMemory) memory = kiln_memory_new_plain(2 * MIB);
    g_autoptr(KilnVfioDevice) device = NULL;
    int fds[2] = { 5, 6 };

    make_host("vfio-pci");
    device = open_device(memory, NULL);
    ck_assert_uint_eq(device->n_irqs[VFIO_PCI_MSIX_IRQ_INDEX], 16);
    ck_assert_int_eq(device->ops->set_irqs(device, VFIO_PCI_MSIX_IRQ_INDEX, fds, 2), 0);
    ck_assert_uint_eq(fake.last_irqs.count, 2);
    ck_assert_uint_eq(fake.last_irqs.flags,
                      VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER);
    ck_assert_int_eq(fake.first_fd, 5);
    ck_assert_int_eq(device->ops->set_irqs(device, VFIO_PCI_MSIX_IRQ_INDEX, NULL, 0), 0);
    ck_assert_uint_eq(fake.last_irqs.flags, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER);
    ck_assert_int_eq(device->ops->reset(device), 0);
    ck_assert_uint_eq(fake.n_resets, 1);
}
END_TEST

START_TEST(errors_say_what_is_to_be_done)
{
    make_host(NULL);
    expect_error("driverctl set-override " NAME " vfio-pci");
    make_host("nvme");
    expect_error("the driver 'nvme', not vfio-pci");
    make_host("vfio-pci");
    put_link("sys/bus/pci/devices/" NAME "/iommu_group", "nowhere");
    expect_error("intel_iommu=on");
    make_host("vfio-pci");
    fake.not_viable = TRUE;
    put_file("sys/bus/pci/devices/0000:03:00.1/config", "");
    put_link("sys/bus/pci/devices/0000:03:00.1/driver", "../../drivers/snd_hda_intel");
    put_file("sys/kernel/iommu_groups/7/devices/0000:03:00.1", "");
    expect_error("0000:03:00.1 (driver 'snd_hda_intel')");
    make_host("vfio-pci");
    fake.iommu_errno = EPERM;
    expect_error("allow_unsafe_interrupts=1");
    make_host("vfio-pci");
    fake.map_errno = EINVAL;
    expect_error("cannot map");
}
END_TEST

START_TEST(a_function_that_is_not_there_is_an_error)
{
    g_autoptr(GError) error = NULL;

    make_host("vfio-pci");
    ck_assert_ptr_null(kiln_vfio_binding_new(&host, "0000:7f:00.0", TRUE, &error));
    kiln_assert_error_has(error, "no PCI function '0000:7f:00.0'");
}
END_TEST

START_TEST(a_managed_function_is_taken_and_given_back)
{
    g_autoptr(GError) error = NULL;
    KilnVfioBinding *binding;
    g_autofree char *text = NULL;

    /* Plain files bind nothing: it is vfio-pci's already when they are written. */
    make_host("nvme");
    ck_assert_ptr_null(kiln_vfio_binding_new(&host, NAME, TRUE, &error));
    kiln_assert_error_has(error, "vfio-pci does not take it");
    text = get_file("sys/bus/pci/drivers/nvme/unbind");
    ck_assert_str_eq(text, NAME);
    g_clear_pointer(&text, g_free);
    text = get_file("sys/bus/pci/drivers/vfio-pci/unbind"); /* given back after the error */
    ck_assert_str_eq(text, NAME);
    make_host("vfio-pci");
    binding = kiln_vfio_binding_new(&host, NAME, TRUE, NULL);
    ck_assert_uint_eq(kiln_vfio_binding_group(binding), GROUP);
    kiln_vfio_binding_free(binding);
    g_clear_pointer(&text, g_free);
    text = get_file("sys/bus/pci/drivers/vfio-pci/unbind"); /* it was not taken */
    ck_assert_str_eq(text, "");
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("vfio");
    TCase *tcase = kiln_test_case(suite, "all");

    tcase_add_test(tcase, all_of_guest_ram_is_mapped_where_the_guest_has_it);
    tcase_add_test(tcase, functions_of_one_group_share_it);
    tcase_add_test(tcase, regions_are_mapped_where_the_kernel_allows_it);
    tcase_add_test(tcase, interrupts_and_resets_reach_the_kernel);
    tcase_add_test(tcase, errors_say_what_is_to_be_done);
    tcase_add_test(tcase, a_function_that_is_not_there_is_an_error);
    tcase_add_test(tcase, a_managed_function_is_taken_and_given_back);
    return suite;
}

KILN_TEST_MAIN(make_suite)
