/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A virtio SCSI adapter as its driver sees it, with units on disks in memory: virtio 1.2 §5.6. */
#include "device/virtio-scsi.h"

#include <errno.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_scsi.h>
#include <string.h>

#include "base/be.h"
#include "tests/lib/kiln-test.h"
#include "tests/lib/memory-block.h"
#include "tests/lib/virtio-driver.h"

enum {
    RAM_BYTES = 64 << 20,
    BLOCK = 512,
    DISK_BLOCKS = 1024,
    CONTROL = 0,
    EVENT = 1,
    REQUEST = 2,
    BIG_LUN = 300,
};

/* Target 0 unit 0 and target 5 unit 300 are disks, target 1 unit 0 is a CD-ROM. */
typedef struct {
    KilnBoard *board;
    KilnMemory *ram;
    KilnVirtioScsiOptions options;
    MemoryBlock *disk, *other, *cd;
    KilnScsiUnit *units[3];
    KilnVirtioDevice *device;
    KilnDriver *driver;
    KilnIoErrorPolicy policy;
} Hba;

/* A command that was added. */
typedef struct {
    KilnDriverBuffer response, data;
} Command;

static void
add_unit(Hba *hba, KilnVirtioDevice *device, unsigned i, unsigned target, unsigned lun,
         MemoryBlock *memory)
{
    g_autoptr(GError) error = NULL;
    KilnScsiUnitOptions options = {
        .chain = &memory->block,
        .kind = i == 2 ? KILN_SCSI_CDROM : KILN_SCSI_DISK,
        .write_back = TRUE,
        .write_policy = hba->policy,
    };

    hba->units[i] = kiln_scsi_unit_new(&options, &error);
    kiln_assert_no_error(error);
    ck_assert(kiln_virtio_scsi_add(device, target, lun, hba->units[i], &error));
}

static KilnVirtioDevice *
make_hba(Hba *hba)
{
    g_autoptr(GError) error = NULL;
    KilnVirtioDevice *device = kiln_virtio_scsi_new(&hba->options, &error);

    kiln_assert_no_error(error);
    hba->disk = memory_block_new(DISK_BLOCKS * BLOCK, NULL);
    hba->other = memory_block_new(DISK_BLOCKS * BLOCK, NULL);
    hba->cd = memory_block_new(DISK_BLOCKS * BLOCK, NULL);
    add_unit(hba, device, 0, 0, 0, hba->disk);
    add_unit(hba, device, 1, 5, BIG_LUN, hba->other);
    add_unit(hba, device, 2, 1, 0, hba->cd);
    return device;
}

static void
hba_open(Hba *hba, uint64_t accept)
{
    hba->board = kiln_board_new();
    hba->ram = kiln_memory_new_plain(RAM_BYTES);
    hba->options.virtio.id = "scsi0";
    hba->options.virtio.memory = hba->ram;
    hba->options.virtio.packed = TRUE;
    hba->options.virtio.n_queues = 2;
    hba->device = make_hba(hba);
    hba->driver = kiln_driver_new(hba->board, hba->ram, hba->device);
    kiln_driver_start(hba->driver, accept);
}

static void
hba_close(Hba *hba)
{
    kiln_driver_free(hba->driver);
    kiln_memory_free(hba->ram);
    kiln_board_free(hba->board);
}

static void
put_lun(uint8_t *lun, unsigned target, unsigned number)
{
    memset(lun, 0, 8);
    lun[0] = 1;
    lun[1] = (uint8_t)target;
    lun[2] = (uint8_t)(0x40 | number >> 8);
    lun[3] = (uint8_t)number;
}

