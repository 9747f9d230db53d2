/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage alone: calls in, answers out, in a directory of the test's own. */
#include "base/be.h"
#include "base/fd.h"
#include "relay/storage.h"
#include "rpc/frame.h"
#include "tests/lib/kiln-test.h"

#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *dir;
static KilnStorage *storage;

/* The packet of a call. */
static KilnPacket *
call_of(int procedure, xdrproc_t codec, gconstpointer args)
{
    KilnPacket header = { .program = KILN_PROGRAM_REMOTE,
                          .version = KILN_PROGRAM_VERSION,
                          .procedure = procedure,
                          .serial = 5 };
    KilnPacket *packet = kiln_frame_parse(kiln_frame_encode(&header, 0, codec, args));

    ck_assert_ptr_nonnull(packet);
    return packet;
}

/* An answer's memory lives as long as its test. */
typedef struct {
    xdrproc_t codec;
    gpointer copy; /* (owned): points to what the test's own points to */
} Answer;

static GArray *answers;

/* Makes the call; 0 with @ret decoded, or the error's code. */
static int
call(int procedure, xdrproc_t args_codec, gconstpointer args, xdrproc_t ret_codec, gpointer ret,
     gsize ret_size)
{
    KilnPacket *packet = call_of(procedure, args_codec, args);
    KilnPacket *answer = kiln_frame_parse(kiln_storage_answer(storage, packet));
    int code = 0;

    ck_assert_uint_eq(answer->type, KILN_FRAME_REPLY);
    ck_assert_uint_eq(answer->serial, 5);
    if (answer->status == KILN_FRAME_ERROR)
        code = (int)kiln_be32_load(kiln_frame_payload(answer, &(gsize){ 0 }));
    if (code == 0 && ret_codec != NULL) {
        Answer kept = { ret_codec, NULL };

        ck_assert(kiln_frame_decode(answer, ret_codec, ret));
        kept.copy = g_memdup2(ret, ret_size);
        g_array_append_val(answers, kept);
    }
    kiln_packet_free(answer);
    kiln_packet_free(packet);
    return code;
}

#define CALL(number, args_layout, args, ret_layout, ret)                                           \
    call(REMOTE_PROC_##number, (xdrproc_t)xdr_remote_##args_layout, args,                          \
         (xdrproc_t)xdr_remote_##ret_layout, ret, sizeof(remote_##ret_layout))
#define DO(number, args_layout, args)                                                              \
    call(REMOTE_PROC_##number, (xdrproc_t)xdr_remote_##args_layout, args, NULL, NULL, 0)

static void
set_up(void)
{
    dir = kiln_test_dir();
    storage = kiln_storage_new(dir);
    answers = g_array_new(FALSE, FALSE, sizeof(Answer));
}

static void
tear_down(void)
{
    for (guint i = 0; i < answers->len; i++) {
        const Answer *answer = &g_array_index(answers, Answer, i);

        xdr_free(answer->codec, answer->copy);
        g_free(answer->copy);
    }
    g_array_unref(answers);
    kiln_storage_free(storage);
    g_free(dir);
}

static remote_nonnull_storage_pool
pool_named(const char *name)
{
    remote_storage_text_args args = { (char *)name };
    remote_storage_pool_ret ret = { { 0 } };

    ck_assert_int_eq(
        CALL(STORAGE_POOL_LOOKUP_BY_NAME, storage_text_args, &args, storage_pool_ret, &ret), 0);
    return ret.pool;
}

static void
put(const char *name, const void *bytes, gsize length)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);

    ck_assert(g_file_set_contents(path, bytes, (gssize)length, NULL));
}

static char *
volume_xml(const char *name)
{
    remote_storage_vol_flags_args args = { { (char *)"default", (char *)name, (char *)"" }, 0 };
    remote_storage_text_ret ret = { NULL };

    if (CALL(STORAGE_VOL_GET_XML_DESC, storage_vol_flags_args, &args, storage_text_ret, &ret) != 0)
        return g_strdup("error");
    return g_strdup(ret.text);
}

