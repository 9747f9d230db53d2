/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one head of a display device shows, and who looks at it.
 *
 *   device: VGA, bochs-display, virtio-gpu        viewer: VNC server, screenshot
 *     kiln_surface_resize(), _show() ---- image ----> resize()
 *     kiln_surface_update() ------------- changed --> update()
 *     kiln_surface_set_cursor(), _move_cursor() ----> cursor(), cursor_moved()
 *     refresh() <------- at the viewer's own rate --- kiln_surface_refresh()
 *     hint() <---------- a size that would suit it -- kiln_surface_hint()
 *
 * A device that has to look for changes (VGA's planes, the dirty pages of a linear framebuffer)
 * does so in refresh(), which is called only while somebody looks; one that is told of them by its
 * driver (virtio-gpu) may call kiln_surface_update() at any time.  With no listener nothing is
 * rendered.
 *
 * Pixels are XRGB8888 in the host's order: a uint32_t of 0x00rrggbb, its top byte without meaning.
 * They may be memory that the guest writes to at any time: a viewer copies what it shows.
 *
 * Everything here: main thread, callbacks too.  A register that a vCPU writes leaves a note in its
 * device, which acts on it at the next refresh() or from an eventfd.  Callbacks may attach and
 * detach listeners.
 */
#ifndef KILN_DISPLAY_SURFACE_H
#define KILN_DISPLAY_SURFACE_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

typedef struct KilnSurface KilnSurface;
typedef struct KilnSurfaceListener KilnSurfaceListener;

enum {
    KILN_SURFACE_MAX_SIDE = 8192,  /* pixels: a device does not accept more from its driver */
    KILN_SURFACE_MAX_CURSOR = 512, /* pixels a side */
};

/* Pixels of a surface; always inside of it where a listener gets one. */
typedef struct {
    guint x, y;
    guint width, height;
} KilnRect;

/**
 * KilnSurfaceImage: what is shown now
 * @pixels: (nullable): of the top left corner; NULL while nothing is shown (@width and @height are
 *   what a viewer should make of it: black)
 * @stride: bytes from one line to the next
 */
typedef struct {
    const uint32_t *pixels;
    guint width, height;
    size_t stride;
} KilnSurfaceImage;

/**
 * KilnSurfaceCursor: a pointer's shape
 * @pixels: (array): ARGB8888 with alpha multiplied in, as DRM has it; @width * @height
 * @hot_x, @hot_y: which pixel points
 */
typedef struct {
    guint width, height; /* 1 … KILN_SURFACE_MAX_CURSOR */
    guint hot_x, hot_y;
    const uint32_t *pixels;
} KilnSurfaceCursor;

/**
 * KilnSurfaceHint: what a viewer would like to see, for EDID and the like
 * @width_mm, @height_mm: of its screen; 0: not known
 */
typedef struct {
    guint width, height; /* pixels */
    guint width_mm, height_mm;
} KilnSurfaceHint;

/**
 * KilnSurfaceDevice: what the device does for its viewers
 * @refresh: (nullable): brings the image up to date, by the calls below
 * @hint: (nullable): a viewer would like this size (1 … KILN_SURFACE_MAX_SIDE); the guest may
 * follow some time later with kiln_surface_resize(), or not at all
 * @looked_at: (nullable): the first listener has come, the last one gone: dirty tracking may begin
 *   and end here.  After it began, all counts as changed.
 */
typedef struct {
    void (*refresh)(void *device);
    void (*hint)(void *device, const KilnSurfaceHint *hint);
    void (*looked_at)(void *device, gboolean yes);
} KilnSurfaceDevice;

/**
 * kiln_surface_new:
 * @name: alias of the device, for messages and for screenshots of a given one; copied
 * @head: which of the device's heads
 * @ops: lives as long as the surface
 *
 * Shows nothing at 640x480.
 *
 * Returns: (transfer full): with one reference, the device's.
 */
KilnSurface *kiln_surface_new(const char *name, guint head, const KilnSurfaceDevice *ops,
                              void *device);

/**
 * kiln_surface_free:
 *
 * The device is going: its listeners get gone(), after which they are off the list.
 */
void kiln_surface_free(KilnSurface *surface);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KilnSurface, kiln_surface_free)