/* @in: bytes that the device writes, else it reads them (from @data, or zeroes). */
static Command
add(Hba *hba, unsigned queue, unsigned target, unsigned lun, uint64_t tag, const uint8_t *cdb,
    size_t cdb_bytes, uint32_t bytes, gboolean in, int fill)
{
    struct virtio_scsi_cmd_req header = { .tag = tag };
    KilnDriverBuffer out[2], ins[2];
    Command command;
    unsigned n_out = 1, n_in = 1;

    put_lun(header.lun, target, lun);
    memcpy(header.cdb, cdb, cdb_bytes);
    out[0] = kiln_driver_alloc_data(hba->driver, &header, sizeof header);
    ins[0] = command.response = kiln_driver_alloc(hba->driver, sizeof(struct virtio_scsi_cmd_resp));
    memset(command.response.host, 0xee, command.response.length);
    command.data = kiln_driver_alloc(hba->driver, MAX(bytes, 1));
    command.data.length = bytes;
    memset(command.data.host, fill, bytes);
    if (bytes > 0 && in)
        ins[n_in++] = command.data;
    else if (bytes > 0)
        out[n_out++] = command.data;
    ck_assert_int_ge(kiln_driver_add(hba->driver, REQUEST + queue, out, n_out, ins, n_in), 0);
    kiln_driver_kick(hba->driver, REQUEST + queue);
    return command;
}

static const struct virtio_scsi_cmd_resp *
response_of(const Command *command)
{
    return (const struct virtio_scsi_cmd_resp *)command->response.host;
}

#define CDB(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })

/* Runs a command.  Returns: the status, or 0x100 | the response. */
static unsigned
run(Hba *hba, Command *command)
{
    const struct virtio_scsi_cmd_resp *response = response_of(command);

    kiln_driver_wait_used(hba->driver, REQUEST, NULL, NULL);
    return response->response == VIRTIO_SCSI_S_OK ? response->status : 0x100u | response->response;
}

static unsigned
simple(Hba *hba, unsigned target, unsigned lun, const uint8_t *cdb, size_t cdb_bytes,
       uint32_t bytes, gboolean in, Command *command)
{
    *command = add(hba, 0, target, lun, 1, cdb, cdb_bytes, bytes, in, 0);
    return run(hba, command);
}

/* What a driver does first: nobody has asked for the power-on yet. */
static void
clear_attentions(Hba *hba)
{
    Command command;

    ck_assert_uint_eq(simple(hba, 0, 0, CDB(0), 0, FALSE, &command), 2);
    ck_assert_uint_eq(GUINT32_FROM_LE(response_of(&command)->sense_len), 18);
    ck_assert_uint_eq(response_of(&command)->sense[12], 0x29);
    ck_assert_uint_eq(simple(hba, 5, BIG_LUN, CDB(0), 0, FALSE, &command), 2);
    ck_assert_uint_eq(simple(hba, 1, 0, CDB(0), 0, FALSE, &command), 2);
}

