/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See open.h.  end -> slice -> format (-> its backing chain) -> zeroes -> throttle */
#include "block/open.h"

#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "block/file.h"
#include "block/qcow2.h"
#include "block/slice.h"
#include "block/zeroes.h"

static KilnBlock *open_format(const KilnBlockOptions *options, unsigned depth, GError **error);

static gboolean
is_direct(KilnBlockCache cache)
{
    return cache == KILN_BLOCK_CACHE_NONE || cache == KILN_BLOCK_CACHE_DIRECTSYNC;
}

static gboolean
is_format(const KilnBlockOptions *options, const char *format)
{
    return g_strcmp0(options->format != NULL ? options->format : "raw", format) == 0;
}

/* The file, or the part of it that is meant. */
static KilnBlock *
open_end(const KilnBlockOptions *options, GError **error)
{
    KilnBlock *end = options->end;

    if (end == NULL)
        end = kiln_block_file_open(
            &(KilnBlockFileOptions){
                .path = options->path,
                .fd = options->fd,
                .uring = options->uring,
                .context = options->context,
                .read_only = options->read_only,
                .direct = is_direct(options->cache),
                .no_flush = options->cache == KILN_BLOCK_CACHE_UNSAFE,
                .shared = options->shared,
                .lock = !options->no_lock,
                .grows = !is_format(options, "raw"),
                .discard = options->discard,
                .block_device = options->block_device,
            },
            error);
    if (end == NULL || (options->slice_offset == 0 && options->slice_length == 0))
        return end;
    end = kiln_slice_open(end, options->slice_offset, options->slice_length, error);
    if (end == NULL)
        g_prefix_error(error, "'%s': ", options->path);
    return end;
}

/* What an image of the chain may say of the one below, by the options of the one above. */
static KilnBlockOptions
options_below(const KilnBlockOptions *above)
{
    return (KilnBlockOptions){
        .fd = -1,
        .read_only = TRUE,
        .no_lock = above->no_lock,
        .cache = above->cache,
        .uring = above->uring,
        .context = above->context,
        .open_other = above->open_other,
        .opener_data = above->opener_data,
    };
}

/* A name with a scheme, "nbd:…", is no file; "file:" is one, and so is "./a:b". */
static gboolean
has_scheme(const char *name)
{
    const char *colon = strchr(name, ':'), *slash = strchr(name, '/');

    return colon != NULL && (slash == NULL || colon < slash);
}

static char *
resolve(const char *name, const char *image)
{
    g_autofree char *folder = NULL;

    if (g_path_is_absolute(name))
        return g_strdup(name);
    folder = g_path_get_dirname(image);
    return g_build_filename(folder, name, NULL);
}

/* What the image itself names. */
static KilnBlock *
open_recorded(const KilnBlockOptions *above, const char *name, const char *format, unsigned depth,
              gboolean read_only, GError **error)
{
    KilnBlockOptions options = options_below(above);
    g_autofree char *path = NULL;

    if (g_str_has_prefix(name, "file:"))
        name += strlen("file:");
    options.format = format;
    options.read_only = read_only;
    options.discard = !read_only && above->discard;
    if (has_scheme(name) && (above->open_other == NULL || g_str_has_prefix(name, "json:"))) {
        kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                       "'%s' lies on '%s', which is not the name of a file", above->path, name);
        return NULL;
    }
    if (has_scheme(name)) {
        options.end = above->open_other(name, above->opener_data, error);
        options.path = name;
        if (options.end == NULL)
            return NULL;
    } else {
        options.path = path = resolve(name, above->path);
    }
    return open_format(&options, depth, error);
}

static KilnBlock *
open_backing(const char *name, const char *format, unsigned depth, gpointer data, GError **error)
{
    const KilnBlockOptions *above = data;
    KilnBlockOptions options;
    KilnBlock *block;

    if (!above->backing_given) {
        block = open_recorded(above, name, format, depth, TRUE, error);
        if (block == NULL)
            g_prefix_error(error, "backing image of '%s': ", above->path);
        return block;
    }
    if (above->backing == NULL)
        return NULL;
    options = *above->backing;
    options.read_only = TRUE;
    options.cache = above->cache;
    options.uring = above->uring;
    options.context = above->context;
    block = open_format(&options, depth, error);
    if (block == NULL)
        g_prefix_error(error, "backing image of '%s': ", above->path);
    return block;
}

static KilnBlock *
open_data(const char *name, const char *format, unsigned depth, gpointer data, GError **error)
{
    const KilnBlockOptions *above = data;
    KilnBlock *block = open_recorded(above, name, "raw", depth, above->read_only, error);

    if (block == NULL)
        g_prefix_error(error, "data file of '%s': ", above->path);
    return block;
}

static KilnBlock *
open_format(const KilnBlockOptions *options, unsigned depth, GError **error)
{
    KilnBlock *end;

    if (!is_format(options, "raw") && !is_format(options, "qcow2")) {
        int fd = options->fd;

        kiln_fd_clear(&fd);
        kiln_block_free(options->end);
        kiln_error_set(error, KILN_ERROR_UNSUPPORTED, "'%s': the format '%s' is not supported",
                       options->path, options->format);
        return NULL;
    }
    end = open_end(options, error);
    if (end == NULL || is_format(options, "raw"))
        return end;
    return kiln_qcow2_open(
        &(KilnQcow2Options){
            .path = options->path,
            .child = end,
            .open_backing = open_backing,
            .ask_backing = options->backing_given,
            .open_data = open_data,
            .opener_data = (gpointer)options,
            .depth = depth,
            .read_only = options->read_only,
            .cache_bytes = options->metadata_cache,
            .discard_no_unref = options->discard_no_unref,
            .keep_space = !options->discard,
        },
        error);
}

KilnBlock *
kiln_block_open_chain(const KilnBlockOptions *options, GError **error)
{
    KilnBlock *block = open_format(options, 0, error);

    if (block == NULL)
        return NULL;
    if (options->detect_zeroes != KILN_BLOCK_DETECT_ZEROES_OFF && !options->read_only)
        block = kiln_zeroes_open(block, options->discard && options->detect_zeroes ==
                                                                KILN_BLOCK_DETECT_ZEROES_UNMAP);
    if (options->throttle != NULL) {
        block = kiln_throttle_open(block, options->throttle, error);
        if (block == NULL)
            return NULL;
    }
    block->write_through = options->cache == KILN_BLOCK_CACHE_WRITETHROUGH ||
                           options->cache == KILN_BLOCK_CACHE_DIRECTSYNC;
    return block;
}
