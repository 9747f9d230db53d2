/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See i8042.h.
 *
 *   0x64 write: command -> answer queued, or the next 0x60 write is its parameter
 *   0x60 write: parameter, or a byte for the keyboard -> it; nobody there: time-out answer
 *   queue -> output buffer full, irq 1 or 12 -> 0x60 read -> next; when it is empty a device's
 */
#include "device/i8042.h"

#include <string.h>

#include "device/ps2-keyboard.h"
#include "device/ps2-mouse.h"

enum {
    PORT_DATA = 0x60,
    PORT_COMMAND = 0x64,
    QUEUE_MAX = 16,
    RAM_BYTES = 32, /* byte 0 is the command byte */

    STATUS_OUTPUT_FULL = 1 << 0,
    STATUS_SYSTEM = 1 << 2,
    STATUS_COMMAND = 1 << 3, /* what was written last went to 0x64 */
    STATUS_UNLOCKED = 1 << 4,
    STATUS_AUX = 1 << 5, /* what is in the output buffer is from the aux port */
    STATUS_TIMEOUT = 1 << 6,

    MODE_KEYBOARD_IRQ = 1 << 0,
    MODE_AUX_IRQ = 1 << 1,
    MODE_SYSTEM = 1 << 2,
    MODE_KEYBOARD_OFF = 1 << 4,
    MODE_AUX_OFF = 1 << 5,
    MODE_TRANSLATE = 1 << 6,

    OUTPUT_NO_RESET = 1 << 0,
    OUTPUT_A20 = 1 << 1,
    OUTPUT_KEYBOARD_IRQ = 1 << 4,
    OUTPUT_AUX_IRQ = 1 << 5,

    INPUT_UNLOCKED = 1 << 7, /* input port: the key lock is open */

    COMMAND_READ_RAM = 0x20,  /* to 0x3f */
    COMMAND_WRITE_RAM = 0x60, /* to 0x7f */
    COMMAND_AUX_OFF = 0xa7,
    COMMAND_AUX_ON = 0xa8,
    COMMAND_TEST_AUX = 0xa9,
    COMMAND_SELF_TEST = 0xaa,
    COMMAND_TEST_KEYBOARD = 0xab,
    COMMAND_KEYBOARD_OFF = 0xad,
    COMMAND_KEYBOARD_ON = 0xae,
    COMMAND_READ_INPUT = 0xc0,
    COMMAND_READ_OUTPUT = 0xd0,
    COMMAND_WRITE_OUTPUT = 0xd1,
    COMMAND_LOOP_KEYBOARD = 0xd2,
    COMMAND_LOOP_AUX = 0xd3,
    COMMAND_TO_AUX = 0xd4,
    COMMAND_A20_OFF = 0xdd,
    COMMAND_A20_ON = 0xdf,
    COMMAND_READ_TEST_INPUTS = 0xe0,
    COMMAND_PULSE = 0xf0, /* to 0xff: bit n clear pulses output bit n low */

    SELF_TEST_PASSED = 0x55,
    PORT_TEST_PASSED = 0x00,
    RESEND = 0xfe, /* what the controller answers for a device that does not */
};

typedef struct {
    KilnDevice device;
    KilnI8042Options options;
    KilnRegion data_port;
    KilnRegion command_port;
    KilnIrqOutput keyboard_irq;
    KilnIrqOutput aux_irq;
    uint8_t status;  /* without what the queue's head gives */
    uint8_t command; /* that waits for its parameter, or 0 */
    uint8_t output;  /* the output port's A20 and reset bits */
    uint8_t ram[RAM_BYTES];
    uint8_t queue[QUEUE_MAX]; /* bytes for the host, oldest first */
    uint8_t flags[QUEUE_MAX]; /* STATUS_AUX and STATUS_TIMEOUT of each */
    uint8_t n_queued;
    uint8_t last;     /* what 0x60 read last */
    uint8_t released; /* 0 or 1: translating, a release's prefix has come */
    KilnPs2Keyboard keyboard;
    KilnPs2Mouse mouse;
    KilnInputSink *keys;    /* (nullable) */
    KilnInputSink *pointer; /* (nullable) */
    KilnClockTimer repeat;  /* armed while a key is held */
    uint64_t repeat_ns;     /* when it comes again; 0: it does not */
} I8042;

