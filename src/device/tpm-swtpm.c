/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See tpm-swtpm.h; swtpm(8), swtpm_setup(8) of swtpm 0.7. */
#include "device/tpm-swtpm.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

enum {
    CONTROL_FD = 3,           /* in the child */
    SETUP_TIMEOUT_MS = 60000, /* it makes keys */
};

static char *
key_argument(const KilnSwtpmOptions *options)
{
    return g_strdup_printf("pwdfile=%s,mode=aes-256-cbc", options->key_file);
}

/* swtpm names its files so: a directory with one has a TPM. */
static gboolean
has_state(const KilnSwtpmOptions *options)
{
    g_autofree char *path = g_build_filename(
        options->state_dir, options->tpm2 ? "tpm2-00.permall" : "tpm-00.permall", NULL);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* Root's is in /etc; a user has none until it is made, once. */
static gboolean
make_config(const char *program, GError **error)
{
    const char *argv[] = { program, "--tpm2", "--create-config-files", "skip-if-exist", NULL };

    return geteuid() == 0 || kiln_process_run(argv, SETUP_TIMEOUT_MS, error);
}

static gboolean
set_up(const KilnSwtpmOptions *options, GError **error)
{
    g_autofree char *program = kiln_process_find("swtpm_setup", NULL);
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);

    if (program == NULL || options->plain) {
        kiln_log(KILN_LOG_INFO, "%s: without swtpm_setup the TPM has no certificates",
                 options->name);
        return TRUE;
    }
    if (!make_config(program, error))
        return FALSE;
    g_ptr_array_add(argv, g_steal_pointer(&program));
    if (options->tpm2)
        g_ptr_array_add(argv, g_strdup("--tpm2"));
    g_ptr_array_add(argv, g_strdup("--tpm-state"));
    g_ptr_array_add(argv, g_strdup(options->state_dir));
    if (options->vm_name != NULL && options->vm_uuid != NULL) {
        g_ptr_array_add(argv, g_strdup("--vmid"));
        g_ptr_array_add(argv, g_strdup_printf("%s:%s", options->vm_name, options->vm_uuid));
    }
    if (options->key_file != NULL) {
        g_ptr_array_add(argv, g_strdup("--pwdfile"));
        g_ptr_array_add(argv, g_strdup(options->key_file));
        g_ptr_array_add(argv, g_strdup("--cipher"));
        g_ptr_array_add(argv, g_strdup("aes-256-cbc"));
    }
    if (options->tpm2 && options->pcr_banks != NULL) {
        g_ptr_array_add(argv, g_strdup("--pcr-banks"));
        g_ptr_array_add(argv, g_strdup(options->pcr_banks));
    }
    g_ptr_array_add(argv, g_strdup("--create-ek-cert"));
    g_ptr_array_add(argv, g_strdup("--create-platform-cert"));
    g_ptr_array_add(argv, g_strdup("--lock-nvram"));
    g_ptr_array_add(argv, g_strdup("--not-overwrite"));
    g_ptr_array_add(argv, NULL);
    return kiln_process_run((const char *const *)argv->pdata, SETUP_TIMEOUT_MS, error);
}

static KilnProcess *
spawn(const KilnSwtpmOptions *options, int control_fd, GError **error)
{
    g_autofree char *state = g_strdup_printf("dir=%s,mode=0600", options->state_dir);
    g_autofree char *control = g_strdup_printf("type=unixio,clientfd=%d", CONTROL_FD);
    g_autofree char *key = options->key_file != NULL ? key_argument(options) : NULL;
    const char *argv[] = { "swtpm",       "socket", "--tpmstate", state, "--ctrl", control,
                           "--terminate", NULL,     NULL,         NULL,  NULL };
    KilnProcessFd fd = { .fd = control_fd, .number = CONTROL_FD };
    KilnProcessOptions process = { .name = options->name, .argv = argv, .fds = &fd, .n_fds = 1 };
    unsigned n = 7;

    if (options->tpm2)
        argv[n++] = "--tpm2";
    if (key != NULL) {
        argv[n++] = "--key";
        argv[n++] = key;
    }
    return kiln_process_spawn(&process, error);
}

KilnProcess *
kiln_swtpm_start(const KilnSwtpmOptions *options, int *control_fd, GError **error)
{
    KilnProcess *process;
    g_auto(KilnFd) ours = -1;
    g_auto(KilnFd) theirs = -1;
    g_autofree char *program = kiln_process_find("swtpm", error);
    int pair[2];

    /* Else swtpm_setup, which needs it too, would fail without naming it. */
    if (program == NULL) {
        g_prefix_error(error, "%s: ", options->name);
        return NULL;
    }
    if (g_mkdir_with_parents(options->state_dir, 0700) < 0) {
        kiln_error_set_errno(error, errno, "%s: cannot make '%s'", options->name,
                             options->state_dir);
        return NULL;
    }
    if (!has_state(options) && !set_up(options, error)) {
        g_prefix_error(error, "%s: ", options->name);
        return NULL;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        kiln_error_set_errno(error, errno, "%s: cannot make a socket pair", options->name);
        return NULL;
    }
    ours = pair[0];
    theirs = pair[1];
    process = spawn(options, theirs, error);
    if (process != NULL)
        *control_fd = kiln_fd_steal(&ours);
    return process;
}