static int
create(const char *xml)
{
    remote_storage_vol_create_xml_args args = { pool_named("default"), (char *)xml, 0 };
    remote_storage_vol_ret ret = { { 0 } };

    return CALL(STORAGE_VOL_CREATE_XML, storage_vol_create_xml_args, &args, storage_vol_ret, &ret);
}

/* As virt-install --disk FILE: 281, 88, 84, 87, 282, 99, 97, 98, 86. */
START_TEST(a_file_is_found_as_virt_install_does)
{
    remote_connect_list_all_storage_pools_args all = { 1, 0 };
    remote_connect_list_all_storage_pools_ret pools = { { 0 }, 0 };
    remote_storage_pool_flags_args about = { { 0 }, 0 };
    remote_storage_text_ret xml = { NULL };
    remote_storage_pool_args pool = { { 0 } };
    remote_storage_pool_get_info_ret info = { 0 };
    remote_storage_pool_list_all_volumes_args list = { { 0 }, 1, 0 };
    remote_storage_pool_list_all_volumes_ret volumes = { { 0 }, 0 };
    g_autofree char *path = g_build_filename(dir, "disk.img", NULL);
    remote_storage_text_args by_path = { path };
    remote_storage_vol_ret volume = { { 0 } };
    remote_storage_vol_args of = { { 0 } };
    remote_storage_vol_get_info_ret is = { 0 };
    remote_storage_pool_ret back = { { 0 } };

    put("disk.img", "0123456789", 10);
    ck_assert_int_eq(CALL(CONNECT_LIST_ALL_STORAGE_POOLS, connect_list_all_storage_pools_args, &all,
                          connect_list_all_storage_pools_ret, &pools),
                     0);
    ck_assert_uint_eq(pools.pools.pools_len, 1);
    about.pool = pool.pool = list.pool = pools.pools.pools_val[0];
    ck_assert_int_eq(
        CALL(STORAGE_POOL_GET_XML_DESC, storage_pool_flags_args, &about, storage_text_ret, &xml),
        0);
    ck_assert_ptr_nonnull(strstr(xml.text, "<pool type='dir'>"));
    ck_assert_ptr_nonnull(strstr(xml.text, dir));
    ck_assert_int_eq(
        CALL(STORAGE_POOL_GET_INFO, storage_pool_args, &pool, storage_pool_get_info_ret, &info), 0);
    ck_assert_int_eq(info.state, VIR_STORAGE_POOL_RUNNING);
    ck_assert(info.available <= info.capacity);
    ck_assert_int_eq(CALL(STORAGE_POOL_LIST_ALL_VOLUMES, storage_pool_list_all_volumes_args, &list,
                          storage_pool_list_all_volumes_ret, &volumes),
                     0);
    ck_assert_uint_eq(volumes.vols.vols_len, 1);
    ck_assert_str_eq(volumes.vols.vols_val[0].key, path);
    ck_assert_int_eq(
        CALL(STORAGE_VOL_LOOKUP_BY_PATH, storage_text_args, &by_path, storage_vol_ret, &volume), 0);
    ck_assert_str_eq(volume.vol.pool, "default");
    of.vol = volume.vol;
    ck_assert_int_eq(
        CALL(STORAGE_VOL_GET_INFO, storage_vol_args, &of, storage_vol_get_info_ret, &is), 0);
    ck_assert_uint_eq(is.capacity, 10);
    ck_assert_int_eq(
        CALL(STORAGE_POOL_LOOKUP_BY_VOLUME, storage_vol_args, &of, storage_pool_ret, &back), 0);
    ck_assert_str_eq(back.pool.name, "default");
}
END_TEST

