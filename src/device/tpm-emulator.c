/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See tpm-emulator.h.  Everything on both sockets is big-endian. */
#include "device/tpm-emulator.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/lock.h"
#include "base/log.h"
#include "device/tpm-wire.h"
#include "loop/event.h"
#include "loop/thread.h"

enum {
    N_BLOBS = 3, /* permanent, volatile, saved */
    NO_LOCALITY = 0xff,
    SETTLE_STEP_MS = 50,
};

typedef struct {
    uint8_t *bytes; /* (owned) (nullable) */
    uint32_t length;
    uint32_t flags;
} Blob;

struct KilnTpmEmulator {
    char *id; /* (owned) */
    gboolean tpm2;
    void (*done)(void *opaque);
    void *opaque;
    KilnRatelimit log_limit;
    KilnLoopThread *thread; /* (owned) */
    KilnEvent wake;         /* something is to be done */
    KilnEvent interrupt;    /* the running command shall end */
    KilnEvent idle;         /* the thread has nothing to do */
    GSource *wake_source;
    GSource *start_source; /* (nullable): starts the thread once the main loop runs */

    KilnMutex io; /* the sockets, taken before @lock */
    KilnTpmWire wire;
    uint8_t set_locality; /* that swtpm knows of */
    uint8_t work[KILN_TPM_BUFFER];

    KilnMutex lock; /* a leaf; guards the rest */
    gboolean pending, running, forget, answered;
    gboolean working; /* the thread does something, also telling the front end */
    gboolean reset_wanted, forget_established_wanted;
    gboolean cancel, quit, failed, established;
    uint8_t locality, established_locality;
    uint32_t command_length, response_length;
    uint8_t command[KILN_TPM_BUFFER];
    uint8_t response[KILN_TPM_BUFFER];

    /* Saved. */
    Blob blobs[N_BLOBS];
    gboolean have_blobs;
};

/* ---- The thread ---- */

static void
fail(KilnTpmEmulator *emulator, const GError *error)
{
    KILN_LOCK_SCOPE(&emulator->lock);

    if (emulator->failed)
        return;
    emulator->failed = TRUE;
    if (!emulator->quit)
        kiln_log(KILN_LOG_ERROR, "%s: the TPM has failed: %s", emulator->id, error->message);
}

/* An answer in place of swtpm's. */
static uint32_t
failure_response(const KilnTpmEmulator *emulator, uint8_t *to)
{
    /* TPM_ST_NO_SESSIONS and TPM_RC_FAILURE of TPM 2.0 part 2, TPM_TAG_RSP_COMMAND and TPM_FAIL of
     * TPM 1.2 part 2. */
    kiln_tpm_put16(to, emulator->tpm2 ? 0x8001 : 0x00c4);
    kiln_tpm_put32(to + 2, KILN_TPM_HEADER);
    kiln_tpm_put32(to + 6, emulator->tpm2 ? 0x101 : 9);
    return KILN_TPM_HEADER;
}

static gboolean
start_up(KilnTpmEmulator *emulator, uint32_t init_flags, GError **error)
{
    gboolean established;

    emulator->set_locality = NO_LOCALITY;
    if (!kiln_tpm_wire_stop(&emulator->wire, error) ||
        !kiln_tpm_wire_init(&emulator->wire, init_flags, error) ||
        !kiln_tpm_wire_established(&emulator->wire, &established, error))
        return FALSE;
    kiln_mutex_lock(&emulator->lock);
    emulator->established = established;
    kiln_mutex_unlock(&emulator->lock);
    return TRUE;
}

/* Runs the command in @work.  Returns: the response's length, in @work; 0 with @error set. */
static uint32_t
run_command(KilnTpmEmulator *emulator, uint32_t length, uint8_t locality, GError **error)
{
    if (emulator->set_locality != locality &&
        !kiln_tpm_wire_set_locality(&emulator->wire, locality, error))
        return 0;
    emulator->set_locality = locality;
    return kiln_tpm_wire_command(&emulator->wire, emulator->work, length, KILN_TPM_BUFFER,
                                 emulator->interrupt.fd, error);
}

static void
do_command(KilnTpmEmulator *emulator, uint32_t length, uint8_t locality)
{
    g_autoptr(GError) error = NULL;
    gboolean forget;

    if (kiln_tpm_get32(emulator->work + 2) != length)
        length = 0; /* swtpm is spared what contradicts itself */
    else if (!emulator->failed)
        length = run_command(emulator, length, locality, &error);
    if (error != NULL)
        fail(emulator, error);
    if (emulator->failed || length == 0)
        length = failure_response(emulator, emulator->work);
    kiln_mutex_lock(&emulator->lock);
    forget = emulator->forget || emulator->quit;
    emulator->running = emulator->forget = FALSE;
    if (!forget) {
        emulator->answered = TRUE;
        emulator->response_length = length;
        memcpy(emulator->response, emulator->work, length);
    }
    kiln_mutex_unlock(&emulator->lock);
    if (!forget)
        emulator->done(emulator->opaque);
}

