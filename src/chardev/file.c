/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files, which take output, and FIFOs, which do both.  See backend.h. */
#include "base/error.h"
#include "base/fd.h"
#include "chardev/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* The data of these backends is their name: the stream or sink holds the descriptors. */

static void *
file_open(KilnChardev *chardev, KilnChardevOptions *options, GError **error)
{
    g_auto(KilnFd) fd = kiln_fd_steal(&options->fd);
    const char *name = options->path != NULL ? options->path : options->id;
    struct stat status;

    if (fd < 0)
        fd = kiln_open(options->path,
                       O_WRONLY | O_CREAT | O_NOCTTY | O_NONBLOCK |
                           (options->append ? O_APPEND : O_TRUNC),
                       0600, error);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &status) < 0) {
        kiln_error_set_errno(error, errno, "file '%s'", name);
        return NULL;
    }
    if (S_ISREG(status.st_mode)) {
        kiln_chardev_connect_file(chardev, kiln_fd_steal(&fd), name);
    } else {
        KilnStreamOptions stream = { .in = -1, .out = kiln_fd_steal(&fd) };

        kiln_chardev_connect(chardev, &stream);
    }
    return g_strdup(name);
}

/* Opens the FIFO @path@suffix.  Read and write, so that neither end waits for its peer or is told
 * of its coming and going. */
static KilnFd
open_fifo(const char *path, const char *suffix, GError **error)
{
    g_autofree char *name = g_strconcat(path, suffix, NULL);

    return kiln_open(name, O_RDWR | O_NONBLOCK | O_NOCTTY, 0, error);
}

static void *
pipe_open(KilnChardev *chardev, KilnChardevOptions *options, GError **error)
{
    g_auto(KilnFd) in = kiln_fd_steal(&options->fd);
    g_auto(KilnFd) out = kiln_fd_steal(&options->fd_out);
    KilnStreamOptions stream = { .outlives_input = TRUE };

    if (in < 0 && out < 0) {
        in = open_fifo(options->path, ".in", NULL);
        out = open_fifo(options->path, ".out", NULL);
        if (in < 0 || out < 0) {
            kiln_fd_clear(&in);
            kiln_fd_clear(&out);
            in = open_fifo(options->path, "", error);
            if (in < 0)
                return NULL;
            out = in;
        }
    }
    stream.in = in;
    stream.out = out;
    in = out = -1;
    kiln_chardev_connect(chardev, &stream);
    return g_strdup(options->id);
}

const KilnBackendOps kiln_backend_file = { .open = file_open, .free = g_free };
const KilnBackendOps kiln_backend_pipe = { .open = pipe_open, .free = g_free };
