/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See serial.h.  There is no line speed: a byte is sent as soon as the chardev takes it, and the
 * character time-out (4 character times without a read, PC16550D §8.9.1) is over at once, so that
 * bytes below the trigger level raise it without delay.
 */
#include "device/serial.h"

#include <string.h>

enum {
    N_PORTS = 8,
    FIFO_BYTES = 16,

    /* Registers by port, PC16550D §8.0 table II. */
    REG_DATA = 0, /* RBR, THR; DLL with DLAB */
    REG_IER = 1,  /* DLM with DLAB */
    REG_IIR = 2,  /* FCR when written */
    REG_LCR = 3,
    REG_MCR = 4,
    REG_LSR = 5,
    REG_MSR = 6,
    REG_SCR = 7,

    IER_DATA = 1 << 0,
    IER_THRE = 1 << 1,
    IER_LINE = 1 << 2,
    IER_MODEM = 1 << 3,
    IER_BITS = 0x0f,

    /* By falling priority, §8.5 table IV. */
    IIR_LINE = 0x06,
    IIR_DATA = 0x04,
    IIR_TIMEOUT = 0x0c,
    IIR_THRE = 0x02,
    IIR_MODEM = 0x00,
    IIR_NONE = 0x01,
    IIR_FIFOS = 0xc0,

    FCR_ENABLE = 1 << 0,
    FCR_CLEAR_RECEIVE = 1 << 1,
    FCR_CLEAR_TRANSMIT = 1 << 2,
    FCR_KEPT = 0xc9, /* enable, DMA mode, trigger level */

    LCR_BREAK = 1 << 6,
    LCR_DLAB = 1 << 7,

    MCR_DTR = 1 << 0,
    MCR_RTS = 1 << 1,
    MCR_OUT1 = 1 << 2,
    MCR_OUT2 = 1 << 3,
    MCR_LOOP = 1 << 4,
    MCR_BITS = 0x1f,

    LSR_DATA = 1 << 0,
    LSR_OVERRUN = 1 << 1,
    LSR_BREAK = 1 << 4,
    LSR_THRE = 1 << 5,
    LSR_TEMT = 1 << 6,
    LSR_FIFO_ERROR = 1 << 7,
    LSR_ERRORS = 0x1e, /* overrun, parity, framing, break */

    MSR_DCTS = 1 << 0,
    MSR_DDSR = 1 << 1,
    MSR_TERI = 1 << 2,
    MSR_DDCD = 1 << 3,
    MSR_DELTAS = 0x0f,
    MSR_CTS = 1 << 4,
    MSR_DSR = 1 << 5,
    MSR_RI = 1 << 6,
    MSR_DCD = 1 << 7,
    MSR_PLUGGED = MSR_CTS | MSR_DSR | MSR_DCD,

    DIVISOR_9600 = 12,
};

typedef struct {
    uint8_t bytes[FIFO_BYTES];
    uint8_t head;
    uint8_t count;
} Fifo;

typedef struct {
    KilnDevice device;
    KilnSerialOptions options;
    KilnRegion region;
    KilnIrqOutput irq;
    uint8_t ier;
    uint8_t fcr;
    uint8_t lcr;
    uint8_t mcr;
    uint8_t errors; /* LSR_ERRORS not yet read */
    uint8_t msr;
    uint8_t scr;
    uint8_t divisor_low;
    uint8_t divisor_high;
    gboolean thre_pending; /* the transmitter became empty and nobody has been told */
    Fifo receive;
    Fifo transmit;          /* what the chardev had no room for */
    gboolean input_blocked; /* the chardev was told that there is no room */
} Serial;

static void
push(Fifo *fifo, uint8_t byte)
{
    fifo->bytes[(fifo->head + fifo->count) % FIFO_BYTES] = byte;
    fifo->count++;
}

static uint8_t
pop(Fifo *fifo)
{
    uint8_t byte = fifo->bytes[fifo->head];

    fifo->head = (uint8_t)((fifo->head + 1) % FIFO_BYTES);
    fifo->count--;
    return byte;
}

/* How many bytes either holding register or FIFO takes. */
static unsigned
depth(const Serial *serial)
{
    return serial->fcr & FCR_ENABLE ? FIFO_BYTES : 1;
}

static unsigned
trigger_level(const Serial *serial)
{
    static const uint8_t levels[] = { 1, 4, 8, 14 };

    return serial->fcr & FCR_ENABLE ? levels[serial->fcr >> 6] : 1;
}

