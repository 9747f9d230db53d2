/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The copy of the picture that the library's encoders read, made while somebody looks.  A surface
 * says which pixels may have changed; tiles of them that are the same as in the copy are not sent.
 */
#include "display/vnc-message.h"
#include "display/vnc-private.h"

#include <string.h>
#include <zlib.h>

enum {
    TILE_WIDTH = 64,
    TILE_HEIGHT = 16,
    BLANK_WIDTH = 640,
    BLANK_HEIGHT = 480,
};

/* ---- the surface's callbacks -------------------------------------------------------------------
 */

static void
mark_all(KilnVnc *vnc)
{
    memset(vnc->dirty, 1, (gsize)vnc->tiles_x * vnc->tiles_y);
    vnc->is_dirty = TRUE;
}

static void
on_resize(void *data)
{
    KilnVnc *vnc = data;

    vnc->resized = TRUE;
    if (!vnc->refreshing)
        kiln_vnc_hurry(vnc);
}

static void
on_update(void *data, const KilnRect *rect)
{
    KilnVnc *vnc = data;
    guint end_x = MIN((rect->x + rect->width - 1) / TILE_WIDTH + 1, vnc->tiles_x);
    guint end_y = MIN((rect->y + rect->height - 1) / TILE_HEIGHT + 1, vnc->tiles_y);
    guint x = rect->x / TILE_WIDTH;

    if (x >= end_x)
        return;
    for (guint y = rect->y / TILE_HEIGHT; y < end_y; y++)
        memset(vnc->dirty + (gsize)y * vnc->tiles_x + x, 1, end_x - x);
    if (!vnc->is_dirty && !vnc->refreshing)
        kiln_vnc_hurry(vnc);
    vnc->is_dirty = TRUE;
}

/* The library wants pixels and mask apart, and frees them; GLib's allocator is malloc. */
static rfbCursorPtr
make_cursor(const KilnSurfaceCursor *from)
{
    rfbCursorPtr cursor = g_new0(rfbCursor, 1);
    gsize n = (gsize)from->width * from->height;

    cursor->width = (unsigned short)from->width;
    cursor->height = (unsigned short)from->height;
    cursor->xhot = (unsigned short)from->hot_x;
    cursor->yhot = (unsigned short)from->hot_y;
    cursor->alphaSource = g_malloc(n);
    cursor->alphaPreMultiplied = TRUE;
    cursor->richSource = g_memdup2(from->pixels, n * sizeof *from->pixels);
    for (gsize i = 0; i < n; i++)
        cursor->alphaSource[i] = (unsigned char)(from->pixels[i] >> 24);
    cursor->mask = (unsigned char *)rfbMakeMaskFromAlphaSource(cursor->width, cursor->height,
                                                               cursor->alphaSource);
    cursor->cleanup = cursor->cleanupMask = cursor->cleanupRichSource = TRUE;
    return cursor;
}

static void
on_cursor(void *data, const KilnSurfaceCursor *from)
{
    KilnVnc *vnc = data;
    int x, y;

    if (from != NULL && !kiln_surface_cursor_position(vnc->surface, &x, &y))
        from = NULL;
    if (from == NULL && vnc->screen->cursor == NULL)
        return;
    rfbSetCursor(vnc->screen, from != NULL ? make_cursor(from) : NULL); /* frees the one before */
}

static void
on_cursor_moved(void *data, int x, int y, gboolean visible)
{
    KilnVnc *vnc = data;

    if (visible != (vnc->screen->cursor != NULL))
        on_cursor(vnc, kiln_surface_cursor(vnc->surface));
    vnc->screen->cursorX = CLAMP(x, 0, (int)vnc->width - 1);
    vnc->screen->cursorY = CLAMP(y, 0, (int)vnc->height - 1);
}

static void
on_gone(void *data)
{
    KilnVnc *vnc = data;

    vnc->surface = NULL;
    vnc->listener = NULL;
    vnc->resized = TRUE;
}

static const KilnSurfaceViewer viewer = {
    .resize = on_resize,
    .update = on_update,
    .cursor = on_cursor,
    .cursor_moved = on_cursor_moved,
    .gone = on_gone,
};

/* ---- the copy ----------------------------------------------------------------------------------
 */

static KilnSurfaceImage
image_of(const KilnVnc *vnc)
{
    if (vnc->surface != NULL)
        return kiln_surface_image(vnc->surface);
    return (KilnSurfaceImage){ .width = BLANK_WIDTH, .height = BLANK_HEIGHT };
}

