/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See module.h. */
#include "base/module.h"

#include "base/error.h"

#include <dlfcn.h>
#include <unistd.h>

/* @file in the directory that @variable names, else beside the executable, else in @installed. */
static char *
find(const char *file, const char *variable, const char *installed)
{
    g_autofree char *executable = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *directory = executable != NULL ? g_path_get_dirname(executable) : NULL;
    g_autofree char *beside = directory != NULL ? g_build_filename(directory, file, NULL) : NULL;
    const char *given = g_getenv(variable);

    if (given != NULL && *given != '\0')
        return g_build_filename(given, file, NULL);
    if (beside != NULL && access(beside, R_OK) == 0)
        return g_steal_pointer(&beside);
    return g_build_filename(installed, file, NULL);
}

char *
kiln_module_path(const char *file)
{
    return find(file, "KILN_MODULE_DIR", KILN_MODULE_DIR);
}

char *
kiln_schema_path(const char *file)
{
    return find(file, "KILN_SCHEMA_DIR", KILN_SCHEMA_DIR);
}

const void *
kiln_module_load(const char *file, const char *symbol, GError **error)
{
    g_autofree char *path = kiln_module_path(file);
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    const void *table = module != NULL ? dlsym(module, symbol) : NULL;

    if (table == NULL)
        kiln_error_set(error, KILN_ERROR_FAILED, "cannot load the module '%s': %s", path,
                       dlerror());
    return table;
}
