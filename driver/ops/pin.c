/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * On which host CPUs the threads of a guest run, and for how long they did.
 *
 *   live: sched_setaffinity() of the thread; definition: <cputune>
 */
#include "base/fd.h"
#include "domain/edit.h"
#include "ops/driver.h"
#include "ops/iothread.h"
#include "ops/tables.h"
#include "ops/tune.h"
#include "ops/usage.h"
#include "rpc/params.h"

#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

enum {
    AFFECT = VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG,
    MAX_HOST_CPUS = 16384,
    STAT_PROCESSOR = 39, /* fields of /proc/PID/stat, from 1: proc(5) */
    STAT_BYTES = 1024,
};

static guint
host_cpus(void)
{
    long n = sysconf(_SC_NPROCESSORS_CONF);

    return n > 0 ? (guint)MIN(n, MAX_HOST_CPUS) : 1;
}

/* ---- Maps as the protocol has them: a bit a CPU, lowest first ---- */

static KilnBitmap *
map_read(const char *bytes, guint length)
{
    KilnBitmap *set = kiln_bitmap_new();

    for (guint bit = 0; bit < length * 8; bit++)
        if (((guint8)bytes[bit / 8] >> bit % 8 & 1) != 0)
            kiln_bitmap_set(set, bit);
    return set;
}

/* @set: (nullable): NULL is all CPUs of the host */
static void
map_write(const KilnBitmap *set, char *bytes, guint length)
{
    guint n = MIN(host_cpus(), length * 8);

    memset(bytes, 0, length);
    for (guint bit = 0; bit < n; bit++)
        if (set == NULL || kiln_bitmap_get(set, bit))
            bytes[bit / 8] = (char)(bytes[bit / 8] | 1 << bit % 8);
}

/* Returns: (transfer full) (nullable): where the thread may run. */
static KilnBitmap *
affinity_get(pid_t thread)
{
    gsize size = CPU_ALLOC_SIZE(MAX_HOST_CPUS);
    g_autofree cpu_set_t *cpus = g_malloc0(size);
    KilnBitmap *set;

    if (thread <= 0 || sched_getaffinity(thread, size, cpus) != 0)
        return NULL;
    set = kiln_bitmap_new();
    for (guint i = 0; i < MAX_HOST_CPUS; i++)
        if (CPU_ISSET_S(i, size, cpus))
            kiln_bitmap_set(set, i);
    return set;
}

/* FALSE after ending the call. */
static gboolean
affinity_set(KilnCall *call, KilnGuest *guest, const char *name, const KilnBitmap *set)
{
    gsize size = CPU_ALLOC_SIZE(MAX_HOST_CPUS);
    g_autofree cpu_set_t *cpus = g_malloc0(size);
    pid_t thread = kiln_guest_thread(guest, name);

    if (thread <= 0) {
        kiln_call_fail(call, VIR_ERR_OPERATION_FAILED, "thread %s of domain '%s' is not known",
                       name, kiln_guest_name(guest));
        return FALSE;
    }
    for (int i = kiln_bitmap_next(set, 0); i >= 0; i = kiln_bitmap_next(set, (guint)i + 1))
        CPU_SET_S(i, size, cpus);
    if (sched_setaffinity(thread, size, cpus) == 0)
        return TRUE;
    kiln_call_fail(call, VIR_ERR_SYSTEM_ERROR, "cannot set CPU affinity on process %d: %s",
                   (int)thread, g_strerror(errno));
    return FALSE;
}

/* ---- What the definition says ---- */

static KilnPin *
find_pin(GPtrArray *pins, guint thread, guint *at)
{
    for (guint i = 0; i < pins->len; i++) {
        KilnPin *pin = g_ptr_array_index(pins, i);

        if (pin->thread.value != thread)
            continue;
        if (at != NULL)
            *at = i;
        return pin;
    }
    return NULL;
}

static void
set_pin(GPtrArray *pins, guint thread, const KilnBitmap *set)
{
    KilnPin *pin = find_pin(pins, thread, NULL);

    if (pin == NULL) {
        pin = g_new0(KilnPin, 1);
        pin->thread = (KilnUint){ TRUE, thread };
        g_ptr_array_add(pins, pin);
    }
    kiln_bitmap_free(pin->cpuset);
    pin->cpuset = kiln_bitmap_copy(set);
}