static uint8_t
line_status(const Serial *serial)
{
    uint8_t status = serial->errors;

    if (serial->receive.count > 0)
        status |= LSR_DATA;
    if (serial->transmit.count == 0)
        status |= LSR_THRE | LSR_TEMT;
    if ((serial->errors & LSR_BREAK) && (serial->fcr & FCR_ENABLE))
        status |= LSR_FIFO_ERROR;
    return status;
}

static uint8_t
interrupt(const Serial *serial)
{
    if ((serial->ier & IER_LINE) && serial->errors != 0)
        return IIR_LINE;
    if ((serial->ier & IER_DATA) && serial->receive.count >= trigger_level(serial))
        return IIR_DATA;
    if ((serial->ier & IER_DATA) && serial->receive.count > 0)
        return IIR_TIMEOUT;
    if ((serial->ier & IER_THRE) && serial->thre_pending)
        return IIR_THRE;
    if ((serial->ier & IER_MODEM) && (serial->msr & MSR_DELTAS))
        return IIR_MODEM;
    return IIR_NONE;
}

/*
 * The line follows the UART alone.  (On a PC, OUT2 gates it; but small guests that know only
 * virtual machines leave OUT2 off and wait for interrupts all the same.)
 */
static void
update_irq(Serial *serial)
{
    kiln_irq_output_set(&serial->irq, interrupt(serial) != IIR_NONE);
}

/* The modem inputs, from outside or looped back (§8.6), with their delta bits. */
static void
update_modem(Serial *serial)
{
    uint8_t inputs = serial->options.chardev != NULL ? MSR_PLUGGED : 0;

    if (serial->mcr & MCR_LOOP)
        inputs = (uint8_t)((serial->mcr & MCR_RTS ? MSR_CTS : 0) |
                           (serial->mcr & MCR_DTR ? MSR_DSR : 0) |
                           (serial->mcr & MCR_OUT1 ? MSR_RI : 0) |
                           (serial->mcr & MCR_OUT2 ? MSR_DCD : 0));

    uint8_t changed = inputs ^ serial->msr;
    uint8_t deltas = serial->msr & MSR_DELTAS;

    deltas |= changed & MSR_CTS ? MSR_DCTS : 0;
    deltas |= changed & MSR_DSR ? MSR_DDSR : 0;
    deltas |= (changed & MSR_RI) && !(inputs & MSR_RI) ? MSR_TERI : 0;
    deltas |= changed & MSR_DCD ? MSR_DDCD : 0;
    serial->msr = inputs | deltas;
}

static void
receive_byte(Serial *serial, uint8_t byte)
{
    if (serial->receive.count < depth(serial)) {
        push(&serial->receive, byte);
        return;
    }
    serial->errors |= LSR_OVERRUN;
    if (!(serial->fcr & FCR_ENABLE)) { /* without FIFOs the new byte wins: §8.4 bit 1 */
        serial->receive.count = 0;
        push(&serial->receive, byte);
    }
}

/* Tells the chardev, once the guest has read what there was, that it may go on. */
static void
resume_input(Serial *serial)
{
    if (!serial->input_blocked || serial->receive.count > 0 || (serial->mcr & MCR_LOOP))
        return;
    serial->input_blocked = FALSE;
    kiln_chardev_resume_input(serial->options.chardev);
}

static void
transmit_byte(Serial *serial, uint8_t byte)
{
    serial->thre_pending = FALSE;
    if (serial->mcr & MCR_LOOP) {
        receive_byte(serial, byte);
        serial->thre_pending = TRUE;
    } else if (serial->transmit.count == 0 &&
               (serial->options.chardev == NULL ||
                kiln_chardev_write(serial->options.chardev, &byte, 1) == 1)) {
        serial->thre_pending = TRUE;
    } else {
        if (serial->transmit.count == depth(serial))
            (void)pop(&serial->transmit); /* written in spite of THRE: overwritten */
        push(&serial->transmit, byte);
    }
}

/* Gives the chardev what it had no room for. */
static void
flush(Serial *serial)
{
    if (serial->transmit.count == 0)
        return;
    while (serial->transmit.count > 0) {
        uint8_t byte = serial->transmit.bytes[serial->transmit.head];

        if (serial->options.chardev != NULL &&
            kiln_chardev_write(serial->options.chardev, &byte, 1) != 1)
            return;
        (void)pop(&serial->transmit);
    }
    serial->thre_pending = TRUE;
}