static void
do_reset(KilnTpmEmulator *emulator)
{
    g_autoptr(GError) error = NULL;

    if (!emulator->failed && !start_up(emulator, 0, &error))
        fail(emulator, error);
}

static void
do_forget_established(KilnTpmEmulator *emulator, uint8_t locality)
{
    g_autoptr(GError) error = NULL;
    gboolean established = TRUE;

    if (emulator->failed)
        return;
    if (!kiln_tpm_wire_reset_established(&emulator->wire, locality, &error) ||
        !kiln_tpm_wire_established(&emulator->wire, &established, &error)) {
        fail(emulator, error);
        return;
    }
    kiln_mutex_lock(&emulator->lock);
    emulator->established = established;
    kiln_mutex_unlock(&emulator->lock);
}

/* Does the next thing.  Returns: FALSE if there is none. */
static gboolean
do_next(KilnTpmEmulator *emulator)
{
    gboolean reset, forget_established, command;
    uint8_t locality, established_locality;
    uint32_t length;
    KILN_LOCK_SCOPE(&emulator->io);

    kiln_mutex_lock(&emulator->lock);
    reset = emulator->reset_wanted;
    forget_established = !reset && emulator->forget_established_wanted;
    command = !reset && !forget_established && emulator->pending;
    locality = emulator->locality;
    established_locality = emulator->established_locality;
    length = emulator->command_length;
    if (reset)
        emulator->reset_wanted = FALSE;
    if (forget_established)
        emulator->forget_established_wanted = FALSE;
    if (command) {
        kiln_event_test_and_clear(&emulator->interrupt);
        emulator->pending = FALSE;
        emulator->running = TRUE;
        memcpy(emulator->work, emulator->command, length);
    }
    emulator->working = reset || forget_established || command;
    kiln_mutex_unlock(&emulator->lock);

    if (reset)
        do_reset(emulator);
    else if (forget_established)
        do_forget_established(emulator, established_locality);
    else if (command)
        do_command(emulator, length, locality);
    return reset || forget_established || command;
}

static void
on_wake(gpointer data)
{
    KilnTpmEmulator *emulator = data;

    while (do_next(emulator)) {
        kiln_mutex_lock(&emulator->lock);
        emulator->working = FALSE;
        kiln_mutex_unlock(&emulator->lock);
    }
    kiln_event_set(&emulator->idle);
}

/* Locked. */
static void
wake_locked(KilnTpmEmulator *emulator)
{
    kiln_event_test_and_clear(&emulator->idle);
    kiln_event_set(&emulator->wake);
}

/* ---- For front ends ---- */

gboolean
kiln_tpm_emulator_is_tpm2(const KilnTpmEmulator *emulator)
{
    return emulator->tpm2;
}

void
kiln_tpm_emulator_set_frontend(KilnTpmEmulator *emulator, void (*done)(void *opaque), void *opaque)
{
    emulator->done = done;
    emulator->opaque = opaque;
}

gboolean
kiln_tpm_emulator_submit(KilnTpmEmulator *emulator, unsigned locality, const uint8_t *command,
                         uint32_t length)
{
    KILN_LOCK_SCOPE(&emulator->lock);

    if (emulator->pending || (emulator->running && !emulator->forget) || emulator->answered)
        return FALSE;
    emulator->pending = TRUE;
    emulator->locality = (uint8_t)locality;
    emulator->command_length = length;
    memcpy(emulator->command, command, length);
    wake_locked(emulator);
    return TRUE;
}

uint32_t
kiln_tpm_emulator_take(KilnTpmEmulator *emulator, uint8_t *response)
{
    KILN_LOCK_SCOPE(&emulator->lock);

    if (!emulator->answered)
        return 0;
    emulator->answered = FALSE;
    memcpy(response, emulator->response, emulator->response_length);
    return emulator->response_length;
}

void
kiln_tpm_emulator_cancel(KilnTpmEmulator *emulator)
{
    KILN_LOCK_SCOPE(&emulator->lock);

    if (emulator->running)
        kiln_event_set(&emulator->interrupt);
}

static void
abandon_locked(KilnTpmEmulator *emulator)
{
    emulator->pending = emulator->answered = FALSE;
    emulator->forget = emulator->running;
    if (emulator->running)
        kiln_event_set(&emulator->interrupt);
}