static const KilnBitmap *
defined_pin(const KilnDomain *domain, GPtrArray *pins, guint thread)
{
    const KilnPin *pin = find_pin(pins, thread, NULL);

    return pin != NULL ? pin->cpuset : domain->vcpus.cpuset;
}

/* ---- Pinning ---- */

typedef enum { PIN_VCPU, PIN_EMULATOR, PIN_IOTHREAD } PinKind;

/* A pinning under way. */
typedef struct {
    KilnCall *call;
    PinKind kind;
    guint thread;
    KilnBitmap *set; /* (owned) */
} Pinning;

static gboolean
edit_pin(KilnDomain *domain, gpointer data, GError **error)
{
    const Pinning *pinning = data;
    KilnCputune *tune = &domain->cputune;

    kiln_domain_changed(domain);
    switch (pinning->kind) {
    case PIN_VCPU:
        if (pinning->thread >= kiln_ops_max_vcpus(domain))
            return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG,
                                      "vcpu %u is out of range of persistent cpu count %u",
                                      pinning->thread, kiln_ops_max_vcpus(domain));
        set_pin(tune->vcpu_pins, pinning->thread, pinning->set);
        return TRUE;
    case PIN_IOTHREAD:
        if (!kiln_iothreads_has(&domain->iothreads, pinning->thread))
            return kiln_vir_error_set(error, VIR_ERR_INVALID_ARG, "iothreadid %u not found",
                                      pinning->thread);
        set_pin(tune->iothread_pins, pinning->thread, pinning->set);
        return TRUE;
    case PIN_EMULATOR:
        kiln_bitmap_free(tune->emulator_pin);
        tune->emulator_pin = kiln_bitmap_copy(pinning->set);
        return TRUE;
    }
    return FALSE;
}

static void
pinned(KilnGuest *guest, const GError *error, gpointer data)
{
    Pinning *pinning = data;

    kiln_ops_done(guest, error, pinning->call);
    kiln_bitmap_free(pinning->set);
    g_free(pinning);
}

static void
tell_pinned(KilnCall *call, const KilnGuest *guest, const Pinning *pinning)
{
    static const char *const fields[] = {
        [PIN_VCPU] = VIR_DOMAIN_TUNABLE_CPU_VCPUPIN,
        [PIN_EMULATOR] = VIR_DOMAIN_TUNABLE_CPU_EMULATORPIN,
        [PIN_IOTHREAD] = VIR_DOMAIN_TUNABLE_CPU_IOTHREADSPIN,
    };
    g_auto(KilnParams) params = { .values = NULL };
    g_autoptr(GString) field = g_string_new(fields[pinning->kind]);
    g_autofree char *number = g_strdup_printf("%u", pinning->thread);
    g_autofree char *cpus = kiln_bitmap_format(pinning->set);

    (void)g_string_replace(field, "%u", number, 1);
    kiln_params_add_string(&params, field->str, cpus);
    kiln_ops_tell_tuned(call, guest, &params);
}

/* FALSE after ending the call. */
static gboolean
pin_live(KilnCall *call, KilnGuest *guest, const Pinning *pinning)
{
    const KilnDomain *live = kiln_guest_live(guest);
    char name[32];

    if (live != NULL && pinning->kind == PIN_VCPU && pinning->thread >= kiln_ops_vcpus(live)) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "vcpu %u is out of range of live cpu count %u",
                       pinning->thread, kiln_ops_vcpus(live));
        return FALSE;
    }
    if (live != NULL && pinning->kind == PIN_IOTHREAD &&
        !kiln_iothreads_has(&live->iothreads, pinning->thread)) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "iothread %u not found", pinning->thread);
        return FALSE;
    }
    if (pinning->kind == PIN_EMULATOR)
        g_strlcpy(name, "emulator", sizeof name);
    else
        g_snprintf(name, sizeof name, pinning->kind == PIN_VCPU ? "vcpu.%u" : "iothread.%u",
                   pinning->thread);
    if (!affinity_set(call, guest, name, pinning->set))
        return FALSE;
    tell_pinned(call, guest, pinning);
    return TRUE;
}