/* As in the surface: 0x00rrggbb. */
static void
set_format(rfbScreenInfoPtr screen)
{
    screen->serverFormat.depth = 24;
    screen->serverFormat.redShift = 16;
    screen->serverFormat.greenShift = 8;
    screen->serverFormat.blueShift = 0;
}

/* A new copy, black; FALSE without memory, and then it is as it was. */
static gboolean
allocate(KilnVnc *vnc, guint width, guint height)
{
    uint32_t *copy = g_try_malloc0_n((gsize)width * height, sizeof *copy);

    if (copy == NULL)
        return FALSE;
    g_free(vnc->copy);
    vnc->copy = copy;
    vnc->width = width;
    vnc->height = height;
    vnc->tiles_x = (width - 1) / TILE_WIDTH + 1;
    vnc->tiles_y = (height - 1) / TILE_HEIGHT + 1;
    g_free(vnc->dirty);
    vnc->dirty = g_malloc0((gsize)vnc->tiles_x * vnc->tiles_y);
    mark_all(vnc);
    return TRUE;
}

static void
resize(KilnVnc *vnc)
{
    KilnSurfaceImage image = image_of(vnc);
    uint32_t *before = vnc->copy;

    vnc->resized = FALSE;
    if (image.width == vnc->width && image.height == vnc->height) {
        mark_all(vnc);
        return;
    }
    vnc->copy = NULL;
    if (!allocate(vnc, image.width, image.height)) {
        vnc->copy = before;
        return;
    }
    rfbNewFramebuffer(vnc->screen, (char *)vnc->copy, (int)image.width, (int)image.height, 8, 3, 4);
    g_free(before);
    set_format(vnc->screen);
    for (guint i = 0; i < vnc->clients->len; i++) {
        const KilnVncClient *client = g_ptr_array_index(vnc->clients, i);

        if (client->rfb != NULL && client->rfb->sock >= 0)
            (void)vnc->screen->setTranslateFunction(client->rfb);
    }
}

/* Copies what differs of a tile.  Returns: whether anything did. */
static gboolean
copy_tile(KilnVnc *vnc, const KilnSurfaceImage *image, guint x, guint y)
{
    guint width = MIN(TILE_WIDTH, vnc->width - x);
    guint end = MIN(y + TILE_HEIGHT, vnc->height);
    gboolean changed = FALSE;

    for (; y < end; y++) {
        uint32_t *to = vnc->copy + (gsize)y * vnc->width + x;
        const uint32_t *from = image->pixels + (gsize)y * (image->stride / 4) + x;

        /* the guest may write meanwhile: what is copied then is seen as changed again later */
        if (memcmp(to, from, width * sizeof *to) != 0) {
            memcpy(to, from, width * sizeof *to);
            changed = TRUE;
        }
    }
    return changed;
}

static gboolean
copy_row(KilnVnc *vnc, const KilnSurfaceImage *image, guint row)
{
    guint8 *dirty = vnc->dirty + (gsize)row * vnc->tiles_x;
    guint y = row * TILE_HEIGHT;
    gboolean any = FALSE;
    guint first = vnc->tiles_x; /* of a run of tiles that have changed */

    for (guint i = 0; i <= vnc->tiles_x; i++) {
        gboolean changed = FALSE;

        if (i < vnc->tiles_x && dirty[i] != 0) {
            dirty[i] = 0;
            changed = copy_tile(vnc, image, i * TILE_WIDTH, y);
        }
        if (changed && first == vnc->tiles_x)
            first = i;
        if (!changed && first < vnc->tiles_x) {
            rfbMarkRectAsModified(vnc->screen, (int)(first * TILE_WIDTH), (int)y,
                                  (int)MIN(i * TILE_WIDTH, vnc->width),
                                  (int)MIN(y + TILE_HEIGHT, vnc->height));
            first = vnc->tiles_x;
            any = TRUE;
        }
    }
    return any;
}

static void
blank(KilnVnc *vnc)
{
    memset(vnc->copy, 0, (gsize)vnc->width * vnc->height * sizeof *vnc->copy);
    memset(vnc->dirty, 0, (gsize)vnc->tiles_x * vnc->tiles_y);
    rfbMarkRectAsModified(vnc->screen, 0, 0, (int)vnc->width, (int)vnc->height);
}

gboolean
kiln_vnc_screen_refresh(KilnVnc *vnc)
{
    KilnSurfaceImage image;
    gboolean any = vnc->resized;

    if (vnc->surface != NULL) {
        vnc->refreshing = TRUE;
        kiln_surface_refresh(vnc->surface);
        vnc->refreshing = FALSE;
        any |= vnc->resized;
    }
    if (vnc->resized)
        resize(vnc);
    image = image_of(vnc);
    if (!vnc->is_dirty || image.width != vnc->width || image.height != vnc->height)
        return any;
    vnc->is_dirty = FALSE;
    if (image.pixels == NULL) {
        blank(vnc);
        return TRUE;
    }
    for (guint row = 0; row < vnc->tiles_y; row++)
        any |= copy_row(vnc, &image, row);
    return any;
}