void
kiln_tpm_emulator_abandon(KilnTpmEmulator *emulator)
{
    KILN_LOCK_SCOPE(&emulator->lock);

    abandon_locked(emulator);
}

void
kiln_tpm_emulator_reset(KilnTpmEmulator *emulator)
{
    KILN_LOCK_SCOPE(&emulator->lock);

    abandon_locked(emulator);
    emulator->forget_established_wanted = FALSE;
    emulator->reset_wanted = TRUE;
    wake_locked(emulator);
}

gboolean
kiln_tpm_emulator_established(KilnTpmEmulator *emulator)
{
    KILN_LOCK_SCOPE(&emulator->lock);

    return emulator->established;
}

void
kiln_tpm_emulator_reset_established(KilnTpmEmulator *emulator, unsigned locality)
{
    KILN_LOCK_SCOPE(&emulator->lock);

    emulator->forget_established_wanted = TRUE;
    emulator->established_locality = (uint8_t)locality;
    wake_locked(emulator);
}

gboolean
kiln_tpm_emulator_failed(KilnTpmEmulator *emulator)
{
    KILN_LOCK_SCOPE(&emulator->lock);

    return emulator->failed;
}

gboolean
kiln_tpm_emulator_settle(KilnTpmEmulator *emulator)
{
    gint64 deadline = g_get_monotonic_time() + KILN_TPM_TIMEOUT_S * G_USEC_PER_SEC;

    if (!kiln_loop_thread_start(emulator->thread, NULL))
        return FALSE;
    do {
        struct pollfd idle = { .fd = emulator->idle.fd, .events = POLLIN };
        gboolean busy;

        kiln_mutex_lock(&emulator->lock);
        busy = emulator->pending || emulator->working || emulator->reset_wanted ||
               emulator->forget_established_wanted;
        kiln_mutex_unlock(&emulator->lock);
        if (!busy)
            return TRUE;
        poll(&idle, 1, SETTLE_STEP_MS);
    } while (g_get_monotonic_time() < deadline);
    return FALSE;
}

/* ---- State ---- */

static void
free_blobs(KilnTpmEmulator *emulator)
{
    for (unsigned i = 0; i < N_BLOBS; i++) {
        g_clear_pointer(&emulator->blobs[i].bytes, g_free);
        emulator->blobs[i].length = 0;
    }
}

static gboolean
get_blobs(KilnTpmEmulator *emulator, GError **error)
{
    for (unsigned i = 0; i < N_BLOBS; i++) {
        Blob *blob = &emulator->blobs[i];

        if (!kiln_tpm_wire_get_blob(&emulator->wire, i + 1, &blob->bytes, &blob->length,
                                    &blob->flags, error))
            return FALSE;
    }
    return TRUE;
}

static void
emulator_pre_save(void *object)
{
    KilnTpmEmulator *emulator = object;
    g_autoptr(GError) error = NULL;
    KILN_LOCK_SCOPE(&emulator->io);

    free_blobs(emulator);
    emulator->have_blobs = !emulator->failed && get_blobs(emulator, &error);
    if (error == NULL)
        return;
    fail(emulator, error);
    free_blobs(emulator);
}

/* swtpm takes them only before it is initialised. */
static gboolean
set_blobs(KilnTpmEmulator *emulator, GError **error)
{
    enum { DELETE_VOLATILE = 1 }; /* PTM_INIT_FLAG_DELETE_VOLATILE: the file, once it was read */

    if (!kiln_tpm_wire_stop(&emulator->wire, error))
        return FALSE;
    for (unsigned i = 0; i < N_BLOBS; i++) {
        const Blob *blob = &emulator->blobs[i];

        if (blob->length > 0 && !kiln_tpm_wire_set_blob(&emulator->wire, i + 1, blob->bytes,
                                                        blob->length, blob->flags, error))
            return FALSE;
    }
    return start_up(emulator, DELETE_VOLATILE, error);
}

static gboolean
emulator_post_load(void *object, GError **error)
{
    KilnTpmEmulator *emulator = object;
    GError *failure = NULL;
    KILN_LOCK_SCOPE(&emulator->io);

    if (!emulator->have_blobs) { /* it had failed there */
        failure = g_error_new(KILN_ERROR, KILN_ERROR_STATE, "it had failed when it was saved");
        fail(emulator, failure);
        g_clear_error(&failure);
        return TRUE;
    }
    if (emulator->failed)
        return kiln_error_set(error, KILN_ERROR_STATE, "swtpm is gone");
    if (!set_blobs(emulator, error)) {
        g_prefix_error(error, "swtpm does not take the state: ");
        return FALSE;
    }
    kiln_mutex_lock(&emulator->lock);
    emulator->reset_wanted = FALSE; /* of the reset before the load */
    kiln_mutex_unlock(&emulator->lock);
    return TRUE;
}