static void
pin(KilnCall *call, const remote_nonnull_domain *dom, unsigned flags, const Pinning *wanted)
{
    g_autoptr(KilnBitmap) set = wanted->set;
    KilnGuest *guest = kiln_ops_guest(call, dom);
    Pinning *pinning;
    gboolean config;
    gboolean live;

    if (guest == NULL || !kiln_ops_check_flags(call, flags, AFFECT))
        return;
    if (kiln_bitmap_next(set, 0) < 0) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "Empty cpu list for pinning");
        return;
    }
    if (!kiln_ops_affects(call, guest, flags, &live, &config) ||
        (live && !pin_live(call, guest, wanted)))
        return;
    if (!config) {
        kiln_call_reply(call, NULL);
        return;
    }
    pinning = g_new(Pinning, 1);
    *pinning = (Pinning){ call, wanted->kind, wanted->thread, g_steal_pointer(&set) };
    kiln_guest_edit(guest, edit_pin, pinning, pinned, pinning);
}

static void
on_pin_vcpu(KilnCall *call, gconstpointer data)
{
    const remote_domain_pin_vcpu_args *args = data;
    Pinning wanted = { call, PIN_VCPU, args->vcpu,
                       map_read(args->cpumap.cpumap_val, args->cpumap.cpumap_len) };

    pin(call, &args->dom, VIR_DOMAIN_AFFECT_LIVE, &wanted);
}

static void
on_pin_vcpu_flags(KilnCall *call, gconstpointer data)
{
    const remote_domain_pin_vcpu_flags_args *args = data;
    Pinning wanted = { call, PIN_VCPU, args->vcpu,
                       map_read(args->cpumap.cpumap_val, args->cpumap.cpumap_len) };

    pin(call, &args->dom, args->flags, &wanted);
}

static void
on_pin_emulator(KilnCall *call, gconstpointer data)
{
    const remote_domain_pin_emulator_args *args = data;
    Pinning wanted = { call, PIN_EMULATOR, 0,
                       map_read(args->cpumap.cpumap_val, args->cpumap.cpumap_len) };

    pin(call, &args->dom, args->flags, &wanted);
}

static void
on_pin_iothread(KilnCall *call, gconstpointer data)
{
    const remote_domain_pin_iothread_args *args = data;
    Pinning wanted = { call, PIN_IOTHREAD, args->iothreads_id,
                       map_read(args->cpumap.cpumap_val, args->cpumap.cpumap_len) };

    if (args->iothreads_id == 0) {
        kiln_bitmap_free(wanted.set);
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "iothread_id must not be 0");
        return;
    }
    pin(call, &args->dom, args->flags, &wanted);
}

/* ---- Telling ---- */

/* One map: of the running thread, or by the definition. */
static void
tell_pin(const KilnOpsView *view, KilnGuest *guest, const char *name, const KilnBitmap *defined,
         char *bytes, guint length)
{
    g_autoptr(KilnBitmap) now = view->live ? affinity_get(kiln_guest_thread(guest, name)) : NULL;

    map_write(now != NULL ? now : defined, bytes, length);
}

static gboolean
check_maps(KilnCall *call, int n, int length)
{
    if (n < 0 || length <= 0 || (gint64)n * length > REMOTE_CPUMAPS_MAX ||
        length > REMOTE_CPUMAP_MAX) {
        kiln_call_fail(call, VIR_ERR_INVALID_ARG, "a CPU map of %d bytes for %d threads", length,
                       n);
        return FALSE;
    }
    return TRUE;
}