static void
update_irqs(I8042 *kbc)
{
    gboolean full = kbc->n_queued > 0;
    gboolean aux = full && (kbc->flags[0] & STATUS_AUX);

    kiln_irq_output_set(&kbc->keyboard_irq, full && !aux && (kbc->ram[0] & MODE_KEYBOARD_IRQ) != 0);
    kiln_irq_output_set(&kbc->aux_irq, aux && (kbc->ram[0] & MODE_AUX_IRQ) != 0);
}

static void
answer(I8042 *kbc, uint8_t byte, uint8_t flags)
{
    if (kbc->n_queued == QUEUE_MAX)
        return; /* a guest that only writes loses answers, as with real hardware's one byte */
    kbc->queue[kbc->n_queued] = byte;
    kbc->flags[kbc->n_queued++] = flags;
    update_irqs(kbc);
}

/* The output buffer takes a byte of a device's that may send, the keyboard's first. */
static void
fill(I8042 *kbc)
{
    while (kbc->n_queued == 0 && kbc->keyboard.queue.n > 0 && !(kbc->ram[0] & MODE_KEYBOARD_OFF)) {
        uint8_t byte = kiln_ps2_queue_take(&kbc->keyboard.queue);

        if (!(kbc->ram[0] & MODE_TRANSLATE) || kiln_ps2_translate(&byte, &kbc->released))
            answer(kbc, byte, 0);
    }
    if (kbc->n_queued == 0 && kbc->mouse.queue.n > 0 && !(kbc->ram[0] & MODE_AUX_OFF))
        answer(kbc, kiln_ps2_queue_take(&kbc->mouse.queue), STATUS_AUX);
    if (kbc->mouse.queue.n == 0)
        kiln_ps2_mouse_send(&kbc->mouse);
}

static void
set_output(I8042 *kbc, uint8_t value)
{
    kbc->output = value & (OUTPUT_NO_RESET | OUTPUT_A20);
    if (!(value & OUTPUT_NO_RESET))
        kbc->options.reset(kbc->options.reset_opaque, KILN_RESET_KEYBOARD);
}

static uint8_t
get_output(const I8042 *kbc)
{
    uint8_t value = kbc->output;

    if (kbc->n_queued > 0)
        value |= kbc->flags[0] & STATUS_AUX ? OUTPUT_AUX_IRQ : OUTPUT_KEYBOARD_IRQ;
    return value;
}

static void
set_mode(I8042 *kbc, uint8_t set, uint8_t clear)
{
    kbc->ram[0] = (uint8_t)((kbc->ram[0] | set) & ~clear);
    if (kbc->ram[0] & MODE_SYSTEM)
        kbc->status |= STATUS_SYSTEM;
    else
        kbc->status &= (uint8_t)~STATUS_SYSTEM;
    update_irqs(kbc);
}

static void
run_command(I8042 *kbc, uint8_t command)
{
    kbc->command = 0;
    switch (command) {
    case COMMAND_READ_RAM ... COMMAND_READ_RAM + RAM_BYTES - 1:
        answer(kbc, kbc->ram[command - COMMAND_READ_RAM], 0);
        break;
    case COMMAND_WRITE_RAM ... COMMAND_WRITE_RAM + RAM_BYTES - 1:
    case COMMAND_WRITE_OUTPUT:
    case COMMAND_LOOP_KEYBOARD:
    case COMMAND_LOOP_AUX:
    case COMMAND_TO_AUX: kbc->command = command; break;
    case COMMAND_AUX_OFF: set_mode(kbc, MODE_AUX_OFF, 0); break;
    case COMMAND_AUX_ON: set_mode(kbc, 0, MODE_AUX_OFF); break;
    case COMMAND_TEST_AUX:
    case COMMAND_TEST_KEYBOARD: answer(kbc, PORT_TEST_PASSED, 0); break;
    case COMMAND_SELF_TEST:
        set_mode(kbc, MODE_SYSTEM, 0);
        answer(kbc, SELF_TEST_PASSED, 0);
        break;
    case COMMAND_KEYBOARD_OFF: set_mode(kbc, MODE_KEYBOARD_OFF, 0); break;
    case COMMAND_KEYBOARD_ON: set_mode(kbc, 0, MODE_KEYBOARD_OFF); break;
    case COMMAND_READ_INPUT: answer(kbc, INPUT_UNLOCKED, 0); break;
    case COMMAND_READ_OUTPUT: answer(kbc, get_output(kbc), 0); break;
    case COMMAND_A20_OFF: kbc->output &= (uint8_t)~OUTPUT_A20; break;
    case COMMAND_A20_ON: kbc->output |= OUTPUT_A20; break;
    case COMMAND_READ_TEST_INPUTS: answer(kbc, 0, 0); break;
    case COMMAND_PULSE ... 0xff:
        if (!(command & OUTPUT_NO_RESET))
            kbc->options.reset(kbc->options.reset_opaque, KILN_RESET_KEYBOARD);
        break;
    default: break;
    }
}