START_TEST(config)
{
    Hba hba = { 0 };

    hba_open(&hba, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(kiln_driver_n_queues(hba.driver), 4);
    ck_assert_uint_eq(kiln_driver_config(hba.driver, 0, 4), 2);
    ck_assert_uint_eq(kiln_driver_config(hba.driver, 4, 4), 254);
    ck_assert_uint_eq(kiln_driver_config(hba.driver, 20, 4), 96);
    ck_assert_uint_eq(kiln_driver_config(hba.driver, 24, 4), 32);
    ck_assert_uint_eq(kiln_driver_config(hba.driver, 30, 2), 255);
    ck_assert_uint_eq(kiln_driver_config(hba.driver, 32, 4), 16383);
    kiln_driver_set_config(hba.driver, 20, 1 << 20, 4);
    ck_assert_uint_eq(kiln_driver_config(hba.driver, 20, 4), 96);
    kiln_driver_set_config(hba.driver, 24, 16, 4);
    ck_assert_uint_eq(kiln_driver_config(hba.driver, 24, 4), 16);
    kiln_driver_reset(hba.driver);
    ck_assert_uint_eq(kiln_driver_config(hba.driver, 24, 4), 32);
    hba_close(&hba);
}
END_TEST

START_TEST(addresses)
{
    Hba hba = { 0 };
    Command command;

    hba_open(&hba, KILN_DRIVER_SPLIT);
    clear_attentions(&hba);
    ck_assert_uint_eq(simple(&hba, 5, BIG_LUN, CDB(0x12, 0, 0, 0, 36), 36, TRUE, &command), 0);
    ck_assert_int_eq(memcmp(command.data.host + 16, "KILN HARDDISK", 13), 0);
    ck_assert_uint_eq(simple(&hba, 7, 0, CDB(0x12, 0, 0, 0, 36), 36, TRUE, &command), 0x103);
    /* A unit that is not there, of a target that is. */
    ck_assert_uint_eq(simple(&hba, 5, 0, CDB(0x12, 0, 0, 0, 36), 36, TRUE, &command), 0);
    ck_assert_uint_eq(command.data.host[0], 0x7f);
    ck_assert_uint_eq(simple(&hba, 5, 0, CDB(0), 0, TRUE, &command), 2);
    ck_assert_uint_eq(response_of(&command)->sense[12], 0x25);
    ck_assert_uint_eq(simple(&hba, 5, 0, CDB(0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0), 256, TRUE, &command),
                      0);
    ck_assert_int_eq(memcmp(command.data.host, "\0\0\0\x8\0\0\0\0\x41\x2c\0\0", 12), 0);
    ck_assert_uint_eq(GUINT32_FROM_LE(response_of(&command)->resid), 240);
    hba_close(&hba);
}
END_TEST

START_TEST(overrun)
{
    Hba hba = { 0 };
    Command command;

    hba_open(&hba, KILN_DRIVER_SPLIT);
    clear_attentions(&hba);
    ck_assert_uint_eq(simple(&hba, 0, 0, CDB(0x08, 0, 0, 0, 2), 512, TRUE, &command), 0x101);
    ck_assert_uint_eq(simple(&hba, 0, 0, CDB(0x08, 0, 0, 0, 1), 512, FALSE, &command), 0x101);
    ck_assert_uint_eq(simple(&hba, 0, 0, CDB(0x12, 0, 0, 0, 36), 35, TRUE, &command), 0x101);
    ck_assert_uint_eq(simple(&hba, 0, 0, CDB(0x08, 0, 0, 0, 1), 600, TRUE, &command), 0);
    ck_assert_uint_eq(GUINT32_FROM_LE(response_of(&command)->resid), 88);
    hba_close(&hba);
}
END_TEST

/* virtio 1.2 §2.7.4: where a device's buffers end is the driver's business. */
START_TEST(response_and_data_in_one_buffer)
{
    enum { RESPONSE = sizeof(struct virtio_scsi_cmd_resp), INQUIRY = 36 };
    Hba hba = { 0 };
    struct virtio_scsi_cmd_req header = { .tag = 1, .cdb = { 0x12, 0, 0, 0, INQUIRY } };
    KilnDriverBuffer out;
    Command command = { 0 };

    hba_open(&hba, KILN_DRIVER_SPLIT);
    clear_attentions(&hba);
    put_lun(header.lun, 0, 0);
    out = kiln_driver_alloc_data(hba.driver, &header, sizeof header);
    command.response = kiln_driver_alloc(hba.driver, RESPONSE + INQUIRY);
    memset(command.response.host, 0xee, RESPONSE + INQUIRY);
    kiln_driver_add(hba.driver, REQUEST, &out, 1, &command.response, 1);
    kiln_driver_kick(hba.driver, REQUEST);
    ck_assert_uint_eq(run(&hba, &command), 0);
    ck_assert_int_eq(memcmp(command.response.host + RESPONSE + 16, "KILN HARDDISK", 13), 0);
    hba_close(&hba);
}
END_TEST

/* Both queues, both disks, answers in any order: disks are arrays of blocks. */
static void
run_model(uint64_t accept)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(7);
    Hba hba = { 0 };
    MemoryBlock *disks[2];
    uint8_t *model[2];

    hba_open(&hba, accept);
    clear_attentions(&hba);
    disks[0] = hba.disk;
    disks[1] = hba.other;
    for (unsigned i = 0; i < 2; i++) {
        model[i] = g_malloc0(DISK_BLOCKS);
        disks[i]->mode = MEMORY_BLOCK_LOOP;
    }
    for (unsigned round = 0; round < 200; round++) {
        enum { BATCH = 8 };
        Command commands[BATCH];
        unsigned which[BATCH], lba[BATCH], n[BATCH];
        gboolean write[BATCH];
        unsigned used = 0;

        /* Ranges of a batch do not overlap. */
        for (unsigned i = 0; i < BATCH; i++) {
            which[i] = (unsigned)g_rand_int_range(random, 0, 2);
            lba[i] = i * (DISK_BLOCKS / BATCH) + (unsigned)g_rand_int_range(random, 0, 64);
            n[i] = (unsigned)g_rand_int_range(random, 1, 64);
            write[i] = g_rand_boolean(random);
            commands[i] = add(&hba, i & 1, which[i] ? 5 : 0, which[i] ? BIG_LUN : 0, i,
                              CDB(write[i] ? 0x2a : 0x28, 0, 0, 0, (uint8_t)(lba[i] >> 8),
                                  (uint8_t)lba[i], 0, 0, (uint8_t)n[i]),
                              n[i] * BLOCK, !write[i], (int)(round & 0xff));
        }
        while (used < BATCH) {
            kiln_driver_settle(hba.driver);
            while (kiln_driver_take_used(hba.driver, REQUEST, NULL, NULL) ||
                   kiln_driver_take_used(hba.driver, REQUEST + 1, NULL, NULL))
                used++;
        }
        for (unsigned i = 0; i < BATCH; i++) {
            ck_assert_uint_eq(response_of(&commands[i])->response, 0);
            ck_assert_uint_eq(response_of(&commands[i])->status, 0);
            for (unsigned block = 0; block < n[i]; block++) {
                uint8_t *value = &model[which[i]][lba[i] + block];

                if (write[i])
                    *value = (uint8_t)round;
                ck_assert_uint_eq(commands[i].data.host[block * BLOCK + 7], *value);
            }
        }
        kiln_driver_free_buffers(hba.driver);
    }
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned block = 0; block < DISK_BLOCKS; block++)
            ck_assert_uint_eq(disks[i]->bytes[block * BLOCK], model[i][block]);
        g_free(model[i]);
    }
    hba_close(&hba);
}