static void
on_get_vcpu_pin_info(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_vcpu_pin_info_args *args = data;
    remote_domain_get_vcpu_pin_info_ret ret = { 0 };
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    g_auto(KilnOpsView) view = { .domain = NULL };
    g_autofree char *maps = NULL;
    guint length = (guint)args->maplen;
    guint n;

    if (guest == NULL || !kiln_ops_check_flags(call, args->flags, AFFECT) ||
        !check_maps(call, args->ncpumaps, args->maplen) ||
        !kiln_ops_view(call, guest, args->flags, &view))
        return;
    n = MIN((guint)args->ncpumaps, kiln_ops_max_vcpus(view.domain));
    maps = g_malloc0((gsize)n * length + 1);
    for (guint i = 0; i < n; i++) {
        char name[32];

        g_snprintf(name, sizeof name, "vcpu.%u", i);
        tell_pin(&view, guest, name, defined_pin(view.domain, view.domain->cputune.vcpu_pins, i),
                 maps + (gsize)i * length, length);
    }
    ret.cpumaps.cpumaps_val = maps;
    ret.cpumaps.cpumaps_len = n * length;
    ret.num = (int)n;
    kiln_call_reply(call, &ret);
}

static void
on_get_emulator_pin_info(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_emulator_pin_info_args *args = data;
    remote_domain_get_emulator_pin_info_ret ret = { .ret = 1 };
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    g_auto(KilnOpsView) view = { .domain = NULL };
    g_autofree char *map = NULL;
    const KilnBitmap *defined;

    if (guest == NULL || !kiln_ops_check_flags(call, args->flags, AFFECT) ||
        !check_maps(call, 1, args->maplen) || !kiln_ops_view(call, guest, args->flags, &view))
        return;
    defined = view.domain->cputune.emulator_pin != NULL ? view.domain->cputune.emulator_pin
                                                        : view.domain->vcpus.cpuset;
    map = g_malloc0((gsize)args->maplen);
    tell_pin(&view, guest, "emulator", defined, map, (guint)args->maplen);
    ret.cpumaps.cpumaps_val = map;
    ret.cpumaps.cpumaps_len = (guint)args->maplen;
    kiln_call_reply(call, &ret);
}

static void
on_get_iothread_info(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_iothread_info_args *args = data;
    remote_domain_get_iothread_info_ret ret = { 0 };
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    g_auto(KilnOpsView) view = { .domain = NULL };
    guint length = (host_cpus() + 7) / 8;
    g_autofree remote_domain_iothread_info *info = NULL;
    g_autofree char *maps = NULL;
    g_autoptr(GArray) ids = NULL;

    if (guest == NULL || !kiln_ops_check_flags(call, args->flags, AFFECT) ||
        !kiln_ops_view(call, guest, args->flags, &view))
        return;
    ids = kiln_ops_iothread_ids(&view.domain->iothreads);
    info = g_new0(remote_domain_iothread_info, ids->len + 1);
    maps = g_malloc0((gsize)ids->len * length + 1);
    for (guint i = 0; i < ids->len; i++) {
        guint id = g_array_index(ids, guint, i);
        char name[32];

        g_snprintf(name, sizeof name, "iothread.%u", id);
        info[i].iothread_id = id;
        info[i].cpumap.cpumap_val = maps + (gsize)i * length;
        info[i].cpumap.cpumap_len = length;
        tell_pin(&view, guest, name,
                 defined_pin(view.domain, view.domain->cputune.iothread_pins, id),
                 info[i].cpumap.cpumap_val, length);
    }
    ret.info.info_val = info;
    ret.info.info_len = ret.ret = ids->len;
    kiln_call_reply(call, &ret);
}

/* ---- Running vCPUs ---- */

/* The CPU on which the thread ran last; -1: not known. */
static int
last_cpu(KilnGuest *guest, const char *name)
{
    char path[64];
    char text[STAT_BYTES];
    const char *at;
    gssize n;
    int fd;

    g_snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)kiln_guest_pid(guest),
               (int)kiln_guest_thread(guest, name));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    n = read(fd, text, sizeof text - 1);
    kiln_fd_clear(&fd);
    if (n <= 0)
        return -1;
    text[n] = '\0';
    at = strrchr(text, ')'); /* of the second field, which may hold anything */
    for (guint field = 2; at != NULL && field < STAT_PROCESSOR; field++)
        at = strchr(at + 1, ' ');
    return at != NULL ? (int)g_ascii_strtoll(at, NULL, 10) : -1;
}