static void
take_parameter(I8042 *kbc, uint8_t byte)
{
    uint8_t command = kbc->command;

    kbc->command = 0;
    switch (command) {
    case COMMAND_WRITE_RAM: set_mode(kbc, byte, (uint8_t)~byte); break;
    case COMMAND_WRITE_RAM + 1 ... COMMAND_WRITE_RAM + RAM_BYTES - 1:
        kbc->ram[command - COMMAND_WRITE_RAM] = byte;
        break;
    case COMMAND_WRITE_OUTPUT: set_output(kbc, byte); break;
    case COMMAND_LOOP_KEYBOARD: answer(kbc, byte, 0); break;
    case COMMAND_LOOP_AUX: answer(kbc, byte, STATUS_AUX); break;
    case COMMAND_TO_AUX:
        set_mode(kbc, 0, MODE_AUX_OFF);
        if (kbc->options.mouse != NULL)
            kiln_ps2_mouse_write(&kbc->mouse, byte);
        else
            answer(kbc, RESEND, STATUS_AUX | STATUS_TIMEOUT);
        break;
    default: /* for the keyboard, whose port it turns on */
        set_mode(kbc, 0, MODE_KEYBOARD_OFF);
        if (kbc->options.keyboard != NULL)
            kiln_ps2_keyboard_write(&kbc->keyboard, byte);
        else
            answer(kbc, RESEND, STATUS_TIMEOUT);
        break;
    }
}

static uint64_t
data_read(void *opaque, uint64_t offset, unsigned size)
{
    I8042 *kbc = opaque;

    if (kbc->n_queued > 0) {
        kbc->last = kbc->queue[0];
        kbc->n_queued--;
        memmove(kbc->queue, kbc->queue + 1, kbc->n_queued);
        memmove(kbc->flags, kbc->flags + 1, kbc->n_queued);
        /* The line falls with each byte, so that the next one is an edge of its own. */
        kiln_irq_output_set(&kbc->keyboard_irq, FALSE);
        kiln_irq_output_set(&kbc->aux_irq, FALSE);
        fill(kbc);
        update_irqs(kbc);
    }
    return kbc->last;
}

static void
data_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    I8042 *kbc = opaque;

    kbc->status &= (uint8_t)~STATUS_COMMAND;
    take_parameter(kbc, (uint8_t)data);
    fill(kbc);
}

static uint64_t
status_read(void *opaque, uint64_t offset, unsigned size)
{
    const I8042 *kbc = opaque;

    return kbc->n_queued > 0 ? kbc->status | STATUS_OUTPUT_FULL | kbc->flags[0] : kbc->status;
}

static void
command_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    I8042 *kbc = opaque;

    kbc->status |= STATUS_COMMAND;
    run_command(kbc, (uint8_t)data);
    fill(kbc);
}

static const KilnRegionOps data_ops = { .read = data_read, .write = data_write, .max_access = 1 };
static const KilnRegionOps command_ops = { .read = status_read,
                                           .write = command_write,
                                           .max_access = 1 };

/* ---- who types and points: main thread ---------------------------------------------------------
 */