static const KilnStateField blob_fields[] = {
    KILN_STATE(Blob, flags, 1),
    KILN_STATE_BUFFER(Blob, bytes, length, 1, KILN_TPM_MAX_BLOB),
    KILN_STATE_END,
};

static const KilnStateDescription blob_state = {
    .name = "blob", .version = 1, .min_version = 1, .fields = blob_fields
};

static const KilnStateField emulator_fields[] = {
    KILN_STATE_FLAG(KilnTpmEmulator, have_blobs, 1),
    KILN_STATE_STRUCT_ARRAY(KilnTpmEmulator, blobs, 1, &blob_state),
    KILN_STATE_END,
};

const KilnStateDescription kiln_tpm_emulator_state = { .name = "tpm-emulator",
                                                       .version = 1,
                                                       .min_version = 1,
                                                       .fields = emulator_fields,
                                                       .pre_save = emulator_pre_save,
                                                       .post_load = emulator_post_load };

/* ---- Life ---- */

static void
nothing_done(void *opaque)
{
}

/* Not before: the sandbox closes around a process of one thread. */
static gboolean
on_main_loop(gpointer data)
{
    KilnTpmEmulator *emulator = data;
    g_autoptr(GError) error = NULL;

    if (!kiln_loop_thread_start(emulator->thread, &error))
        kiln_log(KILN_LOG_ERROR, "%s: %s", emulator->id, error->message);
    g_clear_pointer(&emulator->start_source, kiln_source_free);
    return G_SOURCE_REMOVE;
}

static gboolean
open_all(KilnTpmEmulator *emulator, int control_fd, GError **error)
{
    if (!kiln_tpm_wire_open(&emulator->wire, control_fd, error) ||
        !kiln_event_open(&emulator->wake, error) || !kiln_event_open(&emulator->interrupt, error) ||
        !kiln_event_open(&emulator->idle, error))
        return FALSE;
    emulator->thread = kiln_loop_thread_new(emulator->id);
    emulator->wake_source = kiln_event_source_new(
        &emulator->wake, kiln_loop_thread_context(emulator->thread), on_wake, emulator);
    emulator->start_source = g_idle_source_new();
    g_source_set_callback(emulator->start_source, on_main_loop, emulator, NULL);
    g_source_attach(emulator->start_source, NULL);
    return TRUE;
}

KilnTpmEmulator *
kiln_tpm_emulator_open(const KilnTpmEmulatorOptions *options, GError **error)
{
    g_autoptr(KilnTpmEmulator) emulator = g_new0(KilnTpmEmulator, 1);

    emulator->id = g_strdup(options->id);
    emulator->tpm2 = options->tpm2;
    emulator->done = nothing_done;
    emulator->set_locality = NO_LOCALITY;
    emulator->wire = (KilnTpmWire){ .control = -1, .data = -1 };
    emulator->wake.fd = emulator->interrupt.fd = emulator->idle.fd = -1;
    kiln_mutex_init(&emulator->io);
    kiln_mutex_init(&emulator->lock);
    if (!open_all(emulator, options->control_fd, error)) {
        g_prefix_error(error, "%s: ", emulator->id);
        return NULL;
    }
    return g_steal_pointer(&emulator);
}

void
kiln_tpm_emulator_free(KilnTpmEmulator *emulator)
{
    if (emulator == NULL)
        return;
    kiln_mutex_lock(&emulator->lock);
    emulator->quit = TRUE;
    emulator->pending = emulator->reset_wanted = emulator->forget_established_wanted = FALSE;
    if (emulator->running && emulator->wire.data >= 0)
        shutdown(emulator->wire.data, SHUT_RDWR); /* its wait ends */
    kiln_mutex_unlock(&emulator->lock);
    kiln_source_free(emulator->start_source);
    kiln_loop_thread_free(emulator->thread);
    kiln_source_free(emulator->wake_source);
    if (!emulator->failed)
        kiln_tpm_wire_shutdown(&emulator->wire);
    kiln_tpm_wire_close(&emulator->wire);
    kiln_event_clear(&emulator->wake);
    kiln_event_clear(&emulator->interrupt);
    kiln_event_clear(&emulator->idle);
    free_blobs(emulator);
    kiln_mutex_clear(&emulator->io);
    kiln_mutex_clear(&emulator->lock);
    g_free(emulator->id);
    g_free(emulator);
}
