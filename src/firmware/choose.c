/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See choose.h. */
#include "firmware/choose.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Variable stores ---- */

gboolean
kiln_firmware_has_variables(const KilnOs *os)
{
    return (os->firmware == KILN_FIRMWARE_EFI || os->loader_type == KILN_LOADER_PFLASH) &&
           os->loader_stateless != KILN_SWITCH_ON && os->loader_readonly != KILN_SWITCH_OFF;
}

char *
kiln_firmware_nvram_path(const char *name, gboolean system)
{
    g_autofree char *plain = g_strdelimit(g_strconcat(name, "_VARS.fd", NULL), "/", '_');

    return system
               ? g_build_filename(KILN_LOCALSTATE_DIR "/lib/libvirt/kiln/nvram", plain, NULL)
               : g_build_filename(g_get_user_config_dir(), "libvirt", "kiln", "nvram", plain, NULL);
}

static void
place_variables(KilnDomain *domain)
{
    KilnOs *os = &domain->os;

    if (os->nvram == NULL)
        os->nvram = kiln_firmware_nvram_path(domain->name, geteuid() == 0);
}

/* ---- Builds ---- */

const char *
kiln_firmware_usable(const KilnFirmwareBuild *build)
{
    if ((build->interfaces & KILN_FIRMWARE_INTERFACE_UEFI) == 0)
        return "it is no UEFI";
    if (!build->machine)
        return "it is for other machines than q35 of x86_64";
    if (kiln_firmware_build_has(build, "requires-smm"))
        return "it needs system management mode, which is not available in this version";
    if (build->mapping != KILN_FIRMWARE_SPLIT && build->mapping != KILN_FIRMWARE_STATELESS)
        return "it is neither flash with a template of its variables nor stateless flash";
    if (strcmp(build->code_format, "raw") != 0 ||
        (build->template_format != NULL && strcmp(build->template_format, "raw") != 0))
        return "its images are not raw ones, and flash of another format is not available in this "
               "version";
    return NULL;
}

static gboolean
has_files(const KilnFirmwareBuild *build)
{
    return access(build->code, F_OK) == 0 &&
           (build->template == NULL || access(build->template, F_OK) == 0);
}

/* The first that can be booted at all. */
static const KilnFirmwareBuild *
first_usable(const GPtrArray *builds)
{
    for (guint i = 0; i < builds->len; i++) {
        const KilnFirmwareBuild *build = g_ptr_array_index(builds, i);

        if (kiln_firmware_usable(build) == NULL && has_files(build))
            return build;
    }
    return NULL;
}

gboolean
kiln_firmware_any(const GPtrArray *builds)
{
    return first_usable(builds) != NULL;
}

static gboolean
fail(const GPtrArray *builds, const char *what, const char *reason, GError **error)
{
    const KilnFirmwareBuild *other = first_usable(builds);

    return other != NULL ? kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                                          "firmware: %s: %s; what works is '%s' of '%s'", what,
                                          reason, other->code, other->path)
                         : kiln_error_set(error, KILN_ERROR_UNSUPPORTED,
                                          "firmware: %s: %s; the package ovmf has builds that work",
                                          what, reason);
}

/* ---- <os firmware='efi'> ---- */

static gboolean
does(const KilnFirmwareBuild *build, const KilnOs *os)
{
    if ((build->interfaces & KILN_FIRMWARE_INTERFACE_UEFI) == 0 || !build->machine)
        return FALSE;
    for (guint i = 0; i < os->firmware_features->len; i++) {
        const KilnFirmwareFeature *feature = g_ptr_array_index(os->firmware_features, i);

        if (kiln_firmware_build_has(build, feature->name) != (feature->enabled == KILN_SWITCH_ON))
            return FALSE;
    }
    if (os->loader_secure == KILN_SWITCH_ON && !kiln_firmware_build_has(build, "secure-boot"))
        return FALSE;
    return (build->mapping == KILN_FIRMWARE_SPLIT) == kiln_firmware_has_variables(os);
}