START_TEST(what_is_not_there_has_its_code)
{
    remote_storage_text_args name = { (char *)"none" };
    remote_storage_text_args path = { (char *)"/nowhere/at/all" };
    remote_storage_vol_args volume = { { (char *)"default", (char *)"../etc", (char *)"" } };

    ck_assert_int_eq(DO(STORAGE_POOL_LOOKUP_BY_NAME, storage_text_args, &name),
                     VIR_ERR_NO_STORAGE_POOL);
    ck_assert_int_eq(DO(STORAGE_VOL_LOOKUP_BY_PATH, storage_text_args, &path),
                     VIR_ERR_NO_STORAGE_VOL);
    ck_assert_int_eq(DO(STORAGE_VOL_GET_INFO, storage_vol_args, &volume), VIR_ERR_NO_STORAGE_VOL);
    volume.vol.name = (char *)".kiln-pools";
    ck_assert_int_eq(DO(STORAGE_VOL_GET_PATH, storage_vol_args, &volume), VIR_ERR_NO_STORAGE_VOL);
}
END_TEST

START_TEST(volumes_are_made_and_deleted)
{
    static const char xml[] = "<volume><name>new.img</name><capacity unit='M'>3</capacity>"
                              "<allocation>0</allocation><target><format type='raw'/></target>"
                              "</volume>";
    g_autofree char *path = g_build_filename(dir, "new.img", NULL);
    remote_storage_vol_flags_args args = { { (char *)"default", (char *)"new.img", path }, 0 };
    remote_storage_vol_resize_args size = { args.vol, 4 << 20, 0 };
    struct stat is;

    ck_assert_int_eq(create(xml), 0);
    ck_assert_int_eq(stat(path, &is), 0);
    ck_assert_int_eq(is.st_size, 3 << 20);
    ck_assert_int_eq(is.st_blocks, 0);
    ck_assert_int_eq(create(xml), VIR_ERR_STORAGE_VOL_EXIST);
    ck_assert_int_eq(DO(STORAGE_VOL_RESIZE, storage_vol_resize_args, &size), 0);
    size.capacity = 1 << 20;
    ck_assert_int_eq(DO(STORAGE_VOL_RESIZE, storage_vol_resize_args, &size), VIR_ERR_INVALID_ARG);
    ck_assert_int_eq(DO(STORAGE_VOL_DELETE, storage_vol_flags_args, &args), 0);
    ck_assert_int_ne(stat(path, &is), 0);
    ck_assert_int_eq(DO(STORAGE_VOL_DELETE, storage_vol_flags_args, &args), VIR_ERR_NO_STORAGE_VOL);
}
END_TEST

static int
clone_of(const char *name, const char *xml)
{
    remote_storage_vol_create_xml_from_args args = {
        pool_named("default"), (char *)xml, { (char *)"default", (char *)name, (char *)"" }, 0
    };
    remote_storage_vol_ret ret = { { 0 } };

    return CALL(STORAGE_VOL_CREATE_XML_FROM, storage_vol_create_xml_from_args, &args,
                storage_vol_ret, &ret);
}

