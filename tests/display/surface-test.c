/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "display/surface.h"

#include "tests/lib/kiln-test.h"

#include <string.h>

typedef struct {
    guint resizes, updates, cursors, moves, gone;
    KilnRect last;
    KilnSurfaceListener *listener;
    gboolean leaves; /* at the next update */
} Viewer;

static KilnSurface *surface;
static guint refreshes;
static guint looks;
static gboolean looked;
static KilnSurfaceHint hinted;

static void
on_refresh(void *device)
{
    (void)device;
    refreshes++;
    kiln_surface_update(surface, 1, 2, 3, 4);
}

static void
on_hint(void *device, const KilnSurfaceHint *hint)
{
    (void)device;
    hinted = *hint;
}

static void
on_looked_at(void *device, gboolean yes)
{
    (void)device;
    looks++;
    looked = yes;
}

static const KilnSurfaceDevice device_ops = {
    .refresh = on_refresh,
    .hint = on_hint,
    .looked_at = on_looked_at,
};

static void
on_resize(void *data)
{
    ((Viewer *)data)->resizes++;
}

static void
on_update(void *data, const KilnRect *rect)
{
    Viewer *viewer = data;

    viewer->updates++;
    viewer->last = *rect;
    if (viewer->leaves)
        kiln_surface_detach(g_steal_pointer(&viewer->listener));
}

static void
on_cursor(void *data, const KilnSurfaceCursor *cursor)
{
    (void)cursor;
    ((Viewer *)data)->cursors++;
}

static void
on_cursor_moved(void *data, int x, int y, gboolean visible)
{
    (void)x;
    (void)y;
    (void)visible;
    ((Viewer *)data)->moves++;
}

static void
on_gone(void *data)
{
    ((Viewer *)data)->gone++;
}

static const KilnSurfaceViewer viewer_ops = {
    .resize = on_resize,
    .update = on_update,
    .cursor = on_cursor,
    .cursor_moved = on_cursor_moved,
    .gone = on_gone,
};

static void
set_up(void)
{
    surface = kiln_surface_new("video0", 0, &device_ops, NULL);
}

static void
tear_down(void)
{
    g_clear_pointer(&surface, kiln_surface_free);
}

START_TEST(nothing_is_rendered_for_nobody)
{
    Viewer viewer = { 0 };

    ck_assert(!kiln_surface_is_looked_at(surface));
    viewer.listener = kiln_surface_attach(surface, &viewer_ops, &viewer);
    ck_assert(looked && kiln_surface_is_looked_at(surface));
    ck_assert_uint_eq(refreshes, 0);
    kiln_surface_refresh(surface);
    ck_assert_uint_eq(refreshes, 1);
    ck_assert_uint_eq(viewer.updates, 1);
    kiln_surface_detach(viewer.listener);
    ck_assert(!looked && looks == 2);
    kiln_surface_update(surface, 0, 0, 1, 1);
    ck_assert_uint_eq(viewer.updates, 1);
}
END_TEST

START_TEST(rectangles_are_cut_to_the_surface)
{
    Viewer viewer = { 0 };

    viewer.listener = kiln_surface_attach(surface, &viewer_ops, &viewer);
    ck_assert_ptr_nonnull(kiln_surface_resize(surface, 100, 50));
    ck_assert_uint_eq(viewer.resizes, 1);
    kiln_surface_update(surface, 90, 40, G_MAXUINT, G_MAXUINT);
    ck_assert_uint_eq(viewer.last.width, 10);
    ck_assert_uint_eq(viewer.last.height, 10);
    kiln_surface_update(surface, 100, 0, 1, 1);
    kiln_surface_update(surface, G_MAXUINT, G_MAXUINT, 5, 5);
    kiln_surface_update(surface, 5, 5, 0, 1);
    ck_assert_uint_eq(viewer.updates, 1);
    kiln_surface_detach(viewer.listener);
}
END_TEST