static void
tell_vcpu(KilnGuest *guest, GArray *statistics, guint i, remote_vcpu_info *info)
{
    char name[64];
    const KilnStatistic *state;

    g_snprintf(name, sizeof name, "vcpu.%u.state", i);
    state = kiln_ops_statistic(statistics, name);
    info->number = i;
    info->state = state != NULL ? (int)state->value.number : VIR_VCPU_RUNNING;
    g_snprintf(name, sizeof name, "vcpu.%u.time", i);
    info->cpu_time = kiln_ops_count(statistics, name);
    g_snprintf(name, sizeof name, "vcpu.%u", i);
    info->cpu = last_cpu(guest, name);
}

static void
on_get_vcpus(KilnCall *call, gconstpointer data)
{
    const remote_domain_get_vcpus_args *args = data;
    remote_domain_get_vcpus_ret ret = { 0 };
    KilnGuest *guest = kiln_ops_guest(call, &args->dom);
    g_autoptr(GArray) statistics = NULL;
    g_autofree remote_vcpu_info *info = NULL;
    g_autofree char *maps = NULL;
    const KilnDomain *live;
    guint n;

    if (guest == NULL)
        return;
    live = kiln_guest_is_active(guest) ? kiln_guest_live(guest) : NULL;
    if (live == NULL) {
        kiln_call_fail(call, VIR_ERR_OPERATION_INVALID,
                       "cannot retrieve vcpu information for inactive domain");
        return;
    }
    if (args->maxinfo < 0 || args->maxinfo > REMOTE_VCPUINFO_MAX || args->maplen < 0 ||
        (gint64)args->maxinfo * args->maplen > REMOTE_CPUMAPS_MAX) {
        kiln_call_fail(call, VIR_ERR_RPC, "maxinfo * maplen > REMOTE_CPUMAPS_MAX");
        return;
    }
    n = MIN((guint)args->maxinfo, kiln_ops_vcpus(live));
    info = g_new0(remote_vcpu_info, n + 1);
    maps = g_malloc0((gsize)n * (guint)args->maplen + 1);
    statistics = kiln_guest_statistics(guest);
    for (guint i = 0; i < n; i++) {
        KilnOpsView view = { .domain = live, .live = TRUE };
        char name[32];

        g_snprintf(name, sizeof name, "vcpu.%u", i);
        tell_vcpu(guest, statistics, i, &info[i]);
        if (args->maplen > 0)
            tell_pin(&view, guest, name, NULL, maps + (gsize)i * (guint)args->maplen,
                     (guint)args->maplen);
    }
    ret.info.info_val = info;
    ret.info.info_len = n;
    ret.cpumaps.cpumaps_val = maps;
    ret.cpumaps.cpumaps_len = n * (guint)args->maplen;
    kiln_call_reply(call, &ret);
}

static const KilnProcedure rows[] = {
    KILN_PROC(DOMAIN_GET_VCPUS, domain_get_vcpus, KILN_ACCESS_READ, on_get_vcpus),
    KILN_PROC_ARGS(DOMAIN_PIN_VCPU, domain_pin_vcpu, KILN_ACCESS_WRITE, on_pin_vcpu),
    KILN_PROC_ARGS(DOMAIN_PIN_VCPU_FLAGS, domain_pin_vcpu_flags, KILN_ACCESS_WRITE,
                   on_pin_vcpu_flags),
    KILN_PROC(DOMAIN_GET_VCPU_PIN_INFO, domain_get_vcpu_pin_info, KILN_ACCESS_READ,
              on_get_vcpu_pin_info),
    KILN_PROC_ARGS(DOMAIN_PIN_EMULATOR, domain_pin_emulator, KILN_ACCESS_WRITE, on_pin_emulator),
    KILN_PROC(DOMAIN_GET_EMULATOR_PIN_INFO, domain_get_emulator_pin_info, KILN_ACCESS_READ,
              on_get_emulator_pin_info),
    KILN_PROC_ARGS(DOMAIN_PIN_IOTHREAD, domain_pin_iothread, KILN_ACCESS_WRITE, on_pin_iothread),
    KILN_PROC(DOMAIN_GET_IOTHREAD_INFO, domain_get_iothread_info, KILN_ACCESS_READ,
              on_get_iothread_info),
};
const KilnProcedureTable kiln_ops_pin = { rows, G_N_ELEMENTS(rows) };
