/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ending a process.  It is asked first (SIGTERM: it pulls the guest's plug, writes what its images'
 * tables hold back, takes away what it made), which takes a few milliseconds; one that cannot
 * answer, or takes too long, is killed, which is what a host's power failure is to its images.
 */
#include "base/fd.h"
#include "error/vir-error.h"
#include "guest/guest-private.h"

#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <signal.h>
#include <string.h>

enum { PATIENCE_MS = 250, GRACEFUL_MS = 15000 };

typedef struct {
    KilnGuestDone done;
    gpointer data;
    guint deadline; /* of a graceful one; 0: none */
    KilnRun *run;
} Destroyer;

/* Whether the process is stopped, so that it takes no signal but the last. */
static gboolean
is_stopped(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
    g_auto(KilnFd) fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[512] = "";
    const char *state;

    if (fd < 0 || kiln_read_full(fd, text, sizeof text - 1, 0) <= 0)
        return FALSE;
    state = strrchr(text, ')');
    return state != NULL && (g_str_has_prefix(state, ") T") || g_str_has_prefix(state, ") t"));
}

static gboolean
on_impatient(gpointer data)
{
    KilnRun *run = data;

    run->patience = 0;
    kiln_run_signal(run, SIGKILL);
    return G_SOURCE_REMOVE;
}

void
kiln_destroy_begin(KilnRun *run)
{
    if (!run->active || is_stopped(run->pid)) {
        kiln_run_signal(run, SIGKILL);
        return;
    }
    kiln_run_signal(run, SIGTERM);
    if (run->patience == 0)
        run->patience = g_timeout_add(PATIENCE_MS, on_impatient, run);
}

static gboolean
on_deadline(gpointer data)
{
    Destroyer *destroyer = data;
    KilnRun *run = destroyer->run;
    g_autoptr(KilnGuest) guest = kiln_guest_ref(run->guest);
    g_autoptr(GError) error = NULL;

    kiln_vir_error_set(&error, VIR_ERR_OPERATION_FAILED,
                       "failed to terminate process %d with SIGTERM", (int)run->pid);
    destroyer->deadline = 0;
    for (guint i = 0; i < run->destroyers->len; i++)
        if (g_array_index(run->destroyers, Destroyer *, i) == destroyer)
            g_array_remove_index(run->destroyers, i);
    destroyer->done(guest, error, destroyer->data);
    g_free(destroyer);
    return G_SOURCE_REMOVE;
}

void
kiln_destroy_abandon(GArray *destroyers)
{
    for (guint i = 0; destroyers != NULL && i < destroyers->len; i++) {
        g_autofree Destroyer *destroyer = g_array_index(destroyers, Destroyer *, i);

        if (destroyer->deadline != 0)
            (void)g_source_remove(destroyer->deadline);
    }
    if (destroyers != NULL)
        g_array_unref(destroyers);
}

void
kiln_destroy_end(KilnGuest *guest, GArray *destroyers)
{
    for (guint i = 0; destroyers != NULL && i < destroyers->len; i++) {
        g_autofree Destroyer *destroyer = g_array_index(destroyers, Destroyer *, i);

        if (destroyer->deadline != 0)
            (void)g_source_remove(destroyer->deadline);
        destroyer->done(guest, NULL, destroyer->data);
    }
}

void
kiln_guest_destroy(KilnGuest *guest, gboolean graceful, KilnGuestDone done, gpointer data)
{
    KilnRun *run = guest->run;
    g_autoptr(GError) error = NULL;
    Destroyer *destroyer;

    if (run == NULL) {
        kiln_vir_error_set(&error, VIR_ERR_OPERATION_INVALID, "domain is not running");
        done(guest, error, data);
        return;
    }
    destroyer = g_new0(Destroyer, 1);
    *destroyer = (Destroyer){ done, data, 0, run };
    if (run->destroyers == NULL)
        run->destroyers = g_array_new(FALSE, FALSE, sizeof(Destroyer *));
    g_array_append_val(run->destroyers, destroyer);
    run->killed = TRUE;
    if (graceful) {
        kiln_run_signal(run, SIGTERM);
        destroyer->deadline = g_timeout_add(GRACEFUL_MS, on_deadline, destroyer);
    } else {
        kiln_destroy_begin(run);
    }
}