START_TEST(images_are_owned_or_shown)
{
    uint32_t line[64] = { 0 };
    KilnSurfaceImage image = { .pixels = line, .width = 16, .height = 4, .stride = 64 };
    uint32_t *own = kiln_surface_resize(surface, 16, 4);

    own[3] = 7;
    ck_assert_ptr_eq(kiln_surface_resize(surface, 16, 4), own);
    ck_assert_uint_eq(own[3], 7);
    kiln_surface_show(surface, &image);
    ck_assert_ptr_eq(kiln_surface_image(surface).pixels, line);
    image.stride = 60;
    kiln_surface_show(surface, &image);
    ck_assert_ptr_null(kiln_surface_image(surface).pixels);
    ck_assert_ptr_null(kiln_surface_resize(surface, KILN_SURFACE_MAX_SIDE + 1, 4));
    ck_assert_ptr_null(kiln_surface_resize(surface, 0, 4));
}
END_TEST

START_TEST(a_listener_may_leave_while_it_is_told)
{
    Viewer one = { .leaves = TRUE };
    Viewer two = { 0 };

    one.listener = kiln_surface_attach(surface, &viewer_ops, &one);
    two.listener = kiln_surface_attach(surface, &viewer_ops, &two);
    kiln_surface_update(surface, 0, 0, 1, 1);
    kiln_surface_update(surface, 0, 0, 1, 1);
    ck_assert_uint_eq(one.updates, 1);
    ck_assert_uint_eq(two.updates, 2);
    g_clear_pointer(&surface, kiln_surface_free);
    ck_assert_uint_eq(one.gone, 0);
    ck_assert_uint_eq(two.gone, 1);
}
END_TEST

START_TEST(cursors_are_copied_and_checked)
{
    uint32_t pixels[4] = { 1, 2, 3, 4 };
    KilnSurfaceCursor cursor = { 2, 2, 1, 1, pixels };
    Viewer viewer = { 0 };
    int x, y;

    viewer.listener = kiln_surface_attach(surface, &viewer_ops, &viewer);
    kiln_surface_set_cursor(surface, &cursor);
    memset(pixels, 0, sizeof pixels);
    ck_assert_uint_eq(kiln_surface_cursor(surface)->pixels[3], 4);
    cursor.hot_x = 2;
    kiln_surface_set_cursor(surface, &cursor);
    cursor = (KilnSurfaceCursor){ KILN_SURFACE_MAX_CURSOR + 1, 1, 0, 0, pixels };
    kiln_surface_set_cursor(surface, &cursor);
    ck_assert_uint_eq(viewer.cursors, 1);
    kiln_surface_move_cursor(surface, -3, 9, TRUE);
    ck_assert(kiln_surface_cursor_position(surface, &x, &y) && x == -3 && y == 9);
    ck_assert_uint_eq(viewer.moves, 1);
    kiln_surface_set_cursor(surface, NULL);
    ck_assert_ptr_null(kiln_surface_cursor(surface));
    kiln_surface_detach(viewer.listener);
}
END_TEST

START_TEST(hints_reach_the_device)
{
    KilnSurfaceHint hint = { 1024, 768, 300, 200 };
    KilnSurfaceHint last;

    ck_assert(kiln_surface_can_hint(surface));
    ck_assert(!kiln_surface_last_hint(surface, &last));
    kiln_surface_hint(surface, &hint);
    ck_assert_uint_eq(hinted.width, 1024);
    hint.width = KILN_SURFACE_MAX_SIDE + 1;
    kiln_surface_hint(surface, &hint);
    ck_assert(kiln_surface_last_hint(surface, &last));
    ck_assert_uint_eq(last.width, 1024);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("surface");
    TCase *cases = kiln_test_case(suite, "surface");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, nothing_is_rendered_for_nobody);
    tcase_add_test(cases, rectangles_are_cut_to_the_surface);
    tcase_add_test(cases, images_are_owned_or_shown);
    tcase_add_test(cases, a_listener_may_leave_while_it_is_told);
    tcase_add_test(cases, cursors_are_copied_and_checked);
    tcase_add_test(cases, hints_reach_the_device);
    return suite;
}

KILN_TEST_MAIN(make_suite)