static void
repeat_from(I8042 *kbc, uint64_t delay_ns)
{
    if (kbc->options.clock == NULL)
        return;
    kbc->repeat_ns = kbc->keyboard.held != 0 ? kiln_clock_now(kbc->options.clock) + delay_ns : 0;
    if (kbc->repeat_ns != 0)
        kiln_clock_timer_arm(&kbc->repeat, kbc->repeat_ns);
    else
        kiln_clock_timer_cancel(&kbc->repeat);
}

static void
repeat_key(void *opaque)
{
    I8042 *kbc = opaque;
    KILN_LOCK_SCOPE(&kbc->device.lock);

    if (kbc->repeat_ns == 0 || kiln_clock_now(kbc->options.clock) < kbc->repeat_ns)
        return;
    if (kbc->keyboard.held != 0)
        kiln_ps2_keyboard_key(&kbc->keyboard, kbc->keyboard.held, TRUE);
    fill(kbc);
    repeat_from(kbc, kiln_ps2_keyboard_period_ns(&kbc->keyboard));
}

static gboolean
has_key(void *device, uint16_t code)
{
    return kiln_ps2_keyboard_has(code);
}

static void
press_key(void *device, uint16_t code, gboolean down)
{
    I8042 *kbc = device;
    KILN_LOCK_SCOPE(&kbc->device.lock);

    kiln_ps2_keyboard_key(&kbc->keyboard, code, down);
    fill(kbc);
    repeat_from(kbc, kiln_ps2_keyboard_delay_ns(&kbc->keyboard));
}

static gboolean
keyboard_listens(void *device)
{
    I8042 *kbc = device;
    KILN_LOCK_SCOPE(&kbc->device.lock);

    return kbc->keyboard.scanning && !(kbc->ram[0] & MODE_KEYBOARD_OFF);
}

static void
press_button(void *device, uint16_t code, gboolean down)
{
    I8042 *kbc = device;
    KILN_LOCK_SCOPE(&kbc->device.lock);

    kiln_ps2_mouse_button(&kbc->mouse, code, down);
}

/* The wheel's numbers grow towards the user, and y upwards. */
static void
turn_wheel(void *device, int vertical, int horizontal)
{
    I8042 *kbc = device;
    KILN_LOCK_SCOPE(&kbc->device.lock);

    kiln_ps2_mouse_move(&kbc->mouse, 0, 0, -vertical);
}

static void
move_by(void *device, int dx, int dy)
{
    I8042 *kbc = device;
    KILN_LOCK_SCOPE(&kbc->device.lock);

    kiln_ps2_mouse_move(&kbc->mouse, dx, -dy, 0);
}

static void
sync_mouse(void *device)
{
    I8042 *kbc = device;
    KILN_LOCK_SCOPE(&kbc->device.lock);

    kiln_ps2_mouse_send(&kbc->mouse);
    fill(kbc);
}

static gboolean
mouse_listens(void *device)
{
    I8042 *kbc = device;
    KILN_LOCK_SCOPE(&kbc->device.lock);

    return kbc->mouse.reporting && !(kbc->ram[0] & MODE_AUX_OFF);
}

static const KilnInputSinkOps keyboard_sink = { .has_key = has_key,
                                                .key = press_key,
                                                .listens = keyboard_listens };
static const KilnInputSinkOps mouse_sink = { .button = press_button,
                                             .wheel = turn_wheel,
                                             .move_by = move_by,
                                             .sync = sync_mouse,
                                             .listens = mouse_listens };

/* ---- life --------------------------------------------------------------------------------------
 */

static void
i8042_reset(KilnDevice *device)
{
    I8042 *kbc = (I8042 *)device;

    kbc->status = STATUS_UNLOCKED;
    kbc->command = 0;
    kbc->output = OUTPUT_NO_RESET | OUTPUT_A20;
    kbc->n_queued = 0;
    kbc->last = 0;
    kbc->released = 0;
    kiln_ps2_keyboard_reset(&kbc->keyboard);
    kiln_ps2_mouse_reset(&kbc->mouse);
    repeat_from(kbc, 0);
    memset(kbc->ram, 0, sizeof kbc->ram);
    /* As PC firmware leaves it, which direct boot skips. */
    set_mode(kbc, MODE_KEYBOARD_IRQ | MODE_AUX_IRQ | MODE_SYSTEM | MODE_TRANSLATE, 0);
}