const char *kiln_surface_name(const KilnSurface *surface);
guint kiln_surface_head(const KilnSurface *surface);

/* ---- the device's side -------------------------------------------------------------------------
 */

/**
 * kiln_surface_resize:
 * @width, @height: 1 … KILN_SURFACE_MAX_SIDE
 *
 * From now on the surface has pixels of its own, black at first, kept if the size is what it was.
 * All of them count as changed.
 *
 * Returns: (transfer none): the pixels, width * 4 bytes a line, until the next resize, show or
 * free; NULL if the size is out of range or there is no memory: then nothing is shown.
 */
uint32_t *kiln_surface_resize(KilnSurface *surface, guint width, guint height);

/**
 * kiln_surface_show:
 * @image: the device's own memory (a linear framebuffer with 32 bits a pixel, say), which is valid
 *   until the next resize, show or free; @pixels NULL blanks the screen.  Sizes as above, a stride
 *   of at least width * 4 that is a multiple of 4: the caller has checked that all lines are there.
 *
 * All of it counts as changed.
 */
void kiln_surface_show(KilnSurface *surface, const KilnSurfaceImage *image);

/* Pixels have changed: any rectangle, cut to the surface, with no overflow.  Tells the listeners.
 */
void kiln_surface_update(KilnSurface *surface, guint x, guint y, guint width, guint height);

/* The shape, copied; NULL: the device has no cursor of its own (the guest draws it).  One whose
 * sizes are out of range, or with its hot spot outside, is left out. */
void kiln_surface_set_cursor(KilnSurface *surface, const KilnSurfaceCursor *cursor);
/* Where its hot spot is, which may be outside. */
void kiln_surface_move_cursor(KilnSurface *surface, int x, int y, gboolean visible);

/* The size that a viewer asked for last, for EDID.  Returns: FALSE if none did. */
gboolean kiln_surface_last_hint(const KilnSurface *surface, KilnSurfaceHint *hint);
/* Whether anybody looks. */
gboolean kiln_surface_is_looked_at(const KilnSurface *surface);

/* ---- the viewers' side -------------------------------------------------------------------------
 */

/**
 * KilnSurfaceViewer: callbacks of a listener; each may be NULL
 * @resize: another image is shown: ask kiln_surface_image() again; all has changed
 * @update: pixels in @rect have changed
 * @cursor: another shape; NULL is none
 * @gone: the surface is freed on return; the listener is already
 */
typedef struct {
    void (*resize)(void *viewer);
    void (*update)(void *viewer, const KilnRect *rect);
    void (*cursor)(void *viewer, const KilnSurfaceCursor *cursor);
    void (*cursor_moved)(void *viewer, int x, int y, gboolean visible);
    void (*gone)(void *viewer);
} KilnSurfaceViewer;

/**
 * kiln_surface_attach:
 * @viewer: lives as long as the listener
 *
 * Nothing is called before this returns: ask for image and cursor, after a refresh.
 *
 * Returns: (transfer full): free it with kiln_surface_detach().
 */
KilnSurfaceListener *kiln_surface_attach(KilnSurface *surface, const KilnSurfaceViewer *viewer,
                                         void *data);

/* @listener: (nullable) (transfer full): not called any more. */
void kiln_surface_detach(KilnSurfaceListener *listener);

/* Has the device bring the image up to date; listeners hear of it before this returns. */
void kiln_surface_refresh(KilnSurface *surface);

/* The image as it is; valid until the main loop runs again, or a refresh. */
KilnSurfaceImage kiln_surface_image(const KilnSurface *surface);
/* Returns: (nullable): the cursor's shape, until the next one. */
const KilnSurfaceCursor *kiln_surface_cursor(const KilnSurface *surface);
/* Returns: whether it is visible; @x and @y are set. */
gboolean kiln_surface_cursor_position(const KilnSurface *surface, int *x, int *y);

/* Whether the device takes sizes from viewers. */
gboolean kiln_surface_can_hint(const KilnSurface *surface);
/* Tells the device; sizes out of range are left out. */
void kiln_surface_hint(KilnSurface *surface, const KilnSurfaceHint *hint);

#endif
