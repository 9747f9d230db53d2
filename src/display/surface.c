/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See surface.h. */
#include "display/surface.h"

#include <string.h>

struct KilnSurfaceListener {
    KilnSurface *surface;            /* (nullable) */
    const KilnSurfaceViewer *viewer; /* NULL: detached, and freed when nobody walks the list */
    void *data;
};

struct KilnSurface {
    char *name; /* (owned) */
    guint head;
    const KilnSurfaceDevice *ops;
    void *device;
    KilnSurfaceImage image;
    uint32_t *own; /* (owned) (nullable) pixels of kiln_surface_resize() */
    KilnSurfaceCursor cursor;
    uint32_t *cursor_pixels; /* (owned) (nullable) */
    int cursor_x, cursor_y;
    gboolean cursor_visible;
    KilnSurfaceHint hint; /* width 0: none */
    GPtrArray *listeners; /* (owned) of KilnSurfaceListener */
    guint walking;        /* callbacks are under way: listeners stay in the list */
    guint n_attached;
};

enum { DEFAULT_WIDTH = 640, DEFAULT_HEIGHT = 480 };

KilnSurface *
kiln_surface_new(const char *name, guint head, const KilnSurfaceDevice *ops, void *device)
{
    KilnSurface *surface = g_new0(KilnSurface, 1);

    surface->name = g_strdup(name);
    surface->head = head;
    surface->ops = ops;
    surface->device = device;
    surface->image.width = DEFAULT_WIDTH;
    surface->image.height = DEFAULT_HEIGHT;
    surface->listeners = g_ptr_array_new_with_free_func(g_free);
    return surface;
}

const char *
kiln_surface_name(const KilnSurface *surface)
{
    return surface->name;
}

guint
kiln_surface_head(const KilnSurface *surface)
{
    return surface->head;
}

/* ---- listeners ---------------------------------------------------------------------------------
 */

static void
begin_walk(KilnSurface *surface)
{
    surface->walking++;
}

static void
end_walk(KilnSurface *surface)
{
    if (--surface->walking > 0)
        return;
    for (guint i = surface->listeners->len; i-- > 0;) {
        const KilnSurfaceListener *listener = g_ptr_array_index(surface->listeners, i);

        if (listener->viewer == NULL)
            g_ptr_array_remove_index(surface->listeners, i);
    }
}

/* Calls @member of each listener that has it; those that come meanwhile are not called. */
#define TELL(surface, member, ...)                                                                 \
    do {                                                                                           \
        guint n_ = (surface)->listeners->len;                                                      \
                                                                                                   \
        begin_walk(surface);                                                                       \
        for (guint i_ = 0; i_ < n_; i_++) {                                                        \
            const KilnSurfaceListener *to_ = g_ptr_array_index((surface)->listeners, i_);          \
                                                                                                   \
            if (to_->viewer != NULL && to_->viewer->member != NULL)                                \
                to_->viewer->member(__VA_ARGS__);                                                  \
        }                                                                                          \
        end_walk(surface);                                                                         \
    } while (0)

void
kiln_surface_free(KilnSurface *surface)
{
    if (surface == NULL)
        return;
    begin_walk(surface);
    for (guint i = 0; i < surface->listeners->len; i++) {
        KilnSurfaceListener *listener = g_ptr_array_index(surface->listeners, i);
        const KilnSurfaceViewer *viewer = listener->viewer;

        listener->viewer = NULL;
        if (viewer != NULL && viewer->gone != NULL)
            viewer->gone(listener->data);
    }
    g_ptr_array_unref(surface->listeners);
    g_free(surface->cursor_pixels);
    g_free(surface->own);
    g_free(surface->name);
    g_free(surface);
}

KilnSurfaceListener *
kiln_surface_attach(KilnSurface *surface, const KilnSurfaceViewer *viewer, void *data)
{
    KilnSurfaceListener *listener = g_new0(KilnSurfaceListener, 1);

    listener->surface = surface;
    listener->viewer = viewer;
    listener->data = data;
    g_ptr_array_add(surface->listeners, listener);
    if (surface->n_attached++ == 0 && surface->ops->looked_at != NULL)
        surface->ops->looked_at(surface->device, TRUE);
    return listener;
}

void
kiln_surface_detach(KilnSurfaceListener *listener)
{
    KilnSurface *surface;

    if (listener == NULL || listener->viewer == NULL)
        return;
    surface = listener->surface;
    listener->viewer = NULL;
    begin_walk(surface);
    if (--surface->n_attached == 0 && surface->ops->looked_at != NULL)
        surface->ops->looked_at(surface->device, FALSE);
    end_walk(surface);
}

gboolean
kiln_surface_is_looked_at(const KilnSurface *surface)
{
    return surface->n_attached > 0;
}

/* ---- the image ---------------------------------------------------------------------------------
 */