START_TEST(model_split)
{
    run_model(KILN_DRIVER_SPLIT);
}
END_TEST

START_TEST(model_packed)
{
    run_model(KILN_DRIVER_PACKED);
}
END_TEST

/* ---- Task management ---- */

static KilnDriverBuffer
manage(Hba *hba, uint32_t subtype, unsigned target, unsigned lun, uint64_t tag)
{
    struct virtio_scsi_ctrl_tmf_req function = { .subtype = GUINT32_TO_LE(subtype), .tag = tag };
    KilnDriverBuffer out, response = kiln_driver_alloc(hba->driver, 1);

    put_lun(function.lun, target, lun);
    out = kiln_driver_alloc_data(hba->driver, &function, sizeof function);
    response.host[0] = 0xee;
    ck_assert_int_ge(kiln_driver_add(hba->driver, CONTROL, &out, 1, &response, 1), 0);
    kiln_driver_kick(hba->driver, CONTROL);
    kiln_driver_settle(hba->driver);
    return response;
}

START_TEST(task_management)
{
    Hba hba = { 0 };
    Command one, two;
    KilnDriverBuffer answer;

    hba_open(&hba, KILN_DRIVER_SPLIT);
    clear_attentions(&hba);
    hba.disk->mode = MEMORY_BLOCK_HELD;
    one = add(&hba, 0, 0, 0, 11, CDB(0x08, 0, 0, 0, 1), 512, TRUE, 0);
    two = add(&hba, 1, 0, 0, 12, CDB(0x08, 0, 0, 1, 1), 512, TRUE, 0);
    kiln_driver_settle(hba.driver);
    ck_assert_uint_eq(hba.disk->n_pending, 2);
    ck_assert_uint_eq(manage(&hba, VIRTIO_SCSI_T_TMF_QUERY_TASK, 0, 0, 12).host[0], 10);
    ck_assert_uint_eq(manage(&hba, VIRTIO_SCSI_T_TMF_QUERY_TASK, 0, 0, 13).host[0], 0);
    ck_assert_uint_eq(manage(&hba, VIRTIO_SCSI_T_TMF_QUERY_TASK, 0, 1, 13).host[0], 12);
    ck_assert_uint_eq(manage(&hba, VIRTIO_SCSI_T_TMF_QUERY_TASK, 9, 0, 13).host[0], 3);
    ck_assert_uint_eq(manage(&hba, VIRTIO_SCSI_T_TMF_CLEAR_ACA, 0, 0, 13).host[0], 11);
    /* The function ends after the command that it ends. */
    answer = manage(&hba, VIRTIO_SCSI_T_TMF_ABORT_TASK, 0, 0, 11);
    ck_assert_uint_eq(answer.host[0], 0xee);
    memory_block_complete(hba.disk, 0);
    kiln_driver_settle(hba.driver);
    ck_assert_uint_eq(answer.host[0], 0);
    ck_assert_uint_eq(response_of(&one)->response, VIRTIO_SCSI_S_ABORTED);
    ck_assert_uint_eq(response_of(&two)->response, 0xee);
    answer = manage(&hba, VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET, 0, 0, 0);
    ck_assert_uint_eq(answer.host[0], 0xee);
    memory_block_complete(hba.disk, 0);
    kiln_driver_settle(hba.driver);
    ck_assert_uint_eq(answer.host[0], 0);
    ck_assert_uint_eq(response_of(&two)->response, VIRTIO_SCSI_S_RESET);
    while (kiln_driver_take_used(hba.driver, REQUEST, NULL, NULL))
        ;
    hba.disk->mode = MEMORY_BLOCK_SYNC;
    ck_assert_uint_eq(simple(&hba, 0, 0, CDB(0), 0, FALSE, &one), 2);
    ck_assert_uint_eq(response_of(&one)->sense[12], 0x29);
    ck_assert_uint_eq(simple(&hba, 0, 0, CDB(0), 0, FALSE, &one), 0);
    hba_close(&hba);
}
END_TEST