/* ---- cut text, sizes, power --------------------------------------------------------------------
 */

/* RFC 6143 §7.6.4 */
static void
send_latin1(KilnVncClient *client, const char *text, int text_length)
{
    const uint32_t length = GUINT32_TO_BE((uint32_t)text_length);
    const char header[] = { rfbServerCutText, 0, 0, 0 };

    (void)(rfbWriteExact(client->rfb, header, sizeof header) < 0 ||
           rfbWriteExact(client->rfb, (const char *)&length, sizeof length) < 0 ||
           rfbWriteExact(client->rfb, text, text_length) < 0);
}

/* Who has not read texts before does without the next: they are not worth a connection. */
static gboolean
takes_text(const KilnVncClient *client)
{
    return !client->doomed && client->state == KILN_VNC_CLIENT_NORMAL &&
           kiln_vnc_stream_pending(client->stream) <= KILN_VNC_MAX_TEXT;
}

/* To all but @sender.  The library knows the extended clipboard, but for a client without it, it
 * either says a wrong length or keeps a lock: those it must not see meanwhile. */
static void
send_text(const KilnVncClient *sender, char *utf8, int utf8_length, const char *latin1,
          int latin1_length)
{
    const KilnVnc *vnc = sender->vnc;
    g_autofree int *hidden = g_new(int, vnc->clients->len);

    for (guint i = 0; i < vnc->clients->len; i++) {
        KilnVncClient *client = g_ptr_array_index(vnc->clients, i);

        hidden[i] = -1;
        if (client->rfb == NULL ||
            (client != sender && takes_text(client) && client->rfb->enableExtendedClipboard))
            continue;
        hidden[i] = client->rfb->sock;
        client->rfb->sock = RFB_INVALID_SOCKET;
    }
    rfbSendServerCutTextUTF8(vnc->screen, utf8, utf8_length, NULL, 0);
    for (guint i = 0; i < vnc->clients->len; i++) {
        KilnVncClient *client = g_ptr_array_index(vnc->clients, i);

        if (hidden[i] >= 0)
            client->rfb->sock = hidden[i];
        if (client != sender && takes_text(client) && !client->rfb->enableExtendedClipboard)
            send_latin1(client, latin1, latin1_length);
    }
}

/* What one client cut, the others may paste.  @utf8: its last byte is a NUL that counts. */
static void
pass_text(rfbClientPtr rfb, char *text, int length, gboolean utf8)
{
    const KilnVncClient *client = rfb->clientData;
    g_autofree char *other = NULL;
    gsize other_length = 0;

    if (client == NULL || length < 0)
        return;
    if (utf8 && length > 0 && text[length - 1] == '\0')
        length--;
    other = g_convert_with_fallback(text, length, utf8 ? "ISO-8859-1" : "UTF-8",
                                    utf8 ? "UTF-8" : "ISO-8859-1", "?", NULL, &other_length, NULL);
    if (other == NULL || other_length > G_MAXINT)
        return;
    if (utf8)
        send_text(client, text, length, other, (int)other_length);
    else
        send_text(client, other, (int)other_length, text, length);
}

/* Returns: whether @out is full. */
static gboolean
inflate_some(z_stream *zlib, void *out, guint length)
{
    int result = Z_OK;

    zlib->next_out = out;
    zlib->avail_out = length;
    while (zlib->avail_out > 0 && result == Z_OK)
        result = inflate(zlib, Z_SYNC_FLUSH);
    return zlib->avail_out == 0;
}

/* Returns: (transfer full) (nullable): @length bytes and a NUL more */
static char *
inflate_text(z_stream *zlib, int *length)
{
    g_autofree char *text = NULL;
    uint8_t size[4];

    if (!inflate_some(zlib, size, sizeof size) || kiln_vnc_u32(size) > KILN_VNC_MAX_TEXT)
        return NULL;
    *length = (int)kiln_vnc_u32(size);
    text = g_malloc0((gsize)*length + 1);
    return inflate_some(zlib, text, (guint)*length) ? g_steal_pointer(&text) : NULL;
}

/* The extended clipboard's Provide: header, flags, and deflated the size and the text.  The library
 * takes the size on trust, and passes on whatever was in memory where the text is shorter. */