static gboolean
size_is_valid(guint width, guint height)
{
    return width >= 1 && width <= KILN_SURFACE_MAX_SIDE && height >= 1 &&
           height <= KILN_SURFACE_MAX_SIDE;
}

static void
blank(KilnSurface *surface)
{
    g_clear_pointer(&surface->own, g_free);
    surface->image.pixels = NULL;
    surface->image.stride = 0;
    TELL(surface, resize, to_->data);
}

uint32_t *
kiln_surface_resize(KilnSurface *surface, guint width, guint height)
{
    uint32_t *pixels;

    if (!size_is_valid(width, height)) {
        blank(surface);
        return NULL;
    }
    if (surface->own != NULL && surface->image.width == width && surface->image.height == height) {
        kiln_surface_update(surface, 0, 0, width, height);
        return surface->own;
    }
    pixels = g_try_malloc0_n((gsize)width * height, sizeof *pixels);
    if (pixels == NULL) {
        blank(surface);
        return NULL;
    }
    g_free(surface->own);
    surface->own = pixels;
    surface->image = (KilnSurfaceImage){
        .pixels = pixels,
        .width = width,
        .height = height,
        .stride = (size_t)width * sizeof *pixels,
    };
    TELL(surface, resize, to_->data);
    return pixels;
}

void
kiln_surface_show(KilnSurface *surface, const KilnSurfaceImage *image)
{
    if (size_is_valid(image->width, image->height)) {
        surface->image.width = image->width;
        surface->image.height = image->height;
    }
    if (image->pixels == NULL || !size_is_valid(image->width, image->height) ||
        image->stride < (size_t)image->width * 4 || image->stride % 4 != 0) {
        blank(surface);
        return;
    }
    g_clear_pointer(&surface->own, g_free);
    surface->image = *image;
    TELL(surface, resize, to_->data);
}

void
kiln_surface_update(KilnSurface *surface, guint x, guint y, guint width, guint height)
{
    KilnRect rect = { .x = x, .y = y };

    if (x >= surface->image.width || y >= surface->image.height)
        return;
    rect.width = MIN(width, surface->image.width - x);
    rect.height = MIN(height, surface->image.height - y);
    if (rect.width > 0 && rect.height > 0)
        TELL(surface, update, to_->data, &rect);
}

void
kiln_surface_refresh(KilnSurface *surface)
{
    if (surface->ops->refresh != NULL)
        surface->ops->refresh(surface->device);
}

KilnSurfaceImage
kiln_surface_image(const KilnSurface *surface)
{
    return surface->image;
}

/* ---- the cursor --------------------------------------------------------------------------------
 */

void
kiln_surface_set_cursor(KilnSurface *surface, const KilnSurfaceCursor *cursor)
{
    if (cursor != NULL && (cursor->width < 1 || cursor->width > KILN_SURFACE_MAX_CURSOR ||
                           cursor->height < 1 || cursor->height > KILN_SURFACE_MAX_CURSOR ||
                           cursor->hot_x >= cursor->width || cursor->hot_y >= cursor->height))
        return;
    g_clear_pointer(&surface->cursor_pixels, g_free);
    if (cursor != NULL) {
        surface->cursor = *cursor;
        surface->cursor_pixels = g_memdup2(cursor->pixels, (gsize)cursor->width * cursor->height *
                                                               sizeof *cursor->pixels);
        surface->cursor.pixels = surface->cursor_pixels;
    }
    TELL(surface, cursor, to_->data, kiln_surface_cursor(surface));
}

const KilnSurfaceCursor *
kiln_surface_cursor(const KilnSurface *surface)
{
    return surface->cursor_pixels != NULL ? &surface->cursor : NULL;
}

void
kiln_surface_move_cursor(KilnSurface *surface, int x, int y, gboolean visible)
{
    surface->cursor_x = x;
    surface->cursor_y = y;
    surface->cursor_visible = visible;
    TELL(surface, cursor_moved, to_->data, x, y, visible);
}

gboolean
kiln_surface_cursor_position(const KilnSurface *surface, int *x, int *y)
{
    *x = surface->cursor_x;
    *y = surface->cursor_y;
    return surface->cursor_visible;
}

/* ---- sizes that viewers would like -------------------------------------------------------------
 */

gboolean
kiln_surface_can_hint(const KilnSurface *surface)
{
    return surface->ops->hint != NULL;
}

void
kiln_surface_hint(KilnSurface *surface, const KilnSurfaceHint *hint)
{
    if (!size_is_valid(hint->width, hint->height))
        return;
    surface->hint = *hint;
    if (surface->ops->hint != NULL)
        surface->ops->hint(surface->device, hint);
}

gboolean
kiln_surface_last_hint(const KilnSurface *surface, KilnSurfaceHint *hint)
{
    *hint = surface->hint;
    return surface->hint.width > 0;
}