START_TEST(reset_with_commands_under_way)
{
    Hba hba = { 0 };
    Command command;

    hba_open(&hba, KILN_DRIVER_SPLIT);
    clear_attentions(&hba);
    hba.disk->mode = MEMORY_BLOCK_HELD;
    (void)add(&hba, 0, 0, 0, 11, CDB(0x08, 0, 0, 0, 1), 512, TRUE, 0);
    (void)manage(&hba, VIRTIO_SCSI_T_TMF_ABORT_TASK, 0, 0, 11);
    kiln_driver_set_common(hba.driver, VIRTIO_PCI_COMMON_STATUS, 0, 1);
    kiln_driver_settle(hba.driver);
    ck_assert_uint_ne(kiln_driver_status(hba.driver), 0);
    memory_block_complete(hba.disk, 0);
    kiln_driver_settle(hba.driver);
    ck_assert_uint_eq(kiln_driver_status(hba.driver), 0);
    hba.disk->mode = MEMORY_BLOCK_SYNC;
    kiln_driver_start(hba.driver, KILN_DRIVER_SPLIT);
    ck_assert_uint_eq(simple(&hba, 0, 0, CDB(0), 0, FALSE, &command), 2);
    hba_close(&hba);
}
END_TEST

/* ---- Events ---- */

static KilnDriverBuffer
add_event(Hba *hba)
{
    KilnDriverBuffer event = kiln_driver_alloc(hba->driver, sizeof(struct virtio_scsi_event));

    ck_assert_int_ge(kiln_driver_add(hba->driver, EVENT, NULL, 0, &event, 1), 0);
    kiln_driver_kick(hba->driver, EVENT);
    kiln_driver_settle(hba->driver);
    return event;
}

static void
check_event(const KilnDriverBuffer *buffer, uint32_t event, unsigned target, uint32_t reason)
{
    const struct virtio_scsi_event *bytes = (const struct virtio_scsi_event *)buffer->host;

    ck_assert_uint_eq(GUINT32_FROM_LE(bytes->event), event);
    ck_assert_uint_eq(bytes->lun[1], target);
    ck_assert_uint_eq(GUINT32_FROM_LE(bytes->reason), reason);
}