static void
write_fcr(Serial *serial, uint8_t value)
{
    gboolean toggled = ((value ^ serial->fcr) & FCR_ENABLE) != 0;

    if (toggled || (value & FCR_CLEAR_RECEIVE))
        serial->receive.count = 0;
    if ((toggled || (value & FCR_CLEAR_TRANSMIT)) && serial->transmit.count > 0) {
        serial->transmit.count = 0;
        serial->thre_pending = TRUE;
    }
    /* The other bits stick only together with the enable bit: §8.5. */
    serial->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
    resume_input(serial);
}

static void
write_ier(Serial *serial, uint8_t value)
{
    value &= IER_BITS;
    /* Being let to interrupt while the transmitter is empty is an event: §8.7, as Linux tests it.
     */
    if ((value & ~serial->ier & IER_THRE) && serial->transmit.count == 0)
        serial->thre_pending = TRUE;
    serial->ier = value;
}

static uint64_t
serial_read(void *opaque, uint64_t offset, unsigned size)
{
    Serial *serial = opaque;
    uint8_t value = 0;

    switch (offset) {
    case REG_DATA:
        if (serial->lcr & LCR_DLAB)
            return serial->divisor_low;
        if (serial->receive.count > 0) {
            value = pop(&serial->receive);
            resume_input(serial);
        }
        break;
    case REG_IER: return serial->lcr & LCR_DLAB ? serial->divisor_high : serial->ier;
    case REG_IIR:
        value = interrupt(serial);
        if (value == IIR_THRE)
            serial->thre_pending = FALSE;
        value |= serial->fcr & FCR_ENABLE ? IIR_FIFOS : 0;
        break;
    case REG_LCR: return serial->lcr;
    case REG_MCR: return serial->mcr;
    case REG_LSR:
        value = line_status(serial);
        if (serial->errors == 0)
            return value; /* polled for each byte: nothing changes */
        serial->errors = 0;
        break;
    case REG_MSR:
        value = serial->msr;
        serial->msr &= (uint8_t)~MSR_DELTAS;
        break;
    default: return serial->scr;
    }
    update_irq(serial);
    return value;
}

static void
serial_write(void *opaque, uint64_t offset, uint64_t data, unsigned size)
{
    Serial *serial = opaque;
    uint8_t value = (uint8_t)data;

    switch (offset) {
    case REG_DATA:
        if (serial->lcr & LCR_DLAB)
            serial->divisor_low = value;
        else
            transmit_byte(serial, value);
        break;
    case REG_IER:
        if (serial->lcr & LCR_DLAB)
            serial->divisor_high = value;
        else
            write_ier(serial, value);
        break;
    case REG_IIR: write_fcr(serial, value); break;
    case REG_LCR:
        /* A break that is sent into the loop comes back: §8.3 bit 6. */
        if ((value & ~serial->lcr & LCR_BREAK) && (serial->mcr & MCR_LOOP)) {
            receive_byte(serial, 0);
            serial->errors |= LSR_BREAK;
        }
        serial->lcr = value;
        break;
    case REG_MCR:
        serial->mcr = value & MCR_BITS;
        update_modem(serial);
        resume_input(serial);
        break;
    case REG_SCR: serial->scr = value; return;
    default: return; /* LSR and MSR are read-only in operation */
    }
    update_irq(serial);
}

static const KilnRegionOps serial_region = { .read = serial_read,
                                             .write = serial_write,
                                             .max_access = 1 };

static gsize
chardev_can_receive(void *context)
{
    Serial *serial = context;
    KILN_LOCK_SCOPE(&serial->device.lock);
    /* In the loop the input pin is cut off: bytes wait outside. */
    gsize room =
        serial->mcr & MCR_LOOP ? 0 : depth(serial) - MIN(serial->receive.count, depth(serial));

    serial->input_blocked = room == 0;
    return room;
}

static void
chardev_receive(void *context, const uint8_t *data, gsize length)
{
    Serial *serial = context;
    KILN_LOCK_SCOPE(&serial->device.lock);

    for (gsize i = 0; i < length; i++)
        receive_byte(serial, data[i]);
    update_irq(serial);
}

static void
chardev_event(void *context, KilnChardevEvent event)
{
    Serial *serial = context;
    KILN_LOCK_SCOPE(&serial->device.lock);

    if (event != KILN_CHARDEV_BREAK || (serial->mcr & MCR_LOOP))
        return;
    receive_byte(serial, 0);
    serial->errors |= LSR_BREAK;
    update_irq(serial);
}

