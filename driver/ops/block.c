/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A domain's disks: what went through them, how large they are.
 *
 *   running: what its process publishes; else: what stat() says of the file, in a worker, since a
 *   file system may not answer
 *
 * The daemon reads no image: of an image whose format is not raw and whose guest does not run,
 * nobody here knows how large a disk the guest will see.
 */
#include "domain/edit.h"
#include "ops/driver.h"
#include "ops/tables.h"
#include "ops/usage.h"
#include "rpc/params.h"

#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STAT_BLOCK_BYTES = 512, NAME_BYTES = 64, KIB = 1024 };

/* The number of the disk of that name in the published statistics; -1: there is none. */
static int
find_published(GArray *entries, const KilnDisk *disk)
{
    guint n = kiln_ops_how_many(entries, "block.count");
    char name[NAME_BYTES];

    for (guint i = 0; i < n; i++) {
        const KilnStatistic *entry;

        g_snprintf(name, sizeof name, "block.%u.name", i);
        entry = kiln_ops_statistic(entries, name);
        if (entry != NULL && entry->type == KILN_STATISTIC_STRING &&
            g_strcmp0(entry->value.text, disk->target_dev) == 0)
            return (int)i;
    }
    return -1;
}

static guint64
count_of(GArray *entries, int number, const char *what)
{
    char name[NAME_BYTES];

    g_snprintf(name, sizeof name, "block.%d.%s", number, what);
    return kiln_ops_count(entries, name);
}

/* ---- What went through ---- */

typedef struct {
    guint64 rd_req, rd_bytes, rd_time, wr_req, wr_bytes, wr_time, fl_req, fl_time, errors;
} Traffic;

static void
add_traffic(GArray *entries, int number, Traffic *traffic)
{
    traffic->rd_req += count_of(entries, number, "rd.reqs");
    traffic->rd_bytes += count_of(entries, number, "rd.bytes");
    traffic->rd_time += count_of(entries, number, "rd.times");
    traffic->wr_req += count_of(entries, number, "wr.reqs");
    traffic->wr_bytes += count_of(entries, number, "wr.bytes");
    traffic->wr_time += count_of(entries, number, "wr.times");
    traffic->fl_req += count_of(entries, number, "fl.reqs");
    traffic->fl_time += count_of(entries, number, "fl.times");
    traffic->errors += count_of(entries, number, "errors");
}

/* @path: "" is all disks together; FALSE after ending the call */
static gboolean
traffic_of(KilnCall *call, KilnGuest *guest, const char *path, Traffic *traffic)
{
    g_autoptr(GArray) entries = kiln_guest_statistics(guest);
    const KilnDomain *domain = kiln_guest_live(guest);
    const KilnDisk *disk;
    int number;

    *traffic = (Traffic){ 0 };
    if (path[0] == '\0') {
        guint n = kiln_ops_how_many(entries, "block.count");

        for (guint i = 0; i < n; i++)
            add_traffic(entries, (int)i, traffic);
        return TRUE;
    }
    disk = domain != NULL ? kiln_domain_find_disk(domain, path) : NULL;
    if (disk == NULL) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "invalid path: %s", path);
        return FALSE;
    }
    number = find_published(entries, disk);
    if (number >= 0)
        add_traffic(entries, number, traffic);
    return TRUE;
}

static void
on_block_stats(KilnCall *call, gconstpointer data)
{
    const remote_domain_block_stats_args *args = data;
    KilnGuest *guest = kiln_ops_active_guest(call, &args->dom);
    remote_domain_block_stats_ret ret;
    Traffic traffic;

    if (guest == NULL || !traffic_of(call, guest, args->path, &traffic))
        return;
    ret = (remote_domain_block_stats_ret){
        .rd_req = (gint64)traffic.rd_req,
        .rd_bytes = (gint64)traffic.rd_bytes,
        .wr_req = (gint64)traffic.wr_req,
        .wr_bytes = (gint64)traffic.wr_bytes,
        .errs = -1, /* as libvirt: not counted by this call */
    };
    kiln_call_reply(call, &ret);
}

