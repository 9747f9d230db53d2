/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures of what a screen shows; see machine.h. */
#include "machine/private.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* A line of XRGB8888 as RGB; NULL is black. */
static void
convert_line(uint8_t *to, const uint32_t *from, guint width)
{
    for (guint x = 0; x < width; x++) {
        uint32_t pixel = from != NULL ? from[x] : 0;

        to[3 * x] = (uint8_t)(pixel >> 16);
        to[3 * x + 1] = (uint8_t)(pixel >> 8);
        to[3 * x + 2] = (uint8_t)pixel;
    }
}

static gboolean
write_ppm(int fd, const KilnSurfaceImage *image, GError **error)
{
    g_autofree char *header = g_strdup_printf("P6\n%u %u\n255\n", image->width, image->height);
    gsize line = (gsize)image->width * 3;
    g_autofree uint8_t *data = g_malloc(line);
    off_t at = (off_t)strlen(header);
    int failure = kiln_write_full(fd, header, strlen(header), 0);

    for (guint y = 0; y < image->height && failure == 0; y++) {
        const uint32_t *from = image->pixels != NULL
                                   ? image->pixels + (gsize)y * (image->stride / sizeof *from)
                                   : NULL;

        convert_line(data, from, image->width);
        failure = kiln_write_full(fd, data, line, at);
        at += (off_t)line;
    }
    return failure == 0 || kiln_error_set_errno(error, -failure, "cannot make a picture");
}

int
kiln_machine_screenshot(KilnMachine *machine, guint screen, GError **error)
{
    static const KilnSurfaceViewer nobody;
    g_auto(KilnFd) fd = -1;
    KilnSurfaceListener *listener;
    KilnSurfaceImage image;
    KilnSurface *surface;

    if (screen >= machine->surfaces->len) {
        (void)kiln_error_set(error, KILN_ERROR_INVALID, "the guest has no screen %u", screen);
        return -1;
    }
    fd = memfd_create("kiln-screenshot", MFD_CLOEXEC);
    if (fd < 0) {
        (void)kiln_error_set_errno(error, errno, "cannot make a file in memory for a picture");
        return -1;
    }
    surface = g_ptr_array_index(machine->surfaces, screen);
    listener = kiln_surface_attach(surface, &nobody, NULL);
    kiln_surface_refresh(surface);
    image = kiln_surface_image(surface);
    if (!write_ppm(fd, &image, error))
        kiln_fd_clear(&fd);
    kiln_surface_detach(listener);
    return kiln_fd_steal(&fd);
}
