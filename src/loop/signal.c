/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See signal.h. */
#include "loop/signal.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

typedef struct {
    GSource source;
    KilnFd fd; /* (owned): signalfd */
    KilnSignalFunc func;
    gpointer data;
} SignalSource;

static gboolean
signal_dispatch(GSource *base, GSourceFunc func, gpointer data)
{
    SignalSource *source = (SignalSource *)base;
    struct signalfd_siginfo info;

    if (read(source->fd, &info, sizeof info) == sizeof info)
        source->func(&info, source->data);
    return G_SOURCE_CONTINUE;
}

static void
signal_finalize(GSource *base)
{
    kiln_fd_clear(&((SignalSource *)base)->fd);
}

static GSourceFuncs signal_funcs = {
    .dispatch = signal_dispatch,
    .finalize = signal_finalize,
};

GSource *
kiln_signal_source_open(GMainContext *context, const sigset_t *signals, KilnSignalFunc func,
                        gpointer data, GError **error)
{
    g_auto(KilnFd) fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
    SignalSource *source;
    GSource *base;
    int errnum;

    if (fd < 0) {
        kiln_error_set_errno(error, errno, "cannot make a signalfd");
        return NULL;
    }
    errnum = pthread_sigmask(SIG_BLOCK, signals, NULL);
    if (errnum != 0) {
        kiln_error_set_errno(error, errnum, "cannot block signals");
        return NULL;
    }
    base = g_source_new(&signal_funcs, sizeof(SignalSource));
    source = (SignalSource *)base;
    source->fd = kiln_fd_steal(&fd);
    source->func = func;
    source->data = data;
    g_source_add_unix_fd(base, source->fd, G_IO_IN);
    g_source_attach(base, context);
    return base;
}
