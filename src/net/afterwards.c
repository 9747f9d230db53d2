/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See afterwards.h. */
#include "net/afterwards.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { PATIENCE_MS = 500 };

struct KilnAfterwards {
    KilnProcess *process;
    KilnFd pipe; /* (owned): as long as it is open the command is not run */
};

KilnAfterwards *
kiln_afterwards_new(const char *const *argv, GError **error)
{
    /* SIGTERM comes when the parent dies, and is no reason to leave before the work is done */
    static const char script[] = "trap '' TERM HUP INT; read line; exec \"$@\"";
    g_autoptr(GPtrArray) whole = g_ptr_array_new();
    g_autoptr(KilnAfterwards) afterwards = g_new0(KilnAfterwards, 1);
    g_auto(KilnFd) reading = -1;
    KilnProcessFd standard_input;
    KilnProcessOptions options;
    int pipes[2];

    afterwards->pipe = -1;
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        kiln_error_set_errno(error, errno, "cannot make a pipe");
        return NULL;
    }
    reading = pipes[0];
    afterwards->pipe = pipes[1];
    g_ptr_array_add(whole, (gpointer) "/bin/sh");
    g_ptr_array_add(whole, (gpointer) "-c");
    g_ptr_array_add(whole, (gpointer)script);
    g_ptr_array_add(whole, (gpointer) "kiln-afterwards");
    for (unsigned i = 0; argv[i] != NULL; i++)
        g_ptr_array_add(whole, (gpointer)argv[i]);
    g_ptr_array_add(whole, NULL);
    standard_input = (KilnProcessFd){ reading, 0 };
    options = (KilnProcessOptions){
        .name = argv[0],
        .argv = (const char *const *)whole->pdata,
        .fds = &standard_input,
        .n_fds = 1,
    };
    afterwards->process = kiln_process_spawn(&options, error);
    return afterwards->process != NULL ? g_steal_pointer(&afterwards) : NULL;
}

void
kiln_afterwards_free(KilnAfterwards *afterwards)
{
    if (afterwards == NULL)
        return;
    kiln_fd_clear(&afterwards->pipe);
    if (afterwards->process != NULL)
        kiln_process_wait(afterwards->process, PATIENCE_MS, NULL);
    kiln_process_free(afterwards->process);
    g_free(afterwards);
}