static void
on_block_stats_flags(KilnCall *call, gconstpointer data)
{
    const remote_domain_block_stats_flags_args *args = data;
    remote_domain_block_stats_flags_ret ret = { 0 };
    g_auto(KilnParams) params = { .values = NULL };
    KilnGuest *guest;
    Traffic traffic;

    if (!kiln_ops_check_flags(call, args->flags, VIR_TYPED_PARAM_STRING_OKAY))
        return;
    guest = kiln_ops_active_guest(call, &args->dom);
    if (guest == NULL || !traffic_of(call, guest, args->path, &traffic))
        return;
    kiln_params_add_llong(&params, VIR_DOMAIN_BLOCK_STATS_WRITE_BYTES, (gint64)traffic.wr_bytes);
    kiln_params_add_llong(&params, VIR_DOMAIN_BLOCK_STATS_WRITE_REQ, (gint64)traffic.wr_req);
    kiln_params_add_llong(&params, VIR_DOMAIN_BLOCK_STATS_READ_BYTES, (gint64)traffic.rd_bytes);
    kiln_params_add_llong(&params, VIR_DOMAIN_BLOCK_STATS_READ_REQ, (gint64)traffic.rd_req);
    kiln_params_add_llong(&params, VIR_DOMAIN_BLOCK_STATS_FLUSH_REQ, (gint64)traffic.fl_req);
    kiln_params_add_llong(&params, VIR_DOMAIN_BLOCK_STATS_WRITE_TOTAL_TIMES,
                          (gint64)traffic.wr_time);
    kiln_params_add_llong(&params, VIR_DOMAIN_BLOCK_STATS_READ_TOTAL_TIMES,
                          (gint64)traffic.rd_time);
    kiln_params_add_llong(&params, VIR_DOMAIN_BLOCK_STATS_FLUSH_TOTAL_TIMES,
                          (gint64)traffic.fl_time);
    ret.nparams = (int)params.n;
    if (args->nparams > 0) {
        ret.params.params_val = params.values;
        ret.params.params_len = MIN(params.n, (guint)args->nparams);
        ret.nparams = (int)ret.params.params_len;
    }
    kiln_call_reply(call, &ret);
}

/* ---- How large ---- */

/* Of a file, found out by a worker. */
typedef struct {
    char *path;   /* (owned) */
    gboolean raw; /* the file is the disk */
    remote_domain_get_block_info_ret sizes;
} Measure;

static void
measure_free(gpointer data)
{
    Measure *measure = data;

    g_free(measure->path);
    g_free(measure);
}

/* Worker. */
static void
measure_file(GTask *task, G_GNUC_UNUSED gpointer source, gpointer data,
             G_GNUC_UNUSED GCancellable *cancellable)
{
    Measure *measure = data;
    int fd = open(measure->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat about;

    if (fd >= 0 ? fstat(fd, &about) != 0 : stat(measure->path, &about) != 0) {
        int failed = errno;

        if (fd >= 0)
            (void)close(fd);
        g_task_return_new_error(task, KILN_VIR_ERROR, VIR_ERR_SYSTEM_ERROR,
                                "cannot stat file '%s': %s", measure->path, g_strerror(failed));
        return;
    }
    if (S_ISBLK(about.st_mode)) {
        off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;

        measure->sizes.physical = end > 0 ? (guint64)end : 0;
        measure->sizes.allocation = measure->sizes.physical;
    } else {
        measure->sizes.physical = (guint64)about.st_size;
        measure->sizes.allocation = (guint64)about.st_blocks * STAT_BLOCK_BYTES;
    }
    if (measure->raw)
        measure->sizes.capacity = measure->sizes.physical;
    if (fd >= 0)
        (void)close(fd);
    g_task_return_boolean(task, TRUE);
}

static void
measured(G_GNUC_UNUSED GObject *source, GAsyncResult *result, gpointer call)
{
    const Measure *measure = g_task_get_task_data(G_TASK(result));
    g_autoptr(GError) error = NULL;

    if (!g_task_propagate_boolean(G_TASK(result), &error))
        kiln_call_fail_error(call, error);
    else if (!measure->raw)
        kiln_call_fail(call, VIR_ERR_OPERATION_UNSUPPORTED,
                       "how large the disk in '%s' is, is known while the domain runs only: the "
                       "daemon reads no images",
                       measure->path);
    else
        kiln_call_reply(call, &measure->sizes);
}

static void
measure(KilnCall *call, const KilnDisk *disk)
{
    const char *path = kiln_disk_path(disk);
    Measure *job;
    g_autoptr(GTask) task = NULL;

    if (path == NULL) {
        kiln_call_fail(call, VIR_ERR_OPERATION_UNSUPPORTED,
                       "the size of disk '%s' is known while the domain runs only: it has no file "
                       "or device of this host",
                       disk->target_dev);
        return;
    }
    job = g_new0(Measure, 1);
    job->path = g_strdup(path);
    job->raw =
        disk->driver.type == KILN_DISK_FORMAT_RAW || disk->driver.type == KILN_DISK_FORMAT_ABSENT;
    task = g_task_new(NULL, NULL, measured, call);
    g_task_set_task_data(task, job, measure_free);
    g_task_run_in_thread(task, measure_file);
}

static void
on_get_block_info(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_block_info_args *args = data;
    remote_domain_get_block_info_ret ret = { 0 };
    g_auto(KilnOpsView) view = { .domain = NULL };
    g_autoptr(GArray) entries = NULL;
    KilnGuest *guest;
    KilnDisk *disk;
    int number;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    guest = kiln_ops_guest(call, &args->dom);
    if (guest == NULL || !kiln_ops_view(call, guest, 0, &view))
        return;
    disk = kiln_domain_find_disk(view.domain, args->path);
    if (disk == NULL) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "invalid path %s not assigned to domain",
                       args->path);
        return;
    }
    entries = view.live ? kiln_guest_statistics(guest) : NULL;
    number = find_published(entries, disk);
    if (number < 0) {
        measure(call, disk);
        return;
    }
    ret.allocation = count_of(entries, number, "allocation");
    ret.capacity = count_of(entries, number, "capacity");
    ret.physical = count_of(entries, number, "physical");
    kiln_call_reply(call, &ret);
}