/* As virt-clone: data and holes, and the length that is asked for. */
START_TEST(volumes_are_copied)
{
    g_autofree char *source = g_build_filename(dir, "source.img", NULL);
    g_autofree char *path = g_build_filename(dir, "copy.img", NULL);
    g_auto(KilnFd) fd = open(source, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    char there[4] = "";
    struct stat is;

    ck_assert_int_eq(ftruncate(fd, 8 << 20), 0);
    ck_assert_int_eq(kiln_write_full(fd, "data", 4, 5 << 20), 0);
    ck_assert_int_eq(clone_of("source.img",
                              "<volume><name>copy.img</name><capacity>9437184</capacity></volume>"),
                     0);
    ck_assert_int_eq(stat(path, &is), 0);
    ck_assert_int_eq(is.st_size, 9 << 20);
    ck_assert_int_lt(is.st_blocks, (1 << 20) / 512);
    kiln_fd_clear(&fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(kiln_read_full(fd, there, 4, 5 << 20), 4);
    ck_assert_mem_eq(there, "data", 4);
    ck_assert_int_eq(clone_of("source.img", "<volume><name>copy.img</name></volume>"),
                     VIR_ERR_STORAGE_VOL_EXIST);
    ck_assert_int_eq(clone_of("none.img", "<volume><name>other.img</name></volume>"),
                     VIR_ERR_NO_STORAGE_VOL);
    ck_assert_int_eq(clone_of("source.img", "<volume><name>other.img</name><target>"
                                            "<format type='qcow2'/></target></volume>"),
                     VIR_ERR_CONFIG_UNSUPPORTED);
}
END_TEST

START_TEST(documents_that_cannot_be_are_refused)
{
    ck_assert_int_eq(create("<volume><name>../x</name><capacity>1</capacity></volume>"),
                     VIR_ERR_XML_ERROR);
    ck_assert_int_eq(create("<volume><name>x</name></volume>"), VIR_ERR_XML_ERROR);
    ck_assert_int_eq(create("<pool><name>x</name></pool>"), VIR_ERR_XML_ERROR);
    ck_assert_int_eq(create("<volume><name>x</name><capacity>1</volume>"), VIR_ERR_XML_ERROR);
    ck_assert_int_eq(create("<volume><name>x</name><capacity unit='E'>99</capacity></volume>"),
                     VIR_ERR_OVERFLOW);
    ck_assert_int_eq(create("<volume><name>x</name><capacity>1</capacity>"
                            "<backingStore><path>/etc/passwd</path></backingStore></volume>"),
                     VIR_ERR_CONFIG_UNSUPPORTED);
    ck_assert_int_eq(create("<volume><name>x</name><capacity>1</capacity>"
                            "<target><format type='vmdk'/></target></volume>"),
                     VIR_ERR_CONFIG_UNSUPPORTED);
}
END_TEST

/* A guest may write what it wants into a raw disk. */
START_TEST(a_format_is_said_only_if_it_is_safe)
{
    guint8 header[512] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0, 3 };
    g_autofree char *raw = NULL;
    g_autofree char *plain = NULL;
    g_autofree char *backed = NULL;
    g_autofree char *outside = NULL;
    g_autofree char *broken = NULL;

    put("raw", "nothing", 7);
    kiln_be64_store(header + 24, 1 << 30);
    put("plain", header, sizeof header);
    put("short", header, 20);
    kiln_be64_store(header + 8, 0x100);
    put("backed", header, sizeof header);
    kiln_be64_store(header + 8, 0);
    kiln_be64_store(header + 72, 4);
    put("outside", header, sizeof header);
    raw = volume_xml("raw");
    plain = volume_xml("plain");
    backed = volume_xml("backed");
    outside = volume_xml("outside");
    broken = volume_xml("short");
    ck_assert_ptr_nonnull(strstr(raw, "<format type='raw'/>"));
    ck_assert_ptr_nonnull(strstr(broken, "<format type='raw'/>"));
    ck_assert_ptr_nonnull(strstr(plain, "<format type='qcow2'/>"));
    ck_assert_ptr_nonnull(strstr(plain, "<capacity unit='bytes'>1073741824<"));
    ck_assert_ptr_null(strstr(backed, "<format"));
    ck_assert_ptr_null(strstr(outside, "<format"));
}
END_TEST

/* 77, 79, 78, 90, as virt-install and virt-manager do for a directory that no pool has. */
START_TEST(a_pool_is_defined_and_kept)
{
    g_autofree char *path = g_build_filename(dir, "more", NULL);
    g_autofree char *xml = g_strdup_printf("<pool type=\"dir\"><name>a &amp; b</name>"
                                           "<target><path>%s/</path></target></pool>",
                                           path);
    remote_storage_text_flags_args define = { xml, 0 };
    remote_storage_pool_ret ret = { { 0 } };
    remote_storage_pool_flags_args about = { { 0 }, 0 };
    remote_storage_pool_set_autostart_args autostart = { { 0 }, 1 };
    remote_storage_pool_args plain = { { 0 } };
    remote_storage_number_ret is = { 0 };

    ck_assert_int_eq(
        CALL(STORAGE_POOL_DEFINE_XML, storage_text_flags_args, &define, storage_pool_ret, &ret), 0);
    ck_assert_str_eq(ret.pool.name, "a & b");
    about.pool = autostart.pool = plain.pool = ret.pool;
    ck_assert_int_eq(DO(STORAGE_POOL_CREATE, storage_pool_flags_args, &about),
                     VIR_ERR_SYSTEM_ERROR);
    ck_assert_int_eq(DO(STORAGE_POOL_BUILD, storage_pool_flags_args, &about), 0);
    ck_assert_int_eq(DO(STORAGE_POOL_CREATE, storage_pool_flags_args, &about), 0);
    ck_assert_int_eq(DO(STORAGE_POOL_SET_AUTOSTART, storage_pool_set_autostart_args, &autostart),
                     0);
    ck_assert_int_eq(DO(STORAGE_POOL_UNDEFINE, storage_pool_args, &plain),
                     VIR_ERR_OPERATION_INVALID);
    kiln_storage_free(storage);
    storage = kiln_storage_new(dir);
    ck_assert_int_eq(
        CALL(STORAGE_POOL_IS_ACTIVE, storage_pool_args, &plain, storage_number_ret, &is), 0);
    ck_assert_int_eq(is.num, 1);
    ck_assert_int_eq(DO(STORAGE_POOL_DESTROY, storage_pool_args, &plain), 0);
    ck_assert_int_eq(DO(STORAGE_POOL_DESTROY, storage_pool_args, &plain),
                     VIR_ERR_OPERATION_INVALID);
    ck_assert_int_eq(DO(STORAGE_POOL_UNDEFINE, storage_pool_args, &plain), 0);
    ck_assert_int_eq(DO(STORAGE_POOL_UNDEFINE, storage_pool_args, &plain), VIR_ERR_NO_STORAGE_POOL);
}
END_TEST

START_TEST(other_kinds_of_pools_are_refused)
{
    remote_storage_text_flags_args netfs = { (char *)"<pool type='netfs'><name>n</name></pool>",
                                             0 };
    g_autofree char *xml = g_strdup_printf("<pool type='dir'><name>same</name><target>"
                                           "<path>%s</path></target></pool>",
                                           dir);
    remote_storage_text_flags_args same = { xml, 0 };

    ck_assert_int_eq(DO(STORAGE_POOL_DEFINE_XML, storage_text_flags_args, &netfs),
                     VIR_ERR_CONFIG_UNSUPPORTED);
    ck_assert_int_eq(DO(STORAGE_POOL_DEFINE_XML, storage_text_flags_args, &same),
                     VIR_ERR_OPERATION_FAILED);
}
END_TEST

START_TEST(arguments_that_are_cut_short_are_errors)
{
    for (int procedure = 71; procedure <= 100; procedure++) {
        guint8 zeros[12] = { 0 };

        for (gsize length = 0; length < sizeof zeros; length++) {
            KilnPacket header = { .program = KILN_PROGRAM_REMOTE,
                                  .version = 1,
                                  .procedure = procedure };
            KilnPacket *packet = kiln_frame_parse(kiln_frame_encode_raw(&header, zeros, length));
            g_autoptr(GBytes) answer = kiln_storage_answer(storage, packet);

            ck_assert_ptr_nonnull(answer);
            kiln_packet_free(packet);
        }
    }
}
END_TEST

static Suite *
storage_suite(void)
{
    Suite *suite = suite_create("relay-storage");
    TCase *tcase = kiln_test_case(suite, "storage");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_file_is_found_as_virt_install_does);
    tcase_add_test(tcase, what_is_not_there_has_its_code);
    tcase_add_test(tcase, volumes_are_made_and_deleted);
    tcase_add_test(tcase, volumes_are_copied);
    tcase_add_test(tcase, documents_that_cannot_be_are_refused);
    tcase_add_test(tcase, a_format_is_said_only_if_it_is_safe);
    tcase_add_test(tcase, a_pool_is_defined_and_kept);
    tcase_add_test(tcase, other_kinds_of_pools_are_refused);
    tcase_add_test(tcase, arguments_that_are_cut_short_are_errors);
    return suite;
}

KILN_TEST_MAIN(storage_suite)
