/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Networks and volumes of libvirt's test driver (test:///default). */
#include "resolve/resolve.h"

#include "base/module.h"
#include "tests/lib/kiln-test.h"

#include <libvirt/libvirt.h>
#include <string.h>

#define URI "test:///default"

static const char plain[] =
    "<network><name>plain</name><forward mode='nat'/>"
    "<bridge name='br-plain'/><ip address='10.9.0.1' prefix='24'/></network>";
static const char macvtap[] = "<network><name>macvtap</name><forward mode='private'>"
                              "<interface dev='eth7'/></forward></network>";

static const KilnResolveModule *libvirt;
static virConnectPtr connection; /* keeps the driver's objects */

static void
set_up(void)
{
    g_autoptr(GError) error = NULL;

    libvirt = kiln_module_load(KILN_RESOLVE_MODULE, KILN_RESOLVE_SYMBOL, &error);
    kiln_assert_no_error(error);
    connection = virConnectOpen(URI);
    ck_assert_ptr_nonnull(connection);
}

static void
tear_down(void)
{
    virConnectClose(connection);
}

static void
resolve_network(const char *text, const char *name, KilnResolvedNetwork *resolved)
{
    virNetworkPtr network = virNetworkCreateXML(connection, text);
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_nonnull(network);
    ck_assert(libvirt->network(URI, name, resolved, &error));
    kiln_assert_no_error(error);
    ck_assert_int_eq(virNetworkDestroy(network), 0);
    virNetworkFree(network);
}

START_TEST(a_network_has_a_bridge)
{
    KilnResolvedNetwork resolved;

    resolve_network(plain, "plain", &resolved);
    ck_assert_str_eq(resolved.bridge, "br-plain");
    ck_assert_ptr_null(resolved.dev);
    g_free(resolved.bridge);
}
END_TEST

START_TEST(a_network_of_macvtaps_has_a_device_and_a_mode)
{
    KilnResolvedNetwork resolved;

    resolve_network(macvtap, "macvtap", &resolved);
    ck_assert_ptr_null(resolved.bridge);
    ck_assert_str_eq(resolved.dev, "eth7");
    ck_assert_str_eq(resolved.mode, "private");
    g_free(resolved.dev);
    g_free(resolved.mode);
}
END_TEST

static void
fails(gboolean done, GError **error, const char *words)
{
    ck_assert(!done);
    ck_assert_msg(*error != NULL && strstr((*error)->message, words) != NULL, "%s",
                  *error != NULL ? (*error)->message : "no error");
    g_clear_error(error);
}

START_TEST(what_is_not_there_is_an_error_that_names_it)
{
    KilnResolvedNetwork network;
    KilnResolvedVolume volume;
    g_autoptr(GError) error = NULL;
    virNetworkPtr fallow = virNetworkLookupByName(connection, "default");

    fails(libvirt->network(URI, "nowhere", &network, &error), &error, "network 'nowhere': ");
    ck_assert_int_eq(virNetworkDestroy(fallow), 0);
    fails(libvirt->network(URI, "default", &network, &error), &error, "virsh net-start default");
    ck_assert_int_eq(virNetworkCreate(fallow), 0);
    virNetworkFree(fallow);
    fails(libvirt->volume(URI, "default-pool", "none", &volume, &error), &error,
          "volume 'none' of pool 'default-pool': ");
    fails(libvirt->volume(URI, "no-pool", "none", &volume, &error), &error, "no-pool");
    fails(libvirt->network("nonsense:///", "default", &network, &error), &error, "cannot be asked");
}
END_TEST

START_TEST(a_volume_is_a_file)
{
    virStoragePoolPtr pool = virStoragePoolLookupByName(connection, "default-pool");
    virStorageVolPtr volume = virStorageVolCreateXML(
        pool, "<volume><name>disk.img</name><capacity>1048576</capacity></volume>", 0);
    KilnResolvedVolume resolved;
    g_autoptr(GError) error = NULL;
    char *path;

    ck_assert_ptr_nonnull(volume);
    path = virStorageVolGetPath(volume);
    ck_assert(libvirt->volume(URI, "default-pool", "disk.img", &resolved, &error));
    ck_assert_str_eq(resolved.path, path);
    ck_assert(!resolved.block_device);
    g_free(resolved.path);
    g_free(path); /* libvirt allocates by malloc(3), as GLib does since 2.46 */
    ck_assert_int_eq(virStorageVolDelete(volume, 0), 0);
    virStorageVolFree(volume);
    virStoragePoolFree(pool);
}
END_TEST

static Suite *
resolve_suite(void)
{
    Suite *suite = suite_create("resolve");
    TCase *tcase = kiln_test_case(suite, "libvirt");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_network_has_a_bridge);
    tcase_add_test(tcase, a_network_of_macvtaps_has_a_device_and_a_mode);
    tcase_add_test(tcase, what_is_not_there_is_an_error_that_names_it);
    tcase_add_test(tcase, a_volume_is_a_file);
    return suite;
}

int
main(void)
{
    g_setenv("KILN_MODULE_DIR", g_getenv("KILN_BUILDDIR"), TRUE);
    return kiln_test_main(resolve_suite());
}