void
kiln_vnc_screen_provide(KilnVncClient *client, const uint8_t *message, gsize length)
{
    enum { HEADER_BYTES = 12 };
    z_stream zlib = { .next_in = (Bytef *)(uintptr_t)(message + HEADER_BYTES),
                      .avail_in = (uInt)(length - HEADER_BYTES) };
    g_autofree char *text = NULL;
    int text_length;

    if ((kiln_vnc_u32(message + 8) & rfbExtendedClipboard_Text) == 0 || inflateInit(&zlib) != Z_OK)
        return;
    text = inflate_text(&zlib, &text_length);
    inflateEnd(&zlib);
    if (text != NULL)
        pass_text(client->rfb, text, text_length, TRUE);
}

static void
on_cut_text(char *text, int length, rfbClientPtr rfb)
{
    pass_text(rfb, text, length, FALSE);
}

/* The library wants one, but does not see a Provide. */
static void
on_cut_text_utf8(char *text, int length, rfbClientPtr rfb)
{
    (void)text;
    (void)length;
    (void)rfb;
}

/* The extension ExtendedDesktopSize: a status */
static int
on_desktop_size(int width, int height, int n_screens, rfbExtDesktopScreen *screens,
                rfbClientPtr rfb)
{
    enum { FORWARDED = 4 };
    const KilnVncClient *client = rfb->clientData;
    KilnSurfaceHint hint = { .width = (guint)width, .height = (guint)height };

    (void)screens;
    if (client == NULL || client->vnc->surface == NULL ||
        !kiln_surface_can_hint(client->vnc->surface))
        return rfbExtDesktopSize_ResizeProhibited;
    if (n_screens != 1 || width < 1 || height < 1 || width > KILN_SURFACE_MAX_SIDE ||
        height > KILN_SURFACE_MAX_SIDE)
        return rfbExtDesktopSize_InvalidScreenLayout;
    kiln_surface_hint(client->vnc->surface, &hint);
    return FORWARDED;
}

static rfbBool
on_power(rfbClientPtr rfb, uint8_t version, uint8_t code)
{
    const KilnVncClient *client = rfb->clientData;
    const KilnVnc *vnc = client != NULL ? client->vnc : NULL;

    (void)version;
    if (vnc == NULL || vnc->power == NULL || code < rfbXvp_Shutdown || code > rfbXvp_Reset)
        return FALSE;
    vnc->power(vnc->data, code == rfbXvp_Shutdown ? 's' : code == rfbXvp_Reboot ? 'b' : 'r');
    return TRUE;
}

/* ---- begin and end -----------------------------------------------------------------------------
 */

static void
quiet(const char *format, ...)
{
    (void)format;
}

gboolean
kiln_vnc_screen_begin(KilnVnc *vnc)
{
    KilnSurfaceImage image;

    if (vnc->screen != NULL)
        return TRUE;
    rfbLog = rfbErr = quiet; /* in this process it would be what clients say */
    image = image_of(vnc);
    if (!allocate(vnc, image.width, image.height))
        return FALSE;
    vnc->screen = rfbGetScreen(NULL, NULL, (int)image.width, (int)image.height, 8, 3, 4);
    if (vnc->screen == NULL)
        return FALSE;
    set_format(vnc->screen);
    vnc->screen->frameBuffer = (char *)vnc->copy;
    vnc->screen->desktopName = vnc->name;
    vnc->screen->screenData = vnc;
    vnc->screen->alwaysShared = TRUE; /* vnc-client.c sees to that */
    vnc->screen->deferUpdateTime = 0;
    vnc->screen->cursor = NULL;
    vnc->screen->setXCutText = on_cut_text;
    vnc->screen->setXCutTextUTF8 = on_cut_text_utf8;
    vnc->screen->setDesktopSizeHook = on_desktop_size;
    if (vnc->power != NULL)
        vnc->screen->xvpHook = on_power;
    if (vnc->surface != NULL) {
        vnc->listener = kiln_surface_attach(vnc->surface, &viewer, vnc);
        on_cursor(vnc, kiln_surface_cursor(vnc->surface));
    }
    (void)kiln_vnc_screen_refresh(vnc);
    return TRUE;
}

void
kiln_vnc_screen_end(KilnVnc *vnc)
{
    g_clear_pointer(&vnc->listener, kiln_surface_detach);
    if (vnc->screen != NULL) {
        rfbSetCursor(vnc->screen, NULL);
        g_clear_pointer(&vnc->screen, rfbScreenCleanup);
    }
    g_clear_pointer(&vnc->copy, g_free);
    g_clear_pointer(&vnc->dirty, g_free);
    vnc->resized = FALSE;
}