static void
i8042_free(KilnDevice *device)
{
    I8042 *kbc = (I8042 *)device;

    kiln_space_remove(kbc->options.io, &kbc->data_port);
    kiln_space_remove(kbc->options.io, &kbc->command_port);
    if (kbc->keys != NULL)
        kiln_inputs_remove(kbc->options.keyboard, kbc->keys);
    if (kbc->pointer != NULL)
        kiln_inputs_remove(kbc->options.mouse, kbc->pointer);
    if (kbc->options.clock != NULL)
        kiln_clock_timer_clear(&kbc->repeat);
    kiln_device_clear(device);
    g_free(kbc);
}

static gboolean
i8042_post_load(void *object, GError **error)
{
    I8042 *kbc = object;

    kbc->status &= STATUS_SYSTEM | STATUS_COMMAND | STATUS_UNLOCKED;
    kbc->output &= OUTPUT_NO_RESET | OUTPUT_A20;
    for (unsigned i = 0; i < QUEUE_MAX; i++)
        kbc->flags[i] &= STATUS_AUX | STATUS_TIMEOUT;
    if (kbc->keyboard.set == 0)
        kiln_ps2_keyboard_reset(&kbc->keyboard); /* a stream of before there was one */
    kbc->keyboard.held = 0;                      /* whoever holds it is not here */
    repeat_from(kbc, 0);
    update_irqs(kbc);
    return TRUE;
}

static const KilnStateField i8042_fields[] = {
    KILN_STATE(I8042, status, 1),
    KILN_STATE(I8042, command, 1),
    KILN_STATE(I8042, output, 1),
    KILN_STATE_BYTES(I8042, ram, 1),
    KILN_STATE_BYTES(I8042, queue, 1),
    KILN_STATE_BYTES(I8042, flags, 1),
    KILN_STATE_RANGE(I8042, n_queued, 1, 0, QUEUE_MAX),
    KILN_STATE(I8042, last, 1),
    KILN_STATE_RANGE(I8042, released, 2, 0, 1),
    KILN_STATE_STRUCT(I8042, keyboard, 2, &kiln_ps2_keyboard_state),
    KILN_STATE_STRUCT(I8042, mouse, 2, &kiln_ps2_mouse_state),
    KILN_STATE_END,
};

static const KilnStateDescription i8042_state = {
    .name = "i8042",
    .version = 2,
    .min_version = 1,
    .fields = i8042_fields,
    .post_load = i8042_post_load,
};

static const KilnDeviceOps i8042_ops = {
    .name = "i8042", .reset = i8042_reset, .free = i8042_free, .state = &i8042_state
};

KilnDevice *
kiln_i8042_new(const KilnI8042Options *options, GError **error)
{
    I8042 *kbc = g_new0(I8042, 1);

    kiln_device_init(&kbc->device, &i8042_ops, "i8042");
    kbc->options = *options;
    kbc->keyboard_irq = KILN_IRQ_OUTPUT(options->keyboard_irq);
    kbc->aux_irq = KILN_IRQ_OUTPUT(options->aux_irq);
    kiln_region_init(&kbc->data_port, &kbc->device, &data_ops, 1);
    kiln_region_init(&kbc->command_port, &kbc->device, &command_ops, 1);
    if (options->clock != NULL)
        kiln_clock_timer_init(&kbc->repeat, options->clock, repeat_key, kbc);
    i8042_reset(&kbc->device);
    if (options->keyboard != NULL)
        kbc->keys = kiln_inputs_add(options->keyboard, KILN_INPUT_KEYS, KILN_INPUT_RANK_PS2,
                                    &keyboard_sink, kbc);
    if (options->mouse != NULL)
        kbc->pointer = kiln_inputs_add(options->mouse, KILN_INPUT_RELATIVE, KILN_INPUT_RANK_PS2,
                                       &mouse_sink, kbc);
    if (!kiln_space_add(options->io, &kbc->data_port, PORT_DATA, error) ||
        !kiln_space_add(options->io, &kbc->command_port, PORT_COMMAND, error)) {
        i8042_free(&kbc->device);
        return NULL;
    }
    return &kbc->device;
}
