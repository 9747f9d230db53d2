/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A VNC client's bytes: the first says what the server asks for, the others are sent in pieces. */
#include "base/fd.h"
#include "display/vnc.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

enum { WIDTH = 80, HEIGHT = 48, PIECE = 512, SEED = 0x5a };

static const KilnSurfaceDevice device;

/* Takes what the server says; FALSE when it has hung up. */
static gboolean
drain(int fd)
{
    uint8_t buffer[4096];
    ssize_t n;

    while ((n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0)
        continue;
    return n < 0;
}

static void
talk(int fd, const uint8_t *data, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, data, MIN(length, PIECE), MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n > 0) {
            data += n;
            length -= (size_t)n;
        }
        while (g_main_context_iteration(NULL, FALSE))
            continue;
        if (!drain(fd))
            return;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
    g_autoptr(KilnSurface) surface = kiln_surface_new("video0", 0, &device, NULL);
    g_autoptr(KilnInputs) inputs = kiln_inputs_new();
    KilnVncOptions options = { .name = "guest", .surface = surface, .inputs = inputs };
    uint32_t *pixels = kiln_surface_resize(surface, WIDTH, HEIGHT);
    KilnVnc *vnc;
    int ends[2];

    if (length == 0)
        return 0;
    for (guint i = 0; i < WIDTH * HEIGHT; i++)
        pixels[i] = i * SEED;
    options.password = (data[0] & 1) != 0 ? "secret" : NULL;
    options.sharing = (KilnVncSharing)((data[0] >> 1) % 3);
    vnc = kiln_vnc_module.open(&options, NULL);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0) {
        kiln_vnc_module.add_client(vnc, ends[1], FALSE);
        talk(ends[0], data + 1, length - 1);
        kiln_fd_clear(&ends[0]);
    }
    kiln_vnc_module.close(vnc);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    return 0;
}