static void
take(KilnDomain *domain, const KilnFirmwareBuild *build)
{
    KilnOs *os = &domain->os;

    os->loader = g_strdup(build->code);
    os->loader_type = KILN_LOADER_PFLASH;
    os->loader_readonly = KILN_SWITCH_ON;
    if (build->mapping != KILN_FIRMWARE_SPLIT)
        return;
    if (os->nvram_template == NULL)
        os->nvram_template = g_strdup(build->template);
    place_variables(domain);
}

static gboolean
choose_build(KilnDomain *domain, const GPtrArray *builds, GError **error)
{
    const KilnFirmwareBuild *missed = NULL;
    g_autofree char *what = NULL;

    for (guint i = 0; i < builds->len; i++) {
        const KilnFirmwareBuild *build = g_ptr_array_index(builds, i);

        if (!does(build, &domain->os))
            continue;
        if (kiln_firmware_usable(build) == NULL && has_files(build)) {
            take(domain, build);
            return TRUE;
        }
        missed = missed != NULL ? missed : build;
    }
    if (missed == NULL)
        return fail(builds, "<os firmware='efi'>",
                    "no firmware of the host has the features that are asked for", error);
    what = g_strdup_printf("'%s', which the definition asks for", missed->code);
    return fail(builds, what,
                has_files(missed) ? kiln_firmware_usable(missed) : "its images are not there",
                error);
}

/* ---- <loader type='pflash'>PATH</loader> ---- */

static gboolean
is_same(const char *a, const char *b)
{
    g_autofree char *real_a = realpath(a, NULL);
    g_autofree char *real_b = realpath(b, NULL);

    return strcmp(a, b) == 0 || (real_a != NULL && g_strcmp0(real_a, real_b) == 0);
}

/* One of that very name, before one that is the same file. */
static const KilnFirmwareBuild *
find_build(const GPtrArray *builds, const char *code)
{
    const KilnFirmwareBuild *same = NULL;

    for (guint i = 0; i < builds->len; i++) {
        const KilnFirmwareBuild *build = g_ptr_array_index(builds, i);

        if (build->code == NULL)
            continue;
        if (strcmp(build->code, code) == 0)
            return build;
        if (same == NULL && is_same(build->code, code))
            same = build;
    }
    return same;
}

/* Of builds that no descriptor tells of, as libvirt's list has them: OVMF_CODE.fd, OVMF_VARS.fd. */
static char *
template_beside(const char *code)
{
    g_autofree char *directory = g_path_get_dirname(code);
    g_autofree char *name = g_path_get_basename(code);
    const char *at = strstr(name, "_CODE");
    g_autofree char *path = NULL;

    if (at == NULL)
        return NULL;
    path =
        g_strdup_printf("%s/%.*s_VARS%s", directory, (int)(at - name), name, at + strlen("_CODE"));
    return access(path, F_OK) == 0 ? g_steal_pointer(&path) : NULL;
}

static gboolean
complete_loader(KilnDomain *domain, const GPtrArray *builds, GError **error)
{
    KilnOs *os = &domain->os;
    const KilnFirmwareBuild *build = find_build(builds, os->loader);

    if (build != NULL && kiln_firmware_build_has(build, "requires-smm")) {
        g_autofree char *what = g_strdup_printf("'%s'", os->loader);

        return fail(builds, what, kiln_firmware_usable(build), error);
    }
    os->loader_type = KILN_LOADER_PFLASH;
    if (!kiln_firmware_has_variables(os))
        return TRUE;
    os->loader_readonly = KILN_SWITCH_ON;
    if (os->nvram_template == NULL)
        os->nvram_template =
            build != NULL ? g_strdup(build->template) : template_beside(os->loader);
    place_variables(domain);
    return TRUE;
}

gboolean
kiln_firmware_choose(KilnDomain *domain, const GPtrArray *builds, GError **error)
{
    const KilnOs *os = &domain->os;

    if (os->firmware != KILN_FIRMWARE_EFI && os->loader_type != KILN_LOADER_PFLASH)
        return TRUE;
    return os->loader != NULL ? complete_loader(domain, builds, error)
                              : choose_build(domain, builds, error);
}