static void
chardev_writable(void *context)
{
    Serial *serial = context;
    KILN_LOCK_SCOPE(&serial->device.lock);

    flush(serial);
    update_irq(serial);
}

static const KilnChardevFrontend serial_frontend = {
    .can_receive = chardev_can_receive,
    .receive = chardev_receive,
    .event = chardev_event,
    .writable = chardev_writable,
};

static void
serial_reset(KilnDevice *device)
{
    Serial *serial = (Serial *)device;

    flush(serial); /* what was sent before the reset is not lost, if there is room now */
    serial->ier = serial->fcr = serial->lcr = serial->mcr = 0;
    serial->errors = serial->scr = 0;
    serial->divisor_low = DIVISOR_9600;
    serial->divisor_high = 0;
    serial->receive = (Fifo){ 0 };
    serial->transmit = (Fifo){ 0 };
    serial->thre_pending = FALSE;
    update_modem(serial);
    serial->msr &= (uint8_t)~MSR_DELTAS;
    update_irq(serial);
    resume_input(serial);
}

static void
serial_free(KilnDevice *device)
{
    Serial *serial = (Serial *)device;

    kiln_space_remove(serial->options.io, &serial->region);
    if (serial->options.chardev != NULL)
        kiln_chardev_set_frontend(serial->options.chardev, NULL, NULL);
    kiln_device_clear(device);
    g_free(serial);
}

static gboolean
serial_post_load(void *object, GError **error)
{
    Serial *serial = object;

    serial->errors &= LSR_ERRORS;
    serial->fcr &= FCR_KEPT;
    serial->receive.count = (uint8_t)MIN(serial->receive.count, depth(serial));
    serial->transmit.count = (uint8_t)MIN(serial->transmit.count, depth(serial));
    update_modem(serial);
    flush(serial);
    update_irq(serial);
    if (serial->options.chardev != NULL)
        kiln_chardev_resume_input(serial->options.chardev);
    return TRUE;
}

static const KilnStateField fifo_fields[] = {
    KILN_STATE_BYTES(Fifo, bytes, 1),
    KILN_STATE_RANGE(Fifo, head, 1, 0, FIFO_BYTES - 1),
    KILN_STATE_RANGE(Fifo, count, 1, 0, FIFO_BYTES),
    KILN_STATE_END,
};

static const KilnStateDescription fifo_state = {
    .name = "fifo", .version = 1, .min_version = 1, .fields = fifo_fields
};

static const KilnStateField serial_fields[] = {
    KILN_STATE_RANGE(Serial, ier, 1, 0, IER_BITS),
    KILN_STATE(Serial, fcr, 1),
    KILN_STATE(Serial, lcr, 1),
    KILN_STATE_RANGE(Serial, mcr, 1, 0, MCR_BITS),
    KILN_STATE(Serial, errors, 1),
    KILN_STATE(Serial, msr, 1),
    KILN_STATE(Serial, scr, 1),
    KILN_STATE(Serial, divisor_low, 1),
    KILN_STATE(Serial, divisor_high, 1),
    KILN_STATE_FLAG(Serial, thre_pending, 1),
    KILN_STATE_STRUCT(Serial, receive, 1, &fifo_state),
    KILN_STATE_STRUCT(Serial, transmit, 1, &fifo_state),
    KILN_STATE_END,
};

static const KilnStateDescription serial_state = {
    .name = "serial",
    .version = 1,
    .min_version = 1,
    .fields = serial_fields,
    .post_load = serial_post_load,
};

static const KilnDeviceOps serial_ops = {
    .name = "serial", .reset = serial_reset, .free = serial_free, .state = &serial_state
};

KilnDevice *
kiln_serial_new(const KilnSerialOptions *options, GError **error)
{
    Serial *serial = g_new0(Serial, 1);
    g_autofree char *id = g_strdup_printf("serial%u", options->index);

    kiln_device_init(&serial->device, &serial_ops, id);
    serial->device.instance = options->index;
    serial->options = *options;
    serial->irq = KILN_IRQ_OUTPUT(options->irq);
    kiln_region_init(&serial->region, &serial->device, &serial_region, N_PORTS);
    serial_reset(&serial->device);
    if (!kiln_space_add(options->io, &serial->region, options->base, error)) {
        serial->options.chardev = NULL; /* not its front end yet */
        serial_free(&serial->device);
        return NULL;
    }
    if (options->chardev != NULL)
        kiln_chardev_set_frontend(options->chardev, &serial_frontend, serial);
    return &serial->device;
}