/* ---- Changing one ---- */

static void
on_block_resize(KilnCall *call, gconstpointer data)
{
    const remote_domain_block_resize_args *args = data;
    guint64 bytes = args->size;
    const KilnDomain *domain;
    KilnGuest *guest;

    if (!kiln_ops_check_flags(call, args->flags, VIR_DOMAIN_BLOCK_RESIZE_BYTES))
        return;
    if ((args->flags & VIR_DOMAIN_BLOCK_RESIZE_BYTES) == 0) {
        if (bytes > G_MAXUINT64 / KIB) {
            kiln_call_fail(call, VIR_ERR_OVERFLOW, "size must be less than %" G_GUINT64_FORMAT,
                           G_MAXUINT64 / KIB);
            return;
        }
        bytes *= KIB;
    }
    guest = kiln_ops_active_guest(call, &args->dom);
    if (guest == NULL)
        return;
    domain = kiln_guest_live(guest);
    if (domain != NULL) {
        const KilnDisk *disk = kiln_domain_find_disk(domain, args->disk);

        if (disk == NULL) {
            kiln_call_fail(call, VIR_ERR_INVALID_ARG, "invalid path: %s", args->disk);
            return;
        }
        kiln_guest_call(guest, "ResizeBlock", g_variant_new("(st)", disk->target_dev, bytes), NULL,
                        KILN_GUEST_CALL_MS, kiln_ops_answered, call);
        return;
    }
    kiln_guest_call(guest, "ResizeBlock", g_variant_new("(st)", args->disk, bytes), NULL,
                    KILN_GUEST_CALL_MS, kiln_ops_answered, call);
}

/* Disks whose error stopped the guest: there are such only while it stands still for that. */
static void
on_get_disk_errors(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_disk_errors_args *args = data;
    remote_domain_get_disk_errors_ret ret = { 0 };
    g_autoptr(GArray) entries = NULL;
    g_autofree remote_domain_disk_error *errors = NULL;
    const KilnDomain *domain;
    KilnGuest *guest;
    int reason = 0;
    guint n = 0;

    if (!kiln_ops_check_flags(call, args->flags, 0))
        return;
    guest = kiln_ops_active_guest(call, &args->dom);
    if (guest == NULL)
        return;
    domain = kiln_guest_live(guest);
    if (args->maxerrors == 0) {
        ret.nerrors = domain != NULL ? (int)domain->disks->len : 0;
        kiln_call_reply(call, &ret);
        return;
    }
    errors = g_new0(remote_domain_disk_error, REMOTE_DOMAIN_DISK_ERRORS_MAX);
    entries = kiln_guest_statistics(guest);
    if (kiln_guest_state(guest, &reason) == VIR_DOMAIN_PAUSED &&
        reason == VIR_DOMAIN_PAUSED_IOERROR)
        for (guint i = 0; domain != NULL && i < domain->disks->len; i++) {
            const KilnDisk *disk = g_ptr_array_index(domain->disks, i);
            int number = find_published(entries, disk);

            if (number < 0 || count_of(entries, number, "errors") == 0 ||
                n >= MIN(args->maxerrors, REMOTE_DOMAIN_DISK_ERRORS_MAX))
                continue;
            errors[n].disk = disk->target_dev;
            errors[n++].error = VIR_DOMAIN_DISK_ERROR_UNSPEC;
        }
    ret.errors.errors_val = errors;
    ret.errors.errors_len = n;
    ret.nerrors = (int)n;
    kiln_call_reply(call, &ret);
}

static const KilnProcedure rows[] = {
    KILN_PROC(DOMAIN_BLOCK_STATS, domain_block_stats, KILN_ACCESS_READ, on_block_stats),
    KILN_PROC(DOMAIN_BLOCK_STATS_FLAGS, domain_block_stats_flags, KILN_ACCESS_READ,
              on_block_stats_flags),
    KILN_PROC(DOMAIN_GET_BLOCK_INFO, domain_get_block_info, KILN_ACCESS_READ, on_get_block_info),
    KILN_PROC_ARGS(DOMAIN_BLOCK_RESIZE, domain_block_resize, KILN_ACCESS_WRITE, on_block_resize),
    KILN_PROC(DOMAIN_GET_DISK_ERRORS, domain_get_disk_errors, KILN_ACCESS_READ, on_get_disk_errors),
    KILN_PROC_REFUSED(DOMAIN_BLOCK_PEEK, KILN_ACCESS_WRITE, "the daemon reads no disks"),
    KILN_PROC_REFUSED(DOMAIN_SET_BLOCK_THRESHOLD, KILN_ACCESS_WRITE,
                      "kiln does not watch how far an image has grown"),
};
const KilnProcedureTable kiln_ops_block = { rows, G_N_ELEMENTS(rows) };
