/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A main() for a fuzz target without a fuzzer: gives each file of the target's corpus, which is
 * tests/fuzz/corpus/NAME for the program NAME-fuzz, or each file named on the command line, to the
 * target, and prints TAP, one line a file.  A target that does not return kills the program, and
 * the lines that lack are the failure.
 */
#include <glib.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *
corpus_of(const char *program)
{
    g_autofree char *name = g_path_get_basename(program);
    const char *top = g_getenv("KILN_SRCDIR");

    if (g_str_has_suffix(name, "-fuzz"))
        name[strlen(name) - strlen("-fuzz")] = '\0';
    return g_build_filename(top != NULL ? top : ".", "tests/fuzz/corpus", name, NULL);
}

static int
by_name(gconstpointer a, gconstpointer b)
{
    return g_strcmp0(*(const char *const *)a, *(const char *const *)b);
}

static GPtrArray *
files_in(const char *directory)
{
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = g_dir_open(directory, 0, &error);
    const char *name;

    if (dir == NULL) {
        printf("Bail out! %s\n", error->message);
        return NULL;
    }
    while ((name = g_dir_read_name(dir)) != NULL)
        g_ptr_array_add(files, g_build_filename(directory, name, NULL));
    g_ptr_array_sort(files, by_name);
    return g_steal_pointer(&files);
}

static void
replay(guint number, const char *path)
{
    g_autofree char *name = g_path_get_basename(path);
    g_autoptr(GError) error = NULL;
    g_autofree char *content = NULL;
    g_autofree uint8_t *exact = NULL;
    gsize length;

    if (!g_file_get_contents(path, &content, &length, &error)) {
        printf("not ok %u - %s # %s\n", number, name, error->message);
        return;
    }
    /*
     * GLib adds a NUL; a copy of the exact size lets a sanitizer see the first byte too far.  As
     * from libFuzzer, no bytes at all are still at some address.
     */
    exact = g_malloc(MAX(length, 1));
    memcpy(exact, content, length);
    LLVMFuzzerTestOneInput(exact, length);
    printf("ok %u - %s\n", number, name);
    fflush(stdout);
}

int
main(int argc, char **argv)
{
    g_autofree char *corpus = corpus_of(argv[0]);
    g_autoptr(GPtrArray) files = NULL;

    if (argc > 1) {
        files = g_ptr_array_new_with_free_func(g_free);
        for (int i = 1; i < argc; i++)
            g_ptr_array_add(files, g_strdup(argv[i]));
    } else {
        files = files_in(corpus);
    }
    if (files == NULL)
        return 1;
    if (files->len == 0) {
        printf("Bail out! no file in %s\n", corpus);
        return 1;
    }
    printf("1..%u\n", files->len);
    fflush(stdout);
    for (guint i = 0; i < files->len; i++)
        replay(i + 1, g_ptr_array_index(files, i));
    return 0;
}