START_TEST(events)
{
    g_autoptr(GError) error = NULL;
    Hba hba = { 0 };
    KilnDriverBuffer first, second, third;
    MemoryBlock *medium = memory_block_new(DISK_BLOCKS * BLOCK, NULL);
    KilnScsiUnitOptions options = { .chain = &memory_block_new(1 << 20, NULL)->block };

    hba_open(&hba, KILN_DRIVER_SPLIT);
    first = add_event(&hba);
    kiln_virtio_device_quiesce(hba.device);
    hba.disk->block.length /= 2;
    kiln_scsi_unit_resized(hba.units[0]);
    ck_assert(kiln_scsi_unit_set_medium(hba.units[2], &medium->block, FALSE, &error));
    ck_assert(kiln_virtio_scsi_add(hba.device, 9, 0, kiln_scsi_unit_new(&options, &error), &error));
    kiln_virtio_device_resume(hba.device);
    kiln_driver_settle(hba.driver);
    check_event(&first, VIRTIO_SCSI_T_PARAM_CHANGE, 0, 0x092a);
    second = add_event(&hba);
    third = add_event(&hba);
    check_event(&second, VIRTIO_SCSI_T_PARAM_CHANGE, 1, 0x0028);
    check_event(&third, VIRTIO_SCSI_T_TRANSPORT_RESET, 9, VIRTIO_SCSI_EVT_RESET_RESCAN);
    /* More than are kept: the driver is told that some are missing. */
    kiln_virtio_device_quiesce(hba.device);
    for (unsigned i = 0; i < 40; i++)
        kiln_scsi_unit_resized(hba.units[0]);
    kiln_virtio_device_resume(hba.device);
    first = add_event(&hba);
    check_event(&first, VIRTIO_SCSI_T_EVENTS_MISSED | VIRTIO_SCSI_T_PARAM_CHANGE, 0, 0x092a);
    hba_close(&hba);
}
END_TEST

/* ---- Errors, and what is kept over a stop ---- */

START_TEST(error_is_tried_again_elsewhere)
{
    Hba hba = { .policy = KILN_IO_ERROR_STOP };
    Command command;

    hba_open(&hba, KILN_DRIVER_PACKED);
    clear_attentions(&hba);
    memory_block_fail(hba.disk, 1, MEMORY_BLOCK_ANY_OP, ENOSPC);
    command = add(&hba, 0, 0, 0, 3, CDB(0x0a, 0, 0, 4, 1), 512, FALSE, 0x5a);
    kiln_driver_settle(hba.driver);
    ck_assert_uint_eq(response_of(&command)->response, 0xee);
    hba.device = make_hba(&hba);
    kiln_driver_migrate(hba.driver, hba.device);
    ck_assert_uint_eq(run(&hba, &command), 0);
    ck_assert_uint_eq(hba.disk->bytes[4 * BLOCK], 0x5a);
    hba_close(&hba);
}
END_TEST

START_TEST(broken_request)
{
    Hba hba = { 0 };
    KilnDriverBuffer buffer;

    hba_open(&hba, KILN_DRIVER_SPLIT);
    buffer = kiln_driver_alloc(hba.driver, 16);
    kiln_driver_add(hba.driver, REQUEST, &buffer, 1, NULL, 0);
    kiln_driver_kick(hba.driver, REQUEST);
    ck_assert(kiln_driver_broken(hba.driver));
    hba_close(&hba);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("virtio-scsi");
    TCase *tests = kiln_test_case(suite, "virtio-scsi");

    tcase_add_test(tests, config);
    tcase_add_test(tests, addresses);
    tcase_add_test(tests, overrun);
    tcase_add_test(tests, response_and_data_in_one_buffer);
    tcase_add_test(tests, model_split);
    tcase_add_test(tests, model_packed);
    tcase_add_test(tests, task_management);
    tcase_add_test(tests, reset_with_commands_under_way);
    tcase_add_test(tests, events);
    tcase_add_test(tests, error_is_tried_again_elsewhere);
    tcase_add_test(tests, broken_request);
    return kiln_test_main(suite);
}
